//! Checks of results: what the checker sees, and what is no result.

#![allow(
    clippy::unwrap_used,
    reason = "the helpers of a test may take its short way"
)]

use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use zeph_executor::{
    Attempt, Executor, TaskContext, TaskError, TaskId, TaskInput, TaskOutput, Verdict, async_trait,
};
use zeph_planfile::{RunValues, Templated};

/// Has that result.
struct Has(Value);

#[async_trait]
impl Executor for Has {
    async fn execute(&self, _: &TaskContext, _: TaskInput) -> Result<TaskOutput, TaskError> {
        Ok(self.0.clone().into())
    }
}

/// Accepts every result, and keeps it.
#[derive(Default)]
struct Checker(Mutex<Vec<Value>>);

#[async_trait]
impl Executor for Checker {
    async fn execute(&self, _: &TaskContext, input: TaskInput) -> Result<TaskOutput, TaskError> {
        let mut seen = self.0.lock().unwrap();
        seen.push(input.params["result"].clone());
        TaskOutput::from_serialize(&Verdict::accepted("schema"))
    }
}

/// The result that the checker saw, or why there was none.
async fn seen(params: Value, result: Value) -> Result<Value, String> {
    let checker = Arc::new(Checker::default());
    let templated = Templated::new(Has(result), RunValues::default());
    let templated = templated.checked(Arc::clone(&checker) as Arc<dyn Executor>);
    let run = "r".parse().unwrap();
    let cx = TaskContext::builder(run, TaskId::from_index(0), "use", Attempt::FIRST).build();
    let outcome = templated.execute(&cx, TaskInput::new(params)).await;
    let seen = checker.0.lock().unwrap().pop();
    match (seen, outcome) {
        (Some(seen), Ok(_)) => Ok(seen),
        (None, Err(error)) => Err(error.message().to_owned()),
        (seen, outcome) => panic!("{seen:?} {outcome:?}"),
    }
}

#[tokio::test]
async fn the_checker_sees_the_text_of_a_command_and_the_whole_answer_of_an_agent() {
    let check = json!({ "schema": {} });
    let command = json!({ "argv": ["x"], "check": check });
    let agent = json!({ "prompt": "x", "check": check });
    let printed = json!({ "exit": 0, "stdout": "text\n" });
    assert_eq!(
        seen(command.clone(), printed.clone()).await,
        Ok(json!("text\n"))
    );
    let with_json = json!({ "exit": 0, "stdout": "[1]", "json": [1] });
    assert_eq!(seen(command, with_json).await, Ok(json!([1])));
    // The answer of an agent may have the same fields.
    assert_eq!(seen(agent, printed.clone()).await, Ok(printed));
}

#[tokio::test]
async fn what_a_command_did_not_print_is_no_result() {
    let command = json!({ "argv": ["x"], "check": { "schema": {} } });
    for (result, wanted) in [
        (
            json!({ "exit": 0, "stdout": "a", "stdout_utf8": false }),
            "not UTF-8",
        ),
        (
            json!({ "exit": 0, "stdout": "a", "stdout_truncated": true }),
            "longer than",
        ),
        (
            json!({ "exit": 0, "stdout": "1", "json": 1, "json_inexact": true }),
            "64 bits",
        ),
    ] {
        let why = seen(command.clone(), result).await.unwrap_err();
        assert!(why.contains(wanted), "{why}");
    }
}

#[tokio::test]
async fn an_expression_of_parameters_only_is_named_by_what_it_is() {
    let params = json!({ "argv": ["x"], "check": { "that": "false" } });
    let why = seen(params, json!({ "exit": 0, "stdout": "" }))
        .await
        .unwrap_err();
    assert!(why.ends_with("its check is false"), "{why}");
}
