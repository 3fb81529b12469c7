//! A run at work: its machine, its chain, and what the journal has not taken yet.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use tokio::sync::{broadcast, oneshot, watch};
use tokio::task::AbortHandle;
use zeph_executor::{ParentState, Stop, TaskOutput};
use zeph_graph::{
    Attempt, ContentId, Entry, Output, Record, TaskId, TaskState, Timestamp, Work, wire,
};
use zeph_memory::{Append, Chain, NewRun, RequestId, Row, RunStatus};
use zeph_scheduler::{Batch, InputOutcome, Scheduler};

use crate::answer;
use crate::attempt::{ParentRef, Source};
use crate::clock::Clock;
use crate::content::Parts;
use crate::error::RuntimeError;
use crate::event::RunEvent;
use crate::handle::{RunReport, RunSnapshot};

/// Told when what a request led to is saved.
pub(crate) type Ack = oneshot::Sender<Result<InputOutcome, RuntimeError>>;

pub(crate) struct Live {
    pub(crate) scheduler: Scheduler,
    pub(crate) chain: Chain,
    /// Attached to the first append.
    pub(crate) genesis: Option<NewRun>,
    pub(crate) next_content: ContentId,
    /// Handed to the machine, and not in a batch yet.
    pub(crate) contents: BTreeMap<ContentId, Parts>,
    /// Results that dependants may still ask for, and how many of those there are.
    pub(crate) outputs: HashMap<ContentId, (Arc<TaskOutput>, usize)>,
    /// How far the run's last record is ahead of the engine's clock.
    pub(crate) ahead: Duration,
    /// Whether anybody has asked for the run's events yet.
    pub(crate) watched: Arc<AtomicBool>,
    pub(crate) acks: Vec<Ack>,
    pub(crate) settled: Vec<RequestId>,
    pub(crate) attempts: HashMap<TaskId, Flight>,
    pub(crate) events: broadcast::Sender<RunEvent>,
    pub(crate) snapshot: watch::Sender<Arc<RunSnapshot>>,
    pub(crate) done: watch::Sender<Option<Arc<RunReport>>>,
}

/// The switch of an attempt in flight.
pub(crate) struct Flight {
    pub(crate) attempt: Attempt,
    pub(crate) stop: Stop,
    pub(crate) abort: AbortHandle,
}

impl Live {
    /// Keeps a content until the batch that refers to it; gives it its number.
    pub(crate) fn keep(&mut self, parts: Parts) -> ContentId {
        let id = self.next_content;
        self.next_content = id.next();
        self.contents.insert(id, parts);
        id
    }

    /// Turns a batch into the append that a store takes.
    pub(crate) fn seal(&mut self, batch: &Batch) -> Append {
        let rows = batch
            .entries()
            .iter()
            .map(|entry| self.row(entry))
            .collect();
        // Every report so far has been handled, so what no record refers to was stale.
        self.contents.clear();
        let status = self.status();
        let append = self.chain.seal(rows, status);
        match self.genesis.take() {
            Some(new) => append.creating(new),
            None => append,
        }
    }

    fn row(&mut self, entry: &Entry) -> Row {
        let mut row = Row::new(entry.at, wire::encode(&entry.record));
        for id in entry.record.contents() {
            if let Some(parts) = self.contents.remove(&id) {
                for content in parts.numbered(id) {
                    row = row.with(content);
                }
            }
        }
        row
    }

    fn status(&self) -> RunStatus {
        let state = self.scheduler.state();
        let counts = self.scheduler.counts();
        let summary = serde_json::json!({
            "total": counts.total(),
            "completed": counts.completed,
            "failed": counts.failed,
            "skipped": counts.skipped,
            "canceled": counts.canceled,
            "asking": counts.asking,
            "running": counts.in_flight(),
            "tokens": self.scheduler.spent().tokens,
            "micro_usd": self.scheduler.spent().micro_usd,
        });
        let status = match self.scheduler.end() {
            Some(_) => RunStatus::ended(state.word()),
            None => RunStatus::open(state.word()),
        };
        status.with_summary(summary.to_string())
    }

