//! Spelling of names in plain Latin letters: for a list in the order of a dictionary, and for finding a name without
//! its accents, or a Chinese one by its pinyin.

/// Fewest characters by which initials are found: one letter is in nearly every name.
const FEWEST_INITIALS: usize = 2;

/// Key by which names are sorted: the plain Latin spelling without regard to case, so that Ł comes at L, Ü at U and 王
/// at Wang; then the name itself.
pub fn sort_key(name: &str) -> (String, String) {
    (plain(name), name.to_lowercase())
}

/// Whether `query` is found in `name`: as a part of it, as a part of its plain Latin spelling (with or without spaces
/// between the syllables), or as initials of it. An empty one is found in every name.
pub fn is_spelled(name: &str, query: &str) -> bool {
    let query = query.trim().to_lowercase();
    if query.is_empty() || name.to_lowercase().contains(&query) {
        return true;
    }
    let (name, query) = (plain(name), plain(&query));
    if query.is_empty() {
        return false;
    }
    let initials: String = name.split(' ').filter_map(|word| word.chars().next()).collect();
    let is_initials = query.chars().count() >= FEWEST_INITIALS && initials.starts_with(&query);
    name.contains(&query) || is_initials || without_spaces(&name).contains(&without_spaces(&query))
}

fn without_spaces(text: &str) -> String {
    text.chars().filter(|letter| *letter != ' ').collect()
}

/// The spelling in small ASCII letters, words and syllables apart by one space.
fn plain(name: &str) -> String {
    let latin = deunicode::deunicode_with_tofu(name, "").to_lowercase();
    latin.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_without_their_accents() {
        for (name, query) in [
            ("Müller", "muller"),
            ("Mu\u{308}ller", "MULLER"),
            ("Łukasz", "luk"),
            ("Ana María", "  mar "),
            ("Straße", "strasse"),
            ("Müller", "mü"),
            ("Дмитрий", "dmit"),
        ] {
            assert!(is_spelled(name, query), "{name} by {query}");
        }
        assert!(!is_spelled("Ana", "bo"));
    }

    #[test]
    fn chinese_names_are_found_by_characters_by_pinyin_and_by_initials() {
        for query in ["王", "小明", "wang", "wang xiao", "wangxiaoming", "xiaoming", "wxm", "WX"] {
            assert!(is_spelled("王小明", query), "{query}");
        }
        for query in ["li", "xw", "明小", "wangm"] {
            assert!(!is_spelled("王小明", query), "{query}");
        }
    }

    #[test]
    fn anything_is_found_by_nothing_and_nothing_by_what_has_no_spelling() {
        assert!(is_spelled("Ana", "") && is_spelled("", " "));
        assert!(!is_spelled("Ana", "\u{fffd}"));
    }

    #[test]
    fn names_are_sorted_as_a_dictionary_has_them() {
        let mut names = ["Zalgo", "王", "Łukasz", "lena", "Émile", "Elise", "Muz", "Müller", "Lzz"];
        names.sort_by_cached_key(|name| sort_key(name));
        assert_eq!(names, ["Elise", "Émile", "lena", "Łukasz", "Lzz", "Müller", "Muz", "王", "Zalgo"]);
    }
}
