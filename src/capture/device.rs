//! One camera: open it in the best mode, wait for its next buffer, close it.
//!
//! Used by one capture thread. Linux has a source of its own, `v4l2`; on other systems nokhwa is the way to the camera.

use crate::device::{DeviceError, DeviceFault, DeviceKind, DeviceReason};
use crate::media::VideoFormat;

use super::backend_error::BackendError;
#[cfg(not(target_os = "linux"))]
use super::backend_nokhwa as backend;
use super::convert::RawPicture;
use super::finding::{Finding, Node, remember, turn_to_open};
use super::mode::{CameraMode, rank};
#[cfg(target_os = "linux")]
use super::v4l2 as backend;

pub use backend::nodes;

const CAMERA: DeviceKind = DeviceKind::Camera;

/// An open camera that streams. Dropping it releases the device.
pub struct Device {
    stream: backend::Stream,
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
        let stream = idle.start(&modes).map_err(fault)?;
        Ok(Some(Self { stream, name: node.name.clone() }))
    }

    /// The mode that it runs in.
    pub const fn mode(&self) -> CameraMode {
        self.stream.mode
    }

    /// Waits for the next buffer, for as long as the camera takes; `None` for one without a whole picture.
    pub fn next(&mut self) -> Result<Option<RawPicture<'_>>, BackendError> {
        self.stream.next()
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
