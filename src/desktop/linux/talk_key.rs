//! Key of push to talk in other windows, heard from the window system: raw events of X11 (`x11`), or the portal of
//! global shortcuts on Wayland (`portal`), where no program reads the keyboard of others.

mod portal;
mod x11;

use super::talker::Talker;
use crate::controller::{CallView, Handle, Snapshot};
use crate::store::TalkKey;
use crate::ui::{Text, Words, is_on_wayland};

/// Ears of the key, on a thread of their own, until they are dropped.
#[derive(Debug)]
enum Ears {
    X11 { _ears: x11::Ears },
    Portal { _ears: portal::Ears },
}

/// Follows the setting and the call.
#[derive(Debug)]
pub(super) struct TalkKeyEars {
    talker: Talker,
    /// The key that is listened for.
    key: Option<TalkKey>,
    ears: Option<Ears>,
}

impl TalkKeyEars {
    /// Ears that hear nothing yet.
    pub(super) fn new(handle: Handle) -> Self {
        Self { talker: Talker::new(handle), key: None, ears: None }
    }

    /// Listens for the key that is set: on X11 in a call alone; the portal asks the person when the key is chosen.
    pub(super) fn follow(&mut self, snapshot: &Snapshot, words: Words) {
        let by_portal = is_on_wayland();
        let in_call = matches!(snapshot.call, CallView::Conversation(_));
        let key = snapshot.settings.talk_key.filter(|_| by_portal || in_call);
        if key == self.key {
            return;
        }
        self.key = key;
        // Nobody hears of the release any more.
        self.ears = None;
        self.talker.hold(false);
        let Some(key) = key else { return };
        let talker = self.talker.clone();
        let ears = if by_portal {
            portal::Ears::open(key, words.get(Text::KeyTalk), talker).map(|_ears| Ears::Portal { _ears })
        } else {
            x11::Ears::open(key, talker).map(|_ears| Ears::X11 { _ears })
        };
        self.ears = ears.inspect_err(|error| tracing::warn!("the key of push to talk is not heard: {error}")).ok();
    }
}
