//! Replay: a journal is made once more, from nothing but its header and what happened.
//!
//! For each record that the machine has not made yet, what must have happened is read off the record:
//! a result, an answer, a request, or the passing of time. The machine is told, and decides again. What
//! it then records must be the journal, record by record, time by time.

mod cancel;

use std::collections::VecDeque;
use std::time::Duration;

use zeph_graph::{
    Attempt, ContentId, CutHow, CutWhy, EndingWhy, Entry, Fault, Header, Output, Record, TaskId,
    Timestamp,
};

use crate::input::{Input, Scope};
use crate::{Corrupt, Patches, Scheduler};

/// Where a journal differs from what this machine decides.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Divergence {
    /// It records something else.
    #[error("record {} is {:?} in the journal, and this machine decides {:?} (record {})", .journal.seq, .journal.record, .decided.record, .decided.seq)]
    Differs {
        /// What the journal has.
        journal: Entry,
        /// What the machine records in its place.
        decided: Entry,
    },
    /// Nothing that can have happened leads to the record.
    #[error("record {} is {:?}, and nothing that can have happened leads to it", .journal.seq, .journal.record)]
    Unexplained {
        /// What the journal has.
        journal: Entry,
    },
    /// The machine has decided more than the journal says, in the same step as its last record.
    #[error("the journal ends, and this machine goes on to record {:?}", .decided.record)]
    More {
        /// What it records.
        decided: Entry,
    },
    /// The journal up to a resumption cannot be read back.
    #[error(transparent)]
    Corrupt(#[from] Corrupt),
}

/// Decides a whole journal once more, and compares.
///
/// `patches` is as for [`Scheduler::recover`]. `retry_after` is asked at each `AttemptFailed` for the
/// shortest wait that the executor asked for, if it did: it is an input that no record holds, only the
/// error that the record names. Returns the number of records, which all agree.
///
/// Before the last `Resumed` a decision that the journal lacks is taken for one that a process had not
/// saved when it died: the machine is recovered from what is there, once for each `Resumed`, and goes
/// on. So a record that somebody took out of there is not missed if nothing saved depends on it, and at
/// most one such gap is allowed for each resumption. After the last `Resumed` nothing may be missing.
///
/// Cost: that of the run itself, and of one recovery for each time it was resumed; a recovery reads the
/// journal up to there.
///
/// # Errors
/// [`Divergence`] at the first record that differs.
///
/// # Examples
/// ```
/// use zeph_graph::{Attempt, Header, Policy, Task, TaskGraph, Timestamp};
/// use zeph_scheduler::{Input, Patches, Scheduler, replay};
/// let graph = || {
///     let mut graph = TaskGraph::new();
///     graph.add_task(Task::new("hello").action("print"), []);
///     graph
/// };
/// let mut scheduler = Scheduler::new(graph(), Policy::default());
/// scheduler.handle(Timestamp::ZERO, Input::Start);
/// let batch = scheduler.step().expect("the start is a decision");
/// let mut journal = batch.entries().to_vec();
///
/// let header = || Header { graph: graph(), policy: Policy::default() };
/// assert_eq!(replay(&header, &journal, &Patches::new(), &|_| None), Ok(3));
/// journal.swap(1, 2);
/// assert!(replay(&header, &journal, &Patches::new(), &|_| None).is_err());
/// ```
pub fn replay(
    header: &dyn Fn() -> Header,
    journal: &[Entry],
    patches: &Patches,
    retry_after: &dyn Fn(&Entry) -> Option<Duration>,
) -> Result<u64, Divergence> {
    let last_resume = journal
        .iter()
        .rposition(|entry| entry.record == Record::Resumed);
    let mut scheduler = Scheduler::of_header(header());
    let mut decided: VecDeque<Entry> = VecDeque::new();
    // Whether the machine of the next `Resumed` is there already.
    let mut recovered = false;
    for (place, &entry) in journal.iter().enumerate() {
        let resumes = entry.record == Record::Resumed;
        // What a process had decided and not saved when it died is in no journal. The next one is at
        // work from there on, though it may write down requests before it says so.
        let died = last_resume.is_some_and(|last| place <= last)
            && decided.front().is_some_and(|one| *one != entry);
        if (resumes || died) && !recovered {
            decided.clear();
            let before = journal[..place].iter().copied();
            scheduler = Scheduler::recover(header(), before, patches)?;
        }
        recovered = !resumes && (recovered || died);
        if decided.is_empty() {
            let cause = Cause {
                scheduler: &mut scheduler,
                entry,
                rest: &journal[place..],
                patches,
                retry_after,
            };
            cause.happen();
            decided.extend(std::mem::take(&mut scheduler.machine.pending));
            scheduler.machine.actions.clear();
        }
        match decided.pop_front() {
            None => return Err(Divergence::Unexplained { journal: entry }),
            Some(one) if one != entry => {
                return Err(Divergence::Differs {
                    journal: entry,
                    decided: one,
                });
            }
            Some(_) => {}
        }
    }
    match decided.pop_front() {
        Some(decided) => Err(Divergence::More { decided }),
        None => Ok(journal.len() as u64),
    }
}

