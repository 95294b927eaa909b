//! The controller without a network and without devices that are real.

use std::sync::mpsc::{Receiver, sync_channel};
use std::time::Duration;

use super::*;
use crate::call::{
    CallEnd, CallRecord, CallReport, DisconnectReason, Effect, InviteId, Message, Press, RecordedParticipant, Versions,
};
use crate::controller::lanes::{Lanes, Next};
use crate::controller::peer_lane::PeerLane;
use crate::controller::{CallView, RouteKind, VersionSkew};
use crate::controller::{Command, Outcome};
use crate::device::DeviceChoice;
use crate::identity::ProfilePicture;
use crate::media::{MediaSet, VideoFrame, Volume};
use crate::signaling::{RouteSet, SignalingEvent};
use crate::store::{HistoryRecord, Profile};

struct Rig {
    core: Core,
    lanes: Lanes,
    parts: PartSenders,
    peers: PeerLane,
    events: Receiver<Event>,
    _folder: tempfile::TempDir,
}

fn rig() -> Rig {
    rig_in(tempfile::tempdir().unwrap())
}

fn rig_in(folder: tempfile::TempDir) -> Rig {
    let profile = Profile::open(Some(folder.path())).unwrap();
    let (identity, store) = (Identity::load_or_create(profile.dir()).unwrap(), Store::open(profile.dir()).unwrap());
    let options = Options {
        profile,
        name: Some("Ann".to_owned()),
        camera: Some(DeviceChoice::None),
        microphone: Some(DeviceChoice::None),
        speaker: Some(DeviceChoice::Named("Old speaker".to_owned())),
        servers: Vec::new(),
        strangers_may_ring: None,
        relay: None,
        bind: Some(Ipv4Addr::LOCALHOST.into()),
        link: None,
    };
    let (senders, lanes) = Lanes::new();
    let (told, events) = sync_channel(1024);
    let core = Core::new(
        options,
        Arc::new(identity),
        store,
        Arc::default(),
        (senders.parts.clone(), senders.peers.clone()),
        Publication {
            events: Box::new(move |event| told.send(event).unwrap()),
            snapshot: Arc::new(Latest::new()),
            on_change: Arc::new(|_| {}),
        },
    );
    Rig { core: core.unwrap(), lanes, parts: senders.parts, peers: senders.peers, events, _folder: folder }
}

/// Takes events that come by themselves until a report is as wanted.
fn run_until(rig: &mut Rig, wanted: impl Fn(&Event) -> bool) {
    let until = MediaTime::now() + Duration::from_secs(30);
    while MediaTime::now() < until {
        if rig.events.try_iter().any(|event| wanted(&event)) {
            return;
        }
        match rig.lanes.next(rig.core.next_deadline().map(|at| at.min(until)).or(Some(until))) {
            Next::Command(command) => rig.core.on_command(command),
            Next::System(event) => rig.core.on_system(event),
            Next::Hint(hint) => rig.core.on_hint(hint),
            Next::Peer(event) => rig.core.on_signaling(event),
            Next::Deadline => rig.core.on_deadline(),
        }
    }
    panic!("it did not come");
}

#[test]
fn a_call_with_echo_is_made_and_released_while_the_lanes_of_others_are_full() {
    let mut rig = rig();
    rig.lanes.attach();
    // As much as others and devices can say at all.
    while rig.parts.hints.offer(Hint::SpokeMuted) {}
    for number in 0..100_000_u32 {
        let mut bytes = [7; 32];
        bytes[..4].copy_from_slice(&(number % 40).to_le_bytes());
        let message = Message::Leave { conversation: ConversationId::from_bits(number.into()) };
        rig.peers.put(crate::signaling::SignalingEvent::Received { from: PeerId::from_bytes(bytes), message });
    }
    let video = crate::controller::VideoChoice::Off;
    let to = crate::controller::echo_id();
    rig.core.on_command(Command::Invite { to, user_data: String::new(), audio: true, video });
    run_until(&mut rig, |event| matches!(event, Event::ConversationConnected { .. }));
    rig.core.step(Input::Local(Press::Leave));
    run_until(&mut rig, |event| matches!(event, Event::ConversationDisconnected { .. }));
    assert!(rig.core.remotes.is_empty());
    rig.core.end();
}

