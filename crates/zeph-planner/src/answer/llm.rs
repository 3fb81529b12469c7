//! The aggregator that asks a model: all results in one prompt, or their summaries.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use serde_json::json;
use zeph_common::escape_terminal;
use zeph_executor::{ErrorClass, TaskContext, TaskError};
use zeph_llm::{Purpose, StopReason};

use super::citations::{self, Summaries};
use super::cuts::{self, CutResult};
use super::session::{AnswerSession, Item, clean};
use super::summaries::summarize;
use super::{Aggregator, Answer, AnswerInput, DeterministicAggregator, WrittenBy, deterministic};
use crate::LlmContext;
use crate::agent::marked;
use crate::call::{AttemptSpend, within_window};
use crate::prompts::PromptName;

/// The most names in the section of an answer about results that are not used in full.
const MOST_CUTS: usize = 20;

/// The limits of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AnswerLimits {
    /// The most tokens of one request. Default 16,384; the model's context window reduces it.
    ///
    /// If the results do not fit, they are first summarised in groups, with one call for each group.
    pub input_tokens: u32,
    /// The most tokens of the answer. Default 2,048. A longer answer is cut off, and says so in its last line.
    pub output_tokens: u32,
    /// The most tokens of one summary. Default 768. A longer summary is cut off and marked.
    pub summary_tokens: u32,
    /// The most rounds of summaries. Default 2; with 0 the results are cut instead. Summaries that still
    /// do not fit are cut.
    pub rounds: u32,
    /// The most summaries of one round. Default 16. A result that is larger than one request is divided among
    /// several. If the results need more, they are cut.
    pub summaries: usize,
    /// The most calls in parallel. Default 3, at least 1.
    pub parallel: usize,
}

impl Default for AnswerLimits {
    fn default() -> Self {
        Self {
            input_tokens: 16_384,
            output_tokens: 2_048,
            summary_tokens: 768,
            rounds: 2,
            summaries: 16,
            parallel: 3,
        }
    }
}

/// Has a model write the answer; falls back to the [`DeterministicAggregator`] with a reason.
///
/// - The prompt contains the sanitized results, the most important ones first, each with the end of its
///   task.
/// - Results that do not fit into one request are summarised in groups, in a limited number of rounds, and a
///   result that is larger than a request is divided among several. What still does not fit is cut by
///   water-filling; a section of the answer names these results and the share that was used.
/// - Citations, `[task-name]`, of unknown tasks are removed and listed. A citation of a summary is replaced
///   by the tasks that the summary cites, or else by all that it is of.
/// - An answer that is cut off at its limit is kept, with a mark.
/// - A section lists the tasks without a result, whether the model mentions them or not.
/// - If a call fails or is refused, or the budget is too small, the deterministic answer is used and states
///   the reason.
#[derive(Clone, Debug)]
pub struct LlmAggregator {
    context: Arc<LlmContext>,
    model: Option<String>,
    limits: AnswerLimits,
    fallback: DeterministicAggregator,
}

impl LlmAggregator {
    /// An aggregator with the default model of a context.
    #[must_use]
    pub fn new(context: Arc<LlmContext>) -> Self {
        Self {
            context,
            model: None,
            limits: AnswerLimits::default(),
            fallback: DeterministicAggregator::default(),
        }
    }

    /// Sets the model. Default: the default model of the context.
    #[must_use]
    pub fn model(mut self, model: impl Into<String>) -> Self {
        self.model = Some(model.into());
        self
    }

    /// Sets the limits. Default: see [`AnswerLimits`].
    #[must_use]
    pub const fn limits(mut self, limits: AnswerLimits) -> Self {
        self.limits = limits;
        self
    }

