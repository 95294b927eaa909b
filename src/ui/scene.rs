//! The input of every part of the window, and the place of its commands: one value a frame, on the main thread.

use eframe::egui::{Painter, Pos2};

use crate::controller::{Command, Person, PersonKind, Snapshot, VideoChoice};
use crate::identity::PeerId;
use crate::media::MediaTime;
use crate::store::Settings;

use super::appearance::DesktopAppearance;
use super::avatar;
use super::catalogue::{Text, Words};
use super::faces::Faces;
use super::tile::TilePainter;

/// The present moment on the two clocks that the window shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Now {
    /// For durations.
    pub media: MediaTime,
    /// For dates: seconds since 1970 (UTC).
    pub unix_s: i64,
}

impl Now {
    /// The clocks' present reading.
    pub fn read() -> Self {
        let unix = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        Self { media: MediaTime::now(), unix_s: i64::try_from(unix.as_secs()).unwrap_or(i64::MAX) }
    }
}

/// One frame's inputs and outputs.
pub struct Scene<'a> {
    /// The snapshot to draw.
    pub snapshot: &'a Snapshot,
    /// In which words.
    pub words: Words,
    /// When.
    pub now: Now,
    /// One's own camera shall be open, even if it is not yet.
    pub camera_wanted: bool,
    /// It is closed because nobody looks at the window.
    pub camera_rests: bool,
    /// The desktop shows the program's item in its tray.
    pub tray: bool,
    /// Appearance that the desktop asks for.
    pub desktop: DesktopAppearance,
    /// Draws pictures.
    pub tiles: &'a mut TilePainter,
    /// Draws profile pictures.
    pub faces: &'a Faces,
    /// Commands of this frame; sent when it has been drawn.
    pub commands: &'a mut Vec<Command>,
}

impl Scene<'_> {
    /// The text of a key.
    pub fn text(&self, key: Text) -> &'static str {
        self.words.get(key)
    }

    /// Asks the controller for something.
    pub fn send(&mut self, command: Command) {
        self.commands.push(command);
    }

    /// The person in the list with this ID.
    pub fn person(&self, id: PeerId) -> Option<&Person> {
        self.snapshot.people.iter().find(|person| person.id == id)
    }

    /// Whether this is the test contact.
    pub fn is_echo(&self, id: PeerId) -> bool {
        self.person(id).is_some_and(|person| person.kind == PersonKind::Echo)
    }

    /// The name to show for somebody who has this name elsewhere in the snapshot.
    pub fn name(&self, id: PeerId, name: &str) -> String {
        avatar::shown_name(id, name, self.person(id).map(|person| person.kind), self.words)
    }

    /// Draws somebody's profile picture, or the disc that stands for one, `diameter` points wide.
    pub fn avatar(&self, painter: &Painter, center: Pos2, diameter: f32, id: PeerId, name: &str) {
        let me = &self.snapshot.me;
        let picture =
            if id == me.id { me.picture.as_ref() } else { self.person(id).and_then(|person| person.picture.as_ref()) };
        if !picture.is_some_and(|picture| self.faces.paint(painter, center, diameter, (id, picture))) {
            avatar::paint(painter, center, diameter, id, name, self.is_echo(id));
        }
    }

    /// Video as the settings have it.
    pub fn video(&self) -> VideoChoice {
        VideoChoice::On(self.snapshot.settings.preset)
    }

    /// Whether calls begin with sound of this side.
    pub fn sends_audio(&self) -> bool {
        !self.snapshot.settings.join_muted
    }

    /// Changes the settings.
    pub fn change_settings(&mut self, change: impl FnOnce(&mut Settings)) {
        let mut settings = self.snapshot.settings.clone();
        change(&mut settings);
        self.send(Command::UpdateSettings { settings: (&settings).into() });
    }

    /// Opens the camera to see oneself.
    pub fn open_camera(&mut self) {
        let video = self.video();
        self.send(Command::CreateStream { audio: false, video, max_fps: None, max_kbps: None });
    }

    /// Invites somebody.
    pub fn invite(&mut self, to: PeerId, note: &str, with_video: bool) {
        let video = if with_video { self.video() } else { VideoChoice::Off };
        let audio = self.sends_audio();
        self.send(Command::Invite { to, user_data: note.trim().to_owned(), audio, video });
    }
}
