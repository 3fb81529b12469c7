//! Running: a goal is submitted or a run resumed, followed to its end or to rest, and reported.

use std::collections::BTreeMap;
#[cfg(feature = "planner")]
use std::collections::BTreeSet;

use zeph_graph::{Budget, RunId, TaskGraph};
#[cfg(feature = "planfile")]
use zeph_planfile::RunValues;
use zeph_runtime::{Delivery, Request, RunHandle, RunView, Submission, ask};
#[cfg(feature = "planner")]
use {
    crate::{ReplayReport, replay_run},
    std::sync::Arc,
    zeph_graph::{RunState, Work},
    zeph_planner::plan::{ADOPT, AdoptParams, PlanOutput, goal_graph},
    zeph_planner::replay::Recording,
    zeph_runtime::{QuestionView, RuntimeError},
};

use super::compose::{FOLDER, PlannedLimits, RunParts};
#[cfg(feature = "planner")]
use super::redact::RedactSecrets;
use super::spec::{RunSpec, RunWork};
#[cfg(feature = "planner")]
use super::{Confirm, Proposed, Report};
use super::{Orchestrator, OrchestratorError};

impl Orchestrator {
    /// Runs a goal, a plan file or a graph until it ends, or until only questions are left that the
    /// host does not answer.
    ///
    /// A suspended run is a report, too: its [`questions`](Report::questions) are open,
    /// [`answer`](Self::answer) answers them, [`resume`](Self::resume) continues. If this future is
    /// dropped the run continues as far as it can.
    ///
    /// # Errors
    /// [`OrchestratorError::NoPlan`] if the run ended before anything was executed; else what kept the
    /// run from being started, saved or read.
    #[cfg(feature = "planner")]
    pub async fn run(&self, run: impl Into<RunSpec>) -> Result<Report, OrchestratorError> {
        let run = self.submit(run).await?;
        self.follow(&run).await
    }

    /// Starts a run. Returns when it is saved; from then on it survives a crash.
    ///
    /// For a caller that [watches](RunHandle::events) or controls the run.
    ///
    /// # Errors
    /// If it cannot be started or saved.
    pub async fn submit(&self, run: impl Into<RunSpec>) -> Result<RunHandle, OrchestratorError> {
        let RunSpec {
            work,
            name,
            title,
            folder,
            metadata,
        } = run.into();
        let mut limits = PlannedLimits::default();
        let mut default_title = None;
        #[cfg(feature = "planfile")]
        let mut values = None;
        let mut graph = match work {
            RunWork::Graph(graph) => *graph,
            #[cfg(feature = "planfile")]
            RunWork::Plan(plan) => {
                limits = PlannedLimits::from(&plan.bound);
                default_title = Some(match plan.bound.goal() {
                    "" => plan.name,
                    goal => goal.to_owned(),
                });
                values = Some(plan.bound.run_values().clone());
                plan.graph
            }
            #[cfg(feature = "planner")]
            RunWork::Goal(goal) => {
                let confirm = self.0.models.confirm.asks();
                let graph = TaskGraph::try_from(goal_graph(&goal, confirm))?;
                default_title = Some(goal);
                graph
            }
        };
        if let Some(folder) = folder {
            let text = folder.to_str().map(str::to_owned);
            let text = text.ok_or(OrchestratorError::FolderName { folder })?;
            graph.metadata_mut().insert(FOLDER.to_owned(), text);
        }
        graph.metadata_mut().extend(metadata);
        let policy = self.0.policy_of(&limits)?;
        let parts = RunParts {
            graph: &graph,
            policy: &policy,
            budget: policy.budget,
            #[cfg(feature = "planfile")]
            values: match values {
                Some(values) => values,
                None => RunValues::of_graph(&graph)?,
            },
        };
        #[cfg(feature = "planner")]
        if super::needs_model(&graph, |_| true) {
            self.0.models.check_price(&parts)?;
        }
        let engine = self.0.engine(&parts).await?;
        let mut submission = Submission::new(graph).policy(policy);
        if let Some(name) = name {
            submission = submission.name(name);
        }
        if let Some(title) = title.or(default_title) {
            submission = submission.title(title);
        }
        Ok(engine.submit(submission).await?)
    }

    /// Continues a run that is suspended or whose process ended; reports one that has ended.
    ///
    /// # Errors
    /// As [`run`](Self::run); also if there is no such run or another process owns it.
    #[cfg(feature = "planner")]
    pub async fn resume(&self, run: &RunId) -> Result<Report, OrchestratorError> {
        let view = RunView::load(&*self.0.store, run).await?;
        if matches!(view.scheduler.state(), RunState::Ended(_)) {
            return self.report(run).await;
        }
        self.follow(&self.open(&view, &BTreeMap::new()).await?)
            .await
    }

