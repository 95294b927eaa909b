//! Two real windows, each on a display of its own, worked with mouse and keyboard: one person is picked and called, the
//! other answers, each sees the other's picture, and hanging up takes both home.

#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]
#![allow(clippy::print_stderr, reason = "what a failing test has to say goes to standard error")]

mod support;

use std::fs::{self, File};
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::Duration;

use image::RgbImage;
use support::camera::write_plain_film;
use support::display::{Display, share_of};
use support::process::{Launch, prefixed};
use tempfile::TempDir;

const GREEN: [u8; 3] = [0, 255, 0];
const GREEN_FILM: [u8; 3] = [145, 54, 34];
const MAGENTA: [u8; 3] = [255, 0, 255];
const MAGENTA_FILM: [u8; 3] = [107, 202, 222];

/// The accent of the light and of the dark theme: the dot of who is online, and the one button that matters.
const ACCENTS: [[u8; 3]; 2] = [[0x0B, 0x76, 0x70], [0x52, 0xCF, 0xC0]];
/// The buttons that answer.
const ANSWER: [u8; 3] = [0x22, 0x9A, 0x4A];

struct Person {
    display: Display,
    program: Child,
    home: TempDir,
}

impl Person {
    fn open(name: &str, film: &Path) -> Option<Self> {
        let display = Display::start(1200, 800)?;
        let launch = Launch::new(name)
            .option("--camera", prefixed("file:", film))
            .option("--microphone", "tone:440")
            .option("--speaker", "none");
        let (mut command, _, home) = display.give_to(launch).command();
        let log = File::create(home.path().join("log")).expect("space on the disk");
        let program = command.stdin(Stdio::null()).stderr(log).spawn().expect("visavis starts");
        let person = Self { display, program, home };
        person.display.focus("Visavis");
        Some(person)
    }

    fn expect(&self, what: &str, wanted: impl Fn(&RgbImage) -> bool) -> RgbImage {
        self.display.expect(what, Duration::from_secs(60), wanted)
    }

    /// Clicks the middle of the accent patch that is as wanted, once there is one.
    fn click_accent(&self, what: &str, wanted: impl Fn(&Patch) -> bool) {
        let find = |screen: &RgbImage| patches(screen, &ACCENTS).into_iter().find(|patch| wanted(patch));
        let screen = self.expect(what, |screen| find(screen).is_some());
        let (x, y) = find(&screen).expect("just seen").middle();
        self.display.click(x, y);
    }

    fn is_running(&mut self) -> bool {
        matches!(self.program.try_wait(), Ok(None))
    }
}

impl Drop for Person {
    fn drop(&mut self) {
        let _already_gone = self.program.kill();
        let _status = self.program.wait();
        if std::thread::panicking() {
            let log = fs::read_to_string(self.home.path().join("log")).unwrap_or_default();
            eprintln!("---- the log of one window\n{log}");
        }
    }
}

/// A connected area of one colour, by its edges.
#[derive(Clone, Copy, Debug)]
struct Patch {
    left: u32,
    top: u32,
    right: u32,
    bottom: u32,
}

impl Patch {
    const fn size(&self) -> (u32, u32) {
        (self.right - self.left + 1, self.bottom - self.top + 1)
    }

    const fn middle(&self) -> (u32, u32) {
        ((self.left + self.right) / 2, (self.top + self.bottom) / 2)
    }

    /// The small dot beside the picture of somebody who is online.
    fn is_presence_dot(&self) -> bool {
        let (width, height) = self.size();
        (7..=13).contains(&width) && (7..=13).contains(&height) && self.left < 400
    }

    /// A round button, or the most of it that its picture leaves together.
    fn is_round(&self) -> bool {
        let (width, height) = self.size();
        (40..=72).contains(&width) && (40..=72).contains(&height)
    }

    fn is_button(&self) -> bool {
        let (width, height) = self.size();
        width >= 80 && (24..=64).contains(&height)
    }
}

fn patches(screen: &RgbImage, colors: &[[u8; 3]]) -> Vec<Patch> {
    let (width, height) = screen.dimensions();
    let is_accent = |x: u32, y: u32| colors.contains(&screen.get_pixel(x, y).0);
    let mut seen = vec![false; (width * height) as usize];
    let mut found = Vec::new();
    for start in 0..width * height {
        let (x, y) = (start % width, start / width);
        if seen[start as usize] || !is_accent(x, y) {
            continue;
        }
        let mut patch = Patch { left: x, top: y, right: x, bottom: y };
        let mut open = vec![(x, y)];
        seen[start as usize] = true;
        while let Some((x, y)) = open.pop() {
            patch.left = patch.left.min(x);
            patch.right = patch.right.max(x);
            patch.top = patch.top.min(y);
            patch.bottom = patch.bottom.max(y);
            let beside = [(x.wrapping_sub(1), y), (x + 1, y), (x, y.wrapping_sub(1)), (x, y + 1)];
            for (x, y) in beside.into_iter().filter(|&(x, y)| x < width && y < height) {
                let index = (y * width + x) as usize;
                if !seen[index] && is_accent(x, y) {
                    seen[index] = true;
                    open.push((x, y));
                }
            }
        }
        found.push(patch);
    }
    found
}

#[test]
fn two_windows_call_answer_see_each_other_and_hang_up() {
    let _machine = support::measuring();
    let directory = tempfile::tempdir().expect("a directory");
    let (green, magenta) = (directory.path().join("green.y4m"), directory.path().join("magenta.y4m"));
    write_plain_film(&green, GREEN_FILM);
    write_plain_film(&magenta, MAGENTA_FILM);
    let Some(mut alice) = Person::open("Alice", &green) else { return };
    let Some(mut bob) = Person::open("Bob", &magenta) else { return };

    alice.expect("her own picture before the call", |screen| share_of(screen, GREEN) > 0.05);
    alice.click_accent("the dot that says Bob is online", Patch::is_presence_dot);
    alice.click_accent("the button that calls", Patch::is_button);

    bob.expect("the buttons that answer", |screen| {
        patches(screen, &[ANSWER]).iter().filter(|one| one.is_round()).count() == 2
    });
    bob.expect("his own picture around them", |screen| share_of(screen, MAGENTA) > 0.2);
    assert!(share_of(&bob.display.screenshot(), GREEN) < 0.01, "nothing of the caller is seen before the answer");
    assert!(share_of(&alice.display.screenshot(), MAGENTA) < 0.01, "nothing of the callee is seen before the answer");
    // The scene ignores Enter for a moment, and a moment after each key, so that nobody who is typing answers by
    // accident.
    let answered = (0..10).any(|_| {
        bob.display.press(&["Return"]);
        let seen = || (share_of(&bob.display.screenshot(), GREEN) > 0.2).then_some(());
        support::poll(Duration::from_secs(3), seen).is_some()
    });
    assert!(answered, "Enter answers, and the caller's picture fills the window");
    alice.expect("the picture of Bob", |screen| share_of(screen, MAGENTA) > 0.2);

    alice.display.press(&["ctrl+Return"]);
    alice.expect("home after hanging up", |screen| share_of(screen, MAGENTA) < 0.01);
    bob.expect("home after the other side hung up", |screen| share_of(screen, GREEN) < 0.01);
    assert!(alice.is_running() && bob.is_running());
}
