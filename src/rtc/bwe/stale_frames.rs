//! Stale-frame filter: packets before the latest keyframe are not worth a retransmission. Pure; time is an argument.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use rtc::rtcp::transport_feedbacks::transport_layer_nack::{
    NackPair, TransportLayerNack, nack_pairs_from_sequence_numbers,
};

/// Time within which requests count together.
const TOGETHER: Duration = Duration::from_millis(500);
/// Requests remembered at most.
const MAX: usize = 64;
/// Packets that are remembered: older ones are in no sender's memory, either.
const REMEMBERED: usize = 1024;

/// Packets of one video stream that a keyframe has made useless.
#[derive(Debug, Default)]
pub(super) struct StaleFrames {
    /// The latest packet that left.
    latest: Option<u16>,
    /// First packet that is still of use.
    before: Option<u16>,
    /// The latest packets, the last one first.
    packets: VecDeque<Left>,
    /// Packets that were asked for, or that a full path has lost.
    wanted: Vec<Wanted>,
}

/// A packet that left.
#[derive(Debug)]
struct Left {
    sequence: u16,
    /// In bytes on the wire.
    size: usize,
    departure: Instant,
}

/// A request for one packet.
#[derive(Debug)]
struct Wanted {
    sequence: u16,
    at: Instant,
    /// Size of the packet, in bytes on the wire.
    size: usize,
    /// The path was full.
    full: bool,
}

impl StaleFrames {
    /// A packet of `size` bytes on the wire left, perhaps the first one of a keyframe.
    pub(super) fn left(&mut self, sequence: u16, size: usize, departure: Instant, starts_keyframe: bool) {
        self.latest = Some(sequence);
        self.packets.truncate(REMEMBERED - 1);
        self.packets.push_front(Left { sequence, size, departure });
        if starts_keyframe {
            self.before = Some(sequence);
            self.wanted.clear();
        }
        // Half of the numbers later the order would be unknown.
        if self.before.is_some_and(|before| sequence.wrapping_sub(before) > 1 << 14) {
            self.before = None;
        }
    }

    /// A keyframe follows: nothing that left before is of use.
    pub(super) fn all(&mut self) {
        self.before = self.latest.map(|latest| latest.wrapping_add(1));
        self.wanted.clear();
    }

    /// A full path has lost a packet: it will be asked for.
    pub(super) fn lost(&mut self, departure: Instant, size: usize, now: Instant) {
        self.forget_old(now);
        let is_new = |left: &&Left| {
            (left.departure, left.size) == (departure, size)
                && self.is_useful(left.sequence)
                && self.wanted.iter().all(|wanted| wanted.sequence != left.sequence)
        };
        if let Some(left) = self.packets.iter().find(is_new) {
            let sequence = left.sequence;
            self.note(sequence, true, now);
        }
    }

    /// Packets of use that were asked for lately while the path was full.
    pub(super) fn asked(&self) -> usize {
        self.wanted.iter().filter(|wanted| wanted.full).count()
    }

    /// Bytes on the wire of the packets of use that were asked for lately.
    pub(super) fn asked_bytes(&self) -> usize {
        self.wanted.iter().map(|wanted| wanted.size).sum()
    }

    /// Leaves the useful packets in `request`, and notes them, and whether the path is `full`; false when none is left.
    pub(super) fn strip(&mut self, request: &mut TransportLayerNack, full: bool, now: Instant) -> bool {
        let asked = request.nacks.iter().flat_map(NackPair::packet_list);
        let kept: Vec<u16> = asked.filter(|sequence| self.is_useful(*sequence)).collect();
        self.forget_old(now);
        kept.iter().for_each(|sequence| self.note(*sequence, full, now));
        request.nacks = nack_pairs_from_sequence_numbers(&kept);
        !kept.is_empty()
    }

    /// No keyframe has replaced the packet.
    fn is_useful(&self, sequence: u16) -> bool {
        self.before.is_none_or(|before| sequence.wrapping_sub(before) < 1 << 15)
    }

    fn forget_old(&mut self, now: Instant) {
        self.wanted.retain(|wanted| now.saturating_duration_since(wanted.at) < TOGETHER);
    }

    fn note(&mut self, sequence: u16, full: bool, now: Instant) {
        if let Some(wanted) = self.wanted.iter_mut().find(|wanted| wanted.sequence == sequence) {
            wanted.full |= full;
        } else if self.wanted.len() < MAX {
            let size = self.packets.iter().find(|left| left.sequence == sequence).map_or(0, |left| left.size);
            self.wanted.push(Wanted { sequence, at: now, size, full });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_keyframe_replaced_is_not_repaired() {
        let now = Instant::now();
        let mut stale = StaleFrames::default();
        let kept = |stale: &mut StaleFrames, numbers: &[u16], full: bool| {
            let mut request =
                TransportLayerNack { sender_ssrc: 1, media_ssrc: 2, nacks: nack_pairs_from_sequence_numbers(numbers) };
            stale.strip(&mut request, full, now);
            request.nacks.iter().flat_map(NackPair::packet_list).collect::<Vec<u16>>()
        };
        for sequence in [65_530, 65_531] {
            stale.left(sequence, 1200, now, false);
        }
        assert_eq!(kept(&mut stale, &[65_530, 65_531], true), [65_530, 65_531]);
        kept(&mut stale, &[65_530], true);
        assert_eq!((stale.asked(), stale.asked_bytes()), (2, 2400), "each packet counts once");
        stale.left(65_535, 1200, now, true);
        stale.left(0, 700, now, false);
        assert_eq!((stale.asked(), stale.asked_bytes()), (0, 0));
        assert_eq!(kept(&mut stale, &[65_531, 65_535, 0], false), [65_535, 0]);
        assert_eq!((stale.asked(), stale.asked_bytes()), (0, 1900), "the path is not full");
        stale.all();
        assert_eq!(kept(&mut stale, &[65_535, 0], false), [0; 0]);
        stale.left(1, 1200, now, false);
        assert_eq!(kept(&mut stale, &[0, 1], false), [1]);
    }

    #[test]
    fn packets_that_a_full_path_has_lost_count_as_those_that_are_asked_for() {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let mut stale = StaleFrames::default();
        stale.left(9, 1200, at(0), true);
        (10..13).for_each(|sequence| stale.left(sequence, 1200, at(33), false));
        stale.left(13, 500, at(33), false);
        // Two of three that look alike, sound, and one that nobody misses yet.
        for (left_ms, size) in [(33, 1200), (33, 1200), (40, 1200), (33, 500)] {
            stale.lost(at(left_ms), size, at(200));
        }
        assert_eq!((stale.asked(), stale.asked_bytes()), (3, 2900));
        let mut request =
            TransportLayerNack { sender_ssrc: 1, media_ssrc: 2, nacks: nack_pairs_from_sequence_numbers(&[12, 13]) };
        assert!(stale.strip(&mut request, true, at(210)));
        assert_eq!(stale.asked(), 3, "each packet counts once");
        stale.left(14, 1200, at(220), true);
        stale.lost(at(33), 1200, at(230));
        assert_eq!(stale.asked(), 0, "a keyframe has replaced it");
        stale.lost(at(220), 1200, at(300));
        stale.lost(at(999), 1200, at(900));
        assert_eq!(stale.asked(), 0, "long ago");
    }
}
