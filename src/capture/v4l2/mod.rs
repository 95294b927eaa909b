//! Cameras on Linux, by V4L2 (Video for Linux 2, the kernel's userspace API, "Video Capture Interface").
//!
//! Built on the `v4l` crate, as nokhwa's own Linux backend is, which cannot be used itself: it knows whole frame rates
//! and three pixel formats only, demands that the camera be in one of them before it opens it, and keeps to itself the
//! length of a row and whether a buffer is damaged.
//!
//! ```text
//! nodes: /dev/videoN  ->  Idle (offer: what it can do)  ->  Stream (mapped buffers, one at a time)
//! ```

mod device;
mod format;
mod nodes;
mod offer;
mod stream;

pub use nodes::nodes;
pub use stream::Stream;

use self::device::{Capabilities, Device};
use super::backend_error::BackendError;
use super::finding::{Finding, Node};
use super::mode::CameraMode;

/// A node that is open and does not stream.
#[derive(Debug)]
pub struct Idle(Device);

impl Idle {
    /// Opens `node`. The camera's light stays off.
    pub fn open(node: &Node) -> Result<Self, BackendError> {
        Device::open(node.index).map(Self)
    }

    /// Asks the node what it can do. Changes nothing about it, whatever state another program left it in.
    pub fn look(&self) -> Result<Finding, BackendError> {
        match self.0.capabilities()? {
            Capabilities::None => Ok(Finding::NoCamera),
            Capabilities::MultiPlanar => Ok(Finding::Unusable("multi-planar buffers".to_owned())),
            Capabilities::Capture => offer::look(&self.0),
        }
    }

    /// Sets the first of `modes` that the camera takes, and starts the stream.
    pub fn start(self, modes: &[CameraMode]) -> Result<Stream, BackendError> {
        let (mode, layout) = format::set(&self.0, modes)?;
        Stream::start(self.0, mode, layout)
    }
}
