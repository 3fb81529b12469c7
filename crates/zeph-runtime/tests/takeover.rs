//! Adoption of a run: the former owner loses only this run, and nothing that it wrote is lost.

use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use zeph_executor::Registry;
use zeph_executor::double::{Gate, ScriptedExecutor, Step};
use zeph_graph::{Record, RunEnd, RunState, Task, TaskGraph, Timestamp, wire};
use zeph_memory::{Commit, FaultyStore, Fence, MemoryStore, Op, RawGraphStore, Row, RunStatus};
use zeph_runtime::{Engine, RuntimeError, Submission};

async fn engine(store: impl RawGraphStore + 'static, script: &Arc<ScriptedExecutor>) -> Engine {
    let mut registry = Registry::new();
    registry
        .register("do", Arc::clone(script) as _)
        .expect("the first of its name");
    Engine::builder(Arc::new(store))
        .registry(registry)
        .start()
        .await
        .expect("starts")
}

fn graph_of(name: &str) -> TaskGraph {
    let mut graph = TaskGraph::new();
    graph.add_task(Task::new(name).action("do"), []);
    graph
}

#[tokio::test]
async fn a_run_that_is_taken_over_is_lost_alone() {
    let store = MemoryStore::new();
    let gate = Gate::new();
    let script = Arc::new(
        ScriptedExecutor::new()
            .on("taken", [Step::hang(), Step::ok(1)])
            .on("kept", [Step::ok(2).after(&gate)])
            .allow_reruns()
            .allow_overlaps(),
    );
    let first = engine(store.clone(), &script).await;
    let taken = first.submit(Submission::new(graph_of("taken"))).await;
    let taken = taken.expect("is saved");
    let kept = first.submit(Submission::new(graph_of("kept"))).await;
    let kept = kept.expect("is saved");
    script.started("taken").await;
    script.started("kept").await;

    let second = engine(store, &script).await;
    let again = second.resume(taken.id()).await.expect("is taken over");
    let again = again.wait().await.expect("ends");
    assert_eq!(again.end(), Some(RunEnd::Completed));
    taken.cancel().await.expect_err("it is not ours any more");
    let lost = taken.wait().await.expect("has a report");
    let error = lost.error.as_deref().expect("has a reason");
    assert!(error.contains("was taken over"), "{error}");
    assert!(error.contains(taken.id().as_str()), "{error}");

    gate.open();
    let kept = kept.wait().await.expect("ends");
    assert_eq!(kept.end(), Some(RunEnd::Completed));
}

/// The reply of a store in memory, which is immediate.
fn at_once<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("a store in memory does not wait"),
    }
}

/// A store with a suspended run, whose owner writes once more just before it is adopted.
async fn last_word(status: RunStatus, records: &'static [Record]) -> impl RawGraphStore {
    let memory = MemoryStore::new();
    let script = Arc::new(ScriptedExecutor::new().on("slow", [Step::hang()]));
    let owner = engine(memory.clone(), &script).await;
    let run = "k7m2xq9d".parse().expect("a name");
    let submission = Submission::new(graph_of("slow")).name(run);
    let run = owner.submit(submission).await.expect("is saved");
    script.started("slow").await;
    run.suspend().await.expect("is saved");
    run.wait().await.expect("rests");
    let (below, id) = (memory.clone(), run.id().clone());
    FaultyStore::new(memory).with_script(move |op| {
        if op == Op::Adopt {
            let mut stored = at_once(below.load(&id)).expect("is whole");
            let at = stored.updated_at;
            let rows = records
                .iter()
                .map(|record| Row::new(at, wire::encode(record)));
            let append = stored.chain.seal(rows.collect(), status.clone());
            let fence = Fence {
                epoch: at_once(below.get(&id)).expect("is there").epoch,
            };
            at_once(below.commit(&Commit::one(append), fence)).expect("still owns it");
        }
        None
    })
}

#[tokio::test(start_paused = true)]
async fn the_last_commit_of_a_former_owner_counts() {
    let store = last_word(RunStatus::open("suspended"), &[Record::Paused]).await;
    let script = Arc::new(ScriptedExecutor::new().on("slow", [Step::ok(1)]));
    let second = engine(store, &script).await;
    let run = "k7m2xq9d".parse().expect("a name");
    let run = second.resume(&run).await.expect("goes on");
    assert_eq!(run.snapshot().state, RunState::Paused);
    run.unpause().await.expect("is saved");
    let report = run.wait().await.expect("ends");
    assert_eq!(report.end(), Some(RunEnd::Completed));
}

#[tokio::test(start_paused = true)]
async fn a_run_that_its_former_owner_just_ended_is_not_resumed() {
    let store = last_word(RunStatus::ended("canceled"), &[]).await;
    let second = engine(store, &Arc::new(ScriptedExecutor::new())).await;
    let run = "k7m2xq9d".parse().expect("a name");
    let error = second.resume(&run).await.expect_err("is over");
    assert!(
        matches!(error, RuntimeError::AlreadyEnded { .. }),
        "{error}"
    );
}

#[tokio::test(start_paused = true)]
async fn of_two_that_resume_a_run_at_once_one_takes_it() {
    let memory = MemoryStore::new();
    let script = Arc::new(
        ScriptedExecutor::new()
            .on("slow", [Step::hang()])
            .allow_reruns(),
    );
    let first = engine(memory.clone(), &script).await;
    let run = first.submit(Submission::new(graph_of("slow"))).await;
    let run = run.expect("is saved");
    script.started("slow").await;
    // The first has ended for all that the others can see, and another adopts the run between their
    // look at its owner and their own adoption.
    let (below, id) = (memory.clone(), run.id().clone());
    let other = memory.claim("another", Timestamp::ZERO).await;
    let other = other.expect("claims");
    let store = FaultyStore::new(memory.clone()).with_script(move |op| {
        if op == Op::Adopt {
            let former = at_once(below.get(&id)).expect("is there").epoch;
            at_once(below.adopt(&id, former, other)).expect("is adopted");
        }
        None
    });
    let late = engine(store, &script).await;
    let error = late.resume(run.id()).await.expect_err("another has it");
    assert!(
        matches!(error, RuntimeError::OwnedElsewhere { .. }),
        "{error}"
    );
    let row = memory.get(run.id()).await.expect("is there");
    assert_eq!(row.epoch, other.epoch);
}
