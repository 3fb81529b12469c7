//! The second call after an empty, cut or refused answer, and the mark of a cut answer that is kept.

use std::fmt;

use zeph_executor::TaskError;
use zeph_llm::LlmResponse;
use zeph_sanitizer::{Content, ContentSanitizer};

use super::errors;

/// An answer without a whole result, after which the model is asked once more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Defect {
    /// It has no text.
    Empty,
    /// It is cut off.
    Cut,
    /// The model, or a filter of its service, refused.
    Refused,
}

impl Defect {
    /// The error if the second answer is no better. `most` is the limit of tokens of an answer.
    pub(super) fn error(self, reply: &LlmResponse, most: u32) -> TaskError {
        match self {
            Self::Empty => errors::empty_answer(reply.reasoning.text.len()),
            Self::Cut => errors::answer_cut(&reply.text, most),
            Self::Refused => errors::model_refused(&reply.text),
        }
    }

    /// The message that asks once more.
    pub(super) fn question(
        self,
        reply: &LlmResponse,
        most: u32,
        sanitizer: &dyn ContentSanitizer,
    ) -> String {
        match self {
            Self::Empty if reply.reasoning.text.is_empty() => {
                "Your last answer was empty. Answer the task now.".to_owned()
            }
            Self::Empty => {
                "Your last answer was empty: you only reasoned. Reason less, and answer the task now."
                    .to_owned()
            }
            Self::Cut if reply.tool_calls.is_empty() => format!(
                "Your last answer was cut off, because an answer has at most {most} tokens. Answer again from the beginning, complete and much shorter: about {} words.",
                words(most)
            ),
            Self::Cut => format!(
                "Your last tool calls were cut off, because an answer has at most {most} tokens, and were not made. Call again with shorter arguments, or answer the task in about {} words.",
                words(most)
            ),
            Self::Refused => {
                const PARTS: &str = "If a part of the task can be done, do that part, and say what you left out and why.";
                let reason = reply.text.trim();
                if reason.is_empty() {
                    return format!("Your last answer was refused without a reason. {PARTS}");
                }
                let reason = sanitizer.sanitize(&Content {
                    source: "your last answer",
                    text: reason,
                    max_bytes: MAX_REASON_BYTES,
                });
                format!("You refused the task:\n{}\n\n{PARTS}", reason.text)
            }
        }
    }
}

impl fmt::Display for Defect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "the answer was empty",
            Self::Cut => "the answer was cut off",
            Self::Refused => "the model refused",
        })
    }
}

/// The most bytes of a refusal that the model sees again.
const MAX_REASON_BYTES: usize = 1_000;

/// The words that surely fit into that many tokens.
const fn words(tokens: u32) -> u32 {
    let words = tokens / 2;
    if words == 0 { 1 } else { words }
}

/// The beginning of the mark of a cut answer; its end is `END`.
const MARK: &str = "\n\n… the answer was cut off at its limit of ";
const END: &str = " tokens …";

/// A cut answer with its mark.
pub(crate) fn marked(text: &str, most: u32) -> String {
    format!("{}{MARK}{most}{END}", text.trim_end())
}

/// Whether a text is a cut answer of an agent, which ends with a mark.
///
/// # Examples
/// ```
/// use zeph_planner::agent::is_cut_off;
/// let text = "The first half of an\n\n… the answer was cut off at its limit of 1024 tokens …";
/// assert!(is_cut_off(text));
/// assert!(!is_cut_off("A whole answer"));
/// ```
#[must_use]
pub fn is_cut_off(text: &str) -> bool {
    let number = text.strip_suffix(END).and_then(|text| {
        let (_, number) = text.rsplit_once(MARK)?;
        Some(number)
    });
    number.is_some_and(|number| number.parse::<u32>().is_ok())
}
