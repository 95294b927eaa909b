//! Links of a node to the other nodes of its server: who lives, and whether every post has arrived. Pure; time is an
//! argument.
//!
//! ```text
//! node A -- beat 7 {B: heard 4, own 3, far 5, number 2} --> B     A has heard B's beat 4, and sent 2 posts to B
//! node A -- post {heard 4, own 3, far 5, number 3} -------> B     B takes it: its beat 4 is young, the link is agreed
//! ```
//!
//! A message counts only where it names a beat of this node that is less than [`FRESH`] old. So nothing counts that
//! waited on the way, whatever the clocks say. A link begins anew, with another number, after silence and after a post
//! was lost; each side then forgets all news that it had by it.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use super::message::{Beat, LinkState, MAX_NODES, NodeId};

/// Between beats.
const BEAT: Duration = Duration::from_secs(1);
/// A node is gone after so long without a message that counts.
const SILENCE: Duration = Duration::from_secs(3);
/// Age of a beat of this node that a message may name.
const FRESH: Duration = Duration::from_secs(3);
/// Beats of this node that are remembered.
const MAX_BEATS: usize = 64;

/// Change of a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    /// Both ends agree on the link: news passes.
    Up(NodeId),
    /// All news from the node is void.
    Down(NodeId),
}

/// See the module.
#[derive(Debug)]
pub(super) struct Links {
    own: NodeId,
    nodes: BTreeMap<NodeId, Link>,
    /// This node's latest beats: number and time.
    beats: VecDeque<(u32, Instant)>,
    last_beat: u32,
    last_link: u32,
    /// Another node has to hear of this one at once.
    beat_is_due: bool,
    changes: Vec<Change>,
    /// Links that began anew because a post was lost.
    lost: u64,
}

#[derive(Debug)]
struct Link {
    /// The latest beat that was heard.
    heard: u32,
    heard_at: Instant,
    /// When a message last counted.
    counted_at: Instant,
    own: u32,
    far: u32,
    is_agreed: bool,
    sent: u32,
    received: u32,
}

impl Links {
    pub(super) fn new(own: NodeId) -> Self {
        Self {
            own,
            nodes: BTreeMap::new(),
            beats: VecDeque::new(),
            last_beat: 0,
            last_link: 0,
            beat_is_due: true,
            changes: Vec::new(),
            lost: 0,
        }
    }

    pub(super) const fn own(&self) -> NodeId {
        self.own
    }

