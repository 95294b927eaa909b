//! Capabilities of the far side's decoders and repairs, as its description says. Written by the driver.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};

use crate::call::Description;
use crate::codec::CodecSupport;

/// Capabilities of the far side; none before its description came.
#[derive(Debug, Default)]
pub(in crate::rtc) struct FarCapabilities {
    red: AtomicBool,
    fec: AtomicBool,
    /// Held for a moment by the driver, and by the encoder's thread.
    video: Mutex<CodecSupport>,
}

impl FarCapabilities {
    /// Notes the capabilities of the far side's description. One that decodes no pictures is sent none.
    pub(in crate::rtc) fn follow(&self, description: &Description) {
        let video = description.video_codec().unwrap_or_default();
        self.set(description.red, description.fec.is_some(), video);
    }

    /// Notes whether the far side takes redundant audio (RED, RFC 2198) and forward error correction, and the video
    /// that it decodes.
    pub(in crate::rtc) fn set(&self, red: bool, fec: bool, video: CodecSupport) {
        self.red.store(red, Relaxed);
        self.fec.store(fec, Relaxed);
        *self.video.lock().unwrap_or_else(PoisonError::into_inner) = video;
    }

    /// It takes redundant audio (RED, RFC 2198).
    pub(in crate::rtc) fn red(&self) -> bool {
        self.red.load(Relaxed)
    }

    /// It takes forward error correction of the video.
    pub(in crate::rtc) fn fec(&self) -> bool {
        self.fec.load(Relaxed)
    }

    /// The codec in which it is sent pictures, and the level up to which it decodes that; before its description came,
    /// the codecs that every version decodes.
    pub(in crate::rtc) fn video(&self) -> CodecSupport {
        *self.video.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
