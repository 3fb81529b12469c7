//! Lanes of a plan: named limits that its tasks share.

use std::collections::HashSet;

use zeph_diagnostics::{Diagnostic, Diagnostics, Node, Value, quote};
use zeph_graph::Lane;
use zeph_graph::wire::{LaneSpec, code as graph_code};

use crate::code;
use crate::fields::check_name;

/// Reads `[lanes]`.
pub(crate) fn lanes(node: &Node, problems: &mut Diagnostics) -> Vec<LaneSpec> {
    let Some(fields) = node.any_table("`lanes`", problems) else {
        return Vec::new();
    };
    let mut lanes = Vec::new();
    let mut folded = HashSet::new();
    for entry in fields.entries() {
        check_name(entry, "lane", problems);
        if !folded.insert(entry.key.to_lowercase()) {
            let name = quote(&entry.key);
            let message = format!("the lane {name} differs from another one only in case");
            let code = graph_code::CASE_FOLDED_DUPLICATE;
            problems.push(
                Diagnostic::new(code, message)
                    .at(entry.key_span)
                    .help("rename one of them"),
            );
        }
        let name = quote(&entry.key);
        let (limit, shared) = if matches!(entry.node.value, Value::Table(_)) {
            limit_of_table(&entry.node, &name, problems)
        } else {
            (Some(&entry.node), false)
        };
        let capacity = limit.and_then(|node| capacity(node, &name, shared, problems));
        lanes.push(LaneSpec {
            name: entry.key.clone(),
            // An invalid capacity becomes the largest one, so that the tasks in the lane are not reported too.
            capacity: capacity.unwrap_or(if shared { Lane::MAX_SHARED } else { u32::MAX }),
            shared,
        });
    }
    lanes
}

/// The limit of `{ limit = 2, shared = true }`.
fn limit_of_table<'a>(
    node: &'a Node,
    name: &str,
    problems: &mut Diagnostics,
) -> (Option<&'a Node>, bool) {
    let what = format!("the lane {name}");
    let Some(fields) = node.table(&what, &["limit", "shared"], problems) else {
        return (None, false);
    };
    let shared = fields.read("shared", |node, what| node.boolean(what, problems));
    let limit = node.field("limit");
    if limit.is_none() {
        let one = Diagnostic::new(code::MISSING_KEY, format!("{what} has no `limit`"));
        let one = one.at(node.span);
        problems.push(one.help("write `{ limit = 2, shared = true }`"));
    }
    (limit, shared.unwrap_or_default())
}

fn capacity(node: &Node, name: &str, shared: bool, problems: &mut Diagnostics) -> Option<u32> {
    if is_zero(node) {
        let message = format!("the lane {name} has capacity 0: nothing could ever run in it");
        let code = graph_code::ZERO_CAPACITY;
        problems.push(Diagnostic::new(code, message).at(node.span));
        return None;
    }
    let most = if shared { Lane::MAX_SHARED } else { u32::MAX };
    node.integer("the capacity of a lane", 1..=most, problems)
}

fn is_zero(node: &Node) -> bool {
    node.value == Value::Integer(0)
}
