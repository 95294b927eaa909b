//! The relay in virtual time, and what strangers and hostile clients do to it.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use proptest::prelude::*;
use rtc::crypto::default_provider;
use rtc::stun::attributes::{ATTR_NONCE, ATTR_REALM, ATTR_USERNAME, AttrType};
use rtc::stun::integrity::MessageIntegrity;
use rtc::stun::message::{Message as Written, MessageType, Setter, TransactionId};
use rtc::stun::textattrs::TextAttribute;

use super::*;
use crate::stun::*;

mod bounds;

const NOON: u64 = 1_800_000_000;
const SECRET: &[u8] = b"sixteen or more bytes";

fn config(limits: Limits) -> Config {
    Config { secret: SECRET.to_vec(), realm: "visavis".to_owned(), limits }
}

fn udp(port: u16) -> Client {
    Client { transport: Transport::Udp(0), address: SocketAddr::from(([192, 0, 2, 1], port)) }
}

/// A relay, the present, and how many messages were made.
struct Bench {
    relay: Relay,
    moment: Moment,
    made: u8,
}

/// An answer or a datagram, and who got it.
type Got = Option<(Client, Vec<u8>)>;

impl Bench {
    fn new(limits: Limits) -> Self {
        let now = Instant::now();
        Self { relay: Relay::new(config(limits), now).unwrap(), moment: Moment { now, unix_s: NOON }, made: 0 }
    }

    fn pass(&mut self, time: Duration) {
        self.moment.now += time;
        self.moment.unix_s += time.as_secs();
        self.relay.expire(self.moment.now);
    }

    fn send(&mut self, from: Client, datagram: &[u8]) -> Got {
        self.relay.receive(self.moment, from, datagram).map(|output| (output.to, output.bytes.to_vec()))
    }

    fn request(&mut self, kind: u16, fields: &[(u16, Vec<u8>)], signer: Option<(&Credential, &str)>) -> Vec<u8> {
        self.made = self.made.wrapping_add(1);
        request([self.made; TRANSACTION_ID], kind, fields, signer)
    }

    /// Asks with a credential, as a client that has a nonce does; the code of the error, or the answer.
    fn ask(
        &mut self,
        from: Client,
        credential: &Credential,
        kind: u16,
        fields: &[(u16, Vec<u8>)],
    ) -> Result<Vec<u8>, u16> {
        let nonce = self.nonce(from);
        let request = self.request(kind, fields, Some((credential, &nonce)));
        let (to, answer) = self.send(from, &request).expect("an answer");
        assert_eq!(to, from);
        code(&answer).map_or(Ok(answer), Err)
    }

    fn nonce(&self, from: Client) -> String {
        super::nonce::make(default_provider().unwrap().crypto(), SECRET, from.address, self.moment.unix_s).unwrap()
    }

    fn allocate(&mut self, from: Client, credential: &Credential) -> Result<SocketAddr, u16> {
        self.ask(from, credential, ALLOCATE_REQUEST, &[transport()]).map(|answer| address(&answer, XOR_RELAYED_ADDRESS))
    }

    fn permit(&mut self, from: Client, credential: &Credential, peer: SocketAddr) -> Result<Vec<u8>, u16> {
        let peer = self.next_peer(peer);
        self.ask(from, credential, CREATE_PERMISSION_REQUEST, &[peer])
    }

    fn bind(&mut self, from: Client, credential: &Credential, number: u16, peer: SocketAddr) -> Result<Vec<u8>, u16> {
        let peer = self.next_peer(peer);
        let number = [&number.to_be_bytes()[..], &[0, 0]].concat();
        self.ask(from, credential, CHANNEL_BIND_REQUEST, &[(CHANNEL_NUMBER, number), peer])
    }

    /// An address in the next message.
    fn next_peer(&self, peer: SocketAddr) -> (u16, Vec<u8>) {
        let mut value = Vec::new();
        write_xor_address(peer, [self.made.wrapping_add(1); TRANSACTION_ID], &mut value);
        (XOR_PEER_ADDRESS, value)
    }

