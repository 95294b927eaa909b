//! The gate, and what stands before it.

use proptest::prelude::*;
use rtc::crypto::{HmacAlgorithm, default_provider};

use super::*;
use crate::stun::{INTEGRITY, MAGIC_COOKIE, STUN_HEADER};

pub(super) fn address(port: u16) -> SocketAddr {
    SocketAddr::from(([192, 0, 2, 1], port))
}

pub(super) const OWN: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 9)), 9);
/// A packet of the stream that the far side has.
pub(super) const MEDIA: [u8; 12] = [128, 102, 0, 1, 0, 0, 0, 1, 0, 0, 0, 2];

/// A datagram of this kind leaves.
fn departs(gate: &SourceGate, kind: u16, to: SocketAddr) {
    gate.observe_departure(&stun(kind, ""), OWN, to);
}

const PASSWORD: &str = "0123456789abcdefghijkl";

pub(super) fn gate() -> SourceGate {
    let gate = SourceGate::default();
    gate.set_local_credentials("local", PASSWORD).unwrap();
    gate.set_far_streams([2]);
    gate
}

fn set_length(message: &mut [u8], length: usize) {
    message[2..4].copy_from_slice(&(length as u16).to_be_bytes());
}

/// Signs a message whose attributes end here.
pub(super) fn signed(mut message: Vec<u8>, password: &str) -> Vec<u8> {
    let length = message.len() - STUN_HEADER + 4 + INTEGRITY;
    set_length(&mut message, length);
    let mut tag = [0; INTEGRITY];
    let provider = default_provider().unwrap();
    provider.crypto().new_hmac(HmacAlgorithm::Sha1, password.as_bytes()).unwrap().sign(&[&message], &mut tag).unwrap();
    message.extend([0, 8, 0, 20]);
    message.extend(tag);
    message
}

pub(super) fn with_attribute(mut message: Vec<u8>, attribute: &[u8]) -> Vec<u8> {
    message.extend(attribute);
    let length = message.len() - STUN_HEADER;
    set_length(&mut message, length);
    message
}

pub(super) fn request(user_name: &str) -> Vec<u8> {
    signed(stun(BINDING_REQUEST, user_name), PASSWORD)
}

pub(super) fn stun(kind: u16, user_name: &str) -> Vec<u8> {
    let mut message = kind.to_be_bytes().to_vec();
    message.extend([0, 0]);
    message.extend(MAGIC_COOKIE);
    message.extend([7; 12]);
    message.extend(USERNAME.to_be_bytes());
    message.extend((user_name.len() as u16).to_be_bytes());
    message.extend(user_name.as_bytes());
    message.resize(message.len().next_multiple_of(4), 0);
    let length = message.len() - STUN_HEADER;
    set_length(&mut message, length);
    message
}

#[test]
fn media_and_handshakes_pass_only_from_validated_sources() {
    let gate = SourceGate::default();
    let client_hello = [22, 254, 253, 0];
    assert!(!gate.admits(&client_hello, address(1)));
    departs(&gate, BINDING_SUCCESS, address(1));
    assert!(gate.admits(&client_hello, address(1)));
    assert!(!gate.admits(&client_hello, address(2)));
    departs(&gate, BINDING_REQUEST, address(3));
    assert!(!gate.admits(&client_hello, address(3)), "having asked proves nothing");
    assert_eq!((gate.refused(), gate.admitted_bytes()), (3, 32), "with 28 bytes of headers");
}

#[test]
fn requests_pass_when_they_name_this_connection_and_know_its_password() {
    let before = SourceGate::default();
    assert!(!before.admits(&request("local:far"), address(1)), "before the credentials are known");
    let gate = gate();
    assert!(gate.admits(&request("local:far"), address(1)));
    assert!(gate.admits(&with_attribute(request("local:far"), &[0x80, 0x28, 0, 4, 1, 2, 3, 4]), address(1)));
    assert!(!gate.admits(&request("locale:far"), address(1)));
    assert!(!gate.admits(&request("far:local"), address(1)));
    assert!(!gate.admits(&stun(BINDING_REQUEST, "local:far"), address(1)), "without a signature");
    assert!(!gate.admits(&signed(stun(BINDING_REQUEST, "local:far"), "another password, long"), address(1)));
    assert!(!gate.admits(&stun(BINDING_REQUEST, "")[..STUN_HEADER], address(1)));
}

#[test]
fn a_request_that_was_overheard_and_altered_is_refused() {
    let gate = gate();
    let overheard = request("local:far");
    for at in 0..overheard.len() {
        let mut altered = overheard.clone();
        altered[at] ^= 1;
        // Another message type or magic cookie makes it no request at all, which needs no signature to be refused.
        assert!(!gate.admits(&altered, address(1)), "altered at {at}");
    }
    // ICE-CONTROLLED behind the signature: the agent would take it for a role conflict.
    let conflict = with_attribute(overheard.clone(), &[0x80, 0x29, 0, 8, 255, 255, 255, 255, 255, 255, 255, 255]);
    assert!(!gate.admits(&conflict, address(1)));
    assert!(gate.admits(&overheard, address(1)));
}

