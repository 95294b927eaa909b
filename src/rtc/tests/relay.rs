//! Calls through the closed relay, over real sockets on the loopback interface.

#![cfg(test)]

use std::net::{Ipv6Addr, UdpSocket};

use super::*;
use crate::call::RelayUse;
use crate::network::is_reserved;
use crate::relay::{Config, Limits, Server, mint_credential};
use crate::rtc::{IceServers, MediaRoute, OpeningStream, RelayServer, RelayStream, StreamConnector, StreamRelay};
use crate::stun::Credential;

const SECRET: [u8; 16] = [7; 16];
/// The year 2096: the credentials of these tests do not end.
const LATER: u64 = 4_000_000_000;

/// Starts a relay at an address.
pub(super) fn start_relay(runtime: &tokio::runtime::Runtime, address: SocketAddr) -> Server {
    let config = Config { secret: SECRET.to_vec(), realm: "visavis".to_owned(), limits: Limits::default() };
    Server::start(runtime.handle(), config, vec![UdpSocket::bind(address).unwrap()]).unwrap()
}

/// An engine of a user of the relay at these addresses, and by a stream.
pub(super) fn engine_of(
    runtime: &tokio::runtime::Runtime,
    bind: Option<IpAddr>,
    (relays, connector): (&[SocketAddr], Option<StreamConnector>),
    user: u8,
    relay_use: RelayUse,
) -> Engine {
    let Credential { username, password } = mint_credential(&SECRET, LATER, [user; 12]).unwrap();
    let named = || (username.clone(), password.clone());
    let relay = |address: &SocketAddr| {
        let (username, password) = named();
        RelayServer { address: *address, username, password }
    };
    let stream = connector.map(|connector| {
        let (username, password) = named();
        StreamRelay { username, password, connector }
    });
    let servers = IceServers { relays: relays.iter().map(relay).collect(), stream, relay_use, ..IceServers::default() };
    Engine::new(runtime.handle().clone(), bind).with_servers(servers)
}

/// A relay on loopback addresses, and its addresses.
struct Relay {
    server: Server,
    addresses: Vec<SocketAddr>,
}

impl Relay {
    fn start(runtime: &tokio::runtime::Runtime, on: &[IpAddr]) -> Self {
        let sockets: Vec<UdpSocket> = on.iter().map(|ip| UdpSocket::bind((*ip, 0)).unwrap()).collect();
        let addresses = sockets.iter().map(|socket| socket.local_addr().unwrap()).collect();
        let config = Config { secret: SECRET.to_vec(), realm: "visavis".to_owned(), limits: Limits::default() };
        Self { server: Server::start(runtime.handle(), config, sockets).unwrap(), addresses }
    }

    fn engine(&self, runtime: &tokio::runtime::Runtime, bind: IpAddr, user: u8, relay_use: RelayUse) -> Engine {
        engine_of(runtime, Some(bind), (&self.addresses, None), user, relay_use)
    }
}

