//! The action `plan`: makes a plan for a goal, and returns its plan file.

use std::fmt;
use std::sync::Arc;

use futures::StreamExt as _;
use serde::{Deserialize, Serialize};
use serde_json::json;
use zeph_executor::{
    ErrorClass, Executor, GraphSpec, Note, NoteKind, TaskContext, TaskError, TaskInput, TaskOutput,
    async_trait,
};
use zeph_llm::{Gate, LlmProvider, RetryPolicy};

use super::early::EarlyStart;
use super::round::Round;
use super::{PlanCompiler, extend};
use crate::answer::AnswerParams;
use crate::call::{AttemptSpend, Metered, Resuming, task_error, until_stopped};
use crate::plan::finding::stored;
use crate::plan::{
    Estimate, Plan, PlanError, PlanEvent, PlanFailure, PlanFinding, PlanRequest, Planner,
};

/// The most problems in the detail of an error.
const MAX_PROBLEMS: usize = 20;

/// The parameters of the action `plan`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlanParams {
    /// The goal, in a person's words.
    pub goal: String,
    /// A person's feedback on the plans of earlier rounds.
    #[serde(default)]
    pub feedback: Vec<String>,
    /// The plan files that the feedback is about, in the same order, shortened; absent in older runs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rejected: Vec<String>,
    /// The round, from 1.
    pub round: u32,
    /// The first round that is about the same tasks.
    #[serde(default = "first", skip_serializing_if = "is_first")]
    pub first_round: u32,
    /// The answer without further tasks, if the round extends a plan: its tasks are parents of this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub extends: Option<AnswerParams>,
    /// Whether tasks may start before the plan is complete, because no person confirms it.
    #[serde(default, skip_serializing_if = "is_false")]
    pub start_early: bool,
}

