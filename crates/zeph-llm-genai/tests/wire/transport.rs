//! The transport: connections that fail, break or stall, and dropped calls.

use std::process::Command;
use std::time::Duration;

use secrecy::SecretString;
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpListener;
use wiremock::ResponseTemplate;
use zeph_llm::{ErrorKind, LlmProvider as _, LlmRequest};
use zeph_llm_genai::{BuildError, GenaiProvider, Timeouts};

use crate::support::{
    GEMINI, KEY, OLLAMA, OPENAI, Then, answering, arrived, builder, fine, http, json, provider,
    raw, read_request,
};

#[tokio::test]
async fn a_service_that_is_not_there_is_a_matter_of_the_network() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let model = provider(OPENAI, &url);
    let error = model.complete(&LlmRequest::new("hi")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Network, "{error}");
    let reported = format!("nothing answers at {url}/v1/: Connection refused");
    assert!(error.message().starts_with(&reported), "{error}");
    let error = model.stream(&LlmRequest::new("hi")).await.err().unwrap();
    assert_eq!(error.kind(), ErrorKind::Network, "{error}");
}

#[tokio::test]
async fn a_service_that_hangs_up_is_called_once() {
    let (url, asked) = raw("", Then::Close).await;
    let error = provider(OPENAI, &url)
        .complete(&LlmRequest::new("hi"))
        .await
        .unwrap_err();
    // The service received the request, so the call may have cost something.
    assert_eq!(error.kind(), ErrorKind::Cut, "{error}");
    assert!(
        asked
            .await
            .unwrap()
            .starts_with("POST /v1/chat/completions")
    );
}

#[tokio::test]
async fn a_server_without_tls_is_distinguished() {
    let server = answering(ResponseTemplate::new(200)).await;
    let url = server.uri().replace("http://", "https://");
    let error = provider(OPENAI, &url)
        .complete(&LlmRequest::new("hi"))
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Network, "{error}");
}

