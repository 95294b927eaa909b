//! Handshake, in which both sides of a new session prove their keys to each other (see `frame`): three messages of
//! bytes, of which the answered challenges show that they are no recordings. Pure: it makes and takes messages,
//! independent of their carrier, and no clock takes part.
//!
//! ```text
//! Initiator::start -> hello        Responder::answer(hello) -> hello        (two envelopes)
//! initiator.finish(hello) -> confirm                responder.finish(confirm)       (the first record)
//! ```

use super::clocks::clocks_differ;
use super::frame::{Frame, Hello};
use super::local::{Local, RANDOM_CHARS, random_text};
use super::session::{Session, SessionError};
use super::version::Versions;
use crate::identity::{DeviceId, InvitationToken, Opener, PeerId, Sealer, display_name, open, seal};

/// The person at the other end, proven, and the session with them.
pub(super) struct Proven {
    pub(super) peer: PeerId,
    /// The name that they chose, fit to be shown.
    pub(super) name: String,
    /// The far app's random name, of this run of it.
    pub(super) instance: String,
    /// The device that it runs on, where it says so.
    pub(super) device: Option<DeviceId>,
    pub(super) versions: Versions,
    /// By how many seconds their clock is ahead of this side's, when that is over a minute.
    pub(super) clock_ahead: Option<i64>,
    /// The name in this side's hello.
    pub(super) own_name: String,
    pub(super) session: Session,
}

/// The side that says hello first, waiting for the answer.
pub(super) struct Initiator {
    expected: PeerId,
    challenge: String,
    own_name: String,
    sealer: Sealer,
}

/// The side that answered a hello, waiting for the proof that it is no recording.
pub(super) struct Responder {
    peer: PeerId,
    hello: Hello,
    challenge: String,
    own_name: String,
    sealer: Sealer,
    opener: Opener,
}

impl Initiator {
    /// Begins a handshake with `expected`; also the envelope to send.
    pub(super) fn start(local: &Local, expected: PeerId) -> Result<(Self, Vec<u8>), SessionError> {
        let challenge = random_text()?;
        let (envelope, sealer, own_name) = say_hello(local, &expected, local.hello(&expected, &challenge, None))?;
        Ok((Self { expected, challenge, own_name, sealer }, envelope))
    }

    /// Takes the answer; also the record to send, with which the session begins.
    pub(super) fn finish(mut self, local: &Local, answer: &[u8]) -> Result<(Proven, Vec<u8>), SessionError> {
        let (peer, hello, opener) = hear_hello(local, answer)?;
        if peer != self.expected || hello.answer.as_ref() != Some(&self.challenge) {
            return Err(SessionError::WrongPerson);
        }
        let confirm = Frame::Confirm { answer: hello.challenge.clone() }.encode().ok_or(SessionError::Frame)?;
        let record = self.sealer.seal(&confirm)?;
        Ok((proven(local, peer, hello, self.own_name, (self.sealer, opener)), record))
    }
}

impl Responder {
    /// Takes a hello; also the envelope to answer with.
    pub(super) fn answer(local: &Local, hello: &[u8]) -> Result<(Self, Vec<u8>), SessionError> {
        let (peer, hello, opener) = hear_hello(local, hello)?;
        let challenge = random_text()?;
        let own = local.hello(&peer, &challenge, Some(hello.challenge.clone()));
        let (envelope, sealer, own_name) = say_hello(local, &peer, own)?;
        Ok((Self { peer, hello, challenge, own_name, sealer, opener }, envelope))
    }

    /// The person who signed the hello. It may be a recording.
    pub(super) const fn peer(&self) -> PeerId {
        self.peer
    }

    /// Whether the hello shows a good invitation. It may be a recording.
    pub(super) fn is_invited(&self, local: &Local) -> bool {
        token(&self.hello).is_some_and(|token| local.invitations().is_good(&self.peer, token))
    }

