//! Gate of outgoing pictures before the send queue: after a picture was dropped none goes before a keyframe, because
//! the far side cannot decode one without its reference.
//!
//! Sans-I/O: time is an argument. Used by the encoder's thread.

use std::time::Duration;

use super::keyframe_requester::KeyframeRequester;
use crate::media::{MediaTime, OutgoingPicture};

/// A keyframe that was asked of the encoder may itself find the queue full: it is asked for again until one has been
/// taken.
const ENCODER_REQUEST_INTERVAL: Duration = Duration::from_millis(500);

/// Decides which pictures go on, and when the encoder is asked for a keyframe.
#[derive(Debug)]
pub(in crate::rtc) struct PictureGate {
    awaiting_keyframe: bool,
    keyframes: KeyframeRequester,
}

impl PictureGate {
    /// A gate that lets a keyframe through first.
    pub(in crate::rtc) const fn new() -> Self {
        Self { awaiting_keyframe: true, keyframes: KeyframeRequester::new(ENCODER_REQUEST_INTERVAL) }
    }

    /// The connection takes pictures from now on: the first one must be a keyframe.
    pub(in crate::rtc) const fn on_opened(&mut self) {
        self.awaiting_keyframe = true;
    }

    /// True where `picture` can be decoded after those that went on.
    pub(in crate::rtc) const fn admits(&self, picture: &OutgoingPicture) -> bool {
        picture.keyframe || !self.awaiting_keyframe
    }

    /// The queue took a picture.
    pub(in crate::rtc) const fn on_taken(&mut self) {
        self.awaiting_keyframe = false;
    }

    /// A picture was dropped at `now`; true where the encoder is to be asked for a keyframe.
    pub(in crate::rtc) fn on_dropped(&mut self, now: MediaTime) -> bool {
        self.awaiting_keyframe = true;
        self.keyframes.need();
        self.keyframes.take_request(now)
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::codec::VideoCodec;

    fn picture(keyframe: bool) -> OutgoingPicture {
        let (codec, data) = (VideoCodec::PREFERRED, Bytes::new());
        OutgoingPicture { codec, data, keyframe, captured_at: MediaTime::default() }
    }

    #[test]
    fn a_keyframe_goes_first_at_the_start_and_after_a_picture_was_dropped() {
        let mut gate = PictureGate::new();
        let admits = |gate: &PictureGate| [true, false].map(|keyframe| gate.admits(&picture(keyframe)));
        assert_eq!(admits(&gate), [true, false]);
        gate.on_taken();
        assert_eq!(admits(&gate), [true, true]);
        assert!(gate.on_dropped(MediaTime::from_millis(1000)), "the encoder is asked at once");
        assert_eq!(admits(&gate), [true, false]);
        gate.on_taken();
        gate.on_opened();
        assert_eq!(admits(&gate), [true, false]);
    }

    #[test]
    fn the_encoder_is_asked_again_each_half_second_until_a_keyframe_is_taken() {
        let mut gate = PictureGate::new();
        let asked: Vec<u64> =
            (0..60).map(|n| n * 33).filter(|&millis| gate.on_dropped(MediaTime::from_millis(millis))).collect();
        assert_eq!(asked, [0, 528, 1056, 1584]);
    }
}
