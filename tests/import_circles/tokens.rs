//! Names in a Rust source, as far as imports are concerned.

use std::collections::BTreeSet;

/// One name that a `use` brings in.
#[derive(Debug, PartialEq)]
pub struct Import {
    pub is_public: bool,
    /// The path; of `a::*` that of `a`.
    pub path: Vec<String>,
    /// The name that it has here: the last of the path, its alias, or `*`.
    pub name: String,
}

/// Names in one file, without its unit tests.
#[derive(Debug, Default)]
pub struct Source {
    pub imports: Vec<Import>,
    /// Paths of at least two words outside imports.
    pub paths: Vec<Vec<String>>,
    /// Words outside imports.
    pub names: BTreeSet<String>,
    /// Items that are defined here.
    pub defined: BTreeSet<String>,
    /// Modules in files of their own that are compiled for tests alone.
    pub test_modules: Vec<String>,
}

impl Source {
    pub fn parse(text: &str) -> Self {
        let (tokens, test_modules) = without_tests(&tokens(text));
        let mut source = Self { test_modules, ..Self::default() };
        let mut at = 0;
        while at < tokens.len() {
            let word = tokens[at].as_str();
            if word == "use" {
                let end = end_of(&tokens, at, ";");
                let is_public = at > 0 && matches!(tokens[at - 1].as_str(), "pub" | ")");
                import_tree(&tokens[at + 1..end], &[], is_public, &mut source.imports);
                at = end + 1;
                continue;
            }
            if is_word(word) {
                source.names.insert(word.to_owned());
                let defines = ["struct", "enum", "trait", "fn", "const", "static", "type", "union"].contains(&word);
                if let Some(next) = tokens.get(at + 1).filter(|next| defines && is_word(next)) {
                    source.defined.insert(next.clone());
                }
                let continues = at > 0 && matches!(tokens[at - 1].as_str(), "::" | "." | "$");
                let path = path_at(&tokens, at);
                if path.len() > 1 && !continues {
                    source.paths.push(path);
                }
            }
            at += 1;
        }
        source
    }
}

fn is_word(token: &str) -> bool {
    token.starts_with(|first: char| first.is_alphabetic() || first == '_')
}

/// The words joined by `::` from `at` on.
fn path_at(tokens: &[String], at: usize) -> Vec<String> {
    let mut path = vec![tokens[at].clone()];
    let mut rest = tokens[at + 1..].chunks_exact(2);
    while let Some([colons, word]) = rest.next() {
        if colons != "::" || !is_word(word) {
            break;
        }
        path.push(word.clone());
    }
    path
}

/// Flattens the tree of a `use` that stands in `tokens`.
fn import_tree(tokens: &[String], before: &[String], is_public: bool, imports: &mut Vec<Import>) {
    let mut path = before.to_vec();
    let mut at = 0;
    while let Some(token) = tokens.get(at) {
        match token.as_str() {
            "::" => {}
            "{" => {
                let inside = &tokens[at + 1..end_of(tokens, at, "}")];
                return parts(inside).into_iter().for_each(|part| import_tree(part, &path, is_public, imports));
            }
            "*" => return imports.push(Import { is_public, path, name: "*".to_owned() }),
            "as" => {
                let name = tokens.get(at + 1).cloned().unwrap_or_default();
                return imports.push(Import { is_public, path, name });
            }
            "self" if !path.is_empty() => {}
            word => path.push(word.to_owned()),
        }
        at += 1;
    }
    if let Some(name) = path.last().cloned() {
        imports.push(Import { is_public, path, name });
    }
}

/// The parts between commas that are in no inner braces.
fn parts(tokens: &[String]) -> Vec<&[String]> {
    let mut depth = 0;
    let is_end = |token: &String| {
        depth += i32::from(token == "{") - i32::from(token == "}");
        token == "," && depth == 0
    };
    tokens.split(is_end).filter(|part| !part.is_empty()).collect()
}

/// The index of the first `end` after `at` that is in no inner brackets; after an opening bracket at `at`, of its
/// closing one.
fn end_of(tokens: &[String], at: usize, end: &str) -> usize {
    let mut depth = 0;
    for (index, token) in tokens.iter().enumerate().skip(at + 1) {
        if depth == 0 && token == end {
            return index;
        }
        match token.as_str() {
            "{" | "(" | "[" => depth += 1,
            "}" | ")" | "]" => depth -= 1,
            _ => {}
        }
    }
    tokens.len()
}

