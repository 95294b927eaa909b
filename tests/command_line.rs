//! The subcommands that need neither a window nor a script: what they print, and their exit status.

#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod support;

use std::ffi::OsStr;
use std::time::Duration;

use serde_json::Value;
use support::process::run_to_end_within;

/// Far more than any of these needs on a machine that is busy with other things.
const LIMIT: Duration = Duration::from_secs(240);

const SYNTHETIC: [&str; 8] =
    ["--camera", "test-card", "--microphone", "tone:440", "--speaker", "none", "--bind", "127.0.0.1"];

/// Runs with a profile of its own: exit status, standard output, standard error.
fn run(words: &[&str]) -> (Option<i32>, String, String) {
    let directory = tempfile::tempdir().expect("a directory");
    let mut arguments: Vec<&OsStr> = words.iter().map(OsStr::new).collect();
    arguments.extend([OsStr::new("--profile"), directory.path().as_os_str()]);
    let (status, output, errors) = run_to_end_within(LIMIT, &arguments);
    (status.code(), output, errors)
}

#[test]
fn the_devices_are_listed_with_what_can_be_chosen_besides() {
    let _machine = support::sharing();
    let (status, output, errors) = run(&["devices"]);
    assert_eq!(status, Some(0), "{errors}");
    for line in ["Cameras:", "Microphones:", "Speakers:", "  also: test-card[:WxH@FPS], file:PATH.y4m, none"] {
        assert!(output.lines().any(|printed| printed == line), "{output}");
    }
}

#[test]
fn a_network_that_would_not_be_used_is_refused() {
    let _machine = support::sharing();
    for what in [&["call"][..], &["echo"], &["network", "--grid"]] {
        let (status, output, errors) = run(&[&["bench"], what, &["--link", "loss=5"]].concat());
        assert_eq!((status, output.as_str()), (Some(1), ""), "{what:?}: {errors}");
        assert!(errors.contains("--link"), "{errors}");
    }
}

#[test]
fn the_link_carries_the_name_that_others_see() {
    let _machine = support::sharing();
    let (status, output, errors) = run(&["id"]);
    assert_eq!(status, Some(0), "{errors}");
    let lines: Vec<_> = output.lines().collect();
    assert_eq!(lines[1], format!("visavis:{}?name=tester", lines[0]));
    let (_, output, _) = run(&["id", "--name", "Ann"]);
    assert!(output.trim_end().ends_with("?name=Ann"), "{output}");
}

#[test]
fn the_doctor_finds_that_all_works_and_names_what_was_chosen_away() {
    let _machine = support::measuring();
    let (status, output, errors) = run(&[&["doctor"], &SYNTHETIC[..]].concat());
    assert_eq!(status, Some(0), "{output}{errors}");
    let parts: Vec<_> = output.lines().map(|line| line.split_whitespace().nth(1).unwrap_or_default()).collect();
    let all = ["profile", "identity", "people", "servers", "camera", "microphone", "speaker", "connection"];
    assert_eq!(parts, all, "{output}");
    assert!(output.lines().all(|line| line.starts_with("ok ")), "{output}");
    assert_eq!(output.matches("none, as asked").count(), 1, "{output}");

    let none = ["doctor", "--camera", "none", "--microphone", "none", "--speaker", "none", "--bind", "127.0.0.1"];
    let (status, output, errors) = run(&none);
    assert_eq!((status, output.matches("none, as asked").count()), (Some(0), 3), "{output}{errors}");
}

#[test]
fn the_doctor_tells_why_a_file_cannot_be_a_device() {
    let _machine = support::measuring();
    let folder = tempfile::tempdir().expect("a directory");
    let at = |name: &str| folder.path().join(name).display().to_string();
    std::fs::write(at("deep.y4m"), "YUV4MPEG2 W16 H16 F30:1 C420p10\nFRAME\n").expect("space on the disk");
    std::fs::write(at("phone.wav"), adpcm()).expect("space on the disk");
    let [camera, microphone, speaker] =
        ["deep.y4m", "phone.wav", "none/x.wav"].map(|name| format!("file:{}", at(name)));
    let devices = ["doctor", "--camera", &camera, "--microphone", &microphone, "--speaker", &speaker];
    let (status, output, errors) = run(&[&devices[..], &["--bind", "127.0.0.1"]].concat());
    assert_eq!(status, Some(1), "{output}{errors}");
    for (part, reason) in [
        ("camera", "its pictures are \"420p10\""),
        ("microphone", "its sound is coded as IMA ADPCM"),
        ("speaker", "its folder does not exist"),
    ] {
        let line = output.lines().find(|line| line.contains(part)).unwrap_or_default();
        assert!(line.starts_with("problem") && line.contains(reason), "{part}: {output}");
    }
}

/// A WAV file in a coding that is not played.
fn adpcm() -> Vec<u8> {
    let format = [0x11_u16, 1, 8000, 0, 4055, 0, 256, 4].map(u16::to_le_bytes).concat();
    [b"RIFF\x30\0\0\0WAVEfmt \x10\0\0\0", &format[..], b"data\x08\0\0\0", &[7; 8]].concat()
}

