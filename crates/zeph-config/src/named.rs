//! Tables of named things in several files: commands, and servers of tools.

use std::collections::BTreeMap;

use zeph_diagnostics::{Node, Value};

use crate::layers::{FileKind, Withheld, WithheldReason};

/// Adds what a file has in a table. What the user's file has, a project's file never replaces, and an
/// untrusted one adds nothing. Returns what does not count, each with all its keys as the file writes them.
pub(crate) fn add<T>(
    (table, node, text): (&str, &Node, &str),
    known: &mut BTreeMap<String, T>,
    found: BTreeMap<String, T>,
    kind: FileKind,
) -> Vec<Withheld> {
    let mut withheld = Vec::new();
    for (name, one) in found {
        let reason = match kind {
            FileKind::User => None,
            FileKind::Project => known
                .contains_key(&name)
                .then_some(WithheldReason::UsersCommand),
            FileKind::Untrusted => Some(WithheldReason::NeedsTrust),
        };
        match reason {
            None => drop(known.insert(name, one)),
            Some(reason) => withheld.push(Withheld {
                key: format!("{table}.{name}"),
                value: written(node, &name, text),
                reason,
            }),
        }
    }
    withheld
}

/// The keys of one entry of a table with their values, one a line, as `text` has them. Keys of inner tables have
/// dots.
fn written(table: &Node, name: &str, text: &str) -> String {
    let Value::Table(entries) = &table.value else {
        return String::new();
    };
    let one = entries.iter().find(|entry| entry.key == name);
    let mut open: Vec<(String, &Node)> = one
        .map(|entry| (String::new(), &entry.node))
        .into_iter()
        .collect();
    let mut lines = Vec::new();
    // A stack instead of recursion; the first key is on top.
    while let Some((path, node)) = open.pop() {
        match &node.value {
            Value::Table(entries) => open.extend(entries.iter().rev().map(|entry| {
                let dot = if path.is_empty() { "" } else { "." };
                (format!("{path}{dot}{}", entry.key), &entry.node)
            })),
            Value::Null
            | Value::Bool(_)
            | Value::Integer(_)
            | Value::Float(_)
            | Value::String(_)
            | Value::List(_) => {
                let value = text.get(node.span.start..node.span.end);
                lines.push(format!("{path} = {}", value.unwrap_or_default()));
            }
        }
    }
    lines.join("\n")
}
