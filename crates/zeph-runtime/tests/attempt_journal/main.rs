//! The journal of an attempt through the engine: budgets, notes, proposals, and crashes.

use std::sync::Arc;
use std::time::Duration;

use zeph_executor::double::Gate;
use zeph_executor::{
    Executor, Note, NoteKind, Registry, TaskContext, TaskError, TaskInput, TaskOutput, closure,
};
use zeph_graph::{
    Budget, Fault, OverBudget, Policy, RunEnd, RunId, RunState, Spend, Spent, Task, TaskGraph,
    TaskState,
};
use zeph_memory::MemoryStore;
use zeph_runtime::{Engine, RunView, Submission};
use zeph_scheduler::InputOutcome;

mod proposals;

fn tokens(tokens: u32) -> Spend {
    Spend {
        tokens,
        micro_usd: 0,
    }
}

fn budget(tokens: u64) -> Budget {
    Budget::of_tokens(tokens)
}

fn named(name: &str) -> RunId {
    name.parse().expect("a name")
}

async fn engine(store: &MemoryStore, executors: &[(&str, Arc<dyn Executor>)]) -> Engine {
    let mut registry = Registry::new();
    for (name, executor) in executors {
        let registered = registry.register(*name, Arc::clone(executor));
        registered.expect("each name once");
    }
    let builder = Engine::builder(Arc::new(store.clone())).registry(registry);
    builder.start().await.expect("starts")
}

/// Calls for 80 tokens and spends 50.
fn caller() -> Arc<dyn Executor> {
    closure::from_fn(|cx: TaskContext, _: TaskInput| async move {
        let held = cx.journal().reserve(tokens(80)).await?;
        cx.journal().settle(held, tokens(50)).await?;
        // A second call changes nothing.
        cx.journal().settle(held, tokens(50)).await?;
        let left = cx.journal().left().await?;
        Ok(TaskOutput::from(left.tokens().expect("is limited")))
    })
}

fn graph_of(tasks: impl IntoIterator<Item = Task>) -> TaskGraph {
    let mut graph = TaskGraph::new();
    for task in tasks {
        graph.add_task(task, []);
    }
    graph
}

fn submission(graph: TaskGraph, limit: u64, over_budget: OverBudget) -> Submission {
    Submission::new(graph).policy(Policy {
        budget: budget(limit),
        over_budget,
        ..Policy::default()
    })
}

#[tokio::test]
async fn settled_spending_counts_and_the_rest_is_released() {
    let store = MemoryStore::new();
    let engine = engine(&store, &[("call", caller())]).await;
    let graph = graph_of([Task::new("a").action("call")]);
    let run = engine
        .submit(submission(graph, 100, OverBudget::Ask))
        .await
        .expect("is saved");
    let report = run.wait().await.expect("ends");
    assert_eq!(report.end(), Some(RunEnd::Completed));
    assert_eq!(report.spent, Spent::from(tokens(50)));
    let output = run.output(&report, "a").await.expect("readable");
    assert_eq!(output.expect("is there").value, 50);
}

#[tokio::test]
async fn at_its_budget_a_run_asks_and_continues_with_more() {
    let store = MemoryStore::new();
    let engine = engine(&store, &[("call", caller())]).await;
    let mut graph = TaskGraph::new();
    let first = graph.add_task(Task::new("a").action("call"), []);
    graph.add_task(Task::new("b").action("call"), [first]);
    let run = engine
        .submit(submission(graph, 100, OverBudget::Ask))
        .await
        .expect("is saved");
    let snapshot = run.until(|snapshot| !snapshot.questions.is_empty()).await;
    assert_eq!(snapshot.state, RunState::Waiting);
    assert_eq!(snapshot.spent, Spent::from(tokens(50)));
    let question = snapshot.questions[0].id;

    assert_eq!(
        run.set_budget(budget(100)).await.expect("is there"),
        InputOutcome::Stale
    );
    assert_eq!(
        run.set_budget(budget(200)).await.expect("is there"),
        InputOutcome::Accepted
    );
    run.answer(question, "retry").await.expect("fits");
    let report = run.wait().await.expect("ends");
    assert_eq!(report.end(), Some(RunEnd::Completed));
    assert_eq!(report.spent, Spent::from(tokens(100)));

    let view = RunView::load(&store, run.id()).await.expect("readable");
    assert_eq!(view.scheduler.budget(), budget(200));
    let task = view.task("b").expect("is there");
    assert_eq!(view.scheduler.spent_by(task), Spent::from(tokens(50)));
}

