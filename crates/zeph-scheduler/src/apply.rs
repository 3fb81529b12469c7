//! Apply: the only mutator of task and run state. It obeys records and decides nothing; recovery is a
//! fold of it.

use std::ops::Range;

use zeph_graph::{
    Answer, AskWhy, Attempt, CutHow, CutWhy, Entry, FailureAnswer, Fault, ManualEnd, Output,
    QuestionId, Record, SuppliedWhy, TaskId, TaskState, Timestamp,
};

use crate::machine::{Kind, Machine, OpenQuestion, Phase, TaskFlags, Waiting};
use crate::prepare::Reused;
use crate::timers::{Clock, Timer, TimerKind};

impl Machine {
    /// Changes the state according to a record.
    pub(crate) fn apply(&mut self, entry: &Entry) {
        let at = entry.at;
        match entry.record {
            Record::Opened => {
                self.run.phase = Phase::Live;
                self.tune_run_clock(at);
            }
            Record::Preparing { task } => {
                self.preparing.insert(task);
            }
            Record::PrepareFailed { task, .. } => {
                self.preparing.remove(&task);
                self.unprepared.insert(task);
            }
            Record::Readied { task } => self.enter(task, TaskState::Ready, at),
            Record::Started { task, attempt } => self.apply_started(task, attempt, at),
            Record::Completed { task, output, .. } => self.apply_completed(task, output, at),
            Record::Supplied {
                task,
                output,
                why,
                from,
            } => self.apply_supplied(task, output, Reused { why, from }, at),
            Record::AttemptFailed { task, fault, .. } => {
                self.ledger.settle_all(task);
                if fault != Fault::Skipped {
                    self.attempt_counts.entry(task).or_default().failures += 1;
                }
                // The next record of the task is the consequence; it is in the same batch.
                self.enter(task, TaskState::Pending, at);
            }
            Record::AttemptCut { task, how, .. } => self.apply_cut(task, how, at),
            Record::BackedOff { task, until } => {
                let attempt = self.last_attempt(task);
                self.enter(task, TaskState::BackingOff { attempt, until }, at);
            }
            Record::FellBack { task, to, why } => {
                self.enter(task, TaskState::FallingBack { to, why }, at);
            }
            Record::Asked {
                task,
                question,
                why,
            } => self.apply_asked(task, question, why, at),
            Record::Answered { task, answer, .. } => self.apply_answered(task, answer, at),
            Record::Overridden { task, end, .. } => self.apply_overridden(task, end, at),
            Record::CancelRequested { task, attempt, why } => {
                self.enter(task, TaskState::Canceling { attempt, why }, at);
            }
            Record::Failed { task, why } => self.end(task, TaskState::Failed { why }, at),
            Record::Skipped { task, why } => self.end(task, TaskState::Skipped { why }, at),
            Record::Canceled { task, why } => self.end(task, TaskState::Canceled { why }, at),
            Record::Ending { why } => {
                self.run.ending = Some(why);
                self.run.clock = None;
                self.timers.clear(RUN);
            }
            Record::Paused => self.set_paused(true, at),
            Record::Unpaused => self.set_paused(false, at),
            Record::Suspending => self.apply_suspending(at),
            Record::Suspended => self.run.phase = Phase::Suspended,
            Record::Resumed => self.apply_resumed(at),
            Record::Reserved {
                task,
                reservation,
                most,
            } => self.ledger.reserve(task, reservation, most),
            Record::Settled {
                task,
                reservation,
                spent,
            } => self.ledger.settle(task, reservation, spent),
            Record::Noted { .. } => {}
            Record::Amended { task, .. } => {
                self.amendments += 1;
                let added = self.extend();
                if let Some(task) = task {
                    self.proposers.entry(task).or_default().push(added);
                }
            }
            Record::Expanded {
                task, list, count, ..
            } => self.apply_expanded(task, list, count, at),
            Record::Budgeted { budget } => self.ledger.budget = budget,
            Record::Ended { end } => {
                self.run.phase = Phase::Ended(end);
                self.run.clock = None;
                self.timers.clear(RUN);
            }
        }
        self.run.last_at = at;
        self.run.next_seq = entry.seq.plus(1);
    }

