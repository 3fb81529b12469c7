//! What the attempts of a command got: its parameters with the values of their expressions.

use serde_json::Value;
use zeph_executor::TaskInput;
use zeph_graph::{Task, TaskId, Work};
use zeph_memory::RawGraphStore;
use zeph_planfile::RunValues;
use zeph_runtime::RunView;

use super::OrchestratorError;
use super::compose::COMMAND;

/// The parameters of a command of a stored run, with the values that its attempts got. An expression that
/// uses a secret becomes `‹redacted: NAME›`, because secrets are not stored.
///
/// All attempts of a task get the same, because its parents end before the first one starts. `None` if the
/// task is no command, has not started, or has an expression without a value.
///
/// # Errors
/// If the store cannot read the outputs that the expressions use.
pub async fn command_input(
    store: &dyn RawGraphStore,
    view: &RunView,
    task: TaskId,
) -> Result<Option<Value>, OrchestratorError> {
    let definition = view.graph().task(task);
    let params = match definition.work() {
        Work::Action { name, params } if **name == *COMMAND => params.to_value(),
        Work::Action { .. } | Work::Milestone | Work::Question(_) => return Ok(None),
    };
    let has_started = view.scheduler.task(task).last_attempt().is_some();
    let (true, Ok(params)) = (has_started, params) else {
        return Ok(None);
    };
    let graph = view.graph();
    let parents = graph.parents(task).iter().map(|&id| graph.written_name(id));
    let used = RunValues::used_parents(&params, parents);
    let parents = view.parents(store, task, &used).await?;
    let values = RunValues::of_graph(view.graph())?;
    let item = view.item(store, task).await?;
    let input = TaskInput {
        preparation: Value::Null,
        params,
        parents,
        item,
        previous_error: None,
    };
    // The error of the attempts tells why an expression has no value.
    Ok(values
        .shown_params(&view.run, definition.name(), input)
        .ok())
}

/// Whether a task of a plan gets the result of another one: an expression of it or the context of its prompt names
/// that task. For [`RetryPlan::cut_off`](crate::RetryPlan::cut_off): a task that needs another one without its
/// result needs something else that it leaves behind.
#[must_use]
pub fn reads_result(task: &Task, other: &str) -> bool {
    let Work::Action { params, .. } = task.work() else {
        return false;
    };
    let params = params.to_value().unwrap_or_default();
    let context = params["context"].as_array().into_iter().flatten();
    context.into_iter().any(|name| name == other)
        || !RunValues::used_parents(&params, [other]).is_empty()
}
