//! The retry layer: repeats calls after temporary errors, behind a gate that all callers share.
//!
//! [`Retrying`] wraps a provider. It is the only layer that repeats calls, so its errors are final.

mod gate;
mod streams;

use std::borrow::Cow;
use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use backon::{BackoffBuilder as _, ExponentialBackoff, ExponentialBuilder};
use tokio::time::{Instant, sleep, timeout_at};

use crate::{Capabilities, ErrorKind, LlmError, LlmProvider, LlmRequest, LlmResponse, LlmStream};

pub use gate::Gate;

/// The number of calls, and the limits of calls and waits.
///
/// The wait after call n is random between `base·2ⁿ⁻¹` and twice that, at most `cap`, plus the wait that the
/// service asks for ([`LlmError::retry_after`]). (Full jitter between a base and a cap:
/// M. Brooker, "Exponential Backoff and Jitter", AWS Architecture Blog, 2015.)
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetryPolicy {
    /// The most calls, including the first. Default 4; 0 counts as 1.
    pub max_calls: u32,
    /// The shortest wait. Default 500 ms.
    pub base: Duration,
    /// The longest random wait. Default 30 s, at least twice the base.
    pub cap: Duration,
    /// The longest wait that a service may ask for. Beyond it the error is final at once, also for other
    /// callers while the gate is closed for longer. Default 5 min.
    pub longest_wait: Duration,
    /// The time limit of one call, including its stream. Default 5 min; `None` is no limit.
    pub call_timeout: Option<Duration>,
    /// The longest time between two parts of a stream. Default 60 s; `None` is no limit.
    pub idle_timeout: Option<Duration>,
    /// The time limit of all calls and waits together: no call starts after it, and the last call has the
    /// remaining time. Default 15 min; `None` is no limit.
    pub total: Option<Duration>,
    /// The seed of the random waits. Default 0.
    pub seed: u64,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            max_calls: 4,
            base: Duration::from_millis(500),
            cap: Duration::from_secs(30),
            longest_wait: Duration::from_mins(5),
            call_timeout: Some(Duration::from_mins(5)),
            idle_timeout: Some(Duration::from_secs(60)),
            total: Some(Duration::from_mins(15)),
            seed: 0,
        }
    }
}

impl RetryPolicy {
    /// One call, with the default time limits.
    #[must_use]
    pub fn once() -> Self {
        Self {
            max_calls: 1,
            ..Self::default()
        }
    }

    /// The waits of one request. `draw` differs between requests with one seed.
    fn waits(&self, draw: u64) -> ExponentialBackoff {
        // The jitter adds up to the wait itself, so half the cap keeps the sum below the cap.
        let seed = self.seed ^ draw.wrapping_mul(0x9E37_79B9_7F4A_7C15);
        ExponentialBuilder::new()
            .with_min_delay(self.base)
            .with_max_delay((self.cap / 2).max(self.base))
            .without_max_times()
            .with_jitter()
            .with_jitter_seed(seed)
            .build()
    }
}

/// A provider that repeats calls after temporary errors.
///
/// - Only errors of a [retryable](ErrorKind::is_retryable) kind are followed by another call. The last error
///   is returned with the number of calls.
/// - `RateLimited`, or any error with a `Retry-After`, closes the [`Gate`] for that time, for all callers
///   that share it.
/// - A stream is repeated only until its first part. Afterwards an interrupted or silent stream ends with its
///   error. For the gate a call ends with the first part.
/// - Dropping the future or the stream cancels calls and waits.
///
/// It is cheap to create: a caller may create one for each attempt, around a shared provider and gate.
///
/// # Examples
/// ```
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() -> Result<(), zeph_llm::LlmError> {
/// use zeph_llm::{
///     ErrorKind, Gate, LlmProvider as _, LlmRequest, Reply, RetryPolicy, Retrying, ScriptedProvider,
/// };
///
/// let service = ScriptedProvider::new("s")
///     .then(Reply::error(ErrorKind::Unavailable, "overloaded"))
///     .then(Reply::text("here"));
/// let gate = Gate::new();
/// let provider = Retrying::new(service, RetryPolicy::default()).gate(&gate);
/// assert_eq!(provider.complete(&LlmRequest::new("Where?")).await?.text, "here");
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Retrying<P> {
    inner: P,
    policy: RetryPolicy,
    gate: Gate,
    inner_enforces_timeouts: bool,
    observer: Option<WaitObserver>,
}

/// Gets the error, the wait, and the number of calls so far.
type WaitObserver = Arc<dyn Fn(&LlmError, Duration, u32) + Send + Sync>;

/// The time limits of one call.
#[derive(Clone, Copy)]
struct Time {
    /// Its deadline.
    end: Option<Instant>,
    /// The remaining time of all calls, if it is shorter than the limit of one.
    left: Option<Duration>,
}

impl<P: LlmProvider> fmt::Debug for Retrying<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Retrying")
            .field("inner", &self.inner.name())
            .field("policy", &self.policy)
            .finish_non_exhaustive()
    }
}

