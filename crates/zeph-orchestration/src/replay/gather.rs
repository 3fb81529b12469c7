//! Gathering: what a journal knows of each attempt, from its records and contents.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use indexmap::IndexMap;
use serde_json::Value;
use zeph_executor::{Note, NoteKind, Parent, ParentState, TaskErrorRecord};
use zeph_graph::{
    Attempt, AttemptOutcome, Budget, ContentId, Entry, Header, Record, RunId, Spend, TaskId,
    TaskState, Work, wire,
};
use zeph_memory::{Content, RawGraphStore};
use zeph_planner::{ADOPT, Recorded, RecordedEnd};
use zeph_runtime::{RunView, RuntimeError};
use zeph_scheduler::{Divergence, Scheduler, replay};

/// What is read of a run beside its view.
pub(super) struct Known {
    header: Header,
    /// What executors said when attempts failed.
    errors: BTreeMap<ContentId, TaskErrorRecord>,
}

/// An attempt, and what is known of it; or why that is not enough.
pub(super) struct Gathered {
    pub(super) task: Arc<str>,
    pub(super) action: Arc<str>,
    pub(super) attempt: Attempt,
    pub(super) recorded: Result<Box<Recorded>, String>,
}

impl Known {
    pub(super) async fn read(
        store: &dyn RawGraphStore,
        view: &RunView,
    ) -> Result<Self, RuntimeError> {
        let run = &view.run;
        let stored = store.load(run).await.map_err(|e| of_store(run, e))?;
        let text = String::from_utf8_lossy(&stored.new.header);
        let header = wire::decode_header(&text).map_err(|source| RuntimeError::Header {
            run: run.clone(),
            source: Arc::new(source),
        })?;
        let records = view.entries.iter().map(|entry| entry.record);
        let errors = records.filter_map(|record| {
            let Record::AttemptFailed { error, .. } = record else {
                return None;
            };
            error
        });
        let errors = contents(store, run, errors.collect()).await?;
        let errors = errors.into_iter().filter_map(|(id, content)| {
            let error = serde_json::from_slice(&content.bytes).ok()?;
            Some((id, error))
        });
        Ok(Self {
            header,
            errors: errors.collect(),
        })
    }
}

/// Decides the journal once more.
pub(super) fn decide_again(view: &RunView, known: &Known) -> Result<u64, Divergence> {
    let retry_after = |entry: &Entry| {
        let Record::AttemptFailed {
            error: Some(error), ..
        } = entry.record
        else {
            return None;
        };
        let asked = known.errors.get(&error)?.retry_after_ms?;
        Some(Duration::from_millis(asked))
    };
    let header = || known.header.clone();
    replay(&header, &view.entries, &view.patches, &retry_after)
}

/// An attempt as the records tell it.
struct Open {
    task: TaskId,
    attempt: Attempt,
    notes: Vec<ContentId>,
    /// What it reserved, and the place of the record.
    reserved: Vec<(Spend, usize)>,
    end: End,
    /// The place of the record that ended it.
    ended: usize,
}

#[derive(Clone, Copy)]
enum End {
    Not,
    Completed,
    Failed(Option<ContentId>),
    Cut,
}

/// The attempts of tasks whose action is wanted, in the order in which they began.
pub(super) async fn gather(
    store: &dyn RawGraphStore,
    view: &RunView,
    known: &Known,
    wanted: fn(&str) -> bool,
) -> Result<Vec<Gathered>, RuntimeError> {
    let (attempts, proposals) = fold(&view.entries);
    let mut gathered = Vec::new();
    for one in attempts {
        let task = view.graph().task(one.task);
        let Work::Action { name, params } = task.work() else {
            continue;
        };
        if !wanted(name) {
            continue;
        }
        let proposal = proposals.get(&one.task).copied();
        let params = params.to_value().unwrap_or_default();
        let recorded = recorded(store, view, known, &one, params, proposal).await?;
        gathered.push(Gathered {
            task: task.name().into(),
            action: (&**name).into(),
            attempt: one.attempt,
            recorded: recorded.map(Box::new),
        });
    }
    Ok(gathered)
}

/// One pass over the journal: the attempts, and each task's accepted proposal with its attempt.
fn fold(entries: &[Entry]) -> (Vec<Open>, BTreeMap<TaskId, (ContentId, Attempt)>) {
    let mut attempts: Vec<Open> = Vec::new();
    let mut current: BTreeMap<TaskId, usize> = BTreeMap::new();
    let mut proposals = BTreeMap::new();
    for (place, entry) in entries.iter().enumerate() {
        if let Record::Started { task, attempt } = entry.record {
            current.insert(task, attempts.len());
            attempts.push(Open {
                task,
                attempt,
                notes: Vec::new(),
                reserved: Vec::new(),
                end: End::Not,
                ended: place,
            });
            continue;
        }
        let task = entry.record.task();
        let Some(index) = task.and_then(|task| current.get(&task)).copied() else {
            continue;
        };
        let open = &mut attempts[index];
        if let Record::Reserved { most, .. } = entry.record {
            open.reserved.push((most, place));
        }
        if let Record::Noted { content, .. } = entry.record {
            open.notes.push(content);
        }
        if let Record::Amended { task, content } = entry.record {
            proposals.insert(task, (content, open.attempt));
        }
        let Some(end) = entry.record.attempt_end() else {
            continue;
        };
        let end = match end.outcome {
            AttemptOutcome::Completed(_) => End::Completed,
            AttemptOutcome::Failed { error, .. } => End::Failed(error),
            AttemptOutcome::Cut(_) => End::Cut,
        };
        // What ends the task later is another record.
        (open.end, open.ended) = (end, place);
        current.remove(&open.task);
    }
    (attempts, proposals)
}

