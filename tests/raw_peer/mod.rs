//! The end of a signaling connection that follows the protocol as far as a test wants, and no further.

#![allow(dead_code, reason = "each test file uses its own part")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::net::{IpAddr, Ipv4Addr};
use std::time::{SystemTime, UNIX_EPOCH};

use futures_util::{SinkExt, StreamExt};
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message as Packet;
use visavis::identity::{Identity, PeerId, open, seal};
use visavis::signaling::{Frame, Hello, Message};

pub const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

pub type Socket = WebSocketStream<TcpStream>;

pub fn unix_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as u64
}

/// A client of the test's own that follows the protocol as far as a test wants.
pub struct Raw {
    pub identity: Identity,
    pub socket: Socket,
}

pub async fn connect(port: u16) -> Socket {
    let stream = TcpStream::connect((LOOPBACK, port)).await.unwrap();
    tokio_tungstenite::client_async("ws://visavis.local/visavis/1", stream).await.unwrap().0
}

pub fn sealed(from: &Identity, to: PeerId, frame: &Frame, at_ms: u64) -> Vec<u8> {
    seal(from, &to, &serde_json::to_vec(frame).unwrap(), at_ms).unwrap()
}

pub fn hello(challenge: &str) -> Frame {
    Frame::Hello(Hello { instance: "ab".repeat(16), name: "Raw".into(), challenge: challenge.repeat(16), answer: None })
}

/// The next envelope's frame, if there is one before the connection ends.
pub async fn next_frame(socket: &mut Socket, identity: &Identity) -> Option<Frame> {
    loop {
        match socket.next().await?.ok()? {
            Packet::Binary(bytes) => {
                let opened = open(identity, &bytes, unix_ms()).ok()?;
                return serde_json::from_slice(&opened.body).ok();
            }
            Packet::Ping(_) | Packet::Pong(_) => {}
            _ => return None,
        }
    }
}

impl Raw {
    /// Proves itself to a client, as an honest app does.
    pub async fn meet(port: u16, to: PeerId) -> Self {
        Self::meet_as(Identity::generate().unwrap(), port, to).await.expect("it is let in")
    }

    /// The same with a key that is there already; `None` when this connection is not taken.
    pub async fn meet_as(identity: Identity, port: u16, to: PeerId) -> Option<Self> {
        let mut socket = connect(port).await;
        socket.send(Packet::binary(sealed(&identity, to, &hello("cd"), unix_ms()))).await.ok()?;
        let Some(Frame::Hello(theirs)) = next_frame(&mut socket, &identity).await else { return None };
        assert_eq!(theirs.answer, Some("cd".repeat(16)));
        let confirm = Frame::Confirm { answer: theirs.challenge };
        socket.send(Packet::binary(sealed(&identity, to, &confirm, unix_ms()))).await.ok()?;
        Some(Self { identity, socket })
    }

    pub async fn send(&mut self, envelope: Vec<u8>) {
        self.socket.send(Packet::binary(envelope)).await.unwrap();
    }

    pub async fn message(&mut self, to: PeerId, message: Message) {
        self.send(sealed(&self.identity, to, &Frame::Message(message), unix_ms())).await;
    }
}
