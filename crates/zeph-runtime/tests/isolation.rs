//! A failure of one run does not affect another, and nothing is reported before it is saved.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value;
use zeph_executor::double::Gate;
use zeph_executor::{LogStream, Registry, TaskContext, TaskError, TaskInput, TaskOutput, closure};
use zeph_graph::{
    OnFailure, Params, Policy, Question, RunEnd, RunId, RunState, Task, TaskGraph, Timestamp,
};
use zeph_memory::{FaultyStore, MemoryStore, Op, RawGraphStore, StoreFault};
use zeph_runtime::{Delivery, Engine, Owners, Request, RunEvent, RuntimeError, Submission, ask};

fn registry<F, Fut>(body: F) -> Registry
where
    F: Fn(TaskContext, TaskInput) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<TaskOutput, TaskError>> + Send + 'static,
{
    let mut registry = Registry::new();
    registry
        .register("do", closure::from_fn(body))
        .expect("the first of its name");
    registry
}

fn waiting_for(gate: &Gate) -> Registry {
    let gate = gate.clone();
    registry(move |_, _| {
        let gate = gate.clone();
        async move {
            gate.opened().await;
            Ok(TaskOutput::from(1))
        }
    })
}

fn one(name: &str) -> TaskGraph {
    let mut graph = TaskGraph::new();
    graph.add_task(Task::new(name).action("do"), []);
    graph
}

fn id(name: &str) -> RunId {
    name.parse().expect("is a name")
}

#[tokio::test]
async fn submits_that_come_while_a_commit_is_in_flight_all_come_in() {
    let store = Arc::new(FaultyStore::new(MemoryStore::new()));
    let gate = Gate::new();
    gate.open();
    let builder = Engine::builder(store.clone()).registry(waiting_for(&gate));
    let engine = builder.start().await.expect("starts");
    let held = store.hold_commits().await;
    let submits: Vec<_> = (0..5)
        .map(|i| {
            let engine = engine.clone();
            let submission = Submission::new(one(&format!("t{i}")));
            tokio::spawn(async move { engine.submit(submission).await })
        })
        .collect();
    tokio::task::yield_now().await;
    drop(held);
    for submit in submits {
        let run = submit.await.expect("does not panic").expect("is saved");
        assert_eq!(
            run.wait().await.expect("ends").end(),
            Some(RunEnd::Completed)
        );
    }
}

