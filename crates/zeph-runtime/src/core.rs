//! The engine's task: owns all active runs and the one commit path.
//!
//! Reports and requests are applied as they arrive. Whenever no commit is in flight, the decisions of
//! all runs since the last one are written as one transaction; only then are the actions performed and
//! the callers answered. While a commit is in flight the next one accumulates. Nothing is polled: the
//! loop wakes for a report, a request, a finished commit, or the earliest deadline.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use tokio::sync::{mpsc, oneshot};
use tokio::task::{AbortHandle, Id, JoinSet};
use zeph_graph::{RunId, RunState, TaskId, Timestamp};
use zeph_memory::RequestId;
use zeph_scheduler::{Input, InputOutcome, Scope};

use crate::active_run::ActiveRun;
use crate::attempt::JobResult;
use crate::commit::{CommitInFlight, committed};
use crate::core_config::CoreConfig;
use crate::error::RuntimeError;
use crate::event::RunEvent;
use crate::growing_log::GrowingLog;
use crate::in_flight::InFlight;
use crate::inbox::{PostedRequest, read_inbox, replaced};
use crate::message::{Ack, AttemptRef, Key, Message, Outcome};
use crate::named_lock::LockGuard;
use crate::prepare::PrepareResult;
use crate::request::{self, AttributedRequest, Request};
use crate::shared_lane::{LaneNews, LaneQueues};
use crate::waiting_reservations::ReservationQueues;

pub(crate) struct Core {
    pub(crate) config: CoreConfig,
    /// Held while a run is active, so that the engine continues without handles.
    keep_alive: Option<mpsc::Sender<Message>>,
    /// Runs that are being read from the store, and the messages to them that arrived meanwhile.
    opening: BTreeMap<RunId, Vec<Message>>,
    pub(crate) runs: BTreeMap<Key, ActiveRun>,
    pub(crate) by_id: BTreeMap<RunId, Key>,
    next_key: Key,
    /// Runs with an input since the last commit.
    pub(crate) dirty: BTreeSet<Key>,
    /// Runs with ready tasks that no slot was free for.
    pub(crate) awaiting_slots: BTreeSet<Key>,
    pub(crate) deadlines: BTreeSet<(Timestamp, Key)>,
    pub(crate) deadline_of: BTreeMap<Key, Timestamp>,
    /// After a standstill: when the timers may fire.
    pub(crate) settled_at: Option<Timestamp>,

    pub(crate) attempts: JoinSet<JobResult>,
    pub(crate) in_flight: HashMap<Id, InFlight>,
    pub(crate) preparations: JoinSet<PrepareResult>,
    /// The run and the task of each preparation.
    pub(crate) preparing: HashMap<Id, (Key, TaskId)>,
    pub(crate) slots_used: u32,
    pub(crate) reservations: ReservationQueues,
    pub(crate) commit: Option<CommitInFlight>,
    /// Set when the runtime of the executors has been shut down.
    pub(crate) is_orphaned: bool,

    /// Where running attempts say that their logs have grown.
    pub(crate) grown: mpsc::UnboundedSender<Arc<GrowingLog>>,
    new_logs: mpsc::UnboundedReceiver<Arc<GrowingLog>>,
    /// The logs that have grown, and when they are saved.
    pub(crate) grown_logs: Vec<Arc<GrowingLog>>,
    pub(crate) save_logs_at: Option<Timestamp>,
    /// No log is saved before.
    pub(crate) logs_rest_until: Timestamp,
    pub(crate) is_rendering_logs: bool,

    /// Where the locks arrive that runs wait for.
    pub(crate) turns: mpsc::UnboundedSender<Turn>,
    new_turns: mpsc::UnboundedReceiver<Turn>,
    pub(crate) lane_queues: LaneQueues,
    pub(crate) lane_news: mpsc::UnboundedSender<LaneNews>,
    unread_lane_news: mpsc::UnboundedReceiver<LaneNews>,
}

/// The lock of the group of a run that waited for it.
type Turn = (Key, std::io::Result<LockGuard>);

