//! End of the window: a call with a person ends after a question alone, and without one the program goes on from the
//! desktop's tray where there is one and the settings say so.

use eframe::egui::{self, Ui, ViewportCommand};

use crate::controller::{CallView, Command, Snapshot, echo_id};

use super::catalogue::Text;
use super::dialog;
use super::scene::Scene;
use super::window_handle::Closed;

/// State of the end between frames.
#[derive(Debug, Default)]
pub struct Closing {
    /// The question is shown.
    asks: bool,
    /// The program shall end, whatever the settings say.
    quits: bool,
    decided: Option<Closed>,
}

impl Closing {
    /// Ends the program; in a call after the question.
    pub fn quit(&mut self, ctx: &egui::Context) {
        self.quits = true;
        ctx.send_viewport_cmd(ViewportCommand::Close);
    }

    /// Takes a wish to close that the desktop tells of, before anything is drawn.
    pub fn follow(&mut self, ctx: &egui::Context, snapshot: &Snapshot, tray: bool) {
        if self.decided.is_some() || !ctx.input(|input| input.viewport().close_requested()) {
            return;
        }
        if other(snapshot).is_some() {
            self.asks = true;
            for command in [ViewportCommand::CancelClose, ViewportCommand::Minimized(false), ViewportCommand::Focus] {
                ctx.send_viewport_cmd(command);
            }
            ctx.request_repaint();
        } else {
            self.decided = Some(self.way(snapshot, tray));
        }
    }

    /// Draws the question.
    pub fn show(&mut self, ui: &Ui, scene: &mut Scene<'_>) {
        if !self.asks {
            return;
        }
        let Some(name) = other(scene.snapshot) else {
            // The call is over, and with it the reason to ask; the window stays as it was.
            (self.asks, self.quits) = (false, false);
            return;
        };
        let way = self.way(scene.snapshot, scene.tray);
        let yes = scene.text(match way {
            Closed::Quit => Text::CloseQuit,
            Closed::ToTray => Text::CloseToTray,
        });
        let detail = scene.words.with_name(Text::CloseDetail, name);
        match dialog::confirm(ui, scene.text(Text::CloseTitle), &detail, scene.text(Text::CloseKeep), yes) {
            Some(true) => {
                self.asks = false;
                self.decided = Some(way);
                scene.send(Command::Leave);
                ui.ctx().send_viewport_cmd(ViewportCommand::Close);
            }
            Some(false) => (self.asks, self.quits) = (false, false),
            None => {}
        }
    }

    /// The way in which the window closes: undecided, as when the desktop session ends, for good.
    pub fn closed(&self) -> Closed {
        self.decided.unwrap_or_default()
    }

    fn way(&self, snapshot: &Snapshot, tray: bool) -> Closed {
        if snapshot.settings.keep_running && tray && !self.quits { Closed::ToTray } else { Closed::Quit }
    }
}

/// Commands that leave nothing open behind a window that is closed to the tray: calls that nobody asked about, camera
/// and microphone.
pub fn commands_to_tray(snapshot: &Snapshot) -> impl Iterator<Item = Command> {
    let calls = matches!(snapshot.call, CallView::Outgoing(_) | CallView::Conversation(_));
    let leave = calls.then_some(Command::Leave);
    leave.into_iter().chain([Command::WatchMicrophone { on: false }, Command::CloseStream])
}

/// The name of somebody who would be hung up on; Echo minds it not.
pub fn other(snapshot: &Snapshot) -> Option<&str> {
    let CallView::Conversation(call) = &snapshot.call else { return None };
    call.participants
        .iter()
        .find(|participant| participant.id != echo_id())
        .map(|participant| participant.name.as_str())
}