async fn recorded(
    store: &dyn RawGraphStore,
    view: &RunView,
    known: &Known,
    open: &Open,
    params: Value,
    proposal: Option<(ContentId, Attempt)>,
) -> Result<Result<Recorded, String>, RuntimeError> {
    let end = match open.end {
        End::Not => return Ok(Err("it has not ended".to_owned())),
        End::Cut => return Ok(Err("it was stopped or lost before it ended".to_owned())),
        End::Failed(error) => match error.and_then(|id| known.errors.get(&id)) {
            Some(error) => RecordedEnd::Error(error.clone()),
            None => return Ok(Err("what it failed with was not kept".to_owned())),
        },
        End::Completed => {
            let output = view.output(store, open.task).await?;
            RecordedEnd::Output(output.map_or(Value::Null, |output| output.value.clone()))
        }
    };
    let Some(notes) = notes(store, &view.run, &open.notes).await? else {
        return Ok(Err("a note of it is of a kind that is not known".to_owned()));
    };
    let patch = proposal.and_then(|(content, attempt)| {
        let patch = view.patches.get(&content)?.clone();
        Some((patch, attempt == open.attempt))
    });
    let task = view.graph().task(open.task);
    let asked_again = match (&end, task.work()) {
        (RecordedEnd::Output(output), Work::Action { name, .. }) if &**name == ADOPT => {
            Recorded::asks_again(output)
        }
        (RecordedEnd::Output(_) | RecordedEnd::Error(_), _) => false,
    };
    let left = |place| left(view, known, open.task, place);
    let reserved = open.reserved.iter();
    Ok(Ok(Recorded {
        run: view.run.clone(),
        task: open.task,
        name: task.name().to_owned(),
        attempt: open.attempt,
        params,
        parents: parents(store, view, open.task).await?,
        left: left(open.ended),
        notes,
        reserved: reserved.map(|&(most, place)| (most, left(place))).collect(),
        patch,
        asked_again,
        end,
    }))
}

async fn notes(
    store: &dyn RawGraphStore,
    run: &RunId,
    ids: &[ContentId],
) -> Result<Option<Vec<Note>>, RuntimeError> {
    let contents = contents(store, run, ids.to_vec()).await?;
    let notes = ids.iter().filter_map(|id| contents.get(id));
    let notes = notes.map(|content| {
        let kind = serde_json::from_value::<NoteKind>(Value::from(content.name.clone())).ok()?;
        Some(Note::new(kind, content.bytes.clone()))
    });
    Ok(notes.collect())
}

/// What the task got from those that it needs.
async fn parents(
    store: &dyn RawGraphStore,
    view: &RunView,
    task: TaskId,
) -> Result<IndexMap<String, Parent>, RuntimeError> {
    let mut parents = IndexMap::new();
    for &parent in view.graph().parents(task) {
        let state = match view.scheduler.task(parent).state() {
            TaskState::Completed { .. } => ParentState::Completed,
            TaskState::Failed { .. } => ParentState::Failed,
            TaskState::Skipped { .. } => ParentState::Skipped,
            TaskState::Canceled { .. }
            | TaskState::Pending
            | TaskState::Ready
            | TaskState::Running { .. }
            | TaskState::BackingOff { .. }
            | TaskState::Asking { .. }
            | TaskState::Canceling { .. } => ParentState::Canceled,
        };
        let output = match state {
            ParentState::Completed => Some(view.output(store, parent).await?.unwrap_or_default()),
            ParentState::Failed | ParentState::Skipped | ParentState::Canceled => None,
        };
        let name = view.graph().task(parent).name().to_owned();
        parents.insert(name, Parent { state, output });
    }
    Ok(parents)
}

/// What the budgets left for a task just before the record of that place.
///
/// Cost: nothing where nothing is limited, else one recovery.
fn left(view: &RunView, known: &Known, task: TaskId, place: usize) -> Budget {
    let is_budgeted = |entry: &Entry| matches!(entry.record, Record::Budgeted { .. });
    let of_task = view.graph().task(task).rules().budget;
    let is_limited = known.header.policy.budget != Budget::UNLIMITED
        || of_task != Budget::UNLIMITED
        || view.entries.iter().any(is_budgeted);
    if !is_limited {
        return Budget::UNLIMITED;
    }
    let before = view.entries[..place].iter().copied();
    // The whole journal was read back already, so its beginning can be.
    Scheduler::recover(known.header.clone(), before, &view.patches)
        .map_or(Budget::UNLIMITED, |scheduler| scheduler.left(task))
}

/// Contents of one part each, by number.
async fn contents(
    store: &dyn RawGraphStore,
    run: &RunId,
    ids: Vec<ContentId>,
) -> Result<BTreeMap<ContentId, Content>, RuntimeError> {
    if ids.is_empty() {
        return Ok(BTreeMap::new());
    }
    let contents = store.contents(run, &ids).await;
    let contents = contents.map_err(|error| of_store(run, error))?;
    Ok(contents.into_iter().map(|part| (part.id, part)).collect())
}

fn of_store(run: &RunId, source: zeph_memory::StoreError) -> RuntimeError {
    RuntimeError::Store {
        run: run.clone(),
        source: Arc::new(source),
    }
}
