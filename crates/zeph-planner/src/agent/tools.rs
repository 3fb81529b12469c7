//! The tool calls of one reply: held to the rights, to the schemas, and to a bound, then made.

use std::collections::BTreeMap;

use futures::{FutureExt as _, StreamExt as _, stream};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::time::timeout;
use zeph_common::{Boundary, escape_terminal, format_duration};
use zeph_executor::{ErrorClass, Note, NoteKind, TaskContext, TaskError};
use zeph_llm::{Message, ToolCall, ToolSpec};
use zeph_subagent::SubAgentDef;

use super::fault;
use super::params::AgentParams;
use crate::LlmContext;
use crate::portion::{Measured, Piece, Room};
use crate::tool::{Known, is_name};

/// The most tool calls of one reply; what is beyond them is refused.
const MOST_CALLS: usize = 16;

/// What the note of a call that ended its attempt begins with.
pub(crate) const ENDED: &str = "it ended the attempt: ";

/// What became of a tool call; a note of kind `tool`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ToolNote {
    /// The number of the reply that asked for it, from 1.
    pub turn: u32,
    /// The call's id.
    pub call_id: String,
    /// The name that the model gave.
    pub name: String,
    /// The arguments that it gave.
    pub arguments: Value,
    /// What became of it.
    pub outcome: ToolOutcome,
    /// What the model was told, cleaned and cut.
    pub text: String,
    /// The bytes of the result before that.
    pub bytes: u64,
}

/// What became of a tool call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ToolOutcome {
    /// It was made and gave something back.
    Done,
    /// It was made and failed.
    Failed,
    /// It was not made: the arguments do not fit the tool's schema.
    Misfit,
    /// It was not made: there is no such tool for this task.
    Refused,
}

/// The tools of one attempt, and what it has done with them.
pub(super) struct Toolbox<'a> {
    llm_context: &'a LlmContext,
    allowed: BTreeMap<&'a str, &'a Known>,
    /// How often each call was wished for, by name and arguments.
    seen: BTreeMap<String, u32>,
    failed_in_a_row: u32,
}

/// What is left of a call before the model is told.
struct Made {
    outcome: ToolOutcome,
    text: String,
}

impl<'a> Toolbox<'a> {
    /// The tools that agent, task and host all allow.
    ///
    /// # Errors
    /// `unknown_tool` or `tool_not_allowed` if the task asks for one that is not among them.
    pub(super) fn new(
        llm_context: &'a LlmContext,
        agent: &'a SubAgentDef,
        params: &'a AgentParams,
    ) -> Result<Self, TaskError> {
        let mut allowed = BTreeMap::new();
        let all: Vec<&str> = match &params.tools {
            Some(names) => names.iter().map(String::as_str).collect(),
            None => agent.tools.iter().map(String::as_str).collect(),
        };
        for name in all {
            let known = llm_context.tools().get(name);
            let known = known.ok_or_else(|| fault::unknown_tool(name))?;
            if !agent.tools.contains(name) {
                return Err(fault::tool_not_allowed(name, &agent.name));
            }
            allowed.insert(name, known);
        }
        Ok(Self {
            llm_context,
            allowed,
            seen: BTreeMap::new(),
            failed_in_a_row: 0,
        })
    }

    pub(super) fn is_empty(&self) -> bool {
        self.allowed.is_empty()
    }

    /// What the model is told of them, in the order of their names.
    pub(super) fn specs(&self) -> Vec<ToolSpec> {
        let known = self.allowed.values();
        known.map(|known| known.spec.clone()).collect()
    }

    /// Makes the calls of a reply and gives the answers to them, in order, one for each.
    ///
    /// All answers together have at most about `budget` tokens.
    ///
    /// # Errors
    /// `tool_loop` and `tool_failed` as the llm_context's limits say; what a tool says with the classes
    /// `Cancelled` and `OverBudget`, once all calls are kept; the journal's.
    pub(super) async fn make(
        &mut self,
        cx: &TaskContext,
        turn: u32,
        calls: &[ToolCall],
        count: &(dyn Fn(&str) -> u64 + Sync),
        budget: u64,
    ) -> Result<Vec<Message>, TaskError> {
        self.check_repeats(calls)?;
        let limits = self.llm_context.limits();
        let this = &*self;
        let calls_made: Vec<_> = calls
            .iter()
            .enumerate()
            .map(|(index, call)| this.call(cx, index, call).boxed())
            .collect();
        let made = stream::iter(calls_made).buffered(limits.parallel_tools.max(1));
        let made: Vec<Result<Made, TaskError>> = made.collect().await;
        let mut end = None;
        let made = made.into_iter().map(|made| {
            made.unwrap_or_else(|error| {
                let text = format!("{ENDED}{error:#}");
                end.get_or_insert(error);
                Made {
                    outcome: ToolOutcome::Failed,
                    text,
                }
            })
        });
        let made: Vec<Made> = made.collect();
        // What was done is kept, whatever becomes of the attempt.
        let told = self.tell(cx, turn, calls, &made, count, budget).await?;
        if let Some(error) = end {
            return Err(error);
        }
        for (call, made) in calls.iter().zip(&made) {
            match made.outcome {
                ToolOutcome::Done => self.failed_in_a_row = 0,
                ToolOutcome::Failed | ToolOutcome::Misfit | ToolOutcome::Refused => {
                    self.failed_in_a_row += 1;
                }
            }
            if self.failed_in_a_row >= limits.failed_calls.max(1) {
                let times = self.failed_in_a_row;
                return Err(fault::tool_failed(&call.name, times, &made.text));
            }
        }
        Ok(told)
    }

