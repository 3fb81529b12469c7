//! The harness of the cases: provider, sample, calls with a time limit.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::timeout;

use super::Sample;
use crate::{LlmError, LlmProvider, LlmRequest, LlmResponse};

/// The time limit of a call.
const CALL_TIMEOUT: Duration = Duration::from_secs(30);

pub(super) struct Harness {
    pub(super) provider: Arc<dyn LlmProvider>,
    pub(super) sample: Sample,
}

impl Harness {
    /// Makes a call within the time limit.
    pub(super) async fn call(
        &self,
        request: &LlmRequest,
    ) -> Result<Result<LlmResponse, LlmError>, String> {
        let outcome = in_time(self.provider.complete(request)).await?;
        if let Err(error) = &outcome {
            self.keeps_secrets(error)?;
        }
        Ok(outcome)
    }

    /// Makes a call that must succeed.
    pub(super) async fn answer(&self, request: &LlmRequest) -> Result<LlmResponse, String> {
        self.call(request)
            .await?
            .map_err(|error| format!("it failed: {error}"))
    }

    pub(super) fn keeps_secrets(&self, error: &LlmError) -> Result<(), String> {
        let shown = format!("{error} {error:?}");
        match self
            .sample
            .secrets
            .iter()
            .position(|secret| shown.contains(secret))
        {
            Some(index) => Err(format!("secret {index} shows in an error")),
            None => Ok(()),
        }
    }
}

pub(super) async fn in_time<T>(work: impl Future<Output = T>) -> Result<T, String> {
    let late = |_| format!("it did not end within {CALL_TIMEOUT:?}");
    timeout(CALL_TIMEOUT, work).await.map_err(late)
}
