//! Typed ICE candidates to the webrtc crate's text and back (RFC 8839, 5.1).

use std::net::{IpAddr, SocketAddr};

use webrtc::peer_connection::{RTCIceCandidate, RTCIceCandidateInit, RTCIceCandidateType, RTCIceProtocol};

use crate::call::{Candidate, CandidateKind};
use crate::network::{self, LocalAddress};

/// Media never comes from a port below this one; other services of other people's computers do.
const FIRST_PORT: u16 = 1024;

/// Addresses that this side can reach, and those that it must not.
#[derive(Clone, Debug, Default)]
pub(in crate::rtc) struct Reach {
    /// This side keeps to loopback addresses: the far side's may be such, too.
    pub(in crate::rtc) loopback: bool,
    /// It has sockets on link-local addresses.
    pub(in crate::rtc) link_local: bool,
    /// Addresses of this computer, where the far side is surely on another one.
    pub(in crate::rtc) own: Vec<LocalAddress>,
    /// Nothing but a relay may be reached.
    pub(in crate::rtc) relay_only: bool,
}

/// A candidate of the far side's, as the engine takes it; `None` when it cannot be used.
///
/// A peer must not be able to make this computer send to itself, to everybody, to nobody or to well-known services.
pub(in crate::rtc) fn to_engine(candidate: &Candidate, reach: &Reach) -> Option<RTCIceCandidateInit> {
    let relayed = candidate.kind == CandidateKind::Relay;
    // Closed relays number their clients by addresses that no network routes.
    let fits = relayed || !reach.relay_only && !network::is_reserved(candidate.address.to_canonical());
    if candidate.port < FIRST_PORT || !fits || !reach.includes(candidate.address) {
        return None;
    }
    let kind = match candidate.kind {
        CandidateKind::Host => "host",
        CandidateKind::Srflx => "srflx raddr 0.0.0.0 rport 0",
        CandidateKind::Prflx => "prflx raddr 0.0.0.0 rport 0",
        CandidateKind::Relay => "relay raddr 0.0.0.0 rport 0",
    };
    let text = format!(
        "candidate:{} 1 udp {} {} {} typ {kind}",
        candidate.foundation, candidate.priority, candidate.address, candidate.port
    );
    Some(RTCIceCandidateInit {
        candidate: text,
        sdp_mid: Some("0".to_owned()),
        sdp_mline_index: Some(0),
        ..RTCIceCandidateInit::default()
    })
}

impl Reach {
    fn includes(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        let broadcast = matches!(address, IpAddr::V4(v4) if v4.is_broadcast());
        let nobody = address.is_unspecified() || address.is_multicast() || broadcast;
        let here = if address.is_loopback() { !self.loopback } else { network::is_own(address, &self.own) };
        !nobody && !here && (self.link_local || !network::is_scoped(address))
    }
}

