//! Bodies of a DagScheduler on threads: an event of one branch does not affect the others.
#![allow(clippy::unwrap_used)]

mod gate;

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use gate::Gate;
use zeph_orchestration::journal::{CancelWhy, Fault, InputOutcome, Record, Scope, SkipWhy};
use zeph_orchestration::{
    AttemptContext, DagScheduler, OnFailure, Outcome, Retry, RunEnd, Task, TaskError, TaskGraph,
    TaskState,
};

const FOR_EVER: Duration = Duration::from_secs(3600);

fn finish(scheduler: &mut DagScheduler) -> Outcome {
    while scheduler.tick() {}
    scheduler.outcome()
}

#[test]
fn a_held_task_does_not_delay_the_dependant_of_another_body() {
    let mut graph = TaskGraph::new();
    let held = graph.add_task("held", []);
    let quick = graph.add_task("quick", []);
    let next = graph.add_task("next", [quick]);
    let gate = Gate::default();
    let mut scheduler = DagScheduler::new(graph);
    let held_gate = gate.clone();
    scheduler.max_parallel(2);
    scheduler.body(held, move || held_gate.pass());
    scheduler.body(quick, || 1);
    scheduler.body(next, || 2);
    while !scheduler.state(next).is_completed() {
        assert!(scheduler.tick());
    }
    assert!(matches!(scheduler.state(held), TaskState::Running { .. }));
    gate.open();
    assert!({ finish(&mut scheduler).is_completed() });
}

#[test]
fn two_bodies_run_at_the_same_time_and_no_more() {
    let mut graph = TaskGraph::new();
    let tasks: Vec<_> = (0..6)
        .map(|i| graph.add_task(format!("t{i}"), []))
        .collect();
    let mut scheduler = DagScheduler::new(graph);
    scheduler.max_parallel(2);
    // Two bodies meet at the barrier, so two run at the same time; the counter shows whether there are
    // more.
    let barrier = Arc::new(std::sync::Barrier::new(2));
    let (now, most) = (Arc::new(AtomicU32::new(0)), Arc::new(AtomicU32::new(0)));
    for task in tasks {
        let (barrier, now, most) = (barrier.clone(), now.clone(), most.clone());
        scheduler.body(task, move || {
            let running = now.fetch_add(1, Ordering::SeqCst) + 1;
            most.fetch_max(running, Ordering::SeqCst);
            barrier.wait();
            now.fetch_sub(1, Ordering::SeqCst);
        });
    }
    assert!(finish(&mut scheduler).is_completed());
    assert_eq!(most.load(Ordering::SeqCst), 2);
}

#[test]
fn a_retry_repeats_one_task_only() {
    let mut graph = TaskGraph::new();
    let retry = Retry::times(3).backoff(Duration::ZERO, Duration::ZERO);
    let first = graph.add_task("first", []);
    let flaky = graph.add_task(Task::new("flaky").retry(retry), [first]);
    let other = graph.add_task("other", [first]);
    let last = graph.add_task("last", [flaky, other]);
    let calls: Vec<_> = (0..4).map(|_| Arc::new(AtomicU32::new(0))).collect();
    let mut scheduler = DagScheduler::new(graph);
    for (task, calls) in [first, flaky, other, last].into_iter().zip(calls.clone()) {
        scheduler.body(task, move |cx: &AttemptContext| {
            calls.fetch_add(1, Ordering::SeqCst);
            match cx.name() == "flaky" && cx.attempt().get() < 3 {
                true => Err(format!("attempt {}", cx.attempt())),
                false => Ok(cx.attempt().get()),
            }
        });
    }
    assert!(finish(&mut scheduler).is_completed());
    let calls: Vec<u32> = calls.iter().map(|c| c.load(Ordering::SeqCst)).collect();
    assert_eq!(calls, [1, 3, 1, 1]);
    assert_eq!(scheduler.attempts(flaky), 3);
    assert_eq!(scheduler.error(flaky), Some("attempt 2"));
    assert_eq!(scheduler.output(flaky), Some(&3.into()));
    let retries = scheduler.events().filter(|event| {
        matches!(event.record, Record::BackedOff { .. }) && event.task() == Some(flaky)
    });
    assert_eq!(retries.count(), 2);
}

#[test]
fn a_failure_under_skip_cancels_nothing_outside_its_cone() {
    let mut graph = TaskGraph::new();
    let bad = graph.add_task(Task::new("bad").on_failure(OnFailure::Skip), []);
    let after_bad = graph.add_task("after_bad", [bad]);
    let other = graph.add_task("other", []);
    let after_other = graph.add_task("after_other", [other]);
    let gate = Gate::default();
    let mut scheduler = DagScheduler::new(graph);
    let held = gate.clone();
    scheduler.body(bad, || Err::<(), _>("broken"));
    scheduler.body(other, move |cx: &AttemptContext| {
        held.pass();
        cx.is_cancelled()
    });
    scheduler.body(after_other, || ());
    while !scheduler.state(after_bad).is_end() {
        assert!(scheduler.tick());
    }
    assert!(matches!(scheduler.state(other), TaskState::Running { .. }));
    gate.open();
    assert_eq!(finish(&mut scheduler), Outcome::Ended(RunEnd::Degraded));
    let state = |task| scheduler.state(task);
    assert_eq!(state(bad), TaskState::Failed { why: Fault::Error });
    let why = SkipWhy::Upstream(bad);
    assert_eq!(state(after_bad), TaskState::Skipped { why });
    assert_eq!(scheduler.output(other), Some(&false.into()));
    assert!(state(after_other).is_completed());
}

