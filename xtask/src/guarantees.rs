//! Guarantees: each guarantee in the book names its tests, and these tests exist.

use std::collections::BTreeSet;
use std::path::Path;

use crate::finding::Finding;
use crate::{markdown, rust, tree};

const PAGE: &str = "docs/src/guarantees.md";

/// Guarantees without a test, and tests that do not exist.
pub(crate) fn check(root: &Path) -> Result<Vec<Finding>, String> {
    let page = tree::read(root, PAGE)?;
    let files = tree::files(root)?;
    let mut functions = BTreeSet::new();
    for path in files.iter().filter(|path| path.ends_with(".rs")) {
        functions.extend(rust::scan(path, &tree::read(root, path)?)?.functions);
    }
    Ok(check_page(&page, &functions, &files.into_iter().collect()))
}

fn check_page(page: &str, functions: &BTreeSet<String>, files: &BTreeSet<String>) -> Vec<Finding> {
    let mut found = Vec::new();
    let mut column = None;
    let mut guarantees = 0;
    for (number, line) in markdown::prose(page) {
        let Some(cells) = markdown::cells(line) else {
            column = None;
            continue;
        };
        let Some(at) = column else {
            column = Some(test_column(&cells));
            continue;
        };
        if is_separator(&cells) {
            continue;
        }
        guarantees += 1;
        let named = markdown::spans(cells.get(at).copied().unwrap_or_default());
        if named.is_empty() {
            found.push(Finding::at(PAGE, number, "this guarantee names no test"));
        }
        for name in named {
            if !exists(name, functions, files) {
                let message = format!("no test `{name}` in the repository");
                found.push(Finding::at(PAGE, number, message));
            }
        }
    }
    if guarantees == 0 {
        found.push(Finding::new(PAGE, "no table of guarantees"));
    }
    found
}

/// The column whose head contains "test", or else the last one.
fn test_column(head: &[&str]) -> usize {
    let named = head
        .iter()
        .position(|cell| cell.to_lowercase().contains("test"));
    named.unwrap_or(head.len().saturating_sub(1))
}

fn is_separator(cells: &[&str]) -> bool {
    cells
        .iter()
        .all(|cell| cell.chars().all(|c| "-: ".contains(c)))
}

/// A test is a function, with or without its path, or the file of a scenario or transcript.
fn exists(name: &str, functions: &BTreeSet<String>, files: &BTreeSet<String>) -> bool {
    if name.contains('/') {
        return files.contains(name);
    }
    let last = name.rsplit("::").next().unwrap_or(name);
    functions.contains(last.trim_end_matches("()"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn findings(rows: &str) -> usize {
        let page = format!("# Guarantees\n\n| guarantee | test |\n|---|:--|\n{rows}");
        let functions = BTreeSet::from(["it_holds".to_owned()]);
        let files = BTreeSet::from(["tests/scenarios/skip.txt".to_owned()]);
        check_page(&page, &functions, &files).len()
    }

    #[test]
    fn a_guarantee_names_an_existing_test() {
        assert_eq!(findings("| one `at_most_once` | `it_holds` |\n"), 0);
        assert_eq!(findings("| one | `zeph_graph::tests::it_holds` |\n"), 0);
        assert_eq!(findings("| one | `tests/scenarios/skip.txt` |\n"), 0);
        assert_eq!(findings("| one | `it_held` |\n"), 1);
        assert_eq!(
            findings("| one | `tests/scenarios/none.txt`, `it_holds` |\n"),
            1
        );
    }

    #[test]
    fn a_guarantee_without_a_test_is_a_finding() {
        assert_eq!(findings("| one | soon |\n"), 1);
        assert_eq!(findings(""), 1, "a page without guarantees");
    }
}