#[test]
fn a_volume_is_heard_in_the_call_shown_by_the_window_and_refused_of_nobody() {
    let mut rig = rig();
    rig.lanes.attach();
    let (to, loud) = (crate::controller::echo_id(), Volume::from_percent(150));
    let set = |participant| Command::SetVolume { participant, percent: loud };
    let call =
        Command::Invite { to, user_data: String::new(), audio: true, video: crate::controller::VideoChoice::Off };
    rig.core.on_command(call.clone());
    run_until(&mut rig, |event| matches!(event, Event::ConversationConnected { .. }));
    rig.core.on_command(set(to));
    let volume = |core: &Core| match core.call_view() {
        CallView::Conversation(call) => call.participants.first().map(|who| who.volume),
        _ => None,
    };
    assert_eq!(volume(&rig.core), Some(loud));
    rig.core.step(Input::Local(Press::Leave));
    run_until(&mut rig, |event| matches!(event, Event::ConversationDisconnected { .. }));
    rig.core.on_command(call);
    run_until(&mut rig, |event| matches!(event, Event::ConversationConnected { .. }));
    assert_eq!(volume(&rig.core), Some(loud), "remembered for the next call");
    rig.core.on_command(set(PeerId::from_bytes([9; 32])));
    let refused = |event: &Event| matches!(event, Event::Error { code: 40001, command, .. } if command == "set_volume");
    run_until(&mut rig, refused);
    rig.core.end();
}

#[test]
fn an_ordinary_end_is_a_note_with_its_length_and_any_other_one_asks_for_words() {
    let mut rig = rig();
    let peer = PeerId::from_bytes([7; 32]);
    let end = |rig: &mut Rig, end, seconds: Option<u64>| {
        let at = MediaTime::from_millis(1_000_000);
        let record = CallRecord {
            participants: vec![RecordedParticipant { peer, name: "Bob".to_owned() }],
            outgoing: true,
            began: at,
            connected_at: seconds.map(|_| at),
            ended_at: at + Duration::from_secs(seconds.unwrap_or(3)),
            end,
            note: String::new(),
        };
        rig.core.publisher.notices().forget_call();
        rig.core.carry_out(Effect::Report(CallReport::CallEnded(record)));
        let noted = rig.core.publisher.notices().list().into_iter().find_map(|notice| match notice.kind {
            NoticeKind::CallEnded { duration_s, .. } => Some(duration_s),
            _ => None,
        });
        (noted, rig.core.calls.outcome().map(|outcome| outcome.kind))
    };
    let (left, hung_up) = (CallEnd::Ended(DisconnectReason::Left), CallEnd::Ended(DisconnectReason::HungUp));
    let lost = CallEnd::Ended(DisconnectReason::Lost);
    assert_eq!(end(&mut rig, left, Some(754)), (Some(754), None));
    assert_eq!(end(&mut rig, hung_up, Some(60)), (Some(60), None));
    assert_eq!(end(&mut rig, hung_up, None), (Some(0), None), "before it was connected");
    assert_eq!(end(&mut rig, left, None), (None, None), "one's own press needs no telling");
    assert_eq!(end(&mut rig, lost, Some(60)), (None, Some(lost)));
    assert_eq!(end(&mut rig, CallEnd::NoAnswer, None), (None, Some(CallEnd::NoAnswer)));
    rig.core.end();
}

