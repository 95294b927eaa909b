//! The controls and the pictures of a call.

use super::*;

#[test]
fn the_keys_of_a_call_mute_hide_and_hang_up() {
    let desk = Desk::new(fixture::call(vec![fixture::participant(1, "Ana Lindqvist", true)]));
    desk.key(Modifiers::NONE, Key::M);
    desk.key(Modifiers::NONE, Key::V);
    desk.key(Modifiers::COMMAND, Key::Enter);
    assert_eq!(
        desk.sent(),
        [
            Command::EnableAudio { on: false, participant: None },
            Command::EnableVideo { on: false, participant: None },
            Command::Leave
        ]
    );
    assert!(!desk.shows("Round trip"));
    desk.key(Modifiers::COMMAND, Key::I);
    assert!(desk.shows("Round trip"));
}

#[test]
fn a_key_that_is_held_acts_once() {
    let desk = Desk::new(fixture::call(vec![fixture::participant(1, "Ana Lindqvist", true)]));
    for key in [Key::M, Key::V] {
        for _ in 0..5 {
            desk.harness.borrow().key_down(key);
            desk.harness.borrow_mut().step();
        }
        desk.harness.borrow().key_up(key);
        desk.settle();
    }
    assert_eq!(
        desk.sent(),
        [Command::EnableAudio { on: false, participant: None }, Command::EnableVideo { on: false, participant: None }]
    );
}

#[test]
fn devices_at_fault_are_muted_as_they_would_be_and_marked() {
    let mut snapshot = fixture::call(vec![fixture::participant(1, "Ana Lindqvist", true)]);
    let stream = &mut snapshot.local_stream;
    (stream.audio, stream.video) = (false, false);
    (stream.camera_fault, stream.microphone_fault) = (Some(DeviceFault::Unplugged), Some(DeviceFault::Busy));
    let desk = Desk::new(snapshot);
    assert!(desk.shows("The camera was unplugged."));
    assert!(desk.shows("The microphone is used by another program."));
    desk.press("Mute the microphone");
    desk.key(Modifiers::NONE, Key::V);
    assert_eq!(
        desk.sent(),
        [Command::EnableAudio { on: false, participant: None }, Command::EnableVideo { on: false, participant: None }]
    );
}

#[test]
fn the_controls_of_a_call_do_what_they_say() {
    let mut who = fixture::participant(1, "Ana Lindqvist", true);
    who.audio = false;
    let desk = Desk::new(fixture::call(vec![who]));
    assert!(desk.shows("Ana Lindqvist, Call time 1:02:05"));
    assert!(desk.shows("Ana Lindqvist is muted"));
    for name in ["Mute the microphone", "Mute Ana Lindqvist for me", "Hide Ana Lindqvist’s picture", "Hang up"] {
        desk.press(name);
    }
    assert_eq!(
        desk.sent(),
        [
            Command::EnableAudio { on: false, participant: None },
            Command::EnableAudio { on: false, participant: Some(peer(1)) },
            Command::EnableVideo { on: false, participant: Some(peer(1)) },
            Command::Leave
        ]
    );
}

#[test]
fn a_picture_that_stands_still_says_why_and_the_call_can_be_ended() {
    let mut who = fixture::participant(1, "Ana Lindqvist", true);
    let desk = Desk::new(fixture::call(vec![who.clone()]));
    assert!(!desk.shows("Reconnecting…"));
    who.reconnecting = true;
    for on in [true, false] {
        who.pictures[0].on = on;
        let desk = Desk::new(fixture::call(vec![who.clone()]));
        assert!(desk.shows("Reconnecting…"));
        desk.press("Hang up");
        assert_eq!(desk.sent(), [Command::Leave]);
    }
}

#[test]
fn a_touch_on_faded_controls_only_wakes_them() {
    let desk = Desk::new(fixture::call(vec![fixture::participant(1, "Ana Lindqvist", true)]));
    desk.harness.borrow_mut().run_steps(20);
    let hang_up = desk.harness.borrow().get_by_label("Hang up").rect().center();
    let tap = || [true, false].map(|down| desk.at_once(touch(hang_up, down)));
    tap();
    desk.settle();
    assert_eq!(desk.sent(), []);
    tap();
    assert_eq!(desk.sent(), [Command::Leave]);
}

