//! Header, attributes and signature of a STUN message.

use rtc::crypto::Mac;

/// Bytes of the header (RFC 8489, 5).
pub const STUN_HEADER: usize = 20;
/// Bytes of a transaction's identifier.
pub const TRANSACTION_ID: usize = 12;
/// Bytes 4 to 7 of each message.
pub const MAGIC_COOKIE: [u8; 4] = [0x21, 0x12, 0xa4, 0x42];
/// Bytes of a MESSAGE-INTEGRITY, an HMAC-SHA1 (RFC 8489, 14.5).
pub const INTEGRITY: usize = 20;
/// Bytes of an attribute's type and length.
const ATTRIBUTE_HEADER: usize = 4;

/// Type of a Binding request; those of other requests have another method (RFC 8489, 5).
pub const BINDING_REQUEST: u16 = 0x0001;
/// Type of a Binding indication, a keepalive.
pub const BINDING_INDICATION: u16 = 0x0011;
/// Type of a Binding success response.
pub const BINDING_SUCCESS: u16 = 0x0101;
/// Type of an Allocate request (RFC 8656, 17).
pub const ALLOCATE_REQUEST: u16 = 0x0003;
/// Type of a Refresh request.
pub const REFRESH_REQUEST: u16 = 0x0004;
/// Type of a CreatePermission request.
pub const CREATE_PERMISSION_REQUEST: u16 = 0x0008;
/// Type of a ChannelBind request.
pub const CHANNEL_BIND_REQUEST: u16 = 0x0009;
/// Type of a Send indication, from the client to the relay.
pub const SEND_INDICATION: u16 = 0x0016;
/// Type of a Data indication, from the relay to the client.
pub const DATA_INDICATION: u16 = 0x0017;

/// Attribute: the user name of a credential.
pub const USERNAME: u16 = 0x0006;
/// Attribute: an HMAC-SHA1 of all that stands before it.
pub const MESSAGE_INTEGRITY: u16 = 0x0008;
/// Attribute: the code of an error response, and its reason in words (RFC 8489, 14.8).
pub const ERROR_CODE: u16 = 0x0009;
/// Attribute: number of a channel (RFC 8656, 18.1).
pub const CHANNEL_NUMBER: u16 = 0x000c;
/// Attribute: lifetime of an allocation in seconds (RFC 8656, 18.2).
pub const LIFETIME: u16 = 0x000d;
/// Attribute: address of a peer (RFC 8656, 18.3).
pub const XOR_PEER_ADDRESS: u16 = 0x0012;
/// Attribute: the datagram that a Send or Data indication carries (RFC 8656, 18.4).
pub const DATA: u16 = 0x0013;
/// Attribute: realm of a long-term credential.
pub const REALM: u16 = 0x0014;
/// Attribute: nonce of a long-term credential.
pub const NONCE: u16 = 0x0015;
/// Attribute: the relayed address of an allocation (RFC 8656, 18.5).
pub const XOR_RELAYED_ADDRESS: u16 = 0x0016;
/// Attribute: address family of the relayed address that is asked for (RFC 8656, 18.6).
pub const REQUESTED_ADDRESS_FAMILY: u16 = 0x0017;
/// Attribute: an even relayed port is asked for (RFC 8656, 18.7).
pub const EVEN_PORT: u16 = 0x0018;
/// Attribute: transport between the relay and peers (RFC 8656, 18.8).
pub const REQUESTED_TRANSPORT: u16 = 0x0019;
/// Attribute: the client's address as the server sees it (RFC 8489, 14.2).
pub const XOR_MAPPED_ADDRESS: u16 = 0x0020;
/// Attribute: a port that was kept for this allocation (RFC 8656, 18.10).
pub const RESERVATION_TOKEN: u16 = 0x0022;
/// Attribute: a checksum, the last of all.
pub const FINGERPRINT: u16 = 0x8028;

/// Type of the success response to a request of type `request`.
pub const fn success_of(request: u16) -> u16 {
    request | 0x0100
}

