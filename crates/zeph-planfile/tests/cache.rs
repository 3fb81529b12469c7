//! `cache` in plan files: its form, secrets, and what the executor of the command gets.

#![allow(
    clippy::unwrap_used,
    reason = "the helpers of a test may take its short way"
)]

use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use zeph_executor::{
    Artifact, Attempt, Executor, Item, Parent, Prepared, TaskContext, TaskError, TaskId, TaskInput,
    TaskOutput, async_trait,
};
use zeph_planfile::{Format, Plan, RunValues, Templated};

/// The message and the help of the problem with that code.
fn problem(task: &str, code: &str) -> (String, String) {
    let plan = format!("[params]\ntoken = {{ secret = true }}\n[tasks.a]\n{task}");
    let problems = Plan::load(&plan, Format::Toml, "plan.toml").err();
    let problems = problems.unwrap_or_else(|| panic!("{task} is accepted"));
    let one = problems.iter().find(|one| one.code.text() == code);
    let one = one.unwrap_or_else(|| panic!("{task}: {problems}"));
    (one.message.clone(), one.help.clone().unwrap_or_default())
}

#[test]
fn every_cache_that_cannot_be_used_says_what_to_write() {
    for (task, code, wanted) in [
        (
            "run = ['x']\ncache = true",
            "wrong_type",
            "`cache = { inputs = [\"src/**\"] }`",
        ),
        (
            "run = ['x']\ncache = ['src']",
            "wrong_type",
            "`cache = { inputs = [\"src/**\"] }`",
        ),
        (
            "run = ['x']\ncache = {}",
            "missing_key",
            "`cache = { inputs = [\"src/**\"] }`",
        ),
        (
            "run = ['x']\ncache = { inputs = [] }",
            "bad_value",
            "at least one pattern",
        ),
        (
            "run = ['x']\ncache = { inputs = ['../x'] }",
            "bad_value",
            "relative to the folder",
        ),
        (
            "run = ['x']\ncache = { files = ['x'] }",
            "unknown_key",
            "`inputs = [\"src/**\"]`",
        ),
        (
            "run = ['x']\ncache = { inputs = ['x'], ttl = '1d' }",
            "unknown_key",
            "zeph prune",
        ),
        (
            "run = ['x']\nsources = ['x']",
            "unknown_key",
            "`cache = { inputs = [\"src/**\"] }`",
        ),
        (
            "prompt = 'x'\ncache = { inputs = ['x'] }",
            "misplaced_key",
            "only commands",
        ),
        (
            "ask = 'x'\ncache = { inputs = ['x'] }",
            "misplaced_key",
            "only commands",
        ),
        (
            "run = ['x']\ncache = { inputs = ['${{ params.token }}'] }",
            "secret_exposed",
            "in `env` or on `stdin`",
        ),
        (
            "run = ['x']\nstdin = 'a ${{ params.token }}'\ncache = { inputs = ['x'] }",
            "secret_in_cache",
            "remove `cache`",
        ),
    ] {
        let (message, help) = problem(task, code);
        assert!(help.contains(wanted), "{task}: {message}; {help}");
    }
}

/// Keeps what it gets.
#[derive(Clone, Default)]
struct Keeper(Arc<Mutex<Vec<TaskInput>>>);

#[async_trait]
impl Executor for Keeper {
    async fn execute(&self, _: &TaskContext, input: TaskInput) -> Result<TaskOutput, TaskError> {
        self.0.lock().unwrap().push(input);
        Ok(TaskOutput::null())
    }
    async fn prepare(&self, _: &TaskContext, input: TaskInput) -> Result<Prepared, TaskError> {
        self.0.lock().unwrap().push(input);
        Ok(Prepared::Find([7; 32]))
    }
}

fn input(artifact: &str) -> TaskInput {
    let output = TaskOutput::from(json!({ "stdout": "one" }))
        .with_artifact(Artifact::new("dist/a", artifact.to_owned()));
    let mut input = TaskInput::new(json!({
        "argv": ["use", "${{ tasks.a.stdout }}", "${{ tasks.a.artifacts['dist/a'] }}"],
        "foreach": ["x"],
    }));
    input.preparation = json!({ "cache": { "inputs": ["src/${{ item }}/*"] } });
    input.parents.insert("a".into(), Parent::completed(output));
    let (index, value) = (0, Value::from("x"));
    input.item = Some(Item { index, value });
    input
}

