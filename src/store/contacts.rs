//! The contact list, and the list of people from whom everything is refused (contacts or not).

use rusqlite::{OptionalExtension, Row, params};

use crate::identity::{PeerId, display_name};
use crate::media::Volume;

use super::{Store, StoreError};

/// Somebody in the contact list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contact {
    /// Their public ID.
    pub id: PeerId,
    /// The name that they chose.
    pub name: String,
    /// The name given to them here; empty when none is.
    pub given_name: String,
    /// Everything from them is refused.
    pub blocked: bool,
    /// When they were added, in seconds since 1970 (UTC).
    pub added_at_unix_s: i64,
    /// The identity of this side under which their safety number was compared, if it was. The number is of both keys,
    /// so the mark does not hold for another identity.
    pub verified_by: Option<PeerId>,
    /// Listed before the others.
    pub favourite: bool,
    /// Volume at which they are heard in calls.
    pub volume: Volume,
}

impl Contact {
    /// The name to show: the given one, else the chosen one.
    pub fn shown_name(&self) -> &str {
        if self.given_name.is_empty() { &self.name } else { &self.given_name }
    }
}

const SELECT: &str = "SELECT contacts.peer, name, given_name, blocked.peer IS NOT NULL, added_at_unix_s, verified_by,
     favourite, volume_percent FROM contacts LEFT JOIN blocked ON blocked.peer = contacts.peer";

fn contact(row: &Row<'_>) -> rusqlite::Result<Contact> {
    Ok(Contact {
        id: PeerId::from_bytes(row.get(0)?),
        // An older version may have kept more of it.
        name: display_name(row.get_ref(1)?.as_str()?),
        given_name: display_name(row.get_ref(2)?.as_str()?),
        blocked: row.get(3)?,
        added_at_unix_s: row.get(4)?,
        verified_by: row.get::<_, Option<[u8; 32]>>(5)?.map(PeerId::from_bytes),
        favourite: row.get(6)?,
        volume: Volume::from_percent(row.get(7)?),
    })
}

impl Store {
    /// Every contact, by the shown name without regard to case.
    pub fn contacts(&self) -> Result<Vec<Contact>, StoreError> {
        let mut contacts =
            self.connection.prepare_cached(SELECT)?.query_map([], contact)?.collect::<Result<Vec<_>, _>>()?;
        contacts.sort_by_cached_key(|contact| (contact.shown_name().to_lowercase(), contact.id));
        Ok(contacts)
    }

    /// One contact.
    pub fn contact(&self, id: PeerId) -> Result<Option<Contact>, StoreError> {
        let query = format!("{SELECT} WHERE contacts.peer = ?1");
        Ok(self.connection.prepare_cached(&query)?.query_row(params![id.as_bytes()], contact).optional()?)
    }

    /// Adds a contact; of one who is there already, only the chosen name changes (unless it is empty). True when new.
    pub fn add_contact(&self, id: PeerId, name: &str, now_unix_s: i64) -> Result<bool, StoreError> {
        let added = self.connection.execute(
            "INSERT INTO contacts (peer, name, added_at_unix_s) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING",
            params![id.as_bytes(), name, now_unix_s],
        )?;
        if added == 0 && !name.is_empty() {
            self.set_chosen_name(id, name)?;
        }
        Ok(added > 0)
    }

    /// Notes the name that a contact calls themself now. True when it is another one than before.
    pub fn set_chosen_name(&self, id: PeerId, name: &str) -> Result<bool, StoreError> {
        let changed = self
            .connection
            .execute("UPDATE contacts SET name = ?2 WHERE peer = ?1 AND name <> ?2", params![id.as_bytes(), name])?;
        Ok(changed > 0)
    }

    /// Gives a contact a name, here only; an empty one goes back to the chosen one. False when they are no contact.
    pub fn rename_contact(&self, id: PeerId, given_name: &str) -> Result<bool, StoreError> {
        let changed = self
            .connection
            .execute("UPDATE contacts SET given_name = ?2 WHERE peer = ?1", params![id.as_bytes(), given_name])?;
        Ok(changed > 0)
    }

