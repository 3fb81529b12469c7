//! The commit path: the decisions of all runs are one transaction; actions and answers follow it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use tokio::task::JoinHandle;
use zeph_graph::{Entry, Record, RunId, Seq};
use zeph_memory::{Commit, StoreError};
use zeph_scheduler::{Action, Batch, Input};

use crate::amendments::GraphChange;
use crate::core::Core;
use crate::error::RuntimeError;
use crate::event::RunEvent;
use crate::message::{Key, PendingReply};
use crate::snapshot::RunSnapshot;
use crate::write::{Written, write};

/// A commit in flight, and the decisions that wait for it.
pub(crate) struct CommitInFlight {
    outcome: JoinHandle<Written>,
    runs: Vec<Pending>,
}

/// The decisions of one run that a commit in flight saves.
struct Pending {
    key: Key,
    batch: Batch,
    acks: Vec<PendingReply>,
    /// The error texts that events of the batch show.
    errors: BTreeMap<Seq, Arc<str>>,
    /// The runs whose results the batch supplies.
    origins: BTreeMap<Seq, Arc<str>>,
    /// What the patches of the batch change.
    changes: BTreeMap<Seq, Box<GraphChange>>,
    /// The run after the batch; its scheduler may have moved on when the batch is saved.
    snapshot: Arc<RunSnapshot>,
}

impl Core {
    /// Sends the decisions of all runs since the last commit to the store, unless one is in flight.
    pub(crate) fn begin_commit(&mut self) {
        self.retry_reservations();
        if self.commit.is_some() {
            return;
        }
        let mut commit = Commit::default();
        let mut runs = Vec::new();
        let mut keys: BTreeSet<Key> = std::mem::take(&mut self.dirty);
        if self.slots_used < self.config.limits.max_parallel {
            keys.extend(&self.awaiting_slots);
        }
        for key in keys {
            match self.step(key, &mut commit) {
                Some(pending) => runs.push(pending),
                // It may have left the queue of its group.
                None => self.unload_if_over(key),
            }
        }
        if runs.is_empty() && commit.drafts.is_empty() && commit.settled.is_empty() {
            return;
        }
        let write = write(Arc::clone(&self.config.store), commit, self.config.fence);
        let outcome = tokio::spawn(write);
        self.commit = Some(CommitInFlight { outcome, runs });
    }

    /// Makes a run's decisions, limited by the free slots, and adds them to the commit.
    fn step(&mut self, key: Key, commit: &mut Commit) -> Option<Pending> {
        let free = self
            .config
            .limits
            .max_parallel
            .saturating_sub(self.slots_used);
        let active = self.runs.get_mut(&key)?;
        let before = active.scheduler.counts().in_flight();
        // Attempts that start now get the current time, so their time-outs do not include the last save.
        let quota = Input::Quota(before.saturating_add(free));
        let now = active.now(self.config.clock);
        active.scheduler.handle(now, quota);
        active.offer_slots(now);
        let batch = active.scheduler.step();
        let after = active.scheduler.counts().in_flight();
        self.slots_used = self.slots_used + after - before;
        if active.scheduler.ready_count() > 0 {
            self.awaiting_slots.insert(key);
        } else {
            self.awaiting_slots.remove(&key);
        }
        commit.drafts.append(&mut active.drafts);
        // Also without a record: who posted a request that has no effect waits for its end.
        commit.settled.append(&mut active.settled);
        let deadline = active.deadline();
        let acks = std::mem::take(&mut active.acks);
        let pending = match batch {
            Some(batch) => {
                let sealed = active.seal(&batch);
                commit.appends.push(sealed.append);
                commit.results.extend(sealed.results);
                let snapshot = active.snapshot_after(batch.entries());
                Some(Pending {
                    key,
                    batch,
                    acks,
                    errors: sealed.errors,
                    origins: sealed.origins,
                    changes: sealed.changes,
                    snapshot,
                })
            }
            None => {
                for (ack, outcome) in acks {
                    let _ = ack.send(outcome);
                }
                None
            }
        };
        self.set_deadline(key, deadline);
        self.settle_slots(key);
        pending
    }

    pub(crate) fn after_commit(&mut self, written: Written) {
        let Some(commit) = self.commit.take() else {
            return;
        };
        if let Some(error) = written.failed {
            let is_saved = |pending: &Pending| {
                let active = self.runs.get(&pending.key);
                active.is_some_and(|active| written.saved.contains(active.chain.run()))
            };
            let (saved, lost): (Vec<_>, Vec<_>) = commit.runs.into_iter().partition(is_saved);
            for pending in saved {
                let key = pending.key;
                // The actions are omitted: the run is closed next.
                drop(self.publish(pending));
                self.unload_if_over(key);
            }
            self.close(&error, lost);
            return;
        }
        let mut refused: BTreeMap<RunId, StoreError> = written.refused.into_iter().collect();
        for pending in commit.runs {
            let run = self.runs.get(&pending.key);
            let run = run.map(|active| active.chain.run().clone());
            match run.and_then(|run| Some((refused.remove(&run)?, run))) {
                // The name is taken, or another process has adopted the run.
                Some((error, run)) => {
                    let error = RuntimeError::store(&run, error);
                    self.cut_off(pending.key, &error.to_string(), pending.acks, &error);
                }
                None => self.saved(pending),
            }
        }
    }