    fn apply_started(&mut self, task: TaskId, attempt: Attempt, at: Timestamp) {
        self.attempts[task.index()] = attempt.get();
        if attempt == Attempt::FIRST
            && self.flags[task.index()].timed
            && let Some(limit) = self.graph.task(task).rules().task_timeout
        {
            self.clocks.insert(task, Clock::stopped(limit));
        }
        self.enter(task, TaskState::Running { attempt, since: at }, at);
    }

    fn apply_asked(&mut self, task: TaskId, question: QuestionId, why: AskWhy, at: Timestamp) {
        self.run.last_question = question.get();
        let open = OpenQuestion {
            id: question,
            task,
            why,
            since: at,
        };
        self.questions.insert(question, open);
        self.enter(task, TaskState::Asking { question }, at);
    }

    fn apply_supplied(&mut self, task: TaskId, output: Output, reused: Reused, at: Timestamp) {
        match reused.why {
            SuppliedWhy::Kept => {}
            SuppliedWhy::Cached => self.counts.cached += 1,
            SuppliedWhy::SameInputs => self.counts.same_inputs += 1,
        }
        if reused.why != SuppliedWhy::Kept {
            self.reused.insert(task, reused);
        }
        self.end(task, TaskState::Completed { output }, at);
    }

    fn apply_completed(&mut self, task: TaskId, output: Output, at: Timestamp) {
        self.ledger.settle_all(task);
        let question = self.flags[task.index()].kind == Kind::Question;
        let by_fallback = self.running_fallback(task).is_some();
        if by_fallback {
            self.counts.by_fallback += 1;
        } else if output == Output::Definition && !question {
            self.counts.substituted += 1;
        }
        self.end(task, TaskState::Completed { output }, at);
    }

    fn apply_cut(&mut self, task: TaskId, how: CutHow, at: Timestamp) {
        self.ledger.settle_all(task);
        let why = if let TaskState::Canceling { why, .. } = self.state(task) {
            Some(why)
        } else {
            None
        };
        let attempt_counts = self.attempt_counts.entry(task).or_default();
        match why {
            Some(CutWhy::AttemptTimeout | CutWhy::IdleTimeout | CutWhy::TaskTimeout) => {
                attempt_counts.failures += 1;
            }
            Some(CutWhy::Suspend) | None => attempt_counts.restarts += 1,
            Some(CutWhy::Cancel(_) | CutWhy::Override) => {}
        }
        if how == CutHow::Abandoned {
            attempt_counts.abandoned += 1;
        }
        self.enter(task, TaskState::Pending, at);
    }

    /// Extends every array to the tasks that were added, and returns their numbers. Parents that have ended count at once.
    pub(crate) fn extend(&mut self) -> Range<u32> {
        let first = self.state.len();
        self.links.grow(&self.graph);
        let weight = zeph_graph::bottom_levels(&self.graph, &self.links, first, |id| {
            zeph_graph::expected_ms(&self.graph, id)
        });
        self.ready.grow(&self.graph, weight);
        for id in self.graph.ids().skip(first) {
            let flags = TaskFlags::of(self.graph.task(id));
            self.flags.push(flags);
            if flags.finally {
                self.finalizers.push(id);
            } else {
                self.open_work += 1;
            }
            self.state.push(TaskState::Pending);
            self.attempts.push(0);
            self.counts.pending += 1;
            let parents = self.graph.parents(id);
            let mut waiting = Waiting::new(parents.len());
            for parent in parents {
                let state = self.state[parent.index()];
                if state.is_end() {
                    waiting.parent_ended(state);
                }
            }
            self.waiting.push(waiting);
        }
        first as u32..self.state.len() as u32
    }

