//! Calls between two computers behind routers that translate addresses, in network namespaces with nftables. Sides of a
//! call and the relay are this test program again, each in its namespace.
//!
//! ```text
//! a 10.0.10.2 -- na (router) 203.0.113.10 --.
//!                                           +-- bridge -- srv 203.0.113.1 (STUN, relay)
//! b 10.0.20.2 -- nb (router) 203.0.113.20 --'
//! ```
//!
//! Mapping and filtering are named as in RFC 4787. Without root, `ip` and `nft` the tests say so and pass, except where
//! `VISAVIS_REQUIRE_RIGS` is set.

#![cfg(test)]

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};

use super::relay::{engine_of, start_relay};
use super::*;
use crate::call::{AnyDescription, RelayUse};
use crate::rtc::{MediaRoute, OpeningStream, RelayStream, StreamConnector};

/// Names the part of a child in its environment.
const PART: &str = "VISAVIS_NAT_PART";
const SERVER: &str = "203.0.113.1:3478";
/// Port of the web, where streams to the relay go. They are not TLS: this is about routers.
const WEB: &str = "203.0.113.1:443";
/// Before lines of a child that are for its parent.
const MARK: &str = "> ";

/// A router.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Router {
    /// Endpoint-independent mapping and filtering.
    FullCone,
    /// Endpoint-independent mapping, address-dependent filtering.
    AddressRestricted,
    /// Endpoint-independent mapping while ports do not collide, address- and port-dependent filtering.
    Home,
    /// A random port for each destination.
    Symmetric,
    /// As a home's, but that UDP does not pass, and TCP to the ports of the web alone.
    WebOnly,
}

const KEPT_CLOSED: &str = "table ip filter {
    chain inp { type filter hook input priority 0; iifname wan ct state new drop; };
    chain fw { type filter hook forward priority 0; iifname wan ct state new drop; }; }";

impl Router {
    /// Its rules for nftables.
    fn rules(self) -> String {
        let map =
            "map m { type inet_service : ipv4_addr . inet_service; flags dynamic,timeout; timeout 300s; size 65536; };";
        let mapped = "iifname wan";
        match self {
            Self::Home => format!(
                "table ip nat {{ chain post {{ type nat hook postrouting priority srcnat; oifname wan masquerade; }}; }}
                 {KEPT_CLOSED}"
            ),
            Self::WebOnly => "table ip nat { chain post { type nat hook postrouting priority srcnat; oifname wan masquerade; }; }
                 table ip filter { chain fw { type filter hook forward priority 0; policy drop;
                     ct state established,related accept; iifname lan tcp dport { 80, 443 } accept; }; }"
                .to_owned(),
            Self::Symmetric => format!(
                "table ip nat {{ chain post {{ type nat hook postrouting priority srcnat;
                     oifname wan masquerade fully-random; }}; }}
                 {KEPT_CLOSED}"
            ),
            Self::FullCone => format!(
                "table ip nat {{ {map}
                 chain pre {{ type nat hook prerouting priority dstnat;
                     {mapped} meta l4proto udp dnat ip to udp dport map @m; }};
                 chain post {{ type nat hook postrouting priority srcnat;
                     oifname wan meta l4proto udp update @m {{ udp sport : ip saddr . udp sport }};
                     oifname wan masquerade; }}; }}
                 table ip filter {{ chain inp {{ type filter hook input priority 0; iifname wan ct state new drop; }}; }}"
            ),
            Self::AddressRestricted => format!(
                "table ip nat {{ {map}
                 set seen {{ type ipv4_addr . inet_service; flags dynamic,timeout; timeout 300s; size 65536; }};
                 chain pre {{ type nat hook prerouting priority dstnat;
                     {mapped} ip saddr . udp dport @seen dnat ip to udp dport map @m; }};
                 chain post {{ type nat hook postrouting priority srcnat;
                     oifname wan meta l4proto udp update @m {{ udp sport : ip saddr . udp sport }};
                     oifname wan meta l4proto udp update @seen {{ ip daddr . udp sport }};
                     oifname wan masquerade; }}; }}
                 table ip filter {{ chain inp {{ type filter hook input priority 0; iifname wan ct state new drop; }}; }}"
            ),
        }
    }
}

