//! Tests of the meter: what a call reserves, costs and notes.

use std::sync::Arc;

use futures::{StreamExt as _, stream};
use serde_json::{Value, json};
use zeph_executor::double::JournalDouble;
use zeph_executor::{Attempt, Budget, NoteKind, TaskContext, TaskId};
use zeph_llm::{
    Capabilities, ErrorKind, LlmError, LlmProvider, LlmRequest, LlmResponse, LlmStream, Prices,
    Reply, ScriptedProvider, StopReason, StreamPart, Usage, async_trait,
};

use super::{Metered, task_error};

fn tokens(tokens: u64) -> Budget {
    Budget::of_tokens(tokens)
}

fn metered(model: impl LlmProvider + 'static, journal: &Arc<JournalDouble>) -> Metered {
    let run = "run".parse().expect("a run id");
    let cx = TaskContext::builder(run, TaskId::from_index(0), "task", Attempt::FIRST);
    let cx = cx.journal(Arc::clone(journal) as _).build();
    Metered::new(Arc::new(model), &cx, &Arc::default(), true)
}

fn notes(journal: &JournalDouble, kind: NoteKind) -> Vec<Value> {
    let notes = journal.texts(kind).into_iter();
    notes
        .map(|note| serde_json::from_str(&note).expect("a note is JSON"))
        .collect()
}

#[tokio::test(start_paused = true)]
async fn a_call_costs_what_the_service_reports() {
    let usage = Usage {
        input_tokens: Some(40),
        output_tokens: Some(5),
    };
    let prices = Prices {
        input: 1_000_000,
        output: 2_000_000,
        ..Prices::FREE
    };
    let model = ScriptedProvider::new("script")
        .with_capabilities(Capabilities {
            prices: Some(prices),
            ..Capabilities::TEXT
        })
        .then(Reply::text("blue").with_usage(usage));
    let journal = Arc::default();
    let metered = metered(model, &journal);
    let answer = metered.complete(&LlmRequest::new("Colour?")).await;
    answer.expect("an answer");
    let spent = journal.spent();
    assert_eq!((spent.tokens, spent.micro_usd), (45, 50));
    assert_eq!(journal.held(), 0);
    let prompt = &notes(&journal, NoteKind::Prompt)[0];
    assert_eq!(prompt["request"]["max_output_tokens"], 1_024);
    assert_eq!(prompt["left"]["tokens"], Value::Null);
    let reply = &notes(&journal, NoteKind::Reply)[0];
    assert_eq!(
        (&reply["tokens"], &reply["response"]["text"]),
        (&json!(45), &json!("blue"))
    );
    assert_eq!(reply["hash"], prompt["hash"]);
}

#[tokio::test(start_paused = true)]
async fn without_a_report_the_whole_reservation_counts() {
    let model =
        ScriptedProvider::new("script").then(Reply::text("blue").with_usage(Usage::default()));
    let journal = Arc::default();
    let request = LlmRequest::new("Colour?").max_output_tokens(100);
    let answer = metered(model, &journal).complete(&request).await;
    answer.expect("an answer");
    assert_eq!(journal.spent().tokens, request.bytes() as u64 + 100);
}

#[tokio::test(start_paused = true)]
async fn a_rejected_call_is_free_and_an_interrupted_one_is_not() {
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
        let journal = Arc::default();
        let metered = metered(model, &journal);
        let answer = metered.complete(&LlmRequest::new("Well?")).await;
        assert_eq!(answer.expect_err("it fails").kind(), kind);
        let spent = journal.spent().tokens;
        assert_eq!((spent == 0, journal.held()), (is_free, 0), "{kind:?}");
        let reply = &notes(&journal, NoteKind::Reply)[0];
        assert_eq!(reply["error"]["kind"], kind.word());
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_is_reduced_to_the_budget_and_refused_below_the_minimum() {
    let request = LlmRequest::new("Tell me all.");
    let bytes = request.clone().max_output_tokens(100).bytes() as u64;
    let model = ScriptedProvider::new("script").then(Reply::text("word ".repeat(500)));
    let journal = Arc::new(JournalDouble::limited(tokens(bytes + 100)));
    let metered = metered(model.clone(), &journal);
    // The budget cut the answer, so the error is about the budget.
    let error = metered.complete(&request).await.expect_err("cut off");
    assert_eq!(error.kind(), ErrorKind::OverBudget);
    let reply = &notes(&journal, NoteKind::Reply)[0];
    assert_eq!(reply["response"]["stop"], "max_tokens");
    assert!(journal.spent().tokens <= bytes + 100);
    let error = metered.complete(&request).await;
    let error = error.expect_err("the budget is spent");
    assert_eq!(error.kind(), ErrorKind::OverBudget);
    assert_eq!(model.requests().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn another_model_of_a_provider_has_no_price() {
    let prices = Prices {
        input: 1_000_000,
        output: 2_000_000,
        ..Prices::FREE
    };
    let model = ScriptedProvider::new("script").with_capabilities(Capabilities {
        prices: Some(prices),
        ..Capabilities::TEXT
    });
    let journal = Arc::new(JournalDouble::limited(Budget::of_micro_usd(1_000_000)));
    let request = LlmRequest::new("Hi.").model("large");
    let error = metered(model.clone(), &journal).complete(&request).await;
    let error = task_error(&error.expect_err("the price is unknown"));
    assert_eq!(error.code(), "unknown_price");
    assert!(model.requests().is_empty());
}

/// A service whose stream does not end.
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
async fn an_endless_stream_is_cut_at_its_limit() {
    let journal = Arc::default();
    let request = LlmRequest::new("Well?").max_output_tokens(100);
    let metered = metered(Endless, &journal);
    let answer = metered.complete(&request).await.expect("a part of it");
    assert_eq!(answer.stop, StopReason::MaxTokens);
    assert!(answer.text.len() <= 100 * 128 + 500);
    assert_eq!(journal.held(), 0);
    assert_eq!(journal.spent().tokens, request.bytes() as u64 + 100);
}
