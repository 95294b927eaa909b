//! Writing of a new file as a whole: it has its name once everything is in it, or it does not exist.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{BufWriter, Error, ErrorKind, Result, Write};
use std::path::{Path, PathBuf};

/// Writes a new file at `path` by `write`. An existing entry is never replaced, nothing is left behind by a failure,
/// and no pipe is waited for.
pub fn write_new_file(path: &Path, write: impl FnOnce(&mut BufWriter<File>) -> Result<()>) -> Result<()> {
    if fs::symlink_metadata(path).is_ok() {
        return Err(Error::from(ErrorKind::AlreadyExists));
    }
    let part = name_beside(path)?;
    let placed = write_part(&part, write).and_then(|()| place(&part, path));
    match fs::remove_file(&part) {
        Err(error) if error.kind() != ErrorKind::NotFound => tracing::warn!("a part of a file stays behind: {error}"),
        _ => {}
    }
    placed
}

/// A name in the folder of `path` that nobody uses.
fn name_beside(path: &Path) -> Result<PathBuf> {
    let name = path.file_name().ok_or(ErrorKind::InvalidInput)?;
    let mut part = OsString::from(".");
    // Names end at 255 bytes.
    part.push(if name.len() > 200 { "picture".as_ref() } else { name });
    part.push(format!(".{:016x}.part", fastrand::u64(..)));
    Ok(path.with_file_name(part))
}

fn write_part(part: &Path, write: impl FnOnce(&mut BufWriter<File>) -> Result<()>) -> Result<()> {
    let mut output = BufWriter::new(File::options().write(true).create_new(true).open(part)?);
    write(&mut output)?;
    output.flush()?;
    output.get_ref().sync_all()
}

/// Gives the part its name, unless something has that name by now.
fn place(part: &Path, path: &Path) -> Result<()> {
    match fs::hard_link(part, path) {
        // A file system without links: a rename would replace an existing file, so look first.
        Err(error) if error.kind() != ErrorKind::AlreadyExists && fs::symlink_metadata(path).is_err() => {
            fs::rename(part, path)
        }
        linked => linked,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).unwrap();
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }

    #[test]
    fn a_file_is_there_as_a_whole_or_not_at_all() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("picture.y4m");
        let full = |output: &mut BufWriter<File>| {
            output.write_all(&[1; 20_000])?;
            Err(Error::from(ErrorKind::StorageFull))
        };
        assert_eq!(write_new_file(&path, full).unwrap_err().kind(), ErrorKind::StorageFull);
        assert!(names(folder.path()).is_empty(), "{:?}", names(folder.path()));
        write_new_file(&path, |output| output.write_all(b"whole")).unwrap();
        assert_eq!(
            (names(folder.path()), fs::read(&path).unwrap()),
            (vec!["picture.y4m".to_owned()], b"whole".to_vec())
        );
        let again = write_new_file(&path, |output| output.write_all(b"other"));
        assert_eq!(again.unwrap_err().kind(), ErrorKind::AlreadyExists);
        assert_eq!(fs::read(&path).unwrap(), b"whole");
    }

    #[test]
    fn long_names_missing_folders_and_links_that_lead_nowhere_are_no_surprise() {
        let folder = tempfile::tempdir().unwrap();
        write_new_file(&folder.path().join("x".repeat(250)), |output| output.write_all(b"whole")).unwrap();
        let kind = |path: &Path| write_new_file(path, |_| Ok(())).unwrap_err().kind();
        assert_eq!(kind(&folder.path().join("none").join("a")), ErrorKind::NotFound);
        assert_eq!(kind(folder.path()), ErrorKind::AlreadyExists);
        #[cfg(unix)]
        {
            let link = folder.path().join("link");
            std::os::unix::fs::symlink("nowhere", &link).unwrap();
            assert_eq!(kind(&link), ErrorKind::AlreadyExists);
        }
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn a_full_disk_leaves_no_part() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("picture.y4m");
        let mut device = File::options().write(true).open("/dev/full").unwrap();
        let failed = write_new_file(&path, |output| {
            output.write_all(b"header")?;
            device.write_all(b"picture")
        });
        assert_eq!(failed.unwrap_err().kind(), ErrorKind::StorageFull);
        assert!(names(folder.path()).is_empty());
        write_new_file(&path, |output| output.write_all(b"the same path again")).unwrap();
    }
}
