//! `FaultyStore`: wraps a store and injects faults, for tests of code that uses a store.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use tokio::sync::{OwnedRwLockWriteGuard, RwLock, mpsc};
use zeph_graph::{ContentId, RunId, Timestamp};

use crate::chain::Chain;
use crate::draft::Draft;
use crate::error::StoreError;
use crate::result::{KeyedResult, ResultKey};
use crate::row::Content;
use crate::run::{ListQuery, Request, RequestId, RunRow};
use crate::store::{Commit, Fence, Lease, News, Outline, RawGraphStore, StoredRun, StoredTail};

/// One method of a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "each is the method of that name")]
pub enum Op {
    Claim,
    Adopt,
    Lease,
    Release,
    Commit,
    Load,
    LoadAfter,
    Contents,
    Outline,
    Get,
    List,
    Find,
    Post,
    Inbox,
    News,
    Drafts,
    Result,
    DeleteAll,
}

/// How a call fails. A store is atomic, so no fault leaves a part of a commit behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StoreFault {
    /// The call fails as [`StoreError::Io`] and changes nothing.
    Before,
    /// The call takes effect and nevertheless fails as [`StoreError::Io`].
    After,
    /// The call fails as [`StoreError::Full`] and changes nothing.
    Full,
    /// The call fails as [`StoreError::Busy`] and changes nothing.
    Busy,
    /// The call fails as [`StoreError::TooLarge`] and changes nothing.
    TooLarge,
    /// Another owner adopts the runs that a commit continues just before the commit, which is then
    /// refused if it continues any. Other methods are not affected.
    Fenced,
}

type Script = Box<dyn FnMut(Op) -> Option<StoreFault> + Send>;

/// Wraps a store and injects faults by plan or by script.
///
/// After an I/O failure of a commit, every later commit fails as [`StoreError::Broken`] until the store
/// is claimed again, so a caller that retries a failed write is detected.
///
/// # Examples
/// ```
/// use zeph_graph::Timestamp;
/// use zeph_memory::{Commit, StoreFault, FaultyStore, MemoryStore, Op, RawGraphStore, StoreError};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), StoreError> {
/// let store = FaultyStore::new(MemoryStore::new());
/// let fence = store.claim("example", Timestamp::ZERO).await?;
/// store.fail(Op::Commit, 1, StoreFault::Before);
/// assert!(matches!(store.commit(&Commit::default(), fence).await, Err(StoreError::Io { .. })));
/// assert!(matches!(store.commit(&Commit::default(), fence).await, Err(StoreError::Broken { .. })));
/// let fence = store.claim("example", Timestamp::ZERO).await?;
/// store.commit(&Commit::default(), fence).await?;
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
    planned: BTreeMap<(Op, u64), StoreFault>,
    script: Option<Script>,
    broken: bool,
}

impl<S: RawGraphStore> FaultyStore<S> {
    /// Wraps a store. Without a plan or a script no call fails.
    #[must_use]
    pub fn new(inner: S) -> Self {
        Self {
            inner,
            control: Arc::default(),
            gate: Arc::default(),
        }
    }

    /// Calls the script before every call of the store.
    #[must_use]
    pub fn with_script(
        self,
        script: impl FnMut(Op) -> Option<StoreFault> + Send + 'static,
    ) -> Self {
        self.control().script = Some(Box::new(script));
        self
    }

    /// Makes the n-th call of a method fail, counted from 1 over the life of the store.
    pub fn fail(&self, op: Op, nth: u64, fault: StoreFault) {
        self.control().planned.insert((op, nth), fault);
    }

    /// Makes the next call of a method fail.
    pub fn fail_next(&self, op: Op, fault: StoreFault) {
        let next = self.calls(op) + 1;
        self.fail(op, next, fault);
    }

    /// The number of calls of a method, failed ones included.
    #[must_use]
    pub fn calls(&self, op: Op) -> u64 {
        self.control().counts.get(&op).copied().unwrap_or(0)
    }

    /// Blocks all commits until the guard is dropped; first waits for those in progress.
    ///
    /// A commit is counted when it is called, before it is blocked.
    pub async fn hold_commits(&self) -> OwnedRwLockWriteGuard<()> {
        Arc::clone(&self.gate).write_owned().await
    }

    /// The wrapped store, which does not fail.
    pub const fn inner(&self) -> &S {
        &self.inner
    }

    fn control(&self) -> MutexGuard<'_, Control> {
        self.control.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn count(&self, op: Op) -> Option<StoreFault> {
        let mut control = self.control();
        let nth = control.counts.entry(op).or_default();
        *nth += 1;
        let nth = *nth;
        let planned = control.planned.remove(&(op, nth));
        planned.or_else(|| control.script.as_mut().and_then(|script| script(op)))
    }

    /// The faults that take effect before the call of the wrapped store.
    async fn before(&self, op: Op, fault: Option<StoreFault>) -> Result<(), StoreError> {
        match fault {
            Some(StoreFault::Before) => Err(injected(op)),
            Some(StoreFault::Full) => Err(StoreError::Full {
                source: cause(io::ErrorKind::StorageFull),
            }),
            Some(StoreFault::Busy) => Err(StoreError::Busy {
                source: cause(io::ErrorKind::ResourceBusy),
            }),
            Some(StoreFault::TooLarge) => Err(StoreError::TooLarge { bytes: 2, limit: 1 }),
            Some(StoreFault::Fenced | StoreFault::After) | None => Ok(()),
        }
    }

