//! Letters: opaque bytes from a device of one box to one device, or all devices, of another. Padded, so that their size
//! tells little of the content.
//!
//! ```text
//! letter = box (32) | device (4, big endian) | length of the content (4, big endian) | content | zeros
//! ```
//!
//! On the way to the server the address is the receiver's, on the way to the app it is the sender's, as the server
//! knows it. All after the address passes as it is.

use bytes::{BufMut, Bytes, BytesMut};

use super::{BoxId, Device};

/// Bytes of the address, and of the length behind it.
const ADDRESS: usize = BoxId::LEN + 4;
const LENGTH: usize = 4;
/// Sizes of a padded content with its length; beyond the last one, multiples of it.
const PADDED: [usize; 3] = [512, 2048, 8192];

/// Bytes of content at most: an envelope or a record of 64 KiB, and its head.
pub const MAX_CONTENT: usize = 64 * 1024 + 512;
/// Bytes of a letter at most.
pub const MAX_LETTER: usize = ADDRESS + (LENGTH + MAX_CONTENT).next_multiple_of(PADDED[2]);

/// A letter, with its padding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Letter {
    /// The receiver's box, or the sender's.
    pub mailbox: BoxId,
    /// The device; [`Device::ALL`] for every one.
    pub device: Device,
    /// The content with its length and padding, of a size from the table above.
    padded: Bytes,
}

/// A WebSocket message that is no letter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this is not a letter of the server's protocol")]
pub struct UnreadableLetter;

impl Letter {
    /// A letter with this content; `None` where it is longer than [`MAX_CONTENT`].
    pub fn new(mailbox: BoxId, device: Device, content: &[u8]) -> Option<Self> {
        let length = u32::try_from(content.len()).ok().filter(|_| content.len() <= MAX_CONTENT)?;
        let size = padded_size(LENGTH + content.len());
        let mut padded = BytesMut::with_capacity(size);
        padded.put_u32(length);
        padded.put_slice(content);
        padded.put_bytes(0, size - padded.len());
        Some(Self { mailbox, device, padded: padded.freeze() })
    }

    /// The same content with another address: the server puts the sender's in place of the receiver's.
    pub fn with_address(&self, mailbox: BoxId, device: Device) -> Self {
        Self { mailbox, device, padded: self.padded.clone() }
    }

    /// Bytes of the letter.
    pub fn size(&self) -> usize {
        ADDRESS + self.padded.len()
    }

    /// The letter as a binary WebSocket message.
    pub fn encode(&self) -> Bytes {
        let mut bytes = BytesMut::with_capacity(self.size());
        bytes.put_slice(self.mailbox.as_bytes());
        bytes.put_u32(self.device.0);
        bytes.put_slice(&self.padded);
        bytes.freeze()
    }

    /// The letter in a binary WebSocket message. Its size must be one that padding makes; the rest is looked at by the
    /// receiver's [`content`](Self::content).
    pub fn decode(bytes: &Bytes) -> Result<Self, UnreadableLetter> {
        let (mailbox, rest) = bytes.split_first_chunk::<{ BoxId::LEN }>().ok_or(UnreadableLetter)?;
        let (device, padded) = rest.split_first_chunk::<4>().ok_or(UnreadableLetter)?;
        if bytes.len() > MAX_LETTER || padded_size(padded.len()) != padded.len() {
            return Err(UnreadableLetter);
        }
        let device = Device(u32::from_be_bytes(*device));
        Ok(Self { mailbox: BoxId::from_bytes(*mailbox), device, padded: bytes.slice(ADDRESS..) })
    }

    /// The content without its padding.
    pub fn content(&self) -> Result<Bytes, UnreadableLetter> {
        let (length, rest) = self.padded.split_first_chunk::<LENGTH>().ok_or(UnreadableLetter)?;
        let length = u32::from_be_bytes(*length) as usize;
        if length > rest.len().min(MAX_CONTENT) {
            return Err(UnreadableLetter);
        }
        Ok(self.padded.slice(LENGTH..LENGTH + length))
    }
}

/// The size that `length` bytes are padded to.
fn padded_size(length: usize) -> usize {
    let [.., largest] = PADDED;
    PADDED.into_iter().find(|size| length <= *size).unwrap_or_else(|| length.next_multiple_of(largest))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn mailbox(byte: u8) -> BoxId {
        BoxId::from_bytes([byte; 32])
    }

    #[test]
    fn letters_have_few_sizes() {
        for (content, padded) in [
            (0, 512),
            (508, 512),
            (509, 2048),
            (2044, 2048),
            (2045, 8192),
            (8188, 8192),
            (8189, 16_384),
            (MAX_CONTENT, 73_728),
        ] {
            let letter = Letter::new(mailbox(1), Device(7), &vec![9; content]).unwrap();
            assert_eq!(letter.size(), ADDRESS + padded, "{content}");
            assert_eq!(letter.encode().len(), letter.size());
        }
        assert!(Letter::new(mailbox(1), Device(7), &vec![9; MAX_CONTENT + 1]).is_none());
        assert_eq!(MAX_LETTER, ADDRESS + 73_728);
    }

    #[test]
    fn a_server_changes_the_address_alone() {
        let sent = Letter::new(mailbox(1), Device::ALL, b"content").unwrap();
        let passed_on = Letter::decode(&sent.encode()).unwrap().with_address(mailbox(2), Device(3));
        let received = Letter::decode(&passed_on.encode()).unwrap();
        assert_eq!((received.mailbox, received.device), (mailbox(2), Device(3)));
        assert_eq!(received.content().unwrap(), &b"content"[..]);
    }

    #[test]
    fn other_sizes_and_lengths_are_refused() {
        let whole = Letter::new(mailbox(1), Device(7), b"content").unwrap().encode();
        for length in [0, 31, 35, 36, 40, whole.len() - 1] {
            assert_eq!(Letter::decode(&whole.slice(..length)), Err(UnreadableLetter), "{length}");
        }
        assert!(Letter::decode(&Bytes::from(vec![0; MAX_LETTER + 8192])).is_err(), "too long");
        let mut too_long = whole.to_vec();
        too_long[ADDRESS..ADDRESS + LENGTH].copy_from_slice(&509_u32.to_be_bytes());
        assert_eq!(Letter::decode(&too_long.into()).unwrap().content(), Err(UnreadableLetter));
    }

    proptest! {
        #[test]
        fn every_content_comes_back(content in prop::collection::vec(any::<u8>(), 0..20_000), device: u32) {
            let letter = Letter::new(mailbox(5), Device(device), &content).unwrap();
            let read = Letter::decode(&letter.encode()).unwrap();
            prop_assert_eq!(&read, &letter);
            prop_assert_eq!(read.content().unwrap(), content);
        }

        #[test]
        fn any_bytes_are_read_without_failing(bytes in prop::collection::vec(any::<u8>(), 0..1000)) {
            if let Ok(letter) = Letter::decode(&bytes.into()) {
                let _ = letter.content();
            }
        }
    }
}
