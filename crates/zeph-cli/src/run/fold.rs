//! Folding: what follows from one record in the same commit becomes one line.

use std::collections::{BTreeMap, BTreeSet};

use zeph_common::escape_terminal;
use zeph_graph::{
    CancelWhy, CutHow, EndingWhy, Record, SkipWhy, SuppliedWhy, TaskId, TaskOutcome, TaskState,
};
use zeph_scheduler::Event;

use crate::out::Tone;
use crate::read::not_started::{end_words, named_or_counted};
use crate::run::event_line::{Words, name};

/// The records of a commit that are shown at its end.
#[derive(Debug, Default)]
pub(super) struct Fold {
    /// The tasks that do not start, by cause.
    groups: Vec<Group>,
    /// The group of each of these tasks.
    group_of: BTreeMap<TaskId, usize>,
    /// How the other tasks of the commit ended.
    ends: BTreeMap<TaskId, &'static str>,
    /// Why the run is ending, if the commit decided that.
    ending: Option<String>,
    /// The attempts that the commit stops.
    stopped: usize,
    /// The tasks that run for each item of a list, in any commit.
    expanded: BTreeSet<TaskId>,
    /// An attempt that was cut, until the line of what follows for its task says so.
    cut: Option<Cut>,
}

#[derive(Debug)]
struct Cut {
    task: Option<TaskId>,
    how: CutHow,
    words: Words,
}

#[derive(Debug)]
struct Group {
    word: &'static str,
    tone: Tone,
    /// The cause in words.
    cause: String,
    /// Whether the end of the run is the cause.
    is_of_run: bool,
    names: Vec<String>,
}

impl Group {
    fn tasks(&self) -> String {
        named_or_counted(self.names.iter().map(String::as_str), self.names.len())
    }
}

impl Fold {
    /// Remembers a task that runs for each item of a list.
    pub(super) fn expanded(&mut self, event: &Event) {
        self.expanded.extend(event.task());
    }

    /// The end of such a task without its last attempt, which only collects the results.
    pub(super) fn of_all_items(&self, event: &Event) -> Event {
        let is_expanded = event
            .task()
            .is_some_and(|task| self.expanded.contains(&task));
        let mut event = event.clone();
        if is_expanded {
            (event.attempts, event.took) = (0, None);
        }
        event
    }

    /// Takes the event if it is shown at the end of its commit.
    pub(super) fn take(&mut self, event: &Event) -> bool {
        if let Some(end) = event.record.task_end() {
            let task = end.task;
            return match end.outcome {
                TaskOutcome::Skipped(why @ SkipWhy::Upstream(parent)) => {
                    let because = event.because.as_ref();
                    let ended = self.ends.get(&parent).copied();
                    let ended = ended.unwrap_or_else(|| end_words(TaskState::Skipped { why }));
                    let cause = || format!("{} {ended}", name(because));
                    let group = self.group_of.get(&parent).copied();
                    let group =
                        group.unwrap_or_else(|| self.group("skipped", Tone::Quiet, cause(), false));
                    self.add(task, group, event)
                }
                TaskOutcome::Canceled(why) if event.attempts == 0 => {
                    let (cause, is_of_run) = match why {
                        CancelWhy::Task => {
                            self.ends.insert(task, "was canceled");
                            return false;
                        }
                        CancelWhy::Downstream(root) if root as usize == task.index() => {
                            self.ends.insert(task, "was canceled");
                            return false;
                        }
                        CancelWhy::Downstream(_) => (
                            format!("{} was canceled", name(event.because.as_ref())),
                            false,
                        ),
                        CancelWhy::Item => (why.to_string(), false),
                        CancelWhy::Abort | CancelWhy::Run | CancelWhy::RunTimeout => {
                            (why.to_string(), true)
                        }
                    };
                    let group = self.group("canceled", Tone::Warning, cause, is_of_run);
                    self.add(task, group, event)
                }
                TaskOutcome::Failed(_) => {
                    self.ends.insert(task, "failed");
                    false
                }
                TaskOutcome::Skipped(why) => {
                    self.ends
                        .insert(task, end_words(TaskState::Skipped { why }));
                    false
                }
                TaskOutcome::Canceled(_) => {
                    self.ends.insert(task, "was canceled");
                    false
                }
                TaskOutcome::Completed(_) => false,
            };
        }
        if let Record::Ending { why } = event.record {
            let because = escape_terminal(event.because.as_deref().unwrap_or("?"));
            self.ending = Some(match why {
                EndingWhy::Abort(_) => format!("{because} failed"),
                EndingWhy::Cancel => "the run was canceled".to_owned(),
                EndingWhy::Timeout => "the run took too long".to_owned(),
            });
            return true;
        }
        if let Record::CancelRequested { .. } = event.record {
            self.stopped += 1;
        }
        false
    }

