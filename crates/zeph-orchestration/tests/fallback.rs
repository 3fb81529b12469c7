//! Fallbacks in flows and on threads: typed results in memory and in a store, persons, and blocking graphs.

use std::sync::Arc;

use zeph_memory::{MemoryStore, RawGraphStore};
use zeph_orchestration::flow::ValueStore;
use zeph_orchestration::graph::AnswerKind;
use zeph_orchestration::{
    DagScheduler, Flow, Outcome, Question, RunEnd, RunId, RunState, Task, TaskError, TaskGraph,
};

fn no_route() -> Result<u32, TaskError> {
    Err(TaskError::permanent("no route"))
}

/// `fetch` fails twice and `mirror` returns 2; the result is `[2, 2]`.
async fn sum_of<Kind>(mut flow: Flow<Kind>) -> (Option<RunEnd>, Vec<u32>)
where
    Kind: ValueStore<u32> + ValueStore<Vec<u32>>,
{
    let mirror = flow.task("mirror", (), |()| async { Ok(2) });
    let fetch = Task::new("fetch").fallback(mirror.id());
    let fetch = flow.task(fetch, (), |()| async { no_route() });
    let list = flow.task(
        "list",
        (fetch, fetch),
        |(a, b)| async move { Ok(vec![*a, *b]) },
    );
    let report = flow.run().await.expect("runs");
    assert_eq!(*report.get(fetch).expect("has a value"), 2);
    assert_eq!(*report.get(mirror).expect("has a value"), 2);
    let list = report.get(list).expect("has a value");
    (report.end(), list.to_vec())
}

#[tokio::test]
async fn the_result_of_a_fallback_is_typed_in_memory_and_in_a_store() {
    let expected = (Some(RunEnd::Degraded), vec![2, 2]);
    assert_eq!(sum_of(Flow::new()).await, expected);
    let store: Arc<dyn RawGraphStore> = Arc::new(MemoryStore::new());
    let run = || "sum".parse::<RunId>().expect("is a name");
    let durable = || Flow::durable(Arc::clone(&store), run());
    assert_eq!(sum_of(durable()).await, expected);
    // The second time the report is read from the store.
    assert_eq!(sum_of(durable()).await, expected);
}

#[tokio::test]
async fn a_person_gives_the_result_that_a_closure_could_not() {
    let mut flow = Flow::new();
    let question = Question {
        kind: AnswerKind::Number,
        ..Question::text("How many?")
    };
    let asked = flow.ask::<u32>("ask", (), question);
    let count = Task::new("count").fallback(asked.id());
    let count = flow.task(count, (), |()| async { no_route() });
    let twice = flow.task("twice", count, |count| async move { Ok(*count * 2) });
    let run = flow.start().await.expect("starts");
    run.until(|snapshot| snapshot.state == RunState::Waiting)
        .await;
    run.answer(1, "21").await.expect("is saved");
    let report = run.wait().await.expect("ends");
    assert_eq!(*report.get(twice).expect("has a value"), 42);
}

#[tokio::test]
#[should_panic(expected = "the result of task \"fetch\" has another type")]
async fn a_fallback_of_another_type_is_refused() {
    let mut flow = Flow::new();
    let mirror = flow.task("mirror", (), |()| async { Ok("two") });
    let fetch = Task::new("fetch").fallback(mirror.id());
    flow.task(fetch, (), |()| async { no_route() });
}

#[test]
fn a_blocking_graph_falls_back() {
    let mut graph = TaskGraph::new();
    let third = graph.add_task("third", []);
    let second = graph.add_task(Task::new("second").fallback(third), []);
    let first = graph.add_task(Task::new("first").fallback(second), []);
    let save = graph.add_task("save", [first]);
    let mut scheduler = DagScheduler::new(graph);
    scheduler.body(first, || Err::<u32, _>("no first"));
    scheduler.body(second, || Err::<u32, _>("no second"));
    scheduler.body(third, || 3);
    scheduler.body(save, || "saved");
    while scheduler.tick() {}
    assert_eq!(scheduler.outcome(), Outcome::Ended(RunEnd::Degraded));
    for task in [first, second, third] {
        assert_eq!(scheduler.output(task), Some(&3.into()));
    }
    assert_eq!(scheduler.error(first), Some("no first"));
    assert_eq!(scheduler.output(save), Some(&"saved".into()));
}
