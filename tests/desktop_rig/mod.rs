//! A desktop's services on a message bus of their own: notifications, the screen saver and the tray, in the test's
//! hands.

#![allow(dead_code, reason = "each test file uses its own part of this module")]
#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::collections::HashMap;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use zbus::blocking::Connection;
use zbus::blocking::connection::Builder;
use zbus::zvariant::{OwnedObjectPath, OwnedValue, Value};

use crate::support::bus::SessionBus;
use crate::support::process::{Launch, SOON};

const NOTIFICATIONS: &str = "org.freedesktop.Notifications";
const NOTIFICATIONS_PATH: &str = "/org/freedesktop/Notifications";
const PLAYER: &str = "org.mpris.MediaPlayer2.visavis";
const PLAYER_PATH: &str = "/org/mpris/MediaPlayer2";
const PORTAL_PATH: &str = "/org/freedesktop/portal/desktop";
const SESSION_PATH: &str = "/org/freedesktop/portal/desktop/session/test/visavis";
const SCREEN_SAVER: &str = "org.freedesktop.ScreenSaver";
const SCREEN_SAVER_PATH: &str = "/org/freedesktop/ScreenSaver";

/// A call of one of the services.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Called {
    Notify(Notification),
    Close(u32),
    Inhibit,
    UnInhibit,
    /// An item for the tray, by the name of its program on the bus.
    Item(String),
    /// A global shortcut, by its name and the key that is wished for.
    Shortcut(String, String),
}

/// A notification that is to be shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notification {
    pub id: u32,
    pub title: String,
    pub body: String,
    /// Keys of the buttons, without their words.
    pub actions: Vec<String>,
    pub urgency: u8,
    pub time_ms: i32,
}

struct Notifications {
    calls: SyncSender<Called>,
    last: u32,
}

#[zbus::interface(name = "org.freedesktop.Notifications")]
impl Notifications {
    #[allow(clippy::too_many_arguments, reason = "the specification's")]
    fn notify(
        &mut self,
        _program: String,
        _replaces: u32,
        _icon: String,
        title: String,
        body: String,
        actions: Vec<String>,
        hints: HashMap<String, OwnedValue>,
        time_ms: i32,
    ) -> u32 {
        self.last += 1;
        let urgency = hints.get("urgency").and_then(|value| u8::try_from(value).ok()).expect("an urgency");
        let actions = actions.into_iter().step_by(2).collect();
        let shown = Notification { id: self.last, title, body, actions, urgency, time_ms };
        self.calls.send(Called::Notify(shown)).expect("the test listens");
        self.last
    }

    fn close_notification(&self, id: u32) {
        self.calls.send(Called::Close(id)).expect("the test listens");
    }
}

struct ScreenSaver(SyncSender<Called>);

#[zbus::interface(name = "org.freedesktop.ScreenSaver")]
impl ScreenSaver {
    fn inhibit(&self, _program: String, reason: String) -> u32 {
        assert!(!reason.is_empty());
        self.0.send(Called::Inhibit).expect("the test listens");
        42
    }

    #[zbus(name = "UnInhibit")]
    fn un_inhibit(&self, cookie: u32) {
        assert_eq!(cookie, 42);
        self.0.send(Called::UnInhibit).expect("the test listens");
    }
}

/// The tray; one that hangs takes an item and never answers.
struct TrayWatcher {
    calls: SyncSender<Called>,
    hangs: bool,
}

#[zbus::interface(name = "org.kde.StatusNotifierWatcher")]
impl TrayWatcher {
    async fn register_status_notifier_item(&self, service: String) {
        self.calls.send(Called::Item(service)).expect("the test listens");
        if self.hangs {
            std::future::pending::<()>().await;
        }
    }

    #[zbus(property)]
    fn is_status_notifier_host_registered(&self) -> bool {
        true
    }
}

/// The portal of global shortcuts; its person agrees to everything.
struct Shortcuts(SyncSender<Called>);

