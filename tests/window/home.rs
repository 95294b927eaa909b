//! The people, the history, and whom one calls.

use super::*;

#[test]
fn home_shows_echo_contacts_and_strangers() {
    let desk = Desk::new(fixture::idle());
    for name in ["Echo test", "Ana Lindqvist, Online", "王小明", "Tomás Herrera, Blocked", "On this network", "李娜"]
    {
        assert!(desk.shows(name), "{name}");
    }
}

#[test]
fn search_filters_the_people() {
    let desk = Desk::new(fixture::idle());
    desk.harness.borrow().get_by_label("Search people").focus();
    desk.settle();
    desk.harness.borrow().get_by_label("Search people").type_text("lind");
    desk.settle();
    assert!(desk.shows("Ana Lindqvist, Online"));
    assert!(!desk.shows("Grandma, Online"));
}

#[test]
fn ones_own_picture_is_chosen_taken_and_removed_from_its_menu() {
    let desk = Desk::new(fixture::idle());
    desk.press("Your picture");
    assert!(!desk.shows("Remove the picture"), "there is none");
    desk.press("Take the camera's picture");
    assert_eq!(desk.sent(), [Command::TakeProfilePicture]);
    desk.press("Your picture");
    desk.press("Choose a picture…");
    assert!(desk.shows("Choose a picture"));
    desk.press("Back");
    let mut snapshot = fixture::idle();
    snapshot.me.picture = fixture::face();
    snapshot.people[1].picture = fixture::face();
    let desk = Desk::new(snapshot);
    desk.press("Your picture");
    desk.press("Remove the picture");
    assert_eq!(desk.sent(), [Command::RemoveProfilePicture]);
}

/// Ana selected, with the focus in the note, which was just typed.
fn with_a_note_to_ana(note: &str) -> Desk<'static> {
    let desk = Desk::new(fixture::idle());
    desk.harness.borrow().get_by_label_contains("Ana Lindqvist, Online").click();
    desk.settle();
    desk.harness.borrow().get_by_label("Note").focus();
    desk.settle();
    desk.harness.borrow().get_by_label("Note").type_text(note);
    desk
}

#[test]
fn calling_invites_the_selected_person_with_the_note() {
    let desk = with_a_note_to_ana("hello");
    desk.settle();
    desk.press("Call with video");
    let note = "hello".to_owned();
    let invite = Command::Invite { to: peer(1), user_data: note, audio: true, video: high() };
    assert_eq!(desk.sent(), [invite]);
    desk.press("Call with audio");
    let invite = Command::Invite { to: peer(1), user_data: String::new(), audio: true, video: VideoChoice::Off };
    assert_eq!(desk.sent(), [invite]);
}

#[test]
fn a_newcomer_can_call_echo_at_once() {
    let desk = Desk::new(Snapshot { people: vec![fixture::echo()], ..fixture::idle() });
    desk.press("Try the echo test");
    let invite = Command::Invite { to: peer(0), user_data: String::new(), audio: true, video: high() };
    assert_eq!(desk.sent(), [invite]);
}

#[test]
fn a_contact_is_renamed_blocked_and_removed_from_its_menu() {
    let desk = Desk::new(fixture::idle());
    desk.choose("Ana Lindqvist, Online");
    desk.press("More for Ana Lindqvist");
    desk.press("Block");
    desk.press("More for Ana Lindqvist");
    desk.press("Remove…");
    assert!(desk.shows("Remove Ana Lindqvist?"));
    desk.press("Remove");
    desk.press("More for Ana Lindqvist");
    desk.press("Rename…");
    desk.harness.borrow().get_by_label("Name shown for this contact").type_text("!");
    desk.settle();
    desk.press("Save");
    assert_eq!(
        desk.sent(),
        [
            Command::BlockContact { id: peer(1), on: true },
            Command::RemoveContact { id: peer(1) },
            Command::RenameContact { id: peer(1), name: "Ana Lindqvist!".into() },
        ]
    );
}

