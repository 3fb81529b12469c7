//! Every way in which a typed answer comes or fails, by closures as providers.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{AnswerSchema, Fallback, LlmProviderExt as _, SchemaMode, Typed, TypedError};
use crate::{
    Capabilities, Dialect, ErrorKind, LlmError, LlmProvider, LlmRequest, LlmResponse, OutputFormat,
    SchemaProblemKind, SchemaSupport, StopReason, Tolerated, ToolCall, provider_fn,
};

#[derive(Debug, Deserialize, JsonSchema, PartialEq)]
struct Verdict {
    why: String,
    #[serde(default)]
    weight: u8,
    next: Option<Next>,
}

#[derive(Debug, Deserialize, JsonSchema, PartialEq)]
#[serde(tag = "kind")]
enum Next {
    Wait { seconds: u32 },
    Call { whom: String },
}

fn says(response: LlmResponse, schema: SchemaSupport) -> impl LlmProvider {
    let capabilities = Capabilities {
        schema,
        ..Capabilities::TEXT
    };
    provider_fn("double", move |_| {
        let response = response.clone();
        async move { Ok::<_, LlmError>(response) }
    })
    .with_capabilities(capabilities)
}

async fn verdict(response: LlmResponse) -> Result<Typed<Verdict>, TypedError> {
    let provider = says(response, SchemaSupport::Schema(Dialect::OpenAiStrict));
    provider.complete_typed(&LlmRequest::new("Well?")).await
}

#[tokio::test]
async fn a_strict_answer_reads_back_with_its_nulls_gone() {
    let text = r#"{"why":"w","weight":null,"next":{"kind":"Wait","seconds":3}}"#;
    let answer = verdict(LlmResponse::text(text).usage(10, 5)).await.unwrap();
    assert_eq!(answer.value.weight, 0);
    assert_eq!(answer.value.next, Some(Next::Wait { seconds: 3 }));
    assert_eq!(answer.mode, SchemaMode::Native(Dialect::OpenAiStrict));
    let pointer = "/weight".to_owned();
    assert_eq!(answer.repairs, [Tolerated::Null { pointer }]);
    assert_eq!(answer.response.usage.total(), Some(15));
}

