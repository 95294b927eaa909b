//! Errors of the systems' camera interfaces, and the faults that they mean to a person.

use crate::device::{DeviceError, DeviceFault, DeviceKind, DeviceReason};

const CAMERA: DeviceKind = DeviceKind::Camera;

/// An error of the system's, with its number if there is one.
#[derive(Debug, thiserror::Error)]
#[error("{text}")]
pub struct BackendError {
    text: String,
    os_error: Option<i32>,
}

/// For the backend for Linux.
#[cfg(target_os = "linux")]
impl BackendError {
    /// `error`, with the words for the attempt.
    pub fn of(error: &std::io::Error, tried: &str) -> Self {
        Self::new(format!("{tried}: {error}"), error.raw_os_error())
    }

    /// The number of the error.
    pub const fn os_error(&self) -> Option<i32> {
        self.os_error
    }
}

impl BackendError {
    /// An error by the system's words and its number.
    pub const fn new(text: String, os_error: Option<i32>) -> Self {
        Self { text, os_error }
    }

    /// Another mode would fare no better.
    pub const fn is_final(&self) -> bool {
        matches!(self.os_error, Some(libc::EBUSY | libc::ENODEV | libc::EACCES | libc::EPERM | libc::EINTR))
    }

    /// Somebody interrupted the wait.
    pub const fn is_interruption(&self) -> bool {
        matches!(self.os_error, Some(libc::EINTR))
    }

    /// The fault that it means; `streaming` tells a camera that went away from one that never was there.
    pub fn into_fault(self, streaming: bool) -> DeviceError {
        match self.os_error {
            Some(libc::ENODEV | libc::ENXIO | libc::ENOENT) if streaming => DeviceFault::Unplugged.of(CAMERA),
            Some(libc::ENODEV | libc::ENXIO | libc::ENOENT) => DeviceFault::Missing.of(CAMERA),
            Some(libc::EBUSY) => DeviceFault::Busy.of(CAMERA),
            Some(libc::EACCES | libc::EPERM) => DeviceFault::Forbidden.of(CAMERA),
            _ => DeviceFault::Failed(DeviceReason::System(self.text)).of(CAMERA),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_system_says_becomes_the_fault_that_a_person_can_mend() {
        let device = CAMERA;
        for (number, streaming, expected) in [
            (libc::ENOENT, false, DeviceFault::Missing.of(device)),
            (libc::EACCES, false, DeviceFault::Forbidden.of(device)),
            (libc::EBUSY, false, DeviceFault::Busy.of(device)),
            (libc::ENODEV, true, DeviceFault::Unplugged.of(device)),
            (libc::ENODEV, false, DeviceFault::Missing.of(device)),
        ] {
            let error = BackendError::of(&std::io::Error::from_raw_os_error(number), "open");
            assert_eq!(error.into_fault(streaming), expected, "{number}");
        }
        let rejected = BackendError::new("Rejected".to_owned(), None).into_fault(false);
        let reason = DeviceReason::System("Rejected".to_owned());
        assert_eq!(rejected, DeviceFault::Failed(reason).of(device));
    }
}
