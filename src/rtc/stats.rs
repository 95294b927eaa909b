//! Statistics of one peer connection: counters and gauges, written by its tasks and its decoder thread, read by the controller
//! at any time. They steer nothing: state that algorithms read is in `path`, `send_state` and the streams.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::receiving::lip_sync::LipSync;
use crate::media::MediaTime;

/// A gap between pictures longer than this counts as frozen.
const FREEZE: Duration = Duration::from_millis(200);

/// Counters since the start of the connection, and gauges of the present.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct PeerStats {
    /// Video frames sent.
    pub frames_sent: u64,
    /// Video payload bytes sent, retransmissions left out.
    pub video_bytes_sent: u64,
    /// Sound packets sent.
    pub audio_packets_sent: u64,
    /// Video frames dropped here, because the connection was not up or the network did not take them.
    pub frames_dropped: u64,
    /// Video packets that the far side reported lost and not repaired.
    pub far_packets_lost: u64,
    /// Packets whose fate the far side reported (transport-wide feedback): sound, video and its repairs.
    pub packets_reported: u64,
    /// Those of them that did not arrive, repaired or not.
    pub packets_missed_there: u64,
    /// Target rate of new media, audio and all headers included, in kbit/s; 0 before anything was sent.
    pub target_kbps: f32,
    /// Interarrival jitter that the far side reported for the video, in ms.
    pub far_jitter_ms: f32,
    /// From the camera to the socket's queue for the latest frame, in ms.
    pub send_delay_ms: f32,
    /// NACKs that came.
    pub nacks_received: u64,
    /// Video packets that forward error correction gave back.
    pub packets_recovered: u64,
    /// Keyframe requests (PLI and FIR) that came.
    pub keyframe_requests_received: u64,
    /// Round trip by transport-wide feedback and RTCP (RFC 3550, 6.4.1), smoothed, in ms; 0 before the first report.
    pub round_trip_ms: f32,
    /// Whole video frames received.
    pub frames_received: u64,
    /// Video payload bytes received.
    pub video_bytes_received: u64,
    /// Sound packets received.
    pub audio_packets_received: u64,
    /// Video packets lost for good.
    pub packets_lost: u64,
    /// Video packets that should have come, by their sequence numbers.
    pub packets_expected: u64,
    /// Those of them that had to be asked for again, repaired or not.
    pub packets_missed: u64,
    /// Interarrival jitter of the video (RFC 3550), in ms.
    pub jitter_ms: f32,
    /// NACKs sent.
    pub nacks_sent: u64,
    /// PLIs sent.
    pub plis_sent: u64,
    /// Pictures decoded.
    pub frames_decoded: u64,
    /// Time in gaps of more than 200 ms between pictures, in ms; one that still goes on counts, too.
    pub frozen_ms: u64,
    /// From the arrival of a frame's last packet to the tile's slot, smoothed, in ms.
    pub receive_delay_ms: f32,
    /// Size of the latest decoded picture; 0 before the first.
    pub width: u32,
    /// Size of the latest decoded picture; 0 before the first.
    pub height: u32,
    /// Bytes of all datagrams that came from the far side, with the headers of IPv4 and UDP.
    pub wire_bytes_received: u64,
    /// Datagrams refused because their source had not proved to be the far side.
    pub datagrams_refused: u64,
    /// By how much longer pictures take from the far camera to their tile than the fastest sound takes from the far
    /// microphone to the jitter buffer, in ms; `None` until both are known.
    pub pictures_behind_sound_ms: Option<f32>,
}

/// The live counters behind [`PeerStats`]. Microseconds in every gauge of time.
#[derive(Debug, Default)]
pub(super) struct Counters {
    pub(super) frames_sent: AtomicU64,
    pub(super) video_bytes_sent: AtomicU64,
    pub(super) audio_packets_sent: AtomicU64,
    pub(super) frames_dropped: AtomicU64,
    pub(super) far_packets_lost: AtomicU64,
    pub(super) packets_reported: AtomicU64,
    pub(super) packets_missed_there: AtomicU64,
    pub(super) far_jitter_us: AtomicU64,
    pub(super) nacks_received: AtomicU64,
    pub(super) keyframe_requests_received: AtomicU64,
    pub(super) packets_recovered: AtomicU64,
    /// Held for a moment by the tasks of the connection alone.
    lip_sync: Mutex<LipSync>,
    pub(super) frames_received: AtomicU64,
    pub(super) video_bytes_received: AtomicU64,
    pub(super) audio_packets_received: AtomicU64,
    pub(super) packets_lost: AtomicU64,
    pub(super) packets_expected: AtomicU64,
    pub(super) packets_missed: AtomicU64,
    pub(super) jitter_us: AtomicU64,
    pub(super) nacks_sent: AtomicU64,
    pub(super) plis_sent: AtomicU64,
    pub(super) frames_decoded: AtomicU64,
    pub(super) frozen_us: AtomicU64,
    pub(super) receive_delay_us: AtomicU64,
    pub(super) width: AtomicU32,
    pub(super) height: AtomicU32,
    /// When the latest picture went to its tile; 0 when none is expected.
    last_picture_us: AtomicU64,
    /// The far side's camera is off: a picture that still arrives starts no gap.
    pictures_off: AtomicBool,
}

