//! Agents: executes a task with a model and its tools.

mod ask_again;
pub mod check;
mod conversation;
mod errors;
mod output_format;
mod params;
mod prompt;
mod registry;
mod route;
mod text_calls;
mod tool_calls;
mod tool_notes;

pub use ask_again::is_cut_off;
pub(crate) use ask_again::marked;
pub use check::check_tasks;
pub(crate) use errors::{END_UNKNOWN, empty_answer};
pub use params::AgentParams;
pub use prompt::ParentShown;
pub use registry::{ToolError, Tools};
pub use route::RouteNote;
pub(crate) use tool_notes::ENDED;
pub use tool_notes::{CallKey, ToolCallEnd, ToolCallNote, ToolNote, ToolOutcome};

use std::sync::Arc;

use serde_json::Value;
use zeph_executor::{Executor, TaskContext, TaskError, TaskInput, TaskOutput, async_trait};

use crate::LlmContext;
use crate::call::{AttemptSpend, until_stopped, within_window};
use conversation::Conversation;
use output_format::OutputFormat;
use route::{Chosen, Tried};
use tool_calls::ToolCalls;

/// Executes the action `agent`; its parameters are [`AgentParams`].
///
/// 1. The agent: the one that the task names, else the router's choice. Without any agents the default
///    agent does the task, so that a plain prompt needs no definition. The choice is a note of kind
///    `route`.
/// 2. The prompt: the agent's prompt, the goal of the run, the task's prompt, the end and the output of each
///    parent or the reason for a missing one, and the tasks that get the result. Outputs and reasons are
///    sanitized, and are within the agent's `max_input_tokens` by water-filling. Each cut is marked.
/// 3. The tools: those that the definition, the task and the host allow. The model sees an error if it
///    calls another tool or gives unsuitable arguments. Each call is a note of kind `tool`; results are
///    sanitized and limited.
/// 4. The output: the answer as text, or as JSON, which is validated here and corrected once. After an
///    empty, cut or refused answer the model is asked once more. A text that is still cut off is the
///    output, with a mark ([`is_cut_off`]).
/// 5. If the agent's model, answers or limits fail and the task names no agent, the router chooses
///    another one, as often as the limits allow.
///
/// A stopped attempt drops its work. A call in progress then stays reserved and counts in full. After an
/// interruption, by a crash or a suspension, the next attempt goes on where the conversation broke off: replies
/// to the same requests and the tool calls of these replies are used again. A call whose end is unknown is
/// repeated, unless its tool [may not be](zeph_subagent::Tool::effect): then the model learns that. It also
/// learns that, before such a tool is called, if it was called in a conversation that went another way.
///
/// # Errors
/// Each has a stable code and advice. Of the task: `invalid_params`, `unknown_agent`, `no_agent`,
/// `choose_agent`, `unknown_parent`, `unknown_tool`, `tool_not_allowed`, `bad_schema`. Of the agent:
/// `prompt_too_long`, `answer_cut`, `empty_answer`, `bad_answer`, `model_refused`, `too_many_turns`,
/// `too_many_tokens`, `tool_loop`, `tool_failed`, `agent_timeout`. Of calls: the word of the
/// [kind](zeph_llm::ErrorKind) of the error, `over_budget`, or `cancelled`.
///
/// # Examples
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use std::sync::Arc;
/// use zeph_executor::{Attempt, Executor, TaskContext, TaskId, TaskInput};
/// use zeph_llm::{LlmError, LlmRequest, provider_fn};
/// use zeph_planner::LlmContext;
/// use zeph_planner::agent::AgentExecutor;
///
/// let model = provider_fn("fixed", |_: LlmRequest| async { Ok::<_, LlmError>("blue") });
/// let agent = AgentExecutor::new(Arc::new(LlmContext::builder(Arc::new(model)).build()?));
/// let cx = TaskContext::builder("r".parse()?, TaskId::from_index(0), "name", Attempt::FIRST).build();
/// let input = TaskInput::new(serde_json::json!({ "prompt": "Name a colour." }));
/// let output = agent.execute(&cx, input).await.map_err(|error| error.to_string())?;
/// assert_eq!(output.value, "blue");
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct AgentExecutor {
    context: Arc<LlmContext>,
}

