//! Reservations that wait: in order, while something can come back, and never for ever.

mod fan_outs;
mod support;

use std::future::Future as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::{Context, Waker};
use std::time::Duration;

use zeph_executor::{ReservationRequest, TaskContext, TaskError, TaskInput, TaskOutput, closure};
use zeph_graph::{Budget, Fault, OverBudget, RunEnd, Spend, Spent, Task, TaskGraph, TaskState};
use zeph_runtime::{RunEvent, RunHandle};

use support::{Calls, engine, graph_of, submit, tokens};

/// Lets the calls begin; resolves when the task has said that it waits, and returns its words.
async fn waits(calls: &Calls, run: &RunHandle, task: &str) -> String {
    let mut events = run.events().expect("is active");
    calls.go();
    while let Some(event) = events.next().await {
        if let RunEvent::Progress { task: of, text, .. } = event
            && &*of == task
            && text.starts_with("waits")
        {
            return text.to_string();
        }
    }
    panic!("{task} never waits");
}

fn call(name: &str) -> Task {
    Task::new(name).action("call")
}

#[tokio::test(start_paused = true)]
async fn three_calls_in_parallel_share_a_budget_of_little_more_than_one() {
    let calls = Calls::new(80, 80, 10);
    let engine = engine(&[("call", calls.executor())]).await;
    let graph = graph_of([call("a"), call("b"), call("c")]);
    let run = submit(&engine, graph, 100, OverBudget::Ask).await;
    let (text, last, ()) = tokio::join!(
        waits(&calls, &run, "b"),
        waits(&calls, &run, "c"),
        calls.begun("a")
    );
    assert_eq!(text, "waits for 60 tokens that other calls hold");
    assert_eq!(last, text);
    assert_eq!(run.snapshot().counts.in_flight(), 3);
    for name in ["a", "b", "c"] {
        calls.end(name);
    }
    let report = run.wait().await.expect("ends");
    assert_eq!(report.end(), Some(RunEnd::Completed));
    assert_eq!(report.spent, Spent::from(tokens(30)));
    assert_eq!(
        calls.order(),
        ["a", "b", "c"],
        "in the order of the requests"
    );
    assert_eq!(calls.amounts(), [80, 80, 80]);
}

#[tokio::test(start_paused = true)]
async fn the_rest_is_reserved_only_when_nothing_can_come_back() {
    let calls = Calls::new(80, 30, 60);
    let engine = engine(&[("call", calls.executor())]).await;
    let graph = graph_of([call("a"), call("b"), call("c")]);
    let run = submit(&engine, graph, 100, OverBudget::Partial).await;
    tokio::join!(waits(&calls, &run, "b"), waits(&calls, &run, "c"));
    for name in ["a", "b", "c"] {
        calls.end(name);
    }
    let report = run.wait().await.expect("ends");
    // The second one costs what it had, and the last one is refused: 40 are less than nothing to wait for.
    assert_eq!(calls.amounts(), [80, 40]);
    let state = |name: &str| report.task(name).expect("is there").state;
    assert!(state("b").is_completed());
    assert_eq!(state("c"), TaskState::Failed { why: Fault::Budget });
    assert_eq!(report.spent, Spent::from(tokens(100)));
}

#[tokio::test(start_paused = true)]
async fn a_small_call_does_not_overtake_a_large_one() {
    let calls = Calls::new(80, 80, 10);
    calls.set("large", 90, 10);
    calls.set("small", 20, 10);
    let engine = engine(&[("call", calls.executor())]).await;
    let graph = graph_of([call("first"), call("large"), call("small")]);
    let run = submit(&engine, graph, 100, OverBudget::Ask).await;
    let (_, text) = tokio::join!(waits(&calls, &run, "large"), waits(&calls, &run, "small"));
    assert_eq!(text, "waits for budget: other calls come first");
    for name in ["first", "large", "small"] {
        calls.end(name);
    }
    run.wait().await.expect("ends");
    assert_eq!(calls.order(), ["first", "large", "small"]);
}

