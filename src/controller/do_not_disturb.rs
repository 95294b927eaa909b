//! Do not disturb: by its switch, or in the quiet hours of the settings, by the local time.

use std::time::Duration;

use jiff::Zoned;

use crate::media::MediaTime;
use crate::store::{Settings, TimeOfDay, is_between, minutes_to_change};

/// From one look at the clock to the next, at most: it may be set, and the computer may sleep.
const LOOK_EVERY: Duration = Duration::from_secs(15 * 60);

/// Do not disturb as it was last told to the window, and when to look at the clock again.
#[derive(Debug, Default)]
pub(super) struct DoNotDisturb {
    on: bool,
    next_look: Option<MediaTime>,
}

impl DoNotDisturb {
    /// Whether nothing rings now.
    pub(super) const fn is_on(&self) -> bool {
        self.on
    }

    /// When to look at the clock again; `None` without quiet hours.
    pub(super) const fn due(&self) -> Option<MediaTime> {
        self.next_look
    }

    /// Follows the settings and the local time. True when it has changed.
    pub(super) fn follow(&mut self, now: MediaTime, settings: &Settings) -> bool {
        let local = settings.quiet_hours.then(local_time);
        self.next_look = local.map(|(time, second)| now + next_look(settings, time, second));
        let on = is_on(settings, local.map(|(time, _)| time));
        std::mem::replace(&mut self.on, on) != on
    }
}

/// The local time of day, and the second of its minute.
fn local_time() -> (TimeOfDay, u8) {
    let now = Zoned::now();
    let (hour, minute, second) = (now.hour(), now.minute(), now.second());
    (TimeOfDay::of_minutes(hour.unsigned_abs() as u16 * 60 + minute.unsigned_abs() as u16), second.unsigned_abs())
}

/// Whether nothing rings by these settings at this local time, which is `None` without quiet hours.
fn is_on(settings: &Settings, local: Option<TimeOfDay>) -> bool {
    let is_quiet = |time| is_between(settings.quiet_from, settings.quiet_until, time);
    settings.do_not_disturb || local.is_some_and(is_quiet)
}

fn next_look(settings: &Settings, time: TimeOfDay, second: u8) -> Duration {
    let minutes = minutes_to_change(settings.quiet_from, settings.quiet_until, time);
    (Duration::from_secs(u64::from(minutes) * 60) - Duration::from_secs(second.min(59).into())).min(LOOK_EVERY)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> TimeOfDay {
        text.parse().unwrap()
    }

    #[test]
    fn the_switch_holds_at_any_time_and_quiet_hours_in_theirs() {
        let night = Settings { quiet_from: at("22:00"), quiet_until: at("07:00"), ..Settings::default() };
        assert!(!is_on(&night, None), "quiet hours are off");
        assert!(is_on(&Settings { do_not_disturb: true, ..night.clone() }, None));
        for (now, quiet) in [("21:59", false), ("22:00", true), ("06:59", true), ("07:00", false)] {
            assert_eq!(is_on(&night, Some(at(now))), quiet, "{now}");
            assert!(is_on(&Settings { do_not_disturb: true, ..night.clone() }, Some(at(now))), "{now}");
        }
    }

    #[test]
    fn the_clock_is_looked_at_when_quiet_hours_begin_or_end_and_in_between() {
        let night = Settings { quiet_from: at("22:00"), quiet_until: at("07:00"), ..Settings::default() };
        assert_eq!(next_look(&night, at("21:59"), 20), Duration::from_secs(40));
        assert_eq!(next_look(&night, at("06:50"), 0), Duration::from_secs(600));
        assert_eq!(next_look(&night, at("12:00"), 0), LOOK_EVERY);
        assert_eq!(next_look(&night, at("21:59"), 60), Duration::from_secs(1), "a leap second");
    }
}
