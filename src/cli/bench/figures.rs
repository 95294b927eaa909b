//! Numbers as measurements print them.

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

/// The value below which `share` of the sorted values lie, to a tenth; `None` of nothing.
pub fn percentile(sorted: &[f64], share: f64) -> Option<f64> {
    let index = ((sorted.len() as f64 * share) as usize).min(sorted.len().checked_sub(1)?);
    sorted.get(index).map(|&value| round(value, 1))
}

/// The value in the middle; `None` of nothing.
pub fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied()
}

/// `value` to so many digits after the point.
pub fn round(value: f64, digits: i32) -> f64 {
    let scale = 10_f64.powi(digits);
    (value * scale).round() / scale
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_of_nothing_are_nothing() {
        assert_eq!(percentile(&[], 0.5), None);
        assert_eq!(percentile(&[1.0, 2.0, 3.0], 0.5), Some(2.0));
        assert_eq!(percentile(&[1.0, 2.0, 3.0], 0.95), Some(3.0));
        assert_eq!(median(vec![]), None);
        assert_eq!(median(vec![3.0, 1.0, 2.0]), Some(2.0));
    }

    #[test]
    fn a_size_is_that_of_a_preset_or_refused() {
        assert_eq!(preset_of_size("1280x720").ok().map(Preset::size), Some((1280, 720)));
        assert!(preset_of_size("1281x720").is_err());
    }
}
