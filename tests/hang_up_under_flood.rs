//! Hanging up works at once whatever others send meanwhile: the whole program, in a call, is flooded over real
//! connections, by strangers and by the person at the other end.

#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod raw_peer;
mod support;

use std::collections::BTreeSet;
use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use futures_util::SinkExt;
use raw_peer::Raw;
use serde_json::json;
use support::process::{Launch, SOON, Visavis, call, meet};
use support::sockets::{port_of, sockets_of};
use tokio_tungstenite::tungstenite::Message as Packet;
use visavis::call::{ConversationId, InviteId};
use visavis::identity::{Identity, PeerId};
use visavis::media::MediaSet;
use visavis::signaling::{Frame, Message};

/// Messages that one side of the flood tries to send.
const FLOOD: u64 = 100_000;
/// Enough of the flood has been sent for it to be under way.
const UNDER_WAY: u64 = 5_000;
const FLOODERS: u8 = 4;

fn person(name: &str) -> Visavis {
    Launch::new(name).with_synthetic_devices().start()
}

fn id_of(person: &Visavis) -> PeerId {
    person.id.parse().expect("an ID")
}

/// The UDP sockets that a program has open: those of calls, and of discovery.
fn udp_sockets_of(person: &Visavis) -> BTreeSet<String> {
    let own = sockets_of(person);
    let tables =
        ["udp", "udp6"].iter().filter_map(|name| fs::read_to_string(format!("/proc/{}/net/{name}", person.pid())).ok());
    let inodes: BTreeSet<String> = tables
        .flat_map(|table| {
            let inodes: Vec<_> =
                table.lines().skip(1).filter_map(|line| line.split_whitespace().nth(9)).map(str::to_owned).collect();
            inodes
        })
        .collect();
    own.intersection(&inodes).cloned().collect()
}

/// Sends what `next` makes, as fast as the connection takes it, and connects anew whenever it is cut.
async fn flood(seed: u8, port: u16, to: PeerId, next: impl Fn(u64) -> Message, sent: &AtomicU64, stop: &AtomicBool) {
    while !stop.load(Ordering::Relaxed) && sent.load(Ordering::Relaxed) < FLOOD {
        let Some(mut raw) = Raw::meet_as(Identity::from_seed([seed; 32]), port, to).await else {
            // Refused for now: too many connections from here.
            tokio::time::sleep(Duration::from_millis(100)).await;
            continue;
        };
        while !stop.load(Ordering::Relaxed) {
            let number = sent.fetch_add(1, Ordering::Relaxed);
            let record = raw.message_record(next(number));
            if number >= FLOOD || raw.socket.send(Packet::binary(record)).await.is_err() {
                break;
            }
        }
    }
}

fn invite(number: u64) -> Message {
    Message::Invite {
        invite: InviteId::from_bits(number.into()),
        conversation: ConversationId::from_bits(number.into()),
        name: "Mallory".to_owned(),
        user_data: "x".repeat(1024),
        streams: MediaSet::of_call(true, true),
        descriptions: visavis::call::Description::VERSIONS,
    }
}

fn wait_until_under_way(sent: &AtomicU64) {
    let under_way = support::poll(SOON, || (sent.load(Ordering::Relaxed) >= UNDER_WAY).then_some(()));
    assert!(under_way.is_some(), "only {} messages were sent", sent.load(Ordering::Relaxed));
}

#[test]
fn a_call_is_hung_up_under_a_flood_of_strangers_and_nothing_of_it_stays_open() {
    let _machine = support::measuring();
    let (mut alice, mut bob) = (person("Alice"), person("Bob"));
    meet(&mut alice, &mut bob);
    let idle = udp_sockets_of(&alice);
    call(&mut alice, &mut bob, &json!("low"));
    assert!(udp_sockets_of(&alice).difference(&idle).next().is_some(), "the watch sees the call's sockets");

    let (id, port) = (id_of(&alice), port_of(&alice));
    let (sent, stop) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    for flooder in 0..FLOODERS {
        let (sent, stop) = (Arc::clone(&sent), Arc::clone(&stop));
        runtime.spawn(async move { flood(200 + flooder, port, id, invite, &sent, &stop).await });
    }
    wait_until_under_way(&sent);
    alice.say("leave");
    assert_eq!(alice.expect("conversation_disconnected")["reason"], "left");
    let open: Vec<_> = udp_sockets_of(&alice).difference(&idle).cloned().collect();
    assert!(open.is_empty(), "sockets of the call are open after it: {open:?}");
    assert_eq!(bob.expect("conversation_disconnected")["reason"], "hung_up");
    assert!(alice.transcript().iter().any(|event| event["event"] == "local_stream_ended"), "the devices are closed");
    stop.store(true, Ordering::Relaxed);
    runtime.shutdown_timeout(Duration::from_secs(5));
    alice.quit();
}

#[test]
fn a_call_is_hung_up_under_a_flood_of_the_person_at_its_other_end() {
    let _machine = support::measuring();
    let mut alice = person("Alice");
    let (id, port) = (id_of(&alice), port_of(&alice));
    let mallory = Identity::from_seed([77; 32]).id();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let mut raw = runtime.block_on(Raw::meet_as(Identity::from_seed([77; 32]), port, id)).expect("it is let in");
    alice.expect_where("contact", SOON, |contact| contact["id"] == mallory.to_string() && contact["online"] == true);
    alice.invite(&mallory.to_string(), json!("low"));
    let conversation = runtime.block_on(async {
        loop {
            let frame = raw.next_frame().await.expect("the connection holds");
            if let Frame::Message { message: Message::Invite { invite, conversation, .. }, .. } = frame {
                let streams = MediaSet::of_call(true, true);
                raw.message(Message::Accept { invite, name: "Mallory".to_owned(), streams }).await;
                return conversation;
            }
        }
    });
    alice.expect("conversation_connecting");

    let (sent, stop) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
    let toggle = move |number: u64| {
        let streams = MediaSet::of_call(number & 1 == 0, number & 2 == 0);
        Message::Media { conversation, streams }
    };
    let flooder = {
        let (sent, stop) = (Arc::clone(&sent), Arc::clone(&stop));
        runtime.spawn(async move { flood(77, port, id, toggle, &sent, &stop).await })
    };
    wait_until_under_way(&sent);
    alice.say("leave");
    assert_eq!(alice.expect("conversation_disconnected")["reason"], "left");
    assert!(alice.transcript().iter().any(|event| event["event"] == "local_stream_ended"), "the devices are closed");
    stop.store(true, Ordering::Relaxed);
    runtime.block_on(async { tokio::time::timeout(SOON, flooder).await }).expect("it ends").expect("no panic");
    alice.quit();
}
