//! By hand: a person gives an unfinished task its end.

use zeph_graph::{ContentId, CutWhy, ManualEnd, Output, Record, SkipWhy, TaskId, TaskState};

use crate::Scheduler;
use crate::input::InputOutcome;
use crate::machine::{Machine, Phase};

impl Scheduler {
    /// Whether a person can give this task its end: it has none, is not being canceled, and has not been given
    /// one before.
    ///
    /// # Panics
    /// If the id is not one of this graph.
    ///
    /// # Examples
    /// ```
    /// use zeph_graph::{ManualEnd, Policy, Task, TaskGraph, TaskState, Timestamp};
    /// use zeph_scheduler::{Input, InputOutcome, Scheduler};
    /// let mut graph = TaskGraph::new();
    /// let task = graph.add_task(Task::new("publish").action("command"), []);
    /// let mut scheduler = Scheduler::new(graph, Policy::default());
    /// scheduler.handle(Timestamp::ZERO, Input::Start);
    /// assert!(scheduler.can_be_given_end(task));
    ///
    /// let skip = Input::Override { task, end: ManualEnd::Skip, by: None };
    /// assert_eq!(scheduler.handle(Timestamp::ZERO, skip), InputOutcome::Accepted);
    /// assert!(matches!(scheduler.task(task).state(), TaskState::Skipped { .. }));
    /// assert!(!scheduler.can_be_given_end(task));
    /// ```
    #[must_use]
    #[track_caller]
    pub fn can_be_given_end(&self, task: TaskId) -> bool {
        self.check_task(task);
        self.machine.can_be_given_end(task)
    }
}

impl Machine {
    pub(crate) fn on_override(
        &mut self,
        task: TaskId,
        end: ManualEnd,
        by: Option<ContentId>,
    ) -> InputOutcome {
        if end == ManualEnd::Complete(Output::Definition) {
            return InputOutcome::Rejected;
        }
        if task.index() >= self.state.len() || !self.can_be_given_end(task) {
            return InputOutcome::Stale;
        }
        let fallback = self.running_fallback(task);
        self.override_alone(task, end, by);
        self.skip_fallbacks(fallback, end, by);
        InputOutcome::Accepted
    }

    /// Gives a task its end, if it can be given one.
    pub(crate) fn override_alone(&mut self, task: TaskId, end: ManualEnd, by: Option<ContentId>) {
        if !self.can_be_given_end(task) {
            return;
        }
        let (state, origin) = (self.state(task), by);
        let by = by.into();
        self.record(Record::Overridden { task, end, by });
        let why = CutWhy::Override;
        match state {
            TaskState::Running { attempt, .. } => self.stop(task, attempt, why),
            // The executor has been asked to stop already; only the reason changes.
            TaskState::Canceling { attempt, .. } => {
                self.record(Record::CancelRequested { task, attempt, why });
            }
            TaskState::Mapping => {
                self.end_by_hand(task, end);
                for item in self.graph.items(task).unwrap_or_default() {
                    self.on_override(TaskId::from_index(item), end.of_parts(), origin);
                }
            }
            TaskState::Pending
            | TaskState::Ready
            | TaskState::BackingOff { .. }
            | TaskState::Asking { .. }
            | TaskState::FallingBack { .. }
            | TaskState::Completed { .. }
            | TaskState::Failed { .. }
            | TaskState::Skipped { .. }
            | TaskState::Canceled { .. } => self.end_by_hand(task, end),
        }
    }

    /// A run that is ending ends all tasks but its finalizers itself.
    fn can_be_given_end(&self, task: TaskId) -> bool {
        let is_ending = self.run.ending.is_some() && !self.is_finalizer(task);
        let is_open = !matches!(self.run.phase, Phase::New | Phase::Ended(_));
        is_open && !is_ending && self.allows_overridden(task, ManualEnd::Skip)
    }

    /// Ends a task without an attempt in flight as a person said.
    pub(crate) fn end_by_hand(&mut self, task: TaskId, end: ManualEnd) {
        match end {
            ManualEnd::Complete(output) => {
                self.record(Record::Completed {
                    task,
                    output,
                    log: None,
                });
                self.ended.push_back(task);
            }
            ManualEnd::Skip => self.skip(task, SkipWhy::Override),
            ManualEnd::Withdraw => self.skip(task, SkipWhy::Withdrawn),
        }
    }

    /// Whether the task can be given an end: once, unless it has one or is being canceled.
    pub(crate) fn allows_overridden(&self, task: TaskId, end: ManualEnd) -> bool {
        let state = self.state(task);
        let is_canceled = matches!(
            state,
            TaskState::Canceling {
                why: CutWhy::Cancel(_),
                ..
            }
        );
        !state.is_end()
            && !is_canceled
            && !self.overrides.contains_key(&task)
            && end != ManualEnd::Complete(Output::Definition)
    }
}
