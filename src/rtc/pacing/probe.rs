//! A probe: packets that leave at a rate above the target, to learn whether the path carries it.

/// Packets of a cluster at most. A jitter buffer starts anew at 100 late packets in a row, and those of a probe repeat
/// what has come: two clusters together stay below.
const MAX_PACKETS: usize = 40;

/// A group of packets that leave at one rate (libwebrtc's `ProbeClusterConfig`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::rtc) struct ProbeCluster {
    pub(in crate::rtc) id: u32,
    /// On the wire, with all headers.
    pub(in crate::rtc) rate_bps: u64,
    /// At least so many bytes and packets, as far as `MAX_PACKETS` allows.
    pub(in crate::rtc) bytes: usize,
    pub(in crate::rtc) packets: usize,
    /// Wanted size of each packet, in bytes.
    pub(in crate::rtc) packet_bytes: usize,
}

impl ProbeCluster {
    /// Nothing more is to leave once so many packets and bytes have left.
    pub(in crate::rtc) fn has_left(&self, packets: usize, bytes: usize) -> bool {
        packets >= MAX_PACKETS || (packets >= self.packets && bytes >= self.bytes)
    }
}

/// Probe cluster of a packet, as far as there is one: a custom attribute with the cluster's identifier.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::rtc) struct ProbeMark(pub(in crate::rtc) u32);
