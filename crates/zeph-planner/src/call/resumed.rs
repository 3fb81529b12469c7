//! Going on after an interruption: the replies and tool calls of interrupted attempts are used again.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use serde::de::DeserializeOwned;
use zeph_executor::{Note, NoteKind, Purpose, Spend, TaskContext};
use zeph_llm::{
    Capabilities, LlmError, LlmProvider, LlmRequest, LlmResponse, LlmStream, StopReason,
};

use super::client::AttemptSpend;
use super::error::from_journal;
use super::notes::{GroupsNote, ReplyNote, reply_hash, request_hash, response_hash};
use crate::agent::{CallKey, ENDED, RouteNote, ToolCallEnd, ToolCallNote, ToolNote};
use crate::replay::unwrapped;

/// The work of the attempts that were interrupted before this one.
#[derive(Debug, Default)]
pub(crate) struct Resumed {
    /// The answers that have not been used again, by provider and hash of the request, in order.
    replies: Mutex<BTreeMap<(String, String), VecDeque<LlmResponse>>>,
    calls: Mutex<Vec<EarlierCall>>,
    /// What the task was for, as their prompts say: tasks may have been added since, and another prompt would be
    /// another conversation.
    pub(crate) purpose: Option<Purpose>,
    /// The most groups of results, by round of summaries.
    most_groups: BTreeMap<u32, usize>,
}

/// A call of a tool in an interrupted attempt.
#[derive(Clone, Debug, Default)]
pub(crate) struct EarlierCall {
    key: CallKey,
    name: String,
    /// Whether it is noted that the call began: that of a tool which may not be repeated.
    pub(crate) begun: bool,
    /// The result, from before its turn had ended.
    pub(crate) end: Option<ToolCallEnd>,
    /// The note of the turn that ended.
    pub(crate) note: Option<ToolNote>,
    /// Whether this attempt knows of it.
    known: bool,
}

impl Resumed {
    /// Reads the notes of the interrupted attempts.
    pub(super) fn of(notes: &[Note]) -> Self {
        let mut resumed = Self::default();
        let mut calls: Vec<EarlierCall> = Vec::new();
        let mut replies = Replies::default();
        for note in notes {
            match note.kind {
                NoteKind::Reply => {
                    if let Some(note) = read::<ReplyNote>(note) {
                        replies.add(note);
                    }
                }
                NoteKind::Tool => {
                    // A call that was stopped with its attempt has no end.
                    let ended = |note: &ToolNote| !unwrapped(&note.text).starts_with(ENDED);
                    if let Some(note) = read::<ToolNote>(note).filter(ended) {
                        let call = call_of(&mut calls, &note.key, &note.name);
                        call.note = Some(note);
                    }
                }
                NoteKind::ToolCall => {
                    let Some(note) = read::<ToolCallNote>(note) else {
                        continue;
                    };
                    let call = call_of(&mut calls, &note.key, &note.name);
                    match note.ended {
                        Some(end) => call.end = Some(end),
                        None => call.begun = true,
                    }
                }
                NoteKind::Route => {
                    let route = read::<RouteNote>(note).filter(|note| note.agent.is_some());
                    resumed.purpose = route.map(|note| note.purpose).or(resumed.purpose);
                }
                NoteKind::Answer => {
                    if let Some(note) = read::<GroupsNote>(note) {
                        resumed.most_groups.insert(note.round, note.most_groups);
                    }
                }
                NoteKind::Prompt | NoteKind::Plan | NoteKind::Check | NoteKind::Process => {}
            }
        }
        resumed.calls = Mutex::new(calls);
        resumed.replies = Mutex::new(replies.of_requests);
        resumed
    }

    /// How many groups of results a round of summaries may have, if that is decided.
    pub(crate) fn most_groups(&self, round: u32) -> Option<usize> {
        self.most_groups.get(&round).copied()
    }

    /// The next reply to the same request, which answers it once.
    fn take_reply(
        &self,
        provider: &str,
        request: &LlmRequest,
    ) -> Option<((String, String), LlmResponse)> {
        let mut replies = self.replies.lock().unwrap_or_else(PoisonError::into_inner);
        if replies.is_empty() {
            return None;
        }
        let key = (provider.to_owned(), request_hash(request));
        let response = replies.get_mut(&key)?.pop_front()?;
        Some((key, response))
    }

    /// The call of the same reply.
    pub(crate) fn same_call(&self, key: &CallKey) -> Option<EarlierCall> {
        let mut calls = self.calls.lock().unwrap_or_else(PoisonError::into_inner);
        let call = calls.iter_mut().rfind(|call| call.key == *key)?;
        call.known = true;
        Some(call.clone())
    }

    /// Whether there is a call of that tool, which may not be repeated, that this attempt does not know of yet.
    /// From now on it does.
    pub(crate) fn take_other_call(&self, name: &str) -> bool {
        let mut calls = self.calls.lock().unwrap_or_else(PoisonError::into_inner);
        let mut unknown = calls.iter_mut();
        let call = unknown.find(|call| call.begun && !call.known && call.name == name);
        call.map(|call| call.known = true).is_some()
    }
}

/// The latest call with that key; a new one if there is none.
fn call_of<'a>(calls: &'a mut Vec<EarlierCall>, key: &CallKey, name: &str) -> &'a mut EarlierCall {
    let index = calls
        .iter()
        .rposition(|call| call.key == *key && call.name == name);
    let index = index.unwrap_or_else(|| {
        calls.push(EarlierCall {
            key: key.clone(),
            name: name.to_owned(),
            ..EarlierCall::default()
        });
        calls.len() - 1
    });
    &mut calls[index]
}

/// The replies of interrupted attempts, one after the other.
#[derive(Default)]
struct Replies {
    of_requests: BTreeMap<(String, String), VecDeque<LlmResponse>>,
    /// How often each request was answered in this attempt.
    answered: BTreeMap<(String, String), usize>,
    latest_call: u32,
}

impl Replies {
    /// Adds a reply that says the same as when the model gave it. One that was cut off had the limit of its time.
    fn add(&mut self, note: ReplyNote) {
        // Each attempt counts its calls from the beginning, and goes the way of the one before as far as it can.
        if note.call <= self.latest_call {
            self.answered.clear();
        }
        self.latest_call = note.call;
        let Some(response) = note.response else {
            return;
        };
        let is_whole = note.response_hash == Some(response_hash(&response));
        if !is_whole || response.stop == StopReason::MaxTokens {
            return;
        }
        let key = (note.provider, note.hash);
        let answered = self.answered.entry(key.clone()).or_default();
        let replies = self.of_requests.entry(key).or_default();
        match replies.get_mut(*answered) {
            Some(earlier) => *earlier = response,
            None => replies.push_back(response),
        }
        *answered += 1;
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
        let Some((key, response)) = resumed.take_reply(name, request) else {
            return Ok(None);
        };
        let (provider, hash) = key;
        self.spend.set_latest(reply_hash(&hash, &response), true);
        // It counts towards the limit of the attempt, as far as the service has reported it.
        let usage = [response.usage.input_tokens, response.usage.output_tokens];
        self.spend.add(Spend {
            tokens: usage.into_iter().flatten().fold(0, u32::saturating_add),
            micro_usd: 0,
        });
        let note = ReplyNote {
            call: self.spend.next_call(),
            provider,
            hash,
            response_hash: Some(response_hash(&response)),
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