#[test]
fn the_doctors_exit_status_follows_a_line_that_says_problem() {
    let _machine = support::measuring();
    let absent = ["doctor", "--camera", "file:/nonexistent/film.y4m", "--microphone", "tone", "--speaker", "none"];
    let (status, output, errors) = run(&[&absent[..], &["--bind", "127.0.0.1"]].concat());
    assert_eq!(status, Some(1), "{output}");
    let problems: Vec<_> = output.lines().filter(|line| line.starts_with("problem")).collect();
    assert!(matches!(problems[..], [line] if line.contains("camera")), "{output}");
    assert_eq!(errors.lines().filter(|line| line.starts_with("visavis: ")).count(), 1, "one plain sentence: {errors}");
}

#[test]
fn the_test_call_with_echo_is_told_in_words() {
    let _machine = support::measuring();
    let (status, output, errors) = run(&[&["echo-test", "--seconds", "5"], &SYNTHETIC[..]].concat());
    assert_eq!(status, Some(0), "{output}{errors}");
    for sentence in ["Connected:", "The first picture came back: 1280x720.", "The test call worked."] {
        assert!(output.contains(sentence), "{output}");
    }
}

#[test]
fn a_bad_network_is_measured_and_shown_as_a_table() {
    let _machine = support::measuring();
    let network = ["bench", "network", "--size", "320x240", "--seconds", "6", "--link", "delay=5,blackout=3:0.5"];
    let (status, output, errors) = run(&network);
    assert_eq!(status, Some(0), "{output}{errors}");
    let (figures, table) = output.split_once('\n').expect("figures and a table");
    let figures: Value = serde_json::from_str(figures).expect("one line of JSON");
    assert_eq!(figures["peer"], "visavis");
    for measured in ["fps", "kbps", "lines", "latency_ms_p50", "setup_ms", "frozen_percent", "seconds_to_picture"] {
        assert!(figures[measured].as_f64().is_some_and(|value| value > 0.0), "{measured}: {output}");
    }
    assert!(table.trim_start().starts_with("| Network |"), "{output}");
}

#[test]
fn a_chromium_that_is_not_there_is_missed_in_words() {
    for option in ["--with-chromium", "--only-chromium"] {
        let mut command = std::process::Command::new(support::process::visavis());
        let ran = command.args(["bench", "network", option]).env("PATH", "/nonexistent").output();
        let ran = ran.expect("it runs");
        let errors = String::from_utf8_lossy(&ran.stderr);
        assert_eq!(ran.status.code(), Some(1), "{errors}");
        assert_eq!(errors, format!("visavis: Chromium is not installed here; install it, or leave {option} out.\n"));
    }
}

#[test]
fn a_row_is_one_of_a_table() {
    for (arguments, sentence) in [
        (
            vec!["--row", "1"],
            "--row chooses a row of --grid, --changes or --namespaces; add one of these, without --link.",
        ),
        (vec!["--grid", "--without-chromium", "--row", "15"], "The table has the rows 1 to 14."),
        (vec!["--changes", "--without-chromium", "--row", "0"], "The table has the rows 1 to 12."),
        (
            vec!["--namespaces", "--link", "loss=1"],
            "--grid and --namespaces have networks of their own; leave out --link or these.",
        ),
    ] {
        let (status, _, errors) = run(&[&["bench", "network"], arguments.as_slice()].concat());
        assert_eq!((status, errors), (Some(1), format!("visavis: {sentence}\n")));
    }
}

#[test]
fn a_soak_samples_both_sides_and_its_exit_status_is_its_verdict() {
    let _machine = support::measuring();
    let (status, output, errors) = run(&["bench", "soak", "--size", "320x240", "--seconds", "24"]);
    let soak: Value = serde_json::from_str(&output).expect("one line of JSON");
    assert!(soak["samples"].as_u64().is_some_and(|samples| samples >= 9), "{output}");
    let measures = soak["measures"].as_array().expect("measures");
    assert_eq!(measures.len(), 10, "five of each side: {output}");
    assert!(measures.iter().all(|measure| measure["early"].as_f64().is_some_and(|value| value > 0.0)), "{output}");
    let grows = measures.iter().any(|measure| measure["grows"] == true);
    assert_eq!(soak["grows"], grows, "{output}");
    assert_eq!(status, Some(i32::from(grows)), "{errors}");
    assert_eq!(errors.contains(" grows by "), grows, "{errors}");
    for what in ["threads", "descriptors"] {
        let steady = |measure: &&Value| measure["what"] == what && measure["grows"] == false;
        assert_eq!(measures.iter().filter(steady).count(), 2, "{output}");
    }
}

#[test]
fn a_call_is_measured_in_one_line_of_json() {
    let _machine = support::measuring();
    let call = ["bench", "call", "--size", "320x240", "--warm-up", "0", "--seconds", "4", "--json"];
    let (status, output, errors) = run(&call);
    assert_eq!(status, Some(0), "{output}{errors}");
    let figures: Value = serde_json::from_str(&output).expect("one line of JSON");
    assert_eq!(
        (&figures["peer"], &figures["width"], &figures["height"]),
        (&"visavis".into(), &320.into(), &240.into())
    );
    for measured in ["fps", "kbps", "latency_n", "latency_ms_p50", "setup_ms", "rss_mb_per_side"] {
        assert!(figures[measured].as_f64().is_some_and(|value| value > 0.0), "{measured}: {output}");
    }
}