    fn send_to(&mut self, from: Client, peer: SocketAddr, data: &[u8]) -> Got {
        let fields = [self.next_peer(peer), (DATA, data.to_vec())];
        let indication = self.request(SEND_INDICATION, &fields, None);
        self.send(from, &indication)
    }
}

fn request(
    transaction: [u8; TRANSACTION_ID],
    kind: u16,
    fields: &[(u16, Vec<u8>)],
    signer: Option<(&Credential, &str)>,
) -> Vec<u8> {
    let provider = default_provider().unwrap();
    let mut typ = MessageType::default();
    typ.read_value(kind);
    let mut setters: Vec<Box<dyn Setter + '_>> = vec![Box::new(TransactionId(transaction)), Box::new(typ)];
    if let Some((Credential { username, password }, nonce)) = signer {
        let text = |kind, text: &str| Box::new(TextAttribute::new(kind, text.to_owned()));
        setters.push(text(ATTR_USERNAME, username));
        setters.push(text(ATTR_REALM, "visavis"));
        setters.push(text(ATTR_NONCE, nonce));
        let mut message = Written::new();
        message.build(&setters).unwrap();
        fields.iter().for_each(|(kind, value)| message.add(AttrType(*kind), value));
        let integrity = MessageIntegrity::new_long_term_integrity_with_provider(
            username.clone(),
            "visavis".to_owned(),
            password.clone(),
            provider.crypto(),
        );
        integrity.unwrap().add_to(&mut message).unwrap();
        return message.raw;
    }
    let mut message = Written::new();
    message.build(&setters).unwrap();
    fields.iter().for_each(|(kind, value)| message.add(AttrType(*kind), value));
    message.raw
}

fn transport() -> (u16, Vec<u8>) {
    (REQUESTED_TRANSPORT, vec![17, 0, 0, 0])
}

fn credential(number: u8) -> Credential {
    mint_credential(SECRET, NOON + 12 * 3600, [number; 12]).unwrap()
}

fn code(answer: &[u8]) -> Option<u16> {
    let value = Message::read(answer)?.value(ERROR_CODE)?;
    Some(u16::from(value[2]) * 100 + u16::from(value[3]))
}

fn address(message: &[u8], kind: u16) -> SocketAddr {
    let message = Message::read(message).unwrap();
    read_xor_address(message.value(kind).unwrap(), message.transaction()).unwrap()
}

/// Two clients with an allocation each, that have permitted each other.
fn pair(bench: &mut Bench) -> [(Client, SocketAddr); 2] {
    let (one, other) = ((udp(1), credential(1)), (udp(2), credential(2)));
    let numbers = [&one, &other].map(|(client, credential)| bench.allocate(*client, credential).unwrap());
    bench.permit(one.0, &one.1, numbers[1]).unwrap();
    bench.permit(other.0, &other.1, numbers[0]).unwrap();
    [(one.0, numbers[0]), (other.0, numbers[1])]
}

#[test]
fn anybody_is_told_their_address_and_asked_for_a_credential_in_few_bytes() {
    let mut bench = Bench::new(Limits::default());
    let binding = bench.request(BINDING_REQUEST, &[], None);
    let (to, answer) = bench.send(udp(7), &binding).unwrap();
    assert_eq!((to, address(&answer, XOR_MAPPED_ADDRESS)), (udp(7), udp(7).address));
    assert_eq!(answer.len(), 32, "a header and an address");
    let allocate = bench.request(ALLOCATE_REQUEST, &[transport()], None);
    let (_, answer) = bench.send(udp(7), &allocate).unwrap();
    assert_eq!(code(&answer), Some(401));
    assert!(answer.len() <= 72, "{} bytes", answer.len());
    let message = Message::read(&answer).unwrap();
    assert_eq!(message.value(NONCE), Some(bench.nonce(udp(7)).as_bytes()));
    assert_eq!(message.value(REALM), Some(&b"visavis"[..]));
}

