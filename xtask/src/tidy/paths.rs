//! Paths of one machine: they are true for its owner only, so no file may hold one.

use crate::finding::Finding;
use crate::source::Source;

/// Folders of a machine, without their slashes, so that this file passes its own rule.
const OWNED: [&str; 3] = ["root", "home", "Users"];

/// A folder that tests and readers may use, but no library.
const SHARED: &str = "tmp";

/// In a Rust file; tests may use the shared folder.
pub(crate) fn in_source(source: &Source) -> Vec<Finding> {
    let mut found = Vec::new();
    for (number, line) in source.numbered() {
        let shared = !line.test && below(&line.raw, SHARED);
        if shared || is_owned(&line.raw) {
            found.push(Finding::at(&source.path, number, WHAT));
        }
    }
    found
}

/// In a document or a manifest.
pub(crate) fn in_text(path: &str, text: &str) -> Vec<Finding> {
    let lines = text.lines().enumerate();
    lines
        .filter(|(_, line)| is_owned(line))
        .map(|(index, _)| Finding::at(path, index + 1, WHAT))
        .collect()
}

const WHAT: &str = "a path of one machine; ask the system or take it as an argument";

fn is_owned(line: &str) -> bool {
    OWNED.iter().any(|folder| below(line, folder))
}

/// Whether a line holds an absolute path below a folder of the file system's root.
fn below(line: &str, folder: &str) -> bool {
    let prefix = format!("/{folder}/");
    line.match_indices(&prefix).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        let inner = before.is_some_and(|c| c.is_alphanumeric() || "_-.~/:}*".contains(c));
        let after = line[at + prefix.len()..].chars().next();
        !inner && after.is_some_and(|c| c.is_alphanumeric() || "._-".contains(c))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn in_rust(path: &str, text: &str) -> usize {
        in_source(&Source::new(path, text)).len()
    }

    #[test]
    fn a_home_is_private() {
        let line = format!("let p = \"/{}/ann/x\";", "home");
        assert_eq!(in_rust("src/a.rs", &line), 1);
        assert_eq!(in_rust("tests/a.rs", &line), 1);
        assert_eq!(in_text("a.md", &line).len(), 1);
        assert_eq!(in_rust("src/a.rs", "let p = \"docs/home/ann\";"), 0);
    }

    #[test]
    fn the_shared_folder_is_for_tests_and_readers() {
        let line = format!("let p = \"/{SHARED}/x\";");
        assert_eq!(in_rust("src/a.rs", &line), 1);
        assert_eq!(in_rust("tests/a.rs", &line), 0);
        assert_eq!(in_text("a.md", &line).len(), 0);
    }
}
