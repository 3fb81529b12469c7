//! Summaries: long results in parts, citations of summaries, and summaries that fail or are cut off.

use std::collections::HashSet;
use std::sync::Arc;

use serde_json::json;
use zeph_executor::double::JournalDouble;
use zeph_executor::{Budget, Note, NoteKind, TaskInput};
use zeph_llm::{
    Capabilities, ErrorKind, EstimatingCounter, LlmRequest, LlmResponse, Reply, ScriptedProvider,
    StopReason, TokenCounter,
};
use zeph_planner::answer::{Answer, AnswerLimits, CutResult, WrittenBy};

use super::answer::{by, long, many, model_of};
use super::support::{Bench, SECRET, after, last, llm_context, whole};

const PART: &str = "Do not answer the goal yet";

/// The answer of a model, with the default limits but for the size of a request.
async fn answer(model: &ScriptedProvider, input_tokens: u32, input: TaskInput) -> Answer {
    let limits = AnswerLimits {
        input_tokens,
        ..AnswerLimits::default()
    };
    let aggregator = model_of(llm_context(model)).limits(limits);
    let answer = by(&Bench::new(), aggregator, input).await;
    for request in model.requests() {
        let tokens = EstimatingCounter.count_request(&request);
        assert!(tokens <= input_tokens, "{tokens}");
    }
    answer
}

/// A text of that many numbered words.
fn numbered(mark: &str, words: usize) -> String {
    let words = (0..words).map(|n| format!("{mark}{n:05}"));
    words.collect::<Vec<_>>().join(" ")
}

/// How many words of a text are in another one.
fn words_in(text: &str, shown: &str) -> usize {
    let shown: HashSet<&str> = shown.split_whitespace().collect();
    text.split(' ').filter(|word| shown.contains(word)).count()
}

/// What all requests show.
fn shown(model: &ScriptedProvider) -> String {
    let all = (0..model.requests().len()).map(|index| whole(model, index));
    all.collect()
}

#[tokio::test(start_paused = true)]
async fn every_part_of_a_long_result_reaches_a_model() {
    let model = ScriptedProvider::new("script")
        .when(PART, Reply::text("A part of it [big]."))
        .when("Write the answer", Reply::text("All of it [summary-1.2]."));
    let big = numbered("b", 40_000);
    let mut results = vec![("big", json!(big))];
    for name in ["one", "two", "three", "four"] {
        results.push((name, json!(numbered(name, 20))));
    }
    let input = after(json!({ "goal": "All" }), &results);
    let answer = answer(&model, 16_384, input).await;
    assert_eq!(
        (answer.by, answer.cut),
        (WrittenBy::Llm, false),
        "{answer:?}"
    );
    assert!(answer.cuts.is_empty() && answer.rounds == 1);
    let shown = shown(&model);
    assert_eq!(words_in(&big, &shown), 40_000);
    assert!(
        shown.contains("big (completed, part 2 of "),
        "{}",
        &shown[..500]
    );
    assert!(model.requests().len() <= 17);
    assert_eq!(answer.sources, ["big"]);
}

#[tokio::test(start_paused = true)]
async fn a_secret_is_in_no_part_of_a_long_result() {
    let model = ScriptedProvider::new("script")
        .when(PART, Reply::text("A part of it."))
        .when("Write the answer", Reply::text("All of it."));
    let text = format!("{SECRET} word ").repeat(4_000);
    let input = after(json!({ "goal": "All" }), &[("big", json!(text))]);
    answer(&model, 4_096, input).await;
    let shown = shown(&model);
    assert!(!shown.contains(&SECRET[..7]) && !shown.contains(&SECRET[8..]));
    assert!(model.requests().len() > 4);
}

#[tokio::test(start_paused = true)]
async fn what_all_requests_together_cannot_hold_is_named_with_its_share() {
    let model = ScriptedProvider::new("script")
        .when(PART, Reply::text("A part of it."))
        .when("Write the answer", Reply::text("Some of it [small]."));
    let (big, small) = (numbered("b", 60_000), numbered("s", 100));
    let input = after(
        json!({ "goal": "All" }),
        &[("big", json!(big)), ("small", json!(small))],
    );
    let answer = answer(&model, 2_048, input).await;
    assert!(answer.cut && answer.by == WrittenBy::Llm, "{answer:?}");
    let [
        CutResult {
            task,
            percent,
            summary_cut: false,
        },
    ] = &answer.cuts[..]
    else {
        panic!("{:?}", answer.cuts);
    };
    assert_eq!(task, "big");
    let shown = shown(&model);
    let share = words_in(&big, &shown) * 100 / 60_000;
    assert!(
        (1..99).contains(&share) && share.abs_diff((*percent).into()) <= 1,
        "{share} {percent}"
    );
    assert_eq!(words_in(&small, &shown), 100);
    let section = format!("## Shortened\n\n- big: {percent} % of its result was used\n");
    assert!(answer.text.ends_with(&section), "{}", answer.text);
    let notes = answer.notes().join("\n");
    assert!(
        notes.contains(&format!("big ({percent} % of its result was used)")),
        "{notes}"
    );
}

