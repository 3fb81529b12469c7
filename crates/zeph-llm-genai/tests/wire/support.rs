//! Test servers with fixed answers, and the requests that they received.

use secrecy::SecretString;
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use wiremock::matchers::any;
use wiremock::{Mock, MockServer, Request, ResponseTemplate};
use zeph_llm::{LlmError, LlmProvider as _, LlmRequest, LlmResponse};
use zeph_llm_genai::{GenaiProvider, GenaiProviderBuilder};

pub(crate) const KEY: &str = "sk-test-0123456789abcdef";
pub(crate) const OPENAI: &str = "openai::some-model";
pub(crate) const ANTHROPIC: &str = "anthropic::claude-some";
pub(crate) const GEMINI: &str = "gemini::gemini-some";
pub(crate) const OLLAMA: &str = "ollama::qwen3:8b";

/// A provider with a key for the service at that address.
pub(crate) fn builder(name: &str, url: &str) -> GenaiProviderBuilder {
    GenaiProvider::builder(name)
        .base_url(url)
        .key(SecretString::from(KEY))
}

pub(crate) fn provider(name: &str, url: &str) -> GenaiProvider {
    builder(name, url).build().unwrap()
}

/// A server that answers everything in the same way.
pub(crate) async fn answering(reply: ResponseTemplate) -> MockServer {
    let server = MockServer::start().await;
    Mock::given(any()).respond_with(reply).mount(&server).await;
    server
}

pub(crate) fn json(body: &Value) -> ResponseTemplate {
    ResponseTemplate::new(200).set_body_json(body)
}

/// The one request that arrived.
pub(crate) async fn arrived(server: &MockServer) -> Request {
    let mut requests = server.received_requests().await.unwrap();
    assert_eq!(requests.len(), 1, "one call is one request");
    requests.remove(0)
}

/// A valid answer in the protocol of a service.
pub(crate) fn fine(name: &str) -> Value {
    match name.split("::").next() {
        Some("anthropic" | "minimax") => serde_json::json!({
            "type": "message", "content": [{ "type": "text", "text": "ok" }], "stop_reason": "end_turn"
        }),
        Some("gemini") => serde_json::json!({
            "candidates": [{ "content": { "parts": [{ "text": "ok" }] }, "finishReason": "STOP" }]
        }),
        _ => serde_json::json!({
            "choices": [{ "message": { "content": "ok" }, "finish_reason": "stop" }]
        }),
    }
}

/// The result of a call whose service answers with that body.
pub(crate) async fn answered(name: &str, body: &Value) -> Result<LlmResponse, LlmError> {
    let server = answering(json(body)).await;
    provider(name, &server.uri())
        .complete(&LlmRequest::new("hi"))
        .await
}

/// The error of a call whose service answers with that status, body and headers.
pub(crate) async fn refused(
    name: &str,
    status: u16,
    headers: &[(&str, &str)],
    body: &str,
) -> LlmError {
    let mut reply = ResponseTemplate::new(status).set_body_raw(body, "application/json");
    for (header, value) in headers {
        reply = reply.insert_header(*header, *value);
    }
    let server = answering(reply).await;
    let asked = provider(name, &server.uri())
        .complete(&LlmRequest::new("hi"))
        .await;
    arrived(&server).await;
    asked.unwrap_err()
}

/// What a server does after its answer.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Then {
    Close,
    /// Waits until the client closes the connection.
    Hold,
}

/// A server that reads one request and writes these bytes. The task ends with the connection, and returns
/// the request.
pub(crate) async fn raw(reply: impl Into<Vec<u8>>, then: Then) -> (String, JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let reply = reply.into();
    let task = tokio::spawn(async move {
        let (mut connection, _) = listener.accept().await.unwrap();
        let asked = read_request(&mut connection).await;
        connection.write_all(&reply).await.unwrap();
        connection.flush().await.unwrap();
        if then == Then::Hold {
            let mut rest = Vec::new();
            let _ = connection.read_to_end(&mut rest).await;
        }
        asked
    });
    (url, task)
}

/// Reads a request to its end.
pub(crate) async fn read_request(connection: &mut TcpStream) -> String {
    let mut asked = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        let read = connection.read(&mut buffer).await.unwrap();
        asked.extend_from_slice(&buffer[..read]);
        let text = String::from_utf8_lossy(&asked);
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| {
                let (name, value) = line.split_once(':')?;
                name.eq_ignore_ascii_case("content-length")
                    .then(|| value.trim().parse().ok())?
            });
            if body.len() >= length.unwrap_or(0) {
                return text.into_owned();
            }
        }
        assert_ne!(read, 0, "the request is whole");
    }
}

/// An answer of unknown length: head and body.
pub(crate) fn http(content_type: &str, body: &str) -> String {
    format!("HTTP/1.1 200 OK\r\ncontent-type: {content_type}\r\nconnection: close\r\n\r\n{body}")
}

/// A body of server-sent events, one for each text.
pub(crate) fn events(data: &[&str]) -> String {
    let mut body = String::new();
    for data in data {
        let kind = serde_json::from_str::<Value>(data).ok();
        let kind = kind
            .as_ref()
            .and_then(|event| event.get("type"))
            .and_then(Value::as_str);
        if let Some(kind) = kind {
            body.push_str(&format!("event: {kind}\n"));
        }
        body.push_str(&format!("data: {data}\n\n"));
    }
    body
}
