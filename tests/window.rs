//! The window as a person uses it: found by names and keys, without a display.

mod window_fixture;

use std::cell::RefCell;

use eframe::egui::{
    self, Key, Modifiers, Vec2,
    accesskit::{Action, Role},
};
use egui_kittest::kittest::{By, NodeT, Queryable};
use egui_kittest::{Harness, Node};
use visavis::call::{DeviceKind, DisconnectReason};
use visavis::controller::{
    CallView, Command, ConversationStatus, DeviceFault, Notice, NoticeKind, OutcomeKind, Person, PersonKind, Snapshot,
    StoreFault, VideoChoice,
};
use visavis::media::Preset;
use visavis::store::{Language, Settings};
use visavis::ui::{Now, Text, Window, WindowOptions, Words};
use window_fixture::{self as made_up, Controller, peer};

const NOW: Now = Now { media: made_up::LOOKED_AT, unix_s: 1_790_000_000 };

struct Desk<'a> {
    harness: RefCell<Harness<'a, Window>>,
    controller: Controller,
}

impl Desk<'_> {
    fn new(snapshot: Snapshot) -> Self {
        Self::sized(snapshot, Vec2::new(1100.0, 720.0))
    }

    fn sized(snapshot: Snapshot, size: Vec2) -> Self {
        Self::open(snapshot, size, false)
    }

    /// A window that opens the camera to see oneself, as it does for everybody.
    fn with_preview(snapshot: Snapshot) -> Self {
        Self::open(snapshot, Vec2::new(1100.0, 720.0), true)
    }

    fn open(snapshot: Snapshot, size: Vec2, preview: bool) -> Self {
        let (handle, controller) = made_up::handle(snapshot);
        let options = WindowOptions { preview, locale: String::new() };
        let harness = Harness::builder()
            .with_size(size)
            .with_max_steps(20)
            .with_context_setup(Window::install)
            .build_ui_state(|ui, window: &mut Window| window.show(ui, NOW), Window::new(handle, options));
        let desk = Self { harness: RefCell::new(harness), controller };
        desk.settle();
        desk
    }

    fn settle(&self) {
        self.harness.borrow_mut().run_steps(4);
    }

    fn press(&self, name: &str) {
        self.harness.borrow().get_by_label(name).click();
        self.settle();
    }

    fn key(&self, modifiers: Modifiers, key: Key) {
        self.harness.borrow().key_press_modifiers(modifiers, key);
        self.settle();
    }

    /// Draws one frame with all of these events.
    fn at_once(&self, events: Vec<egui::Event>) {
        self.harness.borrow_mut().input_mut().events.extend(events);
        self.harness.borrow_mut().step();
    }

    fn shows(&self, name: &str) -> bool {
        self.harness.borrow().query_all_by_label_contains(name).next().is_some()
    }

    fn sent(&self) -> Vec<Command> {
        self.controller.sent()
    }
}

/// A finger that comes down on a point, or leaves it.
fn touch(pos: egui::Pos2, pressed: bool) -> Vec<egui::Event> {
    let (button, modifiers) = (egui::PointerButton::Primary, Modifiers::NONE);
    vec![egui::Event::PointerMoved(pos), egui::Event::PointerButton { pos, button, pressed, modifiers }]
}

fn high() -> VideoChoice {
    VideoChoice::On(Preset::HighWide)
}

#[test]
fn home_shows_echo_contacts_and_strangers() {
    let desk = Desk::new(made_up::idle());
    for name in ["Echo test", "Ana Lindqvist, Online", "王小明", "Tomás Herrera, Blocked", "On this network", "李娜"]
    {
        assert!(desk.shows(name), "{name}");
    }
}

#[test]
fn search_filters_the_people() {
    let desk = Desk::new(made_up::idle());
    desk.harness.borrow().get_by_label("Search people").focus();
    desk.settle();
    desk.harness.borrow().get_by_label("Search people").type_text("lind");
    desk.settle();
    assert!(desk.shows("Ana Lindqvist, Online"));
    assert!(!desk.shows("Grandma, Online"));
}

