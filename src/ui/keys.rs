//! Keys that act once a press, however long they are held.

use eframe::egui::{Context, Event, Key, Modifiers, RawInput, Ui};

/// Keys that press the widget that has the focus.
const PRESSING: [Key; 2] = [Key::Space, Key::Enter];

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

/// Takes repeated presses of the keys that press a widget out of `input`: a button that has the focus is pressed once,
/// however long the key is held. egui presses it at each repetition.
pub fn drop_repeated_presses(ctx: &Context, input: &mut RawInput) {
    let held =
        ctx.input_for(input.viewport_id, |input| PRESSING.map(|key| input.keys_down.contains(&key).then_some(key)));
    input.events.retain(|event| !matches!(event, Event::Key { key, pressed: true, .. } if held.contains(&Some(*key))));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn press(key: Key, pressed: bool) -> Event {
        Event::Key { key, physical_key: None, pressed, repeat: false, modifiers: Modifiers::NONE }
    }

    #[test]
    fn a_held_key_presses_once_until_it_was_let_go() {
        let ctx = Context::default();
        let left = |events: Vec<Event>| {
            let mut input = RawInput { events, ..RawInput::default() };
            drop_repeated_presses(&ctx, &mut input);
            let count = input.events.len();
            ctx.run_ui(input, |_| {}).textures_delta.clear();
            count
        };
        for key in PRESSING {
            assert_eq!(left(vec![press(key, true)]), 1);
            assert_eq!((left(vec![press(key, true)]), left(vec![press(key, true), press(key, true)])), (0, 0), "held");
            assert_eq!(
                (left(vec![press(key, false)]), left(vec![press(key, true)])),
                (1, 1),
                "let go and pressed again"
            );
        }
        assert_eq!((left(vec![press(Key::M, true)]), left(vec![press(Key::M, true)])), (1, 1), "the others repeat");
    }
}
