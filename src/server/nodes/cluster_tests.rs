//! Nodes in virtual time: a bus of a test's own between them, which can be cut, and can repeat, hold back and swap.

use std::collections::BTreeMap;

use super::*;
use crate::server::directory::Frame;
use crate::server_protocol::ToApp;

const MS: Duration = Duration::from_millis(1);

/// Nodes of one server, and the bus between them.
struct Rig {
    now: Instant,
    nodes: BTreeMap<u8, Node>,
    /// Messages on their way: when they are due, from, to.
    flying: VecDeque<(Instant, u8, u8, Bytes)>,
    /// Nodes that the bus does not reach.
    cut: Vec<u8>,
    /// Ways from one node to another one that lead nowhere.
    one_way: Vec<(u8, u8)>,
    latency: Duration,
    /// Each message comes twice.
    doubles: bool,
    connections: u64,
}

struct Node {
    id: NodeId,
    directory: Directory,
    cluster: Cluster,
    /// Frames for each connection since they were looked at.
    sent: Vec<(ConnectionId, Frame)>,
    closed: Vec<ConnectionId>,
}

/// A connection of a test: node, and number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct At(u8, ConnectionId);

impl Node {
    fn new(started_ms: u64, number: u8) -> Self {
        let id = NodeId::new(started_ms, [number; 10]);
        let (directory, cluster) = (Directory::default(), Cluster::new(id));
        Self { id, directory, cluster, sent: Vec::new(), closed: Vec::new() }
    }

    /// Carries outputs out as the exchange does.
    fn carry_out(&mut self, now: Instant, outputs: Vec<Output>) {
        for output in outputs {
            match output {
                Output::Send { connection, frame } => self.sent.push((connection, frame)),
                Output::Close { connection, .. } => {
                    self.closed.push(connection);
                    let more = self.cluster.step(now, &mut self.directory, connection, Input::Closed);
                    self.carry_out(now, more);
                }
                Output::Pause(_) => {}
            }
        }
    }
}

fn mailbox(byte: u8) -> BoxId {
    BoxId::from_bytes([byte; BoxId::LEN])
}

fn watch(boxes: &[u8]) -> Input {
    Input::Control(ToServer::Watch { boxes: boxes.iter().copied().map(mailbox).collect() })
}

fn unwatch(boxes: &[u8]) -> Input {
    Input::Control(ToServer::Unwatch { boxes: boxes.iter().copied().map(mailbox).collect() })
}

fn letter(to: u8, device: Device) -> Input {
    Input::Letter(Letter::new(mailbox(to), device, b"sealed").unwrap())
}

impl Rig {
    /// Nodes with these numbers, joined.
    fn new(numbers: &[u8]) -> Self {
        let mut rig = Self {
            now: Instant::now(),
            nodes: BTreeMap::new(),
            flying: VecDeque::new(),
            cut: Vec::new(),
            one_way: Vec::new(),
            latency: MS,
            doubles: false,
            connections: 0,
        };
        numbers.iter().for_each(|number| rig.start(*number));
        rig.run(20 * MS);
        for node in rig.nodes.values() {
            assert_eq!(node.cluster.figures().nodes, numbers.len() - 1);
        }
        rig
    }

    fn start(&mut self, number: u8) {
        let started_ms = 1_000_000 + self.connections;
        self.nodes.insert(number, Node::new(started_ms, number));
    }

    /// Lets time pass.
    fn run(&mut self, time: Duration) {
        let end = self.now + time;
        loop {
            self.carry();
            let ticks = self.nodes.values().map(|node| node.cluster.tick_at(self.now));
            let due = self.flying.iter().map(|(at, ..)| *at);
            let Some(next) = ticks.chain(due).min().filter(|next| *next <= end) else { break };
            self.now = self.now.max(next);
            self.deliver();
            for node in self.nodes.values_mut() {
                if node.cluster.tick_at(self.now) <= self.now {
                    let outputs = node.cluster.tick(self.now, &node.directory, true);
                    node.carry_out(self.now, outputs);
                }
            }
        }
        self.now = end;
    }

