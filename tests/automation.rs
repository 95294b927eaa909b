//! The contract of `visavis --headless`: what scripts send and get, and how the program starts and ends.

#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod support;

use std::ffi::OsStr;
use std::io::Write;
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};
use support::process::{Launch, SOON, Visavis, run_to_end, text};

fn person(name: &str) -> Visavis {
    Launch::new(name).with_synthetic_devices().start()
}

#[test]
fn it_says_who_it_is_when_it_is_ready() {
    let mut alice = person("Alice");
    let ready = alice.transcript().into_iter().find(|event| event["event"] == "ready").expect("it is ready");
    assert_eq!(text(&ready, "name"), "Alice");
    assert_eq!(text(&ready, "version"), env!("CARGO_PKG_VERSION"));
    assert!(text(&ready, "id").parse::<visavis::identity::PeerId>().is_ok());
    assert!(text(&ready, "link").starts_with("visavis:"));
    assert!(text(&ready, "link").contains(&alice.id));
    alice.say("contacts");
    let echo = alice.expect_where("contact", SOON, |contact| contact["route"] == "local");
    assert_eq!(echo["online"], true, "Echo is always there");
}

#[test]
fn settings_that_are_not_named_stay_and_so_do_the_devices_of_the_command_line() {
    let mut alice = person("Alice");
    alice.send(json!({"command": "update_settings", "settings": {"preset": "low"}}));
    alice.send(json!({"command": "create_stream", "video": "low"}));
    let stream = alice.expect("local_stream");
    assert_eq!((&stream["camera"], &stream["microphone"]), (&json!("test-card"), &json!("Tone of 440 Hz")), "{stream}");
    alice.send(json!({"command": "update_settings", "settings": {"camera": "test-card:320x240@15"}}));
    let stream = alice.expect_where("local_stream", SOON, |stream| stream["camera"] == "test-card:320x240@15");
    assert_eq!(stream["microphone"], "Tone of 440 Hz", "{stream}");
    alice.send(json!({"command": "update_settings", "settings": {"max_fps": "many"}}));
    assert_eq!(alice.expect("error")["code"], 40001);
}