#[test]
fn an_end_that_something_holds_up_is_told_all_the_same() {
    let mut rig = rig();
    rig.lanes.attach();
    let video = crate::controller::VideoChoice::Off;
    let to = crate::controller::echo_id();
    rig.core.on_command(Command::Invite { to, user_data: String::new(), audio: true, video });
    run_until(&mut rig, |event| matches!(event, Event::ConversationConnected { .. }));
    rig.core.on_command(Command::Quit);
    assert!(!rig.core.is_done(), "the connection is still being closed");
    // Nothing of that is heard of before the patience is over.
    rig.core.quit_by = Some(MediaTime::now());
    rig.core.on_deadline();
    let told: Vec<Event> = rig.events.try_iter().collect();
    assert!(matches!(told.last(), Some(Event::ConversationDisconnected { .. })), "{told:?}");
    assert!(rig.core.is_done());
    rig.core.end();
}

#[test]
fn an_invite_that_waited_for_an_app_of_another_version_fails_with_the_reason_until_it_is_updated() {
    let mut rig = rig();
    let (to, name) = (PeerId::from_bytes([7; 32]), "Bob".to_owned());
    let presence = |skew| SignalingEvent::Presence { id: to, name: name.clone(), routes: lan(), skew };
    rig.core.on_signaling(presence(Some(VersionSkew::FarIsOlder)));
    // Nothing is delivered where signaling does not run.
    rig.core.step(Input::Local(Press::Invite {
        invite: InviteId::from_bits(1),
        conversation: ConversationId::from_bits(2),
        to,
        user_data: String::new(),
        streams: MediaSet::of_call(true, false),
    }));
    let expected = CallError::FarNeedsNewer(name.clone()).to_string();
    let told: Vec<Event> = rig.events.try_iter().collect();
    let said = |event: &Event| matches!(event, Event::InviteFailed { message, .. } if *message == expected);
    assert!(told.iter().any(said), "{told:?}");
    let is_noted = |core: &mut Core| {
        let notices = core.publisher.notices().list();
        notices.iter().any(|notice| matches!(notice.kind, NoticeKind::NeedsNewer { peer, .. } if peer == to))
    };
    assert!(is_noted(&mut rig.core));
    let outcome = rig.core.calls.outcome().map(|outcome| outcome.kind);
    assert_eq!(outcome, Some(CallEnd::NeedsNewerThere));
    rig.core.on_signaling(presence(None));
    assert!(!is_noted(&mut rig.core));
    rig.core.end();
}

#[test]
fn a_stranger_with_another_version_who_rings_500_times_leaves_one_line_beside_a_contacts_call() {
    let mut rig = rig();
    let (friend, stranger) = (PeerId::from_bytes([7; 32]), PeerId::from_bytes([8; 32]));
    rig.core.store.add_contact(friend, "Bob", 0).unwrap();
    let call = HistoryRecord {
        peer: friend,
        name: "Bob".to_owned(),
        outgoing: false,
        at_unix_s: 1_700_000_000,
        duration_s: 60,
        ended: CallEnd::Ended(DisconnectReason::Left),
        seen: true,
        note: String::new(),
    };
    rig.core.store.add_history(&call).unwrap();
    for number in 0..500 {
        let (invite, conversation) = (InviteId::from_bits(number), ConversationId::from_bits(number));
        let (name, streams, descriptions) =
            ("Eve".to_owned(), MediaSet::of_call(true, false), Versions { min: 9, max: 9 });
        let message = Message::Invite { invite, conversation, name, user_data: String::new(), streams, descriptions };
        rig.core.on_signaling(SignalingEvent::Received { from: stranger, message });
    }
    let history: Vec<_> = rig.core.store.history().unwrap().into_iter().map(|kept| kept.record).collect();
    assert_eq!(history.len(), 2, "{history:?}");
    assert_eq!((history[0].peer, history[0].ended), (stranger, CallEnd::NeedsNewerHere));
    assert_eq!(history[1], call);
    rig.core.end();
}

fn lan() -> RouteSet {
    [RouteKind::Lan].into_iter().collect()
}

