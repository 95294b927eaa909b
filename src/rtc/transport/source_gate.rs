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
//!   Answers pass from sources that requests were sent to: the agent verifies them before it acts on them.
//! - Everything else passes only from a source to which the agent has sent a Binding success response: the agent does
//!   that after it has verified a request's integrity with the password of this connection. Only DTLS passes so, and
//!   the packets of streams that the far side has ([`StreamGate`]): a source can be forged.
//! - Datagrams that a relay carries are taken out of their wrapping ([`Servers`]) and judged by the same rules, as of
//!   the address inside; an end that has proved itself through the relay has not proved itself elsewhere. Answers of
//!   servers pass, and are no sign of the far side: a living relay is no living peer.
//!
//! Called on the tokio task of one peer connection; state is a few addresses behind a lock that nobody else holds for
//! long.

use std::collections::VecDeque;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use rtc::crypto::{HmacAlgorithm, Mac, default_provider};
use tokio::sync::Notify;

use super::check_pace::CheckPace;
use super::direct_path::{Check, DirectPath, Pair};
use super::dtls_record::is_media;
use super::link::DATAGRAM_HEADERS;
use super::servers::{Datagram, Remote, Servers, is_stream_relay};
use super::stream_gate::{self, StreamGate};
use crate::call::Role;
use crate::media::MediaTime;
use crate::rtc::stats::MediaRoute;
use crate::stun::{
    BINDING_INDICATION, BINDING_REQUEST, BINDING_SUCCESS, Message, TRANSACTION_ID, USERNAME, error_of, looks_like_stun,
};

/// Numbers of the routes; 0 before any media.
const DIRECT: u8 = 1;
const RELAY_UDP: u8 = 2;
const RELAY_TLS: u8 = 3;
/// Sources remembered at most, of each kind. The far side has a handful of candidates.
const MAX_SOURCES: usize = 64;
/// Requests remembered at most: those of some minutes.
const MAX_REQUESTS: usize = 1024;

/// The gate of one peer connection, shared by its sockets.
#[derive(Debug)]
pub(in crate::rtc) struct SourceGate {
    servers: Mutex<Servers>,
    has_relays: bool,
    local: Mutex<Option<Credentials>>,
    sources: Mutex<Sources>,
    streams: Mutex<StreamGate>,
    pace: Mutex<CheckPace>,
    /// Relayed addresses of the far side.
    far_relays: Mutex<VecDeque<SocketAddr>>,
    /// Beside a relay, where this side may be seen by others than relays.
    direct: Option<Mutex<DirectPath>>,
    /// [`MediaRoute`] of the last datagram of media that left since the last ICE restart.
    route: AtomicU8,
    /// Answers of relays that came over UDP.
    answers: AtomicU64,
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
    validated: VecDeque<Remote>,
    /// Sent a request: they may reply.
    asked: VecDeque<Remote>,
    /// Signed requests by their transaction, and where each came from.
    requests: VecDeque<([u8; TRANSACTION_ID], Remote)>,
}

impl Default for SourceGate {
    fn default() -> Self {
        Self {
            servers: Mutex::default(),
            has_relays: false,
            local: Mutex::default(),
            sources: Mutex::default(),
            streams: Mutex::default(),
            pace: Mutex::new(CheckPace::new(MediaTime::now())),
            far_relays: Mutex::default(),
            direct: None,
            route: AtomicU8::default(),
            answers: AtomicU64::default(),
            refused: AtomicU64::default(),
            admitted_bytes: AtomicU64::default(),
            heard_us: AtomicU64::default(),
            arrival_awaited: AtomicBool::default(),
            arrival: Notify::default(),
        }
    }
}

impl SourceGate {
    /// A gate of a connection with these servers.
    pub(in crate::rtc) fn with_servers(servers: Servers) -> Self {
        let direct = (servers.has_relays() && !servers.is_relay_only()).then(Mutex::default);
        Self { has_relays: servers.has_relays(), servers: Mutex::new(servers), direct, ..Self::default() }
    }

    /// A socket of the connection is open.
    pub(in crate::rtc) fn opened(&self, socket: SocketAddr) {
        self.servers().opened(socket);
        self.with_direct(|direct| direct.opened(socket));
    }

