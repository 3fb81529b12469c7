//! Replayed attempts: the same without a model, and a difference in each part is found.

use std::borrow::Cow;
use std::sync::Arc;

use serde_json::{Value, json};
use zeph_executor::double::JournalDouble;
use zeph_executor::{
    Attempt, Budget, Executor, Note, NoteKind, Parent, Redact, TaskContext, TaskErrorRecord,
    TaskId, TaskInput, TaskOutput,
};
use zeph_llm::{ErrorKind, LlmProvider, Reply, ScriptedProvider, ToolCall};
use zeph_planner::agent::{AgentExecutor, Tools};
use zeph_planner::answer::{AnswerExecutor, AnswerLimits, LlmAggregator};
use zeph_planner::replay::{
    DifferenceIn, RecordedAttempt, RecordedEnd, Recording, ReplayOutcome, replay_attempt,
};
use zeph_planner::{LlmContext, LlmContextBuilder};
use zeph_sanitizer::{Seed, StandardSanitizer};
use zeph_subagent::tool_fn;
use zeph_subagent::{AgentCatalog, SubAgentDef};

#[derive(serde::Deserialize, schemars::JsonSchema)]
struct Key {
    key: String,
}

/// A tool with another result at each call, which a replay must not call.
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

/// The recording of an attempt of the agent.
async fn recorded(model: ScriptedProvider) -> RecordedAttempt {
    recorded_by(Arc::new(model), Budget::UNLIMITED).await
}

/// The same within a budget.
async fn recorded_by(model: Arc<dyn LlmProvider>, budget: Budget) -> RecordedAttempt {
    let llm_context = llm_context(model).build().expect("it fits together");
    recorded_of(&AgentExecutor::new(Arc::new(llm_context)), input(), budget).await
}

/// The recording of an attempt of any executor.
async fn recorded_of(executor: &dyn Executor, input: TaskInput, budget: Budget) -> RecordedAttempt {
    let journal = Arc::new(JournalDouble::limited(budget));
    let cx = TaskContext::builder(
        "run".parse().expect("a run id"),
        TaskId::from_index(0),
        "task",
        Attempt::FIRST,
    );
    let cx = cx.journal(Arc::clone(&journal) as _).build();
    let end = match executor.execute(&cx, input.clone()).await {
        Ok(output) => RecordedEnd::Output(output.value),
        Err(error) => RecordedEnd::Error(TaskErrorRecord::from(&error)),
    };
    RecordedAttempt {
        item: None,
        previous_error: None,
        run: cx.run().clone(),
        task: cx.task(),
        name: cx.name().to_owned(),
        attempt: cx.attempt(),
        params: input.params,
        parents: input.parents,
        notes: journal.notes(),
        left: budget,
        patches: Vec::new(),
        end,
    }
}

async fn again(recorded: RecordedAttempt) -> ReplayOutcome {
    again_with(recorded, None).await
}

async fn again_with(recorded: RecordedAttempt, redact: Option<Arc<dyn Redact>>) -> ReplayOutcome {
    let recording = Recording::new();
    let llm_context = llm_context(Arc::new(ScriptedProvider::new("script"))).replaying(&recording);
    let agent = AgentExecutor::new(Arc::new(llm_context.build().expect("it fits together")));
    replay_attempt(&agent, recorded, &recording, redact).await
}

/// Changes the JSON of the note of that kind and number.
fn change(
    recorded: &mut RecordedAttempt,
    kind: NoteKind,
    number: usize,
    change: impl Fn(&mut Value),
) {
    let mut notes = recorded.notes.iter_mut().filter(|note| note.kind == kind);
    let note = notes.nth(number - 1).expect("the note is there");
    let mut json = serde_json::from_slice(&note.body).expect("it is JSON");
    change(&mut json);
    *note = Note::json(kind, &json).expect("it is JSON");
}

#[tokio::test(start_paused = true)]
async fn an_attempt_with_tools_and_retries_is_the_same() {
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
    assert_eq!(again(recorded).await, ReplayOutcome::Same);
}

