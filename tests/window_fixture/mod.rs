//! Snapshots of made-up people and calls, and a handle whose commands a test can read.

#![allow(dead_code, missing_docs, reason = "each test file and example uses a part of it")]

use std::sync::Arc;
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::Duration;

use visavis::call::{ConversationId, DisconnectReason, InviteId};
use visavis::controller::{
    CallSample, CallView, CameraInfo, Command, ConversationStatus, ConversationView, Devices, Gates, Handle,
    HistoryEntry, IncomingView, LocalStreamView, Me, Outcome, OutcomeKind, OutgoingView, ParticipantView, Person,
    PersonKind, PictureView, Quality, ReceivedStats, RouteKind, SentStats, Snapshot,
};
use visavis::identity::{PeerId, ProfilePicture};
use visavis::media::{FrameSlot, Latest, LevelMeter, MediaTime, StreamId, StreamKind, VideoFrame, Volume};
use visavis::store::Settings;

pub const INVITE: InviteId = InviteId::from_bits(7);

/// The controller's end of a handle.
pub struct Controller {
    pub commands: Receiver<Command>,
    pub snapshot: Arc<Latest<Arc<Snapshot>>>,
}

impl Controller {
    pub fn put(&self, snapshot: Snapshot) {
        self.snapshot.put(Arc::new(snapshot));
    }

    /// The commands that have been sent so far.
    pub fn sent(&self) -> Vec<Command> {
        self.commands.try_iter().collect()
    }
}

pub fn handle(snapshot: Snapshot) -> (Handle, Controller) {
    let (sender, commands) = sync_channel(64);
    let slot = Arc::new(Latest::new());
    slot.put(Arc::new(snapshot));
    let handle = Handle::new(sender, Arc::clone(&slot), Arc::new(Gates::default()));
    (handle, Controller { commands, snapshot: slot })
}

pub fn peer(number: u8) -> PeerId {
    PeerId::from_bytes(std::array::from_fn(|index| number.wrapping_mul(31).wrapping_add(index as u8 * 7)))
}

fn person(number: u8, name: &str, kind: PersonKind, online: bool) -> Person {
    let route = online.then_some(if number % 3 == 2 { RouteKind::Server } else { RouteKind::Lan });
    Person {
        id: peer(number),
        name: name.to_owned(),
        kind,
        online,
        route,
        needs_newer: None,
        blocked: false,
        verified: false,
        favourite: false,
        shares_name: false,
        picture: None,
    }
}

/// A profile picture: one colour.
pub fn face() -> Option<ProfilePicture> {
    let mut frame = VideoFrame::black(64, 64);
    frame.planes_mut().0.fill(180);
    ProfilePicture::of_frame(&frame)
}

pub fn echo() -> Person {
    let route = Some(RouteKind::Local);
    Person {
        id: peer(0),
        name: String::new(),
        kind: PersonKind::Echo,
        online: true,
        route,
        needs_newer: None,
        blocked: false,
        verified: false,
        favourite: false,
        shares_name: false,
        picture: None,
    }
}

pub fn people() -> Vec<Person> {
    let mut people = vec![
        echo(),
        person(1, "Ana Lindqvist", PersonKind::Contact, true),
        person(2, "王小明", PersonKind::Contact, true),
        person(3, "Grandma", PersonKind::Contact, true),
        person(4, "Tomás Herrera", PersonKind::Contact, false),
        person(5, "Wilhelmina Featherstonehaugh-Montgomery", PersonKind::Contact, false),
        person(6, "Kitchen tablet", PersonKind::Nearby, true),
        person(7, "李娜", PersonKind::Nearby, true),
    ];
    if let Some(blocked) = people.get_mut(4) {
        blocked.blocked = true;
    }
    people
}