#[test]
fn a_panic_is_the_failure_of_its_attempt_only() {
    let mut graph = TaskGraph::new();
    let bad = graph.add_task(Task::new("bad").on_failure(OnFailure::Skip), []);
    let nasty = graph.add_task(Task::new("nasty").on_failure(OnFailure::Skip), []);
    let good = graph.add_task("good", []);
    let mut scheduler = DagScheduler::new(graph);
    // One thread: the thread that caught the panics runs the last task.
    scheduler.max_parallel(1);
    scheduler.body(bad, || assert_eq!(1, 2, "boom"));
    scheduler.body(nasty, || {
        if true {
            std::panic::panic_any(Bomb);
        }
    });
    scheduler.body(good, || "fine");
    assert_eq!(finish(&mut scheduler), Outcome::Ended(RunEnd::Degraded));
    let why = Fault::Panicked;
    assert_eq!(scheduler.state(bad), TaskState::Failed { why });
    assert_eq!(scheduler.state(nasty), TaskState::Failed { why });
    assert!(scheduler.error(bad).unwrap().contains("boom"));
    assert_eq!(scheduler.output(good), Some(&"fine".into()));
}

/// A panic payload that panics again when it is dropped.
struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        panic!("again");
    }
}

#[test]
fn an_abort_cancels_what_runs_and_starts_nothing_new() {
    let mut graph = TaskGraph::new();
    let bad = graph.add_task("bad", []);
    let running = graph.add_task("running", []);
    let after = graph.add_task("after", [running]);
    let begun = Gate::default();
    let mut scheduler = DagScheduler::new(graph);
    let wait = begun.clone();
    scheduler.body(bad, move || {
        wait.pass();
        Err::<(), _>("broken")
    });
    scheduler.body(running, move |cx: &AttemptContext| {
        begun.open();
        cx.wait_cancelled(FOR_EVER)
    });
    scheduler.body(after, || ());
    assert_eq!(finish(&mut scheduler), Outcome::Ended(RunEnd::Failed));
    let why = CancelWhy::Abort;
    assert_eq!(scheduler.state(running), TaskState::Canceled { why });
    assert_eq!(scheduler.state(after), TaskState::Canceled { why });
    assert_eq!(scheduler.attempts(after), 0);
}

#[test]
fn a_cancelled_task_ends_alone() {
    let mut graph = TaskGraph::new();
    let long = graph.add_task("long", []);
    let other = graph.add_task("other", []);
    let mut scheduler = DagScheduler::new(graph);
    let begun = Gate::default();
    let wait = begun.clone();
    scheduler.body(long, move |cx: &AttemptContext| {
        begun.open();
        cx.wait_cancelled(FOR_EVER)
    });
    scheduler.body(other, move || wait.pass());
    while !scheduler.state(other).is_completed() {
        assert!(scheduler.tick());
    }
    assert_eq!(scheduler.cancel(Scope::Task(long)), InputOutcome::Accepted);
    assert_eq!(finish(&mut scheduler), Outcome::Ended(RunEnd::Degraded));
    let why = CancelWhy::Task;
    assert_eq!(scheduler.state(long), TaskState::Canceled { why });
    assert_eq!(scheduler.cancel(Scope::Task(long)), InputOutcome::Stale);
}

#[test]
fn an_action_without_code_fails_and_says_what_is_missing() {
    let mut graph = TaskGraph::new();
    let lost = graph.add_task(Task::new("lost").action("http_get"), []);
    let mut scheduler = DagScheduler::new(graph);
    assert_eq!(finish(&mut scheduler), Outcome::Ended(RunEnd::Failed));
    let why = Fault::Permanent;
    assert_eq!(scheduler.state(lost), TaskState::Failed { why });
    assert!(scheduler.error(lost).unwrap().contains(r#""http_get""#));
}

#[test]
fn one_closure_serves_all_tasks_of_an_action() {
    let mut graph = TaskGraph::new();
    let params = |n: u32| zeph_orchestration::graph::Params::from_json_text(n.to_string());
    let two = graph.add_task(Task::new("two").action_with("double", params(1)), []);
    let six = graph.add_task(Task::new("six").action_with("double", params(3)), []);
    let own = graph.add_task(Task::new("own").action_with("double", params(3)), []);
    let mut scheduler = DagScheduler::new(graph);
    scheduler.action("double", |cx: &AttemptContext| {
        Ok::<_, TaskError>(2 * cx.params_as::<u32>()?)
    });
    scheduler.body(own, || "own");
    assert!(finish(&mut scheduler).is_completed());
    let outputs = [two, six, own].map(|task| scheduler.output(task).unwrap().to_string());
    assert_eq!(outputs, ["2", "6", r#""own""#]);
}

#[test]
fn a_permanent_error_and_a_value_that_is_too_large_are_not_retried() {
    let mut graph = TaskGraph::new();
    let task = |name| Task::new(name).retries(5).on_failure(OnFailure::Skip);
    let refused = graph.add_task(task("refused"), []);
    let large = graph.add_task(task("large"), []);
    let mut scheduler = DagScheduler::new(graph);
    scheduler.body(refused, || Err::<(), _>(TaskError::refused("no")));
    scheduler.body(large, || "x".repeat(2 << 20));
    assert_eq!(finish(&mut scheduler), Outcome::Ended(RunEnd::Degraded));
    assert_eq!(scheduler.attempts(refused), 1);
    assert_eq!(scheduler.attempts(large), 1);
    assert!(scheduler.error(large).unwrap().contains("1048576"));
}
