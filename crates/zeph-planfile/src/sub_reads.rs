//! Reads of the tasks of a sub-plan: `tasks.deploy.build` in the outer plan.

use std::borrow::Cow;
use std::collections::{BTreeSet, HashSet};

use zeph_diagnostics::{Entry, Node, Value};

use crate::matrix::{for_each_text, group_of};
use crate::references::{Reference, references_in, replace_tasks};
use crate::subplan::{name_list, strings};
use crate::template::{Replaced, rewrite};

/// Turns `tasks.deploy.build` into the name of the task, and lets a task that needs `deploy` read it.
pub(crate) fn read_tasks(
    task: &mut Cow<'_, Entry>,
    subs: &BTreeSet<String>,
    names: &HashSet<String>,
) {
    let mentions = |node: &Node| {
        let mut mentioned = false;
        for_each_text(&mut node.clone(), |text, _| {
            mentioned |= text.contains("${{") && text.contains("tasks");
        });
        mentioned
    };
    if !mentions(&task.node) {
        return;
    }
    let joined = |name: &str, next: &str| {
        let joined = format!("{name}.{next}");
        let is_task = names.contains(&joined)
            || names
                .iter()
                .any(|known| group_of(known) == Some(joined.as_str()));
        is_task.then_some(joined)
    };
    let mut used = BTreeSet::new();
    let task = task.to_mut();
    for_each_text(&mut task.node, |text, _| {
        if text.contains("${{") {
            *text = rewrite(text, |expression| {
                Replaced::Expression(replace_tasks(expression, joined))
            });
            used.extend(references_in(text).into_iter().filter_map(|one| match one {
                Reference::Task { name, .. } => Some(name),
                Reference::Param(_) | Reference::Run(_) => None,
            }));
        }
    });
    let needs = strings(&task.node, "needs");
    let is_inside = |name: &str| {
        needs.iter().any(|need| {
            subs.contains(need)
                && name
                    .strip_prefix(need.as_str())
                    .is_some_and(|rest| rest.starts_with('.'))
        })
    };
    let inside = used.iter().filter(|name| is_inside(name));
    let more: Vec<String> = inside
        .flat_map(|name| {
            let cells = names
                .iter()
                .filter(|known| group_of(known) == Some(name.as_str()));
            let mut cells: Vec<String> = cells.cloned().collect();
            cells.sort();
            if cells.is_empty() {
                vec![name.clone()]
            } else {
                cells
            }
        })
        .filter(|name| !needs.contains(name))
        .collect();
    let Value::Table(fields) = &mut task.node.value else {
        return;
    };
    for field in fields.iter_mut().filter(|field| field.key == "needs") {
        let span = field.node.span;
        if let (Value::List(items), Value::List(more)) =
            (&mut field.node.value, name_list(&more, span))
        {
            items.extend(more);
        }
    }
}
