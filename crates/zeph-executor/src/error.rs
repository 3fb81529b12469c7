//! Errors of attempts, with a class that decides about retries.

use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use zeph_common::Boundary;
use zeph_graph::{Budget, Fault, Spend};

use crate::output::fits;

/// The most bytes of a message or of one cause. A longer text is cut between two words, with a mark.
const MAX_TEXT_BYTES: usize = 8 << 10;
/// The most causes of a chain.
const MAX_CAUSES: usize = 32;
/// The most bytes of JSON as detail.
const MAX_DETAIL_BYTES: usize = 64 << 10;

/// The class of an error: whether another attempt can succeed.
///
/// Closed: a driver must handle every class, so a new one is a breaking change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorClass {
    /// Another attempt may succeed.
    Retryable,
    /// Another attempt would fail in the same way.
    Permanent,
    /// The attempt stopped because it was canceled.
    Cancelled,
    /// The work was ended by force in its middle, so what it did is unknown. The effect class decides.
    Interrupted,
    /// A policy, a person or a provider refused; another attempt would be refused too.
    Refused,
    /// There is nothing to do: the task is skipped, which is no failure.
    Skip,
    /// The budget does not cover the next call. With a larger budget another attempt may succeed.
    OverBudget,
}

impl ErrorClass {
    /// The fault that the journal records for an error of this class.
    ///
    /// An attempt that ends as canceled although the scheduler has not canceled it has failed like
    /// any other.
    #[must_use]
    pub const fn fault(self) -> Fault {
        match self {
            Self::Retryable | Self::Cancelled => Fault::Error,
            Self::Permanent => Fault::Permanent,
            Self::Interrupted => Fault::Interrupted,
            Self::Refused => Fault::Refused,
            Self::Skip => Fault::Skipped,
            Self::OverBudget => Fault::Budget,
        }
    }
}

/// The failure of an attempt.
///
/// Any error that implements [`std::error::Error`] becomes a retryable one through `?`, with its
/// sources as the [chain](Self::chain). For that reason this type does not implement the trait itself.
///
/// # Examples
/// ```
/// use std::time::Duration;
/// use zeph_executor::{ErrorClass, TaskError};
///
/// fn port(text: &str) -> Result<u16, TaskError> {
///     Ok(text.parse()?)
/// }
/// assert_eq!(port("x").unwrap_err().class(), ErrorClass::Retryable);
///
/// let busy = TaskError::retryable("the server is busy").with_retry_after(Duration::from_secs(3));
/// assert_eq!(busy.retry_after(), Some(Duration::from_secs(3)));
/// ```
#[derive(Clone)]
pub struct TaskError(Box<Inner>);

#[derive(Clone)]
struct Inner {
    class: ErrorClass,
    code: Option<Box<str>>,
    message: String,
    source: Option<Arc<dyn Error + Send + Sync>>,
    chain: Vec<String>,
    retry_after: Option<Duration>,
    detail: Option<Value>,
}

impl TaskError {
    /// An error of that class. The shorter constructors below are the usual way.
    #[must_use]
    pub fn new(class: ErrorClass, message: impl Into<String>) -> Self {
        Self(Box::new(Inner {
            class,
            code: None,
            message: bounded(message.into()),
            source: None,
            chain: Vec::new(),
            retry_after: None,
            detail: None,
        }))
    }

    /// Another attempt may succeed. Code `failed`.
    #[must_use]
    pub fn retryable(message: impl Into<String>) -> Self {
        Self::new(ErrorClass::Retryable, message)
    }

    /// Another attempt would fail in the same way. Code `failed`.
    #[must_use]
    pub fn permanent(message: impl Into<String>) -> Self {
        Self::new(ErrorClass::Permanent, message)
    }

    /// A policy, a person or a provider refused. Code `refused`.
    #[must_use]
    pub fn refused(message: impl Into<String>) -> Self {
        Self::new(ErrorClass::Refused, message)
    }

    /// There is nothing to do: the task ends as skipped, for this reason. Code `skipped`.
    #[must_use]
    pub fn skip(reason: impl Into<String>) -> Self {
        Self::new(ErrorClass::Skip, reason)
    }

