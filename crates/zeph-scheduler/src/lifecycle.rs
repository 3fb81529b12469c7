//! Lifecycle of a run: start, pause, resume, dispatch, due timers, suspension and end.

use zeph_graph::{
    ContentId, CutHow, CutWhy, EndingWhy, Fault, Output, Record, RunEnd, RunState, SuppliedWhy,
    TaskId, TaskState,
};

use crate::batch::Action;
use crate::input::InputOutcome;
use crate::machine::{Machine, Phase};
use crate::timers::{Timer, TimerKind};

/// The record of a result that a retry keeps.
const fn kept(task: TaskId, output: Output) -> Record {
    Record::Supplied {
        task,
        output,
        why: SuppliedWhy::Kept,
        from: None,
    }
}

impl Machine {
    pub(crate) fn on_start(&mut self) -> InputOutcome {
        if self.run.phase != Phase::New {
            return InputOutcome::Stale;
        }
        self.record(Record::Opened);
        let supplied = std::mem::take(&mut self.supplied);
        let expanded = std::mem::take(&mut self.supplied_items);
        let defined = self.graph.len();
        let is_item = |task: &&TaskId| task.index() >= defined;
        for (&task, &output) in supplied.iter().filter(|(task, _)| !is_item(task)) {
            self.record(kept(task, output));
        }
        for (&task, &(list, count)) in &expanded {
            self.record(Record::Expanded {
                task,
                attempt: None,
                list,
                count,
            });
        }
        for (&task, &output) in supplied.iter().filter(|(task, _)| is_item(task)) {
            self.record(kept(task, output));
        }
        for task in self.graph.ids() {
            self.evaluate(task);
        }
        for &task in expanded.keys() {
            self.decide_items(task);
        }
        InputOutcome::Accepted
    }

    /// Keeps a result of an earlier run until the start. Tasks are in topological order, so the records are,
    /// too.
    pub(crate) fn on_supply(&mut self, task: TaskId, output: Option<ContentId>) -> InputOutcome {
        let is_item = self.is_supplied_item(task);
        let is_known = self.graph.contains(task) || is_item;
        let is_new = !self.supplied.contains_key(&task) && !self.supplied_items.contains_key(&task);
        if self.run.phase != Phase::New || !is_known || !is_new {
            return InputOutcome::Stale;
        }
        if !is_item && !self.has_supplied_parents(task) {
            return InputOutcome::Rejected;
        }
        self.supplied
            .insert(task, output.map_or(Output::None, Output::Content));
        InputOutcome::Accepted
    }

    /// Whether the trigger of the task will fire because of results that were supplied.
    pub(crate) fn has_supplied_parents(&self, task: TaskId) -> bool {
        let parents = self.graph.parents(task);
        parents
            .iter()
            .all(|parent| self.supplied.contains_key(parent))
            && self.may_be_supplied(task)
    }

    pub(crate) fn on_pause(&mut self, pause: bool) -> InputOutcome {
        let live = !matches!(self.run.phase, Phase::New | Phase::Ended(_));
        if !live || self.run.paused == pause {
            return InputOutcome::Stale;
        }
        self.record(if pause {
            Record::Paused
        } else {
            Record::Unpaused
        });
        InputOutcome::Accepted
    }

    /// Continues the run. Attempts that were in flight are lost; their effect classes decide about a
    /// repetition.
    pub(crate) fn on_resume(&mut self) -> InputOutcome {
        let at_rest = self.run.phase == Phase::Suspended;
        let over = matches!(self.run.phase, Phase::Ended(_));
        if over || !(at_rest || self.awaiting_resume) {
            return InputOutcome::Stale;
        }
        self.awaiting_resume = false;
        if self.run.phase == Phase::New {
            return self.on_start();
        }
        self.record(Record::Resumed);
        self.prepare_again();
        let asked_before = self.run.last_question;
        for task in self.graph.ids() {
            let (attempt, why) = match self.state(task) {
                TaskState::Running { attempt, .. } => (attempt, None),
                TaskState::Canceling { attempt, why } => (attempt, Some(why)),
                TaskState::Pending
                | TaskState::Ready
                | TaskState::BackingOff { .. }
                | TaskState::Asking { .. }
                | TaskState::Mapping
                | TaskState::FallingBack { .. }
                | TaskState::Completed { .. }
                | TaskState::Failed { .. }
                | TaskState::Skipped { .. }
                | TaskState::Canceled { .. } => continue,
            };
            self.attempt_cut(task, attempt, why, CutHow::Lost, None);
        }
        // Questions that the loop above raised have their action already.
        let older = self
            .questions
            .iter()
            .filter(|(q, _)| q.get() <= asked_before);
        for (&question, open) in older {
            self.actions.push(Action::Ask {
                task: open.task,
                question,
            });
        }
        InputOutcome::Accepted
    }