pub fn history(now_unix_s: i64) -> Vec<HistoryEntry> {
    let names = ["", "Ana Lindqvist", "王小明", "Grandma", "Tomás Herrera"];
    let entry = |number: u8, outgoing, ago_s: i64, duration_s, kind| {
        let (peer, name) = (peer(number), names[usize::from(number)].to_owned());
        let ended = Outcome { peer, name: name.clone(), kind };
        let number = 1_000_000 - ago_s;
        let (times, at_unix_s) = (1, now_unix_s - ago_s);
        let (seen, note) = (true, String::new());
        HistoryEntry { number, times, peer, name, outgoing, at_unix_s, duration_s, ended, seen, note }
    };
    let hung_up = OutcomeKind::Ended(DisconnectReason::HungUp);
    vec![
        entry(1, true, 600, 754, hung_up),
        entry(3, false, 4000, 0, OutcomeKind::Missed),
        entry(2, false, 90_000, 4023, OutcomeKind::Ended(DisconnectReason::Left)),
        entry(4, true, 95_000, 0, OutcomeKind::NoAnswer),
        entry(1, true, 400_000, 0, OutcomeKind::Busy),
        entry(2, true, 500_000, 33, OutcomeKind::Ended(DisconnectReason::Lost)),
    ]
}

/// A picture with soft colours and a shape, so that mirroring and cutting can be seen.
pub fn picture(width: u32, height: u32, warm: bool) -> Arc<VideoFrame> {
    let mut frame = VideoFrame::black(width, height);
    let (y, u, v) = frame.planes_mut();
    let (w, h) = (width as usize, height as usize);
    for row in 0..h {
        for column in 0..w {
            let (x, z) = (column as f32 / w as f32, row as f32 / h as f32);
            let head = ((x - 0.5) * 1.78).hypot(z - 0.42) < 0.17;
            let body = z > 0.62 && ((x - 0.5) * 1.3).hypot(z - 1.05) < 0.4;
            let corner = x < 0.08 && z < 0.1;
            let luma = if head {
                185.0
            } else if body {
                95.0
            } else {
                120.0 + 60.0 * x - 50.0 * z
            };
            y[row * w + column] = if corner { 235 } else { luma as u8 };
        }
    }
    let (cu, cv) = if warm { (112, 142) } else { (140, 116) };
    u.fill(cu);
    v.fill(cv);
    Arc::new(frame)
}

pub fn slot(picture: Option<Arc<VideoFrame>>) -> Arc<FrameSlot> {
    let slot = FrameSlot::new();
    if let Some(picture) = picture {
        slot.put(picture);
    }
    Arc::new(slot)
}

pub fn local_stream() -> LocalStreamView {
    let level = LevelMeter::default();
    level.record(&[0.2]);
    LocalStreamView {
        audio: true,
        video: true,
        sends_audio: false,
        sends_video: false,
        spoke_muted: false,
        width: 1280,
        height: 720,
        fps: 29.8,
        camera_mode: Some((1280, 720, 30)),
        camera: "HD Webcam C920".into(),
        microphone: "Headset".into(),
        preview: slot(Some(picture(640, 360, false))),
        level: Arc::new(level),
        camera_fault: None,
        microphone_fault: None,
        speaker_fault: None,
    }
}

pub fn idle() -> Snapshot {
    let me = peer(9);
    Snapshot {
        me: Me {
            id: me,
            name: "Björn".into(),
            picture: None,
            link: format!("visavis:{me}?name=Bj%C3%B6rn"),
            invitation: None,
        },
        people: people(),
        history: history(1_790_000_000).into(),
        missed: 0,
        settings: Settings {
            display_name: "Björn".into(),
            language: visavis::store::Language::English,
            ..Settings::default()
        },
        devices: Devices {
            cameras: vec![CameraInfo {
                name: "HD Webcam C920".into(),
                modes: vec![(1280, 720, 30), (640, 480, 30)],
                fault: None,
            }],
            microphones: vec!["Headset".into(), "HD Webcam C920".into()],
            speakers: vec!["Headset".into(), "Built-in".into()],
        },
        local_stream: local_stream(),
        call: CallView::Idle,
        waiting: Vec::new(),
        do_not_disturb: false,
        outcome: None,
        servers: Vec::new(),
        notices: Vec::new(),
    }
}

pub fn outgoing(ringing: bool) -> Snapshot {
    let view = OutgoingView { invite: INVITE, peer: peer(1), name: "Ana Lindqvist".into(), ringing };
    let local_stream = LocalStreamView { sends_audio: true, sends_video: true, ..local_stream() };
    Snapshot { call: CallView::Outgoing(view), local_stream, ..idle() }
}

pub fn incoming(with_video: bool, known: bool) -> Snapshot {
    let view = IncomingView {
        invite: INVITE,
        peer: if known { peer(1) } else { peer(6) },
        name: if known { "Ana Lindqvist".into() } else { "Kitchen tablet".into() },
        user_data: "About the garden: do you have five minutes?".into(),
        known,
        namesake: None,
        with_video,
    };
    Snapshot { call: CallView::Incoming(view), ..idle() }
}

