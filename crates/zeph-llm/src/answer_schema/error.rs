//! Why a response gives no valid value; each kind suggests another remedy.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use zeph_common::{Boundary, escape_terminal, truncate};

use crate::{JsonError, ToolCall};

/// The value is no valid JSON Schema.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the schema is invalid at {pointer:?}: {message}")]
pub struct SchemaError {
    /// The JSON Pointer of the place in the schema.
    pub pointer: String,
    /// The problem, without control characters.
    pub message: String,
}

/// The error of a response without a value that follows its schema. The call was paid for.
///
/// Texts and values are the model's output: untrusted.
#[derive(Clone, Debug, thiserror::Error)]
pub enum AnswerError {
    /// The model, or a filter of its service, declined. The same request will be declined again.
    #[error("the model declined to answer")]
    Refusal {
        /// The text of the response.
        text: String,
    },
    /// The answer is cut off. A higher limit, or a smaller answer, may help.
    #[error("the answer is cut off after {} bytes", text.len())]
    Truncated {
        /// The text up to the cut.
        text: String,
    },
    /// The answer is empty.
    #[error("the answer is empty{}", thought(*reasoning_bytes))]
    Empty {
        /// The length of the reasoning that came without an answer.
        reasoning_bytes: usize,
    },
    /// The model called tools instead of answering.
    #[error("the model called {} tools instead of answering", calls.len())]
    ToolCalls {
        /// The calls.
        calls: Vec<ToolCall>,
    },
    /// The answer contains no JSON that can be read without a guess.
    #[error("the answer is no valid JSON: {why}")]
    NotJson {
        /// The text of the response.
        text: String,
        /// The reason.
        #[source]
        why: JsonError,
    },
    /// The answer violates the schema. A model that gets the problems can correct it.
    #[error("the answer violates the schema: {}", listed(problems))]
    Invalid {
        /// The violations, at most 50.
        problems: Vec<Problem>,
        /// The answer.
        value: Value,
    },
}

/// The most bytes of a pointer in a message.
const SHOWN_POINTER: usize = 200;

/// A violation of a schema. Its text is one line of bounded length.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// The JSON Pointer of the place in the value; empty for the value itself. Untrusted: it contains keys
    /// of the value.
    pub pointer: String,
    /// The problem: at most 300 bytes, without control characters.
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let pointer = escape_terminal(&self.pointer);
        let pointer = truncate(&pointer, SHOWN_POINTER, Boundary::Char);
        write!(f, "at \"{pointer}\": {}", self.message)
    }
}

/// What a model did instead of answering.
fn thought(bytes: usize) -> String {
    match bytes {
        0 => String::new(),
        bytes => format!(": the model only reasoned, in {bytes} bytes"),
    }
}

fn listed(problems: &[Problem]) -> String {
    let problems: Vec<String> = problems.iter().map(ToString::to_string).collect();
    problems.join("; ")
}
