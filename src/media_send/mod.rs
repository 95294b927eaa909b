//! Media that this side sends: each rendition of a picture is encoded once for all who watch it, sound once for all.
//!
//! ```text
//! camera     -> slot -> [video encoder thread: renditions] -> fan-out (simulcast) -> the peers that watch each
//!                               ^--- plans: budgets, keyframes ---- assign ----- the peers' budgets and tiles
//! microphone -> [its thread: Opus]                         -> fan-out -> every peer
//! ```
//!
//! The controller configures it (peers, formats, gates) and is not on the media's way. The gates stand in front of the
//! peers: a press shuts them before the controller hears of it.

mod assign;
mod fan_out;
mod gates;
mod simulcast;
mod sound;
mod uplink;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

pub use assign::Receiver;
pub use fan_out::FanOut;
pub use gates::{Gate, Gates};
pub use simulcast::Simulcast;
pub use sound::SoundSender;

use crate::encoder::VideoEncoding;
use crate::identity::PeerId;
use crate::media::{FrameSlot, MediaTime, VideoFormat};
use crate::rtc::Peer;

/// The sending side of this computer's camera and microphone. Cheap to clone; used on the controller's thread.
#[derive(Clone, Debug)]
pub struct MediaSend {
    fan_out: Arc<FanOut>,
    pictures: Arc<FrameSlot>,
    /// Runs from the first call to the release of the devices.
    encoding: Arc<Mutex<Option<VideoEncoding>>>,
}

impl MediaSend {
    /// Behind `gates`; to nobody yet.
    pub fn new(gates: Arc<Gates>) -> Self {
        Self { fan_out: Arc::new(FanOut::new(gates)), pictures: Arc::default(), encoding: Arc::default() }
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

    /// Slot of the camera's pictures.
    pub const fn pictures(&self) -> &Arc<FrameSlot> {
        &self.pictures
    }

    /// An encoder for the sound of a microphone that is being opened.
    pub fn sound_sender(&self) -> SoundSender {
        SoundSender::new(Arc::clone(&self.fan_out))
    }

    /// Starts encoding the camera's pictures, unless that goes on already.
    pub fn start_video(&self, format: VideoFormat) {
        let mut encoding = self.encoding();
        if encoding.is_none() {
            let (plans, fan_out) = (Arc::clone(&self.fan_out), Arc::clone(&self.fan_out));
            *encoding = VideoEncoding::start(
                Arc::clone(&self.pictures),
                format,
                move |source| plans.plan_video(source, MediaTime::now()),
                move |rendition, picture| fan_out.send_video(rendition, &picture),
            )
            .inspect_err(|error| tracing::error!("no thread to encode video on: {error}"))
            .ok();
        }
    }

    /// Changes the greatest rate of pictures and bits.
    pub fn set_video_format(&self, format: VideoFormat) {
        if let Some(encoding) = &*self.encoding() {
            encoding.set_format(format);
        }
    }

    /// Width and height of the latest encoded picture; `None` before there is one.
    pub fn encoded_size(&self) -> Option<(u32, u32)> {
        let stats = self.encoding().as_ref()?.stats();
        (stats.width > 0).then_some((stats.width, stats.height))
    }

    /// Takes the encoder thread out; dropping it ends it, which takes up to 100 ms.
    pub fn stop_video(&self) -> Option<VideoEncoding> {
        self.encoding().take()
    }

    fn encoding(&self) -> MutexGuard<'_, Option<VideoEncoding>> {
        self.encoding.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
