//! Directory: this person's identity, and everybody who can be called: contacts in the store, people on the network,
//! and Echo.

use std::collections::{HashMap, HashSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::call::{CallError, Standing};
use crate::identity::{
    ContactLink, Identity, InvitationToken, PeerId, PictureError, ProfilePicture, ServerLink, display_name,
    read_contact_picture,
};
use crate::media::{MediaTime, Volume};
use crate::store::{Contact, Store, StoreError};

use super::lanes::SystemSender;
use super::people::{People, Presence, echo_id};
use super::pictures::Pictures;
use super::system_event::SystemEvent;
use super::{Event, NoticeKind, Person, VersionSkew};

/// Identity, contacts and presence.
pub(super) struct Directory {
    identity: Arc<Identity>,
    /// The latest link whose holder may ring once.
    invitation: Option<(InvitationToken, String)>,
    people: People,
    pictures: Pictures,
    /// A thread reads a picture file.
    reading_picture: bool,
    system: SystemSender,
    /// When contacts have told of a missed call last.
    missed_calls: HashMap<PeerId, MediaTime>,
    /// Volumes of people who are no contacts, for this run; only a press in a call with one adds them.
    volumes: HashMap<PeerId, Volume>,
}

/// Between two missed calls that one contact tells of.
const BETWEEN_MISSED_CALLS: Duration = Duration::from_secs(60);

/// Reason why the directory stays as it is.
#[derive(Debug)]
pub(super) enum Refusal {
    /// The text holds no link and no ID.
    NoLink,
    /// The link is this person's own, or Echo's.
    OwnLink,
    /// The picture shows no contact.
    BadPicture(PictureError),
    /// Another picture is being read.
    PictureInTurn,
    /// No thread reads the picture.
    NoThread,
    /// The person is no contact.
    NoContact,
    /// Nobody blocks themselves or Echo.
    NotToBlock,
    /// The store failed.
    Store(StoreError),
}

impl Refusal {
    /// The note at the window's edge, where nothing else there tells the reason.
    pub(super) fn notice(&self) -> Option<NoticeKind> {
        match self {
            Self::NoLink => Some(NoticeKind::BadLink),
            Self::OwnLink => Some(NoticeKind::OwnLink),
            Self::BadPicture(error) => Some(NoticeKind::BadPicture(error.clone())),
            Self::Store(error) => Some(NoticeKind::Store(error.into())),
            Self::PictureInTurn | Self::NoThread | Self::NoContact | Self::NotToBlock => None,
        }
    }
}

impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Self {
        tracing::warn!("the store: {error:?}");
        Self::Store(error)
    }
}

impl From<Refusal> for CallError {
    fn from(refusal: Refusal) -> Self {
        Self::BadArgument(match refusal {
            Refusal::NoLink => "There is no Visavis link or ID in this; ask for it again and copy it whole.".to_owned(),
            Refusal::OwnLink => "This is your own link; give it to others.".to_owned(),
            Refusal::BadPicture(error) => error.to_string(),
            Refusal::PictureInTurn => "Another picture is still being read; try again.".to_owned(),
            Refusal::NoThread => "The picture could not be read; try again.".to_owned(),
            Refusal::NoContact => "This person is not among your contacts.".to_owned(),
            Refusal::NotToBlock => "This contact cannot be blocked.".to_owned(),
            Refusal::Store(error) => error.to_string(),
        })
    }
}

impl Directory {
    /// With the contacts of `store`.
    pub(super) fn new(identity: Arc<Identity>, store: &Store, system: SystemSender) -> Result<Self, StoreError> {
        let mut people = People::new(identity.id());
        people.set_contacts(store.contacts()?, store.blocked()?);
        // Oldest first: of somebody who has changed their name the latest is known.
        store.history()?.into_iter().rev().for_each(|kept| people.remember_name(kept.record.peer, kept.record.name));
        Ok(Self {
            identity,
            invitation: None,
            people,
            pictures: Pictures::new(store)?,
            reading_picture: false,
            system,
            missed_calls: HashMap::new(),
            volumes: HashMap::new(),
        })
    }

    /// This person's identity.
    pub(super) const fn identity(&self) -> &Arc<Identity> {
        &self.identity
    }

    /// This person's ID.
    pub(super) fn me(&self) -> PeerId {
        self.identity.id()
    }

