//! Collects the recorded attempts of a run from its records and contents.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use indexmap::IndexMap;
use serde_json::Value;
use zeph_executor::{Note, Parent, TaskErrorRecord};
use zeph_graph::{
    Attempt, AttemptOutcome, Budget, ContentId, Entry, Header, Record, RunId, TaskId, Work,
};
use zeph_memory::RawGraphStore;
use zeph_planner::replay::{RecordedAttempt, RecordedEnd};
use zeph_runtime::{RunView, RuntimeError};
use zeph_scheduler::{Divergence, Scheduler, replay};

/// A stored run, with its header and the errors of its attempts.
pub(super) struct StoredRun<'a> {
    store: &'a dyn RawGraphStore,
    pub(super) view: RunView,
    header: Header,
    errors: BTreeMap<ContentId, TaskErrorRecord>,
}

/// An attempt, and its recording or the reason why there is none.
pub(super) struct Collected {
    pub(super) task: Arc<str>,
    pub(super) action: Arc<str>,
    pub(super) attempt: Attempt,
    pub(super) recorded: Result<Box<RecordedAttempt>, &'static str>,
}

/// The records of an attempt.
struct AttemptRecords {
    task: TaskId,
    attempt: Attempt,
    /// The error of the attempt before it.
    previous_error: Option<ContentId>,
    /// The outcome with the index of its record; `None` if the attempt has not ended.
    end: Option<(AttemptOutcome, usize)>,
}

impl<'a> StoredRun<'a> {
    /// Reads the run and its errors.
    pub(super) async fn load(
        store: &'a dyn RawGraphStore,
        run: &RunId,
    ) -> Result<Self, RuntimeError> {
        let (view, header) = RunView::load_with_header(store, run).await?;
        let mut errors = BTreeMap::new();
        for id in view.entries.iter().filter_map(error_of) {
            if let Some(error) = view.error(store, id).await? {
                errors.insert(id, error);
            }
        }
        Ok(Self {
            store,
            view,
            header,
            errors,
        })
    }

    /// Replays the decisions of the scheduler. Returns the number of records that are the same.
    pub(super) fn replay_decisions(&self) -> Result<u64, Divergence> {
        let retry_after = |entry: &Entry| {
            let error = self.errors.get(&error_of(entry)?)?;
            Some(Duration::from_millis(error.retry_after_ms?))
        };
        let (header, view) = (|| self.header.clone(), &self.view);
        replay(&header, &view.entries, &view.patches, &retry_after)
    }

    /// The attempts of tasks with a wanted action, in the order in which they started.
    pub(super) async fn attempts(
        &self,
        is_wanted: fn(&str) -> bool,
    ) -> Result<Vec<Collected>, RuntimeError> {
        let (attempts, proposals) = fold(&self.view.entries);
        let mut collected = Vec::new();
        for one in attempts {
            let task = self.view.graph().task(one.task);
            let Work::Action { name, params } = task.work() else {
                continue;
            };
            // The attempts of an expanded task make its list and collect results, without a model.
            let is_expanded = self.view.graph().items(one.task).is_some();
            if is_expanded || !is_wanted(name) {
                continue;
            }
            let params = params.to_value().unwrap_or_default();
            let proposals = proposals.get(&one.task).map_or(&[][..], Vec::as_slice);
            let recorded = self.recorded(&one, params, proposals).await?;
            collected.push(Collected {
                task: task.name().into(),
                action: (&**name).into(),
                attempt: one.attempt,
                recorded: recorded.map(Box::new),
            });
        }
        Ok(collected)
    }

