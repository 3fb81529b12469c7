//! The fallback model: asked where the first one gives no answer.

use std::sync::Arc;

use async_trait::async_trait;
use zeph_executor::TaskContext;
use zeph_llm::{
    Capabilities, ErrorKind, LlmError, LlmProvider, LlmRequest, LlmResponse, LlmStream,
};

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

    /// Whether the second one is asked after this error.
    fn falls_back(&self, error: &LlmError) -> bool {
        let falls_back = match error.kind() {
            // The caller asks again with the schema in the prompt.
            ErrorKind::SchemaRejected
            | ErrorKind::OverBudget
            | ErrorKind::Stopped
            | ErrorKind::NotRecorded => false,
            ErrorKind::RateLimited
            | ErrorKind::Unavailable
            | ErrorKind::Network
            | ErrorKind::Timeout
            | ErrorKind::Cut
            | ErrorKind::Garbled
            | ErrorKind::Unauthorized
            | ErrorKind::UnknownModel
            | ErrorKind::ContextTooLong
            | ErrorKind::BadRequest
            | ErrorKind::NoCredit
            | ErrorKind::Unsupported => true,
        };
        if falls_back {
            let (first, second) = (self.first.name(), self.second.name());
            let why = error.kind().word();
            self.cx
                .progress(format!("{first} failed ({why}); asking {second} instead"));
        }
        falls_back
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
                // The failure of the second one says less than that of the model which the run names.
                self.second.complete(request).await.map_err(|_| error)
            }
            outcome => outcome,
        }
    }

    async fn stream(&self, request: &LlmRequest) -> Result<LlmStream, LlmError> {
        match self.first.stream(request).await {
            Err(error) if self.falls_back(&error) => {
                self.second.stream(request).await.map_err(|_| error)
            }
            outcome => outcome,
        }
    }
}
