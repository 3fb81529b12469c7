//! Checks for providers of your own: every case from one call.
//!
//! [`check`] asks a provider what its [`Sample`] offers and tells all rules of
//! [`LlmProvider`] that are not kept. What the capabilities do not promise and the
//! sample does not offer is skipped, and said to be.

mod answers;
mod bench;
mod calls;
mod refusals;

use std::sync::Arc;

use serde_json::Value;
pub use zeph_common::{Violation, Violations};

use crate::{LlmProvider, LlmRequest};

use bench::Bench;

/// Requests to try a provider with. Each may be made several times, two at a time.
#[derive(Clone, Debug)]
pub struct Sample {
    /// A request that is answered with some text, within 30 s.
    pub short: LlmRequest,
    /// A request whose answer is longer than its `max_output_tokens`.
    pub long: Option<LlmRequest>,
    /// A request that is answered by calling one of its tools.
    pub tool: Option<LlmRequest>,
    /// A request, and the schema that its answer is to fit.
    pub typed: Option<(LlmRequest, Value)>,
    /// A request for a model that there is not.
    pub unknown_model: Option<LlmRequest>,
    /// Keys that must not show in any error or debug print.
    pub secrets: Vec<String>,
}

impl Sample {
    /// A sample with nothing but a short request.
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

/// What was checked, if all is well.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Checked {
    /// Cases that passed.
    pub passed: Vec<&'static str>,
    /// Cases that the sample or the capabilities leave out.
    pub skipped: Vec<&'static str>,
}

/// What became of a case.
enum Outcome {
    Passed,
    Skipped,
}

/// Runs every case on one provider; needs a tokio runtime with its timer.
///
/// # Errors
/// All rules that are not kept, with what happened.
///
/// # Panics
/// Panics where the provider panics.
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
    let bench = Bench { provider, sample };
    let cases = [
        (
            "says who it is and what it can do",
            bench.introduces_itself(),
        ),
        ("answers within the limit", bench.answers().await),
        ("two calls at a time", bench.two_at_a_time().await),
        ("a call after a dropped one", bench.after_a_drop().await),
        ("a stream is its answer in pieces", bench.streams().await),
        ("max_output_tokens is honoured", bench.honours_limit().await),
        ("tools are called by their names", bench.calls_tools().await),
        ("an answer fits its schema", bench.fits_schema().await),
        (
            "tools that it lacks are refused",
            bench.refuses_tools().await,
        ),
        (
            "schemas that it lacks are refused",
            bench.refuses_schemas().await,
        ),
        (
            "an unknown model is told",
            bench.tells_unknown_model().await,
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
    Violations::check(violations).map(|()| checked)
}

#[cfg(test)]
mod tests;
