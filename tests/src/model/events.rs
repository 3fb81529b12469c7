//! Events: the effects of calls and of timers in the model.

use std::sync::Arc;

use zeph_graph::{CancelWhy, CutHow, CutWhy, EndingWhy, Fault, QuestionId, TaskId};
use zeph_graph::{Output, Timestamp, Trigger, Work};
use zeph_scheduler::{Input, InputOutcome, Prepared, Scope, TimerKind};

use super::fallback::Turn;
use super::{Model, Phase, Stage, TaskEnd};
use crate::call::{Call, CallReply};
use crate::facts::Facts;

impl Model {
    /// Applies a call. `asked` returns the task of an open question; `grown` is the facts after a patch or
    /// with items, or `None` if they are invalid.
    pub fn event(
        &mut self,
        now: Timestamp,
        what: &Call,
        grown: Option<Arc<Facts>>,
        asked: impl Fn(QuestionId) -> Option<TaskId>,
    ) -> CallReply {
        self.events += 1;
        let resumes = matches!(what, Call::Input(Input::Resume));
        if !self.awaiting_resume || self.phase == Phase::New || resumes {
            self.now = self.now.max(now.as_micros());
        }
        let reply = match *what {
            Call::Input(input) => self.take(input, grown, &asked).into(),
            Call::Reserve {
                task,
                attempt,
                most,
            } => self.reserve(task, attempt, most),
            Call::Settle {
                task,
                attempt,
                reservation,
                spent,
            } => self.settle(task, attempt, reservation, spent),
            Call::Note { task, attempt, .. } => self.note(task, attempt),
            Call::Amend {
                task,
                attempt,
                after,
                ..
            } => self.amend(task, (attempt, after), grown),
            Call::AmendByHand { by_hand, .. } => self.amend_by_hand(by_hand.after, grown),
        };
        self.follow();
        while self.fire_one() {
            self.follow();
        }
        self.close();
        self.wind();
        reply
    }

    fn take(
        &mut self,
        input: Input,
        grown: Option<Arc<Facts>>,
        asked: &dyn Fn(QuestionId) -> Option<TaskId>,
    ) -> InputOutcome {
        let early = matches!(
            input,
            Input::Supply { .. }
                | Input::SupplyItems { .. }
                | Input::Start
                | Input::Resume
                | Input::Quota(_)
                | Input::LaneQuota { .. }
        );
        if matches!(self.phase, Phase::Over(_)) || (self.phase == Phase::New && !early) {
            return InputOutcome::Stale;
        }
        match input {
            Input::Start => self.start(grown),
            Input::SupplyItems { task, count, .. } => self.supply_items(task, count),
            Input::Expanded { task, attempt, .. } => self.expanded(task, attempt.get(), grown),
            Input::Supply { task, output } => {
                self.supply(task, output.map_or(Output::None, Output::Content))
            }
            Input::Prepared { task, then } => self.prepared(task, then),
            Input::Completed {
                task,
                attempt,
                output,
                ..
            } => {
                let output = output.map_or(Output::None, Output::Content);
                self.completed(task, attempt.get(), output)
            }
            Input::Failed {
                task,
                attempt,
                fault,
                retry_after,
                ..
            } => self.attempt_failed(task, attempt.get(), fault, retry_after),
            Input::Idle { task, attempt } => self.idle(task, attempt.get()),
            Input::Lost { task, attempt } => self.lost(task, attempt.get()),
            Input::Answered {
                question, answer, ..
            } => match asked(question) {
                Some(task) => self.answered(task, answer),
                None => InputOutcome::Stale,
            },
            Input::Override { task, end, .. } => self.override_end(task, end),
            Input::Cancel(scope) => self.cancel(scope),
            Input::Pause => self.pause(true),
            Input::Unpause => self.pause(false),
            Input::Suspend => self.suspend(),
            Input::Resume => self.resume(grown),
            Input::Budget(budget) if budget == self.budget => InputOutcome::Stale,
            Input::Budget(budget) => {
                self.budget = budget;
                InputOutcome::Accepted
            }
            Input::Quota(slots) => {
                self.quota = slots;
                InputOutcome::Accepted
            }
            Input::LaneQuota { lane, units } => {
                self.lane_quotas.insert(lane, units);
                InputOutcome::Accepted
            }
            Input::Tick => InputOutcome::Accepted,
        }
    }

