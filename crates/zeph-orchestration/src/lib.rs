//! Run work as a graph of tasks: in parallel, under limits, across crashes.
//!
//! # A graph of async closures
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), zeph_orchestration::FlowError> {
//! use zeph_orchestration::{Flow, Task};
//! let mut flow = Flow::new();
//! let page = flow.task(Task::new("fetch").retries(3), (), |()| async { Ok(String::from("one two")) });
//! let words = flow.task("count", page, |page| async move { Ok(page.split(' ').count()) });
//! let report = flow.run().await?;
//! assert_eq!(*report.get(words)?, 2);
//! # Ok(())
//! # }
//! ```
//!
//! # Four ways to run
//!
//! | Way | Work | Runs on | Survives the process |
//! |-----|------|---------|----------------------|
//! | [`Flow`] | typed async closures; the arguments are the dependencies | tokio | with [`Flow::durable`] |
//! | [`DagScheduler`] | blocking closures, or the caller itself | own threads, no async runtime | no |
//! | [`Engine`] | any [`TaskGraph`], with an [`Executor`] for each action | tokio | with a durable store |
//! | [`Orchestrator`] | plan files, goals in words, graphs | tokio | with a durable store |
//!
//! `Flow` and `Orchestrator` are built on `Engine`: a [`RunHandle`] and a [`RunReport`] offer the same in
//! all three. `DagScheduler` is the blocking driver of [`scheduler::Scheduler`]: the scheduler decides
//! without I/O, and a driver executes its decisions.
//!
//! [`DagScheduler`] runs closures on threads. A task without a closure completes when it becomes ready:
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
//! [`Engine`] runs graphs whose tasks name actions:
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use std::sync::Arc;
//! use zeph_orchestration::executor::closure;
//! use zeph_orchestration::{Engine, MemoryStore, Registry, Submission, Task, TaskGraph};
//! let mut graph = TaskGraph::new();
//! graph.add_task(Task::new("hello").action("greet"), []);
//! let mut registry = Registry::new();
//! registry.register("greet", closure::from_fn(|_, _| async { Ok("hello".into()) }))?;
//! let engine = Engine::builder(Arc::new(MemoryStore::new())).registry(registry).start().await?;
//! let report = engine.submit(Submission::new(graph)).await?.wait().await?;
//! assert_eq!(report.failures().count(), 0);
//! # Ok(())
//! # }
//! ```
//!
//! [`Orchestrator`] runs plan files (feature `planfile`) and goals (feature `planner`):
//!
//! ```
//! # #[cfg(feature = "planner")]
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), zeph_orchestration::OrchestratorError> {
//! use std::sync::Arc;
//! use zeph_orchestration::llm::{Purpose, Reply, ScriptedProvider};
//! use zeph_orchestration::{Confirm, Decision, Orchestrator};
//!
//! let plan = r#"{"reasoning": "One step.", "tasks": [
//!     {"name": "write", "needs": [], "kind": "agent", "prompt": "One line about autumn."}]}"#;
//! let model = ScriptedProvider::new("model") // feature `llm` has real services
//!     .for_purpose(Purpose::Plan, Reply::text(plan))
//!     .for_purpose(Purpose::Work, Reply::text("Leaves fall."))
//!     .for_purpose(Purpose::Answer, Reply::text("Leaves fall in autumn [write]."));
//! let confirm = Confirm::with(|proposal| async move {
//!     println!("{}", proposal.plan.plan_file);
//!     Decision::Approve
//! });
//! let orchestrator = Orchestrator::builder().model(Arc::new(model)).confirm(confirm).build()?;
//! let results = orchestrator.run("A line about autumn").await?.into_results();
//! assert!(results.answer.is_some_and(|answer| answer.text.contains("Leaves fall")));
//! # Ok(())
//! # }
//! # #[cfg(not(feature = "planner"))]
//! # fn main() {}
//! ```
//!
//! # Features
//!
//! Features are additive. Graph, scheduler and runtime are always included.
//!
//! | Feature    | Default | Adds                                                        |
//! |------------|---------|-------------------------------------------------------------|
//! | `sqlite`   | yes     | the durable store: `zeph-memory-sqlite`                     |
//! | `command`  | yes     | programs as tasks: `zeph-command`                           |
//! | `planfile` | no      | plans in TOML or JSON: `zeph-planfile`, `zeph-sanitizer`    |
//! | `planner`  | no      | goals, agents, answers: `zeph-planner`, `zeph-llm`; with `planfile` |
//! | `llm`      | no      | model services: `zeph-llm-genai`                            |
//! | `mcp`      | no      | tools of MCP servers: `zeph-mcp`                            |
//! | `full`     | no      | all of these                                                |

// The seed's program is shown unchanged, with its `main`.
#![allow(clippy::needless_doctest_main)]

mod compare;
mod dag;
pub mod flow;
mod junit;
#[cfg(feature = "mcp")]
pub mod mcp;
mod orchestrator;
#[cfg(all(feature = "planner", feature = "command"))]
pub mod program;
mod prune;
#[cfg(feature = "planner")]
mod replay;

// The four ways to run.
pub use dag::DagScheduler;
pub use flow::Flow;
pub use orchestrator::Orchestrator;
pub use zeph_runtime::Engine;

// Graphs and their tasks.
pub use zeph_graph::{
    Budget, Effect, Foreach, Group, ItemFailure, OnConflict, OnFailure, OverBudget, Policy,
    Question, Retry, Task, TaskGraph, TaskId, TaskState, Trigger, Work,
};

// Executors.
pub use zeph_executor::{Executor, Registry, TaskContext, TaskError, TaskInput, TaskOutput};

// Runs.
pub use zeph_graph::{RunEnd, RunId, RunState, Spent};
pub use zeph_runtime::{
    Limits, Owners, QuestionView, RetryPlan, RunEvent, RunHandle, RunReport, RunSnapshot, RunView,
    RunsAgain, RuntimeError, Submission, TaskReport,
};

pub use junit::junit;

pub use compare::{ComparedTask, OutputChange, RunComparison, TaskSide};

// Stores.
pub use zeph_memory::{MemoryStore, RawGraphStore};
#[cfg(feature = "postgres")]
pub use zeph_memory_postgres::PostgresStore;
#[cfg(feature = "sqlite")]
pub use zeph_memory_sqlite::SqliteStore;

// Blocking closures: what the closures of a `DagScheduler` get, and how it ends.
pub use dag::{AttemptContext, Outcome};

// Typed flows.
pub use flow::{FlowError, FlowReport, FlowRun};

// Plan files and goals.
#[cfg(feature = "planner")]
pub use orchestrator::{Confirm, Decision, ProposedPlan};
pub use orchestrator::{
    Follower, OrchestratorBuilder, OrchestratorError, RunOutcome, RunResults, RunSpec,
};

#[cfg(feature = "command")]
pub use orchestrator::{Hook, HookFailure, Hooks};

/// Companions of [`DagScheduler`]: closures, work that the caller does itself.
pub mod blocking {
    pub use crate::dag::{
        AttemptContext, Body, BodyResult, DagScheduler, Outcome, Reply, Reporter,
    };
}

/// Following a run for a display: events, questions, and the effect of stop signals.
pub mod follow {
    pub use crate::orchestrator::{Ask, Follower, Stop, Update, Watcher};
    pub use zeph_runtime::{Accepts, Events, QuestionView, RunEvent};
}

/// Records of a run, and the events and figures that are derived from them.
pub mod journal {
    pub use zeph_graph::{
        AskWhy, Attempt, CancelWhy, ContentId, CutHow, CutWhy, EndingWhy, Entry, Fault, QuestionId,
        Record, Seq, SkipWhy, Timestamp,
    };
    pub use zeph_scheduler::{
        AttemptCounts, Counts, Event, Explanation, Held, InputOutcome, OpenQuestion, Scope,
    };
}

/// Stores of runs: the port, the store in memory, SQLite, Postgres, and pruning.
pub mod store {
    pub use crate::prune::{Prune, Pruned};
    pub use zeph_memory::*;
    #[cfg(feature = "postgres")]
    #[doc(inline)]
    pub use zeph_memory_postgres as postgres;
    #[cfg(feature = "sqlite")]
    pub use zeph_memory_sqlite::*;
}

/// Plans: files, planners, confirmation, and replays of model calls.
#[cfg(feature = "planfile")]
pub mod plan {
    #[cfg(feature = "planner")]
    pub use crate::orchestrator::{
        Confirm, Decide, Decision, ProposedPlan, agent_problems, edited_plan_problems,
        models_of_tasks, needs_model, plan_in_view, plan_questions,
    };
    pub use crate::orchestrator::{
        LoadedPlan, PlanFileError, PlanFiles, PlanSource, command_input, reads_result,
    };
    #[cfg(feature = "planner")]
    pub use crate::replay::{AttemptReplay, ReplayReport, replay_run};
}

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
#[cfg(feature = "planfile")]
#[doc(inline)]
pub use zeph_planfile as planfile;
#[cfg(feature = "planner")]
#[doc(inline)]
pub use zeph_planner as planner;
#[doc(inline)]
pub use zeph_runtime as runtime;
#[cfg(feature = "planfile")]
#[doc(inline)]
pub use zeph_sanitizer as sanitizer;
#[doc(inline)]
pub use zeph_scheduler as scheduler;
#[doc(inline)]
pub use zeph_subagent as subagent;

/// Compiles the programs of the README.
#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
struct Readme;

/// Runs the program of the chapter about models.
#[cfg(all(doctest, feature = "planner", feature = "sqlite"))]
#[doc = include_str!("../../../docs/src/models.md")]
struct Models;
