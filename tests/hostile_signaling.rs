//! Signaling on this network, between real clients over real multicast DNS and sockets on 127.0.0.1, and against hostile
//! ones. The clients of other test runs on this computer are found too: every check looks at its own people only.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod raw_peer;

use std::collections::HashSet;
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use futures_util::{SinkExt, StreamExt};
use raw_peer::{LOOPBACK, Raw, Socket, connect, hello, next_frame, sealed, unix_ms};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::runtime::Runtime;
use tokio_tungstenite::tungstenite::Message as Packet;
use visavis::call::{ConversationId, InviteId};
use visavis::identity::{Identity, PeerId, seal};
use visavis::signaling::{Frame, Message, SignalingClient, SignalingConfig, SignalingEvent};

/// Long enough for a busy computer; nothing here asserts how long anything takes.
const PATIENCE: Duration = Duration::from_secs(40);

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

fn ringing(number: u128) -> Message {
    Message::Ringing { invite: InviteId::from_bits(number) }
}

fn invite(number: u128) -> Message {
    Message::Invite {
        invite: InviteId::from_bits(number),
        conversation: ConversationId::from_bits(number),
        name: "Mallory\u{202e}".into(),
        user_data: "x".repeat(5000),
        audio: true,
        video: true,
    }
}

/// A real client, and what it reported.
struct Person {
    id: PeerId,
    client: SignalingClient,
    events: mpsc::Receiver<SignalingEvent>,
}

impl Person {
    fn start(runtime: &Runtime, name: &str) -> Self {
        let identity = Arc::new(Identity::generate().unwrap());
        let (sender, events) = mpsc::sync_channel(100_000);
        let config = SignalingConfig { identity: identity.clone(), name: name.into(), bind: Some(LOOPBACK) };
        let client = SignalingClient::start(runtime.handle(), config, move |event| {
            let _ = sender.try_send(event);
        });
        Self { id: identity.id(), client: client.unwrap(), events }
    }

    /// The next event that `pick` picks; the others are let go.
    fn wait<T>(&self, what: &str, mut pick: impl FnMut(SignalingEvent) -> Option<T>) -> T {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let event = self.events.recv_timeout(left).unwrap_or_else(|_| panic!("waited in vain for {what}"));
            if let Some(picked) = pick(event) {
                return picked;
            }
        }
    }

    fn wait_presence(&self, of: PeerId, wanted: bool) -> String {
        self.wait("presence", |event| match event {
            SignalingEvent::Presence { id, online, name, .. } if id == of && online == wanted => Some(name),
            _ => None,
        })
    }

    fn wait_message(&self, of: PeerId) -> Message {
        self.wait("a message", |event| match event {
            SignalingEvent::Received { from, message } if from == of => Some(message),
            _ => None,
        })
    }
}

async fn closed(socket: &mut Socket) {
    let ended =
        async { while socket.next().await.is_some_and(|packet| packet.is_ok_and(|packet| !packet.is_close())) {} };
    tokio::time::timeout(PATIENCE, ended).await.expect("the connection is still open");
}

