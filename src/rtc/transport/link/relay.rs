//! Network emulator between two other programs on this computer: a UDP relay on loopback, so that any call can be
//! measured over the same networks as ours.
//!
//! ```text
//! end 0 -> [port of end 1] -- link --> [port of end 0] -> end 1      (and the same the other way)
//! ```
//!
//! Each end has a port, the socket that stands for it: whoever wants to reach the end sends there, and what comes from
//! the end leaves there. So both ends see one steady address of the other, as ICE wants it.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::net::UdpSocket;
use tokio::task::JoinSet;

use super::sender::LinkSender;
use super::{LinkEmulator, LinkProfile};
use crate::media::MediaTime;

/// The largest datagram of IPv4.
const MAX_DATAGRAM: usize = 65_507;

/// The relay; it ends when it is dropped.
#[derive(Debug)]
pub struct UdpRelay {
    ports: [SocketAddr; 2],
    ends: Arc<Mutex<[Option<SocketAddr>; 2]>>,
    _tasks: JoinSet<()>,
}

impl UdpRelay {
    /// A relay whose both directions are as `profile` says, from now on. Must be called on a tokio runtime.
    ///
    /// # Errors
    ///
    /// When no socket can be opened on the loopback interface.
    pub async fn open(profile: &LinkProfile) -> io::Result<Self> {
        let loopback = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let sockets = [Arc::new(UdpSocket::bind(loopback).await?), Arc::new(UdpSocket::bind(loopback).await?)];
        let ports = [sockets[0].local_addr()?, sockets[1].local_addr()?];
        let ends = Arc::new(Mutex::new([None; 2]));
        let mut tasks = JoinSet::new();
        for to in 0..2 {
            let from = 1 - to;
            let link = LinkEmulator::new(profile.clone(), to as u64 + 1, MediaTime::now());
            let (sender, deliver) = LinkSender::new(link, Arc::clone(&sockets[from]));
            tasks.spawn(deliver);
            tasks.spawn(forward(Arc::clone(&sockets[to]), sender, Arc::clone(&ends), from));
        }
        Ok(Self { ports, ends, _tasks: tasks })
    }

    /// Where the other end finds `end` (0 or 1), or `None` of another number.
    pub fn port(&self, end: usize) -> Option<SocketAddr> {
        self.ports.get(end).copied()
    }

    /// Tells where `end` really is; until both are known nothing passes.
    pub fn set_end(&self, end: usize, address: SocketAddr) {
        let mut ends = self.ends.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = ends.get_mut(end) {
            *known = Some(address);
        }
    }
}

/// Takes what end `from` sends to the other one's port.
async fn forward(port: Arc<UdpSocket>, sender: LinkSender, ends: Arc<Mutex<[Option<SocketAddr>; 2]>>, from: usize) {
    let mut buffer = vec![0; MAX_DATAGRAM];
    loop {
        // An error tells of a datagram that could not be delivered before; the next one may be.
        let Ok((length, source)) = port.recv_from(&mut buffer).await else { continue };
        let known = *ends.lock().unwrap_or_else(PoisonError::into_inner);
        if let (Some(near), Some(far)) = (known[from], known[1 - from])
            && near == source
        {
            sender.send(&buffer[..length], far);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    async fn end() -> UdpSocket {
        UdpSocket::bind("127.0.0.1:0").await.unwrap()
    }

    async fn relay(profile: &str, ends: [&UdpSocket; 2]) -> UdpRelay {
        let relay = UdpRelay::open(&profile.parse().unwrap()).await.unwrap();
        for (number, end) in ends.into_iter().enumerate() {
            relay.set_end(number, end.local_addr().unwrap());
        }
        relay
    }

    async fn receive(end: &UdpSocket) -> (u8, SocketAddr) {
        let mut byte = [0];
        let received = tokio::time::timeout(Duration::from_secs(20), end.recv_from(&mut byte)).await;
        let (_, source) = received.expect("a datagram").unwrap();
        (byte[0], source)
    }

    #[tokio::test]
    async fn each_end_sees_the_port_of_the_other_one() {
        let (near, far) = (end().await, end().await);
        let relay = relay("delay=1", [&near, &far]).await;
        let ports = [0, 1].map(|number| relay.port(number).unwrap());
        near.send_to(&[7], ports[1]).await.unwrap();
        assert_eq!(receive(&far).await, (7, ports[0]));
        far.send_to(&[8], ports[0]).await.unwrap();
        assert_eq!(receive(&near).await, (8, ports[1]));
        assert_eq!(relay.port(2), None);
    }

    #[tokio::test]
    async fn what_a_stranger_sends_goes_nowhere() {
        let (near, far, stranger) = (end().await, end().await, end().await);
        let relay = relay("", [&near, &far]).await;
        stranger.send_to(&[1], relay.port(1).unwrap()).await.unwrap();
        near.send_to(&[2], relay.port(1).unwrap()).await.unwrap();
        assert_eq!(receive(&far).await.0, 2, "the stranger's came first, and not at all");
    }

    #[tokio::test]
    async fn both_directions_lose_what_their_links_say() {
        let (near, far) = (end().await, end().await);
        let relay = relay("loss=50,seed=3", [&near, &far]).await;
        for (to, sender, receiver) in [(1, &near, &far), (0, &far, &near)] {
            let mut link = LinkEmulator::new("loss=50,seed=3".parse().unwrap(), to as u64 + 1, MediaTime::default());
            let kept = |number: &u8| link.send(1, MediaTime::from_millis(u64::from(*number)))[0].is_some();
            let expected: Vec<u8> = (0..100).filter(kept).collect();
            for number in 0..100 {
                sender.send_to(&[number], relay.port(to).unwrap()).await.unwrap();
            }
            let mut received = Vec::new();
            while received.len() < expected.len() {
                received.push(receive(receiver).await.0);
            }
            assert_eq!(received, expected);
        }
    }
}
