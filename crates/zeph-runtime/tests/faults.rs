//! Faults: a journal that cannot be written, executors that misbehave, lost processes.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use zeph_executor::double::{Gate, ScriptedExecutor, Step};
use zeph_executor::{Registry, TaskError};
use zeph_graph::{
    AskWhy, Effect, Fault as Cause, OnFailure, Policy, Retry, RunEnd, RunState, Task, TaskGraph,
    TaskState,
};
use zeph_memory::{FaultyStore, MemoryStore, Op, RawGraphStore, StoreFault};
use zeph_runtime::{Engine, RunEvent, RunView, RuntimeError, Submission};

async fn engine(store: Arc<dyn RawGraphStore>, script: &Arc<ScriptedExecutor>) -> Engine {
    let mut registry = Registry::new();
    registry
        .register("do", Arc::clone(script) as _)
        .expect("the first of its name");
    Engine::builder(store)
        .registry(registry)
        .start()
        .await
        .expect("starts")
}

fn doing(name: &str) -> Task {
    Task::new(name).action("do")
}

fn quick() -> Policy {
    let none = Duration::ZERO;
    Policy {
        cancel_grace: none,
        suspend_grace: none,
        ..Policy::default()
    }
}

#[tokio::test]
async fn when_the_journal_cannot_be_written_nothing_new_starts_and_nothing_saved_is_lost() {
    let memory = MemoryStore::new();
    let faulty = Arc::new(FaultyStore::new(memory.clone()));
    let gate = Gate::new();
    let script = Arc::new(
        ScriptedExecutor::new()
            .on("first", [Step::ok(1)])
            .on("second", [Step::ok(2).after(&gate), Step::ok(2)])
            .on("third", [Step::ok(3)])
            .allow_reruns(),
    );
    let engine = engine(faulty.clone(), &script).await;
    let mut graph = TaskGraph::new();
    let first = graph.add_task(doing("first"), []);
    let second = graph.add_task(doing("second"), [first]);
    graph.add_task(doing("third"), [second]);
    let run = engine
        .submit(Submission::new(graph).policy(quick()))
        .await
        .expect("is saved");
    script.started("second").await;
    faulty.fail_next(Op::Commit, StoreFault::Full);
    gate.open();

    let report = run.wait().await.expect("has a report");
    let error = report.error.as_deref().expect("has a reason");
    assert!(error.contains("disk is full"), "{error}");
    assert_eq!(
        script.called(),
        ["first", "second"],
        "the third must not start"
    );
    let again = engine.submit(Submission::new(TaskGraph::new())).await;
    assert!(
        matches!(again, Err(RuntimeError::Closed { .. })),
        "{again:?}"
    );

    // Another process, after the disk is repaired: saved results are kept, the rest runs again.
    let healthy = self::engine(Arc::new(memory), &script).await;
    let run = healthy.resume(run.id()).await.expect("goes on");
    assert_eq!(
        run.wait().await.expect("ends").end(),
        Some(RunEnd::Completed)
    );
    assert_eq!(script.called(), ["first", "second", "second", "third"]);
}

#[tokio::test]
async fn an_interrupted_at_most_once_task_is_repeated_only_after_an_answer() {
    let memory = MemoryStore::new();
    let script = Arc::new(
        ScriptedExecutor::new()
            .on("pay", [Step::hang().deaf(), Step::ok("paid")])
            .allow_reruns()
            .allow_overlaps(),
    );
    let first = engine(Arc::new(memory.clone()), &script).await;
    let mut graph = TaskGraph::new();
    graph.add_task(doing("pay").effect(Effect::AtMostOnce), []);
    let run = first
        .submit(Submission::new(graph).policy(quick()))
        .await
        .expect("is saved");
    script.started("pay").await;

    // A second owner adopts the run while the first owner is still active.
    let second = engine(Arc::new(memory.clone()), &script).await;
    let taken = second.resume(run.id()).await.expect("is taken over");
    let snapshot = taken
        .until(|snapshot| snapshot.state == RunState::Waiting)
        .await;
    assert_eq!(snapshot.questions[0].task, "pay");
    taken.answer(1, "retry").await.expect("is saved");
    let report = taken.wait().await.expect("ends");
    assert_eq!(report.end(), Some(RunEnd::Completed));
    assert_eq!(report.tasks[0].attempt_counts.restarts, 1);
    // The first owner is fenced: its next write fails, and its report has the reason.
    let _ = run.cancel().await;
    let lost = run.wait().await.expect("has a report");
    assert!(lost.error.is_some(), "{lost:?}");
    let view = RunView::load(&memory, taken.id()).await.expect("is whole");
    assert!(!view.status.open);
}

