//! The one SQLite file: opening it, bringing its schema up to date, and what can go wrong with it.
//!
//! Used by the controller's thread alone; every statement is a few rows, so nothing here waits for long.

use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, OptionalExtension, params};
use rusqlite_migration::{M, Migrations};

use super::Settings;

const FILE_NAME: &str = "visavis.db";
const BUSY_TIMEOUT: Duration = Duration::from_secs(2);

/// One step a version of the schema; a step that was ever released is never changed.
const STEPS: &[M<'_>] = &[M::up(
    "CREATE TABLE settings (
         id INTEGER PRIMARY KEY CHECK (id = 1),
         json TEXT NOT NULL,
         unreadable_json TEXT
     ) STRICT;
     CREATE TABLE contacts (
         peer BLOB PRIMARY KEY CHECK (length(peer) = 32),
         name TEXT NOT NULL,
         given_name TEXT NOT NULL DEFAULT '',
         added_at_unix_s INTEGER NOT NULL
     ) STRICT;
     CREATE TABLE blocked (
         peer BLOB PRIMARY KEY CHECK (length(peer) = 32)
     ) STRICT;
     CREATE TABLE history (
         number INTEGER PRIMARY KEY AUTOINCREMENT,
         peer BLOB NOT NULL CHECK (length(peer) = 32),
         name TEXT NOT NULL,
         outgoing INTEGER NOT NULL,
         at_unix_s INTEGER NOT NULL,
         duration_s INTEGER NOT NULL,
         ended TEXT NOT NULL
     ) STRICT;",
)];

