//! Ends that are no `quit`: signals, readers and terminals that go away. Each hangs up and closes first, and what
//! nobody reads takes nothing down.

#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod support;

use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use support::process::{Launch, SOON, Visavis, call, meet, prefixed, text, visavis};

/// Two seconds are promised; a busy machine may take longer, but a far side that waits for a network takes thirty.
const AT_ONCE: Duration = Duration::from_secs(8);

fn person(name: &str) -> Launch {
    Launch::new(name).with_synthetic_devices()
}

fn in_call(alice: Launch) -> (Visavis, Visavis) {
    let (mut alice, mut bob) = (alice.start(), person("Bob").start());
    meet(&mut alice, &mut bob);
    call(&mut alice, &mut bob, &json!("low"));
    (alice, bob)
}

#[test]
fn a_signal_hangs_up_as_quit_does() {
    let _machine = support::sharing();
    let directory = tempfile::tempdir().expect("a directory");
    for (signal, file) in [(libc::SIGTERM, "term.wav"), (libc::SIGINT, "int.wav"), (libc::SIGHUP, "hup.wav")] {
        let heard = directory.path().join(file);
        let alice = Launch::new("Alice").option("--camera", "test-card").option("--microphone", "tone:440");
        let (mut alice, mut bob) = in_call(alice.option("--speaker", prefixed("file:", &heard)));
        let began = Instant::now();
        alice.signal(signal);
        assert_eq!(bob.expect("conversation_disconnected")["reason"], "hung_up", "signal {signal}");
        assert_eq!(alice.wait(SOON).code(), Some(0), "signal {signal}");
        assert!(began.elapsed() < AT_ONCE, "{:?}", began.elapsed());
        assert_eq!(alice.expect("conversation_disconnected")["reason"], "left");
        let recording = hound::WavReader::open(&heard).expect("a whole recording");
        assert!(recording.duration() > 0, "signal {signal}");
    }
}

#[test]
fn a_signal_takes_back_and_declines_too() {
    let _machine = support::sharing();
    for caller_ends in [true, false] {
        let (mut alice, mut bob) = (person("Alice").start(), person("Bob").start());
        meet(&mut alice, &mut bob);
        alice.invite(&bob.id, json!("low"));
        bob.expect_invite_from(&alice.id);
        let (ends, told, event) = if caller_ends {
            (&mut alice, &mut bob, "invite_canceled")
        } else {
            (&mut bob, &mut alice, "invite_rejected")
        };
        ends.signal(libc::SIGTERM);
        told.expect_where(event, AT_ONCE, |_| true);
        assert_eq!(ends.wait(SOON).code(), Some(0));
    }
}

#[test]
fn a_signal_that_is_ignored_at_the_start_goes_on_being_ignored() {
    let _machine = support::sharing();
    let mut alice = person("Alice").after(["nohup"]).start();
    alice.signal(libc::SIGHUP);
    alice.say("contacts");
    alice.expect_where("contact", SOON, |contact| contact["route"] == "local");
    alice.signal(libc::SIGTERM);
    assert_eq!(alice.wait(SOON).code(), Some(0));
}

#[test]
fn a_second_signal_ends_what_does_not_end() {
    let _machine = support::sharing();
    let mut alice = Bare::start(person("Alice"), Stdio::null());
    alice.expect("ready");
    // Each is answered by an event. They fill the pipe, and nobody reads them: the first end waits for that, for a
    // second.
    for _ in 0..6_000 {
        alice.send_bytes(b"{\"command\":\"contacts\"}\n");
    }
    // Stopped, it gets both at once when it goes on.
    for signal in [libc::SIGSTOP, libc::SIGTERM, libc::SIGINT, libc::SIGCONT] {
        // SAFETY: the process is a child of this one that has not been waited for.
        assert_eq!(unsafe { libc::kill(alice.child.id() as i32, signal) }, 0);
    }
    let status = alice.wait();
    assert!(matches!(status.signal(), Some(libc::SIGTERM | libc::SIGINT)), "{status}");
}

/// A program whose streams are this test's.
struct Bare {
    child: Child,
    events: Option<BufReader<std::process::ChildStdout>>,
    _home: tempfile::TempDir,
}

impl Bare {
    fn start(launch: Launch, errors: impl Into<Stdio>) -> Self {
        let (mut command, _, home) = launch.command();
        let spawned = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(errors).spawn();
        let mut child = spawned.expect("visavis starts");
        let events = child.stdout.take().map(BufReader::new);
        Self { child, events, _home: home }
    }

    fn send(&mut self, command: &Value) {
        self.send_bytes(format!("{command}\n").as_bytes());
    }

    fn send_bytes(&mut self, bytes: &[u8]) {
        let input = self.child.stdin.as_mut().expect("piped");
        input.write_all(bytes).expect("it reads");
    }