/// What must have happened for a record to be made.
struct Cause<'a> {
    scheduler: &'a mut Scheduler,
    entry: Entry,
    /// The journal from this record on.
    rest: &'a [Entry],
    patches: &'a Patches,
    retry_after: &'a dyn Fn(&Entry) -> Option<Duration>,
}

impl Cause<'_> {
    fn happen(mut self) {
        let now = self.entry.at;
        match self.entry.record {
            Record::Opened => self.tell(Input::Start),
            Record::Started { .. } => self.start(now),
            Record::Reserved { .. }
            | Record::Settled { .. }
            | Record::Noted { .. }
            | Record::Amended { .. } => self.write(now),
            Record::Budgeted { budget } => self.tell(Input::Budget(budget)),
            Record::Paused => self.tell(Input::Pause),
            Record::Unpaused => self.tell(Input::Unpause),
            Record::Resumed => self.tell(Input::Resume),
            Record::Completed { task, output, log } => {
                let attempt = self.attempt(task);
                self.tell(Input::Completed {
                    task,
                    attempt,
                    output: content(output),
                    log,
                });
            }
            Record::AttemptFailed {
                task,
                attempt,
                fault,
                error,
                log,
            } => {
                let retry_after = self.floor(task);
                self.tell(Input::Failed {
                    task,
                    attempt,
                    fault,
                    error,
                    log,
                    retry_after,
                });
            }
            Record::AttemptCut {
                task,
                attempt,
                how,
                log,
            } => self.cut(task, attempt, how, log),
            Record::Answered {
                question,
                answer,
                by_default: false,
                ..
            } => self.tell(Input::Answered { question, answer }),
            Record::Suspending => self.tell(Input::Suspend),
            Record::CancelRequested { task, why, .. } => match why {
                CutWhy::Cancel(why) => self.cancel(task, why),
                CutWhy::Suspend if !self.is_due(now) => self.tell(Input::Suspend),
                CutWhy::Suspend | CutWhy::AttemptTimeout | CutWhy::TaskTimeout => {
                    self.tell(Input::Tick);
                }
            },
            Record::Canceled { task, why } => self.cancel(task, why),
            Record::Ending {
                why: EndingWhy::Cancel,
            } => self.tell(Input::Cancel(Scope::Run)),
            // Time has passed, or nothing leads here.
            Record::Ending { .. }
            | Record::Answered { .. }
            | Record::Readied { .. }
            | Record::BackedOff { .. }
            | Record::Asked { .. }
            | Record::Failed { .. }
            | Record::Skipped { .. }
            | Record::Suspended
            | Record::Ended { .. } => self.tell(Input::Tick),
        }
    }

    /// What an attempt writes while it runs.
    fn write(&mut self, now: Timestamp) {
        let Some(task) = self.entry.record.task() else {
            return;
        };
        let attempt = self.attempt(task);
        let machine = &mut *self.scheduler;
        if let Record::Reserved { most, .. } = self.entry.record {
            let _ = machine.reserve(now, task, attempt, most);
        }
        if let Record::Settled {
            reservation, spent, ..
        } = self.entry.record
        {
            machine.settle(now, task, attempt, reservation, spent);
        }
        if let Record::Noted { content, .. } = self.entry.record {
            machine.note(now, task, attempt, content);
        }
        if let Record::Amended { content, .. } = self.entry.record
            && let Some(patch) = self.patches.get(&content)
        {
            let _ = machine.amend(now, task, attempt, content, patch);
        }
    }

    fn tell(&mut self, input: Input) {
        self.scheduler.handle(self.entry.at, input);
    }

    /// One slot more than is taken, and no more: which starts came in one batch does not matter.
    fn start(&mut self, now: Timestamp) {
        let quota = self.scheduler.counts().in_flight().saturating_add(1);
        self.scheduler.handle(now, Input::Quota(quota));
        // A timer that was due comes first, and then the start is not next.
        if self.scheduler.machine.pending.is_empty() {
            self.scheduler.machine.dispatch();
        }
    }

    fn cut(&mut self, task: TaskId, attempt: Attempt, how: CutHow, log: Option<ContentId>) {
        self.tell(match how {
            CutHow::Stopped => Input::Failed {
                task,
                attempt,
                // It was told to stop, so what it says of its end does not count.
                fault: Fault::Error,
                error: None,
                log,
                retry_after: None,
            },
            CutHow::Lost => Input::Lost { task, attempt },
            CutHow::Abandoned => Input::Tick,
        });
    }

    /// The floor that the executor asked for, as exactly as the journal has it: the error keeps
    /// milliseconds, the record that follows has microseconds.
    fn floor(&self, task: TaskId) -> Option<Duration> {
        let asked = (self.retry_after)(&self.entry)?;
        let next = self.rest.get(1)?.record;
        let Record::BackedOff { task: of, until } = next else {
            return Some(asked);
        };
        let waited = until.since(self.entry.at);
        let near = waited.abs_diff(asked) <= Duration::from_millis(1);
        Some(if of == task && near { waited } else { asked })
    }

    /// Whether a timer is due by then.
    fn is_due(&self, now: Timestamp) -> bool {
        self.scheduler.deadline().is_some_and(|due| due <= now)
    }

    /// The attempt that the task is at.
    fn attempt(&self, task: TaskId) -> Attempt {
        let machine = &self.scheduler.machine;
        let last = machine.attempts.get(task.index());
        last.and_then(|&last| Attempt::new(last))
            .unwrap_or(Attempt::FIRST)
    }
}