#[tokio::test]
async fn at_its_budget_a_run_with_partial_answers_fails_that_task_only() {
    let store = MemoryStore::new();
    let engine = engine(&store, &[("call", caller())]).await;
    let mut graph = TaskGraph::new();
    let first = graph.add_task(Task::new("a").action("call"), []);
    let second = graph.add_task(Task::new("b").action("call"), [first]);
    let join = Task::new("join").trigger(zeph_graph::Trigger::AllDone);
    graph.add_task(join, [second]);
    let run = engine
        .submit(submission(graph, 100, OverBudget::Partial))
        .await
        .expect("is saved");
    let report = run.wait().await.expect("ends");
    assert_eq!(report.end(), Some(RunEnd::Degraded));
    let state = |name: &str| report.task(name).expect("is there").state;
    assert_eq!(state("b"), TaskState::Failed { why: Fault::Budget });
    assert!(state("join").is_completed());
}

#[tokio::test]
async fn an_attempt_that_ends_with_an_open_reservation_has_spent_it() {
    let store = MemoryStore::new();
    let careless = closure::from_fn(|cx: TaskContext, _: TaskInput| async move {
        cx.journal().reserve(tokens(30)).await?;
        Err(TaskError::permanent("gives up"))
    });
    let engine = engine(&store, &[("call", careless)]).await;
    let graph = graph_of([Task::new("a").action("call")]);
    let run = engine
        .submit(submission(graph, 100, OverBudget::Ask))
        .await
        .expect("is saved");
    let report = run.wait().await.expect("ends");
    assert_eq!(report.spent, Spent::from(tokens(30)));
}

#[test]
fn a_reservation_that_a_crash_leaves_open_is_spent_and_the_budget_holds() {
    let store = MemoryStore::new();
    let run = named("crash");
    let runtime = || {
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("starts")
    };
    let reserved = Gate::new();
    let first = runtime();
    first.block_on(async {
        let signal = reserved.clone();
        let hangs = closure::from_fn(move |cx: TaskContext, _: TaskInput| {
            let signal = signal.clone();
            async move {
                cx.journal().reserve(tokens(60)).await?;
                signal.open();
                std::future::pending().await
            }
        });
        let engine = engine(&store, &[("call", hangs)]).await;
        let graph = graph_of([Task::new("a").action("call")]);
        let submission = submission(graph, 100, OverBudget::Partial).name(run.clone());
        engine.submit(submission).await.expect("is saved");
        reserved.opened().await;
    });
    // The process ends during the call.
    drop(first);
    runtime().block_on(async {
        let engine = engine(&store, &[("call", caller())]).await;
        let handle = engine.resume(&run).await.expect("goes on");
        let report = handle.wait().await.expect("ends");
        // The lost attempt spent 60, so the second one is refused its 80.
        assert_eq!(report.spent, Spent::from(tokens(60)));
        let state = report.task("a").expect("is there").state;
        assert_eq!(state, TaskState::Failed { why: Fault::Budget });
    });
}

#[tokio::test]
async fn notes_are_kept_in_order_and_read_back() {
    let store = MemoryStore::new();
    let talker = closure::from_fn(|cx: TaskContext, _: TaskInput| async move {
        cx.journal()
            .note(Note::new(NoteKind::Prompt, "what?"))
            .await?;
        cx.journal()
            .note(Note::new(NoteKind::Reply, "that."))
            .await?;
        let large = Note::new(NoteKind::Reply, vec![b'x'; Note::MAX_BYTES + 1]);
        let refused = cx.journal().note(large).await;
        let code = refused.err().map(|error| error.code().to_owned());
        Ok(TaskOutput::from(code.unwrap_or_default()))
    });
    let engine = engine(&store, &[("talk", talker)]).await;
    let run = engine
        .submit(Submission::new(graph_of([Task::new("a").action("talk")])))
        .await
        .expect("is saved");
    let report = run.wait().await.expect("ends");
    let output = run.output(&report, "a").await.expect("readable");
    assert_eq!(output.expect("is there").value, "note_too_large");
    let view = RunView::load(&store, run.id()).await.expect("readable");
    let notes = view.notes(&store, view.task("a").expect("is there")).await;
    let notes = notes.expect("readable");
    let read: Vec<_> = notes
        .iter()
        .map(|n| (n.kind.as_str(), &n.body[..]))
        .collect();
    assert_eq!(read, [("prompt", &b"what?"[..]), ("reply", b"that.")]);
}

