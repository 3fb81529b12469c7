//! The answer without a model: every result under the name of its task, and a list of the missing ones.

use std::borrow::Cow;
use std::fmt::Write as _;

use async_trait::async_trait;
use serde_json::Value;
use zeph_common::{Boundary, escape_terminal, head_tail, plain_text};
use zeph_executor::{TaskContext, TaskError};
use zeph_llm::{EstimatingCounter, TokenCounter as _};

use super::cuts::{self, CutResult};
use super::{Aggregator, Answer, AnswerInput, MissingResult, TaskResult, WrittenBy};
use crate::prompt_budget::bytes_within;
use crate::share_search::{LeftOver, ReducedShare};
use crate::water_fill::water_fill_useful;

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

    /// Writes the answer. It has at most the limit of tokens, by an estimate; results that fit stay whole.
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
        let results = input.results.iter().filter(|one| one.output.is_some());
        let results = results.map(Shown::new).collect();
        let Page {
            text,
            cuts,
            sources,
        } = Pages {
            results,
            closing,
            budget,
        }
        .page();
        Answer {
            text,
            by: WrittenBy::Deterministic,
            why: None,
            cut: !cuts.is_empty(),
            cuts,
            cut_off: false,
            sources,
            removed: Vec::new(),
            missing,
            rounds: 0,
        }
    }
}

/// A result, as the answer shows it.
struct Shown<'a> {
    result: &'a TaskResult,
    head: String,
    body: String,
    /// The tokens of the head with its blank lines.
    head_tokens: u64,
    body_tokens: u64,
}

impl<'a> Shown<'a> {
    fn new(result: &'a TaskResult) -> Self {
        let (head, body) = (head(result), body(result));
        // Objects have the lines of a fence around them.
        let around = estimate(&fenced(result, "")) + 2;
        Self {
            head_tokens: estimate(&head) + around,
            body_tokens: estimate(&body),
            result,
            head,
            body,
        }
    }

    /// The body within a share of tokens.
    fn within(&self, share: u64) -> (Cow<'_, str>, usize) {
        if self.body_tokens <= share {
            return (Cow::Borrowed(&self.body), self.body.len());
        }
        let (text, kept) = shortened(&self.body, share);
        (Cow::Owned(text), kept)
    }
}

/// A body, and how many bytes of the result are in it; `None` if the result is left out.
type Body<'a> = Option<(Cow<'a, str>, usize)>;

/// A written page.
struct Page {
    text: String,
    cuts: Vec<CutResult>,
    sources: Vec<String>,
}

/// What a page is written from.
struct Pages<'a> {
    results: Vec<Shown<'a>>,
    closing: String,
    budget: u64,
}

