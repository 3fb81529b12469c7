//! The reader of OpenAI's chat completions.

use serde_json::{Map, Value, json};
use zeph_llm::{LlmResponse, StopReason, Usage};

use super::{
    AnswerFault, Arguments, Call, DETAILS_ECHO, Draft, FIELD_ECHO, garbled, other, reported_error,
    text, tokens,
};

/// The fields in which services send reasoning.
const REASONING: [&str; 3] = ["reasoning_content", "reasoning", "thinking"];

pub(super) fn whole(body: &Value) -> Result<LlmResponse, AnswerFault> {
    reported_error(body)?;
    let Some(choice) = body.pointer("/choices/0") else {
        return Err(garbled("the answer has no choice"));
    };
    let is_message = choice.get("message").is_some_and(Value::is_object);
    if !is_message && !choice.get("text").is_some_and(Value::is_string) {
        return Err(garbled("the answer has no message"));
    }
    let mut draft = Draft::default();
    event(&mut draft, body)?;
    draft.finish(stop)
}

/// Reads a whole answer, or a part of one.
pub(super) fn event(draft: &mut Draft, body: &Value) -> Result<(), AnswerFault> {
    let choice = body.pointer("/choices/0").unwrap_or(&Value::Null);
    let model = text(body, "/model");
    if !model.is_empty() {
        draft.model = model.to_owned();
    }
    // Some services send an empty usage with every event and the real one last; one has a field of its own.
    for usage in [
        body.get("usage"),
        body.pointer("/x_groq/usage"),
        choice.get("usage"),
    ]
    .into_iter()
    .flatten()
    {
        let usage = Usage {
            input_tokens: tokens(usage, "/prompt_tokens"),
            output_tokens: tokens(usage, "/completion_tokens"),
        };
        if usage.total() > Some(0) || draft.usage == Usage::default() {
            draft.usage = usage;
        }
    }
    let reason = text(choice, "/finish_reason");
    if !reason.is_empty() {
        draft.finish = Some(reason.to_owned());
    }
    if let Some(delta) = choice.get("delta").filter(|delta| !is_empty(delta)) {
        draft.has_parts = true;
        return piece(draft, delta, false);
    }
    match choice.get("message").filter(|message| !is_empty(message)) {
        Some(message) => message_in_stream(draft, message),
        None => {
            draft.say(text(choice, "/text"));
            Ok(())
        }
    }
}

/// Whether a part of a message has nothing but its role.
fn is_empty(part: &Value) -> bool {
    let is_blank = |value: &Value| match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(list) => list.is_empty(),
        Value::Bool(_) | Value::Number(_) | Value::Object(_) => false,
    };
    let fields = part.as_object().into_iter().flatten();
    let mut fields = fields.filter(|(name, _)| *name != "role");
    fields.all(|(_, value)| is_blank(value))
}

/// Reads a message where a part was expected: the whole answer, the answer so far, or a part after all.
fn message_in_stream(draft: &mut Draft, message: &Value) -> Result<(), AnswerFault> {
    if draft.has_parts {
        return Ok(());
    }
    let said = text(message, "/content");
    let is_longer = !draft.text.is_empty() && said.len() >= draft.text.len();
    if is_longer && let Some(rest) = said.strip_prefix(draft.text.as_str()) {
        let rest = rest.to_owned();
        draft.say(&rest);
        return Ok(());
    }
    if !draft.calls.is_empty() {
        // A message that repeats its calls.
        draft.say(said);
        return Ok(());
    }
    piece(draft, message, true)
}

/// Reads a whole message or a part of one.
fn piece(draft: &mut Draft, message: &Value, whole: bool) -> Result<(), AnswerFault> {
    reasoning(draft, message);
    match message.get("content") {
        Some(Value::String(content)) => draft.say(content),
        Some(Value::Array(chunks)) => chunks.iter().for_each(|chunk| match text(chunk, "/type") {
            "text" => draft.say(text(chunk, "/text")),
            "thinking" => {
                let parts = chunk.get("thinking").and_then(Value::as_array);
                let parts = parts.into_iter().flatten();
                parts.for_each(|part| draft.think(text(part, "/text")));
            }
            _ => {}
        }),
        _ => {}
    }
    draft.refusal.push_str(text(message, "/refusal"));
    let calls = message.get("tool_calls").and_then(Value::as_array);
    for (place, call) in calls.into_iter().flatten().enumerate() {
        take_call(draft, call, place, whole)?;
    }
    if let Some(call) = message.get("function_call").filter(|call| call.is_object()) {
        take_call(draft, &json!({ "function": call }), 0, whole)?;
    }
    Ok(())
}