/// What is wrong with the store: one plain sentence each, with what to do; `source` has the detail for the log.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// No space is left.
    #[error("The disk is full, so Visavis cannot save. Free some space and try again.")]
    DiskFull(#[source] rusqlite::Error),
    /// The file or its folder cannot be written.
    #[error(
        "Visavis may not write to its data folder. Check the folder's permissions, or choose another with --profile."
    )]
    NotWritable(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The file has a schema that this version does not know; nothing was changed.
    #[error("The data was saved by a newer version of Visavis and was left as it is. Start the newer version.")]
    MadeByNewerVersion,
    /// The file is no database, or damaged.
    #[error("The data file visavis.db is damaged. Rename it and start again to begin with an empty one.")]
    Damaged(#[source] rusqlite::Error),
    /// Another program holds the file.
    #[error("Another program is using Visavis's data file. Close it and try again.")]
    Busy(#[source] rusqlite::Error),
    /// Anything else.
    #[error("Visavis could not read or save its data. Try again, and look into the log if it happens again.")]
    Other(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => Self::DiskFull(error),
            Some(ErrorCode::ReadOnly | ErrorCode::CannotOpen | ErrorCode::PermissionDenied) => {
                Self::NotWritable(error.into())
            }
            Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => Self::Damaged(error),
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Self::Busy(error),
            _ => Self::Other(error.into()),
        }
    }
}

impl From<rusqlite_migration::Error> for StoreError {
    fn from(error: rusqlite_migration::Error) -> Self {
        match error {
            rusqlite_migration::Error::RusqliteError { err, .. } => err.into(),
            other => Self::Other(other.into()),
        }
    }
}

/// Settings, contacts and history of one profile.
#[derive(Debug)]
pub struct Store {
    pub(super) connection: Connection,
}

impl Store {
    /// Opens the store in the profile folder `dir`, which must exist; makes the file, readable by its owner alone, when
    /// there is none.
    pub fn open(dir: &Path) -> Result<Self, StoreError> {
        let path = dir.join(FILE_NAME);
        make_private(&path).map_err(|error| StoreError::NotWritable(error.into()))?;
        let mut connection = Connection::open(&path)?;
        connection.busy_timeout(BUSY_TIMEOUT)?;
        refuse_newer(&connection)?;
        // WAL: a crash or a power cut loses at most the last change, never the file.
        connection.pragma_update(None, "journal_mode", "WAL")?;
        connection.pragma_update(None, "synchronous", "NORMAL")?;
        Migrations::from_slice(STEPS).to_latest(&mut connection)?;
        Ok(Self { connection })
    }

    /// A store that is forgotten when it is dropped.
    pub fn in_memory() -> Result<Self, StoreError> {
        let mut connection = Connection::open_in_memory()?;
        Migrations::from_slice(STEPS).to_latest(&mut connection)?;
        Ok(Self { connection })
    }

    /// The settings; those of a newcomer where none are saved or one cannot be read. Then what was there is set aside in
    /// the file, not lost.
    pub fn settings(&self) -> Result<Settings, StoreError> {
        let json: Option<String> =
            self.connection.query_row("SELECT json FROM settings", [], |row| row.get(0)).optional()?;
        let Some(json) = json else { return Ok(Settings::default()) };
        let (settings, whole) = Settings::read_leniently(&json);
        if !whole {
            tracing::warn!("some of the saved settings cannot be read; these start from their defaults");
            self.connection.execute("UPDATE settings SET unreadable_json = json", [])?;
        }
        Ok(settings)
    }

    /// Replaces the settings.
    pub fn save_settings(&self, settings: &Settings) -> Result<(), StoreError> {
        let json = serde_json::to_string(settings).map_err(|error| StoreError::Other(error.into()))?;
        self.connection.execute(
            "INSERT INTO settings (id, json) VALUES (1, ?1) ON CONFLICT (id) DO UPDATE SET json = excluded.json",
            params![json],
        )?;
        Ok(())
    }
}

fn refuse_newer(connection: &Connection) -> Result<(), StoreError> {
    let version: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    if usize::try_from(version).is_ok_and(|version| version <= STEPS.len()) {
        Ok(())
    } else {
        Err(StoreError::MadeByNewerVersion)
    }
}

/// Makes the file if need be, and takes everybody else's rights from it. SQLite gives its side files the same rights.
fn make_private(path: &Path) -> std::io::Result<()> {
    let mut options = std::fs::OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let file = options.open(path)?;
    #[cfg(unix)]
    file.set_permissions(std::os::unix::fs::PermissionsExt::from_mode(0o600))?;
    drop(file);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_schema_steps_are_valid() {
        assert_eq!(Migrations::from_slice(STEPS).validate(), Ok(()));
    }

    #[test]
    fn settings_are_found_again_after_a_restart() {
        let dir = tempfile::tempdir().unwrap();
        let settings = Settings { display_name: "Ann".to_owned(), max_fps: 15, ..Settings::default() };
        {
            let store = Store::open(dir.path()).unwrap();
            assert_eq!(store.settings().unwrap(), Settings::default());
            store.save_settings(&Settings::default()).unwrap();
            store.save_settings(&settings).unwrap();
        }
        assert_eq!(Store::open(dir.path()).unwrap().settings().unwrap(), settings);
    }

    #[test]
    fn unreadable_settings_give_the_defaults_and_are_kept() {
        let store = Store::in_memory().unwrap();
        store.connection.execute("INSERT INTO settings (id, json) VALUES (1, '{\"max_fps\": \"many\"')", []).unwrap();
        assert_eq!(store.settings().unwrap(), Settings::default());
        store.save_settings(&Settings::default()).unwrap();
        let kept: String =
            store.connection.query_row("SELECT unreadable_json FROM settings", [], |row| row.get(0)).unwrap();
        assert_eq!(kept, "{\"max_fps\": \"many\"");
    }

    #[test]
    fn one_unreadable_setting_leaves_the_others_as_they_are() {
        let store = Store::in_memory().unwrap();
        let json = r#"{"display_name":"Ann","theme":"solarized","max_fps":15,"from_the_future":{"a":1}}"#;
        store.connection.execute("INSERT INTO settings (id, json) VALUES (1, ?1)", [json]).unwrap();
        let expected = Settings { display_name: "Ann".to_owned(), max_fps: 15, ..Settings::default() };
        assert_eq!(store.settings().unwrap(), expected);
        let kept: String =
            store.connection.query_row("SELECT unreadable_json FROM settings", [], |row| row.get(0)).unwrap();
        assert_eq!(kept, json);
    }

    #[test]
    fn a_newer_file_is_refused_and_left_as_it_is() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(FILE_NAME);
        let newer = Connection::open(&path).unwrap();
        newer.pragma_update(None, "user_version", STEPS.len() as i64 + 1).unwrap();
        drop(newer);
        let before = std::fs::read(&path).unwrap();
        assert!(matches!(Store::open(dir.path()), Err(StoreError::MadeByNewerVersion)));
        assert_eq!(std::fs::read(&path).unwrap(), before);
    }

    #[test]
    fn a_file_that_is_no_database_is_called_damaged_and_left_as_it_is() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(FILE_NAME);
        let text = "this is a shopping list, not a database. ".repeat(50);
        std::fs::write(&path, &text).unwrap();
        assert!(matches!(Store::open(dir.path()), Err(StoreError::Damaged(_))));
        assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
    }

    #[test]
    fn a_full_disk_is_called_full() {
        let store = Store::in_memory().unwrap();
        store.connection.pragma_update(None, "max_page_count", 1).unwrap();
        let settings = Settings { display_name: "x".repeat(1 << 20), ..Settings::default() };
        assert!(matches!(store.save_settings(&settings), Err(StoreError::DiskFull(_))));
    }

    #[test]
    fn a_folder_that_does_not_exist_is_not_writable() {
        let dir = tempfile::tempdir().unwrap();
        assert!(matches!(Store::open(&dir.path().join("absent")), Err(StoreError::NotWritable(_))));
    }

    #[cfg(unix)]
    #[test]
    fn nobody_else_can_read_the_files() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).unwrap();
        store.save_settings(&Settings::default()).unwrap();
        for entry in std::fs::read_dir(dir.path()).unwrap() {
            let entry = entry.unwrap();
            assert_eq!(entry.metadata().unwrap().permissions().mode() & 0o077, 0, "{:?}", entry.file_name());
        }
    }
}
