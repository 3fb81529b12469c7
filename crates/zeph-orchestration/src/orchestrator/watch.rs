//! `Watcher`: watches a run of any process from its journal, for a display.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use zeph_common::{Boundary, truncate};
use zeph_graph::{AskWhy, Entry, Record, RunId, RunState, TaskId, Timestamp};
use zeph_memory::{Lease, RawGraphStore};
use zeph_runtime::driver::LastErrors;
use zeph_runtime::{Owners, QuestionView, RunEvent, RunView, RuntimeError};
use zeph_scheduler::{Event, EventLog};

use super::Orchestrator;

/// The most bytes of a progress event.
const PROGRESS_BYTES: usize = 4 << 10;

/// Watches a run from its journal while another process works on it. Watching neither owns nor delays the
/// run, and asks no questions.
///
/// # Examples
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use zeph_orchestration::{Orchestrator, RunEnd, Task, TaskGraph};
/// let mut graph = TaskGraph::new();
/// let first = graph.add_task("first", []);
/// graph.add_task("second", [first]);
/// let orchestrator = Orchestrator::builder().build()?;
/// let run = orchestrator.submit(graph).await?;
/// let mut watcher = orchestrator.watch(run.id()).await?.from_start();
/// let mut events = 0;
/// while watcher.next().await?.is_some() {
///     events += 1;
/// }
/// assert_eq!(watcher.view().scheduler.end(), Some(RunEnd::Completed));
/// assert!(events >= 4);
/// # Ok(())
/// # }
/// ```
pub struct Watcher {
    store: Arc<dyn RawGraphStore>,
    owners: Option<Owners>,
    view: RunView,
    /// The process that works on the run, as of the last read.
    owner: Option<String>,
    /// The number of the last record whose event is due or was delivered.
    last_seq: u64,
    events: EventReader,
    /// Events whose error texts are still to be read.
    undelivered: VecDeque<Event>,
    errors: LastErrors,
    due: VecDeque<RunEvent>,
    /// When the shown logs of running attempts were saved.
    logs: BTreeMap<TaskId, Timestamp>,
    read_at: Instant,
    is_over: bool,
}

impl std::fmt::Debug for Watcher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Watcher")
            .field("run", &self.view.run)
            .finish_non_exhaustive()
    }
}

impl Orchestrator {
    /// Watches a run of any process, with the events from now on.
    ///
    /// # Errors
    /// If there is no such run, or it cannot be read.
    pub async fn watch(&self, run: &RunId) -> Result<Watcher, RuntimeError> {
        let store = Arc::clone(&self.0.store);
        let view = RunView::load(&*store, run).await?;
        let mut watcher = Watcher {
            owners: self.0.owners.clone(),
            owner: None,
            last_seq: view.entries.len() as u64,
            view,
            store,
            events: EventReader::default(),
            undelivered: VecDeque::new(),
            errors: LastErrors::default(),
            due: VecDeque::new(),
            logs: BTreeMap::new(),
            read_at: Instant::now(),
            is_over: false,
        };
        watcher.read_state().await?;
        Ok(watcher)
    }
}

impl Watcher {
    /// How often the store is read. The owner of a run saves logs about once in a second.
    pub const READ_EVERY: Duration = Duration::from_millis(500);

    /// Delivers the events since the start of the run as well.
    #[must_use]
    pub fn from_start(mut self) -> Self {
        self.last_seq = 0;
        self
    }

    /// The run as of the last read.
    #[must_use]
    pub const fn view(&self) -> &RunView {
        &self.view
    }

    /// The events of all records that were read.
    pub fn history(&self) -> impl Iterator<Item = Event> {
        EventReader::default().read(&self.view).into_iter()
    }

    /// The process that works on the run as of the last read, as text for people; `None` if there is none, or
    /// neither the orchestrator has owners nor the store leases.
    #[must_use]
    pub fn owner(&self) -> Option<&str> {
        self.owner.as_deref()
    }

    /// Whether the run stopped in the middle because its process ended.
    #[must_use]
    pub fn is_interrupted(&self) -> bool {
        let is_at_rest = matches!(
            self.view.scheduler.state(),
            RunState::Suspended | RunState::Ended(_)
        );
        self.is_over && !is_at_rest
    }

