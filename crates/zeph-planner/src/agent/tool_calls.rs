//! The tool calls of a reply: checked against rights, schemas and limits, then made.

use std::collections::BTreeMap;

use futures::{FutureExt as _, StreamExt as _, stream};
use serde_json::Value;
use tokio::time::timeout;
use zeph_common::{Boundary, escape_terminal, format_duration, truncate};
use zeph_executor::{ErrorClass, NoteKind, TaskContext, TaskError};
use zeph_graph::Effect;
use zeph_llm::{Message, ToolCall, ToolSpec};
use zeph_subagent::{SubAgentDef, end_is_unknown, is_tool_name};

use super::errors::{self, END_UNKNOWN};
use super::params::AgentParams;
use super::registry::RegisteredTool;
use super::tool_notes::{
    CallKey, ENDED, MAX_END_BYTES, ToolCallEnd, ToolCallNote, ToolNote, ToolOutcome,
};
use crate::LlmContext;
use crate::call::{EarlierCall, ReplyKey, Resumed, bounded_note};
use crate::prompt_budget::{PromptBudget, Section};

/// The most tool calls of one reply; further ones are refused.
const MAX_CALLS: usize = 16;

/// In place of advice for which the prompt has no room.
const NO_ROOM: &str = "not called";

/// The tools of one attempt, and the calls so far.
pub(super) struct ToolCalls<'a> {
    context: &'a LlmContext,
    allowed: BTreeMap<&'a str, &'a RegisteredTool>,
    /// How many times the model asked for each call, by name and arguments.
    seen: BTreeMap<String, u32>,
    failed_in_a_row: u32,
}

/// The result of a call.
struct CallResult {
    outcome: ToolOutcome,
    said: Said,
}

/// What the model gets.
enum Said {
    /// The words of a tool: untrusted.
    ByTool(String),
    /// The words of this program, which the model may follow.
    Advice(String),
    /// What it got before an interruption.
    Before(Box<ToolNote>),
}

impl CallResult {
    const fn of_tool(outcome: ToolOutcome, text: String) -> Self {
        let said = Said::ByTool(text);
        Self { outcome, said }
    }

    const fn advice(outcome: ToolOutcome, text: String) -> Self {
        let said = Said::Advice(text);
        Self { outcome, said }
    }

    fn before(note: ToolNote) -> Self {
        let outcome = note.outcome;
        let said = Said::Before(Box::new(note));
        Self { outcome, said }
    }

    fn text(&self) -> &str {
        match &self.said {
            Said::ByTool(text) | Said::Advice(text) => text,
            Said::Before(note) => &note.text,
        }
    }
}

/// The turn whose calls are made.
#[derive(Clone, Copy)]
pub(super) struct Turn<'a> {
    /// The number of the reply, from 1.
    pub(super) number: u32,
    pub(super) calls: &'a [ToolCall],
    /// The reply with the calls.
    pub(super) reply: &'a ReplyKey,
    /// The work of interrupted attempts.
    pub(super) resumed: &'a Resumed,
}

impl Turn<'_> {
    fn key(&self, place: usize) -> CallKey {
        let hash = self.reply.hash.clone();
        CallKey { hash, place }
    }
}

impl<'a> ToolCalls<'a> {
    /// The tools that the agent, the task and the host allow.
    ///
    /// # Errors
    /// `unknown_tool` if the host has no tool of a name, `tool_not_allowed` if the agent may not use it.
    pub(super) fn new(
        context: &'a LlmContext,
        agent: &'a SubAgentDef,
        params: &'a AgentParams,
    ) -> Result<Self, TaskError> {
        let mut allowed = BTreeMap::new();
        let all: Vec<&str> = match &params.tools {
            Some(names) => names.iter().map(String::as_str).collect(),
            None => agent.tools.iter().map(String::as_str).collect(),
        };
        for name in all {
            let tool = context.tools.get(name);
            let tool = tool.ok_or_else(|| errors::unknown_tool(name))?;
            if !agent.tools.contains(name) {
                return Err(errors::tool_not_allowed(name, &agent.name));
            }
            allowed.insert(name, tool);
        }
        Ok(Self {
            context,
            allowed,
            seen: BTreeMap::new(),
            failed_in_a_row: 0,
        })
    }

    pub(super) fn is_empty(&self) -> bool {
        self.allowed.is_empty()
    }

    /// The descriptions of the tools for the model, in the order of their names.
    pub(super) fn specs(&self) -> Vec<ToolSpec> {
        let tools = self.allowed.values();
        tools.map(|tool| tool.spec.clone()).collect()
    }

