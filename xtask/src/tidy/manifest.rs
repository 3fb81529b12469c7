//! Rules for manifests: a reason for each dependency, shared lints, no publication.

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
    fn a_member_shares_the_lints_and_is_not_published() {
        let good = "[package]\npublish.workspace = true\n[lints]\nworkspace = true\n";
        assert_eq!(member("a", good).len(), 0);
        let open = "[package]\nname = \"a\"\n[lints]\nworkspace = true\n";
        assert_eq!(member("a", open).len(), 1);
        assert_eq!(member("a", "[package]\npublish = false\n").len(), 1);
        assert_eq!(member("a", "[package").len(), 1);
    }
}
