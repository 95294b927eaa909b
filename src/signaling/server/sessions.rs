//! Sessions over one server: handshakes and records inside letters. Pure: letters, presence and requests with their
//! time come in, letters and news for the hub go out. The server is believed nothing but where letters are from, and
//! that only where the envelope inside says the same; it can keep people apart, and do nothing else.
//!
//! ```text
//! up(box, device)  ->  hello  ->            the one with the lower box greets; a knock goes to all devices of a box
//!                      <- answer            only where this side lets the sender ring
//!                      -> confirm           the session begins: `News::Up`
//!                      <-> record           `News::Received`
//! ```

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::post::{Kind, Number, Post};
use crate::identity::PeerId;
use crate::network::TokenBucket;
use crate::server_protocol::{BoxId, Device, Letter};
use crate::signaling::frame::Frame;
use crate::signaling::handshake::{Initiator, Proven, Responder};
use crate::signaling::local::Local;
use crate::signaling::route::{Incoming, Up};
use crate::signaling::session::Session;

/// For the answer to a hello, and for the confirm to an answer.
const ANSWER: Duration = Duration::from_secs(3);
/// Longest pause between greetings of a device that does not answer.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// Between knocks at a box of which nobody is seen.
const KNOCK_AGAIN: Duration = Duration::from_secs(2);
/// A guest without a session is watched for so long.
const GUEST: Duration = Duration::from_secs(10);
/// People at once who are no contacts.
const MAX_GUESTS: usize = 64;
/// A person or device whom the hub has closed is not answered for so long.
const CLOSED: Duration = Duration::from_secs(10);
/// Hellos of boxes that this side does not watch: a second, and at once.
const STRANGERS_HELLOS: (f64, f64) = (5.0, 20.0);
/// Hellos of boxes that it does watch, all together.
const KNOWN_HELLOS: (f64, f64) = (50.0, 200.0);
/// Answers that there is no such session.
const BYES: (f64, f64) = (5.0, 20.0);

/// News and requests of the sessions.
#[derive(Debug)]
pub(super) enum News {
    /// Watch these boxes.
    Watch(Vec<BoxId>),
    /// Watch these no more.
    Unwatch(Vec<BoxId>),
    /// Send a letter.
    Letter(Letter),
    /// A device of somebody has proven their key, anew if it had.
    Up { device: Device, up: Up },
    /// A frame of somebody.
    Received { peer: PeerId, device: Device, instance: Arc<str>, incoming: Incoming },
    /// The session with a device is over.
    Down { peer: PeerId, device: Device },
}

/// See the module.
pub(super) struct Sessions {
    local: Arc<Local>,
    own: BoxId,
    /// Without a connection nobody is watched or greeted: the server would not hear of it.
    is_connected: bool,
    people: BTreeMap<BoxId, Person>,
    /// People to reach: until when, and when they were last knocked at.
    wanted: HashMap<PeerId, (Instant, Option<Instant>)>,
    /// People, or one of their devices alone, whom the hub has closed, and when.
    closed: HashMap<(PeerId, Option<Device>), Instant>,
    strangers: TokenBucket,
    known: TokenBucket,
    byes: TokenBucket,
    random: Box<dyn FnMut() -> Option<[u8; 8]> + Send>,
}

/// Somebody whom this side watches.
struct Person {
    id: PeerId,
    /// Since when they are without a session; a guest is forgotten then.
    idle_since: Instant,
    devices: BTreeMap<Device, Far>,
}

/// A device of somebody. Under [`Device::ALL`] stands a knock.
#[derive(Default)]
struct Far {
    /// The server says that it is there.
    present: bool,
    open: Option<Open>,
    greeting: Option<Greeting>,
    answered: Option<Answered>,
    /// When to greet it, and greetings in vain before.
    greet_at: Option<Instant>,
    in_vain: u32,
}

struct Open {
    number: Number,
    instance: Arc<str>,
    session: Session,
}

struct Greeting {
    number: Number,
    initiator: Initiator,
    sent: Instant,
}

