//! Two computers in software: two network namespaces joined by a cable (a veth pair), with no router: like two computers
//! on one switch, they have no default route.

use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use super::process::Launch;

static NEXT: AtomicU32 = AtomicU32::new(0);

/// One of the two computers.
pub struct Computer {
    namespace: String,
    /// Its address on the cable.
    pub address: String,
    interface: &'static str,
}

impl Computer {
    /// A product that runs on this computer.
    pub fn give_to(&self, launch: Launch) -> Launch {
        launch.after(["ip", "netns", "exec", &self.namespace]).bind(&self.address)
    }

    /// Another program that runs on this computer.
    pub fn command(&self, program: &str) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.namespace, program]).stdin(Stdio::null());
        command
    }

    /// Takes its address away and gives it another one, as a network that it has moved to would.
    pub fn move_to(&self, address: &str) {
        let change = |verb: &str, address: &str| {
            let with_length = format!("{address}/24");
            assert!(ip(&["-n", &self.namespace, "addr", verb, &with_length, "dev", self.interface]), "ip addr {verb}");
        };
        change("del", &self.address);
        change("add", address);
    }

    /// Pulls the cable out on this side, or puts it back.
    pub fn set_cable(&self, plugged: bool) {
        let state = if plugged { "up" } else { "down" };
        assert!(ip(&["-n", &self.namespace, "link", "set", self.interface, state]), "ip link set {state}");
    }

    fn create(namespace: String, address: &str) -> Option<Self> {
        let created = ip(&["netns", "add", &namespace]);
        let computer = Self { namespace, address: address.to_owned(), interface: "eth0" };
        (created && ip(&["-n", &computer.namespace, "link", "set", "lo", "up"])).then_some(computer)
    }

    fn configure(&self) -> bool {
        let with_length = format!("{}/24", self.address);
        ip(&["-n", &self.namespace, "addr", "add", &with_length, "dev", self.interface])
            && ip(&["-n", &self.namespace, "link", "set", self.interface, "up"])
    }
}

impl Drop for Computer {
    fn drop(&mut self) {
        ip(&["netns", "del", &self.namespace]);
    }
}

/// Two computers on one cable; `None`, with the reason printed, where the system does not allow it.
pub fn two_computers() -> Option<(Computer, Computer)> {
    let pair = try_two_computers();
    if pair.is_none() {
        super::skip("networks in software need root and the `ip` program");
    }
    pair
}

/// A computer without any network but loopback; `None`, with the reason printed, where the system does not allow it.
pub fn offline_computer() -> Option<Computer> {
    // SAFETY: `geteuid` has no preconditions and cannot fail.
    let root = unsafe { libc::geteuid() } == 0;
    let name = format!("visavis-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
    let computer = root.then(|| Computer::create(name, "127.0.0.1")).flatten();
    if computer.is_none() {
        super::skip("networks in software need root and the `ip` program");
    }
    computer
}

fn try_two_computers() -> Option<(Computer, Computer)> {
    // SAFETY: `geteuid` has no preconditions and cannot fail.
    if unsafe { libc::geteuid() } != 0 {
        return None;
    }
    let name = format!("visavis-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
    let first = Computer::create(format!("{name}-a"), "10.77.0.1")?;
    let second = Computer::create(format!("{name}-b"), "10.77.0.2")?;
    let joined = ip(&[
        "link",
        "add",
        "eth0",
        "netns",
        &first.namespace,
        "type",
        "veth",
        "peer",
        "name",
        "eth0",
        "netns",
        &second.namespace,
    ]);
    (joined && first.configure() && second.configure()).then_some((first, second))
}

fn ip(arguments: &[&str]) -> bool {
    Command::new("ip").args(arguments).stdin(Stdio::null()).output().is_ok_and(|output| output.status.success())
}