    /// Puts what the nodes publish on its way.
    fn carry(&mut self) {
        let ids: BTreeMap<_, _> = self.nodes.iter().map(|(number, node)| (node.id, *number)).collect();
        let at = self.now + self.latency;
        for (number, node) in &mut self.nodes {
            for Publication { to, message } in node.cluster.take_publications() {
                let to: Vec<_> = match to {
                    Destination::All => ids.values().copied().collect(),
                    Destination::Node(id) => ids.get(&id).copied().into_iter().collect(),
                };
                let is_cut = |to: &u8| self.cut.contains(number) || self.cut.contains(to);
                let is_reached = |to: &u8| to != number && !is_cut(to) && !self.one_way.contains(&(*number, *to));
                let reached = to.into_iter().filter(is_reached);
                for to in reached {
                    for _ in 0..1 + usize::from(self.doubles) {
                        self.flying.push_back((at, *number, to, message.clone()));
                    }
                }
            }
        }
    }

    fn deliver(&mut self) {
        let (mut due, later) = self.flying.drain(..).partition::<Vec<_>, _>(|(at, ..)| *at <= self.now);
        self.flying = later.into();
        // As the bus does.
        due.sort_by_key(|(.., message)| matches!(Message::decode(message), Ok(Message { body: Body::Beat(_), .. })));
        for (_, _, to, message) in due {
            if let Some(node) = self.nodes.get_mut(&to) {
                let outputs = node.cluster.receive(self.now, &mut node.directory, &message);
                node.carry_out(self.now, outputs);
            }
        }
    }

    /// A device of a box comes to a node.
    fn come(&mut self, node: u8, byte: u8) -> At {
        self.connections += 1;
        let at = At(node, ConnectionId(self.connections));
        self.input(at, Input::Proven { mailbox: mailbox(byte), device: Device(self.connections as u32) });
        at
    }

    fn input(&mut self, At(node, connection): At, input: Input) {
        let node = self.nodes.get_mut(&node).unwrap();
        let outputs = node.cluster.step(self.now, &mut node.directory, connection, input);
        node.carry_out(self.now, outputs);
    }

    fn step(&mut self, at: At, input: Input) {
        self.input(at, input);
        self.run(20 * MS);
    }

    /// Somebody of a box, who watches others.
    fn person(&mut self, node: u8, byte: u8, watches: &[u8]) -> At {
        let at = self.come(node, byte);
        self.step(at, watch(watches));
        at
    }

    fn frames(&mut self, At(node, connection): At) -> Vec<Frame> {
        let node = self.nodes.get_mut(&node).unwrap();
        node.sent.extract_if(.., |(id, _)| *id == connection).map(|(_, frame)| frame).collect()
    }

    /// News of presence for a connection since the last look: up or down, and the devices.
    fn told(&mut self, at: At) -> Vec<(bool, u32)> {
        let told = self.frames(at).into_iter().filter_map(|frame| match frame {
            Frame::Text(text) => match ToApp::decode(&text).unwrap().unwrap() {
                ToApp::Up { devices } => Some(devices.into_iter().map(|(_, it)| (true, it.0)).collect::<Vec<_>>()),
                ToApp::Down { devices } => Some(devices.into_iter().map(|(_, it)| (false, it.0)).collect()),
                _ => None,
            },
            Frame::Binary(_) => None,
        });
        told.flatten().collect()
    }

    /// Letters for a connection since the last look: their senders.
    fn received(&mut self, at: At) -> Vec<(BoxId, Device)> {
        let letters = self.frames(at).into_iter().filter_map(|frame| match frame {
            Frame::Binary(bytes) => Some(Letter::decode(&bytes).unwrap()),
            Frame::Text(_) => None,
        });
        letters.map(|letter| (letter.mailbox, letter.device)).collect()
    }

    /// Nobody sees anybody of another node, and nothing is left of them.
    fn is_clean(&self) -> bool {
        let is_clean = |node: &Node| {
            node.cluster.members.values().all(|member| member.partners.is_empty()) && node.cluster.siblings.is_empty()
        };
        self.nodes.values().all(is_clean)
    }
}

const fn up(at: At) -> (bool, u32) {
    (true, at.1.0 as u32)
}

