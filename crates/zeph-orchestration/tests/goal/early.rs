//! Early start: tasks run while the rest of the plan is still being received.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use zeph_orchestration::config::OrchestrationConfig;
use zeph_orchestration::llm::{LlmRequest, Purpose, Reply, ScriptedProvider};
use zeph_orchestration::planner::replay::ReplayOutcome;
use zeph_orchestration::store::{MemoryStore, RawGraphStore};
use zeph_orchestration::{OrchestratorBuilder, RunEnd, RunResults};

use crate::script::{ANSWER, GOAL, asks_for_a_plan, builder, model, plays, says};

/// The wait for the first part of an answer.
const LATENCY: Duration = Duration::from_millis(400);
/// The time of 8 characters: 60 tokens of 4 characters in a second.
const PACE: Duration = Duration::from_micros(33_333);

/// A service with one pace for plans, tasks and the answer.
fn paced(plan: String) -> ScriptedProvider {
    let reply = |text: String| Reply::text(text).after(LATENCY).paced(PACE);
    let works = |request: &LlmRequest| request.purpose == Purpose::Work;
    ScriptedProvider::new("paced")
        .rule(asks_for_a_plan, None, reply(plan))
        .rule(works, None, reply("A finding of the task. ".repeat(10)))
        .for_purpose(
            Purpose::Answer,
            reply("A sentence of the answer. ".repeat(10)),
        )
}

/// A plan with texts of a usual length and every field that the schema of plans asks for. `b:a` is a task `b` that
/// needs `a`.
fn plan_of(tasks: &str) -> String {
    let tasks = tasks.split(' ').map(|task| {
        let (name, needs) = task.split_once(':').unwrap_or((task, ""));
        let needs: Vec<String> = needs.chars().map(String::from).collect();
        serde_json::json!({
            "name": name, "needs": needs, "kind": "agent", "agent": null,
            "prompt": format!(
                "Find everything that the files say about {name}: its purpose, its limits, its owners, and the work \
                 that is planned for it. List each finding with the file that it comes from, and mark what is unclear."
            ),
            "trigger": null, "on_failure": null, "expected_tokens": 100,
        })
    });
    serde_json::json!({
        "reasoning": "The parts are looked at by themselves, and the last task puts them together.",
        "tasks": tasks.collect::<Vec<_>>(),
    })
    .to_string()
}

fn with_early_start(builder: OrchestratorBuilder, early: bool) -> OrchestratorBuilder {
    let mut config = OrchestrationConfig::default();
    config.plan.start_early = early;
    builder.settings(config)
}

/// The virtual time that a plan takes, from the goal to the answer.
async fn time_of(plan: &str, early: bool) -> Duration {
    let orchestrator = with_early_start(builder(&paced(plan.to_owned())), early);
    let started = Instant::now();
    let outcome = orchestrator.build().unwrap().run(GOAL).await.unwrap();
    let results = outcome.into_results();
    assert_eq!(results.end(), Some(RunEnd::Completed));
    started.elapsed()
}

/// Without dependencies, and in a wide fan, the last text of the plan is that of a task on the longest path.
#[tokio::test(start_paused = true)]
async fn plans_end_sooner_if_tasks_start_early() {
    println!("| plan | whole plan first | early start | sooner |\n|---|---|---|---|");
    for (name, least, tasks) in [
        ("chain of 3", 15.0, "a b:a c:b"),
        ("two and a join", 15.0, "a b c:ab"),
        ("diamond", 15.0, "a b:a c:a d:bc"),
        ("chain of 5", 15.0, "a b:a c:b d:c e:d"),
        ("two chains and a join", 15.0, "a b:a c d:c e:bd"),
        ("six and a join", 5.0, "a b c d e f g:abcdef"),
        ("three alone", 0.0, "a b c"),
    ] {
        let plan = plan_of(tasks);
        let (whole, early) = (time_of(&plan, false).await, time_of(&plan, true).await);
        let (whole, early) = (whole.as_secs_f64(), early.as_secs_f64());
        let sooner = 100.0 * (1.0 - early / whole);
        println!("| {name} | {whole:.1} s | {early:.1} s | {sooner:.0} % |");
        assert!(sooner >= least, "{name}: {sooner} %");
    }
}

/// Runs the goal, and replays it. The replay must be the same.
async fn run_and_replay(model: &ScriptedProvider) -> RunResults {
    let store: Arc<dyn RawGraphStore> = Arc::new(MemoryStore::new());
    let orchestrator = builder(model).store(Arc::clone(&store)).build().unwrap();
    let results = orchestrator.run(GOAL).await.unwrap().into_results();
    let silent = ScriptedProvider::new("script");
    let replaying = builder(&silent).store(store).build().unwrap();
    let report = replaying.replay(&results.run).await.unwrap();
    for one in &report.attempts {
        // An attempt that was withdrawn has no end of its own.
        let is_skipped = matches!(one.outcome, ReplayOutcome::Skipped(_));
        let is_stopped = results
            .tasks
            .iter()
            .any(|task| task.name == one.task && task.state.word() == "skipped");
        assert!(
            one.outcome == ReplayOutcome::Same || (is_skipped && is_stopped),
            "{}: {:?}",
            one.task,
            one.outcome
        );
    }
    assert_eq!(report.divergence, None);
    results
}

