//! Budgets: taken before a call, settled after it, and left to the driver when a call is cut.

use std::sync::Arc;
use std::time::Duration;

use futures::{StreamExt as _, stream};
use serde_json::{Value, json};
use zeph_executor::{Budget, ErrorClass, NoteKind};
use zeph_llm::{
    Capabilities, ErrorKind, FallbackChain, LlmError, LlmProvider, LlmRequest, LlmResponse,
    LlmStream, Prices, Reply, RetryPolicy, ScriptedProvider, StopReason, StreamPart, Usage,
    async_trait,
};
use zeph_planner::{LlmContext, Metered, Unlisted};
use zeph_subagent::{AgentCatalog, SubAgentDef};

use super::support::{Bench, llm_context, read, task, tools};

fn tokens(tokens: u64) -> Budget {
    Budget::of_tokens(tokens)
}

fn priced(name: &str) -> ScriptedProvider {
    ScriptedProvider::new(name).with_capabilities(Capabilities {
        prices: Some(Prices {
            input: 1_000_000,
            output: 2_000_000,
        }),
        ..Capabilities::TEXT
    })
}

#[tokio::test(start_paused = true)]
async fn a_call_costs_what_the_service_says() {
    let usage = Usage {
        input_tokens: Some(40),
        output_tokens: Some(5),
    };
    let model = priced("script").then(Reply::text("blue").with_usage(usage));
    let bench = Bench::new();
    let metered = Metered::new(model.clone(), &bench.context());
    metered
        .complete(&LlmRequest::new("Colour?"))
        .await
        .expect("an answer");
    let spent = bench.journal.spent();
    assert_eq!((spent.tokens, spent.micro_usd), (45, 50));
    assert_eq!(bench.journal.held(), 0);
    let asked = &bench.notes(NoteKind::Prompt)[0];
    assert_eq!(asked["request"]["max_output_tokens"], 1_024);
    let reply = &bench.notes(NoteKind::Reply)[0];
    assert_eq!(
        (&reply["tokens"], &reply["response"]["text"]),
        (&json!(45), &json!("blue"))
    );
}

#[tokio::test(start_paused = true)]
async fn without_usage_all_that_was_reserved_counts() {
    let model =
        ScriptedProvider::new("script").then(Reply::text("blue").with_usage(Usage::default()));
    let bench = Bench::new();
    let request = LlmRequest::new("Colour?").max_output_tokens(100);
    let metered = Metered::new(model, &bench.context());
    metered.complete(&request).await.expect("an answer");
    assert_eq!(bench.journal.spent().tokens, request.bytes() as u64 + 100);
}

