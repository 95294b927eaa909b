//! Networks of a computer that come and go: interfaces, addresses and routes. A server is reached again as soon as
//! there is a way: real processes, in networks in software.

#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]
#![allow(clippy::print_stdout, reason = "the times are figures of interest")]

mod support;

use std::time::Instant;

use support::network::{Computer, TwoNetworks, two_networks};
use support::process::{Launch, SOON, Visavis};
use support::server::{Server, data};

/// Somebody near, at a server in the other network.
struct Away {
    networks: TwoNetworks,
    person: Visavis,
    _server: Server,
    _folder: tempfile::TempDir,
}

impl Away {
    fn start() -> Option<Self> {
        let networks = two_networks()?;
        let (folder, data) = data();
        let server = Server::start_on(&networks.far, &data, 8443);
        let launch = Launch::new("Nomad").with_synthetic_devices().option("--server", &server.link);
        let person = networks.near.give_all_to(launch).start();
        let mut away = Self { networks, person, _server: server, _folder: folder };
        away.expect("online");
        Some(away)
    }

    fn near(&self) -> &Computer {
        &self.networks.near
    }

    fn expect(&mut self, state: &str) {
        self.person.expect_where("server", SOON, |server| server["state"] == state);
    }

    /// The server is reached again; says how long it took.
    fn returns(&mut self, after: &str) {
        let began = Instant::now();
        self.expect("online");
        println!("after {after}: online in {:.2} s", began.elapsed().as_secs_f64());
    }
}

#[test]
fn a_server_is_reached_again_after_the_interface_was_down() {
    let _machine = support::sharing();
    let Some(mut away) = Away::start() else { return };
    away.near().set_cable(false);
    away.expect("offline");
    away.near().set_cable(true);
    away.near().set_default_route("10.78.1.1");
    away.returns("an interface came up");
}

#[test]
fn a_server_is_reached_again_from_another_address() {
    let _machine = support::sharing();
    let Some(mut away) = Away::start() else { return };
    away.near().move_to("10.78.1.77");
    away.expect("offline");
    away.near().set_default_route("10.78.1.1");
    away.returns("another address");
}

#[test]
fn a_server_is_reached_again_when_a_vpn_that_leads_nowhere_goes_down() {
    let _machine = support::sharing();
    let Some(mut away) = Away::start() else { return };
    away.near().bring_vpn_up();
    away.expect("offline");
    away.near().take_vpn_down();
    away.returns("a VPN went down");
}
