//! Candidates of two Chromiums, rewritten so that they find each other through the relay.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

/// A description without the candidates that it may hold: they come one by one, or not at all.
pub fn without_candidates(sdp: &str) -> String {
    let is_candidate = |line: &&str| line.starts_with("a=candidate:") || line.starts_with("a=end-of-candidates");
    sdp.lines()
        .filter(|line| !is_candidate(line))
        .fold(String::with_capacity(sdp.len()), |sdp, line| sdp + line + "\r\n")
}

/// The address of a candidate (RFC 8839, 5.1), and the candidate with `relay` in its place. `None` of any other than
/// UDP of this computer's 127.0.0.1: nothing leaves the computer, and nothing goes around the relay.
pub fn through(candidate: &str, relay: SocketAddr) -> Option<(SocketAddr, String)> {
    let mut words: Vec<&str> = candidate.split_ascii_whitespace().collect();
    let [foundation, "1", transport, _priority, "127.0.0.1", port, "typ", "host", ..] = words[..] else { return None };
    if !foundation.starts_with("candidate:") || !transport.eq_ignore_ascii_case("udp") {
        return None;
    }
    let end = SocketAddr::from((Ipv4Addr::LOCALHOST, port.parse().ok().filter(|port| *port != 0)?));
    let (address, port) = (relay.ip().to_string(), relay.port().to_string());
    words[4] = &address;
    words[5] = &port;
    Some((end, words.join(" ")))
}

/// Whether a candidate is an address of the loopback interface, which leads to no other host.
pub fn is_loopback(candidate: &str) -> bool {
    let address = candidate.split_ascii_whitespace().nth(4).and_then(|address| address.parse::<IpAddr>().ok());
    address.is_some_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    const CANDIDATE: &str = "candidate:1510613869 1 udp 2113937151 127.0.0.1 40123 typ host generation 0 ufrag xY7+";

    fn relay() -> SocketAddr {
        "127.0.0.1:999".parse().unwrap()
    }

    #[test]
    fn a_candidate_leads_to_the_relay() {
        let (end, rewritten) = through(CANDIDATE, relay()).unwrap();
        assert_eq!(end.to_string(), "127.0.0.1:40123");
        assert_eq!(rewritten, CANDIDATE.replace("40123", "999"));
    }

    #[test]
    fn only_udp_on_loopback_is_let_through() {
        for (from, to) in [
            ("127.0.0.1", "192.168.1.7"),
            ("127.0.0.1", "a6c2.local"),
            ("127.0.0.1", "::1"),
            ("udp", "tcp"),
            (" 1 udp", " 2 udp"),
            ("host", "srflx"),
            ("40123", "0"),
            ("40123", "70000"),
            ("candidate:", ""),
        ] {
            assert_eq!(through(&CANDIDATE.replacen(from, to, 1), relay()), None, "{to}");
        }
        assert_eq!(through("", relay()), None);
    }

    #[test]
    fn candidates_of_the_loopback_interface_are_known() {
        assert!(is_loopback(CANDIDATE) && is_loopback(&CANDIDATE.replace("127.0.0.1", "::1")));
        assert!(!is_loopback(&CANDIDATE.replace("127.0.0.1", "10.99.0.2")) && !is_loopback(""));
    }

    #[test]
    fn a_description_keeps_all_but_its_candidates() {
        let sdp = format!("v=0\r\na=ice-ufrag:xY7+\r\na={CANDIDATE}\r\na=end-of-candidates\r\na=mid:0\r\n");
        assert_eq!(without_candidates(&sdp), "v=0\r\na=ice-ufrag:xY7+\r\na=mid:0\r\n");
    }
}
