//! Shows one screen of the window with made-up people, for looking at the design without a camera or a network.
//!
//! Usage: gallery SCREEN [en|zh] [light|dark] [high] [PERCENT]; the screens are the arms of `snapshot_of`, `high` is
//! the contrast, the number the text size. Commands go to standard error.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stderr, clippy::panic, reason = "a development aid")]

#[path = "../tests/window_fixture/mod.rs"]
mod window_fixture;

use std::rc::Rc;

use visavis::call::DisconnectReason;
use visavis::controller::{
    CallView, ConversationStatus, HistoryEntry, Notice, NoticeKind, OutcomeKind, Person, Quality, ServerDetail,
    ServerState, ServerStatus, Snapshot,
};
use visavis::device::{DeviceFault, DeviceKind};
use visavis::identity::ServerLink;
use visavis::media::MediaTime;
use visavis::store::{Contrast, Language, Theme};
use visavis::ui::{Now, WindowOptions, run, window_handle};
use window_fixture as made_up;

fn snapshot_of(screen: &str) -> Snapshot {
    let ana = |video| made_up::participant(1, "Ana Lindqvist", video);
    match screen {
        "home" => Snapshot { history: made_up::history(Now::read().unix_s).into(), ..made_up::idle() },
        "verified" => verified(made_up::idle()),
        "verified-call" => verified(made_up::call(vec![ana(true)])),
        "servers" => Snapshot { servers: servers(), ..made_up::idle() },
        "newcomer" => Snapshot { people: vec![made_up::echo()], history: Vec::new().into(), ..made_up::idle() },
        "fault" => {
            let mut snapshot = made_up::idle();
            snapshot.local_stream.camera_fault = Some(DeviceFault::Busy);
            snapshot.local_stream.microphone_fault = Some(DeviceFault::Missing);
            let kinds = [
                NoticeKind::Device { device: DeviceKind::Microphone, fault: DeviceFault::Missing },
                NoticeKind::BadLink,
            ];
            snapshot.notices = (1..).zip(kinds).map(|(number, kind)| Notice { number, kind }).collect();
            snapshot
        }
        "crowd" => Snapshot { people: crowd(), history: missed().into(), missed: 3, ..made_up::idle() },
        "off" => {
            let mut snapshot = made_up::idle();
            snapshot.local_stream.video = false;
            snapshot
        }
        "calling" => made_up::outgoing(false),
        "ringing" => made_up::outgoing(true),
        "incoming" => made_up::incoming(true, true),
        "stranger" => made_up::incoming(false, false),
        "call" => made_up::call(vec![ana(true)]),
        "unstable" | "poor" => {
            let mut who = ana(true);
            who.audio = screen != "poor";
            who.quality = if screen == "poor" { Quality::Poor } else { Quality::Unstable };
            made_up::call(vec![who])
        }
        "screen" => made_up::call(vec![made_up::with_screen(ana(true))]),
        "waiting" => {
            let mut snapshot = made_up::call(vec![ana(true)]);
            if let CallView::Incoming(view) = made_up::incoming(true, false).call {
                snapshot.waiting = vec![view];
            }
            snapshot
        }
        "three" => {
            let mut second = made_up::participant(2, "王小明", true);
            second.quality = Quality::Unstable;
            made_up::call(vec![ana(true), second, made_up::participant(3, "Grandma", true)])
        }
        "audio" => {
            let mut who = ana(false);
            who.audio = false;
            let mut snapshot = made_up::call(vec![who]);
            let stream = &mut snapshot.local_stream;
            (stream.audio, stream.video, stream.sends_audio, stream.sends_video) = (false, false, false, false);
            snapshot
        }
        "faults" => {
            let mut snapshot = made_up::call(vec![ana(true)]);
            let stream = &mut snapshot.local_stream;
            (stream.audio, stream.video) = (false, false);
            stream.camera_fault = Some(DeviceFault::Unplugged);
            stream.microphone_fault = Some(DeviceFault::Busy);
            snapshot
        }
        "connecting" => {
            let mut view = made_up::conversation(vec![ana(true)]);
            (view.status, view.connected_at) = (ConversationStatus::Connecting, None);
            Snapshot { call: CallView::Conversation(view), ..made_up::call(Vec::new()) }
        }
        "group" => {
            let mut muted = made_up::participant(2, "王小明", true);
            muted.audio = false;
            made_up::call(vec![ana(true), muted, made_up::participant(3, "Grandma", false)])
        }
        "declined" => made_up::ended(OutcomeKind::Declined),
        "lost" => made_up::ended(OutcomeKind::Ended(DisconnectReason::Lost)),
        "left" => made_up::ended(OutcomeKind::Ended(DisconnectReason::Left)),
        other => panic!("no screen {other:?}"),
    }
}

/// Servers in each state, one with a long name.
fn servers() -> Vec<ServerStatus> {
    let link = |host: &str| ServerLink::new(host, 443, b"key").unwrap();
    let status = |host: &str, state, detail| ServerStatus::new(&link(host), state, detail);
    vec![
        ServerStatus { round_trip_ms: Some(23), ..status("calls.example.org", ServerState::Online, None) },
        status("a-server-with-a-long-name.in-the-office.example.com", ServerState::Connecting, None),
        status("203.0.113.5", ServerState::Refused, Some(ServerDetail::OtherKey)),
        status("2001:db8::17", ServerState::Offline, Some(ServerDetail::NoServer)),
    ]
}

/// Two hundred contacts, some of them here.
fn crowd() -> Vec<Person> {
    let mut people = made_up::people();
    people[3].favourite = true;
    for number in 20..212 {
        let name = format!("Contact {number}");
        let here = number % 40 == 0;
        let person = Person { id: made_up::peer(number), name, ..people[if here { 1 } else { 4 }].clone() };
        people.push(Person { blocked: false, ..person });
    }
    people
}

/// A history with a missed call that nobody has looked at.
fn missed() -> Vec<HistoryEntry> {
    let mut history = made_up::history(Now::read().unix_s);
    (history[1].seen, history[1].times, history[1].note) = (false, 3, "About the garden".into());
    history
}

/// The same with Ana verified.
fn verified(mut snapshot: Snapshot) -> Snapshot {
    snapshot.people.iter_mut().filter(|person| person.id == made_up::peer(1)).for_each(|ana| ana.verified = true);
    snapshot
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let screen = arguments.first().map_or("home", String::as_str);
    let mut snapshot = snapshot_of(screen);
    if let CallView::Conversation(view) = &mut snapshot.call
        && let Some(at) = &mut view.connected_at
    {
        *at = MediaTime::now();
    }
    for argument in arguments.iter().skip(1) {
        match argument.as_str() {
            "zh" => snapshot.settings.language = Language::SimplifiedChinese,
            "light" => snapshot.settings.theme = Theme::Light,
            "dark" => snapshot.settings.theme = Theme::Dark,
            "high" => snapshot.settings.contrast = Contrast::High,
            number if number.parse::<u16>().is_ok() => snapshot.settings.text_size = number.parse().ok(),
            _ => snapshot.settings.language = Language::English,
        }
    }
    let (handle, controller) = made_up::handle(snapshot);
    let made_up::Controller { commands, snapshot } = controller;
    let _kept = snapshot;
    std::thread::spawn(move || {
        for command in commands {
            eprintln!("{command:?}");
        }
    });
    let options = WindowOptions { preview: screen != "off", ..WindowOptions::default() };
    let (_window, end) = window_handle();
    run(&options, &handle, &Rc::new(end)).expect("the window opens");
}
