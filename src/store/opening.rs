//! Ways to open the one SQLite file: as it should be; where the file system knows no locks; and, where it cannot be
//! written, as a copy in memory, so that a full or a read-only disk keeps nobody from a call.
//!
//! The profile is held by one program alone, so SQLite holds its file for good (`locking_mode=EXCLUSIVE`) and keeps in
//! memory the state that programs would share: with that file beside it, a full disk could not even be read.

use std::ffi::OsString;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::Duration;

use percent_encoding::{NON_ALPHANUMERIC, percent_encode};
use rusqlite::{Connection, OpenFlags};

use crate::identity::{Identity, private_file};

use super::schema::{bring_up_to_date, refuse_newer, version};
use super::{Store, StoreError};

/// Name of the data file.
pub(super) const FILE_NAME: &str = "visavis.db";
/// Suffixes of the files that SQLite puts beside it.
const SIDE_FILES: [&str; 3] = ["-wal", "-shm", "-journal"];
const BUSY_TIMEOUT: Duration = Duration::from_secs(2);

impl Store {
    /// Opens the store in the profile folder `dir`, which must exist; makes the file, readable by its owner alone, when
    /// there is none. Where it cannot be written, the store is a copy of it that is forgotten when it is dropped, and
    /// [`Store::fault`] says why. Damage, and anything but a file, is refused and left as it is.
    pub fn open(dir: &Path) -> Result<Self, StoreError> {
        if !dir.is_dir() {
            return Err(StoreError::NotWritable("the profile folder does not exist".into()));
        }
        let path = dir.join(FILE_NAME);
        for file in SIDE_FILES.iter().map(|ending| beside(&path, ending)).chain([path.clone()]) {
            private_file::check(&file).map_err(|error| StoreError::of_file(file, error))?;
        }
        if path.metadata().is_ok_and(|file| file.len() == 0) && Identity::exists(dir) {
            return Err(StoreError::Emptied);
        }
        let error = match open_writable(&path) {
            Err(error) if error.leaves_reading() => error,
            opened => return opened,
        };
        // Codes of SQLite do not always tell a full disk from one that may not be written.
        let error = why_not_writable(dir).unwrap_or(error);
        tracing::warn!("{error}");
        tracing::debug!("{error:?}");
        Ok(Self { connection: copy_in_memory(&path)?, fault: Some(error) })
    }

    /// A store that is forgotten when it is dropped.
    pub fn in_memory() -> Result<Self, StoreError> {
        let mut connection = Connection::open_in_memory()?;
        bring_up_to_date(&mut connection)?;
        Ok(Self { connection, fault: None })
    }
}

/// The name of a file beside another one.
fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(ending);
    name.into()
}

fn open_writable(path: &Path) -> Result<Store, StoreError> {
    let failed = |error| StoreError::of_file(path.to_owned(), error);
    match private_file::open(path, File::options().read(true).write(true)) {
        Ok(file) => {
            // SQLite gives its side files the same rights.
            private_file::make_private(&file).map_err(failed)?;
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => make(path)?,
        Err(error) => return Err(failed(error)),
    }
    match connect(path, None) {
        // SQLite says so, too, where the file system has no locks. The profile's own must do there.
        Err(StoreError::Busy(_) | StoreError::DiskFailed(_)) if knows_no_locks(path) => {
            connect(path, Some("unix-none"))
        }
        connected => connected,
    }
}

/// Makes the file whole under another name, so that one of no bytes is never ours.
fn make(path: &Path) -> Result<(), StoreError> {
    let new = beside(path, ".new");
    let failed = |error| StoreError::of_file(new.clone(), error);
    if private_file::check(&new).map_err(failed)?.is_some() {
        fs::remove_file(&new).map_err(failed)?;
    }
    private_file::open(&new, File::options().write(true).create_new(true)).map_err(failed)?;
    let made = Connection::open_with_flags(&new, flags()).map_err(StoreError::from).and_then(|mut connection| {
        // Nothing beside it stays behind when this is cut off, and what is cut off is made anew.
        connection.pragma_update(None, "journal_mode", "MEMORY")?;
        bring_up_to_date(&mut connection)?;
        connection.close().map_err(|(_, error)| error.into())
    });
    let placed = made.and_then(|()| fs::rename(&new, path).map_err(failed));
    if placed.is_err() {
        // It is of no use; the error that is told is the one before.
        let _ = fs::remove_file(&new);
    }
    placed
}

fn flags() -> OpenFlags {
    OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX
}

fn connect(path: &Path, system: Option<&str>) -> Result<Store, StoreError> {
    let mut connection = match system {
        None => Connection::open_with_flags(path, flags())?,
        Some(system) => Connection::open_with_flags_and_vfs(path, flags(), system)?,
    };
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.pragma_update(None, "locking_mode", "EXCLUSIVE")?;
    refuse_newer(&connection)?;
    refuse_damaged(&connection)?;
    // WAL: a crash or a power cut loses at most the last change, never the file.
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "NORMAL")?;
    bring_up_to_date(&mut connection)?;
    let fault = try_to_write(&connection).err();
    if let Some(fault) = &fault {
        tracing::warn!("{fault}");
    }
    Ok(Store { connection, fault })
}

