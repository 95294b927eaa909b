//! A file that names the process which holds a profile, for file systems that know no locks.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use crate::identity::private_file;

use super::profile::InUse;

const FILE_NAME: &str = "lock.pid";

/// The file of this process, until this is dropped. One that a killed process left behind is found to be so.
#[derive(Debug)]
pub(super) struct PidFile {
    path: PathBuf,
}

impl PidFile {
    /// Writes the file into `dir`. `None` where that cannot be done.
    pub(super) fn take(dir: &Path) -> Result<Option<Self>, InUse> {
        let path = dir.join(FILE_NAME);
        for _ in 0..2 {
            match write_new(&path) {
                Ok(()) => return Ok(Some(Self { path })),
                Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Ok(None),
                Err(_) if holder_is_alive(&path) => return Err(InUse),
                Err(_) => fs::remove_file(&path).unwrap_or_default(),
            }
        }
        Err(InUse)
    }
}

impl Drop for PidFile {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_file(&self.path) {
            tracing::debug!("the file of this process stays behind: {error}");
        }
    }
}

fn write_new(path: &Path) -> io::Result<()> {
    let mut file = private_file::open(path, File::options().write(true).create_new(true))?;
    writeln!(file, "{} {}", std::process::id(), boot())
}

/// Whether the process in the file runs, on this computer and since its last start, and is this program. One of another
/// computer is taken for gone: there is no way to ask it.
fn holder_is_alive(path: &Path) -> bool {
    let mut text = String::new();
    let read =
        private_file::open(path, File::options().read(true)).and_then(|file| file.take(256).read_to_string(&mut text));
    let Some((pid, started)) = text.trim().split_once(' ').filter(|_| read.is_ok()) else { return false };
    let program = |pid: &str| fs::read_link(Path::new("/proc").join(pid).join("exe")).ok();
    started == boot() && pid.parse::<u32>().is_ok() && program(pid).is_some_and(|of| Some(of) == program("self"))
}

/// Names this computer's latest start.
fn boot() -> String {
    fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default().trim().to_owned()
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn a_living_process_holds_it_and_a_dead_one_does_not() {
        let dir = tempfile::tempdir().unwrap();
        let held = PidFile::take(dir.path()).unwrap().unwrap();
        assert_eq!(PidFile::take(dir.path()).unwrap_err(), InUse);
        drop(held);
        assert!(!dir.path().join(FILE_NAME).exists());
        let dead = u32::MAX;
        let me = std::process::id();
        for left in
            [format!("{dead} {}\n", boot()), format!("{me} another-start\n"), format!("1 {}", boot()), "x".into()]
        {
            fs::write(dir.path().join(FILE_NAME), &left).unwrap();
            assert!(PidFile::take(dir.path()).unwrap().is_some(), "{left}");
        }
        assert!(PidFile::take(&dir.path().join("absent")).unwrap().is_none());
    }
}
