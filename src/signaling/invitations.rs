//! Invitations: tokens that this side gave out with links, people who came with one, and tokens that others gave this
//! side. Pure; a token is worth something only from a sender who is proven: in a handshake, or with an invite within a
//! session.

use std::collections::{HashMap, HashSet};

use crate::identity::{InvitationToken, PeerId};

#[derive(Debug, Default)]
pub(super) struct Invitations {
    given: HashSet<InvitationToken>,
    /// The first to come with each token.
    guests: HashMap<PeerId, InvitationToken>,
    held: HashMap<PeerId, InvitationToken>,
}

impl Invitations {
    /// These tokens are good, and no others; those of others are `held`.
    pub(super) fn set(&mut self, given: HashSet<InvitationToken>, held: HashMap<PeerId, InvitationToken>) {
        self.guests.retain(|_, token| given.contains(token));
        (self.given, self.held) = (given, held);
    }

    /// The token to show to somebody.
    pub(super) fn held(&self, to: &PeerId) -> Option<InvitationToken> {
        self.held.get(to).copied()
    }

    /// Whether somebody who shows this token may ring.
    pub(super) fn is_good(&self, from: &PeerId, token: InvitationToken) -> bool {
        let is_taken = |(guest, taken): (&PeerId, &InvitationToken)| *taken == token && guest != from;
        self.given.contains(&token) && !self.guests.iter().any(is_taken)
    }

    /// Somebody has proven their key, and shows this token.
    pub(super) fn admit(&mut self, from: PeerId, token: InvitationToken) {
        if self.is_good(&from, token) {
            self.guests.insert(from, token);
        }
    }

    /// The token with which somebody came.
    pub(super) fn of_guest(&self, id: &PeerId) -> Option<InvitationToken> {
        self.guests.get(id).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_admits_the_first_who_comes_with_it_until_it_is_used() {
        let [ann, bob] = [[1; 32], [2; 32]].map(PeerId::from_bytes);
        let [one, other] = [[1; 16], [2; 16]].map(InvitationToken::from_bytes);
        let mut invitations = Invitations::default();
        invitations.admit(ann, one);
        assert_eq!(invitations.of_guest(&ann), None, "this side gave none out");
        invitations.set(HashSet::from([one]), HashMap::from([(bob, other)]));
        assert_eq!((invitations.held(&bob), invitations.held(&ann)), (Some(other), None));
        assert!(invitations.is_good(&bob, one));
        invitations.admit(ann, one);
        invitations.admit(bob, one);
        invitations.admit(bob, other);
        assert_eq!((invitations.of_guest(&ann), invitations.of_guest(&bob)), (Some(one), None));
        assert!(invitations.is_good(&ann, one) && !invitations.is_good(&bob, one));
        invitations.set(HashSet::new(), HashMap::new());
        assert!(invitations.of_guest(&ann).is_none() && !invitations.is_good(&ann, one));
    }
}
