//! The product as a script drives it: `visavis --headless` with commands in and events out.

use std::collections::VecDeque;
use std::ffi::{OsStr, OsString};
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;

use super::poll;

/// Long enough for anything that should take a second or two, on a machine that is busy with other things.
pub const SOON: Duration = Duration::from_secs(30);

/// Lines of events and of log that are kept for the report of a failure.
const MAX_EVENTS: usize = 100_000;
const MAX_LOG_LINES: usize = 400;

/// What happens beside a call's own story, at any time.
const BESIDE_THE_STORY: [&str; 13] = [
    "contact",
    "server",
    "server_offered",
    "clocks_differ",
    "stats",
    "local_stream",
    "local_stream_ended",
    "stream_changed",
    "device_error",
    "device_recovered",
    "microphone_silent",
    // A busy machine's hiccup may last for as long as an interruption.
    "reconnecting",
    "reconnected",
];

/// The program that is tested.
pub fn visavis() -> &'static str {
    env!("CARGO_BIN_EXE_visavis")
}

/// How to start one person's program.
pub struct Launch {
    name: String,
    profile: Option<PathBuf>,
    before: Vec<OsString>,
    options: Vec<OsString>,
    environment: Vec<(OsString, OsString)>,
    bind: Option<String>,
    face: Option<&'static str>,
    log: &'static str,
}

impl Launch {
    /// A person called `name` with a test card, a tone, no speaker and a profile of their own, on loopback alone.
    pub fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            profile: None,
            before: Vec::new(),
            options: Vec::new(),
            environment: Vec::new(),
            bind: Some("127.0.0.1".to_owned()),
            face: Some("--headless"),
            log: "info",
        }
        .option("--name", name)
    }

    /// The usual devices in software.
    pub fn with_synthetic_devices(self) -> Self {
        self.option("--camera", "test-card").option("--microphone", "tone:440").option("--speaker", "none")
    }

    /// An option and its value.
    pub fn option(mut self, option: &str, value: impl AsRef<OsStr>) -> Self {
        self.options.push(option.into());
        self.options.push(value.as_ref().into());
        self
    }

    /// An existing profile instead of a new one.
    pub fn profile(mut self, directory: &Path) -> Self {
        self.profile = Some(directory.to_owned());
        self
    }

    /// The address to use instead of loopback.
    pub fn bind(mut self, address: &str) -> Self {
        self.bind = Some(address.to_owned());
        self
    }

    /// Every network of the computer, as a person starts it.
    pub fn unbound(mut self) -> Self {
        self.bind = None;
        self
    }

    /// A variable of the environment.
    pub fn environment(mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Self {
        self.environment.push((name.as_ref().into(), value.as_ref().into()));
        self
    }

    /// How much is logged, instead of what a person would want to know about a failure.
    pub fn log(mut self, level: &'static str) -> Self {
        self.log = level;
        self
    }

    /// Words before the program's name, such as `ip netns exec NAME`.
    pub fn after<I: AsRef<OsStr>>(mut self, words: impl IntoIterator<Item = I>) -> Self {
        self.before.extend(words.into_iter().map(|word| word.as_ref().to_owned()));
        self
    }

    /// Opens the window instead of reading commands.
    pub fn with_window(mut self) -> Self {
        self.face = None;
        self
    }

    /// The command line, and the directory that must live as long as the program.
    pub fn command(self) -> (Command, PathBuf, TempDir) {
        let home = tempfile::tempdir().expect("a directory for the profile");
        let profile = self.profile.unwrap_or_else(|| home.path().join("profile"));
        let mut words = self.before;
        words.push(visavis().into());
        words.extend(self.face.map(Into::into));
        words.extend(["--profile".into(), profile.clone().into(), "--log".into(), self.log.into()]);
        if let Some(bind) = self.bind {
            words.extend(["--bind".into(), bind.into()]);
        }
        words.extend(self.options);
        let mut command = Command::new(&words[0]);
        command.args(&words[1..]);
        command.env("HOME", home.path()).env_remove("DISPLAY").env_remove("WAYLAND_DISPLAY").env_remove("RUST_LOG");
        for proxy in ["https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"] {
            command.env_remove(proxy);
        }
        command.envs(self.environment);
        (command, profile, home)
    }

    /// Starts it and waits until it is ready.
    pub fn start(self) -> Visavis {
        let mut program = self.start_unready();
        let ready = program.expect("ready");
        program.id = text(&ready, "id");
        program.link = text(&ready, "link");
        program
    }

    /// Starts it without waiting for anything.
    pub fn start_unready(self) -> Visavis {
        let name = self.name.clone();
        let (mut command, profile, home) = self.command();
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{command:?} did not start: {error}"));
        let record = Arc::new(Record::default());
        let events = read_events(child.stdout.take().expect("piped"), Arc::clone(&record));
        let log = read_log(child.stderr.take().expect("piped"), Arc::clone(&record));
        Visavis {
            name,
            id: String::new(),
            link: String::new(),
            profile,
            stdin: child.stdin.take(),
            child,
            record,
            read: 0,
            readers: vec![events, log],
            _home: home,
        }
    }
}

