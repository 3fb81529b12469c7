//! The inbox of a run without an owner: what readers see of it, and answers that are replaced.

use std::sync::Arc;

use zeph_graph::wire::GraphSpec;
use zeph_graph::{Question, RunEnd, RunState, Task, TaskGraph, Timestamp};
use zeph_memory::{MemoryStore, RawGraphStore};
use zeph_runtime::{
    Delivery, Engine, PostedRequest, Request, RunEvent, RunView, RuntimeError, Submission, ask,
    replace,
};
use zeph_scheduler::InputOutcome;

fn two_questions() -> TaskGraph {
    let mut graph = TaskGraph::new();
    graph.add_task(Task::new("a").question(Question::text("A?")), []);
    graph.add_task(Task::new("b").question(Question::confirm("B?")), []);
    graph
}

#[tokio::test]
async fn an_answer_in_the_inbox_is_shown_and_can_be_replaced() {
    let store: Arc<dyn RawGraphStore> = Arc::new(MemoryStore::new());
    let engine = async || {
        let engine = Engine::builder(Arc::clone(&store)).start().await;
        engine.expect("starts")
    };
    let submission = Submission::new(two_questions());
    let run = engine().await.submit(submission).await.expect("is saved");
    run.suspend().await.expect("is saved");
    run.wait().await.expect("is suspended");
    let now = Timestamp::from_micros(2);
    let replace = async |text: &str| {
        let (question, text) = (2, text.to_owned());
        replace(
            &*store,
            None,
            run.id(),
            &Request::Answer { question, text },
            now,
        )
        .await
    };
    let view = async || {
        let view = RunView::load(&*store, run.id()).await;
        view.expect("is readable")
    };

    let unasked = replace("perhaps").await.expect_err("is checked");
    assert!(matches!(unasked, RuntimeError::BadAnswer { .. }));
    // Without an earlier answer it is an answer like any other.
    for text in ["no", "yes", "no", "yes", "yes"] {
        let posted = replace(text).await.expect("is kept");
        assert!(matches!(posted, Delivery::Posted(_)), "{posted:?}");
        let requests = view().await.requests;
        let answers: Vec<_> = requests.iter().map(PostedRequest::answer).collect();
        assert_eq!(answers, [Some((2, text))], "one answer counts");
    }
    let paused = ask(&*store, None, run.id(), &Request::Pause, now).await;
    paused.expect("is kept");
    let shown: Vec<String> = (view().await.requests.iter())
        .map(|posted| {
            posted
                .request
                .as_ref()
                .expect("is whole")
                .request
                .to_string()
        })
        .collect();
    assert_eq!(shown, ["answer to question 2: \"yes\"", "pause"]);

    let resumed = engine().await.resume(run.id()).await.expect("goes on");
    assert_eq!(resumed.snapshot().state, RunState::Paused);
    let view = view().await;
    assert_eq!(view.requests, [], "all are settled");
    let [given] = &view.answers(&*store).await.expect("are readable")[..] else {
        panic!("one answer counts");
    };
    assert_eq!(
        (given.question, &*given.text, given.is_default),
        (2, "yes", false)
    );
    let by = given.by.as_ref().expect("is known");
    assert_eq!(by.posted_at, Some(Timestamp::from_micros(2)));
    let late = replace("no").await.expect_err("the answer was applied");
    assert!(
        matches!(&late, RuntimeError::AlreadyAnswered { posted: None, .. }),
        "{late}"
    );
}

#[tokio::test]
async fn a_handle_completes_and_skips_tasks() {
    let store: Arc<dyn RawGraphStore> = Arc::new(MemoryStore::new());
    let engine = Engine::builder(store).start().await.expect("starts");
    let run = engine.submit(Submission::new(two_questions())).await;
    let run = run.expect("is saved");
    let refused = run.complete("b", "perhaps").await;
    assert!(
        matches!(refused, Err(RuntimeError::BadResult { .. })),
        "{refused:?}"
    );
    let unknown = run.skip("c").await;
    assert!(
        matches!(unknown, Err(RuntimeError::NoSuchTask { .. })),
        "{unknown:?}"
    );
    let given = run.complete("a", "by hand").await.expect("is saved");
    assert_eq!(given, InputOutcome::Accepted);
    let again = run.skip("a").await.expect("changes nothing");
    assert_eq!(again, InputOutcome::Stale);
    let skipped = run.skip("b").await.expect("is saved");
    assert_eq!(skipped, InputOutcome::Accepted);
    let report = run.wait().await.expect("has ended");
    assert_eq!(report.state, RunState::Ended(RunEnd::Completed));
    let output = run.output(&report, "a").await.expect("is readable");
    assert_eq!(output.expect("was given").value, "by hand");
}

