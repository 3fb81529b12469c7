//! Fixtures of the cases: short ways to seal and commit, and checks that report the difference.

use std::fmt::Debug;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

use zeph_graph::{ContentId, RunId, Timestamp};

use super::Harness;
use crate::chain::Chain;
use crate::error::StoreError;
use crate::row::{Content, ContentKind, Row};
use crate::run::{NewRun, RunStatus};
use crate::store::{Commit, Fence, RawGraphStore};

/// An open store with a claimed epoch.
pub(super) struct ClaimedStore {
    pub(super) store: Arc<dyn RawGraphStore>,
    pub(super) fence: Fence,
}

impl ClaimedStore {
    pub(super) async fn open(harness: &dyn Harness, place: &str) -> Result<Self, String> {
        let store = done("open", harness.open(place).await)?;
        let fence = done("claim", store.claim("conformance", at(0)).await)?;
        Ok(Self { store, fence })
    }

    pub(super) async fn commit(&self, commit: Commit) -> Result<(), StoreError> {
        self.store.commit(&commit, self.fence).await
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
        let append = chain
            .seal((1..=rows).map(row).collect(), status)
            .creating(new);
        done("create", self.commit(Commit::one(append)).await)?;
        Ok(chain)
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
    match result {
        Err(error) if error.kind() == kind => Ok(()),
        Err(error) => Err(format!(
            "{what}: expected an error of kind {kind}, got: {error}"
        )),
        Ok(value) => Err(format!(
            "{what}: expected an error of kind {kind}, got {value:?}"
        )),
    }
}

pub(super) fn same<T: PartialEq + Debug>(what: &str, got: &T, expected: &T) -> Result<(), String> {
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
