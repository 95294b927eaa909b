//! What is said, to eyes and to assistive technology: in both languages, with names, inside the window.

use super::*;

#[test]
fn notices_are_shown_and_dismissed() {
    let kind = NoticeKind::Device { device: DeviceKind::Microphone, fault: DeviceFault::Unplugged };
    let desk = Desk::new(Snapshot { notices: vec![Notice { number: 5, kind }], ..fixture::idle() });
    assert!(desk.shows("The microphone was unplugged."));
    desk.press("Dismiss");
    assert_eq!(desk.sent(), [Command::DismissNotice { notice: 5 }]);
}

#[test]
fn chinese_is_shown_when_it_is_chosen() {
    let mut snapshot = fixture::idle();
    snapshot.settings.language = Language::SimplifiedChinese;
    let desk = Desk::new(snapshot);
    assert!(desk.shows("在此网络上"));
    assert!(desk.shows("回声测试"));
    assert!(!desk.shows("On this network"));
}

/// What the keyboard can reach, and has no name that could be read out.
fn nameless(desk: &Desk<'_>) -> Vec<String> {
    let harness = desk.harness.borrow();
    let reached = || By::new().predicate(|node| node.data().supports_action(Action::Focus));
    assert!(harness.query_all(reached()).count() > 0);
    let bare = |node: &Node<'_>| {
        let node = node.accesskit_node();
        node.label().is_none_or(|name| name.trim().is_empty()) && node.value().is_none_or(|name| name.trim().is_empty())
    };
    harness.query_all(reached()).filter(bare).map(|node| format!("{node:?}")).collect()
}

#[test]
fn everything_that_the_keyboard_reaches_has_a_name() {
    let mut stranger = fixture::call(vec![fixture::participant(1, "Ana Lindqvist", true)]);
    stranger.local_stream.camera_fault = Some(DeviceFault::Busy);
    let kind = NoticeKind::OwnLink;
    let screens = [
        Snapshot { notices: vec![Notice { number: 1, kind }], ..fixture::idle() },
        fixture::outgoing(true),
        fixture::incoming(true, false),
        fixture::ended(OutcomeKind::Unreachable),
        stranger,
    ];
    for snapshot in screens {
        let call = format!("{:?}", snapshot.call);
        let desk = Desk::new(snapshot);
        assert_eq!(nameless(&desk), [""; 0], "{call}");
    }
    let desk = Desk::new(fixture::idle());
    for opened in ["Calls", "People", "Show QR code"] {
        desk.press(opened);
        assert_eq!(nameless(&desk), [""; 0], "{opened}");
    }
    desk.key(Modifiers::NONE, Key::Escape);
    desk.harness.borrow().get_by_label_contains("Ana Lindqvist, Online").click();
    desk.settle();
    for opened in ["More for Ana Lindqvist", "Add contact", "Choose a picture…", "Back", "Cancel", "Settings"] {
        desk.press(opened);
        assert_eq!(nameless(&desk), [""; 0], "{opened}");
    }
}

#[test]
fn painted_words_can_be_read_out() {
    let desk = Desk::new(fixture::idle());
    for words in ["Your ID ", "Who would you like to see?", "Pick a person on the left."] {
        assert!(desk.shows(words), "{words}");
    }
    desk.harness.borrow().get_by_label_contains("Tomás Herrera, Blocked").click();
    desk.settle();
    assert!(desk.shows("You blocked Tomás Herrera."));
    let mut call = fixture::conversation(vec![fixture::participant(1, "Ana Lindqvist", false)]);
    let desk = Desk::new(camera_off(Snapshot { call: CallView::Conversation(call.clone()), ..fixture::idle() }));
    assert!(desk.shows("Ana Lindqvist’s camera is off") && desk.shows("Your camera is off"));
    (call.status, call.connected_at) = (ConversationStatus::Connecting, None);
    let desk = Desk::new(Snapshot { call: CallView::Conversation(call), ..fixture::idle() });
    assert!(desk.shows("Ana Lindqvist") && desk.shows("Connecting…"));
}

#[test]
fn a_note_and_a_caller_are_announced() {
    let announced = |snapshot| {
        let desk = Desk::new(snapshot);
        let harness = desk.harness.borrow();
        let live = harness.query_all(By::new().predicate(|node| node.data().live().is_some()));
        live.filter_map(|node| node.accesskit_node().value()).collect::<Vec<_>>()
    };
    assert_eq!(announced(fixture::incoming(true, true)), ["Ana Lindqvist", "would like a video call"]);
    assert_eq!(announced(invites::waiting()), ["Kitchen tablet is calling", "would like a video call"]);
    let notices = vec![Notice { number: 1, kind: NoticeKind::OwnLink }];
    assert_eq!(announced(Snapshot { notices, ..fixture::idle() }).len(), 1);
}

