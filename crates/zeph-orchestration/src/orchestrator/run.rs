//! Operations on runs: start, resume, answer, set the budget, read, replay.

use std::collections::BTreeMap;
use std::sync::Arc;

#[cfg(feature = "planfile")]
use zeph_graph::Work;
use zeph_graph::{Budget, RunId, RunLimits, RunState, TaskGraph, TaskId};
use zeph_memory::StoreError;
#[cfg(feature = "planfile")]
use zeph_planfile::RunValues;
use zeph_runtime::{
    Delivery, Engine, Request, RetryPlan, RunHandle, RunView, RuntimeError, Submission, ask,
};
#[cfg(feature = "planner")]
use {
    super::confirm::{Confirm, Decision, ProposedPlan},
    super::redact::RedactSecrets,
    crate::plan::{ReplayReport, replay_run},
    zeph_planner::plan::goal_graph,
    zeph_planner::replay::Recording,
};

use super::compose::RunParts;
use super::follow::{Ask, Follower, Update};
use super::spec::{RunSpec, RunWork};
use super::{Orchestrator, OrchestratorError, RunOutcome, RunResults};

impl Orchestrator {
    /// Runs a goal, a plan file or a graph until it ends, or until only questions are left that the
    /// host does not answer.
    ///
    /// If this future is dropped the run continues as far as it can.
    ///
    /// # Errors
    /// [`OrchestratorError::NoPlan`] if a run for a goal ended before anything was executed; otherwise the
    /// error of starting, saving or reading the run.
    pub async fn run(&self, run: impl Into<RunSpec>) -> Result<RunOutcome, OrchestratorError> {
        let run = self.submit(run).await?;
        self.drive(run).await
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
        #[cfg_attr(not(feature = "planfile"), expect(unused_mut))]
        let mut limits = RunLimits::default();
        #[cfg_attr(not(feature = "planfile"), expect(unused_mut))]
        let mut default_title = None;
        #[cfg(feature = "planfile")]
        let mut values = None;
        let mut graph = match work {
            RunWork::Graph(graph) => *graph,
            #[cfg(feature = "planfile")]
            RunWork::Plan(plan) => {
                limits = *plan.bound.limits();
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
                let goal = self.0.redacted(&goal)?;
                let graph = TaskGraph::try_from(goal_graph(&goal, confirm))?;
                default_title = Some(goal);
                graph
            }
        };
        if let Some(folder) = folder {
            let text = folder.to_str().map(str::to_owned);
            let text = text.ok_or(OrchestratorError::FolderName { folder })?;
            let key = TaskGraph::FOLDER.to_owned();
            graph.metadata_mut().insert(key, text);
        }
        graph.metadata_mut().extend(metadata);
        #[cfg(feature = "planner")]
        let mut graph = self.0.models.with_approvals(graph)?;
        #[cfg(feature = "planfile")]
        self.redact_goal(graph.metadata_mut())?;
        #[cfg(feature = "planfile")]
        super::redact::check_stored(&graph, self.0.secrets())?;
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
        let engine = self.checked_engine(&parts, |_| true).await?;
        let mut submission = Submission::new(graph).policy(policy);
        if let Some(name) = name {
            submission = submission.name(name);
        }
        if let Some(title) = title.or(default_title) {
            #[cfg(feature = "planfile")]
            let title = self.0.redacted(&title)?;
            submission = submission.title(title);
        }
        Ok(engine.submit(submission).await?)
    }

    /// Continues a run that is suspended or whose process ended, as [`run`](Self::run) does; returns the
    /// results of one that has ended.
    ///
    /// # Errors
    /// As [`run`](Self::run); also if there is no such run or another process owns it.
    pub async fn resume(&self, run: &RunId) -> Result<RunOutcome, OrchestratorError> {
        let view = RunView::load(&*self.0.store, run).await?;
        if matches!(view.scheduler.state(), RunState::Ended(_)) {
            let results = RunResults::read(Arc::clone(&self.0.store), view).await?;
            return results.into_outcome().await;
        }
        self.drive(self.open(&view, &BTreeMap::new()).await?).await
    }

    /// Runs a named run; if the store has a run of that name, continues it, or returns its results.
    ///
    /// So a program that is started again goes on where it was, without a list of runs. What the rest of `run`
    /// says does not matter for a run that the store has.
    ///
    /// # Errors
    /// As [`run`](Self::run) and [`resume`](Self::resume).
    pub async fn run_or_resume(
        &self,
        name: RunId,
        run: impl Into<RunSpec>,
    ) -> Result<RunOutcome, OrchestratorError> {
        match self.0.store.get(&name).await {
            Err(StoreError::NotFound { .. }) => self.run(run.into().name(name)).await,
            Ok(_) | Err(_) => self.resume(&name).await,
        }
    }

