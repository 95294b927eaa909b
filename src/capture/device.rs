//! One camera, through nokhwa: open it in the best mode, wait for its next buffer, close it.
//!
//! Used by one capture thread. The backend reports errors as text and panics on odd devices, so every call into it is
//! contained here and every error becomes one of the faults that a person is told about.

use std::borrow::Cow;
use std::mem::ManuallyDrop;
use std::panic::{AssertUnwindSafe, catch_unwind};

use nokhwa::NokhwaError;
use nokhwa::utils::{CameraFormat, CameraIndex, FrameFormat, RequestedFormat, RequestedFormatType, Resolution};

use crate::call::{CallError, DeviceKind, DeviceReason};
use crate::media::VideoFormat;

use super::cameras::{Node, remember, turn_to_open};
use super::mode::{CameraMode, Encoding, rank};

/// The formats that can be converted.
const FORMATS: [FrameFormat; 3] = [FrameFormat::YUYV, FrameFormat::NV12, FrameFormat::MJPEG];
/// How many modes are tried when a device refuses what it has itself offered.
const MODES_TRIED: usize = 4;
const CAMERA: DeviceKind = DeviceKind::Camera;

/// What the backend said, with its error number if there is one.
#[derive(Debug, thiserror::Error)]
#[error("{text}")]
pub struct BackendError {
    text: String,
}

impl From<NokhwaError> for BackendError {
    fn from(error: NokhwaError) -> Self {
        Self { text: error.to_string() }
    }
}

impl BackendError {
    /// The number in "... (os error 16)".
    fn os_error(&self) -> Option<i32> {
        let (_, rest) = self.text.rsplit_once("(os error ")?;
        rest.split_once(')')?.0.parse().ok()
    }

    /// The node has no video to give: a metadata node, or one without a format that can be converted.
    fn is_no_camera(&self) -> bool {
        let cannot_enumerate =
            self.text.contains("property FrameFormat") && matches!(self.os_error(), Some(libc::EINVAL | libc::ENOTTY));
        cannot_enumerate || self.text.contains("Failed to Fufill")
    }

    /// Another mode would fare no better.
    fn is_final(&self) -> bool {
        matches!(self.os_error(), Some(libc::EBUSY | libc::ENODEV | libc::EACCES | libc::EPERM | libc::EINTR))
    }

    /// Somebody interrupted the wait.
    pub fn is_interruption(&self) -> bool {
        self.os_error() == Some(libc::EINTR)
    }

