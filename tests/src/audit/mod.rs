//! Audit: reads a journal record by record and rejects each one that the rules do not allow.
//!
//! Knows the rules of the graph and nothing of the machine's state. What a record calls for by way of
//! actions is derived here too, and compared with what the machine hands out.

mod task_log;

mod budget;
mod ends;
mod follow;
mod starts;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use zeph_graph::{CutHow, CutWhy, EndingWhy, Entry, QuestionId, Record, TaskId, Timestamp};
use zeph_scheduler::Action;

use crate::facts::Facts;
use crate::hold;
use crate::violation::Check;
use budget::BudgetLog;
use task_log::{Owed, Place, TaskLog};

/// What the records so far say.
#[derive(Clone, Debug)]
pub struct Audit {
    facts: Arc<Facts>,
    books: Vec<TaskLog>,
    seq: u64,
    at: Timestamp,
    opened: bool,
    ended: bool,
    paused: bool,
    suspending: bool,
    ending: Option<EndingWhy>,
    questions: u32,
    open: BTreeMap<QuestionId, TaskId>,
    owed: Option<Owed>,
    expected: Expected,
    purse: BudgetLog,
    // How many tasks there are by the records so far.
    known: usize,
}

/// The actions that the records of one batch call for.
#[derive(Clone, Debug, Default)]
pub struct Expected {
    /// All but the questions, in order.
    pub actions: Vec<Action>,
    /// How often each question is put to people, at least and at most: once when it is asked, and
    /// once more when a run is resumed in which it is still open.
    pub asks: BTreeMap<QuestionId, (TaskId, usize, usize)>,
}

impl Audit {
    /// Of an empty journal.
    #[must_use]
    pub fn new(facts: Arc<Facts>) -> Self {
        Self {
            books: vec![TaskLog::default(); facts.graph().len()],
            purse: BudgetLog::of(facts.header.policy.budget),
            known: facts.header.graph.len(),
            facts,
            seq: 0,
            at: Timestamp::ZERO,
            opened: false,
            ended: false,
            paused: false,
            suspending: false,
            ending: None,
            questions: 0,
            open: BTreeMap::new(),
            owed: None,
            expected: Expected::default(),
        }
    }

    /// The graph has grown; the record that says so comes later.
    pub fn grow(&mut self, facts: &Arc<Facts>) {
        self.books.resize(facts.graph().len(), TaskLog::default());
        self.facts = Arc::clone(facts);
    }

    /// The next record. `floor` is the wait that the executor of a task asked for last, if that is known.
    ///
    /// # Errors
    /// The invariant that the record breaks.
    pub fn entry(&mut self, entry: &Entry, floor: impl Fn(TaskId) -> Option<Duration>) -> Check {
        self.inv_16_sequence_without_gaps(entry)?;
        let record = entry.record;
        hold!(
            !self.ended && self.opened != (record == Record::Opened),
            13,
            "records_explained",
            "{record:?} stands outside of the run"
        );
        hold!(
            record.task().is_none_or(|task| task.index() < self.known),
            23,
            "patches_append",
            "{record:?}, but there are {} tasks",
            self.known
        );
        if let Some(owed) = self.owed.take() {
            self.inv_12_strategies(owed, entry, &floor)?;
        }
        self.at = entry.at;
        self.note(entry)
    }

    fn inv_16_sequence_without_gaps(&mut self, entry: &Entry) -> Check {
        let next = self.seq + 1;
        hold!(
            entry.seq.get() == next,
            16,
            "sequence_without_gaps",
            "record {} follows record {}",
            entry.seq,
            self.seq
        );
        hold!(
            entry.at >= self.at,
            16,
            "sequence_without_gaps",
            "record {next} is dated {} after {}",
            entry.at,
            self.at
        );
        self.seq = next;
        Ok(())
    }

