//! The reader of Anthropic's messages.

use serde_json::{Value, json};
use zeph_llm::{LlmResponse, StopReason};

use super::{
    AnswerFault, Arguments, BLOCKS_ECHO, Call, Draft, garbled, other, reported_error, sum, text,
    tokens,
};

/// `input_tokens` does not include tokens that are written to or read from a cache, which cost as well.
const CACHED: &[&str] = &["/cache_creation_input_tokens", "/cache_read_input_tokens"];

pub(super) fn whole(body: &Value) -> Result<LlmResponse, AnswerFault> {
    reported_error(body)?;
    let Some(blocks) = body.get("content").and_then(Value::as_array) else {
        return Err(garbled("the answer has no content"));
    };
    let mut draft = Draft::default();
    for block in blocks {
        begin(&mut draft, block, None)?;
    }
    message(&mut draft, body);
    if let Some(usage) = body.get("usage") {
        draft.usage.output_tokens = tokens(usage, "/output_tokens");
    }
    draft.finish = body
        .get("stop_reason")
        .and_then(Value::as_str)
        .map(str::to_owned);
    draft.finish(stop)
}

pub(super) fn event(draft: &mut Draft, body: &Value) -> Result<(), AnswerFault> {
    let index = body.get("index").and_then(Value::as_u64);
    match text(body, "/type") {
        // The whole message in place of its events.
        "message" => {
            for block in body
                .get("content")
                .and_then(Value::as_array)
                .into_iter()
                .flatten()
            {
                begin(draft, block, None)?;
            }
            message(draft, body);
            if let Some(usage) = body.get("usage") {
                draft.usage.output_tokens = tokens(usage, "/output_tokens");
            }
            let reason = body.get("stop_reason").and_then(Value::as_str);
            draft.finish = reason.map(str::to_owned);
        }
        "message_start" => {
            if let Some(started) = body.get("message") {
                message(draft, started);
            }
        }
        "content_block_start" => {
            if let Some(block) = body.get("content_block") {
                begin(draft, block, index)?;
            }
        }
        "content_block_delta" => {
            draft.say(text(body, "/delta/text"));
            let [thought, signature] =
                ["/delta/thinking", "/delta/signature"].map(|part| text(body, part));
            if !thought.is_empty() || !signature.is_empty() {
                draft.think(thought);
                extend_thought(draft, thought, signature);
            }
            let part = text(body, "/delta/partial_json");
            if !part.is_empty() {
                append(draft, index, part);
            }
        }
        "message_delta" => {
            if let Some(reason) = body.pointer("/delta/stop_reason").and_then(Value::as_str) {
                draft.finish = Some(reason.to_owned());
            }
            if let Some(usage) = body.get("usage") {
                draft.usage.output_tokens = tokens(usage, "/output_tokens");
                let input = sum(usage, "/input_tokens", CACHED);
                draft.usage.input_tokens = input.or(draft.usage.input_tokens);
            }
        }
        "message_stop" => draft.ended = true,
        // Pings, ends of blocks, and future additions to the protocol.
        _ => {}
    }
    Ok(())
}

/// Reads the fields of the message itself.
fn message(draft: &mut Draft, message: &Value) {
    draft.model = text(message, "/model").to_owned();
    if let Some(usage) = message.get("usage") {
        draft.usage.input_tokens = sum(usage, "/input_tokens", CACHED);
    }
}

/// Adds to the block of reasoning that came last.
fn extend_thought(draft: &mut Draft, thought: &str, signature: &str) {
    let blocks = draft.reasoning.echo.get_mut(BLOCKS_ECHO);
    let Some(block) = blocks
        .and_then(Value::as_array_mut)
        .and_then(|blocks| blocks.last_mut())
    else {
        return;
    };
    for (field, part) in [("thinking", thought), ("signature", signature)] {
        if !part.is_empty() {
            block[field] = json!(format!("{}{part}", text(block, &format!("/{field}"))));
        }
    }
}

/// Reads a block or its start. Tool use of the service is no part of the answer.
fn begin(draft: &mut Draft, block: &Value, place: Option<u64>) -> Result<(), AnswerFault> {
    match text(block, "/type") {
        "text" => draft.say(text(block, "/text")),
        "thinking" | "redacted_thinking" => {
            draft.think(text(block, "/thinking"));
            let blocks = draft
                .reasoning
                .echo
                .entry(BLOCKS_ECHO)
                .or_insert_with(|| json!([]));
            if let Some(blocks) = blocks.as_array_mut() {
                blocks.push(block.clone());
            }
        }
        "tool_use" => {
            let input = block.get("input").filter(|input| {
                // A stream starts with an empty object and sends the arguments as text.
                place.is_none() || input.as_object().is_some_and(|input| !input.is_empty())
            });
            draft.call(Call {
                place,
                id: text(block, "/id").to_owned(),
                name: text(block, "/name").to_owned(),
                arguments: input.cloned().map(Arguments::Json).unwrap_or_default(),
                ..Call::default()
            })?;
        }
        _ => {}
    }
    Ok(())
}

/// Appends to the arguments of the call at that index. Other blocks are ignored.
fn append(draft: &mut Draft, place: Option<u64>, part: &str) {
    let call = draft
        .calls
        .iter_mut()
        .rev()
        .find(|call| call.place == place);
    let Some(call) = call else {
        return;
    };
    match &mut call.arguments {
        Arguments::Text(text) => text.push_str(part),
        Arguments::Json(_) => call.arguments = Arguments::Text(part.to_owned()),
    }
}

pub(super) fn stop(reason: &str) -> StopReason {
    match reason {
        "end_turn" | "stop_sequence" => StopReason::End,
        "max_tokens" | "model_context_window_exceeded" => StopReason::MaxTokens,
        "tool_use" => StopReason::ToolCalls,
        "refusal" => StopReason::Refusal,
        reason => other(reason),
    }
}
