//! Rules of the dependencies that the lock file shows; `scripts/audit` checks licences, bans and sources.

#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

/// AccessKit drives zbus on an executor of its own: with zbus's `tokio` feature the window ends with "there is no
/// reactor running", and a second version is a second D-Bus stack.
#[test]
fn one_zbus_without_tokio() {
    let versions = versions("zbus");
    assert_eq!(versions.len(), 1, "versions of zbus in Cargo.lock: {versions:?}");

    let enabled = features_of("zbus");
    assert!(!enabled.is_empty(), "cargo names no feature of zbus");
    assert!(
        !enabled.iter().any(|feature| feature == "tokio"),
        "something enables zbus/tokio; its features: {enabled:?}"
    );
}

/// x11rb is shared with the window's libraries: a second version is a second connection layer to the X server.
#[test]
fn one_x11rb() {
    assert_eq!(versions("x11rb").len(), 1, "versions of x11rb in Cargo.lock: {:?}", versions("x11rb"));
}

/// The backend that is plugged into nokhwa on Linux stands on the version of v4l that nokhwa's own is built on.
#[test]
fn one_v4l() {
    assert_eq!(versions("v4l").len(), 1, "versions of v4l in Cargo.lock: {:?}", versions("v4l"));
}

#[test]
fn every_package_comes_from_the_registry() {
    let registry = "registry+https://github.com/rust-lang/crates.io-index";
    let elsewhere: Vec<&str> = include_str!("../Cargo.lock")
        .lines()
        .filter_map(|line| line.strip_prefix("source = \""))
        .map(|source| source.trim_end_matches('"'))
        .filter(|source| *source != registry)
        .collect();
    assert!(elsewhere.is_empty(), "{elsewhere:?}");
}

/// cargo-about makes no NOTICE, and so `scripts/package` no package, where it meets a licence that its list lacks.
#[test]
fn packages_name_the_licences_that_the_audit_allows() {
    let noticed = licences(include_str!("../assets/package/about.toml"), "accepted = [");
    let allowed = licences(include_str!("../deny.toml"), "allow = [");
    assert!(allowed.len() > 5, "{allowed:?}");
    assert_eq!(noticed, allowed);
}

/// The licences in the lists of a file that begin with `list`.
fn licences<'a>(text: &'a str, list: &str) -> BTreeSet<&'a str> {
    let lists = text.split(list).skip(1).filter_map(|rest| rest.split(']').next());
    lists.flat_map(|list| list.split('"').skip(1).step_by(2)).collect()
}

/// The versions of a package in the lock file.
fn versions(package: &str) -> Vec<String> {
    let mut all: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for entry in include_str!("../Cargo.lock").split("[[package]]\n").skip(1) {
        let value = |key: &str| {
            let line = entry.lines().find_map(|line| line.strip_prefix(&format!("{key} = \"")))?;
            Some(line.trim_end_matches('"').to_owned())
        };
        all.entry(value("name").expect("a name")).or_default().push(value("version").expect("a version"));
    }
    all.remove(package).unwrap_or_default()
}

/// The features of a package that this program's dependencies enable, as cargo resolves them without a network.
fn features_of(package: &str) -> Vec<String> {
    let tree = ["tree", "--offline", "--locked", "--edges", "normal", "--prefix", "none", "--format", "{p}|{f}"];
    let output = Command::new(env!("CARGO"))
        .args(tree)
        .args(["--invert", package, "--depth", "0"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let first = text.lines().next().unwrap_or_default();
    let enabled = first.split_once('|').map(|(_, enabled)| enabled).unwrap_or_default();
    enabled.split(',').map(|feature| feature.trim_end_matches(" (*)").to_owned()).filter(|f| !f.is_empty()).collect()
}
