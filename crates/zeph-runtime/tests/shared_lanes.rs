//! Shared lanes: their limit counts the attempts of all runs, in one engine and in several.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use tokio::sync::Semaphore;
use zeph_executor::closure::from_fn;
use zeph_executor::{Registry, TaskOutput};
use zeph_graph::{RunEnd, RunState, Task, TaskGraph};
use zeph_memory::{FaultyStore, MemoryStore, Op, RawGraphStore, StoreFault};
use zeph_runtime::{Engine, Owners, RunHandle, Submission};

/// Attempts that wait for a permit each, and count how many of them are there at once.
#[derive(Clone, Debug)]
struct Body {
    permits: Arc<Semaphore>,
    started: Arc<Semaphore>,
    at_once: Arc<AtomicU32>,
    most: Arc<AtomicU32>,
}

impl Body {
    fn new() -> Self {
        Self {
            permits: Arc::new(Semaphore::new(0)),
            started: Arc::new(Semaphore::new(0)),
            at_once: Arc::default(),
            most: Arc::default(),
        }
    }

    fn registry(&self) -> Registry {
        let body = self.clone();
        let executor = from_fn(move |_, _| {
            let body = body.clone();
            async move {
                let now = body.at_once.fetch_add(1, Ordering::SeqCst) + 1;
                body.most.fetch_max(now, Ordering::SeqCst);
                body.started.add_permits(1);
                body.permits.acquire().await.expect("is open").forget();
                body.at_once.fetch_sub(1, Ordering::SeqCst);
                Ok(TaskOutput::null())
            }
        });
        let mut registry = Registry::new();
        registry.register("do", executor).expect("is new");
        registry
    }

    /// Waits until that many more attempts have started.
    async fn started(&self, attempts: u32) {
        let started = self.started.acquire_many(attempts).await;
        started.expect("is open").forget();
    }
}

/// A run with three tasks in a shared lane.
fn work(name: &str, slots: u32) -> Submission {
    let mut graph = TaskGraph::new();
    let lane = graph.add_shared_lane("gpu", slots);
    for task in ["a", "b", "c"] {
        let task = Task::new(task).action("do").lane(lane);
        graph.add_task(task.timeout(Duration::from_secs(30)), []);
    }
    Submission::new(graph).name(name.parse().expect("a good name"))
}

async fn engine(
    store: Arc<dyn RawGraphStore>,
    body: &Body,
    folder: Option<&tempfile::TempDir>,
) -> Engine {
    let mut builder = Engine::builder(store).registry(body.registry());
    if let Some(folder) = folder {
        builder = builder.owners(Owners::beside(&folder.path().join("runs.db")));
    }
    builder.start().await.expect("starts")
}

async fn engines(body: &Body, folder: Option<&tempfile::TempDir>) -> [Engine; 2] {
    let store: Arc<dyn RawGraphStore> = Arc::new(MemoryStore::new());
    let first = engine(Arc::clone(&store), body, folder).await;
    let second = match folder {
        Some(_) => engine(store, body, folder).await,
        None => first.clone(),
    };
    [first, second]
}

