//! This person's own key: an Ed25519 seed (RFC 8032) in `identity.key` of the profile, made at the first start. Read
//! once by the controller; lives in one `Arc<Identity>` and is wiped from memory with it.
//!
//! The file has three lines: a format name, the seed as 64 hexadecimal digits, and the ID that it makes, so that damage
//! is noticed instead of giving the person another identity. White space around them, which editors and copying leave,
//! is passed over.

use std::fmt;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use data_encoding::{HEXLOWER, HEXLOWER_PERMISSIVE};
use ed25519_dalek::{Signer, SigningKey};
use zeroize::Zeroizing;

use super::device_id::DeviceId;
use super::{PeerId, private_file};

const FILE: &str = "identity.key";
const FORMAT: &str = "visavis-identity-1";
/// Bytes of the file that are read; a longer one is none of ours.
const MAX_FILE: u64 = 16 * 1024;

/// This person's key pair.
pub struct Identity {
    /// Zeroes itself when dropped.
    key: SigningKey,
}

/// Result of [`Identity::install`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Installed {
    /// The profile had none.
    New,
    /// The earlier one is in this file.
    Replaced {
        /// Beside the new one.
        kept: PathBuf,
    },
    /// The profile has another one, and nothing was changed.
    Refused,
}

/// Why there is no identity: one plain sentence each. Nothing is ever overwritten: a damaged file stays where it is.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// No space is left for a new one.
    #[error("The disk is full, so no identity could be saved in {}. Free some space and try again.", .path.display())]
    DiskFull {
        /// Where.
        path: PathBuf,
    },
    /// The system lets this program not read or write the file.
    #[error(
        "Visavis may not use the identity file {}. Check its permissions and its folder's, or choose another profile \
         with --profile.",
        .path.display()
    )]
    Forbidden {
        /// Where.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// Something else stands in the file's place.
    #[error(
        "The identity file {} is a link, a pipe or a folder, and was left alone. Put your identity.key there as a file, \
         or move the thing away to start with a new identity.",
        .path.display()
    )]
    NotAFile {
        /// Where.
        path: PathBuf,
    },
    /// The file or its folder fails in another way.
    #[error("The identity file {} could not be read or written: {source}. Check the disk that it is on.", .path.display())]
    Io {
        /// Where.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file is there, but it is not a whole identity.
    #[error(
        "The identity file {} is damaged. Restore it from a backup, or move it away to start with a new identity.",
        .path.display()
    )]
    Damaged {
        /// Where.
        path: PathBuf,
    },
    /// The system gave no random numbers.
    #[error("The system's random source failed, so no identity could be made. Start Visavis again.")]
    Random,
}

impl IdentityError {
    fn of(path: &Path, source: io::Error) -> Self {
        let path = path.to_owned();
        match source.kind() {
            _ if private_file::is_not_a_file(&source) => Self::NotAFile { path },
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::DiskFull { path },
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => Self::Forbidden { path, source },
            _ => Self::Io { path, source },
        }
    }
}

