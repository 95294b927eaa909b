//! One camera: open it in the best mode, wait for its next buffer, close it.
//!
//! Used by one capture thread. nokhwa is the way to the camera on every system: Linux plugs a backend of ours into it,
//! `v4l2`; other systems have nokhwa's own (`native`).

use std::borrow::Cow;

use crate::device::{DeviceError, DeviceFault, DeviceKind, DeviceReason};
use crate::media::VideoFormat;

use super::backend_error::BackendError;
use super::convert::RawPicture;
use super::finding::{Finding, Node, remember, turn_to_open};
use super::mode::{CameraMode, rank};
#[cfg(not(target_os = "linux"))]
use super::native as backend;
use super::nokhwa_camera::SetCamera;
#[cfg(target_os = "linux")]
use super::v4l2 as backend;

pub use backend::nodes;

const CAMERA: DeviceKind = DeviceKind::Camera;

/// An open camera that streams. Dropping it releases the device.
pub struct Device {
    set: SetCamera,
    /// The latest buffer, where the backend gives copies.
    copy: Vec<u8>,
    /// The system's name.
    pub name: String,
}

impl Device {
    /// Opens `node` in the mode that serves `format` best and starts the stream. `Ok(None)`: it is no camera.
    pub fn open(node: &Node, format: VideoFormat) -> Result<Option<Self>, DeviceError> {
        // Held until the stream runs, so that nobody looks at a device that is being set up.
        let _turn = turn_to_open();
        let fault = |error: BackendError| error.into_fault(false);
        let idle = backend::Idle::open(node).map_err(fault)?;
        let finding = idle.look().map_err(fault)?;
        remember(node, finding.clone());
        let mut modes = match finding {
            Finding::NoCamera => return Ok(None),
            Finding::Unusable(formats) => return Err(cannot_be_read(formats)),
            Finding::Modes(modes) => modes,
        };
        rank(&mut modes, format);
        let set = idle.set(&modes).map_err(fault)?;
        Self::start(set, node.name.clone()).map(Some).map_err(fault)
    }

    /// Starts the stream of a camera whose mode is set.
    pub fn start(mut set: SetCamera, name: String) -> Result<Self, BackendError> {
        set.camera.call(nokhwa::Camera::open_stream)?;
        Ok(Self { set, copy: Vec::new(), name })
    }

    /// The mode that it runs in.
    pub const fn mode(&self) -> CameraMode {
        self.set.mode
    }

    /// Waits for the next buffer, for as long as the camera takes; `None` for an empty one, which is the backends' sign
    /// for a buffer without a whole picture.
    pub fn next(&mut self) -> Result<Option<RawPicture<'_>>, BackendError> {
        let layout = self.set.layout;
        let bytes = match self.set.camera.call(nokhwa::Camera::frame_raw)? {
            Cow::Borrowed(bytes) => bytes,
            Cow::Owned(bytes) => {
                self.copy = bytes;
                &self.copy
            }
        };
        Ok((!bytes.is_empty()).then_some(RawPicture { layout, bytes }))
    }
}

/// The fault of a camera that gives nothing but `formats`.
pub const fn cannot_be_read(formats: String) -> DeviceError {
    DeviceFault::Failed(DeviceReason::CameraFormats(formats)).of(CAMERA)
}

/// Looks at `node`, without changing it where the system can do that.
pub fn probe(node: &Node) -> Result<Finding, BackendError> {
    backend::Idle::open(node)?.look()
}
