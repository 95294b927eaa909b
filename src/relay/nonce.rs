//! Nonces that are not remembered: a nonce is the hour, and an HMAC of it with the client's address (RFC 8489, 9.2).

use std::net::{IpAddr, SocketAddr};

use data_encoding::BASE64URL_NOPAD;
use rtc::crypto::{CryptoError, HmacAlgorithm, RTCCrypto, constant_time_eq};

/// Hours after which a nonce is stale. Long, because the engine's client loses requests that meet a stale one.
const VALID_HOURS: u32 = 24;
/// Bytes of the HMAC that are kept: answers to anybody are short.
const TAG: usize = 12;

/// The nonce of a client at `unix_s`, in seconds since 1970.
pub(super) fn make(
    crypto: &dyn RTCCrypto,
    secret: &[u8],
    client: SocketAddr,
    unix_s: u64,
) -> Result<String, CryptoError> {
    of_hour(crypto, secret, client, hour(unix_s))
}

/// Whether `nonce` was made for this client, in the last 24 hours.
pub(super) fn is_valid(crypto: &dyn RTCCrypto, secret: &[u8], client: SocketAddr, unix_s: u64, nonce: &[u8]) -> bool {
    let made =
        BASE64URL_NOPAD.decode(nonce).ok().and_then(|bytes| bytes.first_chunk().map(|hour| u32::from_be_bytes(*hour)));
    let Some(age) = made.and_then(|made| hour(unix_s).checked_sub(made)) else { return false };
    age <= VALID_HOURS
        && of_hour(crypto, secret, client, hour(unix_s) - age).is_ok_and(|own| constant_time_eq(own.as_bytes(), nonce))
}

fn hour(unix_s: u64) -> u32 {
    u32::try_from(unix_s / 3600).unwrap_or(u32::MAX)
}

fn of_hour(crypto: &dyn RTCCrypto, secret: &[u8], client: SocketAddr, hour: u32) -> Result<String, CryptoError> {
    let ip = match client.ip() {
        IpAddr::V4(ip) => ip.to_ipv6_mapped(),
        IpAddr::V6(ip) => ip,
    };
    let (mut tag, hour) = ([0; 32], hour.to_be_bytes());
    let parts: [&[u8]; 4] = [b"nonce", &hour, &ip.octets(), &client.port().to_be_bytes()];
    crypto.new_hmac(HmacAlgorithm::Sha256, secret)?.sign(&parts, &mut tag)?;
    Ok(BASE64URL_NOPAD.encode(&[&hour[..], &tag[..TAG]].concat()))
}

#[cfg(test)]
mod tests {
    use rtc::crypto::default_provider;

    use super::*;

    const NOON: u64 = 1_800_000_000;

    #[test]
    fn a_nonce_is_that_of_its_client_for_a_day() {
        let provider = default_provider().unwrap();
        let client: SocketAddr = "192.0.2.1:5000".parse().unwrap();
        let nonce = make(provider.crypto(), b"secret", client, NOON).unwrap();
        let valid = |secret: &[u8], client: &str, unix_s, nonce: &str| {
            is_valid(provider.crypto(), secret, client.parse().unwrap(), unix_s, nonce.as_bytes())
        };
        assert!(valid(b"secret", "192.0.2.1:5000", NOON, &nonce));
        assert!(valid(b"secret", "192.0.2.1:5000", NOON + 24 * 3600, &nonce));
        assert!(!valid(b"secret", "192.0.2.1:5000", NOON + 26 * 3600, &nonce), "stale");
        assert!(!valid(b"secret", "192.0.2.1:5000", NOON - 3600, &nonce), "of the future");
        assert!(!valid(b"secret", "192.0.2.1:5001", NOON, &nonce), "somebody else's");
        assert!(!valid(b"another", "192.0.2.1:5000", NOON, &nonce));
        for text in ["", "AAAA", "!", &nonce[1..], &format!("{nonce}A")] {
            assert!(!valid(b"secret", "192.0.2.1:5000", NOON, text), "{text}");
        }
    }
}
