//! The fallback model: asked where the first one gives no answer.

use std::sync::Arc;

use async_trait::async_trait;
use zeph_executor::TaskContext;
use zeph_llm::{
    Capabilities, ErrorKind, LlmError, LlmProvider, LlmRequest, LlmResponse, LlmStream,
};

use super::error::is_carried;

/// Asks the first provider, and the second one if a call of the first failed for good.
///
/// It belongs outside of the retry layers, so that each provider has all of its calls first. Name and
/// capabilities are those of the first one, which most requests go to.
pub(super) struct WithFallback {
    first: Arc<dyn LlmProvider>,
    second: Arc<dyn LlmProvider>,
    cx: TaskContext,
}

impl WithFallback {
    pub(super) fn new(
        first: Arc<dyn LlmProvider>,
        second: Arc<dyn LlmProvider>,
        cx: &TaskContext,
    ) -> Self {
        let cx = cx.clone();
        Self { first, second, cx }
    }

    /// Whether the second one is asked after this error. Not if the budget or the run has ended the call, or if
    /// the journal has failed.
    fn falls_back(&self, error: &LlmError) -> bool {
        // After a rejected schema the caller asks again with the schema in the prompt.
        if is_of_the_run(error) || error.kind() == ErrorKind::SchemaRejected {
            return false;
        }
        let (first, second) = (self.first.name(), self.second.name());
        let why = error.kind().word();
        self.cx
            .progress(format!("{first} failed ({why}); asking {second} instead"));
        true
    }
}

/// Whether the error is that of the run and not of a service: of its budget, its end, or its journal.
fn is_of_the_run(error: &LlmError) -> bool {
    let kinds = [
        ErrorKind::OverBudget,
        ErrorKind::Stopped,
        ErrorKind::NotRecorded,
    ];
    kinds.contains(&error.kind()) || is_carried(error)
}

/// The error if both failed. That of the second one says less than that of the model which the run names, unless
/// it is one of the run, or asks for another request.
fn either(first: LlmError, second: LlmError) -> LlmError {
    if is_of_the_run(&second) || second.kind() == ErrorKind::SchemaRejected {
        second
    } else {
        first
    }
}

#[async_trait]
impl LlmProvider for WithFallback {
    fn name(&self) -> &str {
        self.first.name()
    }

    fn capabilities(&self) -> Capabilities {
        self.first.capabilities()
    }

    async fn complete(&self, request: &LlmRequest) -> Result<LlmResponse, LlmError> {
        match self.first.complete(request).await {
            Err(error) if self.falls_back(&error) => {
                let outcome = self.second.complete(request).await;
                outcome.map_err(|second| either(error, second))
            }
            outcome => outcome,
        }
    }

    async fn stream(&self, request: &LlmRequest) -> Result<LlmStream, LlmError> {
        match self.first.stream(request).await {
            Err(error) if self.falls_back(&error) => {
                let outcome = self.second.stream(request).await;
                outcome.map_err(|second| either(error, second))
            }
            outcome => outcome,
        }
    }
}
