//! Notifications of calls (Desktop Notifications Specification 1.2): one that rings as long as the call does and can be
//! answered, and one for each missed call.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use zbus::MatchRule;
use zbus::blocking::{Connection, MessageIterator};
use zbus::message::Type;
use zbus::names::OwnedUniqueName;
use zbus::zvariant::Value;

use crate::call::InviteId;
use crate::controller::{Command, Handle, HistoryEntry, IncomingView, VideoChoice};
use crate::ui::{APP_ID, Text, WindowHandle, WindowRequest, Words};

const NAME: &str = "org.freedesktop.Notifications";
const PATH: &str = "/org/freedesktop/Notifications";
/// Signals that wait to be looked at.
const QUEUE: usize = 16;
/// Keys of the buttons; a press on the notification itself is "default".
const ANSWER_VIDEO: &str = "answer-video";
const ANSWER_AUDIO: &str = "answer-audio";
const DECLINE: &str = "decline";
const OPEN: &str = "default";

/// Values of the hint `urgency`.
const NORMAL: u8 = 1;
const CRITICAL: u8 = 2;
/// Values of the time in milliseconds.
const AS_LONG_AS_IT_RINGS: i32 = 0;
const AS_THE_DESKTOP_LIKES: i32 = -1;

/// A notification that is up, and the program that shows it.
#[derive(Debug)]
struct Shown {
    id: u32,
    server: Option<OwnedUniqueName>,
    /// The invite that its buttons answer; a missed call has none.
    invite: Option<InviteId>,
}

/// Notifications that are up, the latest last; shared with the thread that hears of presses.
type AllShown = Arc<Mutex<Vec<Shown>>>;

/// Notifications of missed calls whose presses are heeded.
const MAX_SHOWN: usize = 32;

/// See the module.
#[derive(Debug)]
pub(super) struct Notifications {
    bus: Connection,
    shown: AllShown,
}

impl Notifications {
    pub(super) fn new(bus: Connection, handle: Handle, window: WindowHandle) -> Self {
        let shown = AllShown::default();
        listen(&bus, Arc::clone(&shown), handle, window);
        Self { bus, shown }
    }

    /// Shows that somebody rings; false where the desktop shows no notifications.
    pub(super) fn ring(&mut self, incoming: &IncomingView, words: Words) -> bool {
        let answers = [(ANSWER_VIDEO, Text::AnswerVideo), (ANSWER_AUDIO, Text::AnswerAudio)];
        // Desktops that show few buttons show the first.
        let [first, second] = if incoming.with_video { answers } else { [answers[1], answers[0]] };
        let actions = [first, (DECLINE, Text::Decline), second, (OPEN, Text::AppName)];
        let line = words.get(if incoming.with_video { Text::IncomingVideo } else { Text::IncomingAudio });
        let body = if incoming.known { line.to_owned() } else { format!("{line}\n{}", words.get(Text::UnknownCaller)) };
        let hints = Hints { urgency: CRITICAL, category: "call.incoming", time_ms: AS_LONG_AS_IT_RINGS };
        let actions: Vec<&str> = actions.iter().flat_map(|(key, text)| [*key, words.get(*text)]).collect();
        self.show(&incoming.name, &body, &actions, hints, Some(incoming.invite))
    }

    /// Takes the notification of a ring away.
    pub(super) fn end_ring(&mut self) {
        let mut ended = Vec::new();
        lock(&self.shown).retain(|shown| {
            let rings = shown.invite.is_some();
            ended.extend(rings.then_some(shown.id));
            !rings
        });
        for id in ended {
            if let Err(error) = self.bus.call_method(Some(NAME), PATH, Some(NAME), "CloseNotification", &(id,)) {
                tracing::debug!("a notification could not be closed: {error}");
            }
        }
    }

    /// Shows that somebody has called in vain.
    pub(super) fn missed(&mut self, call: &HistoryEntry, words: Words) {
        let title = words.with_name(Text::EndMissed, &call.name);
        let hints = Hints { urgency: NORMAL, category: "call.unanswered", time_ms: AS_THE_DESKTOP_LIKES };
        self.show(&title, "", &[OPEN, words.get(Text::AppName)], hints, None);
    }

