//! Asks for missing video packets (generic NACK, RFC 4585, 6.2.1), at the pace of the round trip.
//!
//! ```text
//! SRTP -> repairs unwrapped -> [this interceptor] -> reports -> application
//! ```
//!
//! A gap is asked for a few milliseconds after it shows, in case its packet was only overtaken; then again each time that
//! an answer should have come, until the jitter buffer gives the packet up. Asking faster than the round trip only
//! multiplies the repairs. Runs on the tokio task of the peer connection; time is an argument.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use rtc::interceptor::{AttributedPacket, Packet, StreamInfo, TaggedPacket};
use rtc::rtcp::transport_feedbacks::transport_layer_nack::{TransportLayerNack, nack_pairs_from_sequence_numbers};
use rtc::shared::TransportContext;

use super::stage::{Passing, Stage};
use super::stats::Counters;
use crate::jitter_buffer::repair_wait;
use crate::media::{count_near, first_count};

/// A packet may be overtaken by others for so long before it counts as missing.
const OVERTAKEN: Duration = Duration::from_millis(5);
/// Added to the round trip before asking again: the far side's and this side's own delays.
const MARGIN: Duration = Duration::from_millis(15);
/// The round trip that is assumed before the first report of it.
const UNKNOWN_ROUND_TRIP: Duration = Duration::from_millis(80);
/// Missing packets that are remembered; a stream that loses more needs a keyframe, not repairs.
const MAX_MISSING: usize = 512;

/// What is lost while nothing at all comes for this long is not repaired: a keyframe follows such an interruption.
const INTERRUPTION: Duration = Duration::from_secs(1);
/// Unless it is as little as this: pictures that begin after a pause may lose their first packets, too.
const WORTH_REPAIRING: u64 = 32;

/// Asks for what is missing in the streams that support it.
pub(super) struct NackGenerator {
    counters: Arc<Counters>,
    /// SSRC that the requests come from.
    sender_ssrc: u32,
    streams: HashMap<u32, Stream>,
}

/// What is missing in one stream.
#[derive(Debug, Default)]
struct Stream {
    /// The highest sequence number so far, counted without wrapping.
    highest: Option<u64>,
    /// When the latest packet came.
    arrived_at: Option<Instant>,
    missing: BTreeMap<u64, Missing>,
    /// Packets up to the highest number that came, and those of them that had to be asked for.
    expected: u64,
    missed: u64,
}

#[derive(Debug)]
struct Missing {
    since: Instant,
    ask_at: Instant,
    asked: bool,
}

impl NackGenerator {
    pub(super) fn new(counters: Arc<Counters>, sender_ssrc: u32) -> Self {
        Self { counters, sender_ssrc, streams: HashMap::new() }
    }

    fn ask(&mut self, now: Instant, passing: &mut Passing) {
        let known = self.counters.round_trip();
        let round_trip = if known.is_zero() { UNKNOWN_ROUND_TRIP } else { known };
        for (&media_ssrc, stream) in &mut self.streams {
            let wanted = stream.take_due(now, round_trip + MARGIN, repair_wait(known));
            self.counters.packets_missed.fetch_add(std::mem::take(&mut stream.missed), Relaxed);
            if wanted.is_empty() {
                continue;
            }
            let nacks = nack_pairs_from_sequence_numbers(&wanted);
            let nack = TransportLayerNack { sender_ssrc: self.sender_ssrc, media_ssrc, nacks };
            passing.writes.push_back(TaggedPacket {
                now,
                transport: TransportContext::default(),
                message: AttributedPacket::new(Packet::Rtcp(vec![Box::new(nack)])),
            });
        }
    }
}

impl Stream {
    fn arrived(&mut self, sequence: u16, now: Instant) {
        let before = self.arrived_at.replace(now);
        let Some(highest) = self.highest else {
            self.highest = Some(first_count(sequence));
            return;
        };
        let extended = count_near(highest, sequence);
        if extended <= highest {
            self.missing.remove(&extended);
            return;
        }
        self.highest = Some(extended);
        let gap = extended - highest - 1;
        self.expected += gap + 1;
        let interrupted = before.is_some_and(|before| now.saturating_duration_since(before) >= INTERRUPTION);
        if gap as usize + self.missing.len() > MAX_MISSING || (interrupted && gap > WORTH_REPAIRING) {
            self.missing.clear();
            self.missed += gap;
            return;
        }
        let missing = || Missing { since: now, ask_at: now + OVERTAKEN, asked: false };
        self.missing.extend((highest + 1..extended).map(|sequence| (sequence, missing())));
    }

