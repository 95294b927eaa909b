//! Prober: the packets of a probe (libwebrtc's `bitrate_prober.cc`), where media does not suffice retransmissions of
//! recent packets (RFC 4588).
//!
//! Owned by the pacer; time is an argument.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::{BufMut, BytesMut};
use rtc::interceptor::StreamInfo;
use rtc::rtp;

use super::bucket::LeakyBucket;
use super::probe::{ProbeCluster, ProbeMark};

/// Video packets that are kept for it.
const RECENT: usize = 24;
/// They are of use as long as the receiver knows which packets they were.
const MAX_AGE: u16 = 400;
/// Credit of a late timer, in time at the probe's rate.
const SAVED_LATE: Duration = Duration::from_millis(2);

/// Makes probes.
#[derive(Debug, Default)]
pub(super) struct Prober {
    active: Option<Active>,
    /// Video packets that left, the latest last.
    recent: VecDeque<rtp::Packet>,
    /// By the SSRC of a video stream: SSRC and payload type of its retransmissions.
    retransmissions: HashMap<u32, (u32, u8)>,
}

#[derive(Debug)]
struct Active {
    cluster: ProbeCluster,
    mark: Arc<ProbeMark>,
    bucket: LeakyBucket,
    bytes: usize,
    packets: usize,
}

impl Prober {
    pub(super) fn bind(&mut self, stream: &StreamInfo) {
        if let (Some(ssrc), Some(payload_type)) = (stream.ssrc_rtx, stream.payload_type_rtx) {
            self.retransmissions.insert(stream.ssrc, (ssrc, payload_type));
        }
    }

    pub(super) fn unbind(&mut self, stream: &StreamInfo) {
        self.retransmissions.remove(&stream.ssrc);
        self.recent.retain(|packet| packet.header.ssrc != stream.ssrc);
    }

    /// A video packet leaves.
    pub(super) fn departs(&mut self, packet: &rtp::Packet) {
        if self.recent.len() == RECENT {
            self.recent.pop_front();
        }
        self.recent.push_back(packet.clone());
    }

    /// Begins a probe.
    pub(super) fn begin(&mut self, cluster: ProbeCluster) {
        let (mark, bucket) = (Arc::new(ProbeMark(cluster.id)), LeakyBucket::new(1.0));
        self.active = Some(Active { cluster, mark, bucket, bytes: 0, packets: 0 });
    }

    /// The mark of the next packet, if one may leave now.
    pub(super) fn may_send(&mut self, now: Instant) -> Option<Arc<ProbeMark>> {
        let active = self.active.as_mut()?;
        let rate = active.cluster.rate_bps as f64 / 8.0;
        active.bucket.advance(rate, rate * SAVED_LATE.as_secs_f64(), now);
        active.bucket.is_open().then(|| Arc::clone(&active.mark))
    }

    /// A packet of the probe leaves, so large on the wire.
    pub(super) fn left(&mut self, size: usize) {
        let Some(active) = &mut self.active else { return };
        active.bucket.take(size);
        (active.bytes, active.packets) = (active.bytes + size, active.packets + 1);
        if active.cluster.has_left(active.packets, active.bytes) {
            self.active = None;
        }
    }

    /// When the next packet may leave, as seen at `now`.
    pub(super) fn next_departure(&self, now: Instant) -> Option<Instant> {
        self.active.as_ref().map(|active| active.bucket.opens_at(now))
    }

    /// Ends a probe for which there are no packets.
    pub(super) fn give_up(&mut self) {
        self.active = None;
    }

    /// A retransmission of a recent packet, the one whose size is nearest to that of the cluster's packets.
    pub(super) fn retransmission(&self) -> Option<rtp::Packet> {
        let wanted = self.active.as_ref()?.cluster.packet_bytes;
        let newest = |ssrc: u32| self.recent.iter().rev().find(|one| one.header.ssrc == ssrc);
        let is_known = |packet: &&rtp::Packet| {
            newest(packet.header.ssrc).is_some_and(|latest| {
                latest.header.sequence_number.wrapping_sub(packet.header.sequence_number) <= MAX_AGE
            })
        };
        let candidates = self.recent.iter().filter(is_known);
        let original = candidates.min_by_key(|packet| packet.payload.len().abs_diff(wanted))?;
        let &(ssrc, payload_type) = self.retransmissions.get(&original.header.ssrc)?;
        let mut payload = BytesMut::with_capacity(2 + original.payload.len());
        payload.put_u16(original.header.sequence_number);
        payload.put_slice(&original.payload);
        let header = rtp::header::Header {
            version: 2,
            ssrc,
            payload_type,
            timestamp: original.header.timestamp,
            marker: original.header.marker,
            ..Default::default()
        };
        Some(rtp::Packet { header, payload: payload.freeze() })
    }
}
