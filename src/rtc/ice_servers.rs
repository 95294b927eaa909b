//! STUN and TURN servers of a connection, by addresses that this side has resolved: the engine looks no name up, since
//! it would do so within the loop that media waits for.

use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use webrtc::peer_connection::{RTCIceServer, RTCIceTransportPolicy};

use super::transport::servers::{STREAM_RELAYS, Servers};
use super::transport::stream_relay::StreamConnector;
use crate::call::RelayUse;

/// Servers of each kind that are used; each costs a transaction a socket.
const MAX_SERVERS: usize = 4;
/// A relayed pair is nominated this long after the far side's credentials are known, and three round trips to the
/// server: two for addresses and checks of a direct pair, and one to spare.
const RELAY_WAIT: Duration = Duration::from_millis(250);
const MAX_RELAY_WAIT: Duration = Duration::from_millis(1500);

/// A TURN server over UDP, and the credential for it.
#[derive(Clone, PartialEq, Eq)]
pub struct RelayServer {
    /// Its address; a server of both families is two.
    pub address: SocketAddr,
    /// User name of the long-term credential (RFC 8489, 9.2).
    pub username: String,
    /// Password.
    pub password: String,
}

impl fmt::Debug for RelayServer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("RelayServer").finish_non_exhaustive()
    }
}

/// A TURN server over TLS, and the credential for it.
#[derive(Clone)]
pub struct StreamRelay {
    /// User name of the long-term credential.
    pub username: String,
    /// Password.
    pub password: String,
    /// Opens a stream to it.
    pub connector: StreamConnector,
}

impl fmt::Debug for StreamRelay {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("StreamRelay").finish_non_exhaustive()
    }
}

/// Servers that a connection asks for its addresses and for relayed ones.
#[derive(Clone, Debug, Default)]
pub struct IceServers {
    /// STUN servers, beside the relays, which answer STUN, too.
    pub stun: Vec<SocketAddr>,
    /// TURN servers.
    pub relays: Vec<RelayServer>,
    /// A TURN server by a stream, for networks that let no UDP pass.
    pub stream: Option<StreamRelay>,
    /// Round trip to the server.
    pub round_trip: Duration,
    /// When media goes through a relay.
    pub relay_use: RelayUse,
}

impl IceServers {
    fn relays(&self) -> impl Iterator<Item = &RelayServer> {
        let usable = |relay: &&RelayServer| !relay.username.is_empty() && !relay.password.is_empty();
        let wanted = self.relay_use != RelayUse::Never;
        self.relays.iter().filter(usable).take(if wanted { MAX_SERVERS } else { 0 })
    }

    fn stun(&self) -> impl Iterator<Item = SocketAddr> {
        let wanted = self.relay_use != RelayUse::Always;
        let all = self.stun.iter().copied().chain(self.relays.iter().map(|relay| relay.address));
        all.take(if wanted { MAX_SERVERS } else { 0 })
    }

    /// Nothing but relays may be used, and seen by the far side.
    pub(super) fn relay_only(&self) -> bool {
        self.relay_use == RelayUse::Always
    }

    /// The stream to a relay, where one is wanted.
    pub(super) fn stream(&self) -> Option<&StreamRelay> {
        self.stream.as_ref().filter(|_| self.relay_use != RelayUse::Never)
    }

    /// Relays as the engine knows them, those by a stream under dummy addresses.
    fn engine_relays(&self) -> Vec<RelayServer> {
        let mut relays: Vec<RelayServer> = self.relays().cloned().collect();
        if let Some(StreamRelay { username, password, .. }) = self.stream() {
            relays.extend(STREAM_RELAYS.map(|address| RelayServer {
                address,
                username: username.clone(),
                password: password.clone(),
            }));
        }
        relays
    }

    /// True where there is none.
    pub(super) fn is_empty(&self) -> bool {
        self.engine_relays().is_empty() && self.stun().next().is_none()
    }

    /// As the source gate knows them.
    pub(super) fn of_gate(&self) -> Servers {
        let relays = self.engine_relays();
        Servers::new(self.stun(), relays.iter().map(|relay| relay.address), self.relay_only())
    }

    /// As the engine is configured with them. Each address is a server of its own: the engine takes one address of a
    /// server for each socket.
    pub(super) fn of_engine(&self) -> (Vec<RTCIceServer>, RTCIceTransportPolicy) {
        let stun =
            self.stun().map(|address| RTCIceServer { urls: vec![format!("stun:{address}")], ..Default::default() });
        let relay = |relay: &RelayServer| RTCIceServer {
            urls: vec![format!("turn:{}?transport=udp", relay.address)],
            username: relay.username.clone(),
            credential: relay.password.clone(),
        };
        let policy = if self.relay_only() { RTCIceTransportPolicy::Relay } else { RTCIceTransportPolicy::All };
        (stun.chain(self.engine_relays().iter().map(relay)).collect(), policy)
    }

    /// How long a pair of a relayed candidate waits for a direct one.
    pub(super) fn relay_wait(&self) -> Duration {
        if self.relay_only() { Duration::ZERO } else { (RELAY_WAIT + 3 * self.round_trip).min(MAX_RELAY_WAIT) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn servers(relay_use: RelayUse) -> IceServers {
        let relay = |address: &str| RelayServer {
            address: address.parse().unwrap(),
            username: "1800000000:a".to_owned(),
            password: "secret".to_owned(),
        };
        IceServers {
            stun: vec!["192.0.2.2:3479".parse().unwrap()],
            relays: vec![relay("192.0.2.1:3478"), relay("[2001:db8::1]:3478")],
            round_trip: Duration::from_millis(50),
            relay_use,
            ..IceServers::default()
        }
    }

    fn urls(relay_use: RelayUse) -> Vec<String> {
        servers(relay_use).of_engine().0.into_iter().flat_map(|server| server.urls).collect()
    }

    #[test]
    fn each_address_is_a_server_that_the_engine_can_read() {
        let direct = ["stun:192.0.2.2:3479", "stun:192.0.2.1:3478", "stun:[2001:db8::1]:3478"];
        let relayed = ["turn:192.0.2.1:3478?transport=udp", "turn:[2001:db8::1]:3478?transport=udp"];
        assert_eq!(urls(RelayUse::Auto), [&direct[..], &relayed].concat());
        assert_eq!(urls(RelayUse::Always), relayed);
        assert_eq!(urls(RelayUse::Never), direct);
        for server in servers(RelayUse::Auto).of_engine().0 {
            assert!(server.urls().is_ok(), "{server:?}");
        }
        assert!(IceServers::default().is_empty() && !servers(RelayUse::Never).is_empty());
        assert!(format!("{:?}", servers(RelayUse::Auto)).find("secret").is_none());
    }

    #[test]
    fn a_relay_waits_for_a_direct_way_as_long_as_that_can_take() {
        let wait = |relay_use, round_trip| {
            IceServers { round_trip: Duration::from_millis(round_trip), ..servers(relay_use) }.relay_wait().as_millis()
        };
        assert_eq!((wait(RelayUse::Auto, 0), wait(RelayUse::Auto, 50), wait(RelayUse::Auto, 900)), (250, 400, 1500));
        assert_eq!(wait(RelayUse::Always, 50), 0);
    }
}
