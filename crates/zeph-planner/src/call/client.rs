//! The model client of an attempt: metered, noted and retried calls.

use std::future::Future;
use std::pin::pin;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, OnceCell};
use tokio::time::{Instant, sleep_until};
use zeph_executor::{Spend, TaskContext, TaskError};
use zeph_llm::{EstimatingCounter, LlmProvider, LlmRequest, LlmResponse, TokenCounter as _};

use super::resumed::Resumed;
use super::task_error;

/// A model for one attempt: each call takes its cost from the budget, is noted, and is retried.
#[derive(Clone)]
pub(crate) struct ModelClient {
    provider: Arc<dyn LlmProvider>,
    spend: Arc<AttemptSpend>,
}

impl ModelClient {
    pub(super) fn new(provider: Arc<dyn LlmProvider>, spend: &Arc<AttemptSpend>) -> Self {
        Self {
            provider,
            spend: Arc::clone(spend),
        }
    }

    /// The metered and retried provider.
    pub(crate) fn provider(&self) -> &dyn LlmProvider {
        &*self.provider
    }

    /// The cost of the attempt's calls so far.
    pub(crate) fn spend(&self) -> &AttemptSpend {
        &self.spend
    }

    /// An estimate of the tokens of a text; at most its bytes.
    pub(crate) fn count(&self, text: &str) -> u64 {
        EstimatingCounter.count(text).into()
    }

    /// An estimate of the tokens of a request, with the overhead of each message.
    pub(crate) fn count_request(&self, request: &LlmRequest) -> u64 {
        EstimatingCounter.count_request(request).into()
    }

    /// Calls the model.
    ///
    /// # Errors
    /// See [`task_error`].
    pub(crate) async fn ask(&self, request: &LlmRequest) -> Result<LlmResponse, TaskError> {
        let answer = self.provider.complete(request).await;
        answer.map_err(|error| task_error(&error))
    }
}

/// The cost of an attempt's calls so far, shared by its clients.
#[derive(Debug, Default)]
pub(crate) struct AttemptSpend {
    calls: AtomicU32,
    tokens: AtomicU64,
    waits: Mutex<Waits>,
    wait_ended: Notify,
    resumed: OnceCell<Resumed>,
    latest: Mutex<ReplyKey>,
}

/// Which reply is the latest one of an attempt.
#[derive(Clone, Debug, Default)]
pub(crate) struct ReplyKey {
    /// The hash of it and of its request.
    pub(crate) hash: String,
    /// Whether it is that of an interrupted attempt: then its tool calls may have been made.
    pub(crate) is_reused: bool,
}

/// The waits for budget of an attempt. Of waits at the same time each moment counts once.
#[derive(Debug, Default)]
struct Waits {
    open: u32,
    since: Option<Instant>,
    ended: Duration,
}

impl AttemptSpend {
    /// Tokens, in and out.
    pub(crate) fn tokens(&self) -> u64 {
        self.tokens.load(Ordering::Relaxed)
    }

    /// The work of interrupted attempts, read once.
    ///
    /// # Errors
    /// If the store cannot read it.
    pub(crate) async fn resumed(&self, cx: &TaskContext) -> Result<&Resumed, TaskError> {
        let read = || async { Ok(Resumed::of(&cx.journal().interrupted().await?)) };
        self.resumed.get_or_try_init(read).await
    }

    /// The latest reply. An agent makes one call at a time.
    pub(crate) fn latest(&self) -> ReplyKey {
        let latest = self.latest.lock().unwrap_or_else(PoisonError::into_inner);
        latest.clone()
    }

    pub(super) fn set_latest(&self, hash: String, is_reused: bool) {
        let mut latest = self.latest.lock().unwrap_or_else(PoisonError::into_inner);
        *latest = ReplyKey { hash, is_reused };
    }

