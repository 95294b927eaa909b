//! Sizes of packets that fit every path.

/// RTP payload bytes at most: fits any path of 1280 bytes (RFC 8200, 5) with IPv6, UDP, SRTP and header extensions.
pub(super) const MAX_PAYLOAD: usize = 1150;
