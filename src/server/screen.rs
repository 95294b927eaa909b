//! First screen of a server: plain words and a QR code for whoever started it, or one JSON line for scripts. Pure.

use std::fmt::Write;
use std::net::SocketAddr;

use serde::Serialize;

use super::exchange::Figures;
use super::port_mapping::{Outcome, Outer, Port};
use super::self_test::Answers;
use crate::identity::{ServerLink, qr};

/// Facts of the first screen.
#[derive(Clone, Debug)]
pub(super) struct Facts {
    pub(super) link: ServerLink,
    pub(super) listen: SocketAddr,
    /// UDP port of the relay, where there is one.
    pub(super) relay_port: Option<u16>,
    /// Whether the link's address was given, and not taken from this computer.
    pub(super) is_public: bool,
    /// Whether the server has other nodes.
    pub(super) is_node: bool,
}

/// A line of `--json`.
#[derive(Debug, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
enum Line<'a> {
    Ready { link: &'a ServerLink, listen: SocketAddr, relay_port: Option<u16> },
    Stats { connections: usize, letters: u64 },
}

/// The words: the link, and the ports as far as they are known from inside.
pub(super) fn words(facts: &Facts, answers: Answers, mapped: &[(Port, Outcome)]) -> String {
    let Facts { link, listen, relay_port, is_public, is_node } = facts;
    let mut text = String::from("The Visavis server is running. Give this link to the people who are to use it:\n\n");
    let _ = writeln!(text, "    {link}\n");
    if let Some(code) = code(&link.to_string()) {
        let _ = writeln!(text, "{code}");
    }
    text.push_str(
        "In Visavis they add it under Settings, Servers. The link pins the key of this server, so nobody else can\n",
    );
    text.push_str("pretend to be it; keep a copy of the key with `visavis-server key export FILE`.\n\n");
    let port = listen.port();
    let _ = if *is_public {
        writeln!(
            text,
            "Apps connect to {} (TCP). A router or firewall in between must pass that on to port {port} here.",
            link.address()
        )
    } else {
        writeln!(
            text,
            "The link has an address of this computer's own network, so it works there. For people elsewhere, have your\n\
             router pass TCP port {port} on to this computer, and start the server with --public NAME-OR-ADDRESS."
        )
    };
    if let Some(relay_port) = relay_port {
        let _ = writeln!(
            text,
            "Calls that find no direct way are relayed through UDP port {relay_port} here, which must be passed on,\n\
             too, and through TCP port {port} where UDP is blocked. With --no-relay there is no relay."
        );
    }
    if *is_node {
        text.push_str(
            "This computer is one node of several, which are joined by NATS. The metric visavis_nodes tells how many\n\
             others are reached.\n",
        );
    }
    text.push('\n');
    text.push_str(&ports(facts, answers, mapped));
    text.push_str("\nStop it with Ctrl+C; calls that it does not relay go on without it.\n");
    text
}

/// Ports: whether they answer here, and the router's word about them. Anything else is told by `visavis doctor` from
/// another network.
fn ports(facts: &Facts, answers: Answers, mapped: &[(Port, Outcome)]) -> String {
    let mut text = String::new();
    let tcp = [(Port::Tcp(facts.listen.port()), answers.tcp)];
    let udp = facts.relay_port.zip(answers.udp).map(|(port, answers)| (Port::Udp(port), answers));
    for (port, answers) in tcp.into_iter().chain(udp) {
        let here = if answers { "answers on this computer" } else { "does not answer on this computer: see the log" };
        let router = mapped.iter().find(|(asked, _)| *asked == port).map(|(_, outcome)| router_words(port, *outcome));
        let _ = writeln!(text, "{}: {here}{}.", name(port), router.unwrap_or_default());
    }
    if !mapped.is_empty() {
        text.push_str("With --no-port-mapping the router is not asked.\n");
    }
    let outer = mapped.iter().find_map(|(port, outcome)| match outcome {
        Outcome::Mapped(Outer { address: Some(address), port: outer }) if *port == Port::Tcp(facts.listen.port()) => {
            Some(SocketAddr::new(*address, *outer))
        }
        _ => None,
    });
    if let Some(outer) = outer.filter(|_| !facts.is_public) {
        let _ = writeln!(text, "Start the server with --public {outer}, or a name for it, to put that into the link.");
    }
    text.push_str(
        "A firewall in between cannot be seen from here. From another network, this tells whether the ports are reached:\n",
    );
    let _ = writeln!(text, "    visavis doctor --server '{}'", facts.link);
    text
}

fn name(port: Port) -> String {
    match port {
        Port::Tcp(number) => format!("TCP port {number}"),
        Port::Udp(number) => format!("UDP port {number}"),
    }
}

fn router_words(port: Port, outcome: Outcome) -> String {
    let (Port::Tcp(inner) | Port::Udp(inner)) = port;
    match outcome {
        Outcome::Mapped(Outer { address, port: outer }) => {
            let at = address.map_or_else(|| format!("port {outer}"), |it| SocketAddr::new(it, outer).to_string());
            let is_usable = outer == inner || matches!(port, Port::Tcp(_));
            let wrong = "; but apps look for the inner number, so pass that one on in the router's settings";
            format!(", and the router passes its {at} on to it{}", if is_usable { "" } else { wrong })
        }
        Outcome::Silent => {
            ". The router maps no ports by itself (no answer by PCP or NAT-PMP): pass it on in the router's settings"
                .into()
        }
        Outcome::Refused => ". The router refuses to map it: pass it on in the router's settings".into(),
    }
}

