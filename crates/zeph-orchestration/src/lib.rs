//! Run work as a graph of tasks: in parallel, under limits, across crashes.
//!
//! A [`TaskGraph`] says what depends on what; a [`DagScheduler`] runs what is ready. A task that has no
//! code is a milestone: it completes when it becomes ready.
//!
//! ```
//! #![allow(unused)]
//! fn main() {
//! use zeph_orchestration::{TaskGraph, DagScheduler, Task};
//! // Define a task DAG
//! let mut graph = TaskGraph::new();
//! let task_1 = graph.add_task("fetch_data", vec![]);
//! let task_2 = graph.add_task("process", vec![task_1]); // depends on task_1
//! let task_3 = graph.add_task("save", vec![task_2]); // depends on task_2
//! // Execute
//! let mut scheduler = DagScheduler::new(graph);
//! while scheduler.tick() {
//! // Process executor events
//! }
//! }
//! ```
//!
//! Code is given by [`DagScheduler::body`]: a closure that gets the values of the tasks it depends on
//! and runs on a thread. Retries, time-outs, questions and what a failure leads to are part of each
//! [`Task`]; [`DagScheduler::events`] tells what happens, [`DagScheduler::outcome`] how it ended, and
//! [`DagScheduler::explain`] why a task is not running.
//!
//! A goal in words becomes a plan, tasks and an answer with [`Orchestrator`] (feature `planner`):
//!
//! ```
//! # #[cfg(feature = "planner")]
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), zeph_orchestration::OrchestratorError> {
//! use std::sync::Arc;
//! use zeph_orchestration::{Confirm, LlmError, LlmRequest, Orchestrator, Verdict, provider_fn};
//!
//! // Any async closure is a model; feature `llm` has those of the world.
//! let model = provider_fn("model", |request: LlmRequest| async move {
//!     let asks_for_a_plan = request.messages.iter().any(|one| one.text().contains("\"needs\""));
//!     Ok::<_, LlmError>(if asks_for_a_plan {
//!         r#"{"reasoning": "One step.", "tasks": [
//!             {"name": "write", "needs": [], "kind": "agent", "prompt": "One line about autumn."}]}"#
//!     } else {
//!         "Leaves fall."
//!     })
//! });
//! let confirm = Confirm::with(|proposed| async move {
//!     println!("{}", proposed.plan.plan_file);
//!     Verdict::Approve
//! });
//! let orchestrator = Orchestrator::builder().model(Arc::new(model)).confirm(confirm).build()?;
//! let report = orchestrator.run("A line about autumn").await?;
//! assert!(report.answer.is_some_and(|answer| answer.text.contains("Leaves fall.")));
//! # Ok(())
//! # }
//! # #[cfg(not(feature = "planner"))]
//! # fn main() {}
//! ```
//!
//! # Features
//!
//! A feature adds a crate; it never changes what is behind another one. Graph, scheduler and runtime
//! are always there.
//!
//! | Feature    | Default | Adds                                                        |
//! |------------|---------|-------------------------------------------------------------|
//! | `sqlite`   | yes     | the durable store: `zeph-memory-sqlite`                     |
//! | `command`  | yes     | programs as tasks: `zeph-command`                           |
//! | `planfile` | no      | plans in TOML or JSON: `zeph-planfile`                      |
//! | `planner`  | no      | goals, agents, answers: `zeph-planner`, `zeph-llm`, `zeph-sanitizer`; with `planfile` |
//! | `llm`      | no      | the model services of the world: `zeph-llm-genai`           |
//! | `full`     | no      | all of these                                                |

// The seed's program is shown as it was given, with its `main`.
#![allow(clippy::needless_doctest_main)]

mod dag;
mod flow;
mod orchestrator;
#[cfg(feature = "planner")]
mod replay;

pub use dag::{AttemptContext, Body, BodyResult, DagScheduler, DagTask, Outcome, Reply, Reporter};

pub use flow::{
    After, Durable, Flow, FlowError, FlowReport, Handle, InMemory, Inputs, Keep, Optional, Reader,
};

pub use zeph_executor::{ErrorClass, TaskError};
pub use zeph_graph::{
    AddError, Answer, AnswerKind, Approval, AskFailure, AskWhy, Attempt, CancelWhy, ContentId,
    CutHow, CutWhy, Effect, EndingWhy, Entry, FailureAnswer, Fault, Lane, LaneId, LaneUse,
    OnFailure, Params, Policy, Question, QuestionId, Record, Retry, Rules, RunEnd, RunState, Seq,
    SkipWhy, Task, TaskGraph, TaskId, TaskState, Timestamp, Topology, Trigger, Work,
};
pub use zeph_scheduler::{
    AttemptCounts, Counts, Event, EventKind, Explanation, Held, InputOutcome, OpenQuestion, Scope,
};

pub use zeph_executor::{Executor, Registry, TaskContext, TaskInput, TaskOutput};
pub use zeph_runtime::{
    Engine, Events, Limits, RunEvent, RunHandle, RunReport, RuntimeError, Submission,
};
pub use zeph_subagent::{AgentCatalog, AgentRouter, SubAgentDef};

#[cfg(any(feature = "planner", feature = "llm"))]
pub use zeph_llm::{LlmError, LlmProvider, LlmRequest, LlmResponse, provider_fn};
#[cfg(feature = "planner")]
pub use zeph_planner::LlmContext;
#[cfg(feature = "planner")]
pub use zeph_planner::answer::{Aggregator, DeterministicAggregator, LlmAggregator};
#[cfg(feature = "planner")]
pub use zeph_planner::plan::{LlmPlanner, Planner, goal_graph};
#[cfg(feature = "planner")]
pub use zeph_sanitizer::{ContentSanitizer, StandardSanitizer, Unsanitized};

#[cfg(feature = "planner")]
pub use orchestrator::{Confirm, Decide, Proposed, Report, TaskResult, Verdict};
pub use orchestrator::{Orchestrator, OrchestratorBuilder, OrchestratorError, RunSpec};

/// Plan files, and what plans may use.
#[cfg(feature = "planfile")]
pub mod plan {
    pub use crate::orchestrator::{LoadedPlan, PlanFileError, PlanFiles, PlanSource};
    #[cfg(feature = "planner")]
    pub use crate::orchestrator::{command_templates, needs_model};
}

#[cfg(feature = "planner")]
pub use replay::{AttemptReplay, ReplayReport, replay_run};

// Every layer, whole, under its own name.
#[cfg(feature = "command")]
#[doc(inline)]
pub use zeph_command as command;
#[doc(inline)]
pub use zeph_common as common;
#[doc(inline)]
pub use zeph_config as config;
#[doc(inline)]
pub use zeph_executor as executor;
#[doc(inline)]
pub use zeph_graph as graph;
#[cfg(any(feature = "planner", feature = "llm"))]
#[doc(inline)]
pub use zeph_llm as llm;
#[cfg(feature = "llm")]
#[doc(inline)]
pub use zeph_llm_genai as llm_genai;
#[doc(inline)]
pub use zeph_memory as memory;
#[cfg(feature = "sqlite")]
#[doc(inline)]
pub use zeph_memory_sqlite as sqlite;
#[cfg(feature = "planfile")]
#[doc(inline)]
pub use zeph_planfile as planfile;
#[cfg(feature = "planner")]
#[doc(inline)]
pub use zeph_planner as planner;
#[doc(inline)]
pub use zeph_runtime as runtime;
#[cfg(feature = "planner")]
#[doc(inline)]
pub use zeph_sanitizer as sanitizer;
#[doc(inline)]
pub use zeph_scheduler as scheduler;
#[doc(inline)]
pub use zeph_subagent as subagent;
