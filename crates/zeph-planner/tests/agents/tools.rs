//! The tool loop: rights, schemas, repeats, failures, turns, and parallel calls.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};
use zeph_executor::double::Gate;
use zeph_executor::{ErrorClass, NoteKind, TaskContext, TaskError, TaskInput};
use zeph_llm::{Reply, ScriptedProvider, StopReason};
use zeph_planner::agent::Tools;
use zeph_planner::{LlmContextBuilder, LlmContextLimits};
use zeph_subagent::{AgentCatalog, AgentLimits, SubAgentDef, Tool, ToolOutput, tool_fn};

use super::support::{Bench, call, last, llm_context, read, task, tools};

fn worker() -> SubAgentDef {
    SubAgentDef::new("worker", "Works", "You work.")
        .tool("read")
        .tool("broken")
}

pub(crate) fn staffed(model: &ScriptedProvider, agent: SubAgentDef) -> LlmContextBuilder {
    let mut agents = AgentCatalog::new();
    agents.add(agent).expect("an agent");
    llm_context(model).tools(tools()).agents(agents)
}

pub(crate) fn go() -> TaskInput {
    task(json!({ "prompt": "Go.", "agent": "worker" }))
}

async fn fails(bench: &Bench, model: &ScriptedProvider, agent: SubAgentDef) -> TaskError {
    let outcome = bench.run(staffed(model, agent), go()).await;
    outcome.expect_err("it cannot end well")
}

#[tokio::test(start_paused = true)]
async fn a_tool_is_called_and_its_result_reported() {
    let model = ScriptedProvider::new("script")
        .then(Reply::calls(vec![read("1", "a"), read("2", "b")]))
        .then(Reply::text("done"));
    let bench = Bench::new();
    let value = bench.run(staffed(&model, worker()), go()).await;
    assert_eq!(value.expect("an answer"), "done");
    let requests = model.requests();
    assert_eq!(requests[0].tools.len(), 2);
    assert_eq!(requests[1].messages.len(), 5);
    assert!(last(&model, 1).contains("content of b"));
    let notes = bench.notes(NoteKind::Tool);
    let outcomes: Vec<&Value> = notes.iter().map(|note| &note["outcome"]).collect();
    assert_eq!(outcomes, ["done", "done"]);
    assert_eq!(notes[0]["arguments"], json!({ "path": "a" }));
    assert_eq!(bench.notes(NoteKind::Prompt).len(), 2);
    assert!(model.violations().is_empty());
}

struct Write;

#[zeph_executor::async_trait]
impl Tool for Write {
    fn name(&self) -> &str {
        "write"
    }

    fn description(&self) -> &str {
        "Writes"
    }

    fn parameters(&self) -> Value {
        json!({ "type": "object" })
    }

    fn needs_approval(&self) -> bool {
        true
    }

    async fn call(&self, _: &TaskContext, _: Value) -> Result<ToolOutput, TaskError> {
        Ok("written".into())
    }
}

