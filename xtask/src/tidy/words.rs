//! Words that the project does not use, because the field has a plainer term.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::finding::Finding;

pub(crate) const FILE: &str = "xtask/words.toml";

/// The content of the word file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Words {
    /// A word in lower case, and the terms to use instead.
    words: BTreeMap<String, String>,
    /// Files and folders that are not checked.
    exempt: Vec<String>,
}

impl Words {
    pub(crate) fn read(text: &str) -> Result<Self, String> {
        toml::from_str(text).map_err(|err| format!("{FILE}: {err}"))
    }

    /// Every use of such a word: in code, comments and strings, alone or as a part of a name.
    pub(crate) fn check(&self, path: &str, text: &str) -> Vec<Finding> {
        if self.exempt.iter().any(|prefix| path.starts_with(prefix)) {
            return Vec::new();
        }
        let mut found = Vec::new();
        for (index, line) in text.lines().enumerate() {
            for word in parts(line) {
                let singular = word.strip_suffix('s').unwrap_or(&word);
                let entry = [&*word, singular].into_iter().find_map(|word| {
                    let instead = self.words.get(word)?;
                    Some(format!("`{word}`: write {instead}"))
                });
                found.extend(entry.map(|message| Finding::at(path, index + 1, message)));
            }
        }
        found
    }
}

/// The words of a line in lower case; names are split at `_` and before capitals.
fn parts(line: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut lower_before = false;
    for c in line.chars() {
        if !c.is_alphabetic() || (c.is_uppercase() && lower_before) {
            words.push(String::new());
        }
        if c.is_alphabetic()
            && let Some(word) = words.last_mut()
        {
            word.extend(c.to_lowercase());
        }
        lower_before = c.is_lowercase();
    }
    words.retain(|word| !word.is_empty());
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words() -> Words {
        Words::read("exempt = [\"crates/old/\"]\n[words]\nlorem = \"`ipsum`\"\n").unwrap()
    }

    #[test]
    fn a_line_is_split_into_words_and_names_into_parts() {
        let line = "let theHTTPCode = two_words(); // It's 3.";
        let expected = ["let", "the", "httpcode", "two", "words", "it", "s"];
        assert_eq!(parts(line), expected);
    }

    #[test]
    fn a_word_is_found_in_comments_strings_and_names() {
        for line in [
            "// Lorem",
            "f(\"lorems\")",
            "fn my_lorem()",
            "MyLorem",
            "LOREM",
        ] {
            let found = words().check("crates/new/src/a.rs", line);
            assert_eq!(found.len(), 1, "{line}");
            assert!(found[0].to_string().ends_with("`lorem`: write `ipsum`"));
        }
        assert_eq!(words().check("a.md", "loremist").len(), 0);
    }

    #[test]
    fn exempt_folders_are_skipped() {
        assert_eq!(words().check("crates/old/src/a.rs", "lorem").len(), 0);
    }
}
