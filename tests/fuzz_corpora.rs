//! The fuzzer's corpora as an ordinary test: every file, and as many mutations of them as there is time for in a suite.
//! The mutations are the same each time.

#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use visavis::fuzz::TARGETS;

/// Mutations of each target's files, all together.
const MUTATIONS: usize = 2000;
const MAX_LENGTH: usize = 16 * 1024;
/// Bytes of one target's corpus.
const MAX_CORPUS: usize = 100 * 1024;

#[test]
fn nothing_in_the_corpora_and_nothing_near_it_breaks_its_reader() {
    for (name, body) in TARGETS {
        let corpus = corpus(name);
        assert!(corpus.len() >= 2, "{name} has a corpus");
        corpus.iter().for_each(|bytes| body(bytes));
        let mut random = fastrand::Rng::with_seed(1);
        for number in 0..MUTATIONS {
            let mutated = mutate(&corpus, number, &mut random);
            let read = std::panic::catch_unwind(|| body(&mutated));
            assert!(read.is_ok(), "{name}, mutation {number}: {mutated:02x?}");
        }
        body(&[]);
    }
}

/// A reader that is no target, or a target without a reader or a corpus, would never be fuzzed.
#[test]
fn the_targets_of_the_fuzzer_are_the_readers_and_each_has_a_small_corpus() {
    let fuzz = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz");
    let readers: BTreeSet<String> = TARGETS.iter().map(|(name, _)| (*name).to_owned()).collect();
    let manifest = fs::read_to_string(fuzz.join("Cargo.toml")).unwrap();
    let binaries = manifest.split("[[bin]]").skip(1).map(|binary| {
        let name = binary.lines().find_map(|line| line.strip_prefix("name = \"")).expect("a name");
        name.trim_end_matches('"').to_owned()
    });
    assert_eq!(binaries.collect::<BTreeSet<_>>(), readers, "in fuzz/Cargo.toml");
    assert_eq!(names_in(&fuzz.join("corpus")), readers, "in fuzz/corpus");
    let sources: BTreeSet<String> = readers.iter().map(|name| format!("{name}.rs")).collect();
    assert_eq!(names_in(&fuzz.join("fuzz_targets")), sources, "in fuzz/fuzz_targets");
    for name in &readers {
        let bytes: usize = corpus(name).iter().map(Vec::len).sum();
        assert!(bytes <= MAX_CORPUS, "{name}: {bytes} bytes");
    }
}

fn names_in(folder: &Path) -> BTreeSet<String> {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    entries.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned()).collect()
}

/// The files of a target, in the order of their names.
fn corpus(target: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target);
    let mut files: Vec<_> = fs::read_dir(&folder)
        .unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
        .map(|entry| entry.expect("an entry").path())
        .collect();
    files.sort();
    files.iter().map(|file| fs::read(file).expect("a file")).collect()
}

/// One of the files with up to eight changes, as a fuzzer makes them.
fn mutate(corpus: &[Vec<u8>], number: usize, random: &mut fastrand::Rng) -> Vec<u8> {
    let mut bytes = corpus[number % corpus.len()].clone();
    for _ in 0..random.usize(1..=8) {
        let at = random.usize(0..=bytes.len());
        match random.u8(0..7) {
            0 if at < bytes.len() => bytes[at] ^= 1 << random.u8(0..8),
            1 if at < bytes.len() => bytes[at] = random.choice([0, 1, 0x7f, 0x80, 0xff, b'9']).expect("one of them"),
            2 => bytes.insert(at, random.u8(..)),
            3 => bytes.truncate(at),
            4 => drop(bytes.drain(at..bytes.len().min(at + random.usize(1..=16)))),
            5 => {
                let other = &corpus[random.usize(0..corpus.len())];
                let from = random.usize(0..=other.len());
                let piece = &other[from..other.len().min(from + random.usize(1..=64))];
                bytes.splice(at..at, piece.iter().copied());
            }
            _ => {
                let piece: Vec<u8> = bytes[at..bytes.len().min(at + 16)].to_vec();
                bytes.splice(at..at, piece);
            }
        }
    }
    bytes.truncate(MAX_LENGTH);
    bytes
}