    /// Notes that the safety number of a contact was compared under the identity `by`, or takes that back. False when
    /// they are no contact.
    pub fn set_verified(&self, id: PeerId, by: Option<PeerId>) -> Result<bool, StoreError> {
        let by = by.as_ref().map(PeerId::as_bytes);
        let changed = self
            .connection
            .execute("UPDATE contacts SET verified_by = ?2 WHERE peer = ?1", params![id.as_bytes(), by])?;
        Ok(changed > 0)
    }

    /// Lists a contact before the others, or no longer. False when they are no contact.
    pub fn set_favourite(&self, id: PeerId, on: bool) -> Result<bool, StoreError> {
        let changed = self
            .connection
            .execute("UPDATE contacts SET favourite = ?2 WHERE peer = ?1", params![id.as_bytes(), on])?;
        Ok(changed > 0)
    }

    /// Keeps the volume at which a contact is heard. False when they are no contact.
    pub fn set_volume(&self, id: PeerId, volume: Volume) -> Result<bool, StoreError> {
        let changed = self.connection.execute(
            "UPDATE contacts SET volume_percent = ?2 WHERE peer = ?1",
            params![id.as_bytes(), volume.percent()],
        )?;
        Ok(changed > 0)
    }

    /// Forgets a contact, with their picture and the mark that they were verified; a block stays. False when they are
    /// no contact.
    pub fn remove_contact(&self, id: PeerId) -> Result<bool, StoreError> {
        self.connection.execute("DELETE FROM pictures WHERE peer = ?1", params![id.as_bytes()])?;
        Ok(self.connection.execute("DELETE FROM contacts WHERE peer = ?1", params![id.as_bytes()])? > 0)
    }

    /// Refuses, or no longer refuses, everything from a person, contact or not.
    pub fn set_blocked(&self, id: PeerId, on: bool) -> Result<(), StoreError> {
        let statement = if on {
            "INSERT INTO blocked (peer) VALUES (?1) ON CONFLICT DO NOTHING"
        } else {
            "DELETE FROM blocked WHERE peer = ?1"
        };
        self.connection.execute(statement, params![id.as_bytes()])?;
        Ok(())
    }

