//! The loop: takes reports, records decisions, starts ready attempts, and waits if there was no decision.

use std::io;
use std::sync::Arc;

use serde_json::Value;
use zeph_executor::{Item, MAX_VALUE_BYTES, TaskError, check_value_size};
use zeph_graph::{Attempt, Entry, Output, Record, RunState, TaskId, Timestamp};
use zeph_runtime::driver::{self, Failure, ReportResult, Role};
use zeph_scheduler::{Action, Explanation, Input, InputOutcome, Scheduler};

use super::DagScheduler;
use super::attempt::{AttemptContext, CancelFlag, Inputs};
use super::inbox::{AttemptReport, Report};
use super::pool::{Pool, call};

/// A content of the run, which is kept in memory.
#[derive(Debug)]
pub(crate) enum Content {
    Value(Arc<Value>),
    Error(Arc<str>),
}

/// The event that a tick without a decision waits for.
enum Wait {
    /// No event: only the caller can continue the run, or it has ended.
    Nothing,
    /// For a report of the caller.
    Caller,
    /// For a report or a timer.
    Event { for_reporters: bool },
}

impl DagScheduler {
    /// Takes the reports so far, records the decisions that follow, and starts ready attempts.
    ///
    /// If there was no decision it blocks, without polling, while a body or a
    /// [`Reporter`](crate::blocking::Reporter) can still report or a timer is set (a back-off, a time-out, the
    /// default of a question). It never waits for the caller. It uses no async runtime, so it can be
    /// called inside one, where it blocks its thread.
    ///
    /// `true`: read the [`events`](Self::events) and tick again. The tick that records the end of the
    /// run also returns `true`, so the body of a `while` loop sees every event; the next one returns
    /// `false`. Also `false`: only questions without a default are left, or the run is paused and no
    /// attempt is in flight. [`outcome`](Self::outcome) says which. After an answer or an unpause the
    /// run continues with the next tick.
    pub fn tick(&mut self) -> bool {
        self.idle = false;
        self.run.start(&self.clock);
        loop {
            if self.step() {
                return true;
            }
            match self.wait_for() {
                Wait::Nothing => return false,
                Wait::Caller => {
                    self.idle = true;
                    return true;
                }
                Wait::Event { for_reporters } => {
                    let due = self.run.scheduler().and_then(Scheduler::deadline);
                    let due = due.filter(|&due| due < Timestamp::MAX);
                    let at_most = due.map(|due| due.since(self.clock.now()));
                    self.inbox.wait(for_reporters, at_most);
                }
            }
        }
    }

    /// Does everything that needs no waiting; returns whether a decision was recorded.
    fn step(&mut self) -> bool {
        let now = self.clock.now();
        for report in self.inbox.take() {
            match report {
                Report::Attempt(report) => drop(self.receive(now, report)),
                Report::Condition(report) => self.decided(now, report),
            }
        }
        self.run.start(&self.clock).handle(now, Input::Tick);
        let mut has_decided = false;
        while let Some(batch) = self.run.start(&self.clock).step() {
            has_decided = true;
            self.journal.extend_from_slice(batch.entries());
            for entry in batch.entries() {
                self.note(entry);
            }
            for action in self.run.start(&self.clock).saved(batch) {
                self.perform(action);
            }
        }
        has_decided
    }

    /// Stores the error texts and the defined outputs of a saved record.
    fn note(&mut self, entry: &Entry) {
        let graph = self.run.graph();
        if let Record::Completed { task, output, .. } = entry.record {
            if output == Output::Definition {
                let value = driver::defined_value(graph, task);
                self.defined.insert(task, Arc::new(value));
            }
            return;
        }
        let failure = entry.record.failure();
        let error = failure.and_then(|(_, error)| self.contents.get(error?));
        let reported = match error {
            Some(Content::Error(text)) => Some(Arc::clone(text)),
            Some(Content::Value(_)) | None => None,
        };
        self.errors.note(entry, graph, reported);
    }

    /// Passes the end of an attempt to the scheduler.
    pub(crate) fn receive(&mut self, now: Timestamp, report: AttemptReport) -> InputOutcome {
        let AttemptReport {
            task,
            attempt,
            result,
        } = report;
        let checked = result.and_then(|value| {
            check_value_size(&value, MAX_VALUE_BYTES)?;
            Ok(value)
        });
        let graph = self.run.graph();
        let is_list = graph.contains(task) && Role::of(graph, task) == Role::List;
        let checked = checked.and_then(|value| {
            let count = is_list.then(|| driver::count_items(graph, task, &value));
            Ok((value, count.transpose()?))
        });
        let result = match checked {
            Ok((value, Some(count))) => ReportResult::Listed {
                list: Content::Value(Arc::new(value)),
                count,
            },
            Ok((Value::Null, None)) => ReportResult::Completed(None),
            Ok((value, None)) => ReportResult::Completed(Some(Content::Value(Arc::new(value)))),
            Err(Failure { fault, error }) => ReportResult::Failed {
                fault,
                error: Content::Error(format!("{error:#}").into()),
                retry_after: error.retry_after(),
            },
        };
        let report = driver::Report {
            task,
            attempt,
            result,
            log: None,
        };
        let scheduler = self.run.start(&self.clock);
        let (outcome, _) = driver::deliver(scheduler, &mut self.contents, now, report);
        if outcome == InputOutcome::Accepted {
            self.cancel_flags.remove(&task);
        }
        outcome
    }

