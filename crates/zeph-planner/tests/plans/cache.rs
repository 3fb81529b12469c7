//! The plan cache: hits, misses and damaged files.

use std::path::Path;
use std::sync::Arc;

use futures::StreamExt as _;
use zeph_llm::{Reply, ScriptedProvider};
use zeph_planner::plan::{
    CachedPlanner, FallbackPlan, LlmPlanner, Plan, PlanEvent, PlanRequest, Planner,
};
use zeph_planner::prompts::{PromptName, Prompts};
use zeph_sanitizer::Unsanitized;
use zeph_subagent::SubAgentDef;

use crate::support::request;

const GOOD: &str = r#"[{"name": "a", "agent": "writer", "prompt": "Do it."}]"#;

fn planner(provider: &ScriptedProvider) -> LlmPlanner {
    LlmPlanner::new(Arc::new(provider.clone()), Arc::new(Unsanitized))
}

fn script() -> ScriptedProvider {
    ScriptedProvider::new("script").rule(|_| true, None, Reply::text(GOOD))
}

/// The plan, and the cache events.
async fn ask(planner: &dyn Planner, request: PlanRequest) -> (Plan, String) {
    let mut said = String::new();
    let mut stream = planner.plan(request);
    while let Some(event) = stream.next().await {
        if let PlanEvent::Cached = event {
            said.push_str("cached");
        } else if let PlanEvent::Warned { what } = event {
            said.push_str(&what);
        } else if let PlanEvent::Done(plan) = event {
            return (*plan, said);
        }
    }
    panic!("no end")
}

#[tokio::test]
async fn a_goal_that_was_planned_needs_no_call() {
    let temp = tempfile::tempdir().unwrap();
    let script = script();
    let planner = CachedPlanner::new(Arc::new(planner(&script)), temp.path());
    let (first, said) = ask(&planner, request()).await;
    assert_eq!((said.as_str(), script.requests().len()), ("", 1));
    let mut again = request();
    again.goal = "  A\tweekly \n report ".to_owned();
    let (second, said) = ask(&planner, again).await;
    assert_eq!((said.as_str(), script.requests().len()), ("cached", 1));
    assert_eq!(first.tasks, second.tasks);
}

#[tokio::test]
async fn whatever_decides_about_a_plan_is_in_its_key() {
    let temp = tempfile::tempdir().unwrap();
    let script = script();
    let cached = |planner: LlmPlanner| CachedPlanner::new(Arc::new(planner), temp.path());
    ask(&cached(planner(&script)), request()).await;
    let changes: [fn(&mut PlanRequest); 7] = [
        |request| request.goal = "a weekly report".to_owned(),
        |request| request.feedback = vec!["shorter".to_owned()],
        |request| request.limits.max_tasks = 7,
        |request| request.rights.questions = false,
        |request| request.commands = Arc::default(),
        |request| assert!(request.rights.tools.remove("grep")),
        |request| {
            let mut catalog = (*request.catalog).clone();
            catalog
                .add(SubAgentDef::new("fourth", "Helps", "You help."))
                .unwrap();
            request.catalog = Arc::new(catalog);
        },
    ];
    for (number, change) in changes.into_iter().enumerate() {
        let mut request = request();
        change(&mut request);
        let (_, said) = ask(&cached(planner(&script)), request).await;
        assert_eq!((said.as_str(), script.requests().len()), ("", number + 2));
    }
    let text = PromptName::PlanGoal.built_in().replace("Goal", "Aim");
    let prompts = Prompts::with([(PromptName::PlanGoal, text)]).unwrap();
    let (_, said) = ask(&cached(planner(&script).prompts(prompts)), request()).await;
    assert_eq!(said, "");
    let (_, said) = ask(&cached(planner(&script)), request()).await;
    assert_eq!(said, "cached");
}

