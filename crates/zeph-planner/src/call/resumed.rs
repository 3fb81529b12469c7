//! Going on after an interruption: the replies and tool calls of interrupted attempts are used again.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use serde::de::DeserializeOwned;
use zeph_executor::{Note, NoteKind, TaskContext};
use zeph_llm::{Capabilities, LlmError, LlmProvider, LlmRequest, LlmResponse, LlmStream};

use super::client::AttemptSpend;
use super::error::from_journal;
use super::notes::{ReplyNote, request_hash};
use crate::agent::{ToolCallNote, ToolNote};

/// The work of the attempts that were interrupted before this one.
#[derive(Debug, Default)]
pub(crate) struct Resumed {
    /// The answers, by provider and hash of the request.
    replies: BTreeMap<(String, String), LlmResponse>,
    tools: Mutex<VecDeque<ToolNote>>,
    /// The calls of tools whose turn had not ended.
    calls: Vec<ToolCallNote>,
}

impl Resumed {
    /// Reads the notes of the interrupted attempts.
    pub(super) fn of(notes: &[Note]) -> Self {
        let mut resumed = Self::default();
        let mut tools: VecDeque<ToolNote> = VecDeque::new();
        for note in notes {
            match note.kind {
                NoteKind::Reply => {
                    if let Some(ReplyNote {
                        provider,
                        hash,
                        response: Some(response),
                        ..
                    }) = read(note)
                    {
                        resumed.replies.insert((provider, hash), response);
                    }
                }
                NoteKind::Tool => {
                    let same = |one: &ToolNote, new: &ToolNote| {
                        (one.turn, &one.call_id, &one.name) == (new.turn, &new.call_id, &new.name)
                    };
                    let tool: Option<ToolNote> = read(note);
                    // An attempt that was interrupted too has copies of what it used again.
                    let is_copy =
                        |new: &ToolNote| new.reused && tools.iter().any(|one| same(one, new));
                    let tool = tool.filter(|new| !is_copy(new));
                    tools.extend(tool);
                }
                NoteKind::ToolCall => resumed.calls.extend(read::<ToolCallNote>(note)),
                NoteKind::Prompt
                | NoteKind::Route
                | NoteKind::Plan
                | NoteKind::Answer
                | NoteKind::Check
                | NoteKind::Process => {}
            }
        }
        resumed.tools = Mutex::new(tools);
        resumed
    }

    /// The finished call of a tool, once for each note.
    pub(crate) fn take_tool(&self, turn: u32, call_id: &str, name: &str) -> Option<ToolNote> {
        let mut tools = self.tools.lock().unwrap_or_else(PoisonError::into_inner);
        let is_it =
            |note: &ToolNote| note.turn == turn && note.call_id == call_id && note.name == name;
        let index = tools.iter().position(is_it)?;
        tools.remove(index)
    }

    /// The latest note of a call whose turn had not ended.
    pub(crate) fn call(&self, turn: u32, call_id: &str, name: &str) -> Option<&ToolCallNote> {
        let is_it = |note: &&ToolCallNote| {
            note.turn == turn && note.call_id == call_id && note.name == name
        };
        self.calls.iter().rev().find(is_it)
    }
}

fn read<T: DeserializeOwned>(note: &Note) -> Option<T> {
    serde_json::from_slice(&note.body).ok()
}

/// A provider that answers with the replies of interrupted attempts, as long as the requests are the same.
///
/// It belongs outside of the meter: a reply that is used again costs nothing and reserves nothing. It has a
/// note of its own, so that each attempt's notes are whole.
pub(crate) struct Resuming {
    inner: Arc<dyn LlmProvider>,
    cx: TaskContext,
    spend: Arc<AttemptSpend>,
}

impl Resuming {
    /// A provider for the attempt of that context.
    pub(crate) fn around(
        inner: Arc<dyn LlmProvider>,
        cx: &TaskContext,
        spend: &Arc<AttemptSpend>,
    ) -> Arc<dyn LlmProvider> {
        Arc::new(Self {
            inner,
            cx: cx.clone(),
            spend: Arc::clone(spend),
        })
    }

    /// The reply of an interrupted attempt to the same request.
    async fn reply(&self, request: &LlmRequest) -> Result<Option<LlmResponse>, LlmError> {
        let name = self.inner.name();
        let resumed = self.spend.resumed(&self.cx).await;
        let resumed = resumed.map_err(|error| from_journal(name, error))?;
        if resumed.replies.is_empty() {
            return Ok(None);
        }
        let key = (name.to_owned(), request_hash(request));
        let response = resumed.replies.get(&key).cloned();
        self.spend.set_reused(response.is_some());
        let Some(response) = response else {
            return Ok(None);
        };
        let (provider, hash) = key;
        let note = ReplyNote {
            call: self.spend.next_call(),
            provider,
            hash,
            response: Some(response.clone()),
            error: None,
            tokens: 0,
            micro_usd: 0,
            cut: None,
            reused: true,
        };
        let noted = async { self.cx.journal().note(note.note()?).await };
        noted.await.map_err(|error| from_journal(name, error))?;
        self.cx
            .progress(format!("{name}: a reply from before the interruption"));
        Ok(Some(response))
    }
}

#[async_trait]
impl LlmProvider for Resuming {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn capabilities(&self) -> Capabilities {
        self.inner.capabilities()
    }

    async fn complete(&self, request: &LlmRequest) -> Result<LlmResponse, LlmError> {
        match self.reply(request).await? {
            Some(response) => Ok(response),
            None => self.inner.complete(request).await,
        }
    }

    async fn stream(&self, request: &LlmRequest) -> Result<LlmStream, LlmError> {
        match self.reply(request).await? {
            Some(response) => Ok(zeph_llm::whole_stream(response)),
            None => self.inner.stream(request).await,
        }
    }
}
