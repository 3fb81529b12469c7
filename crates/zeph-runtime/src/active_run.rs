//! An active run: its scheduler, its hash chain, and its data that is not saved yet.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize};
use std::time::Duration;

use tokio::sync::{broadcast, watch};
use tokio::task::AbortHandle;
use zeph_executor::{Stop, TaskOutput};
use zeph_graph::{
    Attempt, ContentId, Entry, Group, Output, Record, Seq, TaskId, TaskState, Timestamp, Trigger,
    wire,
};
use zeph_memory::{
    Append, Chain, Draft, KeyedResult, NewRun, RequestId, Row, RunStatus, RunSummary,
};
use zeph_scheduler::{Batch, EventLog, Scheduler};

use crate::amendments::GraphChange;
use crate::attempt::AttemptWork;
use crate::clock::Clock;
use crate::content::ContentParts;
use crate::driver::{Contents, LastErrors, Role};
use crate::event::RunEvent;
use crate::group::GroupTurn;
use crate::interrupted::Interrupted;
use crate::labels;
use crate::message::PendingReply;
use crate::parents::{ParentOutput, ParentRef, ends, parents};
use crate::report::RunReport;
use crate::retry::RetryPlan;
use crate::shared_lane::RunLane;
use crate::snapshot::RunSnapshot;
use crate::stored_errors::StoredErrors;

/// A run that this engine drives.
pub(crate) struct ActiveRun {
    pub(crate) scheduler: Scheduler,
    pub(crate) chain: Chain,
    /// The title and header of a new run, until its first append contains them.
    pub(crate) genesis: Option<NewRun>,
    /// Contents that were reported to the scheduler and are not in a batch yet.
    pub(crate) contents: Contents<ContentParts>,
    /// Results that dependants may still need, and the number of those dependants.
    pub(crate) outputs: HashMap<ContentId, (Arc<TaskOutput>, usize)>,
    pub(crate) errors: LastErrors,
    pub(crate) stored_errors: StoredErrors,
    pub(crate) interrupted: Interrupted,
    /// How much later the run's last record is than the engine's clock.
    pub(crate) ahead: Duration,
    /// Whether a caller has subscribed to the events of the run.
    pub(crate) watched: Arc<AtomicBool>,
    /// The bytes of logs that observers have not read yet.
    pub(crate) buffered: Arc<AtomicUsize>,
    /// Replies to callers that wait for the next commit.
    pub(crate) acks: Vec<PendingReply>,
    /// Requests of the inbox that the next commit settles.
    pub(crate) settled: Vec<RequestId>,
    /// Drafts that the next commit writes or removes.
    pub(crate) drafts: Vec<Draft>,
    /// The requests of the inbox that were handled since the run was opened.
    pub(crate) handled: BTreeSet<RequestId>,
    /// Why the run is suspended by the engine: the store could not be read.
    pub(crate) store_error: Option<String>,
    /// The group that the run holds or waits for.
    pub(crate) group: Option<GroupTurn>,
    pub(crate) lanes: Vec<RunLane>,
    pub(crate) attempts: HashMap<TaskId, AttemptHandle>,
    /// The latest preparation of each task that is being prepared.
    pub(crate) preparations: HashMap<TaskId, AbortHandle>,
    pub(crate) event_log: EventLog,
    pub(crate) events: broadcast::Sender<RunEvent>,
    pub(crate) snapshot: watch::Sender<Arc<RunSnapshot>>,
    pub(crate) done: watch::Sender<Option<Arc<RunReport>>>,
}

/// The means to stop an attempt in flight.
pub(crate) struct AttemptHandle {
    pub(crate) attempt: Attempt,
    pub(crate) stop: Stop,
    pub(crate) abort: AbortHandle,
}

/// The append of a batch, and the error texts for the events of its records.
pub(crate) struct Sealed {
    pub(crate) append: Append,
    pub(crate) errors: BTreeMap<Seq, Arc<str>>,
    /// The runs that made results, by the records that supply them.
    pub(crate) origins: BTreeMap<Seq, Arc<str>>,
    /// What patches change, by their records.
    pub(crate) changes: BTreeMap<Seq, Box<GraphChange>>,
    /// The results that equal computations may find.
    pub(crate) results: Vec<KeyedResult>,
}

