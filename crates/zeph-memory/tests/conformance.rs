//! The suite passes on the stores of this crate, and fails on stores that break the contract.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use zeph_graph::{ContentId, RunId, Timestamp};
use zeph_memory::conformance::{Harness, Outcome, Tamper, run_all};
use zeph_memory::{
    Commit, Content, FaultyStore, Fence, ListQuery, MemoryStore, Outline, RawGraphStore, Request,
    RequestId, RunRow, StoreError, StoredRun,
};

type Wrap = fn(MemoryStore) -> Arc<dyn RawGraphStore>;

/// One memory store for each place, wrapped anew each time it is opened.
struct Places {
    stores: Mutex<BTreeMap<String, MemoryStore>>,
    wrap: Wrap,
}

impl Places {
    fn new(wrap: Wrap) -> Self {
        Self {
            stores: Mutex::default(),
            wrap,
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
    /// Lets every fence pass.
    Unfenced,
    /// Forgets to settle.
    Unsettled,
    /// Lists the oldest first.
    Backwards,
    /// Deletes what is open.
    Careless,
    /// Ignores the filter.
    Unfiltered,
    /// Loses the order of contents.
    Shuffled,
}

struct Broken {
    inner: MemoryStore,
    how: Break,
}

#[async_trait]
impl RawGraphStore for Broken {
    async fn claim(&self, owner: &str, at: Timestamp) -> Result<Fence, StoreError> {
        self.inner.claim(owner, at).await
    }
    async fn commit(&self, mut commit: Commit, mut fence: Fence) -> Result<(), StoreError> {
        if self.how == Break::Unfenced {
            fence = self.inner.claim("anybody", Timestamp::ZERO).await?;
        }
        if self.how == Break::Unsettled {
            commit.settled.clear();
        }
        if self.how == Break::Torn {
            for append in commit.appends.drain(..) {
                self.inner.commit(Commit::one(append), fence).await?;
            }
        }
        self.inner.commit(commit, fence).await
    }
    async fn load(&self, run: &RunId) -> Result<StoredRun, StoreError> {
        self.inner.load(run).await
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
    async fn inbox(&self) -> Result<Vec<Request>, StoreError> {
        self.inner.inbox().await
    }
    async fn delete(&self, run: &RunId, fence: Fence) -> Result<(), StoreError> {
        let result = self.inner.delete(run, fence).await;
        if self.how == Break::Careless {
            Ok(())
        } else {
            result
        }
    }
}

#[tokio::test]
async fn stores_that_break_the_contract_are_caught() {
    let expected: [(Wrap, Break, &str); 7] = [
        (
            |inner| {
                Arc::new(Broken {
                    inner,
                    how: Break::Torn,
                })
            },
            Break::Torn,
            "group_commit_is_atomic",
        ),
        (
            |inner| {
                Arc::new(Broken {
                    inner,
                    how: Break::Unfenced,
                })
            },
            Break::Unfenced,
            "the_newest_fence_wins",
        ),
        (
            |inner| {
                Arc::new(Broken {
                    inner,
                    how: Break::Unsettled,
                })
            },
            Break::Unsettled,
            "settled_with_a_commit",
        ),
        (
            |inner| {
                Arc::new(Broken {
                    inner,
                    how: Break::Backwards,
                })
            },
            Break::Backwards,
            "newest_first",
        ),
        (
            |inner| {
                Arc::new(Broken {
                    inner,
                    how: Break::Careless,
                })
            },
            Break::Careless,
            "delete_ended_runs_only",
        ),
        (
            |inner| {
                Arc::new(Broken {
                    inner,
                    how: Break::Unfiltered,
                })
            },
            Break::Unfiltered,
            "open_filter",
        ),
        (
            |inner| {
                Arc::new(Broken {
                    inner,
                    how: Break::Shuffled,
                })
            },
            Break::Shuffled,
            "parts_keep_their_order",
        ),
    ];
    for (wrap, how, case) in expected {
        let report = run_all(&Places::new(wrap)).await;
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
