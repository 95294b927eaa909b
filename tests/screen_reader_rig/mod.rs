//! A screen reader (AT-SPI 2) on a session bus of its own: the accessible objects of the programs there, the presses
//! that they offer, and the announcements that they make.

#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::sync::mpsc::{Receiver, sync_channel};
use std::time::Instant;

use zbus::MatchRule;
use zbus::blocking::connection::Builder;
use zbus::blocking::{Connection, MessageIterator};
use zbus::message::Type;
use zbus::zvariant::{OwnedObjectPath, OwnedValue, Value};

use crate::support::bus::SessionBus;
use crate::support::process::{Launch, SOON};

const BUS: &str = "org.a11y.Bus";
const BUS_PATH: &str = "/org/a11y/bus";
const REGISTRY: &str = "org.a11y.atspi.Registry";
const ROOT: &str = "/org/a11y/atspi/accessible/root";
const ACCESSIBLE: &str = "org.a11y.atspi.Accessible";
const ACTION: &str = "org.a11y.atspi.Action";
const OBJECT_EVENT: &str = "org.a11y.atspi.Event.Object";
const PROPERTIES: &str = "org.freedesktop.DBus.Properties";

/// Numbers of atspi-constants.h: `ATSPI_STATE_FOCUSABLE`, `ATSPI_ROLE_FRAME`, and the roles that tell nothing,
/// `ATSPI_ROLE_INVALID` and `ATSPI_ROLE_UNKNOWN`.
const FOCUSABLE: u32 = 11;
const FRAME: u32 = 23;
const NO_ROLES: [u32; 2] = [0, 67];

/// Announcements that wait to be looked at.
const QUEUE: usize = 64;

/// Name of an object's program on the bus, and its path there.
type Address = (String, OwnedObjectPath);

/// An accessible object.
#[derive(Clone, Debug)]
pub struct Object {
    at: Address,
    pub name: String,
    role: u32,
    states: u64,
}

impl Object {
    /// The keyboard can come here.
    pub fn is_focusable(&self) -> bool {
        self.states >> FOCUSABLE & 1 == 1
    }

    /// It is a window.
    pub fn is_window(&self) -> bool {
        self.role == FRAME
    }

    /// A screen reader has something to say about it.
    pub fn is_told(&self) -> bool {
        !self.name.trim().is_empty() && !NO_ROLES.contains(&self.role)
    }
}

/// The screen reader.
pub struct ScreenReader {
    session: SessionBus,
    bus: Connection,
    announcements: Receiver<String>,
}

impl ScreenReader {
    /// Starts it; `None`, with the reason printed, where the system has no AT-SPI.
    pub fn start() -> Option<Self> {
        let session = SessionBus::start()?;
        let on_session = Builder::address(session.address()).and_then(Builder::build).expect("a bus of its own");
        let asked = on_session.call_method(Some(BUS), BUS_PATH, Some(BUS), "GetAddress", &());
        let Ok(answer) = asked else {
            crate::support::skip("there is no AT-SPI here (at-spi2-core)");
            return None;
        };
        let address: String = answer.body().deserialize().expect("as specified");
        // Programs show their objects while somebody reads them.
        let on = ("org.a11y.Status", "IsEnabled", Value::from(true));
        on_session.call_method(Some(BUS), BUS_PATH, Some(PROPERTIES), "Set", &on).expect("as specified");
        let bus = Builder::address(address.as_str()).and_then(Builder::build).expect("the bus of AT-SPI");
        let announcements = listen(&bus);
        Some(Self { session, bus, announcements })
    }

    /// A program that it reads.
    pub fn give_to(&self, launch: Launch) -> Launch {
        self.session.give_to(launch)
    }

    /// All objects of all programs as they are now, each before those in it; those that go meanwhile are left out.
    pub fn objects(&self) -> Vec<Object> {
        let mut objects = Vec::new();
        let mut left = self.children(&(REGISTRY.to_owned(), path(ROOT)));
        while let Some(at) = left.pop() {
            left.extend(self.children(&at).into_iter().rev());
            objects.extend(self.object(at));
        }
        objects
    }

    /// Waits until an object is as wanted.
    pub fn expect(&self, what: &str, wanted: impl Fn(&Object) -> bool) -> Object {
        let found = crate::support::poll(SOON, || self.objects().into_iter().find(|object| wanted(object)));
        found.unwrap_or_else(|| panic!("no {what} among {:#?}", self.objects()))
    }

    /// Waits until an object has this name.
    pub fn expect_name(&self, name: &str) -> Object {
        self.expect(name, |object| object.name == name)
    }

    /// Presses the object of this name, as soon as it is there, until `done`: a press in the first moments of a ring
    /// does nothing.
    pub fn press<T>(&self, name: &str, mut done: impl FnMut() -> Option<T>) -> T {
        let pressed = crate::support::poll(SOON, || {
            let object = self.objects().into_iter().find(|object| object.name == name && self.can_be_pressed(object));
            if let Some(object) = object {
                // An object that has just gone was pressed before.
                let _ = self.call(&object.at, ACTION, "DoAction", &(0_i32,));
            }
            done()
        });
        pressed.unwrap_or_else(|| panic!("{name} was pressed in vain"))
    }

