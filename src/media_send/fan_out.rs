//! Fan-out: the peers that each encoded picture and sound goes to. Sound is encoded once for all; pictures in the
//! renditions that the peers' paths and tiles ask for, each once for all who watch it. All streams of pictures share
//! the uplink.
//!
//! Written by the controller's thread when somebody joins or leaves; read by the encoder's and the microphone's threads
//! (neither is a device's real-time callback).

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard};

use crate::identity::PeerId;
use crate::media::{MediaTime, OutgoingPicture, OutgoingSound, PictureSource, RenditionPlans, StreamId, VideoBudget};
use crate::rtc::Peer;

use super::assign::{Receiver, needed_kbps, top_lines};
use super::gates::Gates;
use super::simulcast::Simulcast;
use super::uplink::{PathRate, Uplink};

/// One peer of the fan-out.
#[derive(Debug)]
struct Outlet {
    id: PeerId,
    peer: Peer,
    /// Lines of each stream's picture that they draw at most, where they have said it.
    max_heights: BTreeMap<StreamId, u32>,
}

/// Streams of pictures that are encoded, and the uplink that they go through.
#[derive(Debug, Default)]
struct Pictures {
    simulcasts: BTreeMap<StreamId, Simulcast>,
    uplink: Uplink,
}

/// The peers, behind the gates that hang-up and mute shut.
#[derive(Debug)]
pub struct FanOut {
    gates: Arc<Gates>,
    outlets: RwLock<Vec<Outlet>>,
    /// Locked before the outlets.
    pictures: Mutex<Pictures>,
}

impl FanOut {
    /// Behind `gates`; for nobody yet.
    pub fn new(gates: Arc<Gates>) -> Self {
        Self { gates, outlets: RwLock::default(), pictures: Mutex::default() }
    }

    /// The gates.
    pub const fn gates(&self) -> &Arc<Gates> {
        &self.gates
    }

    /// Replaces the set.
    pub fn set(&self, peers: Vec<(PeerId, Peer)>) {
        let mut outlets = self.outlets.write().unwrap_or_else(PoisonError::into_inner);
        let mut before = std::mem::take(&mut *outlets);
        let mut max_heights = |id| {
            let known = before.iter_mut().find(|outlet| outlet.id == id);
            known.map(|outlet| std::mem::take(&mut outlet.max_heights)).unwrap_or_default()
        };
        outlets.extend(peers.into_iter().map(|(id, peer)| Outlet { id, peer, max_heights: max_heights(id) }));
    }