    /// Takes a stored run over and lets it continue. Secret parameters of its plan are not stored:
    /// `secrets` has them by name.
    ///
    /// # Errors
    /// If a secret or the run's folder is missing, the run has ended, or another process owns it.
    pub async fn open(
        &self,
        view: &RunView,
        secrets: &BTreeMap<String, String>,
    ) -> Result<RunHandle, OrchestratorError> {
        let parts = RunParts {
            graph: view.graph(),
            policy: view.scheduler.policy(),
            budget: view.scheduler.budget(),
            #[cfg(feature = "planfile")]
            values: values_of(view, secrets)?,
        };
        #[cfg(not(feature = "planfile"))]
        let _ = secrets;
        #[cfg(feature = "planner")]
        if super::needs_model(view.graph(), |id| !view.scheduler.task(id).state().is_end()) {
            self.0.models.check_price(&parts)?;
        }
        let engine = self.0.engine(&parts).await?;
        Ok(engine.resume(&view.run).await?)
    }

    /// The names of the secrets that are too short to be redacted: those of the orchestrator, and of a
    /// new run's plan. They may appear in logs and stored output.
    #[cfg(feature = "planfile")]
    #[must_use]
    pub fn unredacted_secrets(&self, run: Option<&RunSpec>) -> Vec<String> {
        let ours = self.0.secrets.iter();
        let ours = ours.map(|(name, value)| (name.as_str(), value.as_str()));
        let given = run.into_iter().flat_map(|run| match &run.work {
            RunWork::Plan(plan) => plan.bound.run_values().given_secrets().collect(),
            RunWork::Graph(_) => Vec::new(),
            #[cfg(feature = "planner")]
            RunWork::Goal(_) => Vec::new(),
        });
        ours.chain(given)
            .filter(|(_, value)| super::redact::is_too_short(value))
            .map(|(name, _)| name.to_owned())
            .collect()
    }

    /// The limits of a new run of that plan, or of a goal. Its seed is random.
    ///
    /// # Errors
    /// If the system has no random bytes.
    #[cfg(feature = "planfile")]
    pub fn policy_for(
        &self,
        plan: Option<&super::LoadedPlan>,
    ) -> Result<zeph_graph::Policy, OrchestratorError> {
        let limits = plan.map(|plan| PlannedLimits::from(&plan.bound));
        self.0.policy_of(&limits.unwrap_or_default())
    }

    /// Answers questions as far as the host's code does, until the run has ended or is at rest.
    ///
    /// # Errors
    /// As [`run`](Self::run). An answer of the host that does not fit its question suspends the run and
    /// is an error.
    #[cfg(feature = "planner")]
    pub async fn follow(&self, run: &RunHandle) -> Result<Report, OrchestratorError> {
        if let Err(error) = self.attend(run).await {
            gone_is_fine(run.suspend().await)?;
            run.wait().await?;
            return Err(error);
        }
        let rested = run.wait().await?;
        if let Some(reason) = &rested.error {
            return Err(OrchestratorError::Lost {
                run: rested.run.clone(),
                reason: reason.clone(),
            });
        }
        self.report(run.id()).await
    }

    #[cfg(feature = "planner")]
    /// Answers each question once. Returns when the run leaves, or is told to rest.
    async fn attend(&self, run: &RunHandle) -> Result<(), OrchestratorError> {
        let mut seen = BTreeSet::new();
        loop {
            let snapshot = run.until(|snapshot| {
                let new = snapshot.questions.iter().any(|one| !seen.contains(&one.id));
                new || snapshot.state == RunState::Waiting
            });
            let snapshot = snapshot.await;
            let new = snapshot
                .questions
                .iter()
                .find(|one| !seen.contains(&one.id));
            match (snapshot.state, new) {
                (RunState::Running | RunState::Paused | RunState::Waiting, Some(question)) => {
                    seen.insert(question.id);
                    if let Some(text) = self.reply(run.id(), question).await? {
                        gone_is_fine(run.answer(question.id, text).await)?;
                    }
                }
                // Only questions are left, and nobody here answers them.
                (RunState::Waiting, None) => {
                    gone_is_fine(run.suspend().await)?;
                    return Ok(());
                }
                (RunState::Running | RunState::Paused, None)
                | (RunState::Suspending | RunState::Suspended | RunState::Ended(_), _) => {
                    return Ok(());
                }
            }
        }
    }

    #[cfg(feature = "planner")]
    /// How a run stands, by its journal. Needs no ownership and holds nobody up.
    ///
    /// # Errors
    /// As [`run`](Self::run).
    pub async fn report(&self, run: &RunId) -> Result<Report, OrchestratorError> {
        Report::read(&*self.0.store, run).await
    }

    /// Answers a question of a run, wherever it is: at work in another process, or at rest. What is at
    /// rest goes on with [`resume`](Self::resume).
    ///
    /// A plan is answered with `approve`, `reject: WHY`, or a whole plan file.
    ///
    /// # Errors
    /// If the question is not open, or the text does not answer it.
    pub async fn answer(
        &self,
        run: &RunId,
        question: u32,
        text: impl Into<String>,
    ) -> Result<Delivery, OrchestratorError> {
        let text = text.into();
        self.ask(run, &Request::Answer { question, text }).await
    }

