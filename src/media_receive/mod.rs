//! Received media of a participant between the network and its tile or the playout.
//!
//! ```text
//! rtc -> ReceivedPicture -> PictureReceiver -> decoder thread -> FrameSlot (latest wins) -> tile
//!                                                 `--- shown ---> AvSync
//! rtc -> ReceivedSound -> SoundBuffer (audio jitter buffer) ---> playout thread
//!                             `------ arrivals, least delay --'
//! ```
//!
//! `rtc` knows these only as sinks. The decoder of video has a thread for each stream; sound is decoded on the playout
//! thread, which takes it out of the jitter buffer at the speaker's pace.

mod av_sync;
mod decoding;
mod pictures;
mod sound;

pub use av_sync::{AvSync, SharedAvSync};
pub use decoding::{ShownPicture, VideoDecoding};
pub use pictures::{PictureMeter, PictureReceiver, PictureStats};
pub use sound::{SoundBuffer, SoundStats};
