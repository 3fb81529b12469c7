//! Streams: parts, complete ends and incomplete ones.

use std::time::Duration;

use futures::StreamExt as _;
use serde_json::json;
use zeph_llm::{
    Capabilities, ErrorKind, LlmError, LlmProvider as _, LlmRequest, LlmResponse, StopReason,
    StreamPart, ToolCall,
};
use zeph_llm_genai::Timeouts;

use crate::support::{
    ANTHROPIC, GEMINI, KEY, OPENAI, Then, answering, arrived, builder, events, fine, http,
    json as reply, provider, raw,
};

/// The parts of a stream, and its end.
async fn parts(name: &str, body: &str) -> (Vec<StreamPart>, Option<LlmError>) {
    let (url, _asked) = raw(http("text/event-stream", body), Then::Close).await;
    let stream = provider(name, &url).stream(&LlmRequest::new("hi")).await;
    let stream = match stream {
        Ok(stream) => stream,
        Err(error) => return (Vec::new(), Some(error)),
    };
    let mut parts = Vec::new();
    let mut error = None;
    for part in stream.collect::<Vec<_>>().await {
        assert!(error.is_none(), "an error is the last");
        match part {
            Ok(part) => parts.push(part),
            Err(last) => error = Some(last),
        }
    }
    (parts, error)
}

fn call(id: &str, name: &str, arguments: serde_json::Value) -> ToolCall {
    ToolCall {
        id: id.into(),
        name: name.into(),
        arguments,
    }
}

const OPENAI_EVENTS: &[&str] = &[
    r#"{"model":"m-1","choices":[{"delta":{"role":"assistant","content":""}}],"usage":null}"#,
    r#"{"model":"m-1","choices":[{"delta":{"content":"na"}}]}"#,
    r#"{"model":"m-1","choices":[{"delta":{"content":"ïve "}}]}"#,
    r#"{"choices":[{"delta":{"tool_calls":[{"index":1,"id":"b","function":{"name":"g","arguments":""}}]}}]}"#,
    r#"{"choices":[{"delta":{"tool_calls":[{"index":0,"id":"a","function":{"name":"f","arguments":"{\"x\""}},{"index":0,"function":{"arguments":":1}"}}]}}]}"#,
    r#"{"choices":[{"delta":{},"finish_reason":"tool_calls"}]}"#,
    r#"{"choices":[],"usage":{"prompt_tokens":7,"completion_tokens":3}}"#,
    "[DONE]",
];

const ANTHROPIC_EVENTS: &[&str] = &[
    r#"{"type":"message_start","message":{"model":"m-1","usage":{"input_tokens":5,"cache_read_input_tokens":2,"output_tokens":1}}}"#,
    r#"{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}"#,
    r#"{"type":"ping"}"#,
    r#"{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"na"}}"#,
    r#"{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"ïve "}}"#,
    r#"{"type":"content_block_stop","index":0}"#,
    r#"{"type":"content_block_start","index":1,"content_block":{"type":"tool_use","id":"b","name":"g","input":{}}}"#,
    r#"{"type":"content_block_stop","index":1}"#,
    r#"{"type":"content_block_start","index":2,"content_block":{"type":"server_tool_use","id":"z","name":"web","input":{}}}"#,
    r#"{"type":"content_block_delta","index":2,"delta":{"type":"input_json_delta","partial_json":"{\"q\":1}"}}"#,
    r#"{"type":"content_block_stop","index":2}"#,
    r#"{"type":"content_block_start","index":3,"content_block":{"type":"tool_use","id":"a","name":"f","input":{}}}"#,
    r#"{"type":"content_block_delta","index":3,"delta":{"type":"input_json_delta","partial_json":"{\"x\""}}"#,
    r#"{"type":"content_block_delta","index":3,"delta":{"type":"input_json_delta","partial_json":":1}"}}"#,
    r#"{"type":"content_block_stop","index":3}"#,
    r#"{"type":"message_delta","delta":{"stop_reason":"tool_use"},"usage":{"output_tokens":3}}"#,
    r#"{"type":"message_stop"}"#,
];

