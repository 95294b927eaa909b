//! Sound for tests: what a wave file holds, and a private sound server without hardware.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use rustfft::FftPlanner;
use rustfft::num_complex::Complex;

use super::process::Launch;

/// What a stretch of sound is made of.
#[derive(Clone, Copy, Debug)]
pub struct Spectrum {
    /// The strongest frequency, in Hz.
    pub dominant_hz: f32,
    /// The part of the stretch's power that lies within 5 Hz of it.
    pub share: f32,
    /// Root mean square of the stretch, of full scale 1.
    pub rms: f32,
}

/// A wave file's first channel, of full scale 1, and its rate.
pub fn read_wave(path: &Path) -> (Vec<f32>, u32) {
    let mut reader = hound::WavReader::open(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let form = reader.spec();
    let channels = usize::from(form.channels);
    let samples: Vec<f32> = match form.sample_format {
        hound::SampleFormat::Float => reader.samples::<f32>().step_by(channels).map_while(Result::ok).collect(),
        hound::SampleFormat::Int => {
            let scale = 2_f32.powi(1 - i32::from(form.bits_per_sample));
            reader
                .samples::<i32>()
                .step_by(channels)
                .map_while(Result::ok)
                .map(|sample| sample as f32 * scale)
                .collect()
        }
    };
    (samples, form.sample_rate)
}

/// The spectrum of a stretch, through a Hann window.
pub fn spectrum(stretch: &[f32], rate: u32) -> Spectrum {
    let length = stretch.len();
    let mut bins: Vec<Complex<f32>> = stretch
        .iter()
        .enumerate()
        .map(|(index, sample)| {
            let window = 0.5 - 0.5 * (std::f32::consts::TAU * index as f32 / length as f32).cos();
            Complex::new(sample * window, 0.0)
        })
        .collect();
    FftPlanner::new().plan_fft_forward(length).process(&mut bins);
    let hertz = |bin: usize| bin as f32 * rate as f32 / length as f32;
    let powers: Vec<f32> = bins[..length / 2].iter().map(Complex::norm_sqr).collect();
    let dominant = (1..powers.len()).max_by(|&one, &other| powers[one].total_cmp(&powers[other])).unwrap_or(0);
    let near = |bin: usize| (hertz(bin) - hertz(dominant)).abs() <= 5.0;
    let whole: f32 = powers.iter().skip(1).sum();
    let within: f32 = powers.iter().enumerate().filter(|(bin, _)| near(*bin)).map(|(_, power)| power).sum();
    Spectrum {
        dominant_hz: hertz(dominant),
        share: if whole > 0.0 { within / whole } else { 0.0 },
        rms: (stretch.iter().map(|sample| sample * sample).sum::<f32>() / length as f32).sqrt(),
    }
}

/// Fails unless some second of a recording is this tone and little else: there may be a ringtone before it.
pub fn assert_tone(path: &Path, hertz: f32) {
    let (samples, rate) = read_wave(path);
    let heard: Vec<Spectrum> =
        samples.windows(rate as usize).step_by(rate as usize / 4).map(|second| spectrum(second, rate)).collect();
    let is_tone = |heard: &Spectrum| heard.rms > 0.005 && (heard.dominant_hz - hertz).abs() <= 5.0 && heard.share > 0.5;
    assert!(heard.iter().any(is_tone), "{}: expected a tone of {hertz} Hz, heard {heard:#?}", path.display());
}

/// How loud a tone is at its loudest in a wave file: the amplitude, of full scale 1, of its loudest 20 ms. Other
/// sounds, such as a ringtone, hardly count, if they have no partial within 200 Hz of it.
pub fn loudest_tone(path: &Path, hertz: f32) -> f32 {
    let (samples, rate) = read_wave(path);
    let length = rate as usize / 50;
    let amplitude = |stretch: &[f32]| {
        let turned = stretch.iter().enumerate().map(|(index, sample)| {
            let window = 1.0 - (std::f32::consts::TAU * index as f32 / length as f32).cos();
            Complex::from_polar(sample * window, std::f32::consts::TAU * hertz * index as f32 / rate as f32)
        });
        turned.sum::<Complex<f32>>().norm() * 2.0 / length as f32
    };
    samples.chunks_exact(length).map(amplitude).fold(0.0, f32::max)
}

/// The longest stretch without sound, in ms, from the first second of a tone to the last sound of a wave file.
pub fn longest_silence_ms(path: &Path, hertz: f32) -> u32 {
    let (samples, rate) = read_wave(path);
    let seconds = samples.windows(rate as usize).step_by(rate as usize / 4);
    let is_tone = |heard: Spectrum| heard.rms > 0.005 && (heard.dominant_hz - hertz).abs() <= 5.0 && heard.share > 0.5;
    let start = seconds.map(|second| spectrum(second, rate)).position(is_tone).expect("the tone");
    let samples = samples.get(start * (rate as usize / 4)..).unwrap_or_default();
    let loud: Vec<bool> = samples
        .chunks_exact(rate as usize / 100)
        .map(|stretch| stretch.iter().any(|sample| sample.abs() > 0.01))
        .collect();
    let first = loud.iter().position(|&loud| loud).unwrap_or(0);
    let last = loud.iter().rposition(|&loud| loud).unwrap_or(0);
    let between = loud.get(first..=last).unwrap_or_default();
    between.split(|&loud| loud).map(|quiet| quiet.len() as u32 * 10).max().unwrap_or(0)
}

/// Writes `seconds` of a tone, 48 kHz mono.
pub fn write_tone(path: &Path, hertz: f32, seconds: u32) {
    let phase = |index: u32| std::f32::consts::TAU * hertz * (index % 48_000) as f32 / 48_000.0;
    write_recording(path, (0..48_000 * seconds).map(|index| phase(index).sin() * 0.25));
}

/// Writes `seconds` of a sound like speech, 48 kHz mono.
pub fn write_speech(path: &Path, seconds: u32) {
    write_recording(path, visavis::voice_processing::rig::Speech::new(1, 120.0).take(48_000 * seconds as usize));
}

/// Writes samples of -1 to 1, 48 kHz mono.
fn write_recording(path: &Path, samples: impl IntoIterator<Item = f32>) {
    let form = hound::WavSpec {
        channels: 1,
        sample_rate: 48_000,
        bits_per_sample: 16,
        sample_format: hound::SampleFormat::Int,
    };
    let mut writer = hound::WavWriter::create(path, form).expect("a new file");
    for sample in samples {
        writer.write_sample((sample * f32::from(i16::MAX)) as i16).expect("space on the disk");
    }
    writer.finalize().expect("space on the disk");
}

/// A private PipeWire without hardware: a speaker `spk` that can be recorded and a microphone `mic` that can be fed.
pub struct SoundServer {
    session: Child,
    environment: Vec<(String, String)>,
    players: Vec<Child>,
}

/// A device of the sound server that can be pulled out.
pub struct Plug {
    module: String,
}

const CARRIED: [&str; 6] =
    ["HOME", "XDG_RUNTIME_DIR", "XDG_CONFIG_HOME", "PULSE_COOKIE", "DBUS_SESSION_BUS_ADDRESS", "PULSE_SERVER"];

impl SoundServer {
    /// Starts it; `None`, with the reason printed, where it cannot run. PipeWire does not come up each time.
    pub fn start() -> Option<Self> {
        let started = Self::start_once().or_else(Self::start_once);
        if started.is_none() {
            super::skip("no sound server could be started here (PipeWire with its PulseAudio side)");
        }
        started
    }

    fn start_once() -> Option<Self> {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/support/pipewire-session.sh");
        // Inside: say where the server is, then live until standard input closes.
        let inside = format!(
            "{} echo; exec cat",
            CARRIED.map(|name| format!("[ -z \"${{{name}:-}}\" ] || echo \"{name}=${{{name}}}\";")).join(" ")
        );
        let mut session = Command::new("bash")
            .arg(script)
            .args(["sh", "-c", &inside])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("bash");
        let said = BufReader::new(session.stdout.take().expect("piped"));
        let environment: Vec<(String, String)> = said
            .lines()
            .map_while(Result::ok)
            .take_while(|line| !line.is_empty())
            .filter_map(|line| line.split_once('=').map(|(name, value)| (name.to_owned(), value.to_owned())))
            .collect();
        let mut server = Self { session, environment, players: Vec::new() };
        if server.command("pactl").arg("info").output().is_ok_and(|answer| answer.status.success()) {
            server.plug_in_speaker();
            Some(server)
        } else {
            server.stop();
            None
        }
    }

    /// A program that talks to this server.
    pub fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        for name in CARRIED {
            command.env_remove(name);
        }
        command.envs(self.environment.iter().cloned()).stdin(Stdio::null());
        command
    }

    /// A product that uses this server.
    pub fn give_to(&self, launch: Launch) -> Launch {
        self.environment.iter().fold(launch, |launch, (name, value)| launch.environment(name, value))
    }

    fn plug_in_speaker(&self) -> Plug {
        let plug = self.load(&["module-null-sink", "sink_name=spk", "rate=48000", "channels=2"]);
        self.set_default("sink", "spk");
        plug
    }

    /// Plugs a microphone in, named `mic` and described as `description`, and makes it the default.
    pub fn plug_in_microphone(&self, description: &str) -> [Plug; 2] {
        let plugs = self.plug_in_other_microphone("mic", description);
        self.set_default("source", "mic");
        plugs
    }

    /// Plugs a microphone in, named `name` and described as `description`.
    pub fn plug_in_other_microphone(&self, name: &str, description: &str) -> [Plug; 2] {
        let fed = format!("sink_name={name}in");
        let sink = self.load(&["module-null-sink", &fed, "rate=48000", "channels=1", "channel_map=mono"]);
        let described = format!("source_properties=device.description={description}");
        let (master, name) = (format!("master={name}in.monitor"), format!("source_name={name}"));
        let source = self.load(&["module-remap-source", &master, &name, &described]);
        [source, sink]
    }

    /// Plugs a speaker in, named `name` and described as `description`.
    pub fn plug_in_other_speaker(&self, name: &str, description: &str) -> Plug {
        let described = format!("sink_properties=device.description={description}");
        self.load(&["module-null-sink", &format!("sink_name={name}"), "rate=48000", "channels=2", &described])
    }

    /// Makes another speaker, named `name` and described as `description`, whose sound comes out of the first one.
    pub fn plug_in_way_to_the_speaker(&self, name: &str, description: &str) -> Plug {
        let described = format!("sink_properties=device.description={description}");
        self.load(&["module-remap-sink", "master=spk", &format!("sink_name={name}"), "channels=2", &described])
    }

    /// Makes the first microphone and the first speaker the defaults (again).
    pub fn prefer_the_first(&self) {
        self.set_default("source", "mic");
        self.set_default("sink", "spk");
    }

    /// Puts speaker and microphone into one room: what the speaker plays is heard by the microphone, `delay_ms` later.
    pub fn echo_into_microphone(&self, delay_ms: u32) -> Plug {
        let latency = format!("latency_msec={delay_ms}");
        self.load(&["module-loopback", "source=spk.monitor", "sink=micin", &latency])
    }

    /// Pulls a device out.
    pub fn pull_out(&self, plugs: impl IntoIterator<Item = Plug>) {
        for plug in plugs {
            self.control(&["unload-module", &plug.module]);
        }
    }

    /// Speaks a wave file into the microphone of this name until the server stops.
    pub fn feed(&mut self, name: &str, wave: &Path) {
        let fed = format!("{name}in");
        let player = self.command("paplay").args(["-d", &fed]).arg(wave).spawn().expect("paplay");
        self.players.push(player);
    }

    /// Records what the speaker plays into a wave file, until [`Recording::finish`].
    pub fn record_speaker(&self, wave: &Path) -> Recording {
        let mut recorder = self.command("parec");
        recorder.args(["-d", "spk.monitor", "--rate=48000", "--channels=1", "--file-format=wav"]).arg(wave);
        Recording { recorder: recorder.spawn().expect("parec"), wave: wave.to_owned() }
    }

    /// Waits until the session manager has followed.
    fn set_default(&self, kind: &str, name: &str) {
        self.control(&[&format!("set-default-{kind}"), name]);
        let get = format!("get-default-{kind}");
        let followed = || (self.control(&[&get]) == name).then_some(());
        assert!(super::poll(super::process::SOON, followed).is_some(), "the default {kind} stays another one");
    }

    fn load(&self, arguments: &[&str]) -> Plug {
        let mut words = vec!["load-module"];
        words.extend(arguments);
        Plug { module: self.control(&words) }
    }

    fn control(&self, arguments: &[impl AsRef<OsStr>]) -> String {
        let answer = self.command("pactl").args(arguments).output().expect("pactl");
        assert!(answer.status.success(), "pactl: {}", String::from_utf8_lossy(&answer.stderr));
        String::from_utf8_lossy(&answer.stdout).trim().to_owned()
    }

    fn stop(&mut self) {
        for player in &mut self.players {
            let _already_gone = player.kill();
            let _status = player.wait();
        }
        drop(self.session.stdin.take());
        // The session's shell takes its programs down once standard input is closed.
        if super::poll(std::time::Duration::from_secs(10), || self.session.try_wait().ok().flatten()).is_none() {
            let _already_gone = self.session.kill();
            let _status = self.session.wait();
        }
    }
}

impl Drop for SoundServer {
    fn drop(&mut self) {
        self.stop();
    }
}

/// A running recording of the speaker.
pub struct Recording {
    recorder: Child,
    wave: PathBuf,
}

impl Recording {
    /// Ends it so that the file is whole, and says where it is.
    pub fn finish(mut self) -> PathBuf {
        // SAFETY: the process is a child that has not been waited for, so the number is still its own.
        unsafe { libc::kill(self.recorder.id() as libc::pid_t, libc::SIGINT) };
        let ended = super::poll(super::process::SOON, || self.recorder.try_wait().ok().flatten());
        assert!(ended.is_some(), "parec does not end");
        std::mem::take(&mut self.wave)
    }
}

impl Drop for Recording {
    fn drop(&mut self) {
        let _already_gone = self.recorder.kill();
        let _status = self.recorder.wait();
    }
}
