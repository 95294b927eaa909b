//! Calls between homes behind every kind of router, over a server: two real apps, the real server, and the Internet in
//! software. Each row has the route that it must take. `scripts/nat-matrix` runs them all, and prints the table.

#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]
#![allow(clippy::print_stdout, reason = "the table is for people")]

mod support;

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use support::internet::{Families, Internet, Nat, Router};
use support::network::Computer;
use support::process::{Launch, SOON, Visavis};
use support::server::Server;

/// Longest time between pictures at a move to a direct path, generous for a busy computer; the figure is printed.
const LONGEST_GAP: Duration = Duration::from_secs(2);
/// Pictures that have to come before a route is taken for the call's.
const SOME_PICTURES: u64 = 20;

/// Homes of the two people.
struct Homes {
    /// Alice's and Bob's computers.
    computers: [Computer; 2],
    /// Every router, Alice's first.
    routers: Vec<Router>,
}

/// A row of the table.
struct Row {
    name: &'static str,
    build: fn(&Internet) -> Option<Homes>,
    /// Routes of Alice's media and of Bob's.
    expected: [&'static str; 2],
}

const DIRECT: [&str; 2] = ["direct"; 2];
const RELAY_UDP: [&str; 2] = ["relay udp"; 2];
const RELAY_TLS: [&str; 2] = ["relay tls"; 2];

/// Two homes with a router each.
fn apart(internet: &Internet, nats: [Nat; 2], families: [Families; 2]) -> Option<Homes> {
    let [near, far] = [(0, 10), (1, 20)].map(|(at, number)| internet.router(nats[at], families[at], number));
    let (near, far) = (near?, far?);
    Some(Homes { computers: [near.computer()?, far.computer()?], routers: vec![near, far] })
}

/// The same with IPv4 alone.
fn homes(internet: &Internet, near: Nat, far: Nat) -> Option<Homes> {
    apart(internet, [near, far], [Families::V4; 2])
}

/// Two homes of one provider that has one address for them.
fn behind_carrier(internet: &Internet, nat: Nat) -> Option<Homes> {
    let carrier = internet.carrier(nat)?;
    let (near, far) = (carrier.router(Nat::Home, 10)?, carrier.router(Nat::Home, 20)?);
    Some(Homes { computers: [near.computer()?, far.computer()?], routers: vec![near, far, carrier] })
}

/// One home behind its provider's NAT, the other one on the Internet.
fn carrier_and_home(internet: &Internet) -> Option<Homes> {
    let carrier = internet.carrier(Nat::FullCone)?;
    let (near, far) = (carrier.router(Nat::Home, 10)?, internet.router(Nat::Home, Families::V4, 20)?);
    Some(Homes { computers: [near.computer()?, far.computer()?], routers: vec![near, far, carrier] })
}

fn one_home(internet: &Internet) -> Option<Homes> {
    let router = internet.router(Nat::Home, Families::V4, 10)?;
    Some(Homes { computers: [router.computer()?, router.computer()?], routers: vec![router] })
}

/// The rows; the words name Alice's router first.
const ROWS: [Row; 16] = {
    use Nat::{AddressRestricted, FullCone, Hairpin, Home, NoUdp, Port443, Symmetric};
    [
        Row { name: "home, home", build: |it| homes(it, Home, Home), expected: DIRECT },
        Row { name: "full cone, home", build: |it| homes(it, FullCone, Home), expected: DIRECT },
        Row {
            name: "address-restricted, address-restricted",
            build: |it| homes(it, AddressRestricted, AddressRestricted),
            expected: DIRECT,
        },
        Row {
            name: "address-restricted, symmetric",
            build: |it| homes(it, AddressRestricted, Symmetric),
            expected: DIRECT,
        },
        Row { name: "home, symmetric", build: |it| homes(it, Home, Symmetric), expected: RELAY_UDP },
        Row { name: "symmetric, symmetric", build: |it| homes(it, Symmetric, Symmetric), expected: RELAY_UDP },
        Row { name: "UDP blocked, home", build: |it| homes(it, NoUdp, Home), expected: ["relay tls", "relay udp"] },
        Row { name: "UDP blocked, UDP blocked", build: |it| homes(it, NoUdp, NoUdp), expected: RELAY_TLS },
        Row {
            name: "TCP port 443 alone, home",
            build: |it| homes(it, Port443, Home),
            expected: ["relay tls", "relay udp"],
        },
        Row { name: "TCP port 443 alone, both", build: |it| homes(it, Port443, Port443), expected: RELAY_TLS },
        Row { name: "one carrier, no hairpin", build: |it| behind_carrier(it, FullCone), expected: RELAY_UDP },
        Row { name: "one carrier, hairpin", build: |it| behind_carrier(it, Hairpin), expected: DIRECT },
        Row { name: "carrier and home, home", build: carrier_and_home, expected: DIRECT },
        Row { name: "one home", build: one_home, expected: DIRECT },
        Row {
            name: "IPv6 firewall and symmetric, both",
            build: |it| apart(it, [Symmetric; 2], [Families::Both; 2]),
            expected: DIRECT,
        },
        Row {
            name: "IPv6 alone, IPv4 alone",
            build: |it| apart(it, [Home; 2], [Families::V6, Families::V4]),
            expected: RELAY_UDP,
        },
    ]
};

/// Two contacts who see each other over the server, and the network that they live in. The apps end first.
struct Meeting {
    alice: Visavis,
    bob: Visavis,
    homes: Homes,
    server: Server,
    folder: tempfile::TempDir,
    internet: Internet,
}

impl Meeting {
    /// `None` where this machine cannot.
    fn begin(build: impl Fn(&Internet) -> Option<Homes>) -> Option<Self> {
        let internet = Internet::build()?;
        let homes = build(&internet).expect("the homes of a row");
        let folder = tempfile::tempdir().expect("a folder for the server's key");
        let server = Server::start_in(&internet, folder.path());
        let [mut alice, mut bob] = [("Nat-Alice", 0), ("Nat-Bob", 1)].map(|(name, at)| {
            let launch = Launch::new(name).with_synthetic_devices().option("--server", &server.link);
            // A one-way delay, say, of whatever the two send over UDP.
            let link = std::env::var("VISAVIS_NAT_LINK").ok();
            let launch = link.into_iter().fold(launch, |launch, link| launch.option("--link", link));
            homes.computers[at].give_all_to(launch).start()
        });
        let [alice_link, bob_link] = [&alice, &bob].map(|side| side.link.clone());
        for (side, other) in [(&mut alice, bob_link), (&mut bob, alice_link)] {
            side.expect_where("server", SOON, |server| server["state"] == "online");
            side.send(json!({"command": "add_contact", "link": other}));
        }
        let [alice_id, bob_id] = [&alice, &bob].map(|side| side.id.clone());
        for (side, other) in [(&mut alice, bob_id), (&mut bob, alice_id)] {
            side.expect_online(&other);
        }
        Some(Self { alice, bob, homes, server, folder, internet })
    }

