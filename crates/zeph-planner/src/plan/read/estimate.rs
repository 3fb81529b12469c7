//! Estimates: what a plan may cost, by the formula that [`Estimate`] documents.

use std::collections::BTreeMap;

use zeph_graph::Usd;
use zeph_subagent::SubAgentDef;

use crate::plan::finding::Findings;
use crate::plan::{
    Estimate, PlanCode, PlanLimits, PlanRequest, PlanWarning, PlannedTask, PlannedWork, WarningCode,
};

/// What frames the prompts of an agent, in tokens.
const FRAME: u64 = 100;
/// What an agent answers when the plan does not say how much.
const ANSWER: u64 = 500;
/// What a command puts out.
const COMMAND: u64 = 250;
/// What a person answers.
const QUESTION: u64 = 25;

/// What one task may cost, and what it hands on.
#[derive(Clone, Copy, Debug)]
struct Cost {
    input: u64,
    output: u64,
    micro_usd: Option<u64>,
}

/// The estimate of a plan whose tasks are in order. Linear in tasks and needs, times the agents for
/// those that are routed.
pub(super) fn of(
    tasks: &[PlannedTask],
    depth: usize,
    width: usize,
    request: &PlanRequest,
) -> Estimate {
    let mut outputs: BTreeMap<&str, u64> = BTreeMap::new();
    let (mut tokens, mut micro_usd) = (0_u64, Some(0_u64));
    for task in tasks {
        let handed: u64 = task
            .needs
            .iter()
            .filter_map(|need| outputs.get(need.as_str()))
            .sum();
        let cost = cost(task, handed, request);
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
        depth,
        width,
    }
}

fn cost(task: &PlannedTask, handed: u64, request: &PlanRequest) -> Cost {
    let free = |output| Cost {
        input: 0,
        output,
        micro_usd: Some(0),
    };
    // A host without agents has a default one that is not known here.
    let nobody = (request.catalog.is_empty()).then(|| SubAgentDef::new("", "", ""));
    match &task.work {
        PlannedWork::Command { .. } => free(COMMAND),
        PlannedWork::Question { .. } => free(QUESTION),
        PlannedWork::Agent {
            agent,
            prompt,
            tools,
        } => {
            let named = agent.as_ref().and_then(|name| request.catalog.get(name));
            let candidates = request.catalog.iter();
            let candidates =
                candidates.filter(|one| named.is_none_or(|named| named.name == one.name));
            let costs = candidates.chain(nobody.as_ref()).map(|agent| {
                let may_use = match tools {
                    Some(tools) => !tools.is_empty(),
                    None => !agent.tools.is_empty(),
                };
                of_agent(
                    agent,
                    prompt,
                    may_use,
                    task.expected_tokens,
                    handed,
                    request,
                )
            });
            costs.fold(free(0), dearer)
        }
    }
}

/// The larger of each; a price that is not known stays unknown.
fn dearer(one: Cost, other: Cost) -> Cost {
    Cost {
        input: one.input.max(other.input),
        output: one.output.max(other.output),
        micro_usd: one.micro_usd.zip(other.micro_usd).map(|(a, b)| a.max(b)),
    }
}

fn of_agent(
    agent: &SubAgentDef,
    prompt: &str,
    may_use_tools: bool,
    expected: Option<u32>,
    handed: u64,
    request: &PlanRequest,
) -> Cost {
    let text = (agent.prompt.len() + prompt.len()).div_ceil(4) as u64;
    let once = (text + FRAME + handed).min(agent.limits.max_input_tokens.into());
    let turns = if may_use_tools && agent.limits.max_turns > 1 {
        2
    } else {
        1
    };
    let input = once * turns;
    let output = expected
        .map_or(ANSWER, u64::from)
        .min(agent.limits.max_output_tokens.into());
    let small = |tokens: u64| u32::try_from(tokens).unwrap_or(u32::MAX);
    let prices = request.prices.of(agent.model.as_deref());
    Cost {
        input,
        output,
        micro_usd: prices.map(|prices| prices.cost(small(input), small(output))),
    }
}

/// Holds an estimate against the limits.
pub(super) fn check(estimate: Estimate, limits: &PlanLimits, found: &mut Findings) {
    let help = || Some("plan fewer tasks, or shorter answers".to_owned());
    if let Some(most) = limits.max_tokens.filter(|most| estimate.tokens > *most) {
        let message = format!(
            "the plan would cost about {} tokens, and may cost {most}",
            estimate.tokens
        );
        found.problem(PlanCode::TooCostly, "/tasks", message, help());
    }
    match (limits.max_micro_usd, estimate.micro_usd) {
        (Some(most), Some(cost)) if cost > most => {
            let (cost, most) = (Usd(cost), Usd(most));
            let message = format!("the plan would cost about {cost} USD, and may cost {most}");
            found.problem(PlanCode::TooCostly, "/tasks", message, help());
        }
        (Some(_), None) => {
            let message = "money is limited, and the price of a model is not known";
            let help = Some("tell the price of each model, or limit tokens instead".to_owned());
            found.problem(PlanCode::UnknownPrice, "/tasks", message, help);
        }
        (Some(_) | None, Some(_)) | (None, None) => {}
    }
}

/// That money was not estimated.
pub(super) fn warning(estimate: Estimate) -> Option<PlanWarning> {
    estimate.micro_usd.is_none().then(|| PlanWarning {
        code: WarningCode::NoPrice,
        task: String::new(),
        message: "the price of a model is not known, so money is not estimated".to_owned(),
    })
}
