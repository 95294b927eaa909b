//! Signaling on this network, between real clients over real multicast DNS and sockets on 127.0.0.1, and against hostile
//! ones. The clients of other test runs on this computer are found too: every check looks at its own people only.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod raw_peer;

use std::collections::HashSet;
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use futures_util::{SinkExt, StreamExt};
use raw_peer::{LOOPBACK, Raw, Socket, connect, hello, hello_at, json, next_binary, next_hello, sealed};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::runtime::Runtime;
use tokio_tungstenite::tungstenite::Message as Packet;
use visavis::call::{ConversationId, InviteId};
use visavis::identity::{Identity, PeerId, seal};
use visavis::media::MediaSet;
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
        streams: MediaSet::of_call(true, true),
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
        Self::start_as(runtime, name, Arc::new(Identity::generate().unwrap()))
    }

    fn start_as(runtime: &Runtime, name: &str, identity: Arc<Identity>) -> Self {
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
        &[("v", "2"), ("id", &id)][..],
    );
    daemon.register(record.unwrap()).unwrap();
    runtime.block_on(async {
        let (stream, _) = tokio::time::timeout(PATIENCE, listener.accept()).await.expect("not dialed").unwrap();
        let mut socket = tokio_tungstenite::accept_async(stream).await.unwrap();
        let _ = socket.next().await;
        let _ = socket.send(Packet::binary(sealed(&mallory, alice.id, &hello("ee")))).await;
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
        let good = sealed(&eve, id, &hello("aa"));
        let first_frames = [
            Vec::new(),
            b"garbage".to_vec(),
            good[..good.len() / 2].to_vec(),
            [&[1][..], &good[1..]].concat(),
            vec![2; 64 * 1024],
            vec![2; 64 * 1024 + 1],
            sealed(&eve, Identity::generate().unwrap().id(), &hello("aa")),
            sealed(&eve, id, &Frame::Letter { number: 1, message: ringing(1) }),
            sealed(&eve, id, &Frame::Confirm { answer: String::new() }),
            sealed(&eve, id, &hello("much too long a challenge")),
            seal(&eve, &id, b"{\"hello\":").unwrap().0,
        ];
        for frame in first_frames {
            let mut socket = connect(port).await;
            let _ = socket.send(Packet::binary(frame)).await;
            assert_eq!(next_binary(&mut socket).await, None);
        }
        let mut socket = connect(port).await;
        let _ = socket.send(Packet::text("hello")).await;
        assert_eq!(next_binary(&mut socket).await, None);

        // A recorded hello proves nothing: whoever replays it cannot answer in turn.
        for _ in 0..2 {
            let mut socket = connect(port).await;
            let _ = socket.send(Packet::binary(good.clone())).await;
            let _ = socket.send(Packet::binary(good.clone())).await;
            closed(&mut socket).await;
        }
        let guessed = json(&Frame::Confirm { answer: "bb".repeat(16) });
        let letter = json(&Frame::Letter { number: 1, message: ringing(1) });
        for instead_of_the_proof in [guessed, letter] {
            let (envelope, mut sealer) = seal(&eve, &id, &json(&hello("bb"))).unwrap();
            let mut socket = connect(port).await;
            let _ = socket.send(Packet::binary(envelope)).await;
            assert!(next_hello(&mut socket, &eve).await.is_some());
            let _ = socket.send(Packet::binary(sealer.seal(&instead_of_the_proof).unwrap())).await;
            closed(&mut socket).await;
        }

        for request in [
            [&b"GET /visavis/2 HTTP/1.1\r\nX: "[..], &[b'x'; 1_000_000]].concat(),
            b"GET /visavis/2 HTTP/1.1\r\nHost: a\r\nOrigin: https://evil.example\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
              Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
                .to_vec(),
            b"\0\0\0\0\r\n\r\n".to_vec(),
            // Half a request, and then silence: cut when the time for the handshake is over.
            b"GET /visavis/2 HTTP/1.1\r\n".to_vec(),
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
fn a_record_that_is_not_the_next_one_ends_its_connection_and_what_came_before_arrived_once() {
    let runtime = runtime();
    let alice = Person::start(&runtime, "Alice");
    let (id, port) = (alice.id, alice.client.port());
    for (number, bad) in ["repeated", "altered", "another connection's", "skipped", "garbage"].into_iter().enumerate() {
        let number = 10 * number as u128;
        let from = runtime.block_on(async {
            let (mut raw, mut other) = (Raw::meet(port, id).await, Raw::meet(port, id).await);
            let first = raw.letter(ringing(number));
            raw.send(first.clone()).await;
            raw.message(ringing(number + 1)).await;
            let bad_record = match bad {
                "repeated" => first,
                "altered" => {
                    let mut record = raw.letter(ringing(number + 2));
                    record[10] ^= 1;
                    record
                }
                "another connection's" => other.letter(ringing(number + 2)),
                "skipped" => {
                    raw.letter(ringing(number + 2));
                    raw.letter(ringing(number + 2))
                }
                _ => bad.as_bytes().to_vec(),
            };
            raw.send(bad_record).await;
            let next = raw.letter(ringing(number + 3));
            let _ = raw.socket.send(Packet::binary(next)).await;
            closed(&mut raw.socket).await;
            raw.identity.id()
        });
        assert_eq!(alice.wait_message(from), ringing(number), "{bad}");
        assert_eq!(alice.wait_message(from), ringing(number + 1), "{bad}");
        alice.wait("the end", |event| match event {
            SignalingEvent::Received { from: sender, message } if sender == from => panic!("{bad}: {message:?}"),
            SignalingEvent::Presence { id, online: false, .. } if id == from => Some(()),
            _ => None,
        });
    }
    talk(&runtime, &alice);
    alice.client.close();
}

#[test]
fn a_recorded_connection_says_nothing_when_it_is_played_again_not_even_to_a_restarted_app() {
    let runtime = runtime();
    let identity = Arc::new(Identity::generate().unwrap());
    let alice = Person::start_as(&runtime, "Alice", identity.clone());
    let id = alice.id;
    let caller = Identity::generate().unwrap();
    let from = caller.id();
    // Frames that somebody between the two saw.
    let recorded = runtime.block_on(async {
        let (envelope, mut sealer) = seal(&caller, &id, &json(&hello("cd"))).unwrap();
        let mut socket = connect(alice.client.port()).await;
        let mut recorded = vec![envelope];
        socket.send(Packet::binary(recorded[0].clone())).await.unwrap();
        let (theirs, _) = next_hello(&mut socket, &caller).await.unwrap();
        let letter = Frame::Letter { number: 1, message: invite(1) };
        for frame in [Frame::Confirm { answer: theirs.challenge }, letter] {
            recorded.push(sealer.seal(&json(&frame)).unwrap());
            socket.send(Packet::binary(recorded.last().unwrap().clone())).await.unwrap();
        }
        assert!(matches!(alice.wait_message(from), Message::Invite { .. }));
        recorded
    });
    alice.wait_presence(from, false);
    let play_again = |person: &Person| {
        runtime.block_on(async {
            for _ in 0..5 {
                let mut socket = connect(person.client.port()).await;
                for frame in &recorded {
                    let _ = socket.send(Packet::binary(frame.clone())).await;
                }
                closed(&mut socket).await;
            }
        });
        // Any consequence is told before what somebody says later.
        let mut later = runtime.block_on(Raw::meet(person.client.port(), id));
        runtime.block_on(later.message(ringing(9)));
        let later = later.identity.id();
        person.wait("what came later", |event| match event {
            SignalingEvent::Received { from: sender, message } if sender == from => panic!("heard again: {message:?}"),
            SignalingEvent::Presence { id, .. } if id == from => panic!("seen again"),
            SignalingEvent::Received { from: sender, .. } if sender == later => Some(()),
            _ => None,
        });
    };
    play_again(&alice);
    alice.client.close();
    let again = Person::start_as(&runtime, "Alice", identity);
    play_again(&again);
    again.client.close();
}

#[test]
fn clocks_of_any_difference_meet_talk_and_are_told_of() {
    const DAY_MS: i64 = 86_400_000;
    let runtime = runtime();
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_millis() as i64;
    let close_to = |seconds: i64, wanted: i64| (wanted - 60..=wanted + 60).contains(&seconds);
    for ahead_ms in [90_000, -90_000, DAY_MS, -60 * 365 * DAY_MS] {
        // Only one such word in ten minutes.
        let alice = Person::start(&runtime, "Alice");
        let (id, port) = (alice.id, alice.client.port());
        let mut raw = runtime.block_on(async {
            let (identity, socket) = (Identity::generate().unwrap(), connect(port).await);
            Raw::meet_saying(identity, socket, id, &hello_at("cd", Some(now + ahead_ms))).await.expect("it is let in")
        });
        let from = raw.identity.id();
        alice.wait("a word about clocks", |event| match event {
            SignalingEvent::ClocksDiffer { id, seconds_ahead } if id == from => {
                assert!(close_to(seconds_ahead, ahead_ms / 1000), "{seconds_ahead} s for {ahead_ms} ms");
                Some(())
            }
            _ => None,
        });
        runtime.block_on(raw.message(ringing(1)));
        assert_eq!(alice.wait_message(from), ringing(1));
        alice.client.close();
    }
}

#[test]
fn a_newer_version_is_understood_as_far_as_it_goes() {
    let runtime = runtime();
    let alice = Person::start(&runtime, "Alice");
    let (id, port) = (alice.id, alice.client.port());
    runtime.block_on(async {
        let mut raw = Raw::meet(port, id).await;
        // More of them than of bad frames are let pass.
        for number in 0..40_u8 {
            let body = match number % 2 {
                0 => format!(r#"{{"letter":{{"number":{number},"message":{{"type":"wave","number":{number}}}}}}}"#),
                _ => format!(r#"{{"weather":{{"clouds":{number}}}}}"#),
            };
            let record = raw.record(body.as_bytes());
            raw.send(record).await;
        }
        let message = r#"{"type":"ringing","invite":"00000000000000000000000000000007","loudness":11}"#;
        let body = format!(r#"{{"letter":{{"number":99,"message":{message},"urgent":true}}}}"#);
        let record = raw.record(body.as_bytes());
        raw.send(record).await;
        assert_eq!(alice.wait_message(raw.identity.id()), ringing(7));
    });
    alice.client.close();
}

#[test]
fn frames_that_do_not_belong_on_a_proven_connection_are_bounded() {
    let runtime = runtime();
    let alice = Person::start(&runtime, "Alice");
    let (id, port) = (alice.id, alice.client.port());
    runtime.block_on(async {
        for body in [&b"[]"[..], b"not JSON", &json(&hello("ab")), &json(&Frame::Confirm { answer: "x".into() })] {
            let mut raw = Raw::meet(port, id).await;
            let mut sent = 0;
            while sent < 10_000 {
                let record = raw.record(body);
                if raw.socket.send(Packet::binary(record)).await.is_err() {
                    break;
                }
                sent += 1;
            }
            closed(&mut raw.socket).await;
            assert!(sent >= 15, "some may be another version's: {sent}");
        }
    });
    talk(&runtime, &alice);
    alice.client.close();
}

/// Pongs until the connection ends.
async fn pongs(socket: &mut Socket) -> usize {
    let counted = async {
        let mut count = 0;
        while let Some(Ok(packet)) = socket.next().await {
            count += usize::from(packet.is_pong());
        }
        count
    };
    tokio::time::timeout(PATIENCE, counted).await.expect("the connection is still open")
}

#[test]
fn whoever_has_proven_nothing_is_cut_after_a_dozen_frames_and_some_kilobytes() {
    let runtime = runtime();
    let alice = Person::start(&runtime, "Alice");
    let port = alice.client.port();
    runtime.block_on(async {
        let mut socket = connect(port).await;
        for _ in 0..100 {
            let _ = socket.send(Packet::Ping("x".into())).await;
        }
        let answered = pongs(&mut socket).await;
        assert!(answered <= 12, "{answered} pings were answered");

        // Empty fragments never make a message, and pings between them are frames too.
        for fragment in [&[0, 0x80, 1, 2, 3, 4][..], &[0x89, 0x80, 1, 2, 3, 4]] {
            let mut socket = connect(port).await;
            let stream = socket.get_mut();
            stream.write_all(&[2, 0x80, 1, 2, 3, 4]).await.unwrap();
            let mut written = 0;
            while written < 50_000_000 && stream.write_all(&fragment.repeat(1000)).await.is_ok() {
                written += fragment.len() * 1000;
            }
            let mut rest = Vec::new();
            let _ = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut rest)).await.expect("still open");
            assert!(written < 50_000_000, "all of it was taken");
            assert!(rest.len() < 100, "{} bytes of answers", rest.len());
        }
    });
    talk(&runtime, &alice);
    alice.client.close();
}

#[test]
fn somebody_who_never_proves_anything_leaves_room_for_others_from_the_same_address() {
    let runtime = runtime();
    let alice = Person::start(&runtime, "Alice");
    let (id, port) = (alice.id, alice.client.port());
    runtime.block_on(async {
        let (mut taken, mut held, start) = (0, Vec::new(), Instant::now());
        for _ in 0..30 {
            let mut stream = TcpStream::connect((LOOPBACK, port)).await.unwrap();
            let request = b"GET /visavis/2 HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
                Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n";
            let _ = stream.write_all(request).await;
            let mut first = [0];
            taken += stream.read(&mut first).await.unwrap_or(0);
            held.push(stream);
        }
        // Each is cut after 5 s, and on a busy computer this took longer.
        let rounds = 1 + start.elapsed().as_secs() as usize / 5;
        assert!((1..=8 * rounds).contains(&taken), "{taken} connections without a proof");
        drop(held);
        // Those are gone with their sockets: whoever proves who they are is let in.
        let let_in = async {
            loop {
                if let Ok(stream) = TcpStream::connect((LOOPBACK, port)).await
                    && let Ok((socket, _)) =
                        tokio_tungstenite::client_async("ws://visavis.local/visavis/2", stream).await
                    && let Some(raw) = Raw::meet_saying(Identity::generate().unwrap(), socket, id, &hello("cd")).await
                {
                    return raw;
                }
            }
        };
        tokio::time::timeout(PATIENCE, let_in).await.expect("nobody is let in any more");
    });
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
            let record = raw.letter(message);
            if raw.socket.send(Packet::binary(record)).await.is_err() {
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

/// Whether the far app has read what came before: it answers a ping.
async fn is_read(raw: &mut Raw) -> bool {
    raw.socket.send(Packet::Ping("read?".into())).await.unwrap();
    let answered = async {
        while let Some(Ok(packet)) = raw.socket.next().await {
            if packet == Packet::Pong("read?".into()) {
                return true;
            }
        }
        false
    };
    tokio::time::timeout(PATIENCE, answered).await.unwrap_or(false)
}

#[test]
fn who_is_blocked_is_answered_like_anybody_and_is_neither_seen_nor_heard() {
    let runtime = runtime();
    let alice = Person::start(&runtime, "Alice");
    let (id, port) = (alice.id, alice.client.port());
    let mut before = runtime.block_on(Raw::meet(port, id));
    let from = before.identity.id();
    assert_eq!(alice.wait_presence(from, true), "Raw");
    alice.client.set_blocked(HashSet::from([from]));
    alice.wait_presence(from, false);
    runtime.block_on(async {
        before.message(invite(1)).await;
        assert!(is_read(&mut before).await, "the connection that was there stays");
        drop(before.socket);
        let mut again = Raw::meet_as(before.identity, port, id).await.expect("a hello is answered");
        assert_eq!(again.theirs.name, "Alice");
        for number in 2..5 {
            again.message(invite(number)).await;
        }
        assert!(is_read(&mut again).await);
    });
    alice.client.send(from, ringing(1));
    alice.wait("the message to come back", |event| match event {
        SignalingEvent::Undelivered { to, .. } if to == from => Some(()),
        SignalingEvent::Presence { id, .. } if id == from => panic!("shown though blocked"),
        SignalingEvent::ConnectionClosed { id } if id == from => panic!("told of though blocked"),
        SignalingEvent::Received { from: sender, .. } if sender == from => panic!("heard though blocked"),
        _ => None,
    });
    alice.client.close();
}

#[test]
fn who_closes_the_connection_is_told_apart_from_who_falls_silent() {
    let runtime = runtime();
    let alice = Person::start(&runtime, "Alice");
    let (id, port) = (alice.id, alice.client.port());
    let end_of = |from: PeerId| {
        let mut closed = false;
        alice.wait("the end", |event| match event {
            SignalingEvent::ConnectionClosed { id } if id == from => {
                closed = true;
                None
            }
            SignalingEvent::Presence { id, online: false, .. } if id == from => Some(()),
            _ => None,
        });
        closed
    };
    // FIN, RST and a goodbye.
    for ending in ["dropped", "reset", "closed"] {
        let mut raw = runtime.block_on(Raw::meet(port, id));
        let from = raw.identity.id();
        alice.wait_presence(from, true);
        runtime.block_on(async {
            match ending {
                "reset" => raw.socket.get_ref().set_zero_linger().unwrap(),
                "closed" => raw.socket.close(None).await.unwrap(),
                _ => {}
            }
            drop(raw);
        });
        assert!(end_of(from), "{ending}");
    }
    // Its socket stays open, but nobody reads or answers any more, as when the computer vanishes.
    let mut silent = runtime.block_on(Raw::meet(port, id));
    let from = silent.identity.id();
    runtime.block_on(silent.message(ringing(5)));
    assert_eq!(alice.wait_message(from), ringing(5));
    assert!(!end_of(from), "a network that fails is no sign that the app has ended");
    alice.client.close();
}
