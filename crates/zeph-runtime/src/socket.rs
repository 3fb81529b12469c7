//! The control socket of an owner: one JSON line per request, one JSON line per reply.
//!
//! A request has an id, and an owner handles each id once: a caller whose connection broke sends the
//! same line again.

use std::collections::{HashMap, VecDeque};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::unix::UCred;
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{mpsc, oneshot, watch};
use zeph_graph::RunId;
use zeph_memory::RequestId;
use zeph_scheduler::InputOutcome;

use crate::actor::{Actor, is_for_people, is_task_of};
use crate::error::RuntimeError;
use crate::message::Message;
use crate::owner::Owners;
use crate::request::{AttributedRequest, Request};

/// The version of the protocol: incremented when an older process could misread a line.
const VERSION: u32 = 1;
/// The longest line that is read.
const MAX_LINE_BYTES: u64 = 4 << 20;
/// How long an owner waits for the line of a caller that has connected.
const LINE_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a caller waits for an owner in all.
const REPLY_TIMEOUT: Duration = Duration::from_secs(10);
/// How often a caller connects again. A process that was killed while it started a command has left its
/// lock to the child until that has executed its program, which takes less than all tries together.
const CONNECT_TRIES: u32 = 50;
const CONNECT_WAIT: Duration = Duration::from_millis(20);
/// How many requests an owner remembers.
const MAX_SEEN: usize = 1_024;

/// The fields that every version of a call has.
#[derive(Deserialize)]
struct Versioned {
    version: u32,
}

#[derive(Clone, Serialize, Deserialize)]
struct Call {
    version: u32,
    id: String,
    run: String,
    /// The request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    request: Option<Request>,
    /// The number of a request in the inbox, which is to be read again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    posted: Option<u64>,
}

/// The purpose of a call.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Ask<'a> {
    /// Whether the run is active in that process.
    IsHere,
    /// Applies a request.
    Request(&'a Request),
    /// Applies this request in the inbox of the run, unless that has been done.
    Posted(RequestId),
}

/// An owner's reply.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Reply {
    /// The request took effect and is saved.
    Accepted,
    /// The request changed nothing.
    Stale,
    /// The request is refused, for this reason.
    Refused(String),
    /// The request is refused, because it comes from a task of the run.
    OwnTask,
    /// The run is not active in that process.
    NotActive,
}

