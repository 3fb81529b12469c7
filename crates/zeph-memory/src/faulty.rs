//! A store that fails on command, stricter than real ones: for tests of whoever uses a store.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use tokio::sync::{OwnedRwLockWriteGuard, RwLock};
use zeph_graph::{ContentId, RunId, Timestamp};

use crate::error::StoreError;
use crate::row::Content;
use crate::run::{ListQuery, Request, RequestId, RunRow, StoredRun};
use crate::store::{Commit, Fence, Outline, RawGraphStore};

/// One method of a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "each is the method of that name")]
#[non_exhaustive]
pub enum Op {
    Claim,
    Adopt,
    Commit,
    Load,
    Contents,
    Outline,
    Get,
    List,
    Post,
    Inbox,
    Delete,
}

/// One call, as the script sees it before it happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Call {
    /// The method.
    pub op: Op,
    /// Which call of that method it is: 1, 2, 3…
    pub nth: u64,
    /// Which call of the store it is: 1, 2, 3…
    pub total: u64,
}

/// How a call fails. A store is atomic, so no fault leaves half of a commit behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// It fails as [`StoreError::Io`], and nothing is done.
    Before,
    /// It is done, and fails as [`StoreError::Io`] all the same.
    After,
    /// It fails as [`StoreError::Full`], and nothing is done.
    Full,
    /// It fails as [`StoreError::Busy`], and nothing is done.
    Busy,
    /// Somebody else adopts the runs that a commit continues just before it; then it is tried, and
    /// refused if there are any. Calls of other methods go on undisturbed.
    Fenced,
}

type Script = Box<dyn FnMut(Call) -> Option<Fault> + Send>;

/// Wraps a store and fails as a script says.
///
/// After an I/O failure of a commit, every later commit fails as [`StoreError::Broken`] until the
/// store is claimed again: who retries a failed write as if nothing had happened is found out.
///
/// # Examples
/// ```
/// use zeph_graph::Timestamp;
/// use zeph_memory::{Commit, Fault, FaultyStore, MemoryStore, Op, RawGraphStore, StoreError};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), StoreError> {
/// let store = FaultyStore::new(MemoryStore::new());
/// let fence = store.claim("example", Timestamp::ZERO).await?;
/// store.fail(Op::Commit, 1, Fault::Before);
/// assert!(matches!(store.commit(Commit::default(), fence).await, Err(StoreError::Io { .. })));
/// assert!(matches!(store.commit(Commit::default(), fence).await, Err(StoreError::Broken { .. })));
/// let fence = store.claim("example", Timestamp::ZERO).await?;
/// store.commit(Commit::default(), fence).await?;
/// assert_eq!(store.calls(Op::Commit), 3);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct FaultyStore<S> {
    inner: S,
    control: Arc<Mutex<Control>>,
    gate: Arc<RwLock<()>>,
}

#[derive(Default)]
struct Control {
    counts: BTreeMap<Op, u64>,
    total: u64,
    planned: BTreeMap<(Op, u64), Fault>,
    script: Option<Script>,
    broken: bool,
}

impl<S: RawGraphStore> FaultyStore<S> {
    /// Wraps a store. Without a plan or a script nothing fails.
    #[must_use]
    pub fn new(inner: S) -> Self {
        Self {
            inner,
            control: Arc::default(),
            gate: Arc::default(),
        }
    }

    /// Asks the script before every call. It replaces an earlier script.
    #[must_use]
    pub fn with_script(self, script: impl FnMut(Call) -> Option<Fault> + Send + 'static) -> Self {
        self.control().script = Some(Box::new(script));
        self
    }

    /// Lets the call of that number fail, counted per method from 1 over the life of the store.
    pub fn fail(&self, op: Op, nth: u64, fault: Fault) {
        self.control().planned.insert((op, nth), fault);
    }

    /// Lets the next call of a method fail.
    pub fn fail_next(&self, op: Op, fault: Fault) {
        let next = self.calls(op) + 1;
        self.fail(op, next, fault);
    }

    /// Forgets the plan and the script. A broken store stays broken until it is claimed.
    pub fn heal(&self) {
        let mut control = self.control();
        control.planned.clear();
        control.script = None;
    }

    /// How often a method was called, failed calls included.
    #[must_use]
    pub fn calls(&self, op: Op) -> u64 {
        self.control().counts.get(&op).copied().unwrap_or(0)
    }

    /// Holds back all commits until the guard is dropped; waits for those under way.
    ///
    /// A commit is counted when it is called, before it is held back.
    pub async fn hold_commits(&self) -> OwnedRwLockWriteGuard<()> {
        Arc::clone(&self.gate).write_owned().await
    }

    /// The store below, which does not fail.
    pub const fn inner(&self) -> &S {
        &self.inner
    }

    fn control(&self) -> MutexGuard<'_, Control> {
        self.control.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn count(&self, op: Op) -> Option<Fault> {
        let mut control = self.control();
        control.total += 1;
        let total = control.total;
        let nth = control.counts.entry(op).or_default();
        *nth += 1;
        let call = Call {
            op,
            nth: *nth,
            total,
        };
        let planned = control.planned.remove(&(op, call.nth));
        planned.or_else(|| control.script.as_mut().and_then(|script| script(call)))
    }

