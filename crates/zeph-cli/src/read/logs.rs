//! `zeph logs`: the logs of the attempts of a run, or of one task.

use std::borrow::Cow;
use std::io::{self, IsTerminal as _};

use serde_json::json;
use zeph_graph::{ContentId, Record, TaskId};
use zeph_memory::RawGraphStore;
use zeph_runtime::RunView;

use super::explain;
use super::page::Page;
use crate::args::LogsArgs;
use crate::context::{AppContext, command};
use crate::exit::{CliError, Exit};
use crate::out;

pub(crate) async fn run(cx: &AppContext, args: &LogsArgs) -> Result<Exit, CliError> {
    let (store, view) = cx.load_run(Some(&args.of.run)).await?;
    let only = args.of.task.as_deref().map(|name| view.task(name));
    let only = only.transpose()?;
    let logs = select(&view, only, args.attempt)?;
    let format = if cx.json() {
        LogFormat::Json
    } else if io::stdout().is_terminal() {
        LogFormat::Person
    } else {
        LogFormat::Pipe
    };
    print(&store, &view, &logs, format).await?;
    if format != LogFormat::Json {
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
enum LogFormat {
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
    // The position of each task's first start, and its last attempt so far.
    let mut started = vec![(usize::MAX, 0); view.graph().len()];
    let (mut logs, mut is_known) = (Vec::new(), attempt.is_none());
    for (position, entry) in view.entries.iter().enumerate() {
        if let Record::Started { task, attempt: of } = entry.record {
            let (first, last) = &mut started[task.index()];
            (*first, *last) = (position.min(*first), of.get());
            is_known |= only.is_none_or(|only| only == task) && attempt == Some(*last);
        }
        if let Some(end) = entry.record.attempt_end()
            && let Some(content) = end.log
        {
            let (task, attempt) = (end.task, started[end.task.index()].1);
            logs.push(Log {
                task,
                attempt,
                content,
            });
        }
    }
    if let Some(wanted) = attempt.filter(|_| !is_known) {
        return Err(no_attempt(view, only, wanted));
    }
    logs.retain(|log| {
        only.is_none_or(|only| only == log.task)
            && attempt.is_none_or(|wanted| wanted == log.attempt)
    });
    logs.sort_by_key(|log| started[log.task.index()].0);
    Ok(logs)
}

async fn print(
    store: &dyn RawGraphStore,
    view: &RunView,
    logs: &[Log],
    format: LogFormat,
) -> Result<(), CliError> {
    let mut first = true;
    for log in logs {
        let streams = view.logs(store, log.content).await?;
        let alone = logs.len() == 1 && streams.len() == 1;
        let task = explain::name(view, log.task);
        for (stream, bytes) in streams {
            let text = String::from_utf8_lossy(&bytes);
            if format == LogFormat::Json {
                out::json(&json!({
                    "run": view.run.as_str(),
                    "task": task,
                    "attempt": log.attempt,
                    "stream": stream,
                    "bytes": bytes.len(),
                    "utf8": matches!(text, Cow::Borrowed(_)),
                    "text": text,
                }));
                continue;
            }
            let mut page = Page::of_width(None);
            if format == LogFormat::Person || !alone {
                if !std::mem::take(&mut first) {
                    page.line("");
                }
                page.line(format!("== {task}, attempt {}, {stream}", log.attempt));
            }
            if format == LogFormat::Person {
                page.block(0, &text);
            }
            page.print();
            if format == LogFormat::Pipe {
                out::bytes(&bytes);
                if !alone && !bytes.ends_with(b"\n") {
                    out::bytes(b"\n");
                }
            }
        }
    }
    Ok(())
}

/// Reports on stderr why logs are missing.
fn render_missing(view: &RunView, only: Option<TaskId>, none: bool) {
    let mut in_flight = view.scheduler.in_flight();
    let running = in_flight.any(|id| only.is_none_or(|only| only == id));
    let who = only.map_or(format!("run {}", view.run), |task| {
        zeph_common::escape_terminal(explain::name(view, task)).into_owned()
    });
    if running {
        let text = "the log of a running attempt is saved when it ends";
        out::note_line(format!("{who}: {text}"));
    } else if none {
        out::note_line(format!("{who}: nothing was logged"));
    }
}

fn no_attempt(view: &RunView, only: Option<TaskId>, wanted: u32) -> CliError {
    let name = |task| explain::name(view, task);
    let last = only.and_then(|task| view.scheduler.task(task).last_attempt());
    let run = &view.run;
    let message = match (only, last) {
        (Some(task), Some(last)) => {
            format!(
                "{} has no attempt {wanted}: its last one is {last}",
                name(task)
            )
        }
        (Some(task), None) => format!("{} has not started yet", name(task)),
        (None, _) => format!("no task of run {run} has an attempt {wanted}"),
    };
    CliError::new(Exit::Usage, message)
        .code("no_such_attempt")
        .help(format!(
            "`{}` shows the tasks and their attempts",
            command(&["show", run.as_str()])
        ))
}
