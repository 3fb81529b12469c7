//! Planning in a run: outputs, notes and proposals of the executors.

use std::sync::Arc;

use serde_json::{Value, json};
use zeph_diagnostics::{Code, Diagnostic, Diagnostics};
use zeph_executor::double::JournalDouble;
use zeph_executor::{
    Attempt, Budget, ErrorClass, Executor, Journal, NoteKind, Parent, ParentState, Stop,
    TaskContext, TaskError, TaskId, TaskInput, TaskOutput,
};
use zeph_graph::wire::{GraphSpec, OnFailureSpec, TaskSpec, WorkSpec};
use zeph_graph::{Effect, Trigger};
use zeph_llm::{
    Capabilities, ErrorKind, LlmProvider, Prices, Reply, RetryPolicy, Retrying, ScriptedProvider,
};
use zeph_planner::answer::AnswerParams;
use zeph_planner::plan::{
    AdoptExecutor, AdoptParams, EarlierTask, LlmPlanner, PlanExecutor, PlanOutput, PlanParams,
    PlanRequest, PlannedTask, goal_graph, read_plan,
};
use zeph_sanitizer::Unsanitized;

use crate::support::request;

pub(crate) const GOOD: &str = r#"{"reasoning": "r", "tasks": [
    {"name": "read", "needs": [], "kind": "agent", "prompt": "Read it.", "agent": "Writer"},
    {"name": "write", "needs": ["read"], "kind": "agent", "prompt": "Write it.", "agent": "writer"}]}"#;

pub(crate) fn context(name: &str, journal: &Arc<JournalDouble>, stop: &Stop) -> TaskContext {
    let journal: Arc<dyn Journal> = journal.clone();
    TaskContext::builder(
        "r".parse().unwrap(),
        TaskId::from_index(0),
        name,
        Attempt::FIRST,
    )
    .journal(journal)
    .stop(stop)
    .build()
}

/// Executes the action `plan` once.
pub(crate) async fn plan(
    script: &ScriptedProvider,
    journal: &Arc<JournalDouble>,
) -> Result<TaskOutput, TaskError> {
    let planner = LlmPlanner::new(Arc::new(script.clone()), Arc::new(Unsanitized));
    let executor = PlanExecutor::new(Arc::new(planner), request());
    let params = json!({ "goal": "Tell a tale", "feedback": ["short"], "round": 2 });
    let cx = context("plan", journal, &Stop::new());
    executor.execute(&cx, TaskInput::new(params)).await
}

async fn made() -> PlanOutput {
    let script = ScriptedProvider::new("script").then(Reply::text(GOOD));
    let output = plan(&script, &Arc::default()).await.unwrap();
    serde_json::from_value(output.value).unwrap()
}

#[tokio::test]
async fn a_plan_is_put_out_with_its_file_and_its_notes() {
    let script = ScriptedProvider::new("script")
        .then(Reply::text("Hm."))
        .then(Reply::text(GOOD));
    let journal = Arc::new(JournalDouble::default());
    let output = plan(&script, &journal).await.unwrap();
    let output: PlanOutput = serde_json::from_value(output.value).unwrap();
    assert_eq!(
        (
            output.reasoning.as_str(),
            output.estimate.tasks,
            output.cached
        ),
        ("r", 2, false)
    );
    assert!(output.plan_file.contains("agent = \"writer\""));
    assert!(
        output
            .plan_file
            .contains("[tasks.write]\nneeds = [\"read\"]"),
        "{}",
        output.plan_file
    );
    assert!(output.findings.iter().any(|one| one.code == "folded_case"));
    let notes = journal.texts(NoteKind::Plan);
    assert!(
        notes[0].contains("no_json") && notes[1].contains("\"accepted\":2"),
        "{notes:?}"
    );
    assert_eq!(
        (
            journal.texts(NoteKind::Prompt).len(),
            journal.texts(NoteKind::Reply).len()
        ),
        (2, 2)
    );
    assert!(journal.spent().tokens > 0);
    assert_eq!(journal.held(), 0);
    assert!(script.requests()[0].messages[1].text().contains("1. short"));
}

