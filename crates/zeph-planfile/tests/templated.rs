//! Expressions at run time: the values that an executor receives.

#![allow(
    clippy::unwrap_used,
    reason = "the helpers of a test may take its short way"
)]

use std::collections::BTreeMap;
use std::io::Write as _;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use zeph_executor::{
    Attempt, ErrorClass, Executor, Parent, ParentState, TaskContext, TaskError, TaskId, TaskInput,
    TaskOutput, async_trait,
};
use zeph_planfile::{BoundPlan, Format, Plan, RunValues, Templated};

/// Returns its parameters.
#[derive(Debug)]
struct Echo;

#[async_trait]
impl Executor for Echo {
    async fn execute(&self, _: &TaskContext, input: TaskInput) -> Result<TaskOutput, TaskError> {
        Ok(input.params.into())
    }
}

/// Runs the program that the parameters name, and returns what it prints.
#[derive(Debug)]
struct Spawn;

#[async_trait]
impl Executor for Spawn {
    async fn execute(&self, _: &TaskContext, input: TaskInput) -> Result<TaskOutput, TaskError> {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let argv: Vec<String> = input.params["argv"]
            .as_array()
            .unwrap()
            .iter()
            .map(text)
            .collect();
        let mut child = Command::new(&argv[0])
            .args(&argv[1..])
            .env("V", text(&input.params["env"]["V"]))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let stdin = child.stdin.take();
        stdin
            .unwrap()
            .write_all(text(&input.params["stdin"]).as_bytes())?;
        let output = child.wait_with_output()?;
        Ok(String::from_utf8(output.stdout)?.into())
    }
}

fn context() -> TaskContext {
    let run = "r7".parse().unwrap();
    TaskContext::builder(run, TaskId::from_index(0), "user", Attempt::FIRST).build()
}

fn input(params: Value) -> TaskInput {
    let mut input = TaskInput::new(params);
    let mut add = |name: &str, state, output: Option<Value>| {
        let output = output.map(|value| Arc::new(TaskOutput::from(value)));
        input.parents.insert(
            name.to_owned(),
            Parent {
                state,
                output,
                why: None,
            },
        );
    };
    let log =
        json!({ "stdout": "a ${{ run.id }} b", "stderr": "", "exit": 0, "json": { "n": [1, 2] } });
    add("log", ParentState::Completed, Some(log));
    add("ask-me", ParentState::Completed, Some(json!(true)));
    add("bad", ParentState::Failed, None);
    input
}

async fn fill(values: RunValues, params: Value) -> Result<Value, TaskError> {
    let executor = Templated::new(Echo, values);
    let output = executor.execute(&context(), input(params)).await?;
    Ok(output.value)
}

fn bound(text: &str, given: &[(&str, &str)]) -> BoundPlan {
    let plan = Plan::load(text, Format::Toml, "plan").unwrap();
    let given = given.iter();
    let given = given.map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    plan.bind(&given.collect::<BTreeMap<_, _>>()).unwrap()
}

#[tokio::test]
async fn texts_are_filled_in_wherever_they_are() {
    let params = json!({
        "argv": ["x", "${{ tasks.log.stdout }}", "n=${{ tasks.log.json.n[1] }}", "$${{ a }}"],
        "env": { "A": "${{ tasks['ask-me'].value }}", "B": "${{ tasks.bad.state }}" },
        "stdin": "${{ tasks.log.json }} ${{ run.id }} ${{ tasks.log.exit }}",
        "n": 7,
    });
    let filled = fill(RunValues::default(), params).await.unwrap();
    let expected = json!({
        // An output of a task is never expanded, even if it looks like an expression.
        "argv": ["x", "a ${{ run.id }} b", "n=2", "${{ a }}"],
        "env": { "A": "true", "B": "failed" },
        "stdin": "{\"n\":[1,2]} r7 0",
        "n": 7,
    });
    assert_eq!(filled, expected);
}

