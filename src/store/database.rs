//! The store: the one SQLite file, and the settings in it.
//!
//! Used by the controller's thread alone; every statement is a few rows, so nothing here waits for long.

use rusqlite::{Connection, OptionalExtension, params};

use super::{Settings, StoreError};

/// Settings, contacts and history of one profile.
#[derive(Debug)]
pub struct Store {
    pub(super) connection: Connection,
    pub(super) fault: Option<StoreError>,
}

impl Store {
    /// Why nothing can be saved, as it showed when the store was opened.
    pub const fn fault(&self) -> Option<&StoreError> {
        self.fault.as_ref()
    }

    /// The settings; those of a newcomer where none are saved or one cannot be read. Then the present content is set
    /// aside in the file, not lost.
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

#[cfg(test)]
mod tests {
    use super::*;

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
    fn a_full_disk_is_called_full() {
        let store = Store::in_memory().unwrap();
        store.connection.pragma_update(None, "max_page_count", 1).unwrap();
        let settings = Settings { display_name: "x".repeat(1 << 20), ..Settings::default() };
        assert!(matches!(store.save_settings(&settings), Err(StoreError::DiskFull(_))));
    }
}
