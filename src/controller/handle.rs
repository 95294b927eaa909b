//! The controller's handle for a face: send commands, read the snapshot.
//!
//! Hanging up and muting never wait in a queue: their gates are atomics that the media path reads, and they are closed
//! here, before the command is queued.

use std::sync::Arc;
use std::sync::mpsc::{SyncSender, TrySendError};

use crate::media::{Latest, StreamId};
use crate::media_send::{Gate, Gates};

use super::doorbell::Doorbell;
use super::{Command, Snapshot};

/// The gate that `command` shuts, if it shuts one.
pub(super) fn gate_of<'a>(gates: &'a Gates, command: &Command) -> Option<&'a Gate> {
    match command {
        Command::EnableAudio { on: false, participant: None } => gates.of(StreamId::AUDIO),
        Command::EnableVideo { on: false, participant: None } => gates.of(StreamId::CAMERA),
        Command::StopSharing => gates.of(StreamId::SCREEN),
        Command::Leave | Command::Quit => Some(gates.away()),
        _ => None,
    }
}

/// A command whose gate is shut already, and which is still to be sent.
#[derive(Clone, Debug, PartialEq)]
#[must_use = "what is pressed and never sent leaves its gate shut"]
pub struct Pressed(Command);

impl Pressed {
    /// The command that was pressed.
    pub const fn command(&self) -> &Command {
        &self.0
    }

    /// Takes a `later` command into this one where both are the same as the two in their order; false where they are
    /// not.
    pub fn absorb(&mut self, later: &Command) -> bool {
        self.0.absorb(later)
    }
}

/// Why a command was not sent.
#[derive(Clone, Debug, PartialEq)]
pub enum Unsent {
    /// Too much waits for the controller; the command may be sent later.
    Full(Pressed),
    /// The controller's thread has ended.
    Gone,
}

/// Cheap to clone; the window, the headless face and tests each hold one.
#[derive(Clone, Debug)]
pub struct Handle {
    commands: SyncSender<Command>,
    snapshot: Arc<Latest<Arc<Snapshot>>>,
    gates: Arc<Gates>,
    doorbell: Doorbell,
}

/// The controller's thread has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("Visavis is shutting down")]
pub struct ControllerGone;

impl Handle {
    /// A handle on a controller that reads `commands` and writes `snapshot`; `snapshot` must hold one already.
    pub fn new(commands: SyncSender<Command>, snapshot: Arc<Latest<Arc<Snapshot>>>, gates: Arc<Gates>) -> Self {
        Self { commands, snapshot, gates, doorbell: Doorbell::default() }
    }

    /// The same handle, waking the controller's thread with each command.
    pub(super) fn with_doorbell(self, doorbell: Doorbell) -> Self {
        Self { doorbell, ..self }
    }

    /// True for a command that mutes, hides or ends: it counts from the press on.
    pub fn shuts_a_gate(&self, command: &Command) -> bool {
        gate_of(&self.gates, command).is_some()
    }

    /// Notes a press: its gate closes at once. The rest follows when it is sent.
    pub fn press(&self, command: Command) -> Pressed {
        if let Some(gate) = gate_of(&self.gates, &command) {
            gate.press();
        }
        Pressed(command)
    }

    /// Sends a command, or gives it back when too many wait. Never waits: for the thread that draws.
    pub fn try_send(&self, pressed: Pressed) -> Result<(), Unsent> {
        let sent = self.commands.try_send(pressed.0).map_err(|error| match error {
            TrySendError::Full(command) => Unsent::Full(Pressed(command)),
            TrySendError::Disconnected(_) => Unsent::Gone,
        });
        self.doorbell.ring();
        sent
    }

    /// Sends a command whose gate is shut already; waits where the queue is full.
    pub fn send_pressed(&self, pressed: Pressed) -> Result<(), ControllerGone> {
        match self.try_send(pressed) {
            Ok(()) => Ok(()),
            Err(Unsent::Gone) => Err(ControllerGone),
            Err(Unsent::Full(Pressed(command))) => {
                let sent = self.commands.send(command).map_err(|_| ControllerGone);
                self.doorbell.ring();
                sent
            }
        }
    }

    /// Presses and sends a command. A full queue of local commands (a script that floods) makes the caller wait, never
    /// the peer's messages.
    pub fn send(&self, command: Command) -> Result<(), ControllerGone> {
        self.send_pressed(self.press(command))
    }

    /// The latest snapshot; `None` only after the controller has ended.
    pub fn snapshot(&self) -> Option<Arc<Snapshot>> {
        self.snapshot.get().0
    }

