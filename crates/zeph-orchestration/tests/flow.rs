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
    assert!(other.run().await.is_err(), "it was run with another graph");
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

#[tokio::test]
async fn a_durable_flow_that_has_ended_still_has_its_values() {
    let store: Arc<dyn RawGraphStore> = Arc::new(MemoryStore::new());
    let made = Arc::new(AtomicU32::new(0));
    for _ in 0..2 {
        let run = "once".parse().expect("is a name");
        let mut flow = Flow::new().store(Arc::clone(&store), run);
        let counter = Arc::clone(&made);
        let value = flow.task("make", (), move |()| {
            let counter = Arc::clone(&counter);
            async move { Ok(counter.fetch_add(1, Ordering::SeqCst) + 41) }
        });
        let report = flow.run().await.expect("runs, or has run");
        assert_eq!(report.end(), Some(RunEnd::Completed));
        assert_eq!(*report.get(value).expect("has a value"), 41);
    }
    assert_eq!(
        made.load(Ordering::SeqCst),
        1,
        "a completed task never runs again"
    );
}

#[tokio::test(start_paused = true)]
async fn what_a_cut_attempt_made_is_not_the_value() {
    let mut flow = Flow::new();
    let calls = Arc::new(AtomicU32::new(0));
    let task = Task::new("slow")
        .retries(1)
        .timeout(std::time::Duration::from_secs(1));
    let slow = flow.task_with(task, (), move |cx, ()| {
        let calls = Arc::clone(&calls);
        async move {
            let call = calls.fetch_add(1, Ordering::SeqCst);
            if call == 0 {
                cx.cancelled().await;
            }
            Ok(call)
        }
    });
    let seen = flow.task("see", slow, |slow| async move { Ok(*slow) });
    let report = flow.run().await.expect("runs");
    assert_eq!(
        *report.get(seen).expect("has a value"),
        1,
        "the second attempt's"
    );
    assert_eq!(
        *report.get(slow).expect("has a value"),
        1,
        "the second attempt's"
    );
}

#[test]
#[should_panic(expected = "substitute value")]
fn a_substitute_that_no_dependant_could_read_is_refused() {
    let task = Task::new("a").on_failure(OnFailure::Value(Params::from_json_text("1")));
    Flow::new().task(task, (), |()| async { Ok(1u32) });
}

#[test]
#[should_panic(expected = "has work of its own")]
fn a_closure_does_not_replace_work_in_silence() {
    Flow::new().task(Task::new("a").action("other"), (), |()| async { Ok(1u32) });
}
