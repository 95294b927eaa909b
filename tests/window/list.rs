//! The list of people by mouse and keyboard, missed calls, hints, and the window of little room.

use super::*;

fn invite(number: u8) -> Command {
    Command::Invite { to: peer(number), user_data: String::new(), audio: true, video: high() }
}

fn type_search(desk: &Desk<'_>, text: &str) {
    desk.key(Modifiers::COMMAND, Key::K);
    assert!(desk.has_focus("Search people"));
    desk.harness.borrow().get_by_label("Search people").type_text(text);
    desk.settle();
}

/// `idle` with this person changed.
fn with(number: u8, change: impl Fn(&mut Person)) -> Snapshot {
    let mut snapshot = fixture::idle();
    snapshot.people.iter_mut().filter(|person| person.id == peer(number)).for_each(change);
    snapshot
}

#[test]
fn enter_in_the_search_opens_the_first_match_with_the_keyboard_in_the_note() {
    let desk = Desk::new(fixture::idle());
    type_search(&desk, "xiao");
    assert!(desk.shows("王小明, Online") && !desk.shows("Grandma, Online"));
    desk.key(Modifiers::NONE, Key::Enter);
    assert!(desk.has_focus("Note"));
    desk.key(Modifiers::NONE, Key::Enter);
    assert_eq!(desk.sent(), [invite(2)]);
}

#[test]
fn the_search_is_cleared_by_esc_and_by_its_button_and_keeps_the_keyboard() {
    let desk = Desk::new(fixture::idle());
    for clear in [true, false] {
        type_search(&desk, "tomas");
        assert!(desk.shows("Tomás Herrera") && !desk.shows("Grandma, Online"));
        if clear {
            desk.key(Modifiers::NONE, Key::Escape);
        } else {
            desk.press("Clear the search");
        }
        assert!(desk.shows("Grandma, Online") && !desk.shows("Clear the search"));
        assert!(desk.has_focus("Search people"));
    }
}

#[test]
fn a_call_from_a_search_clears_it_and_keeps_the_person_called() {
    let by_note = |desk: &Desk<'_>| {
        desk.key(Modifiers::NONE, Key::Enter);
        desk.key(Modifiers::NONE, Key::Enter);
    };
    let by_row = |desk: &Desk<'_>| {
        desk.key(Modifiers::NONE, Key::ArrowDown);
        desk.key(Modifiers::NONE, Key::Enter);
    };
    let by_button = |desk: &Desk<'_>| {
        desk.point_at(Some("王小明, Online"));
        desk.press("Call 王小明 with video");
    };
    let by_double_click = |desk: &Desk<'_>| {
        let at = desk.harness.borrow().get_by_label_contains("王小明, Online").rect().center();
        (0..2).for_each(|_| desk.at_once([touch(at, true), touch(at, false)].concat()));
    };
    for call in [&by_note as &dyn Fn(&Desk<'_>), &by_row, &by_button, &by_double_click] {
        let desk = Desk::new(fixture::idle());
        type_search(&desk, "xiao");
        assert!(!desk.shows("Grandma, Online"));
        call(&desk);
        assert_eq!(desk.sent(), [invite(2)]);
        for snapshot in [fixture::outgoing(true), fixture::idle()] {
            desk.controller.put(snapshot);
            desk.settle();
        }
        assert!(desk.shows("Grandma, Online") && !desk.shows("Clear the search"));
        let harness = desk.harness.borrow();
        let mut named = harness.query_all_by_label_contains("王小明, Online").map(|node| node.accesskit_node());
        let row = named.find(|node| node.role() == Role::ListItem);
        assert_eq!(row.and_then(|row| row.toggled()), Some(egui::accesskit::Toggled::True));
    }
}

#[test]
fn arrows_go_from_the_search_through_the_rows_and_enter_calls() {
    let desk = Desk::new(fixture::idle());
    type_search(&desk, "");
    desk.key(Modifiers::NONE, Key::ArrowDown);
    assert!(desk.has_focus("Echo test"));
    desk.key(Modifiers::NONE, Key::ArrowDown);
    assert!(desk.has_focus("Ana Lindqvist, Online"));
    desk.key(Modifiers::NONE, Key::Enter);
    assert_eq!(desk.sent(), [invite(1)]);
    desk.key(Modifiers::NONE, Key::ArrowUp);
    desk.key(Modifiers::NONE, Key::ArrowUp);
    assert!(desk.has_focus("Search people"));
}

#[test]
fn tab_comes_to_one_row_of_the_list() {
    let desk = Desk::new(fixture::idle());
    desk.key(Modifiers::COMMAND, Key::F);
    let mut rows = 0;
    for _ in 0..12 {
        desk.key(Modifiers::NONE, Key::Tab);
        let harness = desk.harness.borrow();
        rows += harness.query_all_by_role(Role::ListItem).filter(|row| row.is_focused()).count();
    }
    assert_eq!(rows, 1);
}

