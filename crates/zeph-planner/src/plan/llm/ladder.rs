//! The repair ladder: what is tried, in which order, and what is made of each failure.

use std::sync::Arc;

use futures::channel::mpsc::UnboundedSender;
use zeph_common::Boundary;
use zeph_llm::{ErrorKind, LlmError, LlmProvider, LlmResponse, StopReason};

use super::Settings;
use super::ask::{self, Again, Answer};
use crate::plan::{
    Plan, PlanCode, PlanDiagnostic, PlanDocument, PlanError, PlanEvent, PlanFailure, PlanRequest,
    PlanTry, PlanWarning, Reading, TaskDocument, TaskKind, WarningCode, read_plan,
};

/// The longest goal; a longer one belongs into a file that a task reads.
const MAX_GOAL_BYTES: usize = 32 << 10;
/// Bytes of a model's text that an error keeps.
const EXCERPT_BYTES: usize = 2 << 10;

type Events = UnboundedSender<PlanEvent>;

/// Climbs from step to step until there is a plan.
pub(super) async fn climb(
    settings: &Settings,
    request: &PlanRequest,
    events: &Events,
) -> Result<Plan, PlanError> {
    possible(request)?;
    let mut error = match by(&settings.provider, settings, request, events).await {
        Ok(plan) => return Ok(plan),
        Err(error) => error,
    };
    if is_final(error.failure) {
        return Err(error);
    }
    if let Some(provider) = &settings.fallback {
        fell_back(events, &error);
        match by(provider, settings, request, events).await {
            Ok(plan) => return Ok(plan),
            Err(mut other) => {
                error.tries.append(&mut other.tries);
                other.tries = std::mem::take(&mut error.tries);
                error = other;
            }
        }
        if is_final(error.failure) {
            return Err(error);
        }
    }
    match &settings.stand_in {
        Some(agent) => {
            fell_back(events, &error);
            stand_in(agent.clone(), request, &error).ok_or(error)
        }
        None => Err(error),
    }
}

fn fell_back(events: &Events, error: &PlanError) {
    let why = error.message.clone();
    events.unbounded_send(PlanEvent::FellBack { why }).ok();
}

/// Whether no other provider could help.
fn is_final(failure: PlanFailure) -> bool {
    matches!(
        failure,
        PlanFailure::OverBudget
            | PlanFailure::Stopped
            | PlanFailure::BadPrompt
            | PlanFailure::Impossible
    )
}

fn possible(request: &PlanRequest) -> Result<(), PlanError> {
    let impossible = |message: &str| Err(PlanError::new(PlanFailure::Impossible, message));
    if request.goal.trim().is_empty() {
        return impossible("the goal is empty");
    }
    if request.goal.len() > MAX_GOAL_BYTES {
        return impossible("the goal has more than 32 KiB; put it into a file that a task reads");
    }
    if !TaskKind::ALL.iter().any(|kind| kind.is_allowed(request)) {
        return impossible("there is no agent, no command and nobody to ask");
    }
    Ok(())
}

/// Asks one provider, and again while its plan can be corrected.
async fn by(
    provider: &Arc<dyn LlmProvider>,
    settings: &Settings,
    request: &PlanRequest,
    events: &Events,
) -> Result<Plan, PlanError> {
    let provider = match &request.around {
        Some(around) => around(Arc::clone(provider)),
        None => Arc::clone(provider),
    };
    let mut tries: Vec<PlanTry> = Vec::new();
    let mut last: Option<(Vec<PlanDiagnostic>, String)> = None;
    for call in 1..=settings.asks_again + 1 {
        let again = last
            .as_ref()
            .map(|(diagnostics, text)| Again { diagnostics, text });
        let asked = ask::request(settings, request, again.as_ref())?;
        let name = provider.name().to_owned();
        events
            .unbounded_send(PlanEvent::Asked {
                provider: name,
                call,
            })
            .ok();
        let mut tried = PlanTry {
            provider: provider.name().to_owned(),
            ..PlanTry::default()
        };
        let (text, stop) = match ask::ask(settings, &provider, request, &asked, events).await {
            Answer::Whole(response) => {
                note(&mut tried, &response);
                (response.text, response.stop)
            }
            Answer::Endless(text) => {
                excerpt(&mut tried, &text);
                (text, StopReason::MaxTokens)
            }
            Answer::Failed(error) => return Err(failed(&error, tried, tries)),
            Answer::NoSchema(why) => {
                tried.error = Some(zeph_common::escape_terminal(&why).into_owned());
                let message = "the provider cannot be held to the schema of plans";
                return Err(with(PlanFailure::SchemaRejected, message, tried, tries));
            }
        };
        if stop == StopReason::Refusal {
            return Err(with(
                PlanFailure::Refused,
                "the model declined",
                tried,
                tries,
            ));
        }
        let reading = read(&text, &stop, request);
        let repairs = reading.repairs.iter().cloned().map(PlanEvent::Repaired);
        repairs.for_each(|repair| drop(events.unbounded_send(repair)));
        tried.repairs = reading.repairs;
        let diagnostics = match reading.outcome {
            Ok(plan) => return Ok(plan),
            Err(diagnostics) => diagnostics,
        };
        tried.diagnostics.clone_from(&diagnostics);
        tries.push(tried);
        if call <= settings.asks_again {
            let told = diagnostics.clone();
            events
                .unbounded_send(PlanEvent::Refused { diagnostics: told })
                .ok();
        }
        last = Some((diagnostics, text));
    }
    Err(exhausted(tries))
}

