//! The schema of plans that a model gets: a golden text, and what it leaves out.

use std::sync::Arc;

use serde_json::Value;
use zeph_llm::{Capabilities, OutputFormat, Reply, SchemaSupport, ScriptedProvider};
use zeph_planner::plan::{LlmPlanner, PlanRequest, Planner, finish};
use zeph_sanitizer::{Seed, StandardSanitizer};
use zeph_subagent::AgentCatalog;

use crate::support::{path, request};

/// The schema in the request to a model that takes schemas.
async fn schema(request: PlanRequest) -> Value {
    let provider = ScriptedProvider::new("script").then(Reply::refusal("no"));
    let provider = provider.with_capabilities(Capabilities {
        schema: SchemaSupport::Schema,
        ..Capabilities::TEXT
    });
    let sanitizer = Arc::new(StandardSanitizer::new(Seed::derive(b"test")));
    let planner = LlmPlanner::new(Arc::new(provider.clone()), sanitizer);
    finish(planner.plan(request)).await.unwrap_err();
    let OutputFormat::Schema(schema) = &provider.requests()[0].output else {
        panic!("the request has no schema");
    };
    schema.schema.clone()
}

/// With `UPDATE_GOLDEN=1` in the environment the golden file is written, for a person to review.
#[tokio::test]
async fn the_schema_names_the_agents_tools_and_commands_of_the_host() {
    let found = serde_json::to_string_pretty(&schema(request()).await).unwrap() + "\n";
    let golden = path("plans/schema.json");
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&golden, &found).unwrap();
    }
    let expected = std::fs::read_to_string(&golden).unwrap();
    assert_eq!(found, expected, "{} differs", golden.display());
}

#[tokio::test]
async fn a_field_without_possible_values_is_left_out() {
    let bare = schema(PlanRequest::new("A report", AgentCatalog::new())).await;
    let task = &bare["properties"]["tasks"]["items"]["properties"];
    assert!(task.get("prompt").is_some(), "{bare}");
    assert!(task.get("command").is_none() && task.get("agent").is_none());
}