    fn sides(&mut self) -> [&mut Visavis; 2] {
        [&mut self.alice, &mut self.bob]
    }

    /// A call of little video up to the first picture on both sides: the time from Answer.
    fn call(&mut self) -> Duration {
        self.call_with("low")
    }

    /// The same with a preset.
    fn call_with(&mut self, video: &str) -> Duration {
        let (alice, bob) = (self.alice.id.clone(), self.bob.id.clone());
        self.alice.invite(&bob, json!(video));
        let invite = self.bob.expect_invite_from(&alice);
        let answered = Instant::now();
        self.bob.accept(&invite, json!(video));
        for side in self.sides() {
            side.expect("first_frame");
        }
        answered.elapsed()
    }

    /// Routes of both sides' media, once pictures have come.
    fn routes(&mut self) -> [String; 2] {
        self.sides().map(|side| {
            let before = frames(&side.expect("stats"));
            route(&side.expect_where("stats", SOON, |stats| frames(stats) > before + SOME_PICTURES))
        })
    }

    /// Alice's router.
    fn router(&mut self) -> &mut Router {
        &mut self.homes.routers[0]
    }

    /// Lets the two homes reach each other no more but by the server, or lets them again.
    fn keep_apart(&self, on: bool) {
        let [near, far] = [&self.homes.routers[0], &self.homes.routers[1]];
        near.block(far.address(), on);
        far.block(near.address(), on);
    }

