//! Answers of services, valid and invalid, as responses of the port.

use serde_json::{Value, json};
use zeph_llm::{ErrorKind, LlmResponse, StopReason, ToolCall, Usage};

use crate::support::{ANTHROPIC, GEMINI, OPENAI, answered};

async fn openai(message: Value, finish: Value) -> LlmResponse {
    let body = json!({ "choices": [{ "message": message, "finish_reason": finish }] });
    answered(OPENAI, &body).await.unwrap()
}

fn usage(input: impl Into<Option<u32>>, output: impl Into<Option<u32>>) -> Usage {
    Usage {
        input_tokens: input.into(),
        output_tokens: output.into(),
    }
}

fn call(id: &str, arguments: Value) -> ToolCall {
    ToolCall {
        id: id.into(),
        name: "f".into(),
        arguments,
    }
}

#[tokio::test]
async fn whole_answers_are_read_from_every_service() {
    let openai = json!({
        "id": "x", "object": "chat.completion", "model": "some-model-0125", "unknown": { "field": 1 },
        "choices": [{ "index": 0, "message": { "role": "assistant", "content": " spaced \n" }, "finish_reason": "stop" }],
        "usage": { "prompt_tokens": 11, "completion_tokens": 3, "total_tokens": 14 }
    });
    let anthropic = json!({
        "id": "x", "type": "message", "role": "assistant", "model": "some-model-0125",
        "content": [{ "type": "thinking", "thinking": "hm", "signature": "s" }, { "type": "text", "text": " spaced \n" }, { "type": "new" }],
        "stop_reason": "end_turn",
        "usage": { "input_tokens": 5, "cache_creation_input_tokens": 4, "cache_read_input_tokens": 2, "output_tokens": 3 }
    });
    let gemini = json!({
        "modelVersion": "some-model-0125",
        "candidates": [{ "content": { "role": "model", "parts": [{ "text": "hm", "thought": true }, { "text": " spaced \n" }] }, "finishReason": "STOP" }],
        "usageMetadata": { "promptTokenCount": 11, "candidatesTokenCount": 1, "thoughtsTokenCount": 2, "totalTokenCount": 14 }
    });
    for (name, body) in [(OPENAI, openai), (ANTHROPIC, anthropic), (GEMINI, gemini)] {
        let mut wanted = LlmResponse::text(" spaced \n").usage(11, 3);
        wanted.model = "some-model-0125".into();
        if name != OPENAI {
            wanted.reasoning.text = "hm".into();
        }
        if name == ANTHROPIC {
            let block = json!([{ "type": "thinking", "thinking": "hm", "signature": "s" }]);
            wanted.reasoning.echo.insert("thinking".into(), block);
        }
        assert_eq!(answered(name, &body).await.unwrap(), wanted, "{name}");
    }
}

#[tokio::test]
async fn several_tool_calls_are_read_from_every_service() {
    let openai = json!({ "choices": [{ "finish_reason": "tool_calls", "message": { "content": null, "tool_calls": [
        { "id": "a", "type": "function", "function": { "name": "f", "arguments": "{\"x\":1}" } },
        { "id": "b", "type": "function", "function": { "name": "f", "arguments": "{}" } }
    ] } }] });
    let anthropic = json!({ "stop_reason": "tool_use", "content": [
        { "type": "tool_use", "id": "a", "name": "f", "input": { "x": 1 } },
        { "type": "tool_use", "id": "b", "name": "f", "input": {} }
    ] });
    let gemini = json!({ "candidates": [{ "finishReason": "STOP", "content": { "parts": [
        { "functionCall": { "id": "a", "name": "f", "args": { "x": 1 } } },
        { "functionCall": { "id": "b", "name": "f", "args": {} } }
    ] } }] });
    for (name, body) in [(OPENAI, openai), (ANTHROPIC, anthropic), (GEMINI, gemini)] {
        let calls = vec![call("a", json!({ "x": 1 })), call("b", json!({}))];
        assert_eq!(
            answered(name, &body).await.unwrap(),
            LlmResponse::calls(calls),
            "{name}"
        );
    }
}

