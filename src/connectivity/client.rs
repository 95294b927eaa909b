//! Client's side of STUN and TURN: requests, and an allocation that is made and released. The carrier is the caller's.

use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use rtc::crypto::default_provider;
use rtc::stun::attributes::{ATTR_NONCE, ATTR_REALM, ATTR_USERNAME, AttrType};
use rtc::stun::integrity::MessageIntegrity;
use rtc::stun::message::{Message as Written, MessageType, Setter, TransactionId};
use rtc::stun::textattrs::TextAttribute;

use tokio::time::timeout;

use crate::stun::{
    ALLOCATE_REQUEST, BINDING_REQUEST, Credential, ERROR_CODE, LIFETIME, Message, NONCE, REALM, REFRESH_REQUEST,
    REQUESTED_TRANSPORT, TRANSACTION_ID, XOR_MAPPED_ADDRESS, XOR_RELAYED_ADDRESS, error_of, read_xor_address,
    success_of,
};

/// UDP, as the transport between a relay and peers (RFC 8656, 18.8).
const UDP: [u8; 4] = [17, 0, 0, 0];
/// For the answer to a release: beside the deadline, since an allocation would stay for ten minutes (RFC 8656, 7).
const RELEASE: Duration = Duration::from_millis(400);
/// Answer to a request without a credential (RFC 8489, 9.2.4).
const UNAUTHORIZED: u16 = 401;

/// Why a probe failed.
#[derive(Debug, thiserror::Error)]
pub enum ProbeError {
    /// Nothing came back.
    #[error("no answer")]
    NoAnswer,
    /// The server refused the request with this code.
    #[error("the server refused with code {0}")]
    Refused(u16),
    /// Something else than an answer came back.
    #[error("something else than a STUN server answers")]
    NoStun,
    /// The system refused something.
    #[error("{0}")]
    System(#[from] io::Error),
}

/// A way to a server: carries one request at a time.
pub(super) trait Carrier {
    /// The answer to a request, of the same transaction.
    async fn ask(&mut self, request: &[u8]) -> Result<Vec<u8>, ProbeError>;
}

/// A request for the address that a server sees this side at.
pub(super) fn binding_request() -> Result<Vec<u8>, ProbeError> {
    write(BINDING_REQUEST, &[], None)
}

/// The address in the answer to a binding request.
pub(super) fn mapped_address(answer: &[u8]) -> Result<SocketAddr, ProbeError> {
    address(answer, BINDING_REQUEST, XOR_MAPPED_ADDRESS)
}

/// Makes an allocation until then, and releases it: the time from the first request to the allocation. Once it is asked
/// for it is released, whatever comes back: the answer alone may be lost, late or unreadable.
pub(super) async fn allocate(
    carrier: &mut impl Carrier,
    credential: &Credential,
    until: Instant,
) -> Result<Duration, ProbeError> {
    let (began, wanted) = (Instant::now(), [(REQUESTED_TRANSPORT, &UDP[..])]);
    let answer = ask_until(carrier, &write(ALLOCATE_REQUEST, &wanted, None)?, until).await?;
    let challenge = Challenge::read(&answer)?;
    let request = write(ALLOCATE_REQUEST, &wanted, Some((credential, &challenge)))?;
    let release = write(REFRESH_REQUEST, &[(LIFETIME, &[0; 4])], Some((credential, &challenge)))?;
    let answer = ask_until(carrier, &request, until).await;
    let took = began.elapsed();
    let relayed = answer.and_then(|answer| address(&answer, ALLOCATE_REQUEST, XOR_RELAYED_ADDRESS));
    if !matches!(relayed, Err(ProbeError::Refused(_))) {
        let _its_answer_tells_nothing = timeout(RELEASE, carrier.ask(&release)).await;
    }
    relayed.map(|_| took)
}

async fn ask_until(carrier: &mut impl Carrier, request: &[u8], until: Instant) -> Result<Vec<u8>, ProbeError> {
    let left = until.saturating_duration_since(Instant::now());
    timeout(left, carrier.ask(request)).await.unwrap_or(Err(ProbeError::NoAnswer))
}

/// The server's answer to a request without a credential.
struct Challenge {
    realm: String,
    nonce: String,
}

impl Challenge {
    fn read(answer: &[u8]) -> Result<Self, ProbeError> {
        match check(answer, ALLOCATE_REQUEST) {
            Err(ProbeError::Refused(UNAUTHORIZED)) => {}
            Err(error) => return Err(error),
            // A relay without credentials is none of this program.
            Ok(_) => return Err(ProbeError::NoStun),
        }
        let message = Message::read(answer).ok_or(ProbeError::NoStun)?;
        let text = |kind| message.value(kind).and_then(|value| String::from_utf8(value.to_vec()).ok());
        let (realm, nonce) = text(REALM).zip(text(NONCE)).ok_or(ProbeError::NoStun)?;
        Ok(Self { realm, nonce })
    }
}

fn write(kind: u16, fields: &[(u16, &[u8])], signer: Option<(&Credential, &Challenge)>) -> Result<Vec<u8>, ProbeError> {
    let mut transaction = [0; TRANSACTION_ID];
    getrandom::fill(&mut transaction).map_err(io::Error::other)?;
    let mut typ = MessageType::default();
    typ.read_value(kind);
    let setters: [Box<dyn Setter>; 2] = [Box::new(TransactionId(transaction)), Box::new(typ)];
    let mut message = Written::new();
    message.build(&setters).map_err(io::Error::other)?;
    fields.iter().for_each(|(kind, value)| message.add(AttrType(*kind), value));
    if let Some((Credential { username, password }, Challenge { realm, nonce })) = signer {
        for (kind, text) in [(ATTR_USERNAME, username), (ATTR_REALM, realm), (ATTR_NONCE, nonce)] {
            TextAttribute::new(kind, text.clone()).add_to(&mut message).map_err(io::Error::other)?;
        }
        let provider = default_provider().map_err(io::Error::other)?;
        let names = (username.clone(), realm.clone(), password.clone());
        MessageIntegrity::new_long_term_integrity_with_provider(names.0, names.1, names.2, provider.crypto())
            .and_then(|integrity| integrity.add_to(&mut message))
            .map_err(io::Error::other)?;
    }
    Ok(message.raw)
}

/// The answer to a request of this type, where it is a success.
fn check(answer: &[u8], request: u16) -> Result<Message<'_>, ProbeError> {
    let message = Message::read(answer).ok_or(ProbeError::NoStun)?;
    if message.kind() == success_of(request) {
        return Ok(message);
    }
    // Two reserved bytes, the class, the number (RFC 8489, 14.8).
    match message.value(ERROR_CODE) {
        Some([_, _, class, number, ..]) if message.kind() == error_of(request) => {
            Err(ProbeError::Refused(u16::from(class & 7) * 100 + u16::from(*number)))
        }
        _ => Err(ProbeError::NoStun),
    }
}