impl Shortcuts {
    /// Answers a request of the sender.
    async fn answer(bus: &zbus::Connection, sender: &str, token: &OwnedValue, results: Results) -> OwnedObjectPath {
        let token = <&str>::try_from(token).expect("a token");
        let sender = sender.trim_start_matches(':').replace('.', "_");
        let path = format!("{PORTAL_PATH}/request/{sender}/{token}");
        let body = (0_u32, results);
        let sent = bus.emit_signal(None::<()>, &*path, "org.freedesktop.portal.Request", "Response", &body).await;
        sent.expect("the bus takes signals");
        OwnedObjectPath::try_from(path).expect("a path")
    }
}

/// Results of a request at a portal, and options of one.
type Results = HashMap<String, OwnedValue>;

#[zbus::interface(name = "org.freedesktop.portal.GlobalShortcuts")]
impl Shortcuts {
    async fn create_session(
        &self,
        options: Results,
        #[zbus(connection)] bus: &zbus::Connection,
        #[zbus(header)] header: zbus::message::Header<'_>,
    ) -> OwnedObjectPath {
        let session = OwnedValue::try_from(Value::from(SESSION_PATH)).expect("text");
        let results = HashMap::from([("session_handle".to_owned(), session)]);
        let sender = header.sender().expect("a sender").to_string();
        Self::answer(bus, &sender, &options["handle_token"], results).await
    }

    async fn bind_shortcuts(
        &self,
        session: OwnedObjectPath,
        shortcuts: Vec<(String, Results)>,
        _parent: String,
        options: Results,
        #[zbus(connection)] bus: &zbus::Connection,
        #[zbus(header)] header: zbus::message::Header<'_>,
    ) -> OwnedObjectPath {
        assert_eq!(session.as_str(), SESSION_PATH);
        for (name, properties) in shortcuts {
            let trigger = <&str>::try_from(&properties["preferred_trigger"]).expect("a key").to_owned();
            self.0.send(Called::Shortcut(name, trigger)).expect("the test listens");
        }
        let sender = header.sender().expect("a sender").to_string();
        Self::answer(bus, &sender, &options["handle_token"], Results::new()).await
    }
}

/// The bus and its services. They end when this is dropped.
pub struct Desktop {
    bus: SessionBus,
    services: Connection,
    caller: SyncSender<Called>,
    calls: Receiver<Called>,
}

impl Desktop {
    /// Starts them; `None`, with the reason printed, where there is no message bus.
    pub fn start() -> Option<Self> {
        let bus = SessionBus::start()?;
        let (sender, calls) = sync_channel(64);
        let notifications = Notifications { calls: sender.clone(), last: 0 };
        let services = Builder::address(bus.address())
            .and_then(|builder| builder.serve_at(NOTIFICATIONS_PATH, notifications))
            .and_then(|builder| builder.serve_at(SCREEN_SAVER_PATH, ScreenSaver(sender.clone())))
            .and_then(|builder| builder.name(NOTIFICATIONS))
            .and_then(|builder| builder.name(SCREEN_SAVER))
            .and_then(Builder::build)
            .expect("the services start");
        Some(Self { bus, services, caller: sender, calls })
    }

    /// The same with a tray.
    pub fn with_tray(self) -> Self {
        self.serve_tray(false)
    }

    /// The same with a tray that never answers.
    pub fn with_tray_that_hangs(self) -> Self {
        self.serve_tray(true)
    }

    /// The same with a portal of global shortcuts.
    pub fn with_shortcuts(self) -> Self {
        self.services.object_server().at(PORTAL_PATH, Shortcuts(self.caller.clone())).expect("a path of its own");
        self.services.request_name("org.freedesktop.portal.Desktop").expect("a bus of its own");
        self
    }

    /// Presses a global shortcut, or releases it.
    pub fn hold_shortcut(&self, name: &str, held: bool) {
        let session = OwnedObjectPath::try_from(SESSION_PATH).expect("a path");
        let body = (session, name, 0_u64, HashMap::<String, OwnedValue>::new());
        let member = if held { "Activated" } else { "Deactivated" };
        let interface = "org.freedesktop.portal.GlobalShortcuts";
        let signal = self.services.emit_signal(None::<()>, PORTAL_PATH, interface, member, &body);
        signal.expect("the bus takes signals");
    }

