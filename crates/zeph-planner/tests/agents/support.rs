//! A test bench for one attempt: an LLM context, a recording journal, and a stop switch.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::{Value, json};
use zeph_executor::double::JournalDouble;
use zeph_executor::{
    Attempt, Budget, Executor, NoteKind, Parent, ParentState, Progress, Purpose, Stop, TaskContext,
    TaskError, TaskId, TaskInput, TaskOutput,
};
use zeph_llm::{LlmProvider, Message, ScriptedProvider, ToolCall};
use zeph_planner::agent::{AgentExecutor, Tools};
use zeph_planner::{LlmContext, LlmContextBuilder};
use zeph_sanitizer::{Redactor, Seed, StandardSanitizer};
use zeph_subagent::tool_fn;

/// The secret that no prompt may contain.
pub(crate) const SECRET: &str = "hunter2-hunter2";

pub(crate) struct Bench {
    pub(crate) journal: Arc<JournalDouble>,
    pub(crate) stop: Stop,
    pub(crate) shown: Arc<ProgressLog>,
    approved: BTreeSet<String>,
    pub(crate) purpose: Purpose,
}

/// The progress messages.
#[derive(Default)]
pub(crate) struct ProgressLog(Mutex<Vec<String>>);

impl ProgressLog {
    pub(crate) fn all(&self) -> Vec<String> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

impl Progress for ProgressLog {
    fn progress(&self, text: &str) {
        let mut shown = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        shown.push(text.to_owned());
    }
}

impl Bench {
    pub(crate) fn new() -> Self {
        Self::limited(Budget::UNLIMITED)
    }

    pub(crate) fn limited(budget: Budget) -> Self {
        Self {
            journal: Arc::new(JournalDouble::limited(budget)),
            stop: Stop::new(),
            shown: Arc::default(),
            approved: BTreeSet::new(),
            purpose: Purpose::default(),
        }
    }

    /// The task has an approval for these tools.
    pub(crate) fn approved(self, tools: &[&str]) -> Self {
        let approved = tools.iter().map(|tool| (*tool).to_owned()).collect();
        Self { approved, ..self }
    }

    pub(crate) fn context(&self) -> TaskContext {
        let run = "run".parse().expect("a run id");
        TaskContext::builder(run, TaskId::from_index(0), "task", Attempt::FIRST)
            .journal(Arc::clone(&self.journal) as _)
            .stop(&self.stop)
            .approved_tools(self.approved.clone())
            .purpose(self.purpose.clone())
            .progress(Arc::clone(&self.shown) as _)
            .build()
    }

    pub(crate) async fn run(
        &self,
        llm_context: LlmContextBuilder,
        input: TaskInput,
    ) -> Result<Value, TaskError> {
        let llm_context = llm_context.build().expect("the llm_context fits together");
        let executor = AgentExecutor::new(Arc::new(llm_context));
        let output = executor.execute(&self.context(), input).await?;
        Ok(output.value)
    }

    /// The notes of a kind, as JSON.
    pub(crate) fn notes(&self, kind: NoteKind) -> Vec<Value> {
        let texts = self.journal.texts(kind).into_iter();
        texts
            .map(|text| serde_json::from_str(&text).expect("a note is JSON"))
            .collect()
    }
}

/// An LLM context with a scripted provider, a fixed seed and one secret.
pub(crate) fn llm_context(provider: &ScriptedProvider) -> LlmContextBuilder {
    let redactor = Redactor::new([("token", SECRET)]).expect("a secret that is long enough");
    let sanitizer = StandardSanitizer::new(Seed::new([7; 32])).redactor(redactor);
    let provider: Arc<dyn LlmProvider> = Arc::new(provider.clone());
    LlmContext::builder(provider).sanitizer(Arc::new(sanitizer))
}

/// A task without parents.
pub(crate) fn task(params: Value) -> TaskInput {
    TaskInput::new(params)
}

/// A task whose parents completed with these values.
pub(crate) fn after(params: Value, parents: &[(&str, Value)]) -> TaskInput {
    let mut input = TaskInput::new(params);
    for (name, value) in parents {
        let parent = Parent::completed(TaskOutput::from(value.clone()));
        input.parents.insert((*name).to_owned(), parent);
    }
    input
}

/// A parent that ended without an output.
pub(crate) fn ended(state: ParentState) -> Parent {
    Parent::ended(state, None)
}

/// Two tools: one that reads, one that always fails.
pub(crate) fn tools() -> Tools {
    #[derive(serde::Deserialize, schemars::JsonSchema)]
    struct Path {
        path: String,
    }
    let mut tools = Tools::new();
    let read = tool_fn("read", "Reads a file", |_cx, of: Path| async move {
        Ok(format!("content of {}", of.path))
    });
    let broken = tool_fn("broken", "Fails", |_cx, _: Path| async move {
        Err::<String, _>(TaskError::permanent("the disk is gone"))
    });
    tools.add(read).expect("a tool");
    tools.add(broken).expect("a tool");
    tools
}

pub(crate) fn call(id: &str, name: &str, arguments: Value) -> ToolCall {
    ToolCall {
        id: id.to_owned(),
        name: name.to_owned(),
        arguments,
    }
}

/// A call of the tool that reads.
pub(crate) fn read(id: &str, path: &str) -> ToolCall {
    call(id, "read", json!({ "path": path }))
}

/// The text of the last message of a request.
pub(crate) fn last(provider: &ScriptedProvider, index: usize) -> String {
    let requests = provider.requests();
    let last = requests[index].messages.last();
    last.map_or("", Message::text).to_owned()
}

pub(crate) fn whole(provider: &ScriptedProvider, index: usize) -> String {
    let requests = provider.requests();
    let texts = requests[index].messages.iter().map(Message::text);
    texts.collect::<Vec<_>>().join("\n")
}