#[tokio::test]
async fn an_interrupted_attempt_is_not_explained_by_the_error_of_an_earlier_one() {
    let memory = MemoryStore::new();
    let script = Arc::new(
        ScriptedExecutor::new()
            .on(
                "pay",
                [
                    Step::fail(TaskError::retryable("card reader busy")),
                    Step::hang(),
                ],
            )
            .allow_reruns(),
    );
    let first = engine(Arc::new(memory.clone()), &script).await;
    let mut graph = TaskGraph::new();
    let retry = Retry::times(1).backoff(Duration::ZERO, Duration::ZERO);
    graph.add_task(doing("pay").effect(Effect::AtMostOnce).retry(retry), []);
    let run = first
        .submit(Submission::new(graph).policy(quick()))
        .await
        .expect("is saved");
    let mut events = run.events().expect("the first call");
    script.started("pay").await;
    while script.called().len() < 2 {
        tokio::task::yield_now().await;
    }
    run.suspend().await.expect("is accepted");
    run.wait().await.expect("is suspended");
    let mut asked = Vec::new();
    while let Some(event) = events.next().await {
        if let RunEvent::Saved {
            error,
            question: Some(_),
            ..
        } = event
        {
            asked.push(error);
        }
    }
    assert_eq!(asked, [None]);

    let second = engine(Arc::new(memory.clone()), &script).await;
    let resumed = second.resume(run.id()).await.expect("goes on");
    let snapshot = resumed
        .until(|snapshot| snapshot.state == RunState::Waiting)
        .await;
    let question = &snapshot.questions[0];
    assert_eq!(question.about, AskWhy::Failure(Cause::Interrupted));
    assert_eq!(question.error, None);

    resumed.answer(1, "abort").await.expect("is saved");
    resumed.wait().await.expect("ends");
    let view = RunView::load(&memory, run.id()).await.expect("is whole");
    let report = view.full_report(&memory).await.expect("is read");
    assert!(matches!(
        view.scheduler
            .task(view.task("pay").expect("is a task"))
            .state(),
        TaskState::Failed { .. }
    ));
    assert_eq!(report.tasks[0].error, None);
}

#[tokio::test(start_paused = true)]
async fn a_deaf_executor_is_abandoned_after_its_grace_and_named() {
    let script = Arc::new(ScriptedExecutor::new().on("deaf", [Step::hang().deaf()]));
    let engine = engine(Arc::new(MemoryStore::new()), &script).await;
    let mut graph = TaskGraph::new();
    let task = doing("deaf")
        .timeout(Duration::from_secs(1))
        .on_failure(OnFailure::Skip);
    graph.add_task(task, []);
    let run = engine
        .submit(Submission::new(graph))
        .await
        .expect("is saved");
    let report = run.wait().await.expect("ends");
    assert_eq!(report.end(), Some(RunEnd::Degraded));
    assert_eq!(report.tasks[0].attempt_counts.abandoned, 1);
}

#[tokio::test(start_paused = true)]
async fn a_result_from_a_standstill_of_the_process_wins_over_the_timeout() {
    let gate = Gate::new();
    let script = ScriptedExecutor::new().on("slow", [Step::ok(1).after(&gate)]);
    let script = Arc::new(script.on("late", [Step::hang()]));
    let engine = engine(Arc::new(MemoryStore::new()), &script).await;
    let mut graph = TaskGraph::new();
    for name in ["slow", "late"] {
        let task = doing(name).timeout(Duration::from_secs(1));
        graph.add_task(task.on_failure(OnFailure::Skip), []);
    }
    let run = engine
        .submit(Submission::new(graph))
        .await
        .expect("is saved");
    script.started("slow").await;
    script.started("late").await;
    // As after SIGSTOP and SIGCONT: the timers and the result are due at the same moment.
    tokio::time::advance(Duration::from_secs(60)).await;
    gate.open();
    let report = run.wait().await.expect("ends");
    let state = |task: usize| report.tasks[task].state;
    assert!(
        matches!(state(0), TaskState::Completed { .. }),
        "{report:?}"
    );
    assert!(matches!(state(1), TaskState::Failed { .. }), "{report:?}");
}

