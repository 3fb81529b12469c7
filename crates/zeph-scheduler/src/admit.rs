//! Admit: the one transition table. What a record may follow, live and in recovery.

use zeph_graph::{
    Answer, AskWhy, EndingWhy, FailureAnswer, QuestionId, Record, SkipWhy, TaskId, TaskState, Work,
};

use crate::machine::{Machine, Phase};

impl Machine {
    /// Whether the record may come next. A live machine asserts it; a journal that fails it is corrupt.
    ///
    /// `Pending` stands for two things here: waiting for parents, and, inside a batch, between an
    /// attempt's end and the record that says what follows.
    pub(crate) fn admits(&self, record: &Record) -> bool {
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
            Record::Readied { task } => matches!(
                self.state(task),
                TaskState::Pending | TaskState::BackingOff { .. }
            ),
            Record::Started { task, attempt } => {
                self.state(task) == TaskState::Ready
                    && attempt == self.next_attempt(task)
                    && self.ready.has_room(task)
            }
            Record::Completed { task, .. } => self.admits_completed(task),
            Record::AttemptFailed { task, attempt, .. } => {
                matches!(self.state(task), TaskState::Running { attempt: a, .. } if a == attempt)
            }
            Record::AttemptCut { task, attempt, .. } => matches!(
                self.state(task),
                TaskState::Running { attempt: a, .. } | TaskState::Canceling { attempt: a, .. }
                    if a == attempt
            ),
            Record::CancelRequested { task, attempt, why } => {
                let state = self.state(task);
                matches!(state, TaskState::Running { attempt: a, .. } if a == attempt)
                    || matches!(
                        state,
                        TaskState::Canceling { attempt: a, why: before }
                            if a == attempt && before != why
                    )
            }
            Record::BackedOff { task, .. } => {
                self.state(task) == TaskState::Pending && self.attempts[task.index()] > 0
            }
            Record::Asked {
                task,
                question,
                why,
            } => self.admits_asked(task, question, why),
            Record::Answered {
                task,
                question,
                answer,
                ..
            } => {
                let open = self.questions.get(&question);
                open.is_some_and(|open| open.task == task && fits(open.why, answer))
            }
            Record::Failed { task, .. } => {
                self.attempts[task.index()] > 0
                    && !self.state(task).is_end()
                    && !self.has_slot(task)
            }
            Record::Skipped { task, why } => {
                self.state(task) == TaskState::Pending && self.may_spoil(why, task)
            }
            Record::Canceled { task, .. } => !self.state(task).is_end() && !self.has_slot(task),
            Record::Ending { why } => self.admits_ending(why),
            Record::Paused => !self.run.paused,
            Record::Unpaused => self.run.paused,
            Record::Suspending => self.run.phase == Phase::Live,
            Record::Suspended => {
                self.run.phase == Phase::Suspending && self.counts.in_flight() == 0
            }
            Record::Resumed => true,
            Record::Reserved {
                task, reservation, ..
            } => self.has_slot(task) && reservation.get() == self.purse.last.wrapping_add(1),
            Record::Settled {
                task, reservation, ..
            } => self.purse.open.contains_key(&(task, reservation)),
            Record::Noted { task, attempt, .. } => self.current(task, attempt).is_some(),
            Record::Amended { task, .. } => self.admits_amended(task),
            Record::Budgeted { budget } => budget != self.purse.budget,
            Record::Ended { .. } => self.counts.ended() == self.counts.total(),
        }
    }

    fn admits_asked(&self, task: TaskId, question: QuestionId, why: AskWhy) -> bool {
        self.may_ask(why, task)
            && question.get() == self.run.last_question.wrapping_add(1)
            && matches!(
                self.state(task),
                TaskState::Pending | TaskState::Ready | TaskState::BackingOff { .. }
            )
    }

    fn admits_ending(&self, why: EndingWhy) -> bool {
        let known = match why {
            EndingWhy::Abort(task) => task.index() < self.state.len(),
            EndingWhy::Cancel | EndingWhy::Timeout => true,
        };
        known && self.run.ending.is_none()
    }

    /// Whether the patch fits the graph is for the graph to say.
    fn admits_amended(&self, task: TaskId) -> bool {
        matches!(self.state(task), TaskState::Running { .. })
            && self.run.ending.is_none()
            && !self.purse.proposers.contains(&task)
    }

    /// A task completes by its attempt, or without one: a milestone, an answer, a substitute.
    fn admits_completed(&self, task: TaskId) -> bool {
        match self.state(task) {
            TaskState::Running { .. } | TaskState::Canceling { .. } => true,
            TaskState::Ready | TaskState::BackingOff { .. } => true,
            TaskState::Pending => {
                self.attempts[task.index()] > 0
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

    /// Each kind of question needs something to be about.
    fn may_ask(&self, why: AskWhy, task: TaskId) -> bool {
        let definition = self.graph.task(task);
        match why {
            AskWhy::Work => matches!(definition.work(), Work::Question(_)),
            AskWhy::Approve => definition.rules().approve.is_some(),
            AskWhy::Failure(_) => self.attempts[task.index()] > 0,
        }
    }

    /// What spoils a task is one of its parents; a chain of other tasks could go round in circles.
    fn may_spoil(&self, why: SkipWhy, task: TaskId) -> bool {
        match why {
            SkipWhy::Upstream(parent) => self.graph.parents(task).contains(&parent),
            SkipWhy::Declined => true,
        }
    }

    fn has_slot(&self, task: TaskId) -> bool {
        matches!(
            self.state(task),
            TaskState::Running { .. } | TaskState::Canceling { .. }
        )
    }
}

/// Whether a question about that accepts this answer.
pub(crate) const fn fits(why: AskWhy, answer: Answer) -> bool {
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