impl Pages<'_> {
    /// The page that fits: with everything, or else with the shares that leave as little as possible.
    fn page(&self) -> Page {
        let whole = self.bodies(&vec![Some(u64::MAX); self.results.len()]);
        let all: u64 = self.results.iter().map(|one| one.body_tokens).sum();
        // Counts of parts do not add up exactly, so what may fit is tried.
        if all <= self.budget.saturating_mul(2) {
            let page = self.write(&whole);
            if estimate(&page.text) <= self.budget {
                return page;
            }
        }
        let most = self.budget.saturating_sub(self.closing_tokens());
        let mut search = ReducedShare::new(most, self.budget);
        loop {
            let shares = self.shares(search.share);
            let bodies = self.bodies(&shares);
            let page = self.write(&bodies);
            if !search.reduce(estimate(&page.text)) {
                return self.fill(page, shares, bodies);
            }
        }
    }

    /// Gives what is left over to the longest result that is cut.
    fn fill<'a>(
        &'a self,
        mut page: Page,
        mut shares: Vec<Option<u64>>,
        mut bodies: Vec<Body<'a>>,
    ) -> Page {
        let mut left = LeftOver::of(self.budget, estimate(&page.text));
        while let Some(more) = left.more() {
            let cut = self.results.iter().zip(&shares).enumerate();
            let cut = cut.filter_map(|(index, (one, share))| {
                let share = share.unwrap_or(0);
                (share < one.body_tokens).then_some((share, index))
            });
            let Some((share, index)) = cut.max() else {
                break;
            };
            let wider = self.results[index].within(share + more);
            let before = bodies[index].replace(wider);
            let filled = self.write(&bodies);
            if left.fits(estimate(&filled.text)) {
                page = filled;
                shares[index] = Some(share + more);
            } else {
                bodies[index] = before;
            }
        }
        page
    }

    /// The most names in the section about what is cut: few in a short answer.
    fn most_cuts(&self) -> usize {
        usize::try_from(self.budget / 400)
            .unwrap_or(20)
            .clamp(1, 20)
    }

    /// The tokens of the sections at the end, at most.
    fn closing_tokens(&self) -> u64 {
        let mut names: Vec<&str> = self
            .results
            .iter()
            .map(|one| one.result.name.as_str())
            .collect();
        names.sort_by_key(|name| std::cmp::Reverse(name.len()));
        let cuts = names.iter().map(|name| CutResult::new(name, 0.0, false));
        let cuts: Vec<CutResult> = cuts.collect();
        estimate(&self.closing) + estimate(&cuts::section(&cuts, self.most_cuts()))
    }

    /// The bodies with their shares of tokens.
    fn bodies(&self, shares: &[Option<u64>]) -> Vec<Body<'_>> {
        let all = self.results.iter().zip(shares);
        all.map(|(one, share)| share.map(|share| one.within(share)))
            .collect()
    }

    /// The page with these bodies.
    fn write(&self, bodies: &[Body<'_>]) -> Page {
        let mut text = String::new();
        let (mut cuts, mut sources) = (Vec::new(), Vec::new());
        for (one, body) in self.results.iter().zip(bodies) {
            let name = &one.result.name;
            let Some((body, kept)) = body else {
                cuts.push(CutResult::new(name, 0.0, false));
                continue;
            };
            if *kept < one.body.len() {
                let share = *kept as f64 / one.body.len().max(1) as f64;
                cuts.push(CutResult::new(name, share, false));
            }
            let _ = write!(text, "{}\n\n{}\n\n", one.head, fenced(one.result, body));
            sources.push(name.clone());
        }
        for section in [&cuts::section(&cuts, self.most_cuts()), &self.closing] {
            if !section.is_empty() {
                let _ = write!(text, "{}\n\n", section.trim_end());
            }
        }
        let end = text.trim_end().len();
        text.truncate(end);
        text.push('\n');
        Page {
            text,
            cuts,
            sources,
        }
    }

    /// The tokens for the body of each result; `None` for a result that is left out.
    ///
    /// Final results get their shares first, the others share the rest.
    fn shares(&self, budget: u64) -> Vec<Option<u64>> {
        let wants = self
            .results
            .iter()
            .map(|one| one.head_tokens + one.body_tokens);
        let wants: Vec<u64> = wants.collect();
        let mut left = budget;
        let mut shares = vec![None; self.results.len()];
        for is_final in [true, false] {
            let tier = self.results.iter().enumerate();
            let tier = tier.filter(|(_, one)| one.result.is_final == is_final);
            let tier: Vec<usize> = tier.map(|(index, _)| index).collect();
            let demands: Vec<u64> = tier.iter().map(|&one| wants[one]).collect();
            let least = tier
                .iter()
                .map(|&one| self.results[one].head_tokens + MIN_TOKENS);
            let least: Vec<u64> = least.collect();
            // If there is no room for an excerpt of each, some results are left out.
            let (shown, level) = water_fill_useful(&demands, &least, left);
            let mut used = 0;
            for &index in &tier[..shown] {
                let given = wants[index].min(level);
                shares[index] = Some(given.saturating_sub(self.results[index].head_tokens));
                used += given;
            }
            left = left.saturating_sub(used);
        }
        shares
    }
}

/// An estimate of the tokens of a text that does not depend on earlier texts.
fn estimate(text: &str) -> u64 {
    EstimatingCounter.count(text).into()
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
    shortened(text, tokens).0
}

/// The same, and how many bytes of the text are in it.
fn shortened(text: &str, tokens: u64) -> (String, usize) {
    let bytes = bytes_within(text, tokens, &estimate);
    let kept = head_tail(text, bytes, Boundary::Char);
    (kept.to_string(), text.len() - kept.cut)
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
