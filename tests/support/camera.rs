//! Cameras for tests: a V4L2 webcam in software with faults that can be played, and files of plain colour.

use std::ffi::OsStr;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use super::process::Launch;

/// A webcam that an unmodified program opens as `/dev/video0`.
pub struct Webcam {
    directory: TempDir,
}

impl Webcam {
    /// The name that the system gives it.
    pub const NAME: &'static str = "Fake HD Webcam";

    /// Builds it and plugs it in; `None`, with the reason printed, where there is no C compiler or no V4L2.
    pub fn plug_in() -> Option<Self> {
        let directory = tempfile::tempdir().expect("a directory");
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/support/fakecam.c");
        let built = Command::new("cc")
            .args(["-shared", "-fPIC", "-O2", "-o"])
            .arg(directory.path().join("libfakecam.so"))
            .arg(source)
            .args(["-ldl", "-lpthread"])
            .output();
        match built {
            Ok(output) if output.status.success() => {}
            Ok(output) => panic!("fakecam.c: {}", String::from_utf8_lossy(&output.stderr)),
            Err(error) => {
                super::skip(&format!("no C compiler: {error}"));
                return None;
            }
        }
        for folder in ["dev", "ctl", "sys/video0"] {
            fs::create_dir_all(directory.path().join(folder)).expect("a new directory");
        }
        fs::write(directory.path().join("sys/video0/name"), format!("{}\n", Self::NAME)).expect("space on the disk");
        let webcam = Self { directory };
        webcam.plug_back_in();
        Some(webcam)
    }

    /// A product that sees this camera and no other.
    pub fn give_to(&self, launch: Launch) -> Launch {
        let launch = launch.option("--camera", Self::NAME);
        self.environment().into_iter().fold(launch, |launch, (name, value)| launch.environment(name, value))
    }

    /// What makes a program see it.
    pub fn environment(&self) -> [(&'static str, PathBuf); 2] {
        let directory = self.directory.path();
        [("FAKECAM_DIR", directory.to_owned()), ("LD_PRELOAD", directory.join("libfakecam.so"))]
    }

    /// The name of a second one.
    pub const OTHER_NAME: &'static str = "Other HD Webcam";

    /// Plugs a second one in.
    pub fn plug_in_another(&self) {
        fs::create_dir_all(self.path("sys/video1")).expect("a new directory");
        fs::write(self.path("sys/video1/name"), format!("{}\n", Self::OTHER_NAME)).expect("space on the disk");
        self.plug(1, Self::OTHER_NAME);
    }

    /// Pulls it out.
    pub fn pull_out(&self) {
        fs::remove_file(self.path("dev/video0")).expect("it is plugged in");
    }

    /// Plugs it in again.
    pub fn plug_back_in(&self) {
        self.plug(0, Self::NAME);
    }

    /// Makes it another camera, by the lines of `fakecam.c`; its driver gives it this name.
    pub fn become_another(&self, name: &[u8], lines: &str) {
        fs::write(self.path("sys/video0/name"), name).expect("space on the disk");
        self.plug_with(0, "Fake", lines);
    }

    /// Puts something else beside the cameras in `/dev`.
    pub fn add_neighbour(&self, name: &OsStr) {
        fs::write(self.path("dev").join(name), "").expect("space on the disk");
    }

    fn plug(&self, number: u32, name: &str) {
        self.plug_with(number, name, "fmt YUYV 640x480 30 15\nfmt YUYV 1280x720 30 10\n");
    }

    fn plug_with(&self, number: u32, name: &str, lines: &str) {
        // Whole at once, so that nobody sees a camera without modes.
        let unfinished = self.path("unfinished");
        fs::write(&unfinished, format!("name {name}\n{lines}")).expect("space on the disk");
        fs::rename(unfinished, self.path(&format!("dev/video{number}"))).expect("space on the disk");
    }

    /// Plays a fault (`deny`, `busy` or `stall`) until it is cleared.
    pub fn set_fault(&self, fault: &str, on: bool) {
        let switch = self.path(&format!("ctl/video0.{fault}"));
        if on {
            fs::write(switch, "").expect("space on the disk");
        } else {
            fs::remove_file(switch).expect("the fault is on");
        }
    }

    fn path(&self, inside: &str) -> PathBuf {
        self.directory.path().join(inside)
    }
}

/// Writes a short film of one colour (Y, Cb and Cr of BT.601, limited range), 640x480 at 30 frames a second.
pub fn write_plain_film(path: &Path, [luma, blue, red]: [u8; 3]) {
    let mut film = b"YUV4MPEG2 W640 H480 F30:1 Ip A1:1 C420jpeg\n".to_vec();
    for _ in 0..30 {
        film.extend(b"FRAME\n");
        film.extend(std::iter::repeat_n(luma, 640 * 480));
        film.extend(std::iter::repeat_n(blue, 320 * 240));
        film.extend(std::iter::repeat_n(red, 320 * 240));
    }
    fs::File::create(path).and_then(|mut file| file.write_all(&film)).expect("space on the disk");
}