    /// Sets what a run may cost from here on, in all, wherever the run is.
    ///
    /// A task that the old budget stopped goes on when its question is answered with `retry`.
    ///
    /// # Errors
    /// If there is no such run, or it has ended.
    pub async fn set_budget(
        &self,
        run: &RunId,
        budget: Budget,
    ) -> Result<Delivery, OrchestratorError> {
        let request = Request::Budget {
            tokens: Some(budget.tokens().unwrap_or(u64::MAX)),
            micro_usd: Some(budget.micro_usd().unwrap_or(u64::MAX)),
        };
        self.ask(run, &request).await
    }

    /// Replays a run from its journal, without a network and without changing anything: the scheduler's
    /// decisions, and what models did. See [`replay_run`].
    ///
    /// This orchestrator must have the components that the run's had. A planner that asks another
    /// provider than the given one, and an aggregator of the host, are not replayed: they ask for real.
    ///
    /// # Errors
    /// If the run cannot be read.
    #[cfg(feature = "planner")]
    pub async fn replay(&self, run: &RunId) -> Result<ReplayReport, OrchestratorError> {
        let components = &*self.0;
        let redact = RedactSecrets(components.redactor(&RunValues::default())?);
        let make = |recording: &Recording, view: &RunView| {
            let parts = RunParts {
                graph: view.graph(),
                policy: view.scheduler.policy(),
                budget: Budget::UNLIMITED,
                values: RunValues::of_graph(view.graph())?,
            };
            components.replay_registry(&parts, recording)
        };
        replay_run(&*components.store, run, Some(Arc::new(redact)), make).await
    }

    async fn ask(&self, run: &RunId, request: &Request) -> Result<Delivery, OrchestratorError> {
        let store = &*self.0.store;
        // The request is no older than the run's last record.
        let now = RunView::load(store, run).await?.updated_at;
        Ok(ask(store, self.0.owners.as_ref(), run, request, now).await?)
    }

    #[cfg(feature = "planner")]
    /// What the host's code says to a question.
    async fn reply(
        &self,
        run: &RunId,
        question: &QuestionView,
    ) -> Result<Option<String>, OrchestratorError> {
        let plan = self.plan_in_question(run, question).await?;
        match (plan, &self.0.models.confirm, &self.0.questions) {
            (Some(plan), Confirm::With(decide), _) => {
                let proposed = Proposed {
                    run: run.clone(),
                    question: question.text.clone(),
                    plan,
                };
                Ok(decide(proposed).await.text())
            }
            (None, _, Some(answer)) => Ok(answer(question.clone()).await),
            (Some(_), Confirm::Never | Confirm::Ask, _) | (None, _, None) => Ok(None),
        }
    }

    #[cfg(feature = "planner")]
    /// The plan that a question is about, if it is about one.
    async fn plan_in_question(
        &self,
        run: &RunId,
        question: &QuestionView,
    ) -> Result<Option<PlanOutput>, OrchestratorError> {
        let store = &*self.0.store;
        let view = RunView::load(store, run).await?;
        let adopts = view
            .graph()
            .tasks()
            .filter_map(|(_, task)| match task.work() {
                Work::Action { name, params } if &**name == ADOPT => params.to_value().ok(),
                Work::Action { .. } | Work::Milestone | Work::Question(_) => None,
            });
        let mut adopts = adopts.filter_map(|params| serde_json::from_value(params).ok());
        let ours = |adopt: &AdoptParams| adopt.confirm.as_ref() == Some(&question.task);
        let Some(adopt) = adopts.find(ours) else {
            return Ok(None);
        };
        let Some(output) = view.output(store, view.task(&adopt.plan)?).await? else {
            return Ok(None);
        };
        let plan = serde_json::from_value(output.value.clone());
        plan.map(Some)
            .map_err(|source| OrchestratorError::Unreadable {
                run: run.clone(),
                task: adopt.plan,
                source,
            })
    }
}

/// The question was answered, or the run left, meanwhile: the journal says how.
#[cfg(feature = "planner")]
fn gone_is_fine<T>(outcome: Result<T, RuntimeError>) -> Result<(), RuntimeError> {
    match outcome {
        Ok(_) | Err(RuntimeError::NoSuchQuestion { .. } | RuntimeError::Gone { .. }) => Ok(()),
        Err(error) => Err(error),
    }
}

/// The values that the expressions of a stored run use.
#[cfg(feature = "planfile")]
fn values_of(
    view: &RunView,
    secrets: &BTreeMap<String, String>,
) -> Result<RunValues, OrchestratorError> {
    let mut values = RunValues::of_graph(view.graph())?;
    for (name, value) in secrets {
        values = values.secret(name, value);
    }
    let missing: Vec<String> = values.missing_secrets().map(str::to_owned).collect();
    if missing.is_empty() {
        return Ok(values);
    }
    Err(OrchestratorError::MissingSecrets {
        run: view.run.clone(),
        names: missing,
    })
}