#[test]
fn a_double_click_calls_with_video() {
    let desk = Desk::new(fixture::idle());
    let at = desk.harness.borrow().get_by_label_contains("Grandma, Online").rect().center();
    for _ in 0..2 {
        desk.at_once([touch(at, true), touch(at, false)].concat());
    }
    assert_eq!(desk.sent(), [invite(3)]);
}

#[test]
fn the_pointer_over_a_row_brings_its_buttons() {
    let desk = Desk::new(fixture::idle());
    assert!(!desk.shows("Call Grandma with audio"));
    desk.point_at(Some("Grandma, Online"));
    desk.press("Call Grandma with audio");
    assert!(matches!(desk.sent().as_slice(), [Command::Invite { to, video: VideoChoice::Off, .. }] if *to == peer(3)));
}

#[test]
fn rows_stay_in_their_places_while_the_pointer_is_over_them() {
    let desk = Desk::sized(fixture::idle(), Vec2::new(1100.0, 1400.0));
    let names = ["Ana Lindqvist", "Grandma", "Kitchen tablet", "Newcomer"];
    desk.point_at(Some("Grandma, Online"));
    let mut changed = with(1, |ana| (ana.online, ana.route) = (false, None));
    let ana = changed.people.iter().position(|person| person.id == peer(1)).unwrap();
    let ana = changed.people.remove(ana);
    changed.people.push(ana);
    let newcomer = Person { id: peer(40), name: "Newcomer".into(), ..fixture::people()[1].clone() };
    changed.people.insert(1, newcomer);
    desk.controller.put(changed);
    desk.settle();
    assert_eq!(desk.rows(&names), names, "whoever has come is at the end");
    assert!(desk.shows("Ana Lindqvist, Offline"));
    desk.point_at(None);
    assert_eq!(desk.rows(&names), ["Newcomer", "Grandma", "Kitchen tablet", "Ana Lindqvist"]);
}

#[test]
fn many_who_are_offline_are_folded_under_a_heading_and_the_choice_is_kept() {
    let mut snapshot = fixture::idle();
    for number in 50..70 {
        let (name, kind) = (format!("Friend {number}"), PersonKind::Contact);
        snapshot.people.push(Person { id: peer(number), name, kind, online: false, route: None, ..fixture::echo() });
    }
    let desk = Desk::sized(snapshot.clone(), Vec2::new(1100.0, 1400.0));
    assert!(desk.shows("Kitchen tablet") && !desk.shows("Friend 50"));
    desk.press("Offline (22)");
    let settings = Settings { offline_folded: Some(false), ..snapshot.settings.clone() };
    assert_eq!(desk.sent(), [Command::UpdateSettings { settings: (&settings).into() }]);
    desk.controller.put(Snapshot { settings, ..snapshot.clone() });
    desk.point_at(None);
    assert!(desk.shows("Friend 50"));
    snapshot.settings.offline_folded = Some(true);
    desk.controller.put(snapshot);
    desk.settle();
    type_search(&desk, "friend 6");
    assert!(desk.shows("Friend 60") && !desk.shows("Friend 50"), "a search finds them all the same");
}

#[test]
fn favourites_are_made_in_the_menu_and_stand_first() {
    let desk = Desk::new(fixture::idle());
    desk.choose("Grandma, Online");
    desk.press("More for Grandma");
    desk.press("Add to favourites");
    assert_eq!(desk.sent(), [Command::FavouriteContact { id: peer(3), on: true }]);
    desk.controller.put(with(3, |grandma| grandma.favourite = true));
    desk.point_at(None);
    assert_eq!(desk.rows(&["Ana Lindqvist", "Grandma"]), ["Grandma", "Ana Lindqvist"]);
    assert!(desk.shows("Favourites"));
}

/// `idle` with a call of Grandma that nobody has looked at.
fn missed() -> Snapshot {
    let snapshot = fixture::idle();
    let mut history = snapshot.history.to_vec();
    (history[1].seen, history[1].times, history[1].note) = (false, 3, "urgent".into());
    Snapshot { history: history.into(), missed: 3, ..snapshot }
}

#[test]
fn missed_calls_are_counted_until_somebody_looks_at_them() {
    let desk = Desk::new(missed());
    assert!(desk.shows("Grandma, Online · this network, Missed calls: 3"));
    desk.choose("Ana Lindqvist, Online");
    assert_eq!(desk.sent(), []);
    desk.choose("Grandma, Online");
    assert_eq!(desk.sent(), [Command::MarkCallsSeen { with: Some(peer(3)) }], "once");
    let desk = Desk::new(missed());
    desk.press("Calls");
    desk.settle();
    assert_eq!(desk.sent(), [Command::MarkCallsSeen { with: None }]);
    assert!(desk.shows("Grandma (3), Incoming") && desk.shows("Their note: urgent"));
}

#[test]
fn one_entry_of_the_history_is_removed() {
    let desk = Desk::new(fixture::idle());
    desk.press("Calls");
    desk.point_at(Some("Grandma, Incoming"));
    desk.press("Remove from the history");
    let number = fixture::idle().history[1].number;
    assert_eq!(desk.sent(), [Command::ForgetCall { call: number }]);
}

