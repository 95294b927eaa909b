//! Errors of conversion.

use yuv::YuvError;

/// Reason why a buffer gave no picture.
#[derive(Debug, thiserror::Error)]
pub enum ConvertError {
    /// The buffer is shorter than its size and format say.
    #[error("the camera gave {got} bytes where {needed} are needed")]
    TooShort {
        /// Bytes in the buffer.
        got: usize,
        /// Bytes that the format needs.
        needed: usize,
    },
    /// A size that no camera in use has.
    #[error("a picture of {0}x{1} pixels cannot be used")]
    BadSize(usize, usize),
    /// No JPEG, or a damaged one.
    #[error("not a JPEG picture: {0}")]
    Jpeg(String),
    /// Error of the packed-pixel kernel.
    #[error("the picture could not be unpacked: {0}")]
    Unpack(#[from] YuvError),
}
