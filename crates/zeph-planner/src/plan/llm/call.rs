//! One model call for a plan: the request, the streamed answer, and its outcome.

use std::sync::Arc;

use futures::channel::mpsc::UnboundedSender;
use serde_json::json;
use zeph_diagnostics::Diagnostics;
use zeph_llm::{
    AnswerSchema, ErrorKind, LlmError, LlmProvider, LlmRequest, LlmResponse, Message, OutputFormat,
    Purpose, SchemaSupport, collect,
};
use zeph_sanitizer::Content;

use super::LlmPlanner;
use crate::plan::finding::stored;
use crate::plan::schema::plan_schema;
use crate::plan::{PlanError, PlanEvent, PlanFailure, PlanRequest};
use crate::prompts::{PromptError, PromptName};

/// The most problems that one correction lists; a longer list confuses a model.
const MAX_PROBLEMS: usize = 20;
/// The most bytes of its own text that a model sees again.
const MAX_EXCERPT_BYTES: usize = 8 << 10;

/// The rejected answer that a model is asked to correct.
pub(super) struct Correction<'a> {
    pub(super) diagnostics: &'a Diagnostics,
    pub(super) text: &'a str,
    /// The tasks of the rejected answers that may have started.
    pub(super) begun: &'a [String],
}

/// The request for a plan, or for the correction of one.
pub(super) fn request(
    planner: &LlmPlanner,
    request: &PlanRequest,
    correction: Option<&Correction<'_>>,
) -> Result<LlmRequest, PlanError> {
    let render = |name, values| {
        let text = planner.prompts.render(name, values);
        text.map_err(|error| bad_prompt(&error))
    };
    let system = render(PromptName::Plan, host_values(planner, request))?;
    let rejected = rejected_plans(planner, request);
    let goal = json!({
        "goal": request.goal, "feedback": request.feedback, "rejected": rejected,
        "earlier": earlier_tasks(planner, request),
    });
    let mut user = render(PromptName::PlanGoal, goal)?;
    if let Some(correction) = correction {
        let problems = stored(correction.diagnostics.iter().take(MAX_PROBLEMS));
        let last = (!correction.text.trim().is_empty()).then(|| {
            let content = Content {
                source: "plan",
                text: correction.text,
                max_bytes: MAX_EXCERPT_BYTES,
            };
            planner.sanitizer.sanitize(&content).text
        });
        let more = correction.diagnostics.len() - problems.len();
        let begun = correction.begun;
        let values = json!({ "problems": problems, "more": more, "last": last, "begun": begun });
        user.push_str("\n\n");
        user.push_str(&render(PromptName::PlanCorrection, values)?);
    }
    let conversation = vec![Message::system(system), Message::user(user)];
    let purpose = match correction {
        None => Purpose::Plan,
        Some(_) => Purpose::RepairPlan,
    };
    let mut asked = LlmRequest::of(conversation)
        .purpose(purpose)
        .max_output_tokens(planner.max_output_tokens)
        .timeout(planner.timeout);
    asked.model.clone_from(&planner.model);
    Ok(asked)
}

/// The plan that each feedback is about, sanitized; null where it is unknown.
fn rejected_plans(planner: &LlmPlanner, request: &PlanRequest) -> Vec<Option<String>> {
    let plans = (0..request.feedback.len()).map(|index| {
        let plan = request.rejected.get(index)?;
        let content = Content {
            source: "plan",
            text: plan,
            max_bytes: MAX_EXCERPT_BYTES,
        };
        (!plan.is_empty()).then(|| planner.sanitizer.sanitize(&content).text)
    });
    plans.collect()
}

/// The tasks of the plan that is extended, sanitized.
fn earlier_tasks(planner: &LlmPlanner, request: &PlanRequest) -> Vec<serde_json::Value> {
    let clean = |source: &str, text: &str| {
        let content = Content {
            source,
            text,
            max_bytes: MAX_EXCERPT_BYTES,
        };
        planner.sanitizer.sanitize(&content).text
    };
    let tasks = request.earlier.iter().map(|task| {
        let text = match task.text.is_empty() {
            true => None,
            false => Some(clean(&task.name, &task.text)),
        };
        json!({
            "name": task.name,
            "about": clean("plan", &task.about),
            "state": task.state,
            "has_result": task.has_result,
            "text": text,
        })
    });
    tasks.collect()
}

fn bad_prompt(error: &PromptError) -> PlanError {
    let message = format!("{error}: {:#}", error.source);
    PlanError::new(PlanFailure::BadPrompt, &message)
}

/// The values of the system prompt: agents, commands, kinds and limits of the host.
fn host_values(planner: &LlmPlanner, request: &PlanRequest) -> serde_json::Value {
    let tools = &request.rights.tools;
    let agents = request.catalog.iter().map(|agent| {
        let tools: Vec<&String> = agent.tools.intersection(tools).collect();
        json!({ "name": agent.name, "description": agent.description, "tools": tools, "tags": agent.tags })
    });
    let limits = &request.limits;
    json!({
        "preamble": planner.sanitizer.preamble(),
        "agents": agents.collect::<Vec<_>>(),
        "commands": request.commands.to_json(),
        "kinds": request.kinds(),
        "limits": {
            "tasks": limits.max_tasks, "depth": limits.max_depth, "width": limits.max_width,
            "tokens": limits.max_tokens,
        },
    })
}

/// Makes the call; once more with the schema in the prompt if the service rejects it.
pub(super) async fn call(
    provider: &Arc<dyn LlmProvider>,
    host: &PlanRequest,
    asked: &LlmRequest,
    events: &UnboundedSender<PlanEvent>,
) -> Result<LlmResponse, LlmError> {
    let name = provider.name();
    let schema = AnswerSchema::new("plan", plan_schema(host))
        .map_err(|error| LlmError::new(ErrorKind::SchemaRejected, name, error.to_string()))?;
    let support = provider.capabilities().schema;
    let request = schema.ask(asked, support, name)?;
    let stream = async |request| collect(name, provider.stream(request).await?).await;
    let answer = stream(&request).await;
    if let Err(error) = &answer
        && error.kind() == ErrorKind::SchemaRejected
        && matches!(request.output, OutputFormat::Schema(_))
        && let Ok(request) = schema.ask(asked, SchemaSupport::Prompt, name)
    {
        let why = format!("the schema goes into the prompt: {error}");
        let why = zeph_common::escape_terminal(&why).into_owned();
        events.unbounded_send(PlanEvent::FellBack { why }).ok();
        return stream(&request).await;
    }
    answer
}
