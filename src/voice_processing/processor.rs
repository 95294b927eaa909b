//! The chain itself: WebRTC's audio processing (AEC3, noise suppression, AGC2) as the `sonora` crate has it.
//!
//! Runs on the microphone's thread. Its state is made when the first frame needs it and dropped when everything is off.

use std::sync::Arc;
use std::time::Duration;

use sonora::config::{
    AdaptiveDigital, EchoCanceller, GainController2, HighPassFilter, MaxProcessingRate, NoiseSuppression, Pipeline,
};
use sonora::{AudioProcessing, Config, StreamConfig};

use super::reference::{ReferenceReader, echo_reference};
use super::{Processing, ProcessingSwitches};
use crate::media::{CHANNELS, FRAME_SAMPLES, SAMPLE_RATE};

/// Samples that the chain takes at a time: 10 ms.
const BLOCK: usize = SAMPLE_RATE as usize / 100;

/// Usual delay of a speaker and a microphone themselves in the echo path; the canceller finds the true one.
const DEVICES: Duration = Duration::from_millis(20);

/// Delay of the chain: the gain's look ahead, the filters for the bands of the voice, the canceller's blocks.
const fn delay(does: Processing) -> Duration {
    match does {
        Processing { echo_cancellation: true, .. } => Duration::from_millis(15),
        Processing { noise_suppression: true, .. } => Duration::from_millis(7),
        _ => Duration::from_millis(1),
    }
}

/// Without a reference for this many frames (1 s) no speaker plays, and there is no echo to cancel.
const SPEAKER_GONE: u32 = 50;

/// Processes the sound of one microphone, a frame of 20 ms at a time.
pub struct VoiceProcessor {
    switches: Arc<ProcessingSwitches>,
    reference: ReferenceReader,
    chain: Option<Chain>,
    /// Frames since the speaker was last given something.
    without_reference: u32,
    output: [f32; FRAME_SAMPLES],
}

/// Enabled parts, and their state.
struct Chain {
    does: Processing,
    library: AudioProcessing,
    block: [f32; BLOCK],
    /// The library gives the reference back unchanged; it wants somewhere to put it.
    played: [f32; BLOCK],
}

impl Default for VoiceProcessor {
    /// One that does nothing.
    fn default() -> Self {
        Self::new(Arc::default(), echo_reference().1)
    }
}

impl VoiceProcessor {
    /// Processes by `switches`, at each moment, against the echo of `reference`.
    pub fn new(switches: Arc<ProcessingSwitches>, reference: ReferenceReader) -> Self {
        Self { switches, reference, chain: None, without_reference: SPEAKER_GONE, output: [0.0; FRAME_SAMPLES] }
    }

    /// Processes 960 samples; returns the delay of the output. Sound of another length, or with everything off, is
    /// returned as it is.
    pub fn process<'a>(&'a mut self, frame: &'a [f32]) -> (&'a [f32], Duration) {
        let wanted = self.wanted();
        if wanted == Processing::default() || frame.len() != FRAME_SAMPLES {
            self.chain = None;
            self.drop_reference();
            return (frame, Duration::ZERO);
        }
        let chain = self.chain.get_or_insert_with(|| Chain::new(wanted));
        chain.change(wanted);
        chain.set_delay(self.reference.queued() + DEVICES);
        let mut blocks_left = self.reference.available() / BLOCK;
        let halves = frame.chunks_exact(BLOCK).zip(self.output.chunks_exact_mut(BLOCK)).zip([2, 1]);
        for ((recorded, output), parts) in halves {
            // As evenly between the blocks of the microphone as they came.
            let now = blocks_left.div_ceil(parts);
            blocks_left -= now;
            for _ in 0..now {
                if self.reference.take(&mut chain.block) {
                    chain.hear_speaker();
                }
            }
            chain.process(recorded, output);
        }
        (&self.output, delay(wanted))
    }

    /// Enabled parts, with echo cancellation only while a speaker plays.
    fn wanted(&mut self) -> Processing {
        let frames = if self.reference.available() > 0 { 0 } else { self.without_reference.saturating_add(1) };
        self.without_reference = frames;
        let switches = self.switches.get();
        Processing { echo_cancellation: switches.echo_cancellation && frames < SPEAKER_GONE, ..switches }
    }

    fn drop_reference(&mut self) {
        while self.reference.available() >= BLOCK {
            self.reference.take(&mut self.output[..BLOCK]);
        }
    }
}

impl Chain {
    fn new(does: Processing) -> Self {
        let stream = StreamConfig::new(SAMPLE_RATE, CHANNELS);
        let library =
            AudioProcessing::builder().config(config(does)).capture_config(stream).render_config(stream).build();
        Self { does, library, block: [0.0; BLOCK], played: [0.0; BLOCK] }
    }

    fn change(&mut self, does: Processing) {
        if does != self.does {
            self.does = does;
            self.library.apply_config(config(does));
        }
    }

    fn set_delay(&mut self, delay: Duration) {
        // Out of the library's range it takes the nearest delay, and says so.
        let _ = self.library.set_stream_delay_ms(delay.as_millis() as i32);
    }

    fn hear_speaker(&mut self) {
        if self.does.echo_cancellation
            && let Err(error) = self.library.process_render_f32(&[&self.block], &mut [&mut self.played])
        {
            tracing::debug!(%error, "the echo canceller cannot hear the speaker");
        }
    }

    fn process(&mut self, recorded: &[f32], output: &mut [f32]) {
        if let Err(error) = self.library.process_capture_f32(&[recorded], &mut [&mut *output]) {
            tracing::debug!(%error, "the microphone's sound cannot be processed");
            output.copy_from_slice(recorded);
        }
    }
}

fn config(does: Processing) -> Config {
    let adaptive_digital = Some(AdaptiveDigital::default());
    Config {
        pipeline: Pipeline {
            maximum_internal_processing_rate: MaxProcessingRate::Rate48kHz,
            multi_channel_render: false,
            multi_channel_capture: false,
            ..Pipeline::default()
        },
        // Rumble under 100 Hz is no voice.
        high_pass_filter: Some(HighPassFilter::default()),
        echo_canceller: does.echo_cancellation.then(EchoCanceller::default),
        noise_suppression: does.noise_suppression.then(NoiseSuppression::default),
        // The input volume controller, which would move the system's slider, stays off.
        gain_controller2: does.automatic_gain.then(|| GainController2 {
            input_volume_controller: false,
            adaptive_digital,
            ..Default::default()
        }),
        ..Config::default()
    }
}

#[cfg(test)]
#[path = "processor_tests.rs"]
mod tests;
