//! Bounds of the relay on short datagrams, forged addresses and addresses of two forms.

#![cfg(test)]

use super::*;

#[test]
fn empty_datagrams_do_not_pass_and_short_ones_count_with_their_headers() {
    let limits = Limits { bits_per_second_per_credential: 80_000, ..Limits::default() };
    let mut bench = Bench::new(limits);
    let [(one, number), (other, other_number)] = pair(&mut bench);
    bench.bind(one, &credential(1), 0x4000, other_number).unwrap();
    for _ in 0..10 {
        assert_eq!(bench.send_to(one, other_number, &[]), None);
        assert_eq!(bench.send(one, &[0x40, 0, 0, 0]), None);
    }
    assert_eq!(bench.relay.figures().unwanted_datagrams, 20);
    let passed = |bench: &mut Bench| (0..1000).filter(|_| bench.send(one, &[0x40, 0, 0, 1, 9]).is_some()).count();
    assert_eq!(passed(&mut bench), 5000 / (40 + 28), "as Data indications: the burst of half a second");
    bench.bind(other, &credential(2), 0x4000, number).unwrap();
    bench.pass(Duration::from_secs(1));
    assert_eq!(passed(&mut bench), 5000 / (5 + 28), "as ChannelData");
}

#[test]
fn forged_addresses_do_not_keep_away_those_that_have_shown_theirs() {
    let mut bench = Bench::new(Limits::default());
    let binding = bench.request(BINDING_REQUEST, &[], None);
    for bits in 0..10_000_u32 {
        let address = SocketAddr::new(std::net::Ipv4Addr::from_bits(0x0a00_0000 + bits).into(), 9);
        bench.send(Client { address, ..udp(1) }, &binding);
    }
    assert_eq!(bench.send(udp(7), &binding), None, "it may be forged, too");
    bench.allocate(udp(7), &credential(1)).expect("a nonce has arrived there");
    let stream = Client { transport: Transport::Stream(1), ..udp(8) };
    assert!(bench.send(stream, &binding).is_some(), "a stream was opened from there");
}

#[test]
fn an_ipv4_mapped_address_is_that_of_the_ipv4_client() {
    let mut bench = Bench::new(Limits::default());
    let mapped = Client { address: "[::ffff:192.0.2.1]:7".parse().unwrap(), ..udp(7) };
    let binding = bench.request(BINDING_REQUEST, &[], None);
    let (to, answer) = bench.send(mapped, &binding).unwrap();
    assert_eq!((to, address(&answer, XOR_MAPPED_ADDRESS), answer.len()), (udp(7), udp(7).address, 32));
    bench.allocate(udp(7), &credential(1)).unwrap();
    let nonce = bench.nonce(udp(7));
    let request = bench.request(ALLOCATE_REQUEST, &[transport()], Some((&credential(1), &nonce)));
    assert_eq!(bench.send(mapped, &request).and_then(|(_, answer)| code(&answer)), Some(437), "one a client");
    assert!(
        bench.relay.has_allocation(mapped, bench.moment.now) && bench.relay.has_allocation(udp(7), bench.moment.now)
    );
    bench.relay.closed(mapped, bench.moment.now);
    assert!(!bench.relay.has_allocation(udp(7), bench.moment.now));
}
