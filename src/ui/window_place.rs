//! Place of the window from one start to the next: its size and where it was, in a file of the profile.
//!
//! Runs on the main thread; the file is read before the window opens and written when it closes.

use std::fs::File;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use eframe::egui::{self, Pos2, Rect, Vec2, ViewportBuilder, ViewportCommand, pos2, vec2};
use serde::{Deserialize, Serialize};

use crate::identity::private_file;

/// Name of the file in the profile.
const FILE: &str = "window.json";
/// Bytes of the file that are read at most.
const MAX_FILE: u64 = 4096;
/// Largest side that is believed, in points.
const MAX_SIDE: f32 = 20_000.0;
/// So much of the window's head must be on a screen to be taken hold of, in pixels.
const HOLD: f32 = 80.0;

/// Size and place of the window. Lengths are in the system's points, which the text size does not change.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct WindowPlace {
    width: f32,
    height: f32,
    /// Left and upper edge; `None` where the system does not tell, as with Wayland.
    at: Option<(f32, f32)>,
    maximized: bool,
}

impl Default for WindowPlace {
    fn default() -> Self {
        Self { width: 1100.0, height: 720.0, at: None, maximized: false }
    }
}

impl WindowPlace {
    /// The place made usable: a damaged file opens no window that cannot be found.
    fn within_limits(self) -> Self {
        let fits = |value: f32, least: f32, most: f32, usual: f32| {
            if value.is_finite() { value.clamp(least, most) } else { usual }
        };
        let usual = Self::default();
        Self {
            width: fits(self.width, 64.0, MAX_SIDE, usual.width),
            height: fits(self.height, 64.0, MAX_SIDE, usual.height),
            at: self.at.filter(|(x, y)| x.abs() < 2.0 * MAX_SIDE && y.abs() < 2.0 * MAX_SIDE),
            ..self
        }
    }

    /// `window` with this size and place; in the middle of the screen where no place is known.
    pub fn apply(&self, window: ViewportBuilder) -> ViewportBuilder {
        let window = window.with_inner_size(vec2(self.width, self.height)).with_maximized(self.maximized);
        match self.at {
            Some((x, y)) => window.with_position(pos2(x, y)),
            None => window,
        }
    }

    /// Whether a place is known.
    pub const fn has_position(&self) -> bool {
        self.at.is_some()
    }

    /// The place of a window as the system tells it now. Minimized and in full screen it keeps its place, and maximized
    /// its size, too.
    fn follow(self, viewport: &egui::ViewportInfo, scale: f32) -> Self {
        if viewport.minimized == Some(true) || viewport.fullscreen == Some(true) {
            return self;
        }
        if viewport.maximized == Some(true) {
            return Self { maximized: true, ..self };
        }
        let size = viewport.inner_rect.map_or(vec2(self.width, self.height), |inner| inner.size() * scale);
        let at = viewport.outer_rect.map(|outer| outer.min.to_vec2() * scale).map(|at| (at.x, at.y));
        Self { width: size.x, height: size.y, at, maximized: false }
    }
}

/// Keeper of the window's place.
#[derive(Debug)]
pub struct PlaceKeeper {
    file: Option<PathBuf>,
    place: WindowPlace,
    /// The screens were looked at since the window opened.
    clamped: bool,
}

impl PlaceKeeper {
    /// Reads the place from the profile's folder; the usual one without a folder, or where none was kept.
    pub fn open(profile: Option<&Path>) -> Self {
        let file = profile.map(|folder| folder.join(FILE));
        let place = file.as_deref().and_then(read).unwrap_or_default().within_limits();
        Self { file, place, clamped: false }
    }

    /// The place as it is kept.
    pub const fn place(&self) -> &WindowPlace {
        &self.place
    }

    /// Notes where the window is, and at first brings it onto a screen: one that it was on may be gone.
    pub fn follow(&mut self, ctx: &egui::Context, frame: &eframe::Frame) {
        let scale = ctx.zoom_factor();
        self.place = ctx.input(|input| self.place.follow(input.viewport(), scale));
        let Some(window) = frame.winit_window().filter(|_| !std::mem::replace(&mut self.clamped, true)) else { return };
        let Ok(at) = window.outer_position() else { return };
        let size = window.outer_size();
        let screens: Vec<Rect> = window
            .available_monitors()
            .map(|screen| {
                let (at, size) = (screen.position(), screen.size());
                rect((at.x as f32, at.y as f32), (size.width as f32, size.height as f32))
            })
            .collect();
        let window_rect = rect((at.x as f32, at.y as f32), (size.width as f32, size.height as f32));
        if let Some(to) = brought_back(window_rect, &screens) {
            let points = to / (window.scale_factor() as f32 * scale);
            ctx.send_viewport_cmd(ViewportCommand::OuterPosition(points));
        }
    }

    /// Writes the place. A failure costs the place alone.
    pub fn save(&self) {
        let Some(file) = &self.file else { return };
        if let Err(error) = write(file, &self.place) {
            tracing::info!("the window's place was not kept: {error}");
        }
    }
}