fn states(results: &RunResults) -> Vec<(&str, &str)> {
    let tasks = results.tasks.iter();
    tasks.map(|task| (&*task.name, task.state.word())).collect()
}

/// The number of calls for tasks with that text.
fn worked(model: &ScriptedProvider, text: &str) -> usize {
    let requests = model.requests();
    let is_wanted = |request: &&LlmRequest| request.purpose == Purpose::Work && says(request, text);
    requests.iter().filter(is_wanted).count()
}

const RAIN: &str =
    r#"{"name": "rain", "needs": [], "kind": "agent", "prompt": "Tell of the rain."}"#;
const WIND: &str =
    r#"{"name": "wind", "needs": [], "kind": "agent", "prompt": "Tell of the wind."}"#;
const REPORT: &str =
    r#"{"name": "report", "needs": ["rain", "wind"], "kind": "agent", "prompt": "Write it up"}"#;

fn plan(tasks: &[&str]) -> String {
    format!(r#"{{"reasoning": "r", "tasks": [{}]}}"#, tasks.join(", "))
}

#[tokio::test(start_paused = true)]
async fn a_corrected_plan_keeps_what_it_repeats_and_withdraws_the_rest() {
    let broken = REPORT.replace("wind", "snow");
    let slow_wind =
        r#"{"name": "wind", "needs": [], "kind": "agent", "prompt": "Tell of the storm."}"#;
    let paced = |text: String| Reply::text(text).paced(Duration::from_millis(100));
    // A task that would take longer than everything else, if it were not stopped.
    let storm =
        |request: &LlmRequest| request.purpose == Purpose::Work && says(request, "the storm");
    let model = ScriptedProvider::new("script")
        .rule(
            asks_for_a_plan,
            Some(1),
            paced(plan(&[RAIN, slow_wind, &broken])),
        )
        .rule(asks_for_a_plan, None, paced(plan(&[RAIN, WIND, REPORT])))
        .rule(
            storm,
            None,
            Reply::text("It storms.").after(Duration::from_secs(3_600)),
        );
    let model = plays(model);
    let started = Instant::now();
    let results = run_and_replay(&model).await;
    assert!(started.elapsed() < Duration::from_secs(600));
    assert_eq!(results.end(), Some(RunEnd::Completed));
    assert_eq!(
        results.answer.as_ref().map(|answer| &*answer.text),
        Some(ANSWER)
    );
    assert_eq!(
        states(&results),
        [
            ("plan", "completed"),
            ("adopt", "completed"),
            ("rain", "completed"),
            ("wind", "skipped"),
            ("wind-2", "completed"),
            ("report", "completed"),
            ("answer", "completed"),
        ]
    );
    assert_eq!(worked(&model, "Tell of the rain."), 1);
    let requests = model.requests();
    let correction = requests
        .iter()
        .find(|request| request.purpose == Purpose::RepairPlan);
    assert!(says(
        correction.unwrap(),
        "may be at work already: rain, wind."
    ));
}

#[tokio::test(start_paused = true)]
async fn a_plan_whose_stream_breaks_goes_on_with_the_tasks_that_have_started() {
    let whole = plan(&[RAIN, WIND, REPORT]);
    let at = whole.find("\"report\"").unwrap();
    let model = plays(
        ScriptedProvider::new("script")
            .rule(
                asks_for_a_plan,
                Some(1),
                Reply::text(whole.clone()).cut_after(at),
            )
            .rule(asks_for_a_plan, None, Reply::text(whole)),
    );
    let results = run_and_replay(&model).await;
    assert_eq!(results.end(), Some(RunEnd::Completed));
    let tasks = ["plan", "adopt", "rain", "wind", "report", "answer"];
    assert_eq!(states(&results), tasks.map(|name| (name, "completed")));
    assert_eq!(worked(&model, "Tell of the rain."), 1);
}

#[tokio::test(start_paused = true)]
async fn a_goal_that_falls_back_to_one_task_withdraws_what_has_started() {
    use zeph_orchestration::planner::plan::FallbackPlan;
    let broken = plan(&[RAIN, &REPORT.replace("wind", "snow")]);
    let model = model().rule(asks_for_a_plan, None, Reply::text(broken));
    let model = model.for_purpose(Purpose::Work, Reply::text("It rains."));
    let orchestrator = builder(&model).fallback_plan(FallbackPlan::Routed).build();
    let results = orchestrator
        .unwrap()
        .run(GOAL)
        .await
        .unwrap()
        .into_results();
    assert_eq!(results.end(), Some(RunEnd::Completed));
    let states = states(&results);
    assert!(states.contains(&("work", "completed")), "{states:?}");
}
