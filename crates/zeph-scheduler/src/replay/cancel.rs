//! Which cancel a journal's records come from: of one task, or of what depends on one.

use std::collections::{BTreeMap, BTreeSet};

use zeph_graph::{CancelWhy, CutWhy, Entry, Record, TaskId, TaskState};

use super::Cause;
use crate::input::{Input, Scope};
use crate::machine::Machine;

/// The most tasks that are tried as the one whose dependants were cancelled. More than one are tried
/// only if several, none of which depends on another, lead to the same last task and to nothing else.
const MAX_TRIES: usize = 64;

/// What the unfinished dependants of a task are, among those that were cancelled.
#[derive(Clone, Copy, Debug, Default)]
struct Reach {
    /// Whether there is one that was not cancelled.
    beyond: bool,
    /// The one with the highest number that was.
    last: Option<TaskId>,
}

impl Cause<'_> {
    /// Who is named first is the one that was cancelled, or depends on it.
    pub(super) fn cancel(&mut self, task: TaskId, why: CancelWhy) {
        let own = usize::from(why == CancelWhy::Task);
        let now = self.entry.at;
        let with = self.rest.iter().skip(own);
        let with = with.take_while(|entry| entry.at == now);
        let with: Vec<TaskId> = with.map_while(canceled_with).collect();
        let machine = &self.scheduler.machine;
        let input = match why {
            CancelWhy::Task if machine.cone_begins(task, &with).is_some_and(|len| len > 0) => {
                Input::Cancel(Scope::Downstream(task))
            }
            CancelWhy::Task => Input::Cancel(Scope::Task(task)),
            CancelWhy::Downstream => match machine.root(&with) {
                Some(root) => Input::Cancel(Scope::Downstream(root)),
                None => Input::Tick,
            },
            CancelWhy::Run => Input::Cancel(Scope::Run),
            CancelWhy::Abort | CancelWhy::RunTimeout => Input::Tick,
        };
        self.tell(input);
    }
}

impl Machine {
    /// The task, itself ended or stopped before, whose unfinished dependants those begin with: the one
    /// that takes most of them, since whatever ends in between would stand between them.
    ///
    /// Cost: the dependants of the tasks that lead to nothing else, once, and of those that are tried;
    /// much as the cancel itself.
    fn root(&self, canceled: &[TaskId]) -> Option<TaskId> {
        // A cancel goes in the order of numbers, so what steps back belongs to another one.
        let canceled = match canceled.windows(2).position(|pair| pair[1] <= pair[0]) {
            Some(last) => &canceled[..=last],
            None => canceled,
        };
        // A record may come from another copy of the graph, or name a task that is not there.
        let first = TaskId::from_index(canceled.first()?.as_u32());
        self.graph.get(first)?;
        // What stands between the root and the first task has ended, or it would be the first. So only
        // such tasks are gone through, those with higher numbers first, which depend on the others.
        let mut reaches = BTreeMap::new();
        let mut roots: BTreeMap<TaskId, TaskId> = BTreeMap::new();
        let mut open: BTreeSet<TaskId> = self.graph.parents(first).iter().copied().collect();
        while let Some(task) = open.pop_last() {
            let reach = self.reach(task, canceled, &mut reaches);
            if let (true, false, Some(last)) = (self.is_taken(task), reach.beyond, reach.last) {
                roots.insert(task, last);
                open.extend(self.graph.parents(task));
            }
        }
        let mut order: Vec<(TaskId, TaskId)> =
            roots.iter().map(|(&task, &last)| (task, last)).collect();
        order.sort_by_key(|&(task, last)| (std::cmp::Reverse(last), task));
        // A task takes no more than one that it depends on: where that lacks some, so does this.
        let has_more = |task: TaskId, last: TaskId| {
            let parents = self.graph.parents(task);
            parents
                .iter()
                .any(|parent| roots.get(parent) == Some(&last))
        };
        let tops = order
            .into_iter()
            .filter(|&(task, last)| !has_more(task, last));
        let mut tops = tops.map(|(task, _)| task).take(MAX_TRIES);
        tops.find(|&task| self.cone_begins(task, canceled).is_some())
    }

    /// What the unfinished dependants of a task are. Each task is looked at once for all calls.
    fn reach(
        &self,
        task: TaskId,
        canceled: &[TaskId],
        known: &mut BTreeMap<TaskId, Reach>,
    ) -> Reach {
        let mut open = vec![task];
        let mut found = BTreeSet::new();
        while let Some(task) = open.pop() {
            if !known.contains_key(&task) && found.insert(task) {
                open.extend(self.links.children(task));
            }
        }
        // Dependants have higher numbers, so they are known first.
        for task in found.into_iter().rev() {
            let mut reach = Reach::default();
            for child in self.links.children(task) {
                let below = known.get(child).copied().unwrap_or_default();
                let was_canceled = canceled.binary_search(child).is_ok();
                let unfinished = !self.is_taken(*child);
                reach.beyond |= below.beyond || (unfinished && !was_canceled);
                let own = (unfinished && was_canceled).then_some(*child);
                reach.last = reach.last.max(below.last).max(own);
            }
            known.insert(task, reach);
        }
        known.get(&task).copied().unwrap_or_default()
    }

    /// How many tasks a cancel of what depends on this one would take, if the list begins with just
    /// those. Ends at the first one that the list does not have.
    fn cone_begins(&self, root: TaskId, list: &[TaskId]) -> Option<usize> {
        self.state.get(root.index())?;
        let mut cone: BTreeSet<TaskId> = self.links.children(root).iter().copied().collect();
        let mut taken = 0;
        while let Some(task) = cone.pop_first() {
            cone.extend(self.links.children(task));
            if !self.is_taken(task) {
                if list.get(taken) != Some(&task) {
                    return None;
                }
                taken += 1;
            }
        }
        Some(taken)
    }

    /// Whether a cancel of the task would change nothing.
    fn is_taken(&self, task: TaskId) -> bool {
        let stopping = matches!(
            self.state(task),
            TaskState::Canceling {
                why: CutWhy::Cancel(_),
                ..
            }
        );
        stopping || self.state(task).is_end()
    }
}

/// The task that a record cancels because another one was.
fn canceled_with(entry: &Entry) -> Option<TaskId> {
    let (Record::Canceled {
        task,
        why: CancelWhy::Downstream,
    }
    | Record::CancelRequested {
        task,
        why: CutWhy::Cancel(CancelWhy::Downstream),
        ..
    }) = entry.record
    else {
        return None;
    };
    Some(task)
}
