//! Item of the program in the desktop's tray (StatusNotifierItem), with a menu: the window, do not disturb, microphone
//! and camera in a call, the end. Desktops without a tray show nothing, and the window is told so.
//!
//! The item is served on a thread of its own that nobody waits for: a tray that does not answer holds up neither the
//! notifications nor the end.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ksni::blocking::TrayMethods;
use ksni::menu::{CheckmarkItem, MenuItem, StandardItem};
use ksni::{Icon, OfflineReason, Status};

use crate::controller::{CallView, Command, Handle, Snapshot};
use crate::desktop::bell::{Bell, InnerBell, Rings, bell};
use crate::store::SettingsChange;
use crate::ui::{APP_ID, TITLE, Text, WindowHandle, WindowRequest, Words};

const ICON: &[u8] = include_bytes!("../../../assets/icon.png");
/// Side of the icon in pixels.
const ICON_SIZE: u32 = 64;
/// Colour of the mark of missed calls.
const MARK: [u8; 4] = [0xff, 0xd9, 0x3a, 0x2b];

/// Part of a snapshot that the item shows.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Look {
    language: crate::store::Language,
    missed: u32,
    ringing: Option<String>,
    /// In a call: whether sound and the camera's picture are sent.
    sends: Option<(bool, bool)>,
    /// Nothing rings now, by the switch or by the quiet hours.
    do_not_disturb: bool,
    /// The switch itself.
    switch: bool,
}

impl Look {
    fn of(snapshot: &Snapshot) -> Self {
        let waiting = || snapshot.waiting.first().map(|incoming| incoming.name.clone());
        let stream = &snapshot.local_stream;
        let (ringing, sends) = match &snapshot.call {
            CallView::Incoming(incoming) => (Some(incoming.name.clone()), None),
            CallView::Conversation(_) => (waiting(), Some((stream.sends_audio, stream.sends_video))),
            CallView::Idle | CallView::Outgoing(_) => (waiting(), None),
        };
        Self {
            language: snapshot.settings.language,
            missed: snapshot.missed,
            ringing,
            sends,
            do_not_disturb: snapshot.do_not_disturb,
            switch: snapshot.settings.do_not_disturb,
        }
    }

    /// One line about the program.
    fn title(&self, words: Words) -> String {
        match (&self.ringing, self.missed) {
            (Some(name), _) => words.with_name(Text::WaitingCall, name),
            (None, 0) => TITLE.to_owned(),
            (None, missed) => words.fill(Text::TrayMissed, &[("count", &missed.to_string())]),
        }
    }
}

/// The item as `ksni` asks for it.
struct TrayItem {
    look: Look,
    locale: String,
    handle: Handle,
    window: WindowHandle,
    icon: Vec<u8>,
    /// False once the desktop has said that it shows no tray. The window is told under the lock, so that the latest
    /// word holds.
    shown: Arc<Mutex<bool>>,
    /// Wakes the desktop's thread when the tray comes or goes.
    desktop: InnerBell,
}

impl TrayItem {
    fn words(&self) -> Words {
        Words::of(self.look.language, &self.locale)
    }

    fn send(&self, command: Command) {
        // An error means that the controller has ended, and the item with it.
        let _ = self.handle.send(command);
    }

    fn standard(&self, text: Text, press: impl Fn(&mut Self) + Send + 'static) -> MenuItem<Self> {
        let label = self.words().get(text).replace('_', "__");
        StandardItem { label, activate: Box::new(press), ..Default::default() }.into()
    }

    fn checked(&self, text: Text, checked: bool, press: impl Fn(&mut Self) + Send + 'static) -> CheckmarkItem<Self> {
        let label = self.words().get(text).replace('_', "__");
        CheckmarkItem { label, checked, activate: Box::new(press), ..Default::default() }
    }

    fn tell_shown(&self, shown: bool) {
        let mut told = lock(&self.shown);
        *told = shown;
        self.window.set_tray(shown);
        self.desktop.ring();
    }
}

impl ksni::Tray for TrayItem {
    fn id(&self) -> String {
        APP_ID.to_owned()
    }

    fn title(&self) -> String {
        self.look.title(self.words())
    }

    fn tool_tip(&self) -> ksni::ToolTip {
        ksni::ToolTip { title: self.look.title(self.words()), ..Default::default() }
    }

    fn status(&self) -> Status {
        if self.look.ringing.is_some() { Status::NeedsAttention } else { Status::Active }
    }

    fn icon_name(&self) -> String {
        // The desktop's own icon has no mark.
        if self.look.missed == 0 { APP_ID.to_owned() } else { String::new() }
    }

    fn icon_pixmap(&self) -> Vec<Icon> {
        let (width, height) = (ICON_SIZE as i32, ICON_SIZE as i32);
        let data = if self.look.missed == 0 { self.icon.clone() } else { marked(&self.icon) };
        if data.is_empty() { Vec::new() } else { vec![Icon { width, height, data }] }
    }

    fn attention_icon_name(&self) -> String {
        APP_ID.to_owned()
    }

    fn attention_icon_pixmap(&self) -> Vec<Icon> {
        self.icon_pixmap()
    }

    fn activate(&mut self, _x: i32, _y: i32) {
        self.window.ask(WindowRequest::Raise);
    }

