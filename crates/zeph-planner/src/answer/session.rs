//! One answer in progress: its prompts within the token limit, and its calls.

use std::borrow::Cow;

use serde_json::{Value, json};
use zeph_common::{Boundary, escape_terminal, head_tail, plain_text};
use zeph_executor::{Budget, TaskContext, TaskError};
use zeph_llm::{LlmRequest, LlmResponse, Message, Prices, Purpose, StopReason};
use zeph_sanitizer::Content;

use super::llm::AnswerLimits;
use super::{AnswerInput, TaskResult};
use crate::LlmContext;
use crate::agent::{empty_answer, is_cut_off};
use crate::call::ModelClient;
use crate::prompt_budget::{
    FitError, Fitted, MESSAGE_TOKENS, PromptBudget, Section, SectionText, value_text,
};
use crate::prompts::PromptName;

/// The most bytes of an answer, whatever its limit in tokens.
const MAX_BYTES: usize = 512 << 10;
/// The code if not even the names of the tasks fit into a request.
const TOO_LONG: &str = "prompt_too_long";

/// A prompt has the reasons of this many tasks without a result, each of at most these bytes.
const MAX_REASONS: usize = 20;
const MAX_REASON_BYTES: usize = 400;

/// The parts of one answer.
pub(super) struct AnswerSession<'a> {
    pub(super) cx: &'a TaskContext,
    pub(super) context: &'a LlmContext,
    pub(super) input: &'a AnswerInput,
    pub(super) client: ModelClient,
    pub(super) system: String,
    pub(super) limits: AnswerLimits,
    /// The most tokens of one request.
    pub(super) max_input: u64,
}

/// A named text of a prompt: a result, or a summary of several.
#[derive(Clone, Debug)]
pub(super) struct Item<'a> {
    pub(super) name: Cow<'a, str>,
    pub(super) about: Cow<'a, str>,
    pub(super) state: Cow<'static, str>,
    /// The text; `None` without a result.
    pub(super) text: Option<Cow<'a, str>>,
    /// Whether the text is redacted and cleaned, so that it may be divided.
    pub(super) is_clean: bool,
    /// The tasks that it is of.
    pub(super) of: Vec<Origin>,
    /// Whether no other result was made from it.
    pub(super) is_final: bool,
    /// Whether a part of it is missing already.
    pub(super) cut: bool,
    /// Why there is no text. Untrusted.
    pub(super) why: Option<Cow<'a, str>>,
}

/// How much of the result of a task is in an item.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Origin {
    /// The index of the task among the results.
    pub(super) task: usize,
    /// The share of its result, from 0 to 1.
    pub(super) share: f64,
    /// Whether a part of the share is lost.
    pub(super) cut: bool,
    /// Whether a summary of it was cut off.
    pub(super) summary_cut: bool,
}

impl<'a> Item<'a> {
    /// The item of a result, with its index among the results.
    pub(super) fn new(task: usize, result: &'a TaskResult) -> Self {
        let output = result.output.as_ref();
        let text = output.map(|output| value_text(&output.value));
        let about = if text.is_some() {
            &result.about
        } else {
            &result.missing
        };
        Self {
            name: Cow::Borrowed(&result.name),
            about: Cow::Borrowed(about),
            state: Cow::Borrowed(result.state_word()),
            is_clean: false,
            of: vec![Origin {
                task,
                share: 1.0,
                cut: false,
                summary_cut: false,
            }],
            cut: text.as_deref().is_some_and(is_cut_off),
            text,
            is_final: result.is_final,
            why: (result.why.as_ref()).map(|why| Cow::Owned(why.to_string())),
        }
    }

    /// A part of the text is lost; that share is left.
    pub(super) fn keep(&mut self, share: f64) {
        self.divide(share);
        self.of.iter_mut().for_each(|one| one.cut = true);
        self.cut = true;
    }

    /// The item is that share of what it was; the rest is in others.
    pub(super) fn divide(&mut self, share: f64) {
        self.of.iter_mut().for_each(|one| one.share *= share);
    }

    /// An item of a completed task.
    #[cfg(test)]
    pub(super) fn test(task: usize, text: &str) -> Item<'static> {
        Item {
            name: Cow::Owned(format!("t{task}")),
            about: Cow::Borrowed(""),
            state: Cow::Borrowed("completed"),
            text: Some(Cow::Owned(text.to_owned())),
            is_clean: false,
            of: vec![Origin {
                task,
                share: 1.0,
                cut: false,
                summary_cut: false,
            }],
            is_final: true,
            cut: false,
            why: None,
        }
    }

    fn section(&self) -> Option<Section<'_>> {
        let text = self.text.as_deref()?;
        Some(Section {
            priority: self.is_final,
            ..Section::new(&*self.name, text)
        })
    }
}

impl Fitted {
    /// Whether a section is cut.
    pub(super) fn is_cut(&self) -> bool {
        self.sections.iter().any(|section| section.cut)
    }

