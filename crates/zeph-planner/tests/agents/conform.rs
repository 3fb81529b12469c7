//! The executors of agents and answers pass the conformance suite.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use zeph_executor::conformance::{Sample, check};
use zeph_executor::{Executor, TaskInput};
use zeph_llm::{Reply, ScriptedProvider};
use zeph_planner::LlmContext;
use zeph_planner::agent::AgentExecutor;
use zeph_planner::answer::{AnswerExecutor, LlmAggregator};

use super::support::{after, llm_context, task};

/// A model that answers at once, or after an hour if the request contains `slow`.
fn staffed() -> Arc<LlmContext> {
    let model = ScriptedProvider::new("script")
        .when(
            "slow",
            Reply::text("late").after(Duration::from_secs(3_600)),
        )
        .when("", Reply::text("here"));
    Arc::new(llm_context(&model).build().expect("a llm_context"))
}

async fn keeps(executor: Arc<dyn Executor>, short: TaskInput, long: TaskInput) {
    let sample = Sample {
        short,
        long: Some(long),
        grace: Duration::from_secs(1),
    };
    check(executor, sample).await.expect("the contract is kept");
}

#[tokio::test(start_paused = true)]
async fn an_agent_does() {
    let (short, long) = (json!({ "prompt": "quick" }), json!({ "prompt": "slow" }));
    let agent = AgentExecutor::new(staffed());
    keeps(Arc::new(agent), task(short), task(long)).await;
}

#[tokio::test(start_paused = true)]
async fn an_answer_does() {
    let input = |goal: &str| after(json!({ "goal": goal }), &[("log", json!("text"))]);
    let answers = AnswerExecutor::new(Arc::new(LlmAggregator::new(staffed())));
    keeps(Arc::new(answers), input("quick"), input("slow")).await;
}
