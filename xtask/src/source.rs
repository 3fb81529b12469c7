//! A Rust source file taken apart: what is code, what is comment, what is test.

mod blocks;
mod classes;
mod outside;

use std::path::Path;

pub(crate) use blocks::Function;

use crate::tree;
use classes::Class;

/// One file, line by line.
#[derive(Debug)]
pub(crate) struct Source {
    /// The path from the repository's root, with `/` between its parts.
    pub(crate) path: String,
    pub(crate) lines: Vec<Line>,
}

/// One line seen in three ways.
#[derive(Debug)]
pub(crate) struct Line {
    /// As it stands in the file.
    pub(crate) raw: String,
    /// With comments and the insides of strings blanked out.
    pub(crate) code: String,
    /// Only what stands in a comment, its slashes included.
    pub(crate) comment: String,
    /// Whether this line is compiled for tests only.
    pub(crate) test: bool,
}

/// Every Rust file of the repository.
pub(crate) fn all(root: &Path) -> Result<Vec<Source>, String> {
    let mut sources = Vec::new();
    for path in tree::files(root)? {
        if path.ends_with(".rs") {
            sources.push(Source::new(&path, &tree::read(root, &path)?));
        }
    }
    outside::mark(&mut sources);
    Ok(sources)
}

impl Source {
    /// Takes the text of a file apart.
    pub(crate) fn new(path: &str, text: &str) -> Self {
        let chars: Vec<char> = text.chars().collect();
        let classes = classes::classify(&chars);
        let of = |class| classes::only(&chars, &classes, class);
        let code = of(Class::Code);
        let comment = of(Class::Comment);
        let tested = blocks::test_lines(&code);
        let whole = is_test_file(path);
        let lines = text
            .lines()
            .zip(code.lines())
            .zip(comment.lines())
            .enumerate()
            .map(|(index, ((raw, code), comment))| Line {
                raw: raw.to_owned(),
                code: code.to_owned(),
                comment: comment.trim().to_owned(),
                test: whole || tested.contains(&index),
            })
            .collect();
        Self {
            path: path.to_owned(),
            lines,
        }
    }

    /// The lines with their numbers, counted from 1.
    pub(crate) fn numbered(&self) -> impl Iterator<Item = (usize, &Line)> {
        self.lines
            .iter()
            .enumerate()
            .map(|(at, line)| (at + 1, line))
    }

    /// Every function that has a body.
    pub(crate) fn functions(&self) -> Vec<Function> {
        blocks::functions(&self.code())
    }

    /// The code of all lines.
    fn code(&self) -> String {
        let code: Vec<&str> = self.lines.iter().map(|line| line.code.as_str()).collect();
        code.join("\n")
    }
}

/// Whether a word stands in the code on its own, not as a part of a longer name.
pub(crate) fn names(code: &str, word: &str) -> bool {
    let inside = |c: char| c.is_alphanumeric() || c == '_';
    code.match_indices(word).any(|(at, _)| {
        let before = code[..at].chars().next_back().is_some_and(inside);
        let after = code[at + word.len()..].chars().next().is_some_and(inside);
        !before && !after
    })
}

fn is_test_file(path: &str) -> bool {
    path.split('/').any(|part| {
        let stem = part.strip_suffix(".rs").unwrap_or(part);
        matches!(stem, "tests" | "benches") || stem.ends_with("_tests")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_seen_in_three_ways() {
        let source = Source::new("src/a.rs", "let a = \"tokio\"; // rand\n");
        let line = &source.lines[0];
        assert_eq!(line.code.trim_end(), "let a = \"     \";");
        assert_eq!(line.comment, "// rand");
        assert!(!line.test);
    }

    #[test]
    fn names_are_whole_words() {
        assert!(names("use std::time::Instant;", "Instant"));
        assert!(!names("let instants = InstantLike;", "Instant"));
        assert!(names("HashMap::<u8, u8>::new()", "HashMap"));
        assert!(!names("operand", "rand"));
    }

    #[test]
    fn test_folders_hold_tests_only() {
        assert!(is_test_file("crates/zeph-graph/tests/door.rs"));
        assert!(is_test_file("crates/zeph-graph/src/door/tests.rs"));
        assert!(!is_test_file("crates/zeph-tests/src/contest.rs"));
    }
}
