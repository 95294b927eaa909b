//! Files of the profile, opened without surprises: each must be a regular file of its own. A link would lead to a file
//! of somebody else's choice, whose rights would be changed or whose bytes be read; a pipe would make the start wait
//! for its other end.

use std::fs::{self, DirBuilder, File, Metadata, OpenOptions};
use std::io::{self, Write};
use std::path::Path;

use data_encoding::HEXLOWER;

/// A thing in the place of a file: a link, a pipe, a folder, a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it is no file but a link, a pipe, a folder or a device")]
pub struct NotAFile;

impl From<NotAFile> for io::Error {
    fn from(error: NotAFile) -> Self {
        Self::new(io::ErrorKind::InvalidInput, error)
    }
}

/// Opens a file of the profile as `options` say, without waiting; one that is made is its owner's alone (mode 0600).
/// Fails with [`NotAFile`] inside where something else stands in its place.
pub fn open(path: &Path, options: &mut OpenOptions) -> io::Result<File> {
    // A folder cannot be opened for writing, and is to be named a folder.
    check(path)?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(0o600).custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK | libc::O_NOCTTY);
    }
    let file = options.open(path).map_err(|error| if is_link_error(&error) { NotAFile.into() } else { error })?;
    // Between the look and the opening it may have become another.
    if file.metadata()?.is_file() { Ok(file) } else { Err(NotAFile.into()) }
}

/// Fails where something else than a file stands in a file's place; nothing at all is fine.
pub fn check(path: &Path) -> io::Result<Option<Metadata>> {
    match path.symlink_metadata() {
        Ok(metadata) if metadata.is_file() => Ok(Some(metadata)),
        Ok(_) => Err(NotAFile.into()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Whether an error says [`NotAFile`].
pub fn is_not_a_file(error: &io::Error) -> bool {
    error.get_ref().is_some_and(|inner| inner.is::<NotAFile>())
}

#[cfg(unix)]
fn is_link_error(error: &io::Error) -> bool {
    error.raw_os_error() == Some(libc::ELOOP)
}

#[cfg(not(unix))]
fn is_link_error(_error: &io::Error) -> bool {
    false
}

/// Takes everybody else's rights from an open file. True when there were some. Elsewhere than on Unix the profile's
/// folder lies in the user's own area, whose access list the file inherits.
pub fn make_private(file: &File) -> io::Result<bool> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        if file.metadata()?.permissions().mode() & 0o077 != 0 {
            file.set_permissions(std::fs::Permissions::from_mode(0o600))?;
            return Ok(true);
        }
    }
    #[cfg(not(unix))]
    let _ = file;
    Ok(false)
}

/// Makes a folder for this user alone (mode 0700); `recursive`: those that lead to it too, and one that is there will
/// do.
///
/// # Errors
///
/// Those of the system.
pub fn private_dir(dir: &Path, recursive: bool) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(recursive);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(dir)
}

/// Writes a new file for this user alone (mode 0600): whole and synced under another name, then linked into place, so
/// that a crash leaves nothing or all of it.
///
/// # Errors
///
/// [`io::ErrorKind::AlreadyExists`] where a file stands there, which stays as it is; else those of the system.
pub fn write_new(path: &Path, content: &[u8]) -> io::Result<()> {
    let random = random_name()?;
    let folder = path.parent().unwrap_or(Path::new(""));
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let temporary = folder.join(format!("{name}.{random}.new"));
    let placed = write_synced(&temporary, content).and_then(|()| match fs::hard_link(&temporary, path) {
        // A file system without links: a rename would replace an existing file, so look first.
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists && !path.exists() => fs::rename(&temporary, path),
        linked => linked,
    });
    match fs::remove_file(&temporary) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            tracing::warn!(%error, "a temporary file stays behind")
        }
        _ => {}
    }
    placed?;
    sync_dir(folder)
}

