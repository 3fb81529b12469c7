//! Error texts: why the latest attempt of each unfinished task did not succeed.

use std::collections::BTreeMap;
use std::sync::Arc;

use zeph_graph::{AskWhy, CutWhy, Entry, Fault, Output, Record, SkipWhy, TaskGraph, TaskId};

/// The latest error text of each task.
///
/// A failed attempt gives the text that its executor reported; a time-out names its limit. The start of
/// an attempt makes the text an earlier one: it does not explain how the new attempt ends.
#[derive(Clone, Debug, Default)]
pub struct LastErrors(BTreeMap<TaskId, ErrorText>);

#[derive(Clone, Debug)]
struct ErrorText {
    text: Arc<str>,
    /// Whether the task has started another attempt since.
    is_earlier: bool,
}

impl LastErrors {
    /// Reads a record. `reported` is the error text of the executor, for a failed attempt.
    pub fn note(&mut self, entry: &Entry, graph: &TaskGraph, reported: Option<Arc<str>>) {
        if let Record::Started { task, .. } = entry.record
            && let Some(error) = self.0.get_mut(&task)
        {
            error.is_earlier = true;
        }
        if let (Some(task), Some((fault, _))) = (entry.record.task(), entry.record.failure()) {
            self.set(task, reported.unwrap_or_else(|| fault.to_string().into()));
        }
        if let Record::CancelRequested { task, why, .. } = entry.record {
            match why {
                CutWhy::AttemptTimeout => self.attempt_timeout(task, graph, Fault::AttemptTimeout),
                CutWhy::IdleTimeout => self.attempt_timeout(task, graph, Fault::IdleTimeout),
                CutWhy::TaskTimeout => self.task_timeout(task, graph),
                CutWhy::Cancel(_) | CutWhy::Suspend | CutWhy::Override => {}
            }
        }
        if let Record::Failed {
            task,
            why: Fault::TaskTimeout,
        } = entry.record
        {
            self.task_timeout(task, graph);
        }
    }

    fn attempt_timeout(&mut self, task: TaskId, graph: &TaskGraph, fault: Fault) {
        let text = fault.text(graph.task(task).rules());
        self.set(task, format!("the attempt {text}").into());
    }

    fn task_timeout(&mut self, task: TaskId, graph: &TaskGraph) {
        let text = Fault::TaskTimeout.text(graph.task(task).rules());
        let text = match self.latest(task) {
            Some(before) if before.starts_with(&text) => return,
            Some(before) => timeout_after(&text, before),
            None => text,
        };
        self.set(task, text.into());
    }

    /// Sets the text of a task, after a recovery.
    pub fn set(&mut self, task: TaskId, text: Arc<str>) {
        let is_earlier = false;
        self.0.insert(task, ErrorText { text, is_earlier });
    }

    /// The error text of the task's latest attempt. `None` from the start of an attempt until it fails.
    #[must_use]
    pub fn get(&self, task: TaskId) -> Option<&Arc<str>> {
        let error = self.0.get(&task).filter(|error| !error.is_earlier)?;
        Some(&error.text)
    }

    /// The latest error text of the task, also if it is of an earlier attempt.
    #[must_use]
    pub fn latest(&self, task: TaskId) -> Option<&Arc<str>> {
        self.0.get(&task).map(|error| &error.text)
    }

    /// The text that the event of a record shows: that of its task, if the record is a failure, follows from
    /// one, or is a skip by the executor.
    #[must_use]
    pub fn of_event(&self, record: &Record) -> Option<&Arc<str>> {
        let shows_error = matches!(
            record,
            Record::AttemptFailed { .. }
                | Record::PrepareFailed { .. }
                | Record::BackedOff { .. }
                | Record::FellBack { .. }
                | Record::Failed { .. }
                | Record::Skipped {
                    why: SkipWhy::Executor | SkipWhy::Condition,
                    ..
                }
                | Record::Completed {
                    output: Output::Definition,
                    ..
                }
                | Record::Asked {
                    why: AskWhy::Failure(_),
                    ..
                }
        );
        self.get(record.task().filter(|_| shows_error)?)
    }

    /// Drops the text of a task.
    pub fn forget(&mut self, task: TaskId) {
        self.0.remove(&task);
    }
}

/// The time-out of a task whose last attempt had ended before with that error.
#[must_use]
pub fn timeout_after(timeout: &str, error: &str) -> String {
    format!("{timeout}; the last attempt: {error}")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use zeph_graph::{Attempt, CutHow, Seq, Task, Timestamp};

    use super::*;

    fn note(errors: &mut LastErrors, graph: &TaskGraph, record: Record, reported: Option<&str>) {
        let entry = Entry {
            seq: Seq::FIRST,
            at: Timestamp::ZERO,
            record,
        };
        errors.note(&entry, graph, reported.map(Arc::from));
    }

    #[test]
    fn an_attempt_is_not_explained_by_the_error_of_an_earlier_attempt() {
        let mut graph = TaskGraph::new();
        let task = Task::new("task").total_timeout(Duration::from_secs(9));
        let task = graph.add_task(task, []);
        let attempt = Attempt::FIRST;
        let mut errors = LastErrors::default();
        let failed = Record::AttemptFailed {
            task,
            attempt,
            fault: Fault::Panicked,
            error: None,
            log: None,
        };
        note(&mut errors, &graph, failed, Some("no route"));
        assert_eq!(errors.get(task).map(|text| &**text), Some("no route"));

        let attempt = attempt.next();
        note(&mut errors, &graph, Record::Started { task, attempt }, None);
        let cut = Record::AttemptCut {
            task,
            attempt,
            how: CutHow::Lost,
            log: None,
        };
        note(&mut errors, &graph, cut, None);
        assert_eq!(errors.get(task), None);
        assert_eq!(errors.latest(task).map(|text| &**text), Some("no route"));

        let why = Fault::TaskTimeout;
        note(&mut errors, &graph, Record::Failed { task, why }, None);
        let text = errors.get(task).expect("the time-out gives a text");
        let wanted = "used up its total_timeout of 9s; the last attempt: no route";
        assert_eq!(&**text, wanted);
    }
}
