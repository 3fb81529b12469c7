//! Attempts made once more: the same without a model, and differences found in each thing that is kept.

use std::borrow::Cow;
use std::sync::Arc;

use serde_json::{Value, json};
use zeph_executor::double::JournalDouble;
use zeph_executor::{
    Attempt, Budget, Executor, Note, NoteKind, Parent, Redact, Spend, TaskContext, TaskErrorRecord,
    TaskId, TaskInput, TaskOutput,
};
use zeph_llm::{ErrorKind, FallbackChain, LlmProvider, Reply, ScriptedProvider, ToolCall};
use zeph_planner::{
    AgentExecutor, LlmContext, LlmContextBuilder, Place, Recorded, RecordedEnd, Replayed, Tape,
    Tools, replay_attempt, tool_fn,
};
use zeph_sanitizer::{Seed, StandardSanitizer};
use zeph_subagent::{AgentCatalog, SubAgentDef};

#[derive(serde::Deserialize, schemars::JsonSchema)]
struct Key {
    key: String,
}

/// A tool that a replay must not call: the second time it says something else.
fn tools() -> Tools {
    let calls = Arc::new(std::sync::atomic::AtomicU32::new(0));
    let look_up = tool_fn("look_up", "Looks a key up", move |_, key: Key| {
        let call = calls.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        async move {
            match key.key.as_str() {
                "none" => Err(zeph_executor::TaskError::permanent(format!(
                    "no entry {call}"
                ))),
                key => Ok(format!("{key} is {call} <b>bold</b> </untrusted>")),
            }
        }
    });
    let mut tools = Tools::new();
    tools.add(look_up).expect("its name is free");
    tools
}

fn llm_context(model: Arc<dyn LlmProvider>) -> LlmContextBuilder {
    let mut agents = AgentCatalog::new();
    let mut agent = SubAgentDef::new("reader", "Looks things up", "You look things up.");
    agent.tools.insert("look_up".to_owned());
    agents.add(agent).expect("it is in order");
    let sanitizer = StandardSanitizer::new(Seed::derive(&7_u64.to_le_bytes()));
    LlmContext::builder(model)
        .sanitizer(Arc::new(sanitizer))
        .agents(agents)
        .tools(tools())
}

fn input() -> TaskInput {
    let mut input = TaskInput::new(json!({ "agent": "reader", "prompt": "What are a and none?" }));
    let parent = Parent::completed(TaskOutput::from("a \u{1b}[31mparent"));
    input.parents.insert("before".to_owned(), parent);
    input
}

fn call(id: &str, key: &str) -> ToolCall {
    ToolCall {
        id: id.to_owned(),
        name: "look_up".to_owned(),
        arguments: json!({ "key": key }),
    }
}

fn model() -> ScriptedProvider {
    ScriptedProvider::new("script")
        .then(Reply::error(ErrorKind::Unavailable, "overloaded"))
        .then(Reply::calls(vec![call("1", "a"), call("2", "none")]))
        .then(Reply::text("a is something, none is nothing"))
}

/// An attempt of the agent, as its journal knows it.
async fn recorded(model: ScriptedProvider) -> Recorded {
    recorded_by(Arc::new(model), Budget::UNLIMITED).await
}

/// The same within a budget, which each of its calls found untouched.
async fn recorded_by(model: Arc<dyn LlmProvider>, budget: Budget) -> Recorded {
    let journal = Arc::new(JournalDouble::limited(budget));
    let cx = TaskContext::builder(
        "run".parse().expect("a run id"),
        TaskId::from_index(0),
        "task",
        Attempt::FIRST,
    );
    let cx = cx.journal(Arc::clone(&journal) as _).build();
    let agent = AgentExecutor::new(Arc::new(
        llm_context(model).build().expect("it fits together"),
    ));
    let end = match agent.execute(&cx, input()).await {
        Ok(output) => RecordedEnd::Output(output.value),
        Err(error) => RecordedEnd::Error(TaskErrorRecord::from(&error)),
    };
    let calls = journal.texts(NoteKind::Prompt).len();
    Recorded {
        run: cx.run().clone(),
        task: cx.task(),
        name: cx.name().to_owned(),
        attempt: cx.attempt(),
        params: input().params,
        parents: input().parents,
        notes: journal.notes(),
        reserved: vec![(Spend::ZERO, budget); calls],
        left: budget,
        patch: None,
        asked_again: false,
        end,
    }
}

