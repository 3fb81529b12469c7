//! Transitions: the one table of the records that are allowed in a state, live and in recovery.

use zeph_graph::{
    Answer, AskWhy, Attempt, CancelWhy, CutWhy, EndingWhy, FailureAnswer, Fault, ManualEnd, Output,
    QuestionId, Record, SkipWhy, SuppliedWhy, TaskId, TaskState, Trigger, Work,
};

use crate::apply::has_slot;
use crate::fallback::Turn;
use crate::machine::{Machine, Phase, Waiting};
use crate::outcome::InFlight;

impl Machine {
    /// Whether the record may come next. A live scheduler asserts it; recovery rejects a journal that
    /// violates it.
    ///
    /// `Pending` has two meanings here: a task that waits for its parents, and, within a batch, a task
    /// between the end of an attempt and the record of the consequence.
    pub(crate) fn allows(&self, record: &Record) -> bool {
        if let Some(task) = record.task()
            && task.index() >= self.state.len()
        {
            return false;
        }
        let opened = self.run.phase != Phase::New;
        let over = matches!(self.run.phase, Phase::Ended(_));
        if over || opened == matches!(record, Record::Opened) {
            return false;
        }
        match *record {
            Record::Opened => true,
            Record::Preparing { task } => self.allows_preparing(task),
            Record::PrepareFailed { task, fault, .. } => {
                let is_known = matches!(fault, Fault::Skipped | Fault::Prepare);
                is_known && self.preparing.contains(&task)
            }
            Record::Readied { task } => self.allows_readied(task),
            Record::Started { task, attempt } => self.allows_started(task, attempt),
            Record::Completed { task, output, .. } => self.allows_completed(task, output),
            Record::Supplied { task, why, .. } => {
                let is_kept = why == SuppliedWhy::Kept && self.allows_supplied(task);
                is_kept || self.preparing.contains(&task)
            }
            Record::AttemptFailed { task, attempt, .. } => {
                matches!(self.state(task), TaskState::Running { attempt: a, .. } if a == attempt)
            }
            Record::AttemptCut { task, attempt, .. } => matches!(
                self.state(task),
                TaskState::Running { attempt: a, .. } | TaskState::Canceling { attempt: a, .. }
                    if a == attempt
            ),
            Record::Overridden { task, end, by } => {
                !by.is_default() && self.allows_overridden(task, end)
            }
            Record::CancelRequested { task, attempt, why } => {
                self.allows_cancel_requested(task, attempt, why)
            }
            Record::BackedOff { task, .. } => self.is_between_attempts(task),
            Record::FellBack { task, to, .. } => self.allows_fell_back(task, to),
            Record::Asked {
                task,
                question,
                why,
            } => self.allows_asked(task, question, why),
            Record::Answered {
                task,
                question,
                answer,
                ..
            } => {
                let open = self.questions.get(&question);
                open.is_some_and(|open| open.task == task && is_valid_answer(open.why, answer))
            }
            Record::Failed { task, .. } => self.allows_failed(task),
            Record::Skipped { task, why } => self.is_valid_skip(why, task),
            Record::Canceled { task, why } => {
                !self.state(task).is_end() && !self.has_slot(task) && self.is_known_root(why)
            }
            Record::Ending { why } => self.allows_ending(why),
            Record::Paused => !self.run.paused,
            Record::Unpaused => self.run.paused,
            Record::Suspending => self.run.phase == Phase::Live,
            Record::Suspended => {
                self.run.phase == Phase::Suspending && self.counts.in_flight() == 0
            }
            Record::Resumed => true,
            Record::Reserved {
                task, reservation, ..
            } => self.has_slot(task) && reservation == self.ledger.next_reservation(),
            Record::Settled {
                task, reservation, ..
            } => self.ledger.open.contains_key(&(task, reservation)),
            Record::Noted { task, attempt, .. } => self.in_flight(task, attempt).is_some(),
            Record::Amended { task, by, .. } => {
                !by.is_default()
                    && self.is_growing()
                    && task.is_none_or(|task| matches!(self.state(task), TaskState::Running { .. }))
            }
            Record::Expanded {
                task,
                attempt,
                count,
                ..
            } => self.allows_expanded(task, attempt, count),
            Record::Budgeted { budget } => budget != self.ledger.budget,
            Record::Ended { .. } => self.counts.ended() == self.counts.total(),
        }
    }

    /// The attempt is at work, or is being stopped for another reason.
    fn allows_cancel_requested(&self, task: TaskId, attempt: Attempt, why: CutWhy) -> bool {
        let has_reason = match why {
            CutWhy::Override => self.overrides.contains_key(&task),
            CutWhy::Cancel(why) => self.is_known_root(why),
            CutWhy::AttemptTimeout
            | CutWhy::IdleTimeout
            | CutWhy::TaskTimeout
            | CutWhy::Suspend => true,
        };
        has_reason
            && match self.in_flight(task, attempt) {
                Some(InFlight::Running) => true,
                Some(InFlight::Stopping(before)) => before != why,
                None => false,
            }
    }

    fn allows_readied(&self, task: TaskId) -> bool {
        let state = self.state(task);
        matches!(state, TaskState::Pending | TaskState::BackingOff { .. })
            || (state == TaskState::Mapping && self.has_ended_items(task))
    }

    fn allows_started(&self, task: TaskId, attempt: Attempt) -> bool {
        self.state(task) == TaskState::Ready
            && attempt == self.next_attempt(task)
            && self.ready.has_room(task)
    }

    fn allows_asked(&self, task: TaskId, question: QuestionId, why: AskWhy) -> bool {
        self.may_ask(why, task)
            && question.get() == self.run.last_question.wrapping_add(1)
            && matches!(
                self.state(task),
                TaskState::Pending | TaskState::Ready | TaskState::BackingOff { .. }
            )
    }

