//! The one commit path: what all runs have decided is one transaction, and only then are the actions
//! performed and the waiting told.

use std::collections::BTreeSet;
use std::sync::Arc;

use tokio::task::JoinHandle;
use zeph_graph::Entry;
use zeph_memory::{Commit, StoreError};
use zeph_scheduler::{Action, Batch, Event, Input, Reception};

use crate::core::{Core, Key};
use crate::error::RuntimeError;
use crate::event::RunEvent;
use crate::live::Ack;

/// A commit in flight, and the decisions that wait for it.
pub(crate) struct Committing {
    pub(crate) outcome: JoinHandle<Result<(), StoreError>>,
    pub(crate) runs: Vec<(Key, Batch, Vec<Ack>)>,
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
            // A run that is being created may be refused; nobody else's decisions ride along.
            if live.genesis.is_some() && !runs.is_empty() {
                self.touched.insert(key);
                continue;
            }
            let before = live.scheduler.counts().in_flight();
            // What starts now is dated now: waiting for the disk is not charged to an attempt.
            let quota = Input::Quota(before.saturating_add(free));
            live.scheduler.handle(self.clock.now(), quota);
            let batch = live.scheduler.step();
            let after = live.scheduler.counts().in_flight();
            self.slots_used = self.slots_used + after - before;
            if live.scheduler.wanted() > 0 {
                self.wanting.insert(key);
            } else {
                self.wanting.remove(&key);
            }
            let deadline = live.scheduler.deadline();
            let acks = std::mem::take(&mut live.acks);
            let Some(batch) = batch else {
                for ack in acks {
                    let _ = ack.send(Ok(Reception::Taken));
                }
                self.set_deadline(key, deadline);
                continue;
            };
            let creating = live.genesis.is_some();
            commit.appends.push(live.seal(&batch));
            commit.settled.append(&mut live.settled);
            runs.push((key, batch, acks));
            self.set_deadline(key, deadline);
            if creating {
                break;
            }
        }
        if runs.is_empty() {
            return;
        }
        let (store, fence) = (Arc::clone(&self.store), self.fence);
        let outcome = tokio::spawn(async move { store.commit(commit, fence).await });
        self.commit = Some(Committing { outcome, runs });
    }

    pub(crate) fn after_commit(&mut self, outcome: Result<(), StoreError>) {
        let Some(commit) = self.commit.take() else {
            return;
        };
        match outcome {
            Ok(()) => {
                for (key, batch, acks) in commit.runs {
                    self.saved(key, batch, acks);
                }
            }
            // Only the run that was to be created is concerned: it is alone in its commit.
            Err(StoreError::Exists { run }) => {
                let error = RuntimeError::store(&run, StoreError::Exists { run: run.clone() });
                for (key, _, acks) in commit.runs {
                    self.lose(key, &error.to_string(), acks, &error);
                }
            }
            // Somebody took a run of this group over. The others of the group are whole in the store,
            // and can be resumed; the rest of the engine goes on.
            Err(error @ StoreError::Fenced { .. }) => {
                let reason = error.to_string();
                let told = RuntimeError::Closed {
                    reason: reason.clone(),
                };
                for (key, _, acks) in commit.runs {
                    self.lose(key, &reason, acks, &told);
                }
            }
            Err(error) => self.close(&error, commit.runs),
        }
    }

    pub(crate) fn saved(&mut self, key: Key, batch: Batch, acks: Vec<Ack>) {
        let Some(live) = self.runs.get_mut(&key) else {
            return;
        };
        let entries: Vec<Entry> = batch.entries().to_vec();
        let actions = live.scheduler.saved(batch);
        live.forget_outputs(&entries);
        live.publish_pulse();
        if live.events.receiver_count() > 0 {
            for entry in &entries {
                let event = Event::of(entry, live.scheduler.graph());
                let _ = live.events.send(RunEvent::Saved(event));
            }
        }
        for ack in acks {
            let _ = ack.send(Ok(Reception::Taken));
        }
        let mut leaves = false;
        for action in actions {
            match action {
                Action::Start { task, attempt } => self.start(key, task, attempt),
                Action::Cancel { task, attempt } => self.stop(key, task, attempt, false),
                Action::Abandon { task, attempt } => self.stop(key, task, attempt, true),
                // Observers see the question in its record, and in the pulse.
                Action::Ask { .. } => {}
                Action::Suspended | Action::Ended(_) => leaves = true,
            }
        }
        if leaves {
            self.leave(key, None);
        }
    }

    /// The journal cannot be written: nothing new starts, running work is told to end.
    fn close(&mut self, error: &StoreError, committing: Vec<(Key, Batch, Vec<Ack>)>) {
        let reason = error.to_string();
        tracing::error!(%reason, "the journal cannot be written; all runs are suspended");
        self.closed.send_replace(Some(reason.clone()));
        let told = RuntimeError::Closed {
            reason: reason.clone(),
        };
        for (key, _, acks) in committing {
            self.lose(key, &reason, acks, &told);
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
pub(crate) async fn committed(commit: &mut Option<Committing>) -> Result<(), StoreError> {
    match commit {
        Some(commit) => match (&mut commit.outcome).await {
            Ok(outcome) => outcome,
            Err(error) => Err(StoreError::io("commit", error)),
        },
        None => std::future::pending().await,
    }
}