struct Answered {
    number: Number,
    responder: Responder,
    sent: Instant,
}

impl Sessions {
    pub(super) fn new(
        local: Arc<Local>,
        now: Instant,
        random: impl FnMut() -> Option<[u8; 8]> + Send + 'static,
    ) -> Self {
        Self {
            own: BoxId::of(&local.identity.id()),
            local,
            is_connected: false,
            people: BTreeMap::new(),
            wanted: HashMap::new(),
            closed: HashMap::new(),
            strangers: TokenBucket::new(STRANGERS_HELLOS.0, STRANGERS_HELLOS.1, now),
            known: TokenBucket::new(KNOWN_HELLOS.0, KNOWN_HELLOS.1, now),
            byes: TokenBucket::new(BYES.0, BYES.1, now),
            random: Box::new(random),
        }
    }

    /// The connection to the server stands: watches everybody who is known.
    pub(super) fn connected(&mut self, now: Instant, most: usize) -> Vec<News> {
        self.is_connected = true;
        let mut news = self.follow(now, most);
        let wanted: Vec<_> = self.wanted.keys().copied().collect();
        wanted.into_iter().for_each(|peer| self.knock_if_wanted(now, peer, &mut news));
        news
    }

    /// The connection to the server is gone, and all sessions with it.
    pub(super) fn disconnected(&mut self) -> Vec<News> {
        self.is_connected = false;
        let people = std::mem::take(&mut self.people);
        people.into_values().flat_map(Person::end).collect()
    }

    /// Watches those who are known now, `most` of them, and nobody else but guests.
    pub(super) fn follow(&mut self, now: Instant, most: usize) -> Vec<News> {
        let mut known: Vec<_> = self.local.known().into_iter().filter(|id| *id != self.local.identity.id()).collect();
        if known.len() > most {
            tracing::warn!("the server lets only {most} people be watched");
            known.sort_unstable();
            known.truncate(most);
        }
        let boxes: HashMap<_, _> = known.into_iter().map(|id| (BoxId::of(&id), id)).collect();
        let is_gone = |mailbox: &BoxId, person: &Person| {
            !boxes.contains_key(mailbox) && (self.local.is_blocked(&person.id) || !person.has_session())
        };
        let gone: Vec<_> = self
            .people
            .iter()
            .filter(|(mailbox, person)| is_gone(mailbox, person))
            .map(|(mailbox, _)| *mailbox)
            .collect();
        let mut news = self.forget(&gone);
        let new: Vec<_> = boxes.into_iter().filter(|(mailbox, _)| !self.people.contains_key(mailbox)).collect();
        if !new.is_empty() {
            news.push(News::Watch(new.iter().map(|(mailbox, _)| *mailbox).collect()));
        }
        self.people.extend(new.into_iter().map(|(mailbox, id)| (mailbox, Person::new(id, now))));
        news
    }

    fn forget(&mut self, boxes: &[BoxId]) -> Vec<News> {
        if boxes.is_empty() {
            return Vec::new();
        }
        let mut news: Vec<_> =
            boxes.iter().filter_map(|mailbox| self.people.remove(mailbox)).flat_map(Person::end).collect();
        news.push(News::Unwatch(boxes.to_vec()));
        news
    }

    /// The server says that devices are there.
    pub(super) fn up(&mut self, now: Instant, devices: &[(BoxId, Device)]) -> Vec<News> {
        let mut news = Vec::new();
        for (mailbox, device) in devices {
            // Nobody else was asked for.
            let Some(person) = self.people.get_mut(mailbox) else { continue };
            if *device == Device::ALL || person.devices.len() > Person::MAX_DEVICES {
                continue;
            }
            let far = person.devices.entry(*device).or_default();
            far.present = true;
            if far.is_idle() {
                // The side that waits to be greeted greets, too, where no greeting comes.
                far.greet_at = Some(if self.own < *mailbox { now } else { now + ANSWER });
            }
            self.greet_if_due(now, *mailbox, *device, &mut news);
        }
        news
    }

