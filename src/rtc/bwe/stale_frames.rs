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
/// Packets whose size is remembered: older ones are in no sender's memory, either.
const SIZES: usize = 1024;

/// Packets of one video stream that a keyframe has made useless.
#[derive(Debug, Default)]
pub(super) struct StaleFrames {
    /// The latest packet that left.
    latest: Option<u16>,
    /// First packet that is still of use.
    before: Option<u16>,
    /// Numbers and sizes of the latest packets, in the order of departure.
    sizes: VecDeque<(u16, usize)>,
    /// Packets that were asked for.
    wanted: Vec<Wanted>,
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
    pub(super) fn left(&mut self, sequence: u16, size: usize, starts_keyframe: bool) {
        self.latest = Some(sequence);
        self.sizes.truncate(SIZES - 1);
        self.sizes.push_front((sequence, size));
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
        let useful = |sequence: &u16| self.before.is_none_or(|before| sequence.wrapping_sub(before) < 1 << 15);
        let kept: Vec<u16> = request.nacks.iter().flat_map(NackPair::packet_list).filter(useful).collect();
        self.wanted.retain(|wanted| now.saturating_duration_since(wanted.at) < TOGETHER);
        for &sequence in &kept {
            if let Some(wanted) = self.wanted.iter_mut().find(|wanted| wanted.sequence == sequence) {
                wanted.full |= full;
            } else if self.wanted.len() < MAX {
                let size = self.sizes.iter().find(|(one, _)| *one == sequence).map_or(0, |(_, size)| *size);
                self.wanted.push(Wanted { sequence, at: now, size, full });
            }
        }
        request.nacks = nack_pairs_from_sequence_numbers(&kept);
        !kept.is_empty()
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
            stale.left(sequence, 1200, false);
        }
        assert_eq!(kept(&mut stale, &[65_530, 65_531], true), [65_530, 65_531]);
        kept(&mut stale, &[65_530], true);
        assert_eq!((stale.asked(), stale.asked_bytes()), (2, 2400), "each packet counts once");
        stale.left(65_535, 1200, true);
        stale.left(0, 700, false);
        assert_eq!((stale.asked(), stale.asked_bytes()), (0, 0));
        assert_eq!(kept(&mut stale, &[65_531, 65_535, 0], false), [65_535, 0]);
        assert_eq!((stale.asked(), stale.asked_bytes()), (0, 1900), "the path is not full");
        stale.all();
        assert_eq!(kept(&mut stale, &[65_535, 0], false), [0; 0]);
        stale.left(1, 1200, false);
        assert_eq!(kept(&mut stale, &[0, 1], false), [1]);
    }
}