#[tokio::test(start_paused = true)]
async fn summaries_leave_the_budget_of_the_answer() {
    let big = numbered("b", 40_000);
    let mut calls = Vec::new();
    for budget in [4_000, 30_000, 60_000, 120_000, 1_000_000] {
        let model = ScriptedProvider::new("script")
            .when(PART, Reply::text("A part of it [big]."))
            .when("Write the answer", Reply::text("Some of it [big]."));
        let limits = AnswerLimits {
            input_tokens: 4_096,
            ..AnswerLimits::default()
        };
        let bench = Bench::limited(Budget::of_tokens(budget));
        let aggregator = model_of(llm_context(&model)).limits(limits);
        let input = after(json!({ "goal": "All" }), &[("big", json!(big))]);
        let answer = by(&bench, aggregator, input).await;
        // 4,000 tokens do not even cover the request of the answer.
        let writer = match budget {
            4_000 => WrittenBy::Deterministic,
            _ => WrittenBy::Llm,
        };
        assert_eq!(answer.by, writer, "{budget}: {:?}", answer.why);
        assert_eq!(answer.cut, !answer.cuts.is_empty());
        assert_eq!(bench.journal.held(), 0);
        assert_eq!(answer.rounds > 0, model.requests().len() > 1);
        calls.push(model.requests().len());
    }
    assert!(
        calls.is_sorted() && calls[0] == 0 && calls[1] >= 1 && calls[3] > 4,
        "{calls:?}"
    );
    assert_eq!(calls[4], 17, "{calls:?}");
}

#[tokio::test(start_paused = true)]
async fn a_summary_that_is_cited_after_two_rounds_is_its_tasks() {
    let model = ScriptedProvider::new("script")
        .when(PART, Reply::text("Summed. ".repeat(60)))
        .when(
            "Write the answer",
            Reply::text("Wet [summary-2.1]. Dry [summary-1.1, guess]."),
        );
    let limits = AnswerLimits {
        input_tokens: 1_200,
        ..AnswerLimits::default()
    };
    let aggregator = model_of(llm_context(&model)).limits(limits);
    let answer = by(&Bench::new(), aggregator, long(12, 900)).await;
    assert_eq!(
        (answer.by, answer.rounds),
        (WrittenBy::Llm, 2),
        "{answer:?}"
    );
    assert!(answer.sources.contains(&"part-0".to_owned()), "{answer:?}");
    let is_task = |name: &String| name.starts_with("part-");
    assert!(
        answer.sources.len() > 1 && answer.sources.iter().all(is_task),
        "{answer:?}"
    );
    assert!(answer.text.contains("Wet [part-0,"), "{}", answer.text);
    assert_eq!(answer.removed, ["guess"]);
    let removed = "citations of unknown tasks were removed: `guess`";
    assert!(
        answer.notes().iter().any(|note| note == removed),
        "{:?}",
        answer.notes()
    );
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_reaches_its_limit_is_kept_and_says_so() {
    let half = LlmResponse::text("It rains [part-0] and").stopped(StopReason::MaxTokens);
    let model = ScriptedProvider::new("script").then(Reply::response(half));
    let answer = by(&Bench::new(), model_of(llm_context(&model)), long(1, 20)).await;
    assert_eq!((answer.by, answer.cut_off), (WrittenBy::Llm, true));
    let wanted = "It rains [part-0] and\n\n… the answer was cut off at its limit of 64 tokens …\n";
    assert_eq!(answer.text, wanted);
    assert_eq!(answer.sources, ["part-0"]);
    assert_eq!(
        answer.notes(),
        ["the answer was cut off at its limit of tokens"]
    );
}

#[tokio::test(start_paused = true)]
async fn summaries_keep_the_window_and_stand_for_their_tasks() {
    let can = Capabilities {
        context_tokens: Some(2_048),
        ..Capabilities::TEXT
    };
    let said = "Wet [summary-1.1], dry [part-0].";
    let model = ScriptedProvider::new("script")
        .with_capabilities(can)
        .when("Do not answer the goal yet", Reply::text("Facts [part-0]."))
        .when("Write the answer", Reply::text(said));
    let bench = Bench::new();
    let answer = by(&bench, model_of(llm_context(&model)), long(4, 1_900)).await;
    assert_eq!((answer.by, answer.rounds), (WrittenBy::Llm, 1));
    assert_eq!(answer.sources, ["part-0"]);
    assert_eq!(answer.text, "Wet [part-0], dry [part-0].\n");
    assert!(answer.removed.is_empty(), "{answer:?}");
    for request in model.requests() {
        let input = EstimatingCounter.count_request(&request);
        let most = input + request.max_output_tokens.unwrap_or(u32::MAX);
        assert!(most <= 2_048, "{most}");
    }
}

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
    assert!(
        answer
            .cuts
            .iter()
            .all(|one| one.percent == 100 && one.summary_cut)
    );
    assert!(
        answer.text.contains("its summary was cut off"),
        "{}",
        answer.text
    );
    let shown = last(&model, model.requests().len() - 1);
    assert!(shown.contains("It rains [t3]"), "{shown}");
    assert!(shown.contains("cut"), "{shown}");
}

