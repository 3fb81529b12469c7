//! Errors: statuses, bodies and headers of services, and the kinds that they mean.

use std::time::Duration;

use serde_json::json;
use wiremock::ResponseTemplate;
use zeph_llm::ErrorKind::{
    self, BadRequest, ContextTooLong, Cut, Garbled, NoCredit, RateLimited, SchemaRejected, Timeout,
    Unauthorized, Unavailable, UnknownModel, Unsupported,
};
use zeph_llm::{LlmProvider as _, LlmRequest};

use crate::support::{
    ANTHROPIC, GEMINI, KEY, OLLAMA, OPENAI, answering, arrived, provider, refused,
};

/// The errors of services, verbatim where their documents or their code show them.
const REFUSALS: &[(&str, u16, &str, ErrorKind)] = &[
    (
        OPENAI,
        401,
        r#"{"error":{"message":"Incorrect API key provided","type":"invalid_request_error","code":"invalid_api_key"}}"#,
        Unauthorized,
    ),
    (
        ANTHROPIC,
        401,
        r#"{"type":"error","error":{"type":"authentication_error","message":"invalid x-api-key"}}"#,
        Unauthorized,
    ),
    (
        ANTHROPIC,
        403,
        r#"{"type":"error","error":{"type":"permission_error","message":"no"}}"#,
        Unauthorized,
    ),
    (
        GEMINI,
        400,
        r#"{"error":{"code":400,"message":"API key not valid. Please pass a valid API key.","status":"INVALID_ARGUMENT","details":[{"reason":"API_KEY_INVALID"}]}}"#,
        Unauthorized,
    ),
    (
        OPENAI,
        404,
        r#"{"error":{"message":"The model `x` does not exist","code":"model_not_found"}}"#,
        UnknownModel,
    ),
    (
        OPENAI,
        403,
        r#"{"error":{"message":"no access","code":"model_not_found"}}"#,
        UnknownModel,
    ),
    (
        ANTHROPIC,
        404,
        r#"{"type":"error","error":{"type":"not_found_error","message":"model: claude-x"}}"#,
        UnknownModel,
    ),
    (
        GEMINI,
        404,
        r#"[{"error":{"code":404,"message":"models/x is not found for API version v1beta","status":"NOT_FOUND"}}]"#,
        UnknownModel,
    ),
    (
        OLLAMA,
        404,
        r#"{"error":{"message":"model \"x\" not found, try pulling it first"}}"#,
        UnknownModel,
    ),
    (
        "open_router::x",
        400,
        r#"{"error":{"message":"x is not a valid model ID","code":400}}"#,
        UnknownModel,
    ),
    (OPENAI, 404, "404 page not found", BadRequest),
    (
        OPENAI,
        400,
        r#"{"error":{"message":"This model's maximum context length is 128000 tokens.","code":"context_length_exceeded"}}"#,
        ContextTooLong,
    ),
    (
        ANTHROPIC,
        400,
        r#"{"type":"error","error":{"type":"invalid_request_error","message":"prompt is too long: 210000 tokens > 200000 maximum"}}"#,
        ContextTooLong,
    ),
    (
        GEMINI,
        400,
        r#"{"error":{"code":400,"message":"The input token count (9) exceeds the maximum number of tokens allowed (5).","status":"INVALID_ARGUMENT"}}"#,
        ContextTooLong,
    ),
    (
        OLLAMA,
        400,
        r#"{"error":{"code":400,"message":"the request exceeds the available context size","type":"exceed_context_size_error"}}"#,
        ContextTooLong,
    ),
    (
        ANTHROPIC,
        413,
        r#"{"type":"error","error":{"type":"request_too_large","message":"Request exceeds the maximum size"}}"#,
        ContextTooLong,
    ),
    (
        OPENAI,
        429,
        r#"{"error":{"message":"Request too large for gpt-4o on tokens per min","code":"rate_limit_exceeded"}}"#,
        ContextTooLong,
    ),
    (
        OPENAI,
        400,
        r#"{"error":{"message":"Invalid schema for response_format 'plan'","param":"response_format"}}"#,
        SchemaRejected,
    ),
    (
        ANTHROPIC,
        400,
        r#"{"type":"error","error":{"type":"invalid_request_error","message":"output_config.format.schema: too many optional parameters"}}"#,
        SchemaRejected,
    ),
    (
        OLLAMA,
        400,
        r#"{"error":{"message":"failed to parse grammar"}}"#,
        SchemaRejected,
    ),
    (
        OPENAI,
        422,
        r#"{"detail":[{"loc":["body","temperature"],"msg":"too high"}]}"#,
        BadRequest,
    ),
    (
        OPENAI,
        400,
        r#"{"error":{"message":"'temperature' is not supported"}}"#,
        BadRequest,
    ),
    (
        "deepseek::x",
        402,
        r#"{"error":{"message":"Insufficient Balance"}}"#,
        NoCredit,
    ),
    (
        OPENAI,
        429,
        r#"{"error":{"message":"You exceeded your current quota, please check your plan and billing details.","code":"insufficient_quota"}}"#,
        NoCredit,
    ),
    (
        GEMINI,
        429,
        r#"{"error":{"code":429,"message":"You exceeded your current quota, please check your plan and billing details.","status":"RESOURCE_EXHAUSTED"}}"#,
        RateLimited,
    ),
    (
        ANTHROPIC,
        400,
        r#"{"type":"error","error":{"type":"invalid_request_error","message":"Your credit balance is too low to access the API"}}"#,
        NoCredit,
    ),
    (OPENAI, 408, "", Timeout),
    (OPENAI, 409, "{}", Unavailable),
    (OPENAI, 429, "slow down", RateLimited),
    (
        OPENAI,
        500,
        r#"{"error":{"message":"The server had an error","type":"server_error"}}"#,
        Unavailable,
    ),
    (OPENAI, 501, "{}", Unsupported),
    (OPENAI, 502, "<html>Bad Gateway</html>", Unavailable),
    (
        GEMINI,
        503,
        r#"{"error":{"code":503,"status":"UNAVAILABLE","message":"overloaded"}}"#,
        Unavailable,
    ),
    (
        ANTHROPIC,
        529,
        r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#,
        Unavailable,
    ),
];

