//! Engines of several hosts on one database of Postgres: each has a store of its own, and no folder with the others.

#![allow(clippy::unwrap_used)]

#[path = "../../../crates/zeph-memory-postgres/tests/postgres/server.rs"]
mod server;

use std::sync::Arc;
use std::time::Duration;

use zeph_executor::Registry;
use zeph_executor::double::{Gate, ScriptedExecutor, Step};
use zeph_graph::{Question, RunEnd, RunState, Task, TaskGraph, Timestamp};
use zeph_memory::{Lease, RawGraphStore, verify};
use zeph_memory_postgres::{Address, PostgresOptions, PostgresStore};
use zeph_runtime::{
    Delivery, Engine, Request, RuntimeError, Submission, ask, cancel_run, owner_of,
};

/// Longer than any test.
const LONG: Duration = Duration::from_secs(600);
const NOW: Timestamp = Timestamp::from_micros(1_700_000_000_000_000);

async fn open(address: &Address) -> PostgresStore {
    let options = PostgresOptions::default().lease(LONG);
    PostgresStore::open_with(address, options).await.unwrap()
}

async fn engine(store: &PostgresStore, script: &Arc<ScriptedExecutor>) -> Engine {
    let mut registry = Registry::new();
    registry.register("do", Arc::clone(script) as _).unwrap();
    let engine = Engine::builder(Arc::new(store.clone())).registry(registry);
    engine.start().await.unwrap()
}

fn graph_of(name: &str) -> TaskGraph {
    let mut graph = TaskGraph::new();
    graph.add_task(Task::new(name).action("do"), []);
    graph
}