    /// The server says that devices are gone.
    pub(super) fn down(&mut self, now: Instant, devices: &[(BoxId, Device)]) -> Vec<News> {
        let mut news = Vec::new();
        for (mailbox, device) in devices {
            let Some(person) = self.people.get_mut(mailbox) else { continue };
            let far = person.devices.remove(device);
            person.idle_since = now;
            if far.is_some_and(|far| far.open.is_some()) {
                news.push(News::Down { peer: person.id, device: *device });
            }
        }
        news
    }

    /// Somebody is to be reached until then.
    pub(super) fn seek(&mut self, now: Instant, peer: PeerId, until: Instant) -> Vec<News> {
        let entry = self.wanted.entry(peer).or_insert((until, None));
        entry.0 = entry.0.max(until);
        let mut news = Vec::new();
        self.knock_if_wanted(now, peer, &mut news);
        news
    }

    /// Seals a frame for a run of an app that has the session of a device: a frame names messages of that run.
    pub(super) fn send(&mut self, peer: &PeerId, device: Device, run: &str, frame: &[u8]) -> Vec<News> {
        self.seal(peer, device, frame, |open| *open.instance == *run)
    }

    /// Seals a frame for a device, where its session is a wanted one.
    fn seal(&mut self, peer: &PeerId, device: Device, frame: &[u8], is_wanted: impl Fn(&Open) -> bool) -> Vec<News> {
        let mailbox = BoxId::of(peer);
        let far = self.people.get_mut(&mailbox).and_then(|person| person.devices.get_mut(&device));
        let Some(open) = far.and_then(|far| far.open.as_mut()).filter(|open| is_wanted(open)) else {
            return Vec::new();
        };
        let number = open.number;
        match open.session.seal(frame) {
            Ok(record) => letter(mailbox, device, Kind::Record, number, record.into()).into_iter().collect(),
            Err(reason) => {
                tracing::debug!(%reason, "a record could not be sealed");
                Vec::new()
            }
        }
    }

    /// Greets every device of somebody anew: a session may lead nowhere any more.
    /// The sessions that there are stay until the new ones stand.
    pub(super) fn renew(&mut self, now: Instant, peer: PeerId) -> Vec<News> {
        let mailbox = BoxId::of(&peer);
        let Some(person) = self.people.get(&mailbox) else { return Vec::new() };
        let is_due = |far: &Far| far.present && far.greeting.is_none() && far.answered.is_none();
        let due: Vec<_> = person.devices.iter().filter(|(_, far)| is_due(far)).map(|(device, _)| *device).collect();
        due.into_iter().filter_map(|device| self.greet(now, mailbox, device)).collect()
    }

    /// Ends the sessions with somebody, and begins none for some seconds.
    pub(super) fn close(&mut self, now: Instant, peer: PeerId) -> Vec<News> {
        self.note_closed(now, (peer, None));
        self.wanted.remove(&peer);
        let mailbox = BoxId::of(&peer);
        let Some(person) = self.people.get_mut(&mailbox) else { return Vec::new() };
        let devices: Vec<_> = person.devices.keys().copied().collect();
        devices.into_iter().flat_map(|device| self.end(now, mailbox, device, CLOSED)).collect()
    }

    /// Ends the sessions with a run of somebody's app, and begins none with its device for some seconds.
    pub(super) fn close_run(&mut self, now: Instant, peer: PeerId, run: &str) -> Vec<News> {
        let mailbox = BoxId::of(&peer);
        let Some(person) = self.people.get(&mailbox) else { return Vec::new() };
        let is_it = |far: &Far| far.open.as_ref().is_some_and(|open| *open.instance == *run);
        let devices: Vec<_> = person.devices.iter().filter(|(_, far)| is_it(far)).map(|(device, _)| *device).collect();
        devices.iter().for_each(|device| self.note_closed(now, (peer, Some(*device))));
        devices.into_iter().flat_map(|device| self.end(now, mailbox, device, CLOSED)).collect()
    }

