//! Directory: state of a server, and nothing else is kept anywhere. It knows which connections have proven the key of
//! which box, which boxes each of them watches, and the limits of each. Pure: inputs with their time come in, frames to
//! send go out.
//!
//! Two connections see each other while each watches the box of the other. A letter goes to every connection of its
//! receiver's box that it names, and its sender gets no answer, whether the box is there or not.

use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::allowance::{Allowance, KnockAllowances, MAX_WATCHES};
use super::sorted_set::SortedSet;
use crate::server_protocol::{BoxId, Device, Letter, MAX_BOXES, Refusal, ToApp, ToServer};

/// Connections of one key at a time; the oldest gives way.
pub(super) const MAX_DEVICES: usize = 4;

/// Number of a connection, which no other one of this run has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct ConnectionId(pub(super) u64);

/// News for the directory.
#[derive(Debug)]
pub(super) enum Input {
    /// A connection has proven the key of a box; the device's number is random.
    Proven { mailbox: BoxId, device: Device },
    /// A control message.
    Control(ToServer),
    /// A letter, with its receiver's address.
    Letter(Letter),
    /// The connection is gone.
    Closed,
}

/// A WebSocket message to an app.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Frame {
    /// Control message.
    Text(String),
    /// Letter.
    Binary(Bytes),
}

/// Request of the directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Output {
    /// Send a message on a connection.
    Send { connection: ConnectionId, frame: Frame },
    /// End a connection.
    Close { connection: ConnectionId, reason: Refusal },
    /// Read nothing more of the connection that the input came from for so long.
    Pause(Duration),
}

/// A letter that was taken.
#[derive(Debug, Default)]
pub(super) struct Passed {
    pub(super) outputs: Vec<Output>,
    /// It may go to boxes that do not watch the sender's.
    pub(super) may_knock: bool,
}

/// Counts since the start, for `/metrics`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    /// Letters that were passed on, each copy.
    pub(super) letters: u64,
    /// Letters over the limit for boxes that do not watch the sender's.
    pub(super) knocks_refused: u64,
}

#[derive(Debug)]
struct Connection {
    mailbox: BoxId,
    device: Device,
    watches: SortedSet<BoxId>,
    allowance: Allowance,
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Directory {
    connections: HashMap<ConnectionId, Connection>,
    /// The connections of each box, the oldest first.
    boxes: HashMap<BoxId, Vec<ConnectionId>>,
    /// The connections that watch each box.
    watchers: HashMap<BoxId, SortedSet<ConnectionId>>,
    knocks: KnockAllowances,
    counts: Counts,
}

impl Directory {
    /// Takes one input of a connection.
    pub(super) fn step(&mut self, now: Instant, from: ConnectionId, input: Input) -> Vec<Output> {
        match input {
            Input::Proven { mailbox, device } => self.proven(now, from, mailbox, device),
            Input::Closed => self.closed(from),
            Input::Control(ToServer::Watch { boxes }) => self.watch(now, from, &boxes),
            Input::Control(ToServer::Unwatch { boxes }) => self.unwatch(now, from, &boxes),
            Input::Control(ToServer::Prove(_)) => vec![Output::Close { connection: from, reason: Refusal::Abuse }],
            Input::Letter(letter) => self.letter(now, from, &letter, false).outputs,
        }
    }

    /// Takes a letter of a connection. `known_elsewhere`: another node has a receiver that watches the sender's box.
    pub(super) fn letter(
        &mut self,
        now: Instant,
        from: ConnectionId,
        letter: &Letter,
        known_elsewhere: bool,
    ) -> Passed {
        let Some(connection) = self.connections.get_mut(&from) else { return Passed::default() };
        let sender = (connection.mailbox, connection.device);
        let pause = connection.allowance.take_letter(letter.size(), now);
        let (known, unknown) = self.receivers(sender.0, Some(from), letter);
        // An absent box costs as much as one that does not watch the sender's: nothing tells the two apart.
        let may_knock = known.is_empty() && !known_elsewhere && {
            let may = self.knocks.take(sender.0, now);
            self.counts.knocks_refused += u64::from(!may);
            may
        };
        let receivers = if may_knock { unknown } else { known };
        let outputs = self.send(sender, letter, receivers).chain(pause.map(Output::Pause)).collect();
        Passed { outputs, may_knock }
    }

