//! Statistics of a participant: rates from the counters of two moments, gauges as they are, in the words of events. Pure.

use std::time::Duration;

use crate::codec::VideoCodec;
use crate::identity::PeerId;
use crate::media_receive::{PictureStats, SoundStats};
use crate::media_send::FanOut;
use crate::rtc::PeerStats;

use crate::controller::{CallSample, ReceivedStats, Route, SentStats};

const CODEC: &str = VideoCodec::PREFERRED.name();

/// Output of this side's encoder.
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

impl Encoding {
    /// The same for one participant, whose rendition may be another than that of the others.
    pub(in crate::controller) fn of(self, fan_out: &FanOut, id: PeerId) -> Self {
        if self.wanted_kbps == 0.0 {
            return self;
        }
        let asked_kbps = fan_out.asked_kbps(id).map_or(self.asked_kbps, |kbps| self.asked_kbps.min(kbps as f32));
        Self { asked_kbps, wished_lines: fan_out.wish_of(id).unwrap_or(0), ..self }
    }
}

/// Counters of one participant at a moment: by their connection, by what is shown of them, and by their
/// sound.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Counted {
    pub(super) peer: PeerStats,
    pub(super) pictures: PictureStats,
    pub(super) sound: SoundStats,
}

/// Statistics of the media sent between `before` and `now`.
pub(super) fn sent_stats(before: &PeerStats, now: &PeerStats, elapsed: Duration, encoding: Encoding) -> SentStats {
    SentStats {
        width: encoding.width,
        height: encoding.height,
        fps: per_second(before.frames_sent, now.frames_sent, elapsed),
        kbps: kbps(before.video_bytes_sent, now.video_bytes_sent, elapsed),
        asked_kbps: encoding.asked_kbps,
        wished_lines: encoding.wished_lines,
        target_kbps: now.target_kbps,
        frames: now.frames_sent,
        packets_lost: now.far_packets_lost,
        loss_percent: sent_loss(before, now),
        round_trip_ms: now.round_trip_ms,
        jitter_ms: now.far_jitter_ms,
        delay_ms: now.send_delay_ms,
        codec: CODEC.to_owned(),
        route: Route::Direct,
    }
}

/// Statistics of the media received between `before` and `now`.
pub(super) fn received_stats(before: &Counted, now: &Counted, elapsed: Duration) -> ReceivedStats {
    let Counted { peer, pictures, sound } = now;
    ReceivedStats {
        width: pictures.width,
        height: pictures.height,
        fps: per_second(before.pictures.frames_decoded, pictures.frames_decoded, elapsed),
        kbps: kbps(before.peer.video_bytes_received, peer.video_bytes_received, elapsed),
        wire_kbps: kbps(before.peer.wire_bytes_received, peer.wire_bytes_received, elapsed),
        frames: peer.frames_received,
        packets_lost: peer.packets_lost,
        loss_percent: received_loss(&before.peer, peer),
        round_trip_ms: peer.round_trip_ms,
        jitter_ms: peer.jitter_ms,
        delay_ms: pictures.receive_delay_ms,
        latency_ms: latency_ms(now),
        codec: CODEC.to_owned(),
        route: Route::Direct,
        frames_decoded: pictures.frames_decoded,
        frozen_ms: pictures.frozen_ms,
        audio_concealed_ms: sound.jitter.concealed_ms,
        audio_recovered_ms: sound.jitter.recovered_ms,
        audio_delay_ms: sound.jitter.delay_ms,
        av_offset_ms: sound.av_offset_ms,
    }
}

/// The second from `before` to `now`, for the history.
pub(super) fn sample(before: &Counted, now: &Counted, elapsed: Duration, encoding: Encoding) -> CallSample {
    let (peer, peer_before) = (&now.peer, &before.peer);
    CallSample {
        wanted_kbps: encoding.wanted_kbps,
        asked_kbps: encoding.asked_kbps,
        sent_kbps: kbps(peer_before.video_bytes_sent, peer.video_bytes_sent, elapsed),
        received_kbps: kbps(peer_before.video_bytes_received, peer.video_bytes_received, elapsed),
        sent_loss_percent: sent_loss(peer_before, peer),
        received_loss_percent: received_loss(peer_before, peer),
        round_trip_ms: peer.round_trip_ms,
        latency_ms: latency_ms(now),
        frozen_ms: per_second(before.pictures.frozen_ms, now.pictures.frozen_ms, elapsed),
        concealed_ms: per_second(before.sound.jitter.concealed_ms, now.sound.jitter.concealed_ms, elapsed),
    }
}

fn sent_loss(before: &PeerStats, now: &PeerStats) -> f32 {
    percent(
        now.packets_missed_there.saturating_sub(before.packets_missed_there),
        now.packets_reported.saturating_sub(before.packets_reported),
    )
}

fn received_loss(before: &PeerStats, now: &PeerStats) -> f32 {
    percent(
        now.packets_missed.saturating_sub(before.packets_missed),
        now.packets_expected.saturating_sub(before.packets_expected),
    )
}

fn percent(part: u64, whole: u64) -> f32 {
    if whole == 0 { 0.0 } else { (part as f32 * 100.0 / whole as f32).min(100.0) }
}

/// Half of the RTT, and what waits here: sound in its buffer, or the picture on its way to the tile.
fn latency_ms(now: &Counted) -> f32 {
    now.peer.round_trip_ms / 2.0 + now.pictures.receive_delay_ms.max(now.sound.jitter.buffered_ms as f32)
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

    #[test]
    fn rates_are_of_the_time_between_and_counts_of_the_whole_call() {
        let before = PeerStats { frames_sent: 100, video_bytes_sent: 1_000_000, ..Default::default() };
        let now = PeerStats { frames_sent: 160, video_bytes_sent: 1_250_000, far_packets_lost: 3, ..before };
        let encoding = Encoding { width: 640, height: 360, ..Encoding::default() };
        let sent = sent_stats(&before, &now, Duration::from_secs(2), encoding);
        assert_eq!((sent.fps, sent.kbps, sent.frames, sent.packets_lost), (30.0, 1000.0, 160, 3));
    }

    #[test]
    fn a_second_holds_what_happened_in_it() {
        let counted = |peer, frozen_ms, receive_delay_ms, jitter| Counted {
            peer,
            pictures: PictureStats { frozen_ms, receive_delay_ms, ..Default::default() },
            sound: SoundStats { jitter, ..Default::default() },
        };
        let before =
            PeerStats { packets_reported: 100, packets_missed_there: 10, packets_expected: 50, ..Default::default() };
        let now = PeerStats { packets_reported: 200, packets_missed_there: 15, round_trip_ms: 60.0, ..before };
        let jitter = AudioJitterStats { concealed_ms: 60, ..Default::default() };
        let before = counted(before, 700, 0.0, jitter);
        let now = counted(now, 1000, 8.0, AudioJitterStats { concealed_ms: 100, buffered_ms: 40, ..jitter });
        let sample = sample(&before, &now, Duration::from_secs(1), Encoding::default());
        assert_eq!((sample.sent_loss_percent, sample.received_loss_percent), (5.0, 0.0));
        assert_eq!((sample.frozen_ms, sample.concealed_ms, sample.latency_ms), (300.0, 40.0, 70.0));
    }
}
