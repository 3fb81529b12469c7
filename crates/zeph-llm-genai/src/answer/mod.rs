//! Readers of answers, one for each protocol.
//!
//! They take what services really send: streams without a last marker, whole messages in a stream, tool
//! calls in any numbering, reasoning beside the text or inside it, and counts that mean nothing.

mod anthropic;
mod gemini;
mod openai;
mod thoughts;

use std::borrow::Cow;

use serde_json::{Map, Value};
use zeph_common::Boundary;
use zeph_llm::{LlmResponse, Reasoning, StopReason, ToolCall, Usage, read_json};

use crate::events::Event;
use crate::lenient::{self, join, parse_whole};
use crate::wire::Wire;
use thoughts::Thoughts;

/// The fields of a tool call that its service wants back, by the id of the call.
pub(crate) const CALLS_ECHO: &str = "calls";
/// The name of the field in which a service sends reasoning, and wants it back.
pub(crate) const FIELD_ECHO: &str = "field";
/// Blocks of reasoning that a service wants back unchanged.
pub(crate) const DETAILS_ECHO: &str = "reasoning_details";
/// The same for Anthropic's protocol.
pub(crate) const BLOCKS_ECHO: &str = "thinking";

/// The most bytes of text and arguments in one answer.
pub(crate) const ANSWER_BYTES: usize = 16 << 20;

/// The most tool calls in one answer.
const CALLS: usize = 1_024;

/// More tokens than one call can have; a larger count is a mistake of the service.
const MAX_TOKENS: u64 = 10_000_000;

/// The error of a body or an event that is no answer.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum AnswerFault {
    /// The service reports an error.
    Reported(Value),
    /// It violates the protocol.
    Garbled(Cow<'static, str>),
    /// It ends too early.
    Cut,
}

fn garbled(why: &'static str) -> AnswerFault {
    AnswerFault::Garbled(Cow::Borrowed(why))
}

/// Reads a whole answer.
pub(crate) fn whole(wire: Wire, body: &Value) -> Result<LlmResponse, AnswerFault> {
    match wire {
        Wire::OpenAi => openai::whole(body),
        Wire::Anthropic => anthropic::whole(body),
        Wire::Gemini => gemini::whole(body),
    }
}

