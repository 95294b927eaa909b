//! Media that this side sends: each rendition of a picture is encoded once for all who watch it, sound once for all.
//!
//! ```text
//! camera, screen -> a slot each -> [a video encoder thread each: renditions] -> fan-out (simulcast) -> its watchers
//!                                       ^--- plans: budgets, keyframes ---- assign ----- the peers' budgets, tiles
//! microphone     -> [its thread: Opus]                                      -> fan-out -> every peer
//! ```
//!
//! The controller configures it (peers, formats, gates) and is not on the media's way. The gates stand in front of the
//! peers: a press shuts them before the controller hears of it.

mod assign;
mod fan_out;
mod gates;
mod picture_send;
mod simulcast;
mod sound;
mod uplink;

use std::sync::Arc;

pub use assign::Receiver;
pub use fan_out::FanOut;
pub use gates::{Gate, Gates};
pub use picture_send::PictureSend;
pub use simulcast::Simulcast;
pub use sound::SoundSender;
pub use uplink::{PathRate, Uplink};

use crate::identity::PeerId;
use crate::media::StreamId;
use crate::rtc::Peer;

/// The sending side of this computer's streams. Cheap to clone; used on the controller's thread.
#[derive(Clone, Debug)]
pub struct MediaSend {
    fan_out: Arc<FanOut>,
}

impl MediaSend {
    /// Behind `gates`; to nobody yet.
    pub fn new(gates: Arc<Gates>) -> Self {
        Self { fan_out: Arc::new(FanOut::new(gates)) }
    }

    /// The gates in front of the peers.
    pub fn gates(&self) -> &Arc<Gates> {
        self.fan_out.gates()
    }

    /// The peers and their budgets.
    pub fn fan_out(&self) -> &FanOut {
        &self.fan_out
    }

    /// Replaces the set of peers.
    pub fn set_peers(&self, peers: Vec<(PeerId, Peer)>) {
        self.fan_out.set(peers);
    }

    /// Sending side of a stream of pictures, which has one.
    pub fn picture_send(&self, stream: StreamId) -> PictureSend {
        PictureSend::new(Arc::clone(&self.fan_out), stream)
    }

    /// An encoder for the sound of a microphone that is being opened.
    pub fn sound_sender(&self) -> SoundSender {
        SoundSender::new(Arc::clone(&self.fan_out))
    }
}
