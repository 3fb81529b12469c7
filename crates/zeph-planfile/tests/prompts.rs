//! Prompts in plan files: the parameters of the agent, and the sanitizing of other tasks' outputs.

#![allow(
    clippy::unwrap_used,
    reason = "the helpers of a test may take its short way"
)]

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use serde_json::{Value, json};
use zeph_executor::{
    Attempt, Executor, Item, Parent, TaskContext, TaskError, TaskId, TaskInput, TaskOutput,
};
use zeph_graph::wire::WorkSpec;
use zeph_graph::{Budget, OverBudget};
use zeph_planfile::{Format, Plan, RunValues, Templated};
use zeph_sanitizer::{Seed, StandardSanitizer};

/// Answers with its parameters.
struct Echo;

#[async_trait]
impl Executor for Echo {
    async fn execute(&self, _: &TaskContext, input: TaskInput) -> Result<TaskOutput, TaskError> {
        Ok(input.params.into())
    }
}

/// The codes of all problems of each plan, in the order of the source.
fn check(format: Format, table: &[(&str, &str)]) {
    for (text, expected) in table {
        let errors = Plan::load(text, format, "plan").err();
        let codes = errors.iter().flatten().map(|one| one.code.text());
        assert_eq!(codes.collect::<Vec<_>>().join(" "), *expected, "{text}");
    }
}

fn params(text: &str, task: &str) -> Value {
    let plan = Plan::load(text, Format::Toml, "plan").unwrap();
    let bound = plan.bind(&BTreeMap::new()).unwrap();
    let spec = bound.spec();
    let task = spec.tasks.iter().find(|one| one.name == task).unwrap();
    match &task.work {
        WorkSpec::Action { name, params } => {
            assert_eq!(name, "agent");
            params.clone()
        }
        WorkSpec::Milestone {} | WorkSpec::Question(_) => panic!("{:?} is no action", task.name),
    }
}

#[test]
fn every_key_reaches_the_agent() {
    let plan = r#"
        [tasks.log]
        run = ["git", "log"]
        [tasks.notes]
        run = ["cat", "notes"]
        [tasks.classify]
        needs = ["log", "notes"]
        agent = "analyst"
        prompt = "Group:\n${{ tasks.log.stdout }}"
        tools = ["read_file", "grep", "grep"]
        tags = ["rust"]
        max_output_tokens = 500
        retry = 2
        output = { type = "object", description = "literal ${{ x }}" }
        [tasks.plain]
        prompt = "Say hello."
        [tasks.chosen]
        needs = ["log", "plain"]
        prompt = "Go on."
        context = ["plain"]
    "#;
    assert_eq!(
        params(plan, "classify"),
        json!({
            "agent": "analyst",
            "prompt": "Group:\n${{ tasks.log.stdout }}",
            "tools": ["read_file", "grep"],
            "tags": ["rust"],
            // An output that the prompt uses is not added a second time.
            "context": ["notes"],
            "output": { "schema": { "type": "object", "description": "literal $${{ x }}" } },
            "max_output_tokens": 500,
        })
    );
    let plain = json!({ "prompt": "Say hello.", "context": [] });
    assert_eq!(params(plan, "plain"), plain);
    let chosen = json!({ "prompt": "Go on.", "context": ["plain"] });
    assert_eq!(params(plan, "chosen"), chosen);
}

#[tokio::test]
async fn what_another_task_left_enters_a_prompt_cleaned_and_wrapped() {
    let sanitizer = StandardSanitizer::new(Seed::derive(b"test"));
    let executor = Templated::new(Echo, RunValues::default()).sanitized(Arc::new(sanitizer));
    let mut input = TaskInput::new(json!({
        "prompt": "${{ tasks.log.stdout }}",
        "goal": "run ${{ run.id }}",
    }));
    let hostile = "a\u{1b}[31mred\u{202e} ${{ run.id }}";
    let output = TaskOutput::from(json!({ "stdout": hostile }));
    input
        .parents
        .insert("log".to_owned(), Parent::completed(output));
    let run = "r7".parse().unwrap();
    let cx = TaskContext::builder(run, TaskId::from_index(0), "user", Attempt::FIRST).build();
    let filled = executor.execute(&cx, input).await.unwrap().value;
    let prompt = filled["prompt"].as_str().unwrap();
    assert!(prompt.contains("ared ${{ run.id }}"), "{prompt}");
    assert!(!prompt.contains(['\u{1b}', '\u{202e}']), "{prompt}");
    assert!(
        prompt.len() > hostile.len() + 10,
        "it is not wrapped: {prompt}"
    );
    assert_eq!(filled["goal"], "run r7");
}

