//! Rules for any text: spacing, and code blocks that run.

use crate::finding::Finding;

/// Tabs and blanks at the end of a line.
pub(crate) fn spacing(path: &str, text: &str) -> Vec<Finding> {
    let mut found = Vec::new();
    for (index, line) in text.lines().enumerate() {
        if line.contains('\t') {
            found.push(Finding::at(path, index + 1, "tab"));
        }
        if line.ends_with([' ', '\r']) {
            found.push(Finding::at(path, index + 1, "blank at the end of the line"));
        }
    }
    if !text.is_empty() && !text.ends_with('\n') {
        found.push(Finding::of(path, "no line end at the end of the file"));
    }
    found
}

/// Code blocks of a Markdown file that nobody compiles.
pub(crate) fn fences(path: &str, text: &str) -> Vec<Finding> {
    let mut found = Vec::new();
    for (index, line) in text.lines().enumerate() {
        if opens_ignored(line.trim()) {
            let what = "a code block must run, or be `text`: no `ignore`";
            found.push(Finding::at(path, index + 1, what));
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_end_where_their_text_ends() {
        assert_eq!(spacing("a.md", "one\n\n  two\n").len(), 0);
        assert_eq!(spacing("a.md", "one \n").len(), 1);
        assert_eq!(spacing("a.md", "one\ttwo\n").len(), 1);
        assert_eq!(spacing("a.md", "one").len(), 1);
    }

    #[test]
    fn shown_code_runs() {
        assert_eq!(fences("a.md", "```rust\n```\n```sh\n```\n").len(), 0);
        assert_eq!(fences("a.md", "```rust,ignore\n```\n").len(), 1);
        assert!(!opens_ignored("to ignore"));
    }
}
