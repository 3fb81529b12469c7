//! A store that cannot be read or written, and executors that block every thread.

use std::sync::Arc;
use std::time::Duration;

use zeph_executor::Registry;
use zeph_executor::double::{ScriptedExecutor, Step};
use zeph_graph::{OnFailure, Policy, RunEnd, RunState, Task, TaskGraph};
use zeph_memory::{FaultyStore, MemoryStore, Op, RawGraphStore, StoreFault};
use zeph_runtime::{Engine, RuntimeError, Submission};

async fn engine(store: Arc<dyn RawGraphStore>, script: &Arc<ScriptedExecutor>) -> Engine {
    let mut registry = Registry::new();
    registry
        .register("do", Arc::clone(script) as _)
        .expect("the first of its name");
    Engine::builder(store)
        .registry(registry)
        .start()
        .await
        .expect("starts")
}

fn doing(name: &str) -> Task {
    Task::new(name).action("do")
}

fn quick() -> Policy {
    let none = Duration::ZERO;
    Policy {
        cancel_grace: none,
        suspend_grace: none,
        ..Policy::default()
    }
}

/// A task whose parent's result is too large to be kept in memory.
fn large_then_small() -> (TaskGraph, Arc<ScriptedExecutor>) {
    let mut graph = TaskGraph::new();
    let large = graph.add_task(doing("large"), []);
    graph.add_task(doing("small"), [large]);
    let script = ScriptedExecutor::new()
        .on("large", [Step::ok("x".repeat(100_000))])
        .on("small", [Step::ok(2)]);
    (graph, Arc::new(script))
}

#[tokio::test(start_paused = true)]
async fn a_store_that_cannot_be_read_for_a_moment_fails_nothing() {
    let store = Arc::new(FaultyStore::new(MemoryStore::new()));
    store.fail(Op::Contents, 1, StoreFault::Before);
    store.fail(Op::Contents, 2, StoreFault::Busy);
    let (graph, script) = large_then_small();
    let engine = engine(store, &script).await;
    let run = engine
        .submit(Submission::new(graph))
        .await
        .expect("is saved");
    let report = run.wait().await.expect("ends");
    assert_eq!(report.end(), Some(RunEnd::Completed));
    assert_eq!(script.called(), ["large", "small"]);
}

#[tokio::test(start_paused = true)]
async fn a_store_that_cannot_be_read_suspends_the_run_which_can_be_resumed() {
    let store = Arc::new(FaultyStore::new(MemoryStore::new()));
    for nth in 1..=4 {
        store.fail(Op::Contents, nth, StoreFault::Before);
    }
    let (graph, script) = large_then_small();
    let engine = engine(store, &script).await;
    let run = engine
        .submit(Submission::new(graph))
        .await
        .expect("is saved");
    let report = run.wait().await.expect("is suspended");
    assert_eq!(report.state, RunState::Suspended);
    let error = report.error.as_deref().expect("says why");
    assert!(error.contains("failed"), "{error}");
    assert_eq!(script.called(), ["large"]);
    let resumed = engine.resume(run.id()).await.expect("is resumed");
    let report = resumed.wait().await.expect("ends");
    assert_eq!(report.end(), Some(RunEnd::Completed));
}

#[tokio::test]
async fn a_stale_request_is_answered_when_what_made_it_stale_is_saved() {
    let store = Arc::new(FaultyStore::new(MemoryStore::new()));
    let script = Arc::new(ScriptedExecutor::new());
    let engine = engine(store.clone(), &script).await;
    let mut graph = TaskGraph::new();
    let question = zeph_graph::Question::text("Which?");
    let work = zeph_graph::Work::Question(Box::new(question));
    graph.add_task(Task::new("ask").with_work(work), []);
    let run = engine
        .submit(Submission::new(graph))
        .await
        .expect("is saved");
    run.until(|snapshot| snapshot.state == RunState::Waiting)
        .await;
    let held = store.hold_commits().await;
    store.fail_next(Op::Commit, StoreFault::Before);
    let answers = [run.clone(), run.clone()]
        .map(|run| tokio::spawn(async move { run.answer(1, "Oslo").await }));
    // The second answer is handled before the first one is saved.
    run.inspect(|_| ()).await.expect("is active");
    run.inspect(|_| ()).await.expect("is active");
    assert!(answers.iter().all(|answer| !answer.is_finished()));
    drop(held);
    for answer in answers {
        let error = answer
            .await
            .expect("does not panic")
            .expect_err("was not saved");
        let is_open = matches!(error, RuntimeError::NoSuchQuestion { .. });
        assert!(!is_open, "the question is not answered: {error}");
    }
}

/// Every thread of the runtime is blocked by an executor: the engine still keeps time.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn executors_that_block_every_thread_are_abandoned_after_their_grace() {
    let (release, is_released) = std::sync::mpsc::channel::<()>();
    let is_released = Arc::new(std::sync::Mutex::new(is_released));
    let mut registry = Registry::new();
    let body = zeph_executor::closure::from_fn(move |_, _| {
        let is_released = Arc::clone(&is_released);
        async move {
            // Blocks its thread until the sender is dropped.
            let _ = is_released.lock().map(|channel| channel.recv());
            Ok(zeph_executor::TaskOutput::from(1))
        }
    });
    registry
        .register("do", body)
        .expect("the first of its name");
    let builder = Engine::builder(Arc::new(MemoryStore::new())).registry(registry);
    let engine = builder.start().await.expect("starts");
    let mut graph = TaskGraph::new();
    for n in 0..4 {
        let timeout = Duration::from_millis(50);
        let task = doing(&format!("blocks{n}"))
            .timeout(timeout)
            .on_failure(OnFailure::Skip);
        graph.add_task(task, []);
    }
    let submission = Submission::new(graph).policy(quick());
    let run = engine.submit(submission).await.expect("is saved");
    let report = run.wait().await.expect("ends");
    drop(release);
    assert_eq!(report.end(), Some(RunEnd::Degraded));
    let abandoned: u32 = report
        .tasks
        .iter()
        .map(|task| task.attempt_counts.abandoned)
        .sum();
    assert!(abandoned >= 2, "{abandoned}");
}
