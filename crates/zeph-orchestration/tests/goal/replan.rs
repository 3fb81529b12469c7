//! Plans that are extended after a task that failed: bounded, confirmed, recorded.

use std::sync::{Arc, Mutex};

use zeph_orchestration::llm::{LlmRequest, LlmResponse, Message, Purpose, Reply, ScriptedProvider};
use zeph_orchestration::planner::plan::Adopted;
use zeph_orchestration::store::{
    FaultyStore, ListQuery, MemoryStore, Op, RawGraphStore, StoreFault,
};
use zeph_orchestration::{
    Confirm, Decision, OrchestratorBuilder, RetryPlan, RunEnd, RunResults, TaskState,
};

use crate::script::{GOAL, PLAN, asks_for_a_plan, builder, run, run_on, says};

/// The further tasks: another way to the wind, and a report with the name of the one that was skipped.
const FURTHER: &str = r#"{"reasoning": "The map shows the wind.", "tasks": [
    {"name": "map", "needs": [], "kind": "agent", "prompt": "Read the wind on the map."},
    {"name": "report", "needs": ["rain", "map"], "kind": "agent", "prompt": "Write both up."}]}"#;
const NOTHING: &str = r#"{"reasoning": "The wind is unknown.", "tasks": []}"#;

fn extends(request: &LlmRequest) -> bool {
    asks_for_a_plan(request) && says(request, "A plan for this goal has run")
}

/// A model whose wind is refused, with these replies to the requests for further tasks.
fn model(further: &[&'static str]) -> ScriptedProvider {
    let mut model = ScriptedProvider::new("script");
    for text in further {
        model = model.rule(extends, Some(1), Reply::text(*text));
    }
    let works = |text: &'static str| {
        move |request: &LlmRequest| request.purpose == Purpose::Work && says(request, text)
    };
    model
        .rule(asks_for_a_plan, None, Reply::text(PLAN))
        .rule(works("Tell of the wind."), None, Reply::refusal("No wind."))
        .rule(works("Tell of the rain."), None, Reply::text("It rains."))
        .rule(
            works("Read the wind on the map."),
            None,
            Reply::text("It blows."),
        )
        .rule(
            works("Write both up."),
            None,
            Reply::text("It rains and blows."),
        )
        .for_purpose(
            Purpose::Answer,
            Reply::made(|request| {
                let text = request.messages.iter().map(Message::text);
                let is_whole = text.collect::<String>().contains("It rains and blows.");
                Ok(LlmResponse::text(match is_whole {
                    true => "Oslo is wet and windy [report-2].",
                    false => "Oslo is wet [rain].",
                }))
            }),
        )
}

fn tasks(report: &RunResults) -> Vec<&str> {
    report.tasks.iter().map(|task| &*task.name).collect()
}

async fn replayed(builder: OrchestratorBuilder) -> RunResults {
    let orchestrator = builder.build().unwrap();
    let report = run_on(&orchestrator).await;
    let replay = orchestrator.replay(&report.run).await.unwrap();
    assert!(replay.is_same(), "{replay:?}");
    report
}

#[tokio::test]
async fn after_a_failure_the_planner_finds_another_way_to_the_answer() {
    let model = model(&[FURTHER]);
    let report = replayed(builder(&model)).await;
    assert_eq!(report.end(), Some(RunEnd::Degraded));
    assert_eq!(
        tasks(&report),
        [
            "plan", "adopt", "rain", "wind", "report", "answer", "plan-2", "adopt-2", "map",
            "report-2", "answer-2"
        ]
    );
    let answer = report.answer.as_ref().unwrap();
    assert!(answer.text.starts_with("Oslo is wet and windy [report-2]."));
    assert_eq!(answer.sources, ["report-2"]);
    let missing: Vec<&str> = answer.missing.iter().map(|one| &*one.task).collect();
    assert_eq!(missing, ["wind", "report"]);
    let skipped = report.task("answer").unwrap();
    assert!(matches!(skipped.state, TaskState::Skipped { .. }));
    // The planner saw the plan, the result and the reason; the new report got the result of before.
    let requests = model.requests();
    let asked = requests.iter().find(|one| extends(one)).unwrap();
    for text in [
        "Tell of the wind.",
        "It rains.",
        "No wind.",
        "\"wind\" (failed)",
    ] {
        assert!(says(asked, text), "{text}: {asked:?}");
    }
    let mut works = requests.iter().filter(|one| one.purpose == Purpose::Work);
    let written = works.rfind(|one| says(one, "Write both up.")).unwrap();
    for result in ["It rains.", "It blows."] {
        assert!(says(written, result), "{result}: {written:?}");
    }
    // No finished task was repeated.
    let rain = requests.iter().filter(|one| one.purpose == Purpose::Work);
    assert_eq!(rain.filter(|one| says(one, "Tell of the rain.")).count(), 1);
}