#[tokio::test(start_paused = true)]
async fn a_call_that_may_pass_is_repeated() {
    let script = ScriptedProvider::new("script")
        .then(Reply::error(ErrorKind::RateLimited, "busy"))
        .then(Reply::text("never").after(std::time::Duration::from_secs(3_600)))
        .then(Reply::text(GOOD));
    let journal = Arc::new(JournalDouble::default());
    assert!(plan(&script, &journal).await.is_ok());
    assert_eq!((script.requests().len(), journal.held()), (3, 0));
}

#[tokio::test(start_paused = true)]
async fn what_a_host_puts_around_does_not_multiply_the_calls() {
    let busy = Reply::error(ErrorKind::RateLimited, "busy");
    let script = ScriptedProvider::new("script").rule(|_| true, None, busy);
    let around = |provider: Arc<dyn LlmProvider>| {
        Arc::new(Retrying::new(provider, RetryPolicy::default())) as Arc<dyn LlmProvider>
    };
    let planner = LlmPlanner::new(Arc::new(script.clone()), Arc::new(Unsanitized));
    let mut host = request();
    host.wrap = Some(Arc::new(around));
    let executor = PlanExecutor::new(Arc::new(planner), host);
    let journal = Arc::new(JournalDouble::default());
    let input = TaskInput::new(json!({ "goal": "A report", "feedback": [], "round": 1 }));
    let cx = context("plan", &journal, &Stop::new());
    assert!(executor.execute(&cx, input).await.is_err());
    let calls = RetryPolicy::default().max_calls as usize;
    assert_eq!(script.requests().len(), calls);
}

