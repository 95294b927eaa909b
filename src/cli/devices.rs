//! `visavis devices`: what is plugged in, and what can be chosen besides.

use std::fmt::Write;

use crate::{capture, microphone, playout};

/// Prints cameras with their modes, microphones and speakers, by the names that `--camera` and its like take.
pub fn run() -> anyhow::Result<()> {
    let mut output = String::new();
    writeln!(output, "Cameras:")?;
    let cameras = capture::list_cameras();
    for camera in &cameras {
        let modes: Vec<String> =
            camera.modes.iter().map(|(width, height, fps)| format!("{width}x{height}@{fps}")).collect();
        writeln!(output, "  {}  ({})", camera.name, modes.join(" "))?;
    }
    if cameras.is_empty() {
        writeln!(output, "  none found")?;
    }
    writeln!(output, "  also: test-card[:WxH@FPS], file:PATH.y4m, none")?;
    names(&mut output, "Microphones", &microphone::list_microphones(), "tone[:HZ], file:PATH.wav, none")?;
    names(&mut output, "Speakers", &playout::list_speakers(), "file:PATH.wav (records), none")?;
    Ok(super::output::line(output.trim_end())?)
}

fn names(output: &mut String, title: &str, names: &[String], also: &str) -> std::fmt::Result {
    writeln!(output, "{title}:")?;
    for name in names {
        writeln!(output, "  {name}")?;
    }
    if names.is_empty() {
        writeln!(output, "  none found")?;
    }
    writeln!(output, "  also: {also}")
}