    /// The budget does not cover the next call. Code `over_budget`; the detail holds `asked` and `left`.
    #[must_use]
    pub fn over_budget(asked: Spend, left: Budget) -> Self {
        let message = format!("the budget does not cover {asked}: {left} left");
        Self::new(ErrorClass::OverBudget, message).with_detail(serde_json::json!({
            "asked": { "tokens": asked.tokens, "micro_usd": asked.micro_usd },
            "left": { "tokens": left.tokens(), "micro_usd": left.micro_usd() },
        }))
    }

    /// The attempt stopped because it was canceled. Code `cancelled`.
    #[must_use]
    pub fn cancelled(message: impl Into<String>) -> Self {
        Self::new(ErrorClass::Cancelled, message)
    }

    /// The work was ended by force in its middle. Code `interrupted`.
    ///
    /// A task whose effect class is `at_most_once` is repeated only after an answer of a person; any other
    /// is repeated as after a retryable error, or ends as stopped if it was being stopped.
    #[must_use]
    pub fn interrupted(message: impl Into<String>) -> Self {
        Self::new(ErrorClass::Interrupted, message)
    }

    /// The same error with a stable code for programs, such as `output_too_large`.
    #[must_use]
    pub fn with_code(mut self, code: impl Into<Box<str>>) -> Self {
        self.0.code = Some(code.into());
        self
    }

    /// The same error with a floor for the delay before the next attempt.
    ///
    /// It has an effect on retryable errors only.
    #[must_use]
    pub fn with_retry_after(mut self, delay: Duration) -> Self {
        self.0.retry_after = Some(delay);
        self
    }

    /// The same error with its cause; the cause and its sources become the chain.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        let source: Arc<dyn Error + Send + Sync> = source.into().into();
        self.0.chain = causes(Some(&*source));
        self.0.source = Some(source);
        self
    }

    /// The same error with facts for programs, as JSON.
    ///
    /// A detail of more than 64 KiB of JSON is replaced by a note with the reason.
    #[must_use]
    pub fn with_detail(mut self, detail: impl Into<Value>) -> Self {
        let detail = detail.into();
        self.0.detail = Some(if fits(&detail, MAX_DETAIL_BYTES) {
            detail
        } else {
            serde_json::json!({ "dropped": "the detail was larger than 64 KiB" })
        });
        self
    }

    /// The class.
    #[must_use]
    pub fn class(&self) -> ErrorClass {
        self.0.class
    }

    /// The stable code; by default `failed`, `cancelled`, `interrupted`, `refused`,
    /// `skipped` or `over_budget`, by class.
    #[must_use]
    pub fn code(&self) -> &str {
        match (&self.0.code, self.0.class) {
            (Some(code), _) => code,
            (None, ErrorClass::Retryable | ErrorClass::Permanent) => "failed",
            (None, ErrorClass::Cancelled) => "cancelled",
            (None, ErrorClass::Interrupted) => "interrupted",
            (None, ErrorClass::Refused) => "refused",
            (None, ErrorClass::Skip) => "skipped",
            (None, ErrorClass::OverBudget) => "over_budget",
        }
    }

    /// What went wrong, at most 8 KiB.
    ///
    /// A longer text is cut before the word that exceeds the limit (or 4 KiB earlier, if the word is
    /// longer than that), so that a secret without white space is never cut in two and the redactor
    /// finds it.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// The floor for the delay before the next attempt, if there is one.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        self.0.retry_after
    }

    /// Facts for programs.
    #[must_use]
    pub fn detail(&self) -> Option<&Value> {
        self.0.detail.as_ref()
    }

    /// The causes as text, nearest first; at most 32, each at most 8 KiB.
    #[must_use]
    pub fn chain(&self) -> Vec<String> {
        self.0.chain.clone()
    }

    /// The source, while the error is in this process.
    #[must_use]
    pub fn source(&self) -> Option<&(dyn Error + Send + Sync + 'static)> {
        self.0.source.as_deref()
    }

    pub(crate) fn with_chain(mut self, chain: Vec<String>) -> Self {
        self.0.chain = chain.into_iter().take(MAX_CAUSES).map(bounded).collect();
        self
    }
}