    fn menu(&self) -> Vec<MenuItem<Self>> {
        let mut menu = vec![self.standard(Text::TrayOpen, |item| item.window.ask(WindowRequest::Raise))];
        let do_not_disturb = self.checked(Text::TrayDoNotDisturb, self.look.do_not_disturb, |item| {
            let change = SettingsChange::one("do_not_disturb", !item.look.switch);
            item.send(Command::UpdateSettings { settings: change });
        });
        // The switch does not end quiet hours.
        let enabled = self.look.do_not_disturb == self.look.switch;
        menu.push(CheckmarkItem { enabled, ..do_not_disturb }.into());
        if let Some((sound, picture)) = self.look.sends {
            menu.push(MenuItem::Separator);
            let microphone = self.checked(Text::TrayMicrophone, sound, move |item| {
                item.send(Command::EnableAudio { on: !sound, participant: None });
            });
            let camera = self.checked(Text::TrayCamera, picture, move |item| {
                item.send(Command::EnableVideo { on: !picture, participant: None });
            });
            menu.extend([microphone.into(), camera.into()]);
            menu.push(self.standard(Text::TrayHangUp, |item| item.send(Command::Leave)));
        }
        menu.push(MenuItem::Separator);
        menu.push(self.standard(Text::TrayQuit, |item| item.window.ask(WindowRequest::Quit)));
        menu
    }

    fn watcher_online(&self) {
        self.tell_shown(true);
    }

    fn watcher_offline(&self, reason: OfflineReason) -> bool {
        tracing::info!(?reason, "the desktop shows no tray");
        self.tell_shown(false);
        // It may come up later, as at the beginning of a session.
        true
    }
}

/// The item in the tray, until it is dropped.
pub(super) struct Tray {
    /// The look that the item is to have, and the bell of the thread that serves it.
    look: Arc<Mutex<Look>>,
    bell: Bell,
}

impl Tray {
    /// Shows the item where the desktop has a tray, now or later. Never waits.
    pub(super) fn new(
        snapshot: &Snapshot,
        locale: &str,
        handle: Handle,
        window: WindowHandle,
        desktop: InnerBell,
    ) -> Self {
        let look = Look::of(snapshot);
        let (shown, icon) = (Arc::new(Mutex::new(true)), icon());
        let item = TrayItem { look: look.clone(), locale: locale.to_owned(), handle, window, icon, shown, desktop };
        let (look, (bell, rings)) = (Arc::new(Mutex::new(look)), bell());
        let served = Arc::clone(&look);
        let started = std::thread::Builder::new().name("tray".into()).spawn(move || serve(item, &served, &rings));
        if let Err(error) = started {
            tracing::warn!("no thread for the tray: {error}");
        }
        Self { look, bell }
    }

    /// Shows the item as the snapshot has it.
    pub(super) fn follow(&mut self, snapshot: &Snapshot) {
        let look = Look::of(snapshot);
        let mut shown = lock(&self.look);
        if *shown != look {
            *shown = look;
            self.bell.ring();
        }
    }
}

/// Serves the item until its [`Tray`] is dropped; for as long as the desktop likes where that does not answer.
fn serve(item: TrayItem, look: &Mutex<Look>, rings: &Rings) {
    let (shown, window, desktop) = (Arc::clone(&item.shown), item.window.clone(), item.desktop.clone());
    let item = match item.assume_sni_available(true).spawn() {
        Ok(item) => item,
        Err(error) => return tracing::info!("no item in the tray: {error}"),
    };
    {
        // The desktop has answered by now.
        let shown = lock(&shown);
        window.set_tray(*shown);
        desktop.ring();
    }
    while rings.wait(None) {
        let look = lock(look).clone();
        if item.update(|item| item.look = look).is_none() {
            return tracing::info!("the item in the tray has ended");
        }
    }
    item.shutdown().wait();
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The icon as the specification wants it: ARGB, in network byte order; empty where it cannot be read.
fn icon() -> Vec<u8> {
    let Ok(image) = image::load_from_memory(ICON) else { return Vec::new() };
    let small = image.resize_exact(ICON_SIZE, ICON_SIZE, image::imageops::FilterType::Triangle).to_rgba8();
    small.pixels().flat_map(|&image::Rgba([red, green, blue, alpha])| [alpha, red, green, blue]).collect()
}

/// The icon with a disc in its upper right corner.
fn marked(icon: &[u8]) -> Vec<u8> {
    let (radius, size) = (ICON_SIZE as i64 / 4, ICON_SIZE as usize);
    let mut marked = icon.to_vec();
    for (at, pixel) in marked.chunks_exact_mut(4).enumerate() {
        let (x, y) = ((at % size) as i64 - (ICON_SIZE as i64 - radius), (at / size) as i64 - radius);
        if x * x + y * y <= radius * radius {
            pixel.copy_from_slice(&MARK);
        }
    }
    marked
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missed_calls_mark_the_icons_corner() {
        let (plain, marked) = (icon(), marked(&icon()));
        assert_eq!(plain.len(), (ICON_SIZE * ICON_SIZE * 4) as usize);
        let pixel = |icon: &[u8], x: u32, y: u32| {
            let at = ((y * ICON_SIZE + x) * 4) as usize;
            icon[at..at + 4].to_vec()
        };
        assert_eq!(pixel(&marked, ICON_SIZE - 16, 16), MARK);
        assert_ne!(pixel(&plain, ICON_SIZE - 16, 16), MARK);
        assert_eq!(pixel(&marked, 20, 50), pixel(&plain, 20, 50));
    }
}
