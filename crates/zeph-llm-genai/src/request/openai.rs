//! Requests for OpenAI's chat completions.

use serde_json::{Map, Value, json};
use zeph_llm::{LlmRequest, Message, OutputFormat, Reasoning, ToolCall, ToolChoice};

use super::{Target, arguments, common, effort, extras, split_system};
use crate::answer::{DETAILS_ECHO, FIELD_ECHO};
use crate::optional::Optional;

pub(super) fn body(target: Target<'_>, request: &LlmRequest, stream: bool) -> Map<String, Value> {
    let messages = if target.sends(Optional::SystemRole) {
        request.messages.clone()
    } else {
        split_system(target, request).1
    };
    let messages: Vec<Value> = messages.iter().map(|one| message(target, one)).collect();
    let mut body = Map::new();
    body.insert("model".to_owned(), json!(target.model));
    body.insert("messages".to_owned(), json!(messages));
    body.insert("stream".to_owned(), json!(stream));
    if stream && target.sends(Optional::StreamUsage) {
        body.insert(
            "stream_options".to_owned(),
            json!({ "include_usage": true }),
        );
    }
    common(&mut body, target, request);
    if let Some(effort) = effort(target, request) {
        body.insert("reasoning_effort".to_owned(), json!(effort));
    }
    tools(&mut body, target, request);
    match &request.output {
        OutputFormat::Text => {}
        OutputFormat::Json if !target.sends(Optional::JsonMode) => {}
        OutputFormat::Json => {
            body.insert(
                "response_format".to_owned(),
                json!({ "type": "json_object" }),
            );
        }
        OutputFormat::Schema(output) => {
            let mut spec = json!({ "name": output.name, "schema": output.schema });
            if target.strict {
                spec["strict"] = json!(true);
            }
            let format = json!({ "type": "json_schema", "json_schema": spec });
            body.insert("response_format".to_owned(), format);
        }
    }
    body
}

fn tools(body: &mut Map<String, Value>, target: Target<'_>, request: &LlmRequest) {
    if request.tools.is_empty() {
        return;
    }
    let tools = request.tools.iter().map(|tool| {
        let function = json!({
            "name": tool.name, "description": tool.description, "parameters": tool.parameters,
        });
        json!({ "type": "function", "function": function })
    });
    body.insert("tools".to_owned(), tools.collect());
    let choice = match &request.tool_choice {
        ToolChoice::Auto => return,
        ToolChoice::None => json!("none"),
        ToolChoice::Required => json!("required"),
        ToolChoice::Named(name) => json!({ "type": "function", "function": { "name": name } }),
    };
    if target.sends(Optional::ToolChoice) {
        body.insert("tool_choice".to_owned(), choice);
    }
}

fn message(target: Target<'_>, message: &Message) -> Value {
    match message {
        Message::System { text } => json!({ "role": "system", "content": text }),
        Message::User { text } => json!({ "role": "user", "content": text }),
        Message::Tool { call_id, text, .. } => {
            json!({ "role": "tool", "tool_call_id": call_id, "content": text })
        }
        Message::Assistant {
            text,
            tool_calls,
            reasoning,
        } => assistant(target, text, tool_calls, reasoning),
    }
}

fn assistant(target: Target<'_>, text: &str, calls: &[ToolCall], reasoning: &Reasoning) -> Value {
    let mut message = json!({ "role": "assistant", "content": text });
    if !calls.is_empty() {
        let calls = calls.iter().map(|call| {
            let arguments = arguments(call).to_string();
            let mut sent = json!({
                "id": call.id, "type": "function",
                "function": { "name": call.name, "arguments": arguments },
            });
            for (name, value) in extras(target, &reasoning.echo, call) {
                sent[name.as_str()] = value.clone();
            }
            sent
        });
        message["tool_calls"] = calls.collect();
    }
    if target.sends(Optional::Reasoning) {
        // A service that sent reasoning in a field wants it back in that field.
        if let Some(field) = reasoning.echo.get(FIELD_ECHO).and_then(Value::as_str) {
            message[field] = json!(reasoning.text);
        }
        if let Some(details) = reasoning.echo.get(DETAILS_ECHO) {
            message[DETAILS_ECHO] = details.clone();
        }
    }
    message
}
