//! `DagScheduler`: the public interface. A graph, the code of its tasks, and the state of the run.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::fmt;
use std::num::NonZeroU32;
use std::sync::Arc;

use serde_json::Value;
use zeph_graph::{
    Attempt, ContentId, Entry, Output, Policy, RunState, TaskGraph, TaskId, TaskState, Work,
};
use zeph_runtime::driver::{Contents, LastErrors};
use zeph_scheduler::{Counts, Event, EventLog, Explanation, Input, InputOutcome, Scheduler, Scope};

use super::attempt::{AttemptContext, CancelFlag};
use super::body::{AnyBody, Body, any_body};
use super::clock::Clock;
use super::condition::AnyCondition;
use super::inbox::Inbox;
use super::outcome::Outcome;
use super::pool::Pool;
use super::run::Run;
use super::step::Content;

/// Runs a graph of closures on threads, one [`tick`](Self::tick) at a time. The journal is in memory,
/// so the run ends with the process.
///
/// It is a driver: the decisions are those of [`Scheduler`](zeph_scheduler::Scheduler), which an
/// [`Engine`](crate::Engine) drives for async programs and with a store.
///
/// A task gets its code from [`body`](Self::body), or from [`action`](Self::action) by the name of its
/// action. A task that is not an action and has no body is a milestone: it completes when it becomes
/// ready, and its event says so. An action without code fails with an error that names it.
///
/// Bodies run on threads that are started on demand, at most [`max_parallel`](Self::max_parallel) at a
/// time. A body that ignores its cancellation is abandoned after the grace period and counts no more. A
/// panic fails the attempt.
///
/// Dropping the scheduler cancels the running bodies and waits for them, at most as long as the
/// policy's `cancel_grace`; a body that blocks longer continues on its thread.
///
/// # Examples
/// ```
/// use zeph_orchestration::{AttemptContext, DagScheduler, TaskError, TaskGraph};
/// use zeph_orchestration::journal::Event;
/// let mut graph = TaskGraph::new();
/// let fetch = graph.add_task("fetch", []);
/// let count = graph.add_task("count", [fetch]);
///
/// let mut scheduler = DagScheduler::new(graph);
/// scheduler.body(fetch, || "three little words");
/// scheduler.body(count, |cx: &AttemptContext| {
///     let text: String = cx.input_as("fetch")?;
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
    pub(crate) run: Run,
    pub(crate) bodies: HashMap<TaskId, AnyBody>,
    pub(crate) actions: HashMap<Arc<str>, AnyBody>,
    pub(crate) conditions: HashMap<TaskId, AnyCondition>,
    /// The number of conditions that threads evaluate.
    pub(crate) conditions_at_work: usize,
    /// Whether the caller runs the attempts, and reports their ends.
    pub(crate) external: bool,

    pub(crate) clock: Clock,
    pub(crate) inbox: Arc<Inbox>,
    pub(crate) pool: Option<Pool>,

    pub(crate) journal: Vec<Entry>,
    /// The number of records that `events` has returned.
    reported: usize,
    event_log: EventLog,
    pub(crate) contents: Contents<Content>,
    /// The outputs that are in the definitions of tasks, such as substitute values.
    pub(crate) defined: BTreeMap<TaskId, Arc<Value>>,
    pub(crate) errors: LastErrors,

    /// The cancel flags of the attempts in flight.
    pub(crate) cancel_flags: BTreeMap<TaskId, CancelFlag>,
    /// Attempts that `started` has not returned yet.
    pub(crate) started: VecDeque<AttemptContext>,
    pub(crate) idle: bool,
}

impl DagScheduler {
    /// A run of this graph that has not started. Nothing runs before the first [`tick`](Self::tick).
    #[must_use]
    pub fn new(graph: TaskGraph) -> Self {
        Self {
            run: Run::new(graph),
            bodies: HashMap::new(),
            actions: HashMap::new(),
            conditions: HashMap::new(),
            conditions_at_work: 0,
            external: false,
            clock: Clock::start(),
            inbox: Arc::default(),
            pool: None,
            journal: Vec::new(),
            reported: 0,
            event_log: EventLog::default(),
            contents: Contents::starting_at(ContentId::FIRST),
            defined: BTreeMap::new(),
            errors: LastErrors::default(),
            cancel_flags: BTreeMap::new(),
            started: VecDeque::new(),
            idle: false,
        }
    }