const GEMINI_EVENTS: &[&str] = &[
    r#"{"modelVersion":"m-1","candidates":[{"content":{"parts":[{"text":"hm","thought":true},{"text":"na"}]}}]}"#,
    r#"{"candidates":[{"content":{"parts":[{"text":"ïve "}]}}]}"#,
    r#"{"candidates":[{"content":{"parts":[{"functionCall":{"id":"b","name":"g"}},{"functionCall":{"id":"a","name":"f","args":{"x":1}}}]}}]}"#,
    r#"{"candidates":[{"content":{"parts":[]},"finishReason":"STOP"}],"usageMetadata":{"promptTokenCount":7,"candidatesTokenCount":3}}"#,
];

#[tokio::test]
async fn a_whole_stream_ends_with_the_whole_answer() {
    let first = call("b", "g", json!({}));
    let second = call("a", "f", json!({ "x": 1 }));
    for (name, data) in [
        (OPENAI, OPENAI_EVENTS),
        (ANTHROPIC, ANTHROPIC_EVENTS),
        (GEMINI, GEMINI_EVENTS),
    ] {
        let (parts, error) = parts(name, &events(data)).await;
        assert!(error.is_none(), "{name}: {error:?}");
        let calls = vec![first.clone(), second.clone()];
        let mut answer = LlmResponse::calls(calls.clone()).usage(7, 3);
        answer.text = "naïve ".into();
        answer.model = "m-1".into();
        if name == GEMINI {
            answer.reasoning.text = "hm".into();
        }
        let mut wanted = vec![
            StreamPart::Text("na".into()),
            StreamPart::Text("ïve ".into()),
        ];
        wanted.extend(calls.into_iter().map(StreamPart::ToolCall));
        wanted.push(StreamPart::End(answer));
        assert_eq!(parts, wanted, "{name}");
    }
}

#[tokio::test]
async fn a_stream_is_asked_for_with_its_usage() {
    for (name, path, query) in [
        (OPENAI, "/v1/chat/completions", None),
        (ANTHROPIC, "/v1/messages", None),
        (
            GEMINI,
            "/v1beta/models/gemini-some:streamGenerateContent",
            Some("alt=sse"),
        ),
    ] {
        let server = answering(reply(&fine(name))).await;
        let asked = provider(name, &server.uri())
            .stream(&LlmRequest::new("hi"))
            .await;
        let answer = zeph_llm::collect(name, asked.unwrap()).await.unwrap();
        assert_eq!(answer.text, "ok", "a whole answer in place of a stream");
        let request = arrived(&server).await;
        assert_eq!((request.url.path(), request.url.query()), (path, query));
        let body: serde_json::Value = request.body_json().unwrap();
        let usage = (name == OPENAI).then(|| json!({ "include_usage": true }));
        assert_eq!(body.get("stream_options"), usage.as_ref(), "{name}");
        assert_eq!(
            body.get("stream"),
            (name != GEMINI).then(|| json!(true)).as_ref(),
            "{name}"
        );
    }
}

#[tokio::test]
async fn a_stream_is_cut_before_its_reason_to_stop_and_whole_after_it() {
    for (name, data, reason) in [
        (OPENAI, OPENAI_EVENTS, "finish_reason"),
        (ANTHROPIC, ANTHROPIC_EVENTS, "stop_reason"),
        (GEMINI, GEMINI_EVENTS, "finishReason"),
    ] {
        let whole = data
            .iter()
            .position(|event| event.contains(reason))
            .unwrap();
        for kept in 0..=data.len() {
            let (parts, error) = parts(name, &events(&data[..kept])).await;
            if kept > whole {
                assert!(error.is_none(), "{name} after {kept}: {error:?}");
                assert!(matches!(parts.last(), Some(StreamPart::End(_))));
                continue;
            }
            let error = error.unwrap_or_else(|| panic!("{name} after {kept}: {parts:?}"));
            assert_eq!(error.kind(), ErrorKind::Cut, "{name} after {kept}: {error}");
            assert!(!parts.iter().any(|part| matches!(part, StreamPart::End(_))));
        }
    }
}