    /// Makes a change, and waits until both sides' media take this route: the time until then, and the longest times
    /// without a picture at either side meanwhile.
    fn move_to(&mut self, expected: &str, change: impl FnOnce(&Self)) -> (Duration, [Duration; 2]) {
        for side in self.sides() {
            side.send(json!({"command": "trace_frames", "on": true}));
            side.expect("stats");
        }
        let changed = Instant::now();
        change(self);
        for side in self.sides() {
            side.expect_where("stats", SOON, |stats| route(stats) == expected);
        }
        let took = changed.elapsed();
        let gaps = self.sides().map(|side| {
            // Pictures of after.
            side.expect("stats");
            longest_gap(side)
        });
        (took, gaps)
    }

    /// Kills the server, and starts it again with its key.
    fn restart_server(&mut self) {
        self.server.kill();
        self.server = Server::start_in(&self.internet, self.folder.path());
    }

    fn hang_up(&mut self) {
        self.bob.say("leave");
        for side in self.sides() {
            side.expect("conversation_disconnected");
        }
    }

    /// After a change of the network: the time until pictures have come to both sides again, and the routes then.
    fn resume(&mut self) -> (Duration, [String; 2]) {
        let changed = Instant::now();
        for side in self.sides() {
            side.expect("reconnecting");
        }
        for side in self.sides() {
            side.expect("reconnected");
        }
        (changed.elapsed(), self.routes())
    }
}

/// Ends a trace of pictures: the longest time between two of them.
fn longest_gap(side: &mut Visavis) -> Duration {
    side.send(json!({"command": "trace_frames", "on": false}));
    let trace = side.expect("frame_trace");
    let times: Vec<_> = trace["times"].as_array().expect("times").iter().filter_map(Value::as_u64).collect();
    let gaps = times.windows(2).map(|pair| Duration::from_micros(pair[1] - pair[0]));
    gaps.max().expect("pictures")
}

/// Time of a call before its media is measured, and of the measurement.
const WARM_UP: Duration = Duration::from_secs(10);
const MEASURED: Duration = Duration::from_secs(20);

/// The ages of the pictures in a trace, the youngest first, in ms from their capture to their tile: both sides run on
/// one clock. `latency_ms` of the statistics has the sound's buffer in it, in steps of 20 ms.
fn ages_ms(side: &mut Visavis) -> Vec<f64> {
    side.send(json!({"command": "trace_frames", "on": false}));
    let trace = side.expect("frame_trace");
    let shown = trace["shown"].as_array().expect("pictures with their age").iter();
    let mut ages: Vec<_> = shown.filter_map(|picture| Some(picture[1].as_f64()? / 1000.0)).collect();
    ages.sort_by(f64::total_cmp);
    ages
}

/// The figures of Alice's received media over [`MEASURED`], and the cost of the relay, as cells of a table.
fn measured(meeting: &mut Meeting) -> String {
    let collect = |alice: &mut Visavis, time: Duration| {
        let (end, mut seconds) = (Instant::now() + time, Vec::new());
        while Instant::now() < end {
            seconds.push(alice.expect("stats")["received"].clone());
        }
        seconds
    };
    let relayed_mbit =
        |meeting: &Meeting| 8e-6 * Server::metric(&meeting.internet.server, "visavis_relayed_bytes_total") as f64;
    let before = collect(&mut meeting.alice, WARM_UP).pop().expect("a second");
    meeting.alice.send(json!({"command": "trace_frames", "on": true}));
    let (cpu, mbit, began) = (meeting.server.cpu(), relayed_mbit(meeting), Instant::now());
    let seconds = collect(&mut meeting.alice, MEASURED);
    let (cpu, mbit, time) = (meeting.server.cpu() - cpu, relayed_mbit(meeting) - mbit, began.elapsed().as_secs_f64());
    let ages = ages_ms(&mut meeting.alice);
    let age = |share: f64| ages.get((ages.len() as f64 * share) as usize).copied().unwrap_or_default();
    let after = seconds.last().expect("a second");
    let grown = |field: &str| after[field].as_f64().unwrap_or_default() - before[field].as_f64().unwrap_or_default();
    let median = |field: &str| {
        let mut values: Vec<_> = seconds.iter().filter_map(|second| second[field].as_f64()).collect();
        values.sort_by(f64::total_cmp);
        values.get(values.len() / 2).copied().unwrap_or_default()
    };
    format!(
        "{}x{} | {:.1} | {:.0} | {:.1} | {:.1} | {:.1} | {:.0} | {:.2} | {:.1} | {:.1}",
        after["width"],
        after["height"],
        grown("frames_decoded") / time,
        median("wire_kbps"),
        median("round_trip_ms"),
        age(0.5),
        age(0.95),
        grown("frozen_ms"),
        100.0 * cpu.as_secs_f64() / time,
        if mbit > 0.0 { cpu.as_secs_f64() * 1000.0 / mbit } else { 0.0 },
        meeting.server.resident_mib()
    )
}

#[test]
#[ignore = "two minutes: scripts/nat-matrix media"]
fn media_by_each_route() {
    let _machine = support::measuring();
    println!(
        "| route | picture | pictures/s | arriving, kbit/s | RTT, ms | delay of pictures, median, ms | 95 %, ms | \
         frozen, ms | server's CPU, % | ms of it a relayed Mbit | its memory, MiB |"
    );
    println!("| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |");
    for (nat, expected) in [(Nat::Home, DIRECT), (Nat::Symmetric, RELAY_UDP), (Nat::Port443, RELAY_TLS)] {
        let Some(mut meeting) = Meeting::begin(|internet| apart(internet, [nat; 2], [Families::V4; 2])) else {
            return;
        };
        meeting.call_with("high-16:9");
        assert_eq!(meeting.routes(), expected);
        println!("| {} | {} |", expected[0], measured(&mut meeting));
        meeting.hang_up();
    }
}

fn frames(stats: &Value) -> u64 {
    stats["received"]["frames_decoded"].as_u64().unwrap_or_default()
}

fn route(stats: &Value) -> String {
    let word = |field: &str| stats["sent"][field].as_str().unwrap_or_default().to_owned();
    format!("{} {}", word("route"), word("relay_transport")).trim_end().to_owned()
}

/// Holds a row of the table to its route.
fn holds(name: &str) {
    let _machine = support::sharing();
    let row = ROWS.iter().find(|row| row.name == name).expect("a row of this name");
    let Some(mut meeting) = Meeting::begin(row.build) else { return };
    meeting.call();
    assert_eq!(meeting.routes(), row.expected, "{name}");
    meeting.hang_up();
    let log = meeting.server.end();
    assert!(log.is_empty(), "{log}");
}

#[test]
fn two_homes_meet_directly() {
    holds("home, home");
}

#[test]
fn two_symmetric_routers_need_the_relay_whose_figures_tell_of_the_call() {
    let _machine = support::sharing();
    let Some(mut meeting) = Meeting::begin(|it| homes(it, Nat::Symmetric, Nat::Symmetric)) else { return };
    let metric = |meeting: &Meeting, name| Server::metric(&meeting.internet.server, name);
    assert_eq!(metric(&meeting, "visavis_relay_allocations_total"), 0);
    meeting.call();
    assert_eq!(meeting.routes(), RELAY_UDP);
    assert_eq!(metric(&meeting, "visavis_relay_allocations"), 2);
    let bytes = metric(&meeting, "visavis_relayed_bytes_total");
    let datagrams = metric(&meeting, "visavis_relayed_datagrams_total");
    assert!(datagrams > 100 && bytes > 100 * datagrams, "{bytes} bytes in {datagrams} datagrams");
    meeting.hang_up();
    let released = support::poll(SOON, || (metric(&meeting, "visavis_relay_allocations") == 0).then_some(()));
    assert!(released.is_some(), "both allocations are released with the call");
    assert_eq!(metric(&meeting, "visavis_relay_over_quota_total"), 0);
    let log = meeting.server.end();
    assert!(log.is_empty(), "{log}");
}

#[test]
fn the_relay_is_reached_by_tls_where_nothing_but_port_443_is_open() {
    holds("TCP port 443 alone, both");
}

#[test]
fn the_relay_joins_ipv6_and_ipv4() {
    holds("IPv6 alone, IPv4 alone");
}

#[test]
fn a_relayed_call_moves_to_a_direct_path_without_a_gap_and_back_when_that_dies() {
    let _machine = support::sharing();
    let Some(mut meeting) = Meeting::begin(|it| homes(it, Nat::Home, Nat::Home)) else { return };
    meeting.keep_apart(true);
    meeting.call();
    assert_eq!(meeting.routes(), RELAY_UDP);
    for _ in 0..2 {
        let (took, gaps) = meeting.move_to("direct", |meeting| meeting.keep_apart(false));
        println!("to the direct path after {took:?}, longest times between pictures {gaps:?}");
        assert!(gaps.iter().all(|gap| *gap < LONGEST_GAP), "{gaps:?}");
        assert_eq!(meeting.routes(), DIRECT);
        let (took, gaps) = meeting.move_to("relay udp", |meeting| meeting.keep_apart(true));
        println!("back to the relay after {took:?}, longest times between pictures {gaps:?}");
    }
    for side in meeting.sides() {
        assert!(!side.transcript().iter().any(|event| event["event"] == "reconnecting"));
    }
    meeting.hang_up();
}

/// The engine lives by the relayed pair, also while media goes another way.
#[test]
fn a_call_that_left_the_relay_goes_on_without_it() {
    let _machine = support::sharing();
    let Some(mut meeting) = Meeting::begin(|it| homes(it, Nat::Home, Nat::Home)) else { return };
    meeting.keep_apart(true);
    meeting.call();
    assert_eq!(meeting.routes(), RELAY_UDP);
    meeting.move_to("direct", |meeting| meeting.keep_apart(false));
    meeting.restart_server();
    let (took, routes) = meeting.resume();
    println!("both go on after {took:?}");
    assert_eq!(routes, DIRECT);
    meeting.hang_up();
}

#[test]
fn a_call_goes_on_behind_another_address() {
    let _machine = support::sharing();
    let Some(mut meeting) = Meeting::begin(|it| homes(it, Nat::Home, Nat::Home)) else { return };
    meeting.call();
    meeting.router().renumber(ANOTHER_ADDRESS);
    let (_, routes) = meeting.resume();
    assert_eq!(routes, DIRECT);
    meeting.hang_up();
}

/// Both people are told in words after half a minute, in which the relay may come back.
#[test]
fn a_relayed_call_whose_relay_is_gone_for_good_ends_with_its_reason() {
    let _machine = support::sharing();
    let Some(mut meeting) = Meeting::begin(|it| homes(it, Nat::Symmetric, Nat::Symmetric)) else { return };
    meeting.call();
    assert_eq!(meeting.routes(), RELAY_UDP);
    meeting.server.kill();
    let killed = Instant::now();
    for side in meeting.sides() {
        side.expect("reconnecting");
    }
    for side in meeting.sides() {
        let ended = side.expect_where("conversation_disconnected", 2 * SOON, |_| true);
        assert_eq!(ended["reason"], "lost", "{ended}");
    }
    let took = killed.elapsed();
    assert!(took > Duration::from_secs(20) && took < Duration::from_secs(50), "{took:?}");
}

/// Outer address that a router gets in mid-call.
const ANOTHER_ADDRESS: &str = "203.0.113.77";

/// Changes in mid-call: name, homes, change, expected routes after it.
type Change = (&'static str, fn(&Internet) -> Option<Homes>, fn(&mut Meeting), [&'static str; 2]);

