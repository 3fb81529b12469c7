//! Comparison of two runs: their graphs, and the states and results of their tasks.

use std::time::Duration;

use zeph_graph::{Record, TaskGraph, TaskState, Timestamp, wire};
use zeph_memory::RawGraphStore;
use zeph_runtime::{RunView, RuntimeError};

/// The differences between two runs. Tasks are matched by name.
///
/// # Examples
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use zeph_orchestration::{Orchestrator, OutputChange, RunComparison, RunView, TaskGraph};
/// let orchestrator = Orchestrator::builder().build()?;
/// let mut views = Vec::new();
/// for names in [&["a", "b"][..], &["a", "c"]] {
///     let mut graph = TaskGraph::new();
///     for name in names {
///         graph.add_task(*name, []);
///     }
///     let report = orchestrator.run(graph).await?.into_results();
///     views.push(RunView::load(&**orchestrator.store(), &report.run).await?);
/// }
/// let compared = RunComparison::read(&**orchestrator.store(), &views[0], &views[1]).await?;
/// let names: Vec<&str> = compared.tasks.iter().map(|task| &*task.name).collect();
/// assert_eq!(names, ["a", "b", "c"]);
/// assert!(!compared.tasks[0].is_different());
/// assert!(compared.tasks[2].before.is_none());
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct RunComparison {
    /// The differences of the graphs, one sentence each.
    pub graph: Vec<String>,
    /// All tasks of both runs: those of the first one in its order, then those that only the second one has.
    pub tasks: Vec<ComparedTask>,
}

/// A task of two runs.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ComparedTask {
    /// The name.
    pub name: String,
    /// The task in the first run; `None` if that has none of this name.
    pub before: Option<TaskSide>,
    /// The task in the second run.
    pub after: Option<TaskSide>,
    /// The results.
    pub output: OutputChange,
}

/// A task in one of two runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TaskSide {
    /// The state.
    pub state: TaskState,
    /// The number of attempts that were started.
    pub attempts: u32,
    /// How long its attempts ran in all.
    pub took: Duration,
}

/// The results of a task in two runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OutputChange {
    /// They are equal, or neither run has one.
    Same,
    /// They are not equal, or only one run has one.
    Changed,
}

impl OutputChange {
    /// The name in JSON.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Same => "same",
            Self::Changed => "changed",
        }
    }
}

impl ComparedTask {
    /// Whether its states or its results differ. Durations do not count.
    #[must_use]
    pub fn is_different(&self) -> bool {
        let state = |side: Option<TaskSide>| side.map(|side| side.state.word());
        state(self.before) != state(self.after) || self.output == OutputChange::Changed
    }
}

impl RunComparison {
    /// Compares two runs of a store. Reads the results of all tasks that both have.
    ///
    /// # Errors
    /// If a result cannot be read.
    pub async fn read(
        store: &dyn RawGraphStore,
        before: &RunView,
        after: &RunView,
    ) -> Result<Self, RuntimeError> {
        let (old, new) = (sides(before), sides(after));
        let mut tasks = Vec::with_capacity(old.len());
        let is_there = |graph: &TaskGraph, id| !graph.is_removed(id);
        for (id, task) in before.graph().tasks() {
            if !is_there(before.graph(), id) {
                continue;
            }
            let other = after.graph().find(task.name());
            let one = before.output(store, id).await?;
            let two = match other {
                Some(other) => after.output(store, other).await?,
                None => None,
            };
            tasks.push(ComparedTask {
                name: task.name().to_owned(),
                before: Some(old[id.index()]),
                after: other.map(|other| new[other.index()]),
                output: if one == two {
                    OutputChange::Same
                } else {
                    OutputChange::Changed
                },
            });
        }
        for (id, task) in after.graph().tasks() {
            let is_known = before.graph().find(task.name()).is_some();
            if is_known || !is_there(after.graph(), id) {
                continue;
            }
            tasks.push(ComparedTask {
                name: task.name().to_owned(),
                before: None,
                after: Some(new[id.index()]),
                output: match after.output(store, id).await? {
                    Some(_) => OutputChange::Changed,
                    None => OutputChange::Same,
                },
            });
        }
        Ok(Self {
            graph: wire::diff(before.graph(), after.graph()),
            tasks,
        })
    }
}

/// The tasks of a run, in order. One pass over the journal.
pub(crate) fn sides(view: &RunView) -> Vec<TaskSide> {
    let side = |id| TaskSide {
        state: view.scheduler.task(id).state(),
        attempts: 0,
        took: Duration::ZERO,
    };
    let mut sides: Vec<TaskSide> = view.graph().ids().map(side).collect();
    let mut started: Vec<Option<Timestamp>> = vec![None; sides.len()];
    for entry in &view.entries {
        if let Record::Started { task, .. } = entry.record {
            sides[task.index()].attempts += 1;
            started[task.index()] = Some(entry.at);
        }
        if let Some(end) = entry.record.attempt_end()
            && let Some(since) = started[end.task.index()].take()
        {
            sides[end.task.index()].took += entry.at.since(since);
        }
    }
    sides
}
