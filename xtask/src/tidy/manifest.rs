//! Rules for manifests: a reason for each dependency, shared lints, no publication.

use std::collections::BTreeSet;

use toml::{Table, Value};

use crate::finding::Finding;

/// The root manifest: a comment gives the reason for each shared dependency.
///
/// A comment covers the lines below it up to the next empty one.
pub(crate) fn root(text: &str) -> Vec<Finding> {
    let mut found = Vec::new();
    let mut dependencies = false;
    let mut covered = false;
    let mut open = 0_usize;
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        if open == 0 && line.starts_with('[') {
            dependencies = line == "[workspace.dependencies]";
            covered = false;
        } else if line.is_empty() {
            covered = false;
        } else if line.starts_with('#') {
            covered = true;
        } else if dependencies {
            if open == 0 && !covered {
                let name = line.split(['=', '.', ' ']).next().unwrap_or(line);
                let message = format!("dependency {name} has no comment with its reason");
                found.push(Finding::at("Cargo.toml", index + 1, message));
            }
            open += line.matches(['[', '{']).count();
            open = open.saturating_sub(line.matches([']', '}']).count());
        }
    }
    found
}

/// Shared dependencies that no member uses. The texts are those of the root and of the members.
pub(crate) fn unused(root: &str, members: &[String]) -> Result<Vec<Finding>, String> {
    let parse =
        |text: &str| -> Result<Table, String> { text.parse().map_err(|err| format!("{err}")) };
    let mut used = BTreeSet::new();
    for member in members {
        let table = parse(member)?;
        for section in ["dependencies", "dev-dependencies", "build-dependencies"] {
            let dependencies = table.get(section).and_then(Value::as_table);
            used.extend(
                dependencies
                    .into_iter()
                    .flatten()
                    .map(|(name, _)| name.clone()),
            );
        }
    }
    let root = parse(root)?;
    let workspace = root.get("workspace");
    let shared = workspace.and_then(|workspace| workspace.get("dependencies")?.as_table());
    let names = shared.into_iter().flatten().map(|(name, _)| name);
    let unused = names.filter(|name| !used.contains(*name));
    let finding = |name| Finding::new("Cargo.toml", format!("no crate uses the dependency {name}"));
    Ok(unused.map(finding).collect())
}

/// The manifest of a member.
pub(crate) fn member(path: &str, text: &str) -> Vec<Finding> {
    let table: Table = match text.parse() {
        Ok(table) => table,
        Err(err) => return vec![Finding::new(path, err.to_string())],
    };
    let mut found = Vec::new();
    let shared = table.get("lints").and_then(|lints| lints.get("workspace"));
    if shared.and_then(Value::as_bool) != Some(true) {
        found.push(Finding::new(path, "must have `[lints] workspace = true`"));
    }
    let publish = table
        .get("package")
        .and_then(|package| package.get("publish"));
    let inherited = publish.and_then(|publish| publish.get("workspace"));
    let private = publish.and_then(Value::as_bool) == Some(false)
        || inherited.and_then(Value::as_bool) == Some(true);
    if !private {
        found.push(Finding::new(path, "must have `publish.workspace = true`"));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dependency_has_a_reason() {
        let good = "[workspace.dependencies]\n# Formats.\na = \"1\"\nb = \"2\"\n";
        assert_eq!(root(good).len(), 0);
        let bad = "[workspace.dependencies]\n# Formats.\na = \"1\"\n\nb = \"2\"\n";
        assert_eq!(root(bad).len(), 1);
        let elsewhere = "[workspace.lints.rust]\nunsafe_code = \"forbid\"\n";
        assert_eq!(root(elsewhere).len(), 0);
    }

    #[test]
    fn a_dependency_on_many_lines_is_one_dependency() {
        let long = "[workspace.dependencies]\na = { features = [\n\n  \"x\",\n] }\n";
        assert_eq!(root(long).len(), 1);
    }

    #[test]
    fn a_shared_dependency_is_used() {
        let root = "[workspace.dependencies]\na = \"1\"\nb = \"1\"\nc = \"1\"\n";
        let member = "[dependencies]\na.workspace = true\n[dev-dependencies]\nb.workspace = true\n";
        let found = unused(root, &[member.to_owned()]).unwrap();
        assert_eq!(found.len(), 1);
        assert!(found[0].to_string().ends_with("dependency c"));
    }

    #[test]
    fn a_member_shares_the_lints_and_is_not_published() {
        let good = "[package]\npublish.workspace = true\n[lints]\nworkspace = true\n";
        assert_eq!(member("a", good).len(), 0);
        let open = "[package]\nname = \"a\"\n[lints]\nworkspace = true\n";
        assert_eq!(member("a", open).len(), 1);
        assert_eq!(member("a", "[package]\npublish = false\n").len(), 1);
        assert_eq!(member("a", "[package").len(), 1);
    }
}