    /// Gives a task its code: a closure without arguments or with `&AttemptContext`, called once for each
    /// attempt. It returns `()`, a simple value, or a `Result` of anything that serializes. A second
    /// body of a task replaces the first, from the next attempt on.
    ///
    /// # Panics
    /// If the id is not one of this graph, if the task is a question, or if it is a milestone and the
    /// run has started.
    #[track_caller]
    pub fn body<M: 'static>(&mut self, task: TaskId, body: impl Body<M>) -> &mut Self {
        let definition = self.run.graph().task(task);
        let (name, work) = (definition.shared_name(), definition.work());
        assert!(
            !matches!(work, Work::Question(_)),
            "task {name:?} is a question: its result is the answer, it has no body"
        );
        if *work == Work::Milestone {
            let Some((graph, _)) = self.run.draft() else {
                panic!("task {name:?} is a milestone of a run that has started: set bodies before");
            };
            let params = zeph_graph::Params::none();
            graph.set_work(task, Work::Action { name, params });
        }
        self.bodies.insert(task, any_body(body));
        self
    }

    /// Gives code to every task whose action has that name and that has no body of its own. The code
    /// reads its parameters from the [`AttemptContext`].
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
    /// If it is 0, since nothing would ever run, or if the run has started.
    #[track_caller]
    pub fn max_parallel(&mut self, attempts: u32) -> &mut Self {
        let Some(attempts) = NonZeroU32::new(attempts) else {
            panic!("max_parallel is 0: nothing would ever run");
        };
        let mut policy = *self.run.policy();
        policy.max_parallel = attempts;
        self.policy(policy)
    }

    /// Sets all limits of the run. Default: [`Policy::default`].
    ///
    /// # Panics
    /// If the run has started: its decisions depend on the limits.
    #[track_caller]
    pub fn policy(&mut self, policy: Policy) -> &mut Self {
        let Some((_, limits)) = self.run.draft() else {
            panic!("the run has started: set its limits before the first tick");
        };
        *limits = policy;
        self
    }

    /// The events since the last call, in the order of the journal. The iterator borrows nothing, so the
    /// loop over it may answer, cancel and report.
    pub fn events(&mut self) -> impl ExactSizeIterator<Item = Event> + use<> {
        let graph = self.run.graph();
        let fresh = self.journal[self.reported..].iter();
        let log = &mut self.event_log;
        let events: Vec<Event> = fresh.map(|entry| log.event(entry, graph)).collect();
        self.reported = self.journal.len();
        events.into_iter()
    }

    /// The state of the run: tells why [`tick`](Self::tick) returned `false`.
    #[must_use]
    pub fn outcome(&self) -> Outcome {
        let Some(scheduler) = self.run.scheduler() else {
            return Outcome::NotFinished;
        };
        let stuck = scheduler.stuck();
        if !stuck.is_empty() {
            return Outcome::Stuck(stuck);
        }
        match scheduler.state() {
            RunState::Ended(end) => Outcome::Ended(end),
            RunState::Waiting => Outcome::Waiting(self.questions()),
            RunState::Paused if scheduler.counts().in_flight() == 0 => Outcome::Paused,
            RunState::Paused | RunState::Running | RunState::Suspending | RunState::Suspended => {
                Outcome::NotFinished
            }
        }
    }

    /// The state of a task.
    ///
    /// # Panics
    /// If the id is not one of this graph.
    #[must_use]
    #[track_caller]
    pub fn state(&self, id: TaskId) -> TaskState {
        self.run.state(id)
    }

    /// The number of attempts of a task that were started.
    ///
    /// # Panics
    /// If the run has started and the id is not one of this graph.
    #[must_use]
    #[track_caller]
    pub fn attempts(&self, id: TaskId) -> u32 {
        let last = self
            .run
            .scheduler()
            .and_then(|scheduler| scheduler.task(id).last_attempt());
        last.map_or(0, Attempt::get)
    }

    /// The graph. A task that was given a body is an action in it.
    #[must_use]
    pub fn graph(&self) -> &TaskGraph {
        self.run.graph()
    }

    /// The number of tasks in each state. Constant time.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.run.counts()
    }

    /// The value of a completed task: its result, an answer, or a substitute. `None` if it has not
    /// completed, or completed without a value.
    ///
    /// # Panics
    /// If the id is not one of this graph.
    #[must_use]
    #[track_caller]
    pub fn output(&self, id: TaskId) -> Option<&Value> {
        self.value(id).map(|value| &**value)
    }

    pub(crate) fn value(&self, task: TaskId) -> Option<&Arc<Value>> {
        let TaskState::Completed { output } = self.run.state(task) else {
            return None;
        };
        match output {
            Output::None => None,
            Output::Definition => self.defined.get(&task),
            Output::Content(id) => match self.contents.get(id)? {
                Content::Value(value) => Some(value),
                Content::Error(_) => None,
            },
        }
    }

    /// The error of the last failed attempt, also when a later attempt completed.
    #[must_use]
    pub fn error(&self, id: TaskId) -> Option<&str> {
        self.errors.latest(id).map(|text| &**text)
    }

    /// Why a task is in its state.
    ///
    /// # Panics
    /// If the id is not one of this graph.
    #[must_use]
    #[track_caller]
    pub fn explain(&self, id: TaskId) -> Explanation {
        self.run.explain(id)
    }

    /// Every decision so far, in order. Grows with the run and is never truncated.
    #[must_use]
    pub fn journal(&self) -> &[Entry] {
        &self.journal
    }

    /// Cancels a task, a task with its dependants, or the run. Running attempts are notified; the
    /// consequences follow with the next ticks. Starts the run if it has not started.
    pub fn cancel(&mut self, scope: Scope) -> InputOutcome {
        self.handle(Input::Cancel(scope))
    }

    /// Starts no new attempts until [`unpause`](Self::unpause); running ones go on. Before the first
    /// tick it starts the run, whose milestones without parents then complete at once.
    pub fn pause(&mut self) -> InputOutcome {
        self.handle(Input::Pause)
    }

    /// Ends a pause.
    pub fn unpause(&mut self) -> InputOutcome {
        self.handle(Input::Unpause)
    }

    fn handle(&mut self, input: Input) -> InputOutcome {
        let now = self.clock.now();
        self.run.start(&self.clock).handle(now, input)
    }

    /// The scheduler of the run, for pictures and snapshots; `None` before the run has started.
    #[must_use]
    pub fn scheduler(&self) -> Option<&Scheduler> {
        self.run.scheduler()
    }
}

impl Drop for DagScheduler {
    fn drop(&mut self) {
        // The pool is dropped after this, and waits for the bodies to end.
        for flag in self.cancel_flags.values() {
            flag.raise();
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
