//! `foreach`: a task that runs once for each item of a list.

use zeph_diagnostics::{Diagnostic, Diagnostics, Node, Table, Value};
use zeph_graph::wire::{LaneUseSpec, WorkSpec};
use zeph_graph::{Foreach, ItemFailure};

use super::rules::note_texts_as;
use super::{Draft, Mode};
use crate::code;
use crate::foreign;
use crate::template::Template;
use crate::templated::LIST;

/// The keys of the long form.
const KEYS: [&str; 4] = ["in", "max", "max_parallel", "on_failure"];

/// Reads `foreach`, and adds its list to the parameters of the task's work.
pub(super) fn read(fields: &Table<'_>, draft: &mut Draft, problems: &mut Diagnostics) {
    let Some(node) = fields.get(LIST) else {
        return;
    };
    let mut foreach = Foreach::DEFAULT;
    let list = if let Value::Table(_) = node.value {
        let Some(table) = node.table_with_help("`foreach`", &KEYS, foreign::foreach_key, problems)
        else {
            return;
        };
        let max = table.read("max", |node, what| {
            node.integer(what, 1..=u32::MAX, problems)
        });
        foreach.max = max.unwrap_or(foreach.max);
        let failure = table.read("on_failure", |node, what| {
            node.parse(what, ItemFailure::WORDS, problems)
        });
        foreach.on_failure = failure.unwrap_or_default();
        draft.max_parallel = table.read("max_parallel", |node, what| {
            node.integer(what, 1..=u32::MAX, problems)
        });
        match table.get("in") {
            Some(list) => list,
            None => {
                let one = Diagnostic::new(code::MISSING_KEY, "`foreach` has no list");
                problems.push(one.at(node.span).help("write `in = \"${{ … }}\"`"));
                return;
            }
        }
    } else {
        node
    };
    // Each item has a result that may be found again.
    foreach.prepare_items = draft.cache.is_some();
    draft.spec.foreach = Some(foreach);
    if let Some(lane) = lane(draft) {
        draft.spec.lanes.push(LaneUseSpec { lane, weight: 1 });
    }
    if !is_list(list, foreach, problems) {
        return;
    }
    note_texts_as(list, Mode::Once, &mut draft.uses);
    let json = list.to_json();
    if let WorkSpec::Action { params, .. } = &mut draft.spec.work
        && let Some(params) = params.as_object_mut()
    {
        params.insert(LIST.to_owned(), json);
    }
}

/// The lane that keeps the items within `max_parallel`.
pub(crate) fn lane(draft: &Draft) -> Option<String> {
    (draft.max_parallel).map(|_| format!("foreach {}", draft.spec.name))
}

/// Whether it is a list of values, or one expression.
fn is_list(node: &Node, foreach: Foreach, problems: &mut Diagnostics) -> bool {
    if let Value::List(items) = &node.value {
        let fits = items.len() <= foreach.max as usize;
        if !fits {
            let message = format!(
                "the list has {} items, and the most are {}",
                items.len(),
                foreach.max
            );
            let one = Diagnostic::new(code::BAD_VALUE, message).at(node.span);
            problems.push(one.help("raise `max`: `foreach = { in = [ … ], max = … }`"));
        }
        return fits;
    }
    let Value::String(text) = &node.value else {
        node.wrong_type("`foreach`", "a list, an expression or a table", problems);
        return false;
    };
    let is_expression = Template::parse(text).is_ok_and(|one| one.single().is_some());
    if !is_expression {
        let message = "`foreach` must be a list or one expression";
        let one = Diagnostic::new(code::BAD_VALUE, message).at(node.span);
        problems
            .push(one.help("write `foreach = \"${{ tasks.NAME.json }}\"`, or `[\"a\", \"b\"]`"));
    }
    is_expression
}
