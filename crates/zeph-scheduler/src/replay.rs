//! Replay: decides a journal again from its header and its inputs, and compares the records.
//!
//! Inputs are not stored; each is derived from the first record that it led to: a result, an answer, a
//! request, or a timer. The scheduler handles the input again, and its records must equal the journal.

mod cause;

use std::collections::VecDeque;
use std::time::Duration;

use zeph_graph::{Entry, Header, Record};

use self::cause::Cause;
use crate::{Corrupt, Patches, Scheduler};

/// The first difference between a journal and the decisions of this scheduler.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Divergence {
    /// The scheduler records something else.
    #[error("record {} is {:?} in the journal, but this scheduler decides {:?} (record {})", .journal.seq, .journal.record, .decided.record, .decided.seq)]
    Differs {
        /// The record of the journal.
        journal: Entry,
        /// The record of the scheduler in its place.
        decided: Entry,
    },
    /// No input leads to the record.
    #[error("record {} is {:?}, and no input leads to it", .journal.seq, .journal.record)]
    Unexplained {
        /// The record of the journal.
        journal: Entry,
    },
    /// The scheduler decides more than the journal holds, in the same step as its last record.
    #[error("the journal ends, but this scheduler records {:?} next", .decided.record)]
    More {
        /// The next record of the scheduler.
        decided: Entry,
    },
    /// The journal up to a resumption cannot be recovered.
    #[error(transparent)]
    Corrupt(#[from] Corrupt),
}

/// Decides a whole journal again, and compares.
///
/// `patches` is as for [`Scheduler::recover`]. `retry_after` is called for each `AttemptFailed` and
/// returns the shortest wait that the executor asked for: no record holds it, only the error content that
/// the record names. Returns the number of records, which all agree.
///
/// Before the last `Resumed`, a decision that the journal lacks is treated as one that a process had not
/// saved when it died: the scheduler is recovered from the records before it, at most once for each
/// `Resumed`. A record that was removed from there is therefore not noticed if no later record depends on
/// it. After the last `Resumed` nothing may be missing.
///
/// Cost: that of the run itself, plus one recovery of the journal so far for each resumption.
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
    let mut scheduler = Scheduler::from_header(header());
    let mut decided: VecDeque<Entry> = VecDeque::new();
    // Whether the scheduler for the next `Resumed` has been recovered already.
    let mut recovered = false;
    for (place, &entry) in journal.iter().enumerate() {
        let resumes = entry.record == Record::Resumed;
        // A process died with unsaved decisions. The next process writes from here on; it may record
        // requests before its `Resumed`.
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
            cause.apply();
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::input::{Input, Scope};
    use zeph_graph::{Attempt, CancelWhy, Policy, Task, TaskGraph, TaskId, Timestamp};

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
    fn a_journal_replays_on_another_copy_of_the_graph() {
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
        let is_canceled = |entry: &&Entry| matches!(entry.record, Record::Canceled { .. });
        let canceled = whole.iter().filter(is_canceled).count();
        assert!(canceled as u32 >= TASKS / 2 - 1, "only {canceled}");
        let replayed = replay(&chain, &whole, &Patches::new(), &|_| None);
        assert_eq!(replayed, Ok(whole.len() as u64));
    }

    #[test]
    fn a_record_of_an_unknown_task_is_reported_without_a_panic() {
        let whole = journal(&[Input::Start]);
        let (task, last) = (TaskId::from_index(99), whole[whole.len() - 1]);
        for why in [CancelWhy::Task, CancelWhy::Downstream(99)] {
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