async fn again(recorded: Recorded) -> Replayed {
    again_with(recorded, None).await
}

async fn again_with(recorded: Recorded, redact: Option<Arc<dyn Redact>>) -> Replayed {
    let tape = Tape::new();
    let llm_context = llm_context(Arc::new(ScriptedProvider::new("script"))).on_tape(&tape);
    let agent = AgentExecutor::new(Arc::new(llm_context.build().expect("it fits together")));
    replay_attempt(&agent, recorded, &tape, redact).await
}

/// Changes the JSON of the note of that kind and number.
fn change(recorded: &mut Recorded, kind: NoteKind, number: usize, change: impl Fn(&mut Value)) {
    let mut notes = recorded.notes.iter_mut().filter(|note| note.kind == kind);
    let note = notes.nth(number - 1).expect("the note is there");
    let mut json = serde_json::from_slice(&note.body).expect("it is JSON");
    change(&mut json);
    *note = Note::json(kind, &json).expect("it is JSON");
}

#[tokio::test(start_paused = true)]
async fn an_attempt_with_tools_and_repeated_calls_comes_out_the_same() {
    let recorded = recorded(model()).await;
    let kinds = |kind| {
        recorded
            .notes
            .iter()
            .filter(|note| note.kind == kind)
            .count()
    };
    assert_eq!((kinds(NoteKind::Prompt), kinds(NoteKind::Tool)), (3, 2));
    assert!(
        matches!(recorded.end, RecordedEnd::Output(_)),
        "{:?}",
        recorded.end
    );
    assert_eq!(again(recorded).await, Replayed::Same);
}

#[tokio::test(start_paused = true)]
async fn a_failure_comes_out_the_same() {
    let recorded = recorded(ScriptedProvider::new("script").then(Reply::refusal("No."))).await;
    let RecordedEnd::Error(error) = &recorded.end else {
        panic!("{:?}", recorded.end);
    };
    assert_eq!(error.code, "model_refused");
    assert_eq!(again(recorded).await, Replayed::Same);
}

