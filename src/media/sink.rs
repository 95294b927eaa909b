//! Sinks of received media: the takers of each stream of a far side.

use super::{ReceivedPicture, ReceivedSound};

/// Takes the pictures of one received video stream. Called on a tokio task: must not block.
pub trait PictureSink: Send {
    /// Takes the next picture in decoding order; false while decoding cannot go on without a keyframe.
    fn take(&mut self, picture: ReceivedPicture) -> bool;

    /// Gives the sink a way to say, between pictures, that decoding cannot go on without a keyframe. Called before the
    /// first picture; `needs_keyframe` may be called at any time on any thread, and never blocks.
    fn on_start(&mut self, needs_keyframe: Box<dyn Fn() + Send>) {
        drop(needs_keyframe);
    }

    /// Ends the stream, and blocks until the sink's own threads have ended. Called where blocking is allowed.
    fn finish(self: Box<Self>) {}
}

/// Takes the sound of one received audio stream. Called on a tokio task: must not block.
pub trait SoundSink: Send {
    /// Takes a packet as it arrived: perhaps out of order, but each one once.
    fn take(&mut self, sound: ReceivedSound);
}

impl<F: FnMut(ReceivedPicture) -> bool + Send> PictureSink for F {
    fn take(&mut self, picture: ReceivedPicture) -> bool {
        self(picture)
    }
}

impl<F: FnMut(ReceivedSound) + Send> SoundSink for F {
    fn take(&mut self, sound: ReceivedSound) {
        self(sound);
    }
}
