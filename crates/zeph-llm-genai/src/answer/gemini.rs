//! The reader of Gemini's `generateContent`.

use serde_json::{Map, Value};
use zeph_common::Boundary;
use zeph_llm::{LlmResponse, StopReason, Usage};

use super::{
    AnswerFault, Arguments, Call, Draft, garbled, other, reported_error, sum, text, tokens,
};

pub(super) fn whole(body: &Value) -> Result<LlmResponse, AnswerFault> {
    reported_error(body)?;
    let mut draft = Draft::default();
    piece(&mut draft, body)?;
    let answered = draft.finish.is_some() || body.pointer("/candidates/0/content").is_some();
    if !answered {
        return Err(garbled("the answer has no candidate"));
    }
    draft.finish(stop)
}

pub(super) fn event(draft: &mut Draft, body: &Value) -> Result<(), AnswerFault> {
    piece(draft, body)?;
    draft.ended = draft.finish.is_some();
    Ok(())
}

fn piece(draft: &mut Draft, body: &Value) -> Result<(), AnswerFault> {
    let model = text(body, "/modelVersion");
    if !model.is_empty() {
        draft.model = model.to_owned();
    }
    if let Some(counts) = body.get("usageMetadata") {
        draft.usage = usage(counts);
    }
    // A blocked prompt has this field and no candidate.
    let blocked = text(body, "/promptFeedback/blockReason");
    if !blocked.is_empty() && body.pointer("/candidates/0").is_none() {
        draft.refusal = format!(
            "the prompt was blocked: {}",
            zeph_common::truncate(blocked, 64, Boundary::Char)
        );
        draft.finish = Some("SAFETY".to_owned());
    }
    if let Some(reason) = body
        .pointer("/candidates/0/finishReason")
        .and_then(Value::as_str)
    {
        draft.finish = Some(reason.to_owned());
    }
    let parts = body
        .pointer("/candidates/0/content/parts")
        .and_then(Value::as_array);
    for part in parts.into_iter().flatten() {
        if let Some(call) = part.get("functionCall") {
            let name = text(call, "/name").to_owned();
            let id = match text(call, "/id") {
                // genai treats ids of this form as generated, and does not send them back.
                "" => format!("call#{name}#{}", draft.calls.len()),
                id => id.to_owned(),
            };
            let signature = part.get("thoughtSignature").cloned();
            let extra = signature.map(|signature| ("thoughtSignature".to_owned(), signature));
            draft.call(Call {
                place: None,
                id,
                name,
                arguments: Arguments::Json(call.get("args").cloned().unwrap_or_default()),
                extra: Map::from_iter(extra),
            })?;
        } else if part.get("thought").and_then(Value::as_bool) == Some(true) {
            draft.think(text(part, "/text"));
        } else {
            draft.say(text(part, "/text"));
        }
    }
    Ok(())
}

/// The count of candidates does not include reasoning, which costs as much; an answer may be reasoning only.
fn usage(counts: &Value) -> Usage {
    let thoughts = tokens(counts, "/thoughtsTokenCount");
    let answer = match counts.get("candidatesTokenCount") {
        None | Some(Value::Null) => thoughts,
        Some(_) => sum(counts, "/candidatesTokenCount", &["/thoughtsTokenCount"]),
    };
    Usage {
        input_tokens: sum(counts, "/promptTokenCount", &["/toolUsePromptTokenCount"]),
        output_tokens: answer,
    }
}

pub(super) fn stop(reason: &str) -> StopReason {
    match reason {
        "STOP" => StopReason::End,
        "MAX_TOKENS" => StopReason::MaxTokens,
        "SAFETY"
        | "RECITATION"
        | "LANGUAGE"
        | "BLOCKLIST"
        | "PROHIBITED_CONTENT"
        | "SPII"
        | "IMAGE_SAFETY"
        | "IMAGE_PROHIBITED_CONTENT"
        | "IMAGE_RECITATION" => StopReason::Refusal,
        reason => other(reason),
    }
}
