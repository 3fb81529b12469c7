//! Waiting reservations: requests that the budgets of a run do not cover while other calls can give something back.
//!
//! Waiting is no decision and leaves no record. The requests of a run are served in order. One that waits for the
//! budget of the run holds back all later ones, so that small calls do not starve a large one; one that waits for the
//! budget of its own task holds back only those of that task. Nothing waits for an attempt that itself waits, except
//! for its [independent](zeph_executor::ReservationRequest::independent) reservations; so there is always an open
//! reservation whose end wakes the queue.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot};
use zeph_executor::{Progress as _, Reservation, ReservationRequest, TaskError};
use zeph_graph::{ReservationId, Spend, Spent, TaskId, Usd};
use zeph_scheduler::{BudgetFit, Refusal};

use crate::attempt_journal::attempt_over;
use crate::core::Core;
use crate::idle::IdlePause;
use crate::message::{AttemptRef, JournalReply, JournalRequest, Key, Message, ReservationReply};

/// The waiting reservations of all runs of an engine.
#[derive(Default)]
pub(crate) struct ReservationQueues {
    pub(crate) runs: BTreeMap<Key, WaitingReservations>,
    /// The runs whose waiting reservations are tried again before the next commit.
    due: BTreeSet<Key>,
}

/// The reservations of one run that wait, and what the engine knows about the open ones.
#[derive(Default)]
pub(crate) struct WaitingReservations {
    waiting: VecDeque<WaitingReservation>,
    /// The open reservations that are settled without waiting for another one of their attempt.
    independent: BTreeSet<(TaskId, ReservationId)>,
}

impl WaitingReservations {
    pub(crate) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }
}

struct WaitingReservation {
    from: AttemptRef,
    request: ReservationRequest,
    reply: ReservationReply,
    /// Set once it has waited: the wait is no silence of the attempt.
    pause: Option<IdlePause>,
}

/// A reservation on its way to the caller, who may drop the future at any time: then there will be no call, and
/// the reservation is given back.
pub(crate) struct Granted {
    reservation: Reservation,
    from: AttemptRef,
    engine: Option<mpsc::WeakSender<Message>>,
}

impl Granted {
    const fn new(
        reservation: Reservation,
        from: AttemptRef,
        engine: mpsc::WeakSender<Message>,
    ) -> Self {
        let engine = Some(engine);
        Self {
            reservation,
            from,
            engine,
        }
    }

    /// The caller has it.
    pub(crate) fn keep(mut self) -> Reservation {
        self.engine = None;
        self.reservation
    }
}

impl Drop for Granted {
    fn drop(&mut self) {
        let engine = self.engine.take().and_then(|engine| engine.upgrade());
        let (Some(engine), Ok(runtime)) = (engine, Handle::try_current()) else {
            return;
        };
        let (reply, _) = oneshot::channel();
        let request = JournalRequest::Settle(self.reservation.id, Spend::ZERO, reply);
        let from = self.from;
        runtime.spawn(async move { engine.send(Message::Journal { from, request }).await });
    }
}

/// What the requests before another one wait for.
#[derive(Default)]
struct Blocked {
    run: bool,
    tasks: BTreeSet<TaskId>,
}

impl Core {
    /// Reserves for an attempt now, later or not at all.
    pub(crate) fn reserve(
        &mut self,
        from: AttemptRef,
        request: ReservationRequest,
        reply: ReservationReply,
    ) {
        if !self.is_current(from) {
            return drop(reply.send(Err(attempt_over())));
        }
        let queue = self.reservations.runs.entry(from.key).or_default();
        queue.waiting.push_back(WaitingReservation {
            from,
            request,
            reply,
            pause: None,
        });
        self.grant_reservations(from.key);
    }

    /// A reservation is settled.
    pub(crate) fn forget_independent(&mut self, key: Key, reservation: (TaskId, ReservationId)) {
        if let Some(queue) = self.reservations.runs.get_mut(&key) {
            queue.independent.remove(&reservation);
        }
    }

    /// The attempt of a task has ended, and with it its reservations.
    pub(crate) fn forget_reservations_of(&mut self, key: Key, task: TaskId) {
        if let Some(queue) = self.reservations.runs.get_mut(&key) {
            queue.independent.retain(|&(of, _)| of != task);
        }
    }

    /// To be called after each change of a run that may free a part of a budget or stop an attempt.
    pub(crate) fn retry_reservations_soon(&mut self, key: Key) {
        let queue = self.reservations.runs.get(&key);
        if queue.is_some_and(|queue| !queue.is_empty()) {
            self.reservations.due.insert(key);
        }
    }

    /// Tries the waiting reservations again of all runs that have changed.
    pub(crate) fn retry_reservations(&mut self) {
        while let Some(key) = self.reservations.due.pop_first() {
            self.grant_reservations(key);
        }
    }

