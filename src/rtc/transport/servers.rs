//! STUN and TURN servers of a connection, as the source gate knows them: their answers are told from a far side's
//! datagrams, and datagrams that a relay carries are taken out of their wrapping (RFC 8656).
//!
//! ```text
//! out   Send indication, ChannelData -> the datagram inside, and the peer that it is for
//!       CreatePermission, ChannelBind -> noted: nobody else's datagrams are taken out on the way in
//! in    Data indication, ChannelData -> the datagram inside, and the peer that it is from
//!       answers -> the engine; the server alone can send them, and they are no sign of a far side
//! ```
//!
//! Pure but for the route to a relay, which the system is asked for.

use std::collections::VecDeque;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use crate::network;
use crate::stun::{
    ALLOCATE_REQUEST, BINDING_REQUEST, CHANNEL_BIND_REQUEST, CHANNEL_NUMBER, CREATE_PERMISSION_REQUEST, ChannelData,
    DATA, DATA_INDICATION, Message, REFRESH_REQUEST, SEND_INDICATION, XOR_PEER_ADDRESS, XOR_RELAYED_ADDRESS, error_of,
    looks_like_stun, read_xor_address, success_of,
};

/// Dummy address of a relay that is reached by a stream, for each family (RFC 7600, 4.8; RFC 6666): no datagram for it
/// ever leaves.
pub(in crate::rtc) const STREAM_RELAYS: [SocketAddr; 2] = [
    SocketAddr::new(IpAddr::V4(Ipv4Addr::new(192, 0, 0, 8)), 3478),
    SocketAddr::new(IpAddr::V6(Ipv6Addr::new(0x100, 0, 0, 0, 0, 0, 0, 1)), 3478),
];
/// Peers and channels remembered at most, of each relay. The far side has a handful of candidates.
const MAX_PEERS: usize = 64;

/// Requests that a server answers.
const REQUESTS: [u16; 5] =
    [BINDING_REQUEST, ALLOCATE_REQUEST, REFRESH_REQUEST, CREATE_PERMISSION_REQUEST, CHANNEL_BIND_REQUEST];

/// True for the address of a relay that is reached by a stream.
pub(in crate::rtc) fn is_stream_relay(address: SocketAddr) -> bool {
    STREAM_RELAYS.contains(&address)
}

/// The other end of a datagram's way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Remote {
    /// None on a direct way.
    relay: Option<SocketAddr>,
    address: SocketAddr,
}

impl Remote {
    pub(super) const fn direct(address: SocketAddr) -> Self {
        Self { relay: None, address }
    }

    /// The relay that carries it.
    pub(super) const fn relay(self) -> Option<SocketAddr> {
        self.relay
    }

    /// The address at the other end.
    pub(super) const fn address(self) -> SocketAddr {
        self.address
    }
}

/// Meaning of a datagram that leaves or comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Datagram<'a> {
    /// Between this side and a server.
    OfServer,
    /// Between this side and another end: the datagram without the relay's wrapping.
    OfPeer(Remote, &'a [u8]),
    /// Nobody's.
    Refused,
}

/// The servers of one connection.
#[derive(Debug, Default)]
pub(in crate::rtc) struct Servers {
    stun: Vec<SocketAddr>,
    relays: Vec<Relay>,
    /// Nothing but a relay may see this side.
    relay_only: bool,
    /// Addresses of the connection's sockets.
    sockets: Vec<SocketAddr>,
}

#[derive(Debug)]
struct Relay {
    address: SocketAddr,
    /// It passes data between its own clients alone: its relayed address is in no network.
    closed: bool,
    permitted: VecDeque<IpAddr>,
    channels: VecDeque<(u16, SocketAddr)>,
}

impl Servers {
    /// Servers by their addresses.
    pub(in crate::rtc) fn new(
        stun: impl IntoIterator<Item = SocketAddr>,
        relays: impl IntoIterator<Item = SocketAddr>,
        relay_only: bool,
    ) -> Self {
        let relay = |address| Relay { address, closed: false, permitted: VecDeque::new(), channels: VecDeque::new() };
        Self {
            stun: stun.into_iter().collect(),
            relays: relays.into_iter().map(relay).collect(),
            relay_only,
            sockets: Vec::new(),
        }
    }

