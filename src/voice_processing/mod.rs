//! Processing of a microphone's sound before it is sent: echo cancellation, noise suppression, automatic gain.
//!
//! ```text
//! playout thread: mix -> speaker's ring            microphone thread: 20 ms from the device
//!                  \-> reference (lock-free ring) -> processor (10 ms blocks) -> level meter, encoder
//! ```
//!
//! The echo canceller learns from the reference how the room answers the speaker, and takes that answer out of the
//! microphone's sound. The gain is digital: nobody's volume control is touched. Synthetic microphones (a tone, a file)
//! are not processed, because a steady sound would be taken for noise.

mod processor;
mod reference;
pub mod rig;

use std::sync::atomic::{AtomicU8, Ordering};

pub use processor::VoiceProcessor;
pub use reference::{ReferenceReader, ReferenceWriter, echo_reference};

/// Switches of the processing of the microphone's sound.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Processing {
    /// Remove the speaker's sound.
    pub echo_cancellation: bool,
    /// Take out steady noise.
    pub noise_suppression: bool,
    /// Bring every voice to the same loudness.
    pub automatic_gain: bool,
}

impl Processing {
    /// Everything, as a newcomer has it.
    pub const ALL: Self = Self { echo_cancellation: true, noise_suppression: true, automatic_gain: true };

    const fn bits(self) -> u8 {
        self.echo_cancellation as u8 | (self.noise_suppression as u8) << 1 | (self.automatic_gain as u8) << 2
    }

    const fn from_bits(bits: u8) -> Self {
        Self { echo_cancellation: bits & 1 != 0, noise_suppression: bits & 2 != 0, automatic_gain: bits & 4 != 0 }
    }
}

/// The switches of the settings, written by the controller and read by the microphone's thread at each frame. By
/// default everything is off.
#[derive(Debug, Default)]
pub struct ProcessingSwitches(AtomicU8);

impl ProcessingSwitches {
    /// Switches that stand as `processing` says.
    pub const fn new(processing: Processing) -> Self {
        Self(AtomicU8::new(processing.bits()))
    }

    /// Turns them.
    pub fn set(&self, processing: Processing) {
        self.0.store(processing.bits(), Ordering::Relaxed);
    }

    /// As they stand.
    pub fn get(&self) -> Processing {
        Processing::from_bits(self.0.load(Ordering::Relaxed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_switch_is_its_own() {
        let switches = ProcessingSwitches::default();
        assert_eq!(switches.get(), Processing::default());
        for bits in 0..8 {
            let processing = Processing::from_bits(bits);
            switches.set(processing);
            assert_eq!(switches.get(), processing);
        }
        assert_eq!(Processing::from_bits(7), Processing::ALL);
    }
}
