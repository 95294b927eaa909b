//! A state chart with short names around it, for the tests of calls.

#![allow(dead_code, reason = "each test file uses its own part")]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use visavis::call::{
    CallEnd, CallMachine, CallReport, CallState, Candidate, CandidateKind, ConversationId, DescribedStream,
    Description, DescriptionKind, DisconnectReason, DtlsSetup, Effect, EngineEvent, FecScheme, Input, InviteId,
    Message, Press, Standing, StreamSsrcs,
};
use visavis::codec::{CodecSupport, VideoCodec};
use visavis::identity::PeerId;
use visavis::media::{MediaSet, MediaTime, StreamId, StreamKind};

pub fn at(ms: u64) -> MediaTime {
    MediaTime::from_millis(ms)
}

pub fn id(number: u8) -> PeerId {
    PeerId::from_bytes([number; 32])
}

pub fn invite_id(number: u128) -> InviteId {
    InviteId::from_bits(number)
}

pub fn conversation_id(number: u128) -> ConversationId {
    ConversationId::from_bits(number)
}

/// A press of Invite; invite and conversation share a number.
pub fn invite_press(number: u128, to: u8) -> Press {
    Press::Invite {
        invite: invite_id(number),
        conversation: conversation_id(number),
        to: id(to),
        user_data: "lunch?".to_owned(),
        streams: MediaSet::of_call(true, true),
    }
}

pub fn invite_message(number: u128, name: &str) -> Message {
    Message::Invite {
        invite: invite_id(number),
        conversation: conversation_id(number),
        name: name.to_owned(),
        user_data: "lunch?".to_owned(),
        streams: MediaSet::of_call(true, true),
        descriptions: Description::VERSIONS,
    }
}

pub fn message_to(to: u8, message: Message) -> (PeerId, Message) {
    (id(to), message)
}

pub fn offer() -> Description {
    Description {
        kind: DescriptionKind::Offer,
        generation: 0,
        ice_ufrag: "abcd".try_into().unwrap(),
        ice_pwd: "abcdefghijklmnopqrstuv".try_into().unwrap(),
        fingerprint: vec!["AB"; 32].join(":").try_into().unwrap(),
        setup: DtlsSetup::ActPass,
        streams: vec![
            DescribedStream {
                id: StreamId::AUDIO,
                kind: StreamKind::Audio,
                ssrcs: StreamSsrcs { media: 1, rtx: None, fec: None },
            },
            DescribedStream {
                id: StreamId::CAMERA,
                kind: StreamKind::Camera,
                ssrcs: StreamSsrcs { media: 2, rtx: Some(3), fec: Some(4) },
            },
        ],
        codecs: vec![CodecSupport::own(VideoCodec::PREFERRED)],
        fec: Some(FecScheme::Rs8),
        red: true,
        dtls_cookie: None,
    }
}

pub fn candidate() -> Candidate {
    Candidate {
        generation: 0,
        foundation: "1".try_into().unwrap(),
        priority: 1,
        address: std::net::IpAddr::from([192, 0, 2, 1]),
        port: 5000,
        kind: CandidateKind::Host,
    }
}

/// One side and everything that its machine asked for.
pub struct Side {
    pub machine: CallMachine,
    pub effects: Vec<Effect>,
}

impl Side {
    pub fn new(number: u8) -> Self {
        Self { machine: CallMachine::new(id(number), &format!("Person {number}")), effects: Vec::new() }
    }

    pub fn at(&mut self, ms: u64, input: Input) {
        self.machine.step(at(ms), input, &mut self.effects);
    }

    pub fn from(&mut self, ms: u64, from: u8, message: Message) {
        self.at(ms, Input::Peer { from: id(from), standing: Standing::Contact, message });
    }

    pub fn engine(&mut self, ms: u64, conversation: u128, peer: u8, event: EngineEvent) {
        self.at(ms, Input::Engine { conversation: conversation_id(conversation), peer: id(peer), event });
    }

    pub fn is_idle(&self) -> bool {
        matches!(self.machine.state(), CallState::Idle)
    }

    pub fn reports(&self) -> Vec<CallReport> {
        self.effects
            .iter()
            .filter_map(|effect| match effect {
                Effect::Report(report) => Some(report.clone()),
                _ => None,
            })
            .collect()
    }

    pub fn sent(&self) -> Vec<(PeerId, Message)> {
        self.effects
            .iter()
            .filter_map(|effect| match effect {
                Effect::Send { to, message } => Some((*to, message.clone())),
                _ => None,
            })
            .collect()
    }

    pub fn ends(&self) -> Vec<CallEnd> {
        self.reports()
            .iter()
            .filter_map(|report| match report {
                CallReport::CallEnded(record) => Some(record.end),
                _ => None,
            })
            .collect()
    }

    pub fn disconnects(&self) -> Vec<DisconnectReason> {
        self.reports()
            .iter()
            .filter_map(|report| match report {
                CallReport::ConversationDisconnected { reason, .. } => Some(*reason),
                _ => None,
            })
            .collect()
    }
}

pub const ANN: u8 = 1;
pub const BOB: u8 = 2;
pub const CAT: u8 = 3;

pub fn calling() -> Side {
    let mut ann = Side::new(ANN);
    ann.at(0, Input::Local(invite_press(1, BOB)));
    ann.from(10, BOB, Message::Ringing { invite: invite_id(1) });
    ann
}

pub fn ringing() -> Side {
    let mut bob = Side::new(BOB);
    bob.from(0, ANN, invite_message(1, "Ann"));
    bob
}

pub fn accept_press(number: u128) -> Input {
    Input::Local(Press::Accept { invite: invite_id(number), streams: MediaSet::of_call(true, true) })
}

pub fn accept_message(number: u128) -> Message {
    Message::Accept { invite: invite_id(number), name: "Bob".to_owned(), streams: MediaSet::of_call(true, false) }
}

pub fn in_call() -> Side {
    let mut ann = calling();
    ann.from(1000, BOB, accept_message(1));
    ann.engine(1500, 1, BOB, EngineEvent::Connected);
    ann.effects.clear();
    ann
}

/// Devices and the connection to `peer` are closed.
pub fn released(side: &mut Side, ms: u64, conversation: u128, peer: u8) {
    side.engine(ms, conversation, peer, EngineEvent::Closed);
    side.at(ms, Input::MediaReleased { conversation: conversation_id(conversation) });
}
