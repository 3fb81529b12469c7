//! The executor port: the trait and its input.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use indexmap::IndexMap;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::{ResultKey, TaskContext, TaskError, TaskErrorRecord, TaskOutput};

/// Runs the attempts of tasks.
///
/// The contract between an executor and the driver that calls it:
///
/// - It is called once for each attempt, after the start of the attempt is saved. Attempts of different
///   tasks run at the same time, so an executor synchronizes its own state.
/// - When [`TaskContext::cancelled`] resolves it stops and returns, within [`TaskContext::grace`]. It
///   then returns a [`TaskError`] of class `Cancelled` (or `Interrupted`, if the work had to be ended by
///   force), or its output if the work was done anyway.
///   When [`TaskContext::kill_token`] fires it stops without cleaning up.
/// - When its future is dropped, everything that it started ends.
/// - A panic is caught by the driver and fails the attempt.
/// - A service that supports idempotency keys gets the one of the context, so that a repeated attempt
///   does not repeat the effect.
///
/// [`conformance::check`](crate::conformance::check) tests most of this on any executor.
///
/// # Examples
/// ```
/// use zeph_executor::{Executor, TaskContext, TaskError, TaskInput, TaskOutput, async_trait};
///
/// struct Double;
///
/// #[async_trait]
/// impl Executor for Double {
///     async fn execute(&self, _: &TaskContext, input: TaskInput) -> Result<TaskOutput, TaskError> {
///         let number: i64 = input.params_as()?;
///         Ok((number * 2).into())
///     }
/// }
/// ```
#[async_trait]
pub trait Executor: Send + Sync {
    /// Runs one attempt to its end.
    ///
    /// # Errors
    /// Its [class](TaskError::class) decides whether the attempt is repeated.
    async fn execute(&self, cx: &TaskContext, input: TaskInput) -> Result<TaskOutput, TaskError>;

    /// Says whether a task with [preparation](zeph_graph::Rules::prepare) runs, once its trigger has fired and
    /// before its approval. [`TaskInput::preparation`] has the parameters; the context is that of the first
    /// attempt, without a log, a progress and a journal. Default: it runs.
    ///
    /// It must have no effect: after a crash it is called again.
    ///
    /// # Errors
    /// [`TaskError::skip`] skips the task; any other error is its failure, whatever its class, and is not
    /// retried.
    async fn prepare(&self, cx: &TaskContext, input: TaskInput) -> Result<Prepared, TaskError> {
        let _ = (cx, input);
        Ok(Prepared::Run)
    }
}

/// What becomes of a task that was prepared.
#[derive(Clone, Debug, PartialEq)]
pub enum Prepared {
    /// It runs: its approval, if it has one, and then its work.
    Run,
    /// It does not run, because it has this result of an earlier run.
    Supply(TaskOutput),
    /// It has the result that was stored under this [key](TaskOutput::key), and runs if there is none.
    Find(ResultKey),
}

#[async_trait]
impl<E: Executor + ?Sized> Executor for Arc<E> {
    async fn execute(&self, cx: &TaskContext, input: TaskInput) -> Result<TaskOutput, TaskError> {
        (**self).execute(cx, input).await
    }

    async fn prepare(&self, cx: &TaskContext, input: TaskInput) -> Result<Prepared, TaskError> {
        (**self).prepare(cx, input).await
    }
}

/// The input of an attempt.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TaskInput {
    /// The parameters of the task's definition; null when it has none.
    pub params: Value,
    /// How the parents ended, by task name, in the order in which they were declared.
    pub parents: IndexMap<String, Parent>,
    /// The parameters of the task's [preparation](zeph_graph::Rules::prepare); null when it has none.
    pub preparation: Value,
    /// The item, if the task runs once for each item of a list and this is not the attempt that makes the list.
    pub item: Option<Item>,
    /// The error of the attempt before this one, if it failed with one: an untrusted text. Work that can learn
    /// from it, such as that of an agent, passes it on.
    pub previous_error: Option<TaskErrorRecord>,
}

/// One item of a list.
#[derive(Clone, Debug, PartialEq)]
pub struct Item {
    /// Its place in the list, from 0.
    pub index: u32,
    /// The item.
    pub value: Value,
}

impl TaskInput {
    /// An input with parameters and no parents.
    #[must_use]
    pub fn new(params: impl Into<Value>) -> Self {
        Self {
            params: params.into(),
            parents: IndexMap::new(),
            preparation: Value::Null,
            item: None,
            previous_error: None,
        }
    }

    /// The parameters as a type.
    ///
    /// # Errors
    /// A permanent error with the code `invalid_params` that names the path of the first misfit.
    ///
    /// # Examples
    /// ```
    /// use zeph_executor::TaskInput;
    /// #[derive(Debug, serde::Deserialize)]
    /// struct Fetch { urls: Vec<String> }
    ///
    /// let input = TaskInput::new(serde_json::json!({ "urls": ["a", 7] }));
    /// let error = input.params_as::<Fetch>().unwrap_err();
    /// assert_eq!(error.code(), "invalid_params");
    /// assert!(error.message().contains("urls[1]"));
    /// ```
    pub fn params_as<T: DeserializeOwned>(&self) -> Result<T, TaskError> {
        read("the parameters", "invalid_params", &self.params)
    }