const fn down(at: At) -> (bool, u32) {
    (false, at.1.0 as u32)
}

fn address(byte: u8, at: At) -> Address {
    (mailbox(byte), Device(at.1.0 as u32))
}

#[test]
fn two_at_two_nodes_learn_of_each_other_only_while_both_watch() {
    let mut rig = Rig::new(&[1, 2, 3]);
    let (ann, bob) = (rig.person(1, 1, &[2, 9]), rig.come(2, 2));
    assert_eq!((rig.told(ann), rig.told(bob)), (vec![], vec![]), "one alone learns nothing");
    rig.step(bob, watch(&[1]));
    assert_eq!((rig.told(ann), rig.told(bob)), (vec![up(bob)], vec![up(ann)]));
    rig.step(bob, watch(&[1]));
    assert_eq!((rig.told(ann), rig.told(bob)), (vec![], vec![]), "again is nothing new");
    rig.step(ann, unwatch(&[2]));
    assert_eq!((rig.told(ann), rig.told(bob)), (vec![down(bob)], vec![down(ann)]));
    assert!(rig.is_clean());
    rig.step(ann, watch(&[2]));
    assert_eq!((rig.told(ann), rig.told(bob)), (vec![up(bob)], vec![up(ann)]));
    rig.step(bob, Input::Closed);
    assert_eq!(rig.told(ann), [down(bob)]);
    assert!(rig.is_clean());
}

#[test]
fn watches_that_cross_on_the_way_tell_each_side_once_and_a_changed_mind_is_heard() {
    let mut rig = Rig::new(&[1, 2]);
    let (ann, bob) = (rig.come(1, 1), rig.come(2, 2));
    rig.input(ann, watch(&[2]));
    rig.input(bob, watch(&[1]));
    rig.run(20 * MS);
    assert_eq!((rig.told(ann), rig.told(bob)), (vec![up(bob)], vec![up(ann)]));
    rig.step(ann, unwatch(&[2]));
    assert_eq!((rig.told(ann), rig.told(bob)), (vec![down(bob)], vec![down(ann)]));
    // Bob's node says `up` while Ann ends to watch.
    rig.input(ann, watch(&[2]));
    rig.input(ann, unwatch(&[2]));
    rig.run(20 * MS);
    assert_eq!((rig.told(ann), rig.told(bob)), (vec![], vec![up(ann), down(ann)]));
    // And while she ends altogether.
    rig.input(ann, watch(&[2]));
    rig.input(ann, Input::Closed);
    rig.run(20 * MS);
    assert_eq!(rig.told(bob), [up(ann), down(ann)]);
    assert!(rig.is_clean());
}

#[test]
fn letters_between_contacts_go_to_the_node_of_the_device_alone() {
    let mut rig = Rig::new(&[1, 2, 3]);
    let (ann, bob) = (rig.person(1, 1, &[2]), rig.person(2, 2, &[1]));
    let elsewhere = rig.person(3, 3, &[1]);
    for device in [Device(bob.1.0 as u32), Device::ALL] {
        rig.input(ann, letter(2, device));
        let publications = rig.nodes.get_mut(&1).unwrap().cluster.take_publications();
        let [Publication { to: Destination::Node(_), .. }] = &publications[..] else { panic!("{publications:?}") };
        rig.nodes.get_mut(&1).unwrap().cluster.outbox.extend(publications);
        rig.run(20 * MS);
        assert_eq!(rig.received(bob), [address(1, ann)]);
    }
    // They are no knocks, however many.
    (0..100).for_each(|_| rig.input(ann, letter(2, Device::ALL)));
    rig.run(20 * MS);
    assert_eq!(rig.received(bob).len(), 100);
    assert_eq!((rig.received(elsewhere), rig.received(ann)), (vec![], vec![]));
    assert_eq!(rig.nodes[&1].directory.counts().knocks_refused, 0);
}