/// Lets the leases of all owners lapse, as if none of them had renewed it in time.
async fn lapse(server: &server::Server, address: &Address) {
    let mut connection = server.raw(address).await;
    let sql = "UPDATE claims SET lapses_at = clock_timestamp() - interval '1 ms'";
    sqlx::query(sql).execute(&mut connection).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_stays_with_its_host_until_the_lease_has_lapsed_and_a_paused_host_writes_nothing_then()
 {
    let Some(server) = server::shared() else {
        return;
    };
    let address = server.database().await;
    let gate = Gate::new();
    let script = ScriptedExecutor::new().on("work", [Step::ok(1).after(&gate), Step::ok(2)]);
    let script = Arc::new(script.allow_reruns().allow_overlaps());
    let (one, two) = (open(&address).await, open(&address).await);
    let first = engine(&one, &script).await;
    let paused = first
        .submit(Submission::new(graph_of("work")))
        .await
        .unwrap();
    script.started("work").await;

    let second = engine(&two, &script).await;
    let error = second.resume(paused.id()).await.unwrap_err();
    let RuntimeError::OwnedElsewhere { owner, .. } = &error else {
        panic!("{error}");
    };
    let pid = format!("pid {}", std::process::id());
    assert!(
        owner.starts_with(&pid) && owner.contains("lease of "),
        "{owner}"
    );

    lapse(server, &address).await;
    let again = second.resume(paused.id()).await.unwrap();
    let end = again.wait().await.unwrap();
    assert_eq!(end.end(), Some(RunEnd::Completed));
    let before = two.load(paused.id()).await.unwrap();
    // The first host comes back with its own result.
    gate.open();
    let lost = paused.wait().await.unwrap();
    let error = lost.error.as_deref().unwrap();
    assert!(error.contains("was taken over"), "{error}");
    assert_eq!(two.load(paused.id()).await.unwrap(), before);
    verify(&two, paused.id()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_of_another_host_reach_the_owner_through_the_inbox() {
    let Some(server) = server::shared() else {
        return;
    };
    let address = server.database().await;
    let script = Arc::new(ScriptedExecutor::new().on("slow", [Step::hang()]));
    let (one, two) = (open(&address).await, open(&address).await);
    let owner = engine(&one, &script).await;
    let mut graph = TaskGraph::new();
    let asked = graph.add_task(Task::new("ask").question(Question::confirm("Go?")), []);
    graph.add_task(Task::new("slow").action("do"), [asked]);
    let run = owner.submit(Submission::new(graph)).await.unwrap();

    let send = async |request: Request| ask(&two, None, run.id(), &request, NOW).await;
    assert_eq!(send(Request::Pause).await.unwrap(), Delivery::Accepted);
    assert_eq!(run.snapshot().state, RunState::Paused);
    assert_eq!(send(Request::Pause).await.unwrap(), Delivery::Stale);
    assert_eq!(send(Request::Unpause).await.unwrap(), Delivery::Accepted);
    let (question, text) = (1, "yes".to_owned());
    let answer = send(Request::Answer { question, text }).await;
    assert_eq!(answer.unwrap(), Delivery::Accepted);
    script.started("slow").await;
    let store: Arc<dyn RawGraphStore> = Arc::new(two.clone());
    let canceled = cancel_run(store, None, run.id(), NOW).await.unwrap();
    assert_eq!(canceled, Delivery::Accepted);
    let end = run.wait().await.unwrap();
    assert_eq!(end.end(), Some(RunEnd::Canceled));
    assert_eq!(two.inbox(run.id()).await.unwrap(), []);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_engine_that_has_ended_leaves_its_runs_to_others_at_once() {
    let Some(server) = server::shared() else {
        return;
    };
    let address = server.database().await;
    let script = ScriptedExecutor::new().on("work", [Step::hang(), Step::ok(1)]);
    let script = Arc::new(script.allow_reruns());
    let (one, two) = (open(&address).await, open(&address).await);
    let first = engine(&one, &script).await;
    let run = first
        .submit(Submission::new(graph_of("work")))
        .await
        .unwrap();
    let (id, epoch) = (run.id().clone(), two.get(run.id()).await.unwrap().epoch);
    script.started("work").await;
    let owner = owner_of(&two, None, &id, epoch).await.unwrap();
    assert!(owner.is_some_and(|owner| owner.contains("pid ")));
    let suspended = ask(&two, None, &id, &Request::Suspend, NOW).await.unwrap();
    assert_eq!(suspended, Delivery::Accepted);
    run.wait().await.unwrap();
    drop((run, first));
    let released = async {
        while two.lease(epoch).await.unwrap() != Lease::Lapsed {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), released)
        .await
        .unwrap();
    assert_eq!(owner_of(&two, None, &id, epoch).await.unwrap(), None);
    let stale = ask(&two, None, &id, &Request::Suspend, NOW).await.unwrap();
    assert_eq!(stale, Delivery::Stale);

    // What is posted now waits for the next owner.
    let posted = ask(&two, None, &id, &Request::Pause, NOW).await.unwrap();
    assert!(matches!(posted, Delivery::Posted(_)), "{posted:?}");
    let second = engine(&two, &script).await;
    let again = second.resume(&id).await.unwrap();
    assert_eq!(again.snapshot().state, RunState::Paused);
    again.unpause().await.unwrap();
    let end = again.wait().await.unwrap();
    assert_eq!(end.end(), Some(RunEnd::Completed));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_is_posted_while_the_owner_cannot_listen_is_applied_when_it_can() {
    let Some(server) = server::OwnServer::start() else {
        return;
    };
    let address = server.database().await;
    let script = Arc::new(ScriptedExecutor::new().on("slow", [Step::hang()]));
    let (one, two) = (open(&address).await, open(&address).await);
    let owner = engine(&one, &script).await;
    let run = owner
        .submit(Submission::new(graph_of("slow")))
        .await
        .unwrap();
    script.started("slow").await;
    server.crash();
    server.start();
    let cancel = Request::Cancel {
        task: None,
        downstream: false,
    };
    // The owner may not listen yet; the caller waits, and the owner reads its inbox as soon as it does.
    let canceled = ask(&two, None, run.id(), &cancel, NOW).await.unwrap();
    assert_eq!(canceled, Delivery::Accepted);
    let end = run.wait().await.unwrap();
    assert_eq!(end.end(), Some(RunEnd::Canceled));
}
