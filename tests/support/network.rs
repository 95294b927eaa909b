//! Two computers in software: two network namespaces joined by a cable (a veth pair), with no router: like two
//! computers on one switch, they have no default route.

use std::os::fd::AsRawFd;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

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

    /// A product that runs on this computer and uses all of its networks, as a person starts it.
    pub fn give_all_to(&self, launch: Launch) -> Launch {
        launch.after(["ip", "netns", "exec", &self.namespace]).unbound()
    }

    /// Does something on this computer: sockets that are opened, and threads that are started, are there.
    pub fn enter<T: Send>(&self, act: impl FnOnce() -> T + Send) -> T {
        let namespace = std::fs::File::open(format!("/var/run/netns/{}", self.namespace)).expect("its namespace");
        let entered = || {
            // SAFETY: the descriptor is that of a network namespace, and lives through the call.
            assert_eq!(unsafe { libc::setns(namespace.as_raw_fd(), libc::CLONE_NEWNET) }, 0);
            act()
        };
        std::thread::scope(|scope| scope.spawn(entered).join()).expect("a thread on a computer in software")
    }

    /// Networks of containers as Docker makes them, up and with addresses `first.NUMBER.0.1`: bridges with something
    /// plugged in, or bare pairs of virtual cables with both ends here.
    pub fn add_containers(&self, count: u8, first: &str, bridges: bool) {
        for number in 0..count {
            let (near, far, bridge) = (format!("d{number}"), format!("e{number}"), format!("b{number}"));
            let mut all = vec![
                vec!["link", "add", &near, "type", "veth", "peer", "name", &far],
                vec!["link", "set", &near, "up"],
                vec!["link", "set", &far, "up"],
            ];
            let address = format!("{first}.{}.0.1/16", 17 + number);
            let holder = if bridges { &bridge } else { &near };
            if bridges {
                all.push(vec!["link", "add", &bridge, "type", "bridge"]);
                all.push(vec!["link", "set", &near, "master", &bridge]);
                all.push(vec!["link", "set", &bridge, "up"]);
            }
            all.push(vec!["addr", "add", &address, "dev", holder]);
            for arguments in all {
                let on_it = [&["-n", &self.namespace][..], &arguments].concat();
                assert!(ip(&on_it), "ip {on_it:?}");
            }
        }
    }

    /// Gives its end of the cable a further address, such as `10.0.1.1/24`.
    pub fn add_address(&self, address: &str) {
        assert!(ip(&["-n", &self.namespace, "addr", "add", address, "dev", self.interface]), "ip addr add {address}");
    }

    /// Sends what goes elsewhere to `router`, which need not be there.
    pub fn set_default_route(&self, router: &str) {
        assert!(ip(&["-n", &self.namespace, "route", "add", "default", "via", router]), "ip route add {router}");
    }

    /// A virtual private network comes up, which leads nowhere: an interface (a bridge without ports), its
    /// address, and routes through it that go before the default route.
    pub fn bring_vpn_up(&self) {
        for change in [
            &["link", "add", "vpn0", "type", "bridge"][..],
            &["addr", "add", "10.200.0.2/24", "dev", "vpn0"],
            &["link", "set", "vpn0", "up"],
            &["route", "add", "0.0.0.0/1", "dev", "vpn0"],
            &["route", "add", "128.0.0.0/1", "dev", "vpn0"],
        ] {
            assert!(ip(&[&["-n", &self.namespace], change].concat()), "ip {change:?}");
        }
    }

    /// The virtual private network goes down.
    pub fn take_vpn_down(&self) {
        assert!(ip(&["-n", &self.namespace, "link", "del", "vpn0"]), "ip link del");
    }

    /// Leaves it without a way to anywhere but its own network.
    pub fn take_default_route_away(&self) {
        assert!(ip(&["-n", &self.namespace, "route", "del", "default"]), "ip route del");
    }

    /// Leaves its end of the cable with its link-local address alone, and waits until that may be used.
    pub fn keep_link_local_alone(&self) {
        let with_length = format!("{}/24", self.address);
        assert!(ip(&["-n", &self.namespace, "addr", "del", &with_length, "dev", self.interface]), "ip addr del");
        self.await_link_local();
    }

    /// Leaves its end of the cable without a link-local address.
    pub fn take_link_local_away(&self) {
        for change in [
            &["link", "set", "dev", self.interface, "addrgenmode", "none"][..],
            &["-6", "addr", "flush", "dev", self.interface, "scope", "link"],
        ] {
            assert!(ip(&[&["-n", &self.namespace], change].concat()), "ip {change:?}");
        }
    }

    /// Waits until the link-local address of its end of the cable may be used.
    pub fn await_link_local(&self) {
        let until = Instant::now() + Duration::from_secs(10);
        let tentative =
            ["-n", &self.namespace, "-6", "-o", "addr", "show", "dev", self.interface, "scope", "link", "tentative"];
        let all = &tentative[..tentative.len() - 1];
        while said(all).is_empty() || !said(&tentative).is_empty() {
            assert!(Instant::now() < until, "no link-local address: {}", said(all));
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Adds a name with an address to its hosts file.
    pub fn knows(&self, address: &str, name: &str) {
        let hosts = format!("/etc/netns/{}/hosts", self.namespace);
        let known = std::fs::read_to_string(&hosts).expect("its hosts file");
        std::fs::write(&hosts, format!("{known}{address} {name}\n")).expect("its hosts file");
    }

    /// Its end of the cable.
    pub const fn interface(&self) -> &'static str {
        self.interface
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

    /// Its namespace.
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// The same with its address.
    pub(super) fn at(mut self, address: &str) -> Self {
        address.clone_into(&mut self.address);
        self
    }

    pub(super) fn create(namespace: String, address: &str) -> Option<Self> {
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
        let _without_files_of_its_own = std::fs::remove_dir_all(format!("/etc/netns/{}", self.namespace));
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

/// Two computers in networks of their own, and a router between the two that can run a server.
pub struct TwoNetworks {
    pub near: Computer,
    pub far: Computer,
    pub router: Computer,
}

/// Two networks with a router between them: multicast stays within each, so that the computers do not find each other
/// by themselves. `None`, with the reason printed, where the system does not allow it.
pub fn two_networks() -> Option<TwoNetworks> {
    // SAFETY: `geteuid` has no preconditions and cannot fail.
    let networks = if unsafe { libc::geteuid() } == 0 { try_two_networks() } else { None };
    if networks.is_none() {
        super::skip("networks in software need root and the `ip` program");
    }
    networks
}

fn try_two_networks() -> Option<TwoNetworks> {
    let name = format!("visavis-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
    let near = Computer::create(format!("{name}-n"), "10.78.1.2")?;
    let far = Computer::create(format!("{name}-f"), "10.78.2.2")?;
    let router = Computer::create(format!("{name}-r"), "10.78.1.1")?;
    let space = &router.namespace;
    for (computer, interface, address) in [(&near, "eth1", "10.78.1.1"), (&far, "eth2", "10.78.2.1")] {
        let with_length = format!("{address}/24");
        let joined = ip(&[
            "link",
            "add",
            "eth0",
            "netns",
            &computer.namespace,
            "type",
            "veth",
            "peer",
            "name",
            interface,
            "netns",
            space,
        ]) && computer.configure()
            && ip(&["-n", space, "addr", "add", &with_length, "dev", interface])
            && ip(&["-n", space, "link", "set", interface, "up"])
            && ip(&["-n", &computer.namespace, "route", "add", "default", "via", address]);
        if !joined {
            return None;
        }
    }
    let forwards = router.command("sh").args(["-c", "echo 1 > /proc/sys/net/ipv4/ip_forward"]).status();
    forwards.is_ok_and(|status| status.success()).then_some(TwoNetworks { near, far, router })
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

/// Output of `ip`.
fn said(arguments: &[&str]) -> String {
    let output = Command::new("ip").args(arguments).stdin(Stdio::null()).output();
    output.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned()).unwrap_or_default()
}

fn ip(arguments: &[&str]) -> bool {
    Command::new("ip").args(arguments).stdin(Stdio::null()).output().is_ok_and(|output| output.status.success())
}
