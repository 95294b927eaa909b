//! Proof of a key to a Visavis server: an Ed25519 signature (RFC 8032) over the TLS exporter of the connection (RFC
//! 8446, 7.5) and the server's nonce. The exporter is the same on both sides of one TLS connection alone, so a server
//! cannot pass the proof on to another one as its own login (RFC 9729 has the same idea for HTTP). Pure.

use ed25519_dalek::Signature;

use super::envelope::usable_key;
use super::{Identity, PeerId};

/// Bytes of a signature.
pub const SIGNATURE_LEN: usize = 64;
/// Keeps these signatures apart from those of envelopes.
const LABEL: &[u8] = b"visavis server proof 1";

/// Proves that the caller has the key of `identity`, on the connection with this exporter.
pub fn prove_to_server(identity: &Identity, exporter: &[u8; 32], nonce: &[u8; 32]) -> [u8; SIGNATURE_LEN] {
    identity.sign(&signed_bytes(exporter, nonce))
}

/// Whether `signature` proves the key of `id` on the connection with this exporter.
pub fn proves_to_server(id: &PeerId, exporter: &[u8; 32], nonce: &[u8; 32], signature: &[u8; SIGNATURE_LEN]) -> bool {
    let signature = Signature::from_bytes(signature);
    usable_key(id).is_ok_and(|key| key.verify_strict(&signed_bytes(exporter, nonce), &signature).is_ok())
}

fn signed_bytes(exporter: &[u8; 32], nonce: &[u8; 32]) -> Vec<u8> {
    [LABEL, exporter, nonce].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proof_holds_for_its_key_its_connection_and_its_nonce_alone() {
        let (ann, eve) = (Identity::from_seed([1; 32]), Identity::from_seed([2; 32]));
        let proof = prove_to_server(&ann, &[3; 32], &[4; 32]);
        assert!(proves_to_server(&ann.id(), &[3; 32], &[4; 32], &proof));
        assert!(!proves_to_server(&eve.id(), &[3; 32], &[4; 32], &proof), "another key");
        assert!(!proves_to_server(&ann.id(), &[9; 32], &[4; 32], &proof), "another connection");
        assert!(!proves_to_server(&ann.id(), &[3; 32], &[9; 32], &proof), "another nonce");
        let mut weak = [0; 32];
        weak[0] = 1;
        let mut of_the_weak = [0; SIGNATURE_LEN];
        of_the_weak[0] = 1;
        assert!(!proves_to_server(&PeerId::from_bytes(weak), &[3; 32], &[4; 32], &of_the_weak), "a key of small order");
    }
}