#[test]
fn parameters_are_shown_with_values_and_without_secrets() {
    let values = RunValues::default().secret("token", "s3cret-value");
    let params = json!({
        "argv": ["x", "${{ tasks.log.stdout }}", "${{ params.token }}"],
        "env": { "A": "Bearer ${{ params.token | upper }}, ${{ tasks.log.exit }}" },
    });
    let names: Vec<String> = RunValues::used_parents(&params, ["log", "bad", "ask-me"])
        .into_iter()
        .collect();
    assert_eq!(names, ["log"]);
    let run = "r7".parse().unwrap();
    let shown = |params| values.shown_params(&run, "t", input(params));
    let expected = json!({
        "argv": ["x", "a ${{ run.id }} b", "‹redacted: token›"],
        "env": { "A": "Bearer ‹redacted: token›, 0" },
    });
    assert_eq!(shown(params).unwrap(), expected);
    assert!(shown(json!("${{ tasks.bad.stdout }}")).is_err());
}

#[tokio::test]
async fn an_expression_without_a_value_is_a_permanent_error() {
    for (expression, wanted) in [
        (
            "tasks.bad.stdout",
            "\\\"bad\\\" is failed and left no output",
        ),
        ("tasks.other.stdout", "is not in the `needs` of this task"),
        ("tasks['ask-me'].stdout", "has no \\\"stdout\\\""),
        ("tasks.log.json.m", "uses an undefined value"),
        ("tasks.log.stdout + 1", "unsupported types"),
        ("params.x", "uses an undefined value"),
        ("tasks.log", "used as a whole"),
        ("'x' * 99000000", "more than"),
    ] {
        let error = fill(
            RunValues::default(),
            json!([format!("${{{{ {expression} }}}}")]),
        )
        .await
        .unwrap_err();
        assert_eq!(error.class(), ErrorClass::Permanent);
        assert_eq!(error.code(), "expression_failed");
        let wanted = wanted.replace("\\\"", "\"");
        let said = error.to_string();
        assert!(said.contains("\"user\""), "{said}");
        assert!(said.contains(&wanted), "{expression}: {said}");
    }
}

/// An input with parents whose output is not exactly what they printed.
fn inexact_input(params: Value) -> TaskInput {
    let mut input = TaskInput::new(params);
    for (name, value) in [
        (
            "bytes",
            json!({ "stdout": "\u{fffd}", "stdout_utf8": false, "exit": 0 }),
        ),
        (
            "long",
            json!({ "stdout": "a … b", "stdout_truncated": true, "stdout_bytes": 9_000_000 }),
        ),
        (
            "digits",
            json!({ "stdout": "1", "json": 1, "json_inexact": true }),
        ),
    ] {
        let output = TaskOutput::from(value).with_blob("stdout", "whole");
        let parent = Parent::completed(output);
        input.parents.insert(name.to_owned(), parent);
    }
    input
}

#[tokio::test]
async fn the_use_of_an_output_that_is_not_exact_is_an_error() {
    for (expression, wanted) in [
        ("tasks.bytes.stdout", "is not UTF-8"),
        ("tasks.bytes.value", "is not UTF-8"),
        ("tasks.long.stdout|trim", "9000000 bytes"),
        ("tasks.digits.json", "would lose digits"),
        ("tasks.bytes.exit", ""),
        ("tasks.digits.stdout", ""),
    ] {
        let params = json!({ "argv": ["x", format!("${{{{ {expression} }}}}")] });
        let executor = Templated::new(Echo, RunValues::default());
        let outcome = executor.execute(&context(), inexact_input(params)).await;
        let said = outcome.err().map(|error| error.to_string());
        let said = said.unwrap_or_default();
        assert_eq!(said.is_empty(), wanted.is_empty(), "{expression}: {said}");
        assert!(said.contains(wanted), "{expression}: {said}");
    }
}

#[tokio::test]
async fn whole_bytes_are_passed_on_standard_input() {
    let filled = async |stdin: &str| {
        let executor = Templated::new(Echo, RunValues::default());
        let params = json!({ "argv": ["x"], "stdin": stdin });
        let outcome = executor.execute(&context(), inexact_input(params)).await;
        outcome.map(|output| output.value)
    };
    for name in ["bytes", "long"] {
        let stdin = format!("${{{{ tasks.{name}.stdout }}}}");
        let expected = json!({ "argv": ["x"], "stdin_from": name });
        assert_eq!(filled(&stdin).await.unwrap(), expected);
        assert_eq!(filled(&format!("{stdin}\n")).await.unwrap(), expected);
        assert!(filled(&format!("{stdin}!")).await.is_err());
    }
}

