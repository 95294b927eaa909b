//! Handle of the window for other threads: new drawings, requests, and whether the person looks at it. It outlives
//! windows: while none is open, a request opens the next.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use eframe::egui::{self, ViewportId};

use super::appearance::DesktopAppearance;
use super::outbox::Outbox;
use super::small_window;
use crate::controller::Repaint;
use crate::media::MediaTime;

/// Longest time that one's own picture waits to be drawn with those of others.
const OWN_PICTURE_WITHIN: Duration = Duration::from_millis(40);
/// Least time between two drawings of a mirror: of a camera's 30 pictures a second every second one is drawn, and all
/// of 15.
const MIRROR_EVERY: Duration = Duration::from_millis(55);
/// Delay of a drawing at once: with none egui draws twice.
const AT_ONCE: Duration = Duration::from_nanos(1);
/// Requests that wait for the window; the others are lost, as are presses on a window that is held up.
const REQUESTS: usize = 8;

/// Request to the window.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WindowRequest {
    /// Come to the front.
    Raise,
    /// Come to the front and ask whether to add the person of this link, who is not added without a press.
    AddContact(String),
    /// Close for good; a call is ended after a question alone.
    Quit,
}

/// Way in which the window was closed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Closed {
    /// The program ends.
    #[default]
    Quit,
    /// The program goes on from the desktop's tray.
    ToTray,
}

/// Part of the window that other threads see.
#[derive(Default)]
struct Shared {
    /// The window that is open.
    ctx: Mutex<Option<egui::Context>>,
    attention: AtomicBool,
    /// The desktop shows the program's item in its tray.
    tray: AtomicBool,
    /// The small window of a call is open, and draws the others' pictures in place of the main one.
    small: AtomicBool,
    mirror: MirrorClock,
    appearance: Mutex<DesktopAppearance>,
}

/// Handle of the window. Any thread may hold one; nothing here waits.
#[derive(Clone)]
pub struct WindowHandle {
    shared: Arc<Shared>,
    requests: SyncSender<WindowRequest>,
}

/// Clock of the drawings of one's own picture, which the camera's thread asks for.
#[derive(Debug, Default)]
struct MirrorClock {
    /// Microseconds of media time of the latest drawing.
    drawn_us: AtomicU64,
}

impl MirrorClock {
    /// Whether a picture that comes at `now` is drawn.
    fn is_due(&self, now: MediaTime) -> bool {
        let (now_us, every_us) = (now.as_micros(), MIRROR_EVERY.as_micros() as u64);
        let drawn_us = self.drawn_us.load(Ordering::Relaxed);
        let due = drawn_us == 0 || now_us.saturating_sub(drawn_us) >= every_us;
        if due {
            self.drawn_us.store(now_us, Ordering::Relaxed);
        }
        due
    }
}

/// The window's own end of its handles, on the main thread.
pub struct WindowEnd {
    shared: Arc<Shared>,
    incoming: Receiver<WindowRequest>,
    /// Requests that were waited for, for the next window.
    taken: RefCell<VecDeque<WindowRequest>>,
    closed: Cell<Closed>,
    was_open: Cell<bool>,
    /// Commands that the window could not send before it closed.
    unsent: RefCell<Outbox>,
}

/// A handle, and the window's end of it.
pub fn window_handle() -> (WindowHandle, WindowEnd) {
    let (requests, incoming) = sync_channel(REQUESTS);
    let shared = Arc::new(Shared::default());
    let end = WindowEnd {
        shared: Arc::clone(&shared),
        incoming,
        taken: RefCell::default(),
        closed: Cell::default(),
        was_open: Cell::default(),
        unsent: RefCell::default(),
    };
    (WindowHandle { shared, requests }, end)
}

