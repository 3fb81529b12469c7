//! `zeph logs`: the logs of the attempts of a run, or of one task, also of those that run.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, IsTerminal as _};

use serde_json::json;
use zeph_executor::Bytes;
use zeph_graph::{ContentId, Record, TaskId};
use zeph_memory::RawGraphStore;
use zeph_orchestration::follow::Watcher;
use zeph_runtime::{LogDraft, RunView};

use super::explain;
use super::page::Page;
use crate::args::LogsArgs;
use crate::context::{AppContext, command};
use crate::exit::{CliError, Exit};
use crate::out;

pub(crate) async fn run(cx: &AppContext, args: &LogsArgs) -> Result<Exit, CliError> {
    let (store, mut view) = cx.load_run(Some(&args.of.run)).await?;
    let format = if cx.json() {
        LogFormat::Json
    } else if io::stdout().is_terminal() {
        LogFormat::Person
    } else {
        LogFormat::Pipe
    };
    let mut printer = Printer::new(format, args.follow);
    let mut selection = Selection::default();
    loop {
        let has_owner = cx.owner_of(&store, &view.run).await?.is_some();
        // After the owner is known to be gone nothing changes any more.
        if store.get(&view.run).await?.last_seq.get() != view.entries.len() as u64 {
            view.refresh(&store).await?;
        }
        // An id belongs to the graph of its view.
        let only = args.of.task.as_deref().map(|name| view.task(name));
        let only = only.transpose()?;
        let is_over =
            !has_owner || only.is_some_and(|task| view.scheduler.task(task).state().is_end());
        let drafts = view.log_drafts(&store, only).await?;
        let logs = selection.next(&view, only, args.attempt, drafts)?;
        let is_alone = selection.count + logs.drafts == 1;
        printer.print(&store, &view, &logs.logs, is_alone).await?;
        if !args.follow || is_over {
            if format != LogFormat::Json {
                render_missing(&view, only, &selection.tasks);
            }
            return Ok(Exit::Completed);
        }
        tokio::time::sleep(Watcher::READ_EVERY).await;
    }
}

/// The attempt and the place of a log.
struct Log {
    task: TaskId,
    attempt: u32,
    place: Place,
}

enum Place {
    /// The attempt has ended.
    Content(ContentId),
    /// The stream of an attempt whose end is not in the journal with its log.
    Draft(String, Bytes),
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

/// The logs to print next.
struct NextLogs {
    /// Tasks in the order of their first start, each with its attempts in order.
    logs: Vec<Log>,
    /// How many of them are drafts.
    drafts: usize,
}

/// Selects the logs of a run that may grow. Each log of an ended attempt is selected once.
#[derive(Default)]
struct Selection {
    /// The number of records that were read.
    read: usize,
    /// The position of each task's first start, and its last attempt so far.
    started: BTreeMap<TaskId, (usize, u32)>,
    /// The attempts whose final log was selected.
    ended: BTreeSet<(TaskId, u32)>,
    /// The number of final logs that were selected.
    count: usize,
    /// The tasks of which a log was selected.
    tasks: BTreeSet<TaskId>,
    /// Whether the attempt that is asked for has started.
    is_known: bool,
}

impl Selection {
    /// Linear in the records that are new, and in the logs of running attempts.
    fn next(
        &mut self,
        view: &RunView,
        only: Option<TaskId>,
        attempt: Option<u32>,
        drafts: Vec<LogDraft>,
    ) -> Result<NextLogs, CliError> {
        let mut logs = Vec::new();
        let new = view.entries.iter().enumerate().skip(self.read);
        for (position, entry) in new {
            if let Record::Started { task, attempt: of } = entry.record {
                let (_, last) = self.started.entry(task).or_insert((position, 0));
                *last = of.get();
                self.is_known |= only.is_none_or(|only| only == task) && attempt == Some(*last);
            }
            if let Some(end) = entry.record.attempt_end()
                && let Some(content) = end.log
            {
                let started = self.started.get(&end.task);
                logs.push(Log {
                    task: end.task,
                    attempt: started.map_or(0, |(_, last)| *last),
                    place: Place::Content(content),
                });
            }
        }
        self.read = view.entries.len();
        if let Some(wanted) = attempt.filter(|_| !self.is_known) {
            return Err(no_attempt(view, only, wanted));
        }
        let is_wanted = |log: &Log| {
            only.is_none_or(|only| only == log.task)
                && attempt.is_none_or(|wanted| wanted == log.attempt)
        };
        logs.retain(is_wanted);
        self.count += logs.len();
        self.ended
            .extend(logs.iter().map(|log| (log.task, log.attempt)));
        let final_logs = logs.len();
        for draft in drafts {
            let (task, attempt) = (draft.task, draft.attempt.get());
            let log = Log {
                task,
                attempt,
                place: Place::Draft(draft.stream, draft.bytes),
            };
            // The end of the attempt may have been saved after the drafts were read.
            if is_wanted(&log) && !self.ended.contains(&(task, attempt)) {
                logs.push(log);
            }
        }
        let drafts = logs.len() - final_logs;
        self.tasks.extend(logs.iter().map(|log| log.task));
        let first = |log: &Log| self.started.get(&log.task).map(|(first, _)| *first);
        logs.sort_by_key(|log| (first(log), log.attempt));
        Ok(NextLogs { logs, drafts })
    }
}

/// Prints logs; when it follows them, only what is new.
struct Printer {
    format: LogFormat,
    follows: bool,
    /// What was printed of each stream of a running attempt, when it follows.
    printed: BTreeMap<StreamOf, Bytes>,
    /// The stream that was printed last.
    last: Option<StreamOf>,
}

/// The names of a task and of a stream, and the attempt between them.
type StreamOf = (String, u32, String);

impl Printer {
    const fn new(format: LogFormat, follows: bool) -> Self {
        Self {
            format,
            follows,
            printed: BTreeMap::new(),
            last: None,
        }
    }