    /// This person's `visavis:` link, under the name that others see, with the server over which others may reach them.
    pub(super) fn own_link(&self, name: &str, server: Option<&ServerLink>) -> ContactLink {
        ContactLink::new(self.me(), name).with_server(server.cloned())
    }

    /// Makes the link whose holder may ring once, with this token; it is offered until it is used.
    pub(super) fn invite_by_link(&mut self, token: InvitationToken, name: &str, server: Option<&ServerLink>) -> String {
        let link = self.own_link(name, server).with_token(Some(token)).to_string();
        self.invitation = Some((token, link.clone()));
        link
    }

    /// The latest link whose holder may ring once.
    pub(super) fn invitation(&self) -> Option<&str> {
        self.invitation.as_ref().map(|(_, link)| link.as_str())
    }

    /// The link with this token is used, and not offered any more.
    pub(super) fn forget_invitation(&mut self, token: InvitationToken) {
        self.invitation.take_if(|(latest, _)| *latest == token);
    }

    /// The name to show, see [`People::name_of`].
    pub(super) fn name_of(&self, id: PeerId, said: Option<&str>) -> String {
        self.people.name_of(id, said)
    }

    /// The contact whose name somebody with another key goes by, see [`People::namesake`].
    pub(super) fn namesake(&self, id: PeerId, said: &str) -> Option<PeerId> {
        self.people.namesake(id, said)
    }

    /// A `contact` event for one person whom a command named, with the safety number of a contact.
    pub(super) fn event(&self, id: PeerId) -> Event {
        self.with_picture(self.people.event_with_number(id))
    }

    /// A `contact` event for one person whose state has changed.
    pub(super) fn state_event(&self, id: PeerId) -> Event {
        self.with_picture(self.people.event(id))
    }

    /// A `contact` event for the contact that is asked for.
    pub(super) fn contact_event(&self, id: PeerId) -> Result<Event, Refusal> {
        if self.people.is_contact(id) { Ok(self.event(id)) } else { Err(Refusal::NoContact) }
    }

    /// A `contact` event for everybody in the contact list.
    pub(super) fn contact_events(&self) -> Vec<Event> {
        self.people.contact_events().map(|event| self.with_picture(event)).collect()
    }

    /// Everybody, as the window lists them.
    pub(super) fn list(&self) -> Vec<Person> {
        let mut people = self.people.list();
        let shown = people.iter_mut().filter(|person| !person.blocked);
        shown.for_each(|person| person.picture = self.pictures.of(person.id).cloned());
        people
    }

    fn with_picture(&self, mut event: Event) -> Event {
        if let Event::Contact { id, picture, .. } = &mut event {
            *picture = !self.people.is_blocked(*id) && self.pictures.of(*id).is_some();
        }
        event
    }

    /// Profile pictures.
    pub(super) const fn pictures(&self) -> &Pictures {
        &self.pictures
    }

    /// Profile pictures, for a change of one's own or an answer.
    pub(super) const fn pictures_mut(&mut self) -> &mut Pictures {
        &mut self.pictures
    }

    /// True for a person who can be rung now.
    pub(super) fn is_online(&self, id: PeerId) -> bool {
        self.people.is_online(id)
    }

    /// Contacts who can be rung now.
    pub(super) fn contacts_online(&self) -> Vec<PeerId> {
        self.people.contacts().into_iter().filter(|id| self.people.is_online(*id)).collect()
    }

    /// Everybody from whom everything is refused.
    pub(super) const fn blocked(&self) -> &HashSet<PeerId> {
        self.people.blocked()
    }

    /// Everybody in the contact list who is not blocked.
    pub(super) fn contacts(&self) -> HashSet<PeerId> {
        self.people.contacts()
    }

    /// True for a person from whom everything is refused.
    pub(super) fn is_blocked(&self, id: PeerId) -> bool {
        self.people.is_blocked(id)
    }

    /// True for a person in the contact list.
    pub(super) fn is_contact(&self, id: PeerId) -> bool {
        self.people.is_contact(id)
    }

    /// Notes that a contact tells of a missed call; false where they tell too many.
    pub(super) fn takes_missed_call(&mut self, from: PeerId, now: MediaTime) -> bool {
        let is_taken = self.missed_calls.get(&from).is_none_or(|last| now.since(*last) >= BETWEEN_MISSED_CALLS);
        if is_taken {
            self.missed_calls.insert(from, now);
        }
        is_taken
    }

