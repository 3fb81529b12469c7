//! Scripted replies: order, limits, interruptions and rejected requests.

use std::time::Duration;

use serde_json::json;
use tokio::time::{Instant, timeout};

use super::{Reply, ScriptedProvider, request_errors};
use crate::{
    Capabilities, ErrorKind, EstimatingCounter, LlmError, LlmProvider as _, LlmRequest,
    LlmResponse, Message, OutputFormat, OutputSchema, Reasoning, SchemaSupport, StopReason,
    TokenCounter as _, ToolCall, ToolChoice, ToolSpec, Usage, collect,
};

fn ask() -> LlmRequest {
    LlmRequest::new("Well?")
}

fn call(id: &str) -> ToolCall {
    ToolCall {
        id: id.into(),
        name: "t".into(),
        arguments: json!({}),
    }
}

#[tokio::test]
async fn rules_come_before_the_sequence_and_can_run_out() {
    let provider = ScriptedProvider::new("s")
        .rule(
            |request| request.messages.len() == 1,
            Some(1),
            Reply::text("rule"),
        )
        .then(Reply::text("one"))
        .then(Reply::error(ErrorKind::Unavailable, "down"))
        .then(Reply::json(&json!({"a": 1})))
        .then(Reply::made(|request| {
            Ok(LlmResponse::text(request.messages[0].text()))
        }));
    let mut said = Vec::new();
    for _ in 0..6 {
        said.push(match provider.complete(&ask()).await {
            Ok(response) => response.text,
            Err(error) => format!("{}: {}", error.provider(), error.kind().word()),
        });
    }
    assert_eq!(
        said,
        [
            "rule",
            "one",
            "s: unavailable",
            "{\"a\":1}",
            "Well?",
            "s: not_recorded"
        ]
    );
    assert_eq!((provider.requests().len(), provider.left()), (6, 0));
}

#[tokio::test]
async fn a_limit_is_honoured_by_a_counter() {
    let long = "word ".repeat(500);
    let counter = EstimatingCounter;
    for limit in [1, 7, 100] {
        let provider = ScriptedProvider::new("s")
            .then(Reply::text(&*long))
            .then(Reply::text(&*long).with_usage(Usage {
                input_tokens: Some(5),
                output_tokens: Some(9_999),
            }))
            .then(Reply::calls(vec![ToolCall {
                arguments: json!({"text": long}),
                ..call("1")
            }]));
        for _ in 0..3 {
            let answer = provider
                .complete(&ask().max_output_tokens(limit))
                .await
                .unwrap();
            assert_eq!(answer.stop, StopReason::MaxTokens);
            assert!(counter.count(&answer.text) <= limit);
            assert!(
                answer.usage.output_tokens.unwrap() <= limit,
                "{:?}",
                answer.usage
            );
            assert!(long.starts_with(&answer.text));
        }
    }
    let provider = ScriptedProvider::new("s").then(Reply::text("word"));
    let answer = provider
        .complete(&ask().max_output_tokens(10))
        .await
        .unwrap();
    assert_eq!(
        (answer.stop, answer.usage.output_tokens),
        (StopReason::End, Some(1))
    );
    assert!(answer.usage.input_tokens.unwrap() > 3);
}

#[tokio::test]
async fn usage_may_be_absent() {
    let provider = ScriptedProvider::new("s").then(Reply::text("x").with_usage(Usage::default()));
    assert_eq!(
        provider.complete(&ask()).await.unwrap().usage,
        Usage::default()
    );
}

#[tokio::test(start_paused = true)]
async fn replies_can_be_late_interrupted_or_stalled() {
    let hour = Duration::from_secs(3_600);
    let text = "0123456789abcdef";
    let provider = ScriptedProvider::new("s")
        .then(Reply::text(text).after(hour))
        .then(Reply::text(text).cut_after(10))
        .then(Reply::text(text).cut_after(10))
        .then(Reply::text(text).stalled_after(3))
        .then(Reply::text(text).stalled_after(3))
        .then(Reply::text(text));
    let begun = Instant::now();
    assert_eq!(provider.complete(&ask()).await.unwrap().text, text);
    assert_eq!(begun.elapsed(), hour);

    assert_eq!(
        provider.complete(&ask()).await.unwrap_err().kind(),
        ErrorKind::Cut
    );
    let stream = provider.stream(&ask()).await.unwrap();
    assert_eq!(
        collect("s", stream).await.unwrap_err().kind(),
        ErrorKind::Cut
    );
    assert!(timeout(hour, provider.complete(&ask())).await.is_err());
    let stream = provider.stream(&ask()).await.unwrap();
    assert!(timeout(hour, collect("s", stream)).await.is_err());

    let stream = provider.stream(&ask()).await.unwrap();
    assert_eq!(collect("s", stream).await.unwrap().text, text);
}

