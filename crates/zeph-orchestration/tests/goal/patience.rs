//! Finished work is never thrown away: what services do, and how a goal ends.

use std::time::Duration;

use zeph_graph::OverBudget;
use zeph_orchestration::executor::Budget;
use zeph_orchestration::llm::{
    ErrorKind, LlmError, LlmRequest, LlmResponse, Purpose, Reply, RetryPolicy, ScriptedProvider,
    StopReason,
};
use zeph_orchestration::planner::answer::WrittenBy;
use zeph_orchestration::planner::plan::FallbackPlan;
use zeph_orchestration::{OrchestratorBuilder, OrchestratorError, RunEnd, RunResults};

use crate::script::{GOAL, asks_for_a_plan, builder, run, says};

/// Three independent tasks and a join: 1,015 tokens for the plan, 300 for each task, 405 for the answer.
const PLAN: &str = r#"{"reasoning": "Look, then write.", "tasks": [
    {"name": "alpha", "needs": [], "kind": "agent", "prompt": "Do alpha."},
    {"name": "beta", "needs": [], "kind": "agent", "prompt": "Do beta."},
    {"name": "gamma", "needs": [], "kind": "agent", "prompt": "Do gamma."},
    {"name": "join", "needs": ["alpha", "beta", "gamma"], "kind": "agent", "prompt": "Join all."}]}"#;
const COST: u64 = 2_620;

fn reply(text: &str, cost: u32) -> Reply {
    Reply::response(LlmResponse::text(text).usage(cost - 50, 50)).after(Duration::from_secs(1))
}

fn works(request: &LlmRequest, text: &str) -> bool {
    request.purpose == Purpose::Work && says(request, text)
}

fn is_beta(request: &LlmRequest) -> bool {
    works(request, "Do beta.")
}

fn is_answer(request: &LlmRequest) -> bool {
    request.purpose == Purpose::Answer
}

/// The replies of a healthy service, after those of `model`.
fn healthy(model: ScriptedProvider) -> ScriptedProvider {
    let of = |text: &'static str| move |request: &LlmRequest| works(request, text);
    model
        .rule(asks_for_a_plan, None, reply(PLAN, 1_015))
        .rule(of("Join all."), None, reply("All of it.", 300))
        .rule(of("Do alpha."), None, reply("The alpha.", 300))
        .rule(of("Do beta."), None, reply("The beta.", 300))
        .rule(of("Do gamma."), None, reply("The gamma.", 300))
        .rule(
            is_answer,
            None,
            Reply::made(|request| {
                let cited = match says(request, "All of it.") {
                    true => "It is done [join].",
                    false => "Alpha and gamma are done [alpha] [gamma].",
                };
                Ok(LlmResponse::text(cited).usage(355, 50))
            }),
        )
}

fn script() -> ScriptedProvider {
    ScriptedProvider::new("script")
}

/// The numbers of requests: for plans, for work, for the answer.
fn asked(model: &ScriptedProvider) -> (usize, usize, usize) {
    let requests = model.requests();
    let count = |is: &dyn Fn(&LlmRequest) -> bool| requests.iter().filter(|one| is(one)).count();
    let work = count(&|one| one.purpose == Purpose::Work);
    (count(&asks_for_a_plan), work, count(&is_answer))
}

/// Runs the goal with one plan.
async fn first_plan(builder: OrchestratorBuilder) -> RunResults {
    run(builder.max_replans(0)).await
}

/// What went wrong, and how it ends for a patient person.
struct Row {
    what: &'static str,
    model: ScriptedProvider,
    requests: (usize, usize, usize),
    /// Whether beta has a result, and with it the join.
    whole: bool,
    /// The author of the answer.
    by: WrittenBy,
    /// The tokens, where they are known.
    tokens: Option<u64>,
}

fn row(what: &'static str, model: ScriptedProvider, requests: (usize, usize, usize)) -> Row {
    let (whole, by, tokens) = (true, WrittenBy::Llm, None);
    Row {
        what,
        model,
        requests,
        whole,
        by,
        tokens,
    }
}

fn busy(seconds: u64) -> Reply {
    let error = LlmError::new(ErrorKind::RateLimited, "script", "too many requests");
    Reply::failure(error.with_retry_after(Duration::from_secs(seconds)))
}

