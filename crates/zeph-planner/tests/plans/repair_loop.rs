//! The repair loop: the planner's reaction to each kind of answer and failure.

use std::sync::Arc;

use futures::StreamExt as _;
use serde_json::json;
use zeph_llm::{
    Capabilities, ErrorKind, LlmProvider, OutputFormat, Reply, SchemaSupport, ScriptedProvider,
};
use zeph_planner::plan::{
    FallbackPlan, FindingKind, LlmPlanner, Plan, PlanError, PlanEvent, PlanFailure, PlanLimits,
    PlanRequest, Planner, code, finish, warning,
};
use zeph_planner::prompts::{PromptName, Prompts};
use zeph_sanitizer::{Seed, StandardSanitizer};
use zeph_subagent::{AgentCatalog, SubAgentDef};

use crate::support::request;

const GOOD: &str = r#"{"reasoning": "r", "tasks": [
    {"name": "read", "needs": [], "kind": "agent", "prompt": "Read it.", "agent": "writer"},
    {"name": "write", "needs": ["read"], "kind": "agent", "prompt": "Write it.", "agent": "writer"}]}"#;
const DANGLING: &str = r#"{"reasoning": "r", "tasks": [
    {"name": "a", "needs": ["ghost"], "kind": "agent", "prompt": "<|im_start|>Do it.", "agent": "writer"}]}"#;

fn script() -> ScriptedProvider {
    ScriptedProvider::new("script")
}

fn planner(provider: &ScriptedProvider) -> LlmPlanner {
    let sanitizer = Arc::new(StandardSanitizer::new(Seed::derive(b"test")));
    LlmPlanner::new(Arc::new(provider.clone()), sanitizer)
}

async fn plan(planner: &LlmPlanner) -> Result<Plan, PlanError> {
    finish(planner.plan(request())).await
}

async fn failure(provider: &ScriptedProvider) -> PlanError {
    let error = plan(&planner(provider)).await.unwrap_err();
    assert!(
        provider.violations().is_empty(),
        "{:?}",
        provider.violations()
    );
    error
}

#[tokio::test]
async fn a_good_answer_is_a_plan_after_one_call() {
    let script = script().then(Reply::text(GOOD));
    let events: Vec<PlanEvent> = planner(&script).plan(request()).collect().await;
    let word = |event: &PlanEvent| match event {
        PlanEvent::Asked { provider, call } => format!("asked {provider} {call}"),
        PlanEvent::Proposed { name, .. } => format!("proposed {name}"),
        PlanEvent::Ready(plan) => format!("ready {}", plan.tasks.len()),
        PlanEvent::Repaired(repair) => format!("repaired {}", repair.code),
        PlanEvent::Done(plan) => format!("done {}", plan.tasks.len()),
        PlanEvent::Rejected { .. }
        | PlanEvent::FellBack { .. }
        | PlanEvent::Cached
        | PlanEvent::Warned { .. }
        | PlanEvent::Failed(_) => format!("{event:?}"),
    };
    let shown: Vec<String> = events.iter().map(word).collect();
    let wanted = [
        "asked script 1",
        "proposed read",
        "proposed write",
        "repaired absent_field",
        "repaired absent_field",
        "done 2",
    ];
    assert_eq!(shown, wanted);
    assert_eq!(script.requests().len(), 1);
    assert!(script.violations().is_empty());
}

#[tokio::test]
async fn what_is_wrong_is_reported_and_asked_again() {
    let script = script().then(Reply::text(DANGLING)).then(Reply::text(GOOD));
    let plan = plan(&planner(&script)).await.unwrap();
    assert_eq!(plan.tasks.len(), 2);
    let again = script.requests()[1].messages[1].text().to_owned();
    assert!(
        again.contains("/tasks/0/needs/0: unknown task \"ghost\" [unknown_need]"),
        "{again}"
    );
    // The model sees its own text sanitized and delimited, like any untrusted text.
    assert!(
        again.contains("ghost") && !again.contains("<|im_start|>"),
        "{again}"
    );
    assert!(again.starts_with("Goal:\nA weekly report"), "{again}");
}

