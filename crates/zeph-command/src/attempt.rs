//! One running command: its pipes, its cancellation, its end.

use std::future::{Future, pending};
use std::pin::{Pin, pin};
use std::process::ExitStatus;
use std::time::Duration;

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, ChildStdin};
use tokio::time::{Instant, sleep_until, timeout};
use zeph_executor::{LogStream, Note, NoteKind, TaskContext, TaskError};

use crate::capture::Capture;
use crate::group::Group;

/// How long other processes of the group may finish their output after the command has ended.
const AFTER_EXIT: Duration = Duration::from_secs(1);
/// How long to wait for the pipes of a killed group. Only a process that has left the group can still have
/// them open.
pub(crate) const AFTER_KILL: Duration = Duration::from_millis(500);
/// How long a command runs before a note keeps its process group. A quick one costs no note.
const NOTE_AFTER: Duration = Duration::from_millis(100);
/// The bytes of one read.
const CHUNK: usize = 64 << 10;

/// How a command ended.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ended {
    pub(crate) status: ExitStatus,
    /// Whether it was canceled before it ended.
    pub(crate) stopped: bool,
}

#[derive(Clone, Copy, Debug)]
enum Stage {
    Running,
    Asked { deadline: Instant },
    Killed,
}

/// Runs a started command to its end. Dropping this future kills the group.
pub(crate) async fn drive(
    cx: &TaskContext,
    child: Child,
    group: Group,
    stdin: Option<Bytes>,
    capture: &mut Capture,
) -> Result<Ended, TaskError> {
    let trace = group.trace();
    let mut work = pin!(run(cx, child, group, stdin, capture));
    if let Ok(ended) = timeout(NOTE_AFTER, &mut work).await {
        return ended;
    }
    let keep_trace = async {
        let note = trace.map(|trace| Note::json(NoteKind::Process, &trace));
        if let Some(Ok(note)) = note {
            // Only an attempt that is over has no journal.
            cx.journal().note(note).await.ok();
        }
    };
    let (ended, ()) = tokio::join!(work, keep_trace);
    ended
}

async fn run(
    cx: &TaskContext,
    mut child: Child,
    group: Group,
    stdin: Option<Bytes>,
    capture: &mut Capture,
) -> Result<Ended, TaskError> {
    let feeding = feed(child.stdin.take(), stdin);
    let (out, err) = (child.stdout.take(), child.stderr.take());
    let Capture { stdout, stderr } = capture;
    let reading_out = pump(cx, LogStream::Stdout, out, |bytes| stdout.push(bytes));
    let reading_err = pump(cx, LogStream::Stderr, err, |bytes| stderr.push(bytes));
    let mut pipes = Pipes {
        open: true,
        work: pin!(async move {
            tokio::join!(feeding, reading_out, reading_err);
        }),
    };
    let (status, stage) = wait(cx, &mut child, &group, &mut pipes).await?;
    settle(cx, group, stage, &mut pipes).await;
    Ok(Ended {
        status,
        stopped: !matches!(stage, Stage::Running),
    })
}

/// The pipes of a command, until every process that holds them has closed them.
struct Pipes<'a, F> {
    open: bool,
    work: Pin<&'a mut F>,
}

impl<F: Future<Output = ()>> Pipes<'_, F> {
    /// Transfers bytes; resolves once, when all pipes are closed.
    async fn closed(&mut self) {
        if self.open {
            self.work.as_mut().await;
            self.open = false;
        } else {
            pending::<()>().await;
        }
    }
}

/// Waits for the command itself, and signals the group when the attempt is canceled or killed.
async fn wait<F: Future<Output = ()>>(
    cx: &TaskContext,
    child: &mut Child,
    group: &Group,
    pipes: &mut Pipes<'_, F>,
) -> Result<(ExitStatus, Stage), TaskError> {
    let mut stage = Stage::Running;
    loop {
        tokio::select! {
            biased;
            // An end before the cancellation counts, so it is polled first.
            status = child.wait() => return Ok((status?, stage)),
            next = advance(cx, stage) => {
                match next {
                    Stage::Running => {}
                    Stage::Asked { .. } => {
                        cx.log(LogStream::Trace, "asked the process group to stop (SIGTERM)\n");
                        group.terminate();
                    }
                    Stage::Killed => {
                        cx.log(LogStream::Trace, "killed the process group (SIGKILL)\n");
                        group.kill();
                    }
                }
                stage = next;
            }
            () = pipes.closed() => {}
        }
    }
}

/// Resolves with the next stage when it is due.
async fn advance(cx: &TaskContext, stage: Stage) -> Stage {
    let grace_over = async {
        match stage {
            Stage::Running => cx.cancelled().await,
            Stage::Asked { deadline } => sleep_until(deadline).await,
            Stage::Killed => pending().await,
        }
    };
    tokio::select! {
        biased;
        () = cx.kill_token().cancelled(), if !matches!(stage, Stage::Killed) => Stage::Killed,
        () = grace_over => match stage {
            Stage::Running => Stage::Asked { deadline: after(cx.grace()) },
            Stage::Asked { .. } | Stage::Killed => Stage::Killed,
        },
    }
}

/// The instant after a delay. A delay that overflows the clock becomes ten years.
fn after(delay: Duration) -> Instant {
    const YEARS: Duration = Duration::from_secs(10 * 365 * 86_400);
    Instant::now() + delay.min(YEARS)
}

/// After the command's own end: the rest of its output, then the end of the group.
async fn settle<F: Future<Output = ()>>(
    cx: &TaskContext,
    group: Group,
    stage: Stage,
    pipes: &mut Pipes<'_, F>,
) {
    let linger = match stage {
        Stage::Running => after(AFTER_EXIT),
        Stage::Asked { deadline } => deadline,
        Stage::Killed => Instant::now(),
    };
    if pipes.open {
        tokio::select! {
            () = pipes.closed() => {}
            () = cx.kill_token().cancelled() => {}
            () = sleep_until(linger) => {}
        }
    }
    drop(group);
    if pipes.open {
        timeout(AFTER_KILL, pipes.closed()).await.ok();
    }
}

/// Writes standard input and closes it. A command may end without reading it.
async fn feed(pipe: Option<ChildStdin>, text: Option<Bytes>) {
    if let (Some(mut pipe), Some(text)) = (pipe, text) {
        pipe.write_all(&text).await.ok();
    }
}

/// Reads one output to its end, into the log and into `keep`.
async fn pump(
    cx: &TaskContext,
    stream: LogStream,
    pipe: Option<impl AsyncRead + Unpin>,
    mut keep: impl FnMut(&[u8]),
) {
    let Some(mut pipe) = pipe else { return };
    let mut chunk = vec![0; CHUNK];
    // A read error counts as the end of the output; the exit code decides about success.
    while let Ok(count @ 1..) = pipe.read(&mut chunk).await {
        keep(&chunk[..count]);
        cx.log(stream, &chunk[..count]);
    }
}
