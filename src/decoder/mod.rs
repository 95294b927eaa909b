//! From what the network carries to raw media: one video decoder thread and one audio decoder a remote participant.

pub mod audio;
pub mod video;
