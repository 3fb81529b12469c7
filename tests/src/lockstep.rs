//! Lockstep: runs a scheduler, the reference model and the audit side by side, and checks every step.
//!
//! Random runs and golden scenarios both drive the scheduler through it, so that the same invariants are
//! checked after every event.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use zeph_graph::wire::{self, GraphSpec};
use zeph_graph::{Attempt, Entry, Record, TaskGraph, TaskId, Timestamp};
use zeph_scheduler::{Action, Batch, Corrupt, Input, Patches, Scheduler, Snapshot};

use crate::audit::{Audit, Expected};
use crate::call::{Call, CallReply};
use crate::facts::Facts;
use crate::hold;
use crate::invariants::{self, View};
use crate::model::Model;
use crate::violation::{Check, Violation};

/// A scheduler with the model, the audit and the saved records that it is compared with.
#[derive(Debug)]
pub struct Lockstep {
    facts: Arc<Facts>,
    machine: Scheduler,
    snapshot: Snapshot,
    model: Model,
    audit: Audit,
    disk: Vec<Entry>,
    // The model at the last record on disk.
    saved_model: Model,
    flying: Option<Flight>,
    // The last `retry_after` of each task's executor.
    floors: BTreeMap<TaskId, Duration>,
    thorough: bool,
}

/// A batch that is being saved.
#[derive(Debug)]
struct Flight {
    batch: Batch,
    model: Model,
    expected: Expected,
}

impl Lockstep {
    /// A new run. With `thorough` the whole journal is replayed after every step, otherwise only at
    /// crashes and at the end.
    #[must_use]
    pub fn new(facts: Arc<Facts>, thorough: bool) -> Self {
        let header = facts.header.clone();
        let machine = Scheduler::new(header.graph, header.policy);
        let model = Model::new(Arc::clone(&facts));
        Self {
            snapshot: machine.snapshot(),
            machine,
            audit: Audit::new(Arc::clone(&facts)),
            disk: Vec::new(),
            saved_model: model.clone(),
            model,
            flying: None,
            floors: BTreeMap::new(),
            thorough,
            facts,
        }
    }

    /// Makes one call, and checks the state after it.
    ///
    /// # Errors
    /// The invariant that does not hold afterwards.
    pub fn apply(&mut self, now: Timestamp, what: &Call) -> Check<CallReply> {
        let timers_due = self.machine.deadline().is_some_and(|due| due <= now);
        let reply = what.to(&mut self.machine, now);
        if let Call::Input(Input::Failed {
            task, retry_after, ..
        }) = *what
            && reply == CallReply::Accepted
        {
            self.floors.insert(task, retry_after.unwrap_or_default());
        }
        let after = self.machine.snapshot();
        let before = std::mem::replace(&mut self.snapshot, after);
        let task_of = |question| {
            let mut open = before.questions.iter();
            open.find(|open| open.id == question).map(|open| open.task)
        };
        let grown = self.grown(what)?;
        let expected = self.model.event(now, what, grown, task_of);
        if !Arc::ptr_eq(&self.facts, self.model.facts()) {
            self.facts = Arc::clone(self.model.facts());
            self.audit.grow(&self.facts);
        }
        hold!(
            reply == expected,
            20,
            "model_agrees",
            "the answer is {reply:?}, the model says {expected:?}"
        );
        self.compare()?;
        invariants::after_input(&View {
            facts: &self.facts,
            before: &before,
            after: &self.snapshot,
            machine: &self.machine,
            model: &self.model,
            what,
            reply,
            timers_due,
        })?;
        Ok(reply)
    }

    /// Feeds one input, and checks the state after it.
    ///
    /// # Errors
    /// The invariant that does not hold afterwards.
    pub fn handle(&mut self, now: Timestamp, input: Input) -> Check<CallReply> {
        self.apply(now, &Call::Input(input))
    }

