//! ID of a device: which of a person's profiles an app runs with. It is random, kept in the profile beside the key,
//! and told to people inside the sealed hello alone, so that they take a restarted app for the same device and another
//! device of the same person for another one. No server and no announcement has it.
//!
//! The file names the profile's folder as well, by its number in the file system (inode): a copy of the profile in the
//! same file system is another device. A copy that keeps the number is not told apart: on Windows, in a snapshot or a
//! clone of a disk or a virtual machine, or in another file system where the number happens to be the same. Two such
//! profiles that run at once take turns at being the one device of their person on a network; `device.id`, deleted in
//! one of them, comes anew.

use std::fmt;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;
use std::str::FromStr;

use super::{private_file, random_bits};

const FILE: &str = "device.id";
/// Bytes of the file that are read; a longer one is none of ours.
const MAX_FILE: u64 = 128;

/// An ID: 128 random bits, written as 32 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DeviceId([u8; random_bits::LEN]);

/// A text that is no ID of a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this is not the ID of a device")]
pub struct ParseDeviceIdError;

impl DeviceId {
    /// A new ID; `None` where the system has no random numbers.
    pub fn random() -> Option<Self> {
        random_bits::random().map(Self)
    }

    /// An ID by its bytes.
    pub const fn from_bytes(bytes: [u8; random_bits::LEN]) -> Self {
        Self(bytes)
    }

    /// The ID of a profile, whose folder exists, made now if it has none yet. Where it cannot be kept, the ID is good
    /// for this run alone. `None` where the system has no random numbers.
    pub fn of_profile(profile: &Path) -> Option<Self> {
        let path = profile.join(FILE);
        let folder = folder_number(profile);
        match read(&path, folder) {
            Ok(Some(id)) => return Some(id),
            Ok(None) => {}
            Err(error) => {
                tracing::warn!(%error, "the device's ID cannot be read; this run has another one");
                return Self::random();
            }
        }
        let id = Self::random()?;
        if let Err(error) = private_file::write_new(&path, format!("{id}\n{folder}\n").as_bytes()) {
            tracing::warn!(%error, "the device's ID cannot be kept; the next run has another one");
        }
        Some(id)
    }

    /// Has the profile make another ID: its identity comes from another device, or goes to one.
    pub(super) fn forget(profile: &Path) {
        match fs::remove_file(profile.join(FILE)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                tracing::warn!(%error, "the profile keeps the ID of its device");
            }
            _ => {}
        }
    }
}

/// Number of a folder in its file system; 0 where there is none.
fn folder_number(folder: &Path) -> u64 {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        folder.metadata().map_or(0, |metadata| metadata.ino())
    }
    #[cfg(not(unix))]
    {
        let _ = folder;
        0
    }
}

/// The ID in a file; `None` where there is no file, or one that was removed, as it holds no ID of this folder.
fn read(path: &Path, folder: u64) -> io::Result<Option<DeviceId>> {
    let file = match private_file::open(path, File::options().read(true)) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let mut text = Vec::new();
    file.take(MAX_FILE).read_to_end(&mut text)?;
    let id = parse(&text, folder);
    if id.is_none() {
        tracing::info!("the device's ID is of another folder, or damaged; there will be another one");
        fs::remove_file(path)?;
    }
    Ok(id)
}

fn parse(text: &[u8], folder: u64) -> Option<DeviceId> {
    let mut words = std::str::from_utf8(text).ok()?.split_ascii_whitespace();
    let id = words.next()?.parse().ok()?;
    (words.next()?.parse() == Ok(folder) && words.next().is_none()).then_some(id)
}

impl fmt::Display for DeviceId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&random_bits::to_text(&self.0))
    }
}

/// Without its bytes: the log is not to tell devices apart.
impl fmt::Debug for DeviceId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("DeviceId")
    }
}

impl FromStr for DeviceId {
    type Err = ParseDeviceIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        random_bits::of_text(text).map(Self).ok_or(ParseDeviceIdError)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_profile_has_one_id_for_good_and_another_profile_has_another() {
        let [one, other] = [(); 2].map(|()| tempfile::tempdir().unwrap());
        let id = DeviceId::of_profile(one.path()).unwrap();
        assert_eq!(DeviceId::of_profile(one.path()), Some(id));
        assert_ne!(DeviceId::of_profile(other.path()), Some(id));
        DeviceId::forget(one.path());
        DeviceId::forget(one.path());
        assert_ne!(DeviceId::of_profile(one.path()), Some(id));
    }

    #[cfg(unix)]
    #[test]
    fn a_copy_of_a_profile_is_another_device_and_one_that_was_moved_is_not() {
        let home = tempfile::tempdir().unwrap();
        let [one, copy, moved] = ["one", "copy", "moved"].map(|name| home.path().join(name));
        for folder in [&one, &copy] {
            fs::create_dir(folder).unwrap();
        }
        let id = DeviceId::of_profile(&one).unwrap();
        fs::copy(one.join(FILE), copy.join(FILE)).unwrap();
        let other = DeviceId::of_profile(&copy).unwrap();
        assert_ne!(other, id);
        assert_eq!(DeviceId::of_profile(&copy), Some(other), "for good");
        fs::rename(&one, &moved).unwrap();
        assert_eq!(DeviceId::of_profile(&moved), Some(id));
    }

    #[test]
    fn a_damaged_file_is_replaced_and_one_that_is_no_file_is_left_alone() {
        let profile = tempfile::tempdir().unwrap();
        let path = profile.path().join(FILE);
        for damaged in [&b""[..], b"no ID", &[0xff; 32], &[b'a'; 32], &[b'a'; 1000]] {
            fs::write(&path, damaged).unwrap();
            let id = DeviceId::of_profile(profile.path());
            assert!(id.is_some());
            assert_eq!(DeviceId::of_profile(profile.path()), id, "{damaged:?}");
        }
        fs::remove_file(&path).unwrap();
        fs::create_dir(&path).unwrap();
        let runs = [(); 2].map(|()| DeviceId::of_profile(profile.path()).unwrap());
        assert_ne!(runs[0], runs[1], "it cannot be kept");
        assert!(path.is_dir());
    }

    #[test]
    fn an_id_is_32_digits_and_its_debug_form_tells_nothing() {
        let id = DeviceId::from_bytes([0xa7; 16]);
        assert_eq!((id.to_string(), id.to_string().to_uppercase().parse()), ("a7".repeat(16), Ok(id)));
        for wrong in ["", "a7", &"a7".repeat(17), &"g7".repeat(16)] {
            assert_eq!(wrong.parse::<DeviceId>(), Err(ParseDeviceIdError), "{wrong}");
        }
        assert!(!format!("{id:?}").contains("a7"));
    }
}
