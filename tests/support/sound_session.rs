//! Running a test inside a private sound server, and making and removing devices in it. Shared by the tests of this
//! folder and by unit tests of the library.

#![allow(dead_code, reason = "each test file uses a part of this")]
#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::print_stderr, reason = "tests")]

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// How long anything in a session may take.
pub(crate) const LONG: Duration = Duration::from_secs(30);

/// One sound server at a time: several on two cores starve each other's streams.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// Runs the ignored test `name` of this very binary inside a sound server of its own. Without PipeWire on this machine
/// the test is skipped with a word, unless `VISAVIS_REQUIRE_RIGS` is set (as the continuous integration does).
pub(crate) fn run_inside(name: &str) {
    let _one = ONE_AT_A_TIME.lock();
    let have = |program: &str| {
        Command::new("sh")
            .args(["-c", &format!("command -v {program}")])
            .stdout(Stdio::null())
            .status()
            .is_ok_and(|s| s.success())
    };
    if !["pipewire", "pipewire-pulse", "wireplumber", "dbus-run-session", "pactl", "parec"].into_iter().all(have) {
        assert!(std::env::var_os("VISAVIS_REQUIRE_RIGS").is_none(), "PipeWire is not installed");
        eprintln!("skipped: PipeWire is not installed");
        return;
    }
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/support/pipewire-session.sh");
    let output = Command::new("timeout")
        .args(["--kill-after=5", "120", "bash"])
        .arg(script)
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", name, "--ignored", "--nocapture", "--test-threads=1"])
        // What failed is the last thing that is said.
        .env("RUST_BACKTRACE", "0")
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && text.contains("1 passed"), "{text}");
    println!("{text}");
}

/// Runs `pactl`; what it prints.
pub(crate) fn pactl(arguments: &[&str]) -> String {
    let output = Command::new("pactl").args(arguments).output().unwrap();
    assert!(output.status.success(), "pactl {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

/// Makes `name` the default `kind` (`sink` or `source`), and waits until the session manager has followed.
pub(crate) fn set_default(kind: &str, name: &str) {
    pactl(&[&format!("set-default-{kind}"), name]);
    wait_until("the default", || pactl(&[&format!("get-default-{kind}")]) == name);
}

/// Makes a speaker that people see as `title`; its module, to be unloaded as if it were unplugged.
pub(crate) fn plug_speaker(name: &str, title: &str) -> String {
    pactl(&[
        "load-module",
        "module-null-sink",
        &format!("sink_name={name}"),
        "rate=48000",
        "channels=2",
        &format!("sink_properties=device.description={title}"),
    ])
}

/// Makes the loudspeaker in front of the microphones: what is played to `NAME` is heard by those that `plug_microphone`
/// puts there.
pub(crate) fn make_room(name: &str) {
    pactl(&[
        "load-module",
        "module-null-sink",
        &format!("sink_name={name}"),
        "rate=48000",
        "channels=1",
        "channel_map=mono",
    ]);
}

/// Makes a microphone in the room `room` that people see as `title`; its module.
pub(crate) fn plug_microphone(room: &str, name: &str, title: &str) -> String {
    pactl(&[
        "load-module",
        "module-remap-source",
        &format!("master={room}.monitor"),
        &format!("source_name={name}"),
        &format!("source_properties=device.description={title}"),
    ])
}

/// A program that runs until this is dropped.
pub(crate) struct Running(Child);

impl Running {
    pub(crate) fn start(program: &str, arguments: &[&str]) -> Self {
        Self(Command::new(program).args(arguments).stdout(Stdio::null()).spawn().unwrap())
    }

    /// Ends it as a person would (so that a recorder completes its file).
    pub(crate) fn stop(mut self) {
        let _ = Command::new("kill").args(["-INT", &self.0.id().to_string()]).status();
        let _ = self.0.wait();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Sends `signal` ("STOP", "CONT") to the sound server.
pub(crate) fn signal_server(signal: &str) {
    let server = std::env::var("SOUND_SERVER_PID").unwrap();
    assert!(Command::new("kill").args([&format!("-{signal}"), &server]).status().unwrap().success());
}

/// True while this program has a stream of `kind` ("source-outputs" or "sink-inputs") at the sound server.
pub(crate) fn has_stream(kind: &str) -> bool {
    pactl(&["list", kind]).contains(&format!("cpal-pulseaudio-{}", std::process::id()))
}

/// Writes `seconds` of a sine at 48 kHz mono.
pub(crate) fn write_tone(path: &Path, hertz: f64, seconds: u32) {
    let spec = hound::WavSpec {
        channels: 1,
        sample_rate: 48_000,
        bits_per_sample: 16,
        sample_format: hound::SampleFormat::Int,
    };
    let mut writer = hound::WavWriter::create(path, spec).unwrap();
    for n in 0..48_000 * seconds {
        let phase = f64::from(n) * hertz * std::f64::consts::TAU / 48_000.0;
        writer.write_sample((phase.sin() * 10_000.0) as i16).unwrap();
    }
    writer.finalize().unwrap();
}

/// Waits until `done`, looking 50 times a second.
pub(crate) fn wait_until(what: &str, mut done: impl FnMut() -> bool) {
    let start = Instant::now();
    while !done() {
        assert!(start.elapsed() < LONG, "{what} never came");
        std::thread::sleep(Duration::from_millis(20));
    }
}
