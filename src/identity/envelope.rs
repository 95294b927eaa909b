//! What carries a signaling message, whatever the route: signed by the sender, sealed to the receiver. Pure; time is an
//! argument. Runs on the tasks of the routes.
//!
//! ```text
//! envelope = version (1) | encapsulated key (32) | seal(plaintext), with a tag (16)
//! plaintext = sender (32) | time (8) | nonce (16) | signature (64) | body
//! signature over "visavis-envelope-1" | receiver | sender | time | nonce | body
//! ```
//!
//! The seal is HPKE (RFC 9180) in base mode with DHKEM(X25519, HKDF-SHA256), HKDF-SHA256 and ChaCha20Poly1305, to the
//! receiver's Ed25519 key as an X25519 key; that both may share a key pair is shown in IACR 2021/509. The sender stands
//! inside, so that who looks on does not learn it; the receiver stands under the signature, so that who receives an
//! envelope cannot pass it on as if it were meant for another. Numbers are big-endian.

use ed25519_dalek::{Signature, VerifyingKey};
use hpke::aead::ChaCha20Poly1305;
use hpke::kdf::HkdfSha256;
use hpke::kem::X25519HkdfSha256;
use hpke::{Deserializable, Kem, OpModeR, OpModeS, Serializable};
use zeroize::Zeroizing;

use super::{Identity, PeerId};

/// Bytes of an envelope, at most.
pub const MAX_ENVELOPE: usize = 64 * 1024;
/// Bytes of a body, at most.
pub const MAX_BODY: usize = MAX_ENVELOPE - HEAD - INNER_HEAD - TAG;

const VERSION: u8 = 1;
const KEY: usize = 32;
const HEAD: usize = 1 + KEY;
const TAG: usize = 16;
const SIGNATURE: usize = 64;
const INNER_HEAD: usize = KEY + 8 + 16 + SIGNATURE;
const MAX_AGE_MS: u64 = 60_000;
const INFO: &[u8] = b"visavis envelope 1";
const SIGNED_PREFIX: &[u8] = b"visavis-envelope-1";

type PublicKey = <X25519HkdfSha256 as Kem>::PublicKey;
type PrivateKey = <X25519HkdfSha256 as Kem>::PrivateKey;
type EncappedKey = <X25519HkdfSha256 as Kem>::EncappedKey;

/// A body and who is proven to have sent it to this side, lately. Whether for the first time, a
/// [`ReplayCache`](super::ReplayCache) tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opened {
    /// The sender.
    pub from: PeerId,
    /// What they sent.
    pub body: Vec<u8>,
    /// Time and nonce under the signature: no two envelopes of a sender share them.
    pub(super) stamp: (u64, u128),
}

/// Why an envelope cannot be made or is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EnvelopeError {
    /// Over 64 KiB.
    #[error("the message is too large")]
    TooLarge,
    /// Too short to be an envelope.
    #[error("the message is cut off")]
    Truncated,
    /// Of another version of this format.
    #[error("the message has an unknown version")]
    Version,
    /// The receiver's or the sender's ID is no usable key: no curve point, or one of small order.
    #[error("the ID is not a usable key")]
    WeakKey,
    /// Sealed to somebody else, or altered.
    #[error("the message is not for this receiver, or it was altered")]
    NotForMe,
    /// Not signed by whom it names as its sender.
    #[error("the message is not signed by its sender")]
    Signature,
    /// More than 60 s older or newer than this side's clock.
    #[error("the message is too old, or one of the two clocks is wrong")]
    Time,
    /// Received before.
    #[error("the message was received before")]
    Replayed,
    /// Too many strangers write: whether it was received before can no longer be told.
    #[error("too many strangers send messages")]
    TooManySenders,
    /// The system gave no random numbers.
    #[error("the system's random source failed")]
    Random,
}