#[test]
fn a_touch_on_a_faded_arrow_opens_no_menu() {
    let desk = Desk::new(fixture::call(vec![fixture::participant(1, "Ana Lindqvist", true)]));
    desk.harness.borrow_mut().run_steps(20);
    let arrow = desk.harness.borrow().get_by_label("Choose a camera").rect().center();
    let tap = || [true, false].map(|down| desk.at_once(touch(arrow, down)));
    tap();
    desk.settle();
    assert!(desk.sent().is_empty() && !desk.shows("Audio and video settings…"));
    tap();
    desk.settle();
    assert_eq!(desk.sent(), [Command::RefreshDevices]);
    assert!(desk.shows("Audio and video settings…"));
}

#[test]
fn pressing_the_small_picture_swaps_it_with_the_large_one() {
    let desk = Desk::new(fixture::call(vec![fixture::participant(1, "Ana Lindqvist", true)]));
    desk.press("Your picture: click to swap, drag to move");
    assert!(desk.shows("Ana Lindqvist: click to swap back"));
}

/// Outlines around a place that lie wholly outside of it, with their colours.
fn outlines_around(desk: &Desk<'_>, place: egui::Rect) -> Vec<egui::Color32> {
    let outline = |shape: &egui::epaint::ClippedShape| match &shape.shape {
        egui::Shape::Rect(rect) if rect.stroke.width > 1.0 => Some((rect.rect, rect.stroke.color)),
        _ => None,
    };
    let harness = desk.harness.borrow();
    let around = |(rect, _): &(egui::Rect, egui::Color32)| {
        rect.contains_rect(place.expand(2.0)) && place.expand(8.0).contains_rect(*rect)
    };
    harness.output().shapes.iter().filter_map(outline).filter(around).map(|(_, color)| color).collect()
}

#[test]
fn the_focus_on_the_small_picture_is_no_speakers_outline() {
    let snapshot = fixture::call(vec![fixture::participant(1, "Ana Lindqvist", true)]);
    let mine = Arc::clone(&snapshot.local_stream.level);
    let desk = Desk::new(snapshot);
    (0..3).for_each(|_| mine.record(&[0.3; FRAME_SAMPLES]));
    desk.settle();
    let name = "Your picture: click to swap, drag to move";
    let place = desk.harness.borrow().get_by_label(name).rect();
    assert!(desk.shows("You are speaking") && outlines_around(&desk, place).is_empty());
    desk.harness.borrow().get_by_label(name).focus();
    desk.settle();
    assert_eq!(outlines_around(&desk, place), [egui::Color32::from_black_alpha(200), egui::Color32::WHITE]);
}

#[test]
fn how_the_connection_is_stands_on_the_tile_in_words() {
    let mut who = fixture::participant(1, "Ana Lindqvist", true);
    for (quality, words) in [
        (Quality::Good, "Good connection"),
        (Quality::Unstable, "Unstable: sound first"),
        (Quality::Poor, "Poor connection"),
    ] {
        who.quality = quality;
        let desk = Desk::new(fixture::call(vec![who.clone()]));
        assert!(desk.shows(words), "{words}");
    }
    who.quality = Quality::Measuring;
    assert!(!Desk::new(fixture::call(vec![who])).shows("connection"));
}

#[test]
fn the_report_of_a_call_tells_the_figures_and_nobodys_name_id_or_address() {
    let mut snapshot = fixture::call(vec![fixture::participant(1, "Ana Lindqvist", true)]);
    snapshot.settings.display_name = "Björn".into();
    let desk = Desk::new(snapshot.clone());
    desk.key(Modifiers::COMMAND, Key::I);
    assert!(desk.shows("Asked 1500") && desk.shows("Frozen 0"), "the legend of the curves");
    desk.harness.borrow().get_by_label("Copy report").click();
    desk.harness.borrow_mut().run_steps(1);
    let copied = || {
        desk.harness.borrow().output().platform_output.commands.iter().find_map(|command| match command {
            egui::OutputCommand::CopyText(text) => Some(text.clone()),
            _ => None,
        })
    };
    let text = (0..5)
        .find_map(|_| {
            let text = copied();
            desk.harness.borrow_mut().run_steps(1);
            text
        })
        .expect("a text is copied");
    for told in ["Call time 1:02:05", "Person 1: Good connection", "1280 × 720", "1500 1440", "Visavis "] {
        assert!(text.contains(told), "{told}: {text}");
    }
    let CallView::Conversation(call) = &snapshot.call else { panic!("a call") };
    let secret = [
        "Ana".to_owned(),
        "Björn".to_owned(),
        snapshot.me.id.to_string(),
        snapshot.me.link.clone(),
        peer(1).to_string(),
        call.conversation.to_string(),
        snapshot.local_stream.camera.clone(),
        snapshot.local_stream.microphone.clone(),
    ];
    for secret in secret {
        assert!(!text.contains(&secret), "{secret}: {text}");
    }
    // Nothing that looks like an address (four numbers joined by dots, or hexadecimal groups) or like a key.
    let words = || text.split(|letter: char| letter.is_whitespace() || letter == ',');
    assert!(words().all(|word| word.parse::<std::net::IpAddr>().is_err()));
    assert!(words().all(|word| word.chars().filter(char::is_ascii_alphanumeric).count() < 20));
    assert!(desk.shows("Copied"));
}