#[tokio::test(start_paused = true)]
async fn a_retry_repeats_one_task_only() {
    let script = Arc::new(
        ScriptedExecutor::new()
            .on(
                "flaky",
                [Step::fail(TaskError::retryable("try again")), Step::ok(1)],
            )
            .on("steady", [Step::ok(2)])
            .on("after", [Step::ok(3)])
            .allow_reruns(),
    );
    let engine = engine(Arc::new(MemoryStore::new()), &script).await;
    let mut graph = TaskGraph::new();
    let flaky = graph.add_task(doing("flaky").retries(1), []);
    let steady = graph.add_task(doing("steady"), []);
    graph.add_task(doing("after"), [flaky, steady]);
    let run = engine
        .submit(Submission::new(graph))
        .await
        .expect("is saved");
    assert_eq!(
        run.wait().await.expect("ends").end(),
        Some(RunEnd::Completed)
    );
    assert_eq!(script.called(), ["flaky", "steady", "flaky", "after"]);
}

#[tokio::test]
async fn many_runs_share_the_slots_the_oldest_first() {
    let gate = Gate::new();
    let script = Arc::new(
        ScriptedExecutor::new()
            .otherwise(Step::ok(1).after(&gate))
            .allow_reruns(),
    );
    let mut registry = Registry::new();
    registry
        .register("do", Arc::clone(&script) as _)
        .expect("the first of its name");
    let limits = zeph_runtime::Limits {
        max_parallel: 2,
        ..Default::default()
    };
    let engine = Engine::builder(Arc::new(MemoryStore::new()))
        .registry(registry)
        .limits(limits)
        .start()
        .await
        .expect("starts");
    let mut runs = Vec::new();
    for prefix in ["a", "b", "c"] {
        let mut graph = TaskGraph::new();
        for i in 0..3 {
            graph.add_task(doing(&format!("{prefix}{i}")), []);
        }
        let wide = Policy {
            max_parallel: NonZeroU32::MAX,
            ..Policy::default()
        };
        runs.push(
            engine
                .submit(Submission::new(graph).policy(wide))
                .await
                .expect("is saved"),
        );
    }
    script.started("a1").await;
    assert_eq!(
        script.called(),
        ["a0", "a1"],
        "two slots for all runs together"
    );
    gate.open();
    for run in runs {
        assert_eq!(
            run.wait().await.expect("ends").end(),
            Some(RunEnd::Completed)
        );
    }
    let called = script.called();
    assert_eq!(called.len(), 9);
    let place = |name: &str| called.iter().position(|n| n == name).expect("was called");
    assert!(
        place("a2") < place("b2") && place("b2") < place("c2"),
        "{called:?}"
    );
}

#[tokio::test]
async fn a_task_that_ends_by_itself_during_a_suspension_is_completed() {
    let gate = Gate::new();
    let script = Arc::new(ScriptedExecutor::new().on("slow", [Step::ok(1).after(&gate)]));
    let engine = engine(Arc::new(MemoryStore::new()), &script).await;
    let mut graph = TaskGraph::new();
    let slow = graph.add_task(doing("slow"), []);
    graph.add_task(doing("next"), [slow]);
    let run = engine
        .submit(Submission::new(graph))
        .await
        .expect("is saved");
    script.started("slow").await;
    run.suspend().await.expect("is saved");
    gate.open();
    let report = run.wait().await.expect("rests");
    assert_eq!(report.state, RunState::Suspended);
    assert!(report.task("slow").expect("is there").state.is_completed());
    assert_eq!(
        report.task("next").expect("is there").state,
        TaskState::Ready
    );
}

