//! The ID that people exchange: the public key in a readable form with a checksum.
//!
//! 32 bytes of Ed25519 public key (RFC 8032) and the first 3 bytes of SHA-256("visavis-id" || key), in lower-case
//! base32 (RFC 4648, no padding): 56 characters, so that a mistyped ID is refused instead of ringing nobody.

use std::fmt;
use std::str::FromStr;

use data_encoding::BASE32_NOPAD;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use sha2::{Digest, Sha256};

const CHECKSUM_LEN: usize = 3;

/// A person's public key. Whether the bytes are a usable curve point is found out where a signature is checked.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PeerId([u8; 32]);

/// A text that is no ID: mistyped, cut off, or something else.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this is not a Visavis ID; check that it was copied whole")]
pub struct ParsePeerIdError;

impl PeerId {
    /// Characters in a written ID.
    pub const TEXT_LEN: usize = 56;

    /// The ID of a public key.
    pub const fn from_bytes(key: [u8; 32]) -> Self {
        Self(key)
    }

    /// The public key.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The first 8 characters, for a card where the whole does not fit. Not enough to tell people apart by.
    pub fn short(&self) -> String {
        self.to_string().chars().take(8).collect()
    }
}

fn checksum(key: &[u8; 32]) -> [u8; CHECKSUM_LEN] {
    let digest = Sha256::new().chain_update(b"visavis-id").chain_update(key).finalize();
    let mut sum = [0; CHECKSUM_LEN];
    sum.copy_from_slice(&digest[..CHECKSUM_LEN]);
    sum
}

impl fmt::Display for PeerId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut bytes = [0; 32 + CHECKSUM_LEN];
        bytes[..32].copy_from_slice(&self.0);
        bytes[32..].copy_from_slice(&checksum(&self.0));
        formatter.write_str(&BASE32_NOPAD.encode(&bytes).to_ascii_lowercase())
    }
}

impl fmt::Debug for PeerId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "PeerId({})", self.short())
    }
}

impl FromStr for PeerId {
    type Err = ParsePeerIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.len() != Self::TEXT_LEN {
            return Err(ParsePeerIdError);
        }
        let bytes = BASE32_NOPAD.decode(text.to_ascii_uppercase().as_bytes()).map_err(|_| ParsePeerIdError)?;
        let (key, sum) = bytes.split_at_checked(32).ok_or(ParsePeerIdError)?;
        let key: [u8; 32] = key.try_into().map_err(|_| ParsePeerIdError)?;
        if sum == checksum(&key) { Ok(Self(key)) } else { Err(ParsePeerIdError) }
    }
}

impl Serialize for PeerId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for PeerId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_found_again_from_its_text() {
        let id = PeerId::from_bytes(std::array::from_fn(|index| index as u8));
        let text = id.to_string();
        assert_eq!(text.len(), PeerId::TEXT_LEN);
        assert_eq!(text.parse(), Ok(id));
        assert_eq!(text.to_ascii_uppercase().parse(), Ok(id));
    }

    #[test]
    fn every_mistyped_character_is_refused() {
        let text = PeerId::from_bytes([7; 32]).to_string();
        for index in 0..text.len() {
            let mut wrong = text.clone().into_bytes();
            wrong[index] = if wrong[index] == b'a' { b'b' } else { b'a' };
            assert!(String::from_utf8_lossy(&wrong).parse::<PeerId>().is_err(), "at {index}");
        }
        assert!(text[1..].parse::<PeerId>().is_err());
        assert!("".parse::<PeerId>().is_err());
    }
}
