//! `MemoryStore`: a complete store in memory, for tests, dry runs and programs that need no file.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use zeph_graph::{ContentId, RunId, Seq, Timestamp};

use crate::chain::{Append, Chain, SealedRow};
use crate::chain_check::{ChainCheck, StoredStatus};
use crate::conformance::Tamper;
use crate::draft::Draft;
use crate::error::StoreError;
use crate::hash::ChainHash;
use crate::result::{KeyedResult, ResultKey};
use crate::row::{Content, StoredRow};
use crate::run::{ListQuery, NewRun, Request, RequestId, RunRow};
use crate::store::{Commit, Fence, Outline, RawGraphStore, RowOutline, StoredRun, StoredTail};

/// A store in memory. Clones share their data, which is dropped with the last of them.
///
/// It checks and verifies the same as a durable store.
#[derive(Clone, Debug, Default)]
pub struct MemoryStore {
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    epoch: u64,
    runs: BTreeMap<RunId, RunState>,
    inbox: BTreeMap<RequestId, Request>,
    last_request: u64,
    drafts: BTreeMap<(RunId, String), Draft>,
    results: BTreeMap<ResultKey, KeyedResult>,
}

#[derive(Debug)]
struct RunState {
    new: NewRun,
    epoch: u64,
    genesis: ChainHash,
    end: StoredStatus,
    rows: Vec<JournalRow>,
    contents: BTreeMap<ContentId, Vec<StoredPart>>,
}

#[derive(Debug)]
struct StoredPart {
    content: Content,
    seq: Seq,
    part: u64,
    hash: ChainHash,
}

#[derive(Debug)]
struct JournalRow {
    row: StoredRow,
    outline: RowOutline,
}

