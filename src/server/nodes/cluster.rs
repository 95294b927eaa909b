//! Cluster: people of the other nodes of a server, beside the directory of this node's own. Pure: inputs of connections
//! and messages of nodes with their time come in, frames for connections and messages for nodes go out.
//!
//! ```text
//! A at node 1, B at node 2, each watches the other
//! 1 -- watch {A's device, boxes} --> all others      2 finds B: B is told `up`, and 2 notes A beside B's connection
//! 1 <-- up {A's device, B's device} -- 2             1 tells A, unless A watches B no more: then `down` goes back
//! 1 -- letter --> 2                                  letters between the two go to one node
//! 1 -- knock --> all others                          to a box of which nobody is seen, from A's allowance at 1
//! ```
//!
//! A node keeps nothing of the other nodes' people but the pairs that see each other, and devices of its own people's
//! boxes. All of it is void when the link to the node begins anew; the later started of the two then tells its watches
//! again.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::links::{Change, Links};
use super::message::{Address, Body, Message, News, NodeId};
use super::siblings::Siblings;
use crate::server::directory::{ConnectionId, Directory, Input, MAX_DEVICES, Output, presence};
use crate::server_protocol::{BoxId, Device, Letter, MAX_BOXES, Refusal, ToServer};

/// Senders from other nodes whose node a connection remembers for its answers.
const MAX_CORRESPONDENTS: usize = 8;
/// Devices at other nodes that one connection sees at most.
const MAX_PARTNERS: usize = 4096;
/// Connections whose watches are told again at once, and the pause until the next.
const RETOLD_AT_ONCE: usize = 256;
const RETELL_EVERY: Duration = Duration::from_millis(10);
/// Boxes in them after which the rest waits for the next turn: the outbox has room for them.
const RETOLD_BOXES: usize = 16 * 1024;

/// Receivers of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::server) enum Destination {
    /// Every other node.
    All,
    /// One of them.
    Node(NodeId),
}

/// A message to other nodes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::server) struct Publication {
    pub(in crate::server) to: Destination,
    pub(in crate::server) message: Bytes,
}

/// Figures of a cluster.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::server) struct NodeFigures {
    /// Other nodes that this one is joined with.
    pub(in crate::server) nodes: usize,
    /// Letters that were passed on to other nodes, each copy, since the start.
    pub(in crate::server) letters: u64,
    /// Links to nodes that began anew because a message was lost, since the start.
    pub(in crate::server) lost_links: u64,
}

/// See the module.
#[derive(Debug)]
pub(in crate::server) struct Cluster {
    links: Links,
    members: HashMap<ConnectionId, Member>,
    siblings: Siblings,
    /// Connections whose watches a node is to hear again.
    retelling: VecDeque<(NodeId, ConnectionId)>,
    retold_at: Option<Instant>,
    outbox: Vec<Publication>,
    letters: u64,
}

/// A connection of this node.
#[derive(Debug)]
struct Member {
    address: Address,
    /// Devices at other nodes that see it, and that it sees.
    partners: BTreeMap<Address, NodeId>,
    /// The latest senders of letters from other nodes.
    correspondents: VecDeque<(Address, NodeId)>,
}

impl Cluster {
    pub(in crate::server) fn new(own: NodeId) -> Self {
        Self {
            links: Links::new(own),
            members: HashMap::new(),
            siblings: Siblings::default(),
            retelling: VecDeque::new(),
            retold_at: None,
            outbox: Vec::new(),
            letters: 0,
        }
    }

    /// Messages to other nodes since the last call, in their order.
    pub(in crate::server) fn take_publications(&mut self) -> Vec<Publication> {
        std::mem::take(&mut self.outbox)
    }

    pub(in crate::server) fn figures(&self) -> NodeFigures {
        NodeFigures { nodes: self.links.agreed().count(), letters: self.letters, lost_links: self.links.lost() }
    }

    /// When [`tick`](Self::tick) is to be called.
    pub(in crate::server) fn tick_at(&self, now: Instant) -> Instant {
        let retell_at = self.retold_at.map_or(now, |at| at + RETELL_EVERY);
        let retell_at = Some(retell_at).filter(|_| !self.retelling.is_empty());
        [retell_at, self.links.silent_at()].into_iter().flatten().fold(self.links.beat_at(now), Instant::min)
    }

    /// Sends a beat where one is due, lets go of silent nodes, and tells watches again where there is room for them.
    pub(in crate::server) fn tick(&mut self, now: Instant, directory: &Directory, has_room: bool) -> Vec<Output> {
        self.links.tick(now);
        let outputs = self.take_changes();
        if self.links.beat_at(now) <= now {
            self.beat(now, false);
        }
        if self.retold_at.is_none_or(|at| now.saturating_duration_since(at) >= RETELL_EVERY) {
            self.retell(now, directory, has_room);
        }
        outputs
    }