/// Serves the control socket of an engine.
pub(crate) async fn serve(listener: UnixListener, engine: mpsc::WeakSender<Message>) {
    let seen = Arc::<Mutex<Seen>>::default();
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                let (engine, seen) = (engine.clone(), Arc::clone(&seen));
                tokio::spawn(async move {
                    if let Err(error) = answer(stream, engine, &seen).await {
                        tracing::debug!(%error, "a connection to the control socket failed");
                    }
                });
            }
            Err(error) => {
                tracing::warn!(%error, "accept() failed on the control socket");
                // Most likely out of file descriptors, which are closed when attempts end.
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

async fn answer(
    stream: UnixStream,
    engine: mpsc::WeakSender<Message>,
    seen: &Mutex<Seen>,
) -> std::io::Result<()> {
    let peer = stream.peer_cred().ok();
    let (read, mut write) = stream.into_split();
    let mut line = String::new();
    let mut reader = BufReader::new(read).take(MAX_LINE_BYTES);
    tokio::time::timeout(LINE_TIMEOUT, reader.read_line(&mut line)).await??;
    let reply = match parse(&line) {
        Ok(call) if is_own_task(&call, peer.as_ref()) => Reply::OwnTask,
        Ok(call) => {
            let by = peer.map(|peer| Actor::new(Some(peer.uid()), pid_of(&peer)));
            handle_once(call, by, engine, seen).await
        }
        Err(reason) => Reply::Refused(reason),
    };
    let mut text = serde_json::to_string(&reply)?;
    text.push('\n');
    write.write_all(text.as_bytes()).await
}

/// Whether the call comes from a task of its run, which may not decide in place of a person.
fn is_own_task(call: &Call, peer: Option<&UCred>) -> bool {
    let is_guarded = match &call.request {
        Some(request) => is_for_people(request),
        None => call.posted.is_some(),
    };
    let Some(pid) = peer.and_then(pid_of).filter(|_| is_guarded) else {
        return false;
    };
    let run = call.run.parse::<RunId>();
    run.is_ok_and(|run| is_task_of(&run, pid, std::process::id()))
}

/// The process of a peer, if the system tells it. A process outside of this container has the number 0.
fn pid_of(peer: &UCred) -> Option<u32> {
    let pid = peer.pid().and_then(|pid| u32::try_from(pid).ok());
    pid.filter(|pid| *pid > 0)
}

fn parse(line: &str) -> Result<Call, String> {
    let unreadable = |error| format!("the request cannot be read: {error}");
    let Versioned { version } = serde_json::from_str(line).map_err(unreadable)?;
    if version != VERSION {
        return Err(format!(
            "the request has version {version} of the control protocol, and the process that runs \
             this run knows version {VERSION}: use the same `zeph` for both, or suspend the run \
             there and resume it with this one"
        ));
    }
    serde_json::from_str(line).map_err(unreadable)
}

/// The requests that an owner has handled or handles, with their replies.
#[derive(Default)]
struct Seen {
    replies: HashMap<String, watch::Receiver<Option<Reply>>>,
    /// The ids, oldest first.
    order: VecDeque<String>,
}

impl Seen {
    /// The reply to a request that arrived before; for a new request, the sender for its reply.
    fn enter(
        &mut self,
        id: &str,
    ) -> Result<watch::Sender<Option<Reply>>, watch::Receiver<Option<Reply>>> {
        if let Some(reply) = self.replies.get(id) {
            return Err(reply.clone());
        }
        if self.order.len() == MAX_SEEN
            && let Some(oldest) = self.order.pop_front()
        {
            self.replies.remove(&oldest);
        }
        let (sender, receiver) = watch::channel(None);
        self.order.push_back(id.to_owned());
        self.replies.insert(id.to_owned(), receiver);
        Ok(sender)
    }
}

/// Handles a call; a repeated call gets the reply of the first one.
async fn handle_once(
    call: Call,
    by: Option<Actor>,
    engine: mpsc::WeakSender<Message>,
    seen: &Mutex<Seen>,
) -> Reply {
    if call.request.is_none() {
        return handle(call, by, engine).await;
    }
    let entered = {
        let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.enter(&call.id)
    };
    match entered {
        Ok(sender) => {
            let reply = handle(call, by, engine).await;
            sender.send_replace(Some(reply.clone()));
            reply
        }
        Err(mut first) => match first.wait_for(Option::is_some).await {
            Ok(reply) => reply.clone().unwrap_or(Reply::NotActive),
            Err(_) => Reply::NotActive,
        },
    }
}

async fn handle(call: Call, by: Option<Actor>, engine: mpsc::WeakSender<Message>) -> Reply {
    let Ok(run) = call.run.parse::<RunId>() else {
        return Reply::NotActive;
    };
    let Some(engine) = engine.upgrade() else {
        return Reply::NotActive;
    };
    let (ack, outcome) = oneshot::channel();
    let message = match (call.request, call.posted) {
        (Some(request), _) => {
            let request = AttributedRequest {
                request,
                by,
                replaces: None,
            };
            Message::Request { run, request, ack }
        }
        (None, Some(posted)) => {
            let posted = RequestId::new(posted);
            Message::ReadInbox { run, posted, ack }
        }
        (None, None) => Message::Find { run, ack },
    };
    if engine.send(message).await.is_err() {
        return Reply::NotActive;
    }
    match outcome.await {
        Ok(Ok(InputOutcome::Accepted)) => Reply::Accepted,
        Ok(Ok(InputOutcome::Stale | InputOutcome::Rejected)) => Reply::Stale,
        Ok(Err(RuntimeError::Gone { .. })) | Err(_) => Reply::NotActive,
        Ok(Err(error)) => Reply::Refused(error.to_string()),
    }
}

/// Why an owner has not replied.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum NoReply {
    /// No process owns the epoch.
    NoOwner,
    /// The owner, by this name, is alive and has not replied within 10 s.
    Unresponsive(String),
}

