//! Answers by a schema: requests for each kind of support, and responses of every kind.

use serde_json::{Value, json};

use super::{AnswerError, AnswerSchema, SchemaAnswer};
use crate::{
    ErrorKind, LlmRequest, LlmResponse, OutputFormat, SchemaSupport, StopReason, Tolerated,
    ToolCall,
};

fn schema() -> AnswerSchema {
    let wait = json!({
        "type": "object",
        "properties": { "seconds": { "type": "integer" }, "why": { "type": "string" } },
        "required": ["seconds"],
        "additionalProperties": false,
    });
    let call = json!({
        "type": "object",
        "properties": { "whom": { "type": "string" } },
        "required": ["whom"],
        "additionalProperties": false,
    });
    let schema = json!({
        "type": "object",
        "properties": {
            "why": { "type": "string" },
            "weight": { "type": "integer", "maximum": 255 },
            "next": { "anyOf": [wait, call, { "type": "null" }] },
        },
        "required": ["why"],
    });
    AnswerSchema::new("verdict", schema).unwrap()
}

fn read(response: &LlmResponse) -> Result<SchemaAnswer, AnswerError> {
    schema().read(response)
}

#[test]
fn the_schema_goes_where_the_provider_supports_it() {
    let schema = schema();
    let request = LlmRequest::new("Well?").system("Be brief.");
    let ask = |support| schema.ask(&request, support, "double");

    let asked = ask(SchemaSupport::Json).unwrap();
    assert_eq!(asked.output, OutputFormat::Json);
    assert_eq!(asked.messages.len(), 2);
    let system = asked.messages[0].text();
    assert!(system.starts_with("Be brief.") && system.contains(&schema.schema().to_string()));

    let asked = ask(SchemaSupport::Prompt).unwrap();
    assert_eq!(asked.output, OutputFormat::Text);

    let asked = ask(SchemaSupport::Schema).unwrap();
    assert_eq!(asked.messages, request.messages);
    let OutputFormat::Schema(output) = asked.output else {
        panic!("{asked:?}");
    };
    assert_eq!(output.name, "verdict");
    assert_eq!(output.schema["required"], json!(["why", "weight", "next"]));

    let never = ask(SchemaSupport::Never).unwrap_err();
    assert_eq!(never.kind(), ErrorKind::Unsupported);
}

