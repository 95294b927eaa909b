//! Files of the project that tests read: sources and documents.

#![allow(dead_code, reason = "each test program uses a part of it")]

use std::fs;
use std::path::{Path, PathBuf};

/// The project's folder.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_owned()
}

/// The Markdown files at the root and in `docs`, in order.
pub fn pages() -> Vec<PathBuf> {
    let top = fs::read_dir(root()).expect("the root").map_while(Result::ok).map(|entry| entry.path());
    let all = top.filter(|path| path.is_file()).chain(files_below(&root().join("docs")));
    let mut pages: Vec<PathBuf> = all.filter(|path| has_extension(path, "md")).collect();
    pages.sort();
    pages
}

/// The Rust files below a folder.
pub fn rust_files(folder: &Path) -> Vec<PathBuf> {
    files_below(folder).into_iter().filter(|path| has_extension(path, "rs")).collect()
}

/// All files below a folder.
pub fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for path in fs::read_dir(&folder).expect("a folder").map_while(Result::ok).map(|entry| entry.path()) {
            if path.is_dir() { folders.push(path) } else { files.push(path) }
        }
    }
    files
}

fn has_extension(path: &Path, wanted: &str) -> bool {
    path.extension().is_some_and(|extension| extension == wanted)
}