#[tokio::test]
async fn every_refusal_has_its_kind_and_status() {
    for (name, status, body, kind) in REFUSALS {
        let error = refused(name, *status, &[], body).await;
        assert_eq!(error.kind(), *kind, "{status} {body}: {error}");
        assert_eq!(error.status(), Some(*status), "{error}");
        assert_eq!((error.provider(), error.attempts()), (*name, 1));
        assert_eq!(error.retry_after(), None);
    }
}

#[tokio::test]
async fn a_wait_is_reported_if_another_call_may_help() {
    let body = r#"{"error":{"message":"slow down","code":"rate_limit_exceeded"}}"#;
    let wait = |ms: u64| Some(Duration::from_millis(ms));
    for (status, headers, wanted) in [
        (429, &[("retry-after", "2")][..], wait(2_000)),
        (
            503,
            &[("retry-after-ms", "250"), ("retry-after", "1")],
            wait(250),
        ),
        (
            429,
            &[
                ("x-ratelimit-remaining-requests", "0"),
                ("x-ratelimit-reset-requests", "1m2s"),
            ],
            wait(62_000),
        ),
        (400, &[("retry-after", "2")], None),
    ] {
        let error = refused(OPENAI, status, headers, body).await;
        assert_eq!(error.retry_after(), wanted, "{headers:?}");
    }
    let body = r#"{"error":{"code":429,"message":"m","details":[{"retryDelay":"7s"}]}}"#;
    assert_eq!(
        refused(GEMINI, 429, &[], body).await.retry_after(),
        wait(7_000)
    );
}

