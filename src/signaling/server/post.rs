//! Post: the content of letters between two apps, through a server that cannot read it. Pure.
//!
//! ```text
//! content = kind (1) | number of the handshake (8, random) | an envelope or a record, or nothing
//! ```
//!
//! The server and whoever knows the box can make such letters. Nothing is believed that an envelope or a record inside
//! does not prove.

use bytes::{BufMut, Bytes, BytesMut};

/// Bytes before the envelope or record.
const HEAD: usize = 1 + 8;

/// Number of a handshake and of the session that it begins; random, chosen by the initiator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Number(pub(super) [u8; 8]);

/// Kind of a content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// The initiator's hello.
    Hello,
    /// The responder's hello.
    Answer,
    /// The initiator's proof: the session begins.
    Confirm,
    /// A record of the session.
    Record,
    /// The sender has no such session, or ends it.
    Bye,
}

/// A content of a letter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Post {
    pub(super) kind: Kind,
    pub(super) number: Number,
    pub(super) sealed: Bytes,
}

impl Kind {
    const ALL: [Self; 5] = [Self::Hello, Self::Answer, Self::Confirm, Self::Record, Self::Bye];
}

impl Post {
    pub(super) fn encode(&self) -> Bytes {
        let mut bytes = BytesMut::with_capacity(HEAD + self.sealed.len());
        bytes.put_u8(1 + self.kind as u8);
        bytes.put_slice(&self.number.0);
        bytes.put_slice(&self.sealed);
        bytes.freeze()
    }

    /// The post in the content of a letter; `None` where it is none of this version.
    pub(super) fn decode(content: &Bytes) -> Option<Self> {
        let (&kind, rest) = content.split_first()?;
        let (number, _) = rest.split_first_chunk::<8>()?;
        let kind = *Kind::ALL.get(usize::from(kind).checked_sub(1)?)?;
        Some(Self { kind, number: Number(*number), sealed: content.slice(HEAD..) })
    }
}

/// For the fuzzer: what is read is written again.
pub fn fuzz_post(content: &Bytes) {
    if let Some(post) = Post::decode(content) {
        assert_eq!(post.encode(), *content);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_comes_back_and_others_are_none() {
        for kind in Kind::ALL {
            let post = Post { kind, number: Number([7; 8]), sealed: Bytes::from_static(b"sealed") };
            assert_eq!(Post::decode(&post.encode()), Some(post));
        }
        for wrong in [&b""[..], b"\x01", b"\x0112345678"[..8].into(), b"\x0012345678", b"\x0612345678"] {
            assert_eq!(Post::decode(&Bytes::copy_from_slice(wrong)), None, "{wrong:?}");
        }
    }
}
