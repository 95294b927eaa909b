//! Stale-frame filter: packets before the latest keyframe are not worth a retransmission. Pure; time is an argument.

use std::time::{Duration, Instant};

use rtc::rtcp::transport_feedbacks::transport_layer_nack::{
    NackPair, TransportLayerNack, nack_pairs_from_sequence_numbers,
};

/// Time within which requests count together.
const TOGETHER: Duration = Duration::from_millis(500);
/// Packets remembered at most.
const MAX: usize = 64;

/// Packets of one video stream that a keyframe has made useless.
#[derive(Debug, Default)]
pub(super) struct StaleFrames {
    /// The latest packet that left.
    latest: Option<u16>,
    /// First packet that is still of use.
    before: Option<u16>,
    /// Packets that were asked for on a full path.
    wanted: Vec<(u16, Instant)>,
}

impl StaleFrames {
    /// A packet left, perhaps the first one of a keyframe.
    pub(super) fn left(&mut self, sequence: u16, starts_keyframe: bool) {
        self.latest = Some(sequence);
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
        self.wanted.len()
    }

    /// Leaves in `request` what is of use, and counts that if the path is `full`; false when nothing is left.
    pub(super) fn strip(&mut self, request: &mut TransportLayerNack, full: bool, now: Instant) -> bool {
        let useful = |sequence: &u16| self.before.is_none_or(|before| sequence.wrapping_sub(before) < 1 << 15);
        let kept: Vec<u16> = request.nacks.iter().flat_map(NackPair::packet_list).filter(useful).collect();
        self.wanted.retain(|(_, at)| now.saturating_duration_since(*at) < TOGETHER);
        for &sequence in kept.iter().filter(|_| full) {
            if self.wanted.len() < MAX && !self.wanted.iter().any(|(one, _)| *one == sequence) {
                self.wanted.push((sequence, now));
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
            stale.left(sequence, false);
        }
        assert_eq!(kept(&mut stale, &[65_530, 65_531], true), [65_530, 65_531]);
        kept(&mut stale, &[65_530], true);
        assert_eq!(stale.asked(), 2, "each packet counts once");
        stale.left(65_535, true);
        stale.left(0, false);
        assert_eq!(stale.asked(), 0);
        assert_eq!(kept(&mut stale, &[65_531, 65_535, 0], false), [65_535, 0]);
        stale.all();
        assert_eq!(kept(&mut stale, &[65_535, 0], false), [0; 0]);
        stale.left(1, false);
        assert_eq!(kept(&mut stale, &[0, 1], false), [1]);
    }
}
