//! Bodies without the parts that a service rejects, and with what it wants back.

use serde_json::{Map, Value, json};
use zeph_llm::{
    Effort, LlmRequest, Message, OutputFormat, OutputSchema, Reasoning, ToolCall, ToolChoice,
    ToolSpec,
};

use super::anthropic::without_bounds;
use super::{Target, body};
use crate::optional::{Omitted, Optional};
use crate::wire::Wire;

fn sent(wire: Wire, request: &LlmRequest, omitted: &[Optional]) -> Value {
    let omitted: Omitted = omitted.iter().copied().collect();
    let target = Target {
        wire,
        model: "m",
        max_output_tokens: None,
        strict: false,
        limit: "max_tokens",
        seed: "seed",
        omitted: &omitted,
    };
    Value::Object(body(target, request, true).unwrap().json)
}

fn full() -> LlmRequest {
    let mut request = LlmRequest::new("Do.")
        .system("Be brief.")
        .max_output_tokens(9)
        .temperature(0.5)
        .effort(Effort::Low);
    request.seed = Some(7);
    request.tool_choice = ToolChoice::None;
    request.output(OutputFormat::Json).tool(ToolSpec {
        name: "f".into(),
        description: String::new(),
        parameters: json!({ "type": "object" }),
    })
}

#[test]
fn every_optional_part_can_be_left_out() {
    let all = sent(Wire::OpenAi, &full(), &[]);
    for (part, field) in [
        (Optional::StreamUsage, "stream_options"),
        (Optional::Limit, "max_tokens"),
        (Optional::JsonMode, "response_format"),
        (Optional::Seed, "seed"),
        (Optional::Temperature, "temperature"),
        (Optional::Effort, "reasoning_effort"),
        (Optional::ToolChoice, "tool_choice"),
    ] {
        assert!(all.get(field).is_some(), "{field}");
        let mut wanted = all.clone();
        wanted.as_object_mut().unwrap().remove(field);
        assert_eq!(sent(Wire::OpenAi, &full(), &[part]), wanted, "{part:?}");
    }
}

#[test]
fn instructions_move_into_the_first_message_of_the_user() {
    let omitted = &[Optional::SystemRole][..];
    let mut request = LlmRequest::new("Do.").system("Be brief.");
    for (wire, pointer, text) in [
        (Wire::OpenAi, "/messages/0/content", "Be brief.\n\nDo."),
        (Wire::Anthropic, "/messages/0/content", "Be brief.\n\nDo."),
        (Wire::Gemini, "/contents/0/parts/0/text", "Be brief.\n\nDo."),
    ] {
        let sent = sent(wire, &request, omitted);
        assert_eq!(sent.pointer(pointer), Some(&json!(text)), "{sent}");
        assert!(!sent.to_string().contains("system"), "{sent}");
    }
    request.messages.remove(1);
    assert_eq!(
        sent(Wire::OpenAi, &request, omitted)["messages"],
        json!([{ "role": "user", "content": "Be brief." }])
    );
}

#[test]
fn a_service_gets_back_what_it_gave_unless_it_rejects_it() {
    let call = ToolCall {
        id: "a".into(),
        name: "f".into(),
        arguments: json!({}),
    };
    let turn = |echo: Value| {
        LlmRequest::of(vec![
            Message::user("Do."),
            Message::Assistant {
                text: String::new(),
                tool_calls: vec![call.clone()],
                reasoning: Reasoning {
                    text: "Hm.".into(),
                    echo: echo.as_object().cloned().unwrap_or_else(Map::new),
                },
            },
            Message::tool(&call, "done"),
        ])
    };
    let openai = turn(json!({
        "field": "reasoning_content", "reasoning_details": [{ "type": "x" }],
        "calls": { "a": { "extra_content": { "s": 1 } } },
    }));
    let message = sent(Wire::OpenAi, &openai, &[])["messages"][1].clone();
    assert_eq!(message["reasoning_content"], "Hm.");
    assert_eq!(message["reasoning_details"], json!([{ "type": "x" }]));
    assert_eq!(message["tool_calls"][0]["extra_content"], json!({ "s": 1 }));
    let bare = sent(
        Wire::OpenAi,
        &openai,
        &[Optional::Reasoning, Optional::CallExtras],
    );
    for word in ["Hm.", "reasoning", "extra_content"] {
        assert!(!bare.to_string().contains(word), "{bare}");
    }
    // Reasoning from tags in the text was no field, and goes nowhere.
    let tagged = sent(Wire::OpenAi, &turn(json!({})), &[]);
    assert!(!tagged.to_string().contains("Hm."), "{tagged}");

    let block = json!({ "type": "thinking", "thinking": "Hm.", "signature": "s" });
    let anthropic = sent(Wire::Anthropic, &turn(json!({ "thinking": [block] })), &[]);
    assert_eq!(anthropic["messages"][1]["content"][0], block);
    assert_eq!(anthropic["messages"][1]["content"][1]["type"], "tool_use");

    let signed = turn(json!({ "calls": { "a": { "thoughtSignature": "s" } } }));
    let gemini = sent(Wire::Gemini, &signed, &[]);
    assert_eq!(gemini["contents"][1]["parts"][0]["thoughtSignature"], "s");
}

#[test]
fn a_rejected_schema_is_not_sent_again() {
    let schema = OutputSchema {
        name: "s".into(),
        schema: json!({ "type": "object" }),
    };
    let omitted = Omitted::from([Optional::Schema]);
    let target = Target {
        wire: Wire::OpenAi,
        model: "m",
        max_output_tokens: None,
        strict: false,
        limit: "max_tokens",
        seed: "seed",
        omitted: &omitted,
    };
    let request = LlmRequest::new("Do.").output(OutputFormat::Schema(schema));
    let (kind, _) = body(target, &request, true).unwrap_err();
    assert_eq!(kind, zeph_llm::ErrorKind::SchemaRejected);
}

#[test]
fn anthropic_gets_no_bounds_and_every_property() {
    let schema = |list: Value, count: Value| {
        json!({
            "type": "object",
            "properties": { "maximum": list, "n": { "anyOf": [count, { "type": "null" }] } },
            "required": ["maximum", "n"],
            "additionalProperties": false,
        })
    };
    let given = schema(
        json!({ "type": "array", "items": { "type": "number", "maximum": 1 }, "maxItems": 8 }),
        json!({ "type": "integer", "minimum": 0 }),
    );
    let sent = schema(
        json!({ "type": "array", "items": { "type": "number" } }),
        json!({ "type": "integer" }),
    );
    assert_eq!(without_bounds(&given), sent);
}

#[test]
fn each_service_gets_the_effort_in_its_own_field() {
    let request = LlmRequest::new("Do.").effort(Effort::High);
    for (wire, pointer) in [
        (Wire::OpenAi, "/reasoning_effort"),
        (Wire::Anthropic, "/output_config/effort"),
        (
            Wire::Gemini,
            "/generationConfig/thinkingConfig/thinkingLevel",
        ),
    ] {
        assert_eq!(
            sent(wire, &request, &[]).pointer(pointer),
            Some(&json!("high"))
        );
        let without = sent(wire, &request, &[Optional::Effort]);
        assert_eq!(without, sent(wire, &LlmRequest::new("Do."), &[]));
    }
}
