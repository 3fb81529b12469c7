//! Requests: what the port asks, as genai's request and the settings that it would lose.
//!
//! genai writes messages, tools and the choice of tools. The settings go beside it, word for word: it
//! would change a schema, drop the form of an answer or a seed for some services, and choose the name of
//! the limit by the model's name.

use genai::chat::{
    ChatMessage, ChatOptions, ChatRequest, ContentPart, ReasoningEffort, Tool, ToolCall as Called,
    ToolChoice as Choice, ToolResponse,
};
use serde_json::{Map, Value, json};
use zeph_llm::{
    Capabilities, Dialect, ErrorKind, LlmRequest, Message, OutputFormat, SchemaSupport, ToolCall,
    ToolChoice,
};

use crate::Wire;

/// What a request is written for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Target<'a> {
    pub(crate) wire: Wire,
    pub(crate) model: &'a str,
    pub(crate) capabilities: Capabilities,
    /// How the service names its limit and its seed, where they differ on one wire.
    pub(crate) limit: &'static str,
    pub(crate) seed: &'static str,
}

/// Why a request cannot be sent.
pub(crate) type Refused = (ErrorKind, &'static str);

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

/// All results of one turn go back in one turn: Anthropic and Gemini want them together.
fn flush(messages: &mut Vec<ChatMessage>, results: &mut Vec<ContentPart>) {
    if !results.is_empty() {
        messages.push(ChatMessage::tool(std::mem::take(results)));
    }
}

/// What the model said. No part of it may be an empty text, which Anthropic refuses.
fn turn(text: &str, calls: &[ToolCall]) -> Vec<ContentPart> {
    let mut parts = Vec::with_capacity(calls.len() + 1);
    if !text.is_empty() || calls.is_empty() {
        parts.push(ContentPart::from_text(text));
    }
    parts.extend(calls.iter().map(|call| {
        // Arguments that were no object go back as one: that is all that services read.
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
/// What the service cannot do, by its capabilities or by its wire.
pub(crate) fn options(
    target: Target<'_>,
    request: &LlmRequest,
    stream: bool,
) -> Result<ChatOptions, Refused> {
    check(target, request)?;
    let body = match target.wire {
        Wire::OpenAi => openai(target, request, stream),
        Wire::Anthropic => anthropic(target, request)?,
        Wire::Gemini => gemini(target, request),
    };
    let mut options = ChatOptions::default()
        .with_capture_raw_body(true)
        .with_extra_body(Value::Object(body));
    if target.wire == Wire::OpenAi {
        // Without an effort genai looks for one at the end of the model's name, and cuts it off there;
        // this one it writes nowhere.
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

fn check(target: Target<'_>, request: &LlmRequest) -> Result<(), Refused> {
    let can = target.capabilities;
    if request.messages.is_empty() {
        return Err((ErrorKind::BadRequest, "the request has no message"));
    }
    if !request.tools.is_empty() && !can.tools {
        return Err((ErrorKind::Unsupported, "the model calls no tools"));
    }
    let chosen = match &request.tool_choice {
        ToolChoice::Auto | ToolChoice::None => true,
        ToolChoice::Required => !request.tools.is_empty(),
        ToolChoice::Named(name) => request.tools.iter().any(|tool| tool.name == *name),
    };
    if !chosen {
        let why = "the request wants a tool called that it does not offer";
        return Err((ErrorKind::BadRequest, why));
    }
    if request.temperature.is_some_and(|t| !t.is_finite()) {
        return Err((ErrorKind::BadRequest, "the temperature is no number"));
    }
    match (&request.output, can.schema) {
        (OutputFormat::Text, _)
        | (OutputFormat::Json, SchemaSupport::Schema(_) | SchemaSupport::Json)
        | (OutputFormat::Schema(_), SchemaSupport::Schema(_)) => Ok(()),
        (OutputFormat::Json, SchemaSupport::Prompt | SchemaSupport::Never) => Err((
            ErrorKind::Unsupported,
            "the service does not promise JSON; ask for it in the prompt",
        )),
        (
            OutputFormat::Schema(_),
            SchemaSupport::Json | SchemaSupport::Prompt | SchemaSupport::Never,
        ) => {
            let why = "the service takes no schema; write it into the prompt";
            Err((ErrorKind::SchemaRejected, why))
        }
    }
}

fn openai(target: Target<'_>, request: &LlmRequest, stream: bool) -> Map<String, Value> {
    let mut body = Map::new();
    body.insert("model".to_owned(), json!(target.model));
    if stream {
        body.insert(
            "stream_options".to_owned(),
            json!({ "include_usage": true }),
        );
    }
    common(&mut body, request, target.limit);
    if let Some(seed) = request.seed {
        body.insert(target.seed.to_owned(), json!(seed));
    }
    match &request.output {
        OutputFormat::Text => {}
        OutputFormat::Json => {
            body.insert(
                "response_format".to_owned(),
                json!({ "type": "json_object" }),
            );
        }
        OutputFormat::Schema(output) => {
            let mut spec = json!({ "name": output.name, "schema": output.schema });
            if target.capabilities.schema == SchemaSupport::Schema(Dialect::OpenAiStrict) {
                spec["strict"] = json!(true);
            }
            let format = json!({ "type": "json_schema", "json_schema": spec });
            body.insert("response_format".to_owned(), format);
        }
    }
    body
}

fn anthropic(target: Target<'_>, request: &LlmRequest) -> Result<Map<String, Value>, Refused> {
    if request.seed.is_some() {
        return Err((ErrorKind::Unsupported, "the service has no seed"));
    }
    let mut body = Map::new();
    body.insert("model".to_owned(), json!(target.model));
    common(&mut body, request, target.limit);
    match &request.output {
        OutputFormat::Text => {}
        OutputFormat::Json => {
            let why =
                "the service has no JSON without a schema; give one, or ask for it in the prompt";
            return Err((ErrorKind::Unsupported, why));
        }
        OutputFormat::Schema(output) => {
            let format = json!({ "type": "json_schema", "schema": output.schema });
            body.insert("output_config".to_owned(), json!({ "format": format }));
        }
    }
    Ok(body)
}

fn gemini(target: Target<'_>, request: &LlmRequest) -> Map<String, Value> {
    let mut config = Map::new();
    common(&mut config, request, target.limit);
    if let Some(seed) = request.seed {
        config.insert("seed".to_owned(), json!(seed));
    }
    match &request.output {
        OutputFormat::Text => {}
        OutputFormat::Json => {
            config.insert("responseMimeType".to_owned(), json!("application/json"));
        }
        OutputFormat::Schema(output) => {
            config.insert("responseMimeType".to_owned(), json!("application/json"));
            config.insert("responseJsonSchema".to_owned(), output.schema.clone());
        }
    }
    let mut body = Map::new();
    if !config.is_empty() {
        body.insert("generationConfig".to_owned(), Value::Object(config));
    }
    body
}

fn common(settings: &mut Map<String, Value>, request: &LlmRequest, limit: &str) {
    if let Some(temperature) = request.temperature {
        settings.insert("temperature".to_owned(), json!(temperature));
    }
    if let Some(tokens) = request.max_output_tokens {
        settings.insert(limit.to_owned(), json!(tokens));
    }
}

/// The model's name as genai gets it: behind a namespace, which it cuts off, and before an end that is
/// no effort, which it would cut off as well. It looks at the rest for what a model needs; what is sent
/// is the true name.
pub(crate) fn disguised(model: &str) -> String {
    format!("zeph::{model}-as-is")
}
