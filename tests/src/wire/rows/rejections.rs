//! Optional fields that are rejected, failures of the service, waits.

use serde_json::json;

use super::{Row, SCENES, Want, repeated, row};
use crate::wire::service::{Exchange, Reply};
use crate::wire::shapes::{
    delta, document, events, frames, is_streamed, parts, plain, raw_stream, refusal, stream,
};

/// Optional fields that are rejected.
pub(super) fn rejections() -> Vec<Row> {
    vec![
        repeated("stream_options is unknown", |x| {
            let rejected = x.body.get("stream_options").is_some();
            let extra = json!({ "detail": [{ "type": "extra_forbidden", "loc": ["body", "stream_options"], "msg": "Extra inputs are not permitted" }] });
            if rejected {
                document(422, &extra)
            } else {
                plain(x)
            }
        }),
        repeated("max_tokens has another name", |x| {
            let text = "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead.";
            if x.body.get("max_tokens").is_some() {
                refusal(400, text)
            } else {
                plain(x)
            }
        }),
        row("no token limit at all", Want::Answer, SCENES + 2, |x| {
            let fields = ["max_tokens", "max_completion_tokens"];
            match fields
                .into_iter()
                .find(|field| x.body.get(*field).is_some())
            {
                Some(field) => refusal(
                    400,
                    &format!("unrecognized request argument supplied: {field}"),
                ),
                None => plain(x),
            }
        }),
        repeated("no response_format", |x| {
            let text = "response_format.json_schema is not supported by this model";
            if x.body.get("response_format").is_some() {
                refusal(400, text)
            } else {
                plain(x)
            }
        }),
        repeated("no system role", |x| {
            let text = "Conversation roles must alternate user/assistant/user/assistant/...";
            let system = x.body["messages"]
                .to_string()
                .contains("\"role\":\"system\"");
            if system { refusal(400, text) } else { plain(x) }
        }),
        repeated("no streams", |x| {
            let text = "streaming is not supported by this deployment";
            if is_streamed(x) {
                refusal(400, text)
            } else {
                plain(x)
            }
        }),
        repeated(
            "an error document that rejects a field, with HTTP 200",
            |x| {
                let error =
                    json!({ "error": { "message": "unknown field: stream_options", "code": 400 } });
                if x.body.get("stream_options").is_some() {
                    document(200, &error)
                } else {
                    plain(x)
                }
            },
        ),
        row("everything at once", Want::Answer, SCENES + 6, |x| {
            let fields = [
                "stream_options",
                "max_tokens",
                "max_completion_tokens",
                "response_format",
            ];
            match fields
                .into_iter()
                .find(|field| x.body.get(*field).is_some())
            {
                Some(field) => refusal(422, &format!("unknown field `{field}`")),
                None => plain(x),
            }
        }),
    ]
}

/// Fails the first request.
fn once(x: &Exchange, failure: Reply) -> Reply {
    if x.number == 0 { failure } else { plain(x) }
}

pub(super) fn failures() -> Vec<Row> {
    const CALLS: usize = 4;
    let page = &[
        "answered with `text/html` instead of an answer",
        "http://127.0.0.1:",
        "Sign in",
    ];
    vec![
        repeated("too many requests, with seconds", |x| {
            once(x, refusal(429, "slow down").header("retry-after", "0.01"))
        }),
        repeated("unavailable, with a date", |x| {
            once(
                x,
                Reply::new(503, "text/plain", "busy")
                    .header("retry-after", "Sun, 06 Nov 1994 08:49:37 GMT"),
            )
        }),
        row(
            "too many requests for days",
            Want::Free(&["slow down", "asks to wait 5d", "http://127.0.0.1:"]),
            1,
            |_| refusal(429, "slow down").header("retry-after", "432000"),
        ),
        row(
            "broken for a while, without a body",
            Want::Free(&["no reason given", "HTTP 500"]),
            CALLS,
            |_| Reply::new(500, "text/plain", ""),
        ),
        row(
            "a gateway's page",
            Want::Free(&["502 Bad Gateway", "HTTP 502"]),
            CALLS,
            |_| Reply::new(502, "text/html", "<html><h1>502 Bad Gateway</h1></html>"),
        ),
        row("a page in place of an answer", Want::Free(page), 1, |_| {
            Reply::new(
                200,
                "text/html",
                "<html><script>x()</script><h1>Sign in</h1></html>",
            )
        }),
        row(
            "an error document in place of an answer",
            Want::Free(&["No endpoints found", "http://127.0.0.1:"]),
            1,
            |_| {
                document(
                    200,
                    &json!({ "error": { "message": "No endpoints found", "code": 404 } }),
                )
            },
        ),
        row(
            "plain text in place of an answer",
            Want::Free(&["`text/plain`", "upstream is down"]),
            CALLS,
            |_| Reply::new(200, "text/plain", "upstream is down"),
        ),
        repeated("an answer that is cut once", |x| {
            once(
                x,
                raw_stream(frames(&[delta(&json!({ "content": "{\"reas" }))])),
            )
        }),
        Row {
            needs_stream: true,
            ..repeated("a silence", |x| {
                let silence = raw_stream(": begin\n\n");
                let holds = true;
                once(x, Reply { holds, ..silence })
            })
        },
        row(
            "an answer over the limit",
            Want::Failure(&["cut off"]),
            3,
            |x| stream(&events(&parts(&x.said), "length")),
        ),
    ]
}
