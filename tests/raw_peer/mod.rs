//! The end of a signaling connection that follows the protocol as far as a test wants, and no further.

#![allow(dead_code, reason = "each test file uses its own part")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::net::{IpAddr, Ipv4Addr};

use futures_util::{SinkExt, StreamExt};
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message as Packet;
use visavis::identity::{Identity, Opener, PeerId, Sealer, open, seal};
use visavis::signaling::{Frame, Hello, Message, Versions};

pub const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

pub type Socket = WebSocketStream<TcpStream>;

/// A client of the test's own that follows the protocol as far as a test wants. It has proven its key.
pub struct Raw {
    pub identity: Identity,
    pub socket: Socket,
    /// Hello of the listener.
    pub theirs: Hello,
    sealer: Sealer,
    opener: Opener,
    /// The number of the last message.
    pub numbers: u64,
}

pub async fn connect(port: u16) -> Socket {
    connect_from(LOOPBACK, port).await
}

/// Connects from an address of this computer's own, all of 127/8 among them.
pub async fn connect_from(from: IpAddr, port: u16) -> Socket {
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind((from, 0).into()).unwrap();
    let stream = socket.connect((LOOPBACK, port).into()).await.unwrap();
    stream.set_nodelay(true).unwrap();
    tokio_tungstenite::client_async("ws://visavis.local/visavis", stream).await.unwrap().0
}

pub fn json(frame: &Frame) -> Vec<u8> {
    serde_json::to_vec(frame).unwrap()
}

/// An envelope alone, for connections that nothing more is said on.
pub fn sealed(from: &Identity, to: PeerId, frame: &Frame) -> Vec<u8> {
    seal(from, &to, &json(frame)).unwrap().0
}

pub fn hello(challenge: &str) -> Frame {
    hello_at(challenge, None)
}

/// A hello of somebody whose clock shows this many milliseconds of Unix time.
pub fn hello_at(challenge: &str, time: Option<i64>) -> Frame {
    let (instance, name, challenge) = ("ab".repeat(16), "Raw".into(), challenge.repeat(16));
    let (answer, device, token, versions) = (None, None, None, Versions::OWN);
    Frame::Hello(Hello { instance, device, name, challenge, answer, versions, time, token })
}

/// A hello of somebody who speaks this one version, or of before hellos told versions.
pub fn hello_of_version(challenge: &str, version: Option<u16>) -> Frame {
    let Frame::Hello(hello) = hello(challenge) else { unreachable!("it is a hello") };
    let versions = version.map_or_else(Versions::default, |version| Versions { min: version, max: version });
    Frame::Hello(Hello { versions, ..hello })
}

/// The next binary frame, if there is one before the connection ends.
pub async fn next_binary(socket: &mut Socket) -> Option<Vec<u8>> {
    loop {
        match socket.next().await?.ok()? {
            Packet::Binary(bytes) => return Some(bytes.to_vec()),
            Packet::Ping(_) | Packet::Pong(_) => {}
            _ => return None,
        }
    }
}

/// The listener's hello, if there is one before the connection ends.
pub async fn next_hello(socket: &mut Socket, identity: &Identity) -> Option<(Hello, Opener)> {
    let (opened, opener) = open(identity, &next_binary(socket).await?).ok()?;
    match serde_json::from_slice(&opened.body).ok()? {
        Frame::Hello(hello) => Some((hello, opener)),
        _ => None,
    }
}

impl Raw {
    /// Proves itself to a client, as an honest app does.
    pub async fn meet(port: u16, to: PeerId) -> Self {
        Self::meet_as(Identity::generate().unwrap(), port, to).await.expect("it is let in")
    }

    /// The same with a key that is there already; `None` when this connection is not taken.
    pub async fn meet_as(identity: Identity, port: u16, to: PeerId) -> Option<Self> {
        Self::meet_saying(identity, connect(port).await, to, &hello("cd")).await
    }

    /// The same over a socket that is there already, with a hello of the test's own whose challenge is "cd" repeated.
    pub async fn meet_saying(identity: Identity, mut socket: Socket, to: PeerId, hello: &Frame) -> Option<Self> {
        let (envelope, mut sealer) = seal(&identity, &to, &json(hello)).unwrap();
        socket.send(Packet::binary(envelope)).await.ok()?;
        let (theirs, opener) = next_hello(&mut socket, &identity).await?;
        assert_eq!(theirs.answer, Some("cd".repeat(16)));
        let confirm = json(&Frame::Confirm { answer: theirs.challenge.clone() });
        socket.send(Packet::binary(sealer.seal(&confirm).unwrap())).await.ok()?;
        Some(Self { identity, socket, theirs, sealer, opener, numbers: 0 })
    }

    /// The next record: what `send` takes.
    pub fn record(&mut self, body: &[u8]) -> Vec<u8> {
        self.sealer.seal(body).unwrap()
    }

    /// The record of a message with the next number.
    pub fn message_record(&mut self, message: Message) -> Vec<u8> {
        self.numbers += 1;
        let number = self.numbers;
        self.record(&json(&Frame::message(number, message)))
    }

    pub async fn send(&mut self, record: Vec<u8>) {
        self.socket.send(Packet::binary(record)).await.unwrap();
    }

    pub async fn message(&mut self, message: Message) {
        let record = self.message_record(message);
        self.send(record).await;
    }

    /// Waits until the far app has acknowledged everything that was sent; false when the connection ends before.
    pub async fn is_acknowledged(&mut self) -> bool {
        while let Some(frame) = self.next_frame().await {
            if (Frame::Ack { number: self.numbers }) == frame {
                return true;
            }
        }
        false
    }

    /// The next frame, if there is one before the connection ends.
    pub async fn next_frame(&mut self) -> Option<Frame> {
        let record = next_binary(&mut self.socket).await?;
        serde_json::from_slice(&self.opener.open(&record).ok()?).ok()
    }
}