#[tokio::test]
async fn a_tool_call_is_read_as_far_as_it_goes() {
    let said = openai(
        json!({ "tool_calls": [
            { "function": { "name": "f", "arguments": "{\"broken\":" } },
            { "id": "", "type": "function", "function": { "name": "f", "arguments": "" } },
            { "id": "call_1", "function": { "name": "f", "arguments": { "as": "object" } } },
            { "id": "call_1", "function": { "name": "f", "arguments": null } }
        ] }),
        json!("stop"),
    );
    let wanted = vec![
        call("call_0", json!("{\"broken\":")),
        call("call_1", json!({})),
        call("call_1_", json!({ "as": "object" })),
        call("call_1__", json!({})),
    ];
    assert_eq!(said.await, LlmResponse::calls(wanted));

    let gemini = json!({ "candidates": [{ "content": { "parts": [
        { "functionCall": { "name": "f", "args": { "x": 1 } } }, { "functionCall": { "name": "f" } }
    ] } }] });
    let wanted = vec![
        call("call#f#0", json!({ "x": 1 })),
        call("call#f#1", json!({})),
    ];
    assert_eq!(
        answered(GEMINI, &gemini).await.unwrap(),
        LlmResponse::calls(wanted)
    );

    for body in [
        json!({ "choices": [{ "message": { "tool_calls": [{ "id": "a" }] } }] }),
        json!({ "choices": [{ "message": { "tool_calls": vec![json!({ "function": { "name": "f" } }); 1025] } }] }),
    ] {
        assert_eq!(
            answered(OPENAI, &body).await.unwrap_err().kind(),
            ErrorKind::Garbled
        );
    }
}

#[tokio::test]
async fn empty_and_absent_texts_are_empty() {
    for message in [
        json!({ "content": "" }),
        json!({ "content": null }),
        json!({ "role": "assistant" }),
    ] {
        assert_eq!(openai(message, json!("stop")).await, LlmResponse::text(""));
    }
    let chunks = json!({ "content": [{ "type": "thinking", "thinking": [] }, { "type": "text", "text": "a" }, { "type": "text", "text": "b" }] });
    assert_eq!(openai(chunks, json!("stop")).await, LlmResponse::text("ab"));
    let empty = json!({ "content": [], "stop_reason": "end_turn" });
    assert_eq!(
        answered(ANTHROPIC, &empty).await.unwrap(),
        LlmResponse::text("")
    );
}

#[tokio::test]
async fn a_refusal_is_an_answer() {
    let openai = json!({ "choices": [{ "message": { "content": null, "refusal": "I will not." }, "finish_reason": "stop" }] });
    let filtered = json!({ "choices": [{ "message": { "content": "I" }, "finish_reason": "content_filter" }] });
    let anthropic =
        json!({ "content": [{ "type": "text", "text": "No." }], "stop_reason": "refusal" });
    let unsafe_answer = json!({ "candidates": [{ "finishReason": "SAFETY" }] });
    let blocked = json!({ "promptFeedback": { "blockReason": "PROHIBITED_CONTENT" } });
    for (name, body, text) in [
        (OPENAI, openai, "I will not."),
        (OPENAI, filtered, "I"),
        (ANTHROPIC, anthropic, "No."),
        (GEMINI, unsafe_answer, ""),
        (
            GEMINI,
            blocked,
            "the prompt was blocked: PROHIBITED_CONTENT",
        ),
    ] {
        let wanted = LlmResponse::text(text).stopped(StopReason::Refusal);
        assert_eq!(answered(name, &body).await.unwrap(), wanted, "{name}");
    }
}

#[tokio::test]
async fn every_reason_to_stop_is_known_or_reported() {
    let other = |reason: &str| StopReason::Other(reason.into());
    for (reason, stop) in [
        (json!("length"), StopReason::MaxTokens),
        (json!("stop"), StopReason::End),
        (json!("new\u{1b}[31m"), other("new")),
        (json!("x".repeat(10_000)), other(&"x".repeat(64))),
        (json!(null), other("")),
        (json!(7), other("")),
    ] {
        assert_eq!(openai(json!({ "content": "a" }), reason).await.stop, stop);
    }
    for (name, stop, reason) in [
        (ANTHROPIC, StopReason::MaxTokens, "max_tokens"),
        (
            ANTHROPIC,
            StopReason::MaxTokens,
            "model_context_window_exceeded",
        ),
        (ANTHROPIC, StopReason::End, "stop_sequence"),
        (ANTHROPIC, other("pause_turn"), "pause_turn"),
        (GEMINI, StopReason::MaxTokens, "MAX_TOKENS"),
        (
            GEMINI,
            other("MALFORMED_FUNCTION_CALL"),
            "MALFORMED_FUNCTION_CALL",
        ),
    ] {
        let body = json!({
            "content": [], "stop_reason": reason,
            "candidates": [{ "content": {}, "finishReason": reason }]
        });
        assert_eq!(answered(name, &body).await.unwrap().stop, stop, "{reason}");
    }
    let forced =
        json!({ "tool_calls": [{ "id": "a", "function": { "name": "f", "arguments": "{}" } }] });
    assert_eq!(
        openai(forced.clone(), json!("stop")).await.stop,
        StopReason::ToolCalls
    );
    assert_eq!(
        openai(forced, json!("length")).await.stop,
        StopReason::MaxTokens
    );
}

