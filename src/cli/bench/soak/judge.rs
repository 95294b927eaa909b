//! Detection of growth: a resistant line (Tukey, 1977) through samples, which neither a spike nor noise bends.

use serde::Serialize;

use crate::cli::bench::figures::{median, round};

/// A measure, and the growth that is allowed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Limit {
    /// Name.
    pub what: &'static str,
    /// Unit.
    pub unit: &'static str,
    /// Growth in an hour.
    pub per_hour: f64,
    /// Growth over the whole measurement below this is noise.
    pub noise: f64,
}

/// Result.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Verdict {
    /// Side.
    pub side: &'static str,
    /// Measure.
    pub what: &'static str,
    /// Unit.
    pub unit: &'static str,
    /// In the middle of the first third.
    pub early: f64,
    /// In the middle of the last third.
    pub late: f64,
    /// The growth from there to there, as if it went on for an hour.
    pub per_hour: f64,
    /// The growth that is allowed.
    pub limit_per_hour: f64,
    /// It grows by more, and by more than noise.
    pub grows: bool,
}

/// Deviations from the middle that are still noise.
const NOISE_DEVIATIONS: f64 = 3.0;

/// Judges samples: seconds and values. `None` of less than three.
pub fn judge(side: &'static str, limit: &Limit, samples: &[(f64, f64)]) -> Option<Verdict> {
    let third = samples.len() / 3;
    if third == 0 {
        return None;
    }
    let (first, last) = (Third::of(samples.get(..third)?)?, Third::of(samples.get(samples.len() - third..)?)?);
    let grown = last.value - first.value;
    let per_hour = grown / (last.seconds - first.seconds).max(1.0) * 3600.0;
    let noise = limit.noise.max(NOISE_DEVIATIONS * first.deviation.max(last.deviation));
    Some(Verdict {
        side,
        what: limit.what,
        unit: limit.unit,
        early: round(first.value, 2),
        late: round(last.value, 2),
        per_hour: round(per_hour, 2),
        limit_per_hour: limit.per_hour,
        grows: per_hour > limit.per_hour && grown > noise,
    })
}

/// The middle of a third of the samples, and how far they typically are from it.
struct Third {
    seconds: f64,
    value: f64,
    deviation: f64,
}

impl Third {
    fn of(samples: &[(f64, f64)]) -> Option<Self> {
        let value = median(samples.iter().map(|(_, value)| *value))?;
        Some(Self {
            seconds: median(samples.iter().map(|(seconds, _)| *seconds))?,
            value,
            deviation: median(samples.iter().map(|(_, other)| (other - value).abs()))?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MEMORY: Limit = Limit { what: "memory", unit: "MiB", per_hour: 1.0, noise: 0.5 };
    const THREADS: Limit = Limit { what: "threads", unit: "", per_hour: 0.0, noise: 0.5 };

    /// An hour of samples, five seconds apart, with noise of about `noise`.
    fn series(noise: f64, value: impl Fn(f64) -> f64) -> Vec<(f64, f64)> {
        let mut random = fastrand::Rng::with_seed(5);
        (0..720).map(|n| f64::from(n) * 5.0).map(|at| (at, value(at) + noise * (random.f64() * 2.0 - 1.0))).collect()
    }

    fn of(limit: &Limit, samples: &[(f64, f64)]) -> Verdict {
        judge("caller", limit, samples).unwrap()
    }

    #[test]
    fn what_grows_is_found_and_measured() {
        let verdict = of(&MEMORY, &series(0.3, |at| 40.0 + at / 3600.0 * 5.0));
        assert!(verdict.grows && (verdict.per_hour - 5.0).abs() < 0.3, "{verdict:?}");
        assert!(of(&MEMORY, &series(0.3, |at| 40.0 + at / 3600.0 * 2.0)).grows);
    }

    #[test]
    fn what_is_flat_is_let_be_however_noisy() {
        for noise in [0.0, 0.3, 5.0] {
            assert!(!of(&MEMORY, &series(noise, |_| 40.0)).grows, "{noise}");
        }
        assert!(!of(&MEMORY, &series(0.1, |at| 40.0 + at / 3600.0 * 0.6)).grows, "less than is allowed");
        assert!(!of(&MEMORY, &series(0.1, |at| 40.0 - at / 3600.0 * 9.0)).grows, "what shrinks does not grow");
        let spike = |at: f64| if (1700.0..1900.0).contains(&at) || at > 3500.0 { 90.0 } else { 40.0 };
        assert!(!of(&MEMORY, &series(0.1, spike)).grows, "and comes back, or has only just come");
    }

    #[test]
    fn stairs_are_growth() {
        assert!(of(&MEMORY, &series(0.1, |at| 40.0 + (at / 900.0).floor() * 2.0)).grows);
        assert!(of(&THREADS, &series(0.0, |at| if at < 1800.0 { 9.0 } else { 10.0 })).grows);
        assert!(!of(&THREADS, &series(0.0, |at| if at % 60.0 < 5.0 { 10.0 } else { 9.0 })).grows, "one comes and goes");
    }

    #[test]
    fn a_short_measurement_makes_no_hours_of_noise() {
        let short: Vec<_> = series(0.2, |_| 40.0).into_iter().take(12).collect();
        assert!(!of(&MEMORY, &short).grows);
        assert_eq!(judge("caller", &MEMORY, &short[..2]), None);
    }
}
