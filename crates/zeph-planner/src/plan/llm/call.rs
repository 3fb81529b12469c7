//! One model call for a plan: the request, the streamed answer, and its outcome.

use std::sync::Arc;

use futures::StreamExt as _;
use futures::channel::mpsc::UnboundedSender;
use serde_json::json;
use zeph_diagnostics::Diagnostics;
use zeph_llm::{
    AnswerSchema, ErrorKind, LlmError, LlmProvider, LlmRequest, LlmResponse, Message, OutputFormat,
    Purpose, SchemaSupport, StreamPart,
};
use zeph_sanitizer::Content;

use super::LlmPlanner;
use super::preview::Preview;
use crate::plan::finding::stored;
use crate::plan::schema::plan_schema;
use crate::plan::{PlanError, PlanEvent, PlanFailure, PlanRequest};
use crate::prompts::{PromptError, PromptName};

/// The most problems that one correction lists; a longer list confuses a model.
const MAX_PROBLEMS: usize = 20;
/// The most bytes of its own text that a model sees again.
const MAX_EXCERPT_BYTES: usize = 8 << 10;

/// The outcome of a call.
pub(super) enum Answer {
    Whole(Box<LlmResponse>),
    /// The answer exceeded the size of any plan; the rest was not read.
    TooLong(String),
    Failed(LlmError),
}

/// The rejected answer that a model is asked to correct.
pub(super) struct Correction<'a> {
    pub(super) diagnostics: &'a Diagnostics,
    pub(super) text: &'a str,
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
        let values = json!({ "problems": problems, "more": more, "last": last });
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
) -> Answer {
    let schema = match AnswerSchema::new("plan", plan_schema(host)) {
        Ok(schema) => schema,
        Err(error) => {
            let (kind, name) = (ErrorKind::SchemaRejected, provider.name());
            return Answer::Failed(LlmError::new(kind, name, error.to_string()));
        }
    };
    let support = provider.capabilities().schema;
    let request = match schema.ask(asked, support, provider.name()) {
        Ok(ready) => ready,
        Err(error) => return Answer::Failed(error),
    };
    let answer = stream(provider, host, &request, events).await;
    if let Answer::Failed(error) = &answer
        && error.kind() == ErrorKind::SchemaRejected
        && matches!(request.output, OutputFormat::Schema(_))
        && let Ok(request) = schema.ask(asked, SchemaSupport::Prompt, provider.name())
    {
        let why = format!("the schema goes into the prompt: {error}");
        let why = zeph_common::escape_terminal(&why).into_owned();
        events.unbounded_send(PlanEvent::FellBack { why }).ok();
        return stream(provider, host, &request, events).await;
    }
    answer
}

/// Reads the streamed answer, sends its tasks as events, and stops at the size limit of plans.
async fn stream(
    provider: &Arc<dyn LlmProvider>,
    host: &PlanRequest,
    request: &LlmRequest,
    events: &UnboundedSender<PlanEvent>,
) -> Answer {
    let mut stream = match provider.stream(request).await {
        Ok(stream) => stream,
        Err(error) => return Answer::Failed(error),
    };
    let mut preview = Preview::default();
    let mut text = String::new();
    while let Some(part) = stream.next().await {
        match part {
            Ok(StreamPart::Text(more)) => {
                for (name, kind) in preview.feed(&more) {
                    events
                        .unbounded_send(PlanEvent::Proposed { name, kind })
                        .ok();
                }
                text.push_str(&more);
                if text.len() > host.limits.max_bytes {
                    return Answer::TooLong(text);
                }
            }
            Ok(StreamPart::End(response)) => return Answer::Whole(Box::new(response)),
            Ok(_) => {}
            Err(error) => return Answer::Failed(error),
        }
    }
    let message = "the stream ended before the answer was complete";
    Answer::Failed(LlmError::new(ErrorKind::Cut, provider.name(), message))
}
