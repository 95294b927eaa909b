//! Events of sound devices.

use crate::device::DeviceError;

/// Event of a sound device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SoundEvent {
    /// Sound flows through this device now: the first time, or because the choice or the system's default changed.
    Opened {
        /// The system's name for it.
        name: String,
    },
    /// The device does not work. Reported once for each change of the fault; Visavis retries about once a second.
    Fault(DeviceError),
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
