//! The durable engine at size: 63,000 tasks and 240,000 edges on a small stack, run, read and recovered.
#![cfg(feature = "sqlite")]

use std::num::NonZeroU32;
use std::sync::Arc;

use zeph_graph::wire::GraphSpec;
use zeph_memory_sqlite::SqliteStore;
use zeph_orchestration::executor::closure;
use zeph_orchestration::runtime::RunView;
use zeph_orchestration::{
    Engine, Limits, Policy, Registry, RunEnd, RunState, Submission, Task, TaskGraph, TaskId,
    TaskOutput,
};

const TASKS: usize = 63_000;
/// Opening a connection takes more than 64 KiB when SQLx is not optimised; the graph takes none.
const SMALL_STACK: usize = 128 * 1024;
const WIDE: u32 = 512;

/// Layers of 500, each task needing four of the layer before: close to 250,000 edges.
fn net() -> TaskGraph {
    let mut graph = TaskGraph::new();
    let mut ids: Vec<TaskId> = Vec::with_capacity(TASKS);
    for i in 0..TASKS {
        let layer = i / 500 * 500;
        let parent = |k: usize| ids[layer - 500 + (i * 31 + k * 113) % 500];
        let parents: Vec<TaskId> = if layer == 0 {
            Vec::new()
        } else {
            (0..4).map(parent).collect()
        };
        ids.push(graph.add_task(Task::new(format!("t{i}")).action("nothing"), parents));
    }
    assert!(
        graph.edge_count() >= 240_000,
        "{} edges",
        graph.edge_count()
    );
    graph
}

fn registry() -> Registry {
    let mut registry = Registry::new();
    let nothing = closure::from_fn(|_, _| async { Ok(TaskOutput::null()) });
    registry
        .register("nothing", nothing)
        .expect("the first of its name");
    registry
}

#[test]
fn a_large_graph_runs_rests_and_recovers_on_a_small_stack() {
    let body = || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        runtime.block_on(Box::pin(run_and_recover()));
    };
    std::thread::Builder::new()
        .stack_size(SMALL_STACK)
        .spawn(body)
        .expect("a thread")
        .join()
        .expect("the small stack suffices");
}

async fn run_and_recover() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("runs.db");
    // The import of untrusted graphs accepts it too.
    let graph = TaskGraph::try_from(GraphSpec::from(&net())).expect("is valid");

    let store = Arc::new(SqliteStore::open(&path).await.expect("opens"));
    let limits = Limits {
        max_parallel: WIDE,
        ..Limits::default()
    };
    let builder = || {
        Engine::builder(store.clone())
            .registry(registry())
            .limits(limits)
    };
    let policy = Policy {
        max_parallel: NonZeroU32::MAX,
        ..Policy::default()
    };
    let engine = builder().start().await.expect("starts");
    let run = engine
        .submit(Submission::new(graph).policy(policy))
        .await
        .expect("is saved");
    run.until(|snapshot| snapshot.counts.completed > 1_000)
        .await;
    run.suspend().await.expect("is saved");
    let report = run.wait().await.expect("rests");
    assert_eq!(report.state, RunState::Suspended);
    let kept = report.counts.completed;

    let engine = builder().start().await.expect("starts");
    let again = engine.resume(run.id()).await.expect("goes on");
    assert!(
        again.snapshot().counts.completed >= kept,
        "what was completed is kept"
    );
    let report = again.wait().await.expect("ends");
    assert_eq!(report.end(), Some(RunEnd::Completed));
    assert!(
        report.tasks.iter().all(|task| task.attempts == 1),
        "nothing ran twice"
    );

    let view = RunView::load(&*store, run.id()).await.expect("is whole");
    assert_eq!(view.scheduler.counts().completed as usize, TASKS);
}
