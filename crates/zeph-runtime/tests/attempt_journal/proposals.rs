//! Proposals of tasks: accepted once, in parts, withdrawn, refused, and after a suspension.

use std::sync::Arc;
use std::time::Duration;

use zeph_executor::double::Gate;
use zeph_executor::{
    ErrorClass, Executor, Proposal, Proposed, TaskContext, TaskError, TaskInput, TaskOutput,
    closure,
};
use zeph_graph::wire::GraphSpec;
use zeph_graph::{RunEnd, Task, TaskGraph};
use zeph_memory::MemoryStore;
use zeph_runtime::{RunView, Submission};

use crate::{engine, graph_of, named, ok};

/// A task `grow` that is repeated once.
fn growing() -> TaskGraph {
    let retry = zeph_graph::Retry::times(1).backoff(Duration::ZERO, Duration::ZERO);
    graph_of([Task::new("grow").action("grow").retry(retry)])
}

/// Proposes two tasks, the second one needing the first and the proposer.
fn proposer(answers: Arc<std::sync::Mutex<Vec<Proposal>>>) -> Arc<dyn Executor> {
    closure::from_fn(move |cx: TaskContext, _: TaskInput| {
        let answers = Arc::clone(&answers);
        async move {
            let patch = GraphSpec::from_json(
                r#"{"version":1,"tasks":[
                    {"name":"last","needs":["middle","grow"],"work":{"kind":"action","name":"ok"}},
                    {"name":"middle","needs":["grow"],"work":{"kind":"action","name":"ok"}}
                ]}"#,
            )?;
            let answer = cx.journal().propose(patch).await?;
            answers.lock().expect("whole").push(answer);
            if cx.attempt().get() == 1 {
                return Err(TaskError::retryable("once more"));
            }
            Ok(TaskOutput::null())
        }
    })
}

#[tokio::test]
async fn a_patch_is_accepted_once_and_survives_a_reload() {
    let store = MemoryStore::new();
    let answers = Arc::default();
    let grow = proposer(Arc::clone(&answers));
    let engine = engine(&store, &[("grow", grow), ("ok", ok())]).await;
    let run = engine.submit(Submission::new(growing())).await;
    let run = run.expect("is saved");
    let report = run.wait().await.expect("ends");
    assert_eq!(report.end(), Some(RunEnd::Completed));
    assert_eq!(report.counts.completed, 3);
    let output = run
        .output(&report, "last")
        .await
        .expect("readable")
        .expect("is there");
    assert_eq!(output.value, 2);
    let answers = answers.lock().expect("whole").clone();
    assert_eq!(answers, [Proposal::Added, Proposal::Already]);

    let view = RunView::load(&store, run.id()).await.expect("readable");
    assert_eq!(view.graph().len(), 3);
    assert!(view.task("middle").is_ok() && view.task("last").is_ok());
}

#[tokio::test]
async fn a_suspended_run_with_a_patch_is_resumed_in_another_engine() {
    let store = MemoryStore::new();
    let gate = Gate::new();
    let wait = gate.clone();
    let held = closure::from_fn(move |cx: TaskContext, _: TaskInput| {
        let wait = wait.clone();
        async move {
            wait.open();
            cx.cancelled().await;
            Err(TaskError::cancelled("stopped"))
        }
    });
    let first = engine(&store, &[("grow", proposer(Arc::default())), ("ok", held)]).await;
    let submission = Submission::new(growing()).name(named("grown"));
    let run = first.submit(submission).await.expect("is saved");
    gate.opened().await;
    run.suspend().await.expect("is there");
    run.suspend().await.expect("is there");
    run.wait().await.expect("rests");

    let lacking = engine(&store, &[("grow", ok())]).await;
    let refused = lacking.resume(&named("grown")).await;
    let refused = refused.err().map(|error| error.to_string());
    assert!(refused.is_some_and(|text| text.contains("ok")));
    let second = engine(&store, &[("grow", ok()), ("ok", ok())]).await;
    let run = second.resume(&named("grown")).await.expect("goes on");
    let report = run.wait().await.expect("ends");
    assert_eq!(report.counts.completed, 3);
}

