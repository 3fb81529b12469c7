//! Included files: shared params, lanes, defaults and variables, under those of the plan itself.

use std::borrow::Cow;

use zeph_diagnostics::{Diagnostics, Entry, Node, Span, Value};

use crate::files::Files;
use crate::lanes::lanes;
use crate::param;
use crate::task;

/// The key of a plan that names the files.
pub(crate) const KEY: &str = "include";

/// The keys of an included file.
pub(crate) const KEYS: [&str; 4] = ["env", "params", "lanes", "defaults"];

/// The plan with what its included files have and it does not. A later file precedes an earlier one.
///
/// What comes from a file has the place of its name in the plan.
pub(crate) fn include<'a>(
    root: &'a Node,
    files: Option<&Files>,
    problems: &mut Diagnostics,
) -> Cow<'a, Node> {
    let named = root.field(KEY);
    let Some(named) = named else {
        return Cow::Borrowed(root);
    };
    let mut shared: Vec<Entry> = Vec::new();
    for item in named.one_or_more() {
        let Some(file) = Files::read(files, item, "`include`", problems) else {
            continue;
        };
        let mut own = Diagnostics::in_source(&file.source);
        if let Some(mut part) = file.format.read(&file.source, &mut own) {
            check(&part, &mut own);
            place(&mut part, item.span);
            if let Value::Table(entries) = part.value {
                let mut later = entries;
                merge(&mut later, shared);
                shared = later;
            }
        }
        file.report(own, item, problems);
    }
    let mut merged = root.clone();
    if let Value::Table(entries) = &mut merged.value {
        entries.retain(|entry| entry.key != KEY);
        merge(entries, shared);
    }
    Cow::Owned(merged)
}

/// Reports what is wrong with an included file by itself.
fn check(part: &Node, problems: &mut Diagnostics) {
    let Some(fields) = part.table("an included file", &KEYS, problems) else {
        return;
    };
    if let Some(node) = fields.get("params") {
        param::read_all(node, problems);
    }
    if let Some(node) = fields.get("lanes") {
        lanes(node, problems);
    }
    if let Some(node) = fields.get("defaults") {
        task::read_defaults(node, problems);
    }
    if let Some(node) = fields.get("env") {
        task::command::env(node, &mut Vec::new(), problems);
    }
}

/// Adds the entries of tables that are not there; `env` of the defaults is merged variable by variable.
fn merge(entries: &mut Vec<Entry>, shared: Vec<Entry>) {
    for mut part in shared {
        let is_defaults = part.key == "defaults";
        let Some(own) = entries.iter_mut().find(|entry| entry.key == part.key) else {
            entries.push(part);
            continue;
        };
        let (Value::Table(own), Value::Table(part)) = (&mut own.node.value, &mut part.node.value)
        else {
            continue;
        };
        for one in std::mem::take(part) {
            match own.iter_mut().find(|entry| entry.key == one.key) {
                None => own.push(one),
                Some(own) if is_defaults && one.key == "env" => {
                    add_missing(&mut own.node, one.node);
                }
                Some(_) => {}
            }
        }
    }
}

/// Adds the keys of a table that another one does not have.
pub(crate) fn add_missing(own: &mut Node, other: Node) {
    if let (Value::Table(own), Value::Table(other)) = (&mut own.value, other.value) {
        for entry in other {
            if !own.iter().any(|known| known.key == entry.key) {
                own.push(entry);
            }
        }
    }
}

/// Gives all of a tree one place.
pub(crate) fn place(node: &mut Node, span: Span) {
    let mut open = vec![node];
    while let Some(node) = open.pop() {
        node.span = span;
        match &mut node.value {
            Value::List(items) => open.extend(items),
            Value::Table(fields) => {
                for field in fields {
                    field.key_span = span;
                    open.push(&mut field.node);
                }
            }
            Value::Null
            | Value::Bool(_)
            | Value::Integer(_)
            | Value::Float(_)
            | Value::String(_) => {}
        }
    }
}
