//! Audit: reads a journal record by record and rejects each record that the rules do not allow.
//!
//! The audit knows the rules of the graph, but not the scheduler's state. It also derives from each record
//! the actions that the scheduler must return, for a comparison with the actions of the batch.

mod task_log;

mod budget;
mod by_hand;
mod ends;
mod fallback;
mod follow;
mod items;
mod starts;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use zeph_graph::{CutHow, CutWhy, EndingWhy, Entry, Fault, QuestionId, Record, TaskId, Timestamp};
use zeph_scheduler::Action;

use crate::facts::Facts;
use crate::hold;
use crate::violation::Check;
use budget::BudgetLog;
use task_log::{LogEnd, LogState, Required, TaskLog};

/// The state of a run according to the records read so far.
#[derive(Clone, Debug)]
pub struct Audit {
    facts: Arc<Facts>,
    task_logs: Vec<TaskLog>,
    seq: u64,
    at: Timestamp,
    opened: bool,
    // Only the start and results of an earlier run so far.
    starting: bool,
    ended: bool,
    paused: bool,
    suspending: bool,
    ending: Option<EndingWhy>,
    questions: u32,
    open: BTreeMap<QuestionId, TaskId>,
    required: Option<Required>,
    expected: Expected,
    budget_log: BudgetLog,
    // The task that the next record must end, because a patch removes it.
    removing: Option<TaskId>,
    // The number of tasks according to the records so far.
    known: usize,
}

/// The actions that the scheduler must return with the records of one batch.
#[derive(Clone, Debug, Default)]
pub struct Expected {
    /// All actions except `Ask`, in order.
    pub actions: Vec<Action>,
    /// The task of each question, and the least and the largest number of its `Ask` actions: one when
    /// the question is recorded, and one more when a run is resumed while the question is open.
    pub asks: BTreeMap<QuestionId, (TaskId, usize, usize)>,
}

impl Audit {
    /// The audit of an empty journal.
    #[must_use]
    pub fn new(facts: Arc<Facts>) -> Self {
        Self {
            task_logs: vec![TaskLog::default(); facts.graph().len()],
            budget_log: BudgetLog::of(facts.header.policy.budget),
            known: facts.header.graph.len(),
            facts,
            seq: 0,
            at: Timestamp::ZERO,
            opened: false,
            starting: true,
            ended: false,
            paused: false,
            suspending: false,
            ending: None,
            questions: 0,
            open: BTreeMap::new(),
            required: None,
            removing: None,
            expected: Expected::default(),
        }
    }

    /// Replaces the facts after an accepted patch, before its `Amended` record is read.
    pub fn grow(&mut self, facts: &Arc<Facts>) {
        self.task_logs
            .resize(facts.graph().len(), TaskLog::default());
        self.facts = Arc::clone(facts);
    }

