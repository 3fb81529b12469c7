//! Confirmation of plans: approve, reject or edit a plan before it runs.

use std::collections::BTreeSet;
use std::fmt;
use std::future::Future;
use std::sync::Arc;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use zeph_executor::TaskOutput;
use zeph_graph::{RunId, TaskGraph, TaskId, Work};
use zeph_memory::RawGraphStore;
use zeph_planner::plan::{ADOPT, AdoptParams, PlanOutput};
use zeph_runtime::{QuestionView, RunHandle, RunView, RuntimeError};
use zeph_scheduler::Scheduler;

/// Whether a plan needs approval before it runs.
#[derive(Clone, Default)]
pub enum Confirm {
    /// A plan that passed every check runs at once.
    Never,
    /// The run is suspended with [`RunOutcome::NeedsApproval`](super::RunOutcome). A person answers from
    /// any process, and then the run can be resumed.
    #[default]
    Ask,
    /// The host's code decides at once. See [`Confirm::with`].
    With(Decide),
}

/// The host's code that decides about plans.
pub type Decide = Arc<dyn Fn(ProposedPlan) -> BoxFuture<'static, Decision> + Send + Sync>;

impl Confirm {
    /// Lets an async closure decide about each plan.
    ///
    /// # Examples
    /// ```
    /// use zeph_orchestration::{Confirm, Decision};
    /// let confirm = Confirm::with(|proposal| async move {
    ///     match proposal.plan.estimate.tasks {
    ///         0..=5 => Decision::Approve,
    ///         _ => Decision::Reject("five tasks at most".to_owned()),
    ///     }
    /// });
    /// # let _ = confirm;
    /// ```
    pub fn with<F, V>(decide: F) -> Self
    where
        F: Fn(ProposedPlan) -> V + Send + Sync + 'static,
        V: Future<Output = Decision> + Send + 'static,
    {
        Self::With(Arc::new(move |proposal| decide(proposal).boxed()))
    }

    /// Whether a run asks before its plan is adopted.
    pub(super) const fn asks(&self) -> bool {
        match self {
            Self::Never => false,
            Self::Ask | Self::With(_) => true,
        }
    }
}

impl fmt::Debug for Confirm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Never => "Never",
            Self::Ask => "Ask",
            Self::With(_) => "With",
        })
    }
}

/// A plan that waits for approval.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ProposedPlan {
    /// The run.
    pub run: RunId,
    /// The number of the question, for [`Orchestrator::answer`](super::Orchestrator::answer).
    pub question: u32,
    /// The text of the question; from the second round on also the problems of the last answer.
    pub text: String,
    /// The plan, with the file that may be edited.
    pub plan: PlanOutput,
}

/// A decision about a plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// The plan runs.
    Approve,
    /// The goal is planned again, with this reason in the prompt. Counts as a round.
    Reject(String),
    /// This plan file runs instead. If it has problems, the question comes again and lists them.
    Edit(String),
    /// None yet: the run is suspended with the question open.
    Later,
}

impl Decision {
    /// The text that answers the question; `None` for [`Later`](Self::Later).
    #[must_use]
    pub fn into_answer(self) -> Option<String> {
        match self {
            Self::Approve => Some("approve".to_owned()),
            Self::Reject(why) => Some(format!("reject: {why}")),
            Self::Edit(file) => Some(file),
            Self::Later => None,
        }
    }
}

/// The names of the tasks whose questions are about a plan: an `adopt` action waits for each. Cost: a pass
/// over the graph.
#[must_use]
pub fn plan_questions(graph: &TaskGraph) -> BTreeSet<String> {
    let adoptions = adoptions(graph);
    adoptions
        .filter_map(|(_, params)| params.ok()?.confirm)
        .collect()
}

/// The `adopt` actions of a graph, with their parameters.
fn adoptions(
    graph: &TaskGraph,
) -> impl Iterator<Item = (TaskId, Result<AdoptParams, serde_json::Error>)> {
    graph.ids().filter_map(|id| adoption(graph, id))
}