fn context() -> TaskContext {
    let run = "r".parse().unwrap();
    TaskContext::builder(run, TaskId::from_index(0), "use", Attempt::FIRST).build()
}

#[tokio::test]
async fn the_key_has_the_content_of_an_artifact_and_not_its_path() {
    let keeper = Keeper::default();
    let templated = Templated::new(keeper.clone(), RunValues::default());
    for artifact in ["one", "one", "two"] {
        let prepared = templated
            .prepare(&context(), input(artifact))
            .await
            .unwrap();
        assert_eq!(prepared, Prepared::Find([7; 32]));
        templated
            .execute(&context(), input(artifact))
            .await
            .unwrap();
    }
    let seen = keeper.0.lock().unwrap().clone();
    let caches: Vec<&Value> = seen
        .iter()
        .map(|input| &input.preparation["cache"])
        .collect();
    assert_eq!(caches[0]["inputs"], json!(["src/x/*"]));
    assert_eq!(caches[0]["params"]["argv"][1], "one");
    assert!(caches[0]["params"].get("foreach").is_none());
    assert!(caches[..4].iter().all(|one| **one == *caches[0]));
    assert!(caches[4..].iter().all(|one| **one == *caches[4]));
    assert_ne!(caches[0], caches[4]);
    // The attempt itself gets the path.
    let path = seen[1].params["argv"][2].as_str().unwrap();
    assert!(path.ends_with("/dist/a"), "{path}");
}

#[tokio::test]
async fn the_task_that_makes_a_list_has_a_condition_and_its_items_have_the_cache() {
    let keeper = Keeper::default();
    let templated = Templated::new(keeper.clone(), RunValues::default());
    let mut list = input("one");
    list.item = None;
    assert_eq!(
        templated.prepare(&context(), list).await.unwrap(),
        Prepared::Run
    );
    assert!(keeper.0.lock().unwrap().is_empty());
    let plan =
        "[tasks.a]\nrun = ['x']\nforeach = ['x']\ncache = { inputs = ['y'] }\nwhen = '${{ true }}'";
    let plan = Plan::load(plan, Format::Toml, "plan.toml").unwrap();
    let bound = plan.bind(&std::collections::BTreeMap::new()).unwrap();
    let spec = serde_json::to_value(&bound.spec().tasks[0]).unwrap();
    assert_eq!(spec["foreach"]["prepare_items"], true);
    assert_eq!(
        spec["prepare"],
        json!({ "when": "true", "cache": { "inputs": ["y"] } })
    );
}

/// The key of a task with a check, after a parent with that output.
async fn key_of(check: Value, limit: &str) -> Result<Value, TaskError> {
    let mut input = TaskInput::new(json!({ "argv": ["count"], "check": check }));
    input.preparation = json!({ "cache": { "inputs": ["src/*"] } });
    let output = TaskOutput::from(json!({ "stdout": limit, "exit": 0 }));
    input
        .parents
        .insert("limit".into(), Parent::completed(output));
    let keeper = Keeper::default();
    let values = RunValues::default().secret("token", "s3cret");
    let templated = Templated::new(keeper.clone(), values);
    templated.prepare(&context(), input).await?;
    let seen = keeper.0.lock().unwrap();
    Ok(seen[0].preparation["cache"].clone())
}

#[tokio::test]
async fn a_check_with_another_value_has_another_key() {
    for check in [
        json!({ "that": "${{ result.stdout|int < tasks.limit.stdout|int }}" }),
        json!({ "judge": "Is it less than ${{ tasks.limit.stdout }}?" }),
        json!({ "that": "${{ result.stdout == tasks.limit.stdout }}", "schema": { "type": "string" } }),
    ] {
        let one = key_of(check.clone(), "5").await.unwrap();
        assert_eq!(one, key_of(check.clone(), "5").await.unwrap());
        assert_ne!(one, key_of(check, "6").await.unwrap());
    }
    let fixed = json!({ "that": "${{ result.stdout == 'x' }}" });
    let other = json!({ "that": "${{ result.stdout == 'y' }}" });
    let one = key_of(fixed.clone(), "5").await.unwrap();
    assert_eq!(one, key_of(fixed, "6").await.unwrap());
    assert_ne!(one, key_of(other, "5").await.unwrap());
    assert!(
        !one.to_string().contains("\"run\""),
        "another one each time"
    );
    let secret = json!({ "that": "${{ result.stdout == params.token }}" });
    let error = key_of(secret, "5").await.unwrap_err();
    assert_eq!(error.code(), "secret_in_cache");
}