    /// True for a person who is not known to be reached without a server, see [`People::is_over_server`].
    pub(super) fn is_over_server(&self, id: PeerId) -> bool {
        self.people.is_over_server(id)
    }

    /// Standing of a person who rings, where strangers may or may not.
    pub(super) fn standing(&self, id: PeerId, strangers_may_ring: bool) -> Standing {
        if self.people.is_blocked(id) {
            Standing::Unwelcome
        } else if self.people.is_contact(id) {
            Standing::Contact
        } else if strangers_may_ring {
            Standing::Stranger
        } else {
            Standing::Unwelcome
        }
    }

    /// Notes that somebody has come, gone or changed their name; the event to tell, if that is new.
    pub(super) fn set_presence(&mut self, id: PeerId, presence: Presence) -> Option<Event> {
        self.people.set_presence(id, presence).then(|| self.state_event(id))
    }

    /// The side that needs a newer Visavis before the two can call each other, where the person is there.
    pub(super) fn skew(&self, id: PeerId) -> Option<VersionSkew> {
        self.people.skew(id)
    }

    /// Keeps the name that a contact announces, for when they are offline; true when it is another one than before.
    pub(super) fn keep_chosen_name(&mut self, store: &Store, id: PeerId, name: &str) -> bool {
        let is_new = |contact: &Contact| !name.is_empty() && contact.name != name;
        if !self.people.contact(id).is_some_and(is_new) {
            return false;
        }
        match store.set_chosen_name(id, name) {
            Ok(_) => self.reload(store),
            Err(error) => tracing::warn!("a contact's new name was not kept: {error}"),
        }
        true
    }

    /// Adds the contact that `link` names at `now` (in seconds since 1970); their ID.
    pub(super) fn add(&mut self, store: &Store, link: Option<ContactLink>, now: i64) -> Result<PeerId, Refusal> {
        let link = link.ok_or(Refusal::NoLink)?;
        if link.id == self.me() || link.id == echo_id() {
            return Err(Refusal::OwnLink);
        }
        store.add_contact(link.id, &link.name.unwrap_or_default(), now)?;
        if let Some(volume) = self.volumes.remove(&link.id) {
            store.set_volume(link.id, volume)?;
        }
        self.reload(store);
        Ok(link.id)
    }

    /// Renames a contact.
    pub(super) fn rename(&mut self, store: &Store, id: PeerId, name: &str) -> Result<(), Refusal> {
        let renamed = store.rename_contact(id, &display_name(name))?;
        self.changed(store, renamed)
    }

    /// Takes a contact out of the list.
    pub(super) fn remove(&mut self, store: &Store, id: PeerId) -> Result<(), Refusal> {
        let removed = store.remove_contact(id)?;
        self.pictures.forget(id);
        self.changed(store, removed)
    }

    /// Refuses everything from a person, or takes that back.
    pub(super) fn set_blocked(&mut self, store: &Store, id: PeerId, on: bool) -> Result<(), Refusal> {
        if id == echo_id() || id == self.me() {
            return Err(Refusal::NotToBlock);
        }
        store.set_blocked(id, on)?;
        self.changed(store, true)
    }

    /// Lists a contact before the others, or no longer.
    pub(super) fn set_favourite(&mut self, store: &Store, id: PeerId, on: bool) -> Result<(), Refusal> {
        let noted = store.set_favourite(id, on)?;
        self.changed(store, noted)
    }

    /// Notes that a contact's safety number was compared under this identity, or takes that back.
    pub(super) fn set_verified(&mut self, store: &Store, id: PeerId, on: bool) -> Result<(), Refusal> {
        let noted = store.set_verified(id, on.then(|| self.me()))?;
        self.changed(store, noted)
    }

    /// Volume at which somebody is heard in calls.
    pub(super) fn volume(&self, id: PeerId) -> Volume {
        let contact = self.people.contact(id).map(|contact| contact.volume);
        contact.or_else(|| self.volumes.get(&id).copied()).unwrap_or_default()
    }

    /// Keeps the volume at which somebody is heard: of a contact in the store, of a person in the call who is none for
    /// this run.
    pub(super) fn set_volume(
        &mut self,
        store: &Store,
        id: PeerId,
        volume: Volume,
        in_call: bool,
    ) -> Result<(), Refusal> {
        if in_call && self.people.contact(id).is_none() {
            self.volumes.insert(id, volume);
            return Ok(());
        }
        let kept = store.set_volume(id, volume)?;
        self.changed(store, kept)
    }

