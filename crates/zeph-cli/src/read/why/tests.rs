//! The output of `zeph why` for each state of a task.

use super::Why;
use crate::read::fixtures::{ScriptedRun, at};
use crate::read::owner::Owner;
use crate::read::page::Page;
use std::num::NonZeroU32;
use std::time::Duration;
use zeph_executor::TaskError;
use zeph_graph::{
    Answer, Approval, Effect, OnFailure, Params, Policy, Question, QuestionId, Retry, Task,
    TaskGraph,
};
use zeph_scheduler::{Input, Scope};

fn doing(name: &str) -> Task {
    Task::new(name).action("do")
}

async fn why(story: ScriptedRun, owner: &Owner, task: &str) -> (String, serde_json::Value) {
    let (store, view) = story.stored().await;
    let task = view.task(task).unwrap();
    let why = Why::of(&store, &view, owner, task, at(10_000))
        .await
        .unwrap();
    let mut page = Page::of_width(None);
    why.render(&mut page);
    (page.into_text(), why.to_json())
}

fn alive() -> Owner {
    Owner::Alive("pid 7".into())
}

#[tokio::test]
async fn a_skipped_task_names_the_failure_where_it_began() {
    let mut graph = TaskGraph::new();
    let fetch = graph.add_task(doing("fetch").on_failure(OnFailure::Skip), []);
    let parse = graph.add_task(doing("parse"), [fetch]);
    graph.add_task(doing("save"), [parse]);
    let mut story = ScriptedRun::new(graph, Policy::default());
    let error = TaskError::permanent("no such\x1b]0;x\x07 page").with_code("http");
    story.fail(1_000, "fetch", &error.with_source("status 404"));
    let (text, json) = why(story, &alive(), "save").await;
    assert_eq!(
        text,
        "\
save of run r1: skipped: parse did not complete
It was skipped, because parse did not complete.

Because
  save: skipped: parse did not complete
  parse: skipped: fetch did not complete
  fetch: failed: error

Its error
  no such page [http]
    caused by: status 404

Next
  zeph show r1 fetch
  zeph logs r1 fetch
"
    );
    assert_eq!(
        (&json["reason"], &json["error"]["code"]),
        (&"skipped".into(), &"http".into())
    );
    assert_eq!(json["because"][2]["task"], "fetch");
}

#[tokio::test]
async fn a_task_that_waits_for_parents_leads_to_what_they_wait_for() {
    let build = || {
        let mut graph = TaskGraph::new();
        let mut last = graph.add_task(doing("t0"), []);
        for i in 1..20 {
            last = graph.add_task(doing(&format!("t{i}")), [last]);
        }
        ScriptedRun::new(graph, Policy::default())
    };
    let (text, json) = why(build(), &alive(), "t19").await;
    assert!(
        text.contains("\nIt waits for 1 task that has not ended: t18.\n"),
        "{text}"
    );
    assert!(
        text.contains("  t14: pending\n  … 8 more …\n  t5: pending\n"),
        "{text}"
    );
    assert!(
        text.contains(
            "  t0: running, attempt 1\n    It is running: attempt 1, started 10 s ago.\n"
        ),
        "{text}"
    );
    assert!(text.ends_with("Next\n  zeph why r1 t0\n"), "{text}");
    assert_eq!(json["root"]["reason"], "running");
    let (text, _) = why(build(), &Owner::None, "t19").await;
    assert!(
        text.contains("it runs again when the run is resumed"),
        "{text}"
    );
    assert!(text.contains("Next\n  zeph resume r1\n"), "{text}");
}

/// The paragraph alone, and the commands to type next.
async fn said(story: ScriptedRun, owner: &Owner, task: &str) -> (String, Vec<String>) {
    let (_, json) = why(story, owner, task).await;
    let next = json["next"].as_array().unwrap().iter();
    let next = next.map(|line| line.as_str().unwrap().to_owned()).collect();
    (json["text"].as_str().unwrap().to_owned(), next)
}

fn one(task: Task) -> ScriptedRun {
    let mut graph = TaskGraph::new();
    graph.add_task(task, []);
    ScriptedRun::new(graph, Policy::default())
}

#[tokio::test]
async fn every_question_says_how_to_answer_it() {
    let secs = Duration::from_secs;
    let gate = Approval {
        text: "Go?".into(),
        fallback: Some((secs(15), true)),
    };
    let (text, next) = said(one(doing("t").approve(gate)), &alive(), "t").await;
    assert_eq!(
        text,
        "It needs a person's approval: question 1, asked 10 s ago; its default counts in 5 s."
    );
    assert_eq!(next, ["zeph answer r1 1 yes", "zeph answer r1 1 no"]);

    let (text, next) = said(
        one(Task::new("t").question(Question::text("Who?"))),
        &alive(),
        "t",
    )
    .await;
    assert_eq!(text, "It is a question: question 1, asked 10 s ago.");
    assert_eq!(next, ["zeph answer r1 1 TEXT"]);

    let mut story = one(doing("t").on_failure(OnFailure::Ask(zeph_graph::AskFailure::default())));
    story.fail(4_000, "t", &TaskError::retryable("broken"));
    let (text, next) = said(story, &alive(), "t").await;
    assert_eq!(
        text,
        "It failed (error), and a person decides how to continue: question 1, asked 6 s ago."
    );
    assert_eq!(next.len(), 4);
    assert_eq!(next[3], "zeph answer r1 1 'value:JSON'");
}