/// The first line of `--json`.
pub(super) fn ready_line(facts: &Facts) -> String {
    line(&Line::Ready { link: &facts.link, listen: facts.listen, relay_port: facts.relay_port })
}

/// A later line of `--json`.
pub(super) fn stats_line(figures: &Figures) -> String {
    line(&Line::Stats { connections: figures.connections, letters: figures.counts.letters })
}

fn line(line: &Line<'_>) -> String {
    // Numbers and texts alone: it cannot fail.
    serde_json::to_string(line).unwrap_or_default()
}

/// A QR code (ISO/IEC 18004) in half blocks, two modules above each other, with its quiet zone, dark on light.
fn code(text: &str) -> Option<String> {
    const QUIET: usize = 2;
    let (width, modules) = qr::modules(text)?;
    let is_dark = |x: usize, y: usize| {
        let (Some(x), Some(y)) = (x.checked_sub(QUIET), y.checked_sub(QUIET)) else { return false };
        x < width && y < width && modules.get(y * width + x).copied().unwrap_or(false)
    };
    let side = width + 2 * QUIET;
    let mut code = String::new();
    for y in (0..side).step_by(2) {
        code.push_str("    \u{1b}[30;107m");
        code.extend((0..side).map(|x| match (is_dark(x, y), is_dark(x, y + 1)) {
            (true, true) => '█',
            (true, false) => '▀',
            (false, true) => '▄',
            (false, false) => ' ',
        }));
        code.push_str("\u{1b}[0m\n");
    }
    Some(code)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(is_public: bool) -> Facts {
        let link = ServerLink::new("calls.example.org", 443, b"key").unwrap();
        Facts { link, listen: "[::]:8443".parse().unwrap(), relay_port: Some(3478), is_public, is_node: false }
    }

    const ANSWER: Answers = Answers { tcp: true, udp: Some(true) };

    #[test]
    fn the_first_screen_says_what_to_give_to_friends_and_which_port_to_open() {
        let link = facts(true).link.to_string();
        for is_public in [true, false] {
            let words = words(&facts(is_public), ANSWER, &[]);
            assert!(words.contains(&link) && words.contains("8443") && words.contains('█'), "{words}");
            assert_eq!(words.contains("--public"), !is_public);
            assert!(words.contains("UDP port 3478"), "{words}");
        }
        let without_relay = Facts { relay_port: None, ..facts(true) };
        assert!(!words(&without_relay, Answers { tcp: true, udp: None }, &[]).contains("UDP"));
        let node = Facts { is_node: true, ..facts(true) };
        assert!(words(&node, ANSWER, &[]).contains("one node of several"));
        assert!(!words(&facts(true), ANSWER, &[]).contains("one node"));
    }

    #[test]
    fn the_first_screen_says_of_each_port_whether_it_answers_and_what_the_router_does() {
        let outer = |port| Outcome::Mapped(Outer { address: "203.0.113.5".parse().ok(), port });
        let (tcp, udp) = (Port::Tcp(8443), Port::Udp(3478));
        for (answers, mapped, expected) in [
            (ANSWER, vec![], ["TCP port 8443: answers on this computer.", "UDP port 3478: answers on this computer."]),
            (
                ANSWER,
                vec![(tcp, outer(8443)), (udp, outer(3478))],
                [
                    "TCP port 8443: answers on this computer, and the router passes its 203.0.113.5:8443 on to it.",
                    "Start the server with --public 203.0.113.5:8443, or",
                ],
            ),
            (
                ANSWER,
                vec![(tcp, Outcome::Silent), (udp, outer(4000))],
                [
                    "TCP port 8443: answers on this computer. The router maps no ports",
                    "203.0.113.5:4000 on to it; but apps",
                ],
            ),
            (
                Answers { tcp: false, udp: Some(false) },
                vec![(udp, Outcome::Refused)],
                ["TCP port 8443: does not answer on this computer: see the log.", "The router refuses to map it"],
            ),
        ] {
            let words = words(&facts(false), answers, &mapped);
            assert!(expected.iter().all(|expected| words.contains(expected)), "{words}");
            assert!(words.contains("visavis doctor --server 'calls.example.org:443*"), "{words}");
        }
        let named = words(&facts(true), ANSWER, &[(tcp, outer(8443))]);
        assert!(!named.contains("to put that into the link"), "{named}");
    }

    #[test]
    fn the_first_line_for_scripts_is_the_contracts() {
        let ready: serde_json::Value = serde_json::from_str(&ready_line(&facts(true))).unwrap();
        assert_eq!((&ready["event"], &ready["listen"]), (&"ready".into(), &"[::]:8443".into()));
        assert_eq!(ready["relay_port"], 3478);
        assert_eq!(ready["link"], facts(true).link.to_string());
    }
}
