//! Items: a task that runs once for each item of a list. Its items are tasks of the graph; it waits for them
//! without a slot, and their ends decide about its own.

use zeph_graph::{
    Attempt, CancelWhy, ContentId, CutHow, CutWhy, Fault, ItemFailure, Record, TaskId, TaskState,
    Timestamp,
};

use crate::input::InputOutcome;
use crate::machine::{Machine, Phase};
use crate::outcome::InFlight;

/// How many items an expanded task has, how many of them have not ended, and how many failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Items {
    /// The content that holds the list.
    pub list: ContentId,
    pub total: u32,
    pub open: u32,
    pub failed: u32,
}

impl Machine {
    pub(crate) fn on_expanded(
        &mut self,
        task: TaskId,
        attempt: Attempt,
        list: ContentId,
        count: u32,
    ) -> InputOutcome {
        match self.in_flight(task, attempt) {
            // A list within the grace period of a suspension counts, like a result, unless the run ends.
            Some(InFlight::Running | InFlight::Stopping(CutWhy::Suspend))
                if !self.is_ending(task) => {}
            Some(InFlight::Running) => return InputOutcome::Stale,
            // After a cancel or a time-out a late list does not count.
            Some(InFlight::Stopping(why)) => {
                self.attempt_cut(task, attempt, Some(why), CutHow::Stopped, None);
                return InputOutcome::Accepted;
            }
            None => return InputOutcome::Stale,
        }
        if self.graph.check_expansion(task, count).is_err() {
            return InputOutcome::Rejected;
        }
        self.expand(task, attempt, list, count);
        InputOutcome::Accepted
    }

    /// Records the items, and starts or ends what follows from them.
    fn expand(&mut self, task: TaskId, attempt: Attempt, list: ContentId, count: u32) {
        let first = self.state.len();
        let attempt = Some(attempt);
        self.record(Record::Expanded {
            task,
            attempt,
            list,
            count,
        });
        for id in self.graph.ids().skip(first) {
            self.evaluate(id);
        }
        self.decide_items(task);
    }

    /// Keeps the items that an earlier run had made of a task until the start.
    pub(crate) fn on_supply_items(
        &mut self,
        task: TaskId,
        list: ContentId,
        count: u32,
    ) -> InputOutcome {
        let is_known = self.graph.contains(task) && !self.supplied.contains_key(&task);
        if self.run.phase != Phase::New || !is_known || self.supplied_items.contains_key(&task) {
            return InputOutcome::Stale;
        }
        let fits = self.graph.check_expansion(task, count).is_ok();
        if !fits || !self.has_supplied_parents(task) {
            return InputOutcome::Rejected;
        }
        self.supplied_items.insert(task, (list, count));
        InputOutcome::Accepted
    }

    /// Whether that number will be one of the supplied items.
    pub(crate) fn is_supplied_item(&self, task: TaskId) -> bool {
        let counts = self.supplied_items.values();
        let items: usize = counts.map(|(_, count)| *count as usize).sum();
        (self.graph.len()..self.graph.len() + items).contains(&task.index())
    }

    /// Whether the end of the run ends the task.
    fn is_ending(&self, task: TaskId) -> bool {
        self.run.ending.is_some() && !self.is_finalizer(task)
    }

    /// A running attempt made the list, or an earlier run did and every parent has completed.
    pub(crate) fn allows_expanded(
        &self,
        task: TaskId,
        attempt: Option<Attempt>,
        count: u32,
    ) -> bool {
        let is_due = match attempt {
            Some(attempt) => matches!(
                self.in_flight(task, attempt),
                Some(InFlight::Running | InFlight::Stopping(CutWhy::Suspend))
            ),
            None => self.allows_supplied(task),
        };
        is_due && !self.is_ending(task) && self.graph.check_expansion(task, count).is_ok()
    }

    pub(crate) fn apply_expanded(
        &mut self,
        task: TaskId,
        list: ContentId,
        count: u32,
        at: Timestamp,
    ) {
        let expanded = self.graph.expand(task, count);
        debug_assert!(expanded.is_ok(), "{expanded:?}");
        self.ledger.settle_all(task);
        let items = Items {
            list,
            total: count,
            open: count,
            failed: 0,
        };
        self.items.insert(task, items);
        self.enter(task, TaskState::Mapping, at);
        self.extend();
    }

    /// Counts the end of an item.
    pub(crate) fn item_ended(&mut self, task: TaskId, state: TaskState) {
        if self.items.is_empty() {
            return;
        }
        if let Some((of, _)) = self.graph.item(task)
            && let Some(items) = self.items.get_mut(&of)
        {
            items.open -= 1;
            items.failed += u32::from(matches!(state, TaskState::Failed { .. }));
        }
    }

    /// The consequences of the end of an item for the others and for the task that it is an item of.
    pub(crate) fn after_item(&mut self, task: TaskId) {
        let Some((of, _)) = self.graph.item(task) else {
            return;
        };
        let has_failed = matches!(self.state(task), TaskState::Failed { .. });
        let stops = has_failed && self.item_failure(of) == ItemFailure::Abort;
        if stops && self.state(of) == TaskState::Mapping {
            self.cancel_items(of, CancelWhy::Item);
        }
        // The items that were canceled now decide, after their own dependents.
        if self.ended.is_empty() {
            self.decide_items(of);
        }
    }

    /// The first item of a task that failed. Cost: the number of items.
    pub(crate) fn first_failed_item(&self, of: TaskId) -> Option<TaskId> {
        let items = self.graph.items(of)?;
        let mut items = items.map(TaskId::from_index);
        items.find(|&item| matches!(self.state(item), TaskState::Failed { .. }))
    }

    /// Cancels the items of a task that have not ended.
    pub(crate) fn cancel_items(&mut self, of: TaskId, why: CancelWhy) {
        for index in self.graph.items(of).unwrap_or_default() {
            self.cancel_one(TaskId::from_index(index), why);
        }
    }

    /// Whether all items of an expanded task have ended.
    pub(crate) fn has_ended_items(&self, task: TaskId) -> bool {
        self.items.get(&task).is_some_and(|items| items.open == 0)
    }

    /// Once all items have ended: collects their results, or fails the task.
    pub(crate) fn decide_items(&mut self, of: TaskId) {
        if self.state(of) != TaskState::Mapping || !self.has_ended_items(of) {
            return;
        }
        let has_failed = self.items.get(&of).is_some_and(|items| items.failed > 0);
        if has_failed && self.item_failure(of) != ItemFailure::Skip {
            self.strategy(of, Fault::Item);
        } else {
            self.record(Record::Readied { task: of });
        }
    }

    fn item_failure(&self, of: TaskId) -> ItemFailure {
        let foreach = self.graph.task(of).rules().foreach;
        foreach.map_or(ItemFailure::Abort, |foreach| foreach.on_failure)
    }
}
