//! Requests: the body for each protocol, without the parts that the service has rejected.

mod anthropic;
mod gemini;
mod openai;

use serde_json::{Map, Value, json};
use zeph_llm::{Effort, ErrorKind, LlmRequest, Message, OutputFormat, ToolCall, ToolChoice};

use crate::optional::{Omitted, Optional};
use crate::wire::Wire;

/// The service and model of a request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Target<'a> {
    pub(crate) wire: Wire,
    pub(crate) model: &'a str,
    /// The most tokens of one answer, if known.
    pub(crate) max_output_tokens: Option<u32>,
    /// Whether a schema is sent with the flag `strict`.
    pub(crate) strict: bool,
    /// The names of token limit and seed, which differ between services of one protocol.
    pub(crate) limit: &'a str,
    pub(crate) seed: &'static str,
    /// The parts that the service rejects.
    pub(crate) omitted: &'a Omitted,
}

/// The error of a request that cannot be sent.
pub(crate) type Rejection = (ErrorKind, &'static str);

/// A body, and its optional parts.
#[derive(Debug)]
pub(crate) struct Body {
    pub(crate) json: Map<String, Value>,
    pub(crate) parts: Vec<Optional>,
}

impl Target<'_> {
    /// Whether a part is sent if the request has it.
    fn sends(&self, part: Optional) -> bool {
        !self.omitted.contains(&part)
    }
}

/// The body of a request.
///
/// # Errors
/// If the protocol excludes the request.
pub(crate) fn body(
    target: Target<'_>,
    request: &LlmRequest,
    stream: bool,
) -> Result<Body, Rejection> {
    check(target, request)?;
    let json = match target.wire {
        Wire::OpenAi => openai::body(target, request, stream),
        Wire::Anthropic => anthropic::body(target, request, stream)?,
        Wire::Gemini => gemini::body(target, request),
    };
    let parts = parts(target, request, stream);
    Ok(Body { json, parts })
}

/// The optional parts of a request that were not left out.
fn parts(target: Target<'_>, request: &LlmRequest, stream: bool) -> Vec<Optional> {
    let is_openai = target.wire == Wire::OpenAi;
    let has_limit = request.max_output_tokens.is_some() && target.wire != Wire::Anthropic;
    let turns = request.messages.iter();
    let echoes = turns.filter_map(|message| match message {
        Message::Assistant { reasoning, .. } => Some(&reasoning.echo),
        Message::System { .. } | Message::User { .. } | Message::Tool { .. } => None,
    });
    let (mut has_reasoning, mut has_extras) = (false, false);
    for echo in echoes {
        let extras = echo.contains_key(crate::answer::CALLS_ECHO);
        has_extras |= extras;
        has_reasoning |= echo.len() > usize::from(extras);
    }
    let system = |message: &Message| matches!(message, Message::System { .. });
    let there = [
        (Optional::StreamUsage, stream && is_openai),
        (Optional::Stream, stream),
        (Optional::LimitName, has_limit && is_openai),
        (Optional::Limit, has_limit),
        (Optional::JsonMode, request.output == OutputFormat::Json),
        (
            Optional::Schema,
            matches!(request.output, OutputFormat::Schema(_)),
        ),
        (Optional::SystemRole, request.messages.iter().any(system)),
        (Optional::Seed, request.seed.is_some()),
        (Optional::Temperature, request.temperature.is_some()),
        (Optional::Effort, request.effort.is_some()),
        (
            Optional::ToolChoice,
            request.tool_choice != ToolChoice::Auto && !request.tools.is_empty(),
        ),
        (Optional::Reasoning, has_reasoning),
        (Optional::CallExtras, has_extras),
    ];
    let there = there.into_iter().filter(|(_, is_there)| *is_there);
    there
        .map(|(part, _)| part)
        .filter(|part| target.sends(*part))
        .collect()
}

/// Rejects what no service accepts, and a schema that this one has rejected.
fn check(target: Target<'_>, request: &LlmRequest) -> Result<(), Rejection> {
    let bad = |why| Err((ErrorKind::BadRequest, why));
    if request.messages.is_empty() {
        return bad("the request has no message");
    }
    let has_choice = match &request.tool_choice {
        ToolChoice::Auto | ToolChoice::None => true,
        ToolChoice::Required => !request.tools.is_empty(),
        ToolChoice::Named(name) => request.tools.iter().any(|tool| tool.name == *name),
    };
    if !has_choice {
        return bad("the tool choice names a tool that the request does not offer");
    }
    if request.temperature.is_some_and(|heat| !heat.is_finite()) {
        return bad("the temperature is not a finite number");
    }
    let has_schema = matches!(request.output, OutputFormat::Schema(_));
    if has_schema && !target.sends(Optional::Schema) {
        let why = "the service has rejected a schema before; put the schema into the prompt";
        return Err((ErrorKind::SchemaRejected, why));
    }
    Ok(())
}

/// The conversation as protocols with a separate place for instructions need it: the text of all system
/// messages, and the other ones.
fn split_system(target: Target<'_>, request: &LlmRequest) -> (Option<String>, Vec<Message>) {
    let mut system = Vec::new();
    let mut turns = Vec::with_capacity(request.messages.len());
    for message in &request.messages {
        match message {
            Message::System { text } => system.push(text.as_str()),
            Message::User { .. } | Message::Assistant { .. } | Message::Tool { .. } => {
                turns.push(message.clone());
            }
        }
    }
    let system = (!system.is_empty()).then(|| system.join("\n\n"));
    match system {
        Some(system) if !target.sends(Optional::SystemRole) => {
            if let Some(Message::User { text }) = turns.first_mut() {
                *text = format!("{system}\n\n{text}");
            } else {
                turns.insert(0, Message::user(system));
            }
            (None, turns)
        }
        system => (system, turns),
    }
}

/// Temperature, token limit and seed.
fn common(settings: &mut Map<String, Value>, target: Target<'_>, request: &LlmRequest) {
    if let Some(temperature) = request
        .temperature
        .filter(|_| target.sends(Optional::Temperature))
    {
        settings.insert("temperature".to_owned(), json!(temperature));
    }
    if let Some(tokens) = request
        .max_output_tokens
        .filter(|_| target.sends(Optional::Limit))
    {
        settings.insert(target.limit.to_owned(), json!(tokens));
    }
    if let Some(seed) = request.seed.filter(|_| target.sends(Optional::Seed)) {
        settings.insert(target.seed.to_owned(), json!(seed));
    }
}

/// The word of the effort, if the service gets it.
fn effort(target: Target<'_>, request: &LlmRequest) -> Option<&'static str> {
    let effort = request.effort.filter(|_| target.sends(Optional::Effort));
    effort.map(Effort::word)
}

/// The arguments of an earlier call. Services accept objects only.
fn arguments(call: &ToolCall) -> Value {
    if call.arguments.is_object() {
        call.arguments.clone()
    } else {
        json!({ "arguments": call.arguments })
    }
}

/// The fields that the service gave beside a call, if it wants them back.
fn extras<'a>(
    target: Target<'_>,
    echo: &'a Map<String, Value>,
    call: &ToolCall,
) -> impl Iterator<Item = (&'a String, &'a Value)> + use<'a> {
    let extras = echo.get(crate::answer::CALLS_ECHO);
    let extras = extras.filter(|_| target.sends(Optional::CallExtras));
    let extras = extras
        .and_then(|calls| calls.get(&call.id))
        .and_then(Value::as_object);
    extras.into_iter().flatten()
}

#[cfg(test)]
mod tests;
