//! Inputs: the events that a driver reports. A closed enum, matched exhaustively.

use std::time::Duration;

use zeph_graph::{
    Answer, Attempt, Budget, ContentId, Fault, LaneId, ManualEnd, QuestionId, SuppliedWhy, TaskId,
};

/// An event that the driver reports. Inputs may come in any order and repeatedly; a stale one is a no-op.
///
/// Calls of a running attempt that have a reply of their own are methods of [`Scheduler`](crate::Scheduler):
/// `reserve`, `settle`, `note` and `amend`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Input {
    /// Starts the run. The first input of a new scheduler.
    Start,
    /// The task has a result that an earlier run made, so it does not run. Comes before [`Input::Start`], which
    /// makes the record; parents come before their dependents.
    ///
    /// Stale after the start and a second time; rejected for a finalizer, for a task
    /// that waits for a failure, and if a parent has no such result.
    Supply {
        /// The task.
        task: TaskId,
        /// The content that holds the result, in this run.
        output: Option<ContentId>,
    },
    /// An earlier run had expanded the task into items, and some of them have no result: they run, and the list
    /// is not made again. Comes before [`Input::Start`]; the items are numbered behind the graph, in the order of
    /// their tasks, and [`Input::Supply`] gives the results that they have.
    ///
    /// Stale after the start and a second time; rejected as [`Input::Supply`] is, and if the graph refuses the
    /// items.
    SupplyItems {
        /// The task.
        task: TaskId,
        /// The content that holds the list, in this run.
        list: ContentId,
        /// The number of items.
        count: u32,
    },
    /// The reply to [`Action::Prepare`](crate::Action::Prepare). Stale unless the task is being prepared.
    Prepared {
        /// The task.
        task: TaskId,
        /// What becomes of the task.
        then: Prepared,
    },
    /// An attempt ended with a result.
    Completed {
        /// The task.
        task: TaskId,
        /// The attempt.
        attempt: Attempt,
        /// The content that holds the result.
        output: Option<ContentId>,
        /// The content that holds the log of the attempt.
        log: Option<ContentId>,
    },
    /// The first attempt of a task that runs for each item of a list ended with the list.
    ///
    /// Rejected if the graph refuses the items; the driver then reports the failure.
    Expanded {
        /// The task.
        task: TaskId,
        /// The attempt.
        attempt: Attempt,
        /// The content that holds the list.
        list: ContentId,
        /// The number of items.
        count: u32,
    },
    /// An attempt ended without a result.
    Failed {
        /// The task.
        task: TaskId,
        /// The attempt.
        attempt: Attempt,
        /// The kind of failure.
        fault: Fault,
        /// The content that holds the error of the executor.
        error: Option<ContentId>,
        /// The content that holds the log of the attempt.
        log: Option<ContentId>,
        /// The shortest wait before the next attempt, if the executor names one.
        retry_after: Option<Duration>,
    },
    /// A running attempt has given no sign of life for its idle time-out. The driver measures that time.
    Idle {
        /// The task.
        task: TaskId,
        /// The attempt.
        attempt: Attempt,
    },
    /// The end of an attempt will never be known, since its process has ended. Costs no retry.
    Lost {
        /// The task.
        task: TaskId,
        /// The attempt.
        attempt: Attempt,
    },
    /// A question was answered.
    Answered {
        /// The question.
        question: QuestionId,
        /// The answer.
        answer: Answer,
        /// The content that says who answered, if that is known.
        by: Option<ContentId>,
    },
    /// A person gives an unfinished task its end. An attempt in flight is stopped first.
    ///
    /// Stale if the task has ended, is being canceled or has been given an end before. Rejected if the result
    /// is to be that of the definition, which may have none.
    Override {
        /// The task.
        task: TaskId,
        /// The end.
        end: ManualEnd,
        /// The content that says who gave it, if that is known.
        by: Option<ContentId>,
    },
    /// Cancels work.
    Cancel(Scope),
    /// Starts nothing new until [`Input::Unpause`]; running attempts continue.
    Pause,
    /// Ends the pause.
    Unpause,
    /// Suspends the run: nothing new starts, and running attempts have the grace period to end. A second
    /// one ends the grace period at once.
    Suspend,
    /// Continues the run after a suspension or after [`recover`](crate::Scheduler::recover).
    Resume,
    /// Sets the budget of the whole run, including past spending.
    ///
    /// Stale if it equals the current budget, before the start and after the end. Open reservations stay
    /// valid even if the new budget does not cover them.
    Budget(Budget),
    /// The most attempts of this run that may be in flight, for drivers that share slots between runs.
    /// Not journaled, unlike the starts that follow from it.
    Quota(u32),
    /// The most units of a lane that attempts of this run may occupy, besides its capacity, for drivers whose runs
    /// share a lane. More for a lane that is fuller starts nothing and stops nothing. Not journaled. Without one
    /// only the capacity counts, also after a recovery.
    LaneQuota {
        /// The lane.
        lane: LaneId,
        /// The units.
        units: u32,
    },
    /// Fires the timers that are due.
    Tick,
}

/// What becomes of a task that was prepared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Prepared {
    /// It runs: its approval, if it has one, and then its work.
    Run,
    /// Its condition does not hold: it is skipped.
    Skip {
        /// The content that holds the reason.
        reason: Option<ContentId>,
    },
    /// It has a result that an earlier run made, and does not run.
    Supply {
        /// The content that holds the result, in this run.
        output: Option<ContentId>,
        /// Why the earlier result counts.
        why: SuppliedWhy,
        /// The content that names the run that made the result.
        from: Option<ContentId>,
    },
    /// It could not be prepared. Its failure strategy follows, without a retry.
    Fail {
        /// The content that holds the error.
        error: Option<ContentId>,
    },
}

/// The scope of a cancel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// One task; triggers decide for its dependents.
    Task(TaskId),
    /// A task and every unfinished task that depends on it, directly or not.
    Downstream(TaskId),
    /// The whole run. Finalizers start when the work has ended; a cancel of a run that is ending, or
    /// of which only finalizers are left, cancels them.
    Run,
}

/// The outcome of an input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InputOutcome {
    /// The input was applied.
    Accepted,
    /// The input refers to something that has ended or never existed. Nothing has changed.
    Stale,
    /// The question does not accept this answer, a task cannot be given that result, or the result comes before
    /// that of a parent. Nothing has changed.
    Rejected,
}
