//! The one retry layer: further calls after errors that may pass, and a gate that all callers wait at.
//!
//! [`Retrying`] wraps a provider. Everything above it may take an error as final: nothing else in the
//! system repeats a call.

mod gate;
mod streams;

use std::borrow::Cow;
use std::fmt;
use std::future::Future;
use std::time::Duration;

use async_trait::async_trait;
use backon::{BackoffBuilder as _, ExponentialBackoff, ExponentialBuilder};
use tokio::time::{Instant, sleep, timeout_at};

use crate::{Capabilities, ErrorKind, LlmError, LlmProvider, LlmRequest, LlmResponse, LlmStream};

pub use gate::Gate;

/// How often, and how long.
///
/// A wait after the n-th call is drawn from `base·2ⁿ⁻¹` to twice that, and never exceeds `cap`; what the
/// service asked for ([`LlmError::retry_after`]) is its floor. (Full jitter between a base and a cap:
/// M. Brooker, "Exponential Backoff and Jitter", AWS Architecture Blog, 2015.)
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetryPolicy {
    /// The most calls, the first one counted. Default 4; 0 counts as 1.
    pub max_calls: u32,
    /// The shortest wait. Default 500 ms.
    pub base: Duration,
    /// The longest wait that is not asked for by the service. Default 30 s; less than twice the base
    /// counts as that.
    pub cap: Duration,
    /// The longest wait that a service may ask for; past it the error is final at once, also for all
    /// others who come while the gate is closed for longer. Default 5 min.
    pub longest_wait: Duration,
    /// The longest that one call may take, its stream included. Default 5 min; `None` is for ever.
    pub call_timeout: Option<Duration>,
    /// The longest silence of a stream. Default 60 s; `None` is for ever.
    pub idle_timeout: Option<Duration>,
    /// The longest that all calls and waits may take together: no call begins after it, and the last one
    /// has what is left of it. Default 15 min; `None` is for ever.
    pub total: Option<Duration>,
    /// Where the waits are drawn from. Default 0. Equal seeds draw equal waits.
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
    /// One call, no more; its time-outs are the default ones.
    #[must_use]
    pub fn once() -> Self {
        Self {
            max_calls: 1,
            ..Self::default()
        }
    }

    /// The waits of one request. `draw` tells requests of one seed apart.
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

/// A provider that calls again after errors that may pass.
///
/// - Only errors of a [retryable](ErrorKind::is_retryable) kind are followed by another call. The last
///   one is returned, and says how many calls were made.
/// - After `RateLimited`, or any error with a `Retry-After`, the [`Gate`] is closed for as long, for all
///   who share it.
/// - A stream is begun again only while nothing of it was passed on. Afterwards a broken or silent stream
///   ends with its error. For the gate it is over once it has begun.
/// - Dropping the future or the stream stops calls and waits.
///
/// Making one is cheap: a runner may make one for each attempt, around one shared provider and gate.
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
    inner_keeps_time: bool,
}

