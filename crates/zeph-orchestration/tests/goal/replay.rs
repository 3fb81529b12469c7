//! Replays: a recorded run is the same without its model; every change is found and named.

use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use zeph_graph::{Effect, OverBudget};
use zeph_orchestration::executor::{Budget, NoteKind, TaskContext, TaskError};
use zeph_orchestration::llm::{
    ErrorKind, LlmRequest, LlmResponse, Message, Purpose, Reply, RetryPolicy, ScriptedProvider,
    ToolCall,
};
use zeph_orchestration::plan::ReplayReport;
use zeph_orchestration::planner::agent::Tools;
use zeph_orchestration::planner::prompts::{PromptName, Prompts};
use zeph_orchestration::planner::replay::{Difference, DifferenceIn, ReplayOutcome};
use zeph_orchestration::store::{MemoryStore, RawGraphStore};
use zeph_orchestration::subagent::{AgentCatalog, SubAgentDef, Tool, ToolOutput};
use zeph_orchestration::{Confirm, Decision, OrchestratorBuilder, OrchestratorError};

use crate::script::{
    GOAL, PLAN, asks_for_a_plan, builder, planning, planning_leaves, plays, run_on, says,
};

/// Runs the goal, and replays it with a model that has no replies.
async fn replayed(
    build: impl Fn(&ScriptedProvider) -> OrchestratorBuilder,
    model: &ScriptedProvider,
) -> ReplayReport {
    let store: Arc<dyn RawGraphStore> = Arc::new(MemoryStore::new());
    let recorded = build(model).store(Arc::clone(&store)).build().unwrap();
    let run = match recorded.run(GOAL).await {
        Ok(outcome) => outcome.results().run.clone(),
        Err(OrchestratorError::NoPlan { run, .. }) => run,
        Err(other) => panic!("{other}"),
    };
    let silent = ScriptedProvider::new("script");
    let replaying = build(&silent).store(store).build().unwrap();
    let report = replaying.replay(&run).await.unwrap();
    assert!(silent.requests().is_empty(), "the replay asked the model");
    report
}

fn outcomes(report: &ReplayReport) -> Vec<(&str, &str)> {
    let outcomes = report.attempts.iter().map(|one| {
        let word = match &one.outcome {
            ReplayOutcome::Same => "same",
            ReplayOutcome::Differs(_) => "differs",
            ReplayOutcome::Skipped(_) => "skipped",
        };
        (&*one.task, word)
    });
    outcomes.collect()
}

#[track_caller]
fn all_same(report: &ReplayReport) {
    assert_eq!(report.divergence, None);
    for one in &report.attempts {
        assert_eq!(
            one.outcome,
            ReplayOutcome::Same,
            "{}: {:?}",
            one.task,
            one.outcome
        );
    }
    assert!(report.is_same());
}

#[tokio::test]
async fn a_recorded_run_comes_out_the_same_without_its_model() {
    let report = replayed(builder, &planning()).await;
    all_same(&report);
    let tasks: Vec<&str> = outcomes(&report)
        .into_iter()
        .map(|(task, _)| task)
        .collect();
    // In the order of their starts: those of the plan start while it is being received.
    assert_eq!(tasks, ["plan", "rain", "wind", "report", "adopt", "answer"]);
    assert!(report.records > 30);
}

#[tokio::test]
async fn rounds_and_edited_plans_come_out_the_same() {
    let edited = "[tasks.rain]\nprompt = 'Tell of the rain.'";
    let build = |model: &ScriptedProvider| {
        let verdicts = Arc::new(Mutex::new(vec![
            Decision::Edit(edited.to_owned()),
            Decision::Edit("[tasks.rain]\npromt = 'x'".to_owned()),
            Decision::Reject("mention snow".to_owned()),
        ]));
        builder(model).confirm(Confirm::with(move |_| {
            let verdict = verdicts.lock().unwrap().pop();
            async move { verdict.unwrap_or(Decision::Approve) }
        }))
    };
    let report = replayed(build, &planning()).await;
    all_same(&report);
    assert_eq!(report.attempts.len(), 7, "{:?}", outcomes(&report));
}

#[tokio::test]
async fn what_failed_was_repeated_or_was_repaired_comes_out_the_same() {
    let busy = || Reply::error(ErrorKind::Unavailable, "overloaded");
    let rain = |request: &LlmRequest| says(request, "Tell of the rain.");
    let model = ScriptedProvider::new("script")
        .rule(asks_for_a_plan, Some(1), busy())
        .rule(asks_for_a_plan, Some(1), Reply::text("No plan, sorry."))
        .rule(asks_for_a_plan, None, Reply::text(PLAN))
        .rule(rain, Some(1), busy())
        .rule(rain, Some(1), Reply::text(""));
    let model = plays(model);
    let build = |model: &ScriptedProvider| {
        let quick = RetryPolicy {
            base: std::time::Duration::ZERO,
            cap: std::time::Duration::ZERO,
            ..RetryPolicy::default()
        };
        builder(model).retry(quick)
    };
    let report = replayed(build, &model).await;
    all_same(&report);
}

