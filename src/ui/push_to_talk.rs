//! Push to talk: whoever is muted in a call is heard while Space is held.

use eframe::egui::{Key, Modifiers, Popup, Ui};

use crate::controller::Command;

use super::keys;
use super::scene::Scene;

/// Whether Space is held to talk.
#[derive(Debug, Default)]
pub struct PushToTalk {
    talking: bool,
}

impl PushToTalk {
    /// True while this side is heard only because Space is held.
    pub const fn is_talking(&self) -> bool {
        self.talking
    }

    /// Follows the key. A text field, a menu and a button that has the keyboard keep Space for themselves; the loss of
    /// the keyboard ends the talk, because nobody would hear of the release.
    pub fn follow(&mut self, ui: &Ui, scene: &mut Scene<'_>) {
        let taken = ui.memory(|memory| memory.focused().is_some()) || Popup::is_any_open(ui.ctx());
        if !self.talking && (taken || scene.snapshot.local_stream.sends_audio) {
            return;
        }
        if keys::pressed(ui, Modifiers::NONE, Key::Space) && !self.talking {
            self.set(true, scene.commands);
        }
        let held = ui.input(|input| input.focused && input.key_down(Key::Space));
        if self.talking && (taken || !held) {
            self.release(scene.commands);
        }
    }

    /// Mutes again where somebody talks.
    pub fn release(&mut self, commands: &mut Vec<Command>) {
        if self.talking {
            self.set(false, commands);
        }
    }

    fn set(&mut self, on: bool, commands: &mut Vec<Command>) {
        self.talking = on;
        commands.push(Command::EnableAudio { on, participant: None });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_talks_when_the_window_is_hidden_is_muted_again_and_nobody_else() {
        let (mut talk, mut commands) = (PushToTalk::default(), Vec::new());
        talk.release(&mut commands);
        assert_eq!(commands, []);
        talk.set(true, &mut commands);
        talk.release(&mut commands);
        talk.release(&mut commands);
        assert_eq!(commands, [true, false].map(|on| Command::EnableAudio { on, participant: None }));
        assert!(!talk.is_talking());
    }
}
