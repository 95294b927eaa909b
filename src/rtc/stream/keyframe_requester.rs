//! Requests for a keyframe of one video stream: of the far side (PLI, RFC 4585, 6.3.1), or of the encoder.
//!
//! The one limiter of them: the jitter buffer, the decoder, the queue and the application only say that a keyframe is
//! needed. Time is an argument.

use std::time::Duration;

use crate::media::MediaTime;

/// Decides when a request leaves.
#[derive(Debug)]
pub(super) struct KeyframeRequester {
    /// Between two requests.
    interval: Duration,
    needed: bool,
    last_request: Option<MediaTime>,
}

impl KeyframeRequester {
    /// At least `interval` between two requests: a request or its keyframe may be lost, and a keyframe takes its time.
    pub(super) const fn new(interval: Duration) -> Self {
        Self { interval, needed: false, last_request: None }
    }

    /// Decoding cannot go on without a keyframe. One request follows, now or once enough time has passed since the last
    /// one; a keyframe that is still missing then has to be said again.
    pub(super) const fn need(&mut self) {
        self.needed = true;
    }

    /// A keyframe has come.
    pub(super) const fn on_keyframe(&mut self) {
        self.needed = false;
    }

    /// When a request may leave that waits for it.
    pub(super) fn deadline(&self) -> Option<MediaTime> {
        self.needed.then(|| self.last_request.map_or(MediaTime::default(), |last| last + self.interval))
    }

    /// True when a request is to be sent at `now`; it then counts as sent.
    pub(super) fn take_request(&mut self, now: MediaTime) -> bool {
        let due = self.deadline().is_some_and(|deadline| deadline <= now);
        if due {
            self.needed = false;
            self.last_request = Some(now);
        }
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn needs_close_together_make_one_request_and_a_later_one_when_it_may_leave() {
        let mut requester = KeyframeRequester::new(Duration::from_millis(300));
        let at = MediaTime::from_millis;
        assert!(!requester.take_request(at(1000)), "nobody needs one");
        let mut requests = Vec::new();
        for millis in (1000..2000).step_by(10) {
            if millis < 1500 {
                requester.need();
            }
            if requester.take_request(at(millis)) {
                requests.push(millis);
            }
        }
        assert_eq!(requests, [1000, 1300, 1600]);
        assert_eq!(requester.deadline(), None);
    }

    #[test]
    fn a_keyframe_that_comes_first_makes_a_request_needless() {
        let mut requester = KeyframeRequester::new(Duration::from_millis(300));
        let at = MediaTime::from_millis;
        requester.need();
        assert!(requester.take_request(at(1000)));
        requester.need();
        assert_eq!(requester.deadline(), Some(at(1300)));
        requester.on_keyframe();
        assert!(requester.deadline().is_none() && !requester.take_request(at(2000)));
    }
}