#[test]
fn ones_own_name_is_edited_in_place() {
    let desk = Desk::new(fixture::idle());
    desk.harness.borrow().get_by_label("Your name").focus();
    desk.settle();
    desk.harness.borrow().get_by_label("Your name").type_text("2");
    desk.key(Modifiers::NONE, Key::Enter);
    let settings = Settings { display_name: "Björn2".into(), ..fixture::idle().settings };
    assert_eq!(desk.sent(), [Command::UpdateSettings { settings: (&settings).into() }]);
}

#[test]
fn the_history_redials() {
    let desk = Desk::new(fixture::idle());
    desk.press("Calls");
    assert!(desk.shows("Grandma, Incoming"));
    desk.press("Call Grandma back with video");
    desk.press("Call Grandma back with audio");
    let invite = |video| Command::Invite { to: peer(3), user_data: String::new(), audio: true, video };
    assert_eq!(desk.sent(), [invite(high()), invite(VideoChoice::Off)]);
}

#[test]
fn a_contact_is_added_from_a_pasted_link() {
    let desk = Desk::new(fixture::idle());
    desk.press("Add contact");
    let link = format!("visavis:{}", peer(20));
    desk.harness.borrow().get_by_label("Link or ID").type_text(&link);
    desk.settle();
    desk.press("Add");
    assert_eq!(desk.sent(), [Command::AddContact { link }]);
    assert!(!desk.shows("Link or ID"));
}

#[test]
fn a_wrong_link_is_explained_and_stays_in_the_dialog() {
    let desk = Desk::new(fixture::idle());
    desk.press("Add contact");
    for (text, why) in [("visavis:abc", "No Visavis ID was found"), (&peer(9).to_string(), "That is your own link.")] {
        desk.harness.borrow().get_by_label("Link or ID").focus();
        desk.settle();
        desk.harness.borrow().get_by_label("Link or ID").type_text(text);
        desk.settle();
        desk.press("Add");
        let kept = desk.harness.borrow().get_by_label("Link or ID").value();
        assert!(desk.shows(why), "{text}: {kept:?}");
        assert!(kept.is_some_and(|kept| kept.contains(text)));
        desk.key(Modifiers::COMMAND, Key::A);
    }
    assert_eq!(desk.sent(), []);
}

#[test]
fn a_blocked_stranger_can_be_unblocked() {
    let mut snapshot = fixture::idle();
    let blocked = Person { kind: PersonKind::Blocked, online: false, route: None, blocked: true, ..fixture::echo() };
    snapshot.people = vec![fixture::echo(), Person { id: peer(21), name: "Nobody".into(), ..blocked }];
    let desk = Desk::new(snapshot);
    desk.harness.borrow().get_by_label_contains("Nobody, Blocked").click();
    desk.settle();
    desk.press("Unblock");
    assert_eq!(desk.sent(), [Command::BlockContact { id: peer(21), on: false }]);
}

#[test]
fn whoever_needs_another_version_is_shown_as_such_and_a_call_says_it_in_a_sentence() {
    for (skew, row, sentence) in [
        (
            VersionSkew::FarIsOlder,
            "Ann, Needs a newer Visavis",
            "Ann needs a newer Visavis before you can call each other.",
        ),
        (VersionSkew::OwnIsOlder, "Ann, You need a newer Visavis", "You need a newer Visavis to call Ann."),
    ] {
        let mut snapshot = fixture::idle();
        let (name, needs_newer) = ("Ann".to_owned(), Some(skew));
        let kind = PersonKind::Contact;
        let person = Person { id: peer(21), name, kind, online: false, route: None, needs_newer, ..fixture::echo() };
        snapshot.people = vec![fixture::echo(), person];
        let kind = NoticeKind::NeedsNewer { peer: peer(22), name: "Bob".into(), skew };
        snapshot.notices = vec![Notice { number: 1, kind }];
        let desk = Desk::new(snapshot);
        assert!(desk.shows(&sentence.replace("Ann", "Bob")), "the answer to a call that was tried");
        desk.harness.borrow().get_by_label_contains(row).click();
        desk.settle();
        assert!(desk.shows(sentence));
    }
}

#[test]
fn a_person_stays_selected_when_they_are_clicked_twice() {
    let desk = Desk::new(fixture::idle());
    for _ in 0..2 {
        desk.harness.borrow().get_by_label_contains("Ana Lindqvist, Online").click_accesskit();
        desk.settle();
    }
    assert!(desk.shows("Call with video"));
}

