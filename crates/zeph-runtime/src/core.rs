//! The core: one tokio task that owns all runs of an engine and the one commit path.
//!
//! Reports and requests are applied as they come; whenever no commit is in flight, what all runs have
//! decided since is written as one transaction; only then are the actions performed and the waiting
//! told. While a commit is in flight the next one gathers. Nothing is polled: the loop wakes for a
//! report, a request, a finished commit, or the earliest deadline.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use tokio::sync::mpsc;
use tokio::task::{Id, JoinSet};
use zeph_executor::{Redact, Registry, check_value_size};
use zeph_graph::{Answer, Output, RunId, RunState, Timestamp};
use zeph_memory::{Fence, RawGraphStore, RequestId};
use zeph_scheduler::{Input, InputOutcome, Scheduler, Scope};

use crate::answer::{self, Verdict};
use crate::attempt::Report;
use crate::clock::Clock;
use crate::commit::{Committing, committed};
use crate::content::Parts;
use crate::engine::Message;
use crate::error::RuntimeError;
use crate::flight::InFlight;
use crate::live::{Ack, Live};
use crate::request::{self, Request};
use crate::submission::Limits;

/// Runs are served in the order in which they came: the oldest first.
pub(crate) type Key = u64;

pub(crate) struct Core {
    pub(crate) store: Arc<dyn RawGraphStore>,
    pub(crate) fence: Fence,
    pub(crate) registry: Arc<Registry>,
    pub(crate) limits: Limits,
    pub(crate) clock: Clock,
    pub(crate) redact: Option<Arc<dyn Redact>>,
    pub(crate) closed: tokio::sync::watch::Sender<Option<String>>,

    pub(crate) weak: mpsc::WeakSender<Message>,
    /// Held while a run is at work.
    own: Option<mpsc::Sender<Message>>,
    /// Runs that are being read back, and what was asked of them meanwhile.
    opening: BTreeMap<RunId, Vec<(Request, Ack)>>,
    pub(crate) runs: BTreeMap<Key, Live>,
    pub(crate) by_id: BTreeMap<RunId, Key>,
    pub(crate) next_key: Key,
    // Runs that something has happened to, and runs that would start more if there were room.
    pub(crate) touched: BTreeSet<Key>,
    pub(crate) wanting: BTreeSet<Key>,
    pub(crate) deadlines: BTreeSet<(Timestamp, Key)>,
    pub(crate) deadline_of: BTreeMap<Key, Timestamp>,

    pub(crate) attempts: JoinSet<Report>,
    pub(crate) flights: HashMap<Id, InFlight>,
    pub(crate) slots_used: u32,
    pub(crate) commit: Option<Committing>,
}

