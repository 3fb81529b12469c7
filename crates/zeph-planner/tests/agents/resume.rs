//! Going on after an interruption: finished calls of models and tools are not repeated.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::{Value, json};
use zeph_executor::double::JournalDouble;
use zeph_executor::{Note, NoteKind, TaskContext, TaskError};
use zeph_graph::Effect;
use zeph_llm::{LlmResponse, Message, Reply, ScriptedProvider};
use zeph_planner::LlmContextBuilder;
use zeph_planner::agent::Tools;
use zeph_subagent::{AgentCatalog, SubAgentDef, Tool, ToolOutput};

use super::support::{Bench, call, llm_context, task};

/// A tool that counts its calls by their argument.
struct Counted {
    name: &'static str,
    effect: Effect,
    calls: Arc<Mutex<Vec<String>>>,
}

#[zeph_executor::async_trait]
impl Tool for Counted {
    fn name(&self) -> &str {
        self.name
    }

    fn description(&self) -> &str {
        "Counts"
    }

    fn parameters(&self) -> Value {
        json!({ "type": "object", "properties": { "of": { "type": "string" } } })
    }

    fn effect(&self) -> Effect {
        self.effect
    }

    async fn call(&self, _: &TaskContext, arguments: Value) -> Result<ToolOutput, TaskError> {
        let of = arguments["of"].as_str().unwrap_or_default();
        let mut calls = self.calls.lock().unwrap_or_else(PoisonError::into_inner);
        calls.push(format!("{} {of}", self.name));
        Ok(format!("{} gives {of}", self.name).into())
    }
}

/// A model that looks twice and sends once in each of three turns, and then answers.
fn model(asked: &Arc<AtomicU32>) -> ScriptedProvider {
    let asked = Arc::clone(asked);
    let reply = Reply::made(move |request| {
        asked.fetch_add(1, Ordering::Relaxed);
        let is_tool = |message: &&Message| matches!(message, Message::Tool { .. });
        let results = request.messages.iter().filter(is_tool).count();
        let turn = results / 3;
        if turn == 3 {
            return Ok(LlmResponse::text("done"));
        }
        let of = |tool: &str, index: u32| {
            let id = format!("{turn}.{index}");
            call(&id, tool, json!({ "of": id }))
        };
        Ok(LlmResponse::calls(vec![
            of("look", 1),
            of("send", 2),
            of("look", 3),
        ]))
    });
    ScriptedProvider::new("script").rule(|_| true, None, reply)
}

/// What an attempt did: its calls of the model and of tools.
struct Attempt {
    value: Value,
    asked: u32,
    calls: Vec<String>,
    bench: Bench,
}

fn staffed(asked: &Arc<AtomicU32>, calls: &Arc<Mutex<Vec<String>>>) -> LlmContextBuilder {
    let mut tools = Tools::new();
    for (name, effect) in [("look", Effect::Pure), ("send", Effect::AtMostOnce)] {
        let calls = Arc::clone(calls);
        tools
            .add(Counted {
                name,
                effect,
                calls,
            })
            .expect("a tool");
    }
    let mut agents = AgentCatalog::new();
    let agent = SubAgentDef::new("worker", "Works", "You work.");
    agents
        .add(agent.tool("look").tool("send"))
        .expect("an agent");
    llm_context(&model(asked)).tools(tools).agents(agents)
}

/// An attempt after interrupted ones with these notes.
async fn attempt(prompt: &str, notes: Vec<Note>) -> Attempt {
    let (asked, calls) = (Arc::default(), Arc::default());
    let mut bench = Bench::new();
    bench.journal = Arc::new(JournalDouble::default().after_interruption(notes));
    let params = json!({ "prompt": prompt, "agent": "worker" });
    let value = bench.run(staffed(&asked, &calls), task(params)).await;
    let calls = calls.lock().unwrap_or_else(PoisonError::into_inner).clone();
    Attempt {
        value: value.expect("an answer"),
        asked: asked.load(Ordering::Relaxed),
        calls,
        bench,
    }
}

fn count(notes: &[Note], kind: NoteKind) -> usize {
    notes.iter().filter(|note| note.kind == kind).count()
}

/// The calls of tools whose beginning is in the notes, and those whose end is.
fn begun_and_ended(notes: &[Note]) -> (Vec<String>, Vec<String>) {
    let (mut begun, mut ended) = (Vec::new(), Vec::new());
    for note in notes {
        let value: Value = serde_json::from_slice(&note.body).expect("a note is JSON");
        let text = |key: &str| value[key].as_str().unwrap_or_default().to_owned();
        let name = format!("{} {}", text("name"), text("call_id"));
        match note.kind {
            NoteKind::ToolCall if value["ended"].is_null() => begun.push(name),
            NoteKind::Tool | NoteKind::ToolCall => ended.push(name),
            NoteKind::Prompt
            | NoteKind::Reply
            | NoteKind::Route
            | NoteKind::Plan
            | NoteKind::Answer
            | NoteKind::Check
            | NoteKind::Process => {}
        }
    }
    (begun, ended)
}

#[tokio::test(start_paused = true)]
async fn after_an_interruption_at_any_note_no_finished_call_is_repeated() {
    let whole = attempt("Go.", Vec::new()).await;
    assert_eq!((whole.asked, whole.calls.len()), (4, 9));
    let notes = whole.bench.journal.notes();
    for crash in 0..=notes.len() {
        let before = &notes[..crash];
        let second = attempt("Go.", before.to_vec()).await;
        assert_eq!(second.value, "done", "{crash}");
        let replies = count(before, NoteKind::Reply);
        assert_eq!(second.asked as usize, 4 - replies, "{crash}");
        let (begun, ended) = begun_and_ended(before);
        let mut expected: Vec<&String> = whole.calls.iter().collect();
        // A call that may not be repeated is not, once it began.
        expected.retain(|call| !begun.contains(call) && !ended.contains(call));
        let mut made: Vec<&String> = second.calls.iter().collect();
        expected.sort();
        made.sort();
        assert_eq!(made, expected, "{crash}");
        let unknown = begun.iter().filter(|call| !ended.contains(call)).count();
        let tools = second.bench.notes(NoteKind::Tool);
        let is_unknown = |note: &&Value| note["outcome"] == "unknown";
        assert_eq!(tools.iter().filter(is_unknown).count(), unknown, "{crash}");
        // What was used again costs nothing.
        let spent = second.bench.journal.spent();
        let share = u64::from(second.asked) * whole.bench.journal.spent().tokens / 4;
        assert!(spent.tokens <= share * 3, "{crash}: {spent:?}");
        // The next interruption of the second attempt loses nothing either.
        let both = [before, &second.bench.journal.notes()].concat();
        let third = attempt("Go.", both).await;
        assert_eq!((third.asked, third.calls.len()), (0, 0), "{crash}");
        assert_eq!(third.value, "done", "{crash}");
    }
}

#[tokio::test(start_paused = true)]
async fn another_prompt_starts_afresh() {
    let notes = attempt("Go.", Vec::new()).await.bench.journal.notes();
    let second = attempt("Go there.", notes).await;
    assert_eq!((second.asked, second.calls.len()), (4, 9));
    assert!((second.bench.notes(NoteKind::Reply).iter()).all(|note| note["reused"].is_null()));
}