#[tokio::test]
async fn a_store_that_fails_in_a_divided_commit_reports_the_saved_runs_as_saved() {
    let memory = MemoryStore::new();
    let store = Arc::new(FaultyStore::new(memory.clone()));
    let engine = Engine::builder(store.clone()).start().await;
    let engine = engine.expect("starts");
    let submit = |name: &str| {
        let mut graph = TaskGraph::new();
        graph.add_task(Task::new("q").question(Question::text("?")), []);
        let submission = Submission::new(graph).name(id(name));
        let engine = engine.clone();
        tokio::spawn(async move { engine.submit(submission).await })
    };
    let held = store.hold_commits().await;
    let first = submit("first");
    while store.calls(Op::Commit) == 0 {
        tokio::task::yield_now().await;
    }
    let (saved, lost) = (submit("saved"), submit("lost"));
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    // The group of both, the one, the other.
    store.fail(Op::Commit, 2, StoreFault::TooLarge);
    store.fail(Op::Commit, 4, StoreFault::Before);
    drop(held);
    first.await.expect("does not panic").expect("is saved");
    let saved = saved.await.expect("does not panic").expect("is saved");
    assert!(memory.get(saved.id()).await.is_ok());
    let lost = lost.await.expect("does not panic").expect_err("is lost");
    assert!(matches!(lost, RuntimeError::Closed { .. }), "{lost}");
    assert!(memory.get(&id("lost")).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn a_dependant_sees_the_result_that_the_journal_has() {
    let seen = Arc::new(Mutex::new(Value::Null));
    let note = Arc::clone(&seen);
    let body = move |cx: TaskContext, input: TaskInput| {
        let note = Arc::clone(&note);
        async move {
            if cx.name() == "slow" {
                cx.cancelled().await;
                return Ok(TaskOutput::from("what the journal rejects"));
            }
            let output = input.parents["slow"].output.as_ref().expect("has a result");
            *note.lock().expect("is whole") = output.value.clone();
            Ok(TaskOutput::null())
        }
    };
    let builder = Engine::builder(Arc::new(MemoryStore::new())).registry(registry(body));
    let engine = builder.start().await.expect("starts");
    let mut graph = TaskGraph::new();
    let slow = Task::new("slow")
        .action("do")
        .timeout(Duration::from_secs(1));
    let slow = slow.on_failure(OnFailure::Value(Params::from_json_text("42")));
    let slow = graph.add_task(slow, []);
    graph.add_task(Task::new("child").action("do"), [slow]);
    let run = engine
        .submit(Submission::new(graph))
        .await
        .expect("is saved");
    run.wait().await.expect("ends");
    assert_eq!(*seen.lock().expect("is whole"), 42);
}

#[tokio::test]
async fn an_end_that_is_not_saved_is_not_reported() {
    let memory = MemoryStore::new();
    let store = Arc::new(FaultyStore::new(memory.clone()));
    let gate = Gate::new();
    let builder = Engine::builder(store.clone()).registry(waiting_for(&gate));
    let engine = builder.start().await.expect("starts");
    let run = engine
        .submit(Submission::new(one("a")))
        .await
        .expect("is saved");
    run.until(|snapshot| snapshot.counts.running == 1).await;
    store.fail_next(Op::Commit, StoreFault::Before);
    gate.open();
    let report = run.wait().await.expect("has a report");
    assert!(report.error.is_some());
    assert_eq!(report.end(), None, "the store does not have it");
    assert_eq!(report.counts.completed, 0);
    assert!(memory.get(run.id()).await.expect("is there").status.open);
}

/// Lets the other tasks of this thread run until they wait. One yield is not enough: the runtime may return
/// from it before all of them had their turn.
async fn until_all_wait() {
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn an_answer_that_arrives_during_a_commit_is_saved_too() {
    let memory = MemoryStore::new();
    let store = Arc::new(FaultyStore::new(memory.clone()));
    let engine = Engine::builder(store.clone())
        .start()
        .await
        .expect("starts");
    let mut graph = TaskGraph::new();
    graph.add_task(Task::new("q").question(Question::text("?")), []);
    let run = engine
        .submit(Submission::new(graph))
        .await
        .expect("is saved");
    run.until(|snapshot| snapshot.state == RunState::Waiting)
        .await;
    let held = store.hold_commits().await;
    let (suspending, answering) = (run.clone(), run.clone());
    let suspend = tokio::spawn(async move { suspending.suspend().await });
    until_all_wait().await;
    let answer = tokio::spawn(async move { answering.answer(1, "yes").await });
    until_all_wait().await;
    drop(held);
    suspend.await.expect("does not panic").expect("is saved");
    answer.await.expect("does not panic").expect("is saved");
    let report = run.wait().await.expect("is unloaded");
    assert_eq!(report.end(), Some(RunEnd::Completed));
    assert_eq!(
        memory.get(run.id()).await.expect("is there").status.state,
        "completed"
    );
}

#[tokio::test(start_paused = true)]
async fn an_answer_in_the_inbox_comes_before_a_default_that_is_overdue() {
    let store: Arc<dyn RawGraphStore> = Arc::new(MemoryStore::new());
    let engine = Engine::builder(Arc::clone(&store))
        .start()
        .await
        .expect("starts");
    let default = Params::from_json_text("\"default\"");
    let question = Question::text("?").default_after(Duration::from_secs(60), default);
    let mut graph = TaskGraph::new();
    graph.add_task(Task::new("q").question(question), []);
    let run = engine
        .submit(Submission::new(graph))
        .await
        .expect("is saved");
    run.suspend().await.expect("is saved");
    run.wait().await.expect("rests");
    for request in [
        Request::Answer {
            question: 1,
            text: "mine".into(),
        },
        Request::Suspend,
    ] {
        let delivery = ask(&*store, None, run.id(), &request, Timestamp::ZERO).await;
        assert!(matches!(delivery, Ok(Delivery::Posted(_))), "{delivery:?}");
    }
    tokio::time::advance(Duration::from_secs(3600)).await;
    let run = engine.resume(run.id()).await.expect("goes on");
    let report = run.wait().await.expect("ends");
    assert_eq!(
        report.end(),
        Some(RunEnd::Completed),
        "an old wish to suspend is over"
    );
    let output = run
        .output(&report, "q")
        .await
        .expect("is readable")
        .expect("is there");
    assert_eq!(output.value, "mine");
}

#[tokio::test]
async fn a_run_whose_handles_are_all_dropped_still_has_its_owner() {
    let folder = tempfile::tempdir().expect("a folder");
    let owners = Owners::beside(&folder.path().join("runs.db"));
    let store: Arc<dyn RawGraphStore> = Arc::new(MemoryStore::new());
    let start = |registry| {
        let builder = Engine::builder(Arc::clone(&store)).owners(owners.clone());
        builder.registry(registry).start()
    };
    let gate = Gate::new();
    let engine = start(waiting_for(&gate)).await.expect("starts");
    let run = engine
        .submit(Submission::new(one("a")).name(id("r")))
        .await
        .expect("is saved");
    run.until(|snapshot| snapshot.counts.running == 1).await;
    drop((run, engine));

    let other = start(waiting_for(&gate)).await.expect("starts");
    let stolen = other.resume(&id("r")).await;
    assert!(stolen.is_err(), "its owner is alive");
    let (run, cancel) = (
        id("r"),
        Request::Cancel {
            task: None,
            downstream: false,
        },
    );
    let delivery = ask(&*store, Some(&owners), &run, &cancel, Timestamp::ZERO);
    assert_eq!(
        delivery.await.expect("reaches the owner"),
        Delivery::Accepted
    );
}

#[tokio::test]
async fn a_run_that_is_taken_over_does_not_affect_others_of_its_commit() {
    let store: Arc<dyn RawGraphStore> = Arc::new(MemoryStore::new());
    let gate = Gate::new();
    let builder = Engine::builder(Arc::clone(&store)).registry(waiting_for(&gate));
    let engine = builder.start().await.expect("starts");
    let mut runs = Vec::new();
    for name in ["a", "b"] {
        let run = engine
            .submit(Submission::new(one(name)).name(id(name)))
            .await
            .expect("is saved");
        run.until(|snapshot| snapshot.counts.running == 1).await;
        runs.push(run);
    }
    let fence = store
        .claim("somebody", Timestamp::ZERO)
        .await
        .expect("claims");
    let former = store.get(&id("b")).await.expect("is there").epoch;
    store.adopt(&id("b"), former, fence).await.expect("adopts");
    gate.open();
    let innocent = runs[0].wait().await.expect("ends");
    assert_eq!(innocent.end(), Some(RunEnd::Completed), "{innocent:?}");
    let taken = runs[1].wait().await.expect("has a report");
    assert!(
        taken
            .error
            .as_ref()
            .is_some_and(|error| error.contains("taken over")),
        "names the takeover"
    );
    assert!(
        engine.submit(Submission::new(one("c"))).await.is_ok(),
        "the engine goes on"
    );
}

#[tokio::test(start_paused = true)]
async fn waiting_for_a_slot_of_another_run_is_not_charged_to_an_attempt() {
    let gate = Gate::new();
    let hold = gate.clone();
    let body = move |cx: TaskContext, _| {
        let hold = hold.clone();
        async move {
            if cx.name() == "hold" {
                hold.opened().await;
            }
            Ok(TaskOutput::null())
        }
    };
    let limits = zeph_runtime::Limits {
        max_parallel: 1,
        ..Default::default()
    };
    let builder = Engine::builder(Arc::new(MemoryStore::new())).registry(registry(body));
    let engine = builder.limits(limits).start().await.expect("starts");
    let first = engine
        .submit(Submission::new(one("hold")))
        .await
        .expect("is saved");
    let mut graph = TaskGraph::new();
    graph.add_task(
        Task::new("b").action("do").timeout(Duration::from_secs(60)),
        [],
    );
    let patient = Policy::default();
    let second = engine
        .submit(Submission::new(graph).policy(patient))
        .await
        .expect("is saved");
    tokio::time::advance(Duration::from_secs(600)).await;
    gate.open();
    first.wait().await.expect("ends");
    assert_eq!(
        second.wait().await.expect("ends").end(),
        Some(RunEnd::Completed)
    );
}

#[tokio::test]
async fn logs_that_no_observer_reads_are_bounded() {
    const WRITE: usize = 1 << 20;
    const WRITES: usize = 40;
    let [begin, end] = [Gate::new(), Gate::new()];
    let gates = [begin.clone(), end.clone()];
    let body = move |cx: TaskContext, _| {
        let [begin, end] = gates.clone();
        async move {
            begin.opened().await;
            let text = "é".repeat(WRITE / 2);
            for _ in 0..WRITES {
                cx.log(LogStream::Stdout, &text);
            }
            cx.progress(&text);
            end.opened().await;
            cx.log(LogStream::Stderr, &text);
            Ok(TaskOutput::null())
        }
    };
    let builder = Engine::builder(Arc::new(MemoryStore::new())).registry(registry(body));
    let engine = builder.start().await.expect("starts");
    let run = engine.submit(Submission::new(one("a"))).await;
    let run = run.expect("is saved");
    let mut events = run.events().expect("the run is active");
    begin.open();
    let (mut whole, mut noted, mut held) = (0, 0, Vec::new());
    while let Some(event) = events.next().await {
        match event {
            RunEvent::Log { bytes, .. } if bytes.len() == WRITE => {
                whole += 1;
                held.push(bytes);
            }
            RunEvent::Log { bytes, .. } => {
                assert!(bytes.ends_with(b"bytes are not shown: events are read too slowly]\n"));
                noted += 1;
            }
            RunEvent::Progress { text, .. } => {
                let (head, cut) = text.split_at(4096);
                assert_eq!(head, "é".repeat(2048));
                assert_eq!(cut, format!("… ({} bytes cut)", WRITE - 4096));
                // From here on the events are read and dropped, so that all is shown.
                held.clear();
                end.open();
            }
            RunEvent::Saved { .. } | RunEvent::Waits { .. } | RunEvent::Dropped { .. } => {}
            RunEvent::Missed(count) => panic!("{count} events are missed"),
        }
    }
    assert_eq!((whole, noted), (16 + 1, WRITES - 16));
}