    /// Marks the items whose text is cut in the prompt.
    pub(super) fn mark_cuts(&self, items: &mut [Item<'_>]) {
        let texts = items.iter_mut().filter(|item| item.text.is_some());
        for (item, section) in texts.zip(&self.sections) {
            if section.cut {
                item.keep(section.share);
            }
        }
    }
}

/// A model's text without control characters, and of limited length.
pub(super) fn clean(text: &str) -> String {
    head_tail(&plain_text(text).text, MAX_BYTES, Boundary::Char).to_string()
}

impl AnswerSession<'_> {
    /// The prompt with all results, if they fit into one request without a cut.
    pub(super) async fn whole(&self, items: &[Item<'_>]) -> Result<Option<Fitted>, TaskError> {
        match self.prompt(PromptName::AnswerResults, items, &[]).await {
            Ok(prompt) => Ok(Some(prompt).filter(|prompt| !prompt.is_cut())),
            // Summaries have fewer names.
            Err(error) if error.code() == TOO_LONG => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// How many of these calls for summaries a budget covers, with the answer after them: all, or fewer.
    ///
    /// Each call counts as it is reserved, in full, because a service may not report what it used. So the
    /// budget that is left before the first call decides, in a replay as well.
    pub(super) fn affordable(&self, prompts: &[Fitted], summary: u32, left: Budget) -> usize {
        let prices = self.client.provider().capabilities().prices;
        let prices = prices.unwrap_or(Prices::FREE);
        let bytes = |text: usize| {
            // As JSON line breaks and quotes have two bytes.
            let bytes = (text + self.system.len()).saturating_mul(9) / 8 + 1_024;
            u32::try_from(bytes).unwrap_or(u32::MAX)
        };
        let longest = prompts
            .iter()
            .map(|one| one.prompt.len())
            .max()
            .unwrap_or(0);
        let fits = |count: usize| {
            let call = bytes(longest);
            // The summaries are the results of the answer; a token has some four bytes.
            let results = (summary as usize + 96).saturating_mul(4 * count);
            let answer = bytes(results.min(longest));
            let times = |one: u64| one.saturating_mul(count as u64);
            let output = self.limits.output_tokens;
            let tokens =
                times(u64::from(call) + u64::from(summary)) + u64::from(answer) + u64::from(output);
            let money =
                times(prices.cost(call, summary)).saturating_add(prices.cost(answer, output));
            left.tokens().is_none_or(|left| tokens <= left)
                && left.micro_usd().is_none_or(|left| money <= left)
        };
        (1..=prompts.len())
            .rev()
            .find(|count| fits(*count))
            .unwrap_or(0)
    }

    /// The tokens of an item without its text: name, state, description and delimiters.
    pub(super) fn overhead(&self, item: &Item<'_>) -> u64 {
        const STATE: &str = "\n\n (completed, part 10 of 16, cut): \n";
        let empty = self.context.sanitizer().sanitize(&Content {
            source: &item.name,
            text: "",
            max_bytes: 0,
        });
        let texts = [STATE, &item.name, &item.about, &empty.text];
        texts.iter().map(|text| self.client.count(text)).sum()
    }

    /// The tokens of a request without results.
    pub(super) fn room(&self, name: PromptName, more: &[(&str, Value)]) -> Result<u64, TaskError> {
        let bare = self.render(name, &[], &[], more)?;
        let base = self.base() + self.client.count(&bare);
        if base > self.max_input {
            return Err(self.too_long(base));
        }
        Ok(self.max_input - base)
    }

    /// A prompt with results, within the limit of a request. Final results come before the others.
    ///
    /// # Errors
    /// `prompt_too_long` if not even the names of the tasks fit.
    pub(super) async fn prompt(
        &self,
        name: PromptName,
        items: &[Item<'_>],
        more: &[(&str, Value)],
    ) -> Result<Fitted, TaskError> {
        let count = |text: &str| self.client.count(text);
        let prompt = PromptBudget {
            sanitizer: self.context.sanitizer(),
            count: &count,
            max_section: u64::MAX,
        };
        let sections = items.iter().filter_map(Item::section);
        let sections = prompt.measure(sections.collect()).await;
        let render = |texts: &[SectionText]| self.render(name, items, texts, more);
        let left = self.max_input.saturating_sub(self.base());
        let fitted = prompt.fit(&sections, left, render).await;
        fitted.map_err(|error| match error {
            FitError::TooLong(tokens) => self.too_long(self.base() + tokens),
            FitError::Render(error) => error,
        })
    }

    fn render(
        &self,
        name: PromptName,
        items: &[Item<'_>],
        texts: &[SectionText],
        more: &[(&str, Value)],
    ) -> Result<String, TaskError> {
        let mut texts = texts.iter();
        let mut reasons = 0;
        let results = items.iter().map(|item| {
            let why = item.why.as_ref().filter(|_| reasons < MAX_REASONS);
            let why = why.map(|why| {
                reasons += 1;
                self.context.sanitizer().sanitize(&Content {
                    source: &item.name,
                    text: why,
                    max_bytes: MAX_REASON_BYTES,
                })
            });
            let text = item.text.as_ref().and_then(|_| texts.next());
            json!({
                "name": escape_terminal(&item.name),
                "about": escape_terminal(&item.about),
                "state": item.state,
                "why": why.map(|why| why.text),
                "text": text.map(|text| &text.text),
                "cut": item.cut || text.is_some_and(|text| text.cut),
            })
        });
        let results: Vec<Value> = results.collect();
        let mut values = json!({ "goal": self.input.goal, "results": results });
        for (key, value) in more {
            values[*key] = value.clone();
        }
        self.context.prompt(name, &values)
    }

    /// The tokens of a request without its user message.
    fn base(&self) -> u64 {
        self.client.count(&self.system) + 2 * MESSAGE_TOKENS
    }

    fn too_long(&self, tokens: u64) -> TaskError {
        let most = self.max_input;
        let message = format!(
            "the names of the tasks alone have {tokens} tokens; a request may have at most {most}"
        );
        TaskError::permanent(message).with_code(TOO_LONG)
    }

    /// One call. A refused or an empty answer is an error; the stop reason shows one that is cut off.
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
        let reply = self.client.ask(&request).await?;
        let error = |code: &str, message: &str| Err(TaskError::permanent(message).with_code(code));
        if reply.stop == StopReason::Refusal {
            return error("model_refused", "the model refused");
        }
        if reply.text.trim().is_empty() {
            return Err(empty_answer(reply.reasoning.text.len()));
        }
        Ok(reply)
    }
}
