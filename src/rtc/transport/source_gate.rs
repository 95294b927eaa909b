//! Lets datagrams reach the engine only from where the far side has proved to be.
//!
//! ```text
//! UDP socket -> [here] -> ICE, DTLS and SRTP (the webrtc crate)
//! ```
//!
//! The ICE agent below gives DTLS and SRTP datagrams to the engine whatever their source, and it acts on a role conflict
//! before it checks the message's integrity. So this stands before it, in the socket:
//!
//! - STUN requests pass when they name this connection's user name fragment and are signed with its password, which only
//!   the far side knows (it travels sealed; the fragment is seen on the network), up to their end but the checksum; and
//!   when the same one has not come from elsewhere before, since who overhears one can send it again. Other STUN passes from sources that requests were sent to: the agent verifies replies before it acts on them.
//! - Everything else passes only from a source to which the agent has sent a Binding success response: the agent does
//!   that after it has verified a request's integrity with the password of this connection.
//!
//! Called on the tokio task of one peer connection; state is a few addresses behind a lock that nobody else holds for
//! long.

use std::collections::VecDeque;
use std::fmt;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use rtc::crypto::{HmacAlgorithm, Mac, default_provider};
use tokio::sync::Notify;

use super::link::DATAGRAM_HEADERS;
use crate::media::MediaTime;

/// Sources remembered at most, of each kind. The far side has a handful of candidates.
const MAX_SOURCES: usize = 64;
/// Requests remembered at most: those of some minutes.
const MAX_REQUESTS: usize = 1024;

const STUN_HEADER: usize = 20;
const TRANSACTION_ID: usize = 12;
const MAGIC_COOKIE: [u8; 4] = [0x21, 0x12, 0xa4, 0x42];
const BINDING_REQUEST: u16 = 0x0001;
const BINDING_SUCCESS: u16 = 0x0101;
const ATTRIBUTE_HEADER: usize = 4;
const USERNAME: u16 = 0x0006;
const MESSAGE_INTEGRITY: u16 = 0x0008;
const FINGERPRINT: u16 = 0x8028;
/// An HMAC-SHA1.
const INTEGRITY: usize = 20;

/// The gate of one peer connection, shared by its sockets.
#[derive(Debug, Default)]
pub(in crate::rtc) struct SourceGate {
    local: Mutex<Option<Credentials>>,
    sources: Mutex<Sources>,
    refused: AtomicU64,
    admitted_bytes: AtomicU64,
    /// When a datagram was let in last, in microseconds of media time.
    heard_us: AtomicU64,
    /// Somebody waits for the next one.
    arrival_awaited: AtomicBool,
    arrival: Notify,
}

/// This side's short-term credentials (RFC 8445, 7.2.2).
struct Credentials {
    /// The fragment and a colon: what the user name of a request to this side begins with.
    user_name: String,
    /// Keyed with the password.
    mac: Box<dyn Mac>,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Credentials").finish_non_exhaustive()
    }
}

#[derive(Debug, Default)]
struct Sources {
    /// Answered with a Binding success response: they know the password.
    validated: VecDeque<SocketAddr>,
    /// Sent a request: they may reply.
    asked: VecDeque<SocketAddr>,
    /// Signed requests by their transaction, and where each came from.
    requests: VecDeque<([u8; TRANSACTION_ID], SocketAddr)>,
}

impl SourceGate {
    /// Tells the gate this connection's own user name fragment and password. Before that nothing passes.
    ///
    /// The agent gives its old ones up at the same moment (RFC 8445, 9), so they are not kept; and who is validated has to
    /// prove that the new ones are known.
    ///
    /// # Errors
    ///
    /// When the cryptography library cannot be used.
    pub(in crate::rtc) fn set_local_credentials(
        &self,
        ufrag: &str,
        password: &str,
    ) -> Result<(), rtc::crypto::CryptoError> {
        let mac = default_provider()?.crypto().new_hmac(HmacAlgorithm::Sha1, password.as_bytes())?;
        let credentials = Credentials { user_name: format!("{ufrag}:"), mac };
        *self.local.lock().unwrap_or_else(PoisonError::into_inner) = Some(credentials);
        let mut sources = self.sources.lock().unwrap_or_else(PoisonError::into_inner);
        sources.validated.clear();
        sources.asked.clear();
        Ok(())
    }

