//! Congestion control interceptor: notes what leaves, reads transport-wide feedback, publishes the target, and limits
//! retransmissions.
//!
//! ```text
//! SEND     pacer -> numbers -> [this interceptor notes departures] -> SRTP
//! RECEIVE  SRTP -> [this interceptor reads feedback and NACKs] -> estimator -> PathState -> pacer, encoder
//! ```
//!
//! The nearest interceptor to the network but for the observer of RTCP. Repairs are numbered and counted like the rest
//! (`TwccNumbering`), and the rate that they take is not granted to new pictures. A feedback packet that is lost says
//! nothing of the packets that it would have named. Runs on the tokio task of the peer connection; time is an argument.

use std::collections::HashMap;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use rtc::interceptor::{Packet, StreamInfo, TaggedPacket, convert_twcc};
use rtc::rtcp::transport_feedbacks::transport_layer_cc::TransportLayerCc;
use rtc::rtcp::transport_feedbacks::transport_layer_nack::TransportLayerNack;
use rtc::rtp::extension::transport_cc_extension::TransportCcExtension;
use rtc::sdp::extmap::TRANSPORT_CC_URI;
use rtc::shared::marshal::Unmarshal;

use super::arrival_pace::ArrivalPace;
use super::estimator::{BandwidthEstimator, QUEUE_LARGE, QUEUE_SMALL};
use super::in_flight::{Acked, InFlight};
use super::packet_history::{Feedback, PacketHistory, PacketResult, REMEMBERED};
use super::probe_bitrate::ProbeBitrate;
use super::probe_controller::ProbeController;
use super::retransmission_limit::{RepairRate, RetransmissionLimit};
use super::stale_frames::StaleFrames;
use crate::media::MediaTime;
use crate::rtc::connection_state::ConnectionState;
use crate::rtc::pacing::{KeyframeStart, ProbeMark, wire_size};
use crate::rtc::stage::{Stage, StageContext};

/// Above this loss each repair is sent twice: a repair that is lost costs another RTT, and often a freeze.
pub(in crate::rtc) const HEAVY_LOSS: f64 = 0.07;
/// Or where so much may be sent, in bit/s, and nothing waits.
const ROOM_FOR_REPEATS: u64 = 500_000;
/// Beyond the RTT and the queue, before a repair is sent again. A far side that asks at the pace of the RTT is not held
/// up by it.
const REPAIR_MARGIN: Duration = Duration::from_millis(10);
/// More repairs than this on a full path take longer than a new keyframe.
const KEYFRAME_PACKETS: usize = 3;
/// And so are repairs that take longer than this at the target rate.
const KEYFRAME_TIME: Duration = Duration::from_millis(300);
/// Least rate of new packets, however many old ones are repeated, in bit/s.
const MIN_FOR_NEW_BPS: u64 = 80_000;

/// Notes what leaves, reads what arrived, and publishes the target.
pub(in crate::rtc) struct CongestionControl {
    state: ConnectionState,
    repaired: Vec<RepairedStream>,
    estimator: BandwidthEstimator,
    probes: ProbeController,
    probe: ProbeBitrate,
    /// By SSRC: the identifier of the header extension that carries the number.
    streams: HashMap<u32, u8>,
    history: PacketHistory,
    in_flight: InFlight,
    /// Pace of packets from the far side.
    pace: ArrivalPace,
    /// The streams of RTX and of FEC: their SSRC, and what they take.
    on_request: RepairStreams,
    ahead: RepairStreams,
    /// How many other paths there had been when this one was begun with, and when that was.
    path: u32,
    path_since: Option<Instant>,
}

impl CongestionControl {
    /// `on_keyframe_needed` is called when a keyframe is cheaper than the repairs that are asked for.
    pub(in crate::rtc) fn new(state: &ConnectionState, on_keyframe_needed: impl Fn() + Send + Sync + 'static) -> Self {
        Self {
            state: state.clone(),
            repaired: vec![RepairedStream::new(None, state, on_keyframe_needed)],
            estimator: BandwidthEstimator::new(),
            probes: ProbeController::default(),
            probe: ProbeBitrate::default(),
            streams: HashMap::new(),
            history: PacketHistory::default(),
            in_flight: InFlight::default(),
            pace: ArrivalPace::default(),
            on_request: RepairStreams::default(),
            ahead: RepairStreams::default(),
            path: 0,
            path_since: None,
        }
    }

    /// The same, with a further stream of pictures that this side sends under an SSRC.
    pub(in crate::rtc) fn with_video(
        mut self,
        ssrc: u32,
        state: &ConnectionState,
        on_keyframe_needed: impl Fn() + Send + Sync + 'static,
    ) -> Self {
        self.repaired.push(RepairedStream::new(Some(ssrc), state, on_keyframe_needed));
        self
    }