fn usable_key(id: &PeerId) -> Result<VerifyingKey, EnvelopeError> {
    match VerifyingKey::from_bytes(id.as_bytes()) {
        Ok(key) if !key.is_weak() => Ok(key),
        Ok(_) | Err(_) => Err(EnvelopeError::WeakKey),
    }
}

fn signed_bytes(receiver: &PeerId, sender: &[u8], time: &[u8], nonce: &[u8], body: &[u8]) -> Vec<u8> {
    [SIGNED_PREFIX, receiver.as_bytes(), sender, time, nonce, body].concat()
}

fn associated_data(receiver: &PeerId) -> [u8; 1 + KEY] {
    let mut data = [VERSION; 1 + KEY];
    data[1..].copy_from_slice(receiver.as_bytes());
    data
}

/// Signs a body, seals it to `to`, and stamps it with the Unix time `now_ms` and a fresh nonce.
pub fn seal(identity: &Identity, to: &PeerId, body: &[u8], now_ms: u64) -> Result<Vec<u8>, EnvelopeError> {
    if body.len() > MAX_BODY {
        return Err(EnvelopeError::TooLarge);
    }
    let mut nonce = [0; 16];
    getrandom::fill(&mut nonce).map_err(|_| EnvelopeError::Random)?;
    let receiver = usable_key(to)?;
    let receiver = PublicKey::from_bytes(receiver.to_montgomery().as_bytes()).map_err(|_| EnvelopeError::WeakKey)?;
    let sender = identity.id();
    let time = now_ms.to_be_bytes();
    let signature = identity.sign(&signed_bytes(to, sender.as_bytes(), &time, &nonce, body));
    let plaintext = Zeroizing::new([&sender.as_bytes()[..], &time, &nonce, &signature, body].concat());
    let (key, sealed) = hpke::single_shot_seal::<ChaCha20Poly1305, HkdfSha256, X25519HkdfSha256>(
        &OpModeS::Base,
        &receiver,
        INFO,
        &plaintext,
        &associated_data(to),
    )
    .map_err(|_| EnvelopeError::WeakKey)?;
    Ok([&[VERSION][..], &key.to_bytes(), &sealed].concat())
}

/// Opens an envelope sealed to `identity`, at the Unix time `now_ms`. It may be a repeated one.
pub fn open(identity: &Identity, envelope: &[u8], now_ms: u64) -> Result<Opened, EnvelopeError> {
    if envelope.len() > MAX_ENVELOPE {
        return Err(EnvelopeError::TooLarge);
    }
    let plaintext = unseal(identity, envelope)?;
    let (sender, rest) = plaintext.split_first_chunk::<KEY>().ok_or(EnvelopeError::Truncated)?;
    let (time, rest) = rest.split_first_chunk::<8>().ok_or(EnvelopeError::Truncated)?;
    let (nonce, rest) = rest.split_first_chunk::<16>().ok_or(EnvelopeError::Truncated)?;
    let (signature, body) = rest.split_first_chunk::<SIGNATURE>().ok_or(EnvelopeError::Truncated)?;

    let from = PeerId::from_bytes(*sender);
    usable_key(&from)?
        .verify_strict(&signed_bytes(&identity.id(), sender, time, nonce, body), &Signature::from_bytes(signature))
        .map_err(|_| EnvelopeError::Signature)?;
    let time_ms = u64::from_be_bytes(*time);
    if now_ms.abs_diff(time_ms) > MAX_AGE_MS {
        return Err(EnvelopeError::Time);
    }
    Ok(Opened { from, body: body.to_vec(), stamp: (time_ms, u128::from_be_bytes(*nonce)) })
}

