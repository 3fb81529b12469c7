//! Limits of a DagScheduler: time-outs, bodies that block, and dropping it while bodies run.
#![allow(clippy::unwrap_used)]

mod gate;

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use gate::Gate;
use zeph_orchestration::journal::{CutHow, Fault, Record};
use zeph_orchestration::{
    AttemptContext, DagScheduler, OnFailure, Outcome, Policy, Retry, RunEnd, Task, TaskError,
    TaskGraph, TaskState,
};

const FOR_EVER: Duration = Duration::from_secs(3600);

/// A policy without grace: a body that ignores its cancellation is given up at once.
fn strict() -> Policy {
    Policy {
        cancel_grace: Duration::ZERO,
        ..Policy::default()
    }
}

#[test]
fn a_body_that_blocks_is_given_up_and_its_late_result_is_ignored() {
    let mut graph = TaskGraph::new();
    // On a busy machine an attempt that does not block may take too long as well.
    let retry = Retry::times(1_000).backoff(Duration::ZERO, Duration::ZERO);
    let slow = Task::new("slow").timeout(Duration::from_millis(20));
    let slow = graph.add_task(slow.retry(retry), []);
    let last = graph.add_task("last", [slow]);
    let (open, late) = (Gate::default(), Gate::default());
    let mut scheduler = DagScheduler::new(graph);
    // One slot: the attempt that was given up does not occupy it.
    scheduler.policy(Policy {
        max_parallel: NonZeroU32::MIN,
        ..strict()
    });
    let (wait, tell) = (open.clone(), late.clone());
    scheduler.body(slow, move |cx: &AttemptContext| {
        if cx.attempt().get() == 1 {
            let _open = OpenOnDrop(tell.clone());
            wait.pass();
        }
        cx.attempt().get()
    });
    scheduler.body(last, move || {
        open.open();
        late.pass();
    });
    while scheduler.tick() {}
    assert!(scheduler.outcome().is_completed());
    let attempts = scheduler.attempts(slow);
    assert!(attempts >= 2);
    assert_eq!(scheduler.output(slow), Some(&attempts.into()));
    assert!(scheduler.error(slow).unwrap().contains("20ms"));
    let how = CutHow::Abandoned;
    let cut = |record| matches!(record, Record::AttemptCut { how: h, .. } if h == how);
    assert!(scheduler.events().any(|event| cut(event.record)));
}

/// Opens a gate when the body that holds it returns.
struct OpenOnDrop(Gate);

impl Drop for OpenOnDrop {
    fn drop(&mut self) {
        self.0.open();
    }
}

#[test]
fn a_time_out_is_a_failure_under_the_tasks_strategy() {
    let mut graph = TaskGraph::new();
    let limit = Duration::from_millis(1);
    let rule = |name| Task::new(name).on_failure(OnFailure::Skip);
    let attempt = graph.add_task(rule("attempt").timeout(limit), []);
    let total = graph.add_task(rule("total").total_timeout(limit), []);
    let other = graph.add_task("other", []);
    let mut scheduler = DagScheduler::new(graph);
    for task in [attempt, total] {
        scheduler.body(task, |cx: &AttemptContext| cx.wait_cancelled(FOR_EVER));
    }
    scheduler.body(other, || ());
    while scheduler.tick() {}
    assert_eq!(scheduler.outcome(), Outcome::Ended(RunEnd::Degraded));
    let why = Fault::AttemptTimeout;
    assert_eq!(scheduler.state(attempt), TaskState::Failed { why });
    let why = Fault::TaskTimeout;
    assert_eq!(scheduler.state(total), TaskState::Failed { why });
    assert!(scheduler.error(total).unwrap().contains("1ms"));
    assert!(scheduler.state(other).is_completed());
}

