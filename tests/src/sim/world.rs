//! World: one random run with simulated executors, answers, clock and disk.

use std::sync::Arc;

use zeph_graph::{Attempt, ContentId, Entry, TaskId, Timestamp};
use zeph_scheduler::{Action, Input};

use super::graphs;
use super::mix::Mix;
use super::trace::{self, Trace};
use crate::call::{Call, CallReply};
use crate::facts::Facts;
use crate::lockstep::Lockstep;
use crate::rng::Rng;
use crate::violation::{Check, Violation};

/// The options of a run, besides its seed.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// The largest number of tasks in a graph.
    pub most_tasks: u64,
    /// Whether the journal is replayed after every step.
    pub thorough: bool,
    /// An append with a certain crash, counted from 0, and whether that append succeeds.
    pub crash_at: Option<(u64, bool)>,
}

impl Options {
    /// Graphs of at most 12 tasks, with all checks.
    pub const SHORT: Self = Self {
        most_tasks: 12,
        thorough: true,
        crash_at: None,
    };
}

/// The outcome of a run.
#[derive(Debug)]
pub struct Outcome {
    /// The invariant that does not hold, if there is one.
    pub broken: Option<Violation>,
    /// The number of calls of the scheduler.
    pub events: u64,
    /// The number of appends to the journal.
    pub appends: u64,
    /// The number of crashes.
    pub crashes: u64,
    /// The saved records.
    pub journal: Vec<Entry>,
    /// The graph and its policy; `None` if the scheduler panicked.
    pub facts: Option<Arc<Facts>>,
}

/// An attempt that an executor runs or has run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Job {
    pub(super) task: TaskId,
    pub(super) attempt: Attempt,
    /// Ignores its cancellation.
    pub(super) stubborn: bool,
    pub(super) must_end: bool,
}

/// One run with its simulated environment.
#[derive(Debug)]
pub(super) struct World {
    pub(super) rng: Rng,
    pub(super) mix: Mix,
    pub(super) lockstep: Lockstep,
    pub(super) now: Timestamp,
    pub(super) start: Timestamp,
    /// The running attempts.
    pub(super) jobs: Vec<Job>,
    /// Attempts that were reported, lost or abandoned; they may still report.
    pub(super) ended: Vec<Job>,
    pub(super) events: u64,
    pub(super) appends: u64,
    pub(super) crashes: u64,
    pub(super) contents: u32,
    pub(super) trace: Trace,
}

/// Executes the run of a seed.
#[must_use]
pub fn run(seed: u64, options: Options, trace: &Trace) -> Outcome {
    let mut rng = Rng::new(seed);
    let header = graphs::draw(&mut rng, options.most_tasks);
    let mut mix = Mix::draw(&mut rng);
    mix.crash_at = options.crash_at;
    if options.most_tasks > 12 {
        mix.events *= 4;
    }
    let starts = [0, 1_000, 1_700_000_000_000_000, i64::MAX as u64 - 1_000_000];
    let start = Timestamp::from_micros(starts[rng.weighted(&[4, 2, 8, 1])]);
    if trace.is_kept() {
        for line in trace::picture(&header) {
            trace.line(|| line);
        }
    }
    let lockstep = Lockstep::new(Arc::new(Facts::of(header)), options.thorough);
    let mut world = World {
        rng,
        mix,
        lockstep,
        now: start,
        start,
        jobs: Vec::new(),
        ended: Vec::new(),
        events: 0,
        appends: 0,
        crashes: 0,
        contents: 0,
        trace: trace.clone(),
    };
    let broken = world.live().err();
    Outcome {
        broken,
        events: world.events,
        appends: world.appends,
        crashes: world.crashes,
        journal: world.lockstep.disk().to_vec(),
        facts: Some(Arc::clone(world.lockstep.facts())),
    }
}

impl World {
    fn live(&mut self) -> Check {
        if self.rng.percent(10) {
            self.wild()?;
        }
        if self.rng.percent(20) {
            self.supply()?;
        }
        self.tell(Input::Start)?;
        self.turn()?;
        for _ in 0..self.mix.events {
            self.wild()?;
            self.turn()?;
        }
        self.drain()?;
        self.lockstep.finish()?;
        // Late events after the end change nothing.
        for _ in 0..self.rng.below(4) {
            self.wild()?;
        }
        self.lockstep.finish()
    }