    /// NATS is reached: the other nodes are to hear of this one at once.
    pub(in crate::server) const fn reached(&mut self) {
        self.links.make_beat_due();
    }

    /// Tells the other nodes that this one ends.
    pub(in crate::server) fn end(&mut self, now: Instant) {
        self.beat(now, true);
    }

    /// Takes an input of a connection, for the directory and for the other nodes.
    pub(in crate::server) fn step(
        &mut self,
        now: Instant,
        directory: &mut Directory,
        from: ConnectionId,
        input: Input,
    ) -> Vec<Output> {
        match input {
            Input::Proven { mailbox, device } => {
                let mut outputs = directory.step(now, from, input);
                self.members.insert(from, Member::new((mailbox, device)));
                self.publish_to_all(|| News::Joined((mailbox, device)));
                outputs.extend(self.devices_over_the_limit(directory, mailbox));
                outputs
            }
            Input::Closed => {
                let outputs = directory.step(now, from, input);
                self.closed(directory, from);
                outputs
            }
            Input::Control(ToServer::Watch { ref boxes }) => {
                let added: Vec<_> = boxes.iter().copied().filter(|mailbox| !directory.watches(from, mailbox)).collect();
                let outputs = directory.step(now, from, input);
                if let Some(address) = directory.address_of(from).filter(|_| !added.is_empty()) {
                    self.publish_to_all(|| News::Watch { from: address, boxes: added.clone() });
                }
                outputs
            }
            Input::Control(ToServer::Unwatch { ref boxes }) => {
                let removed = boxes.clone();
                let mut outputs = directory.step(now, from, input);
                outputs.extend(self.unwatched(from, &removed));
                outputs
            }
            Input::Letter(letter) => self.letter(now, directory, from, &letter),
            Input::Control(ToServer::Prove(_)) => directory.step(now, from, input),
        }
    }

    /// Takes a message of another node; bytes that are none are passed over.
    pub(in crate::server) fn receive(
        &mut self,
        now: Instant,
        directory: &mut Directory,
        message: &Bytes,
    ) -> Vec<Output> {
        let Ok(Message { sender, body }) = Message::decode(message) else {
            tracing::warn!("a node sent something that is no message of this version");
            return Vec::new();
        };
        match body {
            Body::Beat(beat) => {
                self.links.hear(now, sender, &beat);
                self.take_changes()
            }
            Body::Post(link, news) => {
                let counts = self.links.accepts(now, sender, link);
                let mut outputs = self.take_changes();
                if counts {
                    outputs.extend(self.news(directory, sender, news));
                }
                outputs
            }
        }
    }

    fn news(&mut self, directory: &mut Directory, node: NodeId, news: News) -> Vec<Output> {
        match news {
            News::Watch { from, boxes } => self.watch_elsewhere(directory, node, from, &boxes),
            News::Up { to, devices } => self.up(directory, node, to, &devices),
            News::Down { from, devices } => self.down(directory, node, from, &devices),
            News::Letter { from, letter } => self.deliver(directory, node, from, &letter, false),
            News::Knock { from, letter } => self.deliver(directory, node, from, &letter, true),
            News::Joined(address) => self.joined(directory, node, address),
            News::Siblings { mailbox, devices } => {
                if directory.connections_of(&mailbox).next().is_some() {
                    devices.into_iter().for_each(|device| self.siblings.add(mailbox, device, node, None));
                }
                self.devices_over_the_limit(directory, mailbox)
            }
            News::Left((mailbox, device)) => {
                self.siblings.remove(&mailbox, device);
                Vec::new()
            }
        }
    }

    /// A device of another node watches some boxes: those here that watch it, too, and it are told of each other.
    fn watch_elsewhere(&mut self, directory: &Directory, node: NodeId, from: Address, boxes: &[BoxId]) -> Vec<Output> {
        let (mut outputs, mut seen) = (Vec::new(), Vec::new());
        for id in boxes.iter().flat_map(|mailbox| directory.connections_of(mailbox)) {
            if let Some(is_new) = self.see(directory, id, from, node) {
                seen.extend(directory.address_of(id));
                if is_new {
                    outputs.extend(presence(id, true, vec![from]));
                }
            }
        }
        for devices in seen.chunks(MAX_BOXES) {
            self.publish(node, News::Up { to: from, devices: devices.to_vec() });
        }
        outputs
    }

    /// Devices of another node see one of this node's, which may have ended or changed its watches meanwhile.
    fn up(&mut self, directory: &Directory, node: NodeId, to: Address, devices: &[Address]) -> Vec<Output> {
        let id = self.connection_of(directory, to);
        let (mut seen, mut unseen) = (Vec::new(), Vec::new());
        for device in devices {
            match id.and_then(|id| self.see(directory, id, *device, node)) {
                Some(true) => seen.push(*device),
                Some(false) => {}
                None => unseen.push(*device),
            }
        }
        // Together: a frame for each would fill the connection's queue.
        let outputs = id.map(|id| presence(id, true, seen)).unwrap_or_default();
        if !unseen.is_empty() {
            self.publish(node, News::Down { from: to, devices: unseen });
        }
        outputs
    }