    /// The next event: a saved record, or the last line that a running attempt logged as its progress. `None`
    /// when the run has ended, is suspended, or has no process any more. Dropping the future loses nothing.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub async fn next(&mut self) -> Result<Option<RunEvent>, RuntimeError> {
        loop {
            if let Some(event) = self.due.pop_front() {
                return Ok(Some(event));
            }
            let is_behind = self.last_seq < self.view.entries.len() as u64;
            if is_behind || !self.undelivered.is_empty() {
                self.read_events().await?;
                continue;
            }
            if self.is_over {
                return Ok(None);
            }
            tokio::time::sleep_until(self.read_at).await;
            self.read_state().await?;
            self.read_logs().await?;
            self.read_at = Instant::now() + Self::READ_EVERY;
        }
    }

    /// Reads the new records of the run, if it has any.
    async fn read_state(&mut self) -> Result<(), RuntimeError> {
        let run = &self.view.run;
        let read = async || {
            let row = self.store.get(run).await;
            let run = run.clone();
            row.map_err(|source| RuntimeError::Store {
                run,
                source: source.into(),
            })
        };
        let epoch = read().await?.epoch;
        let owner = self.holder(epoch).await?;
        // After the owner is known to be gone, only a process that has resumed the run writes.
        let row = read().await?;
        if row.last_seq.get() != self.view.entries.len() as u64 {
            self.view.refresh(&*self.store).await?;
        }
        let state = self.view.scheduler.state();
        let is_at_rest = matches!(state, RunState::Suspended | RunState::Ended(_));
        let is_left = owner.as_ref().is_some_and(Option::is_none) && row.epoch == epoch;
        self.is_over = is_at_rest || is_left;
        self.owner = owner.flatten().filter(|_| !is_at_rest);
        Ok(())
    }

    /// The process that holds an epoch; `None` if neither the owners nor the store know, and `Some(None)` if it has
    /// ended.
    async fn holder(&self, epoch: u64) -> Result<Option<Option<String>>, RuntimeError> {
        if let Some(owners) = &self.owners {
            return Ok(Some(owners.holder(epoch)));
        }
        let lease = self.store.lease(epoch).await;
        let lease = lease.map_err(|source| RuntimeError::Store {
            run: self.view.run.clone(),
            source: source.into(),
        })?;
        Ok(match lease {
            Lease::Held { owner, .. } => Some(Some(owner)),
            Lease::Lapsed => Some(None),
            Lease::Unknown => None,
        })
    }

    /// Makes the events of the records that are new.
    async fn read_events(&mut self) -> Result<(), RuntimeError> {
        let new = self.events.read(&self.view).into_iter();
        let new = new.filter(|event| event.seq.get() > self.last_seq);
        self.undelivered.extend(new);
        self.last_seq = self.view.entries.len() as u64;
        while let Some(event) = self.undelivered.front() {
            let mut text = None;
            if let Some((_, Some(id))) = event.record.failure() {
                text = self.view.error(&*self.store, id).await?;
            }
            let text = text.map(|error| Arc::from(error.message));
            let Some(event) = self.undelivered.pop_front() else {
                break;
            };
            let (seq, at, record) = (event.seq, event.at, event.record);
            let entry = Entry { seq, at, record };
            self.errors.note(&entry, self.view.graph(), text);
            let error = self.errors.of_event(&record).cloned();
            let question = self.question_of(&record, error.clone());
            let from = self.view.origin(&*self.store, &record).await?;
            let from = from.map(|run| Arc::from(run.as_str()));
            let change = self.view.change(&record).map(Box::new);
            self.due.push_back(RunEvent::Saved {
                event,
                error,
                question,
                from,
                change,
            });
        }
        Ok(())
    }

    /// The question of a record, if it is still open.
    fn question_of(&self, record: &Record, error: Option<Arc<str>>) -> Option<Box<QuestionView>> {
        let Record::Asked { question, .. } = record else {
            return None;
        };
        let mut open = self.view.questions().into_iter();
        let mut open = open.find(|open| open.id == question.get())?;
        open.error = error.filter(|_| matches!(open.about, AskWhy::Failure(_)));
        Some(Box::new(open))
    }

    /// Makes a progress event of each log of a running attempt that has grown.
    async fn read_logs(&mut self) -> Result<(), RuntimeError> {
        if self.view.scheduler.counts().in_flight() == 0 {
            return Ok(());
        }
        for draft in self.view.log_drafts(&*self.store, None).await? {
            let last = self.logs.entry(draft.task).or_insert(Timestamp::ZERO);
            let state = self.view.scheduler.task(draft.task);
            let is_running = state.last_attempt() == Some(draft.attempt) && !state.state().is_end();
            if !is_running || draft.at <= *last {
                continue;
            }
            *last = draft.at;
            let text = String::from_utf8_lossy(&draft.bytes);
            let line = text.lines().rev().find(|line| !line.trim().is_empty());
            let line = truncate(line.unwrap_or_default(), PROGRESS_BYTES, Boundary::Char);
            self.due.push_back(RunEvent::Progress {
                task: self.view.graph().task(draft.task).shared_name(),
                attempt: draft.attempt,
                text: line.to_string().into(),
            });
        }
        Ok(())
    }
}

/// The records of a stored run as events, each once.
#[derive(Debug, Default)]
pub(super) struct EventReader {
    log: EventLog,
    /// The number of records that were read.
    count: usize,
}

impl EventReader {
    /// The events of the records that the view has got since the last call. Cost: these records.
    pub(super) fn read(&mut self, view: &RunView) -> Vec<Event> {
        let new = view.entries.get(self.count..).unwrap_or_default();
        self.count = view.entries.len();
        let mut entries = new.iter().peekable();
        let mut events = Vec::with_capacity(new.len());
        while let Some(entry) = entries.next() {
            let mut event = self.log.event(entry, view.graph());
            // The store does not keep the ends of commits. Most commits have one time; where they do not, a
            // display joins fewer or more events than at work.
            event.ends_commit = entries.peek().is_none_or(|next| next.at != entry.at);
            events.push(event);
        }
        events
    }
}
