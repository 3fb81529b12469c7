//! Early start: what `plan` proposes while an answer is being received, and what it withdraws.

use std::sync::Arc;

use serde_json::json;
use zeph_executor::double::JournalDouble;
use zeph_executor::{Executor as _, Stop, TaskError, TaskInput};
use zeph_graph::wire::WorkSpec;
use zeph_llm::{Reply, ScriptedProvider};
use zeph_planner::plan::{LlmPlanner, PlanExecutor, PlanOutput, goal_graph};
use zeph_sanitizer::Unsanitized;

use crate::plan_tasks::{GOOD, compile, context, plan};
use crate::support::request;

/// Executes the action `plan` of a plan that no person confirms, once.
async fn plan_early(
    script: &ScriptedProvider,
    journal: &Arc<JournalDouble>,
) -> Result<PlanOutput, TaskError> {
    let planner = LlmPlanner::new(Arc::new(script.clone()), Arc::new(Unsanitized));
    let executor = PlanExecutor::new(Arc::new(planner), request()).start_early(Arc::new(compile));
    let params = json!({ "goal": "Tell a tale", "round": 1, "start_early": true });
    let cx = context("plan", journal, &Stop::new());
    let output = executor.execute(&cx, TaskInput::new(params)).await?;
    Ok(serde_json::from_value(output.value).unwrap())
}

fn proposed(journal: &JournalDouble) -> Vec<String> {
    let patches = journal.patches();
    let tasks = patches.iter().map(|patch| {
        let [task] = patch.tasks.as_slice() else {
            panic!("one task at a time: {patch:?}");
        };
        task.name.clone()
    });
    tasks.collect()
}

#[tokio::test]
async fn tasks_start_while_the_plan_is_received_and_an_effect_that_happens_once_waits() {
    let task = |name: &str, needs: &str, prompt: &str| {
        format!(
            r#"{{"name": "{name}", "needs": [{needs}], "kind": "agent", "prompt": "{prompt}"}}"#
        )
    };
    let tasks = [
        task("read", "", "Read it."),
        task("send", r#""read""#, "at_most_once"),
        task("file", r#""send""#, "File it."),
        task("list", r#""read""#, "List it."),
    ];
    let text = format!(r#"{{"reasoning": "r", "tasks": [{}]}}"#, tasks.join(", "));
    let script = ScriptedProvider::new("script").then(Reply::text(&text));
    let journal = Arc::new(JournalDouble::default());
    let output = plan_early(&script, &journal).await.unwrap();
    assert_eq!(proposed(&journal), ["read", "list"]);
    assert_eq!(output.started, ["read", "list"]);

    // A later attempt goes on, and with another plan it withdraws what that does not have.
    let other = text
        .replace("List it.", "List all.")
        .replace("\"file\"", "\"store\"");
    let script = ScriptedProvider::new("script").then(Reply::text(other));
    let output = plan_early(&script, &journal).await.unwrap();
    assert_eq!(output.started, ["read"]);
    assert_eq!(journal.withdrawn(), ["list"]);
    assert!(
        output.plan_file.contains("[tasks.list-2]"),
        "{}",
        output.plan_file
    );
    assert!(output.findings.iter().any(|one| one.code == "started_name"));
    assert_eq!(proposed(&journal), ["read", "list"]);

    // What was withdrawn does not come back: a task like it gets another name.
    let script = ScriptedProvider::new("script").then(Reply::text(&text));
    let output = plan_early(&script, &journal).await.unwrap();
    assert_eq!(output.started, ["read"]);
    assert!(
        output.plan_file.contains("[tasks.list-2]"),
        "{}",
        output.plan_file
    );
}

#[tokio::test]
async fn no_task_starts_early_if_a_person_confirms_or_the_host_says_no() {
    let journal = Arc::new(JournalDouble::default());
    let script = ScriptedProvider::new("script").rule(|_| true, None, Reply::text(GOOD));
    plan(&script, &journal).await.unwrap();
    let planner = LlmPlanner::new(Arc::new(script), Arc::new(Unsanitized));
    let executor = PlanExecutor::new(Arc::new(planner), request());
    let params = json!({ "goal": "g", "round": 1, "start_early": true });
    let cx = context("plan", &journal, &Stop::new());
    executor.execute(&cx, TaskInput::new(params)).await.unwrap();
    assert!(journal.patches().is_empty());
    let starts = |confirm| {
        let WorkSpec::Action { params, .. } = &goal_graph("g", confirm).tasks[0].work else {
            panic!("`plan` is an action");
        };
        params["start_early"] == json!(true)
    };
    assert_eq!((starts(true), starts(false)), (false, true));
}