    /// Grants, refuses or keeps each waiting reservation of a run, in order. Cost: the number of waiting and open
    /// reservations.
    fn grant_reservations(&mut self, key: Key) {
        let Some(queue) = self.reservations.runs.get_mut(&key) else {
            return;
        };
        let waiting = std::mem::take(&mut queue.waiting);
        let waiting = self.without_stopped(waiting);
        let mut waits = BTreeMap::<TaskId, u32>::new();
        for one in &waiting {
            *waits.entry(one.from.task).or_default() += 1;
        }
        let mut blocked = Blocked::default();
        let mut kept = VecDeque::with_capacity(waiting.len());
        for mut one in waiting {
            let task = one.from.task;
            if !blocked.run && !blocked.tasks.contains(&task) {
                let Some(fit) = self.fit(&one, &waits) else {
                    continue;
                };
                match fit {
                    BudgetFit::Wait { of_task: true, .. } => drop(blocked.tasks.insert(task)),
                    BudgetFit::Wait { of_task: false, .. } => blocked.run = true,
                    BudgetFit::Covered(amount) => {
                        leave(&mut waits, task);
                        self.grant_reservation(one, amount);
                        continue;
                    }
                    BudgetFit::Refused { left } => {
                        leave(&mut waits, task);
                        let error = TaskError::over_budget(one.request.least, left);
                        let _ = one.reply.send(Err(error));
                        continue;
                    }
                }
            }
            if self.is_stopped(one.from) {
                leave(&mut waits, task);
                let _ = one.reply.send(Err(attempt_over()));
                continue;
            }
            self.begin_wait(&mut one);
            kept.push_back(one);
        }
        if let Some(queue) = self.reservations.runs.get_mut(&key) {
            queue.waiting = kept;
        }
    }

    /// Removes the requests whose attempt has ended or is being stopped, and those whose caller is gone.
    fn without_stopped(
        &self,
        waiting: VecDeque<WaitingReservation>,
    ) -> VecDeque<WaitingReservation> {
        let stays = |one: WaitingReservation| {
            if one.reply.is_closed() {
                return None;
            }
            // An attempt that is being stopped may still reserve what is there.
            let is_stopped = one.pause.is_some() && self.is_stopped(one.from);
            if is_stopped || !self.is_current(one.from) {
                let _ = one.reply.send(Err(attempt_over()));
                return None;
            }
            Some(one)
        };
        waiting.into_iter().filter_map(stays).collect()
    }

    fn is_stopped(&self, from: AttemptRef) -> bool {
        let active = self.runs.get(&from.key);
        let handle = active.and_then(|active| active.attempts.get(&from.task));
        handle.is_some_and(|handle| handle.stop.cancel_token().is_cancelled())
    }

    fn fit(&self, one: &WaitingReservation, waits: &BTreeMap<TaskId, u32>) -> Option<BudgetFit> {
        let AttemptRef { key, task, .. } = one.from;
        let (active, queue) = (self.runs.get(&key)?, self.reservations.runs.get(&key)?);
        let ReservationRequest { least, most, .. } = one.request;
        let can_wait = !self.is_stopped(one.from);
        let fit = active.scheduler.budget_fit(task, least, most, |of, id| {
            can_wait && (queue.independent.contains(&(of, id)) || !waits.contains_key(&of))
        });
        Some(fit)
    }

    fn grant_reservation(&mut self, one: WaitingReservation, amount: Spend) {
        let AttemptRef { key, task, attempt } = one.from;
        let reserved = self.update(key, |active, now| {
            let left = active.scheduler.left(task);
            let id = active.scheduler.reserve(now, task, attempt, amount)?;
            Ok(Reservation { id, amount, left })
        });
        let reply: JournalReply<Granted> = match reserved {
            Some(Ok(reservation)) => {
                if one.request.is_independent
                    && let Some(queue) = self.reservations.runs.get_mut(&key)
                {
                    queue.independent.insert((task, reservation.id));
                }
                if one.pause.is_some() {
                    self.tell(one.from, "the budget covers the call");
                }
                let granted = Granted::new(reservation, one.from, self.config.engine.clone());
                Ok((granted, self.saving(key)))
            }
            Some(Err(Refusal::OverBudget { left })) => {
                Err(TaskError::over_budget(one.request.least, left))
            }
            Some(Err(_)) | None => Err(attempt_over()),
        };
        drop(one.reply.send(reply));
    }

    /// The attempt waits from here on: it says so, and its silence does not count.
    fn begin_wait(&self, one: &mut WaitingReservation) {
        let AttemptRef { key, task, .. } = one.from;
        if one.pause.is_some() {
            return;
        }
        let left = self.runs.get(&key).map(|run| run.scheduler.left(task));
        let part = left.unwrap_or_default().part_of(one.request.most);
        let short = Spent::from(one.request.most).minus(part);
        self.tell(one.from, &wait_words(short));
        let active = self.runs.get(&key);
        let handle = active.and_then(|active| active.attempts.get(&task));
        let in_flight = handle.and_then(|handle| self.in_flight.get(&handle.abort.id()));
        one.pause = Some(in_flight.map_or_else(IdlePause::default, |one| one.observer.pause()));
    }

    fn tell(&self, from: AttemptRef, text: &str) {
        let active = self.runs.get(&from.key);
        let handle = active.and_then(|active| active.attempts.get(&from.task));
        if let Some(one) = handle.and_then(|handle| self.in_flight.get(&handle.abort.id())) {
            one.observer.progress(text);
        }
    }
}

/// A request of the task waits no longer.
fn leave(waits: &mut BTreeMap<TaskId, u32>, task: TaskId) {
    if let Some(count) = waits.get_mut(&task) {
        *count -= 1;
        if *count == 0 {
            waits.remove(&task);
        }
    }
}

/// What a task waits for that lacks this much budget.
fn wait_words(short: Spent) -> String {
    let amount = match (short.tokens, short.micro_usd) {
        (0, 0) => return "waits for budget: other calls come first".to_owned(),
        (tokens, 0) => format!("{tokens} tokens"),
        (0, micro_usd) => format!("{} USD", Usd(micro_usd)),
        (..) => short.to_string(),
    };
    format!("waits for {amount} that other calls hold")
}
