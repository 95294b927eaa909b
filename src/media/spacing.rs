//! Requests that must not follow each other too closely, such as those for a keyframe.

use std::time::Duration;

use super::MediaTime;

/// Lets one request through, then none until some time has passed. Time is an argument.
#[derive(Clone, Copy, Debug)]
pub struct Spacing {
    least: Duration,
    last: Option<MediaTime>,
}

impl Spacing {
    /// At least `least` between two requests.
    pub const fn new(least: Duration) -> Self {
        Self { least, last: None }
    }

    /// True when a request may be made at `now`; it then counts as made.
    pub fn permits(&mut self, now: MediaTime) -> bool {
        let permitted = self.last.is_none_or(|last| now.since(last) >= self.least);
        if permitted {
            self.last = Some(now);
        }
        permitted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_request_passes_in_each_interval() {
        let mut spacing = Spacing::new(Duration::from_millis(300));
        let permitted: Vec<u64> =
            (0..10).map(|n| n * 100).filter(|&millis| spacing.permits(MediaTime::from_millis(millis))).collect();
        assert_eq!(permitted, [0, 300, 600, 900]);
    }
}