/// Reads reasoning in a field of its own, and remembers what the service wants back.
fn reasoning(draft: &mut Draft, message: &Value) {
    let field = REASONING
        .into_iter()
        .find_map(|field| Some((field, message.get(field)?.as_str()?)));
    if let Some((field, thought)) = field {
        draft.think(thought);
        draft
            .reasoning
            .echo
            .entry(FIELD_ECHO)
            .or_insert_with(|| json!(field));
    }
    let details = message.get("reasoning_details").and_then(Value::as_array);
    for detail in details.into_iter().flatten() {
        let known = draft
            .reasoning
            .echo
            .entry(DETAILS_ECHO)
            .or_insert_with(|| json!([]));
        let Some(known) = known.as_array_mut() else {
            return;
        };
        let same = |other: &Value| {
            other.get("index").is_some()
                && ["index", "type"]
                    .iter()
                    .all(|name| other.get(name) == detail.get(name))
        };
        match known.last_mut().filter(|last| same(last)) {
            Some(last) => extend(last, detail),
            None => known.push(detail.clone()),
        }
    }
}

/// Adds a part of a block of reasoning: texts grow, other fields are set.
fn extend(block: &mut Value, part: &Value) {
    for (name, value) in part.as_object().into_iter().flatten() {
        let grows = matches!(name.as_str(), "text" | "summary" | "data");
        block[name] = match (block.get(name).and_then(Value::as_str), value.as_str()) {
            (Some(before), Some(more)) if grows => json!(format!("{before}{more}")),
            (_, _) if value.is_null() => continue,
            (_, _) => value.clone(),
        };
    }
}

/// Reads a tool call or a part of one.
fn take_call(
    draft: &mut Draft,
    call: &Value,
    place: usize,
    whole: bool,
) -> Result<(), AnswerFault> {
    let id = text(call, "/id");
    let name = text(call, "/function/name");
    let index = call.get("index").and_then(Value::as_u64);
    let place = if whole {
        u64::try_from(place).ok()
    } else {
        index
    };
    let arguments = call
        .pointer("/function/arguments")
        .filter(|value| !value.is_null());
    let adds = arguments.is_some_and(|value| value.as_str() != Some(""));
    let known = known_call(draft, (id, name, index), adds).filter(|_| !whole);
    let known = match known {
        Some(known) => &mut draft.calls[known],
        None => draft.call(Call {
            place,
            ..Call::default()
        })?,
    };
    if known.id.is_empty() {
        known.id = id.to_owned();
    }
    if known.name.is_empty() {
        known.name = name.to_owned();
    }
    if let Some(extra) = call.get("extra_content").filter(|extra| !extra.is_null()) {
        known.extra = Map::from_iter([("extra_content".to_owned(), extra.clone())]);
    }
    match arguments {
        None => {}
        // The same call once more.
        Some(Value::String(part)) if known.arguments.is_whole() && is_object(part) => {}
        Some(Value::String(part)) => match &mut known.arguments {
            Arguments::Text(text) => text.push_str(part),
            Arguments::Json(_) if part.trim().is_empty() => {}
            Arguments::Json(_) => return Err(garbled("a tool call has two arguments")),
        },
        Some(value) => known.arguments = Arguments::Json(value.clone()),
    }
    Ok(())
}

/// The call to which a part belongs; `None` if the part begins a new one.
///
/// Parts of one call should have its index, and the first part its id. Services also send all calls with
/// one index, no index, no id, a new id with each part, or the name with each part.
fn known_call(
    draft: &Draft,
    (id, name, index): (&str, &str, Option<u64>),
    adds: bool,
) -> Option<usize> {
    let calls = &draft.calls;
    let by_id = || {
        calls
            .iter()
            .rposition(|known| !id.is_empty() && known.id == id)
    };
    let known = match index {
        Some(_) => calls.iter().rposition(|known| known.place == index),
        None => by_id().or_else(|| {
            calls
                .len()
                .checked_sub(1)
                .filter(|_| id.is_empty() || name.is_empty())
        }),
    }?;
    let last = &calls[known];
    let is_other = !name.is_empty()
        && (name != last.name
            || (adds && last.arguments.is_whole() && (id.is_empty() || id != last.id)));
    // A call whose name has not come yet is no other one.
    (!is_other || last.name.is_empty()).then_some(known)
}

fn is_object(text: &str) -> bool {
    Arguments::Text(text.to_owned()).is_whole()
}

pub(super) fn stop(reason: &str) -> StopReason {
    match reason {
        "stop" | "stop_sequence" | "eos" | "eos_token" | "end_turn" | "STOP" => StopReason::End,
        "length" | "max_tokens" | "model_length" => StopReason::MaxTokens,
        "tool_calls" | "function_call" | "tool_use" => StopReason::ToolCalls,
        "content_filter" | "refusal" | "sensitive" => StopReason::Refusal,
        reason => other(reason),
    }
}
