//! Requests for Gemini's `generateContent`.

use serde_json::{Map, Value, json};
use zeph_llm::{LlmRequest, Message, OutputFormat, Reasoning, ToolCall, ToolChoice};

use super::{Target, arguments, common, effort, extras, split_system};
use crate::optional::Optional;

/// The start of ids that the reader of answers generated; the service does not know them.
const GENERATED: &str = "call#";

/// What the documentation names for a call without the signature that the service requires.
const NO_SIGNATURE: &str = "skip_thought_signature_validator";

pub(super) fn body(target: Target<'_>, request: &LlmRequest) -> Map<String, Value> {
    let (system, turns) = split_system(target, request);
    let mut config = Map::new();
    common(&mut config, target, request);
    if let Some(effort) = effort(target, request) {
        let thinking = json!({ "thinkingLevel": effort });
        config.insert("thinkingConfig".to_owned(), thinking);
    }
    match &request.output {
        OutputFormat::Text => {}
        OutputFormat::Json if !target.sends(Optional::JsonMode) => {}
        OutputFormat::Json => {
            config.insert("responseMimeType".to_owned(), json!("application/json"));
        }
        OutputFormat::Schema(output) => {
            config.insert("responseMimeType".to_owned(), json!("application/json"));
            config.insert("responseJsonSchema".to_owned(), output.schema.clone());
        }
    }
    let mut body = Map::new();
    if let Some(system) = system {
        body.insert(
            "systemInstruction".to_owned(),
            json!({ "parts": [{ "text": system }] }),
        );
    }
    body.insert("contents".to_owned(), json!(contents(target, &turns)));
    if !config.is_empty() {
        body.insert("generationConfig".to_owned(), Value::Object(config));
    }
    tools(&mut body, target, request);
    body
}

/// The turns; all results of one turn are in one message, as the service requires.
fn contents(target: Target<'_>, turns: &[Message]) -> Vec<Value> {
    let mut contents: Vec<Value> = Vec::with_capacity(turns.len());
    let mut results: Vec<Value> = Vec::new();
    for turn in turns {
        if let Message::Tool {
            call_id,
            name,
            text,
        } = turn
        {
            let response = json!({ "name": name, "response": { "name": name, "content": text } });
            results.push(json!({ "functionResponse": with_id(response, call_id) }));
            continue;
        }
        if !results.is_empty() {
            contents.push(json!({ "role": "user", "parts": std::mem::take(&mut results) }));
        }
        contents.push(match turn {
            Message::Assistant {
                text,
                tool_calls,
                reasoning,
            } => json!({ "role": "model", "parts": parts(target, text, tool_calls, reasoning) }),
            Message::System { text } | Message::User { text } | Message::Tool { text, .. } => {
                json!({ "role": "user", "parts": [{ "text": text }] })
            }
        });
    }
    if !results.is_empty() {
        contents.push(json!({ "role": "user", "parts": results }));
    }
    contents
}

fn with_id(mut call: Value, id: &str) -> Value {
    if !id.starts_with(GENERATED) {
        call["id"] = json!(id);
    }
    call
}

/// The parts of an earlier answer, with the signatures of its calls. The first call needs one for the
/// models that sign.
fn parts(target: Target<'_>, text: &str, calls: &[ToolCall], reasoning: &Reasoning) -> Vec<Value> {
    let mut parts = Vec::with_capacity(calls.len() + 1);
    if !text.is_empty() || calls.is_empty() {
        parts.push(json!({ "text": text }));
    }
    for (place, call) in calls.iter().enumerate() {
        let function = json!({ "name": call.name, "args": arguments(call) });
        let mut part = json!({ "functionCall": with_id(function, &call.id) });
        for (name, value) in extras(target, &reasoning.echo, call) {
            part[name.as_str()] = value.clone();
        }
        if place == 0 && target.model.contains("gemini-3") && part.get("thoughtSignature").is_none()
        {
            part["thoughtSignature"] = json!(NO_SIGNATURE);
        }
        parts.push(part);
    }
    parts
}

fn tools(body: &mut Map<String, Value>, target: Target<'_>, request: &LlmRequest) {
    if request.tools.is_empty() {
        return;
    }
    let tools = request.tools.iter().map(|tool| {
        json!({
            "name": tool.name, "description": tool.description, "parametersJsonSchema": tool.parameters,
        })
    });
    let tools: Vec<Value> = tools.collect();
    body.insert(
        "tools".to_owned(),
        json!([{ "functionDeclarations": tools }]),
    );
    let config = match &request.tool_choice {
        ToolChoice::Auto => return,
        ToolChoice::None => json!({ "mode": "NONE" }),
        ToolChoice::Required => json!({ "mode": "ANY" }),
        ToolChoice::Named(name) => json!({ "mode": "ANY", "allowedFunctionNames": [name] }),
    };
    if target.sends(Optional::ToolChoice) {
        body.insert(
            "toolConfig".to_owned(),
            json!({ "functionCallingConfig": config }),
        );
    }
}
