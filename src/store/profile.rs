//! The folder that holds one person's identity, settings and data, opened by one program at a time.

use std::fs::{DirBuilder, File, TryLockError};
use std::path::{Path, PathBuf};

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
        /// What the system said.
        source: std::io::Error,
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
}

impl Profile {
    /// Opens the profile in `dir`, or in the system's folder for Visavis when none is given; makes the folder, for its
    /// owner alone, when there is none.
    pub fn open(dir: Option<&Path>) -> Result<Self, ProfileError> {
        let dir = match dir {
            Some(dir) => dir.to_owned(),
            None => Self::default_dir().ok_or(ProfileError::NoHome)?,
        };
        let not_writable = |source| ProfileError::NotWritable { dir: dir.clone(), source };
        make_dir(&dir).map_err(not_writable)?;
        let lock = File::options()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(dir.join(LOCK_NAME))
            .map_err(not_writable)?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { dir, _lock: lock }),
            Err(TryLockError::WouldBlock) => Err(ProfileError::InUse),
            Err(TryLockError::Error(source)) => Err(not_writable(source)),
        }
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

fn make_dir(dir: &Path) -> std::io::Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(dir)
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

    #[test]
    fn a_file_in_the_place_of_the_folder_is_told() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("taken");
        std::fs::write(&path, "").unwrap();
        assert!(matches!(Profile::open(Some(&path)), Err(ProfileError::NotWritable { .. })));
    }
}
