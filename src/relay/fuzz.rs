//! The relay as the network's bytes reach it, for the fuzzer.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use rtc::crypto::default_provider;
use rtc::stun::attributes::{ATTR_NONCE, ATTR_REALM, ATTR_USERNAME};
use rtc::stun::integrity::MessageIntegrity;
use rtc::stun::message::{Message as Written, Setter};

use super::{Client, Config, Limits, Moment, Relay, Transport, mint_credential, nonce};
use crate::stun::Credential;

const SECRET: &[u8] = b"0123456789abcdef";
const REALM: &str = "visavis";
const LIMITS: Limits = Limits {
    allocations: 4,
    allocations_per_credential: 2,
    bits_per_second: 80_000,
    bits_per_second_per_credential: 40_000,
};
const NOON: u64 = 1_800_000_000;

/// Datagrams at the relay: each is a byte whose lowest bit says that the sender has a credential and signs it, and
/// whose four highest are seconds that pass before, one for the client, one for its length, and the datagram.
pub fn datagrams(bytes: &[u8]) {
    passed_on(bytes);
}

/// How many of them were passed on to somebody else.
pub(super) fn passed_on(bytes: &[u8]) -> u64 {
    let config = Config { secret: SECRET.to_vec(), realm: REALM.to_owned(), limits: LIMITS };
    let mut moment = Moment { now: Instant::now(), unix_s: NOON };
    let Ok(mut relay) = Relay::new(config, moment.now) else { return 0 };
    let mut rest = bytes;
    while let &[flags, client, length, ref more @ ..] = rest {
        let (datagram, more) = more.split_at(usize::from(length).min(more.len()));
        let passed = Duration::from_secs(u64::from(flags >> 4));
        moment = Moment { now: moment.now + passed, unix_s: moment.unix_s + passed.as_secs() };
        relay.expire(moment.now);
        let transport = if client & 1 == 1 { Transport::Stream(client.into()) } else { Transport::Udp(0) };
        let from = Client { transport, address: SocketAddr::from(([192, 0, 2, client], 5000)) };
        let signed = if flags & 1 == 1 { signed(datagram, from, moment) } else { None };
        let datagram = signed.as_deref().unwrap_or(datagram);
        if let Some(output) = relay.receive(moment, from, datagram) {
            let padded = !matches!(output.to.transport, Transport::Stream(_)) || output.bytes.len().is_multiple_of(4);
            assert!(padded, "a stream has no ends but those of its messages");
            assert!(output.to == from || output.bytes.len() <= datagram.len() + 64, "more leaves than came");
        }
        assert!(relay.figures().allocations <= LIMITS.allocations, "more allocations than there may be");
        rest = more;
    }
    relay.figures().relayed_datagrams
}

fn signed(datagram: &[u8], from: Client, moment: Moment) -> Option<Vec<u8>> {
    let provider = default_provider().ok()?;
    let SocketAddr::V4(address) = from.address else { return None };
    let Credential { username, password } =
        mint_credential(SECRET, NOON + 300, [address.ip().octets()[3] & 3; 12]).ok()?;
    let nonce = nonce::make(provider.crypto(), SECRET, from.address, moment.unix_s).ok()?;
    let mut message = Written::new();
    message.unmarshal_binary(datagram).ok()?;
    message.raw.truncate(datagram.len().min(20 + message.length as usize));
    for (kind, text) in [(ATTR_USERNAME, &username), (ATTR_REALM, &REALM.to_owned()), (ATTR_NONCE, &nonce)] {
        message.add(kind, text.as_bytes());
    }
    let (username, realm) = (username.clone(), REALM.to_owned());
    let key = MessageIntegrity::new_long_term_integrity_with_provider(username, realm, password, provider.crypto());
    key.ok()?.add_to(&mut message).ok()?;
    Some(message.raw)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::*;

    #[test]
    fn the_corpus_reaches_data_that_is_passed_on() {
        let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus/relay");
        let passed = |name: &str| passed_on(&fs::read(corpus.join(name)).unwrap());
        assert_eq!((passed("allocate_permit_send"), passed("channel"), passed("binding")), (1, 1, 0));
    }
}
