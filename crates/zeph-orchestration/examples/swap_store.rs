//! Another store: one changed line stores the same run in memory or in a database.
//!
//! `cargo run -p zeph-orchestration --features planner,sqlite --example swap_store`

#![allow(clippy::print_stdout)] // An example shows what it did.

use std::error::Error;
use std::path::Path;
use std::sync::Arc;

use zeph_orchestration::llm::{Reply, ScriptedProvider};
use zeph_orchestration::store::SqliteStore;
use zeph_orchestration::store::{MemoryStore, RawGraphStore};
use zeph_orchestration::{Confirm, Orchestrator, OrchestratorError, RunResults};

const PLAN: &str = r#"{"reasoning": "One step will do.", "tasks": [
    {"name": "write", "needs": [], "kind": "agent", "prompt": "One line about autumn."}]}"#;

fn orchestrator(store: Arc<dyn RawGraphStore>) -> Result<Orchestrator, OrchestratorError> {
    let model = ScriptedProvider::new("script")
        .then(Reply::text(PLAN))
        .then(Reply::text("Leaves fall."))
        .then(Reply::text("Leaves fall in autumn [write]."));
    Orchestrator::builder()
        .model(Arc::new(model))
        .confirm(Confirm::Never)
        .store(store) // This line is the store; scheduler and engine do not know which it is.
        .build()
}

/// The results of a run in memory, and those of one in a file, which a second store reads.
async fn work(file: &Path) -> Result<(RunResults, RunResults), Box<dyn Error>> {
    let here = orchestrator(Arc::new(MemoryStore::new()))?;
    let here = here.run("A line about autumn").await?.into_results();

    let kept = orchestrator(Arc::new(SqliteStore::open(file).await?))?;
    let run = kept.run("A line about autumn").await?.results().run.clone();
    drop(kept);
    let again = orchestrator(Arc::new(SqliteStore::open(file).await?))?;
    Ok((here, again.results(&run).await?))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let (here, kept) = work(&folder.path().join("runs.db")).await?;
    for report in [here, kept] {
        let answer = report
            .answer
            .as_ref()
            .map(|answer| &*answer.text)
            .unwrap_or_default();
        println!("{}: {answer}", report.run);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #[tokio::test]
    async fn both_stores_hold_the_same_answer() {
        let folder = tempfile::tempdir().expect("a folder");
        let reports = super::work(&folder.path().join("runs.db")).await;
        let (here, kept) = reports.expect("both run");
        assert!(here.answer.is_some());
        assert_eq!(here.answer, kept.answer);
    }
}
