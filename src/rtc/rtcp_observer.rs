//! RTCP observer: RTT, loss and jitter out of the reports (RFC 3550, 6.4), keyframe requests (RFC 4585, 6.3.1 and RFC
//! 5104, 4.3.1). It corrects clocks and SSRCs of outgoing reports.
//!
//! The nearest interceptor to the network, so that it sees what arrives before anything else acts on it, and what
//! leaves when it leaves. Runs on the tokio task of the peer connection. (The engine's own statistics compute no RTT
//! and give no loss of packets sent.)

use std::collections::VecDeque;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use rtc::interceptor::{Packet, Slot, StreamInfo, TaggedPacket};
use rtc::rtcp::payload_feedbacks::full_intra_request::FullIntraRequest;
use rtc::rtcp::payload_feedbacks::picture_loss_indication::PictureLossIndication;
use rtc::rtcp::receiver_report::ReceiverReport;
use rtc::rtcp::reception_report::ReceptionReport;
use rtc::rtcp::sender_report::SenderReport;
use rtc::rtcp::transport_feedbacks::transport_layer_cc::TransportLayerCc;
use rtc::rtcp::transport_feedbacks::transport_layer_nack::TransportLayerNack;

use super::connection_state::ConnectionState;
use super::stage::{Stage, StageContext};
use super::streams::FarStreams;
use crate::media::{MediaTime, Spacing, StreamId};

/// Sender reports whose departure is remembered: one a second a stream.
const REMEMBERED_REPORTS: usize = 16;
/// The clocks of the RTP timestamps.
const VIDEO_CLOCK: u64 = 90_000;
const AUDIO_CLOCK: u64 = 48_000;
/// Keyframe requests closer together than this count as one. Less than the 300 ms at which they leave the far side, so
/// that two which the network brings closer together are both heard.
const KEYFRAME_REQUEST_INTERVAL: Duration = Duration::from_millis(200);

/// Commands of the far side that are remembered, each of another command source (RFC 5104, 4.3.1.1).
const REMEMBERED_COMMANDS: usize = 8;
/// A command that is this far behind the latest one, or less, has been obeyed: it was repeated, or is late.
const OBEYED: u8 = 16;

type Rtcp = Box<dyn rtc::rtcp::Packet>;

/// A stream that this side sends.
struct OwnStream {
    id: StreamId,
    ssrc: u32,
    is_video: bool,
    state: ConnectionState,
    /// Called when the far side wants a keyframe.
    on_keyframe_request: Box<dyn Fn() + Send + Sync>,
    keyframe_requests: Spacing,
}

/// A stream that comes, once it does.
struct FarStream {
    ssrc: u32,
    is_video: bool,
    /// State of this side's stream of the same identifier.
    state: ConnectionState,
}

/// Observes the RTCP of one peer connection.
pub(super) struct RtcpObserver {
    state: ConnectionState,
    /// SSRC under which this side reports.
    reporter: u32,
    own: Vec<OwnStream>,
    far: Vec<FarStream>,
    /// As the far side's description names them.
    far_streams: FarStreams,
    /// Called with the SSRC under which genuine RTCP came.
    on_reporter: Box<dyn Fn(u32) + Send + Sync>,
    /// SSRCs of who sent full intra requests and of the stream meant, and the sequence number of each one's latest.
    commands: VecDeque<((u32, u32), u8)>,
    /// The middle 32 bits of the NTP time of sender reports, and when each left.
    departures: VecDeque<(u32, Instant)>,
}

impl RtcpObserver {
    pub(super) fn new(
        state: &ConnectionState,
        (own_video, own_audio): (u32, u32),
        on_keyframe_request: impl Fn() + Send + Sync + 'static,
    ) -> Self {
        let audio = OwnStream {
            id: StreamId::AUDIO,
            ssrc: own_audio,
            is_video: false,
            state: state.clone(),
            on_keyframe_request: Box::new(|| {}),
            keyframe_requests: Spacing::new(KEYFRAME_REQUEST_INTERVAL),
        };
        let observer = Self {
            state: state.clone(),
            reporter: own_video,
            own: vec![audio],
            far: Vec::new(),
            far_streams: FarStreams::default(),
            on_reporter: Box::new(|_| {}),
            commands: VecDeque::new(),
            departures: VecDeque::new(),
        };
        observer.with_video((StreamId::CAMERA, own_video), state, on_keyframe_request)
    }

