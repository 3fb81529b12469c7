//! Narrate: from saved records to the lines that people read.

use std::collections::HashMap;
use std::sync::Arc;

use zeph_common::{Boundary, escape_terminal, format_duration, truncate};
use zeph_graph::{
    AskWhy, CutHow, EndingWhy, Fault, Output, Record, RunChange, SkipWhy, TaskEnd, TaskId,
    TaskOutcome, Timestamp,
};
use zeph_runtime::{Accepts, QuestionView};
use zeph_scheduler::Event;

use crate::out::{self, Tone};

/// The bytes of an error that a line shows.
const REASON_BYTES: usize = 240;

/// A word for what happened, its colour, and the rest.
type Words = (&'static str, Tone, String);

/// One line of the story: where the run stands, a word for what happened, and the rest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Line {
    place: String,
    word: &'static str,
    tone: Tone,
    text: String,
}

impl Line {
    /// A line about the run itself.
    pub(crate) fn note(word: &'static str, tone: Tone, text: impl Into<String>) -> Self {
        Self {
            place: String::new(),
            word,
            tone,
            text: text.into(),
        }
    }
}

impl std::fmt::Display for Line {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            place,
            word,
            tone,
            text,
        } = self;
        if !place.is_empty() {
            write!(f, "{} ", Tone::Quiet.paint(place))?;
        }
        write!(f, "{} {text}", tone.paint(word))
    }
}

/// What has been told so far: enough to tell the next line.
#[derive(Debug)]
pub(crate) struct Board {
    run: String,
    total: u32,
    ended: u32,
    /// How many tasks came in that were not told yet.
    grown: u32,
    /// Whether the person can type commands about this run: it is in a database.
    is_kept: bool,
    /// What such a command has at its end.
    pub(crate) suffix: String,
    /// The run began in another process.
    pub(crate) is_resumed: bool,
    started: HashMap<TaskId, Timestamp>,
    faults: HashMap<TaskId, String>,
}

impl Board {
    pub(crate) fn new(run: &str, total: u32, ended: u32, is_kept: bool) -> Self {
        Self {
            run: run.to_owned(),
            total,
            ended,
            grown: 0,
            is_kept,
            suffix: String::new(),
            is_resumed: false,
            started: HashMap::new(),
            faults: HashMap::new(),
        }
    }

    /// The graph has so many tasks now.
    pub(crate) const fn total(&mut self, total: u32) {
        self.grown += total.saturating_sub(self.total);
        self.total = total;
    }

    /// Where the run stands: ended tasks of all.
    pub(crate) fn place(&self) -> String {
        format!("[{}/{}]", self.ended, self.total)
    }

    /// What an executor said when the task's attempt failed.
    pub(crate) fn fault(&mut self, task: TaskId, reason: &str) {
        let line = reason.lines().next().unwrap_or_default();
        let reason =
            escape_terminal(&truncate(line, REASON_BYTES, Boundary::Char).to_string()).into_owned();
        self.faults.insert(task, reason);
    }

    /// The line for a saved record, if it is worth one.
    pub(crate) fn line(&mut self, event: &Event, questions: &[QuestionView]) -> Option<Line> {
        let name = name(event.task_name.as_ref());
        if let Record::Started { task, .. } = event.record {
            self.started.insert(task, event.at);
            return None;
        }
        if event.record.task_end().is_some() {
            self.ended += 1;
        }
        let (word, tone, text) = self.words(event, &name, questions)?;
        Some(Line {
            place: self.place(),
            word,
            tone,
            text,
        })
    }

    /// What happens to a task.
    fn words(&mut self, event: &Event, name: &str, questions: &[QuestionView]) -> Option<Words> {
        if let Some(end) = event.record.task_end() {
            return Some(self.task_end(event, end, name));
        }
        if let Record::BackedOff { task, until } = event.record {
            let wait = format_duration(until.since(event.at));
            let why = self.why(task, Fault::Error);
            return Some(("retry", Tone::Warning, format!("{name} in {wait}: {why}")));
        }
        if let Record::AttemptCut { how, .. } = event.record {
            // The losses of a crash were told when the run was resumed.
            let told = how == CutHow::Lost && self.is_resumed;
            return (!told).then(|| ("stopped", Tone::Warning, cut(how, name)));
        }
        self.asides(event, name, questions)
    }