impl<E: Error + Send + Sync + 'static> From<E> for TaskError {
    fn from(error: E) -> Self {
        let mut made = Self::retryable(error.to_string());
        made.0.chain = causes(error.source());
        made.0.source = Some(Arc::new(error));
        made
    }
}

/// The message; with `{:#}` the causes follow, after colons.
impl fmt::Display for TaskError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)?;
        if f.alternate() {
            for cause in &self.0.chain {
                write!(f, ": {cause}")?;
            }
        }
        Ok(())
    }
}

impl fmt::Debug for TaskError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TaskError")
            .field("class", &self.0.class)
            .field("code", &self.code())
            .field("message", &self.0.message)
            .field("chain", &self.0.chain)
            .field("retry_after", &self.0.retry_after)
            .field("detail", &self.0.detail)
            .finish()
    }
}

/// A text within its limit, cut after a whole word: the redactor runs later and must find whole
/// secrets.
fn bounded(text: String) -> String {
    let short = zeph_common::truncate(&text, MAX_TEXT_BYTES, Boundary::Word);
    if short.is_cut() {
        short.to_string()
    } else {
        text
    }
}

/// An error and its sources as text.
fn causes(first: Option<&(dyn Error + 'static)>) -> Vec<String> {
    let sources = std::iter::successors(first, |&error| error.source());
    sources
        .take(MAX_CAUSES)
        .map(|error| bounded(error.to_string()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::{Error, ErrorClass, TaskError};
    use proptest::prelude::*;
    use std::time::Duration;

    #[derive(Debug, thiserror::Error)]
    #[error("cannot read the page")]
    struct Unreadable(#[source] std::num::ParseIntError);

    fn unreadable() -> Result<(), Unreadable> {
        "x".parse::<u8>().map(drop).map_err(Unreadable)
    }

    #[test]
    fn a_question_mark_keeps_message_and_causes() {
        fn body() -> Result<(), TaskError> {
            Ok(unreadable()?)
        }
        let error = body().expect_err("the text is no number");
        assert_eq!(
            (error.class(), error.code()),
            (ErrorClass::Retryable, "failed")
        );
        assert_eq!(error.to_string(), "cannot read the page");
        assert_eq!(
            format!("{error:#}"),
            "cannot read the page: invalid digit found in string"
        );
        assert!(
            error
                .source()
                .is_some_and(<dyn Error + Send + Sync>::is::<Unreadable>)
        );
    }

    #[test]
    fn a_source_is_the_first_cause() {
        let error = TaskError::permanent("no").with_source(unreadable().expect_err("no number"));
        assert_eq!(
            error.chain(),
            ["cannot read the page", "invalid digit found in string"]
        );
    }

    #[test]
    fn what_is_too_long_is_cut_and_says_so() {
        let error = TaskError::refused("x".repeat(10_000)).with_detail("y".repeat(70_000));
        assert!(error.message().ends_with("… (5904 bytes cut)"));
        let detail = error.detail().map(ToString::to_string);
        assert!(detail.is_some_and(|text| text.contains("larger than 64 KiB")));
    }

    #[test]
    fn codes_follow_the_class_until_one_is_given() {
        let cancelled = TaskError::cancelled("stop");
        assert_eq!(cancelled.code(), "cancelled");
        let coded = cancelled.with_code("idle").with_retry_after(Duration::ZERO);
        assert_eq!(
            (coded.code(), coded.retry_after()),
            ("idle", Some(Duration::ZERO))
        );
        assert_eq!(TaskError::refused("no").code(), "refused");
    }

    proptest! {
        #[test]
        fn no_secret_is_cut_in_half(before in 8_100usize..8_200, dash in any::<bool>()) {
            let joint = if dash { "-" } else { " " };
            let text = format!("{}{joint}S3CRETKEY{}", "x".repeat(before), "y".repeat(99));
            let wrapped = TaskError::permanent("no").with_source(text.clone());
            for short in [TaskError::permanent(text.clone()).message(), &wrapped.chain()[0]] {
                let whole = short.contains("S3CRETKEY");
                prop_assert!(whole || !short.contains('S'), "{}", &short[short.len() - 200..]);
                prop_assert!(short.len() < 8_250);
            }
        }
    }
}