    /// Starts ready tasks until slots, lanes or tasks run out. Cost: a logarithm for each start, and for
    /// each class of tasks that has to wait for a lane.
    pub(crate) fn dispatch(&mut self) {
        if !self.is_open() {
            return;
        }
        while self.counts.in_flight() < self.slots() {
            let Some(task) = self.ready.next() else {
                return;
            };
            let attempt = self.next_attempt(task);
            self.record(Record::Started { task, attempt });
            self.actions.push(Action::Start { task, attempt });
        }
    }

    /// The most attempts that may be in flight.
    pub(crate) fn slots(&self) -> u32 {
        let limit = self.policy.max_parallel.get();
        self.quota.map_or(limit, |quota| quota.min(limit))
    }

    /// Fires every due timer, in the order of time.
    pub(crate) fn fire_timers(&mut self) {
        while let Some((due, timer)) = self.timers.first() {
            let is_stopped = self.awaiting_resume
                || matches!(
                    self.run.phase,
                    Phase::New | Phase::Suspended | Phase::Ended(_)
                );
            if due > self.now || is_stopped {
                return;
            }
            self.fire_timer(timer);
            self.propagate();
        }
    }

    fn fire_timer(&mut self, timer: Timer) {
        let Some(task) = timer.task else {
            if timer.kind == TimerKind::Run {
                self.begin_ending(EndingWhy::Timeout);
            } else {
                self.stop_for_suspension();
            }
            return;
        };
        match (timer.kind, self.state(task)) {
            (TimerKind::Attempt, TaskState::Running { attempt, .. }) => {
                self.stop(task, attempt, CutWhy::AttemptTimeout);
            }
            (TimerKind::Task, TaskState::Running { attempt, .. }) => {
                self.stop(task, attempt, CutWhy::TaskTimeout);
            }
            (TimerKind::Task, _) => self.strategy(task, Fault::TaskTimeout),
            (TimerKind::Backoff, _) => self.record(Record::Readied { task }),
            (TimerKind::Question, TaskState::Asking { question }) => {
                self.answer_by_default(question);
            }
            (TimerKind::Grace, TaskState::Canceling { attempt, why }) => {
                self.attempt_cut(task, attempt, Some(why), CutHow::Abandoned, None);
            }
            (kind, state) => debug_assert!(false, "a {kind:?} timer of {task} in {state:?}"),
        }
    }

    /// Records the end of the run, or of its suspension, once nothing is in flight any more.
    pub(crate) fn finish_if_idle(&mut self) {
        let done = self.counts.ended() == self.counts.total();
        match self.run.phase {
            Phase::Live | Phase::Suspending | Phase::Suspended if done => {
                let end = self.run_end();
                self.record(Record::Ended { end });
                self.actions.push(Action::Ended(end));
            }
            Phase::Suspending if self.counts.in_flight() == 0 => {
                self.record(Record::Suspended);
                self.actions.push(Action::Suspended);
            }
            Phase::Live | Phase::Suspending | Phase::Suspended | Phase::New | Phase::Ended(_) => {}
        }
    }

    /// How the run ends if nothing else goes wrong.
    pub(crate) fn run_end(&self) -> RunEnd {
        let counts = &self.counts;
        let substituted = counts.substituted + counts.by_fallback;
        let flawed = counts.failed + counts.canceled + substituted > 0;
        match self.run.ending {
            Some(EndingWhy::Abort(_)) => RunEnd::Failed,
            Some(EndingWhy::Cancel) => RunEnd::Canceled,
            Some(EndingWhy::Timeout) => RunEnd::TimedOut,
            None if flawed => RunEnd::Degraded,
            None => RunEnd::Completed,
        }
    }

    pub(crate) fn run_state(&self) -> RunState {
        let counts = &self.counts;
        let moving = counts.in_flight() + counts.ready + counts.backing_off > 0;
        let asking_only = counts.asking > 0 && !moving && self.preparing.is_empty();
        match self.run.phase {
            Phase::Ended(end) => RunState::Ended(end),
            Phase::Suspended => RunState::Suspended,
            Phase::Suspending => RunState::Suspending,
            Phase::New | Phase::Live if self.run.paused => RunState::Paused,
            Phase::New | Phase::Live if asking_only => RunState::Waiting,
            Phase::New | Phase::Live => RunState::Running,
        }
    }
}