#[test]
fn data_passes_between_two_that_have_permitted_each_other() {
    let mut bench = Bench::new(Limits::default());
    let [(one, one_number), (other, other_number)] = pair(&mut bench);
    let (to, datagram) = bench.send_to(one, other_number, b"hello").unwrap();
    let message = Message::read(&datagram).unwrap();
    assert_eq!((to, message.kind(), message.value(DATA)), (other, DATA_INDICATION, Some(&b"hello"[..])));
    assert_eq!(address(&datagram, XOR_PEER_ADDRESS), one_number);
    bench.bind(other, &credential(2), 0x4001, one_number).unwrap();
    bench.bind(one, &credential(1), 0x4002, other_number).unwrap();
    assert_eq!(
        bench.send_to(one, other_number, b"again"),
        Some((other, vec![0x40, 1, 0, 5, b'a', b'g', b'a', b'i', b'n']))
    );
    assert_eq!(bench.send(other, &[0x40, 1, 0, 1, 9]), Some((one, vec![0x40, 2, 0, 1, 9])));
    let figures = bench.relay.figures();
    assert_eq!((figures.allocations, figures.relayed_datagrams, figures.relayed_bytes), (2, 3, 11));
}

#[test]
fn nothing_passes_without_both_permissions_or_to_anybody_else() {
    let mut bench = Bench::new(Limits::default());
    let (one, other) = (udp(1), udp(2));
    let number = bench.allocate(one, &credential(1)).unwrap();
    let other_number = bench.allocate(other, &credential(2)).unwrap();
    assert_eq!(bench.send_to(one, other_number, b"x"), None, "neither");
    bench.permit(one, &credential(1), other_number).unwrap();
    assert_eq!(bench.send_to(one, other_number, b"x"), None, "the sender alone");
    assert_eq!(bench.send_to(other, number, b"x"), None, "the receiver alone");
    for outside in ["127.0.0.1:22", "10.0.0.1:53", "192.0.2.2:2", "0.0.0.0:9", "255.255.255.255:9", "224.0.0.1:9"] {
        let outside = outside.parse().unwrap();
        bench.permit(one, &credential(1), outside).unwrap();
        assert_eq!(bench.send_to(one, outside, b"x"), None, "{outside}");
    }
    assert_eq!(bench.permit(one, &credential(1), "[::1]:9".parse().unwrap()), Err(443));
    assert_eq!(bench.send(udp(3), &[0x40, 0, 0, 1, 9]), None, "a stranger");
    assert_eq!(bench.relay.figures().relayed_datagrams, 0);
    bench.permit(other, &credential(2), number).unwrap();
    assert!(bench.send_to(one, other_number, b"x").is_some());
}

#[test]
fn permissions_channels_and_allocations_end_in_time() {
    let mut bench = Bench::new(Limits::default());
    let [(one, number), (other, other_number)] = pair(&mut bench);
    let refresh =
        |bench: &mut Bench, client, number| bench.ask(client, &credential(number), REFRESH_REQUEST, &[]).unwrap();
    bench.bind(one, &credential(1), 0x4000, other_number).unwrap();
    for _ in 0..3 {
        bench.pass(Duration::from_secs(99));
        refresh(&mut bench, one, 1);
        refresh(&mut bench, other, 2);
    }
    assert!(bench.send_to(one, other_number, b"x").is_some(), "297 s");
    bench.pass(Duration::from_secs(4));
    assert_eq!(bench.send_to(one, other_number, b"x"), None, "permissions are over");
    bench.permit(other, &credential(2), number).unwrap();
    assert_eq!(bench.send(one, &[0x40, 0, 0, 1, 9]), None, "one of them");
    bench.permit(one, &credential(1), other_number).unwrap();
    assert!(bench.send(one, &[0x40, 0, 0, 1, 9]).is_some(), "the channel is not");
    bench.pass(Duration::from_secs(100));
    refresh(&mut bench, one, 1);
    refresh(&mut bench, other, 2);
    bench.pass(Duration::from_secs(100));
    refresh(&mut bench, one, 1);
    refresh(&mut bench, other, 2);
    bench.pass(Duration::from_secs(101));
    bench.permit(one, &credential(1), other_number).unwrap();
    bench.permit(other, &credential(2), number).unwrap();
    assert_eq!(bench.send(one, &[0x40, 0, 0, 1, 9]), None, "the channel is over");
    assert!(bench.send_to(one, other_number, b"x").is_some(), "and nothing else is");
    bench.pass(Duration::from_secs(181));
    assert_eq!(bench.relay.figures().allocations, 0, "not refreshed");
    assert_eq!(bench.ask(one, &credential(1), REFRESH_REQUEST, &[]), Err(437));
}

