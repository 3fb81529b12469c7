//! Limits and rights: how large a plan may be, what it may cost, and what it may use.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use zeph_llm::Prices;
use zeph_subagent::AgentCatalog;

/// The largest plan that is accepted. What is larger is refused, never cut.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PlanLimits {
    /// Tasks. Default 20, at least 1; models plan badly long before a hundred.
    pub max_tasks: usize,
    /// Tasks on the longest way from one without needs to one that nobody needs. Default 10.
    pub max_depth: usize,
    /// Tasks at one depth: how many might run side by side, and how many results meet in one task.
    /// Default 10.
    pub max_width: usize,
    /// Bytes of one answer. Default 128 KiB; at most 16 MiB have any effect.
    pub max_bytes: usize,
    /// Bytes of one task's prompt, or of a question. Default 8 KiB.
    pub max_prompt_bytes: usize,
    /// The most tokens that the plan may be [estimated](crate::Estimate) to cost. Default: no limit.
    pub max_tokens: Option<u64>,
    /// The most money that it may be estimated to cost, in millionths of a dollar. Default: no
    /// limit. With a limit, a plan for a model without a price is refused.
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

/// What plans may use, at most. An agent's own allow-list narrows it further; nothing widens it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct PlanRights {
    /// The tools. Default: none.
    pub tools: BTreeSet<String>,
    /// Whether a plan may ask a person. Default: no.
    pub questions: bool,
    /// Whether a plan may leave it to the router who does a task. Default: no.
    ///
    /// Without any agent in the catalogue, such tasks go to the host's default agent.
    pub routed: bool,
}

impl PlanRights {
    /// All tools that some agent of the catalogue may use, questions, and routed tasks.
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

/// What models cost, as far as it is known, to estimate a plan.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PriceList {
    /// Of the host's default model.
    pub default: Option<Prices>,
    /// Of models that agents name.
    pub models: BTreeMap<String, Prices>,
}

impl PriceList {
    /// The price of an agent's model.
    #[must_use]
    pub fn of(&self, model: Option<&str>) -> Option<Prices> {
        match model {
            Some(model) => self.models.get(model).copied(),
            None => self.default,
        }
    }
}
