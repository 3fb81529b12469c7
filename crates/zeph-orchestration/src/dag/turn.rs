//! The crank: take what was reported, record, start what became ready, and wait if nothing moved.

use std::sync::Arc;

use zeph_executor::{MAX_VALUE_BYTES, TaskError, check_value_size};
use zeph_graph::{Attempt, Fault, RunState, TaskId, Timestamp, Work};
use zeph_scheduler::{Action, Explanation, Input, InputOutcome, Scheduler};

use super::DagScheduler;
use super::assignment::{Assignment, Inputs};
use super::body::fault_of;
use super::inbox::{Finish, Report};
use super::pool::{Job, Pool};
use super::stop::Stop;

/// What a turn that moved nothing leaves to do.
enum Rest {
    /// Nothing moves unless the caller does something first.
    Over,
    /// The caller owes a report.
    Caller,
    /// A report or a timer will come.
    Park { of_reporters: bool },
}

impl DagScheduler {
    /// One turn of the crank: takes what was reported, records it, starts what became ready.
    ///
    /// If nothing of that moves, it waits, without polling, while a body or a
    /// [`Reporter`](crate::Reporter) can still report or a timer is set (a back-off, a time-out, the
    /// default of a question); it never waits for the caller.
    ///
    /// `true`: look at the [`events`](Self::events) and tick again. The turn that records the end
    /// returns `true` too, so the body of a `while` loop sees every event; the next one returns
    /// `false`. Also `false`: only questions are left and nobody answers them in time by default, or
    /// the run is paused and nothing is in flight. [`outcome`](Self::outcome) says which; what has
    /// been answered or unpaused goes on with the next tick.
    pub fn tick(&mut self) -> bool {
        self.idle = false;
        self.stage.begin(&self.clock);
        loop {
            if self.turn() {
                return true;
            }
            match self.rest() {
                Rest::Over => return false,
                Rest::Caller => {
                    self.idle = true;
                    return true;
                }
                Rest::Park { of_reporters } => {
                    let due = self.stage.machine().and_then(Scheduler::deadline);
                    // The end of time is no deadline.
                    let due = due.filter(|&due| due < Timestamp::MAX);
                    let at_most = due.map(|due| due.since(self.clock.now()));
                    self.inbox.wait(of_reporters, at_most);
                }
            }
        }
    }

    /// Everything that can be done without waiting; says whether a decision was recorded.
    fn turn(&mut self) -> bool {
        let now = self.clock.now();
        for report in self.inbox.take() {
            self.receive(now, report);
        }
        self.stage.begin(&self.clock).handle(now, Input::Tick);
        let mut moved = false;
        while let Some(batch) = self.stage.begin(&self.clock).step() {
            moved = true;
            self.journal.extend_from_slice(batch.entries());
            for entry in batch.entries() {
                self.contents.note(entry, self.stage.graph());
            }
            for action in self.stage.begin(&self.clock).saved(batch) {
                self.perform(action);
            }
        }
        moved
    }

    /// Tells the machine of the end of an attempt.
    pub(crate) fn receive(&mut self, now: Timestamp, report: Report) -> InputOutcome {
        let Report {
            task,
            attempt,
            finish,
        } = report;
        let (input, kept) = match checked(finish) {
            Ok(value) => {
                let output = self.contents.keep_value(value);
                let input = Input::Completed {
                    task,
                    attempt,
                    output,
                    log: None,
                };
                (input, output)
            }
            Err((fault, error)) => {
                let text = self.contents.keep_text(format!("{error:#}"));
                let input = Input::Failed {
                    task,
                    attempt,
                    fault,
                    error: text,
                    log: None,
                    retry_after: error.retry_after(),
                };
                (input, text)
            }
        };
        let reception = self.stage.begin(&self.clock).handle(now, input);
        if reception == InputOutcome::Accepted {
            self.stops.remove(&task);
        } else {
            self.contents.forget(kept);
        }
        reception
    }

    fn perform(&mut self, action: Action) {
        match action {
            Action::Start { task, attempt } => self.start(task, attempt),
            Action::Cancel { task, attempt } => self.cancel_attempt(task, attempt),
            // Its thread is left alone; its report will be stale.
            Action::Abandon { task, .. } => drop(self.stops.remove(&task)),
            // Those who watch learn of these from the events.
            Action::Ask { .. } | Action::Suspended | Action::Ended(_) => {}
        }
    }

