//! Reading a plan: the text of a model becomes an accepted plan, or the list of all its problems.

mod begun;
mod draft;
mod duplicates;
mod estimate;
mod extras;
mod fields;
mod graph;
mod instruction;
mod keys;
mod names;
mod order;
mod programs;
mod senses;
mod shown;
mod text;
mod unwrap;
mod words;
mod work;

pub(super) use begun::read_begun;
pub(super) use shown::shown;
use zeph_diagnostics::Diagnostics;
use zeph_graph::{OnFailure, Topology};
use zeph_llm::StopReason;

use super::finding::{Findings, stored};
use super::{Plan, PlanRequest, PlannedTask, PlannedWork, TaskKind};

/// The result of reading a plan.
#[derive(Clone, Debug)]
pub struct Reading {
    /// The plan, or its problems: at least one, at most 200. The path of a problem is a JSON pointer
    /// into the plan, with the fields' own names.
    pub outcome: Result<Plan, Diagnostics>,
    /// The repairs, also in a rejected plan; at most 200.
    pub repairs: Diagnostics,
}

/// Reads the answer of a model as a plan for a request: finds the JSON, repairs its form, and checks
/// everything at once.
///
/// Repairs are recorded and never change the meaning: no dependency is dropped, no cycle broken, and
/// nothing is cut to the [limits](super::PlanLimits). No text causes a panic. The time is linear in the
/// text, apart from a logarithm and the comparison of the first 100 tasks with each other.
///
/// # Examples
/// ```
/// use zeph_planner::plan::{PlanRequest, code, read_plan, repair};
/// use zeph_subagent::{AgentCatalog, SubAgentDef};
/// let mut catalog = AgentCatalog::new();
/// catalog.add(SubAgentDef::new("writer", "Writes", "You write."))?;
/// let request = PlanRequest::new("A limerick", catalog);
///
/// let reading = read_plan(r#"Here you are:
/// {"reasoning": "One step.", "tasks": [
///   {"name": "Write it", "needs": [], "prompt": "Write a limerick.", "agent": "Writer"}
/// ]}"#, &request);
/// let plan = reading.outcome.expect("it can be repaired");
/// assert_eq!(plan.tasks[0].name, "Write-it");
/// assert!(reading.repairs.iter().any(|one| one.code == repair::FOLDED_CASE));
///
/// let cycle = r#"{"reasoning": "", "tasks": [
///   {"name": "a", "needs": ["b"], "prompt": "x"}, {"name": "b", "needs": ["a"], "prompt": "y"}
/// ]}"#;
/// let problems = read_plan(cycle, &request).outcome.unwrap_err();
/// assert_eq!(problems.as_slice()[0].code, code::CYCLE);
/// assert!(problems.as_slice()[0].message.contains(r#"a → b → a"#));
/// # Ok::<(), zeph_diagnostics::Diagnostics>(())
/// ```
#[must_use]
pub fn read_plan(text: &str, request: &PlanRequest) -> Reading {
    reading(text, Ending::Unknown, request)
}

/// Reads the answer of a model as [`read_plan`] does, knowing why the model stopped.
///
/// If the model ended by itself, a missing last brace is added: nothing else can be missing then. If the
/// answer reached its limit, objects without a list around them are refused, because others may follow.
#[must_use]
pub fn read_answer(text: &str, stop: &StopReason, request: &PlanRequest) -> Reading {
    let ending = match stop {
        StopReason::End | StopReason::ToolCalls => Ending::Finished,
        StopReason::MaxTokens => Ending::Cut,
        StopReason::Refusal | StopReason::Other(_) => Ending::Unknown,
    };
    reading(text, ending, request)
}

/// What is known about the end of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ending {
    Unknown,
    /// The model ended by itself.
    Finished,
    /// The answer reached its limit.
    Cut,
}

fn reading(text: &str, ending: Ending, request: &PlanRequest) -> Reading {
    let mut found = Findings::default();
    let plan = read(text, ending, request, &mut found);
    let Findings { problems, repairs } = found;
    let outcome = match plan {
        Some(mut plan) if problems.is_empty() => {
            plan.findings.extend(stored(&repairs));
            Ok(plan)
        }
        Some(_) | None => Err(problems),
    };
    Reading { outcome, repairs }
}

/// The plan. It does not count if a problem was found.
fn read(text: &str, ending: Ending, request: &PlanRequest, found: &mut Findings) -> Option<Plan> {
    let answer = text::answer(text, ending, &request.limits, found)?;
    extras::check_around(&answer.around, request, found);
    let draft = draft::read(&answer.value, request, found)?;
    let names = names::Names::new(&draft.tasks, &request.earlier, found);
    let connected = graph::connect(&draft.tasks, &names, &request.limits, found);
    extras::check(&draft, &names, request, found);
    let graph = connected.as_ref().map(|one| &one.graph);
    order::check(&draft.tasks, &names, graph, found);
    let works = draft
        .tasks
        .iter()
        .map(|task| work::read(task, request, found));
    let mut works: Vec<Option<PlannedWork>> = works.collect();
    if !found.problems.is_empty() {
        return None;
    }
    let graph::Connected { graph, after } = connected?;
    let tasks = graph.tasks().map(|(id, task)| {
        let name = task.name().to_owned();
        let needs = graph.parents(id).iter();
        let needs = needs.map(|&need| graph.task(need).name().to_owned());
        let position = names.position(&name)?;
        let task = &draft.tasks[position];
        let work = works[position].take()?;
        // A question cannot fail, so its failure rule has no effect.
        let on_failure = match work.kind() {
            TaskKind::Question => OnFailure::default(),
            TaskKind::Agent | TaskKind::Command => {
                task.on_failure.clone().unwrap_or(OnFailure::Skip)
            }
        };
        Some(PlannedTask {
            name,
            needs: needs.collect(),
            after: after[position].clone(),
            work,
            trigger: task.trigger,
            on_failure,
            expected_tokens: task.expected_tokens,
        })
    });
    let tasks: Vec<PlannedTask> = tasks.collect::<Option<_>>()?;
    let estimate = estimate::estimate(&tasks, &Topology::of(&graph), request);
    estimate::check(estimate, &request.limits, found);
    let mut warnings = duplicates::warnings(&tasks);
    warnings.extend(programs::warnings(&tasks, &request.catalog));
    warnings.extend(estimate::warning(estimate));
    Some(Plan {
        goal: request.goal.clone(),
        answer: text.to_owned(),
        reasoning: draft.reasoning,
        tasks,
        estimate,
        findings: stored(&warnings),
    })
}
