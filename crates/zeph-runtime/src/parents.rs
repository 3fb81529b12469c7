//! The parents of a task, in the form that its attempts get them.

use std::collections::BTreeSet;
use std::sync::Arc;

use indexmap::IndexMap;
use zeph_executor::{EndReason, Item, Parent, ParentState, TaskError, TaskErrorRecord, TaskOutput};
use zeph_graph::{CancelWhy, ContentId, Fault, Output, SkipWhy, TaskId, TaskState};
use zeph_memory::{Content, RawGraphStore};
use zeph_scheduler::Scheduler;

use crate::content::read_output;
use crate::driver;
use crate::error::RuntimeError;
use crate::restore::{contents, output};
use crate::stored_errors::StoredErrors;
use crate::view::RunView;

/// A parent's end, and where its output is.
pub(crate) struct ParentRef {
    pub(crate) name: Arc<str>,
    pub(crate) state: ParentState,
    pub(crate) output: ParentOutput,
    pub(crate) why: Option<WhyRef>,
}

impl ParentRef {
    pub(crate) fn set_unfinished(&mut self) {
        self.state = ParentState::Unfinished;
        self.output = ParentOutput::None;
        self.why = None;
    }
}

/// Why a parent did not complete: the error of its executor, if there is one, else the record's reason.
pub(crate) struct WhyRef {
    error: Option<ContentId>,
    reason: EndReason,
}

impl WhyRef {
    fn read(&self, contents: &[Content]) -> EndReason {
        let part = contents.iter().find(|part| Some(part.id) == self.error);
        let error = part.and_then(|part| serde_json::from_slice(&part.bytes).ok());
        let error = error.map(|TaskErrorRecord { code, message, .. }| EndReason { code, message });
        error.unwrap_or_else(|| self.reason.clone())
    }
}

pub(crate) enum ParentOutput {
    None,
    InMemory(Arc<TaskOutput>),
    Stored(ContentId),
}

impl ParentOutput {
    /// The output of a completed task.
    pub(crate) fn of(scheduler: &Scheduler, task: TaskId, output: Output) -> Self {
        match output {
            Output::None => Self::InMemory(Arc::new(TaskOutput::null())),
            Output::Definition => {
                let value = driver::defined_value(scheduler.graph(), task);
                Self::InMemory(Arc::new(TaskOutput::from(value)))
            }
            Output::Content(id) => Self::Stored(id),
        }
    }

    /// The content that [`read`](Self::read) needs.
    pub(crate) const fn stored(&self) -> Option<ContentId> {
        match self {
            Self::Stored(id) => Some(*id),
            Self::None | Self::InMemory(_) => None,
        }
    }

    /// The output; `None` if the task has none.
    pub(crate) fn read(&self, contents: &[Content]) -> Result<Option<Arc<TaskOutput>>, TaskError> {
        Ok(match self {
            Self::None => None,
            Self::InMemory(output) => Some(Arc::clone(output)),
            Self::Stored(id) => {
                let parts = contents.iter().filter(|part| part.id == *id);
                Some(read_output(parts)?)
            }
        })
    }
}

/// The ends of a task's parents, in the order in which they were declared.
pub(crate) fn parents(
    scheduler: &Scheduler,
    errors: &StoredErrors,
    task: TaskId,
    output_of: impl Fn(TaskId, Output) -> ParentOutput,
) -> Vec<ParentRef> {
    let parents = scheduler.graph().parents(task);
    let mut refs = ends(scheduler, parents.iter().copied(), output_of);
    for (parent, one) in parents.iter().zip(&mut refs) {
        one.why = why(scheduler, errors, *parent);
    }
    refs
}

/// Why a task did not complete.
fn why(scheduler: &Scheduler, errors: &StoredErrors, task: TaskId) -> Option<WhyRef> {
    let graph = scheduler.graph();
    let (is_reported, code, message) = match scheduler.task(task).state() {
        TaskState::Failed { why } => {
            // The stored error may be that of an earlier attempt.
            let is_cut = matches!(
                why,
                Fault::AttemptTimeout
                    | Fault::IdleTimeout
                    | Fault::TaskTimeout
                    | Fault::Interrupted
            );
            let items = (why == Fault::Item).then(|| driver::failed_items(scheduler, task));
            let text = items.flatten();
            let text = text.unwrap_or_else(|| why.text(graph.task(task).rules()));
            (!is_cut, why.word(), text)
        }
        TaskState::Skipped { why } => {
            let text = if let SkipWhy::Upstream(parent) = why {
                let name = zeph_diagnostics::quote(graph.task(parent).name());
                format!("the task {name} did not complete")
            } else {
                why.to_string()
            };
            let is_reported = matches!(why, SkipWhy::Executor | SkipWhy::Condition);
            (is_reported, skip_word(why), text)
        }
        TaskState::Canceled { why } => (false, cancel_word(why), why.to_string()),
        TaskState::Pending
        | TaskState::Ready
        | TaskState::Running { .. }
        | TaskState::BackingOff { .. }
        | TaskState::Asking { .. }
        | TaskState::Mapping
        | TaskState::FallingBack { .. }
        | TaskState::Canceling { .. }
        | TaskState::Completed { .. } => return None,
    };
    Some(WhyRef {
        error: errors.get(task).filter(|_| is_reported),
        reason: EndReason::new(code, message),
    })
}