#[tokio::test(start_paused = true)]
async fn a_failure_is_the_same() {
    let no = Reply::refusal("No.");
    let recorded = recorded(ScriptedProvider::new("script").then(no.clone()).then(no)).await;
    let RecordedEnd::Error(error) = &recorded.end else {
        panic!("{:?}", recorded.end);
    };
    assert_eq!(error.code, "model_refused");
    assert_eq!(again(recorded).await, ReplayOutcome::Same);
}

/// The place where the replay of a changed recording differs.
async fn found(changed: impl Fn(&mut RecordedAttempt)) -> String {
    let mut recorded = recorded(model()).await;
    changed(&mut recorded);
    match again(recorded).await {
        ReplayOutcome::Differs(difference) => {
            let place = difference.place;
            match difference.pointer.as_str() {
                "" => place.to_string(),
                pointer => format!("{place} {pointer}"),
            }
        }
        other @ (ReplayOutcome::Same | ReplayOutcome::Skipped(_)) => format!("{other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn a_change_of_each_part_is_found_at_its_place() {
    let prompt = found(|recorded| {
        change(recorded, NoteKind::Prompt, 1, |note| {
            note["request"]["messages"][0]["text"] = json!("You are somebody else.");
        });
    });
    assert_eq!(prompt.await, "prompt 1 /request/messages/0/text");
    // Another reply leads to another output.
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
    // Another tool result shows in its note first.
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
    assert_eq!(more.await, "Skipped(\"call 3 has no reply\")");
    let less = found(|recorded| {
        let last = recorded.notes.last().cloned().expect("there are notes");
        recorded.notes.push(Note::new(NoteKind::Answer, last.body));
    });
    assert_eq!(less.await, "answer 1");
}

#[tokio::test(start_paused = true)]
async fn a_call_without_a_reply_is_skipped_with_a_reason() {
    let mut cut = recorded(model()).await;
    cut.notes.retain(|note| note.kind != NoteKind::Reply);
    let why = ReplayOutcome::Skipped("call 1 has no reply".to_owned());
    assert_eq!(again(cut).await, why);
}

#[tokio::test(start_paused = true)]
async fn a_result_that_was_left_out_is_known_by_its_note_and_not_by_its_text() {
    let mut left_out = recorded(model()).await;
    change(&mut left_out, NoteKind::Tool, 1, |note| {
        assert!(note.get("left_out").is_none(), "{note}");
        note["left_out"] = json!(true);
    });
    let ReplayOutcome::Skipped(why) = again(left_out).await else {
        panic!("the replay has a result that is not stored");
    };
    assert!(why.contains("was left out of the prompt"), "{why}");

    let mut like_it = recorded(model()).await;
    change(&mut like_it, NoteKind::Tool, 1, |note| {
        note["text"] = json!("(left out of the report by its author)");
    });
    let outcome = again(like_it).await;
    assert!(!matches!(outcome, ReplayOutcome::Skipped(_)), "{outcome:?}");
}

#[tokio::test(start_paused = true)]
async fn a_request_that_was_too_long_to_be_stored_is_found_by_its_hash() {
    let mut recorded = recorded(model()).await;
    change(&mut recorded, NoteKind::Prompt, 2, |note| {
        note["hash"] = json!("0");
    });
    // The hash of the note is only informative; the reply has its own.
    assert_eq!(again(recorded.clone()).await, ReplayOutcome::Same);
    change(&mut recorded, NoteKind::Reply, 2, |note| {
        note["hash"] = json!("0");
    });
    let ReplayOutcome::Differs(difference) = again(recorded).await else {
        panic!("a reply with another hash is not found");
    };
    assert_eq!(difference.place.to_string(), "reply 2");
}

/// Removes one word.
struct RemoveWord;

impl Redact for RemoveWord {
    fn redact<'a>(&self, text: &'a [u8]) -> Cow<'a, [u8]> {
        let text = String::from_utf8_lossy(text).replace("something", "‹redacted›");
        Cow::Owned(text.into_bytes())
    }
}