    async fn ask(&self, cx: &TaskContext, input: &AnswerInput) -> Result<Answer, TaskError> {
        let spend = Arc::new(AttemptSpend::default());
        let client = self.context.client(cx, self.model.as_deref(), &spend)?;
        let can = client.provider().capabilities();
        let output = self.limits.output_tokens;
        let output = output.min(input.max_tokens.unwrap_or(u32::MAX));
        // Both an answer and a summary must fit beside a request.
        let summary = self.limits.summary_tokens.max(1);
        let longest = output.max(summary);
        let (max_input, longest) = within_window(can, self.limits.input_tokens, longest);
        let output = output.min(longest);
        let limits = AnswerLimits {
            output_tokens: output,
            summary_tokens: summary.min(longest),
            ..self.limits
        };
        let preamble = self.context.sanitizer().preamble();
        let values = json!({ "preamble": preamble });
        let session = AnswerSession {
            cx,
            context: &self.context,
            input,
            system: self.context.prompt(PromptName::Answer, &values)?,
            client,
            limits,
            max_input,
        };
        let items = input.results.iter().enumerate();
        let mut items: Vec<Item<'_>> = items.map(|(task, one)| Item::new(task, one)).collect();
        let mut summaries = Summaries::new();
        let mut rounds = 0;
        let prompt = loop {
            if let Some(prompt) = session.whole(&items).await? {
                break prompt;
            }
            let is_last = rounds >= self.limits.rounds;
            let mut can_shrink = !is_last;
            if !is_last {
                rounds += 1;
                cx.progress(format!("summarising the results, round {rounds}…"));
                let summarized = summarize(&session, items, rounds, &mut summaries).await?;
                items = summarized.items;
                rounds -= u32::from(summarized.summaries == 0);
                can_shrink = summarized.summaries > 1;
            }
            if !can_shrink {
                break session
                    .prompt(PromptName::AnswerResults, &items, &[])
                    .await?;
            }
        };
        prompt.mark_cuts(&mut items);
        cx.progress("writing the answer…");
        let reply = session.call(Purpose::Answer, prompt.prompt, output).await?;
        let cited = citations::check(&clean(&reply.text), &input.names(), &summaries);
        let missing = input.missing();
        let mut text = cited.text.trim().to_owned();
        let cut_off = reply.stop == StopReason::MaxTokens;
        if cut_off {
            text = marked(&text, output);
        }
        let cuts = cuts(input, &items);
        let closing = [
            cuts::section(&cuts, MOST_CUTS),
            deterministic::closing(&missing),
        ];
        for section in closing.iter().filter(|section| !section.is_empty()) {
            text = format!("{text}\n\n{}", section.trim_end());
        }
        text.push('\n');
        Ok(Answer {
            text,
            by: WrittenBy::Llm,
            why: None,
            cut: !cuts.is_empty(),
            cuts,
            cut_off,
            sources: cited.sources,
            removed: cited.removed,
            missing,
            rounds,
        })
    }
}

/// The results that are not used in full.
fn cuts(input: &AnswerInput, items: &[Item<'_>]) -> Vec<CutResult> {
    let mut used: BTreeMap<usize, (f64, bool, bool)> = BTreeMap::new();
    for one in items.iter().flat_map(|item| &item.of) {
        let (share, cut, summary_cut) = used.entry(one.task).or_default();
        *share += one.share;
        *cut |= one.cut;
        *summary_cut |= one.summary_cut;
    }
    let cuts = used
        .into_iter()
        .filter_map(|(task, (share, cut, summary_cut))| {
            let result = &input.results[task];
            let whole = CutResult {
                task: result.name.clone(),
                percent: 100,
                summary_cut,
            };
            match (cut, summary_cut) {
                (true, _) => Some(CutResult::new(&result.name, share, summary_cut)),
                (false, true) => Some(whole),
                (false, false) => None,
            }
        });
    cuts.collect()
}

#[async_trait]
impl Aggregator for LlmAggregator {
    async fn aggregate(&self, cx: &TaskContext, input: &AnswerInput) -> Result<Answer, TaskError> {
        let simple = |why: String| Answer {
            why: Some(why),
            ..self.fallback.write(input)
        };
        let answer = match self.ask(cx, input).await {
            Ok(answer) => answer,
            Err(error) if error.class() == ErrorClass::Cancelled => return Err(error),
            Err(error) => {
                let why = escape_terminal(error.message());
                simple(format!("{why} ({})", error.code()))
            }
        };
        answer.noted(cx).await
    }
}
