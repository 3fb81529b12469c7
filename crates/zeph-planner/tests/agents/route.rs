//! The agent of a task: named, routed, another one after a failure, or none.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use zeph_executor::NoteKind;
use zeph_llm::{
    Capabilities, ErrorKind, LlmError, LlmProvider, LlmRequest, LlmResponse, Prices, Reply,
    SchemaSupport, ScriptedProvider,
};
use zeph_planner::code;
use zeph_subagent::router::{NoMatch, ScoringRouter};
use zeph_subagent::{AgentCatalog, AgentLimits, AgentOutput, SubAgentDef};

use super::support::{Bench, after, llm_context, task, tools};

fn agents() -> AgentCatalog {
    let mut agents = AgentCatalog::new();
    for agent in [
        SubAgentDef::new("analyst", "Groups and counts commits", "You are ANALYST.").model("big"),
        SubAgentDef::new("writer", "Writes reports about commits", "You are WRITER."),
    ] {
        agents.add(agent).expect("an agent");
    }
    agents
}

fn group() -> Value {
    json!({ "prompt": "Group and count these commits" })
}

#[tokio::test(start_paused = true)]
async fn after_a_failure_somebody_else_is_asked_and_both_decisions_are_kept() {
    let big = ScriptedProvider::new("big").then(Reply::error(ErrorKind::NoCredit, "no credit"));
    let model = ScriptedProvider::new("small").then(Reply::text("grouped"));
    let bench = Bench::new();
    let llm_context = llm_context(&model)
        .agents(agents())
        .model("big", Arc::new(big.clone()));
    let value = bench.run(llm_context, task(group())).await;
    assert_eq!(value.expect("an answer"), "grouped");
    let routes = bench.notes(NoteKind::Route);
    let chosen: Vec<&Value> = routes.iter().map(|route| &route["agent"]).collect();
    assert_eq!(chosen, ["analyst", "writer"]);
    let thrown = &routes[1]["route"]["candidates"][0]["exclusion"];
    assert_eq!(thrown["filter"], "excluded");
    assert!(
        thrown["why"]
            .as_str()
            .is_some_and(|why| why.contains("no credit"))
    );
    assert_eq!((big.requests().len(), model.requests().len()), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn a_named_agent_is_not_replaced_and_an_unknown_one_is_reported() {
    let big = ScriptedProvider::new("big")
        .then(Reply::refusal("no"))
        .then(Reply::refusal("no"));
    let model = ScriptedProvider::new("small");
    let bench = Bench::new();
    let staffed = || {
        llm_context(&model)
            .agents(agents())
            .model("big", Arc::new(big.clone()))
    };
    let params = json!({ "prompt": "Group", "agent": "analyst" });
    let error = bench
        .run(staffed(), task(params))
        .await
        .expect_err("refused");
    assert_eq!(error.code(), "model_refused");
    assert!(model.requests().is_empty());
    let params = json!({ "prompt": "Group", "agent": "analist" });
    let error = bench
        .run(staffed(), task(params))
        .await
        .expect_err("unknown");
    assert_eq!(error.code(), "unknown_agent");
    assert!(error.message().contains("did you mean \"analyst\"?"));
}

#[tokio::test(start_paused = true)]
async fn when_all_that_may_be_tried_fail_the_last_failure_is_reported() {
    let big = ScriptedProvider::new("big")
        .then(Reply::text(" "))
        .then(Reply::text(""));
    let model = ScriptedProvider::new("small")
        .then(Reply::refusal("never"))
        .then(Reply::refusal("never"));
    let bench = Bench::new();
    let llm_context = llm_context(&model)
        .agents(agents())
        .model("big", Arc::new(big));
    let error = bench
        .run(llm_context, task(group()))
        .await
        .expect_err("both failed");
    assert_eq!(error.code(), "model_refused");
    assert_eq!(bench.notes(NoteKind::Route).len(), 2);
}

#[tokio::test(start_paused = true)]
async fn without_a_match_the_policy_decides() {
    let model = ScriptedProvider::new("small");
    let poem = || task(json!({ "prompt": "Ein Gedicht", "tags": ["poetry"] }));
    let bench = Bench::new();
    let staffed = || {
        llm_context(&model)
            .agents(agents())
            .model("big", Arc::new(ScriptedProvider::new("big")))
    };
    let error = bench
        .run(staffed(), poem())
        .await
        .expect_err("no agent fits");
    assert_eq!(error.code(), "no_agent");
    let asks = Arc::new(ScoringRouter::standard().no_match(NoMatch::Ask));
    let error = bench
        .run(staffed().router(asks), poem())
        .await
        .expect_err("a person");
    assert_eq!(error.code(), "choose_agent");
    assert_eq!(bench.notes(NoteKind::Route).len(), 2);
    assert!(model.requests().is_empty());
}

#[tokio::test(start_paused = true)]
async fn an_agents_own_time_limit_hands_the_task_on() {
    let mut agents = AgentCatalog::new();
    let limits = AgentLimits {
        timeout: Some(Duration::from_secs(5)),
        ..AgentLimits::default()
    };
    for agent in [
        SubAgentDef::new("analyst", "Groups and counts commits", "You are SLOW.").limits(limits),
        SubAgentDef::new("writer", "Writes reports about commits", "You are QUICK."),
    ] {
        agents.add(agent).expect("an agent");
    }
    let model = ScriptedProvider::new("script")
        .when("SLOW", Reply::text("late").after(Duration::from_secs(60)))
        .when("QUICK", Reply::text("quick"));
    let bench = Bench::new();
    let value = bench
        .run(llm_context(&model).agents(agents), task(group()))
        .await;
    assert_eq!(value.expect("an answer"), "quick");
    // The dropped call stays reserved; the driver settles it at the end of the attempt.
    assert_eq!(bench.journal.held(), 1);
}

#[test]
fn an_llm_context_that_does_not_fit_together_is_not_built() {
    let model = ScriptedProvider::new("script");
    let mut agents = agents();
    let agent = SubAgentDef::new("editor", "Edits", "You edit.").tool("write_file");
    agents.add(agent).expect("an agent");
    let errors = llm_context(&model)
        .agents(agents)
        .build()
        .expect_err("two problems");
    let codes: Vec<_> = errors.iter().map(|one| one.code).collect();
    assert_eq!(codes, [code::UNKNOWN_MODEL, code::UNKNOWN_TOOL]);
    assert!(errors.to_string().contains("write_file"));
}

#[test]
fn what_a_model_cannot_do_is_reported_before_any_call() {
    let build = |agent: SubAgentDef, can: Capabilities| {
        let mut agents = AgentCatalog::new();
        agents.add(agent).expect("an agent");
        let model = ScriptedProvider::new("script").with_capabilities(can);
        let built = llm_context(&model).tools(tools()).agents(agents).build();
        built.map_err(|problems| {
            problems
                .iter()
                .map(|one| one.code.text())
                .collect::<Vec<_>>()
        })
    };
    let agent = || SubAgentDef::new("worker", "Works", "You work.");
    let with_tool = || agent().tool("read");
    assert_eq!(
        build(with_tool(), Capabilities::TEXT).err(),
        Some(vec!["unsupported"])
    );
    assert!(build(with_tool(), Capabilities::TEXT.with_tools()).is_ok());
    let schema = AgentOutput::Schema(json!({ "type": "object" }));
    let never = Capabilities::TEXT.with_schema(SchemaSupport::Never);
    assert_eq!(
        build(agent().output(schema.clone()), never).err(),
        Some(vec!["unsupported"])
    );
    assert!(build(agent().output(schema), Capabilities::TEXT).is_ok());
    assert!(build(agent(), never).is_ok());
}

/// A provider whose work may be half done when it fails.
struct Once(ScriptedProvider);

#[zeph_llm::async_trait]
impl LlmProvider for Once {
    fn name(&self) -> &str {
        "program"
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities::TEXT
    }

    fn is_repeatable(&self) -> bool {
        false
    }

    async fn complete(&self, request: &LlmRequest) -> Result<LlmResponse, LlmError> {
        self.0.complete(request).await
    }
}

#[tokio::test(start_paused = true)]
async fn neither_a_fallback_model_nor_another_agent_goes_on_with_work_that_may_be_half_done() {
    let failing =
        ScriptedProvider::new("script").when("Go", Reply::error(ErrorKind::Unavailable, "exit 1"));
    let other = ScriptedProvider::new("other").when("Go", Reply::text("Done."));
    let mut agents = AgentCatalog::new();
    let coder = SubAgentDef::new("coder", "Go and change code", "You change code.").model("coder");
    agents.add(coder).expect("an agent");
    let writer = SubAgentDef::new("writer", "Writes reports", "You write.");
    agents.add(writer).expect("an agent");
    let context = llm_context(&other)
        .model("coder", Arc::new(Once(failing.clone())))
        .fallback_model(Arc::new(other.clone()))
        .agents(agents);
    let bench = Bench::new();
    let task = task(json!({ "prompt": "Go and change code" }));
    let error = bench.run(context, task).await.expect_err("it failed");
    assert_eq!(error.code(), "unavailable");
    assert_eq!((failing.requests().len(), other.requests().len()), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn the_router_knows_the_windows_and_the_prices_of_the_models() {
    let mut agents = AgentCatalog::new();
    for (name, model) in [("a", "short"), ("b", "dear"), ("c", "cheap")] {
        let agent = SubAgentDef::new(name, "Reads notes", "You read.").model(model);
        agents.add(agent).expect("an agent");
    }
    let default = ScriptedProvider::new("default");
    let served = |name, window, price| {
        let prices = Prices {
            input: price,
            output: price,
            ..Prices::FREE
        };
        let can = Capabilities {
            context_tokens: Some(window),
            prices: Some(prices),
            ..Capabilities::TEXT
        };
        let provider = ScriptedProvider::new(name).with_capabilities(can);
        Arc::new(provider.then(Reply::text("read")))
    };
    let (short, dear, cheap) = (
        served("short", 8_192, 1),
        served("dear", 128_000, 900),
        served("cheap", 128_000, 5),
    );
    let bench = Bench::new();
    let mut chosen = Vec::new();
    for notes in ["short notes".to_owned(), "a long note ".repeat(4_000)] {
        let context = llm_context(&default)
            .agents(agents.clone())
            .model("short", Arc::clone(&short) as _)
            .model("dear", Arc::clone(&dear) as _)
            .model("cheap", Arc::clone(&cheap) as _);
        let task = after(
            json!({ "prompt": "Read the notes" }),
            &[("notes", json!(notes))],
        );
        bench.run(context, task).await.expect("an answer");
        let route = bench.notes(NoteKind::Route).pop().expect("a route");
        chosen.push(route["agent"].clone());
    }
    assert_eq!(chosen, ["a", "c"]);
    assert!(dear.requests().is_empty());
}
