use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::atomic::Ordering;

use super::*;
use crate::call::InviteId;
use crate::identity::{Identity, InvitationToken};
use crate::signaling::message::Message;

/// An app at the server.
struct Side {
    local: Arc<Local>,
    sessions: Sessions,
    id: PeerId,
    device: Device,
    connected: bool,
    watches: HashSet<BoxId>,
    /// Sessions that began: with whom, and at which of their devices.
    ups: Vec<(PeerId, Device)>,
    downs: Vec<PeerId>,
    received: Vec<Incoming>,
    /// Letters that it has sent.
    sent: Vec<Letter>,
}

/// A server in miniature, which passes letters on as `post` likes.
struct Office {
    sides: Vec<Side>,
    letters: VecDeque<(usize, Letter)>,
    now: Instant,
}

fn identity(seed: u8) -> Identity {
    Identity::from_seed([seed; 32])
}

fn id(seed: u8) -> PeerId {
    identity(seed).id()
}

/// An app of the person with this seed, who knows these.
fn side(seed: u8, device: u32, knows: &[u8], now: Instant) -> Side {
    let local = Arc::new(Local::new(Arc::new(identity(seed)), "Name").unwrap());
    local.set_contacts(knows.iter().copied().map(id).collect());
    let mut last = u64::from(device) << 32;
    let numbers = move || {
        last += 1;
        Some(last.to_be_bytes())
    };
    let sessions = Sessions::new(Arc::clone(&local), now, numbers);
    Side {
        sessions,
        id: id(seed),
        local,
        device: Device(device),
        connected: false,
        watches: HashSet::new(),
        ups: Vec::new(),
        downs: Vec::new(),
        received: Vec::new(),
        sent: Vec::new(),
    }
}

impl Office {
    /// People with these seeds, each of whom knows the others that are named.
    fn of(people: &[(u8, &[u8])]) -> Self {
        let now = Instant::now();
        let sides = people.iter().zip(1..).map(|((seed, knows), device)| side(*seed, device, knows, now)).collect();
        Self { sides, letters: VecDeque::new(), now }
    }

    /// The same, all connected, and their letters passed on.
    fn running(people: &[(u8, &[u8])]) -> Self {
        let mut office = Self::of(people);
        (0..people.len()).for_each(|place| office.connect(place));
        office.deliver();
        office
    }

    fn connect(&mut self, place: usize) {
        self.sides[place].connected = true;
        let news = self.sides[place].sessions.connected(self.now, 1000);
        self.take(place, news);
    }

    fn disconnect(&mut self, place: usize) {
        for other in self.partners(place) {
            let gone = [(BoxId::of(&self.sides[place].id), self.sides[place].device)];
            let news = self.sides[other].sessions.down(self.now, &gone);
            self.take(other, news);
        }
        self.sides[place].connected = false;
        self.sides[place].watches.clear();
        let news = self.sides[place].sessions.disconnected();
        self.take(place, news);
    }

    fn partners(&self, place: usize) -> Vec<usize> {
        let side = &self.sides[place];
        let sees = |one: &Side, other: &Side| one.connected && one.watches.contains(&BoxId::of(&other.id));
        (0..self.sides.len())
            .filter(|other| *other != place && sees(side, &self.sides[*other]) && sees(&self.sides[*other], side))
            .collect()
    }

    fn take(&mut self, place: usize, news: Vec<News>) {
        for news in news {
            let side = &mut self.sides[place];
            match news {
                News::Letter(letter) => {
                    side.sent.push(letter.clone());
                    self.letters.push_back((place, letter));
                }
                News::Up { device, up } => side.ups.push((up.peer, device)),
                News::Down { peer, .. } => side.downs.push(peer),
                News::Received { incoming, .. } => side.received.push(incoming),
                News::Watch(boxes) => {
                    let before = self.partners(place);
                    self.sides[place].watches.extend(boxes);
                    for other in self.partners(place).into_iter().filter(|other| !before.contains(other)) {
                        for (one, other) in [(place, other), (other, place)] {
                            let there = [(BoxId::of(&self.sides[other].id), self.sides[other].device)];
                            let news = self.sides[one].sessions.up(self.now, &there);
                            self.take(one, news);
                        }
                    }
                }
                News::Unwatch(boxes) => {
                    for mailbox in boxes {
                        side.watches.remove(&mailbox);
                    }
                }
            }
        }
    }

