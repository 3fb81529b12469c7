//! The door: what the graph itself says of a plan, told in the places of the plan.

use std::collections::HashMap;

use zeph_graph::TaskGraph;
use zeph_graph::wire::{AnswerSpec, Code, GraphSpec, Limits, WorkSpec};

use crate::errors::PlanCode;
use crate::fields::is_name;
use crate::place::{Place, Problems};
use crate::task::Draft;

/// The graph, or its problems.
pub(crate) fn graph(
    spec: GraphSpec,
    drafts: &[Draft],
    problems: &mut Problems,
) -> Option<TaskGraph> {
    let found = match spec.check(&Limits::PLAN) {
        Ok(graph) => return Some(graph),
        Err(found) => found,
    };
    let by_name: HashMap<&str, &Draft> = drafts
        .iter()
        .map(|draft| (draft.spec.name.as_str(), draft))
        .collect();
    for one in found {
        // A task's name follows a narrower rule here, which has been told.
        if one.code == Code::BadName && one.task.as_deref().is_some_and(|name| !is_name(name)) {
            continue;
        }
        let draft = one.task.as_deref().and_then(|name| by_name.get(name));
        let mark = draft.and_then(|draft| draft.mark(one.code));
        let place = mark.or_else(|| one.span.map(Place::from));
        let noted = problems.add(PlanCode::Graph(one.code), place, one.message);
        if let Some(help) = one.help {
            noted.help(help);
        }
    }
    None
}

/// A spec that can be checked before the parameters are known: default answers that are expressions
/// are taken to be right.
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
                AnswerSpec::Text => "".into(),
                AnswerSpec::Number => 0.into(),
                AnswerSpec::YesNo => false.into(),
                AnswerSpec::Choice { choices } => choices.first().cloned().into(),
            };
        }
    }
    spec
}
