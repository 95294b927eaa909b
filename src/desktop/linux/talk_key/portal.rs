//! Portal of global shortcuts (`org.freedesktop.portal.GlobalShortcuts`, version 1): the desktop asks the person for
//! the key, and tells of its press and its release.

use std::collections::HashMap;

use zbus::MatchRule;
use zbus::blocking::connection::Builder;
use zbus::blocking::{Connection, MessageIterator};
use zbus::message::{Message, Type};
use zbus::zvariant::{ObjectPath, OwnedObjectPath, OwnedValue, Value};

use crate::desktop::linux::talker::Talker;
use crate::store::TalkKey;
use crate::ui::APP_ID;

const PORTAL: &str = "org.freedesktop.portal.Desktop";
const PATH: &str = "/org/freedesktop/portal/desktop";
const SHORTCUTS: &str = "org.freedesktop.portal.GlobalShortcuts";
const REQUEST: &str = "org.freedesktop.portal.Request";
const SESSION: &str = "org.freedesktop.portal.Session";
const REGISTRY: &str = "org.freedesktop.host.portal.Registry";
/// Name of the one shortcut.
const SHORTCUT: &str = "push-to-talk";
/// Signals that wait to be looked at.
const QUEUE: usize = 16;

/// Options of the portal's calls.
type Options<'a> = HashMap<&'a str, Value<'a>>;

/// Ears at the portal, over a connection of their own; the session ends with it.
#[derive(Debug)]
pub(super) struct Ears {
    bus: Connection,
}

impl Ears {
    /// Asks for the key on a thread of its own, since the person may take their time.
    pub(super) fn open(
        key: TalkKey,
        description: &'static str,
        talker: Talker,
    ) -> Result<Self, Box<dyn std::error::Error>> {
        let bus = Builder::session()?.build()?;
        let listener = bus.clone();
        let listen = move || {
            if let Err(error) = listen(&listener, key, description, &talker) {
                tracing::info!("the desktop has no key for push to talk: {error}");
            }
            // Nobody hears of the release any more.
            talker.hold(false);
        };
        std::thread::Builder::new().name("talk key".into()).spawn(listen)?;
        Ok(Self { bus })
    }
}

impl Drop for Ears {
    fn drop(&mut self) {
        // The thread's signals end, too.
        let _already_gone = self.bus.clone().close();
    }
}

fn listen(bus: &Connection, key: TalkKey, description: &str, talker: &Talker) -> zbus::Result<()> {
    // Programs outside of a sandbox name themselves; older portals do not ask.
    let _old = bus.call_method(Some(PORTAL), PATH, Some(REGISTRY), "Register", &(APP_ID, Options::new()));
    // Listens first: an answer that comes at once is not lost.
    let rule = MatchRule::builder().msg_type(Type::Signal).sender(PORTAL)?.build();
    let mut signals = MessageIterator::for_match_rule(rule, bus, Some(QUEUE))?;
    let options = Options::from([("handle_token", "visavis".into()), ("session_handle_token", "visavis".into())]);
    let asked = bus.call_method(Some(PORTAL), PATH, Some(SHORTCUTS), "CreateSession", &(options,))?;
    let results = answer(&mut signals, &asked.body().deserialize()?)?;
    let session = results.get("session_handle").and_then(|handle| handle.downcast_ref::<&str>().ok());
    let session = ObjectPath::try_from(session.unwrap_or_default())?.into_owned();
    let (trigger, _) = key.keysym();
    let shortcut = Options::from([("description", description.into()), ("preferred_trigger", trigger.into())]);
    let options = Options::from([("handle_token", Value::from("visavis_key"))]);
    let shortcuts = [(SHORTCUT, shortcut)];
    let body = (&session, shortcuts.as_slice(), "", options);
    let asked = bus.call_method(Some(PORTAL), PATH, Some(SHORTCUTS), "BindShortcuts", &body)?;
    answer(&mut signals, &asked.body().deserialize()?)?;
    for signal in signals {
        let signal = signal?;
        if is_closed(&signal, &session) {
            return Err(zbus::Error::Failure("the session was closed".into()));
        }
        if let Some(held) = held(&signal, &session) {
            talker.hold(held);
        }
    }
    Ok(())
}

/// Results of a request, once the person has answered; an error where they refused.
fn answer(signals: &mut MessageIterator, request: &OwnedObjectPath) -> zbus::Result<HashMap<String, OwnedValue>> {
    for signal in signals {
        let signal = signal?;
        let header = signal.header();
        let is_it = header.path().is_some_and(|path| path == &**request);
        if is_it && header.interface().is_some_and(|name| name == REQUEST) {
            let body = signal.body();
            let (code, results): (u32, HashMap<String, OwnedValue>) = body.deserialize()?;
            return if code == 0 { Ok(results) } else { Err(zbus::Error::Failure("it was refused".into())) };
        }
    }
    Err(zbus::Error::Failure("the portal is gone".into()))
}

/// Whether a signal tells that the desktop has closed the session: no release of the key is told any more.
fn is_closed(signal: &Message, session: &ObjectPath<'_>) -> bool {
    let header = signal.header();
    header.interface().is_some_and(|name| name == SESSION) && header.path().is_some_and(|path| path == session)
}

/// Whether a signal tells that the shortcut of the session is held, or not any more.
fn held(signal: &Message, session: &ObjectPath<'_>) -> Option<bool> {
    let header = signal.header();
    if header.interface().is_none_or(|name| name != SHORTCUTS) {
        return None;
    }
    let held = match header.member()?.as_str() {
        "Activated" => true,
        "Deactivated" => false,
        _ => return None,
    };
    let body = signal.body();
    let (of, name, _, _): (ObjectPath<'_>, &str, u64, HashMap<&str, Value<'_>>) = body.deserialize().ok()?;
    (of == *session && name == SHORTCUT).then_some(held)
}