    fn is_between_attempts(&self, task: TaskId) -> bool {
        self.state(task) == TaskState::Pending && self.attempts[task.index()] > 0
    }

    /// Whether a result can be taken over once all parents have completed: the trigger fires then, and the
    /// task does not run at the end of each run, and in no place of another one.
    pub(crate) fn may_be_supplied(&self, task: TaskId) -> bool {
        let waits_for_failure = self.flags[task.index()].trigger == Trigger::AnyFailed;
        let fires = !waits_for_failure || self.graph.parents(task).is_empty();
        fires && !self.is_finalizer(task) && self.graph.fallback_of(task).is_none()
    }

    /// Every parent has completed, and no attempt has been made.
    pub(crate) fn allows_supplied(&self, task: TaskId) -> bool {
        let index = task.index();
        self.state(task) == TaskState::Pending
            && self.attempts[index] == 0
            && self.may_be_supplied(task)
            && self.waiting[index].open() == 0
            && !self.waiting[index].any(Waiting::FAILED | Waiting::SKIPPED)
    }

    fn allows_ending(&self, why: EndingWhy) -> bool {
        let known = match why {
            EndingWhy::Abort(task) => task.index() < self.state.len(),
            EndingWhy::Cancel | EndingWhy::Timeout => true,
        };
        known && self.run.ending.is_none()
    }

    /// Whether tasks may be added. The graph checks the patch itself.
    pub(crate) fn is_growing(&self) -> bool {
        self.run.ending.is_none() && self.open_work > 0
    }

    /// An attempt was made, by this run or, of an expanded task, by an earlier one.
    fn allows_failed(&self, task: TaskId) -> bool {
        let state = self.state(task);
        if state == TaskState::Mapping {
            return self.has_ended_items(task);
        }
        if let Some(fallback) = self.running_fallback(task) {
            return self.has_no_result(fallback);
        }
        self.has_tried(task) && !state.is_end() && !self.has_slot(task)
    }

    /// A task completes by an attempt, or without one: a milestone, an answer, a substitute value, a result that
    /// a person gave.
    fn allows_completed(&self, task: TaskId, output: Output) -> bool {
        match self.state(task) {
            TaskState::Running { .. } | TaskState::Canceling { .. } => true,
            TaskState::Ready | TaskState::BackingOff { .. } => true,
            TaskState::Mapping => self.has_ended_items(task),
            TaskState::FallingBack { to, .. } => self.state(to) == TaskState::Completed { output },
            TaskState::Pending => {
                self.has_tried(task)
                    || self.overrides.get(&task) == Some(&ManualEnd::Complete(output))
                    || match self.graph.task(task).work() {
                        Work::Milestone | Work::Question(_) => true,
                        Work::Action { .. } => false,
                    }
            }
            TaskState::Asking { .. } => false,
            TaskState::Completed { .. }
            | TaskState::Failed { .. }
            | TaskState::Skipped { .. }
            | TaskState::Canceled { .. } => false,
        }
    }

    /// Whether the task has what this kind of question is about.
    fn may_ask(&self, why: AskWhy, task: TaskId) -> bool {
        let definition = self.graph.task(task);
        match why {
            AskWhy::Work => matches!(definition.work(), Work::Question(_)),
            AskWhy::Approve => definition.rules().approve.is_some(),
            AskWhy::Failure(_) => self.has_tried(task),
        }
    }

    /// The task named as the cause of a skip must be a parent, so that chains of causes have no cycle.
    fn is_valid_skip(&self, why: SkipWhy, task: TaskId) -> bool {
        let is_pending = self.state(task) == TaskState::Pending;
        let is_valid = match why {
            SkipWhy::Removed => return self.graph.is_removed(task) && self.has_not_started(task),
            SkipWhy::Upstream(parent) => self.graph.parents(task).contains(&parent),
            SkipWhy::NoFailure | SkipWhy::Declined => true,
            SkipWhy::Condition => self.unprepared.contains(&task),
            SkipWhy::Executor => self.attempts[task.index()] > 0,
            SkipWhy::Override | SkipWhy::Withdrawn => {
                let given = self.overrides.get(&task);
                given.is_some_and(|end| end.skip_why() == Some(why))
            }
            SkipWhy::NotNeeded => matches!(self.turn(task), Some(Turn::NotNeeded)),
        };
        is_pending && is_valid
    }

    /// A cancel with dependents names the task that it began with.
    fn is_known_root(&self, why: CancelWhy) -> bool {
        match why {
            CancelWhy::Downstream(root) => (root as usize) < self.state.len(),
            CancelWhy::Task
            | CancelWhy::Item
            | CancelWhy::Run
            | CancelWhy::Abort
            | CancelWhy::RunTimeout => true,
        }
    }

    pub(crate) fn has_slot(&self, task: TaskId) -> bool {
        has_slot(self.state(task))
    }
}

/// Whether a question of this kind accepts this answer.
pub(crate) const fn is_valid_answer(why: AskWhy, answer: Answer) -> bool {
    match (why, answer) {
        (AskWhy::Work, Answer::Value(_))
        | (AskWhy::Approve, Answer::Yes | Answer::No)
        | (AskWhy::Failure(_), Answer::Value(_))
        | (
            AskWhy::Failure(_),
            Answer::Failure(FailureAnswer::Retry | FailureAnswer::Skip | FailureAnswer::Abort),
        ) => true,
        (AskWhy::Work, Answer::Yes | Answer::No | Answer::Failure(_))
        | (AskWhy::Approve, Answer::Value(_) | Answer::Failure(_))
        | (AskWhy::Failure(_), Answer::Yes | Answer::No) => false,
    }
}