impl Core {
    pub(crate) fn new(config: CoreConfig) -> Self {
        let (grown, new_logs) = mpsc::unbounded_channel();
        let (turns, new_turns) = mpsc::unbounded_channel();
        let (lane_news, unread_lane_news) = mpsc::unbounded_channel();
        Self {
            config,
            keep_alive: None,
            opening: BTreeMap::new(),
            runs: BTreeMap::new(),
            by_id: BTreeMap::new(),
            next_key: 0,
            dirty: BTreeSet::new(),
            awaiting_slots: BTreeSet::new(),
            deadlines: BTreeSet::new(),
            deadline_of: BTreeMap::new(),
            settled_at: None,
            attempts: JoinSet::new(),
            in_flight: HashMap::new(),
            preparations: JoinSet::new(),
            preparing: HashMap::new(),
            slots_used: 0,
            reservations: ReservationQueues::default(),
            commit: None,
            is_orphaned: false,
            grown,
            new_logs,
            grown_logs: Vec::new(),
            save_logs_at: None,
            logs_rest_until: Timestamp::ZERO,
            is_rendering_logs: false,
            turns,
            new_turns,
            lane_queues: LaneQueues::new(),
            lane_news,
            unread_lane_news,
        }
    }

    /// Runs until every handle is dropped and every run is unloaded. When the runtime of the executors is shut
    /// down before, it ends like a process that is killed: what was saved is kept.
    pub(crate) async fn run(mut self, mut messages: mpsc::Receiver<Message>) {
        let mut is_listening = true;
        let (alive, mut runtime_gone) = oneshot::channel::<()>();
        // Dropped with the runtime.
        let sentinel = self.config.bodies.spawn(async move {
            let _alive = alive;
            std::future::pending::<()>().await;
        });
        let _sentinel = AbortOnDrop(sentinel.abort_handle());
        loop {
            self.fire_deadlines();
            self.render_logs();
            self.begin_commit();
            let is_idle = self.runs.is_empty() && self.commit.is_none();
            if is_idle {
                self.keep_alive = None;
            }
            if self.is_orphaned || (!is_listening && is_idle && self.attempts.is_empty()) {
                return;
            }
            let wake = self.deadlines.first();
            let wake = wake.map(|(at, _)| self.settled_at.unwrap_or(*at).max(*at));
            let wake = wake.into_iter().chain(self.save_logs_at).min();
            let wake = wake.map(|at| self.config.clock.instant(at));
            tokio::select! {
                outcome = committed(&mut self.commit) => self.after_commit(outcome),
                Some(joined) = self.attempts.join_next_with_id(), if !self.attempts.is_empty() => {
                    self.attempt_joined(joined);
                    while let Some(joined) = self.attempts.try_join_next_with_id() {
                        self.attempt_joined(joined);
                    }
                }
                Some(joined) = self.preparations.join_next_with_id(), if !self.preparations.is_empty() => {
                    self.preparation_joined(joined);
                    while let Some(joined) = self.preparations.try_join_next_with_id() {
                        self.preparation_joined(joined);
                    }
                }
                message = messages.recv(), if is_listening => match message {
                    Some(message) => self.receive(message),
                    None => is_listening = false,
                },
                Some(log) = self.new_logs.recv() => self.log_grew(log),
                Some((key, lock)) = self.new_turns.recv() => self.take_turn(key, lock),
                Some(news) = self.unread_lane_news.recv() => self.take_lane_news(news),
                () = sleep_until(wake) => {}
                _ = &mut runtime_gone => return,
            }
        }
    }

    fn receive(&mut self, message: Message) {
        match message {
            Message::Open {
                active,
                is_resume,
                requests,
                ack,
            } => self.open(*active, is_resume, requests, ack),
            Message::ReserveSlot { run, ack } => {
                let _ = ack.send(if self.is_here(&run) {
                    Err(RuntimeError::AlreadyHere { run })
                } else {
                    self.opening.insert(run, Vec::new());
                    Ok(InputOutcome::Accepted)
                });
            }
            Message::ReleaseSlot { run } => drop(self.opening.remove(&run)),
            Message::Find { run, ack } => {
                let _ = ack.send(if self.is_here(&run) {
                    Ok(InputOutcome::Accepted)
                } else {
                    Err(RuntimeError::Gone { run })
                });
            }
            Message::LogsRendered(rendered) => self.save_logs(rendered),
            Message::Idle(AttemptRef { key, task, attempt }) => {
                self.update(key, |active, now| {
                    active.scheduler.handle(now, Input::Idle { task, attempt })
                });
            }
            Message::Journal { from, request } => self.journal_request(from, request),
            Message::Inspect { run, read } => {
                let key = self.by_id.get(&run);
                if let Some(active) = key.and_then(|key| self.runs.get(key)) {
                    read(active);
                }
            }
            Message::Request { run, request, ack } => {
                if let Some(&key) = self.by_id.get(&run) {
                    self.request(key, request, ack);
                } else if let Some(early) = self.opening.get_mut(&run) {
                    early.push(Message::Request { run, request, ack });
                } else {
                    let _ = ack.send(Err(RuntimeError::Gone { run }));
                }
            }
            Message::ReadInbox { run, posted, ack } => {
                if self.by_id.contains_key(&run) {
                    self.read_inbox(run, posted, ack);
                } else if let Some(early) = self.opening.get_mut(&run) {
                    early.push(Message::ReadInbox { run, posted, ack });
                } else {
                    let _ = ack.send(Err(RuntimeError::Gone { run }));
                }
            }
            Message::ReadInboxes => {
                for run in self.by_id.keys() {
                    // No caller waits for an outcome: no request has the number 0.
                    self.read_inbox(run.clone(), RequestId::new(0), oneshot::channel().0);
                }
            }
            Message::Inbox {
                run,
                requests,
                posted,
                ack,
            } => match self.by_id.get(&run).copied() {
                Some(key) => {
                    let outcome = self.apply_posted(key, requests).remove(&posted);
                    // A request that is not in the inbox any more was handled before.
                    self.reply(key, ack, outcome.unwrap_or(Ok(InputOutcome::Accepted)));
                }
                None => drop(ack.send(Err(RuntimeError::Gone { run }))),
            },
        }
    }