impl ActiveRun {
    /// Turns a batch into the append that a store takes.
    pub(crate) fn seal(&mut self, batch: &Batch) -> Sealed {
        let mut errors = BTreeMap::new();
        let (mut origins, mut results) = (BTreeMap::new(), Vec::new());
        let mut changes = BTreeMap::new();
        let mut rows = Vec::with_capacity(batch.entries().len());
        for entry in batch.entries() {
            if let Some(run) = self.origin_of(entry) {
                origins.insert(entry.seq, run);
            }
            if let Some(change) = self.change_of(entry) {
                changes.insert(entry.seq, Box::new(change));
            }
            let (row, reported) = self.row(entry, &mut results);
            rows.push(row);
            self.errors.note(entry, self.scheduler.graph(), reported);
            self.stored_errors.note(&entry.record);
            if let Some(text) = self.error_of(entry) {
                errors.insert(entry.seq, text);
            }
        }
        // The rest belongs to stale reports, which made no record: the batch has the records of all others.
        self.contents.clear();
        let status = self.status();
        let append = self.chain.seal(rows, status);
        let append = match self.genesis.take() {
            Some(new) => append.creating(new),
            None => append,
        };
        Sealed {
            append,
            errors,
            origins,
            changes,
            results,
        }
    }

    /// The row of a record, and the error text that a failed attempt reported.
    fn row(&mut self, entry: &Entry, results: &mut Vec<KeyedResult>) -> (Row, Option<Arc<str>>) {
        let mut row = Row::new(entry.at, wire::encode(&entry.record));
        let mut reported = None;
        for id in entry.record.contents() {
            if let Some(parts) = self.contents.take(id) {
                reported = reported.or_else(|| parts.error_text());
                results.extend(parts.key().map(|key| KeyedResult {
                    key,
                    run: self.chain.run().clone(),
                    content: id,
                }));
                for content in parts.numbered(id) {
                    row = row.with(content);
                }
            }
        }
        (row, reported)
    }

    /// The error text for the event of a record. The end of a task also drops its text.
    fn error_of(&mut self, entry: &Entry) -> Option<Arc<str>> {
        let task = entry.record.task()?;
        let text = self.errors.of_event(&entry.record).cloned();
        if entry.record.task_end().is_some() {
            self.errors.forget(task);
        }
        text
    }

    /// What the patch of a record changes.
    fn change_of(&self, entry: &Entry) -> Option<GraphChange> {
        let Record::Amended { content, .. } = entry.record else {
            return None;
        };
        self.contents.get(content)?.patch().map(GraphChange::of)
    }

    /// The run that made the result that a record supplies.
    fn origin_of(&self, entry: &Entry) -> Option<Arc<str>> {
        let Record::Supplied { from, .. } = entry.record else {
            return None;
        };
        let Some(from) = from else {
            let metadata = self.scheduler.graph().metadata();
            let earlier = metadata.get(RetryPlan::METADATA_KEY)?;
            return Some(Arc::from(&**earlier));
        };
        let run = self.contents.get(from)?.origin()?;
        Some(Arc::from(run.as_str()))
    }

    fn status(&self) -> RunStatus {
        let state = self.scheduler.state();
        let counts = self.scheduler.counts();
        let spent = self.scheduler.spent();
        let summary = RunSummary {
            total: counts.total(),
            completed: counts.completed,
            failed: counts.failed,
            skipped: counts.skipped,
            canceled: counts.canceled,
            asking: counts.asking,
            running: counts.in_flight(),
            tokens: spent.tokens,
            micro_usd: spent.micro_usd,
        };
        let status = match self.scheduler.end() {
            Some(_) => RunStatus::ended(state.word()),
            None => RunStatus::open(state.word()),
        };
        let graph = self.scheduler.graph();
        let status = status.with_summary(&summary);
        let status = status.with_labels(&labels::of(graph));
        match Group::of(graph) {
            Some(group) => status.with_group(group.name()),
            None => status,
        }
    }

    /// Adds drafts to the next commit, in place of earlier ones of the same keys.
    pub(crate) fn put_drafts(&mut self, drafts: Vec<Draft>) {
        let is_new = |old: &Draft| drafts.iter().any(|new| new.key == old.key);
        self.drafts.retain(|old| !is_new(old));
        self.drafts.extend(drafts);
    }

    /// The states and outputs of a task's parents when the task started.
    ///
    /// A parent that a trigger such as `any_success` did not wait for may have ended while the start was saved. Its
    /// result is in no store yet and could be lost, so it is unfinished for this attempt.
    pub(crate) fn parents(&self, task: TaskId) -> Vec<ParentRef> {
        let mut refs = parents(
            &self.scheduler,
            &self.stored_errors,
            task,
            |parent, output| self.parent_output(parent, output),
        );
        let graph = self.scheduler.graph();
        let waited = match graph.task(task).rules().trigger {
            Trigger::AllSuccess | Trigger::AllDone | Trigger::NoneFailed => true,
            Trigger::AnySuccess | Trigger::AnyFailed => false,
        };
        if waited && graph.fallback_of(task).is_none() {
            return refs;
        }
        for end in (self.scheduler.unsaved().iter()).filter_map(|entry| entry.record.task_end()) {
            let parents = graph.parents(task).iter().zip(&mut refs);
            for (_, one) in parents.filter(|(parent, _)| **parent == end.task) {
                one.set_unfinished();
            }
        }
        refs
    }