    /// What a task gets from those that it depends on.
    pub(crate) fn parents(&self, task: TaskId) -> Vec<ParentRef> {
        let graph = self.scheduler.graph();
        let parents = graph.parents(task).iter();
        parents
            .map(|&parent| {
                let (state, output) = match self.scheduler.task(parent).state() {
                    TaskState::Completed { output } => {
                        (ParentState::Completed, self.source(parent, output))
                    }
                    TaskState::Failed { .. } => (ParentState::Failed, Source::None),
                    TaskState::Skipped { .. } => (ParentState::Skipped, Source::None),
                    TaskState::Canceled { .. }
                    | TaskState::Pending
                    | TaskState::Ready
                    | TaskState::Running { .. }
                    | TaskState::BackingOff { .. }
                    | TaskState::Asking { .. }
                    | TaskState::Canceling { .. } => (ParentState::Canceled, Source::None),
                };
                ParentRef {
                    name: graph.task(parent).name().into(),
                    state,
                    output,
                }
            })
            .collect()
    }

    fn source(&self, task: TaskId, output: Output) -> Source {
        match output {
            Output::None => Source::Here(Arc::new(TaskOutput::null())),
            Output::Definition => {
                let value = answer::defined_value(&self.scheduler, task);
                Source::Here(Arc::new(TaskOutput::from(value)))
            }
            Output::Content(id) => match self.outputs.get(&id) {
                Some((output, _)) => Source::Here(Arc::clone(output)),
                None => Source::Stored(id),
            },
        }
    }

    /// Keeps a result at hand for those that depend on it, if it is the one that counts. A large one
    /// stays in the store only.
    pub(crate) fn remember(
        &mut self,
        task: TaskId,
        id: ContentId,
        output: Arc<TaskOutput>,
        bytes: usize,
    ) {
        const LARGE: usize = 64 * 1024;
        let counts = TaskState::Completed {
            output: Output::Content(id),
        };
        if bytes > LARGE || self.scheduler.task(task).state() != counts {
            return;
        }
        let children = self.scheduler.children(task).iter();
        let waiting = children
            .filter(|&&id| !self.scheduler.task(id).state().is_end())
            .count();
        if waiting > 0 {
            self.outputs.insert(id, (output, waiting));
        }
    }

    /// Forgets results that nobody can ask for any more. Cost: the parents of what ended.
    pub(crate) fn forget_outputs(&mut self, entries: &[Entry]) {
        if self.outputs.is_empty() {
            return;
        }
        for entry in entries {
            let (Record::Completed { task, .. }
            | Record::Failed { task, .. }
            | Record::Skipped { task, .. }
            | Record::Canceled { task, .. }) = entry.record
            else {
                continue;
            };
            for &parent in self.scheduler.graph().parents(task) {
                let TaskState::Completed {
                    output: Output::Content(id),
                } = self.scheduler.task(parent).state()
                else {
                    continue;
                };
                if let Some((_, waiting)) = self.outputs.get_mut(&id) {
                    *waiting = waiting.saturating_sub(1);
                    if *waiting == 0 {
                        self.outputs.remove(&id);
                    }
                }
            }
        }
    }

    /// The moment for this run's machine: the engine's, or later if the wall clock was set back since
    /// the run's last record.
    pub(crate) fn now(&self, clock: Clock) -> Timestamp {
        clock.now().after(self.ahead)
    }

    /// When the run is to be woken, by the engine's clock.
    pub(crate) fn deadline(&self) -> Option<Timestamp> {
        let deadline = self.scheduler.deadline()?.as_micros();
        let ahead = u64::try_from(self.ahead.as_micros()).unwrap_or(u64::MAX);
        Some(Timestamp::from_micros(deadline.saturating_sub(ahead)))
    }

    /// The run as it stands after these decisions. Questions are put into words only when some came or
    /// went.
    pub(crate) fn snapshot_after(&self, entries: &[Entry]) -> Arc<RunSnapshot> {
        // A question goes with its answer, or with its task.
        let asked = entries.iter().any(|entry| {
            matches!(
                entry.record,
                Record::Asked { .. } | Record::Answered { .. } | Record::Canceled { .. }
            )
        });
        Arc::new(if asked {
            RunSnapshot::of(&self.scheduler)
        } else {
            RunSnapshot::of_known(&self.scheduler, self.snapshot.borrow().questions.clone())
        })
    }

    /// The name under which the task's executor is registered.
    pub(crate) fn action(&self, task: TaskId) -> Option<&str> {
        match self.scheduler.graph().task(task).work() {
            Work::Action { name, .. } => Some(name),
            Work::Milestone | Work::Question(_) => None,
        }
    }
}
