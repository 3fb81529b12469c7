//! Views of stored runs: read-only, for any process.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use zeph_executor::{TaskErrorRecord, TaskOutput};
use zeph_graph::{
    Attempt, AttemptOutcome, ContentId, CutWhy, Entry, Header, Output, Record, RunId, TaskGraph,
    TaskId, TaskState, Timestamp,
};
use zeph_memory::{Chain, Content, RawGraphStore, RequestId, RunStatus, StoreError, StoredRun};
use zeph_scheduler::{Patches, Scheduler};

use crate::driver::{self, LastErrors};
use crate::error::RuntimeError;
use crate::inbox::{PostedRequest, posted_requests};
use crate::question::QuestionView;
use crate::report::RunReport;
use crate::request::Request;
use crate::restore::{
    closest, contents, last_errors, output, read, read_entries, read_patches, recover,
};
use crate::snapshot::{RunSnapshot, question_views};

/// A stored run. Reading one needs no ownership and does not disturb the owner.
#[derive(Debug)]
pub struct RunView {
    /// The run.
    pub run: RunId,
    /// The title, which is shown in lists.
    pub title: String,
    /// When it was created.
    pub created_at: Timestamp,
    /// When its last record was decided.
    pub updated_at: Timestamp,
    /// Its stored status.
    pub status: RunStatus,
    /// Its records, in order.
    pub entries: Vec<Entry>,
    /// The scheduler, recovered from the records. For reading only: it has no driver.
    pub scheduler: Scheduler,
    /// The patches of its graph, by the content ids of the records.
    pub patches: Patches,
    /// The hash of its last row, to compare with a copy of it.
    pub head: String,
    /// The requests in its inbox, which its next owner will apply, oldest first. None if it has ended.
    pub requests: Vec<PostedRequest>,
    /// The end of what was read.
    chain: Chain,
}

/// One attempt of a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct AttemptView {
    /// Its number.
    pub attempt: Attempt,
    /// When it was started.
    pub started_at: Timestamp,
    /// When its end was recorded; `None` while it runs, or if its process ended first.
    pub ended_at: Option<Timestamp>,
    /// How it ended; `None` if its end is not in the journal.
    pub outcome: Option<AttemptOutcome>,
    /// Why it was asked to stop.
    pub stop: Option<CutWhy>,
    /// The content with the error that its executor reported.
    pub error: Option<ContentId>,
    /// The content with its logs.
    pub log: Option<ContentId>,
}

/// A note that an attempt wrote into the journal.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct NoteView {
    /// The attempt.
    pub attempt: Attempt,
    /// When it was recorded.
    pub at: Timestamp,
    /// Its kind, as [`NoteKind::name`](zeph_executor::NoteKind::name) gives it.
    pub kind: String,
    /// The note. Untrusted text, usually JSON.
    pub body: Bytes,
}

impl RunView {
    /// Reads a run and its inbox, and recovers its scheduler. Of the contents only patches of the graph are
    /// read.
    ///
    /// # Errors
    /// If there is no such run, or its journal is damaged.
    pub async fn load(store: &dyn RawGraphStore, run: &RunId) -> Result<Self, RuntimeError> {
        let loaded = Box::pin(Self::read(store, run)).await?;
        Ok(loaded.0)
    }

    /// As [`load`](Self::load), with the header, from which the decisions can be replayed.
    ///
    /// # Errors
    /// As [`load`](Self::load).
    pub async fn load_with_header(
        store: &dyn RawGraphStore,
        run: &RunId,
    ) -> Result<(Self, Header), RuntimeError> {
        let loaded = Box::pin(Self::read(store, run)).await?;
        Ok(*loaded)
    }

    /// Boxed, since each future that the value passes through would hold it on the stack.
    async fn read(
        store: &dyn RawGraphStore,
        run: &RunId,
    ) -> Result<Box<(Self, Header)>, RuntimeError> {
        // The read of a long journal takes much of a small stack; what follows is a future of its own.
        let stored = read(store, run).await?;
        Box::pin(Self::recovered(store, run, stored)).await
    }

    async fn recovered(
        store: &dyn RawGraphStore,
        run: &RunId,
        (stored, header, entries): (StoredRun, Header, Vec<Entry>),
    ) -> Result<Box<(Self, Header)>, RuntimeError> {
        let (scheduler, patches) = recover(store, run, header.clone(), &entries).await?;
        let requests = if stored.status.open {
            posted_requests(store, run).await?
        } else {
            Vec::new()
        };
        let view = Self {
            run: run.clone(),
            title: stored.new.title,
            created_at: stored.new.created_at,
            updated_at: stored.updated_at,
            status: stored.status,
            head: stored.chain.head().to_string(),
            chain: stored.chain,
            entries,
            scheduler,
            patches,
            requests,
        };
        Ok(Box::new((view, header)))
    }

