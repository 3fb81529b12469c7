//! Reasoning in every place, and what must go back to the service.

use serde_json::json;

use super::calls::shaped;
use super::{Row, SCENES, Want, answered, repeated, row};
use crate::wire::service::{Exchange, RESULT, Reply, Said, Scene};
use crate::wire::shapes::{call, message, plain, refusal, with_message};

/// Whether the request has this text in the message with the call.
fn gives_back(x: &Exchange, pointer: &str, text: &str) -> bool {
    let messages = x.body["messages"].as_array();
    let mut turns = messages
        .into_iter()
        .flatten()
        .filter(|turn| turn.get("tool_calls").is_some());
    turns.any(|turn| turn.pointer(pointer).is_some_and(|found| found == text))
}

/// The message with reasoning in that field.
fn thought(x: &Exchange, field: &str) -> Reply {
    let mut message = message(&x.said);
    message[field] = json!("Hm, ALPHA-99 {\"path\": \"beta.txt\"}?");
    with_message(x, &message)
}

/// The text with this in front; calls as usual.
fn preceded(x: &Exchange, thought: &str) -> Reply {
    match &x.said {
        Said::Text(text) => with_message(
            x,
            &json!({ "role": "assistant", "content": format!("{thought}{text}") }),
        ),
        Said::Call(_) => plain(x),
    }
}

pub(super) fn reasoning() -> Vec<Row> {
    vec![
        answered("reasoning_content beside the text", |x| {
            thought(x, "reasoning_content")
        }),
        answered("reasoning beside the text", |x| thought(x, "reasoning")),
        answered("reasoning in tags", |x| {
            preceded(x, "<think>\nHm, {\"tasks\": 1}.\n</think>\n\n")
        }),
        answered("reasoning in tags, twice", |x| {
            preceded(x, "<think>Hm.</think><think>Ah.</think>\n")
        }),
        answered("reasoning without its first tag", |x| {
            preceded(x, "Hm, {\"tasks\": 1}.\n</think>\n\n")
        }),
        answered("channels", |x| {
            preceded(
                x,
                "<|channel|>analysis<|message|>Hm.<|end|><|start|>assistant<|channel|>final<|message|>",
            )
        }),
        answered("reasoning that must come back", |x| {
            let is_right = gives_back(
                x,
                "/reasoning_content",
                "Hm, ALPHA-99 {\"path\": \"beta.txt\"}?",
            );
            if x.scene == Scene::Result && !is_right {
                return refusal(
                    400,
                    "The reasoning_content in the thinking mode must be passed back to the API.",
                );
            }
            thought(x, "reasoning_content")
        }),
        repeated("reasoning that must not come back", |x| {
            if x.body["messages"].to_string().contains("\"reasoning\":") {
                return refusal(
                    400,
                    "'messages.2' : for 'role:assistant' the property 'reasoning' is unsupported",
                );
            }
            thought(x, "reasoning")
        }),
        answered("a signature that must come back", |x| {
            let pointer = "/tool_calls/0/extra_content/google/thought_signature";
            if x.scene == Scene::Result && !gives_back(x, pointer, "s1") {
                return refusal(400, "Function call is missing a thought_signature");
            }
            let mut call = call(&json!("{\"path\": \"alpha.txt\"}"));
            call["extra_content"] = json!({ "google": { "thought_signature": "s1" } });
            shaped(x, &call)
        }),
        answered("a plan in the reasoning, and no text", |x| {
            match (x.scene, &x.said) {
                (Scene::Plan, Said::Text(text)) => with_message(
                    x,
                    &json!({ "role": "assistant", "content": "", "reasoning_content": text }),
                ),
                (_, _) => plain(x),
            }
        }),
        answered("a plan in the arguments of a call", |x| {
            match (x.scene, &x.said) {
                (Scene::Plan, Said::Text(text)) => with_message(
                    x,
                    &json!({ "content": null, "tool_calls": [call(&json!(text))] }),
                ),
                (_, _) => plain(x),
            }
        }),
        row(
            "a result that is only reasoning",
            Want::Failure(&["the model only reasoned, in"]),
            SCENES,
            |x| match x.scene {
                Scene::Result => {
                    with_message(x, &json!({ "content": "", "reasoning_content": RESULT }))
                }
                Scene::Plan | Scene::Call | Scene::Answer => plain(x),
            },
        ),
        row(
            "a plan that is only reasoning",
            Want::Failure(&["the model only reasoned"]),
            3,
            |x| with_message(x, &json!({ "content": "", "reasoning": "Hm." })),
        ),
    ]
}
