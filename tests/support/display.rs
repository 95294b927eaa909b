//! A display in software, with a person's hands (keys, clicks) and eyes (screenshots).

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use image::RgbImage;

use super::process::Launch;

/// A private X server without a screen. It ends when dropped.
pub struct Display {
    server: Child,
    name: String,
    manager: Option<Child>,
}

/// Place and size of a window on its screen, in pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    pub left: u32,
    pub top: u32,
    pub width: u32,
    pub height: u32,
}

impl Display {
    /// Starts one with a free number; `None`, with the reason printed, where there is no Xvfb.
    pub fn start(width: u32, height: u32) -> Option<Self> {
        let started = Command::new("Xvfb")
            // Without `-noreset` it starts over whenever its last client leaves, and refuses whoever comes in that
            // moment.
            .args(["-displayfd", "1", "-noreset", "-nolisten", "tcp"])
            .args(["-screen", "0", &format!("{width}x{height}x24")])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn();
        let Ok(mut server) = started else {
            super::skip("there is no Xvfb here");
            return None;
        };
        // It writes its number once it takes connections.
        let mut number = String::new();
        let said = server.stdout.take().map(|output| BufReader::new(output).read_line(&mut number));
        let display = Self { server, name: format!(":{}", number.trim()), manager: None };
        assert!(matches!(said, Some(Ok(length)) if length > 1), "Xvfb did not say its number");
        Some(display)
    }