    /// The number of the next call, from 1.
    pub(super) fn next_call(&self) -> u32 {
        self.calls.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// Runs a reservation, whose time does not count towards [`within`](Self::within).
    pub(super) async fn waiting<T>(&self, reservation: impl Future<Output = T>) -> T {
        let _wait = OpenWait::begin(self);
        reservation.await
    }

    /// Runs work with a time limit, towards which waits for budget do not count; `None` if it was too long.
    pub(crate) async fn within<T>(
        &self,
        limit: Duration,
        work: impl Future<Output = T>,
    ) -> Option<T> {
        let mut work = pin!(work);
        let begun = Instant::now();
        let (before, _) = self.waited();
        loop {
            let (waited, is_open) = self.waited();
            let due = limit
                .checked_add(waited.saturating_sub(before))
                .and_then(|limit| begun.checked_add(limit))
                .filter(|_| !is_open);
            let until_due = async {
                match due {
                    Some(due) => sleep_until(due).await,
                    None => self.wait_ended.notified().await,
                }
            };
            tokio::select! {
                biased;
                outcome = &mut work => return Some(outcome),
                () = until_due => {}
            }
            if due.is_some() && self.waited() == (waited, false) {
                return None;
            }
        }
    }

    /// How long the attempt has waited for budget, and whether it waits now.
    fn waited(&self) -> (Duration, bool) {
        let waits = self.waits.lock().unwrap_or_else(PoisonError::into_inner);
        let open = waits.since.map_or(Duration::ZERO, |since| since.elapsed());
        (waits.ended + open, waits.open > 0)
    }

    pub(super) fn add(&self, spent: Spend) {
        self.tokens
            .fetch_add(spent.tokens.into(), Ordering::Relaxed);
    }
}

/// A wait for budget, until it is dropped.
struct OpenWait<'a>(&'a AttemptSpend);

impl<'a> OpenWait<'a> {
    fn begin(spend: &'a AttemptSpend) -> Self {
        let mut waits = spend.waits.lock().unwrap_or_else(PoisonError::into_inner);
        waits.open += 1;
        waits.since.get_or_insert_with(Instant::now);
        Self(spend)
    }
}

impl Drop for OpenWait<'_> {
    fn drop(&mut self) {
        let mut waits = self.0.waits.lock().unwrap_or_else(PoisonError::into_inner);
        waits.open -= 1;
        if waits.open == 0
            && let Some(since) = waits.since.take()
        {
            waits.ended += since.elapsed();
        }
        self.0.wait_ended.notify_one();
    }
}

/// Runs work until the attempt is stopped, and drops it then.
///
/// # Errors
/// `Cancelled` if the attempt is stopped; else the error of the work.
pub(crate) async fn until_stopped<T>(
    cx: &TaskContext,
    work: impl Future<Output = Result<T, TaskError>>,
) -> Result<T, TaskError> {
    tokio::select! {
        biased;
        result = work => result,
        () = cx.cancelled() => Err(TaskError::cancelled("stopped on request")),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::{Instant, timeout};

    use super::AttemptSpend;

    async fn passes(time: Duration) {
        let never = std::future::pending::<()>();
        assert!(timeout(time, never).await.is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn a_wait_for_budget_is_not_in_the_time_limit() {
        let second = Duration::from_secs(1);
        let spend = AttemptSpend::default();
        let work = async {
            passes(second).await;
            spend.waiting(passes(second * 60)).await;
            passes(second).await;
            spend.waiting(passes(second * 60)).await;
        };
        assert!(spend.within(second * 3, work).await.is_some());

        let begun = Instant::now();
        let work = async {
            spend.waiting(passes(second * 60)).await;
            passes(second * 4).await;
        };
        assert!(spend.within(second * 3, work).await.is_none());
        assert_eq!(begun.elapsed(), second * 63);
        assert!(spend.within(second, passes(second * 2)).await.is_none());
        // A wait that ends is no time-out of a limit that is never reached.
        let work = async {
            spend.waiting(passes(second)).await;
            passes(second).await;
        };
        assert!(spend.within(Duration::MAX, work).await.is_some());
    }
}
