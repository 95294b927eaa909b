//! Playout volume of one participant.

use serde::{Deserialize, Deserializer, Serialize, de};

/// Playout volume of one participant: percent of the amplitude that they sent, from 0 (silent) to 200 (6 dB louder).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Volume(u8);

impl Volume {
    /// The loudest one, in percent.
    pub const MAX_PERCENT: u8 = 200;
    /// Nothing is heard.
    pub const SILENT: Self = Self(0);

    /// A volume of `percent`; more than [`Self::MAX_PERCENT`] is taken for that.
    pub const fn from_percent(percent: u8) -> Self {
        Self(if percent > Self::MAX_PERCENT { Self::MAX_PERCENT } else { percent })
    }

    /// The volume in percent.
    pub const fn percent(self) -> u8 {
        self.0
    }

    /// Factor of the amplitude.
    pub fn gain(self) -> f32 {
        f32::from(self.0) / 100.0
    }
}

impl Default for Volume {
    /// As loud as it was sent.
    fn default() -> Self {
        Self(100)
    }
}

impl<'de> Deserialize<'de> for Volume {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let percent = u64::deserialize(deserializer)?;
        let fits = u8::try_from(percent).ok().filter(|percent| *percent <= Self::MAX_PERCENT);
        fits.map(Self).ok_or_else(|| de::Error::custom("a volume is 0 to 200 percent"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_volume_is_zero_to_two_hundred_percent_of_the_amplitude() {
        let gains = [0, 50, 100, 200, 255].map(|percent| Volume::from_percent(percent).gain());
        assert_eq!(gains, [0.0, 0.5, 1.0, 2.0, 2.0]);
        assert_eq!(Volume::default().gain(), 1.0);
        assert_eq!(serde_json::from_str::<Volume>("200").ok(), Some(Volume(200)));
        for refused in ["201", "300", "-1", "1.5", "\"100\""] {
            assert!(serde_json::from_str::<Volume>(refused).is_err(), "{refused}");
        }
    }
}