    fn changed(&mut self, store: &Store, changed: bool) -> Result<(), Refusal> {
        if !changed {
            return Err(Refusal::NoContact);
        }
        self.reload(store);
        Ok(())
    }

    /// Reads the contacts anew.
    fn reload(&mut self, store: &Store) {
        match store.contacts().and_then(|contacts| Ok((contacts, store.blocked()?))) {
            Ok((contacts, blocked)) => self.people.set_contacts(contacts, blocked),
            Err(error) => tracing::error!("the contacts could not be read: {error}"),
        }
    }

    /// Looks for a contact in a picture file.
    pub(super) fn read_picture(&mut self, path: PathBuf) -> Result<(), Refusal> {
        self.read_file(move || SystemEvent::ContactImage(read_contact_picture(&path)))
    }

    /// Cuts this person's profile picture from a picture file.
    pub(super) fn read_own_picture(&mut self, path: PathBuf) -> Result<(), Refusal> {
        self.read_file(move || SystemEvent::OwnPicture(ProfilePicture::of_file(&path)))
    }

    /// Reads a picture file on a thread of its own: a large picture takes some tenths of a second.
    fn read_file(&mut self, read: impl FnOnce() -> SystemEvent + Send + 'static) -> Result<(), Refusal> {
        if self.reading_picture {
            return Err(Refusal::PictureInTurn);
        }
        let system = self.system.clone();
        let read = move || system.send(read());
        match std::thread::Builder::new().name("picture".into()).spawn(read) {
            Ok(_) => {
                self.reading_picture = true;
                Ok(())
            }
            Err(error) => {
                tracing::warn!("no thread to read a picture on: {error}");
                Err(Refusal::NoThread)
            }
        }
    }

