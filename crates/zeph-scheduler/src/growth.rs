//! Growth: a running attempt or a person adds tasks to the graph of a run, and removes tasks that have not
//! started.

use std::collections::{BTreeMap, BTreeSet};

use zeph_graph::wire::{Diagnostic, Diagnostics, GraphSpec, code};
use zeph_graph::{AnsweredBy, Attempt, ContentId, Record, SkipWhy, TaskId, TaskState, Timestamp};

use crate::Scheduler;
use crate::machine::{Machine, Phase};

/// The outcome of a valid patch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Amendment {
    /// The graph has grown.
    Added {
        /// The first new task; the others have the numbers after it.
        first: TaskId,
        /// The number of new tasks.
        tasks: u32,
    },
    /// The task has had that patch accepted before, or another one in its place. Nothing has changed.
    AlreadyAmended,
    /// The patch was made for the run after another number of amendments. Nothing has changed.
    Outdated {
        /// The number of amendments of the run.
        amendments: u32,
    },
    /// The attempt is not running, the run is ending, or only finalizers are left. Nothing has changed.
    Stale,
}

/// An attempt that proposes a patch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Proposer {
    /// Its task.
    pub task: TaskId,
    /// Its number.
    pub attempt: Attempt,
    /// The number of [patches](Scheduler::proposals) of the task that the new one follows.
    pub after: u32,
}

/// A patch of a person.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ByHand {
    /// The content that says who made it, if that is known.
    pub by: Option<ContentId>,
    /// The number of [amendments](Scheduler::amendments) of the run for which it was made.
    pub after: u32,
}

/// The patches of a run by content: what [`Scheduler::recover`] needs beside header and journal.
pub type Patches = BTreeMap<ContentId, GraphSpec>;

