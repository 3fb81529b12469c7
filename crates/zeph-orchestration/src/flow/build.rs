//! Building and running a flow.

use std::any::TypeId;
use std::future::Future;
use std::marker::PhantomData;
use std::sync::{Arc, OnceLock};

use indexmap::IndexMap;
use serde_json::Value;
use zeph_executor::{Executor, Registry, TaskContext, TaskError};
use zeph_graph::{
    OnFailure, Params, Policy, RunEnd, RunId, Task, TaskGraph, TaskId, Trigger, Work,
};
use zeph_memory::{MemoryStore, RawGraphStore, StoreError};
use zeph_runtime::{Engine, Limits, Owners, RuntimeError, Submission};

use super::body::{Body, Shared};
use super::inputs::{Handle, Inputs, ReadValue};
use super::report::{FlowError, FlowReport, FlowRun};
use super::value_store::{Durable, InMemory, ValueStore, Values};
use super::when::Condition;

/// A graph of typed async closures.
///
/// A handle stands for a result; passing it to another task makes the dependency. Wrong types do not
/// compile. `Kind` decides where values are stored, and so which types they may have: any in memory
/// ([`Flow::new`]), those of serde in a store ([`Flow::durable`]).
///
/// # Examples
/// ```
/// use zeph_orchestration::Flow;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), zeph_orchestration::FlowError> {
/// let mut flow = Flow::new();
/// let page = flow.task("fetch", (), |()| async { Ok(String::from("one two three")) });
/// let words = flow.task("count", page, |page| async move { Ok(page.split(' ').count()) });
/// let report = flow.run().await?;
/// assert_eq!(*report.get(words)?, 3);
/// # Ok(())
/// # }
/// ```
pub struct Flow<Kind = InMemory> {
    pub(super) graph: TaskGraph,
    pub(super) registry: Registry,
    pub(super) shared: Arc<OnceLock<Shared>>,
    readers: IndexMap<TaskId, ReadValue>,
    types: IndexMap<TaskId, TypeId>,
    store: Arc<dyn RawGraphStore>,
    policy: Policy,
    run: Option<RunId>,
    owners: Option<Owners>,
    kind: PhantomData<Kind>,
}

impl<Kind> std::fmt::Debug for Flow<Kind> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Flow")
            .field("tasks", &self.graph.len())
            .finish_non_exhaustive()
    }
}

impl Flow<InMemory> {
    /// A flow with its values in the memory of this process.
    #[must_use]
    pub fn new() -> Self {
        Self::on(Arc::new(MemoryStore::new()))
    }
}

impl Default for Flow<InMemory> {
    fn default() -> Self {
        Self::new()
    }
}

impl Flow<Durable> {
    /// A flow whose values pass through serde into a store. If the store has an interrupted run of that
    /// name and graph, the flow continues it.
    ///
    /// Only one flow may own the run at a time. If another process may start it too, set
    /// [`owners`](Flow::owners); otherwise two flows take the run from each other.
    #[must_use]
    pub fn durable(store: Arc<dyn RawGraphStore>, run: RunId) -> Self {
        Self {
            run: Some(run),
            ..Self::on(store)
        }
    }

    /// Sets the owner locks of the processes that share the store: [`Owners::beside`] the database. All
    /// processes must use the same.
    ///
    /// A run that another flow owns, here or in another process, is then refused with
    /// [`RuntimeError::OwnedElsewhere`]; a run whose process has ended is taken over.
    #[must_use]
    pub fn owners(mut self, owners: Owners) -> Self {
        self.owners = Some(owners);
        self
    }
}

