//! Views: a stored run for reading, whoever owns it.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use zeph_executor::{TaskErrorRecord, TaskOutput};
use zeph_graph::wire::GraphSpec;
use zeph_graph::{
    Attempt, AttemptOutcome, ContentId, CutHow, Entry, Fault, Header, Record, RunId, TaskGraph,
    TaskId, TaskState, Timestamp, wire,
};
use zeph_memory::{Content, RawGraphStore, RunStatus, StoredRun};
use zeph_scheduler::{Patches, Scheduler};

use crate::answer::{self, QuestionView, content_of};
use crate::content::read_output;
use crate::engine::read_header;
use crate::error::RuntimeError;
use crate::handle::{RunReport, RunSnapshot};

/// A run as its journal tells it. Reading one needs no ownership and holds nobody up.
#[derive(Debug)]
pub struct RunView {
    /// The run.
    pub run: RunId,
    /// What lists show of it.
    pub title: String,
    /// When it was created.
    pub created_at: Timestamp,
    /// When it last moved.
    pub updated_at: Timestamp,
    /// Its state as the store has it.
    pub status: RunStatus,
    /// Its records, in order.
    pub entries: Vec<Entry>,
    /// The machine that the records fold to. Dormant: to be asked, not to be driven.
    pub scheduler: Scheduler,
    /// What its graph has grown by, as the records name it.
    pub patches: Patches,
    /// The hash of its last row, to compare with one that was kept elsewhere.
    pub head: String,
}

/// One attempt of a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct AttemptView {
    /// Its number.
    pub attempt: Attempt,
    /// When it was started.
    pub started_at: Timestamp,
    /// When its end was recorded; `None` while it runs, or if its process went away.
    pub ended_at: Option<Timestamp>,
    /// How it ended.
    pub end: AttemptEnd,
    /// The content that holds what its executor said when it failed.
    pub error: Option<ContentId>,
    /// The content that holds its logs.
    pub log: Option<ContentId>,
}

/// Something that was kept about an attempt while it ran.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct NoteView {
    /// The attempt.
    pub attempt: Attempt,
    /// When it was recorded.
    pub at: Timestamp,
    /// What it is about, as [`NoteKind::name`](zeph_executor::NoteKind::name) says it.
    pub kind: String,
    /// The note. Untrusted text, usually JSON.
    pub body: Bytes,
}

/// How an attempt ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AttemptEnd {
    /// It has not, as far as the journal knows.
    Open,
    /// With a result.
    Completed,
    /// Without one.
    Failed(Fault),
    /// It was stopped, given up or lost.
    Cut(CutHow),
}

impl RunView {
    /// Reads a run and folds its journal. No content is read.
    ///
    /// # Errors
    /// If there is no such run, or its journal is damaged.
    pub async fn load(store: &dyn RawGraphStore, run: &RunId) -> Result<Self, RuntimeError> {
        let stored = store
            .load(run)
            .await
            .map_err(|error| RuntimeError::store(run, error))?;
        let header = read_header(&stored)?;
        let entries = read_entries(&stored)?;
        let (scheduler, patches) = recover(store, run, header, &entries).await?;
        Ok(Self {
            run: run.clone(),
            title: stored.new.title,
            created_at: stored.new.created_at,
            updated_at: stored.updated_at,
            status: stored.status,
            head: stored.chain.head().to_string(),
            entries,
            scheduler,
            patches,
        })
    }

    /// The graph.
    #[must_use]
    pub const fn graph(&self) -> &TaskGraph {
        self.scheduler.graph()
    }

    /// The run at a glance.
    #[must_use]
    pub fn snapshot(&self) -> RunSnapshot {
        RunSnapshot::of(&self.scheduler)
    }

    /// How the run and each of its tasks stand.
    #[must_use]
    pub fn report(&self) -> RunReport {
        RunReport::of(&self.run, &self.scheduler)
    }

