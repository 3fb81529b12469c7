//! Doors: what an attempt writes into its run's journal while it works. Told when it is saved.

use std::collections::BTreeSet;

use tokio::sync::{mpsc, oneshot};
use zeph_executor::{Journal, Note, Proposal, TaskError, async_trait};
use zeph_graph::wire::{Diagnostics, GraphSpec, WorkSpec};
use zeph_graph::{Attempt, Budget, ContentId, ReservationId, Spend, TaskId};
use zeph_scheduler::{Amendment, InputOutcome, Refusal};

use crate::content::Parts;
use crate::core::{Core, Key};
use crate::engine::Message;
use crate::error::RuntimeError;
use crate::live::Ack;

/// Resolves when what was asked is saved, or the run has left without saving it.
type Saving = oneshot::Receiver<Result<InputOutcome, RuntimeError>>;

/// An answer, and when it counts; `None` when there is nothing to be saved.
pub(crate) type Verdict<T> = Result<(T, Option<Saving>), TaskError>;

/// What an attempt asks of its run's journal.
pub(crate) enum Ask {
    Reserve(Spend, oneshot::Sender<Verdict<ReservationId>>),
    Settle(ReservationId, Spend, oneshot::Sender<Verdict<()>>),
    Left(oneshot::Sender<Verdict<Budget>>),
    Note(Note, oneshot::Sender<Verdict<()>>),
    Propose(Box<GraphSpec>, oneshot::Sender<Verdict<Proposal>>),
}

/// Which attempt asks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asker {
    pub(crate) key: Key,
    pub(crate) task: TaskId,
    pub(crate) attempt: Attempt,
}

/// The journal of a run at work, as one of its attempts sees it.
#[derive(Debug)]
pub(crate) struct Door {
    pub(crate) asker: Asker,
    /// Weak: what an executor keeps must not keep the engine.
    pub(crate) engine: mpsc::WeakSender<Message>,
}

impl Door {
    async fn ask<T>(
        &self,
        ask: impl FnOnce(oneshot::Sender<Verdict<T>>) -> Ask,
    ) -> Result<T, TaskError> {
        let engine = self.engine.upgrade().ok_or_else(over)?;
        let (reply, verdict) = oneshot::channel();
        let message = Message::Ask {
            asker: self.asker,
            ask: ask(reply),
        };
        engine.send(message).await.map_err(|_| over())?;
        drop(engine);
        let (answer, saving) = verdict.await.map_err(|_| over())??;
        match saving {
            None => Ok(answer),
            Some(saving) => match saving.await {
                Ok(Ok(InputOutcome::Accepted)) => Ok(answer),
                // The run has left without saving it.
                Ok(Ok(InputOutcome::Stale | InputOutcome::Rejected)) => Err(over()),
                Ok(Err(error)) => Err(over().with_source(error)),
                Err(_) => Err(over()),
            },
        }
    }
}

#[async_trait]
impl Journal for Door {
    async fn reserve(&self, most: Spend) -> Result<ReservationId, TaskError> {
        self.ask(|reply| Ask::Reserve(most, reply)).await
    }

    async fn settle(&self, reservation: ReservationId, spent: Spend) -> Result<(), TaskError> {
        self.ask(|reply| Ask::Settle(reservation, spent, reply))
            .await
    }

    async fn left(&self) -> Result<Budget, TaskError> {
        self.ask(Ask::Left).await
    }

    async fn note(&self, note: Note) -> Result<(), TaskError> {
        note.check_size()?;
        self.ask(|reply| Ask::Note(note, reply)).await
    }

    async fn propose(&self, patch: GraphSpec) -> Result<Proposal, TaskError> {
        self.ask(|reply| Ask::Propose(Box::new(patch), reply)).await
    }
}

/// The attempt is not the current one any more, or its run has left.
fn over() -> TaskError {
    TaskError::cancelled("the attempt is over, so its run takes nothing more from it")
        .with_code("attempt_over")
}