#[tokio::test(start_paused = true)]
async fn each_failure_has_its_class_and_code() {
    let table = [
        (Reply::refusal("no"), ErrorClass::Refused, "plan_refused"),
        (
            Reply::error(ErrorKind::Timeout, "slow"),
            ErrorClass::Permanent,
            "plan_timed_out",
        ),
        (
            Reply::error(ErrorKind::RateLimited, "busy"),
            ErrorClass::Permanent,
            "plan_unavailable",
        ),
        (Reply::text("Hm."), ErrorClass::Permanent, "plan_not_a_plan"),
        (
            Reply::text(r#"[{"name": "a", "needs": ["a"], "prompt": "x"}]"#),
            ErrorClass::Permanent,
            "plan_defective",
        ),
    ];
    for (reply, class, code) in table {
        let script = ScriptedProvider::new("script").rule(|_| true, None, reply);
        let journal = Arc::new(JournalDouble::default());
        let error = plan(&script, &journal).await.unwrap_err();
        assert_eq!((error.class(), error.code()), (class, code), "{error}");
        assert!(error.detail().is_some());
        let notes = journal.texts(NoteKind::Plan);
        assert!(
            notes.last().is_some_and(|note| note.contains("\"tries\"")),
            "{notes:?}"
        );
    }
}

#[tokio::test]
async fn a_budget_that_does_not_cover_a_call_says_so() {
    let priced = Capabilities {
        prices: Some(Prices {
            input: 1,
            output: 1,
            ..Prices::FREE
        }),
        ..Capabilities::TEXT
    };
    let script = ScriptedProvider::new("script")
        .with_capabilities(priced)
        .then(Reply::text(GOOD));
    let journal = Arc::new(JournalDouble::limited(Budget::of_tokens(50)));
    let error = plan(&script, &journal).await.unwrap_err();
    assert_eq!(
        (error.class(), error.code()),
        (ErrorClass::OverBudget, "over_budget")
    );
    assert_eq!((script.requests().len(), journal.spent().tokens), (0, 0));
}

#[tokio::test]
async fn an_attempt_that_is_stopped_ends() {
    let never = zeph_llm::provider_fn("never", |_| async {
        std::future::pending::<Result<zeph_llm::LlmResponse, zeph_llm::LlmError>>().await
    });
    let planner = LlmPlanner::new(Arc::new(never), Arc::new(Unsanitized));
    let executor = PlanExecutor::new(Arc::new(planner), request());
    let stop = Stop::new();
    let cx = context("plan", &Arc::default(), &stop);
    let input = TaskInput::new(json!({ "goal": "g", "round": 1 }));
    let (error, ()) = tokio::join!(executor.execute(&cx, input), async { stop.cancel() });
    assert_eq!(error.unwrap_err().class(), ErrorClass::Cancelled);
}

#[tokio::test]
async fn parameters_are_strict() {
    let planner = LlmPlanner::new(
        Arc::new(ScriptedProvider::new("script")),
        Arc::new(Unsanitized),
    );
    let executor = PlanExecutor::new(Arc::new(planner), request());
    let cx = context("plan", &Arc::default(), &Stop::new());
    let input = TaskInput::new(json!({ "goal": "g", "round": 1, "rights": "all" }));
    assert_eq!(
        executor.execute(&cx, input).await.unwrap_err().code(),
        "invalid_params"
    );
}

/// A compiler for the few keys that these tests use.
pub(crate) fn compile(file: &str) -> Result<GraphSpec, Diagnostics> {
    let bad = |message: &str| Diagnostic::new(Code::new("syntax"), message).path("1:1");
    let table: toml::Table = file.parse().map_err(|_| bad("it is no TOML"))?;
    let tasks = table.get("tasks").and_then(toml::Value::as_table);
    let tasks = tasks.ok_or_else(|| bad("there are no tasks"))?;
    let text = |table: &toml::Value, key: &str| Some(table.get(key)?.as_str()?.to_owned());
    let tasks = tasks.iter().map(|(name, task)| {
        let needs = task.get("needs").and_then(toml::Value::as_array);
        let needs = needs.into_iter().flatten();
        let prompt = text(task, "prompt");
        TaskSpec {
            effect: match prompt.as_deref() {
                Some("at_most_once") => Effect::AtMostOnce,
                _ => Effect::default(),
            },
            on_failure: OnFailureSpec::Skip {},
            name: name.clone(),
            needs: needs
                .filter_map(|need| need.as_str().map(str::to_owned))
                .collect(),
            work: WorkSpec::Action {
                name: "agent".to_owned(),
                params: json!({ "prompt": prompt }),
            },
            ..TaskSpec::default()
        }
    });
    Ok(GraphSpec {
        tasks: tasks.collect(),
        ..GraphSpec::default()
    })
}

/// Executes the action `adopt` with that answer.
async fn adopt(
    answer: Option<Value>,
    round: u32,
    journal: &Arc<JournalDouble>,
) -> Result<Value, TaskError> {
    let output = made().await;
    let confirm = answer.as_ref().map(|_| "confirm".to_owned());
    let params = AdoptParams {
        goal: "Tell a tale".to_owned(),
        feedback: vec!["short".to_owned()],
        rejected: Vec::new(),
        round,
        plan: "plan".to_owned(),
        confirm,
        first_round: 1,
        extends: None,
    };
    let mut input = TaskInput::new(serde_json::to_value(params).unwrap());
    let output = TaskOutput::from_serialize(&output).unwrap();
    input
        .parents
        .insert("plan".to_owned(), Parent::completed(output));
    if let Some(answer) = answer {
        let parent = Parent::completed(TaskOutput::from(answer));
        input.parents.insert("confirm".to_owned(), parent);
    }
    let executor = AdoptExecutor::new(Arc::new(compile)).answer_tokens(500);
    let cx = context("adopt", journal, &Stop::new());
    Ok(executor.execute(&cx, input).await?.value)
}

fn names(patch: &GraphSpec) -> Vec<&str> {
    patch.tasks.iter().map(|task| task.name.as_str()).collect()
}

fn params<T: serde::de::DeserializeOwned>(task: &TaskSpec) -> T {
    let WorkSpec::Action { params, .. } = &task.work else {
        panic!("{task:?}");
    };
    serde_json::from_value(params.clone()).unwrap()
}

#[tokio::test]
async fn an_approved_plan_becomes_tasks_and_an_answer() {
    for answer in [Some(json!("Approve")), None] {
        let journal = Arc::new(JournalDouble::default());
        let adopted = adopt(answer, 1, &journal).await.unwrap();
        assert_eq!(
            adopted,
            json!({ "verdict": "approved", "tasks": ["read", "write"] })
        );
        let patches = journal.patches();
        assert_eq!(names(&patches[0]), ["read", "write", "answer"]);
        let answer = &patches[0].tasks[2];
        assert_eq!(
            (answer.trigger, &answer.needs[..]),
            (
                Trigger::AllDone,
                &["read".to_owned(), "write".to_owned()][..]
            )
        );
        let shown: AnswerParams = params(answer);
        assert_eq!(
            (shown.goal.as_str(), shown.max_tokens),
            ("Tell a tale", Some(500))
        );
        assert_eq!(
            (shown.tasks[1].about.as_str(), &shown.tasks[1].needs[..]),
            ("Write it.", &["read".to_owned()][..])
        );
    }
}

#[tokio::test]
async fn an_edited_plan_takes_the_place_of_the_models() {
    let journal = Arc::new(JournalDouble::default());
    let file = "[tasks.only]\nprompt = \"Do this instead.\"";
    let adopted = adopt(Some(json!(file)), 1, &journal).await.unwrap();
    assert_eq!(adopted, json!({ "verdict": "edited", "tasks": ["only"] }));
    assert_eq!(names(&journal.patches()[0]), ["only", "answer"]);
}

#[tokio::test]
async fn a_rejected_plan_is_made_anew_with_the_reason() {
    let journal = Arc::new(JournalDouble::default());
    let adopted = adopt(Some(json!("reject: use git")), 2, &journal)
        .await
        .unwrap();
    assert_eq!(adopted, json!({ "verdict": "rejected", "round": 3 }));
    let patch = &journal.patches()[0];
    assert_eq!(names(patch), ["plan-3", "confirm-3", "adopt-3"]);
    let next: PlanParams = params(&patch.tasks[0]);
    assert_eq!(
        (next.round, next.feedback),
        (3, vec!["short".to_owned(), "use git".to_owned()])
    );
    // The plan of the first feedback is unknown; the second is about the plan that was rejected now.
    let plan = made().await.plan_file;
    assert_eq!(next.rejected, [String::new(), plan]);
    let adopt: AdoptParams = params(&patch.tasks[2]);
    assert_eq!(adopt.rejected, next.rejected);
    assert_eq!(
        (adopt.plan.as_str(), adopt.confirm.as_deref()),
        ("plan-3", Some("confirm-3"))
    );
    assert_eq!(patch.tasks[2].needs, ["plan-3", "confirm-3"]);
}

#[tokio::test]
async fn what_is_not_understood_is_asked_again_about_the_same_plan() {
    let broken = "[tasks.a]\nprompt = ";
    for (answer, why) in [
        ("perhaps", "not understood: perhaps"),
        (broken, "1:1: [syntax] it is no TOML"),
    ] {
        let journal = Arc::new(JournalDouble::default());
        let adopted = adopt(Some(json!(answer)), 1, &journal).await.unwrap();
        assert_eq!(
            (&adopted["verdict"], &adopted["round"]),
            (&json!("unclear"), &json!(2))
        );
        let patch = &journal.patches()[0];
        assert_eq!(names(patch), ["confirm-2", "adopt-2"]);
        let WorkSpec::Question(question) = &patch.tasks[0].work else {
            panic!("{patch:?}");
        };
        assert!(question.text.contains(why), "{}", question.text);
        let adopt: AdoptParams = params(&patch.tasks[1]);
        assert_eq!(
            (adopt.plan.as_str(), adopt.confirm.as_deref()),
            ("plan", Some("confirm-2"))
        );
    }
}

#[tokio::test]
async fn rounds_have_an_end() {
    for answer in ["no", "perhaps", "[tasks.a]\nprompt = "] {
        let journal = Arc::new(JournalDouble::default());
        let error = adopt(Some(json!(answer)), 5, &journal).await.unwrap_err();
        assert_eq!(
            (error.class(), error.code()),
            (ErrorClass::Permanent, "too_many_rounds")
        );
        assert!(journal.patches().is_empty());
    }
}

#[tokio::test]
async fn a_repeated_attempt_completes_as_the_first_did() {
    let journal = Arc::new(JournalDouble::default());
    let first = adopt(Some(json!("yes")), 1, &journal).await.unwrap();
    let second = adopt(Some(json!("yes")), 1, &journal).await.unwrap();
    assert_eq!((first, journal.patches().len()), (second, 1));
}

#[test]
fn the_first_graph_asks_only_if_it_is_to() {
    let asks = goal_graph("g", true);
    assert_eq!(names(&asks), ["plan", "confirm", "adopt"]);
    let first: PlanParams = params(&asks.tasks[0]);
    assert_eq!((first.goal.as_str(), first.round), ("g", 1));
    let goes = goal_graph("g", false);
    assert_eq!(names(&goes), ["plan", "adopt"]);
    let adopt: AdoptParams = params(&goes.tasks[1]);
    assert_eq!(adopt.confirm, None);
    for graph in [asks, goes] {
        assert!(zeph_graph::TaskGraph::try_from(graph).is_ok());
    }
}

/// The reading of further tasks after a plan with a result `read` and a failed `check`.
fn extended(text: &str) -> Result<(Vec<String>, Vec<String>), Vec<String>> {
    let earlier = |name: &str, state, has_result| EarlierTask {
        name: name.to_owned(),
        about: String::new(),
        state,
        has_result,
        text: String::new(),
    };
    let request = PlanRequest {
        earlier: vec![
            earlier("read-log", ParentState::Completed, true),
            earlier("check", ParentState::Failed, false),
        ],
        ..request()
    };
    match read_plan(text, &request).outcome {
        Ok(plan) => {
            let needs =
                |task: &PlannedTask| format!("{}: {:?} {:?}", task.name, task.needs, task.after);
            let file = plan.to_plan_file();
            let lines = file.lines();
            let lines =
                lines.filter(|line| line.starts_with("earlier") || line.starts_with("needs"));
            Ok((
                plan.tasks.iter().map(needs).collect(),
                lines.map(str::to_owned).collect(),
            ))
        }
        Err(problems) => Err(problems
            .iter()
            .map(|one| one.code.text().to_owned())
            .collect()),
    }
}

#[test]
fn further_tasks_need_results_of_before_and_have_names_of_their_own() {
    let (tasks, lines) = extended(
        r#"{"tasks": [
        {"name": "check", "needs": ["Read Log"], "prompt": "Check it."},
        {"name": "tell", "needs": ["check", "read_log"], "prompt": "Tell it."}]}"#,
    )
    .unwrap();
    assert_eq!(
        tasks,
        [
            r#"check-2: [] ["read-log"]"#,
            r#"tell: ["check-2"] ["read-log"]"#
        ]
    );
    let wanted = [
        "earlier = [\"read-log\"]",
        "needs = [\"read-log\"]",
        "needs = [\"check-2\", \"read-log\"]",
    ];
    assert_eq!(lines, wanted);
    assert_eq!(
        extended(r#"{"reasoning": "Enough.", "tasks": []}"#)
            .unwrap()
            .0
            .len(),
        0
    );
    let failed = r#"{"tasks": [{"name": "a", "needs": ["check"], "prompt": "x"}]}"#;
    assert_eq!(extended(failed).unwrap_err(), ["unknown_need"]);
    let both = r#"{"tasks": [{"name": "read-log", "prompt": "x"}, {"name": "b", "needs": ["read-log"], "prompt": "y"}]}"#;
    assert_eq!(extended(both).unwrap_err(), ["ambiguous"]);
    // A first plan has at least one task.
    let none = read_plan(r#"{"tasks": []}"#, &request())
        .outcome
        .unwrap_err();
    assert_eq!(none.as_slice()[0].code.text(), "no_tasks");
}
