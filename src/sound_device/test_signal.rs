//! Tones for tests, and the ear that recognises them.

use std::f64::consts::{PI, TAU};

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

/// The mean frequency of a tone of about `near` Hz that goes through `samples`, by the turning of its phase from one
/// piece of 10 ms to the next. Exact to a millionth or so over a second.
pub(crate) fn precise_hertz(samples: &[f32], near: f64, rate: u32) -> f64 {
    let step = near * TAU / f64::from(rate);
    let piece = rate as usize / 100;
    let phases: Vec<f64> = (samples.chunks_exact(piece).enumerate())
        .map(|(index, piece_samples)| {
            let turn = |n: usize| (n as f64 + (index * piece) as f64) * step;
            let sum = piece_samples.iter().enumerate().fold(Complex::new(0.0, 0.0), |sum, (n, &sample)| {
                sum + Complex::from_polar(f64::from(sample), -turn(n))
            });
            sum.arg()
        })
        .collect();
    let turned: f64 = phases.windows(2).map(|pair| (pair[1] - pair[0] + 3.0 * PI).rem_euclid(TAU) - PI).sum();
    near + turned / TAU * f64::from(rate) / ((phases.len() - 1) * piece) as f64
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

/// The share of the energy of `samples` that is anything but one tone of exactly `hertz`.
pub(crate) fn residue(samples: &[f32], hertz: f64, rate: u32) -> f64 {
    let step = hertz * TAU / f64::from(rate);
    let (mut energy, mut sound, mut basis) = (0.0, [0.0; 2], [0.0; 3]);
    for (n, &sample) in samples.iter().enumerate() {
        let ((sin, cos), sample) = ((n as f64 * step).sin_cos(), f64::from(sample));
        energy += sample * sample;
        sound = [sound[0] + sample * sin, sound[1] + sample * cos];
        basis = [basis[0] + sin * sin, basis[1] + sin * cos, basis[2] + cos * cos];
    }
    let determinant = basis[0] * basis[2] - basis[1] * basis[1];
    let sin = (sound[0] * basis[2] - sound[1] * basis[1]) / determinant;
    let cos = (sound[1] * basis[0] - sound[0] * basis[1]) / determinant;
    1.0 - (sin * sound[0] + cos * sound[1]) / energy
}

/// Root mean square of `samples`.
pub(crate) fn rms(samples: &[f32]) -> f32 {
    (samples.iter().map(|sample| sample * sample).sum::<f32>() / samples.len() as f32).sqrt()
}
