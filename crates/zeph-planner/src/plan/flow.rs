//! Planning inside of a run: the graph that a goal begins with, and the two executors that do it.
//!
//! A run for a goal begins with `plan`, `confirm` (a question) and `adopt`. `adopt` reads the plan and
//! the person's answer and adds to the run's graph: the plan's tasks with `answer` behind them, or
//! another round of the three.

mod adopt;
mod answer;
mod patch;
mod plan;

use std::fmt;

use zeph_executor::GraphSpec;

pub use adopt::{AdoptExecutor, AdoptParams, Adopted};
pub use patch::{ADOPT, ANSWER, PLAN};
pub use plan::{PlanExecutor, PlanOutput, PlanParams};

/// Makes a graph of a plan file; the door to the crate that knows plan files.
pub trait PlanCompiler: Send + Sync {
    /// The graph that a plan file in TOML or JSON describes.
    ///
    /// # Errors
    /// Everything that is wrong with the file, at least one problem.
    fn compile(&self, plan_file: &str) -> Result<GraphSpec, Vec<FileProblem>>;
}

impl<F> PlanCompiler for F
where
    F: Fn(&str) -> Result<GraphSpec, Vec<FileProblem>> + Send + Sync,
{
    fn compile(&self, plan_file: &str) -> Result<GraphSpec, Vec<FileProblem>> {
        self(plan_file)
    }
}

/// One thing that is wrong with a plan file.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct FileProblem {
    /// The stable code, such as `unknown_key`.
    pub code: String,
    /// Where, as people say it: `3:1`; empty if it is about the whole file.
    pub place: String,
    /// What is wrong, and what to do; inert.
    pub message: String,
}

impl fmt::Display for FileProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.place.is_empty() {
            write!(f, "{}: ", self.place)?;
        }
        write!(f, "[{}] {}", self.code, self.message)
    }
}

/// The graph that a run for a goal begins with: `plan`, `confirm` and `adopt`.
///
/// Without confirmation there is no question, and the plan is adopted as it is made.
///
/// # Examples
/// ```
/// use zeph_graph::TaskGraph;
/// let graph = TaskGraph::try_from(zeph_planner::goal_graph("Weekly report", true))?;
/// assert_eq!(graph.len(), 3);
/// # Ok::<(), zeph_graph::wire::Diagnostics>(())
/// ```
#[must_use]
pub fn goal_graph(goal: &str, confirm: bool) -> GraphSpec {
    let round = patch::Round {
        number: 1,
        goal,
        feedback: &[],
        confirm,
    };
    GraphSpec {
        metadata: [("goal".to_owned(), goal.to_owned())].into(),
        tasks: round.tasks(),
        ..GraphSpec::default()
    }
}