#[tokio::test]
async fn a_malformed_request_is_rejected_and_recorded() {
    let provider = ScriptedProvider::new("s").then(Reply::text("x"));
    let error = provider
        .complete(&LlmRequest::of(vec![]))
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::BadRequest);
    let message = "the request has no message besides the system message";
    assert_eq!(provider.violations(), [message]);
    assert_eq!(provider.left(), 1);
}

fn tool(name: &str) -> ToolSpec {
    ToolSpec {
        name: name.into(),
        description: "d".into(),
        parameters: json!({"type": "object"}),
    }
}

fn with_schema(schema: serde_json::Value) -> LlmRequest {
    let name = "s".into();
    ask().output(OutputFormat::Schema(OutputSchema { name, schema }))
}

fn finds(request: &LlmRequest, expected: &[&str]) {
    let capabilities = Capabilities {
        tools: true,
        schema: SchemaSupport::Schema,
        ..Capabilities::TEXT
    };
    let found = request_errors("s", request, &capabilities);
    let found: Vec<&str> = found.iter().map(LlmError::message).collect();
    assert_eq!(found.len(), expected.len(), "{request:?}: {found:?}");
    for (found, expected) in found.iter().zip(expected) {
        assert!(found.contains(expected), "{found}");
    }
}

#[test]
fn each_fault_of_a_conversation_is_found() {
    let user = || Message::user("u");
    let turn = |text: &str, calls: Vec<ToolCall>| Message::Assistant {
        text: text.into(),
        tool_calls: calls,
        reasoning: Reasoning::default(),
    };
    let result = || Message::tool(&call("1"), "");
    let cases: Vec<(Vec<Message>, &[&str])> = vec![
        (vec![user()], &[]),
        (
            vec![user(), turn("t", vec![call("1")]), result(), user()],
            &[],
        ),
        (vec![Message::system("s")], &["no message besides"]),
        (vec![Message::user(" ")], &["message 0 is empty"]),
        (vec![user(), Message::system("s")], &["after the start"]),
        (vec![user(), turn("", vec![])], &["message 1 is empty"]),
        (vec![user(), result()], &["unknown call"]),
        (vec![user(), turn("", vec![call("1")])], &["has no result"]),
        (
            vec![user(), turn("", vec![call("1")]), user(), result()],
            &["has no result", "unknown call"],
        ),
        (
            vec![user(), turn("", vec![call("1"), call("1")]), result()],
            &["\"1\" occurs twice"],
        ),
    ];
    for (messages, expected) in cases {
        finds(&LlmRequest::of(messages), expected);
    }
}

#[test]
fn each_fault_of_a_setting_is_found() {
    let odd = ToolSpec {
        parameters: json!({"type": "string"}),
        ..tool("a b")
    };
    let chosen = |tool_choice| LlmRequest {
        tool_choice,
        ..ask()
    };
    let open = json!({"type": "object"});
    let loose = json!({"type": "object", "properties": {"a": {"type": "string"}}});
    finds(
        &ask().tool(tool("a")).tool(tool("a")),
        &["\"a\" occurs twice"],
    );
    finds(
        &ask().tool(odd),
        &["must have 1 to 64", "do not describe an object"],
    );
    finds(&chosen(ToolChoice::Named("x".into())), &["not offered"]);
    finds(&chosen(ToolChoice::Required), &["none is offered"]);
    finds(&ask().max_output_tokens(0), &["max_output_tokens"]);
    finds(&ask().temperature(f64::NAN), &["temperature"]);
    finds(&with_schema(open), &["strict form"]);
    finds(&with_schema(loose), &["strict form"]);
    for request in [ask().output(OutputFormat::Json), ask().tool(tool("a"))] {
        let errors = request_errors("s", &request, &Capabilities::TEXT);
        assert_eq!(errors[0].kind(), ErrorKind::Unsupported);
    }
}

#[tokio::test]
async fn an_error_keeps_its_status_and_wait() {
    let wait = Duration::from_secs(3);
    let error = LlmError::new(ErrorKind::RateLimited, "s", "slow down")
        .with_status(429)
        .with_retry_after(wait);
    let provider = ScriptedProvider::new("s").then(Reply::failure(error));
    let error = provider.complete(&ask()).await.unwrap_err();
    assert_eq!(
        (error.provider(), error.status(), error.retry_after()),
        ("s", Some(429), Some(wait))
    );
}
