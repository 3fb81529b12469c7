//! Outcomes and results: how a run ended, with typed access to its plan, its answer and its outputs.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

#[cfg(feature = "planner")]
use zeph_executor::TaskErrorRecord;
use zeph_executor::TaskOutput;
use zeph_memory::RawGraphStore;
use zeph_runtime::{RunReport, RunView, RuntimeError};
#[cfg(feature = "planner")]
use {
    serde::de::DeserializeOwned,
    zeph_graph::{TaskState, Work},
    zeph_planner::answer::Answer,
    zeph_planner::plan::{ADOPT, ANSWER, Adopted, PLAN, PlanOutput},
};

use super::OrchestratorError;
#[cfg(feature = "planner")]
use super::confirm::{ProposedPlan, plan_in_view};

/// The outcome of a run. Each variant has the results so far.
#[derive(Clone, Debug)]
#[must_use]
pub enum RunOutcome {
    /// The run has ended.
    Ended(RunResults),
    /// A plan waits for approval, and nothing of it has run.
    /// [`Orchestrator::decide`](super::Orchestrator::decide) answers and continues.
    #[cfg(feature = "planner")]
    NeedsApproval(Box<ProposedPlan>, RunResults),
    /// The run is suspended: by a stop signal, or with open [`questions`](RunReport::questions).
    /// [`Orchestrator::resume`](super::Orchestrator::resume) continues.
    Suspended(RunResults),
}

impl RunOutcome {
    /// The results, whatever the outcome.
    #[must_use]
    pub const fn results(&self) -> &RunResults {
        match self {
            Self::Ended(results) | Self::Suspended(results) => results,
            #[cfg(feature = "planner")]
            Self::NeedsApproval(_, results) => results,
        }
    }

    /// The results by value.
    #[must_use]
    pub fn into_results(self) -> RunResults {
        match self {
            Self::Ended(results) | Self::Suspended(results) => results,
            #[cfg(feature = "planner")]
            Self::NeedsApproval(_, results) => results,
        }
    }
}

impl fmt::Display for RunOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let results = self.results();
        #[cfg(feature = "planner")]
        if let Some(answer) = &results.answer {
            writeln!(
                f,
                "{}",
                zeph_common::escape_terminal_block(answer.text.trim_end())
            )?;
        }
        fmt::Display::fmt(&**results, f)?;
        #[cfg(feature = "planner")]
        if let Self::NeedsApproval(proposal, _) = self {
            write!(
                f,
                "\nthe plan needs approval: answer question {} with `approve`, `reject: WHY` or a plan file, \
                 then resume the run",
                proposal.question
            )?;
        }
        Ok(())
    }
}

/// The [report](RunReport) of a run, with typed access to the outputs of its tasks.
#[derive(Clone)]
pub struct RunResults {
    report: RunReport,
    view: Arc<RunView>,
    store: Arc<dyn RawGraphStore>,
    /// The last plan that a model made; `None` if there is none yet.
    #[cfg(feature = "planner")]
    pub plan: Option<PlanOutput>,
    /// The last decision about a plan; an edited plan is not `plan`.
    #[cfg(feature = "planner")]
    pub adopted: Option<Adopted>,
    /// The answer to a goal. Its `by` is the author, its `missing` the results that it lacks.
    #[cfg(feature = "planner")]
    pub answer: Option<Answer>,
    /// Why no plan of a run for a goal was adopted, with a code such as `plan_defective` or
    /// `too_many_rounds`; `None` if one was.
    #[cfg(feature = "planner")]
    pub plan_error: Option<TaskErrorRecord>,
}

impl Deref for RunResults {
    type Target = RunReport;

    fn deref(&self) -> &RunReport {
        &self.report
    }
}

impl fmt::Debug for RunResults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("RunResults").field(&self.report).finish()
    }
}

