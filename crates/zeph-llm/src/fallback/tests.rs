//! Which errors move on, who is named, and what a chain can do.

use std::sync::Arc;
use std::time::Duration;

use super::FallbackChain;
use crate::{
    Capabilities, Dialect, ErrorKind, LlmError, LlmProvider as _, LlmRequest, Prices, Reply,
    SchemaSupport, ScriptedProvider, StopReason, collect,
};

fn ask() -> LlmRequest {
    LlmRequest::new("Well?").model("first-model")
}

#[tokio::test]
async fn an_error_moves_on_if_another_may_do_better() {
    let kinds = [
        (ErrorKind::RateLimited, true),
        (ErrorKind::Unavailable, true),
        (ErrorKind::Network, true),
        (ErrorKind::Timeout, true),
        (ErrorKind::Cut, true),
        (ErrorKind::Garbled, true),
        (ErrorKind::Unauthorized, true),
        (ErrorKind::UnknownModel, true),
        (ErrorKind::ContextTooLong, true),
        (ErrorKind::SchemaRejected, true),
        (ErrorKind::NoCredit, true),
        (ErrorKind::Unsupported, true),
        (ErrorKind::BadRequest, false),
        (ErrorKind::NotRecorded, false),
        (ErrorKind::OverBudget, false),
        (ErrorKind::Stopped, false),
    ];
    for (kind, moves) in kinds {
        let one = ScriptedProvider::new("one").when("Well", Reply::error(kind, "no"));
        let two = ScriptedProvider::new("two").when("Well", Reply::text("yes"));
        let chain = FallbackChain::new(Arc::new(one)).then(Arc::new(two.clone()));
        match chain.complete(&ask()).await {
            Ok(answer) => assert_eq!((answer.provider.as_str(), moves), ("two", true), "{kind:?}"),
            Err(error) => assert_eq!((error.kind(), moves), (kind, false)),
        }
        // The other's model is its own.
        assert!(two.requests().iter().all(|request| request.model.is_none()));
        assert_eq!(two.requests().len(), usize::from(moves));
    }
}

#[tokio::test]
async fn a_refusal_is_an_answer_and_the_first_to_answer_is_named() {
    let one = ScriptedProvider::new("one").then(Reply::refusal("no"));
    let two = ScriptedProvider::new("two");
    let chain = FallbackChain::new(Arc::new(one.clone())).then(Arc::new(two.clone()));
    let answer = chain.complete(&ask()).await.unwrap();
    assert_eq!(
        (answer.stop, answer.provider.as_str()),
        (StopReason::Refusal, "one")
    );
    assert_eq!(one.requests()[0].model.as_deref(), Some("first-model"));
    assert!(two.requests().is_empty());
}

#[tokio::test]
async fn when_all_fail_the_error_tells_all() {
    let wait = Duration::from_secs(9);
    let limited = LlmError::new(ErrorKind::RateLimited, "", "slow").with_retry_after(wait);
    let one = ScriptedProvider::new("one").then(Reply::error(ErrorKind::NoCredit, "pay"));
    let two = ScriptedProvider::new("two").then(Reply::failure(limited.with_attempts(4)));
    let chain = FallbackChain::new(Arc::new(one)).then(Arc::new(two));
    let error = chain.complete(&ask()).await.unwrap_err();
    assert_eq!(
        (error.kind(), error.attempts()),
        (ErrorKind::RateLimited, 5)
    );
    assert_eq!(
        (error.provider(), error.retry_after()),
        ("one > two", Some(wait))
    );
    let text = error.to_string();
    assert!(text.contains("pay") && text.contains("slow"), "{text}");
}

#[tokio::test]
async fn a_stream_moves_on_until_it_has_begun() {
    let one = ScriptedProvider::new("one")
        .then(Reply::error(ErrorKind::Unavailable, "no"))
        .then(Reply::text("0123456789").cut_after(8));
    let two = ScriptedProvider::new("two").then(Reply::text("yes"));
    let chain = FallbackChain::new(Arc::new(one)).then(Arc::new(two));
    let answer = collect("c", chain.stream(&ask()).await.unwrap())
        .await
        .unwrap();
    assert_eq!(
        (answer.text.as_str(), answer.provider.as_str()),
        ("yes", "two")
    );
    let cut = collect("c", chain.stream(&ask()).await.unwrap())
        .await
        .unwrap_err();
    assert_eq!(cut.kind(), ErrorKind::Cut);
}

#[test]
fn a_chain_can_do_what_all_can_do() {
    let full = Capabilities {
        schema: SchemaSupport::Schema(Dialect::OpenAiStrict),
        tools: true,
        streaming: true,
        context_tokens: Some(100_000),
        max_output_tokens: Some(8_000),
        prices: Some(Prices {
            input: 1,
            output: 9,
        }),
    };
    let of = |one: Capabilities, two: Capabilities| {
        let link =
            |capabilities| Arc::new(ScriptedProvider::new("s").with_capabilities(capabilities));
        FallbackChain::new(link(one)).then(link(two)).capabilities()
    };
    assert_eq!(of(full, full), full);
    let other = Capabilities {
        schema: SchemaSupport::Schema(Dialect::Anthropic),
        max_output_tokens: None,
        prices: Some(Prices {
            input: 2,
            output: 3,
        }),
        context_tokens: Some(50_000),
        ..full
    };
    let expected = Capabilities {
        schema: SchemaSupport::Json,
        max_output_tokens: None,
        prices: Some(Prices {
            input: 2,
            output: 9,
        }),
        context_tokens: Some(50_000),
        ..full
    };
    assert_eq!(of(full, other), expected);
    assert_eq!(of(other, full), expected);
    assert_eq!(of(full, Capabilities::TEXT), Capabilities::TEXT);
}

#[tokio::test]
async fn what_is_put_around_links_is_around_each_of_them() {
    use crate::{RetryPolicy, Retrying, around_links};
    let one = ScriptedProvider::new("one").then(Reply::error(ErrorKind::NoCredit, "pay"));
    let busy = ScriptedProvider::new("two").then(Reply::error(ErrorKind::Unavailable, "busy"));
    let two = busy.then(Reply::text("yes"));
    let inner = FallbackChain::new(Arc::new(two.clone())).then(Arc::new(one.clone()));
    // The links of a chain in a chain are links like the others.
    let chain = FallbackChain::new(Arc::new(one.clone())).then(Arc::new(inner));
    assert_eq!(chain.links().len(), 3);
    let policy = RetryPolicy {
        base: Duration::ZERO,
        cap: Duration::ZERO,
        ..RetryPolicy::default()
    };
    let repeated = around_links(Arc::new(chain), |link| {
        Arc::new(Retrying::new(link, policy))
    });
    let answer = repeated.complete(&ask()).await.unwrap();
    assert_eq!(
        (answer.text.as_str(), answer.provider.as_str()),
        ("yes", "two")
    );
    assert_eq!((one.requests().len(), two.requests().len()), (1, 2));
    let single = around_links(Arc::new(one), |link| link);
    assert!(single.links().is_empty());
}