    /// Everybody who is blocked.
    pub fn blocked(&self) -> Result<Vec<PeerId>, StoreError> {
        let mut statement = self.connection.prepare_cached("SELECT peer FROM blocked ORDER BY peer")?;
        let blocked = statement.query_map([], |row| row.get(0).map(PeerId::from_bytes))?;
        Ok(blocked.collect::<Result<_, _>>()?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(number: u8) -> PeerId {
        PeerId::from_bytes([number; 32])
    }

    fn shown(store: &Store) -> Vec<String> {
        store.contacts().unwrap().iter().map(|contact| contact.shown_name().to_owned()).collect()
    }

    #[test]
    fn contacts_are_sorted_by_the_shown_name_without_regard_to_case() {
        let store = Store::in_memory().unwrap();
        for (number, name) in [(1, "bob"), (2, "Ann"), (3, "Émile"), (4, "Zoe"), (5, "ÉLISE")] {
            assert!(store.add_contact(id(number), name, 100).unwrap());
        }
        store.rename_contact(id(4), "aaron").unwrap();
        assert_eq!(shown(&store), ["aaron", "Ann", "bob", "ÉLISE", "Émile"]);
        store.rename_contact(id(4), "").unwrap();
        assert!(shown(&store).contains(&"Zoe".to_owned()));
    }

    #[test]
    fn adding_again_keeps_the_given_name_and_the_date() {
        let store = Store::in_memory().unwrap();
        store.add_contact(id(1), "Robert", 100).unwrap();
        store.rename_contact(id(1), "Bob").unwrap();
        assert!(!store.add_contact(id(1), "Robert'); DROP TABLE contacts;--", 200).unwrap());
        assert!(!store.add_contact(id(1), "", 300).unwrap());
        let contact = store.contact(id(1)).unwrap().unwrap();
        assert_eq!(contact.name, "Robert'); DROP TABLE contacts;--");
        assert_eq!((contact.shown_name(), contact.added_at_unix_s), ("Bob", 100));
    }

    #[test]
    fn a_verified_mark_outlives_a_restart_and_goes_with_the_contact() {
        let dir = tempfile::tempdir().unwrap();
        let verified = |store: &Store| store.contact(id(1)).unwrap().unwrap().verified_by;
        {
            let store = Store::open(dir.path()).unwrap();
            assert!(!store.set_verified(id(1), Some(id(9))).unwrap(), "no contact");
            store.add_contact(id(1), "Ann", 100).unwrap();
            assert_eq!(verified(&store), None);
            assert!(store.set_verified(id(1), Some(id(9))).unwrap());
            store.add_contact(id(1), "Anna", 200).unwrap();
        }
        let store = Store::open(dir.path()).unwrap();
        assert_eq!(verified(&store), Some(id(9)));
        store.set_verified(id(1), None).unwrap();
        assert_eq!(verified(&store), None);
        store.set_verified(id(1), Some(id(9))).unwrap();
        store.remove_contact(id(1)).unwrap();
        store.add_contact(id(1), "Ann", 300).unwrap();
        assert_eq!(verified(&store), None, "added anew");
    }

    #[test]
    fn a_favourite_stays_one_over_a_restart_and_goes_with_the_contact() {
        let dir = tempfile::tempdir().unwrap();
        let favourite = |store: &Store| store.contact(id(1)).unwrap().unwrap().favourite;
        {
            let store = Store::open(dir.path()).unwrap();
            assert!(!store.set_favourite(id(1), true).unwrap(), "no contact");
            store.add_contact(id(1), "Ann", 100).unwrap();
            assert!(!favourite(&store));
            assert!(store.set_favourite(id(1), true).unwrap());
        }
        let store = Store::open(dir.path()).unwrap();
        assert!(favourite(&store));
        store.set_favourite(id(1), false).unwrap();
        assert!(!favourite(&store));
        store.set_favourite(id(1), true).unwrap();
        store.remove_contact(id(1)).unwrap();
        store.add_contact(id(1), "Ann", 300).unwrap();
        assert!(!favourite(&store), "added anew");
    }

    #[test]
    fn the_volume_of_a_contact_outlives_a_restart() {
        let dir = tempfile::tempdir().unwrap();
        let volume = |store: &Store| store.contact(id(1)).unwrap().unwrap().volume;
        {
            let store = Store::open(dir.path()).unwrap();
            assert!(!store.set_volume(id(1), Volume::SILENT).unwrap(), "no contact");
            store.add_contact(id(1), "Ann", 100).unwrap();
            assert_eq!(volume(&store), Volume::default());
            assert!(store.set_volume(id(1), Volume::from_percent(140)).unwrap());
        }
        assert_eq!(volume(&Store::open(dir.path()).unwrap()), Volume::from_percent(140));
    }

    #[test]
    fn names_that_cannot_be_seen_are_none_however_they_were_kept() {
        let store = Store::in_memory().unwrap();
        store.add_contact(id(1), "\u{3164}", 100).unwrap();
        store.add_contact(id(2), "Ann\u{200b}", 100).unwrap();
        store.rename_contact(id(2), "\u{2800}").unwrap();
        assert_eq!(shown(&store), ["", "Ann"]);
    }

    #[test]
    fn a_block_outlives_the_contact_and_a_restart() {
        let dir = tempfile::tempdir().unwrap();
        {
            let store = Store::open(dir.path()).unwrap();
            store.add_contact(id(1), "Mallory", 100).unwrap();
            store.set_blocked(id(1), true).unwrap();
            store.set_blocked(id(1), true).unwrap();
            store.set_blocked(id(2), true).unwrap();
            store.set_blocked(id(2), false).unwrap();
            assert!(store.contact(id(1)).unwrap().unwrap().blocked);
            assert!(store.remove_contact(id(1)).unwrap());
            assert!(!store.remove_contact(id(1)).unwrap());
        }
        let store = Store::open(dir.path()).unwrap();
        assert_eq!(store.blocked().unwrap(), [id(1)]);
        assert_eq!(store.contact(id(1)).unwrap(), None);
        assert!(!store.rename_contact(id(1), "M").unwrap());
    }
}