async fn submit(engine: &Engine, submission: Submission) -> RunHandle {
    engine.submit(submission).await.expect("is saved")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_limit_of_a_shared_lane_counts_all_runs() {
    let folder = tempfile::tempdir().expect("a folder");
    for folder in [Some(&folder), None] {
        let body = Body::new();
        let [first, second] = engines(&body, folder).await;
        let mut runs = Vec::new();
        for (at, engine) in [&first, &second, &first, &second].into_iter().enumerate() {
            runs.push(submit(engine, work(&format!("r{at}"), 2)).await);
        }
        body.started(2).await;
        if let Some(folder) = folder {
            let owners = Owners::beside(&folder.path().join("runs.db"));
            assert_eq!(owners.lane_holders("gpu", 2).len(), 2);
            assert_eq!(owners.lane_holders("other", 2).len(), 0);
        }
        // Each end lets one more start, so all twelve have a turn and no slot stays empty.
        for _ in 0..10 {
            body.permits.add_permits(1);
            body.started(1).await;
        }
        body.permits.add_permits(2);
        for run in &runs {
            let report = run.wait().await.expect("ends");
            assert_eq!(report.end(), Some(RunEnd::Completed));
        }
        assert_eq!(body.most.load(Ordering::SeqCst), 2);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_that_waits_for_a_slot_is_suspended_canceled_and_resumed_at_once() {
    let folder = tempfile::tempdir().expect("a folder");
    let body = Body::new();
    let [first, second] = engines(&body, Some(&folder)).await;
    let holder = submit(&first, work("holder", 1)).await;
    body.started(1).await;
    let waiting = submit(&second, work("waiting", 1)).await;
    assert_eq!(waiting.snapshot().counts.in_flight(), 0);
    waiting.suspend().await.expect("is saved");
    let report = waiting.wait().await.expect("rests");
    assert_eq!(report.state, RunState::Suspended);
    let waiting = second.resume(waiting.id()).await.expect("goes on");
    let canceled = submit(&second, work("canceled", 1)).await;
    canceled.cancel().await.expect("is saved");
    let report = canceled.wait().await.expect("ends");
    assert_eq!(report.end(), Some(RunEnd::Canceled));
    body.permits.add_permits(6);
    for run in [&holder, &waiting] {
        let report = run.wait().await.expect("ends");
        assert_eq!(report.end(), Some(RunEnd::Completed));
    }
    assert_eq!(body.most.load(Ordering::SeqCst), 1);
    let owners = Owners::beside(&folder.path().join("runs.db"));
    assert_eq!(owners.lane_holders("gpu", 1).len(), 0, "all are given back");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_with_much_to_do_lets_another_one_have_its_turn() {
    let folder = tempfile::tempdir().expect("a folder");
    let body = Body::new();
    let [first, second] = engines(&body, Some(&folder)).await;
    let mut busy = Vec::new();
    for at in 0..4 {
        busy.push(submit(&first, work(&format!("busy{at}"), 1)).await);
    }
    body.started(1).await;
    let other = submit(&second, work("other", 1)).await;
    let mut ends = 0;
    while other.snapshot().counts.completed == 0 {
        body.permits.add_permits(1);
        body.started(1).await;
        ends += 1;
        assert!(ends < 12, "the other process had no turn");
    }
    body.permits.add_permits(20);
    for run in busy.iter().chain([&other]) {
        let report = run.wait().await.expect("ends");
        assert_eq!(report.end(), Some(RunEnd::Completed));
    }
    assert_eq!(body.most.load(Ordering::SeqCst), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_run_counts_with_its_own_limit() {
    let folder = tempfile::tempdir().expect("a folder");
    for folder in [None, Some(&folder)] {
        let body = Body::new();
        let [first, second] = engines(&body, folder).await;
        let one = submit(&first, work("one", 1)).await;
        body.started(1).await;
        // It has the turn, and waits for the only slot that it may use.
        let other = submit(&first, work("other", 1)).await;
        let two = submit(&second, work("two", 2)).await;
        body.started(1).await;
        assert_eq!(two.snapshot().counts.in_flight(), 1);
        body.permits.add_permits(9);
        for run in [&one, &other, &two] {
            let report = run.wait().await.expect("ends");
            assert_eq!(report.end(), Some(RunEnd::Completed));
        }
        assert_eq!(body.most.load(Ordering::SeqCst), 2);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_attempt_of_a_run_that_was_cut_off_keeps_its_slot_until_it_has_ended() {
    let folder = tempfile::tempdir().expect("a folder");
    let body = Body::new();
    let store = Arc::new(FaultyStore::new(MemoryStore::new()));
    let engine = engine(store.clone(), &body, Some(&folder)).await;
    let run = submit(&engine, work("cut-off", 1)).await;
    body.started(1).await;
    store.fail_next(Op::Commit, StoreFault::Before);
    run.pause().await.expect_err("is not saved");
    let report = run.wait().await.expect("is cut off");
    assert!(report.error.is_some(), "{report:?}");
    // The engine has unloaded the run, and its attempt has the grace to end.
    run.pause().await.expect_err("is gone");
    let owners = Owners::beside(&folder.path().join("runs.db"));
    assert_eq!(owners.lane_holders("gpu", 1), ["cut-off"]);
    body.permits.add_permits(1);
    while !owners.lane_holders("gpu", 1).is_empty() {
        tokio::task::yield_now().await;
    }
}