/// Calls the owner of an epoch. Takes at most 10 s.
///
/// # Errors
/// If there is no owner, or it does not reply. A request may take effect later in the second case.
pub(crate) async fn call_owner(
    owners: &Owners,
    epoch: u64,
    run: &RunId,
    ask: Ask<'_>,
) -> Result<Reply, NoReply> {
    let call = Call {
        version: VERSION,
        id: format!("{}-{:016x}", std::process::id(), random_id()),
        run: run.to_string(),
        request: match ask {
            Ask::Request(request) => Some(request.clone()),
            Ask::IsHere | Ask::Posted(_) => None,
        },
        posted: match ask {
            Ask::Posted(id) => Some(id.get()),
            Ask::IsHere | Ask::Request(_) => None,
        },
    };
    let calls = async {
        for _ in 0..CONNECT_TRIES {
            owners.holder(epoch)?;
            // After a broken connection the call is repeated with the same id; a silent owner is no error
            // here.
            match exchange(&owners.socket_path(epoch), &call).await {
                Ok(reply) => return Some(reply),
                Err(_) => tokio::time::sleep(CONNECT_WAIT).await,
            }
        }
        None
    };
    if let Ok(Some(reply)) = tokio::time::timeout(REPLY_TIMEOUT, calls).await {
        return Ok(reply);
    }
    Err(match owners.holder(epoch) {
        Some(owner) => NoReply::Unresponsive(owner),
        None => NoReply::NoOwner,
    })
}

/// Different for any two calls of a process. Process ids separate the others.
fn random_id() -> u64 {
    use std::hash::{BuildHasher as _, RandomState};
    RandomState::new().hash_one(std::time::Instant::now())
}

async fn exchange(path: &Path, call: &Call) -> std::io::Result<Reply> {
    let mut stream = UnixStream::connect(path).await?;
    let mut text = serde_json::to_string(call)?;
    text.push('\n');
    stream.write_all(text.as_bytes()).await?;
    let mut line = String::new();
    let mut reader = BufReader::new(stream).take(MAX_LINE_BYTES);
    if reader.read_line(&mut line).await? == 0 {
        return Err(std::io::ErrorKind::UnexpectedEof.into());
    }
    let unreadable = |error| {
        Reply::Refused(format!(
            "the reply of the process that runs this run cannot be read ({error}): use the same \
             `zeph` for both"
        ))
    };
    Ok(serde_json::from_str(&line).unwrap_or_else(unreadable))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn suspend(id: &str) -> Call {
        Call {
            version: VERSION,
            id: id.into(),
            run: "r1".into(),
            request: Some(Request::Suspend),
            posted: None,
        }
    }

    #[tokio::test]
    async fn a_request_that_comes_twice_is_handled_once() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("1.sock");
        let (engine, mut messages) = mpsc::channel(8);
        let listener = UnixListener::bind(&path).expect("binds");
        let server = tokio::spawn(serve(listener, engine.downgrade()));
        let owner = async {
            let mut handled = 0;
            while let Some(message) = messages.recv().await {
                let Message::Request { request, ack, .. } = message else {
                    continue;
                };
                assert_eq!(request.request, Request::Suspend);
                assert_eq!(request.by.and_then(|by| by.pid), Some(std::process::id()));
                handled += 1;
                let _ = ack.send(Ok(InputOutcome::Accepted));
            }
            handled
        };
        let callers = async {
            let (first, again) = (suspend("a"), suspend("a"));
            let (one, two) = tokio::join!(exchange(&path, &first), exchange(&path, &again));
            assert_eq!(one.expect("replies"), Reply::Accepted);
            assert_eq!(two.expect("replies"), Reply::Accepted);
            let other = exchange(&path, &suspend("b")).await;
            assert_eq!(other.expect("replies"), Reply::Accepted);
            server.abort();
            drop(engine);
        };
        let (handled, ()) = tokio::join!(owner, callers);
        assert_eq!(handled, 2);
    }

    #[test]
    fn an_owner_forgets_the_oldest_requests() {
        let mut seen = Seen::default();
        for id in 0..=MAX_SEEN {
            assert!(seen.enter(&id.to_string()).is_ok());
        }
        assert_eq!(seen.replies.len(), MAX_SEEN);
        assert!(seen.enter("0").is_ok(), "the oldest is forgotten");
        assert!(seen.enter("2").is_err(), "a later one is not");
    }

    #[test]
    fn a_request_of_another_version_says_so() {
        let line = r#"{"version":2,"id":"a","run":"r1","request":{"op":"rewind"}}"#;
        let reason = parse(line).err().expect("is refused");
        assert!(reason.contains("version 2"), "{reason}");
        let line = r#"{"version":1,"id":"a","run":"r1","request":{"op":"rewind"}}"#;
        let reason = parse(line).err().expect("is refused");
        assert!(reason.contains("cannot be read"), "{reason}");
    }
}
