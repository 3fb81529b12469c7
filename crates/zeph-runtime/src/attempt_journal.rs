//! The journal for a running attempt: budget, notes and patches. Each call returns when its effect is saved.

use std::collections::BTreeSet;

use tokio::sync::{mpsc, oneshot};
use zeph_executor::{
    Journal, Note, Proposal, Proposed, Reservation, ReservationRequest, TaskError, async_trait,
};
use zeph_graph::wire::{Diagnostics, GraphSpec, TaskSpec, WorkSpec};
use zeph_graph::{Budget, ManualEnd, ReservationId, SkipWhy, Spend, TaskId, TaskState};
use zeph_scheduler::{Amendment, Input, InputOutcome, Proposer};

use crate::actor::Actor;
use crate::content::ContentParts;
use crate::core::Core;
use crate::driver;
use crate::interrupted::InterruptedNotes;
use crate::message::{Ack, AttemptRef, JournalReply, JournalRequest, Key, Message, Saving};
use crate::waiting_reservations::Granted;

/// The journal of a run, for one of its attempts.
#[derive(Debug)]
pub(crate) struct AttemptJournal {
    pub(crate) attempt: AttemptRef,
    /// Weak, so that an executor that keeps its context does not keep the engine alive.
    pub(crate) engine: mpsc::WeakSender<Message>,
    /// What the attempts before this one left behind.
    pub(crate) interrupted: Option<InterruptedNotes>,
}

impl AttemptJournal {
    async fn request<T>(
        &self,
        request: impl FnOnce(oneshot::Sender<JournalReply<T>>) -> JournalRequest,
    ) -> Result<T, TaskError> {
        let engine = self.engine.upgrade().ok_or_else(attempt_over)?;
        let (reply, replied) = oneshot::channel();
        let message = Message::Journal {
            from: self.attempt,
            request: request(reply),
        };
        engine.send(message).await.map_err(|_| attempt_over())?;
        drop(engine);
        let (answer, saving) = replied.await.map_err(|_| attempt_over())??;
        let Some(saving) = saving else {
            return Ok(answer);
        };
        match saving.await {
            Ok(Ok(InputOutcome::Accepted)) => Ok(answer),
            // The run was unloaded before the request was saved.
            Ok(Ok(InputOutcome::Stale | InputOutcome::Rejected)) | Err(_) => Err(attempt_over()),
            Ok(Err(error)) => Err(attempt_over().with_source(error)),
        }
    }
}

#[async_trait]
impl Journal for AttemptJournal {
    async fn reserve_up_to(&self, request: ReservationRequest) -> Result<Reservation, TaskError> {
        let granted = self.request(|reply| JournalRequest::Reserve(request, reply));
        granted.await.map(Granted::keep)
    }

    async fn settle(&self, reservation: ReservationId, spent: Spend) -> Result<(), TaskError> {
        self.request(|reply| JournalRequest::Settle(reservation, spent, reply))
            .await
    }

    async fn left(&self) -> Result<Budget, TaskError> {
        self.request(JournalRequest::BudgetLeft).await
    }

    async fn note(&self, note: Note) -> Result<(), TaskError> {
        note.check_size()?;
        self.request(|reply| JournalRequest::Note(note, reply))
            .await
    }

    async fn interrupted(&self) -> Result<Vec<Note>, TaskError> {
        match &self.interrupted {
            Some(notes) => notes.read().await,
            None => Ok(Vec::new()),
        }
    }

    async fn propose_after(&self, earlier: u32, patch: GraphSpec) -> Result<Proposal, TaskError> {
        self.request(|reply| JournalRequest::Propose(earlier, Box::new(patch), reply))
            .await
    }

    async fn proposed(&self) -> Result<Proposed, TaskError> {
        self.request(JournalRequest::Proposed).await
    }

    async fn withdraw(&self, tasks: &[String], why: &str) -> Result<(), TaskError> {
        self.request(|reply| JournalRequest::Withdraw(tasks.to_vec(), why.to_owned(), reply))
            .await
    }
}

/// The error of a request whose attempt is not the current one, or whose run has been unloaded.
pub(crate) fn attempt_over() -> TaskError {
    TaskError::cancelled("the attempt is over: its run accepts no more requests from it")
        .with_code("attempt_over")
}