    /// The facts after a patch or with items; `None` if the call adds no tasks, or the graph refuses them.
    fn grown(&self, what: &Call) -> Check<Option<Arc<Facts>>> {
        if let Call::Input(input) = what {
            let graph = self.with_items(input);
            return Ok(graph.map(|graph| Arc::new(self.facts.expanded(graph))));
        }
        let (Call::Amend { content, patch, .. } | Call::AmendByHand { content, patch, .. }) = what
        else {
            return Ok(None);
        };
        let Some(expected) = &patch.grown else {
            return Ok(None);
        };
        let graph = self.machine.graph();
        let is_amended = self.machine.amendments() as usize > self.facts.patches.len();
        let graph = if is_amended {
            let differences = wire::diff(expected, graph);
            hold!(
                differences.is_empty(),
                23,
                "patches_append",
                "the graph is not what the patch makes of it: {differences:?}"
            );
            // The JSON form of the patch rounds durations up; the scheduler's graph has the rounded ones.
            graph
        } else {
            expected
        };
        let facts = self.facts.grown(graph.clone(), *content, &patch.spec);
        Ok(Some(Arc::new(facts)))
    }

    /// The graph with the items that an input adds.
    fn with_items(&self, input: &Input) -> Option<TaskGraph> {
        let graph = self.facts.graph();
        if let Input::Expanded { task, count, .. } = *input {
            return Facts::with_items(graph, task, count);
        }
        let mut supplied = self.model.supplied_items().iter();
        let starts = matches!(input, Input::Start | Input::Resume) && supplied.len() > 0;
        starts.then(|| {
            supplied.try_fold(graph.clone(), |graph, (&task, &count)| {
                Facts::with_items(&graph, task, count)
            })
        })?
    }

    /// Takes the next batch, if none is being saved; true if there is one now.
    ///
    /// # Errors
    /// The invariant that does not hold afterwards.
    pub fn step(&mut self) -> Check<bool> {
        let busy = self.flying.is_some();
        let batch = self.machine.step();
        let after = self.machine.snapshot();
        let before = std::mem::replace(&mut self.snapshot, after);
        hold!(
            !(busy && batch.is_some()),
            16,
            "sequence_without_gaps",
            "two batches are out at the same time"
        );
        let Some(batch) = batch else {
            hold!(
                before == self.snapshot,
                13,
                "records_explained",
                "a step without a batch changed the state"
            );
            return if busy { Ok(true) } else { self.idle() };
        };
        self.read(batch.entries())?;
        let expected = self.audit.take_expected();
        self.compare()?;
        let waiting = self.model.may_start();
        hold!(
            waiting.is_empty(),
            9,
            "no_hang",
            "{waiting:?} may start after a step, and did not"
        );
        invariants::after_step(
            &self.facts,
            &before,
            &self.snapshot,
            &self.machine,
            &self.model,
        )?;
        self.flying = Some(Flight {
            batch,
            model: self.model.clone(),
            expected,
        });
        if self.thorough {
            self.fold()?;
        }
        Ok(true)
    }

    fn idle(&self) -> Check<bool> {
        let waiting = self.model.may_start();
        hold!(
            waiting.is_empty(),
            9,
            "no_hang",
            "{waiting:?} may start, and there is no batch"
        );
        Ok(false)
    }

    fn read(&mut self, entries: &[Entry]) -> Check {
        hold!(
            !entries.is_empty(),
            13,
            "records_explained",
            "an empty batch"
        );
        for entry in entries {
            let floor = |task| Some(self.floors.get(&task).copied().unwrap_or_default());
            self.audit.entry(entry, floor)?;
            if let Record::Started { task, attempt } = entry.record {
                self.model
                    .started(task, attempt.get())
                    .map_err(|what| Violation {
                        number: 20,
                        name: "model_agrees",
                        what,
                    })?;
            }
        }
        self.audit.end_of_batch()?;
        invariants::inv_24_accounts(&self.snapshot, &self.audit)
    }

    fn compare(&mut self) -> Check {
        let agreed = self.model.agree(&self.snapshot, &self.machine);
        agreed.map_err(|what| Violation {
            number: 20,
            name: "model_agrees",
            what,
        })
    }

    /// Marks the batch as saved, and returns its actions.
    ///
    /// # Errors
    /// If the actions are not exactly those that the records require.
    pub fn save(&mut self) -> Check<Vec<Action>> {
        let Some(flight) = self.flying.take() else {
            return Ok(Vec::new());
        };
        self.disk.extend_from_slice(flight.batch.entries());
        self.saved_model = flight.model;
        let actions = self.machine.saved(flight.batch);
        invariants::inv_10_actions(&flight.expected, &actions)?;
        Ok(actions)
    }

