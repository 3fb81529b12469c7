//! By hand: from the end that a person gives a task to the scheduler's input.

use serde_json::Value;
use zeph_graph::{ManualEnd, TaskId, Timestamp, Work};
use zeph_scheduler::{Input, InputOutcome, Scheduler};

use super::Contents;
use super::answer::{decide, intern_value};

/// The end that a person gives a task, with who gives it if that is known.
#[derive(Clone, Debug)]
pub struct GivenEnd<T> {
    /// The task.
    pub task: TaskId,
    /// The result of the task; `None` skips it.
    pub result: Option<Value>,
    /// The content that describes who gives it.
    pub by: Option<T>,
}

/// Why a task cannot be given that result.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct BadResult(pub String);

/// Gives an unfinished task its end. A result is interned in the form that `content` gives it, and so is the
/// description of who gives it.
///
/// # Errors
/// If the result is larger than `max_bytes`, or the task is a question that does not accept it.
pub fn give_end<T>(
    scheduler: &mut Scheduler,
    contents: &mut Contents<T>,
    now: Timestamp,
    given: GivenEnd<T>,
    max_bytes: usize,
    content: impl FnOnce(Value) -> T,
) -> Result<InputOutcome, BadResult> {
    let GivenEnd { task, result, by } = given;
    let end = match result {
        None => ManualEnd::Skip,
        Some(value) => {
            check_result(scheduler, task, &value)?;
            let output = intern_value(contents, value, max_bytes, content);
            ManualEnd::Complete(output.map_err(BadResult)?)
        }
    };
    let value = match end {
        ManualEnd::Complete(output) => output.content(),
        ManualEnd::Skip | ManualEnd::Withdraw => None,
    };
    let input = |by| Input::Override { task, end, by };
    Ok(decide(scheduler, contents, now, value, by, input))
}

/// Checks the result that a person gives a task, without giving it.
///
/// # Errors
/// If the task is a question that does not accept it.
pub fn check_result(scheduler: &Scheduler, task: TaskId, value: &Value) -> Result<(), BadResult> {
    match scheduler.graph().task(task).work() {
        Work::Question(question) if !question.accepts(value) => Err(BadResult(format!(
            "its question does not accept {value} as an answer"
        ))),
        Work::Question(_) | Work::Milestone | Work::Action { .. } => Ok(()),
    }
}
