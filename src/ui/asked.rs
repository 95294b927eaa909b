//! Requests of the lists and the dialogs at home to the screen that holds the dialogs.

use crate::identity::PeerId;

/// Request that a list cannot serve by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Asked {
    /// Open the dialog that adds a contact.
    AddContact,
    /// Open the dialog that renames a contact.
    Rename {
        /// ID of the person.
        id: PeerId,
        /// The name shown now.
        name: String,
    },
    /// Open the dialog with a contact's safety number.
    Safety(PeerId),
    /// Ask before a contact is removed.
    Remove {
        /// ID of the person.
        id: PeerId,
        /// The name shown now.
        name: String,
    },
    /// Ask before the history is emptied.
    ClearHistory,
    /// Select a person.
    Select(PeerId),
    /// Select a person, and give the note to them the keyboard.
    Note(PeerId),
}

/// Next step after a frame of a dialog.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Next {
    /// It stays open.
    #[default]
    Stay,
    /// It is over.
    Close,
    /// It is over, and the settings are asked for.
    Settings,
}