impl Shared {
    fn ctx(&self) -> MutexGuard<'_, Option<egui::Context>> {
        self.ctx.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl WindowHandle {
    /// Asks for a drawing of a change. A new layout is drawn twice, so that it comes to rest; a new picture once, which
    /// is half the work: egui does so where a delay is given, however short.
    pub fn repaint(&self, change: Repaint) {
        // Outside of the lock: the window's own thread may be called.
        let Some(ctx) = self.shared.ctx().clone() else { return };
        let (main, small) = (ViewportId::ROOT, self.shared.small.load(Ordering::Relaxed));
        match change {
            Repaint::Layout => {
                ctx.request_repaint_of(main);
                if small {
                    ctx.request_repaint_of(small_window::viewport());
                }
            }
            Repaint::Picture if small => ctx.request_repaint_after_for(AT_ONCE, small_window::viewport()),
            Repaint::Mirror | Repaint::OwnPicture if small => {}
            Repaint::Mirror if !self.shared.mirror.is_due(MediaTime::now()) => {}
            Repaint::Picture | Repaint::Mirror => ctx.request_repaint_after_for(AT_ONCE, main),
            Repaint::OwnPicture => ctx.request_repaint_after_for(OWN_PICTURE_WITHIN, main),
        }
    }

    /// Asks the window for something; where none is open, one opens for it.
    pub fn ask(&self, request: WindowRequest) {
        if self.requests.try_send(request).is_err() {
            tracing::debug!("the window takes no requests");
        }
        self.repaint(Repaint::Layout);
    }

    /// Tells the window the appearance that the desktop asks for.
    pub fn set_desktop_appearance(&self, appearance: DesktopAppearance) {
        *self.shared.appearance.lock().unwrap_or_else(PoisonError::into_inner) = appearance;
        self.repaint(Repaint::Layout);
    }

    /// Whether the window is in front and has the keyboard.
    pub fn has_attention(&self) -> bool {
        self.shared.attention.load(Ordering::Relaxed)
    }

    /// Whether a window is open.
    pub fn is_open(&self) -> bool {
        self.shared.ctx().is_some()
    }

    /// Whether the desktop shows the program's item in its tray.
    pub fn has_tray(&self) -> bool {
        self.shared.tray.load(Ordering::Relaxed)
    }

    /// Notes whether the desktop shows the program's item in its tray.
    pub fn set_tray(&self, shown: bool) {
        self.shared.tray.store(shown, Ordering::Relaxed);
        self.repaint(Repaint::Layout);
    }
}

impl std::fmt::Debug for WindowHandle {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("WindowHandle")
    }
}

impl std::fmt::Debug for WindowEnd {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("WindowEnd")
    }
}

impl WindowEnd {
    /// A window is open, and drawn by `ctx`.
    pub(super) fn open(&self, ctx: egui::Context) {
        self.was_open.set(true);
        self.closed.set(Closed::Quit);
        *self.shared.ctx() = Some(ctx);
    }

    /// The window is closed; the way in which it was.
    pub(super) fn close(&self) -> Closed {
        *self.shared.ctx() = None;
        self.set_attention(false);
        self.note_small_window(false);
        self.closed.get()
    }

    /// Notes the way in which the window closes.
    pub(super) fn note_closed(&self, closed: Closed) {
        self.closed.set(closed);
    }

    /// Takes the commands that the window leaves behind.
    pub(super) fn leave_unsent(&self, outbox: Outbox) {
        self.unsent.replace(outbox);
    }

    /// The commands that the window has left behind.
    pub(super) fn take_unsent(&self) -> Outbox {
        self.unsent.take()
    }

    /// Whether a window has ever been open.
    pub fn was_open(&self) -> bool {
        self.was_open.get()
    }

    /// Whether the desktop shows the program's item in its tray.
    pub(super) fn has_tray(&self) -> bool {
        self.shared.tray.load(Ordering::Relaxed)
    }

    /// Notes whether the person looks at the window.
    pub(super) fn set_attention(&self, attention: bool) {
        self.shared.attention.store(attention, Ordering::Relaxed);
    }

    /// Notes whether the small window of a call is open.
    pub(super) fn note_small_window(&self, open: bool) {
        self.shared.small.store(open, Ordering::Relaxed);
    }

    /// The appearance that the desktop asks for.
    pub(super) fn desktop_appearance(&self) -> DesktopAppearance {
        *self.shared.appearance.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Requests that have come since the last call.
    pub(super) fn requests(&self) -> Vec<WindowRequest> {
        self.taken.borrow_mut().drain(..).chain(self.incoming.try_iter()).collect()
    }

    /// Waits, while no window is open, until something asks for one: true. False when the program is to end.
    pub fn wait(&self) -> bool {
        match self.incoming.recv() {
            Ok(WindowRequest::Quit) | Err(_) => false,
            Ok(request) => {
                self.taken.borrow_mut().push_back(request);
                true
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_without_a_window_opens_one_and_is_carried_out_by_it() {
        let (window, end) = window_handle();
        window.ask(WindowRequest::AddContact("visavis:a".into()));
        window.ask(WindowRequest::Raise);
        assert!(!window.is_open() && end.wait());
        end.open(egui::Context::default());
        assert!(window.is_open());
        assert_eq!(end.requests(), [WindowRequest::AddContact("visavis:a".into()), WindowRequest::Raise]);
        end.set_attention(true);
        end.note_closed(Closed::ToTray);
        assert_eq!(end.close(), Closed::ToTray);
        assert!(!window.is_open() && !window.has_attention());
        end.open(egui::Context::default());
        assert_eq!(end.close(), Closed::Quit, "each window is closed in its own way");
        window.ask(WindowRequest::Quit);
        assert!(!end.wait());
    }

    /// How many of a second's pictures are drawn.
    fn drawn(rate: u64) -> usize {
        let clock = MirrorClock::default();
        (0..rate).filter(|picture| clock.is_due(MediaTime::from_micros(1_000_000 + picture * 1_000_000 / rate))).count()
    }

    #[test]
    fn a_mirror_is_drawn_fifteen_times_a_second_at_most() {
        assert_eq!([60, 30, 15, 10].map(drawn), [15, 15, 15, 10]);
        assert_eq!(drawn(25), 13, "every second one");
    }
}