    fn show(&self, title: &str, body: &str, actions: &[&str], hints: Hints, invite: Option<InviteId>) -> bool {
        // A press may come before the number is known here: it waits.
        let mut shown = lock(&self.shown);
        match self.notify(title, body, actions, hints) {
            Ok((id, server)) => {
                if shown.len() >= MAX_SHOWN {
                    shown.remove(0);
                }
                shown.push(Shown { id, server, invite });
                true
            }
            Err(error) => {
                tracing::info!("the desktop shows no notification: {error}");
                false
            }
        }
    }

    fn notify(
        &self,
        title: &str,
        body: &str,
        actions: &[&str],
        hints: Hints,
    ) -> zbus::Result<(u32, Option<OwnedUniqueName>)> {
        let given = HashMap::from([
            ("urgency", Value::from(hints.urgency)),
            ("category", Value::from(hints.category)),
            ("desktop-entry", Value::from(APP_ID)),
        ]);
        let body = escaped(body);
        let call = (crate::ui::TITLE, 0_u32, APP_ID, title, body.as_str(), actions, given, hints.time_ms);
        let answer = self.bus.call_method(Some(NAME), PATH, Some(NAME), "Notify", &call)?;
        let server = answer.header().sender().map(|name| OwnedUniqueName::from(name.to_owned()));
        Ok((answer.body().deserialize()?, server))
    }
}

#[derive(Clone, Copy, Debug)]
struct Hints {
    urgency: u8,
    category: &'static str,
    time_ms: i32,
}

/// A text without the marks that some desktops would take for formatting.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

fn lock(shown: &AllShown) -> MutexGuard<'_, Vec<Shown>> {
    shown.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Hears of presses, on a thread of its own, until the bus is gone.
fn listen(bus: &Connection, shown: AllShown, handle: Handle, window: WindowHandle) {
    let signals = signals_of(bus);
    let heard = move || match signals {
        Ok(signals) => signals.flatten().for_each(|signal| {
            if let Some((command, open)) = pressed(&signal, &shown, &handle) {
                // An error means that the controller has ended.
                command.map(|command| handle.send(command));
                if open {
                    window.ask(WindowRequest::Raise);
                }
            }
        }),
        Err(error) => tracing::info!("no presses on notifications are heard of: {error}"),
    };
    if let Err(error) = std::thread::Builder::new().name("notifications".into()).spawn(heard) {
        tracing::warn!("no thread for notifications: {error}");
    }
}

fn signals_of(bus: &Connection) -> zbus::Result<MessageIterator> {
    let rule =
        MatchRule::builder().msg_type(Type::Signal).interface(NAME)?.member("ActionInvoked")?.path(PATH)?.build();
    MessageIterator::for_match_rule(rule, bus, Some(QUEUE))
}

/// The command of a press, if it has one, and whether the window is to be opened; `None` for a signal about no
/// notification of ours, or from another program than the one that shows it.
fn pressed(signal: &zbus::Message, shown: &AllShown, handle: &Handle) -> Option<(Option<Command>, bool)> {
    let (id, key): (u32, String) = signal.body().deserialize().ok()?;
    let header = signal.header();
    let from = header.sender()?;
    let invite = {
        let mut all = lock(shown);
        let is_it = |shown: &Shown| shown.id == id && shown.server.as_ref().is_some_and(|name| name == from);
        let place = all.iter().position(is_it)?;
        // That of a ring stays until it is closed: some desktops leave it up.
        all.get(place)?.invite.or_else(|| all.remove(place).invite)
    };
    let Some(invite) = invite else { return Some((None, true)) };
    let accept = |video| Command::Accept { invite, audio: true, video };
    let preset = handle.snapshot()?.settings.preset;
    Some(match key.as_str() {
        ANSWER_VIDEO => (Some(accept(VideoChoice::On(preset))), true),
        ANSWER_AUDIO => (Some(accept(VideoChoice::Off)), true),
        DECLINE => (Some(Command::Reject { invite }), false),
        _ => (None, true),
    })
}