#[tokio::test]
async fn asking_again_has_an_end_and_the_error_has_everything() {
    let usage = zeph_llm::Usage {
        input_tokens: Some(10),
        output_tokens: Some(5),
    };
    let bad = Reply::text(DANGLING).with_usage(usage);
    let script = script()
        .then(bad.clone())
        .then(bad.clone())
        .then(bad)
        .then(Reply::text(GOOD));
    let error = failure(&script).await;
    assert_eq!(
        (error.failure, error.tries.len(), script.left()),
        (PlanFailure::Defective, 3, 1)
    );
    for tried in &error.tries {
        assert_eq!(tried.diagnostics.as_slice()[0].code, code::UNKNOWN_NEED);
        assert_eq!(
            (tried.usage.total(), tried.bytes),
            (Some(15), DANGLING.len())
        );
        assert!(tried.excerpt.contains("ghost") && !tried.repairs.is_empty());
    }
    let shown = error.to_string();
    assert!(
        shown.starts_with("planning failed: the model gave 3 answers"),
        "{shown}"
    );
    assert!(
        shown.contains("unknown_need") && shown.contains("use a larger model"),
        "{shown}"
    );
}

#[tokio::test]
async fn each_kind_of_failure_has_its_name() {
    let text = |text: &str| (0..3).fold(script(), |script, _| script.then(Reply::text(text)));
    let error = |kind| script().then(Reply::error(kind, "it said no"));
    let short = Capabilities {
        schema: SchemaSupport::Never,
        ..Capabilities::TEXT
    };
    let table = [
        (
            script().then(Reply::refusal("I will not.")),
            PlanFailure::Refused,
            1,
        ),
        (text(""), PlanFailure::Empty, 3),
        (text("I would rather talk."), PlanFailure::NotAPlan, 3),
        (text("{\"reasoning\": nope}"), PlanFailure::NotAPlan, 3),
        (text(&GOOD[..80]), PlanFailure::Truncated, 3),
        // It ended by itself after a task: more output tokens would not help.
        (text(&GOOD[..GOOD.len() - 2]), PlanFailure::NotAPlan, 3),
        (text(DANGLING), PlanFailure::Defective, 3),
        (error(ErrorKind::Timeout), PlanFailure::TimedOut, 1),
        (error(ErrorKind::Cut), PlanFailure::Unavailable, 1),
        (
            error(ErrorKind::SchemaRejected),
            PlanFailure::SchemaRejected,
            1,
        ),
        (error(ErrorKind::OverBudget), PlanFailure::OverBudget, 1),
        (error(ErrorKind::Stopped), PlanFailure::Stopped, 1),
        (error(ErrorKind::Unauthorized), PlanFailure::Unavailable, 1),
        (error(ErrorKind::RateLimited), PlanFailure::Unavailable, 1),
        (
            script().with_capabilities(short),
            PlanFailure::Unavailable,
            0,
        ),
    ];
    for (script, wanted, calls) in table {
        let error = failure(&script).await;
        assert_eq!(error.failure, wanted, "{error}");
        assert_eq!(script.requests().len(), calls, "{error}");
        assert!(!error.tries.is_empty());
    }
}

#[tokio::test]
async fn an_answer_that_is_cut_says_so_first() {
    let long = "x".repeat(40_000);
    let script = script().then(Reply::text(long)).then(Reply::text(GOOD));
    let plan = plan(&planner(&script).max_output_tokens(50)).await;
    // The second answer is cut too, because of the small limit; planning ends with the third call.
    assert_eq!(plan.unwrap_err().failure, PlanFailure::Unavailable);
    let again = script.requests()[1].messages[1].text().to_owned();
    let wrong = again.split("Problems:\n").nth(1).unwrap_or_default();
    assert!(
        wrong.starts_with("- the answer reached its limit and is cut off [cut_off]"),
        "{wrong}"
    );
}

#[tokio::test]
async fn an_endless_answer_is_not_read_to_its_end() {
    let mut request = request();
    request.limits.max_bytes = 2_000;
    let script = (0..3).fold(script(), |script, _| {
        script.then(Reply::text("[".repeat(9_000)))
    });
    let error = finish(planner(&script).plan(request)).await.unwrap_err();
    assert_eq!(error.failure, PlanFailure::Truncated, "{error}");
    assert!(
        error.tries.iter().all(|tried| tried.bytes < 9_000),
        "{error}"
    );
}

