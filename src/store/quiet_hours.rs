//! Quiet hours: the daily time without rings, over midnight where it ends before it begins.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

const MINUTES_OF_A_DAY: u16 = 24 * 60;

/// Time of day in whole minutes, "HH:MM" in JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct TimeOfDay(u16);

/// The text is no time of day from 00:00 to 23:59.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a time of day is written HH:MM, from 00:00 to 23:59")]
pub struct NoTimeOfDay;

impl TimeOfDay {
    /// The time this many minutes after midnight; whole days are left out.
    pub const fn of_minutes(minutes: u16) -> Self {
        Self(minutes % MINUTES_OF_A_DAY)
    }

    /// Minutes since midnight.
    pub const fn minutes(self) -> u16 {
        self.0
    }
}

impl fmt::Display for TimeOfDay {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:02}:{:02}", self.0 / 60, self.0 % 60)
    }
}

impl FromStr for TimeOfDay {
    type Err = NoTimeOfDay;

    fn from_str(text: &str) -> Result<Self, NoTimeOfDay> {
        let (hours, minutes) = text.split_once(':').ok_or(NoTimeOfDay)?;
        let number = |digits: &str, below: u16| {
            let is_short = (1..=2).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit());
            digits.parse::<u16>().ok().filter(|number| is_short && *number < below)
        };
        match (number(hours, 24), number(minutes, 60).filter(|_| minutes.len() == 2)) {
            (Some(hours), Some(minutes)) => Ok(Self(hours * 60 + minutes)),
            _ => Err(NoTimeOfDay),
        }
    }
}

impl Serialize for TimeOfDay {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for TimeOfDay {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

/// Whether the time from `from` until before `until`, each day, holds `now`. The same time twice is the whole day.
pub fn is_between(from: TimeOfDay, until: TimeOfDay, now: TimeOfDay) -> bool {
    if from < until { from <= now && now < until } else { from <= now || now < until }
}

/// Minutes from `now` to the next `from` or `until`, at least one.
pub fn minutes_to_change(from: TimeOfDay, until: TimeOfDay, now: TimeOfDay) -> u16 {
    let to = |at: TimeOfDay| (at.0 + MINUTES_OF_A_DAY - now.0 - 1) % MINUTES_OF_A_DAY + 1;
    to(from).min(to(until))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> TimeOfDay {
        text.parse().unwrap()
    }

    #[test]
    fn times_are_written_as_people_write_them_and_nothing_else_is_taken() {
        assert_eq!((at("00:00").minutes(), at("7:05").to_string(), at("23:59").minutes()), (0, "07:05".into(), 1439));
        for wrong in ["", "7", "24:00", "12:60", "12:5", "-1:30", "+1:30", "12:030", "12:30:00", "a:bc", "1２:30"] {
            assert_eq!(wrong.parse::<TimeOfDay>(), Err(NoTimeOfDay), "{wrong}");
        }
        assert_eq!(TimeOfDay::of_minutes(1440 + 61), at("01:01"));
    }

    #[test]
    fn quiet_hours_may_go_over_midnight() {
        let night = |now: &str| is_between(at("22:00"), at("07:00"), at(now));
        assert!(night("22:00") && night("23:59") && night("00:00") && night("06:59"));
        assert!(!night("07:00") && !night("12:00") && !night("21:59"));
        let noon = |now: &str| is_between(at("12:00"), at("13:30"), at(now));
        assert!(noon("12:00") && noon("13:29") && !noon("13:30") && !noon("11:59") && !noon("00:00"));
        assert!(is_between(at("08:00"), at("08:00"), at("03:00")), "the whole day");
    }

    #[test]
    fn the_next_change_is_the_nearer_of_the_two_and_never_now() {
        let next = |now: &str| minutes_to_change(at("22:00"), at("07:00"), at(now));
        assert_eq!((next("21:59"), next("22:00"), next("23:30"), next("07:00")), (1, 540, 450, 900));
        assert_eq!(minutes_to_change(at("08:00"), at("08:00"), at("08:00")), 1440);
    }
}