#[test]
fn a_stranger_rings_at_another_node_is_answered_and_has_one_allowance() {
    let mut rig = Rig::new(&[1, 2, 3]);
    let (ann, bob) = (rig.person(1, 1, &[2]), rig.come(2, 2));
    rig.step(ann, letter(2, Device::ALL));
    assert_eq!(rig.received(bob), [address(1, ann)]);
    // Bob watches and answers in one breath, before his node knows where Ann is. His answers are no knocks.
    rig.input(bob, watch(&[1]));
    (0..50).for_each(|_| rig.input(bob, letter(1, Device(ann.1.0 as u32))));
    rig.run(20 * MS);
    assert_eq!(rig.received(ann).len(), 50);
    // The caller's allowance is that of her node, whoever is there.
    let sam = rig.person(3, 7, &[2, 8]);
    for receiver in [2, 8] {
        (0..20).for_each(|_| rig.input(sam, letter(receiver, Device::ALL)));
    }
    rig.run(20 * MS);
    assert_eq!(rig.received(bob).len(), 5);
    assert_eq!(rig.nodes[&3].directory.counts().knocks_refused, 35);
}

/// Somebody who writes to a contact, to a stranger and to nobody at other nodes learns nothing: the outputs towards
/// them are the same, and come in the same step.
#[test]
fn a_contact_a_stranger_and_nobody_look_the_same_to_the_sender() {
    let answers = |receiver: u8| {
        let mut rig = Rig::new(&[1, 2]);
        let ann = rig.person(1, 1, &[2]);
        let (_contact, _stranger) = (rig.person(2, 2, &[1]), rig.come(2, 3));
        rig.run(20 * MS);
        rig.frames(ann);
        let node = rig.nodes.get_mut(&1).unwrap();
        let outputs: Vec<_> = (0..300)
            .map(|_| node.cluster.step(rig.now, &mut node.directory, ann.1, letter(receiver, Device::ALL)))
            .collect();
        rig.run(Duration::from_secs(10));
        (outputs, rig.frames(ann))
    };
    let [contact, stranger, nobody] = [2, 3, 9].map(answers);
    assert_eq!(contact, stranger);
    assert_eq!(stranger, nobody);
    assert!(nobody.1.is_empty());
}

#[test]
fn a_killed_nodes_people_are_gone_after_three_seconds_and_come_back_by_another_one() {
    let mut rig = Rig::new(&[1, 2, 3]);
    let (ann, bob) = (rig.person(1, 1, &[2]), rig.person(2, 2, &[1]));
    rig.told(ann);
    rig.nodes.remove(&2);
    // He comes back before his old device is known to be gone.
    let again = rig.person(3, 2, &[1]);
    assert_eq!(rig.told(ann), [up(again)]);
    rig.run(Duration::from_millis(1900));
    assert_eq!(rig.told(ann), []);
    rig.run(Duration::from_millis(1200));
    assert_eq!(rig.told(ann), [down(bob)]);
    assert_eq!(rig.nodes[&1].cluster.figures().nodes, 1);
    rig.step(ann, letter(2, Device::ALL));
    assert_eq!(rig.received(again), [address(1, ann)]);
}

#[test]
fn a_node_that_ends_in_order_is_gone_at_once() {
    let mut rig = Rig::new(&[1, 2]);
    let (ann, bob) = (rig.person(1, 1, &[2]), rig.person(2, 2, &[1]));
    rig.told(ann);
    rig.nodes.get_mut(&2).unwrap().cluster.end(rig.now);
    rig.carry();
    rig.nodes.remove(&2);
    rig.run(20 * MS);
    assert_eq!(rig.told(ann), [down(bob)]);
    assert!(rig.is_clean());
}

#[test]
fn a_node_that_starts_anew_is_another_one_and_hears_the_watches() {
    let mut rig = Rig::new(&[1, 2]);
    let ann = rig.person(1, 1, &[2]);
    rig.nodes.remove(&2);
    rig.start(2);
    rig.run(20 * MS);
    let bob = rig.person(2, 2, &[1]);
    assert_eq!((rig.told(ann), rig.told(bob)), (vec![up(bob)], vec![up(ann)]));
    rig.run(Duration::from_secs(4));
    assert_eq!((rig.told(ann), rig.told(bob)), (vec![], vec![]));
}

