//! Video codecs: names, levels, payload formats (RTP) and parameter sets, one module a codec. Other modules know no
//! codec by its name but `encoder` and `decoder`, which have its library.
//!
//! ```text
//! VideoCodec -> Definition: data and functions of one codec (`h264`)
//!                 SEND     access unit -> payloads of RTP packets
//!                 RECEIVE  payloads of RTP packets -> access unit, keyframe or not
//! ```
//!
//! Pure, and without time. All input of the receive path is a stranger's.

mod definition;
pub mod h264;
mod level;
mod references;
mod support;
mod video_codec;

pub use definition::{MalformedPayload, PayloadTypes};
pub use level::VideoLevel;
pub use references::ReferenceChain;
pub use support::CodecSupport;
pub use video_codec::VideoCodec;
