//! The answer without a model: every result under the name of its task, and a list of the missing ones.

use std::fmt::Write as _;

use async_trait::async_trait;
use serde_json::Value;
use zeph_common::{Boundary, escape_terminal, head_tail, plain_text};
use zeph_executor::{TaskContext, TaskError};
use zeph_llm::{EstimatingCounter, TokenCounter as _};

use super::{Aggregator, Answer, AnswerInput, MissingResult, TaskResult, WrittenBy};
use crate::prompt_budget::bytes_within;
use crate::water_fill::water_fill;

/// Writes the results as Markdown, without a model: final results first, each under its task's name, long
/// ones without their middle, and the missing ones at the end.
///
/// It removes control characters and changes nothing else; the
/// [`AnswerExecutor`](super::AnswerExecutor) replaces active content such as images. The same input gives
/// the same text.
///
/// # Examples
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use zeph_planner::answer::{AnswerInput, AnswerParams, DeterministicAggregator};
/// use zeph_executor::{Parent, TaskInput, TaskOutput};
/// let mut input = TaskInput::default();
/// input.parents.insert("count".into(), Parent::completed(TaskOutput::from("3 bugs")));
/// let params = AnswerParams { goal: "How many bugs?".into(), ..AnswerParams::default() };
/// let answer = DeterministicAggregator::default().write(&AnswerInput::new(&params, &input));
/// assert_eq!(answer.text, "## count\n\n3 bugs\n");
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug)]
pub struct DeterministicAggregator {
    max_tokens: u64,
}

impl Default for DeterministicAggregator {
    fn default() -> Self {
        Self {
            max_tokens: Self::DEFAULT_TOKENS,
        }
    }
}

/// The fewest tokens of an excerpt of a result; below that the result is left out.
const MIN_TOKENS: u64 = 16;

impl DeterministicAggregator {
    /// The default limit of an answer: 16,000 tokens, about 64 KiB of English.
    pub const DEFAULT_TOKENS: u64 = 16_000;

    /// An aggregator with that limit of tokens. The input's own limit can only lower it; a limit below 64
    /// counts as 64.
    #[must_use]
    pub const fn new(max_tokens: u64) -> Self {
        Self { max_tokens }
    }

    /// Writes the answer. Token counts are estimates, so the answer can exceed the limit a little.
    #[must_use]
    pub fn write(&self, input: &AnswerInput) -> Answer {
        let missing = input.missing();
        let budget = self
            .max_tokens
            .min(input.max_tokens.map_or(u64::MAX, u64::from));
        let budget = budget.max(64);
        let closing = closing(&missing);
        let closing = match estimate(&closing) {
            tokens if tokens > budget / 2 => without_middle(&closing, budget / 2),
            _ => closing,
        };
        let present: Vec<&TaskResult> = input
            .results
            .iter()
            .filter(|result| result.output.is_some())
            .collect();
        let bodies: Vec<String> = present.iter().map(|result| body(result)).collect();
        let heads: Vec<String> = present.iter().map(|result| head(result)).collect();
        let left = budget.saturating_sub(estimate(&closing));
        let shares = shares(&present, &heads, &bodies, left);
        let mut text = String::new();
        let mut any_cut = false;
        let mut sources = Vec::new();
        let mut omitted = 0_usize;
        for (((result, head), body), share) in present.iter().zip(&heads).zip(&bodies).zip(shares) {
            match share {
                Some(share) => {
                    let whole = estimate(body) <= share;
                    any_cut |= !whole;
                    let body = if whole {
                        body.clone()
                    } else {
                        without_middle(body, share)
                    };
                    let _ = write!(text, "{head}\n\n{}\n\n", fenced(result, &body));
                    sources.push(result.name.clone());
                }
                None => {
                    any_cut = true;
                    omitted += 1;
                }
            }
        }
        if omitted > 0 {
            let _ = write!(text, "(Results left out for length: {omitted}.)\n\n");
        }
        text.push_str(&closing);
        let end = text.trim_end().len();
        text.truncate(end);
        text.push('\n');
        Answer {
            text,
            by: WrittenBy::Deterministic,
            why: None,
            cut: any_cut,
            sources,
            removed: Vec::new(),
            missing,
            rounds: 0,
        }
    }
}

