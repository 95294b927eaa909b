//! Clock of a received stream: RTP timestamps on the sender's wall clock, by its sender reports (RFC 3550, 6.4.1).

use crate::media::NtpTime;

/// Maps the RTP timestamps of one stream to the sender's wall clock.
#[derive(Clone, Copy, Debug)]
pub(super) struct SenderClock {
    rate_hz: i64,
    /// The latest report: a moment, and its RTP time.
    report: Option<(NtpTime, u32)>,
}

impl SenderClock {
    /// The clock of a stream whose timestamps count `rate_hz` a second.
    pub(super) const fn new(rate_hz: u32) -> Self {
        Self { rate_hz: rate_hz as i64, report: None }
    }

    /// Takes in a sender report.
    pub(super) const fn report(&mut self, ntp_time: u64, rtp_time: u32) {
        self.report = Some((NtpTime::from_ntp(ntp_time), rtp_time));
    }

    /// Capture time of the media with `rtp_timestamp`; `None` before the first report.
    pub(super) fn capture_time(&self, rtp_timestamp: u32) -> Option<NtpTime> {
        let (ntp_time, rtp_time) = self.report?;
        let after = i64::from(rtp_timestamp.wrapping_sub(rtp_time) as i32) * 1_000_000 / self.rate_hz;
        Some(ntp_time.plus_micros(after))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timestamps_before_and_after_a_report_are_told_across_the_wrap() {
        let mut clock = SenderClock::new(90_000);
        assert_eq!(clock.capture_time(0), None);
        let reported = NtpTime::from_ntp(3_900_000_000 << 32);
        clock.report(3_900_000_000 << 32, u32::MAX - 4499);
        assert_eq!(clock.capture_time(u32::MAX - 4499), Some(reported));
        assert_eq!(clock.capture_time(4500), Some(reported.plus_micros(100_000)));
        assert_eq!(clock.capture_time(u32::MAX - 8999), Some(reported.plus_micros(-50_000)));
    }

    #[test]
    fn nothing_that_a_far_side_reports_makes_it_overflow() {
        for ntp_time in [0, u64::MAX, 1 << 63] {
            let mut clock = SenderClock::new(48_000);
            clock.report(ntp_time, 0);
            for rtp_timestamp in [0, 1 << 31, u32::MAX] {
                assert!(clock.capture_time(rtp_timestamp).is_some());
            }
        }
    }
}
