//! Backup of the identity: a small text file that a passphrase opens. Pure; reading and writing it is the command
//! line's.
//!
//! Three lines: a format name, a salt of 16 bytes, and the seed (32 bytes) sealed with its tag (16 bytes), both as
//! hexadecimal digits. The key is scrypt (RFC 7914) of passphrase and salt, the seal ChaCha20-Poly1305 (RFC 8439) with
//! the format name and the salt as associated data; the nonce is zero, because each file has a key of its own. The cost
//! is a part of the format and not of the file, so no file can ask for more memory or time: N = 2^17, r = 8, p = 1
//! (128 MiB, some tenths of a second). The file does not tell whose key it holds.

use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{ChaCha20Poly1305, Key, Nonce};
use data_encoding::{HEXLOWER, HEXLOWER_PERMISSIVE};
use zeroize::Zeroizing;

use super::Identity;

const FORMAT_START: &str = "visavis-identity-backup-";
const FORMAT: &str = "visavis-identity-backup-1";
const SALT_BYTES: usize = 16;
const SEALED_BYTES: usize = 32 + 16;
const LOG_N: u8 = 17;
const R: u32 = 8;
const P: u32 = 1;

/// Bytes of a backup file that are read; a longer one is none of ours.
pub const MAX_BACKUP: u64 = 4096;
/// Characters of a passphrase with which a backup is made, at least.
pub const MIN_PASSPHRASE_CHARS: usize = 10;

/// Reason why a backup is not made or not opened. `Display` is the sentence for a person.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// Too short to protect anything from somebody who has the file.
    #[error(
        "The passphrase has fewer than {MIN_PASSPHRASE_CHARS} characters. Choose a longer one, such as five words."
    )]
    ShortPassphrase,
    /// Not a backup, or cut off.
    #[error(
        "The file is no identity backup of Visavis, or it is damaged. Choose the file that `identity export` made."
    )]
    Damaged,
    /// Another format.
    #[error("A newer Visavis made this backup. Import it with that version.")]
    Newer,
    /// The seal does not open, for one of two reasons that cannot be told apart.
    #[error("The passphrase is wrong, or the file was changed. Try again, or take another copy of the backup.")]
    WrongPassphrase,
    /// The system gave no random numbers, or the seal failed.
    #[error("The system's random source failed, so no backup was made. Try again.")]
    NotMade,
}

/// The text of a backup of `identity` for this passphrase.
///
/// # Errors
///
/// A passphrase that is too short, or a system without random numbers.
pub fn make_backup(identity: &Identity, passphrase: &str) -> Result<String, BackupError> {
    if passphrase.chars().count() < MIN_PASSPHRASE_CHARS {
        return Err(BackupError::ShortPassphrase);
    }
    let mut salt = [0; SALT_BYTES];
    getrandom::fill(&mut salt).map_err(|_| BackupError::NotMade)?;
    let seed = identity.seed();
    let payload = Payload { msg: &seed[..], aad: &associated(&salt) };
    let sealed = cipher(passphrase, &salt).and_then(|cipher| cipher.encrypt(&Nonce::default(), payload).ok());
    let sealed = sealed.ok_or(BackupError::NotMade)?;
    Ok(format!("{FORMAT}\n{}\n{}\n", HEXLOWER.encode(&salt), HEXLOWER.encode(&sealed)))
}

/// The identity in the text of a backup. White space that editors and mail programs leave is passed over.
///
/// # Errors
///
/// Anything but a whole backup of this version, or another passphrase.
pub fn open_backup(text: &[u8], passphrase: &str) -> Result<Identity, BackupError> {
    let text = std::str::from_utf8(text).map_err(|_| BackupError::Damaged)?;
    let mut words = text.strip_prefix('\u{feff}').unwrap_or(text).split_ascii_whitespace();
    match words.next() {
        Some(FORMAT) => {}
        Some(other) if is_newer(other) => return Err(BackupError::Newer),
        _ => return Err(BackupError::Damaged),
    }
    let salt: [u8; SALT_BYTES] = bytes(words.next())?;
    let sealed: [u8; SEALED_BYTES] = bytes(words.next())?;
    if words.next().is_some() {
        return Err(BackupError::Damaged);
    }
    let payload = Payload { msg: &sealed, aad: &associated(&salt) };
    let opened = cipher(passphrase, &salt).and_then(|cipher| cipher.decrypt(&Nonce::default(), payload).ok());
    let opened = Zeroizing::new(opened.ok_or(BackupError::WrongPassphrase)?);
    let seed: Zeroizing<[u8; 32]> = Zeroizing::new(opened.as_slice().try_into().map_err(|_| BackupError::Damaged)?);
    Ok(Identity::from_seed(*seed))
}