    fn is_here(&self, run: &RunId) -> bool {
        self.by_id.contains_key(run) || self.opening.contains_key(run)
    }

    fn open(&mut self, active: ActiveRun, is_resume: bool, requests: Vec<PostedRequest>, ack: Ack) {
        let run = active.chain.run().clone();
        let early = self.opening.remove(&run).unwrap_or_default();
        if let Some(reason) = self.config.closed.borrow().clone() {
            let _ = ack.send(Err(RuntimeError::Closed { reason }));
            return;
        }
        if self.by_id.contains_key(&run) {
            let _ = ack.send(Err(RuntimeError::AlreadyHere { run }));
            return;
        }
        let keep_alive = self.keep_alive.take();
        self.keep_alive = keep_alive.or_else(|| self.config.engine.upgrade());
        let key = self.next_key;
        self.next_key += 1;
        self.by_id.insert(run.clone(), key);
        self.slots_used += active.scheduler.counts().in_flight();
        self.runs.insert(key, active);
        // Requests from before the resume come before any deadline that has passed since.
        let outcomes = self.apply_posted(key, requests);
        self.tell_dropped(key, outcomes);
        let waits = self.runs.get(&key).is_some_and(ActiveRun::waits_for_group);
        if !is_resume {
            self.handle(key, Input::Start);
        }
        match waits {
            true if is_resume => self.await_group(key),
            true => {
                self.handle(key, Input::Suspend);
                self.await_group(key);
            }
            false if is_resume => drop(self.handle(key, Input::Resume)),
            false => {}
        }
        if let Some(active) = self.runs.get_mut(&key) {
            active.acks.push((ack, Ok(InputOutcome::Accepted)));
        }
        for message in early {
            self.receive(message);
        }
    }

    /// Applies requests of the inbox that were not applied before; returns their outcomes.
    fn apply_posted(
        &mut self,
        key: Key,
        requests: Vec<PostedRequest>,
    ) -> BTreeMap<RequestId, Outcome> {
        let mut outcomes = BTreeMap::new();
        let replaced = replaced(&requests);
        for PostedRequest { id, request, .. } in requests {
            let active = self.runs.get_mut(&key);
            let Some(active) = active.filter(|active| !active.handled.contains(&id)) else {
                continue;
            };
            active.handled.insert(id);
            active.settled.push(id);
            let run = active.chain.run().clone();
            // A later request of the same person took its place.
            if replaced.contains(&id) {
                continue;
            }
            let outcome = match request {
                Ok(request) => self.apply(key, request),
                Err(reason) => Err(RuntimeError::Refused {
                    run: run.clone(),
                    reason: format!("run {run}: request {id} {reason}, and is dropped"),
                }),
            };
            if let Err(error) = &outcome {
                tracing::warn!(%run, request = %id, %error, "a request from the inbox is dropped");
            }
            outcomes.insert(id, outcome);
        }
        outcomes
    }

    /// Tells observers which requests of the inbox had no effect: those who made them are not there any more.
    fn tell_dropped(&self, key: Key, outcomes: BTreeMap<RequestId, Outcome>) {
        let Some(active) = self.runs.get(&key) else {
            return;
        };
        for (request, outcome) in outcomes {
            let why = match outcome {
                Ok(InputOutcome::Accepted) => continue,
                Ok(InputOutcome::Stale | InputOutcome::Rejected) => {
                    "it changes nothing any more".into()
                }
                Err(error) => error.to_string().into(),
            };
            // Without observers the log has it.
            let _ = active.events.send(RunEvent::Dropped { request, why });
        }
    }