/// Takes out the items that are compiled for tests alone; the names of the modules among them.
fn without_tests(tokens: &[String]) -> (Vec<String>, Vec<String>) {
    let (mut product, mut modules) = (Vec::new(), Vec::new());
    let mut at = 0;
    while at < tokens.len() {
        if tokens[at] != "#" || tokens.get(at + 1).is_none_or(|token| token != "[") {
            product.push(tokens[at].clone());
            at += 1;
            continue;
        }
        let end = end_of(tokens, at + 1, "]");
        let says = |word: &str| tokens[at..end].iter().any(|token| token == word);
        let of_tests = says("cfg") && says("test") && !says("not");
        at = end + 1;
        if !of_tests {
            continue;
        }
        while tokens.get(at).is_some_and(|token| token == "#") {
            at = end_of(tokens, at + 1, "]") + 1;
        }
        let item_end = (at..tokens.len())
            .find_map(|index| match tokens[index].as_str() {
                ";" => Some(index),
                "{" => Some(end_of(tokens, index, "}")),
                _ => None,
            })
            .unwrap_or(tokens.len());
        let item = &tokens[at..item_end.min(tokens.len())];
        modules.extend(item.windows(2).filter(|pair| pair[0] == "mod").map(|pair| pair[1].clone()));
        at = item_end + 1;
    }
    (product, modules)
}

/// Words, `::` and single signs; comments, texts and lifetimes are left out.
fn tokens(text: &str) -> Vec<String> {
    let mut tokens = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let length = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            rest.find("*/").map_or(rest.len(), |end| end + 2)
        } else if let Some(length) = text_length(rest) {
            length
        } else if first.is_alphanumeric() || first == '_' {
            let length = rest.find(|letter: char| !letter.is_alphanumeric() && letter != '_').unwrap_or(rest.len());
            tokens.push(rest[..length].to_owned());
            length
        } else if rest.starts_with("::") {
            tokens.push("::".to_owned());
            2
        } else {
            if !first.is_whitespace() {
                tokens.push(first.to_string());
            }
            first.len_utf8()
        };
        rest = &rest[length..];
    }
    tokens
}

/// The length of the text, the character or the lifetime with which `rest` begins, if it begins with one.
fn text_length(rest: &str) -> Option<usize> {
    let prefix = rest.find(|letter| !matches!(letter, 'b' | 'c' | 'r')).unwrap_or(0);
    let (is_raw, inside) = (rest[..prefix].ends_with('r'), &rest[prefix..]);
    let hashes = inside.chars().take_while(|letter| is_raw && *letter == '#').count();
    if let Some(body) = inside[hashes..].strip_prefix('"').filter(|_| prefix <= 2) {
        let end = if is_raw {
            let close = format!("\"{}", "#".repeat(hashes));
            body.find(&close).map(|end| end + close.len())
        } else {
            quoted_length(body, '"')
        };
        return Some(prefix + hashes + 1 + end.unwrap_or(body.len()));
    }
    let body = rest.strip_prefix('b').unwrap_or(rest).strip_prefix('\'')?;
    let is_character = body.starts_with('\\') || body.chars().nth(1) == Some('\'');
    let length = if is_character { quoted_length(body, '\'')? } else { 0 };
    Some(rest.len() - body.len() + length)
}

/// The length of `body` up to and with the `quote` that ends it.
fn quoted_length(body: &str, quote: char) -> Option<usize> {
    let mut escaped = false;
    body.char_indices().find_map(|(at, letter)| {
        let ends = letter == quote && !escaped;
        escaped = letter == '\\' && !escaped;
        ends.then_some(at + 1)
    })
}

#[test]
fn imports_are_read_whatever_stands_around_them() {
    let source = Source::parse(
        "use a::{b, c::{self, d as e}, f::*};\npub(crate) use g::H; // use no::comment;\n\
         #[cfg(test)]\n#[path = \"x.rs\"]\nmod checks;\nconst T: &str = r#\"use no::text;\"#; const Q: char = '\"';\n\
         fn x<'a>(_: &'a k::L) -> b'\\'' { m.n::<o::P>() }\n#[cfg(test)]\nmod tests { use no::test; }",
    );
    let imported: Vec<String> =
        source.imports.iter().map(|import| format!("{} {}", import.path.join("::"), import.name)).collect();
    assert_eq!(imported, ["a::b b", "a::c c", "a::c::d e", "a::f *", "g::H H"]);
    assert!(source.imports[4].is_public && !source.imports[0].is_public);
    assert_eq!(source.paths, [["k", "L"], ["o", "P"]]);
    assert_eq!(source.test_modules, ["checks", "tests"]);
    assert!(source.defined.contains("T") && source.defined.contains("x") && !source.names.contains("no"));
}
