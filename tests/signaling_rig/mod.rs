//! Real clients of signaling over real multicast DNS and sockets on 127.0.0.1. The clients of other test runs on this
//! computer are found too: every check looks at its own people only.

#![allow(dead_code, reason = "each test file uses its own part")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use futures_util::StreamExt;
use tokio::runtime::Runtime;
use visavis::call::{ConversationId, InviteId};
use visavis::identity::{DeviceId, Identity, PeerId};
use visavis::media::MediaSet;
use visavis::network::{NetworkMonitor, ProxyRules};
use visavis::signaling::{Frame, Message, SignalingClient, SignalingConfig, SignalingEvent};

use super::raw_peer::{LOOPBACK, Raw, Socket, connect};

/// Long enough for a busy computer; nothing here asserts how long anything takes.
pub const TIMEOUT: Duration = Duration::from_secs(40);

pub fn runtime() -> Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

/// A real client by the name of Alice, and a runtime for it and for the far ends of its connections.
pub fn alice() -> (Runtime, Person) {
    let runtime = runtime();
    let alice = Person::start(&runtime, "Alice");
    (runtime, alice)
}

pub fn ringing(number: u128) -> Message {
    Message::Ringing { invite: InviteId::from_bits(number) }
}

pub fn invite(number: u128) -> Message {
    Message::Invite {
        invite: InviteId::from_bits(number),
        conversation: ConversationId::from_bits(number),
        name: "Mallory\u{202e}".into(),
        user_data: "x".repeat(5000),
        streams: MediaSet::of_call(true, true),
        descriptions: visavis::call::Description::VERSIONS,
    }
}

/// A real client, and what it reported.
pub struct Person {
    pub id: PeerId,
    pub client: SignalingClient,
    pub events: mpsc::Receiver<SignalingEvent>,
}

impl Person {
    pub fn start(runtime: &Runtime, name: &str) -> Self {
        Self::start_as(runtime, name, Arc::new(Identity::generate().unwrap()))
    }

    pub fn start_as(runtime: &Runtime, name: &str, identity: Arc<Identity>) -> Self {
        let (sender, events) = mpsc::sync_channel(100_000);
        let networks = NetworkMonitor::unchanging();
        let (name, bind, proxies) = (name.into(), Some(LOOPBACK), ProxyRules::default());
        let config =
            SignalingConfig { identity: identity.clone(), device: DeviceId::random(), name, bind, networks, proxies };
        let client = SignalingClient::start(runtime.handle(), config, move |event| {
            let _ = sender.try_send(event);
        });
        Self { id: identity.id(), client: client.unwrap(), events }
    }

    /// A socket to the client, on which nothing was said yet.
    pub async fn dial(&self) -> Socket {
        connect(self.client.port()).await
    }

    /// Somebody proves themselves to the client, as an honest app does.
    pub async fn meet(&self) -> Raw {
        Raw::meet(self.client.port(), self.id).await
    }

    /// Somebody proves themselves with a hello of the test's own, as in `Raw::meet_saying`.
    pub async fn meet_saying(&self, hello: &Frame) -> Raw {
        let (identity, socket) = (Identity::generate().unwrap(), self.dial().await);
        Raw::meet_saying(identity, socket, self.id, hello).await.expect("it is let in")
    }

    /// The next event that `pick` picks; the others are let go.
    pub fn wait<T>(&self, what: &str, mut pick: impl FnMut(SignalingEvent) -> Option<T>) -> T {
        let deadline = Instant::now() + TIMEOUT;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let event = self.events.recv_timeout(left).unwrap_or_else(|_| panic!("waited in vain for {what}"));
            if let Some(picked) = pick(event) {
                return picked;
            }
        }
    }

    pub fn wait_presence(&self, of: PeerId, wanted: bool) -> String {
        self.wait("presence", |event| match event {
            SignalingEvent::Presence { id, routes, name, .. } if id == of && routes.is_empty() != wanted => Some(name),
            _ => None,
        })
    }

    pub fn wait_message(&self, of: PeerId) -> Message {
        self.wait("a message", |event| match event {
            SignalingEvent::Received { from, message } if from == of => Some(message),
            _ => None,
        })
    }
}

pub async fn closed(socket: &mut Socket) {
    let ended =
        async { while socket.next().await.is_some_and(|packet| packet.is_ok_and(|packet| !packet.is_close())) {} };
    tokio::time::timeout(TIMEOUT, ended).await.expect("the connection is still open");
}

/// Two people meet and talk; whatever happened before on `one`, nothing of this is lost.
pub fn talk(runtime: &Runtime, one: &Person) {
    let other = Person::start(runtime, "Other");
    one.wait_presence(other.id, true);
    other.wait_presence(one.id, true);
    other.client.send(one.id, ringing(1));
    assert_eq!(one.wait_message(other.id), ringing(1));
    one.client.send(other.id, ringing(2));
    assert_eq!(other.wait_message(one.id), ringing(2));
    other.client.close();
    one.wait_presence(other.id, false);
}
