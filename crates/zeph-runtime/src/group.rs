//! Groups: a run of a group works while it holds the lock of the group, and waits for it suspended.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use zeph_graph::{Group, OnConflict, RunId, RunState, TaskGraph};
use zeph_scheduler::{Input, InputOutcome, Scope};

use crate::active_run::ActiveRun;
use crate::actor::{Actor, is_in_task_of};
use crate::control::ask;
use crate::core::Core;
use crate::engine::Engine;
use crate::error::RuntimeError;
use crate::event::RunEvent;
use crate::message::{Key, Message, Outcome, call};
use crate::named_lock::{LockGuard, LockName};
use crate::request::{AttributedRequest, Request};

/// A holder writes its name right after it has taken a lock.
const HOLDER_TRIES: u32 = 50;
const HOLDER_WAIT: Duration = Duration::from_millis(20);

/// The group of an active run.
#[derive(Debug)]
pub(crate) enum GroupTurn {
    /// The run works. Other runs of the group wait until this is dropped.
    Holds { _lock: LockGuard },
    /// Another run of the group works.
    Waits { group: Group },
}

impl Engine {
    /// Takes the group of a run, or decides to wait for it.
    ///
    /// # Errors
    /// If the run is not to wait, if it is started by a task of the run that holds the group, or if the lock cannot
    /// be used.
    pub(crate) async fn group_turn(
        &self,
        run: &RunId,
        graph: &TaskGraph,
    ) -> Result<Option<GroupTurn>, RuntimeError> {
        let Some(group) = Group::of(graph) else {
            return Ok(None);
        };
        let name = LockName::of_group(group.name());
        let lock = self.locks.try_lock(&name, run.as_str());
        let lock = lock.map_err(|error| lock_failed(run, &group, error))?;
        if let Some(lock) = lock {
            return Ok(Some(GroupTurn::Holds { _lock: lock }));
        }
        let holder = self.holder(&name).await;
        let busy = || RuntimeError::GroupBusy {
            group: group.name().to_owned(),
            holder: holder.clone(),
        };
        match (&holder, group.on_conflict) {
            // It would wait for itself.
            (Some(holder), _) if is_in_task_of(holder) => return Err(busy()),
            (_, OnConflict::Refuse) => return Err(busy()),
            (Some(holder), OnConflict::CancelRunning) => self.cancel_holder(holder).await?,
            (None, OnConflict::CancelRunning) | (_, OnConflict::Queue) => {}
        }
        Ok(Some(GroupTurn::Waits { group }))
    }

    /// The run that holds a lock which could not be taken a moment ago.
    async fn holder(&self, name: &LockName) -> Option<RunId> {
        for _ in 0..HOLDER_TRIES {
            if let Some(Ok(run)) = self.locks.holder(name).map(|text| text.parse()) {
                return Some(run);
            }
            tokio::time::sleep(HOLDER_WAIT).await;
        }
        None
    }

    async fn cancel_holder(&self, run: &RunId) -> Result<(), RuntimeError> {
        let cancel = Request::Cancel {
            task: None,
            downstream: false,
        };
        let request = AttributedRequest {
            request: cancel.clone(),
            by: Some(Actor::this_process()),
            replaces: None,
        };
        let message = |ack| Message::Request {
            run: run.clone(),
            request,
            ack,
        };
        let here = call(&self.messages, run, message).await?;
        let asked = match (here, &self.owners) {
            (Err(RuntimeError::Gone { .. }), Some(owners)) => {
                let now = self.clock.now();
                let asked = ask(&*self.store, Some(owners), run, &cancel, now).await;
                asked.map(drop)
            }
            (here, _) => here.map(drop),
        };
        match asked {
            // It has ended meanwhile.
            Err(RuntimeError::AlreadyEnded { .. } | RuntimeError::Gone { .. }) => Ok(()),
            asked => asked,
        }
    }
}

fn lock_failed(run: &RunId, group: &Group, error: io::Error) -> RuntimeError {
    RuntimeError::GroupLock {
        run: run.clone(),
        group: group.name().to_owned(),
        source: Arc::new(error),
    }
}

impl ActiveRun {
    /// Whether the run waits for another run of its group.
    pub(crate) const fn waits_for_group(&self) -> bool {
        matches!(self.group, Some(GroupTurn::Waits { .. }))
    }

    /// Whether the engine has nothing to do for the run any more.
    pub(crate) fn is_over(&self) -> bool {
        match self.scheduler.state() {
            RunState::Ended(_) => true,
            RunState::Suspended => !self.waits_for_group(),
            // It was opened to be resumed in its turn, and left the queue.
            RunState::Running | RunState::Paused | RunState::Waiting | RunState::Suspending => {
                self.scheduler.awaits_resume() && !self.waits_for_group()
            }
        }
    }
}

impl Core {
    /// Waits for the turn of a run that was opened.
    pub(crate) fn await_group(&mut self, key: Key) {
        // Its callers get their replies even if there is nothing to save.
        self.dirty.insert(key);
        let Some(active) = self.runs.get(&key) else {
            return;
        };
        let Some(GroupTurn::Waits { group }) = &active.group else {
            return;
        };
        let name = LockName::of_group(group.name());
        let _ = active.events.send(RunEvent::Waits {
            group: group.name().into(),
            holder: self.config.locks.holder(&name).map(Arc::from),
        });
        let (turns, run) = (self.turns.clone(), active.chain.run().to_string());
        let then = move |lock| {
            // Fails if the engine has ended.
            let _ = turns.send((key, lock));
        };
        self.config.locks.wait(name, run, then);
    }

    /// The turn of a run has come. A run that has left the queue does not need the lock.
    pub(crate) fn take_turn(&mut self, key: Key, lock: io::Result<LockGuard>) {
        let waits = |active: &&mut ActiveRun| active.waits_for_group();
        let Some(active) = self.runs.get_mut(&key).filter(waits) else {
            return;
        };
        match lock {
            Ok(lock) => {
                active.group = Some(GroupTurn::Holds { _lock: lock });
                self.handle(key, Input::Resume);
            }
            Err(error) => {
                active.group = None;
                active.store_error = Some(format!("the lock of its group: {error}"));
                self.dirty.insert(key);
            }
        }
    }

    /// A request to a run that waits for its group, and that is handled in another way than for a run at work.
    pub(crate) fn request_of_waiting(&mut self, key: Key, request: &Request) -> Option<Outcome> {
        let active = self.runs.get_mut(&key)?;
        if !active.waits_for_group() {
            return None;
        }
        match request {
            Request::Suspend => {
                active.group = None;
                self.dirty.insert(key);
                Some(Ok(InputOutcome::Accepted))
            }
            Request::Cancel { task: None, .. } => {
                active.group = None;
                self.handle(key, Input::Cancel(Scope::Run));
                // Its finalizers do not wait for a turn.
                self.handle(key, Input::Cancel(Scope::Run));
                // Attempts that a crash cut off are over.
                self.handle(key, Input::Resume);
                Some(Ok(InputOutcome::Accepted))
            }
            Request::Answer { .. }
            | Request::Complete { .. }
            | Request::Skip { .. }
            | Request::Amend { .. }
            | Request::Cancel { task: Some(_), .. }
            | Request::Pause
            | Request::Unpause
            | Request::Budget { .. } => None,
        }
    }
}