/// Reads a JSON document: an answer, or the events of a stream in a list or one per line.
pub(crate) fn document(wire: Wire, text: &str) -> Result<Vec<Value>, AnswerFault> {
    let error = match parse_whole(text) {
        Ok(Value::Array(events)) if wire == Wire::Gemini => return Ok(events),
        Ok(Value::Array(list)) if list.len() == 1 => return Ok(list),
        Ok(value) => return Ok(vec![value]),
        Err(error) => error,
    };
    let mut values = Vec::new();
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
        match parse_whole(line) {
            Ok(value) => values.push(value),
            Err(_) if error.is_eof() => return Err(AnswerFault::Cut),
            Err(_) => {
                let head = crate::error_body::head(text);
                return Err(AnswerFault::Garbled(
                    format!("the answer is not JSON: {head}").into(),
                ));
            }
        }
    }
    Ok(values)
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
    /// The text that was read last.
    fresh: String,
    thoughts: Thoughts,
    reasoning: Reasoning,
    /// Whether texts may have halves of surrogate pairs, and one whose other half may follow.
    has_halves: bool,
    half: String,
    /// Whether a part of a message came, so that whole messages repeat it.
    has_parts: bool,
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
    /// The fields that the service wants back.
    extra: Map<String, Value>,
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
    pub(crate) fn event(&mut self, event: &Event) -> Result<String, AnswerFault> {
        let draft = &mut self.draft;
        draft.bytes = draft.bytes.saturating_add(event.data.len());
        if draft.bytes > 4 * ANSWER_BYTES {
            return Err(garbled("the answer is too long"));
        }
        if event.data == "[DONE]" {
            draft.ended = true;
            return Ok(String::new());
        }
        let parsed = lenient::parse(&event.data).map_err(|_| {
            let head = zeph_common::truncate(&event.data, 200, Boundary::Char);
            AnswerFault::Garbled(format!("an event of the stream is no JSON: {head}").into())
        })?;
        draft.has_halves |= parsed.has_halves;
        if event.name == "error" && parsed.value.get("error").is_none() {
            return Err(AnswerFault::Reported(parsed.value));
        }
        self.value(&parsed.value)
    }

    /// Reads the value of an event.
    pub(crate) fn value(&mut self, body: &Value) -> Result<String, AnswerFault> {
        let draft = &mut self.draft;
        reported_error(body)?;
        match self.wire {
            Wire::OpenAi => openai::event(draft, body)?,
            Wire::Anthropic => anthropic::event(draft, body)?,
            Wire::Gemini => gemini::event(draft, body)?,
        }
        if draft.text.len().saturating_add(draft.reasoning.text.len()) > ANSWER_BYTES {
            return Err(garbled("the answer is too long"));
        }
        Ok(std::mem::take(&mut draft.fresh))
    }

    /// Whether the answer is whole if the stream ends now: the service has given its reason to stop.
    pub(crate) fn is_whole(&self) -> bool {
        self.draft.finish.is_some()
    }

    /// The rest of the text, at the end of the stream.
    pub(crate) fn flush(&mut self) -> String {
        self.draft.flush();
        std::mem::take(&mut self.draft.fresh)
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
        let mut text = Cow::Borrowed(text);
        if self.has_halves {
            let whole = std::mem::take(&mut self.half) + &text;
            if lenient::ends_in_half(&whole) {
                self.half = whole;
                return;
            }
            text = Cow::Owned(join(&whole));
        }
        let parts = self.thoughts.push(&text);
        self.text.push_str(&parts.answer);
        self.fresh.push_str(&parts.answer);
        self.reasoning.text.push_str(&parts.reasoning);
    }

    fn flush(&mut self) {
        let half = std::mem::take(&mut self.half);
        if !half.is_empty() {
            self.has_halves = false;
            self.say(&join(&half));
        }
        let rest = self.thoughts.finish();
        self.text.push_str(&rest.answer);
        self.fresh.push_str(&rest.answer);
        self.reasoning.text.push_str(&rest.reasoning);
    }

    /// Adds reasoning that came in a field of its own.
    fn think(&mut self, text: &str) {
        self.reasoning.text.push_str(text);
    }

    /// The usage without counts that cannot be true: every request has tokens, and so has every text.
    fn plausible_usage(&self) -> Usage {
        let is_silent =
            self.text.is_empty() && self.reasoning.text.is_empty() && self.calls.is_empty();
        Usage {
            input_tokens: self.usage.input_tokens.filter(|count| *count > 0),
            output_tokens: self
                .usage
                .output_tokens
                .filter(|count| *count > 0 || is_silent),
        }
    }

    /// A new tool call at the end.
    fn call(&mut self, call: Call) -> Result<&mut Call, AnswerFault> {
        if self.calls.len() >= CALLS {
            return Err(garbled("the answer calls more than 1024 tools"));
        }
        self.calls.push(call);
        let last = self.calls.last_mut();
        last.ok_or_else(|| garbled("the answer has no tool call"))
    }

    fn finish(mut self, stop: fn(&str) -> StopReason) -> Result<LlmResponse, AnswerFault> {
        self.flush();
        if let Some(parts) = thoughts::at_the_end(&self.text) {
            self.text = parts.answer;
            self.reasoning.text.push_str(&parts.reasoning);
        }
        if self.has_halves {
            self.reasoning.text = join(&self.reasoning.text);
        }
        let usage = self.plausible_usage();
        let mut extras = Map::new();
        let mut tool_calls: Vec<ToolCall> = Vec::with_capacity(self.calls.len());
        for (place, call) in self.calls.into_iter().enumerate() {
            if call.name.is_empty() {
                return Err(garbled("a tool call names no tool"));
            }
            let mut id = call.id;
            if id.is_empty() {
                id = format!("call_{place}");
            }
            while tool_calls.iter().any(|other| other.id == id) {
                id.push('_');
            }
            if !call.extra.is_empty() {
                extras.insert(id.clone(), Value::Object(call.extra));
            }
            tool_calls.push(ToolCall {
                id,
                name: call.name,
                arguments: call.arguments.read(),
            });
        }
        if !extras.is_empty() {
            self.reasoning
                .echo
                .insert(CALLS_ECHO.to_owned(), extras.into());
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
            reasoning: self.reasoning,
            stop,
            usage,
            model: self.model,
            provider: String::new(),
        })
    }
}

impl Arguments {
    /// The arguments as JSON. Empty text is an empty object; an object that is written as a text in JSON,
    /// in a code fence or with a trailing comma is read; text that is not JSON becomes a string.
    fn read(self) -> Value {
        let text = match self {
            Self::Json(Value::Null) => return Value::Object(Map::new()),
            Self::Text(text) | Self::Json(Value::String(text)) => text,
            Self::Json(value) => return value,
        };
        if text.trim().is_empty() {
            return Value::Object(Map::new());
        }
        match parse_whole(&text) {
            Ok(Value::String(inner)) => object(&inner).unwrap_or(Value::String(inner)),
            Ok(value) => value,
            Err(_) => object(&text).unwrap_or(Value::String(text)),
        }
    }

    /// Whether they are a whole object, to which nothing can be added.
    fn is_whole(&self) -> bool {
        match self {
            Self::Text(text) => {
                text.trim_end().ends_with('}')
                    && parse_whole(text).is_ok_and(|value| value.is_object())
            }
            Self::Json(_) => true,
        }
    }
}

/// The only object in a text, if nothing is broken beside it.
fn object(text: &str) -> Option<Value> {
    use zeph_llm::Tolerated::{Broken, Others};
    let read = read_json(text, ANSWER_BYTES, Value::is_object).ok()?;
    let is_sure = read.value.is_object()
        && !read
            .tolerated
            .iter()
            .any(|one| matches!(one, Broken { .. } | Others { .. }));
    is_sure.then_some(read.value)
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

/// A token count; absent, negative, invalid and absurd ones are unknown.
fn tokens(value: &Value, pointer: &str) -> Option<u32> {
    let number = value.pointer(pointer)?.as_u64()?;
    u32::try_from(number).ok().filter(|_| number <= MAX_TOKENS)
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
