//! Gates of outgoing media: atomics that the media path checks before it sends anything, so that hanging up and muting
//! wait in no queue.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use crate::media::MediaSet;

/// Gates of outgoing media.
///
/// A press that shuts a gate counts at once, on the thread of whoever pressed, and until the controller has handled it;
/// from then on the state chart decides. So no older command that still waits can open a shut gate.
#[derive(Debug, Default)]
pub struct Gates {
    muted: Gate,
    camera_off: Gate,
    away: Gate,
}

/// One gate.
#[derive(Debug, Default)]
pub struct Gate {
    /// As the state chart has it.
    shut: AtomicBool,
    /// Presses that shut it and that the controller has still to handle.
    pressed: AtomicU32,
}

impl Gate {
    fn is_shut(&self) -> bool {
        // In this order: a press that is no longer counted has set the flag before.
        self.pressed.load(Ordering::Acquire) > 0 || self.shut.load(Ordering::Acquire)
    }

    fn set(&self, shut: bool) {
        self.shut.store(shut, Ordering::Release);
    }

    /// Shuts it by a press, until that is [handled](Self::handled).
    pub(crate) fn press(&self) {
        self.pressed.fetch_add(1, Ordering::AcqRel);
    }

    /// The controller has handled one press, and the state chart says what follows from it.
    pub(crate) fn handled(&self) {
        let counted_down = |presses: u32| presses.checked_sub(1);
        let _ = self.pressed.fetch_update(Ordering::AcqRel, Ordering::Acquire, counted_down);
    }
}

impl Gates {
    /// The gate of this side's sound, which Mute shuts.
    pub(crate) const fn muted(&self) -> &Gate {
        &self.muted
    }

    /// The gate of this side's camera.
    pub(crate) const fn camera_off(&self) -> &Gate {
        &self.camera_off
    }

    /// The gate of everything, which is open in a call alone.
    pub(crate) const fn away(&self) -> &Gate {
        &self.away
    }

    /// True while this side's sound must not be sent.
    pub fn sound_is_shut(&self) -> bool {
        self.muted.is_shut() || self.away.is_shut()
    }

    /// True while this side's pictures must not be sent.
    pub fn video_is_shut(&self) -> bool {
        self.camera_off.is_shut() || self.away.is_shut()
    }

    /// True while this side is muted, in a call.
    pub fn is_muted(&self) -> bool {
        self.muted.is_shut()
    }

    /// Follows the state chart: this side's streams, on where it means to send, or `None` outside a call.
    pub(crate) fn follow(&self, sends: Option<MediaSet>) {
        let streams = sends.unwrap_or(MediaSet::of_call(true, true));
        if sends.is_none() {
            self.away.set(true);
        }
        self.muted.set(!streams.audio());
        self.camera_off.set(!streams.camera());
        if sends.is_some() {
            self.away.set(false);
        }
    }
}