/// The network of a test; its namespaces end with it.
struct Lab {
    name: String,
}

impl Lab {
    /// `None`, with the reason printed, where the system does not allow it.
    fn build(routers: [Router; 2]) -> Option<Self> {
        let lab =
            Self { name: format!("visavis-nat-{}-{routers:?}", std::process::id()).replace([' ', '[', ']', ','], "") };
        let built = lab.try_build(routers);
        if built.is_none() {
            assert!(std::env::var_os("VISAVIS_REQUIRE_RIGS").is_none(), "routers in software need root, ip and nft");
            eprintln!("skipped: routers in software need root, ip and nft");
        }
        built.map(|()| lab)
    }

    fn namespace(&self, part: &str) -> String {
        format!("{}-{part}", self.name)
    }

    fn try_build(&self, routers: [Router; 2]) -> Option<()> {
        let within = |part: &str, words: &str| {
            let namespace = self.namespace(part);
            run(&[&["ip", "-n", &namespace][..], &words.split(' ').collect::<Vec<_>>()].concat())
        };
        for part in ["inet", "srv", "na", "nb", "a", "b"] {
            run(&["ip", "netns", "add", &self.namespace(part)])?;
            within(part, "link set lo up")?;
        }
        within("inet", "link add br0 type bridge")?;
        within("inet", "link set br0 up")?;
        for (port, (part, address)) in
            [("srv", "203.0.113.1"), ("na", "203.0.113.10"), ("nb", "203.0.113.20")].iter().enumerate()
        {
            let namespace = self.namespace(part);
            within("inet", &format!("link add p{port} type veth peer name wan netns {namespace}"))?;
            within("inet", &format!("link set p{port} master br0 up"))?;
            within(part, &format!("addr add {address}/24 dev wan"))?;
            within(part, "link set wan up")?;
        }
        for ((router, part, net), kind) in [("na", "a", 10), ("nb", "b", 20)].into_iter().zip(routers) {
            let namespace = self.namespace(part);
            within(router, &format!("link add lan type veth peer name eth0 netns {namespace}"))?;
            within(router, &format!("addr add 10.0.{net}.1/24 dev lan"))?;
            within(router, "link set lan up")?;
            within(part, &format!("addr add 10.0.{net}.2/24 dev eth0"))?;
            within(part, "link set eth0 up")?;
            within(part, &format!("route add default via 10.0.{net}.1"))?;
            run(&["ip", "netns", "exec", &self.namespace(router), "sysctl", "-qw", "net.ipv4.ip_forward=1"])?;
            run_with(&["ip", "netns", "exec", &self.namespace(router), "nft", "-f", "-"], &kind.rules())?;
        }
        Some(())
    }

    /// This program again, in a namespace.
    fn start(&self, namespace: &str, part: &str) -> Child {
        Command::new("ip")
            .args(["netns", "exec", &self.namespace(namespace)])
            .arg(std::env::current_exe().unwrap())
            .args(["--exact", "rtc::tests::nat::a_part_in_its_namespace", "--ignored", "--nocapture"])
            .env(PART, part)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap()
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        for part in ["a", "b", "na", "nb", "srv", "inet"] {
            let _ = run(&["ip", "netns", "del", &self.namespace(part)]);
        }
    }
}

fn run(words: &[&str]) -> Option<()> {
    run_with(words, "")
}

fn run_with(words: &[&str], input: &str) -> Option<()> {
    let (program, arguments) = words.split_first()?;
    let (input_end, output_end) = (Stdio::piped(), Stdio::piped());
    let mut child = Command::new(program).args(arguments).stdin(input_end).stderr(output_end).spawn().ok()?;
    // The program may have ended without reading it.
    let _ = child.stdin.take()?.write_all(input.as_bytes());
    let output = child.wait_with_output().ok()?;
    let ran = output.status.success();
    if !ran {
        eprintln!("{words:?}: {}", String::from_utf8_lossy(&output.stderr));
    }
    ran.then_some(())
}

