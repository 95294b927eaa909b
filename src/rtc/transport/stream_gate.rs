//! Gate for SRTP and SRTCP, which lets only streams of the far side's description reach the engine: the engine keeps
//! state for each SSRC that it sees, before it checks whether the packet is genuine, and for good. The SSRC stands in
//! the clear (RFC 3711, 3.1, 3.4).
//!
//! Media streams are those of the far side's description. RTCP comes from these, too; versions that report under SSRCs
//! of their own (RFC 3550, 6.4.2) get a bounded number of tries, and keep those under which genuine reports came. Pure;
//! time is an argument.

use crate::media::MediaTime;

/// SSRCs under which genuine RTCP came, beside those of the description: one a stream that the far side receives, and
/// that of its transport-wide feedback.
const MAX_REPORTERS: usize = 16;
/// Packets under unknown SSRCs that are let through at once, and then a second.
const TRIES: f64 = 16.0;
const TRIES_A_SECOND: f64 = 1.0;
/// The same of a whole connection: each may cost the engine a couple of hundred bytes.
const MAX_TRIES: u32 = 256;

/// Kind of a datagram from a proven source (RFC 7983, 7; RFC 5761, 4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Datagram {
    Dtls,
    Rtp { ssrc: u32 },
    Rtcp { ssrc: u32 },
}

impl Datagram {
    /// `None` for what nobody here reads, and for what is too short to be what it begins like.
    pub(super) fn read(datagram: &[u8]) -> Option<Self> {
        let ssrc = |at: usize| Some(u32::from_be_bytes(*datagram.get(at..)?.first_chunk()?));
        match datagram {
            [20..=63, ..] => Some(Self::Dtls),
            [128..=191, 192..=223, ..] => Some(Self::Rtcp { ssrc: ssrc(4)? }),
            [128..=191, _, ..] => Some(Self::Rtp { ssrc: ssrc(8)? }),
            _ => None,
        }
    }
}

/// The far side's streams on one connection.
#[derive(Debug)]
pub(super) struct StreamGate {
    /// Those of its description; none before that is known.
    described: Vec<u32>,
    reporters: Vec<u32>,
    tries: f64,
    tried_at: MediaTime,
    tries_left: u32,
}

impl Default for StreamGate {
    fn default() -> Self {
        Self {
            described: Vec::new(),
            reporters: Vec::new(),
            tries: TRIES,
            tried_at: MediaTime::default(),
            tries_left: MAX_TRIES,
        }
    }
}

impl StreamGate {
    /// The far side sends these streams from now on.
    pub(super) fn describe(&mut self, ssrcs: impl IntoIterator<Item = u32>) {
        self.described = ssrcs.into_iter().filter(|ssrc| *ssrc != 0).collect();
    }

    /// Genuine RTCP came under this SSRC. Streams of the description need no place.
    pub(super) fn confirm(&mut self, ssrc: u32) {
        let known = self.described.contains(&ssrc) || self.reporters.contains(&ssrc);
        if !known && self.reporters.len() < MAX_REPORTERS {
            self.reporters.push(ssrc);
        }
    }

    /// Whether a datagram may reach the engine.
    pub(super) fn admits(&mut self, datagram: Datagram, now: MediaTime) -> bool {
        match datagram {
            Datagram::Dtls => true,
            Datagram::Rtp { ssrc } => self.described.contains(&ssrc),
            Datagram::Rtcp { ssrc } => {
                self.described.contains(&ssrc) || self.reporters.contains(&ssrc) || self.takes_a_try(now)
            }
        }
    }