    /// Datagrams that were refused.
    pub(in crate::rtc) fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }

    /// Bytes of the datagrams that were let in, their headers (IPv4, UDP) included.
    pub(in crate::rtc) fn admitted_bytes(&self) -> u64 {
        self.admitted_bytes.load(Ordering::Relaxed)
    }

    /// When a datagram was let in last.
    pub(in crate::rtc) fn heard_at(&self) -> MediaTime {
        MediaTime::from_micros(self.heard_us.load(Ordering::Relaxed))
    }

    /// As if a datagram had just been let in.
    pub(in crate::rtc) fn hear(&self) {
        self.heard_us.store(MediaTime::now().as_micros(), Ordering::Relaxed);
    }

    /// Whether [`arrival`](Self::arrival) shall tell of datagrams from now on.
    pub(in crate::rtc) fn await_arrival(&self, awaited: bool) {
        self.arrival_awaited.store(awaited, Ordering::Release);
    }

    /// Waits until a datagram is let in; one may have been let in before.
    pub(in crate::rtc) async fn arrival(&self) {
        self.arrival.notified().await;
    }

    /// Notes what a datagram that leaves says about its destination.
    pub(in crate::rtc) fn observe_departure(&self, datagram: &[u8], to: SocketAddr) {
        let Some(kind) = stun_kind(datagram) else { return };
        let mut sources = self.sources.lock().unwrap_or_else(PoisonError::into_inner);
        match kind {
            BINDING_SUCCESS => remember(&mut sources.validated, to),
            BINDING_REQUEST => remember(&mut sources.asked, to),
            _ => {}
        }
    }

    /// Whether a datagram from `from` may reach the engine.
    pub(in crate::rtc) fn admits(&self, datagram: &[u8], from: SocketAddr) -> bool {
        let admitted = match stun_kind(datagram) {
            Some(BINDING_REQUEST) => self.admits_request(datagram, from),
            Some(_) => self.sources.lock().unwrap_or_else(PoisonError::into_inner).asked.contains(&from),
            None => self.sources.lock().unwrap_or_else(PoisonError::into_inner).validated.contains(&from),
        };
        if admitted {
            self.hear();
            self.admitted_bytes.fetch_add((datagram.len() + DATAGRAM_HEADERS) as u64, Ordering::Relaxed);
            if self.arrival_awaited.load(Ordering::Acquire) {
                self.arrival.notify_one();
            }
        } else {
            self.refused.fetch_add(1, Ordering::Relaxed);
        }
        admitted
    }

    fn admits_request(&self, datagram: &[u8], from: SocketAddr) -> bool {
        let Some(request) = SignedRequest::read(datagram) else { return false };
        let mut local = self.local.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(local) = local.as_mut() else { return false };
        let signed = request.user_name.starts_with(local.user_name.as_bytes())
            && local.mac.verify(&[&request.head, request.attributes], request.integrity).is_ok();
        let Some(transaction) = request.head.last_chunk().filter(|_| signed) else { return false };
        let requests = &mut self.sources.lock().unwrap_or_else(PoisonError::into_inner).requests;
        match requests.iter().rev().find(|(known, _)| known == transaction) {
            Some((_, first)) => *first == from,
            None => {
                if requests.len() >= MAX_REQUESTS {
                    requests.pop_front();
                }
                requests.push_back((*transaction, from));
                true
            }
        }
    }
}

fn remember(sources: &mut VecDeque<SocketAddr>, source: SocketAddr) {
    if sources.contains(&source) {
        return;
    }
    if sources.len() >= MAX_SOURCES {
        sources.pop_front();
    }
    sources.push_back(source);
}

/// The message type of a STUN datagram (RFC 8489, 5), `None` for anything else.
fn stun_kind(datagram: &[u8]) -> Option<u16> {
    let (kind, rest) = datagram.split_first_chunk::<2>()?;
    let kind = u16::from_be_bytes(*kind);
    let is_stun = datagram.len() >= STUN_HEADER && kind & 0xc000 == 0 && rest.get(2..6) == Some(&MAGIC_COOKIE[..]);
    is_stun.then_some(kind)
}

/// What is signed in a STUN request, and the signature (RFC 8489, 14.5).
struct SignedRequest<'a> {
    /// With the length that it has up to the signature.
    head: [u8; STUN_HEADER],
    /// Those before the signature.
    attributes: &'a [u8],
    user_name: &'a [u8],
    integrity: &'a [u8],
}

