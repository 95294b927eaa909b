//! Dates and durations as people read them.

use std::time::Duration;

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use super::catalogue::{Text, Words};

/// A moment in the computer's time zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LocalTime(DateTime);

impl LocalTime {
    /// The local time of a moment given in seconds since 1970 (UTC).
    pub fn of(unix_s: i64) -> Option<Self> {
        let at = Timestamp::from_second(unix_s).ok()?;
        Some(Self(at.to_zoned(TimeZone::system()).datetime()))
    }

    /// "Today 14:03", "Yesterday 09:12", or "2026-03-01".
    pub fn said(self, now: Self, words: Words) -> String {
        let time = self.0.strftime("%H:%M").to_string();
        let (day, today) = (self.0.date(), now.0.date());
        if day == today {
            words.fill(Text::Today, &[("time", &time)])
        } else if day.tomorrow().is_ok_and(|next| next == today) {
            words.fill(Text::Yesterday, &[("time", &time)])
        } else {
            day.to_string()
        }
    }
}

/// A duration: "1:02:03", or "2:03" below an hour.
pub fn clock(duration: Duration) -> String {
    let seconds = duration.as_secs();
    match seconds / 3600 {
        0 => format!("{}:{:02}", seconds / 60, seconds % 60),
        hours => format!("{hours}:{:02}:{:02}", seconds / 60 % 60, seconds % 60),
    }
}

/// The same of whole seconds.
pub fn short(seconds: u32) -> String {
    clock(Duration::from_secs(seconds.into()))
}

/// A duration in words: "42 s", "12 min", "1 h 5 min".
pub fn length(seconds: u32, words: Words) -> String {
    let minutes = seconds / 60;
    match (minutes / 60, minutes % 60) {
        (0, 0) => words.fill(Text::LengthSeconds, &[("value", &seconds.to_string())]),
        (0, minutes) => words.fill(Text::LengthMinutes, &[("value", &minutes.to_string())]),
        (hours, minutes) => {
            words.fill(Text::LengthHours, &[("hours", &hours.to_string()), ("minutes", &minutes.to_string())])
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Language;

    fn at(year: i16, month: i8, day: i8) -> LocalTime {
        LocalTime(DateTime::constant(year, month, day, 9, 5, 0, 0))
    }

    #[test]
    fn days_are_said_as_people_say_them() {
        let words = Words::of(Language::English, "");
        assert_eq!(at(2026, 3, 1).said(at(2026, 3, 1), words), "Today 09:05");
        assert_eq!(at(2026, 2, 28).said(at(2026, 3, 1), words), "Yesterday 09:05");
        assert_eq!(at(2025, 12, 31).said(at(2026, 1, 1), words), "Yesterday 09:05");
        assert_eq!(at(2026, 2, 1).said(at(2026, 3, 1), words), "2026-02-01");
    }

    #[test]
    fn every_moment_of_a_history_has_a_local_time() {
        let day = 24 * 3600;
        let (first, second) = (LocalTime::of(1_750_000_000).unwrap(), LocalTime::of(1_750_000_000 + day).unwrap());
        assert_eq!(first.0.date().tomorrow().unwrap(), second.0.date());
        assert_eq!(LocalTime::of(i64::MAX), None);
    }

    #[test]
    fn durations_have_one_form_each_for_clocks_and_for_sentences() {
        assert_eq!(clock(Duration::from_millis(1_900)), "0:01");
        assert_eq!((short(104), short(3723)), ("1:44".into(), "1:02:03".into()));
        let words = Words::of(Language::English, "");
        assert_eq!(
            [42, 60, 754, 3_900].map(|seconds| length(seconds, words)),
            ["42 s", "1 min", "12 min", "1 h 5 min"]
        );
    }
}
