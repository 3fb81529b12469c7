//! Why a parent did not complete, as an attempt gets it: in the same process, after a suspension, in a view.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::Value;
use zeph_executor::double::{Gate, ScriptedExecutor, Step};
use zeph_executor::{EndReason, ParentState, Registry, TaskError, TaskInput, TaskOutput, closure};
use zeph_graph::{OnFailure, Retry, RunEnd, Task, TaskGraph, Trigger};
use zeph_memory::MemoryStore;
use zeph_runtime::{Engine, RunView, Submission};

fn doing(name: &str) -> Task {
    Task::new(name).action("do")
}

/// `beta` fails, `gamma` needs it, `delta` has nothing to do, `late` takes its time; `first` and `join` see
/// their ends.
fn graph() -> TaskGraph {
    let mut graph = TaskGraph::new();
    let beta = doing("beta").on_failure(OnFailure::Skip);
    let beta = beta.retry(Retry::times(1).backoff(Default::default(), Default::default()));
    let beta = graph.add_task(beta, []);
    let gamma = graph.add_task(doing("gamma"), [beta]);
    let delta = graph.add_task(doing("delta"), []);
    let late = graph.add_task(doing("late"), [beta]);
    let late = {
        let after = doing("after").trigger(Trigger::AllDone);
        graph.add_task(after, [late])
    };
    let ended = [beta, gamma, delta];
    graph.add_task(doing("first").trigger(Trigger::AllDone), ended);
    let all = ended.into_iter().chain([late]);
    graph.add_task(doing("join").trigger(Trigger::AllDone), all);
    graph
}

async fn engine(store: &MemoryStore, script: &Arc<ScriptedExecutor>) -> Engine {
    let mut registry = Registry::new();
    registry
        .register("do", Arc::clone(script) as _)
        .expect("the first of its name");
    let engine = Engine::builder(Arc::new(store.clone())).registry(registry);
    engine.start().await.expect("starts")
}

#[tokio::test]
async fn an_attempt_gets_the_reason_of_each_parent_that_did_not_complete() {
    let store = MemoryStore::new();
    let gate = Gate::new();
    let refused = || TaskError::refused("the model refused: \"No.\"").with_code("model_refused");
    let script = Arc::new(
        ScriptedExecutor::new()
            .on(
                "beta",
                [
                    Step::fail(TaskError::retryable("busy")),
                    Step::fail(refused()),
                ],
            )
            .on("delta", [Step::fail(TaskError::skip("nothing new"))])
            .on("first", [Step::ok("seen")])
            .on("after", [Step::ok("late").after(&gate), Step::ok("late")])
            .on("join", [Step::ok("seen")])
            .allow_reruns(),
    );
    let first = engine(&store, &script).await;
    let run = first.submit(Submission::new(graph())).await;
    let run = run.expect("is saved");
    script.started("first").await;
    script.started("after").await;
    run.suspend().await.expect("is saved");
    run.wait().await.expect("rests");
    let second = engine(&store, &script).await;
    let run = second.resume(run.id()).await.expect("goes on");
    run.wait().await.expect("ends");

    let wanted = [
        EndReason::new("model_refused", "the model refused: \"No.\""),
        EndReason::new("upstream", "the task \"beta\" did not complete"),
        EndReason::new("skipped", "nothing new"),
    ];
    let view = RunView::load(&store, run.id()).await.expect("is readable");
    let join = view.task("join").expect("is known");
    let names = ["beta", "gamma", "delta", "after"].map(str::to_owned);
    let names = BTreeSet::from(names);
    let viewed = view.parents(&store, join, &names).await;
    let viewed = viewed.expect("is readable");
    let calls = script.calls();
    let seen = |task: &str| {
        let call = calls.iter().find(|call| call.task == task);
        call.expect("was called").parents.clone()
    };
    for parents in [seen("first"), seen("join"), viewed] {
        let found: Vec<EndReason> = parents.values().filter_map(|one| one.why.clone()).collect();
        assert_eq!(found, wanted);
    }
    assert_eq!(seen("join")["after"].why, None, "it completed");
}

/// `fast` and `large` end within a few turns of each other, in every order: while the start of `early` is saved, too.
#[tokio::test]
async fn an_attempt_gets_no_result_that_is_not_saved() {
    let mut both = 0;
    for turns in 0..40 {
        let store = MemoryStore::new();
        let mut registry = Registry::new();
        let wait = closure::from_fn(move |cx, _| {
            let is_large = cx.name() == "large";
            async move {
                for _ in 0..if is_large { turns } else { 20 } {
                    tokio::task::yield_now().await;
                }
                // More than the engine keeps in memory.
                let length = if is_large { 100_000 } else { 1 };
                Ok(TaskOutput::from("x".repeat(length)))
            }
        });
        let saved = store.clone();
        let look = closure::from_fn(move |cx, input: TaskInput| {
            let (store, run) = (saved.clone(), cx.run().clone());
            async move {
                let view = RunView::load(&store, &run).await.expect("is readable");
                let mut completed = 0;
                for (name, _) in (input.parents.iter())
                    .filter(|(_, parent)| parent.state == ParentState::Completed)
                {
                    let parent = view.task(name).expect("is known");
                    assert!(view.scheduler.task(parent).state().is_completed(), "{name}");
                    completed += 1;
                }
                Ok(Value::from(completed).into())
            }
        });
        registry.register("wait", wait).expect("the first");
        registry.register("look", look).expect("the first");
        let mut graph = TaskGraph::new();
        let parents =
            ["fast", "large"].map(|name| graph.add_task(Task::new(name).action("wait"), []));
        let early = Task::new("early")
            .action("look")
            .trigger(Trigger::AnySuccess);
        graph.add_task(early, parents);
        let engine = Engine::builder(Arc::new(store.clone())).registry(registry);
        let engine = engine.start().await.expect("starts");
        let run = engine
            .submit(Submission::new(graph))
            .await
            .expect("is saved");
        let report = run.wait().await.expect("ends");
        assert_eq!(report.end(), Some(RunEnd::Completed), "{turns}: {report:?}");
        let view = RunView::load(&store, run.id()).await.expect("is readable");
        let early = view.task("early").expect("is known");
        let seen = view.output(&store, early).await.expect("is readable");
        both += u32::from(seen.expect("has completed").value == 2);
    }
    assert!((1..40).contains(&both), "{both} attempts had both parents");
}

#[tokio::test]
async fn an_empty_goal_is_no_goal() {
    for (goal, seen) in [("", Value::Null), ("Count", Value::from("Count"))] {
        let executor = closure::from_fn(|cx, _| {
            let goal = cx.purpose().goal.clone();
            async move { Ok(Value::from(goal).into()) }
        });
        let mut registry = Registry::new();
        registry.register("look", executor).expect("the first");
        let mut graph = TaskGraph::new();
        graph.add_task(Task::new("look").action("look"), []);
        (graph.metadata_mut()).insert("goal".to_owned(), goal.to_owned());
        let store = MemoryStore::new();
        let engine = Engine::builder(Arc::new(store.clone())).registry(registry);
        let engine = engine.start().await.expect("starts");
        let run = (engine.submit(Submission::new(graph)).await).expect("is saved");
        run.wait().await.expect("ends");
        let view = RunView::load(&store, run.id()).await.expect("is readable");
        let look = view.task("look").expect("is known");
        let output = view.output(&store, look).await.expect("is readable");
        let value = output.map_or(Value::Null, |output| output.value.clone());
        assert_eq!(value, seen);
    }
}
