//! Reads of the tasks of a sub-plan: `tasks.deploy.build` in the outer plan.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashSet};

use zeph_diagnostics::{Entry, Node, Value};

use crate::matrix::{Member, for_each_text, group_of};
use crate::references::{Reference, references_in, replace_tasks};
use crate::subplan::{name_list, strings};
use crate::template::{Replaced, rewrite};

/// The names of tasks, and of tasks with a matrix: each with its cells.
pub(crate) struct Names {
    tasks: HashSet<String>,
    groups: BTreeMap<String, Vec<String>>,
}

impl Names {
    pub(crate) fn of(members: &[Member<'_>]) -> Self {
        let tasks: HashSet<String> = members.iter().map(|one| one.entry.key.clone()).collect();
        let mut groups: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for member in members {
            if let Some(group) = group_of(&member.entry.key) {
                let cells = groups.entry(group.to_owned()).or_default();
                cells.push(member.entry.key.clone());
            }
        }
        Self { tasks, groups }
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.tasks.contains(name) || self.groups.contains_key(name)
    }
}

/// Turns `tasks.deploy.build` into the name of the task, and lets a task that needs `deploy` read it.
pub(crate) fn read_tasks(task: &mut Cow<'_, Entry>, subs: &BTreeSet<String>, names: &Names) {
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
        names.has(&joined).then_some(joined)
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
                Reference::Param(_)
                | Reference::Run(_)
                | Reference::Item
                | Reference::ItemIndex => None,
            }));
        }
    });
    let needs: HashSet<String> = strings(&task.node, "needs").into_iter().collect();
    // The name of a task in a sub-plan begins with that of the sub-plan.
    let is_inside = |name: &str| {
        let mut dots = name.match_indices('.').map(|(at, _)| &name[..at]);
        dots.any(|outer| needs.contains(outer) && subs.contains(outer))
    };
    let inside = used.iter().filter(|name| is_inside(name));
    let more = inside.flat_map(|name| match names.groups.get(name) {
        Some(cells) => cells.clone(),
        None => vec![name.clone()],
    });
    let more: Vec<String> = more.filter(|name| !needs.contains(name)).collect();
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