#[tokio::test]
async fn a_budget_at_its_limit_comes_out_the_same() {
    let budget = Budget::of_tokens(20_000);
    let build = |model: &ScriptedProvider| {
        let builder = builder(model).budget(budget);
        builder.over_budget(OverBudget::Partial)
    };
    let report = replayed(build, &planning_leaves(600, 20_000)).await;
    all_same(&report);
    assert_eq!(outcomes(&report).len(), 6, "{:?}", outcomes(&report));
}

#[tokio::test]
async fn secrets_are_compared_as_they_were_kept() {
    let leaks = |model: &ScriptedProvider| builder(model).secret("key", "It blows.");
    all_same(&replayed(leaks, &planning()).await);
}

/// The difference of a task's first attempt that has one.
fn difference<'a>(report: &'a ReplayReport, task: &str) -> &'a Difference {
    let of_task = report.attempts.iter().filter(|one| &*one.task == task);
    let mut differences = of_task.filter_map(|one| match &one.outcome {
        ReplayOutcome::Differs(difference) => Some(difference),
        ReplayOutcome::Same | ReplayOutcome::Skipped(_) => None,
    });
    differences
        .next()
        .unwrap_or_else(|| panic!("{task} does not differ"))
}

#[tokio::test]
async fn a_changed_prompt_is_found_and_named() {
    let store: Arc<dyn RawGraphStore> = Arc::new(MemoryStore::new());
    let model = planning();
    let recorded = builder(&model).store(Arc::clone(&store)).build().unwrap();
    let run = run_on(&recorded).await.run.clone();

    let changed = builder(&model).store(store).llm_context(|llm_context| {
        let prompts = Prompts::with([(
            PromptName::AgentTask,
            "Do this now: {{ prompt }} {{ parents }}".to_owned(),
        )])
        .unwrap();
        llm_context.prompts(prompts)
    });
    let report = changed.build().unwrap().replay(&run).await.unwrap();
    assert!(!report.is_same());
    assert_eq!(report.divergence, None);
    let found = difference(&report, "rain");
    let prompt = DifferenceIn::Note {
        kind: NoteKind::Prompt,
        number: 1,
    };
    assert_eq!(
        (found.place, &*found.pointer),
        (prompt, "/request/messages/1/text")
    );
    assert!(found.replayed.contains("Do this now:"), "{found}");
    assert!(
        found
            .to_string()
            .starts_with("prompt 1 at /request/messages/1/text")
    );
    let same: Vec<&str> = outcomes(&report)
        .into_iter()
        .filter(|(_, word)| *word == "same")
        .map(|(task, _)| task)
        .collect();
    assert_eq!(same, ["plan", "adopt", "answer"]);
}

/// A tool that may have sent something before its server ended.
struct Send;

#[zeph_orchestration::executor::async_trait]
impl Tool for Send {
    fn name(&self) -> &str {
        "send"
    }

    fn description(&self) -> &str {
        "Sends"
    }

    fn parameters(&self) -> Value {
        json!({ "type": "object" })
    }

    fn effect(&self) -> Effect {
        Effect::AtMostOnce
    }

    async fn call(&self, _: &TaskContext, _: Value) -> Result<ToolOutput, TaskError> {
        Err(TaskError::permanent("the server has ended").with_code("server_gone"))
    }
}

#[tokio::test]
async fn a_call_with_an_unknown_end_comes_out_the_same() {
    let plan = r#"{"reasoning": "Send.", "tasks": [
        {"name": "send", "needs": [], "kind": "agent", "agent": "sender", "prompt": "Send it."}]}"#;
    let work = Reply::made(|request| {
        let is_tool = |message: &Message| matches!(message, Message::Tool { .. });
        if request.messages.iter().any(is_tool) {
            return Ok(LlmResponse::text("It may have been sent."));
        }
        Ok(LlmResponse::calls(vec![ToolCall {
            id: "1".to_owned(),
            name: "send".to_owned(),
            arguments: json!({}),
        }]))
    });
    let model = ScriptedProvider::new("script")
        .rule(asks_for_a_plan, None, Reply::text(plan))
        .for_purpose(
            Purpose::Answer,
            Reply::text("It may have been sent [send].\n"),
        )
        .for_purpose(Purpose::Work, work);
    let build = |model: &ScriptedProvider| {
        let sender = SubAgentDef::new("sender", "Sends", "You send.").tool("send");
        let (mut agents, mut tools) = (AgentCatalog::new(), Tools::new());
        agents.add(sender).unwrap();
        tools.add(Send).unwrap();
        builder(model).agents(agents).tools(tools)
    };
    let report = replayed(build, &model).await;
    all_same(&report);
    let seen = model.requests().into_iter();
    let seen =
        seen.filter(|request| format!("{request:?}").contains("whether it took effect is unknown"));
    assert_eq!(seen.count(), 1);
}