impl<Kind: Send + Sync + 'static> Flow<Kind> {
    fn on(store: Arc<dyn RawGraphStore>) -> Self {
        Self {
            graph: TaskGraph::new(),
            registry: Registry::new(),
            shared: Arc::default(),
            readers: IndexMap::new(),
            types: IndexMap::new(),
            store,
            policy: Policy::default(),
            run: None,
            owners: None,
            kind: PhantomData,
        }
    }

    /// Sets the limits of the run.
    #[must_use]
    pub fn policy(mut self, policy: Policy) -> Self {
        self.policy = policy;
        self
    }

    /// Adds a task: a closure over the results of others. A retry calls it again.
    ///
    /// # Panics
    ///
    /// With the caller's location, if the name is taken or invalid, a handle comes from another flow, the
    /// task has work already, it has a fallback whose result is not a `T`, or a substitute value that is not a `T`. A flow in memory accepts no
    /// substitute value, and a person who is asked about a failure cannot give a value either.
    #[track_caller]
    pub fn task<I, T, F, Fut>(&mut self, task: impl Into<Task>, inputs: I, body: F) -> Handle<T>
    where
        I: Inputs,
        T: Send + Sync + 'static,
        F: Fn(I::Args) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<T, TaskError>> + Send + 'static,
        Kind: ValueStore<T>,
    {
        self.task_with(task, inputs, move |_, args| body(args))
    }

    /// Adds a task whose closure also gets its context: cancellation, progress, logs, its key.
    ///
    /// # Panics
    /// As [`task`](Self::task).
    #[track_caller]
    pub fn task_with<I, T, F, Fut>(
        &mut self,
        task: impl Into<Task>,
        inputs: I,
        body: F,
    ) -> Handle<T>
    where
        I: Inputs,
        T: Send + Sync + 'static,
        F: Fn(TaskContext, I::Args) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<T, TaskError>> + Send + 'static,
        Kind: ValueStore<T>,
    {
        self.add_body(None, task.into(), inputs, body)
    }

    /// Adds a finalizer: it starts when everything that is not a finalizer has ended, whatever the reason, also
    /// after an abort, a time-out or a cancel of the run; not on a suspension.
    ///
    /// The closure gets how the run went so far, and its inputs. Its trigger is
    /// [`Trigger::AllDone`] unless the task has another one; take the result of a task that may have none as
    /// [`optional`](Handle::optional). A finalizer that fails makes a completed run degraded and hides no other
    /// failure. Only finalizers may depend on it.
    ///
    /// # Panics
    /// As [`task`](Self::task).
    ///
    /// # Examples
    /// ```
    /// use zeph_orchestration::{Flow, RunEnd, TaskError};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), zeph_orchestration::FlowError> {
    /// let mut flow = Flow::new();
    /// let page = flow.task("fetch", (), |()| async {
    ///     Err::<String, _>(TaskError::permanent("no network"))
    /// });
    /// let reported = flow.finally("tell", page.optional(), |end, page| async move {
    ///     Ok((end == RunEnd::Failed, page.is_none()))
    /// });
    /// assert_eq!(*flow.run().await?.get(reported)?, (true, true));
    /// # Ok(())
    /// # }
    /// ```
    #[track_caller]
    pub fn finally<I, T, F, Fut>(&mut self, task: impl Into<Task>, inputs: I, body: F) -> Handle<T>
    where
        I: Inputs,
        T: Send + Sync + 'static,
        F: Fn(RunEnd, I::Args) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<T, TaskError>> + Send + 'static,
        Kind: ValueStore<T>,
    {
        let mut task: Task = task.into().finally();
        if task.rules().trigger == Trigger::default() {
            task = task.trigger(Trigger::AllDone);
        }
        let body = move |cx: TaskContext, args| {
            // The engine tells every finalizer.
            body(cx.outcome().unwrap_or(RunEnd::Completed), args)
        };
        self.add_body(None, task, inputs, body)
    }

    #[track_caller]
    pub(super) fn add_body<I, T, F, Fut>(
        &mut self,
        condition: Option<Condition>,
        task: Task,
        inputs: I,
        body: F,
    ) -> Handle<T>
    where
        I: Inputs,
        T: Send + Sync + 'static,
        F: Fn(TaskContext, I::Args) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<T, TaskError>> + Send + 'static,
        Kind: ValueStore<T>,
    {
        let name = task.shared_name();
        check_substitute::<Kind, T>(&task);
        let tasks = inputs.tasks();
        let body = Body::<I, T, _, Kind> {
            inputs,
            closure: body,
            name,
            shared: Arc::clone(&self.shared),
            kinds: PhantomData,
        };
        let read: ReadValue = Arc::new(|values, name, value| match Kind::read(value) {
            Some(read) => {
                values.put::<T>(name, 0, Arc::new(read?));
                Ok(true)
            }
            None => Ok(false),
        });
        self.add_closure(condition, task, tasks, Arc::new(body), read)
    }

    /// Adds a task whose executor is a closure.
    #[track_caller]
    pub(super) fn add_closure<T: 'static>(
        &mut self,
        condition: Option<Condition>,
        task: Task,
        inputs: Vec<TaskId>,
        executor: Arc<dyn Executor>,
        read: ReadValue,
    ) -> Handle<T> {
        let name = task.shared_name();
        assert!(
            *task.work() == Work::Milestone,
            "task {name:?} has work of its own: a closure cannot take its place"
        );
        let task = task.action("closure");
        let (task, inputs, executor) = match condition {
            None => (task, inputs, executor),
            Some(condition) => {
                let inputs = condition.dependencies(inputs);
                let executor = condition.on(&self.shared, Some(executor));
                (task.prepare(Params::none()), inputs, executor)
            }
        };
        let id = self.graph.add_task(task, inputs);
        // A duplicate name was rejected by the graph.
        let _ = self.registry.bind(&*name, executor);
        self.handle(id, read)
    }

    /// The handle of a new task, whose result `read` reads.
    ///
    /// # Panics
    /// If its fallback has another type.
    #[track_caller]
    pub(super) fn handle<T: 'static>(&mut self, id: TaskId, read: ReadValue) -> Handle<T> {
        let of = TypeId::of::<T>();
        let read = match self.graph.fallback(id) {
            None => read,
            Some(fallback) => {
                assert!(
                    self.types.get(&fallback) == Some(&of),
                    "the result of task {:?} has another type than that of its fallback {:?}",
                    self.graph.task(id).name(),
                    self.graph.task(fallback).name()
                );
                let other = self.readers.get(&fallback).cloned();
                Arc::new(move |values: &Values, name: &Arc<str>, json: &Value| {
                    let is_read = read(values, name, json)?;
                    let other = other.as_ref().filter(|_| !is_read);
                    other.map_or(Ok(is_read), |other| other(values, name, json))
                })
            }
        };
        self.readers.insert(id, read);
        self.types.insert(id, of);
        Handle::new(id)
    }

    /// The graph so far.
    #[must_use]
    pub const fn graph(&self) -> &TaskGraph {
        &self.graph
    }

    /// Runs the flow until it ends or is suspended. A durable run of that name that has ended is reported
    /// from the store, and nothing runs again.
    ///
    /// Dropping the future does not stop the flow, unlike dropping a `DagScheduler`: its tasks go on, and a
    /// durable run of that name can be waited for again only after it has ended. To stop it,
    /// [`start`](Self::start) it and call [`suspend`](zeph_runtime::RunHandle::suspend) or
    /// [`cancel`](zeph_runtime::RunHandle::cancel).
    ///
    /// # Errors
    /// If the store fails, a durable run of that name was started with another graph, or another process
    /// owns it (detected only with [`owners`](Flow::owners)).
    pub async fn run(self) -> Result<FlowReport, FlowError> {
        let (store, graph, run) = (
            Arc::clone(&self.store),
            self.graph.clone(),
            self.run.clone(),
        );
        let shared = Arc::clone(&self.shared);
        match (self.start().await, run) {
            // The run has ended before; its results are in the store.
            (Err(FlowError::Run(RuntimeError::AlreadyEnded { .. })), Some(run)) => {
                FlowReport::stored(shared, store, &run, &graph).await
            }
            (started, _) => started?.wait().await,
        }
    }

    /// Starts or continues the flow and returns at once, for a program that answers questions, cancels
    /// or watches. At the end [`FlowRun::wait`] returns the report.
    ///
    /// # Errors
    /// As [`run`](Self::run), and [`RuntimeError::AlreadyEnded`].
    pub async fn start(self) -> Result<FlowRun, FlowError> {
        let names = self
            .graph
            .tasks()
            .map(|(id, task)| (id, task.name().into()))
            .collect();
        let shared = Shared {
            values: Default::default(),
            names,
            readers: self.readers,
        };
        let _ = self.shared.set(shared);
        let limits = Limits {
            max_parallel: self.policy.max_parallel.get(),
            ..Limits::default()
        };
        let store = Arc::clone(&self.store);
        let mut engine = Engine::builder(self.store)
            .registry(self.registry)
            .limits(limits);
        if let Some(owners) = self.owners {
            engine = engine.owners(owners);
        }
        let engine = engine.start().await?;
        let mut submission = Submission::new(self.graph.clone()).policy(self.policy);
        if let Some(run) = &self.run {
            submission = submission.name(run.clone());
        }
        let handle = match (engine.submit(submission).await, self.run) {
            (Err(RuntimeError::Store { run, source }), Some(_))
                if matches!(*source, StoreError::Exists { .. }) =>
            {
                engine.resume_same(&run, &self.graph).await?
            }
            (handle, _) => handle?,
        };
        Ok(FlowRun {
            handle,
            shared: self.shared,
            store,
        })
    }
}

/// Refuses a substitute that is not a `T` at its definition; otherwise every dependant would fail.
#[track_caller]
fn check_substitute<K: ValueStore<T>, T>(task: &Task) {
    let OnFailure::Value(value) = &task.rules().on_failure else {
        return;
    };
    let name = task.name();
    let json = match value.to_value() {
        Ok(json) => json,
        Err(error) => panic!("the substitute value of task {name:?} is not JSON: {error}"),
    };
    match K::read(&json) {
        Some(Ok(_)) => {}
        Some(Err(error)) => panic!("the substitute value of task {name:?} does not fit: {error}"),
        None => panic!("task {name:?} has a substitute value, which only a durable flow can read"),
    }
}
