//! Interim.
use zeph_graph::RunId;
use zeph_memory::*;
pub(crate) struct Row {
    pub(crate) status: RunStatus,
    pub(crate) epoch: u64,
}
#[async_trait::async_trait]
pub(crate) trait Interim {
    async fn get(&self, run: &RunId) -> Result<Row, StoreError>;
    async fn adopt(&self, run: &RunId, fence: Fence) -> Result<(), StoreError>;
}
#[async_trait::async_trait]
impl<T: RawGraphStore + ?Sized> Interim for T {
    async fn get(&self, run: &RunId) -> Result<Row, StoreError> {
        let s = self.load(run).await?;
        Ok(Row {
            status: s.status,
            epoch: 0,
        })
    }
    async fn adopt(&self, _: &RunId, _: Fence) -> Result<(), StoreError> {
        Ok(())
    }
}
