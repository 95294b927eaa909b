//! Boxes: addresses of people at a server, and of their devices.

use std::fmt;

use data_encoding::HEXLOWER;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use sha2::{Digest, Sha256};

use crate::identity::PeerId;

/// Address of a person at a server: SHA-256("visavis box 1" || ID). An ID tells its box; a box tells
/// no ID.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BoxId([u8; 32]);

/// Number of one connection of a box, which the server chooses at random; never 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Device(pub u32);

impl Device {
    /// In the address of a letter: every device of the box.
    pub const ALL: Self = Self(0);
}

impl BoxId {
    /// Bytes of a box.
    pub const LEN: usize = 32;

    /// The box of a person.
    pub fn of(id: &PeerId) -> Self {
        Self(Sha256::new().chain_update(b"visavis box 1").chain_update(id.as_bytes()).finalize().into())
    }

    /// A box by its bytes.
    pub const fn from_bytes(bytes: [u8; Self::LEN]) -> Self {
        Self(bytes)
    }

    /// Its bytes.
    pub const fn as_bytes(&self) -> &[u8; Self::LEN] {
        &self.0
    }
}

impl fmt::Debug for BoxId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "BoxId({})", HEXLOWER.encode(self.0.get(..4).unwrap_or_default()))
    }
}

impl Serialize for BoxId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&HEXLOWER.encode(&self.0))
    }
}

impl<'de> Deserialize<'de> for BoxId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        hex_bytes(deserializer).map(Self)
    }
}

/// `N` bytes that are written as hexadecimal digits.
pub(super) fn hex_bytes<'de, D: Deserializer<'de>, const N: usize>(deserializer: D) -> Result<[u8; N], D::Error> {
    let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
    let bytes = HEXLOWER.decode(text.as_bytes()).ok().and_then(|bytes| bytes.try_into().ok());
    bytes.ok_or_else(|| de::Error::custom(format!("not {N} bytes as hexadecimal digits")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_box_is_the_hash_of_its_label_and_the_id() {
        let id = PeerId::from_bytes([9; 32]);
        let expected = Sha256::digest([b"visavis box 1".as_slice(), &[9; 32]].concat());
        assert_eq!(BoxId::of(&id).as_bytes()[..], expected[..]);
        assert_ne!(BoxId::of(&id), BoxId::of(&PeerId::from_bytes([8; 32])));
    }

    #[test]
    fn a_box_is_written_as_digits_and_anything_else_is_refused() {
        let own = BoxId::of(&PeerId::from_bytes([9; 32]));
        let written = serde_json::to_string(&own).unwrap();
        assert_eq!(written.len(), 2 + 64);
        assert_eq!(serde_json::from_str::<BoxId>(&written).unwrap(), own);
        for wrong in
            ["\"\"", "7", &written.replace('"', ""), &written.to_uppercase(), &written.replacen('"', "\"00", 1)]
        {
            assert!(serde_json::from_str::<BoxId>(wrong).is_err(), "{wrong}");
        }
    }
}