impl Scheduler {
    /// Applies a patch to the graph, all of it or nothing: see
    /// [`TaskGraph::extend`](zeph_graph::TaskGraph::extend).
    ///
    /// A task that the patch removes must not have started, and no task that can still start may be left that
    /// depends on it. It is skipped, and a question that it asks is withdrawn.
    ///
    /// `content` is where the driver stores the patch; [`recover`](Self::recover) needs it. Of the patches that
    /// follow the same number of patches of their task only the first valid one is accepted, whichever attempt
    /// proposes it. Parents that have ended count at once, so a new task may start or be skipped in the same batch.
    ///
    /// Cost: the size of the patch and the number of lanes of the graph.
    ///
    /// # Errors
    /// All defects of the patch. Nothing has changed.
    ///
    /// # Examples
    /// ```
    /// use zeph_graph::wire::GraphSpec;
    /// use zeph_graph::{AnsweredBy, Attempt, ContentId, Policy, Task, TaskGraph, Timestamp};
    /// use zeph_scheduler::{Amendment, Input, Proposer, Scheduler};
    /// let mut graph = TaskGraph::new();
    /// let plan = graph.add_task(Task::new("plan").action("model"), []);
    /// let mut scheduler = Scheduler::new(graph, Policy::default());
    /// scheduler.handle(Timestamp::ZERO, Input::Start);
    /// let batch = scheduler.step().expect("the task starts");
    /// drop(scheduler.saved(batch));
    ///
    /// let patch = GraphSpec::from_json(
    ///     r#"{"version":1,"tasks":[{"name":"look","needs":["plan"]}]}"#,
    /// )?;
    /// let (now, content) = (Timestamp::ZERO, ContentId::FIRST);
    /// let proposer = Proposer { task: plan, attempt: Attempt::FIRST, after: 0 };
    /// let grown = scheduler.amend(now, proposer, content, &patch)?;
    /// assert!(matches!(grown, Amendment::Added { tasks: 1, .. }));
    /// let again = scheduler.amend(now, proposer, content.next(), &patch)?;
    /// assert_eq!(again, Amendment::AlreadyAmended);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn amend(
        &mut self,
        now: Timestamp,
        proposer: Proposer,
        content: ContentId,
        patch: &GraphSpec,
    ) -> Result<Amendment, Diagnostics> {
        self.handle_with(now, false, |machine| {
            machine.on_amend(proposer, content, patch)
        })
    }

    /// The number of patches of a task that were accepted. Cost: a logarithm.
    #[must_use]
    pub fn proposals(&self, task: TaskId) -> u32 {
        self.machine.proposals(task)
    }

    /// The tasks that the patches of a task added, in order.
    pub fn proposed(&self, task: TaskId) -> impl Iterator<Item = TaskId> {
        let patches = self.machine.proposers.get(&task).into_iter().flatten();
        patches.cloned().flatten().map(TaskId::from_index)
    }

    /// Applies the patch of a person, as [`amend`](Self::amend) applies that of an attempt.
    ///
    /// Any number of patches is accepted, each for the graph that it was made for. A run that was recovered
    /// takes one before its resumption, too.
    ///
    /// # Errors
    /// All defects of the patch. Nothing has changed.
    ///
    /// # Examples
    /// ```
    /// use zeph_graph::wire::GraphSpec;
    /// use zeph_graph::{ContentId, Policy, Task, TaskGraph, Timestamp};
    /// use zeph_scheduler::{Amendment, ByHand, Input, Scheduler};
    /// let mut graph = TaskGraph::new();
    /// graph.add_task(Task::new("build").action("command"), []);
    /// let mut scheduler = Scheduler::new(graph, Policy::default());
    /// scheduler.handle(Timestamp::ZERO, Input::Start);
    ///
    /// let patch = GraphSpec::from_json(
    ///     r#"{"version":1,"tasks":[{"name":"mail","needs":["build"]}]}"#,
    /// )?;
    /// let (now, content) = (Timestamp::ZERO, ContentId::FIRST);
    /// let by_hand = ByHand { by: None, after: scheduler.amendments() };
    /// let grown = scheduler.amend_by_hand(now, by_hand, content, &patch)?;
    /// assert!(matches!(grown, Amendment::Added { tasks: 1, .. }));
    /// let again = scheduler.amend_by_hand(now, by_hand, content.next(), &patch)?;
    /// assert_eq!(again, Amendment::Outdated { amendments: 1 });
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn amend_by_hand(
        &mut self,
        now: Timestamp,
        by_hand: ByHand,
        content: ContentId,
        patch: &GraphSpec,
    ) -> Result<Amendment, Diagnostics> {
        self.handle_with(now, false, |machine| {
            machine.on_amend_by_hand(by_hand, content, patch)
        })
    }

    /// Whether a patch can remove or replace the task now: it has no attempt, no result and no end. The id must be
    /// one of the graph.
    #[must_use]
    pub fn can_change(&self, task: TaskId) -> bool {
        self.machine.has_not_started(task)
    }

    /// What is wrong with a patch for the run as it is now: [`amend_by_hand`](Self::amend_by_hand) would return it.
    ///
    /// Cost: a copy of the graph.
    ///
    /// # Errors
    /// All defects of the patch.
    pub fn check_amendment(&self, patch: &GraphSpec) -> Result<(), Diagnostics> {
        self.machine.check_removals(patch)?;
        self.machine.graph.clone().extend(patch).map(drop)
    }

    /// Whether a person can amend the run: it has started, is not ending, and other tasks than finalizers are
    /// open.
    #[must_use]
    pub fn takes_amendments(&self) -> bool {
        self.machine.takes_amendments()
    }

    /// The number of patches that were accepted, of attempts and of persons. Constant time.
    #[must_use]
    pub const fn amendments(&self) -> u32 {
        self.machine.amendments
    }
}

impl Machine {
    fn on_amend(
        &mut self,
        proposer: Proposer,
        content: ContentId,
        patch: &GraphSpec,
    ) -> Result<Amendment, Diagnostics> {
        let Proposer {
            task,
            attempt,
            after,
        } = proposer;
        let state = self.state.get(task.index()).copied();
        let running = matches!(state, Some(TaskState::Running { attempt: a, .. }) if a == attempt);
        if !running || self.awaiting_resume || !self.is_growing() {
            return Ok(Amendment::Stale);
        }
        if self.proposals(task) != after {
            return Ok(Amendment::AlreadyAmended);
        }
        let by = AnsweredBy::UNKNOWN;
        self.grow(Some(task), content, by, patch)
    }

