//! Models of tasks and agents: which model a call asks, and how much it is to think.

use std::collections::BTreeMap;
use std::sync::Arc;

use zeph_graph::wire::GraphSpec;
use zeph_orchestration::executor::Budget;
use zeph_orchestration::llm::{Capabilities, Effort, LlmRequest, Prices, Reply, ScriptedProvider};
use zeph_orchestration::planner::agent::Tools;
use zeph_orchestration::subagent::{AgentCatalog, SubAgentDef, tool_fn};
use zeph_orchestration::{Confirm, Orchestrator, OrchestratorError, RunEnd, TaskGraph};

/// Three tasks: with a model and an effort of its own, for an agent with both, and without any.
fn graph() -> TaskGraph {
    let spec = GraphSpec::from_json(
        r#"{"version": 1, "tasks": [
            {"name": "own", "work": {"kind": "action", "name": "agent", "params":
                {"prompt": "Own.", "agent": "careful", "model": "cheap", "effort": "low"}}},
            {"name": "agents", "work": {"kind": "action", "name": "agent", "params":
                {"prompt": "Agents.", "agent": "careful"}}},
            {"name": "plain", "work": {"kind": "action", "name": "agent", "params":
                {"prompt": "Plain.", "agent": "plain"}}}]}"#,
    );
    TaskGraph::try_from(spec.unwrap()).unwrap()
}

fn agents() -> AgentCatalog {
    let mut agents = AgentCatalog::new();
    let careful = SubAgentDef::new("careful", "Thinks", "You think.").model("clever");
    agents.add(careful.effort(Effort::High)).unwrap();
    let plain = SubAgentDef::new("plain", "Works", "You work.");
    agents.add(plain).unwrap();
    agents
}

fn scripted(name: &str) -> ScriptedProvider {
    let free = Capabilities::TEXT.with_prices(Prices::FREE);
    let model = ScriptedProvider::new(name).with_capabilities(free);
    model.rule(|_| true, None, Reply::text("Done."))
}

fn asked(model: &ScriptedProvider) -> Vec<(String, Option<Effort>)> {
    let requests = model.requests().into_iter();
    let asked = |request: LlmRequest| {
        let prompt = request.messages.last().map(|last| last.text().to_owned());
        (prompt.unwrap_or_default(), request.effort)
    };
    requests.map(asked).collect()
}

#[tokio::test]
async fn a_task_has_its_own_model_and_effort_else_those_of_its_agent() {
    let [default, cheap, clever] = ["default", "cheap", "clever"].map(scripted);
    let orchestrator = Orchestrator::builder()
        .model(Arc::new(default.clone()))
        .named_model("cheap", Arc::new(cheap.clone()))
        .named_model("clever", Arc::new(clever.clone()))
        .agents(agents())
        .confirm(Confirm::Never)
        .build()
        .unwrap();
    let outcome = orchestrator.run(graph()).await.unwrap();
    assert_eq!(outcome.into_results().end(), Some(RunEnd::Completed));
    assert_eq!(asked(&cheap), [("Own.".to_owned(), Some(Effort::Low))]);
    assert_eq!(asked(&clever), [("Agents.".to_owned(), Some(Effort::High))]);
    assert_eq!(asked(&default), [("Plain.".to_owned(), None)]);
}

