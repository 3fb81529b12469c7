//! Fixtures of the cases: short ways to seal, commit and read, and checks that report the difference.

use std::fmt::Debug;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

use zeph_graph::{ContentId, RunId, Timestamp};

use super::{Harness, Tamper};
use crate::chain::{Append, Chain};
use crate::error::StoreError;
use crate::row::{Content, ContentKind, Row};
use crate::run::{ListQuery, NewRun, Request, RequestId, RunRow, RunStatus};
use crate::store::{Commit, Fence, RawGraphStore, StoredRun};
use crate::verify::{Verified, verify};

/// The place of a case, where it opens its stores.
#[derive(Clone, Copy)]
pub(super) struct Place<'a> {
    pub(super) harness: &'a dyn Harness,
    pub(super) name: &'a str,
}

impl Place<'_> {
    pub(super) async fn open(self) -> Result<ClaimedStore, String> {
        let store = done("open", self.harness.open(self.name).await)?;
        let fence = done("claim", store.claim("conformance", at(0)).await)?;
        Ok(ClaimedStore { store, fence })
    }

    pub(super) async fn tamper(self, damage: &Tamper) -> Option<bool> {
        self.harness.tamper(self.name, damage).await
    }
}

/// An open store with a claimed epoch. The methods that return a text as their error are expected to
/// succeed.
pub(super) struct ClaimedStore {
    pub(super) store: Arc<dyn RawGraphStore>,
    pub(super) fence: Fence,
}

impl ClaimedStore {
    pub(super) async fn commit(&self, commit: Commit) -> Result<(), StoreError> {
        self.store.commit(&commit, self.fence).await
    }

    pub(super) async fn append(&self, append: Append) -> Result<(), StoreError> {
        self.commit(Commit::one(append)).await
    }

    /// Commits rows to a run that continues.
    pub(super) async fn write(&self, chain: &mut Chain, rows: Vec<Row>) -> Result<(), String> {
        done("commit", self.append(running(chain, rows)).await)
    }

    /// Settles requests, without an append.
    pub(super) async fn settle(&self, settled: Vec<RequestId>) -> Result<(), String> {
        let commit = Commit {
            settled,
            ..Commit::default()
        };
        done("settle", self.commit(commit).await)
    }

    /// Creates an open run with that many rows.
    pub(super) async fn create(&self, name: &str, rows: u64) -> Result<Chain, String> {
        self.create_at(name, 1, rows, RunStatus::open("running"))
            .await
    }

    pub(super) async fn create_at(
        &self,
        name: &str,
        created: u64,
        rows: u64,
        status: RunStatus,
    ) -> Result<Chain, String> {
        let new = new_run(name, created)?;
        let mut chain = Chain::genesis(&new);
        let rows = (1..=rows).map(row).collect();
        let append = chain.seal(rows, status).creating(new);
        done("create", self.append(append).await)?;
        Ok(chain)
    }

    /// Adopts a run from the epoch that owns it, as if that had just ended.
    pub(super) async fn adopt(&self, run: &RunId) -> Result<(), String> {
        let row = done("get", self.store.get(run).await)?;
        let owner = Fence { epoch: row.epoch };
        done("release", self.store.release(owner).await)?;
        done("adopt", self.store.adopt(run, row.epoch, self.fence).await)
    }

    pub(super) async fn load(&self, run: &RunId) -> Result<StoredRun, String> {
        done("load", self.store.load(run).await)
    }

    pub(super) async fn contents(
        &self,
        run: &RunId,
        ids: &[ContentId],
    ) -> Result<Vec<Content>, String> {
        done("contents", self.store.contents(run, ids).await)
    }

    pub(super) async fn get(&self, run: &RunId) -> Result<RunRow, String> {
        done("get", self.store.get(run).await)
    }

    pub(super) async fn list(&self, query: ListQuery) -> Result<Vec<RunRow>, String> {
        done("list", self.store.list(query).await)
    }

    pub(super) async fn post(
        &self,
        run: &RunId,
        micros: u64,
        body: &str,
    ) -> Result<RequestId, String> {
        done("post", self.store.post(run, at(micros), body).await)
    }

    pub(super) async fn inbox(&self, run: &RunId) -> Result<Vec<Request>, String> {
        done("inbox", self.store.inbox(run).await)
    }