impl Core {
    /// Takes what an attempt asks. Nobody may be waiting for the answer any more; then it counts all
    /// the same, as whatever an attempt does before it ends.
    pub(crate) fn ask(&mut self, asker: Asker, ask: Ask) {
        match ask {
            Ask::Reserve(most, reply) => {
                let verdict = self.reserve(asker, most);
                let _ = reply.send(verdict);
            }
            Ask::Settle(reservation, spent, reply) => {
                let verdict = self.settle(asker, reservation, spent);
                let _ = reply.send(verdict);
            }
            Ask::Left(reply) => {
                let live = self.runs.get(&asker.key);
                let live = live.filter(|_| self.is_current(asker));
                let left = live.map(|live| live.scheduler.left(asker.task));
                let _ = reply.send(left.map(|left| (left, None)).ok_or_else(over));
            }
            Ask::Note(note, reply) => {
                let verdict = self.note(asker, &note);
                let _ = reply.send(verdict);
            }
            Ask::Propose(patch, reply) => {
                let verdict = self.propose(asker, &patch);
                let _ = reply.send(verdict);
            }
        }
    }

    fn reserve(&mut self, asker: Asker, most: Spend) -> Verdict<ReservationId> {
        let Asker { key, task, attempt } = asker;
        let reserved = self.tell(key, |machine, now| {
            machine.reserve(now, task, attempt, most)
        });
        match reserved.ok_or_else(over)? {
            Ok(reservation) => Ok((reservation, self.saving(key))),
            Err(Refusal::OverBudget { left }) => Err(TaskError::over_budget(most, left)),
            Err(Refusal::Stale | _) => Err(over()),
        }
    }

    fn settle(&mut self, asker: Asker, reservation: ReservationId, spent: Spend) -> Verdict<()> {
        let Asker { key, task, attempt } = asker;
        let settled = self.tell(key, |machine, now| {
            machine.settle(now, task, attempt, reservation, spent)
        });
        match settled.ok_or_else(over)? {
            InputOutcome::Accepted => Ok(((), self.saving(key))),
            InputOutcome::Stale if self.is_current(asker) => Ok(((), None)),
            InputOutcome::Stale | InputOutcome::Rejected => Err(over()),
        }
    }

    fn note(&mut self, asker: Asker, note: &Note) -> Verdict<()> {
        let Asker { key, task, attempt } = asker;
        let parts = Parts::of_note(note, self.redact.as_deref());
        let live = self.runs.get_mut(&key).ok_or_else(over)?;
        let content = live.keep(parts);
        let noted = self.tell(key, |machine, now| {
            machine.note(now, task, attempt, content)
        });
        match noted.ok_or_else(over)? {
            InputOutcome::Accepted => Ok(((), self.saving(key))),
            InputOutcome::Stale | InputOutcome::Rejected => {
                self.forget(key, content);
                Err(over())
            }
        }
    }

    fn propose(&mut self, asker: Asker, patch: &GraphSpec) -> Verdict<Proposal> {
        let Asker { key, task, attempt } = asker;
        let missing = self.nobody_does(patch);
        let live = self.runs.get_mut(&key).ok_or_else(over)?;
        if !missing.is_empty() {
            let names = missing.join(", ");
            let message = format!("nobody here does the actions that the patch names: {names}");
            let error = TaskError::permanent(message).with_code("proposal_refused");
            return Err(error.with_detail(serde_json::json!({ "missing_executors": missing })));
        }
        let content = live.keep(Parts::of_patch(patch));
        let amended = self.tell(key, |machine, now| {
            machine.amend(now, task, attempt, content, patch)
        });
        let verdict = match amended.ok_or_else(over)? {
            Ok(Amendment::Added { .. }) => {
                self.keep_in_order(key, content, patch);
                return Ok((Proposal::Added, self.saving(key)));
            }
            Ok(Amendment::Already) => Ok((Proposal::Already, None)),
            Ok(Amendment::Stale) => Err(over()),
            Err(problems) => Err(refused(&problems)),
        };
        self.forget(key, content);
        verdict
    }

