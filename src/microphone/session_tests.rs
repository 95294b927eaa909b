//! The microphone against a real sound server: one of its own, without hardware.

use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::time::Duration;

use super::*;
use crate::media::SAMPLE_RATE;
use crate::sound_device::test_signal::{peak_hertz, purity};

#[path = "../../tests/support/sound_session.rs"]
mod session;
use session::{
    LONG, Running, has_stream, make_room, pactl, plug_microphone, run_inside, set_default, signal_server, wait_until,
    write_tone,
};

fn open(choice: &DeviceChoice) -> (Microphone, Receiver<Vec<f32>>, Receiver<SoundEvent>) {
    let (frame_sender, frames) = sync_channel(500);
    let (event_sender, events) = sync_channel(64);
    let microphone = Microphone::open(
        &Consent::for_test(),
        choice,
        Arc::default(),
        // A tone is steady, and would be suppressed as noise.
        VoiceProcessor::default(),
        move |frame, _| {
            let _ = frame_sender.try_send(frame.to_vec());
        },
        move |event| {
            let _ = event_sender.try_send(event);
        },
    );
    (microphone, frames, events)
}

/// One second from the first frame that is heard.
fn hear(frames: &Receiver<Vec<f32>>) -> Vec<f32> {
    let mut heard = Vec::new();
    while heard.len() < 55_000 {
        let frame = frames.recv_timeout(LONG).unwrap();
        if !heard.is_empty() || frame.iter().any(|sample| sample.abs() > 0.05) {
            heard.extend(frame);
        }
    }
    heard.split_off(heard.len() - 48_000)
}

/// True of the word that the microphone `name` works now, perhaps after a stall.
fn works(event: &SoundEvent, name: &str) -> bool {
    matches!(event, SoundEvent::Opened { name: which } if which == name) || is_back(event, name)
}

/// True of the word that the microphone `name` works after a fault.
fn is_back(event: &SoundEvent, name: &str) -> bool {
    matches!(event, SoundEvent::Recovered { name: which } if which == name)
}

/// On a busy computer the sound system may take more than 3 s to open a microphone: that is a stall, which is said, and
/// tried again until it works.
fn wait_for_working(events: &Receiver<SoundEvent>, name: &str) {
    let stalled = SoundEvent::Fault(DeviceFault::Stalled.of(DeviceKind::Microphone));
    let told = std::iter::from_fn(|| events.recv_timeout(LONG).ok()).find(|event| *event != stalled);
    assert!(told.as_ref().is_some_and(|event| works(event, name)), "{told:?}");
}

/// Makes `source` the default until the microphone has `followed`: a busy session manager may think better of a default
/// that was set while devices came.
fn make_default(source: &str, events: &Receiver<SoundEvent>, followed: impl Fn(&SoundEvent) -> bool) {
    let follows = (0..6).any(|_| {
        set_default("source", source);
        events.recv_timeout(Duration::from_secs(5)).is_ok_and(|event| followed(&event))
    });
    assert!(follows, "{source} never became the default");
}

#[test]
fn a_microphone_hears_a_tone_follows_the_default_and_is_released() {
    run_inside("microphone::session_tests::inside_hears_follows_and_releases");
}

#[test]
#[ignore = "runs inside a sound server, started by the test above"]
fn inside_hears_follows_and_releases() {
    let folder = tempfile::tempdir().unwrap();
    for (name, hertz) in [("desk", 1000.0), ("sofa", 1500.0)] {
        let path = folder.path().join(format!("{name}.wav"));
        write_tone(&path, hertz, 60);
        make_room(&format!("{name}-room"));
        plug_microphone(&format!("{name}-room"), name, &format!("{name}-mic"));
    }
    let file = |name: &str| folder.path().join(format!("{name}.wav")).to_string_lossy().into_owned();
    let _desk = Running::start("paplay", &["-d", "desk-room", &file("desk")]);
    let _sofa = Running::start("paplay", &["-d", "sofa-room", &file("sofa")]);
    wait_until("the list without a monitor", || list_microphones() == ["desk-mic", "sofa-mic"]);

    set_default("source", "desk");
    let (microphone, frames, events) = open(&DeviceChoice::SystemDefault);
    make_default("desk", &events, |event| works(event, "desk-mic"));
    let heard = hear(&frames);
    let hertz = peak_hertz(&heard, SAMPLE_RATE);
    assert!((hertz - 1000.0).abs() < 3.0, "{hertz}");
    println!("heard {hertz} Hz, purity {:.3}", purity(&heard, 1000.0, SAMPLE_RATE));

    make_default("sofa", &events, |event| works(event, "sofa-mic"));
    while frames.try_recv().is_ok() {}
    let hertz = peak_hertz(&hear(&frames), SAMPLE_RATE);
    assert!((hertz - 1500.0).abs() < 3.0, "{hertz}");

    assert!(has_stream("source-outputs"));
    drop(microphone);
    wait_until("the release", || !has_stream("source-outputs"));
    assert!(events.recv().is_err(), "nothing else was reported");
}

#[test]
fn an_unplugged_microphone_is_a_fault_is_not_replaced_and_comes_back() {
    run_inside("microphone::session_tests::inside_unplugged_and_back");
}