/// A format of this kind with a higher number.
fn is_newer(format: &str) -> bool {
    format.strip_prefix(FORMAT_START).and_then(|number| number.parse::<u32>().ok()).is_some_and(|number| number > 1)
}

fn bytes<const COUNT: usize>(word: Option<&str>) -> Result<[u8; COUNT], BackupError> {
    let decoded = word.and_then(|word| HEXLOWER_PERMISSIVE.decode(word.as_bytes()).ok());
    decoded.and_then(|bytes| bytes.try_into().ok()).ok_or(BackupError::Damaged)
}

fn associated(salt: &[u8]) -> Vec<u8> {
    [FORMAT.as_bytes(), salt].concat()
}

/// `None` is never the case with these parameters.
fn cipher(passphrase: &str, salt: &[u8]) -> Option<ChaCha20Poly1305> {
    let mut key = Zeroizing::new([0; 32]);
    let parameters = scrypt::Params::new(LOG_N, R, P).ok()?;
    scrypt::scrypt(passphrase.as_bytes(), salt, &parameters, &mut key[..]).ok()?;
    Some(ChaCha20Poly1305::new(&Key::from(*key)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const PASSPHRASE: &str = "correct horse battery staple";

    fn identity() -> Identity {
        Identity::from_seed([7; 32])
    }

    #[test]
    fn a_backup_is_opened_by_its_passphrase_alone_and_tells_nothing() {
        let text = make_backup(&identity(), PASSPHRASE).unwrap();
        assert_eq!(open_backup(text.as_bytes(), PASSPHRASE).unwrap().id(), identity().id());
        assert!(matches!(
            open_backup(text.as_bytes(), "correct horse battery stapler"),
            Err(BackupError::WrongPassphrase)
        ));
        assert!(!text.contains(&"07".repeat(8)) && !text.contains(&identity().id().to_string()));
        assert_ne!(make_backup(&identity(), PASSPHRASE).unwrap(), text, "another salt each time");
        assert!(text.len() as u64 <= MAX_BACKUP);
    }

    /// Made apart from this code, with Python's hashlib.scrypt and ChaCha20Poly1305 of `cryptography`.
    #[test]
    fn a_backup_of_this_version_is_read_for_good() {
        let text = concat!(
            "visavis-identity-backup-1\n000102030405060708090a0b0c0d0e0f\n",
            "b09d577371aa269bbbdc45cd88b8fa262c7829241a9bb25e",
            "d206e55788ecacab0128c94433e2a7ef0ae57646df7c456a\n"
        );
        assert_eq!(open_backup(text.as_bytes(), PASSPHRASE).unwrap().id(), identity().id());
    }

    #[test]
    fn white_space_and_capitals_are_passed_over() {
        let text = make_backup(&identity(), PASSPHRASE).unwrap();
        let edited = format!("\u{feff}{}\r\n\r\n", text.replace('\n', "\r\n  "));
        assert_eq!(open_backup(edited.as_bytes(), PASSPHRASE).unwrap().id(), identity().id());
    }

    #[test]
    fn each_damage_has_its_reason() {
        let text = make_backup(&identity(), PASSPHRASE).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        let flipped = |line: &str| format!("{}{}", if line.starts_with('0') { '1' } else { '0' }, &line[1..]);
        let refused = |text: &str| open_backup(text.as_bytes(), PASSPHRASE).unwrap_err();
        for changed in [
            format!("{}\n{}\n{}\n", lines[0], flipped(lines[1]), lines[2]),
            format!("{}\n{}\n{}\n", lines[0], lines[1], flipped(lines[2])),
        ] {
            assert!(matches!(refused(&changed), BackupError::WrongPassphrase), "{changed}");
        }
        for damaged in [
            "",
            "visavis-identity-1\n",
            lines[0],
            &text[..text.len() - 3],
            &format!("{text}more"),
            &text.replace(FORMAT, "visavis-identity-backup-0"),
            &text.replace(FORMAT, "visavis-identity-backup-x"),
        ] {
            assert!(matches!(refused(damaged), BackupError::Damaged), "{damaged}");
        }
        assert!(matches!(refused(&text.replace(FORMAT, "visavis-identity-backup-2")), BackupError::Newer));
        assert!(matches!(open_backup(&[0xff; 100], PASSPHRASE), Err(BackupError::Damaged)));
    }

    #[test]
    fn a_short_passphrase_makes_no_backup() {
        for short in ["", "123456789", "äöüäöüäöü"] {
            assert!(matches!(make_backup(&identity(), short), Err(BackupError::ShortPassphrase)), "{short}");
        }
    }

    proptest! {
        /// Bytes that are no backup are refused before any key is derived.
        #[test]
        fn any_bytes_are_refused(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            prop_assert!(open_backup(&bytes, PASSPHRASE).is_err());
        }
    }
}