    /// Drops a content that no record will name.
    fn forget(&mut self, key: Key, content: ContentId) {
        if let Some(live) = self.runs.get_mut(&key) {
            live.contents.remove(&content);
        }
    }

    /// Keeps a patch with its tasks in the order of their numbers, as a header has them: whoever reads
    /// the store without a machine can tell which is which.
    fn keep_in_order(&mut self, key: Key, content: ContentId, patch: &GraphSpec) {
        let Some(live) = self.runs.get_mut(&key) else {
            return;
        };
        let graph = live.scheduler.graph();
        let mut patch = patch.clone();
        patch.tasks.sort_by_key(|task| graph.find(&task.name));
        live.contents.insert(content, Parts::of_patch(&patch));
    }

    /// The actions of a patch that no executor is registered for.
    fn nobody_does(&self, patch: &GraphSpec) -> Vec<String> {
        let actions = patch.tasks.iter().filter_map(|task| match &task.work {
            WorkSpec::Action { name, .. } => {
                let found = self.registry.find(&task.name, Some(name));
                found.is_none().then(|| name.clone())
            }
            WorkSpec::Milestone {} | WorkSpec::Question(_) => None,
        });
        actions.collect::<BTreeSet<_>>().into_iter().collect()
    }

    /// Whether the attempt is the one that its task works with.
    fn is_current(&self, Asker { key, task, attempt }: Asker) -> bool {
        let live = self.runs.get(&key);
        let flight = live.and_then(|live| live.attempts.get(&task));
        flight.is_some_and(|flight| flight.attempt == attempt)
    }

    /// The machine has decided something; the answer counts when that is saved.
    fn saving(&mut self, key: Key) -> Option<Saving> {
        let live = self.runs.get_mut(&key)?;
        let (ack, saving): (Ack, Saving) = oneshot::channel();
        live.acks.push(ack);
        Some(saving)
    }
}

/// What the graph's door says of a patch, as the executor gets it.
fn refused(problems: &Diagnostics) -> TaskError {
    let list: Vec<serde_json::Value> = problems
        .iter()
        .map(|one| {
            serde_json::json!({
                "code": one.code.text(),
                "task": one.task,
                "message": one.message,
                "help": one.help,
            })
        })
        .collect();
    TaskError::permanent(format!(
        "the run's graph does not take the patch: {problems}"
    ))
    .with_code("proposal_refused")
    .with_detail(serde_json::json!({ "problems": list }))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What an attempt hears whose note was taken, and then the run said this of saving it.
    async fn hears(said: Result<InputOutcome, RuntimeError>) -> Result<(), TaskError> {
        let (engine, mut messages) = mpsc::channel(1);
        let asker = Asker {
            key: 0,
            task: TaskId::from_index(0),
            attempt: Attempt::FIRST,
        };
        let door = Door {
            asker,
            engine: engine.downgrade(),
        };
        let run = async {
            let Some(Message::Ask { ask, .. }) = messages.recv().await else {
                panic!("the door asks");
            };
            let Ask::Note(_, reply) = ask else {
                panic!("it asks for a note");
            };
            let (ack, saving) = oneshot::channel();
            drop(reply.send(Ok(((), Some(saving)))));
            drop(ack.send(said));
        };
        let note = Note::new(zeph_executor::NoteKind::Prompt, "x");
        let (heard, ()) = tokio::join!(door.note(note), run);
        heard
    }

    #[tokio::test]
    async fn what_a_run_left_without_saving_is_not_saved() {
        assert!(hears(Ok(InputOutcome::Accepted)).await.is_ok());
        for unsaved in [InputOutcome::Stale, InputOutcome::Rejected] {
            let error = hears(Ok(unsaved)).await.expect_err("it is not saved");
            assert_eq!(error.code(), "attempt_over");
        }
    }
}
