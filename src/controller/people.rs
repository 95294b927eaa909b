//! People who can be called: contacts from the store, people found on this network, and Echo.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};

use sha2::{Digest, Sha256};

use crate::identity::{PeerId, safety_number, sort_key};
use crate::store::Contact;

use super::{Event, Person, PersonKind};
use crate::signaling::{RouteKind, RouteSet, VersionSkew};

/// Strangers that are listed at most; a hostile network can announce any number.
const MAX_NEARBY: usize = 200;

/// Names that are remembered of people who are neither contacts nor here, at most; the oldest give way.
const NAMES_REMEMBERED: usize = 1000;

/// The ID of the Echo contact: no key belongs to it, it is never sent to the network.
pub fn echo_id() -> PeerId {
    PeerId::from_bytes(Sha256::digest(b"visavis-echo").into())
}

/// Contacts and presence.
#[derive(Debug)]
pub(super) struct People {
    me: PeerId,
    contacts: BTreeMap<PeerId, Contact>,
    blocked: HashSet<PeerId>,
    present: BTreeMap<PeerId, Presence>,
    /// Last names of people who are gone.
    remembered: RememberedNames,
}

/// Last known names of people, the latest few.
#[derive(Debug, Default)]
struct RememberedNames {
    names: HashMap<PeerId, String>,
    /// From the oldest on.
    order: VecDeque<PeerId>,
}

impl RememberedNames {
    fn put(&mut self, id: PeerId, name: String) {
        if name.is_empty() || name == id.short() {
            return;
        }
        if self.names.insert(id, name).is_some() {
            self.order.retain(|other| *other != id);
        }
        self.order.push_back(id);
        if self.order.len() > NAMES_REMEMBERED
            && let Some(oldest) = self.order.pop_front()
        {
            self.names.remove(&oldest);
        }
    }
}

/// Presence of one person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Presence {
    /// The name that they chose.
    pub(super) name: String,
    /// The routes by which they are reached; none: they are offline.
    pub(super) routes: RouteSet,
    /// The side that is too old for the other, so that neither can call.
    pub(super) skew: Option<VersionSkew>,
}

impl People {
    /// Nobody yet, of the person `me`.
    pub(super) fn new(me: PeerId) -> Self {
        Self {
            me,
            contacts: BTreeMap::new(),
            blocked: HashSet::new(),
            present: BTreeMap::new(),
            remembered: RememberedNames::default(),
        }
    }

    /// Replaces the contacts, and the people from whom everything is refused, by the store's.
    pub(super) fn set_contacts(&mut self, contacts: Vec<Contact>, blocked: Vec<PeerId>) {
        self.blocked = blocked.into_iter().collect();
        self.contacts = contacts.into_iter().map(|contact| (contact.id, contact)).collect();
    }

    /// Notes that somebody has come, gone or changed their name; false when nothing is new.
    pub(super) fn set_presence(&mut self, id: PeerId, presence: Presence) -> bool {
        if presence.routes.is_empty() {
            let Some(gone) = self.present.remove(&id) else { return false };
            self.remember_name(id, gone.name);
            return true;
        }
        let is_listed = self.contacts.contains_key(&id) || self.present.contains_key(&id);
        let nearby = self.present.keys().filter(|id| !self.contacts.contains_key(id)).count();
        if !is_listed && nearby >= MAX_NEARBY {
            return false;
        }
        self.present.insert(id, presence.clone()) != Some(presence)
    }

    /// Remembers the name of somebody, for when they are no contact and not here.
    pub(super) fn remember_name(&mut self, id: PeerId, name: String) {
        self.remembered.put(id, name);
    }

    /// True for a person in the contact list.
    pub(super) fn is_contact(&self, id: PeerId) -> bool {
        id == echo_id() || self.contacts.contains_key(&id)
    }

    /// True for a person from whom everything is refused.
    pub(super) fn is_blocked(&self, id: PeerId) -> bool {
        self.blocked.contains(&id)
    }

    /// Everybody from whom everything is refused.
    pub(super) const fn blocked(&self) -> &HashSet<PeerId> {
        &self.blocked
    }

    /// Everybody in the contact list who is not blocked.
    pub(super) fn contacts(&self) -> HashSet<PeerId> {
        self.contacts.values().filter(|contact| !contact.blocked).map(|contact| contact.id).collect()
    }

    /// True for a contact whose safety number was compared under this identity.
    fn is_verified(&self, id: PeerId) -> bool {
        self.contacts.get(&id).is_some_and(|contact| contact.verified_by == Some(self.me))
    }

    /// The contact in the list, if `id` is one.
    pub(super) fn contact(&self, id: PeerId) -> Option<&Contact> {
        self.contacts.get(&id)
    }

