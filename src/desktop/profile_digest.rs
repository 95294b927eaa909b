//! Short name of a profile: a digest of its folder's path, for a socket and a desktop entry of its own.

use std::path::Path;

use sha2::{Digest, Sha256};

/// The digest of this path.
pub(super) fn digest_of(profile: &Path) -> String {
    let digest = Sha256::digest(profile.as_os_str().as_encoded_bytes());
    data_encoding::HEXLOWER.encode(digest.get(..8).unwrap_or_default())
}
