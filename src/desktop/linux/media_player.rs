//! Player of a call on the desktop (MPRIS 2.2), so that the media keys of keyboards and headsets mute, answer and hang
//! up. It is there while it rings and during a call; at other times the keys belong to other programs.
//!
//! It tells nobody's name: every program of the session reads it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use zbus::blocking::Connection;
use zbus::zvariant::{ObjectPath, OwnedValue, Value};

use crate::controller::{Command, Handle, Snapshot};
use crate::desktop::media_keys::{MediaKey, MediaKeys, playback};
use crate::desktop::phase::Phase;
use crate::ui::{APP_ID, TITLE, Text, WindowHandle, WindowRequest, Words};

const NAME: &str = "org.mpris.MediaPlayer2.visavis";
const PATH: &str = "/org/mpris/MediaPlayer2";
const PLAYER: &str = "org.mpris.MediaPlayer2.Player";
const PROPERTIES: &str = "org.freedesktop.DBus.Properties";
/// Identifier of the one track, a path of our own as the specification wants it.
const TRACK: &str = "/org/visavis/Visavis/call";

/// State that the desktop reads, and the meaning of its keys.
#[derive(Debug)]
struct State {
    playback: &'static str,
    title: &'static str,
    keys: MediaKeys,
}

type Shared = Arc<Mutex<State>>;

/// Metadata of the one track.
type Metadata = HashMap<&'static str, Value<'static>>;

fn metadata(title: &'static str) -> Metadata {
    let track = ObjectPath::from_static_str_unchecked(TRACK);
    HashMap::from([("mpris:trackid", Value::from(track)), ("xesam:title", Value::from(title))])
}

/// The program as a player.
struct Program {
    window: WindowHandle,
}

#[zbus::interface(name = "org.mpris.MediaPlayer2")]
impl Program {
    fn raise(&self) {
        self.window.ask(WindowRequest::Raise);
    }

    fn quit(&self) {}

    #[zbus(property)]
    fn can_quit(&self) -> bool {
        false
    }

    #[zbus(property)]
    fn can_raise(&self) -> bool {
        true
    }

    #[zbus(property)]
    fn has_track_list(&self) -> bool {
        false
    }

    #[zbus(property)]
    fn identity(&self) -> &str {
        TITLE
    }

    #[zbus(property)]
    fn desktop_entry(&self) -> &str {
        APP_ID
    }

    #[zbus(property)]
    fn supported_uri_schemes(&self) -> Vec<String> {
        Vec::new()
    }

    #[zbus(property)]
    fn supported_mime_types(&self) -> Vec<String> {
        Vec::new()
    }
}

/// The call as its track.
struct Player {
    state: Shared,
    handle: Handle,
    window: WindowHandle,
}

impl Player {
    fn press(&self, key: MediaKey) {
        let Some(snapshot) = self.handle.snapshot().filter(|snapshot| snapshot.settings.media_keys) else { return };
        let (phase, join_muted) = (Phase::of(&snapshot), snapshot.settings.join_muted);
        let Some(command) = lock(&self.state).keys.press(key, phase, join_muted, Instant::now()) else { return };
        let answers = matches!(command, Command::Accept { .. });
        // An error means that the controller has ended.
        let _ = self.handle.send(command);
        if answers {
            self.window.ask(WindowRequest::Raise);
        }
    }
}

#[zbus::interface(name = "org.mpris.MediaPlayer2.Player")]
impl Player {
    fn play_pause(&self) {
        self.press(MediaKey::PlayPause);
    }

    fn play(&self) {
        self.press(MediaKey::Play);
    }

    fn pause(&self) {
        self.press(MediaKey::Pause);
    }

    fn stop(&self) {
        self.press(MediaKey::Stop);
    }

    fn next(&self) {}

    fn previous(&self) {}

    fn seek(&self, _by_us: i64) {}

    fn set_position(&self, _track: ObjectPath<'_>, _at_us: i64) {}

    fn open_uri(&self, _uri: &str) {}

    #[zbus(property)]
    fn playback_status(&self) -> &'static str {
        lock(&self.state).playback
    }

    #[zbus(property)]
    fn metadata(&self) -> HashMap<String, OwnedValue> {
        let metadata = metadata(lock(&self.state).title).into_iter();
        metadata.filter_map(|(key, value)| Some((key.to_owned(), value.try_into().ok()?))).collect()
    }

