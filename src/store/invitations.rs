//! Tokens of invitation links: those that this side gave out and nobody has used, and those that contacts gave it.

use std::collections::{HashMap, HashSet};

use rusqlite::params;

use crate::identity::{InvitationToken, PeerId};

use super::{Store, StoreError};

/// Seconds for which an invitation is good.
pub const INVITATION_GOOD_S: i64 = 30 * 24 * 3600;
/// Invitations that are good at a time; the oldest gives way.
const MAX_GIVEN: i64 = 20;

impl Store {
    /// Keeps a token that is given out now.
    pub fn give_invitation(&self, token: InvitationToken, now_unix_s: i64) -> Result<(), StoreError> {
        let insert = "INSERT INTO given_invitations (token, at_unix_s) VALUES (?1, ?2)";
        self.connection.execute(insert, params![token.as_bytes(), now_unix_s])?;
        self.connection.execute(
            "DELETE FROM given_invitations WHERE rowid NOT IN
             (SELECT rowid FROM given_invitations ORDER BY rowid DESC LIMIT ?1)",
            params![MAX_GIVEN],
        )?;
        Ok(())
    }

    /// Forgets a token that was used.
    pub fn use_invitation(&self, token: InvitationToken) -> Result<(), StoreError> {
        self.connection.execute("DELETE FROM given_invitations WHERE token = ?1", params![token.as_bytes()])?;
        Ok(())
    }

    /// Keeps the token of a contact's link, in place of an earlier one.
    pub fn hold_invitation(&self, of: PeerId, token: InvitationToken, now_unix_s: i64) -> Result<(), StoreError> {
        self.connection.execute(
            "INSERT OR REPLACE INTO held_invitations (peer, token, at_unix_s) VALUES (?1, ?2, ?3)",
            params![of.as_bytes(), token.as_bytes(), now_unix_s],
        )?;
        Ok(())
    }

    /// The tokens that are good: those that were given out, and those of contacts. Late ones are forgotten.
    pub fn invitations(
        &self,
        now_unix_s: i64,
    ) -> Result<(HashSet<InvitationToken>, HashMap<PeerId, InvitationToken>), StoreError> {
        for table in ["given_invitations", "held_invitations"] {
            let late = format!("DELETE FROM {table} WHERE at_unix_s < ?1");
            self.connection.execute(&late, params![now_unix_s - INVITATION_GOOD_S])?;
        }
        let mut given = self.connection.prepare_cached("SELECT token FROM given_invitations")?;
        let given = given.query_map([], |row| row.get(0).map(InvitationToken::from_bytes))?;
        let mut held = self
            .connection
            .prepare_cached("SELECT held_invitations.peer, token FROM held_invitations JOIN contacts USING (peer)")?;
        let held =
            held.query_map([], |row| Ok((PeerId::from_bytes(row.get(0)?), InvitationToken::from_bytes(row.get(1)?))))?;
        Ok((given.collect::<Result<_, _>>()?, held.collect::<Result<_, _>>()?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(number: u8) -> InvitationToken {
        InvitationToken::from_bytes([number; 16])
    }

    #[test]
    fn invitations_are_few_good_for_a_month_and_forgotten_once_used() {
        let store = Store::in_memory().unwrap();
        for number in 0..30 {
            store.give_invitation(token(number), 1000 + i64::from(number)).unwrap();
        }
        let given = |now| store.invitations(now).unwrap().0;
        assert_eq!(given(2000), (10..30).map(token).collect::<HashSet<_>>());
        store.use_invitation(token(29)).unwrap();
        assert!(!given(2000).contains(&token(29)));
        assert_eq!(given(1012 + INVITATION_GOOD_S).len(), 17);
    }

    #[test]
    fn the_token_of_a_contact_is_held_while_they_are_one() {
        let store = Store::in_memory().unwrap();
        let [ann, bob] = [[1; 32], [2; 32]].map(PeerId::from_bytes);
        store.add_contact(ann, "Ann", 1).unwrap();
        store.hold_invitation(ann, token(1), 1000).unwrap();
        store.hold_invitation(ann, token(2), 1000).unwrap();
        store.hold_invitation(bob, token(3), 1000).unwrap();
        assert_eq!(store.invitations(2000).unwrap().1, HashMap::from([(ann, token(2))]));
        store.remove_contact(ann).unwrap();
        assert!(store.invitations(2000).unwrap().1.is_empty());
    }
}