    fn deliver(&mut self) {
        self.deliver_as(|_, letter| vec![letter]);
    }

    /// Passes letters on until there are none; of each, `post` makes those that really arrive, with the sender's
    /// address.
    fn deliver_as(&mut self, mut post: impl FnMut(usize, Letter) -> Vec<Letter>) {
        while let Some((from, letter)) = self.letters.pop_front() {
            let (mailbox, device) = (letter.mailbox, letter.device);
            let address = (BoxId::of(&self.sides[from].id), self.sides[from].device);
            let arriving = post(from, letter.with_address(address.0, address.1));
            for letter in arriving {
                let is_named = |side: &Side| {
                    side.connected && BoxId::of(&side.id) == mailbox && [side.device, Device::ALL].contains(&device)
                };
                let named: Vec<_> =
                    (0..self.sides.len()).filter(|place| *place != from && is_named(&self.sides[*place])).collect();
                for place in named {
                    let news = self.sides[place].sessions.letter(self.now, &letter);
                    self.take(place, news);
                }
            }
        }
    }

    fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        while self.now < end {
            self.now += Duration::from_millis(250);
            for place in 0..self.sides.len() {
                let news = self.sides[place].sessions.tick(self.now);
                self.take(place, news);
            }
            self.deliver();
        }
    }

    fn say(&mut self, from: usize, to: u8, device: u32, number: u64) {
        let message = Message::Ringing { invite: InviteId::from_bits(number.into()) };
        let frame = Frame::message(number, message).encode().unwrap();
        let side = &mut self.sides[from].sessions;
        let far = side.people.get(&BoxId::of(&id(to))).and_then(|person| person.devices.get(&Device(device)));
        let run = far.and_then(|far| far.open.as_ref()).map(|open| Arc::clone(&open.instance));
        let other = side.send(&id(to), Device(device), "another run", &frame);
        assert!(other.is_empty(), "a frame of another run");
        let news = run.map(|run| side.send(&id(to), Device(device), &run, &frame)).unwrap_or_default();
        self.take(from, news);
    }

    fn seek(&mut self, from: usize, to: u8) {
        let news = self.sides[from].sessions.seek(self.now, id(to), self.now + Duration::from_secs(5));
        self.take(from, news);
    }

    fn ups(&self) -> Vec<usize> {
        self.sides.iter().map(|side| side.ups.len()).collect()
    }

    fn numbers(&self, place: usize) -> Vec<u64> {
        let number = |incoming: &Incoming| match incoming {
            Incoming::Message { number, .. } => Some(*number),
            _ => None,
        };
        self.sides[place].received.iter().filter_map(number).collect()
    }
}

#[test]
fn two_who_know_each_other_meet_once_and_their_messages_pass() {
    for order in [[0, 1], [1, 0]] {
        let mut office = Office::of(&[(1, &[2]), (2, &[1])]);
        order.into_iter().for_each(|place| office.connect(place));
        office.deliver();
        assert_eq!(office.sides[0].ups, [(id(2), Device(2))]);
        assert_eq!(office.sides[1].ups, [(id(1), Device(1))]);
        office.pass(Duration::from_secs(70));
        assert_eq!(office.ups(), [1, 1], "and not again");
        office.say(0, 2, 2, 1);
        office.say(1, 1, 1, 7);
        office.say(0, 2, 2, 2);
        office.deliver();
        assert_eq!((office.numbers(0), office.numbers(1)), (vec![7], vec![1, 2]));
    }
}

#[test]
fn who_comes_back_is_met_anew_and_who_goes_is_gone_at_once() {
    let mut office = Office::running(&[(1, &[2]), (2, &[1])]);
    office.disconnect(1);
    assert_eq!((&office.sides[0].downs[..], &office.sides[1].downs[..]), (&[id(2)][..], &[id(1)][..]));
    office.say(0, 2, 2, 1);
    office.deliver();
    assert!(office.numbers(1).is_empty());
    office.connect(1);
    office.deliver();
    assert_eq!(office.ups(), [2, 2]);
}

#[test]
fn a_knock_reaches_somebody_who_does_not_know_its_sender_and_lets_strangers_ring() {
    let mut office = Office::running(&[(1, &[2]), (2, &[])]);
    assert_eq!(office.ups(), [0, 0], "nobody is seen who does not watch, too");
    office.seek(0, 2);
    office.deliver();
    assert_eq!(office.ups(), [1, 1]);
    office.say(1, 1, 1, 5);
    office.deliver();
    assert_eq!(office.numbers(0), [5]);
    office.disconnect(0);
    office.pass(GUEST + Duration::from_secs(1));
    assert!(
        office.sides[1].watches.is_empty() && office.sides[1].sessions.watched().is_empty(),
        "guests are forgotten"
    );
}

