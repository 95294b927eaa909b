//! The window: everything that a person sees. Runs on the main thread; nothing imports it.
//!
//! ```text
//! app.rs           the eframe application: snapshot in, commands out, which screen; outbox.rs, own_camera.rs, keys.rs
//!   home.rs          people_list.rs (people_order.rs, calls_by_person.rs, person_row.rs), history.rs,
//!                    person_menu.rs at the left;
//!                    own_card.rs, hints.rs, preview.rs, microphone_button.rs, call_card.rs at the right;
//!                    add_contact.rs, invitation.rs
//!   ring_scene.rs    who rings and who is rung, on stage.rs; outcome_dialog.rs: how a call ended
//!   safety_dialog.rs the safety number of a contact, by voice or by code_scanner.rs
//!   call_view.rs     tiles, self_view.rs, quality_sign.rs, picture_wish.rs, statistics.rs, push_to_talk.rs,
//!                    controls.rs; call_bar.rs with call_menus.rs
//!   small_window.rs  the call while the window is hidden
//!   settings_panel.rs with reachable_settings.rs, server_settings.rs, look_settings.rs, key_list.rs
//!   notices.rs, closing.rs, waiting_card.rs
//! kept             window_place.rs; window_state.rs
//! drawn with       fit.rs, theme.rs, fonts.rs, bidi.rs, icons.rs, buttons.rs, fields.rs, avatar.rs, badge.rs,
//!                  qr_code.rs, device_names.rs, tile.rs
//! worded by        catalogue/
//! ```

mod add_contact;
mod app;
mod app_id;
mod appearance;
mod asked;
mod avatar;
mod badge;
mod bidi;
mod buttons;
mod call_bar;
mod call_card;
mod call_menus;
mod call_view;
mod calls_by_person;
mod catalogue;
mod closing;
mod code_scanner;
mod controls;
mod device_names;
mod dialog;
mod faces;
mod fields;
mod fit;
mod fonts;
mod hints;
mod history;
mod home;
mod icons;
mod invitation;
mod key_list;
mod keys;
mod look_settings;
mod microphone_button;
mod notices;
mod outbox;
mod outcome_dialog;
mod own_camera;
mod own_card;
mod own_picture;
mod people_list;
mod people_order;
mod person_menu;
mod person_row;
mod picture_picker;
mod picture_wish;
mod preview;
mod push_to_talk;
mod qr_code;
mod quality_sign;
mod reachable_settings;
mod ring_scene;
mod safety_dialog;
mod scene;
mod self_view;
mod server_settings;
mod settings_panel;
mod small_window;
mod stage;
mod statistics;
mod theme;
pub mod tile;
mod waiting_card;
mod wall_clock;
mod window_handle;
mod window_place;
mod window_state;

pub use app::{Window, WindowOptions, run};
pub use app_id::{APP_ID, TITLE};
pub use appearance::DesktopAppearance;
pub use catalogue::{Text, Words, system_locale};
pub use scene::Now;
pub use window_handle::{Closed, WindowEnd, WindowHandle, WindowRequest, window_handle};
pub use window_state::is_on_wayland;