    fn serve_tray(self, hangs: bool) -> Self {
        let watcher = TrayWatcher { calls: self.caller.clone(), hangs };
        self.services.object_server().at("/StatusNotifierWatcher", watcher).expect("a path of its own");
        self.services.request_name("org.kde.StatusNotifierWatcher").expect("a bus of its own");
        self
    }

    /// The next item in the tray.
    pub fn expect_item(&self) -> Item {
        let name = self.expect(|call| match call {
            Called::Item(name) => Some(name),
            _ => None,
        });
        self.item(name)
    }

    /// The item of a program in the tray, by the program's name on the bus.
    pub fn item(&self, name: String) -> Item {
        Item { bus: self.services.clone(), name }
    }

    /// A program of this desktop.
    pub fn give_to(&self, launch: Launch) -> Launch {
        self.bus.give_to(launch)
    }

    /// The next call that is `wanted`; others are passed over.
    pub fn expect<T>(&self, mut wanted: impl FnMut(Called) -> Option<T>) -> T {
        loop {
            let call = self.calls.recv_timeout(SOON).expect("the program calls in time");
            if let Some(found) = wanted(call) {
                return found;
            }
        }
    }

    /// The next notification.
    pub fn expect_notification(&self) -> Notification {
        self.expect(|call| match call {
            Called::Notify(shown) => Some(shown),
            _ => None,
        })
    }

    /// The next call is this one, others passed over.
    pub fn expect_call(&self, wanted: &Called) {
        self.expect(|call| (call == *wanted).then_some(()));
    }

    /// The program as a player of media, once it is announced.
    pub fn expect_player(&self) -> Player {
        let there = crate::support::poll(SOON, || self.has_player().then_some(()));
        assert!(there.is_some(), "the program is no player of media");
        Player { bus: self.services.clone() }
    }

    /// Whether the program is announced as a player of media.
    pub fn has_player(&self) -> bool {
        let name = Some("org.freedesktop.DBus");
        let answer = self.services.call_method(name, "/org/freedesktop/DBus", name, "NameHasOwner", &(PLAYER,));
        answer.expect("the bus answers").body().deserialize().expect("as specified")
    }

    /// Waits until it is not any more.
    pub fn expect_no_player(&self) {
        let gone = crate::support::poll(SOON, || (!self.has_player()).then_some(()));
        assert!(gone.is_some(), "the program stays a player of media");
    }

    /// Presses a button of a notification.
    pub fn press(&self, id: u32, action: &str) {
        invoke(&self.services, id, action);
    }

    /// The same signal, from a program that shows no notifications.
    pub fn forge_press(&self, id: u32, action: &str) {
        let stranger = Builder::address(self.bus.address()).and_then(Builder::build).expect("a connection");
        invoke(&stranger, id, action);
    }

    /// Locks the screen.
    pub fn lock_screen(&self) {
        let signal = self.services.emit_signal(None::<()>, SCREEN_SAVER_PATH, SCREEN_SAVER, "ActiveChanged", &(true,));
        signal.expect("the bus takes signals");
    }
}

/// A line of a menu: number, properties, and the lines under it.
type Line = (i32, HashMap<String, OwnedValue>, Vec<OwnedValue>);

/// The number and the properties of a line under another one.
fn line_of(line: &Value<'_>) -> Option<(i32, HashMap<String, OwnedValue>)> {
    let Value::Structure(line) = line else { return None };
    let [id, properties, ..] = line.fields() else { return None };
    Some((i32::try_from(id).ok()?, HashMap::try_from(properties.try_clone().ok()?).ok()?))
}

/// A program's item in the tray.
pub struct Item {
    bus: Connection,
    name: String,
}

impl Item {
    /// Presses the item itself.
    pub fn activate(&self) {
        let interface = Some("org.kde.StatusNotifierItem");
        let pressed = self.bus.call_method(Some(&*self.name), "/StatusNotifierItem", interface, "Activate", &(1, 1));
        pressed.expect("the item is there");
    }

