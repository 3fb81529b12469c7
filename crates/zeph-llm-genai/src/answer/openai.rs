//! The reader of OpenAI's chat completions.

use serde_json::Value;
use zeph_llm::{LlmResponse, StopReason, Usage};

use super::{AnswerFault, Arguments, Call, Draft, other, reported_error, text, tokens};

pub(super) fn whole(body: &Value) -> Result<LlmResponse, AnswerFault> {
    reported_error(body)?;
    let Some(choice) = body.pointer("/choices/0") else {
        return Err(AnswerFault::Garbled("the answer has no choice"));
    };
    if !choice.get("message").is_some_and(Value::is_object) {
        return Err(AnswerFault::Garbled("the answer has no message"));
    }
    let mut draft = Draft::default();
    piece(&mut draft, body, choice, "message")?;
    draft.finish(stop)
}

pub(super) fn event(draft: &mut Draft, body: &Value) -> Result<(), AnswerFault> {
    reported_error(body)?;
    let choice = body.pointer("/choices/0").unwrap_or(&Value::Null);
    piece(draft, body, choice, "delta")
}

/// Reads a choice: a whole `message` or a part in `delta`.
fn piece(draft: &mut Draft, body: &Value, choice: &Value, part: &str) -> Result<(), AnswerFault> {
    let model = text(body, "/model");
    if !model.is_empty() {
        draft.model = model.to_owned();
    }
    // Some services send an empty usage with every event and the real one last; one has a field of its own.
    for usage in [body.get("usage"), body.pointer("/x_groq/usage")]
        .into_iter()
        .flatten()
    {
        let usage = Usage {
            input_tokens: tokens(usage, "/prompt_tokens"),
            output_tokens: tokens(usage, "/completion_tokens"),
        };
        if usage != Usage::default() {
            draft.usage = usage;
        }
    }
    if let Some(reason) = choice.get("finish_reason").and_then(Value::as_str) {
        draft.finish = Some(reason.to_owned());
    }
    let Some(message) = choice.get(part) else {
        return Ok(());
    };
    match message.get("content") {
        Some(Value::String(content)) => draft.say(content),
        Some(Value::Array(chunks)) => {
            let texts = chunks.iter().filter(|chunk| text(chunk, "/type") == "text");
            texts.for_each(|chunk| draft.say(text(chunk, "/text")));
        }
        _ => {}
    }
    draft.refusal.push_str(text(message, "/refusal"));
    if let Some(calls) = message.get("tool_calls").and_then(Value::as_array) {
        for (place, call) in calls.iter().enumerate() {
            take_call(draft, call, place, part == "message")?;
        }
    }
    Ok(())
}

/// Reads a tool call or a part of one; parts of one call have the same index.
fn take_call(
    draft: &mut Draft,
    call: &Value,
    place: usize,
    whole: bool,
) -> Result<(), AnswerFault> {
    let id = text(call, "/id");
    let index = call.get("index").and_then(Value::as_u64);
    let known = match index {
        _ if whole => None,
        Some(_) => draft.calls.iter().position(|known| known.place == index),
        // Without an index a new id starts a new call, and a part without an id belongs to the last call.
        None if id.is_empty() => draft.calls.len().checked_sub(1),
        None => draft.calls.iter().position(|known| known.id == id),
    };
    let known = match known {
        Some(known) => &mut draft.calls[known],
        None => draft.call(Call {
            place: if whole {
                u64::try_from(place).ok()
            } else {
                index
            },
            ..Call::default()
        })?,
    };
    if known.id.is_empty() {
        known.id = id.to_owned();
    }
    if known.name.is_empty() {
        known.name = text(call, "/function/name").to_owned();
    }
    match call.pointer("/function/arguments") {
        Some(Value::String(part)) => match &mut known.arguments {
            Arguments::Text(text) => text.push_str(part),
            Arguments::Json(_) => {
                return Err(AnswerFault::Garbled("a tool call has two arguments"));
            }
        },
        None | Some(Value::Null) => {}
        Some(value) => known.arguments = Arguments::Json(value.clone()),
    }
    Ok(())
}

pub(super) fn stop(reason: &str) -> StopReason {
    match reason {
        "stop" | "stop_sequence" | "eos" => StopReason::End,
        "length" | "max_tokens" | "model_length" => StopReason::MaxTokens,
        "tool_calls" | "function_call" => StopReason::ToolCalls,
        "content_filter" | "refusal" | "sensitive" => StopReason::Refusal,
        reason => other(reason),
    }
}
