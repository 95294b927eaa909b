//! Before Answer nothing of the callee is opened, sent or revealed: no camera, no microphone, no socket to the caller.
//! This file owns the promises "nobody sees or hears you before you press Answer" and "ringing you never reveals your
//! address" on the whole product.

#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod support;

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::json;
use support::camera::Webcam;
use support::network::two_computers;
use support::process::{Launch, SOON, Visavis, call, meet};

/// Long enough for anything that would be started by ringing to have started.
const RINGING: Duration = Duration::from_secs(5);

/// What a process has open that a call needs: UDP sockets by inode, and device files.
fn open_for_a_call(person: &Visavis) -> BTreeSet<String> {
    let udp: BTreeSet<String> = ["udp", "udp6"]
        .iter()
        .filter_map(|table| fs::read_to_string(format!("/proc/{}/net/{table}", person.pid())).ok())
        .flat_map(|table| {
            let inodes: Vec<_> =
                table.lines().skip(1).filter_map(|line| line.split_whitespace().nth(9)).map(str::to_owned).collect();
            inodes
        })
        .collect();
    let links = fs::read_dir(format!("/proc/{}/fd", person.pid())).expect("it runs").map_while(Result::ok);
    links
        .filter_map(|link| fs::read_link(link.path()).ok())
        .map(|target| target.to_string_lossy().into_owned())
        .filter(|target| {
            let inode = target.strip_prefix("socket:[").and_then(|rest| rest.strip_suffix(']'));
            inode.is_some_and(|inode| udp.contains(inode))
                || target.starts_with("/dev/snd")
                || target.contains("/dev/video")
        })
        .collect()
}

#[test]
fn ringing_opens_no_device_and_no_socket_for_media() {
    let _machine = support::measuring();
    let Some(webcam) = Webcam::plug_in() else { return };
    let mut alice = Launch::new("Alice").with_synthetic_devices().start();
    let mut bob = webcam.give_to(Launch::new("Bob")).option("--microphone", "tone").option("--speaker", "none").start();
    meet(&mut alice, &mut bob);
    let before = open_for_a_call(&bob);
    let invite = alice.invite(&bob.id, json!("low"));
    bob.expect_invite_from(&alice.id);
    bob.expect_none("local_stream", RINGING);
    let opened: Vec<_> = open_for_a_call(&bob).difference(&before).cloned().collect();
    assert!(opened.is_empty(), "ringing opened {opened:?}");
    let said = alice.transcript();
    for event in ["invite_accepted", "conversation_connecting", "participant_connected", "stream_added", "first_frame"]
    {
        assert!(!said.iter().any(|said| said["event"] == event), "{event} before the answer");
    }
    // The same program opens camera and sockets once it is told to answer: the watch above can see them.
    bob.accept(&invite, json!("low"));
    bob.expect("first_frame");
    assert!(open_for_a_call(&bob).difference(&before).next().is_some(), "the watch sees what a call opens");
}

#[test]
fn the_callee_sends_the_stranger_who_rings_no_media_packet() {
    let _machine = support::sharing();
    let Some((here, there)) = two_computers() else { return };
    let mut alice = here.give_to(Launch::new("Alice").with_synthetic_devices()).start();
    let mut bob = there.give_to(Launch::new("Bob").with_synthetic_devices()).start();
    meet(&mut alice, &mut bob);
    // Discovery announces itself more often at first.
    bob.expect_none("invite", Duration::from_secs(4));
    alice.invite(&bob.id, json!("low"));
    bob.expect_invite_from(&alice.id);
    let before = udp_datagrams_out(&bob);
    bob.expect_none("first_frame", RINGING);
    let sent = udp_datagrams_out(&bob) - before;
    // Discovery may repeat its announcements; a call sends hundreds of packets in this time, and ICE tens.
    assert!(sent <= 12, "{sent} datagrams left the callee's computer while it rang");
    let said = bob.transcript();
    assert!(!said.iter().any(|event| event["event"] == "conversation_connecting"), "{said:#?}");
}

/// Datagrams that the network namespace of this process has sent.
fn udp_datagrams_out(person: &Visavis) -> u64 {
    let table = fs::read_to_string(format!("/proc/{}/net/snmp", person.pid())).expect("it runs");
    let mut lines = table.lines().filter_map(|line| line.strip_prefix("Udp:"));
    let (names, values) = (lines.next().expect("names"), lines.next().expect("values"));
    let column = names.split_whitespace().position(|name| name == "OutDatagrams").expect("a column");
    values.split_whitespace().nth(column).and_then(|value| value.parse().ok()).expect("a number")
}

