//! How everything reaches the controller's thread: three bounded lanes, read in order of importance.
//!
//! 1. Local commands: what the person at this computer pressed. Never behind anything.
//! 2. System events: devices, the engine, Echo.
//! 3. Peer messages: whatever the network brings; a flood fills this lane alone, and further messages are dropped.

use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, OnceLock};
use std::thread::Thread;
use std::time::Duration;

use crate::media::MediaTime;
use crate::signaling::SignalingEvent;

use super::Command;
use super::system_event::SystemEvent;

const COMMANDS: usize = 64;
const SYSTEM_EVENTS: usize = 1024;
const PEER_EVENTS: usize = 1024;

/// Wakes the controller's thread.
#[derive(Clone, Debug, Default)]
pub struct Doorbell(Arc<OnceLock<Thread>>);

impl Doorbell {
    /// Wakes the thread; a ring before it waits is not lost.
    pub fn ring(&self) {
        if let Some(thread) = self.0.get() {
            thread.unpark();
        }
    }
}

/// A lane's sending end: never blocks, and rings.
pub(super) struct LaneSender<T> {
    sender: SyncSender<T>,
    doorbell: Doorbell,
    name: &'static str,
}

impl<T> Clone for LaneSender<T> {
    fn clone(&self) -> Self {
        Self { sender: self.sender.clone(), doorbell: self.doorbell.clone(), name: self.name }
    }
}

impl<T> LaneSender<T> {
    /// Sends, or drops `event` when the lane is full.
    pub(super) fn send(&self, event: T) {
        self.try_send(event);
    }

    /// As `send`; false when `event` was dropped.
    pub(super) fn try_send(&self, event: T) -> bool {
        let sent = self.sender.try_send(event);
        if let Err(TrySendError::Full(_)) = sent {
            tracing::warn!(lane = self.name, "the lane is full: an event was dropped");
        }
        self.doorbell.ring();
        sent.is_ok()
    }

    /// Sends what must not be lost, waiting while the lane is full. Never on the thread that reads the lanes.
    pub(super) fn send_surely(&self, event: T) {
        // Without a reader nobody misses it.
        let _ = self.sender.send(event);
        self.doorbell.ring();
    }
}

/// What comes next.
pub(super) enum Next {
    Command(Command),
    System(SystemEvent),
    Peer(SignalingEvent),
    /// The deadline passed.
    Deadline,
}

/// The receiving ends.
pub(super) struct Lanes {
    commands: Receiver<Command>,
    system: Receiver<SystemEvent>,
    peers: Receiver<SignalingEvent>,
    doorbell: Doorbell,
}

/// The sending ends.
pub(super) struct LaneSenders {
    pub(super) commands: SyncSender<Command>,
    pub(super) system: LaneSender<SystemEvent>,
    pub(super) peers: LaneSender<SignalingEvent>,
    pub(super) doorbell: Doorbell,
}

impl Lanes {
    pub(super) fn new() -> (LaneSenders, Self) {
        let doorbell = Doorbell::default();
        let (commands, commands_received) = sync_channel(COMMANDS);
        let (system, system_received) = sync_channel(SYSTEM_EVENTS);
        let (peers, peers_received) = sync_channel(PEER_EVENTS);
        let senders = LaneSenders {
            commands,
            system: LaneSender { sender: system, doorbell: doorbell.clone(), name: "system" },
            peers: LaneSender { sender: peers, doorbell: doorbell.clone(), name: "peers" },
            doorbell: doorbell.clone(),
        };
        (senders, Self { commands: commands_received, system: system_received, peers: peers_received, doorbell })
    }

    /// Says that the calling thread is the one that reads the lanes.
    pub(super) fn attach(&self) {
        let _ = self.doorbell.0.set(std::thread::current());
    }

    /// Waits for the most important thing there is, until `deadline` at most.
    pub(super) fn next(&self, deadline: Option<MediaTime>) -> Next {
        loop {
            if let Ok(command) = self.commands.try_recv() {
                return Next::Command(command);
            }
            if let Ok(event) = self.system.try_recv() {
                return Next::System(event);
            }
            if deadline.is_some_and(|deadline| deadline <= MediaTime::now()) {
                return Next::Deadline;
            }
            if let Ok(event) = self.peers.try_recv() {
                return Next::Peer(event);
            }
            match deadline {
                Some(deadline) => {
                    let left = deadline.since(MediaTime::now());
                    // At least a moment, so that a deadline less than the clock's grain away does not spin.
                    std::thread::park_timeout(left.max(Duration::from_micros(100)));
                }
                None => std::thread::park(),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::call::{ConversationId, Message};
    use crate::identity::PeerId;

    fn message() -> SignalingEvent {
        let message = Message::Leave { conversation: ConversationId::from_bits(1) };
        SignalingEvent::Received { from: PeerId::from_bytes([1; 32]), message }
    }

    #[test]
    fn a_local_command_never_waits_behind_a_flood_of_peer_messages() {
        let (senders, lanes) = Lanes::new();
        lanes.attach();
        for _ in 0..100_000 {
            senders.peers.send(message());
        }
        senders.system.send(SystemEvent::DevicesClosed);
        senders.commands.send(Command::Leave).unwrap();
        assert!(matches!(lanes.next(None), Next::Command(Command::Leave)));
        assert!(matches!(lanes.next(None), Next::System(SystemEvent::DevicesClosed)));
        let kept = std::iter::from_fn(|| match lanes.next(Some(MediaTime::now())) {
            Next::Peer(_) => Some(()),
            _ => None,
        });
        assert!(kept.count() <= PEER_EVENTS, "the flood is bounded");
    }

    #[test]
    fn a_ring_before_the_wait_is_not_lost() {
        let (senders, lanes) = Lanes::new();
        lanes.attach();
        senders.peers.send(message());
        assert!(matches!(lanes.next(None), Next::Peer(_)));
    }
}
