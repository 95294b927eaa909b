//! Statistics, every two seconds (more often while frames are traced) on the controller's thread, in the words of events: rates from the counters of two
//! moments, gauges as they are.

use std::time::Duration;

use crate::call::CallState;
use crate::media::MediaTime;
use crate::playout::AudioJitterStats;
use crate::rtc::PeerStats;

use super::core::Core;
use super::{ReceivedStats, Route, SentStats};

const CODEC: &str = "H264";

/// What the speaker's ring and the device hold, about, in ms.
const SPEAKER_MS: f32 = 30.0;

/// How often statistics are taken while something runs.
const STATISTICS_EVERY: Duration = Duration::from_secs(2);

/// The same while a measurement traces frames.
const STATISTICS_EVERY_WHILE_TRACING: Duration = Duration::from_millis(500);

/// What was sent between `before` and `now`; `encoded` is the size of the pictures.
pub(super) fn sent_stats(before: &PeerStats, now: &PeerStats, elapsed: Duration, encoded: (u32, u32)) -> SentStats {
    SentStats {
        width: encoded.0,
        height: encoded.1,
        fps: per_second(before.frames_sent, now.frames_sent, elapsed),
        kbps: kbps(before.video_bytes_sent, now.video_bytes_sent, elapsed),
        frames: now.frames_sent,
        packets_lost: now.far_packets_lost,
        round_trip_ms: now.round_trip_ms,
        jitter_ms: now.far_jitter_ms,
        delay_ms: now.send_delay_ms,
        codec: CODEC.to_owned(),
        route: Route::Direct,
    }
}

/// What was received between `before` and `now`.
pub(super) fn received_stats(
    before: &PeerStats,
    now: &PeerStats,
    elapsed: Duration,
    audio: &AudioJitterStats,
) -> ReceivedStats {
    ReceivedStats {
        width: now.width,
        height: now.height,
        fps: per_second(before.frames_decoded, now.frames_decoded, elapsed),
        kbps: kbps(before.video_bytes_received, now.video_bytes_received, elapsed),
        frames: now.frames_received,
        packets_lost: now.packets_lost,
        round_trip_ms: now.round_trip_ms,
        jitter_ms: now.jitter_ms,
        delay_ms: now.receive_delay_ms,
        codec: CODEC.to_owned(),
        route: Route::Direct,
        frames_decoded: now.frames_decoded,
        frozen_ms: now.frozen_ms,
        audio_concealed_ms: audio.concealed_ms,
        audio_recovered_ms: audio.recovered_ms,
        audio_delay_ms: audio.delay_ms,
        av_offset_ms: now
            .pictures_behind_sound_ms
            .filter(|_| now.frames_decoded > before.frames_decoded && audio.received > 0)
            .map(|behind| (audio.delay_ms as f32 + SPEAKER_MS - behind).round()),
    }
}

fn per_second(before: u64, now: u64, elapsed: Duration) -> f32 {
    now.saturating_sub(before) as f32 / elapsed.as_secs_f32()
}

fn kbps(before: u64, now: u64, elapsed: Duration) -> f32 {
    per_second(before, now, elapsed) * 8.0 / 1000.0
}

impl Core {
    /// Statistics run while a stream or a call does.
    pub(super) fn schedule_statistics(&mut self) {
        if self.next_statistics.is_none() {
            self.next_statistics = Some(MediaTime::now() + self.statistics_every());
        }
    }

    /// Lets tracing's statistics begin at once, not when the slower ones would have come.
    pub(super) fn hasten_statistics(&mut self) {
        let soon = MediaTime::now() + self.statistics_every();
        self.next_statistics = self.next_statistics.map(|due| due.min(soon));
    }

    pub(super) fn take_statistics(&mut self, now: MediaTime) {
        self.media.measure();
        self.report_local_stream();
        let encoded = self.encoded_size();
        let connected = match self.machine.state() {
            CallState::Conversation(call) if call.connected_at().is_some() => Some(call.id()),
            _ => None,
        };
        let mut reports = Vec::new();
        for (&id, remote) in self.remotes.iter_mut().filter(|(_, remote)| Some(remote.conversation) == connected) {
            reports.push(remote.measure(now, id, encoded));
        }
        reports.into_iter().for_each(|event| self.report(event));
        let runs = self.media.is_open() || !self.remotes.is_empty();
        self.next_statistics = runs.then(|| now + self.statistics_every());
        self.publisher.mark();
    }

    fn statistics_every(&self) -> Duration {
        if self.trace.is_on() { STATISTICS_EVERY_WHILE_TRACING } else { STATISTICS_EVERY }
    }

    fn encoded_size(&self) -> (u32, u32) {
        self.media.working_camera().map_or((0, 0), |(_, format)| (format.width, format.height))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_of_the_time_between_and_counts_of_the_whole_call() {
        let before = PeerStats { frames_sent: 100, video_bytes_sent: 1_000_000, ..Default::default() };
        let now = PeerStats { frames_sent: 160, video_bytes_sent: 1_250_000, far_packets_lost: 3, ..before };
        let sent = sent_stats(&before, &now, Duration::from_secs(2), (640, 360));
        assert_eq!((sent.fps, sent.kbps, sent.frames, sent.packets_lost), (30.0, 1000.0, 160, 3));
    }
}