#[test]
fn calling_invites_the_selected_person_with_the_note() {
    let desk = Desk::new(made_up::idle());
    desk.harness.borrow().get_by_label_contains("Ana Lindqvist, Online").click();
    desk.settle();
    desk.harness.borrow().get_by_label("Note").focus();
    desk.settle();
    desk.harness.borrow().get_by_label("Note").type_text("hello");
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
    let desk = Desk::new(Snapshot { people: vec![made_up::echo()], ..made_up::idle() });
    desk.press("Try the echo test");
    let invite = Command::Invite { to: peer(0), user_data: String::new(), audio: true, video: high() };
    assert_eq!(desk.sent(), [invite]);
}

/// What opens the camera to see oneself.
fn preview() -> Command {
    Command::CreateStream { audio: false, video: high(), max_fps: None, max_kbps: None }
}

/// A closed camera.
fn camera_off(mut snapshot: Snapshot) -> Snapshot {
    snapshot.local_stream.video = false;
    snapshot
}

#[test]
fn the_preview_opens_with_the_window_and_only_once() {
    let desk = Desk::with_preview(made_up::idle());
    assert_eq!(desk.sent(), [preview()]);
    desk.settle();
    assert_eq!(desk.sent(), []);
}

#[test]
fn until_the_camera_is_open_it_is_said_to_be_starting() {
    let desk = Desk::with_preview(camera_off(made_up::idle()));
    assert!(desk.shows("Your camera is starting…"));
    desk.controller.put(made_up::idle());
    desk.settle();
    desk.press("Turn off the camera");
    desk.controller.put(camera_off(made_up::idle()));
    desk.settle();
    assert!(desk.shows("Your camera is off"));
}

#[test]
fn a_camera_that_was_turned_off_stays_off_when_somebody_rings_in_vain() {
    let desk = Desk::with_preview(made_up::idle());
    desk.press("Turn off the camera");
    assert_eq!(desk.sent(), [preview(), Command::CloseStream]);
    desk.controller.put(camera_off(made_up::incoming(true, true)));
    desk.settle();
    desk.controller.put(camera_off(made_up::ended(OutcomeKind::Missed)));
    desk.settle();
    assert_eq!(desk.sent(), []);
}

#[test]
fn the_preview_opens_again_after_a_call_with_video() {
    let desk = Desk::with_preview(made_up::idle());
    desk.controller.put(made_up::call(vec![made_up::participant(1, "Ana Lindqvist", true)]));
    desk.settle();
    assert_eq!(desk.sent(), [preview()]);
    desk.controller.put(made_up::idle());
    desk.settle();
    assert_eq!(desk.sent(), [preview()]);
}

#[test]
fn a_camera_that_was_off_in_a_call_stays_off_after_it() {
    let desk = Desk::with_preview(made_up::idle());
    let mut call = made_up::call(vec![made_up::participant(1, "Ana Lindqvist", true)]);
    call.local_stream.sends_video = false;
    desk.controller.put(call);
    desk.settle();
    desk.controller.put(camera_off(made_up::idle()));
    desk.settle();
    assert_eq!(desk.sent(), [preview()]);
    assert!(desk.shows("Your camera is off"));
}

#[test]
fn the_preview_opens_again_after_a_call_that_was_over_between_two_drawings() {
    let desk = Desk::with_preview(made_up::idle());
    desk.press("Try the echo test");
    assert!(matches!(desk.sent().as_slice(), [Command::CreateStream { .. }, Command::Invite { .. }]));
    desk.controller.put(made_up::ended(OutcomeKind::Busy));
    desk.settle();
    assert_eq!(desk.sent(), [preview()]);
}

#[test]
fn the_meter_lives_on_when_a_call_ends_under_the_settings() {
    let desk = Desk::new(made_up::call(vec![made_up::participant(1, "Ana Lindqvist", true)]));
    desk.press("Settings");
    desk.sent();
    desk.controller.put(made_up::idle());
    desk.settle();
    assert_eq!(desk.sent(), [Command::WatchMicrophone { on: true }]);
    desk.harness.borrow().get_by_label("Turn off the camera").click_accesskit();
    desk.settle();
    assert_eq!(desk.sent(), [Command::CloseStream, Command::WatchMicrophone { on: true }]);
}

