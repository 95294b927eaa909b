//! The store: settings, contacts and call history, in one SQLite file in the profile.
//!
//! The controller's thread opens the profile, then the store, and is the only one that uses them.

mod contacts;
mod database;
mod error;
mod history;
mod invitations;
mod opening;
mod pictures;
mod pid_file;
mod profile;
mod quiet_hours;
mod schema;
mod settings;
mod talk_key;
mod undelivered;

pub use contacts::Contact;
pub use database::Store;
pub use error::StoreError;
pub use history::{HISTORY_KEPT, HistoryRecord, KeptCall};
pub use profile::{Profile, ProfileError};
pub use quiet_hours::{NoTimeOfDay, TimeOfDay, is_between, minutes_to_change};
pub use settings::{Contrast, Hint, Language, Motion, PictureFit, SelfViewSize, Settings, SettingsChange, Theme};
pub use talk_key::TalkKey;
pub use undelivered::UNDELIVERED_KEPT_S;
