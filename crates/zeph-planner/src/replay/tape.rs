//! The tape: what a recorded attempt's models and tools said, in place of them.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use serde_json::Value;
use zeph_executor::{NoteKind, Redact, TaskContext, TaskError};
use zeph_llm::{
    Capabilities, ErrorKind, FallbackChain, LlmError, LlmProvider, LlmRequest, LlmResponse,
    ToolSpec,
};

use super::attempt::Recorded;
use crate::{
    CallError, LlmContextBuilder, PromptNote, ReplyNote, Tool, ToolNote, ToolOutcome, ToolOutput,
    Tools,
};

/// Stands in for models and tools with what they said in a recorded attempt.
///
/// Clones are the same tape. It holds one attempt at a time: attempts are replayed one after the
/// other. A host makes planner and llm_context as it does for a run, with
/// [`provider`](Self::provider) around every provider, or [`LlmContextBuilder::on_tape`].
#[derive(Clone, Default)]
pub struct Tape(Arc<Mutex<Reel>>);

#[derive(Default)]
struct Reel {
    calls: Vec<Call>,
    tools: Vec<ToolNote>,
    redact: Option<Arc<dyn Redact>>,
}

/// A recorded call of a model that nobody has asked for yet.
struct Call {
    request: Option<Value>,
    reply: ReplyNote,
}

impl Tape {
    /// A tape with nothing on it: every call is an error of kind `NotRecorded`.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A provider of the same name, capabilities and links that says what is on the tape, and asks
    /// nobody.
    #[must_use]
    pub fn provider(&self, provider: &dyn LlmProvider) -> Arc<dyn LlmProvider> {
        let mut links = provider.links().iter().map(|link| self.player(&**link));
        let Some(first) = links.next() else {
            return self.player(provider);
        };
        Arc::new(links.fold(FallbackChain::new(first), FallbackChain::then))
    }

    fn player(&self, provider: &dyn LlmProvider) -> Arc<dyn LlmProvider> {
        Arc::new(Player {
            tape: self.clone(),
            name: provider.name().to_owned(),
            capabilities: provider.capabilities(),
        })
    }

    /// The same tools to the eyes of a model, which give back what is on the tape, and do nothing.
    #[must_use]
    pub fn tools(&self, tools: &Tools) -> Tools {
        let mut played = Tools::new();
        for name in tools.names() {
            if let Some(known) = tools.get(name) {
                let tool = PlayedTool {
                    tape: self.clone(),
                    spec: known.spec.clone(),
                };
                // A tool that was taken in once is taken in again.
                let taken = played.add(tool);
                debug_assert!(taken.is_ok(), "{taken:?}");
            }
        }
        played
    }

    /// Puts an attempt on the tape, in place of the last one.
    pub(super) fn wind(&self, recorded: &Recorded, redact: Option<&Arc<dyn Redact>>) {
        let of_kind = |kind: NoteKind| {
            let notes = recorded.notes.iter();
            notes.filter(move |note| note.kind == kind)
        };
        let prompts = of_kind(NoteKind::Prompt)
            .filter_map(|note| serde_json::from_slice::<PromptNote>(&note.body).ok());
        let prompts: Vec<PromptNote> = prompts.collect();
        let replies = of_kind(NoteKind::Reply)
            .filter_map(|note| serde_json::from_slice::<ReplyNote>(&note.body).ok());
        let calls = replies.map(|reply| {
            let prompt = prompts.iter().find(|prompt| prompt.call == reply.call);
            let request = prompt.and_then(|prompt| prompt.request.as_ref());
            Call {
                request: request.and_then(essence),
                reply,
            }
        });
        let tools = of_kind(NoteKind::Tool)
            .filter_map(|note| serde_json::from_slice::<ToolNote>(&note.body).ok())
            .filter(|note| matches!(note.outcome, ToolOutcome::Done | ToolOutcome::Failed));
        *self.reel() = Reel {
            calls: calls.collect(),
            tools: tools.collect(),
            redact: redact.cloned(),
        };
    }

    fn reel(&self) -> MutexGuard<'_, Reel> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Tape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let reel = self.reel();
        f.debug_struct("Tape")
            .field("calls", &reel.calls.len())
            .field("tools", &reel.tools.len())
            .finish_non_exhaustive()
    }
}

