//! Servers of a call's media, made of the access to the server over which the person is reached.

use std::net::SocketAddr;

use crate::call::RelayUse;
use crate::rtc::{IceServers, OpeningStream, RelayServer, RelayStream, StreamConnector, StreamRelay};
use crate::signaling::Access;

/// Addresses of one family at which relays are asked: the nodes of a server have one each, and both ends of a call ask
/// the same ones. One of the two may be gone.
const OF_A_FAMILY: usize = 2;

/// The server's STUN and TURN, at the first addresses of each family that its name has, and TURN over TLS. Without
/// access to a relay there are none, and with relays alone then no way.
pub(super) fn ice_servers(access: Option<Access>, relay_use: RelayUse) -> IceServers {
    let Some(access) = access else { return IceServers { relay_use, ..IceServers::default() } };
    let (username, password) = (access.relay.username.clone(), access.relay.password.clone());
    let of_family = |is_ipv4| access.addresses.iter().filter(move |address| address.is_ipv4() == is_ipv4);
    let addresses = [true, false].into_iter().flat_map(|is_ipv4| of_family(is_ipv4).take(OF_A_FAMILY));
    let udp_port = access.relay.udp_port;
    let relays = addresses.filter_map(|address| Some(SocketAddr::new(address.ip(), udp_port?)));
    let relay = |address| RelayServer { address, username: username.clone(), password: password.clone() };
    let relays: Vec<_> = relays.map(relay).collect();
    let (has_stream, round_trip) = (access.relay.tls, access.round_trip);
    let connector = StreamConnector::new(move || -> OpeningStream {
        let access = access.clone();
        Box::pin(async move { Ok(Box::new(access.open_stream().await?) as Box<dyn RelayStream>) })
    });
    let stream = has_stream.then_some(StreamRelay { username, password, connector });
    IceServers { relays, stream, round_trip, relay_use, ..IceServers::default() }
}