#[tokio::test]
async fn a_handle_adds_tasks_and_a_run_at_rest_gets_them_when_it_is_resumed() {
    let store: Arc<dyn RawGraphStore> = Arc::new(MemoryStore::new());
    let engine = async || {
        let engine = Engine::builder(Arc::clone(&store)).start().await;
        engine.expect("starts")
    };
    let patch = |name: &str, work: &str| {
        let task = format!(r#"{{"version":1,"tasks":[{{"name":"{name}","needs":["a"]{work}}}]}}"#);
        GraphSpec::from_json(&task).expect("is a patch")
    };
    let submission = Submission::new(two_questions());
    let run = engine().await.submit(submission).await.expect("is saved");
    let work = r#","work":{"kind":"action","name":"unknown"}"#;
    let missing = run.amend(&patch("c", work), 0).await;
    assert!(
        matches!(&missing, Err(RuntimeError::MissingExecutors { missing, .. }) if *missing == ["unknown"]),
        "{missing:?}"
    );
    let taken = run.amend(&patch("b", ""), 0).await;
    assert!(
        matches!(taken, Err(RuntimeError::BadPatch { .. })),
        "{taken:?}"
    );
    let added = run.amend(&patch("c", ""), 0).await.expect("is saved");
    assert_eq!(added, InputOutcome::Accepted);
    let late = run.amend(&patch("d", ""), 0).await;
    assert!(
        matches!(late, Err(RuntimeError::Outdated { amendments: 1, .. })),
        "{late:?}"
    );
    run.suspend().await.expect("is saved");
    run.wait().await.expect("is suspended");

    let request = |after| Request::Amend {
        patch: serde_json::from_str(&patch("d", "").to_json()).expect("is JSON"),
        after,
        reason: Some("they asked".to_owned()),
    };
    let now = Timestamp::from_micros(2);
    let outdated = ask(&*store, None, run.id(), &request(0), now).await;
    assert!(
        matches!(outdated, Err(RuntimeError::Outdated { .. })),
        "{outdated:?}"
    );
    let posted = ask(&*store, None, run.id(), &request(1), now).await;
    assert!(matches!(posted, Ok(Delivery::Posted(_))), "{posted:?}");
    let resumed = engine().await.resume(run.id()).await.expect("goes on");
    let given = resumed.complete("a", "x").await.expect("is saved");
    assert_eq!(given, InputOutcome::Accepted);
    resumed.skip("b").await.expect("is saved");
    let report = resumed.wait().await.expect("has ended");
    assert_eq!(report.state, RunState::Ended(RunEnd::Completed));
    assert!(report.task("c").is_some() && report.task("d").is_some());
    let view = RunView::load(&*store, run.id()).await.expect("is readable");
    let amendments = view.amendments(&*store).await.expect("are readable");
    let [first, second] = &amendments[..] else {
        panic!("two patches were accepted: {amendments:?}");
    };
    assert_eq!(
        (&first.change.added[..], first.task),
        (&["c".to_owned()][..], None)
    );
    let by = second.by.as_ref().expect("is known");
    assert_eq!(by.reason.as_deref(), Some("they asked"));
}

#[tokio::test]
async fn a_request_that_has_no_effect_when_the_run_is_resumed_is_reported() {
    let store: Arc<dyn RawGraphStore> = Arc::new(MemoryStore::new());
    let engine = async || {
        let engine = Engine::builder(Arc::clone(&store)).start().await;
        engine.expect("starts")
    };
    let submission = Submission::new(two_questions());
    let run = engine().await.submit(submission).await.expect("is saved");
    run.suspend().await.expect("is saved");
    run.wait().await.expect("is suspended");
    // Each is fine by itself, and the second is not after the first.
    let complete = Request::Complete {
        task: "a".to_owned(),
        output: "x".into(),
        reason: None,
    };
    let patch = GraphSpec {
        removes: vec!["a".to_owned(), "b".to_owned()],
        ..GraphSpec::default()
    };
    let amend = Request::Amend {
        patch: serde_json::from_str(&patch.to_json()).expect("is JSON"),
        after: 0,
        reason: None,
    };
    let now = Timestamp::from_micros(2);
    let mut posted = Vec::new();
    for request in [&complete, &amend] {
        let delivery = ask(&*store, None, run.id(), request, now).await;
        let Ok(Delivery::Posted(id)) = delivery else {
            panic!("it is posted: {delivery:?}");
        };
        posted.push(id);
    }
    let resumed = engine().await.resume(run.id()).await.expect("goes on");
    let mut events = resumed.events().expect("the run is here");
    loop {
        match events.next().await.expect("it is reported") {
            RunEvent::Dropped { request, why } => {
                assert_eq!(request, posted[1]);
                assert!(why.contains("\"a\" has ended"), "{why}");
                break;
            }
            RunEvent::Saved { .. }
            | RunEvent::Progress { .. }
            | RunEvent::Log { .. }
            | RunEvent::Waits { .. }
            | RunEvent::Missed(_) => {}
        }
    }
}