    /// A picture file has been read.
    pub(super) const fn on_picture_read(&mut self) {
        self.reading_picture = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::call::CallEnd;
    use crate::controller::lanes::Lanes;
    use crate::identity::safety_number;
    use crate::store::HistoryRecord;

    fn directory() -> (Directory, Store, tempfile::TempDir) {
        let folder = tempfile::tempdir().unwrap();
        let (identity, store) = (Identity::load_or_create(folder.path()).unwrap(), Store::open(folder.path()).unwrap());
        let directory = Directory::new(Arc::new(identity), &store, Lanes::new().0.parts.system).unwrap();
        (directory, store, folder)
    }

    #[test]
    fn strangers_ring_only_where_they_may_and_the_blocked_never() {
        let (mut directory, store, _folder) = directory();
        let id = PeerId::from_bytes([7; 32]);
        assert_eq!(directory.standing(id, true), Standing::Stranger);
        assert_eq!(directory.standing(id, false), Standing::Unwelcome);
        directory.add(&store, Some(ContactLink::new(id, "Ann")), 0).unwrap();
        assert_eq!(directory.standing(id, false), Standing::Contact);
        directory.set_blocked(&store, id, true).unwrap();
        assert_eq!(directory.standing(id, true), Standing::Unwelcome);
        assert!(directory.contacts().is_empty() && directory.blocked().contains(&id));
    }

    #[test]
    fn nobody_adds_or_blocks_themselves_and_only_contacts_are_renamed() {
        let (mut directory, store, _folder) = directory();
        let me = directory.me();
        let own = directory.add(&store, Some(ContactLink::new(me, "Me")), 0);
        assert!(matches!(own, Err(Refusal::OwnLink)));
        assert!(matches!(directory.add(&store, None, 0), Err(Refusal::NoLink)));
        assert!(matches!(directory.set_blocked(&store, echo_id(), true), Err(Refusal::NotToBlock)));
        assert!(matches!(directory.rename(&store, PeerId::from_bytes([8; 32]), "Bob"), Err(Refusal::NoContact)));
    }

    #[test]
    fn a_verified_mark_belongs_to_the_contact_and_to_this_identity() {
        let (mut directory, store, _folder) = directory();
        let id = PeerId::from_bytes([7; 32]);
        assert!(matches!(directory.set_verified(&store, id, true), Err(Refusal::NoContact)));
        assert!(matches!(directory.set_verified(&store, echo_id(), true), Err(Refusal::NoContact)));
        directory.add(&store, Some(ContactLink::new(id, "Ann")), 0).unwrap();
        let shown = |directory: &Directory| match directory.event(id) {
            Event::Contact { verified, safety_number, .. } => (verified, safety_number),
            event => panic!("{event:?}"),
        };
        let number = Some(safety_number(directory.me(), id));
        assert_eq!(shown(&directory), (false, number.clone()));
        directory.set_verified(&store, id, true).unwrap();
        assert_eq!(shown(&directory), (true, number.clone()));
        // Another identity in the same profile has another number, which nobody has compared.
        let other = Arc::new(Identity::from_seed([3; 32]));
        let moved = Directory::new(other, &store, Lanes::new().0.parts.system).unwrap();
        let (verified, other_number) = shown(&moved);
        assert!(!verified && other_number.is_some() && other_number != number);
        let without = |event: &Event| matches!(event, Event::Contact { safety_number: None, .. });
        assert!(moved.contact_events().iter().all(without), "a long list is told at once");
        assert!(moved.contact_event(id).is_ok_and(|event| !without(&event)));
        assert!(moved.contact_event(echo_id()).is_ok_and(|event| without(&event)));
        assert!(matches!(moved.contact_event(PeerId::from_bytes([8; 32])), Err(Refusal::NoContact)));
        directory.set_verified(&store, id, false).unwrap();
        assert_eq!(shown(&directory), (false, number));
    }

    #[test]
    fn a_volume_is_kept_for_contacts_and_remembered_of_strangers_in_a_call() {
        let (mut directory, store, _folder) = directory();
        let (id, loud) = (PeerId::from_bytes([7; 32]), Volume::from_percent(150));
        assert!(matches!(directory.set_volume(&store, id, loud, false), Err(Refusal::NoContact)));
        assert_eq!(directory.volume(id), Volume::default());
        directory.set_volume(&store, id, loud, true).unwrap();
        assert_eq!(directory.volume(id), loud, "of a stranger, for this run");
        directory.add(&store, Some(ContactLink::new(id, "Ann")), 0).unwrap();
        assert_eq!(store.contact(id).unwrap().unwrap().volume, loud, "it goes with them into the contact list");
        directory.set_volume(&store, id, Volume::SILENT, false).unwrap();
        assert_eq!(
            (directory.volume(id), store.contact(id).unwrap().unwrap().volume),
            (Volume::SILENT, Volume::SILENT)
        );
        directory.set_volume(&store, echo_id(), loud, true).unwrap();
        assert_eq!(directory.volume(echo_id()), loud);
    }

    #[test]
    fn an_announced_name_is_kept_once_and_of_contacts_alone() {
        let (mut directory, store, _folder) = directory();
        let id = PeerId::from_bytes([7; 32]);
        assert!(!directory.keep_chosen_name(&store, id, "Ann"), "a stranger");
        directory.add(&store, Some(ContactLink::new(id, "")), 0).unwrap();
        assert!(directory.keep_chosen_name(&store, id, "Ann"));
        assert!(!directory.keep_chosen_name(&store, id, "Ann") && !directory.keep_chosen_name(&store, id, ""));
        assert_eq!(directory.name_of(id, None), "Ann");
    }

    #[test]
    fn a_person_of_the_history_keeps_the_latest_name_over_a_restart() {
        let (directory, mut store, _folder) = directory();
        let id = PeerId::from_bytes([7; 32]);
        assert_eq!(directory.name_of(id, None), id.short());
        for (at_unix_s, name) in [(5, "Robert"), (9, "Bob"), (7, "Rob")] {
            let (name, ended) = (name.to_owned(), CallEnd::Missed);
            store
                .add_history(&HistoryRecord {
                    peer: id,
                    name,
                    outgoing: true,
                    at_unix_s,
                    duration_s: 0,
                    ended,
                    seen: true,
                    note: String::new(),
                })
                .unwrap();
        }
        let identity = Arc::clone(directory.identity());
        let again = Directory::new(identity, &store, Lanes::new().0.parts.system).unwrap();
        assert_eq!(again.name_of(id, None), "Bob");
    }

    #[test]
    fn only_contacts_are_favourites() {
        let (mut directory, store, _folder) = directory();
        let id = PeerId::from_bytes([7; 32]);
        assert!(matches!(directory.set_favourite(&store, id, true), Err(Refusal::NoContact)));
        directory.add(&store, Some(ContactLink::new(id, "Ann")), 0).unwrap();
        directory.set_favourite(&store, id, true).unwrap();
        assert!(directory.list().iter().any(|person| person.id == id && person.favourite));
    }
}