    /// Notes that a connection and a device of another node see each other; whether it is new. `None` where the
    /// connection does not watch the device's box.
    fn see(&mut self, directory: &Directory, id: ConnectionId, other: Address, node: NodeId) -> Option<bool> {
        let member = self.members.get_mut(&id).filter(|_| directory.watches(id, &other.0))?;
        if member.address == other || member.partners.len() >= MAX_PARTNERS {
            return None;
        }
        Some(member.partners.insert(other, node).is_none())
    }

    fn down(&mut self, directory: &Directory, node: NodeId, from: Address, devices: &[Address]) -> Vec<Output> {
        let mut outputs = Vec::new();
        for device in devices {
            let Some(id) = self.connection_of(directory, *device) else { continue };
            if let Some(member) = self.members.get_mut(&id)
                && member.partners.get(&from) == Some(&node)
            {
                member.partners.remove(&from);
                outputs.extend(presence(id, false, vec![from]));
            }
        }
        outputs
    }

    fn connection_of(&self, directory: &Directory, (mailbox, device): Address) -> Option<ConnectionId> {
        let is_it = |id: &ConnectionId| self.members.get(id).is_some_and(|member| member.address.1 == device);
        directory.connections_of(&mailbox).find(is_it)
    }

    fn unwatched(&mut self, id: ConnectionId, boxes: &[BoxId]) -> Vec<Output> {
        let Some(member) = self.members.get_mut(&id) else { return Vec::new() };
        let gone: Vec<_> = member.partners.extract_if(.., |(mailbox, _), _| boxes.contains(mailbox)).collect();
        let own = member.address;
        let outputs = presence(id, false, gone.iter().map(|(address, _)| *address).collect());
        self.tell_down(own, gone);
        outputs
    }

    fn closed(&mut self, directory: &Directory, id: ConnectionId) {
        let Some(Member { address, partners, .. }) = self.members.remove(&id) else { return };
        self.tell_down(address, partners.into_iter().collect());
        // To all: an answer to its coming may still be on its way.
        self.publish_to_all(|| News::Left(address));
        if directory.connections_of(&address.0).next().is_none() {
            self.siblings.forget(&address.0);
        }
    }

    /// Tells other nodes that a device and theirs see each other no more.
    fn tell_down(&mut self, own: Address, others: Vec<(Address, NodeId)>) {
        let mut of_nodes: BTreeMap<NodeId, Vec<Address>> = BTreeMap::new();
        others.into_iter().for_each(|(address, node)| of_nodes.entry(node).or_default().push(address));
        for (node, devices) in of_nodes {
            for devices in devices.chunks(MAX_BOXES) {
                self.publish(node, News::Down { from: own, devices: devices.to_vec() });
            }
        }
    }

    fn letter(&mut self, now: Instant, directory: &mut Directory, from: ConnectionId, letter: &Letter) -> Vec<Output> {
        let Some(member) = self.members.get(&from) else { return Vec::new() };
        let (own, is_here) = (member.address, self.connection_of(directory, (letter.mailbox, letter.device)).is_some());
        let nodes = if is_here { Vec::new() } else { member.nodes_of(letter.mailbox, letter.device) };
        let passed = directory.letter(now, from, letter, !nodes.is_empty());
        for node in nodes {
            self.letters += 1;
            self.publish(node, News::Letter { from: own, letter: letter.clone() });
        }
        if passed.may_knock && !is_here {
            self.letters += self.links.agreed().count() as u64;
            self.publish_to_all(|| News::Knock { from: own, letter: letter.clone() });
        }
        passed.outputs
    }

    fn deliver(
        &mut self,
        directory: &mut Directory,
        node: NodeId,
        from: Address,
        letter: &Letter,
        may_knock: bool,
    ) -> Vec<Output> {
        let outputs = directory.deliver(from, letter, may_knock);
        for output in &outputs {
            if let Output::Send { connection, .. } = output
                && let Some(member) = self.members.get_mut(connection)
            {
                member.note_correspondent(from, node);
            }
        }
        outputs
    }

    /// A device came to another node: it is newer than those of its box that are here.
    fn joined(&mut self, directory: &Directory, node: NodeId, (mailbox, device): Address) -> Vec<Output> {
        let own: Vec<_> = directory.connections_of(&mailbox).collect();
        let Some(latest) = own.last() else { return Vec::new() };
        self.siblings.add(mailbox, device, node, Some(*latest));
        let devices = own.iter().filter_map(|id| Some(directory.address_of(*id)?.1)).collect();
        self.publish(node, News::Siblings { mailbox, devices });
        self.devices_over_the_limit(directory, mailbox)
    }

