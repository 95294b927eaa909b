//! Numbers as measurements print them.

use std::time::Duration;

use crate::media::Preset;

/// The preset of a size such as `1280x720`.
pub fn preset_of_size(size: &str) -> anyhow::Result<Preset> {
    Preset::ALL
        .into_iter()
        .find(|preset| {
            let (width, height) = preset.size();
            size == format!("{width}x{height}")
        })
        .ok_or_else(|| anyhow::anyhow!("{size} is no preset's size; use 1280x720, 640x480, 640x360 or another."))
}

/// Values of one measure, in ascending order.
#[derive(Clone, Debug)]
pub struct Distribution(Vec<f64>);

impl FromIterator<f64> for Distribution {
    fn from_iter<I: IntoIterator<Item = f64>>(values: I) -> Self {
        let mut values: Vec<f64> = values.into_iter().collect();
        values.sort_by(f64::total_cmp);
        Self(values)
    }
}

impl Distribution {
    /// The value below which `share` of the values lie, to a tenth; `None` of nothing.
    pub fn percentile(&self, share: f64) -> Option<f64> {
        let index = ((self.0.len() as f64 * share) as usize).min(self.0.len().checked_sub(1)?);
        self.0.get(index).map(|&value| round(value, 1))
    }

    /// The value in the middle; `None` of nothing.
    pub fn median(&self) -> Option<f64> {
        self.0.get(self.0.len() / 2).copied()
    }
}

/// The value in the middle; `None` of nothing.
pub fn median(values: impl IntoIterator<Item = f64>) -> Option<f64> {
    values.into_iter().collect::<Distribution>().median()
}

/// `value` to so many digits after the point.
pub fn round(value: f64, digits: i32) -> f64 {
    let scale = 10_f64.powi(digits);
    (value * scale).round() / scale
}

/// Times in milliseconds.
pub(super) fn in_ms(times: &[Duration]) -> Distribution {
    times.iter().map(|time| time.as_secs_f64() * 1000.0).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_of_nothing_are_nothing() {
        let of = |values: &[f64], share| values.iter().copied().collect::<Distribution>().percentile(share);
        assert_eq!(of(&[], 0.5), None);
        assert_eq!(of(&[3.0, 1.0, 2.0], 0.5), Some(2.0));
        assert_eq!(of(&[3.0, 1.0, 2.0], 0.95), Some(3.0));
        assert_eq!(median(vec![]), None);
        assert_eq!(median(vec![3.0, 1.0, 2.0]), Some(2.0));
    }

    #[test]
    fn a_size_is_that_of_a_preset_or_refused() {
        assert_eq!(preset_of_size("1280x720").ok().map(Preset::size), Some((1280, 720)));
        assert!(preset_of_size("1281x720").is_err());
    }
}
