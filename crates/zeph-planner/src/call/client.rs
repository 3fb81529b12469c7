//! The model client of an attempt: metered, noted and retried calls.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use zeph_executor::{Spend, TaskContext, TaskError};
use zeph_llm::{LlmProvider, LlmRequest, LlmResponse, TokenCounter};

use super::task_error;

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

/// The cost of an attempt's calls so far, shared by its clients.
#[derive(Debug, Default)]
pub(crate) struct AttemptSpend {
    calls: AtomicU32,
    tokens: AtomicU64,
}

impl AttemptSpend {
    /// Tokens, in and out.
    pub(crate) fn tokens(&self) -> u64 {
        self.tokens.load(Ordering::Relaxed)
    }

    /// The number of the next call, from 1.
    pub(super) fn next_call(&self) -> u32 {
        self.calls.fetch_add(1, Ordering::Relaxed) + 1
    }

    pub(super) fn add(&self, spent: Spend) {
        self.tokens
            .fetch_add(spent.tokens.into(), Ordering::Relaxed);
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