    /// The fault that it means; `streaming` tells a camera that went away from one that never was there.
    pub fn into_fault(self, streaming: bool) -> CallError {
        match self.os_error() {
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

/// Runs a call into the backend; a panic becomes an error.
fn contained<T>(call: impl FnOnce() -> Result<T, NokhwaError>) -> Result<T, BackendError> {
    match catch_unwind(AssertUnwindSafe(call)) {
        Ok(result) => result.map_err(BackendError::from),
        Err(_) => Err(BackendError { text: "the camera backend panicked".to_owned() }),
    }
}

/// An open camera that streams. Dropping it releases the device.
pub struct Device {
    camera: Handle,
    /// The system's name.
    pub name: String,
    /// The mode that it runs in.
    pub mode: CameraMode,
}

impl Device {
    /// Opens `node` in the mode that serves `format` best and starts the stream. `Ok(None)`: it is no camera.
    pub fn open(node: &Node, format: VideoFormat) -> Result<Option<Self>, CallError> {
        // Held until the stream runs, so that nobody looks at a device that is being set up.
        let _turn = turn_to_open();
        let opened = open_idle(node).map_err(|error| error.into_fault(false))?;
        let Some((mut camera, mut modes)) = opened else {
            remember(node, Vec::new());
            return Ok(None);
        };
        remember(node, modes.clone());
        rank(&mut modes, format);
        let mode = set_mode(&mut camera, &modes).map_err(|error| error.into_fault(false))?;
        contained(|| camera.0.open_stream()).map_err(|error| error.into_fault(false))?;
        Ok(Some(Self { camera, name: node.name.clone(), mode }))
    }

    /// Waits for the next buffer, for as long as the camera takes.
    pub fn next(&mut self) -> Result<Cow<'_, [u8]>, BackendError> {
        let camera = &mut self.camera.0;
        contained(move || camera.frame_raw())
    }
}

/// The modes of `node` that can be converted; none when it is no camera.
pub fn probe(node: &Node) -> Result<Vec<CameraMode>, BackendError> {
    Ok(open_idle(node)?.map_or_else(Vec::new, |(_, modes)| modes))
}

fn open_idle(node: &Node) -> Result<Option<(Handle, Vec<CameraMode>)>, BackendError> {
    let request = RequestedFormat::with_formats(RequestedFormatType::None, &FORMATS);
    let camera = match contained(|| nokhwa::Camera::new(CameraIndex::Index(node.index), request)) {
        Ok(camera) => camera,
        Err(error) if error.is_no_camera() => return Ok(None),
        Err(error) => return Err(error),
    };
    let mut camera = Handle(ManuallyDrop::new(camera));
    let formats = contained(|| camera.0.compatible_camera_formats())?;
    let modes: Vec<CameraMode> = formats.iter().filter_map(mode_of).collect();
    Ok((!modes.is_empty()).then_some((camera, modes)))
}

fn set_mode(camera: &mut Handle, ranked: &[CameraMode]) -> Result<CameraMode, BackendError> {
    let mut refusal = BackendError { text: "the camera offers no mode".to_owned() };
    for &mode in ranked.iter().take(MODES_TRIED) {
        let wanted = format_of(mode);
        let request = RequestedFormat::with_formats(RequestedFormatType::Exact(wanted), &FORMATS);
        match contained(|| camera.0.set_camera_requset(request)) {
            Ok(_) => return Ok(mode),
            Err(error) if error.is_final() => return Err(error),
            Err(error) => refusal = error,
        }
    }
    Err(refusal)
}

fn mode_of(format: &CameraFormat) -> Option<CameraMode> {
    let encoding = match format.format() {
        FrameFormat::YUYV => Encoding::Yuyv,
        FrameFormat::NV12 => Encoding::Nv12,
        FrameFormat::MJPEG => Encoding::Mjpeg,
        FrameFormat::GRAY | FrameFormat::RAWRGB | FrameFormat::RAWBGR => return None,
    };
    Some(CameraMode { encoding, width: format.width(), height: format.height(), fps: format.frame_rate() })
}

fn format_of(mode: CameraMode) -> CameraFormat {
    let format = match mode.encoding {
        Encoding::Yuyv => FrameFormat::YUYV,
        Encoding::Nv12 => FrameFormat::NV12,
        Encoding::Mjpeg => FrameFormat::MJPEG,
    };
    CameraFormat::new(Resolution::new(mode.width, mode.height), format, mode.fps)
}

/// Holds the backend's camera and contains the panic that its destructor may raise.
struct Handle(ManuallyDrop<nokhwa::Camera>);

impl Drop for Handle {
    fn drop(&mut self) {
        // SAFETY: the camera is taken here and nowhere else, and `self` is not used afterwards.
        let camera = unsafe { ManuallyDrop::take(&mut self.0) };
        if catch_unwind(AssertUnwindSafe(|| drop(camera))).is_err() {
            tracing::warn!("the camera backend panicked while the camera was closed");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(text: &str, streaming: bool) -> CallError {
        BackendError { text: text.to_owned() }.into_fault(streaming)
    }

    #[test]
    fn what_the_system_says_becomes_the_fault_that_a_person_can_mend() {
        let device = CAMERA;
        for (text, streaming, expected) in [
            (
                "Could not open device 0: V4L2 Error: No such file or directory (os error 2)",
                false,
                CallError::DeviceMissing { device },
            ),
            (
                "Could not open device 0: V4L2 Error: Permission denied (os error 13)",
                false,
                CallError::DeviceForbidden { device },
            ),
            (
                "Could not open device stream: Device or resource busy (os error 16)",
                false,
                CallError::DeviceBusy { device },
            ),
            ("Could not capture frame: No such device (os error 19)", true, CallError::DeviceUnplugged { device }),
            ("Could not capture frame: No such device (os error 19)", false, CallError::DeviceMissing { device }),
        ] {
            assert_eq!(fault(text, streaming), expected, "{text}");
        }
        let rejected = CallError::DeviceFailed { device, reason: DeviceReason::System("Rejected".to_owned()) };
        assert_eq!(fault("Rejected", false), rejected);
        assert!(BackendError { text: "Interrupted system call (os error 4)".to_owned() }.is_interruption());
    }

    #[test]
    fn a_metadata_node_is_told_from_a_camera_that_fails() {
        let no_camera = |text: &str| BackendError { text: text.to_owned() }.is_no_camera();
        assert!(no_camera("Could not get device property FrameFormat: Invalid argument (os error 22)"));
        assert!(no_camera("Could not get device property CameraFormat: Failed to Fufill"));
        assert!(!no_camera("Could not set device property Frame rate with value 30: Invalid argument (os error 22)"));
        assert!(!no_camera("Could not open device 0: V4L2 Error: Permission denied (os error 13)"));
    }

    #[test]
    fn a_panic_of_the_backend_is_an_error() {
        let result: Result<(), BackendError> = contained(|| panic!("odd device"));
        assert!(result.is_err());
    }
}
