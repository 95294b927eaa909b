//! `visavis devices`: the devices that are plugged in, and the choices beside them.

use std::fmt::Write;

use crate::capture::CameraInfo;
use crate::identity::plain_text;
use crate::{capture, microphone, playout};

/// The length at which a device's name is cut.
const MAX_NAME: usize = 256;

/// Prints cameras with their modes, microphones and speakers, by the names that `--camera` and its like take.
pub fn run() -> anyhow::Result<()> {
    let mut output = String::new();
    writeln!(output, "Cameras:")?;
    let cameras = capture::list_cameras();
    for camera in &cameras {
        writeln!(output, "  {}", line(camera))?;
    }
    if cameras.is_empty() {
        writeln!(output, "  none found")?;
    }
    writeln!(output, "  also: test-card[:WxH@FPS], file:PATH.y4m, none")?;
    names(&mut output, "Microphones", &microphone::list_microphones(), "tone[:HZ], file:PATH.wav, none")?;
    names(&mut output, "Speakers", &playout::list_speakers(), "file:PATH.wav (records), none")?;
    Ok(super::output::line(output.trim_end())?)
}

/// A camera's name, with its modes or with why it cannot be used.
fn line(camera: &CameraInfo) -> String {
    let modes: Vec<String> =
        camera.modes.iter().map(|(width, height, fps)| format!("{width}x{height}@{fps}")).collect();
    let name = plain_text(&camera.name, MAX_NAME);
    match &camera.fault {
        Some(fault) => format!("{name}  ({fault})"),
        None => format!("{name}  ({})", modes.join(" ")),
    }
}

fn names(output: &mut String, title: &str, names: &[String], also: &str) -> std::fmt::Result {
    writeln!(output, "{title}:")?;
    for name in names {
        writeln!(output, "  {}", plain_text(name, MAX_NAME))?;
    }
    if names.is_empty() {
        writeln!(output, "  none found")?;
    }
    writeln!(output, "  also: {also}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::{DeviceFault, DeviceKind, DeviceReason};

    #[test]
    fn a_camera_that_cannot_be_used_is_listed_with_its_reason() {
        let listed = |modes: Vec<(u32, u32, u32)>, fault| line(&CameraInfo { name: "Cam".to_owned(), modes, fault });
        assert_eq!(listed(vec![(1280, 720, 30), (640, 480, 15)], None), "Cam  (1280x720@30 640x480@15)");
        let device = DeviceKind::Camera;
        let reason = DeviceReason::CameraFormats("H264".to_owned());
        let coded = listed(Vec::new(), Some(DeviceFault::Failed(reason).of(device)));
        assert!(coded.contains("H264") && !coded.contains("not found"), "{coded}");
        let busy = listed(Vec::new(), Some(DeviceFault::Busy.of(device)));
        assert!(busy.contains("used by another program"), "{busy}");
    }

    #[test]
    fn names_of_devices_can_do_nothing_to_the_terminal() {
        let mut output = String::new();
        let found = ["Mic \u{1b}[2J\u{9b}31m\u{202e}x".to_owned(), "two\nlines".to_owned()];
        names(&mut output, "Microphones", &found, "none").unwrap();
        assert_eq!(output, "Microphones:\n  Mic [2J31mx\n  two lines\n  also: none\n");
    }
}
