//! Receive resolution of the others' pictures: as many lines as are drawn. It is asked for in steps, and only when the
//! size has rested, so that dragging the window's edge asks for nothing.

use std::collections::HashMap;
use std::time::Duration;

use eframe::egui::Vec2;

use crate::controller::Command;
use crate::identity::PeerId;
use crate::media::{MIN_HEIGHT, MediaTime, StreamId};

use super::tile::Fit;

/// Receive resolutions that are asked for, in lines.
const STEPS: [u32; 7] = [MIN_HEIGHT, 360, 540, 720, 1080, 1440, 2160];
/// A picture may be drawn by so much larger than it comes: nobody sees it.
const STRETCH: f32 = 1.1;
/// How long a size must rest before more, or less, is asked for.
const MORE_AFTER: Duration = Duration::from_millis(300);
const LESS_AFTER: Duration = Duration::from_millis(1500);

/// The lines, in points, at which a picture of these proportions (width by height) is drawn in a tile.
pub fn drawn_lines(picture: Vec2, tile: Vec2, fit: Fit) -> f32 {
    let whole_width = tile.x * picture.y / picture.x.max(1.0);
    match fit {
        Fit::Cover => tile.y.max(whole_width),
        Fit::Contain => tile.y.min(whole_width),
    }
}

/// The step for a picture that is drawn `lines` physical pixels high.
fn step_for(lines: f32) -> u32 {
    let last = STEPS[STEPS.len() - 1];
    STEPS.into_iter().find(|&step| lines <= step as f32 * STRETCH).unwrap_or(last)
}

/// A picture of the others': whose, and of which stream.
pub type PictureOf = (PeerId, StreamId);

/// The receive resolution that was asked for of one picture, and the next one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Wish {
    asked: Option<u32>,
    next: Option<(u32, MediaTime)>,
}

impl Wish {
    /// Takes the step that is drawn at `now`: the receive resolution to ask for now, or else the time until the next
    /// look.
    fn update(&mut self, step: u32, now: MediaTime) -> (Option<u32>, Option<Duration>) {
        if self.asked == Some(step) {
            self.next = None;
            return (None, None);
        }
        let since = match self.next {
            Some((next, since)) if next == step => since,
            _ => now,
        };
        self.next = Some((step, since));
        let rest = match self.asked {
            Some(asked) if step < asked => LESS_AFTER,
            _ => MORE_AFTER,
        };
        let rested = now.since(since);
        if rested < rest {
            return (None, Some(rest - rested));
        }
        (Some(self.ask(step)), None)
    }

    fn ask(&mut self, step: u32) -> u32 {
        *self = Self { asked: Some(step), next: None };
        step
    }
}

/// Receive resolutions of every picture in a call.
#[derive(Debug, Default)]
pub struct PictureWishes(HashMap<PictureOf, Wish>);

impl PictureWishes {
    /// Takes the physical lines of each picture that are drawn at `now`; new requests go into `commands`. Returns in
    /// how long to look again, if the size has not rested yet.
    pub fn update(
        &mut self,
        drawn: &[(PictureOf, f32)],
        now: MediaTime,
        commands: &mut Vec<Command>,
    ) -> Option<Duration> {
        self.0.retain(|picture, _| drawn.iter().any(|(drawn, _)| drawn == picture));
        let mut again: Option<Duration> = None;
        for &(picture, lines) in drawn {
            let (ask, wait) = self.0.entry(picture).or_default().update(step_for(lines), now);
            commands.extend(ask.map(|lines| wish(picture, lines)));
            again = [again, wait].into_iter().flatten().min();
        }
        again
    }

    /// Nothing is drawn of these `pictures`, or not yet: asks for the least of each.
    pub fn hide(&mut self, pictures: &[PictureOf], commands: &mut Vec<Command>) {
        self.0.retain(|picture, _| pictures.contains(picture));
        for &picture in pictures {
            let asked = self.0.entry(picture).or_default();
            if asked.asked != Some(MIN_HEIGHT) {
                commands.push(wish(picture, asked.ask(MIN_HEIGHT)));
            }
        }
    }
}