impl<P: LlmProvider> Retrying<P> {
    /// A provider with a gate of its own.
    #[must_use]
    pub fn new(inner: P, policy: RetryPolicy) -> Self {
        Self {
            inner,
            policy,
            gate: Gate::new(),
            inner_enforces_timeouts: false,
            observer: None,
        }
    }

    /// The same provider with a shared gate.
    #[must_use]
    pub fn gate(mut self, gate: &Gate) -> Self {
        self.gate = gate.clone();
        self
    }

    /// The same provider with an observer of its waits: the error, the wait before the next call, and the
    /// number of calls so far. Default: none.
    #[must_use]
    pub fn on_wait(
        mut self,
        observer: impl Fn(&LlmError, Duration, u32) + Send + Sync + 'static,
    ) -> Self {
        self.observer = Some(Arc::new(observer));
        self
    }

    /// Leaves the time limits of call and stream to the inner provider, for a provider that must not be
    /// dropped during a call. Default: they are enforced here by dropping the call.
    ///
    /// If the remaining time of all calls is shorter than the limit of one, the request's
    /// [`timeout`](LlmRequest::timeout) is set, and the inner provider must obey it.
    #[must_use]
    pub fn inner_enforces_timeouts(mut self) -> Self {
        self.inner_enforces_timeouts = true;
        self
    }

    /// Calls until a call succeeds or fails permanently, or the policy ends the retries. `call` gets its
    /// time limits.
    async fn retry<T, F>(&self, mut call: impl FnMut(Time) -> F) -> Result<T, LlmError>
    where
        F: Future<Output = Result<T, LlmError>>,
    {
        let end = after(self.policy.total);
        let mut waits = self.policy.waits(self.gate.draw());
        // The random wait is added to the wait that a service asks for.
        let most = self.policy.longest_wait.saturating_add(self.policy.cap);
        let mut calls = 0;
        let mut last: Option<LlmError> = None;
        loop {
            let permit = match by(end, self.gate.enter(most)).await {
                Ok(Ok(permit)) => permit,
                Ok(Err(pause)) => return Err(self.closed_too_long(pause, calls)),
                Err(_) => return Err(self.out_of_time(last, calls)),
            };
            let left = end.map(|end| end.saturating_duration_since(Instant::now()));
            if left.is_some_and(|left| left.is_zero()) {
                return Err(self.out_of_time(last, calls));
            }
            calls += 1;
            let most = self.policy.call_timeout.unwrap_or(Duration::MAX);
            let time = Time {
                end: earlier(after(self.policy.call_timeout), end),
                left: left.filter(|left| *left < most),
            };
            let dropped_at = time.end.filter(|_| !self.inner_enforces_timeouts);
            let error = match by(dropped_at, call(time)).await {
                Ok(Ok(answer)) => {
                    permit.succeeded();
                    return Ok(answer);
                }
                Ok(Err(error)) => error,
                Err(_) => {
                    let message = "no answer within the time limit";
                    LlmError::new(ErrorKind::Timeout, self.inner.name(), message)
                }
            };
            let drawn = waits.next().unwrap_or(self.policy.cap);
            let wait = self.wait(&error, drawn, calls, end);
            let pause = pause(&error, wait);
            self.gate.close(pause.min(LONGEST_PAUSE));
            drop(permit);
            let Some(wait) = wait else {
                let calls = calls.max(error.attempts());
                return Err(error.with_attempts(calls));
            };
            if let Some(observer) = &self.observer {
                observer(&error, wait, calls);
            }
            last = Some(error);
            // The caller that closed the gate waits at it like all others.
            if pause.is_zero() {
                sleep(wait).await;
            }
        }
    }

