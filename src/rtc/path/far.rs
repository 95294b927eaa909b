//! Capabilities of the far side's decoders and repairs, as its description says. Written by the driver.

use std::sync::atomic::{AtomicBool, AtomicU8, Ordering::Relaxed};

use crate::media::VideoLevel;

/// Capabilities of the far side; none before its description came.
#[derive(Debug, Default)]
pub(in crate::rtc) struct FarCapabilities {
    red: AtomicBool,
    fec: AtomicBool,
    /// The `level_idc` up to which it decodes; 0 before it has said.
    video_level: AtomicU8,
}

impl FarCapabilities {
    /// Notes whether the far side takes redundant audio (RED, RFC 2198) and forward error correction, and its video level.
    pub(in crate::rtc) fn set(&self, red: bool, fec: bool, level: VideoLevel) {
        self.red.store(red, Relaxed);
        self.fec.store(fec, Relaxed);
        self.video_level.store(level.idc(), Relaxed);
    }

    /// It takes redundant audio (RED, RFC 2198).
    pub(in crate::rtc) fn red(&self) -> bool {
        self.red.load(Relaxed)
    }

    /// It takes forward error correction of the video.
    pub(in crate::rtc) fn fec(&self) -> bool {
        self.fec.load(Relaxed)
    }

    /// The level up to which it decodes (RFC 6184, 8.1).
    pub(in crate::rtc) fn video_level(&self) -> VideoLevel {
        match self.video_level.load(Relaxed) {
            0 => VideoLevel::default(),
            idc => VideoLevel::from_idc(idc),
        }
    }
}
