//! State of one's own camera on home: whether it is wanted, when it opens again, because every call closes it, and when
//! it rests, because nobody looks at the window.
//!
//! Only opening the window and the preview's buttons ask for it; no action of a peer does.

use std::sync::Arc;
use std::time::Duration;

use crate::controller::{CallView, Command, HistoryEntry, Snapshot, VideoChoice};
use crate::device::DeviceChoice;
use crate::media::MediaTime;

use super::scene::Scene;

/// How long the window must be hidden, or minimized, before the camera closes: not for a look at another desktop.
const HIDDEN_FOR: Duration = Duration::from_secs(3);
/// How long another window must have the keyboard before the camera closes.
const BEHIND_FOR: Duration = Duration::from_secs(60);

/// Whether the person looks at the window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attention {
    /// It has the keyboard.
    Here,
    /// It can be seen, and another window has the keyboard.
    Behind,
    /// It is hidden or minimized.
    Hidden,
}

/// Result of a look at whether somebody looks at the window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Look {
    /// The camera closes.
    Close,
    /// To be looked at again after that time.
    Again(Duration),
    /// Nothing is to be done.
    Nothing,
}

/// State of one's own camera between frames.
#[derive(Debug)]
pub struct OwnCamera {
    wanted: bool,
    /// The settings have told whether it is wanted.
    told: bool,
    /// It shall open: the window has opened, or a call that had taken it is over.
    due: bool,
    /// A call has taken the devices.
    taken: bool,
    /// This side has called or answered when the history was this one: such a call can be over between two drawings,
    /// and only another history tells.
    pressed: Option<Arc<[HistoryEntry]>>,
    /// Since when nobody looks, and how.
    away: Option<(Attention, MediaTime)>,
    rests: bool,
}

impl OwnCamera {
    /// For a window that opens with or without a preview.
    pub const fn new(wanted: bool) -> Self {
        Self { wanted, told: false, due: true, taken: false, pressed: None, away: None, rests: false }
    }

    /// Whether the camera shall be open now, even if it is not yet.
    pub fn is_wanted(&self, snapshot: &Snapshot) -> bool {
        match snapshot.call {
            CallView::Idle | CallView::Incoming(_) => self.wanted && !self.rests,
            CallView::Outgoing(_) | CallView::Conversation(_) => snapshot.local_stream.sends_video,
        }
    }

    /// Whether it is closed because nobody looks at the window.
    pub const fn rests(&self) -> bool {
        self.wanted && self.rests
    }

    /// Follows the state of the call; true when a call that had taken the devices is just over.
    pub fn follow(&mut self, snapshot: &Snapshot) -> bool {
        if !std::mem::replace(&mut self.told, true) {
            self.wanted &= snapshot.settings.preview;
        }
        match snapshot.call {
            CallView::Outgoing(_) | CallView::Conversation(_) => {
                self.taken = true;
                self.pressed = None;
                false
            }
            CallView::Incoming(_) => false,
            CallView::Idle => {
                let unseen = self.pressed.take_if(|history| !Arc::ptr_eq(history, &snapshot.history)).is_some();
                let over = std::mem::take(&mut self.taken) || unseen;
                self.due |= over;
                over
            }
        }
    }

    /// Notes at `now` whether somebody looks at the window. Outside a call a camera that `is_open` closes after a while
    /// in which nobody does, and opens when they look again.
    pub fn look(&mut self, attention: Attention, now: MediaTime, in_call: bool, is_open: bool) -> Look {
        if attention == Attention::Here {
            self.due |= std::mem::take(&mut self.rests);
            self.away = None;
            return Look::Nothing;
        }
        let since = match self.away {
            Some((how, since)) if how == attention => since,
            _ => now,
        };
        self.away = Some((attention, since));
        let allowed = if attention == Attention::Hidden { HIDDEN_FOR } else { BEHIND_FOR };
        let away = now.since(since);
        if away < allowed && !self.rests {
            return Look::Again(allowed - away);
        }
        self.rests = true;
        if in_call || !self.wanted || !is_open || self.due {
            return Look::Nothing;
        }
        self.due = true;
        Look::Close
    }

    /// Opens the camera when that is due, somebody looks, and there is one to open.
    pub fn open(&mut self, scene: &mut Scene<'_>) {
        let idle = matches!(scene.snapshot.call, CallView::Idle);
        self.due &= self.wanted;
        if idle && self.due && !self.rests && scene.snapshot.settings.camera != DeviceChoice::None {
            scene.open_camera();
        }
    }

    /// Notes the requests of the person.
    pub fn note(&mut self, command: &Command, snapshot: &Snapshot) {
        match command {
            Command::CreateStream { video, .. } => (self.wanted, self.due) = (*video != VideoChoice::Off, false),
            Command::CloseStream => self.wanted = false,
            Command::Invite { .. } | Command::Accept { .. } => self.pressed = Some(Arc::clone(&snapshot.history)),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A camera that is open, since the window is.
    fn open() -> OwnCamera {
        OwnCamera { due: false, told: true, ..OwnCamera::new(true) }
    }

    fn at(seconds: u64) -> MediaTime {
        MediaTime::from_millis(1000 * seconds)
    }

    #[test]
    fn the_camera_closes_soon_in_a_hidden_window_and_after_a_minute_behind_another_one() {
        for (attention, after) in [(Attention::Hidden, 3), (Attention::Behind, 60)] {
            let mut camera = open();
            assert_eq!(camera.look(Attention::Here, at(0), false, true), Look::Nothing);
            assert_eq!(camera.look(attention, at(10), false, true), Look::Again(Duration::from_secs(after)));
            assert_eq!(camera.look(attention, at(9 + after), false, true), Look::Again(Duration::from_secs(1)));
            assert!(!camera.rests());
            assert_eq!(camera.look(attention, at(10 + after), false, true), Look::Close);
            assert_eq!(camera.look(attention, at(11 + after), false, true), Look::Nothing, "once");
            assert!(camera.rests());
            assert_eq!(camera.look(Attention::Here, at(500), false, false), Look::Nothing);
            assert!(!camera.rests() && camera.due, "it opens again");
        }
    }

    #[test]
    fn a_look_in_between_begins_the_time_anew() {
        let mut camera = open();
        camera.look(Attention::Behind, at(0), false, true);
        camera.look(Attention::Here, at(50), false, true);
        assert_eq!(camera.look(Attention::Behind, at(55), false, true), Look::Again(BEHIND_FOR));
        assert_eq!(camera.look(Attention::Hidden, at(100), false, true), Look::Again(HIDDEN_FOR));
    }

    #[test]
    fn a_call_keeps_its_camera_and_one_that_is_off_stays_off() {
        let mut camera = open();
        camera.look(Attention::Hidden, at(0), true, true);
        assert_eq!(camera.look(Attention::Hidden, at(100), true, true), Look::Nothing, "a call goes on behind");
        assert_eq!(camera.look(Attention::Hidden, at(101), false, true), Look::Close, "it is over");
        let mut off = OwnCamera { wanted: false, ..open() };
        off.look(Attention::Hidden, at(0), false, true);
        assert_eq!(off.look(Attention::Hidden, at(100), false, true), Look::Nothing);
        assert!(!off.rests(), "it is off");
    }
}