#[test]
#[ignore = "runs inside a sound server, started by the test above"]
fn inside_unplugged_and_back() {
    make_room("room");
    plug_microphone("room", "laptop", "Laptop-mic");
    let headset = plug_microphone("room", "headset", "Headset-mic");
    set_default("source", "laptop");
    let (_microphone, frames, events) = open(&DeviceChoice::Named("Headset-mic".into()));
    wait_for_working(&events, "Headset-mic");
    frames.recv_timeout(LONG).unwrap();

    pactl(&["unload-module", &headset]);
    let unplugged = DeviceFault::Unplugged.of(DeviceKind::Microphone);
    assert_eq!(events.recv_timeout(LONG), Ok(SoundEvent::Fault(unplugged)));
    while frames.try_recv().is_ok() {}
    let nothing = frames.recv_timeout(Duration::from_secs(2));
    assert_eq!(nothing, Err(RecvTimeoutError::Timeout), "the laptop's microphone does not step in");

    plug_microphone("room", "headset", "Headset-mic");
    let back = events.recv_timeout(LONG).unwrap();
    assert!(is_back(&back, "Headset-mic"), "{back:?}");
    while frames.try_recv().is_ok() {}
    frames.recv_timeout(LONG).unwrap();
}

#[test]
fn a_computer_without_a_microphone_is_told_so_and_one_that_is_plugged_in_works() {
    run_inside("microphone::session_tests::inside_without_a_microphone");
}

#[test]
#[ignore = "runs inside a sound server, started by the test above"]
fn inside_without_a_microphone() {
    make_room("room");
    let (_microphone, frames, events) = open(&DeviceChoice::SystemDefault);
    let missing = DeviceFault::Missing.of(DeviceKind::Microphone);
    assert_eq!(events.recv_timeout(LONG), Ok(SoundEvent::Fault(missing)), "a speaker's monitor is no microphone");
    assert!(frames.try_recv().is_err());
    plug_microphone("room", "usb", "USB-mic");
    make_default("usb", &events, |event| is_back(event, "USB-mic"));
}

#[test]
fn a_sound_server_that_hangs_is_a_stall_and_holds_nobody_up() {
    run_inside("microphone::session_tests::inside_server_hangs");
}

#[test]
#[ignore = "runs inside a sound server, started by the test above"]
fn inside_server_hangs() {
    make_room("room");
    plug_microphone("room", "usb", "USB-mic");
    set_default("source", "usb");
    let (microphone, frames, events) = open(&DeviceChoice::SystemDefault);
    wait_for_working(&events, "USB-mic");
    frames.recv_timeout(LONG).unwrap();
    signal_server("STOP");
    let stalled = DeviceFault::Stalled.of(DeviceKind::Microphone);
    assert_eq!(events.recv_timeout(LONG), Ok(SoundEvent::Fault(stalled)));
    assert!(list_microphones().is_empty(), "no answer is no microphone, but it is no hang");
    signal_server("CONT");
    wait_until("sound", || matches!(events.try_recv(), Ok(SoundEvent::Recovered { .. })));
    signal_server("STOP");
    drop(microphone);
    signal_server("CONT");
    wait_until("the release", || !has_stream("source-outputs"));
}

#[test]
fn every_input_of_an_interface_is_heard_and_silence_is_told() {
    run_inside("microphone::session_tests::inside_every_input_is_heard");
}

#[test]
#[ignore = "runs inside a sound server, started by the test above"]
fn inside_every_input_is_heard() {
    let inputs: Vec<String> = (0..8).map(|input| format!("aux{input}")).collect();
    let map = format!("channel_map={}", inputs.join(","));
    let (room, source) = ("interface-room", "interface");
    let channels = ["rate=48000", "channels=8", &map];
    pactl(&[&["load-module", "module-null-sink", &format!("sink_name={room}")], &channels[..]].concat());
    let properties = [
        format!("master={room}.monitor"),
        format!("source_name={source}"),
        format!("master_{map}"),
        "remix=no".to_owned(),
        "source_properties=device.description=Interface".to_owned(),
    ];
    let remap: Vec<&str> = properties.iter().map(String::as_str).chain(channels).collect();
    pactl(&[&["load-module", "module-remap-source"], &remap[..]].concat());
    wait_until("the interface", || list_microphones() == ["Interface"]);

    let (_microphone, frames, events) = open(&DeviceChoice::Named("Interface".to_owned()));
    wait_for_working(&events, "Interface");
    let silence = |on| SoundEvent::Silence { name: "Interface".to_owned(), on };
    assert_eq!(events.recv_timeout(LONG), Ok(silence(true)), "nothing is played into it");
    let folder = tempfile::tempdir().unwrap();
    for (input, hertz) in [(2, 1000.0), (7, 1500.0)] {
        let path = folder.path().join(format!("{input}.raw"));
        let tone = (0..48_000 * 60).flat_map(|n| {
            let phase = f64::from(n) * hertz * std::f64::consts::TAU / 48_000.0;
            (0..8).flat_map(move |index| {
                let sample = if index == input { (phase.sin() * 10_000.0) as i16 } else { 0 };
                sample.to_le_bytes()
            })
        });
        std::fs::write(&path, tone.collect::<Vec<u8>>()).unwrap();
        let form = ["--raw", "--rate=48000", "--format=s16le", "--channels=8", "--latency-msec=100"];
        let map = format!("--channel-map={}", inputs.join(","));
        let path = path.to_string_lossy();
        let playing = Running::start("pacat", &[&form[..], &[&map, "-d", room, &path]].concat());
        while frames.try_recv().is_ok() {}
        let heard = hear(&frames);
        let peak = heard.iter().fold(0.0_f32, |peak, sample| peak.max(sample.abs()));
        assert!((peak_hertz(&heard, SAMPLE_RATE) - hertz).abs() < 3.0, "input {input}");
        assert!((peak - 10_000.0 / 32_768.0).abs() < 0.02, "input {input} is as loud as it is: {peak}");
        playing.stop();
        if input == 2 {
            assert_eq!(events.recv_timeout(LONG), Ok(silence(false)));
        }
        // The sound in the pipe ends before the next tone is listened for.
        wait_until("the end of the tone", || {
            frames.try_iter().last().is_some_and(|frame| frame.iter().all(|sample| sample.abs() < 0.001))
        });
    }
}
