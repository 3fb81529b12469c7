//! The conformance suite of tools: one call runs every case.

use std::time::Duration;

use serde_json::Value;
use tokio::time::timeout;
use zeph_executor::conformance::Violations;
use zeph_executor::{Attempt, TaskContext, TaskId};

use super::{Tool, is_tool_name};

/// The longest time of a call in the suite.
const TIMEOUT: Duration = Duration::from_secs(30);

/// Tests a tool with arguments that it must accept; needs a tokio runtime with its timer.
///
/// The cases: the name is valid; name, description and parameters do not change; the parameters are the
/// schema of an object; a call answers within 30 s; so do two calls in parallel, and a call after a
/// dropped one.
///
/// # Errors
/// Every case that failed.
///
/// # Examples
/// ```
/// # #[cfg(feature = "tool-fn")]
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use zeph_subagent::{tool_conformance, tool_fn};
/// #[derive(serde::Deserialize, schemars::JsonSchema)]
/// struct Add { a: i64, b: i64 }
/// let add = tool_fn("add", "Adds two numbers", |_cx, add: Add| async move {
///     Ok((add.a + add.b).to_string())
/// });
/// tool_conformance::check(add, serde_json::json!({ "a": 1, "b": 2 })).await?;
/// # Ok(())
/// # }
/// # #[cfg(not(feature = "tool-fn"))]
/// # fn main() {}
/// ```
pub async fn check(tool: impl Tool, arguments: Value) -> Result<(), Violations> {
    let described = || (tool.name(), tool.description(), tool.parameters());
    let (name, _, parameters) = described();
    let (one, two) = tokio::join!(answers(&tool, &arguments), answers(&tool, &arguments));
    drop(timeout(Duration::ZERO, answers(&tool, &arguments)).await);
    Violations::check([
        (
            "does not change",
            rule(described() == described(), || {
                "its description changes from one call to the next".to_owned()
            }),
        ),
        (
            "has a valid name",
            rule(is_tool_name(name), || {
                format!("expected 1 to 64 letters, digits, _ and -, found {name:?}")
            }),
        ),
        (
            "has the schema of an object",
            rule(parameters["type"] == "object", || {
                format!("expected \"type\": \"object\", found {parameters}")
            }),
        ),
        ("answers", answers(&tool, &arguments).await),
        ("answers two calls in parallel", one.and(two)),
        (
            "answers after a dropped call",
            answers(&tool, &arguments).await,
        ),
    ])
}

fn rule(holds: bool, problem: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(problem()) }
}

async fn answers(tool: &dyn Tool, arguments: &Value) -> Result<(), String> {
    let run = "conformance".parse();
    let run = run.map_err(|error: zeph_graph::BadRunId| error.to_string())?;
    let cx = TaskContext::builder(run, TaskId::from_index(0), "tool", Attempt::FIRST).build();
    let call = timeout(TIMEOUT, tool.call(&cx, arguments.clone())).await;
    let call = call.map_err(|_| format!("no answer within {TIMEOUT:?}"))?;
    call.map(drop)
        .map_err(|error| format!("it failed: {error:#}"))
}

#[cfg(all(test, feature = "tool-fn"))]
mod tests {
    use serde_json::json;
    use zeph_executor::TaskError;

    use super::check;
    use crate::tool_fn;

    #[derive(serde::Deserialize, schemars::JsonSchema)]
    struct Path {
        path: String,
    }

    #[tokio::test(start_paused = true)]
    async fn every_fault_is_reported() {
        let tool = tool_fn("read file", "", |_cx, of: Path| async move {
            if of.path.is_empty() {
                std::future::pending::<()>().await;
            }
            Err::<String, _>(TaskError::permanent("no such file"))
        });
        let faults = check(tool, json!({ "path": "a" })).await;
        let cases: Vec<&str> = match &faults {
            Ok(()) => Vec::new(),
            Err(faults) => faults.0.iter().map(|fault| fault.case).collect(),
        };
        let wanted = [
            "has a valid name",
            "answers",
            "answers two calls in parallel",
            "answers after a dropped call",
        ];
        assert_eq!(cases, wanted);
        let slow = tool_fn("read", "", |_cx, _: Path| {
            std::future::pending::<Result<String, _>>()
        });
        assert!(check(slow, json!({ "path": "" })).await.is_err());
    }
}