    fn perform(&mut self, action: Action) {
        match action {
            Action::Prepare { task } => self.prepare(task),
            Action::Start { task, attempt } => self.start(task, attempt),
            Action::Cancel { task, attempt } => self.cancel_attempt(task, attempt),
            // The thread cannot be ended by force; its report will be stale.
            Action::Abandon { task, .. } => drop(self.cancel_flags.remove(&task)),
            // Observers learn of these from the events.
            Action::Ask { .. } | Action::Suspended | Action::Ended(_) => {}
        }
    }

    fn start(&mut self, task: TaskId, attempt: Attempt) {
        let role = Role::of(self.run.graph(), task);
        if let Role::Collect(items) = role {
            let value = |item| {
                self.value(TaskId::from_index(item))
                    .map(|value| (**value).clone())
            };
            let values: Vec<Value> = items.map(|item| value(item).unwrap_or_default()).collect();
            let report = AttemptReport::new(task, attempt, Ok(Value::Array(values)));
            self.inbox.post(report);
            return;
        }
        let context = self.context(task, attempt);
        self.cancel_flags.insert(task, context.cancel.clone());
        if self.external {
            self.started.push_back(context);
            return;
        }
        let bound = match role {
            Role::Item { of, .. } => of,
            Role::Whole | Role::List | Role::Collect(_) => task,
        };
        let body = self.bodies.get(&bound);
        let Some(body) = body.or_else(|| self.actions.get(&context.action)) else {
            let (name, action) = (&context.name, &context.action);
            let text = format!(
                "task {name:?} has no body, and no closure is registered for its action {action:?}"
            );
            self.post_failure(
                task,
                attempt,
                TaskError::permanent(text).with_code("no_body"),
            );
            return;
        };
        let body = Arc::clone(body);
        let job = move || {
            let result = call(&context, |context| body(context));
            let report = AttemptReport {
                task,
                attempt,
                result,
            };
            report.into()
        };
        if let Err(error) = self.pool().submit(Box::new(job)) {
            self.post_failure(task, attempt, no_thread(error));
        }
    }

    pub(crate) fn pool(&mut self) -> &mut Pool {
        let grace = self.run.policy().cancel_grace;
        let inbox = &self.inbox;
        (self.pool).get_or_insert_with(|| Pool::new(Arc::clone(inbox), grace))
    }

    pub(crate) fn context(&self, task: TaskId, attempt: Attempt) -> AttemptContext {
        let graph = self.run.graph();
        let definition = graph.task(task);
        let (action, params) = driver::action_of(definition);
        let input = |&parent| {
            let value = self.value(parent)?;
            Some((graph.written_name(parent).into(), Arc::clone(value)))
        };
        let inputs: Inputs = graph.parents(task).iter().filter_map(input).collect();
        let item = graph.item(task).and_then(|(of, index)| {
            let list = self.run.scheduler()?.items(of)?.list;
            let Some(Content::Value(list)) = self.contents.get(list) else {
                return None;
            };
            let value = list.get(index as usize)?.clone();
            Some(Item { index, value })
        });
        let end_so_far = || self.run.scheduler().map(Scheduler::end_so_far);
        AttemptContext {
            task,
            attempt,
            name: definition.shared_name(),
            action,
            params,
            inputs: Arc::new(inputs),
            item,
            outcome: definition.rules().finally.then(end_so_far).flatten(),
            previous_error: self.errors.latest(task).cloned(),
            cancel: CancelFlag::default(),
        }
    }

    fn cancel_attempt(&mut self, task: TaskId, attempt: Attempt) {
        if let Some(flag) = self.cancel_flags.get(&task) {
            flag.raise();
        }
        // An attempt that `started` has not returned yet ends here.
        let same = |cx: &AttemptContext| cx.task == task && cx.attempt == attempt;
        if let Some(at) = self.started.iter().position(same) {
            self.started.remove(at);
            let error = TaskError::cancelled("canceled before it started");
            self.post_failure(task, attempt, error);
        }
    }

    /// Reports a failure that the driver itself found; the next step takes the report.
    fn post_failure(&self, task: TaskId, attempt: Attempt, error: TaskError) {
        self.inbox
            .post(AttemptReport::new(task, attempt, Err(error)));
    }

    fn wait_for(&self) -> Wait {
        let Some(scheduler) = self.run.scheduler() else {
            return Wait::Nothing;
        };
        if scheduler.end().is_some() {
            return Wait::Nothing;
        }
        if scheduler.counts().in_flight() > 0 {
            return match self.external && self.inbox.reporters() == 0 {
                true => Wait::Caller,
                false => Wait::Event {
                    for_reporters: self.external,
                },
            };
        }
        if self.conditions_at_work > 0 {
            return Wait::Event {
                for_reporters: false,
            };
        }
        let has_timer = match scheduler.state() {
            // The time-out of the run is no reason to block a caller, who may know the answer.
            RunState::Waiting => scheduler.questions().any(|question| {
                let asking = scheduler.explain(question.task);
                matches!(
                    asking,
                    Explanation::Asking {
                        deadline: Some(_),
                        ..
                    }
                )
            }),
            RunState::Paused | RunState::Suspended | RunState::Ended(_) => false,
            RunState::Running | RunState::Suspending => scheduler.deadline().is_some(),
        };
        match has_timer {
            true => Wait::Event {
                for_reporters: false,
            },
            false => Wait::Nothing,
        }
    }
}

pub(crate) fn no_thread(error: io::Error) -> TaskError {
    TaskError::retryable("no thread could be started").with_source(error)
}
