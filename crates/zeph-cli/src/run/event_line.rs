//! Lines for people, from events.

use std::sync::Arc;

use zeph_common::{Boundary, escape_terminal, format_duration, truncate};
use zeph_graph::{
    AskWhy, CutHow, Fault, ManualEnd, Output, Record, RunChange, SkipWhy, TaskOutcome,
};
use zeph_runtime::{GraphChange, QuestionView};
use zeph_scheduler::Event;

use crate::context::command;
use crate::out::Tone;
use crate::read::{next, page};
use crate::run::fold::{Fold, cut_words, supplied};

/// The bytes of an error that a line shows.
const REASON_BYTES: usize = 240;

/// The word for an event, its colour, and the rest of the line.
pub(super) type Words = (&'static str, Tone, String);

/// Formats events as lines, and what follows at once from one event as one line. It counts the tasks and the
/// completed tasks, because events do not contain these numbers.
#[derive(Debug)]
pub(crate) struct EventFormatter {
    pub(crate) run: String,
    /// The tasks of the graph.
    pub(crate) total: u32,
    /// The tasks that have completed.
    pub(crate) completed: u32,
    /// Whether the run is in a database, so that commands can name it.
    pub(crate) is_kept: bool,
    /// Whether the run began in another process.
    pub(crate) is_resumed: bool,
    pub(super) fold: Fold,
}

/// What belongs to an event, besides its record.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct About<'a> {
    pub(crate) error: Option<&'a str>,
    pub(crate) question: Option<&'a QuestionView>,
    /// The run that made a result.
    pub(crate) from: Option<&'a str>,
    /// What a patch changed.
    pub(crate) change: Option<&'a GraphChange>,
}

impl EventFormatter {
    /// The completed tasks and all tasks, as `[3/8]`.
    pub(crate) fn progress(&self) -> String {
        format!("[{}/{}]", self.completed, self.total)
    }

    /// The lines for an event, each with the progress of the run, a word for the event, and the rest. `None`
    /// for an event without a line. `total` is the current number of tasks.
    pub(crate) fn line(&mut self, event: &Event, about: About<'_>, total: u32) -> Option<String> {
        let name = name(event.task_name.as_ref());
        let error = about.error.map(|error| {
            let line = error.lines().next().unwrap_or_default();
            escape_terminal(&truncate(line, REASON_BYTES, Boundary::Char).to_string()).into_owned()
        });
        let mut lines = Vec::new();
        if !self.fold.take(event) {
            let words = if let Some(end) = event.record.task_end() {
                self.completed += u32::from(matches!(end.outcome, TaskOutcome::Completed(_)));
                // A fallback that is not needed is the normal case.
                let is_spare = end.outcome == TaskOutcome::Skipped(SkipWhy::NotNeeded);
                let event = &self.fold.of_all_items(event);
                if let Record::Supplied { why, .. } = event.record {
                    supplied(why, &name, about.from)
                } else {
                    (!is_spare).then(|| task_end(event, end.outcome, &name, error))
                }
            } else if let Some(change) = event.record.run_change() {
                self.run_change(change, about, total)
            } else {
                self.attempt_or_question(event, &name, error, about, total)
            };
            lines = self.fold.join(event, words);
        }
        if event.ends_commit {
            lines.extend(self.fold.end());
        }
        let progress = Tone::Quiet.paint(self.progress());
        let lines = lines
            .iter()
            .map(|(word, tone, text)| format!("{progress} {} {text}", tone.paint(word)));
        let lines: Vec<String> = lines.collect();
        (!lines.is_empty()).then(|| lines.join("\n"))
    }

