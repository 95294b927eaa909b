//! Cameras, and their stand-ins in software: the start of the send pipeline.
//!
//! ```text
//! device | test card | y4m file  --raw buffer-->  convert + scale  --Arc<VideoFrame>-->  slots (self-view, encoder)
//!          one capture thread a camera, watched by a second one that never touches the device
//! ```
//!
//! A [`Camera`] is open from [`Camera::open`] until it is dropped; opening demands a [`crate::device::Consent`].

mod backend_error;
pub mod barcode;
mod camera;
mod cameras;
pub mod convert;
mod device;
pub mod film;
mod film_file;
mod finding;
mod interrupt;
mod mode;
// Compiled into the tests everywhere, so that it is checked here too.
#[cfg(any(not(target_os = "linux"), test))]
mod native;
mod nokhwa_camera;
mod outputs;
#[cfg(target_os = "linux")]
mod range;
mod rate;
mod session;
mod source;
mod stop;
pub mod test_card;
#[cfg(target_os = "linux")]
mod v4l2;
pub mod y4m;

pub use camera::{Camera, CameraEvent};
pub use cameras::{CameraInfo, list_cameras};
pub use mode::Encoding;
pub use outputs::{Outputs, Succession};

#[cfg(test)]
mod camera_tests;
#[cfg(test)]
mod device_tests;
#[cfg(all(test, target_os = "linux"))]
mod odd_device_tests;
