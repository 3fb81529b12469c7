//! A custom executor: its input, its progress reports, and how it is stopped.
//!
//! `cargo run -p zeph-orchestration --example own_executor`

#![allow(clippy::print_stdout)] // An example shows what it did.

use std::sync::Arc;
use std::time::Duration;

use zeph_orchestration::executor::async_trait;
use zeph_orchestration::executor::conformance::{Sample, check};
use zeph_orchestration::graph::Params;
use zeph_orchestration::store::MemoryStore;
use zeph_orchestration::{
    Engine, Executor, Registry, Submission, Task, TaskContext, TaskError, TaskGraph, TaskInput,
    TaskOutput,
};

/// Counts down in steps of some milliseconds, and stops when it is canceled.
struct Countdown;

#[derive(serde::Deserialize)]
struct Request {
    from: u32,
    step_ms: u64,
}

#[async_trait]
impl Executor for Countdown {
    async fn execute(&self, cx: &TaskContext, input: TaskInput) -> Result<TaskOutput, TaskError> {
        let Request { from, step_ms } = input.params_as()?;
        for left in (1..=from).rev() {
            cx.progress(format!("{left} to go"));
            tokio::select! {
                () = tokio::time::sleep(Duration::from_millis(step_ms)) => {}
                () = cx.cancelled() => return Err(TaskError::cancelled("stopped")),
            }
        }
        Ok(TaskOutput::from(format!("counted down from {from}")))
    }
}

fn params(from: u32, step_ms: u64) -> serde_json::Value {
    serde_json::json!({ "from": from, "step_ms": step_ms })
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    // The conformance suite calls the executor, cancels it, and checks its results.
    let sample = Sample {
        short: TaskInput::new(params(2, 1)),
        long: Some(TaskInput::new(params(u32::MAX, 1_000))),
        grace: Duration::from_secs(5),
    };
    check(Arc::new(Countdown), sample).await?;

    let mut registry = Registry::new();
    registry.register("countdown", Arc::new(Countdown))?;
    let mut graph = TaskGraph::new();
    graph.add_task(
        Task::new("launch").action_with("countdown", Params::from(params(3, 10))),
        [],
    );

    let engine = Engine::builder(Arc::new(MemoryStore::new()))
        .registry(registry)
        .start()
        .await?;
    let run = engine.submit(Submission::new(graph)).await?;
    let report = run.wait().await?;
    if let Some(output) = run.output(&report, "launch").await? {
        println!("{}", output.value);
    }
    Ok(())
}
