//! Calls of this side that did not reach their person: the latest of each contact, until it is told or forgotten.

use rusqlite::{OptionalExtension, params};

use crate::identity::PeerId;

use super::{Store, StoreError};

/// Seconds after which nobody is told any more.
pub const UNDELIVERED_KEPT_S: i64 = 7 * 24 * 3600;

impl Store {
    /// Notes that a call at `at_unix_s` did not reach a contact, in place of an earlier one; of anybody else nothing is
    /// noted. Calls of more than a week before are forgotten.
    pub fn note_undelivered(&self, peer: PeerId, at_unix_s: i64) -> Result<(), StoreError> {
        self.connection
            .execute("DELETE FROM undelivered_calls WHERE at_unix_s < ?1", params![at_unix_s - UNDELIVERED_KEPT_S])?;
        self.connection.execute(
            "INSERT INTO undelivered_calls (peer, at_unix_s) SELECT peer, ?2 FROM contacts WHERE peer = ?1
             ON CONFLICT (peer) DO UPDATE SET at_unix_s = max(at_unix_s, excluded.at_unix_s)",
            params![peer.as_bytes(), at_unix_s],
        )?;
        Ok(())
    }

    /// Takes out the time of the call that did not reach somebody, if there is one of the week before `now_unix_s`.
    pub fn take_undelivered(&self, peer: PeerId, now_unix_s: i64) -> Result<Option<i64>, StoreError> {
        let at: Option<i64> = self
            .connection
            .query_row(
                "DELETE FROM undelivered_calls WHERE peer = ?1 RETURNING at_unix_s",
                params![peer.as_bytes()],
                |row| row.get(0),
            )
            .optional()?;
        Ok(at.filter(|at| (0..=UNDELIVERED_KEPT_S).contains(&(now_unix_s - at))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(number: u8) -> PeerId {
        PeerId::from_bytes([number; 32])
    }

    #[test]
    fn the_latest_call_to_a_contact_is_told_once_and_only_within_a_week() {
        let store = Store::in_memory().unwrap();
        for number in 1..=3 {
            store.add_contact(id(number), "Ann", 100).unwrap();
        }
        store.note_undelivered(id(1), 1000).unwrap();
        store.note_undelivered(id(1), 2000).unwrap();
        store.note_undelivered(id(1), 1500).unwrap();
        store.note_undelivered(id(2), 2000).unwrap();
        store.note_undelivered(id(9), 2000).unwrap();
        assert_eq!(store.take_undelivered(id(1), 3000).unwrap(), Some(2000));
        assert_eq!(store.take_undelivered(id(1), 3000).unwrap(), None, "once");
        assert_eq!(store.take_undelivered(id(9), 3000).unwrap(), None, "no contact");
        assert_eq!(store.take_undelivered(id(2), 2001 + UNDELIVERED_KEPT_S).unwrap(), None, "too late");
        store.note_undelivered(id(2), 1000).unwrap();
        store.note_undelivered(id(3), 1001 + UNDELIVERED_KEPT_S).unwrap();
        assert_eq!(store.take_undelivered(id(2), 1000).unwrap(), None, "forgotten");
        assert_eq!(store.take_undelivered(id(3), 0).unwrap(), None, "a clock that was set back");
    }
}