    /// The name to show: the one given here, else the one they chose (`said`, or as announced now or earlier), else a
    /// piece of the ID.
    pub(super) fn name_of(&self, id: PeerId, said: Option<&str>) -> String {
        if id == echo_id() {
            return String::from("Echo");
        }
        let contact = self.contacts.get(&id);
        let given = contact.map(|contact| contact.given_name.as_str());
        let announced = self.present.get(&id).map(|presence| presence.name.as_str());
        let chosen = contact.map(|contact| contact.name.as_str());
        let remembered = self.remembered.names.get(&id).map(String::as_str);
        [given, said, announced, chosen, remembered]
            .into_iter()
            .flatten()
            .find(|name| !name.is_empty())
            .map_or_else(|| id.short(), str::to_owned)
    }

    /// A contact with another key and the same name, whatever its case, as the one that somebody who is no contact goes
    /// by: the contact's identity may be a new one, or somebody pretends to be them.
    pub(super) fn namesake(&self, id: PeerId, said: &str) -> Option<PeerId> {
        let name = said.trim().to_lowercase();
        let is_it = |contact: &&Contact| {
            [&contact.name, &contact.given_name].iter().any(|known| known.trim().to_lowercase() == name)
        };
        let may_be = !name.is_empty() && !self.is_contact(id);
        self.contacts.values().filter(|_| may_be).find(is_it).map(|contact| contact.id)
    }

    /// A `contact` event for one person, without their safety number, which takes milliseconds.
    pub(super) fn event(&self, id: PeerId) -> Event {
        self.event_with(id, None)
    }

    /// A `contact` event for one person, with the safety number of a contact.
    pub(super) fn event_with_number(&self, id: PeerId) -> Event {
        self.event_with(id, self.contacts.contains_key(&id).then(|| safety_number(self.me, id)))
    }

    fn event_with(&self, id: PeerId, safety_number: Option<String>) -> Event {
        let route = self.route(id);
        Event::Contact {
            id,
            name: self.name_of(id, None),
            online: route.is_some(),
            route,
            needs_newer: self.skew(id),
            contact: self.is_contact(id),
            verified: self.is_verified(id),
            picture: false,
            safety_number,
        }
    }

    /// A `contact` event for everybody in the contact list, Echo first.
    pub(super) fn contact_events(&self) -> impl Iterator<Item = Event> + '_ {
        std::iter::once(echo_id()).chain(self.contacts.keys().copied()).map(|id| self.event(id))
    }

    /// The side that needs a newer Visavis before the two can call each other, where the person is there.
    pub(super) fn skew(&self, id: PeerId) -> Option<VersionSkew> {
        self.present.get(&id)?.skew
    }

    /// True for a person who can be rung now.
    pub(super) fn is_online(&self, id: PeerId) -> bool {
        self.route(id).is_some()
    }

    /// The best route by which the person can be rung now.
    fn route(&self, id: PeerId) -> Option<RouteKind> {
        if id == echo_id() {
            return Some(RouteKind::Local);
        }
        self.present.get(&id).filter(|presence| presence.skew.is_none())?.routes.best()
    }

    /// True for a person of whom a device is reached over a server, or who is reached by no route at the moment: a
    /// server decides whom it calls gone, and must not bring anybody's addresses to light by that. With a device on
    /// this network and another one at a server it is unknown which of the two is in a call.
    pub(super) fn is_over_server(&self, id: PeerId) -> bool {
        let is_at_server = |presence: &Presence| presence.routes.iter().any(|route| route == RouteKind::Server);
        let is_near = matches!(self.route(id), Some(RouteKind::Local | RouteKind::Lan));
        !is_near || self.present.get(&id).is_some_and(is_at_server)
    }

    /// Everybody, as the window lists them: Echo, contacts, people nearby, and last the blocked who are neither;
    /// favourites first, then whoever is online, then by name.
    pub(super) fn list(&self) -> Vec<Person> {
        let nearby = self.present.keys().filter(|id| !self.contacts.contains_key(id));
        let mut people: Vec<Person> = std::iter::once(echo_id())
            .chain(self.contacts.keys().copied())
            .chain(nearby.copied())
            .chain(self.blocked.iter().copied().filter(|id| !self.is_contact(*id) && !self.present.contains_key(id)))
            .map(|id| self.person(id))
            .collect();
        people.sort_by_cached_key(|person| {
            (rank(person.kind), !person.favourite, !person.online, sort_key(&person.name), person.id)
        });
        let mut bearers: HashMap<String, u32> = HashMap::new();
        let contacts = |person: &&mut Person| person.kind == PersonKind::Contact;
        for person in people.iter_mut().filter(contacts) {
            *bearers.entry(person.name.to_lowercase()).or_default() += 1;
        }
        for person in people.iter_mut().filter(contacts) {
            person.shares_name = bearers.get(&person.name.to_lowercase()).is_some_and(|bearers| *bearers > 1);
        }
        people
    }

    fn person(&self, id: PeerId) -> Person {
        let (kind, name) = if id == echo_id() {
            (PersonKind::Echo, String::new())
        } else if self.contacts.contains_key(&id) {
            (PersonKind::Contact, self.name_of(id, None))
        } else if self.present.contains_key(&id) {
            (PersonKind::Nearby, self.name_of(id, None))
        } else {
            (PersonKind::Blocked, self.name_of(id, None))
        };
        let route = self.route(id);
        let (online, needs_newer) = (route.is_some(), self.skew(id));
        let (blocked, verified) = (self.is_blocked(id), self.is_verified(id));
        let favourite = self.contacts.get(&id).is_some_and(|contact| contact.favourite);
        Person {
            id,
            name,
            kind,
            online,
            route,
            needs_newer,
            blocked,
            verified,
            favourite,
            shares_name: false,
            picture: None,
        }
    }
}