/// A new profile in which calls have ended and something failed.
#[test]
fn notes_lie_beside_the_hint_and_its_button() {
    let kinds = [
        NoticeKind::CallEnded { peer: peer(0), name: "Echo".into(), duration_s: 42 },
        NoticeKind::Device { device: DeviceKind::Microphone, fault: DeviceFault::Unplugged },
        NoticeKind::OwnLink,
    ];
    let notices: Vec<_> = (1..).zip(kinds).map(|(number, kind)| Notice { number, kind }).collect();
    for language in [Language::English, Language::SimplifiedChinese] {
        let (people, words) = (vec![fixture::echo()], Words::of(language, ""));
        let mut snapshot = Snapshot { people, notices: notices.clone(), ..fixture::idle() };
        snapshot.settings.language = language;
        let desk = Desk::new(snapshot);
        let harness = desk.harness.borrow();
        let hint = harness.get_by_label(words.get(Text::HintAdding)).rect();
        let button = harness.get_by_label(words.get(Text::HintSeen)).rect();
        let live = harness.query_all(By::new().predicate(|node| node.data().live().is_some()));
        let close = harness.query_all_by_label(words.get(Text::Dismiss));
        let notes: Vec<_> = live.chain(close).map(|node| node.rect()).collect();
        assert_eq!(notes.len(), 2 * notices.len());
        for note in notes {
            assert!(note.top() > hint.bottom() && note.top() > button.bottom(), "{note:?} {hint:?} {button:?}");
        }
    }
}

#[test]
fn a_dialog_opens_with_the_keyboard_on_what_does_no_harm() {
    let desk = Desk::new(fixture::ended(OutcomeKind::NoAnswer));
    assert!(desk.harness.borrow().get_by_label("Close").is_focused());
    let desk = Desk::new(fixture::idle());
    desk.press("Calls");
    desk.press("Clear the history");
    assert!(desk.harness.borrow().get_by_label("Cancel").is_focused());
}

#[test]
fn faults_of_the_store_and_the_network_are_told_in_the_windows_language() {
    let kinds = [
        NoticeKind::Store(StoreFault::DiskFull),
        NoticeKind::NoNetwork,
        NoticeKind::PortTaken { entirely: true },
        NoticeKind::PortTaken { entirely: false },
    ];
    let notices = (1..).zip(kinds).map(|(number, kind)| Notice { number, kind }).collect();
    let mut snapshot = Snapshot { notices, ..fixture::idle() };
    snapshot.settings.language = Language::SimplifiedChinese;
    let desk = Desk::new(snapshot);
    assert!(desk.shows("磁盘已满") && desk.shows("无法查找此网络上的人"));
    assert!(desk.shows("另一个程序独占了网络端口 5353") && desk.shows("可能无法找到此网络上的部分人"));
}

/// Every button, field and list row lies inside the smallest window, in both languages, and of those that tiling window
/// managers make.
#[test]
fn nothing_to_press_is_outside_of_the_smallest_window() {
    for size in [(720.0, 480.0), (640.0, 400.0), (480.0, 360.0), (1000.0, 300.0), (330.0, 700.0)] {
        nothing_to_press_is_outside(size.into());
    }
}

fn nothing_to_press_is_outside(size: Vec2) {
    for language in [Language::English, Language::SimplifiedChinese] {
        for mut snapshot in [
            fixture::outgoing(true),
            fixture::incoming(true, false),
            fixture::ended(OutcomeKind::Unreachable),
            fixture::call(vec![fixture::participant(1, "Wilhelmina Featherstonehaugh-Montgomery", true)]),
        ] {
            snapshot.settings.language = language;
            if let CallView::Incoming(view) = &mut snapshot.call {
                view.name = "Wilhelmina Featherstonehaugh-Montgomery".into();
                view.user_data = "a long note ".repeat(80);
            }
            let desk = Desk::sized(snapshot, size);
            let window = desk.harness.borrow().ctx.content_rect();
            for button in desk.harness.borrow().query_all_by_role(Role::Button) {
                let rect = button.rect();
                // A row of the list that is scrolled out of sight may lie below.
                let scrolled = rect.left() < 340.0 && rect.top() > 100.0 && rect.width() <= 32.5;
                assert!(scrolled || window.expand(0.5).contains_rect(rect), "{language:?}: {button:?} at {rect:?}");
            }
        }
    }
}