#[tokio::test]
async fn a_task_proposes_in_parts_and_withdraws_what_it_proposed() {
    let store = MemoryStore::new();
    let started = Gate::new();
    let open = started.clone();
    let held = closure::from_fn(move |cx: TaskContext, _: TaskInput| {
        open.open();
        async move {
            cx.cancelled().await;
            Err(TaskError::cancelled("stopped"))
        }
    });
    let grow = closure::from_fn(move |cx: TaskContext, _: TaskInput| {
        let started = started.clone();
        async move {
            let journal = cx.journal();
            let propose = async |earlier, name: &str, needs: &str, action: &str| {
                let patch = GraphSpec::from_json(&format!(
                    r#"{{"version":1,"tasks":[{{"name":"{name}","needs":[{needs}],"work":{{"kind":"action","name":"{action}"}}}}]}}"#
                ))?;
                journal.propose_after(earlier, patch).await
            };
            let before = journal.proposed().await?;
            if cx.attempt().get() == 1 {
                assert_eq!(before, Proposed::default());
                propose(0, "quick", "", "ok").await?;
                propose(1, "slow", "", "held").await?;
                started.opened().await;
                return Err(TaskError::retryable("once more"));
            }
            let names: Vec<_> = before.tasks.iter().map(|task| &*task.name).collect();
            assert_eq!((before.count, &names[..]), (2, &["quick", "slow"][..]));
            assert_eq!(propose(1, "other", "", "ok").await?, Proposal::Already);
            propose(2, "dependent", r#""slow""#, "ok").await?;
            propose(3, "last", r#""quick""#, "ok").await?;
            let names = ["slow", "dependent", "grow", "x"].map(str::to_owned);
            journal
                .withdraw(&names, "the plan has no such task")
                .await?;
            Ok(TaskOutput::null())
        }
    });
    let engine = engine(&store, &[("grow", grow), ("ok", ok()), ("held", held)]).await;
    let run = engine.submit(Submission::new(growing())).await;
    let run = run.expect("is saved");
    let report = run.wait().await.expect("ends");
    assert_eq!(report.end(), Some(RunEnd::Completed));
    assert_eq!((report.counts.completed, report.counts.skipped), (3, 2));
}

#[tokio::test]
async fn an_invalid_patch_is_refused_with_all_its_problems() {
    let store = MemoryStore::new();
    let bad = closure::from_fn(|cx: TaskContext, _: TaskInput| async move {
        let unknown =
            r#"{"version":1,"tasks":[{"name":"x","work":{"kind":"action","name":"fly"}}]}"#;
        let error = cx.journal().propose(GraphSpec::from_json(unknown)?).await;
        let unknown = error.expect_err("no executor flies");
        let wrong =
            r#"{"version":1,"tasks":[{"name":"bad","needs":["grwo"]},{"name":"y","needs":["y"]}]}"#;
        let error = cx.journal().propose(GraphSpec::from_json(wrong)?).await;
        let wrong = error.expect_err("nothing of it fits");
        assert_eq!(
            (unknown.class(), wrong.class()),
            (ErrorClass::Permanent, ErrorClass::Permanent)
        );
        assert_eq!(unknown.code(), "proposal_refused");
        Ok(TaskOutput::from(serde_json::json!([
            unknown.detail(),
            wrong.detail()
        ])))
    });
    let engine = engine(&store, &[("bad", bad)]).await;
    let run = engine
        .submit(Submission::new(graph_of([Task::new("bad").action("bad")])))
        .await
        .expect("is saved");
    let report = run.wait().await.expect("ends");
    assert_eq!(report.counts.total(), 1, "nothing was added");
    let output = run.output(&report, "bad").await.expect("readable");
    let value = output.expect("is there").value.clone();
    assert_eq!(value[0]["missing_executors"], serde_json::json!(["fly"]));
    assert!(
        value[1]["problems"]
            .as_array()
            .is_some_and(|all| all.len() >= 3),
        "{value}"
    );
}
