//! A camera that nokhwa drives, whichever backend is plugged into it.
//!
//! nokhwa reports errors as text and panics on odd devices, so each call is contained here. Its types know six pixel
//! formats, whole frame rates and rows without padding; the exact mode and layout stand beside the camera.

use std::mem::ManuallyDrop;
use std::panic::{AssertUnwindSafe, catch_unwind};

use nokhwa::NokhwaError;
use nokhwa::utils::{CameraFormat, FrameFormat, Resolution};

use super::backend_error::BackendError;
use super::convert::Layout;
use super::mode::{CameraMode, Encoding, FrameRate};

/// nokhwa's names of encodings.
pub const FORMATS: [(FrameFormat, Encoding); 6] = [
    (FrameFormat::YUYV, Encoding::Yuyv),
    (FrameFormat::NV12, Encoding::Nv12),
    (FrameFormat::MJPEG, Encoding::Mjpeg),
    (FrameFormat::GRAY, Encoding::Grey),
    (FrameFormat::RAWRGB, Encoding::Rgb24),
    (FrameFormat::RAWBGR, Encoding::Bgr24),
];

/// A camera whose mode is set. It does not stream yet.
pub struct SetCamera {
    /// The camera in nokhwa's hands.
    pub camera: NokhwaCamera,
    /// The mode that it runs in.
    pub mode: CameraMode,
    /// The layout of its buffers.
    pub layout: Layout,
}

/// `nokhwa::Camera`, with its panics contained, that of its destructor included.
pub struct NokhwaCamera(ManuallyDrop<nokhwa::Camera>);

impl NokhwaCamera {
    /// Takes the camera that `open` gives.
    pub fn open(open: impl FnOnce() -> Result<nokhwa::Camera, NokhwaError>) -> Result<Self, BackendError> {
        contained(open).map(|camera| Self(ManuallyDrop::new(camera)))
    }

    /// Makes a call on the camera; a panic becomes an error.
    pub fn call<'a, T>(
        &'a mut self,
        call: impl FnOnce(&'a mut nokhwa::Camera) -> Result<T, NokhwaError>,
    ) -> Result<T, BackendError> {
        let camera = &mut *self.0;
        contained(move || call(camera))
    }
}

impl Drop for NokhwaCamera {
    fn drop(&mut self) {
        // SAFETY: the camera is taken here and nowhere else, and `self` is not used afterwards.
        let camera = unsafe { ManuallyDrop::take(&mut self.0) };
        if catch_unwind(AssertUnwindSafe(|| drop(camera))).is_err() {
            tracing::warn!("the camera backend panicked while the camera was closed");
        }
    }
}

/// Runs a call into nokhwa; a panic becomes an error.
pub fn contained<T>(call: impl FnOnce() -> Result<T, NokhwaError>) -> Result<T, BackendError> {
    match catch_unwind(AssertUnwindSafe(call)) {
        Ok(result) => result.map_err(|error| {
            let text = error.to_string();
            let number = os_error(&text);
            BackendError::new(text, number)
        }),
        Err(_) => Err(BackendError::new("the camera backend panicked".to_owned(), None)),
    }
}

/// The number in "... (os error 16)", as `std::io::Error` writes it.
fn os_error(text: &str) -> Option<i32> {
    let (_, rest) = text.rsplit_once("(os error ")?;
    rest.split_once(')')?.0.parse().ok()
}

/// The mode that nokhwa's `format` names; `None` for an encoding that cannot be converted.
pub fn mode_of(format: CameraFormat) -> Option<CameraMode> {
    let (_, encoding) = FORMATS.into_iter().find(|(known, _)| *known == format.format())?;
    let rate = FrameRate::whole(format.frame_rate());
    Some(CameraMode { encoding, width: format.width(), height: format.height(), rate })
}

/// nokhwa's format of `mode`, with a rounded rate; `None` where nokhwa has no name for the encoding.
pub fn format_of(mode: CameraMode) -> Option<CameraFormat> {
    let (format, _) = FORMATS.into_iter().find(|(_, known)| *known == mode.encoding)?;
    Some(CameraFormat::new(Resolution::new(mode.width, mode.height), format, mode.rate.rounded()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_of_the_backend_is_an_error() {
        let result: Result<(), BackendError> = contained(|| panic!("odd device"));
        assert!(result.is_err());
    }

    #[test]
    fn the_systems_error_number_is_read_out_of_the_text() {
        assert_eq!(os_error("Could not open device 0: Permission denied (os error 13)"), Some(13));
        assert_eq!(os_error("Rejected"), None);
        let interrupted = BackendError::of(&std::io::Error::from_raw_os_error(libc::EINTR), "poll");
        let told: Result<(), _> = contained(|| Err(NokhwaError::ReadFrameError(interrupted.to_string())));
        assert!(told.unwrap_err().is_interruption(), "the number survives nokhwa's errors");
    }
}
