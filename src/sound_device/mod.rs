//! Parts that the microphone and the speaker share: the search for a sound device, its real-time stream, and the watch
//! over it.
//!
//! ```text
//! microphone: device callback -> ring -> microphone thread -> 48 kHz mono frames of 20 ms
//! playout:    playout thread -> ring -> device callback
//!             speaker thread: opens, watches and closes the device
//! ```
//!
//! Callbacks run on the system's real-time thread: they convert samples, move them through a lock-free ring, count a
//! beat and unpark the thread behind the ring. They take no lock, allocate nothing and log nothing.

mod channel_map;
mod direction;
mod downmix;
mod event;
mod host;
mod pace;
mod resample;
mod stream;
#[cfg(test)]
pub(crate) mod test_signal;
mod watch;

pub(crate) use direction::Direction;
pub(crate) use downmix::Downmix;
pub use event::SoundEvent;
pub(crate) use host::{Found, Watched, Watcher, find};
pub use host::{list_microphones, list_speakers};
pub(crate) use pace::Pace;
pub(crate) use resample::{ResampleError, Resampler};
pub(crate) use stream::{PlayRing, RecordRing, Wakes, open_input, open_output};
pub(crate) use watch::{CallbackPeriod, DONE_WAIT, Done, Failure, Heart, RETRY, SoundLog, Stall, WATCH};