    fn expect(&mut self, name: &str) -> Value {
        let events = self.events.as_mut().expect("piped");
        for line in events.lines() {
            let event: Value = serde_json::from_str(&line.expect("it runs")).expect("an event");
            if event["event"] == name {
                return event;
            }
        }
        panic!("it ended before {name}")
    }

    fn wait(&mut self) -> ExitStatus {
        support::poll(SOON, || self.child.try_wait().expect("a child of this process")).expect("it has not ended")
    }
}

impl Drop for Bare {
    fn drop(&mut self) {
        let _already_gone = self.child.kill();
        let _status = self.child.wait();
    }
}

/// Both ends of a pipe: where it is read, where it is written.
fn pipe() -> (File, OwnedFd) {
    let mut ends = [0; 2];
    // SAFETY: `ends` has room for both; they are new, and nobody else's.
    let (read, write) = unsafe {
        assert_eq!(libc::pipe2(ends.as_mut_ptr(), libc::O_CLOEXEC), 0);
        (File::from_raw_fd(ends[0]), OwnedFd::from_raw_fd(ends[1]))
    };
    (read, write)
}

/// A pipe whose reader is gone.
fn unread_pipe() -> OwnedFd {
    pipe().1
}

/// A terminal that was closed.
fn closed_terminal() -> OwnedFd {
    let (mut main, mut side) = (0, 0);
    // SAFETY: both numbers are written, and nobody else's; without a name, modes and a size.
    unsafe {
        let (name, modes, size) = (std::ptr::null_mut(), std::ptr::null(), std::ptr::null());
        assert_eq!(libc::openpty(&raw mut main, &raw mut side, name, modes, size), 0);
        drop(OwnedFd::from_raw_fd(main));
        OwnedFd::from_raw_fd(side)
    }
}

#[test]
fn a_log_that_cannot_be_written_takes_nothing_down() {
    let _machine = support::sharing();
    // Its reader is there, and never reads: the pipe is full after the first lines.
    let (_reader, full_pipe) = pipe();
    let streams: [(&str, Stdio); 4] = [
        ("a full disk", File::options().write(true).open("/dev/full").expect("Linux").into()),
        ("a closed pipe", unread_pipe().into()),
        ("a terminal that went away", closed_terminal().into()),
        ("a reader that does not read", full_pipe.into()),
    ];
    for (what, errors) in streams {
        let mut alice = Bare::start(person("Alice").log("trace"), errors);
        let ready = alice.expect("ready");
        assert!(!text(&ready, "id").is_empty(), "{what}");
        let echo = visavis::controller::echo_id().to_string();
        alice.send(&json!({"command": "invite", "to": echo, "video": "low"}));
        alice.expect("first_frame");
        alice.send(&json!({"command": "quit"}));
        assert_eq!(alice.expect("conversation_disconnected")["reason"], "left", "{what}");
        assert_eq!(alice.wait().code(), Some(0), "{what}");
    }
}

#[test]
fn a_reader_of_the_events_that_goes_away_ends_the_program_and_its_call() {
    let _machine = support::sharing();
    let mut bob = person("Bob").start();
    let mut alice = Bare::start(person("Alice"), Stdio::null());
    alice.expect("ready");
    let online = |event: &Value| event["id"] == bob.id && event["online"] == true;
    while !online(&alice.expect("contact")) {}
    let id = bob.id.clone();
    alice.send(&json!({"command": "invite", "to": id, "video": "low"}));
    let invite = text(&bob.expect("invite"), "invite");
    bob.accept(&invite, json!("low"));
    bob.expect("first_frame");
    alice.events = None;
    // Its standard input stays open.
    assert_eq!(bob.expect("conversation_disconnected")["reason"], "hung_up");
    assert_eq!(alice.wait().code(), Some(0));
}

#[test]
fn a_reader_that_goes_away_is_noticed_also_when_there_is_nothing_to_say() {
    let _machine = support::sharing();
    let mut alice = Bare::start(person("Alice"), Stdio::null());
    alice.expect("ready");
    alice.send(&json!({"command": "create_stream", "video": "low"}));
    alice.expect("local_stream");
    alice.events = None;
    assert_eq!(alice.wait().code(), Some(0));
}

#[test]
fn events_that_a_full_disk_refuses_end_nothing() {
    let _machine = support::sharing();
    let (mut command, _, _home) = person("Alice").command();
    let full = File::options().write(true).open("/dev/full").expect("Linux");
    let spawned = command.stdin(Stdio::piped()).stdout(full).stderr(Stdio::null()).spawn();
    let mut child = spawned.expect("visavis starts");
    let mut input = child.stdin.take().expect("piped");
    for _ in 0..100 {
        input.write_all(b"{\"command\":\"contacts\"}\n").expect("it reads on");
    }
    input.write_all(b"{\"command\":\"quit\"}\n").expect("it reads on");
    let status = support::poll(SOON, || child.try_wait().expect("a child of this process"));
    assert_eq!(status.expect("it has not ended").code(), Some(0));
}

