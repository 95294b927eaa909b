//! Decoders: one video decoder thread and one audio decoder a remote participant.

pub mod audio;
pub mod video;
