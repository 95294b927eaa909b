//! Talker of push to talk in other windows: it has the controller hear and mute by the key, from any thread.

use std::sync::{Arc, Mutex, PoisonError};

use crate::controller::{Command, Handle};
use crate::desktop::phase::Phase;
use crate::desktop::talk::Talk;

/// Talks while the key is held.
#[derive(Clone, Debug)]
pub(super) struct Talker {
    talk: Arc<Mutex<Talk>>,
    handle: Handle,
}

impl Talker {
    /// A talker whose key is not held.
    pub(super) fn new(handle: Handle) -> Self {
        Self { talk: Arc::default(), handle }
    }

    /// The key is held, or not any more.
    pub(super) fn hold(&self, held: bool) {
        let Some(snapshot) = self.handle.snapshot() else { return };
        let heard = self.talk.lock().unwrap_or_else(PoisonError::into_inner).hold(held, Phase::of(&snapshot));
        if let Some(on) = heard {
            // An error means that the controller has ended.
            let _ = self.handle.send(Command::EnableAudio { on, participant: None });
        }
    }
}
