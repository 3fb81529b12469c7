//! The action `plan`: a goal becomes a document that waits for a person's word.

use std::fmt;
use std::sync::Arc;

use futures::StreamExt as _;
use serde::{Deserialize, Serialize};
use serde_json::json;
use zeph_executor::{
    Executor, Note, NoteKind, TaskContext, TaskError, TaskInput, TaskOutput, async_trait,
};
use zeph_llm::{Gate, LlmProvider, RetryPolicy};

use crate::call::{Metered, Tally, metered_and_repeated, task_error, until_stopped};
use crate::plan::{
    Estimate, Plan, PlanDiagnostic, PlanDocument, PlanError, PlanEvent, PlanFailure, PlanRepair,
    PlanRequest, PlanWarning, Planner,
};

/// Problems that an error tells; more do not fit into its detail.
const TOLD: usize = 20;

/// What the action `plan` is called with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlanParams {
    /// What is to be reached, in a person's words.
    pub goal: String,
    /// What a person said about the plans of earlier rounds.
    #[serde(default)]
    pub feedback: Vec<String>,
    /// The round, from 1.
    pub round: u32,
}

/// What the action `plan` puts out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlanOutput {
    /// The goal, as it was asked.
    pub goal: String,
    /// The feedback that the plan heeds.
    pub feedback: Vec<String>,
    /// The round.
    pub round: u32,
    /// The accepted plan, every repair made.
    pub document: PlanDocument,
    /// The same as a plan file, to be shown and edited.
    pub plan_file: String,
    /// What was mended.
    pub repairs: Vec<PlanRepair>,
    /// What a person should look at.
    pub warnings: Vec<PlanWarning>,
    /// What it may cost.
    pub estimate: Estimate,
    /// Whether it was kept from an earlier time, so that no model was asked.
    pub kept: bool,
}

/// Does the action `plan` with any [`Planner`].
///
/// Each call of a model is metered: taken out of the budget, and kept with its reply; one that may pass
/// is repeated. What was mended, refused and tried is kept as notes. Parameters are [`PlanParams`], the output is a [`PlanOutput`].
/// A failure is permanent, since the ladder has repeated what is worth it, with the word of its
/// [`PlanFailure`] as its code; a refusal is `Refused`, an exhausted budget `OverBudget`.
#[derive(Clone)]
pub struct PlanExecutor {
    planner: Arc<dyn Planner>,
    host: PlanRequest,
    retry: RetryPolicy,
    gate: Gate,
}

impl PlanExecutor {
    /// Plans with that planner, for goals of tasks; all else of a request is taken from `host`, whose
    /// own goal does not matter. Meter and retries stand in the place of what `host` puts around a
    /// provider: a second layer that repeats would multiply the calls.
    #[must_use]
    pub fn new(planner: Arc<dyn Planner>, host: PlanRequest) -> Self {
        Self {
            planner,
            host,
            retry: RetryPolicy::default(),
            gate: Gate::new(),
        }
    }

    /// How a call is repeated and how long it may take. Default: [`RetryPolicy::default`].
    #[must_use]
    pub fn retry(mut self, policy: RetryPolicy) -> Self {
        self.retry = policy;
        self
    }

    /// The gate that callers of the same service wait at; of a chain, of its first link. Default: one of
    /// its own.
    #[must_use]
    pub fn gate(mut self, gate: &Gate) -> Self {
        self.gate = gate.clone();
        self
    }

    fn request(&self, params: &PlanParams, cx: &TaskContext, tally: &Arc<Tally>) -> PlanRequest {
        let (cx, tally) = (cx.clone(), Arc::clone(tally));
        let (policy, gate) = (self.retry, self.gate.clone());
        let around = move |provider: Arc<dyn LlmProvider>| {
            let meter = |link| Metered::new(link, &cx).tally(&tally).streaming(true);
            metered_and_repeated(&provider, std::slice::from_ref(&gate), policy, meter)
        };
        PlanRequest {
            goal: params.goal.clone(),
            feedback: params.feedback.clone(),
            around: Some(Arc::new(around)),
            ..self.host.clone()
        }
    }
}

impl fmt::Debug for PlanExecutor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PlanExecutor")
            .field("planner", &self.planner.fingerprint())
            .finish_non_exhaustive()
    }
}