#[test]
fn a_refresh_of_zero_and_the_end_of_a_stream_end_an_allocation_at_once() {
    let mut bench = Bench::new(Limits::default());
    let [(one, _), (other, number)] = pair(&mut bench);
    let answer = bench.ask(one, &credential(1), REFRESH_REQUEST, &[(LIFETIME, vec![0; 4])]).unwrap();
    assert_eq!(Message::read(&answer).unwrap().value(LIFETIME), Some(&[0; 4][..]));
    assert_eq!(bench.send_to(one, number, b"x"), None);
    bench.relay.closed(other, bench.moment.now);
    assert_eq!(bench.relay.figures().allocations, 0);
}

#[test]
fn requests_without_a_right_to_the_relay_are_refused_and_leave_nothing_behind() {
    let mut bench = Bench::new(Limits::default());
    let good = credential(1);
    let nonce = bench.nonce(udp(1));
    let of_another = mint_credential(b"another secret, long", NOON + 3600, [1; 12]).unwrap();
    let over = mint_credential(SECRET, NOON - 1, [1; 12]).unwrap();
    let renamed = Credential { username: credential(2).username, ..good.clone() };
    let elsewhere = bench.nonce(udp(2));
    for (credential, nonce, expected) in [
        (&of_another, &nonce, 401),
        (&over, &nonce, 401),
        (&renamed, &nonce, 401),
        (&good, &elsewhere, 438),
        (&good, &"stale".to_owned(), 438),
    ] {
        let request = bench.request(ALLOCATE_REQUEST, &[transport()], Some((credential, nonce)));
        let (_, answer) = bench.send(udp(1), &request).unwrap();
        assert_eq!(code(&answer), Some(expected));
        assert!(Message::read(&answer).unwrap().value(NONCE).is_some(), "the way to do better");
    }
    for (fields, expected) in [
        (vec![], 400),
        (vec![(REQUESTED_TRANSPORT, vec![6, 0, 0, 0])], 442),
        (vec![transport(), (REQUESTED_ADDRESS_FAMILY, vec![2, 0, 0, 0])], 440),
        (vec![transport(), (RESERVATION_TOKEN, vec![0; 8])], 508),
        (vec![transport(), (EVEN_PORT, vec![0x80])], 508),
        (vec![transport(), (0x001a, vec![])], 420),
    ] {
        assert_eq!(bench.ask(udp(1), &good, ALLOCATE_REQUEST, &fields), Err(expected), "{fields:?}");
    }
    assert_eq!((bench.relay.figures().allocations, bench.relay.accounts()), (0, 0));
}

