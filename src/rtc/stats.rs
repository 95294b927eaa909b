//! What one peer connection counts: written by its tasks, read by the controller at any time.

use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::congestion::Flight;
use super::repair::redundancy::CopiesWanted;
use super::round_trip::RoundTrip;
use crate::media::{MediaTime, VideoLevel};

/// A keyframe's packets are leaving.
const LEAVING: u64 = u64::MAX;
/// Beyond the round trip: the time that both sides take to put a keyframe together and to answer.
const KEYFRAME_MARGIN: Duration = Duration::from_millis(50);

/// Without a packet of sound for this long, this side is muted.
const SOUND_PAUSES: Duration = Duration::from_millis(200);

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
    /// What congestion control lets pass now, sound included, in kbit/s; 0 before anything was sent.
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
    /// Bytes of all datagrams that came from the far side, with the headers of IPv4 and UDP.
    pub wire_bytes_received: u64,
    /// Datagrams refused because their source had not proved to be the far side.
    pub datagrams_refused: u64,
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
    pub(super) send_delay_us: AtomicU64,
    /// From the capture of the first sample of a packet of sound to its departure, the latest.
    pub(super) sound_send_delay_us: AtomicU64,
    pub(super) nacks_received: AtomicU64,
    pub(super) keyframe_requests_received: AtomicU64,
    round_trip_us: AtomicU64,
    /// Held for a moment by the task of the connection alone.
    round_trips: Mutex<RoundTrip>,
    path_changes: AtomicU32,
    /// Target rate of sending, in bit/s; 0 before anything was sent.
    pub(super) target_bps: AtomicU64,
    /// How long packets are on their way.
    pub(super) flight: Flight,
    pub(super) packets_recovered: AtomicU64,
    /// Loss of the path in the sending direction over the last seconds, in millionths, and the mean length of a run of
    /// lost packets, in thousandths.
    path_loss_ppm: AtomicU32,
    loss_run_milli: AtomicU32,
    /// The far side understands redundant sound.
    pub(super) far_takes_copies: AtomicBool,
    /// The far side understands forward error correction of the video.
    pub(super) far_takes_fec: AtomicBool,
    /// The `level_idc` up to which the far side decodes; 0 before it has said.
    far_level: AtomicU8,
    /// Copies that the latest packet of sound carried, and when it left.
    sound_copies: AtomicU32,
    sound_left_us: AtomicU64,
    pub(super) frames_received: AtomicU64,
    pub(super) video_bytes_received: AtomicU64,
    pub(super) audio_packets_received: AtomicU64,
    pub(super) packets_lost: AtomicU64,
    pub(super) packets_expected: AtomicU64,
    pub(super) packets_missed: AtomicU64,
    pub(super) jitter_us: AtomicU64,
    pub(super) nacks_sent: AtomicU64,
    pub(super) plis_sent: AtomicU64,
    /// When the last packet of the latest keyframe left, in microseconds; `LEAVING` while it leaves.
    keyframe_left_us: AtomicU64,
}

/// Loss on a path over the last seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct TypicalLoss {
    /// The share of packets that are lost, 0 to 1.
    pub(super) share: f64,
    /// The mean length of a run of losses, in packets; 1 / (1 - share) where each is lost independently of the others.
    pub(super) run: f64,
}

impl Counters {
    /// A frame begins to leave.
    pub(super) fn keyframe_leaves(&self, keyframe: bool) {
        if keyframe {
            self.keyframe_left_us.store(LEAVING, Relaxed);
        }
    }

    /// The last packet of a keyframe left at `now`.
    pub(super) fn keyframe_left(&self, now: MediaTime) {
        self.keyframe_left_us.store(now.as_micros().max(1), Relaxed);
    }

    /// True when a request for a keyframe that comes at `now` was made before the latest one can have arrived.
    pub(super) fn keyframe_is_on_its_way(&self, now: MediaTime) -> bool {
        match self.keyframe_left_us.load(Relaxed) {
            0 => false,
            LEAVING => true,
            left => now.since(MediaTime::from_micros(left)) < self.round_trip() + KEYFRAME_MARGIN,
        }
    }

    /// Notes the level up to which the far side decodes.
    pub(super) fn set_far_level(&self, level: VideoLevel) {
        self.far_level.store(level.idc(), Relaxed);
    }

    /// The level up to which the far side decodes.
    pub(super) fn far_level(&self) -> VideoLevel {
        match self.far_level.load(Relaxed) {
            0 => VideoLevel::default(),
            idc => VideoLevel::from_idc(idc),
        }
    }

    /// The share of packets that the path lost lately, 0 to 1.
    pub(super) fn path_loss(&self) -> f64 {
        f64::from(self.path_loss_ppm.load(Relaxed)) / 1e6
    }

