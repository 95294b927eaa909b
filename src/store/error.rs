//! Errors of the store.

use std::error::Error;
use std::io;
use std::path::PathBuf;

use rusqlite::{ErrorCode, ffi};

use crate::identity::private_file;

/// Fault of the store: one plain sentence each, with the remedy; `source` has the detail for the log.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// No space is left.
    #[error("The disk is full, so Visavis cannot save. Free some space and try again.")]
    DiskFull(#[source] Box<dyn Error + Send + Sync>),
    /// The file or its folder cannot be written.
    #[error(
        "Visavis may not write to its data folder, so nothing is saved. Check the folder's permissions, or choose \
         another with --profile."
    )]
    NotWritable(#[source] Box<dyn Error + Send + Sync>),
    /// The disk fails.
    #[error("The disk that Visavis's data are on reports an error. Check the disk, and make a backup of the data.")]
    DiskFailed(#[source] Box<dyn Error + Send + Sync>),
    /// The file has a schema that this version does not know; nothing was changed.
    #[error("The data was saved by a newer version of Visavis and was left as it is. Start the newer version.")]
    MadeByNewerVersion,
    /// The file is no database, or damaged; it was left as it is.
    #[error("The data file visavis.db is damaged. Rename it and start again to begin with an empty one.")]
    Damaged(#[source] Box<dyn Error + Send + Sync>),
    /// The file has lost all that was in it; it was left as it is.
    #[error(
        "The data file visavis.db is empty: the contacts, the history and the settings in it are lost. Put a backup in \
         its place, or delete it and start again without them."
    )]
    Emptied,
    /// Something else stands in the place of a file.
    #[error("{} is a link, a pipe or a folder, and was left alone. Move it away and start again.", .path.display())]
    NotAFile {
        /// The file.
        path: PathBuf,
    },
    /// Another program holds the file.
    #[error("Another program is using Visavis's data file. Close it and try again.")]
    Busy(#[source] Box<dyn Error + Send + Sync>),
    /// Anything else.
    #[error("Visavis could not read or save its data. Try again, and look into the log if it happens again.")]
    Other(#[source] Box<dyn Error + Send + Sync>),
}

impl StoreError {
    /// Fault in an attempt to open or make a file.
    pub(super) fn of_file(path: PathBuf, error: io::Error) -> Self {
        match error.kind() {
            _ if private_file::is_not_a_file(&error) => Self::NotAFile { path },
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::DiskFull(error.into()),
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem | io::ErrorKind::NotFound => {
                Self::NotWritable(error.into())
            }
            _ => Self::DiskFailed(error.into()),
        }
    }

    /// Whether the data can be whole and readable all the same.
    pub(super) const fn leaves_reading(&self) -> bool {
        matches!(self, Self::DiskFull(_) | Self::NotWritable(_) | Self::DiskFailed(_))
    }
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        let extended = error.sqlite_error().map_or(0, |inner| inner.extended_code);
        match (error.sqlite_error_code(), extended) {
            // SQLite names a full disk so only where a page is written.
            (Some(ErrorCode::DiskFull), _) | (_, ffi::SQLITE_IOERR_WRITE | ffi::SQLITE_IOERR_SHMSIZE) => {
                Self::DiskFull(error.into())
            }
            (Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt | ErrorCode::TypeMismatch), _)
            | (_, ffi::SQLITE_IOERR_SHORT_READ | ffi::SQLITE_IOERR_CORRUPTFS | ffi::SQLITE_IOERR_DATA) => {
                Self::Damaged(error.into())
            }
            (Some(ErrorCode::ReadOnly | ErrorCode::CannotOpen | ErrorCode::PermissionDenied), _)
            | (_, ffi::SQLITE_IOERR_ACCESS | ffi::SQLITE_IOERR_SHMOPEN | ffi::SQLITE_IOERR_SHMMAP) => {
                Self::NotWritable(error.into())
            }
            (Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked | ErrorCode::FileLockingProtocolFailed), _) => {
                Self::Busy(error.into())
            }
            (Some(ErrorCode::SystemIoFailure), _) => Self::DiskFailed(error.into()),
            // The content of the file is of another kind than what was put there.
            (None, _) if is_of_another_kind(&error) => Self::Damaged(error.into()),
            _ => Self::Other(error.into()),
        }
    }
}

const fn is_of_another_kind(error: &rusqlite::Error) -> bool {
    use rusqlite::Error;
    matches!(
        error,
        Error::FromSqlConversionFailure(..)
            | Error::IntegralValueOutOfRange(..)
            | Error::Utf8Error(..)
            | Error::InvalidColumnType(..)
    )
}

impl From<rusqlite_migration::Error> for StoreError {
    fn from(error: rusqlite_migration::Error) -> Self {
        match error {
            rusqlite_migration::Error::RusqliteError { err, .. } => err.into(),
            other => Self::Other(other.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_code_of_sqlite_has_its_reason() {
        type Is = fn(&StoreError) -> bool;
        let full: Is = |error| matches!(error, StoreError::DiskFull(_));
        let forbidden: Is = |error| matches!(error, StoreError::NotWritable(_));
        let damaged: Is = |error| matches!(error, StoreError::Damaged(_));
        let busy: Is = |error| matches!(error, StoreError::Busy(_));
        let failed: Is = |error| matches!(error, StoreError::DiskFailed(_));
        for (code, is) in [
            (ffi::SQLITE_FULL, full),
            (ffi::SQLITE_IOERR_WRITE, full),
            (ffi::SQLITE_IOERR_SHMSIZE, full),
            (ffi::SQLITE_READONLY, forbidden),
            (ffi::SQLITE_READONLY_DBMOVED, forbidden),
            (ffi::SQLITE_READONLY_DIRECTORY, forbidden),
            (ffi::SQLITE_CANTOPEN, forbidden),
            (ffi::SQLITE_CANTOPEN_ISDIR, forbidden),
            (ffi::SQLITE_PERM, forbidden),
            (ffi::SQLITE_IOERR_ACCESS, forbidden),
            (ffi::SQLITE_IOERR_SHMOPEN, forbidden),
            (ffi::SQLITE_NOTADB, damaged),
            (ffi::SQLITE_CORRUPT, damaged),
            (ffi::SQLITE_CORRUPT_INDEX, damaged),
            (ffi::SQLITE_IOERR_SHORT_READ, damaged),
            (ffi::SQLITE_BUSY, busy),
            (ffi::SQLITE_BUSY_RECOVERY, busy),
            (ffi::SQLITE_LOCKED, busy),
            (ffi::SQLITE_PROTOCOL, busy),
            (ffi::SQLITE_IOERR_READ, failed),
            (ffi::SQLITE_IOERR_FSYNC, failed),
        ] {
            let error = StoreError::from(rusqlite::Error::SqliteFailure(ffi::Error::new(code), None));
            assert!(is(&error), "{code}: {error:?}");
        }
    }

    #[test]
    fn each_answer_of_the_system_has_its_reason() {
        let of = |kind: io::ErrorKind| StoreError::of_file("x".into(), kind.into());
        assert!(matches!(of(io::ErrorKind::StorageFull), StoreError::DiskFull(_)));
        assert!(matches!(of(io::ErrorKind::QuotaExceeded), StoreError::DiskFull(_)));
        assert!(matches!(of(io::ErrorKind::ReadOnlyFilesystem), StoreError::NotWritable(_)));
        assert!(matches!(of(io::ErrorKind::PermissionDenied), StoreError::NotWritable(_)));
        let link = StoreError::of_file("x".into(), private_file::NotAFile.into());
        assert!(matches!(link, StoreError::NotAFile { .. }));
    }
}
