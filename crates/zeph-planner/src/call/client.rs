//! The model client of an attempt: metered, noted and retried calls.

use std::fmt;
use std::future::Future;
use std::sync::Arc;

use zeph_executor::{TaskContext, TaskError};
use zeph_llm::{LlmProvider, LlmRequest, LlmResponse, TokenCounter};

use super::{AttemptSpend, task_error};

/// A model for one attempt: each call takes its cost from the budget, is noted, and is retried.
#[derive(Clone)]
pub(crate) struct ModelClient {
    provider: Arc<dyn LlmProvider>,
    counter: Arc<dyn TokenCounter>,
    spend: Arc<AttemptSpend>,
}

impl ModelClient {
    pub(super) fn new(
        provider: Arc<dyn LlmProvider>,
        counter: &Arc<dyn TokenCounter>,
        spend: &Arc<AttemptSpend>,
    ) -> Self {
        Self {
            provider,
            counter: Arc::clone(counter),
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
        self.counter.count(text).into()
    }

    /// An estimate of the tokens of a request, with the overhead of each message.
    pub(crate) fn count_request(&self, request: &LlmRequest) -> u64 {
        self.counter.count_request(request).into()
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

impl fmt::Debug for ModelClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ModelClient")
            .field("provider", &self.provider.name())
            .field("spend", &self.spend)
            .finish_non_exhaustive()
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