/// Looks through the whole file, which is small.
fn refuse_damaged(connection: &Connection) -> Result<(), StoreError> {
    let finding: String = connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
    if finding == "ok" { Ok(()) } else { Err(StoreError::Damaged(finding.into())) }
}

/// Writes a value that is there already.
fn try_to_write(connection: &Connection) -> Result<(), StoreError> {
    Ok(connection.pragma_update(None, "user_version", version(connection)?)?)
}

/// Fault that the system reports when a file is made in the folder.
fn why_not_writable(dir: &Path) -> Option<StoreError> {
    let path = dir.join(format!("{FILE_NAME}.try"));
    let tried = private_file::open(&path, File::options().write(true).create_new(true))
        .and_then(|mut file| std::io::Write::write_all(&mut file, &[0; 64 * 1024]));
    // One of a run that was killed goes, too.
    let _ = fs::remove_file(&path);
    tried
        .err()
        .filter(|error| error.kind() != std::io::ErrorKind::AlreadyExists && !private_file::is_not_a_file(error))
        .map(|error| StoreError::of_file(path, error))
}

/// A copy of the data that can be read, in memory; an empty store where there are none.
fn copy_in_memory(path: &Path) -> Result<Connection, StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_URI | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut memory = Connection::open_in_memory_with_flags(flags)?;
    if path.metadata().is_ok_and(|file| file.len() > 0) {
        // The latest data stand in a file of their own, and must be put together elsewhere.
        let elsewhere = TemporaryCopy::of_unfinished(path);
        match &elsewhere {
            Some(copy) => attach(&memory, &copy.dir.join(FILE_NAME), "")?,
            None => attach(&memory, path, "?immutable=1")?,
        }
        copy_tables(&memory)?;
        memory.execute_batch("DETACH saved")?;
        refuse_newer(&memory)?;
        refuse_damaged(&memory)?;
    }
    bring_up_to_date(&mut memory)?;
    Ok(memory)
}

fn attach(memory: &Connection, path: &Path, options: &str) -> Result<(), StoreError> {
    let name = percent_encode(path.as_os_str().as_encoded_bytes(), NON_ALPHANUMERIC);
    memory.execute("ATTACH ?1 AS saved", [format!("file:{name}{options}")])?;
    Ok(())
}

fn copy_tables(memory: &Connection) -> Result<(), StoreError> {
    let mut statement =
        memory.prepare("SELECT name, sql FROM saved.sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite%'")?;
    let tables = statement
        .query_map([], |row| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?)))?
        .collect::<Result<Vec<_>, _>>()?;
    for (name, sql) in tables {
        let name = name.replace('"', "\"\"");
        memory.execute_batch(&format!("{sql}; INSERT INTO main.\"{name}\" SELECT * FROM saved.\"{name}\""))?;
    }
    let version: i64 = memory.query_row("PRAGMA saved.user_version", [], |row| row.get(0))?;
    Ok(memory.pragma_update(None, "user_version", version)?)
}

/// The data file and the changes that wait beside it, in a folder of their own until this is dropped.
struct TemporaryCopy {
    dir: PathBuf,
}

impl TemporaryCopy {
    /// `None` where nothing waits, or no place for it is found.
    fn of_unfinished(path: &Path) -> Option<Self> {
        let changes = beside(path, SIDE_FILES[0]);
        if changes.metadata().map_or(0, |file| file.len()) == 0 {
            return None;
        }
        let places = [Some(std::env::temp_dir()), std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from)];
        places.into_iter().flatten().find_map(|place| {
            let copy = Self { dir: place.join(format!("visavis-{:032x}", random()?)) };
            private_file::private_dir(&copy.dir, false).ok()?;
            fs::copy(path, copy.dir.join(FILE_NAME)).ok()?;
            fs::copy(&changes, beside(&copy.dir.join(FILE_NAME), SIDE_FILES[0])).ok()?;
            Some(copy)
        })
    }
}

impl Drop for TemporaryCopy {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.dir) {
            tracing::debug!("a temporary copy of the data stays behind: {error}");
        }
    }
}

fn random() -> Option<u128> {
    let mut bits = [0; 16];
    getrandom::fill(&mut bits).ok()?;
    Some(u128::from_le_bytes(bits))
}

/// Whether the file system refuses the kind of lock that SQLite uses, no matter which process holds the file.
#[cfg(unix)]
fn knows_no_locks(path: &Path) -> bool {
    use std::os::fd::AsRawFd;
    let Ok(file) = private_file::open(path, File::options().read(true).write(true)) else { return false };
    // SAFETY: all zero bytes are a value of this plain structure.
    let mut lock: libc::flock = unsafe { std::mem::zeroed() };
    lock.l_type = libc::F_WRLCK as _;
    // SAFETY: the descriptor is open, and the structure lives until the call returns.
    let taken = unsafe { libc::fcntl(file.as_raw_fd(), libc::F_SETLK, &raw const lock) };
    let refusals = [libc::ENOLCK, libc::EOPNOTSUPP, libc::ENOSYS, libc::EINVAL];
    taken == -1 && std::io::Error::last_os_error().raw_os_error().is_some_and(|code| refusals.contains(&code))
}

#[cfg(not(unix))]
fn knows_no_locks(_path: &Path) -> bool {
    false
}

#[cfg(test)]
mod tests;