    /// Notes how many lines of each stream's picture are of use to each of these people; of a stream that is not named
    /// all are.
    pub fn set_wishes<'a>(&self, wishes: impl Iterator<Item = (PeerId, &'a BTreeMap<StreamId, u32>)>) {
        let mut outlets = self.outlets.write().unwrap_or_else(PoisonError::into_inner);
        for (id, max_heights) in wishes {
            if let Some(outlet) = outlets.iter_mut().find(|outlet| outlet.id == id) {
                outlet.max_heights.clone_from(max_heights);
            }
        }
    }

    /// Lines of a stream's picture that are of use to one person; `None`: all of them.
    pub fn wish_of(&self, id: PeerId, stream: StreamId) -> Option<u32> {
        self.outlets().iter().find(|outlet| outlet.id == id)?.max_heights.get(&stream).copied()
    }

    /// Bit rate of the rendition of a stream that is made for one person, in kbit/s; `None` while they cannot be
    /// reached.
    pub fn asked_kbps(&self, id: PeerId, stream: StreamId) -> Option<u32> {
        self.pictures().simulcasts.get(&stream)?.budget_for(id).map(|budget| budget.kbps)
    }

    /// True while this side is muted in a call.
    pub fn is_muted(&self) -> bool {
        self.gates.is_muted()
    }

    /// True while encoding sound would be for nobody.
    pub fn sound_is_idle(&self) -> bool {
        self.gates.is_shut(StreamId::AUDIO) || self.outlets().is_empty()
    }

    /// Plans the renditions of a stream's next picture. A peer that cannot be reached now does not bind the others.
    pub fn plan_video(&self, stream: StreamId, source: PictureSource, now: MediaTime) -> RenditionPlans {
        let mut pictures = self.pictures();
        let Pictures { simulcasts, uplink } = &mut *pictures;
        let outlets = self.outlets();
        let max_height = |outlet: &Outlet| outlet.max_heights.get(&stream).copied().unwrap_or(u32::MAX);
        let top = top_lines(outlets.iter().map(max_height), source);
        let rate = |outlet: &Outlet| {
            let kbps = outlet.peer.granted_kbps(now)?;
            Some(PathRate { peer: outlet.id, kbps, needed_kbps: needed_kbps(max_height(outlet), top, source) })
        };
        let uplink_kbps = uplink.follow(stream, &outlets.iter().filter_map(rate).collect::<Vec<_>>(), now);
        let receiver = |outlet: &Outlet| {
            let max_height = max_height(outlet);
            // A path of which no more is wanted than it carries is not probed.
            let wanted_kbps = if uplink.may_probe(outlet.id) { source.wanted_kbps(max_height) } else { 0 };
            let budget = outlet.peer.video_budget(stream, wanted_kbps)?;
            let max_lines = budget.max_lines.min(max_height);
            Some(Receiver { peer: outlet.id, budget: VideoBudget { max_lines, ..budget } })
        };
        let receivers: Vec<_> = outlets.iter().filter_map(receiver).collect();
        simulcasts.entry(stream).or_default().plan(receivers.into_iter(), source, uplink_kbps, now)
    }

    /// The greatest loss on the way to anybody, in percent, which sets the redundancy of sound.
    pub fn path_loss_percent(&self) -> u32 {
        (self.outlets().iter().map(|outlet| outlet.peer.path_loss()).fold(0.0, f64::max) * 100.0).ceil() as u32
    }

    /// Asks for a keyframe of a stream for one person: of the rendition that is made for them.
    pub fn request_keyframe(&self, id: PeerId, stream: StreamId) {
        if let Some(simulcast) = self.pictures().simulcasts.get_mut(&stream) {
            simulcast.request_keyframe(id);
        }
    }

    /// The same of every stream.
    pub fn request_keyframe_of_each(&self, id: PeerId) {
        self.pictures().simulcasts.values_mut().for_each(|simulcast| simulcast.request_keyframe(id));
    }

    /// Asks for a keyframe of every rendition of a stream.
    pub fn request_keyframes(&self, stream: StreamId) {
        self.pictures().simulcasts.entry(stream).or_default().request_keyframes();
    }

    /// Sends a stream's picture to those who watch its rendition, unless the stream's gate is shut.
    pub fn send_video(&self, stream: StreamId, rendition: usize, picture: &OutgoingPicture) {
        if self.gates.is_shut(stream) {
            return;
        }
        let mut pictures = self.pictures();
        let Some(simulcast) = pictures.simulcasts.get_mut(&stream) else { return };
        let outlets = self.outlets();
        simulcast.deliver(rendition, picture, |id| {
            if let Some(outlet) = outlets.iter().find(|outlet| outlet.id == id) {
                outlet.peer.send_video(stream, picture);
            }
        });
    }

    /// Sends sound to everybody, unless the microphone's gate is shut.
    pub fn send_audio(&self, sound: &OutgoingSound) {
        if self.gates.is_shut(StreamId::AUDIO) {
            return;
        }
        self.outlets().iter().for_each(|outlet| outlet.peer.send_audio(sound));
    }

    fn outlets(&self) -> RwLockReadGuard<'_, Vec<Outlet>> {
        self.outlets.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn pictures(&self) -> MutexGuard<'_, Pictures> {
        self.pictures.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
