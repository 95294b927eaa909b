//! The rigs themselves: a test that trusts a microphone, a screen, a cable or a webcam in software must be able to.

#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod support;

use std::fs;
use std::io::Read;
use std::time::Duration;

use support::camera::{Webcam, write_plain_film};
use support::display::{Display, share_of};
use support::network::two_computers;
use support::sound::{SoundServer, assert_tone, read_wave, spectrum, write_tone};

#[test]
fn a_tone_is_recognised_by_its_frequency() {
    let directory = tempfile::tempdir().unwrap();
    let wave = directory.path().join("tone.wav");
    write_tone(&wave, 700.0, 2);
    assert_tone(&wave, 700.0);
    let (samples, rate) = read_wave(&wave);
    let heard = spectrum(&samples[..rate as usize], rate);
    assert!((heard.dominant_hz - 1000.0).abs() > 100.0 && heard.share > 0.9, "{heard:?}");
}

#[test]
fn what_the_speaker_of_the_sound_server_plays_is_recorded() {
    let _machine = support::measuring();
    let Some(server) = SoundServer::start() else { return };
    let directory = tempfile::tempdir().unwrap();
    let wave = directory.path().join("tone.wav");
    write_tone(&wave, 523.0, 4);
    let recording = server.record_speaker(&directory.path().join("heard.wav"));
    let played = server.command("paplay").args(["-d", "spk"]).arg(&wave).status().unwrap();
    assert!(played.success());
    assert_tone(&recording.finish(), 523.0);
}

#[test]
fn a_microphone_of_the_sound_server_can_be_fed_and_pulled_out() {
    let _machine = support::measuring();
    let Some(mut server) = SoundServer::start() else { return };
    let directory = tempfile::tempdir().unwrap();
    let (wave, heard) = (directory.path().join("tone.wav"), directory.path().join("heard.wav"));
    write_tone(&wave, 1500.0, 10);
    let plugs = server.plug_in_microphone("Visavis-Test-Microphone");
    server.feed("mic", &wave);
    let mut recorder = server.command("timeout");
    recorder.args(["-s", "INT", "4", "parec", "-d", "mic", "--file-format=wav"]).arg(&heard).status().unwrap();
    assert_tone(&heard, 1500.0);
    let sources = |server: &SoundServer| {
        let listed = server.command("pactl").args(["list", "short", "sources"]).output().unwrap();
        String::from_utf8_lossy(&listed.stdout).into_owned()
    };
    assert!(sources(&server).contains("\tmic\t"));
    server.pull_out(plugs);
    assert!(!sources(&server).contains("\tmic\t"));
}

#[test]
fn the_display_shows_what_is_drawn_on_it() {
    let Some(display) = Display::start(320, 200) else { return };
    let screen =
        display.expect("an empty screen", Duration::from_secs(10), |screen| share_of(screen, [0, 0, 0]) > 0.99);
    assert_eq!(screen.dimensions(), (320, 200));
}

#[test]
fn two_computers_reach_each_other_by_the_cable_alone() {
    let Some((here, there)) = two_computers() else { return };
    let hear = |computer: &support::network::Computer, address: &str, seconds: &str| {
        let script = format!("exec 2>/dev/null 3<>/dev/tcp/{address}/7");
        computer.command("timeout").args([seconds, "bash", "-c", &script]).status().unwrap().code()
    };
    // Nobody listens: a refusal comes back over the cable at once; without the cable nothing comes back at all.
    assert_eq!(hear(&here, &there.address, "20"), Some(1));
    there.set_cable(false);
    assert_eq!(hear(&here, &there.address, "2"), Some(124));
    there.set_cable(true);
    assert_eq!(hear(&here, &there.address, "20"), Some(1));
}

#[test]
fn the_webcam_builds_and_can_be_pulled_out() {
    let Some(webcam) = Webcam::plug_in() else { return };
    let list = || {
        let mut command = std::process::Command::new("ls");
        let output = command.arg("/dev").envs(webcam.environment()).output().unwrap();
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    assert_eq!(list().trim(), "video0");
    webcam.pull_out();
    assert_eq!(list().trim(), "");
    webcam.plug_back_in();
    assert_eq!(list().trim(), "video0");
}

#[test]
fn a_plain_film_is_a_whole_y4m_file() {
    let directory = tempfile::tempdir().unwrap();
    let film = directory.path().join("film.y4m");
    write_plain_film(&film, [145, 54, 34]);
    let mut head = [0; 13];
    fs::File::open(&film).and_then(|mut file| file.read_exact(&mut head)).unwrap();
    assert_eq!(&head, b"YUV4MPEG2 W64");
    assert_eq!((fs::metadata(&film).unwrap().len() - 43) % (640 * 480 * 3 / 2 + 6), 0);
}
