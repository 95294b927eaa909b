//! Envelopes and records, which carry signaling messages on every route: an envelope opens each direction of a
//! connection, signed by the sender and sealed to the receiver; records follow it, sealed with the same secret. Pure,
//! and knows no time: that neither is a recording is shown by the answered challenges that envelopes carry (see
//! `signaling::Frame`). Runs on the tasks of the routes.
//!
//! ```text
//! envelope = version (1) | encapsulated key (32) | seal(plaintext), with a tag (16)
//! plaintext = sender (32) | signature (64) | body
//! signature over "visavis-envelope-2" | receiver | sender | encapsulated key | body
//! record = seal(body), with a tag (16)
//! ```
//!
//! The seal is HPKE (RFC 9180) in base mode with DHKEM(X25519, HKDF-SHA256), HKDF-SHA256 and ChaCha20Poly1305, to the
//! receiver's Ed25519 key as an X25519 key; that both may share a key pair is shown in IACR 2021/509. Its `info` is
//! "visavis envelope 2", and its `aad` is always version | receiver. The envelope is sealed with sequence number 0 of
//! the HPKE context, the records of the same direction with 1, 2, 3 and so on: a record that is repeated, left out,
//! altered, or of another connection does not open, at the cost of one ChaCha20Poly1305.
//!
//! The sender stands inside, so that who looks on does not learn it; the receiver stands under the signature, so that
//! who receives an envelope cannot pass it on as if it were meant for another; the encapsulated key stands there too,
//! so that the records are the signer's.

use ed25519_dalek::{Signature, VerifyingKey};
use hpke::aead::{AeadCtxR, AeadCtxS, ChaCha20Poly1305};
use hpke::kdf::HkdfSha256;
use hpke::kem::X25519HkdfSha256;
use hpke::{Deserializable, Kem, OpModeR, OpModeS, Serializable, setup_receiver, setup_sender};
use zeroize::Zeroizing;

use super::{Identity, PeerId};

/// Bytes of an envelope or a record, at most.
pub const MAX_ENVELOPE: usize = 64 * 1024;
/// Bytes of a body, at most.
pub const MAX_BODY: usize = MAX_ENVELOPE - HEAD - INNER_HEAD - TAG;

const VERSION: u8 = 2;
const KEY: usize = 32;
const HEAD: usize = 1 + KEY;
const TAG: usize = 16;
const SIGNATURE: usize = 64;
const INNER_HEAD: usize = KEY + SIGNATURE;
const INFO: &[u8] = b"visavis envelope 2";
const SIGNED_PREFIX: &[u8] = b"visavis-envelope-2";

type PublicKey = <X25519HkdfSha256 as Kem>::PublicKey;
type PrivateKey = <X25519HkdfSha256 as Kem>::PrivateKey;
type EncappedKey = <X25519HkdfSha256 as Kem>::EncappedKey;
type SenderContext = AeadCtxS<ChaCha20Poly1305, HkdfSha256, X25519HkdfSha256>;
type ReceiverContext = AeadCtxR<ChaCha20Poly1305, HkdfSha256, X25519HkdfSha256>;

/// A body and who signed it for this side. It may be a recording.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opened {
    /// The sender.
    pub from: PeerId,
    /// Content.
    pub body: Vec<u8>,
}

/// Seals the records that follow an envelope, in order.
pub struct Sealer {
    context: SenderContext,
    data: [u8; 1 + KEY],
}

/// Opens the records that follow an envelope, in order.
pub struct Opener {
    context: ReceiverContext,
    data: [u8; 1 + KEY],
}

/// Why an envelope or a record cannot be made or is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EnvelopeError {
    /// Over 64 KiB.
    #[error("the message is too large")]
    TooLarge,
    /// Too short to be an envelope.
    #[error("the message is cut off")]
    Truncated,
    /// Another version of this format.
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
    /// Not the next record of this connection: repeated, out of order, altered, or of another connection.
    #[error("the message is not the next one of this connection")]
    NotNext,
    /// The system gave no random numbers.
    #[error("the system's random source failed")]
    Random,
}

/// The key of an ID, unless it is no curve point or one of small order.
pub(super) fn usable_key(id: &PeerId) -> Result<VerifyingKey, EnvelopeError> {
    match VerifyingKey::from_bytes(id.as_bytes()) {
        Ok(key) if !key.is_weak() => Ok(key),
        Ok(_) | Err(_) => Err(EnvelopeError::WeakKey),
    }
}

fn signed_bytes(receiver: &PeerId, sender: &[u8], key: &[u8], body: &[u8]) -> Vec<u8> {
    [SIGNED_PREFIX, receiver.as_bytes(), sender, key, body].concat()
}