    /// What happens before the call below; the answer says whether it fails after being done.
    async fn before(&self, op: Op, fault: Option<Fault>) -> Result<(), StoreError> {
        match fault {
            Some(Fault::Before) => Err(injected(op)),
            Some(Fault::Full) => Err(StoreError::Full {
                source: cause(io::ErrorKind::StorageFull),
            }),
            Some(Fault::Busy) => Err(StoreError::Busy {
                source: cause(io::ErrorKind::ResourceBusy),
            }),
            Some(Fault::Fenced | Fault::After) | None => Ok(()),
        }
    }

    /// Takes over the runs that a commit continues.
    async fn intrude(&self, commit: &Commit) -> Result<(), StoreError> {
        let intruder = self.inner.claim("an intruder", Timestamp::ZERO).await?;
        let continued = commit
            .appends
            .iter()
            .filter(|append| append.genesis().is_none());
        for append in continued {
            match self.inner.adopt(append.run(), intruder).await {
                // It is created by this commit, or there is no such run.
                Err(StoreError::NotFound { .. }) => {}
                result => result?,
            }
        }
        Ok(())
    }

    /// One call with its fault, around the call below.
    async fn around<T>(
        &self,
        op: Op,
        fault: Option<Fault>,
        call: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        self.before(op, fault).await?;
        let done = call.await?;
        if fault == Some(Fault::After) {
            Err(injected(op))
        } else {
            Ok(done)
        }
    }
}

#[async_trait]
impl<S: RawGraphStore> RawGraphStore for FaultyStore<S> {
    async fn claim(&self, owner: &str, at: Timestamp) -> Result<Fence, StoreError> {
        let fault = self.count(Op::Claim);
        let fence = self
            .around(Op::Claim, fault, self.inner.claim(owner, at))
            .await?;
        self.control().broken = false;
        Ok(fence)
    }

    async fn adopt(&self, run: &RunId, fence: Fence) -> Result<(), StoreError> {
        let fault = self.count(Op::Adopt);
        self.around(Op::Adopt, fault, self.inner.adopt(run, fence))
            .await
    }

    async fn commit(&self, commit: Commit, fence: Fence) -> Result<(), StoreError> {
        let fault = self.count(Op::Commit);
        let _open = self.gate.read().await;
        if self.control().broken {
            return Err(StoreError::Broken {
                what: "an injected failure of a commit".into(),
            });
        }
        if fault == Some(Fault::Fenced) {
            self.intrude(&commit).await?;
        }
        let result = self
            .around(Op::Commit, fault, self.inner.commit(commit, fence))
            .await;
        if matches!(result, Err(StoreError::Io { .. })) {
            self.control().broken = true;
        }
        result
    }

    async fn load(&self, run: &RunId) -> Result<StoredRun, StoreError> {
        let fault = self.count(Op::Load);
        self.around(Op::Load, fault, self.inner.load(run)).await
    }

    async fn contents(&self, run: &RunId, ids: &[ContentId]) -> Result<Vec<Content>, StoreError> {
        let fault = self.count(Op::Contents);
        self.around(Op::Contents, fault, self.inner.contents(run, ids))
            .await
    }

    async fn outline(&self, run: &RunId) -> Result<Outline, StoreError> {
        let fault = self.count(Op::Outline);
        self.around(Op::Outline, fault, self.inner.outline(run))
            .await
    }

    async fn get(&self, run: &RunId) -> Result<RunRow, StoreError> {
        let fault = self.count(Op::Get);
        self.around(Op::Get, fault, self.inner.get(run)).await
    }

    async fn list(&self, query: ListQuery) -> Result<Vec<RunRow>, StoreError> {
        let fault = self.count(Op::List);
        self.around(Op::List, fault, self.inner.list(query)).await
    }

    async fn post(&self, run: &RunId, at: Timestamp, body: &str) -> Result<RequestId, StoreError> {
        let fault = self.count(Op::Post);
        self.around(Op::Post, fault, self.inner.post(run, at, body))
            .await
    }

    async fn inbox(&self) -> Result<Vec<Request>, StoreError> {
        let fault = self.count(Op::Inbox);
        self.around(Op::Inbox, fault, self.inner.inbox()).await
    }

    async fn delete(&self, run: &RunId, fence: Fence) -> Result<(), StoreError> {
        let fault = self.count(Op::Delete);
        self.around(Op::Delete, fault, self.inner.delete(run, fence))
            .await
    }
}

impl<S: fmt::Debug> fmt::Debug for FaultyStore<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FaultyStore")
            .field("inner", &self.inner)
            .finish_non_exhaustive()
    }
}

fn injected(op: Op) -> StoreError {
    StoreError::io(
        format!("{op:?} (injected)"),
        io::Error::other("injected failure"),
    )
}

fn cause(kind: io::ErrorKind) -> Box<dyn std::error::Error + Send + Sync> {
    Box::new(io::Error::from(kind))
}
