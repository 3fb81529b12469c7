//! The request for a plan: a goal, and what a plan for it may use.

use std::fmt;
use std::sync::Arc;

use zeph_executor::ParentState;
use zeph_llm::LlmProvider;
use zeph_subagent::AgentCatalog;

use super::{Commands, PlanLimits, PlanRights, PriceList, TaskKind};

/// Wraps a provider for the calls of one request, for example in a meter or a retry layer.
pub type WrapProvider = Arc<dyn Fn(Arc<dyn LlmProvider>) -> Arc<dyn LlmProvider> + Send + Sync>;

/// A task of a plan that is to be extended.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct EarlierTask {
    /// Its name.
    pub name: String,
    /// Its instruction, shortened. Untrusted.
    pub about: String,
    /// Its end.
    pub state: ParentState,
    /// Whether it has a result, which new tasks can use.
    pub has_result: bool,
    /// Its result or the reason why there is none, shortened. Untrusted.
    pub text: String,
}

/// A goal, and what a plan for it may use.
#[derive(Clone)]
pub struct PlanRequest {
    /// The goal, in a person's words. Trusted.
    pub goal: String,
    /// A person's feedback on earlier plans for the goal, oldest first. Trusted.
    pub feedback: Vec<String>,
    /// The plan files that the feedback is about, in the same order; may be shorter or empty. Untrusted.
    pub rejected: Vec<String>,
    /// The tasks of the plan that is to be extended; empty if there is none yet. The new tasks may need those
    /// that have a result.
    pub earlier: Vec<EarlierTask>,
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
    /// Whether tasks may start while the rest of the plan is still being received. Default: no.
    pub start_early: bool,
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
            earlier: Vec::new(),
            rights: PlanRights::of(&catalog),
            catalog,
            commands: Arc::default(),
            limits: PlanLimits::default(),
            prices: PriceList::default(),
            wrap: None,
            start_early: false,
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
            .field("earlier", &self.earlier)
            .field("rejected", &self.rejected)
            .field("limits", &self.limits)
            .field("rights", &self.rights)
            .finish_non_exhaustive()
    }
}
