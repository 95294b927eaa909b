//! Statistics of a participant: rates from the counters of two moments, gauges as they are, in the words of events.
//! Pure.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::codec::VideoCodec;
use crate::identity::PeerId;
use crate::media::StreamId;
use crate::media_receive::{PictureStats, SoundStats};
use crate::media_send::FanOut;
use crate::rtc::{MediaRoute, PeerStats};

use crate::controller::{CallSample, ReceivedStats, RelayTransport, ReportedRoute, SentStats};

const CODEC: &str = VideoCodec::PREFERRED.name();

/// Output of this side's encoder of one stream of pictures.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(in crate::controller) struct Encoding {
    /// Size of the pictures in pixels; 0 without video.
    pub(in crate::controller) width: u32,
    pub(in crate::controller) height: u32,
    /// Kbit/s that the settings wish for, and that the encoder is asked for; 0 without video.
    pub(in crate::controller) wanted_kbps: f32,
    pub(in crate::controller) asked_kbps: f32,
    /// Lines that the participant wishes for at most; 0: all.
    pub(in crate::controller) wished_lines: u32,
}

/// Encodings of this side's streams of pictures, those that are off included.
#[derive(Clone, Debug, Default, PartialEq)]
pub(in crate::controller) struct Encodings(Vec<(StreamId, Encoding)>);

impl Encodings {
    /// The same for one participant, whose renditions may be others than those of the rest.
    pub(super) fn for_participant(&self, fan_out: &FanOut, id: PeerId) -> Self {
        let of_theirs = |&(stream, encoding): &(StreamId, Encoding)| {
            if encoding.wanted_kbps == 0.0 {
                return (stream, encoding);
            }
            let granted_kbps = fan_out.asked_kbps(id, stream).map(|kbps| kbps as f32);
            let asked_kbps = granted_kbps.map_or(encoding.asked_kbps, |kbps| encoding.asked_kbps.min(kbps));
            (stream, Encoding { asked_kbps, wished_lines: fan_out.wish_of(id, stream).unwrap_or(0), ..encoding })
        };
        Self(self.0.iter().map(of_theirs).collect())
    }

    /// The encoding of one stream; `None` where this side has no such stream.
    pub(super) fn of(&self, stream: StreamId) -> Option<Encoding> {
        self.0.iter().find(|(one, _)| *one == stream).map(|(_, encoding)| *encoding)
    }

    fn sum(&self, figure: impl Fn(&Encoding) -> f32) -> f32 {
        self.0.iter().map(|(_, encoding)| figure(encoding)).sum()
    }
}

impl FromIterator<(StreamId, Encoding)> for Encodings {
    fn from_iter<T: IntoIterator<Item = (StreamId, Encoding)>>(encodings: T) -> Self {
        Self(encodings.into_iter().collect())
    }
}

/// Counters of one participant at a moment: of their connection, of their sound, and of each stream of pictures.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Counted {
    pub(super) connection: PeerStats,
    pub(super) sound: SoundStats,
    pub(super) pictures: BTreeMap<StreamId, StreamCounted>,
}

/// Counters of one stream of pictures, both ways, and of the pictures shown.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct StreamCounted {
    pub(super) stream: PeerStats,
    pub(super) shown: PictureStats,
}

impl Counted {
    fn of(&self, stream: StreamId) -> StreamCounted {
        self.pictures.get(&stream).copied().unwrap_or_default()
    }
}

/// Statistics of the pictures of one stream that were sent between two moments.
pub(super) fn sent_stats(
    (before, now): (&Counted, &Counted),
    stream: StreamId,
    elapsed: Duration,
    encoding: Encoding,
) -> SentStats {
    let (stream_before, stream) = (before.of(stream).stream, now.of(stream).stream);
    SentStats {
        width: encoding.width,
        height: encoding.height,
        fps: per_second(stream_before.frames_sent, stream.frames_sent, elapsed),
        kbps: kbps(stream_before.video_bytes_sent, stream.video_bytes_sent, elapsed),
        asked_kbps: encoding.asked_kbps,
        wished_lines: encoding.wished_lines,
        target_kbps: stream.target_kbps,
        frames: stream.frames_sent,
        packets_lost: stream.far_packets_lost,
        loss_percent: sent_loss(&before.connection, &now.connection),
        round_trip_ms: stream.round_trip_ms,
        jitter_ms: stream.far_jitter_ms,
        delay_ms: stream.send_delay_ms,
        codec: CODEC.to_owned(),
        route: route(&now.connection).0,
        relay_transport: route(&now.connection).1,
    }
}