    /// How many copies a packet of sound that leaves at `now` should carry.
    pub(super) fn copies(&self, wanted: &mut CopiesWanted, now: MediaTime) -> usize {
        let takes = self.far_takes_copies.load(Relaxed);
        let copies = if takes { wanted.at(self.path_loss(), self.target_bps.load(Relaxed), now) } else { 0 };
        self.sound_copies.store(copies as u32, Relaxed);
        self.sound_left_us.store(now.as_micros(), Relaxed);
        copies
    }

    /// The copies that packets of sound carry at `now`: none while muted.
    pub(super) fn sound_copies(&self, now: MediaTime) -> u32 {
        let left = MediaTime::from_micros(self.sound_left_us.load(Relaxed));
        if now.since(left) < SOUND_PAUSES { self.sound_copies.load(Relaxed) } else { 0 }
    }

    /// What the path loses of what this side sends, and in runs of how many packets.
    pub(super) fn typical_loss(&self) -> TypicalLoss {
        TypicalLoss { share: self.path_loss(), run: f64::from(self.loss_run_milli.load(Relaxed)) / 1000.0 }
    }

    pub(super) fn set_path_loss(&self, loss: TypicalLoss) {
        self.path_loss_ppm.store((loss.share * 1e6) as u32, Relaxed);
        self.loss_run_milli.store((loss.run * 1000.0) as u32, Relaxed);
    }

    /// A feedback came so long after the latest packet that it names had left.
    pub(super) fn round_trip_of_feedback(&self, took: Duration) {
        self.note_round_trip(|estimate| estimate.feedback(took));
    }

    /// The same, of a path that has become longer at once.
    pub(super) fn round_trip_restarts(&self, took: Duration) {
        self.note_round_trip(|estimate| {
            *estimate = RoundTrip::default();
            estimate.feedback(took);
        });
    }

    /// The echo of a sender report came, after so long without the time that the far side held it.
    pub(super) fn round_trip_of_echo(&self, took: Duration) {
        self.note_round_trip(|estimate| estimate.sample(took));
    }

    /// By how much round trips differ from that.
    pub(super) fn round_trip_variation(&self) -> Duration {
        self.round_trips.lock().unwrap_or_else(PoisonError::into_inner).variation()
    }

    /// From now on packets take another path.
    pub(super) fn path_changed(&self) {
        self.note_round_trip(|estimate| *estimate = RoundTrip::default());
        self.path_changes.fetch_add(1, Relaxed);
    }

    /// How often that was.
    pub(super) fn path_changes(&self) -> u32 {
        self.path_changes.load(Relaxed)
    }

    fn note_round_trip(&self, note: impl FnOnce(&mut RoundTrip)) {
        let mut estimate = self.round_trips.lock().unwrap_or_else(PoisonError::into_inner);
        note(&mut estimate);
        let smoothed = estimate.smoothed().map_or(0, |smoothed| (smoothed.as_micros() as u64).max(1));
        self.round_trip_us.store(smoothed, Relaxed);
    }

    /// The round trip, zero before the first report.
    pub(super) fn round_trip(&self) -> Duration {
        Duration::from_micros(self.round_trip_us.load(Relaxed))
    }

    pub(super) fn snapshot(&self) -> PeerStats {
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
            target_kbps: count(&self.target_bps) as f32 / 1000.0,
            far_jitter_ms: millis(&self.far_jitter_us),
            send_delay_ms: millis(&self.send_delay_us),
            nacks_received: count(&self.nacks_received),
            packets_recovered: count(&self.packets_recovered),
            keyframe_requests_received: count(&self.keyframe_requests_received),
            round_trip_ms: millis(&self.round_trip_us),
            frames_received: count(&self.frames_received),
            video_bytes_received: count(&self.video_bytes_received),
            audio_packets_received: count(&self.audio_packets_received),
            packets_lost: count(&self.packets_lost),
            packets_expected: count(&self.packets_expected),
            packets_missed: count(&self.packets_missed),
            jitter_ms: millis(&self.jitter_us),
            nacks_sent: count(&self.nacks_sent),
            plis_sent: count(&self.plis_sent),
            ..PeerStats::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_muted_sends_no_copies() {
        let (counters, mut wanted) = (Counters::default(), CopiesWanted::default());
        counters.far_takes_copies.store(true, Relaxed);
        counters.target_bps.store(1_000_000, Relaxed);
        counters.set_path_loss(TypicalLoss { share: 0.1, run: 1.0 });
        let at = MediaTime::from_millis;
        assert_eq!(counters.copies(&mut wanted, at(1000)), 2);
        assert_eq!([1020, 1199, 1200].map(|ms| counters.sound_copies(at(ms))), [2, 2, 0]);
    }
}