#[test]
fn an_allocation_belongs_to_its_client_and_its_credential() {
    let mut bench = Bench::new(Limits::default());
    let number = bench.allocate(udp(1), &credential(1)).unwrap();
    assert_eq!(bench.allocate(udp(1), &credential(1)), Err(437), "one a client");
    assert_eq!(bench.ask(udp(1), &credential(2), REFRESH_REQUEST, &[]), Err(441));
    assert_eq!(bench.ask(udp(2), &credential(1), REFRESH_REQUEST, &[]), Err(437));
    let nonce = bench.nonce(udp(3));
    let request = bench.request(ALLOCATE_REQUEST, &[transport()], Some((&credential(3), &nonce)));
    let answers = [(); 2].map(|()| bench.send(udp(3), &request).unwrap().1);
    assert_eq!(answers[0], answers[1], "a request that comes again");
    let even = bench.ask(udp(4), &credential(4), ALLOCATE_REQUEST, &[transport(), (EVEN_PORT, vec![0])]).unwrap();
    assert_eq!(address(&even, XOR_RELAYED_ADDRESS).port() % 2, 0);
    assert!(crate::network::is_reserved(number.ip()));
}

#[test]
fn channels_are_bound_to_one_peer_each() {
    let mut bench = Bench::new(Limits::default());
    let [(one, _), (_, number)] = pair(&mut bench);
    let elsewhere = SocketAddr::from(([244, 0, 0, 1], 5000));
    bench.bind(one, &credential(1), 0x4000, number).unwrap();
    bench.bind(one, &credential(1), 0x4000, number).unwrap();
    assert_eq!(bench.bind(one, &credential(1), 0x4000, elsewhere), Err(400));
    assert_eq!(bench.bind(one, &credential(1), 0x4001, number), Err(400));
    for number in [0, 0x3fff, 0x7fff, 0x8000, 0xffff] {
        assert_eq!(bench.bind(one, &credential(1), number, elsewhere), Err(400), "{number:04x}");
    }
}

#[test]
fn quotas_hold_for_a_credential_and_for_all_and_those_that_have_gone_give_way() {
    let limits = Limits { allocations: 4, allocations_per_credential: 2, ..Limits::default() };
    let mut bench = Bench::new(limits);
    for port in [1, 2] {
        bench.allocate(udp(port), &credential(1)).unwrap();
    }
    assert_eq!(bench.allocate(udp(3), &credential(1)), Err(486));
    bench.pass(Duration::from_secs(6));
    bench.ask(udp(1), &credential(1), REFRESH_REQUEST, &[]).unwrap();
    bench.allocate(udp(3), &credential(1)).expect("the client at port 2 has been silent");
    assert_eq!(bench.ask(udp(2), &credential(1), REFRESH_REQUEST, &[]), Err(437));
    bench.allocate(udp(4), &credential(2)).unwrap();
    bench.allocate(udp(5), &credential(3)).unwrap();
    assert_eq!(bench.allocate(udp(6), &credential(4)), Err(508));
    let figures = bench.relay.figures();
    assert_eq!((figures.over_quota_requests, figures.refused_requests), (2, 3), "no first request for a nonce counts");
    assert_eq!(bench.relay.figures().allocations, 4);
}

#[test]
fn a_credential_that_ends_takes_its_allocations_with_it() {
    let mut bench = Bench::new(Limits::default());
    let short = mint_credential(SECRET, NOON + 30, [1; 12]).unwrap();
    bench.allocate(udp(1), &short).unwrap();
    bench.pass(Duration::from_secs(20));
    bench.ask(udp(1), &short, REFRESH_REQUEST, &[]).unwrap();
    bench.pass(Duration::from_secs(11));
    assert_eq!(bench.relay.figures().allocations, 0);
}

/// Bytes that pass in ten seconds of twice the rate.
fn carried_in_ten_seconds(bench: &mut Bench, senders: &[(Client, SocketAddr)], bits_per_second: u64) -> u64 {
    let data = [7; 1000];
    let before = bench.relay.figures().relayed_bytes;
    let packets = bits_per_second * 2 / 8 / 1000;
    for second in 0..10 {
        for _ in 0..packets {
            for (client, peer) in senders {
                bench.send_to(*client, *peer, &data);
            }
            bench.moment.now += Duration::from_secs(1) / packets as u32;
        }
        assert!(bench.relay.figures().throttled_datagrams > 0 || second == 0);
    }
    bench.relay.figures().relayed_bytes - before
}

