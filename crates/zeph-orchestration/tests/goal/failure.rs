//! Without a plan: each end is typed and tells the run and its cost.

use zeph_orchestration::llm::{ErrorKind, Reply, RetryPolicy};
use zeph_orchestration::subagent::SubAgentDef;
use zeph_orchestration::{AgentCatalog, OrchestratorError};

use crate::script::{GOAL, builder, model};

async fn code(reply: Reply) -> String {
    let model = model().rule(|_| true, None, reply);
    let orchestrator = builder(&model).retry(RetryPolicy::once()).build().unwrap();
    match orchestrator.run(GOAL).await.unwrap_err() {
        OrchestratorError::NoPlan { run, error, .. } => {
            // The run is there to be looked at.
            let again = orchestrator.report(&run).await.unwrap_err();
            assert!(matches!(again, OrchestratorError::NoPlan { .. }));
            error.code
        }
        other => panic!("{other}"),
    }
}

#[tokio::test]
async fn what_kept_the_model_from_planning_is_told_apart() {
    let unreachable = Reply::error(ErrorKind::Unauthorized, "no key");
    let table = [
        (Reply::text("I would rather not."), "plan_not_a_plan"),
        (
            Reply::text(r#"{"tasks": [{"name": "a", "kind": "teleport"}]}"#),
            "plan_defective",
        ),
        (Reply::refusal("No."), "plan_refused"),
        (unreachable, "plan_unavailable"),
    ];
    for (reply, wanted) in table {
        assert_eq!(code(reply).await, wanted);
    }
}

#[tokio::test]
async fn what_does_not_fit_together_is_told_before_any_run() {
    let mut agents = AgentCatalog::new();
    let mut agent = SubAgentDef::new("reader", "Reads", "You read.");
    agent.tools.insert("telepathy".to_owned());
    agents.add(agent).unwrap();
    let error = builder(&model()).agents(agents).build().unwrap_err();
    assert!(matches!(error, OrchestratorError::Crew(_)), "{error}");
}
