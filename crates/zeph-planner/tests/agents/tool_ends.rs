//! Ends of tool calls that may have taken effect.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::timeout;
use zeph_executor::{NoteKind, TaskContext, TaskError};
use zeph_llm::{Reply, ScriptedProvider};
use zeph_planner::agent::Tools;
use zeph_subagent::{Effect, SubAgentDef, Tool, ToolOutput};

use super::support::{Bench, call, last};
use super::tools::{go, staffed};

/// Ends in some way after a while, and has an effect and a time-out.
struct Slow(&'static str, Effect, Option<Duration>);

#[zeph_executor::async_trait]
impl Tool for Slow {
    fn name(&self) -> &str {
        "slow"
    }

    fn description(&self) -> &str {
        "Is slow"
    }

    fn parameters(&self) -> Value {
        json!({ "type": "object" })
    }

    fn effect(&self) -> Effect {
        self.1
    }

    fn timeout(&self) -> Option<Duration> {
        self.2
    }

    async fn call(&self, _: &TaskContext, _: Value) -> Result<ToolOutput, TaskError> {
        let wait = std::future::pending::<()>();
        let waited = timeout(Duration::from_secs(600), wait).await;
        waited.expect_err("it never ends");
        match self.0 {
            "done" => Ok("done".into()),
            code => Err(TaskError::permanent("bad").with_code(code.to_owned())),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_that_may_have_taken_effect_and_did_not_answer_has_an_unknown_end() {
    let (once, again) = (Effect::AtMostOnce, Effect::Idempotent);
    let long = Some(Duration::from_secs(601));
    for (end, effect, limit, wanted) in [
        ("done", once, None, "unknown"),
        ("done", again, None, "failed"),
        ("done", once, long, "done"),
        ("tool_error", once, long, "failed"),
        ("server_gone", once, long, "unknown"),
        ("tool_timeout", once, long, "unknown"),
        ("tool_timeout", again, long, "failed"),
    ] {
        let model = ScriptedProvider::new("script")
            .then(Reply::calls(vec![call("1", "slow", json!({}))]))
            .then(Reply::text("done"));
        let bench = Bench::new();
        let agent = SubAgentDef::new("worker", "Works", "You work.").tool("slow");
        let mut tools = Tools::new();
        tools.add(Slow(end, effect, limit)).expect("a tool");
        let value = bench.run(staffed(&model, agent).tools(tools), go()).await;
        assert_eq!(value.expect("an answer"), "done");
        let notes = bench.notes(NoteKind::Tool);
        assert_eq!(notes[0]["outcome"], wanted, "{end} {effect:?} {limit:?}");
        let is_unknown = last(&model, 1).contains("whether it took effect is unknown");
        assert_eq!(is_unknown, wanted == "unknown");
    }
}