    /// Begins anew where packets take another path: nothing that was learnt of the one before says anything of it.
    fn follow_path(&mut self, now: Instant) {
        let path = self.state.path.changes();
        if std::mem::replace(&mut self.path, path) != path {
            self.estimator = BandwidthEstimator::new();
            self.in_flight = InFlight::default();
            (self.probes, self.probe) = (ProbeController::default(), ProbeBitrate::default());
            self.path_since = Some(now);
        }
    }

    fn feedback(&mut self, feedback: &TransportLayerCc, now: Instant) {
        self.follow_path(now);
        // More than was ever sent: a few hostile bytes are not to be spelt out as many thousand packets.
        if usize::from(feedback.packet_status_count) > REMEMBERED {
            return;
        }
        let before = self.history.unreported_before(feedback.base_sequence_number);
        if before > 0 {
            self.estimator.on_lost_feedback(before);
        }
        let packets = acknowledged(feedback);
        let Feedback { results, overtaken } = self.history.report(packets.iter().copied(), now);
        let missed = results.iter().filter(|result| result.arrival.is_none()).count();
        let (path, counters) = (&self.state.path, &self.state.counters);
        counters.packets_reported.fetch_add((results.len() as u64).saturating_sub(overtaken.into()), Relaxed);
        counters.packets_missed_there.fetch_add(missed as u64, Relaxed);
        counters.packets_missed_there.fetch_sub(overtaken.into(), Relaxed);
        self.estimator.on_overtaken(overtaken);
        // Packets that left for the path before say nothing of this one.
        let on_this_path =
            results.partition_point(|result| self.path_since.is_some_and(|since| result.departure < since));
        let took = took(&results[on_this_path..], now);
        if let Some(took) = took {
            path.rtt_of_feedback(took);
        }
        // The queue that a probe makes for a moment is none that pictures make.
        let has_news = !results.is_empty();
        let results: Vec<_> =
            results.into_iter().filter(|result| !self.probe.has_sent(result.departure, result.size)).collect();
        if has_news && results.is_empty() {
            self.estimator.on_probe_feedback(now);
        }
        self.estimator.on_feedback(&results, path.rtt(), now);
        if self.estimator.take_longer()
            && let Some(took) = took
        {
            path.rtt_restarts(took);
        }
        path.set_loss(self.estimator.loss().typical());
        let acked = Acked {
            number: feedback.base_sequence_number.wrapping_add(feedback.packet_status_count.wrapping_sub(1)),
            took,
            queue: self.estimator.queue_of_latest(),
            jitter: self.estimator.jitter(),
            heavy_loss: self.estimator.loss().recent() > HEAVY_LOSS,
        };
        self.in_flight.acked(acked, now, path.pushback());
        self.follow_probe(&packets, now);
        self.publish();
        self.give_up_overdue(now);
    }

    /// Pictures that the pacer holds are given up where they would take too long at the present target, and a keyframe
    /// at the size that the path bears comes in their place.
    fn give_up_overdue(&mut self, now: Instant) {
        let (target, at) = (self.state.path.wire_bps(), MediaTime::of(now));
        for stream in &mut self.repaired {
            if stream.ssrc.is_some_and(|ssrc| self.state.pacer.give_up_overdue(ssrc, target, at)) {
                stream.stale.all();
                (stream.on_keyframe_needed)();
            }
        }
    }

    /// Takes the outcome of a probe, and asks for another one where the encoder would have more sent than is proven.
    fn follow_probe(&mut self, packets: &[(u16, Option<Duration>)], now: Instant) {
        if self.probe.is_under_way() {
            packets.iter().for_each(|(number, arrival)| self.probe.reported(*number, *arrival));
            let Some(result) = self.probe.take_result(now) else { return };
            self.probes.on_result(result, now);
            self.estimator.on_probe(result, now);
        }
        let at = MediaTime::of(now);
        let wanted: u64 = self.repaired.iter().map(|stream| stream.state.video.wanted_bps(at)).sum();
        if let Some(inputs) = self.estimator.probe_inputs(wanted as f64)
            && let Some(cluster) = self.probes.poll(inputs, now)
        {
            self.probe.begin(cluster, now);
            self.state.pacer.request_probe(cluster);
        }
    }