    /// Makes the calls of a reply. Returns one answer for each, in order; together they have about `budget`
    /// tokens.
    ///
    /// # Errors
    /// `tool_loop` if a call is repeated too often; `tool_failed` if too many calls in a row fail; the error
    /// of a tool with the class `Cancelled` or `OverBudget`, after all calls are noted; errors of the journal.
    pub(super) async fn make(
        &mut self,
        cx: &TaskContext,
        turn: Turn<'_>,
        count: &(dyn Fn(&str) -> u64 + Sync),
        budget: u64,
    ) -> Result<Vec<Message>, TaskError> {
        let calls = turn.calls;
        self.check_repeats(calls)?;
        let limits = self.context.limits;
        let this = &*self;
        let calls_made: Vec<_> = calls
            .iter()
            .enumerate()
            .map(|(index, call)| this.call(cx, turn, index, call).boxed())
            .collect();
        let made = stream::iter(calls_made).buffered(limits.parallel_tools.max(1));
        let made: Vec<Result<CallResult, TaskError>> = made.collect().await;
        let mut end = None;
        let made = made.into_iter().map(|made| {
            made.unwrap_or_else(|error| {
                let text = format!("{ENDED}{error:#}");
                end.get_or_insert(error);
                CallResult::of_tool(ToolOutcome::Failed, text)
            })
        });
        let made: Vec<CallResult> = made.collect();
        // The notes of all calls are written before an error ends the attempt.
        let answers = self.answers(cx, turn, &made, count, budget).await?;
        if let Some(error) = end {
            return Err(error);
        }
        // Calls beyond the limit were not tried, so they are no failures.
        for (call, made) in calls.iter().zip(&made).take(MAX_CALLS) {
            match made.outcome {
                ToolOutcome::Done => self.failed_in_a_row = 0,
                ToolOutcome::Unknown => {}
                ToolOutcome::Failed | ToolOutcome::BadArguments | ToolOutcome::Refused => {
                    self.failed_in_a_row += 1;
                }
            }
            if self.failed_in_a_row >= limits.failed_calls.max(1) {
                let times = self.failed_in_a_row;
                return Err(errors::tool_failed(&call.name, times, made.text()));
            }
        }
        Ok(answers)
    }

    fn check_repeats(&mut self, calls: &[ToolCall]) -> Result<(), TaskError> {
        let most = self.context.limits.same_calls;
        for call in calls {
            // Arguments that differ only in the order of their keys are the same call.
            let mut arguments = call.arguments.clone();
            arguments.sort_all_objects();
            let times = self.seen.entry(format!("{} {arguments}", call.name));
            let times = times.or_default();
            *times += 1;
            if *times > most {
                return Err(errors::tool_loop(&call.name, most));
            }
        }
        Ok(())
    }

    /// One call. Only a failure that ends the attempt is an error; the model sees every other one.
    async fn call(
        &self,
        cx: &TaskContext,
        turn: Turn<'_>,
        index: usize,
        call: &ToolCall,
    ) -> Result<CallResult, TaskError> {
        let key = turn.key(index);
        let earlier = (turn.reply.is_reused).then(|| turn.resumed.same_call(&key));
        let earlier = earlier.flatten();
        if let Some(EarlierCall {
            note: Some(note), ..
        }) = earlier
        {
            return Ok(CallResult::before(note));
        }
        let refused = |text: String| CallResult::advice(ToolOutcome::Refused, text);
        if index >= MAX_CALLS {
            let text = format!(
                "not called: a reply may have {MAX_CALLS} calls; call it again in the next reply"
            );
            return Ok(refused(text));
        }
        let Some(tool) = self.allowed.get(call.name.as_str()) else {
            let names: Vec<&str> = self.allowed.keys().copied().collect();
            let text = if names.is_empty() {
                "this task has no tools; answer without them".to_owned()
            } else {
                let names = names.join(", ");
                format!("unknown tool for this task; expected one of: {names}")
            };
            return Ok(refused(text));
        };
        if tool.tool.needs_approval() && !cx.is_approved(&call.name) {
            return Ok(refused(errors::not_approved(cx, &call.name)));
        }
        let problems = tool.problems(&call.arguments);
        if !problems.is_empty() {
            let why = why_unfit(&call.arguments, &problems);
            return Ok(CallResult::advice(ToolOutcome::BadArguments, why));
        }
        let mut is_unknown = false;
        if let Some(earlier) = earlier {
            if let Some(end) = earlier.end {
                return Ok(CallResult::of_tool(end.outcome, end.text));
            }
            is_unknown = earlier.begun;
        }
        if tool.tool.effect() == Effect::AtMostOnce {
            is_unknown = is_unknown || turn.resumed.take_other_call(&call.name);
        }
        if is_unknown {
            let text = format!(
                "not called: before an interruption this task called {}, and whether that took effect is unknown; find out before you call it again",
                call.name
            );
            return Ok(CallResult::advice(ToolOutcome::Unknown, text));
        }
        self.perform(cx, turn, key, tool, call).await
    }