    /// The open questions, oldest first.
    #[must_use]
    pub fn questions(&self) -> Vec<QuestionView> {
        self.scheduler
            .questions()
            .map(|open| answer::view(&self.scheduler, &open))
            .collect()
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
                    end: AttemptEnd::Open,
                    error: None,
                    log: None,
                });
            }
            let open = attempts
                .last_mut()
                .filter(|last| last.end == AttemptEnd::Open);
            if let (Some(end), Some(open)) = (entry.record.attempt_end(), open)
                && end.task == task
            {
                open.ended_at = Some(entry.at);
                open.log = end.log;
                (open.end, open.error) = match end.outcome {
                    AttemptOutcome::Completed(_) => (AttemptEnd::Completed, None),
                    AttemptOutcome::Failed { fault, error } => (AttemptEnd::Failed(fault), error),
                    AttemptOutcome::Cut(how) => (AttemptEnd::Cut(how), None),
                };
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
        if let Some(value) = answer::defined_output(&self.scheduler, task) {
            return Ok(Some(Arc::new(TaskOutput::from(value))));
        }
        let TaskState::Completed { output } = self.scheduler.task(task).state() else {
            return Ok(None);
        };
        let Some(id) = content_of(output) else {
            return Ok(None);
        };
        let parts = self.content(store, id).await?;
        read_output(&parts)
            .map(Some)
            .map_err(|error| RuntimeError::unreadable(&self.run, &error))
    }

    /// What an executor said when an attempt failed.
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

    /// What was kept about the attempts of a task, in order.
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
        if noted.is_empty() {
            return Ok(Vec::new());
        }
        let ids: Vec<ContentId> = noted.iter().map(|(id, ..)| *id).collect();
        let contents = store.contents(&self.run, &ids).await;
        let contents = contents.map_err(|error| RuntimeError::store(&self.run, error))?;
        // A note has one part.
        let parts: BTreeMap<ContentId, Content> =
            contents.into_iter().map(|part| (part.id, part)).collect();
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

    async fn content(
        &self,
        store: &dyn RawGraphStore,
        id: ContentId,
    ) -> Result<Vec<Content>, RuntimeError> {
        let parts = store.contents(&self.run, &[id]).await;
        parts.map_err(|error| RuntimeError::store(&self.run, error))
    }
}

/// Folds a journal. Of the contents only the patches are read, and only those that count.
pub(crate) async fn recover(
    store: &dyn RawGraphStore,
    run: &RunId,
    header: Header,
    entries: &[Entry],
) -> Result<(Scheduler, Patches), RuntimeError> {
    let ids = entries.iter().filter_map(|entry| {
        let Record::Amended { content, .. } = entry.record else {
            return None;
        };
        Some(content)
    });
    let ids: Vec<ContentId> = ids.collect();
    let mut patches = Patches::new();
    if !ids.is_empty() {
        let contents = store.contents(run, &ids).await;
        let contents = contents.map_err(|error| RuntimeError::store(run, error))?;
        for part in contents {
            patches.insert(part.id, read_patch(run, &part)?);
        }
    }
    let entries = entries.iter().copied();
    let scheduler = Scheduler::recover(header, entries, &patches);
    let scheduler = scheduler.map_err(|source| RuntimeError::Corrupt {
        run: run.clone(),
        source,
    })?;
    Ok((scheduler, patches))
}

fn read_patch(run: &RunId, part: &Content) -> Result<GraphSpec, RuntimeError> {
    let text = String::from_utf8_lossy(&part.bytes);
    GraphSpec::from_json(&text).map_err(|source| RuntimeError::Patch {
        run: run.clone(),
        content: part.id,
        source: Arc::new(source),
    })
}

pub(crate) fn read_entries(stored: &StoredRun) -> Result<Vec<Entry>, RuntimeError> {
    let read = |row: &zeph_memory::StoredRow| match wire::decode(&row.payload) {
        Ok(record) => Ok(Entry {
            seq: row.seq,
            at: row.at,
            record,
        }),
        Err(source) => Err(RuntimeError::Record {
            run: stored.new.run.clone(),
            seq: row.seq,
            source: Arc::new(source),
        }),
    };
    stored.rows.iter().map(read).collect()
}

/// The name that was most likely meant.
pub(crate) fn closest(graph: &TaskGraph, name: &str) -> Option<String> {
    let names = graph.tasks().map(|(_, task)| task.name());
    let scored = names.map(|known| (strsim::damerau_levenshtein(known, name), known));
    let (distance, best) = scored.min()?;
    (distance <= 1 + name.chars().count() / 4).then(|| best.to_owned())
}
