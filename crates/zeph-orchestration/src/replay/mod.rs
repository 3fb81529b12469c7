//! Replay: a stored run is decided once more, and what models did in it is done once more.

mod gather;

use std::sync::Arc;

use zeph_executor::{Redact, Registry};
use zeph_graph::{Attempt, RunId};
use zeph_memory::RawGraphStore;
use zeph_planner::{ADOPT, ANSWER, AgentExecutor, PLAN, Replayed, Tape, replay_attempt};
use zeph_runtime::{RunView, RuntimeError};
use zeph_scheduler::Divergence;

use gather::{Gathered, Known, decide_again, gather};

/// What became of a replay.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ReplayReport {
    /// The run.
    pub run: RunId,
    /// The records of its journal.
    pub records: usize,
    /// Where the journal differs from what the machine decides now; `None` if nowhere.
    pub divergence: Option<Divergence>,
    /// The attempts of `plan`, `adopt`, `agent` and `answer`, in the order in which they began.
    pub attempts: Vec<AttemptReplay>,
}

/// What became of one attempt.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct AttemptReplay {
    /// The task.
    pub task: Arc<str>,
    /// Its action.
    pub action: Arc<str>,
    /// Which attempt.
    pub attempt: Attempt,
    /// The same, the first difference, or why it cannot be made again.
    pub outcome: Replayed,
}

impl ReplayReport {
    /// Whether nothing differs. Attempts that cannot be made again do not.
    #[must_use]
    pub fn is_same(&self) -> bool {
        let differs = |one: &AttemptReplay| matches!(one.outcome, Replayed::Differs(_));
        self.divergence.is_none() && !self.attempts.iter().any(differs)
    }
}

/// Replays a stored run, whoever owns it, without a network and without changing anything.
///
/// First the journal is decided once more ([`zeph_scheduler::replay`]): the same records at the same
/// times. Then every attempt of `plan`, `adopt`, `agent` and `answer` that ended by itself is made once
/// more ([`replay_attempt`]) by the executors of a registry that `make` gives. It must be made as it was
/// for the run, with the sanitizer's [seed](crate::Orchestrator::open) from the run's policy, with the
/// [tape](Tape) in place of providers and tools ([`LlmContextBuilder::on_tape`](zeph_planner::LlmContextBuilder)),
/// and without a plan cache. `redact` is the redactor of the run.
///
/// Estimates of tokens learn from what services report, in the order of the reports; where prompts were
/// cut to an estimate in tasks side by side, a replay may cut them elsewhere, and tells that as a
/// difference.
///
/// # Errors
/// If the run cannot be read, or `make` fails.
pub async fn replay_run<E: From<RuntimeError>>(
    store: &dyn RawGraphStore,
    run: &RunId,
    redact: Option<Arc<dyn Redact>>,
    make: impl FnOnce(&Tape, &RunView) -> Result<Registry, E>,
) -> Result<ReplayReport, E> {
    let view = RunView::load(store, run).await?;
    let known = Known::read(store, &view).await?;
    let divergence = decide_again(&view, &known).err();
    let tape = Tape::new();
    let registry = make(&tape, &view)?;
    let mut attempts = Vec::new();
    for one in gather(store, &view, &known, is_a_role).await? {
        let Gathered {
            task,
            action,
            attempt,
            recorded,
        } = one;
        let executor = registry.find(&task, Some(&action));
        let outcome = match (recorded, executor) {
            (Err(why), _) => Replayed::Skipped(why),
            (Ok(_), None) => Replayed::Skipped("nobody here does its action".to_owned()),
            (Ok(recorded), Some(executor)) => {
                replay_attempt(&**executor, *recorded, &tape, redact.clone()).await
            }
        };
        attempts.push(AttemptReplay {
            task,
            action,
            attempt,
            outcome,
        });
    }
    Ok(ReplayReport {
        run: run.clone(),
        records: view.entries.len(),
        divergence,
        attempts,
    })
}

/// The actions whose attempts are made again: a command or a closure might do anything.
fn is_a_role(action: &str) -> bool {
    [PLAN, ADOPT, AgentExecutor::ACTION, ANSWER].contains(&action)
}