pub fn participant(number: u8, name: &str, video: bool) -> ParticipantView {
    let sent = SentStats {
        width: 1280,
        height: 720,
        fps: 29.7,
        kbps: 1480.0,
        asked_kbps: 1500.0,
        target_kbps: 2310.0,
        loss_percent: 0.2,
        frames: 900,
        packets_lost: 3,
        round_trip_ms: 18.2,
        jitter_ms: 1.4,
        delay_ms: 11.0,
        codec: "H.264".into(),
        ..SentStats::default()
    };
    let received = ReceivedStats {
        width: 1280,
        height: 720,
        fps: 29.9,
        kbps: 1390.0,
        packets_lost: 1,
        round_trip_ms: 18.4,
        jitter_ms: 2.0,
        delay_ms: 9.0,
        codec: "H.264".into(),
        frozen_ms: 240,
        ..ReceivedStats::default()
    };
    let camera = PictureView {
        stream: StreamId::CAMERA,
        kind: StreamKind::Camera,
        on: video,
        slot: slot(video.then(|| picture(640, 360, true))),
        sent,
        received,
    };
    ParticipantView {
        id: peer(number),
        name: name.into(),
        reconnecting: false,
        audio: true,
        muted_here: false,
        hidden_here: false,
        volume: Volume::default(),
        pictures: vec![camera],
        level: Arc::new(LevelMeter::default()),
        quality: Quality::Good,
        history: minute().into(),
    }
}

/// The same, who shares a screen, too.
pub fn with_screen(mut who: ParticipantView) -> ParticipantView {
    who.pictures.push(PictureView {
        stream: StreamId::SCREEN,
        kind: StreamKind::Screen,
        on: true,
        slot: slot(Some(picture(1280, 800, false))),
        sent: SentStats::default(),
        received: ReceivedStats { width: 1280, height: 800, fps: 12.0, ..ReceivedStats::default() },
    });
    who
}

/// A minute that had a bad quarter.
pub fn minute() -> Vec<CallSample> {
    let second = |second: u16| {
        let at = f32::from(second);
        let (bad, wave) = ((20..35).contains(&second), (at * 0.7).sin());
        CallSample {
            wanted_kbps: 1500.0,
            asked_kbps: if bad { 420.0 } else { 1500.0 },
            sent_kbps: if bad { 400.0 + 30.0 * wave } else { 1440.0 + 60.0 * wave },
            received_kbps: if bad { 600.0 + 80.0 * wave } else { 1390.0 + 40.0 * wave },
            sent_loss_percent: if bad { 9.0 + 3.0 * wave } else { 0.3 + 0.3 * wave },
            received_loss_percent: if bad { 4.0 + 2.0 * wave } else { 0.0 },
            round_trip_ms: if bad { 140.0 + 30.0 * wave } else { 18.0 + 2.0 * wave },
            latency_ms: if bad { 180.0 + 40.0 * wave } else { 45.0 + 5.0 * wave },
            frozen_ms: if bad && second.is_multiple_of(4) { 320.0 } else { 0.0 },
            concealed_ms: if bad { 40.0 } else { 0.0 },
            shown_whole: false,
        }
    };
    (0..60).map(second).collect()
}

/// The moment at which the made-up calls are looked at: 01:02:05 after they began.
pub const LOOKED_AT: MediaTime = MediaTime::from_millis(1_000_000 + 3_725_000);

pub fn conversation(participants: Vec<ParticipantView>) -> ConversationView {
    ConversationView {
        conversation: ConversationId::from_bits(3),
        status: ConversationStatus::Connected,
        connected_at: Some(LOOKED_AT - Duration::from_secs(3725)),
        participants,
    }
}

pub fn call(participants: Vec<ParticipantView>) -> Snapshot {
    let local_stream = LocalStreamView { sends_audio: true, sends_video: true, ..local_stream() };
    Snapshot { call: CallView::Conversation(conversation(participants)), local_stream, ..idle() }
}

pub fn ended(kind: OutcomeKind) -> Snapshot {
    let outcome = Outcome { peer: peer(1), name: "Ana Lindqvist".into(), kind };
    Snapshot { outcome: Some(outcome), ..idle() }
}