const fn rank(kind: PersonKind) -> u8 {
    match kind {
        PersonKind::Echo => 0,
        PersonKind::Contact => 1,
        PersonKind::Nearby => 2,
        PersonKind::Blocked => 3,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::Volume;

    fn id(byte: u8) -> PeerId {
        PeerId::from_bytes([byte; 32])
    }

    fn by(routes: impl IntoIterator<Item = RouteKind>, name: &str) -> Presence {
        Presence { name: name.into(), routes: routes.into_iter().collect(), skew: None }
    }

    #[test]
    fn echo_is_always_there_and_strangers_come_last() {
        let mut people = People::new(id(200));
        assert!(people.set_presence(id(1), by([RouteKind::Lan], "Ann")));
        assert!(!people.set_presence(id(1), by([RouteKind::Lan], "Ann")), "nothing new");
        let list = people.list();
        assert_eq!(list[0].kind, PersonKind::Echo);
        assert_eq!((list[1].kind, list[1].name.as_str()), (PersonKind::Nearby, "Ann"));
        assert!(people.set_presence(id(1), by([], "")));
        assert_eq!(people.list().len(), 1);
    }

    #[test]
    fn a_person_whom_a_server_calls_gone_is_still_reached_over_it_alone() {
        let mut people = People::new(id(200));
        people.set_presence(id(1), by([RouteKind::Server], "Ann"));
        assert!(people.is_over_server(id(1)));
        people.set_presence(id(1), by([], ""));
        assert!(people.is_over_server(id(1)), "a server says so, in the middle of a ring");
        people.set_presence(id(1), by([RouteKind::Lan, RouteKind::Server], "Ann"));
        assert!(people.is_over_server(id(1)), "the call may be at either device");
        people.set_presence(id(1), by([RouteKind::Lan], "Ann"));
        assert!(!people.is_over_server(id(1)) && !people.is_over_server(echo_id()));
    }

    #[test]
    fn a_blocked_stranger_stays_in_the_list_when_they_are_gone() {
        let mut people = People::new(id(200));
        people.set_contacts(Vec::new(), vec![id(4)]);
        let list = people.list();
        assert_eq!((list[1].id, list[1].kind, list[1].blocked), (id(4), PersonKind::Blocked, true));
        people.set_presence(id(4), by([RouteKind::Lan], "Dan"));
        assert_eq!(
            people.list().iter().map(|person| person.kind).collect::<Vec<_>>(),
            [PersonKind::Echo, PersonKind::Nearby]
        );
    }

    #[test]
    fn a_hostile_network_cannot_fill_the_list() {
        let mut people = People::new(id(200));
        for number in 0..100_000_u32 {
            let mut key = [0; 32];
            key[..4].copy_from_slice(&number.to_le_bytes());
            people.set_presence(PeerId::from_bytes(key), by([RouteKind::Lan], "x"));
        }
        assert_eq!(people.list().len(), MAX_NEARBY + 1);
    }

    #[test]
    fn a_person_without_a_name_is_shown_by_a_piece_of_their_id() {
        assert_eq!(People::new(id(200)).name_of(id(3), Some("")), id(3).short());
    }

    #[test]
    fn a_stranger_with_a_contacts_name_is_told_apart() {
        let contact = |number, name: &str, given_name: &str| Contact {
            id: id(number),
            name: name.into(),
            given_name: given_name.into(),
            blocked: false,
            added_at_unix_s: 0,
            verified_by: None,
            favourite: false,
            volume: Volume::default(),
        };
        let mut people = People::new(id(200));
        people.set_contacts(vec![contact(1, "Ann", ""), contact(2, "Robert", "Bob"), contact(3, "", "")], Vec::new());
        for (stranger, said, previous) in [
            (9, "Ann", Some(1)),
            (9, "ANN ", Some(1)),
            (9, "bob", Some(2)),
            (9, "Robert", Some(2)),
            (9, "Anna", None),
            (9, "", None),
            (2, "Ann", None),
        ] {
            assert_eq!(people.namesake(id(stranger), said), previous.map(id), "{said}");
        }
    }

    fn contacts(named: &[(u8, &str, bool)]) -> People {
        let contact = |&(number, name, favourite): &(u8, &str, bool)| Contact {
            id: id(number),
            name: name.into(),
            given_name: String::new(),
            blocked: false,
            added_at_unix_s: 0,
            verified_by: None,
            favourite,
            volume: Volume::default(),
        };
        let mut people = People::new(id(200));
        people.set_contacts(named.iter().map(contact).collect(), Vec::new());
        people
    }

    fn names(people: &People) -> Vec<String> {
        people.list().into_iter().skip(1).map(|person| person.name).collect()
    }

    #[test]
    fn favourites_come_first_then_whoever_is_online_then_the_names_as_a_dictionary_has_them() {
        let named = [(1, "Zoe", true), (2, "Łukasz", false), (3, "Müller", false), (4, "Mua", false), (5, "王", false)];
        let mut people = contacts(&named);
        assert_eq!(names(&people), ["Zoe", "Łukasz", "Mua", "Müller", "王"]);
        people.set_presence(id(5), by([RouteKind::Lan], "王"));
        assert_eq!(names(&people), ["Zoe", "王", "Łukasz", "Mua", "Müller"]);
    }

    #[test]
    fn contacts_of_one_name_are_marked_and_no_others() {
        let people = contacts(&[(1, "Bob", false), (2, "bob", false), (3, "Ann", false)]);
        let marked: Vec<_> = people.list().iter().filter(|person| person.shares_name).map(|person| person.id).collect();
        assert_eq!(marked, [id(1), id(2)]);
    }

    #[test]
    fn whoever_has_gone_keeps_the_last_name() {
        let mut people = People::new(id(200));
        people.set_presence(id(1), by([RouteKind::Lan], "Bob"));
        people.set_presence(id(1), by([], ""));
        assert_eq!(
            (people.name_of(id(1), None), people.name_of(id(1), Some("Robert"))),
            ("Bob".into(), "Robert".into())
        );
        people.set_presence(id(1), by([RouteKind::Lan], "Rob"));
        assert_eq!(people.name_of(id(1), None), "Rob");
    }

    #[test]
    fn a_hostile_network_cannot_fill_the_memory_of_names() {
        let mut names = RememberedNames::default();
        for number in 0..10_000_u32 {
            let mut key = [0; 32];
            key[..4].copy_from_slice(&number.to_le_bytes());
            names.put(PeerId::from_bytes(key), format!("Person {number}"));
            names.put(id(9), format!("Ann {number}"));
        }
        assert_eq!((names.names.len(), names.order.len()), (NAMES_REMEMBERED, NAMES_REMEMBERED));
        assert_eq!(names.names.get(&id(9)).map(String::as_str), Some("Ann 9999"));
    }

    #[test]
    fn whoever_is_reached_by_two_routes_is_one_person_shown_by_the_best() {
        let mut people = People::new(id(200));
        let (lan, server) = (RouteKind::Lan, RouteKind::Server);
        for (routes, best) in [(vec![server], server), (vec![server, lan], lan), (vec![lan], lan)] {
            assert!(people.set_presence(id(1), by(routes, "Ann")));
            assert_eq!((people.list().len(), people.list()[1].route), (2, Some(best)));
        }
    }

    #[test]
    fn whoever_needs_another_version_is_shown_as_such_and_cannot_be_rung() {
        let mut people = People::new(id(200));
        for skew in [VersionSkew::FarIsOlder, VersionSkew::OwnIsOlder] {
            let presence = Presence { skew: Some(skew), ..by([RouteKind::Lan], "Ann") };
            assert!(people.set_presence(id(1), presence));
            let person = people.list().remove(1);
            assert_eq!((person.online, person.route, person.needs_newer), (false, None, Some(skew)));
            assert_eq!(person.name, "Ann", "they are there");
            let Event::Contact { online, needs_newer, .. } = people.event(id(1)) else { panic!("no contact") };
            assert_eq!((online, needs_newer), (false, Some(skew)));
        }
        assert!(people.set_presence(id(1), by([RouteKind::Lan], "Ann")));
        assert_eq!((people.skew(id(1)), people.list()[1].online), (None, true));
    }
}