    /// Takes a letter that another node has let pass, of a device there: to those who watch its box, else, if it may
    /// knock, to those who do not.
    pub(super) fn deliver(&mut self, sender: (BoxId, Device), letter: &Letter, may_knock: bool) -> Vec<Output> {
        let (known, unknown) = self.receivers(sender.0, None, letter);
        let receivers = if known.is_empty() && may_knock { unknown } else { known };
        self.send(sender, letter, receivers).collect()
    }

    /// The connections that a letter is for: those that watch the sender's box, and the others.
    fn receivers(
        &self,
        sender: BoxId,
        from: Option<ConnectionId>,
        letter: &Letter,
    ) -> (Vec<ConnectionId>, Vec<ConnectionId>) {
        let named = |id: &ConnectionId| {
            let address = self.address_of(*id);
            Some(*id) != from && address.is_some_and(|(_, device)| [device, Device::ALL].contains(&letter.device))
        };
        let watching = self.watchers.get(&sender);
        let named = self.connections_of(&letter.mailbox).filter(named);
        named.partition(|id| watching.is_some_and(|watching| watching.contains(id)))
    }

    fn send(
        &mut self,
        sender: (BoxId, Device),
        letter: &Letter,
        receivers: Vec<ConnectionId>,
    ) -> impl Iterator<Item = Output> {
        self.counts.letters += receivers.len() as u64;
        let frame = Frame::Binary(letter.with_address(sender.0, sender.1).encode());
        receivers.into_iter().map(move |connection| Output::Send { connection, frame: frame.clone() })
    }

    /// The connections of a box, the oldest first.
    pub(super) fn connections_of(&self, mailbox: &BoxId) -> impl Iterator<Item = ConnectionId> + '_ {
        self.boxes.get(mailbox).into_iter().flatten().copied()
    }

