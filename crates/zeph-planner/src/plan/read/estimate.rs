//! The cost estimate of a plan, by the formula that [`Estimate`] documents.

use std::collections::BTreeMap;

use zeph_diagnostics::{Diagnostic, Severity};
use zeph_graph::{Topology, Usd};
use zeph_subagent::SubAgentDef;

use crate::plan::finding::{Findings, code, warning};
use crate::plan::{Estimate, PlanLimits, PlanRequest, PlannedTask, PlannedWork};

/// The tokens around the prompts of an agent.
const FRAME: u64 = 100;
/// The tokens of an agent's answer, if the plan does not state them.
const ANSWER: u64 = 500;
/// The tokens of a command's output.
const COMMAND: u64 = 250;
/// The tokens of a person's answer.
const QUESTION: u64 = 25;

/// The cost of a task, and the size of its output.
#[derive(Clone, Copy, Debug)]
struct Cost {
    input: u64,
    output: u64,
    micro_usd: Option<u64>,
}

/// The estimate of a plan whose tasks are in order. Linear in tasks and dependencies; for routed tasks
/// times the number of agents.
pub(super) fn estimate(tasks: &[PlannedTask], shape: &Topology, request: &PlanRequest) -> Estimate {
    let mut outputs: BTreeMap<&str, u64> = BTreeMap::new();
    let (mut tokens, mut micro_usd) = (0_u64, Some(0_u64));
    for task in tasks {
        let from_needs: u64 = task
            .needs
            .iter()
            .filter_map(|need| outputs.get(need.as_str()))
            .sum();
        let cost = cost(task, from_needs, request);
        outputs.insert(&task.name, cost.output);
        if matches!(task.work, PlannedWork::Agent { .. }) {
            tokens = tokens.saturating_add(cost.input + cost.output);
            micro_usd = micro_usd
                .zip(cost.micro_usd)
                .map(|(sum, one)| sum.saturating_add(one));
        }
    }
    Estimate {
        tokens,
        micro_usd,
        tasks: tasks.len(),
        depth: shape.depth(),
        width: shape.width(),
    }
}

fn cost(task: &PlannedTask, from_needs: u64, request: &PlanRequest) -> Cost {
    let free = |output| Cost {
        input: 0,
        output,
        micro_usd: Some(0),
    };
    // A host without agents has a default agent, which is not known here.
    let default_agent = (request.catalog.is_empty()).then(|| SubAgentDef::new("", "", ""));
    match &task.work {
        PlannedWork::Command { .. } => free(COMMAND),
        PlannedWork::Question { .. } => free(QUESTION),
        PlannedWork::Agent {
            agent,
            prompt,
            tools,
        } => {
            let is_meant = |one: &&SubAgentDef| agent.as_ref().is_none_or(|it| *it == one.name);
            let agents = request.catalog.iter().filter(is_meant);
            let costs = agents.chain(default_agent.as_ref()).map(|agent| {
                let limits = agent.limits;
                let text = (agent.prompt.len() + prompt.len()).div_ceil(4) as u64;
                let once = (text + FRAME + from_needs).min(limits.max_input_tokens.into());
                let has_tools = match tools {
                    Some(tools) => !tools.is_empty(),
                    None => !agent.tools.is_empty(),
                };
                let turns = if has_tools && limits.max_turns > 1 {
                    2
                } else {
                    1
                };
                let input = once * turns;
                let expected = task.expected_tokens.map_or(ANSWER, u64::from);
                let output = expected.min(limits.max_output_tokens.into());
                let small = |tokens: u64| u32::try_from(tokens).unwrap_or(u32::MAX);
                let prices = request.prices.of(agent.model.as_deref());
                Cost {
                    input,
                    output,
                    micro_usd: prices.map(|prices| prices.cost(small(input), small(output))),
                }
            });
            costs.fold(free(0), larger)
        }
    }
}

/// The larger of each value; an unknown price stays unknown.
fn larger(one: Cost, other: Cost) -> Cost {
    Cost {
        input: one.input.max(other.input),
        output: one.output.max(other.output),
        micro_usd: one.micro_usd.zip(other.micro_usd).map(|(a, b)| a.max(b)),
    }
}

/// Compares an estimate with the limits.
pub(super) fn check(estimate: Estimate, limits: &PlanLimits, found: &mut Findings) {
    let mut too_costly = |cost: String, most: String| {
        let message = format!("the plan is estimated at {cost}; at most {most} are allowed");
        let help = "plan fewer tasks, or shorter answers";
        found.problem(code::TOO_COSTLY, "/tasks", message, help);
    };
    if let Some(most) = limits.max_tokens.filter(|most| estimate.tokens > *most) {
        too_costly(format!("{} tokens", estimate.tokens), most.to_string());
    }
    match (limits.max_micro_usd, estimate.micro_usd) {
        (Some(most), Some(cost)) if cost > most => {
            too_costly(format!("{} USD", Usd(cost)), Usd(most).to_string());
        }
        (Some(_), None) => {
            let message = "a cost limit is set, and the price of a model is unknown";
            let help = "set the price of each model, or limit tokens instead";
            found.problem(code::UNKNOWN_PRICE, "/tasks", message, help);
        }
        (Some(_) | None, Some(_)) | (None, None) => {}
    }
}

/// The warning if the cost in money was not estimated.
pub(super) fn warning(estimate: Estimate) -> Option<Diagnostic> {
    let message = "the price of a model is unknown, so the cost in money is not estimated";
    let warning = Diagnostic::new(warning::NO_PRICE, message).severity(Severity::Warning);
    estimate.micro_usd.is_none().then_some(warning)
}