#[tokio::test(start_paused = true)]
async fn a_tool_that_needs_an_approval_is_called_only_if_the_approval_names_it() {
    for (approved, wanted) in [
        (&[][..], "refused"),
        (&["other", "writes"], "refused"),
        (&["other", "write"], "done"),
    ] {
        let model = ScriptedProvider::new("script")
            .then(Reply::calls(vec![call("1", "write", json!({}))]))
            .then(Reply::text("done"));
        let bench = Bench::new().approved(approved);
        let agent = SubAgentDef::new("worker", "Works", "You work.").tool("write");
        let mut tools = Tools::new();
        tools.add(Write).expect("a tool");
        let context = staffed(&model, agent).tools(tools);
        let value = bench.run(context, go()).await;
        assert_eq!(value.expect("an answer"), "done");
        let notes = bench.notes(NoteKind::Tool);
        assert_eq!(notes[0]["outcome"], wanted);
        let is_refused = wanted == "refused";
        assert_eq!(last(&model, 1).contains("needs the approval"), is_refused);
        assert_eq!(
            last(&model, 1).contains("`zeph retry run --from task`"),
            is_refused
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_outside_the_rights_or_the_schema_is_reported_to_the_model() {
    let model = ScriptedProvider::new("script")
        .then(Reply::calls(vec![
            call("1", "rm -rf", json!({})),
            call("2", "read", json!({ "file": 7 })),
            call("3", "broken", json!({ "path": "a" })),
            call("4", "read", json!("{\"path\": \"a")),
        ]))
        .then(Reply::text("done"));
    let bench = Bench::new();
    let value = bench.run(staffed(&model, worker()), go()).await;
    assert_eq!(value.expect("an answer"), "done");
    let messages = &model.requests()[1].messages;
    let advice = "unknown tool for this task; expected one of: broken, read";
    assert_eq!(messages[3].text(), advice, "the model may follow it");
    assert!((messages[4].text()).starts_with("not called: the arguments do not fit"));
    let failed = messages[5].text();
    assert!(failed.starts_with("<untrusted ") && failed.contains("the disk is gone"));
    let broken = "not called: the arguments are broken JSON (EOF while parsing";
    assert!(messages[6].text().starts_with(broken), "{:?}", messages[6]);
    let notes = bench.notes(NoteKind::Tool);
    let outcomes: Vec<&Value> = notes.iter().map(|note| &note["outcome"]).collect();
    assert_eq!(
        outcomes,
        ["refused", "bad_arguments", "failed", "bad_arguments"]
    );
    assert_eq!(notes[0]["name"], "rm -rf");
    assert!(model.violations().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_task_narrows_the_tools_and_cannot_widen_them() {
    let model = ScriptedProvider::new("script").then(Reply::text("done"));
    let bench = Bench::new();
    let narrow = json!({ "prompt": "Go.", "agent": "worker", "tools": ["read"] });
    bench
        .run(staffed(&model, worker()), task(narrow))
        .await
        .expect("an answer");
    let names: Vec<String> = model.requests()[0]
        .tools
        .iter()
        .map(|tool| tool.name.clone())
        .collect();
    assert_eq!(names, ["read"]);
    let only = SubAgentDef::new("worker", "Works", "You work.").tool("read");
    for (tool, class, code) in [
        ("broken", ErrorClass::Refused, "tool_not_allowed"),
        ("shell", ErrorClass::Permanent, "unknown_tool"),
    ] {
        let wide = json!({ "prompt": "Go.", "agent": "worker", "tools": ["read", tool] });
        let error = bench
            .run(staffed(&model, only.clone()), task(wide))
            .await
            .expect_err("wider");
        assert_eq!((error.class(), error.code()), (class, code));
    }
    assert_eq!(model.requests().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn the_same_call_again_and_again_ends_the_attempt() {
    // Arguments that differ only in the order of keys are the same call.
    let mut model = ScriptedProvider::new("script");
    for turn in 0..5 {
        let arguments = if turn % 2 == 0 {
            json!({ "path": "a", "x": 1 })
        } else {
            json!({ "x": 1, "path": "a" })
        };
        model = model.then(Reply::calls(vec![call("1", "read", arguments)]));
    }
    let bench = Bench::new();
    let error = fails(&bench, &model, worker()).await;
    assert_eq!(error.code(), "tool_loop");
    assert_eq!(bench.notes(NoteKind::Tool).len(), 3);
    assert_eq!(model.requests().len(), 4);
}

#[tokio::test(start_paused = true)]
async fn calls_that_fail_again_and_again_end_the_attempt() {
    let mut model = ScriptedProvider::new("script");
    for turn in 0..9 {
        let path = turn.to_string();
        model = model.then(Reply::calls(vec![call(
            "1",
            "broken",
            json!({ "path": path }),
        )]));
    }
    let error = fails(&Bench::new(), &model, worker()).await;
    assert_eq!(error.code(), "tool_failed");
    assert!(error.message().contains("the disk is gone"));
    assert_eq!(model.requests().len(), 5);
}

#[tokio::test(start_paused = true)]
async fn calls_beyond_the_limit_of_a_reply_are_refused_and_are_no_failures() {
    let calls = (0..24).map(|id| read(&id.to_string(), &id.to_string()));
    let model = ScriptedProvider::new("script")
        .then(Reply::calls(calls.collect()))
        .then(Reply::text("done"));
    let bench = Bench::new();
    bench
        .run(staffed(&model, worker()), go())
        .await
        .expect("an answer");
    let outcome = |note: &Value| note["outcome"].as_str().map(str::to_owned);
    let outcomes: Vec<_> = bench
        .notes(NoteKind::Tool)
        .iter()
        .filter_map(outcome)
        .collect();
    assert_eq!(outcomes[..16], ["done"; 16]);
    assert_eq!(outcomes[16..], ["refused"; 8]);
}

#[tokio::test(start_paused = true)]
async fn turns_are_bounded_and_the_last_one_must_answer() {
    let script = |turns: usize| {
        let paths = (0..turns).map(|turn| turn.to_string());
        paths.fold(ScriptedProvider::new("script"), |model, path| {
            model.then(Reply::calls(vec![read("1", &path)]))
        })
    };
    let limits = AgentLimits {
        max_turns: 3,
        ..AgentLimits::default()
    };
    let model = script(9);
    let error = fails(&Bench::new(), &model, worker().limits(limits)).await;
    assert_eq!(error.code(), "too_many_turns");
    let requests = model.requests();
    assert_eq!(requests.len(), 3);
    assert_eq!(requests[2].tool_choice, zeph_llm::ToolChoice::None);
    let tools = |index: usize| (&requests[index].messages[0], &requests[index].tools);
    assert_eq!(tools(0), tools(2), "the beginning stays the same");
    assert!(last(&model, 2).contains("This is your last turn"));
    assert!(!last(&model, 1).contains("This is your last turn"));
    // The model would not see the result of a call in the last turn.
    let model = script(2).then(Reply::text("done"));
    let value = Bench::new()
        .run(staffed(&model, worker().limits(limits)), go())
        .await;
    assert_eq!(value.expect("an answer"), "done");
}

#[tokio::test(start_paused = true)]
async fn an_attempts_tokens_are_bounded() {
    let mut model = ScriptedProvider::new("script");
    for turn in 0..8 {
        model = model.then(Reply::calls(vec![read("1", &turn.to_string())]));
    }
    let limits = LlmContextLimits {
        attempt_tokens: 300,
        ..LlmContextLimits::default()
    };
    let llm_context = staffed(&model, worker()).limits(limits);
    let error = Bench::new()
        .run(llm_context, go())
        .await
        .expect_err("too much");
    assert_eq!(error.code(), "too_many_tokens");
    assert!(model.requests().len() < 5);
}

#[tokio::test(start_paused = true)]
async fn a_large_result_is_cut_and_the_conversation_stays_within_its_limit() {
    let mut tools = Tools::new();
    let large = tool_fn("large", "Gives much", |_cx, _: Nothing| async {
        Ok("lorem ipsum ".repeat(50_000))
    });
    tools.add(large).expect("a tool");
    let mut agents = AgentCatalog::new();
    let limits = AgentLimits {
        max_input_tokens: 2_000,
        ..AgentLimits::default()
    };
    let agent = SubAgentDef::new("worker", "Works", "You work.")
        .tool("large")
        .limits(limits);
    agents.add(agent).expect("an agent");
    let calls = |id: &str, seed: u32| call(id, "large", json!({ "seed": seed }));
    let model = ScriptedProvider::new("script")
        .then(Reply::calls(vec![
            calls("1", 1),
            calls("2", 2),
            calls("3", 3),
        ]))
        .then(Reply::text("done"));
    let llm_context = llm_context(&model).tools(tools).agents(agents);
    let value = Bench::new().run(llm_context, go()).await;
    assert_eq!(value.expect("an answer"), "done");
    let messages = &model.requests()[1].messages;
    assert!(
        messages[3..]
            .iter()
            .all(|one| one.text().contains("bytes cut"))
    );
}

#[derive(serde::Deserialize, schemars::JsonSchema)]
struct Nothing {}

#[tokio::test(start_paused = true)]
async fn calls_of_one_reply_run_side_by_side_within_a_bound() {
    let (running, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let (gate, mut tools) = (Gate::new(), Tools::new());
    let seen = (Arc::clone(&running), Arc::clone(&most));
    let waits = tool_fn("wait", "Waits", move |_cx, _: Value| {
        let (running, most) = seen.clone();
        async move {
            let now = running.fetch_add(1, Ordering::SeqCst) + 1;
            most.fetch_max(now, Ordering::SeqCst);
            tokio::task::yield_now().await;
            running.fetch_sub(1, Ordering::SeqCst);
            Ok(now.to_string())
        }
    });
    gate.open();
    tools.add(Object(waits)).expect("a tool");
    let mut agents = AgentCatalog::new();
    agents
        .add(SubAgentDef::new("worker", "Works", "You work.").tool("wait"))
        .expect("an agent");
    let calls = (0..10).map(|id| call(&id.to_string(), "wait", json!({ "n": id })));
    let model = ScriptedProvider::new("script")
        .then(Reply::calls(calls.collect()))
        .then(Reply::text("done"));
    let llm_context = llm_context(&model).tools(tools).agents(agents);
    Bench::new()
        .run(llm_context, go())
        .await
        .expect("an answer");
    assert_eq!(most.load(Ordering::SeqCst), 4);
    assert_eq!(model.requests()[1].messages.len(), 13);
}

/// A tool that takes any object.
struct Object(Arc<dyn zeph_subagent::Tool>);

#[zeph_executor::async_trait]
impl zeph_subagent::Tool for Object {
    fn name(&self) -> &str {
        self.0.name()
    }

    fn description(&self) -> &str {
        self.0.description()
    }

    fn parameters(&self) -> Value {
        json!({ "type": "object" })
    }

    async fn call(
        &self,
        cx: &zeph_executor::TaskContext,
        arguments: Value,
    ) -> Result<zeph_subagent::ToolOutput, TaskError> {
        self.0.call(cx, arguments).await
    }
}

#[tokio::test(start_paused = true)]
async fn refusals_and_cut_answers_have_codes_of_their_own() {
    let cut = zeph_llm::LlmResponse::calls(vec![read("1", "a")]).stopped(StopReason::MaxTokens);
    for (reply, class, code) in [
        (
            Reply::refusal("I will not."),
            ErrorClass::Refused,
            "model_refused",
        ),
        (
            // A call whose arguments are incomplete is no result.
            Reply::response(cut),
            ErrorClass::Permanent,
            "answer_cut",
        ),
        (Reply::text("  "), ErrorClass::Permanent, "empty_answer"),
    ] {
        let model = ScriptedProvider::new("script")
            .then(reply.clone())
            .then(reply);
        let error = fails(&Bench::new(), &model, worker()).await;
        assert_eq!((error.class(), error.code()), (class, code));
        assert!(error.message().contains(';'), "it says what to do: {error}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_tool_that_hangs_is_given_up_and_reported_to_the_model() {
    let mut tools = Tools::new();
    let hangs = tool_fn("hang", "Hangs", |_cx, _: Nothing| {
        std::future::pending::<Result<String, TaskError>>()
    });
    tools.add(hangs).expect("a tool");
    let mut agents = AgentCatalog::new();
    let agent = SubAgentDef::new("worker", "Works", "You work.").tool("hang");
    agents.add(agent).expect("an agent");
    let model = ScriptedProvider::new("script")
        .then(Reply::calls(vec![call("1", "hang", json!({}))]))
        .then(Reply::text("done"));
    let llm_context = llm_context(&model).tools(tools).agents(agents);
    let value = Bench::new().run(llm_context, go()).await;
    assert_eq!(value.expect("an answer"), "done");
    assert!(last(&model, 1).contains("no answer within 2m"));
}

#[tokio::test(start_paused = true)]
async fn a_call_that_ends_the_attempt_leaves_notes_of_all_beside_it() {
    let calls = vec![read("1", "a"), call("2", "dear", json!({})), read("3", "b")];
    let model = ScriptedProvider::new("script").then(Reply::calls(calls));
    let dear = tool_fn("dear", "Costs too much", |_cx, _: Nothing| async move {
        Err::<String, _>(TaskError::new(ErrorClass::OverBudget, "it is too dear"))
    });
    let mut all = tools();
    all.add(dear).expect("a tool");
    let mut agents = AgentCatalog::new();
    agents.add(worker().tool("dear")).expect("an agent");
    let bench = Bench::new();
    let llm_context = llm_context(&model).tools(all).agents(agents);
    let error = bench.run(llm_context, go()).await.expect_err("it ended");
    assert_eq!(error.class(), ErrorClass::OverBudget);
    let notes = bench.notes(NoteKind::Tool);
    let kept: Vec<(&Value, &Value)> = notes
        .iter()
        .map(|note| (&note["call_id"], &note["outcome"]))
        .collect();
    let [one, two, three] = ["1", "2", "3"].map(Value::from);
    let [done, failed] = ["done", "failed"].map(Value::from);
    assert_eq!(kept, [(&one, &done), (&two, &failed), (&three, &done)]);
    let shown = notes[1]["text"].as_str().unwrap_or_default();
    assert!(shown.contains("it ended the attempt: "), "{shown}");
}
