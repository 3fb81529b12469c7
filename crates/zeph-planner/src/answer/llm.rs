//! The answer by a model: all results in one prompt, or summarised first where they are too many.

use std::sync::Arc;

use async_trait::async_trait;
use serde_json::{Value, json};
use zeph_common::{Boundary, escape_terminal, head_tail, plain_text};
use zeph_executor::{ErrorClass, Note, NoteKind, Spend, TaskContext, TaskError};
use zeph_llm::{LlmRequest, LlmResponse, Message, Purpose, StopReason};

use super::reduce::{Item, reduce};
use super::{Aggregator, Answer, DeterministicAggregator, Material, Written, cite, plain};
use crate::call::within_window;
use crate::portion::{Measured, Portion, Room};
use crate::{LlmContext, ModelClient, PromptName, Tally};

/// How much an answer may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AnswerLimits {
    /// The most tokens of one request. Default 16,384; the model's window lowers it.
    ///
    /// More results than fit are summarised first, which costs a call for each group of them.
    pub input_tokens: u32,
    /// The most tokens of the answer. Default 2,048.
    ///
    /// A model that needs more leaves the answer to the deterministic aggregator.
    pub output_tokens: u32,
    /// The most tokens of one summary. Default 768. One that reaches them is cut off, and says so.
    pub summary_tokens: u32,
    /// How often results may be summarised. Default 2; with 0 they are cut to fit instead.
    ///
    /// What is still too long after that is cut.
    pub rounds: u32,
    /// The most summaries of one round. Default 16. Results that fill more are cut to fit these.
    pub summaries: usize,
    /// The most calls at the same time. Default 3, at least 1.
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

/// Lets a model write the answer; falls back to the [`DeterministicAggregator`] and says why.
///
/// - Results stand in the prompt sanitised, the most telling ones first, each with its task's end.
/// - What does not fit into one request is summarised in groups, side by side, a bounded number of
///   times; what is still too long is cut by water-filling, and says so.
/// - Citations, `[task-name]`, are held to the tasks that there are; others are taken out and listed.
/// - Whatever is missing is told in a section of its own, whether the model mentions it or not.
/// - If a call fails or is refused, the answer is cut off, or the budget leaves too little, the results are written
///   down without a model, and the answer says so.
#[derive(Clone, Debug)]
pub struct LlmAggregator {
    llm_context: Arc<LlmContext>,
    model: Option<String>,
    limits: AnswerLimits,
    fallback: DeterministicAggregator,
}

/// The most bytes of an answer, however many tokens a provider lets it have.
const MOST_BYTES: usize = 512 << 10;
/// The code of a request in which not even the tasks' names have room.
const TOO_LONG: &str = "prompt_too_long";
/// With less than so many tokens an answer is not begun: it would be cut off, and paid for.
const LEAST_ANSWER: u32 = 256;
/// How often the results' share is made smaller until the whole prompt fits.
const TRIES: u32 = 4;

/// What one answer is made with.
pub(super) struct Desk<'a> {
    pub(super) llm_context: &'a LlmContext,
    pub(super) cx: &'a TaskContext,
    pub(super) line: ModelClient,
    pub(super) system: String,
    pub(super) limits: AnswerLimits,
    /// The most tokens of one request.
    pub(super) max_input: u64,
}

impl LlmAggregator {
    /// An aggregator that asks the llm_context's default model.
    #[must_use]
    pub fn new(llm_context: Arc<LlmContext>) -> Self {
        Self {
            llm_context,
            model: None,
            limits: AnswerLimits::default(),
            fallback: DeterministicAggregator::default(),
        }
    }

    /// Asks that model of the llm_context. Default: the llm_context's default model.
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

    /// Sets who writes when no model does. Default: one with its default limit.
    #[must_use]
    pub const fn fallback(mut self, fallback: DeterministicAggregator) -> Self {
        self.fallback = fallback;
        self
    }

