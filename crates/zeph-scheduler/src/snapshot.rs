//! Snapshot: everything that a fold of the journal must reproduce, for comparison.

use zeph_graph::{Budget, ReservationId, RunState, Seq, Spend, TaskId, TaskState, Timestamp};

use crate::Scheduler;
use crate::doors::Account;
use crate::machine::{Counts, OpenQuestion, Tally};
use crate::timers::Timer;

/// The state of a machine as a value. Equal snapshots behave equally from here on.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Snapshot {
    /// The layout of this value; changes when a field does.
    pub version: u32,
    /// Where the run stands.
    pub run: RunState,
    /// The number of the next record.
    pub next_seq: Seq,
    /// The state of each task.
    pub states: Vec<TaskState>,
    /// The last attempt of each task; 0 for none.
    pub attempts: Vec<u32>,
    /// Parents that have not ended, of each task.
    pub waiting: Vec<u32>,
    /// Of the tasks with which something has gone wrong: what.
    pub tallies: Vec<(TaskId, Tally)>,
    /// How many tasks stand in each state.
    pub counts: Counts,
    /// The ready tasks, in the order in which they would start.
    pub ready: Vec<TaskId>,
    /// Occupied units of each lane.
    pub lanes: Vec<u32>,
    /// The live timers, by time.
    pub timers: Vec<(Timestamp, Timer)>,
    /// The open questions, oldest first.
    pub questions: Vec<OpenQuestion>,
    /// The run's budget.
    pub budget: Budget,
    /// What the run has spent and holds reserved.
    pub account: Account,
    /// The same of the tasks that ever reserved something.
    pub accounts: Vec<(TaskId, Account)>,
    /// The open reservations, by task.
    pub reservations: Vec<(TaskId, ReservationId, Spend)>,
    /// The tasks that have had a patch accepted.
    pub proposers: Vec<TaskId>,
}

impl Scheduler {
    /// The machine's state as a value. Cost: a pass over all tasks.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        let machine = &self.machine;
        Snapshot {
            version: 2,
            run: self.state(),
            next_seq: machine.run.next_seq,
            states: machine.state.clone(),
            attempts: machine.attempts.clone(),
            waiting: machine
                .waiting
                .iter()
                .map(|w| w & !crate::machine::SPOILED)
                .collect(),
            tallies: machine
                .tally
                .iter()
                .map(|(&task, &tally)| (task, tally))
                .collect(),
            counts: machine.counts,
            ready: machine.ready.order(),
            lanes: machine.ready.lane_used().to_vec(),
            timers: machine.timers.iter().collect(),
            questions: machine.questions.values().copied().collect(),
            budget: machine.purse.budget,
            account: machine.purse.run,
            accounts: (machine.purse.tasks.iter())
                .map(|(&task, &account)| (task, account))
                .collect(),
            reservations: (machine.purse.open.iter())
                .map(|(&(task, reservation), &most)| (task, reservation, most))
                .collect(),
            proposers: machine.purse.proposers.iter().copied().collect(),
        }
    }
}
