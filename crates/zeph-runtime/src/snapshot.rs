//! Snapshots: the state of a run in numbers, as of its last save.

use std::sync::Arc;

use zeph_graph::{RunState, Seq, Spent};
use zeph_scheduler::{Counts, Scheduler};

use crate::driver::LastErrors;
use crate::question::QuestionView;

/// The state of a run as of its last save.
#[derive(Clone, Debug, PartialEq)]
pub struct RunSnapshot {
    /// The run's state.
    pub state: RunState,
    /// The number of tasks in each state.
    pub counts: Counts,
    /// The spending of the run.
    pub spent: Spent,
    /// The number of its next record.
    pub next_seq: Seq,
    /// The open questions, oldest first.
    pub questions: Arc<[QuestionView]>,
}

impl RunSnapshot {
    pub(crate) fn new(scheduler: &Scheduler, errors: &LastErrors) -> Self {
        Self::with_questions(scheduler, question_views(scheduler, errors).into())
    }

    /// The snapshot with questions that are built already.
    pub(crate) fn with_questions(scheduler: &Scheduler, questions: Arc<[QuestionView]>) -> Self {
        Self {
            state: scheduler.state(),
            counts: scheduler.counts(),
            spent: scheduler.spent(),
            next_seq: scheduler.next_seq(),
            questions,
        }
    }
}

/// The open questions of a run, oldest first.
pub(crate) fn question_views(scheduler: &Scheduler, errors: &LastErrors) -> Vec<QuestionView> {
    let view = |open: zeph_scheduler::OpenQuestion| {
        QuestionView::new(scheduler, &open, errors.get(open.task).cloned())
    };
    scheduler.questions().map(view).collect()
}
