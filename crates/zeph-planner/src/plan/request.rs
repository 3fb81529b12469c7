//! What a planner is asked.

use std::fmt;
use std::sync::Arc;

use zeph_llm::LlmProvider;
use zeph_subagent::AgentCatalog;

use super::{Commands, PlanLimits, PlanRights, PriceList};

/// Puts something around a provider for the calls of one request: a meter, a retry layer.
pub type Around = Arc<dyn Fn(Arc<dyn LlmProvider>) -> Arc<dyn LlmProvider> + Send + Sync>;

/// A goal, and everything that a plan for it may use.
#[derive(Clone)]
pub struct PlanRequest {
    /// What is to be reached, in a person's words. Trusted.
    pub goal: String,
    /// What a person said about earlier plans for the goal, oldest first. Trusted.
    pub feedback: Vec<String>,
    /// The agents.
    pub catalog: Arc<AgentCatalog>,
    /// The commands. Default: none.
    pub commands: Arc<Commands>,
    /// How large a plan may be.
    pub limits: PlanLimits,
    /// What it may use. Default: [`PlanRights::of`] the catalogue.
    pub rights: PlanRights,
    /// What models cost. Default: unknown.
    pub prices: PriceList,
    /// What goes around each provider that is called for this request. Default: nothing.
    pub around: Option<Around>,
}

impl PlanRequest {
    /// A request with the default limits, no commands, and the rights of the catalogue's agents.
    #[must_use]
    pub fn new(goal: impl Into<String>, catalog: impl Into<Arc<AgentCatalog>>) -> Self {
        let catalog = catalog.into();
        Self {
            goal: goal.into(),
            feedback: Vec::new(),
            rights: PlanRights::of(&catalog),
            catalog,
            commands: Arc::default(),
            limits: PlanLimits::default(),
            prices: PriceList::default(),
            around: None,
        }
    }

    /// The same request with that feedback.
    #[must_use]
    pub fn feedback(mut self, feedback: Vec<String>) -> Self {
        self.feedback = feedback;
        self
    }

    /// The same request with those commands.
    #[must_use]
    pub fn commands(mut self, commands: impl Into<Arc<Commands>>) -> Self {
        self.commands = commands.into();
        self
    }

    /// The same request with those limits.
    #[must_use]
    pub fn limits(mut self, limits: PlanLimits) -> Self {
        self.limits = limits;
        self
    }

    /// The same request with those rights.
    #[must_use]
    pub fn rights(mut self, rights: PlanRights) -> Self {
        self.rights = rights;
        self
    }

    /// The same request with those prices.
    #[must_use]
    pub fn prices(mut self, prices: PriceList) -> Self {
        self.prices = prices;
        self
    }

    /// The same request with that around each provider.
    #[must_use]
    pub fn around(mut self, around: Around) -> Self {
        self.around = Some(around);
        self
    }
}

impl fmt::Debug for PlanRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PlanRequest")
            .field("goal", &self.goal)
            .field("feedback", &self.feedback)
            .field("limits", &self.limits)
            .field("rights", &self.rights)
            .finish_non_exhaustive()
    }
}
