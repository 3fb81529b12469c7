//! Answers: read from what the service sent, one reader for each wire.
//!
//! genai reads them, too, but not as the port promises: it trims texts, gives up a whole answer for one
//! tool call without an id or with broken arguments, takes an answer that holds an error for an empty
//! one, and turns absent numbers into zero. So it hands over the raw body, or the raw events of a
//! stream, and these readers say what they mean.

mod anthropic;
mod gemini;
mod openai;

use serde_json::{Map, Value};
use zeph_common::Boundary;
use zeph_llm::{LlmResponse, StopReason, ToolCall, Usage};

use crate::Wire;

/// The most bytes of text and arguments that one answer may have.
pub(crate) const ANSWER_BYTES: usize = 16 << 20;

/// The most tool calls that one answer may have.
const CALLS: usize = 1_024;

/// Why something that arrived is no answer.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Fault {
    /// The service says that something went wrong.
    Said(Value),
    /// It is not what the wire prescribes.
    Garbled(&'static str),
}

/// Reads a whole answer.
pub(crate) fn whole(wire: Wire, body: &Value) -> Result<LlmResponse, Fault> {
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

/// An answer in the making.
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

/// A tool call in the making.
#[derive(Debug, Default)]
struct Call {
    place: Option<u64>,
    id: String,
    name: String,
    arguments: Arguments,
}

/// What a tool is called with: text that is JSON if all goes well, or JSON.
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

    /// Takes one event; gives the text that it added.
    pub(crate) fn event(&mut self, data: &str) -> Result<String, Fault> {
        let draft = &mut self.draft;
        draft.bytes = draft.bytes.saturating_add(data.len());
        if draft.bytes > 4 * ANSWER_BYTES || draft.text.len() > ANSWER_BYTES {
            return Err(Fault::Garbled("the answer has no end"));
        }
        match self.wire {
            Wire::OpenAi => openai::event(draft, data)?,
            Wire::Anthropic => anthropic::event(draft, data)?,
            Wire::Gemini => gemini::event(draft, data)?,
        }
        Ok(std::mem::take(&mut draft.fresh))
    }

    /// Whether the service said that the answer is whole.
    pub(crate) fn has_ended(&self) -> bool {
        self.draft.ended
    }

    /// The whole answer.
    pub(crate) fn finish(self) -> Result<LlmResponse, Fault> {
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
    fn call(&mut self, call: Call) -> Result<&mut Call, Fault> {
        if self.calls.len() >= CALLS {
            return Err(Fault::Garbled("the answer calls more than 1024 tools"));
        }
        self.calls.push(call);
        let last = self.calls.last_mut();
        last.ok_or(Fault::Garbled("the answer has no tool call"))
    }

    fn finish(mut self, stop: fn(&str) -> StopReason) -> Result<LlmResponse, Fault> {
        let mut tool_calls: Vec<ToolCall> = Vec::with_capacity(self.calls.len());
        for (place, call) in self.calls.into_iter().enumerate() {
            if call.name.is_empty() {
                return Err(Fault::Garbled("a tool call names no tool"));
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
            // Services say "done" when the call of a tool was forced, and local ones say it always.
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
    /// Arguments as JSON: text that is no JSON stays text, none at all are an empty object.
    fn read(self) -> Value {
        match self {
            Self::Text(text) if text.trim().is_empty() => Value::Object(Map::new()),
            Self::Text(text) => serde_json::from_str(&text).unwrap_or(Value::String(text)),
            Self::Json(Value::Null) => Value::Object(Map::new()),
            Self::Json(value) => value,
        }
    }
}

/// What a service says instead of an answer: its `error`, if it has one.
fn said(body: &Value) -> Result<(), Fault> {
    match body.get("error") {
        None | Some(Value::Null) => Ok(()),
        Some(error) => Err(Fault::Said(error.clone())),
    }
}

fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value
        .pointer(pointer)
        .and_then(Value::as_str)
        .unwrap_or_default()
}

/// A count of tokens: absent, negative, broken and endless ones are unknown.
fn tokens(value: &Value, pointer: &str) -> Option<u32> {
    let number = value.pointer(pointer)?.as_u64()?;
    u32::try_from(number).ok()
}

/// A sum of counts, of which the first must be known and the rest may be absent.
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

/// A reason to stop that the port does not know, bounded.
fn other(reason: &str) -> StopReason {
    let reason = zeph_common::truncate(reason, 64, Boundary::Char).text;
    StopReason::Other(zeph_common::escape_terminal(reason).into_owned())
}

#[cfg(test)]
mod tests;
