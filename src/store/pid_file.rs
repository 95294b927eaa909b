//! A file that names the process which holds a profile, for file systems that know no locks.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use crate::identity::private_file;

const FILE_NAME: &str = "lock.pid";
/// Programs that start at the same time may take the file of a dead one away from each other.
const TRIES: usize = 4;

/// Another process holds the profile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct InUse;

/// The file of this process, until this is dropped. One that a killed process left behind is found to be so.
#[derive(Debug)]
pub(super) struct PidFile {
    path: PathBuf,
}

impl PidFile {
    /// Writes the file into `dir`. `None` where that cannot be done.
    pub(super) fn take(dir: &Path) -> Result<Option<Self>, InUse> {
        let path = dir.join(FILE_NAME);
        let mut written = false;
        for _ in 0..TRIES {
            match write_new(&path) {
                Ok(()) if was_taken_away(&path) => written = true,
                Ok(()) => return Ok(Some(Self { path })),
                Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Ok(None),
                Err(_) => {
                    let text = read(&path).unwrap_or_default();
                    if written && text == own_text() {
                        // It was put back.
                        return Ok(Some(Self { path }));
                    }
                    if is_of_a_living_process(&text) {
                        return Err(InUse);
                    }
                    take_away(&path, &text);
                }
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

fn own_text() -> String {
    format!("{} {}\n", std::process::id(), boot())
}

fn write_new(path: &Path) -> io::Result<()> {
    let mut file = private_file::open(path, File::options().write(true).create_new(true))?;
    file.write_all(own_text().as_bytes())
}

fn read(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    private_file::open(path, File::options().read(true))?.take(256).read_to_string(&mut text)?;
    Ok(text)
}

/// Whether the file that this process has just written was taken for a dead one's, before the text stood in it.
fn was_taken_away(path: &Path) -> bool {
    match read(path) {
        Ok(text) => text != own_text(),
        Err(error) => error.kind() == io::ErrorKind::NotFound,
    }
}

/// Takes away the file of a process that is gone, in which `text` stood. If another program has put its own there
/// since, that one is put back.
fn take_away(path: &Path, text: &str) {
    let aside = path.with_extension(format!("pid.{:016x}", fastrand::u64(..)));
    let taken = fs::rename(path, &aside).and_then(|()| {
        if read(&aside).unwrap_or_default() != text
            && let Err(error) = fs::hard_link(&aside, path)
            && error.kind() != io::ErrorKind::AlreadyExists
        {
            // Some file systems know no links either.
            return fs::rename(&aside, path);
        }
        fs::remove_file(&aside)
    });
    if let Err(error) = taken {
        tracing::debug!("the file of a process that is gone: {error}");
    }
}

/// Whether the process that `text` names runs, on this computer and since its last start, and is this program. One of
/// another computer is taken for gone: there is no way to ask it.
fn is_of_a_living_process(text: &str) -> bool {
    let Some((pid, started)) = text.trim().split_once(' ') else { return false };
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

    #[test]
    fn a_file_that_another_program_has_put_there_meanwhile_stays() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(FILE_NAME);
        let files = || fs::read_dir(dir.path()).unwrap().count();
        fs::write(&path, "2 this-start\n").unwrap();
        take_away(&path, "1 an-earlier-start\n");
        assert_eq!((fs::read_to_string(&path).unwrap().as_str(), files()), ("2 this-start\n", 1));
        assert!(was_taken_away(&path));
        take_away(&path, "2 this-start\n");
        assert_eq!(files(), 0);
        assert!(was_taken_away(&path));
        write_new(&path).unwrap();
        assert!(!was_taken_away(&path));
    }
}
