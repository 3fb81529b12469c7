//! The planner that asks a model.

mod ask;
mod ladder;
mod preview;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use zeph_llm::{Fallback, LlmProvider};
use zeph_sanitizer::ContentSanitizer;

use super::planner::told;
use super::{PlanEvent, PlanRequest, PlanStream, Planner};
use crate::Prompts;

/// Makes plans by asking a model, again if need be, and others after it.
///
/// The ladder, each step only if the one before gave no plan:
///
/// 1. The model is asked with the [schema](crate::plan_schema) of the host, in the provider's dialect.
/// 2. The answer is [read](crate::read_plan): found, mended, checked.
/// 3. The model is asked again with all problems and its own text, sanitized; twice by default.
/// 4. The fallback provider is asked in the same way, if there is one.
/// 5. A plan of one task stands in, if the host allows it; it carries a warning.
/// 6. The error tells everything that was tried.
///
/// A refusal or a failed call is not asked again (repeating calls is the affair of a wrapper around the
/// provider), but goes on to step 4. A budget that does not cover the call, and an order to stop, end
/// the ladder at once.
///
/// # Examples
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use std::sync::Arc;
/// use zeph_llm::{LlmError, LlmRequest, LlmResponse, provider_fn};
/// use zeph_planner::{LlmPlanner, PlanRequest, Planner, finish};
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
/// assert!(plan.repairs.is_empty());
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct LlmPlanner(Arc<Settings>);

#[derive(Clone)]
struct Settings {
    provider: Arc<dyn LlmProvider>,
    fallback: Option<Arc<dyn LlmProvider>>,
    stand_in: Option<Option<String>>,
    sanitizer: Arc<dyn ContentSanitizer>,
    prompts: Prompts,
    asks_again: u32,
    max_output_tokens: u32,
    timeout: Duration,
    model: Option<String>,
    schema: Fallback,
}

impl LlmPlanner {
    /// A planner that asks that provider, and shows a model its own text through that sanitizer.
    #[must_use]
    pub fn new(provider: Arc<dyn LlmProvider>, sanitizer: Arc<dyn ContentSanitizer>) -> Self {
        Self(Arc::new(Settings {
            provider,
            fallback: None,
            stand_in: None,
            sanitizer,
            prompts: Prompts::built_in(),
            asks_again: 2,
            max_output_tokens: 4_096,
            timeout: Duration::from_secs(300),
            model: None,
            schema: Fallback::Error,
        }))
    }

    fn set(mut self, change: impl FnOnce(&mut Settings)) -> Self {
        change(Arc::make_mut(&mut self.0));
        self
    }

    /// What models are told. Default: the built-in prompts.
    #[must_use]
    pub fn prompts(self, prompts: Prompts) -> Self {
        self.set(|settings| settings.prompts = prompts)
    }

    /// The model, in the provider's spelling. Default: the provider's own choice.
    #[must_use]
    pub fn model(self, model: impl Into<String>) -> Self {
        self.set(|settings| settings.model = Some(model.into()))
    }

    /// How often a model is asked again about one plan. Default 2; at most 10 have any effect, and
    /// with 0 the first answer must do.
    #[must_use]
    pub fn asks_again(self, times: u32) -> Self {
        self.set(|settings| settings.asks_again = times.min(10))
    }

    /// The most tokens of one answer. Default 4,096; too few cut plans off, and each call reserves
    /// this many from the budget.
    #[must_use]
    pub fn max_output_tokens(self, tokens: u32) -> Self {
        self.set(|settings| settings.max_output_tokens = tokens)
    }

    /// The longest time of one call. Default 5 min.
    #[must_use]
    pub fn timeout(self, limit: Duration) -> Self {
        self.set(|settings| settings.timeout = limit)
    }

    /// Lets the schema go into the prompt where a service does not take it. Default: that is a
    /// failure of its own kind.
    #[must_use]
    pub fn schema_in_prompt(self) -> Self {
        self.set(|settings| settings.schema = Fallback::Prompt)
    }

    /// Whom to ask if the first provider gives no plan. Default: nobody.
    #[must_use]
    pub fn fallback(self, provider: Arc<dyn LlmProvider>) -> Self {
        self.set(|settings| settings.fallback = Some(provider))
    }

    /// Lets a plan of one task stand in if no model gives one: the whole goal for that agent, or for
    /// the router's choice. Default: no plan is an error.
    #[must_use]
    pub fn stand_in(self, agent: Option<String>) -> Self {
        self.set(|settings| settings.stand_in = Some(agent))
    }
}

impl fmt::Debug for LlmPlanner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LlmPlanner")
            .field("provider", &self.0.provider.name())
            .field("prompts", &self.0.prompts)
            .field("asks_again", &self.0.asks_again)
            .finish_non_exhaustive()
    }
}

impl Planner for LlmPlanner {
    fn plan(&self, request: PlanRequest) -> PlanStream {
        let settings = Arc::clone(&self.0);
        told(move |events| async move {
            let climbed = ladder::climb(&settings, &request, &events).await;
            let last = match climbed {
                Ok(plan) => PlanEvent::Done(Box::new(plan)),
                Err(error) => PlanEvent::Failed(Box::new(error)),
            };
            events.unbounded_send(last).ok();
        })
    }

    fn fingerprint(&self) -> String {
        let settings = &*self.0;
        let fallback = settings.fallback.as_ref().map(LlmProvider::name);
        let parts = serde_json::json!([
            "llm",
            settings.provider.name(),
            settings.model,
            fallback,
            settings.stand_in,
            settings.prompts.hash(),
            settings.max_output_tokens,
        ]);
        parts.to_string()
    }
}
