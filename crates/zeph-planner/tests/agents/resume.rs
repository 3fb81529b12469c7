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
    staffed_with(&model(asked), calls)
}

fn staffed_with(model: &ScriptedProvider, calls: &Arc<Mutex<Vec<String>>>) -> LlmContextBuilder {
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
    llm_context(model).tools(tools).agents(agents)
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
async fn another_prompt_uses_no_reply_again_and_repeats_no_call_unseen() {
    let notes = attempt("Go.", Vec::new()).await.bench.journal.notes();
    let second = attempt("Go there.", notes).await;
    assert_eq!(second.asked, 4);
    assert!((second.bench.notes(NoteKind::Reply).iter()).all(|note| note["reused"].is_null()));
    // What was sent before is not sent again, and the model learns that each time.
    assert_eq!(second.calls.len(), 6);
    assert!(second.calls.iter().all(|call| call.starts_with("look")));
    let tools = second.bench.notes(NoteKind::Tool);
    let unknown = tools.iter().filter(|note| note["outcome"] == "unknown");
    assert_eq!(unknown.count(), 3);
}

/// A model that first looks, then sends once, and then answers; `look` changes its first reply.
fn sender(look: &'static str, asked: &Arc<AtomicU32>) -> ScriptedProvider {
    let asked = Arc::clone(asked);
    let reply = Reply::made(move |request| {
        asked.fetch_add(1, Ordering::Relaxed);
        let is_tool = |message: &&Message| matches!(message, Message::Tool { .. });
        let calls = match request.messages.iter().filter(is_tool).count() {
            0 => vec![call("1", "look", json!({ "of": look }))],
            1 | 2 => vec![call("2", "send", json!({ "of": "letter" }))],
            _ => return Ok(LlmResponse::text("done")),
        };
        Ok(LlmResponse::calls(calls))
    });
    ScriptedProvider::new("script").rule(|_| true, None, reply)
}

/// An attempt of [`sender`] after interrupted ones.
async fn send(look: &'static str, notes: Vec<Note>) -> (u32, Vec<String>, Bench) {
    let (asked, calls) = (Arc::default(), Arc::default());
    let mut bench = Bench::new();
    bench.journal = Arc::new(JournalDouble::default().after_interruption(notes));
    let params = json!({ "prompt": "Send it.", "agent": "worker" });
    let context = staffed_with(&sender(look, &asked), &calls);
    let value = bench.run(context, task(params)).await;
    assert_eq!(value.expect("an answer"), "done");
    let calls = calls.lock().unwrap_or_else(PoisonError::into_inner).clone();
    (asked.load(Ordering::Relaxed), calls, bench)
}

/// The notes without the replies that a store would have changed.
fn redacted(notes: &[Note], secret: &str) -> Vec<Note> {
    let replace = |note: &Note| {
        let body = String::from_utf8_lossy(&note.body).replace(secret, "[redacted]");
        Note::new(note.kind, body.into_bytes())
    };
    notes.iter().map(replace).collect()
}

#[tokio::test(start_paused = true)]
async fn a_call_of_a_conversation_that_went_another_way_is_not_repeated_unseen() {
    let (_, calls, bench) = send("sea", Vec::new()).await;
    assert_eq!(calls, ["look sea", "send letter", "send letter"]);
    let notes = bench.journal.notes();
    // After the first letter: the reply to the first request is lost, so the second attempt asks again.
    let is_end_of_first = |note: &Note| {
        let text = String::from_utf8_lossy(&note.body);
        note.kind == NoteKind::Tool && text.contains("letter")
    };
    let crash = notes.iter().position(is_end_of_first).expect("it is sent");
    let before = redacted(&notes[..=crash], "sea");
    let (asked, calls, bench) = send("lake", before.clone()).await;
    assert_eq!(asked, 4);
    // The first letter of this conversation is the one that was sent before.
    assert_eq!(calls, ["look lake", "send letter"]);
    let outcomes: Vec<Value> = bench.notes(NoteKind::Tool);
    let outcomes: Vec<&Value> = outcomes.iter().map(|note| &note["outcome"]).collect();
    assert_eq!(outcomes, ["done", "unknown", "done"]);
    // The next attempt knows of both conversations, and repeats nothing.
    let both = [before, bench.journal.notes()].concat();
    let (asked, calls, _) = send("lake", both).await;
    assert_eq!((asked, calls.len()), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_reply_from_which_a_secret_was_removed_is_asked_for_again() {
    let (_, _, bench) = send("hunter2", Vec::new()).await;
    let notes = redacted(&bench.journal.notes(), "hunter2");
    let (asked, calls, _) = send("hunter2", notes).await;
    // The tool gets what the model gave, and never the mark of a redaction. All else is as before.
    assert_eq!((asked, calls), (1, vec!["look hunter2".to_owned()]));
}

/// A tool that is called until its attempt is stopped.
struct Endless(Arc<AtomicU32>);

#[zeph_executor::async_trait]
impl Tool for Endless {
    fn name(&self) -> &str {
        "look"
    }

    fn description(&self) -> &str {
        "Looks"
    }

    fn parameters(&self) -> Value {
        json!({ "type": "object" })
    }

    async fn call(&self, cx: &TaskContext, _: Value) -> Result<ToolOutput, TaskError> {
        if self.0.fetch_add(1, Ordering::Relaxed) == 0 {
            cx.cancelled().await;
            return Err(TaskError::cancelled("stopped in the middle"));
        }
        Ok("seen".into())
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_that_was_stopped_with_its_attempt_is_made_again() {
    let made = Arc::new(AtomicU32::new(0));
    let mut tools = Tools::new();
    tools.add(Endless(Arc::clone(&made))).expect("a tool");
    let mut agents = AgentCatalog::new();
    let agent = SubAgentDef::new("worker", "Works", "You work.").tool("look");
    agents.add(agent).expect("an agent");
    let context = |reply: Reply| {
        let model = ScriptedProvider::new("script").then(reply);
        llm_context(&model)
            .tools(tools.clone())
            .agents(agents.clone())
    };
    let params = json!({ "prompt": "Look.", "agent": "worker" });
    let bench = Bench::new();
    let first = bench.run(
        context(Reply::calls(vec![call("1", "look", json!({}))])),
        task(params.clone()),
    );
    let stop = async {
        while made.load(Ordering::Relaxed) == 0 {
            tokio::task::yield_now().await;
        }
        bench.stop.cancel();
    };
    let (stopped, ()) = tokio::join!(first, stop);
    assert!(stopped.is_err());
    let mut second = Bench::new();
    let notes = bench.journal.notes();
    second.journal = Arc::new(JournalDouble::default().after_interruption(notes));
    // The first reply is used again, so this model only has the second one.
    let again = second.run(context(Reply::text("done")), task(params));
    assert_eq!(again.await.expect("an answer"), "done");
    assert_eq!(made.load(Ordering::Relaxed), 2);
    assert_eq!(second.notes(NoteKind::Tool)[0]["outcome"], "done");
}

#[tokio::test(start_paused = true)]
async fn a_call_of_another_reply_to_the_same_request_is_another_call() {
    let upto = |notes: &[Note], kind: NoteKind| {
        let last = notes.iter().position(|note| note.kind == kind);
        notes[..=last.expect("there is one")].to_vec()
    };
    let (_, _, first) = send("sea", Vec::new()).await;
    let (_, _, second) = send("lake", Vec::new()).await;
    // Two interrupted attempts: the first one has looked at the sea, the second one was about to look at the lake.
    let looked = upto(&first.journal.notes(), NoteKind::Tool);
    let asked = upto(&second.journal.notes(), NoteKind::Reply);
    let (_, calls, _) = send("river", [looked, asked].concat()).await;
    assert_eq!(calls[0], "look lake");
}
