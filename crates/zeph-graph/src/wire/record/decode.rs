//! Reading records: strict, because a journal is only ever written by this program.

use std::num::NonZeroU32;

use serde::Deserialize;

use crate::wire::BudgetSpec;
use crate::{
    Answer, AskWhy, CancelWhy, ContentId, CutHow, CutWhy, EndingWhy, FailureAnswer, Fault, Output,
    Record, RunEnd, SkipWhy, Spend, TaskId, Timestamp,
};

/// A text that is not a record, or one of a newer version.
#[derive(Debug, thiserror::Error)]
#[error("not a record: {cause} in {text:?}")]
pub struct BadRecord {
    /// The text, cut after 200 characters.
    pub text: String,
    /// What is wrong with it; an unknown type is named.
    #[source]
    pub cause: serde_json::Error,
}

/// Reads what [`encode`](super::encode) wrote.
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
    match serde_json::from_str::<Wire>(text) {
        Ok(wire) => Ok(wire.into()),
        Err(cause) => Err(BadRecord {
            text: text.chars().take(200).collect(),
            cause,
        }),
    }
}

// Braces also where there is no field: without them any further field would pass.
#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
enum Wire {
    Opened {},
    Readied {
        task: u32,
    },
    Started {
        task: u32,
        attempt: NonZeroU32,
    },
    Completed {
        task: u32,
        output: Option<WireOutput>,
        log: Option<NonZeroU32>,
    },
    AttemptFailed(WireFailed),
    AttemptCut(WireCut),
    BackedOff {
        task: u32,
        until: u64,
    },
    Asked {
        task: u32,
        question: NonZeroU32,
        why: WireAskWhy,
    },
    Answered {
        task: u32,
        question: NonZeroU32,
        answer: WireAnswer,
        by_default: bool,
    },
    CancelRequested {
        task: u32,
        attempt: NonZeroU32,
        why: WireCutWhy,
    },
    Failed {
        task: u32,
        why: Fault,
    },
    Skipped {
        task: u32,
        why: WireSkipWhy,
    },
    Canceled {
        task: u32,
        why: CancelWhy,
    },
    Ending {
        why: WireEndingWhy,
    },
    Paused {},
    Unpaused {},
    Suspending {},
    Suspended {},
    Resumed {},
    Reserved(WireSpend),
    Settled(WireSpend),
    Noted(WireNoted),
    Amended {
        task: u32,
        content: NonZeroU32,
    },
    Budgeted(BudgetSpec),
    Ended {
        end: RunEnd,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WireFailed {
    task: u32,
    attempt: NonZeroU32,
    fault: Fault,
    error: Option<NonZeroU32>,
    log: Option<NonZeroU32>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WireCut {
    task: u32,
    attempt: NonZeroU32,
    how: CutHow,
    log: Option<NonZeroU32>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WireNoted {
    task: u32,
    attempt: NonZeroU32,
    content: NonZeroU32,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WireSpend {
    task: u32,
    reservation: NonZeroU32,
    tokens: u32,
    micro_usd: u32,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum WireOutput {
    None,
    Content(NonZeroU32),
    Definition,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum WireAskWhy {
    Work,
    Approve,
    Failure(Fault),
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum WireAnswer {
    Yes,
    No,
    Failure(FailureAnswer),
    Value(WireOutput),
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum WireCutWhy {
    Cancel(CancelWhy),
    AttemptTimeout,
    TaskTimeout,
    Suspend,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum WireSkipWhy {
    Upstream(u32),
    Declined,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum WireEndingWhy {
    Abort(u32),
    Cancel,
    Timeout,
}

fn id(index: u32) -> TaskId {
    TaskId::from_index(index)
}

fn content(number: Option<NonZeroU32>) -> Option<ContentId> {
    number.map(ContentId::from)
}

impl From<Wire> for Record {
    fn from(wire: Wire) -> Self {
        match wire {
            Wire::Opened {} => Self::Opened,
            Wire::Readied { task } => Self::Readied { task: id(task) },
            Wire::Started { task, attempt } => Self::Started {
                task: id(task),
                attempt: attempt.into(),
            },
            Wire::Completed { task, output, log } => Self::Completed {
                task: id(task),
                output: output.map_or(Output::None, Output::from),
                log: content(log),
            },
            Wire::AttemptFailed(failed) => failed.into(),
            Wire::AttemptCut(cut) => cut.into(),
            Wire::BackedOff { task, until } => Self::BackedOff {
                task: id(task),
                until: Timestamp::from_micros(until),
            },
            Wire::Asked {
                task,
                question,
                why,
            } => Self::Asked {
                task: id(task),
                question: question.into(),
                why: why.into(),
            },
            Wire::Answered {
                task,
                question,
                answer,
                by_default,
            } => Self::Answered {
                task: id(task),
                question: question.into(),
                answer: answer.into(),
                by_default,
            },
            Wire::CancelRequested { task, attempt, why } => Self::CancelRequested {
                task: id(task),
                attempt: attempt.into(),
                why: why.into(),
            },
            Wire::Failed { task, why } => Self::Failed {
                task: id(task),
                why,
            },
            Wire::Skipped { task, why } => Self::Skipped {
                task: id(task),
                why: why.into(),
            },
            Wire::Canceled { task, why } => Self::Canceled {
                task: id(task),
                why,
            },
            Wire::Ending { why } => Self::Ending { why: why.into() },
            Wire::Paused {} => Self::Paused,
            Wire::Unpaused {} => Self::Unpaused,
            Wire::Suspending {} => Self::Suspending,
            Wire::Suspended {} => Self::Suspended,
            Wire::Resumed {} => Self::Resumed,
            Wire::Reserved(wire) => wire.reserved(),
            Wire::Settled(wire) => wire.settled(),
            Wire::Noted(wire) => wire.into(),
            Wire::Amended { task, content } => Self::Amended {
                task: id(task),
                content: content.into(),
            },
            Wire::Budgeted(budget) => Self::Budgeted {
                budget: budget.into(),
            },
            Wire::Ended { end } => Self::Ended { end },
        }
    }
}

impl WireSpend {
    const fn spend(&self) -> Spend {
        Spend {
            tokens: self.tokens,
            micro_usd: self.micro_usd,
        }
    }

    fn reserved(self) -> Record {
        Record::Reserved {
            task: id(self.task),
            reservation: self.reservation.into(),
            most: self.spend(),
        }
    }

    fn settled(self) -> Record {
        Record::Settled {
            task: id(self.task),
            reservation: self.reservation.into(),
            spent: self.spend(),
        }
    }
}

impl From<WireNoted> for Record {
    fn from(wire: WireNoted) -> Self {
        Self::Noted {
            task: id(wire.task),
            attempt: wire.attempt.into(),
            content: wire.content.into(),
        }
    }
}

impl From<WireFailed> for Record {
    fn from(wire: WireFailed) -> Self {
        Self::AttemptFailed {
            task: id(wire.task),
            attempt: wire.attempt.into(),
            fault: wire.fault,
            error: content(wire.error),
            log: content(wire.log),
        }
    }
}

impl From<WireCut> for Record {
    fn from(wire: WireCut) -> Self {
        Self::AttemptCut {
            task: id(wire.task),
            attempt: wire.attempt.into(),
            how: wire.how,
            log: content(wire.log),
        }
    }
}

impl From<WireOutput> for Output {
    fn from(wire: WireOutput) -> Self {
        match wire {
            WireOutput::None => Self::None,
            WireOutput::Content(id) => Self::Content(id.into()),
            WireOutput::Definition => Self::Definition,
        }
    }
}

impl From<WireAskWhy> for AskWhy {
    fn from(wire: WireAskWhy) -> Self {
        match wire {
            WireAskWhy::Work => Self::Work,
            WireAskWhy::Approve => Self::Approve,
            WireAskWhy::Failure(fault) => Self::Failure(fault),
        }
    }
}

impl From<WireAnswer> for Answer {
    fn from(wire: WireAnswer) -> Self {
        match wire {
            WireAnswer::Yes => Self::Yes,
            WireAnswer::No => Self::No,
            WireAnswer::Failure(answer) => Self::Failure(answer),
            WireAnswer::Value(output) => Self::Value(output.into()),
        }
    }
}

impl From<WireCutWhy> for CutWhy {
    fn from(wire: WireCutWhy) -> Self {
        match wire {
            WireCutWhy::Cancel(why) => Self::Cancel(why),
            WireCutWhy::AttemptTimeout => Self::AttemptTimeout,
            WireCutWhy::TaskTimeout => Self::TaskTimeout,
            WireCutWhy::Suspend => Self::Suspend,
        }
    }
}

impl From<WireSkipWhy> for SkipWhy {
    fn from(wire: WireSkipWhy) -> Self {
        match wire {
            WireSkipWhy::Upstream(parent) => Self::Upstream(id(parent)),
            WireSkipWhy::Declined => Self::Declined,
        }
    }
}

impl From<WireEndingWhy> for EndingWhy {
    fn from(wire: WireEndingWhy) -> Self {
        match wire {
            WireEndingWhy::Abort(task) => Self::Abort(id(task)),
            WireEndingWhy::Cancel => Self::Cancel,
            WireEndingWhy::Timeout => Self::Timeout,
        }
    }
}