    /// A number that changes with each snapshot.
    pub fn version(&self) -> u64 {
        self.snapshot.version()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::sync_channel;

    use super::*;
    use crate::media::MediaSet;

    const MUTE: Command = Command::EnableAudio { on: false, participant: None };

    fn handle() -> (Handle, Arc<Gates>, std::sync::mpsc::Receiver<Command>) {
        let (sender, commands) = sync_channel(8);
        let gates = Arc::new(Gates::default());
        (Handle::new(sender, Arc::new(Latest::new()), Arc::clone(&gates)), gates, commands)
    }

    /// As the controller does: the state chart has moved, then the press is handled.
    fn handled(gates: &Gates, command: &Command, sends: Option<MediaSet>) {
        gates.follow(sends);
        if let Some(gate) = gate_of(gates, command) {
            gate.handled();
        }
    }

    #[test]
    fn the_gates_close_before_the_command_is_read() {
        let (handle, gates, _commands) = handle();
        gates.follow(Some(MediaSet::of_call(true, true)));
        handle.send(MUTE).unwrap();
        assert!(gates.is_shut(StreamId::AUDIO) && !gates.is_shut(StreamId::CAMERA));
        handle.send(Command::Leave).unwrap();
        assert!(gates.is_shut(StreamId::AUDIO) && gates.is_shut(StreamId::CAMERA));
    }

    #[test]
    fn a_full_lane_gives_back_what_was_pressed_and_its_gate_is_shut_once() {
        let (handle, gates, commands) = handle();
        gates.follow(Some(MediaSet::of_call(true, true)));
        while handle.try_send(handle.press(Command::Contacts)).is_ok() {}
        let Err(Unsent::Full(waiting)) = handle.try_send(handle.press(MUTE)) else { panic!("the lane is full") };
        assert!(gates.is_shut(StreamId::AUDIO), "although it is not sent");
        let Err(Unsent::Full(waiting)) = handle.try_send(waiting) else { panic!("still full") };
        commands.recv().unwrap();
        assert_eq!(handle.try_send(waiting), Ok(()));
        handled(&gates, &MUTE, Some(MediaSet::of_call(true, true)));
        assert!(!gates.is_shut(StreamId::AUDIO), "one press, handled once");
        drop(commands);
        assert_eq!(handle.try_send(handle.press(Command::Contacts)), Err(Unsent::Gone));
    }

    #[test]
    fn a_gate_opens_only_when_the_controller_says_so() {
        let (handle, gates, _commands) = handle();
        gates.follow(Some(MediaSet::of_call(true, true)));
        handle.send(MUTE).unwrap();
        handled(&gates, &MUTE, Some(MediaSet::of_call(false, true)));
        let unmute = Command::EnableAudio { on: true, participant: None };
        handle.send(unmute.clone()).unwrap();
        assert!(gates.is_shut(StreamId::AUDIO), "the press waits");
        handled(&gates, &unmute, Some(MediaSet::of_call(true, true)));
        assert!(!gates.is_shut(StreamId::AUDIO));
    }

    #[test]
    fn an_older_command_does_not_open_what_was_shut_since() {
        let (handle, gates, _commands) = handle();
        let accept = Command::Accept {
            invite: crate::call::InviteId::from_bits(1),
            audio: true,
            video: super::super::VideoChoice::Off,
        };
        handle.send(accept.clone()).unwrap();
        handle.send(MUTE).unwrap();
        handled(&gates, &accept, Some(MediaSet::of_call(true, false)));
        assert!(gates.is_shut(StreamId::AUDIO), "Mute was pressed after Answer and before it was carried out");
        handled(&gates, &MUTE, Some(MediaSet::of_call(false, false)));
        assert!(gates.is_shut(StreamId::AUDIO));
    }

    #[test]
    fn nothing_is_sent_outside_a_call_and_the_next_one_begins_open() {
        let (handle, gates, _commands) = handle();
        handle.send(Command::Leave).unwrap();
        handled(&gates, &Command::Leave, None);
        assert!(gates.is_shut(StreamId::AUDIO) && gates.is_shut(StreamId::CAMERA) && !gates.is_muted());
        gates.follow(Some(MediaSet::of_call(true, true)));
        assert!(!gates.is_shut(StreamId::AUDIO) && !gates.is_shut(StreamId::CAMERA));
    }

    #[test]
    fn muting_somebody_here_leaves_ones_own_gates_alone() {
        let (handle, gates, _commands) = handle();
        gates.follow(Some(MediaSet::of_call(true, true)));
        let participant = Some(crate::identity::PeerId::from_bytes([1; 32]));
        handle.send(Command::EnableAudio { on: false, participant }).unwrap();
        assert!(!gates.is_shut(StreamId::AUDIO));
    }
}
