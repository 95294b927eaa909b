//! Networks and servers as a support person sees them: `visavis doctor` in homes of every kind, and the first screen of
//! a server. Real programs, and the Internet in software.

#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod support;

use std::net::TcpListener;
use std::process::Command;

use support::internet::{Families, Internet, Nat};
use support::network::Computer;
use support::process::{SOON, visavis};
use support::server::{Server, data, visavis_server};

#[test]
fn the_doctor_tells_of_each_server_whether_it_is_reached() {
    let _machine = support::sharing();
    let (_folder, data) = data();
    let server = Server::start(&data, "127.0.0.1:0");
    let (address, hash) = server.link.split_once('*').unwrap();
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let profile = tempfile::tempdir().unwrap();
    let output = Command::new(visavis())
        .args(["doctor", "--camera", "none", "--microphone", "none", "--speaker", "none", "--bind", "127.0.0.1"])
        .args(["--server", &server.link, "--server", &format!("{closed}*{hash}"), "--profile"])
        .arg(profile.path())
        .output()
        .unwrap();
    let words = String::from_utf8(output.stdout).unwrap();
    let lines: Vec<_> = words.lines().filter(|line| line.contains("server ")).collect();
    assert!(
        lines.iter().any(|line| line.starts_with("ok") && line.contains(address) && line.contains(" ms")),
        "{words}"
    );
    assert!(
        lines.iter().any(|line| line.starts_with("problem") && line.contains("The server does not answer")),
        "{words}"
    );
    assert_eq!(output.status.code(), Some(1));
}

/// Lines that the doctor prints on a computer about servers and the ways to them.
fn doctor_on(computer: &Computer, links: &[&str]) -> Vec<String> {
    let profile = tempfile::tempdir().unwrap();
    let mut doctor = computer.command(visavis());
    doctor.args([
        "doctor",
        "--camera",
        "none",
        "--microphone",
        "none",
        "--speaker",
        "none",
        "--bind",
        &computer.address,
    ]);
    doctor.args(links.iter().flat_map(|link| ["--server", link])).arg("--profile").arg(profile.path());
    let words = String::from_utf8(doctor.output().unwrap().stdout).unwrap();
    let is_about_servers = |line: &&str| ["server", "network", "udp", "nat", "relay"].contains(&part_of(line));
    words.lines().filter(is_about_servers).map(str::to_owned).collect()
}

fn part_of(line: &str) -> &str {
    line.split_whitespace().nth(1).unwrap_or_default()
}

fn has(lines: &[String], beginning: &str, words: &str) -> bool {
    lines.iter().any(|line| line.starts_with(beginning) && line.contains(words))
}

#[test]
fn the_doctor_tells_the_kind_of_nat_and_which_ways_lead_to_the_relays() {
    let _machine = support::sharing();
    let Some(internet) = Internet::build() else { return };
    let ((_one, one), (_other, other)) = (data(), data());
    let server = Server::start_in(&internet, &one);
    let computer = internet.computer().unwrap();
    let second = Server::start_as(&computer, &computer.address, &other);
    let both = [server.link.as_str(), second.link.as_str()];
    for (number, nat, links, mapping) in [
        (10, Nat::Home, &both[..], "ok       nat         IPv4: endpoint-independent mapping"),
        (
            11,
            Nat::Home,
            &both[..1],
            "ok       nat         IPv4: addresses are translated, the outer port is the inner one",
        ),
        (12, Nat::Symmetric, &both[..], "limited  nat         IPv4: address-dependent mapping"),
    ] {
        let home = internet.router(nat, Families::V4, number).unwrap();
        let lines = doctor_on(&home.computer().unwrap(), links);
        assert!(has(&lines, mapping, ""), "{nat:?}: {lines:#?}");
        for link in links {
            let (address, _) = link.split_once('*').unwrap();
            assert!(has(&lines, "ok       server", &format!("{address} is reached over TCP in ")), "{lines:#?}");
            for transport in ["UDP", "TLS"] {
                assert!(has(&lines, "ok       relay", &format!("over {transport}: {address} made")), "{lines:#?}");
            }
        }
        assert_eq!(lines.len(), 4 * links.len() + 1, "{lines:#?}");
    }
    // On the Internet itself.
    let lines = doctor_on(&internet.computer().unwrap(), &both[1..]);
    assert!(has(&lines, "ok       nat", "no NAT"), "{lines:#?}");
}

