//! Explain: why a task is in its state, and why a ready task has not started.

use zeph_graph::{
    AskWhy, Attempt, CutWhy, EndingWhy, Fault, LaneId, QuestionId, SkipWhy, TaskId, TaskState,
    Timestamp,
};

use crate::Scheduler;
use crate::items::Items;
use crate::machine::{AttemptCounts, Phase};
use crate::timers::{Timer, TimerKind};

/// Why a task is in its state.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Explanation {
    /// The task waits for parents.
    Parents {
        /// The first parents that have not ended, at most eight.
        open: Vec<TaskId>,
        /// The number of parents that have not ended.
        count: u32,
    },
    /// The task is a finalizer, and other work is open.
    Finally {
        /// The number of unfinished tasks other than finalizers.
        open: u32,
    },
    /// The trigger of the task has fired, and its executor says whether it runs.
    Preparing,
    /// The task is ready and not started yet.
    Held(Held),
    /// An attempt is running.
    Running {
        /// The attempt.
        attempt: Attempt,
        /// When the attempt started.
        since: Timestamp,
        /// When the attempt or the task times out.
        deadline: Option<Timestamp>,
    },
    /// The task waits for its next attempt.
    BackingOff {
        /// When the task becomes ready.
        until: Timestamp,
        /// The counts of failed, repeated and abandoned attempts so far.
        attempt_counts: AttemptCounts,
        /// The automatic retries of the task.
        max_retries: u32,
    },
    /// A question is open.
    Asking {
        /// The question.
        question: QuestionId,
        /// What the question is about.
        why: AskWhy,
        /// When it was asked.
        since: Timestamp,
        /// When the default answer is used.
        deadline: Option<Timestamp>,
    },
    /// The items of the task run.
    Items(Items),
    /// The task failed, and another one runs in its place.
    FallingBack {
        /// The other task.
        to: TaskId,
        /// How the task failed.
        why: Fault,
    },
    /// The task runs only if another one fails.
    Fallback {
        /// The other task.
        of: TaskId,
    },
    /// An attempt is being stopped.
    Canceling {
        /// The attempt.
        attempt: Attempt,
        /// The reason.
        why: CutWhy,
        /// When the attempt is abandoned.
        deadline: Option<Timestamp>,
    },
    /// The task has ended.
    Ended {
        /// The terminal state.
        state: TaskState,
        /// The chain of causes: the task itself, the parent that skipped it, the fallback that did not complete,
        /// the item that failed it, and so on; the task that aborted the run comes last.
        because: Vec<TaskId>,
    },
}

/// Why a ready task has not started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Held {
    /// The run has not started, or was recovered and waits for its resumption.
    NoOwner,
    /// The run is paused.
    Paused,
    /// The run is being suspended, or is suspended.
    Suspended,
    /// All slots are in use.
    Slots {
        /// The number of slots.
        limit: u32,
    },
    /// A lane has too few free units.
    Lane {
        /// The lane.
        lane: LaneId,
        /// The units in use.
        used: u32,
        /// The units of the lane, or those that the driver [allows](crate::Input::LaneQuota).
        capacity: u32,
    },
    /// Nothing: the task starts with the next step.
    Nothing,
}

impl Scheduler {
    /// Why the task is in its state. Cost: the number of its parents, or the length of the chain of
    /// causes.
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
                attempt_counts: machine.attempt_counts(task),
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
            TaskState::Mapping => Explanation::Items(machine.items[&task]),
            TaskState::FallingBack { to, why } => Explanation::FallingBack { to, why },
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
        if machine.preparing.contains(&task) {
            return Explanation::Preparing;
        }
        if let Some(of) = machine.graph.fallback_of(task)
            && machine.run.phase != Phase::New
        {
            return Explanation::Fallback { of };
        }
        let open = machine.open_work;
        if machine.is_finalizer(task) && open > 0 {
            return Explanation::Finally { open };
        }
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