    #[zbus(property)]
    fn rate(&self) -> f64 {
        1.0
    }

    #[zbus(property)]
    fn minimum_rate(&self) -> f64 {
        1.0
    }

    #[zbus(property)]
    fn maximum_rate(&self) -> f64 {
        1.0
    }

    #[zbus(property)]
    fn volume(&self) -> f64 {
        1.0
    }

    #[zbus(property(emits_changed_signal = "false"))]
    fn position(&self) -> i64 {
        0
    }

    #[zbus(property)]
    fn can_go_next(&self) -> bool {
        false
    }

    #[zbus(property)]
    fn can_go_previous(&self) -> bool {
        false
    }

    #[zbus(property)]
    fn can_play(&self) -> bool {
        true
    }

    #[zbus(property)]
    fn can_pause(&self) -> bool {
        true
    }

    #[zbus(property)]
    fn can_seek(&self) -> bool {
        false
    }

    #[zbus(property(emits_changed_signal = "const"))]
    fn can_control(&self) -> bool {
        true
    }
}

/// See the module.
#[derive(Debug)]
pub(super) struct MediaPlayer {
    bus: Connection,
    state: Shared,
    /// The name that it has on the bus now.
    name: Option<String>,
}

impl MediaPlayer {
    /// A player that is not announced yet.
    pub(super) fn new(bus: Connection, handle: Handle, window: WindowHandle) -> Self {
        let state = State { playback: "Stopped", title: "", keys: MediaKeys::default() };
        let state = Arc::new(Mutex::new(state));
        let player = Player { state: Arc::clone(&state), handle, window: window.clone() };
        let served = {
            let objects = bus.object_server();
            objects.at(PATH, Program { window }).and_then(|_| objects.at(PATH, player))
        };
        if let Err(error) = served {
            tracing::info!("media keys are not heard: {error}");
        }
        Self { bus, state, name: None }
    }

    /// Announces the player in a call and while it rings, takes it back after that, and tells of changes.
    pub(super) fn follow(&mut self, snapshot: &Snapshot, words: Words) {
        let phase = Phase::of(snapshot);
        lock(&self.state).keys.follow(phase, Instant::now());
        let Some(playback) = playback(phase).filter(|_| snapshot.settings.media_keys) else { return self.leave() };
        let title = words.get(match phase {
            Phase::Ringing(_) => Text::MediaPlayerRings,
            Phase::Calling => Text::Calling,
            Phase::InCall { .. } | Phase::Idle => Text::InCall,
        });
        let changed = {
            let mut state = lock(&self.state);
            let changed = (state.playback, state.title) != (playback, title);
            (state.playback, state.title) = (playback, title);
            changed
        };
        if self.name.is_none() {
            self.enter();
        } else if changed {
            self.tell(playback, title);
        }
    }

    /// A second program of another profile has a name of its own (MPRIS 2.2, "Bus Name Policy").
    fn enter(&mut self) {
        let own = format!("{NAME}.instance{}", std::process::id());
        for name in [NAME.to_owned(), own] {
            // Nobody waits for a name that another one has.
            let flags = zbus::fdo::RequestNameFlags::DoNotQueue.into();
            if self.bus.request_name_with_flags(name.as_str(), flags).is_ok() {
                self.name = Some(name);
                return;
            }
        }
        tracing::info!("media keys are not heard: no name on the bus");
    }

    fn leave(&mut self) {
        let Some(name) = self.name.take() else { return };
        if let Err(error) = self.bus.release_name(name) {
            tracing::debug!("the player could not be taken back: {error}");
        }
    }

    fn tell(&self, playback: &'static str, title: &'static str) {
        let changed =
            HashMap::from([("PlaybackStatus", Value::from(playback)), ("Metadata", Value::from(metadata(title)))]);
        let body = (PLAYER, changed, Vec::<&str>::new());
        if let Err(error) = self.bus.emit_signal(None::<()>, PATH, PROPERTIES, "PropertiesChanged", &body) {
            tracing::debug!("a change of the player could not be told: {error}");
        }
    }
}

impl Drop for MediaPlayer {
    fn drop(&mut self) {
        self.leave();
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}
