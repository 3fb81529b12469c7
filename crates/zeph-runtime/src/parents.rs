//! The parents of a task, in the form that its attempts get them.

use std::collections::BTreeSet;
use std::sync::Arc;

use indexmap::IndexMap;
use zeph_executor::{Parent, ParentState, TaskError, TaskOutput};
use zeph_graph::{ContentId, Output, TaskId, TaskState};
use zeph_memory::{Content, RawGraphStore};
use zeph_scheduler::Scheduler;

use crate::content::read_output;
use crate::driver;
use crate::error::RuntimeError;
use crate::restore::contents;
use crate::view::RunView;

/// A parent's end, and where its output is.
pub(crate) struct ParentRef {
    pub(crate) name: Arc<str>,
    pub(crate) state: ParentState,
    pub(crate) output: ParentOutput,
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
}

/// The ends of a task's parents, in the order in which they were declared.
pub(crate) fn parents(
    scheduler: &Scheduler,
    task: TaskId,
    output_of: impl Fn(TaskId, Output) -> ParentOutput,
) -> Vec<ParentRef> {
    let graph = scheduler.graph();
    let parents = graph.parents(task).iter();
    parents
        .map(|&parent| {
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
                | TaskState::Canceling { .. } => (ParentState::Unfinished, ParentOutput::None),
            };
            ParentRef {
                name: graph.task(parent).name().into(),
                state,
                output,
            }
        })
        .collect()
}

/// The contents that [`filled`] needs.
pub(crate) fn stored_outputs(parents: &[ParentRef]) -> Vec<ContentId> {
    let stored = |parent: &ParentRef| match parent.output {
        ParentOutput::Stored(id) => Some(id),
        ParentOutput::None | ParentOutput::InMemory(_) => None,
    };
    parents.iter().filter_map(stored).collect()
}

/// The parents with their outputs.
pub(crate) fn filled(
    parents: &[ParentRef],
    contents: &[Content],
) -> Result<IndexMap<String, Parent>, TaskError> {
    let mut filled = IndexMap::with_capacity(parents.len());
    for parent in parents {
        let output = match &parent.output {
            ParentOutput::None => None,
            ParentOutput::InMemory(output) => Some(Arc::clone(output)),
            ParentOutput::Stored(id) => {
                let parts = contents.iter().filter(|part| part.id == *id);
                Some(read_output(parts)?)
            }
        };
        let state = parent.state;
        filled.insert(parent.name.to_string(), Parent { state, output });
    }
    Ok(filled)
}

impl RunView {
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
        let mut parents = parents(&self.scheduler, task, output);
        parents.retain(|parent| names.contains(&*parent.name));
        let contents = contents(store, &self.run, &stored_outputs(&parents)).await?;
        let filled = filled(&parents, &contents);
        filled.map_err(|error| RuntimeError::unreadable(&self.run, &error))
    }
}
