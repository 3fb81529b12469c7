//! Lines: the way from one attempt to one model.

use std::fmt;
use std::future::Future;
use std::sync::Arc;

use zeph_executor::{TaskContext, TaskError};
use zeph_llm::{
    Gate, LlmProvider, LlmRequest, LlmResponse, RetryPolicy, Retrying, TokenCounter, around_links,
};

use super::llm_context::Model;
use super::metered::{Metered, Tally};
use super::task_error;

/// A way to a model for one attempt: each call is taken out of the budget, kept, and repeated where
/// that may help.
#[derive(Clone)]
pub struct ModelClient {
    provider: Arc<dyn LlmProvider>,
    counter: Arc<dyn TokenCounter>,
    model: Option<String>,
    tally: Arc<Tally>,
}

impl ModelClient {
    pub(super) fn new(
        meter: impl Fn(Arc<dyn LlmProvider>) -> Metered<Arc<dyn LlmProvider>>,
        listed: &Model,
        policy: RetryPolicy,
        model: Option<&str>,
        tally: &Arc<Tally>,
    ) -> Self {
        Self {
            provider: metered_and_repeated(&listed.provider, &listed.gates, policy, meter),
            counter: Arc::clone(&listed.counter),
            model: model.map(str::to_owned),
            tally: Arc::clone(tally),
        }
    }

    /// The provider with all that is around it, for code that takes any provider.
    #[must_use]
    pub fn provider(&self) -> &Arc<dyn LlmProvider> {
        &self.provider
    }

    /// What is to be put into a request's `model`; `None` leaves it to the provider.
    #[must_use]
    pub fn model(&self) -> Option<&str> {
        self.model.as_deref()
    }

    /// What the attempt's calls have cost so far.
    #[must_use]
    pub fn tally(&self) -> &Tally {
        &self.tally
    }

    /// How many tokens the model makes of a text, as far as is known; at most its bytes.
    #[must_use]
    pub fn count(&self, text: &str) -> u64 {
        self.counter.count(text).into()
    }

    /// How many tokens a request has, with what services put around its texts.
    #[must_use]
    pub fn count_request(&self, request: &LlmRequest) -> u64 {
        self.counter.count_request(request).into()
    }

    /// Asks.
    ///
    /// # Errors
    /// As [`task_error`] says.
    pub async fn ask(&self, request: &LlmRequest) -> Result<LlmResponse, TaskError> {
        let answer = match (&self.model, &request.model) {
            (Some(model), None) => {
                let request = request.clone().model(model);
                self.provider.complete(&request).await
            }
            _ => self.provider.complete(request).await,
        };
        answer.map_err(|error| task_error(&error))
    }
}

impl fmt::Debug for ModelClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ModelClient")
            .field("provider", &self.provider.name())
            .field("model", &self.model)
            .field("tally", &self.tally)
            .finish()
    }
}

/// A provider whose every request is metered by itself, and repeated: the links of a chain each, with
/// the gate at its place in `gates`, and one of its own beyond them.
///
/// The meter is inside of the retries, so that each call is taken out of the budget, and keeps the
/// time, so that a call that is late is settled and kept like any other.
pub(crate) fn metered_and_repeated(
    provider: &Arc<dyn LlmProvider>,
    gates: &[Gate],
    policy: RetryPolicy,
    meter: impl Fn(Arc<dyn LlmProvider>) -> Metered<Arc<dyn LlmProvider>>,
) -> Arc<dyn LlmProvider> {
    let mut gates = gates.iter().cloned();
    around_links(Arc::clone(provider), |link| {
        let metered = meter(link).time_limits(policy.call_timeout, policy.idle_timeout);
        let gate = gates.next().unwrap_or_default();
        let repeated = Retrying::new(metered, policy).gate(&gate);
        Arc::new(repeated.inner_keeps_time())
    })
}

/// Does work until the attempt is to stop, and drops it then.
///
/// # Errors
/// `Cancelled` if the attempt is to stop; else what the work returned.
pub async fn until_stopped<T>(
    cx: &TaskContext,
    work: impl Future<Output = Result<T, TaskError>>,
) -> Result<T, TaskError> {
    tokio::select! {
        biased;
        result = work => result,
        () = cx.cancelled() => Err(TaskError::cancelled("stopped on request")),
    }
}
