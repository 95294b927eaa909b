//! The window: everything that a person sees. Runs on the main thread; nothing imports it.
//!
//! ```text
//! app.rs           the eframe application: snapshot in, commands out, which screen; outbox.rs, own_camera.rs, keys.rs
//!   home.rs          people_list.rs, history.rs at the left; own_card.rs, preview.rs, call_card.rs at the right
//!   invite_dialog.rs who rings, who is rung, and how a call ended
//!   safety_dialog.rs the safety number of a contact, by voice or by code_scanner.rs
//!   call_view.rs     tiles, self_view.rs, quality_sign.rs, picture_wish.rs, controls.rs, statistics.rs
//!   settings_panel.rs, notices.rs
//! drawn with       fit.rs, theme.rs, fonts.rs, bidi.rs, icons.rs, buttons.rs, fields.rs, avatar.rs, qr_code.rs,
//!                  tile.rs
//! worded by        catalogue/
//! ```

mod add_contact;
mod app;
mod appearance;
mod asked;
mod avatar;
mod bidi;
mod buttons;
mod call_card;
mod call_view;
mod catalogue;
mod code_scanner;
mod controls;
mod dialog;
mod fields;
mod fit;
mod fonts;
mod history;
mod home;
mod icons;
mod invite_dialog;
mod keys;
mod notices;
mod outbox;
mod own_camera;
mod own_card;
mod people_list;
mod picture_picker;
mod picture_wish;
mod preview;
mod qr_code;
mod quality_sign;
mod safety_dialog;
mod scene;
mod self_view;
mod server_settings;
mod settings_panel;
mod statistics;
mod theme;
pub mod tile;
mod wall_clock;
mod window_handle;

pub use app::{APP_ID, TITLE, Window, WindowOptions, run};
pub use appearance::DesktopAppearance;
pub use catalogue::{Text, Words, system_locale};
pub use scene::Now;
pub use window_handle::{WindowHandle, WindowRequest};