#[test]
fn knocks_that_cross_make_one_session_each() {
    let mut office = Office::running(&[(1, &[]), (2, &[])]);
    office.sides[0].local.engage(id(2));
    office.sides[1].local.engage(id(1));
    office.seek(0, 2);
    office.seek(1, 1);
    office.deliver();
    office.pass(Duration::from_secs(10));
    assert_eq!(office.ups(), [1, 1]);
}

/// A caller who may not ring sees the same as of somebody who is not there: nothing at all.
#[test]
fn who_may_not_ring_does_not_learn_that_anybody_is_there() {
    let contact_only = |office: &Office| office.sides[1].local.strangers_welcome.store(false, Ordering::Relaxed);
    let blocks = |office: &Office| drop(office.sides[1].local.set_blocked(HashSet::from([id(1)])));
    for refuse in [&contact_only as &dyn Fn(&Office), &blocks] {
        let mut office = Office::running(&[(1, &[2]), (2, &[])]);
        refuse(&office);
        office.seek(0, 2);
        office.deliver();
        office.pass(Duration::from_secs(10));
        assert_eq!(office.ups(), [0, 0]);
        assert!(office.sides[1].sent.is_empty() && office.sides[1].watches.is_empty());
    }
}

/// With the token of a link they are answered, the first who comes with it, as long as it is good.
#[test]
fn whoever_holds_an_invitation_is_answered_although_strangers_are_not() {
    let token = InvitationToken::from_bytes([7; 16]);
    let mut office = Office::running(&[(1, &[2]), (2, &[]), (3, &[2])]);
    office.sides[1].local.strangers_welcome.store(false, Ordering::Relaxed);
    office.sides[1].local.invitations().set(HashSet::from([token]), HashMap::new());
    let seek = |office: &mut Office, from| {
        office.seek(from, 2);
        office.deliver();
        office.pass(Duration::from_secs(6));
    };
    seek(&mut office, 0);
    assert_eq!(office.ups(), [0, 0, 0], "without it");
    for place in [0, 2] {
        office.sides[place].local.invitations().set(HashSet::new(), HashMap::from([(id(2), token)]));
    }
    seek(&mut office, 0);
    assert_eq!(office.ups(), [1, 1, 0]);
    assert!(office.sides[1].local.may_ring(&id(1)) && !office.sides[1].local.may_ring(&id(3)));
    seek(&mut office, 2);
    assert_eq!(office.ups(), [1, 1, 0], "another holder of the same link");
    office.sides[1].local.invitations().set(HashSet::new(), HashMap::new());
    assert!(!office.sides[1].local.may_ring(&id(1)), "it was used");
}

/// A greeting shows the token that is held by then, and messages pass on.
#[test]
fn a_renewed_session_shows_the_token_that_came_after_the_first() {
    let token = InvitationToken::from_bytes([7; 16]);
    for place in [0, 1] {
        let mut office = Office::running(&[(1, &[2]), (2, &[1])]);
        office.say(0, 2, 2, 1);
        let (me, other) = (1 - place, id(place as u8 + 1));
        // The other one lets nobody ring any more who shows no token.
        office.sides[place].local.set_contacts(HashSet::new());
        office.sides[place].local.strangers_welcome.store(false, Ordering::Relaxed);
        office.sides[place].local.invitations().set(HashSet::from([token]), HashMap::new());
        office.sides[me].local.invitations().set(HashSet::new(), HashMap::from([(other, token)]));
        assert!(!office.sides[place].local.may_ring(&office.sides[me].id));
        office.now += Duration::from_secs(1);
        let news = office.sides[me].sessions.renew(office.now, other);
        office.take(me, news);
        office.deliver();
        assert_eq!(office.ups(), [2, 2]);
        assert!(office.sides[place].local.may_ring(&office.sides[me].id));
        assert!(office.sides.iter().all(|side| side.downs.is_empty()), "the first session stood until the second did");
        office.say(0, 2, 2, 2);
        office.deliver();
        assert_eq!(office.numbers(1), [1, 2]);
        let nobody = office.sides[me].sessions.renew(office.now, id(9));
        assert!(nobody.is_empty());
    }
}

