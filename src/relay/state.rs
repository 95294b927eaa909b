//! State of the relay: a datagram in, at most one out.

use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rtc::crypto::{CryptoError, HmacAlgorithm, RTCCryptoProvider, default_provider};

use super::accounts::{Accounts, Requests};
use super::allocation::{Allocation, NotBound};
use super::answer::{self, Refusal, Success};
use super::limits::{Config, Limits};
use super::{credential, nonce};
use crate::network::{canonical, is_reserved};
use crate::stun::{
    ALLOCATE_REQUEST, BINDING_REQUEST, CHANNEL_BIND_REQUEST, CHANNEL_NUMBER, CREATE_PERMISSION_REQUEST, ChannelData,
    DATA, EVEN_PORT, LIFETIME, MESSAGE_INTEGRITY, Message, NONCE, REALM, REFRESH_REQUEST, REQUESTED_ADDRESS_FAMILY,
    REQUESTED_TRANSPORT, RESERVATION_TOKEN, SEND_INDICATION, TRANSACTION_ID, USERNAME, XOR_PEER_ADDRESS, is_channel,
    read_xor_address,
};

/// A client that has been silent for this long gives its allocation up to another one of the same credential: it has
/// moved to another network. Connections send something each 400 ms.
const SILENT: Duration = Duration::from_secs(5);
/// Bytes of a message at most: a datagram of media with all that is put around it.
pub(super) const MAX_MESSAGE: usize = 2048;
/// Headers of IPv4 and UDP, which count as data does.
const HEADERS: usize = 28;
const UDP: u8 = 17;
const IPV4: u8 = 1;

/// The present on both clocks.
#[derive(Clone, Copy, Debug)]
pub struct Moment {
    /// The monotonic clock: lifetimes and rates.
    pub now: Instant,
    /// The wall clock, in seconds since 1970: nonces and the ends of credentials.
    pub unix_s: u64,
}

/// Carrier between a client and the relay.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Transport {
    /// A UDP socket of the relay, by its number.
    Udp(usize),
    /// A stream (TCP or TLS), by its number.
    Stream(u64),
}

/// A client, by the carrier and its address there: what RFC 8656 calls a 5-tuple.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Client {
    /// The carrier.
    pub transport: Transport,
    /// The client's end. An IPv4-mapped IPv6 address is the same client's as the IPv4 address, and becomes that.
    pub address: SocketAddr,
}

impl Client {
    fn canonical(self) -> Self {
        Self { address: canonical(self.address), ..self }
    }
}

/// A datagram or message that leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Output<'a> {
    /// The client that gets it.
    pub to: Client,
    /// The message, padded where it goes by a stream.
    pub bytes: &'a [u8],
}

/// Counts since the start, and the present number of allocations.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// Allocations that there are.
    pub allocations: usize,
    /// Allocations that were made.
    pub allocated: u64,
    /// Datagrams that were passed on.
    pub relayed_datagrams: u64,
    /// Their bytes, without headers.
    pub relayed_bytes: u64,
    /// Datagrams for nobody: empty ones, and those without an allocation or one of the two permissions.
    pub unwanted_datagrams: u64,
    /// Datagrams beyond a rate.
    pub throttled_datagrams: u64,
    /// Requests beyond a rate, which were not answered.
    pub throttled_requests: u64,
    /// Requests that were refused, first ones without a credential left out: TURN's clients ask for a nonce by them.
    pub refused_requests: u64,
    /// Those of them that would have been over a limit: a credential's allocations, all clients' allocations, or the
    /// permissions and channels of an allocation.
    pub over_quota_requests: u64,
}

/// The relay without its I/O.
pub struct Relay {
    config: Config,
    provider: Arc<dyn RTCCryptoProvider>,
    allocations: HashMap<Client, Allocation>,
    by_number: HashMap<SocketAddr, Client>,
    accounts: Accounts,
    requests: Requests,
    /// Numbers and indications so far, from which the next ones are made.
    made: u64,
    figures: Figures,
    /// The message that leaves.
    output: Vec<u8>,
}

