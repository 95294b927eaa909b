//! Jitter buffers between the network and the decoders: they put packets back in order, wait for late ones, and give up
//! in time.
//!
//! Pure: no clock, no thread, no socket. `rtc` owns the video's, in the receive path of each stream; the audio's stands
//! in `media_receive`, where the playout thread takes sound out of it at the speaker's pace.

pub mod audio;
mod video;

pub use video::{VideoJitterBuffer, VideoPacket, repair_wait};
