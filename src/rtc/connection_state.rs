//! State that the parts of one peer connection share, each of it with one writer.

use std::sync::Arc;

use super::pacing::PacerQueue;
use super::path::{FarCapabilities, PathState};
use super::repair::redundancy::CopiesWanted;
use super::send_state::SendState;
use super::stats::{Counters, PeerStats};
use crate::media::MediaTime;

/// Handles on the shared state of one peer connection. Clones are the same state.
#[derive(Clone, Debug, Default)]
pub(super) struct ConnectionState {
    /// The network path: written by bandwidth estimation and the RTCP observer.
    pub(super) path: Arc<PathState>,
    /// The far side's capabilities: written by the driver.
    pub(super) far: Arc<FarCapabilities>,
    /// The outgoing streams: written by the sending task.
    pub(super) audio: Arc<SendState>,
    pub(super) video: Arc<SendState>,
    /// Pictures between the sending task and their departure.
    pub(super) pacer: Arc<PacerQueue>,
    /// Counts and gauges for statistics: written by all, read by `stats` alone.
    pub(super) counters: Arc<Counters>,
}

impl ConnectionState {
    /// State of a further stream of pictures on the same path: its packets and counters are its own.
    pub(super) fn of_further_stream(&self) -> Self {
        Self { video: Arc::default(), counters: Arc::default(), ..self.clone() }
    }

    /// RED copies (RFC 2198) that an audio packet which leaves at `now` should carry.
    pub(super) fn red_copies(&self, wanted: &mut CopiesWanted, now: MediaTime) -> usize {
        let takes = self.far.red();
        let copies = if takes { wanted.at(self.path.loss().share, self.path.media_bps(), now) } else { 0 };
        self.audio.note_red(copies, now);
        copies
    }

    /// A keyframe request for the stream `ssrc` that comes at `now` was made before the latest keyframe can have
    /// arrived.
    pub(super) fn keyframe_in_flight(&self, ssrc: u32, now: MediaTime) -> bool {
        self.pacer.holds_keyframe(ssrc, now) || self.video.keyframe_under_way(self.path.rtt(), now)
    }

    /// Everything that is counted or measured.
    pub(super) fn stats(&self) -> PeerStats {
        PeerStats {
            target_kbps: self.path.media_bps() as f32 / 1000.0,
            round_trip_ms: self.path.rtt().as_secs_f32() * 1000.0,
            send_delay_ms: self.video.departure_delay().as_secs_f32() * 1000.0,
            ..self.counters.snapshot()
        }
    }
}
