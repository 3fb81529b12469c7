//! Budgets: the number of packages that a crate brings, and its limit.

use std::collections::BTreeSet;
use std::path::Path;

use toml::{Table, Value};

use crate::cargo::Call;
use crate::finding::Finding;
use crate::tree;
use crate::workspace::Workspace;

const FILE: &str = "xtask/budgets.toml";

/// One line of the budget file.
#[derive(Debug, PartialEq, Eq)]
struct Budget {
    name: String,
    limit: usize,
    /// Whether the packages are counted without default features.
    bare: bool,
}

/// A budget and the packages that count for it.
#[derive(Debug)]
struct Usage {
    budget: Budget,
    packages: BTreeSet<String>,
}

/// Every crate over its budget, with the list of its packages.
pub(crate) fn check(root: &Path) -> Result<Vec<Finding>, String> {
    Ok(measure(root)?.iter().filter_map(over).collect())
}

/// Prints the table of budgets; returns whether all are kept.
pub(crate) fn print() -> Result<bool, String> {
    let workspace = Workspace::load()?;
    let usages = measure(&workspace.root)?;
    println!("{:<22} {:>8} {:>8}", "crate", "packages", "budget");
    for usage in &usages {
        let mark = if over(usage).is_some() { "  OVER" } else { "" };
        let count = usage.packages.len();
        println!(
            "{:<22} {count:>8} {:>8}{mark}",
            usage.budget.name, usage.budget.limit
        );
    }
    Ok(usages.iter().all(|usage| over(usage).is_none()))
}

fn over(usage: &Usage) -> Option<Finding> {
    let count = usage.packages.len();
    if count <= usage.budget.limit {
        return None;
    }
    let list: Vec<&str> = usage.packages.iter().map(String::as_str).collect();
    let message = format!(
        "{count} packages, at most {}: {}",
        usage.budget.limit,
        list.join(", ")
    );
    Some(Finding::new(&usage.budget.name, message))
}

fn measure(root: &Path) -> Result<Vec<Usage>, String> {
    let mut usages = Vec::new();
    for budget in read(&tree::read(root, FILE)?)? {
        let bare = if budget.bare {
            "--no-default-features"
        } else {
            ""
        };
        let line = format!(
            "tree -p {} -e normal,build --prefix none {bare}",
            budget.name
        );
        let packages = packages(&Call::cargo(&line).output(root)?);
        usages.push(Usage { budget, packages });
    }
    Ok(usages)
}

fn read(text: &str) -> Result<Vec<Budget>, String> {
    let table: Table = text.parse().map_err(|err| format!("{FILE}: {err}"))?;
    let mut budgets = Vec::new();
    for (section, bare) in [("packages", false), ("packages-without-features", true)] {
        let lines = table.get(section).and_then(Value::as_table);
        let lines = lines.ok_or_else(|| format!("{FILE}: no section [{section}]"))?;
        for (name, limit) in lines {
            let limit = limit
                .as_integer()
                .and_then(|limit| usize::try_from(limit).ok());
            let limit = limit.ok_or_else(|| format!("{FILE}: {name} is not a number"))?;
            let name = name.clone();
            budgets.push(Budget { name, limit, bare });
        }
    }
    Ok(budgets)
}

/// The packages in the output of `cargo tree`, by name and version.
fn packages(tree: &str) -> BTreeSet<String> {
    let package = |line: &str| {
        let mut words = line.split_whitespace();
        Some(format!("{} {}", words.next()?, words.next()?))
    };
    tree.lines().filter_map(package).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_version_of_a_package_counts_once() {
        let tree = "a v0.1.0 (here)\nsyn v2.0.1\nsyn v3.0.0 (proc-macro)\nsyn v2.0.1 (*)\n\n";
        let expected = ["a v0.1.0", "syn v2.0.1", "syn v3.0.0"].map(str::to_owned);
        assert_eq!(packages(tree), BTreeSet::from(expected));
    }

    #[test]
    fn the_limit_itself_is_allowed() {
        let usage = |limit| Usage {
            budget: Budget {
                name: "a".to_owned(),
                limit,
                bare: false,
            },
            packages: packages("a v1\nb v1\n"),
        };
        assert_eq!(over(&usage(2)), None);
        let finding = over(&usage(1)).unwrap().to_string();
        assert_eq!(finding, "a: 2 packages, at most 1: a v1, b v1");
    }

    #[test]
    fn every_line_needs_a_number() {
        let text = "[packages]\na = 3\n[packages-without-features]\nb = 4\n";
        let budgets = read(text).unwrap();
        assert_eq!(budgets.len(), 2);
        assert!(!budgets[0].bare && budgets[1].bare);
        assert!(read("[packages]\na = \"x\"\n[packages-without-features]\n").is_err());
        assert!(read("").is_err());
    }
}