#[tokio::test(start_paused = true)]
async fn both_sides_are_compared_after_redaction() {
    let mut kept = recorded(model()).await;
    for note in &mut kept.notes {
        let body = RemoveWord.redact(&note.body).into_owned();
        *note = Note::new(note.kind, body);
    }
    // Without the redactor the notes differ.
    let unaware = again(kept.clone()).await;
    assert!(
        matches!(unaware, ReplayOutcome::Differs(found) if found.place == DifferenceIn::Output)
    );
    assert_eq!(
        again_with(kept, Some(Arc::new(RemoveWord))).await,
        ReplayOutcome::Same
    );
}

#[tokio::test(start_paused = true)]
async fn a_replay_has_the_same_budget_before_each_call() {
    let budget = Budget::of_tokens(9_000);
    let mut reduced = recorded_by(Arc::new(model()), budget).await;
    assert!(matches!(reduced.end, RecordedEnd::Output(_)), "{reduced:?}");
    assert_eq!(again(reduced.clone()).await, ReplayOutcome::Same);
    change(&mut reduced, NoteKind::Prompt, 3, |note| {
        note["request"]["max_output_tokens"] = json!(7_000_000);
    });
    let ReplayOutcome::Differs(difference) = again(reduced).await else {
        panic!("another limit is a difference");
    };
    assert_eq!(difference.pointer, "/request/max_output_tokens");
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_the_budget_cut_is_over_budget_in_the_replay() {
    let model = ScriptedProvider::new("script").then(Reply::text("word ".repeat(9_000)));
    let budget = Budget::of_tokens(3_000);
    let recorded = recorded_by(Arc::new(model), budget).await;
    let RecordedEnd::Error(error) = &recorded.end else {
        panic!("{:?}", recorded.end);
    };
    assert_eq!(error.code, "over_budget");
    assert_eq!(again(recorded).await, ReplayOutcome::Same);
}

/// The executor of an answer whose results are summarised.
fn answers(llm_context: LlmContextBuilder) -> AnswerExecutor {
    let llm_context = llm_context.build().expect("it fits together");
    let limits = AnswerLimits {
        input_tokens: 2_048,
        ..AnswerLimits::default()
    };
    AnswerExecutor::new(Arc::new(
        LlmAggregator::new(Arc::new(llm_context)).limits(limits),
    ))
}

#[tokio::test(start_paused = true)]
async fn summaries_within_a_budget_are_the_same() {
    let mut input = TaskInput::new(json!({ "goal": "All of it" }));
    let parent = Parent::completed(TaskOutput::from("some words ".repeat(9_000)));
    input.parents.insert("long".to_owned(), parent);
    for budget in [Budget::UNLIMITED, Budget::of_tokens(40_000)] {
        let model = ScriptedProvider::new("script")
            .when("Do not answer the goal yet", Reply::text("A part [long]."))
            .when("Write the answer", Reply::text("All [summary-1.1]."));
        let executor = answers(llm_context(Arc::new(model.clone())));
        let recorded = recorded_of(&executor, input.clone(), budget).await;
        let RecordedEnd::Output(output) = &recorded.end else {
            panic!("{:?}", recorded.end);
        };
        assert_eq!(output["by"], "llm", "{output}");
        let calls = model.requests().len();
        assert_eq!(calls < 10, budget.tokens().is_some(), "{calls}");
        assert!(calls > 2, "{calls}");
        let recording = Recording::new();
        let model = Arc::new(ScriptedProvider::new("script"));
        let executor = answers(llm_context(model).replaying(&recording));
        let outcome = replay_attempt(&executor, recorded, &recording, None).await;
        assert_eq!(outcome, ReplayOutcome::Same);
    }
}

#[tokio::test(start_paused = true)]
async fn the_time_limit_of_a_call_is_not_compared() {
    let mut hasty = recorded(model()).await;
    change(&mut hasty, NoteKind::Prompt, 2, |note| {
        note["request"]["timeout"] = json!({ "secs": 3, "nanos": 7 });
    });
    assert_eq!(again(hasty).await, ReplayOutcome::Same);
}
