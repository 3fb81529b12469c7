//! Agents at work: a task, a model, its tools, and a result.

mod fault;
mod form;
mod params;
mod prompt;
mod route;
mod talk;
mod tools;

pub use params::{AgentParams, OutputParam};
pub use prompt::ParentShown;
pub use route::RouteNote;
pub(crate) use tools::ENDED;
pub use tools::{ToolNote, ToolOutcome};

use std::sync::Arc;

use serde_json::Value;
use tokio::time::timeout;
use zeph_executor::{Executor, TaskContext, TaskError, TaskInput, TaskOutput, async_trait};
use zeph_subagent::AgentOutput;

use crate::call::within_window;
use crate::{LlmContext, Tally, until_stopped};
use form::Form;
use route::{Chosen, Tried};
use talk::Talk;
use tools::Toolbox;

/// Does tasks of the action `agent`; its parameters are [`AgentParams`].
///
/// 1. Who does it: the agent that the task names, else whom the llm_context's router chooses; without any
///    agents, the llm_context's default agent, so that a plain prompt needs no definition. The decision is
///    kept as a note of kind `route`.
/// 2. What it is told: its own prompt, the task's, and how each parent ended with what it left,
///    sanitised, within the agent's `max_input_tokens` by water-filling. What is cut says so.
/// 3. It may call the tools that its definition, the task and the host all allow. A call of another
///    one, or with arguments that do not fit, is answered with an error that the model sees. Every
///    call is kept as a note of kind `tool`; results are sanitised and bounded.
/// 4. Its answer is the task's output: a text, or JSON that is validated here and asked for once
///    more if it does not fit.
/// 5. If its own means fail (its model, its answers, its limits) and the task names no agent, the
///    router is asked again without it, as often as the llm_context's limits say.
///
/// A stopped attempt drops what it is doing; a call that is under way then stays reserved, and the
/// driver counts it in full.
///
/// # Errors
/// Each with a stable code and what to do next. Of the task: `invalid_params`, `unknown_agent`,
/// `no_agent`, `choose_agent`, `unknown_parent`, `unknown_tool`, `tool_not_allowed`, `bad_schema`.
/// Of the agent: `prompt_too_long`, `answer_cut`, `empty_answer`, `bad_answer`, `model_refused`,
/// `too_many_turns`, `too_many_tokens`, `tool_loop`, `tool_failed`, `agent_timeout`. Of calls: see
/// [`task_error`](crate::task_error).
///
/// # Examples
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use std::sync::Arc;
/// use zeph_llm::{Capabilities, LlmError, LlmProvider, LlmRequest, LlmResponse, async_trait};
/// use zeph_planner::{AgentExecutor, LlmContext};
/// use zeph_executor::{Attempt, Executor, TaskContext, TaskId, TaskInput};
///
/// struct Fixed;
///
/// #[async_trait]
/// impl LlmProvider for Fixed {
///     fn name(&self) -> &str { "fixed" }
///     fn capabilities(&self) -> Capabilities { Capabilities::TEXT }
///     async fn complete(&self, _: &LlmRequest) -> Result<LlmResponse, LlmError> {
///         Ok(LlmResponse::text("blue"))
///     }
/// }
///
/// let agent = AgentExecutor::new(Arc::new(LlmContext::builder(Arc::new(Fixed)).build()?));
/// let cx = TaskContext::builder("r".parse()?, TaskId::from_index(0), "name", Attempt::FIRST).build();
/// let input = TaskInput::new(serde_json::json!({ "prompt": "Name a colour." }));
/// let output = agent.execute(&cx, input).await.map_err(|error| error.to_string())?;
/// assert_eq!(output.value, "blue");
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct AgentExecutor {
    llm_context: Arc<LlmContext>,
}

impl AgentExecutor {
    /// The name of the action that it is registered under.
    pub const ACTION: &'static str = "agent";

    /// An executor for the agents of that llm_context.
    #[must_use]
    pub fn new(llm_context: Arc<LlmContext>) -> Self {
        Self { llm_context }
    }

    async fn work(&self, cx: &TaskContext, input: &TaskInput) -> Result<Value, TaskError> {
        let params: AgentParams = input.params_as()?;
        let tally = Arc::new(Tally::default());
        let mut tried: Vec<Tried> = Vec::new();
        loop {
            let chosen = match route::choose(&self.llm_context, cx, &params, &tried).await {
                Ok(chosen) => chosen,
                // That nobody else fits says less than why the last one failed.
                Err(nobody) => return Err(tried.pop().map_or(nobody, |last| last.error)),
            };
            let agent = chosen.agent;
            let work = self.attempt(cx, input, &params, &chosen, &tally);
            let outcome = match agent.limits.timeout {
                None => work.await,
                Some(limit) => timeout(limit, work)
                    .await
                    .unwrap_or_else(|_| Err(fault::agent_timeout(limit))),
            };
            let most = self.llm_context.limits().agents_tried as usize;
            match outcome {
                Err(error)
                    if chosen.replaceable
                        && tried.len() + 1 < most
                        && fault::others_may_mend(&error) =>
                {
                    let agent = agent.name.clone();
                    tried.push(Tried { agent, error });
                }
                outcome => return outcome,
            }
        }
    }

    /// One agent's work.
    async fn attempt(
        &self,
        cx: &TaskContext,
        input: &TaskInput,
        params: &AgentParams,
        chosen: &Chosen<'_>,
        tally: &Arc<Tally>,
    ) -> Result<Value, TaskError> {
        let (llm_context, agent) = (&*self.llm_context, chosen.agent);
        let output = match &params.output {
            Some(output) => AgentOutput::from(output.clone()),
            None => agent.output.clone(),
        };
        let form = Form::new(&output)?;
        let tools = Toolbox::new(llm_context, agent, params)?;
        let line = llm_context.line(cx, agent.model.as_deref(), tally)?;
        let can = line.provider().capabilities();
        if !can.tools && !tools.is_empty() {
            return Err(fault::no_tools(&agent.name, line.provider().name()));
        }
        let limits = agent.limits;
        let wanted = params.max_output_tokens.unwrap_or(u32::MAX);
        let wanted = wanted.min(limits.max_output_tokens);
        let (max_input, max_output) = within_window(can, limits.max_input_tokens, wanted);
        let count = |text: &str| line.count(text);
        let specs = if tools.is_empty() {
            0
        } else {
            count(&serde_json::to_string(&tools.specs()).unwrap_or_default())
        };
        let room = max_input.saturating_sub(specs + form.tokens(&count));
        let opening = prompt::open(llm_context, agent, params, &output, input, &count, room).await;
        let shown = opening.as_ref().map_or(&[][..], |opening| &opening.shown);
        route::keep(cx, chosen, line.provider().name(), shown).await?;
        let messages = opening?.messages;
        let talk = Talk {
            llm_context,
            cx,
            agent,
            line: &line,
            tools,
            form: &form,
            messages,
            max_output,
            max_input,
        };
        talk.run().await
    }
}

#[async_trait]
impl Executor for AgentExecutor {
    async fn execute(&self, cx: &TaskContext, input: TaskInput) -> Result<TaskOutput, TaskError> {
        let work = until_stopped(cx, self.work(cx, &input));
        work.await.map(TaskOutput::from)
    }
}