pub(super) const fn first() -> u32 {
    1
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde demands it")]
const fn is_false(value: &bool) -> bool {
    !*value
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde demands it")]
pub(super) const fn is_first(round: &u32) -> bool {
    *round == 1
}

/// The output of the action `plan`: the plan file, and what a person should know about it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlanOutput {
    /// The plan, as a plan file that can be shown, edited and run. Empty if no further task extends a plan.
    pub plan_file: String,
    /// The tasks that started before the plan was complete.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub started: Vec<String>,
    /// The model's explanation. Untrusted; may be empty.
    pub reasoning: String,
    /// The estimated cost.
    pub estimate: Estimate,
    /// The warnings about the plan, then the repairs in the model's answer.
    pub findings: Vec<PlanFinding>,
    /// Whether the plan comes from the cache, so that no model was called.
    pub cached: bool,
}

impl PlanOutput {
    /// The output for an accepted plan.
    #[must_use]
    pub fn new(plan: Plan, cached: bool) -> Self {
        Self {
            plan_file: match plan.tasks.is_empty() {
                true => String::new(),
                false => plan.to_plan_file(),
            },
            started: Vec::new(),
            reasoning: plan.reasoning,
            estimate: plan.estimate,
            findings: plan.findings,
            cached,
        }
    }

    /// The output without further tasks, for this reason.
    fn without_tasks(why: String) -> Self {
        Self {
            plan_file: String::new(),
            started: Vec::new(),
            reasoning: why,
            estimate: Estimate::default(),
            findings: Vec::new(),
            cached: false,
        }
    }
}

/// Executes the action `plan` with any [`Planner`].
///
/// Parameters are [`PlanParams`], the output is a [`PlanOutput`]. Each call of a model takes its cost
/// from the budget, is noted with its reply, and is repeated if it failed for the moment. Repairs,
/// rejected answers and tries are notes. A failure is permanent, because the planner has made all
/// repairs; its code is the word of the [`PlanFailure`]. A refusal has the class `Refused`, an exhausted
/// budget `OverBudget`. The extension of a plan never fails for good: without further tasks the answer follows.
#[derive(Clone)]
pub struct PlanExecutor {
    planner: Arc<dyn Planner>,
    host: PlanRequest,
    retry: RetryPolicy,
    gate: Gate,
    early: Option<PlanCompiler>,
}

impl PlanExecutor {
    /// An executor with that planner. `host` gives everything of the request but the goal, the feedback
    /// and the wrapper: the executor's own meter and retries replace it, because two retry layers would
    /// multiply the calls.
    #[must_use]
    pub fn new(planner: Arc<dyn Planner>, host: PlanRequest) -> Self {
        Self {
            planner,
            host,
            retry: RetryPolicy::default(),
            gate: Gate::new(),
            early: None,
        }
    }

    /// Starts tasks of a plan that no person confirms while the rest of it is still being received. The compiler must
    /// be that of [`AdoptExecutor`](super::AdoptExecutor). Default: no task starts before the plan is complete.
    #[must_use]
    pub fn start_early(mut self, compile: PlanCompiler) -> Self {
        self.early = Some(compile);
        self
    }

    /// Sets how calls are repeated and how long they may take. Default: [`RetryPolicy::default`].
    #[must_use]
    pub fn retry(mut self, policy: RetryPolicy) -> Self {
        self.retry = policy;
        self
    }

    /// Sets the gate that all callers of the same service share. Default: a gate of its own.
    #[must_use]
    pub fn gate(mut self, gate: &Gate) -> Self {
        self.gate = gate.clone();
        self
    }

    /// Extends a plan: asks for further tasks, and adds what follows them. Without further tasks, and if there is
    /// no plan, the answer follows.
    async fn extend(
        &self,
        cx: &TaskContext,
        params: &PlanParams,
        extends: &AnswerParams,
        input: &TaskInput,
    ) -> Result<PlanOutput, TaskError> {
        let request = PlanRequest {
            earlier: extend::earlier(extends, input),
            ..self.request(params, cx)
        };
        let output = match follow(cx, &*self.planner, request, None).await {
            Ok(output) => output,
            Err(error) => match error.class() {
                ErrorClass::Cancelled | ErrorClass::Interrupted => return Err(error),
                // What there is becomes the answer.
                ErrorClass::Retryable
                | ErrorClass::Permanent
                | ErrorClass::Refused
                | ErrorClass::OverBudget
                | ErrorClass::Skip => PlanOutput::without_tasks(error.to_string()),
            },
        };
        let patch = if output.plan_file.is_empty() {
            extend::answer_only(params.round, extends)
        } else {
            let round = Round {
                number: params.round,
                goal: &params.goal,
                feedback: &params.feedback,
                rejected: &params.rejected,
                confirm: extends.extend.is_some_and(|extend| extend.confirm),
                first_round: params.first_round,
                extends: Some(extends),
            };
            GraphSpec {
                tasks: round.decision(),
                ..GraphSpec::default()
            }
        };
        cx.journal().propose(patch).await?;
        Ok(output)
    }

    fn request(&self, params: &PlanParams, cx: &TaskContext) -> PlanRequest {
        let (cx, spend) = (cx.clone(), Arc::new(AttemptSpend::default()));
        let (policy, gate) = (self.retry, self.gate.clone());
        let wrap = move |provider: Arc<dyn LlmProvider>| {
            let metered = Metered::new(provider, &cx, &spend, true);
            Resuming::around(metered.retrying(policy, &gate), &cx, &spend)
        };
        PlanRequest {
            goal: params.goal.clone(),
            feedback: params.feedback.clone(),
            rejected: params.rejected.clone(),
            wrap: Some(Arc::new(wrap)),
            start_early: params.start_early && self.early.is_some(),
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
        let output = match &params.extends {
            Some(extends) => until_stopped(cx, self.extend(cx, &params, extends, &input)).await?,
            None => {
                let request = self.request(&params, cx);
                let early = self.early.as_ref().filter(|_| params.start_early);
                until_stopped(cx, follow(cx, &*self.planner, request, early)).await?
            }
        };
        TaskOutput::from_serialize(&output)
    }
}

/// Follows a planner to its end. Its events become progress messages and notes.
async fn follow(
    cx: &TaskContext,
    planner: &dyn Planner,
    request: PlanRequest,
    compile: Option<&PlanCompiler>,
) -> Result<PlanOutput, TaskError> {
    let mut early = EarlyStart::new(cx, compile).await?;
    let mut stream = planner.plan(request);
    let mut cached = false;
    while let Some(event) = stream.next().await {
        match event {
            PlanEvent::Asked { provider, call } => {
                let provider = zeph_common::escape_terminal(&provider);
                cx.progress(format!("asking {provider} for a plan (call {call})"));
            }
            PlanEvent::Proposed { number, name, .. } => {
                cx.progress(format!("task {number}: {name}"));
            }
            PlanEvent::Ready(plan) => early.start(&plan).await?,
            PlanEvent::Repaired(_) => {}
            PlanEvent::Rejected { diagnostics } => {
                let count = diagnostics.len();
                cx.progress(format!("the plan has {count} problems; asking again"));
                note(cx, &json!({ "rejected": stored(&diagnostics) })).await?;
            }
            PlanEvent::FellBack { why } => {
                cx.progress(format!("falling back: {why}"));
                note(cx, &json!({ "fell_back": why })).await?;
            }
            PlanEvent::Cached => {
                cached = true;
                note(cx, &json!({ "cached": true })).await?;
            }
            PlanEvent::Warned { what } => {
                cx.progress(&what);
                note(cx, &json!({ "warned": what })).await?;
            }
            PlanEvent::Done(mut plan) => {
                let started = early.settle(&mut plan).await?;
                let accepted = json!({ "accepted": plan.tasks.len(), "findings": plan.findings });
                note(cx, &accepted).await?;
                return Ok(PlanOutput {
                    started,
                    ..PlanOutput::new(*plan, cached)
                });
            }
            PlanEvent::Failed(error) => {
                note(cx, &tries_of(&error)).await?;
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

/// All tries of a failed planning; only the last one if all of them are too large for a note.
fn tries_of(error: &PlanError) -> serde_json::Value {
    let json =
        |tries| json!({ "failed": error.failure, "tries": tries, "calls": error.tries.len() });
    let all = json(error.tries.as_slice());
    if all.to_string().len() <= Note::MAX_BYTES {
        return all;
    }
    json(error.tries.last().map_or(&[], std::slice::from_ref))
}

/// The error of the attempt.
fn failed(error: &PlanError) -> TaskError {
    let task = match (error.failure, &error.cause) {
        // The journal's own error is passed on unchanged.
        (PlanFailure::OverBudget | PlanFailure::Stopped, Some(cause)) => return task_error(cause),
        (PlanFailure::Stopped, None) => return TaskError::cancelled(error.to_string()),
        (PlanFailure::Refused, _) => TaskError::refused(error.to_string()),
        (_, _) => TaskError::permanent(error.to_string()),
    };
    let diagnostics = stored(error.diagnostics().iter().take(MAX_PROBLEMS));
    let task = task.with_code(error.failure.word()).with_detail(json!({
        "failure": error.failure,
        "calls": error.tries.len(),
        "diagnostics": diagnostics,
    }));
    match &error.cause {
        Some(cause) => task.with_source(cause.clone()),
        None => task,
    }
}