/// Two people meet and talk; whatever happened before on `one`, nothing of this is lost.
fn talk(runtime: &Runtime, one: &Person) {
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

#[test]
fn people_find_each_other_talk_in_order_rename_themselves_and_leave() {
    let runtime = runtime();
    let (alice, bob) = (Person::start(&runtime, "Alice"), Person::start(&runtime, "Bob\u{202e}"));
    assert_eq!(alice.wait_presence(bob.id, true), "Bob");
    assert_eq!(bob.wait_presence(alice.id, true), "Alice");
    for number in 0..180 {
        alice.client.send(bob.id, ringing(number));
        bob.client.send(alice.id, ringing(1000 + number));
    }
    for number in 0..180 {
        assert_eq!(bob.wait_message(alice.id), ringing(number));
        assert_eq!(alice.wait_message(bob.id), ringing(1000 + number));
    }
    alice.client.set_name("Alice B.");
    assert_eq!(bob.wait_presence(alice.id, true), "Alice B.");
    alice.client.close();
    bob.wait_presence(alice.id, false);
    bob.client.close();
}

#[test]
fn what_cannot_be_delivered_comes_back_and_a_false_announcement_shows_nobody() {
    let runtime = runtime();
    let alice = Person::start(&runtime, "Alice");
    let (nobody, named_falsely) = (Identity::generate().unwrap().id(), Identity::generate().unwrap().id());
    // Mallory announces somebody else's ID at an address of his own, where he answers with his own key.
    let mallory = Identity::generate().unwrap();
    let listener = runtime.block_on(tokio::net::TcpListener::bind((LOOPBACK, 0))).unwrap();
    let port = listener.local_addr().unwrap().port();
    let daemon = mdns_sd::ServiceDaemon::new().unwrap();
    daemon.disable_interface(mdns_sd::IfKind::All).unwrap();
    daemon.enable_interface(mdns_sd::IfKind::LoopbackV4).unwrap();
    let (id, instance) = (named_falsely.to_string(), format!("false-{port}"));
    let record = mdns_sd::ServiceInfo::new(
        "_visavis._tcp.local.",
        &instance,
        &format!("{instance}.local."),
        LOOPBACK,
        port,
        &[("v", "1"), ("id", &id)][..],
    );
    daemon.register(record.unwrap()).unwrap();
    runtime.block_on(async {
        let (stream, _) = tokio::time::timeout(PATIENCE, listener.accept()).await.expect("not dialed").unwrap();
        let mut socket = tokio_tungstenite::accept_async(stream).await.unwrap();
        let _ = socket.next().await;
        let _ = socket.send(Packet::binary(sealed(&mallory, alice.id, &hello("ee"), unix_ms()))).await;
        closed(&mut socket).await;
    });
    drop(listener);

    for to in [nobody, named_falsely, PeerId::from_bytes([0; 32]), alice.id] {
        alice.client.send(to, ringing(7));
        alice.wait("the message to come back", |event| match event {
            SignalingEvent::Undelivered { to: id, message } if id == to => Some(message).filter(|it| *it == ringing(7)),
            SignalingEvent::Presence { id, .. } if id == named_falsely || id == mallory.id() => panic!("shown"),
            _ => None,
        });
    }
    let _ = daemon.shutdown();
    talk(&runtime, &alice);
    alice.client.close();
}

#[test]
fn hostile_connections_are_refused_and_nothing_else_is_lost() {
    let runtime = runtime();
    let alice = Person::start(&runtime, "Alice");
    let (id, port) = (alice.id, alice.client.port());
    let eve = runtime.block_on(async {
        let eve = Identity::generate().unwrap();
        let good = sealed(&eve, id, &hello("aa"), unix_ms());
        let first_frames = [
            Vec::new(),
            b"garbage".to_vec(),
            good[..good.len() / 2].to_vec(),
            vec![1; 64 * 1024],
            vec![1; 64 * 1024 + 1],
            sealed(&eve, Identity::generate().unwrap().id(), &hello("aa"), unix_ms()),
            sealed(&eve, id, &hello("aa"), unix_ms() - 61_000),
            sealed(&eve, id, &hello("aa"), unix_ms() + 61_000),
            sealed(&eve, id, &Frame::Message(ringing(1)), unix_ms()),
            sealed(&eve, id, &Frame::Confirm { answer: String::new() }, unix_ms()),
            seal(&eve, &id, b"{\"hello\":", unix_ms()).unwrap(),
        ];
        for frame in first_frames {
            let mut socket = connect(port).await;
            let _ = socket.send(Packet::binary(frame)).await;
            assert_eq!(next_frame(&mut socket, &eve).await, None);
        }
        let mut socket = connect(port).await;
        let _ = socket.send(Packet::text("hello")).await;
        assert_eq!(next_frame(&mut socket, &eve).await, None);

        // A recorded hello proves nothing: whoever replays it cannot answer in turn.
        for _ in 0..2 {
            let mut socket = connect(port).await;
            let _ = socket.send(Packet::binary(good.clone())).await;
            let _ = socket.send(Packet::binary(good.clone())).await;
            closed(&mut socket).await;
        }
        let mut socket = connect(port).await;
        let _ = socket.send(Packet::binary(sealed(&eve, id, &hello("bb"), unix_ms()))).await;
        assert!(matches!(next_frame(&mut socket, &eve).await, Some(Frame::Hello(_))));
        let guessed = Frame::Confirm { answer: "bb".repeat(16) };
        let _ = socket.send(Packet::binary(sealed(&eve, id, &guessed, unix_ms()))).await;
        closed(&mut socket).await;

        for request in [
            [&b"GET /visavis/1 HTTP/1.1\r\nX: "[..], &[b'x'; 1_000_000]].concat(),
            b"GET /visavis/1 HTTP/1.1\r\nHost: a\r\nOrigin: https://evil.example\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
              Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
                .to_vec(),
            b"\0\0\0\0\r\n\r\n".to_vec(),
            // Half a request, and then silence: cut when the time for the handshake is over.
            b"GET /visavis/1 HTTP/1.1\r\n".to_vec(),
        ] {
            let mut stream = TcpStream::connect((LOOPBACK, port)).await.unwrap();
            let _ = stream.write_all(&request).await;
            let mut answer = Vec::new();
            let _ = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut answer)).await.expect("still open");
            assert!(!answer.starts_with(b"HTTP/1.1 101"), "accepted");
        }
        eve.id()
    });
    while let Ok(event) = alice.events.try_recv() {
        let shown = matches!(&event, SignalingEvent::Presence { id, .. } if *id == eve);
        assert!(!shown && !matches!(event, SignalingEvent::Received { .. }), "{event:?}");
    }
    talk(&runtime, &alice);
    alice.client.close();
}

