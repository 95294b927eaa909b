//! A wall clock that a test moves while a program runs: a library that is loaded before it (`clock.c`).

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

use super::process::Launch;

/// One program's wall clock; its other clocks are the system's.
pub struct WallClock {
    directory: TempDir,
    file: File,
    seconds_ahead: i64,
}

impl WallClock {
    /// A clock that shows the system's time; `None`, with the reason printed, where there is no C compiler.
    pub fn new() -> Option<Self> {
        let directory = tempfile::tempdir().expect("a directory");
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/support/clock.c");
        let built = Command::new("cc")
            .args(["-shared", "-fPIC", "-O2", "-o"])
            .arg(directory.path().join("libclock.so"))
            .arg(source)
            .output();
        match built {
            Ok(output) if output.status.success() => {}
            Ok(output) => panic!("clock.c: {}", String::from_utf8_lossy(&output.stderr)),
            Err(error) => {
                super::skip(&format!("no C compiler: {error}"));
                return None;
            }
        }
        let file = File::create(directory.path().join("seconds")).expect("space on the disk");
        let mut clock = Self { directory, file, seconds_ahead: 0 };
        clock.step(0);
        Some(clock)
    }

    /// Moves it by so many seconds.
    pub fn step(&mut self, seconds: i64) {
        self.seconds_ahead += seconds;
        self.file.write_all_at(&self.seconds_ahead.to_ne_bytes(), 0).expect("space on the disk");
    }

    /// A product that reads this clock.
    pub fn give_to(&self, launch: Launch) -> Launch {
        let directory = self.directory.path();
        launch
            .environment("LD_PRELOAD", directory.join("libclock.so"))
            .environment("TEST_CLOCK_FILE", directory.join("seconds"))
    }
}