impl Core {
    /// Handles a journal request from a running attempt. The request takes effect even if the caller
    /// has dropped its future, except for a reservation, which is then given back.
    pub(crate) fn journal_request(&mut self, from: AttemptRef, request: JournalRequest) {
        match request {
            JournalRequest::Reserve(request, reply) => self.reserve(from, request, reply),
            JournalRequest::Settle(reservation, spent, reply) => {
                drop(reply.send(self.settle(from, reservation, spent)));
            }
            JournalRequest::BudgetLeft(reply) => {
                let active = self.runs.get(&from.key);
                let active = active.filter(|_| self.is_current(from));
                let left = active.map(|active| active.scheduler.left(from.task));
                drop(reply.send(left.map(|left| (left, None)).ok_or_else(attempt_over)));
            }
            JournalRequest::Note(note, reply) => drop(reply.send(self.note(from, &note))),
            JournalRequest::Propose(earlier, patch, reply) => {
                drop(reply.send(self.propose(from, earlier, *patch)));
            }
            JournalRequest::Proposed(reply) => drop(reply.send(self.proposed(from))),
            JournalRequest::Withdraw(tasks, why, reply) => {
                drop(reply.send(self.withdraw(from, &tasks, why)));
            }
        }
    }

    fn settle(
        &mut self,
        from: AttemptRef,
        reservation: ReservationId,
        spent: Spend,
    ) -> JournalReply<()> {
        let AttemptRef { key, task, attempt } = from;
        let settled = self.update(key, |active, now| {
            active
                .scheduler
                .settle(now, task, attempt, reservation, spent)
        });
        self.forget_independent(key, (task, reservation));
        match settled.ok_or_else(attempt_over)? {
            InputOutcome::Accepted => Ok(((), self.saving(key))),
            InputOutcome::Stale if self.is_current(from) => Ok(((), None)),
            InputOutcome::Stale | InputOutcome::Rejected => Err(attempt_over()),
        }
    }

    fn note(&mut self, from: AttemptRef, note: &Note) -> JournalReply<()> {
        let AttemptRef { key, task, attempt } = from;
        let parts = ContentParts::of_note(note, self.config.redact.as_deref());
        let noted = self.update(key, |active, now| {
            let content = active.contents.intern(parts);
            let outcome = active.scheduler.note(now, task, attempt, content);
            if outcome != InputOutcome::Accepted {
                active.contents.forget(content);
            }
            outcome
        });
        match noted.ok_or_else(attempt_over)? {
            InputOutcome::Accepted => Ok(((), self.saving(key))),
            InputOutcome::Stale | InputOutcome::Rejected => Err(attempt_over()),
        }
    }

    fn propose(
        &mut self,
        from: AttemptRef,
        after: u32,
        patch: GraphSpec,
    ) -> JournalReply<Proposal> {
        let AttemptRef { key, task, attempt } = from;
        let missing = self.missing_executors(&patch);
        if !missing.is_empty() && self.runs.contains_key(&key) {
            let names = missing.join(", ");
            let message = format!("no executor is registered for: {names}");
            let error = TaskError::permanent(message).with_code("proposal_refused");
            return Err(error.with_detail(serde_json::json!({ "missing_executors": missing })));
        }
        let amended = self.update(key, |active, now| {
            let proposer = Proposer {
                task,
                attempt,
                after,
            };
            active.amend(patch, |scheduler, content, patch| {
                scheduler.amend(now, proposer, content, patch)
            })
        });
        match amended.ok_or_else(attempt_over)? {
            Ok(Amendment::Added { .. }) => Ok((Proposal::Added, self.saving(key))),
            Ok(Amendment::AlreadyAmended) => Ok((Proposal::Already, None)),
            Ok(Amendment::Stale | Amendment::Outdated { .. }) => Err(attempt_over()),
            Err(problems) => Err(patch_refused(&problems)),
        }
    }

    fn proposed(&self, from: AttemptRef) -> JournalReply<Proposed> {
        let active = self.runs.get(&from.key);
        let active = active.filter(|_| self.is_current(from));
        let scheduler = &active.ok_or_else(attempt_over)?.scheduler;
        let is_gone = |id: &TaskId| {
            let why = SkipWhy::Withdrawn;
            scheduler.graph().is_removed(*id)
                || scheduler.task(*id).state() == TaskState::Skipped { why }
        };
        let (gone, tasks): (Vec<_>, Vec<_>) = scheduler.proposed(from.task).partition(is_gone);
        let proposed = Proposed {
            count: scheduler.proposals(from.task),
            tasks: (tasks.into_iter())
                .map(|id| TaskSpec::of(scheduler.graph(), id))
                .collect(),
            gone: (gone.into_iter())
                .map(|id| scheduler.graph().written_name(id).to_owned())
                .collect(),
        };
        Ok((proposed, None))
    }

