//! The screen lock: a person who has left the computer is not seen any more. Sound goes on, and the camera is opened
//! again by the person alone.

use zbus::MatchRule;
use zbus::blocking::{Connection, MessageIterator};
use zbus::message::Type;

use crate::controller::{CallView, Command, Handle};

/// The interfaces that tell of it, by desktop.
const INTERFACES: [&str; 2] = ["org.freedesktop.ScreenSaver", "org.gnome.ScreenSaver"];
/// Signals that wait to be looked at.
const QUEUE: usize = 4;

/// Turns the camera off when the screen is locked in a call, or while calling, on threads of its own, until the bus is
/// gone.
pub(super) fn watch(bus: &Connection, handle: Handle) {
    for interface in INTERFACES {
        let signals = match signals_of(bus, interface) {
            Ok(signals) => signals,
            Err(error) => {
                tracing::info!("the screen lock is not heard of by {interface}: {error}");
                continue;
            }
        };
        let handle = handle.clone();
        let watch = move || {
            let locked = signals.flatten().filter(|signal| signal.body().deserialize::<bool>().unwrap_or_default());
            for _ in locked {
                hide(&handle);
            }
        };
        if let Err(error) = std::thread::Builder::new().name("screen lock".into()).spawn(watch) {
            tracing::warn!("no thread for the screen lock: {error}");
        }
    }
}

fn hide(handle: &Handle) {
    let Some(snapshot) = handle.snapshot() else { return };
    let calls = matches!(snapshot.call, CallView::Outgoing(_) | CallView::Conversation(_));
    if calls && snapshot.local_stream.sends_video {
        // An error means that the controller has ended.
        let _ = handle.send(Command::EnableVideo { on: false, participant: None });
    }
}

fn signals_of(bus: &Connection, interface: &'static str) -> zbus::Result<MessageIterator> {
    let rule = MatchRule::builder().msg_type(Type::Signal).interface(interface)?.member("ActiveChanged")?.build();
    MessageIterator::for_match_rule(rule, bus, Some(QUEUE))
}