#[test]
fn a_partition_parts_people_after_three_seconds_and_its_end_joins_them_and_delivers_nothing_old() {
    for changes_meanwhile in [false, true] {
        let mut rig = Rig::new(&[1, 2]);
        let (ann, bob) = (rig.person(1, 1, &[2, 3]), rig.person(2, 2, &[1]));
        let near = rig.person(1, 3, &[1]);
        [ann, bob, near].into_iter().for_each(|at| drop(rig.frames(at)));
        rig.cut = vec![2];
        rig.step(ann, letter(2, Device::ALL));
        rig.run(Duration::from_millis(3100));
        assert_eq!((rig.told(ann), rig.told(bob)), (vec![down(bob)], vec![down(ann)]));
        // A node serves its own people meanwhile.
        rig.step(ann, letter(3, Device::ALL));
        assert_eq!(rig.received(near), [address(1, ann)]);
        if changes_meanwhile {
            rig.step(bob, unwatch(&[1]));
        }
        let new = rig.person(2, 3, &[1]);
        rig.run(Duration::from_secs(60));
        rig.cut.clear();
        rig.run(Duration::from_secs(1) + 20 * MS);
        let mut expected = vec![up(new)];
        expected.extend((!changes_meanwhile).then(|| up(bob)));
        expected.sort_unstable();
        let mut told = rig.told(ann);
        told.sort_unstable();
        assert_eq!(told, expected);
        assert_eq!(rig.told(new), [up(ann)]);
        let frames = rig.frames(bob);
        assert!(!frames.iter().any(|frame| matches!(frame, Frame::Binary(_))), "the old letter");
    }
}

/// TCP delivers what it has when a partition ends, and NATS what it holds.
#[test]
fn messages_that_waited_are_void_and_make_nobody_appear() {
    let mut rig = Rig::new(&[1, 2]);
    let (ann, bob) = (rig.person(1, 1, &[2]), rig.person(2, 2, &[1]));
    [ann, bob].into_iter().for_each(|at| drop(rig.frames(at)));
    let held_back = |rig: &mut Rig, time| {
        let normal = std::mem::replace(&mut rig.latency, Duration::from_secs(20));
        rig.run(time);
        rig.latency = normal;
    };
    rig.input(ann, letter(2, Device::ALL));
    held_back(&mut rig, Duration::from_secs(1));
    rig.cut = vec![1, 2];
    rig.run(Duration::from_secs(19));
    rig.input(bob, letter(1, Device::ALL));
    rig.run(Duration::from_millis(500));
    assert_eq!(rig.told(ann), [down(bob)]);
    assert!(rig.frames(bob).iter().all(|frame| !matches!(frame, Frame::Binary(_))), "a letter of 20 s ago");
    assert_eq!(rig.nodes[&1].cluster.figures().nodes, 0);
    rig.cut.clear();
    rig.run(Duration::from_secs(2));
    assert_eq!(rig.told(ann), [up(bob)]);
    assert_eq!(rig.told(bob), [up(ann)]);
}

/// The computer of a node was stopped, or too busy, and finds in its buffers whatever came meanwhile.
#[test]
fn a_node_that_was_stopped_takes_nothing_of_meanwhile() {
    let mut rig = Rig::new(&[1, 2]);
    let (ann, bob) = (rig.person(1, 1, &[2]), rig.person(2, 2, &[1]));
    rig.input(ann, letter(2, Device::ALL));
    rig.carry();
    rig.now += Duration::from_secs(10);
    rig.deliver();
    assert_eq!(rig.received(bob), []);
    rig.run(Duration::from_secs(5));
    assert_eq!((rig.told(ann).last(), rig.told(bob).last()), (Some(&up(bob)), Some(&up(ann))));
    rig.step(ann, letter(2, Device::ALL));
    assert_eq!(rig.received(bob), [address(1, ann)]);
}

#[test]
fn a_way_that_leads_in_one_direction_alone_parts_both_sides() {
    let mut rig = Rig::new(&[1, 2]);
    let (ann, bob) = (rig.person(1, 1, &[2]), rig.person(2, 2, &[1]));
    [ann, bob].into_iter().for_each(|at| drop(rig.frames(at)));
    rig.one_way = vec![(1, 2)];
    rig.run(Duration::from_millis(3100));
    assert_eq!(rig.told(bob), [down(ann)]);
    rig.run(Duration::from_millis(4000));
    assert_eq!(rig.told(ann), [down(bob)]);
    assert!(rig.is_clean());
    rig.one_way.clear();
    rig.run(Duration::from_secs(2));
    assert_eq!((rig.told(ann), rig.told(bob)), (vec![up(bob)], vec![up(ann)]));
}

