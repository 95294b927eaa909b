//! Measures of echo cancellation: echo return loss enhancement (ERLE), and the part of the near voice that is kept.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde::Serialize;

use super::{Room, Speech};
use crate::media::{FRAME_SAMPLES, SAMPLE_RATE};
use crate::voice_processing::{Processing, ProcessingSwitches, VoiceProcessor, echo_reference};

const SECOND: usize = SAMPLE_RATE as usize;

/// The far end speaks all the time; after `ALONE` s the person in the room speaks too, until `END` s.
const ALONE: usize = 20;
const END: usize = 30;

/// The microphone's own noise: even between -80 dB and below.
const NOISE: f32 = 1e-4;

/// Figures of one room. Levels are of energy over the whole span, in dB.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct EchoFigures {
    /// Echo return loss enhancement while only the far end speaks, from the 1st to the 3rd second: the microphone's
    /// sound against the sent sound.
    pub erle_start_db: f64,
    /// The same from the 10th to the 20th second, converged.
    pub erle_db: f64,
    /// Both speak: the near voice against the echo in the microphone.
    pub near_to_echo_before_db: f64,
    /// Both speak: the near voice, as this processing sends it without any echo, against everything else that is sent.
    pub near_to_rest_after_db: f64,
    /// Both speak: the sent sound against that of the near voice alone.
    pub near_kept_db: f64,
    /// Both speak: correlation of the two, sample by sample.
    pub near_correlation: f64,
    /// CPU for 10 ms of sound, in microseconds.
    pub us_per_10_ms: f64,
}

/// Lets two voices speak in `room`, with `processing` behind its microphone.
pub fn measure_room(room: Room, processing: Processing) -> EchoFigures {
    let far = Speech::new(1, 120.0).take(END * SECOND);
    let echo = room.echo_of(&far, 7);
    let mut near = vec![0.0; ALONE * SECOND];
    near.extend(Speech::new(2, 210.0).take((END - ALONE) * SECOND));
    let mut random = fastrand::Rng::with_seed(9);
    let noise: Vec<f32> = near.iter().map(|_| (random.f32() * 2.0 - 1.0) * NOISE).collect();
    let voice: Vec<f32> = near.iter().zip(&noise).map(|(near, noise)| near + noise).collect();
    let microphone: Vec<f32> = voice.iter().zip(&echo).map(|(voice, echo)| voice + echo).collect();
    let (sent, elapsed) = run(&far, &microphone, processing);
    let (alone, _) = run(&vec![0.0; far.len()], &voice, processing);
    let both = ALONE * SECOND..END * SECOND;
    let (mixed, clean) = (&sent[both.clone()], &alone[both.clone()]);
    let share = product(mixed, clean) / energy(clean);
    let rest: f64 =
        mixed.iter().zip(clean).map(|(mixed, clean)| (f64::from(*mixed) - share * f64::from(*clean)).powi(2)).sum();
    let erle = |from: usize, to: usize| {
        let span = from * SECOND..to * SECOND;
        decibels(energy(&microphone[span.clone()]) / energy(&sent[span]))
    };
    EchoFigures {
        erle_start_db: erle(1, 3),
        erle_db: erle(10, ALONE),
        near_to_echo_before_db: decibels(energy(&near[both.clone()]) / energy(&echo[both])),
        near_to_rest_after_db: decibels(share * share * energy(clean) / rest),
        near_kept_db: decibels(energy(mixed) / energy(clean)),
        near_correlation: product(mixed, clean) / (energy(mixed) * energy(clean)).sqrt(),
        us_per_10_ms: elapsed.as_secs_f64() * 1e6 / (END * 100) as f64,
    }
}

/// The sound that is sent of `microphone` while the speaker plays `far`, and the CPU time of its processing.
fn run(far: &[f32], microphone: &[f32], processing: Processing) -> (Vec<f32>, Duration) {
    let (mut writer, reader) = echo_reference();
    let mut processor = VoiceProcessor::new(Arc::new(ProcessingSwitches::new(processing)), reader);
    let mut sent = Vec::with_capacity(microphone.len());
    let begun = Instant::now();
    for (played, recorded) in far.chunks_exact(FRAME_SAMPLES).zip(microphone.chunks_exact(FRAME_SAMPLES)) {
        writer.push(played, Duration::from_millis(30));
        sent.extend_from_slice(processor.process(recorded).0);
    }
    (sent, begun.elapsed())
}

fn energy(sound: &[f32]) -> f64 {
    product(sound, sound)
}

fn product(one: &[f32], other: &[f32]) -> f64 {
    one.iter().zip(other).map(|(one, other)| f64::from(*one) * f64::from(*other)).sum()
}

fn decibels(ratio: f64) -> f64 {
    10.0 * ratio.max(1e-12).log10()
}
