//! DagScheduler: the contract. A graph, bodies for its tasks, and what can be asked of the run.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::fmt;
use std::num::NonZeroU32;
use std::sync::Arc;

use serde_json::Value;
use zeph_graph::{Entry, Policy, RunState, TaskGraph, TaskId, Work};
use zeph_scheduler::{Counts, Event, EventLog, Explanation, Input, InputOutcome, Scheduler, Scope};

use super::assignment::Assignment;
use super::body::{AnyBody, Body, any_body};
use super::clock::Clock;
use super::contents::Contents;
use super::inbox::Inbox;
use super::outcome::Outcome;
use super::pool::Pool;
use super::stage::Stage;
use super::stop::Stop;
use super::task::DagTask;

/// Runs a graph on threads, one turn of a crank at a time. Its journal is in memory: it ends with the
/// process.
///
/// A task gets its code from [`body`](Self::body), or from [`action`](Self::action) by the name of its
/// action. A task that is not an action and has no body is a milestone: it completes when it becomes
/// ready, and its event says so. An action without code fails and says what is missing.
///
/// Bodies run on threads that are made when they are needed, at most
/// [`max_parallel`](Self::max_parallel) at a time; those that ignored their cancellation and were given
/// up come on top. A panic is the failure of that attempt.
///
/// Dropping the scheduler cancels what runs and waits for it, at most as long as the policy's
/// `cancel_grace`; a body that blocks longer is left behind on its thread.
///
/// # Examples
/// ```
/// use zeph_orchestration::{Assignment, DagScheduler, Event, TaskError, TaskGraph};
/// let mut graph = TaskGraph::new();
/// let fetch = graph.add_task("fetch", []);
/// let count = graph.add_task("count", [fetch]);
///
/// let mut scheduler = DagScheduler::new(graph);
/// scheduler.body(fetch, || "three little words");
/// scheduler.body(count, |work: &Assignment| {
///     let text: String = work.input_as("fetch")?;
///     Ok::<_, TaskError>(text.split(' ').count())
/// });
/// let mut lines = Vec::new();
/// while scheduler.tick() {
///     lines.extend(scheduler.events().map(|event: Event| event.to_string()));
/// }
/// assert!(scheduler.outcome().is_completed());
/// assert_eq!(scheduler.output(count), Some(&3.into()));
/// assert_eq!(lines[1..4], [
///     r#"task "fetch" is ready"#,
///     r#"task "fetch" started"#,
///     r#"task "fetch" completed"#,
/// ]);
/// ```
pub struct DagScheduler {
    pub(crate) stage: Stage,
    pub(crate) bodies: HashMap<TaskId, AnyBody>,
    pub(crate) actions: HashMap<Arc<str>, AnyBody>,
    pub(crate) external: bool,

    pub(crate) clock: Clock,
    pub(crate) inbox: Arc<Inbox>,
    pub(crate) pool: Option<Pool>,

    pub(crate) journal: Vec<Entry>,
    // How many records the events have told.
    told: usize,
    event_log: EventLog,
    pub(crate) contents: Contents,

    // Of the attempts in flight.
    pub(crate) stops: BTreeMap<TaskId, Stop>,
    pub(crate) started: VecDeque<Assignment>,
    pub(crate) idle: bool,
}

impl DagScheduler {
    /// A run of this graph, not begun yet. Nothing runs before the first [`tick`](Self::tick).
    #[must_use]
    pub fn new(graph: TaskGraph) -> Self {
        Self {
            stage: Stage::new(graph),
            bodies: HashMap::new(),
            actions: HashMap::new(),
            external: false,
            clock: Clock::start(),
            inbox: Arc::default(),
            pool: None,
            journal: Vec::new(),
            told: 0,
            event_log: EventLog::default(),
            contents: Contents::default(),
            stops: BTreeMap::new(),
            started: VecDeque::new(),
            idle: false,
        }
    }

