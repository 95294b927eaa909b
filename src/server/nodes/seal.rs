//! Seal of the messages between nodes: XChaCha20-Poly1305 with a key that all nodes of a server derive from its own
//! key, bound to the subject it is sent to. NATS, and whoever else can publish there, can neither read a message, nor
//! make one, nor move one to another subject. Pure but for the random nonce.

use bytes::Bytes;
use chacha20poly1305::aead::{Aead, KeyInit, Payload};
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

    /// The sealed message to a subject: a random nonce, and the ciphertext with its tag. `None` without random numbers.
    pub(super) fn seal(&self, to: &str, message: &[u8]) -> Option<Bytes> {
        let mut nonce = [0; NONCE];
        getrandom::fill(&mut nonce).ok()?;
        let sealed = self.0.encrypt(&XNonce::from(nonce), Payload { msg: message, aad: to.as_bytes() }).ok()?;
        Some([&nonce[..], &sealed].concat().into())
    }

    /// The message, where a node of this server sealed it to this subject.
    pub(super) fn open(&self, to: &str, sealed: &[u8]) -> Option<Bytes> {
        if sealed.len() > NONCE + MAX_MESSAGE + TAG {
            return None;
        }
        let (nonce, sealed) = sealed.split_first_chunk::<NONCE>()?;
        self.0.decrypt(&XNonce::from(*nonce), Payload { msg: sealed, aad: to.as_bytes() }).ok().map(Bytes::from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_opens_with_its_servers_key_at_its_subject_and_unchanged_alone() {
        let seal = Seal::new(&[1; 32]);
        let sealed = seal.seal("all", b"a letter").unwrap();
        assert_eq!(seal.open("all", &sealed).unwrap(), &b"a letter"[..]);
        assert_ne!(seal.seal("all", b"a letter").unwrap(), sealed, "another nonce");
        assert_eq!(seal.open("node", &sealed), None, "another subject");
        assert_eq!(Seal::new(&[2; 32]).open("all", &sealed), None);
        for place in [0, NONCE, sealed.len() - 1] {
            let mut changed = sealed.to_vec();
            changed[place] ^= 1;
            assert_eq!(seal.open("all", &changed), None);
        }
        for end in [0, NONCE, NONCE + TAG - 1] {
            assert_eq!(seal.open("all", &sealed[..end]), None);
        }
        assert_eq!(seal.open("all", &vec![0; NONCE + MAX_MESSAGE + TAG + 1]), None);
        let longest = vec![7; MAX_MESSAGE];
        assert_eq!(seal.open("all", &seal.seal("all", &longest).unwrap()).unwrap(), longest);
    }
}
