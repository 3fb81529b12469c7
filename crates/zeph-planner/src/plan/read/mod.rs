//! The one door for plans: text of a model goes in, an accepted plan or all that is wrong comes out.

mod estimate;
mod graph;
mod names;
mod shape;
mod similar;
mod text;
mod work;

use super::finding::Findings;
use super::{Plan, PlanDiagnostic, PlanRepair, PlanRequest};

/// What reading a plan gave.
#[derive(Clone, Debug)]
pub struct Reading {
    /// The plan, or everything that keeps it from being one; then at least one diagnostic, and at
    /// most [`MAX_FINDINGS`](crate::MAX_FINDINGS).
    pub outcome: Result<Plan, Vec<PlanDiagnostic>>,
    /// What was mended, also in a plan that was refused.
    pub repairs: Vec<PlanRepair>,
}

/// Reads the answer of a model as a plan for a request: finds the JSON, mends how it is written,
/// checks all of it at once.
///
/// What is mended is recorded; what it means is never changed: a need is never dropped, a circle
/// never broken, and what is larger than the [limits](crate::PlanLimits) is never cut. Nothing panics,
/// whatever the text; time is linear in it but for a logarithm, and for the comparison of the first
/// 100 tasks with each other.
///
/// # Examples
/// ```
/// use zeph_planner::{PlanCode, PlanRequest, RepairCode, read_plan};
/// use zeph_subagent::{AgentCatalog, SubAgentDef};
/// let mut catalog = AgentCatalog::new();
/// catalog.add(SubAgentDef::new("writer", "Writes", "You write."))?;
/// let request = PlanRequest::new("A limerick", catalog);
///
/// let reading = read_plan(r#"Here you are:
/// {"reasoning": "One step.", "tasks": [
///   {"name": "Write it", "needs": [], "prompt": "Write a limerick.", "agent": "Writer"}
/// ]}"#, &request);
/// let plan = reading.outcome.expect("it can be mended");
/// assert_eq!(plan.tasks[0].name, "Write-it");
/// assert!(reading.repairs.iter().any(|one| one.code == RepairCode::FoldedCase));
///
/// let circle = r#"{"reasoning": "", "tasks": [
///   {"name": "a", "needs": ["b"], "prompt": "x"}, {"name": "b", "needs": ["a"], "prompt": "y"}
/// ]}"#;
/// let problems = read_plan(circle, &request).outcome.unwrap_err();
/// assert_eq!(problems[0].code, PlanCode::Cycle);
/// assert!(problems[0].message.contains(r#""a" → "b" → "a""#));
/// # Ok::<(), zeph_subagent::Diagnostics>(())
/// ```
#[must_use]
pub fn read_plan(text: &str, request: &PlanRequest) -> Reading {
    let mut found = Findings::default();
    let plan = read(text, request, &mut found);
    let Findings { problems, repairs } = found;
    let outcome = match plan {
        Some(plan) if problems.is_empty() => Ok(Plan {
            repairs: repairs.clone(),
            ..plan
        }),
        Some(_) | None => Err(problems),
    };
    Reading { outcome, repairs }
}

/// The plan; to be disregarded if a problem was found.
fn read(text: &str, request: &PlanRequest, found: &mut Findings) -> Option<Plan> {
    let value = text::value(text, &request.limits, found)?;
    let draft = shape::draft(&value, request, found)?;
    let graph = graph::connect(&draft.tasks, &request.limits, found);
    let works: Vec<_> = draft
        .tasks
        .iter()
        .map(|task| work::of(task, request, found))
        .collect();
    if !found.problems.is_empty() {
        return None;
    }
    let graph = graph?;
    let tasks = graph.planned(&draft.tasks, works.into_iter().collect::<Option<Vec<_>>>()?);
    let estimate = estimate::of(&tasks, graph.depth, graph.width, request);
    estimate::check(estimate, &request.limits, found);
    let mut warnings = similar::warnings(&tasks);
    warnings.extend(estimate::warning(estimate));
    Some(Plan {
        goal: request.goal.clone(),
        reasoning: draft.reasoning,
        tasks,
        estimate,
        repairs: Vec::new(),
        warnings,
    })
}
