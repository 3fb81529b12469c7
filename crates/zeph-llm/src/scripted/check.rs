//! Validation of requests: everything that some service rejects.

use std::collections::BTreeSet;

use crate::strict_schema::strict_form;
use crate::{Capabilities, ErrorKind, LlmError, LlmRequest, Message, OutputFormat, ToolChoice};

/// The errors of a request to a provider with these capabilities; empty if it is valid.
pub(super) fn request_errors(
    provider: &str,
    request: &LlmRequest,
    capabilities: &Capabilities,
) -> Vec<LlmError> {
    let mut problems = Vec::new();
    conversation(&request.messages, &mut problems);
    tools(request, &mut problems);
    if request.max_output_tokens == Some(0) {
        problems.push("max_output_tokens is out of range".to_owned());
    }
    if request
        .temperature
        .is_some_and(|heat| !(0.0..=2.0).contains(&heat))
    {
        problems.push("temperature is out of range".to_owned());
    }
    let mut loose = None;
    if let OutputFormat::Schema(output) = &request.output {
        check_name("schema", &output.name, &mut problems);
        if strict_form(&output.schema).as_ref() != Some(&output.schema) {
            let message = "the schema is not in the strict form";
            loose = Some(LlmError::new(ErrorKind::SchemaRejected, provider, message));
        }
    }
    let bad = |problem| LlmError::new(ErrorKind::BadRequest, provider, problem);
    let excluded = capabilities.check(request, provider).err();
    let problems = problems.into_iter().map(bad);
    problems.chain(excluded).chain(loose).collect()
}

fn conversation(messages: &[Message], problems: &mut Vec<String>) {
    let mut has_begun = false;
    // The calls without a result so far.
    let mut open: BTreeSet<&str> = BTreeSet::new();
    for (index, message) in messages.iter().enumerate() {
        let is_system = matches!(message, Message::System { .. });
        if is_system && has_begun {
            problems.push(format!(
                "message {index} is a system message after the start of the conversation"
            ));
        }
        has_begun |= !is_system;
        let calls = match message {
            // A tool may return an empty result.
            Message::Tool { call_id, .. } => {
                if !open.remove(call_id.as_str()) {
                    problems.push(format!(
                        "message {index} is the result of the unknown call {call_id:?}"
                    ));
                }
                continue;
            }
            Message::Assistant { tool_calls, .. } => tool_calls.as_slice(),
            Message::System { .. } | Message::User { .. } => &[],
        };
        if message.text().trim().is_empty() && calls.is_empty() {
            problems.push(format!("message {index} is empty"));
        }
        without_result(&mut open, problems);
        for call in calls {
            if !open.insert(&call.id) {
                problems.push(format!("the call {:?} occurs twice", call.id));
            }
        }
    }
    without_result(&mut open, problems);
    if !has_begun {
        problems.push("the request has no message besides the system message".to_owned());
    }
}

fn without_result(open: &mut BTreeSet<&str>, problems: &mut Vec<String>) {
    let calls = std::mem::take(open).into_iter();
    problems.extend(calls.map(|call_id| format!("the call {call_id:?} has no result")));
}

fn tools(request: &LlmRequest, problems: &mut Vec<String>) {
    let mut names = BTreeSet::new();
    for tool in &request.tools {
        let name = tool.name.as_str();
        check_name("tool", name, problems);
        if !names.insert(name) {
            problems.push(format!("the tool {name:?} occurs twice"));
        }
        let kind = tool.parameters.get("type").and_then(|kind| kind.as_str());
        if kind != Some("object") {
            problems.push(format!(
                "the parameters of the tool {name:?} do not describe an object"
            ));
        }
    }
    match &request.tool_choice {
        ToolChoice::Required if names.is_empty() => {
            problems.push("a tool must be called, and none is offered".to_owned());
        }
        ToolChoice::Named(name) if !names.contains(name.as_str()) => {
            problems.push(format!("the tool choice {name:?} is not offered"));
        }
        ToolChoice::Auto | ToolChoice::None | ToolChoice::Required | ToolChoice::Named(_) => {}
    }
}

fn check_name(what: &str, name: &str, problems: &mut Vec<String>) {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
    if !(1..=64).contains(&name.len()) || !name.bytes().all(is_plain) {
        problems.push(format!(
            "{what} {name:?} must have 1 to 64 characters of a-z, A-Z, 0-9, _ and -"
        ));
    }
}
