//! Folders for one measurement.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

/// Folders that this process has made so far.
static MADE: AtomicU32 = AtomicU32::new(0);

/// A folder in the system's place for temporary files, removed with all that is in it when this is dropped.
#[derive(Debug)]
pub struct TemporaryDirectory(PathBuf);

impl TemporaryDirectory {
    /// Makes a folder; `name` tells its purpose.
    pub fn new(name: &str) -> std::io::Result<Self> {
        let number = MADE.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("visavis-bench-{}-{number}-{name}", std::process::id()));
        std::fs::create_dir_all(&path)?;
        Ok(Self(path))
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for TemporaryDirectory {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_dir_all(&self.0) {
            tracing::debug!("a measurement's folder stays behind: {error}");
        }
    }
}
