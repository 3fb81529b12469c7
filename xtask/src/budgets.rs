//! Weight budgets: how many packages come with a crate, and how many may.

use std::collections::BTreeSet;
use std::path::Path;

use toml::{Table, Value};

use crate::finding::Finding;
use crate::tool::Call;
use crate::tree;
use crate::workspace::Workspace;

const FILE: &str = "xtask/budgets.toml";

/// One line of the budget file.
#[derive(Debug, PartialEq, Eq)]
struct Budget {
    name: String,
    limit: usize,
    /// Whether the crate is weighed without its default features.
    bare: bool,
}

/// A budget beside what really comes with the crate.
#[derive(Debug)]
struct Weight {
    budget: Budget,
    packages: BTreeSet<String>,
}

/// Every crate that weighs more than its budget, with the packages that make the weight.
pub(crate) fn check(root: &Path) -> Result<Vec<Finding>, String> {
    Ok(weigh(root)?.iter().filter_map(over).collect())
}

/// Prints the table of budgets; the answer is whether all hold.
pub(crate) fn print() -> Result<bool, String> {
    let workspace = Workspace::load()?;
    let weights = weigh(&workspace.root)?;
    println!("{:<22} {:>8} {:>8}", "crate", "packages", "budget");
    for weight in &weights {
        let mark = if over(weight).is_some() { "  OVER" } else { "" };
        let count = weight.packages.len();
        println!(
            "{:<22} {count:>8} {:>8}{mark}",
            weight.budget.name, weight.budget.limit
        );
    }
    Ok(weights.iter().all(|weight| over(weight).is_none()))
}

fn over(weight: &Weight) -> Option<Finding> {
    let count = weight.packages.len();
    if count <= weight.budget.limit {
        return None;
    }
    let list: Vec<&str> = weight.packages.iter().map(String::as_str).collect();
    let what = format!(
        "{count} packages, at most {}: {}",
        weight.budget.limit,
        list.join(", ")
    );
    Some(Finding::of(&weight.budget.name, what))
}

fn weigh(root: &Path) -> Result<Vec<Weight>, String> {
    let mut weights = Vec::new();
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
        let packages = packages(&Call::cargo(&line).answer(root)?);
        weights.push(Weight { budget, packages });
    }
    Ok(weights)
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
    fn a_package_counts_once_for_each_version() {
        let tree = "a v0.1.0 (here)\nsyn v2.0.1\nsyn v3.0.0 (proc-macro)\nsyn v2.0.1 (*)\n\n";
        let expected = ["a v0.1.0", "syn v2.0.1", "syn v3.0.0"].map(str::to_owned);
        assert_eq!(packages(tree), BTreeSet::from(expected));
    }

    #[test]
    fn the_limit_itself_is_allowed() {
        let weight = |limit| Weight {
            budget: Budget {
                name: "a".to_owned(),
                limit,
                bare: false,
            },
            packages: packages("a v1\nb v1\n"),
        };
        assert_eq!(over(&weight(2)), None);
        let finding = over(&weight(1)).unwrap().to_string();
        assert_eq!(finding, "a: 2 packages, at most 1: a v1, b v1");
    }

    #[test]
    fn the_file_names_a_limit_for_each_crate() {
        let text = "[packages]\na = 3\n[packages-without-features]\nb = 4\n";
        let budgets = read(text).unwrap();
        assert_eq!(budgets.len(), 2);
        assert!(!budgets[0].bare && budgets[1].bare);
        assert!(read("[packages]\na = \"x\"\n[packages-without-features]\n").is_err());
        assert!(read("").is_err());
    }
}