#[tokio::test]
async fn what_went_wrong_is_told_apart_with_its_cost() {
    let whole = r#"{"why":"w"}"#;
    let call = ToolCall {
        id: "1".into(),
        name: "t".into(),
        arguments: json!({}),
    };
    let cases = [
        (
            "refusal",
            LlmResponse::text("I will not.").stopped(StopReason::Refusal),
        ),
        (
            "truncated",
            LlmResponse::text(r#"{"why":"w"#).stopped(StopReason::MaxTokens),
        ),
        (
            "truncated",
            LlmResponse::text(r#"[1] {"why":"#).stopped(StopReason::MaxTokens),
        ),
        (
            "truncated",
            LlmResponse::text("").stopped(StopReason::MaxTokens),
        ),
        ("truncated", LlmResponse::text(r#"{"why":"w"#)),
        ("empty", LlmResponse::text(" \n")),
        ("tool_calls", LlmResponse::calls(vec![call])),
        ("not_json", LlmResponse::text("Certainly not.")),
        ("not_json", LlmResponse::text(r#"{"why":"a","why":"b"}"#)),
        ("invalid", LlmResponse::text(r#"{"why":7}"#)),
        ("invalid", LlmResponse::text("[]")),
    ];
    for (word, response) in cases {
        let text = response.text.clone();
        let error = verdict(response.usage(3, 4)).await.unwrap_err();
        assert_eq!(error.word(), word, "{text}: {error}");
        assert_eq!(error.usage().total(), Some(7), "{text}");
    }
    // Whole, and blanks up to the limit.
    let padded = format!("{whole}{}", " ".repeat(50));
    let answer = verdict(LlmResponse::text(padded).stopped(StopReason::MaxTokens)).await;
    assert_eq!(answer.unwrap().value.why, "w");
}

#[tokio::test]
async fn problems_have_pointers_and_unions_are_told_by_their_nearest_branch() {
    let text = r#"{"why":1,"weight":900,"next":{"kind":"Wait","seconds":"soon"}}"#;
    let Err(TypedError::Invalid {
        problems, value, ..
    }) = verdict(LlmResponse::text(text)).await
    else {
        panic!("it fits");
    };
    let mut pointers: Vec<&str> = problems.iter().map(|p| p.pointer.as_str()).collect();
    pointers.sort_unstable();
    assert_eq!(
        pointers,
        ["/next/seconds", "/weight", "/why"],
        "{problems:?}"
    );
    assert_eq!(value["weight"], 900);

    let many: Vec<u32> = (0..1_000).collect();
    let schema = AnswerSchema::new("words", json!({"items": {"type": "string"}})).unwrap();
    assert_eq!(schema.problems(&json!(many)).len(), 50);
    let long = json!(["x".repeat(10_000)]);
    let schema = AnswerSchema::new("n", json!({"items": {"enum": ["\u{1b}[31mred"]}})).unwrap();
    let problem = schema.problems(&long).remove(0);
    assert!(
        problem.message.len() <= 300 && !problem.message.contains('\u{1b}'),
        "{problem}"
    );
}

#[tokio::test]
async fn among_several_values_the_one_that_fits_is_taken() {
    let text = "Options [1] and [2].\n{\"note\": 1}\n{\"why\": \"w\"}";
    let answer = verdict(LlmResponse::text(text)).await.unwrap();
    assert_eq!(answer.value.why, "w");
    assert!(answer.repairs.contains(&Tolerated::Others { count: 3 }));
}

#[tokio::test]
async fn a_type_that_asks_for_more_than_its_schema_is_told_where() {
    #[derive(Debug, Deserialize, JsonSchema)]
    struct Addressed {
        #[schemars(with = "Vec<String>")]
        hosts: Vec<std::net::IpAddr>,
    }
    let read: Addressed = serde_json::from_value(json!({"hosts": ["::1"]})).unwrap();
    assert!(read.hosts[0].is_loopback());
    let provider = says(
        LlmResponse::text(r#"{"hosts":["::1","home"]}"#),
        SchemaSupport::Prompt,
    );
    let answer = provider
        .complete_typed::<Addressed>(&LlmRequest::new("Hosts?"))
        .await;
    let Err(TypedError::Invalid { problems, .. }) = answer else {
        panic!("it fits");
    };
    assert_eq!(problems[0].pointer, "/hosts/1");
}

#[tokio::test]
async fn the_schema_goes_where_the_provider_can_take_it() {
    let schema = AnswerSchema::of::<Verdict>().unwrap();
    let request = LlmRequest::new("Well?").system("Be brief.");
    let ask = |support, fallback| schema.ask(&request, support, fallback, "double");

    let (asked, mode) = ask(SchemaSupport::Json, Fallback::Error).unwrap();
    assert_eq!(
        (mode, &asked.output),
        (SchemaMode::Json, &OutputFormat::Json)
    );
    assert_eq!(asked.messages.len(), 2);
    let system = asked.messages[0].text();
    assert!(system.starts_with("Be brief.") && system.contains(&schema.schema().to_string()));

    let (asked, mode) = ask(SchemaSupport::Prompt, Fallback::Error).unwrap();
    assert_eq!(
        (mode, &asked.output),
        (SchemaMode::Prompt, &OutputFormat::Text)
    );

    let native = SchemaSupport::Schema(Dialect::OpenAiStrict);
    let (asked, _) = ask(native, Fallback::Error).unwrap();
    assert_eq!(asked.messages, request.messages);
    let OutputFormat::Schema(output) = asked.output else {
        panic!("{asked:?}");
    };
    assert_eq!(output.name, "Verdict");

    let never = ask(SchemaSupport::Never, Fallback::Prompt).unwrap_err();
    assert!(matches!(never, TypedError::Llm(error) if error.kind() == ErrorKind::Unsupported));
}

#[tokio::test]
async fn a_schema_that_is_not_supported_is_an_error_or_the_declared_fallback() {
    let map: Value = json!({"type": "object", "additionalProperties": {"type": "integer"}});
    let schema = AnswerSchema::new("counts", map.clone()).unwrap();
    let provider = says(
        LlmResponse::text(r#"{"a":1}"#),
        SchemaSupport::Schema(Dialect::OpenAiStrict),
    );
    let request = LlmRequest::new("Count.");
    let Err(TypedError::Schema(problems)) =
        provider.complete_schema(&request, &map, "counts").await
    else {
        panic!("it was called");
    };
    assert_eq!(problems.0[0].kind, SchemaProblemKind::OpenObject);
    let answer = provider
        .complete_as(&request, &schema, Fallback::Prompt)
        .await
        .unwrap();
    assert_eq!(
        (answer.mode, answer.value),
        (SchemaMode::Prompt, json!({"a": 1}))
    );
}

#[tokio::test]
async fn a_service_that_rejects_the_schema_is_asked_once_more_only_if_declared() {
    let calls = Arc::new(AtomicUsize::new(0));
    let seen = Arc::clone(&calls);
    let capabilities = Capabilities {
        schema: SchemaSupport::Schema(Dialect::Gemini),
        ..Capabilities::TEXT
    };
    let provider = provider_fn("picky", move |request: LlmRequest| {
        seen.fetch_add(1, Ordering::Relaxed);
        async move {
            match request.output {
                OutputFormat::Text => Ok(r#"{"why":"w"}"#.to_owned()),
                OutputFormat::Json | OutputFormat::Schema(_) => Err(LlmError::new(
                    ErrorKind::SchemaRejected,
                    "picky",
                    "too many states",
                )),
            }
        }
    })
    .with_capabilities(capabilities);
    let request = LlmRequest::new("Well?");
    let error = provider
        .complete_typed::<Verdict>(&request)
        .await
        .unwrap_err();
    assert!(matches!(error, TypedError::Llm(_)));
    assert_eq!(calls.load(Ordering::Relaxed), 1);
    let answer = provider
        .complete_typed_or::<Verdict>(&request, Fallback::Prompt)
        .await;
    assert_eq!(answer.unwrap().mode, SchemaMode::Prompt);
    assert_eq!(calls.load(Ordering::Relaxed), 3);
}

#[test]
fn schemas_that_are_none_or_lead_out_are_refused() {
    for schema in [
        json!({"type": "strung"}),
        json!({"$ref": "https://example.com/s.json"}),
        json!({"$ref": "file:///etc/passwd"}),
        json!({"pattern": "(?=a)b"}),
        json!({"pattern": "(a{1000}){1000}"}),
        json!(7),
    ] {
        let problems = AnswerSchema::new("s", schema.clone()).unwrap_err();
        assert_eq!(
            problems.0[0].kind,
            SchemaProblemKind::NotASchema,
            "{schema}"
        );
    }
    let named = AnswerSchema::new("a b/ü", json!({})).unwrap();
    assert!(format!("{named:?}").contains("a_b__"));
}

#[test]
fn typed_calls_work_on_trait_objects_and_are_send() {
    fn send<T: Send>(value: T) -> T {
        value
    }
    let provider: Arc<dyn LlmProvider> =
        Arc::new(says(LlmResponse::text("{}"), SchemaSupport::Prompt));
    let request = LlmRequest::new("x");
    drop(send(provider.complete_typed::<Verdict>(&request)));
}

#[test]
fn a_problem_is_shown_in_one_line_whatever_the_keys() {
    let schema = json!({"type": "object", "additionalProperties": {"type": "integer"}});
    let schema = AnswerSchema::new("counts", schema).unwrap();
    let key = format!("a\n\u{1b}[31m{}", "long ".repeat(10_000));
    let problems = schema.problems(&json!({ key.clone(): "text" }));
    assert_eq!(problems[0].pointer, format!("/{key}"));
    let shown = problems[0].to_string();
    assert!(
        shown.len() < 600 && !shown.contains(['\n', '\u{1b}']),
        "{shown}"
    );
}
