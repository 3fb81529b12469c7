//! The shapes of answers: whole, streamed, and what services make of both.

use serde_json::{Value, json};

use super::service::{Exchange, Reply, Said};

const EVENTS: &str = "text/event-stream";
const JSON: &str = "application/json";

/// The usage that the service reports.
pub(super) fn usage() -> Value {
    json!({ "prompt_tokens": 50, "completion_tokens": 9, "total_tokens": 59 })
}

/// A message of the model.
pub(super) fn message(said: &Said) -> Value {
    match said {
        Said::Text(text) => json!({ "role": "assistant", "content": text }),
        Said::Call(arguments) => {
            json!({ "role": "assistant", "content": null, "tool_calls": [call(&json!(arguments.to_string()))] })
        }
    }
}

/// A call of the tool.
pub(super) fn call(arguments: &Value) -> Value {
    json!({ "index": 0, "id": "c1", "type": "function", "function": { "name": "read_file", "arguments": arguments } })
}

pub(super) fn finish(said: &Said) -> &'static str {
    match said {
        Said::Text(_) => "stop",
        Said::Call(_) => "tool_calls",
    }
}

/// A whole answer with that message.
pub(super) fn completion(message: &Value, finish: &str) -> Value {
    json!({
        "id": "x", "object": "chat.completion", "model": "m",
        "choices": [{ "index": 0, "message": message, "finish_reason": finish }], "usage": usage(),
    })
}

/// An event with a part of the answer.
pub(super) fn delta(part: &Value) -> Value {
    json!({ "model": "m", "choices": [{ "index": 0, "delta": part, "finish_reason": null }] })
}

/// The events of an answer whose parts are these: parts, reason to stop, usage.
pub(super) fn events(parts: &[Value], finish: &str) -> Vec<Value> {
    let mut events: Vec<Value> = parts.iter().map(delta).collect();
    events.push(
        json!({ "model": "m", "choices": [{ "index": 0, "delta": {}, "finish_reason": finish }] }),
    );
    events.push(json!({ "model": "m", "choices": [], "usage": usage() }));
    events
}

/// The parts of what the model says: a text in two halves, or a call in two pieces.
pub(super) fn parts(said: &Said) -> Vec<Value> {
    match said {
        Said::Text(text) => {
            let middle = text.floor_char_boundary(text.len() / 2);
            let (first, second) = text.split_at(middle);
            vec![
                json!({ "role": "assistant", "content": first }),
                json!({ "content": second }),
            ]
        }
        Said::Call(arguments) => {
            let text = arguments.to_string();
            let (first, second) = text.split_at(3);
            let rest = json!({ "index": 0, "function": { "arguments": second } });
            vec![
                json!({ "tool_calls": [call(&json!(first))] }),
                json!({ "tool_calls": [rest] }),
            ]
        }
    }
}

/// Events as a stream with its last marker.
pub(super) fn stream(events: &[Value]) -> Reply {
    Reply::new(200, EVENTS, format!("{}data: [DONE]\n\n", frames(events)))
}

pub(super) fn frames(events: &[Value]) -> String {
    events
        .iter()
        .map(|event| format!("data: {event}\n\n"))
        .collect()
}

/// The body as it is, in the type of a stream.
pub(super) fn raw_stream(body: impl Into<Vec<u8>>) -> Reply {
    Reply::new(200, EVENTS, body)
}

pub(super) fn document(status: u16, body: &Value) -> Reply {
    Reply::new(status, JSON, body.to_string())
}

/// What a service does that follows the protocol: a stream if one was asked for.
pub(super) fn plain(exchange: &Exchange) -> Reply {
    if is_streamed(exchange) {
        stream(&events(&parts(&exchange.said), finish(&exchange.said)))
    } else {
        document(
            200,
            &completion(&message(&exchange.said), finish(&exchange.said)),
        )
    }
}

pub(super) fn is_streamed(exchange: &Exchange) -> bool {
    exchange.body["stream"] == true
}

/// The answer with that message in place of the usual one.
pub(super) fn with_message(exchange: &Exchange, message: &Value) -> Reply {
    let finish = if message.get("tool_calls").is_some() {
        "tool_calls"
    } else {
        "stop"
    };
    if is_streamed(exchange) {
        stream(&events(std::slice::from_ref(message), finish))
    } else {
        document(200, &completion(message, finish))
    }
}

/// An error of the service.
pub(super) fn refusal(status: u16, text: &str) -> Reply {
    document(
        status,
        &json!({ "error": { "message": text, "type": "invalid_request_error" } }),
    )
}
