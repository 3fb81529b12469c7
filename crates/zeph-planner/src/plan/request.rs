//! The request for a plan: a goal, and what a plan for it may use.

use std::fmt;
use std::sync::Arc;

use zeph_llm::LlmProvider;
use zeph_subagent::AgentCatalog;

use super::{Commands, PlanLimits, PlanRights, PriceList, TaskKind};

/// Wraps a provider for the calls of one request, for example in a meter or a retry layer.
pub type WrapProvider = Arc<dyn Fn(Arc<dyn LlmProvider>) -> Arc<dyn LlmProvider> + Send + Sync>;

/// A goal, and what a plan for it may use.
#[derive(Clone)]
pub struct PlanRequest {
    /// The goal, in a person's words. Trusted.
    pub goal: String,
    /// A person's feedback on earlier plans for the goal, oldest first. Trusted.
    pub feedback: Vec<String>,
    /// The plan files that the feedback is about, in the same order; may be shorter or empty. Untrusted.
    pub rejected: Vec<String>,
    /// The agents.
    pub catalog: Arc<AgentCatalog>,
    /// The commands. Default: none.
    pub commands: Arc<Commands>,
    /// The largest plan that is accepted.
    pub limits: PlanLimits,
    /// The rights of a plan. Default: [`PlanRights::of`] the catalogue.
    pub rights: PlanRights,
    /// The prices of models. Default: unknown.
    pub prices: PriceList,
    /// Wraps each provider that is called for this request. Default: nothing.
    pub wrap: Option<WrapProvider>,
}

impl PlanRequest {
    /// A request with the default limits, no commands, and the rights of the catalogue's agents.
    #[must_use]
    pub fn new(goal: impl Into<String>, catalog: impl Into<Arc<AgentCatalog>>) -> Self {
        let catalog = catalog.into();
        Self {
            goal: goal.into(),
            feedback: Vec::new(),
            rejected: Vec::new(),
            rights: PlanRights::of(&catalog),
            catalog,
            commands: Arc::default(),
            limits: PlanLimits::default(),
            prices: PriceList::default(),
            wrap: None,
        }
    }

    /// Whether a plan may have tasks of that kind.
    pub(super) fn allows(&self, kind: TaskKind) -> bool {
        match kind {
            TaskKind::Agent => !self.catalog.is_empty() || self.rights.routed,
            TaskKind::Command => !self.commands.is_empty(),
            TaskKind::Question => self.rights.questions,
        }
    }

    /// The words of the kinds that a plan may have.
    pub(super) fn kinds(&self) -> Vec<&'static str> {
        let kinds = TaskKind::ALL.into_iter();
        let kinds = kinds.filter(|kind| self.allows(*kind));
        kinds.map(TaskKind::word).collect()
    }
}

impl fmt::Debug for PlanRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PlanRequest")
            .field("goal", &self.goal)
            .field("feedback", &self.feedback)
            .field("rejected", &self.rejected)
            .field("limits", &self.limits)
            .field("rights", &self.rights)
            .finish_non_exhaustive()
    }
}