#[test]
fn the_doctor_tells_a_network_without_udp_one_without_a_way_and_a_captive_portal() {
    let _machine = support::sharing();
    let Some(internet) = Internet::build() else { return };
    let (_folder, data) = data();
    let server = Server::start_in(&internet, &data);
    let home = internet.router(Nat::NoUdp, Families::V4, 10).unwrap();
    let computer = home.computer().unwrap();
    let lines = doctor_on(&computer, &[&server.link]);
    assert!(has(&lines, "limited  udp", "no answer. This network blocks UDP"), "{lines:#?}");
    assert!(has(&lines, "ok       relay", "over TLS: ") && !has(&lines, "problem", ""), "{lines:#?}");
    assert!(!lines.iter().any(|line| part_of(line) == "nat"), "{lines:#?}");

    // Each silent server is told, although each takes its time.
    let (_other, other) = support::server::data();
    let second = internet.computer().unwrap();
    let second = Server::start_as(&second, &second.address, &other);
    let lines = doctor_on(&computer, &[&server.link, &second.link]);
    let mut silent: Vec<_> = lines.iter().filter(|line| line.contains(": no answer. This network")).collect();
    silent.dedup();
    assert!(silent.len() == 2 && silent.iter().all(|line| line.starts_with("limited  udp")), "{lines:#?}");
    for link in [&server.link, &second.link] {
        let (address, _) = link.split_once('*').unwrap();
        assert!(has(&lines, "ok       relay", &format!("over TLS: {address}")), "{lines:#?}");
    }
    drop(second);

    let link = server.link.clone();
    drop(server);
    let lines = doctor_on(&computer, &[&link]);
    assert!(has(&lines, "problem  server", "The server does not answer.") && lines.len() == 1, "{lines:#?}");
    // The network answers in its place.
    let portal = internet.server.enter(|| TcpListener::bind((internet.server.address.as_str(), 80)).unwrap());
    std::thread::spawn(move || {
        while let Ok((mut stream, _)) = portal.accept() {
            let answer = b"HTTP/1.1 302 Found\r\nLocation: http://sign-in.example/\r\nConnection: close\r\n\r\n";
            let _ = std::io::Write::write_all(&mut stream, answer);
        }
    });
    let lines = doctor_on(&computer, &[&link]);
    assert!(
        has(&lines, "problem  network", "Sign in to this network first: open http://sign-in.example/"),
        "{lines:#?}"
    );
}

/// A router that maps ports (PCP, RFC 6887, 11): the protocols and inner ports that it is asked for, each time. It
/// grants them for four seconds, with the result code `result`.
fn router_that_maps(router: &Computer, result: u8) -> std::sync::mpsc::Receiver<(u8, u16, u32)> {
    const MAP: u8 = 1;
    let socket = router.enter(|| std::net::UdpSocket::bind("0.0.0.0:5351").unwrap());
    let (asked, requests) = std::sync::mpsc::sync_channel(1024);
    std::thread::spawn(move || {
        let mut request = [0; 1100];
        while let Ok((60, from)) = socket.recv_from(&mut request) {
            let mut answer = request[..60].to_vec();
            assert_eq!((request[0], request[1]), (2, MAP));
            let lifetime = u32::from_be_bytes(request[4..8].try_into().unwrap());
            let granted = if lifetime == 0 { 0_u32 } else { 4 };
            (answer[1], answer[3]) = (0x80 | MAP, result);
            answer[4..8].copy_from_slice(&granted.to_be_bytes());
            answer[8..24].fill(0);
            // The outer address is IPv4-mapped, the outer port that which was wished for.
            answer[44..60].copy_from_slice(&std::net::Ipv4Addr::new(203, 0, 113, 9).to_ipv6_mapped().octets());
            socket.send_to(&answer, from).unwrap();
            let port = u16::from_be_bytes(request[40..42].try_into().unwrap());
            if asked.send((request[36], port, lifetime)).is_err() {
                return;
            }
        }
    });
    requests
}

/// The first screen of a server on a computer, which goes on running.
fn first_screen(computer: &Computer, data: &std::path::Path) -> (std::process::Child, String) {
    let mut server = computer.command(visavis_server());
    let mut server = server.arg("--data").arg(data).stdout(std::process::Stdio::piped()).spawn().unwrap();
    let lines = std::io::BufRead::lines(std::io::BufReader::new(server.stdout.take().unwrap()));
    let mut words = String::new();
    for line in lines.map_while(std::result::Result::ok) {
        words = format!("{words}{line}\n");
        if line.contains("Stop it with Ctrl+C") {
            break;
        }
    }
    (server, words)
}

#[test]
fn a_server_at_home_asks_its_router_for_its_ports_keeps_them_and_gives_them_back() {
    const TCP: u8 = 6;
    const UDP: u8 = 17;
    let _machine = support::sharing();
    let Some(internet) = Internet::build() else { return };
    for (number, result, words) in [
        (10, Some(0), "UDP port 3478: answers on this computer, and the router passes its 203.0.113.9:3478 on to it."),
        (11, Some(2), "TCP port 443: answers on this computer. The router refuses to map it"),
        (12, None, "TCP port 443: answers on this computer. The router maps no ports by itself"),
    ] {
        let home = internet.router(Nat::Home, Families::V4, number).unwrap();
        let requests = result.map(|result| router_that_maps(&home.space, result));
        let (_folder, data) = data();
        let (mut server, screen) = first_screen(&home.computer().unwrap(), &data);
        assert!(screen.contains(words), "{screen}");
        if let (Some(requests), Some(0)) = (requests, result) {
            let next = || requests.recv_timeout(SOON).expect("a request");
            // A request that is answered late comes again.
            let of_both = |is_it: &dyn Fn(u32) -> bool| {
                let mut both = std::collections::BTreeSet::new();
                while both.len() < 2 {
                    let (protocol, port, lifetime) = next();
                    both.extend(is_it(lifetime).then_some((protocol, port)));
                }
                both.into_iter().collect::<Vec<_>>()
            };
            let ports = [(TCP, 443), (UDP, 3478)];
            assert_eq!(of_both(&|lifetime| lifetime > 0), ports);
            assert!(screen.contains("--public 203.0.113.9:443"), "{screen}");
            assert_eq!(of_both(&|lifetime| lifetime > 0), ports, "renewed");
            // SAFETY: the process is a child of this one that has not been waited for.
            assert_eq!(unsafe { libc::kill(server.id() as i32, libc::SIGTERM) }, 0);
            assert_eq!(of_both(&|lifetime| lifetime == 0), ports, "given back");
        }
        let _already_gone = server.kill();
        let _status = server.wait();
    }
}
