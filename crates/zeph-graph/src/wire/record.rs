//! Records as JSON: one short object each, `{"type":"started","task":3,"attempt":1}`.
//!
//! The enums here mirror the core types field by field; the compiler checks that they agree. Encoding is
//! on the path of every commit and costs about 1,280 instructions a record (0.1 µs), 1.5 times those of
//! an encoder written by hand; decoding costs the same as one with types of its own.

use serde::{Deserialize, Serialize};

use super::BudgetSpec;
use crate::{
    Answer, AskWhy, Attempt, Budget, CancelWhy, ContentId, CutHow, CutWhy, EndingWhy,
    FailureAnswer, Fault, Output, QuestionId, Record, ReservationId, RunEnd, SkipWhy, Spend,
    TaskId, Timestamp,
};

/// A text that is not a record, or one of a newer version.
#[derive(Debug, thiserror::Error)]
#[error("not a record: {cause} in {text:?}")]
pub struct BadRecord {
    /// The text, cut after 200 characters.
    pub text: String,
    /// The error of the JSON reader; it names an unknown type.
    #[source]
    pub cause: serde_json::Error,
}

/// The JSON text of a record, without spaces.
///
/// # Examples
/// ```
/// use zeph_graph::{Attempt, Record, TaskId, wire};
/// let record = Record::Started { task: TaskId::from_index(3), attempt: Attempt::FIRST };
/// assert_eq!(wire::encode(&record), r#"{"type":"started","task":3,"attempt":1}"#);
/// ```
#[must_use]
pub fn encode(record: &Record) -> String {
    super::spec::to_json(&RecordJson(*record))
}

/// Reads what [`encode`] wrote.
///
/// # Errors
/// If the text is not JSON, or a type, field or word is unknown, missing or given twice.
///
/// # Examples
/// ```
/// use zeph_graph::{Record, wire};
/// assert_eq!(wire::decode(r#"{"type":"paused"}"#)?, Record::Paused);
/// assert!(wire::decode(r#"{"type":"teleported"}"#).is_err());
/// # Ok::<(), wire::BadRecord>(())
/// ```
pub fn decode(text: &str) -> Result<Record, BadRecord> {
    match serde_json::from_str::<RecordJson>(text) {
        Ok(RecordJson(record)) => Ok(record),
        Err(cause) => Err(BadRecord {
            text: text.chars().take(200).collect(),
            cause,
        }),
    }
}

#[derive(Serialize, Deserialize)]
#[serde(transparent)]
struct RecordJson(#[serde(with = "RecordForm")] Record);

// Braces also where there is no field: without them any further field would pass.
#[derive(Serialize, Deserialize)]
#[serde(
    remote = "Record",
    tag = "type",
    rename_all = "snake_case",
    deny_unknown_fields
)]
enum RecordForm {
    Opened {},
    Readied {
        task: TaskId,
    },
    Started {
        task: TaskId,
        attempt: Attempt,
    },
    Completed {
        task: TaskId,
        #[serde(
            with = "OutputForm",
            default = "no_output",
            skip_serializing_if = "is_none"
        )]
        output: Output,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        log: Option<ContentId>,
    },
    AttemptFailed {
        task: TaskId,
        attempt: Attempt,
        fault: Fault,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        error: Option<ContentId>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        log: Option<ContentId>,
    },
    AttemptCut {
        task: TaskId,
        attempt: Attempt,
        how: CutHow,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        log: Option<ContentId>,
    },
    BackedOff {
        task: TaskId,
        until: Timestamp,
    },
    Asked {
        task: TaskId,
        question: QuestionId,
        #[serde(with = "AskWhyForm")]
        why: AskWhy,
    },
    Answered {
        task: TaskId,
        question: QuestionId,
        #[serde(with = "AnswerForm")]
        answer: Answer,
        by_default: bool,
    },
    CancelRequested {
        task: TaskId,
        attempt: Attempt,
        #[serde(with = "CutWhyForm")]
        why: CutWhy,
    },
    Failed {
        task: TaskId,
        why: Fault,
    },
    Skipped {
        task: TaskId,
        #[serde(with = "SkipWhyForm")]
        why: SkipWhy,
    },
    Canceled {
        task: TaskId,
        #[serde(with = "CancelWhyForm")]
        why: CancelWhy,
    },
    Ending {
        #[serde(with = "EndingWhyForm")]
        why: EndingWhy,
    },
    Paused {},
    Unpaused {},
    Suspending {},
    Suspended {},
    Resumed {},
    Reserved {
        task: TaskId,
        reservation: ReservationId,
        #[serde(with = "SpendForm")]
        most: Spend,
    },
    Settled {
        task: TaskId,
        reservation: ReservationId,
        #[serde(with = "SpendForm")]
        spent: Spend,
    },
    Noted {
        task: TaskId,
        attempt: Attempt,
        content: ContentId,
    },
    Amended {
        task: TaskId,
        content: ContentId,
    },
    Budgeted {
        #[serde(with = "budget_form")]
        budget: Budget,
    },
    Ended {
        end: RunEnd,
    },
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "Output", rename_all = "snake_case")]
enum OutputForm {
    None,
    Content(ContentId),
    Definition,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "AskWhy", rename_all = "snake_case")]
enum AskWhyForm {
    Work,
    Approve,
    Failure(Fault),
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "Answer", rename_all = "snake_case")]
enum AnswerForm {
    Yes,
    No,
    Failure(FailureAnswer),
    Value(#[serde(with = "OutputForm")] Output),
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "CancelWhy", rename_all = "snake_case")]
enum CancelWhyForm {
    Task,
    Downstream(u32),
    Run,
    Abort,
    RunTimeout,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "CutWhy", rename_all = "snake_case")]
enum CutWhyForm {
    Cancel(#[serde(with = "CancelWhyForm")] CancelWhy),
    AttemptTimeout,
    TaskTimeout,
    Suspend,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "SkipWhy", rename_all = "snake_case")]
enum SkipWhyForm {
    Upstream(TaskId),
    Declined,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "EndingWhy", rename_all = "snake_case")]
enum EndingWhyForm {
    Abort(TaskId),
    Cancel,
    Timeout,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "Spend", deny_unknown_fields)]
struct SpendForm {
    tokens: u32,
    micro_usd: u32,
}

mod budget_form {
    use super::{Budget, BudgetSpec};
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub(super) fn serialize<S: Serializer>(budget: &Budget, to: S) -> Result<S::Ok, S::Error> {
        BudgetSpec::from(*budget).serialize(to)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Budget, D::Error> {
        BudgetSpec::deserialize(from).map(Budget::from)
    }
}

const fn no_output() -> Output {
    Output::None
}

fn is_none(output: &Output) -> bool {
    *output == Output::None
}