impl MemoryStore {
    /// An empty store.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Damages stored data, for tests. Returns false when there is no such data.
    #[must_use]
    pub fn tamper(&self, damage: &Tamper) -> bool {
        let mut state = self.state();
        state
            .runs
            .get_mut(damage.run())
            .is_some_and(|run| run.tamper(damage))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Every change is complete before anything can panic, so a poisoned state is consistent.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl RawGraphStore for MemoryStore {
    async fn claim(&self, _owner: &str, _at: Timestamp) -> Result<Fence, StoreError> {
        let mut state = self.state();
        state.epoch += 1;
        Ok(Fence { epoch: state.epoch })
    }

    async fn adopt(&self, run: &RunId, former: u64, fence: Fence) -> Result<(), StoreError> {
        let mut state = self.state();
        let stored = state.runs.get_mut(run);
        let stored = stored.ok_or_else(|| StoreError::NotFound { run: run.clone() })?;
        if stored.epoch != former && stored.epoch != fence.epoch {
            return Err(StoreError::Fenced {
                run: run.clone(),
                ours: fence.epoch,
                theirs: stored.epoch,
            });
        }
        stored.epoch = fence.epoch;
        Ok(())
    }

    async fn commit(&self, commit: &Commit, fence: Fence) -> Result<(), StoreError> {
        commit.check()?;
        let mut state = self.state();
        for append in &commit.appends {
            state.check(append, fence)?;
        }
        for append in &commit.appends {
            state.apply(append, fence);
        }
        for id in &commit.settled {
            state.settle(*id, fence);
        }
        for draft in &commit.drafts {
            state.put_draft(draft, fence);
        }
        for result in &commit.results {
            if state.owner(&result.run) == Some(fence.epoch) {
                state.results.insert(result.key, result.clone());
            }
        }
        Ok(())
    }

    async fn load(&self, run: &RunId) -> Result<StoredRun, StoreError> {
        self.state().run(run)?.load()
    }

    async fn load_after(&self, chain: &Chain) -> Result<StoredTail, StoreError> {
        self.state().run(chain.run())?.load_after(chain)
    }

    async fn contents(&self, run: &RunId, ids: &[ContentId]) -> Result<Vec<Content>, StoreError> {
        let state = self.state();
        let stored = state.run(run)?;
        let mut answered = BTreeSet::new();
        let mut found = Vec::new();
        for id in ids.iter().filter(|id| answered.insert(**id)) {
            let parts = stored.contents.get(id).filter(|parts| !parts.is_empty());
            let parts = parts.ok_or_else(|| {
                StoreError::damaged(run, None, format!("content {id} is missing"))
            })?;
            for stored in parts {
                let part = &stored.content;
                if part.hash(run, stored.seq, stored.part) != stored.hash {
                    let what = format!(
                        "part {:?} of content {id} is not as it was written",
                        part.name
                    );
                    return Err(StoreError::damaged(run, None, what));
                }
                found.push(part.clone());
            }
        }
        Ok(found)
    }

    async fn outline(&self, run: &RunId) -> Result<Outline, StoreError> {
        let state = self.state();
        let stored = state.run(run)?;
        Ok(Outline {
            rows: stored.rows.iter().map(|row| row.outline.clone()).collect(),
            stored: stored.contents.keys().copied().collect(),
        })
    }

    async fn get(&self, run: &RunId) -> Result<RunRow, StoreError> {
        Ok(self.state().run(run)?.line())
    }

    async fn list(&self, query: ListQuery) -> Result<Vec<RunRow>, StoreError> {
        let state = self.state();
        let mut rows: Vec<RunRow> = state.runs.values().map(RunState::line).collect();
        let key = |row: &RunRow| (row.created_at, row.run.clone());
        rows.sort_by_key(|row| std::cmp::Reverse(key(row)));
        rows.retain(|row| {
            query.open.is_none_or(|open| row.status.open == open)
                && query
                    .before
                    .as_ref()
                    .is_none_or(|c| key(row) < (c.created_at, c.run.clone()))
        });
        rows.truncate(usize::try_from(query.limit).unwrap_or(usize::MAX));
        Ok(rows)
    }

    async fn find(&self, prefix: &str, limit: u32) -> Result<Vec<RunId>, StoreError> {
        let state = self.state();
        let names = state.runs.keys();
        let found = names.filter(|run| run.as_str().starts_with(prefix));
        Ok(found.take(limit as usize).cloned().collect())
    }

    async fn post(&self, run: &RunId, at: Timestamp, body: &str) -> Result<RequestId, StoreError> {
        let mut state = self.state();
        state.run(run)?;
        state.last_request += 1;
        let id = RequestId::new(state.last_request);
        state.inbox.insert(
            id,
            Request {
                id,
                run: run.clone(),
                at,
                body: Some(body.into()),
            },
        );
        Ok(id)
    }

    async fn inbox(&self, run: &RunId) -> Result<Vec<Request>, StoreError> {
        let state = self.state();
        let requests = state.inbox.values();
        let waiting = requests.filter(|request| request.run == *run);
        Ok(waiting.cloned().collect())
    }

    async fn drafts(&self, run: &RunId, prefix: &str) -> Result<Vec<Draft>, StoreError> {
        let state = self.state();
        let from = (run.clone(), prefix.to_owned());
        let drafts = state.drafts.range(from..);
        let found = drafts.take_while(|((of, key), _)| of == run && key.starts_with(prefix));
        Ok(found.map(|(_, draft)| draft.clone()).collect())
    }

    async fn result(&self, key: &ResultKey) -> Result<Option<KeyedResult>, StoreError> {
        Ok(self.state().results.get(key).cloned())
    }

    async fn delete_all(&self, runs: &[RunId], _fence: Fence) -> Result<Vec<RunId>, StoreError> {
        let mut state = self.state();
        let is_open = |run: &&RunId| state.run(run).is_ok_and(|run| run.end.status.open);
        if let Some(run) = runs.iter().find(is_open) {
            return Err(StoreError::Open { run: run.clone() });
        }
        let mut deleted = Vec::new();
        for run in runs {
            if state.runs.remove(run).is_some() {
                deleted.push(run.clone());
            }
        }
        let gone: BTreeSet<&RunId> = deleted.iter().collect();
        state
            .inbox
            .retain(|_, request| !gone.contains(&request.run));
        state.drafts.retain(|(of, _), _| !gone.contains(of));
        state
            .results
            .retain(|_, result| !gone.contains(&result.run));
        Ok(deleted)
    }
}

impl State {
    fn run(&self, run: &RunId) -> Result<&RunState, StoreError> {
        self.runs
            .get(run)
            .ok_or_else(|| StoreError::NotFound { run: run.clone() })
    }

    fn check(&self, append: &Append, fence: Fence) -> Result<(), StoreError> {
        let run = append.run();
        if append.genesis().is_none() {
            let stored = self.run(run)?;
            if stored.epoch != fence.epoch {
                return Err(StoreError::Fenced {
                    run: run.clone(),
                    ours: fence.epoch,
                    theirs: stored.epoch,
                });
            }
            let end = &stored.end;
            append.start().check_continues(end.last_seq, end.head)
        } else if self.runs.contains_key(run) {
            Err(StoreError::Exists { run: run.clone() })
        } else {
            Ok(())
        }
    }

    fn owner(&self, run: &RunId) -> Option<u64> {
        self.runs.get(run).map(|run| run.epoch)
    }

    fn settle(&mut self, id: RequestId, fence: Fence) {
        let Some(request) = self.inbox.get(&id) else {
            return;
        };
        if self.owner(&request.run) == Some(fence.epoch) {
            self.inbox.remove(&id);
        }
    }

    fn put_draft(&mut self, draft: &Draft, fence: Fence) {
        if self.owner(&draft.run) != Some(fence.epoch) {
            return;
        }
        let key = (draft.run.clone(), draft.key.clone());
        if draft.bytes.is_some() {
            self.drafts.insert(key, draft.clone());
        } else {
            self.drafts.remove(&key);
        }
    }

    fn apply(&mut self, append: &Append, fence: Fence) {
        let end = StoredStatus {
            status: append.status().clone(),
            updated_at: append.updated_at(),
            last_seq: append.last(),
            head: append.head(),
            status_hash: append.status_hash(),
        };
        if let Some(new) = append.genesis() {
            let run = RunState {
                new: new.clone(),
                epoch: fence.epoch,
                genesis: new.hash(),
                end: end.clone(),
                rows: Vec::new(),
                contents: BTreeMap::new(),
            };
            self.runs.insert(append.run().clone(), run);
        }
        if let Some(run) = self.runs.get_mut(append.run()) {
            run.end = end;
            append.rows().iter().for_each(|row| run.push(row));
        }
    }
}

impl RunState {
    fn push(&mut self, row: &SealedRow) {
        for ((content, hash), part) in row.parts().zip(0..) {
            self.contents
                .entry(content.id)
                .or_default()
                .push(StoredPart {
                    content: content.clone(),
                    seq: row.seq(),
                    part,
                    hash,
                });
        }
        self.rows.push(JournalRow {
            row: StoredRow {
                seq: row.seq(),
                at: row.at(),
                payload: row.payload().into(),
            },
            outline: RowOutline {
                seq: row.seq(),
                contents: row.contents().iter().map(|part| part.id).collect(),
                content_hash: row.content_hash(),
                hash: row.hash(),
            },
        });
    }

    fn load(&self) -> Result<StoredRun, StoreError> {
        let mut check = ChainCheck::begin(&self.new, self.genesis)?;
        for JournalRow { row, outline } in &self.rows {
            check.row(row, outline.content_hash, outline.hash)?;
        }
        Ok(StoredRun {
            new: self.new.clone(),
            status: self.end.status.clone(),
            updated_at: self.end.updated_at,
            rows: self.rows.iter().map(|row| row.row.clone()).collect(),
            chain: check.finish(&self.end)?,
        })
    }

    fn load_after(&self, chain: &Chain) -> Result<StoredTail, StoreError> {
        let mut check = ChainCheck::after(chain.clone());
        // Rows that are missing before leave the positions of the others as they are.
        let new = self
            .rows
            .partition_point(|row| row.row.seq < chain.next_seq());
        let new = &self.rows[new..];
        for JournalRow { row, outline } in new {
            check.row(row, outline.content_hash, outline.hash)?;
        }
        Ok(StoredTail {
            status: self.end.status.clone(),
            updated_at: self.end.updated_at,
            rows: new.iter().map(|row| row.row.clone()).collect(),
            chain: check.finish(&self.end)?,
        })
    }

    fn line(&self) -> RunRow {
        RunRow {
            run: self.new.run.clone(),
            title: self.new.title.clone(),
            created_at: self.new.created_at,
            updated_at: self.end.updated_at,
            last_seq: self.end.last_seq,
            status: self.end.status.clone(),
            epoch: self.epoch,
            is_damaged: !(self.end).is_line_as_written(
                &self.new.run,
                &self.new.title,
                self.new.created_at,
            ),
        }
    }

    fn tamper(&mut self, damage: &Tamper) -> bool {
        match damage {
            Tamper::Payload { seq, .. } => {
                let row = self.rows.iter_mut().find(|row| row.row.seq == *seq);
                row.map(|row| row.row.payload.push(' ')).is_some()
            }
            Tamper::DropRow { seq, .. } => {
                let before = self.rows.len();
                self.rows.retain(|row| row.row.seq != *seq);
                self.rows.len() < before
            }
            Tamper::Content { id, .. } => {
                let part = self
                    .contents
                    .get_mut(id)
                    .and_then(|parts| parts.first_mut());
                let change = |stored: &mut StoredPart| {
                    let bytes = stored.content.bytes.as_ref();
                    stored.content.bytes = [bytes, b"!"].concat().into();
                };
                part.map(change).is_some()
            }
            Tamper::DropContent { id, .. } => self.contents.remove(id).is_some(),
            Tamper::Header { .. } => {
                self.new.header = [self.new.header.as_ref(), b" "].concat().into();
                true
            }
            Tamper::Head { .. } => {
                self.end.head = ChainHash::from_bytes([0; 32]);
                true
            }
            Tamper::Status { .. } => {
                self.end.status.state.push('!');
                true
            }
        }
    }
}
