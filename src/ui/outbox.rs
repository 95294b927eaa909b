//! Send queue of commands to the controller: commands that it has no room for wait here, so that drawing never waits.

use std::collections::VecDeque;

use crate::controller::{Command, ControllerGone, Handle, Pressed, Unsent};

/// Presses that wait at most: far more than a person makes while a controller is held up.
const MAX: usize = 512;

/// Commands that wait.
#[derive(Debug, Default)]
pub struct Outbox {
    waiting: VecDeque<Pressed>,
}

impl Outbox {
    /// Sends a command behind those that wait. Muting and ending take effect at once.
    pub fn send(&mut self, handle: &Handle, command: Command) -> Result<(), ControllerGone> {
        let absorbed = self.waiting.back_mut().is_some_and(|last| last.absorb(&command));
        if !absorbed {
            if self.waiting.len() >= MAX && !handle.shuts_a_gate(&command) {
                tracing::warn!("the controller is held up: a press is lost");
                return Ok(());
            }
            self.waiting.push_back(handle.press(command));
        }
        self.flush(handle)
    }

    /// Sends as many commands as there is room for.
    pub fn flush(&mut self, handle: &Handle) -> Result<(), ControllerGone> {
        while let Some(pressed) = self.waiting.pop_front() {
            match handle.try_send(pressed) {
                Ok(()) => {}
                Err(Unsent::Full(pressed)) => {
                    self.waiting.push_front(pressed);
                    break;
                }
                Err(Unsent::Gone) => return Err(ControllerGone),
            }
        }
        Ok(())
    }

    /// Sends every command that waits, and waits for the room: once no window is there to be drawn.
    pub fn send_all(self, handle: &Handle) -> Result<(), ControllerGone> {
        self.waiting.into_iter().try_for_each(|pressed| handle.send_pressed(pressed))
    }

    /// True when nothing waits.
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::mpsc::{Receiver, sync_channel};

    use super::*;
    use crate::controller::Gates;
    use crate::identity::PeerId;
    use crate::media::{Latest, StreamId};
    use crate::store::Settings;

    fn held_up() -> (Handle, Arc<Gates>, Receiver<Command>) {
        let (sender, commands) = sync_channel(2);
        let gates = Arc::new(Gates::default());
        let handle = Handle::new(sender, Arc::new(Latest::new()), Arc::clone(&gates));
        (handle, gates, commands)
    }

    #[test]
    fn what_there_is_no_room_for_waits_in_order_and_nobody_waits_for_it() {
        let (handle, gates, commands) = held_up();
        let mut outbox = Outbox::default();
        let presses = [Command::Contacts, Command::RefreshDevices, Command::TestSpeaker, Command::Leave];
        for press in presses.clone() {
            outbox.send(&handle, press).unwrap();
        }
        assert!(gates.is_shut(StreamId::CAMERA), "hanging up holds although it waits");
        assert!(!outbox.is_empty());
        let mut got: Vec<Command> = commands.try_iter().collect();
        outbox.flush(&handle).unwrap();
        got.extend(commands.try_iter());
        assert_eq!(got, presses);
        assert!(outbox.is_empty());
    }

    #[test]
    fn a_slider_that_moves_while_the_controller_is_held_up_waits_once() {
        let (handle, _gates, commands) = held_up();
        let mut outbox = Outbox::default();
        let place =
            |fps| Command::UpdateSettings { settings: (&Settings { max_fps: fps, ..Settings::default() }).into() };
        let (participant, stream) = (PeerId::from_bytes([1; 32]), StreamId::CAMERA);
        let wish = |lines| Command::WishVideo { participant, stream, lines };
        outbox.send(&handle, Command::Contacts).unwrap();
        outbox.send(&handle, Command::Contacts).unwrap();
        for number in 1..=1_000 {
            outbox.send(&handle, place(number)).unwrap();
        }
        for lines in 180..1_000 {
            outbox.send(&handle, wish(lines)).unwrap();
        }
        assert_eq!(outbox.waiting.len(), 2);
        assert_eq!(commands.try_iter().count(), 2);
        outbox.flush(&handle).unwrap();
        assert_eq!(commands.try_iter().collect::<Vec<_>>(), [place(1_000), wish(999)]);
    }

    #[test]
    fn commands_that_waited_when_the_window_closed_are_sent_after_it_in_their_order() {
        let (handle, gates, commands) = held_up();
        let mut outbox = Outbox::default();
        let presses = [Command::Contacts, Command::RefreshDevices, Command::Leave, Command::CloseStream];
        for press in presses.clone() {
            outbox.send(&handle, press).unwrap();
        }
        assert!(!outbox.is_empty() && gates.is_shut(StreamId::CAMERA));
        let reader = std::thread::spawn(move || commands.iter().take(presses.len()).eq(presses));
        outbox.send_all(&handle).unwrap();
        assert!(reader.join().unwrap());
        let (handle, _gates, commands) = held_up();
        let mut outbox = Outbox::default();
        for _ in 0..3 {
            outbox.send(&handle, Command::RefreshDevices).unwrap();
        }
        drop(commands);
        assert_eq!(outbox.send_all(&handle), Err(ControllerGone), "and nobody waits for one that is gone");
    }

    #[test]
    fn an_end_of_the_controller_is_told() {
        let (handle, _gates, commands) = held_up();
        drop(commands);
        assert_eq!(Outbox::default().send(&handle, Command::Contacts), Err(ControllerGone));
    }
}
