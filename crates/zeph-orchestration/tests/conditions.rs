//! Conditions, finalizers and typed answers of flows, blocking graphs and engines.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use zeph_executor::closure;
use zeph_memory::{MemoryStore, RawGraphStore};
use zeph_orchestration::flow::Durable;
use zeph_orchestration::graph::{Approval, Params};
use zeph_orchestration::journal::SkipWhy;
use zeph_orchestration::{
    DagScheduler, Engine, Flow, FlowReport, OnFailure, Question, Registry, RunEnd, RunId, RunState,
    RunView, Submission, Task, TaskError, TaskGraph, TaskInput, TaskState,
};

const SKIPPED: TaskState = TaskState::Skipped {
    why: SkipWhy::Condition,
};

/// A durable flow in memory, with its store.
fn stored() -> (Arc<dyn RawGraphStore>, RunId, Flow<Durable>) {
    let store: Arc<dyn RawGraphStore> = Arc::new(MemoryStore::new());
    let run: RunId = "stored".parse().expect("is a name");
    let flow = Flow::durable(Arc::clone(&store), run.clone());
    (store, run, flow)
}

/// The code and message of a failed task, and how many attempts it had.
async fn failure(store: &dyn RawGraphStore, run: &RunId, task: &str) -> (String, String, u32) {
    let view = RunView::load(store, run).await.expect("is stored");
    let report = view.full_report(store).await.expect("is stored");
    let task = report.tasks.iter().find(|one| &*one.name == task);
    let task = task.expect("is a task of the flow");
    let error = task.error.as_ref().expect("it failed");
    (error.code.clone(), error.message.clone(), task.attempts)
}

fn state(report: &FlowReport, task: &str) -> TaskState {
    let task = report.tasks.iter().find(|one| &*one.name == task);
    task.expect("is a task of the flow").state
}

#[tokio::test]
async fn a_condition_decides_over_a_task_a_question_and_a_list() {
    for (count, runs) in [(3u32, false), (30, true)] {
        let mut flow = Flow::new();
        let count = flow.task("count", (), move |()| async move { Ok(count) });
        let list = flow.task("list", (), |()| async { Ok(vec![1u32, 2]) });
        let is_many = |count: Arc<u32>| async move { Ok(*count > 10) };
        // The task itself does not take what its condition takes.
        let warned = flow
            .when(count, is_many)
            .task("warn", (), |()| async { Ok(1) });
        let parts = flow
            .when(count, is_many)
            .map("each", list, |one| async move { Ok(one + 1) });
        let sure = flow
            .when(count, is_many)
            .ask::<bool>("sure", (), Question::confirm("Sure?"));
        assert_eq!(flow.graph().parents(warned.id()), [count.id()]);
        assert_eq!(flow.graph().parents(parts.id()), [list.id(), count.id()]);
        let run = flow.start().await.expect("starts");
        if runs {
            run.until(|run| run.state == RunState::Waiting).await;
            run.answer(1, "yes").await.expect("is saved");
        }
        let report = run.wait().await.expect("ends");
        assert_eq!(report.end(), Some(RunEnd::Completed));
        for task in ["warn", "each", "sure"] {
            assert_eq!(state(&report, task) == SKIPPED, !runs, "{task}");
        }
        if runs {
            assert_eq!(*report.get(parts).expect("has a value"), [2, 3]);
            assert!(*report.get(sure).expect("has a value"));
        }
    }
}

#[tokio::test]
async fn a_condition_is_asked_before_an_approval_and_its_error_is_a_failure() {
    let (store, run, mut flow) = stored();
    let send = Task::new("send").approve("Send?");
    let sent = flow.when((), |()| async { Ok(false) });
    sent.task(send, (), |()| async { Ok(1) });
    let check = Task::new("check").retries(3);
    let checked = flow.when((), |()| async { Err(TaskError::permanent("no rule")) });
    checked.task(check, (), |()| async { Ok(1) });
    let report = flow.run().await.expect("runs");
    assert_eq!(state(&report, "send"), SKIPPED);
    assert_eq!(report.end(), Some(RunEnd::Failed));
    let (_, message, attempts) = failure(&*store, &run, "check").await;
    assert_eq!(
        (&*message, attempts),
        ("no rule", 0),
        "it was never started"
    );
}

