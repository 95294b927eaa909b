//! Shared screen of this side: the choice of a source, its capture, and the reports of sharing.

use crate::controller::event::SharingEnd;
use crate::controller::{Event, SharedScreen};
use crate::device::DeviceChoice;
use crate::media::{MediaSet, Preset, StreamId, VideoFormat};

use super::picture_source::{PictureSource, SourceWish};

/// Pictures a second of a shared screen: few, since it stands still for most of the time.
const SCREEN_FPS: u32 = 15;

/// The screen that is shared, or may be.
pub(super) struct ScreenShare {
    /// The screen to share, once one was chosen.
    chosen: Option<SharedScreen>,
    source: PictureSource,
    /// Shared, as the latest `sharing` event has it.
    reported: bool,
}

impl ScreenShare {
    /// Nothing is shared yet; pictures go to `source`'s encoder alone.
    pub(super) const fn new(source: PictureSource) -> Self {
        Self { chosen: None, source, reported: false }
    }

    /// The screen to share from now on; `None` at the end of a call.
    pub(super) const fn choose(&mut self, screen: Option<SharedScreen>) {
        self.chosen = screen;
    }

    /// The source that `streams` ask for, and its format.
    pub(super) fn wish(&self, streams: MediaSet) -> Option<SourceWish> {
        self.chosen.filter(|_| streams.is_on(StreamId::SCREEN)).map(|screen| match screen {
            SharedScreen::Pattern => {
                let format = VideoFormat::of(Preset::HighWide, Some(SCREEN_FPS), None);
                (DeviceChoice::TestCard { format: None }, format)
            }
        })
    }

    /// Its source.
    pub(super) const fn source(&self) -> &PictureSource {
        &self.source
    }

    /// Its source, to be opened or closed.
    pub(super) const fn source_mut(&mut self) -> &mut PictureSource {
        &mut self.source
    }

    /// A `sharing` event, when sharing has begun or ended since the last one. `wished`: a screen is to be shared;
    /// `in_call`: there is consent to capture anything.
    pub(super) fn report(&mut self, wished: bool, in_call: bool) -> Option<Event> {
        let on = wished && self.source.working().is_some();
        if on == self.reported || (wished && !self.source.is_resolved()) {
            return None;
        }
        self.reported = on;
        let reason = match (wished, in_call) {
            _ if on => None,
            (true, _) => Some(SharingEnd::Failed),
            (false, true) => Some(SharingEnd::Stopped),
            (false, false) => Some(SharingEnd::CallEnded),
        };
        Some(Event::Sharing { on, reason })
    }
}