    /// Gives a task its code: a closure without arguments or with `&Assignment`, called once for each
    /// attempt. It returns `()`, a simple value, or a `Result` of anything that serializes. A second
    /// body of a task replaces the first, from the next attempt on.
    ///
    /// # Panics
    /// If the id is not one of this graph, if the task is a question, or if it is a milestone and the
    /// run has begun.
    #[track_caller]
    pub fn body<M: 'static>(&mut self, task: TaskId, body: impl Body<M>) -> &mut Self {
        let definition = self.stage.graph().task(task);
        let (name, work) = (definition.shared_name(), definition.work());
        assert!(
            !matches!(work, Work::Question(_)),
            "task {name:?} is a question: its result is the answer, it has no body"
        );
        if *work == Work::Milestone {
            let Some((graph, _)) = self.stage.draft() else {
                panic!("task {name:?} is a milestone of a run that has begun: give bodies before");
            };
            let params = zeph_graph::Params::none();
            graph.set_work(task, Work::Action { name, params });
        }
        self.bodies.insert(task, any_body(body));
        self
    }

    /// Gives code to every task whose action has that name and that has no body of its own. The code
    /// reads its parameters from the [`Assignment`].
    pub fn action<M: 'static>(
        &mut self,
        name: impl Into<Arc<str>>,
        body: impl Body<M>,
    ) -> &mut Self {
        self.actions.insert(name.into(), any_body(body));
        self
    }

    /// Sets how many attempts may run at the same time. Default: 8.
    ///
    /// # Panics
    /// If it is 0, since nothing would ever run, or if the run has begun.
    #[track_caller]
    pub fn max_parallel(&mut self, attempts: u32) -> &mut Self {
        let Some(attempts) = NonZeroU32::new(attempts) else {
            panic!("max_parallel is 0: nothing would ever run");
        };
        let mut policy = *self.stage.policy();
        policy.max_parallel = attempts;
        self.policy(policy)
    }

    /// Sets all limits of the run. Default: [`Policy::default`].
    ///
    /// # Panics
    /// If the run has begun: limits are part of what a run is decided by.
    #[track_caller]
    pub fn policy(&mut self, policy: Policy) -> &mut Self {
        let Some((_, limits)) = self.stage.draft() else {
            panic!("the run has begun: set its limits before the first tick");
        };
        *limits = policy;
        self
    }

    /// What happened since the last call, in the order of the journal. The iterator borrows nothing, so
    /// the loop over it may answer, cancel and report.
    pub fn events(&mut self) -> impl ExactSizeIterator<Item = Event> + use<> {
        let graph = self.stage.graph();
        let fresh = self.journal[self.told..].iter();
        let log = &mut self.event_log;
        let events: Vec<Event> = fresh.map(|entry| log.event(entry, graph)).collect();
        self.told = self.journal.len();
        events.into_iter()
    }

    /// Where the run stands: what a `false` of [`tick`](Self::tick) means.
    #[must_use]
    pub fn outcome(&self) -> Outcome {
        let Some(machine) = self.stage.machine() else {
            return Outcome::NotFinished;
        };
        let stuck = machine.stuck();
        if !stuck.is_empty() {
            return Outcome::Stuck(stuck);
        }
        match machine.state() {
            RunState::Ended(end) => Outcome::Ended(end),
            RunState::Waiting => Outcome::Waiting(self.questions()),
            RunState::Paused if machine.counts().in_flight() == 0 => Outcome::Paused,
            RunState::Paused | RunState::Running | RunState::Suspending | RunState::Suspended => {
                Outcome::NotFinished
            }
        }
    }

    /// A task, to be asked for its state.
    ///
    /// # Panics
    /// If the id is not one of this graph.
    #[must_use]
    #[track_caller]
    pub fn task(&self, id: TaskId) -> DagTask<'_> {
        // Fails here, and not in the first question asked of it.
        let _known = self.graph().task(id);
        DagTask {
            scheduler: self,
            id,
        }
    }

    /// The graph. A task that was given a body is an action in it.
    #[must_use]
    pub fn graph(&self) -> &TaskGraph {
        self.stage.graph()
    }

    /// How many tasks stand in each state. Constant time.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.stage.counts()
    }

    /// The value of a completed task: its result, an answer, or a substitute. `None` if it has not
    /// completed, or completed without a value.
    ///
    /// # Panics
    /// If the id is not one of this graph.
    #[must_use]
    #[track_caller]
    pub fn output(&self, id: TaskId) -> Option<&Value> {
        let value = self.contents.output(id, self.stage.state(id))?;
        Some(&**value)
    }

    /// What the last attempt that failed said, also when a later one completed.
    #[must_use]
    pub fn error(&self, id: TaskId) -> Option<&str> {
        self.contents.error(id)
    }

    /// Why a task stands where it stands.
    ///
    /// # Panics
    /// If the id is not one of this graph.
    #[must_use]
    #[track_caller]
    pub fn explain(&self, id: TaskId) -> Explanation {
        self.stage.explain(id)
    }

    /// Every decision so far, in order. Grows with the run and is never cut.
    #[must_use]
    pub fn journal(&self) -> &[Entry] {
        &self.journal
    }

    /// Ends work: a task, a task with what depends on it, or the run. What runs is told; what follows
    /// happens with the next ticks. Begins the run if it has not begun.
    pub fn cancel(&mut self, scope: Scope) -> InputOutcome {
        self.tell(Input::Cancel(scope))
    }

    /// Starts nothing new until [`unpause`](Self::unpause); running work goes on. Before the first tick
    /// it begins the run, whose milestones are then reached at once.
    pub fn pause(&mut self) -> InputOutcome {
        self.tell(Input::Pause)
    }

    /// Ends a pause.
    pub fn unpause(&mut self) -> InputOutcome {
        self.tell(Input::Unpause)
    }

    fn tell(&mut self, input: Input) -> InputOutcome {
        let now = self.clock.now();
        self.stage.begin(&self.clock).handle(now, input)
    }

    /// The machine inside, once the run has begun: for pictures, snapshots and comparisons.
    #[must_use]
    pub fn machine(&self) -> Option<&Scheduler> {
        self.stage.machine()
    }
}

impl Drop for DagScheduler {
    fn drop(&mut self) {
        // The pool, dropped after this, waits for those that listen.
        for stop in self.stops.values() {
            stop.raise();
        }
    }
}

impl fmt::Debug for DagScheduler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DagScheduler")
            .field("outcome", &self.outcome())
            .field("counts", &self.counts())
            .finish_non_exhaustive()
    }
}