impl RunResults {
    /// Reads the results of a run that has ended or is suspended.
    pub(super) async fn read(
        store: Arc<dyn RawGraphStore>,
        view: RunView,
    ) -> Result<Self, OrchestratorError> {
        #[cfg_attr(not(feature = "planner"), expect(unused_mut))]
        let mut results = Self {
            report: view.full_report(&*store).await?,
            view: Arc::new(view),
            store,
            #[cfg(feature = "planner")]
            plan: None,
            #[cfg(feature = "planner")]
            adopted: None,
            #[cfg(feature = "planner")]
            answer: None,
            #[cfg(feature = "planner")]
            plan_error: None,
        };
        #[cfg(feature = "planner")]
        results.read_goal().await?;
        Ok(results)
    }

    /// The outcome of a run that has ended or is suspended.
    pub(super) async fn into_outcome(self) -> Result<RunOutcome, OrchestratorError> {
        if self.report.end().is_none() {
            #[cfg(feature = "planner")]
            if let Some(proposal) = self.proposal().await? {
                return Ok(RunOutcome::NeedsApproval(Box::new(proposal), self));
            }
            return Ok(RunOutcome::Suspended(self));
        }
        #[cfg(feature = "planner")]
        if let Some(error) = self.plan_error {
            return Err(OrchestratorError::NoPlan {
                run: self.report.run.clone(),
                error: Box::new(error),
                spent: self.report.spent,
            });
        }
        Ok(RunOutcome::Ended(self))
    }

    /// The stored run that these results were read from.
    #[must_use]
    pub fn view(&self) -> &RunView {
        &self.view
    }

    /// The output of a task, read from the store; `None` if it has none. Untrusted.
    ///
    /// # Errors
    /// If there is no such task, or the store cannot read the output.
    pub async fn output(&self, task: &str) -> Result<Option<Arc<TaskOutput>>, RuntimeError> {
        self.view.output(&*self.store, self.view.task(task)?).await
    }
}

#[cfg(feature = "planner")]
impl RunResults {
    async fn read_goal(&mut self) -> Result<(), OrchestratorError> {
        let view = Arc::clone(&self.view);
        let mut no_plan = None;
        for (id, task) in view.graph().tasks() {
            let Work::Action { name, .. } = task.work() else {
                continue;
            };
            match &**name {
                PLAN => {
                    let plan: Option<PlanOutput> = self.typed(task.name()).await?;
                    let plan = plan.filter(|plan| !plan.plan_file.is_empty());
                    self.plan = plan.or(self.plan.take());
                }
                ADOPT => self.adopted = self.typed(task.name()).await?.or(self.adopted.take()),
                ANSWER => self.answer = self.typed(task.name()).await?.or(self.answer.take()),
                _ => continue,
            }
            let failed = matches!(view.scheduler.task(id).state(), TaskState::Failed { .. });
            if failed && **name != *ANSWER {
                let error = self.report.tasks.get(id.index());
                no_plan = error.and_then(|task| task.error.clone()).or(no_plan);
            }
        }
        let has_adopted = matches!(
            self.adopted,
            Some(Adopted::Approved { .. } | Adopted::Edited { .. })
        );
        self.plan_error = no_plan.filter(|_| !has_adopted);
        Ok(())
    }

    /// The output of a completed action, as the type of that action; `None` if it has another form. A
    /// person who answers a failure with a value may give any form.
    async fn typed<T: DeserializeOwned>(&self, task: &str) -> Result<Option<T>, OrchestratorError> {
        let output = self.output(task).await?;
        Ok(output.and_then(|output| serde_json::from_value(output.value.clone()).ok()))
    }

    /// The plan that waits for approval, if one does. A plan in another form is not proposed.
    async fn proposal(&self) -> Result<Option<ProposedPlan>, OrchestratorError> {
        for question in &self.report.questions {
            let plan = match plan_in_view(&*self.store, &self.view, &question.task).await {
                Ok(Some(plan)) => plan,
                Ok(None) | Err(RuntimeError::Unreadable { .. }) => continue,
                Err(error) => return Err(error.into()),
            };
            return Ok(Some(ProposedPlan {
                run: self.report.run.clone(),
                question: question.id,
                text: question.text.clone(),
                plan,
            }));
        }
        Ok(None)
    }
}