    /// The same, with a stream of pictures that this side sends under an SSRC.
    pub(super) fn with_video(
        mut self,
        (id, ssrc): (StreamId, u32),
        state: &ConnectionState,
        on_keyframe_request: impl Fn() + Send + Sync + 'static,
    ) -> Self {
        self.own.push(OwnStream {
            id,
            ssrc,
            is_video: true,
            state: state.clone(),
            on_keyframe_request: Box::new(on_keyframe_request),
            keyframe_requests: Spacing::new(KEYFRAME_REQUEST_INTERVAL),
        });
        self
    }

    /// The same, with the far side's streams as its description names them.
    pub(super) fn of_streams(self, far_streams: FarStreams) -> Self {
        Self { far_streams, ..self }
    }

    /// The same, telling under which SSRC each RTCP packet came.
    pub(super) fn telling_reporters(self, on_reporter: impl Fn(u32) + Send + Sync + 'static) -> Self {
        Self { on_reporter: Box::new(on_reporter), ..self }
    }

    /// Nearest to the network.
    pub(super) fn slot() -> Slot {
        Slot::from(500)
    }

    fn arrival(&mut self, packet: &Rtcp, now: Instant) {
        let any = packet.as_any();
        if let Some(report) = any.downcast_ref::<ReceiverReport>() {
            self.reports(&report.reports, now);
        } else if let Some(report) = any.downcast_ref::<SenderReport>() {
            self.reports(&report.reports, now);
        } else if any.is::<TransportLayerNack>() {
            self.state.counters.nacks_received.fetch_add(1, Relaxed);
        } else if let Some(request) = any.downcast_ref::<PictureLossIndication>() {
            self.keyframe_request(request.media_ssrc, now);
        } else if let Some(request) = any.downcast_ref::<FullIntraRequest>() {
            for entry in &request.fir {
                let is_own = self.own.iter().any(|own| own.is_video && own.ssrc == entry.ssrc);
                let pair = (request.sender_ssrc, entry.ssrc);
                if is_own && is_new_command(&mut self.commands, pair, entry.sequence_number) {
                    self.keyframe_request(entry.ssrc, now);
                }
            }
        }
    }

    fn reports(&mut self, reports: &[ReceptionReport], now: Instant) {
        for report in reports {
            if let Some(own) = self.own.iter().find(|own| own.is_video && own.ssrc == report.ssrc) {
                own.state.counters.far_packets_lost.store(u64::from(report.total_lost), Relaxed);
                own.state.counters.far_jitter_us.store(u64::from(report.jitter) * 1_000_000 / VIDEO_CLOCK, Relaxed);
            }
            let departed = self.departures.iter().find(|(ntp, _)| *ntp == report.last_sender_report);
            if let Some((_, departed)) = departed.filter(|_| report.last_sender_report != 0) {
                let held = Duration::from_micros(u64::from(report.delay) * 1_000_000 / 65_536);
                if let Some(round_trip) = now.saturating_duration_since(*departed).checked_sub(held) {
                    self.state.path.rtt_of_report(round_trip);
                }
            }
        }
    }

    fn keyframe_request(&mut self, ssrc: u32, now: Instant) {
        let Some(own) = self.own.iter_mut().find(|own| own.is_video && own.ssrc == ssrc) else { return };
        own.state.counters.keyframe_requests_received.fetch_add(1, Relaxed);
        let now = MediaTime::of(now);
        // On a thin path a keyframe takes longer than the far side's patience: asking for another one would never end.
        if !own.state.keyframe_in_flight(ssrc, now) && own.keyframe_requests.permits(now) {
            (own.on_keyframe_request)();
        }
    }

    /// The engine takes the RTP time of a picture or of sound for that of its departure; it is that of its capture.
    fn correct_clock(&self, packet: &mut Rtcp) {
        let Some(report) = packet.as_any().downcast_ref::<SenderReport>() else { return };
        let Some(own) = self.own.iter().find(|own| own.ssrc == report.ssrc) else { return };
        let (delay, clock) = if own.is_video {
            (own.state.video.capture_delay(), VIDEO_CLOCK)
        } else {
            (own.state.audio.capture_delay(), AUDIO_CLOCK)
        };
        let ticks = delay.as_micros() as u64 * clock / 1_000_000;
        let rtp_time = report.rtp_time.wrapping_add(ticks as u32);
        *packet = Box::new(SenderReport { rtp_time, ..report.clone() });
    }