    pub(super) async fn verify(&self, run: &RunId) -> Result<Verified, String> {
        done("verify", verify(&*self.store, run).await)
    }

    /// Checks that the store has exactly the rows of this chain.
    pub(super) async fn has(&self, chain: &Chain) -> Result<(), String> {
        let stored = self.load(chain.run()).await?;
        same(&format!("run {}", chain.run()), &stored.chain, chain)
    }

    /// Checks that an append is refused with an error of that kind.
    pub(super) async fn refuses(
        &self,
        what: &str,
        kind: &str,
        append: Append,
    ) -> Result<(), String> {
        refused(what, kind, self.append(append).await)
    }
}

pub(super) const fn at(micros: u64) -> Timestamp {
    Timestamp::from_micros(1_700_000_000_000_000 + micros)
}

pub(super) fn run_id(name: &str) -> Result<RunId, String> {
    name.parse().map_err(|error| format!("{error}"))
}

pub(super) fn content_id(number: u32) -> Result<ContentId, String> {
    ContentId::new(number).ok_or_else(|| "a content id of 0".into())
}

pub(super) fn new_run(name: &str, created: u64) -> Result<NewRun, String> {
    Ok(NewRun::new(
        run_id(name)?,
        format!("Run {name}"),
        at(created),
        r#"{"graph":{"tasks":[]}}"#,
    ))
}

/// A row that differs from those with other numbers.
pub(super) fn row(number: u64) -> Row {
    Row::new(
        at(number),
        format!(r#"{{"type":"started","task":{number},"attempt":1}}"#),
    )
}

/// Seals rows of a run that continues.
pub(super) fn running(chain: &mut Chain, rows: Vec<Row>) -> Append {
    chain.seal(rows, RunStatus::open("running"))
}

/// Seals one more row of a run that continues.
pub(super) fn next(chain: &mut Chain) -> Append {
    let number = chain.next_seq().get();
    running(chain, vec![row(number)])
}

pub(super) fn group(appends: impl IntoIterator<Item = Append>) -> Commit {
    let appends = appends.into_iter().collect();
    let settled = Vec::new();
    Commit {
        appends,
        settled,
        ..Commit::default()
    }
}

pub(super) fn output(id: u32, bytes: impl Into<bytes::Bytes>) -> Result<Content, String> {
    Ok(Content::new(content_id(id)?, ContentKind::OUTPUT, bytes))
}

/// The value, or an error that names the failed operation.
pub(super) fn done<T>(what: &str, result: Result<T, StoreError>) -> Result<T, String> {
    result.map_err(|error| format!("{what}: unexpected error: {error}"))
}

/// Checks that the call failed with an error of that kind.
pub(super) fn refused<T: Debug>(
    what: &str,
    kind: &str,
    result: Result<T, StoreError>,
) -> Result<(), String> {
    let found = match result {
        Err(error) if error.kind() == kind => return Ok(()),
        Err(error) => error.to_string(),
        Ok(value) => format!("{value:?}"),
    };
    Err(format!(
        "{what}: expected an error of kind {kind}, got: {found}"
    ))
}

#[expect(clippy::needless_pass_by_value, reason = "most values are temporary")]
pub(super) fn same<T: PartialEq<U> + Debug, U: Debug>(
    what: &str,
    got: T,
    expected: U,
) -> Result<(), String> {
    if got == expected {
        Ok(())
    } else {
        Err(format!("{what}: expected {expected:?}, got {got:?}"))
    }
}

pub(super) fn holds(what: &str, truth: bool) -> Result<(), String> {
    if truth {
        Ok(())
    } else {
        Err(format!("not so: {what}"))
    }
}

/// Drives two futures at once, in one task.
pub(super) async fn both<A: Future, B: Future>(a: A, b: B) -> (A::Output, B::Output) {
    let (mut a, mut b) = (pin!(a), pin!(b));
    let (mut first, mut second) = (None, None);
    poll_fn(move |cx| {
        if first.is_none()
            && let Poll::Ready(value) = a.as_mut().poll(cx)
        {
            first = Some(value);
        }
        if second.is_none()
            && let Poll::Ready(value) = b.as_mut().poll(cx)
        {
            second = Some(value);
        }
        match (first.take(), second.take()) {
            (Some(a), Some(b)) => Poll::Ready((a, b)),
            (a, b) => {
                (first, second) = (a, b);
                Poll::Pending
            }
        }
    })
    .await
}
