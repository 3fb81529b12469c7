//! Definitions: values and actions from a task's definition.

use std::sync::Arc;

use serde_json::Value;
use zeph_graph::{OnFailure, Output, Params, Task, TaskGraph, TaskId, TaskState, Work};
use zeph_scheduler::Scheduler;

/// The name of the action that runs for a task, and its parameters.
///
/// A task that is not an action has its own name as its action, and no parameters.
#[must_use]
pub fn action_of(task: &Task) -> (Arc<str>, Params) {
    match task.work() {
        Work::Action { name, params } => (Arc::clone(name), params.clone()),
        Work::Milestone | Work::Question(_) => (task.shared_name(), Params::none()),
    }
}

/// The action of the executor that prepares tasks which are no actions: questions and milestones.
pub const PREPARE: &str = "prepare";

/// The action whose executor the task needs: its own, or [`PREPARE`] if it is no action and is prepared.
#[must_use]
pub fn needed_action(task: &Task) -> Option<Arc<str>> {
    match task.work() {
        Work::Action { name, .. } => Some(Arc::clone(name)),
        Work::Milestone | Work::Question(_) => {
            let is_prepared = task.rules().prepare.is_some();
            is_prepared.then(|| Arc::from(PREPARE))
        }
    }
}

/// The value that a task with [`Output::Definition`] has: the default answer of a question, or the
/// substitute for a failed task. A task whose fallback has completed has the value of the fallback's definition.
///
/// A text that is not JSON, which only code can write, is a string.
#[must_use]
pub fn defined_value(graph: &TaskGraph, task: TaskId) -> Value {
    let mut at = task;
    // Fallbacks do not go round in a circle.
    while let Some(fallback) = graph.fallback(at) {
        at = fallback;
    }
    let task = graph.task(at);
    let params = match (task.work(), &task.rules().on_failure) {
        (Work::Question(question), _) => question.fallback.as_ref().map(|(_, value)| value),
        (Work::Milestone | Work::Action { .. }, OnFailure::Value(value)) => Some(value),
        (
            Work::Milestone | Work::Action { .. },
            OnFailure::Abort | OnFailure::Skip | OnFailure::Ask(_) | OnFailure::Fallback(_),
        ) => None,
    };
    let read = |params: &Params| {
        params
            .to_value()
            .unwrap_or_else(|_| Value::from(params.json_text()))
    };
    params.map_or(Value::Null, read)
}

/// The output of a task, if it is in the task's definition.
#[must_use]
pub fn defined_output(scheduler: &Scheduler, task: TaskId) -> Option<Value> {
    let defined = TaskState::Completed {
        output: Output::Definition,
    };
    (scheduler.task(task).state() == defined).then(|| defined_value(scheduler.graph(), task))
}