    /// The engine reports under SSRCs of its own choice, one for each stream that it receives; this side is one
    /// participant, and has SSRCs that the far side knows (RFC 3550, 6.4.2).
    fn correct_reporter(&self, packet: &mut Rtcp) {
        let any = packet.as_any();
        if let Some(report) = any.downcast_ref::<ReceiverReport>() {
            *packet = Box::new(ReceiverReport { ssrc: self.reporter, ..report.clone() });
        } else if let Some(feedback) = any.downcast_ref::<TransportLayerCc>() {
            *packet = Box::new(TransportLayerCc { sender_ssrc: self.reporter, ..feedback.clone() });
        }
    }

    fn departure(&mut self, packet: &Rtcp, now: Instant) {
        let any = packet.as_any();
        if let Some(report) = any.downcast_ref::<SenderReport>() {
            if self.departures.len() >= REMEMBERED_REPORTS {
                self.departures.pop_front();
            }
            self.departures.push_back(((report.ntp_time >> 16) as u32, now));
        } else if let Some(report) = any.downcast_ref::<ReceiverReport>() {
            for report in &report.reports {
                let video = self.far.iter().find(|far| far.is_video && far.ssrc == report.ssrc);
                if let Some(FarStream { state, .. }) = video {
                    state.counters.jitter_us.store(u64::from(report.jitter) * 1_000_000 / VIDEO_CLOCK, Relaxed);
                }
            }
        } else if any.is::<TransportLayerNack>() {
            self.state.counters.nacks_sent.fetch_add(1, Relaxed);
        } else if any.is::<PictureLossIndication>() {
            self.state.counters.plis_sent.fetch_add(1, Relaxed);
        }
    }
}

/// Under which SSRC a packet was sent.
fn reporter(packet: &Rtcp) -> Option<u32> {
    let any = packet.as_any();
    any.downcast_ref::<ReceiverReport>()
        .map(|report| report.ssrc)
        .or_else(|| any.downcast_ref::<TransportLayerCc>().map(|feedback| feedback.sender_ssrc))
        .or_else(|| any.downcast_ref::<TransportLayerNack>().map(|request| request.sender_ssrc))
        .or_else(|| any.downcast_ref::<PictureLossIndication>().map(|request| request.sender_ssrc))
        .or_else(|| any.downcast_ref::<FullIntraRequest>().map(|request| request.sender_ssrc))
}

/// Whether a full intra request of this pair of source and stream is none that was obeyed before; notes it.
fn is_new_command(commands: &mut VecDeque<((u32, u32), u8)>, pair: (u32, u32), number: u8) -> bool {
    if let Some((_, latest)) = commands.iter_mut().find(|(known, _)| *known == pair) {
        let is_new = latest.wrapping_sub(number) >= OBEYED;
        if is_new {
            *latest = number;
        }
        return is_new;
    }
    if commands.len() >= REMEMBERED_COMMANDS {
        commands.pop_front();
    }
    commands.push_back((pair, number));
    true
}

impl Stage for RtcpObserver {
    fn read(&mut self, message: TaggedPacket, passing: &mut StageContext) {
        if let Packet::Rtcp(packets) = &message.message.packet {
            if let Some(reporter) = packets.first().and_then(reporter) {
                (self.on_reporter)(reporter);
            }
            for packet in packets {
                self.arrival(packet, message.now);
            }
        }
        passing.reads.push_back(message);
    }

    fn write(&mut self, mut message: TaggedPacket, passing: &mut StageContext) {
        if let Packet::Rtcp(packets) = &mut message.message.packet {
            for packet in packets {
                self.correct_clock(packet);
                self.correct_reporter(packet);
                self.departure(packet, message.now);
            }
        }
        passing.writes.push_back(message);
    }