    /// Takes out of a request for repairs what must not be sent (again) now; false when nothing is left of it.
    fn grants(&mut self, packet: &mut Box<dyn rtc::rtcp::Packet>, now: Instant) -> bool {
        let Some(request) = packet.as_any().downcast_ref::<TransportLayerNack>() else { return true };
        let mut request = request.clone();
        // Where much is lost, so are reports: that they are late says little of a queue.
        let late =
            self.estimator.loss().recent() <= HEAVY_LOSS && self.state.path.held_until(MediaTime::of(now)).is_some();
        let full = late || self.estimator.queue_beyond_jitter() >= QUEUE_LARGE;
        let again = self.state.path.rtt() + self.state.path.queuing_delay() + REPAIR_MARGIN;
        let of_stream = self.repaired.iter_mut().find(|stream| stream.ssrc == Some(request.media_ssrc));
        let Some(stream) = of_stream else { return false };
        if stream.state.pacer.keyframe_waits(request.media_ssrc, MediaTime::of(now)) {
            stream.stale.all();
        }
        let worth = stream.stale.strip(&mut request, full, now);
        let in_flight = || stream.state.keyframe_in_flight(request.media_ssrc, MediaTime::of(now));
        let target = self.state.path.wire_bps() as f64;
        let slow = stream.stale.asked_bytes() as f64 * 8.0 > target * KEYFRAME_TIME.as_secs_f64();
        if (slow || stream.stale.asked() > KEYFRAME_PACKETS) && !in_flight() {
            stream.stale.all();
            (stream.on_keyframe_needed)();
            return false;
        }
        if !worth || full || self.on_request.rate.bps() > self.state.path.wire_bps() / 2 {
            return false;
        }
        match stream.retransmissions.grant(&request, again, now) {
            Some(granted) => {
                *packet = Box::new(granted);
                true
            }
            None => false,
        }
    }

    /// Each repair is sent twice: where much is lost, and where there is room, because from which loss on is known only
    /// later.
    fn repeats_repairs(&self) -> bool {
        let room =
            self.estimator.queue_beyond_jitter() < QUEUE_SMALL && self.estimator.target_bps() >= ROOM_FOR_REPEATS;
        room || self.estimator.loss().recent() > HEAVY_LOSS
    }

    /// Rate of new packets.
    fn publish(&self) {
        let repairs = self.on_request.rate.bps() + self.ahead.rate.bps();
        let total = self.estimator.target_bps();
        self.state.path.set_queuing_delay(self.estimator.queue());
        self.state.path.set_target(total, total.saturating_sub(repairs).max(MIN_FOR_NEW_BPS));
    }
}

/// Number of each packet in a feedback packet, and its arrival if it has come. The last vector of symbols is full,
/// whatever it stands for: the rest of that says nothing.
fn acknowledged(feedback: &TransportLayerCc) -> Vec<(u16, Option<Duration>)> {
    let packets = convert_twcc(feedback).into_iter().take(feedback.packet_status_count.into());
    packets.map(|one| (one.sequence_number, one.arrival.filter(|_| one.arrived))).collect()
}

/// How long ago the packet left that arrived last, as far as is known: one that was overtaken took longer than its
/// report.
fn took(results: &[PacketResult], now: Instant) -> Option<Duration> {
    let latest = results.iter().filter_map(|result| result.arrival).max()?;
    let ages = results.iter().filter_map(|result| {
        let waited = latest.saturating_sub(result.arrival?);
        Some(now.saturating_duration_since(result.departure).saturating_sub(waited))
    });
    ages.min()
}

/// A stream of pictures that is repaired.
struct RepairedStream {
    /// SSRC of the media, once that is known.
    ssrc: Option<u32>,
    state: ConnectionState,
    /// Called when a keyframe is cheaper than the repairs that are asked for.
    on_keyframe_needed: Box<dyn Fn() + Send + Sync>,
    stale: StaleFrames,
    retransmissions: RetransmissionLimit,
}

impl RepairedStream {
    fn new(ssrc: Option<u32>, state: &ConnectionState, on_keyframe_needed: impl Fn() + Send + Sync + 'static) -> Self {
        Self {
            ssrc,
            state: state.clone(),
            on_keyframe_needed: Box::new(on_keyframe_needed),
            stale: StaleFrames::default(),
            retransmissions: RetransmissionLimit::default(),
        }
    }
}

/// Streams of repairs of one kind.
#[derive(Debug, Default)]
struct RepairStreams {
    ssrcs: Vec<u32>,
    rate: RepairRate,
}

impl RepairStreams {
    /// Notes a packet of `size` bytes that left, of these streams or of another.
    fn note(&mut self, ssrc: u32, size: usize, now: Instant) {
        self.rate.add(if self.ssrcs.contains(&ssrc) { size } else { 0 }, now);
    }
}

impl Stage for CongestionControl {
    fn read(&mut self, mut message: TaggedPacket, passing: &mut StageContext) {
        let steady = match &message.message.packet {
            Packet::Rtp(packet) => self.pace.arrived(packet.header.ssrc, packet.header.timestamp, message.now),
            _ => None,
        };
        self.state.path.pushback().heard(steady, MediaTime::of(message.now));
        if let Packet::Rtcp(packets) = &mut message.message.packet {
            for packet in packets.iter() {
                if let Some(feedback) = packet.as_any().downcast_ref::<TransportLayerCc>() {
                    self.feedback(feedback, message.now);
                }
            }
            packets.retain_mut(|packet| self.grants(packet, message.now));
            if self.repeats_repairs() {
                let repeated: Vec<_> =
                    packets.iter().filter(|packet| packet.as_any().is::<TransportLayerNack>()).cloned().collect();
                packets.extend(repeated);
            }
        }
        passing.reads.push_back(message);
    }

