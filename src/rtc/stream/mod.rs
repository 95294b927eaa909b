//! Media streams of one peer connection, each as a sans-I/O struct: packets and time go in, packets, media and
//! deadlines come out.
//!
//! ```text
//! SEND    OutgoingPicture -> PictureGate -> queue -> VideoSend -> RTP
//!         OutgoingSound ------------------> queue -> AudioSend -> RTP (RED)
//! RECEIVE RTP -> VideoReceive (jitter buffer, keyframe requests) -> ReceivedPicture
//!         RTP -> AudioReceive (RED taken apart)                  -> ReceivedSound
//! ```
//!
//! The tokio tasks in `sending` and `receiving` and the virtual-time rig drive the same structs. The jitter buffer of
//! video is in here, because a picture leaves as soon as it is whole; that of sound is not, because the playout thread
//! takes sound out of it at the speaker's pace.

mod arrival;
mod audio_receive;
mod audio_send;
mod keyframe_requester;
pub mod packetizer;
mod picture_gate;
mod sender_clock;
mod video_receive;
mod video_send;

pub(in crate::rtc) use arrival::Arrival;
pub(in crate::rtc) use audio_receive::AudioReceive;
pub(in crate::rtc) use audio_send::AudioSend;
pub(in crate::rtc) use packetizer::NumberedSound;
pub(in crate::rtc) use picture_gate::PictureGate;
pub(in crate::rtc) use video_receive::{VideoReceive, VideoReceiveOutput};
pub(in crate::rtc) use video_send::VideoSend;