#[test]
fn a_knock_is_repeated_while_somebody_is_wanted_and_no_longer() {
    let mut office = Office::running(&[(1, &[2])]);
    office.seek(0, 2);
    office.pass(Duration::from_secs(20));
    assert_eq!(office.sides[0].sent.len(), 3, "within 5 s");
    assert!(!office.sides[0].sessions.is_busy());
}

#[test]
fn who_was_sought_without_a_connection_is_watched_and_met_with_one() {
    let mut office = Office::running(&[(1, &[2]), (2, &[1])]);
    office.disconnect(0);
    let (now, until) = (office.now, office.now + Duration::from_secs(5));
    assert!(office.sides[0].sessions.seek(now, id(2), until).is_empty(), "the server would not hear of it");
    office.connect(0);
    assert!(office.sides[0].watches.contains(&BoxId::of(&id(2))));
    office.deliver();
    assert_eq!(office.ups(), [2, 2]);
    office.say(1, 1, 1, 7);
    office.deliver();
    assert_eq!(office.numbers(0), [7]);
}

#[test]
fn each_device_of_a_key_has_a_session_of_its_own() {
    let mut office = Office::running(&[(1, &[2]), (2, &[1]), (2, &[1])]);
    assert_eq!(office.ups(), [2, 1, 1]);
    office.say(0, 2, 2, 1);
    office.say(0, 2, 3, 2);
    office.deliver();
    assert_eq!((office.numbers(1), office.numbers(2)), (vec![1], vec![2]));
    office.disconnect(1);
    office.say(0, 2, 3, 3);
    office.deliver();
    assert_eq!(office.numbers(2), [2, 3]);
}

#[test]
fn another_name_is_told_to_everybody_who_has_a_session() {
    let mut office = Office::running(&[(1, &[2]), (2, &[1])]);
    let news = office.sides[0].sessions.rename("Ann");
    office.take(0, news);
    office.deliver();
    assert_eq!(office.sides[1].received, [Incoming::Name("Ann".to_owned())]);
}

#[test]
fn who_is_blocked_or_closed_is_gone_and_not_answered() {
    let mut office = Office::running(&[(1, &[2]), (2, &[1])]);
    office.sides[1].local.set_blocked(HashSet::from([id(1)]));
    let news = office.sides[1].sessions.follow(office.now, 1000);
    office.take(1, news);
    office.deliver();
    assert_eq!(office.sides[1].downs, [id(1)]);
    assert!(office.sides[1].watches.is_empty());

    let mut office = Office::running(&[(1, &[2]), (2, &[1])]);
    let news = office.sides[1].sessions.close(office.now, id(1));
    office.take(1, news);
    office.deliver();
    assert_eq!((&office.sides[0].downs[..], &office.sides[1].downs[..]), (&[id(2)][..], &[id(1)][..]));
    office.pass(CLOSED - Duration::from_secs(1));
    assert_eq!(office.ups(), [1, 1]);
    office.pass(Duration::from_secs(60));
    assert_eq!(office.ups(), [2, 2]);
}

#[test]
fn a_run_that_is_closed_is_gone_alone_and_not_answered_for_a_while() {
    let mut office = Office::running(&[(1, &[2]), (1, &[2]), (2, &[1])]);
    assert_eq!(office.ups(), [1, 1, 2]);
    let run = office.sides[0].local.instance.clone();
    let news = office.sides[2].sessions.close_run(office.now, id(1), &run);
    office.take(2, news);
    office.deliver();
    let downs: Vec<_> = office.sides.iter().map(|side| side.downs.clone()).collect();
    assert_eq!(downs, [vec![id(2)], vec![], vec![id(1)]]);
    office.pass(CLOSED - Duration::from_secs(1));
    assert_eq!(office.ups(), [1, 1, 2]);
    office.pass(Duration::from_secs(60));
    assert_eq!(office.ups(), [2, 1, 3]);
}

// A hostile server.

#[test]
fn a_server_that_keeps_letters_back_only_keeps_people_apart() {
    for kept in 0..3 {
        let mut office = Office::of(&[(1, &[2]), (2, &[1])]);
        (0..2).for_each(|place| office.connect(place));
        let mut count = 0;
        office.deliver_as(|_, letter| {
            count += 1;
            if count == kept + 1 { Vec::new() } else { vec![letter] }
        });
        assert_ne!(office.ups(), [1, 1], "letter {kept}");
        office.pass(Duration::from_secs(30));
        assert!(
            office.ups().iter().all(|ups| (1..=2).contains(ups)),
            "they meet once letters pass: {:?}",
            office.ups()
        );
        office.say(0, 2, 2, 1);
        office.say(1, 1, 1, 2);
        office.deliver();
        assert_eq!((office.numbers(0), office.numbers(1)), (vec![2], vec![1]));
    }
}