impl std::fmt::Debug for Relay {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Relay").field("figures", &self.figures).finish_non_exhaustive()
    }
}

impl Relay {
    /// A relay without allocations.
    ///
    /// # Errors
    ///
    /// When the cryptography library cannot be used.
    pub fn new(config: Config, now: Instant) -> Result<Self, CryptoError> {
        Ok(Self {
            provider: default_provider()?,
            accounts: Accounts::new(config.limits, now),
            requests: Requests::new(&config.secret, now),
            config,
            allocations: HashMap::new(),
            by_number: HashMap::new(),
            made: 0,
            figures: Figures::default(),
            output: Vec::with_capacity(MAX_MESSAGE),
        })
    }

    /// Counts, and the present number of allocations.
    pub fn figures(&self) -> Figures {
        Figures { allocations: self.allocations.len(), ..self.figures }
    }

    /// Takes a datagram, or a message of a stream. Returns what leaves because of it.
    pub fn receive(&mut self, moment: Moment, from: Client, datagram: &[u8]) -> Option<Output<'_>> {
        if datagram.len() > MAX_MESSAGE {
            return None;
        }
        let (from, now) = (from.canonical(), moment.now);
        if let Some(allocation) = self.allocations.get_mut(&from) {
            allocation.heard = now;
        }
        let to = if let Some(channel) = ChannelData::read(datagram) {
            let peer = self.live(from, now).and_then(|allocation| allocation.peer_on(channel.number, now));
            self.pass_on(now, from, peer, channel.data)?
        } else {
            let message = Message::read(datagram)?;
            if message.kind() == SEND_INDICATION {
                let peer = message.value(XOR_PEER_ADDRESS);
                let peer = peer.and_then(|value| read_xor_address(value, message.transaction()));
                self.pass_on(now, from, peer, message.value(DATA)?)?
            } else {
                self.output = self.answer(moment, from, &message)?;
                from
            }
        };
        Some(Output { to, bytes: &self.output })
    }

    /// A stream has ended, and its allocation with it.
    pub fn closed(&mut self, client: Client, now: Instant) {
        self.end(client.canonical(), now);
    }

    /// Whether the client has an allocation.
    pub(super) fn has_allocation(&self, client: Client, now: Instant) -> bool {
        self.live(client.canonical(), now).is_some()
    }

    /// Forgets allocations whose time is over. To be called each second or so.
    pub fn expire(&mut self, now: Instant) {
        let over = |(client, allocation): (&Client, &Allocation)| (allocation.expires <= now).then_some(*client);
        let over: Vec<Client> = self.allocations.iter().filter_map(over).collect();
        over.into_iter().for_each(|client| self.end(client, now));
        self.accounts.expire(now);
    }

    fn end(&mut self, client: Client, now: Instant) {
        if let Some(allocation) = self.allocations.remove(&client) {
            self.by_number.remove(&allocation.number);
            self.accounts.close(&allocation.username, now);
        }
    }

    fn live(&self, client: Client, now: Instant) -> Option<&Allocation> {
        self.allocations.get(&client).filter(|allocation| allocation.expires > now)
    }

    /// Writes `data` as it goes to the client that has the number `peer`, where both have permitted each other.
    fn pass_on(&mut self, now: Instant, from: Client, peer: Option<SocketAddr>, data: &[u8]) -> Option<Client> {
        let ends = peer.and_then(|peer| {
            let to = *self.by_number.get(&peer)?;
            let (sender, receiver) = (self.live(from, now)?, self.live(to, now)?);
            let wanted = sender.permits(peer.ip(), now) && receiver.permits(sender.number.ip(), now);
            (wanted && !data.is_empty()).then_some((to, sender, receiver))
        });
        let Some((to, sender, receiver)) = ends else {
            self.figures.unwanted_datagrams += 1;
            return None;
        };
        let (number, channel) = (sender.number, receiver.channel_to(sender.number, now));
        let ends = (Arc::clone(&sender.username), Arc::clone(&receiver.username));
        let padded = matches!(to.transport, Transport::Stream(_));
        let length = answer::length_of(channel, data.len(), padded) + HEADERS;
        if !self.accounts.carry(&ends.0, &ends.1, length, now) {
            self.figures.throttled_datagrams += 1;
            return None;
        }
        self.figures.relayed_datagrams += 1;
        self.figures.relayed_bytes += data.len() as u64;
        match channel {
            Some(channel) => {
                answer::channel_data(channel, data, padded, &mut self.output);
            }
            None => {
                let transaction = self.next(b"indication")?;
                answer::data_indication(number, transaction, data, &mut self.output);
            }
        }
        Some(to)
    }

    /// The answer to a request; `None` where there is none: for other messages, and beyond the rates.
    fn answer(&mut self, moment: Moment, from: Client, request: &Message<'_>) -> Option<Vec<u8>> {
        let kinds =
            [BINDING_REQUEST, ALLOCATE_REQUEST, REFRESH_REQUEST, CREATE_PERMISSION_REQUEST, CHANNEL_BIND_REQUEST];
        if !kinds.contains(&request.kind()) {
            return None;
        }
        let in_time = match self.allocations.get_mut(&from) {
            Some(allocation) => allocation.requests.take(moment.now),
            None => {
                self.requests.take(from.address.ip(), moment.now)
                    && (self.is_reachable(moment, from, request) || self.requests.take_of_all(moment.now))
            }
        };
        if !in_time {
            self.figures.throttled_requests += 1;
            return None;
        }
        let provider = Arc::clone(&self.provider);
        if request.kind() == BINDING_REQUEST {
            let mapped = Success { mapped: Some(from.address), ..Success::default() };
            return answer::success(request, mapped, None, provider.crypto());
        }
        let refuse = |relay: &mut Self, refusal: Refusal, key: Option<&[u8]>| {
            relay.figures.refused_requests += u64::from(request.value(MESSAGE_INTEGRITY).is_some());
            let is_over_quota = matches!(refusal, Refusal::AllocationQuota | Refusal::InsufficientCapacity);
            relay.figures.over_quota_requests += u64::from(is_over_quota);
            let crypto = provider.crypto();
            let asks = matches!(refusal, Refusal::Unauthorized | Refusal::StaleNonce);
            let nonce = || nonce::make(crypto, &relay.config.secret, from.address, moment.unix_s).ok();
            let nonce = if asks { nonce() } else { None };
            answer::refusal(request, refusal, (&relay.config.realm, nonce), key, crypto)
        };
        let signer = match self.authenticate(moment, from, request) {
            Ok(signer) => signer,
            Err(refusal) => return refuse(self, refusal, None),
        };
        let outcome = if answer::unknown_attributes(request).next().is_some() {
            Err(Refusal::UnknownAttribute)
        } else {
            self.carry_out(moment, from, request, &signer)
        };
        match outcome {
            Ok(success) => answer::success(request, success, Some(&signer.key), provider.crypto()),
            Err(refusal) => refuse(self, refusal, Some(&signer.key)),
        }
    }

    /// Whether the client is where its address says: a stream was opened from there, or a nonce has arrived there.
    fn is_reachable(&self, moment: Moment, from: Client, request: &Message<'_>) -> bool {
        let (crypto, secret) = (self.provider.crypto(), &self.config.secret);
        let knows = |nonce| nonce::is_valid(crypto, secret, from.address, moment.unix_s, nonce);
        matches!(from.transport, Transport::Stream(_)) || request.value(NONCE).is_some_and(knows)
    }

    /// Checks the long-term credential of a request (RFC 8489, 9.2.4). Keeps nothing.
    fn authenticate(&self, moment: Moment, from: Client, request: &Message<'_>) -> Result<Signer, Refusal> {
        if request.value(MESSAGE_INTEGRITY).is_none() {
            return Err(Refusal::Unauthorized);
        }
        let text = |kind| request.value(kind).and_then(|value| std::str::from_utf8(value).ok());
        let (Some(username), Some(realm), Some(nonce)) = (text(USERNAME), text(REALM), request.value(NONCE)) else {
            return Err(Refusal::BadRequest);
        };
        let (crypto, Config { secret, realm: own_realm, .. }) = (self.provider.crypto(), &self.config);
        if !nonce::is_valid(crypto, secret, from.address, moment.unix_s, nonce) {
            return Err(Refusal::StaleNonce);
        }
        let left = credential::expiry(username).and_then(|expiry| expiry.checked_sub(moment.unix_s));
        let left = left.filter(|left| *left > 0 && realm == own_realm).ok_or(Refusal::Unauthorized)?;
        let unauthorized = |_| Refusal::Unauthorized;
        let key = credential::key(crypto, secret, realm, username).map_err(unauthorized)?;
        let mut mac = crypto.new_hmac(HmacAlgorithm::Sha1, &key).map_err(unauthorized)?;
        if !request.is_signed_by(&mut *mac) {
            return Err(Refusal::Unauthorized);
        }
        Ok(Signer { username: username.into(), key, left: Duration::from_secs(left) })
    }

    fn carry_out(
        &mut self,
        moment: Moment,
        from: Client,
        request: &Message<'_>,
        signer: &Signer,
    ) -> Result<Success, Refusal> {
        let now = moment.now;
        if self.live(from, now).is_some_and(|allocation| allocation.username != signer.username) {
            return Err(Refusal::WrongCredentials);
        }
        if request.kind() == ALLOCATE_REQUEST {
            return self.allocate(now, from, request, signer);
        }
        let allocation = self.allocations.get_mut(&from).filter(|allocation| allocation.expires > now);
        let allocation = allocation.ok_or(Refusal::AllocationMismatch)?;
        match request.kind() {
            REFRESH_REQUEST => {
                if family(request).is_some_and(|family| family != IPV4) {
                    return Err(Refusal::PeerFamilyMismatch);
                }
                let ends = request.value(LIFETIME).is_some_and(|value| value == [0; 4]);
                let lifetime = if ends { Duration::ZERO } else { Limits::LIFETIME.min(signer.left) };
                allocation.expires = now + lifetime;
                if ends {
                    self.end(from, now);
                }
                Ok(Success { lifetime: Some(lifetime), ..Success::default() })
            }
            CREATE_PERMISSION_REQUEST => {
                let peers = peers(request)?;
                let permitted = peers.iter().all(|peer| allocation.permit(peer.ip(), now));
                if permitted { Ok(Success::default()) } else { Err(Refusal::InsufficientCapacity) }
            }
            CHANNEL_BIND_REQUEST => {
                let number = request.value(CHANNEL_NUMBER).and_then(|value| value.first_chunk::<2>());
                let number = number.map(|number| u16::from_be_bytes(*number)).filter(|number| is_channel(*number));
                let peers = peers(request)?;
                let (Some(number), &[peer]) = (number, peers.as_slice()) else { return Err(Refusal::BadRequest) };
                allocation.bind(number, peer, now).map(|()| Success::default()).map_err(|reason| match reason {
                    NotBound::Mismatch => Refusal::BadRequest,
                    NotBound::Full => Refusal::InsufficientCapacity,
                })
            }
            _ => Err(Refusal::BadRequest),
        }
    }

    fn allocate(
        &mut self,
        now: Instant,
        from: Client,
        request: &Message<'_>,
        signer: &Signer,
    ) -> Result<Success, Refusal> {
        let made = |allocation: &Allocation| Success {
            mapped: Some(from.address),
            relayed: Some(allocation.number),
            lifetime: Some(allocation.expires.saturating_duration_since(now)),
        };
        if let Some(allocation) = self.live(from, now) {
            let again = allocation.transaction == request.transaction();
            return if again { Ok(made(allocation)) } else { Err(Refusal::AllocationMismatch) };
        }
        match request.value(REQUESTED_TRANSPORT) {
            Some([UDP, ..]) => {}
            Some(_) => return Err(Refusal::TransportNotSupported),
            None => return Err(Refusal::BadRequest),
        }
        if family(request).is_some_and(|family| family != IPV4) {
            return Err(Refusal::FamilyNotSupported);
        }
        let even = request.value(EVEN_PORT);
        if request.value(RESERVATION_TOKEN).is_some()
            || even.is_some_and(|value| value.first().is_none_or(|flags| flags & 0x80 != 0))
        {
            return Err(Refusal::InsufficientCapacity);
        }
        self.end(from, now);
        self.make_room(&signer.username, now)?;
        let number = self.new_number(even.is_some()).ok_or(Refusal::InsufficientCapacity)?;
        if !self.accounts.open(&signer.username, now) {
            return Err(Refusal::InsufficientCapacity);
        }
        let expires = now + Limits::LIFETIME.min(signer.left);
        let username = Arc::clone(&signer.username);
        let allocation = Allocation::new(username, number, request.transaction(), expires, now);
        let success = made(&allocation);
        self.by_number.insert(number, from);
        self.allocations.insert(from, allocation);
        self.figures.allocated += 1;
        Ok(success)
    }

    /// Makes room for one more allocation of a credential, within its quota and that of the relay.
    fn make_room(&mut self, username: &Arc<str>, now: Instant) -> Result<(), Refusal> {
        let Limits { allocations, allocations_per_credential, .. } = self.config.limits;
        if self.accounts.allocations(username) >= allocations_per_credential {
            let own = self.allocations.iter().filter(|(_, allocation)| allocation.username == *username);
            let silent = own.min_by_key(|(_, allocation)| allocation.heard).map(|(client, it)| (*client, it.heard));
            let silent = silent.filter(|(_, heard)| now.saturating_duration_since(*heard) >= SILENT);
            self.end(silent.ok_or(Refusal::AllocationQuota)?.0, now);
        }
        if self.allocations.len() >= allocations { Err(Refusal::InsufficientCapacity) } else { Ok(()) }
    }

    /// A relayed address that nobody has: in a block that no network routes, and one for each allocation, so that a
    /// permission is for one client.
    fn new_number(&mut self, even_port: bool) -> Option<SocketAddr> {
        loop {
            let [a, b, c, d, port @ ..] = *self.next(b"number")?.first_chunk::<6>()?;
            let ip = Ipv4Addr::from([a | 240, b, c, d]);
            let port = u16::from_be_bytes(port).max(1024) & if even_port { !1 } else { !0 };
            let taken = self.by_number.keys().any(|number| number.ip() == ip);
            if is_reserved(ip.into()) && !taken {
                return Some(SocketAddr::new(ip.into(), port));
            }
        }
    }

    /// Bytes that nobody else can foresee, the same ones in each run with the same secret.
    fn next(&mut self, label: &[u8]) -> Option<[u8; TRANSACTION_ID]> {
        self.made += 1;
        let mut tag = [0; 32];
        let mut mac = self.provider.crypto().new_hmac(HmacAlgorithm::Sha256, &self.config.secret).ok()?;
        mac.sign(&[label, &self.made.to_be_bytes()], &mut tag).ok()?;
        tag.first_chunk().copied()
    }

    #[cfg(test)]
    pub(super) fn accounts(&self) -> usize {
        self.accounts.len()
    }
}

/// The credential that has signed a request.
struct Signer {
    username: Arc<str>,
    key: Vec<u8>,
    /// Until it ends.
    left: Duration,
}

fn family(request: &Message<'_>) -> Option<u8> {
    request.value(REQUESTED_ADDRESS_FAMILY)?.first().copied()
}

/// The peers that a request names: at least one, all of IPv4.
fn peers(request: &Message<'_>) -> Result<Vec<SocketAddr>, Refusal> {
    let values = request.attributes().filter(|(kind, _)| *kind == XOR_PEER_ADDRESS);
    let peers: Option<Vec<SocketAddr>> =
        values.map(|(_, value)| read_xor_address(value, request.transaction())).collect();
    let peers = peers.filter(|peers| !peers.is_empty()).ok_or(Refusal::BadRequest)?;
    if peers.iter().all(SocketAddr::is_ipv4) { Ok(peers) } else { Err(Refusal::PeerFamilyMismatch) }
}