    /// The packets to ask for at `now`, which are to be asked for again after `again`, and given up at the age of `wait`.
    fn take_due(&mut self, now: Instant, again: Duration, wait: Duration) -> Vec<u16> {
        self.missing.retain(|_, missing| now.saturating_duration_since(missing.since) < wait);
        let due = self.missing.iter_mut().filter(|(_, missing)| missing.ask_at <= now);
        due.map(|(&sequence, missing)| {
            missing.ask_at = now + again;
            self.missed += u64::from(!std::mem::replace(&mut missing.asked, true));
            sequence as u16
        })
        .collect()
    }
}

impl Stage for NackGenerator {
    fn read(&mut self, message: TaggedPacket, passing: &mut Passing) {
        if let Packet::Rtp(packet) = &message.message.packet
            && let Some(stream) = self.streams.get_mut(&packet.header.ssrc)
        {
            stream.arrived(packet.header.sequence_number, message.now);
            self.counters.packets_expected.fetch_add(std::mem::take(&mut stream.expected), Relaxed);
        }
        passing.reads.push_back(message);
    }

    fn next_timeout(&self) -> Option<Instant> {
        self.streams.values().flat_map(|stream| stream.missing.values()).map(|missing| missing.ask_at).min()
    }

    fn timeout(&mut self, now: Instant, passing: &mut Passing) {
        self.ask(now, passing);
    }

    fn bind_remote(&mut self, stream: &StreamInfo) {
        let supported = stream.rtcp_feedback.iter().any(|kind| kind.typ == "nack" && kind.parameter.is_empty());
        if supported {
            self.streams.insert(stream.ssrc, Stream::default());
        }
    }

    fn unbind_remote(&mut self, stream: &StreamInfo) {
        self.streams.remove(&stream.ssrc);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MS: fn(u64) -> Duration = Duration::from_millis;

    fn asked(stream: &mut Stream, now: Instant) -> Vec<u16> {
        stream.take_due(now, MS(60), MS(200))
    }

    #[test]
    fn a_gap_is_asked_for_once_each_round_trip_until_it_is_given_up() {
        let start = Instant::now();
        let mut stream = Stream::default();
        for sequence in [65_534, 65_535, 2] {
            stream.arrived(sequence, start);
        }
        let times: Vec<u64> = (0..300).filter(|&ms| !asked(&mut stream, start + MS(ms)).is_empty()).collect();
        assert_eq!(times, [5, 65, 125, 185]);
        assert!(stream.missing.is_empty());
    }

    #[test]
    fn a_packet_that_was_overtaken_or_repaired_is_not_asked_for() {
        let start = Instant::now();
        let mut stream = Stream::default();
        for sequence in [1, 2, 5] {
            stream.arrived(sequence, start);
        }
        stream.arrived(3, start + MS(2));
        assert_eq!(asked(&mut stream, start + MS(6)), [4]);
        stream.arrived(4, start + MS(40));
        assert!(asked(&mut stream, start + MS(100)).is_empty() && stream.missing.is_empty());
        assert_eq!((stream.expected, stream.missed), (4, 1), "one of four behind the first had to be asked for");
    }

    #[test]
    fn a_jump_too_far_is_not_asked_for() {
        let start = Instant::now();
        let mut stream = Stream::default();
        stream.arrived(1, start);
        stream.arrived(2000, start);
        assert!(asked(&mut stream, start + MS(10)).is_empty());
    }

    #[test]
    fn what_an_interruption_took_is_not_asked_for_but_a_little_is() {
        let start = Instant::now();
        let mut stream = Stream::default();
        stream.arrived(1, start);
        stream.arrived(3, start + MS(1500));
        assert_eq!(asked(&mut stream, start + MS(1510)), [2]);
        stream.arrived(200, start + MS(3000));
        assert!(asked(&mut stream, start + MS(3010)).is_empty());
        stream.arrived(300, start + MS(3020));
        assert_eq!(asked(&mut stream, start + MS(3030)).len(), 99, "a burst alone is no interruption");
    }

    proptest! {
        #[test]
        fn whatever_arrives_little_is_remembered(sequences in prop::collection::vec(any::<u16>(), 0..500)) {
            let start = Instant::now();
            let mut stream = Stream::default();
            for sequence in sequences {
                stream.arrived(sequence, start);
                prop_assert!(stream.missing.len() <= MAX_MISSING);
            }
        }
    }
}