/// Moves a gauge an eighth of the way to `sample`; the first sample is taken as it is.
pub(super) fn smooth(gauge: &AtomicU64, sample: u64) {
    let old = gauge.load(Relaxed);
    let new = if old == 0 { sample } else { (old * 7 + sample) / 8 };
    gauge.store(new.max(1), Relaxed);
}

impl Counters {
    /// Counts a picture that went to its tile at `now`. Returns its size before, when it was another (0x0 at first).
    pub(super) fn picture(&self, width: u32, height: u32, delay_us: u64, now: MediaTime) -> Option<(u32, u32)> {
        self.frames_decoded.fetch_add(1, Relaxed);
        smooth(&self.receive_delay_us, delay_us);
        let latest = if self.pictures_off.load(Relaxed) { 0 } else { now.as_micros().max(1) };
        let before = self.last_picture_us.swap(latest, Relaxed);
        self.frozen_us.fetch_add(frozen_us(before, now), Relaxed);
        let old = (self.width.swap(width, Relaxed), self.height.swap(height, Relaxed));
        (old != (width, height)).then_some(old)
    }

    /// While no picture is expected, and before the first one that then comes, nothing counts as frozen.
    pub(super) fn expect_pictures(&self, expected: bool) {
        self.pictures_off.store(!expected, Relaxed);
        if !expected {
            self.last_picture_us.store(0, Relaxed);
        }
    }

    pub(super) fn lip_sync(&self) -> MutexGuard<'_, LipSync> {
        self.lip_sync.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The counters at `now`. Gauges of the path and of the outgoing streams are left out.
    pub(super) fn snapshot(&self, now: MediaTime) -> PeerStats {
        let count = |counter: &AtomicU64| counter.load(Relaxed);
        let millis = |gauge: &AtomicU64| gauge.load(Relaxed) as f32 / 1000.0;
        PeerStats {
            frames_sent: count(&self.frames_sent),
            video_bytes_sent: count(&self.video_bytes_sent),
            audio_packets_sent: count(&self.audio_packets_sent),
            frames_dropped: count(&self.frames_dropped),
            far_packets_lost: count(&self.far_packets_lost),
            packets_reported: count(&self.packets_reported),
            packets_missed_there: count(&self.packets_missed_there),
            far_jitter_ms: millis(&self.far_jitter_us),
            nacks_received: count(&self.nacks_received),
            packets_recovered: count(&self.packets_recovered),
            keyframe_requests_received: count(&self.keyframe_requests_received),
            frames_received: count(&self.frames_received),
            video_bytes_received: count(&self.video_bytes_received),
            audio_packets_received: count(&self.audio_packets_received),
            packets_lost: count(&self.packets_lost),
            packets_expected: count(&self.packets_expected),
            packets_missed: count(&self.packets_missed),
            jitter_ms: millis(&self.jitter_us),
            nacks_sent: count(&self.nacks_sent),
            plis_sent: count(&self.plis_sent),
            frames_decoded: count(&self.frames_decoded),
            frozen_ms: (count(&self.frozen_us) + frozen_us(count(&self.last_picture_us), now)) / 1000,
            receive_delay_ms: millis(&self.receive_delay_us),
            width: self.width.load(Relaxed),
            height: self.height.load(Relaxed),
            ..PeerStats::default()
        }
    }
}

/// Time that the gap from the picture at `before` (0: none is expected) to `now` adds to the frozen time, in microseconds.
fn frozen_us(before: u64, now: MediaTime) -> u64 {
    let gap = now.since(MediaTime::from_micros(before));
    if before != 0 && gap > FREEZE { gap.as_micros() as u64 } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gaps_between_expected_pictures_count_as_frozen() {
        let counters = Counters::default();
        let picture = |millis| counters.picture(640, 360, 1000, MediaTime::from_millis(millis));
        assert_eq!(picture(1000), Some((0, 0)));
        assert_eq!(picture(1200), None);
        picture(1701);
        counters.expect_pictures(false);
        picture(1720);
        counters.expect_pictures(true);
        picture(9000);
        picture(9033);
        let stats = counters.snapshot(MediaTime::from_millis(9050));
        assert_eq!((stats.frozen_ms, stats.frames_decoded), (501, 6));
        let stats = counters.snapshot(MediaTime::from_millis(10_033));
        assert_eq!(stats.frozen_ms, 1501, "a picture that stands still now is frozen now");
        assert_eq!(counters.picture(320, 180, 1000, MediaTime::from_millis(10_050)), Some((640, 360)));
    }
}
