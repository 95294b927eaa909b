//! The start of the send pipeline: cameras, and what stands in for them.
//!
//! ```text
//! device | test card | y4m file  --raw buffer-->  convert + scale  --Arc<VideoFrame>-->  slots (self-view, encoder)
//!          one capture thread a camera, watched by a second one that never touches the device
//! ```
//!
//! A [`Camera`] is open from [`Camera::open`] until it is dropped; opening demands a [`crate::call::Consent`].

pub mod barcode;
mod camera;
mod cameras;
pub mod convert;
mod device;
pub mod film;
mod film_file;
mod interrupt;
mod mode;
mod outputs;
mod rate;
mod session;
mod stop;
pub mod test_card;
pub mod y4m;

pub use camera::{Camera, CameraEvent};
pub use cameras::{CameraInfo, list_cameras};
pub use mode::Encoding;
pub use outputs::{Outputs, Succession};

#[cfg(test)]
mod camera_tests;
#[cfg(test)]
mod device_tests;
