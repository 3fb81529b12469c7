//! Secrets are redacted in everything that is stored or shown of an attempt.

use std::borrow::Cow;
use std::sync::Arc;

use zeph_executor::{
    LogStream, Note, NoteKind, Redact, Registry, TaskContext, TaskError, TaskInput, TaskOutput,
    closure,
};
use zeph_graph::{Record, Task, TaskGraph};
use zeph_memory::{Content, MemoryStore, RawGraphStore as _};
use zeph_runtime::{Engine, RunEvent, RunView, Submission};

fn graph_of(tasks: impl IntoIterator<Item = Task>) -> TaskGraph {
    let mut graph = TaskGraph::new();
    for task in tasks {
        graph.add_task(task, []);
    }
    graph
}

struct Hush;

impl Redact for Hush {
    fn redact<'a>(&self, text: &'a [u8]) -> Cow<'a, [u8]> {
        let text = String::from_utf8_lossy(text);
        Cow::Owned(text.replace("hunter2", "[secret]").into_bytes())
    }
}

#[tokio::test]
async fn a_secret_is_in_no_error_panic_log_or_note() {
    let store = MemoryStore::new();
    let leaky = closure::from_fn(|cx: TaskContext, _: TaskInput| async move {
        let note = Note::new(NoteKind::Prompt, "the key is hunter2");
        cx.journal().note(note).await?;
        cx.log(LogStream::Stderr, "hunter2 again");
        if cx.name() == "panics" {
            panic!("hunter2");
        }
        let error = TaskError::permanent("wrong key hunter2");
        Err(error
            .with_detail("hunter2")
            .with_source("because of hunter2"))
    });
    let mut registry = Registry::new();
    registry.register("leak", leaky).expect("first");
    let engine = Engine::builder(Arc::new(store.clone()))
        .registry(registry)
        .redact(Arc::new(Hush))
        .start()
        .await
        .expect("starts");
    let task = |name: &str| {
        let skip = zeph_graph::OnFailure::Skip;
        Task::new(name).action("leak").on_failure(skip)
    };
    let graph = graph_of([task("errs"), task("panics")]);
    let contents = redacted_contents(&engine, &store, graph).await;
    assert_eq!(contents.len(), 6, "two notes, two errors, two logs");
}

/// Runs a graph, and checks that each content that it stored has the secret redacted.
async fn redacted_contents(engine: &Engine, store: &MemoryStore, graph: TaskGraph) -> Vec<Content> {
    let run = engine.submit(Submission::new(graph)).await;
    let run = run.expect("is saved");
    run.wait().await.expect("ends");
    let view = RunView::load(store, run.id()).await.expect("readable");
    let ids = view.entries.iter().flat_map(|one| one.record.contents());
    let ids: Vec<_> = ids.collect();
    let contents = store.contents(run.id(), &ids).await.expect("readable");
    for part in &contents {
        let text = String::from_utf8_lossy(&part.bytes);
        assert!(text.contains("[secret]"), "{text}");
        assert!(!text.contains("hunter2"), "{text}");
    }
    contents
}

#[tokio::test]
async fn a_secret_is_in_no_result_and_a_dependant_sees_it_redacted() {
    let store = MemoryStore::new();
    let leaky = closure::from_fn(|cx: TaskContext, input: TaskInput| async move {
        if cx.name() == "a" {
            let value =
                serde_json::json!({ "stdout": "the key is hunter2", "hunter2": ["hunter2"] });
            return Ok(TaskOutput::from(value).with_blob("raw", "hunter2\n"));
        }
        let seen = input.parents["a"].output.clone().expect("it completed");
        Ok(TaskOutput::from(seen.value.clone()))
    });
    let mut registry = Registry::new();
    registry.register("leak", leaky).expect("first");
    let engine = Engine::builder(Arc::new(store.clone()))
        .registry(registry)
        .redact(Arc::new(Hush))
        .start()
        .await
        .expect("starts");
    let mut graph = TaskGraph::new();
    let a = graph.add_task(Task::new("a").action("leak"), []);
    graph.add_task(Task::new("b").action("leak"), [a]);
    let contents = redacted_contents(&engine, &store, graph).await;
    assert_eq!(contents.len(), 3, "two values and a blob");
}

#[tokio::test]
async fn a_secret_in_two_writes_is_not_in_the_events() {
    let gate = Arc::new(tokio::sync::Notify::new());
    let open = Arc::clone(&gate);
    let leaky = closure::from_fn(move |cx: TaskContext, _: TaskInput| {
        let gate = Arc::clone(&gate);
        async move {
            gate.notified().await;
            // The secret is where the text is cut.
            cx.progress(format!("{}hunter2 {0}", "x ".repeat(2045)));
            for piece in ["the key is hun", "ter2!\nand hunt", "er2 again"] {
                cx.log(LogStream::Stdout, piece);
            }
            Ok(TaskOutput::null())
        }
    });
    let mut registry = Registry::new();
    registry.register("leak", leaky).expect("first");
    let engine = Engine::builder(Arc::new(MemoryStore::new()))
        .registry(registry)
        .redact(Arc::new(Hush))
        .start()
        .await
        .expect("starts");
    let graph = graph_of([Task::new("a").action("leak")]);
    let run = engine.submit(Submission::new(graph)).await;
    let run = run.expect("is saved");
    let mut events = run.events().expect("the run is here");
    open.notify_one();
    let mut seen = Vec::new();
    while let Some(event) = events.next().await {
        match event {
            RunEvent::Log { bytes, .. } => seen.push(String::from_utf8_lossy(&bytes).into_owned()),
            RunEvent::Saved { event, .. } if matches!(event.record, Record::Completed { .. }) => {
                break;
            }
            RunEvent::Progress { text, .. } => {
                assert!(!text.contains("hunt"), "{text}");
                assert!(text.ends_with("x [secre… (4093 bytes cut)"), "{text}");
            }
            RunEvent::Saved { .. }
            | RunEvent::Waits { .. }
            | RunEvent::Dropped { .. }
            | RunEvent::Missed(_) => {}
        }
    }
    // The unfinished line is sent before the end of the attempt.
    assert_eq!(seen, ["the key is [secret]!\n", "and [secret] again"]);
}
