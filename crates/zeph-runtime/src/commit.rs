//! The one commit path: what all runs have decided is one transaction, and only then are the actions
//! performed and the waiting told.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use tokio::task::JoinHandle;
use zeph_graph::{Entry, RunId, RunState};
use zeph_memory::{Commit, StoreError};
use zeph_scheduler::{Action, Batch, Event, Input, InputOutcome};

use crate::core::{Core, Key};
use crate::error::RuntimeError;
use crate::event::RunEvent;
use crate::handle::RunSnapshot;
use crate::live::Ack;
use crate::write::{Written, write};

/// A commit in flight, and the decisions that wait for it.
pub(crate) struct Committing {
    pub(crate) outcome: JoinHandle<Written>,
    pub(crate) runs: Vec<Waiting>,
}

/// What one run waits for while a commit is in flight.
pub(crate) struct Waiting {
    key: Key,
    batch: Batch,
    acks: Vec<Ack>,
    /// The run as it will be once the batch is saved; the machine may move on meanwhile.
    snapshot: Arc<RunSnapshot>,
}

impl Core {
    /// Gathers what the runs have decided and sends it to the store, unless a commit is in flight.
    pub(crate) fn turn(&mut self) {
        if self.commit.is_some() {
            return;
        }
        let mut commit = Commit::default();
        let mut runs = Vec::new();
        let mut keys: BTreeSet<Key> = std::mem::take(&mut self.touched);
        if self.slots_used < self.limits.max_parallel {
            keys.extend(&self.wanting);
        }
        for key in keys {
            let free = self.limits.max_parallel.saturating_sub(self.slots_used);
            let Some(live) = self.runs.get_mut(&key) else {
                continue;
            };
            let before = live.scheduler.counts().in_flight();
            // What starts now is dated now: waiting for the disk is not charged to an attempt.
            let quota = Input::Quota(before.saturating_add(free));
            live.scheduler.handle(live.now(self.clock), quota);
            let batch = live.scheduler.step();
            let after = live.scheduler.counts().in_flight();
            self.slots_used = self.slots_used + after - before;
            if live.scheduler.wanted() > 0 {
                self.wanting.insert(key);
            } else {
                self.wanting.remove(&key);
            }
            let deadline = live.deadline();
            let acks = std::mem::take(&mut live.acks);
            let Some(batch) = batch else {
                for ack in acks {
                    let _ = ack.send(Ok(InputOutcome::Accepted));
                }
                self.set_deadline(key, deadline);
                continue;
            };
            commit.appends.push(live.seal(&batch));
            commit.settled.append(&mut live.settled);
            let snapshot = live.snapshot_after(batch.entries());
            runs.push(Waiting {
                key,
                batch,
                acks,
                snapshot,
            });
            self.set_deadline(key, deadline);
        }
        if runs.is_empty() {
            return;
        }
        let write = write(Arc::clone(&self.store), commit, self.fence);
        let outcome = tokio::spawn(write);
        self.commit = Some(Committing { outcome, runs });
    }

    pub(crate) fn after_commit(&mut self, written: Written) {
        let Some(commit) = self.commit.take() else {
            return;
        };
        if let Some(error) = written.failed {
            self.close(&error, commit.runs);
            return;
        }
        let mut lost: BTreeMap<RunId, StoreError> = written.lost.into_iter().collect();
        for waiting in commit.runs {
            let run = self
                .runs
                .get(&waiting.key)
                .map(|live| live.chain.run().clone());
            match run.and_then(|run| Some((lost.remove(&run)?, run))) {
                // Only this run is concerned: its name is taken, or somebody took it over.
                Some((error, run)) => {
                    let told = RuntimeError::store(&run, error);
                    self.lose(waiting.key, &told.to_string(), waiting.acks, &told);
                }
                None => self.saved(waiting),
            }
        }
    }

    fn saved(&mut self, waiting: Waiting) {
        let Waiting {
            key,
            batch,
            acks,
            snapshot,
        } = waiting;
        let Some(live) = self.runs.get_mut(&key) else {
            return;
        };
        let entries: Vec<Entry> = batch.entries().to_vec();
        let actions = live.scheduler.saved(batch);
        live.forget_outputs(&entries);
        live.snapshot.send_replace(snapshot);
        if live.events.receiver_count() > 0 {
            for entry in &entries {
                let event = Event::of(entry, live.scheduler.graph());
                let _ = live.events.send(RunEvent::Saved(event));
            }
        }
        for ack in acks {
            let _ = ack.send(Ok(InputOutcome::Accepted));
        }
        for action in actions {
            match action {
                Action::Start { task, attempt } => self.start(key, task, attempt),
                Action::Cancel { task, attempt } => self.stop(key, task, attempt, false),
                Action::Abandon { task, attempt } => self.stop(key, task, attempt, true),
                // Observers see the question in its record, and in the snapshot; the rest below.
                Action::Ask { .. } | Action::Suspended | Action::Ended(_) => {}
            }
        }
        self.leave_if_over(key);
    }

    /// A run that is at rest or at its end leaves, once all that it has decided is saved.
    fn leave_if_over(&mut self, key: Key) {
        let Some(live) = self.runs.get(&key) else {
            return;
        };
        let over = matches!(
            live.scheduler.state(),
            RunState::Suspended | RunState::Ended(_)
        );
        if over && live.scheduler.has_unsaved() {
            self.touched.insert(key);
        } else if over {
            self.leave(key, None);
        }
    }

    /// The journal cannot be written: nothing new starts, running work is told to end.
    fn close(&mut self, error: &StoreError, committing: Vec<Waiting>) {
        let reason = error.to_string();
        tracing::error!(%reason, "the journal cannot be written; all runs are suspended");
        self.closed.send_replace(Some(reason.clone()));
        let told = RuntimeError::Closed {
            reason: reason.clone(),
        };
        for waiting in committing {
            self.lose(waiting.key, &reason, waiting.acks, &told);
        }
        let keys: Vec<Key> = self.runs.keys().copied().collect();
        for key in keys {
            self.lose(key, &reason, Vec::new(), &told);
        }
    }

    /// A run whose journal is behind its machine: what it does is stopped, what is saved is kept.
    fn lose(&mut self, key: Key, reason: &str, acks: Vec<Ack>, told: &RuntimeError) {
        let Some(live) = self.runs.get_mut(&key) else {
            return;
        };
        for ack in acks.into_iter().chain(std::mem::take(&mut live.acks)) {
            let _ = ack.send(Err(told.clone()));
        }
        self.leave(key, Some(reason.to_owned()));
    }
}

/// The outcome of the commit in flight; pending for ever when there is none.
pub(crate) async fn committed(commit: &mut Option<Committing>) -> Written {
    match commit {
        Some(commit) => match (&mut commit.outcome).await {
            Ok(written) => written,
            Err(error) => Written::failed(StoreError::io("commit", error)),
        },
        None => std::future::pending().await,
    }
}
