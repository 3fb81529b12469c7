//! The engine on a store in memory: order, isolation, failure, and resumption.

use std::sync::Arc;

use zeph_executor::double::{Gate, ScriptedExecutor, Step};
use zeph_executor::{Registry, TaskError};
use zeph_graph::{
    AskFailure, OnFailure, Question, Record, RunEnd, RunState, Task, TaskGraph, TaskState,
};
use zeph_memory::MemoryStore;
use zeph_runtime::{
    Accepts, Engine, QuestionView, RunEvent, RunHandle, RunView, RuntimeError, Submission,
};

async fn engine(store: &MemoryStore, script: &Arc<ScriptedExecutor>) -> Engine {
    let mut registry = Registry::new();
    registry
        .register("do", Arc::clone(script) as _)
        .expect("the first of its name");
    Engine::builder(Arc::new(store.clone()))
        .registry(registry)
        .start()
        .await
        .expect("starts")
}

fn doing(name: &str) -> Task {
    Task::new(name).action("do")
}

#[tokio::test]
async fn a_chain_completes_in_order_and_passes_results_on() {
    let script = Arc::new(
        ScriptedExecutor::new()
            .on("fetch", [Step::ok(41)])
            .on("add", [Step::ok(42)])
            .on("save", [Step::ok("saved")]),
    );
    let store = MemoryStore::new();
    let engine = engine(&store, &script).await;
    let mut graph = TaskGraph::new();
    let fetch = graph.add_task(doing("fetch"), []);
    let add = graph.add_task(doing("add"), [fetch]);
    graph.add_task(doing("save"), [add]);

    let run = engine
        .submit(Submission::new(graph))
        .await
        .expect("is saved");
    let report = run.wait().await.expect("ends");
    assert_eq!(report.end(), Some(RunEnd::Completed));
    assert_eq!(script.called(), ["fetch", "add", "save"]);
    let output = run
        .output(&report, "save")
        .await
        .expect("is readable")
        .expect("is there");
    assert_eq!(output.value, "saved");
}

#[tokio::test]
async fn a_held_task_does_not_delay_the_dependant_of_another() {
    let gate = Gate::new();
    let script = Arc::new(
        ScriptedExecutor::new()
            .on("held", [Step::ok(1).after(&gate)])
            .on("free", [Step::ok(2)])
            .on("next", [Step::ok(3)]),
    );
    let engine = engine(&MemoryStore::new(), &script).await;
    let mut graph = TaskGraph::new();
    graph.add_task(doing("held"), []);
    let free = graph.add_task(doing("free"), []);
    graph.add_task(doing("next"), [free]);
    let run = engine
        .submit(Submission::new(graph))
        .await
        .expect("is saved");

    script.started("next").await;
    run.until(|snapshot| snapshot.counts.completed == 2).await;
    assert_eq!(run.snapshot().counts.running, 1, "the held one still runs");
    gate.open();
    assert_eq!(
        run.wait().await.expect("ends").end(),
        Some(RunEnd::Completed)
    );
}

#[tokio::test]
async fn a_failure_under_skip_cancels_nothing_outside_its_cone() {
    let gate = Gate::new();
    let script = Arc::new(
        ScriptedExecutor::new()
            .on("fails", [Step::fail(TaskError::permanent("no"))])
            .on("other", [Step::ok(2).after(&gate)]),
    );
    let engine = engine(&MemoryStore::new(), &script).await;
    let mut graph = TaskGraph::new();
    let fails = graph.add_task(doing("fails").on_failure(OnFailure::Skip), []);
    graph.add_task(doing("child"), [fails]);
    graph.add_task(doing("other"), []);
    let run = engine
        .submit(Submission::new(graph))
        .await
        .expect("is saved");
    run.until(|snapshot| snapshot.counts.skipped == 1).await;
    gate.open();
    let report = run.wait().await.expect("ends");
    assert_eq!(report.end(), Some(RunEnd::Degraded));
    assert!(report.task("other").expect("is there").state.is_completed());
    assert_eq!(script.called(), ["fails", "other"]);
}

#[tokio::test]
async fn two_questions_are_answered_in_any_order_and_also_after_a_restart() {
    let script = Arc::new(ScriptedExecutor::new().on("after", [Step::ok("done")]));
    let store = MemoryStore::new();
    let first = engine(&store, &script).await;
    let mut graph = TaskGraph::new();
    let a = graph.add_task(Task::new("a").question(Question::text("A?")), []);
    graph.add_task(Task::new("b").question(Question::confirm("B?")), []);
    graph.add_task(doing("after"), [a]);
    let run = first
        .submit(Submission::new(graph))
        .await
        .expect("is saved");
    let snapshot = run
        .until(|snapshot| snapshot.state == RunState::Waiting)
        .await;
    assert_eq!(snapshot.questions.len(), 2);
    assert!(
        run.answer(2, "perhaps").await.is_err(),
        "neither yes nor no"
    );
    run.answer(2, "yes").await.expect("is saved");
    run.suspend().await.expect("is saved");
    assert_eq!(run.wait().await.expect("rests").state, RunState::Suspended);

    let second = engine(&store, &script).await;
    let run = second.resume(run.id()).await.expect("goes on");
    assert!(run.answer(2, "no").await.is_err(), "answered once");
    run.answer(1, "some text").await.expect("is saved");
    let report = run.wait().await.expect("ends");
    assert_eq!(report.end(), Some(RunEnd::Completed));
    assert!(matches!(
        report.task("b").expect("is there").state,
        TaskState::Completed { .. }
    ));
}

