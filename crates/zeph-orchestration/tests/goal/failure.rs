//! Runs without a plan: each end has a typed error with the run and its cost.

use zeph_orchestration::llm::{ErrorKind, Reply, RetryPolicy};
use zeph_orchestration::planner::plan::goal_graph;
use zeph_orchestration::subagent::AgentCatalog;
use zeph_orchestration::subagent::SubAgentDef;
use zeph_orchestration::{
    Confirm, Decision, OrchestratorError, RunEnd, RunOutcome, RunState, Task, TaskGraph,
};

use crate::script::{GOAL, asks_for_a_plan, builder, model, planning, run, run_on};

async fn code(reply: Reply) -> String {
    let model = model().rule(|_| true, None, reply);
    let orchestrator = builder(&model).retry(RetryPolicy::once()).build().unwrap();
    let error = orchestrator.run(GOAL).await.unwrap_err();
    let OrchestratorError::NoPlan { run, error, .. } = error else {
        panic!("{error}");
    };
    // The results of the run can be read.
    let results = orchestrator.results(&run).await.unwrap();
    assert_eq!(
        results.plan_error.as_ref().map(|one| &one.code),
        Some(&error.code)
    );
    let again = orchestrator.resume(&run).await.unwrap_err();
    assert!(matches!(again, OrchestratorError::NoPlan { .. }));
    error.code
}

#[tokio::test]
async fn what_kept_the_model_from_planning_is_distinguished() {
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
async fn what_does_not_fit_together_is_reported_before_any_run() {
    let mut agents = AgentCatalog::new();
    let mut agent = SubAgentDef::new("reader", "Reads", "You read.");
    agent.tools.insert("telepathy".to_owned());
    agents.add(agent).unwrap();
    let error = builder(&model()).agents(agents).build().unwrap_err();
    assert!(matches!(error, OrchestratorError::LlmContext(_)), "{error}");
}

#[tokio::test]
async fn a_plan_that_no_agent_can_do_is_reported() {
    // The person writes a command, but the host has no commands.
    let edited = "[tasks.list]\nrun = ['ls']";
    let confirm = Confirm::with(move |_| async move { Decision::Edit(edited.to_owned()) });
    let orchestrator = builder(&planning()).confirm(confirm).max_rounds(2);
    let error = orchestrator.build().unwrap().run(GOAL).await.unwrap_err();
    let OrchestratorError::NoPlan { error, .. } = error else {
        panic!("{error}");
    };
    assert_eq!(error.code, "too_many_rounds");
    assert!(error.message.contains("command"), "{}", error.message);
}

#[tokio::test]
async fn a_failed_task_of_a_plan_costs_only_what_needs_it() {
    let plan = r#"{"reasoning": "Look, then write.", "tasks": [
        {"name": "rain", "needs": [], "kind": "agent", "prompt": "Tell of the rain."},
        {"name": "snow", "needs": [], "kind": "agent", "prompt": "Tell of the snow."},
        {"name": "report", "needs": ["rain", "snow"], "kind": "agent", "prompt": "Write it up"}]}"#;
    let model = model().rule(asks_for_a_plan, None, Reply::text(plan)).when(
        "Tell of the snow.",
        Reply::error(ErrorKind::Unauthorized, "no key"),
    );
    let builder = builder(&model).retry(RetryPolicy::once()).max_replans(0);
    let report = run(builder).await;
    assert_eq!(report.end(), Some(RunEnd::Degraded));
    let rain = report.output("rain").await.unwrap();
    assert_eq!(rain.unwrap().value, "It rains.");
    assert!(report.output("report").await.unwrap().is_none());
    assert!(report.output("answer").await.unwrap().is_some());
}

const ONE_STEP: &str = r#"{"reasoning": "One step.", "tasks": [
    {"name": "snow", "needs": [], "kind": "agent", "prompt": "Tell of the snow."}]}"#;