    /// The value of a parent as a type.
    ///
    /// # Errors
    /// Permanent, with the code `no_parent_output` when there is no such parent or it ended without an
    /// output, and `invalid_parent_output` when its value does not fit the type.
    pub fn parent_as<T: DeserializeOwned>(&self, name: &str) -> Result<T, TaskError> {
        let output = self
            .parents
            .get(name)
            .and_then(|parent| parent.output.as_deref());
        let output = output.ok_or_else(|| {
            TaskError::permanent(format!("there is no output of a parent named {name:?}"))
                .with_code("no_parent_output")
        })?;
        read(
            &format!("the output of {name:?}"),
            "invalid_parent_output",
            &output.value,
        )
    }
}

fn read<T: DeserializeOwned>(what: &str, code: &str, value: &Value) -> Result<T, TaskError> {
    serde_path_to_error::deserialize(value).map_err(|misfit| {
        let path = misfit.path().to_string();
        let place = if path == "." {
            String::new()
        } else {
            format!(" at `{path}`")
        };
        let reason = misfit.inner();
        TaskError::permanent(format!("{what} do not fit{place}: {reason}")).with_code(code)
    })
}

/// How a parent ended, its output, and why it has none.
///
/// # Examples
/// ```
/// use zeph_executor::{EndReason, Parent, ParentState};
/// let why = EndReason::new("model_refused", "the model refused: \"No.\"");
/// let parent = Parent::ended(ParentState::Failed, Some(why));
/// assert!(parent.output.is_none());
/// assert_eq!(parent.why.unwrap().to_string(), "the model refused: \"No.\" [model_refused]");
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Parent {
    /// Its end.
    pub state: ParentState,
    /// Its output. Always present if it completed, otherwise only with a substitute value.
    pub output: Option<Arc<TaskOutput>>,
    /// Why it failed, was skipped or was canceled; `None` if it completed or has not ended.
    pub why: Option<EndReason>,
}

/// Why a task did not complete.
///
/// The message is untrusted text: the words of an executor, a command or a model, without registered secrets.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct EndReason {
    /// The code of the executor's error; else the word of the record: a fault such as `attempt_timeout`,
    /// `upstream`, `condition`, `abort`.
    pub code: String,
    /// The reason in words, at most 8 KiB.
    pub message: String,
}

impl EndReason {
    /// A reason.
    #[must_use]
    pub fn new(code: impl Into<String>, message: impl Into<String>) -> Self {
        let (code, message) = (code.into(), message.into());
        Self { code, message }
    }
}

impl fmt::Display for EndReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} [{}]", self.message, self.code)
    }
}

impl Parent {
    /// A parent that completed with this output.
    #[must_use]
    pub fn completed(output: impl Into<Arc<TaskOutput>>) -> Self {
        Self {
            state: ParentState::Completed,
            output: Some(output.into()),
            why: None,
        }
    }

    /// A parent that ended without an output, and why.
    #[must_use]
    pub const fn ended(state: ParentState, why: Option<EndReason>) -> Self {
        let output = None;
        Self { state, output, why }
    }
}

/// The end of a parent.
///
/// Closed: a task starts only after its parents have ended, and a task has these ends only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ParentState {
    /// It completed, or has a substitute value.
    Completed,
    /// It failed for good.
    Failed,
    /// It never ran, by a trigger, a condition or an answer.
    Skipped,
    /// It was canceled.
    Canceled,
    /// It had not ended when the attempt started, which a trigger such as `any_success` allows.
    Unfinished,
}

#[cfg(test)]
mod tests {
    use super::{Parent, ParentState, TaskInput};
    use crate::{ErrorClass, TaskOutput};
    use serde_json::json;

    #[test]
    fn a_misfit_names_what_and_where() {
        let misfit = TaskInput::new("text")
            .params_as::<u8>()
            .err()
            .map(|e| e.to_string());
        let wanted = "the parameters do not fit: invalid type: string \"text\", expected u8";
        assert_eq!(misfit.as_deref(), Some(wanted));
    }

    #[test]
    fn parents_are_read_by_name() {
        let mut input = TaskInput::default();
        input.parents.insert(
            "a".into(),
            Parent::completed(TaskOutput::from(json!([1, 2]))),
        );
        input
            .parents
            .insert("b".into(), Parent::ended(ParentState::Failed, None));
        assert_eq!(input.parent_as::<Vec<u8>>("a").ok(), Some(vec![1, 2]));
        for (name, code) in [
            ("b", "no_parent_output"),
            ("c", "no_parent_output"),
            ("a", "invalid_parent_output"),
        ] {
            let error = input.parent_as::<Vec<bool>>(name).err();
            let seen = error.map(|e| (e.class(), e.code().to_owned()));
            assert_eq!(seen, Some((ErrorClass::Permanent, code.to_owned())));
        }
    }
}