#[test]
fn bad_envelopes_on_a_good_connection_are_dropped_and_the_good_ones_arrive_once() {
    let runtime = runtime();
    let alice = Person::start(&runtime, "Alice");
    let (id, port) = (alice.id, alice.client.port());
    let raw = runtime.block_on(async {
        let mut raw = Raw::meet(port, id).await;
        let eve = Identity::generate().unwrap();
        let frame = Frame::Message(ringing(1));
        let first = sealed(&raw.identity, id, &frame, unix_ms());
        let mut altered = sealed(&raw.identity, id, &frame, unix_ms());
        altered[60] ^= 1;
        for envelope in [
            first.clone(),
            first.clone(),
            altered,
            sealed(&raw.identity, id, &frame, unix_ms() - 61_000),
            sealed(&raw.identity, id, &frame, unix_ms() + 61_000),
            sealed(&raw.identity, eve.id(), &frame, unix_ms()),
            sealed(&eve, id, &frame, unix_ms()),
            b"garbage".to_vec(),
            seal(&raw.identity, &id, b"{\"message\":{\"type\":\"answer\"}}", unix_ms()).unwrap(),
            first,
            sealed(&raw.identity, id, &Frame::Message(ringing(2)), unix_ms()),
        ] {
            raw.send(envelope).await;
        }
        raw
    });
    let from = raw.identity.id();
    assert_eq!(alice.wait_message(from), ringing(1));
    assert_eq!(alice.wait_message(from), ringing(2));
    // The socket is dropped as a crash drops it.
    drop(raw);
    alice.wait_presence(from, false);
    alice.client.close();
}

#[test]
fn somebody_with_another_time_is_told_of_in_so_many_words() {
    let runtime = runtime();
    let alice = Person::start(&runtime, "Alice");
    runtime.block_on(async {
        let late = Identity::generate().unwrap();
        let mut socket = connect(alice.client.port()).await;
        let envelope = sealed(&late, alice.id, &hello("ad"), unix_ms() - 61_000);
        socket.send(Packet::binary(envelope)).await.unwrap();
        closed(&mut socket).await;
    });
    alice.wait("a word about clocks", |event| (event == SignalingEvent::ClocksDiffer).then_some(()));
    alice.client.close();
}