#[test]
fn recorded_letters_prove_nobody_and_repeated_records_are_read_once() {
    let mut office = Office::running(&[(1, &[2]), (2, &[1])]);
    office.say(0, 2, 2, 1);
    office.deliver();
    let of_ann: Vec<_> = office.sides[0].sent.clone();
    let address = (BoxId::of(&id(1)), office.sides[0].device);
    // Ann is gone, and the server plays her part.
    office.disconnect(0);
    let news = office.sides[1].sessions.up(office.now, &[address]);
    office.take(1, news);
    for letter in of_ann.iter().cycle().take(3 * of_ann.len()) {
        let news = office.sides[1].sessions.letter(office.now, &letter.with_address(address.0, address.1));
        office.take(1, news);
    }
    assert_eq!((office.sides[1].ups.len(), office.numbers(1)), (1, vec![1]));

    let mut office = Office::running(&[(1, &[2]), (2, &[1])]);
    office.say(0, 2, 2, 1);
    office.deliver_as(|_, letter| vec![letter.clone(), letter]);
    assert_eq!(office.numbers(1), [1]);
    assert_eq!(office.sides[1].downs, [id(1)], "such a session ends");
}

#[test]
fn letters_under_another_name_or_of_another_session_prove_nobody() {
    // Eve's hello as Ann's, and Ann's as Eve's.
    let mut office = Office::of(&[(1, &[3]), (2, &[3]), (3, &[1, 2])]);
    (0..3).for_each(|place| office.connect(place));
    let boxes = [1, 2].map(|seed| BoxId::of(&id(seed)));
    office.deliver_as(|from, letter| match from {
        0 => vec![letter.with_address(boxes[1], Device(2))],
        1 => vec![letter.with_address(boxes[0], Device(1))],
        _ => vec![letter],
    });
    assert_eq!(office.ups(), [0, 0, 0]);

    // Records in another order, and altered ones.
    let mut office = Office::running(&[(1, &[2]), (2, &[1])]);
    office.say(0, 2, 2, 1);
    office.say(0, 2, 2, 2);
    let mut held = None;
    office.deliver_as(|_, letter| match held.take() {
        Some(first) => vec![letter, first],
        None => {
            held = Some(letter);
            Vec::new()
        }
    });
    assert!(office.numbers(1).is_empty(), "the second does not open before the first");
    let mut office = Office::running(&[(1, &[2]), (2, &[1])]);
    office.say(0, 2, 2, 1);
    office.deliver_as(|_, letter| {
        let mut content = letter.content().unwrap().to_vec();
        *content.last_mut().unwrap() ^= 1;
        vec![Letter::new(letter.mailbox, letter.device, &content).unwrap()]
    });
    assert!(office.numbers(1).is_empty());
}

