//! External attempts: run by the caller, and reported by the caller or by other threads.
#![allow(clippy::unwrap_used)]

use std::sync::mpsc;
use std::thread;

use zeph_orchestration::journal::{Attempt, CancelWhy, Fault, InputOutcome, Scope};
use zeph_orchestration::{
    AttemptContext, DagScheduler, OnFailure, Outcome, Retry, RunEnd, Task, TaskGraph, TaskState,
};

#[test]
fn the_caller_does_the_work_and_reports() {
    let mut graph = TaskGraph::new();
    let retry = Retry::times(1).backoff(std::time::Duration::ZERO, std::time::Duration::ZERO);
    let first = graph.add_task(Task::new("first").retry(retry), []);
    let bad = graph.add_task(Task::new("bad").on_failure(OnFailure::Skip), []);
    let last = graph.add_task("last", [first]);
    let mut scheduler = DagScheduler::external(graph);
    let mut handed = Vec::new();
    while scheduler.tick() {
        assert!(!scheduler.is_idle(), "every attempt is reported at once");
        for work in scheduler.started() {
            handed.push(format!("{} {}", work.name(), work.attempt()));
            let (task, attempt) = (work.task(), work.attempt());
            let reception = match handed.last().unwrap().as_str() {
                "first 1" | "bad 1" => scheduler.fail(task, attempt, "broken"),
                _ => scheduler.complete(task, attempt, work.name().into()),
            };
            assert_eq!(reception, InputOutcome::Accepted);
        }
    }
    assert_eq!(handed, ["first 1", "bad 1", "first 2", "last 1"]);
    assert_eq!(scheduler.outcome(), Outcome::Ended(RunEnd::Degraded));
    assert_eq!(scheduler.output(last), Some(&"last".into()));
    let why = Fault::Error;
    assert_eq!(scheduler.state(bad), TaskState::Failed { why });
}

#[test]
fn without_a_reporter_tick_never_waits_for_the_caller() {
    let mut graph = TaskGraph::new();
    let task = graph.add_task("task", []);
    let mut scheduler = DagScheduler::external(graph);
    assert!(scheduler.tick() && !scheduler.is_idle());
    let work: Vec<AttemptContext> = scheduler.started().collect();
    assert!(scheduler.tick() && scheduler.is_idle());
    assert!(scheduler.tick() && scheduler.is_idle());
    assert_eq!(scheduler.outcome(), Outcome::NotFinished);
    let attempt = work[0].attempt();
    let of_no_attempt = scheduler.complete(task, attempt.next(), 1.into());
    assert_eq!(of_no_attempt, InputOutcome::Stale);
    assert_eq!(
        scheduler.complete(task, attempt, 2.into()),
        InputOutcome::Accepted
    );
    assert_eq!(
        scheduler.fail(task, attempt, "too late"),
        InputOutcome::Stale
    );
    assert!(scheduler.tick() && !scheduler.is_idle());
    assert!(!scheduler.tick());
    assert_eq!(scheduler.output(task), Some(&2.into()));
    assert_eq!(scheduler.error(task), None);
}

#[test]
fn reporters_on_other_threads_are_waited_for() {
    const TASKS: usize = 200;
    let mut graph = TaskGraph::new();
    let mut last = None;
    for number in 0..TASKS {
        last = Some(graph.add_task(format!("t{number}"), last));
    }
    let mut scheduler = DagScheduler::external(graph);
    let (sender, receiver) = mpsc::channel::<AttemptContext>();
    let reporter = scheduler.reporter();
    let worker = thread::spawn(move || {
        for work in receiver {
            reporter.complete(work.task(), work.attempt(), work.task().index().into());
            // The second report of an attempt changes nothing.
            reporter.fail(work.task(), work.attempt(), "twice");
        }
    });
    while scheduler.tick() {
        assert!(!scheduler.is_idle());
        scheduler
            .started()
            .for_each(|work| sender.send(work).unwrap());
    }
    drop(sender);
    worker.join().unwrap();
    assert!(scheduler.outcome().is_completed());
    assert_eq!(scheduler.output(last.unwrap()), Some(&(TASKS - 1).into()));
}

#[test]
fn the_last_reporter_that_is_dropped_wakes_tick() {
    let mut graph = TaskGraph::new();
    graph.add_task("task", []);
    let mut scheduler = DagScheduler::external(graph);
    assert!(scheduler.tick());
    let (reporter, other) = (scheduler.reporter(), scheduler.reporter().clone());
    let going = thread::spawn(move || drop((reporter, other)));
    assert!(scheduler.tick() && scheduler.is_idle());
    going.join().unwrap();
}

#[test]
fn attempts_not_yet_returned_are_withdrawn_and_others_are_cancelled() {
    let mut graph = TaskGraph::new();
    let out = graph.add_task("out", []);
    let kept = graph.add_task("kept", [out]);
    let held = graph.add_task("held", []);
    let mut scheduler = DagScheduler::external(graph);
    assert!(scheduler.tick());
    let handed: Vec<AttemptContext> = scheduler.started().collect();
    assert_eq!(handed.len(), 2);
    scheduler.complete(out, Attempt::FIRST, true.into());
    assert!(scheduler.tick());
    assert_eq!(scheduler.cancel(Scope::Run), InputOutcome::Accepted);
    assert!(scheduler.tick());
    assert_eq!(scheduler.started().len(), 0);
    assert!(!handed[0].is_cancelled());
    assert!(handed[1].is_cancelled());
    scheduler.fail(held, Attempt::FIRST, "stopped");
    while scheduler.tick() {}
    assert_eq!(scheduler.outcome(), Outcome::Ended(RunEnd::Canceled));
    let why = CancelWhy::Run;
    assert_eq!(scheduler.state(kept), TaskState::Canceled { why });
    assert_eq!(scheduler.state(held), TaskState::Canceled { why });
}
