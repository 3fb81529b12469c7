//! The error of a failed call as the error of its attempt.

use zeph_common::escape_terminal;
use zeph_executor::{ErrorClass, TaskError};
use zeph_llm::{ErrorKind, LlmError};

/// An attempt's error inside a call's error, so that it passes through the retry layer.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{0}")]
struct Carried(TaskError);

/// Wraps an attempt's error in a call's error; [`task_error`] unwraps it.
pub(super) fn carry(kind: ErrorKind, provider: &str, error: TaskError) -> LlmError {
    LlmError::new(kind, provider, error.message()).with_source(Carried(error))
}

/// Whether it wraps an attempt's error.
pub(super) fn is_carried(error: &LlmError) -> bool {
    let source = std::error::Error::source(error);
    matches!(source, Some(source) if source.is::<Carried>())
}

/// The journal's error as an error of a call.
pub(super) fn from_journal(provider: &str, error: TaskError) -> LlmError {
    let kind = match error.class() {
        ErrorClass::OverBudget => ErrorKind::OverBudget,
        ErrorClass::Cancelled | ErrorClass::Interrupted => ErrorKind::Stopped,
        ErrorClass::Retryable | ErrorClass::Permanent | ErrorClass::Refused | ErrorClass::Skip => {
            ErrorKind::Unsupported
        }
    };
    carry(kind, provider, error)
}

/// The error of a call as the error of the attempt that made it, with the kind's word as its code.
///
/// The retry layer of the provider is the only one, so its final error is permanent for the scheduler.
/// `OverBudget` stays, `Stopped` becomes `Cancelled`. The message contains the advice. (The `?` operator
/// would make every error of a call retryable.)
pub(crate) fn task_error(error: &LlmError) -> TaskError {
    let source = std::error::Error::source(error);
    if let Some(Carried(carried)) = source.and_then(|source| source.downcast_ref()) {
        return carried.clone();
    }
    let (class, code) = if error.kind() == ErrorKind::OverBudget {
        (ErrorClass::OverBudget, "over_budget")
    } else if error.kind() == ErrorKind::Stopped {
        (ErrorClass::Cancelled, "cancelled")
    } else {
        (ErrorClass::Permanent, error.kind().word())
    };
    let message = error.to_string();
    let message = escape_terminal(&message);
    TaskError::new(class, format!("{message}; {}", advice(error.kind())))
        .with_code(code)
        .with_detail(serde_json::json!({
            "provider": error.provider(),
            "kind": error.kind().word(),
            "status": error.status(),
            "calls": error.attempts(),
        }))
}

/// The advice for a person.
fn advice(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::RateLimited => "run fewer agents in parallel, or try again later",
        ErrorKind::Unavailable => "try again later, or use another model",
        ErrorKind::Network => "check the address of the service, and that it is running",
        ErrorKind::Timeout => "allow more time for a call, or ask for a shorter answer",
        ErrorKind::Cut | ErrorKind::Garbled => "try again, or use another model",
        ErrorKind::Unauthorized => "check the API key of the service",
        ErrorKind::UnknownModel => "check the model's name, or install it",
        ErrorKind::ContextTooLong => {
            "lower the agent's limit max_input_tokens, or use a model with a larger context"
        }
        ErrorKind::SchemaRejected => "simplify the schema, or use a model that accepts it",
        ErrorKind::BadRequest => "check the agent's limits and its model",
        ErrorKind::NoCredit => "add credit to the account, or use another service",
        ErrorKind::Unsupported => "use a model that supports it",
        ErrorKind::NotRecorded => "run without the recording",
        ErrorKind::OverBudget => "raise the budget, then retry the task",
        ErrorKind::Stopped => "no action is needed",
    }
}

/// Whether a failed call certainly cost nothing: the service rejected it, or was not reached.
pub(super) fn cost_nothing(kind: ErrorKind) -> bool {
    match kind {
        ErrorKind::RateLimited
        | ErrorKind::Network
        | ErrorKind::Unauthorized
        | ErrorKind::UnknownModel
        | ErrorKind::ContextTooLong
        | ErrorKind::SchemaRejected
        | ErrorKind::BadRequest
        | ErrorKind::NoCredit
        | ErrorKind::Unsupported
        | ErrorKind::NotRecorded
        | ErrorKind::OverBudget => true,
        // The service may have worked on it.
        ErrorKind::Unavailable
        | ErrorKind::Timeout
        | ErrorKind::Cut
        | ErrorKind::Garbled
        | ErrorKind::Stopped => false,
    }
}

#[cfg(test)]
mod tests {
    use super::{from_journal, task_error};
    use zeph_executor::{Budget, ErrorClass, Spend, TaskError};
    use zeph_llm::{ErrorKind, LlmError};

    #[test]
    fn an_error_of_the_journal_passes_through_unchanged() {
        let asked = Spend {
            tokens: 7,
            micro_usd: 0,
        };
        for error in [
            TaskError::over_budget(asked, Budget::UNLIMITED),
            TaskError::cancelled("the attempt is over"),
            TaskError::permanent("no").with_code("note_too_large"),
        ] {
            let called = from_journal("m", error.clone()).with_attempts(3);
            assert!(!called.is_retryable());
            let back = task_error(&called);
            assert_eq!(format!("{back:?}"), format!("{error:?}"));
        }
    }

    #[test]
    fn the_scheduler_retries_no_error_of_a_call() {
        let table = [
            (
                ErrorKind::RateLimited,
                ErrorClass::Permanent,
                "rate_limited",
            ),
            (ErrorKind::Timeout, ErrorClass::Permanent, "timeout"),
            (ErrorKind::OverBudget, ErrorClass::OverBudget, "over_budget"),
            (ErrorKind::Stopped, ErrorClass::Cancelled, "cancelled"),
        ];
        for (kind, class, code) in table {
            let error = task_error(&LlmError::new(kind, "m", "a\x1b[31mb"));
            assert_eq!((error.class(), error.code()), (class, code));
            assert!(!error.message().contains('\x1b'));
        }
    }
}