#[tokio::test]
async fn a_durable_flow_with_conditions_goes_on_and_ends() {
    let store: Arc<dyn RawGraphStore> = Arc::new(MemoryStore::new());
    let asked = Arc::new(AtomicU32::new(0));
    let build = || {
        let mut flow = Flow::durable(Arc::clone(&store), "nightly".parse().expect("is a name"));
        let name = flow.ask::<String>("name", (), Question::text("Name?"));
        let asked = Arc::clone(&asked);
        let greet = flow.when(name, move |name| {
            asked.fetch_add(1, Ordering::SeqCst);
            async move { Ok(name.starts_with('A')) }
        });
        let greeting = greet.task(
            "greet",
            name,
            |name| async move { Ok(format!("hi {name}")) },
        );
        (flow, greeting)
    };
    let (flow, _) = build();
    let run = flow.start().await.expect("starts");
    run.until(|run| run.state == RunState::Waiting).await;
    run.suspend().await.expect("is saved");
    run.wait().await.expect("rests");
    let (flow, greeting) = build();
    let run = flow.start().await.expect("the graph is the same");
    run.answer(1, "Ada").await.expect("is saved");
    let report = run.wait().await.expect("ends");
    assert_eq!(*report.get(greeting).expect("has a value"), "hi Ada");
    let (flow, greeting) = build();
    let report = flow.run().await.expect("has run");
    assert_eq!(*report.get(greeting).expect("has a value"), "hi Ada");
    assert_eq!(asked.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_finalizer_of_a_flow_sees_how_the_run_went() {
    for (is_good, wanted) in [(true, RunEnd::Completed), (false, RunEnd::Failed)] {
        let mut flow = Flow::new();
        let work = flow.task("work", (), move |()| async move {
            is_good
                .then_some(5)
                .ok_or_else(|| TaskError::permanent("no"))
        });
        let reported = flow.finally("tell", work.optional(), |end, work| async move {
            Ok((end, work.map(|work| *work)))
        });
        let report = flow.run().await.expect("runs");
        assert_eq!(report.end(), Some(wanted));
        let reported = report.get(reported).expect("has a value");
        assert_eq!(*reported, (wanted, is_good.then_some(5)));
    }
}

#[tokio::test]
async fn an_answer_that_the_type_does_not_hold_is_reported() {
    let (store, id, mut flow) = stored();
    let copies = flow.ask::<u8>("copies", (), Question::number("How many?"));
    flow.task("print", copies, |copies| async move { Ok(*copies) });
    let run = flow.start().await.expect("starts");
    run.until(|run| run.state == RunState::Waiting).await;
    let text = run.answer(1, "many").await.expect_err("is no number");
    assert!(text.to_string().contains("number"), "{text}");
    run.answer(1, "300").await.expect("is a number");
    let report = run.wait().await.expect("ends");
    let error = report.get(copies).expect_err("is no u8").to_string();
    let wanted = r#"the answer of task "copies" does not fit: "#;
    assert!(error.contains(wanted) && error.contains("300"), "{error}");
    let (code, message, _) = failure(&*store, &id, "print").await;
    assert_eq!(code, "invalid_answer");
    assert!(message.starts_with(wanted), "{message}");
}

/// The panic of adding a question with answers of type `T`.
fn refused<T: serde::de::DeserializeOwned + Send + Sync + 'static>(question: Question) -> String {
    let add = || {
        Flow::new().ask::<T>("q", (), question);
    };
    let panic = std::panic::catch_unwind(std::panic::AssertUnwindSafe(add));
    let panic = panic.expect_err("is refused");
    panic.downcast_ref::<String>().expect("has a text").clone()
}

#[derive(Debug, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
enum Colour {
    Red,
}

#[test]
fn a_question_whose_answers_never_fit_is_refused_when_it_is_added() {
    for text in [
        refused::<String>(Question::confirm("?")),
        refused::<u32>(Question::text("?")),
        refused::<String>(Question::number("?")),
        refused::<Colour>(Question::choice("?", ["red", "green"])),
        refused::<u8>(Question::number("?").default_after(
            std::time::Duration::from_secs(1),
            Params::from_json_text("-1"),
        )),
    ] {
        let wanted = r#"the answer of task "q" does not fit its type: "#;
        assert!(text.starts_with(wanted), "{text}");
    }
    let mut flow = Flow::new();
    flow.ask::<Colour>("a", (), Question::choice("?", ["red"]));
    flow.ask::<u8>("b", (), Question::number("?"));
    flow.ask::<f64>("c", (), Question::number("?"));
    flow.ask::<serde_json::Value>("d", (), Question::text("?"));
    flow.ask::<std::net::IpAddr>("e", (), Question::text("?"));
}

#[test]
fn a_blocking_graph_has_conditions_and_tells_its_finalizers() {
    let mut graph = TaskGraph::new();
    let count = graph.add_task("count", []);
    let warn = graph.add_task("warn", [count]);
    let mail = graph.add_task(Task::new("mail").approve(Approval::from("Send?")), [count]);
    let broken = graph.add_task(Task::new("broken").on_failure(OnFailure::Skip), [count]);
    let last = graph.add_task(Task::new("last").finally(), []);
    let mut scheduler = DagScheduler::new(graph);
    scheduler
        .body(count, || 30)
        .body(warn, || "many")
        .body(mail, || ())
        .body(broken, || ())
        .body(last, |cx: &zeph_orchestration::AttemptContext| {
            cx.outcome().map(|end| format!("{end:?}"))
        })
        .when(warn, |cx| Ok(cx.input_as::<u32>("count")? > 10))
        .when(mail, |cx| Ok(cx.input_as::<u32>("count")? > 100))
        .when(broken, |_| panic!("no rule"));
    while scheduler.tick() {}
    assert!(scheduler.state(warn).is_completed());
    assert_eq!(scheduler.state(mail), SKIPPED);
    assert!(
        scheduler
            .error(broken)
            .is_some_and(|text| text.contains("no rule"))
    );
    assert_eq!(scheduler.output(last), Some(&"Degraded".into()));
}

#[test]
fn a_condition_of_a_caller_that_does_the_work_itself() {
    let mut graph = TaskGraph::new();
    let first = graph.add_task("first", []);
    let last = graph.add_task("last", [first]);
    let mut scheduler = DagScheduler::external(graph);
    scheduler.when(last, |cx| Ok(cx.input("first").is_none()));
    let mut started = Vec::new();
    while scheduler.tick() {
        for work in scheduler.started() {
            started.push(work.name().to_owned());
            scheduler.complete(work.task(), work.attempt(), 1.into());
        }
    }
    assert_eq!(started, ["first"]);
    assert_eq!(scheduler.state(last), SKIPPED);
}

#[tokio::test]
async fn conditions_of_an_engine_are_closures_of_the_registry() {
    let mut graph = TaskGraph::new();
    let rule = || Params::from_json_text(r#"{"least": 10}"#);
    let count = graph.add_task(Task::new("count").action("count"), []);
    let send = Task::new("send").action("send").prepare(rule());
    graph.add_task(send, [count]);
    let sure = Task::new("sure")
        .question(Question::confirm("?"))
        .prepare(rule());
    graph.add_task(sure, [count]);
    let is_enough = |_, input: TaskInput| async move {
        let least = input.preparation["least"].as_u64();
        Ok(least.is_some_and(|least| input.parent_as::<u64>("count").is_ok_and(|n| n >= least)))
    };
    let number = |n: u64| closure::action(move |(): ()| async move { Ok::<_, TaskError>(n) });
    let mut registry = Registry::new();
    let mut add = |name, executor| registry.register(name, executor).expect("is new");
    add("count", number(3));
    add("send", closure::when(is_enough, number(1)));
    registry
        .bind("sure", closure::condition(is_enough))
        .expect("is new");
    let engine = Engine::builder(Arc::new(MemoryStore::new())).registry(registry);
    let engine = engine.start().await.expect("starts");
    let run = engine
        .submit(Submission::new(graph))
        .await
        .expect("is saved");
    let report = run.wait().await.expect("ends");
    let states: Vec<_> = report.tasks.iter().map(|task| task.state).collect();
    assert_eq!(states[1..], [SKIPPED, SKIPPED]);
}