#[test]
fn a_request_that_was_overheard_passes_from_nowhere_else() {
    let gate = gate();
    let overheard = request("local:far");
    assert!(gate.admits(&overheard, address(1)));
    assert!(!gate.admits(&overheard, address(2)));
    assert!(gate.admits(&overheard, address(1)), "sent again by who sent it first");
    for number in 0..5000_u16 {
        let mut other = stun(BINDING_REQUEST, "local:far");
        other[8..10].copy_from_slice(&number.to_be_bytes());
        gate.admits(&signed(other, PASSWORD), address(1));
    }
    assert!(gate.sources.lock().unwrap().requests.len() <= MAX_REQUESTS);
}

#[test]
fn renewed_credentials_take_the_place_of_the_old_ones() {
    let gate = gate();
    assert!(gate.admits(&request("local:far"), address(1)));
    departs(&gate, BINDING_SUCCESS, address(1));
    assert!(gate.admits(&MEDIA, address(1)));
    gate.set_local_credentials("newer", "another password, long").unwrap();
    assert!(!gate.admits(&MEDIA, address(1)), "not yet proved anew");
    assert!(!gate.admits(&request("local:far"), address(1)));
    assert!(!gate.admits(&request("newer:far"), address(1)), "signed with the old password");
    assert!(gate.admits(&signed(stun(BINDING_REQUEST, "newer:far"), "another password, long"), address(1)));
}

#[test]
fn forged_media_of_a_proven_source_reaches_the_engine_a_bounded_number_of_times() {
    let gate = gate();
    departs(&gate, BINDING_SUCCESS, address(1));
    let flood = |second: u8, at: usize| {
        let packet = |ssrc: u32| {
            let mut packet = [128, second, 0, 1, 0, 0, 0, 1, 0, 0, 0, 2, 9, 9, 9, 9];
            packet[at..at + 4].copy_from_slice(&ssrc.to_be_bytes());
            packet
        };
        (100..300_100).filter(|ssrc| gate.admits(&packet(*ssrc), address(1))).count()
    };
    assert_eq!(flood(102, 8), 0, "RTP");
    assert!(flood(201, 4) <= 256, "RTCP");
    assert!(gate.admits(&MEDIA, address(1)), "the call goes on");
    assert!(!gate.admits(&MEDIA, address(2)), "from where it was proved alone");
}

#[test]
fn without_the_far_sides_description_nothing_but_the_handshake_passes() {
    let gate = SourceGate::default();
    departs(&gate, BINDING_SUCCESS, address(1));
    assert!(!gate.admits(&MEDIA, address(1)));
    assert!(!gate.admits(&[129, 201, 0, 1, 0, 0, 0, 2], address(1)));
    assert!(gate.admits(&[22, 254, 253, 0], address(1)));
    gate.set_far_streams([2]);
    assert!(gate.admits(&MEDIA, address(1)));
}

#[test]
fn checks_to_where_nobody_answers_keep_a_pace_and_others_do_not() {
    let gate = gate();
    let check = stun(BINDING_REQUEST, "");
    let left = |to: u16| (0..1000).filter(|_| gate.observe_departure(&check, OWN, address(to)).is_some()).count();
    assert!((200..250).contains(&left(1)), "a burst, whose end the clock may move");
    departs(&gate, BINDING_SUCCESS, address(2));
    assert_eq!(left(2), 1000, "a source that has proved itself");
    assert!(gate.observe_departure(&MEDIA, OWN, address(1)).is_some(), "no check");
}

#[test]
fn replies_pass_from_where_a_request_went() {
    let gate = SourceGate::default();
    assert!(!gate.admits(&stun(BINDING_SUCCESS, ""), address(1)));
    departs(&gate, BINDING_REQUEST, address(1));
    assert!(gate.admits(&stun(BINDING_SUCCESS, ""), address(1)));
}

#[test]
fn of_stun_nothing_but_binding_passes_from_a_far_side() {
    let gate = gate();
    departs(&gate, BINDING_REQUEST, address(1));
    departs(&gate, BINDING_SUCCESS, address(1));
    for kind in [BINDING_SUCCESS, error_of(BINDING_REQUEST), BINDING_INDICATION] {
        assert!(gate.admits(&stun(kind, ""), address(1)), "{kind:04x}");
    }
    // The engine would take these for a relay's: an Allocate success, Data and Send indications, requests.
    for kind in [0x0103, 0x0113, 0x0104, 0x0108, 0x0109, 0x0017, 0x0016, 0x0003, 0x0004, 0x0008, 0x0009] {
        assert!(!gate.admits(&stun(kind, ""), address(1)), "{kind:04x}");
    }
    let mut media = MEDIA;
    media[4..8].copy_from_slice(&MAGIC_COOKIE);
    assert!(!gate.admits(&media, address(1)), "media with the cookie of STUN");
}

#[test]
fn it_remembers_a_bounded_number_of_sources() {
    let gate = gate();
    for port in 0..1000 {
        departs(&gate, BINDING_SUCCESS, address(port));
    }
    assert!(!gate.admits(&MEDIA, address(0)));
    assert!(gate.admits(&MEDIA, address(999)));
}

proptest! {
    #[test]
    fn no_datagram_makes_it_panic(mut bytes in prop::collection::vec(any::<u8>(), 0..80), request in any::<bool>()) {
        if request {
            bytes.splice(0..0, stun(BINDING_REQUEST, "")[..STUN_HEADER].iter().copied());
            let length = bytes.len() - STUN_HEADER;
            set_length(&mut bytes, length);
        }
        let gate = gate();
        gate.observe_departure(&bytes, OWN, address(1));
        let _ = gate.admits(&bytes, address(1));
    }
}
