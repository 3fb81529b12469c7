//! Fallbacks in the engine: one result for both, stored once; recovery, ends by hand, and retries.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::json;
use zeph_executor::double::{Gate, ScriptedExecutor, Step};
use zeph_executor::{Registry, TaskError};
use zeph_graph::{OnFailure, Output, RunEnd, Task, TaskGraph, TaskState};
use zeph_memory::MemoryStore;
use zeph_runtime::{Engine, RetryPlan, RunView, RunsAgain, Submission};

fn doing(name: &str) -> Task {
    Task::new(name).action("do")
}

/// `fetch → save`, with `mirror` in place of `fetch`, and `other`, which fails.
fn graph() -> TaskGraph {
    let mut graph = TaskGraph::new();
    let mirror = graph.add_task(doing("mirror"), []);
    let fetch = doing("fetch").on_failure(OnFailure::Fallback(mirror));
    let fetch = graph.add_task(fetch, []);
    graph.add_task(doing("save"), [fetch]);
    graph.add_task(doing("other").on_failure(OnFailure::Skip), []);
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

fn failing() -> Step {
    Step::fail(TaskError::permanent("no route"))
}

/// A run in which `mirror` ran in place of `fetch`.
async fn fallen_back(store: &MemoryStore) -> RunView {
    let script = Arc::new(
        ScriptedExecutor::new()
            .on("fetch", [failing()])
            .on("mirror", [Step::ok(json!({ "rows": 3 }))])
            .on("save", [Step::ok("saved")])
            .on("other", [failing()]),
    );
    let engine = engine(store, &script).await;
    let run = engine.submit(Submission::new(graph())).await;
    let run = run.expect("is saved");
    let report = run.wait().await.expect("ends");
    assert_eq!(report.end(), Some(RunEnd::Degraded));
    let called = script.called();
    let at = |name: &str| called.iter().position(|called| called == name);
    assert!(at("fetch") < at("mirror") && at("mirror") < at("save"));
    for name in ["fetch", "mirror"] {
        let output = run.output(&report, name).await.expect("is readable");
        let output = output.expect("is there");
        assert_eq!(output.value, json!({ "rows": 3 }), "{name}");
    }
    RunView::load(store, run.id()).await.expect("is there")
}

#[tokio::test]
async fn one_result_of_both_is_stored_once() {
    let store = MemoryStore::new();
    let view = fallen_back(&store).await;
    let state = |name: &str| {
        let task = view.task(name).expect("is known");
        view.scheduler.task(task).state()
    };
    assert_eq!(state("fetch"), state("mirror"));
    assert!(matches!(
        state("fetch"),
        TaskState::Completed {
            output: Output::Content(_)
        }
    ));
    let fetch = view.task("fetch").expect("is known");
    assert_eq!(view.stand_in(fetch), view.task("mirror").ok());
    assert_eq!(view.scheduler.counts().by_fallback, 1);
    let report = view.full_report(&store).await.expect("is readable");
    let error = report.tasks[fetch.index()].error.as_ref();
    assert!(error.is_some_and(|error| error.message == "no route"));
}

#[tokio::test]
async fn a_result_that_a_person_gave_in_advance_counts() {
    let gate = Gate::new();
    let script = Arc::new(
        ScriptedExecutor::new()
            .on("fetch", [failing().after(&gate)])
            .on("save", [Step::ok("saved")])
            .on("other", [Step::ok(1)]),
    );
    let store = MemoryStore::new();
    let engine = engine(&store, &script).await;
    let run = engine.submit(Submission::new(graph())).await;
    let run = run.expect("is saved");
    script.started("fetch").await;
    run.complete("mirror", json!("by hand"))
        .await
        .expect("is accepted");
    gate.open();
    let report = run.wait().await.expect("ends");
    assert_eq!(report.end(), Some(RunEnd::Degraded));
    let output = run.output(&report, "fetch").await.expect("is readable");
    assert_eq!(output.expect("is there").value, json!("by hand"));
    assert!(!script.called().contains(&"mirror".to_owned()));
    let view = RunView::load(&store, run.id()).await.expect("is there");
    let report = view.report();
    assert_eq!(report.end(), Some(RunEnd::Degraded));
}

#[tokio::test]
async fn a_retry_keeps_the_result_of_the_user() {
    let store = MemoryStore::new();
    let view = fallen_back(&store).await;
    let plan = RetryPlan::new(&view, None, &[], |_, _| false).expect("has ended");
    let again: Vec<&str> = (plan.again())
        .map(|(id, _)| plan.graph().task(id).name())
        .collect();
    assert_eq!(again, ["other"]);
    let mirror = plan.graph().find("mirror").expect("is there");
    assert!(plan.stands_by(mirror));
    let script = Arc::new(ScriptedExecutor::new().on("other", [Step::ok(1)]));
    let engine = engine(&store, &script).await;
    let run = engine.submit(plan.submission(&store).await.expect("is readable"));
    let run = run.await.expect("is saved");
    let report = run.wait().await.expect("ends");
    assert_eq!(report.end(), Some(RunEnd::Completed));
    assert_eq!(script.called(), ["other"]);
    let output = run.output(&report, "fetch").await.expect("is readable");
    assert_eq!(output.expect("is there").value, json!({ "rows": 3 }));
    let state = report.tasks[mirror.index()].state;
    let word = state.word();
    assert_eq!(word, "skipped", "{state:?}");
}

#[tokio::test]
async fn a_fallback_follows_its_user_into_a_retry() {
    let store = MemoryStore::new();
    let view = fallen_back(&store).await;
    for chosen in ["fetch", "mirror"] {
        let plan = RetryPlan::new(&view, None, &[chosen], |_, _| false).expect("has ended");
        let again: Vec<(&str, RunsAgain)> = (plan.again())
            .map(|(id, why)| (plan.graph().task(id).name(), why))
            .collect();
        let fetch = plan.graph().find("fetch").expect("is there");
        let expected = [
            ("mirror", RunsAgain::StandsBy(fetch)),
            ("fetch", RunsAgain::Chosen),
            ("save", RunsAgain::Upstream(fetch)),
            ("other", RunsAgain::NotCompleted),
        ];
        assert_eq!(again, expected, "{chosen}");
    }
    let changed = RetryPlan::new(&view, None, &[], |_, task| task.name() == "mirror");
    let changed = changed.expect("has ended");
    let fetch = changed.graph().find("fetch").expect("is there");
    assert_eq!(changed.runs_again(fetch), Some(RunsAgain::Changed));

    let plan = || RetryPlan::new(&view, None, &["fetch"], |_, _| false).expect("has ended");
    let only = plan().only(&["fetch"]).expect("can run alone");
    let names: Vec<&str> = (only.graph().tasks())
        .map(|(_, task)| task.name())
        .collect();
    assert_eq!(names, ["mirror", "fetch"]);
    let refused = plan().only(&["mirror"]).expect_err("has no result");
    assert!(refused.to_string().contains("choose fetch"), "{refused}");
    let given = BTreeMap::from([("mirror".to_owned(), json!(1))]);
    let refused = plan().give(given).expect_err("has no result");
    let text = refused.to_string();
    assert!(text.contains("give its result to fetch"), "{text}");
}