#[test]
fn a_back_off_is_waited_for() {
    let mut graph = TaskGraph::new();
    let wait = Duration::from_millis(2);
    let flaky = Task::new("flaky").retry(Retry::times(1).backoff(wait, wait));
    let flaky = graph.add_task(flaky, []);
    let mut scheduler = DagScheduler::new(graph);
    scheduler.body(flaky, |cx: &AttemptContext| match cx.attempt().get() {
        1 => Err("once"),
        _ => Ok(()),
    });
    let mut until = None;
    while scheduler.tick() {
        for event in scheduler.events() {
            match (event.record, until) {
                (Record::BackedOff { until: at, .. }, _) => until = Some(at),
                (Record::Started { .. }, Some(until)) => assert!(event.at >= until),
                _ => {}
            }
        }
    }
    assert!(scheduler.outcome().is_completed());
    assert!(until.is_some());
}

#[test]
fn a_run_that_takes_too_long_ends_timed_out() {
    let mut graph = TaskGraph::new();
    let long = graph.add_task("long", []);
    let mut scheduler = DagScheduler::new(graph);
    scheduler.policy(Policy {
        run_timeout: Some(Duration::from_millis(1)),
        ..Policy::default()
    });
    scheduler.body(long, |cx: &AttemptContext| cx.wait_cancelled(FOR_EVER));
    while scheduler.tick() {}
    assert_eq!(scheduler.outcome(), Outcome::Ended(RunEnd::TimedOut));
}

#[test]
fn dropping_the_scheduler_stops_a_body_that_listens() {
    let mut graph = TaskGraph::new();
    let long = graph.add_task("long", []);
    let mut scheduler = DagScheduler::new(graph);
    let heard = Gate::default();
    let held = Arc::new(OpenOnDrop(heard.clone()));
    scheduler.body(long, move |cx: &AttemptContext| {
        let _held = &held;
        cx.wait_cancelled(FOR_EVER)
    });
    assert!(scheduler.tick());
    drop(scheduler);
    // The closure is dropped, so its thread has ended.
    heard.pass();
}

#[test]
fn dropping_the_scheduler_leaves_a_body_that_blocks_behind() {
    let mut graph = TaskGraph::new();
    let stubborn = graph.add_task("stubborn", []);
    let mut scheduler = DagScheduler::new(graph);
    scheduler.policy(strict());
    let (begun, open, gone) = (Gate::default(), Gate::default(), Gate::default());
    let (tell, wait, signal) = (begun.clone(), open.clone(), OpenOnDrop(gone.clone()));
    scheduler.body(stubborn, move || {
        let _held = &signal;
        tell.open();
        wait.pass();
    });
    assert!(scheduler.tick());
    begun.pass();
    drop(scheduler);
    open.open();
    gone.pass();
}

#[test]
#[should_panic(expected = "max_parallel is 0")]
fn no_slot_at_all_is_refused() {
    DagScheduler::new(TaskGraph::new()).max_parallel(0);
}

#[test]
#[should_panic(expected = "the run has started")]
fn limits_are_set_before_the_run() {
    let mut scheduler = DagScheduler::new(TaskGraph::new());
    while scheduler.tick() {}
    scheduler.max_parallel(1);
}

#[test]
fn a_scheduler_can_be_sent_to_another_thread() {
    fn sendable<T: Send>(_: &T) {}
    let scheduler = DagScheduler::new(TaskGraph::new());
    sendable(&scheduler);
    sendable(&scheduler.reporter());
}

/// The driver blocks its thread and enters no runtime, so it works where `block_on` would panic.
#[tokio::test]
async fn tick_works_inside_an_async_program() {
    let mut graph = TaskGraph::new();
    let retry = Retry::times(1).backoff(Duration::ZERO, Duration::ZERO);
    let first = graph.add_task(Task::new("first").retry(retry), []);
    let second = graph.add_task("second", [first]);
    let mut scheduler = DagScheduler::new(graph);
    scheduler.body(first, |cx: &AttemptContext| match cx.attempt().get() {
        1 => panic!("once"),
        attempt => Ok::<_, TaskError>(attempt),
    });
    scheduler.body(second, |cx: &AttemptContext| cx.input_as::<u32>("first"));
    while scheduler.tick() {}
    assert!(scheduler.outcome().is_completed());
    assert_eq!(scheduler.error(first), Some("the executor panicked: once"));
    assert_eq!(scheduler.output(second), Some(&2.into()));
}
