//! Crashes: the process ends between any two commits, and the run continues where it was.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::{Value, json};
use zeph_orchestration::executor::{TaskContext, TaskError, async_trait};
use zeph_orchestration::llm::{LlmResponse, Message, Purpose, Reply, ScriptedProvider, ToolCall};
use zeph_orchestration::planner::agent::Tools;
use zeph_orchestration::store::{
    FaultyStore, ListQuery, MemoryStore, Op, RawGraphStore, StoreFault,
};
use zeph_orchestration::subagent::{AgentCatalog, SubAgentDef, Tool, ToolOutput};
use zeph_orchestration::{Confirm, Decision, OrchestratorError, RunEnd, RunResults};

use crate::script::{ANSWER, GOAL, asked, asks_for_a_plan, builder, planning};

type Store = Arc<FaultyStore<MemoryStore>>;

/// Simulates a process: when it returns, only the store is left.
fn process<T>(work: impl Future<Output = T>) -> T {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    runtime.enable_time().build().unwrap().block_on(work)
}

/// One process works on the goal until the commit with that number, the next one continues. `None` if the
/// run ended before that commit. Without a confirmation tasks start early.
fn crashed_at(nth: u64, fault: StoreFault, confirms: bool) -> Option<(u64, RunResults)> {
    let store: Store = Arc::new(FaultyStore::new(MemoryStore::new()));
    let model = planning();
    let orchestrator = || {
        let confirm = match confirms {
            true => Confirm::with(|_| async { Decision::Approve }),
            false => Confirm::Never,
        };
        let builder = builder(&model).store(Arc::clone(&store) as Arc<dyn RawGraphStore>);
        builder.confirm(confirm).build().unwrap()
    };
    store.fail(Op::Commit, nth, fault);
    let first = process(async { orchestrator().run(GOAL).await });
    match first {
        Ok(_) => return None,
        // The failed store is reported at the latest when the results are read.
        Err(OrchestratorError::Lost { .. } | OrchestratorError::Runtime(_)) => {}
        Err(other) => panic!("commit {nth}, {fault:?}: {other}"),
    }
    let runs = process(store.list(ListQuery::default())).unwrap();
    let Some(run) = runs.first() else {
        // The run was never created.
        assert_eq!((nth, fault), (1, StoreFault::Before));
        return Some((
            nth,
            process(orchestrator().run(GOAL)).unwrap().into_results(),
        ));
    };
    let report = process(async { orchestrator().resume(&run.run).await });
    let report = report.unwrap_or_else(|error| panic!("commit {nth}, {fault:?}: {error}"));
    let report = report.into_results();
    let replay = process(async { orchestrator().replay(&run.run).await }).unwrap();
    assert!(replay.is_same(), "commit {nth}, {fault:?}: {replay:?}");
    for prompt in ["Tell of the rain.", "Tell of the wind."] {
        // The prompts of the aggregator and of a later plan contain the text as well.
        let (calls, most) = (asked(&model, prompt), 4);
        assert!(calls <= most, "commit {nth}, {fault:?}: {calls} calls");
    }
    Some((nth, report))
}

#[test]
fn a_crash_between_any_two_commits_costs_nothing_that_was_saved() {
    let faults = [StoreFault::Before, StoreFault::After];
    let both = faults.map(|fault| [true, false].map(|confirms| (fault, confirms)));
    for (fault, confirms) in both.into_iter().flatten() {
        let mut crashes = 0;
        while let Some((nth, report)) = crashed_at(crashes + 1, fault, confirms) {
            crashes += 1;
            let tasks = report.tasks.iter().map(|task| (&task.name, task.attempts));
            let tasks: Vec<(&Arc<str>, u32)> = tasks.collect();
            let shown = format!("commit {nth}, {fault:?}: {tasks:?}");
            assert_eq!(report.end(), Some(RunEnd::Completed), "{shown}");
            let answer = report.answer.as_ref().map(|answer| &*answer.text);
            assert_eq!(answer, Some(ANSWER), "{shown}");
            let attempts: u32 = report.tasks.iter().map(|task| task.attempts).sum();
            // Six tasks with executors, of which at most three were cut: `adopt`, or `plan`, and the two that
            // its proposals let start.
            assert!((6..=9).contains(&attempts), "{shown}");
        }
        // Each of the plan, the answer and three tasks notes, reserves and settles.
        assert!(crashes > 20, "only {crashes} commits");
    }
}