#[tokio::test]
async fn counts_that_are_none_are_unknown() {
    let huge = json!(u64::from(u32::MAX) + 1);
    for (input, output, wanted) in [
        (json!(0), json!(0), usage(None, None)),
        (json!(-5), json!(1), usage(None, 1)),
        (json!(1.5), json!("7"), usage(None, None)),
        (huge, json!(u32::MAX), usage(None, None)),
        (json!(9_999_999), json!(10_000_001), usage(9_999_999, None)),
        (json!(null), json!([]), usage(None, None)),
    ] {
        let openai = json!({ "choices": [{ "message": { "content": "a" } }], "usage": { "prompt_tokens": input, "completion_tokens": output } });
        assert_eq!(answered(OPENAI, &openai).await.unwrap().usage, wanted);
        let anthropic = json!({ "content": [{ "type": "text", "text": "a" }], "usage": { "input_tokens": input, "output_tokens": output } });
        assert_eq!(answered(ANTHROPIC, &anthropic).await.unwrap().usage, wanted);
        let gemini = json!({ "candidates": [{ "content": { "parts": [{ "text": "a" }] } }], "usageMetadata": { "promptTokenCount": input, "candidatesTokenCount": output } });
        assert_eq!(answered(GEMINI, &gemini).await.unwrap().usage, wanted);
    }
    for (name, counts) in [
        (OPENAI, json!(null)),
        (OPENAI, json!("much")),
        (ANTHROPIC, json!({})),
        (GEMINI, json!([])),
    ] {
        let body = json!({
            "choices": [{ "message": {} }], "content": [], "candidates": [{ "content": {} }],
            "usage": counts, "usageMetadata": counts
        });
        assert_eq!(
            answered(name, &body).await.unwrap().usage,
            Usage::default(),
            "{name}"
        );
    }
    let thoughts = json!({ "candidates": [{ "finishReason": "MAX_TOKENS" }], "usageMetadata": { "promptTokenCount": 4, "thoughtsTokenCount": 9 } });
    assert_eq!(
        answered(GEMINI, &thoughts).await.unwrap().usage,
        usage(4, 9)
    );
}

#[tokio::test]
async fn counts_beyond_all_measure_do_not_tear_the_program_down() {
    let near = i32::MAX;
    let anthropic = json!({ "content": [], "usage": { "input_tokens": near, "cache_read_input_tokens": near, "output_tokens": near } });
    let gemini = json!({ "candidates": [{ "content": {} }], "usageMetadata": { "promptTokenCount": near, "toolUsePromptTokenCount": near } });
    for (name, body) in [(ANTHROPIC, anthropic), (GEMINI, gemini)] {
        let answer = answered(name, &body).await.unwrap();
        assert_eq!(answer.usage.input_tokens, None, "{name}");
    }
}

#[tokio::test]
async fn an_answer_without_its_main_part_is_garbled() {
    for (name, body) in [
        (OPENAI, json!({})),
        (OPENAI, json!({ "choices": [] })),
        (OPENAI, json!({ "choices": [{}] })),
        (OPENAI, json!([1, 2])),
        (ANTHROPIC, json!({ "type": "message" })),
        (ANTHROPIC, json!({ "content": "text" })),
        (GEMINI, json!({})),
        (GEMINI, json!({ "candidates": [] })),
    ] {
        let error = answered(name, &body).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Garbled, "{name} {body}: {error}");
        assert!(error.is_retryable());
    }
}

#[tokio::test]
async fn an_error_inside_an_answer_is_an_error() {
    let overloaded = json!({ "error": { "message": "Provider overloaded", "code": 503 } });
    let limited =
        json!({ "error": { "message": "slow down", "type": "rate_limit_error" }, "choices": [] });
    let bare = json!({ "error": "something broke" });
    let anthropic = json!({ "type": "error", "error": { "type": "overloaded_error", "message": "Overloaded" } });
    let invalid =
        json!({ "type": "error", "error": { "type": "invalid_request_error", "message": "bad" } });
    let gemini =
        json!({ "error": { "code": 400, "status": "INVALID_ARGUMENT", "message": "bad" } });
    for (name, body, kind) in [
        (OPENAI, overloaded, ErrorKind::Unavailable),
        (OPENAI, limited, ErrorKind::RateLimited),
        (OPENAI, bare, ErrorKind::Unavailable),
        (ANTHROPIC, anthropic, ErrorKind::Unavailable),
        (ANTHROPIC, invalid, ErrorKind::BadRequest),
        (GEMINI, gemini, ErrorKind::BadRequest),
    ] {
        let error = answered(name, &body).await.unwrap_err();
        assert_eq!(error.kind(), kind, "{body}: {error}");
    }
}
