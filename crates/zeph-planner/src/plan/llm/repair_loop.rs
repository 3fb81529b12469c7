//! Repair loop: asks for a plan, asks again with the problems of the answer, and falls back.

use std::sync::Arc;

use futures::channel::mpsc::UnboundedSender;
use serde_json::json;
use zeph_common::{Boundary, head_tail};
use zeph_diagnostics::{Code, Diagnostic, Diagnostics, Severity};
use zeph_llm::{ErrorKind, LlmError, LlmProvider, LlmResponse, StopReason};

use super::call::{Correction, call, request as request_of};
use super::listen::{self, Listening};
use super::{FallbackPlan, LlmPlanner};
use crate::plan::finding::{FindingKind, PlanFinding, code, warning};
use crate::plan::{
    Plan, PlanError, PlanEvent, PlanFailure, PlanRequest, PlanTry, Reading, read_answer, read_plan,
};

/// The most bytes of a goal.
const MAX_GOAL_BYTES: usize = 32 << 10;
/// The most bytes of a model's text that an error keeps.
const MAX_EXCERPT_BYTES: usize = 2 << 10;

type Events = UnboundedSender<PlanEvent>;

/// Asks the provider, then the fallback provider, then uses the fallback plan.
pub(super) async fn run(
    planner: &LlmPlanner,
    request: &PlanRequest,
    events: &Events,
) -> Result<Plan, PlanError> {
    check_request(request)?;
    let mut may_work = false;
    let mut error = match ask(&planner.provider, planner, request, events).await {
        Ok(plan) => return Ok(plan),
        Err(error) => error,
    };
    if let (Some(provider), false) = (&planner.fallback, is_final(error.failure)) {
        fell_back(events, &error);
        may_work |= may_do_the_work(error.failure);
        let first = error.tries;
        error = match ask(provider, planner, request, events).await {
            Ok(plan) => return Ok(plan),
            Err(error) => error,
        };
        error.tries.splice(0..0, first);
    }
    // A plan that is extended is no goal to be begun again.
    let has_fallback = planner.fallback_plan != FallbackPlan::None && request.earlier.is_empty();
    may_work |= may_do_the_work(error.failure);
    if !has_fallback || !may_work || is_final(error.failure) {
        return Err(error);
    }
    fell_back(events, &error);
    one_task(&planner.fallback_plan, request, &error).ok_or(error)
}

fn fell_back(events: &Events, error: &PlanError) {
    let why = error.message.clone();
    events.unbounded_send(PlanEvent::FellBack { why }).ok();
}

/// Whether a model that gave no plan for this reason may still do the work: it answered, or took too long to.
fn may_do_the_work(failure: PlanFailure) -> bool {
    match failure {
        PlanFailure::Truncated
        | PlanFailure::TimedOut
        | PlanFailure::SchemaRejected
        | PlanFailure::Empty
        | PlanFailure::NotAPlan
        | PlanFailure::Defective => true,
        PlanFailure::Impossible
        | PlanFailure::Refused
        | PlanFailure::OverBudget
        | PlanFailure::Stopped
        | PlanFailure::Unavailable
        | PlanFailure::BadPrompt => false,
    }
}

/// Whether the failure would be the same with another provider.
fn is_final(failure: PlanFailure) -> bool {
    matches!(
        failure,
        PlanFailure::OverBudget
            | PlanFailure::Stopped
            | PlanFailure::BadPrompt
            | PlanFailure::Impossible
    )
}

fn check_request(request: &PlanRequest) -> Result<(), PlanError> {
    let impossible = |message: &str| Err(PlanError::new(PlanFailure::Impossible, message));
    if request.goal.trim().is_empty() {
        return impossible("the goal is empty");
    }
    if request.goal.len() > MAX_GOAL_BYTES {
        return impossible(
            "the goal has more than 32 KiB; put the text into a file that a task reads",
        );
    }
    if request.kinds().is_empty() {
        return impossible("the host has no agents and no commands, and allows no questions");
    }
    Ok(())
}