const fn wish((participant, stream): PictureOf, lines: u32) -> Command {
    Command::WishVideo { participant, stream, lines }
}

#[cfg(test)]
mod tests {
    use eframe::egui::vec2;

    use super::*;

    const CAMERA: PictureOf = (PeerId::from_bytes([1; 32]), StreamId::CAMERA);
    const SCREEN: PictureOf = (PeerId::from_bytes([1; 32]), StreamId::SCREEN);

    #[test]
    fn the_step_is_the_least_that_looks_the_same() {
        for (lines, step) in
            [(0.0, 180), (198.0, 180), (199.0, 360), (720.0, 720), (780.0, 720), (900.0, 1080), (9000.0, 2160)]
        {
            assert_eq!(step_for(lines), step, "{lines}");
        }
    }

    #[test]
    fn what_is_cut_off_is_drawn_too() {
        let picture = vec2(1280.0, 720.0);
        assert_eq!(drawn_lines(picture, vec2(640.0, 360.0), Fit::Contain), 360.0);
        assert_eq!(drawn_lines(picture, vec2(1280.0, 400.0), Fit::Cover), 720.0);
        assert_eq!(drawn_lines(picture, vec2(320.0, 360.0), Fit::Contain), 180.0);
    }

    #[test]
    fn a_size_must_rest_before_it_is_asked_for() {
        let id = CAMERA;
        let mut wishes = PictureWishes::default();
        let mut asked = Vec::new();
        let mut at = |ms, lines| {
            let mut commands = Vec::new();
            let again = wishes.update(&[(id, lines)], MediaTime::from_millis(ms), &mut commands);
            asked.extend(commands);
            again.map(|wait| wait.as_millis())
        };
        assert_eq!(at(0, 720.0), Some(300));
        assert_eq!(at(300, 720.0), None);
        assert_eq!(at(400, 200.0), Some(1500));
        assert_eq!(at(1000, 720.0), None, "it was dragged back");
        assert_eq!(at(2000, 300.0), Some(1500));
        assert_eq!(at(2500, 300.0), Some(1000));
        assert_eq!(at(3500, 300.0), None);
        assert_eq!(at(9000, 300.0), None);
        let wish = |lines| wish(id, lines);
        assert_eq!(asked, [wish(720), wish(360)]);
    }

    #[test]
    fn a_hidden_window_asks_for_the_least_once() {
        let id = CAMERA;
        let (mut wishes, mut commands) = (PictureWishes::default(), Vec::new());
        for ms in [0, 300] {
            wishes.update(&[(id, 720.0)], MediaTime::from_millis(ms), &mut commands);
        }
        wishes.hide(&[id], &mut commands);
        wishes.hide(&[id], &mut commands);
        let wish = |lines| wish(id, lines);
        assert_eq!(commands, [wish(720), wish(180)]);
    }

    #[test]
    fn a_window_that_was_never_seen_asks_for_the_least_in_each_call() {
        let id = CAMERA;
        let (mut wishes, mut commands) = (PictureWishes::default(), Vec::new());
        for participants in [&[id][..], &[id], &[], &[id]] {
            wishes.hide(participants, &mut commands);
        }
        let wish = || wish(id, 180);
        assert_eq!(commands, [wish(), wish()], "once in each");
    }

    #[test]
    fn two_pictures_of_one_person_are_asked_for_each_by_its_own_size() {
        let (mut wishes, mut commands) = (PictureWishes::default(), Vec::new());
        for ms in [0, 300] {
            let drawn = [(CAMERA, 150.0), (SCREEN, 1000.0)];
            wishes.update(&drawn, MediaTime::from_millis(ms), &mut commands);
        }
        assert_eq!(commands, [wish(CAMERA, 180), wish(SCREEN, 1080)]);
        commands.clear();
        wishes.hide(&[CAMERA, SCREEN], &mut commands);
        assert_eq!(commands, [wish(SCREEN, 180)], "of the camera it is the least already");
    }
}