/// The plan in a text. One that is cut off says so first, whatever else is wrong with it.
fn read(text: &str, stop: &StopReason, request: &PlanRequest) -> Reading {
    let mut reading = read_plan(text, request);
    if let (Err(diagnostics), StopReason::MaxTokens) = (&mut reading.outcome, stop)
        && diagnostics.iter().all(|one| one.code != PlanCode::CutOff)
    {
        let cut = PlanDiagnostic {
            code: PlanCode::CutOff,
            pointer: String::new(),
            message: "the answer reached its limit and is cut off".to_owned(),
            help: Some("make a shorter plan: fewer tasks, shorter texts".to_owned()),
        };
        diagnostics.insert(0, cut);
    }
    reading
}

fn note(tried: &mut PlanTry, response: &LlmResponse) {
    excerpt(tried, &response.text);
    tried.model = zeph_common::escape_terminal(&response.model).into_owned();
    tried.usage = response.usage;
    tried.stop = match &response.stop {
        StopReason::End => "end".to_owned(),
        StopReason::MaxTokens => "max_tokens".to_owned(),
        StopReason::ToolCalls => "tool_calls".to_owned(),
        StopReason::Refusal => "refusal".to_owned(),
        StopReason::Other(why) => zeph_common::escape_terminal(why).chars().take(80).collect(),
        _ => "other".to_owned(),
    };
}

fn excerpt(tried: &mut PlanTry, text: &str) {
    let ends = zeph_common::head_tail(text, EXCERPT_BYTES, Boundary::Word).to_string();
    tried.excerpt = zeph_common::escape_terminal_block(&ends).into_owned();
    tried.bytes = text.len();
}

fn with(failure: PlanFailure, message: &str, tried: PlanTry, mut tries: Vec<PlanTry>) -> PlanError {
    tries.push(tried);
    PlanError {
        tries,
        ..PlanError::new(failure, message)
    }
}

/// A call that failed, told apart by what helps.
fn failed(error: &LlmError, mut tried: PlanTry, tries: Vec<PlanTry>) -> PlanError {
    let failure = match error.kind() {
        ErrorKind::Timeout => PlanFailure::TimedOut,
        ErrorKind::SchemaRejected => PlanFailure::SchemaRejected,
        ErrorKind::OverBudget => PlanFailure::OverBudget,
        ErrorKind::Stopped => PlanFailure::Stopped,
        ErrorKind::RateLimited
        | ErrorKind::Unavailable
        | ErrorKind::Network
        // The transport broke; more tokens for the answer would not help.
        | ErrorKind::Cut
        | ErrorKind::Garbled
        | ErrorKind::Unauthorized
        | ErrorKind::UnknownModel
        | ErrorKind::ContextTooLong
        | ErrorKind::BadRequest
        | ErrorKind::NoCredit
        | ErrorKind::Unsupported
        | ErrorKind::NotRecorded => PlanFailure::Unavailable,
        _ => PlanFailure::Unavailable,
    };
    tried.error = Some(zeph_common::escape_terminal(&error.to_string()).into_owned());
    let message = error.to_string();
    PlanError {
        cause: Some(error.clone()),
        ..with(failure, &message, tried, tries)
    }
}

/// No answer could be accepted; the last one says of which kind that is.
fn exhausted(tries: Vec<PlanTry>) -> PlanError {
    let diagnostics = tries.last().map(|one| one.diagnostics.as_slice());
    let codes = diagnostics.unwrap_or_default().iter().map(|one| one.code);
    let codes: Vec<PlanCode> = codes.collect();
    let has = |code: PlanCode| codes.contains(&code);
    let asked = match tries.len() {
        1 => "one answer".to_owned(),
        many => format!("{many} answers"),
    };
    let (failure, why) = if has(PlanCode::CutOff) || has(PlanCode::TooLarge) {
        (PlanFailure::Truncated, "and the last one is cut off")
    } else if has(PlanCode::Empty) {
        (PlanFailure::Empty, "and the last one is empty")
    } else if has(PlanCode::NoJson) || has(PlanCode::Syntax) {
        (PlanFailure::NotAPlan, "and the last one is no plan")
    } else {
        (PlanFailure::Defective, "and none could be accepted")
    };
    let message = format!("{asked} of the model, {why}");
    PlanError {
        tries,
        ..PlanError::new(failure, &message)
    }
}

/// The whole goal as one task, if such a plan passes the checks.
fn stand_in(agent: Option<String>, request: &PlanRequest, error: &PlanError) -> Option<Plan> {
    let document = PlanDocument {
        reasoning: String::new(),
        tasks: vec![TaskDocument {
            name: "work".to_owned(),
            prompt: Some(request.goal.clone()),
            agent,
            ..TaskDocument::default()
        }],
    };
    let text = serde_json::to_string(&document).ok()?;
    let mut plan = read_plan(&text, request).outcome.ok()?;
    plan.warnings.push(PlanWarning {
        code: WarningCode::StandIn,
        task: "work".to_owned(),
        message: format!("one task for the whole goal, since {}", error.message),
    });
    Some(plan)
}
