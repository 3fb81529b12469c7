//! Closures, the scripted executor and the conformance suite, tested from outside.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use zeph_executor::conformance::{Sample, check};
use zeph_executor::double::{Gate, ScriptedExecutor, Step};
use zeph_executor::{
    Attempt, ErrorClass, Executor, Parent, RunId, Stop, TaskContext, TaskError, TaskId, TaskInput,
    TaskOutput, closure,
};

fn context(name: &str, attempt: u32, stop: &Stop) -> TaskContext {
    let run: RunId = "r".parse().expect("a plain name");
    let attempt = Attempt::new(attempt).expect("attempts start at 1");
    TaskContext::builder(run, TaskId::from_index(0), name, attempt)
        .stop(stop)
        .build()
}

/// Runs an attempt as a task of its own; returns the message if it panics.
async fn caught(script: &Arc<ScriptedExecutor>, cx: TaskContext) -> Option<String> {
    let script = Arc::clone(script);
    let work = tokio::spawn(async move { script.execute(&cx, TaskInput::default()).await });
    let panic = work.await.err()?.into_panic();
    panic.downcast::<String>().ok().map(|text| *text)
}

#[tokio::test]
async fn closures_take_types_and_parents() {
    let add = closure::action(|(a, b): (i64, i64)| async move { Ok::<_, TaskError>(a + b) });
    let cx = context("add", 1, &Stop::new());
    let sum = add.execute(&cx, TaskInput::new(json!([2, 3]))).await;
    assert_eq!(sum.ok(), Some(TaskOutput::from(5)));
    let misfit = add
        .execute(&cx, TaskInput::new(json!([2, "3"])))
        .await
        .expect_err("text is no number");
    assert_eq!(
        (misfit.class(), misfit.code()),
        (ErrorClass::Permanent, "invalid_params")
    );
    assert!(misfit.message().contains("`[1]`"), "{misfit}");

    let relay = closure::from_fn(|cx: TaskContext, input: TaskInput| async move {
        let page: String = input.parent_as("page")?;
        Ok(TaskOutput::from(format!("{} {page}", cx.name())))
    });
    let mut input = TaskInput::default();
    input
        .parents
        .insert("page".into(), Parent::completed(TaskOutput::from("p")));
    let output = relay
        .execute(&context("relay", 1, &Stop::new()), input)
        .await;
    assert_eq!(output.ok(), Some(TaskOutput::from("relay p")));
}

#[tokio::test]
async fn a_typed_closure_is_dropped_when_it_is_cancelled() {
    let hang = closure::action(|(): ()| std::future::pending::<Result<(), TaskError>>());
    let stop = Stop::new();
    stop.cancel();
    let end = hang
        .execute(&context("hang", 1, &stop), TaskInput::default())
        .await;
    assert!(end.is_err_and(|error| error.class() == ErrorClass::Cancelled));
}

#[tokio::test]
async fn gates_hold_attempts_without_sleeps() {
    let gate = Gate::new();
    let script = Arc::new(ScriptedExecutor::new().on("a", [Step::ok("v").after(&gate)]));
    let held = Arc::clone(&script);
    let cx = context("a", 1, &Stop::new());
    let work = tokio::spawn(async move { held.execute(&cx, TaskInput::new(7)).await });
    script.started("a").await;
    assert!(!work.is_finished());
    gate.open();
    let output = work.await.map(Result::ok);
    assert_eq!(output.ok().flatten(), Some(TaskOutput::from("v")));
    assert_eq!(script.calls()[0].params, 7);
}

#[tokio::test]
async fn the_double_refuses_calls_that_drivers_must_not_make() {
    let script = Arc::new(
        ScriptedExecutor::new()
            .on("a", [Step::ok(1)])
            .otherwise(Step::hang()),
    );
    let stop = Stop::new();
    assert_eq!(caught(&script, context("a", 1, &stop)).await, None);
    let again = caught(&script, context("a", 2, &stop)).await;
    assert_eq!(
        again.as_deref(),
        Some("r/a was called again after it had completed")
    );

    let (held, cx) = (Arc::clone(&script), context("b", 1, &stop));
    let hanging = tokio::spawn(async move { held.execute(&cx, TaskInput::default()).await });
    script.started("b").await;
    let twice = caught(&script, context("b", 2, &stop)).await;
    assert_eq!(
        twice.as_deref(),
        Some("r/b was called while an attempt of it was running")
    );
    stop.cancel();
    assert!(hanging.await.is_ok_and(|end| end.is_err()));
    let backwards = caught(&script, context("b", 1, &stop)).await;
    assert_eq!(backwards.as_deref(), Some("r/b was called for #1 after #1"));
    assert_eq!(script.violations().len(), 3);

    let unknown = Arc::new(ScriptedExecutor::new());
    let refused = caught(&unknown, context("c", 1, &stop)).await;
    assert_eq!(refused.as_deref(), Some("r/c #1 is not in the script"));
}

#[tokio::test]
async fn the_double_can_allow_reruns_and_overlaps() {
    let script = ScriptedExecutor::new()
        .otherwise(Step::ok(1))
        .allow_reruns()
        .allow_overlaps();
    let script = Arc::new(script);
    for _ in 0..2 {
        assert_eq!(caught(&script, context("a", 1, &Stop::new())).await, None);
    }
    assert_eq!((script.violations(), script.called().len()), (vec![], 2));
}

fn sample() -> Sample {
    Sample {
        short: TaskInput::new("short"),
        long: Some(TaskInput::new("long")),
        grace: Duration::from_millis(50),
    }
}

#[tokio::test(start_paused = true)]
async fn the_suite_accepts_a_good_executor() {
    let good = closure::action_with(|cx: TaskContext, kind: String| async move {
        if kind == "long" {
            cx.cancelled().await;
            return Err(TaskError::cancelled("stopped"));
        }
        Ok("done")
    });
    assert_eq!(check(good, sample()).await, Ok(()));
}

#[tokio::test(start_paused = true)]
async fn the_suite_finds_every_kind_of_bad_executor() {
    let deaf = closure::action_with(|_: TaskContext, kind: String| async move {
        if kind == "long" {
            std::future::pending::<()>().await;
        }
        Ok::<_, TaskError>("done")
    });
    let wordy = closure::action(|_: String| async { Ok::<_, TaskError>("x".repeat(2 << 20)) });
    let wrong_class = closure::action_with(|cx: TaskContext, kind: String| async move {
        if kind == "long" {
            cx.cancelled().await;
            return Err(TaskError::retryable("it broke"));
        }
        Ok("done")
    });
    let slow_to_die = closure::action_with(|cx: TaskContext, kind: String| async move {
        if kind == "long" {
            cx.cancelled().await;
            tokio::time::timeout(cx.grace() / 2, std::future::pending::<()>())
                .await
                .ok();
            return Err(TaskError::cancelled("late"));
        }
        Ok("done")
    });
    let before = "a cancel before the start";
    let running = "a cancel while it runs";
    let kill = "a kill while it runs";
    let cases: [(Arc<dyn Executor>, &[&str]); 4] = [
        (deaf, &[before, running, kill]),
        (
            wordy,
            &[
                "completes within the limit",
                "two attempts at a time",
                "an attempt after a dropped one",
                running,
                kill,
            ],
        ),
        (wrong_class, &[before, running, kill]),
        (slow_to_die, &[kill]),
    ];
    for (executor, wanted) in cases {
        let violations = check(executor, sample())
            .await
            .expect_err("a rule is broken")
            .0;
        let found: Vec<_> = violations.iter().map(|violation| violation.case).collect();
        assert_eq!(found, wanted);
    }
}
