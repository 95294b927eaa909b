//! Between the network and the decoders: puts packets back in order, waits for what is late, and gives up in time.
//!
//! Pure: no clock, no thread, no socket. `rtc` feeds the video's from the tokio task of each stream, and `playout`
//! reads the audio's at the speaker's pace.

pub mod audio;
mod depacketizer;
pub mod sync;
mod video;

pub use depacketizer::starts_keyframe;
pub use video::{VideoJitterBuffer, VideoOutput, VideoPacket, repair_wait};
