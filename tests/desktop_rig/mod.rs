//! A desktop's services on a message bus of their own: notifications, the screen saver and the tray, in the test's
//! hands.

#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::collections::HashMap;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use zbus::blocking::Connection;
use zbus::blocking::connection::Builder;
use zbus::zvariant::{OwnedValue, Value};

use crate::support::bus::SessionBus;
use crate::support::process::{Launch, SOON};

const NOTIFICATIONS: &str = "org.freedesktop.Notifications";
const NOTIFICATIONS_PATH: &str = "/org/freedesktop/Notifications";
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
        Item { bus: self.services.clone(), name }
    }

    /// A program of this desktop.
    pub fn give_to(&self, launch: Launch) -> Launch {
        self.bus.give_to(launch)
    }

    /// The next call that is `wanted`; others are passed over.
    pub fn expect<T>(&self, wanted: impl Fn(Called) -> Option<T>) -> T {
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

fn invoke(program: &Connection, id: u32, action: &str) {
    let signal = program.emit_signal(None::<()>, NOTIFICATIONS_PATH, NOTIFICATIONS, "ActionInvoked", &(id, action));
    signal.expect("the bus takes signals");
}
