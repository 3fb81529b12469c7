//! The time breakdown of a run and of its tasks: running, queued, waiting; one pass over the journal.

use std::time::Duration;

use serde_json::{Value, json};
use zeph_graph::{ContentId, Record, TaskId, Timestamp};
use zeph_runtime::RunView;

use super::time::micros;

/// What a task spends time on. Time without an owner of the run does not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Ready, and waiting for a slot.
    Queued,
    /// An attempt runs.
    Ran,
    /// Between two attempts, in back-off.
    BackedOff,
    /// Waiting for a person.
    Asked,
}

/// The words for the phases, in their order.
const PHASES: [&str; 4] = ["queued", "ran", "backed off", "asked"];

/// The time breakdown of a task.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Times {
    /// The start of its first attempt.
    pub(crate) started_at: Option<Timestamp>,
    /// Its end.
    pub(crate) ended_at: Option<Timestamp>,
    /// The number of started attempts.
    pub(crate) attempts: u32,
    /// The error of its last failed attempt.
    pub(crate) error: Option<ContentId>,
    spent: [Duration; PHASES.len()],
    /// The current phase, its begin, and the time without an owner before it.
    now: Option<(Phase, Timestamp, Duration)>,
}

/// The time breakdown of a run.
#[derive(Clone, Debug)]
pub(crate) struct TimeBreakdown {
    tasks: Vec<Times>,
    /// Between the creation of the run and its last record, without the time without an owner.
    pub(crate) took: Duration,
    /// The time without an owner.
    pub(crate) asleep: Duration,
}

impl TimeBreakdown {
    /// Reads the journal; an open interval counts up to `until`. Cost: one pass.
    pub(crate) fn of(view: &RunView, until: Timestamp) -> Self {
        let mut tasks = vec![Times::default(); view.graph().len()];
        let mut last = view.entries.first().map_or(until, |entry| entry.at);
        let mut asleep = Duration::ZERO;
        for entry in &view.entries {
            if entry.record == Record::Resumed {
                // The run had no owner since the previous record, as far as the journal shows.
                asleep += entry.at.since(last);
            }
            last = entry.at;
            if let Some(times) = entry
                .record
                .task()
                .and_then(|task| tasks.get_mut(task.index()))
            {
                times.take(entry.at, asleep, &entry.record);
            }
        }
        let end = until.max(last);
        for times in &mut tasks {
            times.turn(end, asleep, None);
        }
        Self {
            tasks,
            took: end.since(view.created_at).saturating_sub(asleep),
            asleep,
        }
    }

    pub(crate) fn task(&self, task: TaskId) -> Times {
        self.tasks.get(task.index()).copied().unwrap_or_default()
    }
}

impl Times {
    /// The time in each phase, with the word for it.
    pub(crate) fn phases(self) -> impl Iterator<Item = (&'static str, Duration)> {
        PHASES.into_iter().zip(self.spent)
    }

    /// The time from ready to end, in which dependants had to wait for the task.
    pub(crate) fn total(self) -> Duration {
        self.spent.iter().sum()
    }

    pub(crate) const fn queued(self) -> Duration {
        self.spent[Phase::Queued as usize]
    }

    pub(crate) const fn ran(self) -> Duration {
        self.spent[Phase::Ran as usize]
    }

    pub(crate) fn to_json(self) -> Value {
        let mut json = json!({
            "attempts": self.attempts,
            "started_at_us": self.started_at.map(Timestamp::as_micros),
            "ended_at_us": self.ended_at.map(Timestamp::as_micros),
        });
        for (phase, spent) in self.phases() {
            json[format!("{}_us", phase.replace(' ', "_"))] = micros(spent).into();
        }
        json
    }

    fn take(&mut self, at: Timestamp, asleep: Duration, record: &Record) {
        let phase = if let Record::Readied { .. } = record {
            Some(Phase::Queued)
        } else if let Record::Started { .. } = record {
            self.attempts += 1;
            self.started_at = self.started_at.or(Some(at));
            Some(Phase::Ran)
        } else if let Record::BackedOff { .. } = record {
            Some(Phase::BackedOff)
        } else if let Record::Asked { .. } = record {
            Some(Phase::Asked)
        } else if record.attempt_end().is_some()
            || record.task_end().is_some()
            || matches!(record, Record::Answered { .. })
        {
            None
        } else {
            // No other record changes what a task waits for: an attempt runs until it has stopped.
            return;
        };
        if let Some((_, error)) = record.failure() {
            self.error = error;
        }
        if record.task_end().is_some() {
            self.ended_at = Some(at);
        }
        self.turn(at, asleep, phase);
    }

    /// Counts the time since the last change, and begins the next interval.
    fn turn(&mut self, at: Timestamp, asleep: Duration, next: Option<Phase>) {
        if let Some((phase, since, asleep_then)) = self.now.take() {
            self.spent[phase as usize] += at.since(since).saturating_sub(asleep - asleep_then);
        }
        self.now = next.map(|phase| (phase, at, asleep));
    }
}

#[cfg(test)]
mod tests {
    use super::Times;
    use std::time::Duration;
    use zeph_graph::{Attempt, CutHow, Output, Record, TaskId, Timestamp};

    #[test]
    fn time_goes_to_what_it_was_spent_on_and_sleep_to_nothing() {
        let task = TaskId::from_index(0);
        let at = Timestamp::from_micros;
        let mut times = Times::default();
        let awake = Duration::ZERO;
        let attempt = Attempt::FIRST;
        times.take(at(10), awake, &Record::Readied { task });
        times.take(at(13), awake, &Record::Started { task, attempt });
        let lost = Record::AttemptCut {
            task,
            attempt,
            how: CutHow::Lost,
            log: None,
        };
        // Resumed at 120 after a record at 20: no process owned the run for 100.
        let slept = Duration::from_micros(100);
        times.take(at(120), slept, &lost);
        times.take(at(120), slept, &Record::Readied { task });
        let attempt = attempt.next();
        times.take(at(121), slept, &Record::Started { task, attempt });
        let done = Record::Completed {
            task,
            output: Output::None,
            log: None,
        };
        times.take(at(126), slept, &done);
        let spent = (
            times.queued().as_micros(),
            times.ran().as_micros(),
            times.attempts,
        );
        assert_eq!(spent, (3 + 1, 7 + 5, 2));
        assert_eq!(
            (times.started_at, times.ended_at),
            (Some(at(13)), Some(at(126)))
        );
    }
}
