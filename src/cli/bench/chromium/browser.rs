//! A headless Chromium with a profile of its own, whose camera is a film.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::Context;

use crate::cli::bench::namespaces::Host;
use crate::cli::bench::temporary::TemporaryDirectory;

/// Its names in the usual systems.
const NAMES: [&str; 4] = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];

/// Options that keep it to this computer, give it devices without a question, and let it draw unseen as if it was seen.
const FLAGS: [&str; 16] = [
    "--headless",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
    "--use-fake-ui-for-media-stream",
    "--use-fake-device-for-media-stream",
    "--allow-loopback-in-peer-connection",
    "--disable-features=WebRtcHideLocalIpsWithMdns",
    "--autoplay-policy=no-user-gesture-required",
    "--disable-renderer-backgrounding",
    "--disable-background-timer-throttling",
    "--disable-backgrounding-occluded-windows",
];

/// The program, where it is installed.
pub fn find() -> Option<PathBuf> {
    let folders: Vec<PathBuf> = std::env::split_paths(&std::env::var_os("PATH")?).collect();
    NAMES.iter().flat_map(|name| folders.iter().map(move |folder| folder.join(name))).find(|path| path.is_file())
}

/// A running Chromium, ended when dropped.
pub struct Browser {
    process: Child,
    _profile: TemporaryDirectory,
}

impl Browser {
    /// Opens `address` in a window of `size`, on `host` where there is one.
    pub fn start(
        program: &Path,
        host: Option<&Host>,
        film: &Path,
        size: (u32, u32),
        address: &str,
    ) -> anyhow::Result<Self> {
        let profile = TemporaryDirectory::new("chromium")?;
        let mut command = Command::new(program);
        command
            .args(FLAGS)
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .arg(format!("--use-file-for-fake-video-capture={}", film.display()))
            .arg(format!("--window-size={},{}", size.0, size.1))
            .args(["--remote-debugging-port=0", address])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        if is_root() {
            // Its sandbox refuses to run as root.
            command.arg("--no-sandbox");
        }
        let process = match host {
            Some(host) => host.enter(|| command.spawn()),
            None => command.spawn(),
        };
        let process = process.context("Chromium could not be started.")?;
        Ok(Self { process, _profile: profile })
    }
}

fn is_root() -> bool {
    // SAFETY: geteuid has no preconditions.
    unsafe { libc::geteuid() == 0 }
}

impl Drop for Browser {
    fn drop(&mut self) {
        if let Ok(pid) = i32::try_from(self.process.id()) {
            // SAFETY: kill has no preconditions; the process is a child that has not been waited for.
            unsafe { libc::kill(pid, libc::SIGTERM) };
        }
        for _ in 0..100 {
            if matches!(self.process.try_wait(), Ok(Some(_))) {
                return;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