fn address(answer: &[u8], request: u16, kind: u16) -> Result<SocketAddr, ProbeError> {
    let message = check(answer, request)?;
    let value = message.value(kind).and_then(|value| read_xor_address(value, message.transaction()));
    value.ok_or(ProbeError::NoStun)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A relay that answers with these, in turn, and then no more.
    struct Played {
        answers: Vec<Vec<u8>>,
        asked: Vec<u16>,
    }

    impl Carrier for Played {
        async fn ask(&mut self, request: &[u8]) -> Result<Vec<u8>, ProbeError> {
            self.asked.push(u16::from_be_bytes([request[0], request[1]]));
            match self.answers.is_empty() {
                false => Ok(self.answers.remove(0)),
                true if self.asked.last() == Some(&REFRESH_REQUEST) => Err(ProbeError::NoAnswer),
                true => std::future::pending().await,
            }
        }
    }

    fn challenge() -> Vec<u8> {
        let code = [0, 0, 4, 1];
        write(error_of(ALLOCATE_REQUEST), &[(ERROR_CODE, &code), (REALM, b"realm"), (NONCE, b"nonce")], None).unwrap()
    }

    #[tokio::test]
    async fn an_allocation_that_was_asked_for_is_released_whatever_comes_back() {
        const RELAYED: &[u8] = &[0, 1, 0x21, 0x12, 0xe1, 0xba, 0xa5, 0x44];
        let success = |fields| write(success_of(ALLOCATE_REQUEST), fields, None).unwrap();
        let refused = write(error_of(ALLOCATE_REQUEST), &[(ERROR_CODE, &[0, 0, 4, 86])], None).unwrap();
        let whole = vec![ALLOCATE_REQUEST, ALLOCATE_REQUEST, REFRESH_REQUEST];
        for (answers, asked, works) in [
            (vec![challenge(), success(&[(XOR_RELAYED_ADDRESS, RELAYED)])], whole.clone(), true),
            (vec![challenge(), success(&[])], whole.clone(), false),
            (vec![challenge(), b"no STUN".to_vec()], whole.clone(), false),
            (vec![challenge()], whole, false),
            (vec![challenge(), refused], vec![ALLOCATE_REQUEST, ALLOCATE_REQUEST], false),
            (vec![], vec![ALLOCATE_REQUEST], false),
        ] {
            let credential = Credential { username: "user".to_owned(), password: "password".to_owned() };
            let mut played = Played { answers, asked: Vec::new() };
            let until = Instant::now() + Duration::from_millis(50);
            let allocated = allocate(&mut played, &credential, until).await;
            assert_eq!((played.asked, allocated.is_ok()), (asked, works), "{allocated:?}");
        }
    }
}
