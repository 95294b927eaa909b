//! The server's relay: its UDP sockets, and a credential of it for each connection.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use socket2::{Domain, Protocol, Socket, Type};
use tokio::runtime::Handle;
use zeroize::Zeroizing;

use super::connection::RelayOffer;
use crate::relay::{Config, Limits, Server, mint_credential};
use crate::server_protocol::Relay;

/// Validity of a credential.
const VALID: Duration = Duration::from_hours(12);
const REALM: &str = "visavis";

/// Starts the relay on a UDP port of the address that the server listens on. Credentials are made with this secret.
pub(super) fn start(listen: IpAddr, port: u16, secret: Zeroizing<Vec<u8>>) -> io::Result<(Arc<Server>, RelayOffer)> {
    let sockets = bind(listen, port)?;
    let port = sockets.first().map_or(Ok(port), |socket| socket.local_addr().map(|address| address.port()))?;
    let config = Config { secret: secret.to_vec(), realm: REALM.to_owned(), limits: Limits::default() };
    let server = Server::start(&Handle::current(), config, sockets)?;
    let offer = move || {
        let mut random = [0; 12];
        getrandom::fill(&mut random).ok()?;
        let now = SystemTime::now().duration_since(UNIX_EPOCH).ok()?;
        let credential = mint_credential(&secret, (now + VALID).as_secs(), random).ok()?;
        let (username, password) = (credential.username, credential.password);
        Some(Relay { udp_port: Some(port), tls: true, username, password, valid_s: VALID.as_secs() as u32 })
    };
    Ok((Arc::new(server), Arc::new(offer)))
}

/// A socket for each address family: a client's address is that of its family. A computer without IPv6 has one.
fn bind(listen: IpAddr, port: u16) -> io::Result<Vec<UdpSocket>> {
    let open = |ip: IpAddr, port| {
        let address = SocketAddr::new(ip, port);
        let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
        if ip.is_ipv6() {
            socket.set_only_v6(true)?;
        }
        socket.bind(&address.into())?;
        io::Result::Ok(UdpSocket::from(socket))
    };
    if listen != IpAddr::V6(Ipv6Addr::UNSPECIFIED) {
        return Ok(vec![open(listen, port)?]);
    }
    let four = open(Ipv4Addr::UNSPECIFIED.into(), port)?;
    let port = four.local_addr()?.port();
    match open(listen, port) {
        Ok(six) => Ok(vec![four, six]),
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => Err(error),
        Err(error) => {
            tracing::info!(%error, "the relay has no IPv6");
            Ok(vec![four])
        }
    }
}
