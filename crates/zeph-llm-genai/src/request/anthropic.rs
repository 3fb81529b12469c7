//! Requests for Anthropic's messages.

use serde_json::{Map, Value, json};
use zeph_llm::{ErrorKind, LlmRequest, Message, OutputFormat, Reasoning, ToolCall, ToolChoice};

use super::{Rejection, Target, arguments, common, effort, split_system};
use crate::answer::BLOCKS_ECHO;
use crate::optional::Optional;

/// The limit of a request that has none: the service requires one, and all of its models allow this.
const LIMIT: u32 = 4_096;

pub(super) fn body(
    target: Target<'_>,
    request: &LlmRequest,
    stream: bool,
) -> Result<Map<String, Value>, Rejection> {
    if request.seed.is_some() {
        return Err((
            ErrorKind::Unsupported,
            "the service does not support a seed",
        ));
    }
    let (system, turns) = split_system(target, request);
    let mut body = Map::new();
    body.insert("model".to_owned(), json!(target.model));
    body.insert("messages".to_owned(), json!(messages(target, &turns)));
    body.insert("stream".to_owned(), json!(stream));
    if let Some(system) = system {
        body.insert("system".to_owned(), json!(system));
    }
    let limit = target.max_output_tokens.unwrap_or(LIMIT);
    body.insert("max_tokens".to_owned(), json!(limit));
    common(&mut body, target, request);
    tools(&mut body, target, request);
    let mut config = Map::new();
    if let Some(effort) = effort(target, request) {
        config.insert("effort".to_owned(), json!(effort));
    }
    match &request.output {
        OutputFormat::Text => {}
        OutputFormat::Json => {
            let why = "the service has no JSON mode; pass a schema, or ask for JSON in the prompt";
            return Err((ErrorKind::Unsupported, why));
        }
        OutputFormat::Schema(output) => {
            let schema = without_bounds(&output.schema);
            let format = json!({ "type": "json_schema", "schema": schema });
            config.insert("format".to_owned(), format);
        }
    }
    if !config.is_empty() {
        body.insert("output_config".to_owned(), Value::Object(config));
    }
    Ok(body)
}

/// The turns; all results of one turn are in one message, as the service requires.
fn messages(target: Target<'_>, turns: &[Message]) -> Vec<Value> {
    let mut messages: Vec<Value> = Vec::with_capacity(turns.len());
    let mut results: Vec<Value> = Vec::new();
    for turn in turns {
        if let Message::Tool { call_id, text, .. } = turn {
            results.push(json!({ "type": "tool_result", "tool_use_id": call_id, "content": text }));
            continue;
        }
        if !results.is_empty() {
            messages.push(json!({ "role": "user", "content": std::mem::take(&mut results) }));
        }
        messages.push(match turn {
            Message::Assistant {
                text,
                tool_calls,
                reasoning,
            } => json!({ "role": "assistant", "content": assistant(target, text, tool_calls, reasoning) }),
            Message::System { text } | Message::User { text } | Message::Tool { text, .. } => {
                json!({ "role": "user", "content": text })
            }
        });
    }
    if !results.is_empty() {
        messages.push(json!({ "role": "user", "content": results }));
    }
    messages
}

/// The content of an earlier answer. The service rejects empty texts.
fn assistant(target: Target<'_>, text: &str, calls: &[ToolCall], reasoning: &Reasoning) -> Value {
    let thoughts = reasoning.echo.get(BLOCKS_ECHO).and_then(Value::as_array);
    let thoughts = thoughts.filter(|_| target.sends(Optional::Reasoning));
    if calls.is_empty() && thoughts.is_none() {
        return json!(text);
    }
    let mut blocks: Vec<Value> = thoughts.into_iter().flatten().cloned().collect();
    if !text.is_empty() {
        blocks.push(json!({ "type": "text", "text": text }));
    }
    let calls = calls.iter().map(|call| {
        json!({ "type": "tool_use", "id": call.id, "name": call.name, "input": arguments(call) })
    });
    blocks.extend(calls);
    json!(blocks)
}

fn tools(body: &mut Map<String, Value>, target: Target<'_>, request: &LlmRequest) {
    if request.tools.is_empty() {
        return;
    }
    let tools = request.tools.iter().map(|tool| {
        json!({ "name": tool.name, "description": tool.description, "input_schema": tool.parameters })
    });
    body.insert("tools".to_owned(), tools.collect());
    let choice = match &request.tool_choice {
        ToolChoice::Auto => return,
        ToolChoice::None => json!({ "type": "none" }),
        ToolChoice::Required => json!({ "type": "any" }),
        ToolChoice::Named(name) => json!({ "type": "tool", "name": name }),
    };
    if target.sends(Optional::ToolChoice) {
        body.insert("tool_choice".to_owned(), choice);
    }
}

/// A strict schema without bounds of numbers and lists, which Anthropic rejects. The recursion is bounded
/// by the depth of the strict form.
pub(super) fn without_bounds(schema: &Value) -> Value {
    let Some(map) = schema.as_object() else {
        return schema.clone();
    };
    let mut out = Map::new();
    for (key, value) in map {
        let value = match (key.as_str(), value) {
            ("minItems" | "maxItems" | "minimum" | "maximum", _) => continue,
            ("properties", Value::Object(properties)) => {
                let inner = properties.iter();
                inner
                    .map(|(name, one)| (name.clone(), without_bounds(one)))
                    .collect()
            }
            ("anyOf", Value::Array(branches)) => branches.iter().map(without_bounds).collect(),
            ("items", items) => without_bounds(items),
            (_, other) => other.clone(),
        };
        out.insert(key.clone(), value);
    }
    Value::Object(out)
}
