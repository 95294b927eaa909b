//! Fan-out: the peers that each encoded picture and sound goes to. Sound is encoded once for all; pictures in the
//! renditions that the peers' paths and tiles ask for, each once for all who watch it.
//!
//! Written by the controller's thread when somebody joins or leaves; read by the encoder's and the microphone's threads
//! (neither is a device's real-time callback).

use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard};

use crate::identity::PeerId;
use crate::media::{MediaTime, OutgoingPicture, OutgoingSound, PictureSource, RenditionPlans, StreamId, VideoBudget};
use crate::rtc::Peer;

use super::assign::Receiver;
use super::gates::Gates;
use super::simulcast::Simulcast;

/// One peer of the fan-out.
#[derive(Debug)]
struct Outlet {
    id: PeerId,
    peer: Peer,
    /// Lines of the picture that they draw at most.
    max_height: AtomicU32,
}

/// The peers, behind the gates that hang-up and mute shut.
#[derive(Debug)]
pub struct FanOut {
    gates: Arc<Gates>,
    outlets: RwLock<Vec<Outlet>>,
    /// Locked before the outlets.
    simulcast: Mutex<Simulcast>,
}

impl FanOut {
    /// Behind `gates`; for nobody yet.
    pub fn new(gates: Arc<Gates>) -> Self {
        Self { gates, outlets: RwLock::default(), simulcast: Mutex::default() }
    }

    /// The gates.
    pub const fn gates(&self) -> &Arc<Gates> {
        &self.gates
    }

    /// Replaces the set.
    pub fn set(&self, peers: Vec<(PeerId, Peer)>) {
        let mut outlets = self.outlets.write().unwrap_or_else(PoisonError::into_inner);
        let max_height =
            |id| outlets.iter().find(|outlet| outlet.id == id).map(|outlet| outlet.max_height.load(Relaxed));
        let outlet = |(id, peer)| Outlet { id, peer, max_height: AtomicU32::new(max_height(id).unwrap_or(u32::MAX)) };
        *outlets = peers.into_iter().map(outlet).collect();
    }

    /// Notes how many lines of the picture are of use to each of these people; `None`: all of them.
    pub fn set_wishes(&self, wishes: impl Iterator<Item = (PeerId, Option<u32>)>) {
        let outlets = self.outlets();
        for (id, lines) in wishes {
            if let Some(outlet) = outlets.iter().find(|outlet| outlet.id == id) {
                outlet.max_height.store(lines.unwrap_or(u32::MAX), Relaxed);
            }
        }
    }

    /// Lines of the picture that are of use to one person; `None`: all of them.
    pub fn wish_of(&self, id: PeerId) -> Option<u32> {
        let outlets = self.outlets();
        let outlet = outlets.iter().find(|outlet| outlet.id == id)?;
        Some(outlet.max_height.load(Relaxed)).filter(|&lines| lines < u32::MAX)
    }

    /// Bit rate of the rendition that is made for one person, in kbit/s; `None` while they cannot be reached.
    pub fn asked_kbps(&self, id: PeerId) -> Option<u32> {
        self.simulcast().budget_for(id).map(|budget| budget.kbps)
    }

    /// True while this side is muted in a call.
    pub fn is_muted(&self) -> bool {
        self.gates.is_muted()
    }

    /// True while encoding sound would be for nobody.
    pub fn sound_is_idle(&self) -> bool {
        self.gates.sound_is_shut() || self.outlets().is_empty()
    }

    /// Plans the renditions of the next picture. A peer that cannot be reached now does not bind the others.
    pub fn plan_video(&self, source: PictureSource, now: MediaTime) -> RenditionPlans {
        let mut simulcast = self.simulcast();
        let outlets = self.outlets();
        let receiver = |outlet: &Outlet| {
            let max_height = outlet.max_height.load(Relaxed);
            // A path of which no more is wanted than it carries is not probed.
            let wanted_kbps = if simulcast.may_probe(outlet.id) { source.wanted_kbps(max_height) } else { 0 };
            let budget = outlet.peer.video_budget(StreamId::CAMERA, wanted_kbps)?;
            let max_lines = budget.max_lines.min(max_height);
            Some(Receiver { peer: outlet.id, budget: VideoBudget { max_lines, ..budget } })
        };
        let receivers: Vec<_> = outlets.iter().filter_map(receiver).collect();
        simulcast.plan(receivers.into_iter(), source, now)
    }

    /// The greatest loss on the way to anybody, in percent, which sets the redundancy of sound.
    pub fn path_loss_percent(&self) -> u32 {
        (self.outlets().iter().map(|outlet| outlet.peer.path_loss()).fold(0.0, f64::max) * 100.0).ceil() as u32
    }

    /// Asks for a keyframe of a stream for one person: of the rendition that is made for them. Only the camera's pictures
    /// are encoded here.
    pub fn request_keyframe(&self, id: PeerId, stream: StreamId) {
        if stream == StreamId::CAMERA {
            self.simulcast().request_keyframe(id);
        }
    }

    /// Asks for a keyframe of every rendition.
    pub fn request_keyframes(&self) {
        self.simulcast().request_keyframes();
    }

    /// Sends a picture to those who watch its rendition, unless the camera's gate is shut.
    pub fn send_video(&self, rendition: usize, picture: &OutgoingPicture) {
        if self.gates.video_is_shut() {
            return;
        }
        let mut simulcast = self.simulcast();
        let outlets = self.outlets();
        simulcast.deliver(rendition, picture, |id| {
            if let Some(outlet) = outlets.iter().find(|outlet| outlet.id == id) {
                outlet.peer.send_video(StreamId::CAMERA, picture);
            }
        });
    }

    /// Sends sound to everybody, unless the microphone's gate is shut.
    pub fn send_audio(&self, sound: &OutgoingSound) {
        if self.gates.sound_is_shut() {
            return;
        }
        self.outlets().iter().for_each(|outlet| outlet.peer.send_audio(sound));
    }

    fn outlets(&self) -> RwLockReadGuard<'_, Vec<Outlet>> {
        self.outlets.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn simulcast(&self) -> MutexGuard<'_, Simulcast> {
        self.simulcast.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