impl<'a> SignedRequest<'a> {
    /// `None` for a request without user name or signature, and for one with more behind its signature than a checksum:
    /// nobody has signed that.
    fn read(datagram: &'a [u8]) -> Option<Self> {
        let (head, attributes) = datagram.split_first_chunk::<STUN_HEADER>()?;
        if usize::from(u16::from_be_bytes([head[2], head[3]])) != attributes.len() {
            return None;
        }
        let mut user_name = None;
        let mut rest = attributes;
        loop {
            let signed = attributes.len() - rest.len();
            let (kind, value, behind) = attribute(rest)?;
            match kind {
                USERNAME => user_name = user_name.or(Some(value)),
                MESSAGE_INTEGRITY => {
                    if value.len() != INTEGRITY || !is_checksum_or_nothing(behind) {
                        return None;
                    }
                    let mut head = *head;
                    let length = u16::try_from(signed + ATTRIBUTE_HEADER + INTEGRITY).ok()?;
                    head[2..4].copy_from_slice(&length.to_be_bytes());
                    let attributes = attributes.get(..signed)?;
                    return Some(Self { head, attributes, user_name: user_name?, integrity: value });
                }
                _ => {}
            }
            rest = behind;
        }
    }
}

/// The first attribute's type and value, and what follows it (RFC 8489, 14).
fn attribute(attributes: &[u8]) -> Option<(u16, &[u8], &[u8])> {
    let (header, rest) = attributes.split_first_chunk::<ATTRIBUTE_HEADER>()?;
    let length = usize::from(u16::from_be_bytes([header[2], header[3]]));
    let behind = rest.get(length.next_multiple_of(4)..)?;
    Some((u16::from_be_bytes([header[0], header[1]]), rest.get(..length)?, behind))
}

