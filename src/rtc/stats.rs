//! Statistics of one peer connection: counters and gauges, written by its tasks, read by the controller at any time.
//! They steer nothing: state that algorithms read is in `path`, `send_state` and the streams.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

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
    /// Target of congestion control, sound included, in kbit/s; 0 before anything was sent.
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
    /// Way of the media that leaves.
    pub route: MediaRoute,
}

/// Way of media between this side and the far side.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MediaRoute {
    /// From computer to computer, or none yet.
    #[default]
    Direct,
    /// Through a TURN server, over UDP.
    RelayUdp,
    /// Through a TURN server, over TLS.
    RelayTls,
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
    pub(super) frames_received: AtomicU64,
    pub(super) video_bytes_received: AtomicU64,
    pub(super) audio_packets_received: AtomicU64,
    pub(super) packets_lost: AtomicU64,
    pub(super) packets_expected: AtomicU64,
    pub(super) packets_missed: AtomicU64,
    pub(super) jitter_us: AtomicU64,
    pub(super) nacks_sent: AtomicU64,
    pub(super) plis_sent: AtomicU64,
}

impl Counters {
    /// Counters. Gauges of the path and of the outgoing streams are left out.
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
            ..PeerStats::default()
        }
    }
}
