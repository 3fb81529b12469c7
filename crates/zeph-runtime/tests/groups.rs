//! Groups: of the runs of a group one works at a time, in one engine and in several.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use tokio::sync::Semaphore;
use zeph_executor::closure::from_fn;
use zeph_executor::{Registry, TaskOutput};
use zeph_graph::{Group, OnConflict, RunEnd, RunState, Task, TaskGraph};
use zeph_memory::{MemoryStore, RawGraphStore};
use zeph_runtime::{Engine, Owners, RunEvent, RunHandle, RuntimeError, Submission, cancel_run};

/// Attempts that wait for a permit each, and note how many of them were there at once.
#[derive(Clone)]
struct Body {
    permits: Arc<Semaphore>,
    at_once: Arc<AtomicU32>,
    most: Arc<AtomicU32>,
    order: Arc<Mutex<Vec<String>>>,
}

impl Body {
    fn new() -> Self {
        Self {
            permits: Arc::new(Semaphore::new(0)),
            at_once: Arc::default(),
            most: Arc::default(),
            order: Arc::default(),
        }
    }

    fn registry(&self) -> Registry {
        let body = self.clone();
        let executor = from_fn(move |cx, _| {
            let (body, run) = (body.clone(), cx.run().to_string());
            async move {
                let now = body.at_once.fetch_add(1, Ordering::SeqCst) + 1;
                body.most.fetch_max(now, Ordering::SeqCst);
                body.order.lock().expect("no panic").push(run);
                body.permits.acquire().await.expect("is open").forget();
                body.at_once.fetch_sub(1, Ordering::SeqCst);
                Ok(TaskOutput::null())
            }
        });
        let mut registry = Registry::new();
        registry.register("do", executor).expect("is new");
        registry
    }
}

fn work(on_conflict: OnConflict, name: &str) -> Submission {
    let mut graph = TaskGraph::new();
    graph.add_task(Task::new("work").action("do"), []);
    graph.add_task(Task::new("clean").action("do").finally(), []);
    let group = Group::new("nightly", on_conflict).expect("a good name");
    Submission::new(graph)
        .group(&group)
        .name(name.parse().expect("a good name"))
}

/// Two engines with their own locks, or one engine twice that shares its locks with no other.
async fn engines(body: &Body, folder: Option<&tempfile::TempDir>) -> [Engine; 2] {
    let store: Arc<dyn RawGraphStore> = Arc::new(MemoryStore::new());
    let start = async |store: &Arc<dyn RawGraphStore>| {
        let mut builder = Engine::builder(Arc::clone(store)).registry(body.registry());
        if let Some(folder) = folder {
            builder = builder.owners(Owners::beside(&folder.path().join("runs.db")));
        }
        builder.start().await.expect("starts")
    };
    let first = start(&store).await;
    let second = match folder {
        Some(_) => start(&store).await,
        None => first.clone(),
    };
    [first, second]
}