    /// The same with a window manager; `None`, with the reason printed, where there is no openbox.
    pub fn managed(width: u32, height: u32) -> Option<Self> {
        let mut display = Self::start(width, height)?;
        let started = display
            .command("openbox")
            .args(["--sm-disable", "--config-file", "/etc/xdg/openbox/rc.xml"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        let Ok(manager) = started else {
            super::skip("there is no openbox here");
            return None;
        };
        display.manager = Some(manager);
        let manages = super::poll(Duration::from_secs(60), || display.is_managed().then_some(()));
        assert!(manages.is_some(), "openbox manages no windows on {}", display.name);
        Some(display)
    }

    /// Whether a window manager says that it is there (EWMH 1.5, `_NET_SUPPORTING_WM_CHECK`).
    fn is_managed(&self) -> bool {
        use x11rb::connection::Connection;
        use x11rb::protocol::xproto::{AtomEnum, ConnectionExt};
        let (connection, screen) = x11rb::connect(Some(&self.name)).expect("the display takes connections");
        let root = connection.setup().roots[screen].root;
        let asked = connection.intern_atom(false, b"_NET_SUPPORTING_WM_CHECK").expect("the display is there");
        let property = asked.reply().expect("the display answers").atom;
        let asked = connection.get_property(false, root, property, AtomEnum::WINDOW, 0, 1);
        asked.expect("the display is there").reply().expect("the display answers").value_len == 1
    }

    /// A window that opens on this display, drawn without a graphics card.
    pub fn give_to(&self, launch: Launch) -> Launch {
        launch.with_window().environment("DISPLAY", &self.name).environment("LIBGL_ALWAYS_SOFTWARE", "1")
    }

    /// Waits for the window and gives it the keyboard (there is no window manager to do it).
    pub fn focus(&self, title: &str) {
        let found = super::poll(Duration::from_secs(60), || {
            let output = self.command("xdotool").args(["search", "--onlyvisible", "--name", title]).output().ok()?;
            let window = String::from_utf8_lossy(&output.stdout).lines().next()?.to_owned();
            let focused = self.command("xdotool").args(["windowfocus", "--sync", &window]).output().ok()?;
            focused.status.success().then_some(())
        });
        assert!(found.is_some(), "no window named {title} opened on {}", self.name);
    }

    /// Windows that show this title, by their numbers.
    pub fn windows(&self, title: &str) -> Vec<u32> {
        let output = self.command("xdotool").args(["search", "--onlyvisible", "--name", title]).output();
        let output = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
        output.lines().filter_map(|line| line.trim().parse().ok()).collect()
    }

    /// Waits until a window shows this title.
    pub fn expect_window(&self, title: &str) -> u32 {
        let found = super::poll(Duration::from_secs(60), || self.windows(title).first().copied());
        found.unwrap_or_else(|| panic!("no window named {title} opened on {}", self.name))
    }

    /// Waits until no window shows this title.
    pub fn expect_no_window(&self, title: &str) {
        let gone = super::poll(Duration::from_secs(60), || self.windows(title).is_empty().then_some(()));
        assert!(gone.is_some(), "a window named {title} stays on {}", self.name);
    }

    /// Asks a window to close, as a window manager does (ICCCM 2.0, 4.2.8.1).
    pub fn ask_to_close(&self, window: u32) {
        use x11rb::protocol::xproto::{ClientMessageEvent, ConnectionExt, EventMask};
        let (connection, _) = x11rb::connect(Some(&self.name)).expect("the display takes connections");
        let atom = |name: &str| {
            let asked = connection.intern_atom(false, name.as_bytes()).expect("the display is there");
            asked.reply().expect("the display answers").atom
        };
        let data = [atom("WM_DELETE_WINDOW"), x11rb::CURRENT_TIME, 0, 0, 0];
        let message = ClientMessageEvent::new(32, window, atom("WM_PROTOCOLS"), data);
        connection.send_event(false, window, EventMask::NO_EVENT, message).expect("the display is there");
        // A reply tells that the server has taken the message: it may not read what a closed connection has left.
        connection.get_input_focus().expect("the display is there").reply().expect("the display answers");
    }

    /// Minimizes a window, as its own button does.
    pub fn minimize(&self, window: u32) {
        self.hands(["windowminimize", "--sync", &window.to_string()].iter());
    }

    /// Brings a window to the front, as a list of windows does.
    pub fn activate(&self, window: u32) {
        self.hands(["windowactivate", "--sync", &window.to_string()].iter());
    }

    /// Where a window is.
    pub fn place_of(&self, window: u32) -> Place {
        let output = self.command("xdotool").args(["getwindowgeometry", "--shell", &window.to_string()]).output();
        let said = String::from_utf8_lossy(&output.expect("xdotool").stdout).into_owned();
        let number = |name: &str| {
            let line = said.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
            line.and_then(|number| number.parse().ok()).unwrap_or_else(|| panic!("no {name}: {said}"))
        };
        Place { left: number("X"), top: number("Y"), width: number("WIDTH"), height: number("HEIGHT") }
    }

    /// The title of the window that has the keyboard.
    pub fn active_title(&self) -> String {
        let output = self.command("xdotool").args(["getactivewindow", "getwindowname"]).output().expect("xdotool");
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    /// Presses and releases keys, by their X names.
    pub fn press(&self, keys: &[&str]) {
        self.hands(["key", "--delay", "60"].iter().chain(keys));
    }

    /// Presses a key and holds it.
    pub fn hold(&self, key: &str) {
        self.hands(["keydown", key].iter());
    }

    /// Releases a key.
    pub fn release(&self, key: &str) {
        self.hands(["keyup", key].iter());
    }

    /// A window of another program, as long as this is kept.
    pub fn open_other_window(&self) -> OtherWindow {
        use x11rb::connection::Connection;
        use x11rb::protocol::xproto::{AtomEnum, ConnectionExt, CreateWindowAux, PropMode, WindowClass};
        use x11rb::wrapper::ConnectionExt as _;
        let (connection, screen) = x11rb::connect(Some(&self.name)).expect("the display takes connections");
        let root = connection.setup().roots[screen].root;
        let window = connection.generate_id().expect("the display is there");
        let look = CreateWindowAux::new();
        let class = WindowClass::INPUT_OUTPUT;
        connection.create_window(0, window, root, 20, 20, 300, 200, 0, class, 0, &look).expect("the display is there");
        let (name, kind) = (AtomEnum::WM_NAME, AtomEnum::STRING);
        connection.change_property8(PropMode::REPLACE, window, name, kind, b"Other").expect("the display is there");
        connection.map_window(window).expect("the display is there");
        connection.get_input_focus().expect("the display is there").reply().expect("the display answers");
        OtherWindow { window: self.expect_window("^Other$"), _connection: connection }
    }

    /// Clicks a point of the screen.
    pub fn click(&self, x: u32, y: u32) {
        self.hands(["mousemove", &x.to_string(), &y.to_string(), "sleep", "0.1", "click", "1"].iter());
    }

    /// Moves the pointer, without a press.
    pub fn point_at(&self, x: u32, y: u32) {
        self.hands(["mousemove", &x.to_string(), &y.to_string()].iter());
    }

    /// Drags from one point of the screen to another.
    pub fn drag(&self, from: (u32, u32), to: (u32, u32)) {
        let [x, y, to_x, to_y] = [from.0, from.1, to.0, to.1].map(|at| at.to_string());
        let words = ["mousemove", &x, &y, "sleep", "0.1", "mousedown", "1", "sleep", "0.1", "mousemove_relative"];
        self.hands(words.iter().chain(&["--", "12", "12", "sleep", "0.2", "mousemove", &to_x, &to_y]));
        self.hands(["sleep", "0.2", "mouseup", "1"].iter());
    }

    /// What the screen shows.
    pub fn screenshot(&self) -> RgbImage {
        let output = self.command("import").args(["-window", "root", "png:-"]).output().expect("import (ImageMagick)");
        assert!(output.status.success(), "import: {}", String::from_utf8_lossy(&output.stderr));
        image::load_from_memory(&output.stdout).expect("a PNG").to_rgb8()
    }

    /// Looks at the screen until it is as wanted; keeps the last look for the report of a failure.
    pub fn expect(&self, what: &str, limit: Duration, wanted: impl Fn(&RgbImage) -> bool) -> RgbImage {
        let mut last = self.screenshot();
        let seen = super::poll(limit, || {
            last = self.screenshot();
            wanted(&last).then_some(())
        });
        if seen.is_none() {
            let kept = std::env::temp_dir().join(format!("visavis-screen-{}-{what}.png", std::process::id()));
            let _only_for_the_report = last.save(&kept);
            panic!("{}: not seen within {limit:?}: {what}; the last look is in {}", self.name, kept.display());
        }
        last
    }

    fn hands<'a>(&self, words: impl Iterator<Item = &'a &'a str>) {
        let output = self.command("xdotool").args(words).output().expect("xdotool");
        assert!(output.status.success(), "xdotool: {}", String::from_utf8_lossy(&output.stderr));
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.env("DISPLAY", &self.name).stdin(Stdio::null());
        command
    }
}

/// A window of another program. It closes when dropped.
pub struct OtherWindow {
    /// Its number.
    pub window: u32,
    _connection: x11rb::rust_connection::RustConnection,
}

impl Drop for Display {
    fn drop(&mut self) {
        for process in self.manager.iter_mut().chain([&mut self.server]) {
            let _already_gone = process.kill();
            let _status = process.wait();
        }
    }
}

/// The part of a picture (0 to 1) whose colour is this one, give or take what video coding does to it.
pub fn share_of(picture: &RgbImage, colour: [u8; 3]) -> f32 {
    let near = |pixel: &image::Rgb<u8>| pixel.0.iter().zip(colour).all(|(&have, want)| have.abs_diff(want) <= 40);
    picture.pixels().filter(|pixel| near(pixel)).count() as f32 / (picture.width() * picture.height()) as f32
}