    fn start(&mut self, grown: Option<Arc<Facts>>) -> InputOutcome {
        if self.phase != Phase::New {
            return InputOutcome::Stale;
        }
        self.phase = Phase::Live;
        if let Some(grown) = grown {
            self.adopt(grown);
        }
        for task in std::mem::take(&mut self.supplied_items).into_keys() {
            self.lives[task.index()].stage = Stage::Mapping;
        }
        for (task, output) in std::mem::take(&mut self.supplied) {
            self.lives[task.index()].stage = Stage::Ended(TaskEnd::Completed(output));
        }
        InputOutcome::Accepted
    }

    fn supply(&mut self, task: TaskId, output: Output) -> InputOutcome {
        let items: u32 = self.supplied_items.values().sum();
        let is_item = !self.known(task) && task.index() < self.lives.len() + items as usize;
        let is_taken = self.supplied.contains_key(&task) || self.supplied_items.contains_key(&task);
        if self.phase != Phase::New || is_taken || !(self.known(task) || is_item) {
            return InputOutcome::Stale;
        }
        if !is_item && !self.has_supplied_parents(task) {
            return InputOutcome::Rejected;
        }
        self.supplied.insert(task, output);
        InputOutcome::Accepted
    }

    /// Whether supplied results make the trigger of the task fire.
    pub(super) fn has_supplied_parents(&self, task: TaskId) -> bool {
        let rules = self.facts.rules(task);
        let mut parents = self.facts.graph().parents(task).iter();
        let waits_for_failure = rules.trigger == Trigger::AnyFailed && parents.len() > 0;
        let are_supplied = parents.all(|parent| self.supplied.contains_key(parent));
        let is_fallback = self.facts.users[task.index()].is_some();
        !rules.finally && !waits_for_failure && !is_fallback && are_supplied
    }

    fn pause(&mut self, pause: bool) -> InputOutcome {
        if self.paused == pause {
            return InputOutcome::Stale;
        }
        self.paused = pause;
        InputOutcome::Accepted
    }

    fn suspend(&mut self) -> InputOutcome {
        match self.phase {
            Phase::Live
                if (self.ending.is_none() || self.is_work_over()) && !self.awaiting_resume =>
            {
                self.phase = Phase::Suspending(self.now);
                InputOutcome::Accepted
            }
            Phase::Suspending(_) => {
                if self.stop_all(CutWhy::Suspend) {
                    InputOutcome::Accepted
                } else {
                    InputOutcome::Stale
                }
            }
            Phase::Live | Phase::New | Phase::Suspended | Phase::Over(_) => InputOutcome::Stale,
        }
    }

    fn resume(&mut self, grown: Option<Arc<Facts>>) -> InputOutcome {
        if !self.awaiting_resume && self.phase != Phase::Suspended {
            return InputOutcome::Stale;
        }
        if self.phase == Phase::New {
            self.awaiting_resume = false;
            return self.start(grown);
        }
        // No clock ran between the journal's last record and the resume.
        let last_at = self.last_at;
        let (phase, awaiting_resume) = (Phase::Suspended, self.awaiting_resume);
        self.phase = phase;
        if awaiting_resume {
            self.wind_at(last_at);
        }
        self.awaiting_resume = false;
        self.phase = Phase::Live;
        self.wind();
        for task in self.ids() {
            if let Some(why) = self.attempt_of(task) {
                self.attempt_over(task, why, CutHow::Lost);
            }
        }
        InputOutcome::Accepted
    }

    fn cancel(&mut self, scope: Scope) -> InputOutcome {
        let taken = match scope {
            Scope::Task(task) => self.known(task) && self.cancel_task(task, CancelWhy::Task),
            Scope::Downstream(root) => {
                let mut taken = self.known(root)
                    && self.cancel_task(root, CancelWhy::Downstream(root.as_u32()));
                for task in self.ids() {
                    let finally = |task| self.facts.rules(task).finally;
                    let is_below = self.known(root) && self.facts.below[root.index()][task.index()];
                    if is_below && (!finally(task) || finally(root)) {
                        taken |= self.cancel_task(task, CancelWhy::Downstream(root.as_u32()));
                    }
                }
                taken
            }
            Scope::Run if self.is_work_over() || self.ending.is_some() => {
                let mut taken = false;
                for task in self.ids() {
                    taken |=
                        self.facts.rules(task).finally && self.cancel_task(task, CancelWhy::Run);
                }
                taken
            }
            Scope::Run => self.end_early(EndingWhy::Cancel),
        };
        if taken {
            InputOutcome::Accepted
        } else {
            InputOutcome::Stale
        }
    }

