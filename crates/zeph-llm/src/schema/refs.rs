//! References within a schema: where they lead, and which definitions contain themselves.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

/// What a reference of the form `#`, `#/…` leads to.
pub(super) fn resolve<'a>(root: &'a Value, reference: &str) -> Option<&'a Value> {
    let pointer = reference.strip_prefix('#')?;
    root.pointer(&pointer.replace("%25", "%").replace("%24", "$"))
}

/// A name for the definition that a reference leads to.
pub(super) fn name(reference: &str) -> String {
    let short = reference
        .strip_prefix("#/$defs/")
        .or_else(|| reference.strip_prefix("#/definitions/"))
        .unwrap_or(reference);
    let clean = |c: char| if c.is_ascii_alphanumeric() { c } else { '_' };
    short.chars().map(clean).collect()
}

/// All references of a schema that lead to something that contains itself.
///
/// One pass over the schema, and one over the references; no call per level.
pub(super) fn recursive(root: &Value) -> BTreeSet<String> {
    let mut leads: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut todo: Vec<String> = inside(root).into_iter().collect();
    while let Some(reference) = todo.pop() {
        if leads.contains_key(&reference) {
            continue;
        }
        let next = resolve(root, &reference).map(inside).unwrap_or_default();
        todo.extend(next.iter().cloned());
        leads.insert(reference, next);
    }
    let reaches_itself = |start: &&String| {
        let mut seen = BTreeSet::new();
        let mut todo: Vec<&String> = leads[*start].iter().collect();
        while let Some(reference) = todo.pop() {
            if reference == *start {
                return true;
            }
            if seen.insert(reference) {
                todo.extend(leads.get(reference).into_iter().flatten());
            }
        }
        false
    };
    // The square of the definitions, of which a schema has few; the cap keeps a hostile one cheap.
    leads
        .keys()
        .take(2_000)
        .filter(reaches_itself)
        .cloned()
        .collect()
}

/// The references that stand in a schema, its own definitions left out.
fn inside(schema: &Value) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut todo = vec![schema];
    while let Some(value) = todo.pop() {
        match value {
            Value::Object(map) => {
                for (key, inner) in map {
                    match (key.as_str(), inner) {
                        ("$ref", Value::String(reference)) => {
                            found.insert(reference.clone());
                        }
                        ("$defs" | "definitions" | "const" | "enum" | "default", _) => {}
                        (_, inner) => todo.push(inner),
                    }
                }
            }
            Value::Array(values) => todo.extend(values),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
    found
}
