//! Restoring: from the stored rows of a run to its scheduler.

use std::collections::BTreeMap;
use std::sync::Arc;

use zeph_executor::{TaskErrorRecord, TaskOutput};
use zeph_graph::wire::GraphSpec;
use zeph_graph::{AskWhy, ContentId, Entry, Header, Record, RunId, TaskGraph, TaskId, wire};
use zeph_memory::{Chain, Content, RawGraphStore, StoredRow, StoredRun};
use zeph_scheduler::{EventLog, Patches, Scheduler};

use crate::content::{ContentParts, read_output};
use crate::driver::{Contents, LastErrors};
use crate::error::RuntimeError;
use crate::interrupted::{Interrupted, interrupted};
use crate::stored_errors::StoredErrors;

/// A run that is about to become active.
pub(crate) struct Restored {
    pub(crate) scheduler: Scheduler,
    pub(crate) chain: Chain,
    pub(crate) contents: Contents<ContentParts>,
    pub(crate) errors: LastErrors,
    pub(crate) stored_errors: StoredErrors,
    pub(crate) interrupted: Interrupted,
    pub(crate) event_log: EventLog,
}

/// Reads a run and recovers its scheduler. Of the contents it reads the patches of the graph, and the
/// errors behind open questions.
///
/// Boxed, since the value passes through several futures, each of which would hold it on the stack.
pub(crate) async fn restore(
    store: &dyn RawGraphStore,
    run: &RunId,
    expected: Option<&TaskGraph>,
) -> Result<Box<Restored>, RuntimeError> {
    // The first read opens a connection, which takes much of a small stack; what follows is a future of its own.
    let stored = read(store, run).await?;
    Box::pin(restored(store, run, expected, stored)).await
}

async fn restored(
    store: &dyn RawGraphStore,
    run: &RunId,
    expected: Option<&TaskGraph>,
    (stored, header, entries): (StoredRun, Header, Vec<Entry>),
) -> Result<Box<Restored>, RuntimeError> {
    let differences = expected.map_or_else(Vec::new, |graph| wire::diff(&header.graph, graph));
    if !differences.is_empty() {
        return Err(RuntimeError::GraphChanged {
            run: run.clone(),
            differences,
        });
    }
    let next_content = next_content(&entries);
    let (scheduler, _) = recover(store, run, header, &entries).await?;
    let errors = errors_in_question(store, run, &scheduler, &entries).await?;
    let mut event_log = EventLog::default();
    for entry in &entries {
        event_log.skip(entry);
    }
    Ok(Box::new(Restored {
        scheduler,
        chain: stored.chain,
        contents: Contents::starting_at(next_content),
        errors,
        stored_errors: StoredErrors::of(&entries),
        interrupted: interrupted(&entries),
        event_log,
    }))
}

/// Reads a run, its header and its records.
pub(crate) async fn read(
    store: &dyn RawGraphStore,
    run: &RunId,
) -> Result<(StoredRun, Header, Vec<Entry>), RuntimeError> {
    let stored = store.load(run).await;
    let stored = stored.map_err(|error| RuntimeError::store(run, error))?;
    let (header, entries) = (read_header(&stored)?, read_entries(run, &stored.rows)?);
    Ok((stored, header, entries))
}

fn read_header(stored: &StoredRun) -> Result<Header, RuntimeError> {
    let text = String::from_utf8_lossy(&stored.new.header);
    wire::decode_header(&text).map_err(|source| RuntimeError::Header {
        run: stored.new.run.clone(),
        source: Arc::new(source),
    })
}

/// Decodes the rows of a run.
pub(crate) fn read_entries(run: &RunId, rows: &[StoredRow]) -> Result<Vec<Entry>, RuntimeError> {
    let read = |row: &StoredRow| match wire::decode(&row.payload) {
        Ok(record) => Ok(Entry {
            seq: row.seq,
            at: row.at,
            record,
        }),
        Err(source) => Err(RuntimeError::Record {
            run: run.clone(),
            seq: row.seq,
            source: Arc::new(source),
        }),
    };
    rows.iter().map(read).collect()
}

