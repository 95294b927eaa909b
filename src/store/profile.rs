//! The folder that holds one person's identity, settings and data, opened by one program at a time.

use std::fs::{File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use crate::identity::private_file;

use super::pid_file::{InUse, PidFile};

const LOCK_NAME: &str = "lock";

/// Why a profile cannot be opened: one plain sentence each.
#[derive(Debug, thiserror::Error)]
pub enum ProfileError {
    /// The system names no folder for a program's data.
    #[error("This computer names no folder for Visavis's data. Give one with --profile.")]
    NoHome,
    /// The folder cannot be made or written.
    #[error("The profile folder {} cannot be used. Check its permissions, or choose another with --profile.", .dir.display())]
    NotWritable {
        /// Which folder.
        dir: PathBuf,
        /// Error of the system.
        source: std::io::Error,
    },
    /// No space is left to make the folder or its files.
    #[error("The disk is full, so the profile folder {} cannot be made. Free some space and try again.", .dir.display())]
    DiskFull {
        /// Which folder.
        dir: PathBuf,
    },
    /// Something else stands in the place of the file that holds the profile.
    #[error("{} is a link, a pipe or a folder, and was left alone. Move it away and start again.", .path.display())]
    NotAFile {
        /// Which one.
        path: PathBuf,
    },
    /// Another Visavis holds it.
    #[error("Visavis is running already with this profile. Use that window, or choose another folder with --profile.")]
    InUse,
}

/// A profile folder, held until this is dropped.
#[derive(Debug)]
pub struct Profile {
    dir: PathBuf,
    /// Its lock ends with the process, however that ends.
    _lock: File,
    /// In place of a lock, where there are none.
    _pid_file: Option<PidFile>,
}

impl Profile {
    /// Opens the profile in `dir`, or in the system's folder for Visavis when none is given; makes the folder, for its
    /// owner alone, when there is none. A folder that can only be read is opened, too.
    pub fn open(dir: Option<&Path>) -> Result<Self, ProfileError> {
        let dir = match dir {
            Some(dir) => dir.to_owned(),
            None => Self::default_dir().ok_or(ProfileError::NoHome)?,
        };
        private_file::private_dir(&dir, true).map_err(|source| ProfileError::of(&dir, source))?;
        let lock = open_lock(&dir)?;
        let held = hold(&dir, &lock, lock.try_lock()).map_err(|InUse| ProfileError::InUse)?;
        let profile = Self { dir, _lock: lock, _pid_file: held };
        if profile.others_can_write() {
            tracing::warn!("others can write to the profile folder, and could put another identity into it");
        }
        Ok(profile)
    }

    /// Whether people other than this user can write to the folder, and so put another identity into it.
    pub fn others_can_write(&self) -> bool {
        others_can_write(&self.dir)
    }

    /// The folder that is used unless another one is given.
    pub fn default_dir() -> Option<PathBuf> {
        Some(directories::ProjectDirs::from("", "", "Visavis")?.data_local_dir().to_owned())
    }

    /// The folder.
    pub fn dir(&self) -> &Path {
        &self.dir
    }
}

impl ProfileError {
    fn of(dir: &Path, source: io::Error) -> Self {
        let dir = dir.to_owned();
        match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::DiskFull { dir },
            _ => Self::NotWritable { dir, source },
        }
    }
}

/// Opens the lock of the profile: its own file, made for the owner alone; or, on a full disk or one that may only be
/// read, that file as it is, or the folder.
fn open_lock(dir: &Path) -> Result<File, ProfileError> {
    let path = dir.join(LOCK_NAME);
    match private_file::open(&path, File::options().read(true).write(true).create(true)) {
        Ok(lock) => {
            if let Err(error) = private_file::make_private(&lock) {
                tracing::debug!("the lock cannot be made private: {error}");
            }
            Ok(lock)
        }
        Err(error) if private_file::is_not_a_file(&error) => Err(ProfileError::NotAFile { path }),
        Err(error) => private_file::open(&path, File::options().read(true))
            .or_else(|_| File::open(dir))
            .map_err(|_| ProfileError::of(dir, error)),
    }
}

/// Holds the profile, as trying to lock its file came out. Where the file system knows no such locks (NFS, some FUSE),
/// by one of another kind, and where it knows none at all, by a file that names this process.
fn hold(dir: &Path, lock: &File, locked: Result<(), TryLockError>) -> Result<Option<PidFile>, InUse> {
    let error = match locked {
        Ok(()) => return Ok(None),
        Err(TryLockError::WouldBlock) => return Err(InUse),
        Err(TryLockError::Error(error)) => error,
    };
    tracing::debug!("the profile cannot be locked as a file: {error}");
    let error = match lock_range(lock) {
        Ok(()) => return Ok(None),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Err(InUse),
        Err(error) => error,
    };
    tracing::debug!("the profile cannot be locked at all: {error}");
    let held = PidFile::take(dir)?;
    if held.is_none() {
        tracing::warn!("the profile cannot be locked here; do not start Visavis twice with it");
    }
    Ok(held)
}