    /// True with a relay at least.
    pub(super) fn has_relays(&self) -> bool {
        !self.relays.is_empty()
    }

    /// True where nothing but a relay may see this side.
    pub(super) const fn is_relay_only(&self) -> bool {
        self.relay_only
    }

    /// True for a relay's address, that of one reached by a stream included.
    pub(super) fn is_relay(&self, address: SocketAddr) -> bool {
        self.relays.iter().any(|relay| relay.address == address)
    }

    /// A socket of the connection is open.
    pub(super) fn opened(&mut self, socket: SocketAddr) {
        self.sockets.push(socket);
    }

    /// A socket of the connection is closed.
    pub(super) fn closed(&mut self, socket: SocketAddr) {
        self.sockets.retain(|open| *open != socket);
    }

    /// Reads a datagram that leaves a socket.
    pub(super) fn outgoing<'a>(&mut self, datagram: &'a [u8], from: SocketAddr, to: SocketAddr) -> Datagram<'a> {
        let Some(place) = self.relays.iter().position(|relay| relay.address == to) else {
            let hidden = self.relay_only || network::is_reserved(to.ip());
            return match hidden {
                true => Datagram::Refused,
                false if self.stun.contains(&to) => Datagram::OfServer,
                false => Datagram::OfPeer(Remote::direct(to), datagram),
            };
        };
        let message = Message::read(datagram);
        if message.is_some_and(|message| message.kind() == ALLOCATE_REQUEST) && self.carrier(to) != Some(from) {
            return Datagram::Refused;
        }
        match self.relays.get_mut(place) {
            Some(relay) => relay.outgoing(datagram, message),
            None => Datagram::Refused,
        }
    }

    /// Reads a datagram that comes.
    pub(super) fn incoming<'a>(&mut self, datagram: &'a [u8], from: SocketAddr) -> Datagram<'a> {
        if let Some(relay) = self.relays.iter_mut().find(|relay| relay.address == from) {
            relay.incoming(datagram)
        } else if self.relay_only {
            Datagram::Refused
        } else if self.stun.contains(&from) {
            let answer = |message: Message<'_>| is_answer_to(message.kind(), &[BINDING_REQUEST]);
            if Message::read(datagram).is_some_and(answer) { Datagram::OfServer } else { Datagram::Refused }
        } else {
            Datagram::OfPeer(Remote::direct(from), datagram)
        }
    }

    /// The one socket that asks a relay for an allocation: the one on the route to it, or else one of its family; the
    /// newest, as a restart opens new ones beside the old. Each socket would ask for an allocation of its own. A stream
    /// to a relay has room for one.
    fn carrier(&self, relay: SocketAddr) -> Option<SocketAddr> {
        if relay == STREAM_RELAYS[1] && self.sockets.iter().any(SocketAddr::is_ipv4) {
            return None;
        }
        let route = network::source_for(relay);
        let of_family = || self.sockets.iter().rev().filter(|socket| socket.is_ipv4() == relay.is_ipv4());
        of_family().find(|socket| Some(socket.ip()) == route).or_else(|| of_family().next()).copied()
    }
}

impl Relay {
    fn outgoing<'a>(&mut self, datagram: &'a [u8], message: Option<Message<'a>>) -> Datagram<'a> {
        let Some(message) = message else {
            return match ChannelData::read(datagram) {
                Some(channel) => {
                    self.on_channel(channel.number).map_or(Datagram::Refused, |peer| self.carry(peer, channel.data))
                }
                None => Datagram::Refused,
            };
        };
        match message.kind() {
            SEND_INDICATION => match carried(&message) {
                Some((peer, data)) => self.carry(peer, data),
                None => Datagram::Refused,
            },
            kind if REQUESTS.contains(&kind) => {
                self.note_request(&message);
                Datagram::OfServer
            }
            _ => Datagram::Refused,
        }
    }