#[tokio::test]
async fn a_panic_is_that_attempts_failure() {
    let script = Arc::new(
        ScriptedExecutor::new()
            .on("panics", [Step::panic("oh no")])
            .on("other", [Step::ok(1)]),
    );
    let engine = engine(&MemoryStore::new(), &script).await;
    let mut graph = TaskGraph::new();
    graph.add_task(doing("panics").on_failure(OnFailure::Skip), []);
    graph.add_task(doing("other"), []);
    let run = engine
        .submit(Submission::new(graph))
        .await
        .expect("is saved");
    let report = run.wait().await.expect("ends");
    assert_eq!(report.end(), Some(RunEnd::Degraded));
    assert!(report.task("other").expect("is there").state.is_completed());
}

/// The error texts and questions of all events, in order.
async fn errors_and_questions(run: &RunHandle) -> (Vec<String>, Vec<QuestionView>) {
    let mut events = run.events().expect("the run is active");
    let (mut errors, mut questions) = (Vec::new(), Vec::new());
    while let Some(event) = events.next().await {
        if let RunEvent::Saved {
            event,
            error,
            question,
            ..
        } = event
        {
            errors.extend(error.map(|error| format!("{event}: {error}")));
            assert_eq!(
                question.is_some(),
                matches!(event.record, Record::Asked { .. })
            );
            questions.extend(question.map(|question| *question));
        }
        let snapshot = run.snapshot();
        if snapshot.state == RunState::Waiting && snapshot.questions.len() == questions.len() {
            break;
        }
    }
    (errors, questions)
}

#[tokio::test]
async fn events_carry_error_texts_and_questions() {
    let boom = || Step::fail(TaskError::permanent("boom"));
    let script = Arc::new(ScriptedExecutor::new().on("a", [boom()]).on("b", [boom()]));
    let store = MemoryStore::new();
    let first = engine(&store, &script).await;
    let mut graph = TaskGraph::new();
    let value = zeph_graph::Params::from_json_text("7");
    let a = graph.add_task(doing("a").on_failure(OnFailure::Value(value)), []);
    let ask = OnFailure::Ask(AskFailure::default());
    graph.add_task(doing("b").on_failure(ask), [a]);
    graph.add_task(
        Task::new("c").question(Question::choice("Where?", ["x", "y"])),
        [],
    );
    let run = first
        .submit(Submission::new(graph))
        .await
        .expect("is saved");

    let (errors, questions) = errors_and_questions(&run).await;
    assert_eq!(
        errors.len(),
        4,
        "two attempts, a substitute, a question: {errors:?}"
    );
    assert!(
        errors.iter().all(|error| error.ends_with(": boom")),
        "{errors:?}"
    );
    let [choice, failure] = &questions[..] else {
        panic!("{questions:?}");
    };
    assert_eq!(
        choice.accepts,
        Accepts::Choice(vec!["x".into(), "y".into()])
    );
    assert_eq!(failure.accepts, Accepts::Failure);
    assert_eq!(failure.error.as_deref(), Some("boom"));
    assert_eq!(*run.snapshot().questions, questions);

    let output = run.live_output("a").await.expect("is readable");
    assert_eq!(output.expect("has a substitute").value, 7);
    assert!(run.live_output("b").await.expect("is readable").is_none());
    let unknown = run.live_output("d").await.expect_err("is unknown");
    assert!(
        matches!(unknown, RuntimeError::NoSuchTask { .. }),
        "{unknown}"
    );
    let tasks = run.inspect(|scheduler| scheduler.graph().len()).await;
    assert_eq!(tasks.expect("is active"), 3);

    // After a suspension the error text of an open question is read from the store.
    run.suspend().await.expect("is saved");
    run.wait().await.expect("is suspended");
    assert!(run.inspect(|_| ()).await.is_err(), "the run is unloaded");
    let view = RunView::load(&store, run.id()).await.expect("is readable");
    assert_eq!(view.questions()[1].error, None);
    let second = engine(&store, &script).await;
    let run = second.resume(run.id()).await.expect("goes on");
    assert_eq!(*run.snapshot().questions, questions);
}