#[test]
fn a_caller_cannot_answer_its_own_call() {
    let _machine = support::sharing();
    let mut alice = Launch::new("Alice").with_synthetic_devices().start();
    let mut bob = Launch::new("Bob").with_synthetic_devices().start();
    meet(&mut alice, &mut bob);
    let invite = alice.invite(&bob.id, json!("low"));
    bob.expect_invite_from(&alice.id);
    alice.accept(&invite, json!("low"));
    assert_eq!(alice.expect("error")["command"], "accept");
    bob.expect_none("invite_accepted", Duration::from_secs(2));
}

/// Two devices of one person, on the network of `other`, who sees both.
fn two_devices(name: &str, folder: &std::path::Path, other: &mut Visavis) -> [Visavis; 2] {
    let profiles = ["desk", "lap"].map(|profile| folder.join(profile));
    let start = |profile: &std::path::Path| Launch::new(name).with_synthetic_devices().profile(profile).start();
    let id = {
        let desk = start(&profiles[0]);
        let id = desk.id.clone();
        desk.quit();
        id
    };
    assert!(Command::new("cp").arg("-r").args(&profiles).status().expect("it runs").success());
    let mut devices = profiles.each_ref().map(|profile| start(profile));
    for device in &mut devices {
        assert_eq!(device.id, id);
        device.expect_online(&other.id);
        // The other side has this device's connection as well, once it has rung over it.
        let invite = device.invite(&other.id, json!(false));
        other.expect_where("invite", SOON, |rung| rung["invite"] == json!(invite));
        device.send(json!({"command": "cancel", "invite": invite}));
        for side in [&mut *device, &mut *other] {
            side.expect_where("invite_canceled", SOON, |event| event["invite"] == json!(invite));
        }
    }
    devices
}

/// `caller` rings, and both devices do.
fn ring_both(caller: &mut Visavis, devices: &mut [Visavis; 2]) -> String {
    let invite = caller.invite(&devices[0].id, json!(false));
    for device in devices {
        device.expect_where("invite", SOON, |rung| rung["invite"] == json!(invite));
    }
    invite
}

#[test]
fn two_devices_of_one_person_on_one_network_ring_and_the_first_that_answers_has_the_call() {
    let _machine = support::sharing();
    let folder = tempfile::tempdir().expect("a folder");
    let mut ada = Launch::new("Ada-Two-Devices").with_synthetic_devices().start();
    let mut devices = two_devices("Bob-Two-Devices", folder.path(), &mut ada);
    for (answers, other) in [(0, 1), (1, 0)] {
        let invite = ring_both(&mut ada, &mut devices);
        devices[answers].accept(&invite, json!(false));
        assert_eq!(devices[other].expect("invite_answered_elsewhere")["invite"], json!(invite));
        for side in [&mut ada, &mut devices[answers]] {
            side.expect("conversation_connected");
        }
        ada.say("leave");
        for side in [&mut ada, &mut devices[answers]] {
            side.expect("conversation_disconnected");
        }
    }
    let invite = ring_both(&mut ada, &mut devices);
    devices[1].send(json!({"command": "reject", "invite": invite}));
    ada.expect("invite_rejected");
    assert_eq!(devices[0].expect("invite_answered_elsewhere")["invite"], json!(invite));
}

#[test]
fn a_device_that_ends_in_a_call_ends_it_although_another_one_of_the_person_is_here() {
    let _machine = support::sharing();
    let folder = tempfile::tempdir().expect("a folder");
    let mut ada = Launch::new("Ada-Device-Ends").with_synthetic_devices().start();
    let [mut desk, mut lap] = two_devices("Bob-Device-Ends", folder.path(), &mut ada);
    call(&mut desk, &mut ada, &json!("low"));
    desk.kill();
    let killed = Instant::now();
    let ended = ada.expect_where("conversation_disconnected", SOON, |_| true);
    assert_eq!(ended["reason"], "lost", "{ended}");
    assert!(killed.elapsed() < Duration::from_secs(15), "not by the half minute of a silent network");
    let invite = ada.invite(&lap.id, json!(false));
    assert_eq!(lap.expect_invite_from(&ada.id), invite);
}