/// How long one call may take.
#[derive(Clone, Copy)]
struct Time {
    /// When it must be over.
    end: Option<Instant>,
    /// What is left for all calls, if that is less than one may take.
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
            inner_keeps_time: false,
        }
    }

    /// The same, waiting at a gate that others share.
    #[must_use]
    pub fn gate(mut self, gate: &Gate) -> Self {
        self.gate = gate.clone();
        self
    }

    /// Leaves the times of a call and of a silence to the provider inside, for one that must not be
    /// dropped in the middle of a call. Default: they are kept here, and a call that is late is dropped.
    ///
    /// A call that has less time left than the policy gives to one is told so by the request's
    /// [`timeout`](LlmRequest::timeout), which the provider inside has to keep.
    #[must_use]
    pub fn inner_keeps_time(mut self) -> Self {
        self.inner_keeps_time = true;
        self
    }

    /// Calls until it succeeds, fails for good, or the policy ends it. `call` gets the time that it has.
    async fn persist<T, F>(&self, mut call: impl FnMut(Time) -> F) -> Result<T, LlmError>
    where
        F: Future<Output = Result<T, LlmError>>,
    {
        let end = after(self.policy.total);
        let mut waits = self.policy.waits(self.gate.draw());
        // What was drawn comes on top of what a service asked for.
        let most = self.policy.longest_wait.saturating_add(self.policy.cap);
        let mut calls = 0;
        let mut last: Option<LlmError> = None;
        loop {
            let turn = match by(end, self.gate.enter(most)).await {
                Ok(Ok(turn)) => turn,
                Ok(Err(pause)) => return Err(self.left_alone(pause, calls)),
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
            let dropped_at = time.end.filter(|_| !self.inner_keeps_time);
            let error = match by(dropped_at, call(time)).await {
                Ok(Ok(answer)) => {
                    turn.went_well();
                    return Ok(answer);
                }
                Ok(Err(error)) => error,
                Err(_) => {
                    let message = "there was no answer in time";
                    LlmError::new(ErrorKind::Timeout, self.inner.name(), message)
                }
            };
            let drawn = waits.next().unwrap_or(self.policy.cap);
            let wait = self.wait(&error, drawn, calls, end);
            let pause = pause(&error, wait);
            self.gate.close(pause.min(LONGEST_PAUSE));
            drop(turn);
            let Some(wait) = wait else {
                let calls = calls.max(error.attempts());
                return Err(error.with_attempts(calls));
            };
            last = Some(error);
            // Whoever closed the gate waits at it with all others, and goes when it is their turn.
            if pause.is_zero() {
                sleep(wait).await;
            }
        }
    }

    /// How long to wait before another call; `None` if there is to be none. What was drawn comes on top
    /// of what the service asked for, so that those who do not share a gate do not return as one.
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

    /// The request as it goes to a provider inside that keeps the time.
    fn timed<'a>(&self, request: &'a LlmRequest, time: Time) -> Cow<'a, LlmRequest> {
        let most = request.timeout.unwrap_or(Duration::MAX);
        match time.left.filter(|left| *left < most) {
            Some(left) if self.inner_keeps_time => Cow::Owned(request.clone().timeout(left)),
            Some(_) | None => Cow::Borrowed(request),
        }
    }

    /// Others were told to stay away for longer than the policy lets a service ask for: whoever comes
    /// then is told so at once, as they were.
    fn left_alone(&self, pause: Duration, calls: u32) -> LlmError {
        let message = "the service asked to be left alone for longer than calls wait here";
        LlmError::new(ErrorKind::RateLimited, self.inner.name(), message)
            .with_retry_after(pause)
            .with_attempts(calls)
    }

    fn out_of_time(&self, last: Option<LlmError>, calls: u32) -> LlmError {
        last.unwrap_or_else(|| {
            let message = "the provider's gate did not open in time";
            LlmError::new(ErrorKind::Timeout, self.inner.name(), message)
        })
        .with_attempts(calls)
    }
}

/// The longest that a gate stays closed, whatever a service asks for: then somebody looks again.
const LONGEST_PAUSE: Duration = Duration::from_hours(1);

/// How long an error closes the gate for all.
fn pause(error: &LlmError, wait: Option<Duration>) -> Duration {
    let asked = error.retry_after().unwrap_or(Duration::ZERO);
    let is_limit = error.kind() == ErrorKind::RateLimited || !asked.is_zero();
    match wait {
        Some(wait) if is_limit => wait,
        Some(_) => Duration::ZERO,
        None => asked,
    }
}

/// A time from now; `None` is never, and so is what no clock can hold.
fn after(limit: Option<Duration>) -> Option<Instant> {
    limit.and_then(|limit| Instant::now().checked_add(limit))
}

fn earlier(one: Option<Instant>, two: Option<Instant>) -> Option<Instant> {
    match (one, two) {
        (Some(one), Some(two)) => Some(one.min(two)),
        (one, two) => one.or(two),
    }
}

/// Work that must end by a time.
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
        self.persist(|time| {
            let request = self.timed(request, time);
            async move { self.inner.complete(&request).await }
        })
        .await
    }

    async fn stream(&self, request: &LlmRequest) -> Result<LlmStream, LlmError> {
        let name = self.inner.name();
        self.persist(|time| {
            let request = self.timed(request, time);
            let is_kept_here = !self.inner_keeps_time;
            let idle = self.policy.idle_timeout.filter(|_| is_kept_here);
            let end = time.end.filter(|_| is_kept_here);
            async move {
                let stream = self.inner.stream(&request).await?;
                streams::begun(name, stream, idle, end).await
            }
        })
        .await
    }
}

#[cfg(test)]
mod tests;
