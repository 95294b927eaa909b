//! Opening of a file that is read as a source: a film, a sound, a picture.

use std::fs::File;
use std::io::{Error, ErrorKind, Result};
use std::path::Path;

/// Opens a regular file to read. A folder gives `IsADirectory` and anything else `NotSeekable`: opening a pipe would
/// wait for its writer, and a device would give bytes without end.
pub fn open_regular_file(path: &Path) -> Result<File> {
    let kind = std::fs::metadata(path)?.file_type();
    if kind.is_dir() {
        return Err(Error::from(ErrorKind::IsADirectory));
    }
    if !kind.is_file() {
        return Err(Error::from(ErrorKind::NotSeekable));
    }
    File::open(path)
}

#[cfg(all(test, unix))]
mod tests {
    use std::io::Read;

    use super::*;

    #[test]
    fn only_files_are_opened_and_nothing_is_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let kind = |path: &Path| open_regular_file(path).map(drop).unwrap_err().kind();
        assert_eq!(kind(folder.path()), ErrorKind::IsADirectory);
        assert_eq!(kind(&folder.path().join("none")), ErrorKind::NotFound);
        assert_eq!(kind(Path::new("/dev/zero")), ErrorKind::NotSeekable);
        let pipe = folder.path().join("pipe");
        assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        assert_eq!(kind(&pipe), ErrorKind::NotSeekable);
        let file = folder.path().join("file");
        std::fs::write(&file, b"bytes").unwrap();
        let mut read = String::new();
        open_regular_file(&file).unwrap().read_to_string(&mut read).unwrap();
        assert_eq!(read, "bytes");
    }
}