/// What a program has said so far.
#[derive(Default)]
struct Record {
    said: Mutex<Said>,
    more: Condvar,
}

#[derive(Default)]
struct Said {
    events: Vec<Value>,
    log: VecDeque<String>,
    /// What is wrong with the output itself, whatever the test is about.
    fault: Option<String>,
    ended: bool,
}

impl Record {
    fn lock(&self) -> MutexGuard<'_, Said> {
        self.said.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn read_events(output: impl Read + Send + 'static, record: Arc<Record>) -> JoinHandle<()> {
    std::thread::spawn(move || {
        let mut last_ms = 0;
        for line in BufReader::new(output).split(b'\n').map_while(Result::ok) {
            let mut said = record.lock();
            match serde_json::from_slice::<Value>(&line) {
                Ok(event) if event["event"].is_string() && event["t_ms"].as_u64().is_some_and(|at| at >= last_ms) => {
                    last_ms = event["t_ms"].as_u64().unwrap_or(last_ms);
                    if said.events.len() < MAX_EVENTS {
                        said.events.push(event);
                    }
                }
                _ => {
                    let line = String::from_utf8_lossy(&line).into_owned();
                    said.fault
                        .get_or_insert(format!("this is no event with a name and a time that only grows: {line}"));
                }
            }
            drop(said);
            record.more.notify_all();
        }
        record.lock().ended = true;
        record.more.notify_all();
    })
}

fn read_log(log: impl Read + Send + 'static, record: Arc<Record>) -> JoinHandle<()> {
    std::thread::spawn(move || {
        for line in BufReader::new(log).split(b'\n').map_while(Result::ok) {
            let mut said = record.lock();
            if said.log.len() == MAX_LOG_LINES {
                said.log.pop_front();
            }
            said.log.push_back(String::from_utf8_lossy(&line).into_owned());
            drop(said);
            record.more.notify_all();
        }
    })
}

/// One running program. It is killed when dropped; a test that fails prints its transcript.
pub struct Visavis {
    /// Who it is in the transcript.
    pub name: String,
    /// The ID from its `ready` event.
    pub id: String,
    /// The link from its `ready` event.
    pub link: String,
    /// Its profile.
    pub profile: PathBuf,
    child: Child,
    stdin: Option<ChildStdin>,
    record: Arc<Record>,
    read: usize,
    readers: Vec<JoinHandle<()>>,
    _home: TempDir,
}

impl Visavis {
    /// Its number among the system's processes.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Sends a command.
    pub fn send(&mut self, command: Value) {
        self.send_bytes(format!("{command}\n").as_bytes());
    }

    /// Sends a command that has no fields.
    pub fn say(&mut self, command: &str) {
        self.send(json!({ "command": command }));
    }

    /// Sends bytes as they are.
    pub fn send_bytes(&mut self, bytes: &[u8]) {
        let stdin = self.stdin.as_mut().expect("standard input is open");
        stdin.write_all(bytes).and_then(|()| stdin.flush()).unwrap_or_else(|error| {
            panic!("{} does not read commands any more: {error}", self.name);
        });
    }

    /// The next event of this name within [`SOON`]. What comes before it is passed over, except an `error`.
    pub fn expect(&mut self, event: &str) -> Value {
        self.expect_where(event, SOON, |_| true)
    }

