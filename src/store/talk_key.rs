//! Key of push to talk in other windows.

use serde::{Deserialize, Serialize};

/// Key that is held to be heard while muted, whatever window has the keyboard. Other programs get it, too: each of
/// these means little to them when it is pressed alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TalkKey {
    /// The right Ctrl key.
    RightCtrl,
    /// The key that opens a menu.
    Menu,
    /// Pause.
    Pause,
    /// Scroll Lock.
    ScrollLock,
    /// Function key 6.
    F6,
    /// Function key 7.
    F7,
    /// Function key 8.
    F8,
    /// Function key 9.
    F9,
}

impl TalkKey {
    /// Every key, in the order in which they are offered.
    pub const ALL: [Self; 8] =
        [Self::RightCtrl, Self::Menu, Self::Pause, Self::ScrollLock, Self::F6, Self::F7, Self::F8, Self::F9];

    /// Its name and its number among the key symbols of X (`keysymdef.h`).
    pub const fn keysym(self) -> (&'static str, u32) {
        match self {
            Self::RightCtrl => ("Control_R", 0xffe4),
            Self::Menu => ("Menu", 0xff67),
            Self::Pause => ("Pause", 0xff13),
            Self::ScrollLock => ("Scroll_Lock", 0xff14),
            Self::F6 => ("F6", 0xffc3),
            Self::F7 => ("F7", 0xffc4),
            Self::F8 => ("F8", 0xffc5),
            Self::F9 => ("F9", 0xffc6),
        }
    }

    /// The words on the key.
    pub const fn cap(self) -> &'static str {
        match self {
            Self::RightCtrl => "Right Ctrl",
            Self::Menu => "Menu",
            Self::Pause => "Pause",
            Self::ScrollLock => "Scroll Lock",
            Self::F6 => "F6",
            Self::F7 => "F7",
            Self::F8 => "F8",
            Self::F9 => "F9",
        }
    }
}