fn adoption(
    graph: &TaskGraph,
    id: TaskId,
) -> Option<(TaskId, Result<AdoptParams, serde_json::Error>)> {
    let Work::Action { name, params } = graph.task(id).work() else {
        return None;
    };
    let read = || params.to_value().and_then(serde_json::from_value);
    (**name == *ADOPT).then(|| (id, read()))
}

/// The name of the task whose plan a question of that task is about; `None` for any other question. The
/// error is the reason why the parameters of an `adopt` action after the question cannot be read.
///
/// Cost: the dependants of the question; the task that adopts the plan is one of them.
fn plan_task(scheduler: &Scheduler, question: &str) -> Result<Option<String>, String> {
    let graph = scheduler.graph();
    let Some(task) = graph.find(question) else {
        return Ok(None);
    };
    let dependants = scheduler.children(task).iter();
    for (id, params) in dependants.filter_map(|id| adoption(graph, *id)) {
        match params {
            Ok(params) if params.confirm.as_deref() == Some(question) => {
                return Ok(Some(params.plan));
            }
            Ok(_) => {}
            Err(error) => {
                let task = graph.task(id).name();
                return Err(format!("the parameters of task {task:?}: {error}"));
            }
        }
    }
    Ok(None)
}

/// The plan that a question of a run is about, from the live run; from the store if it is unloaded.
/// `None` if the question is not about a plan.
///
/// # Errors
/// If the question is about a plan that cannot be read. Such a question must not be asked as one without
/// a plan.
pub(super) async fn plan_in_question(
    store: &dyn RawGraphStore,
    run: &RunHandle,
    question: &QuestionView,
) -> Result<Option<PlanOutput>, RuntimeError> {
    let name = question.task.clone();
    let plan = run.inspect(move |scheduler| plan_task(scheduler, &name));
    let task = match plan.await {
        Ok(task) => task.map_err(|reason| unreadable(run.id(), &reason))?,
        Err(RuntimeError::Gone { .. }) => {
            return stored_plan(store, run.id(), &question.task).await;
        }
        Err(error) => return Err(error),
    };
    let Some(task) = task else { return Ok(None) };
    match run.live_output(&task).await {
        Ok(output) => parse_plan(run.id(), &task, output).map(Some),
        Err(RuntimeError::Gone { .. }) => stored_plan(store, run.id(), &question.task).await,
        Err(error) => Err(error),
    }
}

async fn stored_plan(
    store: &dyn RawGraphStore,
    run: &RunId,
    question: &str,
) -> Result<Option<PlanOutput>, RuntimeError> {
    let view = RunView::load(store, run).await?;
    plan_in_view(store, &view, question).await
}

/// The plan that a question of a stored run is about; `None` if the question is not about a plan.
///
/// # Errors
/// If the question is about a plan that cannot be read.
pub async fn plan_in_view(
    store: &dyn RawGraphStore,
    view: &RunView,
    question: &str,
) -> Result<Option<PlanOutput>, RuntimeError> {
    let task = plan_task(&view.scheduler, question);
    let task = task.map_err(|reason| unreadable(&view.run, &reason))?;
    let Some(task) = task else { return Ok(None) };
    let output = view.output(store, view.task(&task)?).await?;
    parse_plan(&view.run, &task, output).map(Some)
}

fn parse_plan(
    run: &RunId,
    task: &str,
    output: Option<Arc<TaskOutput>>,
) -> Result<PlanOutput, RuntimeError> {
    let output = output.ok_or_else(|| unreadable(run, &format!("task {task:?} has no output")))?;
    serde_json::from_value(output.value.clone())
        .map_err(|error| unreadable(run, &format!("the output of task {task:?}: {error}")))
}

fn unreadable(run: &RunId, reason: &str) -> RuntimeError {
    RuntimeError::Unreadable {
        run: run.clone(),
        reason: format!("the plan that a question is about cannot be read: {reason}"),
    }
}