/// Statistics of the pictures of one stream that were received between two moments, and of the sound that came with
/// them.
pub(super) fn received_stats(
    (before, now): (&Counted, &Counted),
    stream: StreamId,
    elapsed: Duration,
) -> ReceivedStats {
    let (stream_before, StreamCounted { stream, shown }) = (before.of(stream), now.of(stream));
    let (connection_before, connection, sound) = (&before.connection, &now.connection, &now.sound);
    ReceivedStats {
        width: shown.width,
        height: shown.height,
        fps: per_second(stream_before.shown.frames_decoded, shown.frames_decoded, elapsed),
        kbps: kbps(stream_before.stream.video_bytes_received, stream.video_bytes_received, elapsed),
        wire_kbps: kbps(connection_before.wire_bytes_received, connection.wire_bytes_received, elapsed),
        frames: stream.frames_received,
        packets_lost: stream.packets_lost,
        loss_percent: received_loss([(&stream_before.stream, &stream)]),
        round_trip_ms: stream.round_trip_ms,
        jitter_ms: stream.jitter_ms,
        delay_ms: shown.receive_delay_ms,
        latency_ms: latency_ms(&stream, shown.receive_delay_ms, sound),
        codec: CODEC.to_owned(),
        route: route(connection).0,
        relay_transport: route(connection).1,
        frames_decoded: shown.frames_decoded,
        frozen_ms: shown.frozen_ms,
        audio_concealed_ms: sound.jitter.concealed_ms,
        audio_recovered_ms: sound.jitter.recovered_ms,
        audio_delay_ms: sound.jitter.delay_ms,
        av_offset_ms: sound.av_offset_ms,
    }
}

/// Way of the media, and with a relay the transport to that.
fn route(connection: &PeerStats) -> (ReportedRoute, Option<RelayTransport>) {
    match connection.route {
        MediaRoute::Direct => (ReportedRoute::Direct, None),
        MediaRoute::RelayUdp => (ReportedRoute::Relay, Some(RelayTransport::Udp)),
        MediaRoute::RelayTls => (ReportedRoute::Relay, Some(RelayTransport::Tls)),
    }
}

/// The second from `before` to `now`, for the history: rates of all streams together, and the worst of the pictures.
pub(super) fn sample(before: &Counted, now: &Counted, elapsed: Duration, encodings: &Encodings) -> CallSample {
    let pictures: Vec<_> = now.pictures.iter().map(|(&id, counted)| (before.of(id), *counted)).collect();
    let sum = |figure: &dyn Fn(&StreamCounted) -> u64| {
        pictures.iter().fold((0, 0), |sum, (before, now)| (sum.0 + figure(before), sum.1 + figure(now)))
    };
    let rate = |figure: &dyn Fn(&StreamCounted) -> u64| {
        let (before, now) = sum(figure);
        kbps(before, now, elapsed)
    };
    let worst = |figure: &dyn Fn(&StreamCounted, &StreamCounted) -> f32| {
        pictures.iter().map(|(before, now)| figure(before, now)).fold(0.0, f32::max)
    };
    // One picture may be in the decoder. Where nothing comes at all, reports included, the path is at fault.
    let is_whole = |(before, now): &(StreamCounted, StreamCounted)| {
        let came = now.stream.frames_received.saturating_sub(before.stream.frames_received);
        let shown = now.shown.frames_decoded.saturating_sub(before.shown.frames_decoded);
        now.stream.packets_missed <= before.stream.packets_missed && came <= shown + 1
    };
    let comes = now.connection.wire_bytes_received > before.connection.wire_bytes_received;
    let receive_delay_ms = worst(&|_, now| now.shown.receive_delay_ms);
    CallSample {
        wanted_kbps: encodings.sum(|encoding| encoding.wanted_kbps),
        asked_kbps: encodings.sum(|encoding| encoding.asked_kbps),
        sent_kbps: rate(&|counted| counted.stream.video_bytes_sent),
        received_kbps: rate(&|counted| counted.stream.video_bytes_received),
        sent_loss_percent: sent_loss(&before.connection, &now.connection),
        received_loss_percent: received_loss(pictures.iter().map(|(before, now)| (&before.stream, &now.stream))),
        round_trip_ms: now.connection.round_trip_ms,
        latency_ms: latency_ms(&now.connection, receive_delay_ms, &now.sound),
        frozen_ms: worst(&|before, now| per_second(before.shown.frozen_ms, now.shown.frozen_ms, elapsed)),
        concealed_ms: per_second(before.sound.jitter.concealed_ms, now.sound.jitter.concealed_ms, elapsed),
        shown_whole: comes && pictures.iter().all(is_whole),
    }
}