    /// Calls the tool.
    async fn perform(
        &self,
        cx: &TaskContext,
        turn: Turn<'_>,
        key: CallKey,
        tool: &RegisteredTool,
        call: &ToolCall,
    ) -> Result<CallResult, TaskError> {
        if tool.tool.effect() == Effect::AtMostOnce {
            ToolCallNote::write(cx, key.clone(), call, None).await?;
        }
        cx.progress(format!("calling {}…", call.name));
        let limit = tool.tool.timeout();
        let limit = limit.unwrap_or(self.context.limits.tool_timeout);
        let work = tool.tool.call(cx, call.arguments.clone());
        let outcome = timeout(limit, work).await.unwrap_or_else(|_| {
            let limit = format_duration(limit);
            let error = TaskError::permanent(format!("no answer within {limit}"));
            Err(error.with_code("tool_timeout"))
        });
        let (outcome, text) = match outcome {
            Ok(output) => (ToolOutcome::Done, output.text),
            Err(error) if tool.tool.effect() == Effect::AtMostOnce && end_is_unknown(&error) => {
                let text = format!("it failed: {error:#}{END_UNKNOWN}");
                (ToolOutcome::Unknown, text)
            }
            Err(error) => match error.class() {
                ErrorClass::Cancelled | ErrorClass::Interrupted | ErrorClass::OverBudget => {
                    return Err(error);
                }
                ErrorClass::Retryable
                | ErrorClass::Permanent
                | ErrorClass::Refused
                | ErrorClass::Skip => (ToolOutcome::Failed, format!("it failed: {error:#}")),
            },
        };
        // A single call gets its note at once.
        if turn.calls.len() > 1 && text.len() <= MAX_END_BYTES {
            let text = text.clone();
            let end = Some(ToolCallEnd { outcome, text });
            ToolCallNote::write(cx, key, call, end).await?;
        }
        Ok(CallResult::of_tool(outcome, text))
    }

    /// Makes the answers for the model: sanitizes and cuts the results, and writes a note of each call.
    async fn answers(
        &self,
        cx: &TaskContext,
        turn: Turn<'_>,
        made: &[CallResult],
        count: &(dyn Fn(&str) -> u64 + Sync),
        budget: u64,
    ) -> Result<Vec<Message>, TaskError> {
        let prompt = PromptBudget {
            sanitizer: self.context.sanitizer(),
            count,
            max_section: self.context.limits.tool_result_tokens,
        };
        let calls = turn.calls;
        let fixed = made
            .iter()
            .filter(|made| !matches!(made.said, Said::ByTool(_)));
        let fixed: u64 = fixed.map(|made| count(made.text())).sum();
        let said = calls.iter().zip(made).filter_map(|(call, made)| {
            let Said::ByTool(text) = &made.said else {
                return None;
            };
            let source = format!("tool {}", escape_terminal(&call.name));
            Some(Section::new(source, text))
        });
        let sections = prompt.measure(said.collect()).await;
        let sections = prompt.share(&sections, budget.saturating_sub(fixed)).await;
        let mut sections = sections.into_iter();
        let mut messages = Vec::with_capacity(calls.len());
        for (place, (call, made)) in calls.iter().zip(made).enumerate() {
            let (text, left_out) = match &made.said {
                Said::Before(note) => (note.text.clone(), note.left_out),
                // Advice is short, and is left out only if there is room for nothing.
                Said::Advice(text) if fixed <= budget => (text.clone(), false),
                Said::Advice(_) => (NO_ROOM.to_owned(), true),
                Said::ByTool(_) => sections
                    .next()
                    .map_or_else(Default::default, |section| (section.text, section.left_out)),
            };
            let (bytes, reused) = match &made.said {
                Said::Before(note) => (note.bytes, true),
                Said::ByTool(text) | Said::Advice(text) => (text.len() as u64, false),
            };
            let note = ToolNote {
                turn: turn.number,
                key: turn.key(place),
                call_id: call.id.clone(),
                name: call.name.clone(),
                arguments: call.arguments.clone(),
                outcome: made.outcome,
                text: text.clone(),
                left_out,
                bytes,
                reused,
            };
            let note = bounded_note(NoteKind::Tool, note, ToolNote::shortened)?;
            cx.journal().note(note).await?;
            messages.push(Message::tool(&echoed(call), text));
        }
        Ok(messages)
    }
}

/// Why arguments do not fit, in a few short lines: the model wrote parts of it.
fn why_unfit(arguments: &Value, problems: &[String]) -> String {
    const MAX_BYTES: usize = 300;
    if let Some(text) = arguments.as_str() {
        return match serde_json::from_str::<Value>(text) {
            Err(error) => format!(
                "not called: the arguments are broken JSON ({error}); call again with one whole JSON object"
            ),
            Ok(_) => {
                "not called: the arguments are no JSON object; call again with one JSON object"
                    .to_owned()
            }
        };
    }
    let shown = problems.iter().map(|problem| {
        let words: Vec<&str> = problem.split_whitespace().collect();
        truncate(&words.join(" "), MAX_BYTES, Boundary::Char).to_string()
    });
    let shown: Vec<String> = shown.collect();
    let shown = shown.join("; ");
    format!(
        "not called: the arguments do not fit the schema: {shown}; call again with arguments that fit"
    )
}

/// A call in the form in which later requests repeat it: services reject an invalid tool name.
pub(super) fn echoed(call: &ToolCall) -> ToolCall {
    let mut call = call.clone();
    if !is_tool_name(&call.name) {
        call.name = "unknown_tool".to_owned();
    }
    call
}