    /// Reads the next record. `floor` returns the last `retry_after` of a task's executor, if it is known.
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
        if let Some(required) = self.required.take() {
            self.inv_12_strategies(required, entry, &floor)?;
        }
        self.at = entry.at;
        self.starting &= matches!(
            record,
            Record::Opened | Record::Supplied { .. } | Record::Expanded { attempt: None, .. }
        );
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
            Record::Preparing { task } => return self.preparing(task, &entry.record),
            Record::PrepareFailed { task, fault, .. } => return self.prepare_failed(task, fault),
            Record::Readied { task } => return self.readied(task, entry),
            Record::Started { task, attempt } => return self.started(task, attempt),
            Record::Completed { task, output, .. } => return self.completed(task, output),
            Record::Supplied { task, .. } => {
                return self.inv_25_supplied_in_time(task, &entry.record);
            }
            Record::AttemptFailed {
                task,
                attempt,
                fault,
                ..
            } => {
                self.attempt_ends(task, attempt, entry)?;
                self.task_logs[task.index()].failures += u32::from(fault != Fault::Skipped);
                self.required = Some(Required::Failure(task, fault));
            }
            Record::AttemptCut {
                task, attempt, how, ..
            } => return self.cut(task, attempt, how, entry),
            Record::BackedOff { task, until } => return self.backed_off(task, until),
            Record::FellBack { task, to, why } => return self.inv_28_fell_back(task, to, why),
            Record::Asked {
                task,
                question,
                why,
            } => return self.asked(task, question, why),
            Record::Answered {
                task,
                question,
                answer,
                by,
            } => return self.answered(task, question, answer, by.is_default()),
            Record::Overridden { task, end, by } => {
                return self.inv_26_overridden(task, end, by.is_default());
            }
            Record::CancelRequested { task, attempt, why } => {
                return self.cancel_requested(task, attempt, why);
            }
            Record::Failed { task, .. } => return self.failed(task),
            Record::Skipped { task, why } => return self.skipped(task, why),
            Record::Canceled { task, .. } => return self.ends(task, LogEnd::Failed),
            Record::Ending { why } => self.ending = Some(why),
            Record::Paused => self.paused = true,
            Record::Unpaused => self.paused = false,
            Record::Suspending => self.suspending = true,
            Record::Suspended => self.expected.actions.push(Action::Suspended),
            Record::Resumed => {
                self.suspending = false;
                for task in self.facts.graph().ids().take(self.known) {
                    if self.task_logs[task.index()].state == LogState::Preparing {
                        self.expected.actions.push(Action::Prepare { task });
                    }
                }
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
            Record::Amended { task, content, .. } => return self.amended(task, content),
            Record::Expanded {
                task,
                attempt,
                count,
                ..
            } => return self.expanded(task, attempt, count),
            Record::Budgeted { budget } => return self.budgeted(budget),
            Record::Ended { end } => {
                self.ended = true;
                self.expected.actions.push(Action::Ended(end));
            }
        }
        Ok(())
    }

    /// Whether only finalizers are left.
    fn is_work_over(&self) -> bool {
        let mut tasks = self.facts.graph().ids().take(self.known);
        tasks.all(|task| self.facts.rules(task).finally || self.task_logs[task.index()].is_ended())
    }

    fn cut(
        &mut self,
        task: TaskId,
        attempt: zeph_graph::Attempt,
        how: CutHow,
        entry: &Entry,
    ) -> Check {
        let why = self.task_logs[task.index()].stopping();
        self.attempt_ends(task, attempt, entry)?;
        let log = &mut self.task_logs[task.index()];
        match why {
            Some(CutWhy::AttemptTimeout | CutWhy::IdleTimeout | CutWhy::TaskTimeout) => {
                log.failures += 1;
            }
            Some(CutWhy::Suspend) | None => log.free += 1,
            Some(CutWhy::Cancel(_) | CutWhy::Override) => {}
        }
        if how == CutHow::Abandoned {
            self.expected
                .actions
                .push(Action::Abandon { task, attempt });
        }
        self.required = Some(Required::Cut(task, why, how));
        Ok(())
    }

    /// Checks at the end of a batch that no follow-up record is missing.
    ///
    /// # Errors
    /// If a record that must follow in the same append is missing.
    pub fn end_of_batch(&mut self) -> Check {
        if let Some(required) = self.required {
            hold!(
                false,
                12,
                "strategies",
                "the batch ends, and {required:?} is required"
            );
        }
        for (question, (_, least, _)) in &mut self.expected.asks {
            if self.open.contains_key(question) {
                *least = (*least).max(1);
            }
        }
        Ok(())
    }

    /// Returns the actions expected from the records since the last call. After a crash, drop the result
    /// for the records that are read again: their actions are not performed a second time.
    pub fn take_expected(&mut self) -> Expected {
        std::mem::take(&mut self.expected)
    }

    /// Checks that the run has ended, and every task with it.
    ///
    /// # Errors
    /// If the run or a task has not ended.
    pub fn finish(&self) -> Check {
        hold!(self.ended, 13, "records_explained", "no `Ended` record");
        for (at, log) in self.task_logs.iter().enumerate() {
            hold!(
                log.is_ended(),
                13,
                "records_explained",
                "task {at} has no terminal record"
            );
        }
        Ok(())
    }
}