    async fn ask(&self, cx: &TaskContext, material: &Material) -> Result<Answer, TaskError> {
        let tally = Arc::new(Tally::default());
        let line = self.llm_context.line(cx, self.model.as_deref(), &tally)?;
        let can = line.provider().capabilities();
        let output = self.limits.output_tokens;
        let output = output.min(material.max_tokens.unwrap_or(u32::MAX));
        // A summary may be longer than the answer, and both must fit behind a request.
        let summary = self.limits.summary_tokens.max(1);
        let longest = output.max(summary);
        let (max_input, longest) = within_window(can, self.limits.input_tokens, longest);
        let output = output.min(longest);
        let limits = AnswerLimits {
            summary_tokens: summary.min(longest),
            ..self.limits
        };
        let preamble = self.llm_context.sanitizer().preamble();
        let desk = Desk {
            llm_context: &self.llm_context,
            cx,
            system: self
                .llm_context
                .prompt(PromptName::Answer, &json!({ "preamble": preamble }))?,
            line,
            limits,
            max_input,
        };
        let mut items: Vec<Item<'_>> = material.results.iter().map(Item::of).collect();
        let mut cut = false;
        let mut rounds = 0;
        while rounds < self.limits.rounds && !desk.fits(material, &items).await? {
            rounds += 1;
            cx.progress(format!("summarising the results, round {rounds}…"));
            let reduced = reduce(&desk, material, items, rounds).await?;
            cut |= reduced.cut;
            items = reduced.items;
            if !reduced.smaller {
                break;
            }
        }
        let (text, portions) = desk
            .results(PromptName::AnswerResults, material, &items, &[])
            .await?;
        cut |= portions.iter().any(|portion| portion.cut);
        cx.progress("writing the answer…");
        let reply = desk.call(Purpose::Answer, text, output).await?;
        if reply.stop == StopReason::MaxTokens {
            let told = "the answer reached its limit and is cut off";
            return Err(TaskError::permanent(told).with_code("answer_cut"));
        }
        let cited = cite::check(&clean(&reply.text), &material.names());
        let missing = material.missing();
        let mut text = cited.text.trim().to_owned();
        let closing = plain::closing(&missing);
        if !closing.is_empty() {
            text = format!("{text}\n\n{}", closing.trim_end());
        }
        text.push('\n');
        Ok(Answer {
            text,
            by: Written::Llm,
            why: None,
            cut,
            sources: cited.sources,
            removed: cited.removed,
            missing,
            rounds,
        })
    }
}

/// What a model wrote, without what hides or moves a cursor, and not without end.
pub(super) fn clean(text: &str) -> String {
    head_tail(&plain_text(text).text, MOST_BYTES, Boundary::Char).to_string()
}

