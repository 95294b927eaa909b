//! Networks of real hosts for measured calls: each side of a call is in a network namespace of its own, and frames
//! between the two pass an emulated link. Both programs see interfaces, addresses and routes as on two computers. Needs
//! Linux and root.

mod host;
mod kernel;
mod wire;

use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::Context;

use crate::capture::barcode;
use crate::controller::LinkProfile;
use crate::media::MediaTime;
use crate::rtc::LinkEmulator;

pub use host::Host;
pub use wire::Traffic;

use wire::{Line, Wire};

/// Interface of every host at first, its address on the first host, and that on the second one.
const FIRST: (&str, [&str; 2]) = ("wlan0", ["10.99.0.2", "10.99.0.3"]);
/// The interface that takes the place of the first host's, and its address.
const SECOND: (&str, &str) = ("usb0", "10.98.0.2");

/// Hosts of some calls, two each, whose links share their bottlenecks.
#[derive(Debug)]
pub struct Network {
    calls: Vec<[Host; 2]>,
    wire: Wire,
    /// Delay after the start of a call until its first host moves to another interface, if it does.
    moves_after: Option<Duration>,
}

/// Start of a call's clock, from which the changes of its link count.
#[derive(Clone, Copy, Debug)]
pub struct Began {
    /// On this process's clock.
    pub at: Instant,
    /// The same moment in microseconds of Unix time.
    pub unix_micros: u64,
}

impl Began {
    /// This moment.
    pub fn now() -> Self {
        Self { at: Instant::now(), unix_micros: barcode::unix_micros() }
    }
}

impl Network {
    /// Hosts for so many calls, each over a link like `profile`, all through one bottleneck a direction. Where
    /// `moves_after` is given the first host of each call loses its interface after that time, and gets another one
    /// with an address of another subnet.
    ///
    /// # Errors
    ///
    /// When this process may not make network namespaces, or `ip` is not installed.
    pub fn new(profile: &LinkProfile, calls: usize, moves_after: Option<Duration>) -> anyhow::Result<Self> {
        let now = MediaTime::now();
        let shared = [1, 2].map(|seed| LinkEmulator::new(profile.clone(), seed, now));
        let mut hosts = Vec::new();
        let mut lines = Vec::new();
        for call in 0..calls {
            let pair = [Host::new()?, Host::new()?];
            let first = [pair[0].add_interface(FIRST.0)?, pair[1].add_interface(FIRST.0)?];
            for (host, address) in pair.iter().zip(FIRST.1) {
                host.configure(&up(FIRST.0, address))?;
            }
            let mut taps = first.map(|tap| vec![tap]);
            if moves_after.is_some() {
                taps[0].push(pair[0].add_interface(SECOND.0)?);
            }
            let seed = 2 * call as u64;
            let links = [shared[0].beside(seed + 1), shared[1].beside(seed + 2)];
            lines.push(Line { taps, links });
            hosts.push(pair);
        }
        Ok(Self { calls: hosts, wire: Wire::new(lines)?, moves_after })
    }

    /// The two hosts of a call, and the start of its clock.
    pub fn place(&self, call: usize) -> anyhow::Result<HostPair<'_>> {
        let hosts = self.calls.get(call).context("the network has no such call")?;
        Ok(HostPair { network: self, call, hosts })
    }

    /// The traffic between two moments, up to the first and up to the second.
    pub fn traffic(&self, from: Instant, to: Instant) -> Option<[Traffic; 2]> {
        self.wire.traffic(MediaTime::of(from), MediaTime::of(to))
    }
}

/// The hosts of one call.
#[derive(Clone, Copy, Debug)]
pub struct HostPair<'a> {
    network: &'a Network,
    call: usize,
    /// The caller's host, and the callee's.
    pub hosts: &'a [Host; 2],
}

impl HostPair<'_> {
    /// Starts the clock of the call, and the wait for its move where it has one.
    pub fn begin(&self) -> anyhow::Result<(Began, Move)> {
        self.network.wire.begin(self.call);
        let began = Began::now();
        let Some(after) = self.network.moves_after else { return Ok((began, Move::none())) };
        let host = self.hosts[0].another_handle()?;
        let moves = move || {
            std::thread::sleep(after.saturating_sub(began.at.elapsed()));
            let (gone, there) = (FIRST.0, up(SECOND.0, SECOND.1));
            host.configure(&format!("address flush dev {gone}\nlink set {gone} down\n{there}"))
        };
        Ok((began, Move(Some(std::thread::Builder::new().name("move".into()).spawn(moves)?))))
    }

    /// When the first host moves, in seconds since the start of the clock.
    pub fn moves_at(&self) -> Option<f64> {
        self.network.moves_after.map(|after| after.as_secs_f64())
    }
}

/// The move of a host to another interface, which may be still to come.
#[derive(Debug)]
pub struct Move(Option<JoinHandle<anyhow::Result<()>>>);

impl Move {
    /// No move.
    pub const fn none() -> Self {
        Self(None)
    }

    /// Waits until the host has moved.
    pub fn finish(self) -> anyhow::Result<()> {
        let moved = self.0.map(JoinHandle::join);
        moved.unwrap_or(Ok(Ok(()))).map_err(|_| anyhow::anyhow!("the thread of a move ended"))?
    }
}

/// Commands of `ip` that bring an interface up, with the default route through it.
fn up(interface: &str, address: &str) -> String {
    format!("address add {address}/24 dev {interface}\nlink set {interface} up\nroute add default dev {interface}\n")
}

#[cfg(test)]
mod tests {
    use std::net::UdpSocket;

    use super::*;

    /// Sends a byte from one host to the other; the address that it came from.
    fn reach(pair: &HostPair<'_>, byte: u8) -> String {
        let far = pair.hosts[1].enter(|| UdpSocket::bind((FIRST.1[1], 0))).unwrap();
        far.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        let to = far.local_addr().unwrap();
        pair.hosts[0].enter(|| UdpSocket::bind("0.0.0.0:0")?.send_to(&[byte], to)).unwrap();
        let mut read = [0];
        let (_, from) = far.recv_from(&mut read).unwrap();
        assert_eq!(read, [byte]);
        from.ip().to_string()
    }

    #[test]
    fn hosts_reach_each_other_and_a_host_that_moves_has_another_address() {
        // SAFETY: geteuid has no preconditions.
        if unsafe { libc::geteuid() } != 0 {
            let refused = Network::new(&LinkProfile::default(), 1, None).unwrap_err();
            assert!(refused.to_string().contains("run this as root"), "{refused}");
            return;
        }
        let network = Network::new(&"delay=5".parse().unwrap(), 2, Some(Duration::from_millis(100))).unwrap();
        let pairs = [0, 1].map(|call| network.place(call).unwrap());
        assert_eq!(pairs.map(|pair| reach(&pair, 1)), [FIRST.1[0]; 2]);
        let (_, moved) = pairs[0].begin().unwrap();
        moved.finish().unwrap();
        assert_eq!(pairs.map(|pair| reach(&pair, 2)), [SECOND.1, FIRST.1[0]]);
        assert!(network.place(2).is_err());
    }
}