    fn note_closed(&mut self, now: Instant, closed: (PeerId, Option<Device>)) {
        self.closed.retain(|_, at| now.saturating_duration_since(*at) < CLOSED);
        self.closed.insert(closed, now);
    }

    /// Whether something is to be looked after soon, see [`tick`](Self::tick).
    pub(super) fn is_busy(&self) -> bool {
        let waits = |far: &Far| far.greeting.is_some() || far.answered.is_some() || far.greet_at.is_some();
        !self.wanted.is_empty()
            || self.people.values().any(|person| person.devices.values().any(waits) || !self.local.is_known(&person.id))
    }

    /// Looks after greetings that are due, answers that did not come, and guests who have gone.
    pub(super) fn tick(&mut self, now: Instant) -> Vec<News> {
        let mut news = Vec::new();
        self.wanted.retain(|_, (until, _)| *until > now);
        let wanted: Vec<_> = self.wanted.keys().copied().collect();
        wanted.into_iter().for_each(|peer| self.knock_if_wanted(now, peer, &mut news));
        let mut due = Vec::new();
        for (mailbox, person) in &mut self.people {
            person.devices.retain(|device, far| {
                far.give_up_waiting(now);
                far.present || !far.is_idle() || *device == Device::ALL && far.greeting.is_some()
            });
            if person.has_session() {
                person.idle_since = now;
            }
            due.extend(person.devices.keys().map(|device| (*mailbox, *device)));
        }
        due.into_iter().for_each(|(mailbox, device)| self.greet_if_due(now, mailbox, device, &mut news));
        let is_gone = |person: &Person| {
            !self.local.is_known(&person.id) && now.saturating_duration_since(person.idle_since) >= GUEST
        };
        let gone: Vec<_> =
            self.people.iter().filter(|(_, person)| is_gone(person)).map(|(mailbox, _)| *mailbox).collect();
        news.extend(self.forget(&gone));
        news
    }

    /// Takes a letter, which comes from this device of this box, as the server says.
    pub(super) fn letter(&mut self, now: Instant, received: &Letter) -> Vec<News> {
        let (mailbox, device) = (received.mailbox, received.device);
        let post = received.content().ok().and_then(|content| Post::decode(&content));
        let Some(post) = post.filter(|_| mailbox != self.own && device != Device::ALL) else {
            tracing::debug!("a letter holds nothing of this version");
            return Vec::new();
        };
        match post.kind {
            Kind::Hello => self.hello(now, mailbox, device, &post),
            Kind::Answer => self.answer(now, mailbox, device, &post),
            Kind::Confirm => self.confirm(now, mailbox, device, &post),
            Kind::Record => self.record(now, mailbox, device, &post),
            Kind::Bye => {
                let far = self.people.get(&mailbox).and_then(|person| person.devices.get(&device));
                let is_open = far.and_then(|far| far.open.as_ref()).is_some_and(|open| open.number == post.number);
                if is_open { self.end(now, mailbox, device, ANSWER) } else { Vec::new() }
            }
        }
    }

    fn hello(&mut self, now: Instant, mailbox: BoxId, device: Device, post: &Post) -> Vec<News> {
        match self.people.get(&mailbox) {
            Some(person) if person.is_greeted_first(device, self.own < mailbox, now) => return Vec::new(),
            Some(person) if person.was_answered_just_now(device, now) => return Vec::new(),
            Some(_) if !self.known.take(now) => return Vec::new(),
            None if !self.strangers.take(now) => return Vec::new(),
            Some(_) | None => {}
        }
        let (responder, envelope) = match Responder::answer(&self.local, &post.sealed) {
            Ok(answer) => answer,
            Err(reason) => {
                tracing::debug!(%reason, "a hello over a server was refused");
                return Vec::new();
            }
        };
        let peer = responder.peer();
        // The server, or somebody at it, passes a hello off as another's.
        if BoxId::of(&peer) != mailbox || !self.answers(now, (peer, device), responder.is_invited(&self.local)) {
            return Vec::new();
        }
        let mut news = Vec::new();
        if !self.watch_guest(now, mailbox, peer, &mut news) {
            return Vec::new();
        }
        if let Some(person) = self.people.get_mut(&mailbox)
            && (person.devices.contains_key(&device) || person.devices.len() <= Person::MAX_DEVICES)
        {
            person.devices.remove(&Device::ALL);
            let far = person.devices.entry(device).or_default();
            far.greeting = None;
            far.greet_at = None;
            far.answered = Some(Answered { number: post.number, responder, sent: now });
            news.extend(letter(mailbox, device, Kind::Answer, post.number, envelope.into()));
        }
        news
    }

