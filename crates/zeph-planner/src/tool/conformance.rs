//! Checks for tools of your own: every case from one call.

use std::time::Duration;

use serde_json::Value;
use tokio::time::timeout;
use zeph_executor::conformance::{Violation, Violations};
use zeph_executor::{Attempt, TaskContext, TaskId};

use super::{Tool, ToolOutput, Tools};

/// The time that a call may take before a case gives up.
const PATIENCE: Duration = Duration::from_secs(30);

/// Tries a tool with arguments that it must accept; needs a tokio runtime with its timer.
///
/// It is taken into a registry, says the same of itself twice, accepts the arguments by its own
/// schema, answers within 30 s, answers two calls side by side, and one after a call that was dropped.
///
/// # Errors
/// All rules of [`Tool`] that are not kept, with what happened.
///
/// # Examples
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use zeph_planner::{conformance, tool_fn};
/// #[derive(serde::Deserialize, schemars::JsonSchema)]
/// struct Add { a: i64, b: i64 }
/// let add = tool_fn("add", "Adds two numbers", |_cx, add: Add| async move {
///     Ok((add.a + add.b).to_string())
/// });
/// conformance::check(add, serde_json::json!({ "a": 1, "b": 2 })).await?;
/// # Ok(())
/// # }
/// ```
pub async fn check(tool: impl Tool + 'static, arguments: Value) -> Result<(), Violations> {
    let mut violations = Vec::new();
    let mut fault = |case, problem: String| violations.push(Violation { case, problem });
    let tool = std::sync::Arc::new(tool);
    let name = tool.spec().name;
    if tool.spec() != tool.spec() {
        let problem = "its spec changes from one call to the next".to_owned();
        fault("says the same twice", problem);
    }
    let mut tools = Tools::new();
    match tools.add(std::sync::Arc::clone(&tool)) {
        Err(error) => fault("is taken in", error.to_string()),
        Ok(()) => {
            let known = tools.get(&name);
            let misfits = known.map(|known| known.misfits(&arguments));
            for misfit in misfits.unwrap_or_default() {
                fault("accepts the arguments by its schema", misfit);
            }
        }
    }
    if let Err(problem) = answers(&*tool, &arguments).await {
        fault("answers", problem);
    }
    let (one, two) = tokio::join!(answers(&*tool, &arguments), answers(&*tool, &arguments));
    if let Err(problem) = one.and(two) {
        fault("answers two calls side by side", problem);
    }
    let dropped = timeout(Duration::ZERO, answers(&*tool, &arguments)).await;
    drop(dropped);
    if let Err(problem) = answers(&*tool, &arguments).await {
        fault("answers after a dropped call", problem);
    }
    Violations::check(violations)
}

async fn answers(tool: &dyn Tool, arguments: &Value) -> Result<ToolOutput, String> {
    let run = "conformance".parse();
    let run = run.map_err(|error: zeph_graph::BadRunId| error.to_string())?;
    let cx = TaskContext::builder(run, TaskId::from_index(0), "tool", Attempt::FIRST).build();
    let call = timeout(PATIENCE, tool.call(&cx, arguments.clone())).await;
    let call = call.map_err(|_| format!("it did not answer within {PATIENCE:?}"))?;
    call.map_err(|error| format!("it failed: {error:#}"))
}

#[cfg(test)]
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
    async fn every_fault_is_told() {
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
            "is taken in",
            "answers",
            "answers two calls side by side",
            "answers after a dropped call",
        ];
        assert_eq!(cases, wanted);
        let slow = tool_fn("read", "", |_cx, _: Path| {
            std::future::pending::<Result<String, _>>()
        });
        assert!(check(slow, json!({ "path": "" })).await.is_err());
    }
}
