//! Files of a certificate, in the folder of the server's key, for its user alone: the account with the authority, and
//! the certificate that it issued last. Both can be made anew, so one that cannot be read is asked for again.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use instant_acme::AccountCredentials;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::issued::Issued;
use super::{DirectoryUrl, Domain};
use crate::identity::private_file;

const ACCOUNT: &str = "acme-account.json";
const CERTIFICATE: &str = "certificate.pem";
/// Bytes of a file that are read; a longer one is none of ours.
const MAX_FILE: u64 = 64 * 1024;

/// A file that could not be written.
#[derive(Debug, thiserror::Error)]
#[error("The file {} could not be written: {source}. Check the folder that --data names.", .path.display())]
pub struct FilesError {
    path: PathBuf,
    source: io::Error,
}

/// Account with an authority: the key that its orders are signed with, and its URL there.
#[derive(Serialize, Deserialize)]
pub(super) struct Account {
    pub(super) directory: String,
    /// As a `mailto` URL.
    pub(super) contact: Option<String>,
    pub(super) credentials: AccountCredentials,
}

/// The files in a folder.
#[derive(Clone, Debug)]
pub(super) struct Files {
    folder: PathBuf,
}

impl Files {
    pub(super) fn of(folder: &Path) -> Self {
        Self { folder: folder.to_owned() }
    }

    /// The account with this authority.
    pub(super) fn account(&self, directory: &DirectoryUrl) -> Option<Account> {
        let text = self.read(ACCOUNT)?;
        let account: Option<Account> = serde_json::from_str(&text).ok();
        if account.is_none() {
            tracing::warn!("{ACCOUNT} is damaged: another account is made");
        }
        account.filter(|account| account.directory == directory.as_str())
    }

    pub(super) fn keep_account(&self, account: &Account) -> Result<(), FilesError> {
        // Texts alone: it cannot fail.
        self.write(ACCOUNT, &Zeroizing::new(serde_json::to_string(account).unwrap_or_default()))
    }

    /// The certificate for this domain and this public key.
    pub(super) fn certificate(&self, domain: &Domain, public_key: &[u8]) -> Option<Issued> {
        let issued = Issued::read(&self.read(CERTIFICATE)?, domain, public_key);
        issued
            .inspect_err(|reason| tracing::warn!("{CERTIFICATE} is of no use: {reason}; another one is asked for"))
            .ok()
    }

    pub(super) fn keep_certificate(&self, pem: &str) -> Result<(), FilesError> {
        self.write(CERTIFICATE, pem)
    }

    fn read(&self, name: &str) -> Option<Zeroizing<String>> {
        let read = || {
            let file = private_file::open(&self.folder.join(name), File::options().read(true))?;
            private_file::make_private(&file)?;
            let mut text = Zeroizing::new(String::new());
            (&file).take(MAX_FILE).read_to_string(&mut text)?;
            Ok(text)
        };
        match read() {
            Ok(text) => Some(text),
            Err(error) => {
                let error: io::Error = error;
                if error.kind() != io::ErrorKind::NotFound {
                    tracing::warn!(%error, "{name} cannot be read");
                }
                None
            }
        }
    }

    fn write(&self, name: &str, text: &str) -> Result<(), FilesError> {
        let path = self.folder.join(name);
        private_file::replace(&path, text.as_bytes()).map_err(|source| FilesError { path, source })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_belongs_to_its_authority_and_damage_is_no_account() {
        let folder = tempfile::tempdir().unwrap();
        let files = Files::of(folder.path());
        let [here, elsewhere] =
            ["https://a.example/dir", "https://b.example/dir"].map(|url| url.parse::<DirectoryUrl>().unwrap());
        assert!(files.account(&here).is_none());
        let credentials = serde_json::json!({"id": "1", "key_pkcs8": "AAAA", "directory": here.as_str()});
        let credentials = serde_json::from_value(credentials).unwrap();
        let account = Account { directory: here.as_str().to_owned(), contact: None, credentials };
        files.keep_account(&account).unwrap();
        files.keep_account(&account).unwrap();
        assert!(files.account(&here).is_some() && files.account(&elsewhere).is_none());
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = |name: &str| folder.path().join(name).metadata().unwrap().permissions().mode() & 0o777;
            assert_eq!(mode(ACCOUNT), 0o600);
        }
        std::fs::write(folder.path().join(ACCOUNT), "{").unwrap();
        assert!(files.account(&here).is_none());
        files.keep_certificate("no certificate").unwrap();
        assert!(files.certificate(&"a.example".parse().unwrap(), b"key").is_none());
        let absent = Files::of(&folder.path().join("absent"));
        let error = absent.keep_certificate("").unwrap_err().to_string();
        assert!(error.contains("certificate.pem") && error.contains("--data"), "{error}");
    }
}