fn ok() -> Arc<dyn Executor> {
    closure::from_fn(|_: TaskContext, input: TaskInput| async move {
        Ok(TaskOutput::from(input.parents.len()))
    })
}

#[tokio::test]
async fn journal_requests_of_a_cancelled_attempt_change_nothing() {
    let store = MemoryStore::new();
    let (started, errors) = (Gate::new(), Arc::new(std::sync::Mutex::new(Vec::new())));
    let (signal, notes) = (started.clone(), Arc::clone(&errors));
    let outlives = closure::from_fn(move |cx: TaskContext, _: TaskInput| {
        let (signal, notes) = (signal.clone(), Arc::clone(&notes));
        async move {
            signal.open();
            let late = cx.clone();
            tokio::spawn(async move {
                late.kill_token().cancelled().await;
                let reserved = late.journal().reserve(tokens(10)).await;
                let left = late.journal().left().await;
                let noted = late
                    .journal()
                    .note(Note::new(NoteKind::Reply, "late"))
                    .await;
                let errors = [reserved.err(), left.err(), noted.err()];
                let codes = errors.map(|error| error.map(|error| error.code().to_owned()));
                notes.lock().expect("whole").extend(codes);
            });
            std::future::pending().await
        }
    });
    let engine = engine(&store, &[("outlives", outlives)]).await;
    let policy = Policy {
        cancel_grace: std::time::Duration::ZERO,
        ..Policy::default()
    };
    let graph = graph_of([Task::new("a").action("outlives")]);
    let run = engine
        .submit(Submission::new(graph).policy(policy))
        .await
        .expect("is saved");
    started.opened().await;
    run.cancel_task("a").await.expect("is there");
    let report = run.wait().await.expect("ends");
    assert_eq!(report.spent, Spent::default());
    while errors.lock().expect("whole").is_empty() {
        tokio::task::yield_now().await;
    }
    assert_eq!(
        *errors.lock().expect("whole"),
        ["attempt_over"; 3].map(|code| Some(code.to_owned()))
    );
}

#[tokio::test]
async fn an_attempt_gets_the_error_of_the_one_before_also_after_a_restart() {
    // Fails at first, waits in the second attempt, and returns what it was given in the third.
    let asked = Gate::new();
    let executor = |asked: Gate| {
        closure::from_fn(move |cx: TaskContext, input: TaskInput| {
            let asked = asked.clone();
            async move {
                let given = input.previous_error.map(|error| error.message);
                match cx.attempt().get() {
                    1 if given.is_none() => {
                        Err(TaskError::retryable("name a source").with_code("check_failed"))
                    }
                    2 => {
                        asked.open();
                        cx.cancelled().await;
                        Err(TaskError::cancelled("stopped"))
                    }
                    _ => Ok(TaskOutput::from(given.unwrap_or_default())),
                }
            }
        })
    };
    let store = MemoryStore::new();
    let first = engine(&store, &[("call", executor(asked.clone()))]).await;
    let retry = zeph_graph::Retry {
        max_retries: 1,
        base: Duration::ZERO,
        ..zeph_graph::Retry::NEVER
    };
    let graph = graph_of([Task::new("a").action("call").retry(retry)]);
    let submitted = Submission::new(graph).name(named("again"));
    let run = first.submit(submitted).await.expect("is saved");
    asked.opened().await;
    run.suspend().await.expect("is there");
    run.wait().await.expect("rests");
    drop((run, first));

    let second = engine(&store, &[("call", executor(asked))]).await;
    let run = second.resume(&named("again")).await.expect("goes on");
    let report = run.wait().await.expect("ends");
    let output = run.output(&report, "a").await.expect("readable");
    assert_eq!(output.expect("is there").value, "name a source");
}
