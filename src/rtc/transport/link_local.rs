//! IPv6 link-local addresses for an engine that knows no scopes (RFC 4007).
//!
//! ```text
//! engine:   [::1]:P (stand-in)      <->  [fe80::b]:Q
//! network:  [fe80::a%eth0]:R        <->  [fe80::b%eth0]:Q
//! ```
//!
//! A candidate carries an address without a scope, and the engine looks its sockets up by such addresses. So it opens a
//! stand-in on loopback in place of each link-local socket, and goes by that; the stand-in stays open, unread, to keep
//! its port. A datagram to a link-local address gets the scope of the socket that it leaves by; one that comes loses
//! it.

use std::collections::VecDeque;
use std::io;
use std::net::{IpAddr, Ipv6Addr, SocketAddr, SocketAddrV6, UdpSocket};
use std::sync::{Mutex, PoisonError};

use crate::network::is_scoped;

/// Stand-ins remembered at most: those of the present sockets, and of the ones that an ICE restart replaced.
const MAX_KNOWN: usize = 32;

/// The link-local sockets of one connection, shared by what opens them and what names them.
#[derive(Debug, Default)]
pub(in crate::rtc) struct LinkLocalSockets(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    /// Addresses whose stand-ins are about to be opened, in that order.
    wanted: VecDeque<SocketAddrV6>,
    /// Stand-ins, and what they stand for.
    known: VecDeque<(SocketAddr, SocketAddrV6)>,
}

/// A socket opened for the engine.
#[derive(Debug)]
pub(in crate::rtc) struct Opened {
    pub(in crate::rtc) socket: UdpSocket,
    /// Held while the link-local `socket` is used.
    pub(in crate::rtc) stand_in: Option<UdpSocket>,
}

impl LinkLocalSockets {
    /// The same addresses, with a stand-in in the place of each link-local one. They are opened in this order.
    pub(in crate::rtc) fn stand_ins(&self, addresses: Vec<SocketAddr>) -> Vec<SocketAddr> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.wanted.clear();
        let stand_in = |address| match address {
            SocketAddr::V6(v6) if is_scoped(v6.ip().to_owned().into()) => {
                state.wanted.push_back(v6);
                // Equal addresses would be opened once: the flow label, which binding ignores, tells them apart.
                let number = u32::try_from(state.wanted.len()).unwrap_or(u32::MAX);
                SocketAddrV6::new(Ipv6Addr::LOCALHOST, 0, number, 0).into()
            }
            address => address,
        };
        addresses.into_iter().map(stand_in).collect()
    }

    /// Takes a socket that the engine has opened: a stand-in is exchanged for what it stands for. Where that cannot be
    /// opened the stand-in stays, which leads nowhere; the other sockets are as good as before.
    ///
    /// # Errors
    ///
    /// When the socket does not tell its address.
    pub(in crate::rtc) fn open(&self, socket: UdpSocket) -> io::Result<Opened> {
        let name = socket.local_addr()?;
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if name.ip() != IpAddr::V6(Ipv6Addr::LOCALHOST) {
            return Ok(Opened { socket, stand_in: None });
        }
        let Some(wanted) = state.wanted.pop_front() else { return Ok(Opened { socket, stand_in: None }) };
        let real = match UdpSocket::bind(wanted) {
            Ok(real) => real,
            Err(error) => {
                // Gone since, or not yet checked for duplicates (RFC 4862, 5.4).
                tracing::debug!(%error, "a link-local address cannot be used");
                return Ok(Opened { socket, stand_in: None });
            }
        };
        if let SocketAddr::V6(address) = real.local_addr()? {
            if state.known.len() >= MAX_KNOWN {
                state.known.pop_front();
            }
            state.known.push_back((name, address));
        }
        Ok(Opened { socket: real, stand_in: Some(socket) })
    }

    /// Address and port that the far side is told in place of those of a candidate.
    pub(in crate::rtc) fn told(&self, address: SocketAddr) -> SocketAddr {
        let state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let known = state.known.iter().rev().find(|(stand_in, _)| *stand_in == address);
        known.map_or(address, |(_, real)| SocketAddr::new((*real.ip()).into(), real.port()))
    }

    /// Whether any socket of this connection reaches link-local addresses.
    pub(in crate::rtc) fn any(&self) -> bool {
        !self.0.lock().unwrap_or_else(PoisonError::into_inner).known.is_empty()
    }
}

