//! The output of `zeph show` and `zeph logs` for a scripted run.

use std::time::Duration;

use zeph_executor::TaskError;
use zeph_graph::{Effect, OnFailure, Params, Policy, Retry, Task, TaskGraph};
use zeph_memory::MemoryStore;
use zeph_runtime::RunView;
use zeph_scheduler::Input;

use super::{run, task};
use crate::read::fixtures::{ScriptedRun, at};
use crate::read::page::Page;
use crate::read::time_breakdown::TimeBreakdown;

/// One task retried, one failed for good, one skipped for it, one declined nothing.
fn story() -> ScriptedRun {
    let mut graph = TaskGraph::new();
    graph
        .metadata_mut()
        .insert("source".into(), "a\x1b[31mb\r\nc".into());
    let params = Params::from_json_text(r#"{"argv":["curl","x"],"stdin":"two\nlines"}"#);
    let wait = Duration::from_secs(2);
    let fetch = Task::new("fetch")
        .action_with("command", params)
        .retry(Retry::times(2).backoff(wait, wait))
        .effect(Effect::Pure);
    let fetch = graph.add_task(fetch, []);
    let work = |name: &str| Task::new(name).action("do");
    let broken = graph.add_task(work("broken").on_failure(OnFailure::Skip), [fetch]);
    graph.add_task(work("after"), [broken]);
    let mut story = ScriptedRun::new(graph, Policy::default());
    let error = TaskError::retryable("not yet")
        .with_code("exit_code")
        .with_source("code 7");
    story.fail(1_500, "fetch", &error);
    story.input(3_500, Input::Tick);
    story.complete(
        4_000,
        "fetch",
        r#"{"stdout":"a\u001b[31mb\u202e"}"#,
        b"log\n",
    );
    story.fail(6_000, "broken", &TaskError::permanent("no such file"));
    story
}

async fn page(wanted: Option<&str>) -> (String, serde_json::Value) {
    page_of(story(), wanted).await
}

async fn page_of(run: ScriptedRun, wanted: Option<&str>) -> (String, serde_json::Value) {
    let (store, view): (MemoryStore, RunView) = run.stored().await;
    let times = TimeBreakdown::of(&view, view.updated_at);
    let (mut page, now) = (Page::of_width(None), at(70_000));
    let json = if let Some(name) = wanted {
        let id = view.task(name).unwrap();
        let shown = task::ShowView::read(&store, &view, None, &times, id);
        let shown = shown.await.unwrap();
        shown.render(&mut page, now);
        shown.to_json()
    } else {
        let shown = run::ShowView::read(&store, &view, &times).await.unwrap();
        shown.render(&mut page, now);
        shown.to_json()
    };
    (without_dates(&page.plain()), json)
}

#[tokio::test]
async fn a_task_that_its_executor_skipped_has_the_reason() {
    let skipped = || {
        let mut graph = TaskGraph::new();
        graph.add_task(Task::new("answer").action("do"), []);
        let mut run = ScriptedRun::new(graph, Policy::default());
        let why = "a task failed, so plan-2 first looks for another way\nsecond line";
        run.fail(1_000, "answer", &TaskError::skip(why));
        run
    };
    let state = "skipped: a task failed, so plan-2 first looks for another way";
    let (run, json) = page_of(skipped(), None).await;
    assert!(run.contains(state), "{run}");
    assert_eq!(json["tasks"][0]["text"], state);
    let (task, json) = page_of(skipped(), Some("answer")).await;
    assert!(task.contains(state), "{task}");
    assert_eq!(json["text"], state);
}

/// Local dates depend on where the test runs.
fn without_dates(text: &str) -> String {
    let line = |line: &str| match line.split_once("2023-11-1") {
        Some((before, date)) => {
            let after = date.split_once(" (").map_or("", |(_, after)| after);
            format!("{before}DATE ({after}\n")
        }
        None if line.starts_with("journal") => "journal      …\n".into(),
        None => format!("{line}\n"),
    };
    text.lines().map(line).collect()
}

#[tokio::test]
async fn a_run_shows_its_tasks_where_the_time_went_and_what_failed() {
    let (text, json) = page(None).await;
    let wanted = r"run r1: degraded
goal         A story
source       ab
             c
tasks        3 tasks: 1 completed, 1 failed, 1 skipped
started      DATE (1 min ago)
took         6s
limits       8 at a time, no time-out, grace 4s to cancel and 5s to suspend
journal      …

TASK    TRIES  QUEUED  RAN  STATE
fetch   2      -       2s   completed
broken  1      -       2s   failed
after   0      -       -    skipped: broken did not complete

Where the time went: 6s of 6s on the longest way through the tasks
  fetch   2s  backed off 2s
  broken  2s

Failures
  broken: failed after 1 attempt
    no such file [failed]
    zeph logs r1 broken
";
    assert_eq!(text, wanted);
    assert_eq!(json["tasks"][0]["backed_off_us"], 2_000_000);
    assert_eq!(json["tasks"][1]["error"]["message"], "no such file");
    assert_eq!(
        json["critical_path"],
        serde_json::json!(["fetch", "broken"])
    );
    assert_eq!(json["took_us"], 6_000_000);
}

#[tokio::test]
async fn only_the_output_of_the_action_answer_is_shown_as_an_answer() {
    let value = r#"{"text":"Oslo is wet.","by":"llm","why":null,"cut":false,"sources":[],"removed":[],"missing":[],"rounds":0}"#;
    for (action, is_answer) in [("answer", true), ("command", false)] {
        let mut graph = TaskGraph::new();
        graph.add_task(Task::new("t").action(action), []);
        let mut run = ScriptedRun::new(graph, Policy::default());
        run.complete(1_000, "t", value, b"");
        let (text, _) = page_of(run, Some("t")).await;
        assert!(text.contains("Oslo is wet."), "{text}");
        assert_eq!(!text.contains("sources:"), is_answer, "{text}");
    }
}

#[tokio::test]
async fn a_task_shows_its_definition_its_attempts_and_its_result() {
    let (text, json) = page(Some("fetch")).await;
    let wanted = r#"fetch of run r1: completed
does         command
retry        up to 2 more attempts, 2s to 2s apart
effect       pure: repeating it changes nothing
ran          2s
backed off   2s

Input of each attempt
  runs: curl x
  stdin:
    two
    lines

Attempts
  1. failed, started DATE (1 min ago), took 1.5s
     not yet [exit_code]
       caused by: code 7
  2. completed, started DATE (1 min ago), took 500ms
     logged stdout 4 bytes

Output
  stdout: ab

Records
  2  +0s    task "fetch" is ready
  3  +0s    task "fetch" started
  4  +1.5s  attempt 1 of task "fetch" failed: error
  5  +1.5s  task "fetch" backs off for 2s
  6  +3.5s  task "fetch" is ready
  7  +3.5s  task "fetch" started again, attempt 2
  8  +4s    task "fetch" completed

Next
  zeph why r1 fetch
  zeph logs r1 fetch
"#;
    assert_eq!(text, wanted);
    assert_eq!(json["output"]["value"]["stdout"], "a\u{1b}[31mb\u{202e}");
    assert_eq!(json["definition"]["retry"]["max_retries"], 2);
    assert_eq!(json["attempts"][1]["log_bytes"]["stdout"], 4);
    assert_eq!(json["records"][6]["kind"], "task_completed");
}
