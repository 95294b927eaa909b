//! First record of a datagram of the DTLS handshake (RFC 6347, 4.1 and 4.2.2), as far as it can be read without keys.

/// Content types of DTLS records: change_cipher_spec, handshake, application_data.
const CHANGE_CIPHER_SPEC: u8 = 20;
const HANDSHAKE: u8 = 22;
const APPLICATION_DATA: u8 = 23;
/// First bytes of RTP and RTCP (RFC 7983, 7).
const MEDIA: std::ops::RangeInclusive<u8> = 128..=191;
/// Bytes of a record's header, and where the epoch stands in it.
const HEADER: usize = 13;
const EPOCH: usize = 3;
/// Where the sequence number stands in a handshake message.
const MESSAGE_SEQUENCE: usize = 4;

/// Types of handshake messages.
pub(super) const CLIENT_HELLO: u8 = 1;
pub(super) const HELLO_VERIFY_REQUEST: u8 = 3;

/// First record of a datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Record {
    /// A handshake message that is not encrypted, by its type and its sequence number.
    Message {
        /// Its type.
        kind: u8,
        /// Its number among the messages of its sender.
        sequence: u16,
    },
    /// The end of a handshake: a change of the cipher, or an encrypted message.
    Finished,
    /// Media or data under the negotiated keys: the sender has completed the handshake.
    Protected,
}

/// Whether a datagram is RTP or RTCP, by its first byte.
pub(super) fn is_media(datagram: &[u8]) -> bool {
    datagram.first().is_some_and(|first| MEDIA.contains(first))
}

impl Record {
    /// Reads a datagram; `None` for one that is no part of a handshake, nor under its keys.
    pub(super) fn read(datagram: &[u8]) -> Option<Self> {
        match *datagram.first()? {
            CHANGE_CIPHER_SPEC => Some(Self::Finished),
            APPLICATION_DATA => Some(Self::Protected),
            first if MEDIA.contains(&first) => Some(Self::Protected),
            HANDSHAKE => {
                if datagram.get(EPOCH..EPOCH + 2)? != [0, 0] {
                    return Some(Self::Finished);
                }
                let message = datagram.get(HEADER..)?;
                let sequence = message.get(MESSAGE_SEQUENCE..)?.first_chunk()?;
                Some(Self::Message { kind: *message.first()?, sequence: u16::from_be_bytes(*sequence) })
            }
            _ => None,
        }
    }

    /// True for a record that belongs to the handshake itself.
    pub(super) fn is_handshake(self) -> bool {
        self != Self::Protected
    }
}

/// A datagram with one message of a handshake, for tests: its body is left out.
#[cfg(test)]
pub(super) fn message_for_test(kind: u8, sequence: u16) -> Vec<u8> {
    let mut datagram = vec![HANDSHAKE, 0xfe, 0xfd];
    datagram.resize(HEADER, 0);
    datagram.extend([kind, 0, 0, 0]);
    datagram.extend(sequence.to_be_bytes());
    datagram
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn records_are_told_by_their_type_and_epoch() {
        let hello = message_for_test(CLIENT_HELLO, 1);
        assert_eq!(Record::read(&hello), Some(Record::Message { kind: CLIENT_HELLO, sequence: 1 }));
        let mut encrypted = hello.clone();
        encrypted[EPOCH + 1] = 1;
        for finished in [&encrypted[..], &[20, 0xfe, 0xfd]] {
            assert_eq!(Record::read(finished), Some(Record::Finished));
        }
        assert_eq!([&[23][..], &[128, 1], &[191]].map(Record::read), [Some(Record::Protected); 3]);
        for other in [&[][..], &[0, 1], &[21, 1], &[192], &hello[..HEADER + 5]] {
            assert_eq!(Record::read(other), None, "STUN, an alert, a part");
        }
    }

    proptest! {
        #[test]
        fn any_datagram_is_read(datagram in prop::collection::vec(any::<u8>(), 0..40)) {
            let read = Record::read(&datagram);
            prop_assert!(read.is_none() || (20..=191).contains(&datagram[0]));
        }
    }
}
