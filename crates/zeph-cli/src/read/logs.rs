//! `zeph logs`: the logs of the attempts of a run, or of one task.

use std::io::{self, ErrorKind, IsTerminal as _, Write as _};

use serde_json::json;
use zeph_graph::{ContentId, TaskId, TaskState};
use zeph_memory::RawGraphStore;
use zeph_runtime::RunView;

use super::explain;
use super::page::Page;
use crate::args::LogsArgs;
use crate::context::AppContext;
use crate::exit::{CliError, Exit};
use crate::out;

pub(crate) async fn run(cx: &AppContext, args: &LogsArgs) -> Result<Exit, CliError> {
    let store = cx.open_store_read_only().await?;
    let run = cx.find_run(&store, &args.run).await?;
    let view = RunView::load(&store, &run).await?;
    let only = args
        .task
        .as_deref()
        .map(|name| view.task(name))
        .transpose()?;
    let logs = select(&view, only, args.attempt)?;
    let manner = if cx.json() {
        Manner::Json
    } else if io::stdout().is_terminal() {
        Manner::Person
    } else {
        Manner::Pipe
    };
    print(&store, &view, &logs, manner).await?;
    if manner != Manner::Json {
        render_missing(&view, only, logs.is_empty());
    }
    Ok(Exit::Completed)
}

/// The attempt and the content of a log.
struct Log {
    task: TaskId,
    attempt: u32,
    content: ContentId,
}

/// The output format.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Manner {
    /// Escaped text with headers.
    Person,
    /// Bytes as they were logged; headers only between several logs.
    Pipe,
    /// One line for each stream.
    Json,
}

/// The selected logs: tasks in the order of their first start, each with its attempts in order. Linear in
/// the journal.
fn select(
    view: &RunView,
    only: Option<TaskId>,
    attempt: Option<u32>,
) -> Result<Vec<Log>, CliError> {
    let wanted = |task: TaskId| only.is_none_or(|only| only == task);
    let mut tasks: Vec<TaskId> = Vec::new();
    let mut seen = vec![false; view.graph().len()];
    for entry in &view.entries {
        if let zeph_graph::Record::Started { task, .. } = entry.record
            && wanted(task)
            && !std::mem::replace(&mut seen[task.index()], true)
        {
            tasks.push(task);
        }
    }
    let mut logs = Vec::new();
    let mut known = false;
    for (task, end) in ends(view, &tasks) {
        if attempt.is_some_and(|wanted| wanted != end.0) {
            continue;
        }
        known = true;
        if let Some(content) = end.1 {
            logs.push(Log {
                task,
                attempt: end.0,
                content,
            });
        }
    }
    match (attempt, known) {
        (Some(wanted), false) => Err(no_attempt(view, only, wanted)),
        (Some(_) | None, _) => Ok(logs),
    }
}

/// Every attempt of these tasks with its log, by task.
fn ends(view: &RunView, tasks: &[TaskId]) -> Vec<(TaskId, (u32, Option<ContentId>))> {
    let mut of: Vec<Vec<(u32, Option<ContentId>)>> = vec![Vec::new(); view.graph().len()];
    for entry in &view.entries {
        if let zeph_graph::Record::Started { task, attempt } = entry.record {
            of[task.index()].push((attempt.get(), None));
        }
        if let Some(end) = entry.record.attempt_end()
            && let Some(last) = of[end.task.index()].last_mut()
        {
            last.1 = last.1.or(end.log);
        }
    }
    let mut all = Vec::new();
    for &task in tasks {
        all.extend(of[task.index()].iter().map(|&end| (task, end)));
    }
    all
}

async fn print(
    store: &dyn RawGraphStore,
    view: &RunView,
    logs: &[Log],
    manner: Manner,
) -> Result<(), CliError> {
    let mut first = true;
    for log in logs {
        let streams = view.logs(store, log.content).await?;
        let alone = logs.len() == 1 && streams.len() == 1;
        let task = explain::name(view, log.task);
        for (stream, bytes) in streams {
            if manner == Manner::Json {
                let text = String::from_utf8_lossy(&bytes);
                out::json(&json!({
                    "run": view.run.as_str(),
                    "task": task,
                    "attempt": log.attempt,
                    "stream": stream,
                    "bytes": bytes.len(),
                    "utf8": matches!(text, std::borrow::Cow::Borrowed(_)),
                    "text": text,
                }));
                continue;
            }
            if manner == Manner::Person || !alone {
                let mut page = Page::of_width(None);
                if !std::mem::take(&mut first) {
                    page.line("");
                }
                page.line(format!("== {task}, attempt {}, {stream}", log.attempt));
                page.print();
            }
            if manner == Manner::Person {
                let mut page = Page::of_width(None);
                page.block(0, &String::from_utf8_lossy(&bytes));
                page.print();
            } else {
                raw(&bytes, alone)?;
            }
        }
    }
    Ok(())
}

/// Writes bytes unchanged; between headers they end in a line break.
fn raw(bytes: &[u8], alone: bool) -> Result<(), CliError> {
    let mut stdout = io::stdout().lock();
    let mut write = || -> io::Result<()> {
        stdout.write_all(bytes)?;
        if !alone && !bytes.ends_with(b"\n") {
            stdout.write_all(b"\n")?;
        }
        stdout.flush()
    };
    match write() {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(CliError::new(
            Exit::Internal,
            format!("cannot write to stdout: {error}"),
        )),
        Ok(()) | Err(_) => Ok(()),
    }
}

/// Reports on stderr why logs are missing.
fn render_missing(view: &RunView, only: Option<TaskId>, none: bool) {
    let running = match only {
        Some(task) => matches!(
            view.scheduler.task(task).state(),
            TaskState::Running { .. } | TaskState::Canceling { .. }
        ),
        None => view.scheduler.counts().in_flight() > 0,
    };
    let who = only.map_or(format!("run {}", view.run), |task| {
        zeph_common::escape_terminal(explain::name(view, task)).into_owned()
    });
    if running {
        out::note_line(format!(
            "{who}: what an attempt logs is saved when it ends, and one is not over"
        ));
    } else if none {
        out::note_line(format!("{who}: nothing was logged"));
    }
}

fn no_attempt(view: &RunView, only: Option<TaskId>, wanted: u32) -> CliError {
    let last = only.and_then(|task| view.scheduler.task(task).last_attempt());
    let message = match (only, last) {
        (Some(task), Some(last)) => format!(
            "{} has no attempt {wanted}: its last one is {last}",
            explain::name(view, task)
        ),
        (Some(task), None) => format!("{} has not started yet", explain::name(view, task)),
        (None, _) => format!("no task of run {} has an attempt {wanted}", view.run),
    };
    CliError::new(Exit::Usage, message)
        .code("no_such_attempt")
        .help(format!(
            "`zeph show {}` shows the tasks and their attempts",
            view.run
        ))
}
