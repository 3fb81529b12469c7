//! The conformance suite of [`LlmProvider`]: [`check`] runs all cases.
//!
//! Cases that the capabilities exclude, or that the [`Sample`] has no request for, are skipped and reported
//! as skipped.

mod cases;

use std::sync::Arc;

use futures::future::OptionFuture;
use serde_json::Value;

use crate::{LlmProvider, LlmRequest, SchemaSupport};

use cases::Harness;
pub use zeph_common::{Violation, Violations};

/// The requests of the cases. Each may be made several times, two at a time.
#[derive(Clone, Debug)]
pub struct Sample {
    /// A request that gets a text within 30 s.
    pub short: LlmRequest,
    /// A request whose answer is longer than its `max_output_tokens`.
    pub long: Option<LlmRequest>,
    /// A request that is answered by calling one of its tools.
    pub tool: Option<LlmRequest>,
    /// A request, and the schema of its answer.
    pub typed: Option<(LlmRequest, Value)>,
    /// A request for an unknown model.
    pub unknown_model: Option<LlmRequest>,
    /// Keys that no error or debug print may contain.
    pub secrets: Vec<String>,
}

impl Sample {
    /// A sample with a short request only.
    #[must_use]
    pub fn new(short: LlmRequest) -> Self {
        Self {
            short,
            long: None,
            tool: None,
            typed: None,
            unknown_model: None,
            secrets: Vec::new(),
        }
    }
}

/// Runs all cases on a provider; needs a tokio runtime with its timer. Returns the names of those that were
/// skipped.
///
/// # Errors
/// All cases that failed.
///
/// # Panics
/// If the provider panics.
///
/// # Examples
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use std::sync::Arc;
/// use zeph_llm::{LlmError, LlmRequest, conformance, provider_fn};
///
/// let provider = provider_fn("echo", |_| async { Ok::<_, LlmError>("hello") });
/// let sample = conformance::Sample::new(LlmRequest::new("Say hello."));
/// let skipped = conformance::check(Arc::new(provider), sample).await?;
/// assert!(skipped.contains(&"max_output_tokens is honoured"));
/// # Ok(())
/// # }
/// ```
pub async fn check(
    provider: Arc<dyn LlmProvider>,
    sample: Sample,
) -> Result<Vec<&'static str>, Violations> {
    let can = provider.capabilities();
    let harness = Harness { provider, sample };
    let sample = &harness.sample;
    let long = sample.long.as_ref();
    let tool = sample.tool.as_ref();
    let typed = sample.typed.as_ref();
    let unknown = sample.unknown_model.as_ref();
    let native = can.schema == SchemaSupport::Schema;
    let cases = [
        (
            "has a name and constant capabilities",
            Some(harness.introduces_itself()),
        ),
        ("answers within the limit", Some(harness.answers().await)),
        ("two concurrent calls", Some(harness.two_at_a_time().await)),
        (
            "a call after a dropped one",
            Some(harness.after_a_drop().await),
        ),
        (
            "the parts of a stream are its answer",
            Some(harness.streams().await),
        ),
        (
            "max_output_tokens is honoured",
            OptionFuture::from(long.map(|request| harness.honours_limit(request))).await,
        ),
        (
            "calls name offered tools",
            OptionFuture::from(tool.map(|request| harness.calls_tools(request))).await,
        ),
        (
            "an answer follows its schema",
            OptionFuture::from(typed.map(|typed| harness.fits_schema(typed))).await,
        ),
        (
            "unsupported tools are an error",
            OptionFuture::from((!can.tools).then(|| harness.refuses_tools())).await,
        ),
        (
            "unsupported schemas are an error",
            OptionFuture::from((!native).then(|| harness.refuses_schemas())).await,
        ),
        (
            "an unknown model is an error",
            OptionFuture::from(unknown.map(|request| harness.reports_unknown_model(request))).await,
        ),
    ];
    let skipped = cases.iter().filter(|(_, result)| result.is_none());
    let skipped = skipped.map(|(case, _)| *case).collect();
    Violations::check(
        cases
            .into_iter()
            .filter_map(|(case, result)| Some((case, result?))),
    )?;
    Ok(skipped)
}

#[cfg(test)]
mod tests;
