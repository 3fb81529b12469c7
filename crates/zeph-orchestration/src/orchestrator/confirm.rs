//! Confirmation of plans: approve, reject or edit a plan before it runs.

use std::fmt;
use std::future::Future;
use std::sync::Arc;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use zeph_executor::TaskOutput;
use zeph_graph::{RunId, TaskGraph, Work};
use zeph_memory::RawGraphStore;
use zeph_planner::plan::{ADOPT, AdoptParams, PlanOutput};
use zeph_runtime::{QuestionView, RunHandle, RunView, RuntimeError};

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

/// The name of the task whose plan a question of that task is about.
#[must_use]
pub fn plan_task(graph: &TaskGraph, question: &str) -> Option<String> {
    graph.tasks().find_map(|(_, task)| {
        let Work::Action { name, params } = task.work() else {
            return None;
        };
        if **name != *ADOPT {
            return None;
        }
        let params: AdoptParams = serde_json::from_value(params.to_value().ok()?).ok()?;
        (params.confirm.as_deref() == Some(question)).then_some(params.plan)
    })
}

/// The plan that a question of a run is about, from the live run; from the store if it is unloaded.
pub(super) async fn plan_in_question(
    store: &dyn RawGraphStore,
    run: &RunHandle,
    question: &QuestionView,
) -> Option<PlanOutput> {
    let name = question.task.clone();
    let plan = run.inspect(move |scheduler| plan_task(scheduler.graph(), &name));
    let output = match plan.await {
        Ok(plan) => match run.live_output(&plan?).await {
            Err(RuntimeError::Gone { .. }) => stored_plan(store, run.id(), &question.task).await,
            live => live.ok()?,
        },
        Err(_) => stored_plan(store, run.id(), &question.task).await,
    };
    serde_json::from_value(output?.value.clone()).ok()
}

async fn stored_plan(
    store: &dyn RawGraphStore,
    run: &RunId,
    question: &str,
) -> Option<Arc<TaskOutput>> {
    let view = RunView::load(store, run).await.ok()?;
    let plan = view.task(&plan_task(view.graph(), question)?).ok()?;
    view.output(store, plan).await.ok()?
}
