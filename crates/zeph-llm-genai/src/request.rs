//! Requests in the format of a service: genai's request, and the settings that genai would change.
//!
//! genai writes messages, tools and the tool choice. The settings are sent beside it, because genai would
//! change a schema, drop the output format or the seed for some services, and choose the name of the token
//! limit by the model's name.

use genai::ServiceTarget;
use genai::chat::{
    ChatMessage, ChatOptions, ChatRequest, ContentPart, ReasoningEffort, Tool, ToolCall as Called,
    ToolChoice as Choice, ToolResponse,
};
use serde_json::{Map, Value, json};
use zeph_llm::{ErrorKind, LlmRequest, Message, OutputFormat, ToolCall, ToolChoice};

use crate::wire::Wire;

/// The service and model of a request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Target<'a> {
    pub(crate) wire: Wire,
    pub(crate) model: &'a str,
    /// Whether a schema is sent with the flag `strict`.
    pub(crate) strict: bool,
    /// The names of token limit and seed, which differ between services of one protocol.
    pub(crate) limit: &'static str,
    pub(crate) seed: &'static str,
}

/// The error of a request that cannot be sent.
pub(crate) type Rejection = (ErrorKind, &'static str);

/// A request that is ready to be sent.
pub(crate) struct Prepared {
    pub(crate) target: ServiceTarget,
    pub(crate) request: ChatRequest,
    pub(crate) options: ChatOptions,
}

/// The messages and tools of a request.
pub(crate) fn messages(request: &LlmRequest) -> ChatRequest {
    let mut messages: Vec<ChatMessage> = Vec::with_capacity(request.messages.len());
    let mut results: Vec<ContentPart> = Vec::new();
    for message in &request.messages {
        if let Message::Tool {
            call_id,
            name,
            text,
        } = message
        {
            let result = ToolResponse::new(call_id, text).with_fn_name(name);
            results.push(ContentPart::ToolResponse(result));
            continue;
        }
        flush(&mut messages, &mut results);
        messages.push(match message {
            Message::System { text } => ChatMessage::system(text.as_str()),
            Message::Assistant { text, tool_calls } => {
                ChatMessage::assistant(turn(text, tool_calls))
            }
            Message::User { text } | Message::Tool { text, .. } => ChatMessage::user(text.as_str()),
        });
    }
    flush(&mut messages, &mut results);
    let mut asked = ChatRequest::new(messages);
    if !request.tools.is_empty() {
        let tools = request.tools.iter().map(|tool| {
            Tool::new(tool.name.as_str())
                .with_description(tool.description.as_str())
                .with_schema(tool.parameters.clone())
        });
        asked = asked.with_tools(tools);
    }
    asked
}

/// Sends all results of one turn in one message, as Anthropic and Gemini require.
fn flush(messages: &mut Vec<ChatMessage>, results: &mut Vec<ContentPart>) {
    if !results.is_empty() {
        messages.push(ChatMessage::tool(std::mem::take(results)));
    }
}

/// The parts of a message of the model. Anthropic rejects empty texts.
fn turn(text: &str, calls: &[ToolCall]) -> Vec<ContentPart> {
    let mut parts = Vec::with_capacity(calls.len() + 1);
    if !text.is_empty() || calls.is_empty() {
        parts.push(ContentPart::from_text(text));
    }
    parts.extend(calls.iter().map(|call| {
        // Services accept objects only.
        let arguments = if call.arguments.is_object() {
            call.arguments.clone()
        } else {
            json!({ "arguments": call.arguments })
        };
        ContentPart::ToolCall(Called {
            call_id: call.id.clone(),
            fn_name: call.name.clone(),
            fn_arguments: arguments,
            thought_signatures: None,
        })
    }));
    parts
}

/// The settings of a request.
///
/// # Errors
/// If the protocol excludes the request.
pub(crate) fn options(
    target: Target<'_>,
    request: &LlmRequest,
    stream: bool,
) -> Result<ChatOptions, Rejection> {
    check(request)?;
    let body = match target.wire {
        Wire::OpenAi => openai(target, request, stream),
        Wire::Anthropic => anthropic(target, request)?,
        Wire::Gemini => gemini(target, request),
    };
    let mut options = ChatOptions::default()
        .with_capture_raw_body(true)
        .with_extra_body(body);
    if target.wire == Wire::OpenAi {
        // Without an effort, genai parses one from the end of the model's name and removes it there. This
        // value is not sent.
        options = options.with_reasoning_effort(ReasoningEffort::Budget(0));
    }
    options.tool_choice = match &request.tool_choice {
        ToolChoice::Auto => None,
        ToolChoice::None if request.tools.is_empty() => None,
        ToolChoice::None => Some(Choice::None),
        ToolChoice::Required => Some(Choice::Required),
        ToolChoice::Named(name) => Some(Choice::Tool { name: name.clone() }),
    };
    Ok(options)
}

fn check(request: &LlmRequest) -> Result<(), Rejection> {
    if request.messages.is_empty() {
        return Err((ErrorKind::BadRequest, "the request has no message"));
    }
    let chosen = match &request.tool_choice {
        ToolChoice::Auto | ToolChoice::None => true,
        ToolChoice::Required => !request.tools.is_empty(),
        ToolChoice::Named(name) => request.tools.iter().any(|tool| tool.name == *name),
    };
    if !chosen {
        let why = "the tool choice names a tool that the request does not offer";
        return Err((ErrorKind::BadRequest, why));
    }
    if request.temperature.is_some_and(|t| !t.is_finite()) {
        return Err((
            ErrorKind::BadRequest,
            "the temperature is not a finite number",
        ));
    }
    Ok(())
}

fn openai(target: Target<'_>, request: &LlmRequest, stream: bool) -> Value {
    let mut body = json!({ "model": target.model });
    if stream {
        body["stream_options"] = json!({ "include_usage": true });
    }
    common(&mut body, request, target.limit);
    if let Some(seed) = request.seed {
        body[target.seed] = json!(seed);
    }
    match &request.output {
        OutputFormat::Text => {}
        OutputFormat::Json => body["response_format"] = json!({ "type": "json_object" }),
        OutputFormat::Schema(output) => {
            let mut spec = json!({ "name": output.name, "schema": output.schema });
            if target.strict {
                spec["strict"] = json!(true);
            }
            body["response_format"] = json!({ "type": "json_schema", "json_schema": spec });
        }
    }
    body
}

fn anthropic(target: Target<'_>, request: &LlmRequest) -> Result<Value, Rejection> {
    if request.seed.is_some() {
        let why = "the service does not support a seed";
        return Err((ErrorKind::Unsupported, why));
    }
    let mut body = json!({ "model": target.model });
    common(&mut body, request, target.limit);
    match &request.output {
        OutputFormat::Text => {}
        OutputFormat::Json => {
            let why = "the service has no JSON mode; pass a schema, or ask for JSON in the prompt";
            return Err((ErrorKind::Unsupported, why));
        }
        OutputFormat::Schema(output) => {
            let schema = without_bounds(&output.schema);
            let format = json!({ "type": "json_schema", "schema": schema });
            body["output_config"] = json!({ "format": format });
        }
    }
    Ok(body)
}

/// A strict schema without bounds of numbers and lists, which Anthropic rejects. The recursion is bounded
/// by the depth of the strict form.
fn without_bounds(schema: &Value) -> Value {
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

fn gemini(target: Target<'_>, request: &LlmRequest) -> Value {
    let mut config = json!({});
    common(&mut config, request, target.limit);
    if let Some(seed) = request.seed {
        config["seed"] = json!(seed);
    }
    if request.output != OutputFormat::Text {
        config["responseMimeType"] = json!("application/json");
    }
    if let OutputFormat::Schema(output) = &request.output {
        config["responseJsonSchema"] = output.schema.clone();
    }
    if config == json!({}) {
        return config;
    }
    json!({ "generationConfig": config })
}

fn common(settings: &mut Value, request: &LlmRequest, limit: &str) {
    if let Some(temperature) = request.temperature {
        settings["temperature"] = json!(temperature);
    }
    if let Some(tokens) = request.max_output_tokens {
        settings[limit] = json!(tokens);
    }
}

/// The model's name for genai: with a namespace, which genai removes, and with an end that is no effort,
/// which genai would remove as well. The name that is sent is set separately.
pub(crate) fn disguised(model: &str) -> String {
    format!("zeph::{model}-as-is")
}

#[cfg(test)]
mod tests {
    use super::without_bounds;
    use serde_json::json;

    #[test]
    fn anthropic_gets_no_bounds_and_every_property() {
        let schema = |list: serde_json::Value, count: serde_json::Value| {
            json!({
                "type": "object",
                "properties": { "maximum": list, "n": { "anyOf": [count, { "type": "null" }] } },
                "required": ["maximum", "n"],
                "additionalProperties": false,
            })
        };
        let given = schema(
            json!({ "type": "array", "items": { "type": "number", "maximum": 1 }, "maxItems": 8 }),
            json!({ "type": "integer", "minimum": 0 }),
        );
        let sent = schema(
            json!({ "type": "array", "items": { "type": "number" } }),
            json!({ "type": "integer" }),
        );
        assert_eq!(without_bounds(&given), sent);
    }
}