    /// Supplies results of an earlier run. Some come before those of their parents.
    fn supply(&mut self) -> Check {
        let likely = 50 + self.rng.below(51);
        for index in 0..self.lockstep.facts().graph().len() as u32 {
            if self.rng.percent(likely) {
                let task = TaskId::from_index(index);
                self.contents += 1;
                let output = ContentId::new(self.contents);
                self.tell(Input::Supply { task, output })?;
            } else if self.rng.percent(60) {
                self.supply_items(TaskId::from_index(index))?;
            }
        }
        for index in 0..self.rng.below(8) as u32 {
            let first = self.lockstep.facts().graph().len() as u32;
            let (task, output) = (TaskId::from_index(first + index), None);
            self.tell(Input::Supply { task, output })?;
        }
        Ok(())
    }

    /// Supplies the list of a task; most tasks run for no items and refuse it.
    fn supply_items(&mut self, task: TaskId) -> Check {
        self.contents += 1;
        let count = self.rng.below(4) as u32;
        let list = ContentId::new(self.contents).unwrap_or(ContentId::FIRST);
        self.tell(Input::SupplyItems { task, list, count })?;
        Ok(())
    }

    /// Feeds the scheduler an input.
    pub(super) fn tell(&mut self, input: Input) -> Check<CallReply> {
        self.tell_of(&Call::Input(input))
    }

    /// Makes a call of the scheduler.
    pub(super) fn tell_of(&mut self, what: &Call) -> Check<CallReply> {
        self.events += 1;
        let (start, now) = (self.start, self.now);
        self.trace
            .line(|| format!("{} {}", trace::clock(start, now), trace::happening(what)));
        let reply = self.lockstep.apply(self.now, what)?;
        if reply != CallReply::Accepted {
            self.trace.line(|| format!("      {reply:?}"));
        }
        Ok(reply)
    }

    /// A turn of the driver: takes a batch, saves it or leaves it in flight, and performs actions.
    pub(super) fn turn(&mut self) -> Check {
        loop {
            if !self.lockstep.step()? {
                return Ok(());
            }
            if self.rng.percent(self.mix.slow_disk) {
                return Ok(());
            }
            self.append()?;
        }
    }

    /// The batch in flight reaches the disk, or the process dies. False after a death.
    pub(super) fn append(&mut self) -> Check<bool> {
        let append = self.appends;
        self.appends += 1;
        let dies = match self.mix.crash_at {
            Some((at, appended)) => (at == append).then_some(appended),
            None => {
                let dies = self.rng.percent(self.mix.crashing);
                dies.then(|| self.rng.percent(50))
            }
        };
        let saving = self.lockstep.saving().to_vec();
        self.trace.records(&saving);
        if let Some(appended) = dies {
            self.die(appended)?;
            return Ok(false);
        }
        for action in self.lockstep.save()? {
            self.perform(action);
        }
        Ok(true)
    }

    fn perform(&mut self, action: Action) {
        self.trace.line(|| format!("      => {action:?}"));
        match action {
            Action::Start { task, attempt } => self.jobs.push(Job {
                task,
                attempt,
                stubborn: self.rng.percent(self.mix.stubborn),
                must_end: false,
            }),
            Action::Cancel { task, attempt } => {
                for job in &mut self.jobs {
                    job.must_end |= job.task == task && job.attempt == attempt;
                }
            }
            Action::Abandon { task, attempt } => self.end_attempt(task, attempt),
            // The snapshot has the tasks that are being prepared.
            Action::Prepare { .. } | Action::Ask { .. } | Action::Suspended | Action::Ended(_) => {}
        }
    }

    /// Moves an attempt that its executor or the scheduler has ended from `jobs` to `ended`.
    pub(super) fn end_attempt(&mut self, task: TaskId, attempt: Attempt) {
        let is = |job: &Job| job.task == task && job.attempt == attempt;
        if let Some(at) = self.jobs.iter().position(is) {
            let job = self.jobs.swap_remove(at);
            self.ended.push(job);
        }
    }

    /// Crashes and resumes the run. The attempts of the crashed process may still report.
    pub(super) fn die(&mut self, appended: bool) -> Check {
        self.crashes += 1;
        self.trace
            .line(|| format!("      CRASH, appended: {appended}"));
        self.lockstep.crash(appended)?;
        self.ended.append(&mut self.jobs);
        // The recovered scheduler may get late events before `Resume`.
        if self.rng.percent(30) {
            self.wild()?;
        }
        // Some runs crash repeatedly during the recovery.
        let again = if self.rng.percent(2) { 20 } else { 0 };
        for _ in 0..again {
            self.tell(Input::Resume)?;
            self.lockstep.step()?;
            let appended = self.rng.percent(50);
            self.trace
                .line(|| format!("      CRASH again, appended: {appended}"));
            self.lockstep.crash(appended)?;
        }
        self.tell(Input::Resume)?;
        Ok(())
    }
}
