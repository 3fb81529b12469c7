//! Cause: the input that leads to a record.

use std::time::Duration;

use zeph_graph::{
    Attempt, CancelWhy, ContentId, CutHow, CutWhy, EndingWhy, Entry, Fault, LaneId, Record, TaskId,
    Timestamp,
};

use crate::input::{Input, Prepared, Scope};
use crate::{ByHand, Patches, Proposer, Scheduler};

/// The input that leads to a record.
pub(super) struct Cause<'a> {
    pub(super) scheduler: &'a mut Scheduler,
    pub(super) entry: Entry,
    /// The journal from this record on.
    pub(super) rest: &'a [Entry],
    pub(super) patches: &'a Patches,
    pub(super) retry_after: &'a dyn Fn(&Entry) -> Option<Duration>,
}

impl Cause<'_> {
    pub(super) fn apply(mut self) {
        let now = self.entry.at;
        match self.entry.record {
            Record::Opened => self.open(),
            Record::Started { .. } => self.start(now),
            Record::Expanded { attempt, .. } => self.expand(attempt),
            Record::Reserved { .. }
            | Record::Settled { .. }
            | Record::Noted { .. }
            | Record::Amended { .. } => self.write(now),
            Record::Budgeted { budget } => self.handle(Input::Budget(budget)),
            Record::Paused => self.handle(Input::Pause),
            Record::Unpaused => self.handle(Input::Unpause),
            Record::Resumed => self.handle(Input::Resume),
            Record::PrepareFailed { task, .. }
            | Record::Supplied { task, .. }
            | Record::Readied { task }
            | Record::Asked { task, .. }
            | Record::Completed { task, .. }
                if self.is_preparing(task) =>
            {
                self.prepared(task);
            }
            Record::Completed { task, output, log } => {
                let attempt = self.attempt(task);
                self.handle(Input::Completed {
                    task,
                    attempt,
                    output: output.content(),
                    log,
                });
            }
            Record::AttemptFailed { task, .. } => self.failed(task),
            Record::AttemptCut {
                task,
                attempt,
                how,
                log,
            } => self.cut(task, attempt, how, log),
            Record::Answered {
                question,
                answer,
                by,
                ..
            } if !by.is_default() => self.handle(Input::Answered {
                question,
                answer,
                by: by.content(),
            }),
            Record::Overridden { task, end, by } => {
                let by = by.content();
                self.handle(Input::Override { task, end, by });
            }
            Record::Suspending => self.handle(Input::Suspend),
            Record::CancelRequested { task, attempt, why } => match why {
                CutWhy::IdleTimeout => self.handle(Input::Idle { task, attempt }),
                CutWhy::Cancel(why) => self.handle(cancel(task, why)),
                CutWhy::Suspend if !self.is_due(now) => self.handle(Input::Suspend),
                CutWhy::Suspend
                | CutWhy::AttemptTimeout
                | CutWhy::TaskTimeout
                | CutWhy::Override => self.handle(Input::Tick),
            },
            Record::Canceled { task, why } => self.handle(cancel(task, why)),
            Record::Ending {
                why: EndingWhy::Cancel,
            } => self.handle(Input::Cancel(Scope::Run)),
            // A timer fired, or no input leads here.
            Record::Ending { .. }
            | Record::Answered { .. }
            | Record::Preparing { .. }
            | Record::PrepareFailed { .. }
            | Record::Readied { .. }
            | Record::Supplied { .. }
            | Record::BackedOff { .. }
            | Record::FellBack { .. }
            | Record::Asked { .. }
            | Record::Failed { .. }
            | Record::Skipped { .. }
            | Record::Suspended
            | Record::Ended { .. } => self.handle(Input::Tick),
        }
    }

    /// Starts the run, with the results that it takes over.
    fn open(&mut self) {
        for entry in &self.rest[1..] {
            if let Record::Supplied { task, output, .. } = entry.record {
                let output = output.content();
                self.handle(Input::Supply { task, output });
            } else if let Record::Expanded {
                task,
                attempt: None,
                list,
                count,
            } = entry.record
            {
                self.handle(Input::SupplyItems { task, list, count });
            } else {
                break;
            }
        }
        self.handle(Input::Start);
    }

    /// The list that an attempt returned; that of an earlier run comes with the start.
    fn expand(&mut self, attempt: Option<Attempt>) {
        if let Record::Expanded {
            task, list, count, ..
        } = self.entry.record
            && let Some(attempt) = attempt
        {
            self.handle(Input::Expanded {
                task,
                attempt,
                list,
                count,
            });
        }
    }

    /// Repeats a call of the attempt API.
    fn write(&mut self, now: Timestamp) {
        if let Record::Amended {
            task: None,
            content,
            by,
        } = self.entry.record
            && let Some(patch) = self.patches.get(&content)
        {
            let (by, after) = (by.content(), self.scheduler.amendments());
            let by_hand = ByHand { by, after };
            let _ = (self.scheduler).amend_by_hand(now, by_hand, content, patch);
        }
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
            let after = machine.proposals(task);
            let proposer = Proposer {
                task,
                attempt,
                after,
            };
            let _ = machine.amend(now, proposer, content, patch);
        }
    }

    fn is_preparing(&self, task: TaskId) -> bool {
        self.scheduler.machine.preparing.contains(&task)
    }

    fn failed(&mut self, task: TaskId) {
        let retry_after = self.retry_after(task);
        if let Record::AttemptFailed {
            attempt,
            fault,
            error,
            log,
            ..
        } = self.entry.record
        {
            self.handle(Input::Failed {
                task,
                attempt,
                fault,
                error,
                log,
                retry_after,
            });
        }
    }

    /// What the preparation of a task decided.
    fn prepared(&mut self, task: TaskId) {
        let mut then = Prepared::Run;
        if let Record::PrepareFailed { fault, error, .. } = self.entry.record {
            then = match fault == Fault::Skipped {
                true => Prepared::Skip { reason: error },
                false => Prepared::Fail { error },
            };
        }
        if let Record::Supplied {
            output, why, from, ..
        } = self.entry.record
        {
            let output = output.content();
            then = Prepared::Supply { output, why, from };
        }
        self.handle(Input::Prepared { task, then });
    }

    fn handle(&mut self, input: Input) {
        self.scheduler.handle(self.entry.at, input);
    }

    /// Allows exactly one more attempt, so that starts are decided one by one as in the journal.
    fn start(&mut self, now: Timestamp) {
        let quota = self.scheduler.counts().in_flight().saturating_add(1);
        self.scheduler.handle(now, Input::Quota(quota));
        self.allow_lanes(now);
        // If a timer was due, its records come first and the start is not next.
        if self.scheduler.machine.pending.is_empty() {
            self.scheduler.machine.dispatch();
        }
    }

    /// Of the shared lanes, only that of the task that starts has room: what the driver allowed is not recorded.
    fn allow_lanes(&mut self, now: Timestamp) {
        let Record::Started { task, .. } = self.entry.record else {
            return;
        };
        let graph = self.scheduler.graph();
        let lanes = (0..).map(LaneId::from_index).zip(graph.lanes());
        let shared = lanes.filter(|(_, lane)| lane.shared).map(|(id, _)| id);
        let rules = graph.contains(task).then(|| graph.task(task).rules());
        let is_in = |id| rules.is_some_and(|rules| rules.lanes.iter().any(|used| used.lane == id));
        let quotas: Vec<(LaneId, u32)> = shared
            .map(|id| (id, self.scheduler.lane_used(id) + u32::from(is_in(id))))
            .collect();
        for (lane, units) in quotas {
            self.scheduler.handle(now, Input::LaneQuota { lane, units });
        }
    }

    fn cut(&mut self, task: TaskId, attempt: Attempt, how: CutHow, log: Option<ContentId>) {
        self.handle(match how {
            CutHow::Stopped | CutHow::Killed => Input::Failed {
                task,
                attempt,
                // The attempt was being stopped, so no other fault counts.
                fault: if how == CutHow::Killed {
                    Fault::Interrupted
                } else {
                    Fault::Error
                },
                error: None,
                log,
                retry_after: None,
            },
            CutHow::Lost => Input::Lost { task, attempt },
            CutHow::Abandoned => Input::Tick,
        });
    }

    /// The shortest wait that the executor asked for. The error content has milliseconds; the exact value
    /// is taken from the next record.
    fn retry_after(&self, task: TaskId) -> Option<Duration> {
        let asked = (self.retry_after)(&self.entry)?;
        let next = self.rest.get(1)?.record;
        let Record::BackedOff { task: of, until } = next else {
            return Some(asked);
        };
        let waited = until.since(self.entry.at);
        let near = waited.abs_diff(asked) <= Duration::from_millis(1);
        Some(if of == task && near { waited } else { asked })
    }

    /// Whether a timer is due at that time.
    fn is_due(&self, now: Timestamp) -> bool {
        self.scheduler.deadline().is_some_and(|due| due <= now)
    }

    /// The last attempt of the task.
    fn attempt(&self, task: TaskId) -> Attempt {
        let machine = &self.scheduler.machine;
        let last = machine.attempts.get(task.index());
        last.and_then(|&last| Attempt::new(last))
            .unwrap_or(Attempt::FIRST)
    }
}

/// The cancel that leads to a record with this reason.
const fn cancel(task: TaskId, why: CancelWhy) -> Input {
    match why {
        CancelWhy::Task => Input::Cancel(Scope::Task(task)),
        CancelWhy::Downstream(root) => Input::Cancel(Scope::Downstream(TaskId::from_index(root))),
        CancelWhy::Run => Input::Cancel(Scope::Run),
        CancelWhy::Item | CancelWhy::Abort | CancelWhy::RunTimeout => Input::Tick,
    }
}