/// A candidate of this side's in a `generation`, as the far side is told; `None` when it is of no use there. `told`
/// gives the address that it is to be known by.
pub(in crate::rtc) fn from_engine(
    candidate: &RTCIceCandidate,
    generation: u32,
    told: impl FnOnce(SocketAddr) -> SocketAddr,
) -> Option<Candidate> {
    if candidate.protocol != RTCIceProtocol::Udp || candidate.component != 1 {
        return None;
    }
    let kind = match candidate.typ {
        RTCIceCandidateType::Host => CandidateKind::Host,
        RTCIceCandidateType::Srflx => CandidateKind::Srflx,
        RTCIceCandidateType::Prflx => CandidateKind::Prflx,
        RTCIceCandidateType::Relay => CandidateKind::Relay,
        _ => return None,
    };
    let told = told(SocketAddr::new(candidate.address.parse().ok()?, candidate.port));
    let (address, port) = (told.ip(), told.port());
    if address.is_unspecified() {
        return None;
    }
    let foundation = candidate.foundation.as_str().try_into().ok()?;
    Some(Candidate { generation, foundation, priority: candidate.priority, address, port, kind })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn candidate(address: &str) -> Candidate {
        Candidate {
            generation: 0,
            foundation: "1".try_into().unwrap(),
            priority: 2_130_706_431,
            address: address.parse().unwrap(),
            port: 5000,
            kind: CandidateKind::Host,
        }
    }

    fn own() -> Reach {
        let local = |ip: &str| LocalAddress {
            ip: ip.parse().unwrap(),
            prefix: 24,
            interface: 2,
            standing: crate::network::Standing::Physical,
            point_to_point: false,
        };
        Reach { own: vec![local("192.0.2.9"), local("fd00::9"), local("fe80::9")], ..Reach::default() }
    }

    #[test]
    fn a_usable_candidate_becomes_text() {
        let engine = to_engine(&candidate("192.0.2.7"), &own()).unwrap();
        assert_eq!(engine.candidate, "candidate:1 1 udp 2130706431 192.0.2.7 5000 typ host");
    }

    #[test]
    fn addresses_that_are_nobody_everybody_or_this_computer_are_refused() {
        for address in [
            "0.0.0.0",
            "::",
            "224.0.0.1",
            "ff02::1",
            "255.255.255.255",
            "127.0.0.1",
            "::1",
            "::ffff:127.0.0.1",
            "127.8.8.8",
            "192.0.2.9",
            "::ffff:192.0.2.9",
            "fd00::9",
            "fe80::9",
        ] {
            let reach = Reach { link_local: true, ..own() };
            assert!(to_engine(&candidate(address), &reach).is_none(), "{address}");
        }
        let loopback = Reach { loopback: true, ..Reach::default() };
        assert!(to_engine(&candidate("127.0.0.1"), &loopback).is_some());
        // Whom signaling reaches on this very computer has its addresses.
        assert!(to_engine(&candidate("192.0.2.9"), &Reach::default()).is_some());
    }

    #[test]
    fn link_local_candidates_count_where_there_is_a_socket_for_them() {
        assert!(to_engine(&candidate("fe80::7"), &own()).is_none());
        assert!(to_engine(&candidate("fe80::7"), &Reach { link_local: true, ..own() }).is_some());
        assert!(to_engine(&candidate("169.254.3.4"), &own()).is_some(), "IPv4 needs no scope");
    }

    #[test]
    fn with_relays_alone_no_other_candidate_is_used_and_numbers_are_those_of_relays() {
        let relayed = |address| Candidate { kind: CandidateKind::Relay, ..candidate(address) };
        let relay_only = Reach { relay_only: true, ..own() };
        for kind in [CandidateKind::Host, CandidateKind::Srflx, CandidateKind::Prflx] {
            assert!(to_engine(&Candidate { kind, ..candidate("192.0.2.7") }, &relay_only).is_none());
            assert!(to_engine(&Candidate { kind, ..candidate("244.1.2.3") }, &own()).is_none());
        }
        for address in ["192.0.2.7", "244.1.2.3"] {
            assert!(
                to_engine(&relayed(address), &relay_only).is_some() && to_engine(&relayed(address), &own()).is_some()
            );
        }
    }

    #[test]
    fn ports_of_services_are_refused() {
        assert!(to_engine(&Candidate { port: 53, ..candidate("192.0.2.7") }, &own()).is_none());
    }

    proptest! {
        #[test]
        fn whatever_a_peer_names_becomes_one_line_or_nothing(
            foundation in "[a-zA-Z0-9+/ \r\n]{0,40}", priority in any::<u32>(), address in any::<u128>(), port in any::<u16>(), v4 in any::<bool>(),
        ) {
            let address = if v4 { IpAddr::from((address as u32).to_be_bytes()) } else { IpAddr::from(address.to_be_bytes()) };
            let Ok(foundation) = foundation.try_into() else { return Ok(()) };
            let candidate = Candidate { generation: 0, foundation, priority, address, port, kind: CandidateKind::Host };
            if let Some(engine) = to_engine(&candidate, &own()) {
                prop_assert!(!engine.candidate.contains(['\r', '\n']));
                prop_assert_eq!(engine.candidate.split(' ').count(), 8);
            }
        }
    }
}
