//! The words of comments and documents: the field's terms, in plain sentences, so that a search for a term finds its
//! place.

#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod project_files;

use std::fs;

use project_files::{pages, root, rust_files};

const ARCHITECTURE: &str = include_str!("../ARCHITECTURE.md");

/// First words of sentences that hide their subject behind a relative pronoun.
const RELATIVES: &[&str] = &["What", "Who", "Whom", "Whose", "Whoever", "Whatever", "That", "Of"];

/// Words of our own, each with the field's word.
const REPLACED: &[(&str, &str)] = &[
    ("made up", "concealed"),
    ("made-up", "concealed, or synthetic"),
    ("own loss", "random loss"),
    ("outflow", "delivery rate"),
    ("worked out", "recovered"),
    ("copies of sound", "RED redundancy"),
    ("copies of earlier sound", "RED redundancy"),
    ("repairs ahead", "FEC"),
    ("repairs on request", "RTX"),
    ("repair on request", "RTX"),
    ("lip-sync", "lip sync"),
    ("cast away", "discarded"),
    ("how-manieth", "count"),
    ("acquitted", "reverted"),
];

#[test]
fn no_sentence_of_a_comment_begins_with_a_relative() {
    let mut wrong = Vec::new();
    for file in rust_files(&root().join("src")) {
        for (line, text) in doc_paragraphs(&fs::read_to_string(&file).expect("UTF-8")) {
            for sentence in sentences(&text).into_iter().filter(|sentence| begins_with_relative(sentence)) {
                wrong.push(format!("{}:{line}: {sentence}", file.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "Begin with the noun that is meant:\n{}", wrong.join("\n"));
}

/// A row of a table and a line of code cannot be broken.
#[test]
fn lines_of_comments_and_documents_have_at_most_120_columns() {
    let is_comment = |line: &str| line.trim_start().starts_with("//");
    let folders = ["src", "tests", "benches", "examples"].map(|folder| root().join(folder));
    let mut wrong = Vec::new();
    for file in folders.iter().flat_map(|folder| rust_files(folder)) {
        let text = fs::read_to_string(&file).expect("UTF-8");
        wrong.extend(long_lines(&text, is_comment).map(|line| format!("{}:{line}", file.display())));
    }
    for page in pages() {
        let text = fs::read_to_string(&page).expect("UTF-8");
        wrong.extend(long_lines(&text, |line| !line.starts_with('|')).map(|line| format!("{}:{line}", page.display())));
    }
    assert!(wrong.is_empty(), "Break these lines:\n{}", wrong.join("\n"));
}

/// Numbers of the lines of `text` that `counts` takes and that have more than 120 characters.
fn long_lines(text: &str, counts: impl Fn(&str) -> bool) -> impl Iterator<Item = usize> {
    let long = move |line: &str| line.chars().count() > 120 && counts(line);
    (1..).zip(text.lines()).filter(move |(_, line)| long(line)).map(|(number, _)| number)
}

#[test]
fn no_sentence_of_a_document_begins_with_a_relative() {
    let mut wrong = Vec::new();
    for page in pages() {
        for text in markdown_paragraphs(&fs::read_to_string(&page).expect("UTF-8")) {
            for sentence in sentences(&text).into_iter().filter(|sentence| begins_with_relative(sentence)) {
                wrong.push(format!("{}: {sentence}", page.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "Begin with the noun that is meant:\n{}", wrong.join("\n"));
}

#[test]
fn comments_and_documents_use_the_words_of_the_field() {
    let comments = rust_files(&root().join("src")).into_iter().map(|file| {
        let paragraphs = doc_paragraphs(&fs::read_to_string(&file).expect("UTF-8"));
        (file, paragraphs.into_iter().map(|(_, text)| text).collect::<Vec<_>>())
    });
    let documents = pages().into_iter().map(|page| {
        let text = fs::read_to_string(&page).expect("UTF-8");
        (page, markdown_paragraphs(&text))
    });
    let mut wrong = Vec::new();
    for (file, paragraphs) in comments.chain(documents) {
        for text in paragraphs {
            for (own, word) in REPLACED.iter().filter(|(own, _)| has_words(&text.to_lowercase(), own)) {
                wrong.push(format!("{}: {own:?} is {word}: {text}", file.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn glossary_terms_are_used() {
    let (before, glossary, after) = around_glossary();
    let terms: Vec<&str> = glossary.iter().map(|row| row.trim_matches('*')).collect();
    assert!((20..=40).contains(&terms.len()), "the glossary has {} terms", terms.len());
    let rest = pages().into_iter().filter(|page| !page.ends_with("ARCHITECTURE.md"));
    let documents: String = rest.map(|page| fs::read_to_string(page).expect("UTF-8")).collect();
    let documents = plain(&format!("{before}\n{after}\n{documents}"));
    let code: String =
        rust_files(&root().join("src")).iter().map(|file| fs::read_to_string(file).expect("UTF-8")).collect();
    let code = plain(&code);
    let mut unused = Vec::new();
    for term in terms {
        // `acked bitrate` is also AckedBitrate and acked_bitrate.
        let is_used = |text: &str| term.split(" / ").any(|name| text.contains(&plain(name)));
        if !is_used(&documents) {
            unused.push(format!("{term}: in no document"));
        }
        if !is_used(&code) {
            unused.push(format!("{term}: not in the code"));
        }
    }
    assert!(unused.is_empty(), "{}", unused.join("\n"));
}

#[test]
fn sentences_are_told_apart() {
    let source = "/// First one. What is this?\n/// It goes on (RFC 1, 2.3): that is all.\nfn x() {}\n/// ```\n/// What.\n/// ```\n";
    let all: Vec<String> = doc_paragraphs(source).iter().flat_map(|(_, text)| sentences(text)).collect();
    assert_eq!(all, ["First one.", "What is this?", "It goes on (RFC 1, 2.3): that is all."]);
    let relative: Vec<&String> = all.iter().filter(|sentence| begins_with_relative(sentence)).collect();
    assert_eq!(relative, ["What is this?"]);
    assert!(!begins_with_relative("Officers") && begins_with_relative("Of these"));
    assert!(has_words("sound that is made up", "made up") && !has_words("homemade upper", "made up"));
    let rows = format!("{0}\n| {0}\n{1}", "\u{e9}".repeat(121), "\u{e9}".repeat(120));
    assert_eq!(long_lines(&rows, |line| !line.starts_with('|')).collect::<Vec<_>>(), [1]);
    assert_eq!(plain("AckedBitrate, acked_bitrate, acked bitrate"), "ackedbitrate,ackedbitrate,ackedbitrate");
}

/// ARCHITECTURE before the glossary, the terms in the first column of its table, and the text after it.
fn around_glossary() -> (String, Vec<String>, String) {
    let (before, rest) = ARCHITECTURE.split_once("\n## Glossary\n").expect("a glossary in ARCHITECTURE.md");
    let (glossary, after) = rest.split_once("\n## ").unwrap_or((rest, ""));
    let rows = glossary.lines().filter(|line| line.starts_with("| ")).skip(1);
    let terms = rows.filter_map(|row| Some(row.split('|').nth(1)?.trim().to_owned())).collect();
    (before.to_owned(), terms, after.to_owned())
}

/// A text in small letters without what stands between the words of a name.
fn plain(text: &str) -> String {
    text.chars().filter(|letter| !matches!(letter, ' ' | '_' | '-' | '/' | '\n')).flat_map(char::to_lowercase).collect()
}

fn begins_with_relative(sentence: &str) -> bool {
    let first = sentence.split(|letter: char| !letter.is_alphanumeric()).next().unwrap_or_default();
    RELATIVES.contains(&first)
}

/// True if `words` stand in `text`, both in small letters, as whole words.
fn has_words(text: &str, words: &str) -> bool {
    text.match_indices(words).any(|(at, _)| {
        let ends = |letter: Option<char>| letter.is_none_or(|letter| !letter.is_alphanumeric());
        ends(text[..at].chars().next_back()) && ends(text[at + words.len()..].chars().next())
    })
}

/// The sentences of a paragraph. One also begins after a colon, with a capital letter.
fn sentences(text: &str) -> Vec<String> {
    let mut all = vec![String::new()];
    let mut words = text.split_whitespace().peekable();
    while let Some(word) = words.next() {
        let last = all.last_mut().expect("one sentence at least");
        last.push_str(if last.is_empty() { "" } else { " " });
        last.push_str(word);
        let next_begins = words.peek().is_some_and(|next| {
            next.starts_with(|letter: char| letter.is_uppercase() || letter == '`' || letter == '[')
        });
        if word.ends_with(['.', ':', '!', '?']) && next_begins {
            all.push(String::new());
        }
    }
    all.retain(|sentence| !sentence.is_empty());
    all
}

/// The paragraphs of a file's doc comments with the lines on which they begin, code and drawings left out.
fn doc_paragraphs(source: &str) -> Vec<(usize, String)> {
    let comments = source.lines().map(|line| {
        let line = line.trim_start();
        line.strip_prefix("///").or_else(|| line.strip_prefix("//!")).map(|text| text.strip_prefix(' ').unwrap_or(text))
    });
    paragraphs(comments)
}

fn markdown_paragraphs(page: &str) -> Vec<String> {
    let lines = page.lines().map(|line| (!line.starts_with('#')).then_some(line));
    let mut all: Vec<String> = paragraphs(lines).into_iter().map(|(_, text)| text).collect();
    let cells = page.lines().filter(|line| line.starts_with('|')).flat_map(|line| line.trim_matches('|').split('|'));
    all.extend(cells.map(|cell| cell.trim().to_owned()));
    all
}

/// Joins lines to paragraphs; `None` is a line that belongs to none.
fn paragraphs<'a>(lines: impl Iterator<Item = Option<&'a str>>) -> Vec<(usize, String)> {
    let mut all: Vec<(usize, String)> = Vec::new();
    let mut open = false;
    let mut is_code = false;
    for (index, line) in lines.enumerate() {
        let Some(line) = line else {
            (open, is_code) = (false, false);
            continue;
        };
        if line.trim_start().starts_with("```") {
            (open, is_code) = (false, !is_code);
            continue;
        }
        if is_code || line.trim().is_empty() || line.trim_start().starts_with('|') || line.starts_with("    ") {
            open = false;
            continue;
        }
        let item = line.trim_start();
        let item = item.strip_prefix("- ").or_else(|| item.strip_prefix("* "));
        match all.last_mut() {
            Some((_, text)) if open && item.is_none() => {
                text.push(' ');
                text.push_str(line.trim());
            }
            _ => all.push((index + 1, item.unwrap_or(line).trim().trim_start_matches('*').to_owned())),
        }
        open = true;
    }
    all
}