    /// Why a ready task has not started. Cost: the number of its lanes.
    ///
    /// # Panics
    /// If the id is not one of this graph.
    #[must_use]
    #[track_caller]
    pub fn held(&self, task: TaskId) -> Held {
        let held = self.held_if_active(task);
        if self.machine.awaiting_resume && held != Held::Suspended {
            return Held::NoOwner;
        }
        held
    }

    /// As [`held`](Self::held), under the assumption that a process works on the run.
    ///
    /// For readers of a stored run: their scheduler was recovered and never resumes, while the scheduler
    /// of the run's owner may be active.
    ///
    /// # Panics
    /// If the id is not one of this graph.
    #[must_use]
    #[track_caller]
    pub fn held_if_active(&self, task: TaskId) -> Held {
        let machine = &self.machine;
        self.check_task(task);
        match machine.run.phase {
            Phase::New => return Held::NoOwner,
            Phase::Suspending | Phase::Suspended => return Held::Suspended,
            Phase::Live | Phase::Ended(_) => {}
        }
        if machine.run.paused {
            return Held::Paused;
        }
        let limit = machine.slots();
        if machine.counts.in_flight() >= limit {
            return Held::Slots { limit };
        }
        let full = machine.ready.lanes_of(task).iter().find_map(|used| {
            let capacity = machine.ready.lane_allowed(used.lane);
            let taken = machine.ready.lane_used()[used.lane.index()];
            // More may be in use than the driver allows now.
            (capacity.saturating_sub(taken) < used.weight).then_some(Held::Lane {
                lane: used.lane,
                used: taken,
                capacity,
            })
        });
        full.unwrap_or(Held::Nothing)
    }

    /// The tasks whose attempts are in flight, each of which takes a slot. Cost: a pass over all tasks.
    pub fn in_flight(&self) -> impl Iterator<Item = TaskId> + '_ {
        let tasks = self.machine.graph.ids();
        tasks.filter(|&task| self.machine.has_slot(task))
    }

    /// The tasks whose attempts occupy units of this lane. Cost: a pass over all tasks.
    pub fn in_lane(&self, lane: LaneId) -> impl Iterator<Item = TaskId> + '_ {
        self.in_flight().filter(move |&task| {
            let lanes = self.machine.ready.lanes_of(task);
            lanes.iter().any(|used| used.lane == lane)
        })
    }

    fn because(&self, task: TaskId) -> Vec<TaskId> {
        let machine = &self.machine;
        let mut chain = vec![task];
        let mut at = task;
        // Each step goes to a parent, so the loop ends.
        while let TaskState::Skipped {
            why: SkipWhy::Upstream(parent),
        } = machine.state(at)
        {
            chain.push(parent);
            at = parent;
        }
        // Fallbacks do not go round in a circle.
        while let Some(fallback) = machine.failed_fallback(at) {
            chain.push(fallback);
            at = fallback;
        }
        let failed_item = matches!(machine.state(at), TaskState::Failed { why: Fault::Item });
        chain.extend(machine.first_failed_item(at).filter(|_| failed_item));
        if let Some(EndingWhy::Abort(first)) = machine.run.ending
            && !machine.is_finalizer(at)
            && matches!(machine.state(at), TaskState::Canceled { .. })
        {
            chain.push(first);
        }
        chain
    }

    /// Unfinished tasks whose state no timer, attempt or answer can change any more. Empty, unless all
    /// unfinished tasks wait for an endless back-off (`Retry-After: Duration::MAX`), or the scheduler or its
    /// journal is wrong. Constant time in the normal case.
    #[must_use]
    pub fn stuck(&self) -> Vec<TaskId> {
        let machine = &self.machine;
        let counts = &machine.counts;
        let moves = counts.in_flight() > 0
            || machine.timers.first().is_some()
            || !machine.questions.is_empty()
            || counts.ready > 0
            || !machine.preparing.is_empty()
            || machine.run.paused
            || machine.awaiting_resume
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
