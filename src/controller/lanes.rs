//! Lanes to the controller's thread by kind, read in order of importance.
//!
//! 1. Local commands: presses of the person at this computer. Never behind anything.
//! 2. System events: changes of devices, connections and threads. Never dropped: each of these sources has its own
//!    bound (a device tries again each second, a connection changes each half second), and none of them waits.
//! 3. Hints: requests that are repeated if they are lost. A full lane drops them.
//! 4. Messages and events from the network, see `peer_lane`.

use std::collections::VecDeque;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::media::MediaTime;
use crate::signaling::SignalingEvent;

use super::Command;
use super::doorbell::Doorbell;
use super::peer_lane::PeerLane;
use super::system_event::{Hint, SystemEvent};

const COMMANDS: usize = 64;
const HINTS: usize = 64;
/// System events that wait where nothing is wrong, at most.
const MANY_SYSTEM_EVENTS: usize = 1024;

/// The sending end for events that the controller must hear. Never blocks, never drops.
#[derive(Clone, Default)]
pub(super) struct SystemSender {
    events: Arc<Mutex<VecDeque<SystemEvent>>>,
    doorbell: Doorbell,
}

impl SystemSender {
    /// Sends.
    pub(super) fn send(&self, event: SystemEvent) {
        let waiting = {
            let mut events = self.events.lock().unwrap_or_else(PoisonError::into_inner);
            events.push_back(event);
            events.len()
        };
        if waiting == MANY_SYSTEM_EVENTS {
            tracing::error!("the controller is held up: {waiting} events wait");
        }
        self.doorbell.ring();
    }

    fn next(&self) -> Option<SystemEvent> {
        self.events.lock().unwrap_or_else(PoisonError::into_inner).pop_front()
    }
}

/// The sending end for hints, which may be lost. Never blocks.
#[derive(Clone)]
pub(super) struct HintSender {
    hints: SyncSender<Hint>,
    doorbell: Doorbell,
}

impl HintSender {
    /// Sends; false when the lane was full and `hint` was dropped.
    pub(super) fn offer(&self, hint: Hint) -> bool {
        let sent = self.hints.try_send(hint).is_ok();
        self.doorbell.ring();
        sent
    }
}

/// The next thing to take.
pub(super) enum Next {
    Command(Command),
    System(SystemEvent),
    Hint(Hint),
    Peer(SignalingEvent),
    /// The deadline passed.
    Deadline,
}

/// The receiving ends.
pub(super) struct Lanes {
    commands: Receiver<Command>,
    system: SystemSender,
    hints: Receiver<Hint>,
    peers: PeerLane,
    doorbell: Doorbell,
}

/// The sending ends of the controller's own parts.
#[derive(Clone)]
pub(super) struct PartSenders {
    pub(super) system: SystemSender,
    pub(super) hints: HintSender,
}

/// The sending ends.
pub(super) struct LaneSenders {
    pub(super) commands: SyncSender<Command>,
    pub(super) parts: PartSenders,
    pub(super) peers: PeerLane,
    pub(super) doorbell: Doorbell,
}

impl Lanes {
    pub(super) fn new() -> (LaneSenders, Self) {
        let doorbell = Doorbell::default();
        let (commands, commands_received) = sync_channel(COMMANDS);
        let (hints, hints_received) = sync_channel(HINTS);
        let system = SystemSender { doorbell: doorbell.clone(), ..SystemSender::default() };
        let peers = PeerLane::new(doorbell.clone());
        let senders = LaneSenders {
            commands,
            parts: PartSenders { system: system.clone(), hints: HintSender { hints, doorbell: doorbell.clone() } },
            peers: peers.clone(),
            doorbell: doorbell.clone(),
        };
        (senders, Self { commands: commands_received, system, hints: hints_received, peers, doorbell })
    }

    /// Says that the calling thread is the one that reads the lanes.
    pub(super) fn attach(&self) {
        self.doorbell.attach();
    }

    /// Waits for the most important thing there is, until `deadline` at most.
    pub(super) fn next(&self, deadline: Option<MediaTime>) -> Next {
        loop {
            if let Ok(command) = self.commands.try_recv() {
                return Next::Command(command);
            }
            if let Some(event) = self.system.next() {
                return Next::System(event);
            }
            if let Ok(hint) = self.hints.try_recv() {
                return Next::Hint(hint);
            }
            if deadline.is_some_and(|deadline| deadline <= MediaTime::now()) {
                return Next::Deadline;
            }
            if let Some(event) = self.peers.next() {
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
            senders.peers.put(message());
        }
        senders.parts.system.send(SystemEvent::DevicesClosed);
        senders.commands.send(Command::Leave).unwrap();
        assert!(matches!(lanes.next(None), Next::Command(Command::Leave)));
        assert!(matches!(lanes.next(None), Next::System(SystemEvent::DevicesClosed)));
        assert!(matches!(lanes.next(None), Next::Peer(_)));
    }

    #[test]
    fn a_flood_of_hints_is_bounded_and_takes_no_room_from_what_must_be_heard() {
        let (senders, lanes) = Lanes::new();
        lanes.attach();
        let kept = (0..10_000).filter(|_| senders.parts.hints.offer(Hint::SpokeMuted)).count();
        assert_eq!(kept, HINTS);
        for _ in 0..10_000 {
            senders.parts.system.send(SystemEvent::DevicesClosed);
        }
        let heard = (0..10_000).filter(|_| matches!(lanes.next(None), Next::System(SystemEvent::DevicesClosed)));
        assert_eq!(heard.count(), 10_000);
        assert!(matches!(lanes.next(None), Next::Hint(Hint::SpokeMuted)));
    }

    #[test]
    fn a_ring_before_the_wait_is_not_lost() {
        let (senders, lanes) = Lanes::new();
        lanes.attach();
        senders.peers.put(message());
        assert!(matches!(lanes.next(None), Next::Peer(_)));
    }
}