async fn waits_for(run: &RunHandle) -> Option<String> {
    let mut events = run.events().expect("is active");
    loop {
        if let RunEvent::Waits { group, holder } = events.next().await? {
            assert_eq!(&*group, "nightly");
            return holder.map(|holder| holder.to_string());
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_runs_of_a_group_work_one_after_the_other() {
    let folder = tempfile::tempdir().expect("a folder");
    for folder in [None, Some(&folder)] {
        let body = Body::new();
        let [one, two] = engines(&body, folder).await;
        let submit = async |engine: &Engine, name| {
            let run = engine.submit(work(OnConflict::Queue, name)).await;
            run.expect("is saved")
        };
        let first = submit(&one, "n-1").await;
        let second = submit(&two, "n-2").await;
        assert_eq!(waits_for(&second).await.as_deref(), Some("n-1"));
        let third = submit(&one, "n-3").await;
        assert_eq!(second.snapshot().state, RunState::Suspended);
        body.permits.add_permits(6);
        for run in [&first, &second, &third] {
            let report = run.wait().await.expect("ends");
            assert_eq!(report.end(), Some(RunEnd::Completed));
        }
        assert_eq!(body.most.load(Ordering::SeqCst), 1, "one at a time");
        let order = body.order.lock().expect("no panic").clone();
        assert_eq!(order.len(), 6, "{order:?}");
        assert_eq!(&order[..2], ["n-1", "n-1"], "{order:?}");
        assert_eq!((&order[2], &order[4]), (&order[3], &order[5]), "{order:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_that_is_not_to_wait_is_refused_by_the_name_of_the_other() {
    let folder = tempfile::tempdir().expect("a folder");
    for folder in [None, Some(&folder)] {
        let body = Body::new();
        let [one, two] = engines(&body, folder).await;
        let first = one.submit(work(OnConflict::Queue, "n-1")).await;
        let first = first.expect("is saved");
        let refused = two.submit(work(OnConflict::Refuse, "n-2")).await;
        let error = refused.expect_err("the group is held");
        assert!(matches!(error, RuntimeError::GroupBusy { .. }), "{error}");
        assert_eq!(error.to_string(), "run n-1 of group nightly is at work");
        let name = "n-2".parse().expect("a good name");
        assert!(two.store().get(&name).await.is_err(), "it is not stored");
        // A suspended run lets its group go.
        first.suspend().await.expect("is active");
        body.permits.add_permits(9);
        first.wait().await.expect("is suspended");
        let second = two.submit(work(OnConflict::Refuse, "n-2")).await;
        let second = second.expect("the group is free").wait().await;
        assert_eq!(second.expect("ends").end(), Some(RunEnd::Completed));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_ends_the_other_one_and_takes_its_turn() {
    let folder = tempfile::tempdir().expect("a folder");
    for folder in [None, Some(&folder)] {
        let body = Body::new();
        let [one, two] = engines(&body, folder).await;
        let first = one.submit(work(OnConflict::Queue, "n-1")).await;
        let first = first.expect("is saved");
        first.until(|it| it.counts.running == 1).await;
        let second = two.submit(work(OnConflict::CancelRunning, "n-2")).await;
        let second = second.expect("is saved");
        // Enough for both, their finalizers and the attempt that is stopped.
        body.permits.add_permits(9);
        let ended = first.wait().await.expect("ends");
        assert_eq!(ended.end(), Some(RunEnd::Canceled));
        let ended = second.wait().await.expect("ends");
        assert_eq!(ended.end(), Some(RunEnd::Completed));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_that_waits_can_be_suspended_resumed_and_canceled() {
    let folder = tempfile::tempdir().expect("a folder");
    for folder in [None, Some(&folder)] {
        let body = Body::new();
        let [one, two] = engines(&body, folder).await;
        let first = one.submit(work(OnConflict::Queue, "n-1")).await;
        let first = first.expect("is saved");
        let second = two.submit(work(OnConflict::Queue, "n-2")).await;
        let second = second.expect("is saved");
        second.suspend().await.expect("is active");
        let rests = second.wait().await.expect("is suspended");
        assert_eq!(rests.state, RunState::Suspended);
        let again = two.resume(second.id()).await.expect("waits again");
        assert_eq!(waits_for(&again).await.as_deref(), Some("n-1"));
        again.cancel().await.expect("is active");
        let ended = again.wait().await.expect("ends");
        assert_eq!(ended.end(), Some(RunEnd::Canceled));
        assert_eq!(ended.counts.canceled, 2, "its finalizer, too");
        body.permits.add_permits(2);
        first.wait().await.expect("ends");
        let order = body.order.lock().expect("no panic").clone();
        assert_eq!(order, ["n-1", "n-1"], "the second one never worked");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_resting_run_is_canceled_while_another_one_of_its_group_works() {
    let folder = tempfile::tempdir().expect("a folder");
    let body = Body::new();
    let [one, two] = engines(&body, Some(&folder)).await;
    let rests = two.submit(work(OnConflict::Refuse, "n-1")).await;
    let rests = rests.expect("is saved");
    rests.until(|it| it.counts.running == 1).await;
    rests.suspend().await.expect("is active");
    body.permits.add_permits(1);
    rests.wait().await.expect("is suspended");
    let works = one.submit(work(OnConflict::Queue, "n-2")).await;
    let works = works.expect("is saved");
    let owners = Owners::beside(&folder.path().join("runs.db"));
    let now = zeph_graph::Timestamp::from_micros(1);
    let store = Arc::clone(two.store());
    cancel_run(store, Some(owners), rests.id(), now)
        .await
        .expect("ends it");
    let row = two.store().get(rests.id()).await.expect("is there");
    // Its work was done, and its finalizer did not run.
    assert_eq!(row.status.state, "degraded");
    body.permits.add_permits(2);
    works.wait().await.expect("ends");
}