#[tokio::test]
async fn another_provider_is_asked_when_the_first_gives_up() {
    let first = script().then(Reply::refusal("no"));
    let second = ScriptedProvider::new("second").then(Reply::text(GOOD));
    let planner = planner(&first).fallback(Arc::new(second.clone()));
    assert_eq!(plan(&planner).await.unwrap().tasks.len(), 2);
    let first = script().then(Reply::refusal("no"));
    let second = ScriptedProvider::new("second").then(Reply::error(ErrorKind::Timeout, "slow"));
    let planner = self::planner(&first).fallback(Arc::new(second));
    let error = plan(&planner).await.unwrap_err();
    let asked: Vec<&str> = error
        .tries
        .iter()
        .map(|tried| tried.provider.as_str())
        .collect();
    assert_eq!(
        (asked, error.failure),
        (vec!["script", "second"], PlanFailure::TimedOut)
    );
}

#[tokio::test]
async fn no_other_provider_is_asked_over_budget_or_when_stopped() {
    for kind in [ErrorKind::OverBudget, ErrorKind::Stopped] {
        let first = script().then(Reply::error(kind, "no"));
        let second = ScriptedProvider::new("second").then(Reply::text(GOOD));
        let planner = planner(&first)
            .fallback(Arc::new(second.clone()))
            .fallback_plan(FallbackPlan::Routed);
        assert!(plan(&planner).await.is_err());
        assert!(second.requests().is_empty());
    }
}

#[tokio::test]
async fn the_fallback_plan_has_one_task() {
    let refused = script().then(Reply::refusal("no"));
    let refused = planner(&refused).fallback_plan(FallbackPlan::Routed);
    assert!(plan(&refused).await.is_err(), "it would not do it either");
    let script = script().rule(|_| true, None, Reply::text("No plan, sorry."));
    let planner = planner(&script).fallback_plan(FallbackPlan::Agent("writer".to_owned()));
    let plan = plan(&planner).await.unwrap();
    assert_eq!(plan.tasks[0].work.about(), "A weekly report");
    assert_eq!(plan.tasks[0].on_failure, zeph_graph::OnFailure::Skip);
    let warnings = plan.findings.iter();
    let warnings = warnings.filter(|one| one.kind == FindingKind::Warning);
    let codes: Vec<&str> = warnings.map(|one| one.code.as_str()).collect();
    assert_eq!(
        codes,
        [warning::NO_PRICE.text(), warning::FALLBACK_PLAN.text()]
    );
}

#[tokio::test]
async fn a_goal_that_cannot_be_planned_costs_no_call() {
    let script = script();
    let mut nothing = PlanRequest::new("Do it", AgentCatalog::new());
    (nothing.rights.questions, nothing.rights.routed) = (false, false);
    let blank = PlanRequest::new(" \n", AgentCatalog::new());
    let long = PlanRequest::new("x".repeat(40_000), AgentCatalog::new());
    for request in [nothing, blank, long] {
        let error = finish(planner(&script).plan(request)).await.unwrap_err();
        assert_eq!(
            (error.failure, error.tries.len()),
            (PlanFailure::Impossible, 0)
        );
    }
    assert!(script.requests().is_empty());
}

fn with_schemas() -> ScriptedProvider {
    script().with_capabilities(Capabilities {
        schema: SchemaSupport::Schema,
        ..Capabilities::TEXT
    })
}

#[tokio::test]
async fn the_schema_of_a_plan_is_strict() {
    let script = with_schemas().then(Reply::text(GOOD));
    plan(&planner(&script)).await.unwrap();
    assert!(script.violations().is_empty(), "{:?}", script.violations());
    let OutputFormat::Schema(schema) = &script.requests()[0].output else {
        panic!("the request has no schema");
    };
    let text = schema.schema.to_string();
    for name in ["analyst", "git_log", "since", "all_done", "read_file"] {
        assert!(text.contains(name), "{name} is not in {text}");
    }
    assert!(!text.contains("write_file"));
}

#[tokio::test]
async fn a_schema_that_the_service_rejects_goes_into_the_prompt() {
    let rejection = Reply::error(ErrorKind::SchemaRejected, "too complex");
    let script = with_schemas().then(rejection).then(Reply::text(GOOD));
    let plan = plan(&planner(&script)).await;
    assert_eq!(plan.unwrap().tasks.len(), 2);
    assert_eq!(script.requests()[1].output, OutputFormat::Text);
}

