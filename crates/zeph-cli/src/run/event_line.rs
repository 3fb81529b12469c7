//! Lines for people, from events.

use std::sync::Arc;

use zeph_common::{Boundary, escape_terminal, format_duration, truncate};
use zeph_graph::{
    AskWhy, CutHow, EndingWhy, Fault, Output, Record, RunChange, SkipWhy, TaskOutcome,
};
use zeph_runtime::QuestionView;
use zeph_scheduler::Event;

use crate::context::command;
use crate::out::Tone;
use crate::read::next;

/// The bytes of an error that a line shows.
const REASON_BYTES: usize = 240;

/// The word for an event, its colour, and the rest of the line.
type Words = (&'static str, Tone, String);

/// Formats events as lines. It counts the tasks and the ended tasks, because events do not contain these
/// numbers.
#[derive(Debug)]
pub(crate) struct EventFormatter {
    pub(crate) run: String,
    /// The tasks of the graph.
    pub(crate) total: u32,
    /// The tasks that have ended.
    pub(crate) ended: u32,
    /// Whether the run is in a database, so that commands can name it.
    pub(crate) is_kept: bool,
    /// Whether the run began in another process.
    pub(crate) is_resumed: bool,
}

impl EventFormatter {
    /// The ended tasks and all tasks, as `[3/8]`.
    pub(crate) fn progress(&self) -> String {
        format!("[{}/{}]", self.ended, self.total)
    }

    /// The line for an event: the progress of the run, a word for the event, and the rest. `None` for an event
    /// without a line. `total` is the current number of tasks.
    pub(crate) fn line(
        &mut self,
        event: &Event,
        error: Option<&str>,
        question: Option<&QuestionView>,
        total: u32,
    ) -> Option<String> {
        let name = name(event.task_name.as_ref());
        let error = error.map(|error| {
            let line = error.lines().next().unwrap_or_default();
            escape_terminal(&truncate(line, REASON_BYTES, Boundary::Char).to_string()).into_owned()
        });
        if event.record.task_end().is_some() {
            self.ended += 1;
        }
        let words = if let Some(end) = event.record.task_end() {
            Some(task_end(event, end.outcome, &name, error))
        } else if let Some(change) = event.record.run_change() {
            self.run_change(event, change)
        } else {
            self.attempt_or_question(event, &name, error, question, total)
        };
        let (word, tone, text) = words?;
        let progress = Tone::Quiet.paint(self.progress());
        Some(format!("{progress} {} {text}", tone.paint(word)))
    }

    fn attempt_or_question(
        &mut self,
        event: &Event,
        name: &str,
        error: Option<String>,
        question: Option<&QuestionView>,
        total: u32,
    ) -> Option<Words> {
        if let Record::BackedOff { until, .. } = event.record {
            let wait = format_duration(until.since(event.at));
            let why = error.unwrap_or_else(|| Fault::Error.to_string());
            return Some(("retry", Tone::Warning, format!("{name} in {wait}: {why}")));
        }
        if let Record::AttemptCut { how, .. } = event.record {
            // `zeph resume` lists the attempts that a crash cut off.
            let is_listed = how == CutHow::Lost && self.is_resumed;
            return (!is_listed).then(|| ("stopped", Tone::Warning, cut(how, name)));
        }
        if let (Record::Asked { .. }, Some(open)) = (event.record, question) {
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
        if let Record::Amended { .. } = event.record {
            let text = match total.saturating_sub(self.total) {
                0 => format!("{name} added tasks to the run"),
                1 => format!("{name} added 1 task to the run"),
                many => format!("{name} added {many} tasks to the run"),
            };
            self.total = total;
            return Some(("planned", Tone::Plain, text));
        }
        None
    }

    fn run_change(&self, event: &Event, change: RunChange) -> Option<Words> {
        Some(match change {
            RunChange::Ending(why) => {
                let because = escape_terminal(event.because.as_deref().unwrap_or("?"));
                let text = match why {
                    EndingWhy::Abort(_) => format!("{because} failed"),
                    EndingWhy::Cancel => "the run was cancelled".to_owned(),
                    EndingWhy::Timeout => "the run took too long".to_owned(),
                };
                let what = "nothing new starts and running work is stopped";
                ("ending", Tone::Bad, format!("{text}, so {what}"))
            }
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
            RunChange::Opened
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
    match (outcome, error) {
        (TaskOutcome::Completed(Output::Definition), Some(why)) => (
            "value",
            Tone::Warning,
            format!("{name}{took}: a substitute value is used: {why}"),
        ),
        (TaskOutcome::Completed(_), _) => ("ok", Tone::Good, format!("{name}{took}")),
        (TaskOutcome::Failed(fault), error) => {
            let why = error.unwrap_or_else(|| fault.to_string());
            ("FAILED", Tone::Bad, format!("{name}{took}: {why}"))
        }
        (TaskOutcome::Skipped(SkipWhy::Upstream(_)), _) => {
            let because = escape_terminal(event.because.as_deref().unwrap_or("?"));
            let text = format!("{name}: {because} did not complete");
            ("skipped", Tone::Quiet, text)
        }
        (TaskOutcome::Skipped(SkipWhy::Declined), _) => {
            let text = format!("{name}: the answer was no");
            ("skipped", Tone::Quiet, text)
        }
        (TaskOutcome::Canceled(why), _) => ("canceled", Tone::Warning, format!("{name}: {why}")),
    }
}

/// The reason why an attempt was cut off.
fn cut(how: CutHow, name: &str) -> String {
    match how {
        CutHow::Stopped => name.to_owned(),
        CutHow::Killed => format!("{name}: killed, because it did not stop by itself"),
        CutHow::Abandoned => format!("{name}: it did not stop and may still be at work"),
        CutHow::Lost => format!("{name}: its process ended"),
    }
}

/// A task's name, safe to print.
pub(crate) fn name(name: Option<&Arc<str>>) -> String {
    escape_terminal(name.map_or("?", |name| name)).into_owned()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::EventFormatter;
    use zeph_graph::{
        Attempt, CancelWhy, CutHow, EndingWhy, Entry, Fault, Output, Record, RunEnd, Seq, SkipWhy,
        TaskGraph, TaskId, Timestamp,
    };
    use zeph_scheduler::EventLog;

    fn formatter() -> EventFormatter {
        EventFormatter {
            run: "r".to_owned(),
            total: 2,
            ended: 0,
            is_kept: true,
            is_resumed: false,
        }
    }

    /// The lines of the records, without colours. Each event comes with that error text.
    fn lines(
        formatter: &mut EventFormatter,
        records: &[Record],
        error: Option<&str>,
    ) -> Vec<String> {
        let mut graph = TaskGraph::new();
        let first = graph.add_task("a\u{202E}b", []);
        graph.add_task("next", [first]);
        let mut log = EventLog::default();
        let line = |(index, &record)| {
            let at = Timestamp::ZERO.after(Duration::from_millis(index as u64 * 1_500));
            let seq = Seq::FIRST;
            let event = log.event(&Entry { seq, at, record }, &graph);
            let line = formatter.line(&event, error, None, 2)?;
            Some(anstream::adapter::strip_str(&line).to_string())
        };
        records.iter().enumerate().filter_map(line).collect()
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
            ["[2/2] FAILED next: attempt timed out"]
        );
    }

    #[test]
    fn only_what_people_need_has_a_line() {
        let (task, next) = (TaskId::from_index(0), TaskId::from_index(1));
        let records = [
            Record::Opened,
            Record::Readied { task },
            Record::Paused,
            lost(task, CutHow::Abandoned),
            Record::Ending {
                why: EndingWhy::Abort(task),
            },
            Record::Canceled {
                task,
                why: CancelWhy::Run,
            },
            Record::Skipped {
                task: next,
                why: SkipWhy::Upstream(task),
            },
            Record::Ended {
                end: RunEnd::Failed,
            },
        ];
        assert_eq!(
            lines(&mut formatter(), &records, None),
            [
                "[0/2] paused nothing new starts → zeph unpause r",
                "[0/2] stopped ab: it did not stop and may still be at work",
                "[0/2] ending ab failed, so nothing new starts and running work is stopped",
                "[1/2] canceled ab: the run was cancelled",
                "[2/2] skipped next: ab did not complete",
            ]
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
