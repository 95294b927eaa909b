use proptest::prelude::*;

use super::*;

fn address(byte: u8) -> Address {
    (BoxId::from_bytes([byte; BoxId::LEN]), Device(byte.into()))
}

fn every_body() -> Vec<Body> {
    let link = LinkState { heard: 1, own: 2, far: 3, number: u32::MAX };
    let letter = |size| Letter::new(address(7).0, Device::ALL, &vec![1; size]).unwrap();
    let node = NodeId::new(5, [6; 10]);
    let news = [
        News::Watch { from: address(1), boxes: vec![address(2).0; MAX_BOXES] },
        News::Watch { from: address(1), boxes: Vec::new() },
        News::Up { to: address(1), devices: vec![address(2); MAX_BOXES] },
        News::Down { from: address(1), devices: vec![address(3)] },
        News::Letter { from: address(1), letter: letter(crate::server_protocol::MAX_CONTENT) },
        News::Knock { from: address(1), letter: letter(0) },
        News::Joined(address(4)),
        News::Siblings { mailbox: address(5).0, devices: vec![Device(1), Device(2)] },
        News::Left(address(6)),
    ];
    let beats = [false, true].map(|ends| Body::Beat(Beat { number: 9, ends, links: vec![(node, link); MAX_NODES] }));
    news.into_iter().map(|news| Body::Post(link, news)).chain(beats).collect()
}

#[test]
fn every_message_comes_back_and_is_of_bounded_size() {
    for body in every_body() {
        let message = Message { sender: NodeId::new(1, [2; 10]), body };
        let bytes = message.encode();
        assert!(bytes.len() <= MAX_MESSAGE, "{}", bytes.len());
        assert_eq!(Message::decode(&bytes), Ok(message));
    }
}

#[test]
fn anything_but_a_whole_message_of_this_version_is_refused() {
    for body in every_body() {
        let bytes = Message { sender: NodeId::new(1, [2; 10]), body }.encode();
        let cuts = (0..bytes.len().min(90)).chain([bytes.len() - 1]);
        cuts.for_each(|end| assert!(Message::decode(&bytes.slice(..end)).is_err(), "{end} bytes"));
        assert!(Message::decode(&[&bytes[..], &[0]].concat().into()).is_err(), "one byte more");
        for (place, wrong) in [(0, 2), (1, 99)] {
            let mut other = bytes.to_vec();
            other[place] = wrong;
            assert!(Message::decode(&other.into()).is_err());
        }
    }
    let watch = Body::Post(
        LinkState { heard: 1, own: 1, far: 1, number: 1 },
        News::Watch { from: address(1), boxes: vec![address(2).0; MAX_BOXES + 1] },
    );
    assert!(Message::decode(&Message { sender: NodeId::new(1, [2; 10]), body: watch }.encode()).is_err());
}

#[test]
fn a_later_run_has_a_higher_number() {
    assert!(NodeId::new(1_800_000_000_001, [0; 10]) > NodeId::new(1_800_000_000_000, [255; 10]));
    assert_eq!(NodeId::new(0x0102_0304_0506, [255; 10]).to_string(), format!("010203040506{}", "ff".repeat(10)));
}

proptest! {
    #[test]
    fn any_bytes_are_read_without_failing(bytes in proptest::collection::vec(any::<u8>(), 0..300), kind in 0_u8..10) {
        let _ = Message::decode(&bytes.clone().into());
        let _ = Message::decode(&[&[VERSION, kind][..], &bytes].concat().into());
    }
}
