//! A local model service with OpenAI's protocol, which records its requests.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use serde_json::{Value, json};

/// A received request.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    /// The header `authorization`; empty without one.
    pub(crate) key: String,
    pub(crate) body: Value,
}

impl Asked {
    /// The messages, as one text.
    pub(crate) fn text(&self) -> String {
        self.body["messages"].to_string()
    }
}

/// Makes the reply: a message of the assistant, or `{"error": …}`.
pub(crate) type Say = fn(&Asked) -> Value;

/// A service that answers until the test ends.
pub(crate) struct Service {
    pub(crate) url: String,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Service {
    pub(crate) fn new(say: Say) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/v1/", listener.local_addr().unwrap());
        let asked = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&asked);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let kept = Arc::clone(&kept);
                // A client may disconnect at any time, which is no failure of the service.
                thread::spawn(move || serve(&stream, &kept, say));
            }
        });
        Self { url, asked }
    }

    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }
}

fn serve(mut stream: &TcpStream, kept: &Mutex<Vec<Asked>>, say: Say) -> Option<()> {
    let mut reader = BufReader::new(stream);
    loop {
        let (mut length, mut key) = (0, String::new());
        let mut line = String::new();
        loop {
            line.clear();
            if reader.read_line(&mut line).ok()? == 0 {
                return None;
            }
            let Some((name, value)) = line.split_once(':') else {
                if line.trim().is_empty() {
                    break;
                }
                continue;
            };
            match name.to_ascii_lowercase().as_str() {
                "content-length" => length = value.trim().parse().ok()?,
                "authorization" => value.trim().clone_into(&mut key),
                _ => {}
            }
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body).ok()?;
        let body: Value = serde_json::from_slice(&body).ok()?;
        let asked = Asked { key, body };
        kept.lock().unwrap().push(asked.clone());
        stream.write_all(&reply(&asked, say)).ok()?;
    }
}

fn reply(asked: &Asked, say: Say) -> Vec<u8> {
    let message = say(asked);
    if message.get("error").is_some() {
        return response("401 Unauthorized", "application/json", &message.to_string());
    }
    let calls = message.get("tool_calls").is_some();
    let stop = if calls { "tool_calls" } else { "stop" };
    let usage = json!({ "prompt_tokens": 50, "completion_tokens": 20, "total_tokens": 70 });
    let streams = asked.body["stream"] == true;
    let (kind, body) = if streams {
        let chunk = |choices: Value, usage: Value| {
            let chunk = json!({
                "id": "c", "object": "chat.completion.chunk", "model": "tiny",
                "choices": choices, "usage": usage,
            });
            format!("data: {chunk}\n\n")
        };
        let delta = json!([{ "index": 0, "delta": message, "finish_reason": null }]);
        let last = json!([{ "index": 0, "delta": {}, "finish_reason": stop }]);
        let parts = [
            chunk(delta, Value::Null),
            chunk(last, Value::Null),
            chunk(json!([]), usage),
            "data: [DONE]\n\n".to_owned(),
        ];
        ("text/event-stream", parts.concat())
    } else {
        let body = json!({
            "id": "c", "object": "chat.completion", "model": "tiny",
            "choices": [{ "index": 0, "message": message, "finish_reason": stop }],
            "usage": usage,
        });
        ("application/json", body.to_string())
    };
    response("200 OK", kind, &body)
}

fn response(status: &str, kind: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!("HTTP/1.1 {status}\r\ncontent-type: {kind}\r\ncontent-length: {length}\r\n\r\n{body}")
        .into_bytes()
}