#[test]
fn nats_down_for_longer_than_silence_and_back_restores_everybody() {
    let mut rig = Rig::new(&[1, 2, 3]);
    let people = [rig.person(1, 1, &[2, 3]), rig.person(2, 2, &[1, 3]), rig.person(3, 3, &[1, 2])];
    people.into_iter().for_each(|at| drop(rig.told(at)));
    rig.cut = vec![1, 2, 3];
    rig.run(Duration::from_secs(5));
    assert!(people.iter().all(|at| rig.told(*at).iter().filter(|(up, _)| !up).count() == 2));
    rig.cut.clear();
    rig.run(Duration::from_secs(2));
    assert!(people.iter().all(|at| rig.told(*at).iter().filter(|(up, _)| *up).count() == 2));
}

#[test]
fn messages_that_come_twice_count_once() {
    let mut rig = Rig::new(&[1, 2]);
    rig.doubles = true;
    let (ann, bob) = (rig.person(1, 1, &[2]), rig.person(2, 2, &[1]));
    rig.step(ann, letter(2, Device::ALL));
    assert_eq!(rig.received(bob), [address(1, ann)]);
    rig.step(ann, unwatch(&[2]));
    rig.run(Duration::from_secs(5));
    assert_eq!(rig.nodes[&1].cluster.figures(), NodeFigures { nodes: 1, letters: 1, lost_links: 0 });
    assert!(rig.is_clean());
}

#[test]
fn a_lost_message_is_noticed_by_the_next_beat_and_people_are_found_anew() {
    let mut rig = Rig::new(&[1, 2]);
    let (ann, bob) = (rig.person(1, 1, &[2]), rig.come(2, 2));
    rig.run(20 * MS);
    rig.input(bob, watch(&[1]));
    assert_eq!(rig.nodes.get_mut(&2).unwrap().cluster.take_publications().len(), 1, "lost");
    rig.run(20 * MS);
    assert_eq!(rig.told(ann), []);
    rig.run(Duration::from_millis(1200));
    assert_eq!((rig.told(ann), rig.told(bob)), (vec![up(bob)], vec![up(ann)]));
    let lost: u64 = rig.nodes.values().map(|node| node.cluster.figures().lost_links).sum();
    assert_eq!(lost, 1);
}

#[test]
fn messages_that_swap_places_leave_no_wrong_presence() {
    let mut rig = Rig::new(&[1, 2]);
    let (ann, bob) = (rig.person(1, 1, &[2]), rig.person(2, 2, &[1]));
    rig.input(bob, unwatch(&[1]));
    rig.input(bob, watch(&[1]));
    rig.carry();
    rig.flying.make_contiguous().reverse();
    rig.run(Duration::from_secs(3));
    assert_eq!(rig.told(ann).last(), Some(&up(bob)));
    assert_eq!(rig.told(bob).last(), Some(&up(ann)));
    rig.step(ann, letter(2, Device::ALL));
    assert_eq!(rig.received(bob), [address(1, ann)]);
}

