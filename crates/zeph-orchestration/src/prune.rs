//! Pruning: which ended runs are deleted, by age, number and end.

use std::collections::BTreeSet;
use std::time::Duration;

use zeph_graph::{RunId, Timestamp};
use zeph_memory::{ListQuery, RawGraphStore, RunRow, StoreError};

/// The runs that are read at a time.
const PAGE: u32 = 500;

/// The runs that are deleted in one commit: other writers wait for it.
const DELETED_AT_ONCE: usize = 100;

/// Which ended runs to delete: those that all fields select.
///
/// # Examples
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use zeph_orchestration::store::Prune;
/// use zeph_orchestration::{Orchestrator, TaskGraph};
/// let orchestrator = Orchestrator::builder().build()?;
/// for _ in 0..3 {
///     let mut graph = TaskGraph::new();
///     graph.add_task("only", []);
///     orchestrator.run(graph).await?;
/// }
/// let now = zeph_orchestration::journal::Timestamp::from_micros(u64::MAX);
/// let mut found = Prune { keep: 1, ..Prune::default() }.select(&**orchestrator.store(), now).await?;
/// assert_eq!(found.runs.len(), 2);
/// found.delete(&**orchestrator.store(), now).await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Prune {
    /// Only those that ended so long ago.
    pub older_than: Option<Duration>,
    /// Only those that are not among so many newest ones with the same `ends`.
    pub keep: usize,
    /// Only those with one of these ends, as [`RunEnd::word`](zeph_graph::RunEnd::word) gives them; all if
    /// there is none.
    pub ends: Vec<String>,
}

/// Runs that are selected.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Pruned {
    /// The runs, the newest first.
    pub runs: Vec<RunRow>,
    /// The number of ended runs that are left out because their lines are damaged: what they say is not known
    /// to be true.
    pub damaged: u64,
}

impl Prune {
    /// Finds the runs. Reads the list of all ended runs, and no journal.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub async fn select(
        &self,
        store: &dyn RawGraphStore,
        now: Timestamp,
    ) -> Result<Pruned, StoreError> {
        let (mut found, mut newer, mut before) = (Pruned::default(), 0, None);
        loop {
            let query = ListQuery {
                limit: PAGE,
                before,
                open: Some(false),
            };
            let page = store.list(query).await?;
            let Some(last) = page.last() else {
                return Ok(found);
            };
            before = Some(last.cursor());
            for row in page {
                if row.is_damaged {
                    found.damaged += 1;
                } else if self.ends.is_empty() || self.ends.contains(&row.status.state) {
                    newer += 1;
                    let age = now.since(row.updated_at);
                    if newer > self.keep && self.older_than.is_none_or(|least| age >= least) {
                        found.runs.push(row);
                    }
                }
            }
        }
    }
}

impl Pruned {
    /// Deletes the runs, a hundred in each commit. Afterwards `runs` has those that were deleted, also after
    /// an error.
    ///
    /// # Errors
    /// If the store cannot be written.
    pub async fn delete(
        &mut self,
        store: &dyn RawGraphStore,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let selected = std::mem::take(&mut self.runs);
        if selected.is_empty() {
            return Ok(());
        }
        let owner = format!("pid {} (prune)", std::process::id());
        let fence = store.claim(&owner, now).await?;
        for rows in selected.chunks(DELETED_AT_ONCE) {
            let runs: Vec<RunId> = rows.iter().map(|row| row.run.clone()).collect();
            // Another process may have deleted some of them.
            let gone = store.delete_all(&runs, fence).await?;
            let gone: BTreeSet<RunId> = gone.into_iter().collect();
            let deleted = rows.iter().filter(|row| gone.contains(&row.run));
            self.runs.extend(deleted.cloned());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use zeph_memory::{Chain, Commit, FaultyStore, MemoryStore, NewRun, Op, RunStatus, StoreFault};

    use super::*;

    /// A store with so many ended runs.
    async fn filled(runs: u64) -> FaultyStore<MemoryStore> {
        let store = FaultyStore::new(MemoryStore::new());
        let fence = store.claim("test", Timestamp::ZERO).await.unwrap();
        let mut commit = Commit::default();
        for number in 0..runs {
            let run = format!("run-{number}").parse().unwrap();
            let new = NewRun::new(run, "", Timestamp::from_micros(number), "{}");
            let append = Chain::genesis(&new).seal(Vec::new(), RunStatus::ended("completed"));
            commit.appends.push(append.creating(new));
        }
        store.commit(&commit, fence).await.unwrap();
        store
    }

    #[tokio::test]
    async fn a_hundred_runs_are_deleted_in_each_commit() {
        let store = filled(251).await;
        let now = Timestamp::from_micros(u64::MAX);
        let prune = Prune {
            keep: 1,
            ..Prune::default()
        };
        let mut found = prune.select(&store, now).await.unwrap();
        // One of them is deleted by another process meanwhile.
        let fence = store.claim("other", now).await.unwrap();
        let other: RunId = "run-7".parse().unwrap();
        store.delete(&other, fence).await.unwrap();
        let before = store.calls(Op::DeleteAll);
        found.delete(&store, now).await.unwrap();
        assert_eq!(store.calls(Op::DeleteAll) - before, 3);
        assert_eq!(found.runs.len(), 249);
        let left = store.list(ListQuery::default()).await.unwrap();
        assert_eq!(left.len(), 1);
    }

    #[tokio::test]
    async fn an_error_tells_which_runs_are_gone() {
        let store = filled(250).await;
        let now = Timestamp::from_micros(u64::MAX);
        let mut found = Prune::default().select(&store, now).await.unwrap();
        store.fail(Op::DeleteAll, 2, StoreFault::Before);
        found.delete(&store, now).await.unwrap_err();
        assert_eq!(found.runs.len(), 100);
        let query = ListQuery {
            limit: 500,
            ..ListQuery::default()
        };
        let left = store.list(query).await.unwrap();
        assert_eq!(left.len(), 150);
        let gone = |row: &RunRow| !left.iter().any(|other| other.run == row.run);
        assert!(found.runs.iter().all(gone));
    }
}
