//! The message set of signaling, the same on every route. Invites carry no addresses and no descriptions: ringing
//! reveals nothing.

use serde::{Deserialize, Serialize};

use super::{AnyDescription, Candidate, ConversationId, InviteId, Versions};
use crate::identity::ProfilePicture;
use crate::media::{MediaSet, StreamId};

/// Bytes of user data that an invite can carry (UTF-8).
pub const MAX_USER_DATA: usize = 1024;

/// A message from one person's app to another's. It travels sealed, over a connection on which both have proven their
/// keys.
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
        /// The caller's streams, on where they mean to send.
        streams: MediaSet,
        /// Versions of descriptions that the caller's program understands.
        #[serde(default)]
        descriptions: Versions,
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
        /// The callee's streams, on where they send.
        streams: MediaSet,
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
    /// The callee is in another call, or does not want to be disturbed.
    Busy {
        /// Which invite.
        invite: InviteId,
    },
    /// An offer or an answer.
    Describe {
        /// In which conversation.
        conversation: ConversationId,
        /// The description.
        description: AnyDescription,
    },
    /// One more address to try.
    Trickle {
        /// In which conversation.
        conversation: ConversationId,
        /// The candidate.
        candidate: Candidate,
    },
    /// Nothing comes through to the sender, who asks for an ICE restart (RFC 8445, 9); or, from whoever does not offer,
    /// the reply to that: the restart may begin. It also shows that messages get through, without which the old path is
    /// kept.
    Restart {
        /// In which conversation.
        conversation: ConversationId,
        /// The generation of the sender's latest description.
        generation: u32,
        /// The sender's addresses have changed: a restart that is under way leads to the old ones.
        #[serde(default)]
        moved: bool,
    },
    /// The reply to a wish to restart in a conversation that is over for the sender, who slept or was lost for too
    /// long.
    Ended {
        /// Which conversation.
        conversation: ConversationId,
    },
    /// The sender's streams: muted, camera off or on, a device lost or back.
    Media {
        /// In which conversation.
        conversation: ConversationId,
        /// The streams, on where they send.
        streams: MediaSet,
    },
    /// Greatest height at which the sender draws one of the receiver's streams: more lines would be thrown away. The
    /// latest wish holds; without one all lines are wanted.
    Wish {
        /// In which conversation.
        conversation: ConversationId,
        /// The receiver's stream.
        stream: StreamId,
        /// Lines, from [`MIN_HEIGHT`](crate::media::MIN_HEIGHT).
        max_height: u32,
    },
    /// The sender understands no version of the descriptions that the receiver's invite or description is of: there is
    /// no call.
    Incompatible {
        /// The conversation.
        conversation: ConversationId,
        /// The version of the sender's own descriptions.
        version: u16,
    },
    /// Another device of the receiver's key has answered or declined: it rings no more, and nothing was missed.
    AnsweredElsewhere {
        /// Which invite.
        invite: InviteId,
    },
    /// The sender called that many seconds ago, and the receiver was not there. No call follows.
    Missed {
        /// Seconds: the two clocks may differ.
        ago_s: u32,
    },
    /// A contact asks for the receiver's profile picture, unless it is the one that they have.
    PictureWanted {
        /// The digest of that one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        have: Option<String>,
    },
    /// The sender's profile picture.
    Picture {
        /// None: they show none.
        picture: Option<ProfilePicture>,
    },
    /// The sender hung up.
    Leave {
        /// Which conversation.
        conversation: ConversationId,
    },
}