    /// Answers the question about a plan, and continues the run.
    ///
    /// # Errors
    /// As [`resume`](Self::resume); also if the question was answered already.
    #[cfg(feature = "planner")]
    pub async fn decide(
        &self,
        plan: &ProposedPlan,
        decision: Decision,
    ) -> Result<RunOutcome, OrchestratorError> {
        if let Some(text) = decision.into_answer() {
            self.answer(&plan.run, plan.question, text).await?;
        }
        self.resume(&plan.run).await
    }

    /// Takes a stored run over and lets it continue. Secret parameters of its plan are not stored:
    /// `secrets` has them by name; those that only ended tasks used are not needed.
    ///
    /// # Errors
    /// If a secret or the run's folder is missing, the run has ended, or another process owns it.
    pub async fn open(
        &self,
        view: &RunView,
        secrets: &BTreeMap<String, String>,
    ) -> Result<RunHandle, OrchestratorError> {
        let is_open = |id| !view.scheduler.task(id).state().is_end();
        let parts = RunParts {
            graph: view.graph(),
            policy: view.scheduler.policy(),
            budget: view.scheduler.budget(),
            #[cfg(feature = "planfile")]
            values: values_of(&view.run, view.graph(), is_open, secrets)?,
        };
        #[cfg(not(feature = "planfile"))]
        let _ = secrets;
        let engine = self.checked_engine(&parts, is_open).await?;
        Ok(engine.resume(&view.run).await?)
    }

    /// Starts a new run of an ended one, which takes over the results that `plan` keeps. Without a name the
    /// run gets a random one.
    ///
    /// # Errors
    /// As [`submit`](Self::submit) and [`open`](Self::open); also if a result cannot be read.
    pub async fn retry(
        &self,
        #[cfg_attr(not(feature = "planfile"), expect(unused_mut))] mut plan: RetryPlan,
        name: Option<RunId>,
        secrets: &BTreeMap<String, String>,
    ) -> Result<RunHandle, OrchestratorError> {
        #[cfg(feature = "planfile")]
        {
            self.redact_goal(plan.metadata_mut())?;
            let title = self.0.redacted(plan.title_mut())?;
            *plan.title_mut() = title;
            super::redact::check_stored(plan.graph(), self.0.secrets())?;
        }
        #[cfg(feature = "planner")]
        plan.change_rules(|graph| self.0.models.with_approvals(graph))?;
        let runs = |id| plan.runs_again(id).is_some();
        let parts = RunParts {
            graph: plan.graph(),
            policy: plan.policy(),
            budget: plan.policy().budget,
            #[cfg(feature = "planfile")]
            values: values_of(plan.of(), plan.graph(), runs, secrets)?,
        };
        #[cfg(not(feature = "planfile"))]
        let _ = secrets;
        let engine = self.checked_engine(&parts, runs).await?;
        let mut submission = plan.submission(&*self.0.store).await?;
        if let Some(name) = name {
            submission = submission.name(name);
        }
        Ok(engine.submit(submission).await?)
    }

    #[cfg(feature = "planfile")]
    fn redact_goal(
        &self,
        metadata: &mut BTreeMap<String, String>,
    ) -> Result<(), OrchestratorError> {
        if let Some(goal) = metadata.get_mut("goal") {
            *goal = self.0.redacted(goal)?;
        }
        Ok(())
    }

    /// The engine of a run, whose tasks that `runs` accepts have models, prices and agents.
    async fn checked_engine(
        &self,
        parts: &RunParts<'_>,
        runs: impl Fn(TaskId) -> bool,
    ) -> Result<Engine, OrchestratorError> {
        #[cfg(feature = "planner")]
        {
            if super::needs_model(parts.graph, &runs) {
                self.0.models.check_prices(parts, &runs)?;
            }
            self.0.models.check_agents(parts.graph, &runs)?;
        }
        #[cfg(not(feature = "planner"))]
        let _ = runs;
        self.0.engine(parts).await
    }

    /// The names of the secrets that are too short to be redacted: those of the orchestrator, and those
    /// `given` for a run. They may appear in logs and stored output.
    #[cfg(feature = "planfile")]
    #[must_use]
    pub fn unredacted_secrets<'a>(
        &'a self,
        given: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Vec<String> {
        let ours = self.0.secrets();
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
        let limits = plan.map(|plan| *plan.bound.limits());
        self.0.policy_of(&limits.unwrap_or_default())
    }

