//! Guarantees: each promise in the book names the test that holds it, and that test exists.

use std::collections::BTreeSet;
use std::path::Path;

use crate::finding::Finding;
use crate::source::{self, Source};
use crate::{markdown, tree};

const PAGE: &str = "docs/src/guarantees.md";

/// Promises without a test, and tests that do not exist.
pub(crate) fn check(root: &Path) -> Result<Vec<Finding>, String> {
    let page = tree::read(root, PAGE)?;
    let sources = source::all(root)?;
    let functions = sources.iter().flat_map(Source::functions);
    let functions = functions.map(|each| each.name).collect();
    let files = tree::files(root)?.into_iter().collect();
    Ok(check_page(&page, &functions, &files))
}

fn check_page(page: &str, functions: &BTreeSet<String>, files: &BTreeSet<String>) -> Vec<Finding> {
    let mut found = Vec::new();
    let mut column = None;
    let mut promises = 0;
    for (number, line) in markdown::prose(page) {
        let Some(cells) = markdown::cells(line) else {
            column = None;
            continue;
        };
        let Some(at) = column else {
            column = Some(test_column(&cells));
            continue;
        };
        if is_rule(&cells) {
            continue;
        }
        promises += 1;
        let named = markdown::spans(cells.get(at).copied().unwrap_or_default());
        if named.is_empty() {
            found.push(Finding::at(PAGE, number, "this promise names no test"));
        }
        for name in named {
            if !exists(name, functions, files) {
                let what = format!("no test `{name}` in the repository");
                found.push(Finding::at(PAGE, number, what));
            }
        }
    }
    if promises == 0 {
        found.push(Finding::of(PAGE, "no table of promises"));
    }
    found
}

/// The column whose head speaks of tests, else the last one.
fn test_column(head: &[&str]) -> usize {
    let named = head
        .iter()
        .position(|cell| cell.to_lowercase().contains("test"));
    named.unwrap_or(head.len().saturating_sub(1))
}

fn is_rule(cells: &[&str]) -> bool {
    cells
        .iter()
        .all(|cell| cell.chars().all(|c| "-: ".contains(c)))
}

/// A test is a function, named alone or by its path, or a file of a scenario or transcript.
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

    fn complaints(rows: &str) -> usize {
        let page = format!("# Guarantees\n\n| promise | test |\n|---|:--|\n{rows}");
        let functions = BTreeSet::from(["it_holds".to_owned()]);
        let files = BTreeSet::from(["tests/scenarios/skip.txt".to_owned()]);
        check_page(&page, &functions, &files).len()
    }

    #[test]
    fn a_promise_is_held_by_a_test_that_exists() {
        assert_eq!(complaints("| one `at_most_once` | `it_holds` |\n"), 0);
        assert_eq!(complaints("| one | `zeph_graph::door::it_holds` |\n"), 0);
        assert_eq!(complaints("| one | `tests/scenarios/skip.txt` |\n"), 0);
        assert_eq!(complaints("| one | `it_held` |\n"), 1);
        assert_eq!(
            complaints("| one | `tests/scenarios/none.txt`, `it_holds` |\n"),
            1
        );
    }

    #[test]
    fn a_promise_without_a_test_is_none() {
        assert_eq!(complaints("| one | soon |\n"), 1);
        assert_eq!(complaints(""), 1, "a page without promises");
    }
}