    /// A socket of the connection is closed.
    pub(in crate::rtc) fn closed(&self, socket: SocketAddr) {
        self.servers().closed(socket);
        self.with_direct(|direct| direct.closed(socket));
    }

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
        self.route.store(0, Ordering::Relaxed);
        let mut sources = self.sources.lock().unwrap_or_else(PoisonError::into_inner);
        sources.validated.clear();
        sources.asked.clear();
        self.with_direct(|direct| direct.set_own(ufrag));
        Ok(())
    }

    /// Tells the gate the far side's credentials, with which checks of a direct path are signed, and this side's role.
    ///
    /// # Errors
    ///
    /// When the cryptography library cannot be used.
    pub(in crate::rtc) fn set_far_credentials(
        &self,
        role: Role,
        ufrag: &str,
        password: &str,
    ) -> Result<(), rtc::crypto::CryptoError> {
        self.with_direct(|direct| direct.set_far(role, ufrag, password)).unwrap_or(Ok(()))
    }

    /// A candidate of the far side is at this address, which may be a relay's.
    pub(in crate::rtc) fn note_far_candidate(&self, address: SocketAddr, is_relay: bool) {
        if is_relay {
            let mut relays = self.far_relays.lock().unwrap_or_else(PoisonError::into_inner);
            remember(&mut relays, address);
        } else {
            self.with_direct(|direct| direct.add_candidate(address));
        }
    }

    fn with_direct<T>(&self, act: impl FnOnce(&mut DirectPath) -> T) -> Option<T> {
        let direct = self.direct.as_ref()?;
        Some(act(&mut direct.lock().unwrap_or_else(PoisonError::into_inner)))
    }

    /// The direct pair that a datagram `inside` a relay's wrapping takes instead, if one is proven: media does, and
    /// nothing else.
    pub(in crate::rtc) fn instead_of_relay(&self, inside: &[u8], now: MediaTime) -> Option<Pair> {
        let pair = self.with_direct(|direct| is_media(inside).then(|| direct.instead(now)).flatten())??;
        self.route.store(DIRECT, Ordering::Relaxed);
        Some(pair)
    }

    /// Checks of a direct path that leave now.
    pub(in crate::rtc) fn direct_checks(&self, now: MediaTime) -> Vec<Check> {
        let mut checks = self.with_direct(|direct| direct.due(now)).unwrap_or_default();
        checks.retain(|Check { pair, datagram }| self.observe_departure(datagram, pair.from, pair.to).is_some());
        checks
    }

    /// A datagram that was let in: whether it answers a check of this gate's own, and is none of the engine's business.
    pub(in crate::rtc) fn takes(&self, datagram: &[u8], local: SocketAddr, from: SocketAddr, now: MediaTime) -> bool {
        if self.direct.is_none() || !looks_like_stun(datagram) || self.servers().is_relay(from) {
            return false;
        }
        let Some(message) = Message::read(datagram) else { return false };
        let pair = Pair { from: local, to: from };
        self.with_direct(|direct| {
            if message.kind() == BINDING_REQUEST {
                direct.was_checked(pair);
            }
            direct.answered(&message, pair, now)
        })
        .unwrap_or(false)
    }

    /// Way of the media that left last.
    pub(in crate::rtc) fn route(&self) -> MediaRoute {
        match self.route.load(Ordering::Relaxed) {
            RELAY_UDP => MediaRoute::RelayUdp,
            RELAY_TLS => MediaRoute::RelayTls,
            _ => MediaRoute::Direct,
        }
    }

    /// Whether the engine wraps media for a relay, or may come to do so.
    pub(in crate::rtc) fn may_be_relayed(&self) -> bool {
        self.has_relays && (self.route.load(Ordering::Relaxed) != DIRECT || self.is_beside_relay())
    }

    /// Whether the engine's pair leads by a relay, and media perhaps not.
    fn is_beside_relay(&self) -> bool {
        self.with_direct(|direct| direct.is_relayed(MediaTime::now())) == Some(true)
    }

    /// Takes media back to the relay where it left from an address that this computer `has` no more; false where it did
    /// not.
    pub(in crate::rtc) fn lose_direct_address(&self, has: impl Fn(IpAddr) -> bool) -> bool {
        self.with_direct(|direct| direct.lose_address(has)) == Some(true)
    }

    /// Answers of relays that have come over UDP so far.
    pub(in crate::rtc) fn relay_answers_over_udp(&self) -> u64 {
        self.answers.load(Ordering::Relaxed)
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

    /// Notes the meaning of a datagram that leaves for its destination. The datagram without a relay's wrapping, or
    /// `None` where it must not leave now: checks to where nobody has proved to be keep a pace, and with relays alone
    /// nothing leaves for anybody else.
    pub(in crate::rtc) fn observe_departure<'a>(
        &self,
        datagram: &'a [u8],
        from: SocketAddr,
        to: SocketAddr,
    ) -> Option<&'a [u8]> {
        let read = self.servers().outgoing(datagram, from, to);
        match read {
            Datagram::OfServer => Some(datagram),
            Datagram::OfPeer(remote, datagram) => self.departs(datagram, from, remote).then_some(datagram),
            Datagram::Refused => None,
        }
    }

    fn departs(&self, datagram: &[u8], from: SocketAddr, to: Remote) -> bool {
        let Some(message) = Message::read(datagram) else {
            let of_far_relay =
                || self.far_relays.lock().unwrap_or_else(PoisonError::into_inner).contains(&to.address());
            let route = match to.relay() {
                // It is sent another way.
                Some(_) if self.with_direct(|direct| direct.is_proven()) == Some(true) && is_media(datagram) => {
                    return true;
                }
                Some(relay) if is_stream_relay(relay) => RELAY_TLS,
                Some(_) => RELAY_UDP,
                None if of_far_relay() => RELAY_UDP,
                None => DIRECT,
            };
            self.route.store(route, Ordering::Relaxed);
            return true;
        };
        let mut sources = self.sources.lock().unwrap_or_else(PoisonError::into_inner);
        match message.kind() {
            BINDING_SUCCESS => remember(&mut sources.validated, to),
            BINDING_REQUEST => {
                let proven = sources.validated.contains(&to);
                let mut pace = self.pace.lock().unwrap_or_else(PoisonError::into_inner);
                if !proven && !pace.permits(to.relay().unwrap_or(from), to.address(), MediaTime::now()) {
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
        let (read, is_udp_relay) = {
            let mut servers = self.servers();
            (servers.incoming(datagram, from), servers.is_relay(from) && !is_stream_relay(from))
        };
        let (admitted, of_peer) = match read {
            Datagram::OfServer => {
                self.answers.fetch_add(u64::from(is_udp_relay), Ordering::Relaxed);
                (true, false)
            }
            Datagram::OfPeer(remote, inside) => {
                let admitted = self.admits_of_peer(inside, remote);
                if admitted {
                    self.hear_of_peer(inside, remote);
                }
                (admitted, true)
            }
            Datagram::Refused => (false, false),
        };
        if admitted && of_peer {
            self.admitted_bytes.fetch_add((datagram.len() + DATAGRAM_HEADERS) as u64, Ordering::Relaxed);
            if self.arrival_awaited.load(Ordering::Acquire) {
                self.arrival.notify_one();
            }
        }
        if !admitted {
            self.refused.fetch_add(1, Ordering::Relaxed);
        }
        admitted
    }

    /// Notes that the path lives. Checks of a direct path beside a relay tell nothing of it: media and the relayed pair
    /// do.
    fn hear_of_peer(&self, inside: &[u8], from: Remote) {
        if from.relay().is_some() {
            self.with_direct(|direct| direct.heard_by_relay(MediaTime::now()));
        } else if looks_like_stun(inside) && self.is_beside_relay() {
            return;
        }
        self.hear();
    }

    fn servers(&self) -> MutexGuard<'_, Servers> {
        self.servers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn admits_of_peer(&self, datagram: &[u8], from: Remote) -> bool {
        let sources = || self.sources.lock().unwrap_or_else(PoisonError::into_inner);
        match Message::read(datagram) {
            Some(message) => match message.kind() {
                BINDING_REQUEST => self.admits_request(&message, from),
                kind if kind == BINDING_SUCCESS || kind == error_of(BINDING_REQUEST) || kind == BINDING_INDICATION => {
                    sources().asked.contains(&from)
                }
                _ => false,
            },
            // The engine tells STUN by the magic cookie alone.
            None => !looks_like_stun(datagram) && sources().validated.contains(&from) && self.admits_stream(datagram),
        }
    }

    fn admits_stream(&self, datagram: &[u8]) -> bool {
        let Some(datagram) = stream_gate::Datagram::read(datagram) else { return false };
        self.streams.lock().unwrap_or_else(PoisonError::into_inner).admits(datagram, MediaTime::now())
    }

    fn admits_request(&self, request: &Message<'_>, from: Remote) -> bool {
        let mut local = self.local.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(local) = local.as_mut() else { return false };
        let named = request.value(USERNAME).is_some_and(|name| name.starts_with(local.user_name.as_bytes()));
        if !named || !request.is_signed_by(&mut *local.mac) {
            return false;
        }
        let transaction = request.transaction();
        let requests = &mut self.sources.lock().unwrap_or_else(PoisonError::into_inner).requests;
        match requests.iter().rev().find(|(known, _)| *known == transaction) {
            Some((_, first)) => *first == from,
            None => {
                if requests.len() >= MAX_REQUESTS {
                    requests.pop_front();
                }
                requests.push_back((transaction, from));
                true
            }
        }
    }
}

fn remember<T: PartialEq>(sources: &mut VecDeque<T>, source: T) {
    if sources.contains(&source) {
        return;
    }
    if sources.len() >= MAX_SOURCES {
        sources.pop_front();
    }
    sources.push_back(source);
}

#[cfg(test)]
#[path = "source_gate_tests.rs"]
mod tests;

#[cfg(test)]
#[path = "source_gate_relay_tests.rs"]
mod relay_tests;
