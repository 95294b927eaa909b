//! Encode once, send to all: the set of peers that each encoded picture and sound goes to.
//!
//! Written by the controller's thread when somebody joins or leaves; read by the encoder's and the microphone's threads
//! (neither is a device's real-time callback).

use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::sync::{Arc, PoisonError, RwLock};

use crate::media::{OutgoingPicture, OutgoingSound, StreamId, VideoBudget};
use crate::rtc::Peer;

use super::Gates;

/// The peers, behind the gates that hang-up and mute shut.
#[derive(Debug)]
pub struct FanOut {
    gates: Arc<Gates>,
    peers: RwLock<Vec<Peer>>,
    /// Lines that somebody draws at most; 0: nobody has said.
    wish: AtomicU32,
}

impl FanOut {
    /// Behind `gates`; for nobody yet.
    pub fn new(gates: Arc<Gates>) -> Self {
        Self { gates, peers: RwLock::new(Vec::new()), wish: AtomicU32::new(0) }
    }

    /// The gates.
    pub const fn gates(&self) -> &Arc<Gates> {
        &self.gates
    }

    /// Replaces the set.
    pub fn set(&self, peers: Vec<Peer>) {
        *self.peers.write().unwrap_or_else(PoisonError::into_inner) = peers;
    }

    /// Notes how many lines of the picture are of use to somebody.
    pub fn set_wish(&self, lines: Option<u32>) {
        self.wish.store(lines.unwrap_or(0), Relaxed);
    }

    /// Lines of the picture that are of use to somebody; `None`: all of them.
    pub fn video_wish(&self) -> Option<u32> {
        Some(self.wish.load(Relaxed)).filter(|&lines| lines > 0)
    }

    /// True while this side is muted in a call.
    pub fn is_muted(&self) -> bool {
        self.gates.is_muted()
    }

    /// True while encoding sound would be for nobody.
    pub fn sound_is_idle(&self) -> bool {
        self.gates.sound_is_shut() || self.peers.read().unwrap_or_else(PoisonError::into_inner).is_empty()
    }

    /// Video budget that everybody's path carries, and no larger than somebody looks at.
    pub fn video_budget(&self, wanted_kbps: u32) -> VideoBudget {
        let peers = self.peers.read().unwrap_or_else(PoisonError::into_inner);
        let wished = VideoBudget { max_lines: self.video_wish().unwrap_or(u32::MAX), ..VideoBudget::UNLIMITED };
        // Whoever cannot be reached now binds nobody else's picture, and nothing is encoded for nobody.
        let reached =
            peers.iter().filter_map(|peer| peer.video_budget(StreamId::CAMERA, wanted_kbps)).reduce(VideoBudget::least);
        reached.map_or(VideoBudget { behind: true, ..wished }, |budget| budget.least(wished))
    }

    /// The greatest loss on the way to anybody, in percent, which sets the redundancy of sound.
    pub fn path_loss_percent(&self) -> u32 {
        let peers = self.peers.read().unwrap_or_else(PoisonError::into_inner);
        (peers.iter().map(Peer::path_loss).fold(0.0, f64::max) * 100.0).ceil() as u32
    }

    /// Sends a picture to everybody, unless the camera's gate is shut.
    pub fn send_video(&self, picture: &OutgoingPicture) {
        if self.gates.video_is_shut() {
            return;
        }
        for peer in self.peers.read().unwrap_or_else(PoisonError::into_inner).iter() {
            peer.send_video(StreamId::CAMERA, picture);
        }
    }

    /// Sends sound to everybody, unless the microphone's gate is shut.
    pub fn send_audio(&self, sound: &OutgoingSound) {
        if self.gates.sound_is_shut() {
            return;
        }
        for peer in self.peers.read().unwrap_or_else(PoisonError::into_inner).iter() {
            peer.send_audio(sound);
        }
    }
}