    fn attempt_or_question(
        &mut self,
        event: &Event,
        name: &str,
        error: Option<String>,
        about: About<'_>,
        total: u32,
    ) -> Option<Words> {
        if let Record::BackedOff { until, .. } = event.record {
            let wait = format_duration(until.since(event.at));
            let why = error.unwrap_or_else(|| Fault::Error.to_string());
            return Some(("retry", Tone::Warning, format!("{name} in {wait}: {why}")));
        }
        if let Record::FellBack { why, .. } = event.record {
            let other = self::name(event.because.as_ref());
            let why = error.unwrap_or_else(|| why.to_string());
            let text = format!("{name}: {other} runs instead: {why}");
            return Some(("fallback", Tone::Warning, text));
        }
        if let Record::AttemptCut { how, .. } = event.record {
            // `zeph resume` lists the attempts that a crash cut off.
            let is_listed = how == CutHow::Lost && self.is_resumed;
            return (!is_listed).then(|| ("stopped", Tone::Warning, cut(how, name)));
        }
        if let (Record::Asked { .. }, Some(open)) = (event.record, about.question) {
            let text = escape_terminal(&open.text);
            let text = match error.filter(|_| matches!(open.about, AskWhy::Failure(_))) {
                Some(why) => format!("q{} {name}: {text} ({why})", open.id),
                None => format!("q{} {name}: {text}", open.id),
            };
            let mut commands = next::answers(&self.run, open).into_iter();
            let text = match commands.next().filter(|_| self.is_kept) {
                Some(command) => format!("{text} → {command}"),
                None => text,
            };
            return Some(("ask", Tone::Question, text));
        }
        if let Record::Answered { question, by, .. } = event.record {
            let how = if by.is_default() {
                " by its default"
            } else {
                ""
            };
            let text = format!("q{question} {name}{how}");
            return Some(("answered", Tone::Question, text));
        }
        if let Record::Overridden {
            end: ManualEnd::Complete(_),
            ..
        } = event.record
        {
            let text = format!("{name}: its result, by hand");
            return Some(("given", Tone::Question, text));
        }
        if let Record::Expanded { count, .. } = event.record {
            self.fold.expanded(event);
            self.total = total;
            let items = page::count(count.into(), "item");
            return Some(("each", Tone::Plain, format!("{name}: {items}")));
        }
        if let Record::Amended { .. } = event.record {
            let count = self.added(total);
            let added = match about.change.map(|change| &*change.added) {
                Some([task]) => escape_terminal(task),
                Some(_) | None => count.into(),
            };
            let text = format!("extended: {name} added {added}");
            return Some(("plan", Tone::Plain, text));
        }
        None
    }

    /// How many tasks have been added, now that the run has so many.
    fn added(&mut self, total: u32) -> String {
        let before = std::mem::replace(&mut self.total, total);
        match total.saturating_sub(before) {
            0 => "tasks".to_owned(),
            1 => "1 task".to_owned(),
            many => format!("{many} tasks"),
        }
    }

    fn run_change(&mut self, change: RunChange, about: About<'_>, total: u32) -> Option<Words> {
        Some(match change {
            RunChange::Paused if self.is_kept => {
                let command = command(&["unpause", &self.run]);
                let text = format!("nothing new starts → {command}");
                ("paused", Tone::Warning, text)
            }
            RunChange::Paused => ("paused", Tone::Warning, "nothing new starts".to_owned()),
            RunChange::Unpaused => ("unpaused", Tone::Plain, "the run continues".to_owned()),
            RunChange::Budgeted(budget) => (
                "budget",
                Tone::Plain,
                format!("the run may cost {budget} in all"),
            ),
            RunChange::Amended => {
                let added = self.added(total);
                let words = about.change.map(page::change_words);
                let words = escape_terminal(words.as_ref().unwrap_or(&added));
                let text = format!("accepted by hand: {words}");
                ("plan", Tone::Plain, text)
            }
            // The line of an ending is made by the fold.
            RunChange::Ending(_)
            | RunChange::Opened
            | RunChange::Suspending
            | RunChange::Suspended
            | RunChange::Resumed
            | RunChange::Ended(_) => return None,
        })
    }
}