/// Asks one provider for a plan, and to correct it at most `max_repairs` times.
async fn ask(
    provider: &Arc<dyn LlmProvider>,
    planner: &LlmPlanner,
    request: &PlanRequest,
    events: &Events,
) -> Result<Plan, PlanError> {
    let shared = Arc::new(request.clone());
    let listening = Listening::new(Arc::clone(provider), &shared, events);
    let provider: Arc<dyn LlmProvider> = match &request.wrap {
        Some(wrap) => wrap(Arc::new(listening)),
        None => Arc::new(listening),
    };
    let mut tries: Vec<PlanTry> = Vec::new();
    let mut last: Option<(Diagnostics, String)> = None;
    let mut begun: Vec<String> = Vec::new();
    for number in 1..=planner.max_repairs + 1 {
        let correction = (last.as_ref()).map(|(diagnostics, text)| Correction {
            diagnostics,
            text,
            begun: &begun,
        });
        let asked = request_of(planner, request, correction.as_ref())?;
        let event = PlanEvent::Asked {
            provider: provider.name().to_owned(),
            call: number,
        };
        events.unbounded_send(event).ok();
        let mut tried = PlanTry {
            provider: provider.name().to_owned(),
            ..PlanTry::default()
        };
        let response = match call(&provider, request, &asked, events).await {
            Ok(response) => response,
            Err(error) => return Err(call_error(&error, tried, tries)),
        };
        tried.set_response(&response);
        let (text, stop) = (plan_text(&response, request), response.stop);
        if stop == StopReason::Refusal {
            let message = "the model refused";
            return Err(error_after(PlanFailure::Refused, message, tried, tries));
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
        if number <= planner.max_repairs {
            let diagnostics = diagnostics.clone();
            events
                .unbounded_send(PlanEvent::Rejected { diagnostics })
                .ok();
        }
        if provider.capabilities().streaming {
            for name in listen::begun(&response.text, &shared) {
                if !begun.contains(&name) {
                    begun.push(name);
                }
            }
        }
        last = Some((diagnostics, text));
    }
    Err(exhausted(tries))
}

/// The text that may be a plan. Without a text it is the arguments of a tool call, or a plan in the
/// reasoning, where some servers put the whole answer.
fn plan_text(response: &LlmResponse, request: &PlanRequest) -> String {
    if !response.text.trim().is_empty() {
        return response.text.clone();
    }
    if let [call] = response.tool_calls.as_slice() {
        let text = call.arguments.as_str();
        return text.map_or_else(|| call.arguments.to_string(), str::to_owned);
    }
    let reasoning = &response.reasoning.text;
    let is_plan = !reasoning.trim().is_empty() && read_plan(reasoning, request).outcome.is_ok();
    if is_plan {
        reasoning.clone()
    } else {
        String::new()
    }
}

/// Reads a plan. If the output limit cut the answer off, the first problem says so.
fn read(text: &str, stop: &StopReason, request: &PlanRequest) -> Reading {
    let mut reading = read_answer(text, stop, request);
    if let (Err(diagnostics), StopReason::MaxTokens) = (&mut reading.outcome, stop)
        && diagnostics.iter().all(|one| one.code != code::CUT_OFF)
    {
        let cut = Diagnostic::new(code::CUT_OFF, "the answer reached its limit and is cut off")
            .help("make a shorter plan: fewer tasks, shorter texts");
        let others = std::mem::take(diagnostics);
        *diagnostics = [cut].into_iter().chain(others).collect();
    }
    reading
}

impl PlanTry {
    fn set_response(&mut self, response: &LlmResponse) {
        self.set_excerpt(&response.text);
        self.reasoning_bytes = response.reasoning.text.len();
        self.model = zeph_common::escape_terminal(&response.model).into_owned();
        self.usage = response.usage;
        self.stop = Some(response.stop.clone());
    }

    fn set_excerpt(&mut self, text: &str) {
        let ends = head_tail(text, MAX_EXCERPT_BYTES, Boundary::Word).to_string();
        self.excerpt = zeph_common::escape_terminal_block(&ends).into_owned();
        self.bytes = text.len();
    }
}

fn error_after(
    failure: PlanFailure,
    message: &str,
    tried: PlanTry,
    mut tries: Vec<PlanTry>,
) -> PlanError {
    tries.push(tried);
    PlanError {
        tries,
        ..PlanError::new(failure, message)
    }
}

/// The error of a failed call.
fn call_error(error: &LlmError, mut tried: PlanTry, tries: Vec<PlanTry>) -> PlanError {
    let failure = match error.kind() {
        ErrorKind::Timeout => PlanFailure::TimedOut,
        ErrorKind::SchemaRejected => PlanFailure::SchemaRejected,
        ErrorKind::OverBudget => PlanFailure::OverBudget,
        ErrorKind::Stopped => PlanFailure::Stopped,
        // `Cut` is a broken connection. An answer that reached the output limit is no error of a call.
        ErrorKind::RateLimited
        | ErrorKind::Unavailable
        | ErrorKind::Network
        | ErrorKind::Cut
        | ErrorKind::Garbled
        | ErrorKind::Unauthorized
        | ErrorKind::UnknownModel
        | ErrorKind::ContextTooLong
        | ErrorKind::BadRequest
        | ErrorKind::NoCredit
        | ErrorKind::Unsupported
        | ErrorKind::NotRecorded => PlanFailure::Unavailable,
    };
    let message = error.to_string();
    tried.error = Some(zeph_common::escape_terminal(&message).into_owned());
    PlanError {
        cause: Some(error.clone()),
        ..error_after(failure, &message, tried, tries)
    }
}

/// The error if no answer was accepted. The problems of the last answer decide its kind.
fn exhausted(tries: Vec<PlanTry>) -> PlanError {
    let last = tries.last().into_iter();
    let codes = last.flat_map(|one| &one.diagnostics).map(|one| one.code);
    let codes: Vec<Code> = codes.collect();
    let has = |code: Code| codes.contains(&code);
    let answers = match tries.len() {
        1 => "one answer".to_owned(),
        many => format!("{many} answers"),
    };
    let (failure, why) = if has(code::CUT_OFF) || has(code::TOO_LARGE) {
        (PlanFailure::Truncated, "the last one is cut off")
    } else if has(code::EMPTY) {
        let thought = tries.last().is_some_and(|one| one.reasoning_bytes > 0);
        let why = if thought {
            "the last one is empty: the model only reasoned"
        } else {
            "the last one is empty"
        };
        (PlanFailure::Empty, why)
    } else if has(code::NO_JSON) || has(code::SYNTAX) || has(code::UNCLOSED) {
        (PlanFailure::NotAPlan, "the last one is not a plan")
    } else {
        (PlanFailure::Defective, "none was acceptable")
    };
    let message = format!("the model gave {answers}, and {why}");
    PlanError {
        tries,
        ..PlanError::new(failure, &message)
    }
}

/// The plan with the whole goal as one task, if it passes the checks.
fn one_task(plan: &FallbackPlan, request: &PlanRequest, error: &PlanError) -> Option<Plan> {
    let agent = match plan {
        FallbackPlan::None => return None,
        FallbackPlan::Routed => None,
        FallbackPlan::Agent(agent) => Some(agent),
    };
    let task = json!({
        "name": "work", "kind": "agent", "prompt": request.goal, "agent": agent,
    });
    let text = json!({ "reasoning": "", "tasks": [task] }).to_string();
    let mut plan = read_plan(&text, request).outcome.ok()?;
    plan.findings.retain(|one| one.kind == FindingKind::Warning);
    let message = format!(
        "one task for the whole goal, because planning failed: {}",
        error.message
    );
    let warning = Diagnostic::new(warning::FALLBACK_PLAN, message).path("work");
    let warning = warning.severity(Severity::Warning);
    plan.findings.push(PlanFinding::from(&warning));
    Some(plan)
}