    /// Reads what was saved since this view was read, and applies it. If another run of that name has taken
    /// its place, the view becomes one of that run. Dropping the future changes nothing.
    ///
    /// Cost: the new records, however long the journal before them is.
    ///
    /// # Errors
    /// If the run was deleted, or cannot be read. The view must not be used after an error.
    pub async fn refresh(&mut self, store: &dyn RawGraphStore) -> Result<(), RuntimeError> {
        let tail = match store.load_after(&self.chain).await {
            Ok(tail) => tail,
            Err(StoreError::Damaged { .. }) => {
                // Reading all of it tells damage from another run.
                *self = Self::load(store, &self.run).await?;
                return Ok(());
            }
            Err(error) => return Err(RuntimeError::store(&self.run, error)),
        };
        let new = read_entries(&self.run, &tail.rows)?;
        let mut patches = read_patches(store, &self.run, &new).await?;
        let requests = if tail.status.open {
            posted_requests(store, &self.run).await?
        } else {
            Vec::new()
        };
        // From here on nothing waits, so a dropped future leaves the view as it was.
        self.patches.append(&mut patches);
        let applied = self.scheduler.catch_up(new.iter().copied(), &self.patches);
        applied.map_err(|source| RuntimeError::Corrupt {
            run: self.run.clone(),
            source,
        })?;
        self.entries.extend(new);
        self.requests = requests;
        self.status = tail.status;
        self.updated_at = tail.updated_at;
        self.head = tail.chain.head().to_string();
        self.chain = tail.chain;
        Ok(())
    }

    /// The graph.
    #[must_use]
    pub const fn graph(&self) -> &TaskGraph {
        self.scheduler.graph()
    }

    /// The state of the run in numbers, with its open questions.
    #[must_use]
    pub fn snapshot(&self) -> RunSnapshot {
        RunSnapshot::new(&self.scheduler, &LastErrors::default())
    }

    /// The states of the run and of each task.
    #[must_use]
    pub fn report(&self) -> RunReport {
        RunReport::new(&self.run, &self.scheduler, self.questions())
    }

    /// The report with the errors of failed tasks and of those with a substitute, which are read from the store.
    ///
    /// # Errors
    /// If the store cannot read them.
    pub async fn full_report(&self, store: &dyn RawGraphStore) -> Result<RunReport, RuntimeError> {
        let mut report = self.report();
        let mut errors = last_errors(&self.entries);
        errors.retain(|task, _| {
            self.stand_in(*task).is_some()
                || matches!(
                    self.scheduler.task(*task).state(),
                    TaskState::Failed { .. }
                        | TaskState::Completed {
                            output: Output::Definition
                        }
                )
        });
        let ids: Vec<ContentId> = errors.values().copied().collect();
        let parts = contents(store, &self.run, &ids).await?;
        let parts: BTreeMap<ContentId, Content> =
            parts.into_iter().map(|part| (part.id, part)).collect();
        for task in &mut report.tasks {
            let part = errors.get(&task.id).and_then(|id| parts.get(id));
            task.error = part.and_then(|part| serde_json::from_slice(&part.bytes).ok());
        }
        Ok(report)
    }

    /// The task that ran, or runs, in place of this one, which failed. Cost: of a task with a fallback, a pass over
    /// the journal.
    #[must_use]
    pub fn stand_in(&self, task: TaskId) -> Option<TaskId> {
        let fallback = self.graph().fallback(task)?;
        let mut entries = self.entries.iter();
        let is_used = entries
            .any(|entry| matches!(entry.record, Record::FellBack { task: of, .. } if of == task));
        is_used.then_some(fallback)
    }

    /// The open questions, oldest first, without error texts.
    #[must_use]
    pub fn questions(&self) -> Vec<QuestionView> {
        question_views(&self.scheduler, &LastErrors::default())
    }

    /// The answer in the inbox to a question, with the number of its request.
    #[must_use]
    pub fn posted_answer(&self, question: u32) -> Option<(RequestId, &str)> {
        self.requests.iter().find_map(|posted| {
            let (of, text) = posted.answer()?;
            (of == question).then_some((posted.id, text))
        })
    }

    /// The request in the inbox that gives this task its end, with its number.
    #[must_use]
    pub fn posted_end(&self, task: &str) -> Option<(RequestId, &Request)> {
        let mut requests = self.requests.iter();
        requests.find_map(|posted| Some((posted.id, posted.end_of(task)?)))
    }

