//! Pacing: when each packet of a connection leaves (libwebrtc's `pacing_controller.cc` is the model).
//!
//! ```text
//! sending path -> FEC -> NACK responder -> RTX copies -> [Pacer] -> TWCC numbers -> bandwidth estimation -> SRTP
//!       ^                                                   |
//!       '---- PacerQueue: pictures that wait, room ---------'
//! ```

mod bucket;
mod pacer;
mod pictures;
mod probe;
mod prober;
mod wire_size;

pub(super) use pacer::Pacer;
pub(super) use pictures::{KeyframeStart, PacerQueue, QueuedPicture};
pub(super) use probe::{ProbeCluster, ProbeMark};
pub(super) use wire_size::wire_size;
