//! The gate with a relay, and the datagrams that hostile relays and peers send through it.

use proptest::prelude::*;

use super::tests::{MEDIA, OWN, address, gate, request, signed, stun, with_attribute};
use super::*;
use crate::stun::{
    ALLOCATE_REQUEST, CHANNEL_BIND_REQUEST, CHANNEL_NUMBER, CREATE_PERMISSION_REQUEST, ChannelData, DATA,
    DATA_INDICATION, MAGIC_COOKIE, REFRESH_REQUEST, SEND_INDICATION, STUN_HEADER, XOR_PEER_ADDRESS,
    XOR_RELAYED_ADDRESS, success_of, write_xor_address,
};

const RELAY: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::new(203, 0, 113, 1)), 3478);
const CHANNEL: u16 = 0x4000;
/// The transaction of the messages that the helpers make.
const TRANSACTION: [u8; TRANSACTION_ID] = [7; TRANSACTION_ID];

fn attribute(kind: u16, value: &[u8]) -> Vec<u8> {
    let mut attribute = kind.to_be_bytes().to_vec();
    attribute.extend((value.len() as u16).to_be_bytes());
    attribute.extend(value);
    attribute.resize(attribute.len().next_multiple_of(4), 0);
    attribute
}

fn addressed(message: u16, kind: u16, peer: SocketAddr) -> Vec<u8> {
    let mut value = Vec::new();
    write_xor_address(peer, TRANSACTION, &mut value);
    with_attribute(stun(message, ""), &attribute(kind, &value))
}

fn indication(kind: u16, peer: SocketAddr, data: &[u8]) -> Vec<u8> {
    with_attribute(addressed(kind, XOR_PEER_ADDRESS, peer), &attribute(DATA, data))
}

fn on_channel(number: u16, data: &[u8]) -> Vec<u8> {
    [&ChannelData::head(number, data.len() as u16)[..], data].concat()
}

/// A gate whose relay has permitted `address(1)` and bound a channel to it.
fn with_relay(relay_only: bool) -> SourceGate {
    let gate = SourceGate { servers: Mutex::new(Servers::new([], [RELAY], relay_only)), ..gate() };
    gate.opened(OWN);
    for leaves in [stun(ALLOCATE_REQUEST, ""), addressed(CREATE_PERMISSION_REQUEST, XOR_PEER_ADDRESS, address(1))] {
        assert!(gate.observe_departure(&leaves, OWN, RELAY).is_some());
    }
    let bind = addressed(CHANNEL_BIND_REQUEST, XOR_PEER_ADDRESS, address(1));
    let bind = with_attribute(bind, &attribute(CHANNEL_NUMBER, &[0x40, 0, 0, 0]));
    assert!(gate.observe_departure(&bind, OWN, RELAY).is_some());
    gate
}

/// The far side behind the relay has proved itself.
fn proven() -> SourceGate {
    let gate = with_relay(false);
    assert!(gate.admits(&indication(DATA_INDICATION, address(1), &request("local:far")), RELAY));
    let answer = indication(SEND_INDICATION, address(1), &stun(BINDING_SUCCESS, ""));
    assert_eq!(gate.observe_departure(&answer, OWN, RELAY), Some(&stun(BINDING_SUCCESS, "")[..]));
    gate
}

#[test]
fn answers_of_a_relay_pass_and_are_no_sign_of_the_far_side() {
    let gate = with_relay(false);
    let requests =
        [BINDING_REQUEST, ALLOCATE_REQUEST, REFRESH_REQUEST, CREATE_PERMISSION_REQUEST, CHANNEL_BIND_REQUEST];
    for request in requests {
        for answer in [success_of(request), error_of(request)] {
            let answers = gate.relay_answers_over_udp();
            assert!(gate.admits(&stun(answer, ""), RELAY), "{answer:04x}");
            assert_eq!(gate.relay_answers_over_udp(), answers + 1);
            assert!(!gate.admits(&stun(answer, ""), address(9)), "{answer:04x} of somebody else");
        }
        assert!(!gate.admits(&stun(request, "local:far"), RELAY), "a relay asks for nothing");
    }
    assert_eq!((gate.heard_at(), gate.admitted_bytes()), (MediaTime::default(), 0));
    assert!(gate.admits(&indication(DATA_INDICATION, address(1), &request("local:far")), RELAY));
    assert!(gate.heard_at() > MediaTime::default() && gate.admitted_bytes() > 0);
}

#[test]
fn a_server_for_addresses_answers_and_does_nothing_else() {
    let gate = SourceGate { servers: Mutex::new(Servers::new([RELAY], [], false)), ..gate() };
    assert!(gate.observe_departure(&stun(BINDING_REQUEST, ""), OWN, RELAY).is_some());
    assert!(gate.admits(&stun(BINDING_SUCCESS, ""), RELAY));
    assert_eq!(gate.relay_answers_over_udp(), 0, "a relay by a stream is still needed");
    for other in [stun(success_of(ALLOCATE_REQUEST), ""), request("local:far"), MEDIA.to_vec()] {
        assert!(!gate.admits(&other, RELAY));
    }
    assert_eq!(gate.heard_at(), MediaTime::default());
}

