//! The output of `zeph status` for a scripted run.

use super::StatusView;
use crate::read::fixtures::{ScriptedRun, at};
use crate::read::outside::Outside;
use crate::read::page::Page;
use serde_json::Value;
use std::num::NonZeroU32;
use zeph_executor::TaskError;
use zeph_graph::{OnFailure, Policy, Question, Retry, Task, TaskGraph, Timestamp};

/// One runs, one waits for the slot, one is asked about, one backs off, one waits for others.
fn busy() -> ScriptedRun {
    let mut graph = TaskGraph::new();
    let doing = |name: &str| Task::new(name).action("do");
    let first = graph.add_task(doing("first"), []);
    let flaky = doing("flaky").retry(Retry::times(3)).priority(9);
    let flaky = graph.add_task(flaky, [first]);
    graph.add_task(doing("long").priority(5), [first]);
    graph.add_task(doing("queued").on_failure(OnFailure::Skip), [first]);
    let which = Question::choice("Which\x1b[2J one?", ["red", "light blue"]);
    graph.add_task(Task::new("ask").question(which), [first]);
    graph.add_task(doing("last"), [flaky]);
    let max_parallel = NonZeroU32::MIN;
    let mut story = ScriptedRun::new(
        graph,
        Policy {
            max_parallel,
            ..Policy::default()
        },
    );
    story.complete(1_000, "first", "41", b"");
    story.fail(2_000, "flaky", &TaskError::retryable("not yet"));
    story
}

/// The status of that run, as text and as JSON.
async fn status(owner: Option<&str>, now: Timestamp) -> (String, Value) {
    let (_, view) = busy().stored().await;
    let view = &view;
    let outside = Outside::owned_by(owner);
    let status = StatusView { view, outside, now };
    let mut page = Page::of_width(None);
    status.render(&mut page);
    (page.plain(), status.to_json())
}

#[tokio::test]
async fn a_status_tells_what_runs_what_waits_and_what_to_type() {
    let (text, json) = status(Some("pid 7"), at(62_000)).await;
    let (before, started) = text
        .split_once("started      ")
        .expect("it says when it started");
    assert_eq!(
        before,
        "\
run r1: running
goal         A story
tasks        6 tasks: 1 completed, 1 running, 1 backing off, 1 asking, 1 ready, 1 pending
"
    );
    let (date, rest) = started.split_once('\n').expect("more lines");
    assert!(date.ends_with("(1 min ago)"), "{date}");
    assert_eq!(
        rest,
        "\
last moved   1 min ago
owner        pid 7

Running
  long  attempt 1  since 1 min

Questions
  1. ask: Which one?
     accepts one of: red, light blue
     zeph answer r1 1 red
     zeph answer r1 1 'light blue'

Waiting
  1 ready, but the one slot is taken, by long: queued
  1 to be tried again: flaky
  1 for an answer: ask
  1 for other tasks: last
"
    );
    assert_eq!(json["running"][0]["task"], "long");
    assert_eq!(json["interrupted"], false);
    assert_eq!(json["next"][1], "zeph answer r1 1 'light blue'");
}

#[tokio::test]
async fn without_its_process_a_run_at_work_is_interrupted() {
    let (text, json) = status(None, at(3_000)).await;
    assert!(
        text.starts_with("run r1: running, but no process works on it: interrupted\n"),
        "{text}"
    );
    assert!(
        text.contains("\nWas running\n  long  attempt 1  just started\n"),
        "{text}"
    );
    assert!(
        text.contains("  1 ready, but no process works on the run: queued\n"),
        "{text}"
    );
    assert!(text.ends_with("\nNext\n  zeph resume r1\n"), "{text}");
    assert_eq!(json["interrupted"], true);
}
