//! Reports: how a run and each of its tasks ended, or their states in a suspended run.

use std::fmt;
use std::sync::Arc;

use serde_json::Value;
use zeph_executor::TaskErrorRecord;
use zeph_graph::{Fault, RunEnd, RunId, RunState, Spent, SuppliedWhy, TaskId, TaskState};
use zeph_scheduler::{AttemptCounts, Counts, Scheduler};

use crate::driver;
use crate::question::QuestionView;
use crate::snapshot::RunSnapshot;

/// The state of a run when it is unloaded: at its end, suspended, or cut off from its store.
///
/// `Display` is the state, the number of tasks in each state and what the run has spent in one line, then
/// one line for each failure.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct RunReport {
    /// The run.
    pub run: RunId,
    /// The run's state.
    pub state: RunState,
    /// The number of tasks in each state.
    pub counts: Counts,
    /// The spending of the run.
    pub spent: Spent,
    /// Every task, in the order of the graph. Empty if the journal could not be written: then
    /// [`RunView`](crate::RunView) reads what was saved.
    pub tasks: Vec<TaskReport>,
    /// The open questions, oldest first.
    pub questions: Vec<QuestionView>,
    /// Why the store could not be written or read, so that the run was cut off or suspended; `None` if it
    /// could.
    pub error: Option<String>,
}

impl RunReport {
    /// How the run ended, if it has.
    #[must_use]
    pub const fn end(&self) -> Option<RunEnd> {
        match self.state {
            RunState::Ended(end) => Some(end),
            RunState::Running
            | RunState::Paused
            | RunState::Waiting
            | RunState::Suspending
            | RunState::Suspended => None,
        }
    }

    /// The task of that name.
    #[must_use]
    pub fn task(&self, name: &str) -> Option<&TaskReport> {
        self.tasks.iter().find(|task| &*task.name == name)
    }

    /// The tasks that failed, in the order of the graph.
    pub fn failures(&self) -> impl Iterator<Item = &TaskReport> {
        let failed = |task: &&TaskReport| matches!(task.state, TaskState::Failed { .. });
        self.tasks.iter().filter(failed)
    }

    /// A run that was cut off from its store: only the saved state counts.
    pub(crate) fn cut_off(run: &RunId, saved: &RunSnapshot, error: String) -> Self {
        Self {
            run: run.clone(),
            state: saved.state,
            counts: saved.counts,
            spent: saved.spent,
            tasks: Vec::new(),
            questions: saved.questions.to_vec(),
            error: Some(error),
        }
    }

    pub(crate) fn new(run: &RunId, scheduler: &Scheduler, questions: Vec<QuestionView>) -> Self {
        let tasks = scheduler.graph().tasks().map(|(id, task)| {
            let view = scheduler.task(id);
            TaskReport {
                id,
                name: task.shared_name(),
                state: view.state(),
                attempts: view.last_attempt().map_or(0, zeph_graph::Attempt::get),
                attempt_counts: view.attempt_counts(),
                supplied: view.reused().map(|reused| reused.why),
                defined: driver::defined_output(scheduler, id),
                fault: match view.state() {
                    TaskState::Failed { why: Fault::Item } => driver::failed_items(scheduler, id),
                    TaskState::Failed { why } => Some(why.text(task.rules())),
                    TaskState::Pending
                    | TaskState::Ready
                    | TaskState::Running { .. }
                    | TaskState::BackingOff { .. }
                    | TaskState::Asking { .. }
                    | TaskState::Mapping
                    | TaskState::FallingBack { .. }
                    | TaskState::Canceling { .. }
                    | TaskState::Completed { .. }
                    | TaskState::Skipped { .. }
                    | TaskState::Canceled { .. } => None,
                },
                error: None,
            }
        });
        Self {
            run: run.clone(),
            state: scheduler.state(),
            counts: scheduler.counts(),
            spent: scheduler.spent(),
            tasks: tasks.collect(),
            questions,
            error: None,
        }
    }
}

/// The state of a task when its run is unloaded.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct TaskReport {
    /// Its id.
    pub id: TaskId,
    /// Its name.
    pub name: Arc<str>,
    /// Its state.
    pub state: TaskState,
    /// The number of attempts that were started.
    pub attempts: u32,
    /// How its attempts ended, in numbers.
    pub attempt_counts: AttemptCounts,
    /// Why it completed without an attempt, if its result was cached or its inputs are the same as in the run that
    /// this run retries.
    pub supplied: Option<SuppliedWhy>,
    /// The output, if the definition states it: a substitute or a default answer.
    pub defined: Option<Value>,
    /// How the task failed in words, a time-out with its limit; `None` unless it failed.
    pub fault: Option<String>,
    /// The error of the last attempt of a task that failed or has its substitute. Only in a report of
    /// [`RunView::full_report`](crate::RunView::full_report), which reads the store. Untrusted text.
    pub error: Option<TaskErrorRecord>,
}

impl TaskReport {
    /// Why the task failed: the message of its error, and before it a time-out of the task; else the kind of
    /// the failure. Untrusted text of several lines.
    #[must_use]
    pub fn reason(&self) -> Option<String> {
        let TaskState::Failed { why } = self.state else {
            return None;
        };
        let fault = self.fault.clone().unwrap_or_else(|| why.to_string());
        Some(match (why, &self.error) {
            (_, None) => fault,
            (Fault::TaskTimeout, Some(error)) => driver::timeout_after(&fault, &error.message),
            (_, Some(error)) => error.message.clone(),
        })
    }

    /// The first line of the [reason](Self::reason), safe to print.
    #[must_use]
    pub fn failure(&self) -> Option<String> {
        let reason = self.reason()?;
        let line = reason.lines().next().unwrap_or_default();
        Some(zeph_common::escape_terminal(line).into_owned())
    }
}

impl fmt::Display for RunReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "run {} {}: ", self.run, self.state.word())?;
        let counts = self.counts.iter().filter(|(_, count)| *count > 0);
        let counts: Vec<String> = counts
            .map(|(word, count)| format!("{count} {word}"))
            .collect();
        match &counts[..] {
            [] => f.write_str("no tasks")?,
            counts => f.write_str(&counts.join(", "))?,
        }
        if self.spent != Spent::default() {
            write!(f, ", {}", self.spent)?;
        }
        for task in self.failures() {
            let name = zeph_common::escape_terminal(&task.name);
            let why = task.failure().unwrap_or_default();
            match task.attempts {
                0 => write!(f, "\nFAILED {name}: {why}")?,
                attempts => write!(f, "\nFAILED {name} (attempt {attempts}): {why}")?,
            }
        }
        if let Some(error) = &self.error {
            write!(f, "\nthe store failed: {error}")?;
        }
        Ok(())
    }
}
