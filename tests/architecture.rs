//! Arrows between the modules, from the table that a newcomer reads, and circles between files, of which there are
//! none.

#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod import_circles;
mod project_files;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use import_circles::{Files, Source};
use project_files::rust_files;

/// Every module in the order of the pipeline, with the modules that it may use.
const ARROWS: &[(&str, &[&str])] = &[
    // Nouns.
    ("codec", &[]),
    ("media", &["codec"]),
    ("identity", &["media"]),
    ("network", &[]),
    ("stun", &[]),
    ("device", &[]),
    ("call", &["codec", "media", "identity", "device"]),
    ("store", &["media", "identity", "device", "call"]),
    // Stages.
    ("sound_device", &["media", "device"]),
    ("capture", &["media", "device"]),
    ("voice_processing", &["media"]),
    ("microphone", &["media", "device", "sound_device", "voice_processing"]),
    ("encoder", &["codec", "media", "sound_device"]),
    ("jitter_buffer", &["codec", "media"]),
    ("decoder", &["codec", "media", "sound_device"]),
    ("media_receive", &["media", "jitter_buffer", "decoder"]),
    ("playout", &["media", "device", "sound_device", "voice_processing", "jitter_buffer", "decoder", "media_receive"]),
    // Networks.
    ("relay", &["network", "stun"]),
    ("connectivity", &["network", "stun"]),
    ("rtc", &["codec", "media", "call", "network", "stun", "jitter_buffer"]),
    ("server_protocol", &["identity"]),
    ("signaling", &["media", "identity", "network", "call", "server_protocol"]),
    ("server", &["identity", "network", "relay", "connectivity", "server_protocol"]),
    ("media_send", &["codec", "media", "identity", "encoder", "rtc"]),
    // The one owner of it all, and its faces.
    (
        "controller",
        &[
            "codec",
            "media",
            "identity",
            "network",
            "device",
            "call",
            "store",
            "sound_device",
            "voice_processing",
            "capture",
            "microphone",
            "encoder",
            "jitter_buffer",
            "decoder",
            "media_receive",
            "playout",
            "rtc",
            "signaling",
            "media_send",
        ],
    ),
    (
        "cli",
        &[
            "media",
            "identity",
            "network",
            "connectivity",
            "device",
            "call",
            "store",
            "sound_device",
            "capture",
            "microphone",
            "playout",
            "rtc",
            "voice_processing",
            "signaling",
            "controller",
        ],
    ),
    ("ui", &["media", "identity", "device", "call", "store", "capture", "sound_device", "signaling", "controller"]),
    ("desktop", &["call", "store", "controller", "ui"]),
];

/// Files at the top of `src` that put the modules together; they may know everybody.
const TOP: &[&str] = &["lib", "main", "bin", "fuzz"];