    pub(super) fn cancel_task(&mut self, task: TaskId, why: CancelWhy) -> bool {
        let cut = CutWhy::Cancel(why);
        let stage = match self.lives[task.index()].stage {
            Stage::Ended(_) | Stage::Stopping(_, CutWhy::Cancel(_) | CutWhy::Override, _) => {
                return false;
            }
            Stage::Working(no, _) => Stage::Stopping(no, cut, self.now),
            Stage::Stopping(no, _, since) => Stage::Stopping(no, cut, since),
            Stage::Idle
            | Stage::Preparing
            | Stage::Queued
            | Stage::Resting(..)
            | Stage::Asked(..)
            | Stage::FallingBack(..)
            | Stage::Mapping => Stage::Ended(TaskEnd::Canceled(why)),
        };
        let stand_in = self.stand_in(task);
        let was_mapping = self.life(task).stage == Stage::Mapping;
        self.lives[task.index()].stage = stage;
        for item in self.facts.items(task).filter(|_| was_mapping) {
            self.cancel_task(item, why);
        }
        if let Some(stand_in) = stand_in {
            self.cancel_task(stand_in, why);
        }
        self.wind();
        true
    }

    /// Begins the early end of the run: no task starts any more. False if the run was already ending.
    pub(super) fn end_early(&mut self, why: EndingWhy) -> bool {
        if self.ending.is_some() {
            return false;
        }
        self.ending = Some(why);
        self.stop_all(CutWhy::Cancel(why.cancel_why()));
        for task in self.ids() {
            let is_finalizer = self.facts.rules(task).finally;
            let end = match self.ends_failed(task) {
                Some(fault) => TaskEnd::Failed(fault),
                None => TaskEnd::Canceled(why.cancel_why()),
            };
            let life = &mut self.lives[task.index()];
            if !is_finalizer && !life.has_attempt() && !life.is_gone() {
                life.stage = Stage::Ended(end);
            }
        }
        true
    }

    fn stop_all(&mut self, why: CutWhy) -> bool {
        let now = self.now;
        let mut any = false;
        for life in &mut self.lives {
            if let Stage::Working(no, _) = life.stage {
                life.stage = Stage::Stopping(no, why, now);
                any = true;
            }
        }
        any
    }

    /// Evaluates the triggers of all tasks until no task changes.
    fn follow(&mut self) {
        self.wind();
        let mut moved = self.phase != Phase::New;
        while moved {
            moved = false;
            for task in self.ids() {
                if self.lives[task.index()].stage == Stage::Idle {
                    moved |= self.try_trigger(task);
                }
            }
            moved = moved || self.follow_fallbacks() || self.follow_items();
        }
        self.wind();
    }

    fn try_trigger(&mut self, task: TaskId) -> bool {
        let facts = Arc::clone(&self.facts);
        let turn = if facts.rules(task).finally {
            self.is_work_over()
        } else {
            self.ending.is_none()
        };
        if !turn {
            return false;
        }
        match self.turn(task) {
            Some(Turn::Wait) => return false,
            Some(Turn::NotNeeded) => {
                self.lives[task.index()].stage = Stage::Ended(TaskEnd::NotNeeded);
                return true;
            }
            Some(Turn::Run) | None => {}
        }
        let lives = facts.graph().parents(task).iter().map(|&p| self.life(p));
        let gone: Vec<&super::Life> = lives.clone().filter(|life| life.is_gone()).collect();
        let all_gone = gone.len() == lives.len();
        let completed = gone.iter().filter(|life| life.is_completed()).count();
        let skipped = gone.iter().filter(|life| life.is_skipped()).count();
        let failed = gone.len() - completed - skipped;
        let is_root = lives.len() == 0;
        // Whether the trigger fires, and how the task ends if it never can.
        let (fires, never) = match facts.rules(task).trigger {
            Trigger::AllSuccess => (completed == lives.len(), failed + skipped > 0),
            Trigger::AllDone => (all_gone, false),
            Trigger::AnySuccess => (completed > 0 || is_root, all_gone),
            Trigger::AnyFailed => (failed > 0 || is_root, all_gone),
            Trigger::NoneFailed => (all_gone && failed == 0, failed > 0),
        };
        if !fires && never {
            let end = match facts.rules(task).trigger {
                Trigger::AnyFailed => TaskEnd::NoFailure,
                Trigger::AllSuccess
                | Trigger::AllDone
                | Trigger::AnySuccess
                | Trigger::NoneFailed => TaskEnd::FailedParent,
            };
            self.lives[task.index()].stage = Stage::Ended(end);
        } else if !fires {
            return false;
        } else if facts.rules(task).prepare.is_some() {
            self.lives[task.index()].stage = Stage::Preparing;
        } else {
            self.approve_or_begin(task);
        }
        true
    }

