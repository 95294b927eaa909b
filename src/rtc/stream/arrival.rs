//! Arrivals of a received stream, from the interceptors to its receive path.

use rtc::rtp;

/// Arrival for a received stream, in order of arrival.
#[derive(Debug)]
pub(in crate::rtc) enum Arrival {
    /// A packet of media.
    Rtp(rtp::Packet),
    /// A sender report (RFC 3550, 6.4.1): the NTP time in 32.32 fixed point, and the RTP time of the same moment.
    SenderReport {
        /// NTP time.
        ntp_time: u64,
        /// RTP time.
        rtp_time: u32,
    },
}
