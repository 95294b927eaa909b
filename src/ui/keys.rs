//! Keys that act once a press, however long they are held.

use eframe::egui::{Event, Key, Modifiers, Ui};

/// Whether `key` went down with these modifiers. It is taken from the input, and so is its repetition while it is held.
pub fn pressed(ui: &Ui, modifiers: Modifiers, key: Key) -> bool {
    ui.input_mut(|input| {
        let mut down = false;
        input.events.retain(|event| match event {
            Event::Key { key: of, pressed: true, repeat, modifiers: held, .. }
                if *of == key && held.matches_logically(modifiers) =>
            {
                down |= !*repeat;
                false
            }
            _ => true,
        });
        down
    })
}
