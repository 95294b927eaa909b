//! Inputs of the state chart: presses of this computer's person, messages of others, and events of engine and devices.

use crate::identity::PeerId;
use crate::media::{MediaSet, StreamState};

use super::{Candidate, ConversationId, Description, InviteId, Message};

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// The person at this computer (or their script) pressed something. The only input that can make a consent.
    Local(Press),
    /// A message came, from a sender whom the envelope has proved.
    Peer {
        /// Sender.
        from: PeerId,
        /// Present standing of the sender.
        standing: Standing,
        /// Content.
        message: Message,
    },
    /// A peer connection did something.
    Engine {
        /// The conversation that the connection was made for.
        conversation: ConversationId,
        /// The far side.
        peer: PeerId,
        /// Event of the connection.
        event: EngineEvent,
    },
    /// A message could not be delivered by any route.
    Undelivered {
        /// To whom.
        to: PeerId,
        /// Which message.
        message: Message,
    },
    /// Somebody who could be reached is so no more, and has been away for longer than a connection takes to be renewed.
    Gone {
        /// The person.
        peer: PeerId,
    },
    /// The computer of somebody has closed its connection to this side, as it does when the program there ends; a
    /// network that fails closes nothing.
    FarClosed {
        /// The person.
        peer: PeerId,
    },
    /// After `FarClosed`: the same run of their program is connected again.
    FarRestored {
        /// The person.
        peer: PeerId,
    },
    /// Media that this computer's devices give, or are about to: false for a device that is chosen away, missing or
    /// broken. Others are told of the change; it opens nothing.
    Captures {
        /// The streams, on where their device works.
        streams: MediaSet,
    },
    /// Nothing rings from now on, or again. People who ring or wait as it begins are ignored.
    DoNotDisturb {
        /// True from now on.
        on: bool,
    },
    /// This computer's addresses have changed: there may be another path.
    NetworkChanged,
    /// `ReleaseMedia` is done: cameras, microphones and their threads are closed.
    MediaReleased {
        /// As the effect named it.
        conversation: ConversationId,
    },
    /// Time has passed: [`next_deadline`](super::CallMachine::next_deadline) may be over.
    Deadline,
}

/// Press of the person at this computer: a command of theirs, as far as it concerns the chart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Press {
    /// Open camera and microphone: the preview outside a call, the sources of its media within one.
    OpenStream {
        /// The streams, on where their device is to be open.
        streams: MediaSet,
    },
    /// Invite somebody. Both identifiers are new, from a random source.
    Invite {
        /// Names the invite.
        invite: InviteId,
        /// Names the conversation.
        conversation: ConversationId,
        /// ID of the person.
        to: PeerId,
        /// A short note for the callee.
        user_data: String,
        /// This side's streams, on where they are to be sent.
        streams: MediaSet,
    },
    /// Take back a pending invite.
    Cancel {
        /// Which.
        invite: InviteId,
    },
    /// Answer. An invite that waits ends the present call.
    Accept {
        /// Which invite.
        invite: InviteId,
        /// This side's streams, on where they are to be sent.
        streams: MediaSet,
    },
    /// Decline.
    Reject {
        /// Which invite.
        invite: InviteId,
    },
    /// Be asked about an invite no more; the caller is told nothing.
    Ignore {
        /// Which invite.
        invite: InviteId,
    },
    /// Switch one of this side's streams on or off: mute, camera off. Outside a call it changes nothing here.
    EnableStream(StreamState),
    /// End the present call: hang up, take back. Somebody who rings is not declined.
    Leave,
    /// End everything, as the program ends: whoever rings or waits has called in vain.
    LeaveForGood,
    /// Have no more to do with somebody: ends the call with them, and their invites.
    Block {
        /// The person.
        peer: PeerId,
    },
}

/// Standing of a sender, by contacts, blocklist and settings. It decides who may ring, nothing else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// In the contact list.
    Contact,
    /// No contact, and strangers may ring.
    Stranger,
    /// Blocked, or no contact where strangers may not ring: refused in silence, so that nothing is revealed.
    Unwelcome,
}

/// Event of a peer connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EngineEvent {
    /// This side's offer (made after `ConnectPeer` as offerer) or answer (after an offer was applied), to be sent.
    Described(Description),
    /// One of this side's candidates, to be sent.
    Gathered(Candidate),
    /// Media can flow: ICE and DTLS are done, or something came through again after an interruption.
    Connected,
    /// Nothing comes through just now.
    Interrupted,
    /// The connection is over for good, or could not be made.
    Failed,
    /// Its sockets and tasks are gone: the reply to `ClosePeer` (also when it was closed already), or the far side's
    /// close.
    Closed,
}