#[test]
fn who_speaks_is_shown_and_who_is_muted_is_told() {
    let ana = fixture::participant(1, "Ana Lindqvist", true);
    let (hers, mut snapshot) = (Arc::clone(&ana.level), fixture::call(vec![ana]));
    let mine = Arc::clone(&snapshot.local_stream.level);
    let desk = Desk::new(snapshot.clone());
    let speak = |level: &LevelMeter| (0..3).for_each(|_| level.record(&[0.3; FRAME_SAMPLES]));
    assert!(!desk.shows("is speaking") && !desk.shows("You are speaking"));
    speak(&hers);
    desk.settle();
    assert!(desk.shows("Ana Lindqvist is speaking") && !desk.shows("You are speaking"));
    hers.reset();
    speak(&mine);
    desk.settle();
    assert!(!desk.shows("Ana Lindqvist is speaking") && desk.shows("You are speaking"));
    (snapshot.local_stream.sends_audio, snapshot.local_stream.spoke_muted) = (false, true);
    desk.controller.put(snapshot);
    desk.settle();
    assert!(!desk.shows("You are speaking") && desk.shows("You are muted. Hold Space to talk."));
}

#[test]
fn the_safety_number_of_a_contact_is_compared_in_the_call_beside_hang_up() {
    let verified = |on: bool| {
        let mut call = fixture::call(vec![fixture::participant(1, "Ana Lindqvist", true)]);
        call.people.iter_mut().filter(|person| person.id == peer(1)).for_each(|ana| ana.verified = on);
        call
    };
    let desk = Desk::new(verified(false));
    desk.press("Safety number of Ana Lindqvist");
    let number = safety_number(peer(9), peer(1));
    let groups: Vec<&str> = number.split(' ').collect();
    assert_eq!(groups.len(), 12);
    assert!(groups.chunks(4).all(|line| desk.shows(&line.join("  "))), "{number}");
    desk.press("Mark as verified");
    assert_eq!(desk.sent(), [Command::VerifyContact { id: peer(1), on: true }]);
    assert!(!desk.shows("Ana Lindqvist, Verified"));
    desk.controller.put(verified(true));
    desk.settle();
    assert!(desk.shows("Ana Lindqvist, Verified"));
    desk.press("Hang up");
    assert_eq!(desk.sent(), [Command::Leave]);
    desk.press("Close");
    assert!(!desk.shows(&groups[..4].join("  ")));
}

#[test]
fn a_stranger_in_a_call_has_no_safety_number() {
    let desk = Desk::new(fixture::call(vec![fixture::participant(6, "Kitchen tablet", true)]));
    assert!(!desk.shows("Safety number"));
}

#[test]
fn a_shared_screen_has_a_tile_of_its_own_beside_the_camera_until_it_ends() {
    let ana = || fixture::participant(1, "Ana Lindqvist", true);
    let desk = Desk::new(fixture::call(vec![fixture::with_screen(ana())]));
    assert!(desk.shows("Ana Lindqvist’s screen"));
    let mut ended = fixture::with_screen(ana());
    ended.pictures[1].on = false;
    assert!(!Desk::new(fixture::call(vec![ended])).shows("Ana Lindqvist’s screen"));
    let mut hidden = fixture::with_screen(ana());
    hidden.hidden_here = true;
    let desk = Desk::new(fixture::call(vec![hidden]));
    assert!(!desk.shows("Ana Lindqvist’s screen") && desk.shows("You do not see Ana Lindqvist"));
    assert!(!Desk::new(fixture::call(vec![ana()])).shows("Ana Lindqvist’s screen"));
}