    fn task_end(&mut self, event: &Event, end: TaskEnd, name: &str) -> Words {
        let task = end.task;
        match end.outcome {
            TaskOutcome::Completed(output) => self.completed(task, output, event.at, name),
            TaskOutcome::Failed(fault) => {
                let took = self.took(task, event.at);
                let why = self.why(task, fault);
                ("FAILED", Tone::Bad, format!("{name}{took}: {why}"))
            }
            TaskOutcome::Skipped(why) => {
                let why = match why {
                    SkipWhy::Upstream(_) => {
                        let because = escape_terminal(event.because.as_deref().unwrap_or("?"));
                        format!("{because} did not complete")
                    }
                    SkipWhy::Declined => "the answer was no".to_owned(),
                };
                ("skipped", Tone::Quiet, format!("{name}: {why}"))
            }
            TaskOutcome::Canceled(why) => ("canceled", Tone::Warning, format!("{name}: {why}")),
        }
    }

    fn completed(&mut self, task: TaskId, output: Output, at: Timestamp, name: &str) -> Words {
        let took = self.took(task, at);
        let fault = self.faults.remove(&task);
        match fault.filter(|_| output == Output::Definition) {
            Some(why) => (
                "value",
                Tone::Warning,
                format!("{name}{took}: a substitute stands in: {why}"),
            ),
            None => ("ok", Tone::Good, format!("{name}{took}")),
        }
    }

    /// What happens around the tasks: questions, pauses, the beginning of the end.
    fn asides(&mut self, event: &Event, name: &str, questions: &[QuestionView]) -> Option<Words> {
        if let Some(change) = event.record.run_change() {
            return self.run_change(event, change);
        }
        if let Record::Asked { task, question, .. } = event.record {
            let open = questions.iter().find(|open| open.id == question.get())?;
            let why = self
                .faults
                .get(&task)
                .filter(|_| matches!(open.about, AskWhy::Failure(_)));
            let text = match why {
                Some(why) => format!("{} ({why})", escape_terminal(&open.text)),
                None => escape_terminal(&open.text).into_owned(),
            };
            return Some(("ask", Tone::Question, self.ask(name, open, &text)));
        }
        if let Record::Answered {
            question,
            by_default,
            ..
        } = event.record
        {
            let how = if by_default { " by its default" } else { "" };
            let text = format!("q{question} {name}{how}");
            return Some(("answered", Tone::Question, text));
        }
        if let Record::Amended { .. } = event.record {
            let text = match std::mem::take(&mut self.grown) {
                0 => format!("{name} added tasks to the run"),
                1 => format!("{name} added 1 task to the run"),
                many => format!("{name} added {many} tasks to the run"),
            };
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
                    EndingWhy::Cancel => "somebody cancelled the run".to_owned(),
                    EndingWhy::Timeout => "the run took too long".to_owned(),
                };
                let what = "nothing new starts and running work is stopped";
                ("ending", Tone::Bad, format!("{text}, so {what}"))
            }
            RunChange::Paused => (
                "paused",
                Tone::Warning,
                self.hint("nothing new starts", "unpause"),
            ),
            RunChange::Unpaused => ("unpaused", Tone::Plain, "work goes on".to_owned()),
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

    fn ask(&self, name: &str, question: &QuestionView, text: &str) -> String {
        let text = format!("q{} {name}: {text}", question.id);
        if self.is_kept {
            format!(
                "{text} → {}",
                answer_command(&self.run, question, &self.suffix)
            )
        } else {
            text
        }
    }

    fn hint(&self, text: &str, command: &str) -> String {
        if self.is_kept {
            format!("{text} → zeph {command} {}{}", self.run, self.suffix)
        } else {
            text.to_owned()
        }
    }

    fn took(&mut self, task: TaskId, at: Timestamp) -> String {
        let started = self.started.remove(&task);
        started.map_or_else(String::new, |started| {
            format!(" {}", format_duration(at.since(started)))
        })
    }

    fn why(&mut self, task: TaskId, fault: Fault) -> String {
        let reason = self.faults.remove(&task);
        reason.unwrap_or_else(|| fault.to_string())
    }
}