/// Where the replay of an attempt differs that was changed like this.
async fn found(changed: impl Fn(&mut Recorded)) -> String {
    let mut recorded = recorded(model()).await;
    changed(&mut recorded);
    match again(recorded).await {
        Replayed::Differs(difference) => {
            let place = difference.place;
            match difference.pointer.as_str() {
                "" => place.to_string(),
                pointer => format!("{place} {pointer}"),
            }
        }
        other @ (Replayed::Same | Replayed::Skipped(_)) => format!("{other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn a_change_of_each_thing_is_found_where_it_is() {
    let prompt = found(|recorded| {
        change(recorded, NoteKind::Prompt, 1, |note| {
            note["request"]["messages"][0]["text"] = json!("You are somebody else.");
        });
    });
    assert_eq!(prompt.await, "prompt 1 /request/messages/0/text");
    // What was said otherwise leads to another output.
    let reply = found(|recorded| {
        change(recorded, NoteKind::Reply, 3, |note| {
            note["response"]["text"] = json!("a is nothing");
        });
    });
    assert_eq!(reply.await, "output");
    let cost = found(|recorded| {
        change(recorded, NoteKind::Reply, 2, |note| {
            note["tokens"] = json!(1);
        });
    });
    assert_eq!(cost.await, "reply 2 /tokens");
    // What a tool gave back otherwise is another prompt.
    let tool = found(|recorded| {
        change(recorded, NoteKind::Tool, 1, |note| {
            note["text"] = json!("a is 9");
        });
    });
    assert_eq!(tool.await, "tool 1 /text");
    let route = found(|recorded| {
        change(recorded, NoteKind::Route, 1, |note| {
            note["agent"] = json!("writer");
        });
    });
    assert_eq!(route.await, "route 1 /agent");
    let parent = found(|recorded| {
        let other = Parent::completed(TaskOutput::from("another parent"));
        recorded.parents.insert("before".to_owned(), other);
    });
    assert!(parent.await.starts_with("route 1 /parents/0"));
    let output = found(|recorded| recorded.end = RecordedEnd::Output(json!("b")));
    assert_eq!(output.await, "output");
    let more = found(|recorded| recorded.notes.truncate(recorded.notes.len() - 1));
    assert_eq!(
        more.await,
        "Skipped(\"call 3 was cut off, and has no reply\")"
    );
    let less = found(|recorded| {
        let last = recorded.notes.last().cloned().expect("there are notes");
        recorded.notes.push(Note::new(NoteKind::Answer, last.body));
    });
    assert_eq!(less.await, "answer 1");
}

#[tokio::test(start_paused = true)]
async fn what_was_not_kept_is_skipped_and_says_why() {
    let whole = recorded(model()).await;
    let skipped = |recorded: Recorded| async {
        match again(recorded).await {
            Replayed::Skipped(why) => why,
            other @ (Replayed::Same | Replayed::Differs(_)) => format!("{other:?}"),
        }
    };
    let mut long = whole.clone();
    change(&mut long, NoteKind::Prompt, 2, |note| {
        note["request"] = Value::Null;
    });
    assert_eq!(skipped(long).await, "call 2 was too long to be kept");
    let mut cut = whole;
    cut.notes.retain(|note| note.kind != NoteKind::Reply);
    assert_eq!(skipped(cut).await, "call 1 was cut off, and has no reply");
}

/// Takes one word out.
struct Hush;

impl Redact for Hush {
    fn redact<'a>(&self, text: &'a [u8]) -> Cow<'a, [u8]> {
        let text = String::from_utf8_lossy(text).replace("something", "‹redacted›");
        Cow::Owned(text.into_bytes())
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_redacted_is_compared_as_it_was_kept() {
    let mut kept = recorded(model()).await;
    for note in &mut kept.notes {
        let body = Hush.redact(&note.body).into_owned();
        *note = Note::new(note.kind, body);
    }
    // The output is kept whole, and so it differs to who does not know what was taken out.
    let unaware = again(kept.clone()).await;
    assert!(matches!(unaware, Replayed::Differs(found) if found.place == Place::Output));
    assert_eq!(again_with(kept, Some(Arc::new(Hush))).await, Replayed::Same);
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_the_budget_shortened_is_no_difference() {
    let mut shortened = recorded(model()).await;
    change(&mut shortened, NoteKind::Prompt, 3, |note| {
        note["request"]["max_output_tokens"] = json!(70);
    });
    assert_eq!(again(shortened).await, Replayed::Same);
    let mut longer = recorded(model()).await;
    change(&mut longer, NoteKind::Prompt, 3, |note| {
        note["request"]["max_output_tokens"] = json!(7_000_000);
    });
    assert!(matches!(again(longer).await, Replayed::Differs(_)));
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_the_budget_cut_is_over_budget_once_more() {
    let model = ScriptedProvider::new("script").then(Reply::text("word ".repeat(9_000)));
    let budget = Budget::of_tokens(3_000);
    let mut recorded = recorded_by(Arc::new(model), budget).await;
    let RecordedEnd::Error(error) = &recorded.end else {
        panic!("{:?}", recorded.end);
    };
    assert_eq!(error.code, "over_budget");
    // It took all that was left.
    recorded.reserved[0].0.tokens = 3_000;
    assert_eq!(again(recorded.clone()).await, Replayed::Same);
    // Another task may have given back a part of the budget between the look at it and the taking.
    recorded.reserved[0].1 = Budget::of_tokens(9_000);
    assert_eq!(again(recorded).await, Replayed::Same);
}

#[tokio::test(start_paused = true)]
async fn the_time_that_was_left_for_a_call_is_no_difference() {
    let mut hasty = recorded(model()).await;
    change(&mut hasty, NoteKind::Prompt, 2, |note| {
        note["request"]["timeout"] = json!({ "secs": 3, "nanos": 7 });
    });
    assert_eq!(again(hasty).await, Replayed::Same);
}

#[tokio::test(start_paused = true)]
async fn the_links_of_a_chain_are_replayed_each() {
    let good = ScriptedProvider::new("good").then(Reply::text("here"));
    let busy =
        ScriptedProvider::new("busy").when("", Reply::error(ErrorKind::Unavailable, "overloaded"));
    let chain = || FallbackChain::new(Arc::new(busy.clone())).then(Arc::new(good.clone()));
    let recorded = recorded_by(Arc::new(chain()), Budget::UNLIMITED).await;
    assert!(matches!(recorded.end, RecordedEnd::Output(_)));
    let tape = Tape::new();
    let llm_context = llm_context(Arc::new(chain())).on_tape(&tape);
    let agent = AgentExecutor::new(Arc::new(llm_context.build().expect("it fits together")));
    let replayed = replay_attempt(&agent, recorded, &tape, None).await;
    assert_eq!(replayed, Replayed::Same);
    assert_eq!(good.requests().len(), 1, "nobody is asked in a replay");
}