    fn takes_a_try(&mut self, now: MediaTime) -> bool {
        let earned = now.since(self.tried_at).as_secs_f64() * TRIES_A_SECOND;
        self.tries = (self.tries + earned).min(TRIES);
        self.tried_at = now;
        if self.described.is_empty() || self.tries < 1.0 || self.tries_left == 0 {
            return false;
        }
        self.tries -= 1.0;
        self.tries_left -= 1;
        true
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn rtp(ssrc: u32, payload_type: u8) -> Vec<u8> {
        let mut packet = vec![0x90, payload_type, 0, 1, 0, 0, 0, 2];
        packet.extend(ssrc.to_be_bytes());
        packet.extend([7; 40]);
        packet
    }

    fn rtcp(ssrc: u32, packet_type: u8) -> Vec<u8> {
        let mut packet = vec![0x81, packet_type, 0, 7];
        packet.extend(ssrc.to_be_bytes());
        packet.extend([7; 40]);
        packet
    }

    fn described() -> StreamGate {
        let mut gate = StreamGate::default();
        gate.describe([11, 22, 33, 0]);
        gate
    }

    fn admits(gate: &mut StreamGate, packet: &[u8], now: MediaTime) -> bool {
        Datagram::read(packet).is_some_and(|datagram| gate.admits(datagram, now))
    }

    #[test]
    fn packets_are_told_apart_as_the_engine_tells_them() {
        // With and without the marker bit: 72 to 95 with it are RTCP's numbers, which RTP must not use.
        for payload_type in [63, 102, 111, 63 | 128, 224, 255, 191] {
            assert_eq!(Datagram::read(&rtp(5, payload_type)), Some(Datagram::Rtp { ssrc: 5 }), "{payload_type}");
        }
        for packet_type in [192, 200, 201, 205, 206, 207, 223] {
            assert_eq!(Datagram::read(&rtcp(5, packet_type)), Some(Datagram::Rtcp { ssrc: 5 }), "{packet_type}");
        }
        assert_eq!(Datagram::read(&[22, 254, 253]), Some(Datagram::Dtls));
        for short in [&[][..], &[128], &[128, 111, 0, 1, 0, 0, 0, 2, 0, 0, 0], &[128, 200, 0, 1, 0, 0, 0], &[64], &[5]]
        {
            assert_eq!(Datagram::read(short), None, "{short:?}");
        }
    }

    #[test]
    fn only_described_streams_pass() {
        let now = MediaTime::from_millis(1);
        let mut gate = described();
        for ssrc in [11, 22, 33] {
            assert!(admits(&mut gate, &rtp(ssrc, 102), now) && admits(&mut gate, &rtcp(ssrc, 200), now));
        }
        assert!(!admits(&mut gate, &rtp(44, 102), now));
        assert!(!admits(&mut gate, &rtp(0, 102), now), "there is no stream 0");
        let mut before = StreamGate::default();
        assert!(!admits(&mut before, &rtp(11, 102), now) && !admits(&mut before, &rtcp(11, 200), now));
        assert!(admits(&mut before, &[22, 254, 253, 0], now), "the handshake does not wait for it");
    }

    #[test]
    fn floods_of_new_streams_reach_the_engine_a_bounded_number_of_times() {
        let mut gate = described();
        let at = |packet: u32| MediaTime::from_millis(u64::from(packet) / 10);
        let passed = (100..300_100).filter(|ssrc| admits(&mut gate, &rtp(*ssrc, 102), at(*ssrc))).count();
        assert_eq!(passed, 0);
        let passed = (100..300_100).filter(|ssrc| admits(&mut gate, &rtcp(*ssrc, 201), at(*ssrc))).count();
        assert!((16..=16 + 30).contains(&passed), "{passed}");
        let later = |n: u32| MediaTime::from_millis(40_000) + Duration::from_secs(u64::from(n));
        let ever = (0..100_000).filter(|n| admits(&mut gate, &rtcp(1_000_000 + n, 201), later(*n))).count();
        assert!(passed + ever <= 256, "{ever}");
        assert!(gate.reporters.len() <= MAX_REPORTERS && gate.described.len() == 3);
    }

    #[test]
    fn reports_under_ssrcs_of_their_own_go_on_through_a_flood_once_they_were_genuine() {
        let now = MediaTime::from_millis(1);
        let mut gate = described();
        assert!(admits(&mut gate, &rtcp(77, 201), now));
        [11, 22, 33].into_iter().for_each(|ssrc| gate.confirm(ssrc));
        gate.confirm(77);
        assert_eq!(gate.reporters, [77], "described streams take no place");
        for ssrc in 1000..2000 {
            admits(&mut gate, &rtcp(ssrc, 201), now);
            gate.confirm(ssrc);
        }
        assert!(admits(&mut gate, &rtcp(77, 201), now));
        assert!(!admits(&mut gate, &rtcp(5_000, 201), now));
        assert_eq!(gate.reporters.len(), MAX_REPORTERS);
    }
}