    /// The task of that name.
    ///
    /// # Errors
    /// With the closest name, if there is none.
    pub fn task(&self, name: &str) -> Result<TaskId, RuntimeError> {
        self.graph()
            .find(name)
            .ok_or_else(|| RuntimeError::NoSuchTask {
                run: self.run.clone(),
                task: name.to_owned(),
                suggestion: closest(self.graph(), name),
            })
    }

    /// The attempts of a task, in order. Cost: a pass over the journal.
    #[must_use]
    pub fn attempts(&self, task: TaskId) -> Vec<AttemptView> {
        let mut attempts: Vec<AttemptView> = Vec::new();
        for entry in &self.entries {
            if let Record::Started { task: of, attempt } = entry.record
                && of == task
            {
                attempts.push(AttemptView {
                    attempt,
                    started_at: entry.at,
                    ended_at: None,
                    outcome: None,
                    stop: None,
                    error: None,
                    log: None,
                });
            }
            let open = attempts.last_mut().filter(|last| last.outcome.is_none());
            if let Record::CancelRequested { task: of, why, .. } = entry.record
                && of == task
                && let Some(open) = open
            {
                open.stop = Some(why);
                continue;
            }
            if let (Some(end), Some(open)) = (entry.record.attempt_end(), open)
                && end.task == task
            {
                open.ended_at = Some(entry.at);
                open.outcome = Some(end.outcome);
                open.log = end.log;
                if let AttemptOutcome::Failed { error, .. } = end.outcome {
                    open.error = error;
                }
            }
        }
        attempts
    }

    /// The result of a task, if it has completed with one.
    ///
    /// # Errors
    /// If the store cannot read it.
    pub async fn output(
        &self,
        store: &dyn RawGraphStore,
        task: TaskId,
    ) -> Result<Option<Arc<TaskOutput>>, RuntimeError> {
        if let Some(value) = driver::defined_output(&self.scheduler, task) {
            return Ok(Some(Arc::new(TaskOutput::from(value))));
        }
        let TaskState::Completed { output: place } = self.scheduler.task(task).state() else {
            return Ok(None);
        };
        let Some(id) = place.content() else {
            return Ok(None);
        };
        output(store, &self.run, id).await.map(Some)
    }

    /// The error that an executor reported for a failed attempt.
    ///
    /// # Errors
    /// If the store cannot read it.
    pub async fn error(
        &self,
        store: &dyn RawGraphStore,
        id: ContentId,
    ) -> Result<Option<TaskErrorRecord>, RuntimeError> {
        let parts = self.content(store, id).await?;
        Ok(parts
            .first()
            .and_then(|part| serde_json::from_slice(&part.bytes).ok()))
    }

    /// The logs of an attempt: the stream's name and its bytes, head and tail.
    ///
    /// # Errors
    /// If the store cannot read them.
    pub async fn logs(
        &self,
        store: &dyn RawGraphStore,
        id: ContentId,
    ) -> Result<Vec<(String, Bytes)>, RuntimeError> {
        let parts = self.content(store, id).await?;
        Ok(parts
            .into_iter()
            .map(|part| (part.name, part.bytes))
            .collect())
    }

    /// The notes of a task's attempts, in order.
    ///
    /// # Errors
    /// If the store cannot read it.
    pub async fn notes(
        &self,
        store: &dyn RawGraphStore,
        task: TaskId,
    ) -> Result<Vec<NoteView>, RuntimeError> {
        let noted = self.entries.iter().filter_map(|entry| {
            let Record::Noted {
                task: of,
                attempt,
                content,
            } = entry.record
            else {
                return None;
            };
            (of == task).then_some((content, attempt, entry.at))
        });
        let noted: Vec<(ContentId, Attempt, Timestamp)> = noted.collect();
        let ids: Vec<ContentId> = noted.iter().map(|(id, ..)| *id).collect();
        // A note has one part.
        let parts = contents(store, &self.run, &ids).await?;
        let parts: BTreeMap<ContentId, Content> =
            parts.into_iter().map(|part| (part.id, part)).collect();
        let mut notes = Vec::with_capacity(noted.len());
        for (id, attempt, at) in noted {
            if let Some(part) = parts.get(&id) {
                notes.push(NoteView {
                    attempt,
                    at,
                    kind: part.name.clone(),
                    body: part.bytes.clone(),
                });
            }
        }
        Ok(notes)
    }

    pub(crate) async fn content(
        &self,
        store: &dyn RawGraphStore,
        id: ContentId,
    ) -> Result<Vec<Content>, RuntimeError> {
        contents(store, &self.run, &[id]).await
    }
}
