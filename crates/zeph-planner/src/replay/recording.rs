//! The recording of an attempt: its replies by the hash of their requests, in place of models and tools.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use serde_json::Value;
use zeph_executor::{NoteKind, Redact, TaskContext, TaskError};
use zeph_llm::{Capabilities, ErrorKind, LlmError, LlmProvider, LlmRequest, LlmResponse, ToolSpec};
use zeph_subagent::{Effect, Tool, ToolOutput};

use super::attempt::RecordedAttempt;
use crate::agent::{END_UNKNOWN, ToolNote, ToolOutcome};
use crate::call::request_hash;
use crate::{CallError, LlmContextBuilder, ReplyNote};

/// Answers in place of models and tools with the replies of a recorded attempt.
///
/// Clones share the recording. It holds one attempt at a time, so attempts are replayed one after the
/// other. A host makes planner and context as for a run, with [`provider`](Self::provider) in place of
/// every provider, or with [`LlmContextBuilder::replaying`].
#[derive(Clone, Default)]
pub struct Recording(Arc<Mutex<Replies>>);

#[derive(Default)]
struct Replies {
    /// By provider and hash of the request, in the order of the calls.
    models: HashMap<(String, String), VecDeque<ReplyNote>>,
    tools: Vec<ToolNote>,
    redact: Option<Arc<dyn Redact>>,
}

impl Recording {
    /// An empty recording: every call is an error of kind `NotRecorded`.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A provider with the same name and capabilities that gives the recorded replies.
    #[must_use]
    pub fn provider(&self, provider: &dyn LlmProvider) -> Arc<dyn LlmProvider> {
        Arc::new(ReplayProvider {
            recording: self.clone(),
            name: provider.name().to_owned(),
            capabilities: provider.capabilities(),
            repeatable: provider.is_repeatable(),
        })
    }

    /// Replaces the recording by that of an attempt.
    pub(super) fn load(&self, attempt: &RecordedAttempt, redact: Option<&Arc<dyn Redact>>) {
        let mut replies = Replies {
            redact: redact.cloned(),
            ..Replies::default()
        };
        for reply in attempt.notes_of::<ReplyNote>(NoteKind::Reply).flatten() {
            let key = (reply.provider.clone(), reply.hash.clone());
            replies.models.entry(key).or_default().push_back(reply);
        }
        let tools = attempt.notes_of::<ToolNote>(NoteKind::Tool).flatten();
        let was_called = |note: &ToolNote| match note.outcome {
            ToolOutcome::Done | ToolOutcome::Failed => true,
            // Otherwise an interrupted attempt had called it.
            ToolOutcome::Unknown => unwrapped(&note.text).ends_with(END_UNKNOWN),
            ToolOutcome::BadArguments | ToolOutcome::Refused => false,
        };
        replies.tools = tools.filter(was_called).collect();
        *self.replies() = replies;
    }

    fn replies(&self) -> MutexGuard<'_, Replies> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Recording {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let replies = self.replies();
        f.debug_struct("Recording")
            .field("models", &replies.models.len())
            .field("tools", &replies.tools.len())
            .finish_non_exhaustive()
    }
}

impl LlmContextBuilder {
    /// Replaces every provider and tool by the recording, and removes the waits between calls.
    pub fn replaying(mut self, recording: &Recording) -> Self {
        let context = &mut self.context;
        let models = context.models.values_mut();
        let models = models.chain(&mut context.fallback_model);
        for model in models.chain([&mut context.default_model]) {
            model.provider = recording.provider(&*model.provider);
        }
        context.tools = context.tools.replace(|known| ReplayTool {
            recording: recording.clone(),
            spec: known.spec.clone(),
            effect: known.tool.effect(),
            needs_approval: known.tool.needs_approval(),
        });
        context.retry.base = Duration::ZERO;
        context.retry.cap = Duration::ZERO;
        self
    }
}

/// A value as it would have been stored.
pub(super) fn redacted(redact: Option<&Arc<dyn Redact>>, value: Value) -> Value {
    let Some(redact) = redact else {
        return value;
    };
    let text = value.to_string();
    // If the redacted text is no JSON, the value stays as it is, and the comparison reports it.
    serde_json::from_slice(&redact.redact(text.as_bytes())).unwrap_or(value)
}

struct ReplayProvider {
    recording: Recording,
    name: String,
    capabilities: Capabilities,
    repeatable: bool,
}

#[async_trait]
impl LlmProvider for ReplayProvider {
    fn name(&self) -> &str {
        &self.name
    }

    fn capabilities(&self) -> Capabilities {
        self.capabilities
    }

    fn is_repeatable(&self) -> bool {
        self.repeatable
    }

    async fn complete(&self, request: &LlmRequest) -> Result<LlmResponse, LlmError> {
        let key = (self.name.clone(), request_hash(request));
        let mut replies = self.recording.replies();
        let reply = replies.models.get_mut(&key).and_then(VecDeque::pop_front);
        let not_recorded = |message| LlmError::new(ErrorKind::NotRecorded, &self.name, message);
        let Some(reply) = reply else {
            return Err(not_recorded("the recorded attempt made no such call"));
        };
        match (reply.response, reply.error) {
            (Some(response), _) => Ok(response),
            (None, Some(error)) => Err(recorded_error(&self.name, error)),
            (None, None) => Err(not_recorded("the reply was too long to be stored")),
        }
    }
}

/// The error of a recorded call, without the wait that the service asked for.
fn recorded_error(name: &str, error: CallError) -> LlmError {
    let recorded = LlmError::new(error.kind, name, error.message);
    match error.status {
        Some(status) => recorded.with_status(status),
        None => recorded,
    }
}

struct ReplayTool {
    recording: Recording,
    spec: ToolSpec,
    effect: Effect,
    needs_approval: bool,
}

#[async_trait]
impl Tool for ReplayTool {
    fn name(&self) -> &str {
        &self.spec.name
    }

    fn description(&self) -> &str {
        &self.spec.description
    }

    fn parameters(&self) -> Value {
        self.spec.parameters.clone()
    }

    fn effect(&self) -> Effect {
        self.effect
    }

    fn needs_approval(&self) -> bool {
        self.needs_approval
    }

    async fn call(&self, _: &TaskContext, arguments: Value) -> Result<ToolOutput, TaskError> {
        let mut replies = self.recording.replies();
        let arguments = redacted(replies.redact.as_ref(), arguments);
        let is_same = |note: &ToolNote| note.name == self.spec.name && note.arguments == arguments;
        let Some(index) = replies.tools.iter().position(is_same) else {
            let message = "the recorded attempt made no such call of the tool";
            return Err(TaskError::permanent(message).with_code("not_recorded"));
        };
        let note = replies.tools.remove(index);
        let text = unwrapped(&note.text);
        if note.outcome == ToolOutcome::Done {
            return Ok(text.into());
        }
        let message = text.strip_prefix("it failed: ").unwrap_or(text);
        Err(match message.strip_suffix(END_UNKNOWN) {
            Some(message) => TaskError::permanent(message).with_code("tool_timeout"),
            None => TaskError::permanent(message),
        })
    }
}

/// The text inside the sanitizer's delimiters. Sanitizing it again gives the same.
pub(crate) fn unwrapped(text: &str) -> &str {
    let inner = text.strip_prefix("<untrusted ").and_then(|rest| {
        let (_, rest) = rest.split_once(">\n")?;
        let (inner, _) = rest.rsplit_once("\n</untrusted")?;
        Some(inner)
    });
    inner.unwrap_or(text)
}