fn associated_data(receiver: &PeerId) -> [u8; 1 + KEY] {
    let mut data = [VERSION; 1 + KEY];
    data[1..].copy_from_slice(receiver.as_bytes());
    data
}

/// Signs a body and seals it to `to`. The [`Sealer`] seals the following records to the same person.
pub fn seal(identity: &Identity, to: &PeerId, body: &[u8]) -> Result<(Vec<u8>, Sealer), EnvelopeError> {
    if body.len() > MAX_BODY {
        return Err(EnvelopeError::TooLarge);
    }
    let (key, mut sealer) = Sealer::to(to)?;
    let sender = identity.id();
    let signature = identity.sign(&signed_bytes(to, sender.as_bytes(), &key, body));
    let plaintext = Zeroizing::new([&sender.as_bytes()[..], &signature, body].concat());
    let sealed = sealer.seal_next(&plaintext)?;
    Ok(([&[VERSION][..], &key, &sealed].concat(), sealer))
}

/// Opens an envelope sealed to `identity`; it may be a recording. The [`Opener`] opens the following records.
pub fn open(identity: &Identity, envelope: &[u8]) -> Result<(Opened, Opener), EnvelopeError> {
    let (key, plaintext, opener) = unseal(identity, envelope)?;
    let (sender, rest) = plaintext.split_first_chunk::<KEY>().ok_or(EnvelopeError::Truncated)?;
    let (signature, body) = rest.split_first_chunk::<SIGNATURE>().ok_or(EnvelopeError::Truncated)?;

    let from = PeerId::from_bytes(*sender);
    usable_key(&from)?
        .verify_strict(&signed_bytes(&identity.id(), sender, &key, body), &Signature::from_bytes(signature))
        .map_err(|_| EnvelopeError::Signature)?;
    Ok((Opened { from, body: body.to_vec() }, opener))
}

type Unsealed = ([u8; KEY], Zeroizing<Vec<u8>>, Opener);

fn unseal(identity: &Identity, envelope: &[u8]) -> Result<Unsealed, EnvelopeError> {
    if envelope.len() > MAX_ENVELOPE {
        return Err(EnvelopeError::TooLarge);
    }
    let (&version, rest) = envelope.split_first().ok_or(EnvelopeError::Truncated)?;
    if version != VERSION {
        return Err(EnvelopeError::Version);
    }
    let (key, sealed) = rest.split_first_chunk::<KEY>().ok_or(EnvelopeError::Truncated)?;
    if sealed.len() < INNER_HEAD + TAG {
        return Err(EnvelopeError::Truncated);
    }
    let encapped = EncappedKey::from_bytes(key).map_err(|_| EnvelopeError::NotForMe)?;
    let secret = PrivateKey::from_bytes(&identity.x25519_secret()[..]).map_err(|_| EnvelopeError::NotForMe)?;
    // An encapsulated key of small order makes an all-zero secret, which the HPKE layer refuses (RFC 9180, 7.1.4).
    let context = setup_receiver(&OpModeR::Base, &secret, &encapped, INFO).map_err(|_| EnvelopeError::NotForMe)?;
    let mut opener = Opener { context, data: associated_data(&identity.id()) };
    let plaintext = opener.open_next(sealed).map_err(|_| EnvelopeError::NotForMe)?;
    Ok((*key, Zeroizing::new(plaintext), opener))
}

impl Sealer {
    /// A context for `to`, and its encapsulated key.
    fn to(to: &PeerId) -> Result<(Vec<u8>, Self), EnvelopeError> {
        let receiver = usable_key(to)?.to_montgomery();
        let receiver = PublicKey::from_bytes(receiver.as_bytes()).map_err(|_| EnvelopeError::WeakKey)?;
        let (key, context) =
            setup_sender::<ChaCha20Poly1305, HkdfSha256, X25519HkdfSha256>(&OpModeS::Base, &receiver, INFO)
                .map_err(|_| EnvelopeError::WeakKey)?;
        Ok((key.to_bytes().to_vec(), Self { context, data: associated_data(to) }))
    }

    /// The next record.
    pub fn seal(&mut self, body: &[u8]) -> Result<Vec<u8>, EnvelopeError> {
        if body.len() > MAX_BODY {
            return Err(EnvelopeError::TooLarge);
        }
        self.seal_next(body)
    }

    /// Fails after 2^64 records.
    fn seal_next(&mut self, plaintext: &[u8]) -> Result<Vec<u8>, EnvelopeError> {
        self.context.seal(plaintext, &self.data).map_err(|_| EnvelopeError::TooLarge)
    }
}

