//! Dates and durations as people read them.

use std::time::Duration;

use super::catalogue::{Text, Words};

/// A moment in the computer's time zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LocalTime {
    year: i32,
    month: i32,
    day: i32,
    hour: i32,
    minute: i32,
    day_of_year: i32,
}

impl LocalTime {
    /// The local time of a moment given in seconds since 1970 (UTC).
    pub fn of(unix_s: i64) -> Option<Self> {
        let mut broken = std::mem::MaybeUninit::<libc::tm>::uninit();
        // SAFETY: both pointers are valid for the call, and `localtime_r` fills the structure unless it returns null.
        let broken = unsafe {
            if libc::localtime_r(&unix_s, broken.as_mut_ptr()).is_null() {
                return None;
            }
            broken.assume_init()
        };
        Some(Self {
            year: broken.tm_year + 1900,
            month: broken.tm_mon + 1,
            day: broken.tm_mday,
            hour: broken.tm_hour,
            minute: broken.tm_min,
            day_of_year: broken.tm_yday,
        })
    }

    /// "Today 14:03", "Yesterday 09:12", or "2026-03-01".
    pub fn said(self, now: Self, words: Words) -> String {
        let time = format!("{:02}:{:02}", self.hour, self.minute);
        if (self.year, self.day_of_year) == (now.year, now.day_of_year) {
            words.fill(Text::Today, &[("time", &time)])
        } else if self.is_day_before(now) {
            words.fill(Text::Yesterday, &[("time", &time)])
        } else {
            format!("{}-{:02}-{:02}", self.year, self.month, self.day)
        }
    }

    fn is_day_before(self, now: Self) -> bool {
        let new_year = now.day_of_year == 0 && now.year == self.year + 1 && self.month == 12 && self.day == 31;
        new_year || (self.year == now.year && self.day_of_year + 1 == now.day_of_year)
    }
}

/// `duration` as HH:MM:SS.
pub fn hours_minutes_seconds(duration: Duration) -> String {
    let seconds = duration.as_secs();
    format!("{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60)
}

/// A duration in a list: "1:02:03", or "2:03" below an hour.
pub fn short(seconds: u32) -> String {
    match seconds / 3600 {
        0 => format!("{}:{:02}", seconds / 60, seconds % 60),
        hours => format!("{hours}:{:02}:{:02}", seconds / 60 % 60, seconds % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Language;

    fn at(year: i32, month: i32, day: i32, day_of_year: i32) -> LocalTime {
        LocalTime { year, month, day, hour: 9, minute: 5, day_of_year }
    }

    #[test]
    fn days_are_said_as_people_say_them() {
        let words = Words::of(Language::English, "");
        assert_eq!(at(2026, 3, 1, 59).said(at(2026, 3, 1, 59), words), "Today 09:05");
        assert_eq!(at(2026, 2, 28, 58).said(at(2026, 3, 1, 59), words), "Yesterday 09:05");
        assert_eq!(at(2025, 12, 31, 364).said(at(2026, 1, 1, 0), words), "Yesterday 09:05");
        assert_eq!(at(2026, 2, 1, 31).said(at(2026, 3, 1, 59), words), "2026-02-01");
    }

    #[test]
    fn durations_are_written_with_two_digits() {
        assert_eq!(hours_minutes_seconds(Duration::from_millis(3_723_900)), "01:02:03");
        assert_eq!((short(5), short(3723)), ("0:05".into(), "1:02:03".into()));
    }
}
