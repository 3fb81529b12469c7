//! Budgets: reserved before a call, settled after it, in full if a call is dropped, and left to the driver if the attempt is stopped.

use std::time::Duration;

use serde_json::{Value, json};
use zeph_executor::{Budget, ErrorClass, NoteKind};
use zeph_llm::{ErrorKind, Reply, RetryPolicy, ScriptedProvider};
use zeph_subagent::{AgentCatalog, SubAgentDef};

use super::support::{Bench, llm_context, read, task, tools};

fn tokens(tokens: u64) -> Budget {
    Budget::of_tokens(tokens)
}

#[tokio::test(start_paused = true)]
async fn money_without_a_price_is_refused() {
    let bench = Bench::limited(Budget::of_micro_usd(1_000_000));
    let model = ScriptedProvider::new("script");
    let error = bench
        .run(llm_context(&model), task(json!({ "prompt": "Hi." })))
        .await;
    let error = error.expect_err("the price is unknown");
    assert_eq!(
        (error.class(), error.code()),
        (ErrorClass::Refused, "unknown_price")
    );
    assert!(model.requests().is_empty());
}

#[tokio::test(start_paused = true)]
async fn over_budget_in_the_middle_of_the_loop_keeps_its_class() {
    let mut model = ScriptedProvider::new("script");
    for turn in 0..8 {
        model = model.then(Reply::calls(vec![read("1", &turn.to_string())]));
    }
    let mut agents = AgentCatalog::new();
    let agent = SubAgentDef::new("worker", "Works", "You work.").tool("read");
    agents.add(agent).expect("an agent");
    let bench = Bench::limited(tokens(3_000));
    let llm_context = llm_context(&model).tools(tools()).agents(agents);
    // The task names no agent, so that only the error's class prevents a second agent.
    let error = bench
        .run(llm_context, task(json!({ "prompt": "Works" })))
        .await
        .expect_err("over budget");
    assert_eq!(
        (error.class(), error.code()),
        (ErrorClass::OverBudget, "over_budget")
    );
    assert!(bench.journal.spent().tokens <= 3_000);
    assert_eq!(bench.journal.held(), 0);
    assert!((1..8).contains(&model.requests().len()));
    assert_eq!(bench.notes(NoteKind::Route).len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_cancel_in_the_middle_leaves_the_reservation_to_the_driver() {
    let slow = Reply::text("late").after(Duration::from_secs(3_600));
    let model = ScriptedProvider::new("script").then(slow);
    let bench = Bench::new();
    let work = bench.run(llm_context(&model), task(json!({ "prompt": "Hi." })));
    let stop = async {
        while model.requests().is_empty() {
            tokio::task::yield_now().await;
        }
        bench.stop.cancel();
    };
    let (outcome, ()) = tokio::join!(work, stop);
    assert_eq!(outcome.expect_err("stopped").class(), ErrorClass::Cancelled);
    assert_eq!((bench.journal.held(), bench.journal.spent().tokens), (1, 0));
    assert_eq!(bench.notes(NoteKind::Prompt).len(), 1);
    assert!(bench.notes(NoteKind::Reply).is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_stream_tells_observers_and_costs_the_same() {
    let text = "word ".repeat(400);
    let model = ScriptedProvider::new("script").then(Reply::text(&*text));
    let bench = Bench::new();
    let value = bench
        .run(
            llm_context(&model).streaming(),
            task(json!({ "prompt": "Words." })),
        )
        .await;
    assert_eq!(value.expect("an answer"), Value::from(text));
    let shown = bench.shown.all();
    assert!(shown.len() > 3 && shown.last().is_some_and(|last| last.contains("bytes")));
    assert!(bench.journal.spent().tokens > 400);
    let cut = Reply::text("word ".repeat(40)).cut_after(30);
    let broken = ScriptedProvider::new("script").when("Words", cut);
    let error = bench
        .run(
            llm_context(&broken).streaming(),
            task(json!({ "prompt": "Words." })),
        )
        .await;
    assert_eq!(error.expect_err("it broke off").code(), "cut");
}

#[tokio::test(start_paused = true)]
async fn a_service_that_stays_busy_is_given_up_by_the_one_layer_that_repeats() {
    let model =
        ScriptedProvider::new("script").when("Hi", Reply::error(ErrorKind::RateLimited, "busy"));
    let bench = Bench::new();
    let error = bench
        .run(llm_context(&model), task(json!({ "prompt": "Hi." })))
        .await;
    let error = error.expect_err("it stays busy");
    assert_eq!(
        (error.class(), error.code()),
        (ErrorClass::Permanent, "rate_limited")
    );
    assert!(error.message().contains("after 4 calls"), "{error}");
    assert_eq!((bench.journal.spent().tokens, bench.journal.held()), (0, 0));
    let calls: Vec<u64> = bench
        .notes(NoteKind::Reply)
        .iter()
        .filter_map(|note| note["call"].as_u64())
        .collect();
    assert_eq!(calls, [1, 2, 3, 4]);
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_late_is_settled_and_repeated() {
    let late = Reply::text("late").after(Duration::from_secs(3_600));
    let model = ScriptedProvider::new("script")
        .then(late)
        .then(Reply::text("here"));
    let bench = Bench::new();
    let value = bench
        .run(llm_context(&model), task(json!({ "prompt": "Hi." })))
        .await;
    assert_eq!(value.expect("an answer"), "here");
    assert_eq!(bench.journal.held(), 0);
    assert_eq!(bench.notes(NoteKind::Reply)[0]["error"]["kind"], "timeout");
    // It is unknown how much of the answer was generated, so the whole reservation counts.
    assert!(bench.journal.spent().tokens > 4_096);
}

#[tokio::test(start_paused = true)]
async fn the_time_of_all_calls_drops_none_in_the_middle() {
    let late = Reply::text("late").after(Duration::from_secs(3_600));
    let model = ScriptedProvider::new("script").when("Hi", late);
    let bench = Bench::new();
    let policy = RetryPolicy {
        call_timeout: Some(Duration::from_secs(10)),
        total: Some(Duration::from_secs(15)),
        ..RetryPolicy::default()
    };
    let begun = tokio::time::Instant::now();
    let error = bench
        .run(
            llm_context(&model).retry(policy),
            task(json!({ "prompt": "Hi." })),
        )
        .await;
    assert_eq!(error.expect_err("all too late").code(), "timeout");
    assert_eq!(begun.elapsed(), Duration::from_secs(15));
    // The second call had the rest of the first one's time, and is settled and noted in the same way.
    let kept = bench.notes(NoteKind::Reply);
    let kinds: Vec<&Value> = kept.iter().map(|note| &note["error"]["kind"]).collect();
    assert_eq!(kinds, ["timeout", "timeout"]);
    assert_eq!(bench.journal.held(), 0);
    let costs = kept.iter().filter_map(|note| note["tokens"].as_u64());
    assert_eq!(bench.journal.spent().tokens, costs.sum::<u64>());
}

#[tokio::test(start_paused = true)]
async fn an_agent_whose_answer_the_budget_cuts_is_over_budget() {
    let model = ScriptedProvider::new("script").when("Hi", Reply::text("word ".repeat(900)));
    let bench = Bench::limited(tokens(1_000));
    let error = bench
        .run(llm_context(&model), task(json!({ "prompt": "Hi." })))
        .await
        .expect_err("cut off");
    assert_eq!(error.class(), ErrorClass::OverBudget, "{error}");
    assert_eq!((model.requests().len(), bench.journal.held()), (1, 0));
    assert!(bench.journal.spent().tokens <= 1_000);
}

#[tokio::test(start_paused = true)]
async fn a_call_that_its_agent_drops_is_settled_so_that_the_next_one_goes_on() {
    let late = Reply::text("late").after(Duration::from_secs(3_600));
    let model = ScriptedProvider::new("script")
        .then(late)
        .then(Reply::text("here"));
    let mut agents = AgentCatalog::new();
    for name in ["first", "second"] {
        let mut agent = SubAgentDef::new(name, "Greets", "You greet.");
        agent.limits.timeout = Some(Duration::from_secs(5));
        agents.add(agent).expect("an agent");
    }
    // The second call does not fit beside the first one, and has to wait until that is settled.
    let bench = Bench::limited(tokens(6_000));
    let value = bench
        .run(
            llm_context(&model).agents(agents),
            task(json!({ "prompt": "Greets" })),
        )
        .await;
    assert_eq!(value.expect("an answer"), "here");
    assert_eq!(bench.journal.held(), 0);
    let prompts = bench.notes(NoteKind::Prompt);
    let reserved = |index: usize| prompts[index]["reserved"]["tokens"].as_u64();
    let spent = bench.journal.spent().tokens;
    assert!(reserved(0).is_some_and(|first| spent > first), "{spent}");
    assert!(reserved(1) < reserved(0), "the rest of the budget");
}