#[test]
fn somebody_who_is_only_in_the_history_has_a_card() {
    let desk = Desk::new(Snapshot { people: vec![fixture::echo()], ..fixture::idle() });
    desk.press("Calls");
    desk.harness.borrow().get_by_label_contains("Grandma, Incoming").click();
    desk.settle();
    desk.press("Call with audio");
    assert!(matches!(desk.sent().as_slice(), [Command::Invite { to, .. }] if *to == peer(3)));
}

#[test]
fn enter_in_the_note_calls_with_video() {
    let desk = with_a_note_to_ana("hello");
    desk.key(Modifiers::NONE, Key::Enter);
    let invite = Command::Invite { to: peer(1), user_data: "hello".into(), audio: true, video: high() };
    assert_eq!(desk.sent(), [invite]);
}

#[test]
fn people_can_be_called_in_the_smallest_window() {
    let desk = Desk::sized(fixture::idle(), Vec2::new(360.0, 300.0));
    assert!(!desk.shows("Search people"));
    desk.press("Show people and calls");
    desk.choose("Echo test");
    assert!(!desk.shows("Search people"));
    desk.press("Call with audio");
    let echo = fixture::people().into_iter().find(|person| person.kind == PersonKind::Echo).map(|person| person.id);
    assert!(matches!(desk.sent().as_slice(), [Command::Invite { to, .. }] if Some(*to) == echo));
}

/// `idle` with Ana verified.
fn ana_verified(mut snapshot: Snapshot) -> Snapshot {
    snapshot.people.iter_mut().filter(|person| person.id == peer(1)).for_each(|ana| ana.verified = true);
    snapshot
}

#[test]
fn a_contact_is_verified_by_comparing_the_safety_number() {
    let desk = Desk::new(fixture::idle());
    assert!(!desk.shows("Verified"));
    desk.point_at(Some("Ana Lindqvist, Online"));
    desk.press("More for Ana Lindqvist");
    desk.press("Safety number…");
    let number = safety_number(peer(9), peer(1));
    let groups: Vec<&str> = number.split(' ').collect();
    for line in groups.chunks(2) {
        assert!(desk.shows(&line.join("  ")), "{number}");
    }
    assert!(desk.shows("Code to be scanned by Ana Lindqvist") && desk.shows("You have not compared"));
    desk.press("Mark as verified");
    assert_eq!(desk.sent(), [Command::VerifyContact { id: peer(1), on: true }]);
    desk.controller.put(ana_verified(fixture::idle()));
    desk.settle();
    assert!(
        desk.shows("You have verified Ana Lindqvist.") && desk.shows("Ana Lindqvist, Online · this network, Verified")
    );
    desk.press("Remove the mark");
    assert_eq!(desk.sent(), [Command::VerifyContact { id: peer(1), on: false }]);
    desk.press("Close");
    assert!(!desk.shows("Remove the mark"));
}

#[test]
fn only_contacts_have_a_safety_number() {
    let desk = Desk::new(fixture::idle());
    desk.choose("Kitchen tablet");
    desk.press("More for Kitchen tablet");
    assert!(desk.shows("Add to contacts") && !desk.shows("Safety number"));
}

/// A camera's picture of a screen that shows a code of so many modules on a side.
fn photographed((side, dark): (usize, Vec<bool>)) -> Arc<VideoFrame> {
    let mut frame = VideoFrame::black(1280, 720);
    let (luma, ..) = frame.planes_mut();
    for (index, value) in luma.iter_mut().enumerate() {
        let module = |at: usize, from: usize| at.checked_sub(from).map(|at| at / 8).filter(|module| *module < side);
        let at = (module(index % 1280, 400), module(index / 1280, 150));
        *value = if matches!(at, (Some(x), Some(y)) if dark[y * side + x]) { 40 } else { 200 };
    }
    Arc::new(frame)
}

/// Draws until the window shows a text.
fn wait_until_shown(desk: &Desk<'_>, text: &str) {
    let end = std::time::Instant::now() + std::time::Duration::from_secs(60);
    while !desk.shows(text) {
        assert!(std::time::Instant::now() < end, "{text} is not shown");
        desk.settle();
    }
}