#[test]
fn a_box_with_devices_at_two_nodes_is_rung_at_both_and_has_four_in_all() {
    let mut rig = Rig::new(&[1, 2, 3]);
    let ann = rig.person(1, 1, &[2]);
    let (desk, lap) = (rig.person(2, 2, &[1]), rig.person(1, 2, &[1]));
    assert_eq!(rig.told(ann), [up(desk), up(lap)]);
    rig.step(ann, letter(2, Device::ALL));
    assert_eq!((rig.received(desk), rig.received(lap)), (vec![address(1, ann)], vec![address(1, ann)]));
    rig.step(ann, letter(2, Device(lap.1.0 as u32)));
    assert_eq!((rig.received(desk).len(), rig.received(lap).len()), (0, 1));
    let more = [rig.person(3, 2, &[1]), rig.person(1, 2, &[1])];
    rig.run(20 * MS);
    assert!(rig.nodes.values().all(|node| node.closed.is_empty()));
    // The oldest of all gives way, wherever it is.
    let fifth = rig.person(3, 2, &[1]);
    rig.run(20 * MS);
    assert_eq!(rig.nodes[&2].closed, [desk.1]);
    let sixth = rig.person(2, 2, &[1]);
    rig.run(20 * MS);
    assert_eq!(rig.nodes[&1].closed, [lap.1]);
    assert!(rig.nodes[&3].closed.is_empty());
    for at in [more[0], more[1], fifth, sixth] {
        rig.step(at, Input::Closed);
    }
    assert!(rig.is_clean());
    rig.person(1, 2, &[]);
    rig.run(20 * MS);
    assert_eq!(rig.nodes.values().map(|node| node.closed.len()).sum::<usize>(), 2);
}

/// Each is gone before the other node's answer to its coming is there.
#[test]
fn devices_that_come_and_go_at_another_node_cost_a_box_no_device() {
    let mut rig = Rig::new(&[1, 2]);
    rig.person(1, 2, &[]);
    for _ in 0..5 {
        let at = rig.come(2, 2);
        rig.input(at, Input::Closed);
        rig.run(20 * MS);
    }
    assert!(rig.nodes[&1].closed.is_empty());
    assert!(rig.is_clean());
}

/// Random people who come, go, watch and write, at nodes that the bus cuts off at times: once it is quiet, exactly
/// those see each other who watch each other.
#[test]
fn after_any_history_those_see_each_other_who_watch_each_other() {
    for seed in 0..30 {
        let mut chance = fastrand::Rng::with_seed(seed);
        let mut rig = Rig::new(&[1, 2, 3]);
        let mut people: Vec<(At, u8, Vec<u8>)> = Vec::new();
        let mut seen: HashMap<u64, std::collections::BTreeSet<u32>> = HashMap::new();
        for _ in 0..150 {
            match chance.u8(0..10) {
                0..3 => {
                    let (node, byte) = (chance.u8(1..=3), chance.u8(1..=6));
                    people.push((rig.come(node, byte), byte, Vec::new()));
                }
                3..7 if !people.is_empty() => {
                    let place = chance.usize(..people.len());
                    let (at, _, watches) = &mut people[place];
                    let other = chance.u8(1..=6);
                    if watches.contains(&other) {
                        watches.retain(|it| *it != other);
                        rig.input(*at, unwatch(&[other]));
                    } else {
                        watches.push(other);
                        rig.input(*at, watch(&[other]));
                    }
                }
                7 if !people.is_empty() => {
                    let (at, ..) = people.swap_remove(chance.usize(..people.len()));
                    rig.input(at, Input::Closed);
                }
                8 => rig.cut = (1..=3).filter(|_| chance.u8(0..6) == 0).collect(),
                _ => {
                    if let Some((at, ..)) = people.get(chance.usize(..people.len().max(1))) {
                        rig.input(*at, letter(chance.u8(1..=6), Device::ALL));
                    }
                }
            }
            let time = [0, 1, 5, 700, 2500][chance.usize(..5)];
            rig.run(time * MS);
        }
        rig.cut.clear();
        rig.run(Duration::from_secs(12));
        people.retain(|(at, ..)| !rig.nodes[&at.0].closed.contains(&at.1));
        for (at, ..) in &people {
            for (is_up, device) in rig.told(*at) {
                let devices = seen.entry(at.1.0).or_default();
                let _changes = if is_up { devices.insert(device) } else { devices.remove(&device) };
            }
        }
        for (at, byte, watches) in &people {
            let expected = people.iter().filter(|(other, other_byte, other_watches)| {
                other != at && watches.contains(other_byte) && other_watches.contains(byte)
            });
            let expected: std::collections::BTreeSet<_> = expected.map(|(other, ..)| other.1.0 as u32).collect();
            assert_eq!(seen.get(&at.1.0).cloned().unwrap_or_default(), expected, "seed {seed}, {at:?}");
        }
    }
}
