//! The conversation with a model: calls, tool calls, and the second call after an answer without a result.

use serde_json::Value;
use zeph_common::plain_text;
use zeph_executor::{ErrorClass, TaskContext, TaskError};
use zeph_llm::{Effort, LlmRequest, LlmResponse, Message, Purpose, StopReason, ToolChoice};
use zeph_subagent::SubAgentDef;

use super::ask_again::{self, Defect};
use super::errors;
use super::output_format::{OutputFormat, ReadError};
use super::text_calls::{self, TextCalls};
use super::tool_calls::{ToolCalls, Turn, echoed};
use crate::LlmContext;
use crate::call::ModelClient;
use crate::prompt_budget::{MESSAGE_TOKENS, PromptBudget, Section};

/// What the model gets in the last turn, in which it cannot call tools.
const LAST_TURN: &str = "This is your last turn, and you cannot call tools any more. Give your final answer now, from what you have. Say what is missing.";

/// The number of messages at the start: the system message and the task.
const OPENING: usize = 2;

/// The conversation of one attempt with one agent.
pub(super) struct Conversation<'a> {
    pub(super) context: &'a LlmContext,
    pub(super) cx: &'a TaskContext,
    pub(super) agent: &'a SubAgentDef,
    pub(super) client: &'a ModelClient,
    pub(super) tools: ToolCalls<'a>,
    pub(super) format: &'a OutputFormat,
    pub(super) messages: Vec<Message>,
    /// Whether the system message explains the delimiters of untrusted text.
    pub(super) has_preamble: bool,
    /// The most tokens of one answer.
    pub(super) effort: Option<Effort>,
    pub(super) max_output: u32,
    /// The most tokens of one request.
    pub(super) max_input: u64,
    /// The latest cut answer, with its mark: the result if there is no better one.
    pub(super) cut_text: Option<String>,
}

/// Whether another attempt would fare no better, so that a cut text is the best there is.
fn is_final(error: &TaskError) -> bool {
    match error.class() {
        ErrorClass::Permanent | ErrorClass::Refused | ErrorClass::OverBudget => true,
        ErrorClass::Retryable
        | ErrorClass::Cancelled
        | ErrorClass::Interrupted
        | ErrorClass::Skip => false,
    }
}

