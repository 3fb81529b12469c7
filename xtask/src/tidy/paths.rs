//! Absolute paths of one machine, which no file may contain.

use crate::finding::Finding;

/// Folders of users; without their slashes, so that this file passes its own rule.
const PRIVATE: [&str; 3] = ["root", "home", "Users"];

/// Lines that name a path below a user's folder.
pub(crate) fn check(path: &str, text: &str) -> Vec<Finding> {
    let message = "a path of one machine; ask the system or take it as an argument";
    text.lines()
        .enumerate()
        .filter(|(_, line)| PRIVATE.iter().any(|folder| below(line, folder)))
        .map(|(index, _)| Finding::at(path, index + 1, message))
        .collect()
}

/// Whether a text has an absolute path below a folder of the file system's root.
pub(crate) fn below(text: &str, folder: &str) -> bool {
    let prefix = format!("/{folder}/");
    text.match_indices(&prefix).any(|(at, _)| {
        let before = text[..at].chars().next_back();
        let inner = before.is_some_and(|c| c.is_alphanumeric() || "_-.~/:}*".contains(c));
        let after = text[at + prefix.len()..].chars().next();
        !inner && after.is_some_and(|c| c.is_alphanumeric() || "._-".contains(c))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_home_is_private() {
        let line = format!("let p = \"/{}/ann/x\";", "home");
        assert_eq!(check("src/a.rs", &line).len(), 1);
        assert_eq!(check("a.md", "let p = \"docs/home/ann\";").len(), 0);
    }
}