    fn apply_answered(&mut self, task: TaskId, answer: Answer, at: Timestamp) {
        let mut about_failure = false;
        if let TaskState::Asking { question } = self.state(task)
            && let Some(open) = self.questions.get(&question)
        {
            about_failure = matches!(open.why, AskWhy::Failure(_));
        }
        self.enter(task, TaskState::Pending, at);
        match answer {
            Answer::Failure(FailureAnswer::Retry) => {
                self.attempt_counts.entry(task).or_default().manual_retries += 1;
                // A manual retry gets the whole task time-out again.
                if let Some(limit) = self.graph.task(task).rules().task_timeout
                    && let Some(clock) = self.clocks.get_mut(&task)
                {
                    *clock = Clock::stopped(limit);
                }
            }
            // A substitute from the definition is counted by `apply_completed`.
            Answer::Value(Output::None | Output::Content(_)) if about_failure => {
                self.counts.substituted += 1;
            }
            Answer::Value(_)
            | Answer::Yes
            | Answer::No
            | Answer::Failure(FailureAnswer::Skip | FailureAnswer::Abort) => {}
        }
    }

    fn apply_overridden(&mut self, task: TaskId, end: ManualEnd, at: Timestamp) {
        self.overrides.insert(task, end);
        let state = self.state(task);
        let has_failed = if let TaskState::Asking { question } = state {
            let open = self.questions.get(&question);
            open.is_some_and(|open| matches!(open.why, AskWhy::Failure(_)))
        } else {
            self.running_fallback(task).is_some()
        };
        if has_failed && matches!(end, ManualEnd::Complete(_)) {
            self.counts.substituted += 1;
        }
        if !has_slot(state) {
            self.enter(task, TaskState::Pending, at);
        }
    }

    fn apply_suspending(&mut self, at: Timestamp) {
        self.run.phase = Phase::Suspending;
        if self.counts.running > 0 {
            self.timers
                .set(SUSPEND_GRACE, at.after(self.policy.suspend_grace));
        }
        self.tune_all_clocks(at);
    }

    fn apply_resumed(&mut self, at: Timestamp) {
        // No process worked on the run between the last record and this one: no clock ran.
        self.run.phase = Phase::Suspended;
        self.timers.clear(SUSPEND_GRACE);
        self.tune_all_clocks(self.run.last_at);
        self.run.phase = Phase::Live;
        self.tune_all_clocks(at);
    }

    fn set_paused(&mut self, paused: bool, at: Timestamp) {
        self.run.paused = paused;
        self.tune_all_clocks(at);
    }

    fn last_attempt(&self, task: TaskId) -> Attempt {
        Attempt::new(self.attempts[task.index()]).unwrap_or(Attempt::FIRST)
    }

    /// Enters a terminal state, and counts the task as ended for its children and for the task that it is an
    /// item of.
    fn end(&mut self, task: TaskId, state: TaskState, at: Timestamp) {
        self.enter(task, state, at);
        self.clocks.remove(&task);
        for child in self.links.children(task) {
            self.waiting[child.index()].parent_ended(state);
        }
        self.item_ended(task, state);
        if !self.is_finalizer(task) {
            self.open_work -= 1;
            if self.open_work == 0 {
                self.tune_run_clock(at);
            }
        }
    }

    /// Changes the state of a task, and with it counters, queue, slots, timers, clocks and questions.
    pub(crate) fn enter(&mut self, task: TaskId, state: TaskState, at: Timestamp) {
        let old = std::mem::replace(&mut self.state[task.index()], state);
        *self.counts.of(old) -= 1;
        *self.counts.of(state) += 1;
        let (occupied, occupies) = (has_slot(old), has_slot(state));
        if old == TaskState::Ready {
            self.ready.remove(task);
        }
        if old == TaskState::Pending && !self.preparing.is_empty() {
            self.preparing.remove(&task);
        }
        if let TaskState::Asking { question } = old {
            self.questions.remove(&question);
        }
        if occupied && !occupies {
            self.ready.release(task);
        }
        // A cancel that only changes its reason keeps its grace period.
        let same_timer = timer_of(old).is_some() && timer_of(old) == timer_of(state);
        if let Some(kind) = timer_of(old)
            && !same_timer
        {
            self.timers.clear(Timer {
                task: Some(task),
                kind,
            });
        }
        if state == TaskState::Ready {
            self.ready.push(task);
        }
        if occupies && !occupied {
            self.ready.occupy(task);
        }
        if !same_timer && let Some((kind, due)) = self.due(task, state, at) {
            self.timers.set(
                Timer {
                    task: Some(task),
                    kind,
                },
                due,
            );
        }
        if self.counts.running == 0 && self.run.phase == Phase::Suspending {
            self.timers.clear(SUSPEND_GRACE);
        }
        self.tune_clock(task, at);
    }

