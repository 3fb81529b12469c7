//! The core: one tokio task that owns all runs of an engine and the one commit path.
//!
//! Reports and requests are applied as they come; whenever no commit is in flight, what all runs have
//! decided since is written as one transaction; only then are the actions performed and the waiting
//! told. While a commit is in flight the next one gathers. Nothing is polled: the loop wakes for a
//! report, a request, a finished commit, or the earliest deadline.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use tokio::sync::mpsc;
use tokio::task::{Id, JoinError, JoinHandle, JoinSet};
use zeph_graph::{Answer, Attempt, Entry, Output, RunId, TaskId, Timestamp};
use zeph_memory::{Commit, Fence, RawGraphStore, RequestId, StoreError};
use zeph_scheduler::{Action, Batch, Event, Input, Reception, Scope};
use zeph_subagent::{Logs, Registry, Stop, TaskContext};

use crate::answer::{self, Verdict};
use crate::attempt::{Job, Report};
use crate::clock::Clock;
use crate::content::Parts;
use crate::engine::{Limits, Message};
use crate::error::RuntimeError;
use crate::event::{RunEvent, Watcher};
use crate::handle::RunReport;
use crate::live::{Ack, Flight, Live};
use crate::request::Request;

/// Runs are served in the order in which they came: the oldest first.
type Key = u64;

pub(crate) struct Core {
    pub(crate) store: Arc<dyn RawGraphStore>,
    pub(crate) fence: Fence,
    pub(crate) registry: Arc<Registry>,
    pub(crate) limits: Limits,
    pub(crate) clock: Clock,
    pub(crate) closed: tokio::sync::watch::Sender<Option<String>>,

    runs: BTreeMap<Key, Live>,
    by_id: BTreeMap<RunId, Key>,
    next_key: Key,
    // Runs that something has happened to, and runs that would start more if there were room.
    touched: BTreeSet<Key>,
    wanting: BTreeSet<Key>,
    deadlines: BTreeSet<(Timestamp, Key)>,
    deadline_of: BTreeMap<Key, Timestamp>,

    attempts: JoinSet<Report>,
    flights: HashMap<Id, InFlight>,
    slots_used: u32,
    commit: Option<Committing>,
}

/// Which attempt a tokio task works on.
struct InFlight {
    key: Key,
    task: TaskId,
    attempt: Attempt,
    logs: Logs,
}

struct Committing {
    outcome: JoinHandle<Result<(), StoreError>>,
    runs: Vec<(Key, Batch, Vec<Ack>)>,
}

impl Core {
    pub(crate) fn new(
        store: Arc<dyn RawGraphStore>,
        fence: Fence,
        registry: Arc<Registry>,
        limits: Limits,
        clock: Clock,
        closed: tokio::sync::watch::Sender<Option<String>>,
    ) -> Self {
        Self {
            store,
            fence,
            registry,
            limits,
            clock,
            closed,
            runs: BTreeMap::new(),
            by_id: BTreeMap::new(),
            next_key: 0,
            touched: BTreeSet::new(),
            wanting: BTreeSet::new(),
            deadlines: BTreeSet::new(),
            deadline_of: BTreeMap::new(),
            attempts: JoinSet::new(),
            flights: HashMap::new(),
            slots_used: 0,
            commit: None,
        }
    }

    /// Works until every handle is dropped and every run has left.
    pub(crate) async fn run(mut self, mut messages: mpsc::Receiver<Message>) {
        let mut listening = true;
        loop {
            self.fire_deadlines();
            self.turn();
            if !listening && self.runs.is_empty() && self.commit.is_none() {
                return;
            }
            let wake = self
                .deadlines
                .first()
                .map(|(at, _)| self.clock.instant(*at));
            tokio::select! {
                outcome = committed(&mut self.commit) => self.after_commit(outcome),
                Some(joined) = self.attempts.join_next_with_id(), if !self.attempts.is_empty() => {
                    self.joined(joined);
                    while let Some(joined) = self.attempts.try_join_next_with_id() {
                        self.joined(joined);
                    }
                }
                message = messages.recv(), if listening => match message {
                    Some(message) => self.receive(message),
                    None => listening = false,
                },
                () = sleep_until(wake) => {}
            }
        }
    }

    fn receive(&mut self, message: Message) {
        match message {
            Message::Open {
                live,
                resume,
                requests,
                ack,
            } => self.open(*live, resume, requests, ack),
            Message::Request { run, request, ack } => match self.by_id.get(&run) {
                Some(&key) => self.request(key, request, Some(ack)),
                None => drop(ack.send(Err(RuntimeError::Gone { run }))),
            },
        }
    }

