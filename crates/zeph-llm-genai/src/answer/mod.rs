//! Readers of answers, one for each protocol.
//!
//! genai's own readers do not fulfil the contract of the port: they trim texts, reject a whole answer for
//! one tool call without an id or with broken arguments, read an answer with an error as an empty one, and
//! turn absent numbers into zero. These readers work on the raw body, or the raw events of a stream.

mod anthropic;
mod gemini;
mod openai;

use serde_json::{Map, Value};
use zeph_common::Boundary;
use zeph_llm::{LlmResponse, StopReason, ToolCall, Usage};

use crate::wire::Wire;

/// The most bytes of text and arguments in one answer.
pub(crate) const ANSWER_BYTES: usize = 16 << 20;

/// The most tool calls in one answer.
const CALLS: usize = 1_024;

/// The error of a body or an event that is no answer.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum AnswerFault {
    /// The service reports an error.
    Reported(Value),
    /// It violates the protocol.
    Garbled(&'static str),
}

/// Reads a whole answer.
pub(crate) fn whole(wire: Wire, body: &Value) -> Result<LlmResponse, AnswerFault> {
    match wire {
        Wire::OpenAi => openai::whole(body),
        Wire::Anthropic => anthropic::whole(body),
        Wire::Gemini => gemini::whole(body),
    }
}

/// Reads the events of a stream.
#[derive(Debug)]
pub(crate) struct Reader {
    wire: Wire,
    draft: Draft,
}

/// An incomplete answer.
#[derive(Debug, Default)]
struct Draft {
    text: String,
    fresh: String,
    refusal: String,
    calls: Vec<Call>,
    finish: Option<String>,
    usage: Usage,
    model: String,
    bytes: usize,
    ended: bool,
}

/// An incomplete tool call.
#[derive(Debug, Default)]
struct Call {
    place: Option<u64>,
    id: String,
    name: String,
    arguments: Arguments,
}

/// The arguments of a tool call: text that should be JSON, or JSON.
#[derive(Debug)]
enum Arguments {
    Text(String),
    Json(Value),
}

impl Default for Arguments {
    fn default() -> Self {
        Self::Text(String::new())
    }
}

impl Reader {
    pub(crate) fn new(wire: Wire) -> Self {
        Self {
            wire,
            draft: Draft::default(),
        }
    }

    /// Reads one event and returns the text that it adds.
    pub(crate) fn event(&mut self, data: &str) -> Result<String, AnswerFault> {
        let draft = &mut self.draft;
        draft.bytes = draft.bytes.saturating_add(data.len());
        if draft.bytes > 4 * ANSWER_BYTES || draft.text.len() > ANSWER_BYTES {
            return Err(AnswerFault::Garbled("the answer is too long"));
        }
        if data == "[DONE]" && self.wire == Wire::OpenAi {
            draft.ended = true;
            return Ok(String::new());
        }
        let Ok(body) = serde_json::from_str::<Value>(data) else {
            return Err(AnswerFault::Garbled("an event of the stream is no JSON"));
        };
        match self.wire {
            Wire::OpenAi => openai::event(draft, &body)?,
            Wire::Anthropic => anthropic::event(draft, &body)?,
            Wire::Gemini => gemini::event(draft, &body)?,
        }
        Ok(std::mem::take(&mut draft.fresh))
    }

    /// Whether the service has ended the answer.
    pub(crate) fn has_ended(&self) -> bool {
        self.draft.ended
    }

    /// The whole answer.
    pub(crate) fn finish(self) -> Result<LlmResponse, AnswerFault> {
        let stop = match self.wire {
            Wire::OpenAi => openai::stop,
            Wire::Anthropic => anthropic::stop,
            Wire::Gemini => gemini::stop,
        };
        self.draft.finish(stop)
    }
}

impl Draft {
    fn say(&mut self, text: &str) {
        self.text.push_str(text);
        self.fresh.push_str(text);
    }

    /// A new tool call at the end.
    fn call(&mut self, call: Call) -> Result<&mut Call, AnswerFault> {
        if self.calls.len() >= CALLS {
            return Err(AnswerFault::Garbled(
                "the answer calls more than 1024 tools",
            ));
        }
        self.calls.push(call);
        let last = self.calls.last_mut();
        last.ok_or(AnswerFault::Garbled("the answer has no tool call"))
    }

    fn finish(mut self, stop: fn(&str) -> StopReason) -> Result<LlmResponse, AnswerFault> {
        let mut tool_calls: Vec<ToolCall> = Vec::with_capacity(self.calls.len());
        for (place, call) in self.calls.into_iter().enumerate() {
            if call.name.is_empty() {
                return Err(AnswerFault::Garbled("a tool call names no tool"));
            }
            let mut id = call.id;
            if id.is_empty() {
                id = format!("call_{place}");
            }
            while tool_calls.iter().any(|other| other.id == id) {
                id.push('_');
            }
            tool_calls.push(ToolCall {
                id,
                name: call.name,
                arguments: call.arguments.read(),
            });
        }
        let said = self.finish.as_deref().map(stop);
        let stop = match said {
            // Services report "stop" after a forced tool call, and local ones after every tool call.
            Some(StopReason::End) | None if !tool_calls.is_empty() => StopReason::ToolCalls,
            Some(StopReason::End) if !self.refusal.is_empty() => StopReason::Refusal,
            Some(said) => said,
            None if !self.refusal.is_empty() => StopReason::Refusal,
            None => StopReason::Other(String::new()),
        };
        if self.text.is_empty() {
            self.text = self.refusal;
        }
        Ok(LlmResponse {
            text: self.text,
            tool_calls,
            stop,
            usage: self.usage,
            model: self.model,
            provider: String::new(),
        })
    }
}

impl Arguments {
    /// The arguments as JSON: text that is not JSON becomes a string, empty text an empty object.
    fn read(self) -> Value {
        match self {
            Self::Text(text) if text.trim().is_empty() => Value::Object(Map::new()),
            Self::Text(text) => serde_json::from_str(&text).unwrap_or(Value::String(text)),
            Self::Json(Value::Null) => Value::Object(Map::new()),
            Self::Json(value) => value,
        }
    }
}

/// Fails if the body has an `error` instead of an answer.
fn reported_error(body: &Value) -> Result<(), AnswerFault> {
    match body.get("error") {
        None | Some(Value::Null) => Ok(()),
        Some(error) => Err(AnswerFault::Reported(error.clone())),
    }
}

fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value
        .pointer(pointer)
        .and_then(Value::as_str)
        .unwrap_or_default()
}

/// A token count; absent, negative, invalid and too large ones are unknown.
fn tokens(value: &Value, pointer: &str) -> Option<u32> {
    let number = value.pointer(pointer)?.as_u64()?;
    u32::try_from(number).ok()
}

/// A sum of token counts; the first must be known, the others may be absent.
fn sum(usage: &Value, first: &str, rest: &[&str]) -> Option<u32> {
    let mut total = tokens(usage, first)?;
    for pointer in rest {
        let present = usage.pointer(pointer).is_some_and(|part| !part.is_null());
        if present {
            total = total.checked_add(tokens(usage, pointer)?)?;
        }
    }
    Some(total)
}

/// A stop reason that the port does not know, shortened.
fn other(reason: &str) -> StopReason {
    let reason = zeph_common::truncate(reason, 64, Boundary::Char).text;
    StopReason::Other(zeph_common::escape_terminal(reason).into_owned())
}

#[cfg(test)]
mod tests;
