//! Early start when something goes wrong: refused plans, crashes between their corrections, retries.

use std::sync::Arc;
use std::time::Duration;

use zeph_orchestration::llm::{LlmRequest, Purpose, Reply, ScriptedProvider};
use zeph_orchestration::runtime::{RetryPlan, RunView};
use zeph_orchestration::store::{
    FaultyStore, ListQuery, MemoryStore, Op, RawGraphStore, StoreFault,
};
use zeph_orchestration::{RunEnd, RunResults};

use crate::script::{ANSWER, GOAL, asked, asks_for_a_plan, builder, plays, says};

const RAIN: &str =
    r#"{"name": "rain", "needs": [], "kind": "agent", "prompt": "Tell of the rain."}"#;
const STORM: &str =
    r#"{"name": "storm", "needs": [], "kind": "agent", "prompt": "Tell of the storm."}"#;
const WIND: &str =
    r#"{"name": "wind", "needs": [], "kind": "agent", "prompt": "Tell of the wind."}"#;
const REPORT: &str =
    r#"{"name": "report", "needs": ["rain", "wind"], "kind": "agent", "prompt": "Write it up"}"#;

fn plan(tasks: &[&str]) -> String {
    format!(r#"{{"reasoning": "r", "tasks": [{}]}}"#, tasks.join(", "))
}

/// Plans that are refused one after the other, and the good one. A reply depends on the request only, so a call that
/// a crash has cut off gets the same when it is made again.
fn corrected_twice(storm: Duration) -> ScriptedProvider {
    let corrects = |name: &'static str| {
        move |request: &LlmRequest| request.purpose == Purpose::RepairPlan && says(request, name)
    };
    let paced = |tasks: &[&str]| Reply::text(plan(tasks)).paced(Duration::ZERO);
    let (snow, hail) = (
        REPORT.replace("wind", "snow"),
        REPORT.replace("wind", "hail"),
    );
    let model = ScriptedProvider::new("script")
        .rule(corrects("hail"), None, paced(&[RAIN, WIND, REPORT]))
        .rule(corrects("snow"), None, paced(&[RAIN, &hail]))
        .rule(asks_for_a_plan, None, paced(&[RAIN, STORM, &snow]));
    let storms = |request: &LlmRequest| request.purpose == Purpose::Work && says(request, "storm.");
    plays(model).rule(storms, None, Reply::text("It storms.").after(storm))
}

/// The same plan is refused twice, so two requests are the same and have other replies.
fn repeated_once() -> ScriptedProvider {
    let paced = |tasks: &[&str]| Reply::text(plan(tasks)).paced(Duration::ZERO);
    let snow = REPORT.replace("wind", "snow");
    let storms = |request: &LlmRequest| request.purpose == Purpose::Work && says(request, "storm.");
    let model = ScriptedProvider::new("script")
        .rule(asks_for_a_plan, Some(2), paced(&[RAIN, STORM, &snow]))
        .rule(asks_for_a_plan, None, paced(&[RAIN, WIND, REPORT]));
    plays(model).rule(storms, None, Reply::text("It storms."))
}

/// Simulates a process: when it returns, only the store is left.
fn process<T>(work: impl Future<Output = T>) -> T {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    runtime.enable_time().build().unwrap().block_on(work)
}

#[test]
fn a_crash_between_corrections_repeats_only_the_call_in_flight() {
    let corrected_twice = || corrected_twice(Duration::ZERO);
    let models: [&dyn Fn() -> ScriptedProvider; 2] = [&corrected_twice, &repeated_once];
    for new_model in models {
        for nth in 2.. {
            let fault = match nth % 2 {
                0 => StoreFault::Before,
                _ => StoreFault::After,
            };
            let store = Arc::new(FaultyStore::new(MemoryStore::new()));
            let model = new_model();
            let orchestrator = || {
                let builder = builder(&model).store(Arc::clone(&store) as Arc<dyn RawGraphStore>);
                builder.build().unwrap()
            };
            store.fail(Op::Commit, nth, fault);
            if process(async { orchestrator().run(GOAL).await }).is_ok() {
                assert!(nth > 25, "only {nth} commits");
                break;
            }
            let runs = process(store.list(ListQuery::default())).unwrap();
            let run = &runs.first().expect("the first commit has made it").run;
            let results = process(async { orchestrator().resume(run).await }).unwrap();
            let results = results.into_results();
            let shown = format!("commit {nth}, {fault:?}");
            assert_eq!(results.end(), Some(RunEnd::Completed), "{shown}");
            let answer = results.answer.as_ref().map(|answer| &*answer.text);
            assert_eq!(answer, Some(ANSWER), "{shown}");
            let requests = model.requests();
            let plans = requests.iter().filter(|request| asks_for_a_plan(request));
            let plans: Vec<&LlmRequest> = plans.collect();
            assert!(
                (3..=4).contains(&plans.len()),
                "{shown}: {} plans",
                plans.len()
            );
            for correction in plans {
                let is_first = correction.purpose == Purpose::Plan;
                let names = "may be at work already: rain, storm.";
                assert!(is_first || says(correction, names), "{shown}");
            }
        }
    }
}

async fn run(model: &ScriptedProvider, store: &MemoryStore) -> RunResults {
    let builder = builder(model).store(Arc::new(store.clone()));
    let outcome = builder.build().unwrap().run(GOAL).await.unwrap();
    outcome.into_results()
}

#[tokio::test(start_paused = true)]
async fn a_task_whose_failure_ends_the_run_waits_for_the_whole_plan() {
    let abort = STORM.replace("\"kind\"", "\"on_failure\": \"abort\", \"kind\"");
    let broken = plan(&[&abort, RAIN, &REPORT.replace("wind", "snow")]);
    let model = ScriptedProvider::new("script")
        .rule(
            asks_for_a_plan,
            Some(1),
            Reply::text(broken).paced(Duration::from_secs(1)),
        )
        .rule(
            asks_for_a_plan,
            None,
            Reply::text(plan(&[RAIN, WIND, REPORT])),
        );
    let results = run(&plays(model.clone()), &MemoryStore::new()).await;
    assert_eq!(results.end(), Some(RunEnd::Completed));
    let names: Vec<&str> = results.tasks.iter().map(|task| &*task.name).collect();
    assert_eq!(names, ["plan", "adopt", "rain", "wind", "report", "answer"]);
}

#[tokio::test(start_paused = true)]
async fn a_retry_does_not_run_what_was_withdrawn() {
    let (model, store) = (
        corrected_twice(Duration::from_secs(3_600)),
        MemoryStore::new(),
    );
    let results = run(&model, &store).await;
    assert_eq!(results.end(), Some(RunEnd::Completed));
    let storm = results.tasks.iter().find(|task| &*task.name == "storm");
    assert_eq!(storm.map(|task| task.state.word()), Some("skipped"));
    assert_eq!(asked(&model, "hail"), 1);
    let view = RunView::load(&store, &results.run).await.unwrap();
    let again = |chosen: &[&str]| {
        let plan = RetryPlan::new(&view, None, chosen, |_, _| false).unwrap();
        let again = plan.again();
        let again = again.map(|(id, _)| plan.graph().task(id).name().to_owned());
        again.collect::<Vec<String>>()
    };
    assert_eq!(again(&[]), Vec::<String>::new());
    assert_eq!(again(&["wind"]), ["wind", "report", "answer"]);
    assert_eq!(again(&["storm"]), ["storm"]);
}