    fn open(&mut self, live: Live, resume: bool, requests: Vec<(RequestId, Request)>, ack: Ack) {
        let run = live.chain.run().clone();
        if let Some(reason) = self.closed.borrow().clone() {
            let _ = ack.send(Err(RuntimeError::Closed { reason }));
            return;
        }
        if self.by_id.contains_key(&run) {
            let _ = ack.send(Err(RuntimeError::AlreadyHere { run }));
            return;
        }
        let key = self.next_key;
        self.next_key += 1;
        self.by_id.insert(run, key);
        self.slots_used += live.scheduler.counts().in_flight();
        self.runs.insert(key, live);
        self.handle(key, if resume { Input::Resume } else { Input::Start });
        for (id, request) in requests {
            self.request(key, request, None);
            if let Some(live) = self.runs.get_mut(&key) {
                live.settled.push(id);
            }
        }
        if let Some(live) = self.runs.get_mut(&key) {
            live.acks.push(ack);
        }
    }

    /// Tells a run's machine what happened; the turn that follows takes up what it decides.
    fn handle(&mut self, key: Key, input: Input) -> Reception {
        let now = self.clock.now();
        let Some(live) = self.runs.get_mut(&key) else {
            return Reception::Stale;
        };
        let before = live.scheduler.counts().in_flight();
        let reception = live.scheduler.handle(now, input);
        self.slots_used = self.slots_used + live.scheduler.counts().in_flight() - before;
        self.touched.insert(key);
        reception
    }

    fn request(&mut self, key: Key, request: Request, ack: Option<Ack>) {
        let outcome = self.apply_request(key, request);
        let Some(ack) = ack else { return };
        match (outcome, self.runs.get_mut(&key)) {
            // Told when it is saved.
            (Ok(Reception::Taken), Some(live)) => live.acks.push(ack),
            (outcome, _) => drop(ack.send(outcome)),
        }
    }

    fn apply_request(&mut self, key: Key, request: Request) -> Result<Reception, RuntimeError> {
        let Some(live) = self.runs.get_mut(&key) else {
            return Ok(Reception::Stale);
        };
        let run = live.chain.run().clone();
        let input = match request {
            Request::Pause => Input::Pause,
            Request::Unpause => Input::Unpause,
            Request::Suspend => Input::Suspend,
            Request::Cancel { task: None, .. } => Input::Cancel(Scope::Run),
            Request::Cancel {
                task: Some(name),
                downstream,
            } => {
                let Some(task) = live.scheduler.graph().find(&name) else {
                    let suggestion = crate::view::closest(live.scheduler.graph(), &name);
                    return Err(RuntimeError::NoSuchTask {
                        run,
                        task: name,
                        suggestion,
                    });
                };
                Input::Cancel(if downstream {
                    Scope::Downstream(task)
                } else {
                    Scope::Task(task)
                })
            }
            Request::Answer { question, text } => {
                let open = live
                    .scheduler
                    .questions()
                    .find(|open| open.id.get() == question);
                let Some(open) = open else {
                    return Err(RuntimeError::NoSuchQuestion { run, question });
                };
                let verdict = answer::read(&live.scheduler, &open, &text).map_err(|reason| {
                    RuntimeError::BadAnswer {
                        run,
                        question,
                        reason,
                    }
                })?;
                let answer = match verdict {
                    Verdict::Plain(answer) => answer,
                    Verdict::Value(value) => {
                        Answer::Value(Output::Content(live.keep(Parts::of_value(&value))))
                    }
                };
                Input::Answered {
                    question: open.id,
                    answer,
                }
            }
        };
        Ok(self.handle(key, input))
    }

    fn fire_deadlines(&mut self) {
        let now = self.clock.now();
        while let Some(&(at, key)) = self.deadlines.first() {
            if at > now {
                return;
            }
            self.set_deadline(key, None);
            self.handle(key, Input::Tick);
        }
    }

    fn set_deadline(&mut self, key: Key, at: Option<Timestamp>) {
        let old = match at {
            Some(at) => self.deadline_of.insert(key, at),
            None => self.deadline_of.remove(&key),
        };
        if let Some(old) = old {
            self.deadlines.remove(&(old, key));
        }
        if let Some(at) = at {
            self.deadlines.insert((at, key));
        }
    }

