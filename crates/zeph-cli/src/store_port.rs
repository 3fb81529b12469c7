//! The store port of a `Database`: each call is passed to the file or the server.

use async_trait::async_trait;
use tokio::sync::mpsc;
use zeph_graph::{ContentId, RunId, Timestamp};
use zeph_memory::{
    Chain, Commit, Content, Draft, Fence, KeyedResult, Lease, ListQuery, News, Outline,
    RawGraphStore, Request, RequestId, ResultKey, RunRow, StoreError, StoredRun, StoredTail,
};

use crate::store::Database;

#[async_trait]
impl RawGraphStore for Database {
    async fn claim(&self, owner: &str, at: Timestamp) -> Result<Fence, StoreError> {
        (**self).claim(owner, at).await
    }

    async fn adopt(&self, run: &RunId, former: u64, fence: Fence) -> Result<(), StoreError> {
        (**self).adopt(run, former, fence).await
    }

    async fn lease(&self, epoch: u64) -> Result<Lease, StoreError> {
        (**self).lease(epoch).await
    }

    async fn release(&self, fence: Fence) -> Result<(), StoreError> {
        (**self).release(fence).await
    }

    async fn commit(&self, commit: &Commit, fence: Fence) -> Result<(), StoreError> {
        (**self).commit(commit, fence).await
    }

    async fn load(&self, run: &RunId) -> Result<StoredRun, StoreError> {
        (**self).load(run).await
    }

    async fn load_after(&self, chain: &Chain) -> Result<StoredTail, StoreError> {
        (**self).load_after(chain).await
    }

    async fn contents(&self, run: &RunId, ids: &[ContentId]) -> Result<Vec<Content>, StoreError> {
        (**self).contents(run, ids).await
    }

    async fn outline(&self, run: &RunId) -> Result<Outline, StoreError> {
        (**self).outline(run).await
    }

    async fn get(&self, run: &RunId) -> Result<RunRow, StoreError> {
        (**self).get(run).await
    }

    async fn list(&self, query: ListQuery) -> Result<Vec<RunRow>, StoreError> {
        (**self).list(query).await
    }

    async fn find(&self, prefix: &str, limit: u32) -> Result<Vec<RunId>, StoreError> {
        (**self).find(prefix, limit).await
    }

    async fn post(&self, run: &RunId, at: Timestamp, body: &str) -> Result<RequestId, StoreError> {
        (**self).post(run, at, body).await
    }

    async fn inbox(&self, run: &RunId) -> Result<Vec<Request>, StoreError> {
        (**self).inbox(run).await
    }

    async fn news(&self) -> Result<mpsc::Receiver<News>, StoreError> {
        (**self).news().await
    }

    async fn drafts(&self, run: &RunId, prefix: &str) -> Result<Vec<Draft>, StoreError> {
        (**self).drafts(run, prefix).await
    }

    async fn result(&self, key: &ResultKey) -> Result<Option<KeyedResult>, StoreError> {
        (**self).result(key).await
    }

    async fn delete_all(&self, runs: &[RunId], fence: Fence) -> Result<Vec<RunId>, StoreError> {
        (**self).delete_all(runs, fence).await
    }
}
