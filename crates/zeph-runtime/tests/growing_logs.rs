//! The log of a running attempt is saved while it grows, and is final when the attempt has ended.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use zeph_executor::double::Gate;
use zeph_executor::{LogStream, Redact, Registry, TaskContext, TaskOutput, closure};
use zeph_graph::{RunEnd, Task, TaskGraph};
use zeph_memory::{FaultyStore, MemoryStore, Op, RawGraphStore, StoreFault};
use zeph_runtime::{Engine, LogDraft, RunHandle, RunView, Submission};

struct Hush;

impl Redact for Hush {
    fn redact<'a>(&self, text: &'a [u8]) -> Cow<'a, [u8]> {
        let text = String::from_utf8_lossy(text);
        Cow::Owned(text.replace("hunter2", "[secret]").into_bytes())
    }
}

/// A run of one task, which logs, passes a gate, logs again, and passes another gate.
async fn started(store: Arc<dyn RawGraphStore>, gates: [Gate; 2]) -> RunHandle {
    let body = move |cx: TaskContext, _| {
        let gates = gates.clone();
        async move {
            cx.log(LogStream::Stdout, "the key is hunter2\nand hun");
            cx.log(LogStream::Stderr, "no whole line");
            gates[0].opened().await;
            cx.log(LogStream::Stdout, "ter2 again\n");
            gates[1].opened().await;
            Ok(TaskOutput::null())
        }
    };
    let mut registry = Registry::new();
    let body = closure::from_fn(body);
    registry.register("do", body).expect("the first");
    let builder = Engine::builder(store).registry(registry);
    let engine = builder.redact(Arc::new(Hush)).start().await;
    let mut graph = TaskGraph::new();
    graph.add_task(Task::new("a").action("do"), []);
    let run = engine.expect("starts").submit(Submission::new(graph)).await;
    run.expect("is saved")
}

async fn drafts(store: &dyn RawGraphStore, run: &RunHandle) -> Vec<LogDraft> {
    let view = RunView::load(store, run.id()).await.expect("is readable");
    let all = view.log_drafts(store, None).await.expect("are whole");
    let task = view.task("a").expect("is there");
    let of_task = view.log_drafts(store, Some(task)).await;
    assert_eq!(of_task.expect("are whole"), all);
    all
}

/// The saved log, as soon as there is one with that text at its end.
async fn saved(store: &dyn RawGraphStore, run: &RunHandle, end: &str) -> String {
    loop {
        tokio::time::advance(Duration::from_millis(100)).await;
        if let [draft] = &drafts(store, run).await[..]
            && draft.bytes.ends_with(end.as_bytes())
        {
            assert_eq!((draft.attempt.get(), &*draft.stream), (1, "stdout"));
            return String::from_utf8_lossy(&draft.bytes).into_owned();
        }
    }
}

#[tokio::test(start_paused = true)]
async fn the_log_of_a_running_attempt_is_saved_in_whole_lines_until_it_ends() {
    let store = Arc::new(MemoryStore::new());
    let gates = [Gate::new(), Gate::new()];
    let run = started(store.clone(), gates.clone()).await;
    let first = saved(&*store, &run, "\n").await;
    assert_eq!(first, "the key is [secret]\n");
    gates[0].open();
    let second = saved(&*store, &run, "again\n").await;
    assert_eq!(second, "the key is [secret]\nand [secret] again\n");
    gates[1].open();
    let report = run.wait().await.expect("ends");
    assert_eq!(report.end(), Some(RunEnd::Completed));
    assert_eq!(drafts(&*store, &run).await, [], "the journal has the log");
    let view = RunView::load(&*store, run.id()).await.expect("is readable");
    let attempts = view.attempts(view.task("a").expect("is there"));
    let log = attempts[0].log.expect("it logged");
    let logs = view.logs(&*store, log).await.expect("are readable");
    assert_eq!(logs.len(), 2, "also the stream without a line break");
    assert_eq!(logs[0].1, second);
}

#[tokio::test(start_paused = true)]
async fn a_log_that_does_not_fit_on_the_disk_stops_nothing() {
    let memory = MemoryStore::new();
    let store = Arc::new(FaultyStore::new(memory));
    let gates = [Gate::new(), Gate::new()];
    let run = started(store.clone(), gates.clone()).await;
    run.until(|snapshot| snapshot.counts.running == 1).await;
    let before = store.calls(Op::Commit);
    store.fail_next(Op::Commit, StoreFault::Full);
    while store.calls(Op::Commit) < before + 2 {
        tokio::time::advance(Duration::from_millis(100)).await;
    }
    assert_eq!(drafts(&*store, &run).await, []);
    gates[0].open();
    let second = saved(&*store, &run, "again\n").await;
    assert_eq!(second, "the key is [secret]\nand [secret] again\n");
    gates[1].open();
    let report = run.wait().await.expect("ends");
    assert_eq!(report.end(), Some(RunEnd::Completed), "{report}");
}

#[tokio::test(start_paused = true)]
async fn the_log_of_a_lost_attempt_stays() {
    let store = Arc::new(MemoryStore::new());
    let gates = [Gate::new(), Gate::new()];
    let run = started(store.clone(), gates.clone()).await;
    saved(&*store, &run, "\n").await;
    // As after a kill: another process adopts the run, and its attempt is lost.
    let open = [Gate::new(), Gate::new()];
    open.iter().for_each(Gate::open);
    let other = started(store.clone(), open).await;
    other.wait().await.expect("ends");
    let fence = store.claim("other", zeph_graph::Timestamp::ZERO).await;
    let row = store.get(run.id()).await.expect("is there");
    let adopted = store.adopt(run.id(), row.epoch, fence.expect("claims"));
    adopted.await.expect("adopts");
    gates.iter().for_each(Gate::open);
    let report = run.wait().await.expect("has a report");
    assert!(report.error.is_some(), "it was taken over");
    let left = drafts(&*store, &run).await;
    assert_eq!(left.len(), 1);
    assert_eq!(left[0].bytes, "the key is [secret]\n");
}