impl LlmContextBuilder {
    /// Puts a tape in place of every provider and tool that the llm_context has so far, and waits for
    /// nothing between calls.
    pub fn on_tape(self, tape: &Tape) -> Self {
        self.stand_ins(
            |provider| tape.provider(provider),
            |tools| tape.tools(tools),
        )
    }
}

/// A request without what budget and time of the moment decided.
fn essence(request: &LlmRequest) -> Option<Value> {
    let request = LlmRequest {
        max_output_tokens: None,
        timeout: None,
        ..request.clone()
    };
    serde_json::to_value(request).ok()
}

/// A value as it would have been kept.
pub(super) fn redacted(redact: Option<&Arc<dyn Redact>>, value: Value) -> Value {
    let Some(redact) = redact else {
        return value;
    };
    let text = value.to_string();
    // Redacted JSON that is none any more stays what it was: it differs, and that is told.
    serde_json::from_slice(&redact.redact(text.as_bytes())).unwrap_or(value)
}

struct Player {
    tape: Tape,
    name: String,
    capabilities: Capabilities,
}

#[async_trait]
impl LlmProvider for Player {
    fn name(&self) -> &str {
        &self.name
    }

    fn capabilities(&self) -> Capabilities {
        self.capabilities
    }

    async fn complete(&self, request: &LlmRequest) -> Result<LlmResponse, LlmError> {
        let mut reel = self.tape.reel();
        let asked = essence(request).map(|asked| redacted(reel.redact.as_ref(), asked));
        // A request that is not the recorded one gets the next reply: its note tells the difference.
        let same = reel.calls.iter().position(|call| call.request == asked);
        let place = same.unwrap_or(0);
        if place >= reel.calls.len() {
            let message = "the recorded attempt made no further call";
            return Err(LlmError::new(ErrorKind::NotRecorded, &self.name, message));
        }
        let ReplyNote {
            response, error, ..
        } = reel.calls.remove(place).reply;
        match (response, error) {
            (Some(response), _) => Ok(response),
            (None, Some(error)) => Err(recorded_error(&self.name, error)),
            (None, None) => {
                let message = "the reply was too long to be kept";
                Err(LlmError::new(ErrorKind::NotRecorded, &self.name, message))
            }
        }
    }
}

/// The error of a recorded call, without the wait that the service asked for: a replay waits for
/// nothing.
fn recorded_error(name: &str, error: CallError) -> LlmError {
    let kind = serde_json::from_value(Value::from(error.kind));
    let told = LlmError::new(kind.unwrap_or(ErrorKind::NotRecorded), name, error.message);
    match error.status {
        Some(status) => told.with_status(status),
        None => told,
    }
}

struct PlayedTool {
    tape: Tape,
    spec: ToolSpec,
}

#[async_trait]
impl Tool for PlayedTool {
    fn spec(&self) -> ToolSpec {
        self.spec.clone()
    }

    async fn call(&self, _: &TaskContext, arguments: Value) -> Result<ToolOutput, TaskError> {
        let mut reel = self.tape.reel();
        let arguments = redacted(reel.redact.as_ref(), arguments);
        let mut tools = reel.tools.iter();
        let place =
            tools.position(|note| note.name == self.spec.name && note.arguments == arguments);
        let Some(place) = place else {
            let message = "the recorded attempt made no such call of the tool";
            return Err(TaskError::permanent(message).with_code("not_recorded"));
        };
        let note = reel.tools.remove(place);
        let text = unwrapped(&note.text);
        match note.outcome {
            ToolOutcome::Done => Ok(text.into()),
            ToolOutcome::Failed | ToolOutcome::Misfit | ToolOutcome::Refused => {
                let message = text.strip_prefix("it failed: ").unwrap_or(text);
                Err(TaskError::permanent(message))
            }
        }
    }
}

/// What a sanitizer wrapped. To clean it again changes nothing, and to wrap it gives the same.
pub(super) fn unwrapped(text: &str) -> &str {
    let inner = text.strip_prefix("<untrusted ").and_then(|rest| {
        let (_, rest) = rest.split_once(">\n")?;
        let (inner, _) = rest.rsplit_once("\n</untrusted")?;
        Some(inner)
    });
    inner.unwrap_or(text)
}
