//! The suite passes on the stores of this crate, and fails on stores that break the contract.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use zeph_graph::{ContentId, RunId, Timestamp};
use zeph_memory::conformance::{Harness, Outcome, Tamper, run_all};
use zeph_memory::{
    Chain, Commit, Content, Draft, FaultyStore, Fence, KeyedResult, Lease, ListQuery, MemoryStore,
    Outline, RawGraphStore, Request, RequestId, ResultKey, RunRow, StoreError, StoredRun,
    StoredTail,
};

type Wrap = Box<dyn Fn(MemoryStore) -> Arc<dyn RawGraphStore> + Send + Sync>;

/// One memory store for each place, wrapped each time it is opened.
struct Places {
    stores: Mutex<BTreeMap<String, MemoryStore>>,
    wrap: Wrap,
}

impl Places {
    fn new(wrap: impl Fn(MemoryStore) -> Arc<dyn RawGraphStore> + Send + Sync + 'static) -> Self {
        Self {
            stores: Mutex::default(),
            wrap: Box::new(wrap),
        }
    }
}

#[async_trait]
impl Harness for Places {
    async fn open(&self, place: &str) -> Result<Arc<dyn RawGraphStore>, StoreError> {
        let mut stores = self.stores.lock().unwrap();
        Ok((self.wrap)(stores.entry(place.into()).or_default().clone()))
    }

    async fn tamper(&self, place: &str, damage: &Tamper) -> Option<bool> {
        Some(self.stores.lock().unwrap()[place].tamper(damage))
    }
}

#[tokio::test]
async fn the_memory_store_conforms() {
    let report = run_all(&Places::new(|store| Arc::new(store))).await;
    assert!(report.passed(), "{report}");
    assert!(
        report
            .cases
            .iter()
            .all(|(_, outcome)| *outcome == Outcome::Passed),
        "{report}"
    );
}

#[tokio::test]
async fn the_faulty_store_conforms_while_nothing_fails() {
    let report = run_all(&Places::new(|store| Arc::new(FaultyStore::new(store)))).await;
    assert!(report.passed(), "{report}");
}

/// How a store breaks the contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Break {
    /// Writes the appends of a commit one by one.
    Torn,
    /// Lets every owner write to every run.
    Unfenced,
    /// Gives all runs to the last claim.
    Jealous,
    /// Lets a run be adopted from any owner.
    Greedy,
    /// Settles requests to runs of other owners.
    Meddling,
    /// Does not return the owner of a run.
    Anonymous,
    /// Forgets to settle.
    Unsettled,
    /// The prefix of drafts is ignored.
    Prefixless,
    /// Finds no result by its key.
    Forgetful,
    /// Lists the oldest first.
    Backwards,
    /// Reports success for a refused delete.
    Careless,
    /// Deletes some of many runs before it refuses the others.
    Piecemeal,
    /// Reads all rows where those after a chain are asked for.
    Whole,
    /// Ignores the filter.
    Unfiltered,
    /// Loses the order of contents.
    Shuffled,
    /// Ignores the limit of a search.
    Unlimited,
    /// Returns the requests of all runs for each run.
    Shared,
    /// Keeps leases, and lets the runs of a living owner be adopted.
    Seizing,
}

struct Broken {
    inner: MemoryStore,
    how: Break,
}