#[test]
fn rates_of_a_credential_and_of_the_relay_hold() {
    const RATE: u64 = 1_000_000;
    let limits = Limits { bits_per_second_per_credential: RATE, ..Limits::default() };
    let mut bench = Bench::new(limits);
    let [(one, _), (_, number)] = pair(&mut bench);
    // Each 1000 bytes leave with 64 of headers.
    let carried = carried_in_ten_seconds(&mut bench, &[(one, number)], RATE) / 1000 * 1064 * 8;
    assert!((RATE * 10..RATE * 11).contains(&carried), "{carried} bits");
    let limits = Limits { bits_per_second: RATE, ..Limits::default() };
    let mut bench = Bench::new(limits);
    let [(one, number), (other, other_number)] = pair(&mut bench);
    let both = [(one, other_number), (other, number)];
    let carried = carried_in_ten_seconds(&mut bench, &both, RATE) / 1000 * 1064 * 8;
    assert!((RATE * 10..RATE * 11).contains(&carried), "{carried} bits");
}

#[test]
fn a_new_allocation_does_not_refill_the_rate() {
    let limits = Limits { bits_per_second_per_credential: 80_000, ..Limits::default() };
    let mut bench = Bench::new(limits);
    let [(one, number), (_, other_number)] = pair(&mut bench);
    while bench.send_to(one, other_number, &[7; 1000]).is_some() {}
    bench.ask(one, &credential(1), REFRESH_REQUEST, &[(LIFETIME, vec![0; 4])]).unwrap();
    bench.relay.expire(bench.moment.now);
    let again = bench.allocate(one, &credential(1)).unwrap();
    assert_ne!(again, number);
    let third_number = bench.allocate(udp(3), &credential(3)).unwrap();
    bench.permit(one, &credential(1), third_number).unwrap();
    bench.permit(udp(3), &credential(3), again).unwrap();
    assert_eq!(bench.send_to(one, third_number, &[7; 1000]), None, "to somebody who has received nothing");
    bench.pass(Duration::from_secs(1));
    assert!(bench.send_to(one, third_number, &[7; 1000]).is_some());
}

#[test]
fn an_address_without_an_allocation_is_answered_at_a_bounded_rate() {
    let mut bench = Bench::new(Limits::default());
    let binding = bench.request(BINDING_REQUEST, &[], None);
    let answered = (0..1000).filter(|port| bench.send(udp(1000 + port), &binding).is_some()).count();
    assert_eq!(answered, 40, "a burst, whatever the ports");
    let other = Client { address: "192.0.2.2:9".parse().unwrap(), ..udp(1) };
    assert!(bench.send(other, &binding).is_some(), "somebody else");
    bench.pass(Duration::from_secs(1));
    let answered = (0..1000).filter(|port| bench.send(udp(1000 + port), &binding).is_some()).count();
    assert_eq!(answered, 20);
    let forged = (0..100_000_u32).filter(|bits| {
        let address = SocketAddr::new(std::net::Ipv4Addr::from_bits(0x0a00_0000 + bits).into(), 9);
        bench.send(Client { address, ..udp(1) }, &binding).is_some()
    });
    assert!(forged.count() <= 4000, "all together");
    assert_eq!((bench.relay.figures().allocations, bench.relay.accounts()), (0, 0));
}

#[test]
fn clients_of_both_families_and_of_streams_meet() {
    let mut bench = Bench::new(Limits::default());
    let six = Client { transport: Transport::Udp(1), address: "[2001:db8::1]:5000".parse().unwrap() };
    let stream = Client { transport: Transport::Stream(3), address: "192.0.2.9:443".parse().unwrap() };
    let numbers = [(six, 1), (stream, 2)].map(|(client, number)| bench.allocate(client, &credential(number)).unwrap());
    assert!(numbers.iter().all(SocketAddr::is_ipv4));
    bench.bind(six, &credential(1), 0x4000, numbers[1]).unwrap();
    bench.bind(stream, &credential(2), 0x4000, numbers[0]).unwrap();
    assert_eq!(bench.send(six, &[0x40, 0, 0, 1, 9]), Some((stream, vec![0x40, 0, 0, 1, 9, 0, 0, 0])), "padded");
    assert_eq!(bench.send(stream, &[0x40, 0, 0, 1, 8, 0, 0, 0]), Some((six, vec![0x40, 0, 0, 1, 8])));
}