#[tokio::test]
async fn a_body_that_breaks_off_is_cut() {
    let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 500\r\n\r\n{\"choices\":";
    let chunked = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\nff\r\n{\"choices\":";
    for reply in [head, chunked] {
        let (url, _asked) = raw(reply, Then::Close).await;
        let error = provider(OPENAI, &url)
            .complete(&LlmRequest::new("hi"))
            .await
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Cut, "{error}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_service_that_says_nothing_is_given_up() {
    for reply in [
        "",
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 9\r\n\r\n{",
    ] {
        let (url, asked) = raw(reply, Then::Hold).await;
        let error = provider(OPENAI, &url)
            .complete(&LlmRequest::new("hi"))
            .await
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Timeout, "{error}");
        assert!(error.message().contains("no answer within 5m"), "{error}");
        asked.abort();
        let (url, asked) = raw(reply, Then::Hold).await;
        let request = LlmRequest::new("hi").timeout(Duration::from_secs(2));
        let error = provider(OPENAI, &url).complete(&request).await.unwrap_err();
        assert!(error.message().contains("no answer within 2s"), "{error}");
        asked.abort();
    }
}

#[tokio::test]
async fn a_dropped_call_hangs_up() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let model = provider(
        OPENAI,
        &format!("http://{}", listener.local_addr().unwrap()),
    );
    let call = tokio::spawn(async move { model.complete(&LlmRequest::new("hi")).await });
    let (mut connection, _) = listener.accept().await.unwrap();
    read_request(&mut connection).await;
    call.abort();
    // Returns only when the client has closed the connection.
    assert_eq!(connection.read_to_end(&mut Vec::new()).await.unwrap(), 0);

    let (url, asked) = raw(
        http(
            "text/event-stream",
            "data: {\"choices\":[{\"delta\":{\"content\":\"a\"}}]}\n\n",
        ),
        Then::Hold,
    )
    .await;
    let stream = provider(OPENAI, &url)
        .stream(&LlmRequest::new("hi"))
        .await
        .unwrap();
    assert!(!asked.is_finished());
    drop(stream);
    assert!(asked.await.unwrap().contains(r#""stream":true"#));
}

#[tokio::test]
async fn a_proxy_is_used_if_it_is_given_and_never_else() {
    let proxy = answering(json(&fine(OPENAI))).await;
    let model = builder(OPENAI, "http://model.invalid/v1")
        .key_in_clear(true)
        .proxy(proxy.uri());
    model
        .build()
        .unwrap()
        .complete(&LlmRequest::new("hi"))
        .await
        .unwrap();
    assert_eq!(arrived(&proxy).await.url.host_str(), Some("model.invalid"));

    let ignored = answering(ResponseTemplate::new(500)).await;
    let server = answering(json(&fine(OPENAI))).await;
    let child = Command::new(std::env::current_exe().unwrap())
        .args(["transport::in_an_environment_with_a_proxy", "--exact"])
        .env("ZEPH_TEST_SERVER", server.uri())
        .envs(
            ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"]
                .map(|name| (name, ignored.uri())),
        )
        .env("NO_PROXY", "")
        .output();
    let child = child.unwrap();
    assert!(
        child.status.success(),
        "{}",
        String::from_utf8_lossy(&child.stdout)
    );
    arrived(&server).await;
    assert_eq!(ignored.received_requests().await.unwrap().len(), 0);
}

/// The child process of the test above; does nothing without its environment variable.
#[tokio::test]
async fn in_an_environment_with_a_proxy() {
    if let Ok(server) = std::env::var("ZEPH_TEST_SERVER") {
        let model = provider(OPENAI, &server);
        assert_eq!(
            model.complete(&LlmRequest::new("hi")).await.unwrap().text,
            "ok"
        );
    }
}

#[tokio::test]
async fn what_cannot_be_used_is_reported_when_it_is_built() {
    let built = |name: &str| GenaiProvider::builder(name).build().unwrap_err();
    assert_eq!(
        built(OPENAI).to_string(),
        "the service `openai` requires a key: pass one, usually in OPENAI_API_KEY"
    );
    assert!(matches!(built("x"), BuildError::NoService { .. }));
    let over = |url: &str| builder(OPENAI, url).build().unwrap_err();
    assert_eq!(
        over("http://10.1.2.3/v1"),
        BuildError::KeyInClear {
            host: "10.1.2.3".into(),
            variable: Some("OPENAI_API_KEY"),
        }
    );
    let through = builder(OPENAI, "http://127.0.0.1:8080").proxy("http://me:word@10.1.2.3:3128");
    assert!(!format!("{through:?}").contains("word"), "{through:?}");
    assert_eq!(
        through.clone().build().unwrap_err(),
        BuildError::KeyInClear {
            host: "10.1.2.3".into(),
            variable: Some("OPENAI_API_KEY"),
        }
    );
    assert!(through.key_in_clear(true).build().is_ok());
    assert!(matches!(over("nonsense"), BuildError::BadBaseUrl { .. }));
    for key in ["", " \n", "two words", "line\nbreak", "schlüssel"] {
        let error = GenaiProvider::builder(GEMINI)
            .key(SecretString::from(key))
            .build()
            .unwrap_err();
        assert_eq!(error, BuildError::BadKey { service: "gemini" });
    }
    // A placeholder is no secret.
    for key in ["EMPTY", "ollama", "no-key-required"] {
        let own = GenaiProvider::builder(OPENAI).base_url("http://192.168.7.20:8000/v1");
        assert!(own.key(SecretString::from(key)).build().is_ok(), "{key}");
    }
    let field = builder(OPENAI, "http://127.0.0.1:8080").max_tokens_field("max tokens");
    assert!(matches!(field.build(), Err(BuildError::BadField { .. })));
    let zero = Timeouts {
        idle: Duration::ZERO,
        ..Timeouts::default()
    };
    let error = GenaiProvider::builder(OLLAMA)
        .timeouts(zero)
        .build()
        .unwrap_err();
    assert_eq!(error, BuildError::ZeroTimeout { limit: "idle" });
    let error = GenaiProvider::builder(OLLAMA)
        .proxy("::")
        .build()
        .unwrap_err();
    assert_eq!(error, BuildError::BadProxy);
    // A key from a file ends in a line break, and a public address needs the system's authorities.
    let key = SecretString::from(format!("{KEY}\n"));
    let model = GenaiProvider::builder(OPENAI).key(key).build().unwrap();
    assert_eq!(model.base_url(), "https://api.openai.com/v1/");
    assert_eq!((model.name(), model.service().name), (OPENAI, "openai"));
}
