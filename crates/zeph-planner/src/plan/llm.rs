//! The planner that asks a model.

mod call;
mod listen;
mod preview;
mod repair_loop;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use zeph_llm::LlmProvider;
use zeph_sanitizer::ContentSanitizer;

use super::planner::events_of;
use super::{PlanEvent, PlanRequest, PlanStream, Planner};
use crate::prompts::Prompts;

/// Makes plans by asking a model, with corrections and fallbacks.
///
/// Each step is taken only if the one before gave no plan:
///
/// 1. The model is asked, with the JSON schema of the plans that the host accepts.
/// 2. The answer is [read](super::read_plan): its JSON is found, repaired and checked.
/// 3. The model is asked to correct it, and sees all problems and its own sanitized text; twice by
///    default.
/// 4. The fallback provider is asked in the same way, if there is one.
/// 5. A plan with the whole goal as one task is used, if the host allows it and a model answered, or began to,
///    but with no plan. It carries a warning.
/// 6. The error contains everything that was tried.
///
/// After a refusal or a failed call step 4 follows at once; a wrapper of the provider repeats calls
/// that failed. An exhausted budget or a stop ends planning.
///
/// # Examples
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use std::sync::Arc;
/// use zeph_llm::{LlmError, LlmRequest, LlmResponse, provider_fn};
/// use zeph_planner::plan::{FindingKind, LlmPlanner, PlanRequest, Planner, finish};
/// use zeph_sanitizer::{Seed, StandardSanitizer};
/// use zeph_subagent::{AgentCatalog, SubAgentDef};
///
/// let model = provider_fn("model", |_: LlmRequest| async {
///     Ok::<_, LlmError>(LlmResponse::text(r#"{"reasoning": "One step.", "tasks": [
///         {"name": "write", "needs": [], "kind": "agent", "agent": "writer", "prompt": "Write it.",
///          "trigger": null, "on_failure": null, "expected_tokens": null}
///     ]}"#))
/// });
/// let sanitizer = Arc::new(StandardSanitizer::new(Seed::derive(b"a run")));
/// let planner = LlmPlanner::new(Arc::new(model), sanitizer);
///
/// let mut catalog = AgentCatalog::new();
/// catalog.add(SubAgentDef::new("writer", "Writes", "You write."))?;
/// let plan = finish(planner.plan(PlanRequest::new("A limerick", catalog))).await?;
/// assert_eq!(plan.tasks[0].name, "write");
/// assert!(plan.findings.iter().all(|finding| finding.kind != FindingKind::Repair));
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct LlmPlanner {
    provider: Arc<dyn LlmProvider>,
    fallback: Option<Arc<dyn LlmProvider>>,
    fallback_plan: FallbackPlan,
    sanitizer: Arc<dyn ContentSanitizer>,
    prompts: Prompts,
    max_repairs: u32,
    max_output_tokens: u32,
    timeout: Duration,
    model: Option<String>,
}

/// The plan that is used if no model gives one.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FallbackPlan {
    /// None: no plan is an error.
    #[default]
    None,
    /// The whole goal as one task, for the agent that the router chooses.
    Routed,
    /// The whole goal as one task, for this agent.
    Agent(String),
}

impl LlmPlanner {
    /// A planner that asks that provider. The sanitizer cleans the text of a model before a model sees
    /// it again.
    #[must_use]
    pub fn new(provider: Arc<dyn LlmProvider>, sanitizer: Arc<dyn ContentSanitizer>) -> Self {
        Self {
            provider,
            fallback: None,
            fallback_plan: FallbackPlan::None,
            sanitizer,
            prompts: Prompts::built_in(),
            max_repairs: 2,
            max_output_tokens: 4_096,
            timeout: Duration::from_secs(300),
            model: None,
        }
    }

    /// Sets the prompts. Default: the built-in prompts.
    #[must_use]
    pub fn prompts(mut self, prompts: Prompts) -> Self {
        self.prompts = prompts;
        self
    }

    /// Sets the model, in the provider's spelling. Default: the provider's own model.
    #[must_use]
    pub fn model(mut self, model: impl Into<String>) -> Self {
        self.model = Some(model.into());
        self
    }

    /// Sets how often a model is asked to correct a plan. Default 2, at most 10; with 0 only the first
    /// answer counts.
    #[must_use]
    pub fn max_repairs(mut self, times: u32) -> Self {
        self.max_repairs = times.min(10);
        self
    }

    /// Sets the most tokens of one answer. Default 4,096. A small limit cuts plans off; each call
    /// reserves this many tokens from the budget.
    #[must_use]
    pub fn max_output_tokens(mut self, tokens: u32) -> Self {
        self.max_output_tokens = tokens;
        self
    }

    /// Sets the longest time of one call. Default 5 min.
    #[must_use]
    pub fn timeout(mut self, limit: Duration) -> Self {
        self.timeout = limit;
        self
    }

    /// Sets the provider that is asked if the first one gives no plan. Default: none.
    #[must_use]
    pub fn fallback(mut self, provider: Arc<dyn LlmProvider>) -> Self {
        self.fallback = Some(provider);
        self
    }

    /// Sets the plan that is used if no model gives one. Default: [`FallbackPlan::None`].
    #[must_use]
    pub fn fallback_plan(mut self, plan: FallbackPlan) -> Self {
        self.fallback_plan = plan;
        self
    }
}

impl fmt::Debug for LlmPlanner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LlmPlanner")
            .field("provider", &self.provider.name())
            .field("prompts", &self.prompts)
            .field("max_repairs", &self.max_repairs)
            .finish_non_exhaustive()
    }
}

impl Planner for LlmPlanner {
    fn plan(&self, request: PlanRequest) -> PlanStream {
        let planner = self.clone();
        events_of(move |events| async move {
            let outcome = repair_loop::run(&planner, &request, &events).await;
            let last = match outcome {
                Ok(plan) => PlanEvent::Done(Box::new(plan)),
                Err(error) => PlanEvent::Failed(Box::new(error)),
            };
            events.unbounded_send(last).ok();
        })
    }

    fn fingerprint(&self) -> String {
        let fallback = self.fallback.as_ref().map(LlmProvider::name);
        let parts = serde_json::json!([
            "llm",
            self.provider.name(),
            self.model,
            fallback,
            self.fallback_plan,
            self.prompts.hash(),
            self.max_output_tokens,
        ]);
        parts.to_string()
    }
}