const fn skip_word(why: SkipWhy) -> &'static str {
    match why {
        SkipWhy::Upstream(_) => "upstream",
        SkipWhy::NoFailure => "no_failure",
        SkipWhy::Declined => "declined",
        SkipWhy::Condition => "condition",
        SkipWhy::Executor => "skipped",
        SkipWhy::Override => "by_hand",
        SkipWhy::Withdrawn => "withdrawn",
        SkipWhy::NotNeeded => "not_needed",
        SkipWhy::Removed => "removed",
    }
}

const fn cancel_word(why: CancelWhy) -> &'static str {
    match why {
        CancelWhy::Task => "cancel",
        CancelWhy::Downstream(_) => "cancel_downstream",
        CancelWhy::Item => "item",
        CancelWhy::Run => "cancel_run",
        CancelWhy::Abort => "abort",
        CancelWhy::RunTimeout => "run_timeout",
    }
}

/// The ends of tasks.
pub(crate) fn ends(
    scheduler: &Scheduler,
    tasks: impl Iterator<Item = TaskId>,
    output_of: impl Fn(TaskId, Output) -> ParentOutput,
) -> Vec<ParentRef> {
    let graph = scheduler.graph();
    tasks
        .map(|parent| {
            let (state, output) = match scheduler.task(parent).state() {
                TaskState::Completed { output } => {
                    (ParentState::Completed, output_of(parent, output))
                }
                TaskState::Failed { .. } => (ParentState::Failed, ParentOutput::None),
                TaskState::Skipped { .. } => (ParentState::Skipped, ParentOutput::None),
                TaskState::Canceled { .. } => (ParentState::Canceled, ParentOutput::None),
                // A trigger such as `any_success` does not wait for all parents.
                TaskState::Pending
                | TaskState::Ready
                | TaskState::Running { .. }
                | TaskState::BackingOff { .. }
                | TaskState::Asking { .. }
                | TaskState::Mapping
                | TaskState::FallingBack { .. }
                | TaskState::Canceling { .. } => (ParentState::Unfinished, ParentOutput::None),
            };
            ParentRef {
                // An attempt that had started when the parent was removed knows it by its name in the plan.
                name: graph.written_name(parent).into(),
                state,
                output,
                why: None,
            }
        })
        .collect()
}

/// The contents that [`filled`] needs: outputs and errors.
pub(crate) fn stored_contents(parents: &[ParentRef]) -> Vec<ContentId> {
    let errors = (parents.iter()).filter_map(|parent| parent.why.as_ref()?.error);
    let outputs = parents.iter().filter_map(|parent| parent.output.stored());
    outputs.chain(errors).collect()
}

/// The contents with the outputs alone.
pub(crate) fn stored_outputs(parents: &[ParentRef]) -> Vec<ContentId> {
    (parents.iter().filter_map(|parent| parent.output.stored())).collect()
}

/// The parents with their outputs.
pub(crate) fn filled(
    parents: &[ParentRef],
    contents: &[Content],
) -> Result<IndexMap<String, Parent>, TaskError> {
    let mut filled = IndexMap::with_capacity(parents.len());
    for parent in parents {
        let output = parent.output.read(contents)?;
        let (state, why) = (parent.state, parent.why.as_ref());
        let why = why.map(|why| why.read(contents));
        filled.insert(parent.name.to_string(), Parent { state, output, why });
    }
    Ok(filled)
}

impl RunView {
    /// The item that the attempts of a task got; `None` for a task that is no item of a list.
    ///
    /// # Errors
    /// If the store cannot read the list.
    pub async fn item(
        &self,
        store: &dyn RawGraphStore,
        task: TaskId,
    ) -> Result<Option<Item>, RuntimeError> {
        let Some((of, index)) = self.graph().item(task) else {
            return Ok(None);
        };
        let Some(items) = self.scheduler.items(of) else {
            return Ok(None);
        };
        let list = output(store, &self.run, items.list).await?;
        let value = list.value.get(index as usize).cloned();
        Ok(value.map(|value| Item { index, value }))
    }

    /// Those parents of a task that have one of these names, as each attempt of the task got them.
    ///
    /// A parent that ended after the attempt had started, which a trigger such as `any_success` allows, is
    /// returned as it ended.
    ///
    /// # Errors
    /// If the store cannot read their outputs.
    pub async fn parents(
        &self,
        store: &dyn RawGraphStore,
        task: TaskId,
        names: &BTreeSet<String>,
    ) -> Result<IndexMap<String, Parent>, RuntimeError> {
        let output = |parent, output| ParentOutput::of(&self.scheduler, parent, output);
        let errors = StoredErrors::of(&self.entries);
        let mut parents = parents(&self.scheduler, &errors, task, output);
        parents.retain(|parent| names.contains(&*parent.name));
        let contents = contents(store, &self.run, &stored_contents(&parents)).await?;
        let filled = filled(&parents, &contents);
        filled.map_err(|error| RuntimeError::unreadable(&self.run, &error))
    }
}
