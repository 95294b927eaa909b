//! This person's own key: an Ed25519 seed (RFC 8032) in `identity.key` of the profile, made at the first start. Read once
//! by the controller; lives in one `Arc<Identity>` and is wiped from memory with it.
//!
//! The file has three lines: a format name, the seed as 64 hexadecimal digits, and the ID that it makes, so that damage
//! is noticed instead of giving the person another identity.

use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use data_encoding::HEXLOWER;
use ed25519_dalek::{Signer, SigningKey};
use zeroize::Zeroizing;

use super::PeerId;

const FILE: &str = "identity.key";
const FORMAT: &str = "visavis-identity-1";
const MAX_FILE: u64 = 1024;

/// This person's key pair.
pub struct Identity {
    /// Zeroes itself when dropped.
    key: SigningKey,
}

/// Why there is no identity. Nothing is ever overwritten: a damaged file stays where it is.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// The profile's folder or the file cannot be read or written.
    #[error("the identity in {path} cannot be read or written: {source}")]
    Io {
        /// Where.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file is there, but it is not a whole identity.
    #[error(
        "the identity file {path} is damaged; restore it from a backup, or move it away to start with a new identity"
    )]
    Damaged {
        /// Where.
        path: PathBuf,
    },
    /// The system gave no random numbers.
    #[error("the system's random source failed, so no identity could be made")]
    Random,
}

impl Identity {
    /// The profile's identity, made now if it has none yet. Creates the folder. A file that others can read is made
    /// private again.
    pub fn load_or_create(profile: &Path) -> Result<Self, IdentityError> {
        let path = profile.join(FILE);
        let failed = |source| IdentityError::Io { path: path.clone(), source };
        match File::open(&path) {
            Ok(file) => read(file, &path),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let identity = Self::generate()?;
                create_private_dir(profile).map_err(failed)?;
                match write_new(profile, &path, &identity) {
                    Ok(()) => Ok(identity),
                    // Another process made one first: that one counts.
                    Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                        read(File::open(&path).map_err(failed)?, &path)
                    }
                    Err(error) => Err(failed(error)),
                }
            }
            Err(error) => Err(failed(error)),
        }
    }

    /// The identity of a given seed, for tests and tools that keep none on disk.
    pub fn from_seed(seed: [u8; 32]) -> Self {
        Self { key: SigningKey::from_bytes(&Zeroizing::new(seed)) }
    }

    /// A fresh identity that is kept nowhere.
    pub fn generate() -> Result<Self, IdentityError> {
        let mut seed = Zeroizing::new([0; 32]);
        getrandom::fill(&mut seed[..]).map_err(|_| IdentityError::Random)?;
        Ok(Self { key: SigningKey::from_bytes(&seed) })
    }

    /// The public key.
    pub fn id(&self) -> PeerId {
        PeerId::from_bytes(self.key.verifying_key().to_bytes())
    }

    /// An Ed25519 signature.
    pub(super) fn sign(&self, bytes: &[u8]) -> [u8; 64] {
        self.key.sign(bytes).to_bytes()
    }

    /// The X25519 private key of the same pair, unclamped (RFC 7748; IACR 2021/509).
    pub(super) fn x25519_secret(&self) -> Zeroizing<[u8; 32]> {
        Zeroizing::new(self.key.to_scalar_bytes())
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Identity({})", self.id().short())
    }
}

fn read(file: File, path: &Path) -> Result<Identity, IdentityError> {
    let failed = |source| IdentityError::Io { path: path.to_owned(), source };
    make_private(&file).map_err(failed)?;
    let mut text = Zeroizing::new(Vec::with_capacity(MAX_FILE as usize));
    file.take(MAX_FILE).read_to_end(&mut text).map_err(failed)?;
    parse(&text).ok_or_else(|| IdentityError::Damaged { path: path.to_owned() })
}

fn parse(text: &[u8]) -> Option<Identity> {
    let mut lines = std::str::from_utf8(text).ok()?.lines();
    if lines.next()? != FORMAT {
        return None;
    }
    let seed = Zeroizing::new(HEXLOWER.decode(lines.next()?.as_bytes()).ok()?);
    let seed: Zeroizing<[u8; 32]> = Zeroizing::new(seed.as_slice().try_into().ok()?);
    let identity = Identity { key: SigningKey::from_bytes(&seed) };
    (lines.next()?.parse() == Ok(identity.id()) && lines.next().is_none()).then_some(identity)
}

