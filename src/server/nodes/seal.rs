//! Seal of the messages between nodes: XChaCha20-Poly1305 with a key that all nodes of a server derive from its own
//! key. NATS, and whoever else can publish there, can neither read a message nor make one. Pure but for the random
//! nonce.

use bytes::Bytes;
use chacha20poly1305::aead::{Aead, KeyInit};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};

use super::message::MAX_MESSAGE;

const NONCE: usize = 24;
const TAG: usize = 16;

/// See the module.
pub(super) struct Seal(XChaCha20Poly1305);

impl Seal {
    pub(super) fn new(key: &[u8; 32]) -> Self {
        Self(XChaCha20Poly1305::new(key.into()))
    }

    /// The sealed message: a random nonce, and the ciphertext with its tag. `None` without random numbers.
    pub(super) fn seal(&self, message: &[u8]) -> Option<Bytes> {
        let mut nonce = [0; NONCE];
        getrandom::fill(&mut nonce).ok()?;
        let sealed = self.0.encrypt(&XNonce::from(nonce), message).ok()?;
        Some([&nonce[..], &sealed].concat().into())
    }

    /// The message, where a node of this server sealed it.
    pub(super) fn open(&self, sealed: &[u8]) -> Option<Bytes> {
        if sealed.len() > NONCE + MAX_MESSAGE + TAG {
            return None;
        }
        let (nonce, sealed) = sealed.split_first_chunk::<NONCE>()?;
        self.0.decrypt(&XNonce::from(*nonce), sealed).ok().map(Bytes::from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_opens_with_its_servers_key_and_unchanged_alone() {
        let seal = Seal::new(&[1; 32]);
        let sealed = seal.seal(b"a letter").unwrap();
        assert_eq!(seal.open(&sealed).unwrap(), &b"a letter"[..]);
        assert_ne!(seal.seal(b"a letter").unwrap(), sealed, "another nonce");
        assert_eq!(Seal::new(&[2; 32]).open(&sealed), None);
        for place in [0, NONCE, sealed.len() - 1] {
            let mut changed = sealed.to_vec();
            changed[place] ^= 1;
            assert_eq!(seal.open(&changed), None);
        }
        for end in [0, NONCE, NONCE + TAG - 1] {
            assert_eq!(seal.open(&sealed[..end]), None);
        }
        assert_eq!(seal.open(&vec![0; NONCE + MAX_MESSAGE + TAG + 1]), None);
        let longest = vec![7; MAX_MESSAGE];
        assert_eq!(seal.open(&seal.seal(&longest).unwrap()).unwrap(), longest);
    }
}
