//! Retry: a new run takes over the results of an ended one.

use std::sync::Arc;

use serde_json::json;
use zeph_executor::double::{ScriptedExecutor, Step};
use zeph_executor::{Registry, TaskError};
use zeph_graph::wire::GraphSpec;
use zeph_graph::{Effect, OnFailure, Params, Question, RunEnd, Seq, Task, TaskGraph};
use zeph_memory::MemoryStore;
use zeph_runtime::{Engine, RetryPlan, RunView, RunsAgain, RuntimeError, Submission};

fn doing(name: &str) -> Task {
    Task::new(name).action("do")
}

/// `a → b → d`, `c → d`: `b` fails the first time.
fn diamond() -> TaskGraph {
    let mut graph = TaskGraph::new();
    let a = graph.add_task(doing("a"), []);
    let b = graph.add_task(doing("b").on_failure(OnFailure::Skip), [a]);
    let c = graph.add_task(doing("c"), []);
    graph.add_task(doing("d"), [b, c]);
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

/// A run of the diamond in which `b` failed, so that `d` was skipped.
async fn failed(store: &MemoryStore) -> RunView {
    let big = json!({ "text": "x".repeat(100_000), "number": 1.5 });
    let script = Arc::new(
        ScriptedExecutor::new()
            .on("a", [Step::ok(big)])
            .on("b", [Step::fail(TaskError::permanent("no"))])
            .on("c", [Step::ok(3)]),
    );
    let engine = engine(store, &script).await;
    let run = engine.submit(Submission::new(diamond())).await;
    let run = run.expect("is saved");
    let report = run.wait().await.expect("ends");
    assert_eq!(report.end(), Some(RunEnd::Degraded));
    RunView::load(store, run.id()).await.expect("is there")
}

fn again(plan: &RetryPlan) -> Vec<(&str, RunsAgain)> {
    let name = |id| plan.graph().task(id).name();
    plan.again().map(|(id, why)| (name(id), why)).collect()
}

#[tokio::test]
async fn kept_results_are_there_and_their_tasks_do_not_run() {
    let store = MemoryStore::new();
    let view = failed(&store).await;
    let plan = RetryPlan::new(&view, None, &[], |_, _| false).expect("has ended");
    let wanted = [
        ("b", RunsAgain::NotCompleted),
        ("d", RunsAgain::NotCompleted),
    ];
    assert_eq!(again(&plan), wanted);
    let submission = plan.submission(&store).await.expect("is readable");
    let fixed = ScriptedExecutor::new().otherwise(Step::ok(4));
    let fixed = Arc::new(fixed);
    let engine = engine(&store, &fixed).await;
    let run = engine.submit(submission).await.expect("is saved");
    let report = run.wait().await.expect("ends");
    assert_eq!(report.end(), Some(RunEnd::Completed));
    assert_eq!(fixed.called(), ["b", "d"]);
    let new = RunView::load(&store, run.id()).await.expect("is there");
    for name in ["a", "c"] {
        let task = new.task(name).expect("is a task");
        let output = new.output(&store, task).await.expect("is readable");
        let earlier = view
            .output(&store, view.task(name).expect("is a task"))
            .await;
        assert_eq!(output, earlier.expect("is readable"), "{name}");
        assert!(new.attempts(task).is_empty(), "{name} ran");
    }
}

#[tokio::test]
async fn a_chosen_task_takes_its_dependents_with_it() {
    let store = MemoryStore::new();
    let view = failed(&store).await;
    let plan = RetryPlan::new(&view, None, &["a"], |_, _| false).expect("has ended");
    let a = plan.graph().find("a").expect("is a task");
    let wanted = [
        ("a", RunsAgain::Chosen),
        ("b", RunsAgain::NotCompleted),
        ("d", RunsAgain::NotCompleted),
    ];
    assert_eq!(again(&plan), wanted);
    assert_eq!(plan.runs_again(a), Some(RunsAgain::Chosen));
    let unknown = RetryPlan::new(&view, None, &["A"], |_, _| false);
    assert!(matches!(unknown, Err(RuntimeError::NoSuchTask { .. })));
}

#[tokio::test]
async fn another_graph_is_matched_by_name() {
    let store = MemoryStore::new();
    let view = failed(&store).await;
    let mut graph = TaskGraph::new();
    // Another order, other rules, other parameters, other dependencies, a new task, and one that is gone.
    let c = graph.add_task(doing("c").retries(3), []);
    let params = Params::from_json_text(r#"{"x":1}"#);
    let a = graph.add_task(Task::new("a").action_with("do", params), []);
    let e = graph.add_task(doing("e"), [c]);
    graph.add_task(doing("d"), [a, e]);
    let policy = *view.scheduler.policy();
    let plan = RetryPlan::new(&view, Some((graph, policy)), &[], |_, _| false);
    let plan = plan.expect("has ended");
    let wanted = [
        ("a", RunsAgain::Changed),
        ("e", RunsAgain::New),
        ("d", RunsAgain::NotCompleted),
    ];
    assert_eq!(again(&plan), wanted);
    assert_eq!(plan.gone(), ["b"]);
}

#[tokio::test]
async fn a_given_result_is_used_by_what_depends_on_it() {
    let store = MemoryStore::new();
    let view = failed(&store).await;
    let plan = RetryPlan::new(&view, None, &[], |_, _| false).expect("has ended");
    let given = [("b".to_owned(), json!("by hand"))];
    let plan = plan.give(given.into()).expect("`a` has a result");
    let names: Vec<&str> = plan
        .given()
        .map(|id| plan.graph().task(id).name())
        .collect();
    assert_eq!(names, ["b"]);
    assert_eq!(again(&plan), [("d", RunsAgain::NotCompleted)]);
    let fixed = Arc::new(ScriptedExecutor::new().otherwise(Step::ok(4)));
    let engine = engine(&store, &fixed).await;
    let submission = plan.submission(&store).await.expect("is readable");
    let run = engine.submit(submission).await.expect("is saved");
    assert_eq!(
        run.wait().await.expect("ends").end(),
        Some(RunEnd::Completed)
    );
    assert_eq!(fixed.called(), ["d"]);
    let new = RunView::load(&store, run.id()).await.expect("is there");
    let output = new.output(&store, new.task("b").expect("is a task")).await;
    assert_eq!(
        output.expect("is readable").expect("has one").value,
        json!("by hand")
    );

    // A given result changes what depends on it, and a task that waits for another one can have none.
    let plan = || RetryPlan::new(&new, None, &[], |_, _| false).expect("has ended");
    let changed = plan()
        .give([("a".to_owned(), json!(1))].into())
        .expect("has no parents");
    let upstream = |plan: &RetryPlan, name| RunsAgain::Upstream(plan.graph().find(name).unwrap());
    let wanted = [
        ("b", upstream(&changed, "a")),
        ("d", upstream(&changed, "b")),
    ];
    assert_eq!(again(&changed), wanted);
    let plan = RetryPlan::new(&view, None, &[], |_, _| false).expect("has ended");
    let error = plan.give([("d".to_owned(), json!(1))].into()).unwrap_err();
    assert!(matches!(error, RuntimeError::NoResult { .. }), "{error}");
}

#[tokio::test]
async fn a_task_runs_alone_with_the_results_that_it_needs() {
    let store = MemoryStore::new();
    let view = failed(&store).await;
    let plan = |chosen: &[&str]| {
        let plan = RetryPlan::new(&view, None, chosen, |_, _| false).expect("has ended");
        plan.only(chosen)
    };
    let alone = plan(&["b"]).expect("`a` has a result");
    assert_eq!(again(&alone), [("b", RunsAgain::NotCompleted)]);
    assert_eq!(alone.graph().len(), 2, "`a` and `b`");
    assert_eq!(alone.gone(), ["c", "d"]);
    let fixed = Arc::new(ScriptedExecutor::new().otherwise(Step::ok(4)));
    let engine = engine(&store, &fixed).await;
    let submission = alone.submission(&store).await.expect("is readable");
    let run = engine.submit(submission).await.expect("is saved");
    assert_eq!(
        run.wait().await.expect("ends").end(),
        Some(RunEnd::Completed)
    );
    assert_eq!(fixed.called(), ["b"]);
    let between = plan(&["a", "b"]).expect("`b` is named");
    assert_eq!(again(&between).len(), 2);
    let error = plan(&["d"]).unwrap_err();
    assert!(matches!(error, RuntimeError::NoResult { .. }), "{error}");
}

#[tokio::test]
async fn a_run_goes_on_from_what_had_completed_at_a_record() {
    let store = MemoryStore::new();
    let view = failed(&store).await;
    let end_of = |name: &str| {
        let task = view.task(name).expect("is a task");
        let mut ends = view
            .entries
            .iter()
            .filter(|entry| entry.record.task_end().is_some_and(|end| end.task == task));
        ends.next().expect("it ended").seq
    };
    let at = |record: Seq| RetryPlan::at(&view, record, &[], |_, _| false);
    let all = [
        ("a", RunsAgain::Later),
        ("b", RunsAgain::NotCompleted),
        ("c", RunsAgain::Later),
        ("d", RunsAgain::NotCompleted),
    ];
    assert_eq!(again(&at(Seq::FIRST).expect("is a record")), all);
    let first = end_of("a").min(end_of("c"));
    let plan = at(first).expect("is a record");
    let late = if first == end_of("a") { "c" } else { "a" };
    let wanted: Vec<_> = all
        .into_iter()
        .filter(|(name, why)| *why != RunsAgain::Later || *name == late)
        .collect();
    assert_eq!(again(&plan), wanted);
    assert_eq!(
        plan.graph().metadata().get(RetryPlan::AT_KEY),
        Some(&first.to_string())
    );
    let last = view.entries.last().expect("has records").seq;
    assert_eq!(again(&at(last).expect("is a record")).len(), 2);
    for wrong in [Seq::new(0), last.plus(1)] {
        let error = at(wrong).expect_err("is no record").to_string();
        let wanted = format!("has no record {wrong}: its records are 1 to {last}");
        assert!(error.contains(&wanted), "{error}");
    }
    // A retry of the fork is of the whole fork.
    let script = Arc::new(ScriptedExecutor::new().otherwise(Step::ok(4)));
    let engine = engine(&store, &script).await;
    let submission = plan.submission(&store).await.expect("is readable");
    let run = engine.submit(submission).await.expect("is saved");
    assert_eq!(
        run.wait().await.expect("ends").end(),
        Some(RunEnd::Completed)
    );
    let view = RunView::load(&store, run.id()).await.expect("is there");
    let plan = RetryPlan::new(&view, None, &["d"], |_, _| false).expect("has ended");
    assert_eq!(plan.graph().metadata().get(RetryPlan::AT_KEY), None);
}

#[tokio::test]
async fn a_fork_leaves_out_what_was_added_later_and_repeats_no_effect_in_silence() {
    let store = MemoryStore::new();
    let mut graph = TaskGraph::new();
    let once = doing("once").effect(Effect::AtMostOnce);
    let once = graph.add_task(once, []);
    let ask = Task::new("ask").question(Question::text("?"));
    graph.add_task(ask, [once]);
    let script = Arc::new(ScriptedExecutor::new().otherwise(Step::ok(1)));
    let engine = engine(&store, &script).await;
    let run = engine
        .submit(Submission::new(graph))
        .await
        .expect("is saved");
    run.until(|run| run.counts.completed == 1).await;
    let point = RunView::load(&store, run.id()).await.expect("is there");
    let point = point.entries.last().expect("has records").seq;
    let patch = r#"{"version":1,"tasks":[{"name":"more","needs":["ask"],"work":{"kind":"action","name":"do"}}]}"#;
    let patch = GraphSpec::from_json(patch).expect("is a patch");
    run.amend(&patch, 0).await.expect("is saved");
    run.answer(1, "yes").await.expect("is saved");
    run.wait().await.expect("ends");
    let view = RunView::load(&store, run.id()).await.expect("is there");
    let plan = RetryPlan::at(&view, point, &[], |_, _| false).expect("is a record");
    assert_eq!(again(&plan), [("ask", RunsAgain::Later)]);
    assert_eq!(plan.gone(), ["more"]);
    let plan = RetryPlan::at(&view, Seq::FIRST, &[], |_, _| false).expect("is a record");
    let wanted = [
        ("once", RunsAgain::EffectRepeated),
        ("ask", RunsAgain::Later),
    ];
    assert_eq!(again(&plan), wanted);
}