    /// Gathers what the runs have decided and sends it to the store, unless a commit is in flight.
    fn turn(&mut self) {
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
            live.scheduler
                .handle(Timestamp::ZERO, Input::Quota(before.saturating_add(free)));
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

    fn after_commit(&mut self, outcome: Result<(), StoreError>) {
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

    fn saved(&mut self, key: Key, batch: Batch, acks: Vec<Ack>) {
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

    fn start(&mut self, key: Key, task: TaskId, attempt: Attempt) {
        let Some(live) = self.runs.get_mut(&key) else {
            return;
        };
        let definition = live.scheduler.graph().task(task);
        let name: Arc<str> = definition.name().into();
        let (stop, logs) = (Stop::new(), Logs::new(self.limits.log_bytes));
        let params = match definition.work() {
            zeph_graph::Work::Action { params, .. } => params.clone(),
            zeph_graph::Work::Milestone | zeph_graph::Work::Question(_) => {
                zeph_graph::Params::none()
            }
        };
        let Some(executor) = self.registry.find(&name, live.action(task)) else {
            // Checked when the run came in; a registry does not shrink.
            self.handle(key, Input::Lost { task, attempt });
            return;
        };
        let watcher = Watcher {
            events: live.events.downgrade(),
            task: Arc::clone(&name),
            attempt,
        };
        let context = TaskContext::builder(live.chain.run().clone(), task, &*name, attempt)
            .stop(&stop)
            .grace(live.scheduler.policy().cancel_grace)
            .logs(&logs)
            .progress(Arc::new(watcher))
            .build();
        let job = Job {
            store: Arc::clone(&self.store),
            run: live.chain.run().clone(),
            executor: Arc::clone(executor),
            context,
            params,
            parents: live.parents(task),
            max_output_bytes: self.limits.max_output_bytes,
        };
        let abort = self.attempts.spawn(job.perform());
        self.flights.insert(
            abort.id(),
            InFlight {
                key,
                task,
                attempt,
                logs,
            },
        );
        live.attempts.insert(
            task,
            Flight {
                attempt,
                stop,
                abort,
            },
        );
    }

    fn stop(&mut self, key: Key, task: TaskId, attempt: Attempt, by_force: bool) {
        let Some(live) = self.runs.get_mut(&key) else {
            return;
        };
        let Some(flight) = live.attempts.get(&task).filter(|f| f.attempt == attempt) else {
            return;
        };
        if by_force {
            flight.stop.kill();
            // A future that awaits ends here, and drops what it holds; one that blocks its thread
            // stays, and its report counts no more.
            flight.abort.abort();
            live.attempts.remove(&task);
        } else {
            flight.stop.cancel();
        }
    }

    /// An attempt's task has ended: with a report, by a panic, or because it was given up.
    fn joined(&mut self, joined: Result<(Id, Report), JoinError>) {
        let (id, report) = match joined {
            Ok((id, report)) => (id, Some(report)),
            Err(error) => {
                let id = error.id();
                let panic = error.try_into_panic().ok();
                (id, panic.map(|payload| Report::of_panic(&*payload)))
            }
        };
        let Some(InFlight {
            key,
            task,
            attempt,
            logs,
        }) = self.flights.remove(&id)
        else {
            return;
        };
        let Some(live) = self.runs.get_mut(&key) else {
            return;
        };
        if live
            .attempts
            .get(&task)
            .is_some_and(|flight| flight.attempt == attempt)
        {
            live.attempts.remove(&task);
        }
        let log = Parts::of_logs(logs.take()).map(|parts| live.keep(parts));
        let input = match report {
            Some(Report::Done { output, parts }) => {
                let bytes = parts.as_ref().map_or(0, Parts::len);
                let content = parts.map(|parts| live.keep(parts));
                live.remember(task, output, bytes);
                Input::Completed {
                    task,
                    attempt,
                    output: content,
                    log,
                }
            }
            Some(Report::Failed {
                fault,
                error,
                retry_after,
            }) => {
                let error = Some(live.keep(Parts::of_error(&error)));
                Input::Failed {
                    task,
                    attempt,
                    fault,
                    error,
                    log,
                    retry_after,
                }
            }
            None => Input::Lost { task, attempt },
        };
        self.handle(key, input);
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

    /// A run leaves the engine. Whatever it still has in flight is ended.
    fn leave(&mut self, key: Key, error: Option<String>) {
        let Some(live) = self.runs.remove(&key) else {
            return;
        };
        self.by_id.remove(live.chain.run());
        self.touched.remove(&key);
        self.wanting.remove(&key);
        self.set_deadline(key, None);
        self.slots_used -= live.scheduler.counts().in_flight();
        let grace = live.scheduler.policy().cancel_grace;
        for flight in live.attempts.into_values() {
            flight.stop.cancel();
            tokio::spawn(async move {
                tokio::time::sleep(grace).await;
                flight.stop.kill();
                flight.abort.abort();
            });
        }
        for ack in live.acks {
            let _ = ack.send(Ok(Reception::Stale));
        }
        let report = RunReport::of(live.chain.run(), &live.scheduler, error);
        live.done.send_replace(Some(Arc::new(report)));
    }
}

/// The outcome of the commit in flight; pending for ever when there is none.
async fn committed(commit: &mut Option<Committing>) -> Result<(), StoreError> {
    match commit {
        Some(commit) => match (&mut commit.outcome).await {
            Ok(outcome) => outcome,
            Err(error) => Err(StoreError::io("commit", error)),
        },
        None => std::future::pending().await,
    }
}

async fn sleep_until(wake: Option<tokio::time::Instant>) {
    match wake {
        Some(wake) => tokio::time::sleep_until(wake).await,
        None => std::future::pending().await,
    }
}
