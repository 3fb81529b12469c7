//! Plan files: golden texts of accepted plans, read back by a TOML reader.
//!
//! With `UPDATE_GOLDEN=1` in the environment the golden files are written, for a person to review.

use serde_json::json;
use zeph_graph::OnFailure;
use zeph_planner::plan::{Plan, PlannedWork, read_plan, warning};
use zeph_subagent::{AgentProgram, SubAgentDef};

use crate::support::{path, request};

fn plan(document: &serde_json::Value) -> Plan {
    let mut request = request();
    request.goal = "A weekly report\nwith ${{ params.nothing }} and \"quotes\"".to_owned();
    read_plan(&document.to_string(), &request).outcome.unwrap()
}

fn full() -> Plan {
    plan(
        &json!({ "reasoning": "First the log,\nthen \u{202E}words.\n", "tasks": [
            { "name": "log", "kind": "command", "command": "git_log", "prompt": "the last ${{ x }} commits",
              "arguments": [{ "name": "since", "value": "2026-03-01" }, { "name": "count", "value": "20" }] },
            { "name": "where", "kind": "question", "prompt": "Which area?" },
            { "name": "count", "needs": ["log", "where"], "agent": "analyst", "tools": ["grep"], "expected_tokens": 300,
              "prompt": "Count ${{ tasks.log.stdout }} and $${{ this }}.\nKeep \"quotes\", ''' and \\ as they are." },
            { "name": "text", "needs": ["count"], "agent": "editor", "prompt": "Write it down.",
              "trigger": "all_done", "on_failure": "skip" },
            { "name": "note", "needs": ["text"], "kind": "command", "command": "note", "on_failure": "ask",
              "arguments": [{ "name": "text", "value": "${{ 'a' }} $(b) 'c'" }] },
            { "name": "rest", "needs": [], "prompt": "Do the rest.", "tools": [] },
        ]}),
    )
}

#[test]
fn a_plan_is_written_as_a_file() {
    let found = full().to_plan_file();
    let golden = path("plans/full.toml");
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&golden, &found).unwrap();
    }
    let expected = std::fs::read_to_string(&golden).unwrap();
    assert_eq!(found, expected, "{} differs", golden.display());
}

#[test]
fn nothing_is_lost_on_the_way() {
    let plan = full();
    let file: toml::Table = plan.to_plan_file().parse().unwrap();
    // An escaped expression is literal text.
    let read = |value: &toml::Value| value.as_str().unwrap().replace("$${{", "${{");
    assert_eq!(read(&file["goal"]), plan.goal);
    for task in &plan.tasks {
        let table = file["tasks"][&task.name].as_table().unwrap();
        let list = |key: &str| -> Vec<String> {
            let items = table.get(key).and_then(toml::Value::as_array);
            items.into_iter().flatten().map(read).collect()
        };
        assert_eq!(list("needs"), task.needs, "{}", task.name);
        let about = match &task.work {
            PlannedWork::Agent { tools, .. } => {
                assert_eq!(table.get("tools").map(|_| list("tools")), *tools);
                "prompt"
            }
            PlannedWork::Command { argv, .. } => {
                assert_eq!(list("run"), *argv);
                "description"
            }
            PlannedWork::Question { .. } => "ask",
        };
        let about = table.get(about).map(read).unwrap_or_default();
        assert_eq!(about, task.work.about(), "{}", task.name);
    }
}

#[test]
fn a_failure_of_a_models_task_is_skipped_unless_the_model_says_otherwise() {
    let text = r#"[{"name": "a", "agent": "writer", "prompt": "x"},
        {"name": "b", "agent": "writer", "prompt": "y", "on_failure": "abort"},
        {"name": "c", "agent": "writer", "prompt": "z", "on_failure": null},
        {"name": "d", "kind": "question", "prompt": "Which?"}]"#;
    let plan = read_plan(text, &request()).outcome.unwrap();
    let rules: Vec<_> = plan
        .tasks
        .iter()
        .map(|task| task.on_failure.clone())
        .collect();
    let (skip, abort) = (OnFailure::Skip, OnFailure::Abort);
    assert_eq!(rules, [skip.clone(), abort.clone(), skip, abort]);
    // A person who reviews the plan file sees the rule: there the default is to abort.
    let file = plan.to_plan_file();
    assert_eq!(file.matches("on_failure = \"skip\"").count(), 2, "{file}");
}

#[test]
fn the_only_task_of_a_plan_has_the_same_rule() {
    let text = r#"[{"name": "a", "agent": "writer", "prompt": "x"}]"#;
    let plan = read_plan(text, &request()).outcome.unwrap();
    assert_eq!(plan.tasks[0].on_failure, OnFailure::Skip);
}

#[test]
fn who_approves_a_plan_sees_the_programs_that_it_runs() {
    let mut request = request();
    let program = AgentProgram::new(["coder", "--print", "two words"]);
    let coder = SubAgentDef::new("coder", "Changes code", "You change code.").program(program);
    std::sync::Arc::make_mut(&mut request.catalog)
        .add(coder)
        .unwrap();
    let text = r#"[{"name": "named", "agent": "coder", "prompt": "Change it."},
        {"name": "open", "agent": null, "prompt": "Do it."},
        {"name": "other", "agent": "writer", "prompt": "Write it."}]"#;
    let plan = read_plan(text, &request).outcome.unwrap();
    let found = plan.findings.iter();
    let found = found.filter(|one| one.code == warning::RUNS_PROGRAM.text());
    let found: Vec<String> = found.map(ToString::to_string).collect();
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(found[0].starts_with("named"), "{found:?}");
    assert!(found[1].contains("may run"), "{found:?}");
    for one in found {
        assert!(one.contains(r#""coder" "--print" "two words""#), "{one}");
    }
}