    /// The nodes that news passes to.
    pub(super) fn agreed(&self) -> impl Iterator<Item = NodeId> + '_ {
        self.nodes.iter().filter(|(_, link)| link.is_agreed).map(|(node, _)| *node)
    }

    /// Links that began anew because a post was lost, since the start.
    pub(super) const fn lost(&self) -> u64 {
        self.lost
    }

    /// Changes since the last call, in their order.
    pub(super) fn take_changes(&mut self) -> Vec<Change> {
        std::mem::take(&mut self.changes)
    }

    /// When a beat is due.
    pub(super) fn beat_at(&self, now: Instant) -> Instant {
        let last = self.beats.back().filter(|_| !self.beat_is_due);
        last.map_or(now, |(_, at)| *at + BEAT)
    }

    /// When a node is gone unless a message of it counts before.
    pub(super) fn silent_at(&self) -> Option<Instant> {
        self.nodes.values().filter(|link| link.is_agreed).map(|link| link.counted_at + SILENCE).min()
    }

    /// The other nodes are to hear a beat now.
    pub(super) const fn make_beat_due(&mut self) {
        self.beat_is_due = true;
    }

    /// The next beat of this node.
    pub(super) fn beat(&mut self, now: Instant, ends: bool) -> Beat {
        self.last_beat = self.last_beat.wrapping_add(1);
        self.beats.push_back((self.last_beat, now));
        if self.beats.len() > MAX_BEATS {
            self.beats.pop_front();
        }
        self.beat_is_due = false;
        let links = self.nodes.iter().map(|(node, link)| (*node, link.state())).collect();
        Beat { number: self.last_beat, ends, links }
    }

    /// Lets go of nodes that are silent.
    pub(super) fn tick(&mut self, now: Instant) {
        let is_old = |at: Instant, age| now.saturating_duration_since(at) >= age;
        while self.beats.front().is_some_and(|(_, at)| is_old(*at, FRESH)) && self.beats.len() > 1 {
            self.beats.pop_front();
        }
        let silent: Vec<_> =
            self.nodes.iter().filter(|(_, link)| is_old(link.counted_at, SILENCE)).map(|(node, _)| *node).collect();
        silent.into_iter().for_each(|node| self.begin_anew(node));
        self.nodes.retain(|_, link| link.is_agreed || !is_old(link.heard_at, SILENCE));
    }

    /// Takes a beat of another node.
    pub(super) fn hear(&mut self, now: Instant, node: NodeId, beat: &Beat) {
        if node == self.own || !self.knows(now, node) {
            return;
        }
        let Some(link) = self.nodes.get_mut(&node) else { return };
        if beat.number <= link.heard {
            return;
        }
        link.heard = beat.number;
        link.heard_at = now;
        if beat.ends {
            self.nodes.remove(&node);
            self.changes.push(Change::Down(node));
            return;
        }
        let Some((_, state)) = beat.links.iter().find(|(node, _)| *node == self.own) else { return };
        // Posts of after the beat may have come already.
        if self.agrees(now, node, *state) && self.nodes.get(&node).is_some_and(|link| link.received < state.number) {
            self.lose(node);
        }
    }

    /// Whether the news of a post from another node counts.
    pub(super) fn accepts(&mut self, now: Instant, node: NodeId, state: LinkState) -> bool {
        if !self.agrees(now, node, state) {
            return false;
        }
        let Some(link) = self.nodes.get_mut(&node) else { return false };
        match state.number.cmp(&link.received.wrapping_add(1)) {
            std::cmp::Ordering::Less => false,
            std::cmp::Ordering::Equal => {
                link.received = state.number;
                true
            }
            std::cmp::Ordering::Greater => {
                self.lose(node);
                false
            }
        }
    }

    /// Head of the next post to a node; `None` where news does not pass.
    pub(super) fn post(&mut self, node: NodeId) -> Option<LinkState> {
        let link = self.nodes.get_mut(&node).filter(|link| link.is_agreed)?;
        link.sent = link.sent.wrapping_add(1);
        Some(link.state())
    }

    /// Makes a link to a node that is new; false where there are too many.
    fn knows(&mut self, now: Instant, node: NodeId) -> bool {
        if self.nodes.contains_key(&node) {
            return true;
        }
        if self.nodes.len() + 1 >= MAX_NODES {
            tracing::warn!("there are more than {MAX_NODES} nodes; one is left out");
            return false;
        }
        let own = self.next_link();
        self.nodes.insert(node, Link::new(own, now));
        self.beat_is_due = true;
        true
    }

    /// Takes the state that a message of a node has; whether the message counts and both ends agree on the link.
    fn agrees(&mut self, now: Instant, node: NodeId, state: LinkState) -> bool {
        let named = self.beats.iter().rev().find(|(number, _)| *number == state.heard);
        let is_fresh = named.is_some_and(|(_, at)| now.saturating_duration_since(*at) < FRESH);
        let Some(link) = self.nodes.get_mut(&node).filter(|_| is_fresh) else { return false };
        // A message of before the other end began anew has come late.
        if state.own < link.far {
            return false;
        }
        link.counted_at = now;
        if state.own > link.far {
            // The other end has forgotten what it had by the link.
            if std::mem::take(&mut link.is_agreed) {
                self.changes.push(Change::Down(node));
            }
            (link.far, link.sent, link.received) = (state.own, 0, 0);
            self.beat_is_due = true;
        }
        if state.far != link.own {
            return false;
        }
        if !std::mem::replace(&mut link.is_agreed, true) {
            self.changes.push(Change::Up(node));
            self.beat_is_due = true;
        }
        true
    }

    fn lose(&mut self, node: NodeId) {
        self.lost += 1;
        self.begin_anew(node);
    }

    fn begin_anew(&mut self, node: NodeId) {
        let own = self.next_link();
        let Some(link) = self.nodes.get_mut(&node) else { return };
        if std::mem::take(&mut link.is_agreed) {
            (link.own, link.sent, link.received) = (own, 0, 0);
            self.changes.push(Change::Down(node));
            self.beat_is_due = true;
        }
    }

    const fn next_link(&mut self) -> u32 {
        self.last_link = self.last_link.wrapping_add(1);
        self.last_link
    }
}

impl Link {
    const fn new(own: u32, now: Instant) -> Self {
        let (heard_at, counted_at) = (now, now);
        Self { heard: 0, heard_at, counted_at, own, far: 0, is_agreed: false, sent: 0, received: 0 }
    }

    const fn state(&self) -> LinkState {
        LinkState { heard: self.heard, own: self.own, far: self.far, number: self.sent }
    }
}