    fn approve_or_begin(&mut self, task: TaskId) {
        if self.facts.rules(task).approve.is_some() {
            self.ask(task, zeph_graph::AskWhy::Approve);
        } else {
            self.begin(task);
        }
    }

    fn prepared(&mut self, task: TaskId, then: Prepared) -> InputOutcome {
        let is_preparing = self.known(task) && self.life(task).stage == Stage::Preparing;
        if self.awaiting_resume || !is_preparing {
            return InputOutcome::Stale;
        }
        match then {
            Prepared::Run => self.approve_or_begin(task),
            Prepared::Skip { .. } => {
                self.lives[task.index()].stage = Stage::Ended(TaskEnd::ConditionFalse);
            }
            Prepared::Supply { output, .. } => {
                let output = output.map_or(Output::None, Output::Content);
                self.lives[task.index()].stage = Stage::Ended(TaskEnd::Completed(output));
            }
            Prepared::Fail { .. } => self.last_resort(task, Fault::Prepare),
        }
        InputOutcome::Accepted
    }

    /// Begins the work of a task whose trigger and approval are satisfied.
    pub(super) fn begin(&mut self, task: TaskId) {
        match self.facts.work(task) {
            Work::Action { .. } => self.queue(task),
            Work::Question(_) => self.ask(task, zeph_graph::AskWhy::Work),
            Work::Milestone => {
                self.lives[task.index()].stage = Stage::Ended(TaskEnd::Completed(Output::None));
            }
        }
    }

    pub(super) fn ask(&mut self, task: TaskId, about: zeph_graph::AskWhy) {
        self.lives[task.index()].stage = Stage::Asked(about, self.now);
    }

    pub(super) fn queue(&mut self, task: TaskId) {
        let life = &mut self.lives[task.index()];
        life.stage = Stage::Queued;
        life.queued_at = self.events;
    }

    /// Fires the earliest due timer. False if none is due.
    fn fire_one(&mut self) -> bool {
        let first = self.timers().into_iter().next();
        let Some((_, timer)) =
            first.filter(|&(at, _)| at.as_micros() <= self.now && at < Timestamp::MAX)
        else {
            return false;
        };
        if self.is_asleep() {
            return false;
        }
        let Some(task) = timer.task else {
            if timer.kind == TimerKind::Run {
                self.end_early(EndingWhy::Timeout);
            } else {
                self.stop_all(CutWhy::Suspend);
            }
            return true;
        };
        let now = self.now;
        let stage = &mut self.lives[task.index()].stage;
        match (*stage, timer.kind) {
            (Stage::Working(no, _), TimerKind::Task) => {
                *stage = Stage::Stopping(no, CutWhy::TaskTimeout, now);
            }
            (Stage::Working(no, _), _) => {
                *stage = Stage::Stopping(no, CutWhy::AttemptTimeout, now);
            }
            (_, TimerKind::Task) => self.last_resort(task, Fault::TaskTimeout),
            (Stage::Resting(..), _) => self.queue(task),
            (Stage::Asked(about, _), _) => self.unanswered(task, about),
            (Stage::Stopping(_, why, _), _) => {
                self.attempt_over(task, Some(why), CutHow::Abandoned);
            }
            (
                Stage::Idle
                | Stage::Preparing
                | Stage::Queued
                | Stage::Mapping
                | Stage::FallingBack(..)
                | Stage::Ended(_),
                _,
            ) => {}
        }
        true
    }

    /// Ends the run when all tasks have ended, or suspends it when no attempt is in flight.
    fn close(&mut self) {
        if matches!(self.phase, Phase::New | Phase::Over(_)) {
            return;
        }
        if self.lives.iter().all(super::Life::is_gone) {
            self.phase = Phase::Over(self.how_it_ends());
        } else if matches!(self.phase, Phase::Suspending(_)) && self.in_flight() == 0 {
            self.phase = Phase::Suspended;
        }
    }
}