    /// Whether this side answers a hello of somebody: whoever may not ring does not even learn that it is there.
    fn answers(&self, now: Instant, (peer, device): (PeerId, Device), is_invited: bool) -> bool {
        let closed_at = [None, Some(device)].map(|device| self.closed.get(&(peer, device)));
        let is_closed = closed_at.into_iter().flatten().any(|at| now.saturating_duration_since(*at) < CLOSED);
        let may_ring = is_invited || self.local.may_ring(&peer);
        may_ring && !is_closed && !self.local.is_blocked(&peer)
    }

    /// Watches somebody who is no contact, within the bounds; their letters and this side's are no strangers' then.
    fn watch_guest(&mut self, now: Instant, mailbox: BoxId, peer: PeerId, news: &mut Vec<News>) -> bool {
        if self.people.contains_key(&mailbox) {
            return true;
        }
        let guests = self.people.values().filter(|person| !self.local.is_known(&person.id)).count();
        if guests >= MAX_GUESTS && !self.local.is_known(&peer) {
            return false;
        }
        self.people.insert(mailbox, Person::new(peer, now));
        news.push(News::Watch(vec![mailbox]));
        true
    }

    fn answer(&mut self, now: Instant, mailbox: BoxId, device: Device, post: &Post) -> Vec<News> {
        let Some(person) = self.people.get_mut(&mailbox) else { return Vec::new() };
        let is_it = |far: &&mut Far| far.greeting.as_ref().is_some_and(|greeting| greeting.number == post.number);
        let [one, all] = [device, Device::ALL];
        let place = if person.devices.get_mut(&one).as_ref().is_some_and(is_it) { one } else { all };
        let greeting = person.devices.get_mut(&place).filter(is_it).and_then(|far| far.greeting.take());
        let Some(greeting) = greeting else { return Vec::new() };
        match greeting.initiator.finish(&self.local, &post.sealed) {
            Ok((proven, confirm)) => {
                let mut news: Vec<_> =
                    letter(mailbox, device, Kind::Confirm, post.number, confirm.into()).into_iter().collect();
                news.extend(self.open(now, mailbox, device, post.number, proven));
                news
            }
            Err(reason) => {
                tracing::debug!(%reason, "an answer over a server was refused");
                Vec::new()
            }
        }
    }

    fn confirm(&mut self, now: Instant, mailbox: BoxId, device: Device, post: &Post) -> Vec<News> {
        let far = self.people.get_mut(&mailbox).and_then(|person| person.devices.get_mut(&device));
        let is_it = |far: &&mut Far| far.answered.as_ref().is_some_and(|answered| answered.number == post.number);
        let Some(answered) = far.filter(is_it).and_then(|far| far.answered.take()) else { return Vec::new() };
        match answered.responder.finish(&self.local, &post.sealed) {
            Ok(proven) => self.open(now, mailbox, device, post.number, proven),
            Err(reason) => {
                tracing::debug!(%reason, "a confirm over a server was refused");
                Vec::new()
            }
        }
    }