impl Desk<'_> {
    /// Whether all results fit into one request as they are.
    async fn fits(&self, material: &Material, items: &[Item<'_>]) -> Result<bool, TaskError> {
        let results = self.results(PromptName::AnswerResults, material, items, &[]);
        match results.await {
            Ok((_, portions)) => Ok(portions.iter().all(|portion| !portion.cut)),
            // Summaries have fewer names, too.
            Err(error) if error.code() == TOO_LONG => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// The tokens that a request leaves for results, beside their names.
    pub(super) fn room(
        &self,
        name: PromptName,
        material: &Material,
        items: &[Item<'_>],
        more: &[(&str, Value)],
    ) -> Result<u64, TaskError> {
        let left_out = Portion::left_out();
        let nothing = items
            .iter()
            .map(|item| item.text.as_ref().map(|_| &left_out));
        let nothing: Vec<Option<&Portion>> = nothing.collect();
        let bare = self.render(name, material, items, &nothing, more)?;
        let base = self.base() + self.line.count(&bare);
        base_error(base, self.max_input)?;
        Ok(self.max_input - base)
    }

    /// A prompt with results in it, within the limit of a request.
    ///
    /// # Errors
    /// `prompt_too_long` if not even the tasks' names fit.
    pub(super) async fn results(
        &self,
        name: PromptName,
        material: &Material,
        items: &[Item<'_>],
        more: &[(&str, Value)],
    ) -> Result<(String, Vec<Portion>), TaskError> {
        let count = |text: &str| self.line.count(text);
        let room = Room {
            sanitizer: self.llm_context.sanitizer(),
            count: &count,
            most: u64::MAX,
        };
        let measured = room
            .measure(items.iter().filter_map(Item::piece).collect())
            .await;
        let mut measured = measured.iter();
        let measured: Vec<Option<&Measured<'_>>> = items
            .iter()
            .map(|item| item.text.as_ref().and_then(|_| measured.next()))
            .collect();
        let mut share = self.room(name, material, items, more)?;
        for tried in 0..TRIES {
            let portions = self.shared(&room, items, &measured, share).await;
            let texts: Vec<Option<&Portion>> = portions.iter().map(Option::as_ref).collect();
            let text = self.render(name, material, items, &texts, more)?;
            let total = self.base() + count(&text);
            if total <= self.max_input {
                return Ok((text, portions.into_iter().flatten().collect()));
            }
            if share == 0 {
                break;
            }
            share = share.saturating_sub((total - self.max_input) << tried);
        }
        Err(too_long(self.max_input + 1, self.max_input))
    }

    /// Fills the last results first; the others share what they leave.
    async fn shared(
        &self,
        room: &Room<'_>,
        items: &[Item<'_>],
        measured: &[Option<&Measured<'_>>],
        budget: u64,
    ) -> Vec<Option<Portion>> {
        let mut left = budget;
        let mut portions = vec![None; items.len()];
        for last in [true, false] {
            let tier: Vec<(usize, &Measured<'_>)> = measured
                .iter()
                .enumerate()
                .filter(|(index, _)| items[*index].last == last)
                .filter_map(|(index, one)| Some((index, (*one)?)))
                .collect();
            let pieces: Vec<&Measured<'_>> = tier.iter().map(|(_, piece)| *piece).collect();
            for ((index, _), portion) in tier.into_iter().zip(room.share(&pieces, left).await) {
                portions[index] = Some(portion);
            }
            let used = portions
                .iter()
                .flatten()
                .map(|one| self.line.count(&one.text));
            left = budget.saturating_sub(used.sum());
        }
        portions
    }

    fn render(
        &self,
        name: PromptName,
        material: &Material,
        items: &[Item<'_>],
        portions: &[Option<&Portion>],
        more: &[(&str, Value)],
    ) -> Result<String, TaskError> {
        let results = items.iter().zip(portions).map(|(item, portion)| {
            json!({
                "name": escape_terminal(&item.name),
                "about": escape_terminal(&item.about),
                "state": item.state,
                "text": portion.map(|portion| &portion.text),
                "cut": item.cut || portion.is_some_and(|portion| portion.cut),
            })
        });
        let results: Vec<Value> = results.collect();
        let mut values = json!({ "goal": material.goal, "results": results });
        for (key, value) in more {
            values[*key] = value.clone();
        }
        self.llm_context.prompt(name, &values)
    }

    /// The tokens of a request without its user message.
    fn base(&self) -> u64 {
        const MESSAGE_TOKENS: u64 = 8;
        self.line.count(&self.system) + 2 * MESSAGE_TOKENS
    }

    /// Looks before a call whether what is left is enough for more than the beginning of an answer.
    async fn check_budget(&self, request: &LlmRequest, output: u32) -> Result<(), TaskError> {
        let left = self.cx.journal().left().await?;
        let input = u32::try_from(request.bytes()).unwrap_or(u32::MAX);
        let output = output.min(LEAST_ANSWER);
        // Where no price is known, the meter has the last word.
        let prices = self.line.provider().capabilities().prices;
        let money = prices.map_or(0, |prices| prices.cost(input, output));
        let least = Spend {
            tokens: input.saturating_add(output),
            micro_usd: u32::try_from(money).unwrap_or(u32::MAX),
        };
        if left.covers(least.into()) {
            Ok(())
        } else {
            Err(TaskError::over_budget(least, left))
        }
    }

    /// Asks once. An answer that is refused or empty is an error; one that is cut off says so.
    pub(super) async fn call(
        &self,
        purpose: Purpose,
        text: String,
        output: u32,
    ) -> Result<LlmResponse, TaskError> {
        let messages = vec![Message::system(&self.system), Message::user(text)];
        let request = LlmRequest::of(messages)
            .purpose(purpose)
            .max_output_tokens(output);
        self.check_budget(&request, output).await?;
        let reply = self.line.ask(&request).await?;
        let fault = |code: &str, told: &str| Err(TaskError::permanent(told).with_code(code));
        if reply.stop == StopReason::Refusal {
            return fault("model_refused", "the model declined");
        }
        if reply.text.trim().is_empty() {
            return fault("empty_answer", "the model answered with nothing");
        }
        Ok(reply)
    }
}

fn base_error(tokens: u64, most: u64) -> Result<(), TaskError> {
    if tokens > most {
        Err(too_long(tokens, most))
    } else {
        Ok(())
    }
}

fn too_long(tokens: u64, most: u64) -> TaskError {
    TaskError::permanent(format!(
        "the names of the tasks alone have {tokens} tokens, and a request may have {most}"
    ))
    .with_code(TOO_LONG)
}

#[async_trait]
impl Aggregator for LlmAggregator {
    async fn aggregate(&self, cx: &TaskContext, material: &Material) -> Result<Answer, TaskError> {
        if material.results.iter().all(|one| one.output.is_none()) {
            // There is nothing that a model could put together.
            let mut answer = self.fallback.write(material);
            answer.why = Some("no task left a result".to_owned());
            return kept(cx, answer).await;
        }
        let answer = match self.ask(cx, material).await {
            Ok(answer) => answer,
            Err(error) if error.class() == ErrorClass::Cancelled => return Err(error),
            Err(error) => {
                let mut answer = self.fallback.write(material);
                answer.why = Some(format!(
                    "{} ({})",
                    escape_terminal(error.message()),
                    error.code()
                ));
                answer
            }
        };
        kept(cx, answer).await
    }
}

async fn kept(cx: &TaskContext, answer: Answer) -> Result<Answer, TaskError> {
    let note = Note::json(NoteKind::Answer, &answer.note())?;
    cx.journal().note(note).await?;
    Ok(answer)
}
