//! Stage: the graph and the limits while they can still change, and the machine from then on.

use zeph_graph::{Policy, TaskGraph, TaskId, TaskState};
use zeph_scheduler::{Counts, Explanation, Held, Input, Scheduler};

use super::clock::Clock;

/// A run before its first turn is a draft; the machine takes the draft over.
#[derive(Debug)]
pub(crate) struct Stage {
    draft: TaskGraph,
    policy: Policy,
    machine: Option<Box<Scheduler>>,
}

impl Stage {
    pub(crate) fn new(graph: TaskGraph) -> Self {
        Self {
            draft: graph,
            policy: Policy::default(),
            machine: None,
        }
    }

    /// The machine, started now if it was not yet.
    pub(crate) fn begin(&mut self, clock: &Clock) -> &mut Scheduler {
        self.machine.get_or_insert_with(|| {
            let graph = std::mem::take(&mut self.draft);
            let mut machine = Box::new(Scheduler::new(graph, self.policy));
            machine.handle(clock.now(), Input::Start);
            machine
        })
    }

    pub(crate) fn machine(&self) -> Option<&Scheduler> {
        self.machine.as_deref()
    }

    /// Graph and limits, to be changed; `None` once the run has begun.
    pub(crate) fn draft(&mut self) -> Option<(&mut TaskGraph, &mut Policy)> {
        match self.machine {
            Some(_) => None,
            None => Some((&mut self.draft, &mut self.policy)),
        }
    }

    pub(crate) fn graph(&self) -> &TaskGraph {
        self.machine().map_or(&self.draft, Scheduler::graph)
    }

    pub(crate) const fn policy(&self) -> &Policy {
        &self.policy
    }

    #[track_caller]
    pub(crate) fn state(&self, task: TaskId) -> TaskState {
        match self.machine() {
            Some(machine) => machine.task(task).state(),
            None => {
                assert!(
                    self.draft.contains(task),
                    "{task} is not a task of this graph"
                );
                TaskState::Pending
            }
        }
    }

    pub(crate) fn counts(&self) -> Counts {
        match self.machine() {
            Some(machine) => machine.counts(),
            None => Counts {
                // A graph holds fewer tasks than a u32 counts.
                pending: self.draft.len() as u32,
                ..Counts::default()
            },
        }
    }

    #[track_caller]
    pub(crate) fn explain(&self, task: TaskId) -> Explanation {
        let Some(machine) = self.machine() else {
            let parents = self.draft.parents(task);
            return match parents.is_empty() {
                true => Explanation::Held(Held::Asleep),
                false => Explanation::Parents {
                    open: parents.iter().copied().take(8).collect(),
                    count: parents.len() as u32,
                },
            };
        };
        machine.explain(task)
    }
}
