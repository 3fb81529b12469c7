//! Why there is no typed answer: each kind asks for another remedy.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use zeph_common::{Boundary, escape_terminal, truncate};

use crate::{JsonError, LlmError, SchemaProblems, ToolCall, Usage};

/// Why a call gave no value of its type. The call was paid for, except in the first two cases.
///
/// All text and values are what the model wrote: untrusted.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TypedError {
    /// The call itself failed.
    #[error(transparent)]
    Llm(#[from] LlmError),
    /// The provider cannot take the schema, or it is none. Nothing was called.
    #[error("the schema cannot be asked for: {0}")]
    Schema(#[from] SchemaProblems),
    /// The model, or a filter of its service, declined. The same request will be declined again.
    #[error("the model declined to answer")]
    Refusal {
        /// What it said.
        text: String,
        /// What it cost.
        usage: Usage,
    },
    /// The answer was cut off. More room, or a smaller answer, may help.
    #[error("the answer is cut off after {} bytes", text.len())]
    Truncated {
        /// What there is.
        text: String,
        /// What it cost.
        usage: Usage,
    },
    /// There is nothing in the answer.
    #[error("the answer is empty")]
    Empty {
        /// What it cost.
        usage: Usage,
    },
    /// The model called tools instead.
    #[error("the model called {} tools instead of answering", calls.len())]
    ToolCalls {
        /// The calls.
        calls: Vec<ToolCall>,
        /// What it cost.
        usage: Usage,
    },
    /// The answer holds no JSON that can be read without a guess.
    #[error("the answer is no JSON: {why}")]
    NotJson {
        /// The answer.
        text: String,
        /// What is wrong.
        #[source]
        why: JsonError,
        /// What it cost.
        usage: Usage,
    },
    /// The answer is JSON that does not fit the schema. Told the problems, a model can correct it.
    #[error("the answer does not fit: {}", Listed(problems))]
    Invalid {
        /// What does not fit: all of it, up to 50.
        problems: Vec<Problem>,
        /// The answer.
        value: Value,
        /// What it cost.
        usage: Usage,
    },
}

impl TypedError {
    /// What the call cost, as far as the service said; nothing if there was no answer.
    #[must_use]
    pub fn usage(&self) -> Usage {
        match self {
            Self::Llm(_) | Self::Schema(_) => Usage::default(),
            Self::Refusal { usage, .. }
            | Self::Truncated { usage, .. }
            | Self::Empty { usage }
            | Self::ToolCalls { usage, .. }
            | Self::NotJson { usage, .. }
            | Self::Invalid { usage, .. } => *usage,
        }
    }

    /// The name in JSON and in messages.
    #[must_use]
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Llm(_) => "call_failed",
            Self::Schema(_) => "schema_unsupported",
            Self::Refusal { .. } => "refusal",
            Self::Truncated { .. } => "truncated",
            Self::Empty { .. } => "empty",
            Self::ToolCalls { .. } => "tool_calls",
            Self::NotJson { .. } => "not_json",
            Self::Invalid { .. } => "invalid",
        }
    }
}

/// The most bytes of a pointer that a message shows.
const SHOWN_POINTER: usize = 200;

/// One way in which a value does not fit its schema. Shown, it is one line of bounded length.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// The JSON Pointer of the place in the value; empty for the value itself. Untrusted: the keys in
    /// it are the model's.
    pub pointer: String,
    /// What is wrong there, in at most 300 bytes, without control characters.
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A pointer has the keys in it that the model made up.
        let pointer = escape_terminal(&self.pointer);
        let pointer = truncate(&pointer, SHOWN_POINTER, Boundary::Char);
        write!(f, "at \"{pointer}\": {}", self.message)
    }
}

struct Listed<'a>(&'a [Problem]);

impl fmt::Display for Listed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.0.iter().enumerate() {
            let separator = if index == 0 { "" } else { "; " };
            write!(f, "{separator}{problem}")?;
        }
        Ok(())
    }
}
