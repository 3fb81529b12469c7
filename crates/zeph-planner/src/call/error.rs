//! What a failed call means for the attempt that made it.

use std::fmt;

use zeph_common::escape_terminal;
use zeph_executor::{ErrorClass, TaskError};
use zeph_llm::{ErrorKind, LlmError};

/// An attempt's error on its way through wrappers that know errors of calls only.
#[derive(Clone, Debug)]
struct Carried(TaskError);

impl fmt::Display for Carried {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for Carried {}

/// Puts an attempt's error into an error of a call; [`task_error`] takes it out again.
pub(super) fn carry(kind: ErrorKind, provider: &str, error: TaskError) -> LlmError {
    LlmError::new(kind, provider, error.message()).with_source(Carried(error))
}

/// An error of the journal as an error of a call.
pub(super) fn from_journal(provider: &str, error: TaskError) -> LlmError {
    let kind = match error.class() {
        ErrorClass::OverBudget => ErrorKind::OverBudget,
        ErrorClass::Cancelled => ErrorKind::Stopped,
        ErrorClass::Retryable | ErrorClass::Permanent | ErrorClass::Refused => {
            ErrorKind::Unsupported
        }
    };
    carry(kind, provider, error)
}

/// The error of a call as the error of the attempt that made it, with the kind's word as its code.
///
/// The provider's wrapper is the one layer that repeats calls: what it gave up on is permanent for
/// the scheduler. `OverBudget` stays that, and `Stopped` is `Cancelled`. What is wrong and what to do
/// about it is in the message. (`?` would make every error of a call retryable: use this instead.)
///
/// # Examples
/// ```
/// use zeph_llm::{ErrorKind, LlmError};
/// use zeph_planner::task_error;
/// use zeph_executor::ErrorClass;
/// let busy = LlmError::new(ErrorKind::RateLimited, "ollama", "too many requests");
/// let error = task_error(&busy.with_attempts(5));
/// assert_eq!((error.class(), error.code()), (ErrorClass::Permanent, "rate_limited"));
/// ```
#[must_use]
pub fn task_error(error: &LlmError) -> TaskError {
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
    let told = error.to_string();
    let told = escape_terminal(&told);
    TaskError::new(class, format!("{told}; {}", advice(error.kind())))
        .with_code(code)
        .with_detail(serde_json::json!({
            "provider": error.provider(),
            "kind": error.kind().word(),
            "status": error.status(),
            "calls": error.attempts(),
        }))
}

/// What to do about it.
fn advice(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::RateLimited => "run fewer agents at a time, or try again later",
        ErrorKind::Unavailable => "try again later, or name another model",
        ErrorKind::Network => "check the address of the service and that it is running",
        ErrorKind::Timeout => "allow the call more time, or ask for a shorter answer",
        ErrorKind::Cut | ErrorKind::Garbled => "try again, or name another model",
        ErrorKind::Unauthorized => "check the key of the service",
        ErrorKind::UnknownModel => "check the model's name, or install it",
        ErrorKind::ContextTooLong => {
            "lower the agent's limit max_input_tokens, or name a model with a larger context"
        }
        ErrorKind::SchemaRejected => "simplify the schema, or name a model that accepts it",
        ErrorKind::BadRequest => "check the agent's limits and its model",
        ErrorKind::NoCredit => "add credit to the account, or name another service",
        ErrorKind::Unsupported => "name a model that can do it",
        ErrorKind::NotRecorded => "record the replies again, or run without the recording",
        ErrorKind::OverBudget => "raise the budget, then retry the task",
        ErrorKind::Stopped => "nothing needs to be done",
        _ => "look at the notes of the attempt",
    }
}

/// Whether a call that failed like this has certainly cost nothing: the service turned it away, or
/// it never got there.
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
        ErrorKind::Unavailable
        | ErrorKind::Timeout
        | ErrorKind::Cut
        | ErrorKind::Garbled
        | ErrorKind::Stopped => false,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::{from_journal, task_error};
    use zeph_executor::{Budget, ErrorClass, Spend, TaskError};
    use zeph_llm::{ErrorKind, LlmError};

    #[test]
    fn what_the_journal_said_comes_out_as_it_went_in() {
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
    fn no_error_of_a_call_is_retried_by_the_scheduler() {
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