/// A server that does to letters whatever chance says: of the two who meet over it, each hears at most what the other
/// has said, in order, each message once in a session; and nobody else is ever up.
#[test]
fn whatever_a_server_does_to_letters_it_only_refuses_service() {
    for seed in 0..60 {
        let mut chance = fastrand::Rng::with_seed(seed);
        let mut office = Office::running(&[(1, &[2]), (2, &[1])]);
        let mut held: Vec<Letter> = Vec::new();
        for number in 1..=40 {
            let from = chance.usize(..2);
            let to = 1 - from;
            office.say(from, to as u8 + 1, to as u32 + 1, number);
            let random: u64 = chance.u64(..);
            let mut tricks = fastrand::Rng::with_seed(random);
            office.deliver_as(|_, letter| match tricks.u8(..10) {
                0 => Vec::new(),
                1 => vec![letter.clone(), letter],
                2 => {
                    held.push(letter);
                    Vec::new()
                }
                3 => held.pop().into_iter().chain([letter]).collect(),
                4 => vec![letter.with_address(BoxId::of(&id(3)), letter.device)],
                5 => vec![letter.with_address(letter.mailbox, Device(9))],
                6 => {
                    let mut content = letter.content().unwrap().to_vec();
                    let place = tricks.usize(..content.len());
                    content[place] ^= 1 << tricks.u8(..8);
                    vec![Letter::new(letter.mailbox, letter.device, &content).unwrap()]
                }
                _ => vec![letter],
            });
            let invented = [(BoxId::of(&id(1 + chance.u8(..3))), Device(chance.u32(..12)))];
            for place in 0..2 {
                let news = match chance.u8(..8) {
                    0 => office.sides[place].sessions.up(office.now, &invented),
                    1 => office.sides[place].sessions.down(office.now, &invented),
                    _ => Vec::new(),
                };
                office.take(place, news);
            }
            office.now += Duration::from_millis(chance.u64(..2000));
            let place = chance.usize(..2);
            let news = office.sides[place].sessions.tick(office.now);
            office.take(place, news);
        }
        for place in 0..2 {
            let other = id(2 - place as u8);
            assert!(office.sides[place].ups.iter().all(|(peer, _)| *peer == other), "seed {seed}");
            let heard = office.numbers(place);
            assert!(heard.windows(2).all(|two| two[0] < two[1]), "seed {seed}: {heard:?}");
            assert!(heard.iter().all(|number| (1..=40).contains(number)), "seed {seed}");
        }
        // Once it is honest again, for as long as the longest pause between greetings, they talk.
        for place in 0..2 {
            office.disconnect(place);
        }
        (0..2).for_each(|place| office.connect(place));
        office.deliver();
        office.pass(2 * LONGEST_PAUSE);
        office.say(0, 2, 2, 1000);
        office.say(1, 1, 1, 1000);
        office.deliver();
        assert_eq!([0, 1].map(|place| office.numbers(place).last().copied()), [Some(1000); 2], "seed {seed}");
    }
}

#[test]
fn letters_that_are_kept_for_later_begin_no_session_and_are_not_read() {
    let mut office = Office::of(&[(1, &[2]), (2, &[1])]);
    (0..2).for_each(|place| office.connect(place));
    let mut held = Vec::new();
    office.deliver_as(|from, letter| {
        held.push((from, letter));
        Vec::new()
    });
    // Hellos of half an hour ago find nobody who waits for their answer.
    office.pass(Duration::from_secs(1));
    office.deliver();
    let before = office.ups();
    office.now += Duration::from_secs(1800);
    for side in &mut office.sides {
        drop(side.sessions.tick(office.now));
    }
    for (from, letter) in held {
        let news = office.sides[1 - from].sessions.letter(office.now, &letter);
        office.take(1 - from, news);
    }
    office.deliver();
    assert_eq!(office.ups(), before);
}

#[test]
fn a_server_invents_nobody_and_floods_nothing_into_memory() {
    let mut office = Office::running(&[(1, &[2]), (2, &[1])]);
    let sent = office.sides[0].sent.len();
    let mut crowd = Vec::new();
    for number in 0..10_000_u32 {
        let mut bytes = [0; 32];
        bytes[..4].copy_from_slice(&number.to_be_bytes());
        crowd.push((BoxId::from_bytes(bytes), Device(number)));
        crowd.push((BoxId::of(&id(2)), Device(1000 + number)));
    }
    let news = office.sides[0].sessions.up(office.now, &crowd);
    office.take(0, news);
    let person = &office.sides[0].sessions.people[&BoxId::of(&id(2))];
    assert!(person.devices.len() <= Person::MAX_DEVICES + 1 && office.sides[0].sessions.people.len() == 1);
    assert!(office.sides[0].sent.len() - sent <= Person::MAX_DEVICES);
    for (mailbox, device) in crowd {
        let letter = Letter::new(mailbox, device, &[1; 100]).unwrap();
        let news = office.sides[0].sessions.letter(office.now, &letter);
        assert!(news.is_empty());
    }
    assert_eq!(office.sides[0].ups.len(), 1);
}

#[test]
fn only_so_many_guests_are_taken_in_at_once() {
    let mut office = Office::running(&[(1, &[])]);
    let mut taken = 0;
    for seed in 2..120 {
        let guest = side(seed, 1000 + u32::from(seed), &[1], office.now);
        office.sides.push(guest);
        let place = office.sides.len() - 1;
        office.connect(place);
        office.seek(place, 1);
        office.deliver();
        office.now += Duration::from_millis(200);
        taken += usize::from(!office.sides[place].ups.is_empty());
    }
    assert_eq!(taken, MAX_GUESTS);
}