/// A plan of one task for an agent that reads.
const READING: &str = r#"{"reasoning": "Read.", "tasks": [
    {"name": "read", "needs": [], "kind": "agent", "agent": "reader", "prompt": "Read the four files."}]}"#;

/// A tool that counts the files which it opens.
struct Open(Arc<AtomicU32>);

#[async_trait]
impl Tool for Open {
    fn name(&self) -> &str {
        "open"
    }

    fn description(&self) -> &str {
        "Opens a file"
    }

    fn parameters(&self) -> Value {
        json!({ "type": "object" })
    }

    async fn call(&self, _: &TaskContext, of: Value) -> Result<ToolOutput, TaskError> {
        self.0.fetch_add(1, Ordering::Relaxed);
        Ok(format!("the text of {of}").into())
    }
}

/// The model: one file in each of four turns, then the result.
fn reader() -> ScriptedProvider {
    let work = Reply::made(|request| {
        let is_tool = |message: &&Message| matches!(message, Message::Tool { .. });
        let done = request.messages.iter().filter(is_tool).count();
        if done == 4 {
            return Ok(LlmResponse::text("Four files."));
        }
        let name = format!("file-{done}");
        let call = ToolCall {
            id: format!("call-{done}"),
            name: "open".to_owned(),
            arguments: json!({ "name": name }),
        };
        Ok(LlmResponse::calls(vec![call]))
    });
    ScriptedProvider::new("script")
        .rule(asks_for_a_plan, None, Reply::text(READING))
        .for_purpose(Purpose::Answer, Reply::text("Four files [read].\n"))
        .for_purpose(Purpose::Work, work)
}

#[test]
fn a_conversation_goes_on_after_a_crash_at_any_commit() {
    for fault in [StoreFault::Before, StoreFault::After] {
        for nth in 1.. {
            let store: Store = Arc::new(FaultyStore::new(MemoryStore::new()));
            let (model, opened) = (reader(), Arc::<AtomicU32>::default());
            let orchestrator = || {
                let mut agents = AgentCatalog::new();
                let reader = SubAgentDef::new("reader", "Reads files", "You read.");
                agents.add(reader.tool("open")).unwrap();
                let mut tools = Tools::new();
                tools.add(Open(Arc::clone(&opened))).unwrap();
                let builder = builder(&model).store(Arc::clone(&store) as Arc<dyn RawGraphStore>);
                builder.agents(agents).tools(tools).build().unwrap()
            };
            store.fail(Op::Commit, nth, fault);
            if process(async { orchestrator().run(GOAL).await }).is_ok() {
                assert!(nth > 25, "only {nth} commits");
                break;
            }
            let runs = process(store.list(ListQuery::default())).unwrap();
            let Some(run) = runs.first() else {
                continue;
            };
            let report = process(async { orchestrator().resume(&run.run).await }).unwrap();
            let shown = format!("commit {nth}, {fault:?}");
            assert_eq!(
                report.into_results().end(),
                Some(RunEnd::Completed),
                "{shown}"
            );
            // Plan, five turns and answer: only the calls in flight are made again, of the plan and of its task.
            let calls = model.requests().len();
            assert!((7..=9).contains(&calls), "{shown}: {calls} calls");
            let files = opened.load(Ordering::Relaxed);
            assert!((4..=5).contains(&files), "{shown}: {files} files");
            let replay = process(async { orchestrator().replay(&run.run).await }).unwrap();
            assert!(replay.is_same(), "{shown}: {replay:?}");
        }
    }
}