#[test]
fn a_contact_tells_of_one_missed_call_a_minute_and_a_stranger_of_none() {
    let mut rig = rig();
    let [bob, carol, stranger] = [1, 2, 3].map(|seed| Identity::from_seed([seed; 32]).id());
    for contact in [bob, carol] {
        rig.core.on_command(Command::AddContact { link: contact.to_string() });
    }
    rig.events.try_iter().for_each(drop);
    for from in [bob, bob, carol, stranger, bob] {
        rig.core.on_signaling(SignalingEvent::Received { from, message: Message::Missed { ago_s: 5 } });
    }
    let told = rig.events.try_iter().filter_map(|event| match event {
        Event::MissedCall { from, .. } => Some(from),
        _ => None,
    });
    assert_eq!(told.collect::<Vec<_>>(), [bob, carol]);
    let (now, minute) = (MediaTime::now(), Duration::from_secs(60));
    let just_before = now + minute - Duration::from_secs(2);
    assert!(!rig.core.directory.takes_missed_call(bob, just_before));
    assert!(rig.core.directory.takes_missed_call(bob, now + minute));
}

#[test]
fn a_contact_shows_a_picture_and_a_stranger_none() {
    let mut rig = rig();
    let [bob, stranger] = [1, 2].map(|seed| Identity::from_seed([seed; 32]).id());
    rig.core.on_command(Command::AddContact { link: bob.to_string() });
    rig.events.try_iter().for_each(drop);
    let picture = ProfilePicture::of_frame(&VideoFrame::black(64, 64));
    for from in [stranger, bob, bob] {
        rig.core
            .on_signaling(SignalingEvent::Received { from, message: Message::Picture { picture: picture.clone() } });
    }
    let told: Vec<_> = rig
        .events
        .try_iter()
        .filter_map(|event| match event {
            Event::Contact { id, picture, .. } => Some((id, picture)),
            _ => None,
        })
        .collect();
    assert_eq!(told, [(bob, true)], "once, and of the contact alone");
    assert_eq!(rig.core.store.pictures().unwrap().keys().collect::<Vec<_>>(), [&bob]);
    rig.core.on_command(Command::RemoveContact { id: bob });
    rig.core.on_command(Command::AddContact { link: bob.to_string() });
    assert_eq!(rig.core.directory.pictures().of(bob), None);
    rig.core.end();
}

fn invite_of(from: PeerId, number: u128) -> SignalingEvent {
    let (invite, conversation) = (InviteId::from_bits(number), ConversationId::from_bits(number));
    let (name, descriptions) = ("Bob".to_owned(), crate::call::Description::VERSIONS);
    let streams = MediaSet::of_call(true, false);
    let message = Message::Invite { invite, conversation, name, user_data: "lunch?".into(), streams, descriptions };
    SignalingEvent::Received { from, message }
}

/// Contacts with these seeds.
fn contacts<const N: usize>(rig: &mut Rig, seeds: [u8; N]) -> [PeerId; N] {
    let ids = seeds.map(|seed| Identity::from_seed([seed; 32]).id());
    for id in ids {
        rig.core.on_command(Command::AddContact { link: id.to_string() });
    }
    ids
}

#[test]
fn words_about_a_missed_call_go_although_nothing_can_be_stored() {
    let mut rig = rig();
    let [bob] = contacts(&mut rig, [1]);
    let missed = Outcome { peer: bob, name: "Bob".to_owned(), kind: CallEnd::Missed };
    rig.core.calls.set_outcome(Some(missed));
    rig.core.store.lose_history();
    rig.events.try_iter().for_each(drop);
    rig.core.on_command(Command::DismissOutcome);
    assert_eq!(rig.core.calls.outcome(), None);
    assert!(rig.events.try_iter().any(|event| matches!(event, Event::Error { .. })), "and the fault is told");
    rig.core.end();
}