    fn note(&mut self, entry: &Entry) -> Check {
        match entry.record {
            Record::Opened => self.opened = true,
            Record::Readied { task } => return self.readied(task, entry),
            Record::Started { task, attempt } => return self.started(task, attempt),
            Record::Completed { task, output, .. } => return self.completed(task, output),
            Record::AttemptFailed {
                task,
                attempt,
                fault,
                ..
            } => {
                self.attempt_ends(task, attempt, entry)?;
                self.books[task.index()].failures += 1;
                self.owed = Some(Owed::Failure(task, fault));
            }
            Record::AttemptCut {
                task, attempt, how, ..
            } => return self.cut(task, attempt, how, entry),
            Record::BackedOff { task, until } => return self.backed_off(task, until),
            Record::Asked {
                task,
                question,
                why,
            } => return self.asked(task, question, why),
            Record::Answered {
                task,
                question,
                answer,
                by_default,
            } => return self.answered(task, question, answer, by_default),
            Record::CancelRequested { task, attempt, why } => {
                return self.cancel_requested(task, attempt, why);
            }
            Record::Failed { task, .. } => return self.failed(task),
            Record::Skipped { task, why } => return self.skipped(task, why),
            Record::Canceled { task, .. } => return self.ends(task, false),
            Record::Ending { why } => self.ending = Some(why),
            Record::Paused => self.paused = true,
            Record::Unpaused => self.paused = false,
            Record::Suspending => self.suspending = true,
            Record::Suspended => self.expected.actions.push(Action::Suspended),
            Record::Resumed => {
                self.suspending = false;
                for (&question, &task) in &self.open {
                    let asks = &mut self.expected.asks;
                    asks.entry(question).or_insert((task, 0, 0)).2 += 1;
                }
            }
            Record::Reserved {
                task,
                reservation,
                most,
            } => return self.reserved(task, reservation, most),
            Record::Settled {
                task,
                reservation,
                spent,
            } => return self.settled(task, reservation, spent),
            Record::Noted { task, attempt, .. } => return self.noted(task, attempt),
            Record::Amended { task, content } => return self.amended(task, content),
            Record::Budgeted { budget } => return self.budgeted(budget),
            Record::Ended { end } => {
                self.ended = true;
                self.expected.actions.push(Action::Ended(end));
            }
        }
        Ok(())
    }

    fn cut(
        &mut self,
        task: TaskId,
        attempt: zeph_graph::Attempt,
        how: CutHow,
        entry: &Entry,
    ) -> Check {
        let why = self.books[task.index()].stopping();
        self.attempt_ends(task, attempt, entry)?;
        let book = &mut self.books[task.index()];
        match why {
            Some(CutWhy::AttemptTimeout | CutWhy::TaskTimeout) => book.failures += 1,
            Some(CutWhy::Suspend) | None => book.free += 1,
            Some(CutWhy::Cancel(_)) => {}
        }
        if how == CutHow::Abandoned {
            self.expected
                .actions
                .push(Action::Abandon { task, attempt });
        }
        self.owed = Some(Owed::Cut(task, why, how));
        Ok(())
    }

    /// A batch ends: nothing may be owed.
    ///
    /// # Errors
    /// If a record that must follow in the same append does not.
    pub fn end_of_batch(&mut self) -> Check {
        if let Some(owed) = self.owed {
            hold!(
                false,
                12,
                "strategies",
                "the batch ends, and {owed:?} is owed"
            );
        }
        for (question, (_, least, _)) in &mut self.expected.asks {
            if self.open.contains_key(question) {
                *least = (*least).max(1);
            }
        }
        Ok(())
    }

    /// What the records since the last call call for. When records are read again after a crash, it is
    /// to be dropped: they call for nothing any more.
    pub fn take_expected(&mut self) -> Expected {
        std::mem::take(&mut self.expected)
    }

    /// The run is over: each task has ended, once.
    ///
    /// # Errors
    /// If one has not.
    pub fn finish(&self) -> Check {
        hold!(self.ended, 13, "records_explained", "no `Ended` record");
        for (at, book) in self.books.iter().enumerate() {
            hold!(
                book.is_ended(),
                13,
                "records_explained",
                "task {at} has no terminal record"
            );
        }
        Ok(())
    }
}
