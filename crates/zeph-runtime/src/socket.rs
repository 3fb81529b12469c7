//! The owner's socket: one JSON line in, one JSON line out.

use std::path::Path;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{mpsc, oneshot};
use zeph_graph::RunId;
use zeph_scheduler::InputOutcome;

use crate::engine::Message;
use crate::owner::Owners;
use crate::request::Request;

/// The longest line that is read.
const MAX_LINE_BYTES: u64 = 4 << 20;
/// How long a peer may take to send its line, and an owner to save what it asks for.
const PATIENCE: Duration = Duration::from_secs(30);

#[derive(Serialize, Deserialize)]
struct Call {
    run: String,
    /// None asks whether the run is at work here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    request: Option<Request>,
}

/// What an owner replies.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Reply {
    /// It is saved.
    Accepted,
    /// It was about something that is over.
    Stale,
    /// It was refused.
    Refused(String),
    /// The run is not at work in that process.
    NotHere,
}

pub(crate) async fn serve(listener: UnixListener, engine: mpsc::WeakSender<Message>) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                let engine = engine.clone();
                tokio::spawn(async move {
                    let talk = tokio::time::timeout(PATIENCE, answer(stream, engine)).await;
                    if let Ok(Err(error)) = talk {
                        tracing::debug!(%error, "a peer went away");
                    }
                });
            }
            Err(error) => {
                tracing::warn!(%error, "the owner's socket takes no calls");
                // Out of file descriptors, most likely: they come back when work ends.
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

async fn answer(stream: UnixStream, engine: mpsc::WeakSender<Message>) -> std::io::Result<()> {
    let (read, mut write) = stream.into_split();
    let mut line = String::new();
    BufReader::new(read)
        .take(MAX_LINE_BYTES)
        .read_line(&mut line)
        .await?;
    let reply = match serde_json::from_str::<Call>(&line) {
        Ok(call) => pass_on(call, engine).await,
        Err(error) => Reply::Refused(format!("the request cannot be read: {error}")),
    };
    let mut text = serde_json::to_string(&reply)?;
    text.push('\n');
    write.write_all(text.as_bytes()).await
}

async fn pass_on(call: Call, engine: mpsc::WeakSender<Message>) -> Reply {
    let Ok(run) = call.run.parse::<RunId>() else {
        return Reply::NotHere;
    };
    let Some(engine) = engine.upgrade() else {
        return Reply::NotHere;
    };
    let (ack, outcome) = oneshot::channel();
    let message = match call.request {
        Some(request) => Message::Request { run, request, ack },
        None => Message::Find { run, ack },
    };
    if engine.send(message).await.is_err() {
        return Reply::NotHere;
    }
    match outcome.await {
        Ok(Ok(InputOutcome::Accepted)) => Reply::Accepted,
        Ok(Ok(InputOutcome::Stale | InputOutcome::Rejected)) => Reply::Stale,
        Ok(Err(crate::RuntimeError::Gone { .. })) | Err(_) => Reply::NotHere,
        Ok(Err(error)) => Reply::Refused(error.to_string()),
    }
}

/// How often a lock is looked at whose owner does not reply.
const LAST_BREATHS: u32 = 50;
/// How long to wait in between: starting a program takes less than that, but for a machine under load.
const LAST_BREATH: Duration = Duration::from_millis(20);

/// Calls the owner of an epoch, if it is alive.
///
/// # Errors
/// `None` if nobody holds the epoch; its name if somebody does and does not reply.
pub(crate) async fn reach(
    owners: &Owners,
    epoch: u64,
    run: &RunId,
    request: Option<&Request>,
) -> Result<Reply, Option<String>> {
    for _ in 0..LAST_BREATHS {
        if owners.holder(epoch).is_none() {
            return Err(None);
        }
        match call(&owners.socket_path(epoch), run, request).await {
            Ok(reply) => return Ok(reply),
            // A process that was killed while it started a command has left the lock to the child, for
            // the moment until that has become another program.
            Err(_) => tokio::time::sleep(LAST_BREATH).await,
        }
    }
    Err(owners.holder(epoch))
}

/// Calls an owner: asks it something of a run, or whether the run is at work there.
async fn call(path: &Path, run: &RunId, request: Option<&Request>) -> std::io::Result<Reply> {
    let talk = async {
        let mut stream = UnixStream::connect(path).await?;
        let call = Call {
            run: run.to_string(),
            request: request.cloned(),
        };
        let mut text = serde_json::to_string(&call)?;
        text.push('\n');
        stream.write_all(text.as_bytes()).await?;
        let mut line = String::new();
        BufReader::new(stream)
            .take(MAX_LINE_BYTES)
            .read_line(&mut line)
            .await?;
        Ok(serde_json::from_str(&line)?)
    };
    tokio::time::timeout(PATIENCE, talk)
        .await
        .map_err(std::io::Error::from)?
}
