//! Ways out of a connection's sockets: each socket, and what is done to datagrams before it.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::task::{Context, Poll, ready};

use tokio::net::UdpSocket;

use super::link::LinkSender;

/// True for a datagram that gets lost.
pub(in crate::rtc) type Loses = Arc<dyn Fn(&[u8]) -> bool + Send + Sync>;

/// The way out: the socket, and what is done to datagrams before it.
pub(super) struct Way {
    socket: Arc<UdpSocket>,
    link: Option<LinkSender>,
    loses: Option<Loses>,
}

impl Way {
    /// A way out of `socket`.
    pub(super) const fn new(socket: Arc<UdpSocket>, link: Option<LinkSender>, loses: Option<Loses>) -> Self {
        Self { socket, link, loses }
    }

    /// The socket.
    pub(super) fn socket(&self) -> &UdpSocket {
        &self.socket
    }

    /// True when the impairment has lost the datagram, by its bytes `inside` a relay's wrapping, or has taken it over.
    fn takes(&self, datagram: &[u8], inside: &[u8], to: SocketAddr) -> bool {
        if self.loses.as_ref().is_some_and(|loses| loses(inside)) {
            return true;
        }
        self.link.as_ref().is_some_and(|link| {
            link.send(datagram, to);
            true
        })
    }

    /// Sends a datagram, which is also given without a relay's wrapping, when the socket takes one.
    pub(super) fn poll_send(
        &self,
        context: &mut Context<'_>,
        (datagram, inside): (&[u8], &[u8]),
        to: SocketAddr,
    ) -> Poll<()> {
        if !self.takes(datagram, inside, to)
            && let Err(error) = ready!(self.socket.poll_send_to(context, datagram, to))
        {
            // A network that is away is loss, not the end: ICE decides when the far side is gone.
            tracing::trace!(%error, "a datagram could not be sent");
        }
        Poll::Ready(())
    }

    /// Sends a datagram, or loses it where the socket takes none now.
    pub(super) fn try_send(&self, datagram: &[u8], to: SocketAddr) {
        if !self.takes(datagram, datagram, to)
            && let Err(error) = self.socket.try_send_to(datagram, to)
        {
            tracing::trace!(%error, "a datagram could not be sent again");
        }
    }
}

/// Ways out of one connection's sockets, by the sockets' addresses.
#[derive(Default)]
pub(super) struct WaysOut(Mutex<Vec<(SocketAddr, Weak<Way>)>>);

impl WaysOut {
    /// A socket is open.
    pub(super) fn add(&self, local: SocketAddr, way: &Arc<Way>) {
        let mut ways = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // Each restart brings new ones.
        ways.retain(|(_, way)| way.strong_count() > 0);
        ways.push((local, Arc::downgrade(way)));
    }

    /// The way out of the socket with this address, while it is open.
    pub(super) fn of(&self, local: SocketAddr) -> Option<Arc<Way>> {
        let ways = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        ways.iter().rev().find(|(socket, _)| *socket == local).and_then(|(_, way)| way.upgrade())
    }
}
