//! Gate for datagrams, which lets them reach the engine only from addresses where the far side has proved to be.
//!
//! ```text
//! UDP socket -> [here] -> ICE, DTLS and SRTP (the webrtc crate)
//! ```
//!
//! The ICE agent below gives DTLS and SRTP datagrams to the engine whatever their source, and it acts on a role
//! conflict before it checks the message's integrity. So this stands before it, in the socket:
//!
//! - STUN requests pass when they name this connection's user name fragment and are signed with its password, which
//!   only the far side knows (it travels sealed; the fragment is seen on the network), up to their end but the
//!   checksum; and when the same one has not come from elsewhere before, since who overhears one can send it again.
//!   Other STUN passes from sources that requests were sent to: the agent verifies replies before it acts on them.
//! - Everything else passes only from a source to which the agent has sent a Binding success response: the agent does
//!   that after it has verified a request's integrity with the password of this connection. Only DTLS passes so, and
//!   the packets of streams that the far side has ([`StreamGate`]): a source can be forged.
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

use super::check_pace::CheckPace;
use super::link::DATAGRAM_HEADERS;
use super::stream_gate::{Datagram, StreamGate};
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
#[derive(Debug)]
pub(in crate::rtc) struct SourceGate {
    local: Mutex<Option<Credentials>>,
    sources: Mutex<Sources>,
    streams: Mutex<StreamGate>,
    pace: Mutex<CheckPace>,
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

impl Default for SourceGate {
    fn default() -> Self {
        Self {
            local: Mutex::default(),
            sources: Mutex::default(),
            streams: Mutex::default(),
            pace: Mutex::new(CheckPace::new(MediaTime::now())),
            refused: AtomicU64::default(),
            admitted_bytes: AtomicU64::default(),
            heard_us: AtomicU64::default(),
            arrival_awaited: AtomicBool::default(),
            arrival: Notify::default(),
        }
    }
}

impl SourceGate {
    /// Tells the gate this connection's own user name fragment and password. Before that nothing passes.
    ///
    /// The agent gives its old ones up at the same moment (RFC 8445, 9), so they are not kept; and who is validated has
    /// to prove that the new ones are known.
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

    /// The far side has described its streams: of RTP and RTCP, theirs alone pass from now on.
    pub(in crate::rtc) fn set_far_streams(&self, ssrcs: impl IntoIterator<Item = u32>) {
        self.streams.lock().unwrap_or_else(PoisonError::into_inner).describe(ssrcs);
    }

    /// Genuine RTCP came under this SSRC.
    pub(in crate::rtc) fn confirm_reporter(&self, ssrc: u32) {
        self.streams.lock().unwrap_or_else(PoisonError::into_inner).confirm(ssrc);
    }

    /// Notes what a datagram that leaves says about its destination. Whether it may leave now: checks to where nobody
    /// has proved to be keep a pace.
    pub(in crate::rtc) fn observe_departure(&self, datagram: &[u8], from: SocketAddr, to: SocketAddr) -> bool {
        let Some(kind) = stun_kind(datagram) else { return true };
        let mut sources = self.sources.lock().unwrap_or_else(PoisonError::into_inner);
        match kind {
            BINDING_SUCCESS => remember(&mut sources.validated, to),
            BINDING_REQUEST => {
                let proven = sources.validated.contains(&to);
                let mut pace = self.pace.lock().unwrap_or_else(PoisonError::into_inner);
                if !proven && !pace.permits(from, to, MediaTime::now()) {
                    return false;
                }
                remember(&mut sources.asked, to);
            }
            _ => {}
        }
        true
    }

    /// Whether a datagram from `from` may reach the engine.
    pub(in crate::rtc) fn admits(&self, datagram: &[u8], from: SocketAddr) -> bool {
        let admitted = match stun_kind(datagram) {
            Some(BINDING_REQUEST) => self.admits_request(datagram, from),
            Some(_) => self.sources.lock().unwrap_or_else(PoisonError::into_inner).asked.contains(&from),
            None => self.is_validated(from) && self.admits_stream(datagram),
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

    fn is_validated(&self, from: SocketAddr) -> bool {
        self.sources.lock().unwrap_or_else(PoisonError::into_inner).validated.contains(&from)
    }

    fn admits_stream(&self, datagram: &[u8]) -> bool {
        let Some(datagram) = Datagram::read(datagram) else { return false };
        self.streams.lock().unwrap_or_else(PoisonError::into_inner).admits(datagram, MediaTime::now())
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

/// The signed part of a STUN request, and the signature (RFC 8489, 14.5).
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
#[path = "source_gate_tests.rs"]
mod tests;
