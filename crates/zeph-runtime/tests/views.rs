//! Views of a run that grows: they follow it at the cost of its new records.

use std::sync::Arc;

use zeph_executor::{Executor, Registry, TaskContext, TaskInput, TaskOutput, closure};
use zeph_graph::wire::GraphSpec;
use zeph_graph::{RunId, Task, TaskGraph};
use zeph_memory::{FaultyStore, MemoryStore, Op, RawGraphStore};
use zeph_runtime::{Engine, RunView, RuntimeError, Submission};

const PATCH: &str = r#"{"version":1,"tasks":[
    {"name":"last","needs":["middle","grow"],"work":{"kind":"action","name":"ok"}},
    {"name":"middle","needs":["grow"],"work":{"kind":"action","name":"ok"}}
]}"#;

fn named(name: &str) -> RunId {
    name.parse().expect("a name")
}

async fn load(store: &dyn RawGraphStore, run: &RunId) -> RunView {
    RunView::load(store, run).await.expect("is readable")
}

/// The two views show the same.
fn assert_same(view: &RunView, whole: &RunView) {
    assert_eq!(view.entries, whole.entries);
    assert_eq!(view.scheduler.snapshot(), whole.scheduler.snapshot());
    assert_eq!(view.graph().len(), whole.graph().len());
    assert_eq!(
        view.patches.keys().collect::<Vec<_>>(),
        whole.patches.keys().collect::<Vec<_>>()
    );
    assert_eq!((&view.title, &view.head), (&whole.title, &whole.head));
    assert_eq!(
        (&view.status, view.created_at, view.updated_at),
        (&whole.status, whole.created_at, whole.updated_at)
    );
}

/// An engine with the actions `ok` and `grow`, which adds two tasks.
async fn engine(store: Arc<dyn RawGraphStore>) -> Engine {
    let ok: Arc<dyn Executor> =
        closure::from_fn(|_: TaskContext, _: TaskInput| async { Ok(TaskOutput::null()) });
    let grow = closure::from_fn(|cx: TaskContext, _: TaskInput| async move {
        cx.journal().propose(GraphSpec::from_json(PATCH)?).await?;
        Ok(TaskOutput::null())
    });
    let mut registry = Registry::new();
    registry.register("ok", ok).expect("the first");
    registry.register("grow", grow).expect("the second");
    let builder = Engine::builder(store).registry(registry);
    builder.start().await.expect("starts")
}

fn chain(length: usize) -> TaskGraph {
    let mut graph = TaskGraph::new();
    let mut last = graph.add_task(Task::new("grow").action("grow"), []);
    for number in 0..length {
        let task = Task::new(format!("t{number}")).action("ok");
        last = graph.add_task(task, [last]);
    }
    graph
}

#[tokio::test]
async fn a_view_follows_a_run_without_reading_its_journal_again() {
    let store = Arc::new(FaultyStore::new(MemoryStore::new()));
    let engine = engine(store.clone()).await;
    let submission = Submission::new(chain(100)).name(named("grown"));
    let run = engine.submit(submission).await.expect("is saved");
    let mut view = load(&*store, run.id()).await;
    let loads = store.calls(Op::Load);
    let mut events = run.events().expect("the first observer");
    let mut refreshed = 0;
    while events.next().await.is_some() {
        let before = view.entries.len();
        view.refresh(&*store).await.expect("goes on");
        refreshed += u32::from(view.entries.len() > before);
    }
    view.refresh(&*store).await.expect("has ended");
    assert_eq!(
        store.calls(Op::Load),
        loads,
        "the whole journal is read once"
    );
    assert!(refreshed > 10, "{refreshed}");
    assert!(!view.status.open && view.graph().len() == 103);
    assert_same(&view, &load(&*store, run.id()).await);

    // A view that knows nothing new stays as it is.
    view.refresh(&*store).await.expect("has ended");
    assert_same(&view, &load(&*store, run.id()).await);
}

#[tokio::test]
async fn a_view_of_a_run_that_was_deleted_and_begun_again_is_of_the_new_run() {
    let store = Arc::new(MemoryStore::new());
    let engine = engine(store.clone()).await;
    let submit = async |length| {
        let submission = Submission::new(chain(length)).name(named("twice"));
        let run = engine.submit(submission).await.expect("is saved");
        run.wait().await.expect("ends");
        run.id().clone()
    };
    let run = submit(3).await;
    let mut view = load(&*store, &run).await;
    for length in [1, 9] {
        let fence = store.claim("test", Default::default()).await;
        store
            .delete(&run, fence.expect("a claim"))
            .await
            .expect("is deleted");
        let gone = view.refresh(&*store).await;
        let is_gone = matches!(&gone, Err(RuntimeError::Store { source, .. })
            if source.kind() == "not_found");
        assert!(is_gone, "{gone:?}");
        submit(length).await;
        view.refresh(&*store).await.expect("is another run");
        assert_same(&view, &load(&*store, &run).await);
    }
}