#[test]
fn media_passes_through_a_relay_once_its_far_end_has_proved_itself() {
    let gate = with_relay(false);
    assert!(!gate.admits(&on_channel(CHANNEL, &MEDIA), RELAY), "not proved yet");
    let gate = proven();
    assert!(gate.admits(&on_channel(CHANNEL, &MEDIA), RELAY));
    assert!(gate.admits(&indication(DATA_INDICATION, address(1), &MEDIA), RELAY));
    assert!(!gate.admits(&MEDIA, address(1)), "what was proved through the relay counts there alone");
    assert!(!gate.admits(&on_channel(CHANNEL, &MEDIA), address(1)), "channels are the relay's");
    assert!(!gate.admits(&indication(DATA_INDICATION, address(1), &MEDIA), address(1)));
}

#[test]
fn hostile_datagrams_inside_a_relays_are_judged_as_if_they_had_come_by_themselves() {
    let gate = proven();
    let stranger = request("other:far");
    let forged = signed(stun(BINDING_REQUEST, "local:far"), "another password, long");
    let of_another_stream = [&MEDIA[..8], &[0, 0, 0, 9]].concat();
    let nested = on_channel(CHANNEL, &MEDIA);
    let nested_indication = indication(DATA_INDICATION, address(1), &MEDIA);
    let allocated = stun(success_of(ALLOCATE_REQUEST), "");
    let inside: [&[u8]; 8] =
        [&stranger, &forged, &of_another_stream, &nested, &nested_indication, &allocated, &MEDIA[..11], &[]];
    for inside in inside {
        assert!(!gate.admits(&on_channel(CHANNEL, inside), RELAY), "{inside:?}");
        assert!(!gate.admits(&indication(DATA_INDICATION, address(1), inside), RELAY), "{inside:?}");
    }
    // The engine would take the whole for STUN, and find a Data indication of anybody's in it.
    assert!(gate.admits(&on_channel(CHANNEL, &[22, 254, 253, 0]), RELAY));
    assert!(!gate.admits(&on_channel(CHANNEL, &[&MAGIC_COOKIE[..], &[9; 40]].concat()), RELAY));
}

#[test]
fn channels_and_peers_that_this_side_has_not_asked_for_are_refused() {
    let gate = proven();
    let other = SocketAddr::from(([192, 0, 2, 77], 1));
    assert!(!gate.admits(&on_channel(CHANNEL + 1, &request("local:far")), RELAY), "an unknown channel");
    assert!(
        !gate.admits(&indication(DATA_INDICATION, other, &request("local:far")), RELAY),
        "a peer without permission"
    );
    assert!(!gate.admits(&indication(DATA_INDICATION, address(2), &MEDIA), RELAY), "another port has proved nothing");
    gate.observe_departure(&stun(ALLOCATE_REQUEST, ""), OWN, RELAY);
    assert!(!gate.admits(&on_channel(CHANNEL, &MEDIA), RELAY), "a new allocation has no channels");
}

#[test]
fn wrappings_that_are_cut_or_ambiguous_are_refused() {
    let gate = proven();
    for whole in [on_channel(CHANNEL, &MEDIA), indication(DATA_INDICATION, address(1), &MEDIA)] {
        for length in 0..whole.len() {
            assert!(!gate.admits(&whole[..length], RELAY), "{length} of {}", whole.len());
        }
        assert!(!gate.admits(&[&whole[..], &[0; 4]].concat(), RELAY), "longer than it says");
    }
    let twice = with_attribute(indication(DATA_INDICATION, address(1), &MEDIA), &attribute(DATA, &MEDIA));
    assert!(!gate.admits(&twice, RELAY), "two datagrams");
    let mut value = Vec::new();
    write_xor_address(address(5), TRANSACTION, &mut value);
    let twice = with_attribute(indication(DATA_INDICATION, address(1), &MEDIA), &attribute(XOR_PEER_ADDRESS, &value));
    assert!(!gate.admits(&twice, RELAY), "two peers");
    assert!(!gate.admits(&addressed(DATA_INDICATION, XOR_PEER_ADDRESS, address(1)), RELAY), "no datagram");
}

#[test]
fn with_relays_alone_nothing_comes_from_or_leaves_for_anybody_else() {
    let gate = with_relay(true);
    for (datagram, to) in
        [(stun(BINDING_REQUEST, ""), address(1)), (MEDIA.to_vec(), address(1)), (stun(BINDING_SUCCESS, ""), address(2))]
    {
        assert_eq!(gate.observe_departure(&datagram, OWN, to), None);
    }
    assert!(!gate.admits(&request("local:far"), address(1)));
    assert!(!gate.admits(&stun(BINDING_SUCCESS, ""), address(1)));
    assert!(gate.admits(&indication(DATA_INDICATION, address(1), &request("local:far")), RELAY));
}