    /// Takes the confirm: the session begins.
    pub(super) fn finish(mut self, local: &Local, confirm: &[u8]) -> Result<Proven, SessionError> {
        match Frame::decode(&self.opener.open(confirm)?) {
            Ok(Frame::Confirm { answer }) if answer == self.challenge => {
                Ok(proven(local, self.peer, self.hello, self.own_name, (self.sealer, self.opener)))
            }
            _ => Err(SessionError::WrongPerson),
        }
    }
}

fn say_hello(local: &Local, to: &PeerId, hello: Hello) -> Result<(Vec<u8>, Sealer, String), SessionError> {
    let own_name = hello.name.clone();
    let body = Frame::Hello(hello).encode().ok_or(SessionError::Frame)?;
    let (envelope, sealer) = seal(&local.identity, to, &body)?;
    Ok((envelope, sealer, own_name))
}

/// Opens a hello. A blocked person is heard as anybody else, so that they do not learn of it.
fn hear_hello(local: &Local, envelope: &[u8]) -> Result<(PeerId, Hello, Opener), SessionError> {
    let (opened, opener) = open(&local.identity, envelope)?;
    let Ok(Frame::Hello(hello)) = Frame::decode(&opened.body) else { return Err(SessionError::Frame) };
    if opened.from == local.identity.id() {
        return Err(SessionError::WrongPerson);
    }
    let is_whole = hello.instance.len() == RANDOM_CHARS && hello.challenge.len() == RANDOM_CHARS;
    if is_whole { Ok((opened.from, hello, opener)) } else { Err(SessionError::Frame) }
}

fn token(hello: &Hello) -> Option<InvitationToken> {
    hello.token.as_ref()?.parse().ok()
}

fn proven(local: &Local, peer: PeerId, hello: Hello, own_name: String, keys: (Sealer, Opener)) -> Proven {
    if let Some(token) = token(&hello).filter(|_| !local.is_blocked(&peer)) {
        local.invitations().admit(peer, token);
    }
    Proven {
        peer,
        name: display_name(&hello.name),
        instance: hello.instance,
        device: hello.device.and_then(|device| device.parse().ok()),
        versions: hello.versions,
        clock_ahead: hello.time.and_then(|theirs| clock_ahead(theirs, local.unix_ms())),
        own_name,
        session: Session::new(keys.0, keys.1),
    }
}