/// The number after the last one that the journal refers to.
fn next_content(entries: &[Entry]) -> ContentId {
    let ids = entries.iter().flat_map(|entry| entry.record.contents());
    ids.max().map_or(ContentId::FIRST, ContentId::next)
}

/// Recovers the scheduler from the journal, and the patches that the journal names from the store.
pub(crate) async fn recover(
    store: &dyn RawGraphStore,
    run: &RunId,
    header: Header,
    entries: &[Entry],
) -> Result<(Scheduler, Patches), RuntimeError> {
    let patches = read_patches(store, run, entries).await?;
    let entries = entries.iter().copied();
    let scheduler = Scheduler::recover(header, entries, &patches);
    let scheduler = scheduler.map_err(|source| RuntimeError::Corrupt {
        run: run.clone(),
        source,
    })?;
    Ok((scheduler, patches))
}

/// The patches that these records name.
pub(crate) async fn read_patches(
    store: &dyn RawGraphStore,
    run: &RunId,
    entries: &[Entry],
) -> Result<Patches, RuntimeError> {
    let mut ids: Vec<ContentId> = Vec::new();
    for entry in entries {
        if let Record::Amended { content, .. } = entry.record {
            ids.push(content);
        }
    }
    let mut patches = Patches::new();
    for part in contents(store, run, &ids).await? {
        patches.insert(part.id, read_patch(run, &part)?);
    }
    Ok(patches)
}

fn read_patch(run: &RunId, part: &Content) -> Result<GraphSpec, RuntimeError> {
    let text = String::from_utf8_lossy(&part.bytes);
    GraphSpec::from_json(&text).map_err(|source| RuntimeError::Patch {
        run: run.clone(),
        content: part.id,
        source: Arc::new(source),
    })
}

/// The errors that open questions are about.
async fn errors_in_question(
    store: &dyn RawGraphStore,
    run: &RunId,
    scheduler: &Scheduler,
    entries: &[Entry],
) -> Result<LastErrors, RuntimeError> {
    let last = last_errors(entries);
    let failed = scheduler.questions().filter_map(|open| {
        let is_failure = matches!(open.why, AskWhy::Failure(_));
        let error = last.get(&open.task).filter(|_| is_failure)?;
        Some((open.task, *error))
    });
    let failed: Vec<(TaskId, ContentId)> = failed.collect();
    let ids: Vec<ContentId> = failed.iter().map(|(_, id)| *id).collect();
    let parts = contents(store, run, &ids).await?;
    let mut errors = LastErrors::default();
    for (task, id) in failed {
        let part = parts.iter().find(|part| part.id == id);
        let record = part.and_then(|part| serde_json::from_slice(&part.bytes).ok());
        if let Some(TaskErrorRecord { message, .. }) = record {
            errors.set(task, message.into());
        }
    }
    Ok(errors)
}

/// The error of each task's last attempt. An attempt that was cut has none: earlier errors do not explain it.
pub(crate) fn last_errors(entries: &[Entry]) -> BTreeMap<TaskId, ContentId> {
    let mut errors = BTreeMap::new();
    for entry in entries {
        if let Record::Started { task, .. } = entry.record {
            errors.remove(&task);
        }
        if let (Some(task), Some((_, Some(error)))) = (entry.record.task(), entry.record.failure())
        {
            errors.insert(task, error);
        }
    }
    errors
}

/// The result of a task in the store.
pub(crate) async fn output(
    store: &dyn RawGraphStore,
    run: &RunId,
    id: ContentId,
) -> Result<Arc<TaskOutput>, RuntimeError> {
    let parts = contents(store, run, &[id]).await?;
    read_output(&parts).map_err(|error| RuntimeError::unreadable(run, &error))
}

/// The parts of these contents; no call of the store if there are none.
pub(crate) async fn contents(
    store: &dyn RawGraphStore,
    run: &RunId,
    ids: &[ContentId],
) -> Result<Vec<Content>, RuntimeError> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let parts = store.contents(run, ids).await;
    parts.map_err(|error| RuntimeError::store(run, error))
}

/// The task name that was most likely meant.
pub(crate) fn closest(graph: &TaskGraph, name: &str) -> Option<String> {
    let names = graph.tasks().map(|(_, task)| task.name());
    zeph_diagnostics::suggest(name, names).map(str::to_owned)
}