/// Lines of a child that are for its parent, without the mark.
fn lines(child: &mut Child) -> impl Iterator<Item = String> + use<> {
    let lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
    lines.filter_map(|line| line.split_once(MARK).map(|(_, text)| text.to_owned()))
}

/// The routes of both sides, and the time from the offer to the later one's first picture.
fn call_through(routers: [Router; 2]) -> Option<([String; 2], Duration)> {
    let lab = Lab::build(routers)?;
    let mut server = lab.start("srv", "server");
    let server_input = server.stdin.take().unwrap();
    // Kept to the end: the server writes to it.
    let mut from_server = lines(&mut server);
    assert_eq!(from_server.next().as_deref(), Some("ready"));
    let mut children = [lab.start("a", "answerer"), lab.start("b", "offerer")];
    let inputs = children.each_mut().map(|child| Arc::new(Mutex::new(child.stdin.take())));
    let (sender, pictures) = sync_channel(16);
    let offered = Arc::new(Mutex::new(None));
    let readers: Vec<_> = (0..2)
        .map(|side| {
            let (lines, far) = (lines(&mut children[side]), Arc::clone(&inputs[1 - side]));
            let (sender, offered) = (sender.clone(), Arc::clone(&offered));
            std::thread::spawn(move || {
                for line in lines {
                    if let Some(route) = line.strip_prefix("picture ") {
                        let _ = sender.try_send((side, route.to_owned(), Instant::now()));
                        continue;
                    }
                    offered.lock().unwrap().get_or_insert_with(Instant::now);
                    if let Some(far) = far.lock().unwrap().as_mut() {
                        let _ = writeln!(far, "{line}");
                    }
                }
            })
        })
        .collect();
    let mut routes = [String::new(), String::new()];
    let mut last = None;
    while routes.iter().any(String::is_empty) {
        let (side, route, at) =
            pictures.recv_timeout(TIMEOUT).unwrap_or_else(|_| panic!("{routers:?}: no picture, {routes:?}"));
        (routes[side], last) = (route, Some(at));
    }
    inputs.iter().for_each(|input| drop(input.lock().unwrap().take()));
    children.into_iter().for_each(|mut child| drop(child.wait()));
    readers.into_iter().for_each(|reader| reader.join().unwrap());
    drop(server_input);
    from_server.for_each(drop);
    server.wait().unwrap();
    let began = offered.lock().unwrap().unwrap();
    Some((routes, last.unwrap().saturating_duration_since(began)))
}

/// Holds a row of the table to its expected route.
fn holds(routers: [Router; 2], expected: [&str; 2]) {
    if let Some((routes, time)) = call_through(routers) {
        eprintln!("{routers:?}: {routes:?} after {} ms", time.as_millis());
        assert_eq!(routes, expected, "{routers:?}");
    }
}

#[test]
fn two_homes_meet_directly() {
    holds([Router::Home, Router::Home], ["direct"; 2]);
}

#[test]
fn two_symmetric_routers_need_the_relay() {
    holds([Router::Symmetric, Router::Symmetric], ["relay udp"; 2]);
}

#[test]
#[ignore = "a minute: cargo test --lib rtc::tests::nat::every -- --ignored --nocapture"]
fn every_pair_of_routers_takes_the_expected_route() {
    use Router::{AddressRestricted, FullCone, Home, Symmetric, WebOnly};
    for (routers, expected) in [
        ([FullCone, FullCone], "direct"),
        ([FullCone, Home], "direct"),
        ([FullCone, Symmetric], "direct"),
        ([AddressRestricted, AddressRestricted], "direct"),
        ([AddressRestricted, Home], "direct"),
        ([AddressRestricted, Symmetric], "direct"),
        ([Home, Home], "direct"),
        ([Home, Symmetric], "relay udp"),
        ([Symmetric, Symmetric], "relay udp"),
        ([WebOnly, WebOnly], "relay tls"),
    ] {
        holds(routers, [expected; 2]);
    }
    holds([WebOnly, Home], ["relay tls", "relay udp"]);
    holds([FullCone, WebOnly], ["relay udp", "relay tls"]);
}