#[test]
fn the_buttons_of_an_incoming_call_answer_and_decline() {
    let invite = made_up::INVITE;
    for (name, command) in [
        ("Answer with video", Command::Accept { invite, audio: true, video: high() }),
        ("Answer with audio", Command::Accept { invite, audio: true, video: VideoChoice::Off }),
        ("Decline", Command::Reject { invite }),
    ] {
        let desk = Desk::new(made_up::incoming(true, true));
        desk.press(name);
        assert_eq!(desk.sent(), [command]);
    }
}

#[test]
fn enter_answers_as_the_caller_sends_and_escape_declines() {
    let invite = made_up::INVITE;
    for (with_video, video) in [(true, high()), (false, VideoChoice::Off)] {
        let desk = Desk::new(made_up::incoming(with_video, true));
        desk.settle();
        desk.key(Modifiers::NONE, Key::Enter);
        assert_eq!(desk.sent(), [Command::Accept { invite, audio: true, video }]);
    }
    let desk = Desk::new(made_up::incoming(true, true));
    desk.key(Modifiers::NONE, Key::Escape);
    assert_eq!(desk.sent(), [Command::Reject { invite }]);
}

#[test]
fn enter_typed_as_a_call_comes_in_does_not_answer_it() {
    let desk = Desk::new(made_up::idle());
    desk.harness.borrow().get_by_label("Search people").focus();
    desk.settle();
    desk.controller.put(made_up::incoming(true, true));
    desk.harness.borrow_mut().step();
    desk.harness.borrow().key_press(Key::Enter);
    desk.harness.borrow_mut().step();
    assert_eq!(desk.sent(), []);
}

#[test]
fn escape_and_clicks_that_were_meant_for_something_else_neither_answer_nor_decline() {
    let desk = Desk::new(made_up::idle());
    desk.controller.put(made_up::incoming(true, true));
    desk.harness.borrow_mut().run_steps(2);
    let answer = desk.harness.borrow().get_by_label("Answer with video").rect().center();
    let (key, modifiers) = (Key::Escape, Modifiers::NONE);
    let escape = egui::Event::Key { key, physical_key: None, pressed: true, repeat: false, modifiers };
    desk.at_once([touch(answer, true), touch(answer, false), vec![escape]].concat());
    assert_eq!(desk.sent(), []);
}

#[test]
fn whoever_goes_on_typing_under_a_call_does_not_answer_it() {
    let desk = Desk::new(made_up::incoming(true, true));
    desk.settle();
    for _ in 0..20 {
        desk.harness.borrow().key_press(Key::Z);
        desk.harness.borrow_mut().step();
        desk.harness.borrow().key_press(Key::Enter);
        desk.harness.borrow_mut().step();
    }
    assert_eq!(desk.sent(), []);
}

#[test]
fn an_incoming_call_has_the_keyboard_over_open_dialogs_and_settings() {
    let desk = Desk::new(made_up::idle());
    desk.press("Settings");
    desk.press("Add contact");
    desk.sent();
    desk.controller.put(made_up::incoming(true, true));
    desk.settle();
    desk.key(Modifiers::NONE, Key::Escape);
    assert_eq!(desk.sent(), [Command::Reject { invite: made_up::INVITE }]);
    desk.controller.put(made_up::idle());
    desk.settle();
    assert!(desk.shows("Link or ID"), "what was being typed is still there");
}

#[test]
fn a_contact_is_renamed_blocked_and_removed_from_its_menu() {
    let desk = Desk::new(made_up::idle());
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
    let desk = Desk::new(made_up::idle());
    desk.harness.borrow().get_by_label("Your name").focus();
    desk.settle();
    desk.harness.borrow().get_by_label("Your name").type_text("2");
    desk.key(Modifiers::NONE, Key::Enter);
    let settings = Settings { display_name: "Björn2".into(), ..made_up::idle().settings };
    assert_eq!(desk.sent(), [Command::UpdateSettings { settings: Box::new(settings) }]);
}

#[test]
fn a_stranger_is_marked_as_unknown_and_the_note_is_shown() {
    let desk = Desk::new(made_up::incoming(false, false));
    assert!(desk.shows("Not in your contacts"));
    assert!(desk.shows("About the garden"));
    assert!(!Desk::new(made_up::incoming(false, true)).shows("Not in your contacts"));
}

