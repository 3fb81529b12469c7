//! The conformance suite of [`LlmProvider`]: [`check`] runs all cases.
//!
//! Cases that the capabilities exclude, or that the [`Sample`] has no request for, are skipped and reported
//! as skipped.

mod answers;
mod calls;
mod harness;
mod refusals;

use std::sync::Arc;

use serde_json::Value;

use crate::{LlmProvider, LlmRequest};

use harness::Harness;
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

/// The cases of a provider that conforms.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Checked {
    /// Cases that passed.
    pub passed: Vec<&'static str>,
    /// Cases that the sample or the capabilities exclude.
    pub skipped: Vec<&'static str>,
}

/// The outcome of a case without a failure.
enum Outcome {
    Passed,
    Skipped,
}

/// Runs all cases on a provider; needs a tokio runtime with its timer.
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
/// let checked = conformance::check(Arc::new(provider), sample).await?;
/// assert!(checked.passed.contains(&"answers within the limit"));
/// # Ok(())
/// # }
/// ```
pub async fn check(provider: Arc<dyn LlmProvider>, sample: Sample) -> Result<Checked, Violations> {
    let harness = Harness { provider, sample };
    let cases = [
        (
            "has a name and constant capabilities",
            harness.introduces_itself(),
        ),
        ("answers within the limit", harness.answers().await),
        ("two concurrent calls", harness.two_at_a_time().await),
        ("a call after a dropped one", harness.after_a_drop().await),
        (
            "the parts of a stream are its answer",
            harness.streams().await,
        ),
        (
            "max_output_tokens is honoured",
            harness.honours_limit().await,
        ),
        ("calls name offered tools", harness.calls_tools().await),
        ("an answer follows its schema", harness.fits_schema().await),
        (
            "unsupported tools are an error",
            harness.refuses_tools().await,
        ),
        (
            "unsupported schemas are an error",
            harness.refuses_schemas().await,
        ),
        (
            "an unknown model is an error",
            harness.tells_unknown_model().await,
        ),
    ];
    let mut checked = Checked::default();
    let mut violations = Vec::new();
    for (case, result) in cases {
        match result {
            Ok(Outcome::Passed) => checked.passed.push(case),
            Ok(Outcome::Skipped) => checked.skipped.push(case),
            Err(problem) => violations.push(Violation { case, problem }),
        }
    }
    Violations::check(violations)?;
    Ok(checked)
}

#[cfg(test)]
mod tests;