#[tokio::test]
async fn secrets_are_given_anew_and_never_shown() {
    let plan = "goal = 'g'
        [params]
        token = { secret = true }
        n = 3
        [tasks.a]
        run = ['x']
        env = { T = '${{ params.token }}', N = '${{ params.n }} ${{ run.goal }}' }";
    let bound = bound(plan, &[("token", "hush")]);
    let graph = bound.graph().unwrap();
    let params = |graph: &zeph_graph::TaskGraph| match graph.task(graph.find("a").unwrap()).work() {
        zeph_graph::Work::Action { params, .. } => params.to_value().unwrap(),
        zeph_graph::Work::Milestone | zeph_graph::Work::Question(_) => panic!("no action"),
    };
    let filled = fill(bound.run_values().clone(), params(&graph))
        .await
        .unwrap();
    assert_eq!(filled["env"], json!({ "T": "hush", "N": "3 g" }));
    assert!(!format!("{bound:?}").contains("hush"));

    // As in another process that resumes the run: from the values that are stored with the graph.
    let stored = RunValues::of_graph(&graph).unwrap();
    assert_eq!(stored.missing_secrets().collect::<Vec<_>>(), ["token"]);
    let error = fill(stored.clone(), params(&graph)).await.unwrap_err();
    assert_eq!(error.code(), "missing_secret");
    let given = stored.secret("token", "hush");
    assert_eq!(given.missing_secrets().count(), 0);
    let filled = fill(given.clone(), params(&graph)).await.unwrap();
    assert_eq!(filled["env"]["T"], "hush");

    for expression in ["params.token|int", "params.token + 1", "params.token.x"] {
        let error = fill(given.clone(), json!([format!("${{{{ {expression} }}}}")]))
            .await
            .unwrap_err();
        assert!(!format!("{error:?}").contains("hush"), "{error:?}");
    }
}

#[tokio::test]
async fn a_value_is_never_code() {
    let plan = "[tasks.log]
        run = ['x']
        [tasks.user]
        needs = ['log']
        run = ['sh', '-c', 'printf \"%s|%s|\" \"$1\" \"$V\"; cat', '_', '${{ tasks.log.stdout }}']
        env = { V = '${{ tasks.log.stdout }}' }
        stdin = '${{ tasks.log.stdout }}'";
    let bound = bound(plan, &[]);
    let graph = bound.graph().unwrap();
    let work = graph.task(graph.find("user").unwrap()).work().clone();
    let zeph_graph::Work::Action { params, .. } = work else {
        panic!("the task runs a command");
    };
    let mut input = TaskInput::new(params.to_value().unwrap());
    let hostile = "$(touch pwned) `id` ; \"' ${{ run.id }}";
    let log = Parent::completed(TaskOutput::from(json!({ "stdout": hostile })));
    input.parents.insert("log".to_owned(), log);
    let executor = Templated::new(Spawn, bound.run_values().clone());
    let output = executor.execute(&context(), input).await.unwrap();
    let expected = format!("{hostile}|{hostile}|{hostile}");
    assert_eq!(output.value, expected);
}

#[tokio::test]
async fn what_needs_nothing_reaches_the_executor_untouched() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let note = Arc::clone(&seen);
    let inner = zeph_executor::closure::action(move |value: Value| {
        let note = Arc::clone(&note);
        async move {
            note.lock().unwrap().push(value);
            Ok::<_, TaskError>(())
        }
    });
    let executor = Templated::new(inner, RunValues::default());
    let params = json!({ "deep": [[[["{{ x }}", "$", null]]]] });
    executor
        .execute(&context(), TaskInput::new(params.clone()))
        .await
        .unwrap();
    assert_eq!(*seen.lock().unwrap(), [params]);
}