    fn group(&mut self, word: &'static str, tone: Tone, cause: String, is_of_run: bool) -> usize {
        let known = self
            .groups
            .iter()
            .position(|group| (group.word, &group.cause) == (word, &cause));
        known.unwrap_or_else(|| {
            self.groups.push(Group {
                word,
                tone,
                cause,
                is_of_run,
                names: Vec::new(),
            });
            self.groups.len() - 1
        })
    }

    fn add(&mut self, task: TaskId, group: usize, event: &Event) -> bool {
        self.group_of.insert(task, group);
        self.groups[group]
            .names
            .push(name(event.task_name.as_ref()));
        true
    }

    /// The lines to show now for an event with that line: that an attempt was cut and what follows for its
    /// task is one line.
    pub(super) fn join(&mut self, event: &Event, line: Option<Words>) -> Vec<Words> {
        let Some(mut line) = line else {
            return Vec::new();
        };
        let before = self.cut.take();
        let task = event.task();
        if let Record::AttemptCut { how, .. } = event.record {
            self.cut = Some(Cut {
                task,
                how,
                words: line,
            });
            return before.map(|cut| cut.words).into_iter().collect();
        }
        match before {
            Some(cut) if cut.task == task => {
                if let Some(how) = cut_words(cut.how) {
                    line.2.push_str(&format!("; {how}"));
                }
                vec![line]
            }
            Some(cut) => vec![cut.words, line],
            None => vec![line],
        }
    }

    /// The lines at the end of the commit.
    pub(super) fn end(&mut self) -> Vec<Words> {
        let Self {
            groups,
            ending,
            stopped,
            cut,
            expanded,
            ..
        } = std::mem::take(self);
        self.expanded = expanded;
        let mut lines: Vec<Words> = cut.map(|cut| cut.words).into_iter().collect();
        let mut of_run = Vec::new();
        for group in groups {
            if group.is_of_run && ending.is_some() {
                of_run.push(group);
            } else {
                let text = format!("{}: {}", group.tasks(), group.cause);
                lines.push((group.word, group.tone, text));
            }
        }
        if let Some(why) = ending {
            let mut parts = Vec::new();
            match stopped {
                0 => {}
                1 => parts.push("1 running task is stopped".to_owned()),
                many => parts.push(format!("{many} running tasks are stopped")),
            }
            for group in of_run {
                let does = if group.names.len() == 1 { "does" } else { "do" };
                parts.push(format!("{} {does} not start", group.tasks()));
            }
            if parts.is_empty() {
                parts.push("nothing new starts".to_owned());
            }
            lines.push(("ending", Tone::Bad, format!("{why}: {}", parts.join(", "))));
        }
        lines
    }
}

/// The line of a task that has a result of an earlier run.
pub(super) fn supplied(why: SuppliedWhy, name: &str, from: Option<&str>) -> Option<Words> {
    let run = from.map_or_else(|| "an earlier run".to_owned(), |run| format!("run {run}"));
    match why {
        // `zeph retry` says how many results are kept.
        SuppliedWhy::Kept => None,
        SuppliedWhy::Cached => Some(("cached", Tone::Good, format!("{name}: the result of {run}"))),
        SuppliedWhy::SameInputs => Some((
            "kept",
            Tone::Good,
            format!("{name}: its inputs are those of {run}"),
        )),
    }
}

/// How an attempt was cut, unless it stopped on request.
pub(super) const fn cut_words(how: CutHow) -> Option<&'static str> {
    match how {
        CutHow::Stopped => None,
        CutHow::Killed => Some("ended by force"),
        CutHow::Abandoned => Some("it did not stop and may still be at work"),
        CutHow::Lost => Some("its process ended"),
    }
}
