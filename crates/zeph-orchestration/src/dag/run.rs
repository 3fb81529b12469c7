//! Run: graph and policy while they can change, and the scheduler from the first tick on.

use zeph_graph::{Policy, TaskGraph, TaskId, TaskState};
use zeph_scheduler::{Counts, Explanation, Input, Scheduler};

use super::clock::Clock;

/// A draft before the first tick. After it, the scheduler has the graph and the policy.
#[derive(Debug)]
pub(crate) struct Run {
    draft: TaskGraph,
    policy: Policy,
    scheduler: Option<Box<Scheduler>>,
}

impl Run {
    pub(crate) fn new(graph: TaskGraph) -> Self {
        Self {
            draft: graph,
            policy: Policy::default(),
            scheduler: None,
        }
    }

    /// The scheduler; starts the run if it has not started.
    pub(crate) fn start(&mut self, clock: &Clock) -> &mut Scheduler {
        self.scheduler.get_or_insert_with(|| {
            let graph = std::mem::take(&mut self.draft);
            let mut scheduler = Box::new(Scheduler::new(graph, self.policy));
            scheduler.handle(clock.now(), Input::Start);
            scheduler
        })
    }

    pub(crate) fn scheduler(&self) -> Option<&Scheduler> {
        self.scheduler.as_deref()
    }

    pub(crate) fn scheduler_mut(&mut self) -> Option<&mut Scheduler> {
        self.scheduler.as_deref_mut()
    }

    /// Graph and policy for changes; `None` once the run has started.
    pub(crate) fn draft(&mut self) -> Option<(&mut TaskGraph, &mut Policy)> {
        match self.scheduler {
            Some(_) => None,
            None => Some((&mut self.draft, &mut self.policy)),
        }
    }

    pub(crate) fn graph(&self) -> &TaskGraph {
        self.scheduler().map_or(&self.draft, Scheduler::graph)
    }

    pub(crate) const fn policy(&self) -> &Policy {
        &self.policy
    }

    #[track_caller]
    pub(crate) fn state(&self, task: TaskId) -> TaskState {
        if let Some(scheduler) = self.scheduler() {
            return scheduler.task(task).state();
        }
        let is_known = self.draft.contains(task);
        assert!(is_known, "{task} is not a task of this graph");
        TaskState::Pending
    }

    pub(crate) fn counts(&self) -> Counts {
        let draft = || Counts {
            // A graph has fewer tasks than a u32 counts.
            pending: self.draft.len() as u32,
            ..Counts::default()
        };
        self.scheduler().map_or_else(draft, Scheduler::counts)
    }

    #[track_caller]
    pub(crate) fn explain(&self, task: TaskId) -> Explanation {
        match self.scheduler() {
            Some(scheduler) => scheduler.explain(task),
            None => Scheduler::new(self.draft.clone(), self.policy).explain(task),
        }
    }
}
