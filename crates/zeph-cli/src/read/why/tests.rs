//! The output of `zeph why` for each state of a task.

use super::Why;
use crate::read::fixtures::{ScriptedRun, at};
use crate::read::outside::Outside;
use crate::read::page::Page;
use std::num::NonZeroU32;
use std::time::Duration;
use zeph_executor::TaskError;
use zeph_graph::{
    Answer, Approval, AskFailure, Effect, OnFailure, Params, Policy, Question, QuestionId, Retry,
    Task, TaskGraph,
};
use zeph_scheduler::{Input, Scope};

fn doing(name: &str) -> Task {
    Task::new(name).action("do")
}

async fn why(story: ScriptedRun, owner: Option<&str>, task: &str) -> (String, serde_json::Value) {
    let (store, view) = story.stored().await;
    let task = view.task(task).unwrap();
    let why = Why::of(&store, &view, &Outside::owned_by(owner), task, at(10_000))
        .await
        .unwrap();
    let mut page = Page::of_width(None);
    why.render(&mut page);
    (page.plain(), why.to_json())
}

const ALIVE: Option<&str> = Some("pid 7");

#[tokio::test]
async fn a_skipped_task_names_the_failure_where_it_began() {
    let mut graph = TaskGraph::new();
    let fetch = graph.add_task(doing("fetch").on_failure(OnFailure::Skip), []);
    let parse = graph.add_task(doing("parse"), [fetch]);
    graph.add_task(doing("save"), [parse]);
    let mut story = ScriptedRun::new(graph, Policy::default());
    let error = TaskError::permanent("no such\x1b]0;x\x07 page").with_code("http");
    story.fail(1_000, "fetch", &error.with_source("status 404"));
    let (text, json) = why(story, ALIVE, "save").await;
    assert_eq!(
        text,
        "\
save of run r1: skipped: parse did not complete
It was skipped, because parse did not complete.

Because
  save: skipped: parse did not complete
  parse: skipped: fetch did not complete
  fetch: failed

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
    let (text, json) = why(build(), ALIVE, "t19").await;
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
    let (text, _) = why(build(), None, "t19").await;
    assert!(
        text.contains("it runs again when the run is resumed"),
        "{text}"
    );
    assert!(text.contains("Next\n  zeph resume r1\n"), "{text}");
}

/// The paragraph alone, and the commands to type next.
async fn said(story: ScriptedRun, owner: Option<&str>, task: &str) -> (String, Vec<String>) {
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

fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

/// A run of one task that got that input one second after its start.
fn after(task: Task, input: Input) -> ScriptedRun {
    let mut story = one(task);
    story.input(1_000, input);
    story
}

/// A run of one task whose attempt failed one second after its start.
fn failed(task: Task) -> ScriptedRun {
    let mut story = one(task);
    story.fail(1_000, "t", &TaskError::retryable("broken"));
    story
}

#[tokio::test]
async fn every_question_says_how_to_answer_it() {
    let fallback = Some((secs(15), true));
    let gate = doing("t").approve(Approval {
        fallback,
        .."Go?".into()
    });
    let table = [
        (
            one(gate),
            "It needs a person's approval: question 1, asked 10 s ago; its default counts in 5 s.",
            &["yes", "no"][..],
        ),
        (
            one(Task::new("t").question(Question::text("Who?"))),
            "It is a question: question 1, asked 10 s ago.",
            &[""],
        ),
        (
            failed(doing("t").on_failure(OnFailure::Ask(AskFailure::default()))),
            "It failed (error), and a person decides how to continue: question 1, asked 9 s ago.",
            &["retry", "skip", "abort", ""],
        ),
    ];
    for (story, wanted, answers) in table {
        let (text, next) = said(story, ALIVE, "t").await;
        assert_eq!(text, wanted);
        let answers = answers
            .iter()
            .map(|answer| format!("zeph answer r1 1 {answer}").trim_end().to_owned());
        assert_eq!(next, answers.collect::<Vec<_>>());
    }
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
    let input = |input| {
        let mut story = two(false, 1);
        story.input(1_000, input);
        story
    };
    let mut free = input(Input::Quota(0));
    free.complete(2_000, "one", "1", b"");
    let table = [
        (
            two(true, 8),
            ALIVE,
            ", but lane db has no room: 1 of 1 taken, by one.",
            "",
        ),
        (
            two(false, 1),
            ALIVE,
            ", but the one slot is taken, by one.",
            "",
        ),
        (
            two(false, 1),
            None,
            ", but no process works on the run.",
            "zeph resume r1",
        ),
        (
            input(Input::Pause),
            ALIVE,
            ", but the run is paused.",
            "zeph unpause r1",
        ),
        (
            input(Input::Suspend),
            ALIVE,
            ", but the run is suspended.",
            "zeph resume r1",
        ),
        (
            free,
            ALIVE,
            " and starts as soon as its process has a free slot.",
            "",
        ),
    ];
    for (story, owner, wanted, command) in table {
        let (text, next) = said(story, owner, "two").await;
        assert_eq!(text, format!("It is ready{wanted}"));
        assert_eq!(next.join("\n"), command);
    }
}

#[tokio::test]
async fn every_state_has_its_sentence() {
    let declined = Input::Answered {
        question: QuestionId::FIRST,
        answer: Answer::No,
        by: None,
    };
    let mut completed = one(doing("t"));
    completed.complete(1_000, "t", "1", b"");
    let value = OnFailure::Value(Params::from_json_text("1"));
    let table = [
        (
            failed(doing("t").retry(Retry::times(3).backoff(secs(30), secs(30)))),
            ALIVE,
            "It has failed 1 time. It is tried again in 21 s (1 of 3 retries used).",
        ),
        (
            after(doing("t").timeout(secs(1)), Input::Tick),
            ALIVE,
            "Attempt 1 is being stopped: it took longer than its timeout of 1s",
        ),
        (
            one(doing("t").effect(Effect::AtMostOnce)),
            None,
            "It was running when the process of the run ended; it must not run twice, so a person is asked when the run is resumed.",
        ),
        (
            after(doing("t").approve("Go?"), declined),
            ALIVE,
            "It was skipped: the answer to its approval was no.",
        ),
        (
            after(doing("t").approve("Go?"), Input::Cancel(Scope::Run)),
            ALIVE,
            "It was canceled: the run was canceled.",
        ),
        (
            failed(doing("t").on_failure(value)),
            ALIVE,
            "It completed with its substitute value",
        ),
        (completed, ALIVE, "It completed."),
    ];
    for (story, owner, wanted) in table {
        let (text, next) = said(story, owner, "t").await;
        assert!(text.starts_with(wanted), "{text}");
        let is_logged = !text.starts_with("It completed");
        assert!(is_logged || next == ["zeph show r1 t"], "{next:?}");
    }
}

#[tokio::test]
async fn what_an_abort_canceled_names_the_task_that_failed() {
    let mut graph = TaskGraph::new();
    let gate = graph.add_task(doing("gate").approve("Go?"), []);
    graph.add_task(doing("after"), [gate]);
    graph.add_task(doing("broken"), []);
    let mut story = ScriptedRun::new(graph, Policy::default());
    story.fail(1_000, "broken", &TaskError::permanent("disk on fire"));
    let (text, json) = why(story, ALIVE, "after").await;
    assert!(
        text.contains("  broken: failed\n\nIts error\n  disk on fire"),
        "{text}"
    );
    assert_eq!(json["because"][1]["task"], "broken");
}
