//! The speaker side against a real sound server: one of its own, without hardware (`support/pipewire-session.sh`).

#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::print_stderr, reason = "tests")]

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread;
use std::time::Duration;

use visavis::device::{DeviceChoice, DeviceFault, DeviceKind};
use visavis::encoder::audio::AudioEncoder;
use visavis::media::{FRAME_SAMPLES, MediaTime, OutgoingSound, ReceivedSound};
use visavis::media_receive::SharedAvSync;
use visavis::playout::{AudioInput, Playout, Sound, SoundEvent, list_speakers};

#[path = "support/sound_session.rs"]
mod session;
#[path = "../src/sound_device/test_signal.rs"]
#[allow(dead_code, reason = "only a part of it is needed here")]
mod test_signal;

use session::{LONG, Running, has_stream, pactl, plug_speaker, run_inside, set_default, wait_until};
use test_signal::{peak_hertz, purity, sine};

fn playout() -> (Playout, Receiver<SoundEvent>) {
    let (sender, events) = sync_channel(64);
    let playout = Playout::new(move |_, event| {
        let _ = sender.try_send(event);
    });
    (playout, events)
}

/// A far side that sends a tone in real time until it is dropped.
struct FarSide(Arc<AtomicBool>, Option<thread::JoinHandle<()>>);

impl FarSide {
    fn sends(input: AudioInput, hertz: f64) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let handle = thread::spawn(move || {
            let mut encoder = AudioEncoder::new().unwrap();
            let tone = sine(hertz, 48_000, 48_000);
            let start = std::time::Instant::now();
            for (n, frame) in tone.chunks_exact(FRAME_SAMPLES).cycle().enumerate() {
                if stopped.load(Ordering::Relaxed) {
                    return;
                }
                let OutgoingSound { data, captured_at: arrived_at } = encoder.encode(frame, MediaTime::now()).unwrap();
                let (sequence, rtp_timestamp) = (n as u16, (n * FRAME_SAMPLES) as u32);
                let (capture_ntp, recovered) = (None, false);
                input.push(ReceivedSound { data, sequence, rtp_timestamp, arrived_at, capture_ntp, recovered });
                let due = start + Duration::from_millis(20 * (n as u64 + 1));
                thread::sleep(due.saturating_duration_since(std::time::Instant::now()));
            }
        });
        Self(stop, Some(handle))
    }
}

impl Drop for FarSide {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
        let _ = self.1.take().map(thread::JoinHandle::join);
    }
}

/// Records what `sink` plays: one second of it, `after` so many samples of sound.
fn record(sink: &str, path: &Path, after: usize) -> Vec<f32> {
    let file = path.to_string_lossy().into_owned();
    let monitor = format!("{sink}.monitor");
    let recorder = Running::start(
        "parec",
        &["-d", &monitor, "--rate=48000", "--channels=1", "--format=s16le", "--raw", "--latency-msec=20", &file],
    );
    let samples = || -> Vec<f32> {
        let bytes = std::fs::read(path).unwrap_or_default();
        bytes.chunks_exact(2).map(|pair| f32::from(i16::from_le_bytes([pair[0], pair[1]])) / 32_768.0).collect()
    };
    let from = |samples: &[f32]| samples.iter().position(|sample| sample.abs() > 0.05);
    wait_until("two seconds of sound", || {
        let samples = samples();
        from(&samples).is_some_and(|start| samples.len() - start > 96_000)
    });
    recorder.stop();
    let samples = samples();
    let start = from(&samples).unwrap() + after;
    samples[start..start + 48_000].to_vec()
}

#[test]
fn a_participant_is_heard_from_the_speaker_which_is_released_afterwards() {
    run_inside("inside_participant_is_heard");
}

#[test]
#[ignore = "runs inside a sound server, started by the test above"]
fn inside_participant_is_heard() {
    let folder = tempfile::tempdir().unwrap();
    plug_speaker("spk", "Desk-speaker");
    set_default("sink", "spk");
    wait_until("the list", || list_speakers() == ["Desk-speaker"]);
    let (playout, events) = playout();
    assert!(!has_stream("sink-inputs"), "closed until something is played");
    let (input, audio) = playout.add_participant(Arc::default(), SharedAvSync::default());
    let far_side = FarSide::sends(input, 700.0);
    assert_eq!(events.recv_timeout(LONG), Ok(SoundEvent::Opened { name: "Desk-speaker".into() }));
    let heard = record("spk", &folder.path().join("heard.raw"), 38_400);
    let (hertz, purity) = (peak_hertz(&heard, 48_000), purity(&heard, 700.0, 48_000));
    println!("heard {hertz} Hz, purity {purity:.3}; {:?}", audio.stats());
    assert!((hertz - 700.0).abs() < 3.0, "{hertz}");
    assert!(has_stream("sink-inputs"));
    drop((far_side, audio));
    wait_until("the release", || !has_stream("sink-inputs"));
}

#[test]
fn an_unplugged_speaker_is_a_fault_and_comes_back_and_another_can_be_chosen() {
    run_inside("inside_speaker_unplugged");
}

#[test]
#[ignore = "runs inside a sound server, started by the test above"]
fn inside_speaker_unplugged() {
    let folder = tempfile::tempdir().unwrap();
    plug_speaker("laptop", "Laptop-speaker");
    let headset = plug_speaker("headset", "Headset-speaker");
    set_default("sink", "laptop");
    let (playout, events) = playout();
    playout.set_speaker(&DeviceChoice::Named("Headset-speaker".into()));
    let (input, _audio) = playout.add_participant(Arc::default(), SharedAvSync::default());
    let _far_side = FarSide::sends(input, 700.0);
    assert_eq!(events.recv_timeout(LONG), Ok(SoundEvent::Opened { name: "Headset-speaker".into() }));

    pactl(&["unload-module", &headset]);
    let unplugged = DeviceFault::Unplugged.of(DeviceKind::Speaker);
    assert_eq!(events.recv_timeout(LONG), Ok(SoundEvent::Fault(unplugged)), "not played out loud elsewhere");
    plug_speaker("headset", "Headset-speaker");
    assert_eq!(events.recv_timeout(LONG), Ok(SoundEvent::Recovered { name: "Headset-speaker".into() }));

    playout.set_speaker(&DeviceChoice::SystemDefault);
    assert_eq!(events.recv_timeout(LONG), Ok(SoundEvent::Opened { name: "Laptop-speaker".into() }));
    let hertz = peak_hertz(&record("laptop", &folder.path().join("heard.raw"), 38_400), 48_000);
    assert!((hertz - 700.0).abs() < 3.0, "{hertz}");
}

#[test]
fn a_ring_is_heard_without_a_call() {
    run_inside("inside_ring_is_heard");
}

#[test]
#[ignore = "runs inside a sound server, started by the test above"]
fn inside_ring_is_heard() {
    let folder = tempfile::tempdir().unwrap();
    plug_speaker("spk", "Desk-speaker");
    set_default("sink", "spk");
    let (playout, _events) = playout();
    playout.play(Sound::RingBack, 100);
    let heard = record("spk", &folder.path().join("heard.raw"), 0);
    let hertz = peak_hertz(&heard, 48_000);
    assert!((hertz - 425.0).abs() < 5.0, "{hertz}");
    playout.stop(Sound::RingBack);
    wait_until("the release", || !has_stream("sink-inputs"));
}
