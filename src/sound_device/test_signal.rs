//! Tones for tests, and the ear that recognises them.

use rustfft::FftPlanner;
use rustfft::num_complex::Complex;

/// `len` samples of a sine at half of full scale.
pub(crate) fn sine(hertz: f64, rate: u32, len: usize) -> Vec<f32> {
    (0..len).map(|n| ((n as f64 * hertz * std::f64::consts::TAU / f64::from(rate)).sin() * 0.5) as f32).collect()
}

/// The strongest frequency in `samples`, Hz, to within `rate / samples.len()`.
pub(crate) fn peak_hertz(samples: &[f32], rate: u32) -> f64 {
    let mut spectrum: Vec<Complex<f32>> = samples
        .iter()
        .enumerate()
        .map(|(n, &sample)| {
            let window = 0.5 - 0.5 * (n as f32 * std::f32::consts::TAU / samples.len() as f32).cos();
            Complex::new(sample * window, 0.0)
        })
        .collect();
    FftPlanner::new().plan_fft_forward(spectrum.len()).process(&mut spectrum);
    let strongest = (1..spectrum.len() / 2).max_by(|&a, &b| spectrum[a].norm().total_cmp(&spectrum[b].norm()));
    strongest.unwrap_or(0) as f64 * f64::from(rate) / samples.len() as f64
}

/// The share of the energy of `samples` that lies within 30 Hz of `hertz`: 1 for a clean tone.
pub(crate) fn purity(samples: &[f32], hertz: f64, rate: u32) -> f64 {
    let mut spectrum: Vec<Complex<f32>> = samples.iter().map(|&sample| Complex::new(sample, 0.0)).collect();
    FftPlanner::new().plan_fft_forward(spectrum.len()).process(&mut spectrum);
    let bin = f64::from(rate) / samples.len() as f64;
    let (mut near, mut all) = (0.0, 0.0);
    for (index, value) in spectrum.iter().enumerate().take(samples.len() / 2) {
        let energy = f64::from(value.norm_sqr());
        all += energy;
        if (index as f64 * bin - hertz).abs() < 30.0 {
            near += energy;
        }
    }
    if all > 0.0 { near / all } else { 0.0 }
}

/// Root mean square of `samples`.
pub(crate) fn rms(samples: &[f32]) -> f32 {
    (samples.iter().map(|sample| sample * sample).sum::<f32>() / samples.len() as f32).sqrt()
}