    fn open(&mut self, now: Instant, mailbox: BoxId, device: Device, number: Number, proven: Proven) -> Vec<News> {
        let Proven { peer, name, instance, device: on, versions, clock_ahead, own_name, session } = proven;
        self.wanted.remove(&peer);
        let instance: Arc<str> = instance.into();
        let person = self.people.entry(mailbox).or_insert_with(|| Person::new(peer, now));
        let far = person.devices.entry(device).or_default();
        (far.greet_at, far.in_vain) = (None, 0);
        far.open = Some(Open { number, instance: Arc::clone(&instance), session });
        let mut news = vec![News::Up { device, up: Up { peer, name, instance, device: on, versions, clock_ahead } }];
        // It may have changed since the hello.
        let name = self.local.name.borrow().clone();
        if name != own_name {
            news.extend(self.send_name(&peer, device, name));
        }
        news
    }

    /// Tells everybody who has a session another name of this side.
    pub(super) fn rename(&mut self, name: &str) -> Vec<News> {
        let open = |person: &Person| {
            let devices = person.devices.iter().filter(|(_, far)| far.open.is_some());
            devices.map(|(device, _)| (person.id, *device)).collect::<Vec<_>>()
        };
        let all: Vec<_> = self.people.values().flat_map(open).collect();
        all.into_iter().flat_map(|(peer, device)| self.send_name(&peer, device, name.to_owned())).collect()
    }

    fn send_name(&mut self, peer: &PeerId, device: Device, name: String) -> Vec<News> {
        Frame::Name { name }.encode().map(|frame| self.seal(peer, device, &frame, |_| true)).unwrap_or_default()
    }

    fn record(&mut self, now: Instant, mailbox: BoxId, device: Device, post: &Post) -> Vec<News> {
        let Some(person) = self.people.get_mut(&mailbox) else { return Vec::new() };
        let peer = person.id;
        let open = person.devices.get_mut(&device).and_then(|far| far.open.as_mut());
        let Some(open) = open.filter(|open| open.number == post.number) else {
            let tells = self.byes.take(now);
            return tells
                .then(|| letter(mailbox, device, Kind::Bye, post.number, Bytes::new()))
                .flatten()
                .into_iter()
                .collect();
        };
        match open.session.open(&post.sealed) {
            Ok(Some(incoming)) => {
                vec![News::Received { peer, device, instance: Arc::clone(&open.instance), incoming }]
            }
            Ok(None) => Vec::new(),
            Err(reason) => {
                tracing::debug!(%reason, "a session over a server ended");
                self.end(now, mailbox, device, ANSWER)
            }
        }
    }

    /// Ends the session with a device, with a word; a device that stays is greeted again after a pause.
    fn end(&mut self, now: Instant, mailbox: BoxId, device: Device, pause: Duration) -> Vec<News> {
        let Some(person) = self.people.get_mut(&mailbox) else { return Vec::new() };
        let (peer, Some(far)) = (person.id, person.devices.get_mut(&device)) else { return Vec::new() };
        (far.greeting, far.answered) = (None, None);
        far.greet_at = far.present.then(|| now + pause);
        let Some(open) = far.open.take() else { return Vec::new() };
        let bye = letter(mailbox, device, Kind::Bye, open.number, Bytes::new());
        bye.into_iter().chain([News::Down { peer, device }]).collect()
    }

    fn greet_if_due(&mut self, now: Instant, mailbox: BoxId, device: Device, news: &mut Vec<News>) {
        let far = self.people.get_mut(&mailbox).and_then(|person| person.devices.get_mut(&device));
        if far.is_some_and(|far| far.present && far.is_idle() && far.greet_at.is_some_and(|at| at <= now)) {
            news.extend(self.greet(now, mailbox, device));
        }
    }

    /// Knocks at the box of somebody who is wanted, unless one of their devices is there or they were just knocked at.
    fn knock_if_wanted(&mut self, now: Instant, peer: PeerId, news: &mut Vec<News>) {
        let mailbox = BoxId::of(&peer);
        let Some((_, last)) = self.wanted.get_mut(&peer) else { return };
        let is_seen = self.people.get(&mailbox).is_some_and(|person| person.devices.values().any(|far| far.present));
        let lately = last.is_some_and(|last| now.saturating_duration_since(last) < KNOCK_AGAIN);
        if !self.is_connected || is_seen || lately || mailbox == self.own || self.local.is_blocked(&peer) {
            return;
        }
        *last = Some(now);
        // They answer by letters, which are no strangers' only where this side watches them.
        if self.watch_guest(now, mailbox, peer, news) {
            news.extend(self.greet(now, mailbox, Device::ALL));
        }
    }

