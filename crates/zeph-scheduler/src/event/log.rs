//! Event log: turns a journal into events, with the duration of each attempt.

use std::collections::BTreeMap;
use std::time::Duration;

use zeph_graph::{AttemptOutcome, CutHow, Entry, Record, TaskGraph, TaskId, Timestamp};

use super::Event;

/// Turns the entries of one journal, in order, into events.
///
/// It stores the start of the last attempt of each task that has not ended. For a resumed run, first
/// [skip](Self::skip) every earlier entry of the journal. The time for an entry is logarithmic in the number
/// of stored tasks.
///
/// # Examples
/// ```
/// use std::time::Duration;
/// use zeph_graph::{Attempt, Policy, Task, TaskGraph, Timestamp};
/// use zeph_scheduler::{EventLog, Input, Scheduler};
///
/// let mut graph = TaskGraph::new();
/// let task = graph.add_task(Task::new("fetch").action("http"), []);
/// let mut scheduler = Scheduler::new(graph, Policy::default());
/// scheduler.handle(Timestamp::ZERO, Input::Start);
/// let mut log = EventLog::default();
/// let mut ended = None;
/// while let Some(batch) = scheduler.step() {
///     for entry in batch.entries() {
///         let event = log.event(entry, scheduler.graph());
///         ended = event.took.or(ended);
///     }
///     drop(scheduler.saved(batch));
///     let (attempt, output, log) = (Attempt::FIRST, None, None);
///     let done = Input::Completed { task, attempt, output, log };
///     scheduler.handle(Timestamp::from_micros(7), done);
/// }
/// assert_eq!(ended, Some(Duration::from_micros(7)));
/// ```
#[derive(Clone, Debug, Default)]
pub struct EventLog {
    tasks: BTreeMap<TaskId, LastAttempt>,
}

/// The last attempt of a task.
#[derive(Clone, Copy, Debug)]
struct LastAttempt {
    number: u32,
    /// The start of the attempt; `None` after its end.
    since: Option<Timestamp>,
    took: Option<Duration>,
}

impl EventLog {
    /// The event of the next entry. Copies no text.
    pub fn event(&mut self, entry: &Entry, graph: &TaskGraph) -> Event {
        let (took, attempts) = self.track(entry);
        Event {
            took,
            attempts,
            ..Event::from_entry(entry, graph)
        }
    }

    /// Reads the next entry without making its event, so that later events show the right durations.
    pub fn skip(&mut self, entry: &Entry) {
        self.track(entry);
    }

    /// The duration and the number of attempts that the event of the next entry shows.
    fn track(&mut self, entry: &Entry) -> (Option<Duration>, u32) {
        if let Record::Started { task, attempt } = entry.record {
            let last = LastAttempt {
                number: attempt.get(),
                since: Some(entry.at),
                took: None,
            };
            self.tasks.insert(task, last);
        }
        let task = entry.record.task();
        let Some((task, last)) = task.and_then(|task| Some((task, self.tasks.get_mut(&task)?)))
        else {
            return (None, 0);
        };
        let attempts = last.number;
        let mut took = None;
        if let Some(end) = entry.record.attempt_end()
            && let Some(since) = last.since.take()
        {
            let is_lost = end.outcome == AttemptOutcome::Cut(CutHow::Lost);
            last.took = (!is_lost).then(|| entry.at.since(since));
            took = last.took;
        }
        if entry.record.task_end().is_some() {
            took = last.took;
            self.tasks.remove(&task);
        }
        (took, attempts)
    }
}