    /// Answers the questions of a run as the host's code does, until it has ended or is suspended.
    ///
    /// # Errors
    /// As [`run`](Self::run). An answer of the host that does not fit its question suspends the run and
    /// is an error; so does a question about a plan that cannot be read.
    pub async fn drive(&self, run: RunHandle) -> Result<RunOutcome, OrchestratorError> {
        let mut follower = self.follow(run).without_events();
        if let Err(error) = self.answer_questions(&mut follower).await {
            follower.stop().await;
            follower.wait().await?;
            return Err(error);
        }
        follower.finish().await
    }

    async fn answer_questions(&self, follower: &mut Follower) -> Result<(), OrchestratorError> {
        while let Some(update) = follower.next().await? {
            let ask = match update {
                Update::Ask(ask) => ask,
                Update::NotAsked(_, error) => return Err((*error).into()),
                Update::Event(_) | Update::Withdraw(_) | Update::Waiting(_) => continue,
            };
            let id = ask.question.id;
            match self.host_answer(*ask, follower.handle().id()).await {
                Some(text) => match follower.answer(id, text).await {
                    // The question was closed while the host decided: the answer is stale.
                    Ok(())
                    | Err(RuntimeError::NoSuchQuestion { .. } | RuntimeError::Gone { .. }) => {}
                    Err(error) => return Err(error.into()),
                },
                None => follower.postpone(id),
            }
        }
        Ok(())
    }

    /// The answer of the host's code; `None` leaves the question open.
    async fn host_answer(&self, ask: Ask, run: &RunId) -> Option<String> {
        #[cfg(feature = "planner")]
        if let Some(plan) = ask.plan {
            let Confirm::With(decide) = &self.0.models.confirm else {
                return None;
            };
            let proposal = ProposedPlan {
                run: run.clone(),
                question: ask.question.id,
                text: ask.question.text,
                plan,
            };
            return decide(proposal).await.into_answer();
        }
        let _ = run;
        match &self.0.questions {
            Some(answer) => answer(ask.question).await,
            None => None,
        }
    }

    /// The results of a run so far, from its journal. Does not disturb a process that owns the run.
    ///
    /// # Errors
    /// If there is no such run, or it cannot be read.
    pub async fn results(&self, run: &RunId) -> Result<RunResults, OrchestratorError> {
        let view = RunView::load(&*self.0.store, run).await?;
        RunResults::read(Arc::clone(&self.0.store), view).await
    }

    /// Answers a question of a run. A suspended run is continued by [`resume`](Self::resume).
    ///
    /// With [owners](super::OrchestratorBuilder::owners) the owner of the run applies the answer at once.
    /// Without them, or if the run has no owner, the answer is posted: it takes effect when the run is
    /// resumed, and a process that is active on the run does not see it before.
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
        #[cfg(feature = "planfile")]
        let text = self.redacted(&text)?;
        self.ask(run, &Request::Answer { question, text }).await
    }

    /// Sets the budget of a whole run. Delivered as an [`answer`](Self::answer) is.
    ///
    /// A task that the old budget stopped is retried when its question is answered with `retry`.
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
    /// decisions and the work of the models. See [`replay_run`].
    ///
    /// This orchestrator must have the same components as the one of the run. A planner with another
    /// provider than the given one, and an aggregator of the host, are not replayed: they make real calls.
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

    /// A text in which the secrets of this orchestrator are redacted.
    ///
    /// # Errors
    /// If a secret cannot be redacted.
    #[cfg(feature = "planfile")]
    pub fn redacted(&self, text: &str) -> Result<String, OrchestratorError> {
        self.0.redacted(text)
    }

    async fn ask(&self, run: &RunId, request: &Request) -> Result<Delivery, OrchestratorError> {
        let store = &*self.0.store;
        // The request is no older than the run's last record.
        let now = RunView::load(store, run).await?.updated_at;
        Ok(ask(store, self.0.owners.as_ref(), run, request, now).await?)
    }
}

/// The values that the expressions of a stored run use.
#[cfg(feature = "planfile")]
fn values_of(
    run: &RunId,
    graph: &TaskGraph,
    runs: impl Fn(TaskId) -> bool,
    secrets: &BTreeMap<String, String>,
) -> Result<RunValues, OrchestratorError> {
    let mut values = RunValues::of_graph(graph)?;
    for (name, value) in secrets {
        values = values.secret(name, value);
    }
    // A secret that only ended tasks used is not needed any more.
    let open = graph.tasks().filter(|(id, _)| runs(*id));
    let params = open.filter_map(|(_, task)| match task.work() {
        Work::Action { params, .. } => params.to_value().ok(),
        Work::Milestone | Work::Question(_) => None,
    });
    let params: Vec<serde_json::Value> = params.collect();
    let missing = values.missing_secrets_in(&params);
    if missing.is_empty() {
        return Ok(values);
    }
    Err(OrchestratorError::MissingSecrets {
        run: run.clone(),
        names: missing,
    })
}