#[tokio::test]
async fn every_thing_that_holds_a_ready_task_back_has_its_words() {
    let two = |lane: bool, max: u32| {
        let mut graph = TaskGraph::new();
        let db = graph.add_lane("db", 1);
        for name in ["one", "two"] {
            let task = if lane {
                doing(name).lane(db)
            } else {
                doing(name)
            };
            graph.add_task(task, []);
        }
        let max_parallel = NonZeroU32::new(max).unwrap();
        ScriptedRun::new(
            graph,
            Policy {
                max_parallel,
                ..Policy::default()
            },
        )
    };
    let (text, next) = said(two(true, 8), &alive(), "two").await;
    assert_eq!(
        text,
        "It is ready, but lane db has no room: 1 of 1 taken, by one."
    );
    assert!(next.is_empty());
    let (text, _) = said(two(false, 1), &alive(), "two").await;
    assert_eq!(text, "It is ready, but the one slot is taken, by one.");
    let (text, next) = said(two(false, 1), &Owner::None, "two").await;
    assert_eq!(text, "It is ready, but no process works on the run.");
    assert_eq!(next, ["zeph resume r1"]);
    let mut story = two(false, 1);
    story.input(1_000, Input::Pause);
    let (text, next) = said(story, &alive(), "two").await;
    assert_eq!(text, "It is ready, but the run is paused.");
    assert_eq!(next, ["zeph unpause r1"]);
    let mut story = two(false, 1);
    story.input(1_000, Input::Suspend);
    let (text, next) = said(story, &alive(), "two").await;
    assert_eq!(text, "It is ready, but the run is suspended.");
    assert_eq!(next, ["zeph resume r1"]);
    let mut story = two(false, 1);
    story.input(1_000, Input::Quota(0));
    story.complete(2_000, "one", "1", b"");
    let (text, _) = said(story, &alive(), "two").await;
    assert_eq!(
        text,
        "It is ready and starts as soon as its process has a free slot."
    );
}

#[tokio::test]
async fn every_state_has_its_sentence() {
    let mut story =
        one(doing("t")
            .retry(Retry::times(3).backoff(Duration::from_secs(30), Duration::from_secs(30))));
    story.fail(1_000, "t", &TaskError::retryable("not yet"));
    let (text, _) = said(story, &alive(), "t").await;
    assert_eq!(
        text,
        "Its last attempt failed, after 1 failure. It is tried again in 21 s (1 of 3 retries used)."
    );

    let mut story = one(doing("t").timeout(Duration::from_secs(1)));
    story.input(1_000, Input::Tick);
    let (text, _) = said(story, &alive(), "t").await;
    assert!(
        text.starts_with("Attempt 1 is being stopped: attempt timed out"),
        "{text}"
    );

    let (text, _) = said(
        one(doing("t").effect(Effect::AtMostOnce)),
        &Owner::None,
        "t",
    )
    .await;
    assert!(
        text.ends_with("a person is asked when the run is resumed."),
        "{text}"
    );

    let mut story = one(doing("t").approve("Go?"));
    story.input(
        1_000,
        Input::Answered {
            question: QuestionId::FIRST,
            answer: Answer::No,
        },
    );
    let (text, _) = said(story, &alive(), "t").await;
    assert_eq!(text, "It was skipped: the answer to its approval was no.");

    let mut story = one(doing("t").approve("Go?"));
    story.input(1_000, Input::Cancel(Scope::Run));
    let (text, _) = said(story, &alive(), "t").await;
    assert_eq!(text, "It was canceled: the run was cancelled.");

    let mut story = one(doing("t").on_failure(OnFailure::Value(Params::from_json_text("1"))));
    story.fail(1_000, "t", &TaskError::retryable("broken"));
    let (text, _) = said(story, &alive(), "t").await;
    assert!(
        text.contains("the value that its definition gives"),
        "{text}"
    );

    let mut story = one(doing("t"));
    story.complete(1_000, "t", "1", b"");
    let (text, next) = said(story, &alive(), "t").await;
    assert_eq!((text.as_str(), next.len()), ("It completed.", 1));
}

#[tokio::test]
async fn what_an_abort_canceled_names_the_task_that_failed() {
    let mut graph = TaskGraph::new();
    let gate = graph.add_task(doing("gate").approve("Go?"), []);
    graph.add_task(doing("after"), [gate]);
    graph.add_task(doing("broken"), []);
    let mut story = ScriptedRun::new(graph, Policy::default());
    story.fail(1_000, "broken", &TaskError::permanent("disk on fire"));
    let (text, json) = why(story, &alive(), "after").await;
    assert!(
        text.contains("  broken: failed: error\n\nIts error\n  disk on fire"),
        "{text}"
    );
    assert_eq!(json["because"][1]["task"], "broken");
}