    /// The timer that a state needs.
    fn due(&self, task: TaskId, state: TaskState, at: Timestamp) -> Option<(TimerKind, Timestamp)> {
        let due = match state {
            TaskState::Running { .. } if !self.flags[task.index()].timed => return None,
            TaskState::Running { .. } => at.after(self.graph.task(task).rules().attempt_timeout?),
            TaskState::BackingOff { until, .. } => until,
            TaskState::Asking { question } => at.after(self.question_wait(question)?),
            TaskState::Canceling { .. } => at.after(self.policy.cancel_grace),
            TaskState::Pending
            | TaskState::Ready
            | TaskState::Mapping
            | TaskState::FallingBack { .. }
            | TaskState::Completed { .. }
            | TaskState::Failed { .. }
            | TaskState::Skipped { .. }
            | TaskState::Canceled { .. } => return None,
        };
        Some((timer_of(state)?, due))
    }

    /// Starts or stops the clock of the task time-out, according to the states of task and run.
    fn tune_clock(&mut self, task: TaskId, at: Timestamp) {
        // Fast path: most graphs have no task time-out.
        if self.clocks.is_empty() {
            return;
        }
        let counts = matches!(
            self.state(task),
            TaskState::Ready | TaskState::Running { .. } | TaskState::BackingOff { .. }
        );
        let running = counts && !self.run.paused && matches!(self.run.phase, Phase::Live);
        let Some(clock) = self.clocks.get_mut(&task) else {
            return;
        };
        let timer = Timer {
            task: Some(task),
            kind: TimerKind::Task,
        };
        match clock.run(running, at) {
            Some(due) => self.timers.set(timer, due),
            None => self.timers.clear(timer),
        }
    }

    fn tune_run_clock(&mut self, at: Timestamp) {
        // Finalizers have time-outs of their own.
        let running = matches!(self.run.phase, Phase::Live) && self.open_work > 0;
        if let Some(clock) = &mut self.run.clock {
            match clock.run(running, at) {
                Some(due) => self.timers.set(RUN, due),
                None => self.timers.clear(RUN),
            }
        }
    }

    fn tune_all_clocks(&mut self, at: Timestamp) {
        self.tune_run_clock(at);
        let tasks: Vec<TaskId> = self.clocks.keys().copied().collect();
        for task in tasks {
            self.tune_clock(task, at);
        }
    }
}

pub(crate) const RUN: Timer = Timer {
    task: None,
    kind: TimerKind::Run,
};
pub(crate) const SUSPEND_GRACE: Timer = Timer {
    task: None,
    kind: TimerKind::SuspendGrace,
};

pub(crate) const fn has_slot(state: TaskState) -> bool {
    matches!(
        state,
        TaskState::Running { .. } | TaskState::Canceling { .. }
    )
}

const fn timer_of(state: TaskState) -> Option<TimerKind> {
    match state {
        TaskState::Running { .. } => Some(TimerKind::Attempt),
        TaskState::BackingOff { .. } => Some(TimerKind::Backoff),
        TaskState::Asking { .. } => Some(TimerKind::Question),
        TaskState::Canceling { .. } => Some(TimerKind::Grace),
        TaskState::Pending
        | TaskState::Ready
        | TaskState::Mapping
        | TaskState::FallingBack { .. }
        | TaskState::Completed { .. }
        | TaskState::Failed { .. }
        | TaskState::Skipped { .. }
        | TaskState::Canceled { .. } => None,
    }
}
