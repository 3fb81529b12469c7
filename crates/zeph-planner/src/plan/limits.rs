//! The limits and the rights of plans: their size, their cost, and what they may use.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use zeph_llm::Prices;
use zeph_subagent::AgentCatalog;

/// The largest plan that is accepted. A larger one is rejected, never cut.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PlanLimits {
    /// The most tasks. Default 20, at least 1; models plan badly long before a hundred.
    pub max_tasks: usize,
    /// The most tasks on the longest path. Default 10.
    pub max_depth: usize,
    /// The most tasks at one depth, which may run in parallel. Default 10.
    pub max_width: usize,
    /// The most bytes of an answer. Default 128 KiB, at most 16 MiB.
    pub max_bytes: usize,
    /// The most bytes of a task's prompt or question. Default 8 KiB.
    pub max_prompt_bytes: usize,
    /// The most tokens of the [estimate](super::Estimate). Default: no limit.
    pub max_tokens: Option<u64>,
    /// The most money of the estimate, in millionths of a dollar. Default: no limit. With a limit, a
    /// plan for a model without a price is rejected.
    pub max_micro_usd: Option<u64>,
}

impl Default for PlanLimits {
    fn default() -> Self {
        Self {
            max_tasks: 20,
            max_depth: 10,
            max_width: 10,
            max_bytes: 128 << 10,
            max_prompt_bytes: 8 << 10,
            max_tokens: None,
            max_micro_usd: None,
        }
    }
}

/// The rights of plans. An agent's own list of tools reduces them further; nothing extends them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct PlanRights {
    /// The tools. Default: none.
    pub tools: BTreeSet<String>,
    /// Whether a plan may ask a person. Default: no.
    pub questions: bool,
    /// Whether a plan may leave the choice of an agent to the router. Default: no.
    ///
    /// If the catalogue is empty, such tasks go to the host's default agent.
    pub routed: bool,
}

impl PlanRights {
    /// The tools of all agents of the catalogue, questions, and routed tasks.
    #[must_use]
    pub fn of(catalog: &AgentCatalog) -> Self {
        let tools = catalog.iter().flat_map(|agent| agent.tools.iter().cloned());
        Self {
            tools: tools.collect(),
            questions: true,
            routed: true,
        }
    }
}

/// The known prices of models, for the estimate of a plan.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PriceList {
    /// The price of the host's default model.
    pub default: Option<Prices>,
    /// The prices of models that agents name.
    pub models: BTreeMap<String, Prices>,
}

impl PriceList {
    /// The price of an agent's model; `None` is the default model.
    #[must_use]
    pub fn of(&self, model: Option<&str>) -> Option<Prices> {
        match model {
            Some(model) => self.models.get(model).copied(),
            None => self.default,
        }
    }
}