/// An estimate of the tokens of a text that does not depend on earlier texts.
fn estimate(text: &str) -> u64 {
    EstimatingCounter::new().count(text).into()
}

/// The tokens for the body of each result; `None` for a result that is left out.
///
/// Final results get their shares first, the others share the rest.
fn shares(
    results: &[&TaskResult],
    heads: &[String],
    bodies: &[String],
    budget: u64,
) -> Vec<Option<u64>> {
    // The size of each head with its blank lines, and of the whole result.
    let heads: Vec<u64> = heads.iter().map(|head| estimate(head) + 2).collect();
    let wants = heads.iter().zip(bodies);
    let wants: Vec<u64> = wants.map(|(head, body)| head + estimate(body)).collect();
    let mut left = budget;
    let mut shares = vec![None; results.len()];
    for is_final in [true, false] {
        let tier = (0..results.len()).filter(|&index| results[index].is_final == is_final);
        let tier: Vec<usize> = tier.collect();
        let level = |count: usize| water_fill(tier[..count].iter().map(|&one| wants[one]), left);
        let is_useful = |count: usize| {
            let level = level(count);
            let least = |one: usize| wants[one].min(heads[one] + MIN_TOKENS);
            tier[..count].iter().all(|&one| least(one) <= level)
        };
        // If there is no room for an excerpt of each, some results are left out.
        let (mut shown, mut too_many) = (0, tier.len() + 1);
        while too_many - shown > 1 {
            let middle = shown.midpoint(too_many);
            if is_useful(middle) {
                shown = middle;
            } else {
                too_many = middle;
            }
        }
        let level = level(shown);
        let mut used = 0;
        for &index in &tier[..shown] {
            let given = wants[index].min(level);
            shares[index] = Some(given.saturating_sub(heads[index]));
            used += given;
        }
        left = left.saturating_sub(used);
    }
    shares
}

fn head(result: &TaskResult) -> String {
    let name = escape_terminal(&result.name);
    let about = escape_terminal(&result.about);
    let about = about.trim();
    if about.is_empty() {
        format!("## {name}")
    } else {
        format!("## {name}: {about}")
    }
}

/// A result as text: a string as it is, anything else as indented JSON; blobs by name and size.
fn body(result: &TaskResult) -> String {
    let Some(output) = &result.output else {
        return String::new();
    };
    let value = &output.value;
    let mut text = match value {
        Value::String(text) => plain_text(text).text.trim().to_owned(),
        Value::Null => String::from("(empty)"),
        Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
            let json = serde_json::to_string_pretty(value).unwrap_or_default();
            plain_text(&json).text.into_owned()
        }
    };
    for (name, bytes) in &output.blobs {
        let (name, bytes) = (escape_terminal(name), bytes.len());
        let _ = write!(text, "\n(with {name}, {bytes} bytes)");
    }
    text
}

/// Puts objects and lists into a code fence. No line of JSON is a fence, so the result cannot close it.
fn fenced(result: &TaskResult, body: &str) -> String {
    let value = result.output.as_ref().map(|output| &output.value);
    match value {
        Some(Value::Object(_) | Value::Array(_)) => format!("```json\n{body}\n```"),
        Some(Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_)) | None => {
            body.to_owned()
        }
    }
}

/// The beginning and the end of a text, of at most that many tokens.
fn without_middle(text: &str, tokens: u64) -> String {
    let bytes = bytes_within(text, tokens, &estimate);
    head_tail(text, bytes, Boundary::Char).to_string()
}

/// The section of the answer about missing results; empty if there are none.
pub(super) fn closing(missing: &[MissingResult]) -> String {
    const SHOWN: usize = 50;
    if missing.is_empty() {
        return String::new();
    }
    let mut text = String::from("## Missing\n\n");
    for one in missing.iter().take(SHOWN) {
        let _ = writeln!(
            text,
            "- {}: {}",
            escape_terminal(&one.task),
            escape_terminal(&one.why)
        );
    }
    if missing.len() > SHOWN {
        let _ = writeln!(text, "- and {} more", missing.len() - SHOWN);
    }
    text
}

#[async_trait]
impl Aggregator for DeterministicAggregator {
    async fn aggregate(&self, cx: &TaskContext, input: &AnswerInput) -> Result<Answer, TaskError> {
        self.write(input).noted(cx).await
    }
}