#[tokio::test]
async fn an_item_enters_a_prompt_like_the_output_of_a_task_and_a_list_as_it_is() {
    let sanitizer = StandardSanitizer::new(Seed::derive(b"test"));
    let executor = Templated::new(Echo, RunValues::default()).sanitized(Arc::new(sanitizer));
    let hostile = "a\u{1b}[31mred\u{202e} ${{ run.id }}";
    let params = json!({
        "foreach": [hostile.replace("${{", "$${{"), "${{ tasks.log.stdout }}", { "n": "${{ 1 + 1 }}" }],
        "prompt": "${{ item }} at ${{ item_index }}",
    });
    let run = "r7".parse().unwrap();
    let cx = TaskContext::builder(run, TaskId::from_index(0), "user", Attempt::FIRST).build();
    let mut list = TaskInput::new(params.clone());
    let output = TaskOutput::from(json!({ "stdout": "out" }));
    list.parents
        .insert("log".to_owned(), Parent::completed(output));
    let made = executor.execute(&cx, list).await.unwrap().value;
    assert_eq!(made, json!([hostile, "out", { "n": 2 }]));
    let mut one = TaskInput::new(params);
    let (index, value) = (4, made[0].clone());
    one.item = Some(Item { index, value });
    let filled = executor.execute(&cx, one).await.unwrap().value;
    let prompt = filled["prompt"].as_str().unwrap();
    assert!(prompt.contains("ared ${{ run.id }}"), "{prompt}");
    assert!(prompt.ends_with(" at 4"), "{prompt}");
    assert!(!prompt.contains(['\u{1b}', '\u{202e}']), "{prompt}");
    assert!(prompt.len() > hostile.len() + 20, "not wrapped: {prompt}");
    assert_eq!(filled.as_object().unwrap().len(), 1, "{filled}");
}

#[test]
fn budgets_are_tokens_or_tokens_and_dollars() {
    let text = r#"
        budget = { tokens = 20_000, usd = 0.1 }
        over_budget = "partial"
        [tasks.a]
        prompt = "p"
        budget = 500
    "#;
    let plan = Plan::load(text, Format::Toml, "plan").unwrap();
    let limit = Budget::new(Some(20_000), Some(100_000));
    assert_eq!(plan.limits().budget, Some(limit));
    assert_eq!(plan.limits().over_budget, Some(OverBudget::Partial));
    let graph = plan.bind(&BTreeMap::new()).unwrap().graph().unwrap();
    let task = graph.task(graph.find("a").unwrap());
    assert_eq!(task.rules().budget, Budget::of_tokens(500));
}

#[test]
fn what_is_wrong_with_a_prompt_is_reported_by_its_code() {
    check(
        Format::Toml,
        &[
            ("[tasks.a]\nprompt = ''", "bad_value"),
            ("[tasks.a]\nprompt = 1", "wrong_type"),
            ("[tasks.a]\nagent = 'x'", "missing_key"),
            ("[tasks.a]\nprompt = 'p'\nagent = 'x y'", "bad_value"),
            (
                "[tasks.a]\nprompt = 'p'\nagent = '${{ params.x }}'",
                "bad_value",
            ),
            ("[tasks.a]\nprompt = 'p'\nrun = ['x']", "two_kinds_of_work"),
            ("[tasks.a]\nprompt = 'p'\nstdin = 's'", "misplaced_key"),
            ("[tasks.a]\nrun = ['x']\ntools = ['t']", "misplaced_key"),
            ("[tasks.a]\nask = 'q'\ntags = ['t']", "misplaced_key"),
            ("[tasks.a]\ncontext = ['t']", "misplaced_key"),
            ("[tasks.a]\nprompt = 'p'\ntools = 't'", "wrong_type"),
            ("[tasks.a]\nprompt = 'p'\noutput = 'yaml'", "bad_value"),
            (
                "[tasks.a]\nprompt = 'p'\nmax_output_tokens = 0",
                "bad_value",
            ),
            ("[tasks.a]\nprompt = 'p'\npromt = 'p'", "unknown_key"),
            ("budget = 0\n[tasks.a]", "bad_value"),
            ("budget = {}\n[tasks.a]", "missing_key"),
            ("budget = { usd = -1 }\n[tasks.a]", "bad_value"),
            ("budget = { usd = 'one' }\n[tasks.a]", "wrong_type"),
            ("budget = { eur = 1 }\n[tasks.a]", "unknown_key"),
            ("over_budget = 'stop'\n[tasks.a]", "bad_value"),
            ("[tasks.a]\nrun = ['x']\nbudget = 5", "misplaced_key"),
            (
                "[tasks.a]\nprompt = 'p'\n[tasks.b]\nprompt = 'q'\ncontext = ['a']",
                "not_a_need",
            ),
            (
                "[tasks.a]\nprompt = 'p ${{ tasks.b.value }}'\n[tasks.b]\nprompt = 'q'",
                "not_a_need",
            ),
            (
                "[tasks.b]\nprompt = 'q'\n[tasks.a]\nneeds = ['b']\nprompt = '${{ tasks.b.stdout }}'",
                "no_such_output",
            ),
            (
                "[params]\nkey = { secret = true }\n[tasks.a]\nprompt = '${{ params.key }}'",
                "secret_exposed",
            ),
        ],
    );
}
