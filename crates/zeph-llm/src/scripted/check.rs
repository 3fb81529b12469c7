//! Validation of requests: everything that some service rejects.

use std::collections::BTreeSet;

use crate::strict_schema::strict_form;
use crate::{
    Capabilities, ErrorKind, LlmError, LlmRequest, Message, OutputFormat, SchemaSupport, ToolChoice,
};

/// A fault for which a service rejects a request.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RequestFault {
    /// There is no message to answer.
    #[error("the request has no message besides the system message")]
    NoMessages,
    /// A turn without content.
    #[error("message {index} is empty")]
    EmptyMessage {
        /// Its index in the conversation.
        index: usize,
    },
    /// A system message after another message.
    #[error("message {index} is a system message after the start of the conversation")]
    LateSystem {
        /// Its index in the conversation.
        index: usize,
    },
    /// Two tools, or two open calls, share a name or an id.
    #[error("the {what} {name:?} occurs twice")]
    Duplicate {
        /// `tool` or `call`.
        what: &'static str,
        /// The name or id.
        name: String,
    },
    /// An invalid name.
    #[error("{what} {name:?} must have 1 to 64 characters of a-z, A-Z, 0-9, _ and -")]
    BadName {
        /// `tool` or `schema`.
        what: &'static str,
        /// The name.
        name: String,
    },
    /// The schema of a tool's arguments does not describe an object.
    #[error("the parameters of the tool {name:?} do not describe an object")]
    BadParameters {
        /// The tool.
        name: String,
    },
    /// A result without a call in the message before.
    #[error("message {index} is the result of the unknown call {call_id:?}")]
    ResultWithoutCall {
        /// Its index in the conversation.
        index: usize,
        /// The call.
        call_id: String,
    },
    /// A call without a result.
    #[error("the call {call_id:?} has no result")]
    CallWithoutResult {
        /// The call.
        call_id: String,
    },
    /// The tool choice names a tool that is not offered.
    #[error("the tool choice names {name:?}, which is not offered")]
    UnknownTool {
        /// The tool; empty if any tool must be called and none is offered.
        name: String,
    },
    /// A setting out of its range.
    #[error("{what} is out of range")]
    OutOfRange {
        /// Which one.
        what: &'static str,
    },
    /// The capabilities exclude the request.
    #[error("the provider does not support {what}")]
    Unsupported {
        /// `tools`, `schemas` or `JSON mode`.
        what: &'static str,
    },
    /// The schema is not in the strict form.
    #[error("the schema is not in the strict form")]
    Schema,
}

impl RequestFault {
    /// The kind of the error of the call.
    #[must_use]
    pub const fn kind(&self) -> ErrorKind {
        match self {
            Self::Unsupported { .. } => ErrorKind::Unsupported,
            Self::Schema => ErrorKind::SchemaRejected,
            Self::NoMessages
            | Self::EmptyMessage { .. }
            | Self::LateSystem { .. }
            | Self::Duplicate { .. }
            | Self::BadName { .. }
            | Self::BadParameters { .. }
            | Self::ResultWithoutCall { .. }
            | Self::CallWithoutResult { .. }
            | Self::UnknownTool { .. }
            | Self::OutOfRange { .. } => ErrorKind::BadRequest,
        }
    }
}

/// The faults of a request to a provider with these capabilities; empty if it is valid.
pub(super) fn request_faults(
    request: &LlmRequest,
    capabilities: &Capabilities,
) -> Vec<RequestFault> {
    let mut faults = Vec::new();
    conversation(&request.messages, &mut faults);
    tools(request, capabilities, &mut faults);
    output(&request.output, capabilities.schema, &mut faults);
    if request.max_output_tokens == Some(0) {
        let what = "max_output_tokens";
        faults.push(RequestFault::OutOfRange { what });
    }
    if request
        .temperature
        .is_some_and(|heat| !(0.0..=2.0).contains(&heat))
    {
        let what = "temperature";
        faults.push(RequestFault::OutOfRange { what });
    }
    faults
}

/// The error of a request for something that the capabilities exclude.
pub(crate) fn capability_error(
    provider: &str,
    request: &LlmRequest,
    capabilities: &Capabilities,
) -> Option<LlmError> {
    let mut faults = Vec::new();
    tools(request, capabilities, &mut faults);
    output(&request.output, capabilities.schema, &mut faults);
    let excluded = |fault: &RequestFault| fault.kind() == ErrorKind::Unsupported;
    let fault = faults.into_iter().find(excluded)?;
    Some(LlmError::new(fault.kind(), provider, fault.to_string()))
}