fn sent_loss(before: &PeerStats, now: &PeerStats) -> f32 {
    percent(
        now.packets_missed_there.saturating_sub(before.packets_missed_there),
        now.packets_reported.saturating_sub(before.packets_reported),
    )
}

/// Packets of these streams that did not come at first, in percent.
fn received_loss<'a>(streams: impl IntoIterator<Item = (&'a PeerStats, &'a PeerStats)>) -> f32 {
    let (missed, expected) = streams.into_iter().fold((0, 0), |(missed, expected), (before, now)| {
        (
            missed + now.packets_missed.saturating_sub(before.packets_missed),
            expected + now.packets_expected.saturating_sub(before.packets_expected),
        )
    });
    percent(missed, expected)
}

fn percent(part: u64, whole: u64) -> f32 {
    if whole == 0 { 0.0 } else { (part as f32 * 100.0 / whole as f32).min(100.0) }
}

/// Half of the RTT, and the wait here: sound in its buffer, or the picture on its way to the tile.
fn latency_ms(connection: &PeerStats, receive_delay_ms: f32, sound: &SoundStats) -> f32 {
    connection.round_trip_ms / 2.0 + receive_delay_ms.max(sound.jitter.buffered_ms as f32)
}

fn per_second(before: u64, now: u64, elapsed: Duration) -> f32 {
    now.saturating_sub(before) as f32 / elapsed.as_secs_f32()
}