/// Waits until no client has an allocation: its release arrives a little after the call's end.
fn expect_released(server: &Server) {
    let deadline = Instant::now() + TIMEOUT;
    while server.figures().allocations > 0 {
        assert!(Instant::now() < deadline, "allocations are left: {:?}", server.figures());
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn addresses(side: &Side) -> Vec<SocketAddr> {
    side.wire.addresses.lock().unwrap().clone()
}

#[test]
fn a_picture_arrives_through_the_relay_where_no_direct_way_is_allowed() {
    let runtime = runtime();
    let relay = Relay::start(&runtime, &[LOOPBACK]);
    let engine = |user| relay.engine(&runtime, LOOPBACK, user, RelayUse::Always);
    let (offerer, answerer) = call(&engine(1), &engine(2));
    let camera = connect(&offerer, &answerer, 640, 360);
    for side in [&offerer, &answerer] {
        assert_eq!(side.peer.stats().route, MediaRoute::RelayUdp);
        let told = addresses(side);
        assert!(
            !told.is_empty() && told.iter().all(|it| is_reserved(it.ip())),
            "no address of this computer: {told:?}"
        );
    }
    let before = [&offerer, &answerer].map(Side::frames_decoded);
    assert!(eventually(&[&offerer, &answerer], &camera, TIMEOUT, || {
        [&offerer, &answerer].iter().zip(before).all(|(side, before)| side.frames_decoded() > before + 30)
    }));
    assert_eq!(relay.server.figures().allocations, 2, "one a connection");
    eprintln!("{:?}", relay.server.figures());
    drop(camera);
    close(&[&offerer, &answerer]);
    expect_released(&relay.server);
}

#[test]
fn a_direct_way_is_taken_where_there_is_one_although_a_relay_is_there() {
    let runtime = runtime();
    let relay = Relay::start(&runtime, &[LOOPBACK]);
    let engine = |user| relay.engine(&runtime, LOOPBACK, user, RelayUse::Auto);
    let (offerer, answerer) = call(&engine(1), &engine(2));
    let camera = connect(&offerer, &answerer, 320, 180);
    for side in [&offerer, &answerer] {
        assert_eq!(side.peer.stats().route, MediaRoute::Direct);
    }
    assert!(eventually(&[&offerer, &answerer], &camera, TIMEOUT, || relay.server.figures().allocations == 2));
    assert!(addresses(&offerer).iter().any(|it| is_reserved(it.ip())), "the relay is offered, too");
    drop(camera);
    close(&[&offerer, &answerer]);
}

#[test]
fn a_relay_joins_one_side_of_ipv4_and_one_of_ipv6() {
    let Ok(_available) = UdpSocket::bind((Ipv6Addr::LOCALHOST, 0)) else {
        eprintln!("skipped: this system has no IPv6");
        return;
    };
    let runtime = runtime();
    let six = IpAddr::V6(Ipv6Addr::LOCALHOST);
    let relay = Relay::start(&runtime, &[LOOPBACK, six]);
    let offering = relay.engine(&runtime, six, 1, RelayUse::Auto);
    let answering = relay.engine(&runtime, LOOPBACK, 2, RelayUse::Auto);
    let (offerer, answerer) = call(&offering, &answering);
    let camera = connect(&offerer, &answerer, 320, 180);
    for side in [&offerer, &answerer] {
        assert_eq!(side.peer.stats().route, MediaRoute::RelayUdp);
    }
    drop(camera);
    close(&[&offerer, &answerer]);
}

#[test]
fn a_relayed_call_restarts_ice_with_a_new_allocation() {
    let runtime = runtime();
    let relay = Relay::start(&runtime, &[LOOPBACK]);
    let engine = |user| relay.engine(&runtime, LOOPBACK, user, RelayUse::Always);
    let (offerer, answerer) = call(&engine(1), &engine(2));
    let camera = connect(&offerer, &answerer, 320, 180);
    offerer.peer.restart_ice(1);
    serve_both([&offerer, &answerer], &camera, |event| *event == PeerEvent::Resumed);
    let before = [&offerer, &answerer].map(Side::frames_decoded);
    assert!(eventually(&[&offerer, &answerer], &camera, TIMEOUT, || {
        [&offerer, &answerer].iter().zip(before).all(|(side, before)| side.frames_decoded() > before + 10)
    }));
    let figures = relay.server.figures();
    assert_eq!((figures.allocated, figures.allocations), (4, 2), "the old ones are released");
    drop(camera);
    close(&[&offerer, &answerer]);
}

/// An engine whose datagrams no server answers, with a stream to the relay.
fn engine_by_stream(runtime: &tokio::runtime::Runtime, server: &Arc<Server>, user: u8, udp: SocketAddr) -> Engine {
    let (server, handle) = (Arc::clone(server), runtime.handle().clone());
    let connector = StreamConnector::new(move || -> OpeningStream {
        let (near, far) = tokio::io::duplex(64 * 1024);
        let server = Arc::clone(&server);
        handle.spawn(async move { server.serve_stream(&[], far, SocketAddr::from(([192, 0, 2, user], 443))).await });
        Box::pin(async move { Ok(Box::new(near) as Box<dyn RelayStream>) })
    });
    engine_of(runtime, Some(LOOPBACK), (&[udp], Some(connector)), user, RelayUse::Always)
}

#[test]
fn a_stream_carries_media_where_no_server_answers_over_udp() {
    let runtime = runtime();
    let deaf = UdpSocket::bind((LOOPBACK, 0)).unwrap();
    let server = Arc::new(Relay::start(&runtime, &[LOOPBACK]).server);
    let engine = |user| engine_by_stream(&runtime, &server, user, deaf.local_addr().unwrap());
    let (offerer, answerer) = call(&engine(1), &engine(2));
    let camera = connect(&offerer, &answerer, 320, 180);
    for side in [&offerer, &answerer] {
        assert_eq!(side.peer.stats().route, MediaRoute::RelayTls);
    }
    let before = [&offerer, &answerer].map(Side::frames_decoded);
    assert!(eventually(&[&offerer, &answerer], &camera, TIMEOUT, || {
        [&offerer, &answerer].iter().zip(before).all(|(side, before)| side.frames_decoded() > before + 30)
    }));
    drop(camera);
    close(&[&offerer, &answerer]);
    expect_released(&server);
}

#[test]
fn no_stream_is_opened_where_a_server_answers_over_udp() {
    let runtime = runtime();
    let Relay { server, addresses } = Relay::start(&runtime, &[LOOPBACK]);
    let server = Arc::new(server);
    let engine = |user| engine_by_stream(&runtime, &server, user, addresses[0]);
    let (offerer, answerer) = call(&engine(1), &engine(2));
    let camera = connect(&offerer, &answerer, 320, 180);
    for side in [&offerer, &answerer] {
        assert_eq!(side.peer.stats().route, MediaRoute::RelayUdp);
    }
    assert!(!eventually(&[&offerer, &answerer], &camera, Duration::from_secs(1), || server.figures().allocated > 2));
    drop(camera);
    close(&[&offerer, &answerer]);
}