#[test]
fn the_camera_that_is_on_reads_the_code_of_this_contact_and_of_no_other() {
    let snapshot = fixture::idle();
    let preview = Arc::clone(&snapshot.local_stream.preview);
    let desk = Desk::new(snapshot);
    desk.choose("Ana Lindqvist, Online");
    desk.press("More for Ana Lindqvist");
    desk.press("Safety number…");
    desk.press("Scan their code");
    assert!(desk.shows("Hold the code on the screen of Ana Lindqvist"));
    let (me, ana, other) = (peer(9), peer(1), peer(2));
    preview.put(photographed(qr::modules(&safety_code(me, ana)).unwrap()));
    wait_until_shown(&desk, "This is your own code.");
    preview.put(photographed(qr::modules(&safety_code(other, me)).unwrap()));
    wait_until_shown(&desk, "This code does not match.");
    assert!(desk.sent().is_empty(), "neither marks her");
    preview.put(photographed(qr::modules(&safety_code(ana, me)).unwrap()));
    wait_until_shown(&desk, "Code to be scanned by Ana Lindqvist");
    assert_eq!(desk.sent(), [Command::VerifyContact { id: ana, on: true }]);
    desk.controller.put(Snapshot { local_stream: fixture::local_stream(), ..ana_verified(fixture::idle()) });
    desk.settle();
    assert!(desk.shows("The code matches."));
}

#[test]
fn do_not_disturb_is_told_beside_ones_name_and_ended_by_a_press() {
    let mut quiet = Snapshot { do_not_disturb: true, ..fixture::idle() };
    quiet.settings.do_not_disturb = true;
    for size in [Vec2::new(1100.0, 720.0), Vec2::new(360.0, 300.0)] {
        let desk = Desk::sized(quiet.clone(), size);
        assert!(!desk.shows("Your ID "));
        desk.press("Do not disturb, Turn off");
        assert_eq!(desk.sent(), [Command::UpdateSettings { settings: (&fixture::idle().settings).into() }]);
        desk.controller.put(fixture::idle());
        desk.settle();
        assert!(desk.shows("Your ID ") && !desk.shows("Do not disturb"));
    }
}

#[test]
fn quiet_hours_are_told_with_their_end_and_lead_to_the_settings() {
    let mut quiet = Snapshot { do_not_disturb: true, ..fixture::idle() };
    quiet.settings.quiet_hours = true;
    let desk = Desk::new(quiet.clone());
    desk.press("Do not disturb until 07:00, Open settings");
    assert!(desk.shows("Frame rate at most"));
    let hours = desk.harness.borrow().get_by_label("Do not disturb every day").rect();
    assert!(hours.top() > 0.0 && hours.bottom() < 720.0, "scrolled to: {hours:?}");
    quiet.do_not_disturb = false;
    assert!(!Desk::new(quiet.clone()).shows("until 07:00"), "by day");
    (quiet.do_not_disturb, quiet.settings.do_not_disturb) = (true, true);
    assert!(Desk::new(quiet).shows("Do not disturb, Turn off"), "the switch outlasts the hours");
}

#[test]
fn the_camera_that_is_gone_while_a_code_is_scanned_leads_to_the_settings() {
    let desk = Desk::new(fixture::idle());
    desk.press("Add contact");
    desk.press("Scan a code");
    assert!(desk.shows("Hold the QR code"));
    let mut gone = camera_off(fixture::idle());
    gone.local_stream.camera_fault = Some(DeviceFault::Unplugged);
    desk.controller.put(gone);
    desk.settle();
    {
        // Home beneath the dialog has the same button, farther to the right.
        let harness = desk.harness.borrow();
        let buttons = harness.query_all_by_label("Open settings");
        let of_dialog = buttons.min_by(|one, other| one.rect().center().x.total_cmp(&other.rect().center().x));
        of_dialog.expect("a way on").click_accesskit();
    }
    desk.settle();
    assert!(desk.shows("Frame rate at most") && !desk.shows("Hold the QR code"));
}
