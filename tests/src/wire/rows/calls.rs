//! Tool calls off the standard, and written as text.

use serde_json::{Value, json};

use super::{Row, SCENES, Want, answered, row};
use crate::wire::service::{Exchange, Reply, Said, Scene};
use crate::wire::shapes::{call, events, is_streamed, message, plain, stream, with_message};

/// The call of the tool, in this shape; everything else as usual.
pub(super) fn shaped(x: &Exchange, call: &Value) -> Reply {
    match x.scene {
        Scene::Call => with_message(
            x,
            &json!({ "role": "assistant", "content": null, "tool_calls": [call] }),
        ),
        Scene::Plan | Scene::Result | Scene::Answer => plain(x),
    }
}

/// The call of the tool, written as this text.
fn written(x: &Exchange, text: &str) -> Reply {
    match x.scene {
        Scene::Call => with_message(x, &json!({ "role": "assistant", "content": text })),
        Scene::Plan | Scene::Result | Scene::Answer => plain(x),
    }
}

/// The pieces of the call, in this shape.
fn pieces(x: &Exchange, pieces: &[Value]) -> Reply {
    match x.scene {
        Scene::Call if is_streamed(x) => {
            let parts: Vec<Value> = pieces
                .iter()
                .map(|piece| json!({ "tool_calls": [piece] }))
                .collect();
            stream(&events(&parts, "tool_calls"))
        }
        Scene::Call | Scene::Plan | Scene::Result | Scene::Answer => plain(x),
    }
}

/// Tool calls off the standard.
pub(super) fn calls() -> Vec<Row> {
    vec![
        answered("arguments as an object", |x| {
            shaped(x, &call(&json!({ "path": "alpha.txt" })))
        }),
        answered("arguments as text in text", |x| {
            shaped(x, &call(&json!("\"{\\\"path\\\": \\\"alpha.txt\\\"}\"")))
        }),
        answered("arguments in a fence, with a trailing comma", |x| {
            shaped(x, &call(&json!("```json\n{\"path\": \"alpha.txt\",}\n```")))
        }),
        answered("a call without id and index, that ends with stop", |x| {
            let arguments = json!({ "path": "alpha.txt" }).to_string();
            let call = json!({ "function": { "name": "read_file", "arguments": arguments } });
            match x.scene {
                Scene::Call if is_streamed(x) => {
                    stream(&events(&[json!({ "tool_calls": [call] })], "stop"))
                }
                Scene::Call | Scene::Plan | Scene::Result | Scene::Answer => shaped(x, &call),
            }
        }),
        answered("pieces with a new id and the name each time", |x| {
            let piece = |id: &str, part: &str| json!({ "index": 0, "id": id, "function": { "name": "read_file", "arguments": part } });
            pieces(x, &[piece("a", "{\"path\":"), piece("b", "\"alpha.txt\"}")])
        }),
        answered("pieces without an index", |x| {
            pieces(
                x,
                &[
                    json!({ "id": "a", "function": { "name": "read_file", "arguments": "" } }),
                    json!({ "function": { "arguments": "{\"path\":" } }),
                    json!({ "id": "", "function": { "arguments": "\"alpha.txt\"}" } }),
                ],
            )
        }),
        answered("two calls with one index and one id", |x| {
            let call = json!({ "index": 0, "id": "call", "function": { "name": "read_file", "arguments": "{\"path\":\"alpha.txt\"}" } });
            let other = json!({ "index": 0, "id": "other", "function": { "name": "read_file", "arguments": "{\"path\":\"alpha.txt\" }" } });
            pieces(x, &[call, other])
        }),
        row(
            "empty arguments, then the right ones",
            Want::Answer,
            SCENES + 1,
            |x| {
                let is_first = x.scene == Scene::Call && x.again == 0;
                if is_first {
                    return shaped(x, &call(&json!("")));
                }
                let has_failed = x.body["messages"]
                    .to_string()
                    .contains("do not fit the schema");
                let tries = x.body["messages"]
                    .to_string()
                    .matches("\"role\":\"tool\"")
                    .count();
                if x.scene == Scene::Result && has_failed && tries == 1 {
                    return with_message(x, &message(&Said::Call(json!({ "path": "alpha.txt" }))));
                }
                plain(x)
            },
        ),
    ]
}

/// Tool calls that are written as text.
pub(super) fn written_calls() -> Vec<Row> {
    vec![
        answered("a call written in tags", |x| {
            written(
                x,
                "<tool_call>\n{\"name\": \"read_file\", \"arguments\": {\"path\": \"alpha.txt\"}}\n</tool_call>",
            )
        }),
        answered("a call written as a function", |x| {
            written(
                x,
                "I read it.\n<function=read_file>\n<parameter=path>\nalpha.txt\n</parameter>\n</function>",
            )
        }),
        answered("a call written as bare JSON", |x| {
            written(
                x,
                "{\"name\": \"read_file\", \"parameters\": {\"path\": \"alpha.txt\"}}",
            )
        }),
        row(
            "a call written in tags that cannot be read",
            Want::Answer,
            SCENES + 1,
            |x| {
                if x.again == 0 {
                    written(x, "<tool_call>read alpha.txt</tool_call>")
                } else {
                    plain(x)
                }
            },
        ),
    ]
}