    fn greet(&mut self, now: Instant, mailbox: BoxId, device: Device) -> Option<News> {
        let person = self.people.get_mut(&mailbox)?;
        let number = Number((self.random)()?);
        let (initiator, envelope) = Initiator::start(&self.local, person.id)
            .inspect_err(|reason| tracing::debug!(%reason, "nobody has this ID"))
            .ok()?;
        let far = person.devices.entry(device).or_default();
        far.greet_at = None;
        far.greeting = Some(Greeting { number, initiator, sent: now });
        letter(mailbox, device, Kind::Hello, number, envelope.into())
    }

    /// Boxes that are watched now.
    #[cfg(test)]
    pub(super) fn watched(&self) -> Vec<BoxId> {
        self.people.keys().copied().collect()
    }
}

impl Person {
    /// Devices of one person at a time: as many as a server lets a key have, and some that it has forgotten.
    const MAX_DEVICES: usize = 8;

    fn new(id: PeerId, now: Instant) -> Self {
        Self { id, idle_since: now, devices: BTreeMap::new() }
    }

    fn has_session(&self) -> bool {
        self.devices.values().any(|far| far.open.is_some())
    }

    /// Whether a hello of this device is to wait for the answer to this side's own: of two that cross, the one of the
    /// lower box counts.
    fn is_greeted_first(&self, device: Device, own_is_lower: bool, now: Instant) -> bool {
        let waits = |far: &Far| {
            far.greeting.as_ref().is_some_and(|greeting| now.saturating_duration_since(greeting.sent) < ANSWER)
        };
        own_is_lower && [device, Device::ALL].iter().any(|device| self.devices.get(device).is_some_and(waits))
    }

    fn was_answered_just_now(&self, device: Device, now: Instant) -> bool {
        const JUST_NOW: Duration = Duration::from_millis(200);
        let answered = self.devices.get(&device).and_then(|far| far.answered.as_ref());
        answered.is_some_and(|answered| now.saturating_duration_since(answered.sent) < JUST_NOW)
    }

    fn end(self) -> impl Iterator<Item = News> {
        let peer = self.id;
        let open = self.devices.into_iter().filter(|(_, far)| far.open.is_some());
        open.map(move |(device, _)| News::Down { peer, device })
    }
}

impl Far {
    /// Neither is there a session nor is one being made.
    fn is_idle(&self) -> bool {
        self.open.is_none() && self.greeting.is_none() && self.answered.is_none()
    }

    /// Gives up what was waited for too long; a device that is there is greeted again, after a growing pause.
    fn give_up_waiting(&mut self, now: Instant) {
        let is_late = |sent: Instant| now.saturating_duration_since(sent) >= ANSWER;
        let was_waiting = self.greeting.is_some() || self.answered.is_some();
        self.greeting = self.greeting.take().filter(|greeting| !is_late(greeting.sent));
        self.answered = self.answered.take().filter(|answered| !is_late(answered.sent));
        if was_waiting && self.is_idle() && self.present {
            let pause = ANSWER.saturating_mul(2_u32.saturating_pow(self.in_vain)).min(LONGEST_PAUSE);
            self.greet_at = Some(now + pause);
            self.in_vain += 1;
        }
    }
}

fn letter(mailbox: BoxId, device: Device, kind: Kind, number: Number, sealed: Bytes) -> Option<News> {
    Letter::new(mailbox, device, &Post { kind, number, sealed }.encode()).map(News::Letter)
}

#[cfg(test)]
#[path = "sessions_tests.rs"]
mod tests;