    /// The boxes that a connection watches.
    pub(super) fn watches_of(&self, id: ConnectionId) -> impl Iterator<Item = BoxId> + '_ {
        self.connections.get(&id).into_iter().flat_map(|connection| connection.watches.iter())
    }

    /// Whether a connection watches a box.
    pub(super) fn watches(&self, id: ConnectionId, mailbox: &BoxId) -> bool {
        self.connections.get(&id).is_some_and(|connection| connection.watches.contains(mailbox))
    }

    /// Connections that have proven a key.
    pub(super) fn len(&self) -> usize {
        self.connections.len()
    }

    /// Counts since the start.
    pub(super) const fn counts(&self) -> Counts {
        self.counts
    }

    fn proven(&mut self, now: Instant, id: ConnectionId, mailbox: BoxId, device: Device) -> Vec<Output> {
        let devices = self.boxes.entry(mailbox).or_default();
        let oldest = (devices.len() >= MAX_DEVICES).then(|| devices.first().copied()).flatten();
        devices.push(id);
        let (watches, allowance) = (SortedSet::default(), Allowance::new(now));
        self.connections.insert(id, Connection { mailbox, device, watches, allowance });
        let Some(oldest) = oldest else { return Vec::new() };
        let mut outputs = self.closed(oldest);
        outputs.push(Output::Close { connection: oldest, reason: Refusal::TooManyDevices });
        outputs
    }

    fn closed(&mut self, id: ConnectionId) -> Vec<Output> {
        let Some(watches) = self.connections.get(&id).map(|connection| connection.watches.clone()) else {
            return Vec::new();
        };
        let seen_by = self.partners(id, watches.iter());
        let own = self.address_of(id);
        for mailbox in watches.iter() {
            self.forget_watcher(mailbox, id);
        }
        if let Some(connection) = self.connections.remove(&id)
            && let Some(devices) = self.boxes.get_mut(&connection.mailbox)
        {
            devices.retain(|other| *other != id);
            if devices.is_empty() {
                self.boxes.remove(&connection.mailbox);
            }
        }
        let down = |connection| presence(connection, false, own.into_iter().collect());
        seen_by.into_iter().flat_map(|(partner, _)| down(partner)).collect()
    }

    fn watch(&mut self, now: Instant, id: ConnectionId, boxes: &[BoxId]) -> Vec<Output> {
        let Some(connection) = self.connections.get_mut(&id) else { return Vec::new() };
        let pause = connection.allowance.take_changes(boxes.len(), now);
        let added: Vec<_> = boxes.iter().copied().filter(|mailbox| connection.watches.insert(*mailbox)).collect();
        if connection.watches.len() > MAX_WATCHES {
            let mut outputs = self.closed(id);
            outputs.push(Output::Close { connection: id, reason: Refusal::Abuse });
            return outputs;
        }
        for mailbox in &added {
            self.watchers.entry(*mailbox).or_default().insert(id);
        }
        self.tell_partners(id, &added, true).into_iter().chain(pause.map(Output::Pause)).collect()
    }

    fn unwatch(&mut self, now: Instant, id: ConnectionId, boxes: &[BoxId]) -> Vec<Output> {
        let Some(connection) = self.connections.get_mut(&id) else { return Vec::new() };
        let pause = connection.allowance.take_changes(boxes.len(), now);
        let removed: Vec<_> = boxes
            .iter()
            .copied()
            .filter(|mailbox| connection.watches.contains(mailbox))
            .collect::<HashSet<_>>()
            .into_iter()
            .collect();
        let outputs = self.tell_partners(id, &removed, false);
        for mailbox in removed {
            self.forget_watcher(mailbox, id);
            if let Some(connection) = self.connections.get_mut(&id) {
                connection.watches.remove(&mailbox);
            }
        }
        outputs.into_iter().chain(pause.map(Output::Pause)).collect()
    }

    /// Tells a connection and those behind `boxes` that see it of each other: that they are there, or no more.
    fn tell_partners(&self, id: ConnectionId, boxes: &[BoxId], up: bool) -> Vec<Output> {
        let partners = self.partners(id, boxes.iter().copied());
        let own: Vec<_> = self.address_of(id).into_iter().collect();
        let to_them = partners.iter().flat_map(|(partner, _)| presence(*partner, up, own.clone()));
        let to_self = presence(id, up, partners.iter().map(|(_, address)| *address).collect());
        to_them.chain(to_self).collect()
    }

    /// The connections behind `boxes`, which `id` watches, that watch the box of `id` as well.
    fn partners(&self, id: ConnectionId, boxes: impl Iterator<Item = BoxId>) -> Vec<(ConnectionId, (BoxId, Device))> {
        let Some(own) = self.connections.get(&id).map(|connection| connection.mailbox) else { return Vec::new() };
        let watching = self.watchers.get(&own);
        boxes
            .filter_map(|mailbox| self.boxes.get(&mailbox))
            .flatten()
            .filter(|other| **other != id && watching.is_some_and(|watching| watching.contains(other)))
            .filter_map(|other| Some((*other, self.address_of(*other)?)))
            .collect()
    }

    /// Box and device of a connection.
    pub(super) fn address_of(&self, id: ConnectionId) -> Option<(BoxId, Device)> {
        self.connections.get(&id).map(|connection| (connection.mailbox, connection.device))
    }

    fn forget_watcher(&mut self, mailbox: BoxId, id: ConnectionId) {
        if let Some(watchers) = self.watchers.get_mut(&mailbox) {
            watchers.remove(&id);
            if watchers.is_empty() {
                self.watchers.remove(&mailbox);
            }
        }
    }
}

/// News of who is there, in messages of their bounded size; none where there is nobody to name.
pub(super) fn presence(connection: ConnectionId, up: bool, devices: Vec<(BoxId, Device)>) -> Vec<Output> {
    let news = |devices: &[(BoxId, Device)]| {
        let devices = devices.to_vec();
        let message = if up { ToApp::Up { devices } } else { ToApp::Down { devices } };
        Output::Send { connection, frame: Frame::Text(message.encode()) }
    };
    devices.chunks(MAX_BOXES).map(news).collect()
}

#[cfg(test)]
#[path = "directory_tests.rs"]
mod tests;