fn kbps(before: u64, now: u64, elapsed: Duration) -> f32 {
    per_second(before, now, elapsed) * 8.0 / 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jitter_buffer::audio::AudioJitterStats;

    const CAMERA: StreamId = StreamId::CAMERA;
    const SCREEN: StreamId = StreamId::SCREEN;

    fn sent(stream: PeerStats) -> StreamCounted {
        StreamCounted { stream, ..Default::default() }
    }

    #[test]
    fn rates_are_of_the_time_between_and_counts_of_the_whole_call() {
        let before = PeerStats { frames_sent: 100, video_bytes_sent: 1_000_000, ..Default::default() };
        let now = PeerStats { frames_sent: 160, video_bytes_sent: 1_250_000, far_packets_lost: 3, ..before };
        let counted = |stream| Counted { pictures: [(CAMERA, sent(stream))].into(), ..Default::default() };
        let encoding = Encoding { width: 640, height: 360, ..Encoding::default() };
        let sent = sent_stats((&counted(before), &counted(now)), CAMERA, Duration::from_secs(2), encoding);
        assert_eq!((sent.fps, sent.kbps, sent.frames, sent.packets_lost), (30.0, 1000.0, 160, 3));
    }

    #[test]
    fn each_stream_has_its_own_figures_and_the_history_has_those_of_all() {
        let bytes = |video_bytes_sent, frames_received| {
            sent(PeerStats { video_bytes_sent, frames_received, ..Default::default() })
        };
        let mut now = Counted::default();
        now.pictures.extend([(CAMERA, bytes(100_000, 30)), (SCREEN, bytes(25_000, 5))]);
        now.pictures.get_mut(&SCREEN).unwrap().shown = PictureStats { frozen_ms: 400, ..Default::default() };
        let (before, second) = (Counted::default(), Duration::from_secs(1));
        let kbps = |stream| sent_stats((&before, &now), stream, second, Encoding::default()).kbps;
        assert_eq!((kbps(CAMERA), kbps(SCREEN), kbps(StreamId::new(5))), (800.0, 200.0, 0.0));
        let received = |stream| received_stats((&before, &now), stream, second);
        assert_eq!((received(CAMERA).frames, received(CAMERA).frozen_ms), (30, 0));
        assert_eq!((received(SCREEN).frames, received(SCREEN).frozen_ms), (5, 400));
        let asked = |asked_kbps| Encoding { asked_kbps, wanted_kbps: 1000.0, ..Encoding::default() };
        let encodings: Encodings = [(CAMERA, asked(900.0)), (SCREEN, asked(300.0))].into_iter().collect();
        let sample = sample(&before, &now, second, &encodings);
        assert_eq!((sample.sent_kbps, sample.asked_kbps, sample.wanted_kbps), (1000.0, 1200.0, 2000.0));
        assert_eq!(sample.frozen_ms, 400.0, "the screen stands still");
    }

    #[test]
    fn a_second_holds_what_happened_in_it() {
        let counted = |connection, frozen_ms, receive_delay_ms, jitter| {
            let shown = PictureStats { frozen_ms, receive_delay_ms, ..Default::default() };
            Counted {
                connection,
                sound: SoundStats { jitter, ..Default::default() },
                pictures: [(CAMERA, StreamCounted { stream: connection, shown })].into(),
            }
        };
        let before =
            PeerStats { packets_reported: 100, packets_missed_there: 10, packets_expected: 50, ..Default::default() };
        let now = PeerStats { packets_reported: 200, packets_missed_there: 15, round_trip_ms: 60.0, ..before };
        let jitter = AudioJitterStats { concealed_ms: 60, ..Default::default() };
        let before = counted(before, 700, 0.0, jitter);
        let now = counted(now, 1000, 8.0, AudioJitterStats { concealed_ms: 100, buffered_ms: 40, ..jitter });
        let sample = sample(&before, &now, Duration::from_secs(1), &Encodings::default());
        assert_eq!((sample.sent_loss_percent, sample.received_loss_percent), (5.0, 0.0));
        assert_eq!((sample.frozen_ms, sample.concealed_ms, sample.latency_ms), (300.0, 40.0, 70.0));
    }

    #[test]
    fn gaps_between_pictures_are_the_far_cameras_where_each_came_and_was_shown() {
        let counted = |came: u64, shown: u64, missed: u64, wire_bytes_received: u64| {
            let stream = PeerStats { frames_received: came, packets_missed: missed, ..Default::default() };
            let shown = PictureStats { frames_decoded: shown, ..Default::default() };
            let connection = PeerStats { wire_bytes_received, ..Default::default() };
            let pictures = [(CAMERA, StreamCounted { stream, shown })].into();
            Counted { connection, sound: SoundStats::default(), pictures }
        };
        let before = counted(100, 100, 7, 5_000);
        let whole = |now: Counted| sample(&before, &now, Duration::from_secs(1), &Encodings::default()).shown_whole;
        assert!(whole(counted(105, 105, 7, 9_000)), "a camera of five pictures a second");
        assert!(whole(counted(100, 100, 7, 6_000)), "one that has stalled, while its sound comes");
        assert!(whole(counted(105, 104, 7, 9_000)), "one is being decoded");
        assert!(!whole(counted(105, 105, 8, 9_000)), "packets were missed");
        assert!(!whole(counted(105, 101, 7, 9_000)), "pictures came that could not be shown");
        assert!(!whole(counted(100, 100, 7, 5_000)), "nothing comes at all");
    }
}