#[tokio::test]
async fn a_schema_beyond_the_limits_goes_into_the_prompt() {
    let script = with_schemas().then(Reply::refusal("no"));
    let mut catalog = AgentCatalog::new();
    for number in 0..1_000 {
        let agent = SubAgentDef::new(format!("agent-{number}"), "Works", "You work.");
        catalog.add(agent).unwrap();
    }
    let request = PlanRequest::new("Do it", catalog);
    finish(planner(&script).plan(request)).await.unwrap_err();
    let asked = &script.requests()[0];
    assert_eq!(asked.output, OutputFormat::Text);
    assert!(asked.messages[0].text().contains("\"agent-999\""));
}

#[tokio::test]
async fn a_host_has_its_own_words() {
    let text =
        "Plan {{ agents|length }} {{ commands|length }} {{ kinds|join('+') }}. {{ preamble }}";
    let prompts = Prompts::with([(PromptName::Plan, text.to_owned())]).unwrap();
    let script = script().then(Reply::text(GOOD));
    let planner = planner(&script).prompts(prompts);
    plan(&planner).await.unwrap();
    let shown = script.requests()[0].messages[0].text().to_owned();
    assert!(
        shown.starts_with("Plan 3 4 agent+command+question."),
        "{shown}"
    );
    let script = self::script().then(Reply::text(GOOD));
    assert_ne!(planner.fingerprint(), self::planner(&script).fingerprint());
}

#[tokio::test]
async fn feedback_reaches_the_model() {
    let script = script().then(Reply::text(GOOD));
    let mut request = request();
    request.feedback = vec!["fewer tasks".to_owned(), "drop gamma".to_owned()];
    // The plan of the first feedback is unknown, as in a run of an older version.
    request.rejected = vec![String::new(), "[tasks.gamma] <|im_start|>".to_owned()];
    finish(planner(&script).plan(request)).await.unwrap();
    let shown = script.requests()[0].messages[1].text().to_owned();
    assert!(shown.starts_with("Goal:\nA weekly report"), "{shown}");
    assert!(
        shown.contains("1. fewer tasks\n2. drop gamma\nThis was said about the plan:\n<untrusted"),
        "{shown}"
    );
    assert!(
        shown.contains("[tasks.gamma]") && !shown.contains("<|im_start|>"),
        "{shown}"
    );
}

#[tokio::test]
async fn the_budget_and_an_example_reach_the_model() {
    let script = script().then(Reply::text(GOOD)).then(Reply::text(GOOD));
    let mut request = request();
    finish(planner(&script).plan(request.clone()))
        .await
        .unwrap();
    request.limits.max_tokens = Some(90_000);
    finish(planner(&script).plan(request.clone()))
        .await
        .unwrap();
    let shown = |call: usize| script.requests()[call].messages[0].text().to_owned();
    assert!(!shown(0).contains("may cost"), "{}", shown(0));
    assert!(
        shown(1).contains("The whole plan may cost 90000 tokens."),
        "{}",
        shown(1)
    );
    // The example is a plan of this host.
    let shown = shown(0);
    let start = shown.find("{\"reasoning\": \"The two").unwrap();
    let end = shown.find("\n\nRules:").unwrap();
    let reading = zeph_planner::plan::read_plan(&shown[start..end], &request);
    assert_eq!(reading.outcome.unwrap().tasks.len(), 3);
    let repaired: Vec<_> = reading.repairs.iter().map(|one| one.code.text()).collect();
    assert!(repaired.is_empty(), "{repaired:?}");
}

#[tokio::test]
async fn a_closure_is_a_provider() {
    let provider = zeph_llm::provider_fn("closure", |_| async {
        Ok::<_, zeph_llm::LlmError>(zeph_llm::LlmResponse::text(GOOD))
    });
    let provider: Arc<dyn LlmProvider> = Arc::new(provider);
    let planner = LlmPlanner::new(provider, Arc::new(zeph_sanitizer::Unsanitized));
    assert!(plan(&planner).await.is_ok());
}