    /// The wait before another call; `None` if the error is final. The random wait is added to the wait that
    /// the service asks for, so that callers with different gates do not return at once.
    fn wait(
        &self,
        error: &LlmError,
        drawn: Duration,
        calls: u32,
        end: Option<Instant>,
    ) -> Option<Duration> {
        let asked = error.retry_after().unwrap_or(Duration::ZERO);
        let is_final = !error.is_retryable() || calls >= self.policy.max_calls;
        if is_final || asked > self.policy.longest_wait {
            return None;
        }
        let wait = asked.saturating_add(drawn);
        let until = Instant::now().checked_add(wait)?;
        end.is_none_or(|end| until < end).then_some(wait)
    }

    /// The request for an inner provider that enforces the time limits.
    fn timed<'a>(&self, request: &'a LlmRequest, time: Time) -> Cow<'a, LlmRequest> {
        let most = request.timeout.unwrap_or(Duration::MAX);
        match time.left.filter(|left| *left < most) {
            Some(left) if self.inner_enforces_timeouts => Cow::Owned(request.clone().timeout(left)),
            Some(_) | None => Cow::Borrowed(request),
        }
    }

    /// The error while the gate is closed for longer than the policy allows.
    fn closed_too_long(&self, pause: Duration, calls: u32) -> LlmError {
        let message = "the service asks for a longer wait than the limit";
        LlmError::new(ErrorKind::RateLimited, self.inner.name(), message)
            .with_retry_after(pause)
            .with_attempts(calls)
    }

    fn out_of_time(&self, last: Option<LlmError>, calls: u32) -> LlmError {
        last.unwrap_or_else(|| {
            let message = "the provider's gate did not open within the time limit";
            LlmError::new(ErrorKind::Timeout, self.inner.name(), message)
        })
        .with_attempts(calls)
    }
}

/// The longest time that an error closes a gate; then a caller tries again.
const LONGEST_PAUSE: Duration = Duration::from_hours(1);

/// How long an error closes the gate.
fn pause(error: &LlmError, wait: Option<Duration>) -> Duration {
    let asked = error.retry_after().unwrap_or(Duration::ZERO);
    let is_limit = error.kind() == ErrorKind::RateLimited || !asked.is_zero();
    match wait {
        Some(wait) if is_limit => wait,
        Some(_) => Duration::ZERO,
        None => asked,
    }
}

/// A time from now; `None` for no limit, or a time beyond the range of the clock.
fn after(limit: Option<Duration>) -> Option<Instant> {
    limit.and_then(|limit| Instant::now().checked_add(limit))
}

fn earlier(one: Option<Instant>, two: Option<Instant>) -> Option<Instant> {
    match (one, two) {
        (Some(one), Some(two)) => Some(one.min(two)),
        (one, two) => one.or(two),
    }
}

/// Runs work until a deadline.
async fn by<F: Future>(
    end: Option<Instant>,
    work: F,
) -> Result<F::Output, tokio::time::error::Elapsed> {
    match end {
        Some(end) => timeout_at(end, work).await,
        None => Ok(work.await),
    }
}

#[async_trait]
impl<P: LlmProvider> LlmProvider for Retrying<P> {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn capabilities(&self) -> Capabilities {
        self.inner.capabilities()
    }

    async fn complete(&self, request: &LlmRequest) -> Result<LlmResponse, LlmError> {
        self.retry(|time| {
            let request = self.timed(request, time);
            async move { self.inner.complete(&request).await }
        })
        .await
    }

    async fn stream(&self, request: &LlmRequest) -> Result<LlmStream, LlmError> {
        let name = self.inner.name();
        self.retry(|time| {
            let request = self.timed(request, time);
            let enforces = !self.inner_enforces_timeouts;
            let idle = self.policy.idle_timeout.filter(|_| enforces);
            let end = time.end.filter(|_| enforces);
            async move {
                let stream = self.inner.stream(&request).await?;
                streams::after_first_part(name, stream, idle, end).await
            }
        })
        .await
    }
}

#[cfg(test)]
mod tests;