    async fn print(
        &mut self,
        store: &dyn RawGraphStore,
        view: &RunView,
        logs: &[Log],
        is_alone: bool,
    ) -> Result<(), CliError> {
        for log in logs {
            let streams = match &log.place {
                Place::Content(id) => view.logs(store, *id).await?,
                Place::Draft(stream, bytes) => vec![(stream.clone(), bytes.clone())],
            };
            let is_alone = is_alone && streams.len() == 1;
            for (stream, bytes) in streams {
                self.print_stream(view, log, stream, &bytes, is_alone);
            }
            if let Place::Content(_) = log.place
                && self.follows
            {
                let of = (explain::name(view, log.task), log.attempt);
                self.printed
                    .retain(|(task, attempt, _), _| (&**task, *attempt) != of);
            }
        }
        Ok(())
    }

    fn print_stream(
        &mut self,
        view: &RunView,
        log: &Log,
        stream: String,
        bytes: &Bytes,
        is_alone: bool,
    ) {
        let task = explain::name(view, log.task);
        let of = (task.to_owned(), log.attempt, stream);
        let mut new = bytes.clone();
        if self.follows {
            let before = self.printed.insert(of.clone(), bytes.clone());
            new = before.map_or(new, |before| what_is_new(&before, bytes));
            if new.is_empty() {
                return;
            }
        }
        let (_, attempt, stream) = &of;
        let text = String::from_utf8_lossy(&new);
        if self.format == LogFormat::Json {
            out::json(&json!({
                "run": view.run.as_str(),
                "task": task,
                "attempt": attempt,
                "stream": stream,
                "bytes": new.len(),
                "utf8": matches!(text, Cow::Borrowed(_)),
                "final": matches!(log.place, Place::Content(_)),
                "text": text,
            }));
            return;
        }
        let mut page = Page::of_width(None);
        let is_same = self.last.as_ref() == Some(&of);
        if !is_same && (self.format == LogFormat::Person || !is_alone) {
            if self.last.is_some() {
                page.line("");
            }
            let so_far = match log.place {
                Place::Content(_) => "",
                Place::Draft(..) => ", so far",
            };
            page.line(format!("== {task}, attempt {attempt}, {stream}{so_far}"));
        }
        if self.format == LogFormat::Person {
            page.block(0, &text);
        }
        page.print();
        if self.format == LogFormat::Pipe {
            out::bytes(&new);
            if !is_alone && !self.follows && !new.ends_with(b"\n") {
                out::bytes(b"\n");
            }
        }
        self.last = Some(of);
    }
}

/// The bytes of a log that were not in it before. A log that has lost its middle since has a tail that
/// continues what was printed, or a gap, which its own mark shows.
fn what_is_new(before: &Bytes, now: &Bytes) -> Bytes {
    /// So many bytes identify a place in a log.
    const LAST: usize = 256;
    if let Some(rest) = now.strip_prefix(&before[..]) {
        return now.slice_ref(rest);
    }
    let same = before.iter().zip(now).take_while(|(a, b)| a == b).count();
    let last = &before[before.len().saturating_sub(LAST)..];
    let at = now
        .windows(last.len().max(1))
        .rposition(|window| window == last);
    now.slice(at.map_or(same, |at| at + last.len())..)
}

/// Reports on stderr why logs are missing.
fn render_missing(view: &RunView, only: Option<TaskId>, logged: &BTreeSet<TaskId>) {
    let is_missing = |id: &TaskId| only.is_none_or(|only| only == *id) && !logged.contains(id);
    let is_running = view.scheduler.in_flight().any(|id| is_missing(&id));
    let who = only.map_or(format!("run {}", view.run), |task| {
        zeph_common::escape_terminal(explain::name(view, task)).into_owned()
    });
    if is_running {
        let text = "nothing that a running attempt logged is saved yet";
        out::note_line(format!("{who}: {text}"));
    } else if logged.is_empty() {
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

#[cfg(test)]
mod tests {
    use super::{Log, Place, Selection, what_is_new};
    use crate::read::fixtures::ScriptedRun;
    use zeph_executor::Bytes;
    use zeph_graph::{Policy, Task, TaskGraph};

    #[tokio::test]
    async fn a_log_of_a_growing_run_is_selected_once_and_a_record_read_once() {
        let mut graph = TaskGraph::new();
        let names = ["first", "second", "third"];
        for name in names {
            graph.add_task(Task::new(name).action("do"), []);
        }
        let mut story = ScriptedRun::new(graph, Policy::default());
        for (millis, name) in [(1, "third"), (2, "first"), (3, "second")] {
            story.complete(millis, name, "1", b"line");
        }
        let (_, mut view) = story.stored().await;
        let whole = std::mem::take(&mut view.entries);
        let mut selection = Selection::default();
        let mut logs: Vec<Log> = Vec::new();
        for entry in whole {
            view.entries.push(entry);
            let before = selection.read;
            // The second look finds nothing new.
            for _ in 0..2 {
                let mut next = selection.next(&view, None, None, Vec::new()).unwrap();
                logs.append(&mut next.logs);
            }
            assert_eq!(selection.read, before + 1);
        }
        let name = |log: &Log| view.graph().task(log.task).name();
        let order: Vec<&str> = logs.iter().map(name).collect();
        assert_eq!(order, ["third", "first", "second"]);
        assert!(
            logs.iter()
                .all(|log| matches!(log.place, Place::Content(_)))
        );
        assert_eq!((selection.count, selection.tasks.len()), (3, 3));
        // All at once they come in the order of their starts.
        let mut all = Selection::default();
        let all = all.next(&view, None, None, Vec::new()).unwrap();
        let order: Vec<&str> = all.logs.iter().map(name).collect();
        assert_eq!(order, names);
        assert_eq!(all.drafts, 0);
    }

    #[test]
    fn only_what_is_new_is_printed_also_after_a_cut() {
        let new = |before: &str, now: &str| {
            let (before, now) = (Bytes::from(before.to_owned()), Bytes::from(now.to_owned()));
            String::from_utf8_lossy(&what_is_new(&before, &now)).into_owned()
        };
        assert_eq!(new("", "one\n"), "one\n");
        assert_eq!(new("one\n", "one\ntwo\n"), "two\n");
        assert_eq!(new("one\n", "one\n"), "");
        let line = |n: u32| format!("line {n}\n");
        let whole: String = (0..90).map(line).collect();
        let cut = |from: u32, to: u32| {
            let tail: String = (from..to).map(line).collect();
            format!(
                "{}\n… 300 bytes cut …\n{tail}",
                (0..9).map(line).collect::<String>()
            )
        };
        assert_eq!(new(&whole, &cut(50, 92)), line(90) + &line(91));
        assert_eq!(new(&cut(50, 92), &cut(60, 93)), line(92));
        let gap = new(&whole, &cut(95, 99));
        assert!(gap.starts_with("\n… 300 bytes cut …\nline 95"), "{gap}");
    }
}