/// Type of the error response to a request of type `request`.
pub const fn error_of(request: u16) -> u16 {
    request | 0x0110
}

/// True where the magic cookie stands at its place: the engine takes such a datagram for STUN whatever else it is.
pub fn looks_like_stun(datagram: &[u8]) -> bool {
    datagram.get(4..8) == Some(&MAGIC_COOKIE[..])
}

/// A whole STUN message in a datagram.
#[derive(Clone, Copy, Debug)]
pub struct Message<'a> {
    head: &'a [u8; STUN_HEADER],
    attributes: &'a [u8],
}

impl<'a> Message<'a> {
    /// The message; `None` for other data, and for one whose lengths do not fit the datagram.
    pub fn read(datagram: &'a [u8]) -> Option<Self> {
        let (head, attributes) = datagram.split_first_chunk::<STUN_HEADER>()?;
        let length = usize::from(u16::from_be_bytes([head[2], head[3]]));
        if head[0] & 0xc0 != 0 || head[4..8] != MAGIC_COOKIE || length != attributes.len() {
            return None;
        }
        let message = Self { head, attributes };
        let mut rest = attributes;
        while !rest.is_empty() {
            rest = attribute(rest)?.2;
        }
        Some(message)
    }

    /// The type: class and method.
    pub fn kind(&self) -> u16 {
        u16::from_be_bytes([self.head[0], self.head[1]])
    }

    /// The transaction's identifier.
    pub fn transaction(&self) -> [u8; TRANSACTION_ID] {
        self.head.last_chunk().copied().unwrap_or_default()
    }

    /// Types and values of the attributes, in their order.
    pub fn attributes(&self) -> impl Iterator<Item = (u16, &'a [u8])> + use<'a> {
        let mut rest = self.attributes;
        std::iter::from_fn(move || {
            let (kind, value, behind) = attribute(rest)?;
            rest = behind;
            Some((kind, value))
        })
    }

    /// The value of the first attribute of this type.
    pub fn value(&self, wanted: u16) -> Option<&'a [u8]> {
        self.attributes().find(|(kind, _)| *kind == wanted).map(|(_, value)| value)
    }

    /// True where the message is signed by the key of `mac`, up to its end but the checksum: nobody has signed what
    /// stands behind a signature.
    pub fn is_signed_by(&self, mac: &mut dyn Mac) -> bool {
        self.signature()
            .is_some_and(|(head, attributes, integrity)| mac.verify(&[&head, attributes], integrity).is_ok())
    }

    /// The header with the length that it has up to the signature, the attributes before that, and the signature.
    fn signature(&self) -> Option<([u8; STUN_HEADER], &'a [u8], &'a [u8])> {
        let mut rest = self.attributes;
        loop {
            let signed = self.attributes.len() - rest.len();
            let (kind, value, behind) = attribute(rest)?;
            if kind == MESSAGE_INTEGRITY {
                if value.len() != INTEGRITY || !is_checksum_or_nothing(behind) {
                    return None;
                }
                let mut head = *self.head;
                let length = u16::try_from(signed + ATTRIBUTE_HEADER + INTEGRITY).ok()?;
                head[2..4].copy_from_slice(&length.to_be_bytes());
                return Some((head, self.attributes.get(..signed)?, value));
            }
            rest = behind;
        }
    }
}

/// The first attribute's type and value, and the bytes behind it (RFC 8489, 14).
fn attribute(attributes: &[u8]) -> Option<(u16, &[u8], &[u8])> {
    let (header, rest) = attributes.split_first_chunk::<ATTRIBUTE_HEADER>()?;
    let length = usize::from(u16::from_be_bytes([header[2], header[3]]));
    let behind = rest.get(length.next_multiple_of(4)..)?;
    Some((u16::from_be_bytes([header[0], header[1]]), rest.get(..length)?, behind))
}