fn down() -> Reply {
    Reply::failure(LlmError::new(ErrorKind::Unavailable, "script", "502").with_refusal())
}

fn cut(text: &str) -> Reply {
    Reply::response(
        LlmResponse::text(text)
            .usage(250, 50)
            .stopped(StopReason::MaxTokens),
    )
}

/// A model that gives this reply to the first request for each thing.
fn each_first(reply: impl Fn() -> Reply) -> ScriptedProvider {
    let others = script()
        .rule(asks_for_a_plan, Some(1), reply())
        .rule(is_answer, Some(1), reply());
    let texts = ["Do alpha.", "Do beta.", "Do gamma.", "Join all."];
    texts.into_iter().fold(others, |model, text| {
        model.rule(move |one: &LlmRequest| works(one, text), Some(1), reply())
    })
}

fn rows() -> Vec<Row> {
    let beta = |times, reply| script().rule(is_beta, times, reply);
    let known = |row: Row| Row {
        tokens: Some(COST),
        ..row
    };
    let without_beta = |row: Row| Row {
        whole: false,
        ..row
    };
    vec![
        known(row("nothing", script(), (1, 4, 1))),
        known(row("busy once", beta(Some(1), busy(2)), (1, 5, 1))),
        known(row(
            "each first call is refused as too many",
            each_first(|| busy(2)),
            (2, 8, 2),
        )),
        known(row(
            "each first call is refused by a gateway",
            each_first(down),
            (2, 8, 2),
        )),
        row(
            "a plan that is no JSON, then a good one",
            script().rule(asks_for_a_plan, Some(1), Reply::text("Here it comes.")),
            (2, 4, 1),
        ),
        row(
            "an empty result once",
            beta(Some(1), Reply::text("")),
            (1, 5, 1),
        ),
        row(
            "a refusal once",
            beta(Some(1), Reply::refusal("No.")),
            (1, 5, 1),
        ),
        row(
            "a cut result once",
            beta(Some(1), cut("Half of")),
            (1, 5, 1),
        ),
        row(
            "a result that stays cut is kept",
            beta(None, cut("Half of beta")),
            (1, 5, 1),
        ),
        row(
            "a stream that breaks off once",
            beta(Some(1), Reply::text("The whole beta.").cut_after(5)),
            (1, 5, 1),
        ),
        without_beta(row("empty results", beta(None, Reply::text("")), (1, 4, 1))),
        without_beta(row(
            "refusals",
            beta(None, Reply::refusal("No.")),
            (1, 4, 1),
        )),
        // The wait is for all calls of that service.
        Row {
            by: WrittenBy::Deterministic,
            ..without_beta(row("busy for an hour", beta(None, busy(3_600)), (1, 3, 0)))
        },
        without_beta(row(
            "streams that break off",
            beta(None, Reply::text("The whole beta.").cut_after(5)),
            (1, 6, 1),
        )),
        without_beta(row(
            "silence",
            beta(
                None,
                Reply::text("late").after(Duration::from_secs(100_000)),
            ),
            (1, 6, 1),
        )),
        without_beta(row(
            "an unknown key",
            beta(None, Reply::error(ErrorKind::Unauthorized, "no key")),
            (1, 3, 1),
        )),
    ]
}