    /// The next event of this name that is as wanted. What comes before it is passed over, except an `error`.
    pub fn expect_where(&mut self, event: &str, limit: Duration, wanted: impl Fn(&Value) -> bool) -> Value {
        let found = self.next_where(limit, |seen| (seen["event"] == event && wanted(seen)) || seen["event"] == "error");
        match found {
            Some(found) if found["event"] == event => found,
            Some(error) => panic!("{}: expected {event}, got {error}", self.name),
            None => panic!("{}: no {event} as wanted within {limit:?}", self.name),
        }
    }

    /// The next event that has one of these names.
    pub fn expect_any(&mut self, events: &[&str], limit: Duration) -> Value {
        self.next_where(limit, |seen| events.iter().any(|event| seen["event"] == *event))
            .unwrap_or_else(|| panic!("{}: none of {events:?} within {limit:?}", self.name))
    }

    /// The call's story goes on with exactly these events, in this order; what is beside the story may come in between.
    pub fn expect_story(&mut self, story: &[&str]) -> Vec<Value> {
        self.expect_story_within(SOON, story)
    }

    /// The same with a limit for each event.
    pub fn expect_story_within(&mut self, limit: Duration, story: &[&str]) -> Vec<Value> {
        let mut told = Vec::new();
        for chapter in story {
            let next = self.next_where(limit, |event| !is_beside_the_story(event));
            match next {
                Some(event) if event["event"] == *chapter => told.push(event),
                Some(event) => panic!("{}: expected {chapter} next, got {event}", self.name),
                None => panic!("{}: no {chapter} within {limit:?}", self.name),
            }
        }
        told
    }

    /// Nothing of this name comes for the whole time.
    pub fn expect_none(&mut self, event: &str, time: Duration) {
        if let Some(found) = self.next_where(time, |seen| seen["event"] == event) {
            panic!("{}: did not expect {found}", self.name);
        }
    }