fn is_checksum_or_nothing(attributes: &[u8]) -> bool {
    attributes.is_empty()
        || attribute(attributes)
            .is_some_and(|(kind, value, behind)| kind == FINGERPRINT && value.len() == 4 && behind.is_empty())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rtc::crypto::{HmacAlgorithm, default_provider};
    use rtc::stun::fingerprint::FINGERPRINT as CHECKSUM;
    use rtc::stun::integrity::MessageIntegrity;
    use rtc::stun::message::{Message as Written, MessageType, Setter, TransactionId};
    use rtc::stun::textattrs::TextAttribute;

    use super::*;

    fn written(user: &str, key: &[u8], checksum: bool) -> Vec<u8> {
        let provider = default_provider().unwrap();
        let mut setters: Vec<Box<dyn Setter + '_>> = vec![
            Box::new(TransactionId([7; TRANSACTION_ID])),
            Box::new(MessageType::new(rtc::stun::message::METHOD_ALLOCATE, rtc::stun::message::CLASS_REQUEST)),
            Box::new(TextAttribute::new(rtc::stun::attributes::ATTR_USERNAME, user.to_owned())),
            Box::new(MessageIntegrity::new_raw_integrity_with_provider(key, provider.crypto())),
        ];
        if checksum {
            setters.push(Box::new(CHECKSUM));
        }
        let mut message = Written::new();
        message.build(&setters).unwrap();
        message.raw
    }

    fn is_signed_by(datagram: &[u8], key: &[u8]) -> bool {
        let mut mac = default_provider().unwrap().crypto().new_hmac(HmacAlgorithm::Sha1, key).unwrap();
        Message::read(datagram).is_some_and(|message| message.is_signed_by(&mut *mac))
    }

    #[test]
    fn a_message_of_the_library_is_read_as_it_was_written() {
        for checksum in [false, true] {
            let bytes = written("somebody", b"key", checksum);
            let message = Message::read(&bytes).unwrap();
            assert_eq!((message.kind(), message.transaction()), (ALLOCATE_REQUEST, [7; TRANSACTION_ID]));
            assert_eq!(message.value(USERNAME), Some(&b"somebody"[..]));
            assert!(is_signed_by(&bytes, b"key") && !is_signed_by(&bytes, b"another key"));
        }
    }

    #[test]
    fn a_message_that_is_altered_or_cut_is_not_signed() {
        let bytes = written("somebody", b"key", false);
        for at in 0..bytes.len() {
            let mut altered = bytes.clone();
            altered[at] ^= 1;
            assert!(!is_signed_by(&altered, b"key"), "altered at {at}");
            assert!(!is_signed_by(&bytes[..at], b"key"), "cut at {at}");
        }
        let mut longer = bytes.clone();
        longer.extend([0x80, 0x22, 0, 0]);
        let length = (longer.len() - STUN_HEADER) as u16;
        longer[2..4].copy_from_slice(&length.to_be_bytes());
        assert!(Message::read(&longer).is_some() && !is_signed_by(&longer, b"key"), "more behind the signature");
    }

    proptest! {
        #[test]
        fn whatever_is_read_here_is_read_alike_by_the_library(bytes in prop::collection::vec(any::<u8>(), 0..200), stun in any::<bool>()) {
            let mut bytes = bytes;
            if stun && bytes.len() >= STUN_HEADER {
                let length = (bytes.len() - STUN_HEADER) as u16;
                bytes[0] &= 0x3f;
                bytes[2..4].copy_from_slice(&length.to_be_bytes());
                bytes[4..8].copy_from_slice(&MAGIC_COOKIE);
            }
            if let Some(message) = Message::read(&bytes) {
                let mut library = Written::new();
                library.unmarshal_binary(&bytes).unwrap();
                let theirs: Vec<_> = library.attributes.0.iter().map(|attribute| attribute.value.clone()).collect();
                let ours: Vec<_> = message.attributes().map(|(_, value)| value.to_vec()).collect();
                prop_assert_eq!(ours, theirs);
                prop_assert_eq!(library.typ.value(), message.kind());
            }
        }
    }
}