    /// Waits until the item's one line says this.
    pub fn expect_title(&self, wanted: &str) {
        let said = crate::support::poll(SOON, || {
            let asked = ("org.kde.StatusNotifierItem", "Title");
            let interface = Some("org.freedesktop.DBus.Properties");
            let name = Some(&*self.name);
            let answer = self.bus.call_method(name, "/StatusNotifierItem", interface, "Get", &asked).ok()?;
            let title: OwnedValue = answer.body().deserialize().ok()?;
            (String::try_from(title).ok()? == wanted).then_some(())
        });
        assert!(said.is_some(), "the item does not say {wanted}");
    }

    /// The lines of the menu: number, words, and whether they are ticked.
    fn menu(&self) -> Vec<(i32, String, bool)> {
        let asked = (0, -1, Vec::<String>::new());
        let interface = Some("com.canonical.dbusmenu");
        let answer = self.bus.call_method(Some(&*self.name), "/MenuBar", interface, "GetLayout", &asked);
        let answer = answer.expect("the item has a menu");
        let (_, root): (u32, Line) = answer.body().deserialize().expect("as specified");
        let lines = root.2.iter().map(|line| line_of(line).expect("as specified"));
        let said = lines.filter_map(|(id, mut line)| {
            let ticked = line.remove("toggle-state").and_then(|value| i32::try_from(value).ok()) == Some(1);
            Some((id, String::try_from(line.remove("label")?).ok()?, ticked))
        });
        said.collect()
    }

    /// Waits for a line of the menu, ticked or not, and presses it.
    pub fn press(&self, label: &str, ticked: bool) {
        // The lines get other numbers whenever the menu changes.
        let pressed = crate::support::poll(SOON, || {
            let lines = self.menu().into_iter();
            let (id, ..) = lines.rev().find(|(_, said, is_ticked)| said == label && *is_ticked == ticked)?;
            let event = (id, "clicked", Value::from(0), 0_u32);
            let interface = Some("com.canonical.dbusmenu");
            self.bus.call_method(Some(&*self.name), "/MenuBar", interface, "Event", &event).ok()
        });
        assert!(pressed.is_some(), "{label} is not in the menu: {:?}", self.menu());
    }
}

/// A program as a player of media (MPRIS 2.2), as the desktop works it by media keys.
pub struct Player {
    bus: Connection,
}

impl Player {
    /// Presses a key, by its name in the interface.
    pub fn press(&self, key: &str) {
        let interface = Some("org.mpris.MediaPlayer2.Player");
        self.bus.call_method(Some(PLAYER), PLAYER_PATH, interface, key, &()).expect("the player is there");
    }

    fn property(&self, name: &str) -> Option<OwnedValue> {
        let asked = ("org.mpris.MediaPlayer2.Player", name);
        let interface = Some("org.freedesktop.DBus.Properties");
        let answer = self.bus.call_method(Some(PLAYER), PLAYER_PATH, interface, "Get", &asked).ok()?;
        answer.body().deserialize().ok()
    }

    /// Whether the player says this status.
    pub fn says(&self, status: &str) -> bool {
        self.property("PlaybackStatus").and_then(|said| String::try_from(said).ok()).is_some_and(|said| said == status)
    }

    /// Waits until the player says this status.
    pub fn expect_status(&self, wanted: &str) {
        let said = || self.says(wanted).then_some(());
        assert!(crate::support::poll(SOON, said).is_some(), "not {wanted}: {:?}", self.property("PlaybackStatus"));
    }

    /// The data of its track, as text.
    pub fn metadata(&self) -> String {
        format!("{:?}", self.property("Metadata").expect("the player is there"))
    }
}

fn invoke(program: &Connection, id: u32, action: &str) {
    let signal = program.emit_signal(None::<()>, NOTIFICATIONS_PATH, NOTIFICATIONS, "ActionInvoked", &(id, action));
    signal.expect("the bus takes signals");
}
