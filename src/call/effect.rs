//! Request of the state chart to the controller. The controller carries the effects out in their order.

use crate::identity::PeerId;
use crate::media::{MediaSet, StreamId};

use super::{CallReport, Candidate, Consent, ConversationId, Description, Message};

/// The offering side of a peer connection (RFC 3264).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// The callee, after Answer.
    Offerer,
    /// The caller, once the invite is accepted.
    Answerer,
}

/// One thing to do.
#[derive(Debug, PartialEq, Eq)]
pub enum Effect {
    /// Deliver a message; answered by `Undelivered` when no route takes it.
    Send {
        /// To whom.
        to: PeerId,
        /// Content.
        message: Message,
    },
    /// Open the named devices, outside a call, for this person's eyes only.
    OpenPreview {
        /// Opening the preview was pressed.
        consent: Consent,
        /// The streams, on where their device is to be open.
        streams: MediaSet,
    },
    /// From now on have exactly the named devices open, to send in the call.
    OpenMedia {
        /// Invite, Answer, or a switch in the call was pressed.
        consent: Consent,
        /// The streams, on where their device is to be open.
        streams: MediaSet,
    },
    /// Close the device of a stream of pictures, in mid-call.
    CloseStream {
        /// Which stream.
        stream: StreamId,
    },
    /// Close camera, microphone and their threads, before an opening that follows; then say `MediaReleased`.
    ReleaseMedia {
        /// The conversation (or the invite's, if it came to none) that held them.
        conversation: ConversationId,
    },
    /// Make a peer connection.
    ConnectPeer {
        /// Invite or Answer was pressed.
        consent: Consent,
        /// For this conversation.
        conversation: ConversationId,
        /// With whom.
        peer: PeerId,
        /// The offering side.
        role: Role,
    },
    /// Give a peer connection the far side's description.
    ApplyDescription {
        /// Its conversation.
        conversation: ConversationId,
        /// From whom.
        peer: PeerId,
        /// The description; an offer for an answerer, an answer for an offerer.
        description: Description,
    },
    /// Give a peer connection one of the far side's candidates; always after its description.
    ApplyCandidate {
        /// Its conversation.
        conversation: ConversationId,
        /// From whom.
        peer: PeerId,
        /// The candidate.
        candidate: Candidate,
    },
    /// Restart ICE on a peer connection whose role is to offer (RFC 8445, 9; JSEP, 5.2.3.9).
    RestartIce {
        /// Its conversation.
        conversation: ConversationId,
        /// With whom.
        peer: PeerId,
        /// Which of the connection's descriptions comes of it.
        generation: u32,
    },
    /// Look for another way to carry messages to somebody: the present one may be broken.
    RenewRoute {
        /// To whom.
        peer: PeerId,
    },
    /// Close a peer connection; then say `Closed`.
    ClosePeer {
        /// Its conversation.
        conversation: ConversationId,
        /// With whom.
        peer: PeerId,
    },
    /// Play the callee's ringtone.
    StartRinging,
    /// Play the caller's ring-back tone.
    StartRingBack,
    /// Stop ringtone and ring-back tone.
    StopRinging,
    /// Play the soft tone of somebody who rings beside a call.
    StartWaitingTone,
    /// Stop that tone.
    StopWaitingTone,
    /// Tell the faces and the store.
    Report(CallReport),
}

impl Effect {
    /// Whether carrying it out lets somebody see, hear or reach this person.
    pub const fn bears_consent(&self) -> bool {
        match self {
            Self::OpenPreview { .. } | Self::OpenMedia { .. } | Self::ConnectPeer { .. } => true,
            Self::Send { .. }
            | Self::CloseStream { .. }
            | Self::ReleaseMedia { .. }
            | Self::ApplyDescription { .. }
            | Self::ApplyCandidate { .. }
            | Self::RestartIce { .. }
            | Self::RenewRoute { .. }
            | Self::ClosePeer { .. }
            | Self::StartRinging
            | Self::StartRingBack
            | Self::StopRinging
            | Self::StartWaitingTone
            | Self::StopWaitingTone
            | Self::Report(_) => false,
        }
    }
}