    fn check_repeats(&mut self, calls: &[ToolCall]) -> Result<(), TaskError> {
        let most = self.llm_context.limits().same_calls;
        for call in calls {
            // Objects keep the order in which the model wrote them, and that must not matter.
            let mut arguments = call.arguments.clone();
            arguments.sort_all_objects();
            let times = self.seen.entry(format!("{} {arguments}", call.name));
            let times = times.or_default();
            *times += 1;
            if *times > most {
                return Err(fault::tool_loop(&call.name, most));
            }
        }
        Ok(())
    }

    /// One call. What ends the attempt is an error, everything else is for the model.
    async fn call(
        &self,
        cx: &TaskContext,
        index: usize,
        call: &ToolCall,
    ) -> Result<Made, TaskError> {
        let refused = |text: String| Made {
            outcome: ToolOutcome::Refused,
            text,
        };
        if index >= MOST_CALLS {
            let text = format!("not done: a reply may have {MOST_CALLS} calls; ask again");
            return Ok(refused(text));
        }
        let Some(known) = self.allowed.get(call.name.as_str()) else {
            let names: Vec<&str> = self.allowed.keys().copied().collect();
            let text = format!(
                "there is no tool of that name for this task; there are: {}",
                names.join(", ")
            );
            return Ok(refused(text));
        };
        let misfits = known.misfits(&call.arguments);
        if !misfits.is_empty() {
            return Ok(Made {
                outcome: ToolOutcome::Misfit,
                text: format!("the arguments do not fit: {}", misfits.join("; ")),
            });
        }
        cx.progress(format!("calling {}…", call.name));
        let limit = self.llm_context.limits().tool_timeout;
        let work = known.tool.call(cx, call.arguments.clone());
        let outcome = timeout(limit, work).await.unwrap_or_else(|_| {
            let limit = format_duration(limit);
            Err(TaskError::permanent(format!(
                "there was no answer within {limit}"
            )))
        });
        match outcome {
            Ok(output) => Ok(Made {
                outcome: ToolOutcome::Done,
                text: output.text,
            }),
            Err(error) => match error.class() {
                ErrorClass::Cancelled | ErrorClass::OverBudget => Err(error),
                ErrorClass::Retryable | ErrorClass::Permanent | ErrorClass::Refused => Ok(Made {
                    outcome: ToolOutcome::Failed,
                    text: format!("it failed: {error:#}"),
                }),
            },
        }
    }

    /// Cleans, cuts and keeps what the model is told.
    async fn tell(
        &self,
        cx: &TaskContext,
        turn: u32,
        calls: &[ToolCall],
        made: &[Made],
        count: &(dyn Fn(&str) -> u64 + Sync),
        budget: u64,
    ) -> Result<Vec<Message>, TaskError> {
        let room = Room {
            sanitizer: self.llm_context.sanitizer(),
            count,
            most: self.llm_context.limits().tool_result_tokens,
        };
        let sources: Vec<String> = calls
            .iter()
            .map(|call| format!("tool {}", escape_terminal(&call.name)))
            .collect();
        let pieces = sources.iter().zip(made);
        let pieces = pieces.map(|(source, made)| Piece::new(source, &made.text));
        let pieces = room.measure(pieces.collect()).await;
        let pieces: Vec<&Measured<'_>> = pieces.iter().collect();
        let portions = room.share(&pieces, budget).await;
        let mut told = Vec::with_capacity(calls.len());
        for ((call, made), portion) in calls.iter().zip(made).zip(portions) {
            let note = ToolNote {
                turn,
                call_id: call.id.clone(),
                name: call.name.clone(),
                arguments: call.arguments.clone(),
                outcome: made.outcome,
                text: portion.text.clone(),
                bytes: made.text.len() as u64,
            };
            cx.journal().note(kept(&note)?).await?;
            told.push(Message::tool(&echoed(call), portion.text));
        }
        Ok(told)
    }
}

/// A note within its limit: arguments that are too long are left out, and it says so.
fn kept(note: &ToolNote) -> Result<Note, TaskError> {
    let whole = Note::json(NoteKind::Tool, note)?;
    if whole.body.len() <= Note::MAX_BYTES {
        return Ok(whole);
    }
    let bytes = note.arguments.to_string().len();
    let short = ToolNote {
        arguments: Value::String(format!("({bytes} bytes, too long to be kept)")),
        name: zeph_common::truncate(&note.name, 1_000, Boundary::Char).to_string(),
        call_id: zeph_common::truncate(&note.call_id, 1_000, Boundary::Char).to_string(),
        text: zeph_common::head_tail(&note.text, Note::MAX_BYTES / 8, Boundary::Word).to_string(),
        ..*note
    };
    Note::json(NoteKind::Tool, &short)
}

/// A call as the conversation shows it: services turn away names that no tool could have.
pub(super) fn echoed(call: &ToolCall) -> ToolCall {
    let mut call = call.clone();
    if !is_name(&call.name) {
        call.name = "unknown_tool".to_owned();
    }
    call
}
