//! Encoders: one video encoder thread a process, and Opus on the microphone's thread.

pub mod audio;
mod h264;
mod picture_encoder;
mod quality_scaler;
mod renditions;
pub mod video;

pub use audio::{AudioEncoder, AudioEncoderError};
pub use video::{EncodingStats, VideoEncoding};
#[cfg(test)]
pub(crate) use {h264::Rate, picture_encoder::PictureEncoder, renditions::Renditions};
