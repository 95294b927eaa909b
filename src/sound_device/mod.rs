//! Parts that the microphone and the speaker share: the search for a sound device, its real-time stream, and the watch
//! over it.
//!
//! ```text
//! microphone: device callback -> ring -> microphone thread -> 48 kHz mono frames of 20 ms
//! playout:    playout thread -> ring -> device callback
//!             speaker thread: opens, watches and closes the device
//! ```
//!
//! Callbacks run on the system's real-time thread: they convert samples, move them through a lock-free ring, count a
//! beat and unpark the thread behind the ring. They take no lock, allocate nothing and log nothing.

mod channel_map;
mod downmix;
mod host;
mod pace;
mod resample;
mod stream;
#[cfg(test)]
pub(crate) mod test_signal;
mod watch;

pub(crate) use downmix::Downmix;
use host::open_error;
pub(crate) use host::{Found, Watched, Watcher, find};
pub use host::{list_microphones, list_speakers};
pub(crate) use pace::Pace;
pub(crate) use resample::{ResampleError, Resampler};
pub(crate) use stream::{PlayRing, RecordRing, Wakes, open_input, open_output};
pub(crate) use watch::{CallbackPeriod, DONE_WAIT, Done, Failure, FaultLog, Heart, RETRY, Stall, WATCH};

use crate::call::{CallError, DeviceKind};

/// Event of a sound device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SoundEvent {
    /// Sound flows through this device now: the first time, or because the choice or the system's default changed.
    Opened {
        /// The system's name for it.
        name: String,
    },
    /// The device does not work. Reported once for each change of the fault; Visavis retries about once a second.
    Fault(CallError),
    /// Sound flows again after a fault.
    Recovered {
        /// The system's name for it.
        name: String,
    },
    /// The microphone works and has given nothing but zeros since it was opened, or does so no more.
    Silence {
        /// The system's name for it.
        name: String,
        /// False once it gives sound.
        on: bool,
    },
}

/// Which way sound goes through a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Direction {
    /// From a microphone.
    Input,
    /// To a speaker.
    Output,
}

impl Direction {
    pub(crate) const fn kind(self) -> DeviceKind {
        match self {
            Self::Input => DeviceKind::Microphone,
            Self::Output => DeviceKind::Speaker,
        }
    }
}