impl Core {
    pub(crate) fn new(
        store: Arc<dyn RawGraphStore>,
        fence: Fence,
        registry: Arc<Registry>,
        limits: Limits,
        clock: Clock,
        closed: tokio::sync::watch::Sender<Option<String>>,
        weak: mpsc::WeakSender<Message>,
    ) -> Self {
        Self {
            store,
            fence,
            registry,
            limits,
            clock,
            redact: None,
            closed,
            weak,
            own: None,
            opening: BTreeMap::new(),
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
            let idle = self.runs.is_empty() && self.commit.is_none();
            if idle {
                // Nobody outside has to reach us any more, unless they hold a handle.
                self.own = None;
            }
            if !listening && idle && self.attempts.is_empty() {
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

    pub(crate) fn receive(&mut self, message: Message) {
        match message {
            Message::Open {
                live,
                resume,
                requests,
                ack,
            } => self.open(*live, resume, requests, ack),
            Message::Reserve { run, ack } => {
                let free = !self.by_id.contains_key(&run) && !self.opening.contains_key(&run);
                if free {
                    self.opening.insert(run.clone(), Vec::new());
                }
                let taken = RuntimeError::AlreadyHere { run };
                let _ = ack.send(if free {
                    Ok(InputOutcome::Accepted)
                } else {
                    Err(taken)
                });
            }
            Message::Release { run } => drop(self.opening.remove(&run)),
            Message::Find { run, ack } => {
                let here = self.by_id.contains_key(&run) || self.opening.contains_key(&run);
                let gone = RuntimeError::Gone { run };
                let _ = ack.send(if here {
                    Ok(InputOutcome::Accepted)
                } else {
                    Err(gone)
                });
            }
            Message::Ask { asker, ask } => self.ask(asker, ask),
            Message::Request { run, request, ack } => {
                if let Some(&key) = self.by_id.get(&run) {
                    self.request(key, request, Some(ack));
                } else if let Some(early) = self.opening.get_mut(&run) {
                    early.push((request, ack));
                } else {
                    let _ = ack.send(Err(RuntimeError::Gone { run }));
                }
            }
        }
    }

    pub(crate) fn open(
        &mut self,
        live: Live,
        resume: bool,
        requests: Vec<(RequestId, Request)>,
        ack: Ack,
    ) {
        let run = live.chain.run().clone();
        let early = self.opening.remove(&run).unwrap_or_default();
        if let Some(reason) = self.closed.borrow().clone() {
            let _ = ack.send(Err(RuntimeError::Closed { reason }));
            return;
        }
        if self.by_id.contains_key(&run) {
            let _ = ack.send(Err(RuntimeError::AlreadyHere { run }));
            return;
        }
        // A run at work keeps the engine within reach, also when its last handle is dropped.
        self.own = self.own.take().or_else(|| self.weak.upgrade());
        let key = self.next_key;
        self.next_key += 1;
        self.by_id.insert(run.clone(), key);
        self.slots_used += live.scheduler.counts().in_flight();
        self.runs.insert(key, live);
        // What people asked for while nobody was at work comes before anything that is overdue.
        for (id, request) in requests {
            if let Err(error) = self.apply_request(key, request) {
                tracing::warn!(%run, %error, "a request that waited in the inbox does not fit");
            }
            if let Some(live) = self.runs.get_mut(&key) {
                live.settled.push(id);
            }
        }
        self.handle(key, if resume { Input::Resume } else { Input::Start });
        if let Some(live) = self.runs.get_mut(&key) {
            live.acks.push(ack);
        }
        for (request, ack) in early {
            self.request(key, request, Some(ack));
        }
    }

    /// Tells a run's machine what happened; the turn that follows takes up what it decides.
    pub(crate) fn handle(&mut self, key: Key, input: Input) -> InputOutcome {
        let told = self.tell(key, |machine, now| machine.handle(now, input));
        told.unwrap_or(InputOutcome::Stale)
    }

    /// The same for whatever a machine can be told; `None` if the run is not here.
    pub(crate) fn tell<T>(
        &mut self,
        key: Key,
        happen: impl FnOnce(&mut Scheduler, Timestamp) -> T,
    ) -> Option<T> {
        let live = self.runs.get_mut(&key)?;
        let now = live.now(self.clock);
        let before = live.scheduler.counts().in_flight();
        let outcome = happen(&mut live.scheduler, now);
        self.slots_used = self.slots_used + live.scheduler.counts().in_flight() - before;
        self.touched.insert(key);
        Some(outcome)
    }

    pub(crate) fn request(&mut self, key: Key, request: Request, ack: Option<Ack>) {
        let outcome = self.apply_request(key, request);
        let Some(ack) = ack else { return };
        match (outcome, self.runs.get_mut(&key)) {
            // Told when it is saved.
            (Ok(InputOutcome::Accepted), Some(live)) => live.acks.push(ack),
            (outcome, _) => drop(ack.send(outcome)),
        }
    }

    pub(crate) fn apply_request(
        &mut self,
        key: Key,
        request: Request,
    ) -> Result<InputOutcome, RuntimeError> {
        let Some(live) = self.runs.get_mut(&key) else {
            return Ok(InputOutcome::Stale);
        };
        let run = live.chain.run().clone();
        let input = match request {
            Request::Pause => Input::Pause,
            Request::Unpause => Input::Unpause,
            Request::Budget { tokens, micro_usd } => {
                Input::Budget(request::changed(live.scheduler.budget(), tokens, micro_usd))
            }
            Request::Suspend => {
                if live.scheduler.state() == RunState::Suspending {
                    // Asked twice: no more grace. What is still at work is cut at once.
                    for flight in live.attempts.values() {
                        flight.stop.kill();
                    }
                }
                Input::Suspend
            }
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
                    let run = run.clone();
                    RuntimeError::BadAnswer {
                        run,
                        question,
                        reason,
                    }
                })?;
                let answer = match verdict {
                    Verdict::Plain(answer) => answer,
                    Verdict::Value(value) => {
                        let limit = self.limits.max_output_bytes;
                        if let Err(error) = check_value_size(&value, limit) {
                            let reason = error.message().to_owned();
                            return Err(RuntimeError::BadAnswer {
                                run,
                                question,
                                reason,
                            });
                        }
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

    pub(crate) fn fire_deadlines(&mut self) {
        let now = self.clock.now();
        while let Some(&(at, key)) = self.deadlines.first() {
            if at > now {
                return;
            }
            self.set_deadline(key, None);
            self.handle(key, Input::Tick);
        }
    }

    pub(crate) fn set_deadline(&mut self, key: Key, at: Option<Timestamp>) {
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
}

async fn sleep_until(wake: Option<tokio::time::Instant>) {
    match wake {
        Some(wake) => tokio::time::sleep_until(wake).await,
        None => std::future::pending().await,
    }
}
