//! The form of an answer, and the usage in it.

use serde_json::{Value, json};

use super::{Row, answered, paid};
use crate::wire::service::{Exchange, Reply};
use crate::wire::shapes::{
    completion, document, events, finish, frames, is_streamed, message, parts, plain, raw_stream,
    stream, usage,
};

/// The frame of an answer.
pub(super) fn forms() -> Vec<Row> {
    vec![
        paid("a stream as the protocol has it", plain),
        paid("a stream without its last marker", |x| {
            raw_stream(frames(&all(x)))
        }),
        paid("a stream that stays open after its reason to stop", |x| {
            Reply {
                holds: true,
                ..raw_stream(frames(&all(x)))
            }
        }),
        paid("a whole document in place of a stream", whole),
        paid("a whole document as the only event", |x| {
            stream(&[answer(x)])
        }),
        paid("a document of several lines", |x| {
            raw_stream(format!("{:#}", answer(x)))
        }),
        paid("events as lines of JSON", |x| {
            let lines: Vec<String> = all(x).iter().map(Value::to_string).collect();
            Reply::new(200, "application/x-ndjson", lines.join("\n"))
        }),
        paid("messages in place of parts", |x| {
            let message = message(&x.said);
            let choice =
                json!({ "delta": {}, "message": message, "finish_reason": finish(&x.said) });
            stream(&[json!({ "choices": [choice], "usage": usage() })])
        }),
        paid("the whole message again after its parts", |x| {
            let mut events = all(x);
            events.push(answer(x));
            stream(&events)
        }),
        paid("a mark, comments, CR line ends, no empty lines", |x| {
            let body = frames(&all(x)).replace("\n\n", "\r: ping\r");
            raw_stream(format!("\u{feff}: begin\r\r{body}data: [DONE]"))
        }),
        paid("an answer that trickles", |x| Reply {
            trickles: true,
            ..plain(x)
        }),
        answered("halves of surrogate pairs in reasoning", |x| {
            let half = r#"{"choices":[{"delta":{"reasoning_content":"\ud83d"}}]}"#;
            let rest = r#"{"choices":[{"delta":{"reasoning_content":"\ude00 \udc00"}}]}"#;
            raw_stream(format!(
                "data: {half}\n\ndata: {rest}\n\n{}data: [DONE]\n\n",
                frames(&all(x))
            ))
        }),
    ]
}

pub(super) fn all(x: &Exchange) -> Vec<Value> {
    events(&parts(&x.said), finish(&x.said))
}

fn answer(x: &Exchange) -> Value {
    completion(&message(&x.said), finish(&x.said))
}

fn whole(x: &Exchange) -> Reply {
    document(200, &answer(x))
}

/// The answer with that usage.
fn counted(x: &Exchange, counts: &Value) -> Reply {
    if !is_streamed(x) {
        let mut answer = answer(x);
        answer["usage"] = counts.clone();
        return document(200, &answer);
    }
    let mut events = all(x);
    events.pop();
    events.push(json!({ "choices": [], "usage": counts }));
    stream(&events)
}

pub(super) fn counts() -> Vec<Row> {
    vec![
        answered("no usage", |x| counted(x, &Value::Null)),
        answered("a usage of zero", |x| {
            counted(x, &json!({ "prompt_tokens": 0, "completion_tokens": 0 }))
        }),
        answered("an absurd usage", |x| {
            counted(
                x,
                &json!({ "prompt_tokens": 4_000_000_000_u32, "completion_tokens": -3 }),
            )
        }),
        answered("a usage that is no number", |x| {
            let body = frames(&all(x)).replace("\"prompt_tokens\":50", "\"prompt_tokens\":NaN");
            if is_streamed(x) {
                raw_stream(body)
            } else {
                plain(x)
            }
        }),
    ]
}