#[test]
fn somebody_who_was_just_added_is_selected() {
    let desk = Desk::new(fixture::idle());
    assert!(!desk.shows("Call with video"));
    let kind = NoticeKind::ContactAdded { id: peer(2), name: "王小明".into() };
    desk.controller.put(Snapshot { notices: vec![Notice { number: 4, kind }], ..fixture::idle() });
    desk.settle();
    desk.press("Call with video");
    assert_eq!(desk.sent(), [invite(2)]);
}

#[test]
fn two_contacts_of_one_name_are_told_apart() {
    let desk = Desk::new(with(1, |ana| ana.shares_name = true));
    assert!(desk.shows(&format!("Ana Lindqvist, Online · this network · {}", peer(1).short())));
}

#[test]
fn hints_of_the_first_minutes_go_for_good_when_they_are_pressed_away() {
    let settings = fixture::idle().settings;
    let new = Snapshot { people: vec![fixture::echo()], history: [].into(), ..fixture::idle() };
    let desk = Desk::new(new.clone());
    let mut dismissed = Vec::new();
    for (hint, words) in [
        (Hint::Name, "Others see you as “Björn”"),
        (Hint::Adding, "People on this network appear by themselves. Add others"),
        (Hint::Echo, "Try a call alone"),
    ] {
        assert!(desk.shows(words), "{words}");
        desk.press("Got it");
        dismissed.push(hint);
        let settings = Settings { hints_dismissed: dismissed.clone(), ..settings.clone() };
        assert_eq!(desk.sent(), [Command::UpdateSettings { settings: (&settings).into() }]);
        desk.controller.put(Snapshot { settings, ..new.clone() });
        desk.settle();
    }
    assert!(!desk.shows("Got it"));
}

#[test]
fn nobody_with_people_around_is_told_that_there_are_none() {
    let people = fixture::people().into_iter().filter(|person| person.kind != PersonKind::Contact).collect();
    let desk = Desk::new(Snapshot { people, ..fixture::idle() });
    assert!(!desk.shows("No contacts yet"));
    let desk = Desk::new(Snapshot { people: vec![fixture::echo()], ..fixture::idle() });
    assert!(desk.shows("No contacts yet"));
}

#[test]
fn the_lists_hide_behind_a_button_where_there_is_no_room_and_a_key_shows_them() {
    let desk = Desk::sized(fixture::idle(), Vec2::new(480.0, 400.0));
    assert!(!desk.shows("Grandma, Online") && desk.shows("Your name"));
    desk.key(Modifiers::COMMAND, Key::K);
    assert!(desk.shows("Grandma, Online") && !desk.shows("Your name"));
    desk.press("Hide people and calls");
    assert!(desk.shows("Your name"));
    desk.press("Show people and calls");
    desk.choose("Grandma, Online");
    desk.press("Call with video");
    assert_eq!(desk.sent(), [invite(3)]);
}

#[test]
fn nothing_lies_over_anything_else_in_windows_of_every_size() {
    for (width, height) in [(360.0, 300.0), (640.0, 480.0), (720.0, 480.0), (1280.0, 800.0), (3840.0, 620.0)] {
        for selected in [false, true] {
            let desk = Desk::sized(fixture::idle(), Vec2::new(width, height));
            if selected {
                // Around the window there is a margin of the harness.
                if desk.shows("Show people and calls") {
                    desk.press("Show people and calls");
                    desk.choose("Echo test");
                } else {
                    desk.choose("Ana Lindqvist, Online");
                }
                desk.point_at(None);
            }
            let harness = desk.harness.borrow();
            let window = egui::Rect::from_min_size(egui::Pos2::ZERO, Vec2::new(width, height));
            let buttons: Vec<_> = harness
                .query_all_by_role(Role::Button)
                .map(|node| (node.accesskit_node().label(), node.rect()))
                .collect();
            for (index, (name, rect)) in buttons.iter().enumerate() {
                assert!(window.expand(0.5).contains_rect(*rect), "{width}x{height}: {name:?} at {rect:?}");
                for (other, over) in &buttons[index + 1..] {
                    assert!(!rect.shrink(0.5).intersects(over.shrink(0.5)), "{width}x{height}: {name:?} and {other:?}");
                }
            }
        }
    }
}

#[test]
fn the_question_at_home_is_whole_in_every_width() {
    for width in [360.0, 480.0, 640.0, 700.0, 1100.0] {
        let desk = Desk::sized(fixture::idle(), Vec2::new(width, 480.0));
        let harness = desk.harness.borrow();
        let question = harness.get_by_label("Who would you like to see?").rect();
        let button = harness.get_by_label("Try the echo test").rect();
        assert!(question.right() < button.left() && button.right() <= width, "{width}: {question:?} {button:?}");
        // On one line it takes 170 points; on two, 36 high.
        assert!(question.width() > 160.0 || question.height() > 30.0, "{width}: {question:?}");
    }
}