/// By how many seconds one clock is ahead of another, when that is worth a word.
fn clock_ahead(theirs_ms: i64, own_ms: i64) -> Option<i64> {
    let ahead_ms = theirs_ms.saturating_sub(own_ms);
    clocks_differ(ahead_ms).then_some(ahead_ms / 1000)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::message::Message;
    use super::super::route::Incoming;
    use super::*;
    use crate::call::InviteId;
    use crate::identity::Identity;

    fn side(seed: u8) -> Local {
        Local::new(Arc::new(Identity::from_seed([seed; 32])), "Name").unwrap()
    }

    /// A handshake whose messages pass through `post`, which may hold them as long as it likes.
    fn handshake(
        one: &Local,
        other: &Local,
        mut post: impl FnMut(Vec<u8>) -> Vec<u8>,
    ) -> Result<[Proven; 2], SessionError> {
        let (initiator, hello) = Initiator::start(one, other.identity.id())?;
        let (responder, answer) = Responder::answer(other, &post(hello))?;
        let (near, confirm) = initiator.finish(one, &post(answer))?;
        Ok([near, responder.finish(other, &post(confirm))?])
    }

    #[test]
    fn a_session_begins_over_anything_that_carries_three_messages() {
        let (ann, bob) = (side(1), side(2));
        let mut carried = Vec::new();
        let [mut near, mut far] = handshake(&ann, &bob, |bytes| {
            carried.push(bytes.len());
            bytes
        })
        .unwrap();
        assert_eq!((near.peer, far.peer), (bob.identity.id(), ann.identity.id()));
        assert_eq!((near.versions, &near.instance), (Versions::OWN, &bob.instance));
        assert_eq!(carried.len(), 3);
        let message = Message::Ringing { invite: InviteId::from_bits(1) };
        let frame = Frame::message(1, message.clone()).encode().unwrap();
        let record = near.session.seal(&frame).unwrap();
        let incoming = Incoming::message(1, message);
        assert_eq!(far.session.open(&record).unwrap(), Some(incoming));
        let ack = far.session.seal(&Frame::Ack { number: 1 }.encode().unwrap()).unwrap();
        assert_eq!(near.session.open(&ack).unwrap(), Some(Incoming::Ack { number: 1 }));
        assert!(near.session.open(&ack).is_err(), "a record opens once");
    }

    #[test]
    fn each_side_hears_on_which_device_the_other_is_where_it_says_so() {
        let (ann, bob) = (side(1).on(Some(DeviceId::from_bytes([7; 16]))), side(2));
        let [near, far] = handshake(&ann, &bob, |bytes| bytes).unwrap();
        assert_eq!((near.device, far.device), (None, Some(DeviceId::from_bytes([7; 16]))));
        let mut hello = ann.hello(&bob.identity.id(), &"ab".repeat(16), None);
        hello.device = Some("no ID".into());
        let (envelope, _, _) = say_hello(&ann, &bob.identity.id(), hello).unwrap();
        assert!(Responder::answer(&bob, &envelope).is_ok(), "of another version");
    }

    #[test]
    fn neither_a_recording_nor_another_persons_answer_nor_an_altered_message_proves_anybody() {
        let (ann, bob, eve) = (side(1), side(2), side(3));
        let mut recorded = Vec::new();
        handshake(&ann, &bob, |bytes| {
            recorded.push(bytes.clone());
            bytes
        })
        .unwrap();
        let (responder, _) = Responder::answer(&bob, &recorded[0]).unwrap();
        assert!(responder.finish(&bob, &recorded[2]).is_err(), "a recorded hello and confirm");
        let (initiator, hello) = Initiator::start(&ann, bob.identity.id()).unwrap();
        assert!(initiator.finish(&ann, &recorded[1]).is_err(), "a recorded answer");
        assert!(Responder::answer(&eve, &hello).is_err(), "a hello to somebody else");
        let (initiator, hello) = Initiator::start(&ann, bob.identity.id()).unwrap();
        let opened = open(&bob.identity, &hello).unwrap().0;
        let Ok(Frame::Hello(hello)) = Frame::decode(&opened.body) else { panic!("no hello") };
        let of_eve = eve.hello(&ann.identity.id(), &"ab".repeat(16), Some(hello.challenge));
        let of_eve = say_hello(&eve, &ann.identity.id(), of_eve).unwrap().0;
        assert!(initiator.finish(&ann, &of_eve).is_err(), "an answer of somebody else");
        for altered in 0..3 {
            let mut count = 0;
            let result = handshake(&ann, &bob, |mut bytes| {
                if count == altered {
                    bytes[40] ^= 1;
                }
                count += 1;
                bytes
            });
            assert!(result.is_err(), "message {altered}");
        }
        assert!(Initiator::start(&ann, ann.identity.id()).is_ok_and(|(_, own)| Responder::answer(&ann, &own).is_err()));
    }

    #[test]
    fn clocks_are_worth_a_word_when_they_differ_by_over_a_minute() {
        const DAY_MS: i64 = 86_400_000;
        let own = 1_800_000_000_000;
        for (ahead_ms, expected) in [
            (0, None),
            (60_000, None),
            (-60_000, None),
            (60_001, Some(60)),
            (90_000, Some(90)),
            (-90_000, Some(-90)),
            (DAY_MS, Some(86_400)),
            (-DAY_MS, Some(-86_400)),
            (30 * 365 * DAY_MS, Some(30 * 365 * 86_400)),
            (-2 * own, Some(-2 * own / 1000)),
        ] {
            assert_eq!(clock_ahead(own + ahead_ms, own), expected, "{ahead_ms} ms");
        }
        assert_eq!(clock_ahead(i64::MAX, i64::MIN), Some(i64::MAX / 1000));
        assert_eq!(clock_ahead(i64::MIN, i64::MAX), Some(i64::MIN / 1000));
    }
}