#[tokio::test(start_paused = true)]
async fn the_own_budget_of_a_task_holds_back_no_other_task() {
    let calls = Calls::new(40, 40, 10);
    let twice = calls.clone();
    let both = closure::from_fn(move |cx: TaskContext, _: TaskInput| {
        let calls = twice.clone();
        async move {
            let one = calls.perform(&cx, "one", true);
            let two = calls.perform(&cx, "two", true);
            let (one, two) = tokio::join!(one, two);
            one.and(two)?;
            Ok(TaskOutput::null())
        }
    });
    let engine = engine(&[("call", calls.executor()), ("both", both)]).await;
    let own = Task::new("both")
        .action("both")
        .budget(Budget::of_tokens(50));
    let run = submit(&engine, graph_of([own, call("c")]), 1_000, OverBudget::Ask).await;
    calls.end("c");
    // The second call of the first task waits for its first one. The other task is done meanwhile.
    let (text, ()) = tokio::join!(waits(&calls, &run, "both"), calls.ended("c"));
    assert_eq!(text, "waits for 30 tokens that other calls hold");
    calls.end("one");
    calls.end("two");
    let report = run.wait().await.expect("ends");
    assert_eq!(report.end(), Some(RunEnd::Completed));
    assert_eq!(calls.order().len(), 3);
}

#[tokio::test(start_paused = true)]
async fn attempts_that_hold_and_wait_do_not_wait_for_each_other() {
    let both_hold = Arc::new(tokio::sync::Barrier::new(2));
    let refused = Arc::new(AtomicU32::new(0));
    let count = Arc::clone(&refused);
    let nests = closure::from_fn(move |cx: TaskContext, _: TaskInput| {
        let (both_hold, count) = (Arc::clone(&both_hold), Arc::clone(&count));
        async move {
            let outer = cx.journal().reserve(tokens(50)).await?;
            both_hold.wait().await;
            match cx.journal().reserve(tokens(30)).await {
                Ok(inner) => cx.journal().settle(inner, tokens(10)).await?,
                Err(error) => {
                    assert_eq!(error.code(), "over_budget");
                    count.fetch_add(1, Ordering::Relaxed);
                }
            }
            cx.journal().settle(outer, tokens(10)).await?;
            Ok(TaskOutput::null())
        }
    });
    let engine = engine(&[("nests", nests)]).await;
    let nests = |name: &str| Task::new(name).action("nests");
    let graph = graph_of([nests("a"), nests("b")]);
    let run = submit(&engine, graph, 110, OverBudget::Partial).await;
    let report = run.wait().await.expect("ends");
    assert_eq!(report.end(), Some(RunEnd::Completed));
    // The first one is refused, and the second one gets what that gives back.
    assert_eq!(refused.load(Ordering::Relaxed), 1);
    assert_eq!(report.spent, Spent::from(tokens(30)));
}

#[tokio::test(start_paused = true)]
async fn a_higher_budget_ends_the_wait() {
    let calls = Calls::new(80, 80, 10);
    let engine = engine(&[("call", calls.executor())]).await;
    let run = submit(
        &engine,
        graph_of([call("a"), call("b")]),
        100,
        OverBudget::Ask,
    )
    .await;
    waits(&calls, &run, "b").await;
    run.set_budget(Budget::of_tokens(160))
        .await
        .expect("is there");
    calls.begun("b").await;
    assert_eq!(run.snapshot().counts.in_flight(), 2);
    calls.end("a");
    calls.end("b");
    let report = run.wait().await.expect("ends");
    assert_eq!(report.end(), Some(RunEnd::Completed));
}