#[test]
fn a_direct_path_is_looked_for_beside_a_relay_and_never_with_relays_alone() {
    let (password, at) = ("the far side's password", MediaTime::from_millis);
    for relay_only in [false, true] {
        let gate = SourceGate::with_servers(Servers::new([], [RELAY], relay_only));
        gate.set_far_credentials(Role::Offerer, "far", password).unwrap();
        gate.set_local_credentials("local", "this side's password").unwrap();
        gate.opened(OWN);
        for (candidate, is_relay) in
            [(address(1), false), (address(2), true), (SocketAddr::from(([244, 1, 2, 3], 5)), false)]
        {
            gate.note_far_candidate(candidate, is_relay);
        }
        let on_its_way = [MEDIA.to_vec(), vec![22, 254, 253, 0], stun(BINDING_REQUEST, "")];
        let instead = |ms| on_its_way.each_ref().map(|datagram| gate.instead_of_relay(datagram, at(ms)));
        assert_eq!(instead(1000), [None; 3]);
        let checks = gate.direct_checks(at(2000));
        let pairs: Vec<_> = checks.iter().map(|check| (check.pair.from, check.pair.to)).collect();
        if relay_only {
            assert_eq!(pairs, []);
            continue;
        }
        assert_eq!(pairs, [(OWN, address(1))], "neither a relay nor a relay's number");
        let is_answered = |check: &Check, ms| {
            let mut answer = stun(BINDING_SUCCESS, "");
            answer[8..STUN_HEADER].copy_from_slice(&Message::read(&check.datagram).unwrap().transaction());
            let answer = signed(answer, password);
            gate.admits(&answer, address(1)) && gate.takes(&answer, OWN, address(1), at(ms))
        };
        assert!(is_answered(&checks[0], 2005) && instead(2006) == [None; 3]);
        assert!(is_answered(&gate.direct_checks(at(2007))[0], 2010), "a large one");
        assert_eq!(instead(2020), [Some(checks[0].pair), None, None], "media alone");
        assert_eq!(gate.route(), MediaRoute::Direct);
        assert!(gate.observe_departure(&on_channel(CHANNEL, &MEDIA), OWN, RELAY).is_none(), "no channel is bound");
    }
}

#[test]
fn a_closed_relay_is_not_asked_to_reach_other_networks_and_its_numbers_are_not_sent_to() {
    let gate = with_relay(false);
    let number = SocketAddr::from(([244, 1, 2, 3], 50_000));
    assert_eq!(gate.observe_departure(&stun(BINDING_REQUEST, ""), OWN, number), None, "in no network");
    let check = |peer| indication(SEND_INDICATION, peer, &stun(BINDING_REQUEST, ""));
    assert!(gate.observe_departure(&check(address(1)), OWN, RELAY).is_some(), "an open relay, as far as is known");
    assert!(gate.admits(&addressed(success_of(ALLOCATE_REQUEST), XOR_RELAYED_ADDRESS, number), RELAY));
    assert_eq!(gate.observe_departure(&check(address(1)), OWN, RELAY), None);
    assert!(gate.observe_departure(&check(number), OWN, RELAY).is_some());
}

#[test]
fn one_socket_asks_a_relay_for_an_allocation() {
    let gate = SourceGate { servers: Mutex::new(Servers::new([], [RELAY], false)), ..gate() };
    let [first, second] = [1, 2].map(|host| SocketAddr::from(([192, 0, 2, 100 + host], 9)));
    [first, second].into_iter().for_each(|socket| gate.opened(socket));
    let asks = |socket| gate.observe_departure(&stun(ALLOCATE_REQUEST, ""), socket, RELAY).is_some();
    assert_eq!((asks(first), asks(second)), (false, true), "this computer has no route from either");
    gate.closed(second);
    assert!(asks(first));
}

#[test]
fn memory_of_channels_and_peers_is_bounded() {
    let gate = with_relay(false);
    for number in 0..2000_u16 {
        let peer = SocketAddr::from(([198, 51, (number >> 8) as u8, number as u8], 9));
        let bind = addressed(CHANNEL_BIND_REQUEST, XOR_PEER_ADDRESS, peer);
        let bind = with_attribute(bind, &attribute(CHANNEL_NUMBER, &(CHANNEL + number).to_be_bytes()));
        gate.observe_departure(&bind, OWN, RELAY);
    }
    assert!(format!("{:?}", gate.servers()).len() < 20_000);
}

proptest! {
    #[test]
    fn no_datagram_of_a_relay_makes_it_panic_or_passes_without_proof(inside in prop::collection::vec(any::<u8>(), 0..80), channel in any::<bool>(), cut in 0_usize..200) {
        let gate = with_relay(false);
        let whole = if channel { on_channel(CHANNEL, &inside) } else { indication(DATA_INDICATION, address(1), &inside) };
        let datagram = &whole[..cut.min(whole.len())];
        prop_assert!(!gate.admits(datagram, RELAY));
        let _ = gate.observe_departure(datagram, OWN, RELAY);
    }
}