fn rect((x, y): (f32, f32), (width, height): (f32, f32)) -> Rect {
    Rect::from_min_size(pos2(x, y), vec2(width, height))
}

/// Where a window must go whose head is on no screen: into the nearest; `None` where it can be taken hold of.
fn brought_back(window: Rect, screens: &[Rect]) -> Option<Pos2> {
    let head = Rect::from_min_size(window.min, vec2(window.width(), 1.0));
    let is_held = |screen: &Rect| {
        let seen = screen.intersect(head);
        screen.y_range().contains(window.top()) && seen.width() >= HOLD.min(window.width())
    };
    if screens.is_empty() || screens.iter().any(is_held) {
        return None;
    }
    let distance = |screen: &&Rect| screen.distance_sq_to_pos(window.center());
    let nearest = screens.iter().min_by(|one, other| distance(one).total_cmp(&distance(other)))?;
    let room = (nearest.size() - window.size()).max(Vec2::ZERO);
    Some(window.min.clamp(nearest.min, nearest.min + room))
}

fn read(file: &Path) -> Option<WindowPlace> {
    let mut json = Vec::new();
    let opened = private_file::open(file, File::options().read(true)).ok()?;
    opened.take(MAX_FILE).read_to_end(&mut json).ok()?;
    serde_json::from_slice(&json).inspect_err(|error| tracing::info!("the window's place: {error}")).ok()
}

fn write(file: &Path, place: &WindowPlace) -> std::io::Result<()> {
    let json = serde_json::to_vec(place)?;
    private_file::open(file, File::options().write(true).create(true).truncate(true))?.write_all(&json)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_place_is_found_again_at_the_next_start() {
        let folder = tempfile::tempdir().unwrap();
        let mut keeper = PlaceKeeper::open(Some(folder.path()));
        assert_eq!(keeper.place, WindowPlace::default());
        keeper.place = WindowPlace { width: 640.0, height: 480.0, at: Some((-30.0, 5.0)), maximized: true };
        keeper.save();
        assert_eq!(PlaceKeeper::open(Some(folder.path())).place, keeper.place);
        PlaceKeeper::open(None).save();
    }

    #[test]
    fn a_damaged_file_opens_a_window_that_can_be_found() {
        let folder = tempfile::tempdir().unwrap();
        for json in ["", "{", "7", "{\"width\":\"wide\"}", &"x".repeat(100_000)] {
            std::fs::write(folder.path().join(FILE), json).unwrap();
            assert_eq!(PlaceKeeper::open(Some(folder.path())).place, WindowPlace::default(), "{json:.20}");
        }
        std::fs::write(folder.path().join(FILE), r#"{"width":1e30,"height":-5,"at":[1e30,0]}"#).unwrap();
        let place = PlaceKeeper::open(Some(folder.path())).place;
        assert_eq!((place.width, place.height, place.at), (MAX_SIDE, 64.0, None));
    }

    #[test]
    fn a_window_is_followed_but_for_full_screen_and_minimizing() {
        let before = WindowPlace { at: Some((1.0, 2.0)), ..WindowPlace::default() };
        let inner = Some(rect((110.0, 120.0), (400.0, 300.0)));
        let outer = Some(rect((100.0, 100.0), (420.0, 330.0)));
        let seen = egui::ViewportInfo { inner_rect: inner, outer_rect: outer, ..Default::default() };
        let moved = WindowPlace { width: 800.0, height: 600.0, at: Some((200.0, 200.0)), maximized: false };
        assert_eq!(before.follow(&seen, 2.0), moved);
        let with = |change: fn(&mut egui::ViewportInfo)| {
            let mut viewport = seen.clone();
            change(&mut viewport);
            before.follow(&viewport, 2.0)
        };
        assert_eq!(with(|viewport| viewport.fullscreen = Some(true)), before);
        assert_eq!(with(|viewport| viewport.minimized = Some(true)), before);
        assert_eq!(with(|viewport| viewport.maximized = Some(true)), WindowPlace { maximized: true, ..before });
    }

    #[test]
    fn a_window_of_a_screen_that_is_gone_comes_back() {
        let screens = [rect((0.0, 0.0), (1920.0, 1080.0)), rect((1920.0, 0.0), (1280.0, 1024.0))];
        let at = |x: f32, y: f32| brought_back(rect((x, y), (1100.0, 720.0)), &screens);
        assert_eq!((at(0.0, 0.0), at(2500.0, 300.0), at(-900.0, 0.0)), (None, None, None));
        assert_eq!(at(5000.0, 100.0), Some(pos2(2100.0, 100.0)));
        assert_eq!(at(100.0, -400.0), Some(pos2(100.0, 0.0)), "without its head nobody can move it");
        assert_eq!(at(100.0, 1100.0), Some(pos2(100.0, 360.0)));
        assert_eq!(brought_back(rect((9000.0, 0.0), (100.0, 100.0)), &[]), None, "no screen is known");
        assert_eq!(brought_back(rect((9000.0, 0.0), (4000.0, 3000.0)), &screens[..1]), Some(pos2(0.0, 0.0)));
    }
}