    /// A closed relay would drop data for an address that is not one of its own.
    fn carry<'a>(&self, peer: SocketAddr, data: &'a [u8]) -> Datagram<'a> {
        if self.closed && !network::is_reserved(peer.ip()) {
            return Datagram::Refused;
        }
        Datagram::OfPeer(Remote { relay: Some(self.address), address: peer }, data)
    }

    fn note_request(&mut self, request: &Message<'_>) {
        match request.kind() {
            ALLOCATE_REQUEST => (self.permitted, self.channels) = Default::default(),
            CREATE_PERMISSION_REQUEST => peers(request).for_each(|peer| remember(&mut self.permitted, peer.ip())),
            CHANNEL_BIND_REQUEST => {
                let Some(peer) = peers(request).next() else { return };
                let number = request.value(CHANNEL_NUMBER).and_then(|value| value.first_chunk());
                let Some(number) = number.map(|number| u16::from_be_bytes(*number)) else { return };
                self.channels.retain(|(channel, _)| *channel != number);
                remember(&mut self.channels, (number, peer));
                remember(&mut self.permitted, peer.ip());
            }
            _ => {}
        }
    }

    fn incoming<'a>(&mut self, datagram: &'a [u8]) -> Datagram<'a> {
        let taken_out = match Message::read(datagram) {
            None => ChannelData::read(datagram).and_then(|it| Some((self.on_channel(it.number)?, it.data))),
            Some(message) if message.kind() == DATA_INDICATION => carried(&message),
            Some(message) if is_answer_to(message.kind(), &REQUESTS) => {
                self.note_answer(&message);
                return Datagram::OfServer;
            }
            Some(_) => None,
        };
        let remote = |address| Remote { relay: Some(self.address), address };
        match taken_out {
            // The engine would take ChannelData for STUN where the magic cookie stands at its place in the whole.
            Some((peer, data)) if self.permitted.contains(&peer.ip()) && !is_ambiguous(datagram) => {
                Datagram::OfPeer(remote(peer), data)
            }
            _ => Datagram::Refused,
        }
    }

    fn note_answer(&mut self, answer: &Message<'_>) {
        if answer.kind() == success_of(ALLOCATE_REQUEST) {
            let relayed = answer.value(XOR_RELAYED_ADDRESS);
            let relayed = relayed.and_then(|value| read_xor_address(value, answer.transaction()));
            self.closed = relayed.is_some_and(|relayed| network::is_reserved(relayed.ip()));
        }
    }

    fn on_channel(&self, number: u16) -> Option<SocketAddr> {
        self.channels.iter().find(|(channel, _)| *channel == number).map(|(_, peer)| *peer)
    }
}

fn is_ambiguous(datagram: &[u8]) -> bool {
    looks_like_stun(datagram) && Message::read(datagram).is_none()
}

fn is_answer_to(kind: u16, requests: &[u16]) -> bool {
    requests.iter().any(|request| kind == success_of(*request) || kind == error_of(*request))
}

/// Peer and datagram of a Send or Data indication; `None` where one of them is missing or comes twice.
fn carried<'a>(indication: &Message<'a>) -> Option<(SocketAddr, &'a [u8])> {
    let once = |wanted| {
        let mut values = indication.attributes().filter(move |(kind, _)| *kind == wanted).map(|(_, value)| value);
        values.next().filter(|_| values.next().is_none())
    };
    Some((read_xor_address(once(XOR_PEER_ADDRESS)?, indication.transaction())?, once(DATA)?))
}

fn peers(request: &Message<'_>) -> impl Iterator<Item = SocketAddr> {
    let transaction = request.transaction();
    let addresses = request.attributes().filter(|(kind, _)| *kind == XOR_PEER_ADDRESS);
    addresses.filter_map(move |(_, value)| read_xor_address(value, transaction))
}

/// Adds an entry that is not among them, in place of the oldest where there are too many.
fn remember<T: PartialEq>(entries: &mut VecDeque<T>, entry: T) {
    if entries.contains(&entry) {
        return;
    }
    if entries.len() >= MAX_PEERS {
        entries.pop_front();
    }
    entries.push_back(entry);
}