    /// What an attempt with this role does.
    pub(crate) fn work(&self, role: &Role) -> AttemptWork {
        let output = |task, output| self.parent_output(task, output);
        match *role {
            Role::Whole | Role::List => AttemptWork::Whole,
            Role::Item { of, index } => AttemptWork::Item {
                list: match self.scheduler.items(of) {
                    Some(items) => output(of, Output::Content(items.list)),
                    None => ParentOutput::None,
                },
                index,
            },
            Role::Collect(ref items) => {
                let items = items.clone().map(TaskId::from_index);
                AttemptWork::Collect(ends(&self.scheduler, items, output))
            }
        }
    }

    pub(crate) fn parent_output(&self, task: TaskId, output: Output) -> ParentOutput {
        let cached = output.content().and_then(|id| self.outputs.get(&id));
        match cached {
            Some((output, _)) => ParentOutput::InMemory(Arc::clone(output)),
            None => ParentOutput::of(&self.scheduler, task, output),
        }
    }

    /// Caches the result of a task for its dependants, or a list for its items, if the scheduler accepted it. A
    /// large result is read from the store instead; a list is not, because each item needs it.
    pub(crate) fn cache_output(
        &mut self,
        task: TaskId,
        id: ContentId,
        output: Arc<TaskOutput>,
        bytes: usize,
    ) {
        const MAX_CACHED_BYTES: usize = 64 * 1024;
        if self.scheduler.task(task).state() == TaskState::Mapping {
            let items = self.scheduler.items(task).map_or(0, |items| items.open);
            if items > 0 {
                self.outputs.insert(id, (output, items as usize));
            }
            return;
        }
        let completed = TaskState::Completed {
            output: Output::Content(id),
        };
        if bytes > MAX_CACHED_BYTES || self.scheduler.task(task).state() != completed {
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

    /// Drops cached results that no dependant needs any more. The time is linear in the number of parents of
    /// the tasks that ended.
    pub(crate) fn evict_outputs(&mut self, entries: &[Entry]) {
        if self.outputs.is_empty() {
            return;
        }
        for entry in entries {
            let Some(end) = entry.record.task_end() else {
                continue;
            };
            let graph = self.scheduler.graph();
            let list = graph
                .item(end.task)
                .and_then(|(of, _)| self.scheduler.items(of));
            let result = |&parent: &TaskId| {
                let state = self.scheduler.task(parent).state();
                if let TaskState::Completed { output } = state {
                    output.content()
                } else {
                    None
                }
            };
            let results = graph.parents(end.task).iter().filter_map(result);
            for id in results.chain(list.map(|items| items.list)) {
                if let Some((_, waiting)) = self.outputs.get_mut(&id) {
                    *waiting = waiting.saturating_sub(1);
                    if *waiting == 0 {
                        self.outputs.remove(&id);
                    }
                }
            }
        }
    }

    /// The time of this run: that of the engine's clock plus `ahead`, which is above zero if the wall clock
    /// was set back since the last record of the run.
    pub(crate) fn now(&self, clock: Clock) -> Timestamp {
        clock.now().after(self.ahead)
    }

    /// The run's next deadline, by the engine's clock.
    pub(crate) fn deadline(&self) -> Option<Timestamp> {
        let deadline = self.scheduler.deadline()?.as_micros();
        let ahead = u64::try_from(self.ahead.as_micros()).unwrap_or(u64::MAX);
        Some(Timestamp::from_micros(deadline.saturating_sub(ahead)))
    }

    /// The snapshot of the run after these records. Its questions are computed again only if one was asked
    /// or closed.
    pub(crate) fn snapshot_after(&self, entries: &[Entry]) -> Arc<RunSnapshot> {
        // A question is closed by its answer, or with its task.
        let has_changed = entries.iter().any(|entry| {
            matches!(
                entry.record,
                Record::Asked { .. } | Record::Answered { .. } | Record::Canceled { .. }
            )
        });
        Arc::new(if has_changed {
            RunSnapshot::new(&self.scheduler, &self.errors)
        } else {
            RunSnapshot::with_questions(
                &self.scheduler,
                Arc::clone(&self.snapshot.borrow().questions),
            )
        })
    }
}