/// Runs a subcommand with this standard output: its status, and what it says to standard error.
fn run(words: &[&str], output: impl Into<Stdio>) -> (Option<i32>, String) {
    let home = tempfile::tempdir().expect("a directory");
    let mut command = Command::new(visavis());
    command.args(words).arg("--profile").arg(home.path().join("profile"));
    command.env("HOME", home.path()).env_remove("DISPLAY").env_remove("WAYLAND_DISPLAY");
    let ended = command.stdin(Stdio::null()).stdout(output).stderr(Stdio::piped()).output().expect("visavis starts");
    (ended.status.code(), String::from_utf8_lossy(&ended.stderr).into_owned())
}

const SYNTHETIC: [&str; 8] =
    ["--camera", "test-card", "--microphone", "tone:440", "--speaker", "none", "--bind", "127.0.0.1"];

/// Other tests' work on the network may be worth a warning; what a person is told is not in the log.
const NO_LOG: [&str; 2] = ["--log", "off"];

#[test]
fn a_list_that_nobody_reads_to_its_end_is_no_fault() {
    let _machine = support::sharing();
    for words in [&["devices"][..], &["id"], &["--help"], &["--version"]] {
        assert_eq!(run(words, unread_pipe()), (Some(0), String::new()), "{words:?}");
    }
}

#[test]
fn a_check_that_nobody_reads_says_by_its_status_whether_it_was_made() {
    let _machine = support::sharing();
    let (status, errors) = run(&[&["echo-test", "--seconds", "2"][..], &SYNTHETIC, &NO_LOG].concat(), unread_pipe());
    assert_eq!((status, errors.as_str()), (Some(141), ""), "it was ended, as by SIGPIPE");
    let (status, errors) = run(&[&["doctor"][..], &SYNTHETIC, &NO_LOG].concat(), unread_pipe());
    assert_eq!((status, errors.as_str()), (Some(0), ""), "all was checked, and works");
}

#[test]
fn what_a_full_disk_does_not_take_is_told() {
    let _machine = support::sharing();
    for words in [&["devices"][..], &["id"]] {
        let full = File::options().write(true).open("/dev/full").expect("Linux");
        let (status, errors) = run(words, full);
        assert_eq!(status, Some(1), "{words:?}: {errors}");
        assert_eq!(errors.lines().count(), 1, "{words:?}: {errors}");
        assert!(errors.contains("cannot be written"), "{words:?}: {errors}");
    }
}

#[test]
fn an_interrupted_test_call_hangs_up_and_has_not_succeeded() {
    let _machine = support::sharing();
    let home = tempfile::tempdir().expect("a directory");
    let mut command = Command::new(visavis());
    command.args(["echo-test", "--seconds", "600", "--profile"]).arg(home.path()).args(SYNTHETIC).args(NO_LOG);
    let spawned = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let mut child = spawned.expect("visavis starts");
    let said = BufReader::new(child.stdout.take().expect("piped"));
    let mut lines = said.lines().map_while(Result::ok);
    assert!(lines.any(|line| line.starts_with("Connected")), "the call is made");
    // SAFETY: the process is a child of this one that has not been waited for.
    assert_eq!(unsafe { libc::kill(child.id() as i32, libc::SIGINT) }, 0);
    let _rest: Vec<String> = lines.collect();
    let ended = child.wait_with_output().expect("a child of this process");
    assert_eq!(ended.status.code(), Some(130), "{}", String::from_utf8_lossy(&ended.stderr));
    assert!(ended.stderr.is_empty(), "{}", String::from_utf8_lossy(&ended.stderr));
}

#[test]
fn streams_that_do_not_wait_lose_nothing() {
    let _machine = support::sharing();
    let (mut events, output) = pipe();
    let (commands, mut input) = pipe();
    for descriptor in [output.as_raw_fd(), commands.as_raw_fd()] {
        // SAFETY: the descriptor is open, and only its flags change.
        assert_eq!(unsafe { libc::fcntl(descriptor, libc::F_SETFL, libc::O_NONBLOCK) }, 0);
    }
    let (mut command, _, _home) = person("Alice").command();
    let spawned = command.stdin(commands).stdout(output).stderr(Stdio::null()).spawn();
    let mut child = spawned.expect("visavis starts");
    drop(command);
    let mut input = File::from(std::mem::replace(&mut input, unread_pipe()));
    // More commands than a pipe holds, and more events, before any of these is read.
    for _ in 0..4_000 {
        input.write_all(b"{\"command\":\"contacts\"}\n").expect("it reads");
    }
    input.write_all(b"{\"command\":\"quit\"}\n").expect("it reads");
    let mut contacts = 0;
    for line in BufReader::new(&mut events).lines() {
        let event: Value = serde_json::from_str(&line.expect("text")).expect("whole lines");
        contacts += usize::from(event["event"] == "contact");
    }
    assert!(contacts >= 4_000, "{contacts}");
    assert_eq!(child.wait().expect("a child of this process").code(), Some(0));
}