fn unseal(identity: &Identity, envelope: &[u8]) -> Result<Zeroizing<Vec<u8>>, EnvelopeError> {
    let (&version, rest) = envelope.split_first().ok_or(EnvelopeError::Truncated)?;
    if version != VERSION {
        return Err(EnvelopeError::Version);
    }
    let (key, sealed) = rest.split_at_checked(KEY).ok_or(EnvelopeError::Truncated)?;
    if sealed.len() < INNER_HEAD + TAG {
        return Err(EnvelopeError::Truncated);
    }
    let key = EncappedKey::from_bytes(key).map_err(|_| EnvelopeError::NotForMe)?;
    let secret = PrivateKey::from_bytes(&identity.x25519_secret()[..]).map_err(|_| EnvelopeError::NotForMe)?;
    // An encapsulated key of small order makes an all-zero secret, which the HPKE layer refuses (RFC 9180, 7.1.4).
    hpke::single_shot_open::<ChaCha20Poly1305, HkdfSha256, X25519HkdfSha256>(
        &OpModeR::Base,
        &secret,
        &key,
        INFO,
        sealed,
        &associated_data(&identity.id()),
    )
    .map(Zeroizing::new)
    .map_err(|_| EnvelopeError::NotForMe)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NOW: u64 = 1_800_000_000_000;

    fn person(seed: u8) -> Identity {
        Identity::from_seed([seed; 32])
    }

    #[test]
    fn the_receiver_opens_it_and_nobody_else_does() {
        let (alice, bob, eve) = (person(1), person(2), person(3));
        let envelope = seal(&alice, &bob.id(), b"hello", NOW).unwrap();
        assert!(!envelope.windows(KEY).any(|bytes| bytes == alice.id().as_bytes()), "the sender shows");
        assert_eq!(open(&eve, &envelope, NOW), Err(EnvelopeError::NotForMe));
        let opened = open(&bob, &envelope, NOW).unwrap();
        assert_eq!((opened.from, &opened.body[..], opened.stamp.0), (alice.id(), &b"hello"[..], NOW));
    }

    #[test]
    fn age_is_bounded_at_sixty_seconds_either_way() {
        let (alice, bob) = (person(1), person(2));
        let envelope = seal(&alice, &bob.id(), b"hello", NOW).unwrap();
        for refused in [NOW + 60_001, NOW + 61_000, NOW - 60_001, NOW - 61_000, 0, u64::MAX] {
            assert_eq!(open(&bob, &envelope, refused), Err(EnvelopeError::Time));
        }
        assert!(open(&bob, &envelope, NOW + 60_000).is_ok());
        assert!(open(&bob, &envelope, NOW - 60_000).is_ok());
    }

    /// Seals a plaintext of the test's choosing, as a hostile sender may.
    fn seal_raw(to: &Identity, plaintext: &[u8]) -> Vec<u8> {
        let receiver = usable_key(&to.id()).unwrap().to_montgomery();
        let receiver = PublicKey::from_bytes(receiver.as_bytes()).unwrap();
        let (key, sealed) = hpke::single_shot_seal::<ChaCha20Poly1305, HkdfSha256, X25519HkdfSha256>(
            &OpModeS::Base,
            &receiver,
            INFO,
            plaintext,
            &associated_data(&to.id()),
        )
        .unwrap();
        [&[VERSION][..], &key.to_bytes(), &sealed].concat()
    }

    fn plaintext(sender: &[u8; 32], signature: &[u8; 64]) -> Vec<u8> {
        [&sender[..], &NOW.to_be_bytes(), &[7; 16], signature, b"body"].concat()
    }

    #[test]
    fn another_senders_name_is_refused() {
        let (alice, bob, eve) = (person(1), person(2), person(3));
        let signed = signed_bytes(&bob.id(), alice.id().as_bytes(), &NOW.to_be_bytes(), &[7; 16], b"body");
        let forged = seal_raw(&bob, &plaintext(alice.id().as_bytes(), &eve.sign(&signed)));
        assert_eq!(open(&bob, &forged, NOW), Err(EnvelopeError::Signature));
        let honest = seal_raw(&bob, &plaintext(alice.id().as_bytes(), &alice.sign(&signed)));
        assert!(open(&bob, &honest, NOW).is_ok());
    }

    #[test]
    fn a_receiver_cannot_pass_an_envelope_on() {
        let (alice, bob, eve) = (person(1), person(2), person(3));
        let to_eve = seal(&alice, &eve.id(), b"body", NOW).unwrap();
        let inner = unseal(&eve, &to_eve).unwrap();
        assert_eq!(open(&bob, &seal_raw(&bob, &inner), NOW), Err(EnvelopeError::Signature));
    }

    #[test]
    fn weak_and_invalid_keys_are_refused() {
        let bob = person(2);
        let mut identity_point = [0; 32];
        identity_point[0] = 1;
        // The points of order 1, 4 and 2, and bytes that are no point.
        let weak = [
            identity_point,
            [0; 32],
            std::array::from_fn(|index| match index {
                0 => 0xec,
                31 => 0x7f,
                _ => 0xff,
            }),
        ];
        for key in weak.into_iter().chain([[2; 32]]) {
            let id = PeerId::from_bytes(key);
            assert_eq!(seal(&bob, &id, b"", NOW), Err(EnvelopeError::WeakKey), "{key:?}");
            // With A of small order, R = identity and S = 0 satisfy a lax check for every message.
            let mut signature = [0; 64];
            signature[0] = 1;
            assert_eq!(open(&bob, &seal_raw(&bob, &plaintext(&key, &signature)), NOW), Err(EnvelopeError::WeakKey));
        }
        let mut envelope = seal(&person(1), &bob.id(), b"", NOW).unwrap();
        envelope[1..33].fill(0);
        assert_eq!(open(&bob, &envelope, NOW), Err(EnvelopeError::NotForMe));
    }

    #[test]
    fn sizes_and_versions_are_checked() {
        let (alice, bob) = (person(1), person(2));
        let largest = seal(&alice, &bob.id(), &vec![0; MAX_BODY], NOW).unwrap();
        assert_eq!(largest.len(), MAX_ENVELOPE);
        assert!(open(&bob, &largest, NOW).is_ok());
        assert_eq!(seal(&alice, &bob.id(), &vec![0; MAX_BODY + 1], NOW), Err(EnvelopeError::TooLarge));
        assert_eq!(open(&bob, &vec![1; MAX_ENVELOPE + 1], NOW), Err(EnvelopeError::TooLarge));
        let mut other = seal(&alice, &bob.id(), b"", NOW).unwrap();
        other[0] = 2;
        assert_eq!(open(&bob, &other, NOW), Err(EnvelopeError::Version));
    }

    #[test]
    fn every_altered_and_every_cut_envelope_is_refused() {
        let (alice, bob) = (person(1), person(2));
        let envelope = seal(&alice, &bob.id(), b"hello", NOW).unwrap();
        for index in 0..envelope.len() {
            let mut altered = envelope.clone();
            altered[index] ^= 0x10;
            assert!(open(&bob, &altered, NOW).is_err(), "altered at {index}");
            assert!(open(&bob, &envelope[..index], NOW).is_err(), "cut at {index}");
        }
        assert!(open(&bob, &envelope, NOW).is_ok());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn any_body_comes_back(sender in 0_u8..9, receiver in 10_u8..19, body in prop::collection::vec(any::<u8>(), 0..2000)) {
            let (sender, receiver) = (person(sender), person(receiver));
            let envelope = seal(&sender, &receiver.id(), &body, NOW).unwrap();
            let opened = open(&receiver, &envelope, NOW).unwrap();
            prop_assert_eq!((opened.from, opened.body), (sender.id(), body));
        }

        #[test]
        fn any_bytes_are_refused_without_failing(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
            prop_assert!(open(&person(2), &bytes, NOW).is_err());
            let versioned = [&[VERSION][..], &bytes].concat();
            prop_assert!(open(&person(2), &versioned, NOW).is_err());
        }
    }
}
