//! Sentences about a start that failed, in the words of the window.

use std::path::Path;

use crate::controller::StoreFault;
use crate::identity::IdentityError;
use crate::store::{ProfileError, StoreError};

use super::{Text, Words};

impl Words {
    /// Why the program does not start: one sentence. An error that the catalogue does not know speaks for itself.
    pub fn start_error(self, error: &anyhow::Error) -> String {
        if let Some(error) = error.downcast_ref::<ProfileError>() {
            self.profile_error(error)
        } else if let Some(error) = error.downcast_ref::<IdentityError>() {
            self.identity_error(error)
        } else if let Some(error) = error.downcast_ref::<StoreError>() {
            self.store_error(error)
        } else {
            error.to_string()
        }
    }

    fn with_path(self, key: Text, path: &Path) -> String {
        self.fill(key, &[("path", &path.display().to_string())])
    }

    fn profile_error(self, error: &ProfileError) -> String {
        match error {
            ProfileError::NoHome => self.get(Text::ProfileNoHome).to_owned(),
            ProfileError::NotWritable { dir, .. } => self.with_path(Text::ProfileNotWritable, dir),
            ProfileError::DiskFull { dir } => self.with_path(Text::ProfileFull, dir),
            ProfileError::NotAFile { path } => self.with_path(Text::ProfileNotAFile, path),
            ProfileError::InUse => self.get(Text::ProfileInUse).to_owned(),
        }
    }

    fn identity_error(self, error: &IdentityError) -> String {
        match error {
            IdentityError::DiskFull { path } => self.with_path(Text::IdentityFull, path),
            IdentityError::Forbidden { path, .. } => self.with_path(Text::IdentityForbidden, path),
            IdentityError::NotAFile { path } => self.with_path(Text::IdentityNotAFile, path),
            IdentityError::Io { path, .. } => self.with_path(Text::IdentityFailed, path),
            IdentityError::Damaged { path } => self.with_path(Text::IdentityDamaged, path),
            IdentityError::Random => self.get(Text::IdentityNoRandom).to_owned(),
        }
    }

    fn store_error(self, error: &StoreError) -> String {
        match error {
            StoreError::NotAFile { path } => self.with_path(Text::ProfileNotAFile, path),
            error => self.get(Text::store_fault(StoreFault::from(error))).to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Language;

    #[test]
    fn each_reason_is_told_in_both_languages_with_its_place() {
        let path = || Path::new("/p/x").to_owned();
        let full = || std::io::Error::from(std::io::ErrorKind::StorageFull);
        for (error, english, chinese) in [
            (anyhow::Error::from(ProfileError::DiskFull { dir: path() }), "The disk is full", "磁盘已满"),
            (ProfileError::NotAFile { path: path() }.into(), "/p/x is a link", "/p/x 是链接"),
            (ProfileError::InUse.into(), "running already", "已在使用"),
            (IdentityError::Damaged { path: path() }.into(), "/p/x is damaged", "/p/x 已损坏"),
            (IdentityError::NotAFile { path: path() }.into(), "/p/x is a link", "/p/x 是链接"),
            (StoreError::DiskFull(full().into()).into(), "The disk is full", "磁盘已满"),
            (StoreError::Emptied.into(), "are lost", "已丢失"),
            (StoreError::NotAFile { path: path() }.into(), "/p/x is a link", "/p/x 是链接"),
            (anyhow::anyhow!("other"), "other", "other"),
        ] {
            for (language, words) in [(Language::English, english), (Language::SimplifiedChinese, chinese)] {
                let told = Words::of(language, "").start_error(&error);
                assert!(told.contains(words), "{told}");
            }
        }
    }
}
