//! Reports: what became of a goal, read from its run's journal.

use std::sync::Arc;

use serde::de::DeserializeOwned;
use zeph_executor::{TaskErrorRecord, TaskOutput};
use zeph_graph::{AttemptOutcome, RunEnd, RunId, RunState, Spent, TaskId, TaskState, Work};
use zeph_memory::RawGraphStore;
use zeph_planner::answer::Answer;
use zeph_planner::plan::{ADOPT, ANSWER, Adopted, PLAN, PlanOutput};
use zeph_runtime::{QuestionView, RunView};

use super::OrchestratorError;

/// How a run for a goal stands.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Report {
    /// The run. It can be shown, resumed and replayed by that name.
    pub run: RunId,
    /// Where it stands.
    pub state: RunState,
    /// The last plan that a model made; `None` if there is none yet.
    pub plan: Option<PlanOutput>,
    /// What became of the last plan that somebody decided on; an edited one is not `plan`.
    pub adopted: Option<Adopted>,
    /// The answer, if it has come to that. Its `by` and `missing` tell what it rests on.
    pub answer: Option<Answer>,
    /// Every task, in the order of the graph, with planning itself and the answer.
    pub tasks: Vec<TaskResult>,
    /// What the run has cost.
    pub spent: Spent,
    /// The open questions, oldest first.
    pub questions: Vec<QuestionView>,
}

/// What became of a task.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct TaskResult {
    /// Its name.
    pub name: Arc<str>,
    /// Where it stands.
    pub state: TaskState,
    /// How many attempts were started.
    pub attempts: u32,
    /// What it left. Untrusted.
    pub output: Option<Arc<TaskOutput>>,
    /// What its last attempt said, if that failed.
    pub error: Option<TaskErrorRecord>,
}

impl Report {
    /// How the run ended, if it has.
    #[must_use]
    pub const fn end(&self) -> Option<RunEnd> {
        match self.state {
            RunState::Ended(end) => Some(end),
            RunState::Running
            | RunState::Paused
            | RunState::Waiting
            | RunState::Suspending
            | RunState::Suspended => None,
        }
    }

    /// The task of that name.
    #[must_use]
    pub fn task(&self, name: &str) -> Option<&TaskResult> {
        self.tasks.iter().find(|task| &*task.name == name)
    }

    /// Reads the report of a run that has ended or is at rest.
    pub(super) async fn read(
        store: &dyn RawGraphStore,
        run: &RunId,
    ) -> Result<Self, OrchestratorError> {
        let view = RunView::load(store, run).await?;
        let mut report = Self {
            run: run.clone(),
            state: view.scheduler.state(),
            plan: None,
            adopted: None,
            answer: None,
            tasks: Vec::new(),
            spent: view.scheduler.spent(),
            questions: view.questions(),
        };
        let mut no_plan = None;
        let tasks: Vec<(TaskId, Option<String>)> = actions(&view);
        for (id, action) in tasks {
            let task = task(store, &view, id).await?;
            let output = task.output.as_deref();
            match action.as_deref() {
                Some(PLAN) => report.plan = read(&view, &task, output)?.or(report.plan),
                Some(ADOPT) => report.adopted = read(&view, &task, output)?.or(report.adopted),
                Some(ANSWER) => report.answer = read(&view, &task, output)?.or(report.answer),
                _ => {}
            }
            let plans = matches!(action.as_deref(), Some(PLAN | ADOPT));
            if plans && matches!(task.state, TaskState::Failed { .. }) {
                no_plan = task.error.clone().or(no_plan);
            }
            report.tasks.push(task);
        }
        match no_plan {
            Some(error) if report.end().is_some() => Err(OrchestratorError::NoPlan {
                run: report.run,
                error: Box::new(error),
                spent: report.spent,
            }),
            Some(_) | None => Ok(report),
        }
    }
}

/// The tasks with the names of their actions.
fn actions(view: &RunView) -> Vec<(TaskId, Option<String>)> {
    let tasks = view.graph().tasks().map(|(id, task)| match task.work() {
        Work::Action { name, .. } => (id, Some(name.to_string())),
        Work::Milestone | Work::Question(_) => (id, None),
    });
    tasks.collect()
}

async fn task(
    store: &dyn RawGraphStore,
    view: &RunView,
    id: TaskId,
) -> Result<TaskResult, OrchestratorError> {
    let attempts = view.attempts(id);
    let failed = attempts
        .last()
        .filter(|last| matches!(last.outcome, Some(AttemptOutcome::Failed { .. })));
    let error = match failed.and_then(|last| last.error) {
        Some(content) => view.error(store, content).await?,
        None => None,
    };
    Ok(TaskResult {
        name: view.graph().task(id).name().into(),
        state: view.scheduler.task(id).state(),
        attempts: u32::try_from(attempts.len()).unwrap_or(u32::MAX),
        output: view.output(store, id).await?,
        error,
    })
}

/// What an action left, in the form that it promises.
fn read<T: DeserializeOwned>(
    view: &RunView,
    task: &TaskResult,
    output: Option<&TaskOutput>,
) -> Result<Option<T>, OrchestratorError> {
    let read = output
        .map(|output| T::deserialize(&output.value))
        .transpose();
    read.map_err(|source| OrchestratorError::Unreadable {
        run: view.run.clone(),
        task: task.name.to_string(),
        source,
    })
}