    /// Ends the oldest device of a box, where it is this node's and there are too many.
    fn devices_over_the_limit(&self, directory: &Directory, mailbox: BoxId) -> Vec<Output> {
        let own: Vec<_> = directory.connections_of(&mailbox).collect();
        let all = own.len() + self.siblings.count(&mailbox);
        let older_elsewhere = own.first().map_or(0, |oldest| self.siblings.older_than(&mailbox, *oldest));
        let count = all.saturating_sub(MAX_DEVICES).saturating_sub(older_elsewhere);
        let close = |connection| Output::Close { connection, reason: Refusal::TooManyDevices };
        own.into_iter().take(count).map(close).collect()
    }

    fn take_changes(&mut self) -> Vec<Output> {
        let mut outputs = Vec::new();
        for change in self.links.take_changes() {
            match change {
                Change::Up(node) if self.links.own() > node => {
                    let told: Vec<_> = self.members.keys().map(|id| (node, *id)).collect();
                    self.retelling.extend(told);
                }
                Change::Up(_) => {}
                Change::Down(node) => outputs.extend(self.forget(node)),
            }
        }
        outputs
    }

    /// All that was known by a node is void.
    fn forget(&mut self, node: NodeId) -> Vec<Output> {
        self.retelling.retain(|(other, _)| *other != node);
        self.siblings.forget_node(node);
        let mut outputs = Vec::new();
        for (id, member) in &mut self.members {
            member.correspondents.retain(|(_, other)| *other != node);
            let gone: Vec<_> = member.partners.extract_if(.., |_, other| *other == node).map(|(it, _)| it).collect();
            outputs.extend(presence(*id, false, gone));
        }
        outputs
    }

    /// Tells nodes the watches of some connections again.
    fn retell(&mut self, now: Instant, directory: &Directory, has_room: bool) {
        if self.retelling.is_empty() {
            self.retold_at = None;
            return;
        }
        self.retold_at = Some(now);
        let mut told = 0;
        for _ in 0..if has_room { RETOLD_AT_ONCE } else { 0 } {
            let Some((node, id)) = self.retelling.pop_front() else { return };
            let Some(address) = self.members.get(&id).map(|member| member.address) else { continue };
            self.publish(node, News::Joined(address));
            let watches: Vec<_> = directory.watches_of(id).collect();
            told += watches.len();
            for boxes in watches.chunks(MAX_BOXES) {
                self.publish(node, News::Watch { from: address, boxes: boxes.to_vec() });
            }
            if told >= RETOLD_BOXES {
                return;
            }
        }
    }

    fn beat(&mut self, now: Instant, ends: bool) {
        let body = Body::Beat(self.links.beat(now, ends));
        let message = Message { sender: self.links.own(), body }.encode();
        self.outbox.push(Publication { to: Destination::All, message });
    }

    fn publish_to_all(&mut self, news: impl Fn() -> News) {
        let nodes: Vec<_> = self.links.agreed().collect();
        nodes.into_iter().for_each(|node| self.publish(node, news()));
    }

    fn publish(&mut self, node: NodeId, news: News) {
        let Some(link) = self.links.post(node) else { return };
        let message = Message { sender: self.links.own(), body: Body::Post(link, news) }.encode();
        self.outbox.push(Publication { to: Destination::Node(node), message });
    }
}

impl Member {
    const fn new(address: Address) -> Self {
        Self { address, partners: BTreeMap::new(), correspondents: VecDeque::new() }
    }

    /// The nodes that a letter of this connection goes to: those of partners, else that of a sender whom it answers.
    fn nodes_of(&self, mailbox: BoxId, device: Device) -> Vec<NodeId> {
        let devices = if device == Device::ALL { Device(0)..=Device(u32::MAX) } else { device..=device };
        let range = (mailbox, *devices.start())..=(mailbox, *devices.end());
        let mut nodes: Vec<_> = self.partners.range(range).map(|(_, node)| *node).collect();
        if nodes.is_empty() {
            let answered = self.correspondents.iter().find(|(address, _)| *address == (mailbox, device));
            nodes.extend(answered.map(|(_, node)| *node));
        }
        nodes.sort_unstable();
        nodes.dedup();
        nodes
    }

    fn note_correspondent(&mut self, address: Address, node: NodeId) {
        if self.partners.contains_key(&address) {
            return;
        }
        self.correspondents.retain(|(other, _)| *other != address);
        self.correspondents.truncate(MAX_CORRESPONDENTS - 1);
        self.correspondents.push_front((address, node));
    }
}

#[cfg(test)]
#[path = "cluster_tests.rs"]
mod tests;
