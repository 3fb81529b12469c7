//! The book: every chapter is in the table of contents, and no link of the documents is dead.

use std::collections::BTreeSet;
use std::path::Path;

use toml::{Table, Value};

use crate::finding::Finding;
use crate::{markdown, tree};

const SUMMARY: &str = "docs/src/SUMMARY.md";
const SETTINGS: &str = "docs/book.toml";

/// Everything wrong with the book and the links of the documents.
pub(crate) fn check(root: &Path) -> Result<Vec<Finding>, String> {
    let files = tree::files(root)?;
    let mut found = settings(&tree::read(root, SETTINGS)?);
    let summary = tree::read(root, SUMMARY)?;
    found.extend(chapters(&summary, &files));
    for path in files.iter().filter(|path| is_document(path)) {
        let text = tree::read(root, path)?;
        found.extend(links(root, path, &text));
    }
    Ok(found)
}

/// Documents with links to check: the book and the files at the root.
fn is_document(path: &str) -> bool {
    let top = !path.contains('/');
    path.ends_with(".md") && (top || path.starts_with("docs/"))
}

fn settings(text: &str) -> Vec<Finding> {
    let table: Table = match text.parse() {
        Ok(table) => table,
        Err(err) => return vec![Finding::new(SETTINGS, err.to_string())],
    };
    let book = table.get("book");
    let value = |name| book.and_then(|book| book.get(name)).and_then(Value::as_str);
    let mut found = Vec::new();
    if value("title").is_none() {
        found.push(Finding::new(SETTINGS, "the book has no title"));
    }
    if value("src").unwrap_or("src") != "src" {
        found.push(Finding::new(SETTINGS, "the chapters must be in `src`"));
    }
    found
}

/// Chapters that are missing in the table of contents; an entry without a file is a dead link.
fn chapters(summary: &str, files: &[String]) -> Vec<Finding> {
    let listed: BTreeSet<String> = markdown::links(summary)
        .into_iter()
        .map(|link| resolve(SUMMARY, &link.target))
        .collect();
    files
        .iter()
        .filter(|path| path.starts_with("docs/src/") && path.ends_with(".md"))
        .filter(|path| *path != SUMMARY && !listed.contains(*path))
        .map(|path| Finding::new(path, "this chapter is not in SUMMARY.md"))
        .collect()
}

fn links(root: &Path, path: &str, text: &str) -> Vec<Finding> {
    let mut found = Vec::new();
    for link in markdown::links(text) {
        if is_external(&link.target) {
            continue;
        }
        if let Some(message) = dead(root, path, text, &link.target) {
            found.push(Finding::at(path, link.line, message));
        }
    }
    found
}

fn is_external(target: &str) -> bool {
    target.contains("://") || target.starts_with("mailto:")
}

/// Why a link is dead; `None` if it is not.
fn dead(root: &Path, path: &str, text: &str, target: &str) -> Option<String> {
    let (file, anchor) = target.split_once('#').unwrap_or((target, ""));
    let linked = resolve(path, file);
    if !file.is_empty() && !root.join(&linked).exists() {
        return Some(format!("dead link: {linked} does not exist"));
    }
    if anchor.is_empty() || !(file.is_empty() || file.ends_with(".md")) {
        return None;
    }
    let other;
    let text = if file.is_empty() {
        text
    } else {
        other = tree::read(root, &linked).unwrap_or_default();
        &other
    };
    let known = markdown::anchors(text).iter().any(|known| known == anchor);
    (!known).then(|| format!("dead link: {target} names no heading"))
}

/// Resolves a link target of a file to a path from the repository's root.
fn resolve(from: &str, target: &str) -> String {
    let mut parts: Vec<&str> = from.split('/').collect();
    parts.pop();
    for part in target.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    parts.join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn root() -> &'static Path {
        Path::new(env!("CARGO_MANIFEST_DIR"))
    }

    #[test]
    fn every_chapter_is_listed() {
        let files = ["docs/src/SUMMARY.md", "docs/src/guide.md"].map(str::to_owned);
        assert_eq!(chapters("- [Guide](guide.md)\n", &files), []);
        assert_eq!(chapters("- [Guide](./guide.md)\n", &files), []);
        assert_eq!(chapters("", &files).len(), 1);
    }

    #[test]
    fn dead_links_are_found() {
        let text = "[m](src/main.rs) [x](https://example.org) [here](#top)\n# Top\n";
        assert_eq!(links(root(), "README.md", text), []);
        assert_eq!(links(root(), "README.md", "[m](src/missing.rs)\n").len(), 1);
        assert_eq!(links(root(), "README.md", "[m](#missing)\n").len(), 1);
    }

    #[test]
    fn a_link_is_relative_to_its_file() {
        assert_eq!(
            resolve("docs/src/a.md", "../plans/b.toml"),
            "docs/plans/b.toml"
        );
        assert_eq!(resolve("README.md", "docs/src/a.md"), "docs/src/a.md");
    }

    #[test]
    fn the_settings_are_read() {
        assert_eq!(settings("[book]\ntitle = \"A\"\nsrc = \"src\"\n"), []);
        assert_eq!(settings("[book]\nsrc = \"text\"\n").len(), 2);
        assert_eq!(settings("[book").len(), 1);
    }

    #[test]
    fn plans_and_sources_are_not_documents() {
        assert!(is_document("README.md"));
        assert!(is_document("docs/src/guide.md"));
        assert!(!is_document("tests/golden/a.md"));
        assert!(!is_document("docs/plans/report.toml"));
    }
}
