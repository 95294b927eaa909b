//! Handle of the window for other threads: new drawings, requests, and whether the person looks at it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use eframe::egui;

use super::appearance::DesktopAppearance;
use crate::controller::Repaint;

/// Longest time that one's own picture waits to be drawn with those of others.
const OWN_PICTURE_WITHIN: Duration = Duration::from_millis(40);
/// Requests that wait for the window; the others are lost, as are presses on a window that is held up.
const REQUESTS: usize = 8;

/// Request to the window.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WindowRequest {
    /// Come to the front.
    Raise,
    /// Come to the front and ask whether to add the person of this link, who is not added without a press.
    AddContact(String),
}

/// Handle of the window. Any thread may hold one; nothing here waits.
#[derive(Clone)]
pub struct WindowHandle {
    ctx: egui::Context,
    requests: SyncSender<WindowRequest>,
    attention: Arc<AtomicBool>,
    appearance: Arc<Mutex<DesktopAppearance>>,
}

/// The window's own end of its handles.
#[derive(Debug)]
pub(super) struct WindowEnd {
    requests: Receiver<WindowRequest>,
    attention: Arc<AtomicBool>,
    appearance: Arc<Mutex<DesktopAppearance>>,
}

impl WindowHandle {
    /// A handle, and the window's end of it.
    pub(super) fn new(ctx: egui::Context) -> (Self, WindowEnd) {
        let (sender, requests) = sync_channel(REQUESTS);
        let attention = Arc::new(AtomicBool::new(false));
        let appearance = Arc::default();
        let end = WindowEnd { requests, attention: Arc::clone(&attention), appearance: Arc::clone(&appearance) };
        (Self { ctx, requests: sender, attention, appearance }, end)
    }

    /// Asks for a drawing of a change. A new layout is drawn twice, so that it comes to rest; a new picture once, which
    /// is half the work: egui does so where a delay is given, however short.
    pub fn repaint(&self, change: Repaint) {
        match change {
            Repaint::Layout => self.ctx.request_repaint(),
            Repaint::Picture => self.ctx.request_repaint_after(Duration::from_nanos(1)),
            Repaint::OwnPicture => self.ctx.request_repaint_after(OWN_PICTURE_WITHIN),
        }
    }

    /// Asks the window for something.
    pub fn ask(&self, request: WindowRequest) {
        if self.requests.try_send(request).is_err() {
            tracing::debug!("the window takes no requests");
        }
        self.ctx.request_repaint();
    }

    /// Tells the window the appearance that the desktop asks for.
    pub fn set_desktop_appearance(&self, appearance: DesktopAppearance) {
        *self.appearance.lock().unwrap_or_else(PoisonError::into_inner) = appearance;
        self.ctx.request_repaint();
    }

    /// Whether the window is in front and has the keyboard.
    pub fn has_attention(&self) -> bool {
        self.attention.load(Ordering::Relaxed)
    }
}

impl std::fmt::Debug for WindowHandle {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("WindowHandle")
    }
}

impl WindowEnd {
    /// Notes whether the person looks at the window.
    pub(super) fn set_attention(&self, attention: bool) {
        self.attention.store(attention, Ordering::Relaxed);
    }

    /// The appearance that the desktop asks for.
    pub(super) fn desktop_appearance(&self) -> DesktopAppearance {
        *self.appearance.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Requests that have come since the last call.
    pub(super) fn requests(&self) -> impl Iterator<Item = WindowRequest> {
        self.requests.try_iter()
    }
}
