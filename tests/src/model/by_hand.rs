//! By hand: the end that a person gives a task, in the model.

use zeph_graph::{AskWhy, CutWhy, ManualEnd, Output, TaskId};
use zeph_scheduler::InputOutcome;

use super::{Model, Stage, TaskEnd};

impl Model {
    pub(super) fn override_end(&mut self, task: TaskId, end: ManualEnd) -> InputOutcome {
        if end == ManualEnd::Complete(Output::Definition) {
            return InputOutcome::Rejected;
        }
        if !self.known(task) || (self.ending.is_some() && !self.facts.rules(task).finally) {
            return InputOutcome::Stale;
        }
        let now = self.now;
        let stand_in = self.stand_in(task);
        let life = &mut self.lives[task.index()];
        if life.manual_end.is_some() {
            return InputOutcome::Stale;
        }
        let stage = match life.stage {
            Stage::Ended(_) | Stage::Stopping(_, CutWhy::Cancel(_), _) => {
                return InputOutcome::Stale;
            }
            Stage::Working(no, _) => Stage::Stopping(no, CutWhy::Override, now),
            Stage::Stopping(no, _, since) => Stage::Stopping(no, CutWhy::Override, since),
            Stage::Asked(AskWhy::Failure(_), _) => {
                life.substituted = end.skip_why().is_none();
                Stage::Ended(manual(end))
            }
            Stage::FallingBack(..) => {
                life.substituted = end.skip_why().is_none();
                Stage::Ended(manual(end))
            }
            Stage::Idle
            | Stage::Preparing
            | Stage::Queued
            | Stage::Resting(..)
            | Stage::Asked(..)
            | Stage::Mapping => Stage::Ended(manual(end)),
        };
        let was_mapping = life.stage == Stage::Mapping;
        life.manual_end = Some(end);
        life.stage = stage;
        for item in self.facts.items(task).filter(|_| was_mapping) {
            self.override_end(item, end.of_parts());
        }
        if let Some(stand_in) = stand_in {
            self.override_end(stand_in, end.of_parts());
        }
        self.wind();
        InputOutcome::Accepted
    }
}

/// How a task ends by the word of a person.
pub(super) const fn manual(end: ManualEnd) -> TaskEnd {
    match end {
        ManualEnd::Complete(output) => TaskEnd::Completed(output),
        ManualEnd::Skip => TaskEnd::SkippedByHand,
        ManualEnd::Withdraw => TaskEnd::Withdrawn,
    }
}
