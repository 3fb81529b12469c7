//! Typed closures: dependencies from arguments, questions, and values that survive the process.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use zeph_memory::{FaultyStore, MemoryStore, Op, RawGraphStore, StoreFault};
use zeph_orchestration::flow::{Durable, Handle};
use zeph_orchestration::graph::{AskFailure, Params};
use zeph_orchestration::runtime::Owners;
use zeph_orchestration::{
    Flow, FlowError, OnFailure, Question, RunEnd, RunId, RunState, RuntimeError, Task, TaskError,
    Trigger,
};

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
    let sure = flow.ask::<bool>("sure", (), Question::confirm("Sure?"));
    let went = flow.task("go", sure, |sure| async move {
        Ok(if *sure { "went" } else { "stayed" })
    });
    let run = flow.start().await.expect("starts");
    run.until(|snapshot| snapshot.state == RunState::Waiting)
        .await;
    run.answer(1, "y").await.expect("is saved");
    let report = run.wait().await.expect("ends");
    assert_eq!(*report.get(went).expect("has a value"), "went");
}

#[tokio::test]
async fn a_durable_flow_goes_on_where_it_was() {
    let store: Arc<dyn RawGraphStore> = Arc::new(MemoryStore::new());
    let made = Arc::new(AtomicU32::new(0));
    let build = || {
        let run = "nightly".parse().expect("is a name");
        let mut flow = Flow::durable(Arc::clone(&store), run);
        let counter = Arc::clone(&made);
        let first = flow.task("make", (), move |()| {
            let counter = Arc::clone(&counter);
            async move { Ok(counter.fetch_add(1, Ordering::SeqCst) + 41) }
        });
        let name = flow.ask::<String>("name", (), Question::text("Name?"));
        let last = flow.task("use", (first, name), |(n, name)| async move {
            Ok(format!("{name} {n}"))
        });
        (flow, last)
    };
    let (flow, _) = build();
    let run = flow.start().await.expect("starts");
    run.until(|snapshot| snapshot.counts.completed == 1).await;
    run.suspend().await.expect("is saved");
    run.wait().await.expect("rests");

    let (flow, last) = build();
    let run = flow.start().await.expect("goes on");
    run.answer(1, "Ada").await.expect("is saved");
    let report = run.wait().await.expect("ends");
    assert_eq!(*report.get(last).expect("has a value"), "Ada 41");
    assert_eq!(
        made.load(Ordering::SeqCst),
        1,
        "a completed task never runs again"
    );

    let mut other = Flow::durable(Arc::clone(&store), "nightly".parse().expect("is a name"));
    other.task("make", (), |()| async { Ok(1u32) });
    assert!(other.run().await.is_err(), "it was run with another graph");
}

#[tokio::test]
async fn a_default_answer_reaches_the_task_that_takes_it() {
    let wait = std::time::Duration::from_millis(1);
    let question =
        Question::text("Name?").default_after(wait, Params::from_json_text("\"stranger\""));
    let mut flow = Flow::new();
    let name = flow.ask::<String>("name", (), question);
    let greeting = flow.task(
        "greet",
        name,
        |name| async move { Ok(format!("hello {name}")) },
    );
    let report = flow.run().await.expect("runs");
    assert_eq!(
        *report.get(greeting).expect("has a value"),
        "hello stranger"
    );
    assert_eq!(*report.get(name).expect("has a value"), "stranger");
}

