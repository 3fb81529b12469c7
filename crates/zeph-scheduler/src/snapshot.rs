//! Snapshot: the state that a fold of the journal must reproduce, as a value.

use zeph_graph::{
    Budget, ManualEnd, ReservationId, RunState, Seq, Spend, TaskId, TaskState, Timestamp,
};

use crate::Scheduler;
use crate::budget_ledger::Account;
use crate::items::Items;
use crate::machine::{AttemptCounts, Counts, OpenQuestion};
use crate::prepare::Reused;
use crate::timers::Timer;

/// The state of a scheduler as a value. Schedulers with equal snapshots behave equally.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Snapshot {
    /// The version of this type.
    pub version: u32,
    /// The state of the run.
    pub run: RunState,
    /// The number of the next record.
    pub next_seq: Seq,
    /// The state of each task.
    pub states: Vec<TaskState>,
    /// The last attempt of each task; 0 for none.
    pub attempts: Vec<u32>,
    /// The number of parents of each task that have not ended.
    pub waiting: Vec<u32>,
    /// The tasks with failed, repeated or abandoned attempts.
    pub attempt_counts: Vec<(TaskId, AttemptCounts)>,
    /// The number of tasks in each state.
    pub counts: Counts,
    /// The ready tasks in start order.
    pub ready: Vec<TaskId>,
    /// The units of each lane in use.
    pub lanes: Vec<u32>,
    /// The live timers, by time.
    pub timers: Vec<(Timestamp, Timer)>,
    /// The open questions, oldest first.
    pub questions: Vec<OpenQuestion>,
    /// The run's budget.
    pub budget: Budget,
    /// The account of the run.
    pub account: Account,
    /// The accounts of the tasks that have reserved something.
    pub accounts: Vec<(TaskId, Account)>,
    /// The open reservations, by task.
    pub reservations: Vec<(TaskId, ReservationId, Spend)>,
    /// The tasks that are being prepared.
    pub preparing: Vec<TaskId>,
    /// The tasks that do not run according to their preparation.
    pub unprepared: Vec<TaskId>,
    /// The tasks that have a result without an attempt, because it was cached or their inputs are the same.
    pub reused: Vec<(TaskId, Reused)>,
    /// The ends that persons gave, by task.
    pub overrides: Vec<(TaskId, ManualEnd)>,
    /// The expanded tasks with the ends of their items.
    pub items: Vec<(TaskId, Items)>,
    /// The tasks with accepted patches, and how many.
    pub proposers: Vec<(TaskId, u32)>,
    /// The number of accepted patches, also of those of persons.
    pub amendments: u32,
}

impl Scheduler {
    /// The state as a value. Cost: a pass over all tasks.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        let machine = &self.machine;
        Snapshot {
            version: 7,
            run: self.state(),
            next_seq: machine.run.next_seq,
            states: machine.state.clone(),
            attempts: machine.attempts.clone(),
            waiting: (machine.waiting.iter())
                .map(|waiting| waiting.open())
                .collect(),
            attempt_counts: machine
                .attempt_counts
                .iter()
                .map(|(&task, &attempt_counts)| (task, attempt_counts))
                .collect(),
            counts: machine.counts,
            ready: machine.ready.order(),
            lanes: machine.ready.lane_used().to_vec(),
            timers: machine.timers.iter().collect(),
            questions: machine.questions.values().copied().collect(),
            budget: machine.ledger.budget,
            account: machine.ledger.run,
            accounts: (machine.ledger.tasks.iter())
                .map(|(&task, &account)| (task, account))
                .collect(),
            reservations: (machine.ledger.open.iter())
                .map(|(&(task, reservation), &most)| (task, reservation, most))
                .collect(),
            preparing: machine.preparing.iter().copied().collect(),
            unprepared: machine.unprepared.iter().copied().collect(),
            reused: (machine.reused.iter())
                .map(|(&task, &reused)| (task, reused))
                .collect(),
            overrides: (machine.overrides.iter())
                .map(|(&task, &end)| (task, end))
                .collect(),
            items: (machine.items.iter())
                .map(|(&task, &items)| (task, items))
                .collect(),
            proposers: (machine.proposers.iter())
                .map(|(&task, patches)| (task, patches.len() as u32))
                .collect(),
            amendments: machine.amendments,
        }
    }
}