/// Writes a file for this user alone (mode 0600) in the place of the one that stands there, if any: whole and synced
/// under another name, then renamed, so that a crash leaves the old one or the new one.
///
/// # Errors
///
/// [`NotAFile`] inside where something else stands in its place; else those of the system.
pub fn replace(path: &Path, content: &[u8]) -> io::Result<()> {
    check(path)?;
    let folder = path.parent().unwrap_or(Path::new(""));
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let temporary = folder.join(format!("{name}.{}.new", random_name()?));
    let placed = write_synced(&temporary, content).and_then(|()| fs::rename(&temporary, path));
    if placed.is_err() {
        // The first error is the one to tell.
        let _absent_or_stuck = fs::remove_file(&temporary);
    }
    placed?;
    sync_dir(folder)
}

/// 64 random bits as text, for the name of a temporary file.
pub(super) fn random_name() -> io::Result<String> {
    let mut random = [0; 8];
    getrandom::fill(&mut random).map_err(|_| io::Error::other("no random numbers"))?;
    Ok(HEXLOWER.encode(&random))
}

/// Writes a new file for this user alone, through to the disk.
pub(super) fn write_synced(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut file = open(path, File::options().write(true).create_new(true))?;
    file.write_all(content)?;
    file.sync_all()
}

/// Makes the names in a folder last.
#[cfg(unix)]
pub(super) fn sync_dir(path: &Path) -> io::Result<()> {
    let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
    File::open(path)?.sync_all()
}

#[cfg(not(unix))]
pub(super) fn sync_dir(_path: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    /// Something in the place of a file.
    fn in_its_place(kind: &str, path: &Path) {
        match kind {
            "folder" => std::fs::create_dir(path).unwrap(),
            "link to nothing" => symlink("absent", path).unwrap(),
            "link to a file" => {
                std::fs::write(path.with_extension("target"), "x").unwrap();
                symlink(path.with_extension("target"), path).unwrap();
            }
            "socket" => drop(std::os::unix::net::UnixListener::bind(path).unwrap()),
            _ => {
                let name = std::ffi::CString::new(path.to_str().unwrap()).unwrap();
                // SAFETY: the name ends with a zero and lives until the call returns.
                assert_eq!(unsafe { libc::mkfifo(name.as_ptr(), 0o644) }, 0);
            }
        }
    }

    #[test]
    fn what_is_no_file_is_refused_at_once_and_left_as_it_is() {
        for kind in ["folder", "link to nothing", "link to a file", "socket", "pipe"] {
            for write in [false, true] {
                let dir = tempfile::tempdir().unwrap();
                let path = dir.path().join("thing");
                in_its_place(kind, &path);
                let before = path.symlink_metadata().unwrap().permissions().mode();
                let error = open(&path, File::options().read(true).write(write).create(write)).unwrap_err();
                assert!(is_not_a_file(&error), "{kind}: {error}");
                assert_eq!(path.symlink_metadata().unwrap().permissions().mode(), before);
                assert!(!dir.path().join("absent").exists());
            }
        }
    }

    #[test]
    fn a_file_is_written_once_and_whole() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        write_new(&path, b"first").unwrap();
        assert_eq!(write_new(&path, b"second").unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(fs::read(&path).unwrap(), b"first");
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1, "nothing else stays behind");
    }

    #[test]
    fn a_file_is_replaced_whole_and_nothing_else_is() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        for content in [b"first", b"other"] {
            replace(&path, content).unwrap();
            assert_eq!(fs::read(&path).unwrap(), content);
        }
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        let link = dir.path().join("link");
        symlink(&path, &link).unwrap();
        assert!(is_not_a_file(&replace(&link, b"third").unwrap_err()));
        assert_eq!(fs::read(&path).unwrap(), b"other");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 2, "nothing else stays behind");
    }

    #[test]
    fn a_new_file_is_its_owners_alone_and_an_old_one_is_made_so() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        let file = open(&path, File::options().read(true).write(true).create(true)).unwrap();
        let mode = |file: &File| file.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&file), make_private(&file).unwrap()), (0o600, false));
        file.set_permissions(std::fs::Permissions::from_mode(0o644)).unwrap();
        assert_eq!((make_private(&file).unwrap(), mode(&file)), (true, 0o600));
    }
}
