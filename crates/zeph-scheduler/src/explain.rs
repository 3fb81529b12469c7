//! Explain: why a task is not running, for people.

use zeph_graph::{
    AskWhy, Attempt, CutWhy, EndingWhy, LaneId, QuestionId, SkipWhy, TaskId, TaskState, Timestamp,
};

use crate::Scheduler;
use crate::machine::{Phase, Tally};
use crate::timers::{Timer, TimerKind};

/// Why a task stands where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Explanation {
    /// It waits for parents.
    Parents {
        /// The first of those that have not ended, at most eight.
        open: Vec<TaskId>,
        /// How many there are in all.
        count: u32,
    },
    /// It is ready and held back.
    Held(Held),
    /// It runs.
    Running {
        /// The attempt.
        attempt: Attempt,
        /// Since when.
        since: Timestamp,
        /// When it times out.
        deadline: Option<Timestamp>,
    },
    /// Its next attempt waits.
    BackingOff {
        /// Until when.
        until: Timestamp,
        /// What has gone wrong so far.
        tally: Tally,
        /// Retries that it has in all.
        max_retries: u32,
    },
    /// A person is asked.
    Asking {
        /// The question.
        question: QuestionId,
        /// What about.
        why: AskWhy,
        /// Since when.
        since: Timestamp,
        /// When the default answer counts.
        deadline: Option<Timestamp>,
    },
    /// Its attempt is being stopped.
    Canceling {
        /// The attempt.
        attempt: Attempt,
        /// Why.
        why: CutWhy,
        /// When it is given up.
        deadline: Option<Timestamp>,
    },
    /// It has ended.
    Ended {
        /// How.
        state: TaskState,
        /// From the task itself along the parents that spoiled it, to the one where it began; the
        /// task that aborted the run comes last.
        because: Vec<TaskId>,
    },
}

/// What holds a ready task back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Held {
    /// The run has not begun, or waits to be resumed.
    Asleep,
    /// The run is paused.
    Paused,
    /// The run is being suspended, or is.
    Suspended,
    /// All slots are taken.
    Slots {
        /// How many there are.
        limit: u32,
    },
    /// A lane has no room.
    Lane {
        /// Which.
        lane: LaneId,
        /// Occupied units.
        used: u32,
        /// All units.
        capacity: u32,
    },
    /// Nothing: it starts with the next step.
    Nothing,
}

impl Scheduler {
    /// Why the task stands where it stands. Cost: the number of its parents, or the length of the
    /// chain that spoiled it.
    ///
    /// # Panics
    /// If the id is not one of this graph.
    #[must_use]
    #[track_caller]
    pub fn explain(&self, task: TaskId) -> Explanation {
        let machine = &self.machine;
        let deadline = |kind| {
            machine.timers.at(Timer {
                task: Some(task),
                kind,
            })
        };
        match self.task(task).state() {
            TaskState::Pending => self.explain_pending(task),
            TaskState::Ready => Explanation::Held(self.held(task)),
            TaskState::Running { attempt, since } => {
                let own = deadline(TimerKind::Attempt);
                let deadline = own.into_iter().chain(deadline(TimerKind::Task)).min();
                Explanation::Running {
                    attempt,
                    since,
                    deadline,
                }
            }
            TaskState::BackingOff { until, .. } => Explanation::BackingOff {
                until,
                tally: machine.tally(task),
                max_retries: machine.graph.task(task).rules().retry.max_retries,
            },
            TaskState::Asking { question } => {
                let open = &machine.questions[&question];
                let deadline = deadline(TimerKind::Question);
                Explanation::Asking {
                    question,
                    why: open.why,
                    since: open.since,
                    deadline,
                }
            }
            TaskState::Canceling { attempt, why } => Explanation::Canceling {
                attempt,
                why,
                deadline: deadline(TimerKind::Grace),
            },
            state @ (TaskState::Completed { .. }
            | TaskState::Failed { .. }
            | TaskState::Skipped { .. }
            | TaskState::Canceled { .. }) => Explanation::Ended {
                state,
                because: self.because(task),
            },
        }
    }

    fn explain_pending(&self, task: TaskId) -> Explanation {
        let machine = &self.machine;
        let parents = machine.graph.parents(task).iter().copied();
        let open: Vec<TaskId> = parents.filter(|&p| !machine.state(p).is_end()).collect();
        let count = open.len() as u32;
        match open.is_empty() {
            true => Explanation::Held(self.held(task)),
            false => Explanation::Parents {
                open: open.into_iter().take(8).collect(),
                count,
            },
        }
    }

    fn held(&self, task: TaskId) -> Held {
        let machine = &self.machine;
        match machine.run.phase {
            Phase::New => return Held::Asleep,
            Phase::Suspending | Phase::Suspended => return Held::Suspended,
            Phase::Live | Phase::Ended(_) => {}
        }
        if machine.dormant {
            return Held::Asleep;
        }
        if machine.run.paused {
            return Held::Paused;
        }
        let limit = machine.policy.max_parallel.get().min(machine.quota);
        if machine.counts.in_flight() >= limit {
            return Held::Slots { limit };
        }
        let full = machine.ready.lanes_of(task).iter().find_map(|used| {
            let capacity = machine.graph.lanes()[used.lane.index()].capacity;
            let taken = machine.ready.lane_used()[used.lane.index()];
            // A sum could pass the largest number; the difference cannot.
            (capacity - taken < used.weight).then_some(Held::Lane {
                lane: used.lane,
                used: taken,
                capacity,
            })
        });
        full.unwrap_or(Held::Nothing)
    }

    fn because(&self, task: TaskId) -> Vec<TaskId> {
        let machine = &self.machine;
        let mut chain = vec![task];
        let mut at = task;
        // Each step goes to a parent, so this ends.
        while let TaskState::Skipped {
            why: SkipWhy::Upstream(parent),
        } = machine.state(at)
        {
            chain.push(parent);
            at = parent;
        }
        if let Some(EndingWhy::Abort(first)) = machine.run.ending
            && matches!(machine.state(at), TaskState::Canceled { .. })
        {
            chain.push(first);
        }
        chain
    }

    /// Tasks that can never move again by themselves although the run is not over: none, unless all
    /// that is left waits for a back-off without end (`Retry-After: Duration::MAX`), or this machine
    /// or the journal it was recovered from is wrong. Constant time while all is well.
    #[must_use]
    pub fn stuck(&self) -> Vec<TaskId> {
        let machine = &self.machine;
        let counts = &machine.counts;
        let moves = counts.in_flight() > 0
            || machine.timers.first().is_some()
            || !machine.questions.is_empty()
            || counts.ready > 0
            || machine.run.paused
            || machine.dormant
            || !matches!(machine.run.phase, Phase::Live);
        if moves || counts.ended() == counts.total() {
            return Vec::new();
        }
        machine
            .graph
            .ids()
            .filter(|&id| !machine.state(id).is_end())
            .collect()
    }
}
