//! NACK generator: requests missing video packets (generic NACK, RFC 4585, 6.2.1), at the pace of the RTT.
//!
//! ```text
//! SRTP -> repairs unwrapped -> losses worked out (fec) -> [this interceptor] -> reports -> application
//! ```
//!
//! A gap is asked for once its packet is likelier lost than late: after a few milliseconds on a path that keeps the
//! order, after the reordering window on another (`reordering`), and where FEC is sent, once that of its picture has
//! had its chance. Then again each time that an answer should have come, until the jitter buffer gives the packet up:
//! asking faster than the RTT only multiplies the retransmissions. A path that loses packets loses requests, too, and
//! the onset of loss is known only later: each is said twice where there is room, and the sender answers one. Runs on
//! the tokio task of the peer connection; time is an argument.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use rtc::interceptor::{Attribute, AttributedPacket, Packet, StreamInfo, TaggedPacket};
use rtc::rtcp::transport_feedbacks::transport_layer_nack::{TransportLayerNack, nack_pairs_from_sequence_numbers};
use rtc::shared::TransportContext;

use super::fec::repaired_by;
use super::redundancy::THIN;
use super::reordering::ReorderingWindow;
use crate::jitter_buffer::repair_wait;
use crate::media::{first_unwrapped, unwrap_sequence};
use crate::rtc::connection_state::ConnectionState;
use crate::rtc::stage::{Stage, StageContext};

/// The least time before a missing packet is asked for: it may only have been overtaken.
const OVERTAKEN: Duration = Duration::from_millis(5);
/// The most: a request that is much later than this is too late.
const MAX_OVERTAKEN: Duration = Duration::from_millis(100);
/// Repaired packets that are remembered, to know those that come by themselves afterwards.
const MAX_REPAIRED: usize = 128;
/// Added to the RTT before asking again: the far side's and this side's own delays, or more where round trips differ by
/// more.
const MARGIN: Duration = Duration::from_millis(15);
/// The RTT that is assumed before the first report of it.
const UNKNOWN_ROUND_TRIP: Duration = Duration::from_millis(80);
/// A request is said again so soon: a run of losses should not take both.
const SAID_AGAIN: Duration = Duration::from_millis(10);
/// FEC packets are waited for until so long after the latest packet of their frame: the pacer sends bursts.
const QUIET: Duration = Duration::from_millis(15);
/// But no longer than this.
const MAX_REPAIRS_WAIT: Duration = Duration::from_millis(40);
/// A stream whose latest repair is older than this is not protected now.
const PROTECTED: Duration = Duration::from_millis(500);
/// Missing packets that are remembered; a stream that loses more needs a keyframe, not repairs.
const MAX_MISSING: usize = 512;

/// Longest silence of the path after which losses are still requested: a keyframe follows a longer interruption.
const INTERRUPTION: Duration = Duration::from_secs(1);
/// Unless it is as little as this: pictures that begin after a pause may lose their first packets, too.
const WORTH_REPAIRING: u64 = 32;

/// Asks for the missing packets of streams that support it.
pub(in crate::rtc) struct NackGenerator {
    state: ConnectionState,
    /// SSRC that the requests come from.
    sender_ssrc: u32,
    streams: HashMap<u32, NackRequester>,
    /// By the SSRC of FEC: that of the stream which they protect.
    protected: HashMap<u32, u32>,
}

/// Missing packets of one stream.
#[derive(Debug, Default)]
struct NackRequester {
    /// The highest sequence number so far, counted without wrapping.
    highest: Option<u64>,
    /// The RTP timestamp of that packet.
    timestamp: u32,
    /// When the latest packet came, and the latest repair ahead.
    arrived_at: Option<Instant>,
    repair_at: Option<Instant>,
    /// First sequence number that FEC may still recover.
    unrepaired_before: u64,
    missing: BTreeMap<u64, Missing>,
    reordering: ReorderingWindow,
    /// Packets that were repaired, and since when they had been missing.
    repaired: VecDeque<(u64, Instant)>,
    /// Packets up to the highest number that came, and those of them that had to be asked for.
    expected: u64,
    missed: u64,
}

#[derive(Debug)]
struct Missing {
    since: Instant,
    ask_at: Instant,
    asked: Asked,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asked {
    Never,
    Once,
    Twice,
}

/// At which pace packets are asked for.
#[derive(Clone, Copy, Debug)]
struct Pace {
    /// The answer is there after this.
    again: Duration,
    /// Missing packets are given up at this age.
    wait: Duration,
    /// Each request is said twice.
    twice: bool,
}

impl NackGenerator {
    pub(in crate::rtc) fn new(state: &ConnectionState, sender_ssrc: u32) -> Self {
        Self { state: state.clone(), sender_ssrc, streams: HashMap::new(), protected: HashMap::new() }
    }