    /// Lets another owner adopt the runs that a commit continues.
    async fn take_over(&self, commit: &Commit) -> Result<(), StoreError> {
        let other = self.inner.claim("another owner", Timestamp::ZERO).await?;
        let continued = commit
            .appends
            .iter()
            .filter(|append| append.genesis().is_none());
        for append in continued {
            match self.inner.get(append.run()).await {
                Ok(row) => self.inner.adopt(&row.run, row.epoch, other).await?,
                // There is no such run.
                Err(StoreError::NotFound { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Counts a call, and applies its fault to the call of the wrapped store.
    async fn call<T>(
        &self,
        op: Op,
        call: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        let fault = self.count(op);
        self.with_fault(op, fault, call).await
    }

    /// Calls the wrapped store and applies the fault.
    async fn with_fault<T>(
        &self,
        op: Op,
        fault: Option<StoreFault>,
        call: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        self.before(op, fault).await?;
        let done = call.await?;
        if fault == Some(StoreFault::After) {
            Err(injected(op))
        } else {
            Ok(done)
        }
    }
}

#[async_trait]
impl<S: RawGraphStore> RawGraphStore for FaultyStore<S> {
    async fn claim(&self, owner: &str, at: Timestamp) -> Result<Fence, StoreError> {
        let claim = self.inner.claim(owner, at);
        let fence = self.call(Op::Claim, claim).await?;
        self.control().broken = false;
        Ok(fence)
    }

    async fn adopt(&self, run: &RunId, former: u64, fence: Fence) -> Result<(), StoreError> {
        let adopt = self.inner.adopt(run, former, fence);
        self.call(Op::Adopt, adopt).await
    }

    async fn lease(&self, epoch: u64) -> Result<Lease, StoreError> {
        self.call(Op::Lease, self.inner.lease(epoch)).await
    }

    async fn release(&self, fence: Fence) -> Result<(), StoreError> {
        self.call(Op::Release, self.inner.release(fence)).await
    }

    async fn commit(&self, commit: &Commit, fence: Fence) -> Result<(), StoreError> {
        let fault = self.count(Op::Commit);
        let _open = self.gate.read().await;
        if self.control().broken {
            return Err(StoreError::Broken {
                what: "an injected failure of a commit".into(),
            });
        }
        if fault == Some(StoreFault::Fenced) {
            self.take_over(commit).await?;
        }
        let result = self
            .with_fault(Op::Commit, fault, self.inner.commit(commit, fence))
            .await;
        if matches!(result, Err(StoreError::Io { .. })) {
            self.control().broken = true;
        }
        result
    }

    async fn load(&self, run: &RunId) -> Result<StoredRun, StoreError> {
        self.call(Op::Load, self.inner.load(run)).await
    }

    async fn load_after(&self, chain: &Chain) -> Result<StoredTail, StoreError> {
        let tail = self.inner.load_after(chain);
        self.call(Op::LoadAfter, tail).await
    }

    async fn contents(&self, run: &RunId, ids: &[ContentId]) -> Result<Vec<Content>, StoreError> {
        self.call(Op::Contents, self.inner.contents(run, ids)).await
    }

    async fn outline(&self, run: &RunId) -> Result<Outline, StoreError> {
        self.call(Op::Outline, self.inner.outline(run)).await
    }

    async fn get(&self, run: &RunId) -> Result<RunRow, StoreError> {
        self.call(Op::Get, self.inner.get(run)).await
    }

    async fn list(&self, query: ListQuery) -> Result<Vec<RunRow>, StoreError> {
        self.call(Op::List, self.inner.list(query)).await
    }

    async fn find(&self, prefix: &str, limit: u32) -> Result<Vec<RunId>, StoreError> {
        self.call(Op::Find, self.inner.find(prefix, limit)).await
    }

    async fn post(&self, run: &RunId, at: Timestamp, body: &str) -> Result<RequestId, StoreError> {
        self.call(Op::Post, self.inner.post(run, at, body)).await
    }

    async fn inbox(&self, run: &RunId) -> Result<Vec<Request>, StoreError> {
        self.call(Op::Inbox, self.inner.inbox(run)).await
    }

    async fn news(&self) -> Result<mpsc::Receiver<News>, StoreError> {
        self.call(Op::News, self.inner.news()).await
    }

    async fn drafts(&self, run: &RunId, prefix: &str) -> Result<Vec<Draft>, StoreError> {
        self.call(Op::Drafts, self.inner.drafts(run, prefix)).await
    }

    async fn result(&self, key: &ResultKey) -> Result<Option<KeyedResult>, StoreError> {
        self.call(Op::Result, self.inner.result(key)).await
    }

    async fn delete_all(&self, runs: &[RunId], fence: Fence) -> Result<Vec<RunId>, StoreError> {
        let delete = self.inner.delete_all(runs, fence);
        self.call(Op::DeleteAll, delete).await
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
