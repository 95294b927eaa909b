//! Key of a server: ECDSA P-256, made at the first start and kept in a file for its user alone. Its hash stands in the
//! server's link, so another key is another server; a certificate of a domain is one for this key, too.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rcgen::{CertificateParams, CustomExtension, DistinguishedName, KeyPair, PKCS_ECDSA_P256_SHA256, PublicKeyData};
use rustls::crypto::ring::sign::any_ecdsa_type;
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use rustls::sign::SigningKey;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::certificate::Domain;
use crate::identity::private_file;

const RELAY_SECRET_LABEL: &[u8] = b"visavis relay secret 1";
const NODES_SECRET_LABEL: &[u8] = b"visavis nodes secret 1";
const FILE: &str = "server.key";
/// Bytes of the file that are read; a longer one is none of ours.
const MAX_FILE: u64 = 16 * 1024;

/// Why there is no key: one plain sentence each.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The file cannot be read or written.
    #[error("The server's key {} could not be read or written: {source}. Check the folder that --data names.", .path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file is there, but holds no key.
    #[error("The server's key {} is damaged. Restore it from your copy; with a new key every link must be given out again.", .path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
    },
    /// A file of this name is there already.
    #[error("{} exists already. Choose another name.", .path.display())]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// The system made no key.
    #[error("No key could be made: {0}. Start the server again.")]
    Make(rcgen::Error),
}

/// See the module.
pub struct ServerKey {
    pair: KeyPair,
}

