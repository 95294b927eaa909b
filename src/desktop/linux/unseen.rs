//! Program without a window on a desktop that shows no tray, or no more: it could be neither seen nor ended, so that a
//! window is opened.

use std::time::{Duration, Instant};

/// How long the program may be unseen: at the beginning of a session the tray may come up after it.
const PATIENCE: Duration = Duration::from_secs(10);

/// Since when the program has been unseen.
#[derive(Debug, Default)]
pub(super) struct Unseen {
    since: Option<Instant>,
}

impl Unseen {
    /// Follows whether a window or the tray shows the program; true each time that a window is to be opened.
    pub(super) fn follow(&mut self, now: Instant, seen: bool) -> bool {
        let since = self.since.take().unwrap_or(now);
        let opens = !seen && now.duration_since(since) >= PATIENCE;
        self.since = (!seen).then_some(if opens { now } else { since });
        opens
    }

    /// How long until a window is to be opened; `None` while something shows the program.
    pub(super) fn left(&self, now: Instant) -> Option<Duration> {
        self.since.map(|since| PATIENCE.saturating_sub(now.duration_since(since)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_is_opened_once_neither_it_nor_the_tray_has_been_there_for_a_while() {
        let (start, mut unseen) = (Instant::now(), Unseen::default());
        let at = |seconds| start + Duration::from_secs(seconds);
        assert_eq!(unseen.left(at(0)), None);
        assert!(!unseen.follow(at(0), false) && !unseen.follow(at(9), false));
        assert_eq!((unseen.left(at(9)), unseen.left(at(11))), (Some(Duration::from_secs(1)), Some(Duration::ZERO)));
        assert!(!unseen.follow(at(9), true), "the tray came up late");
        assert!(!unseen.follow(at(60), true) && !unseen.follow(at(61), false), "and is gone");
        assert!(!unseen.follow(at(70), false) && unseen.follow(at(71), false));
        assert!(!unseen.follow(at(72), false), "the window is on its way");
        assert!(!unseen.follow(at(73), true));
        assert_eq!(unseen.left(at(73)), None, "nothing is waited for");
    }
}
