//! One call for a plan: the request, the answer as it comes, and what became of it.

use std::sync::Arc;

use futures::StreamExt as _;
use futures::channel::mpsc::UnboundedSender;
use serde_json::json;
use zeph_llm::{
    AnswerSchema, ErrorKind, Fallback, LlmError, LlmProvider, LlmRequest, LlmResponse, Message,
    Purpose, SchemaMode, SchemaSupport, StreamPart, TypedError,
};
use zeph_sanitizer::Content;

use super::Settings;
use super::preview::Preview;
use crate::plan::{
    PlanDiagnostic, PlanError, PlanEvent, PlanFailure, PlanRequest, TaskKind, plan_schema,
};
use crate::{PromptError, PromptName};

/// Problems that a model is told of at a time; more confuse it.
const TOLD: usize = 20;
/// Bytes of its own text that a model is shown again.
const SHOWN_BYTES: usize = 8 << 10;

/// What a call gave.
pub(super) enum Answer {
    Whole(LlmResponse),
    /// The answer grew beyond every plan and was not read to its end.
    Endless(String),
    Failed(LlmError),
    /// The schema cannot be put in the provider's dialect.
    NoSchema(String),
}

/// A plan that a model is to correct.
pub(super) struct Again<'a> {
    pub(super) diagnostics: &'a [PlanDiagnostic],
    pub(super) text: &'a str,
}

/// The conversation that asks for a plan.
pub(super) fn request(
    settings: &Settings,
    request: &PlanRequest,
    again: Option<&Again<'_>>,
) -> Result<LlmRequest, PlanError> {
    let render = |name, values| {
        let text = settings.prompts.render(name, values);
        text.map_err(|error| bad_prompt(&error))
    };
    let system = render(PromptName::Plan, host(settings, request))?;
    let goal = json!({ "goal": request.goal, "feedback": request.feedback });
    let mut user = render(PromptName::PlanGoal, goal)?;
    if let Some(again) = again {
        let told = again.diagnostics.iter().take(TOLD);
        let problems: Vec<&PlanDiagnostic> = told.collect();
        let last = (!again.text.trim().is_empty()).then(|| {
            let content = Content {
                source: "plan",
                text: again.text,
                max_bytes: SHOWN_BYTES,
            };
            settings.sanitizer.sanitize(&content).text
        });
        let more = again.diagnostics.len() - problems.len();
        let values = json!({ "problems": problems, "more": more, "last": last });
        user.push_str("\n\n");
        user.push_str(&render(PromptName::PlanAgain, values)?);
    }
    let conversation = vec![Message::system(system), Message::user(user)];
    let purpose = match again {
        None => Purpose::Plan,
        Some(_) => Purpose::RepairPlan,
    };
    let mut asked = LlmRequest::of(conversation)
        .purpose(purpose)
        .max_output_tokens(settings.max_output_tokens)
        .timeout(settings.timeout);
    asked.model.clone_from(&settings.model);
    Ok(asked)
}

fn bad_prompt(error: &PromptError) -> PlanError {
    let message = format!("{error}: {:#}", error.source);
    PlanError::new(PlanFailure::BadPrompt, &message)
}

/// What a model is told of the host.
fn host(settings: &Settings, request: &PlanRequest) -> serde_json::Value {
    let tools = &request.rights.tools;
    let agents = request.catalog.iter().map(|agent| {
        let tools: Vec<&String> = agent.tools.intersection(tools).collect();
        json!({ "name": agent.name, "description": agent.description, "tools": tools, "tags": agent.tags })
    });
    let commands = request.commands.iter().map(|command| {
        let arguments = command.arguments().map(|one| {
            json!({
                "name": one.name(),
                "form": one.kind().to_string(),
                "about": one.about(),
                "optional": one.is_optional(),
            })
        });
        let arguments: Vec<_> = arguments.collect();
        json!({ "name": command.name(), "about": command.about(), "arguments": arguments })
    });
    let kinds = TaskKind::ALL
        .into_iter()
        .filter(|kind| kind.is_allowed(request));
    let limits = &request.limits;
    json!({
        "preamble": settings.sanitizer.preamble(),
        "agents": agents.collect::<Vec<_>>(),
        "commands": commands.collect::<Vec<_>>(),
        "kinds": kinds.map(TaskKind::word).collect::<Vec<_>>(),
        "limits": { "tasks": limits.max_tasks, "depth": limits.max_depth, "width": limits.max_width },
    })
}

/// Asks once; a second time without the schema if the service does not take it and the host allows that.
pub(super) async fn ask(
    settings: &Settings,
    provider: &Arc<dyn LlmProvider>,
    host: &PlanRequest,
    asked: &LlmRequest,
    events: &UnboundedSender<PlanEvent>,
) -> Answer {
    let schema = match AnswerSchema::new("plan", plan_schema(host)) {
        Ok(schema) => schema,
        Err(problems) => return Answer::NoSchema(problems.to_string()),
    };
    let support = provider.capabilities().schema;
    let (request, mode) = match schema.ask(asked, support, settings.schema, provider.name()) {
        Ok(ready) => ready,
        Err(TypedError::Llm(error)) => return Answer::Failed(error),
        Err(other) => return Answer::NoSchema(other.to_string()),
    };
    let answer = call(provider, host, &request, events).await;
    match (&answer, mode) {
        (Answer::Failed(error), SchemaMode::Native(_))
            if error.kind() == ErrorKind::SchemaRejected && settings.schema == Fallback::Prompt =>
        {
            let why = format!("the schema goes into the prompt: {error}");
            let why = zeph_common::escape_terminal(&why).into_owned();
            events.unbounded_send(PlanEvent::FellBack { why }).ok();
            match schema.ask(
                asked,
                SchemaSupport::Prompt,
                Fallback::Prompt,
                provider.name(),
            ) {
                Ok((request, _)) => call(provider, host, &request, events).await,
                Err(_) => answer,
            }
        }
        (_, SchemaMode::Native(_) | SchemaMode::Json | SchemaMode::Prompt) => answer,
    }
}

/// Reads an answer in pieces, shows its tasks as they come, and stops where no plan would go on.
async fn call(
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
                    return Answer::Endless(text);
                }
            }
            Ok(StreamPart::End(response)) => return Answer::Whole(response),
            Ok(_) => {}
            Err(error) => return Answer::Failed(error),
        }
    }
    let message = "the stream ended before the answer did";
    Answer::Failed(LlmError::new(ErrorKind::Cut, provider.name(), message))
}