#[test]
fn arrows_between_modules_point_one_way() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut wrong = Vec::new();
    for file in rust_files(&source) {
        let inside = file.strip_prefix(&source).expect("a file of the source");
        let module = top_module(inside);
        if TOP.contains(&module.as_str()) {
            continue;
        }
        if inside.file_stem().is_some_and(|stem| stem.to_string_lossy().ends_with("tests")) {
            continue;
        }
        let Some((_, allowed)) = ARROWS.iter().find(|(name, _)| *name == module) else {
            wrong.push(format!("{}: the module {module} is not in this test's table; add it there", inside.display()));
            continue;
        };
        let text = fs::read_to_string(&file).expect("UTF-8");
        if text.lines().any(|line| line == "#![cfg(test)]") {
            continue;
        }
        for used in used_modules(&text) {
            if used != module && !allowed.contains(&used.as_str()) {
                wrong.push(format!("{}: {module} must not use {used}", inside.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The right to make a consent is handed from `device::consent` to `call::press`: no other file names it.
#[test]
fn only_a_local_press_makes_a_consent() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut named = BTreeSet::new();
    for file in rust_files(&source) {
        let inside = file.strip_prefix(&source).expect("a file of the source").display().to_string();
        let text = fs::read_to_string(&file).expect("UTF-8");
        if rights_in(&text) {
            named.insert(inside);
        }
    }
    let expected = ["call/press/mod.rs", "device/consent.rs", "device/mod.rs"].map(str::to_owned);
    assert_eq!(named, BTreeSet::from(expected));
}

#[test]
fn every_way_to_a_consent_is_seen() {
    for source in [
        "use crate::device::{Consent, Granter as Holder};",
        "fn x() -> Consent { Consent::granted(&w) }",
        "impl crate::device::Grant for X {}",
        "fn x() -> Consent { Consent { _private: () } }",
    ] {
        assert!(rights_in(source), "{source}");
    }
    assert!(!rights_in("use crate::device::Consent; fn x(_: &Consent) {} // Granter in a comment"));
}

/// Whether a source names the right to make a consent, or makes one.
fn rights_in(source: &str) -> bool {
    let is_word = |character: char| character.is_alphanumeric() || character == '_';
    let mut code = source.lines().map(|line| line.split("//").next().unwrap_or_default());
    let names_a_right = |word: &str| ["Grant", "Granter", "_private"].contains(&word);
    code.any(|line| line.contains("Consent::granted") || line.split(|character| !is_word(character)).any(names_a_right))
}

#[test]
fn files_import_each_other_in_one_direction() {
    let circles = Files::read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src")).circles();
    assert!(circles.is_empty(), "files that import each other: {circles:#?}");
}

/// Modules that handle pictures of every codec alike: `codec` knows them by name, `encoder` and `decoder` have
/// libraries.
const OF_EVERY_CODEC: &[&str] = &["media", "call", "jitter_buffer", "rtc", "media_send", "media_receive", "controller"];

#[test]
fn a_codec_is_named_by_its_own_module_its_encoder_and_its_decoder_alone() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut named = Vec::new();
    for file in rust_files(&source) {
        let inside = file.strip_prefix(&source).expect("a file of the source");
        let is_test = inside.file_stem().is_some_and(|stem| stem.to_string_lossy().ends_with("tests"));
        if is_test || !OF_EVERY_CODEC.contains(&top_module(inside).as_str()) {
            continue;
        }
        let text = fs::read_to_string(&file).expect("UTF-8");
        let product = text.split("#[cfg(test)]").next().unwrap_or_default();
        let code = product.lines().filter(|line| !line.trim_start().starts_with("//"));
        let lines = code.filter(|line| line.to_lowercase().contains("h264"));
        named.extend(lines.map(|line| format!("{}: {}", inside.display(), line.trim())));
    }
    assert!(named.is_empty(), "{}", named.join("\n"));
}

/// State that the controller's core holds by itself, rather than by owners with private fields, is read and written
/// from everywhere.
#[test]
fn the_core_of_the_controller_has_fifteen_fields_at_most() {
    let source = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/controller/core.rs")).unwrap();
    let fields = source.split_once("struct Core {").and_then(|(_, rest)| rest.split_once("\n}")).expect("the core").0;
    let fields: Vec<&str> = fields.lines().map(str::trim).filter(|line| line.ends_with(',')).collect();
    assert!((10..=15).contains(&fields.len()), "{fields:#?}");
}

#[test]
fn the_table_has_no_circles() {
    for (index, (module, allowed)) in ARROWS.iter().enumerate() {
        for used in *allowed {
            let place = ARROWS.iter().position(|(name, _)| name == used);
            assert!(place.is_some_and(|place| place < index), "{module} uses {used}, which does not stand before it");
        }
    }
}

#[test]
fn every_way_of_naming_a_module_is_seen() {
    let source = "use crate::media::Latest;\nuse crate::{call::{InviteId, ids}, rtc};\n\
                  fn x(_: &crate::store::Settings) {} // crate::ui in a comment does not count\n\
                  pub(in crate::signaling) fn y() {}\n#[cfg(test)]\nmod tests { use crate::ui::Window; }\n";
    let seen: Vec<String> = used_modules(source).into_iter().collect();
    assert_eq!(seen, ["call", "media", "rtc", "signaling", "store"]);
}

/// The modules at the top of the crate that a source names by `crate::`, outside comments and its unit tests.
fn used_modules(source: &str) -> BTreeSet<String> {
    let source = Source::parse(source);
    let imported = source.imports.iter().map(|import| &import.path);
    let named = imported.chain(&source.paths).filter(|path| path.first().is_some_and(|first| first == "crate"));
    let modules = named.filter_map(|path| path.get(1));
    modules.filter(|name| name.starts_with(|first: char| first.is_lowercase())).cloned().collect()
}

fn top_module(inside: &Path) -> String {
    let first = inside.components().next().map(|part| part.as_os_str().to_string_lossy().into_owned());
    first.unwrap_or_default().trim_end_matches(".rs").to_owned()
}
