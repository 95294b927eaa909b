//! Signaling against hostile clients: what they send is refused, bounded and forgotten, and nobody else notices.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod raw_peer;
mod signaling_rig;

use std::sync::Arc;
use std::time::Instant;

use futures_util::{SinkExt, StreamExt};
use raw_peer::{LOOPBACK, Raw, Socket, hello, json, next_binary, next_hello, sealed};
use signaling_rig::{Person, TIMEOUT, alice, closed, invite, ringing, runtime, talk};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message as Packet;
use visavis::identity::{Identity, seal};
use visavis::signaling::{Frame, Message, SignalingEvent};

#[test]
fn hostile_connections_are_refused_and_nothing_else_is_lost() {
    let (runtime, alice) = alice();
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
            sealed(&eve, id, &Frame::message(1, ringing(1))),
            sealed(&eve, id, &Frame::Confirm { answer: String::new() }),
            sealed(&eve, id, &hello("much too long a challenge")),
            seal(&eve, &id, b"{\"hello\":").unwrap().0,
        ];
        for frame in first_frames {
            let mut socket = alice.dial().await;
            let _ = socket.send(Packet::binary(frame)).await;
            assert_eq!(next_binary(&mut socket).await, None);
        }
        let mut socket = alice.dial().await;
        let _ = socket.send(Packet::text("hello")).await;
        assert_eq!(next_binary(&mut socket).await, None);

        // A recorded hello proves nothing: whoever replays it cannot answer in turn.
        for _ in 0..2 {
            let mut socket = alice.dial().await;
            let _ = socket.send(Packet::binary(good.clone())).await;
            let _ = socket.send(Packet::binary(good.clone())).await;
            closed(&mut socket).await;
        }
        let guessed = json(&Frame::Confirm { answer: "bb".repeat(16) });
        let message = json(&Frame::message(1, ringing(1)));
        for instead_of_the_proof in [guessed, message] {
            let (envelope, mut sealer) = seal(&eve, &id, &json(&hello("bb"))).unwrap();
            let mut socket = alice.dial().await;
            let _ = socket.send(Packet::binary(envelope)).await;
            assert!(next_hello(&mut socket, &eve).await.is_some());
            let _ = socket.send(Packet::binary(sealer.seal(&instead_of_the_proof).unwrap())).await;
            closed(&mut socket).await;
        }

        for request in [
            [&b"GET /visavis HTTP/1.1\r\nX: "[..], &[b'x'; 1_000_000]].concat(),
            b"GET /visavis HTTP/1.1\r\nHost: a\r\nOrigin: https://evil.example\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
              Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
                .to_vec(),
            b"\0\0\0\0\r\n\r\n".to_vec(),
            // Half a request, and then silence: cut when the time for the handshake is over.
            b"GET /visavis HTTP/1.1\r\n".to_vec(),
        ] {
            let mut stream = TcpStream::connect((LOOPBACK, port)).await.unwrap();
            let _ = stream.write_all(&request).await;
            let mut answer = Vec::new();
            let _ = tokio::time::timeout(TIMEOUT, stream.read_to_end(&mut answer)).await.expect("still open");
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
    let (runtime, alice) = alice();
    for (number, bad) in ["repeated", "altered", "another connection's", "skipped", "garbage"].into_iter().enumerate() {
        let number = 10 * number as u128;
        let from = runtime.block_on(async {
            let (mut raw, mut other) = (alice.meet().await, alice.meet().await);
            let first = raw.message_record(ringing(number));
            raw.send(first.clone()).await;
            raw.message(ringing(number + 1)).await;
            let bad_record = match bad {
                "repeated" => first,
                "altered" => {
                    let mut record = raw.message_record(ringing(number + 2));
                    record[10] ^= 1;
                    record
                }
                "another connection's" => other.message_record(ringing(number + 2)),
                "skipped" => {
                    raw.message_record(ringing(number + 2));
                    raw.message_record(ringing(number + 2))
                }
                _ => bad.as_bytes().to_vec(),
            };
            raw.send(bad_record).await;
            let next = raw.message_record(ringing(number + 3));
            let _ = raw.socket.send(Packet::binary(next)).await;
            closed(&mut raw.socket).await;
            raw.identity.id()
        });
        assert_eq!(alice.wait_message(from), ringing(number), "{bad}");
        assert_eq!(alice.wait_message(from), ringing(number + 1), "{bad}");
        alice.wait("the end", |event| match event {
            SignalingEvent::Received { from: sender, message } if sender == from => panic!("{bad}: {message:?}"),
            SignalingEvent::Presence { id, routes, .. } if id == from && routes.is_empty() => Some(()),
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
        let mut socket = alice.dial().await;
        let mut recorded = vec![envelope];
        socket.send(Packet::binary(recorded[0].clone())).await.unwrap();
        let (theirs, _) = next_hello(&mut socket, &caller).await.unwrap();
        let message = Frame::message(1, invite(1));
        for frame in [Frame::Confirm { answer: theirs.challenge }, message] {
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
                let mut socket = person.dial().await;
                for frame in &recorded {
                    let _ = socket.send(Packet::binary(frame.clone())).await;
                }
                closed(&mut socket).await;
            }
        });
        // Any consequence is told before what somebody says later.
        let mut later = runtime.block_on(person.meet());
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
fn frames_that_do_not_belong_on_a_proven_connection_are_bounded() {
    let (runtime, alice) = alice();
    runtime.block_on(async {
        for body in [&b"[]"[..], b"not JSON", &json(&hello("ab")), &json(&Frame::Confirm { answer: "x".into() })] {
            let mut raw = alice.meet().await;
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
    tokio::time::timeout(TIMEOUT, counted).await.expect("the connection is still open")
}

#[test]
fn whoever_has_proven_nothing_is_cut_after_a_dozen_frames_and_some_kilobytes() {
    let (runtime, alice) = alice();
    runtime.block_on(async {
        let mut socket = alice.dial().await;
        for _ in 0..100 {
            let _ = socket.send(Packet::Ping("x".into())).await;
        }
        let answered = pongs(&mut socket).await;
        assert!(answered <= 12, "{answered} pings were answered");

        // Empty fragments never make a message, and pings between them are frames too.
        for fragment in [&[0, 0x80, 1, 2, 3, 4][..], &[0x89, 0x80, 1, 2, 3, 4]] {
            let mut socket = alice.dial().await;
            let stream = socket.get_mut();
            stream.write_all(&[2, 0x80, 1, 2, 3, 4]).await.unwrap();
            let mut written = 0;
            while written < 50_000_000 && stream.write_all(&fragment.repeat(1000)).await.is_ok() {
                written += fragment.len() * 1000;
            }
            let mut rest = Vec::new();
            let _ = tokio::time::timeout(TIMEOUT, stream.read_to_end(&mut rest)).await.expect("still open");
            assert!(written < 50_000_000, "all of it was taken");
            assert!(rest.len() < 100, "{} bytes of answers", rest.len());
        }
    });
    talk(&runtime, &alice);
    alice.client.close();
}

#[test]
fn somebody_who_never_proves_anything_leaves_room_for_others_from_the_same_address() {
    let (runtime, alice) = alice();
    let (id, port) = (alice.id, alice.client.port());
    runtime.block_on(async {
        let (mut taken, mut held, start) = (0, Vec::new(), Instant::now());
        for _ in 0..30 {
            let mut stream = TcpStream::connect((LOOPBACK, port)).await.unwrap();
            let request = b"GET /visavis HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
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
                    && let Ok((socket, _)) = tokio_tungstenite::client_async("ws://visavis.local/visavis", stream).await
                    && let Some(raw) = Raw::meet_saying(Identity::generate().unwrap(), socket, id, &hello("cd")).await
                {
                    return raw;
                }
            }
        };
        tokio::time::timeout(TIMEOUT, let_in).await.expect("nobody is let in any more");
    });
    alice.client.close();
}

#[test]
fn a_flood_is_thinned_out_and_cut_and_others_are_still_heard() {
    let (runtime, alice) = alice();
    let start = Instant::now();
    let from = runtime.block_on(async {
        let mut raw = alice.meet().await;
        for number in 0..600 {
            let message = if number % 2 == 0 { invite(number) } else { ringing(number) };
            let record = raw.message_record(message);
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
        SignalingEvent::Presence { id, routes, .. } if id == from && routes.is_empty() => Some(()),
        _ => None,
    });
    let seconds = start.elapsed().as_secs() + 1;
    assert!((1..=5 + seconds).contains(&invites), "{invites} invites in {seconds} s");
    assert!((1..=200 + 50 * seconds).contains(&others), "{others} others in {seconds} s");
    talk(&runtime, &alice);
    alice.client.close();
}