#[tokio::test(start_paused = true)]
async fn one_failed_task_never_costs_the_answer() {
    for Row {
        what,
        model,
        requests,
        whole,
        by,
        tokens,
    } in rows()
    {
        let model = healthy(model);
        let policy = RetryPolicy {
            call_timeout: Some(Duration::from_secs(60)),
            ..RetryPolicy::default()
        };
        let report = first_plan(builder(&model).retry(policy)).await;
        let answer = report
            .answer
            .as_ref()
            .unwrap_or_else(|| panic!("{what}: {report:?}"));
        assert_eq!(answer.by, by, "{what}: {answer:?}");
        let missing: Vec<&str> = answer.missing.iter().map(|one| &*one.task).collect();
        if whole {
            assert_eq!(
                report.end(),
                Some(RunEnd::Completed),
                "{what}: {:?}",
                report.tasks
            );
            assert_eq!(
                (&answer.sources[..], &missing[..]),
                (&["join".to_owned()][..], &[][..]),
                "{what}"
            );
        } else {
            assert_eq!(report.end(), Some(RunEnd::Degraded), "{what}");
            assert_eq!(answer.sources, ["alpha", "gamma"], "{what}");
            assert_eq!(missing, ["beta", "join"], "{what}");
            // The reason is that of the task, and it is in the text.
            assert!(
                answer.text.contains("beta: it failed: "),
                "{what}: {}",
                answer.text
            );
        }
        assert_eq!(asked(&model), requests, "{what}");
        if let Some(tokens) = tokens {
            assert_eq!(report.spent.tokens, tokens, "{what}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_wait_of_an_hour_is_named() {
    let model = healthy(script().rule(is_beta, None, busy(3_600)));
    let report = first_plan(builder(&model)).await;
    let beta = report.task("beta").unwrap();
    let message = &beta.error.as_ref().unwrap().message;
    assert!(message.contains("1h"), "{message}");
}

#[tokio::test(start_paused = true)]
async fn without_an_answer_of_the_model_the_results_are_the_answer() {
    for (what, reply, by) in [
        ("refused", Reply::refusal("No."), WrittenBy::Deterministic),
        ("empty", Reply::text(""), WrittenBy::Deterministic),
        (
            "down",
            Reply::error(ErrorKind::Unavailable, "down"),
            WrittenBy::Deterministic,
        ),
        ("cut", cut("It is done [join]. And then"), WrittenBy::Llm),
    ] {
        let model = healthy(script().rule(is_answer, None, reply));
        let report = first_plan(builder(&model)).await;
        assert_eq!(
            report.end(),
            Some(RunEnd::Completed),
            "{what}: {:?}",
            report.tasks
        );
        let answer = report.answer.unwrap();
        assert_eq!(answer.by, by, "{what}: {answer:?}");
        assert_eq!(answer.sources[0], "join", "{what}");
    }
}

#[tokio::test(start_paused = true)]
async fn without_a_plan_the_end_is_typed_or_the_goal_is_one_task() {
    let unknown = PLAN.replace(r#""kind""#, r#""agent": "ghost", "kind""#);
    for (what, reply, code, calls, is_done) in [
        (
            "refused",
            Reply::refusal("No."),
            "plan_refused",
            (1, 0),
            false,
        ),
        ("empty", Reply::text(""), "plan_empty", (3, 0), true),
        // Its first task had started.
        ("cut", cut(&PLAN[..120]), "plan_truncated", (3, 1), true),
        (
            "unknown agents",
            Reply::text(unknown),
            "plan_defective",
            (3, 0),
            true,
        ),
    ] {
        let model = healthy(script().rule(asks_for_a_plan, None, reply));
        let failed = builder(&model)
            .build()
            .unwrap()
            .run(GOAL)
            .await
            .unwrap_err();
        let OrchestratorError::NoPlan { error, .. } = failed else {
            panic!("{what}: {failed}");
        };
        assert_eq!(
            (&*error.code, asked(&model)),
            (code, (calls.0, calls.1, 0)),
            "{what}"
        );
        // As the tool does it. The whole goal is the work.
        let model = model.rule(|_| true, None, reply_of_work());
        let tool = builder(&model)
            .fallback_plan(FallbackPlan::Routed)
            .build()
            .unwrap();
        assert_eq!(tool.run(GOAL).await.is_ok(), is_done, "{what}");
    }
}

fn reply_of_work() -> Reply {
    reply("All of it.", 300)
}

#[tokio::test(start_paused = true)]
async fn a_service_that_claims_more_than_was_reserved_ends_softly() {
    let huge = Reply::response(LlmResponse::text("The alpha.").usage(499_950, 50));
    let alpha = |one: &LlmRequest| works(one, "Do alpha.");
    let model = healthy(script().rule(alpha, None, huge));
    let limited = builder(&model)
        .budget(Budget::of_tokens(60_000))
        .over_budget(OverBudget::Partial);
    let report = first_plan(limited).await;
    assert_eq!(report.end(), Some(RunEnd::Degraded));
    let answer = report.answer.unwrap();
    assert_eq!(answer.by, WrittenBy::Deterministic);
    assert!(answer.text.contains("The alpha."), "{}", answer.text);
}
