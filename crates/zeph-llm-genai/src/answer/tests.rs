//! Reading arbitrary bodies and events ends with an answer or an error.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::{Reader, document, whole};
use crate::error_body::ErrorBody;
use crate::events::Event;
use crate::wire::Wire;

const WIRES: [Wire; 3] = [Wire::OpenAi, Wire::Anthropic, Wire::Gemini];

/// Every name that a reader looks for, so that generated bodies reach all code.
const NAMES: &[&str] = &[
    "choices",
    "message",
    "delta",
    "content",
    "tool_calls",
    "function",
    "name",
    "arguments",
    "id",
    "index",
    "finish_reason",
    "usage",
    "prompt_tokens",
    "input_tokens",
    "output_tokens",
    "type",
    "text",
    "input",
    "content_block",
    "partial_json",
    "stop_reason",
    "candidates",
    "parts",
    "functionCall",
    "args",
    "finishReason",
    "usageMetadata",
    "promptTokenCount",
    "thoughtsTokenCount",
    "promptFeedback",
    "blockReason",
    "error",
    "code",
    "status",
    "details",
    "refusal",
    "model",
];

const WORDS: &[&str] = &[
    "text",
    "tool_use",
    "content_block_start",
    "content_block_delta",
    "message_start",
    "message_delta",
    "message_stop",
    "stop",
    "STOP",
    "refusal",
    "{\"a\":",
    "é\u{202e}",
    "",
];

fn anything() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        (0_u64..3).prop_map(Value::from),
        proptest::sample::select(WORDS).prop_map(Value::from),
    ];
    leaf.prop_recursive(7, 48, 4, |inner| {
        let names = proptest::sample::select(NAMES);
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::vec((names, inner), 0..6).prop_map(|fields| {
                let fields = fields
                    .into_iter()
                    .map(|(name, value)| (name.to_owned(), value));
                Value::Object(fields.collect())
            }),
        ]
    })
}

proptest! {
    #[test]
    fn any_json_is_an_answer_or_a_fault(value in anything()) {
        let dressed = [
            value.clone(),
            json!({ "choices": [{ "message": value, "finish_reason": value }], "usage": value }),
            json!({ "content": value, "stop_reason": value, "usage": value }),
            json!({ "candidates": [{ "content": { "parts": value } }], "usageMetadata": value }),
        ];
        for body in &dressed {
            for wire in WIRES {
                if let Ok(answer) = whole(wire, body) {
                    let mut ids: Vec<_> = answer.tool_calls.iter().map(|call| &call.id).collect();
                    ids.sort();
                    ids.dedup();
                    prop_assert_eq!(ids.len(), answer.tool_calls.len());
                }
            }
        }
        ErrorBody::read(&value.to_string()).kind(None);
        ErrorBody::of(&value).kind(Some(400));
    }

    #[test]
    fn any_events_are_read_or_a_fault(events in proptest::collection::vec(anything(), 0..8)) {
        for wire in WIRES {
            let mut reader = Reader::new(wire);
            let mut said = String::new();
            for event in &events {
                let events = [
                    event.clone(),
                    json!({ "choices": [{ "delta": event }] }),
                    json!({ "type": "content_block_delta", "index": 0, "delta": event }),
                    json!({ "type": "content_block_start", "index": 0, "content_block": event }),
                    json!({ "candidates": [{ "content": { "parts": [event] } }] }),
                ];
                for event in events {
                    said.push_str(&reader.value(&event).unwrap_or_default());
                }
            }
            said.push_str(&reader.flush());
            if let Ok(answer) = reader.finish() {
                let refused = said.is_empty();
                prop_assert!(refused || answer.text == said);
            }
        }
    }

    #[test]
    fn any_text_is_an_event_or_a_fault(text in ".*") {
        for wire in WIRES {
            let event = Event { name: String::new(), data: text.clone() };
            let _ = Reader::new(wire).event(&event);
            let _ = document(wire, &text);
        }
        ErrorBody::read(&text).kind(Some(500));
    }
}

#[test]
fn an_answer_without_end_is_given_up() {
    let long = "a".repeat(1 << 20);
    let event = json!({ "choices": [{ "delta": { "content": long } }] });
    let mut reader = Reader::new(Wire::OpenAi);
    let given = (0..64).position(|_| reader.value(&event).is_err());
    assert_eq!(given, Some(16));
}
