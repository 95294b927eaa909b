//! Reordering window: how long a missing packet may still come by itself (as `nack_requester.cc` of libwebrtc keeps a
//! histogram of reordering, and RFC 8985, 6.2 a reordering window).
//!
//! Each gap ends in one of two ways: its packet comes late, or it is lost. A request is worth its answer once the
//! packet is more likely lost than late. Where packets overtake each other and few are lost, that is when hardly any
//! has ever come later; where none overtakes another, at once. Pure.

use std::time::Duration;

/// Width of a step of the histogram, and their number: 120 ms.
const STEP: Duration = Duration::from_millis(4);
const STEPS: usize = 30;
/// Evidence fades by this factor with each gap: some two hundred gaps count.
const FADE: f64 = 0.995;
/// A packet is asked for once it comes by itself with less than this chance.
const STILL_COMES: f64 = 0.25;

/// Lateness of packets that were overtaken, against packets that were lost.
#[derive(Debug, Default)]
pub(super) struct ReorderingWindow {
    /// By lateness, the last one for what is later; fading counts.
    late: [f64; STEPS],
    lost: f64,
}

impl ReorderingWindow {
    /// A missing packet came by itself, so long after its gap showed.
    pub(super) fn came_late(&mut self, lateness: Duration) {
        self.fade();
        let step = (lateness.as_micros() / STEP.as_micros()) as usize;
        self.late[step.min(STEPS - 1)] += 1.0;
    }

    /// A missing packet had to be repaired, or never came.
    pub(super) fn was_lost(&mut self) {
        self.fade();
        self.lost += 1.0;
    }

    /// A packet that had counted as lost came by itself after its repair.
    pub(super) fn came_after_repair(&mut self, lateness: Duration) {
        self.lost = (self.lost - 1.0).max(0.0);
        self.came_late(lateness);
    }

    /// How long to wait before a request.
    pub(super) fn wait(&self) -> Duration {
        let mut later = 0.0;
        for (step, count) in self.late.iter().enumerate().rev() {
            later += count;
            if later > (later + self.lost) * STILL_COMES && later >= 0.5 {
                return STEP * (step as u32 + 1);
            }
        }
        Duration::ZERO
    }

    fn fade(&mut self) {
        self.late.iter_mut().for_each(|count| *count *= FADE);
        self.lost *= FADE;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: fn(u64) -> Duration = Duration::from_millis;

    #[test]
    fn a_path_that_keeps_the_order_waits_for_nothing() {
        let mut window = ReorderingWindow::default();
        assert_eq!(window.wait(), Duration::ZERO);
        (0..500).for_each(|_| window.was_lost());
        assert_eq!(window.wait(), Duration::ZERO);
        window.came_late(MS(30));
        assert_eq!(window.wait(), Duration::ZERO, "one of many is chance");
    }

    #[test]
    fn a_path_that_reorders_waits_until_hardly_anything_comes_later() {
        let mut window = ReorderingWindow::default();
        window.came_late(MS(21));
        assert_eq!(window.wait(), MS(24), "the first one tells");
        (0..100).for_each(|n| window.came_late(MS(n % 50)));
        assert!((MS(44)..=MS(52)).contains(&window.wait()), "{:?}", window.wait());
        (0..1000).for_each(|_| window.was_lost());
        assert_eq!(window.wait(), Duration::ZERO, "it reorders no more");
    }

    #[test]
    fn where_both_happen_a_request_leaves_once_loss_is_likelier() {
        let mut window = ReorderingWindow::default();
        for n in 0..400 {
            window.came_late(MS(n % 40));
            window.was_lost();
        }
        // Of a gap that is older than this, one in four packets comes by itself.
        assert!((MS(24)..=MS(32)).contains(&window.wait()), "{:?}", window.wait());
        for n in 0..400 {
            window.was_lost();
            window.came_after_repair(MS(n % 40));
        }
        assert!(window.wait() >= MS(36), "{:?}", window.wait());
    }
}