/// Locks the whole file through its description (`fcntl`, F_OFD_SETLK), until it is closed.
#[cfg(target_os = "linux")]
fn lock_range(file: &File) -> io::Result<()> {
    use std::os::fd::AsRawFd;
    // SAFETY: all zero bytes are a value of this plain structure.
    let mut range: libc::flock = unsafe { std::mem::zeroed() };
    range.l_type = libc::F_WRLCK as _;
    // SAFETY: the descriptor is open, and the structure lives until the call returns.
    let taken = unsafe { libc::fcntl(file.as_raw_fd(), libc::F_OFD_SETLK, &raw const range) };
    if taken == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

#[cfg(not(target_os = "linux"))]
fn lock_range(_file: &File) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

#[cfg(unix)]
fn others_can_write(dir: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let Ok(folder) = dir.metadata() else { return false };
    // SAFETY: asks for a number of this process.
    let me = unsafe { libc::geteuid() };
    let owned_by_another = folder.uid() != me && folder.uid() != 0;
    // A group with the user's own number is that of the user alone, as many systems make it.
    let by_group = folder.mode() & 0o020 != 0 && folder.gid() != folder.uid();
    owned_by_another || by_group || folder.mode() & 0o002 != 0
}

#[cfg(not(unix))]
fn others_can_write(_dir: &Path) -> bool {
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_profile_is_opened_once_at_a_time() {
        let home = tempfile::tempdir().unwrap();
        let dir = home.path().join("deep").join("ann");
        let profile = Profile::open(Some(&dir)).unwrap();
        assert_eq!(profile.dir(), dir);
        assert!(matches!(Profile::open(Some(&dir)), Err(ProfileError::InUse)));
        assert!(Profile::open(Some(&home.path().join("bob"))).is_ok());
        drop(profile);
        assert!(Profile::open(Some(&dir)).is_ok());
    }

    #[cfg(unix)]
    #[test]
    fn a_new_profile_is_its_owners_alone() {
        use std::os::unix::fs::PermissionsExt;
        let home = tempfile::tempdir().unwrap();
        let dir = home.path().join("ann");
        let _profile = Profile::open(Some(&dir)).unwrap();
        assert_eq!(dir.metadata().unwrap().permissions().mode() & 0o777, 0o700);
    }

    #[cfg(unix)]
    #[test]
    fn the_lock_is_its_owners_alone_and_nothing_else_is_taken_for_it() {
        use std::os::unix::fs::{PermissionsExt, symlink};
        let home = tempfile::tempdir().unwrap();
        let lock = home.path().join(LOCK_NAME);
        std::fs::write(&lock, "").unwrap();
        std::fs::set_permissions(&lock, PermissionsExt::from_mode(0o666)).unwrap();
        drop(Profile::open(Some(home.path())).unwrap());
        assert_eq!(lock.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        std::fs::remove_file(&lock).unwrap();
        let target = home.path().join("elsewhere");
        symlink(&target, &lock).unwrap();
        assert!(matches!(Profile::open(Some(home.path())), Err(ProfileError::NotAFile { .. })));
        assert!(!target.exists());
        std::fs::remove_file(&lock).unwrap();
        std::fs::create_dir(&lock).unwrap();
        assert!(matches!(Profile::open(Some(home.path())), Err(ProfileError::NotAFile { .. })));
    }

    #[cfg(unix)]
    #[test]
    fn a_folder_that_others_can_write_to_is_noticed() {
        use std::os::unix::fs::{MetadataExt, PermissionsExt};
        let home = tempfile::tempdir().unwrap();
        let profile = Profile::open(Some(home.path())).unwrap();
        let private_group = home.path().metadata().map(|folder| folder.uid() == folder.gid()).unwrap();
        for (mode, noticed) in [(0o700, false), (0o755, false), (0o777, true), (0o702, true), (0o770, !private_group)] {
            std::fs::set_permissions(home.path(), PermissionsExt::from_mode(mode)).unwrap();
            assert_eq!(profile.others_can_write(), noticed, "{mode:o}");
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_file_system_without_locks_of_files_is_held_in_another_way() {
        for refusal in [libc::ENOLCK, libc::EOPNOTSUPP, libc::ENOSYS] {
            let refused = || Err(TryLockError::Error(io::Error::from_raw_os_error(refusal)));
            let home = tempfile::tempdir().unwrap();
            let lock = open_lock(home.path()).unwrap();
            assert!(matches!(hold(home.path(), &lock, refused()), Ok(None)));
            let second = open_lock(home.path()).unwrap();
            assert!(matches!(hold(home.path(), &second, refused()), Err(InUse)));
            drop(lock);
            assert!(matches!(hold(home.path(), &second, refused()), Ok(None)));
            // No lock for writing can be had on a folder.
            let folder = File::open(home.path()).unwrap();
            let held = hold(home.path(), &folder, refused()).unwrap();
            assert!(held.is_some());
            assert!(matches!(hold(home.path(), &folder, refused()), Err(InUse)));
        }
    }

    #[test]
    fn a_full_disk_is_called_full() {
        let error = ProfileError::of(Path::new("/p"), io::ErrorKind::StorageFull.into());
        assert!(error.to_string().starts_with("The disk is full"), "{error}");
        let error = ProfileError::of(Path::new("/p"), io::ErrorKind::ReadOnlyFilesystem.into());
        assert!(error.to_string().contains("Check its permissions"), "{error}");
    }

    #[test]
    fn a_file_in_the_place_of_the_folder_is_told() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("taken");
        std::fs::write(&path, "").unwrap();
        assert!(matches!(Profile::open(Some(&path)), Err(ProfileError::NotWritable { .. })));
    }
}