impl AgentExecutor {
    /// The name of the action.
    pub const ACTION: &'static str = "agent";

    /// An executor for the agents of a context.
    #[must_use]
    pub fn new(context: Arc<LlmContext>) -> Self {
        Self { context }
    }

    async fn work(&self, cx: &TaskContext, input: &TaskInput) -> Result<Value, TaskError> {
        let params: AgentParams = input.params_as()?;
        let spend = Arc::new(AttemptSpend::default());
        let mut tried: Vec<Tried> = Vec::new();
        loop {
            let chosen = match route::choose(&self.context, cx, &params, input, &tried).await {
                Ok(chosen) => chosen,
                // The failure of the last agent says more than that no other one fits.
                Err(error) => return Err(tried.pop().map_or(error, |last| last.error)),
            };
            let agent = chosen.agent;
            let work = self.attempt(cx, input, &params, &chosen, &spend);
            let outcome = match agent.limits.timeout {
                None => work.await,
                Some(limit) => (spend.within(limit, work).await)
                    .unwrap_or_else(|| Err(errors::agent_timeout(limit))),
            };
            let most = self.context.limits.agents_tried as usize;
            match outcome {
                Err(error)
                    if chosen.replaceable
                        && self.context.is_repeatable(params.model_of(agent))
                        && tried.len() + 1 < most
                        && errors::another_may_succeed(&error) =>
                {
                    let agent = agent.name.clone();
                    tried.push(Tried { agent, error });
                }
                outcome => return outcome,
            }
        }
    }

    /// The attempt of one agent.
    async fn attempt(
        &self,
        cx: &TaskContext,
        input: &TaskInput,
        params: &AgentParams,
        chosen: &Chosen<'_>,
        spend: &Arc<AttemptSpend>,
    ) -> Result<Value, TaskError> {
        let (context, agent) = (&*self.context, chosen.agent);
        let output = params.output.as_ref().unwrap_or(&agent.output);
        let format = OutputFormat::new(output)?;
        let tools = ToolCalls::new(context, agent, params)?;
        let client = context.client(cx, params.model_of(agent), spend)?;
        let can = client.provider().capabilities();
        let limits = agent.limits;
        let wanted = params.max_output_tokens.unwrap_or(u32::MAX);
        let wanted = wanted.min(limits.max_output_tokens);
        let (max_input, max_output) = within_window(can, limits.max_input_tokens, wanted);
        let count = |text: &str| client.count(text);
        let specs = if tools.is_empty() {
            0
        } else {
            count(&serde_json::to_string(&tools.specs()).unwrap_or_default())
        };
        let room = max_input.saturating_sub(specs + format.tokens(&count));
        let earlier = spend.resumed(cx).await?.purpose.as_ref();
        let purpose = earlier.unwrap_or(cx.purpose());
        let shown = prompt::Shown {
            params,
            output,
            input,
            purpose,
            has_tools: !tools.is_empty(),
        };
        let opening = prompt::open(context, agent, &shown, &count, room).await;
        let note = RouteNote {
            agent: Some(agent.name.clone()),
            provider: Some(client.provider().name().to_owned()),
            route: chosen.route.clone(),
            parents: opening
                .as_ref()
                .map_or(Vec::new(), |opening| opening.shown.clone()),
            purpose: purpose.clone(),
        };
        note.write(cx).await?;
        let opening = opening?;
        let conversation = Conversation {
            context,
            cx,
            agent,
            client: &client,
            tools,
            format: &format,
            messages: opening.messages,
            has_preamble: opening.has_preamble,
            effort: params.effort.or(agent.effort),
            max_output,
            max_input,
            cut_text: None,
        };
        conversation.run().await
    }
}

#[async_trait]
impl Executor for AgentExecutor {
    async fn execute(&self, cx: &TaskContext, input: TaskInput) -> Result<TaskOutput, TaskError> {
        let work = until_stopped(cx, self.work(cx, &input));
        work.await.map(TaskOutput::from)
    }
}