#[test]
fn a_schema_without_a_strict_form_goes_into_the_prompt() {
    let map = json!({ "type": "object", "additionalProperties": { "type": "integer" } });
    let schema = AnswerSchema::new("counts", map).unwrap();
    let request = LlmRequest::new("Count.");
    let asked = schema
        .ask(&request, SchemaSupport::Schema, "double")
        .unwrap();
    assert_eq!(asked.output, OutputFormat::Text);
    assert!(
        asked.messages[0]
            .text()
            .contains(&schema.schema().to_string())
    );
    let read = |text| schema.read(&LlmResponse::text(text));
    assert_eq!(read(r#"{"a": 1}"#).unwrap().value, json!({ "a": 1 }));
    assert!(matches!(
        read(r#"{"a": "b"}"#),
        Err(AnswerError::Invalid { .. })
    ));
}

#[test]
fn a_null_of_a_property_that_is_not_listed_stays() {
    let schema = json!({
        "type": "object",
        "properties": {
            "scores": { "type": "object", "additionalProperties": { "type": "number" } },
            "steps": { "type": "array", "items": { "$ref": "#/$defs/step" } },
        },
        "$defs": { "step": {
            "type": "object",
            "properties": { "a/b": { "type": "string" } },
            "patternProperties": { "^x": { "type": "string" } },
        } },
    });
    let schema = AnswerSchema::new("scores", schema).unwrap();
    let read = |text: &str| schema.read(&LlmResponse::text(text));

    for (text, place) in [
        (r#"{"scores":{"alice":null}}"#, "/scores/alice"),
        (r#"{"steps":[{"x":null}]}"#, "/steps/0/x"),
        (r#"{"steps":[null]}"#, "/steps/0"),
    ] {
        let Err(AnswerError::Invalid {
            problems, value, ..
        }) = read(text)
        else {
            panic!("{text} was accepted");
        };
        assert_eq!(problems[0].pointer, place);
        assert_eq!(value.to_string(), text);
    }
    let answer = read(r#"{"scores":null,"steps":[{"a/b":null}]}"#).unwrap();
    assert_eq!(answer.value, json!({ "steps": [{}] }));
    assert_eq!(answer.repairs.len(), 2);
}

#[test]
fn more_nulls_than_fit_into_one_round_are_removed_in_the_next() {
    let step = json!({ "type": "object", "properties": { "why": { "type": "string" } } });
    let schema = AnswerSchema::new("steps", json!({ "type": "array", "items": step })).unwrap();
    let count = super::validate::MAX_NULLS * 2 + 1;
    let text = json!(vec![json!({ "why": null }); count]).to_string();
    let answer = schema.read(&LlmResponse::text(text)).unwrap();
    assert_eq!(answer.repairs.len(), count);
    assert_eq!(answer.value[count - 1], json!({}));
}

#[test]
fn nulls_for_absent_properties_are_removed() {
    let text = r#"{"why":"w","weight":null,"next":{"seconds":3,"why":null}}"#;
    let answer = read(&LlmResponse::text(text)).unwrap();
    assert_eq!(
        answer.value,
        json!({ "why": "w", "next": { "seconds": 3 } })
    );
    let null = |pointer: &str| Tolerated::Null {
        pointer: pointer.to_owned(),
    };
    assert_eq!(answer.repairs, [null("/next/why"), null("/weight")]);
    // A null that the schema accepts stays.
    let answer = read(&LlmResponse::text(r#"{"why":"w","next":null}"#)).unwrap();
    assert_eq!(answer.value, json!({ "why": "w", "next": null }));
    // A required property is never removed.
    let Err(AnswerError::Invalid {
        problems, value, ..
    }) = read(&LlmResponse::text(r#"{"why":null,"weight":null}"#))
    else {
        panic!("it is valid");
    };
    assert_eq!(value, json!({ "why": null }));
    assert_eq!(problems[0].pointer, "/why");
}

#[test]
fn each_kind_of_response_has_its_error() {
    let call = ToolCall {
        id: "1".into(),
        name: "t".into(),
        arguments: json!({}),
    };
    type Is = fn(&AnswerError) -> bool;
    let truncated: Is = |error| matches!(error, AnswerError::Truncated { .. });
    let not_json: Is = |error| matches!(error, AnswerError::NotJson { .. });
    let invalid: Is = |error| matches!(error, AnswerError::Invalid { .. });
    let cut = |text| LlmResponse::text(text).stopped(StopReason::MaxTokens);
    let cases: [(Is, LlmResponse); 11] = [
        (
            |error| matches!(error, AnswerError::Refusal { .. }),
            LlmResponse::text("I will not.").stopped(StopReason::Refusal),
        ),
        (truncated, cut(r#"{"why":"w"#)),
        (truncated, cut(r#"[1] {"why":"#)),
        (truncated, cut("")),
        (truncated, LlmResponse::text(r#"{"why":"w"#)),
        (
            |error| matches!(error, AnswerError::Empty { .. }),
            LlmResponse::text(" \n"),
        ),
        (
            |error| matches!(error, AnswerError::ToolCalls { .. }),
            LlmResponse::calls(vec![call]),
        ),
        (not_json, LlmResponse::text("Certainly not.")),
        (not_json, LlmResponse::text(r#"{"why":"a","why":"b"}"#)),
        (invalid, LlmResponse::text(r#"{"why":7}"#)),
        (invalid, LlmResponse::text("[]")),
    ];
    for (is, response) in cases {
        let text = response.text.clone();
        let error = read(&response).unwrap_err();
        assert!(is(&error), "{text}: {error}");
    }
    // A complete value, and white space up to the limit.
    let answer = read(&cut(&format!("{{\"why\":\"w\"}}{}", " ".repeat(50))));
    assert_eq!(answer.unwrap().value["why"], "w");
}

#[test]
fn problems_have_pointers_and_name_the_nearest_branch_of_a_union() {
    let text = r#"{"why":1,"weight":900,"next":{"seconds":"soon"}}"#;
    let Err(AnswerError::Invalid { problems, .. }) = read(&LlmResponse::text(text)) else {
        panic!("it is valid");
    };
    let mut pointers: Vec<&str> = problems.iter().map(|p| p.pointer.as_str()).collect();
    pointers.sort_unstable();
    assert_eq!(
        pointers,
        ["/next/seconds", "/weight", "/why"],
        "{problems:?}"
    );

    let many: Vec<u32> = (0..1_000).collect();
    let schema = AnswerSchema::new("words", json!({ "items": { "type": "string" } })).unwrap();
    assert_eq!(schema.problems(&json!(many)).len(), 50);
}

#[test]
fn a_problem_is_one_short_line() {
    let key = format!("a\n\u{1b}[31m{}", "long ".repeat(10_000));
    let counts = json!({ "type": "object", "additionalProperties": { "type": "integer" } });
    let colours = json!({ "additionalProperties": { "enum": ["\u{1b}[31mred"] } });
    for schema in [counts, colours] {
        let schema = AnswerSchema::new("s", schema).unwrap();
        let problems = schema.problems(&json!({ key.clone(): "x".repeat(10_000) }));
        assert_eq!(problems[0].pointer, format!("/{key}"));
        let shown = problems[0].to_string();
        assert!(
            shown.len() < 600 && !shown.contains(['\n', '\u{1b}']),
            "{shown}"
        );
    }
}

#[test]
fn the_valid_one_of_several_values_is_taken() {
    let text = "Options [1] and [2].\n{\"note\": 1}\n{\"why\": \"w\"}";
    let answer = read(&LlmResponse::text(text)).unwrap();
    assert_eq!(answer.value["why"], "w");
    assert!(answer.repairs.contains(&Tolerated::Others { count: 3 }));
}

#[test]
fn invalid_schemas_and_references_to_other_documents_are_refused() {
    for schema in [
        json!({ "type": "strung" }),
        json!({ "$ref": "https://example.com/s.json" }),
        json!({ "$ref": "file:///etc/passwd" }),
        json!({ "pattern": "(?=a)b" }),
        json!({ "pattern": "(a{1000}){1000}" }),
        json!(7),
    ] {
        let error = AnswerSchema::new("s", schema.clone()).unwrap_err();
        assert!(
            error.to_string().starts_with("the schema is invalid"),
            "{schema}"
        );
    }
    let named = AnswerSchema::new("a b/ü", Value::Object(serde_json::Map::new())).unwrap();
    assert!(format!("{named:?}").contains("a_b__"));
}

#[test]
fn a_valid_value_in_the_reasoning_counts_if_there_is_no_text() {
    let thought = |text: &str| {
        let mut response = LlmResponse::text("");
        response.reasoning.text = text.into();
        response
    };
    let answer = read(&thought("Hm.\n{\"why\": \"w\"}")).unwrap();
    assert_eq!(answer.value["why"], "w");
    for text in ["Hm. Why?", r#"{"why": 7}"#] {
        let error = read(&thought(text)).unwrap_err();
        assert_eq!(
            error.to_string(),
            format!(
                "the answer is empty: the model only reasoned, in {} bytes",
                text.len()
            )
        );
    }
    let cut = thought(r#"{"why": "w"}"#).stopped(StopReason::MaxTokens);
    assert!(matches!(read(&cut), Err(AnswerError::Truncated { .. })));
    let mut both = thought(r#"{"why": "thought"}"#);
    both.text = r#"{"why": "said"}"#.into();
    assert_eq!(read(&both).unwrap().value["why"], "said");
}
