//! Signaling between real clients, and with peers of other versions.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod raw_peer;
mod signaling_rig;

use std::collections::HashSet;

use futures_util::{SinkExt, StreamExt};
use raw_peer::{LOOPBACK, Raw, hello, hello_at, hello_of_version, sealed};
use signaling_rig::{Person, TIMEOUT, alice, closed, invite, ringing, runtime, talk};
use tokio_tungstenite::tungstenite::Message as Packet;
use visavis::identity::{Identity, PeerId};
use visavis::signaling::{Frame, RouteKind, SignalingEvent, VersionSkew, Versions};

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
    let (runtime, alice) = alice();
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
        &[("v", "3"), ("id", &id)][..],
    );
    daemon.register(record.unwrap()).unwrap();
    runtime.block_on(async {
        let (stream, _) = tokio::time::timeout(TIMEOUT, listener.accept()).await.expect("not dialed").unwrap();
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
fn clocks_of_any_difference_meet_talk_and_are_told_of() {
    const DAY_MS: i64 = 86_400_000;
    let runtime = runtime();
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_millis() as i64;
    let close_to = |seconds: i64, wanted: i64| (wanted - 60..=wanted + 60).contains(&seconds);
    for ahead_ms in [90_000, -90_000, DAY_MS, -60 * 365 * DAY_MS] {
        // Only one such word in ten minutes.
        let alice = Person::start(&runtime, "Alice");
        let mut raw = runtime.block_on(alice.meet_saying(&hello_at("cd", Some(now + ahead_ms))));
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
    let (runtime, alice) = alice();
    runtime.block_on(async {
        let mut raw = alice.meet().await;
        // More of them than of bad frames are let pass.
        for number in 0..40_u8 {
            let body = match number % 2 {
                0 => format!(r#"{{"message":{{"number":{number},"message":{{"type":"wave","number":{number}}}}}}}"#),
                _ => format!(r#"{{"weather":{{"clouds":{number}}}}}"#),
            };
            let record = raw.record(body.as_bytes());
            raw.send(record).await;
        }
        let message = r#"{"type":"ringing","invite":"00000000000000000000000000000007","loudness":11}"#;
        let body = format!(r#"{{"message":{{"number":99,"message":{message},"urgent":true}}}}"#);
        let record = raw.record(body.as_bytes());
        raw.send(record).await;
        assert_eq!(alice.wait_message(raw.identity.id()), ringing(7));
    });
    alice.client.close();
}

#[test]
fn who_is_blocked_is_answered_like_anybody_and_is_neither_seen_nor_heard() {
    let (runtime, alice) = alice();
    let mut before = runtime.block_on(alice.meet());
    let from = before.identity.id();
    assert_eq!(alice.wait_presence(from, true), "Raw");
    alice.client.set_blocked(HashSet::from([from]));
    alice.wait_presence(from, false);
    runtime.block_on(async {
        before.message(invite(1)).await;
        assert!(before.is_acknowledged().await, "the connection that was there stays");
        drop(before.socket);
        let mut again =
            Raw::meet_as(before.identity, alice.client.port(), alice.id).await.expect("a hello is answered");
        assert_eq!(again.theirs.name, "Alice");
        for number in 2..5 {
            again.message(invite(number)).await;
        }
        assert!(again.is_acknowledged().await);
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
    let (runtime, alice) = alice();
    let end_of = |from: PeerId| {
        let mut closed = false;
        alice.wait("the end", |event| match event {
            SignalingEvent::ConnectionClosed { id } if id == from => {
                closed = true;
                None
            }
            SignalingEvent::Presence { id, routes, .. } if id == from && routes.is_empty() => Some(()),
            _ => None,
        });
        closed
    };
    // FIN, RST and a goodbye.
    for ending in ["dropped", "reset", "closed"] {
        let mut raw = runtime.block_on(alice.meet());
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
    let mut silent = runtime.block_on(alice.meet());
    let from = silent.identity.id();
    runtime.block_on(silent.message(ringing(5)));
    assert_eq!(alice.wait_message(from), ringing(5));
    assert!(!end_of(from), "a network that fails is no sign that the app has ended");
    alice.client.close();
}

#[test]
fn a_message_is_delivered_when_the_far_app_says_so_and_not_when_its_socket_answers() {
    let (runtime, alice) = alice();
    let mut raw = runtime.block_on(alice.meet());
    let to = raw.identity.id();
    alice.wait_presence(to, true);
    alice.client.send(to, ringing(1));
    alice.client.send(to, ringing(2));
    // It reads on, and answers pings, but acknowledges the first message alone.
    let reading = runtime.spawn(async move {
        while let Some(frame) = raw.next_frame().await {
            if let Frame::Message { number, message, .. } = frame
                && message == ringing(1)
            {
                let ack = raw.record(&raw_peer::json(&Frame::Ack { number }));
                raw.send(ack).await;
            }
        }
    });
    let undelivered = alice.wait("the message to come back", |event| match event {
        SignalingEvent::Undelivered { to: id, message } if id == to => Some(message),
        SignalingEvent::Presence { id, routes, .. } if id == to && routes.is_empty() => panic!("it answers"),
        _ => None,
    });
    assert_eq!(undelivered, ringing(2));
    alice.client.close();
    runtime.block_on(reading).unwrap();
}

#[test]
fn peers_of_versions_that_are_not_understood_are_shown_as_such_and_both_sides_know() {
    let (runtime, alice) = alice();
    for (version, expected) in [
        (None, VersionSkew::FarIsOlder),
        (Some(1), VersionSkew::FarIsOlder),
        (Some(2), VersionSkew::FarIsOlder),
        (Some(99), VersionSkew::OwnIsOlder),
    ] {
        let mut raw = runtime.block_on(alice.meet_saying(&hello_of_version("cd", version)));
        let from = raw.identity.id();
        let (name, skew) = alice.wait("presence", |event| match event {
            SignalingEvent::Presence { id, name, routes, skew } if id == from => {
                assert!(routes.contains(RouteKind::Lan));
                Some((name, skew))
            }
            _ => None,
        });
        assert_eq!((name.as_str(), skew), ("Raw", Some(expected)), "version {version:?}");
        // The far side can tell the same from the hello that it got.
        let of_raw = version.map_or_else(Versions::default, |version| Versions { min: version, max: version });
        let other_word = match expected {
            VersionSkew::FarIsOlder => VersionSkew::OwnIsOlder,
            VersionSkew::OwnIsOlder => VersionSkew::FarIsOlder,
        };
        assert_eq!(of_raw.common(raw.theirs.versions), Err(other_word));
        // Nothing is said either way, and the connection stays, so that presence is true.
        alice.client.send(from, ringing(1));
        runtime.block_on(raw.message(ringing(2)));
        let undelivered = alice.wait("the message to come back", |event| match event {
            SignalingEvent::Undelivered { to, message } if to == from => Some(message),
            SignalingEvent::Received { from: sender, .. } if sender == from => panic!("heard"),
            SignalingEvent::Presence { id, routes, .. } if id == from && routes.is_empty() => panic!("closed"),
            _ => None,
        });
        assert_eq!(undelivered, ringing(1));
        drop(raw);
        alice.wait_presence(from, false);
    }
    talk(&runtime, &alice);
    alice.client.close();
}
