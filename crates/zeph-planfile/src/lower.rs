//! Lowering: from a plan to its graph; problems of the graph get their spans in the plan.

use std::collections::HashMap;

use zeph_diagnostics::Diagnostics;
use zeph_graph::wire::{GraphSpec, Limits, WorkSpec, code as graph_code};
use zeph_graph::{AnswerKind, TaskGraph};

use crate::fields::is_name;
use crate::plan;
use crate::task::Draft;

/// The graph, or its problems.
pub(crate) fn graph(
    spec: GraphSpec,
    drafts: &[Draft],
    problems: &mut Diagnostics,
) -> Option<TaskGraph> {
    let found = match spec.check(&Limits::PLAN) {
        Ok(graph) => return Some(graph),
        Err(found) => found,
    };
    let by_name: HashMap<&str, &Draft> = drafts
        .iter()
        .map(|draft| (draft.spec.name.as_str(), draft))
        .collect();
    for mut one in found {
        let name = one.subject.as_deref();
        // Plans have a stricter rule for names, so this name has been reported already.
        if one.code == graph_code::BAD_NAME && name.is_some_and(|name| !is_name(name)) {
            continue;
        }
        let draft = name.and_then(|name| by_name.get(name));
        if let Some(mark) = draft.and_then(|draft| draft.mark(one.code)) {
            one.span = Some(mark);
        }
        let is_other_cell = draft.is_some_and(|draft| draft.is_other_cell);
        plan::add(one.into(), is_other_cell, problems);
    }
    None
}

/// A spec that can be checked before the parameters are known: a default answer that is an expression is
/// replaced by a valid answer.
pub(crate) fn before_binding(mut spec: GraphSpec) -> GraphSpec {
    for task in &mut spec.tasks {
        let WorkSpec::Question(asked) = &mut task.work else {
            continue;
        };
        let Some(default) = &mut asked.default else {
            continue;
        };
        if default
            .value
            .as_str()
            .is_some_and(|text| text.contains("${{"))
        {
            default.value = match &asked.answer {
                AnswerKind::Text => "".into(),
                AnswerKind::Number => 0.into(),
                AnswerKind::YesNo => false.into(),
                AnswerKind::Choice { choices } => choices.first().cloned().into(),
            };
        }
    }
    spec
}