    fn saved(&mut self, pending: Pending) {
        let key = pending.key;
        let batch = self.publish(pending);
        let Some(active) = self.runs.get_mut(&key) else {
            return;
        };
        for action in active.scheduler.saved(batch) {
            match action {
                Action::Prepare { task } => self.prepare(key, task),
                Action::Start { task, attempt } => self.start(key, task, attempt),
                Action::Cancel { task, attempt } => self.stop(key, task, attempt, false),
                Action::Abandon { task, attempt } => self.stop(key, task, attempt, true),
                // Observers see these in their events and in the snapshot.
                Action::Ask { .. } | Action::Suspended | Action::Ended(_) => {}
            }
        }
        self.unload_if_over(key);
    }

    /// Tells observers and callers that a batch is saved; returns it.
    fn publish(&mut self, pending: Pending) -> Batch {
        let Pending {
            key,
            batch,
            acks,
            mut errors,
            mut origins,
            mut changes,
            snapshot,
        } = pending;
        let Some(active) = self.runs.get_mut(&key) else {
            return batch;
        };
        active.evict_outputs(batch.entries());
        active.snapshot.send_replace(Arc::clone(&snapshot));
        let is_observed = active.events.receiver_count() > 0;
        let is_logged = tracing::enabled!(tracing::Level::DEBUG);
        let last = batch.entries().last().map(|entry| entry.seq);
        for entry in batch.entries() {
            if is_observed || is_logged {
                let mut event = active.event_log.event(entry, active.scheduler.graph());
                event.ends_commit = Some(entry.seq) == last;
                tracing::debug!(run = %active.chain.run(), seq = entry.seq.get(), "{event}");
                let _ = active.events.send(RunEvent::Saved {
                    event,
                    error: errors.remove(&entry.seq),
                    question: asked(entry, &snapshot).map(Box::new),
                    from: origins.remove(&entry.seq),
                    change: changes.remove(&entry.seq),
                });
            } else {
                active.event_log.skip(entry);
            }
        }
        for (ack, outcome) in acks {
            let _ = ack.send(outcome);
        }
        batch
    }

    /// Unloads a run that is suspended or has ended, once all its decisions are saved.
    fn unload_if_over(&mut self, key: Key) {
        let Some(active) = self.runs.get(&key) else {
            return;
        };
        let is_over = active.is_over();
        if is_over && active.scheduler.has_unsaved() {
            self.dirty.insert(key);
        } else if is_over {
            self.unload(key, None);
        }
    }

    /// The journal cannot be written: nothing new starts, and running attempts are canceled.
    fn close(&mut self, error: &StoreError, committing: Vec<Pending>) {
        let reason = error.to_string();
        tracing::error!(%reason, "the journal cannot be written; all runs are suspended");
        self.config.closed.send_replace(Some(reason.clone()));
        let closed = RuntimeError::Closed {
            reason: reason.clone(),
        };
        for pending in committing {
            self.cut_off(pending.key, &reason, pending.acks, &closed);
        }
        let keys: Vec<Key> = self.runs.keys().copied().collect();
        for key in keys {
            self.cut_off(key, &reason, Vec::new(), &closed);
        }
    }

    /// Unloads a run whose decisions cannot be saved. What was saved before is kept.
    fn cut_off(&mut self, key: Key, reason: &str, acks: Vec<PendingReply>, error: &RuntimeError) {
        let Some(active) = self.runs.get_mut(&key) else {
            return;
        };
        for (ack, _) in acks.into_iter().chain(std::mem::take(&mut active.acks)) {
            let _ = ack.send(Err(error.clone()));
        }
        self.unload(key, Some(reason.to_owned()));
    }
}

/// The question that a record asks, if it is still open after its batch.
fn asked(entry: &Entry, snapshot: &RunSnapshot) -> Option<crate::QuestionView> {
    let Record::Asked { question, .. } = entry.record else {
        return None;
    };
    // Their numbers ascend.
    let open = &snapshot.questions;
    let found = open.binary_search_by_key(&question.get(), |open| open.id);
    found.ok().map(|index| open[index].clone())
}

/// The outcome of the commit in flight; never resolves when there is none.
pub(crate) async fn committed(commit: &mut Option<CommitInFlight>) -> Written {
    match commit {
        Some(commit) => match (&mut commit.outcome).await {
            Ok(written) => written,
            Err(error) => Written::failed(StoreError::io("commit", error)),
        },
        None => std::future::pending().await,
    }
}