fn task_end(event: &Event, outcome: TaskOutcome, name: &str, error: Option<String>) -> Words {
    let took = event.took.map(|took| format!(" {}", format_duration(took)));
    let took = took.unwrap_or_default();
    let attempt = match event.attempts {
        0 | 1 => String::new(),
        number => format!(" (attempt {number})"),
    };
    match (outcome, error) {
        (TaskOutcome::Completed(Output::Definition), Some(why)) => (
            "value",
            Tone::Warning,
            format!("{name}{took}: a substitute value is used: {why}"),
        ),
        (TaskOutcome::Completed(_), _) => ("ok", Tone::Good, format!("{name}{took}{attempt}")),
        (TaskOutcome::Failed(fault), error) => {
            let why = error.unwrap_or_else(|| fault.to_string());
            // The last attempt's duration says nothing about all attempts together.
            let took = match fault {
                Fault::TaskTimeout => "",
                Fault::Error
                | Fault::Permanent
                | Fault::Refused
                | Fault::Panicked
                | Fault::AttemptTimeout
                | Fault::IdleTimeout
                | Fault::Skipped
                | Fault::Interrupted
                | Fault::Item
                | Fault::Prepare
                | Fault::Budget => &took,
            };
            ("FAILED", Tone::Bad, format!("{name}{took}{attempt}: {why}"))
        }
        // The fold has the tasks that a parent skipped.
        (TaskOutcome::Skipped(SkipWhy::Executor | SkipWhy::Condition), Some(why)) => {
            ("skipped", Tone::Quiet, format!("{name}{took}: {why}"))
        }
        (TaskOutcome::Skipped(why), _) => ("skipped", Tone::Quiet, format!("{name}: {why}")),
        (TaskOutcome::Canceled(why), _) => {
            ("canceled", Tone::Warning, format!("{name}{took}: {why}"))
        }
    }
}

/// The reason why an attempt was cut off.
fn cut(how: CutHow, name: &str) -> String {
    cut_words(how).map_or_else(|| name.to_owned(), |how| format!("{name}: {how}"))
}