#[test]
fn a_newer_version_is_understood_as_far_as_it_goes() {
    let runtime = runtime();
    let alice = Person::start(&runtime, "Alice");
    let (id, port) = (alice.id, alice.client.port());
    runtime.block_on(async {
        let mut raw = Raw::meet(port, id).await;
        // More of them than of bad envelopes are let pass.
        for number in 0..40_u8 {
            let body = format!(r#"{{"message":{{"type":"wave","number":{number}}}}}"#);
            raw.send(seal(&raw.identity, &id, body.as_bytes(), unix_ms()).unwrap()).await;
        }
        let body = r#"{"message":{"type":"ringing","invite":"00000000000000000000000000000007","loudness":11}}"#;
        raw.send(seal(&raw.identity, &id, body.as_bytes(), unix_ms()).unwrap()).await;
        assert_eq!(alice.wait_message(raw.identity.id()), ringing(7));
    });
    alice.client.close();
}

#[test]
fn one_who_signs_as_others_on_their_connection_hides_nobodys_messages() {
    let runtime = runtime();
    let alice = Person::start(&runtime, "Alice");
    let (id, port) = (alice.id, alice.client.port());
    runtime.block_on(async {
        // Each connection is cut after 16 envelopes of other signers, so it takes many of them.
        for round in 0..8_u8 {
            let mut raw = Raw::meet(port, id).await;
            for number in 0..15_u8 {
                let mut seed = [7; 32];
                (seed[0], seed[1]) = (round, number);
                let made_up = Identity::from_seed(seed);
                raw.send(sealed(&made_up, id, &Frame::Message(ringing(1)), unix_ms())).await;
            }
            raw.message(id, ringing(2)).await;
            assert_eq!(alice.wait_message(raw.identity.id()), ringing(2));
        }
    });
    talk(&runtime, &alice);
    alice.client.close();
}

#[test]
fn a_flood_is_thinned_out_and_cut_and_others_are_still_heard() {
    let runtime = runtime();
    let alice = Person::start(&runtime, "Alice");
    let (id, port) = (alice.id, alice.client.port());
    let start = Instant::now();
    let from = runtime.block_on(async {
        let mut raw = Raw::meet(port, id).await;
        for number in 0..600 {
            let message = if number % 2 == 0 { invite(number) } else { ringing(number) };
            let envelope = sealed(&raw.identity, id, &Frame::Message(message), unix_ms());
            if raw.socket.send(Packet::binary(envelope)).await.is_err() {
                break;
            }
        }
        closed(&mut raw.socket).await;
        raw.identity.id()
    });
    let (mut invites, mut others) = (0, 0);
    alice.wait("the connection to be cut", |event| match event {
        SignalingEvent::Received { from: id, message: Message::Invite { name, user_data, .. } } if id == from => {
            assert_eq!((name.as_str(), user_data.len()), ("Mallory", 1024));
            invites += 1;
            None
        }
        SignalingEvent::Received { from: id, .. } if id == from => {
            others += 1;
            None
        }
        SignalingEvent::Presence { id, online: false, .. } if id == from => Some(()),
        _ => None,
    });
    let seconds = start.elapsed().as_secs() + 1;
    assert!((1..=5 + seconds).contains(&invites), "{invites} invites in {seconds} s");
    assert!((1..=200 + 50 * seconds).contains(&others), "{others} others in {seconds} s");
    talk(&runtime, &alice);
    alice.client.close();
}

#[test]
fn who_is_blocked_finds_nobody_and_who_falls_silent_is_gone() {
    let runtime = runtime();
    let alice = Person::start(&runtime, "Alice");
    let (id, port) = (alice.id, alice.client.port());
    let mut raw = runtime.block_on(Raw::meet(port, id));
    let from = raw.identity.id();
    assert_eq!(alice.wait_presence(from, true), "Raw");
    alice.client.set_blocked(HashSet::from([from]));
    alice.wait_presence(from, false);
    runtime.block_on(async {
        closed(&mut raw.socket).await;
        let mut socket = connect(port).await;
        let again = sealed(&raw.identity, id, &hello("bb"), unix_ms());
        let _ = socket.send(Packet::binary(again)).await;
        assert_eq!(next_frame(&mut socket, &raw.identity).await, None);
    });
    alice.client.send(from, ringing(1));
    alice.wait("the message to come back", |event| match event {
        SignalingEvent::Undelivered { to, .. } if to == from => Some(()),
        SignalingEvent::Presence { id, online: true, .. } if id == from => panic!("shown though blocked"),
        _ => None,
    });
    // Its socket stays open, but nobody reads or answers any more, as when the computer vanishes.
    let mut silent = runtime.block_on(Raw::meet(port, id));
    runtime.block_on(silent.message(id, ringing(5)));
    assert_eq!(alice.wait_message(silent.identity.id()), ringing(5));
    alice.wait_presence(silent.identity.id(), false);
    alice.client.close();
}
