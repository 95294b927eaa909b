//! Cameras on Linux, by V4L2 (Video for Linux 2, the kernel's userspace API, "Video Capture Interface"): a backend that
//! is plugged into nokhwa.
//!
//! Built on the `v4l` crate, as nokhwa's own Linux backend is, which cannot be used itself: it knows whole frame rates
//! and three pixel formats only, demands that the camera be in one of them before it opens it, and keeps to itself the
//! length of a row and whether a buffer is damaged.
//!
//! ```text
//! nodes: /dev/videoN -> Idle (offer: its modes; format: the one to set) -> Backend, in a nokhwa::Camera
//!                                                                            `-> MappedStream (mapped buffers)
//! ```

mod backend;
mod device;
mod format;
mod nodes;
mod offer;
mod stream;

pub use nodes::nodes;

use nokhwa::utils::{ApiBackend, CameraIndex};

use self::backend::Backend;
use self::device::{Capabilities, Device};
use super::backend_error::BackendError;
use super::finding::{Finding, Node};
use super::mode::CameraMode;
use super::nokhwa_camera::{NokhwaCamera, SetCamera};

/// A node that is open and does not stream.
#[derive(Debug)]
pub struct Idle {
    device: Device,
    node: Node,
}

impl Idle {
    /// Opens `node`. The camera's light stays off.
    pub fn open(node: &Node) -> Result<Self, BackendError> {
        Ok(Self { device: Device::open(node.index)?, node: node.clone() })
    }

    /// Asks the node for its capabilities. Changes nothing about it, in any state that another program left it in.
    pub fn look(&self) -> Result<Finding, BackendError> {
        match self.device.capabilities()? {
            Capabilities::None => Ok(Finding::NoCamera),
            Capabilities::MultiPlanar => Ok(Finding::Unusable("multi-planar buffers".to_owned())),
            Capabilities::Capture => offer::look(&self.device),
        }
    }

    /// Sets the first of `modes` that the camera takes, and plugs the camera into nokhwa, which demands that "you must
    /// have set a format beforehand".
    pub fn set(self, modes: &[CameraMode]) -> Result<SetCamera, BackendError> {
        let (mode, layout) = format::set(&self.device, modes)?;
        let index = CameraIndex::Index(self.node.index);
        let backend = Backend::new(&self.node, self.device, mode, layout);
        let plug = || Ok(nokhwa::Camera::with_custom(index, ApiBackend::Video4Linux, Box::new(backend)));
        Ok(SetCamera { camera: NokhwaCamera::open(plug)?, mode, layout })
    }
}