fn content(output: Output) -> Option<ContentId> {
    match output {
        Output::Content(id) => Some(id),
        Output::None | Output::Definition => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use zeph_graph::{CancelWhy, Policy, Task, TaskGraph};

    fn header() -> Header {
        let mut graph = TaskGraph::new();
        let first = graph.add_task(Task::new("first").action("x"), []);
        graph.add_task(Task::new("second").action("x"), [first]);
        Header {
            graph,
            policy: Policy::default(),
        }
    }

    /// The journal of a run after these inputs.
    fn journal(inputs: &[Input]) -> Vec<Entry> {
        journal_of(header(), inputs)
    }

    fn journal_of(header: Header, inputs: &[Input]) -> Vec<Entry> {
        let Header { graph, policy } = header;
        let mut scheduler = Scheduler::new(graph, policy);
        let mut journal = Vec::new();
        for &input in inputs {
            scheduler.handle(Timestamp::ZERO, input);
            while let Some(batch) = scheduler.step() {
                journal.extend_from_slice(batch.entries());
                drop(scheduler.saved(batch));
            }
        }
        journal
    }

    #[test]
    fn a_journal_of_another_copy_of_the_graph_is_the_same() {
        let first = TaskId::from_index(0);
        let done = Input::Completed {
            task: first,
            attempt: Attempt::FIRST,
            output: None,
            log: None,
        };
        let whole = journal(&[Input::Start, done, Input::Cancel(Scope::Downstream(first))]);
        let replayed = replay(&header, &whole, &Patches::new(), &|_| None);
        assert_eq!(replayed, Ok(whole.len() as u64));
    }

    #[test]
    fn a_long_chain_that_is_cancelled_in_its_middle_is_replayed_in_linear_time() {
        const TASKS: u32 = 20_000;
        let chain = || {
            let mut graph = TaskGraph::new();
            let mut last = graph.add_task(Task::new("t0").action("x"), []);
            for number in 1..TASKS {
                last = graph.add_task(Task::new(format!("t{number}")).action("x"), [last]);
            }
            let policy = Policy::default();
            Header { graph, policy }
        };
        let done = (0..TASKS / 2).map(|number| Input::Completed {
            task: TaskId::from_index(number),
            attempt: Attempt::FIRST,
            output: None,
            log: None,
        });
        let middle = TaskId::from_index(TASKS / 2 - 1);
        let cancel = Input::Cancel(Scope::Downstream(middle));
        let inputs = [Input::Start, Input::Quota(1)].into_iter().chain(done);
        let inputs: Vec<Input> = inputs.chain([cancel]).collect();
        let whole = journal_of(chain(), &inputs);
        let cut = |entry: &Entry| matches!(entry.record, Record::Canceled { .. });
        let canceled = whole.iter().filter(|entry| cut(entry)).count();
        assert!(canceled as u32 >= TASKS / 2 - 1, "only {canceled}");
        let replayed = replay(&chain, &whole, &Patches::new(), &|_| None);
        assert_eq!(replayed, Ok(whole.len() as u64));
    }

    #[test]
    fn a_task_that_is_not_there_is_told_and_no_panic() {
        let whole = journal(&[Input::Start]);
        let (task, last) = (TaskId::from_index(99), whole[whole.len() - 1]);
        for why in [CancelWhy::Task, CancelWhy::Downstream] {
            let foreign = Entry {
                seq: last.seq.plus(1),
                at: last.at,
                record: Record::Canceled { task, why },
            };
            let mut longer = whole.clone();
            longer.push(foreign);
            let replayed = replay(&header, &longer, &Patches::new(), &|_| None);
            assert_eq!(replayed, Err(Divergence::Unexplained { journal: foreign }));
        }
    }
}