#[test]
fn the_first_event_is_ready_and_do_not_disturb_follows() {
    let mut first = rig();
    let on = crate::store::SettingsChange::one("do_not_disturb", true);
    first.core.on_command(Command::UpdateSettings { settings: on });
    let Rig { core, _folder: folder, .. } = first;
    core.end();
    let mut rig = rig_in(folder);
    rig.core.begin();
    let told: Vec<Event> = rig.events.try_iter().take(2).collect();
    assert!(matches!(told[..], [Event::Ready { .. }, Event::DoNotDisturb { on: true }]), "{told:?}");
    rig.core.end();
}

#[test]
fn a_call_that_fails_while_somebody_waits_is_told_in_a_note_and_ones_own_press_is_not() {
    let mut rig = rig();
    let [bob, cat] = contacts(&mut rig, [1, 2]);
    rig.core.on_signaling(invite_of(cat, 1));
    assert!(matches!(rig.core.call_view(), CallView::Incoming(_)));
    let end = |rig: &mut Rig, end| {
        let at = MediaTime::from_millis(1_000_000);
        let participants = vec![RecordedParticipant { peer: bob, name: "Bob".to_owned() }];
        let (connected_at, ended_at) = (Some(at), at + Duration::from_secs(60));
        let note = String::new();
        let record = CallRecord { participants, outgoing: true, began: at, connected_at, ended_at, end, note };
        rig.core.carry_out(Effect::Report(CallReport::CallEnded(record)));
        assert_eq!(rig.core.calls.outcome(), None, "it would cover who rings");
        let notices = rig.core.publisher.notices().list();
        notices.into_iter().find_map(|notice| match notice.kind {
            NoticeKind::CallFailed(outcome) => Some(outcome.kind),
            _ => None,
        })
    };
    for own in [CallEnd::Ended(DisconnectReason::Left), CallEnd::Canceled, CallEnd::DeclinedHere] {
        assert_eq!(end(&mut rig, own), None);
    }
    let lost = CallEnd::Ended(DisconnectReason::Lost);
    assert_eq!(end(&mut rig, lost), Some(lost));
    rig.core.end();
}

#[test]
fn a_quit_misses_whoever_rings_waits_or_was_ignored() {
    let mut rig = rig();
    let [bob, cat, dan] = contacts(&mut rig, [1, 2, 3]);
    for (number, from) in [bob, cat, dan].into_iter().enumerate() {
        rig.core.on_signaling(invite_of(from, number as u128));
    }
    rig.core.on_command(Command::Ignore { invite: InviteId::from_bits(2) });
    rig.core.on_command(Command::Quit);
    assert!(rig.core.calls.is_over());
    let history = rig.core.store.history().unwrap();
    let unseen = |peer| {
        let missed = |call: &HistoryRecord| call.peer == peer && call.ended == CallEnd::Missed && !call.seen;
        history.iter().any(|kept| missed(&kept.record))
    };
    assert!([bob, cat, dan].into_iter().all(unseen), "{history:?}");
    rig.core.end();
}

#[test]
fn strangers_who_ring_in_vain_push_no_contacts_missed_call_out_of_the_window() {
    let mut rig = rig();
    let [bob] = contacts(&mut rig, [1]);
    let missed = |number: u32, peer| HistoryRecord {
        peer,
        name: format!("Caller {number}"),
        outgoing: false,
        at_unix_s: 1_700_000_000 + i64::from(number),
        duration_s: 0,
        ended: CallEnd::Missed,
        seen: false,
        note: String::new(),
    };
    rig.core.keep_in_history(missed(0, bob));
    for number in 1..=100_u32 {
        let mut key = [0; 32];
        key[..4].copy_from_slice(&number.to_le_bytes());
        rig.core.keep_in_history(missed(number, PeerId::from_bytes(key)));
    }
    rig.core.publish_now();
    let shown = rig.core.publisher.history(|| panic!("it was read for the snapshot"));
    assert_eq!(shown.calls.len(), 31);
    assert_eq!(shown.calls[30].peer, bob);
    assert_eq!(shown.missed, 101, "all of them count");
    rig.core.end();
}