#[tokio::test]
async fn costs_are_held_against_the_limits() {
    let tight = |limits| PlanRequest {
        limits,
        ..request()
    };
    let tokens = PlanLimits {
        max_tokens: Some(100),
        ..PlanLimits::default()
    };
    let money = PlanLimits {
        max_micro_usd: Some(100),
        ..PlanLimits::default()
    };
    let dear = zeph_llm::Prices {
        input: 3_000_000,
        output: 15_000_000,
        ..zeph_llm::Prices::FREE
    };
    let mut priced = tight(money.clone());
    priced.prices.default = Some(dear);
    let table = [
        (tight(tokens), vec![code::TOO_COSTLY]),
        (tight(money), vec![code::UNKNOWN_PRICE]),
        (priced, vec![code::TOO_COSTLY]),
    ];
    for (request, wanted) in table {
        let problems = zeph_planner::plan::read_plan(GOOD, &request)
            .outcome
            .unwrap_err();
        let codes: Vec<_> = problems.iter().map(|one| one.code).collect();
        assert_eq!(codes, wanted);
    }
}

#[test]
fn estimates_follow_their_formula() {
    let mut request = request();
    request.prices.default = Some(zeph_llm::Prices {
        input: 1_000_000,
        output: 2_000_000,
        ..zeph_llm::Prices::FREE
    });
    let document = json!({ "reasoning": "", "tasks": [
        { "name": "log", "kind": "command", "command": "git_log", "arguments": [{ "name": "count", "value": "3" }] },
        { "name": "count", "needs": ["log"], "agent": "analyst", "tools": ["grep"], "prompt": "Count them.", "expected_tokens": 40 },
        { "name": "write", "needs": ["count"], "agent": "writer", "prompt": "Write." },
    ]});
    let plan = zeph_planner::plan::read_plan(&document.to_string(), &request)
        .outcome
        .unwrap();
    // "You count." + "Count them." are 21 bytes, so 6 tokens; 100 are framing; the command outputs 250.
    let count = 2 * (6 + 100 + 250) + 40;
    // "You write." + "Write." are 16 bytes.
    let write = (4 + 100 + 40) + 500;
    assert_eq!(plan.estimate.tokens, count + write);
    let money = |input: u64, output: u64| input + 2 * output;
    let wanted = money(2 * 356, 40) + money(144, 500);
    assert_eq!(plan.estimate.micro_usd, Some(wanted));
    assert_eq!((plan.estimate.depth, plan.estimate.width), (3, 1));
}

#[test]
fn hosts_narrow_what_plans_may_do() {
    let codes = |text: &str, request: &PlanRequest| {
        let problems = zeph_planner::plan::read_plan(text, request)
            .outcome
            .unwrap_err();
        problems.iter().map(|one| one.code).collect::<Vec<_>>()
    };
    let mut narrow = request();
    narrow.rights.routed = false;
    narrow.rights.questions = false;
    narrow.commands = Arc::default();
    let routed = r#"[{"name": "a", "kind": "agent", "prompt": "x"}]"#;
    assert_eq!(codes(routed, &narrow), [code::AGENT_NEEDED]);
    let asks = r#"[{"name": "a", "kind": "question", "prompt": "x"}]"#;
    assert_eq!(codes(asks, &narrow), [code::KIND_NOT_ALLOWED]);
    let runs = r#"[{"name": "a", "kind": "command", "command": "git_log"}]"#;
    assert_eq!(codes(runs, &narrow), [code::KIND_NOT_ALLOWED]);
}

#[test]
fn near_duplicates_are_warned_of() {
    let text = r#"[
        {"name": "a", "agent": "writer", "prompt": "Summarise the commits of last week by area."},
        {"name": "b", "agent": "writer", "prompt": "summarise the commits of the last week, by area"},
        {"name": "c", "agent": "writer", "prompt": "Translate the summary into French."},
        {"name": "d", "agent": "writer", "prompt": "Count it."}, {"name": "e", "needs": ["d"], "agent": "writer", "prompt": "Count it."}]"#;
    let plan = zeph_planner::plan::read_plan(text, &request())
        .outcome
        .unwrap();
    let near = plan.findings.iter();
    let near = near.filter(|one| one.code == warning::NEAR_DUPLICATE.text());
    let near: Vec<&str> = near.map(|one| one.path.as_str()).collect();
    assert_eq!(near, ["b"]);
}
