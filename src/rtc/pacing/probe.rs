//! A probe: packets that leave at a rate above the target, to learn whether the path carries it.

/// A group of packets that leave at one rate (libwebrtc's `ProbeClusterConfig`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::rtc) struct ProbeCluster {
    pub(in crate::rtc) id: u32,
    /// On the wire, with all headers.
    pub(in crate::rtc) rate_bps: u64,
    /// At least so many bytes and packets.
    pub(in crate::rtc) bytes: usize,
    pub(in crate::rtc) packets: usize,
    /// Wanted size of each packet, in bytes.
    pub(in crate::rtc) packet_bytes: usize,
}

/// Probe cluster of a packet, as far as there is one: a custom attribute with the cluster's identifier.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::rtc) struct ProbeMark(pub(in crate::rtc) u32);
