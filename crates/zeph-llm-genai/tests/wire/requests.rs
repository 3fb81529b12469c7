//! Requests: golden bodies, headers and paths for each service.

use serde_json::{Value, json};
use zeph_llm::{
    Capabilities, ErrorKind, LlmProvider as _, LlmRequest, Message, OutputFormat, OutputSchema,
    Reasoning, SchemaSupport, ToolCall, ToolChoice, ToolSpec,
};

use crate::support::{
    ANTHROPIC, GEMINI, KEY, OLLAMA, OPENAI, answering, arrived, builder, fine, json as reply,
    provider,
};

/// A schema that genai would change: not everything is required, and more is allowed.
fn schema() -> Value {
    json!({
        "type": "object",
        "properties": { "name": { "type": "string" }, "note": { "type": "string" } },
        "required": ["name"]
    })
}

fn plain() -> LlmRequest {
    let mut request = LlmRequest::new("Plan.").system("Be brief.");
    request = request.max_output_tokens(64).temperature(0.5);
    request.output(OutputFormat::Schema(OutputSchema {
        name: "plan".into(),
        schema: schema(),
    }))
}

/// A conversation with two calls in one turn, one of them with broken arguments, and their results.
fn tooled() -> LlmRequest {
    let weather = ToolCall {
        id: "id_1".into(),
        name: "weather".into(),
        arguments: json!({ "city": "Rome" }),
    };
    let broken = ToolCall {
        id: "id_2".into(),
        name: "weather".into(),
        arguments: json!("{\"city\":"),
    };
    let mut request = LlmRequest::of(vec![
        Message::user("Weather?"),
        Message::Assistant {
            text: String::new(),
            tool_calls: vec![weather.clone(), broken.clone()],
            reasoning: Reasoning::default(),
        },
        Message::tool(&weather, "sunny"),
        Message::tool(&broken, "no city"),
    ]);
    request = request.tool(ToolSpec {
        name: "weather".into(),
        description: "Tells the weather.".into(),
        parameters: schema(),
    });
    request.tool_choice = ToolChoice::Named("weather".into());
    request
}

async fn body(name: &str, request: &LlmRequest) -> Value {
    let server = answering(reply(&fine(name))).await;
    let asked = provider(name, &server.uri()).complete(request).await;
    assert_eq!(asked.unwrap().text, "ok");
    arrived(&server).await.body_json().unwrap()
}

#[tokio::test]
async fn openai_is_sent_everything_as_it_was_asked() {
    let mut request = plain();
    request.seed = Some(7);
    let messages = json!([
        { "role": "system", "content": "Be brief." },
        { "role": "user", "content": "Plan." }
    ]);
    let format =
        json!({ "type": "json_schema", "json_schema": { "name": "plan", "schema": schema() } });
    for name in [OPENAI, OLLAMA] {
        let (_, model) = name.split_once("::").unwrap();
        let golden = json!({
            "model": model, "stream": false, "messages": messages, "response_format": format,
            "max_tokens": 64, "temperature": 0.5, "seed": 7
        });
        assert_eq!(body(name, &request).await, golden, "{name}");
    }
}

#[tokio::test]
async fn strict_services_are_asked_to_be_strict() {
    let mut request = plain();
    request.seed = Some(7);
    let body = body("mistral::large", &request).await;
    assert_eq!(body["response_format"]["json_schema"]["strict"], true);
    assert_eq!(body["random_seed"], 7);
    assert_eq!(body.get("seed"), None);
}

#[tokio::test]
async fn anthropic_is_sent_everything_as_it_was_asked() {
    let golden = json!({
        "model": "claude-some", "stream": false, "system": "Be brief.",
        "messages": [{ "role": "user", "content": "Plan." }],
        "output_config": { "format": { "type": "json_schema", "schema": schema() } },
        "max_tokens": 64, "temperature": 0.5
    });
    assert_eq!(body(ANTHROPIC, &plain()).await, golden);
}

#[tokio::test]
async fn gemini_is_sent_everything_as_it_was_asked() {
    let mut request = plain();
    request.seed = Some(7);
    let golden = json!({
        "systemInstruction": { "parts": [{ "text": "Be brief." }] },
        "contents": [{ "role": "user", "parts": [{ "text": "Plan." }] }],
        "generationConfig": {
            "responseMimeType": "application/json", "responseJsonSchema": schema(),
            "maxOutputTokens": 64, "temperature": 0.5, "seed": 7
        }
    });
    assert_eq!(body(GEMINI, &request).await, golden);
}