/// A task's name, safe to print.
pub(crate) fn name(name: Option<&Arc<str>>) -> String {
    escape_terminal(name.map_or("?", |name| name)).into_owned()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{About, EventFormatter};
    use crate::run::fold::Fold;
    use zeph_graph::{
        Attempt, CancelWhy, CutHow, CutWhy, EndingWhy, Entry, Fault, Output, Record, RunEnd, Seq,
        SkipWhy, TaskGraph, TaskId, Timestamp,
    };
    use zeph_scheduler::EventLog;

    fn formatter() -> EventFormatter {
        EventFormatter {
            run: "r".to_owned(),
            total: 2,
            completed: 0,
            is_kept: true,
            is_resumed: false,
            fold: Fold::default(),
        }
    }

    /// The lines of the records of one commit, without colours. Each event comes with that error text.
    fn lines(
        formatter: &mut EventFormatter,
        records: &[Record],
        error: Option<&str>,
    ) -> Vec<String> {
        let mut graph = TaskGraph::new();
        let first = graph.add_task("a\u{202E}b", []);
        graph.add_task("next", [first]);
        lines_in(&graph, formatter, records, error)
    }

    fn lines_in(
        graph: &TaskGraph,
        formatter: &mut EventFormatter,
        records: &[Record],
        error: Option<&str>,
    ) -> Vec<String> {
        let mut log = EventLog::default();
        let line = |(index, &record)| {
            let at = Timestamp::ZERO.after(Duration::from_millis(index as u64 * 1_500));
            let seq = Seq::FIRST;
            let mut event = log.event(&Entry { seq, at, record }, graph);
            event.ends_commit = index + 1 == records.len();
            let line = formatter.line(
                &event,
                About {
                    error,
                    ..About::default()
                },
                2,
            )?;
            Some(anstream::adapter::strip_str(&line).to_string())
        };
        let lines: Vec<String> = records.iter().enumerate().filter_map(line).collect();
        lines
            .iter()
            .flat_map(|text| text.lines())
            .map(str::to_owned)
            .collect()
    }

    #[test]
    fn a_failure_shows_the_first_line_of_its_error_and_a_substitute_says_so() {
        let (task, next) = (TaskId::from_index(0), TaskId::from_index(1));
        let attempt = Attempt::FIRST;
        let records = [
            Record::Started { task, attempt },
            Record::AttemptFailed {
                task,
                attempt,
                fault: Fault::Error,
                error: None,
                log: None,
            },
            Record::Completed {
                task,
                output: Output::Definition,
                log: None,
            },
        ];
        let error = Some("no \u{1b}[31mroute\nsecond line");
        let mut formatter = formatter();
        assert_eq!(
            lines(&mut formatter, &records, error),
            ["[1/2] value ab 1.5s: a substitute value is used: no route"]
        );
        let failed = Record::Failed {
            task: next,
            why: Fault::AttemptTimeout,
        };
        assert_eq!(
            lines(&mut formatter, &[failed], None),
            ["[1/2] FAILED next: attempt timed out"]
        );
    }

    #[test]
    fn only_what_people_need_has_a_line() {
        let task = TaskId::from_index(0);
        let records = [
            Record::Opened,
            Record::Readied { task },
            Record::Paused,
            lost(task, CutHow::Abandoned),
            Record::Ended {
                end: RunEnd::Failed,
            },
        ];
        assert_eq!(
            lines(&mut formatter(), &records, None),
            [
                "[0/2] paused nothing new starts → zeph unpause r",
                "[0/2] stopped ab: it did not stop and may still be at work",
            ]
        );
    }

    /// A graph of a root and so many tasks behind it, each behind the one before.
    fn lines_of_chain(len: u32, records: &[Record]) -> Vec<String> {
        let mut graph = TaskGraph::new();
        let mut parent = graph.add_task("root", []);
        for number in 1..=len {
            parent = graph.add_task(format!("t{number}"), [parent]);
        }
        let mut formatter = EventFormatter {
            total: len + 1,
            ..formatter()
        };
        lines_in(&graph, &mut formatter, records, None)
    }

    #[test]
    fn what_follows_from_one_failure_is_one_line() {
        let task = TaskId::from_index;
        let failed = Record::Failed {
            task: task(0),
            why: Fault::Error,
        };
        let skipped = |index| Record::Skipped {
            task: task(index),
            why: SkipWhy::Upstream(task(index - 1)),
        };
        let canceled = |index| Record::Canceled {
            task: task(index),
            why: CancelWhy::Abort,
        };
        let ending = Record::Ending {
            why: EndingWhy::Abort(task(0)),
        };
        let stop = Record::CancelRequested {
            task: task(1),
            attempt: Attempt::FIRST,
            why: CutWhy::Cancel(CancelWhy::Abort),
        };
        let few: Vec<Record> = [failed].into_iter().chain((1..=2).map(skipped)).collect();
        assert_eq!(
            lines_of_chain(2, &few),
            [
                "[0/3] FAILED root: error",
                "[0/3] skipped t1, t2: root failed"
            ]
        );
        let many: Vec<Record> = [failed].into_iter().chain((1..=299).map(skipped)).collect();
        assert_eq!(
            lines_of_chain(299, &many),
            [
                "[0/300] FAILED root: error",
                "[0/300] skipped 299 tasks: root failed"
            ]
        );
        let aborted: Vec<Record> = [failed, ending]
            .into_iter()
            .chain((2..=12).map(canceled))
            .chain([stop])
            .collect();
        assert_eq!(
            lines_of_chain(12, &aborted),
            [
                "[0/13] FAILED root: error",
                "[0/13] ending root failed: 1 running task is stopped, 11 tasks do not start",
            ]
        );
    }

    #[test]
    fn a_stop_and_what_follows_from_it_are_one_line() {
        let task = TaskId::from_index(0);
        let why = CancelWhy::Run;
        let started = Record::Started {
            task,
            attempt: Attempt::FIRST,
        };
        let records = [
            started,
            lost(task, CutHow::Killed),
            Record::Canceled { task, why },
        ];
        assert_eq!(
            lines(&mut formatter(), &records, None),
            ["[0/2] canceled ab 1.5s: the run was canceled; ended by force"]
        );
        let records = [lost(task, CutHow::Stopped), Record::Readied { task }];
        assert_eq!(
            lines(&mut formatter(), &records, None),
            ["[0/2] stopped ab"]
        );
    }

    fn lost(task: TaskId, how: CutHow) -> Record {
        Record::AttemptCut {
            task,
            attempt: Attempt::FIRST,
            how,
            log: None,
        }
    }

    #[test]
    fn a_lost_attempt_has_a_line_unless_the_resumption_listed_it() {
        let lost = [lost(TaskId::from_index(0), CutHow::Lost)];
        let mut formatter = formatter();
        assert_eq!(
            lines(&mut formatter, &lost, None),
            ["[0/2] stopped ab: its process ended"]
        );
        formatter.is_resumed = true;
        assert!(lines(&mut formatter, &lost, None).is_empty());
    }
}
