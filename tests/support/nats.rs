//! A NATS server (`nats-server`, a package of Debian) on a computer in software.

use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Stdio};
use std::time::Duration;

use super::network::Computer;
use super::poll;
use super::process::SOON;

const PORT: u16 = 4222;

/// A running NATS server. It is killed when dropped.
pub struct Nats {
    child: Child,
}

impl Nats {
    /// Starts it; `None`, with the reason printed, where it is not installed.
    pub fn start_on(computer: &Computer) -> Option<Self> {
        let mut command = computer.command("nats-server");
        command.args(["--addr", &computer.address, "--port", &PORT.to_string()]);
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        let mut nats = Self { child: child.expect("`ip` starts") };
        let address: SocketAddr = format!("{}:{PORT}", computer.address).parse().expect("an address");
        let ready = poll(SOON, || {
            let has_ended = nats.child.try_wait().expect("a child of this process").is_some();
            let answers = || TcpStream::connect_timeout(&address, Duration::from_secs(1)).is_ok();
            (has_ended || computer.enter(answers)).then_some(!has_ended)
        });
        if ready != Some(true) {
            super::skip("joined nodes need the program `nats-server`");
            return None;
        }
        Some(nats)
    }

    /// Its URL.
    pub fn url(computer: &Computer) -> String {
        format!("nats://{}:{PORT}", computer.address)
    }

    /// Kills it without a chance to say anything.
    pub fn kill(&mut self) {
        let _already_gone = self.child.kill();
        let _status = self.child.wait();
    }
}

impl Drop for Nats {
    fn drop(&mut self) {
        self.kill();
    }
}
