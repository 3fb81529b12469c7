//! Events: saved records with the names, numbers and durations that a display needs.

mod display;
mod log;

use std::sync::Arc;
use std::time::Duration;

use zeph_graph::{
    CancelWhy, CutWhy, EndingWhy, Entry, Record, Seq, SkipWhy, TaskGraph, TaskId, Timestamp, Work,
};

pub use log::EventLog;

/// A saved record with what a display needs beside it: names, duration, number of attempts.
///
/// An [`EventLog`] makes complete events; [`from_entry`](Self::from_entry) makes one from a single
/// entry. `Display` writes one line, without the time and without a full stop; names are quoted and
/// escaped, so the line is safe on a terminal.
///
/// # Examples
/// ```
/// use zeph_graph::{Entry, Record, Seq, TaskGraph, Timestamp};
/// use zeph_scheduler::Event;
///
/// let mut graph = TaskGraph::new();
/// let task = graph.add_task("fetch", []);
/// let entry = Entry { seq: Seq::FIRST, at: Timestamp::ZERO, record: Record::Readied { task } };
/// let event = Event::from_entry(&entry, &graph);
/// assert_eq!(event.word(), "task_ready");
/// assert_eq!(event.to_string(), r#"task "fetch" is ready"#);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Event {
    /// The position in the journal.
    pub seq: Seq,
    /// When the decision was made.
    pub at: Timestamp,
    /// The decision.
    pub record: Record,
    /// The name of the task that the record is about.
    pub task_name: Option<Arc<str>>,
    /// The name of the task that caused it: the parent that skipped this task, the task whose cancel
    /// includes it, or the task that aborted the run.
    pub because: Option<Arc<str>>,
    /// At the end of an attempt, and at the end of a task that had one: how long the attempt ran.
    ///
    /// `None` if the attempt was lost, since its end is unknown, and in events of
    /// [`from_entry`](Self::from_entry).
    pub took: Option<Duration>,
    /// How many attempts of the task have been started. 0 in records of the run.
    pub attempts: u32,
    /// Whether it is the last record of its commit: what follows from it at once has been reported.
    ///
    /// `true` in an event that was read from a journal, which has no commits. A display may join the events of
    /// a commit.
    pub ends_commit: bool,
    milestone: bool,
}

impl Event {
    /// An event from one entry of a run of this graph, without `took` and `attempts`. Copies no text.
    #[must_use]
    pub fn from_entry(entry: &Entry, graph: &TaskGraph) -> Self {
        let name = |id: TaskId| graph.get(id).map(zeph_graph::Task::shared_name);
        let task = entry.record.task();
        let definition = task.and_then(|id| graph.get(id));
        Self {
            seq: entry.seq,
            at: entry.at,
            record: entry.record,
            task_name: task.and_then(name),
            because: cause(&entry.record).and_then(name),
            took: None,
            attempts: 0,
            ends_commit: true,
            milestone: definition.is_some_and(|task| *task.work() == Work::Milestone),
        }
    }

    /// The task that the event is about, if it is about one.
    #[must_use]
    pub const fn task(&self) -> Option<TaskId> {
        self.record.task()
    }

    /// The kind of the event in JSON and at the terminal.
    #[must_use]
    pub const fn word(&self) -> &'static str {
        match self.record {
            Record::Opened => "run_started",
            Record::Preparing { .. } => "task_preparing",
            Record::PrepareFailed { .. } => "task_prepare_failed",
            Record::Readied { .. } => "task_ready",
            Record::Started { .. } => "task_started",
            Record::Completed { .. } => "task_completed",
            Record::Supplied { .. } => "task_supplied",
            Record::AttemptFailed { .. } => "attempt_failed",
            Record::AttemptCut { .. } => "attempt_cut",
            Record::BackedOff { .. } => "task_retrying",
            Record::FellBack { .. } => "task_falling_back",
            Record::Asked { .. } => "question_asked",
            Record::Answered { .. } => "question_answered",
            Record::Overridden { .. } => "task_overridden",
            Record::CancelRequested { .. } => "task_canceling",
            Record::Failed { .. } => "task_failed",
            Record::Skipped { .. } => "task_skipped",
            Record::Canceled { .. } => "task_canceled",
            Record::Ending { .. } => "run_ending",
            Record::Paused => "run_paused",
            Record::Unpaused => "run_unpaused",
            Record::Suspending => "run_suspending",
            Record::Suspended => "run_suspended",
            Record::Resumed => "run_resumed",
            Record::Reserved { .. } => "spend_reserved",
            Record::Settled { .. } => "spend_settled",
            Record::Noted { .. } => "attempt_noted",
            Record::Amended { .. } => "graph_amended",
            Record::Expanded { .. } => "task_expanded",
            Record::Budgeted { .. } => "budget_set",
            Record::Ended { .. } => "run_ended",
        }
    }
}

/// The other task that the record names: its cause, or the task that runs in its place.
const fn cause(record: &Record) -> Option<TaskId> {
    if let Record::Skipped {
        why: SkipWhy::Upstream(task),
        ..
    }
    | Record::Ending {
        why: EndingWhy::Abort(task),
    }
    | Record::FellBack { to: task, .. } = *record
    {
        return Some(task);
    }
    if let Record::Canceled {
        why: CancelWhy::Downstream(root),
        ..
    }
    | Record::CancelRequested {
        why: CutWhy::Cancel(CancelWhy::Downstream(root)),
        ..
    } = *record
    {
        return Some(TaskId::from_index(root));
    }
    None
}

#[cfg(test)]
mod tests;