#[tokio::test]
async fn a_run_in_which_no_task_has_a_result_fails_and_says_why() {
    for replans in [0, 2] {
        // The planner has no other way, or a way with the same end.
        let other = r#"{"reasoning": "Again.", "tasks": [
            {"name": "ice", "needs": [], "kind": "agent", "prompt": "Tell of the snow."}]}"#;
        let model = model()
            .rule(asks_for_a_plan, Some(1), Reply::text(ONE_STEP))
            .rule(asks_for_a_plan, None, Reply::text(other))
            .when(
                "Tell of the snow.",
                Reply::error(ErrorKind::Unauthorized, "no key"),
            );
        let builder = builder(&model).retry(RetryPolicy::once());
        let orchestrator = builder.max_replans(replans).build().unwrap();
        let report = run_on(&orchestrator).await;
        assert_eq!(report.end(), Some(RunEnd::Failed));
        let failures: Vec<_> = report.failures().collect();
        assert_eq!(failures.len(), 2 + replans as usize);
        // The reason of the task comes first.
        let first = failures[0].error.as_ref().expect("the error of the task");
        assert_eq!(&*failures[0].name, "snow");
        assert!(first.message.contains("no key"), "{}", first.message);
        let last = failures.last().and_then(|task| task.error.as_ref());
        assert_eq!(last.expect("the error of the answer").code, "no_results");
        assert!(report.answer.is_none());
        let replay = orchestrator.replay(&report.run).await.unwrap();
        assert!(replay.is_same(), "{replay:?}");
    }
}

#[tokio::test]
async fn the_only_task_of_a_plan_is_replanned() {
    let other = r#"{"reasoning": "The rain will do.", "tasks": [
        {"name": "rain", "needs": [], "kind": "agent", "prompt": "Tell of the rain."}]}"#;
    let model = model()
        .rule(asks_for_a_plan, Some(1), Reply::text(ONE_STEP))
        .rule(asks_for_a_plan, None, Reply::text(other))
        .when("Tell of the snow.", Reply::refusal("No snow."));
    let report = run(builder(&model)).await;
    assert_eq!(report.end(), Some(RunEnd::Degraded));
    assert!(report.answer.is_some());
}

#[tokio::test]
async fn questions_of_a_plan_are_answered_by_the_host_or_left_open() {
    let plan = r#"{"reasoning": "Ask.", "tasks": [
        {"name": "where", "needs": [], "kind": "question", "prompt": "Which Oslo?"}]}"#;
    let model = || {
        let model = model().rule(asks_for_a_plan, None, Reply::text(plan));
        model.rule(|_| true, None, Reply::text("Norway [where]."))
    };
    let open = run(builder(&model())).await;
    assert_eq!(open.state, RunState::Suspended);
    assert_eq!(open.questions[0].text, "Which Oslo?");

    let answering = builder(&model()).questions(|question| async move {
        (question.task == "where").then(|| "the one in Norway".to_owned())
    });
    let report = run(answering).await;
    assert_eq!(report.end(), Some(RunEnd::Completed));
    let answer = report.output("where").await.unwrap();
    assert_eq!(answer.unwrap().value, "the one in Norway");
}

#[cfg(feature = "command")]
#[tokio::test]
async fn commands_of_an_edited_plan_run_where_the_host_allows_it() {
    let edited = "[tasks.list]\nrun = ['printf', 'wet']\n[tasks.report]\nneeds = ['list']\nprompt = 'Write it up: ${{ tasks.list.stdout }}'";
    let confirm = Confirm::with(move |_| async move { Decision::Edit(edited.to_owned()) });
    let model = planning();
    let builder = builder(&model).confirm(confirm).commands(|command| command);
    let model_saw = |text: &str| crate::script::asked(&model, text);
    let report = run(builder).await;
    assert_eq!(report.end(), Some(RunEnd::Completed));
    // The output of a command is untrusted text in a prompt.
    assert!(model_saw("Write it up: <untrusted source=\"list\"") > 0);
}

#[tokio::test(start_paused = true)]
async fn a_service_that_stays_busy_is_called_by_one_layer() {
    let busy = Reply::error(ErrorKind::RateLimited, "busy");
    let model = model().rule(|_| true, None, busy);
    let orchestrator = builder(&model).build().unwrap();
    assert!(orchestrator.run(GOAL).await.is_err());
    let calls = RetryPolicy::default().max_calls as usize;
    assert_eq!(model.requests().len(), calls);
}

#[tokio::test]
async fn a_plan_that_failed_after_an_adopted_one_is_no_error_of_the_run() {
    // The second `plan` fails: its parameters have no goal.
    let mut graph = TaskGraph::try_from(goal_graph(GOAL, false)).unwrap();
    let adopt = graph.find("adopt").unwrap();
    let params = serde_json::json!({ "round": 1 });
    graph.add_task(
        Task::new("other").action_with("plan", params.into()),
        [adopt],
    );
    let orchestrator = builder(&planning()).build().unwrap();
    let outcome = orchestrator.run(graph).await.unwrap();
    let RunOutcome::Ended(results) = outcome else {
        panic!("{outcome}");
    };
    assert!(results.adopted.is_some());
    assert!(results.plan_error.is_none(), "{:?}", results.plan_error);
    assert!(results.failures().any(|task| *task.name == *"other"));
}
