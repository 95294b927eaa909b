//! A Wayland compositor in software: sway without a screen and without hands.

use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;

use super::process::Launch;

/// User and group that own nothing: sway does not run as root.
const NOBODY: u32 = 65534;

/// A private compositor. It ends when dropped.
pub struct Compositor {
    sway: Child,
    folder: TempDir,
    socket: String,
    control: PathBuf,
}

impl Compositor {
    /// Starts one; `None`, with the reason printed, where there is no sway.
    pub fn start() -> Option<Self> {
        let folder = tempfile::Builder::new().permissions(private()).tempdir().expect("a folder");
        let mut command = Command::new("sway");
        command
            .args(["--config", "/dev/null"])
            .env_remove("DISPLAY")
            .env_remove("WAYLAND_DISPLAY")
            .env("XDG_RUNTIME_DIR", folder.path())
            .env("HOME", folder.path())
            .env("WLR_BACKENDS", "headless")
            .env("WLR_RENDERER", "pixman")
            .env("WLR_LIBINPUT_NO_DEVICES", "1")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        // SAFETY: it only reads a number of the process.
        if unsafe { libc::geteuid() } == 0 {
            chown(folder.path(), Some(NOBODY), Some(NOBODY)).expect("root may");
            command.uid(NOBODY).gid(NOBODY);
        }
        let Ok(sway) = command.spawn() else {
            super::skip("there is no sway here");
            return None;
        };
        let mut compositor = Self { sway, folder, socket: String::new(), control: PathBuf::new() };
        let (mut socket, mut control) = (None, None);
        let up = super::poll(Duration::from_secs(60), || {
            for entry in std::fs::read_dir(compositor.folder.path()).ok()?.flatten() {
                let name = entry.file_name().to_string_lossy().into_owned();
                if name.starts_with("sway-ipc.") {
                    control = Some(entry.path());
                } else if name.starts_with("wayland-") && !name.ends_with(".lock") {
                    socket = Some(name);
                }
            }
            (socket.is_some() && control.is_some()).then_some(())
        });
        assert!(up.is_some(), "sway has not come up: {:?}", compositor.sway.try_wait());
        compositor.socket = socket.unwrap_or_default();
        compositor.control = control.unwrap_or_default();
        Some(compositor)
    }

    /// A window that opens here, drawn without a graphics card.
    pub fn give_to(&self, launch: Launch) -> Launch {
        launch
            .with_window()
            .environment("XDG_RUNTIME_DIR", self.folder.path())
            .environment("WAYLAND_DISPLAY", &self.socket)
            .environment("DISPLAY", "")
            .environment("LIBGL_ALWAYS_SOFTWARE", "1")
    }

    /// Whether a window of this title and this application is open.
    fn has_window(&self, app: &str, title: &str) -> bool {
        let tree = self.ask(&["-t", "get_tree"]);
        let tree: serde_json::Value = serde_json::from_str(&tree).expect("JSON");
        fn any(node: &serde_json::Value, app: &str, title: &str) -> bool {
            let below =
                |key: &str| node[key].as_array().is_some_and(|nodes| nodes.iter().any(|node| any(node, app, title)));
            (node["app_id"] == app && node["name"] == title) || below("nodes") || below("floating_nodes")
        }
        any(&tree, app, title)
    }

    /// Waits until a window is open, or not any more.
    pub fn expect_window(&self, app: &str, title: &str, open: bool) {
        let seen = super::poll(Duration::from_secs(60), || (self.has_window(app, title) == open).then_some(()));
        assert!(seen.is_some(), "{title}: open is not {open}: {}", self.ask(&["-t", "get_tree"]));
    }

    /// Asks the windows of an application to close, as the button of a title bar does.
    pub fn ask_to_close(&self, app: &str) {
        self.ask(&[&format!("[app_id=\"{app}\"] kill")]);
    }

    fn ask(&self, words: &[&str]) -> String {
        let output = Command::new("swaymsg").arg("--socket").arg(&self.control).args(words).output().expect("swaymsg");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }
}

fn private() -> std::fs::Permissions {
    std::os::unix::fs::PermissionsExt::from_mode(0o700)
}

impl Drop for Compositor {
    fn drop(&mut self) {
        let _already_gone = self.sway.kill();
        let _status = self.sway.wait();
    }
}
