//! The behaviour of genai that this crate works around.
//!
//! A test that fails with a newer genai may be good news: the code in `src` that it justifies may then be
//! removed.

use futures::StreamExt as _;
use genai::adapter::AdapterKind;
use genai::chat::{
    ChatMessage, ChatOptions, ChatRequest, ChatResponse, ChatResponseFormat, ChatStreamEvent,
    JsonSpec,
};
use genai::resolver::{AuthData, Endpoint};
use genai::{Client, ModelIden, ServiceTarget};
use serde_json::{Value, json};
use wiremock::ResponseTemplate;

use crate::support::{Then, answering, arrived, events, fine, http, json as reply, raw};

fn client() -> Client {
    // The default client uses the TLS provider of the process.
    let _ = rustls::crypto::ring::default_provider().install_default();
    Client::builder().build().unwrap()
}

fn target(adapter: AdapterKind, model: &str, url: &str) -> ServiceTarget {
    ServiceTarget {
        endpoint: Endpoint::from_owned(format!("{url}/")),
        auth: AuthData::from_single("k"),
        model: ModelIden::new(adapter, model),
    }
}

async fn sent(adapter: AdapterKind, model: &str, options: &ChatOptions, answer: &Value) -> Value {
    let server = answering(reply(answer)).await;
    let request = ChatRequest::new(vec![ChatMessage::user("hi")]);
    let target = target(adapter, model, &server.uri());
    client()
        .exec_chat(target, request, Some(options))
        .await
        .unwrap();
    arrived(&server).await.body_json().unwrap()
}

async fn read(adapter: AdapterKind, body: &Value) -> Result<ChatResponse, genai::Error> {
    let server = answering(reply(body)).await;
    let request = ChatRequest::new(vec![ChatMessage::user("hi")]);
    client()
        .exec_chat(target(adapter, "m", &server.uri()), request, None)
        .await
}

fn schema() -> Value {
    json!({ "type": "object", "properties": { "a": { "type": "string" } } })
}

#[tokio::test]
async fn its_requests_lose_and_change_what_was_asked() {
    let openai = fine("openai");
    let plain = ChatOptions::default();
    let spec = ChatOptions::default().with_response_format(JsonSpec::new("n", schema()));
    let mode = ChatOptions::default().with_response_format(ChatResponseFormat::JsonMode);
    let seed = ChatOptions::default().with_seed(7);

    // The schema is dropped, though Ollama has a field for it.
    let ollama =
        json!({ "model": "m", "message": { "role": "assistant", "content": "ok" }, "done": true });
    assert_eq!(
        sent(AdapterKind::Ollama, "m", &spec, &ollama)
            .await
            .get("format"),
        None
    );
    // The schema is changed: it now wants everything.
    let body = sent(AdapterKind::OpenAI, "m", &spec, &openai).await;
    assert_eq!(
        body["response_format"]["json_schema"]["schema"]["required"],
        json!(["a"])
    );
    // genai cuts the name of a model, and adds an effort that the request does not have.
    let body = sent(AdapterKind::OpenAI, "deep-max", &plain, &openai).await;
    assert_eq!(
        (&body["model"], &body["reasoning_effort"]),
        (&json!("deep"), &json!("max"))
    );
    // The seed, and the format JSON without a schema, are dropped.
    let body = sent(AdapterKind::Anthropic, "m", &mode, &fine("anthropic")).await;
    assert_eq!(body.get("output_config"), None);
    let body = sent(AdapterKind::Gemini, "m", &mode, &fine("gemini")).await;
    assert_eq!(body.get("generationConfig"), None);
    let body = sent(AdapterKind::Anthropic, "m", &seed, &fine("anthropic")).await;
    assert_eq!(body.get("seed"), None);
}

#[tokio::test]
async fn its_answers_lose_what_services_said() {
    let message =
        |message: Value| json!({ "choices": [{ "message": message, "finish_reason": "stop" }] });
    // An error inside an answer is an empty answer.
    let broken = json!({ "error": { "message": "overloaded", "code": 503 } });
    assert!(
        read(AdapterKind::OpenAI, &broken)
            .await
            .unwrap()
            .content
            .is_empty()
    );
    // A refusal is an empty answer.
    let refusal = message(json!({ "content": null, "refusal": "No." }));
    assert!(
        read(AdapterKind::OpenAI, &refusal)
            .await
            .unwrap()
            .content
            .is_empty()
    );
    // White space at both ends is removed.
    let spaced = message(json!({ "content": " a \n" }));
    assert_eq!(
        read(AdapterKind::OpenAI, &spaced)
            .await
            .unwrap()
            .first_text(),
        Some("a")
    );
    // A tool call without an id, without a type, or with broken arguments makes the whole answer an error.
    for call in [
        json!({ "type": "function", "function": { "name": "f", "arguments": "{}" } }),
        json!({ "id": "a", "function": { "name": "f", "arguments": "{}" } }),
        json!({ "id": "a", "type": "function", "function": { "name": "f", "arguments": "" } }),
    ] {
        let body = message(json!({ "content": "text", "tool_calls": [call] }));
        assert!(read(AdapterKind::OpenAI, &body).await.is_err());
    }
    // Counts that are absent are zero.
    let uncounted = json!({ "content": [], "usage": {} });
    let usage = read(AdapterKind::Anthropic, &uncounted)
        .await
        .unwrap()
        .usage;
    assert_eq!(
        (usage.prompt_tokens, usage.completion_tokens),
        (Some(0), Some(0))
    );
}

#[tokio::test]
async fn its_streams_end_quietly_when_they_are_cut() {
    let openai = [r#"{"choices":[{"delta":{"content":"a"}}]}"#];
    let anthropic =
        [r#"{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"a"}}"#];
    let gemini = [r#"{"candidates":[{"content":{"parts":[{"text":"a"}]}}]}"#];
    for (adapter, data, ends) in [
        (AdapterKind::OpenAI, openai, false),
        (AdapterKind::Anthropic, anthropic, false),
        // For Gemini it even invents an end.
        (AdapterKind::Gemini, gemini, true),
    ] {
        let (url, _asked) = raw(http("text/event-stream", &events(&data)), Then::Close).await;
        let request = ChatRequest::new(vec![ChatMessage::user("hi")]);
        let opened = client()
            .exec_chat_stream(target(adapter, "m", &url), request, None)
            .await;
        let events: Vec<_> = opened.unwrap().stream.collect().await;
        assert!(events.iter().all(Result::is_ok), "{adapter}");
        let end = matches!(events.last(), Some(Ok(ChatStreamEvent::End(_))));
        assert_eq!(end, ends, "{adapter}");
    }
}

#[tokio::test]
async fn its_own_client_takes_the_key_along_where_it_is_sent() {
    let other = answering(reply(&fine("anthropic"))).await;
    // Another name of this machine counts as another host.
    let elsewhere = other.uri().replace("127.0.0.1", "localhost");
    let moved = ResponseTemplate::new(307).insert_header("location", elsewhere.as_str());
    let server = answering(moved).await;
    let request = ChatRequest::new(vec![ChatMessage::user("hi")]);
    let target = target(AdapterKind::Anthropic, "m", &server.uri());
    client().exec_chat(target, request, None).await.unwrap();
    assert_eq!(arrived(&other).await.headers["x-api-key"], "k");
}
