//! What outlives a run: settings, contacts and call history, in one SQLite file in the profile.
//!
//! The controller's thread opens the profile, then the store, and is the only one that uses them.

mod contacts;
mod database;
mod history;
mod profile;
mod settings;

pub use contacts::Contact;
pub use database::{Store, StoreError};
pub use history::{HISTORY_KEPT, HistoryRecord};
pub use profile::{Profile, ProfileError};
pub use settings::{DeviceChoice, Language, Settings, SettingsChange, Theme};