    /// Waits until a line of its log has these words.
    pub fn expect_log(&self, words: &str) {
        let end = Instant::now() + SOON;
        let mut said = self.record.lock();
        while !said.log.iter().any(|line| line.contains(words)) {
            let left = end.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "{}: nothing in the log about {words:?} within {SOON:?}", self.name);
            said = self.record.more.wait_timeout(said, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Everything that was said, in order.
    pub fn transcript(&self) -> Vec<Value> {
        self.record.lock().events.clone()
    }

    /// The next event that is wanted, which becomes the place to go on from; passes over nothing if there is none.
    pub fn next_where(&mut self, limit: Duration, wanted: impl Fn(&Value) -> bool) -> Option<Value> {
        let end = Instant::now() + limit;
        let mut looked_at = self.read;
        let mut said = self.record.lock();
        loop {
            if let Some(fault) = &said.fault {
                let fault = fault.clone();
                drop(said);
                panic!("{}: {fault}", self.name);
            }
            while let Some(event) = said.events.get(looked_at) {
                looked_at += 1;
                if wanted(event) {
                    self.read = looked_at;
                    return Some(event.clone());
                }
            }
            let left = end.saturating_duration_since(Instant::now());
            if said.ended || left.is_zero() {
                return None;
            }
            said = self.record.more.wait_timeout(said, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Waits until it sees that this person can be rung.
    pub fn expect_online(&mut self, id: &str) -> Value {
        self.say("contacts");
        self.expect_where("contact", SOON, |contact| contact["id"] == id && contact["online"] == true)
    }

    /// Invites and returns the invite's ID.
    pub fn invite(&mut self, to: &str, video: Value) -> String {
        self.send(json!({ "command": "invite", "to": to, "user_data": "hello", "audio": true, "video": video }));
        text(&self.expect_story(&["invite_sent"])[0], "invite")
    }

    /// Waits for an invite from this person and returns its ID.
    pub fn expect_invite_from(&mut self, id: &str) -> String {
        let invite = self.expect_where("invite", SOON, |invite| invite["from"] == id);
        text(&invite, "invite")
    }

    /// Answers.
    pub fn accept(&mut self, invite: &str, video: Value) {
        self.send(json!({ "command": "accept", "invite": invite, "audio": true, "video": video }));
    }

    /// Closes standard input, which means `quit`.
    pub fn close_input(&mut self) {
        self.stdin = None;
    }

    /// Kills it without a chance to say anything.
    pub fn kill(&mut self) {
        let _already_gone = self.child.kill();
        let _status = self.child.wait();
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: i32) {
        // SAFETY: the process is a child of this one that has not been waited for.
        assert_eq!(unsafe { libc::kill(self.pid() as i32, signal) }, 0);
    }

    /// Waits for its end.
    pub fn wait(&mut self, limit: Duration) -> ExitStatus {
        poll(limit, || self.child.try_wait().expect("a child of this process"))
            .unwrap_or_else(|| panic!("{} did not end within {limit:?}", self.name))
    }

    /// `quit`, and an end in good order.
    pub fn quit(mut self) {
        self.say("quit");
        let status = self.wait(SOON);
        assert!(status.success(), "{} ended with {status}", self.name);
    }

    /// What it has logged, once it has ended.
    pub fn log_after_end(&mut self) -> Vec<String> {
        for reader in self.readers.drain(..) {
            reader.join().expect("readers do not panic");
        }
        self.record.lock().log.iter().cloned().collect()
    }
}

impl Drop for Visavis {
    fn drop(&mut self) {
        self.kill();
        if std::thread::panicking() {
            let said = self.record.lock();
            eprintln!("---- {} ({}): events", self.name, self.id);
            for event in &said.events {
                eprintln!("{event}");
            }
            eprintln!("---- {}: log", self.name);
            for line in &said.log {
                eprintln!("{line}");
            }
        }
    }
}

/// Two people who can ring each other.
pub fn meet(first: &mut Visavis, second: &mut Visavis) {
    first.expect_online(&second.id.clone());
    second.expect_online(&first.id.clone());
}

/// A call from the first to the second with standard video, up to the first picture on both sides; the conversation's
/// ID.
pub fn call(caller: &mut Visavis, callee: &mut Visavis, video: &Value) -> String {
    caller.invite(&callee.id.clone(), video.clone());
    let invite = callee.expect_invite_from(&caller.id.clone());
    callee.accept(&invite, video.clone());
    let first = caller.expect("first_frame");
    callee.expect("first_frame");
    text(&first, "conversation")
}

/// Runs a short command of the program to its end: status, standard output, standard error.
pub fn run_to_end(arguments: &[&OsStr]) -> (ExitStatus, String, String) {
    run_to_end_within(SOON, arguments)
}

/// The same for one that takes longer.
pub fn run_to_end_within(limit: Duration, arguments: &[&OsStr]) -> (ExitStatus, String, String) {
    let home = tempfile::tempdir().expect("a home");
    let mut child = Command::new(visavis())
        .args(arguments)
        .env("HOME", home.path())
        .env("USER", "tester")
        .env_remove("DISPLAY")
        .env_remove("WAYLAND_DISPLAY")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("visavis starts");
    let output = drain(child.stdout.take().expect("piped"));
    let errors = drain(child.stderr.take().expect("piped"));
    let status = poll(limit, || child.try_wait().expect("a child of this process"));
    let _already_gone = child.kill();
    let _status = child.wait();
    let (output, errors) = (output.join().expect("no panic"), errors.join().expect("no panic"));
    (status.unwrap_or_else(|| panic!("visavis {arguments:?} did not end; it said {output}{errors}")), output, errors)
}

fn drain(stream: impl Read + Send + 'static) -> JoinHandle<String> {
    std::thread::spawn(move || {
        let mut text = Vec::new();
        let _cut_off = stream.take(1 << 20).read_to_end(&mut text);
        String::from_utf8_lossy(&text).into_owned()
    })
}

/// A text field of an event.
pub fn text(event: &Value, field: &str) -> String {
    event[field].as_str().unwrap_or_else(|| panic!("{event} has no text {field}")).to_owned()
}

fn is_beside_the_story(event: &Value) -> bool {
    BESIDE_THE_STORY.iter().any(|name| event["event"] == *name)
}

/// A path as an option's value with a prefix, such as `file:`.
pub fn prefixed(prefix: &str, path: &Path) -> OsString {
    let mut value = OsString::from(prefix);
    value.push(OsStr::from_bytes(path.as_os_str().as_bytes()));
    value
}