    pub(crate) fn proposals(&self, task: TaskId) -> u32 {
        self.proposers.get(&task).map_or(0, Vec::len) as u32
    }

    fn takes_amendments(&self) -> bool {
        let is_open = !matches!(self.run.phase, Phase::New | Phase::Ended(_));
        is_open && self.is_growing()
    }

    fn on_amend_by_hand(
        &mut self,
        ByHand { by, after }: ByHand,
        content: ContentId,
        patch: &GraphSpec,
    ) -> Result<Amendment, Diagnostics> {
        if !self.takes_amendments() {
            return Ok(Amendment::Stale);
        }
        let amendments = self.amendments;
        if after != amendments {
            return Ok(Amendment::Outdated { amendments });
        }
        self.grow(None, content, by.into(), patch)
    }

    fn find_all<'a>(&'a self, names: &'a [String]) -> impl Iterator<Item = TaskId> + 'a {
        names.iter().filter_map(|name| self.graph.find(name))
    }

    /// Whether the task can still be removed: it has no attempt, no result and no end. A question that it asks
    /// before it starts is withdrawn.
    pub(crate) fn has_not_started(&self, task: TaskId) -> bool {
        let state = self.state(task);
        !self.has_tried(task) && !state.is_end() && state != TaskState::Mapping
    }

    /// Checks that the tasks that a patch removes have not started, and that nothing that can still start needs
    /// them. The graph checks their names.
    fn check_removals(&self, patch: &GraphSpec) -> Result<(), Diagnostics> {
        let mut found = Diagnostics::new();
        let removed: BTreeSet<TaskId> = self.find_all(&patch.removes).collect();
        let name = |task: TaskId| self.graph.task(task).name();
        let mut bad = |task: TaskId, message: String| {
            found.push(Diagnostic::new(code::BAD_REMOVAL, message).subject(name(task)));
        };
        for &task in &removed {
            let state = self.state(task);
            if self.graph.is_removed(task) {
                // The graph says so.
            } else if state.is_end() {
                bad(task, format!("task {:?} has ended", name(task)));
            } else if !self.has_not_started(task) {
                bad(task, format!("task {:?} has started", name(task)));
            }
            if let Some(user) = self.graph.fallback_of(task)
                && !removed.contains(&user)
                && !self.state(user).is_end()
            {
                let (user_name, fallback) = (name(user), name(task));
                let text =
                    format!("task {user_name:?} has the fallback {fallback:?}, which is removed");
                bad(user, text);
            }
            let children = self.links.children(task).iter();
            // Items run for a list that was made before.
            let left = children.filter(|&&child| {
                let is_item = self.graph.item(child).is_some();
                !is_item && !removed.contains(&child) && self.has_not_started(child)
            });
            for &child in left {
                let (child_name, needed) = (name(child), name(task));
                let text = format!("task {child_name:?} needs {needed:?}, which is removed");
                bad(child, text);
            }
        }
        found.into_result()
    }

    fn grow(
        &mut self,
        task: Option<TaskId>,
        content: ContentId,
        by: AnsweredBy,
        patch: &GraphSpec,
    ) -> Result<Amendment, Diagnostics> {
        self.check_removals(patch)?;
        let mut removed: Vec<TaskId> = self.find_all(&patch.removes).collect();
        let new = self.graph.extend(patch)?;
        self.record(Record::Amended { task, content, by });
        // A task ends before what it depends on, whose end is then not the reason for its own.
        removed.sort_unstable();
        for &task in removed.iter().rev() {
            self.skip(task, SkipWhy::Removed);
        }
        for index in new.clone() {
            self.evaluate(TaskId::from_index(index));
        }
        Ok(Amendment::Added {
            first: TaskId::from_index(new.start),
            tasks: new.end - new.start,
        })
    }
}
