//! The service: reads one request per connection, knows its place in the story, and writes raw bytes.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// What the tool reads, and the results must carry.
pub(super) const FACT: &str = "ALPHA-42";
/// The result of the agent: exactly this.
pub(super) const RESULT: &str = "The file says ALPHA-42.";

/// The place of a request in the story.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scene {
    Plan,
    /// The agent's first turn: it calls its tool.
    Call,
    /// Its second turn, with the result of the tool.
    Result,
    Answer,
}

/// What the model says in a scene.
#[derive(Clone, Debug)]
pub(super) enum Said {
    Text(String),
    /// A call of `read_file` with these arguments.
    Call(Value),
}

/// A request, and what the model would say to it.
#[derive(Clone, Debug)]
pub(super) struct Exchange {
    pub(super) scene: Scene,
    pub(super) said: Said,
    /// The body of the request.
    pub(super) body: Value,
    /// How many requests came before it.
    pub(super) number: usize,
    /// How many requests of this scene came before it.
    pub(super) again: usize,
}

/// The bytes of an answer.
#[derive(Clone, Debug)]
pub(super) struct Reply {
    pub(super) head: String,
    pub(super) body: Vec<u8>,
    /// Whether the connection stays open after the body.
    pub(super) holds: bool,
    /// Whether the body comes in pieces of a few bytes.
    pub(super) trickles: bool,
}

impl Reply {
    pub(super) fn new(status: u16, kind: &str, body: impl Into<Vec<u8>>) -> Self {
        Self {
            head: format!("HTTP/1.1 {status} x\r\ncontent-type: {kind}\r\n"),
            body: body.into(),
            holds: false,
            trickles: false,
        }
    }

    pub(super) fn header(mut self, name: &str, value: &str) -> Self {
        self.head.push_str(&format!("{name}: {value}\r\n"));
        self
    }
}

/// How a row answers.
pub(super) type Plays = fn(&Exchange) -> Reply;

/// A running service.
pub(super) struct Service {
    pub(super) url: String,
    seen: Arc<Mutex<Vec<(Scene, Value)>>>,
    task: JoinHandle<()>,
}

impl Service {
    pub(super) async fn start(plays: Plays) -> Result<Self, String> {
        let listener = TcpListener::bind("127.0.0.1:0")
            .await
            .map_err(|error| error.to_string())?;
        let address = listener.local_addr().map_err(|error| error.to_string())?;
        let seen: Arc<Mutex<Vec<(Scene, Value)>>> = Arc::default();
        let kept = Arc::clone(&seen);
        let task = tokio::spawn(async move {
            while let Ok((connection, _)) = listener.accept().await {
                tokio::spawn(serve(connection, plays, Arc::clone(&kept)));
            }
        });
        Ok(Self {
            url: format!("http://{address}/v1/"),
            seen,
            task,
        })
    }

    /// The requests so far.
    pub(super) fn seen(&self) -> Vec<(Scene, Value)> {
        self.seen
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(mut connection: TcpStream, plays: Plays, seen: Arc<Mutex<Vec<(Scene, Value)>>>) {
    let Some(body) = request(&mut connection).await else {
        return;
    };
    let exchange = {
        let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
        let (scene, said) = story(&body);
        let again = seen.iter().filter(|(one, _)| *one == scene).count();
        let number = seen.len();
        seen.push((scene, body.clone()));
        Exchange {
            scene,
            said,
            body,
            number,
            again,
        }
    };
    let reply = plays(&exchange);
    let head = format!("{}connection: close\r\n\r\n", reply.head);
    if connection.write_all(head.as_bytes()).await.is_err() {
        return;
    }
    let size = if reply.trickles {
        7
    } else {
        reply.body.len().max(1)
    };
    for piece in reply.body.chunks(size) {
        if connection.write_all(piece).await.is_err() || connection.flush().await.is_err() {
            return;
        }
        if reply.trickles {
            let pause = std::future::pending::<()>();
            let _ = tokio::time::timeout(Duration::from_millis(1), pause).await;
        }
    }
    if reply.holds {
        // Until the client hangs up.
        let _ = connection.read_to_end(&mut Vec::new()).await;
    }
}

/// The JSON body of a request; `None` if it breaks off.
async fn request(connection: &mut TcpStream) -> Option<Value> {
    let mut bytes = Vec::new();
    let mut buffer = [0; 8192];
    loop {
        let read = connection
            .read(&mut buffer)
            .await
            .ok()
            .filter(|read| *read > 0)?;
        bytes.extend_from_slice(&buffer[..read]);
        let Some(at) = bytes.windows(4).position(|four| four == b"\r\n\r\n") else {
            continue;
        };
        let head = String::from_utf8_lossy(&bytes[..at]).to_lowercase();
        let length = head
            .lines()
            .find_map(|line| line.strip_prefix("content-length:")?.trim().parse().ok());
        if bytes.len() >= at + 4 + length.unwrap_or(0) {
            return serde_json::from_slice(&bytes[at + 4..]).ok();
        }
    }
}

/// The scene of a request, and what the model says in it.
fn story(body: &Value) -> (Scene, Said) {
    let messages = body["messages"].to_string();
    if body.get("tools").is_some() {
        // A call that was written as text has its result in a message of a tool as well.
        let has_result = messages.contains("\"role\":\"tool\"");
        return if has_result {
            (Scene::Result, Said::Text(RESULT.to_owned()))
        } else {
            (Scene::Call, Said::Call(json!({ "path": "alpha.txt" })))
        };
    }
    if messages.contains(FACT) {
        return (Scene::Answer, Said::Text(format!("It is {FACT} [read].")));
    }
    let task = json!({
        "name": "read", "needs": [], "kind": "agent", "agent": "reader", "prompt": "What does alpha.txt say?",
        "tools": null, "command": null, "arguments": null, "trigger": null, "on_failure": null,
        "expected_tokens": 40,
    });
    let plan = json!({ "reasoning": "One step.", "tasks": [task] });
    (Scene::Plan, Said::Text(plan.to_string()))
}