    fn read_inbox(&self, run: RunId, posted: RequestId, ack: Ack) {
        let store = Arc::clone(&self.config.store);
        let engine = self.config.engine.clone();
        tokio::spawn(async move {
            match read_inbox(&*store, &run).await {
                Ok(requests) => {
                    let message = Message::Inbox {
                        run,
                        requests,
                        posted,
                        ack,
                    };
                    if let Some(engine) = engine.upgrade() {
                        // If the engine ends first, the ack is dropped.
                        let _ = engine.send(message).await;
                    }
                }
                Err(error) => drop(ack.send(Err(error))),
            }
        });
    }

    /// Passes an input to a run's scheduler; the next commit includes what it decides.
    pub(crate) fn handle(&mut self, key: Key, input: Input) -> InputOutcome {
        let outcome = self.update(key, |active, now| active.scheduler.handle(now, input));
        outcome.unwrap_or(InputOutcome::Stale)
    }

    /// Changes an active run, and counts its slots again; `None` if there is no such run.
    pub(crate) fn update<T>(
        &mut self,
        key: Key,
        change: impl FnOnce(&mut ActiveRun, Timestamp) -> T,
    ) -> Option<T> {
        let active = self.runs.get_mut(&key)?;
        let now = active.now(self.config.clock);
        let before = active.scheduler.counts().in_flight();
        let outcome = change(active, now);
        let after = active.scheduler.counts().in_flight();
        self.slots_used = self.slots_used + after - before;
        self.dirty.insert(key);
        self.retry_reservations_soon(key);
        Some(outcome)
    }

    fn request(&mut self, key: Key, request: AttributedRequest, ack: Ack) {
        let outcome = self.apply(key, request);
        self.reply(key, ack, outcome);
    }

    /// Replies when all decisions of the run so far are saved. A request that changes nothing may find its
    /// question closed by an answer that is not saved yet, and never will be if the store fails.
    fn reply(&mut self, key: Key, ack: Ack, outcome: Outcome) {
        match self.runs.get_mut(&key) {
            Some(active) => {
                active.acks.push((ack, outcome));
                self.dirty.insert(key);
            }
            None => drop(ack.send(outcome)),
        }
    }

    fn apply(&mut self, key: Key, signed: AttributedRequest) -> Result<InputOutcome, RuntimeError> {
        let AttributedRequest { request, by, .. } = signed;
        if let Some(outcome) = self.request_of_waiting(key, &request) {
            return outcome;
        }
        let Some(active) = self.runs.get_mut(&key) else {
            return Ok(InputOutcome::Stale);
        };
        let scheduler = &active.scheduler;
        let input = match request {
            Request::Answer { question, text } => {
                return self.answer(key, question, text, by.as_ref());
            }
            Request::Complete {
                task,
                output,
                reason,
            } => {
                let end = (task, Some(output), reason);
                return self.give_end(key, end, by);
            }
            Request::Skip { task, reason } => {
                return self.give_end(key, (task, None, reason), by);
            }
            Request::Amend {
                patch,
                after,
                reason,
            } => return self.amend_by_hand(key, (patch, after, reason), by),
            Request::Pause => Input::Pause,
            Request::Unpause => Input::Unpause,
            Request::Budget { tokens, micro_usd } => {
                Input::Budget(request::changed(scheduler.budget(), tokens, micro_usd))
            }
            Request::Suspend => {
                if scheduler.state() == RunState::Suspending {
                    // The second request ends the grace period.
                    for handle in active.attempts.values() {
                        handle.stop.kill();
                    }
                }
                Input::Suspend
            }
            Request::Cancel { task: None, .. } => Input::Cancel(Scope::Run),
            Request::Cancel {
                task: Some(name),
                downstream,
            } => {
                let task = active.find(name)?;
                Input::Cancel(if downstream {
                    Scope::Downstream(task)
                } else {
                    Scope::Task(task)
                })
            }
        };
        Ok(self.handle(key, input))
    }
}

/// A task that ends with its owner.
pub(crate) struct AbortOnDrop(pub(crate) AbortHandle);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

async fn sleep_until(wake: Option<tokio::time::Instant>) {
    match wake {
        Some(wake) => tokio::time::sleep_until(wake).await,
        None => std::future::pending().await,
    }
}
