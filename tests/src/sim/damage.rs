//! Damage: damaged journals. Recovery rejects them, or the recovered scheduler neither panics nor loops.

use zeph_graph::{Attempt, EndingWhy, Entry, Record, Seq, SkipWhy, TaskId, Timestamp};
use zeph_scheduler::{Action, Input, Scheduler};

use crate::facts::Facts;
use crate::rng::Rng;

/// Damages a journal at random, recovers from it, and drives the recovered scheduler for a while. Panics
/// only if the scheduler panics. True if the recovery detected the damage.
#[must_use]
pub fn survives(seed: u64, facts: &Facts, journal: &[Entry]) -> bool {
    let mut rng = Rng::new(seed);
    let mut journal = journal.to_vec();
    for _ in 0..rng.within(1, 3) {
        hurt(&mut rng, facts, &mut journal);
    }
    for (at, entry) in journal.iter_mut().enumerate() {
        entry.seq = Seq::FIRST.plus(at as u64);
        entry.at = Timestamp::from_micros(at as u64);
    }
    match Scheduler::recover(facts.header.clone(), journal, &facts.patches) {
        Ok(machine) => {
            go_on(&mut rng, machine);
            false
        }
        Err(_) => true,
    }
}

fn hurt(rng: &mut Rng, facts: &Facts, journal: &mut Vec<Entry>) {
    let len = journal.len() as u64;
    let (a, b) = (rng.below(len) as usize, rng.below(len) as usize);
    let Some(&entry) = journal.get(a) else {
        return;
    };
    let tasks = facts.graph().len() as u64;
    match rng.below(6) {
        0 => drop(journal.remove(a)),
        1 => journal.insert(b, entry),
        2 => journal.swap(a, b),
        3 => journal.truncate(a.max(1)),
        4 => {
            let task = TaskId::from_index(rng.below(tasks + 1) as u32);
            journal[a].record = of_another_task(entry.record, task);
        }
        _ => journal[a].record = another_attempt(entry.record),
    }
}

fn of_another_task(record: Record, other: TaskId) -> Record {
    let mut record = record;
    match &mut record {
        Record::Preparing { task }
        | Record::PrepareFailed { task, .. }
        | Record::Readied { task }
        | Record::Started { task, .. }
        | Record::Completed { task, .. }
        | Record::Supplied { task, .. }
        | Record::AttemptFailed { task, .. }
        | Record::AttemptCut { task, .. }
        | Record::BackedOff { task, .. }
        | Record::FellBack { task, .. }
        | Record::Asked { task, .. }
        | Record::Answered { task, .. }
        | Record::Overridden { task, .. }
        | Record::CancelRequested { task, .. }
        | Record::Failed { task, .. }
        | Record::Canceled { task, .. }
        | Record::Reserved { task, .. }
        | Record::Settled { task, .. }
        | Record::Noted { task, .. }
        | Record::Amended {
            task: Some(task), ..
        }
        | Record::Expanded { task, .. }
        | Record::Skipped {
            why: SkipWhy::Upstream(task),
            ..
        }
        | Record::Ending {
            why: EndingWhy::Abort(task),
        } => *task = other,
        Record::Opened
        | Record::Skipped { .. }
        | Record::Ending { .. }
        | Record::Paused
        | Record::Unpaused
        | Record::Suspending
        | Record::Suspended
        | Record::Resumed
        | Record::Budgeted { .. }
        | Record::Amended { task: None, .. }
        | Record::Ended { .. } => {}
    }
    record
}

fn another_attempt(record: Record) -> Record {
    let mut record = record;
    if let Record::Started { attempt, .. }
    | Record::AttemptFailed { attempt, .. }
    | Record::AttemptCut { attempt, .. }
    | Record::CancelRequested { attempt, .. } = &mut record
    {
        *attempt = Attempt::next(*attempt);
    }
    record
}

fn go_on(rng: &mut Rng, mut machine: Scheduler) {
    let mut now = Timestamp::from_micros(1_000_000);
    machine.handle(now, Input::Resume);
    for _ in 0..60 {
        let ids: Vec<TaskId> = machine.graph().ids().collect();
        for &id in &ids {
            let _ = machine.explain(id);
        }
        let _ = (machine.stuck(), machine.snapshot());
        let Some(batch) = machine.step() else {
            let Some(due) = machine.deadline() else {
                return;
            };
            now = now.max(due);
            machine.handle(now, Input::Tick);
            continue;
        };
        for action in machine.saved(batch) {
            if let Action::Start { task, attempt } = action
                && rng.percent(80)
            {
                let done = Input::Completed {
                    task,
                    attempt,
                    output: None,
                    log: None,
                };
                machine.handle(now, done);
            }
        }
    }
}