#[tokio::test(start_paused = true)]
async fn a_stopped_attempt_leaves_the_queue() {
    let calls = Calls::new(80, 80, 10);
    let engine = engine(&[("call", calls.executor())]).await;
    let run = submit(
        &engine,
        graph_of([call("a"), call("b"), call("c")]),
        100,
        OverBudget::Ask,
    )
    .await;
    tokio::join!(waits(&calls, &run, "b"), waits(&calls, &run, "c"));
    run.cancel_task("b").await.expect("is there");
    for name in ["a", "c"] {
        calls.end(name);
    }
    let report = run.wait().await.expect("ends");
    assert_eq!(calls.order(), ["a", "c"]);
    assert_eq!(report.spent, Spent::from(tokens(20)));
    assert_eq!(report.counts.canceled, 1);
}

#[tokio::test(start_paused = true)]
async fn a_caller_that_gives_up_leaves_the_queue_and_reserves_nothing() {
    let calls = Calls::new(80, 80, 10);
    let first = calls.clone();
    let gives_up = closure::from_fn(move |cx: TaskContext, _: TaskInput| {
        let first = first.clone();
        async move {
            first.begun("a").await;
            let wait = cx.journal().reserve(tokens(90));
            let outcome = tokio::time::timeout(Duration::from_secs(5), wait).await;
            assert!(outcome.is_err(), "it waits");
            Ok(TaskOutput::null())
        }
    });
    let engine = engine(&[("call", calls.executor()), ("gives_up", gives_up)]).await;
    let impatient = Task::new("impatient").action("gives_up");
    let run = submit(
        &engine,
        graph_of([call("a"), impatient, call("b")]),
        100,
        OverBudget::Ask,
    )
    .await;
    calls.go();
    run.until(|snapshot| snapshot.counts.completed == 1).await;
    calls.end("a");
    calls.end("b");
    let report = run.wait().await.expect("ends");
    assert_eq!(report.end(), Some(RunEnd::Completed));
    assert_eq!(report.spent, Spent::from(tokens(20)));
}

#[tokio::test(start_paused = true)]
async fn a_caller_that_is_gone_when_the_grant_arrives_gives_it_back() {
    let calls = Calls::new(80, 80, 10);
    let others = calls.clone();
    let gone = closure::from_fn(move |cx: TaskContext, _: TaskInput| {
        let others = others.clone();
        async move {
            let mut reserve = Box::pin(cx.journal().reserve(tokens(80)));
            let sent = reserve
                .as_mut()
                .poll(&mut Context::from_waker(Waker::noop()));
            assert!(sent.is_pending());
            // The engine serves requests in order, so it has granted this one before.
            assert_eq!(cx.journal().left().await?, Budget::of_tokens(20));
            drop(reserve);
            others.go();
            let begun = tokio::time::timeout(Duration::from_mins(1), others.begun("b"));
            assert!(begun.await.is_ok(), "the other task gets the budget");
            Ok(TaskOutput::null())
        }
    });
    let engine = engine(&[("call", calls.executor()), ("gone", gone)]).await;
    let graph = graph_of([Task::new("gone").action("gone"), call("b")]);
    let run = submit(&engine, graph, 100, OverBudget::Partial).await;
    calls.end("b");
    let report = run.wait().await.expect("ends");
    assert_eq!(report.end(), Some(RunEnd::Completed));
    assert_eq!(report.spent, Spent::from(tokens(10)));
}

#[tokio::test(start_paused = true)]
async fn a_wait_is_no_silence() {
    let calls = Calls::new(80, 80, 10);
    let engine = engine(&[("call", calls.executor())]).await;
    let idle = Duration::from_secs(10);
    let graph = graph_of([call("a"), call("b").idle_timeout(idle)]);
    let run = submit(&engine, graph, 100, OverBudget::Ask).await;
    waits(&calls, &run, "b").await;
    tokio::time::advance(idle * 6).await;
    calls.end("a");
    calls.begun("b").await;
    tokio::time::advance(idle / 2).await;
    calls.end("b");
    let report = run.wait().await.expect("ends");
    assert_eq!(report.end(), Some(RunEnd::Completed));
    assert_eq!(report.task("b").expect("is there").attempts, 1);
}

