//! Running: a goal is submitted or a run resumed, followed to its end or to rest, and reported.

use std::collections::BTreeSet;
use std::sync::Arc;

use zeph_graph::{Budget, Policy, RunId, RunState, TaskGraph, Work};
use zeph_planfile::RunValues;
use zeph_planner::{ADOPT, AdoptParams, PlanOutput, Tape, goal_graph};
use zeph_runtime::{
    Delivery, Engine, QuestionView, Request, RunHandle, RunView, RuntimeError, Submission, ask,
};

use crate::{ReplayReport, replay_run};

use super::llm_context::Redacting;
use super::{Confirm, Orchestrator, OrchestratorError, Proposed, Report};

impl Orchestrator {
    /// Works on a goal until there is an answer, or a question that nobody here answers.
    ///
    /// A run at rest with open questions is a report, too: its [`questions`](Report::questions) say what
    /// they are, [`answer`](Self::answer) answers them, [`resume`](Self::resume) goes on. When this
    /// future is dropped the run goes on by itself as far as it can.
    ///
    /// # Errors
    /// [`OrchestratorError::NoPlan`] if the run ended before anything was executed; else what kept the
    /// run from being started, saved or read.
    pub async fn run(&self, goal: &str) -> Result<Report, OrchestratorError> {
        let run = self.submit(goal).await?;
        self.follow(&run).await
    }

    /// Begins a run for a goal. Returns when it is saved; from then on it survives a crash.
    ///
    /// For who wants to [watch](RunHandle::events) or steer it while [`follow`](Self::follow) waits.
    ///
    /// # Errors
    /// If it cannot be started or saved.
    pub async fn submit(&self, goal: &str) -> Result<RunHandle, OrchestratorError> {
        let policy = Policy {
            seed: self.0.seed.map_or_else(random_seed, Ok)?,
            ..self.0.policy
        };
        let graph = TaskGraph::try_from(goal_graph(goal, self.0.confirm.asks()))?;
        let engine = self.engine(&policy, &graph).await?;
        let submission = Submission::new(graph).policy(policy);
        Ok(engine.submit(submission).await?)
    }

    /// Goes on with a run that is at rest or whose process went away; reports one that has ended.
    ///
    /// # Errors
    /// As [`run`](Self::run); also if there is no such run or another process works on it.
    pub async fn resume(&self, run: &RunId) -> Result<Report, OrchestratorError> {
        let view = RunView::load(&*self.0.store, run).await?;
        if matches!(view.scheduler.state(), RunState::Ended(_)) {
            return self.report(run).await;
        }
        let engine = self.engine(view.scheduler.policy(), view.graph()).await?;
        self.follow(&engine.resume(run).await?).await
    }

    /// Answers questions as far as the host's code does, until the run has ended or is at rest.
    ///
    /// # Errors
    /// As [`run`](Self::run). An answer of the host that does not fit its question brings the run to
    /// rest, and is told.
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
            tokens: Some(budget.tokens),
            micro_usd: Some(budget.micro_usd),
        };
        self.ask(run, &request).await
    }

    /// Makes a run once more from its journal, without a network and without changing anything:
    /// decisions, and what models did. See [`replay_run`].
    ///
    /// This orchestrator must be built as the one of the run was. A planner that asks another
    /// provider than the one it is given, and an aggregator of the host's own, ask whom they please.
    ///
    /// # Errors
    /// If the run cannot be read.
    pub async fn replay(&self, run: &RunId) -> Result<ReplayReport, OrchestratorError> {
        let settings = &*self.0;
        let redact = Arc::new(Redacting(settings.secrets.clone()));
        let make = |tape: &Tape, view: &RunView| {
            let values = RunValues::of_graph(view.graph())?;
            settings.registry(view.scheduler.policy(), values, Some(tape))
        };
        replay_run(&*settings.store, run, Some(redact), make).await
    }

    async fn ask(&self, run: &RunId, request: &Request) -> Result<Delivery, OrchestratorError> {
        let store = &*self.0.store;
        // The request is no older than the run's last record.
        let now = RunView::load(store, run).await?.updated_at;
        Ok(ask(store, self.0.owners.as_ref(), run, request, now).await?)
    }

    /// An engine for one run.
    async fn engine(
        &self,
        policy: &Policy,
        graph: &TaskGraph,
    ) -> Result<Engine, OrchestratorError> {
        let settings = &*self.0;
        let values = RunValues::of_graph(graph)?;
        let mut engine = Engine::builder(Arc::clone(&settings.store))
            .registry(settings.registry(policy, values, None)?)
            .redact(Arc::new(Redacting(settings.secrets.clone())))
            .limits(settings.limits);
        if let Some(owners) = &settings.owners {
            engine = engine.owners(owners.clone());
        }
        Ok(engine.start().await?)
    }

    /// What the host's code says to a question.
    async fn reply(
        &self,
        run: &RunId,
        question: &QuestionView,
    ) -> Result<Option<String>, OrchestratorError> {
        let plan = self.plan_in_question(run, question).await?;
        match (plan, &self.0.confirm, &self.0.questions) {
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

/// Who answered or stopped first has the last word; the journal tells it.
fn gone_is_fine<T>(outcome: Result<T, RuntimeError>) -> Result<(), RuntimeError> {
    match outcome {
        Ok(_) | Err(RuntimeError::NoSuchQuestion { .. } | RuntimeError::Gone { .. }) => Ok(()),
        Err(error) => Err(error),
    }
}

fn random_seed() -> Result<u64, OrchestratorError> {
    getrandom::u64().map_err(|_| OrchestratorError::NoRandomness)
}