impl Identity {
    /// The profile's identity, made now if it has none yet. Creates the folder. A file that others can read is made
    /// private again.
    pub fn load_or_create(profile: &Path) -> Result<Self, IdentityError> {
        let path = profile.join(FILE);
        let failed = |source| IdentityError::of(&path, source);
        if let Some(identity) = Self::load(&path)? {
            return Ok(identity);
        }
        let identity = Self::generate()?;
        private_file::private_dir(profile, true).map_err(failed)?;
        // The ID belongs to an identity that was here before: nobody is to tell that the two share a device.
        DeviceId::forget(profile);
        match private_file::write_new(&path, identity.file_text().as_bytes()) {
            Ok(()) => Ok(identity),
            // Another process made one first: that one counts.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                Self::load(&path)?.ok_or_else(|| failed(error))
            }
            Err(error) => Err(failed(error)),
        }
    }

    /// The profile's identity; `None` where it has none yet.
    pub fn load_existing(profile: &Path) -> Result<Option<Self>, IdentityError> {
        Self::load(&profile.join(FILE))
    }

    /// Makes this the identity of a profile, whose folder exists. An identity file that is there, readable or not, is
    /// left in its place without `replace`, and kept under another name in the same folder with it. The profile gets
    /// another [`DeviceId`].
    ///
    /// # Errors
    ///
    /// Those of the disk; the earlier identity is in its place then.
    pub fn install(&self, profile: &Path, replace: bool) -> Result<Installed, IdentityError> {
        let path = profile.join(FILE);
        let failed = |source| IdentityError::of(&path, source);
        let is_new = private_file::check(&path).map_err(failed)?.is_none();
        if !is_new && !replace {
            return Ok(Installed::Refused);
        }
        DeviceId::forget(profile);
        if is_new {
            private_file::write_new(&path, self.file_text().as_bytes()).map_err(failed)?;
            return Ok(Installed::New);
        }
        let random = private_file::random_name().map_err(failed)?;
        let (aside, new) = (profile.join(format!("{FILE}.{random}.old")), profile.join(format!("{FILE}.{random}.new")));
        fs::copy(&path, &aside).map_err(failed)?;
        let kept = private_file::open(&aside, File::options().read(true).write(true)).map_err(failed)?;
        private_file::make_private(&kept).and_then(|_| kept.sync_all()).map_err(failed)?;
        // A crash leaves the earlier identity in its place, or this one.
        if let Err(error) =
            private_file::write_synced(&new, self.file_text().as_bytes()).and_then(|()| fs::rename(&new, &path))
        {
            for file in [&new, &aside] {
                if let Err(error) = fs::remove_file(file) {
                    tracing::debug!(%error, "a temporary key file stays behind");
                }
            }
            return Err(failed(error));
        }
        private_file::sync_dir(profile).map_err(failed)?;
        Ok(Installed::Replaced { kept: aside })
    }

    /// Whether the profile has an identity file, readable or not.
    pub fn exists(profile: &Path) -> bool {
        profile.join(FILE).symlink_metadata().is_ok()
    }

    /// The identity in a file; `None` where there is no file.
    fn load(path: &Path) -> Result<Option<Self>, IdentityError> {
        match private_file::open(path, File::options().read(true)) {
            Ok(file) => read(&file, path).map(Some),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(IdentityError::of(path, error)),
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

    /// Content of the identity's file.
    fn file_text(&self) -> Zeroizing<String> {
        let seed = Zeroizing::new(HEXLOWER.encode(self.key.as_bytes()));
        Zeroizing::new(format!("{FORMAT}\n{}\n{}\n", *seed, self.id()))
    }

    /// The secret seed (RFC 8032, 5.1.5).
    pub(super) fn seed(&self) -> Zeroizing<[u8; 32]> {
        Zeroizing::new(self.key.to_bytes())
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

/// Reads before anything about the file is changed: only one that holds an identity is made private.
fn read(file: &File, path: &Path) -> Result<Identity, IdentityError> {
    let mut text = Zeroizing::new(Vec::with_capacity(MAX_FILE as usize + 1));
    file.take(MAX_FILE + 1).read_to_end(&mut text).map_err(|source| IdentityError::of(path, source))?;
    let identity = parse(&text).ok_or_else(|| IdentityError::Damaged { path: path.to_owned() })?;
    match private_file::make_private(file) {
        Ok(true) => tracing::warn!("others could read the identity file; it was made private"),
        Ok(false) => {}
        // As on a disk that may only be read.
        Err(error) => tracing::warn!("others can read the identity file, and it cannot be made private: {error}"),
    }
    Ok(identity)
}

fn parse(text: &[u8]) -> Option<Identity> {
    if text.len() as u64 > MAX_FILE {
        return None;
    }
    let text = std::str::from_utf8(text).ok()?;
    let mut words = text.strip_prefix('\u{feff}').unwrap_or(text).split_ascii_whitespace();
    if words.next()? != FORMAT {
        return None;
    }
    let seed = Zeroizing::new(HEXLOWER_PERMISSIVE.decode(words.next()?.as_bytes()).ok()?);
    let seed: Zeroizing<[u8; 32]> = Zeroizing::new(seed.as_slice().try_into().ok()?);
    let identity = Identity { key: SigningKey::from_bytes(&seed) };
    (words.next()?.parse() == Ok(identity.id()) && words.next().is_none()).then_some(identity)
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
    fn an_imported_identity_replaces_another_only_when_asked_and_keeps_it() {
        let dir = tempfile::tempdir().unwrap();
        let (mine, other) = (Identity::from_seed([1; 32]), Identity::from_seed([2; 32]));
        let present = || Identity::load_existing(dir.path()).unwrap().map(|identity| identity.id());
        assert_eq!(present(), None);
        assert_eq!(mine.install(dir.path(), false).unwrap(), Installed::New);
        assert_eq!(present(), Some(mine.id()));
        let device = DeviceId::of_profile(dir.path());
        assert_eq!(other.install(dir.path(), false).unwrap(), Installed::Refused);
        assert_eq!((present(), DeviceId::of_profile(dir.path())), (Some(mine.id()), device));
        let replaced = |by: &Identity| match by.install(dir.path(), true).unwrap() {
            Installed::Replaced { kept } => kept,
            done => panic!("{done:?}"),
        };
        let aside = replaced(&other);
        assert_eq!(present(), Some(other.id()));
        assert!(!dir.path().join("device.id").exists(), "the profile is another device from now on");
        assert_eq!(Identity::load(&aside).unwrap().unwrap().id(), mine.id());
        // A damaged one is kept as it is.
        fs::write(dir.path().join(FILE), b"damaged").unwrap();
        let aside = replaced(&mine);
        assert_eq!((present(), fs::read(aside).unwrap()), (Some(mine.id()), b"damaged".to_vec()));
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 3, "nothing else stays behind");
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
    fn white_space_that_editors_leave_is_passed_over() {
        let dir = tempfile::tempdir().unwrap();
        let id = Identity::load_or_create(dir.path()).unwrap().id();
        let path = dir.path().join(FILE);
        let whole = fs::read_to_string(&path).unwrap();
        let seed = whole.lines().nth(1).unwrap().to_owned();
        for edited in [
            format!("{whole}\n"),
            format!("{whole}\r\n\r\n"),
            whole.replace('\n', "\r\n"),
            whole.trim_end().to_owned(),
            format!("\u{feff}\n{whole}{}", " \n".repeat(1000)),
            whole.replace('\n', " \t\n\n"),
            whole.replace(&seed, &seed.to_uppercase()),
        ] {
            fs::write(&path, &edited).unwrap();
            assert_eq!(Identity::load_or_create(dir.path()).unwrap().id(), id, "{edited:?}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn what_stands_in_its_place_is_told_and_left_alone() {
        use std::os::unix::fs::{PermissionsExt, symlink};
        let elsewhere = tempfile::tempdir().unwrap();
        Identity::load_or_create(elsewhere.path()).unwrap();
        let target = elsewhere.path().join(FILE);
        fs::set_permissions(&target, fs::Permissions::from_mode(0o644)).unwrap();
        let refused = |put: &dyn Fn(&Path)| {
            let dir = tempfile::tempdir().unwrap();
            put(&dir.path().join(FILE));
            let error = Identity::load_or_create(dir.path()).unwrap_err();
            assert!(matches!(error, IdentityError::NotAFile { .. }), "{error}");
            assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
        };
        refused(&|path| fs::create_dir(path).unwrap());
        refused(&|path| symlink(&target, path).unwrap());
        refused(&|path| symlink(elsewhere.path().join("absent"), path).unwrap());
        refused(&|path| drop(std::os::unix::net::UnixListener::bind(path).unwrap()));
        assert_eq!(fs::metadata(&target).unwrap().permissions().mode() & 0o777, 0o644);
        assert!(!elsewhere.path().join("absent").exists());
    }

    #[test]
    fn each_reason_has_its_sentence() {
        let path = Path::new("/p/identity.key");
        for (kind, words) in [
            (io::ErrorKind::StorageFull, "The disk is full"),
            (io::ErrorKind::ReadOnlyFilesystem, "may not use"),
            (io::ErrorKind::PermissionDenied, "may not use"),
            (io::ErrorKind::TimedOut, "could not be read or written"),
        ] {
            let sentence = IdentityError::of(path, kind.into()).to_string();
            assert!(sentence.contains(words) && sentence.contains("/p/identity.key"), "{sentence}");
        }
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