#[tokio::test]
async fn a_goal_whose_plan_was_extended_is_retried_with_its_first_plan() {
    for further in [FURTHER, NOTHING] {
        let store: Arc<dyn RawGraphStore> = Arc::new(MemoryStore::new());
        let failing = builder(&model(&[further])).store(Arc::clone(&store));
        let failed = run(failing).await;
        let plan = RetryPlan::new(failed.view(), None, &[], |_, _| false).unwrap();
        // What the extension added is left out, and the rest keeps its results.
        let again: Vec<&str> = plan
            .again()
            .map(|(id, _)| plan.graph().task(id).name())
            .collect();
        assert_eq!(again, ["wind", "report", "answer"]);
        assert!(plan.graph().find("plan-2").is_none());
        // Now the wind is known.
        let healthy = crate::script::planning();
        let orchestrator = builder(&healthy).store(store).build().unwrap();
        let retried = orchestrator
            .retry(plan, None, &Default::default())
            .await
            .unwrap();
        let report = orchestrator.drive(retried).await.unwrap().into_results();
        assert_eq!(report.end(), Some(RunEnd::Completed));
        assert_eq!(report.answer.unwrap().sources, ["report"]);
        let requests = healthy.requests();
        let mut works = requests.iter().filter(|one| one.purpose == Purpose::Work);
        assert!(!works.any(|one| says(one, "Tell of the rain.")));
    }
}

#[tokio::test]
async fn without_further_tasks_the_answer_is_made_from_what_there_is() {
    for reply in [NOTHING, "I do not know."] {
        // An answer that is no plan is corrected twice.
        let model = model(&[reply; 3]);
        let report = replayed(builder(&model)).await;
        let names = tasks(&report);
        assert_eq!(names[names.len() - 2..], ["plan-2", "answer-2"]);
        assert_eq!(report.answer.unwrap().sources, ["rain"]);
        // The plan of the run is the one that was adopted.
        assert!(report.plan.unwrap().plan_file.contains("[tasks.wind]"));
    }
}

#[tokio::test]
async fn a_plan_is_extended_twice_at_most() {
    const AGAIN: &str = r#"{"reasoning": "Again.", "tasks": [
        {"name": "wind", "needs": [], "kind": "agent", "prompt": "Tell of the wind."}]}"#;
    for (limit, wanted) in [(None, 2), (Some(0), 0), (Some(1), 1)] {
        let model = model(&[AGAIN; 5]);
        let builder = match limit {
            Some(times) => builder(&model).max_replans(times),
            None => builder(&model),
        };
        let report = replayed(builder).await;
        let asked = model.requests().iter().filter(|one| extends(one)).count();
        assert_eq!(asked, wanted);
        let last = format!("answer-{}", wanted + 1);
        let last = if wanted == 0 { "answer" } else { &last };
        assert_eq!(tasks(&report).last(), Some(&last));
        assert_eq!(report.answer.unwrap().sources, ["rain"]);
    }
}

