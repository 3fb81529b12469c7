//! The conversation with a model: ask, make the tool calls it wishes for, ask again, within bounds.

use serde_json::Value;
use zeph_common::plain_text;
use zeph_executor::{TaskContext, TaskError};
use zeph_llm::{LlmRequest, LlmResponse, Message, Purpose, SchemaMode, StopReason, ToolChoice};
use zeph_subagent::SubAgentDef;

use super::fault;
use super::form::{Form, Unread};
use super::prompt::MESSAGE_TOKENS;
use super::tools::{Toolbox, echoed};
use crate::portion::{Piece, Room};
use crate::{LlmContext, ModelClient};

/// The messages that a conversation begins with: who the agent is, and its task.
const OPENING: usize = 2;

/// One attempt's conversation with one agent.
pub(super) struct Talk<'a> {
    pub(super) llm_context: &'a LlmContext,
    pub(super) cx: &'a TaskContext,
    pub(super) agent: &'a SubAgentDef,
    pub(super) line: &'a ModelClient,
    pub(super) tools: Toolbox<'a>,
    pub(super) form: &'a Form,
    pub(super) messages: Vec<Message>,
    /// The most tokens of one answer.
    pub(super) max_output: u32,
    /// The most tokens of one request.
    pub(super) max_input: u64,
}

impl Talk<'_> {
    /// Talks until there is a result.
    ///
    /// # Errors
    /// Each bound has a code of its own; see [`fault`](super::fault).
    pub(super) async fn run(mut self) -> Result<Value, TaskError> {
        let turns = self.agent.limits.max_turns.max(1);
        for turn in 1..=turns {
            let (reply, mode) = self.ask(turn, turn == turns).await?;
            if reply.tool_calls.is_empty() || reply.stop == StopReason::Refusal {
                return self.finish(turn, reply, mode).await;
            }
            if reply.stop == StopReason::MaxTokens {
                // The last call's arguments are most likely not what the model meant.
                return Err(fault::answer_cut(&reply.text, Some(self.max_output)));
            }
            if turn == turns {
                break;
            }
            self.use_tools(turn, &reply).await?;
        }
        Err(fault::too_many_turns(turns))
    }

    /// Asks once. In the last turn tools are shown, since the conversation speaks of them, but barred.
    async fn ask(&self, turn: u32, last: bool) -> Result<(LlmResponse, SchemaMode), TaskError> {
        let mut request = LlmRequest::of(self.messages.clone()).purpose(Purpose::Work);
        request.max_output_tokens = Some(self.max_output);
        request.tools = self.tools.specs();
        if last && !self.tools.is_empty() {
            request.tool_choice = ToolChoice::None;
        }
        self.send(turn, request).await
    }

    /// Sends a request that is within the bounds; once more if the service does not take its schema.
    async fn send(
        &self,
        turn: u32,
        request: LlmRequest,
    ) -> Result<(LlmResponse, SchemaMode), TaskError> {
        let provider = &**self.line.provider();
        let asked = self
            .form
            .ask(request.clone(), provider, request.tools.is_empty())?;
        match (self.call(turn, &asked.request).await, asked.mode) {
            (Err(error), SchemaMode::Native(_)) if error.code() == "schema_rejected" => {
                let asked = self.form.ask(request, provider, false)?;
                let reply = self.call(turn, &asked.request).await?;
                Ok((reply, asked.mode))
            }
            (reply, mode) => Ok((reply?, mode)),
        }
    }

    async fn call(&self, turn: u32, request: &LlmRequest) -> Result<LlmResponse, TaskError> {
        let tokens = self.line.count_request(request);
        if tokens > self.max_input {
            return Err(fault::prompt_too_long(tokens, self.max_input));
        }
        let spent = self.line.tally().tokens();
        let most = self.llm_context.limits().attempt_tokens;
        if spent >= most {
            return Err(fault::too_many_tokens(spent, most));
        }
        let (agent, model) = (&self.agent.name, self.line.provider().name());
        let so_far = match turn {
            1 => String::new(),
            turn => format!(", turn {turn}, {spent} tokens so far"),
        };
        self.cx
            .progress(format!("asking {agent} ({model}){so_far}…"));
        self.line.ask(request).await
    }

    async fn use_tools(&mut self, turn: u32, reply: &LlmResponse) -> Result<(), TaskError> {
        // What the model said goes back as what it said, without what hides or moves a cursor.
        self.messages.push(Message::Assistant {
            text: plain_text(&reply.text).text.into_owned(),
            tool_calls: reply.tool_calls.iter().map(echoed).collect(),
        });
        let mut so_far = LlmRequest::of(self.messages.clone()).purpose(Purpose::Work);
        so_far.tools = self.tools.specs();
        let so_far = self.line.count_request(&so_far);
        let beside = MESSAGE_TOKENS * reply.tool_calls.len() as u64;
        let beside = beside + self.form.tokens(&|text| self.line.count(text));
        let budget = self.max_input.saturating_sub(so_far + beside);
        let count = |text: &str| self.line.count(text);
        let calls = &reply.tool_calls;
        let told = self.tools.make(self.cx, turn, calls, &count, budget);
        self.messages.extend(told.await?);
        Ok(())
    }

    /// Reads the result out of the last answer; asks once more if it has another form.
    async fn finish(
        &self,
        turn: u32,
        reply: LlmResponse,
        mode: SchemaMode,
    ) -> Result<Value, TaskError> {
        let text = reply.text.clone();
        let problems = match self.form.read(reply, mode, self.max_output) {
            Ok(value) => return Ok(value),
            Err(Unread::Fault(error)) => return Err(error),
            Err(Unread::Misfit(problems)) => problems,
        };
        let mut request = LlmRequest::of(self.messages.clone()).purpose(Purpose::Work);
        request.max_output_tokens = Some(self.max_output);
        if self.messages.len() > OPENING {
            // Services want to see the tools that a conversation speaks of.
            request.tools = self.tools.specs();
            request.tool_choice = ToolChoice::None;
        }
        let so_far =
            self.line.count_request(&request) + self.form.tokens(&|text| self.line.count(text));
        let left = self.max_input.saturating_sub(so_far + MESSAGE_TOKENS);
        let again = self.again(&problems, &text, left).await;
        request.messages.push(Message::user(again));
        let (reply, mode) = self.send(turn + 1, request).await?;
        let text = reply.text.clone();
        let read = self.form.read(reply, mode, self.max_output);
        read.map_err(|unread| match unread {
            Unread::Misfit(problems) => fault::bad_answer(&problems, &text),
            Unread::Fault(error) => error,
        })
    }

    /// What the model is told when its answer has another form than the wanted one.
    async fn again(&self, problems: &[String], text: &str, budget: u64) -> String {
        let mut told = String::from("Your last answer does not have the wanted form:\n");
        for problem in problems {
            told.push_str("- ");
            told.push_str(problem);
            told.push('\n');
        }
        told.push_str("Answer again, with the corrected JSON value and nothing else.");
        let count = |text: &str| self.line.count(text);
        let room = Room {
            sanitizer: self.llm_context.sanitizer(),
            count: &count,
            most: u64::from(self.max_output),
        };
        let left = budget.saturating_sub(count(&told) + MESSAGE_TOKENS);
        let piece = Piece::new("your last answer", text);
        let measured = room.measure(vec![piece]).await;
        for portion in room.share(&measured.iter().collect::<Vec<_>>(), left).await {
            told = format!("You wrote:\n{}\n\n{told}", portion.text);
        }
        told
    }
}
