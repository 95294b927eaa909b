//! A session's message bus of its own, with the services that the system starts on one.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use super::process::Launch;

/// The bus. It ends when dropped, and with it the services on it.
pub struct SessionBus {
    daemon: Child,
    address: String,
}

impl SessionBus {
    /// Starts one; `None`, with the reason printed, where there is no message bus.
    pub fn start() -> Option<Self> {
        let started = Command::new("dbus-daemon")
            .args(["--session", "--nofork", "--nopidfile", "--print-address=1"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn();
        let Ok(mut daemon) = started else {
            super::skip("there is no dbus-daemon here");
            return None;
        };
        let mut address = String::new();
        BufReader::new(daemon.stdout.take().expect("piped")).read_line(&mut address).expect("an address");
        Some(Self { daemon, address: address.trim().to_owned() })
    }

    /// Its address.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// A program of this session.
    pub fn give_to(&self, launch: Launch) -> Launch {
        launch.environment("DBUS_SESSION_BUS_ADDRESS", &self.address)
    }
}

impl Drop for SessionBus {
    fn drop(&mut self) {
        let _already_gone = self.daemon.kill();
        let _status = self.daemon.wait();
    }
}
