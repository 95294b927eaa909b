//! Plain types that every stage of the pipeline shares: pictures, sound, time, presets, files that are read or written
//! as a whole, and the single-slot mailbox.
//!
//! Nothing here touches a device, a socket or a codec; every other module may import this one, and it imports `codec`
//! alone.

mod audio;
mod budget;
mod encoded;
mod frame;
mod latest;
mod media_set;
mod new_file;
mod preset;
mod regular_file;
mod rendition;
mod scale;
mod sequence;
mod sink;
mod spacing;
mod stream;
mod time;
mod volume;

pub use audio::{CHANNELS, FRAME_SAMPLES, LevelMeter, SAMPLE_RATE};
pub use budget::VideoBudget;
pub use encoded::{OutgoingPicture, OutgoingSound, ReceivedPicture, ReceivedSound};
pub use frame::{FramePool, Plane, VideoFrame};
pub use latest::{FrameSlot, Latest};
pub use media_set::MediaSet;
pub use new_file::write_new_file;
pub use preset::{ParsePresetError, Preset, VideoFormat};
pub use regular_file::open_regular_file;
pub use rendition::{PictureSource, RENDITIONS, RenditionPlan, RenditionPlans};
pub use scale::{Planes, Scaler};
pub use sequence::{first_unwrapped, unwrap_sequence};
pub use sink::{PictureSink, SoundSink};
pub use spacing::Spacing;
pub use stream::{MAX_STREAMS, MIN_HEIGHT, PICTURE_STREAMS, StreamId, StreamKind, StreamState};
pub use time::{MediaTime, NtpTime};
pub use volume::Volume;