    fn write(&mut self, message: TaggedPacket, passing: &mut StageContext) {
        if let Packet::Rtp(packet) = &message.message.packet
            && let Some(&extension) = self.streams.get(&packet.header.ssrc)
            && let Some(mut bytes) = packet.header.get_extension(extension)
            && let Ok(number) = TransportCcExtension::unmarshal(&mut bytes)
        {
            self.follow_path(message.now);
            let size = wire_size(packet);
            self.history.add(number.transport_sequence, message.now, size);
            let pushback = self.state.path.pushback();
            // A longer path delays feedback, but packets from the far side come steadily.
            if self.in_flight.left(number.transport_sequence, message.now, pushback) && !pushback.is_steady() {
                self.estimator.on_feedback_timeout(message.now);
            }
            if let Some(stream) = self.repaired.iter_mut().find(|one| one.ssrc == Some(packet.header.ssrc)) {
                let starts_keyframe = message.message.custom::<KeyframeStart>().is_some();
                stream.stale.left(packet.header.sequence_number, size, starts_keyframe);
            }
            // A probe repairs nothing.
            let mark = message.message.custom::<ProbeMark>();
            if let Some(mark) = mark {
                self.probe.left(mark.0, number.transport_sequence, size, message.now);
            }
            self.on_request.note(packet.header.ssrc, if mark.is_some() { 0 } else { size }, message.now);
            self.ahead.note(packet.header.ssrc, size, message.now);
            self.estimator.on_departure(message.now);
            self.publish();
        }
        passing.writes.push_back(message);
    }

    fn bind_local(&mut self, stream: &StreamInfo) {
        if let Some(extension) = stream.rtp_header_extensions.iter().find(|one| one.uri == TRANSPORT_CC_URI) {
            self.streams.insert(stream.ssrc, extension.id as u8);
            let known = self.repaired.iter().any(|one| one.ssrc == Some(stream.ssrc));
            if stream.ssrc_rtx.is_some()
                && !known
                && let Some(unnamed) = self.repaired.iter_mut().find(|one| one.ssrc.is_none())
            {
                unnamed.ssrc = Some(stream.ssrc);
            }
            self.on_request.ssrcs.extend(stream.ssrc_rtx);
            self.ahead.ssrcs.extend(stream.ssrc_fec);
            for repairs in stream.ssrc_rtx.into_iter().chain(stream.ssrc_fec) {
                self.streams.insert(repairs, extension.id as u8);
            }
        }
    }

    fn bind_remote(&mut self, stream: &StreamInfo) {
        if stream.ssrc_rtx.is_some() || stream.mime_type.starts_with("audio/") {
            self.pace.watch(stream.ssrc, stream.clock_rate);
        }
    }

    fn unbind_local(&mut self, stream: &StreamInfo) {
        for ssrc in [Some(stream.ssrc), stream.ssrc_rtx, stream.ssrc_fec].into_iter().flatten() {
            self.streams.remove(&ssrc);
            self.on_request.ssrcs.retain(|one| *one != ssrc);
            self.ahead.ssrcs.retain(|one| *one != ssrc);
        }
    }
}

#[cfg(test)]
mod tests {
    use rtc::rtcp::transport_feedbacks::transport_layer_cc::{
        PacketStatusChunk, RecvDelta, StatusChunkTypeTcc, StatusVectorChunk, SymbolSizeTypeTcc, SymbolTypeTcc,
    };

    use super::*;

    #[test]
    fn the_padding_of_a_report_says_nothing() {
        let mut feedback = TransportLayerCc { base_sequence_number: 7, packet_status_count: 3, ..Default::default() };
        let (came, lost) = (SymbolTypeTcc::PacketReceivedSmallDelta, SymbolTypeTcc::PacketNotReceived);
        feedback.packet_chunks.push(PacketStatusChunk::StatusVectorChunk(StatusVectorChunk {
            type_tcc: StatusChunkTypeTcc::StatusVectorChunk,
            symbol_size: SymbolSizeTypeTcc::TwoBit,
            symbol_list: vec![came, lost, came, lost, lost, lost, lost],
        }));
        feedback.recv_deltas = vec![RecvDelta { type_tcc_packet: came, delta: 250 }; 2];
        let numbers: Vec<u16> = acknowledged(&feedback).into_iter().map(|(number, _)| number).collect();
        assert_eq!(numbers, [7, 8, 9]);
    }
}