#[tokio::test]
async fn an_unregistered_executor_is_named_before_anything_begins() {
    let engine = Engine::builder(Arc::new(MemoryStore::new()))
        .start()
        .await
        .expect("starts");
    let mut graph = TaskGraph::new();
    graph.add_task(Task::new("x").action("unknown"), []);
    let error = engine
        .submit(Submission::new(graph))
        .await
        .expect_err("is refused");
    assert!(error.to_string().contains("unknown"), "{error}");
}

#[tokio::test]
async fn a_second_suspend_ends_the_grace_period() {
    let script = Arc::new(ScriptedExecutor::new().on("slow", [Step::hang()]));
    let engine = engine(Arc::new(MemoryStore::new()), &script).await;
    let mut graph = TaskGraph::new();
    graph.add_task(doing("slow"), []);
    let hour = Duration::from_secs(3600);
    let patient = Policy {
        cancel_grace: hour,
        suspend_grace: hour,
        ..Policy::default()
    };
    let run = engine
        .submit(Submission::new(graph).policy(patient))
        .await
        .expect("is saved");
    script.started("slow").await;
    run.suspend().await.expect("is saved");
    assert_eq!(run.snapshot().state, RunState::Suspending);
    run.suspend().await.expect("is saved");
    let report = run.wait().await.expect("rests");
    assert_eq!(report.state, RunState::Suspended);
    assert_eq!(report.tasks[0].attempt_counts.restarts, 1);
}

#[tokio::test]
async fn ten_thousand_completions_at_once_are_all_recorded() {
    const MANY: u32 = 10_000;
    let gate = Gate::new();
    let script = Arc::new(ScriptedExecutor::new().otherwise(Step::ok(1).after(&gate)));
    let mut registry = Registry::new();
    registry
        .register("do", Arc::clone(&script) as _)
        .expect("the first of its name");
    let limits = zeph_runtime::Limits {
        max_parallel: MANY,
        ..Default::default()
    };
    let builder = Engine::builder(Arc::new(MemoryStore::new())).registry(registry);
    let engine = builder.limits(limits).start().await.expect("starts");
    let mut graph = TaskGraph::new();
    for i in 0..MANY {
        graph.add_task(doing(&format!("t{i}")), []);
    }
    let wide = Policy {
        max_parallel: NonZeroU32::MAX,
        ..Policy::default()
    };
    let run = engine
        .submit(Submission::new(graph).policy(wide))
        .await
        .expect("is saved");
    run.until(|snapshot| snapshot.counts.running == MANY).await;
    gate.open();
    let report = run.wait().await.expect("ends");
    assert_eq!(report.counts.completed, MANY);
    assert!(report.tasks.iter().all(|task| task.attempts == 1));
}

#[test]
fn dropping_the_tokio_runtime_loses_only_attempts_in_flight() {
    let memory = MemoryStore::new();
    let script = Arc::new(
        ScriptedExecutor::new()
            .on("first", [Step::ok(1)])
            .on("second", [Step::hang(), Step::ok(2)])
            .allow_reruns()
            .allow_overlaps(),
    );
    let runtime = || {
        let mut builder = tokio::runtime::Builder::new_current_thread();
        builder.enable_all().build().expect("a runtime")
    };
    let dropped = runtime();
    let run = dropped.block_on(async {
        let mut graph = TaskGraph::new();
        let first = graph.add_task(doing("first"), []);
        graph.add_task(doing("second"), [first]);
        let engine = engine(Arc::new(memory.clone()), &script).await;
        let run = engine
            .submit(Submission::new(graph))
            .await
            .expect("is saved");
        script.started("second").await;
        run
    });
    drop(dropped);
    runtime().block_on(async {
        assert!(
            matches!(run.wait().await, Err(RuntimeError::Gone { .. })),
            "has a report"
        );
        let engine = engine(Arc::new(memory.clone()), &script).await;
        let again = engine.resume(run.id()).await.expect("goes on");
        assert_eq!(
            again.wait().await.expect("ends").end(),
            Some(RunEnd::Completed)
        );
    });
    assert_eq!(script.called(), ["first", "second", "second"]);
}