    /// Waits until all of this has been announced, in whatever order.
    pub fn expect_announcements(&self, words: &[&str]) {
        let end = Instant::now() + SOON;
        let mut heard: Vec<String> = Vec::new();
        while !words.iter().all(|words| heard.iter().any(|said| said.contains(words))) {
            let left = end.saturating_duration_since(Instant::now());
            match self.announcements.recv_timeout(left) {
                Ok(said) => heard.push(said),
                Err(_) => panic!("{words:?} were not announced, but {heard:?}"),
            }
        }
    }

    fn can_be_pressed(&self, object: &Object) -> bool {
        self.property(&object.at, ACTION, "NActions").and_then(|count| i32::try_from(count).ok()).unwrap_or(0) > 0
    }

    fn object(&self, at: Address) -> Option<Object> {
        let name = String::try_from(self.property(&at, ACCESSIBLE, "Name")?).ok()?;
        let role = self.call(&at, ACCESSIBLE, "GetRole", &())?.body().deserialize().ok()?;
        let (low, high) = match *self.call(&at, ACCESSIBLE, "GetState", &())?.body().deserialize::<Vec<u32>>().ok()? {
            [low, high] => (low, high),
            _ => return None,
        };
        Some(Object { at, name, role, states: u64::from(high) << 32 | u64::from(low) })
    }

    fn children(&self, at: &Address) -> Vec<Address> {
        let answer = self.call(at, ACCESSIBLE, "GetChildren", &());
        answer.and_then(|answer| answer.body().deserialize().ok()).unwrap_or_default()
    }

    fn property(&self, at: &Address, interface: &str, name: &str) -> Option<OwnedValue> {
        self.call(at, PROPERTIES, "Get", &(interface, name))?.body().deserialize().ok()
    }

    /// Calls a method of an object; `None` where that is gone, or has no such method.
    fn call(
        &self,
        at: &Address,
        interface: &str,
        method: &str,
        arguments: &(impl serde::Serialize + zbus::zvariant::DynamicType),
    ) -> Option<zbus::Message> {
        self.bus.call_method(Some(at.0.as_str()), &at.1, Some(interface), method, arguments).ok()
    }
}

fn path(path: &'static str) -> OwnedObjectPath {
    OwnedObjectPath::try_from(path).expect("a path")
}

/// Announcements from now on, by a thread that ends with the bus.
fn listen(bus: &Connection) -> Receiver<String> {
    let rule = MatchRule::builder().msg_type(Type::Signal);
    let rule = rule.interface(OBJECT_EVENT).and_then(|rule| rule.member("Announcement")).expect("names").build();
    let signals = MessageIterator::for_match_rule(rule, bus, Some(QUEUE)).expect("the bus takes rules");
    let (sender, announcements) = sync_channel(QUEUE);
    std::thread::spawn(move || {
        for signal in signals.flatten() {
            let body = signal.body();
            let said = body.deserialize::<zbus::zvariant::Structure<'_>>().ok();
            let words = said.as_ref().and_then(|said| said.fields().get(3)).and_then(words_of);
            if words.is_some_and(|words| sender.send(words).is_err()) {
                return;
            }
        }
    });
    announcements
}

/// The words in a value that may be wrapped in another one.
fn words_of(value: &Value<'_>) -> Option<String> {
    match value {
        Value::Value(inner) => words_of(inner),
        Value::Str(words) => Some(words.to_string()),
        _ => None,
    }
}

/// Somebody in the place of AT-SPI who knows nothing of it, so that no other is started.
pub struct Nobody {
    asked: Receiver<()>,
}

struct Nothing;

#[zbus::interface(name = "org.visavis.Nothing")]
impl Nothing {}

impl Nobody {
    /// Takes the place on a bus.
    pub fn on(bus: &SessionBus) -> Self {
        let place = Builder::address(bus.address())
            .and_then(|builder| builder.serve_at("/org/visavis/nothing", Nothing))
            .and_then(|builder| builder.name(BUS))
            .and_then(Builder::build)
            .expect("a bus of its own");
        let (sender, asked) = sync_channel(QUEUE);
        std::thread::spawn(move || {
            for message in MessageIterator::from(place).flatten() {
                let header = message.header();
                let is_asked =
                    header.message_type() == Type::MethodCall && header.path().is_some_and(|at| at == BUS_PATH);
                if is_asked && sender.send(()).is_err() {
                    return;
                }
            }
        });
        Self { asked }
    }

    /// Waits until a program has asked for AT-SPI.
    pub fn expect_asked(&self) {
        self.asked.recv_timeout(SOON).expect("the program asks for AT-SPI");
    }
}