    /// Skips tasks that the attempt's task has proposed.
    fn withdraw(&mut self, from: AttemptRef, tasks: &[String], why: String) -> JournalReply<()> {
        if !self.is_current(from) {
            return Err(attempt_over());
        }
        let withdrawn = self.update(from.key, |active, now| {
            let graph = active.scheduler.graph();
            let is_named =
                |task: &TaskId| tasks.iter().any(|name| name == graph.task(*task).name());
            let own = active.scheduler.proposed(from.task).filter(is_named);
            let by = Actor::of_task(graph.task(from.task).name(), why);
            let own: Vec<TaskId> = own.collect();
            // A dependent ends before what it depends on, whose end is then not the reason for its own.
            for task in own.into_iter().rev() {
                if !active.scheduler.can_be_given_end(task) {
                    continue;
                }
                let by = Some(active.contents.intern(ContentParts::of_actor(&by)));
                let end = ManualEnd::Withdraw;
                active
                    .scheduler
                    .handle(now, Input::Override { task, end, by });
            }
        });
        withdrawn.ok_or_else(attempt_over)?;
        Ok(((), self.saving(from.key)))
    }

    /// The actions of a patch that no executor is registered for, each once.
    pub(crate) fn missing_executors(&self, patch: &GraphSpec) -> Vec<String> {
        let actions = patch.tasks.iter().filter_map(|task| match &task.work {
            WorkSpec::Action { name, .. } => {
                let found = self.config.registry.find(&task.name, Some(name));
                found.is_none().then(|| name.clone())
            }
            WorkSpec::Milestone {} | WorkSpec::Question(_) => {
                let is_prepared = task.prepare.is_some();
                let found = self.config.registry.find(&task.name, Some(driver::PREPARE));
                (is_prepared && found.is_none()).then(|| driver::PREPARE.to_owned())
            }
        });
        actions.collect::<BTreeSet<_>>().into_iter().collect()
    }

    /// Whether the attempt is its task's current one.
    pub(crate) fn is_current(&self, AttemptRef { key, task, attempt }: AttemptRef) -> bool {
        let active = self.runs.get(&key);
        let handle = active.and_then(|active| active.attempts.get(&task));
        handle.is_some_and(|handle| handle.attempt == attempt)
    }

    /// Resolves when the decisions of the run so far are saved.
    pub(crate) fn saving(&mut self, key: Key) -> Option<Saving> {
        let active = self.runs.get_mut(&key)?;
        let (ack, saving): (Ack, Saving) = oneshot::channel();
        active.acks.push((ack, Ok(InputOutcome::Accepted)));
        Some(saving)
    }
}

/// The problems of a patch, as an error for the executor.
fn patch_refused(problems: &Diagnostics) -> TaskError {
    let list: Vec<serde_json::Value> = problems
        .iter()
        .map(|one| {
            serde_json::json!({
                "code": one.code.text(),
                "task": one.subject,
                "message": one.message,
                "help": one.help,
            })
        })
        .collect();
    TaskError::permanent(format!(
        "the run's graph does not accept the patch: {problems}"
    ))
    .with_code("proposal_refused")
    .with_detail(serde_json::json!({ "problems": list }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::RuntimeError;
    use zeph_graph::{Attempt, TaskId};

    /// The result of a note that was decided on, when the run's save then ends with `outcome`.
    async fn note_result(outcome: Result<InputOutcome, RuntimeError>) -> Result<(), TaskError> {
        let (engine, mut messages) = mpsc::channel(1);
        let journal = AttemptJournal {
            attempt: AttemptRef {
                key: 0,
                task: TaskId::from_index(0),
                attempt: Attempt::FIRST,
            },
            engine: engine.downgrade(),
            interrupted: None,
        };
        let run = async {
            let Some(Message::Journal { request, .. }) = messages.recv().await else {
                panic!("expected a journal request");
            };
            let JournalRequest::Note(_, reply) = request else {
                panic!("expected a note");
            };
            let (ack, saving) = oneshot::channel();
            drop(reply.send(Ok(((), Some(saving)))));
            drop(ack.send(outcome));
        };
        let note = Note::new(zeph_executor::NoteKind::Prompt, "x");
        let (result, ()) = tokio::join!(journal.note(note), run);
        result
    }

    #[tokio::test]
    async fn a_note_that_the_run_did_not_save_is_an_error() {
        assert!(note_result(Ok(InputOutcome::Accepted)).await.is_ok());
        for unsaved in [InputOutcome::Stale, InputOutcome::Rejected] {
            let error = note_result(Ok(unsaved)).await.expect_err("is not saved");
            assert_eq!(error.code(), "attempt_over");
        }
    }
}
