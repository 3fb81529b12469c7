//! The store: each call reads the log, or appends one line to it.

use std::path::Path;

use tokio::sync::{Mutex, MutexGuard};
use zeph_orchestration::executor::async_trait;
use zeph_orchestration::graph::RunId;
use zeph_orchestration::journal::{ContentId, Timestamp};
use zeph_orchestration::store::{
    Chain, Commit, Content, Draft, Fence, KeyedResult, ListQuery, Outline, RawGraphStore, Request,
    RequestId, ResultKey, RunRow, StoreError, StoredRun, StoredTail,
};

use crate::line::Line;
use crate::log::Log;

/// A store in a file.
pub(crate) struct FileStore(Mutex<Log>);

impl FileStore {
    pub(crate) async fn open(path: &Path) -> Result<Self, StoreError> {
        Ok(Self(Mutex::new(Log::open(path).await?)))
    }

    /// The log after reading new lines, for a reader.
    async fn look(&self) -> Result<MutexGuard<'_, Log>, StoreError> {
        let mut log = self.0.lock().await;
        drop(log.enter().await?);
        Ok(log)
    }
}

// The calls of the memory store never wait, so no call here yields once it has the log: a dropped future
// has either completed its operation or not begun it.
#[async_trait]
impl RawGraphStore for FileStore {
    async fn claim(&self, owner: &str, at: Timestamp) -> Result<Fence, StoreError> {
        let mut log = self.0.lock().await;
        let file = log.enter_anew().await?;
        let fence = log.state.claim(owner, at).await?;
        log.write(&file, &Line::Claim(owner.into(), at.as_micros()))?;
        Ok(fence)
    }
    async fn adopt(&self, run: &RunId, former: u64, fence: Fence) -> Result<(), StoreError> {
        let mut log = self.0.lock().await;
        let file = log.enter_to_write().await?;
        log.state.adopt(run, former, fence).await?;
        log.write(&file, &Line::Adopt(run.to_string(), fence.epoch))
    }
    async fn commit(&self, commit: &Commit, fence: Fence) -> Result<(), StoreError> {
        let mut log = self.0.lock().await;
        let file = log.enter_to_write().await?;
        let line = Line::commit(commit, fence);
        log.accept(commit, fence).await?;
        log.write(&file, &line)
    }
    async fn load(&self, run: &RunId) -> Result<StoredRun, StoreError> {
        let log = self.look().await?;
        log.check_sound(run)?;
        log.state.load(run).await
    }
    async fn load_after(&self, chain: &Chain) -> Result<StoredTail, StoreError> {
        let log = self.look().await?;
        log.check_sound(chain.run())?;
        log.state.load_after(chain).await
    }
    async fn contents(&self, run: &RunId, ids: &[ContentId]) -> Result<Vec<Content>, StoreError> {
        let log = self.look().await?;
        log.check_sound(run)?;
        log.state.contents(run, ids).await
    }
    async fn outline(&self, run: &RunId) -> Result<Outline, StoreError> {
        let log = self.look().await?;
        log.check_sound(run)?;
        log.state.outline(run).await
    }
    async fn get(&self, run: &RunId) -> Result<RunRow, StoreError> {
        self.look().await?.state.get(run).await
    }
    async fn list(&self, query: ListQuery) -> Result<Vec<RunRow>, StoreError> {
        self.look().await?.state.list(query).await
    }
    async fn post(&self, run: &RunId, at: Timestamp, body: &str) -> Result<RequestId, StoreError> {
        let mut log = self.0.lock().await;
        let file = log.enter_to_write().await?;
        let id = log.state.post(run, at, body).await?;
        let line = Line::Post(run.to_string(), at.as_micros(), body.into());
        log.write(&file, &line)?;
        Ok(id)
    }
    async fn find(&self, prefix: &str, limit: u32) -> Result<Vec<RunId>, StoreError> {
        self.look().await?.state.find(prefix, limit).await
    }
    async fn inbox(&self, run: &RunId) -> Result<Vec<Request>, StoreError> {
        self.look().await?.state.inbox(run).await
    }
    async fn drafts(&self, run: &RunId, prefix: &str) -> Result<Vec<Draft>, StoreError> {
        self.look().await?.state.drafts(run, prefix).await
    }
    async fn result(&self, key: &ResultKey) -> Result<Option<KeyedResult>, StoreError> {
        self.look().await?.state.result(key).await
    }
    async fn delete_all(&self, runs: &[RunId], fence: Fence) -> Result<Vec<RunId>, StoreError> {
        let mut log = self.0.lock().await;
        let file = log.enter_to_write().await?;
        let deleted = log.delete(runs, fence).await?;
        let names = deleted.iter().map(RunId::to_string).collect();
        log.write(&file, &Line::Delete(names, fence.epoch))?;
        Ok(deleted)
    }
}
