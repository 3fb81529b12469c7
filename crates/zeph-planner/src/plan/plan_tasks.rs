//! Planning as tasks of a run: the first graph of a run for a goal, and the actions `plan` and `adopt`.
//!
//! A run for a goal starts with the tasks `plan`, `confirm` (a question) and `adopt`. `adopt` reads the
//! plan and the person's answer, and adds tasks to the run: if the person approves or edits the plan, its
//! tasks followed by `answer`, else another round of `plan`, `confirm` and `adopt`.

mod adopt;
mod early;
mod extend;
mod plan;
mod round;
mod verdict;

use std::sync::Arc;

use zeph_diagnostics::Diagnostics;
use zeph_executor::GraphSpec;

pub use adopt::{AdoptExecutor, AdoptParams, Adopted};
pub(crate) use extend::extension;
pub use plan::{PlanExecutor, PlanOutput, PlanParams};
pub use round::{ADOPT, ANSWER, PLAN};
pub use verdict::edited_plan;

/// Compiles a plan file in TOML or JSON into a graph, or returns its problems. The host supplies it, because
/// this crate does not depend on the reader of plan files.
pub type PlanCompiler = Arc<dyn Fn(&str) -> Result<GraphSpec, Diagnostics> + Send + Sync>;

/// The first graph of a run for a goal: `plan`, `confirm` and `adopt`.
///
/// If `confirm` is false, there is no task `confirm`, and `adopt` uses the plan as it is.
///
/// # Examples
/// ```
/// use zeph_graph::TaskGraph;
/// let graph = TaskGraph::try_from(zeph_planner::plan::goal_graph("Weekly report", true))?;
/// assert_eq!(graph.len(), 3);
/// # Ok::<(), zeph_graph::wire::Diagnostics>(())
/// ```
#[must_use]
pub fn goal_graph(goal: &str, confirm: bool) -> GraphSpec {
    let round = round::Round {
        number: 1,
        goal,
        feedback: &[],
        rejected: &[],
        confirm,
        first_round: 1,
        extends: None,
    };
    GraphSpec {
        metadata: [("goal".to_owned(), goal.to_owned())].into(),
        tasks: round.tasks(),
        ..GraphSpec::default()
    }
}
