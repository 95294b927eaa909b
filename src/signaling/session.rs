//! Session of two people who have proven their keys: their messages as records in order. Pure; a route carries the
//! records. A record that does not open ends the session: it is repeated, altered or of another session, and so is, or
//! cannot be read, every later one.

use super::frame::{Frame, NoFrame};
use super::route::Incoming;
use crate::identity::{EnvelopeError, Opener, Sealer, display_name};

/// Frames refused in one session before it ends.
const MAX_REFUSED: u32 = 16;

/// Why a handshake fails or a session ends. For the log.
#[derive(Debug, thiserror::Error)]
pub(super) enum SessionError {
    #[error("envelope: {0}")]
    Envelope(#[from] EnvelopeError),
    #[error("the frame is not one that belongs here")]
    Frame,
    #[error("it is not the person it should be")]
    WrongPerson,
    #[error("too many frames that do not belong here")]
    Flood,
}

/// Both directions of a session.
pub(super) struct Session {
    sealer: Sealer,
    opener: Opener,
    refused: u32,
}

impl Session {
    pub(super) const fn new(sealer: Sealer, opener: Opener) -> Self {
        Self { sealer, opener, refused: 0 }
    }

    /// The record of a frame.
    pub(super) fn seal(&mut self, frame: &[u8]) -> Result<Vec<u8>, SessionError> {
        Ok(self.sealer.seal(frame)?)
    }

    /// Content of the next record; `None` where there is none for this version.
    pub(super) fn open(&mut self, record: &[u8]) -> Result<Option<Incoming>, SessionError> {
        match Frame::decode(&self.opener.open(record)?) {
            Ok(Frame::Message { number, message, token }) => {
                let token = token.and_then(|token| token.parse().ok());
                Ok(Some(Incoming::Message { number, message: Some(message.checked()), token }))
            }
            Ok(Frame::Ack { number }) => Ok(Some(Incoming::Ack { number })),
            Ok(Frame::Name { name }) => Ok(Some(Incoming::Name(display_name(&name)))),
            // Sealed by whom it should be: a later version's, not an attack.
            Err(NoFrame::UnknownMessage { number }) => {
                Ok(Some(Incoming::Message { number, message: None, token: None }))
            }
            Err(NoFrame::UnknownKind) => Ok(None),
            Ok(Frame::Hello(_) | Frame::Confirm { .. }) | Err(NoFrame::Malformed | NoFrame::Garbage) => self.refuse(),
        }
    }

    /// Passes over a bad frame: one may be another version's; many are an attack.
    fn refuse(&mut self) -> Result<Option<Incoming>, SessionError> {
        self.refused += 1;
        tracing::debug!(refused = self.refused, "a signaling frame was refused");
        if self.refused < MAX_REFUSED { Ok(None) } else { Err(SessionError::Flood) }
    }
}