/// In a call and at home no two things to press lie over each other, and names end where they begin.
#[test]
fn nothing_to_press_lies_over_anything_else_in_a_small_window() {
    let name = "W".repeat(64);
    for size in [(640.0, 400.0), (480.0, 360.0), (1000.0, 300.0), (330.0, 700.0)] {
        for snapshot in [fixture::call(vec![fixture::participant(1, &name, true)]), fixture::idle()] {
            let desk = Desk::sized(snapshot, size.into());
            let harness = desk.harness.borrow();
            let buttons: Vec<(String, egui::Rect)> = harness
                .query_all_by_role(Role::Button)
                .map(|button| (button.accesskit_node().label().unwrap_or_default(), button.rect()))
                .collect();
            assert!(buttons.len() > 4, "{size:?}: {buttons:?}");
            for (index, (one, place)) in buttons.iter().enumerate() {
                for (other, other_place) in &buttons[..index] {
                    // A part of a row may be pressed for itself.
                    let inside = place.contains_rect(*other_place) || other_place.contains_rect(*place);
                    let apart = !place.shrink(1.0).intersects(other_place.shrink(1.0));
                    assert!(apart || inside, "{size:?}: {one} at {place:?}, {other} at {other_place:?}");
                }
            }
        }
    }
}

#[test]
fn the_words_about_a_call_with_somebody_of_a_long_name_stay_inside() {
    for name in ["W".repeat(64), "Wi ".repeat(21), "宽".repeat(64)] {
        for size in [(720.0, 480.0), (640.0, 400.0), (480.0, 360.0)] {
            for kind in [OutcomeKind::Missed, OutcomeKind::Unreachable, OutcomeKind::Ended(DisconnectReason::Lost)] {
                let mut snapshot = fixture::ended(kind);
                if let Some(outcome) = &mut snapshot.outcome {
                    outcome.name.clone_from(&name);
                }
                let desk = Desk::sized(snapshot, size.into());
                let harness = desk.harness.borrow();
                let window = harness.ctx.content_rect();
                let again = if kind == OutcomeKind::Missed { "Call back" } else { "Call again" };
                for label in ["Close", again] {
                    let place = harness.get_by_label(label).rect();
                    assert!(window.contains_rect(place), "{name} {size:?}: {label} at {place:?} of {window:?}");
                }
                for words in harness.query_all_by_label_contains(name.trim()) {
                    let place = words.rect();
                    let list = place.left() < 300.0 && place.width() < 300.0;
                    assert!(
                        list || window.expand(0.5).contains_rect(place),
                        "{name} {size:?}: {place:?} of {window:?}"
                    );
                }
            }
        }
    }
}

/// No file of the window but the catalogue holds a text for people: a literal with a space between letters, or one that
/// begins with a capital letter.
#[test]
fn only_the_catalogue_holds_texts_for_people() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/ui");
    // The window's title (the product's name) and the names of keys on a keyboard.
    let allowed = [
        "Visavis",
        "Ctrl",
        "Shift",
        "Enter",
        "Space",
        "Esc",
        "Ctrl+I",
        "Ctrl+Enter",
        "Ctrl+Shift+A",
        "Ctrl+Shift+D",
        "A",
        "D",
        "F",
        "I",
        "K",
        "M",
        "P",
        "V",
        // Variables of the environment.
        "WAYLAND_DISPLAY",
        "WAYLAND_SOCKET",
    ];
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|ending| ending != "rs") || path.ends_with("tile.rs") {
            continue;
        }
        let source = std::fs::read_to_string(&path).unwrap();
        let source = source.split("#[cfg(test)]").next().unwrap();
        for line in source.lines().map(str::trim) {
            let skip = ["//", "tracing::", "#[", "formatter"];
            if skip.iter().any(|start| line.starts_with(start))
                || line.contains("debug_struct")
                || line.contains("env!")
            {
                continue;
            }
            for literal in line.split('"').skip(1).step_by(2).filter(|literal| !allowed.contains(literal)) {
                let words = literal.split(' ').filter(|word| word.len() > 1 && word.chars().all(char::is_alphabetic));
                let is_id = !literal.contains(' ') || line.contains("id_salt") || line.contains(".with(\"");
                let capital = literal.starts_with(|first: char| first.is_uppercase() && first.is_alphabetic());
                assert!(!capital && (is_id || words.count() < 2), "{}: {line}", path.display());
            }
        }
    }
}

#[test]
fn every_text_has_its_glyphs() {
    let snapshot = fixture::idle();
    let desk = Desk::new(snapshot);
    let harness = desk.harness.borrow();
    for language in [Language::English, Language::SimplifiedChinese] {
        for &key in Text::ALL {
            // An invitation has lines; it is copied, not drawn.
            let text = Words::of(language, "").get(key).replace('\n', "");
            let font = egui::FontId::proportional(14.0);
            let whole = harness.ctx.fonts_mut(|fonts| fonts.has_glyphs(&font, &text));
            assert!(whole, "{key:?}: {text}");
        }
    }
}
