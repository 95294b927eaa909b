//! The one message set, whatever the route. Invites carry no addresses and no descriptions: ringing reveals nothing.

use serde::{Deserialize, Serialize};

use super::{Candidate, ConversationId, Description, InviteId};

/// Bytes of user data that an invite can carry (UTF-8).
pub const MAX_USER_DATA: usize = 1024;

/// Bytes of a person's chosen name that are kept (UTF-8); the rest is cut off.
pub const MAX_NAME: usize = 128;

/// Lines of a picture that everybody wants, however small it is drawn: less saves little, and comes back too late.
pub const LEAST_LINES: u32 = 180;

/// What one person's app tells another's. It travels sealed, over a connection on which both have proven their keys.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Message {
    /// Come into this conversation.
    Invite {
        /// Names the invite.
        invite: InviteId,
        /// The conversation to come into.
        conversation: ConversationId,
        /// The name that the caller chose.
        name: String,
        /// A short note, at most [`MAX_USER_DATA`] bytes.
        user_data: String,
        /// The caller wants to send sound.
        audio: bool,
        /// The caller wants to send video.
        video: bool,
    },
    /// The callee's app rings.
    Ringing {
        /// Which invite.
        invite: InviteId,
    },
    /// The callee pressed Answer; their offer follows.
    Accept {
        /// Which invite.
        invite: InviteId,
        /// The name that the callee chose.
        name: String,
        /// The callee sends sound.
        audio: bool,
        /// The callee sends video.
        video: bool,
    },
    /// The callee declined.
    Reject {
        /// Which invite.
        invite: InviteId,
    },
    /// The caller took it back (or gave up waiting).
    Cancel {
        /// Which invite.
        invite: InviteId,
    },
    /// The callee is in another call.
    Busy {
        /// Which invite.
        invite: InviteId,
    },
    /// An offer or an answer.
    Describe {
        /// In which conversation.
        conversation: ConversationId,
        /// The description.
        description: Description,
    },
    /// One more address to try.
    Trickle {
        /// In which conversation.
        conversation: ConversationId,
        /// The candidate.
        candidate: Candidate,
    },
    /// Nothing comes through to the sender, who asks for an ICE restart (RFC 8445, 9); or, from whoever does not offer, the
    /// reply to that: the restart may begin. It also shows that messages get through, without which the old path is kept.
    Restart {
        /// In which conversation.
        conversation: ConversationId,
        /// The generation of the sender's latest description.
        generation: u32,
        /// The sender's addresses have changed: a restart that is under way leads to the old ones.
        #[serde(default)]
        moved: bool,
    },
    /// The reply to a wish to restart in a conversation that is over for the sender, who slept or was lost for too long.
    Ended {
        /// Which conversation.
        conversation: ConversationId,
    },
    /// What the sender sends now (muted, camera off or on, a device lost or back).
    Media {
        /// In which conversation.
        conversation: ConversationId,
        /// Sends sound.
        audio: bool,
        /// Sends video.
        video: bool,
    },
    /// More than so many lines of the receiver's picture would be cast away at the sender's; the latest wish holds. Who
    /// never says one wants all of them.
    Wish {
        /// In which conversation.
        conversation: ConversationId,
        /// Lines, from [`LEAST_LINES`].
        lines: u32,
    },
    /// The sender hung up.
    Leave {
        /// Which conversation.
        conversation: ConversationId,
    },
}

/// A name as it may be kept and shown: without control characters, at most [`MAX_NAME`] bytes.
pub(super) fn kept_name(name: &str) -> String {
    let visible: String = name.chars().filter(|character| !character.is_control()).take(MAX_NAME).collect();
    cut_to(visible.trim(), MAX_NAME).to_owned()
}

/// The longest part of `text` from its beginning that has at most `max` bytes and ends between characters.
pub(super) fn cut_to(text: &str, max: usize) -> &str {
    text.get(..text.floor_char_boundary(max)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_kept_short_and_without_control_characters() {
        assert_eq!(kept_name("  Ann\u{7}\nBee\u{1b}[2J "), "AnnBee[2J");
        let long = kept_name(&"é".repeat(10_000));
        assert_eq!(long, "é".repeat(MAX_NAME / 2));
        assert_eq!(cut_to("aéé", 4), "aé");
        assert_eq!(cut_to("aé", 9), "aé");
    }
}