fn conversation(messages: &[Message], faults: &mut Vec<RequestFault>) {
    let mut has_begun = false;
    let mut open: BTreeSet<&str> = BTreeSet::new();
    for (index, message) in messages.iter().enumerate() {
        let mut answers = None;
        let is_empty = match message {
            Message::System { text } => {
                if has_begun {
                    faults.push(RequestFault::LateSystem { index });
                }
                text.trim().is_empty()
            }
            Message::User { text } => text.trim().is_empty(),
            Message::Assistant { text, tool_calls } => {
                text.trim().is_empty() && tool_calls.is_empty()
            }
            Message::Tool { call_id, .. } => {
                answers = Some(call_id.as_str());
                // A tool may return an empty result.
                false
            }
        };
        if is_empty {
            faults.push(RequestFault::EmptyMessage { index });
        }
        has_begun |= !matches!(message, Message::System { .. });
        match answers {
            Some(call_id) if !open.remove(call_id) => {
                let call_id = call_id.to_owned();
                faults.push(RequestFault::ResultWithoutCall { index, call_id });
            }
            Some(_) => continue,
            None => unanswered(&mut open, faults),
        }
        if let Message::Assistant { tool_calls, .. } = message {
            for call in tool_calls {
                if !open.insert(&call.id) {
                    let (what, name) = ("call", call.id.clone());
                    faults.push(RequestFault::Duplicate { what, name });
                }
            }
        }
    }
    unanswered(&mut open, faults);
    if !has_begun {
        faults.push(RequestFault::NoMessages);
    }
}

fn unanswered(open: &mut BTreeSet<&str>, faults: &mut Vec<RequestFault>) {
    let calls = std::mem::take(open).into_iter();
    faults.extend(calls.map(|call_id| RequestFault::CallWithoutResult {
        call_id: call_id.to_owned(),
    }));
}

fn tools(request: &LlmRequest, capabilities: &Capabilities, faults: &mut Vec<RequestFault>) {
    if !request.tools.is_empty() && !capabilities.tools {
        faults.push(RequestFault::Unsupported { what: "tools" });
    }
    let mut names = BTreeSet::new();
    for tool in &request.tools {
        let name = tool.name.clone();
        if !is_name(&name) {
            let what = "tool";
            faults.push(RequestFault::BadName { what, name });
        } else if !names.insert(name.clone()) {
            let what = "tool";
            faults.push(RequestFault::Duplicate { what, name });
        }
        let kind = tool.parameters.get("type").and_then(|kind| kind.as_str());
        if kind != Some("object") {
            let name = tool.name.clone();
            faults.push(RequestFault::BadParameters { name });
        }
    }
    let missing = match &request.tool_choice {
        ToolChoice::Auto | ToolChoice::None => None,
        ToolChoice::Required => request.tools.is_empty().then(String::new),
        ToolChoice::Named(name) => (!names.contains(name)).then(|| name.clone()),
    };
    if let Some(name) = missing {
        faults.push(RequestFault::UnknownTool { name });
    }
}

fn output(output: &OutputFormat, support: SchemaSupport, faults: &mut Vec<RequestFault>) {
    match (output, support) {
        (OutputFormat::Text, _)
        | (OutputFormat::Json, SchemaSupport::Schema | SchemaSupport::Json) => {}
        (OutputFormat::Json, SchemaSupport::Prompt | SchemaSupport::Never) => {
            let what = "JSON mode";
            faults.push(RequestFault::Unsupported { what });
        }
        (OutputFormat::Schema(schema), SchemaSupport::Schema) => {
            if !is_name(&schema.name) {
                let (what, name) = ("schema", schema.name.clone());
                faults.push(RequestFault::BadName { what, name });
            }
            if strict_form(&schema.schema).as_ref() != Some(&schema.schema) {
                faults.push(RequestFault::Schema);
            }
        }
        (
            OutputFormat::Schema(_),
            SchemaSupport::Json | SchemaSupport::Prompt | SchemaSupport::Never,
        ) => {
            let what = "schemas";
            faults.push(RequestFault::Unsupported { what });
        }
    }
}

fn is_name(name: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
    (1..=64).contains(&name.len()) && name.bytes().all(is_plain)
}
