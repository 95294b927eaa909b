//! Errors of the systems' camera interfaces, and the faults that they mean to a person.

use crate::call::{CallError, DeviceKind, DeviceReason};

const CAMERA: DeviceKind = DeviceKind::Camera;

/// An error of the system's, with its number if there is one.
#[derive(Debug, thiserror::Error)]
#[error("{text}")]
pub struct BackendError {
    text: String,
    os_error: Option<i32>,
}

impl BackendError {
    /// An error by the system's words and its number.
    pub const fn new(text: String, os_error: Option<i32>) -> Self {
        Self { text, os_error }
    }

    /// `error`, with the words for the attempt.
    pub fn of(error: &std::io::Error, tried: &str) -> Self {
        Self::new(format!("{tried}: {error}"), error.raw_os_error())
    }

    /// The number of the error.
    pub const fn os_error(&self) -> Option<i32> {
        self.os_error
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
    pub fn into_fault(self, streaming: bool) -> CallError {
        match self.os_error {
            Some(libc::ENODEV | libc::ENXIO | libc::ENOENT) if streaming => {
                CallError::DeviceUnplugged { device: CAMERA }
            }
            Some(libc::ENODEV | libc::ENXIO | libc::ENOENT) => CallError::DeviceMissing { device: CAMERA },
            Some(libc::EBUSY) => CallError::DeviceBusy { device: CAMERA },
            Some(libc::EACCES | libc::EPERM) => CallError::DeviceForbidden { device: CAMERA },
            _ => CallError::DeviceFailed { device: CAMERA, reason: DeviceReason::System(self.text) },
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
            (libc::ENOENT, false, CallError::DeviceMissing { device }),
            (libc::EACCES, false, CallError::DeviceForbidden { device }),
            (libc::EBUSY, false, CallError::DeviceBusy { device }),
            (libc::ENODEV, true, CallError::DeviceUnplugged { device }),
            (libc::ENODEV, false, CallError::DeviceMissing { device }),
        ] {
            let error = BackendError::of(&std::io::Error::from_raw_os_error(number), "open");
            assert_eq!(error.into_fault(streaming), expected, "{number}");
        }
        let rejected = BackendError::new("Rejected".to_owned(), None).into_fault(false);
        let reason = DeviceReason::System("Rejected".to_owned());
        assert_eq!(rejected, CallError::DeviceFailed { device, reason });
    }
}
