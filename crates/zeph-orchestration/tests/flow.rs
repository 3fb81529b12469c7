//! Typed closures: dependencies from arguments, questions, and values that survive the process.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use zeph_memory::{MemoryStore, RawGraphStore};
use zeph_orchestration::{Flow, OnFailure, Params, Question, RunEnd, RunState, Task};

#[tokio::test]
async fn tuples_and_vectors_of_handles_make_dependencies() {
    let mut flow = Flow::new();
    let parts: Vec<_> = (1..=3u32)
        .map(|n| flow.task(format!("part{n}"), (), move |()| async move { Ok(n) }))
        .collect();
    let sum = flow.task("sum", parts.clone(), |parts| async move {
        Ok(parts.iter().map(|part| **part).sum::<u32>())
    });
    let text = flow.task("text", (sum, parts[0]), |(sum, first)| async move {
        Ok(format!("{sum} from {first}"))
    });
    let report = flow.run().await.expect("runs");
    assert_eq!(report.end(), Some(RunEnd::Completed));
    assert_eq!(*report.get(text).expect("has a value"), "6 from 1");
}

#[tokio::test]
async fn any_error_is_a_failure_and_a_substitute_is_not_a_value() {
    let mut flow = Flow::new();
    let broken = Task::new("broken").on_failure(OnFailure::Skip);
    let broken = flow.task(broken, (), |()| async {
        let _: u8 = "no number".parse()?;
        Err::<u8, _>(io::Error::other("not reached").into())
    });
    let report = flow.run().await.expect("runs");
    assert_eq!(report.end(), Some(RunEnd::Degraded));
    let error = report.get(broken).expect_err("has no value");
    assert!(error.to_string().contains("failed"), "{error}");
}

#[tokio::test]
async fn a_question_is_answered_and_its_answer_is_typed() {
    let mut flow = Flow::new();
    let sure = flow.ask::<_, bool>("sure", (), Question::confirm("Sure?"));
    let went = flow.task("go", sure, |sure| async move {
        Ok(if *sure { "went" } else { "stayed" })
    });
    let (run, report) = flow.start().await.expect("starts");
    run.until(|pulse| pulse.state == RunState::Waiting).await;
    run.answer(1, "y").await.expect("is saved");
    let report = report.wait(run).await.expect("ends");
    assert_eq!(*report.get(went).expect("has a value"), "went");
}

#[tokio::test]
async fn a_durable_flow_goes_on_where_it_was() {
    let store: Arc<dyn RawGraphStore> = Arc::new(MemoryStore::new());
    let made = Arc::new(AtomicU32::new(0));
    let build = || {
        let run = "nightly".parse().expect("is a name");
        let mut flow = Flow::new().store(Arc::clone(&store), run);
        let counter = Arc::clone(&made);
        let first = flow.task("make", (), move |()| {
            let counter = Arc::clone(&counter);
            async move { Ok(counter.fetch_add(1, Ordering::SeqCst) + 41) }
        });
        let name = flow.ask::<_, String>("name", (), Question::text("Name?"));
        let last = flow.task("use", (first, name), |(n, name)| async move {
            Ok(format!("{name} {n}"))
        });
        (flow, last)
    };
    let (flow, _) = build();
    let (run, _) = flow.start().await.expect("starts");
    run.until(|pulse| pulse.counts.completed == 1).await;
    run.suspend().await.expect("is saved");
    run.wait().await.expect("rests");

    let (flow, last) = build();
    let (run, report) = flow.start().await.expect("goes on");
    run.answer(1, "Ada").await.expect("is saved");
    let report = report.wait(run).await.expect("ends");
    assert_eq!(*report.get(last).expect("has a value"), "Ada 41");
    assert_eq!(
        made.load(Ordering::SeqCst),
        1,
        "a completed task never runs again"
    );

    let mut other = Flow::new().store(Arc::clone(&store), "nightly".parse().expect("is a name"));
    other.task("make", (), |()| async { Ok(1u32) });
    assert!(other.run().await.is_err(), "the run has ended");
}

#[tokio::test]
async fn a_default_answer_reaches_the_task_that_takes_it() {
    let wait = std::time::Duration::from_millis(1);
    let question =
        Question::text("Name?").default_after(wait, Params::from_json_text("\"nobody\""));
    let mut flow = Flow::new();
    let name = flow.ask::<_, String>("name", (), question);
    let greeting = flow.task(
        "greet",
        name,
        |name| async move { Ok(format!("hello {name}")) },
    );
    let report = flow.run().await.expect("runs");
    assert_eq!(*report.get(greeting).expect("has a value"), "hello nobody");
    assert_eq!(*report.get(name).expect("has a value"), "nobody");
}