#[tokio::test]
async fn a_model_that_is_unknown_or_has_no_price_is_refused_before_the_run() {
    let [default, cheap, clever] = ["default", "cheap", "clever"].map(scripted);
    let builder = |cheap: ScriptedProvider| {
        Orchestrator::builder()
            .model(Arc::new(default.clone()))
            .named_model("clever", Arc::new(clever.clone()))
            .named_model("cheap", Arc::new(cheap))
            .agents(agents())
    };
    let unpriced = cheap.clone().with_capabilities(Capabilities::TEXT);
    let limited = builder(unpriced).budget(Budget::of_micro_usd(1_000));
    let refused = limited.build().unwrap().run(graph()).await.unwrap_err();
    let is_cheap =
        matches!(&refused, OrchestratorError::UnknownPrice { model } if model == "cheap");
    assert!(is_cheap, "{refused:?}");
    let unnamed = Orchestrator::builder()
        .model(Arc::new(default.clone()))
        .agents(agents());
    let refused = unnamed.named_model("clever", Arc::new(clever.clone()));
    let refused = refused.build().unwrap().run(graph()).await.unwrap_err();
    let OrchestratorError::Agents(problems) = refused else {
        panic!("{refused}");
    };
    assert_eq!(problems.as_slice()[0].code.text(), "unknown_model");
    assert!(default.requests().is_empty() && cheap.requests().is_empty());
}

fn tools() -> Tools {
    let mut tools = Tools::new();
    let read = tool_fn(
        "read_file",
        "Reads a file",
        |_cx, _: BTreeMap<String, String>| async { Ok("text".to_owned()) },
    );
    tools.add(read).unwrap();
    tools
}

#[tokio::test]
async fn what_the_model_of_a_task_cannot_do_is_refused_before_the_run() {
    let [default, cheap] = ["default", "cheap"].map(scripted);
    let able = Capabilities::TEXT.with_tools();
    let orchestrator = |cheap: &ScriptedProvider| {
        let agent = SubAgentDef::new("reader", "Reads", "You read.").tool("read_file");
        let mut agents = AgentCatalog::new();
        agents.add(agent).unwrap();
        let builder = Orchestrator::builder()
            .model(Arc::new(default.clone().with_capabilities(able)))
            .named_model("cheap", Arc::new(cheap.clone()));
        builder.agents(agents).tools(tools()).build().unwrap()
    };
    let graph = |tools: &str| {
        let spec = format!(
            r#"{{"version": 1, "tasks": [{{"name": "read", "work": {{"kind": "action", "name": "agent", "params":
                {{"prompt": "Read.", "agent": "reader", "model": "cheap"{tools}}}}}}}]}}"#
        );
        TaskGraph::try_from(GraphSpec::from_json(&spec).unwrap()).unwrap()
    };
    let refused = orchestrator(&cheap).run(graph("")).await.unwrap_err();
    let OrchestratorError::Agents(problems) = refused else {
        panic!("{refused}");
    };
    let problem = &problems.as_slice()[0];
    assert_eq!(problem.code.text(), "unsupported");
    let message = "task \"read\" has tools, and the model \"cheap\" has no calls of tools";
    assert_eq!(problem.message, message);
    assert!(cheap.requests().is_empty());
    for (model, tools) in [
        (cheap.clone().with_capabilities(able), ""),
        (cheap, r#", "tools": []"#),
    ] {
        let outcome = orchestrator(&model).run(graph(tools)).await.unwrap();
        assert_eq!(outcome.into_results().end(), Some(RunEnd::Completed));
    }
    // Without an agent the router may choose one whose model can.
    let spec = r#"{"version": 1, "tasks": [{"name": "read", "work": {"kind": "action", "name": "agent",
        "params": {"prompt": "Read.", "tools": ["read_file"]}}}]}"#;
    let open = TaskGraph::try_from(GraphSpec::from_json(spec).unwrap()).unwrap();
    let text_only = scripted("default");
    let mut agents = AgentCatalog::new();
    let agent = SubAgentDef::new("reader", "Reads", "You read.").tool("read_file");
    agents.add(agent.model("able")).unwrap();
    let able = scripted("able").with_capabilities(able);
    let orchestrator = Orchestrator::builder()
        .model(Arc::new(text_only))
        .named_model("able", Arc::new(able));
    let orchestrator = orchestrator.agents(agents).tools(tools()).build().unwrap();
    let outcome = orchestrator.run(open).await.unwrap();
    assert_eq!(outcome.into_results().end(), Some(RunEnd::Completed));
}
