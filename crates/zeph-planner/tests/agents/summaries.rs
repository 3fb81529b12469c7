//! Summaries that fail, and summaries that are cut off.

use zeph_llm::{ErrorKind, Reply, ScriptedProvider};
use zeph_planner::answer::{AnswerLimits, WrittenBy};

use super::answer::{by, long, many, model_of};
use super::support::{Bench, last, llm_context};

#[tokio::test(start_paused = true)]
async fn a_summary_that_fails_leaves_the_answer_to_no_model() {
    let model = ScriptedProvider::new("script").when("Do not answer", Reply::refusal("no"));
    let limits = AnswerLimits {
        input_tokens: 2_000,
        ..AnswerLimits::default()
    };
    let answer = by(
        &Bench::new(),
        model_of(llm_context(&model)).limits(limits),
        many(12, 150),
    )
    .await;
    assert_eq!(answer.by, WrittenBy::Deterministic);
    assert!(answer.text.contains("t11 begins"));
}

#[tokio::test(start_paused = true)]
async fn a_summary_that_reaches_its_limit_is_kept_and_said_to_be_cut() {
    let model = ScriptedProvider::new("script")
        .when(
            "Do not answer the goal yet",
            Reply::text("It rains [t3] and".repeat(900)),
        )
        .when("Write the answer", Reply::text("Rain [t3]."));
    let limits = AnswerLimits {
        input_tokens: 2_000,
        summary_tokens: 100,
        ..AnswerLimits::default()
    };
    let answer = by(
        &Bench::new(),
        model_of(llm_context(&model)).limits(limits),
        many(12, 150),
    )
    .await;
    assert_eq!(
        (answer.by, answer.cut),
        (WrittenBy::Llm, true),
        "{answer:?}"
    );
    let shown = last(&model, model.requests().len() - 1);
    assert!(shown.contains("It rains [t3]"), "{shown}");
    assert!(shown.contains("cut"), "{shown}");
}

#[tokio::test(start_paused = true)]
async fn no_summary_is_begun_once_one_has_failed() {
    let refused = Reply::error(ErrorKind::BadRequest, "no");
    let model = ScriptedProvider::new("script").when("Do not answer the goal yet", refused);
    let limits = AnswerLimits {
        input_tokens: 2_000,
        parallel: 2,
        ..AnswerLimits::default()
    };
    let bench = Bench::new();
    let aggregator = model_of(llm_context(&model)).limits(limits);
    let answer = by(&bench, aggregator, long(12, 1_900)).await;
    assert_eq!(answer.by, WrittenBy::Deterministic);
    assert!(answer.why.is_some_and(|why| why.contains("bad_request")));
    assert!(model.requests().len() <= 2);
    assert_eq!(bench.journal.held(), 0);
}
