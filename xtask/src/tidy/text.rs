//! Rules for any text: spacing, no ignored code blocks.

use crate::finding::Finding;

/// Tabs, spaces at the end of a line, and a missing line end.
pub(crate) fn spacing(path: &str, text: &str) -> Vec<Finding> {
    let mut found = Vec::new();
    for (index, line) in text.lines().enumerate() {
        if line.contains('\t') {
            found.push(Finding::at(path, index + 1, "tab"));
        }
        if line.ends_with([' ', '\r']) {
            found.push(Finding::at(path, index + 1, "space at the end of the line"));
        }
    }
    if !text.is_empty() && !text.ends_with('\n') {
        found.push(Finding::new(path, "no line end at the end of the file"));
    }
    found
}

/// Code blocks of a Markdown file that are not compiled.
pub(crate) fn fences(path: &str, text: &str) -> Vec<Finding> {
    let mut found = Vec::new();
    for (index, line) in text.lines().enumerate() {
        if opens_ignored(line.trim()) {
            let message = "a code block must run, or be `text`: no `ignore`";
            found.push(Finding::at(path, index + 1, message));
        }
    }
    found
}

/// Whether a line opens a code block that rustdoc skips.
pub(crate) fn opens_ignored(line: &str) -> bool {
    let Some(info) = line.strip_prefix("```") else {
        return false;
    };
    let mut words = info.split(|c: char| !(c.is_alphanumeric() || c == '_'));
    words.any(|word| word == "ignore")
}

/// Whether a line has a word, not as a part of a longer one.
pub(crate) fn has_word(line: &str, word: &str) -> bool {
    let inside = |c: char| c.is_alphanumeric() || c == '_';
    line.match_indices(word).any(|(at, _)| {
        let before = line[..at].chars().next_back().is_some_and(inside);
        let after = line[at + word.len()..].chars().next().is_some_and(inside);
        !before && !after
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spacing_is_plain() {
        assert_eq!(spacing("a.md", "one\n\n  two\n").len(), 0);
        assert_eq!(spacing("a.md", "one \n").len(), 1);
        assert_eq!(spacing("a.md", "one\ttwo\n").len(), 1);
        assert_eq!(spacing("a.md", "one").len(), 1);
    }

    #[test]
    fn ignored_code_blocks_are_found() {
        assert_eq!(fences("a.md", "```rust\n```\n```sh\n```\n").len(), 0);
        assert_eq!(fences("a.md", "```rust,ignore\n```\n").len(), 1);
        assert!(!opens_ignored("to ignore"));
    }
}