#[tokio::test]
async fn a_durable_flow_that_has_ended_still_has_its_values() {
    let store: Arc<dyn RawGraphStore> = Arc::new(MemoryStore::new());
    let made = Arc::new(AtomicU32::new(0));
    for _ in 0..2 {
        let run = "once".parse().expect("is a name");
        let mut flow = Flow::durable(Arc::clone(&store), run);
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

#[test]
#[should_panic(expected = "has work of its own")]
fn a_question_does_not_replace_work_in_silence() {
    let task = Task::new("a").action("other");
    Flow::new().ask::<String>(task, (), Question::text("?"));
}

#[test]
#[should_panic(expected = "does not fit")]
fn a_substitute_of_another_type_is_refused() {
    let store: Arc<dyn RawGraphStore> = Arc::new(MemoryStore::new());
    let task = Task::new("a").on_failure(OnFailure::Value(Params::from_json_text("\"one\"")));
    let mut flow = Flow::durable(store, "refused".parse().expect("is a name"));
    flow.task(task, (), |()| async { Ok(1u32) });
}

#[tokio::test]
async fn a_substitute_of_a_durable_flow_reaches_its_dependants() {
    let store: Arc<dyn RawGraphStore> = Arc::new(MemoryStore::new());
    let mut flow = Flow::durable(store, "instead".parse().expect("is a name"));
    let task = Task::new("a").on_failure(OnFailure::Value(Params::from_json_text("7")));
    let value = flow.task(task, (), |()| async {
        Err::<u32, _>(TaskError::permanent("no"))
    });
    let next = flow.task("b", value, |value| async move { Ok(*value + 1) });
    let report = flow.run().await.expect("runs");
    assert_eq!(*report.get(value).expect("has a value"), 7);
    assert_eq!(*report.get(next).expect("has a value"), 8);
}

/// Two tasks, of which the first has no result.
fn half_failed(flow: &mut Flow) -> [Handle<u32>; 2] {
    let bad = Task::new("bad").on_failure(OnFailure::Skip);
    let bad = flow.task(bad, (), |()| async {
        Err::<u32, _>(TaskError::permanent("no"))
    });
    let good = flow.task("good", (), |()| async { Ok(5u32) });
    [bad, good]
}

#[tokio::test]
async fn an_optional_input_is_none_when_its_task_failed() {
    let mut flow = Flow::new();
    let both = half_failed(&mut flow);
    let sum = Task::new("sum").trigger(Trigger::AllDone);
    let optional: Vec<_> = both.iter().map(|one| one.optional()).collect();
    let sum = flow.task(sum, optional, |values| async move {
        let values = values.into_iter().map(|value| value.map(|value| *value));
        Ok(values.collect::<Vec<_>>())
    });
    let report = flow.run().await.expect("runs");
    assert_eq!(*report.get(sum).expect("has a value"), [None, Some(5)]);
}

#[tokio::test]
async fn an_order_only_input_waits_and_needs_no_result() {
    let mut flow = Flow::new();
    let [bad, good] = half_failed(&mut flow);
    let last = Task::new("last").trigger(Trigger::AllDone);
    let inputs = (bad.after(), good);
    let last = flow.task(last, inputs, |((), good)| async move { Ok(*good) });
    assert_eq!(flow.graph().parents(last.id()), [bad.id(), good.id()]);
    let report = flow.run().await.expect("runs");
    assert_eq!(*report.get(last).expect("has a value"), 5);
}

#[tokio::test]
async fn an_input_that_must_be_there_fails_its_task() {
    let mut flow = Flow::new();
    let [bad, _] = half_failed(&mut flow);
    let last = Task::new("last")
        .trigger(Trigger::AllDone)
        .on_failure(OnFailure::Ask(AskFailure::default()));
    flow.task(last, bad, |bad| async move { Ok(*bad) });
    let run = flow.start().await.expect("starts");
    let snapshot = run
        .until(|snapshot| snapshot.state == RunState::Waiting)
        .await;
    assert_eq!(snapshot.questions.len(), 1, "the task has failed");
    assert_eq!(snapshot.counts.completed, 1, "only the good one");
}

#[tokio::test(start_paused = true)]
async fn a_number_that_a_person_gives_does_not_name_an_attempt() {
    let mut flow = Flow::new();
    let task = Task::new("slow")
        .timeout(std::time::Duration::from_secs(1))
        .on_failure(OnFailure::Ask(AskFailure::default()));
    let slow = flow.task_with(task, (), |cx, ()| async move {
        cx.cancelled().await;
        Ok(77u32)
    });
    let seen = Task::new("see").on_failure(OnFailure::Skip);
    let seen = flow.task(seen, slow, |slow| async move { Ok(*slow) });
    let run = flow.start().await.expect("starts");
    run.until(|snapshot| snapshot.state == RunState::Waiting)
        .await;
    run.answer(1, "value:1").await.expect("is saved");
    let report = run.wait().await.expect("ends");
    assert!(report.get(slow).is_err(), "the first attempt was cut");
    assert!(report.get(seen).is_err(), "its value counts for no task");
}

fn waiting_flow(store: &Arc<dyn RawGraphStore>, owners: &Owners) -> Flow<Durable> {
    let run = "shared".parse().expect("is a name");
    let mut flow = Flow::durable(Arc::clone(store), run);
    flow.ask::<String>("name", (), Question::text("Name?"));
    flow.owners(owners.clone())
}

#[tokio::test]
async fn two_live_flows_of_one_name_do_not_steal_from_each_other() {
    let dir = tempfile::tempdir().expect("has a place");
    let owners = Owners::beside(&dir.path().join("runs.db"));
    let store: Arc<dyn RawGraphStore> = Arc::new(MemoryStore::new());
    let first = waiting_flow(&store, &owners).start().await.expect("starts");
    let second = waiting_flow(&store, &owners).start().await;
    let Err(FlowError::Run(RuntimeError::OwnedElsewhere { run, .. })) = second else {
        panic!("the second was not refused: {second:?}");
    };
    assert_eq!(run.as_str(), "shared");

    first.answer(1, "Ada").await.expect("is still the owner");
    let report = first.wait().await.expect("ends");
    assert_eq!(report.end(), Some(RunEnd::Completed));
    let again = waiting_flow(&store, &owners).run().await;
    assert_eq!(again.expect("has ended").end(), Some(RunEnd::Completed));
}

#[tokio::test]
async fn a_run_that_came_to_rest_can_be_taken_over() {
    let dir = tempfile::tempdir().expect("has a place");
    let owners = Owners::beside(&dir.path().join("runs.db"));
    let store: Arc<dyn RawGraphStore> = Arc::new(MemoryStore::new());
    let first = waiting_flow(&store, &owners).start().await.expect("starts");
    first.suspend().await.expect("is saved");
    first.wait().await.expect("rests");
    let second = waiting_flow(&store, &owners).start().await;
    let second = second.expect("goes on, though the first handle lives");
    second.answer(1, "Ada").await.expect("is saved");
    let report = second.wait().await.expect("ends");
    assert_eq!(report.end(), Some(RunEnd::Completed));
}

#[tokio::test]
async fn results_are_read_in_few_calls_and_nothing_is_a_result() {
    const TASKS: u32 = 600;
    let store = FaultyStore::new(MemoryStore::new());
    for round in 0..2 {
        let shared: Arc<dyn RawGraphStore> = Arc::new(store.clone());
        let mut flow = Flow::durable(shared, "many".parse().expect("is a name"));
        let values: Vec<_> = (0..TASKS)
            .map(|n| flow.task(format!("t{n}"), (), move |()| async move { Ok(n) }))
            .collect();
        let unit = flow.task("unit", (), |()| async { Ok(()) });
        let before = store.calls(Op::Contents);
        let report = flow.run().await.expect("runs, or has run");
        assert_eq!(store.calls(Op::Contents) - before, 3, "round {round}");
        for (n, value) in (0..).zip(values) {
            assert_eq!(*report.get(value).expect("has a value"), n);
        }
        report.get(unit).expect("null is a result, too");
    }
}

#[tokio::test]
async fn a_flow_whose_store_fails_is_an_error() {
    for fault in [StoreFault::Before, StoreFault::Full, StoreFault::Fenced] {
        let store = FaultyStore::new(MemoryStore::new());
        let shared: Arc<dyn RawGraphStore> = Arc::new(store.clone());
        let run: RunId = "r".parse().expect("is a name");
        let mut flow = Flow::durable(Arc::clone(&shared), run.clone());
        flow.task("a", (), move |()| {
            let store = store.clone();
            async move {
                store.fail_next(Op::Commit, fault);
                Ok(1)
            }
        });
        let failed = flow.run().await.expect_err("the result is not saved");
        let FlowError::Run(RuntimeError::Closed { reason }) = failed else {
            panic!("{fault:?}: {failed}");
        };
        assert!(!reason.is_empty());
        // What was saved is kept, and the flow goes on from there.
        let mut again = Flow::durable(shared, run);
        let task = again.task("a", (), |()| async { Ok(2) });
        let report = again.run().await.expect("goes on");
        assert_eq!(*report.get(task).expect("has a value"), 2);
    }
}
