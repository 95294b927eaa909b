//! Linux desktops, over D-Bus: notifications (`notifications`), the screen lock (`screen_lock`), sleep (`inhibitor`),
//! and the appearance that the desktop asks for (`appearance`).

mod appearance;
mod inhibitor;
mod notifications;
mod screen_lock;

use std::time::Duration;

use zbus::blocking::Connection;
use zbus::blocking::connection::Builder;

use super::alerts::{Alert, Alerts};
use super::bell::Rings;
use crate::controller::{CallView, Handle};
use crate::ui::{Text, WindowHandle, Words};
use inhibitor::Inhibitor;
use notifications::Notifications;

/// For an answer of the desktop.
const ANSWER: Duration = Duration::from_secs(5);
/// Between looks whether the window still has the person's attention, while somebody rings.
const ATTENTION: Duration = Duration::from_secs(1);

/// Attends until the controller has ended.
pub(super) fn attend(rings: &Rings, handle: &Handle, window: &WindowHandle, locale: &str) {
    let bus = match connect() {
        Ok(bus) => bus,
        Err(error) => return tracing::info!("no desktop is reached over D-Bus: {error}"),
    };
    let mut notifications = Notifications::new(bus.clone(), handle.clone(), window.clone());
    screen_lock::watch(&bus, handle.clone());
    appearance::watch(&bus, window.clone());
    let mut inhibitor = Inhibitor::new(bus);
    let mut alerts = Alerts::default();
    let mut within = None;
    while rings.wait(within) {
        let Some(snapshot) = handle.snapshot() else { break };
        let words = Words::of(snapshot.settings.language, locale);
        for alert in alerts.follow(&snapshot.call, &snapshot.history, window.has_attention()) {
            match alert {
                Alert::Ring(incoming) => notifications.ring(&incoming, words),
                Alert::RingEnded => notifications.end_ring(),
                Alert::Missed(call) => notifications.missed(&call, words),
            }
        }
        // The window may lose the person's attention meanwhile.
        within = matches!(snapshot.call, CallView::Incoming(_)).then_some(ATTENTION);
        let in_call = matches!(snapshot.call, CallView::Conversation(_));
        inhibitor.follow(in_call.then(|| words.get(Text::InCall)));
    }
    notifications.end_ring();
}

fn connect() -> zbus::Result<Connection> {
    Builder::session()?.method_timeout(ANSWER).build()
}