#[tokio::test]
async fn a_kept_plan_is_checked_anew() {
    let temp = tempfile::tempdir().unwrap();
    let script = script();
    let planner = CachedPlanner::new(Arc::new(planner(&script)), temp.path());
    ask(&planner, request()).await;
    // Another answer that is stored as the cache stores it.
    let file = only_file(temp.path());
    let key = file.file_stem().unwrap().to_str().unwrap().to_owned();
    let answer = r#"[{"name": "a", "agent": "root", "prompt": "x"}]"#;
    let hash = blake3::hash(format!("{key}\n{answer}").as_bytes()).to_hex();
    let entry = serde_json::json!({ "hash": hash.as_str(), "answer": answer });
    std::fs::write(&file, entry.to_string()).unwrap();
    let (plan, said) = ask(&planner, request()).await;
    assert!(
        said.starts_with("the cached plan is not acceptable now: /tasks/0/agent: [unknown_agent]"),
        "{said}"
    );
    assert_eq!(
        (plan.tasks[0].work.about(), script.requests().len()),
        ("Do it.", 2)
    );
    assert_eq!(ask(&planner, request()).await.1, "cached");
}

#[tokio::test]
async fn the_fallback_plan_is_not_cached() {
    let temp = tempfile::tempdir().unwrap();
    let script = ScriptedProvider::new("script").rule(|_| true, None, Reply::text("No plan."));
    let planner = planner(&script).fallback_plan(FallbackPlan::Routed);
    let planner = CachedPlanner::new(Arc::new(planner), temp.path());
    for _ in 0..2 {
        assert_eq!(ask(&planner, request()).await.1, "");
    }
    assert_eq!(script.requests().len(), 6);
}

fn only_file(folder: &Path) -> std::path::PathBuf {
    let files: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|file| file.unwrap().path())
        .collect();
    assert_eq!(files.len(), 1, "{files:?}");
    files[0].clone()
}

#[tokio::test]
async fn a_folder_keeps_plans_for_the_next_process() {
    let temp = tempfile::tempdir().unwrap();
    let folder = temp.path().join("plans/of/mine");
    let script = script();
    let open = || CachedPlanner::new(Arc::new(planner(&script)), &folder);
    ask(&open(), request()).await;
    assert_eq!(ask(&open(), request()).await.1, "cached");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&folder), mode(&only_file(&folder))), (0o700, 0o600));
    }
}

#[tokio::test]
async fn a_damaged_file_is_a_miss_that_is_reported() {
    let temp = tempfile::tempdir().unwrap();
    let script = script();
    let open = || CachedPlanner::new(Arc::new(planner(&script)), temp.path());
    ask(&open(), request()).await;
    let file = only_file(temp.path());
    let whole = std::fs::read_to_string(&file).unwrap();
    let damages = [
        String::new(),
        whole[..whole.len() / 2].to_owned(),
        whole.replace("Do it.", "Do me."),
        whole.replacen("\"hash\":\"", "\"hash\":\"0", 1),
        whole.replacen('{', "{\"more\":1,", 1),
        "[]".to_owned(),
    ];
    for (number, damaged) in damages.into_iter().enumerate() {
        assert_ne!(damaged, whole);
        std::fs::write(&file, damaged).unwrap();
        let (plan, said) = ask(&open(), request()).await;
        assert!(
            said.contains("is damaged") && said.contains("planned again"),
            "{number}: {said}"
        );
        assert_eq!(plan.tasks[0].work.about(), "Do it.");
        assert_eq!(std::fs::read_to_string(&file).unwrap(), whole, "{number}");
        assert_eq!(ask(&open(), request()).await.1, "cached", "{number}");
    }
}

#[tokio::test]
async fn a_folder_that_cannot_be_written_costs_no_plan() {
    let temp = tempfile::tempdir().unwrap();
    let file = temp.path().join("file");
    std::fs::write(&file, "x").unwrap();
    let planner = CachedPlanner::new(Arc::new(planner(&script())), file.join("below"));
    let (plan, said) = ask(&planner, request()).await;
    assert!(
        said.contains("plans are not cached") && plan.tasks.len() == 1,
        "{said}"
    );
}