#[async_trait]
impl RawGraphStore for Broken {
    async fn claim(&self, owner: &str, at: Timestamp) -> Result<Fence, StoreError> {
        let fence = self.inner.claim(owner, at).await?;
        if self.how == Break::Jealous {
            for row in self.inner.list(ListQuery::default()).await? {
                self.inner.adopt(&row.run, row.epoch, fence).await?;
            }
        }
        Ok(fence)
    }
    async fn adopt(&self, run: &RunId, former: u64, fence: Fence) -> Result<(), StoreError> {
        if self.how == Break::Greedy {
            let row = self.inner.get(run).await?;
            return self.inner.adopt(run, row.epoch, fence).await;
        }
        self.inner.adopt(run, former, fence).await
    }
    async fn lease(&self, epoch: u64) -> Result<Lease, StoreError> {
        if self.how == Break::Seizing {
            return Ok(Lease::Held {
                owner: "conformance".to_owned(),
                left: Duration::from_secs(30),
            });
        }
        self.inner.lease(epoch).await
    }
    async fn commit(&self, commit: &Commit, fence: Fence) -> Result<(), StoreError> {
        let mut commit = commit.clone();
        if self.how == Break::Unfenced {
            for append in &commit.appends {
                if let Ok(row) = self.inner.get(append.run()).await {
                    self.inner.adopt(&row.run, row.epoch, fence).await?;
                }
            }
        }
        if self.how == Break::Meddling {
            for row in self.inner.list(ListQuery::default()).await? {
                for request in self.inner.inbox(&row.run).await? {
                    if commit.settled.contains(&request.id) {
                        self.inner.adopt(&row.run, row.epoch, fence).await?;
                    }
                }
            }
        }
        if self.how == Break::Unsettled {
            commit.settled.clear();
        }
        if self.how == Break::Torn {
            for append in commit.appends.drain(..) {
                self.inner.commit(&Commit::one(append), fence).await?;
            }
        }
        self.inner.commit(&commit, fence).await
    }
    async fn load(&self, run: &RunId) -> Result<StoredRun, StoreError> {
        self.inner.load(run).await
    }
    async fn load_after(&self, chain: &Chain) -> Result<StoredTail, StoreError> {
        if self.how == Break::Whole {
            let all = self.inner.load(chain.run()).await?;
            return Ok(StoredTail {
                status: all.status,
                updated_at: all.updated_at,
                rows: all.rows,
                chain: all.chain,
            });
        }
        self.inner.load_after(chain).await
    }
    async fn contents(&self, run: &RunId, ids: &[ContentId]) -> Result<Vec<Content>, StoreError> {
        let mut parts = self.inner.contents(run, ids).await?;
        if self.how == Break::Shuffled {
            parts.sort_by(|a, b| (a.id, &a.name).cmp(&(b.id, &b.name)));
        }
        Ok(parts)
    }
    async fn outline(&self, run: &RunId) -> Result<Outline, StoreError> {
        self.inner.outline(run).await
    }
    async fn get(&self, run: &RunId) -> Result<RunRow, StoreError> {
        let mut row = self.inner.get(run).await?;
        if self.how == Break::Anonymous {
            row.epoch = 0;
        }
        Ok(row)
    }
    async fn list(&self, mut query: ListQuery) -> Result<Vec<RunRow>, StoreError> {
        if self.how == Break::Unfiltered {
            query.open = None;
        }
        let mut rows = self.inner.list(query).await?;
        if self.how == Break::Backwards {
            rows.reverse();
        }
        Ok(rows)
    }
    async fn post(&self, run: &RunId, at: Timestamp, body: &str) -> Result<RequestId, StoreError> {
        self.inner.post(run, at, body).await
    }
    async fn find(&self, prefix: &str, limit: u32) -> Result<Vec<RunId>, StoreError> {
        if self.how == Break::Unlimited {
            return self.inner.find(prefix, u32::MAX).await;
        }
        self.inner.find(prefix, limit).await
    }
    async fn inbox(&self, run: &RunId) -> Result<Vec<Request>, StoreError> {
        let mut all = Vec::new();
        if self.how == Break::Shared {
            for row in self.inner.list(ListQuery::default()).await? {
                all.extend(self.inner.inbox(&row.run).await?);
            }
            return Ok(all);
        }
        self.inner.inbox(run).await
    }
    async fn drafts(&self, run: &RunId, prefix: &str) -> Result<Vec<Draft>, StoreError> {
        if self.how == Break::Prefixless {
            return self.inner.drafts(run, "").await;
        }
        self.inner.drafts(run, prefix).await
    }
    async fn result(&self, key: &ResultKey) -> Result<Option<KeyedResult>, StoreError> {
        let found = self.inner.result(key).await?;
        Ok(found.filter(|_| self.how != Break::Forgetful))
    }
    async fn delete_all(&self, runs: &[RunId], fence: Fence) -> Result<Vec<RunId>, StoreError> {
        if self.how == Break::Piecemeal {
            let mut deleted = Vec::new();
            for run in runs {
                deleted.extend(
                    self.inner
                        .delete_all(std::slice::from_ref(run), fence)
                        .await?,
                );
            }
            return Ok(deleted);
        }
        let result = self.inner.delete_all(runs, fence).await;
        if self.how == Break::Careless {
            Ok(runs.to_vec())
        } else {
            result
        }
    }
}

#[tokio::test]
async fn stores_that_break_the_contract_fail_the_suite() {
    let expected = [
        (Break::Torn, "group_commit_is_atomic"),
        (Break::Torn, "a_group_with_a_foreign_run_is_refused_whole"),
        (Break::Unfenced, "adopting_fences_the_former_owner"),
        (Break::Jealous, "two_owners_commit_to_two_runs_at_once"),
        (
            Break::Greedy,
            "of_two_that_adopt_a_run_one_becomes_its_owner",
        ),
        (
            Break::Seizing,
            "an_open_run_stays_with_an_owner_that_has_a_lease",
        ),
        (Break::Meddling, "only_the_owner_settles"),
        (Break::Anonymous, "get_and_list_name_the_owner"),
        (Break::Unsettled, "settled_with_a_commit"),
        (Break::Prefixless, "drafts_are_replaced_and_removed"),
        (Break::Forgetful, "results_are_found_by_key"),
        (Break::Backwards, "newest_first"),
        (Break::Careless, "delete_ended_runs_only"),
        (
            Break::Piecemeal,
            "many_runs_are_deleted_together_or_not_at_all",
        ),
        (Break::Whole, "the_rows_after_a_chain"),
        (Break::Unfiltered, "open_filter"),
        (Break::Shuffled, "parts_keep_their_order"),
        (Break::Unlimited, "names_are_found_by_prefix"),
        (Break::Shared, "oldest_first_by_run"),
    ];
    for (how, case) in expected {
        let report = run_all(&Places::new(move |inner| Arc::new(Broken { inner, how }))).await;
        let outcome = report
            .cases
            .iter()
            .find(|(name, _)| *name == case)
            .map(|(_, outcome)| outcome);
        assert!(
            matches!(outcome, Some(Outcome::Failed(_))),
            "{how:?} was not caught by {case}:\n{report}"
        );
    }
}