/// Where a datagram for `to` goes from a socket on `local`; `None` where it would leave the link that it belongs to
/// (RFC 8445, 6.1.2.2: link-local addresses are paired with each other alone).
pub(in crate::rtc) fn outgoing(local: SocketAddr, to: SocketAddr) -> Option<SocketAddr> {
    match (local, to) {
        (SocketAddr::V6(local), SocketAddr::V6(to)) if is_scoped((*local.ip()).into()) => is_scoped((*to.ip()).into())
            .then(|| SocketAddrV6::new(*to.ip(), to.port(), to.flowinfo(), local.scope_id()).into()),
        (_, to) => (!is_scoped(to.ip())).then_some(to),
    }
}

/// The address of a sender as the engine knows it.
pub(in crate::rtc) fn without_scope(from: SocketAddr) -> SocketAddr {
    SocketAddr::new(from.ip(), from.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    #[test]
    fn what_leaves_for_the_link_gets_the_scope_of_its_socket_and_nothing_else_leaves_by_it() {
        let on_link = address("[fe80::a%3]:1");
        assert_eq!(outgoing(on_link, address("[fe80::b]:2")), Some(address("[fe80::b%3]:2")));
        assert_eq!(outgoing(on_link, address("[fe80::b%9]:2")), Some(address("[fe80::b%3]:2")));
        assert_eq!(outgoing(on_link, address("[fd00::b]:2")), None);
        assert_eq!(outgoing(address("[fd00::a]:1"), address("[fe80::b]:2")), None);
        assert_eq!(outgoing(address("[fd00::a]:1"), address("[fd00::b]:2")), Some(address("[fd00::b]:2")));
        assert_eq!(outgoing(address("192.0.2.1:1"), address("192.0.2.2:2")), Some(address("192.0.2.2:2")));
        assert_eq!(without_scope(address("[fe80::b%3]:2")), address("[fe80::b]:2"));
        assert_eq!(without_scope(address("192.0.2.2:2")), address("192.0.2.2:2"));
    }

    #[test]
    fn each_link_local_address_has_a_stand_in_of_its_own_and_others_stay() {
        let sockets = LinkLocalSockets::default();
        let all = ["192.0.2.1:0", "[fe80::a%3]:0", "[fd00::a]:0", "[fe80::a%4]:0"].map(address);
        let given = sockets.stand_ins(all.to_vec());
        assert_eq!((given[0], given[2]), (all[0], all[2]));
        assert!(given[1].ip().is_loopback() && given[3].ip().is_loopback() && given[1] != given[3], "{given:?}");
        assert!(!sockets.any());
    }

    #[test]
    fn a_stand_in_is_exchanged_and_told_by_the_address_that_it_stands_for() {
        let link_local = crate::network::local_addresses().into_iter().find(|address| is_scoped(address.ip));
        let sockets = LinkLocalSockets::default();
        let plain = UdpSocket::bind((Ipv6Addr::LOCALHOST, 0)).unwrap();
        let name = plain.local_addr().unwrap();
        assert!(sockets.open(plain).unwrap().stand_in.is_none(), "loopback that was asked for is no stand-in");
        assert_eq!(sockets.told(name), name);
        // Nobody's: no interface has this number.
        let given = sockets.stand_ins(vec![address("[fe80::a%4000000]:0")]);
        let stand_in = UdpSocket::bind(given[0]).unwrap();
        assert!(sockets.open(stand_in).unwrap().stand_in.is_none() && !sockets.any());
        // Where this computer has such an address.
        let Some(link_local) = link_local else { return };
        let given = sockets.stand_ins(vec![link_local.with_port(0)]);
        let stand_in = UdpSocket::bind(given[0]).unwrap();
        let name = stand_in.local_addr().unwrap();
        let opened = sockets.open(stand_in).unwrap();
        let real = opened.socket.local_addr().unwrap();
        assert_eq!(sockets.told(name), without_scope(real));
        assert!(opened.stand_in.is_some() && sockets.any());
    }
}
