//! Lanes of a plan: named limits that its tasks share.

use std::collections::HashSet;

use zeph_diagnostics::{Diagnostic, Diagnostics, Node, Value, quote};
use zeph_graph::wire::{LaneSpec, code as graph_code};

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
        let capacity = if is_zero(&entry.node) {
            let name = quote(&entry.key);
            let message = format!("the lane {name} has capacity 0: nothing could ever run in it");
            let code = graph_code::ZERO_CAPACITY;
            problems.push(Diagnostic::new(code, message).at(entry.node.span));
            None
        } else {
            let what = "the capacity of a lane";
            entry.node.integer(what, 1..=u32::MAX, problems)
        };
        lanes.push(LaneSpec {
            name: entry.key.clone(),
            // An invalid capacity becomes the largest one, so that the tasks in the lane are not reported too.
            capacity: capacity.unwrap_or(u32::MAX),
        });
    }
    lanes
}

fn is_zero(node: &Node) -> bool {
    node.value == Value::Integer(0)
}
