//! Lines: the way from one attempt to one model.

use std::fmt;
use std::future::Future;
use std::sync::Arc;

use zeph_llm::{LlmProvider, LlmRequest, LlmResponse};
use zeph_subagent::{TaskContext, TaskError};

use super::metered::{Metered, Tally};
use super::task_error;

/// A way to a model for one attempt: each call is taken out of the budget, kept, and repeated where
/// that may help.
#[derive(Clone)]
pub struct Line {
    provider: Arc<dyn LlmProvider>,
    model: Option<String>,
    tally: Arc<Tally>,
}

impl Line {
    pub(super) fn new(
        provider: &Arc<dyn LlmProvider>,
        model: Option<&str>,
        cx: &TaskContext,
        tally: &Arc<Tally>,
        streaming: bool,
    ) -> Self {
        let metered = Metered::new(Arc::clone(provider), cx)
            .tally(tally)
            .streaming(streaming);
        Self {
            provider: Arc::new(metered),
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

    /// How many tokens the model makes of a text; at most its bytes.
    #[must_use]
    pub fn count(&self, text: &str) -> u64 {
        text.len() as u64
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

impl fmt::Debug for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Line")
            .field("provider", &self.provider.name())
            .field("model", &self.model)
            .field("tally", &self.tally)
            .finish()
    }
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