#[test]
fn what_cannot_be_understood_is_refused_and_changes_nothing_else() {
    let mut alice = person("Alice");
    let too_long = format!(r#"{{"command":"add_contact","link":"{}"}}"#, "x".repeat(64 * 1024));
    let lines: [&[u8]; 10] = [
        br#"{"command":"dance"}"#,
        br#"{"command":"create_stream","video":"huge"}"#,
        br#"{"command":"create_stream","volume":3}"#,
        br#"{"command":"cancel","invite":"xyz"}"#,
        br#"{"command":"invite","to":"nobody"}"#,
        br#"{"to":"nobody"}"#,
        b"not json at all",
        b"\xff\xfe\x00",
        b"[1,2,3]",
        too_long.as_bytes(),
    ];
    for line in lines {
        alice.send_bytes(line);
        alice.send_bytes(b"\n");
        let error = alice.expect_any(&["error"], SOON);
        assert_eq!(error["code"], 40001, "{error}");
        assert!(!text(&error, "message").is_empty());
    }
    assert_still_works(&mut alice);
    let said: Vec<Value> = alice.transcript();
    let changes = said.iter().filter(|event| {
        !["ready", "contact", "error", "local_stream", "local_stream_ended"].iter().any(|name| event["event"] == *name)
    });
    assert_eq!(changes.count(), 0, "{said:#?}");
    assert_eq!(said.iter().filter(|event| event["event"] == "error").count(), lines.len());
}

#[test]
fn what_languages_make_of_json_is_understood() {
    let mut alice = person("Alice");
    // As PowerShell begins a pipe, and as Lua writes every number.
    alice.send_bytes(b"\xef\xbb\xbf{\"command\":\"contacts\"}\r\n");
    alice.expect_where("contact", SOON, |contact| contact["route"] == "local");
    alice.send_bytes(b"{\"command\":\"create_stream\",\"audio\":false,\"video\":\"low\",\"max_fps\":15.0}\n");
    let stream = alice.expect_where("local_stream", SOON, |stream| stream["video"] == true);
    assert_eq!(stream["fps"], 15.0, "{stream}");
}

#[test]
fn the_error_names_the_command_that_failed() {
    let mut alice = person("Alice");
    alice.send(json!({"command": "cancel", "invite": "0".repeat(32)}));
    let error = alice.expect("error");
    assert_eq!(error["command"], "cancel", "{error}");
    alice.send(json!({"command": "add_contact", "link": "visavis:rubbish"}));
    assert_eq!(alice.expect("error")["command"], "add_contact");
    assert_still_works(&mut alice);
}

#[test]
fn a_line_without_end_does_not_fill_the_memory() {
    let mut alice = person("Alice");
    let before = resident_kib(alice.pid());
    let megabyte = vec![b'x'; 1 << 20];
    for _ in 0..64 {
        alice.send_bytes(&megabyte);
    }
    alice.send_bytes(b"\n");
    alice.expect_any(&["error"], SOON);
    let grown = resident_kib(alice.pid()).saturating_sub(before);
    assert!(grown < 32 * 1024, "64 MiB without a line's end cost {grown} KiB");
    assert_still_works(&mut alice);
}

fn resident_kib(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("it runs");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("a line of memory");
    line.trim().trim_end_matches(" kB").parse().expect("a number")
}

fn assert_still_works(person: &mut Visavis) {
    person.send(json!({"command": "create_stream", "video": "low"}));
    let stream = person.expect_where("local_stream", SOON, |stream| stream["video"] == true);
    assert_eq!((&stream["width"], &stream["height"]), (&json!(320), &json!(240)));
}

#[test]
fn every_preset_gives_pictures_of_its_size() {
    let mut alice = person("Alice");
    for (preset, width, height) in [
        (json!("low"), 320, 240),
        (json!("low-16:9"), 320, 180),
        (json!("standard"), 640, 480),
        (json!("standard-16:9"), 640, 360),
        (json!("high-16:9"), 1280, 720),
        (json!("full-16:9"), 1920, 1080),
        (json!(true), 640, 480),
    ] {
        alice.send(json!({"command": "create_stream", "audio": false, "video": preset}));
        alice.expect_where("local_stream", SOON, |stream| {
            stream["width"] == width && stream["height"] == height && stream["audio"] == false
        });
    }
    alice.send(json!({"command": "create_stream", "audio": true, "video": false}));
    alice.expect_where("local_stream", SOON, |stream| stream["video"] == false && stream["audio"] == true);
}

#[test]
fn outside_a_call_the_switches_change_the_open_stream_and_without_one_are_refused() {
    let mut alice = person("Alice");
    for command in ["enable_audio", "enable_video"] {
        alice.send(json!({"command": command, "on": false}));
        let error = alice.expect("error");
        assert_eq!((&error["code"], &error["command"]), (&json!(40001), &json!(command)), "{error}");
    }
    alice.send(json!({"command": "create_stream", "video": "low"}));
    alice.expect_where("local_stream", SOON, |stream| stream["audio"] == true && stream["video"] == true);
    for (command, on, audio, video) in [
        ("enable_video", false, true, false),
        ("enable_audio", false, false, false),
        ("enable_video", true, false, true),
        ("enable_audio", true, true, true),
    ] {
        alice.send(json!({"command": command, "on": on}));
        alice.expect_where("local_stream", SOON, |stream| stream["audio"] == audio && stream["video"] == video);
    }
}

#[test]
fn quit_and_the_end_of_input_both_end_it_in_good_order() {
    person("Alice").quit();
    let mut bob = person("Bob");
    bob.close_input();
    assert_eq!(bob.wait(SOON).code(), Some(0));
}

#[test]
fn it_ends_also_when_nobody_reads_what_it_says() {
    let (mut command, _profile, _home) = Launch::new("Alice").with_synthetic_devices().command();
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("visavis starts");
    let mut input = child.stdin.take().expect("piped");
    // Far more events than a pipe holds.
    for _ in 0..3_000 {
        input.write_all(b"{\"command\":\"contacts\"}\n").expect("it reads");
    }
    drop(input);
    let status = support::poll(SOON, || child.try_wait().expect("a child of this process"));
    let _already_gone = child.kill();
    let _status = child.wait();
    assert_eq!(status.and_then(|status| status.code()), Some(0), "it has not ended");
}

#[test]
fn a_script_hears_that_nobody_can_be_found_without_a_network() {
    let without_network = ["unshare", "--map-root-user", "--net"];
    let possible = Command::new(without_network[0]).args(&without_network[1..]).arg("true").output();
    if !possible.is_ok_and(|output| output.status.success()) {
        return support::skip("a network namespace cannot be made here");
    }
    // Not even loopback is up in a new namespace, and without it this address is nobody's.
    let mut alice = Launch::new("Alice").with_synthetic_devices().bind("::1").after(without_network).start();
    let error = alice.expect_any(&["error"], SOON);
    assert_eq!((&error["code"], &error["command"]), (&json!(40201), &json!("")), "{error}");
    alice.quit();
}

#[test]
fn the_end_of_input_ends_a_call_first() {
    let mut alice = person("Alice");
    alice.say("contacts");
    let echo = alice.expect_where("contact", SOON, |contact| contact["route"] == "local");
    alice.invite(&text(&echo, "id"), json!("low"));
    alice.expect("first_frame");
    alice.close_input();
    assert_eq!(alice.wait(SOON).code(), Some(0));
    assert_eq!(alice.expect("conversation_disconnected")["reason"], "left");
}

#[test]
fn wrong_options_end_with_status_2() {
    for options in [["--headless", "--no-such-option"], ["--camera", "--headless"]] {
        let (status, output, errors) = run_to_end(&options.map(OsStr::new));
        assert_eq!(status.code(), Some(2), "{options:?}: {output}{errors}");
        assert!(output.is_empty(), "{output}");
        assert!(!errors.is_empty());
    }
}

#[test]
fn a_profile_has_one_program_at_a_time() {
    let alice = person("Alice");
    let mut second = Launch::new("Again").with_synthetic_devices().profile(&alice.profile).log("error").start_unready();
    assert_eq!(second.wait(SOON).code(), Some(1));
    let log = second.log_after_end();
    assert_eq!(log.len(), 1, "one plain sentence: {log:?}");
    assert!(second.transcript().is_empty());
    let profile = alice.profile.clone();
    alice.quit();
    assert!(!profile.as_os_str().is_empty());
}

#[test]
fn a_profile_keeps_identity_and_contacts() {
    let directory = tempfile::tempdir().expect("a directory");
    let start = |name: &str| Launch::new(name).with_synthetic_devices().profile(directory.path()).start();
    let bob = person("Bob");
    let mut alice = start("Alice");
    let id = alice.id.clone();
    alice.send(json!({"command": "add_contact", "link": bob.link}));
    alice.expect_where("contact", SOON, |contact| contact["id"] == bob.id && contact["contact"] == true);
    alice.quit();

    let mut alice = start("Alice");
    assert_eq!(alice.id, id);
    alice.say("contacts");
    alice.expect_where("contact", SOON, |contact| contact["id"] == bob.id && contact["contact"] == true);
    alice.quit();

    let profile = directory.path().as_os_str();
    let (status, output, errors) = run_to_end(&[OsStr::new("id"), OsStr::new("--profile"), profile]);
    assert!(status.success(), "{errors}");
    assert!(output.contains(&id), "{output}");
}

#[test]
fn a_profile_that_cannot_be_used_is_said_in_one_sentence() {
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("not-a-directory");
    std::fs::write(&file, "a file").expect("space on the disk");
    let mut alice = Launch::new("Alice").with_synthetic_devices().profile(&file).log("error").start_unready();
    assert_eq!(alice.wait(SOON).code(), Some(1));
    let log = alice.log_after_end();
    assert_eq!(log.len(), 1, "one plain sentence: {log:?}");
}

#[test]
fn a_flood_of_commands_is_worked_off() {
    let mut alice = person("Alice");
    for _ in 0..2_000 {
        alice.say("contacts");
    }
    alice.send(json!({"command": "cancel", "invite": "f".repeat(32)}));
    let error = alice.expect_any(&["error"], Duration::from_secs(60));
    assert_eq!(error["command"], "cancel");
    alice.quit();
}

#[test]
fn a_picture_that_shows_no_contact_is_told_with_its_reason() {
    let mut alice = person("Alice");
    let folder = tempfile::tempdir().expect("a directory");
    let moving = folder.path().join("moving.gif");
    std::fs::write(&moving, b"GIF89a\x01\0\x01\0").expect("space on the disk");
    for (path, reason) in [
        (folder.path().join("none.png"), "no such file"),
        (folder.path().to_owned(), "is a folder"),
        (moving, "a GIF picture, and only PNG and JPEG"),
    ] {
        alice.send(json!({"command": "add_contact_image", "path": path}));
        let error = alice.expect("error");
        assert_eq!((&error["code"], &error["command"]), (&json!(40001), &json!("add_contact_image")), "{error}");
        assert!(text(&error, "message").contains(reason), "{error}");
    }
}