#[tokio::test(start_paused = true)]
async fn what_was_turned_away_is_free_and_what_broke_off_is_not() {
    let table = [
        (ErrorKind::RateLimited, true),
        (ErrorKind::Network, true),
        (ErrorKind::Unauthorized, true),
        (ErrorKind::ContextTooLong, true),
        (ErrorKind::Unavailable, false),
        (ErrorKind::Timeout, false),
        (ErrorKind::Cut, false),
        (ErrorKind::Garbled, false),
    ];
    for (kind, is_free) in table {
        let model = ScriptedProvider::new("script").then(Reply::error(kind, "no"));
        let bench = Bench::new();
        let metered = Metered::new(model, &bench.context());
        let error = metered.complete(&LlmRequest::new("Well?")).await;
        assert_eq!(error.expect_err("it fails").kind(), kind);
        let spent = bench.journal.spent().tokens;
        assert_eq!((spent == 0, bench.journal.held()), (is_free, 0), "{kind:?}");
        let reply = &bench.notes(NoteKind::Reply)[0];
        assert_eq!(reply["error"]["kind"], kind.word());
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_is_shortened_to_what_is_left_and_refused_below_that() {
    let request = LlmRequest::new("Tell me all.");
    let bytes = request.clone().max_output_tokens(100).bytes() as u64;
    let model = ScriptedProvider::new("script").then(Reply::text("word ".repeat(500)));
    let bench = Bench::limited(tokens(bytes + 100));
    let metered = Metered::new(model.clone(), &bench.context());
    // It was cut because of the budget, so more budget is what helps.
    let error = metered.complete(&request).await.expect_err("cut off");
    assert_eq!(error.kind(), ErrorKind::OverBudget);
    let reply = &bench.notes(NoteKind::Reply)[0];
    assert_eq!(reply["response"]["stop"], "max_tokens");
    assert!(bench.journal.spent().tokens <= bytes + 100);
    let error = metered
        .complete(&request)
        .await
        .expect_err("nothing is left");
    assert_eq!(error.kind(), ErrorKind::OverBudget);
    assert_eq!(model.requests().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn money_without_a_price_is_refused() {
    let bench = Bench::limited(Budget::of_micro_usd(1_000_000));
    let model = ScriptedProvider::new("script");
    let error = bench
        .run(llm_context(&model), task(json!({ "prompt": "Hi." })))
        .await;
    let error = error.expect_err("nobody knows the price");
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
    // Without a name, so that only the class keeps somebody else from being tried.
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
    let told = bench.told.all();
    assert!(told.len() > 3 && told.last().is_some_and(|last| last.contains("bytes")));
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
    // The whole answer was reserved, and nobody knows how much of it was made.
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
    // The second call had what the first one left, and is settled and kept like it.
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

/// A chain as a llm_context's provider: each link is reserved and kept by itself.
#[tokio::test(start_paused = true)]
async fn each_link_of_a_chain_is_metered_by_itself() {
    let usage = Usage {
        input_tokens: Some(40),
        output_tokens: Some(5),
    };
    // The service got the request, and nobody knows what it charged.
    let cut = || priced("cut").when("Hi", Reply::error(ErrorKind::Cut, "broke off"));
    let good = || priced("good").when("Hi", Reply::text("blue").with_usage(usage));
    let chain = |first: &ScriptedProvider, second: &ScriptedProvider| {
        let chain = FallbackChain::new(Arc::new(first.clone()));
        Arc::new(chain.then(Arc::new(second.clone())))
    };
    let once = RetryPolicy::once();
    let ask = task(json!({ "prompt": "Hi.", "max_output_tokens": 200 }));
    let (first, second) = (cut(), good());
    let bench = Bench::new();
    let builder = LlmContext::builder(chain(&first, &second)).retry(once);
    let value = bench.run(builder, ask.clone()).await;
    assert_eq!(value.expect("an answer"), "blue");
    let reserved = first.requests()[0].bytes() as u64 + 200;
    assert_eq!(bench.journal.spent().tokens, reserved + 45);
    assert_eq!(bench.journal.held(), 0);
    let kept = bench.notes(NoteKind::Reply);
    let kept: Vec<&Value> = kept.iter().map(|note| &note["provider"]).collect();
    assert_eq!(kept, ["cut", "good"]);

    // What the first link has taken is not there for the second.
    let (first, second) = (cut(), good());
    let bench = Bench::limited(tokens(reserved + 100));
    let builder = LlmContext::builder(chain(&first, &second)).retry(once);
    let error = bench.run(builder, ask).await.expect_err("over budget");
    assert_eq!(error.class(), ErrorClass::OverBudget, "{error}");
    assert!(second.requests().is_empty());
    assert_eq!(bench.journal.spent().tokens, reserved);

    // And nobody meters a chain as one call by mistake.
    let (first, second) = (cut(), good());
    let metered = Metered::new(chain(&first, &second), &bench.context());
    let error = metered.complete(&LlmRequest::new("Hi")).await;
    assert_eq!(error.expect_err("refused").kind(), ErrorKind::Unsupported);
    assert!(first.requests().is_empty());
}

#[tokio::test(start_paused = true)]
async fn another_model_of_a_provider_has_no_price() {
    let bench = Bench::limited(Budget::of_micro_usd(1_000_000));
    let mut agents = AgentCatalog::new();
    let mut agent = SubAgentDef::new("worker", "Works", "You work.");
    agent.model = Some("dear".to_owned());
    agents.add(agent).expect("an agent");
    let model = priced("script").then(Reply::text("blue"));
    let llm_context = llm_context(&model).agents(agents);
    let llm_context = llm_context.unlisted_models(Unlisted::AskDefault);
    let error = bench
        .run(
            llm_context,
            task(json!({ "agent": "worker", "prompt": "Hi." })),
        )
        .await;
    assert_eq!(error.expect_err("who knows?").code(), "unknown_price");
    assert!(model.requests().is_empty());
}

/// A service that never stops talking.
struct Endless;

#[async_trait]
impl LlmProvider for Endless {
    fn name(&self) -> &str {
        "endless"
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities {
            streaming: true,
            ..Capabilities::TEXT
        }
    }

    async fn complete(&self, _: &LlmRequest) -> Result<LlmResponse, LlmError> {
        std::future::pending().await
    }

    async fn stream(&self, _: &LlmRequest) -> Result<LlmStream, LlmError> {
        let parts = stream::repeat_with(|| Ok(StreamPart::Text("word ".repeat(100))));
        Ok(parts.boxed())
    }
}

#[tokio::test(start_paused = true)]
async fn a_stream_without_an_end_is_cut_at_its_limit() {
    let bench = Bench::new();
    let request = LlmRequest::new("Well?").max_output_tokens(100);
    let metered = Metered::new(Endless, &bench.context()).streaming(true);
    let answer = metered.complete(&request).await.expect("a part of it");
    assert_eq!(answer.stop, StopReason::MaxTokens);
    assert!(answer.text.len() <= 100 * 128 + 500);
    assert_eq!(bench.journal.held(), 0);
    assert_eq!(bench.journal.spent().tokens, request.bytes() as u64 + 100);
}