#[async_trait]
impl Executor for PlanExecutor {
    async fn execute(&self, cx: &TaskContext, input: TaskInput) -> Result<TaskOutput, TaskError> {
        let params: PlanParams = input.params_as()?;
        let tally = Arc::new(Tally::default());
        let request = self.request(&params, cx, &tally);
        let (plan, kept) = until_stopped(cx, follow(cx, &*self.planner, request)).await?;
        let output = PlanOutput {
            goal: params.goal,
            feedback: params.feedback,
            round: params.round,
            document: plan.document(),
            plan_file: plan.to_plan_file(),
            repairs: plan.repairs,
            warnings: plan.warnings,
            estimate: plan.estimate,
            kept,
        };
        TaskOutput::from_serialize(&output)
    }
}

/// Follows a planner to its end: keeps notes, tells observers.
async fn follow(
    cx: &TaskContext,
    planner: &dyn Planner,
    request: PlanRequest,
) -> Result<(Plan, bool), TaskError> {
    let mut stream = planner.plan(request);
    let mut kept = false;
    let mut tasks = 0_usize;
    while let Some(event) = stream.next().await {
        match event {
            PlanEvent::Asked { provider, call } => {
                tasks = 0;
                cx.progress(format!(
                    "asking {} for a plan (call {call})",
                    zeph_common::escape_terminal(&provider)
                ));
            }
            PlanEvent::Proposed { name, .. } => {
                tasks += 1;
                cx.progress(format!("task {tasks}: {name}"));
            }
            PlanEvent::Repaired(_) => {}
            PlanEvent::Refused { diagnostics } => {
                cx.progress(format!(
                    "refused for {} problems; asking again",
                    diagnostics.len()
                ));
                note(cx, &json!({ "refused": diagnostics })).await?;
            }
            PlanEvent::FellBack { why } => {
                cx.progress(format!("another way: {why}"));
                note(cx, &json!({ "fell_back": why })).await?;
            }
            PlanEvent::Kept => {
                kept = true;
                note(cx, &json!({ "kept": true })).await?;
            }
            PlanEvent::Warned { what } => {
                cx.progress(&what);
                note(cx, &json!({ "warned": what })).await?;
            }
            PlanEvent::Done(plan) => {
                let told = json!({ "accepted": plan.tasks.len(), "repairs": plan.repairs, "warnings": plan.warnings });
                note(cx, &told).await?;
                return Ok((*plan, kept));
            }
            PlanEvent::Failed(error) => {
                note(cx, &tried(&error)).await?;
                return Err(failed(&error));
            }
        }
    }
    let message = "the planner ended without a plan";
    Err(TaskError::permanent(message).with_code(PlanFailure::Stopped.word()))
}

async fn note(cx: &TaskContext, value: &serde_json::Value) -> Result<(), TaskError> {
    cx.journal().note(Note::json(NoteKind::Plan, value)?).await
}

/// Everything that was tried; only the last try if all of them do not fit into a note.
fn tried(error: &PlanError) -> serde_json::Value {
    let of = |tries| json!({ "failed": error.failure, "tries": tries, "calls": error.tries.len() });
    let all = of(error.tries.as_slice());
    if all.to_string().len() <= Note::MAX_BYTES {
        return all;
    }
    of(error.tries.last().map_or(&[], std::slice::from_ref))
}

/// The error of the attempt.
fn failed(error: &PlanError) -> TaskError {
    let told = match (error.failure, &error.cause) {
        // What the journal said is told as it said it.
        (PlanFailure::OverBudget | PlanFailure::Stopped, Some(cause)) => return task_error(cause),
        (PlanFailure::Stopped, None) => return TaskError::cancelled(error.to_string()),
        (PlanFailure::Refused, _) => TaskError::refused(error.to_string()),
        (_, _) => TaskError::permanent(error.to_string()),
    };
    let diagnostics: Vec<&PlanDiagnostic> = error.diagnostics().iter().take(TOLD).collect();
    let told = told.with_code(error.failure.word()).with_detail(json!({
        "failure": error.failure,
        "calls": error.tries.len(),
        "diagnostics": diagnostics,
    }));
    match &error.cause {
        Some(cause) => told.with_source(cause.clone()),
        None => told,
    }
}
