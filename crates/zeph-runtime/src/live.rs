//! A run at work: its machine, its chain, and what the journal has not taken yet.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use tokio::sync::{broadcast, oneshot, watch};
use tokio::task::AbortHandle;
use zeph_graph::{Attempt, ContentId, Entry, Record, TaskId, TaskState, Work, wire};
use zeph_memory::{Append, Chain, NewRun, RequestId, Row, RunStatus};
use zeph_scheduler::{Batch, Reception, Scheduler};
use zeph_subagent::{ParentState, Stop, TaskOutput};

use crate::answer::{self, content_of};
use crate::attempt::{ParentRef, Source};
use crate::content::Parts;
use crate::error::RuntimeError;
use crate::event::RunEvent;
use crate::handle::{Pulse, RunReport};

/// Told when what a request led to is saved.
pub(crate) type Ack = oneshot::Sender<Result<Reception, RuntimeError>>;

pub(crate) struct Live {
    pub(crate) scheduler: Scheduler,
    pub(crate) chain: Chain,
    /// Attached to the first append.
    pub(crate) genesis: Option<NewRun>,
    pub(crate) next_content: ContentId,
    /// Handed to the machine, and not in a batch yet.
    pub(crate) contents: BTreeMap<ContentId, Parts>,
    /// Results that dependants may still ask for, and how many of those there are.
    pub(crate) outputs: HashMap<TaskId, (Arc<TaskOutput>, usize)>,
    pub(crate) acks: Vec<Ack>,
    pub(crate) settled: Vec<RequestId>,
    pub(crate) attempts: HashMap<TaskId, Flight>,
    pub(crate) events: broadcast::Sender<RunEvent>,
    pub(crate) pulse: watch::Sender<Arc<Pulse>>,
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
                        let at_hand = self
                            .outputs
                            .get(&parent)
                            .map(|(output, _)| Arc::clone(output));
                        let source = match (at_hand, content_of(output)) {
                            (Some(here), _) => Source::Here(here),
                            (None, Some(id)) => Source::Stored(id),
                            (None, None) => {
                                let value = answer::defined_value(&self.scheduler, parent);
                                Source::Here(Arc::new(TaskOutput::from(value)))
                            }
                        };
                        (ParentState::Completed, source)
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

    /// Keeps a result at hand for those that depend on it. A large one stays in the store only.
    pub(crate) fn remember(&mut self, task: TaskId, output: Arc<TaskOutput>, bytes: usize) {
        const LARGE: usize = 64 * 1024;
        let children = self.scheduler.children(task).iter();
        let waiting = children
            .filter(|&&id| !self.scheduler.task(id).state().is_end())
            .count();
        if waiting > 0 && bytes <= LARGE {
            self.outputs.insert(task, (output, waiting));
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
            for parent in self.scheduler.graph().parents(task) {
                if let Some((_, waiting)) = self.outputs.get_mut(parent) {
                    *waiting -= 1;
                    if *waiting == 0 {
                        self.outputs.remove(parent);
                    }
                }
            }
        }
    }

    pub(crate) fn publish_pulse(&self) {
        let pulse = Arc::new(Pulse::of(&self.scheduler));
        self.pulse.send_replace(pulse);
    }

    /// The name under which the task's executor is registered.
    pub(crate) fn action(&self, task: TaskId) -> Option<&str> {
        match self.scheduler.graph().task(task).work() {
            Work::Action { name, .. } => Some(name),
            Work::Milestone | Work::Question(_) => None,
        }
    }
}