#[test]
fn a_client_cannot_make_the_relay_remember_without_end() {
    let limits = Limits { allocations: 8, allocations_per_credential: 2, ..Limits::default() };
    let mut bench = Bench::new(limits);
    bench.allocate(udp(1), &credential(1)).unwrap();
    let mut refused = 0;
    for number in 0..500_u16 {
        bench.pass(Duration::from_millis(50));
        let peer = SocketAddr::from(([244, 0, (number >> 8) as u8, number as u8], 5000));
        refused += usize::from(bench.bind(udp(1), &credential(1), 0x4000 + number, peer) == Err(508));
    }
    assert_eq!(refused, 500 - allocation::MAX_PEERS);
    for number in 0..200 {
        bench.pass(Duration::from_millis(60));
        let client = Client { address: SocketAddr::from(([198, 51, 100, number], 9)), ..udp(1) };
        let _ = bench.allocate(client, &credential(number));
        let _ = bench.ask(client, &credential(number), REFRESH_REQUEST, &[(LIFETIME, vec![0; 4])]);
    }
    assert!(bench.relay.figures().allocations <= 8 && bench.relay.accounts() <= 16);
}

proptest! {
    #[test]
    fn whatever_comes_it_neither_panics_nor_keeps_anything_of_strangers(
        datagrams in prop::collection::vec((0_u16..4, prop::collection::vec(any::<u8>(), 0..120), 0_u8..4), 1..40),
    ) {
        let mut bench = Bench::new(Limits::default());
        for (port, mut bytes, shape) in datagrams {
            if shape > 0 && bytes.len() >= STUN_HEADER {
                let length = (bytes.len() - STUN_HEADER) as u16;
                bytes[0] &= 0x01;
                bytes[1] &= 0x1f;
                bytes[2..4].copy_from_slice(&length.to_be_bytes());
                bytes[4..8].copy_from_slice(&MAGIC_COOKIE);
            }
            let sent = bytes.len();
            if let Some((to, answer)) = bench.send(udp(port), &bytes) {
                prop_assert_eq!(to, udp(port));
                prop_assert!(answer.len() <= sent + 64, "{} bytes for {}", answer.len(), sent);
            }
        }
        prop_assert_eq!((bench.relay.figures().allocations, bench.relay.accounts()), (0, 0));
    }

    #[test]
    fn a_client_with_a_right_cannot_make_it_panic_or_exceed_its_bounds(
        steps in prop::collection::vec((0_u16..6, 0_u8..3, 0_usize..5, prop::collection::vec((0_u16..0x30, prop::collection::vec(any::<u8>(), 0..24)), 0..4)), 1..30),
    ) {
        let limits = Limits { allocations: 4, allocations_per_credential: 2, ..Limits::default() };
        let mut bench = Bench::new(limits);
        for (port, user, kind, fields) in steps {
            let kind = [ALLOCATE_REQUEST, REFRESH_REQUEST, CREATE_PERMISSION_REQUEST, CHANNEL_BIND_REQUEST, SEND_INDICATION][kind];
            let nonce = bench.nonce(udp(port));
            let request = bench.request(kind, &fields, Some((&credential(user), &nonce)));
            let _ = bench.send(udp(port), &request);
            bench.pass(Duration::from_millis(500));
        }
        prop_assert!(bench.relay.figures().allocations <= 4 && bench.relay.accounts() <= 8);
    }
}