/// The program of a namespace: the server, or one side of the call. Ends with its input.
#[test]
#[ignore = "run by the tests of this file in their namespaces"]
fn a_part_in_its_namespace() {
    match std::env::var(PART).as_deref() {
        Ok("server") => {
            let runtime = runtime();
            let relay = Arc::new(start_relay(&runtime, SERVER.parse().unwrap()));
            let listener = runtime.block_on(tokio::net::TcpListener::bind(WEB)).unwrap();
            runtime.spawn(async move {
                while let Ok((stream, peer)) = listener.accept().await {
                    let relay = Arc::clone(&relay);
                    tokio::spawn(async move { relay.serve_stream(&[], stream, peer).await });
                }
            });
            println!("{MARK}ready");
            std::io::stdin().lines().for_each(drop);
        }
        Ok("offerer") => side(Role::Offerer),
        Ok("answerer") => side(Role::Answerer),
        _ => {}
    }
}

fn side(role: Role) {
    let runtime = runtime();
    let connector = StreamConnector::new(|| -> OpeningStream {
        Box::pin(async { Ok(Box::new(tokio::net::TcpStream::connect(WEB).await?) as Box<dyn RelayStream>) })
    });
    let relays = [SERVER.parse().unwrap()];
    let engine = engine_of(&runtime, None, (&relays, Some(connector)), role as u8, RelayUse::Auto);
    let (sender, events) = sync_channel(1024);
    let first = sender.clone();
    let video =
        PictureReceiver::new(Arc::new(FrameSlot::new()), PictureMeter::default(), None, move |width, height| {
            let _ = first.try_send(SideEvent::FirstPicture { width, height });
        });
    let sinks = PeerSinks { pictures: vec![PictureStreamSink::camera(video)], audio: Box::new(|_: ReceivedSound| {}) };
    let peer = engine.connect(&Consent::for_test(), role, sinks, move |event| match event {
        PeerEvent::LocalDescription(description) => {
            let description = serde_json::to_string(&AnyDescription::from(description)).unwrap();
            println!("{MARK}description {description}");
        }
        PeerEvent::LocalCandidate(candidate) => {
            println!("{MARK}candidate {}", serde_json::to_string(&candidate).unwrap());
        }
        event => drop(sender.try_send(SideEvent::Peer(event))),
    });
    let ended = Arc::new(AtomicBool::new(false));
    let (end, far) = (Arc::clone(&ended), peer.clone());
    std::thread::spawn(move || {
        for line in std::io::stdin().lines().map_while(Result::ok) {
            match line.split_once(' ') {
                Some(("description", text)) => match serde_json::from_str(text).unwrap() {
                    AnyDescription::Known(description) => far.set_remote_description(*description),
                    AnyDescription::OtherVersion(version) => panic!("version {version}"),
                },
                Some(("candidate", text)) => far.add_remote_candidate(serde_json::from_str(text).unwrap()),
                _ => {}
            }
        }
        end.store(true, Relaxed);
    });
    let camera = Camera::start(320, 180, vec![peer.clone()]);
    while !ended.load(Relaxed) {
        match events.recv_timeout(Duration::from_millis(10)) {
            Ok(SideEvent::Peer(PeerEvent::KeyframeRequested { .. })) => camera.keyframe(),
            Ok(SideEvent::FirstPicture { .. }) => {
                let route = match peer.stats().route {
                    MediaRoute::Direct => "direct",
                    MediaRoute::RelayUdp => "relay udp",
                    MediaRoute::RelayTls => "relay tls",
                };
                println!("{MARK}picture {route}");
            }
            _ => {}
        }
    }
}