    fn ask(&mut self, now: Instant, passing: &mut StageContext) {
        let known = self.state.path.rtt();
        let round_trip = if known.is_zero() { UNKNOWN_ROUND_TRIP } else { known };
        let margin = MARGIN.max(self.state.path.rtt_variation());
        // A thin path has no room for it.
        let twice = self.state.path.media_bps() >= THIN;
        let pace = Pace { again: round_trip + margin, wait: repair_wait(known), twice };
        for (&media_ssrc, stream) in &mut self.streams {
            let wanted = stream.take_due(now, pace);
            self.state.counters.packets_missed.fetch_add(std::mem::take(&mut stream.missed), Relaxed);
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

impl NackRequester {
    /// A packet came, by itself or as a repair.
    fn arrived(&mut self, sequence: u16, timestamp: u32, repair: bool, now: Instant) {
        let before = self.arrived_at.replace(now);
        let Some(highest) = self.highest else {
            self.highest = Some(first_unwrapped(sequence));
            self.timestamp = timestamp;
            return;
        };
        let extended = unwrap_sequence(highest, sequence);
        if extended <= highest {
            self.filled(extended, repair, now);
            return;
        }
        self.highest = Some(extended);
        if std::mem::replace(&mut self.timestamp, timestamp) != timestamp {
            // Repairs follow their frame at once: another frame comes after them.
            self.unrepaired_before = highest + 1;
        }
        let gap = extended - highest - 1;
        self.expected += gap + 1;
        let interrupted = before.is_some_and(|before| now.saturating_duration_since(before) >= INTERRUPTION);
        if gap as usize + self.missing.len() > MAX_MISSING || (interrupted && gap > WORTH_REPAIRING) {
            self.missing.clear();
            self.missed += gap;
            return;
        }
        let ask_at = now + self.reordering.wait().clamp(OVERTAKEN, MAX_OVERTAKEN);
        let missing = || Missing { since: now, ask_at, asked: Asked::Never };
        self.missing.extend((highest + 1..extended).map(|sequence| (sequence, missing())));
    }

    /// A packet came behind later ones.
    fn filled(&mut self, sequence: u64, repair: bool, now: Instant) {
        match self.missing.remove(&sequence) {
            Some(missing) if repair => {
                self.reordering.was_lost();
                if self.repaired.len() == MAX_REPAIRED {
                    self.repaired.pop_front();
                }
                self.repaired.push_back((sequence, missing.since));
            }
            Some(missing) => self.reordering.came_late(now.saturating_duration_since(missing.since)),
            None if !repair => {
                let Some(index) = self.repaired.iter().position(|(one, _)| *one == sequence) else { return };
                if let Some((_, since)) = self.repaired.remove(index) {
                    self.reordering.came_after_repair(now.saturating_duration_since(since));
                }
            }
            None => {}
        }
    }

    /// A repair came of packets before `end`, the last of its block where it says so.
    fn repair_arrived(&mut self, end: u16, last: bool, now: Instant) {
        (self.arrived_at, self.repair_at) = (Some(now), Some(now));
        if let Some(highest) = self.highest.filter(|_| last) {
            self.unrepaired_before = self.unrepaired_before.max(unwrap_sequence(highest, end));
        }
    }

    /// When to ask for a packet.
    fn due(&self, sequence: u64, missing: &Missing) -> Instant {
        let protected = |at: Instant| missing.since.saturating_duration_since(at) < PROTECTED;
        let settled = missing.asked != Asked::Never || sequence < self.unrepaired_before;
        match self.arrived_at {
            Some(arrived_at) if !settled && self.repair_at.is_some_and(protected) => {
                missing.ask_at.max((arrived_at + QUIET).min(missing.since + MAX_REPAIRS_WAIT))
            }
            _ => missing.ask_at,
        }
    }

    fn next_due(&self) -> Option<Instant> {
        self.missing.iter().map(|(&sequence, missing)| self.due(sequence, missing)).min()
    }

    /// The packets to ask for at `now`.
    fn take_due(&mut self, now: Instant, pace: Pace) -> Vec<u16> {
        let before = self.missing.len();
        self.missing.retain(|_, missing| now.saturating_duration_since(missing.since) < pace.wait);
        (self.missing.len()..before).for_each(|_| self.reordering.was_lost());
        let is_due = |(&sequence, missing): (&u64, &Missing)| (self.due(sequence, missing) <= now).then_some(sequence);
        let due: Vec<u64> = self.missing.iter().filter_map(is_due).collect();
        for sequence in &due {
            let Some(missing) = self.missing.get_mut(sequence) else { continue };
            self.missed += u64::from(missing.asked == Asked::Never);
            let (asked, pause) = match missing.asked {
                Asked::Never | Asked::Twice if pace.twice => (Asked::Once, SAID_AGAIN),
                Asked::Once if pace.twice => (Asked::Twice, pace.again.saturating_sub(SAID_AGAIN)),
                _ => (Asked::Twice, pace.again),
            };
            (missing.asked, missing.ask_at) = (asked, now + pause);
        }
        due.into_iter().map(|sequence| sequence as u16).collect()
    }
}

impl Stage for NackGenerator {
    fn read(&mut self, message: TaggedPacket, passing: &mut StageContext) {
        if let Packet::Rtp(packet) = &message.message.packet {
            let (header, protected) = (&packet.header, self.protected.get(&packet.header.ssrc));
            if let Some(stream) = self.streams.get_mut(&header.ssrc) {
                let repair = [Attribute::Retransmission, Attribute::RecoveredByFec];
                let repair = repair.iter().any(|one| message.message.has(one));
                stream.arrived(header.sequence_number, header.timestamp, repair, message.now);
                self.state.counters.packets_expected.fetch_add(std::mem::take(&mut stream.expected), Relaxed);
            } else if let Some(stream) = protected.and_then(|ssrc| self.streams.get_mut(ssrc))
                && let Some((end, last)) = repaired_by(&packet.payload)
            {
                stream.repair_arrived(end, last, message.now);
            }
        }
        passing.reads.push_back(message);
    }

    fn next_timeout(&self) -> Option<Instant> {
        self.streams.values().filter_map(NackRequester::next_due).min()
    }

    fn timeout(&mut self, now: Instant, passing: &mut StageContext) {
        self.ask(now, passing);
    }

    fn bind_remote(&mut self, stream: &StreamInfo) {
        let supported = stream.rtcp_feedback.iter().any(|kind| kind.typ == "nack" && kind.parameter.is_empty());
        if supported {
            self.streams.insert(stream.ssrc, NackRequester::default());
            self.protected.extend(stream.ssrc_fec.map(|repairs| (repairs, stream.ssrc)));
        }
    }

    fn unbind_remote(&mut self, stream: &StreamInfo) {
        self.streams.remove(&stream.ssrc);
        self.protected.retain(|_, protected| *protected != stream.ssrc);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MS: fn(u64) -> Duration = Duration::from_millis;

    fn asked(stream: &mut NackRequester, now: Instant) -> Vec<u16> {
        stream.take_due(now, Pace { again: MS(60), wait: MS(200), twice: false })
    }

    #[test]
    fn a_gap_is_asked_for_once_each_round_trip_until_it_is_given_up() {
        let start = Instant::now();
        let mut stream = NackRequester::default();
        for sequence in [65_534, 65_535, 2] {
            stream.arrived(sequence, 0, false, start);
        }
        let times: Vec<u64> = (0..300).filter(|&ms| !asked(&mut stream, start + MS(ms)).is_empty()).collect();
        assert_eq!(times, [5, 65, 125, 185]);
        assert!(stream.missing.is_empty());
    }

    #[test]
    fn a_packet_that_was_overtaken_or_repaired_is_not_asked_for() {
        let start = Instant::now();
        let mut stream = NackRequester::default();
        for sequence in [1, 2, 5] {
            stream.arrived(sequence, 0, false, start);
        }
        stream.arrived(3, 0, false, start + MS(2));
        assert_eq!(asked(&mut stream, start + MS(6)), [4]);
        stream.arrived(4, 0, false, start + MS(40));
        assert!(asked(&mut stream, start + MS(100)).is_empty() && stream.missing.is_empty());
        assert_eq!((stream.expected, stream.missed), (4, 1), "one of four behind the first had to be asked for");
    }

    #[test]
    fn a_path_that_reorders_is_given_its_time_and_one_that_does_no_more_is_not() {
        let start = Instant::now();
        let mut stream = NackRequester::default();
        stream.arrived(0, 0, false, start);
        let mut asked_for = 0;
        // Each second packet comes 30 ms after the one that overtook it.
        for n in 0..50_u64 {
            let at = start + MS(n * 100);
            stream.arrived(n as u16 * 2 + 2, 0, false, at);
            asked_for += (0..30).map(|ms| asked(&mut stream, at + MS(ms)).len()).sum::<usize>();
            stream.arrived(n as u16 * 2 + 1, 0, false, at + MS(30));
        }
        assert_eq!(asked_for, 1, "the first one told");
        let at = start + MS(10_000);
        stream.arrived(102, 0, false, at);
        let delay = (0..100).find(|ms| !asked(&mut stream, at + MS(*ms)).is_empty());
        assert_eq!(delay, Some(32), "what does not come is asked for none the less");
        stream.arrived(101, 0, true, at + MS(80));
        for n in 0..600_u64 {
            let at = start + MS(20_000 + n * 100);
            stream.arrived(n as u16 * 2 + 104, 0, false, at);
            stream.arrived(n as u16 * 2 + 103, 0, true, at + MS(60));
        }
        assert_eq!(stream.reordering.wait(), Duration::ZERO);
    }

    #[test]
    fn a_packet_that_comes_after_its_repair_was_not_lost() {
        let start = Instant::now();
        let mut stream = NackRequester::default();
        stream.arrived(0, 0, false, start);
        stream.arrived(2, 0, false, start);
        stream.arrived(1, 0, true, start + MS(10));
        assert_eq!(stream.reordering.wait(), Duration::ZERO);
        stream.arrived(1, 0, false, start + MS(22));
        assert_eq!(stream.reordering.wait(), MS(24));
        stream.arrived(1, 0, false, start + MS(90));
        assert_eq!(stream.reordering.wait(), MS(24), "a packet that comes twice tells nothing");
    }

    #[test]
    fn where_there_is_room_each_request_is_said_twice() {
        let start = Instant::now();
        let mut stream = NackRequester::default();
        stream.arrived(1, 0, false, start);
        stream.arrived(3, 0, false, start);
        let pace = Pace { again: MS(60), wait: MS(150), twice: true };
        let times: Vec<u64> = (0..300).filter(|&ms| !stream.take_due(start + MS(ms), pace).is_empty()).collect();
        assert_eq!((times, stream.missed), (vec![5, 15, 65, 75, 125, 135], 1));
    }

    #[test]
    fn repairs_ahead_have_their_chance_before_a_request_and_no_longer() {
        let start = Instant::now();
        let asked_at = |then: &dyn Fn(&mut NackRequester, u64)| {
            let mut stream = NackRequester::default();
            stream.arrived(1, 0, false, start);
            stream.repair_arrived(2, true, start);
            stream.arrived(3, 90, false, start);
            (0..100).find(|&ms| {
                then(&mut stream, ms);
                !asked(&mut stream, start + MS(ms)).is_empty()
            })
        };
        assert_eq!(asked_at(&|_, _| ()), Some(15), "nothing more came");
        let burst = |stream: &mut NackRequester, ms| {
            if ms == 8 {
                stream.arrived(4, 90, false, start + MS(8));
            }
        };
        assert_eq!(asked_at(&burst), Some(23), "the pacer's next burst");
        let last_repair = |stream: &mut NackRequester, ms| {
            if ms == 2 || ms == 7 {
                stream.repair_arrived(5, ms == 7, start + MS(ms));
            }
        };
        assert_eq!(asked_at(&last_repair), Some(7), "it made nothing good");
        let next_frame = |stream: &mut NackRequester, ms| {
            if ms == 6 {
                stream.arrived(4, 180, false, start + MS(6));
            }
        };
        assert_eq!(asked_at(&next_frame), Some(6), "the repairs of the frame got lost");
        let drops = |stream: &mut NackRequester, ms| stream.repair_arrived(5, false, start + MS(ms));
        assert_eq!(asked_at(&drops), Some(40), "not for ever");
        let unprotected = |stream: &mut NackRequester, _| stream.repair_at = None;
        assert_eq!(asked_at(&unprotected), Some(5));
    }

    #[test]
    fn a_jump_too_far_is_not_asked_for() {
        let start = Instant::now();
        let mut stream = NackRequester::default();
        stream.arrived(1, 0, false, start);
        stream.arrived(2000, 0, false, start);
        assert!(asked(&mut stream, start + MS(10)).is_empty());
    }

    #[test]
    fn what_an_interruption_took_is_not_asked_for_but_a_little_is() {
        let start = Instant::now();
        let mut stream = NackRequester::default();
        stream.arrived(1, 0, false, start);
        stream.arrived(3, 0, false, start + MS(1500));
        assert_eq!(asked(&mut stream, start + MS(1510)), [2]);
        stream.arrived(200, 0, false, start + MS(3000));
        assert!(asked(&mut stream, start + MS(3010)).is_empty());
        stream.arrived(300, 0, false, start + MS(3020));
        assert_eq!(asked(&mut stream, start + MS(3030)).len(), 99, "a burst alone is no interruption");
    }

    proptest! {
        #[test]
        fn whatever_arrives_little_is_remembered(sequences in prop::collection::vec(any::<u16>(), 0..500)) {
            let start = Instant::now();
            let mut stream = NackRequester::default();
            for sequence in sequences {
                stream.arrived(sequence, 0, false, start);
                prop_assert!(stream.missing.len() <= MAX_MISSING);
            }
        }
    }
}