#[tokio::test(start_paused = true)]
async fn a_person_is_asked_only_after_the_wait() {
    let calls = Calls::new(80, 30, 75);
    let engine = engine(&[("call", calls.executor())]).await;
    let run = submit(
        &engine,
        graph_of([call("a"), call("b")]),
        100,
        OverBudget::Ask,
    )
    .await;
    waits(&calls, &run, "b").await;
    assert!(run.snapshot().questions.is_empty());
    calls.end("a");
    let snapshot = run.until(|snapshot| !snapshot.questions.is_empty()).await;
    let question = snapshot.questions[0].id;
    assert_eq!(snapshot.questions[0].task, "b");
    run.set_budget(Budget::of_tokens(200))
        .await
        .expect("is there");
    run.answer(question, "retry").await.expect("fits");
    calls.end("b");
    let report = run.wait().await.expect("ends");
    assert_eq!(report.end(), Some(RunEnd::Completed));
}

#[tokio::test(start_paused = true)]
async fn what_can_never_fit_does_not_wait() {
    let calls = Calls::new(80, 80, 10);
    calls.set("b", 101, 10);
    let engine = engine(&[("call", calls.executor())]).await;
    let run = submit(
        &engine,
        graph_of([call("a"), call("b")]),
        100,
        OverBudget::Partial,
    )
    .await;
    calls.go();
    // The first call is still in flight.
    run.until(|snapshot| snapshot.counts.failed == 1).await;
    calls.end("a");
    run.wait().await.expect("ends");
}

#[tokio::test(start_paused = true)]
async fn a_suspended_run_waits_no_longer_and_goes_on() {
    let calls = Calls::new(80, 80, 10);
    let engine = engine(&[("call", calls.executor())]).await;
    let run = submit(
        &engine,
        graph_of([call("a"), call("b")]),
        100,
        OverBudget::Ask,
    )
    .await;
    waits(&calls, &run, "b").await;
    run.suspend().await.expect("is there");
    let report = run.wait().await.expect("rests");
    // The call that was cut off may have cost everything; the one that waited cost nothing.
    assert_eq!(report.spent, Spent::from(tokens(80)));
    let name = run.id().clone();
    calls.set("a", 10, 10);
    calls.set("b", 10, 10);
    for name in ["a", "b"] {
        calls.end(name);
    }
    let run = engine.resume(&name).await.expect("goes on");
    let report = run.wait().await.expect("ends");
    assert_eq!(report.end(), Some(RunEnd::Completed));
    assert_eq!(report.spent, Spent::from(tokens(100)));
}

#[tokio::test(start_paused = true)]
async fn money_waits_like_tokens() {
    let money = |micro_usd| Spend {
        tokens: 1,
        micro_usd,
    };
    let calls = Calls::new(0, 0, 0);
    let gates = calls.clone();
    let pays = closure::from_fn(move |cx: TaskContext, _: TaskInput| {
        let calls = gates.clone();
        async move {
            calls.started().await;
            let request = ReservationRequest::new(money(800_000)).independent();
            let held = cx.journal().reserve_up_to(request).await?;
            calls.hold(cx.name()).await;
            cx.journal().settle(held.id, money(10)).await?;
            Ok::<_, TaskError>(TaskOutput::null())
        }
    });
    let engine = engine(&[("pays", pays)]).await;
    let mut graph = TaskGraph::new();
    for name in ["a", "b"] {
        graph.add_task(Task::new(name).action("pays"), []);
    }
    let run = engine
        .submit(support::limited(
            graph,
            Budget::of_micro_usd(1_000_000),
            OverBudget::Ask,
        ))
        .await
        .expect("is saved");
    let text = waits(&calls, &run, "b").await;
    assert_eq!(text, "waits for 0.6 USD that other calls hold");
    calls.end("a");
    calls.end("b");
    assert_eq!(
        run.wait().await.expect("ends").end(),
        Some(RunEnd::Completed)
    );
}