impl Conversation<'_> {
    /// Continues until there is a result. After an empty, cut or refused answer the model is asked once more;
    /// if that fails too, a cut text is the result, with a mark.
    ///
    /// # Errors
    /// Each limit has a code of its own; see [`errors`](super::errors).
    pub(super) async fn run(mut self) -> Result<Value, TaskError> {
        let outcome = self.converse().await;
        match (outcome, self.cut_text.take()) {
            (Err(error), Some(text)) if is_final(&error) => Ok(text.into()),
            (outcome, _) => outcome,
        }
    }

    async fn converse(&mut self) -> Result<Value, TaskError> {
        let most = self.agent.limits.max_turns.max(1);
        let (mut turn, mut turns) = (0, most);
        let mut asked_again = false;
        while turn < turns {
            turn += 1;
            let mut reply = self.ask(turn, turn == turns).await?;
            match self.text_calls(&reply) {
                TextCalls::None => {}
                TextCalls::Some { before, calls } => {
                    reply.text = before;
                    reply.tool_calls = calls;
                }
                TextCalls::Unreadable if turn == turns => break,
                TextCalls::Unreadable => {
                    let correction = text_calls::ask_again(&plain_text(&reply.text).text);
                    self.messages.push(Message::user(correction));
                    continue;
                }
            }
            let defect = if reply.tool_calls.is_empty() || reply.stop == StopReason::Refusal {
                match self.format.read(&reply) {
                    Ok(value) => return Ok(value),
                    Err(ReadError::Final(error)) => return Err(error),
                    Err(ReadError::WrongFormat(problems)) if asked_again => {
                        return Err(errors::bad_answer(&problems, &reply.text));
                    }
                    Err(ReadError::WrongFormat(problems)) => {
                        return self.correct(turn, &reply, &problems).await;
                    }
                    Err(ReadError::Incomplete(defect)) => defect,
                }
            } else if reply.stop == StopReason::MaxTokens {
                // The arguments of the last call are probably incomplete.
                Defect::Cut
            } else if turn == turns {
                break;
            } else {
                self.use_tools(turn, &reply).await?;
                continue;
            };
            self.keep_cut(defect, &reply);
            if asked_again || !self.ask_for_another(defect, &reply) {
                return Err(defect.error(&reply, self.max_output));
            }
            asked_again = true;
            turns = turns.max(turn + 1);
        }
        Err(errors::too_many_turns(most))
    }

    /// Keeps the text of an answer that is cut off, if a text is the result.
    fn keep_cut(&mut self, defect: Defect, reply: &LlmResponse) {
        let is_result = matches!(self.format, OutputFormat::Text) && reply.tool_calls.is_empty();
        if defect == Defect::Cut && is_result && !reply.text.trim().is_empty() {
            self.cut_text = Some(ask_again::marked(&reply.text, self.max_output));
        }
    }

    /// Asks for another answer in the next turn, if the limits have room for the question.
    fn ask_for_another(&mut self, defect: Defect, reply: &LlmResponse) -> bool {
        let mut question = defect.question(reply, self.max_output, self.context.sanitizer());
        if defect == Defect::Refused {
            question = self.explained(question);
        }
        self.messages.push(Message::user(question));
        let count = |text: &str| self.client.count(text);
        let tokens = self.client.count_request(&self.request()) + self.format.tokens(&count);
        self.cx.progress(format!("{defect}; asking once more…"));
        tokens <= self.max_input
    }

    /// The tool calls that a reply has in its text, unless the text is a result.
    fn text_calls(&self, reply: &LlmResponse) -> TextCalls {
        let is_said = matches!(reply.stop, StopReason::Refusal | StopReason::MaxTokens);
        if is_said || !reply.tool_calls.is_empty() {
            return TextCalls::None;
        }
        let calls = text_calls::find(&reply.text, &self.tools.specs());
        let has_schema = matches!(self.format, OutputFormat::Schema(_));
        if calls != TextCalls::None && has_schema && self.format.read(reply).is_ok() {
            return TextCalls::None;
        }
        calls
    }

    /// One turn. In the last turn the request still lists the tools, because the conversation refers to
    /// them, but forbids calls.
    async fn ask(&self, turn: u32, last: bool) -> Result<LlmResponse, TaskError> {
        let mut request = self.request();
        if last && !self.tools.is_empty() {
            request.tool_choice = ToolChoice::None;
            request.messages.push(Message::user(LAST_TURN));
        }
        self.send(turn, request).await
    }

    /// The request with all messages so far, and the tools.
    fn request(&self) -> LlmRequest {
        let mut request = LlmRequest::of(self.messages.clone())
            .purpose(Purpose::Work)
            .effort(self.effort);
        request.max_output_tokens = Some(self.max_output);
        request.tools = self.tools.specs();
        request
    }

    /// Sends a request within the limits; once more if the service rejects its schema.
    async fn send(&self, turn: u32, request: LlmRequest) -> Result<LlmResponse, TaskError> {
        let provider = self.client.provider();
        let native = request.tools.is_empty();
        let asked = self.format.ask(request.clone(), provider, native)?;
        let has_schema = matches!(asked.output, zeph_llm::OutputFormat::Schema(_));
        match self.call(turn, &asked).await {
            Err(error) if has_schema && error.code() == "schema_rejected" => {
                let asked = self.format.ask(request, provider, false)?;
                self.call(turn, &asked).await
            }
            reply => reply,
        }
    }

    async fn call(&self, turn: u32, request: &LlmRequest) -> Result<LlmResponse, TaskError> {
        let tokens = self.client.count_request(request);
        if tokens > self.max_input {
            return Err(errors::prompt_too_long(tokens, self.max_input));
        }
        let spent = self.client.spend().tokens();
        let most = self.context.limits.attempt_tokens;
        if spent >= most {
            return Err(errors::too_many_tokens(spent, most));
        }
        let (agent, model) = (&self.agent.name, self.client.provider().name());
        let so_far = match turn {
            1 => String::new(),
            turn => format!(", turn {turn}, {spent} tokens so far"),
        };
        self.cx
            .progress(format!("asking {agent} ({model}){so_far}…"));
        self.client.ask(request).await
    }

    async fn use_tools(&mut self, turn: u32, reply: &LlmResponse) -> Result<(), TaskError> {
        // The model's own text goes back to it, without control characters.
        self.messages.push(Message::Assistant {
            text: plain_text(&reply.text).text.into_owned(),
            tool_calls: reply.tool_calls.iter().map(echoed).collect(),
            // A service that gave it demands it back with the results.
            reasoning: reply.reasoning.clone(),
        });
        let so_far = self.client.count_request(&self.request());
        let count = |text: &str| self.client.count(text);
        let calls = &reply.tool_calls;
        let overhead = MESSAGE_TOKENS * calls.len() as u64 + self.format.tokens(&count);
        let budget = self.max_input.saturating_sub(so_far + overhead);
        let spend = self.client.spend();
        let turn = Turn {
            number: turn,
            calls,
            reply: &spend.latest(),
            resumed: spend.resumed(self.cx).await?,
        };
        let answers = self.tools.make(self.cx, turn, &count, budget);
        self.messages.extend(answers.await?);
        Ok(())
    }

    /// Asks for a correction of an answer in the wrong format.
    async fn correct(
        &self,
        turn: u32,
        reply: &LlmResponse,
        problems: &[String],
    ) -> Result<Value, TaskError> {
        let mut request = self.request();
        if self.messages.len() > OPENING {
            // Services require the tools that a conversation refers to.
            request.tool_choice = ToolChoice::None;
        } else {
            request.tools.clear();
        }
        let so_far = self.client.count_request(&request)
            + self.format.tokens(&|text| self.client.count(text));
        let left = self.max_input.saturating_sub(so_far + MESSAGE_TOKENS);
        let correction = self.correction(problems, &reply.text, left).await;
        request.messages.push(Message::user(correction));
        let reply = self.send(turn + 1, request).await?;
        self.format.read(&reply).map_err(|error| match error {
            ReadError::WrongFormat(problems) => errors::bad_answer(&problems, &reply.text),
            ReadError::Incomplete(defect) => defect.error(&reply, self.max_output),
            ReadError::Final(error) => error,
        })
    }

    /// A message with untrusted text after the meaning of the delimiters, unless the system message has it.
    fn explained(&self, message: String) -> String {
        let preamble = self.context.sanitizer().preamble();
        if self.has_preamble || preamble.is_empty() {
            return message;
        }
        format!("{preamble}\n\n{message}")
    }

    /// The message that asks for a correction: the model's answer and its problems.
    async fn correction(&self, problems: &[String], text: &str, budget: u64) -> String {
        let mut message = String::from("Your last answer does not have the required format:\n");
        for problem in problems {
            message.push_str("- ");
            message.push_str(problem);
            message.push('\n');
        }
        message.push_str("Answer again with the corrected JSON value and nothing else.");
        let count = |text: &str| self.client.count(text);
        let prompt = PromptBudget {
            sanitizer: self.context.sanitizer(),
            count: &count,
            max_section: u64::from(self.max_output),
        };
        let used = count(&message) + count(self.context.sanitizer().preamble());
        let left = budget.saturating_sub(used + MESSAGE_TOKENS);
        let section = Section::new("your last answer", text);
        let measured = prompt.measure(vec![section]).await;
        for shown in prompt.share(&measured, left).await {
            message = format!("You wrote:\n{}\n\n{message}", shown.text);
        }
        self.explained(message)
    }
}