#[tokio::test]
async fn tools_and_their_results_reach_openai() {
    let call = |id: &str, arguments: &str| json!({ "type": "function", "id": id, "function": { "name": "weather", "arguments": arguments } });
    let golden = json!({
        "model": "some-model", "stream": false,
        "messages": [
            { "role": "user", "content": "Weather?" },
            { "role": "assistant", "content": "", "tool_calls": [
                call("id_1", r#"{"city":"Rome"}"#), call("id_2", r#"{"arguments":"{\"city\":"}"#)
            ] },
            { "role": "tool", "tool_call_id": "id_1", "content": "sunny" },
            { "role": "tool", "tool_call_id": "id_2", "content": "no city" }
        ],
        "tools": [{ "type": "function", "function": {
            "name": "weather", "description": "Tells the weather.", "parameters": schema()
        } }],
        "tool_choice": { "type": "function", "function": { "name": "weather" } }
    });
    assert_eq!(body(OPENAI, &tooled()).await, golden);
}

#[tokio::test]
async fn tools_and_their_results_reach_anthropic_in_one_turn() {
    let mut request = tooled();
    request.max_output_tokens = Some(9);
    let golden = json!({
        "model": "claude-some", "stream": false, "max_tokens": 9,
        "messages": [
            { "role": "user", "content": "Weather?" },
            { "role": "assistant", "content": [
                { "type": "tool_use", "id": "id_1", "name": "weather", "input": { "city": "Rome" } },
                { "type": "tool_use", "id": "id_2", "name": "weather", "input": { "arguments": "{\"city\":" } }
            ] },
            { "role": "user", "content": [
                { "type": "tool_result", "tool_use_id": "id_1", "content": "sunny" },
                { "type": "tool_result", "tool_use_id": "id_2", "content": "no city" }
            ] }
        ],
        "tools": [{
            "name": "weather", "description": "Tells the weather.", "input_schema": schema()
        }],
        "tool_choice": { "type": "tool", "name": "weather" }
    });
    assert_eq!(body(ANTHROPIC, &request).await, golden);
}

#[tokio::test]
async fn tools_and_their_results_reach_gemini_in_one_turn() {
    let result = |id: &str, text: &str| json!({ "functionResponse": { "id": id, "name": "weather", "response": { "name": "weather", "content": text } } });
    let golden = json!({
        "contents": [
            { "role": "user", "parts": [{ "text": "Weather?" }] },
            { "role": "model", "parts": [
                { "functionCall": { "id": "id_1", "name": "weather", "args": { "city": "Rome" } } },
                { "functionCall": { "id": "id_2", "name": "weather", "args": { "arguments": "{\"city\":" } } }
            ] },
            { "role": "user", "parts": [result("id_1", "sunny"), result("id_2", "no city")] }
        ],
        "tools": [{ "functionDeclarations": [{
            "name": "weather", "description": "Tells the weather.", "parametersJsonSchema": schema()
        }] }],
        "toolConfig": { "functionCallingConfig": { "mode": "ANY", "allowedFunctionNames": ["weather"] } }
    });
    assert_eq!(body(GEMINI, &tooled()).await, golden);
}

#[tokio::test]
async fn the_choice_of_tools_reaches_every_service() {
    let wanted = [
        (ToolChoice::Auto, [Value::Null, Value::Null, Value::Null]),
        (
            ToolChoice::None,
            [json!("none"), json!({ "type": "none" }), json!("NONE")],
        ),
        (
            ToolChoice::Required,
            [json!("required"), json!({ "type": "any" }), json!("ANY")],
        ),
    ];
    for (choice, [openai, anthropic, gemini]) in wanted {
        let mut request = tooled();
        request.tool_choice = choice;
        assert_eq!(body(OPENAI, &request).await["tool_choice"], openai);
        assert_eq!(body(ANTHROPIC, &request).await["tool_choice"], anthropic);
        let config = &body(GEMINI, &request).await["toolConfig"]["functionCallingConfig"]["mode"];
        assert_eq!(config, &gemini);
    }
}

#[tokio::test]
async fn the_name_of_a_model_arrives_whole() {
    for model in ["deep-max", "r-high", "x-none", "org/a::b-low", "o3"] {
        let request = LlmRequest::new("hi");
        let sent = body(&format!("openai::{model}"), &request).await;
        assert_eq!(sent["model"], model);
        assert_eq!(sent.get("reasoning_effort"), None, "{model}");
        let sent = body(&format!("anthropic::{model}"), &request).await;
        assert_eq!(sent["model"], model);
        assert_eq!(
            (sent.get("thinking"), sent.get("output_config")),
            (None, None),
            "{model}"
        );
        let sent = body(&format!("gemini::{model}"), &request).await;
        assert_eq!(sent.get("generationConfig"), None, "{model}");
    }
}

#[tokio::test]
async fn a_request_may_name_another_model_of_the_same_service() {
    for asked in ["other", "openai::other"] {
        let sent = body(OPENAI, &LlmRequest::new("hi").model(asked)).await;
        assert_eq!(sent["model"], "other");
    }
}

#[tokio::test]
async fn the_limit_has_the_name_that_the_model_knows() {
    let request = LlmRequest::new("hi").max_output_tokens(9);
    for (name, field) in [
        (OPENAI, "max_tokens"),
        ("openai::gpt-5-mini", "max_completion_tokens"),
        ("openai::o3", "max_completion_tokens"),
        ("groq::o3", "max_tokens"),
        (OLLAMA, "max_tokens"),
        ("minimax::m", "max_tokens"),
    ] {
        let sent = body(name, &request).await;
        assert_eq!(sent[field], 9, "{name}: {sent}");
        let limits = sent
            .as_object()
            .unwrap()
            .keys()
            .filter(|key| key.starts_with("max_"));
        assert_eq!(limits.count(), 1, "{name}: {sent}");
    }
}

#[tokio::test]
async fn json_of_no_schema_is_asked_for_where_it_exists() {
    let request = LlmRequest::new("hi").output(OutputFormat::Json);
    let sent = body(OPENAI, &request).await;
    assert_eq!(sent["response_format"], json!({ "type": "json_object" }));
    let sent = body(GEMINI, &request).await;
    assert_eq!(
        sent["generationConfig"],
        json!({ "responseMimeType": "application/json" })
    );
}

#[tokio::test]
async fn what_a_service_cannot_do_is_reported_before_the_call() {
    let server = answering(reply(&json!({}))).await;
    let with = |schema: SchemaSupport, tools: bool| Capabilities {
        schema,
        tools,
        ..Capabilities::TEXT
    };
    let mut seeded = LlmRequest::new("hi");
    seeded.seed = Some(1);
    let mut forced = LlmRequest::new("hi");
    forced.tool_choice = ToolChoice::Required;
    let json = LlmRequest::new("hi").output(OutputFormat::Json);
    for (name, can, request, kind) in [
        (ANTHROPIC, None, &seeded, ErrorKind::Unsupported),
        (ANTHROPIC, None, &json, ErrorKind::Unsupported),
        (
            OPENAI,
            Some(with(SchemaSupport::Prompt, true)),
            &json,
            ErrorKind::Unsupported,
        ),
        (
            OPENAI,
            Some(with(SchemaSupport::Json, true)),
            &plain(),
            ErrorKind::SchemaRejected,
        ),
        ("together::m", None, &plain(), ErrorKind::SchemaRejected),
        (
            OPENAI,
            Some(with(SchemaSupport::Json, false)),
            &tooled(),
            ErrorKind::Unsupported,
        ),
        (OPENAI, None, &forced, ErrorKind::BadRequest),
        (OPENAI, None, &LlmRequest::of(vec![]), ErrorKind::BadRequest),
        (
            OPENAI,
            None,
            &LlmRequest::new("hi").temperature(f64::NAN),
            ErrorKind::BadRequest,
        ),
        (
            OPENAI,
            None,
            &LlmRequest::new("hi").model("a b"),
            ErrorKind::UnknownModel,
        ),
    ] {
        let mut builder = builder(name, &server.uri());
        if let Some(can) = can {
            builder = builder.capabilities(can);
        }
        let error = builder
            .build()
            .unwrap()
            .complete(request)
            .await
            .unwrap_err();
        assert_eq!(error.kind(), kind, "{error}");
    }
    assert_eq!(server.received_requests().await.unwrap().len(), 0);
}

#[tokio::test]
async fn a_key_travels_in_its_header_and_nowhere_else() {
    for (name, header, value, path) in [
        (
            OPENAI,
            "authorization",
            format!("Bearer {KEY}"),
            "/v1/chat/completions",
        ),
        (ANTHROPIC, "x-api-key", KEY.to_owned(), "/v1/messages"),
        (
            GEMINI,
            "x-goog-api-key",
            KEY.to_owned(),
            "/v1beta/models/gemini-some:generateContent",
        ),
        ("minimax::m", "x-api-key", KEY.to_owned(), "/v1/messages"),
    ] {
        let server = answering(reply(&fine(name))).await;
        let model = provider(name, &server.uri());
        model.complete(&LlmRequest::new("hi")).await.unwrap();
        let request = arrived(&server).await;
        assert_eq!(request.headers[header], value, "{name}");
        let carriers = request
            .headers
            .values()
            .filter(|value| value.to_str().is_ok_and(|value| value.contains(KEY)));
        assert_eq!(carriers.count(), 1, "{name}");
        assert_eq!(
            (request.url.path(), request.url.query()),
            (path, None),
            "{name}"
        );
        assert!(
            !String::from_utf8_lossy(&request.body).contains(KEY),
            "{name}"
        );
        assert_eq!(
            request.headers.get("anthropic-version").is_some(),
            header == "x-api-key"
        );
        assert!(!format!("{model:?}").contains(KEY), "{name}");
    }
}

#[tokio::test]
async fn without_a_key_no_header_says_who_asks() {
    let server = answering(reply(&fine(OLLAMA))).await;
    for name in [OLLAMA, OPENAI] {
        let model = zeph_llm_genai::GenaiProvider::builder(name).base_url(server.uri());
        model
            .build()
            .unwrap()
            .complete(&LlmRequest::new("hi"))
            .await
            .unwrap();
    }
    for request in server.received_requests().await.unwrap() {
        assert_eq!(request.headers.get("authorization"), None);
        assert_eq!(request.url.path(), "/v1/chat/completions");
    }
}