    async fn recorded(
        &self,
        one: &AttemptRecords,
        params: Value,
        proposals: &[(ContentId, Attempt)],
    ) -> Result<Result<RecordedAttempt, &'static str>, RuntimeError> {
        let view = &self.view;
        let Some((outcome, ended)) = one.end else {
            return Ok(Err("it has not ended"));
        };
        let end = match outcome {
            AttemptOutcome::Cut(_) => return Ok(Err("it was stopped or lost before it ended")),
            AttemptOutcome::Failed { error, .. } => {
                match error.and_then(|id| self.errors.get(&id)) {
                    Some(error) => RecordedEnd::Error(error.clone()),
                    None => return Ok(Err("its error is not stored")),
                }
            }
            AttemptOutcome::Completed(_) => {
                let output = view.output(self.store, one.task).await?;
                RecordedEnd::Output(output.map_or(Value::Null, |output| output.value.clone()))
            }
        };
        let notes = view.notes(self.store, one.task).await?.into_iter();
        let notes = notes
            .filter(|note| note.attempt == one.attempt)
            .map(|note| {
                let kind = serde_json::from_value(Value::from(note.kind)).ok()?;
                Some(Note::new(kind, note.body))
            });
        let Some(notes) = notes.collect() else {
            return Ok(Err("it has a note of an unknown kind"));
        };
        let until = proposals
            .iter()
            .filter(|(_, attempt)| *attempt <= one.attempt);
        let patches = until.filter_map(|(content, attempt)| {
            let patch = view.patches.get(content)?.clone();
            Some((patch, *attempt == one.attempt))
        });
        Ok(Ok(RecordedAttempt {
            run: view.run.clone(),
            task: one.task,
            name: view.graph().task(one.task).name().to_owned(),
            attempt: one.attempt,
            params,
            parents: self.parents(one.task).await?,
            item: view.item(self.store, one.task).await?,
            previous_error: one
                .previous_error
                .and_then(|id| self.errors.get(&id).cloned()),
            notes,
            left: self.left(one.task, ended),
            patches: patches.collect(),
            end,
        }))
    }

    /// The parents of a task with their outputs, as they are now.
    async fn parents(&self, task: TaskId) -> Result<IndexMap<String, Parent>, RuntimeError> {
        let graph = self.view.graph();
        let names = graph.parents(task).iter();
        let names = names.map(|&parent| graph.written_name(parent).to_owned());
        self.view.parents(self.store, task, &names.collect()).await
    }

    /// The rest of the budgets for a task before the record of that index.
    ///
    /// Cost: nothing without a budget, else one recovery.
    fn left(&self, task: TaskId, index: usize) -> Budget {
        let is_budgeted = |entry: &Entry| matches!(entry.record, Record::Budgeted { .. });
        let of_task = self.view.graph().task(task).rules().budget;
        let is_limited = self.header.policy.budget != Budget::UNLIMITED
            || of_task != Budget::UNLIMITED
            || self.view.entries.iter().any(is_budgeted);
        if !is_limited {
            return Budget::UNLIMITED;
        }
        let before = self.view.entries[..index].iter().copied();
        // The whole journal has been recovered before, so its beginning can be recovered.
        Scheduler::recover(self.header.clone(), before, &self.view.patches)
            .map_or(Budget::UNLIMITED, |scheduler| scheduler.left(task))
    }
}

/// The content with the error of a failed attempt.
fn error_of(entry: &Entry) -> Option<ContentId> {
    match entry.record.attempt_end()?.outcome {
        AttemptOutcome::Failed { error, .. } => error,
        AttemptOutcome::Completed(_) | AttemptOutcome::Cut(_) => None,
    }
}

/// The accepted proposals of each task in order, each with its attempt.
type Proposals = BTreeMap<TaskId, Vec<(ContentId, Attempt)>>;

/// The attempts, and the accepted proposals. One pass over the journal.
fn fold(entries: &[Entry]) -> (Vec<AttemptRecords>, Proposals) {
    let mut attempts: Vec<AttemptRecords> = Vec::new();
    let mut running: BTreeMap<TaskId, usize> = BTreeMap::new();
    let mut proposals = Proposals::new();
    let mut errors: BTreeMap<TaskId, ContentId> = BTreeMap::new();
    for (index, entry) in entries.iter().enumerate() {
        if let Record::Started { task, attempt } = entry.record {
            running.insert(task, attempts.len());
            attempts.push(AttemptRecords {
                task,
                attempt,
                previous_error: errors.get(&task).copied(),
                end: None,
            });
            continue;
        }
        let task = entry.record.task();
        let Some(place) = task.and_then(|task| running.get(&task)).copied() else {
            continue;
        };
        let one = &mut attempts[place];
        if let Record::Amended {
            task: Some(task),
            content,
            ..
        } = entry.record
        {
            let proposals = proposals.entry(task).or_default();
            proposals.push((content, one.attempt));
        }
        if let Some(end) = entry.record.attempt_end() {
            if let AttemptOutcome::Failed { error, .. } = end.outcome {
                match error {
                    Some(error) => errors.insert(end.task, error),
                    None => errors.remove(&end.task),
                };
            }
            one.end = Some((end.outcome, index));
            running.remove(&end.task);
        }
    }
    (attempts, proposals)
}
