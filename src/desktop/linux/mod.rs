//! Linux desktops, over D-Bus: notifications (`notifications`), the tray (`tray`), the screen lock (`screen_lock`),
//! sleep (`inhibitor`), media keys (`media_player`), push to talk in other windows (`talk_key`), the appearance that
//! the desktop asks for (`appearance`), and a window where nothing else shows the program (`unseen`).

mod appearance;
mod inhibitor;
mod media_player;
mod notifications;
mod screen_lock;
mod talk_key;
mod talker;
mod tray;
mod unseen;

use std::path::Path;
use std::time::{Duration, Instant};

use zbus::blocking::Connection;
use zbus::blocking::connection::Builder;

use super::alerts::{Alert, Alerts};
use super::autostart::Autostart;
use super::bell::Rings;
use crate::controller::{CallView, Command, Handle};
use crate::store::SettingsChange;
use crate::ui::{Text, WindowHandle, WindowRequest, Words};
use inhibitor::Inhibitor;
use media_player::MediaPlayer;
use notifications::Notifications;
use talk_key::TalkKeyEars;
use tray::Tray;
use unseen::Unseen;

/// For an answer of the desktop.
const ANSWER: Duration = Duration::from_secs(5);
/// Between looks whether the window still has the person's attention, while somebody rings.
const ATTENTION: Duration = Duration::from_secs(1);

/// Attends until the controller has ended.
pub(super) fn attend(rings: &Rings, handle: &Handle, window: &WindowHandle, locale: &str, profile: Option<&Path>) {
    match connect() {
        Ok(bus) => attend_on(bus, rings, handle, window, locale, profile),
        Err(error) => {
            tracing::info!("no desktop is reached over D-Bus: {error}");
            if !window.is_open() {
                window.ask(WindowRequest::Raise);
            }
            while rings.wait(None) && handle.snapshot().is_some() {}
        }
    }
    // Without a window, nobody else notices that the controller has ended.
    window.ask(WindowRequest::Quit);
}

fn attend_on(
    bus: Connection,
    rings: &Rings,
    handle: &Handle,
    window: &WindowHandle,
    locale: &str,
    profile: Option<&Path>,
) {
    let Some(first) = handle.snapshot() else { return };
    let mut tray = Tray::new(&first, locale, handle.clone(), window.clone(), rings.bell());
    let mut start = SessionStart::new(profile, first.settings.autostart, handle);
    let mut notifications = Notifications::new(bus.clone(), handle.clone(), window.clone());
    screen_lock::watch(&bus, handle.clone());
    appearance::watch(&bus, window.clone());
    let mut player = MediaPlayer::new(bus.clone(), handle.clone(), window.clone());
    let mut talk_key = TalkKeyEars::new(handle.clone());
    let mut inhibitor = Inhibitor::new(bus);
    let mut alerts = Alerts::default();
    let mut unseen = Unseen::default();
    // At once: nothing may show the program.
    let mut within = Some(Duration::ZERO);
    while rings.wait(within) {
        let Some(snapshot) = handle.snapshot() else { break };
        let words = Words::of(snapshot.settings.language, locale);
        tray.follow(&snapshot);
        player.follow(&snapshot, words);
        talk_key.follow(&snapshot, words);
        start.follow(snapshot.settings.autostart, handle);
        for alert in alerts.follow(&snapshot, window.has_attention()) {
            match alert {
                // Where nothing else tells of the ring, the window does.
                Alert::Ring(incoming) => {
                    if !notifications.ring(&incoming, words) && !window.is_open() {
                        window.ask(WindowRequest::Raise);
                    }
                }
                Alert::RingEnded => notifications.end_ring(),
                Alert::Missed(call) => notifications.missed(&call, words),
            }
        }
        // The window may lose the person's attention meanwhile.
        let rings = matches!(snapshot.call, CallView::Incoming(_)) || !snapshot.waiting.is_empty();
        let is_open = window.is_open();
        let now = Instant::now();
        if unseen.follow(now, is_open || window.has_tray()) {
            tracing::info!("the desktop shows no tray: a window is opened");
            window.ask(WindowRequest::Raise);
        }
        // The tray wakes this thread when it comes or goes.
        within = if rings { Some(ATTENTION) } else { unseen.left(now) };
        let in_call = matches!(snapshot.call, CallView::Conversation(_));
        inhibitor.follow(in_call.then(|| words.get(Text::InCall)));
    }
    notifications.end_ring();
}

/// The start with the session, which follows its setting.
struct SessionStart {
    entry: Option<Autostart>,
    /// The setting as it was last seen.
    seen: bool,
}

impl SessionStart {
    /// An entry that the person has removed by the desktop's own means turns the setting off; one of a program that was
    /// at another path is written anew.
    fn new(profile: Option<&Path>, on: bool, handle: &Handle) -> Self {
        let entry = Autostart::new(profile);
        let start = Self { seen: on, entry };
        match &start.entry {
            Some(entry) if on && !entry.exists() => turn_off(handle),
            Some(entry) if on && !entry.is_on() => start.write(true, handle),
            Some(_) | None => {}
        }
        start
    }

    fn follow(&mut self, on: bool, handle: &Handle) {
        if std::mem::replace(&mut self.seen, on) != on {
            self.write(on, handle);
        }
    }

    fn write(&self, on: bool, handle: &Handle) {
        let written = self.entry.as_ref().map_or(Err(std::io::ErrorKind::NotFound.into()), |entry| entry.set(on));
        if let Err(error) = written {
            tracing::warn!("the start with the desktop could not be changed: {error}");
            if on {
                turn_off(handle);
            }
        }
    }
}

/// Makes the setting say how it is. An error means that the controller has ended.
fn turn_off(handle: &Handle) {
    tracing::info!("the desktop does not start this program: autostart is off");
    let _ = handle.send(Command::UpdateSettings { settings: SettingsChange::one("autostart", false) });
}

fn connect() -> zbus::Result<Connection> {
    Builder::session()?.method_timeout(ANSWER).build()
}