fn is_checksum_or_nothing(attributes: &[u8]) -> bool {
    attributes.is_empty()
        || attribute(attributes)
            .is_some_and(|(kind, value, behind)| kind == FINGERPRINT && value.len() == 4 && behind.is_empty())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn address(port: u16) -> SocketAddr {
        SocketAddr::from(([192, 0, 2, 1], port))
    }

    const PASSWORD: &str = "0123456789abcdefghijkl";

    fn gate() -> SourceGate {
        let gate = SourceGate::default();
        gate.set_local_credentials("local", PASSWORD).unwrap();
        gate
    }

    fn set_length(message: &mut [u8], length: usize) {
        message[2..4].copy_from_slice(&(length as u16).to_be_bytes());
    }

    /// Signs a message whose attributes end here.
    fn signed(mut message: Vec<u8>, password: &str) -> Vec<u8> {
        let length = message.len() - STUN_HEADER + ATTRIBUTE_HEADER + INTEGRITY;
        set_length(&mut message, length);
        let mut tag = [0; INTEGRITY];
        let provider = default_provider().unwrap();
        provider
            .crypto()
            .new_hmac(HmacAlgorithm::Sha1, password.as_bytes())
            .unwrap()
            .sign(&[&message], &mut tag)
            .unwrap();
        message.extend([0, 8, 0, 20]);
        message.extend(tag);
        message
    }

    fn with_attribute(mut message: Vec<u8>, attribute: &[u8]) -> Vec<u8> {
        message.extend(attribute);
        let length = message.len() - STUN_HEADER;
        set_length(&mut message, length);
        message
    }

    fn request(user_name: &str) -> Vec<u8> {
        signed(stun(BINDING_REQUEST, user_name), PASSWORD)
    }

    fn stun(kind: u16, user_name: &str) -> Vec<u8> {
        let mut message = kind.to_be_bytes().to_vec();
        message.extend([0, 0]);
        message.extend(MAGIC_COOKIE);
        message.extend([7; 12]);
        message.extend(USERNAME.to_be_bytes());
        message.extend((user_name.len() as u16).to_be_bytes());
        message.extend(user_name.as_bytes());
        message.resize(message.len().next_multiple_of(4), 0);
        message
    }

    #[test]
    fn media_and_handshakes_pass_only_from_validated_sources() {
        let gate = SourceGate::default();
        let client_hello = [22, 254, 253, 0];
        assert!(!gate.admits(&client_hello, address(1)));
        gate.observe_departure(&stun(BINDING_SUCCESS, ""), address(1));
        assert!(gate.admits(&client_hello, address(1)));
        assert!(!gate.admits(&client_hello, address(2)));
        gate.observe_departure(&stun(BINDING_REQUEST, ""), address(3));
        assert!(!gate.admits(&client_hello, address(3)), "having asked proves nothing");
        assert_eq!((gate.refused(), gate.admitted_bytes()), (3, 32), "with 28 bytes of headers");
    }

    #[test]
    fn requests_pass_when_they_name_this_connection_and_know_its_password() {
        let before = SourceGate::default();
        assert!(!before.admits(&request("local:far"), address(1)), "before the credentials are known");
        let gate = gate();
        assert!(gate.admits(&request("local:far"), address(1)));
        assert!(gate.admits(&with_attribute(request("local:far"), &[0x80, 0x28, 0, 4, 1, 2, 3, 4]), address(1)));
        assert!(!gate.admits(&request("locale:far"), address(1)));
        assert!(!gate.admits(&request("far:local"), address(1)));
        assert!(!gate.admits(&stun(BINDING_REQUEST, "local:far"), address(1)), "without a signature");
        assert!(!gate.admits(&signed(stun(BINDING_REQUEST, "local:far"), "another password, long"), address(1)));
        assert!(!gate.admits(&stun(BINDING_REQUEST, "")[..STUN_HEADER], address(1)));
    }

    #[test]
    fn a_request_that_was_overheard_and_altered_is_refused() {
        let gate = gate();
        let overheard = request("local:far");
        for at in 0..overheard.len() {
            let mut altered = overheard.clone();
            altered[at] ^= 1;
            // Another message type or magic cookie makes it no request at all, which needs no signature to be refused.
            assert!(!gate.admits(&altered, address(1)), "altered at {at}");
        }
        // ICE-CONTROLLED behind the signature: the agent would take it for a role conflict.
        let conflict = with_attribute(overheard.clone(), &[0x80, 0x29, 0, 8, 255, 255, 255, 255, 255, 255, 255, 255]);
        assert!(!gate.admits(&conflict, address(1)));
        assert!(gate.admits(&overheard, address(1)));
    }

    #[test]
    fn a_request_that_was_overheard_passes_from_nowhere_else() {
        let gate = gate();
        let overheard = request("local:far");
        assert!(gate.admits(&overheard, address(1)));
        assert!(!gate.admits(&overheard, address(2)));
        assert!(gate.admits(&overheard, address(1)), "sent again by who sent it first");
        for number in 0..5000_u16 {
            let mut other = stun(BINDING_REQUEST, "local:far");
            other[8..10].copy_from_slice(&number.to_be_bytes());
            gate.admits(&signed(other, PASSWORD), address(1));
        }
        assert!(gate.sources.lock().unwrap().requests.len() <= MAX_REQUESTS);
    }

    #[test]
    fn renewed_credentials_take_the_place_of_the_old_ones() {
        let gate = gate();
        assert!(gate.admits(&request("local:far"), address(1)));
        gate.observe_departure(&stun(BINDING_SUCCESS, ""), address(1));
        assert!(gate.admits(&[128], address(1)));
        gate.set_local_credentials("newer", "another password, long").unwrap();
        assert!(!gate.admits(&[128], address(1)), "not yet proved anew");
        assert!(!gate.admits(&request("local:far"), address(1)));
        assert!(!gate.admits(&request("newer:far"), address(1)), "signed with the old password");
        assert!(gate.admits(&signed(stun(BINDING_REQUEST, "newer:far"), "another password, long"), address(1)));
    }

    #[test]
    fn replies_pass_from_where_a_request_went() {
        let gate = SourceGate::default();
        assert!(!gate.admits(&stun(BINDING_SUCCESS, ""), address(1)));
        gate.observe_departure(&stun(BINDING_REQUEST, ""), address(1));
        assert!(gate.admits(&stun(BINDING_SUCCESS, ""), address(1)));
    }

    #[test]
    fn it_remembers_a_bounded_number_of_sources() {
        let gate = SourceGate::default();
        for port in 0..1000 {
            gate.observe_departure(&stun(BINDING_SUCCESS, ""), address(port));
        }
        assert!(!gate.admits(&[128], address(0)));
        assert!(gate.admits(&[128], address(999)));
    }

    proptest! {
        #[test]
        fn no_datagram_makes_it_panic(mut bytes in prop::collection::vec(any::<u8>(), 0..80), request in any::<bool>()) {
            if request {
                bytes.splice(0..0, stun(BINDING_REQUEST, "")[..STUN_HEADER].iter().copied());
                let length = bytes.len() - STUN_HEADER;
                set_length(&mut bytes, length);
            }
            let gate = gate();
            gate.observe_departure(&bytes, address(1));
            let _ = gate.admits(&bytes, address(1));
        }
    }
}