    fn start(&mut self, task: TaskId, attempt: Attempt) {
        let work = self.assignment(task, attempt);
        self.stops.insert(task, work.stop.clone());
        if self.external {
            self.started.push_back(work);
            return;
        }
        let own = self.bodies.get(&task);
        let Some(body) = own.or_else(|| self.actions.get(work.action())).cloned() else {
            let (name, action) = (work.name(), work.action());
            let error = TaskError::permanent(format!(
                "task {name:?} has no body, and no closure is registered for its action {action:?}"
            ));
            return self.post(task, attempt, error.with_code("no_body"));
        };
        let inbox = &self.inbox;
        let patience = self.stage.policy().cancel_grace;
        let pool = (self.pool).get_or_insert_with(|| Pool::new(Arc::clone(inbox), patience));
        if let Err(error) = pool.submit(Job { body, work }) {
            let error = TaskError::retryable("cannot start a thread").with_source(error);
            self.post(task, attempt, error);
        }
    }

    fn assignment(&self, task: TaskId, attempt: Attempt) -> Assignment {
        let graph = self.stage.graph();
        let definition = graph.task(task);
        let name = definition.shared_name();
        let (action, params) = match definition.work() {
            Work::Action { name, params } => (Arc::clone(name), params.clone()),
            Work::Milestone | Work::Question(_) => (Arc::clone(&name), zeph_graph::Params::none()),
        };
        let inputs: Inputs = (graph.parents(task).iter())
            .filter_map(|&parent| {
                let value = self.contents.output(parent, self.stage.state(parent))?;
                Some((graph.task(parent).shared_name(), Arc::clone(value)))
            })
            .collect();
        Assignment {
            task,
            attempt,
            name,
            action,
            params,
            inputs: Arc::new(inputs),
            stop: Stop::default(),
        }
    }

    fn cancel_attempt(&mut self, task: TaskId, attempt: Attempt) {
        if let Some(stop) = self.stops.get(&task) {
            stop.raise();
        }
        // What was not handed out yet is not handed out any more.
        let same = |work: &Assignment| work.task == task && work.attempt == attempt;
        if let Some(at) = self.started.iter().position(same) {
            self.started.remove(at);
            self.post(
                task,
                attempt,
                TaskError::cancelled("cancelled before it began"),
            );
        }
    }

    fn post(&self, task: TaskId, attempt: Attempt, error: TaskError) {
        self.inbox.post(Report {
            task,
            attempt,
            finish: Finish::Error(error),
        });
    }

    fn rest(&self) -> Rest {
        let Some(machine) = self.stage.machine() else {
            return Rest::Over;
        };
        if machine.end().is_some() {
            return Rest::Over;
        }
        if machine.counts().in_flight() > 0 {
            return match self.external && self.inbox.reporters() == 0 {
                true => Rest::Caller,
                false => Rest::Park {
                    of_reporters: self.external,
                },
            };
        }
        let timer_moves = match machine.state() {
            // The run's own time-out is no reason to wait for an answer that the caller may have.
            RunState::Waiting => machine.questions().any(|question| {
                let asking = machine.explain(question.task);
                matches!(
                    asking,
                    Explanation::Asking {
                        deadline: Some(_),
                        ..
                    }
                )
            }),
            RunState::Paused | RunState::Suspended | RunState::Ended(_) => false,
            RunState::Running | RunState::Suspending => machine.deadline().is_some(),
        };
        match timer_moves {
            true => Rest::Park {
                of_reporters: false,
            },
            false => Rest::Over,
        }
    }
}

/// What a report means: a value that may be kept, or how the attempt failed.
fn checked(finish: Finish) -> Result<serde_json::Value, (Fault, TaskError)> {
    match finish {
        Finish::Value(value) => match check_value_size(&value, MAX_VALUE_BYTES) {
            Ok(()) => Ok(value),
            Err(error) => Err((fault_of(&error), error)),
        },
        Finish::Error(error) => Err((fault_of(&error), error)),
        Finish::Panicked(text) => {
            let error = TaskError::retryable(format!("the body panicked: {text}"));
            Err((Fault::Panicked, error))
        }
    }
}
