//! Media streams of one peer connection, each as a sans-I/O struct: packets and time go in, packets, media and deadlines
//! come out.
//!
//! ```text
//! SEND    OutgoingPicture -> VideoSend -> RTP            OutgoingSound -> AudioSend -> RTP (RED)
//! RECEIVE RTP -> VideoReceive (jitter buffer, keyframe requests) -> ReceivedPicture
//!         RTP -> AudioReceive (RED taken apart)                  -> ReceivedSound
//! ```
//!
//! The tokio tasks in `sending` and `receiving` and the virtual-time rig drive the same structs. The jitter buffer of
//! video is in here, because a picture leaves as soon as it is whole; that of sound is not, because the playout thread
//! takes sound out of it at the speaker's pace.

mod audio_receive;
mod keyframe_requester;
mod sender_clock;
mod video_receive;

use rtc::rtp;

pub(in crate::rtc) use audio_receive::AudioReceive;
pub(in crate::rtc) use video_receive::{VideoReceive, VideoReceiveOutput};

/// What arrives for a received stream, in order of arrival.
#[derive(Debug)]
pub(in crate::rtc) enum Arrival {
    /// A packet of media.
    Rtp(rtp::Packet),
    /// A sender report (RFC 3550, 6.4.1): the NTP time in 32.32 fixed point, and the RTP time of the same moment.
    SenderReport {
        /// NTP time.
        ntp_time: u64,
        /// RTP time.
        rtp_time: u32,
    },
}
