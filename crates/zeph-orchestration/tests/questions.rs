//! Questions, pauses and answers of a DagScheduler: the run stops, and continues with an answer.
#![allow(clippy::unwrap_used)]

use std::time::Duration;

use zeph_orchestration::graph::{AskFailure, FailureAnswer, Params};
use zeph_orchestration::journal::{InputOutcome, QuestionId, SkipWhy};
use zeph_orchestration::{
    AttemptContext, DagScheduler, OnFailure, Outcome, Policy, Question, RunEnd, Task, TaskGraph,
    TaskState,
};

fn waiting(scheduler: &mut DagScheduler) -> Vec<QuestionId> {
    while scheduler.tick() {}
    let Outcome::Waiting(open) = scheduler.outcome() else {
        panic!("{:?}", scheduler.outcome());
    };
    open.iter().map(|question| question.id).collect()
}

#[test]
fn a_question_stops_the_run_and_its_answer_continues_it() {
    let mut graph = TaskGraph::new();
    let question = Question::choice("Where to?", ["staging", "production"]);
    let ask = graph.add_task(Task::new("ask").question(question), []);
    let deploy = graph.add_task("deploy", [ask]);
    let other = graph.add_task("other", []);
    let mut scheduler = DagScheduler::new(graph);
    // A time-out of the whole run is no reason for `tick` to wait.
    scheduler.policy(Policy {
        run_timeout: Some(Duration::from_secs(3600)),
        ..Policy::default()
    });
    scheduler.body(deploy, |cx: &AttemptContext| cx.input_as::<String>("ask"));
    scheduler.body(other, || ());
    let open = waiting(&mut scheduler);
    assert_eq!(open.len(), 1);
    assert!(scheduler.state(other).is_completed());
    assert_eq!(scheduler.question_text(open[0]).unwrap(), "Where to?");

    assert_eq!(scheduler.answer(open[0], "mars"), InputOutcome::Rejected);
    assert_eq!(scheduler.answer(open[0], "2"), InputOutcome::Accepted);
    assert_eq!(scheduler.answer(open[0], "1"), InputOutcome::Stale);
    while scheduler.tick() {}
    assert!(scheduler.outcome().is_completed());
    assert_eq!(scheduler.output(deploy), Some(&"production".into()));
}

#[test]
fn two_questions_are_answered_in_any_order() {
    let mut graph = TaskGraph::new();
    let first = graph.add_task(Task::new("first").approve("Start the first?"), []);
    let second = graph.add_task(Task::new("second").approve("Start the second?"), []);
    let mut scheduler = DagScheduler::new(graph);
    scheduler.body(first, || ()).body(second, || ());
    let open = waiting(&mut scheduler);
    assert_eq!(scheduler.answer(open[1], true), InputOutcome::Accepted);
    assert_eq!(waiting(&mut scheduler), [open[0]]);
    assert!(scheduler.state(second).is_completed());
    assert_eq!(scheduler.answer(open[0], false), InputOutcome::Accepted);
    while scheduler.tick() {}
    let why = SkipWhy::Declined;
    assert_eq!(scheduler.state(first), TaskState::Skipped { why });
    assert!(scheduler.outcome().is_completed());
}

#[test]
fn a_person_decides_about_a_failure() {
    let mut graph = TaskGraph::new();
    let ask = || OnFailure::Ask(AskFailure::default());
    let again = graph.add_task(Task::new("again").on_failure(ask()), []);
    let value = graph.add_task(Task::new("value").on_failure(ask()), []);
    let mut scheduler = DagScheduler::new(graph);
    for task in [again, value] {
        scheduler.body(task, |cx: &AttemptContext| match cx.attempt().get() {
            1 => Err("once"),
            attempt => Ok(attempt),
        });
    }
    let open = waiting(&mut scheduler);
    let about = |task| {
        open.iter().copied().find(|&q| {
            let questions = scheduler.questions();
            questions
                .iter()
                .any(|open| open.id == q && open.task == task)
        })
    };
    let (of_again, of_value) = (about(again).unwrap(), about(value).unwrap());
    assert!(scheduler.question_text(of_again).unwrap().contains("once"));
    scheduler.answer(of_value, serde_json::json!({"given": true}));
    scheduler.answer(of_again, FailureAnswer::Retry);
    while scheduler.tick() {}
    assert_eq!(scheduler.outcome(), Outcome::Ended(RunEnd::Degraded));
    assert_eq!(scheduler.output(again), Some(&2.into()));
    assert_eq!(scheduler.output(value).unwrap()["given"], true);
}

#[test]
fn a_default_is_waited_for() {
    let mut graph = TaskGraph::new();
    let answer = Params::from_json_text("42");
    let mut question = Question::text("Which?").default_after(Duration::from_millis(1), answer);
    question.kind = zeph_orchestration::graph::AnswerKind::Number;
    let ask = graph.add_task(Task::new("ask").question(question), []);
    let mut scheduler = DagScheduler::new(graph);
    while scheduler.tick() {}
    assert!(scheduler.outcome().is_completed());
    assert_eq!(scheduler.output(ask), Some(&42.into()));
}

#[test]
fn a_substitute_is_the_output_of_a_failed_task() {
    let mut graph = TaskGraph::new();
    let value = Params::from_json_text("[1]");
    let bad = graph.add_task(Task::new("bad").on_failure(OnFailure::Value(value)), []);
    let next = graph.add_task("next", [bad]);
    let mut scheduler = DagScheduler::new(graph);
    scheduler.body(bad, || Err::<(), _>("broken"));
    scheduler.body(next, |cx: &AttemptContext| cx.input_as::<Vec<u8>>("bad"));
    while scheduler.tick() {}
    assert_eq!(scheduler.outcome(), Outcome::Ended(RunEnd::Degraded));
    assert_eq!(scheduler.output(next), Some(&vec![1].into()));
}

#[test]
fn a_pause_holds_until_it_is_over() {
    let mut graph = TaskGraph::new();
    let task = graph.add_task("task", []);
    let mut scheduler = DagScheduler::new(graph);
    scheduler.body(task, || ());
    assert_eq!(scheduler.pause(), InputOutcome::Accepted);
    while scheduler.tick() {}
    assert_eq!(scheduler.outcome(), Outcome::Paused);
    assert_eq!(scheduler.state(task), TaskState::Ready);
    assert_eq!(scheduler.unpause(), InputOutcome::Accepted);
    while scheduler.tick() {}
    assert!(scheduler.outcome().is_completed());
}
