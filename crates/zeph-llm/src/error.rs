//! Errors of a call: the kind of failure, and whether another call may help.

use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use zeph_common::format_duration;

/// The error of a call.
///
/// # Examples
/// ```
/// use std::time::Duration;
/// use zeph_llm::{ErrorKind, LlmError};
/// let error = LlmError::new(ErrorKind::RateLimited, "ollama", "too many requests")
///     .with_status(429)
///     .with_retry_after(Duration::from_secs(3));
/// assert!(error.is_retryable());
/// assert_eq!(error.to_string(), "ollama: too many requests (rate_limited, HTTP 429, asks to wait 3s)");
/// ```
#[derive(Clone, Debug)]
pub struct LlmError(Box<Inner>);

#[derive(Clone, Debug)]
struct Inner {
    kind: ErrorKind,
    provider: String,
    message: String,
    status: Option<u16>,
    retry_after: Option<Duration>,
    attempts: u32,
    refused: bool,
    source: Option<Arc<dyn Error + Send + Sync>>,
}

/// The kinds of failures; each needs another remedy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorKind {
    /// Too many calls or tokens per time. Retryable.
    RateLimited,
    /// The service is overloaded or temporarily broken. Retryable.
    Unavailable,
    /// The service could not be reached, so it did not get the request. Retryable.
    Network,
    /// No answer in time, or a stream without new data. Retryable.
    Timeout,
    /// The answer was interrupted, or the connection closed before it. Retryable.
    Cut,
    /// The response is no valid answer. Retryable.
    Garbled,
    /// The key is missing, wrong, or not allowed to do this.
    Unauthorized,
    /// The model does not exist.
    UnknownModel,
    /// The request does not fit into the model's context.
    ContextTooLong,
    /// The service does not accept the schema.
    SchemaRejected,
    /// The service does not accept the request.
    BadRequest,
    /// The account has no credit.
    NoCredit,
    /// The capabilities of the provider exclude the request.
    Unsupported,
    /// There is no recorded or scripted reply to this request.
    NotRecorded,
    /// The budget does not cover the call.
    OverBudget,
    /// The caller was stopped.
    Stopped,
}

impl ErrorKind {
    /// The name in JSON and in messages.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::RateLimited => "rate_limited",
            Self::Unavailable => "unavailable",
            Self::Network => "network",
            Self::Timeout => "timeout",
            Self::Cut => "cut",
            Self::Garbled => "garbled",
            Self::Unauthorized => "unauthorized",
            Self::UnknownModel => "unknown_model",
            Self::ContextTooLong => "context_too_long",
            Self::SchemaRejected => "schema_rejected",
            Self::BadRequest => "bad_request",
            Self::NoCredit => "no_credit",
            Self::Unsupported => "unsupported",
            Self::NotRecorded => "not_recorded",
            Self::OverBudget => "over_budget",
            Self::Stopped => "stopped",
        }
    }

    /// Whether the same call may succeed later.
    #[must_use]
    pub const fn is_retryable(self) -> bool {
        match self {
            Self::RateLimited
            | Self::Unavailable
            | Self::Network
            | Self::Timeout
            | Self::Cut
            | Self::Garbled => true,
            Self::Unauthorized
            | Self::UnknownModel
            | Self::ContextTooLong
            | Self::SchemaRejected
            | Self::BadRequest
            | Self::NoCredit
            | Self::Unsupported
            | Self::NotRecorded
            | Self::OverBudget
            | Self::Stopped => false,
        }
    }
}

impl LlmError {
    /// An error of that kind from that provider. The message must not contain a key.
    #[must_use]
    pub fn new(kind: ErrorKind, provider: impl Into<String>, message: impl Into<String>) -> Self {
        Self(Box::new(Inner {
            kind,
            provider: provider.into(),
            message: message.into(),
            status: None,
            retry_after: None,
            attempts: 1,
            refused: false,
            source: None,
        }))
    }

    /// The same error with the service's status code.
    #[must_use]
    pub fn with_status(mut self, status: u16) -> Self {
        self.0.status = Some(status);
        self
    }

    /// The same error with the shortest wait before another call.
    #[must_use]
    pub fn with_retry_after(mut self, wait: Duration) -> Self {
        self.0.retry_after = Some(wait);
        self
    }

    /// The same error with the number of calls.
    #[must_use]
    pub fn with_attempts(mut self, attempts: u32) -> Self {
        self.0.attempts = attempts;
        self
    }

    /// The same error, of a call that the service refused before it worked on it, so that it cost nothing.
    #[must_use]
    pub fn with_refusal(mut self) -> Self {
        self.0.refused = true;
        self
    }

    /// The same error with its cause.
    #[must_use]
    pub fn with_source(mut self, source: impl Error + Send + Sync + 'static) -> Self {
        self.0.source = Some(Arc::new(source));
        self
    }

    /// The kind of failure.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// Whether the same call may succeed later.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        self.0.kind.is_retryable()
    }

    /// The name of the provider.
    #[must_use]
    pub fn provider(&self) -> &str {
        &self.0.provider
    }

    /// The message. Untrusted text of a service.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// The service's status code, if it gave one.
    #[must_use]
    pub fn status(&self) -> Option<u16> {
        self.0.status
    }

    /// The shortest wait before another call, if the service gave one.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        self.0.retry_after
    }

    /// Whether the service refused the call before it worked on it, so that it cost nothing.
    #[must_use]
    pub fn is_refusal(&self) -> bool {
        self.0.refused
    }

    /// The number of calls.
    #[must_use]
    pub fn attempts(&self) -> u32 {
        self.0.attempts
    }
}

impl fmt::Display for LlmError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let error = &*self.0;
        write!(
            f,
            "{}: {} ({}",
            error.provider,
            error.message,
            error.kind.word()
        )?;
        if let Some(status) = error.status {
            write!(f, ", HTTP {status}")?;
        }
        if let Some(wait) = error.retry_after.filter(|wait| !wait.is_zero()) {
            write!(f, ", asks to wait {}", format_duration(wait))?;
        }
        if error.attempts > 1 {
            write!(f, ", after {} calls", error.attempts)?;
        }
        f.write_str(")")
    }
}

impl Error for LlmError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        let source = self.0.source.as_deref()?;
        Some(source)
    }
}