const CHANGES: [Change; 5] = [
    (
        "another address, direct call",
        |it| homes(it, Nat::Home, Nat::Home),
        |it| it.router().renumber(ANOTHER_ADDRESS),
        DIRECT,
    ),
    (
        "another address, relayed call",
        |it| homes(it, Nat::Symmetric, Nat::Symmetric),
        |it| it.router().renumber(ANOTHER_ADDRESS),
        RELAY_UDP,
    ),
    (
        "UDP blocked from now on, direct call",
        |it| homes(it, Nat::Home, Nat::Home),
        |it| it.router().change_rules(Nat::NoUdp),
        ["relay tls", "relay udp"],
    ),
    (
        "UDP blocked from now on, relayed call",
        |it| homes(it, Nat::Symmetric, Nat::Symmetric),
        |it| it.router().change_rules(Nat::NoUdp),
        ["relay tls", "relay udp"],
    ),
    (
        "the server is killed and starts anew, relayed call",
        |it| homes(it, Nat::Symmetric, Nat::Symmetric),
        Meeting::restart_server,
        RELAY_UDP,
    ),
];

/// Runs of a row that took its route, of how many, and their times.
#[derive(Default)]
struct Result {
    as_expected: usize,
    times: Vec<Duration>,
    others: Vec<String>,
}