    fn bind_remote(&mut self, stream: &StreamInfo) {
        let (id, is_video) = match self.far_streams.of_media(stream.ssrc) {
            Some(described) => (described.id, described.kind.is_video()),
            None if stream.ssrc_rtx.is_some() => (StreamId::CAMERA, true),
            None if stream.mime_type.starts_with("audio/") => (StreamId::AUDIO, false),
            None => return,
        };
        let own = self.own.iter().find(|own| own.id == id);
        let state = own.map_or_else(|| self.state.clone(), |own| own.state.clone());
        self.far.retain(|far| far.ssrc != stream.ssrc);
        self.far.push(FarStream { ssrc: stream.ssrc, is_video, state });
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::AtomicU32;

    use rtc::interceptor::AttributedPacket;
    use rtc::sansio::Protocol;
    use rtc::shared::TransportContext;

    use super::super::stage::Staged;
    use super::*;

    fn tagged(now: Instant, packet: Rtcp) -> TaggedPacket {
        let message = AttributedPacket::new(Packet::Rtcp(vec![packet]));
        TaggedPacket { now, transport: TransportContext::default(), message }
    }

    #[test]
    fn the_round_trip_comes_from_the_echo_of_a_sender_report() {
        let start = Instant::now();
        let state = ConnectionState::default();
        let mut observer = Staged::new(RtcpObserver::new(&state, (7, 8), || {}));
        let ntp_time = 0x1234_5678_9abc_def0;
        let sent = SenderReport { ssrc: 7, ntp_time, ..Default::default() };
        state.video.set_capture_delay(Duration::from_millis(20));
        observer.handle_write(tagged(start, Box::new(sent))).unwrap();
        let report = ReceptionReport {
            ssrc: 7,
            total_lost: 3,
            jitter: 900,
            last_sender_report: (ntp_time >> 16) as u32,
            delay: 65_536 / 2,
            ..Default::default()
        };
        let received = ReceiverReport { reports: vec![report], ..Default::default() };
        observer.handle_read(tagged(start + Duration::from_millis(540), Box::new(received))).unwrap();
        let stats = state.stats();
        assert!((stats.round_trip_ms - 40.0).abs() < 0.1, "{}", stats.round_trip_ms);
        assert_eq!((stats.far_packets_lost, stats.far_jitter_ms), (3, 10.0));
        assert!(observer.poll_read().is_some(), "everything passes");
        let Some(Packet::Rtcp(left)) = observer.poll_write().map(|message| message.message.packet) else { panic!() };
        let report = left[0].as_any().downcast_ref::<SenderReport>().unwrap();
        assert_eq!((report.ntp_time, report.rtp_time), (ntp_time, 1800), "20 ms went by since the capture");
    }

    #[test]
    fn the_clocks_of_both_streams_are_told_as_of_the_capture() {
        let state = ConnectionState::default();
        state.video.set_capture_delay(Duration::from_millis(50));
        state.audio.set_capture_delay(Duration::from_millis(30));
        let mut observer = Staged::new(RtcpObserver::new(&state, (7, 8), || {}));
        for (ssrc, ticks) in [(7, 4500), (8, 1440), (9, 0)] {
            let report = SenderReport { ssrc, rtp_time: u32::MAX, ..Default::default() };
            observer.handle_write(tagged(Instant::now(), Box::new(report))).unwrap();
            let Some(Packet::Rtcp(left)) = observer.poll_write().map(|message| message.message.packet) else {
                panic!()
            };
            let report = left[0].as_any().downcast_ref::<SenderReport>().unwrap();
            assert_eq!(report.rtp_time, u32::MAX.wrapping_add(ticks), "stream {ssrc}");
        }
    }

    #[test]
    fn keyframe_requests_close_together_count_as_one() {
        let start = Instant::now();
        let calls = Arc::new(AtomicU32::new(0));
        let counted = Arc::clone(&calls);
        let mut observer = Staged::new(RtcpObserver::new(&ConnectionState::default(), (7, 8), move || {
            counted.fetch_add(1, Relaxed);
        }));
        for (millis, ssrc) in [(0, 7), (100, 7), (150, 8), (199, 7), (200, 7)] {
            let request = PictureLossIndication { sender_ssrc: 1, media_ssrc: ssrc };
            observer.handle_read(tagged(start + Duration::from_millis(millis), Box::new(request))).unwrap();
        }
        assert_eq!(calls.load(Relaxed), 2);
    }

    #[test]
    fn a_full_intra_request_that_is_repeated_or_late_is_obeyed_once() {
        use rtc::rtcp::payload_feedbacks::full_intra_request::FirEntry;
        let start = Instant::now();
        let state = ConnectionState::default();
        let mut observer = Staged::new(RtcpObserver::new(&state, (7, 8), || {}));
        let mut counted = 0;
        // Source, number, and whether the request is a new one; half a second apart.
        for (second, (source, number, new)) in [
            (1, 254, true),
            (1, 254, false),
            (1, 255, true),
            (1, 0, true),
            (1, 255, false),
            (2, 255, true),
            (1, 1, true),
        ]
        .into_iter()
        .enumerate()
        {
            let fir =
                vec![FirEntry { ssrc: 7, sequence_number: number }, FirEntry { ssrc: 9, sequence_number: number }];
            let request = FullIntraRequest { sender_ssrc: source, media_ssrc: 0, fir };
            let at = start + Duration::from_millis(500 * second as u64);
            observer.handle_read(tagged(at, Box::new(request))).unwrap();
            counted += u64::from(new);
            assert_eq!(state.counters.keyframe_requests_received.load(Relaxed), counted, "{source} {number}");
        }
        let mut commands = VecDeque::new();
        assert!((0..1000).all(|source| is_new_command(&mut commands, (source, 7), 0)));
        assert_eq!(commands.len(), REMEMBERED_COMMANDS);
    }

    #[test]
    fn reports_leave_under_an_ssrc_that_the_far_side_knows() {
        let mut observer = Staged::new(RtcpObserver::new(&ConnectionState::default(), (7, 8), || {}));
        let report = ReceiverReport { ssrc: 1234, ..Default::default() };
        let feedback = TransportLayerCc { sender_ssrc: 5678, media_ssrc: 22, ..Default::default() };
        for packet in [Box::new(report) as Rtcp, Box::new(feedback)] {
            observer.handle_write(tagged(Instant::now(), packet)).unwrap();
            let Some(Packet::Rtcp(left)) = observer.poll_write().map(|message| message.message.packet) else {
                panic!()
            };
            assert_eq!(reporter(&left[0]), Some(7));
        }
    }

    #[test]
    fn requests_and_reports_are_of_the_stream_that_they_name() {
        let (calls, state) = (Arc::new(AtomicU32::new(0)), ConnectionState::default());
        let screen = state.of_further_stream();
        let call = |add| {
            let calls = Arc::clone(&calls);
            move || {
                calls.fetch_add(add, Relaxed);
            }
        };
        let observer = RtcpObserver::new(&state, (7, 8), call(1));
        let mut observer = Staged::new(observer.with_video((StreamId::SCREEN, 17), &screen, call(100)));
        for media_ssrc in [17, 7] {
            let request = PictureLossIndication { sender_ssrc: 1, media_ssrc };
            observer.handle_read(tagged(Instant::now(), Box::new(request))).unwrap();
        }
        assert_eq!(calls.load(Relaxed), 101, "one of each, at the same moment");
        let lost = |ssrc, total_lost| ReceptionReport { ssrc, total_lost, ..Default::default() };
        let report = ReceiverReport { reports: vec![lost(7, 3), lost(17, 5)], ..Default::default() };
        observer.handle_read(tagged(Instant::now(), Box::new(report))).unwrap();
        let count = |state: &ConnectionState| state.counters.far_packets_lost.load(Relaxed);
        assert_eq!((count(&state), count(&screen)), (3, 5));
    }

    #[test]
    fn who_reports_is_told() {
        let told = Arc::new(std::sync::Mutex::new(Vec::new()));
        let telling = Arc::clone(&told);
        let observer = RtcpObserver::new(&ConnectionState::default(), (7, 8), || {});
        let mut observer = Staged::new(observer.telling_reporters(move |ssrc| telling.lock().unwrap().push(ssrc)));
        let report = ReceiverReport { ssrc: 1234, ..Default::default() };
        let request = PictureLossIndication { sender_ssrc: 5678, media_ssrc: 7 };
        for packet in [Box::new(report) as Rtcp, Box::new(request)] {
            observer.handle_read(tagged(Instant::now(), packet)).unwrap();
        }
        assert_eq!(*told.lock().unwrap(), [1234, 5678]);
    }
}
