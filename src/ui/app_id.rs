//! Names of the program towards the desktop.

/// Title of the window, and the name of the program towards the desktop.
pub const TITLE: &str = "Visavis";
/// Identifier of the application, the same in its desktop entry, its icons and its AppStream metadata: by it a desktop
/// finds the name and the icon of the window.
pub const APP_ID: &str = "org.visavis.Visavis";