#[test]
fn an_outgoing_call_is_canceled_by_its_button_and_by_escape() {
    let desk = Desk::new(made_up::outgoing(false));
    assert!(desk.shows("Calling…"));
    desk.press("Cancel the call");
    desk.controller.put(made_up::outgoing(true));
    desk.settle();
    assert!(desk.shows("Ringing…"));
    desk.key(Modifiers::NONE, Key::Escape);
    let cancel = Command::Cancel { invite: made_up::INVITE };
    assert_eq!(desk.sent(), [cancel.clone(), cancel]);
}

#[test]
fn the_keys_of_a_call_mute_hide_and_hang_up() {
    let desk = Desk::new(made_up::call(vec![made_up::participant(1, "Ana Lindqvist", true)]));
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
    let desk = Desk::new(made_up::call(vec![made_up::participant(1, "Ana Lindqvist", true)]));
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
    let mut snapshot = made_up::call(vec![made_up::participant(1, "Ana Lindqvist", true)]);
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
    let mut who = made_up::participant(1, "Ana Lindqvist", true);
    who.audio = false;
    let desk = Desk::new(made_up::call(vec![who]));
    assert!(desk.shows("Ana Lindqvist, Call time 01:02:05"));
    assert!(desk.shows("Ana Lindqvist is muted"));
    for name in ["Mute the microphone", "Do not hear Ana Lindqvist", "Do not show Ana Lindqvist", "Hang up"] {
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
fn settings_change_in_mid_call_and_at_once() {
    let desk = Desk::new(made_up::call(vec![made_up::participant(1, "Ana Lindqvist", true)]));
    desk.press("Settings");
    assert_eq!(desk.sent(), [Command::RefreshDevices, Command::WatchMicrophone { on: true }]);
    assert!(desk.shows("Your camera gives 1280 × 720 at 30 fps."));
    desk.press("Mirror my picture");
    let settings = Settings { mirror: false, ..made_up::idle().settings };
    assert_eq!(desk.sent(), [Command::UpdateSettings { settings: Box::new(settings) }]);
    desk.key(Modifiers::NONE, Key::Escape);
    assert_eq!(desk.sent(), [Command::WatchMicrophone { on: false }]);
}

#[test]
fn a_setting_is_chosen_from_its_list() {
    let desk = Desk::new(made_up::idle());
    desk.press("Settings");
    desk.press("Resolution: 1280 × 720");
    desk.press("640 × 360");
    let settings = Settings { preset: Preset::StandardWide, ..made_up::idle().settings };
    assert!(desk.sent().contains(&Command::UpdateSettings { settings: Box::new(settings) }));
}

#[test]
fn every_end_of_a_call_has_its_own_words_and_a_way_on() {
    let mut titles = Vec::new();
    for kind in [
        OutcomeKind::Declined,
        OutcomeKind::Busy,
        OutcomeKind::NoAnswer,
        OutcomeKind::Canceled,
        OutcomeKind::Missed,
        OutcomeKind::DeclinedHere,
        OutcomeKind::Unreachable,
        OutcomeKind::Ended(DisconnectReason::Left),
        OutcomeKind::Ended(DisconnectReason::HungUp),
        OutcomeKind::Ended(DisconnectReason::Failed),
        OutcomeKind::Ended(DisconnectReason::Lost),
    ] {
        let desk = Desk::new(made_up::ended(kind));
        let title = Words::of(Language::English, "").outcome_title(kind, "Ana Lindqvist");
        assert!(desk.shows(&title), "{title}");
        assert!(!titles.contains(&title), "{title}");
        titles.push(title);
        desk.press("Close");
        assert_eq!(desk.sent(), [Command::DismissOutcome]);
        desk.press("Call again");
        assert!(matches!(desk.sent().as_slice(), [Command::DismissOutcome, Command::Invite { .. }]));
    }
}

#[test]
fn a_camera_at_fault_is_explained_in_place_of_the_picture() {
    let mut snapshot = made_up::idle();
    snapshot.local_stream.camera_fault = Some(DeviceFault::Busy);
    let desk = Desk::new(snapshot);
    assert!(desk.shows("The camera is used by another program."));
    desk.press("Open settings");
    assert!(desk.sent().contains(&Command::WatchMicrophone { on: true }));
}

#[test]
fn notices_are_shown_and_dismissed() {
    let kind = NoticeKind::Device { device: DeviceKind::Microphone, fault: DeviceFault::Unplugged };
    let desk = Desk::new(Snapshot { notices: vec![Notice { number: 5, kind }], ..made_up::idle() });
    assert!(desk.shows("The microphone was unplugged."));
    desk.press("Dismiss");
    assert_eq!(desk.sent(), [Command::DismissNotice { notice: 5 }]);
}

#[test]
fn the_history_redials() {
    let desk = Desk::new(made_up::idle());
    desk.press("Calls");
    assert!(desk.shows("Grandma, Incoming"));
    desk.press("Call Grandma with video");
    desk.press("Call Grandma with audio");
    let invite = |video| Command::Invite { to: peer(3), user_data: String::new(), audio: true, video };
    assert_eq!(desk.sent(), [invite(high()), invite(VideoChoice::Off)]);
}

#[test]
fn a_contact_is_added_from_a_pasted_link() {
    let desk = Desk::new(made_up::idle());
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
    let desk = Desk::new(made_up::idle());
    desk.press("Add contact");
    for (text, why) in [("visavis:abc", "No Visavis ID was found"), (&peer(9).to_string(), "That is your own link.")] {
        desk.harness.borrow().get_by_label("Link or ID").focus();
        desk.settle();
        desk.harness.borrow().get_by_label("Link or ID").type_text(text);
        desk.settle();
        desk.press("Add");
        assert!(desk.shows(why), "{text}");
        assert!(desk.harness.borrow().get_by_label("Link or ID").value().is_some_and(|kept| kept.contains(text)));
        desk.key(Modifiers::COMMAND, Key::A);
    }
    assert_eq!(desk.sent(), []);
}

#[test]
fn a_blocked_stranger_can_be_unblocked() {
    let mut snapshot = made_up::idle();
    let blocked = Person { kind: PersonKind::Blocked, online: false, route: None, blocked: true, ..made_up::echo() };
    snapshot.people = vec![made_up::echo(), Person { id: peer(21), name: "Nobody".into(), ..blocked }];
    let desk = Desk::new(snapshot);
    desk.harness.borrow().get_by_label_contains("Nobody, Blocked").click();
    desk.settle();
    desk.press("Unblock");
    assert_eq!(desk.sent(), [Command::BlockContact { id: peer(21), on: false }]);
}

#[test]
fn a_person_stays_selected_when_they_are_clicked_twice() {
    let desk = Desk::new(made_up::idle());
    for _ in 0..2 {
        desk.harness.borrow().get_by_label_contains("Ana Lindqvist, Online").click();
        desk.settle();
    }
    assert!(desk.shows("Call with video"));
}

#[test]
fn somebody_who_is_only_in_the_history_has_a_card() {
    let desk = Desk::new(Snapshot { people: vec![made_up::echo()], ..made_up::idle() });
    desk.press("Calls");
    desk.harness.borrow().get_by_label_contains("Grandma, Incoming").click();
    desk.settle();
    desk.press("Call with audio");
    assert!(matches!(desk.sent().as_slice(), [Command::Invite { to, .. }] if *to == peer(3)));
}

#[test]
fn enter_in_the_note_calls_with_video() {
    let desk = Desk::new(made_up::idle());
    desk.harness.borrow().get_by_label_contains("Ana Lindqvist, Online").click();
    desk.settle();
    desk.harness.borrow().get_by_label("Note").focus();
    desk.settle();
    desk.harness.borrow().get_by_label("Note").type_text("hello");
    desk.key(Modifiers::NONE, Key::Enter);
    let invite = Command::Invite { to: peer(1), user_data: "hello".into(), audio: true, video: high() };
    assert_eq!(desk.sent(), [invite]);
}

#[test]
fn calling_again_offers_what_the_call_was() {
    let desk = Desk::new(made_up::idle());
    desk.harness.borrow().get_by_label_contains("Ana Lindqvist, Online").click();
    desk.settle();
    desk.press("Call with audio");
    desk.controller.put(made_up::ended(OutcomeKind::NoAnswer));
    desk.settle();
    desk.sent();
    desk.press("Call again");
    let invite = Command::Invite { to: peer(1), user_data: String::new(), audio: true, video: VideoChoice::Off };
    assert_eq!(desk.sent(), [Command::DismissOutcome, invite]);
}

#[test]
fn escape_closes_the_dialog_before_the_settings_behind_it() {
    let desk = Desk::new(made_up::idle());
    desk.press("Settings");
    desk.press("Add contact");
    desk.sent();
    desk.key(Modifiers::NONE, Key::Escape);
    assert!(!desk.shows("Link or ID") && desk.shows("Frame rate at most"));
    desk.key(Modifiers::NONE, Key::Escape);
    assert!(!desk.shows("Frame rate at most"));
}

#[test]
fn what_the_camera_really_gives_is_shown_beside_what_was_asked_for() {
    let mut snapshot = made_up::idle();
    snapshot.local_stream.camera_mode = Some((640, 480, 30));
    let desk = Desk::new(snapshot);
    desk.press("Settings");
    assert!(desk.shows("You asked for 1280 × 720; your camera gives 640 × 480 at 30 fps."));
    desk.press("Resolution: 1280 × 720");
    assert!(desk.shows("1920 × 1080 (more than your camera gives)"));
}

#[test]
fn a_touch_on_faded_controls_only_wakes_them() {
    let desk = Desk::new(made_up::call(vec![made_up::participant(1, "Ana Lindqvist", true)]));
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
fn chinese_is_shown_when_it_is_chosen() {
    let mut snapshot = made_up::idle();
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
    let mut stranger = made_up::call(vec![made_up::participant(1, "Ana Lindqvist", true)]);
    stranger.local_stream.camera_fault = Some(DeviceFault::Busy);
    let kind = NoticeKind::OwnLink;
    let screens = [
        Snapshot { notices: vec![Notice { number: 1, kind }], ..made_up::idle() },
        made_up::outgoing(true),
        made_up::incoming(true, false),
        made_up::ended(OutcomeKind::Unreachable),
        stranger,
    ];
    for snapshot in screens {
        let call = format!("{:?}", snapshot.call);
        let desk = Desk::new(snapshot);
        assert_eq!(nameless(&desk), [""; 0], "{call}");
    }
    let desk = Desk::new(made_up::idle());
    for opened in ["Calls", "People", "Show QR code"] {
        desk.press(opened);
        assert_eq!(nameless(&desk), [""; 0], "{opened}");
    }
    desk.key(Modifiers::NONE, Key::Escape);
    desk.harness.borrow().get_by_label_contains("Ana Lindqvist, Online").click();
    desk.settle();
    for opened in
        ["More for Ana Lindqvist", "Add contact", "Choose a picture of a QR code…", "Back", "Cancel", "Settings"]
    {
        desk.press(opened);
        assert_eq!(nameless(&desk), [""; 0], "{opened}");
    }
}

#[test]
fn painted_words_can_be_read_out() {
    let desk = Desk::new(made_up::idle());
    for words in ["Your ID ", "Who would you like to see?", "Pick a person on the left."] {
        assert!(desk.shows(words), "{words}");
    }
    desk.harness.borrow().get_by_label_contains("Tomás Herrera, Blocked").click();
    desk.settle();
    assert!(desk.shows("You blocked Tomás Herrera."));
    let mut call = made_up::conversation(vec![made_up::participant(1, "Ana Lindqvist", false)]);
    let desk = Desk::new(camera_off(Snapshot { call: CallView::Conversation(call.clone()), ..made_up::idle() }));
    assert!(desk.shows("Ana Lindqvist’s camera is off") && desk.shows("Your camera is off"));
    (call.status, call.connected_at) = (ConversationStatus::Connecting, None);
    let desk = Desk::new(Snapshot { call: CallView::Conversation(call), ..made_up::idle() });
    assert!(desk.shows("Making a connection to Ana Lindqvist"));
}

#[test]
fn a_dialog_opens_with_the_keyboard_on_what_does_no_harm() {
    let desk = Desk::new(made_up::ended(OutcomeKind::NoAnswer));
    assert!(desk.harness.borrow().get_by_label("Close").is_focused());
    let desk = Desk::new(made_up::idle());
    desk.press("Calls");
    desk.press("Clear the history");
    assert!(desk.harness.borrow().get_by_label("Cancel").is_focused());
}

#[test]
fn faults_of_the_store_and_the_network_are_told_in_the_windows_language() {
    let kinds = [NoticeKind::Store(StoreFault::DiskFull), NoticeKind::NoNetwork];
    let notices = (1..).zip(kinds).map(|(number, kind)| Notice { number, kind }).collect();
    let mut snapshot = Snapshot { notices, ..made_up::idle() };
    snapshot.settings.language = Language::SimplifiedChinese;
    let desk = Desk::new(snapshot);
    assert!(desk.shows("磁盘已满") && desk.shows("无法查找此网络上的人"));
}

/// Every button, field and list row lies inside the smallest window, in both languages.
#[test]
fn nothing_to_press_is_outside_of_the_smallest_window() {
    let size = Vec2::new(720.0, 480.0);
    let window = egui::Rect::from_min_size(egui::Pos2::ZERO, size);
    for language in [Language::English, Language::SimplifiedChinese] {
        for mut snapshot in [
            made_up::outgoing(true),
            made_up::incoming(true, false),
            made_up::ended(OutcomeKind::Unreachable),
            made_up::call(vec![made_up::participant(1, "Wilhelmina Featherstonehaugh-Montgomery", true)]),
        ] {
            snapshot.settings.language = language;
            if let CallView::Incoming(view) = &mut snapshot.call {
                view.name = "Wilhelmina Featherstonehaugh-Montgomery".into();
                view.user_data = "a long note ".repeat(80);
            }
            let desk = Desk::sized(snapshot, size);
            for button in desk.harness.borrow().query_all_by_role(Role::Button) {
                let rect = button.rect();
                // A row of the list that is scrolled out of sight may lie below.
                let scrolled = rect.left() < 268.0 && rect.top() > 100.0 && rect.width() <= 32.0;
                assert!(scrolled || window.expand(0.5).contains_rect(rect), "{language:?}: {button:?} at {rect:?}");
            }
        }
    }
}

#[test]
fn hanging_up_stays_possible_beside_the_settings() {
    for size in [Vec2::new(720.0, 480.0), Vec2::new(1100.0, 720.0)] {
        let desk = Desk::sized(made_up::call(vec![made_up::participant(1, "Ana Lindqvist", true)]), size);
        desk.press("Settings");
        desk.harness.borrow().get_by_role_and_label(Role::Button, "Hang up").click();
        desk.settle();
        assert_eq!(desk.sent().last(), Some(&Command::Leave), "{size:?}");
    }
}

#[test]
fn pressing_the_small_picture_swaps_it_with_the_large_one() {
    let desk = Desk::new(made_up::call(vec![made_up::participant(1, "Ana Lindqvist", true)]));
    desk.press("Your picture: click to swap, drag to move");
    assert!(desk.shows("Ana Lindqvist: click to swap back"));
}

#[test]
fn people_can_be_called_in_the_smallest_window() {
    let desk = Desk::sized(made_up::idle(), Vec2::new(720.0, 480.0));
    desk.harness.borrow().get_by_label_contains("Echo test").click();
    desk.settle();
    desk.press("Call with audio");
    let echo = made_up::people().into_iter().find(|person| person.kind == PersonKind::Echo).map(|person| person.id);
    assert!(matches!(desk.sent().as_slice(), [Command::Invite { to, .. }] if Some(*to) == echo));
}

/// No file of the window but the catalogue holds a text for people: a literal with a space between letters, or one that
/// begins with a capital letter.
#[test]
fn only_the_catalogue_holds_texts_for_people() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/ui");
    // The window's title (the product's name) and the names of keys on a keyboard.
    let allowed = ["Visavis", "Ctrl", "Enter", "Esc", "Ctrl+I", "Ctrl+Enter", "M", "V", "F", "I"];
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
    let snapshot = made_up::idle();
    let desk = Desk::new(snapshot);
    let harness = desk.harness.borrow();
    for language in [Language::English, Language::SimplifiedChinese] {
        for &key in Text::ALL {
            let text = Words::of(language, "").get(key);
            let font = egui::FontId::proportional(14.0);
            let whole = harness.ctx.fonts_mut(|fonts| fonts.has_glyphs(&font, text));
            assert!(whole, "{key:?}: {text}");
        }
    }
}