/// Writes a whole, synced file under another name and links it into place, so that a crash leaves the old state or the new.
fn write_new(profile: &Path, path: &Path, identity: &Identity) -> io::Result<()> {
    let mut random = [0; 8];
    getrandom::fill(&mut random).map_err(|_| io::Error::other("no random numbers"))?;
    let temporary = profile.join(format!("{FILE}.{}.new", HEXLOWER.encode(&random)));
    let placed = write_synced(&temporary, identity).and_then(|()| match fs::hard_link(&temporary, path) {
        // A file system without links: a rename would replace an existing file, so look first.
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists && !path.exists() => fs::rename(&temporary, path),
        linked => linked,
    });
    match fs::remove_file(&temporary) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            tracing::warn!(%error, "a temporary key file stays behind")
        }
        _ => {}
    }
    placed?;
    sync_dir(profile)
}

fn write_synced(path: &Path, identity: &Identity) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    let seed = Zeroizing::new(HEXLOWER.encode(identity.key.as_bytes()));
    let text = Zeroizing::new(format!("{FORMAT}\n{}\n{}\n", *seed, identity.id()));
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

#[cfg(unix)]
fn create_private_dir(path: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    std::os::unix::fs::DirBuilderExt::mode(builder.recursive(true), 0o700);
    builder.create(path)
}

#[cfg(not(unix))]
fn create_private_dir(path: &Path) -> io::Result<()> {
    fs::create_dir_all(path)
}

#[cfg(unix)]
fn make_private(file: &File) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is not a file"));
    }
    if metadata.permissions().mode() & 0o077 != 0 {
        tracing::warn!("others could read the identity file; it is made private");
        file.set_permissions(fs::Permissions::from_mode(0o600))?;
    }
    Ok(())
}

/// Elsewhere the profile's folder lies in the user's own area, whose access list the file inherits.
#[cfg(not(unix))]
fn make_private(_file: &File) -> io::Result<()> {
    Ok(())
}

#[cfg(unix)]
fn sync_dir(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

#[cfg(not(unix))]
fn sync_dir(_path: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identity_is_made_once_and_found_again() {
        let dir = tempfile::tempdir().unwrap();
        let profile = dir.path().join("a/b");
        let first = Identity::load_or_create(&profile).unwrap();
        assert_eq!(Identity::load_or_create(&profile).unwrap().id(), first.id());
        let names: Vec<_> = fs::read_dir(&profile).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(names, [FILE], "nothing else stays behind");
        assert_ne!(Identity::load_or_create(&dir.path().join("c")).unwrap().id(), first.id());
    }

    #[cfg(unix)]
    #[test]
    fn the_file_is_private_and_made_private_again() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let id = Identity::load_or_create(dir.path()).unwrap().id();
        let path = dir.path().join(FILE);
        let mode = || fs::metadata(&path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(), 0o600);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        assert_eq!(Identity::load_or_create(dir.path()).unwrap().id(), id);
        assert_eq!(mode(), 0o600);
    }

    #[test]
    fn a_damaged_file_is_reported_and_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        Identity::load_or_create(dir.path()).unwrap();
        let path = dir.path().join(FILE);
        let whole = fs::read(&path).unwrap();
        let mut flipped = whole.clone();
        flipped[FORMAT.len() + 5] ^= 1;
        let longer = [&whole[..], b"more\n"].concat();
        for damaged in [&whole[..whole.len() / 2], b"", &flipped, &[0xff; 5000], &longer] {
            fs::write(&path, damaged).unwrap();
            assert!(matches!(Identity::load_or_create(dir.path()), Err(IdentityError::Damaged { .. })));
            assert_eq!(fs::read(&path).unwrap(), damaged);
        }
        fs::write(&path, &whole).unwrap();
        assert!(Identity::load_or_create(dir.path()).is_ok());
    }

    #[test]
    fn a_folder_in_its_place_is_an_error() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join(FILE)).unwrap();
        assert!(matches!(Identity::load_or_create(dir.path()), Err(IdentityError::Io { .. })));
    }

    #[test]
    fn processes_that_start_together_agree() {
        let dir = tempfile::tempdir().unwrap();
        let ids: Vec<_> = std::thread::scope(|scope| {
            let start = |_| scope.spawn(|| Identity::load_or_create(dir.path()).unwrap().id());
            let started: Vec<_> = (0..8).map(start).collect();
            started.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        assert!(ids.windows(2).all(|pair| pair[0] == pair[1]));
    }

    #[test]
    fn the_secret_is_not_in_the_debug_text() {
        let text = format!("{:?}", Identity::from_seed([7; 32]));
        assert!(!text.contains("7, 7") && !text.contains("0707"), "{text}");
    }
}