impl ServerKey {
    /// The key in the folder `data`, which is made, with a new key, where there is none.
    pub fn load_or_create(data: &Path) -> Result<Self, KeyError> {
        let path = data.join(FILE);
        let failed = |source| KeyError::Io { path: path.clone(), source };
        if let Some(key) = Self::load(&path)? {
            return Ok(key);
        }
        let key = Self { pair: KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map_err(KeyError::Make)? };
        private_file::private_dir(data, true).map_err(failed)?;
        match private_file::write_new(&path, key.pem().as_bytes()) {
            Ok(()) => Ok(key),
            // Another process made one first: that one counts.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                Self::load(&path)?.ok_or_else(|| failed(error))
            }
            Err(error) => Err(failed(error)),
        }
    }

    fn load(path: &Path) -> Result<Option<Self>, KeyError> {
        let failed = |source| KeyError::Io { path: path.to_owned(), source };
        let file = match private_file::open(path, File::options().read(true)) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(failed(error)),
        };
        let mut pem = Zeroizing::new(String::new());
        (&file).take(MAX_FILE).read_to_string(&mut pem).map_err(failed)?;
        let pair = KeyPair::from_pem(&pem).map_err(|_| KeyError::Damaged { path: path.to_owned() })?;
        if private_file::make_private(&file).map_err(failed)? {
            tracing::warn!("others could read the server's key; it was made private");
        }
        Ok(Some(Self { pair }))
    }

    /// Writes a copy of the key to a new file, for its user alone.
    pub fn export(&self, path: &Path) -> Result<(), KeyError> {
        private_file::write_new(path, self.pem().as_bytes()).map_err(|source| match source.kind() {
            io::ErrorKind::AlreadyExists => KeyError::Exists { path: path.to_owned() },
            _ => KeyError::Io { path: path.to_owned(), source },
        })
    }

    fn pem(&self) -> Zeroizing<String> {
        Zeroizing::new(self.pair.serialize_pem())
    }

    /// The public key, as a link's hash is made of it: DER of its SubjectPublicKeyInfo (RFC 5280, 4.1.2.7).
    pub fn public_key(&self) -> Vec<u8> {
        self.pair.subject_public_key_info()
    }

    /// The secret of the relay's credentials: it is the same after a new start, so that calls find the relay again.
    pub(super) fn relay_secret(&self) -> Zeroizing<Vec<u8>> {
        Zeroizing::new(self.secret(RELAY_SECRET_LABEL).to_vec())
    }

    /// The secret that the nodes of a server share: those with its key.
    pub(super) fn nodes_secret(&self) -> Zeroizing<[u8; 32]> {
        self.secret(NODES_SECRET_LABEL)
    }

    fn secret(&self, label: &[u8]) -> Zeroizing<[u8; 32]> {
        let key = Zeroizing::new(self.pair.serialize_der());
        Zeroizing::new(Sha256::new().chain_update(label).chain_update(&*key).finalize().into())
    }

    /// A certificate that the key signs for itself. Apps look at the key alone.
    pub(super) fn own_certificate(&self) -> Result<CertificateDer<'static>, KeyError> {
        let certificate = CertificateParams::default().self_signed(&self.pair).map_err(KeyError::Make)?;
        Ok(certificate.der().clone())
    }

    /// The key as TLS signs with it.
    pub(super) fn signing_key(&self) -> Result<Arc<dyn SigningKey>, rustls::Error> {
        any_ecdsa_type(&PrivatePkcs8KeyDer::from(self.pair.serialize_der()).into())
    }

    /// Request for a certificate of this domain for the key (RFC 2986), in DER.
    pub(super) fn certificate_request(&self, domain: &Domain) -> Result<Vec<u8>, KeyError> {
        let mut parameters = CertificateParams::new([domain.as_str().to_owned()]).map_err(KeyError::Make)?;
        // An authority takes the name from the alternative names (RFC 8555, 7.4).
        parameters.distinguished_name = DistinguishedName::new();
        let request = parameters.serialize_request(&self.pair).map_err(KeyError::Make)?;
        Ok(request.der().to_vec())
    }

    /// Certificate that proves to an authority that this server answers for the domain (RFC 8737, 3): `digest` is the
    /// SHA-256 of the challenge's key authorization.
    pub(super) fn challenge_certificate(
        &self,
        domain: &Domain,
        digest: &[u8],
    ) -> Result<CertificateDer<'static>, KeyError> {
        let mut parameters = CertificateParams::new([domain.as_str().to_owned()]).map_err(KeyError::Make)?;
        parameters.custom_extensions = vec![CustomExtension::new_acme_identifier(digest)];
        let certificate = parameters.self_signed(&self.pair).map_err(KeyError::Make)?;
        Ok(certificate.der().clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_made_once_kept_private_and_found_again_from_its_copy() {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("a/b");
        let key = ServerKey::load_or_create(&data).unwrap();
        assert_eq!(ServerKey::load_or_create(&data).unwrap().public_key(), key.public_key());
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o777;
            assert_eq!((mode(&data), mode(&data.join(FILE))), (0o700, 0o600));
        }
        let copy = folder.path().join("copy");
        key.export(&copy).unwrap();
        assert!(matches!(key.export(&copy), Err(KeyError::Exists { .. })), "nothing is overwritten");
        let moved = folder.path().join("moved");
        std::fs::create_dir(&moved).unwrap();
        std::fs::copy(&copy, moved.join(FILE)).unwrap();
        let again = ServerKey::load_or_create(&moved).unwrap();
        assert_eq!(again.public_key(), key.public_key());
        assert_eq!(again.relay_secret(), key.relay_secret());
        assert_eq!(again.nodes_secret(), key.nodes_secret());
        assert_ne!(key.relay_secret()[..], key.nodes_secret()[..]);
        assert_ne!(ServerKey::load_or_create(&folder.path().join("c")).unwrap().public_key(), key.public_key());
    }

    #[test]
    fn a_damaged_key_is_told_and_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        for damaged in ["", "no key", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"] {
            std::fs::write(folder.path().join(FILE), damaged).unwrap();
            assert!(matches!(ServerKey::load_or_create(folder.path()), Err(KeyError::Damaged { .. })), "{damaged}");
            assert_eq!(std::fs::read_to_string(folder.path().join(FILE)).unwrap(), damaged);
        }
    }
}
