//! Inputs: everything that can happen to a run. Closed, and matched exhaustively.

use std::time::Duration;

use zeph_graph::{Answer, Attempt, Budget, ContentId, Fault, QuestionId, TaskId};

/// Something that happened. May come in any order and any number of times; what is stale is a no-op.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Input {
    /// The run begins. The first input of a new machine.
    Start,
    /// An attempt ended with a result.
    Completed {
        /// Which task.
        task: TaskId,
        /// Which attempt.
        attempt: Attempt,
        /// The content that holds the result.
        output: Option<ContentId>,
        /// The content that holds what it logged.
        log: Option<ContentId>,
    },
    /// An attempt ended without a result.
    Failed {
        /// Which task.
        task: TaskId,
        /// Which attempt.
        attempt: Attempt,
        /// How it failed.
        fault: Fault,
        /// The content that holds what the executor said.
        error: Option<ContentId>,
        /// The content that holds what it logged.
        log: Option<ContentId>,
        /// The shortest wait before the next attempt, when the executor knows one.
        retry_after: Option<Duration>,
    },
    /// An attempt's end will never be known: what ran it went away. Costs no retry.
    Lost {
        /// Which task.
        task: TaskId,
        /// Which attempt.
        attempt: Attempt,
    },
    /// A question was answered.
    Answered {
        /// Which question.
        question: QuestionId,
        /// What was answered.
        answer: Answer,
    },
    /// Somebody wants work to end.
    Cancel(Scope),
    /// Nothing new is to start until [`Input::Unpause`]; running work goes on.
    Pause,
    /// The pause is over.
    Unpause,
    /// The run is to come to rest: nothing new starts, running work has its grace. The second time:
    /// the grace is over now.
    Suspend,
    /// The run is to go on: after a suspension, or after [`recover`](crate::Scheduler::recover).
    Resume,
    /// The run may cost that much from here on, what it has spent so far included.
    ///
    /// Stale if it may already, before the start and after the end. What is reserved stays reserved,
    /// also where the new budget does not cover it.
    Budget(Budget),
    /// How many attempts of this run may be in flight at most, when several runs share the slots.
    /// Not journaled: the starts are.
    Quota(u32),
    /// Time has passed.
    Tick,
}

/// What a cancellation takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// This task; triggers decide for its dependants.
    Task(TaskId),
    /// This task and every unfinished task that depends on it, directly or not.
    Downstream(TaskId),
    /// Everything.
    Run,
}

/// What became of an input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InputOutcome {
    /// It was taken into account.
    Accepted,
    /// It was about something that is over or was never there, and changed nothing.
    Stale,
    /// It was an answer that its question does not accept, and changed nothing.
    Rejected,
}