    /// Crashes before or after the batch reached the disk, and recovers a scheduler from the journal.
    ///
    /// # Errors
    /// If the recovered state is not the saved one.
    pub fn crash(&mut self, appended: bool) -> Check {
        if let Some(flight) = self.flying.take()
            && appended
        {
            self.disk.extend_from_slice(flight.batch.entries());
            self.saved_model = flight.model;
        }
        let recovered = self.recover(&self.disk);
        self.machine = recovered.map_err(|corrupt| Violation {
            number: 14,
            name: "fold_equals_live",
            what: format!("its own journal is called corrupt: {corrupt}"),
        })?;
        self.snapshot = self.machine.snapshot();
        self.model = self.saved_model.clone();
        self.facts = Arc::clone(self.model.facts());
        let last_at = self.disk.last().map_or(0, |entry| entry.at.as_micros());
        self.model.crash(last_at);
        self.audit = Audit::new(Arc::clone(&self.facts));
        for entry in &self.disk {
            self.audit.entry(entry, |_| None)?;
        }
        self.audit.take_expected();
        self.compare()?;
        invariants::inv_24_accounts(&self.snapshot, &self.audit)?;
        invariants::after_crash(&self.facts, &self.disk, &self.snapshot, &self.model)?;
        invariants::inv_07_timers(&self.snapshot, &self.machine, &self.model)
    }

    /// Replays the journal, with the batch that is being saved, and compares it with the live scheduler.
    ///
    /// # Errors
    /// If they differ.
    pub fn fold(&self) -> Check {
        let flying = self.flying.iter().flat_map(|f| f.batch.entries());
        let journal: Vec<Entry> = self.disk.iter().chain(flying).copied().collect();
        let folded = self.recover(&journal);
        let folded = folded.map_err(|corrupt| Violation {
            number: 14,
            name: "fold_equals_live",
            what: format!("its own journal is called corrupt: {corrupt}"),
        })?;
        invariants::inv_14_fold(&folded.snapshot(), &self.snapshot)
    }

    /// Recovers a scheduler from a journal, with only those patches that the journal names.
    fn recover(&self, journal: &[Entry]) -> Result<Scheduler, Corrupt> {
        let named = journal.iter().filter_map(|entry| {
            let Record::Amended { content, .. } = entry.record else {
                return None;
            };
            let patch = self.facts.patches.get(&content)?;
            // The patch in its stored form.
            let read = GraphSpec::from_json(&patch.to_json()).ok()?;
            Some((content, read))
        });
        let patches: Patches = named.collect();
        let journal = journal.iter().copied();
        Scheduler::recover(self.facts.header.clone(), journal, &patches)
    }

    /// Checks the end of a run and its journal as a whole.
    ///
    /// # Errors
    /// The invariant that does not hold.
    pub fn finish(&self) -> Check {
        self.fold()?;
        self.audit.finish()?;
        invariants::inv_13_summary(&self.disk, &self.snapshot)?;
        invariants::inv_21_wire(&self.disk)
    }

    /// The scheduler.
    #[must_use]
    pub const fn machine(&self) -> &Scheduler {
        &self.machine
    }

    /// The scheduler's state after the last event.
    #[must_use]
    pub const fn snapshot(&self) -> &Snapshot {
        &self.snapshot
    }

    /// The current facts; an accepted patch replaces them.
    #[must_use]
    pub const fn facts(&self) -> &Arc<Facts> {
        &self.facts
    }

    /// The saved records.
    #[must_use]
    pub fn disk(&self) -> &[Entry] {
        &self.disk
    }

    /// Whether a batch is being saved.
    #[must_use]
    pub const fn is_saving(&self) -> bool {
        self.flying.is_some()
    }

    /// The records of the batch that is being saved.
    #[must_use]
    pub fn saving(&self) -> &[Entry] {
        self.flying.as_ref().map_or(&[], |f| f.batch.entries())
    }

    /// Whether that attempt is in flight according to the scheduler.
    #[must_use]
    pub fn is_current(&self, task: TaskId, attempt: Attempt) -> bool {
        if task.index() >= self.snapshot.states.len() {
            return false;
        }
        let life = self.model.life(task);
        life.has_attempt() && life.attempts == attempt.get()
    }
}
