//! Replay of a stored run: repeats the decisions of the scheduler and the attempts that call a model.

mod collect;

use std::sync::Arc;

use zeph_executor::{Redact, Registry};
use zeph_graph::{Attempt, RunId};
use zeph_memory::RawGraphStore;
use zeph_planner::agent::AgentExecutor;
use zeph_planner::plan::{ADOPT, ANSWER, PLAN};
use zeph_planner::replay::{Recording, ReplayOutcome, replay_attempt};
use zeph_runtime::{RunView, RuntimeError};
use zeph_scheduler::Divergence;

use collect::StoredRun;

/// The result of a replay.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ReplayReport {
    /// The run.
    pub run: RunId,
    /// The number of records in its journal.
    pub records: usize,
    /// The first record that the scheduler decides differently now; `None` if there is none.
    pub divergence: Option<Divergence>,
    /// The attempts of `plan`, `adopt`, `agent` and `answer`, in the order in which they started.
    pub attempts: Vec<AttemptReplay>,
}

/// The result for one attempt.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct AttemptReplay {
    /// The task.
    pub task: Arc<str>,
    /// Its action.
    pub action: Arc<str>,
    /// The number of the attempt.
    pub attempt: Attempt,
    /// The outcome: the same, the first difference, or why it was skipped.
    pub outcome: ReplayOutcome,
}

impl ReplayReport {
    /// Whether there is no difference. A skipped attempt is not a difference.
    #[must_use]
    pub fn is_same(&self) -> bool {
        let differs = |one: &AttemptReplay| matches!(one.outcome, ReplayOutcome::Differs(_));
        self.divergence.is_none() && !self.attempts.iter().any(differs)
    }
}

/// Replays a stored run, even if another process owns it. It uses no network and changes nothing.
///
/// First the scheduler repeats its decisions ([`zeph_scheduler::replay`]), which must give the same records
/// at the same times. Then the executors of the registry that `make` returns repeat every attempt of
/// `plan`, `adopt`, `agent` and `answer` that was not cut off ([`replay_attempt`]).
///
/// `make` builds the registry as for the run, with the [`Recording`] in place of providers and tools
/// ([`LlmContextBuilder::replaying`](zeph_planner::LlmContextBuilder::replaying)), and without a plan
/// cache. The seed of its sanitizer must be derived from the seed in the run's policy. `redact` is the
/// redactor of the run.
///
/// Token counters learn from the usage that services report, in the order of the reports. Prompts that were
/// cut to an estimated number of tokens while tasks ran in parallel may be cut differently in a replay,
/// which is then reported as a difference.
///
/// # Errors
/// If the run cannot be read, or `make` fails.
pub async fn replay_run<E: From<RuntimeError>>(
    store: &dyn RawGraphStore,
    run: &RunId,
    redact: Option<Arc<dyn Redact>>,
    make: impl FnOnce(&Recording, &RunView) -> Result<Registry, E>,
) -> Result<ReplayReport, E> {
    let stored = StoredRun::load(store, run).await?;
    let divergence = stored.replay_decisions().err();
    let recording = Recording::new();
    let registry = make(&recording, &stored.view)?;
    let mut attempts = Vec::new();
    for one in stored.attempts(calls_model).await? {
        let executor = registry.find(&one.task, Some(&one.action));
        let outcome = match (one.recorded, executor) {
            (Err(why), _) => ReplayOutcome::Skipped(why.to_owned()),
            (Ok(_), None) => {
                let why = format!("no executor is registered for the action {}", one.action);
                ReplayOutcome::Skipped(why)
            }
            (Ok(recorded), Some(executor)) => {
                replay_attempt(&**executor, *recorded, &recording, redact.clone()).await
            }
        };
        attempts.push(AttemptReplay {
            task: one.task,
            action: one.action,
            attempt: one.attempt,
            outcome,
        });
    }
    Ok(ReplayReport {
        run: run.clone(),
        records: stored.view.entries.len(),
        divergence,
        attempts,
    })
}

/// Whether the attempts of an action are repeated. Commands and closures are not: they may have side effects.
fn calls_model(action: &str) -> bool {
    [PLAN, ADOPT, AgentExecutor::ACTION, ANSWER].contains(&action)
}