#[tokio::test]
async fn further_tasks_are_confirmed_as_the_plan_was() {
    let decided = |last: Decision| {
        let left = Arc::new(Mutex::new(vec![last, Decision::Approve]));
        Confirm::with(move |proposal| {
            let decision = left.lock().unwrap().pop();
            let file = proposal.plan.plan_file;
            async move {
                assert!(!file.contains("[tasks.map]") || file.contains("earlier = [\"rain\"]"));
                decision.unwrap_or(Decision::Approve)
            }
        })
    };
    let approved = replayed(builder(&model(&[FURTHER])).confirm(decided(Decision::Approve))).await;
    assert_eq!(approved.answer.unwrap().sources, ["report-2"]);
    // Without a reason the person wants no further tasks.
    let declined = decided(Decision::Reject(String::new()));
    let declined = replayed(builder(&model(&[FURTHER])).confirm(declined)).await;
    assert_eq!(declined.adopted, Some(Adopted::NotExtended {}));
    assert_eq!(tasks(&declined).last(), Some(&"answer-2"));
    assert_eq!(declined.answer.unwrap().sources, ["rain"]);
    // With one the planner is asked for others.
    let model = model(&[FURTHER, NOTHING]);
    let other = decided(Decision::Reject("Ask the harbour.".to_owned()));
    let report = replayed(builder(&model).confirm(other)).await;
    let requests = model.requests();
    assert!(
        requests
            .iter()
            .any(|one| extends(one) && says(one, "Ask the harbour."))
    );
    let names = tasks(&report);
    assert_eq!(names[names.len() - 2..], ["plan-3", "answer-3"]);
    assert_eq!(report.answer.unwrap().sources, ["rain"]);
}

#[tokio::test]
async fn a_task_that_a_person_renames_keeps_the_results_of_before() {
    let confirm = Confirm::with(|proposal| async move {
        let file = proposal.plan.plan_file;
        match file.contains("[tasks.map]") {
            true => Decision::Edit(file.replace("[tasks.report-2]", "[tasks.summary]")),
            false => Decision::Approve,
        }
    });
    let model = model(&[FURTHER]);
    let report = replayed(builder(&model).confirm(confirm)).await;
    assert!(tasks(&report).contains(&"summary"));
    let requests = model.requests();
    let written = requests
        .iter()
        .find(|one| says(one, "Write both up.") && !extends(one));
    assert!(says(written.unwrap(), "It rains."), "{written:?}");
    let needs = report.view().graph().find("summary").unwrap();
    let needs = report.view().graph().parents(needs).iter();
    let needs: Vec<&str> = needs
        .map(|&id| report.view().graph().task(id).name())
        .collect();
    assert_eq!(needs, ["map", "rain"]);
}

#[tokio::test]
async fn a_run_that_takes_no_further_tasks_answers_from_what_there_is() {
    // A person has used the name that the extension would have.
    let edited = "[tasks.rain]\nprompt = 'Tell of the rain.'\non_failure = 'skip'\n\
        [tasks.wind]\nprompt = 'Tell of the wind.'\non_failure = 'skip'\n\
        [tasks.plan-2]\nneeds = ['rain']\nprompt = 'Tell of the rain.'\n";
    let confirm = Confirm::with(move |_| async move { Decision::Edit(edited.to_owned()) });
    let model = model(&[FURTHER]);
    let report = run(builder(&model).confirm(confirm)).await;
    assert_eq!(report.end(), Some(RunEnd::Degraded));
    assert_eq!(tasks(&report).last(), Some(&"answer"));
    assert_eq!(report.answer.unwrap().sources, ["rain"]);
}

#[test]
fn a_crash_in_the_middle_of_an_extension_costs_nothing_that_was_saved() {
    let process = |nth: u64| {
        let store = Arc::new(FaultyStore::new(MemoryStore::new()));
        let model = model(&[FURTHER, FURTHER]);
        let orchestrator = || {
            let store = Arc::clone(&store) as Arc<dyn RawGraphStore>;
            builder(&model).store(store).build().unwrap()
        };
        let runtime = || {
            let mut runtime = tokio::runtime::Builder::new_current_thread();
            runtime.enable_time().build().unwrap()
        };
        store.fail(Op::Commit, nth, StoreFault::After);
        if runtime()
            .block_on(async { orchestrator().run(GOAL).await })
            .is_ok()
        {
            return false;
        }
        let runs = runtime()
            .block_on(store.list(ListQuery::default()))
            .unwrap();
        let Some(run) = runs.first() else {
            return true;
        };
        let report = runtime().block_on(async { orchestrator().resume(&run.run).await });
        let report = report.unwrap().into_results();
        assert_eq!(tasks(&report).last(), Some(&"answer-2"), "commit {nth}");
        assert_eq!(report.answer.unwrap().sources, ["report-2"], "commit {nth}");
        true
    };
    let crashes = (1..).take_while(|nth| process(*nth)).count();
    assert!(crashes > 30, "only {crashes} commits");
}