/// How an attempt was cut off.
fn cut(how: CutHow, name: &str) -> String {
    match how {
        CutHow::Stopped => name.to_owned(),
        CutHow::Abandoned => format!("{name}: it did not stop and may still be at work"),
        CutHow::Lost => format!("{name}: its process went away"),
    }
}

/// What to type to answer a question from anywhere.
pub(crate) fn answer_command(run: &str, question: &QuestionView, suffix: &str) -> String {
    let example = match (&question.accepts, question.accepts.choices().first()) {
        (_, Some(choice)) => out::quoted(choice),
        (Accepts::Number, None) => "42".to_owned(),
        (_, None) => "'…'".to_owned(),
    };
    format!("zeph answer {run} {} {example}{suffix}", question.id)
}

/// A task's name, safe to print.
pub(crate) fn name(name: Option<&Arc<str>>) -> String {
    escape_terminal(name.map_or("?", |name| name)).into_owned()
}

#[cfg(test)]
mod tests {
    use super::Board;
    use zeph_graph::{
        Attempt, CancelWhy, CutHow, EndingWhy, Entry, Fault, Output, Record, RunEnd, Seq, SkipWhy,
        TaskGraph, TaskId, Timestamp,
    };
    use zeph_scheduler::Event;

    /// The lines that the records lead to, without colours.
    fn told(board: &mut Board, records: &[Record]) -> Vec<String> {
        let mut graph = TaskGraph::new();
        let first = graph.add_task("a\u{202E}b", []);
        graph.add_task("next", [first]);
        let mut lines = Vec::new();
        for (index, &record) in records.iter().enumerate() {
            let at = Timestamp::from_micros(index as u64 * 1_500_000);
            let entry = Entry {
                seq: Seq::FIRST,
                at,
                record,
            };
            let line = board.line(&Event::from_entry(&entry, &graph), &[]);
            let text = line.map(|line| anstream::adapter::strip_str(&line.to_string()).to_string());
            lines.extend(text);
        }
        lines
    }

    #[test]
    fn a_failure_is_told_with_its_words_once_and_a_substitute_says_so() {
        let (task, next) = (TaskId::from_index(0), TaskId::from_index(1));
        let mut board = Board::new("r", 2, 0, true);
        board.fault(task, "no \u{1b}[31mroute\nsecond line");
        let lines = told(
            &mut board,
            &[
                Record::Started {
                    task,
                    attempt: Attempt::FIRST,
                },
                Record::Completed {
                    task,
                    output: Output::Definition,
                    log: None,
                },
                Record::Failed {
                    task: next,
                    why: Fault::AttemptTimeout,
                },
            ],
        );
        assert_eq!(
            lines,
            [
                "[1/2] value ab 1.5s: a substitute stands in: no route",
                "[2/2] FAILED next: attempt timed out",
            ]
        );
    }

    #[test]
    fn what_people_should_know_is_told_and_the_rest_is_not() {
        let (task, next) = (TaskId::from_index(0), TaskId::from_index(1));
        let cut = |how| Record::AttemptCut {
            task,
            attempt: Attempt::FIRST,
            how,
            log: None,
        };
        let mut board = Board::new("r", 2, 0, true);
        board.suffix = " --db x.db".to_owned();
        let lines = told(
            &mut board,
            &[
                Record::Opened,
                Record::Readied { task },
                Record::Paused,
                cut(CutHow::Abandoned),
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
            ],
        );
        assert_eq!(
            lines,
            [
                "[0/2] paused nothing new starts → zeph unpause r --db x.db",
                "[0/2] stopped ab: it did not stop and may still be at work",
                "[0/2] ending ab failed, so nothing new starts and running work is stopped",
                "[1/2] canceled ab: the run was cancelled",
                "[2/2] skipped next: ab did not complete",
            ]
        );
    }

    #[test]
    fn losses_are_told_unless_the_resumption_told_them() {
        let task = TaskId::from_index(0);
        let lost = [Record::AttemptCut {
            task,
            attempt: Attempt::FIRST,
            how: CutHow::Lost,
            log: None,
        }];
        let mut board = Board::new("r", 2, 0, true);
        assert_eq!(
            told(&mut board, &lost),
            ["[0/2] stopped ab: its process went away"]
        );
        board.is_resumed = true;
        assert!(told(&mut board, &lost).is_empty());
    }
}