#[tokio::test]
async fn a_connection_that_breaks_in_a_chunk_is_cut() {
    let event = "data: {\"choices\":[{\"delta\":{\"content\":\"a\"}}]}\n\n";
    let reply = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n{:x}\r\n{event}\r\nff\r\ndata: {{",
        event.len()
    );
    let (url, _asked) = raw(reply, Then::Close).await;
    let stream = provider(OPENAI, &url)
        .stream(&LlmRequest::new("hi"))
        .await
        .unwrap();
    let parts: Vec<_> = stream.collect().await;
    assert_eq!(parts[0].as_ref().unwrap(), &StreamPart::Text("a".into()));
    assert_eq!(parts[1].as_ref().unwrap_err().kind(), ErrorKind::Cut);
    assert_eq!(parts.len(), 2);
}

#[tokio::test]
async fn a_stream_that_stops_flowing_is_given_up() {
    let timeouts = Timeouts {
        idle: Duration::from_millis(50),
        ..Timeouts::default()
    };
    let event = "data: {\"choices\":[{\"delta\":{\"content\":\"a\"}}]}\n\n";
    let (url, asked) = raw(http("text/event-stream", event), Then::Hold).await;
    let model = builder(OPENAI, &url).timeouts(timeouts).build().unwrap();
    let stream = model.stream(&LlmRequest::new("hi")).await.unwrap();
    let parts: Vec<_> = stream.collect().await;
    assert_eq!(parts.len(), 2);
    let error = parts[1].as_ref().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout, "{error}");
    let reported = format!("no more data within 50ms from {url}/v1/");
    assert_eq!(error.message(), reported);
    // The server sees that the connection is closed.
    asked.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_never_begins_is_given_up() {
    let (url, asked) = raw("", Then::Hold).await;
    let request = LlmRequest::new("hi").timeout(Duration::from_secs(2));
    let error = provider(OPENAI, &url).stream(&request).await.err().unwrap();
    assert_eq!(error.kind(), ErrorKind::Timeout, "{error}");
    asked.abort();
}

#[tokio::test]
async fn a_refused_stream_is_an_error_before_it_begins() {
    let limited = wiremock::ResponseTemplate::new(429)
        .insert_header("retry-after", "2")
        .set_body_raw(
            format!(r#"{{"error":{{"message":"slow down, {KEY}"}}}}"#),
            "application/json",
        );
    let server = answering(limited).await;
    let error = provider(OPENAI, &server.uri())
        .stream(&LlmRequest::new("hi"))
        .await
        .err()
        .unwrap();
    assert_eq!(
        (error.kind(), error.status()),
        (ErrorKind::RateLimited, Some(429))
    );
    assert_eq!(error.retry_after(), Some(Duration::from_secs(2)));
    let reported = format!("slow down, [key]; asked at {}/v1/", server.uri());
    assert_eq!(error.message(), reported);
}

#[tokio::test]
async fn an_error_in_a_stream_ends_it() {
    let openai = [
        OPENAI_EVENTS[1],
        r#"{"error":{"message":"overloaded","code":502}}"#,
        OPENAI_EVENTS[2],
        "[DONE]",
    ];
    let anthropic = [
        ANTHROPIC_EVENTS[3],
        r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#,
    ];
    let gemini = [
        GEMINI_EVENTS[0],
        r#"{"error":{"code":503,"message":"overloaded","status":"UNAVAILABLE"}}"#,
    ];
    for (name, data) in [
        (OPENAI, &openai[..]),
        (ANTHROPIC, &anthropic),
        (GEMINI, &gemini),
    ] {
        let (parts, error) = parts(name, &events(data)).await;
        assert_eq!(parts, [StreamPart::Text("na".into())], "{name}");
        assert_eq!(error.unwrap().kind(), ErrorKind::Unavailable, "{name}");
    }
}

#[tokio::test]
async fn broken_events_are_garbled() {
    for (name, data) in [
        (OPENAI, r#"{"choices":[{"del"#),
        (ANTHROPIC, r#"{"type":"content_block_delta","#),
        (GEMINI, "nonsense"),
        (
            OPENAI,
            r#"{"choices":[{"delta":{"tool_calls":[{"function":{"name":"f","arguments":{}}},{"function":{"arguments":"x"}}]}}]}"#,
        ),
    ] {
        let body = format!("event: content_block_delta\ndata: {data}\n\n");
        let (parts, error) = parts(name, &body).await;
        assert_eq!(parts, [], "{name}");
        assert_eq!(error.unwrap().kind(), ErrorKind::Garbled, "{name}");
    }
    let (_, error) = parts(OPENAI, "data: \u{fffd}").await;
    assert_eq!(error.unwrap().kind(), ErrorKind::Garbled);
}

#[tokio::test]
async fn an_index_beyond_all_measure_costs_nothing() {
    let far = r#"{"choices":[{"delta":{"tool_calls":[{"index":4294967295,"id":"a","function":{"name":"f","arguments":"{}"}}]}}]}"#;
    let (parts, error) = parts(OPENAI, &events(&[far, "[DONE]"])).await;
    assert!(error.is_none(), "{error:?}");
    assert_eq!(parts[0], StreamPart::ToolCall(call("a", "f", json!({}))));
}

#[tokio::test]
async fn a_refusal_in_a_stream_is_an_answer() {
    let refused = [
        r#"{"choices":[{"delta":{"refusal":"No"}}]}"#,
        r#"{"choices":[{"delta":{"refusal":"."},"finish_reason":"stop"}]}"#,
        "[DONE]",
    ];
    let blocked = [r#"{"promptFeedback":{"blockReason":"SAFETY"}}"#];
    for (name, data, text) in [
        (OPENAI, &refused[..], "No."),
        (GEMINI, &blocked, "the prompt was blocked: SAFETY"),
    ] {
        let (parts, error) = parts(name, &events(data)).await;
        assert!(error.is_none(), "{name}: {error:?}");
        let answer = LlmResponse::text(text).stopped(StopReason::Refusal);
        assert_eq!(parts, [StreamPart::End(answer)], "{name}");
    }
}

#[tokio::test]
async fn whatever_separates_events_is_understood() {
    let body = ": comment\r\n\r\ndata: {\"choices\":[{\"delta\":{\"content\":\"a\"}}]}\r\n\r\nid: 4\r\n\r\ndata:{\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}\r\n\r\ndata: [DONE]";
    let (parts, error) = parts(OPENAI, body).await;
    assert!(error.is_none(), "{error:?}");
    assert_eq!(
        parts,
        [
            StreamPart::Text("a".into()),
            StreamPart::End(LlmResponse::text("a"))
        ]
    );
}

#[tokio::test]
async fn a_model_without_streams_answers_in_one_piece() {
    let server = answering(reply(&fine(OPENAI))).await;
    let model = builder(OPENAI, &server.uri())
        .capabilities(Capabilities::TEXT)
        .build()
        .unwrap();
    let parts: Vec<_> = model
        .stream(&LlmRequest::new("hi"))
        .await
        .unwrap()
        .collect()
        .await;
    let parts: Vec<StreamPart> = parts.into_iter().map(Result::unwrap).collect();
    assert_eq!(
        parts,
        [
            StreamPart::Text("ok".into()),
            StreamPart::End(LlmResponse::text("ok"))
        ]
    );
}
