//! The notes of tool calls.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use zeph_common::{Boundary, head_tail, truncate};
use zeph_executor::{Note, NoteKind, TaskContext, TaskError};
use zeph_llm::ToolCall;

/// The beginning of the text of a call that ended its attempt.
pub(crate) const ENDED: &str = "it ended the attempt: ";

/// Which call of which reply: two calls with the same key are the same, if the reply is.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct CallKey {
    /// The hash of the reply and of its request.
    #[serde(default)]
    pub hash: String,
    /// The place of the call in the reply, from 0.
    #[serde(default)]
    pub place: usize,
}

/// A tool call and its outcome; a note of kind `tool`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ToolNote {
    /// The number of the reply that asks for the call, from 1.
    pub turn: u32,
    /// The reply that asks for the call, and its place there.
    #[serde(flatten)]
    pub key: CallKey,
    /// The id of the call.
    pub call_id: String,
    /// The name that the model gave.
    pub name: String,
    /// The arguments that the model gave.
    pub arguments: Value,
    /// The outcome.
    pub outcome: ToolOutcome,
    /// The text for the model, sanitized and cut.
    pub text: String,
    /// Whether the result was left out, because the prompt had no room: then the text says so.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub left_out: bool,
    /// The bytes of the result before it was sanitized and cut.
    pub bytes: u64,
    /// Whether an interrupted attempt made the call, and this one did not.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub reused: bool,
}

/// The beginning or the end of a call whose turn has not ended; a note of kind `tool_call`.
///
/// A call of a tool that may not be repeated has a note when it begins. A call has one when it ends, if the
/// reply has others. After an interruption the next attempt takes the end from it, or knows that the end is
/// unknown.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ToolCallNote {
    /// The reply that asks for the call, and its place there.
    #[serde(flatten)]
    pub key: CallKey,
    /// The id of the call.
    pub call_id: String,
    /// The name of the tool.
    pub name: String,
    /// The result; `None` when the call begins.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<ToolCallEnd>,
}

/// The result of a call, before it is sanitized and cut.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ToolCallEnd {
    /// The outcome.
    pub outcome: ToolOutcome,
    /// What the tool said.
    pub text: String,
}

/// The most bytes of a result in a note of its own. A call with a longer one is repeated after an interruption,
/// or its end is unknown.
pub(super) const MAX_END_BYTES: usize = Note::MAX_BYTES / 8;

impl ToolCallNote {
    pub(super) async fn write(
        cx: &TaskContext,
        key: CallKey,
        call: &ToolCall,
        ended: Option<ToolCallEnd>,
    ) -> Result<(), TaskError> {
        let note = Self {
            key,
            call_id: call.id.clone(),
            name: call.name.clone(),
            ended,
        };
        cx.journal()
            .note(Note::json(NoteKind::ToolCall, &note)?)
            .await
    }
}

impl ToolNote {
    /// A shorter form of a note that is too large to be stored.
    pub(super) fn shortened(self, _: String) -> Self {
        let bytes = self.arguments.to_string().len();
        let short = |text: &str| truncate(text, 1_000, Boundary::Char).to_string();
        Self {
            arguments: Value::String(format!("({bytes} bytes, too long to be stored)")),
            name: short(&self.name),
            call_id: short(&self.call_id),
            text: head_tail(&self.text, Note::MAX_BYTES / 8, Boundary::Word).to_string(),
            ..self
        }
    }
}

/// The outcome of a tool call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ToolOutcome {
    /// The tool returned a result.
    Done,
    /// The tool failed.
    Failed,
    /// The tool was not called: the arguments do not fit its schema.
    BadArguments,
    /// The tool was not called: the task may not use it.
    Refused,
    /// The call was interrupted or did not answer in time, and may not be repeated: whether it took effect is
    /// unknown.
    Unknown,
}