impl Opener {
    /// The body of the next record. After a refusal nothing that follows on the connection is of use.
    pub fn open(&mut self, record: &[u8]) -> Result<Vec<u8>, EnvelopeError> {
        self.open_next(record).map_err(|_| EnvelopeError::NotNext)
    }

    fn open_next(&mut self, sealed: &[u8]) -> Result<Vec<u8>, hpke::HpkeError> {
        self.context.open(sealed, &self.data)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn person(seed: u8) -> Identity {
        Identity::from_seed([seed; 32])
    }

    fn envelope(from: &Identity, to: &PeerId, body: &[u8]) -> Vec<u8> {
        seal(from, to, body).unwrap().0
    }

    fn refusal(of: &Identity, envelope: &[u8]) -> EnvelopeError {
        open(of, envelope).err().unwrap()
    }

    #[test]
    fn the_receiver_opens_it_and_nobody_else_does() {
        let (alice, bob, eve) = (person(1), person(2), person(3));
        let (envelope, mut sealer) = seal(&alice, &bob.id(), b"hello").unwrap();
        assert!(!envelope.windows(KEY).any(|bytes| bytes == alice.id().as_bytes()), "the sender shows");
        assert_eq!(refusal(&eve, &envelope), EnvelopeError::NotForMe);
        let (opened, mut opener) = open(&bob, &envelope).unwrap();
        assert_eq!((opened.from, &opened.body[..]), (alice.id(), &b"hello"[..]));
        for body in [&b"first"[..], b"", b"third"] {
            assert_eq!(opener.open(&sealer.seal(body).unwrap()).unwrap(), body);
        }
    }

    /// Made by another implementation of the format.
    #[test]
    fn an_envelope_that_was_made_by_others_opens() {
        let envelope = include_bytes!("../../fuzz/corpus/envelope/hello");
        let (opened, _) = open(&person(7), envelope).unwrap();
        assert_eq!(opened.from, person(1).id());
        assert!(opened.body.starts_with(br#"{"hello":{"instance":"8f14e45fceea"#));
    }

    #[test]
    fn a_record_opens_once_in_its_place_on_its_own_connection() {
        let (alice, bob) = (person(1), person(2));
        let (envelope, mut sealer) = seal(&alice, &bob.id(), b"hello").unwrap();
        let records: Vec<_> = (0..3).map(|number| sealer.seal(&[number]).unwrap()).collect();
        let receiver = || open(&bob, &envelope).unwrap().1;

        let mut repeated = receiver();
        assert_eq!(repeated.open(&records[0]), Ok(vec![0]));
        assert_eq!(repeated.open(&records[0]), Err(EnvelopeError::NotNext));
        assert_eq!(receiver().open(&records[1]), Err(EnvelopeError::NotNext), "one was left out");
        let mut altered = records[0].clone();
        altered[0] ^= 1;
        assert_eq!(receiver().open(&altered), Err(EnvelopeError::NotNext));
        assert_eq!(receiver().open(&records[0][1..]), Err(EnvelopeError::NotNext));
        assert_eq!(receiver().open(&[]), Err(EnvelopeError::NotNext));
        // The same two people, another connection: after a restart, say.
        let (another, mut its_sealer) = seal(&alice, &bob.id(), b"hello").unwrap();
        let (_, mut its_opener) = open(&bob, &another).unwrap();
        assert_eq!(its_opener.open(&records[0]), Err(EnvelopeError::NotNext));
        assert_eq!(receiver().open(&its_sealer.seal(&[0]).unwrap()), Err(EnvelopeError::NotNext));
        // The other direction.
        let (back, _) = seal(&bob, &alice.id(), b"hello").unwrap();
        assert_eq!(open(&alice, &back).unwrap().1.open(&records[0]), Err(EnvelopeError::NotNext));
    }

    /// Seals a plaintext that is signed by whom a test chooses, as a hostile sender may.
    fn seal_raw(to: &Identity, plaintext: impl Fn(&[u8]) -> Vec<u8>) -> Vec<u8> {
        let (key, mut sealer) = Sealer::to(&to.id()).unwrap();
        let sealed = sealer.seal_next(&plaintext(&key)).unwrap();
        [&[VERSION][..], &key, &sealed].concat()
    }

    fn plaintext(sender: &PeerId, signature: &[u8; 64]) -> Vec<u8> {
        [&sender.as_bytes()[..], signature, b"body"].concat()
    }

    #[test]
    fn another_senders_name_is_refused() {
        let (alice, bob, eve) = (person(1), person(2), person(3));
        let signed_by =
            |signer: &Identity, key: &[u8]| signer.sign(&signed_bytes(&bob.id(), alice.id().as_bytes(), key, b"body"));
        let forged = seal_raw(&bob, |key| plaintext(&alice.id(), &signed_by(&eve, key)));
        assert_eq!(refusal(&bob, &forged), EnvelopeError::Signature);
        let honest = seal_raw(&bob, |key| plaintext(&alice.id(), &signed_by(&alice, key)));
        assert!(open(&bob, &honest).is_ok());
    }

    #[test]
    fn a_receiver_cannot_pass_an_envelope_on_nor_put_another_secret_under_it() {
        let (alice, bob, eve) = (person(1), person(2), person(3));
        let to_eve = envelope(&alice, &eve.id(), b"body");
        let (_, inner, _) = unseal(&eve, &to_eve).unwrap();
        assert_eq!(refusal(&bob, &seal_raw(&bob, |_| inner.to_vec())), EnvelopeError::Signature);
        let to_bob = envelope(&alice, &bob.id(), b"body");
        let (_, inner, _) = unseal(&bob, &to_bob).unwrap();
        assert_eq!(refusal(&bob, &seal_raw(&bob, |_| inner.to_vec())), EnvelopeError::Signature);
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
            assert_eq!(seal(&bob, &id, b"").err(), Some(EnvelopeError::WeakKey), "{key:?}");
            // With A of small order, R = identity and S = 0 satisfy a lax check for every message.
            let mut signature = [0; 64];
            signature[0] = 1;
            assert_eq!(refusal(&bob, &seal_raw(&bob, |_| plaintext(&id, &signature))), EnvelopeError::WeakKey);
        }
        let mut envelope = envelope(&person(1), &bob.id(), b"");
        envelope[1..33].fill(0);
        assert_eq!(refusal(&bob, &envelope), EnvelopeError::NotForMe);
    }

    #[test]
    fn sizes_and_versions_are_checked() {
        let (alice, bob) = (person(1), person(2));
        let (largest, mut sealer) = seal(&alice, &bob.id(), &vec![0; MAX_BODY]).unwrap();
        assert_eq!(largest.len(), MAX_ENVELOPE);
        assert!(open(&bob, &largest).is_ok());
        assert_eq!(seal(&alice, &bob.id(), &vec![0; MAX_BODY + 1]).err(), Some(EnvelopeError::TooLarge));
        assert_eq!(sealer.seal(&vec![0; MAX_BODY + 1]), Err(EnvelopeError::TooLarge));
        assert!(sealer.seal(&vec![0; MAX_BODY]).is_ok_and(|record| record.len() <= MAX_ENVELOPE));
        assert_eq!(refusal(&bob, &vec![VERSION; MAX_ENVELOPE + 1]), EnvelopeError::TooLarge);
        for version in [0, 1, 3, 255] {
            let mut other = envelope(&alice, &bob.id(), b"");
            other[0] = version;
            assert_eq!(refusal(&bob, &other), EnvelopeError::Version);
        }
    }

    #[test]
    fn every_altered_and_every_cut_envelope_is_refused() {
        let (alice, bob) = (person(1), person(2));
        let envelope = envelope(&alice, &bob.id(), b"hello");
        for index in 0..envelope.len() {
            let mut altered = envelope.clone();
            altered[index] ^= 0x10;
            assert!(open(&bob, &altered).is_err(), "altered at {index}");
            assert!(open(&bob, &envelope[..index]).is_err(), "cut at {index}");
        }
        assert!(open(&bob, &envelope).is_ok());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn any_body_comes_back(sender in 0_u8..9, receiver in 10_u8..19, body in prop::collection::vec(any::<u8>(), 0..2000)) {
            let (sender, receiver) = (person(sender), person(receiver));
            let (envelope, mut sealer) = seal(&sender, &receiver.id(), &body).unwrap();
            let (opened, mut opener) = open(&receiver, &envelope).unwrap();
            prop_assert_eq!((opened.from, &opened.body), (sender.id(), &body));
            prop_assert_eq!(opener.open(&sealer.seal(&body).unwrap()), Ok(body));
        }

        #[test]
        fn any_bytes_are_refused_without_failing(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
            prop_assert!(open(&person(2), &bytes).is_err());
            let versioned = [&[VERSION][..], &bytes].concat();
            prop_assert!(open(&person(2), &versioned).is_err());
            let (_, mut opener) = open(&person(2), &envelope(&person(1), &person(2).id(), b"")).unwrap();
            prop_assert!(opener.open(&bytes).is_err());
        }
    }
}
