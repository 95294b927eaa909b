//! Invitation links with a token: their holder may ring once, although strangers may not.

use crate::call::CallError;
use crate::identity::{InvitationToken, PeerId};
use crate::media::MediaTime;

use super::{Core, unix_seconds};
use crate::controller::Event;
use crate::controller::directory::Refusal;

impl Core {
    /// Makes a link whose holder may ring once.
    pub(super) fn create_invitation(&mut self) -> Result<(), CallError> {
        let token = InvitationToken::random().ok_or(CallError::InviteFailed)?;
        let given = self.store.give_invitation(token, unix_seconds(MediaTime::now()));
        given.map_err(|error| self.refused(Refusal::from(error)))?;
        let settings = self.preferences.settings();
        let link = self.directory.invite_by_link(token, &settings.display_name, settings.servers.first());
        self.follow_invitations();
        self.report(Event::Invitation { link });
        self.publisher.mark();
        Ok(())
    }

    /// Keeps the token of a contact's link, and shows it to them from now on.
    pub(super) fn hold_invitation(&self, of: PeerId, token: InvitationToken) -> Result<(), Refusal> {
        self.store.hold_invitation(of, token, unix_seconds(MediaTime::now()))?;
        self.follow_invitations();
        Ok(())
    }

    /// The holder of an invitation rings, where strangers may not: it is used.
    pub(super) fn use_invitation(&mut self, by: PeerId) {
        let Some(token) = self.signaling.invitation_of(&by) else { return };
        if self.preferences.settings().strangers_may_ring {
            return;
        }
        if let Err(error) = self.store.use_invitation(token) {
            tracing::warn!("a used invitation was not forgotten: {error}");
        }
        self.directory.forget_invitation(token);
        self.follow_invitations();
    }

    /// Tells signaling which tokens are good.
    pub(super) fn follow_invitations(&self) {
        match self.store.invitations(unix_seconds(MediaTime::now())) {
            Ok((given, held)) => self.signaling.set_invitations(given, held),
            Err(error) => tracing::warn!("the invitations could not be read: {error}"),
        }
    }
}