#[tokio::test(start_paused = true)]
async fn results_without_a_summary_stay_for_the_next_round() {
    let sums = |request: &LlmRequest| {
        let mut messages = request.messages.iter();
        messages.any(|one| one.text().contains("Do not answer the goal yet"))
    };
    let model = ScriptedProvider::new("script")
        .rule(sums, Some(1), Reply::text(" "))
        .rule(sums, Some(1), Reply::refusal("No."))
        .rule(sums, None, Reply::text("It rains [t3]."))
        .when("Write the answer", Reply::text("Rain [t3]."));
    let limits = AnswerLimits {
        input_tokens: 2_000,
        ..AnswerLimits::default()
    };
    let bench = Bench::new();
    let aggregator = model_of(llm_context(&model)).limits(limits);
    let answer = by(&bench, aggregator, long(12, 1_900)).await;
    assert_eq!(answer.by, WrittenBy::Llm, "{answer:?}");
    assert!(answer.text.starts_with("Rain"), "{}", answer.text);
    // The second round asks for them again.
    assert_eq!((answer.rounds, answer.cuts.len()), (2, 0), "{answer:?}");
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

/// An answer that a budget of that many tokens limits to fewer summaries.
async fn limited(bench: &Bench, words: usize) -> (Answer, usize) {
    let model = ScriptedProvider::new("script")
        .when(PART, Reply::text("A part of it [big]."))
        .when("Write the answer", Reply::text("Some of it [big]."));
    let limits = AnswerLimits {
        input_tokens: 4_096,
        ..AnswerLimits::default()
    };
    let aggregator = model_of(llm_context(&model)).limits(limits);
    let input = after(
        json!({ "goal": "All" }),
        &[("big", json!(numbered("b", words)))],
    );
    let answer = by(bench, aggregator, input).await;
    (answer, model.requests().len())
}

#[tokio::test(start_paused = true)]
async fn summaries_that_were_paid_before_an_interruption_are_not_paid_again() {
    const BUDGET: u64 = 90_000;
    let bench = Bench::limited(Budget::of_tokens(BUDGET));
    let (whole, asked) = limited(&bench, 40_000).await;
    assert!(
        (4..17).contains(&asked) && whole.by == WrittenBy::Llm,
        "{asked}"
    );
    let notes = bench.journal.notes();
    for replies in 0..asked {
        // The process is killed after that many replies, and the budget has only the rest.
        let mut kept = notes.clone();
        let is_reply = |note: &Note| note.kind == NoteKind::Reply;
        let ends = kept.iter().enumerate().filter(|(_, note)| is_reply(note));
        let end = ends.map(|(index, _)| index).nth(replies);
        kept.truncate(end.expect("there is one more reply"));
        let spent: u64 = (kept.iter().filter(|note| is_reply(note)))
            .map(|note| {
                let note: serde_json::Value = serde_json::from_slice(&note.body).unwrap();
                note["tokens"].as_u64().unwrap()
            })
            .sum();
        let rest = Budget::of_tokens(BUDGET - spent);
        let journal = JournalDouble::limited(rest).after_interruption(kept);
        let mut again = Bench::new();
        again.journal = Arc::new(journal);
        let (resumed, asked_again) = limited(&again, 40_000).await;
        assert_eq!(asked_again, asked - replies, "after {replies} replies");
        assert_eq!(resumed, whole, "after {replies} replies");
    }
}