impl Result {
    fn note(&mut self, time: Duration, routes: &[String; 2], expected: [&str; 2]) {
        self.times.push(time);
        if routes == &expected {
            self.as_expected += 1;
        } else {
            self.others.push(routes.join(" / "));
        }
    }

    fn print(&mut self, name: &str, expected: [&str; 2]) {
        self.times.sort();
        let ms = |at: usize| self.times.get(at).map_or(0, Duration::as_millis);
        let (runs, last) = (self.times.len(), self.times.len().saturating_sub(1));
        let expected = if expected[0] == expected[1] { expected[0].to_owned() } else { expected.join(" / ") };
        println!(
            "| {name} | {expected} | {} of {runs} | {} | {} | {}",
            self.as_expected,
            ms(runs / 2),
            ms(last),
            self.others.join(", ")
        );
    }
}

#[test]
#[ignore = "minutes: scripts/nat-matrix [RUNS] [ROW]"]
fn every_row_takes_its_route() {
    let _machine = support::measuring();
    let variable = |name: &str| std::env::var(name).ok();
    let runs: usize = variable("VISAVIS_NAT_RUNS").map_or(1, |runs| runs.parse().expect("a number"));
    let wanted = |name: &str| variable("VISAVIS_NAT_ROW").is_none_or(|row| name.contains(&row));
    println!("| routers, Alice's first | route, hers first | as expected | median, ms | longest, ms |");
    println!("| --- | --- | --- | --- | --- |");
    let mut failed = Vec::new();
    for Row { name, build, expected } in ROWS.iter().filter(|row| wanted(row.name)) {
        let Some(mut meeting) = Meeting::begin(build) else { return };
        let mut result = Result::default();
        for _ in 0..runs {
            let time = meeting.call();
            result.note(time, &meeting.routes(), *expected);
            meeting.hang_up();
        }
        result.print(name, *expected);
        failed.extend((result.as_expected < runs).then_some(*name));
    }
    println!("\nChanges in mid-call, from the change until pictures come to both sides again:\n");
    for (name, build, change, expected) in CHANGES.iter().filter(|change| wanted(change.0)) {
        let mut result = Result::default();
        for _ in 0..runs {
            let Some(mut meeting) = Meeting::begin(build) else { return };
            meeting.call();
            meeting.routes();
            change(&mut meeting);
            let (time, routes) = meeting.resume();
            result.note(time, &routes, *expected);
        }
        result.print(name, *expected);
        failed.extend((result.as_expected < runs).then_some(*name));
    }
    assert!(failed.is_empty(), "other routes than expected: {failed:?}");
}