#[tokio::test]
async fn the_key_is_in_no_error() {
    let hidden = format!("{}\u{200b}{}", &KEY[..8], &KEY[8..]);
    let echo = json!({ "error": { "message": format!("your key {KEY} or {hidden} is wrong"), "code": KEY } });
    for status in [400, 401, 500] {
        let error = refused(OPENAI, status, &[], &echo.to_string()).await;
        let debug = format!("{error:?}");
        assert!(
            !debug.contains(KEY) && !error.to_string().contains(KEY),
            "{debug}"
        );
        let reported = "your key [key] or [key] is wrong; asked at http://127.0.0.1:";
        assert!(error.message().starts_with(reported), "{error}");
    }
    for (name, content_type) in [(OPENAI, "text/html"), (OPENAI, "application/json")] {
        let body = format!("<p>{KEY}</p>");
        let server = answering(ResponseTemplate::new(200).set_body_raw(body, content_type)).await;
        let error = provider(name, &server.uri())
            .complete(&LlmRequest::new("hi"))
            .await
            .unwrap_err();
        assert!(!format!("{error:?}").contains(KEY), "{error:?}");
    }
}

#[tokio::test]
async fn errors_are_short_and_harmless() {
    let body = json!({ "error": { "message": format!("\u{1b}]0;x\u{7}\r\n\u{202e}{}", "long ".repeat(100_000)) } });
    let error = refused(OPENAI, 500, &[], &body.to_string()).await;
    assert!(error.to_string().len() < 800, "{}", error.to_string().len());
    assert!(
        error
            .message()
            .chars()
            .all(|c| !c.is_control() && c != '\u{202e}'),
        "{error}"
    );
}

#[tokio::test]
async fn a_page_in_place_of_an_answer_is_reported_with_its_beginning() {
    let page = ResponseTemplate::new(200).set_body_raw("<html>\n<h1>Sign in</h1>", "text/html");
    let server = answering(page).await;
    let error = provider(OPENAI, &server.uri())
        .complete(&LlmRequest::new("hi"))
        .await
        .unwrap_err();
    assert_eq!(error.kind(), BadRequest);
    let reported = format!(
        "{}/v1/ answered with `text/html` instead of an answer; is the base address right? It says: Sign in",
        server.uri()
    );
    assert_eq!(error.message(), reported);
    assert!(error.is_refusal());
}

#[tokio::test]
async fn json_that_is_none_is_cut_or_garbled() {
    for (body, kind) in [
        (r#"{"choices":[{"message":{"content":"a"#, Cut),
        ("", Cut),
        ("{ not json }", Garbled),
        (
            r#"{"choices":[{"message":{"content":"a"}}],"usage":{"prompt_tokens":nan}}"#,
            Garbled,
        ),
    ] {
        let server =
            answering(ResponseTemplate::new(200).set_body_raw(body, "application/json")).await;
        let error = provider(OPENAI, &server.uri())
            .complete(&LlmRequest::new("hi"))
            .await
            .unwrap_err();
        assert_eq!(error.kind(), kind, "{body}: {error}");
    }
    let deep = "[".repeat(100_000);
    let server = answering(ResponseTemplate::new(200).set_body_raw(deep, "application/json")).await;
    let error = provider(OPENAI, &server.uri())
        .complete(&LlmRequest::new("hi"))
        .await
        .unwrap_err();
    assert_eq!(error.kind(), Garbled, "{error}");
}

#[tokio::test]
async fn a_redirect_is_reported_and_not_followed() {
    let other = answering(ResponseTemplate::new(200)).await;
    let target = format!("{}/v1/chat/completions?token=secret", other.uri());
    for status in [301, 302, 307, 308] {
        let moved = ResponseTemplate::new(status).insert_header("location", target.as_str());
        let server = answering(moved).await;
        let error = provider(OPENAI, &server.uri())
            .complete(&LlmRequest::new("hi"))
            .await
            .unwrap_err();
        arrived(&server).await;
        assert_eq!(error.kind(), BadRequest);
        assert!(
            error.message().contains("redirects to 127.0.0.1"),
            "{error}"
        );
        assert!(!error.message().contains("secret"), "{error}");
    }
    assert_eq!(other.received_requests().await.unwrap().len(), 0);
}
